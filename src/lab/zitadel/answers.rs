//! How stored things are written down on the wire.
//!
//! Zero values are left out, except the fields that are set explicitly (`zitadel.md` 1 and 6).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::instance::{Instance, Kind, Metadata, User, details, time};

/// Members that are written even when they are zero.
const ALWAYS: [&str; 4] = ["nickName", "displayName", "preferredLanguage", "gender"];

/// Leaves out zero values, as the marshaller does; a message that is set stays, even when it is empty.
pub(super) fn without_zeros(value: &mut Value, always: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, member| always.contains(&name.as_str()) && !member.is_null() || !is_zero(member));
            members.values_mut().for_each(|member| without_zeros(member, always));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without_zeros(item, always)),
        _ => {}
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A 64-bit integer: text, and nothing for zero.
pub(super) fn integer(number: u64) -> Value {
    if number == 0 { Value::Null } else { number.to_string().into() }
}

fn whole_details(user: &User) -> Value {
    let mut whole = details(user);
    whole["creationDate"] = time(user.created).into();
    whole
}

/// A user of the API v2 (`zitadel.md` 6).
pub(super) fn user(instance: &Instance, user: &User) -> Value {
    let login_name = instance.login_name(user);
    let mut shown = json!({
        "userId": user.id,
        "details": whole_details(user),
        "state": user.state.name(),
        "username": user.username,
        "loginNames": [login_name],
        "preferredLoginName": login_name,
    });
    match &user.kind {
        Kind::Human(human) => {
            shown["human"] = json!({
                "profile": {
                    "givenName": human.given_name,
                    "familyName": human.family_name,
                    "nickName": human.nick_name,
                    "displayName": human.display_name,
                    "preferredLanguage": human.preferred_language,
                    "gender": human.gender,
                },
                "email": { "email": human.email, "isVerified": human.email_verified },
                "phone": { "phone": human.phone, "isVerified": human.phone_verified },
            });
            without_zeros(&mut shown, &ALWAYS);
        }
        Kind::Machine(machine) => {
            let jwt = (machine.token_type != "ACCESS_TOKEN_TYPE_BEARER").then_some(&machine.token_type);
            let machine = json!({ "name": machine.name, "description": machine.description, "accessTokenType": jwt });
            shown["machine"] = machine;
            without_zeros(&mut shown, &[]);
        }
    }
    shown
}

/// A user of the management API v1.
pub(super) fn old_user(instance: &Instance, user: &User) -> Value {
    let login_name = instance.login_name(user);
    let mut shown = json!({
        "id": user.id,
        "details": whole_details(user),
        "state": user.state.name(),
        "userName": user.username,
        "loginNames": [login_name],
        "preferredLoginName": login_name,
    });
    match &user.kind {
        Kind::Human(human) => {
            let gender = (human.gender != "GENDER_UNSPECIFIED").then_some(&human.gender);
            shown["human"] = json!({
                "profile": {
                    "firstName": human.given_name,
                    "lastName": human.family_name,
                    "nickName": human.nick_name,
                    "displayName": human.display_name,
                    "preferredLanguage": human.preferred_language,
                    "gender": gender,
                },
                "email": { "email": human.email, "isEmailVerified": human.email_verified },
                "phone": { "phone": human.phone, "isPhoneVerified": human.phone_verified },
            });
        }
        Kind::Machine(machine) => {
            shown["machine"] = json!({ "name": machine.name, "description": machine.description });
        }
    }
    without_zeros(&mut shown, &[]);
    shown
}

/// An entry of the API v2.
pub(super) fn metadata(key: &str, entry: &Metadata) -> Value {
    json!({
        "creationDate": time(entry.created),
        "changeDate": time(entry.changed),
        "key": key,
        "value": STANDARD.encode(&entry.value),
    })
}

/// An entry of the management API v1.
pub(super) fn old_metadata(user: &User, key: &str, entry: &Metadata) -> Value {
    json!({
        "details": {
            "sequence": integer(entry.sequence),
            "creationDate": time(entry.created),
            "changeDate": time(entry.changed),
            "resourceOwner": user.organization,
        },
        "key": key,
        "value": STANDARD.encode(&entry.value),
    })
}

/// Text as text; bytes that are none as the wire writes them.
fn dumped_bytes(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| json!({ "base64": STANDARD.encode(bytes) }), Value::from)
}

/// Everything about a user that a test may want to compare; no secrets.
pub(super) fn dumped(user: &User) -> Value {
    let metadata: serde_json::Map<String, Value> =
        user.metadata.iter().map(|(key, entry)| (key.clone(), dumped_bytes(&entry.value))).collect();
    let links: Vec<Value> = user
        .links
        .iter()
        .map(|link| {
            json!({
                "idp_id": link.idp,
                "user_id": link.user,
                "user_name": link.name,
                "auto_update": link.auto_update,
            })
        })
        .collect();
    let mut shown = json!({
        "organization": user.organization,
        "username": user.username,
        "state": user.state.name().trim_start_matches("USER_STATE_").to_lowercase(),
        "machine": user.human().is_none(),
        "sequence": user.sequence,
        "changed": time(user.changed),
    });
    match &user.kind {
        Kind::Human(human) => {
            let gender = human.gender.trim_start_matches("GENDER_").to_lowercase();
            for (name, value) in [
                ("first_name", Value::from(human.given_name.as_str())),
                ("last_name", human.family_name.as_str().into()),
                ("display_name", human.display_name.as_str().into()),
                ("nickname", human.nick_name.as_str().into()),
                ("email", human.email.as_str().into()),
                ("email_verified", human.email_verified.into()),
                ("phone", human.phone.as_str().into()),
                ("phone_verified", human.phone_verified.into()),
                ("preferred_language", human.preferred_language.as_str().into()),
                ("gender", gender.into()),
            ] {
                shown[name] = value;
            }
        }
        Kind::Machine(machine) => {
            shown["name"] = machine.name.as_str().into();
            shown["description"] = machine.description.as_str().into();
        }
    }
    shown["metadata"] = metadata.into();
    shown["idp_links"] = links.into();
    shown
}
