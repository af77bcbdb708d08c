//! Tests only: holds a request against ZITADEL's own description of its interface.
//!
//! The description is a descriptor set that does not belong to this project; where it is not there, the check says so and
//! holds nothing against anything (`zitadel.md` section 12).

use std::path::PathBuf;

use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, MessageDescriptor, ReflectMessage, Value,
};
use serde_json::Value as Json;

/// The faults ZITADEL would find in this request; none where it would take it. `None`: the description is not here.
pub(super) fn faults(method: &str, path: &str, body: &Json) -> Option<Vec<String>> {
    let pool = description()?;
    let Some(shape) = shape_of(&pool, method, path) else { return Some(vec![format!("{method} {path} is no call")]) };
    if body.is_null() {
        return Some(Vec::new());
    }
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let text = body.to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    match DynamicMessage::deserialize_with_options(shape, &mut reader, &options) {
        Err(error) => Some(vec![error.to_string()]),
        Ok(message) => {
            let mut found = Vec::new();
            broken_rules(&pool, &message, &mut found);
            Some(found)
        }
    }
}

fn description() -> Option<DescriptorPool> {
    #[expect(clippy::disallowed_methods, reason = "a test looks for a file that is not part of the project")]
    let named = std::env::var_os("HOMEWARD_SHARED").map(PathBuf::from);
    let above =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared")).collect::<Vec<_>>();
    let file =
        named.into_iter().chain(above).map(|folder| folder.join("specs/zitadel.binpb")).find(|file| file.exists());
    if let Some(file) = file {
        return Some(DescriptorPool::decode(std::fs::read(file).unwrap().as_slice()).unwrap());
    }
    eprintln!("skipped: there is no specs/zitadel.binpb to hold requests against");
    None
}

/// The request shape of the call at this address, by the addresses the description gives.
fn shape_of(pool: &DescriptorPool, method: &str, path: &str) -> Option<MessageDescriptor> {
    let (service, path) = match path.strip_prefix("/management/v1") {
        Some(rest) => ("zitadel.management.v1.ManagementService", rest),
        None => ("zitadel.user.v2.UserService", path),
    };
    if let Some(call) = path.strip_prefix("/zitadel.user.v2.UserService/") {
        return Some(pool.get_service_by_name(service)?.methods().find(|it| it.name() == call)?.input());
    }
    let http = pool.get_extension_by_name("google.api.http")?;
    let fits = |pattern: &str| {
        pattern.split('/').count() == path.split('/').count()
            && pattern.split('/').zip(path.split('/')).all(|(wanted, there)| wanted == there || wanted.starts_with('{'))
    };
    // A plain part fits better than a variable.
    let service = pool.get_service_by_name(service)?;
    let found = service.methods().filter_map(|call| {
        let rule = call.options().get_extension(&http).into_owned();
        let rule = rule.as_message().unwrap().get_field_by_name(&method.to_lowercase()).unwrap().into_owned();
        let variables = rule.as_str().filter(|pattern| fits(pattern)).map(|pattern| pattern.matches('{').count())?;
        Some((variables, call))
    });
    let found = found.min_by_key(|(variables, _)| *variables).map(|(_, call)| call);
    found.map(|call| call.input())
}

/// Lengths, prefixes and required parts, as the description gives them for each field.
fn broken_rules(pool: &DescriptorPool, message: &DynamicMessage, found: &mut Vec<String>) {
    for field in message.descriptor().fields() {
        // What the address carries is not in the body.
        if ["userId", "id"].contains(&field.json_name()) {
            continue;
        }
        let present = message.has_field(&field);
        let value = message.get_field(&field);
        if rule(pool, &field, &["message", "required"]).is_some_and(|it| it.as_bool() == Some(true)) && !present {
            found.push(format!("{} is missing", field.full_name()));
        }
        if let Some(text) = value.as_str()
            && (present || !field.supports_presence())
        {
            let length = text.chars().count() as u64;
            let least = rule(pool, &field, &["string", "min_len"]).and_then(|it| it.as_u64()).unwrap_or(0);
            let most = rule(pool, &field, &["string", "max_len"]).and_then(|it| it.as_u64()).unwrap_or(u64::MAX);
            if !(least..=most).contains(&length) {
                found.push(format!("{} has {length} characters", field.full_name()));
            }
            let prefix = rule(pool, &field, &["string", "prefix"]);
            if prefix.is_some_and(|prefix| !text.starts_with(prefix.as_str().unwrap())) {
                found.push(format!("{} begins otherwise", field.full_name()));
            }
        }
        match (present, value.as_ref()) {
            (true, Value::Message(inner)) => broken_rules(pool, inner, found),
            (true, Value::List(items)) => {
                items.iter().filter_map(Value::as_message).for_each(|inner| broken_rules(pool, inner, found));
            }
            _ => {}
        }
    }
}

fn rule(pool: &DescriptorPool, field: &FieldDescriptor, path: &[&str]) -> Option<Value> {
    let rules = pool.get_extension_by_name("validate.rules")?;
    let mut value = field.options().get_extension(&rules).into_owned();
    for name in path {
        let message = value.as_message()?.clone();
        if !message.has_field_by_name(name) {
            return None;
        }
        value = message.get_field_by_name(name)?.into_owned();
    }
    Some(value)
}

#[test]
fn the_description_finds_a_field_that_zitadel_would_ignore() {
    let ask = |body: Json| faults("PATCH", "/v2/users/1", &body).map(|faults| faults.len());
    let misspelt = ask(serde_json::json!({ "userName": "x", "human": {} }));
    let too_short = ask(serde_json::json!({ "username": "", "human": {} }));
    let fine = ask(serde_json::json!({ "username": "x", "human": {} }));
    assert!(matches!((misspelt, too_short, fine), (Some(1), Some(1), Some(0)) | (None, None, None)));
}
