//! Words of earlier runs that lead to an account which a record of now is found by, and which is nobody's yet.
//!
//! Two rows of one list that lead to one account are held until somebody says whose it is. A list that names only some of the
//! people, or a website that tells of one, settles nothing by being silent of the other: what was said of her still counts.
//! Nor does a list that gives one person another address and hers to a newcomer: an account that came meanwhile may be hers.
//! Who of them is right is not known here; nor what was not observed, so that somebody whose own account was not looked at
//! may be taken for a rival, and a word settles it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        doubts::command,
        fold,
        handed_on::wanted,
        index::{Index, Known, Name, Place},
    },
    Sight,
};
use crate::model::{attribute::AttributeName, id::SystemName, record::Statement};

/// What leads to accounts beside what is said now: of each source two people at most, one of whom is another than whoever is
/// asked about.
#[derive(Default)]
pub(super) struct Rivals<'a> {
    of: BTreeMap<(Place, &'a SystemName), Vec<(Name<'a>, Name<'a>)>>,
    /// What is found by the words that somebody had until now, who is spoken of otherwise now.
    once: BTreeMap<Name<'a>, Vec<Place>>,
}

impl<'a> Rivals<'a> {
    /// Looks for those of the accounts that people would have, which `accounts` hands on where there is anybody to look for. A
    /// tie that another source made does not tell two records of this one apart.
    pub(super) fn new(sight: &Sight<'_, 'a>, accounts: impl FnOnce(&mut dyn FnMut(Place))) -> Self {
        let Sight { material, policy, providers, index, known, .. } = *sight;
        let speaking: BTreeSet<&SystemName> = material.statements.iter().map(|said| &said.system).collect();
        let is_there = |said: &&'a Arc<Statement>| {
            speaking.contains(&said.system)
                && !material.whole.contains(&said.system)
                && !said.of_nobody
                && !said.values.is(AttributeName::active(), false)
        };
        // Whoever had an address until now may have the account that holds it, and not yet be tied to it.
        let silent = material.said_last().filter(is_there).map(|said| (said, false));
        let mut others = silent.chain(material.former.iter().map(|said| (said, true))).peekable();
        let mut rivals = Self::default();
        if others.peek().is_none() {
            return rivals;
        }
        // By no key of hers does this source know whoever has it.
        let is_free = |place: Place, source: &SystemName| {
            known
                .of(place)
                .is_none_or(|holder| holder.system != source && !known.ties(holder).any(|link| link.system == source))
        };
        let mut free: BTreeSet<Place> = BTreeSet::new();
        accounts(&mut |place| {
            if speaking.iter().any(|source| is_free(place, source)) {
                free.insert(place);
            }
        });
        // Few lead to any of them, and looking for all that somebody has takes longer.
        let joined = |system: &SystemName| policy.joins.get(system).into_iter().flat_map(|line| &line.attributes);
        let mut held: BTreeMap<(&SystemName, &AttributeName), BTreeSet<String>> = BTreeMap::new();
        for place in &free {
            let (system, account) = (index.name(*place), index.account(*place));
            for attribute in joined(system) {
                if let Some(text) = account.text(attribute) {
                    held.entry((system, attribute)).or_default().insert(fold(text).into_owned());
                }
            }
        }
        for (said, speaks) in others {
            let may_lead = held.iter().any(|((system, attribute), texts)| {
                wanted(said, system, attribute, providers).is_some_and(|text| texts.contains(&text))
            });
            if !may_lead {
                continue;
            }
            let (own, held_by) = (Name::own(said), known.of_id(index, &said.system, &said.key));
            let person = held_by.unwrap_or(own);
            let found = sight.look(said, sight.tied(said, held_by)).accounts;
            for place in found.iter().filter(|place| free.contains(place) && is_free(**place, &said.system)) {
                if speaks {
                    rivals.once.entry(person).or_default().push(*place);
                }
                let there = rivals.of.entry((*place, &said.system)).or_default();
                if there.len() < 2 && there.iter().all(|(other, _)| *other != person) {
                    there.push((person, own));
                }
            }
        }
        rivals
    }

    /// Why somebody is held: another record of the source that speaks of her now leads to an account that she would have.
    pub(super) fn stand_against(
        &self,
        person: Name<'_>,
        said: &[&'a Arc<Statement>],
        accounts: &[Place],
        (index, known): (&Index<'_>, &Known<'_>),
    ) -> Option<String> {
        if self.of.is_empty() {
            return None;
        }
        // A second account would be made for her while somebody else is given the first.
        let has_one = |place: &Place| accounts.iter().any(|hers| hers.system() == place.system());
        if let Some(place) = self.once.get(&person).into_iter().flatten().find(|place| !has_one(place)) {
            let (system, id) = (index.name(*place), index.id(*place));
            let word = command("link", &person, system, id);
            return Some(format!(
                "{system} account {id} has what {person} was known by until now, and is found by another record: say whose it \
                 is, as in {word}"
            ));
        }
        // Records of two sources that lead to one account are taken for those of one person.
        let of_source = |place: Place, here: &'a Arc<Statement>| {
            let rivals = self.of.get(&(place, &here.system))?;
            let (_, rival) = rivals.iter().find(|(other, _)| *other != person)?;
            Some((place, here, *rival))
        };
        let (place, here, rival) =
            accounts.iter().find_map(|place| said.iter().find_map(|here| of_source(*place, here)))?;
        let (system, id) = (index.name(place), index.id(place));
        // Of somebody whom another source knows it is to be said which of the records is hers.
        let word = match known.of(place).or((person != Name::own(here)).then_some(person)) {
            Some(holder) if holder != Name::own(here) => command("link", &holder, &here.system, &here.key),
            _ => command("link", &person, system, id),
        };
        Some(format!(
            "{} and {rival}, of whom an earlier run was told, both lead to {system} account {id}: correct one, or say whose it \
             is, as in {word}",
            here.origin,
        ))
    }
}
