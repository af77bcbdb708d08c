//! Creations of earlier runs of which nobody knows whether they have made an account: whom they stand in the way of.
//!
//! Where such an account is looked for, and how, is not known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::super::{
    Providers, fold, folded,
    index::{Index, Known, Name, Place},
};
use crate::model::{
    attribute::{AttributeName, Value},
    capability::Replay,
    plan::OpenCreation,
    record::Statement,
};

/// What there is to look at.
pub(super) struct Undone<'s, 'a> {
    index: &'s Index<'a>,
    known: &'s Known<'a>,
    providers: &'s dyn Providers,
    /// For whom they were.
    of: BTreeMap<Name<'s>, Vec<&'s OpenCreation>>,
    /// By the number of the system, and by the names that they were sent with, as they are stored there.
    named: BTreeMap<usize, BTreeMap<(&'s AttributeName, String), &'s OpenCreation>>,
}

impl<'s, 'a> Undone<'s, 'a> {
    pub(super) fn new(
        open: &'s [OpenCreation],
        index: &'s Index<'a>,
        known: &'s Known<'a>,
        providers: &'s dyn Providers,
    ) -> Self {
        let mut undone = Self { index, known, providers, of: BTreeMap::new(), named: BTreeMap::new() };
        for one in open {
            undone.of.entry(Name::from(&one.person)).or_default().push(one);
            let Ok(system) = index.systems.binary_search(&&one.system) else { continue };
            for (attribute, value) in &one.names {
                if let Some(text) = undone.stored(one, attribute, value) {
                    undone.named.entry(system).or_default().insert((attribute, text), one);
                }
            }
        }
        undone
    }

    /// Why somebody is held: she may have that account already, under the names that she had then, or an account that she
    /// seems to have is what was made for somebody else.
    pub(super) fn stands_against(
        &self,
        person: Name<'_>,
        said: &[&Arc<Statement>],
        accounts: &[Place],
    ) -> Option<String> {
        if self.of.is_empty() {
            return None;
        }
        let names: BTreeSet<Name<'_>> = said.iter().map(|statement| Name::own(statement)).chain([person]).collect();
        let mut hers = names.iter().filter_map(|name| self.of.get(name)).flatten();
        let reason = hers.find_map(|open| self.may_be_hers(open, said, accounts));
        reason.or_else(|| accounts.iter().find_map(|place| self.may_be_anothers(*place, &names)))
    }

    fn may_be_hers(&self, open: &OpenCreation, said: &[&Arc<Statement>], accounts: &[Place]) -> Option<String> {
        if accounts.iter().any(|place| self.index.name(*place) == &open.system) {
            return None;
        }
        // By the names that it was sent with she would be found, and where that is allowed it may be sent again.
        let is_as_sent = |(attribute, value): (&AttributeName, &Value)| {
            let now = said.iter().find_map(|statement| statement.values.get(attribute));
            now.is_some_and(|now| self.stored(open, attribute, &now) == self.stored(open, attribute, value))
        };
        let table = self.providers.capabilities(&open.system);
        let may_repeat = table.is_none_or(|table| table.create_replay != Replay::AskOperator);
        if may_repeat && open.names.iter().all(is_as_sent) {
            return None;
        }
        let OpenCreation { run, call, system, .. } = open;
        Some(format!(
            "run {run} may have made her account at {system}, perhaps under other names: `homeward resume {run}` looks for \
             it; where it was not made, say `homeward resume {run} --again {call}`"
        ))
    }

    fn may_be_anothers(&self, place: Place, whose_names: &BTreeSet<Name<'_>>) -> Option<String> {
        let sent_with = self.named.get(&place.system()).filter(|_| self.known.of(place).is_none())?;
        let account = self.index.account(place);
        let attributes: BTreeSet<&AttributeName> = sent_with.keys().map(|(attribute, _)| *attribute).collect();
        let held = |attribute| Some((attribute, fold(account.text(attribute)?).into_owned()));
        let mut candidates = attributes.into_iter().filter_map(held).filter_map(|key| sent_with.get(&key));
        let open = candidates.find(|open| !whose_names.contains(&Name::from(&open.person)))?;
        let (run, whose, at, id) = (open.run, &open.person, self.index.name(place), self.index.id(place));
        Some(format!("{at}:{id} may be what run {run} made for {whose}: `homeward resume {run}` looks whether it is"))
    }

    /// A name as the system stores it, whatever its case.
    fn stored(&self, open: &OpenCreation, attribute: &AttributeName, value: &Value) -> Option<String> {
        folded(&self.providers.normalize(&open.system, attribute, value))
    }
}
