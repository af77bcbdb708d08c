//! Who owns what of one person: the conditions, asked in order.
//!
//! A condition may look at a value that has an owner of its own. It then stops, that owner is found first, and the
//! condition is asked again. A condition that leads back to itself is a fault of the rules. Nothing is decided here
//! about changes; this file finds owners and wishes for accounts.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use rhai::Dynamic;

use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
    person::Person,
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
pub(super) struct Precedents {
    owners: RefCell<Option<Common>>,
    /// What was found for people, and all that was looked at for it: of whom the same is so, the same is found.
    rulings: RefCell<Vec<Ruling>>,
}

type Owners = BTreeMap<AttributeName, Owned>;

/// The owners of some attributes; none where a condition decides about one of them.
#[derive(Debug)]
struct Common {
    attributes: BTreeSet<AttributeName>,
    owners: Option<Arc<Owners>>,
}

#[derive(Debug)]
struct Ruling {
    /// Decided values, and nothing else was looked at.
    values: Vec<(AttributeName, Value)>,
    ownership: Arc<Ownership>,
}

/// So many rulings are remembered: most conditions ask whether somebody is active. Where they ask for what everybody has of
/// her own no precedent is found, and not many are gone through; where one of them looks at an account, or decides about an
/// owner, there is none, and everybody is judged.
const MAX_RULINGS: usize = 16;

impl Precedents {
    /// Forgets everything: another day may answer otherwise.
    pub(super) fn forget(&self) {
        self.owners.take();
        self.rulings.take();
    }
}

impl<'a> Court<'a> {
    /// The owners of these attributes, where they are the same for everybody.
    fn owners(self, attributes: &BTreeSet<AttributeName>) -> Option<Arc<Owners>> {
        let mut known = self.precedents.owners.borrow_mut();
        if let Some(known) = known.as_ref().filter(|known| known.attributes == *attributes) {
            return known.owners.clone();
        }
        let mut owners = Some(Owners::new());
        for attribute in attributes {
            let Some(&first) = self.index.get(attribute).and_then(|lines| lines.first()) else { continue };
            let Owner { line, condition, .. } = &self.declared.owners[first];
            if condition.is_some() {
                owners = None;
                break;
            }
            let owned = Owned { system: line.system.clone(), origin: line.origin.clone(), looked_at: Vec::new() };
            owners.get_or_insert_default().insert(attribute.clone(), owned);
        }
        let owners = owners.map(Arc::new);
        *known = Some(Common { attributes: attributes.clone(), owners: owners.clone() });
        // What was decided without some of these attributes may be decided otherwise with them.
        self.precedents.rulings.take();
        owners
    }

    /// What was found for somebody of whom the same is so; `decided` tells what counts, if a system owns an attribute.
    pub(super) fn precedent(
        self,
        attributes: &BTreeSet<AttributeName>,
        decided: impl Fn(&SystemName, &AttributeName) -> Option<Value>,
    ) -> Option<Arc<Ownership>> {
        // Whoever counts answers has to be told of each.
        if self.hits.is_some() {
            return None;
        }
        let owners = self.owners(attributes)?;
        let is_so = |(attribute, value): &(AttributeName, Value)| {
            let decided = owners.get(attribute).and_then(|owned| decided(&owned.system, attribute));
            decided.unwrap_or_default() == *value
        };
        let rulings = self.precedents.rulings.borrow();
        rulings.iter().find(|ruling| ruling.values.iter().all(is_so)).map(|ruling| Arc::clone(&ruling.ownership))
    }

    fn remember(self, seen: Seen, ownership: &Arc<Ownership>) {
        let mut rulings = self.precedents.rulings.borrow_mut();
        if rulings.len() >= MAX_RULINGS {
            return;
        }
        // What counts of an attribute is told by its owner, who is among these or there is none.
        let is_told = |name: &AttributeName| {
            let has_lines =
                self.index.contains_key(name) || name.set().is_some_and(|set| self.index.contains_key(&set));
            ownership.owners.contains_key(name) || !has_lines
        };
        let named = |(name, value): (String, Value)| Some((self.known.attribute(&name).filter(is_told)?, value));
        let values: Option<Vec<(AttributeName, Value)>> = seen.into_iter().map(named).collect();
        if let Some(values) = values {
            rulings.push(Ruling { values, ownership: Arc::clone(ownership) });
        }
    }

    /// The owner of each attribute, and for each system with an `account` line whether an account is wanted.
    pub(super) fn judge(
        self,
        person: &'a Person,
        attributes: &BTreeSet<AttributeName>,
    ) -> Result<Arc<Ownership>, RuleError> {
        if let Some(known) = self.precedent(attributes, |system, attribute| person.decided(system, attribute)) {
            return Ok(known);
        }
        let plain = self.owners(attributes);
        let mut hearing = Hearing {
            court: self,
            person,
            view: None,
            owners: BTreeMap::new(),
            answers: BTreeMap::new(),
            told: Vec::new(),
            path: Vec::new(),
            decided: plain.is_some().then(Vec::new),
            plain,
        };
        if hearing.plain.is_none() {
            for attribute in attributes {
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
        if let Some(seen) = hearing.decided {
            self.remember(seen, &ownership);
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
            Hearing { court: self, person, view: None, owners, answers, told, path, plain: None, decided: None };
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
    /// All that was looked at so far, where that were decided values only and no condition decides about an owner.
    decided: Option<Seen>,
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
            view.only_decided();
            let answer = self.court.scripts[function.script].call(&function.name, vec![Dynamic::from(view.clone())]);
            let error = match answer {
                Ok(answer) => {
                    let answer = read_condition(word, &answer)
                        .map_err(|fault| self.error(RuleError::new(fault, None), function, place))?;
                    if let Some(hits) = self.court.hits {
                        hits.answered(&place.origin, answer);
                    }
                    let answer = (answer, view.looked_at());
                    self.decided = self.decided.take().filter(|_| view.only_decided());
                    if let Some(decided) = &mut self.decided {
                        let new: Seen = answer.1.iter().filter(|one| !decided.contains(one)).cloned().collect();
                        decided.extend(new);
                    }
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
            let owner = self.owners.get(&attribute).and_then(Option::as_ref);
            let value = owner.and_then(|owned| self.person.decided(&owned.system, &attribute));
            view.decide(attribute, value.as_ref());
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
