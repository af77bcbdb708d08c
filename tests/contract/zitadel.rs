//! ZITADEL, held against its descriptor set: every body, asked and answered, to the last field.
//!
//! ZITADEL ignores what it does not know and says 200 (`zitadel.md` section 1), so nothing but this shows a misspelt field.

use std::collections::BTreeSet;

use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor,
    ReflectMessage, Value as Field,
};
use serde_json::{Value, json};

use crate::{description, recorder::Exchange, workload::Work};

const COLUMNS: &[&str] =
    &["username", "email", "first_name", "last_name", "display_name", "nickname", "locale", "phone", "active"];

/// The services that are spoken to, and what their addresses begin with.
const SERVICES: &[(&str, &str)] = &[
    ("zitadel.management.v1.ManagementService", "/management/v1"),
    ("zitadel.user.v2.UserService", ""),
    ("zitadel.settings.v2.SettingsService", ""),
];

/// Calls of the interface for one's own account, which the descriptor set leaves out (`zitadel.md` section 12). They only
/// tell `check --connect` who we are, which goes on without an answer.
const NOT_DESCRIBED: &[&str] = &["GET /auth/v1/users/me", "POST /auth/v1/permissions/zitadel/me/_search"];

#[test]
fn every_body_that_passes_between_us_and_zitadel_4_is_one_it_knows() {
    let calls = [
        "DELETE /v2/users/{user_id}/metadata 200",
        "GET /v2/settings/domain 200",
        "GET /v2/users/{user_id} 200",
        "GET /v2/users/{user_id} 404",
        "PATCH /v2/users/{user_id} 200",
        "PATCH /v2/users/{user_id} 409",
        "POST /v2/users 200",
        "POST /v2/users/new 200",
        "POST /v2/users/{user_id}/deactivate 200",
        "POST /v2/users/{user_id}/reactivate 200",
        "POST /v2/users/{user_id}/lock 200",
        "POST /v2/users/{user_id}/metadata 200",
        "POST /v2/users/{user_id}/metadata/search 200",
        "POST /v2/users/{user_id}/unlock 200",
        "POST /zitadel.user.v2.UserService/DeleteUserMetadata 200",
        "POST /zitadel.user.v2.UserService/GetUserByID 401",
        "POST /zitadel.user.v2.UserService/UpdateUser 200",
    ];
    check("4.13.0", &calls);
}

#[test]
fn every_body_that_passes_between_us_and_zitadel_3_is_one_it_knows() {
    let calls = [
        "DELETE /management/v1/users/{id}/metadata/_bulk 200",
        "DELETE /management/v1/users/{user_id}/phone 200",
        "GET /v2/users/{user_id} 200",
        "POST /management/v1/users/{id}/metadata/_bulk 200",
        "POST /management/v1/users/{id}/metadata/_search 200",
        "POST /v2/users 200",
        "POST /v2/users/human 200",
        "POST /v2/users/{user_id}/deactivate 200",
        "POST /v2/users/{user_id}/lock 200",
        "POST /v2/users/{user_id}/reactivate 200",
        "POST /v2/users/{user_id}/unlock 200",
        "PUT /v2/users/human/{user_id} 200",
        "PUT /v2/users/human/{user_id} 409",
    ];
    check("3.2.1", &calls);
}

#[test]
fn every_body_that_passes_between_us_and_zitadel_2_is_one_it_knows() {
    let calls = [
        "DELETE /management/v1/users/{id}/metadata/_bulk 200",
        "DELETE /management/v1/users/{user_id}/phone 200",
        "GET /management/v1/users/{id} 200",
        "GET /management/v1/users/{id} 404",
        "POST /management/v1/users/_search 200",
        "POST /management/v1/users/human/_import 200",
        "POST /management/v1/users/{id}/_deactivate 200",
        "POST /management/v1/users/{id}/_lock 200",
        "POST /management/v1/users/{id}/_reactivate 200",
        "POST /management/v1/users/{id}/_unlock 200",
        "POST /management/v1/users/{id}/metadata/_bulk 200",
        "POST /management/v1/users/{id}/metadata/_search 200",
        "PUT /management/v1/users/{user_id}/email 200",
        "PUT /management/v1/users/{user_id}/phone 200",
        "PUT /management/v1/users/{user_id}/profile 200",
        "PUT /management/v1/users/{user_id}/username 200",
        "PUT /management/v1/users/{user_id}/username 409",
    ];
    check("2.30.0", &calls);
}

/// Does the work on this version and holds all that passed against the description.
fn check(version: &str, calls: &[&str]) {
    let Some(file) = description("zitadel.binpb") else { return };
    let pool = DescriptorPool::decode(std::fs::read(file).unwrap().as_slice()).unwrap();
    let seed = json!({
        "settings": { "version": version },
        "users": [
            { "id": "u1", "username": "mmuster", "email": "mia@example.com", "first_name": "Mia", "last_name": "Muster",
              "phone": "+41791234567" },
            { "id": "u3", "username": "lars", "email": "lars@example.com", "first_name": "Lars", "last_name": "L",
              "state": "inactive" },
            { "id": "u4", "username": "tdvorak", "email": "tomas@example.com", "first_name": "Tomas", "last_name": "D" },
            { "id": "u5", "username": "other", "email": "other@example.com", "first_name": "Otto", "last_name": "O",
              "gender": "male" },
            { "id": "u6", "username": "goes", "email": "goes@example.com", "first_name": "Gesa", "last_name": "G" },
            { "id": "u7", "username": "robot", "machine": true },
        ],
    });
    let work = Work::new("zitadel", &seed, 30, COLUMNS, None);
    working(&work, version);
    let ours = work.recorder.taken();
    asking(&work);
    let (mut faults, mut happened) = (BTreeSet::new(), BTreeSet::new());
    let all: Vec<(bool, Exchange)> = (ours.into_iter().map(|it| (true, it)))
        .chain(work.recorder.taken().into_iter().map(|it| (false, it)))
        .collect();
    for (is_ours, exchange) in &all {
        let (call, found) = faults_of(&pool, exchange, *is_ours, version.starts_with('4'));
        faults.extend(found.into_iter().map(|fault| format!("{call}: {fault}")));
        happened.insert(call);
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let unheard: Vec<_> = calls.iter().filter(|call| !happened.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {happened:#?}");
}

/// What the connector does.
fn working(work: &Work, version: &str) {
    work.apply(
        0,
        &[
            (
                "1",
                &[
                    ("username", "mia"),
                    ("email", "mia@example.com"),
                    ("first_name", "Mía"),
                    ("last_name", "Meyer"),
                    ("display_name", "Mía Meyer"),
                    ("nickname", "Mi"),
                    ("locale", "de"),
                    ("phone", "+41791234568"),
                    ("active", "yes"),
                ],
            ),
            (
                "2",
                &[
                    ("username", "new"),
                    ("email", "new@example.com"),
                    ("first_name", "Nele"),
                    ("last_name", "Neu"),
                    ("display_name", "Nele Neu"),
                    ("nickname", "N"),
                    ("locale", "en"),
                    ("phone", "+41791234569"),
                    ("active", "yes"),
                ],
            ),
            ("7", &[("username", "robot")]),
        ],
    );
    work.apply(0, &[("1", &[("email", "mia.meyer@example.com"), ("phone", "-"), ("active", "yes")])]);
    // A service user's name is changed by another part of the interface, which ZITADEL 3 does not have.
    if !version.starts_with('3') {
        work.apply(0, &[("7", &[("username", "machine")])]);
    }
    // Switched on again, and off.
    work.apply(
        0,
        &[
            ("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]),
            ("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]),
            ("6", &[("username", "goes"), ("email", "goes@example.com"), ("active", "yes")]),
        ],
    );
    operating(work);
    // Taken between plan and act.
    work.overtaken(7, &[("1", &[("username", "wanted"), ("active", "yes")])], |work| {
        work.meddle("u5", &json!({ "username": "wanted" }));
    });
    // Gone behind our back.
    work.meddle("u6", &json!({ "state": "deleted" }));
    work.hr(&[("6", &[("nickname", "G"), ("active", "yes")])]);
    work.look_around(None);
    work.look_around(Some("a-token-that-nobody-knows"));
}

/// What is no attribute: a row names the operation and what it takes.
fn operating(work: &Work) {
    let rules = std::fs::read(work.world.path("rules/all.rhai")).unwrap();
    let own = r#"
        join("zitadel", ["email", "username"]);
        source("hr", |row| {
            let arguments = #{};
            if row.name != "" { arguments.key = row.name; }
            if row.value != "" { arguments.value = row.value; }
            [#{ key: row.id }, perform("zitadel", row.operation, arguments)]
        });
    "#;
    work.world.write("rules/all.rhai", own.as_bytes());
    for (rows, noted, state) in [
        ("1,set_metadata,a/b,grün\n7,lock,,", json!({ "a/b": "grün" }), "locked"),
        ("1,delete_metadata,a/b,\n7,unlock,,", json!({}), "active"),
    ] {
        work.world.write("people.csv", format!("id,operation,name,value\n{rows}\n").as_bytes());
        let ran = work.world.homeward(&["apply", "--yes", "hr=people.csv"]);
        assert_eq!(ran.status, 0, "\n{}\n{}", ran.stdout, ran.stderr);
        let users = &work.world.state("zitadel")["users"];
        assert_eq!((&users["u1"]["metadata"], &users["u7"]["state"]), (&noted, &json!(state)));
    }
    work.world.write("rules/all.rhai", &rules);
}

/// Calls that no connector makes and the lab answers all the same: its answers must not be invented either.
fn asking(work: &Work) {
    let connect = |call: &str| format!("/zitadel.user.v2.UserService/{call}");
    let link = json!({ "idpLink": { "idpId": "gitlab", "userId": "42", "userName": "mia" } });
    let metadata = json!({ "metadata": [{ "key": "source", "value": "aHI=" }] });
    for (method, path, body) in [
        ("GET", "/v2/settings/domain".to_owned(), json!(null)),
        ("GET", "/management/v1/policies/domain".to_owned(), json!(null)),
        ("GET", "/management/v1/users/u1".to_owned(), json!(null)),
        ("GET", "/management/v1/users/u7".to_owned(), json!(null)),
        ("GET", "/v2/users/u7".to_owned(), json!(null)),
        ("POST", "/v2/users".to_owned(), json!({ "query": { "limit": 100 } })),
        ("POST", "/management/v1/users/_search".to_owned(), json!({ "query": { "limit": 100 } })),
        ("POST", "/v2/users/u1/email".to_owned(), json!({ "email": "m@example.com", "returnCode": {} })),
        ("POST", "/v2/users/u1/email".to_owned(), json!({ "email": "m@example.com", "isVerified": true })),
        ("POST", "/v2/users/u1/lock".to_owned(), json!({})),
        ("POST", "/v2/users/u1/unlock".to_owned(), json!({})),
        ("POST", "/v2/users/u1/unlock".to_owned(), json!({})),
        ("POST", "/management/v1/users/u1/_lock".to_owned(), json!({})),
        ("POST", "/management/v1/users/u1/_unlock".to_owned(), json!({})),
        ("POST", "/v2/users/u1/metadata".to_owned(), metadata.clone()),
        ("POST", "/v2/users/u1/metadata/search".to_owned(), json!({})),
        ("DELETE", "/v2/users/u1/metadata?keys=source".to_owned(), json!(null)),
        ("POST", "/management/v1/users/u1/metadata/source".to_owned(), json!({ "value": "aHI=" })),
        ("POST", "/management/v1/users/u1/metadata/_bulk".to_owned(), metadata.clone()),
        ("POST", "/management/v1/users/u1/metadata/_search".to_owned(), json!({ "query": { "limit": 10 } })),
        ("GET", "/management/v1/users/u1/metadata/source".to_owned(), json!(null)),
        ("DELETE", "/management/v1/users/u1/metadata/source".to_owned(), json!(null)),
        ("DELETE", "/management/v1/users/u1/metadata/source".to_owned(), json!(null)),
        ("DELETE", "/management/v1/users/u1/metadata/_bulk".to_owned(), json!({ "keys": ["source"] })),
        ("POST", connect("SetUserMetadata"), json!({ "userId": "u1", "metadata": metadata["metadata"] })),
        ("POST", connect("ListUserMetadata"), json!({ "userId": "u1" })),
        ("POST", connect("DeleteUserMetadata"), json!({ "userId": "u1", "keys": ["source"] })),
        ("POST", connect("DeleteUserMetadata"), json!({ "userId": "u1", "keys": ["source"] })),
        ("POST", "/v2/users/u1/links".to_owned(), link),
        ("POST", "/v2/users/u1/links/_search".to_owned(), json!({})),
        ("DELETE", "/v2/users/u1/links/gitlab/42".to_owned(), json!(null)),
        ("DELETE", "/v2/users/u4".to_owned(), json!(null)),
        ("PATCH", "/v2/users/u1".to_owned(), json!({ "username": "x" })),
        ("PATCH", "/v2/users/u1".to_owned(), json!({ "username": "", "human": {} })),
        (
            "PATCH",
            "/v2/users/u1".to_owned(),
            json!({ "human": { "email": { "email": "n@example.com", "returnCode": {} } } }),
        ),
        ("POST", connect("UpdateUser"), json!({ "userId": "u1", "username": "connected", "human": {} })),
        ("POST", connect("UpdateUser"), json!({ "userId": "nobody", "username": "x", "human": {} })),
        ("POST", connect("GetUserByID"), json!({ "userId": "u1" })),
        ("POST", connect("ListUsers"), json!({ "query": { "limit": 10 } })),
        ("POST", connect("DeactivateUser"), json!({ "userId": "u1" })),
        ("POST", connect("ReactivateUser"), json!({ "userId": "u1" })),
    ] {
        work.ask(method, &path, &body);
    }
}

/// The call, as the description names its address, and what is wrong with what was asked and answered. Where a server has
/// no Connect, such an address is one it does not know, and it says so on REST.
fn faults_of(pool: &DescriptorPool, exchange: &Exchange, is_ours: bool, has_connect: bool) -> (String, Vec<String>) {
    let path = exchange.path.split('?').next().unwrap();
    let Some((method, pattern)) = method(pool, &exchange.method, path) else {
        let call = format!("{} {path}", exchange.method);
        let fault = (!NOT_DESCRIBED.contains(&call.as_str())).then(|| "the description knows no such call".to_owned());
        return (format!("{call} {}", exchange.status), fault.into_iter().collect());
    };
    let mut faults = Vec::new();
    if !exchange.request.is_null() {
        let asked = read(method.input(), &exchange.request);
        match asked {
            Err(error) => faults.push(format!("asked: {error}")),
            // What is asked past the connector is wrong on purpose here and there.
            Ok(message) if is_ours => broken_rules(pool, &message, &mut faults),
            Ok(_) => {}
        }
    }
    let answered = match exchange.status {
        200 => read(method.output(), &exchange.answer).err(),
        _ => refused(pool, &exchange.answer, has_connect && path.starts_with("/zitadel.")),
    };
    faults.extend(answered.map(|error| format!("answered {}: {error}", exchange.status)));
    (format!("{} {pattern} {}", exchange.method, exchange.status), faults)
}

/// The body as this message, without a field it does not have.
fn read(shape: MessageDescriptor, body: &Value) -> Result<DynamicMessage, String> {
    let text = body.to_string();
    let mut reader = serde_json::Deserializer::from_str(&text);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(shape, &mut reader, &options).map_err(|error| error.to_string())
}

/// What is wrong with a refusal: `google.rpc.Status` on REST, Connect's own shape there, and in both the details are
/// ZITADEL's (`zitadel.md` section 3).
fn refused(pool: &DescriptorPool, answer: &Value, is_connect: bool) -> Option<String> {
    let Value::Object(fields) = answer else { return Some(format!("no object: {answer}")) };
    if let Some(strange) = fields.keys().find(|key| !["code", "message", "details"].contains(&key.as_str())) {
        return Some(format!("`{strange}` in a refusal"));
    }
    let code_fits = if is_connect { answer["code"].is_string() } else { answer["code"].is_u64() };
    if !code_fits || !answer["message"].is_string() {
        return Some(format!("no code and message: {answer}"));
    }
    let shape = pool.get_message_by_name("zitadel.v1.ErrorDetail").unwrap();
    for detail in answer["details"].as_array().into_iter().flatten() {
        let mut inner = if is_connect { detail["debug"].clone() } else { detail.clone() };
        let kind = if is_connect { "zitadel.v1.ErrorDetail" } else { "type.googleapis.com/zitadel.v1.ErrorDetail" };
        let named =
            if is_connect { Some(detail["type"].clone()) } else { inner.as_object_mut()?.shift_remove("@type") };
        if named != Some(kind.into()) {
            return Some(format!("a detail of another kind: {detail}"));
        }
        if let Err(error) = read(shape.clone(), &inner) {
            return Some(error);
        }
    }
    None
}

/// The call at this address, and the address as the description writes it; a plain part fits better than a variable.
fn method(pool: &DescriptorPool, verb: &str, path: &str) -> Option<(MethodDescriptor, String)> {
    if let Some((service, call)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        && let Some(service) = pool.get_service_by_name(service)
    {
        let method = service.methods().find(|method| method.name() == call)?;
        return (verb == "POST").then(|| (method, path.to_owned()));
    }
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let mut found: Vec<(MethodDescriptor, String)> = Vec::new();
    for (service, base) in SERVICES {
        let Some(rest) = path.strip_prefix(base) else { continue };
        for method in pool.get_service_by_name(service).unwrap().methods() {
            let rule = method.options().get_extension(&http).into_owned();
            let rule = rule.as_message().unwrap();
            let further = rule.get_field_by_name("additional_bindings").unwrap().into_owned();
            let further = further.as_list().unwrap().iter().filter_map(Field::as_message).cloned();
            for rule in std::iter::once(rule.clone()).chain(further) {
                let pattern = rule.get_field_by_name(&verb.to_lowercase()).unwrap().into_owned();
                let Some(pattern) = pattern.as_str().filter(|pattern| fits(pattern, rest)) else { continue };
                found.push((method.clone(), format!("{base}{pattern}")));
            }
        }
    }
    found.into_iter().min_by_key(|(_, pattern)| pattern.matches('{').count())
}

fn fits(pattern: &str, path: &str) -> bool {
    let (wanted, there): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, it)| *wanted == it || wanted.starts_with('{'))
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
            found.push(format!("asked: {} is missing", field.full_name()));
        }
        if let Some(text) = value.as_str()
            && (present || !field.supports_presence())
        {
            let length = text.chars().count() as u64;
            let least = rule(pool, &field, &["string", "min_len"]).and_then(|it| it.as_u64()).unwrap_or(0);
            let most = rule(pool, &field, &["string", "max_len"]).and_then(|it| it.as_u64()).unwrap_or(u64::MAX);
            let prefix = rule(pool, &field, &["string", "prefix"]);
            let begins = prefix.is_none_or(|prefix| text.starts_with(prefix.as_str().unwrap()));
            if !(least..=most).contains(&length) || !begins {
                found
                    .push(format!("asked: {} is too short, too long or begins otherwise: {text:?}", field.full_name()));
            }
        }
        match (present, value.as_ref()) {
            (true, Field::Message(inner)) => broken_rules(pool, inner, found),
            (true, Field::List(items)) => {
                items.iter().filter_map(Field::as_message).for_each(|inner| broken_rules(pool, inner, found));
            }
            _ => {}
        }
    }
}

fn rule(pool: &DescriptorPool, field: &FieldDescriptor, path: &[&str]) -> Option<Field> {
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
fn a_field_that_zitadel_would_ignore_is_found_asked_and_answered() {
    let Some(file) = description("zitadel.binpb") else { return };
    let pool = DescriptorPool::decode(std::fs::read(file).unwrap().as_slice()).unwrap();
    let count = |path: &str, status: u16, request: Value, answer: Value| {
        let (method, path) = ("PATCH".to_owned(), path.to_owned());
        let exchange = Exchange { method, path, request, status, answer, violations: Vec::new(), cut: false };
        faults_of(&pool, &exchange, true, true).1.len()
    };
    let path = "/v2/users/1";
    let (asked, answered) = (json!({ "username": "x", "human": {} }), json!({}));
    assert_eq!(count(path, 200, asked.clone(), answered.clone()), 0);
    assert_eq!(count(path, 200, json!({ "userName": "x", "human": {} }), answered.clone()), 1);
    assert_eq!(count(path, 200, json!({ "username": "", "human": {} }), answered.clone()), 1);
    assert_eq!(count(path, 200, asked.clone(), json!({ "sequence": "1" })), 1);
    assert_eq!(count(path, 409, asked.clone(), json!({ "code": 6, "message": "x", "reason": "x" })), 1);
    assert_eq!(count("/v2/user/1", 200, asked, answered), 1);
}
