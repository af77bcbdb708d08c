//! What is noted of a user under a key: bytes, through the API v2 and the old one (`zitadel.md` 7).
//!
//! Both ways lead to the same entries. They differ in how a user is found, in ids of errors, and in what an answer holds.
//! The contract tells little of the old way: its shapes are those of the API description, its ids and its order of checks
//! those of the server's source (`internal/command/user_metadata.go`).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    access::{Caller, Permission, may},
    answers::{integer, metadata, old_metadata, without_zeros},
    changes::{allowed, list as items, text, write},
    instance::{Instance, Metadata, Moment, User, details, time},
    listing::{LARGEST_PAGE, bytes, excerpt, key_fits},
    refusal::{Code, Refusal},
};

type Body = Map<String, Value>;
type Answer = Result<Value, Refusal>;

/// The first generation that has metadata in the API v2, and that writes no event for a value that is there already.
const NEW: u32 = 4;

/// Refuses entries without a value.
pub(super) fn check(entries: &[Value]) -> Result<(), Refusal> {
    let empty = entries.iter().any(|entry| bytes(&entry["value"]).is_empty());
    if empty { Err(Refusal::invalid("META-2m00f", "Metadata key or value is empty")) } else { Ok(()) }
}

/// How many events it takes, where `earlier` events of the user go first in the same push; without `always` unchanged
/// keys are skipped.
pub(super) fn set(user: &mut User, entries: &[Value], always: bool, now: Moment, earlier: u64) -> u64 {
    let mut events = 0;
    for entry in entries {
        let (key, value) = (entry["key"].as_str().unwrap_or_default(), bytes(&entry["value"]));
        let held = user.metadata.get(key);
        if !always && held.is_some_and(|held| held.value == value) {
            continue;
        }
        events += 1;
        let (moment, sequence) = (now + earlier + events, user.sequence + earlier + events);
        let created = held.map_or(moment, |held| held.created);
        user.metadata.insert(key.to_owned(), Metadata { value, sequence, created, changed: moment });
    }
    events
}

/// The entries of a lab file, as if they came with the next event.
pub(super) fn planted(
    entries: &BTreeMap<String, Value>,
    now: Moment,
    sequence: u64,
) -> Result<BTreeMap<String, Metadata>, String> {
    let entry = |(key, given): (&String, &Value)| {
        let value = match (given.as_str(), given["base64"].as_str()) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, Some(text)) => STANDARD.decode(text).ok(),
            (None, None) => None,
        };
        let fault = || format!("metadata `{key}`: neither a text nor {{ \"base64\": … }}, or empty");
        let value = value.filter(|value| !value.is_empty()).ok_or_else(fault)?;
        let entry = Metadata { value, sequence: sequence + 1, created: now + 1, changed: now + 1 };
        Ok((key.clone(), entry))
    };
    entries.iter().map(entry).collect()
}

/// Takes these keys away, all or none; the error is that of the first that is not there.
fn take(user: &mut User, keys: &[&str], missing: &'static str) -> Result<u64, Refusal> {
    for key in keys {
        if user.metadata.remove(*key).is_none() {
            return Err(Refusal::of(Code::NotFound, missing, "Metadata could not be found"));
        }
    }
    Ok(keys.len() as u64)
}

fn nothing_given() -> Refusal {
    Refusal::precondition("META-9mm2d", "No metadata given")
}

/// An unknown user is 400 here, not 404 (`zitadel.md` 7).
fn nobody() -> Refusal {
    Refusal::precondition("COMMAND-uXHNj", "User could not be found")
}

// The API v2.

fn meant(instance: &Instance, body: &Body) -> Result<User, Refusal> {
    instance.user(text(body, "userId")).map(|user| user.as_ref().clone()).ok_or_else(nobody)
}

/// `POST /v2/users/{userId}/metadata`.
pub(super) fn set_some(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let entries = items(body, "metadata");
    if entries.is_empty() {
        return Err(nothing_given());
    }
    let mut user = meant(instance, body)?;
    allowed(instance, caller, &user, true)?;
    check(entries)?;
    let events = set(&mut user, entries, false, instance.now(), 0);
    let user = if events == 0 { user } else { write(instance, user, events)? };
    Ok(json!({ "setDate": time(user.changed) }))
}

/// `POST /v2/users/{userId}/metadata/search`: as in every list, what may not be read is not there, and neither is what an
/// unknown user has. The newest comes first unless `asc` is asked for.
pub(super) fn list(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let asked = body.get("pagination");
    let limit = page_limit(asked)?;
    let user = instance
        .user(text(body, "userId"))
        .filter(|user| caller.user == user.id || may(instance, caller, Permission::Read, &user.organization));
    let wanted = |key: &str| items(body, "filters").iter().all(|filter| key_fits(&filter["keyFilter"], key));
    let entries = user.iter().flat_map(|user| user.metadata.iter());
    let mut found: Vec<(&String, &Metadata)> = entries.filter(|(key, _)| wanted(key)).collect();
    found.sort_by_key(|(_, entry)| entry.created);
    if asked.is_none_or(|page| page["asc"] != true) {
        found.reverse();
    }
    let applied = if limit == 0 { 100 } else { limit };
    let page = json!({ "offset": asked.map(|asked| &asked["offset"]), "limit": applied });
    let shown: Vec<Value> = excerpt(&found, Some(&page)).iter().map(|(key, entry)| metadata(key, entry)).collect();
    let mut answer = json!({
        "pagination": { "totalResult": integer(found.len() as u64), "appliedLimit": integer(applied) },
        "metadata": shown,
    });
    without_zeros(&mut answer, &[]);
    Ok(answer)
}

fn page_limit(page: Option<&Value>) -> Result<u64, Refusal> {
    let limit = page.and_then(|page| page["limit"].as_u64()).unwrap_or(0);
    if limit > LARGEST_PAGE {
        return Err(Refusal::invalid("QUERY-4M0fs", "Limit is too large: at most 1000"));
    }
    Ok(limit)
}

/// `DELETE /v2/users/{userId}/metadata?keys=…`.
pub(super) fn delete(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let keys = keys(body)?;
    let mut user = meant(instance, body)?;
    allowed(instance, caller, &user, true)?;
    let events = take(&mut user, &keys, "META-2nnds")?;
    let user = write(instance, user, events)?;
    Ok(json!({ "deletionDate": time(user.changed) }))
}

fn keys(body: &Body) -> Result<Vec<&str>, Refusal> {
    let keys: Vec<&str> = items(body, "keys").iter().filter_map(Value::as_str).collect();
    if keys.is_empty() { Err(nothing_given()) } else { Ok(keys) }
}

// The old management API: it works in one organization.

fn own(instance: &Instance, caller: &Caller, body: &Body) -> Result<User, Refusal> {
    let user = instance.user(text(body, "id")).filter(|user| user.organization == caller.organization);
    user.map(|user| user.as_ref().clone()).ok_or_else(nobody)
}

/// Sets entries of a user of the caller's organization.
fn old_write(instance: &mut Instance, caller: &Caller, body: &Body, entries: &[Value]) -> Result<User, Refusal> {
    let mut user = own(instance, caller, body)?;
    check(entries)?;
    let always = instance.generation < NEW;
    let events = set(&mut user, entries, always, instance.now(), 0);
    if events == 0 { Ok(user) } else { write(instance, user, events) }
}

/// `POST …/metadata/{key}`: what was set counts as created.
pub(super) fn old_set(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let entry = json!({ "key": text(body, "key"), "value": body.get("value") });
    let user = old_write(instance, caller, body, &[entry])?;
    let entry = user.metadata.get(text(body, "key"));
    let (sequence, changed) = entry.map_or((0, 0), |entry| (entry.sequence, entry.changed));
    let details = json!({
        "sequence": sequence.to_string(),
        "creationDate": time(changed),
        "resourceOwner": user.organization,
    });
    Ok(json!({ "details": details }))
}

/// `POST …/metadata/_bulk`.
pub(super) fn old_set_some(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let entries = items(body, "metadata");
    if entries.is_empty() {
        return Err(nothing_given());
    }
    let user = old_write(instance, caller, body, entries)?;
    Ok(json!({ "details": details(&user) }))
}

/// `GET …/metadata/{key}`: an unknown user has no entry.
pub(super) fn old_get(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let gone = || Refusal::of(Code::NotFound, "QUERY-Rgh32", "Metadata could not be found");
    let user = own(instance, caller, body).map_err(|_| gone())?;
    let key = text(body, "key");
    let entry = user.metadata.get(key).ok_or_else(gone)?;
    Ok(json!({ "metadata": old_metadata(&user, key, entry) }))
}

/// `POST …/metadata/_search`: an unknown user has none.
pub(super) fn old_list(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let page = body.get("query");
    page_limit(page)?;
    let user = own(instance, caller, body).ok();
    let wanted = |key: &str| items(body, "queries").iter().all(|query| key_fits(&query["keyQuery"], key));
    let entries = user.iter().flat_map(|user| user.metadata.iter().map(move |(key, entry)| (user, key, entry)));
    let found: Vec<(&User, &String, &Metadata)> = entries.filter(|(_, key, _)| wanted(key)).collect();
    let shown = excerpt(&found, page).iter().map(|(user, key, entry)| old_metadata(user, key, entry));
    let mut answer = json!({
        "details": {
            "totalResult": integer(found.len() as u64),
            "processedSequence": integer(instance.now()),
            "viewTimestamp": time(instance.now()),
        },
        "result": shown.collect::<Vec<_>>(),
    });
    without_zeros(&mut answer, &[]);
    Ok(answer)
}

/// `DELETE …/metadata/{key}`.
pub(super) fn old_delete(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let mut user = own(instance, caller, body)?;
    let events = take(&mut user, &[text(body, "key")], "META-ncnw3")?;
    let user = write(instance, user, events)?;
    Ok(json!({ "details": details(&user) }))
}

/// `DELETE …/metadata/_bulk`, with the keys in the body.
pub(super) fn old_delete_some(instance: &mut Instance, caller: &Caller, body: &Body) -> Answer {
    let keys = keys(body)?;
    let mut user = own(instance, caller, body)?;
    let events = take(&mut user, &keys, "META-2nnds")?;
    let user = write(instance, user, events)?;
    Ok(json!({ "details": details(&user) }))
}
