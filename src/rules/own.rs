//! Who owns what of one person: the conditions, asked in order.
//!
//! A condition may look at a value that has an owner of its own. It then stops, that owner is found first, and the
//! condition is asked again. A condition that leads back to itself is a fault of the rules. Nothing is decided here
//! about changes; this file finds owners and wishes for accounts.

use std::{
    cell::{RefCell, RefMut},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use rhai::Dynamic;

use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
    person::{Look, Person},
    policy::{Owned, Ownership, Wish},
};

use super::{
    coverage::Hits,
    fault::{Fault, Place, RuleError},
    known::Known,
    script::Script,
    statement::read_condition,
    view::PersonView,
    vocabulary::{Declared, Function, Owner},
};

/// Which `owner` lines speak of an attribute, first to last.
pub(super) type Index = BTreeMap<AttributeName, Vec<usize>>;

/// What a condition looked at, in the order it did.
type Seen = Vec<(String, Value)>;

/// What conditions are asked with.
#[derive(Clone, Copy)]
pub(super) struct Court<'a> {
    pub(super) scripts: &'a [Script],
    pub(super) declared: &'a Declared,
    pub(super) index: &'a Index,
    pub(super) known: &'a Rc<Known>,
    /// Who counts answers, where anybody does.
    pub(super) hits: Option<&'a Hits>,
    pub(super) precedents: &'a Precedents,
}

/// What is the same for one person as for another, and so is found once.
#[derive(Debug, Default)]
pub(super) struct Precedents(RefCell<Common>);

/// What was found of some attributes: with others it may be otherwise.
#[derive(Debug, Default)]
struct Common {
    /// Shared with whoever asks: equal where they are the same, without a look.
    attributes: Arc<BTreeSet<AttributeName>>,
    /// Their owners; none where a condition decides about one of them.
    owners: Option<Arc<Owners>>,
    /// What was found for people, the last that was of use first.
    rulings: Vec<Ruling>,
}

type Owners = BTreeMap<AttributeName, Owned>;

#[derive(Debug)]
struct Ruling {
    /// Everything that was looked at, and what was seen. Where all of it is so again, every condition goes the same way: each
    /// sees what it saw, up to the next look, and the owner of a decided value is what the looks before it made it.
    looks: Vec<(Look, Value)>,
    ownership: Arc<Ownership>,
}

/// So many rulings are remembered: most conditions ask whether somebody is active, or through what she signs in. Where they
/// ask for what everybody has of her own no precedent is found, and not many are gone through; what is of no use makes way.
const MAX_RULINGS: usize = 16;

impl Precedents {
    /// Forgets everything: another day may answer otherwise.
    pub(super) fn forget(&self) {
        self.0.take();
    }
}

impl<'a> Court<'a> {
    /// What is the same for everybody, or was found for somebody, of these attributes.
    fn common(self, attributes: &Arc<BTreeSet<AttributeName>>) -> RefMut<'a, Common> {
        let mut common = self.precedents.0.borrow_mut();
        if common.attributes != *attributes {
            *common =
                Common { attributes: Arc::clone(attributes), owners: self.plain(attributes), rulings: Vec::new() };
        }
        common
    }

    /// The owners of these attributes, where no condition decides about one of them.
    fn plain(self, attributes: &BTreeSet<AttributeName>) -> Option<Arc<Owners>> {
        let mut owners = Owners::new();
        for attribute in attributes {
            let Some(&first) = self.index.get(attribute).and_then(|lines| lines.first()) else { continue };
            let Owner { line, condition: None, .. } = &self.declared.owners[first] else { return None };
            let owned = Owned { system: line.system.clone(), origin: line.origin.clone(), looked_at: Vec::new() };
            owners.insert(attribute.clone(), owned);
        }
        Some(Arc::new(owners))
    }

    /// What was found for somebody of whom the same is so; `look` tells what is seen of this one.
    pub(super) fn precedent(
        self,
        attributes: &Arc<BTreeSet<AttributeName>>,
        look: impl Fn(&Look) -> Value,
    ) -> Option<Arc<Ownership>> {
        // Whoever counts answers has to be told of each.
        if self.hits.is_some() {
            return None;
        }
        let is_so = |(at, seen): &(Look, Value)| look(at) == *seen;
        let rulings = &mut self.common(attributes).rulings;
        let at = rulings.iter().position(|ruling| ruling.looks.iter().all(is_so))?;
        rulings[..=at].rotate_right(1);
        rulings.first().map(|ruling| Arc::clone(&ruling.ownership))
    }

    /// The owner of each attribute, and for each system with an `account` line whether an account is wanted.
    pub(super) fn judge(
        self,
        person: &'a Person,
        attributes: &Arc<BTreeSet<AttributeName>>,
    ) -> Result<Arc<Ownership>, RuleError> {
        if let Some(known) = self.precedent(attributes, |look| person.look(look)) {
            return Ok(known);
        }
        let plain = self.common(attributes).owners.clone();
        let mut hearing = Hearing {
            court: self,
            person,
            view: None,
            owners: BTreeMap::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
            path: Vec::new(),
            looks: Some(Vec::new()),
            plain,
        };
        if hearing.plain.is_none() {
            for attribute in attributes.iter() {
                hearing.find_owner(attribute)?;
            }
        }
        let mut accounts = BTreeMap::new();
        for (system, line) in &self.declared.accounts {
            let (wanted, looked_at) = match &line.condition {
                None => (Some(true), Vec::new()),
                Some(function) => hearing.ask("account", function, &line.place)?,
            };
            if let Some(wanted) = wanted {
                accounts.insert(system.clone(), Wish { wanted, origin: line.place.origin.clone(), looked_at });
            }
        }
        let asked = |(attribute, owner): (AttributeName, Option<_>)| owner.map(|owner| (attribute, owner));
        let found = hearing.owners.into_iter().filter_map(asked).filter(|(it, _)| attributes.contains(it));
        let owners = hearing.plain.unwrap_or_else(|| Arc::new(found.collect()));
        let ownership = Arc::new(Ownership { owners, accounts });
        if let Some(looks) = hearing.looks {
            let seen = looks.into_iter().map(|look| {
                let seen = person.look(&look);
                (look, seen)
            });
            let rulings = &mut self.common(attributes).rulings;
            rulings.truncate(MAX_RULINGS - 1);
            rulings.insert(0, Ruling { looks: seen.collect(), ownership: Arc::clone(&ownership) });
        }
        Ok(ownership)
    }
}

/// An `owner` line that was asked about an attribute, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inquired {
    /// The system it names.
    pub(crate) system: SystemName,
    /// The line.
    pub(crate) origin: Origin,
    /// Whether it decided.
    pub(crate) holds: bool,
    /// What its condition looked at; empty for a line without one.
    pub(crate) looked_at: Vec<(String, Value)>,
}

impl Court<'_> {
    /// The lines that are asked about an attribute until one holds, each with its answer: the last decides, if any does.
    pub(super) fn inquire(self, person: &Person, attribute: &AttributeName) -> Result<Vec<Inquired>, RuleError> {
        let (owners, answers, told, path) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
        let mut hearing =
            Hearing { court: self, person, view: None, owners, answers, told, path, plain: None, looks: None };
        hearing.find_owner(attribute)?;
        let mut asked = Vec::new();
        for &at in self.index.get(attribute).map(Vec::as_slice).unwrap_or_default() {
            let line = &self.declared.owners[at].line;
            let (holds, looked_at) = match (line.conditional, hearing.answers.get(&at)) {
                (false, _) => (true, Vec::new()),
                (true, Some(answer)) => answer.clone(),
                (true, None) => break,
            };
            asked.push(Inquired { system: line.system.clone(), origin: line.origin.clone(), holds, looked_at });
            if holds {
                break;
            }
        }
        Ok(asked)
    }
}

/// The conditions of one person, as far as they were asked.
struct Hearing<'a> {
    court: Court<'a>,
    person: &'a Person,
    /// Made when the first condition asks: most people meet none.
    view: Option<PersonView>,
    owners: BTreeMap<AttributeName, Option<Owned>>,
    /// Answers by `owner` line: one line may speak of several attributes.
    answers: BTreeMap<usize, (bool, Seen)>,
    /// What functions have answered: one that stands in several lines, as in a loop over systems, is asked once.
    told: Vec<(&'a Function, (Option<bool>, Seen))>,
    /// Attributes whose owner is being looked for, each because of the one before.
    path: Vec<AttributeName>,
    /// The owners, where they are the same for everybody.
    plain: Option<Arc<Owners>>,
    /// All that was looked at so far, where all of it can be looked at again of somebody else.
    looks: Option<Vec<Look>>,
}

impl<'a> Hearing<'a> {
    fn find_owner(&mut self, attribute: &AttributeName) -> Result<(), RuleError> {
        if self.owners.contains_key(attribute) {
            return Ok(());
        }
        self.path.push(attribute.clone());
        let mut owner = None;
        let court = self.court;
        for &at in court.index.get(attribute).map(Vec::as_slice).unwrap_or_default() {
            let line = &court.declared.owners[at];
            let (holds, looked_at) = match (&line.condition, self.answers.get(&at)) {
                (None, _) => (true, Vec::new()),
                (Some(_), Some(answer)) => answer.clone(),
                (Some(function), None) => {
                    let (holds, looked_at) = self.ask("owner", function, &line.place)?;
                    let answer = (holds.unwrap_or(false), looked_at);
                    self.answers.insert(at, answer.clone());
                    answer
                }
            };
            if holds {
                let (system, origin) = (line.line.system.clone(), line.line.origin.clone());
                owner = Some(Owned { system, origin, looked_at });
                break;
            }
        }
        self.path.pop();
        self.owners.insert(attribute.clone(), owner);
        Ok(())
    }

    /// Asks a condition, and first whatever it depends on. Its answer, and what it looked at.
    fn ask(&mut self, word: &str, function: &'a Function, place: &Place) -> Result<(Option<bool>, Seen), RuleError> {
        if let Some((_, answer)) = self.told.iter().find(|(other, _)| *other == function) {
            if let Some(hits) = self.court.hits {
                hits.answered(&place.origin, answer.0);
            }
            return Ok(answer.clone());
        }
        loop {
            let view = self.view.get_or_insert_with(|| PersonView::new(self.person, self.court.known)).clone();
            // An earlier attempt, of this condition or of one that waits for it, has left what it saw.
            view.looked_at();
            view.looks();
            let answer = self.court.scripts[function.script].call(&function.name, vec![Dynamic::from(view.clone())]);
            let error = match answer {
                Ok(answer) => {
                    let answer = read_condition(word, &answer)
                        .map_err(|fault| self.error(RuleError::new(fault, None), function, place))?;
                    if let Some(hits) = self.court.hits {
                        hits.answered(&place.origin, answer);
                    }
                    let answer = (answer, view.looked_at());
                    self.looks = self.looks.take().zip(view.looks()).map(|(mut all, new)| {
                        for look in new {
                            if !all.contains(&look) {
                                all.push(look);
                            }
                        }
                        all
                    });
                    self.told.push((function, answer.clone()));
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let Fault::Needs(attribute) = error.fault() else { return Err(self.error(error, function, place)) };
            let attribute = attribute.clone();
            if let Some(start) = self.path.iter().position(|it| *it == attribute) {
                let mut attributes = self.path[start..].to_vec();
                attributes.push(attribute);
                return Err(self.error(error.with_fault(Fault::OwnerCycle { attributes }), function, place));
            }
            self.find_owner(&attribute)?;
            let owner = self.owners.get(&attribute).and_then(Option::as_ref).map(|owned| &owned.system);
            view.decide(attribute, owner);
        }
    }

    fn error(&self, error: RuleError, function: &Function, line: &Place) -> RuleError {
        let place = self.court.scripts[function.script].place_of(&error, line);
        let error = error.or_place(|| place);
        match self.person.statements.first() {
            Some(said) => error.with_record(&said.origin),
            None => error,
        }
    }
}
