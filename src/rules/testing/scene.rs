//! `given` and `when`: how a test says what is so and what is said.
//!
//! Every name is looked up where it is written, so that a slip is told at once and is no empty test.

use std::{collections::BTreeMap, rc::Rc};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use super::{Cast, Part, Saying, Scenario, stage::Stage};
use crate::{
    model::{
        account::Facts,
        attribute::{AttributeName, Value},
        id::{AccountId, SystemName},
    },
    rules::{
        change::PlanView,
        fault::{Fault, Role, type_name},
        known::{Known, KnownSystem, has},
        sandbox::raise,
        vocabulary::Desk,
        words::near,
    },
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// What `given(…)` returns: people, waiting for somebody to say something.
#[derive(Clone)]
pub(super) struct Given(Rc<Vec<Cast>>);

pub(super) fn register(engine: &mut Engine, stage: &Rc<Stage>, desk: &Desk) {
    let own = Rc::clone(stage);
    engine.register_fn("given", move || -> Answer<Given> {
        own.in_test("given")?;
        Ok(Given(Rc::default()))
    });
    let (own, known) = (Rc::clone(stage), Rc::clone(&desk.known));
    engine.register_fn("given", move |people: Dynamic| -> Answer<Given> {
        own.in_test("given")?;
        let items = if people.is_array() { people.into_array().unwrap_or_default() } else { vec![people] };
        let people = items.into_iter().map(|item| cast(&known, item)).collect::<Result<_, _>>().map_err(raise)?;
        Ok(Given(Rc::new(people)))
    });
    let own = Rc::clone(stage);
    engine.register_fn("today", move |date: Dynamic| -> Answer<()> {
        own.in_test("today")?;
        let wanted = || Fault::WrongType {
            what: "the day of `today`".to_owned(),
            wanted: "a date such as \"2026-11-20\"".to_owned(),
            got: type_name(date.type_name()),
        };
        let text = date.clone().into_immutable_string().map_err(|_| raise(wanted()))?;
        own.set_today(text.parse().map_err(|_| raise(wanted()))?);
        Ok(())
    });
    saying(engine, stage, desk, "when", |said| {
        let items = if said.is_array() { said.into_array().unwrap_or_default() } else { vec![said] };
        items.into_iter().map(record).collect::<Result<_, _>>().map(Saying::Records)
    });
    saying(engine, stage, desk, "when_csv", |said| text(said, "the file of `when_csv`").map(Saying::Csv));
    saying(engine, stage, desk, "when_file", |said| text(said, "the name of `when_file`").map(Saying::File));
}

/// One word of those that make a plan.
fn saying(
    engine: &mut Engine,
    stage: &Rc<Stage>,
    desk: &Desk,
    word: &'static str,
    read: fn(Dynamic) -> Result<Saying, Fault>,
) {
    let (stage, known) = (Rc::clone(stage), Rc::clone(&desk.known));
    engine.register_fn(word, move |given: &mut Given, source: Dynamic, said: Dynamic| -> Answer<PlanView> {
        stage.in_test(word)?;
        let name = text(source, &format!("the source of `{word}`")).map_err(raise)?;
        let source = SystemName::from(name.as_str());
        match known.systems.get(&source) {
            None => return Err(raise(known.unknown_system(&name))),
            Some(there) if !there.is_source => {
                return Err(raise(Fault::WrongRole { system: source, role: Role::Source }));
            }
            Some(_) => {}
        }
        let (people, saying) = (given.0.as_ref().clone(), read(said).map_err(raise)?);
        stage.plan(Scenario { people, source, saying, today: stage.today() })
    });
}

/// One person: keys are systems, and `key` for that of her record.
fn cast(known: &Known, given: Dynamic) -> Result<Cast, Fault> {
    let mut cast = Cast::default();
    for (name, value) in map(given, "a person of `given`")? {
        if name == "key" {
            cast.key = Some(plain(value, "`key`")?.to_string());
            continue;
        }
        let system = SystemName::from(name.as_str());
        let Some(there) = known.systems.get(&system) else { return Err(known.unknown_system(&name)) };
        if value.is_unit() {
            continue;
        }
        let holds = map(value, &format!("`{name}`"))?;
        if there.is_provider {
            cast.accounts.insert(system.clone(), part(&system, known, there, holds)?);
        } else {
            cast.shown.insert(system, shown(known, holds)?);
        }
    }
    Ok(cast)
}

/// What a source showed of her, by attribute.
fn shown(known: &Known, holds: Map) -> Result<BTreeMap<AttributeName, Value>, Fault> {
    let mut values = BTreeMap::new();
    for (name, value) in holds {
        let Some(attribute) = known.attribute(&name) else {
            let near = known.near_attribute(&name);
            return Err(Fault::UnknownAttribute { name: name.to_string(), near });
        };
        values.insert(attribute, plain(value, &format!("`{name}`"))?);
    }
    Ok(values)
}

/// An account, by attribute and fact names; and `id`, `linked`, `signs_in_with`, `server`.
fn part(system: &SystemName, all: &Known, known: &KnownSystem, holds: Map) -> Result<Part, Fault> {
    let (mut attributes, mut facts, mut server) = (BTreeMap::new(), Facts::new(), Facts::new());
    let (mut id, mut linked, mut signs_in_with) = (None, true, None);
    for (name, value) in holds {
        let what = format!("`{system}.{name}`");
        match name.as_str() {
            "id" => id = plain(value, &what)?.as_text().map(AccountId::from),
            "linked" => {
                let got = type_name(value.type_name());
                let wanted = crate::rules::fault::TRUTH.to_owned();
                linked = value.as_bool().map_err(|_| Fault::WrongType { what, wanted, got })?;
            }
            "signs_in_with" => {
                let name = text(value, &what)?;
                let there = SystemName::from(name.as_str());
                if !all.systems.contains_key(&there) {
                    return Err(all.unknown_system(&name));
                }
                signs_in_with = Some(there);
            }
            "server" => {
                for (fact, value) in map(value, &what)? {
                    server.insert(fact.to_string(), plain(value, &what)?);
                }
            }
            name if known.sets.contains_key(name) => {
                let set = AttributeName::of_system(system, name);
                for (member, level) in map(value, &what)? {
                    attributes.insert(AttributeName::member_of(&set, &member), plain(level, &what)?);
                }
            }
            name if has(&known.own_attributes, name) => {
                attributes.insert(AttributeName::of_system(system, name), plain(value, &what)?);
            }
            name if has(&known.attributes, name) => {
                attributes.insert(AttributeName::new(name), plain(value, &what)?);
            }
            name if has(&known.facts, name) => {
                facts.insert(name.to_owned(), plain(value, &what)?);
            }
            name => {
                let names = known.attributes.iter().chain(&known.own_attributes).chain(&known.facts);
                let near = near(name, names.map(String::as_str).chain(["id", "linked", "signs_in_with", "server"]));
                return Err(Fault::UnknownOfAccount { system: system.clone(), name: name.to_owned(), near });
            }
        }
    }
    Ok(Part { id, attributes, facts, server, signs_in_with, linked })
}

/// A record: columns and their text. A number or a truth value is written as a file would hold it, `()` is an empty cell.
fn record(said: Dynamic) -> Result<BTreeMap<String, String>, Fault> {
    let columns = map(said, "a record of `when`")?.into_iter();
    columns
        .map(|(name, value)| {
            let value = plain(value, &format!("`{name}`"))?;
            let text = match value {
                Value::Empty => String::new(),
                value => value.to_string(),
            };
            Ok((name.to_string(), text))
        })
        .collect()
}

fn map(value: Dynamic, what: &str) -> Result<Map, Fault> {
    let got = type_name(value.type_name());
    let wanted = "a map `#{ … }`".to_owned();
    value.try_cast::<Map>().ok_or(Fault::WrongType { what: what.to_owned(), wanted, got })
}

fn text(value: Dynamic, what: &str) -> Result<String, Fault> {
    let got = type_name(value.type_name());
    let wanted = "text in quotes".to_owned();
    let text: Result<ImmutableString, _> = value.into_immutable_string();
    text.map(|text| text.to_string()).map_err(|_| Fault::WrongType { what: what.to_owned(), wanted, got })
}

fn plain(value: Dynamic, what: &str) -> Result<Value, Fault> {
    if value.is_unit() {
        return Ok(Value::Empty);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::text(&number.to_string()));
    }
    text(value, what).map(|text| Value::text(&text))
}
