//! Records of several sources that may be one person: no two accounts are made for her.
//!
//! Records are put together by the accounts they lead to. Where there is none yet, each of two records that speak of one
//! person leads to nothing, and each would be given an account; the list that comes after would find two. So of those whose
//! accounts a `join` line could not tell apart, only the first is given any; with the next list the other record finds them.
//! Two keys of one source are two people. Who they are is not known here, only what they say and what was said of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Providers, decide::Decided, doubts::command, folded, index::Name};
use crate::model::{
    attribute::AttributeName,
    id::{PersonId, SystemName},
    links::Links,
    plan::Decision,
    policy::Policy,
};

/// What is known of who is who, beside records.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Sources in the order in which they may give a person her name.
    pub(crate) sources: &'a [SystemName],
    /// Ties from earlier runs.
    pub(crate) links: &'a Links,
    /// What somebody said not to be whose.
    pub(crate) not_hers: &'a Links,
}

/// Who cannot be one person.
pub(crate) struct Kinship<'a> {
    /// The keys that sources know somebody by beside her own.
    keys: BTreeMap<(&'a PersonId, &'a SystemName), Vec<&'a str>>,
    /// Records that are not hers, by somebody's word.
    apart: BTreeSet<(&'a PersonId, &'a SystemName, &'a str)>,
}

impl<'a> Kinship<'a> {
    /// What is known of these people and of everybody who is tied to anything.
    pub(crate) fn of(known: Known<'a>, people: impl IntoIterator<Item = &'a PersonId>) -> Self {
        let Known { links, not_hers, .. } = known;
        let people = people.into_iter().map(|person| &person.system);
        let sources: BTreeSet<&SystemName> = people.chain(links.iter().map(|link| &link.person.system)).collect();
        let mut keys: BTreeMap<(&PersonId, &SystemName), Vec<&str>> = BTreeMap::new();
        for link in links.iter().filter(|link| sources.contains(link.system)) {
            keys.entry((link.person, link.system)).or_default().push(link.account);
        }
        Self { keys, apart: not_hers.iter().map(|link| (link.person, link.system, link.account)).collect() }
    }

    /// True for two people: one source has a key for each of them, or somebody said that they are two.
    pub(crate) fn are_two(&self, one: &PersonId, other: &PersonId) -> bool {
        let differ = |one: &PersonId, other: &PersonId| {
            let keys = self.keys.get(&(one, &other.system)).into_iter().flatten();
            keys.copied().any(|key| *key != *other.key) || self.apart.contains(&(one, &other.system, &*other.key))
        };
        one.system == other.system || differ(one, other) || differ(other, one)
    }
}

/// Somebody for whom no account is made yet.
pub(crate) struct Twin {
    /// The changes that would make her accounts, by their position.
    creations: Vec<usize>,
    /// Who comes first.
    pub(crate) first: PersonId,
    reason: String,
}

/// True for a change that makes an account.
pub(crate) fn is_creation(one: &Decided) -> bool {
    one.account.id.is_none() && one.planned.decision == Decision::Apply
}

/// Those for whom accounts would be made and who may be somebody else for whom some are made too.
pub(crate) fn twins(decided: &[Decided], policy: &Policy, providers: &dyn Providers, known: Known<'_>) -> Vec<Twin> {
    let creations = || decided.iter().enumerate().filter(|(_, one)| is_creation(one));
    let mut sources = creations().map(|(_, one)| &one.planned.person.system);
    let Some(first) = sources.next() else { return Vec::new() };
    if sources.all(|other| other == first) {
        return Vec::new();
    }
    let kinship = Kinship::of(known, creations().map(|(_, one)| &one.planned.person));
    // Whose word counts first is to be heard first: what an account begins with may stay for good.
    let rank = |source: &SystemName| {
        let owns = policy.owners.iter().position(|line| line.system == *source).unwrap_or(usize::MAX);
        (owns, known.sources.iter().position(|it| it == source).unwrap_or(usize::MAX))
    };
    let mut people: BTreeMap<((usize, usize), &PersonId), Vec<usize>> = BTreeMap::new();
    for (at, one) in creations() {
        let person = &one.planned.person;
        people.entry((rank(&person.system), person)).or_default().push(at);
    }
    let mut taken: BTreeMap<(&SystemName, &AttributeName, String), Vec<&PersonId>> = BTreeMap::new();
    let mut twins: Vec<Twin> = Vec::new();
    for ((_, person), creations) in people {
        let names: Vec<(&SystemName, &AttributeName, String)> = creations
            .iter()
            .map(|at| &decided[*at].planned)
            .filter(|it| policy.joins.get(&it.system).is_some_and(|line| line.attributes.contains(&it.attribute)))
            .filter_map(|it| {
                let value = folded(&providers.normalize(&it.system, &it.attribute, &it.after))?;
                Some((&it.system, &it.attribute, value))
            })
            .collect();
        let other = names.iter().find_map(|name| {
            let other = taken.get(name)?.iter().find(|other| !kinship.are_two(person, other))?;
            Some((name.0, name.1, *other))
        });
        if let Some((system, attribute, other)) = other {
            let word = command("unlink", &Name::from(other), &person.system, &person.key);
            let reason = format!(
                "{other}, for whom an account is made at {system}, says the same `{attribute}`: with the next list this is \
                 found to be hers; where they are two people, say so: {word}"
            );
            twins.push(Twin { creations, first: other.clone(), reason });
        } else {
            for name in names {
                taken.entry(name).or_default().push(person);
            }
        }
    }
    twins
}

/// Holds them.
pub(crate) fn hold_twins(decided: &mut [Decided], twins: &[Twin]) {
    for twin in twins {
        for at in &twin.creations {
            decided[*at].planned.stop(Decision::Hold, None, twin.reason.clone());
        }
    }
}
