//! What a function of a rule is handed: a record, a person, an account. All read-only.
//!
//! Each is a copy that scripts may look at; nothing live crosses the border. A name that does not exist is an error
//! with a suggestion, a value that is not known is `()`.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    id::SystemName,
    person::{Look, Person},
    policy::Ownership,
    record::{Header, Record, Statement},
};

use super::{
    fault::Fault,
    known::{Known, KnownSystem, has},
    sandbox::raise,
    words::near,
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A record, as a `source` function sees it.
#[derive(Clone)]
pub(super) struct Row(Rc<Record>);

impl Row {
    pub(super) fn new(record: &Record) -> Self {
        Self(Rc::new(record.clone()))
    }

    fn field(&self, name: &str) -> Answer<ImmutableString> {
        self.0.field(name).map(ImmutableString::from).ok_or_else(|| raise(self.no_column(name)))
    }

    fn no_column(&self, name: &str) -> Fault {
        let all: Vec<String> = self.0.header.names().iter().map(ToString::to_string).collect();
        let near = near(name, all.iter().map(String::as_str));
        Fault::UnknownColumn { name: name.to_owned(), near, all }
    }
}

/// A person, as a condition sees her.
#[derive(Clone)]
pub(super) struct PersonView(Rc<Observed>);

struct Observed {
    person: Person,
    known: Rc<Known>,
    /// Who owns what, where that is settled already.
    ownership: Option<Ownership>,
    /// Values that count, each with its owner.
    decided: RefCell<BTreeMap<AttributeName, (Option<SystemName>, Dynamic)>>,
    /// What a condition looked at, in the order it did, each once.
    looked_at: RefCell<Vec<(String, Value)>>,
    /// The same, to look at again of somebody else; `None` where some of it cannot be.
    looks: RefCell<Option<Vec<Look>>>,
}

impl Observed {
    /// The owner of an attribute, and what counts of it.
    fn decided(&self, attribute: &AttributeName, owner: Option<&SystemName>) -> (Option<SystemName>, Dynamic) {
        let value = owner.and_then(|owner| self.person.decided(owner, attribute));
        (owner.cloned(), value.as_ref().map_or(Dynamic::UNIT, dynamic))
    }

    /// Notes a look; `None` is one that cannot be repeated of somebody else.
    fn note_look(&self, look: Option<Look>) {
        let mut looks = self.looks.borrow_mut();
        match (&mut *looks, look) {
            (Some(looks), Some(look)) if !looks.contains(&look) => looks.push(look),
            (looks, None) => *looks = None,
            _ => {}
        }
    }

    fn note(&self, what: String, shown: &Dynamic) {
        let value = match (shown.as_bool(), shown.clone().into_immutable_string()) {
            (Ok(truth), _) => Value::Bool(truth),
            (_, Ok(text)) => Value::text(&text),
            _ => Value::Empty,
        };
        let mut all = self.looked_at.borrow_mut();
        if !all.iter().any(|(known, _)| *known == what) {
            all.push((what, value));
        }
    }
}

impl PersonView {
    pub(super) fn new(person: &Person, known: &Rc<Known>) -> Self {
        Self::with(person, known, None)
    }

    /// A person whose owners are settled: every value is decided.
    pub(super) fn judged(person: &Person, known: &Rc<Known>, ownership: &Ownership) -> Self {
        Self::with(person, known, Some(ownership.clone()))
    }

    fn with(person: &Person, known: &Rc<Known>, ownership: Option<Ownership>) -> Self {
        let (person, known) = (person.clone(), Rc::clone(known));
        let (decided, looked_at) = (RefCell::default(), RefCell::default());
        let looks = RefCell::new(Some(Vec::new()));
        Self(Rc::new(Observed { person, known, ownership, decided, looked_at, looks }))
    }

    /// What a system shows of this person.
    pub(super) fn at(&self, system: SystemName) -> Option<AccountView> {
        let view = AccountView::new(&self.0, system)?;
        Some(AccountView { is_of_any: true, ..view })
    }

    /// From now on this system owns the attribute, if any does, and it has what counts then.
    pub(super) fn decide(&self, attribute: AttributeName, owner: Option<&SystemName>) {
        let decided = self.0.decided(&attribute, owner);
        self.0.decided.borrow_mut().insert(attribute, decided);
    }

    /// What was looked at since the last time this was asked.
    pub(super) fn looked_at(&self) -> Vec<(String, Value)> {
        self.0.looked_at.take()
    }

    /// The same, to look at again of somebody else; `None` where some of it cannot be.
    pub(super) fn looks(&self) -> Option<Vec<Look>> {
        self.0.looks.replace(Some(Vec::new()))
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        if let Some(attribute) = self.0.known.attribute(name) {
            let mut decided = self.0.decided.borrow().get(&attribute).cloned();
            if let (None, Some(ownership)) = (&decided, &self.0.ownership) {
                let owner = ownership.owner(&attribute).map(|owned| &owned.system);
                decided = Some(self.0.decided(&attribute, owner));
            }
            let (owner, value) = decided.ok_or_else(|| raise(Fault::Needs(attribute.clone())))?;
            self.0.note(name.to_owned(), &value);
            // What nobody owns is empty for everybody of whom nobody owns it.
            if let Some(owner) = owner {
                self.0.note_look(Some(Look::Decided(owner, attribute)));
            }
            return Ok(value);
        }
        let system = SystemName::from(name);
        if let Some(known) = self.0.known.systems.get(&system) {
            self.0.note_look(known.is_provider.then(|| Look::Account(system.clone())));
            let view = AccountView::new(&self.0, system);
            if view.is_none() {
                self.0.note(name.to_owned(), &Dynamic::UNIT);
            }
            return Ok(view.map_or(Dynamic::UNIT, Dynamic::from));
        }
        Err(raise(self.0.known.unknown_of_person(name)))
    }
}

/// What one system shows of a person: a provider its account, a mere source what it last said.
#[derive(Clone)]
pub(super) struct AccountView {
    observed: Rc<Observed>,
    system: SystemName,
    known: Rc<Known>,
    shown: Shown,
    /// True where a rule is asked about any system: what only another one knows is not there.
    is_of_any: bool,
}

#[derive(Clone)]
enum Shown {
    Account(Arc<Account>),
    Statement(Arc<Statement>),
}

impl AccountView {
    fn new(observed: &Rc<Observed>, system: SystemName) -> Option<Self> {
        let known = Rc::clone(&observed.known);
        let account = observed.person.accounts.get(&system).filter(|account| account.id.is_some());
        let shown = match account {
            Some(account) => Shown::Account(Arc::clone(account)),
            None if known.systems.get(&system)?.is_provider => return None,
            None => Shown::Statement(Arc::clone(observed.person.statements.iter().find(|it| it.system == system)?)),
        };
        Some(Self { observed: Rc::clone(observed), system, known, shown, is_of_any: false })
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        let look = self.look(name);
        let value = match (&self.shown, &look) {
            (_, Some(look)) => Some(dynamic(&self.observed.person.look(look))),
            (Shown::Account(account), None) => self.of_account(account, name),
            (Shown::Statement(said), None) => match name {
                "id" | "key" => Some(Dynamic::from(said.key.to_string())),
                _ => self.known.attribute(name).map(|it| said.values.get(&it).as_ref().map_or(Dynamic::UNIT, dynamic)),
            },
        };
        if let Some(value) = &value {
            self.observed.note(format!("{}.{name}", self.system), value);
            self.observed.note_look(look);
        }
        let has_name = |system: &KnownSystem| {
            has(&system.attributes, name) || has(&system.facts, name) || system.sets.contains_key(name)
        };
        if value.is_none() && self.is_of_any && self.known.systems.values().any(has_name) {
            return Ok(Dynamic::UNIT);
        }
        value.ok_or_else(|| {
            let systems = self.known.systems.iter().filter(|(system, _)| self.is_of_any || **system == self.system);
            let mut all: Vec<&str> = vec!["id"];
            all.extend(systems.flat_map(|(_, it)| it.attributes.iter().chain(&it.facts)).map(String::as_str));
            let near = near(name, all);
            raise(Fault::UnknownOfAccount { system: self.system.clone(), name: name.to_owned(), near })
        })
    }

    /// What is looked at by this name, where that can be looked at again of somebody else.
    fn look(&self, name: &str) -> Option<Look> {
        let Shown::Account(_) = self.shown else { return None };
        let (system, known) = (&self.system, self.known.systems.get(&self.system)?);
        if name == "id" || known.sets.contains_key(name) {
            return None;
        }
        let held = known.attribute(system, name).map(|attribute| Look::Held(system.clone(), attribute));
        held.or_else(|| has(&known.facts, name).then(|| Look::Fact(system.clone(), name.to_owned())))
    }

    /// The rest of what an account shows: its id, and who or what is in its sets. `None` where there cannot be such a thing.
    fn of_account(&self, account: &Account, name: &str) -> Option<Dynamic> {
        if name == "id" {
            return Some(account.id.as_ref().map_or(Dynamic::UNIT, |id| Dynamic::from(id.to_string())));
        }
        let system = self.known.systems.get(&self.system).filter(|system| system.sets.contains_key(name));
        system.map(|_| {
            let set = AttributeName::of_system(&self.system, name);
            let members =
                account.attributes.iter().filter(|(it, value)| it.set().as_ref() == Some(&set) && !value.is_empty());
            let members = members.filter_map(|(it, value)| Some((it.member()?.into(), dynamic(value))));
            Dynamic::from_map(members.collect())
        })
    }
}

/// A value as scripts see it: what is empty is `()`.
pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Empty => Dynamic::UNIT,
        Value::Bool(truth) => (*truth).into(),
        Value::Text(text) => ImmutableString::from(text.as_ref()).into(),
    }
}

/// Teaches an engine the three, and the properties that this script asks for by name.
pub(super) fn register(engine: &mut Engine, properties: &[String]) {
    engine
        .register_indexer_get(|row: &mut Row, name: &str| row.field(name))
        .register_indexer_get(|person: &mut PersonView, name: &str| person.get(name))
        .register_indexer_get(|account: &mut AccountView, name: &str| account.get(name))
        .register_fn("has", |row: &mut Row, name: &str| row.0.header.position(name).is_some());
    for name in properties {
        register_column(engine, name);
        let own = name.clone();
        engine.register_get(name, move |person: &mut PersonView| person.get(&own));
        let own = name.clone();
        engine.register_get(name, move |account: &mut AccountView| account.get(&own));
    }
}

/// A getter of one column that remembers where the column stands: records of one input share their header.
fn register_column(engine: &mut Engine, name: &str) {
    let own = name.to_owned();
    let place: RefCell<Option<(Arc<Header>, usize)>> = RefCell::default();
    engine.register_get(name, move |row: &mut Row| -> Answer<ImmutableString> {
        let mut place = place.borrow_mut();
        let at = match &*place {
            Some((header, at)) if Arc::ptr_eq(header, &row.0.header) => *at,
            _ => {
                let at = row.0.header.position(&own).ok_or_else(|| raise(row.no_column(&own)))?;
                *place = Some((Arc::clone(&row.0.header), at));
                at
            }
        };
        row.0.fields.get(at).map(ImmutableString::from).ok_or_else(|| raise(row.no_column(&own)))
    });
}
