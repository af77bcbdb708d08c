//! The server a seed describes: `people` and `groups` as SCIM has them, with an `id` where one is wanted. `schemas` may be
//! left out, and a group's `members` may be ids or logins.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    schema::{ENTERPRISE, Kind, Shape},
    settings::Settings,
    validity,
    world::World,
};

/// A seed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Seed {
    settings: Value,
    token: Option<String>,
    people: Vec<Map<String, Value>>,
    groups: Vec<Map<String, Value>>,
}

pub(super) const TOKEN: &str = "lab-scim-7f0d2c9b4e61a853";

/// The server a seed describes; the error names the field that is wrong.
pub(super) fn plant(seed: &Value) -> Result<World, String> {
    let seed: Seed = match seed {
        Value::Null => Seed::default(),
        seed => serde_json::from_value(seed.clone()).map_err(|error| format!("the seed: {error}"))?,
    };
    let settings = match &seed.settings {
        Value::Null => Settings::default(),
        settings => Settings::default().merged(settings)?,
    };
    let mut world = World::new(settings, seed.token.as_deref().unwrap_or(TOKEN));
    for (at, person) in seed.people.iter().enumerate() {
        settle(&mut world, Kind::User, person.clone()).map_err(|cause| format!("people[{at}]: {cause}"))?;
    }
    for (at, group) in seed.groups.iter().enumerate() {
        let place = |cause: String| format!("groups[{at}]: {cause}");
        let mut group = group.clone();
        for member in group.get_mut("members").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(name) = member.as_str() {
                let id = world.named(name).map_or_else(|| name.to_owned(), |user| user.id.clone());
                *member = json!({ "value": id });
            }
        }
        settle(&mut world, Kind::Group, group).map_err(place)?;
    }
    Ok(world)
}

fn settle(world: &mut World, kind: Kind, mut fields: Map<String, Value>) -> Result<(), String> {
    let id = match fields.shift_remove("id") {
        None => None,
        Some(Value::String(id)) if !id.is_empty() => Some(id),
        Some(_) => return Err("id: a text is expected".to_owned()),
    };
    // What this server leaves out of its schema is left out of a seed as well.
    let usual = Shape::of(kind, &Settings::default());
    let known = |name: &String| name == ENTERPRISE || name == "schemas" || usual.place(name).is_some();
    if let Some(unknown) = fields.keys().find(|name| !known(name)) {
        return Err(format!("{unknown}: there is no such attribute"));
    }
    fields.entry("schemas").or_insert_with(|| json!([kind.schema()]));
    let mut held = validity::resource(world.shape(kind), &fields.clone().into()).map_err(|fault| fault.detail)?;
    // What nobody may write over the interface is somebody's all the same.
    for (name, value) in fields {
        let is_there = world.shape(kind).place(&name).is_some_and(|place| place.attribute.is_some());
        if name != "schemas" && is_there && !held.contains_key(&name) && !value.is_null() {
            held.insert(name, value);
        }
    }
    world.add(kind, id, held).map(|_| ()).map_err(|fault| fault.detail)
}
