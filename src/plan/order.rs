//! Who may have which name, and in which order: names are freed before they are taken, and nobody's name is stolen.
//!
//! A chain (a takes b's old name, b takes c's) becomes an order. A ring (a and b swap) goes through a temporary name where
//! the rules allow it, else everybody in it is held. A name that somebody else keeps is refused here, before anything is
//! sent.

use std::collections::{BTreeMap, BTreeSet};

use super::{Providers, decide::Decided, folded};
use crate::model::{
    attribute::{AttributeName, Value},
    capability::Unique,
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
    let mut spaces: BTreeSet<(SystemName, AttributeName)> = BTreeSet::new();
    for one in decided.iter().filter(|one| one.planned.decision == Decision::Apply) {
        if unique(providers, &one.planned.system, &one.planned.attribute) != Unique::No {
            spaces.insert((one.planned.system.clone(), one.planned.attribute.clone()));
        }
    }
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
                settled &= arrange(decided, space, held, policy, &mut order);
            }
        }
        if settled {
            return order;
        }
        spread_refused_creations(decided);
    }
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
        .enumerate()
        .filter_map(|(person_order, (at, one))| {
            let to = folded(&one.planned.after)?;
            let account = one.planned.account.clone();
            Some(Move { at: *at, person_order, from: folded(&one.planned.before), to, account })
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
    let mut settled = true;
    for one in &moves {
        let (system, attribute) = space;
        let rivals = wanted.get(one.to.as_str()).map_or(0, Vec::len);
        if rivals > 1 {
            let names: Vec<String> =
                wanted[one.to.as_str()].iter().map(|rival| decided[rival.at].planned.person.to_string()).collect();
            let planned = &mut decided[one.at].planned;
            planned.decision = Decision::Hold;
            planned.reason = format!("{} want the same `{attribute}` at {system}", names.join(" and "));
            settled = false;
            continue;
        }
        let Some(holder) = held.get(&one.to).filter(|holder| one.account.as_ref() != Some(holder)) else { continue };
        let moving = leaving.get(holder).filter(|other| other.from.as_deref() == Some(&one.to) && other.to != one.to);
        let refusal = match (moving, rule) {
            (None, _) => Some(format!("account {holder} at {system} has this `{attribute}` already")),
            (Some(_), Unique::Kept(why)) => Some(format!("account {holder} at {system} gives it up, but {why}")),
            (Some(_), Unique::Freed | Unique::No) => None,
        };
        if let Some(reason) = refusal {
            let planned = &mut decided[one.at].planned;
            planned.decision = Decision::Refuse;
            planned.refusal = Some(RefusalKind::Taken);
            planned.side_effect = None;
            planned.reason = reason;
            settled = false;
        }
    }
    settled
}

/// Orders chains and breaks or holds rings. True where nothing had to be held.
fn arrange(
    decided: &mut [Decided],
    space: &(SystemName, AttributeName),
    held: &BTreeMap<String, AccountId>,
    policy: &Policy,
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
    let mut done = BTreeSet::new();
    for start in 0..moves.len() {
        let mut path = vec![start];
        while let Some(next) = waits_for[path[path.len() - 1]] {
            if let Some(from) = path.iter().position(|at| *at == next) {
                let ring = path[from..].to_vec();
                if ring.iter().all(|at| done.insert(*at)) {
                    let first = ring.iter().copied().min_by_key(|at| moves[*at].person_order).unwrap_or(next);
                    ring_of.insert(first, ring);
                }
                break;
            }
            path.push(next);
        }
    }
    for (first, ring) in &ring_of {
        if policy.temporary.contains_key(&(space.1.clone(), space.0.clone())) {
            let name = temporary(&moves[*first], held, &moves);
            order.parked.insert(moves[*first].at, Value::text(&name));
        } else {
            let names: Vec<String> = ring.iter().map(|at| decided[moves[*at].at].planned.person.to_string()).collect();
            for at in ring {
                let planned = &mut decided[moves[*at].at].planned;
                planned.decision = Decision::Hold;
                planned.side_effect = None;
                planned.reason = format!(
                    "{} exchange `{}` at {} in a ring; allow a name held for a moment with temporary(\"{}\", \"{}\"), or do it in two steps",
                    names.join(", "),
                    space.1,
                    space.0,
                    space.1,
                    space.0
                );
            }
            settled = false;
        }
    }
    for (at, one) in moves.iter().enumerate() {
        if let Some(other) = waits_for[at] {
            order.before.insert((moves[other].at, one.at));
        }
    }
    settled
}

/// A name that nobody has and nobody wants, valid wherever the old one was.
fn temporary(one: &Move, held: &BTreeMap<String, AccountId>, moves: &[Move]) -> String {
    let base: String = one.from.as_deref().unwrap_or("moving").chars().take(40).collect();
    let is_free = |name: &String| !held.contains_key(name) && moves.iter().all(|other| other.to != *name);
    let mut names = (1_u32..).map(|number| match base.split_once('@') {
        Some((local, domain)) => format!("{local}-moving{number}@{domain}"),
        None => format!("{base}-moving{number}"),
    });
    names.find(is_free).unwrap_or(base)
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
            one.planned.decision = *decision;
            one.planned.side_effect = None;
            one.planned.refusal = (*decision == Decision::Refuse).then_some(RefusalKind::Taken);
            one.planned.reason = format!("no account is made without its `{attribute}`");
        }
    }
}
