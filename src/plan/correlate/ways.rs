//! The ways by which a statement finds accounts: a token of her own, what accounts hold, and how they sign in.
//!
//! Whether what is found is hers, where somebody else was found by it too, is not known here.

use std::collections::BTreeSet;

use super::{
    super::{
        doubts::{Doubt, command},
        few_of, fold, folded,
        handed_on::wanted,
        index::{Index, Name, Place},
    },
    Draft, Opened, Sight,
};
use crate::model::{attribute::AttributeName, id::SystemName, links::Link, record::Statement};

/// Takes the account that her own token opens. A tie to another one, or a record that would have found another one, means
/// that the token may be somebody else's: then nothing is taken at that system.
pub(super) fn by_own_tokens(
    found: &mut Draft,
    statement: &Statement,
    ties: &[Link<'_>],
    sight: &Sight<'_, '_>,
    is_apart: &dyn Fn(Place) -> bool,
) {
    let Sight { material, policy, providers, index, .. } = *sight;
    let own = Name::own(statement).person();
    for (system, people) in material.own {
        let id = match people.get(&own) {
            Some(Opened::Account(id)) => id,
            Some(Opened::Nothing(why)) => {
                found.unseen.insert(system.clone(), why.clone());
                continue;
            }
            None => continue,
        };
        let Some(place) = index.place(system, id.as_str()) else { continue };
        if is_apart(place) {
            let reason =
                format!("the token kept for her at {system} opens account {id}, which somebody said is not hers");
            found.not_hers(system, place.system(), reason);
            continue;
        }
        let account = index.account(place);
        let mut hers = ties.iter().filter(|link| link.system == system).map(|link| link.account).peekable();
        let is_tied = hers.peek().is_some();
        if let Some(other) = hers.find(|other| *other != id.as_str()) {
            let reason = format!(
                "the token kept for her at {system} opens account {id}, and she is tied to account {other}: is it another \
                 person's token?"
            );
            found.not_hers(system, place.system(), reason);
            continue;
        }
        // The first time there is no tie yet: what people are found by elsewhere has to agree in something.
        let line = policy.joins.get(system).filter(|_| !is_tied);
        let said: Vec<(&AttributeName, bool)> = line
            .iter()
            .flat_map(|line| &line.attributes)
            .filter_map(|attribute| {
                let wanted = folded(&providers.normalize(system, attribute, &statement.values.get(attribute)?))?;
                Some((attribute, account.text(attribute).map(str::to_lowercase) == Some(wanted)))
            })
            .collect();
        if !said.is_empty() && said.iter().all(|(_, agrees)| !agrees) {
            let names: Vec<String> = said.iter().map(|(attribute, _)| format!("`{attribute}`")).collect();
            let reason = format!(
                "the token kept for her at {system} opens account {id}, which differs from this record in {}: is it another \
                 person's token?",
                names.join(" and ")
            );
            found.not_hers(system, place.system(), reason);
            continue;
        }
        found.put(place);
    }
}

/// Takes the account at each system that holds what the statement says of an attribute of its `join` line, the best one
/// first; holds where there are several.
pub(super) fn by_joins(
    found: &mut Draft,
    (statement, whose): (&Statement, &Name<'_>),
    Sight { material, policy, providers, index, .. }: &Sight<'_, '_>,
    shut: &dyn Fn(&SystemName) -> bool,
    anothers: &dyn Fn(Place) -> bool,
) {
    for (system, line) in &policy.joins {
        let is_there = index.systems.binary_search(&system).is_ok_and(|system| found.at(system).is_ok());
        // What another person's token opened is not found by a name.
        if is_there || shut(system) {
            continue;
        }
        let wanted = |attribute| wanted(statement, system, attribute, *providers);
        for (at, attribute) in line.attributes.iter().enumerate() {
            let Some(text) = wanted(attribute) else { continue };
            let mut hits = index.holding(system, attribute, &text);
            hits.retain(|place| !anothers(*place));
            match hits.as_slice() {
                [] => {}
                [one] => {
                    found.put(*one);
                    let account = index.account(*one);
                    for (against, attribute) in line.attributes.iter().enumerate().filter(|(other, _)| *other != at) {
                        let (Some(text), held) = (wanted(attribute), account.text(attribute)) else { continue };
                        if held.is_some_and(|held| *fold(held) == *text) {
                            continue;
                        }
                        let doubt = |other| Doubt { found: *one, by: at, against, other };
                        if against < at {
                            found.doubts.extend(held.map(|_| doubt(None)));
                            continue;
                        }
                        let mut others = index.holding(system, attribute, &text);
                        others.retain(|place| place != one && !anothers(*place));
                        found.doubts.extend(others.into_iter().map(|other| doubt(Some(other))));
                    }
                    break;
                }
                several => {
                    let ids = few_of(several, ", ", |place| index.id(*place));
                    // Of a source no account is linked that is hers by her own record, and each that is not hers can be said.
                    let (which, word) =
                        if material.sources.contains(system) { ("is not hers", "unlink") } else { ("is hers", "link") };
                    found.hold(format!(
                        "{system} has {} accounts with this {attribute}: {ids}; say which {which}, as in {}",
                        several.len(),
                        command(word, whose, system, index.id(several[0]))
                    ));
                    break;
                }
            }
        }
    }
}

/// Adds the accounts that an account signs in with, and those that sign in with it, until nothing new turns up; holds where one
/// of them is another's.
pub(super) fn by_identities<'n>(
    found: &mut Draft,
    (statement, own): (&Statement, &Name<'_>),
    index: &Index<'_>,
    is_apart: &dyn Fn(Place) -> bool,
    anothers: &dyn Fn(Place) -> Option<Name<'n>>,
    is_hers: &dyn Fn(Place) -> bool,
) {
    let mut waiting = found.accounts.clone();
    let mut looked_at = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if !looked_at.insert(place) {
            continue;
        }
        let with = index.account(place).identities().filter_map(|identity| index.of_identity(identity));
        let neighbours: Vec<Place> = with.chain(index.signing_in_with(place)).collect();
        for neighbour in neighbours.into_iter().filter(|neighbour| !is_apart(*neighbour)) {
            let Some(holder) = anothers(neighbour) else {
                found.take(neighbour, "the way she signs in", own, index);
                waiting.push(neighbour);
                continue;
            };
            // Whoever has the one has the other, so this record has neither; unless the one is known to be hers.
            let is_hers = is_hers(place);
            let strange = if is_hers { neighbour } else { place };
            let (system, id, with, other) =
                (index.name(place), index.id(place), index.name(neighbour), index.id(neighbour));
            found.hold(format!(
                "{system} account {id} signs in with {with}:{other}, which is {holder}'s: say that {} is not hers, as in {}, or \
                 that this record is {holder}'s, as in {}",
                index.name(strange),
                command("unlink", own, index.name(strange), index.id(strange)),
                command("link", &holder, &statement.system, &statement.key),
            ));
            if !is_hers {
                found.accounts.retain(|other| *other != place);
                break;
            }
        }
    }
}
