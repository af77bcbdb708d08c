//! Whether what an account was found by has been handed on to somebody else.
//!
//! An account holds an address until it is written to, and from the moment the attribute's owner says that address of another
//! person, a record that has it may be about her, and not about whoever has the account as yet. Whose record it is is not
//! decided here, only that it is not known from this account. What an owner said last counts, though it could not be carried
//! out yet: the account is then still the holder's, and the record may be the other's all the same.

use std::{
    cell::{OnceCell, RefCell},
    cmp::Reverse,
    collections::BTreeMap,
    rc::Rc,
};

use super::{
    Providers,
    correlate::{Apart, Material, Sight},
    doubts::command,
    fold,
    index::{Index, Known, Name, Place},
};
use crate::model::{
    attribute::AttributeName,
    finder::{Finder, digest},
    id::SystemName,
    links::Link,
    policy::Policy,
    record::Statement,
};

/// What is said of everybody, now or in earlier runs, to ask who has what.
pub(super) struct HandedOn<'s, 'a> {
    policy: &'s Policy,
    providers: &'s dyn Providers,
    index: &'s Index<'a>,
    known: &'s Known<'a>,
    apart: &'s Apart<'a>,
    material: &'s Material<'a>,
    /// All of it but for those who had left in an earlier run, in order of name, once somebody asks.
    spoken: OnceCell<Vec<&'s Statement>>,
    /// For a system and an attribute of its `join` line, who is said to have which text by a source that may own it.
    saying: RefCell<BTreeMap<(usize, &'s AttributeName), Rc<Finder>>>,
}

/// What a statement says of an attribute, as a system compares it.
pub(super) fn wanted(
    statement: &Statement,
    system: &SystemName,
    attribute: &AttributeName,
    providers: &dyn Providers,
) -> Option<String> {
    let value = providers.normalize(system, attribute, &statement.values.get(attribute)?);
    Some(fold(value.as_text()?).into_owned())
}

/// What was said now counts for more than what was said in an earlier run, and whoever is there for more than who has left.
fn weight(said: &Statement) -> (bool, bool) {
    (said.fresh, !said.values.is(AttributeName::active(), false))
}

impl<'s, 'a> HandedOn<'s, 'a> {
    pub(super) fn new(sight: &Sight<'s, 'a>) -> Self {
        let Sight { material, policy, providers, index, known, apart } = *sight;
        let (spoken, saying) = (OnceCell::new(), RefCell::default());
        Self { policy, providers, index, known, apart, material, spoken, saying }
    }

    /// Why an account that `holder` has says nothing of a record that was found to lead to it: all that they have in common
    /// is said of somebody else. The reason ends with the word that settles it.
    pub(super) fn told(&self, record: &Statement, place: Place, holder: Name<'_>) -> Option<String> {
        let (system, account) = (self.index.name(place), self.index.account(place));
        let line = self.policy.joins.get(system)?;
        let mut told = None;
        for attribute in &line.attributes {
            let Some(text) = wanted(record, system, attribute, self.providers) else { continue };
            if account.text(attribute).is_none_or(|held| *fold(held) != *text) {
                continue;
            }
            // Who owns it knows best whose it is.
            if self.may_own(&record.system, attribute) {
                return None;
            }
            let said_of_her = self.of_holder(place, attribute, &text, holder);
            let heir = self.heir(record, place, attribute, &text, holder)?;
            if said_of_her.is_some_and(|said| weight(said) > weight(heir)) {
                return None;
            }
            let (id, source, heir) = (self.index.id(place), &heir.system, self.person(heir));
            let say = |whose: &Name<'_>| command("link", whose, &record.system, &record.key);
            told = Some(if said_of_her.is_some() {
                let (one, other) = (say(&holder), say(&heir));
                format!(
                    "{system}:{id} has this `{attribute}` and is {holder}'s, and it is said of {heir} too: say whose this \
                     record is, by {one} or {other}"
                )
            } else {
                format!(
                    "{system}:{id} has this `{attribute}` and is {holder}'s, while {source} says it of {heir}: carry that out \
                     first, or say whose this record is, as in {}",
                    say(&heir)
                )
            });
        }
        told
    }

    /// What says this text of the holder of an account, and counts for most.
    fn of_holder(
        &self,
        place: Place,
        attribute: &'s AttributeName,
        text: &str,
        holder: Name<'_>,
    ) -> Option<&'s Statement> {
        let says = |said: &&Statement| {
            let system = self.index.name(place);
            self.person(said) == holder && wanted(said, system, attribute, self.providers).as_deref() == Some(text)
        };
        let saying = self.saying(place.system(), attribute);
        let said = saying.of(digest(text)).filter_map(|at| self.spoken().get(at).copied());
        said.filter(says).max_by_key(|said| weight(said))
    }

    /// What says this text of another person than the holder of an account, and counts for most.
    fn heir(
        &self,
        record: &Statement,
        place: Place,
        attribute: &'s AttributeName,
        text: &str,
        holder: Name<'_>,
    ) -> Option<&'s Statement> {
        let system = self.index.name(place);
        let saying = self.saying(place.system(), attribute);
        let spoken = self.spoken();
        let said = saying.of(digest(text)).filter_map(|at| spoken.get(at).copied());
        let others = said.filter(|said| self.is_of_another(said, holder) && self.may_be(record, said));
        let says = |said: &&Statement| wanted(said, system, attribute, self.providers).as_deref() == Some(text);
        // The order of rows is nothing to go by; they are in order of name here.
        others.filter(says).min_by_key(|said| Reverse(weight(said)))
    }

    /// False where a record is known not to be about whom something is said of: two records of one source are two people, and
    /// a word may say so.
    fn may_be(&self, record: &Statement, said: &Statement) -> bool {
        let (own, person) = (Name::own(record), self.person(said));
        let is_other = |link: Link<'_>| *link.system == record.system && *link.account != *record.key;
        said.system != record.system
            && *person.system != record.system
            && !self.known.ties(person).any(is_other)
            && !self.apart.parts(own, person)
    }

    /// Whom something is said of, as far as ties tell.
    fn person<'n>(&self, said: &'n Statement) -> Name<'n>
    where
        'a: 'n,
    {
        self.known.of_id(self.index, &said.system, &said.key).unwrap_or(Name::own(said))
    }

    /// True where what is said is not about this person: it is known to be about somebody else, or its source knows her under
    /// another key.
    fn is_of_another(&self, said: &Statement, person: Name<'_>) -> bool {
        if let Some(known) = self.known.of_id(self.index, &said.system, &said.key) {
            return known != person;
        }
        let knows_her = || self.known.ties(person).any(|link| *link.system == said.system);
        let own = Name::own(said);
        own != person && (said.system == *person.system || knows_her() || self.known.ties(own).next().is_some())
    }

    /// True where a line of the rules may give an attribute to this source.
    fn may_own(&self, source: &SystemName, attribute: &AttributeName) -> bool {
        self.policy.owners.iter().any(|line| line.system == *source && line.attributes.contains(attribute))
    }

    fn spoken(&self) -> &[&'s Statement] {
        self.spoken.get_or_init(|| {
            let said = self.material.statements.iter().chain(self.material.said_last());
            let mut all: Vec<&Statement> = said.map(|said| &**said).collect();
            all.retain(|said| !said.of_nobody && weight(said) > (false, false));
            all.sort_by_key(|said| Name::own(said));
            all
        })
    }

    fn saying(&self, system: usize, attribute: &'s AttributeName) -> Rc<Finder> {
        let mut saying = self.saying.borrow_mut();
        let made = saying.entry((system, attribute)).or_insert_with(|| {
            let spoken = self.spoken();
            let owned = spoken.iter().enumerate().filter(|(_, said)| self.may_own(&said.system, attribute));
            let texts = owned.filter_map(|(at, said)| {
                Some((digest(&*wanted(said, self.index.systems[system], attribute, self.providers)?), at))
            });
            Rc::new(Finder::new(spoken.len(), texts))
        });
        Rc::clone(made)
    }
}
