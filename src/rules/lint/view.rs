//! What a person, an account, a change, a refusal and a plan have, and what each word of the rules gives.
//!
//! The same as the values themselves say when a rule asks them; tests hold the two together.

use crate::model::{attribute::AttributeName, id::SystemName};

use super::{
    super::{
        fault::RuleError,
        known::{Known, has},
        reference::{OF_CALL, OF_CHANGE, OF_OPERATION, OF_PLAN, OF_PLANNED, OF_REFUSAL},
        words::{near, signature},
    },
    Samples,
    body::mean,
    thing::{Thing, Words},
};

/// Why there is no such property.
pub(super) struct Absent {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// What stands behind a dot.
pub(super) fn property(thing: &Thing, name: &str, known: &Known, samples: &Samples) -> Result<Thing, Absent> {
    match thing {
        Thing::Row(source) => column(source, name, samples),
        Thing::Person => of_person(name, known),
        Thing::Account(system) => of_account(system, name, known),
        Thing::SomeAccount => {
            let mut values = known.systems.keys().filter_map(|system| of_account(system, name, known).ok()).peekable();
            if values.peek().is_some() {
                return Ok(Thing::one_of(values));
            }
            let every = known.systems.values().flat_map(|it| it.attributes.iter().chain(&it.facts)).map(String::as_str);
            Err(absent("no account", "anything", name, near(name, every.chain(["id"]))))
        }
        Thing::Change => match name {
            "attribute" => Ok(Thing::Word(Words::Attribute)),
            "system" | "asked_by" => Ok(Thing::Word(Words::System)),
            "owner" => Ok(Thing::Word(Words::System).or_nothing()),
            "from" | "to" => Ok(some_value()),
            "person" => Ok(Thing::Person),
            "account" => Ok(Thing::SomeAccount.or_nothing()),
            _ => Err(absent("a change", "nothing", name, near(name, OF_CHANGE.iter().map(|it| it.0)))),
        },
        Thing::Refusal => match name {
            "kind" => Ok(Thing::Word(Words::RefusalKind)),
            "reason" => Ok(Thing::Text),
            _ => Err(absent("a refusal", "nothing", name, near(name, OF_REFUSAL.iter().map(|it| it.0)))),
        },
        Thing::Plan => match name {
            "calls" => Ok(list("a call", OF_CALL)),
            "changes" => Ok(list("a change of a plan", OF_PLANNED)),
            "operations" => Ok(list("an operation of a plan", OF_OPERATION)),
            "summary" => Ok(Thing::Part("the summary", SUMMARY)),
            "warnings" => Ok(Thing::List(Box::new(Thing::Text))),
            "rejected" => Ok(Thing::List(Box::new(Thing::SomeMap))),
            "today" => Ok(Thing::Text),
            _ => Err(absent("a plan", "nothing", name, near(name, OF_PLAN.iter().map(|it| it.0)))),
        },
        Thing::Part(what, names) => {
            if !names.contains(&name) {
                return Err(absent(what, "nothing", name, near(name, names.iter().copied())));
            }
            Ok(match name {
                "attribute" => Thing::Word(Words::Attribute),
                "system" => Thing::Word(Words::System),
                "owner" | "belongs_to" => Thing::Word(Words::System).or_nothing(),
                "decision" => Thing::Word(Words::Decision),
                "refusal" => Thing::Word(Words::RefusalKind).or_nothing(),
                "operation" if *what == "a call" => Thing::Word(Words::Operation),
                "method" | "path" | "person" | "id" => Thing::Text,
                "side_effects" => Thing::SomeMap.or_nothing(),
                _ if *what == "the summary" => Thing::Number,
                _ => Thing::Anything,
            })
        }
        Thing::Map(_, entries) => match entries.iter().find(|entry| entry.key == name) {
            Some(entry) => Ok(entry.value.clone()),
            None => Err(absent("this map", "nothing", name, near(name, entries.iter().map(|it| it.key.as_str())))),
        },
        thing if thing.is_text() || thing.is_truth() || matches!(thing, Thing::Number | Thing::Count(_)) => {
            let what = thing.called().unwrap_or("this");
            // A number has `is_odd` and the like.
            if matches!(thing, Thing::Number | Thing::Count(_)) {
                return Ok(Thing::Anything);
            }
            let hint = match signature(name) {
                Some(_) => Some(format!("it is a function: `{name}()`")),
                None => near(name, super::super::words::names()).map(|near| format!("did you mean `{near}()`?")),
            };
            let message = format!("{what} has nothing called `{name}`");
            Err(Absent { code: "unknown_property", message, hint })
        }
        _ => Ok(Thing::Anything),
    }
}

fn absent(what: &str, has: &str, name: &str, near: Option<String>) -> Absent {
    let message = format!("{what} has {has} called `{name}`");
    Absent { code: "unknown_property", message, hint: near.map(|near| mean(&near)) }
}

fn column(source: &SystemName, name: &str, samples: &Samples) -> Result<Thing, Absent> {
    let Some(sample) = samples.get(source).filter(|sample| !sample.columns.iter().any(|it| it == name)) else {
        return Ok(Thing::Text);
    };
    let near = near(name, sample.columns.iter().map(String::as_str));
    match (&sample.file, near) {
        (Some(file), near) => {
            let hint = near.map_or_else(|| format!("it has {}", sample.columns.join(", ")), |near| mean(&near));
            let message = format!("records of {source} have no column `{name}`, going by {file}");
            Err(Absent { code: "unknown_column", message, hint: Some(hint) })
        }
        // A record may have more columns than the configuration asks for.
        (None, None) => Ok(Thing::Text),
        (None, Some(near)) => {
            let message = format!("`{name}` is no column that the configuration of {source} names");
            Err(Absent { code: "undeclared_column", message, hint: Some(mean(&near)) })
        }
    }
}

fn of_person(name: &str, known: &Known) -> Result<Thing, Absent> {
    if let Some(attribute) = known.attribute(name) {
        return Ok(value_of(attribute.as_str()));
    }
    let system = SystemName::from(name);
    if known.systems.contains_key(&system) {
        return Ok(Thing::Account(system).or_nothing());
    }
    let wrong = RuleError::new(known.unknown_of_person(name), None);
    Err(Absent { code: wrong.code(), message: wrong.to_string(), hint: wrong.hint() })
}

fn of_account(system: &SystemName, name: &str, known: &Known) -> Result<Thing, Absent> {
    let Some(there) = known.systems.get(system) else { return Ok(Thing::Anything) };
    if name == "id" {
        return Ok(Thing::Text.or_nothing());
    }
    let mut all = vec!["id".to_owned()];
    if there.is_provider {
        if there.sets.contains_key(name) {
            return Ok(Thing::SomeMap);
        }
        if has(&there.own_attributes, name) || has(&there.facts, name) {
            return Ok(some_value());
        }
        if has(&there.attributes, name) {
            return Ok(value_of(name));
        }
        all.extend(there.attributes.iter().chain(&there.facts).cloned());
    } else {
        if name == "key" {
            return Ok(Thing::Text);
        }
        if known.attribute(name).is_some() {
            return Ok(value_of(name));
        }
        all.extend(known.attributes());
        all.push("key".to_owned());
    }
    let near = near(name, all.iter().map(String::as_str));
    let what = format!("an account of `{system}`");
    let mut wrong = absent(&what, "nothing", name, near);
    wrong.hint.get_or_insert_with(|| "an account has attributes, facts and `id`".to_owned());
    Err(wrong)
}

/// What an attribute may hold.
fn value_of(name: &str) -> Thing {
    let attribute = AttributeName::new(name);
    match (attribute.as_str(), attribute.system()) {
        ("active", _) => Thing::Truth.or_nothing(),
        (_, Some(_)) => Thing::Anything,
        _ => Thing::Text.or_nothing(),
    }
}

fn some_value() -> Thing {
    Thing::one_of([Thing::Text, Thing::Truth, Thing::Nothing])
}

fn list(what: &'static str, names: &'static [&'static str]) -> Thing {
    Thing::List(Box::new(Thing::Part(what, names)))
}

/// What a word of the rules gives, as far as the word alone tells.
pub(super) fn gives(word: &str) -> Option<Thing> {
    Some(match word {
        "trim" | "lower" | "upper" | "title" | "slug" | "ascii" | "replace" | "before" | "after" | "or"
        | "sub_string" | "date" | "date_or_empty" | "today" | "to_string" => Thing::Text,
        "split" => Thing::List(Box::new(Thing::Text)),
        "capture" => Thing::List(Box::new(Thing::Text)).or_nothing(),
        "matches" | "starts_with" | "ends_with" | "contains" | "is_blank" | "has" => Thing::Truth,
        "len" | "days_until" | "count" => Thing::Number,
        "clear" => Thing::Clear,
        "perform" => Thing::Performance,
        "to" => Thing::Action("to"),
        "hold" => Thing::Action("hold"),
        "drop" => Thing::Action("drop"),
        _ => return None,
    })
}

pub(super) const SUMMARY: &[&str] =
    &["people", "changes", "calls", "unchanged", "refused", "held", "follows", "dropped", "rejected", "side_effects"];
