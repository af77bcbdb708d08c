//! Several requests in one (RFC 7644 3.7): in the order that their references to one another allow, told in the order
//! in which they were sent.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    door::{self, Asked},
    fault::Fault,
    schema::field,
    world::World,
};

const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// Carries out a bulk request.
pub(super) fn bulk(world: &mut World, sent: &Value) -> Result<Value, Fault> {
    let syntax = |detail: &str| Fault::bad("invalidSyntax", detail);
    let sent = sent.as_object().ok_or_else(|| syntax("A bulk request is a JSON object."))?;
    let schemas = field(sent, "schemas").and_then(Value::as_array);
    let is_bulk = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(REQUEST));
    if !schemas.is_some_and(|schemas| schemas.iter().any(is_bulk)) {
        return Err(syntax("`schemas` must name the schema of a bulk request."));
    }
    let operations = field(sent, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| syntax("`Operations` is a list."))?;
    let most = world.settings.bulk_operations;
    if operations.len() > most {
        let detail = format!("The size of the bulk operation exceeds the maxOperations ({most}).");
        return Err(Fault::new(413, detail));
    }
    let patience = field(sent, "failOnErrors").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let mut errors = 0;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut told: Vec<Option<Value>> = vec![None; operations.len()];
    let mut waiting: Vec<usize> = (0..operations.len()).collect();
    while errors < patience
        && let Some(next) = waiting.iter().position(|at| !refers_on(&operations[*at], &ids))
    {
        let at = waiting.remove(next);
        let answer = one(world, &operations[at], &mut ids);
        errors += u64::from(answer["status"].as_str().is_some_and(|status| status >= "400"));
        told[at] = Some(answer);
    }
    for at in waiting.into_iter().filter(|_| errors < patience) {
        let fault = Fault::bad("invalidValue", "A bulkId is referred to that no operation makes.");
        told[at] = Some(no(&operations[at], &fault));
    }
    Ok(json!({ "schemas": [RESPONSE], "Operations": told.into_iter().flatten().collect::<Vec<_>>() }))
}

/// True where an operation speaks of something that is not made yet.
fn refers_on(operation: &Value, ids: &BTreeMap<String, String>) -> bool {
    match operation {
        Value::String(text) => references(text).any(|name| !ids.contains_key(name)),
        Value::Array(values) => values.iter().any(|value| refers_on(value, ids)),
        Value::Object(parts) => parts.iter().any(|(name, value)| name != "bulkId" && refers_on(value, ids)),
        _ => false,
    }
}

fn references(text: &str) -> impl Iterator<Item = &str> {
    let end = |rest: &str| rest.find(|c: char| !(c.is_alphanumeric() || "-_".contains(c))).unwrap_or(rest.len());
    text.split("bulkId:").skip(1).map(move |rest| &rest[..end(rest)])
}

fn resolved(value: &Value, ids: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            for (name, id) in ids {
                text = text.replace(&format!("bulkId:{name}"), id);
            }
            text.into()
        }
        Value::Array(values) => values.iter().map(|value| resolved(value, ids)).collect(),
        Value::Object(parts) => {
            Value::Object(parts.iter().map(|(name, value)| (name.clone(), resolved(value, ids))).collect())
        }
        other => other.clone(),
    }
}

fn one(world: &mut World, operation: &Value, ids: &mut BTreeMap<String, String>) -> Value {
    let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
    let method = text("method").to_uppercase();
    if !["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str()) {
        return no(operation, &Fault::bad("invalidSyntax", "`method` is none of these."));
    }
    if method == "POST" && text("bulkId").is_empty() {
        return no(operation, &Fault::bad("invalidSyntax", "A POST needs a `bulkId`."));
    }
    let path = resolved(&text("path").into(), ids);
    let asked = Asked {
        method: method.clone(),
        path: path.as_str().unwrap_or_default().to_owned(),
        query: String::new(),
        if_match: operation.get("version").and_then(Value::as_str).map(str::to_owned),
        if_none_match: None,
        body: operation.get("data").map_or(Value::Null, |data| resolved(data, ids)),
    };
    if asked.path.eq_ignore_ascii_case("/Bulk") {
        return no(operation, &Fault::bad("invalidSyntax", "A bulk request holds no other."));
    }
    let answer = door::answer(world, &asked);
    if answer.status >= 400 {
        let mut told = head(operation);
        told["status"] = answer.status.to_string().into();
        if method != "POST" {
            told["location"] = format!("{}{}", world.base, asked.path).into();
        }
        told["response"] = answer.body.unwrap_or_default();
        return told;
    }
    let id = answer.body.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str);
    if let Some(id) = id.filter(|_| method == "POST") {
        ids.insert(text("bulkId").to_owned(), id.to_owned());
    }
    let mut told = json!({});
    told["location"] = answer.location.unwrap_or_else(|| format!("{}{}", world.base, asked.path)).into();
    for (name, value) in head(operation).as_object().into_iter().flatten() {
        told[name.as_str()] = value.clone();
    }
    if let Some(version) = answer.etag {
        told["version"] = version.into();
    }
    told["status"] = answer.status.to_string().into();
    told
}

fn head(operation: &Value) -> Value {
    let mut head = json!({ "method": operation.get("method") });
    if let Some(id) = operation.get("bulkId") {
        head["bulkId"] = id.clone();
    }
    head
}

fn no(operation: &Value, fault: &Fault) -> Value {
    let mut told = head(operation);
    told["status"] = fault.status.to_string().into();
    told["response"] = fault.shown();
    told
}
