//! Records of several sources that may be one person: no two accounts are made for her.
//!
//! Records are put together by the accounts they lead to. Where there is none yet, each of two records that speak of one
//! person leads to nothing, and each would be given an account; the list that comes after would find two. So of those whose
//! accounts a `join` line could not tell apart, only the first is given one; with the next list the other record finds it.
//! Two keys of one source are two people. Who they are is not known here, only what they say.

use std::collections::BTreeMap;

use super::{Providers, decide::Decided, doubts::command, folded, index::Name};
use crate::model::{
    attribute::AttributeName,
    id::{PersonId, SystemName},
    links::Links,
    plan::Decision,
    policy::Policy,
};

/// Holds creations for whoever may be somebody else for whom one is made too. `sources` are in the order in which they may
/// give a person her name; `not_hers` is what somebody said not to be whose.
pub(crate) fn hold_twins(
    decided: &mut [Decided],
    policy: &Policy,
    providers: &dyn Providers,
    sources: &[SystemName],
    not_hers: &Links,
) {
    let is_creation = |one: &Decided| one.account.id.is_none() && one.planned.decision == Decision::Apply;
    let mut creations: Vec<usize> = (0..decided.len()).filter(|at| is_creation(&decided[*at])).collect();
    let source = |at: &usize| &decided[*at].planned.person.system;
    if creations.iter().all(|at| source(at) == source(&creations[0])) {
        return;
    }
    let rank = |source: &SystemName| sources.iter().position(|other| other == source).unwrap_or(usize::MAX);
    creations.sort_by_key(|at| (rank(source(at)), *at));
    let are_told_apart = |one: &PersonId, other: &PersonId| {
        let said = |person: &PersonId, record: &PersonId| {
            let is_it = |system: &SystemName, key: &str| *system == record.system && *key == *record.key;
            not_hers.iter().any(|link| link.person == person && is_it(link.system, link.account))
        };
        said(one, other) || said(other, one)
    };
    let mut first: BTreeMap<(&SystemName, &AttributeName, String), usize> = BTreeMap::new();
    let mut twins: Vec<(usize, String)> = Vec::new();
    for at in creations {
        let planned = &decided[at].planned;
        let (system, attribute) = (&planned.system, &planned.attribute);
        if !policy.joins.get(system).is_some_and(|line| line.attributes.contains(attribute)) {
            continue;
        }
        let Some(value) = folded(&providers.normalize(system, attribute, &planned.after)) else { continue };
        let other = *first.entry((system, attribute, value)).or_insert(at);
        let (person, other) = (&planned.person, &decided[other].planned.person);
        if person.system == other.system || are_told_apart(person, other) {
            continue;
        }
        let word = command("unlink", &Name::from(other), &person.system, &person.key);
        let reason = format!(
            "{other}, for whom an account is made at {system}, says the same `{attribute}`: with the next list this is found \
             to be hers; where they are two people, say so: {word}"
        );
        twins.push((at, reason));
    }
    for (at, reason) in twins {
        let planned = &mut decided[at].planned;
        planned.decision = Decision::Hold;
        planned.side_effect = None;
        planned.reason = reason;
    }
}
