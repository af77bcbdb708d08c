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
    decided: RefCell<BTreeMap<AttributeName, Dynamic>>,
    /// What a condition looked at, in the order it did, each once.
    looked_at: RefCell<Vec<(String, Value)>>,
    /// The same, as far as it can be looked at again of somebody else; `None` where some of it cannot.
    looks: RefCell<Option<Vec<Looked>>>,
}

/// What a condition looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The value that counts, whosever it is.
    Decided(AttributeName),
    /// Something at one system.
    At(Look),
}

impl Observed {
    /// Notes a look; `None` is one that nobody can repeat.
    fn looked(&self, look: Option<Looked>) {
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

    /// From now on the attribute has this value.
    pub(super) fn decide(&self, attribute: AttributeName, value: Option<&Value>) {
        self.0.decided.borrow_mut().insert(attribute, value.map_or(Dynamic::UNIT, dynamic));
    }

    /// What was looked at since the last time this was asked.
    pub(super) fn looked_at(&self) -> Vec<(String, Value)> {
        self.0.looked_at.take()
    }

    /// The same as it can be looked at again, since the last time this was asked; `None` where some of it cannot.
    pub(super) fn looks(&self) -> Option<Vec<Looked>> {
        self.0.looks.replace(Some(Vec::new()))
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        if let Some(attribute) = self.0.known.attribute(name) {
            let mut decided = self.0.decided.borrow().get(&attribute).cloned();
            if let (None, Some(ownership)) = (&decided, &self.0.ownership) {
                let owned = ownership.owner(&attribute);
                let value = owned.and_then(|owned| self.0.person.decided(&owned.system, &attribute));
                decided = Some(value.as_ref().map_or(Dynamic::UNIT, dynamic));
            }
            let decided = decided.ok_or_else(|| raise(Fault::Needs(attribute.clone())))?;
            self.0.note(name.to_owned(), &decided);
            self.0.looked(Some(Looked::Decided(attribute)));
            return Ok(decided);
        }
        let system = SystemName::from(name);
        if let Some(known) = self.0.known.systems.get(&system) {
            let look = known.is_provider.then(|| Looked::At(Look::Account(system.clone())));
            self.0.looked(look);
            let view = AccountView::new(&self.0, system);
            if view.is_none() {
                self.0.note(name.to_owned(), &Dynamic::UNIT);
            }
            return Ok(view.map_or(Dynamic::UNIT, Dynamic::from));
        }
        let mut all = self.0.known.attributes();
        all.extend(self.0.known.systems.keys().map(ToString::to_string));
        let near = near(name, all.iter().map(String::as_str));
        Err(raise(Fault::UnknownOfPerson { name: name.to_owned(), near }))
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
        let value = match &self.shown {
            Shown::Account(account) => self.of_account(account, name),
            Shown::Statement(said) => match name {
                "id" | "key" => Some(Dynamic::from(said.key.to_string())),
                _ => self.known.attribute(name).map(|it| said.values.get(&it).as_ref().map_or(Dynamic::UNIT, dynamic)),
            },
        };
        if let Some(value) = &value {
            self.observed.note(format!("{}.{name}", self.system), value);
            self.observed.looked(self.look(name).map(Looked::At));
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

    /// What is looked at by this name, where that can be done again.
    fn look(&self, name: &str) -> Option<Look> {
        let Shown::Account(_) = self.shown else { return None };
        let (system, known) = (self.system.clone(), self.known.systems.get(&self.system)?);
        if name == "id" || known.sets.contains_key(name) {
            None
        } else if let Some(attribute) = known.attribute(&system, name) {
            Some(Look::Held(system, attribute))
        } else {
            Some(Look::Fact(system, name.to_owned()))
        }
    }

    /// `None` where there cannot be such a thing.
    fn of_account(&self, account: &Account, name: &str) -> Option<Dynamic> {
        if name == "id" {
            return Some(account.id.as_ref().map_or(Dynamic::UNIT, |id| Dynamic::from(id.to_string())));
        }
        let system = self.known.systems.get(&self.system)?;
        if system.sets.contains_key(name) {
            let set = AttributeName::of_system(&self.system, name);
            let members =
                account.attributes.iter().filter(|(it, value)| it.set().as_ref() == Some(&set) && !value.is_empty());
            let members = members.filter_map(|(it, value)| Some((it.member()?.into(), dynamic(value))));
            return Some(Dynamic::from_map(members.collect()));
        }
        let value = if let Some(attribute) = system.attribute(&self.system, name) {
            account.attributes.get(&attribute)
        } else if has(&system.facts, name) {
            account.facts.get(name)
        } else {
            return None;
        };
        Some(value.map_or(Dynamic::UNIT, dynamic))
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
