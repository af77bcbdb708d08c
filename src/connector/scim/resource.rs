//! A user resource: what it says of our attributes, and what it is with others in their place.
//!
//! Names and URNs are compared without their letter case (RFC 7643 2.1), and what is not there, null or an empty list is
//! unassigned (2.5). Some servers write truth as a text.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value as Json, json};

use crate::model::{
    account::{Account, Facts},
    attribute::Value,
    capability::AttributeCapability,
    id::{AccountId, SystemName},
};

use super::table::{CAPABILITIES, ENTERPRISE, Spot};

/// The fact of an account that holds its whole resource, where changes have to send all of it.
pub(super) const WHOLE: &str = "resource";

/// A value by its name in any letter case.
pub(super) fn field<'a>(object: &'a Json, name: &str) -> Option<&'a Json> {
    let object = object.as_object()?;
    let found = object.get(name);
    let found = found.or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// The place of a value, made where there is none.
fn slot<'a>(object: &'a mut Map<String, Json>, name: &str) -> &'a mut Json {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned());
    object.entry(key).or_insert(Json::Null)
}

/// The same where it shall hold parts.
fn parts<'a>(object: &'a mut Map<String, Json>, name: &str) -> Option<&'a mut Map<String, Json>> {
    let slot = slot(object, name);
    if slot.is_null() {
        *slot = Json::Object(Map::new());
    }
    slot.as_object_mut()
}

/// Reads a user; `None` where this is none.
pub(super) fn account(system: &SystemName, user: &Json, kind: &str, server: &Arc<Facts>) -> Option<Account> {
    let id = field(user, "id")?.as_str().filter(|id| !id.is_empty())?;
    field(user, "userName")?.as_str()?;
    let mut attributes = BTreeMap::new();
    let mut facts = Facts::new();
    for row in CAPABILITIES.attributes {
        let value = match Spot::of(row) {
            Spot::Elsewhere => continue,
            // Not in the server's schema: there is nothing that could be empty.
            _ if is_hidden(server, row) => continue,
            Spot::Listed(list) => match chosen(user, list, kind) {
                Some((at, one)) => {
                    facts.insert(place(row), Value::text(&selector(user, list, kind, at)));
                    if has_rival(user, list, kind, at) {
                        facts.insert(rival(row), true.into());
                    }
                    plain(field(one, "value"))
                }
                None => Value::Empty,
            },
            spot => plain(held(user, spot)),
        };
        let value = if row.name == "active" { truth(&value) } else { value };
        attributes.insert(CAPABILITIES.name(system, row), value);
    }
    if server.get("patch").and_then(Value::as_bool) == Some(false) {
        facts.insert(WHOLE.to_owned(), Value::text(&bare(user).to_string()));
    }
    Some(Account {
        system: system.clone(),
        id: Some(AccountId::from(id.to_owned())),
        attributes,
        facts,
        identities: Vec::new(),
        server: Arc::clone(server),
    })
}

/// The version that a resource says it has (RFC 7644 3.14).
pub(super) fn version(user: &Json) -> Option<&str> {
    field(field(user, "meta")?, "version")?.as_str()
}

/// True for what a server keeps and never shows, or does not keep at all.
fn is_hidden(server: &Facts, row: &AttributeCapability) -> bool {
    let standing = server.get(&format!("is:{}", row.name)).and_then(Value::as_text);
    matches!(standing, Some("absent" | "write_only"))
}

/// The fact of an account that says which value of a list an attribute is.
pub(super) fn place(row: &AttributeCapability) -> String {
    format!("place:{}", row.name)
}

/// The fact of an account that says whether another value of the list would be the attribute if this one went.
pub(super) fn rival(row: &AttributeCapability) -> String {
    format!("rival:{}", row.name)
}

fn has_rival(user: &Json, list: &str, kind: &str, at: usize) -> bool {
    let mut others = listed(user, list).to_vec();
    others.remove(at);
    chosen(&json!({ list: others }), list, kind).is_some()
}

fn held(user: &Json, spot: Spot) -> Option<&Json> {
    match spot {
        Spot::Field(name) => field(user, name),
        Spot::Part(whole, part) => field(field(user, whole)?, part),
        Spot::Extended(name) => field(field(user, ENTERPRISE)?, name),
        Spot::Reference(name) => match field(field(user, ENTERPRISE)?, name)? {
            text @ Json::String(_) => Some(text),
            manager => field(manager, "value"),
        },
        Spot::Listed(_) | Spot::Elsewhere => None,
    }
}

fn plain(value: Option<&Json>) -> Value {
    match value {
        Some(Json::String(text)) => Value::text(text),
        Some(Json::Bool(truth)) => Value::Bool(*truth),
        Some(Json::Number(number)) => Value::text(&number.to_string()),
        _ => Value::Empty,
    }
}

/// Whether an account is active. A server that says nothing of it has no inactive ones.
fn truth(value: &Value) -> Value {
    match value {
        Value::Empty => Value::Bool(true),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        other => other.clone(),
    }
}

fn listed<'a>(user: &'a Json, list: &str) -> &'a [Json] {
    field(user, list).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn is_of(value: &Json, kind: &str) -> bool {
    field(value, "type").and_then(Json::as_str).is_some_and(|held| held.eq_ignore_ascii_case(kind))
}

fn is_first(value: &Json) -> bool {
    field(value, "primary").is_some_and(|first| truth(&plain(Some(first))) == Value::Bool(true))
}

/// The value of a list that is ours, with its place: the first one of our type, else one of no type, else, of addresses,
/// the primary one. A private number is not the one at work only because there is no other.
fn chosen<'a>(user: &'a Json, list: &str, kind: &str) -> Option<(usize, &'a Json)> {
    let all = || listed(user, list).iter().enumerate().filter(|(_, value)| field(value, "value").is_some());
    let best = |fits: &dyn Fn(&Json) -> bool| {
        let fitting = || all().filter(|(_, value)| fits(value));
        fitting().find(|(_, value)| is_first(value)).or_else(|| fitting().next())
    };
    best(&|value| is_of(value, kind))
        .or_else(|| best(&|value| field(value, "type").is_none()))
        .or_else(|| all().find(|(_, value)| list == "emails" && is_first(value)))
}

/// A path that leads to this value of a list and to no other (RFC 7644 3.5.2).
fn selector(user: &Json, list: &str, kind: &str, at: usize) -> String {
    let values = listed(user, list);
    let Some(one) = values.get(at) else { return list.to_owned() };
    let alone = |fits: &dyn Fn(&Json) -> bool| fits(one) && values.iter().filter(|value| fits(value)).count() == 1;
    let quoted = |text: &str| Json::from(text).to_string();
    if alone(&|value| is_of(value, kind)) {
        return format!("{list}[type eq {}]", quoted(kind));
    }
    if alone(&is_first) {
        return format!("{list}[primary eq true]");
    }
    let value = field(one, "value").and_then(Json::as_str).unwrap_or_default();
    format!("{list}[value eq {}]", quoted(value))
}

/// A resource without what the server alone says of it.
pub(super) fn bare(user: &Json) -> Json {
    let mut user = user.clone();
    if let Some(fields) = user.as_object_mut() {
        fields.retain(|name, _| !["meta", "groups"].iter().any(|own| name.eq_ignore_ascii_case(own)));
    }
    user
}

/// A whole resource with these attributes in the place of what it held, and everything else as it was (RFC 7644 3.5.1).
pub(super) fn with<'a>(
    user: &Json,
    kind: &str,
    wanted: impl Iterator<Item = (&'static AttributeCapability, &'a Value)>,
) -> Json {
    let mut user = bare(user);
    for (row, value) in wanted {
        put(&mut user, kind, row, value);
    }
    user
}

fn put(user: &mut Json, kind: &str, row: &AttributeCapability, value: &Value) {
    let new = value.to_json();
    let spot = Spot::of(row);
    let at = match spot {
        Spot::Listed(list) => chosen(user, list, kind).map(|(at, _)| at),
        _ => None,
    };
    let Some(fields) = user.as_object_mut() else { return };
    match spot {
        Spot::Field(name) => set(fields, name, new),
        Spot::Part(whole, part) => {
            if let Some(inner) = parts(fields, whole) {
                set(inner, part, new);
            }
            drop_empty(fields, whole);
        }
        Spot::Extended(name) => {
            if let Some(inner) = parts(fields, ENTERPRISE) {
                set(inner, name, new);
            }
            tell_extension(fields);
        }
        Spot::Reference(name) => {
            if let Some(inner) = parts(fields, ENTERPRISE) {
                set(inner, name, if new.is_null() { new } else { json!({ "value": new }) });
            }
            tell_extension(fields);
        }
        Spot::Listed(list) => {
            let held = slot(fields, list);
            if !held.is_array() {
                *held = json!([]);
            }
            let Some(values) = held.as_array_mut() else { return };
            match at {
                Some(at) if new.is_null() => drop(values.remove(at)),
                Some(at) => {
                    if let Some(one) = values.get_mut(at).and_then(Json::as_object_mut) {
                        set(one, "value", new);
                    }
                }
                None if new.is_null() => {}
                None => values.push(listing(kind, &new, list == "emails" && values.is_empty())),
            }
            drop_empty(fields, list);
        }
        Spot::Elsewhere => {}
    }
}

/// A value of a list, as we write a new one.
pub(super) fn listing(kind: &str, value: &Json, is_first: bool) -> Json {
    let mut one = json!({ "value": value, "type": kind });
    if is_first {
        one["primary"] = true.into();
    }
    one
}

fn set(fields: &mut Map<String, Json>, name: &str, value: Json) {
    if value.is_null() {
        fields.retain(|key, _| !key.eq_ignore_ascii_case(name));
    } else {
        *slot(fields, name) = value;
    }
}

fn drop_empty(fields: &mut Map<String, Json>, name: &str) {
    let is_empty =
        |value: &Json| value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
    fields.retain(|key, value| !(key.eq_ignore_ascii_case(name) && is_empty(value)));
}

/// Names the extension among the schemas exactly where there is something of it.
fn tell_extension(fields: &mut Map<String, Json>) {
    drop_empty(fields, ENTERPRISE);
    let is_there = fields.keys().any(|key| key.eq_ignore_ascii_case(ENTERPRISE));
    let slot = slot(fields, "schemas");
    let Some(schemas) = slot.as_array_mut() else { return };
    let named = schemas.iter().position(|urn| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(ENTERPRISE)));
    match (is_there, named) {
        (true, None) => schemas.push(ENTERPRISE.into()),
        (false, Some(at)) => drop(schemas.remove(at)),
        _ => {}
    }
}
