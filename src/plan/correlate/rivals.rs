//! Records of earlier runs that lead to an account which a record of now is found by, and which is nobody's yet.
//!
//! Two rows of one list that lead to one account are held until somebody says whose it is. A list that names only some of the
//! people, or a website that tells of one, settles nothing by being silent of the other: what was said of her still counts.
//! Who of them is right is not known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        doubts::command,
        handed_on::wanted,
        index::{Index, Known, Name, Place},
    },
    Sight,
};
use crate::model::{attribute::AttributeName, id::SystemName, record::Statement};

/// What leads to accounts beside the records of now.
#[derive(Default)]
pub(super) struct Rivals<'a> {
    of: BTreeMap<Place, Vec<&'a Arc<Statement>>>,
}

impl<'a> Rivals<'a> {
    /// Looks for those of the accounts that nobody is tied to, which `free` tells of where there is anybody to look for.
    pub(super) fn new(sight: &Sight<'_, 'a>, free: impl FnOnce() -> BTreeSet<Place>) -> Self {
        let Sight { material, policy, providers, index, known, apart } = *sight;
        let speaking: BTreeSet<&SystemName> = material.statements.iter().map(|said| &said.system).collect();
        let is_there = |said: &&Arc<Statement>| {
            speaking.contains(&said.system) && !said.of_nobody && !said.values.is(AttributeName::active(), false)
        };
        let mut others = material.remembered.iter().filter(is_there).peekable();
        let mut rivals = Self::default();
        if others.peek().is_none() {
            return rivals;
        }
        let free = free();
        if free.is_empty() {
            return rivals;
        }
        for said in others {
            let own = Name::own(said);
            let person = known.of_id(index, &said.system, &said.key).unwrap_or(own);
            for (system, line) in policy.joins.iter().filter(|(system, _)| !material.own.contains_key(*system)) {
                if known.ties(person).any(|link| link.system == system) {
                    continue;
                }
                let found = line.attributes.iter().find_map(|attribute| {
                    let mut found = index.holding(system, attribute, &wanted(said, system, attribute, providers)?);
                    found.retain(|place| ![own, person].iter().any(|name| apart.from(*name).contains(place)));
                    (!found.is_empty()).then_some(found)
                });
                if let Some([place]) = found.as_deref()
                    && free.contains(place)
                {
                    rivals.of.entry(*place).or_default().push(said);
                }
            }
        }
        rivals
    }

    /// Why somebody is held: another record of the source that speaks of her now leads to an account that she would have.
    pub(super) fn stand_against(
        &self,
        person: Name<'_>,
        said: &[&Arc<Statement>],
        accounts: &[Place],
        (index, known): (&Index<'_>, &Known<'_>),
    ) -> Option<String> {
        if self.of.is_empty() {
            return None;
        }
        accounts.iter().find_map(|place| {
            let rivals = self.of.get(place)?;
            let is_another = |rival: &Statement| {
                known.of_id(index, &rival.system, &rival.key).unwrap_or(Name::own(rival)) != person
            };
            // Records of two sources that lead to one account are taken for those of one person.
            let of_source = |rival: &Statement| said.iter().find(|it| it.system == rival.system && it.key != rival.key);
            let (here, rival) = rivals
                .iter()
                .filter(|rival| is_another(rival))
                .find_map(|rival| Some((of_source(rival)?, Name::own(rival))))?;
            let (system, id) = (index.name(*place), index.id(*place));
            Some(format!(
                "{} and {rival}, of whom an earlier run was told, both lead to {system} account {id}: correct one, or say \
                 whose it is, as in {}",
                here.origin,
                command("link", &person, system, id)
            ))
        })
    }
}
