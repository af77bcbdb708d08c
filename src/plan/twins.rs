//! Records of several sources that may be one person: no two accounts are made for her.
//!
//! Records are put together by the accounts they lead to. Where there is none yet, each of two records that speak of one
//! person leads to nothing, and each would be given an account; the list that comes after would find two. So of those whose
//! accounts a `join` line could not tell apart, only the first is given one; with the next list the other record finds it.
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

/// An account that is to be made: whose, and where.
pub(crate) type Wanted = (PersonId, SystemName);

/// A creation that has to wait.
pub(crate) struct Twin {
    /// The change that is held, by its position.
    at: usize,
    /// The account that is made first.
    pub(crate) first: Wanted,
    reason: String,
}

/// The creations for whoever may be somebody else for whom one is made too. Those that are `barred` are made for nobody.
pub(crate) fn twins(
    decided: &[Decided],
    policy: &Policy,
    providers: &dyn Providers,
    known: Known<'_>,
    barred: &BTreeSet<Wanted>,
) -> Vec<Twin> {
    let is_creation = |one: &Decided| one.account.id.is_none() && one.planned.decision == Decision::Apply;
    let creations = || decided.iter().enumerate().filter(|(_, one)| is_creation(one));
    let mut sources = creations().map(|(_, one)| &one.planned.person.system);
    let Some(first) = sources.next() else { return Vec::new() };
    if sources.all(|other| other == first) {
        return Vec::new();
    }
    let kinship = Kinship::of(known, creations().map(|(_, one)| &one.planned.person));
    let rank = |source: &SystemName| known.sources.iter().position(|it| it == source).unwrap_or(usize::MAX);
    // All that one account would begin with, those first who may name a person first.
    let mut accounts: BTreeMap<(usize, &PersonId, &SystemName), Vec<usize>> = BTreeMap::new();
    for (at, one) in creations() {
        let planned = &one.planned;
        accounts.entry((rank(&planned.person.system), &planned.person, &planned.system)).or_default().push(at);
    }
    let mut taken: BTreeMap<(&SystemName, &AttributeName, String), Vec<&PersonId>> = BTreeMap::new();
    let mut twins: Vec<Twin> = Vec::new();
    for ((_, person, system), changes) in &accounts {
        let Some(line) = policy.joins.get(*system) else { continue };
        let found_by = |at: &&usize| line.attributes.contains(&decided[**at].planned.attribute);
        let names = changes.iter().filter(found_by).filter_map(|at| {
            let planned = &decided[*at].planned;
            let value = folded(&providers.normalize(system, &planned.attribute, &planned.after))?;
            Some((*at, (*system, &planned.attribute, value)))
        });
        let names: Vec<_> = names.collect();
        let other = names.iter().find_map(|(at, name)| {
            let other = taken.get(name)?.iter().find(|other| !kinship.are_two(person, other))?;
            Some((*at, *other))
        });
        if let Some((at, other)) = other {
            let attribute = &decided[at].planned.attribute;
            let word = command("unlink", &Name::from(other), &person.system, &person.key);
            let reason = format!(
                "{other}, for whom an account is made at {system}, says the same `{attribute}`: with the next list this is \
                 found to be hers; where they are two people, say so: {word}"
            );
            twins.push(Twin { at, first: (other.clone(), (*system).clone()), reason });
        } else if !barred.contains(&((*person).clone(), (*system).clone())) {
            for (_, name) in names {
                taken.entry(name).or_default().push(person);
            }
        }
    }
    twins
}

/// Holds them.
pub(crate) fn hold_twins(decided: &mut [Decided], twins: &[Twin]) {
    for twin in twins {
        decided[twin.at].planned.stop(Decision::Hold, None, twin.reason.clone());
    }
}
