//! The way back over the border: what a `source` function returned, made into a statement.
//!
//! A script's value is believed in nothing: every name must be known and every value must be of the right type. An
//! attribute whose value is `()` or the empty text is not spoken of; only `clear()` says that it is empty.

use std::collections::BTreeMap;

use rhai::{Dynamic, Engine, INT, ImmutableString};

use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    record::{Record, Statement},
};

use super::{
    fault::{Fault, NOTHING, TRUTH, type_name},
    known::Known,
};

/// What `clear()` returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clear;

/// Teaches an engine `clear()`.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("clear", || Clear);
}

/// What a function returned, as a statement. `Ok(None)` where it returned `()`. The text beside a fault is the key of
/// the returned map that it is about.
pub(super) fn read(
    system: &SystemName,
    record: &Record,
    returned: Dynamic,
    names: &BTreeMap<String, AttributeName>,
    known: &Known,
) -> Result<Option<Statement>, (Fault, Option<String>)> {
    if returned.is_unit() {
        return Ok(None);
    }
    let got = type_name(returned.type_name());
    let Some(map) = returned.try_cast::<rhai::Map>() else {
        let what = format!("what the function for `{system}` returns");
        return Err((Fault::WrongType { what, wanted: "a map `#{ key: ... }` or ()".to_owned(), got }, None));
    };
    let mut key = None;
    let mut values = BTreeMap::new();
    for (name, value) in map {
        let at_key = |fault| (fault, Some(name.to_string()));
        if name == "key" {
            key = read_key(value).map_err(at_key)?;
            continue;
        }
        let Some(attribute) = names.get(name.as_str()) else {
            let near = known.near_attribute(&name);
            return Err(at_key(Fault::UnknownAttribute { name: name.to_string(), near }));
        };
        if let Some(value) = read_value(attribute, value).map_err(at_key)? {
            values.insert(attribute.clone(), value);
        }
    }
    let key = key.ok_or_else(|| (Fault::NoKey, Some("key".to_owned())))?;
    let origin = record.origin.clone();
    let (system, key, quiet) = (system.clone(), key.as_str().into(), std::collections::BTreeSet::new());
    Ok(Some(Statement { system, key, values, origin, fresh: true, quiet }))
}

fn read_key(value: Dynamic) -> Result<Option<String>, Fault> {
    let got = type_name(value.type_name());
    let text = match plain(value) {
        Plain::Nothing => return Ok(None),
        Plain::Text(text) => text,
        Plain::Bool(_) | Plain::Clear | Plain::Other => {
            return Err(Fault::WrongType { what: "`key`".to_owned(), wanted: "text".to_owned(), got });
        }
    };
    let key = text.trim();
    Ok((!key.is_empty()).then(|| key.to_owned()))
}

fn read_value(attribute: &AttributeName, value: Dynamic) -> Result<Option<Value>, Fault> {
    let got = type_name(value.type_name());
    let neutral = attribute.system().is_none();
    let is_active = attribute.as_str() == "active";
    let wrong = |wanted: &str| Fault::WrongType { what: format!("`{attribute}`"), wanted: wanted.to_owned(), got };
    match plain(value) {
        Plain::Nothing => Ok(None),
        Plain::Text(text) if text.is_empty() => Ok(None),
        Plain::Bool(truth) if is_active || !neutral => Ok(Some(Value::Bool(truth))),
        _ if is_active => Err(wrong(TRUTH)),
        Plain::Clear => Ok(Some(Value::Empty)),
        Plain::Text(text) => Ok(Some(Value::text(&text))),
        Plain::Bool(_) | Plain::Other => Err(wrong("text")),
    }
}

/// The few kinds of values that may cross. Nothing nested does, so no depth has to be bounded.
enum Plain {
    Nothing,
    Text(ImmutableString),
    Bool(bool),
    Clear,
    Other,
}

fn plain(value: Dynamic) -> Plain {
    if value.is_unit() {
        return Plain::Nothing;
    }
    if let Ok(truth) = value.as_bool() {
        return Plain::Bool(truth);
    }
    if let Ok(number) = value.as_int() {
        let number: INT = number;
        return Plain::Text(number.to_string().into());
    }
    if let Ok(letter) = value.as_char() {
        return Plain::Text(letter.to_string().into());
    }
    if value.is::<Clear>() {
        return Plain::Clear;
    }
    value.into_immutable_string().map_or(Plain::Other, Plain::Text)
}

/// How a condition answered: yes, no, or nothing.
pub(super) fn read_condition(word: &str, returned: &Dynamic) -> Result<Option<bool>, Fault> {
    if returned.is_unit() {
        return Ok(None);
    }
    returned.as_bool().map(Some).map_err(|_| Fault::WrongType {
        what: format!("the condition of `{word}`"),
        wanted: format!("{TRUTH}, or {NOTHING}"),
        got: type_name(returned.type_name()),
    })
}
