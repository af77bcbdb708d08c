//! What a day must have come to: the same everywhere as if nobody had been killed, and nothing done twice.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Map, Value, json};

use crate::{common::World, company::SYSTEMS};

/// What simulators hold and were told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// The states, without what a server counts or makes up by itself.
    states: BTreeMap<&'static str, Value>,
    /// How often each write was answered with a yes.
    pub(crate) writes: BTreeMap<String, usize>,
}

/// What a server counts by itself: when something was done depends on what was done before.
const TIMES: [&str; 9] = [
    "last_picture_update",
    "create_at",
    "update_at",
    "last_password_update",
    "created_at",
    "updated_at",
    "confirmed_at",
    "changed",
    "email_id",
];

impl Day {
    pub(crate) fn of(world: &World) -> Self {
        let mut day = Self { states: BTreeMap::new(), writes: BTreeMap::new() };
        for system in SYSTEMS {
            day.states.insert(system, steady(&told(world, system, "state")));
            let asked = told(world, system, "requests");
            for one in asked.as_array().unwrap() {
                let is_taken = one["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
                if is_taken && !is_question(one) {
                    *day.writes.entry(line(system, one)).or_default() += 1;
                }
            }
        }
        day
    }

    /// What is otherwise than on an undisturbed day. `repeats` says which writes have no effect the second time, and so
    /// may be seen twice where the answer to the first was lost.
    pub(crate) fn differs(&self, calm: &Self, repeats: &dyn Fn(&str) -> bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (system, state) in &calm.states {
            differences(system, state, &self.states[system], &mut faults);
        }
        for (write, times) in &calm.writes {
            let seen = self.writes.get(write).copied().unwrap_or_default();
            if seen < *times {
                faults.push(format!("lost: {write}"));
            } else if seen > *times && !repeats(write) {
                faults.push(format!("{seen} times: {write}"));
            }
        }
        let unknown = self.writes.keys().filter(|write| !calm.writes.contains_key(*write));
        faults.extend(unknown.map(|write| format!("sent by nobody's plan: {write}")));
        faults
    }
}

/// What a route of the lab tells. Thousands of days are looked at, and a client for each question would take most of the time.
fn told(world: &World, system: &str, path: &str) -> Value {
    let url = world.url(system);
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /_lab/{path} HTTP/1.0\r\nhost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A write in one line; a password that was made up for it is left out.
fn line(system: &str, one: &Value) -> String {
    let mut body = one["body"].clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("password");
    }
    format!("{system} {} {} {body}", one["method"].as_str().unwrap(), one["path"].as_str().unwrap())
}

/// Some servers are asked with POST.
fn is_question(one: &Value) -> bool {
    let path = one["path"].as_str().unwrap().split('?').next().unwrap();
    one["method"] == "GET"
        || path == "/v2/users"
        || path.ends_with("/ids")
        || path.ends_with("/usernames")
        || path.ends_with("/ListUsers")
        || path.ends_with("/GetUserByID")
}

/// A state that two servers share which did the same in another order: people go by their names.
fn steady(state: &Value) -> Value {
    let users = state["users"].as_object().unwrap();
    let names: BTreeMap<String, String> =
        users.iter().map(|(id, user)| (id.clone(), user["username"].as_str().unwrap().to_owned())).collect();
    cleaned(state, &names)
}

fn cleaned(value: &Value, names: &BTreeMap<String, String>) -> Value {
    let name = |id: &str| names.get(id).cloned();
    match value {
        Value::Object(fields) => {
            let mut clean = Map::new();
            for (key, value) in fields {
                let key = name(key).unwrap_or_else(|| key.clone());
                let value = match key.as_str() {
                    key if TIMES.contains(&key) => continue,
                    // When somebody was switched off is a time; whether she was is not.
                    "delete_at" => json!(value.as_i64() != Some(0)),
                    "id" if fields.contains_key("message") => continue,
                    "id" => value
                        .as_u64()
                        .and_then(|id| name(&id.to_string()))
                        .map_or_else(|| cleaned(value, names), Value::from),
                    _ => cleaned(value, names),
                };
                clean.insert(key, value);
            }
            clean.sort_keys();
            Value::Object(clean)
        }
        Value::Array(all) => {
            let mut all: Vec<Value> = all.iter().map(|value| cleaned(value, names)).collect();
            all.sort_by_key(ToString::to_string);
            Value::Array(all)
        }
        Value::String(text) => name(text).map_or_else(|| value.clone(), Value::from),
        other => other.clone(),
    }
}

/// Tells where two values differ, each place once.
fn differences(place: &str, calm: &Value, found: &Value, faults: &mut Vec<String>) {
    match (calm, found) {
        (Value::Object(calm), Value::Object(found)) => {
            for (key, value) in calm {
                match found.get(key) {
                    Some(other) => differences(&format!("{place}.{key}"), value, other, faults),
                    None => faults.push(format!("{place}.{key} is missing")),
                }
            }
            let more = found.keys().filter(|key| !calm.contains_key(*key));
            faults.extend(more.map(|key| format!("{place}.{key} is one too many")));
        }
        (Value::Array(calm), Value::Array(found)) => {
            let missing = calm.iter().filter(|one| !found.contains(one));
            faults.extend(missing.map(|one| format!("{place} lacks {one}")));
            let more = found.iter().filter(|one| !calm.contains(one));
            faults.extend(more.map(|one| format!("{place} has {one} too many")));
            if calm.len() != found.len() {
                faults.push(format!("{place} has {} and not {}", found.len(), calm.len()));
            }
        }
        (calm, found) if calm != found => faults.push(format!("{place} is {found} and not {calm}")),
        _ => {}
    }
}
