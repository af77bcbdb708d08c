//! Who may have which name, and in which order: names are freed before they are taken, and nobody's name is stolen.
//!
//! A chain (a takes b's old name, b takes c's) becomes an order. A ring (a and b swap) goes through a temporary name where
//! the rules allow it, else everybody in it is held. A name that somebody else keeps is refused here, before anything is
//! sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{Providers, decide::Decided, few_of, folded};
use crate::model::{
    attribute::{AttributeName, Value},
    capability::{Change, Unique, Verdict},
    id::{AccountId, SystemName},
    plan::Decision,
    policy::Policy,
    refusal::RefusalKind,
};

/// Which account holds a unique value now, by folded text.
pub(crate) type Holders = BTreeMap<(SystemName, AttributeName), BTreeMap<String, AccountId>>;

/// The order that names force on changes, by their position among all decided changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// The first must be done before the second.
    pub(crate) before: BTreeSet<(usize, usize)>,
    /// Changes that go through a temporary name first, with that name.
    pub(crate) parked: BTreeMap<usize, Value>,
}

/// One change of a unique value that will be carried out.
struct Move {
    at: usize,
    person_order: usize,
    from: Option<String>,
    to: String,
    account: Option<AccountId>,
}

/// Refuses what is taken, holds what two people want, and finds the order of the rest.
pub(crate) fn order(decided: &mut [Decided], holders: &Holders, policy: &Policy, providers: &dyn Providers) -> Order {
    let spaces = contested(decided, providers);
    let empty = BTreeMap::new();
    // A creation that is refused for one name must not take another, so spaces are gone through until nothing changes.
    loop {
        let mut order = Order::default();
        let mut settled = true;
        for space in &spaces {
            let held = holders.get(space).unwrap_or(&empty);
            let rule = unique(providers, &space.0, &space.1);
            settled &= refuse_taken(decided, space, held, rule);
        }
        if settled {
            for space in &spaces {
                let held = holders.get(space).unwrap_or(&empty);
                settled &= arrange(decided, space, held, policy, providers, &mut order);
            }
        }
        if settled {
            return order;
        }
        spread_refused_creations(decided);
    }
}

/// The unique attributes that are changed somewhere: only there it matters who holds which value.
pub(crate) fn contested(decided: &[Decided], providers: &dyn Providers) -> BTreeSet<(SystemName, AttributeName)> {
    let mut spaces = BTreeSet::new();
    for one in decided.iter().filter(|one| one.planned.decision == Decision::Apply) {
        if unique(providers, &one.planned.system, &one.planned.attribute) != Unique::No {
            spaces.insert((one.planned.system.clone(), one.planned.attribute.clone()));
        }
    }
    spaces
}

fn unique(providers: &dyn Providers, system: &SystemName, attribute: &AttributeName) -> Unique {
    let row = providers.capabilities(system).and_then(|table| table.of(system, attribute));
    row.map_or(Unique::No, |row| row.unique)
}

fn moves(decided: &[Decided], (system, attribute): &(SystemName, AttributeName)) -> Vec<Move> {
    let mine = |one: &&(usize, &Decided)| {
        let planned = &one.1.planned;
        planned.decision == Decision::Apply && planned.system == *system && planned.attribute == *attribute
    };
    let all: Vec<(usize, &Decided)> = decided.iter().enumerate().collect();
    all.iter()
        .filter(mine)
        .filter_map(|(at, one)| Some((at, one, folded(&one.planned.after)?)))
        .enumerate()
        .map(|(person_order, (at, one, to))| {
            let account = one.planned.account.clone();
            Move { at: *at, person_order, from: folded(&one.planned.before), to, account }
        })
        .collect()
}

/// True where nothing had to be refused or held.
fn refuse_taken(
    decided: &mut [Decided],
    space: &(SystemName, AttributeName),
    held: &BTreeMap<String, AccountId>,
    rule: Unique,
) -> bool {
    let moves = moves(decided, space);
    let leaving: BTreeMap<&AccountId, &Move> =
        moves.iter().filter_map(|one| one.account.as_ref().map(|account| (account, one))).collect();
    let mut wanted: BTreeMap<&str, Vec<&Move>> = BTreeMap::new();
    for one in &moves {
        wanted.entry(&one.to).or_default().push(one);
    }
    // Who waits for the name that an account still holds: at most one, for rivals are held.
    let next: BTreeMap<&AccountId, usize> =
        moves.iter().enumerate().filter_map(|(at, one)| Some((held.get(&one.to)?, at))).collect();
    let (system, attribute) = space;
    let mut stays = vec![false; moves.len()];
    let mut waiting: Vec<usize> = (0..moves.len()).rev().collect();
    while let Some(at) = waiting.pop() {
        if stays[at] {
            continue;
        }
        let one = &moves[at];
        let rivals = wanted.get(one.to.as_str()).map(Vec::as_slice).unwrap_or_default();
        let reason = if rivals.len() > 1 {
            let names = few_of(rivals, " and ", |rival| &decided[rival.at].planned.person);
            Some((
                Decision::Hold,
                format!(
                    "{names} want the same `{attribute}` at {system}: all but one need another, from their records or a rule"
                ),
            ))
        } else {
            let holder = held.get(&one.to).filter(|holder| one.account.as_ref() != Some(holder));
            holder
                .and_then(|holder| {
                    let leaves = |other: &&&Move| {
                        !stays[other.person_order] && other.from.as_deref() == Some(&one.to) && other.to != one.to
                    };
                    match (leaving.get(holder).filter(leaves), rule) {
                        (None, _) => {
                            let hers = one.account.as_ref().map(|hers| format!("; this person's is {hers}"));
                            let hers = hers.unwrap_or_default();
                            Some(format!("account {holder} at {system} has this `{attribute}` already{hers}"))
                        }
                        (Some(_), Unique::Kept(why)) => {
                            Some(format!("account {holder} at {system} gives it up, but {why}"))
                        }
                        (Some(_), Unique::Freed | Unique::No) => None,
                    }
                })
                .map(|reason| (Decision::Refuse, reason))
        };
        let Some((decision, reason)) = reason else { continue };
        stays[at] = true;
        // Whoever was to take the name that is now kept must be looked at again.
        waiting.extend(one.account.as_ref().and_then(|account| next.get(account)));
        let refusal = (decision == Decision::Refuse).then_some(RefusalKind::Taken);
        decided[one.at].planned.stop(decision, refusal, reason);
    }
    !stays.contains(&true)
}

/// Orders chains and breaks or holds rings. True where nothing had to be held.
fn arrange(
    decided: &mut [Decided],
    space: &(SystemName, AttributeName),
    held: &BTreeMap<String, AccountId>,
    policy: &Policy,
    providers: &dyn Providers,
    order: &mut Order,
) -> bool {
    let moves = moves(decided, space);
    let by_account: BTreeMap<&AccountId, usize> =
        moves.iter().enumerate().filter_map(|(at, one)| one.account.as_ref().map(|account| (account, at))).collect();
    // Who must be gone before each one can come: at most one other.
    let waits_for: Vec<Option<usize>> = moves
        .iter()
        .map(|one| {
            let holder = held.get(&one.to).filter(|holder| one.account.as_ref() != Some(holder))?;
            by_account.get(holder).copied()
        })
        .collect();
    let mut settled = true;
    let mut ring_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    // Each one is walked over once: a path ends at nobody, at one that was seen before, or at itself, which is a ring.
    let mut seen_from: Vec<Option<usize>> = vec![None; moves.len()];
    for start in 0..moves.len() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at {
            match seen_from[here] {
                Some(from) if from == start => {
                    let ring: Vec<usize> = path.iter().copied().skip_while(|at| *at != here).collect();
                    let first = ring.iter().copied().min_by_key(|at| moves[*at].person_order).unwrap_or(here);
                    ring_of.insert(first, ring);
                    break;
                }
                Some(_) => break,
                None => {
                    seen_from[here] = Some(start);
                    path.push(here);
                    at = waits_for[here];
                }
            }
        }
    }
    let mut names: BTreeSet<String> = moves.iter().map(|one| one.to.clone()).collect();
    for (first, ring) in &ring_of {
        let reason = if policy.temporary.contains_key(&(space.1.clone(), space.0.clone())) {
            let first = &moves[*first];
            let takes = |name: &str| takes(&decided[first.at], name, providers);
            match temporary(first, held, &names, &takes) {
                Ok(name) => {
                    names.insert(name.clone());
                    order.parked.insert(first.at, Value::text(&name));
                    continue;
                }
                Err((name, why)) => format!("not even `{name}` would be taken for a moment: {why}"),
            }
        } else {
            format!(
                "allow a name held for a moment with temporary(\"{}\", \"{}\"), or do it in two steps",
                space.1, space.0
            )
        };
        let names = few_of(ring, ", ", |at| &decided[moves[*at].at].planned.person);
        for at in ring {
            let reason = format!("{names} exchange `{}` at {} in a ring; {reason}", space.1, space.0);
            decided[moves[*at].at].planned.stop(Decision::Hold, None, reason);
        }
        settled = false;
    }
    for (at, one) in moves.iter().enumerate() {
        if let Some(other) = waits_for[at] {
            order.before.insert((moves[other].at, one.at));
        }
    }
    settled
}

/// Whether the account of a change would take this name instead; a reason where it would not.
fn takes(one: &Decided, name: &str, providers: &dyn Providers) -> Result<(), String> {
    let wanted = Value::text(name);
    let after = providers.normalize(&one.planned.system, &one.change.attribute, &wanted);
    if folded(&after) != folded(&wanted) {
        return Err(format!("it would become `{after}`"));
    }
    match providers.foresee(&one.account, &Change { after, ..one.change.clone() }).verdict {
        Verdict::Takes => Ok(()),
        Verdict::Refuses { reason, .. } | Verdict::Doomed { reason } => Err(reason),
    }
}

/// A name that nobody has, nobody wants and the system takes; without one, the last that was tried, and why not. Of an
/// address only the part before the `@` is changed.
fn temporary(
    one: &Move,
    held: &BTreeMap<String, AccountId>,
    names: &BTreeSet<String>,
    takes: &dyn Fn(&str) -> Result<(), String>,
) -> Result<String, (String, String)> {
    let old = one.from.as_deref().unwrap_or("moving");
    let (local, domain) =
        old.split_once('@').map_or((old, String::new()), |(local, domain)| (local, format!("@{domain}")));
    let mut refused = None;
    // Systems differ in what a name may be made of, and in how long it may be.
    for (length, mark) in [(40, "-moving"), (40, "moving"), (10, "-moving"), (10, "moving")] {
        let short: String = local.chars().take(length).collect();
        let mut free = (1_u32..).map(|number| format!("{short}{mark}{number}{domain}"));
        let Some(name) = free.find(|name| !held.contains_key(name) && !names.contains(name)) else { continue };
        match takes(&name) {
            Ok(()) => return Ok(name),
            Err(why) => refused = Some((name, why)),
        }
    }
    Err(refused.unwrap_or_else(|| (old.to_owned(), String::new())))
}

/// A creation is one call: if one of its values is refused or held, none of it happens.
fn spread_refused_creations(decided: &mut [Decided]) {
    let broken: BTreeMap<_, _> = decided
        .iter()
        .filter(|one| one.account.id.is_none())
        .filter(|one| one.planned.decision == Decision::Hold || one.planned.refusal == Some(RefusalKind::Taken))
        .map(|one| {
            let planned = &one.planned;
            ((planned.person.clone(), planned.system.clone()), (planned.attribute.clone(), planned.decision))
        })
        .collect();
    for one in decided.iter_mut().filter(|one| one.account.id.is_none() && one.planned.decision == Decision::Apply) {
        let key = (one.planned.person.clone(), one.planned.system.clone());
        if let Some((attribute, decision)) = broken.get(&key) {
            let refusal = (*decision == Decision::Refuse).then_some(RefusalKind::Taken);
            one.planned.stop(*decision, refusal, format!("no account is made without its `{attribute}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_for(old: &str, takes: &dyn Fn(&str) -> Result<(), String>) -> Result<String, (String, String)> {
        let one = Move { at: 0, person_order: 0, from: Some(old.to_owned()), to: "other".to_owned(), account: None };
        let held = BTreeMap::from([("anna-moving1".to_owned(), "7".into())]);
        temporary(&one, &held, &BTreeSet::from(["anna-moving2".to_owned()]), takes)
    }

    #[test]
    fn a_name_for_a_moment_is_free_and_one_that_the_system_takes() {
        assert_eq!(name_for("anna", &|_| Ok(())).unwrap(), "anna-moving3");
        assert_eq!(name_for("anna@example.com", &|_| Ok(())).unwrap(), "anna-moving1@example.com");
        let plain = |name: &str| if name.contains('-') { Err("a hyphen".to_owned()) } else { Ok(()) };
        assert_eq!(name_for("anna", &plain).unwrap(), "annamoving1");
        let short = |name: &str| if name.len() > 18 { Err("too long".to_owned()) } else { Ok(()) };
        assert_eq!(name_for("maximiliane.winterfeld", &short).unwrap(), "maximilian-moving1");
        let refused = name_for("anna", &|_| Err("no names".to_owned())).unwrap_err();
        assert_eq!(refused, ("annamoving1".to_owned(), "no names".to_owned()));
    }
}
