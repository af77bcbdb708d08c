//! What Discourse's answers mean: a user as an [`Account`], and a no as a [`Refusal`] (`discourse.md` 2, 3 and 7).
//!
//! An account whose address nobody confirmed is neither on nor off: whoever it belongs to lets herself in by mail, at any
//! time, and until then cannot sign in. So both can be asked for, and `active` is empty. Off is who is suspended, or only
//! staged.
//!
//! Texts are translated, so only the status and `error_type` count here, and no text of an answer is handed on: it may
//! hold values of people.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value as Json;

use crate::{
    model::{
        account::{Account, Facts, Identity},
        attribute::{AttributeName, Value},
        id::{AccountId, SystemName},
        refusal::{Refusal, RefusalKind},
    },
    wire::Reply,
};

use super::{allowance, settings::Settings, table::CAPABILITIES, table::FIELD};

/// What our key must be.
pub(super) const NEEDS: &str = "a key of an administrator is needed, without scopes: none of them covers renaming, \
                                addresses and switching accounts on";

/// Reads a user as any of Discourse's answers shows one; `None` where this is none. What an answer does not show is not
/// known, but profiles leave out what is empty.
pub(super) fn account(system: &SystemName, user: &Json, settings: &Settings, server: &Arc<Facts>) -> Option<Account> {
    let id = user.get("id")?.as_u64()?;
    user.get("username")?.as_str()?;
    let is_profile = user.get("can_edit_username").is_some();
    let mut attributes = BTreeMap::new();
    let flag = |name: &str| user.get(name).and_then(Json::as_bool);
    let is_suspended = user.get("suspended_at").is_some_and(|at| !at.is_null());
    for row in CAPABILITIES.attributes.iter().filter(|row| row.set.is_none()) {
        let shown = match row.name {
            "username" => user.get("username"),
            "active" => {
                if let Some(active) = flag("active") {
                    let is_on = match state(flag("staged"), flag("approved"), is_suspended, active) {
                        "inactive" => Value::Empty,
                        state => Value::Bool(matches!(state, "active" | "waiting")),
                    };
                    attributes.insert(AttributeName::new("active"), is_on);
                }
                continue;
            }
            name if row.remote == FIELD => match settings.field(name) {
                Some(id) => user.get(FIELD).and_then(|fields| fields.get(id.to_string())),
                None => continue,
            },
            _ => user.get(row.remote),
        };
        // A field that is not among those shown is none of this site's.
        let is_of_profile = matches!(row.name, "bio" | "location" | "website" | "locale");
        let value = match shown {
            Some(Json::String(text)) => Value::text(text),
            Some(Json::Null) => Value::Empty,
            None if is_of_profile && is_profile => Value::Empty,
            _ => continue,
        };
        attributes.insert(CAPABILITIES.name(system, row), value);
    }
    let mut facts = Facts::new();
    for (fact, name) in [("is_admin", "admin"), ("is_moderator", "moderator"), ("staged", "staged")] {
        facts.extend(flag(name).map(|yes| (fact.to_owned(), Value::Bool(yes))));
    }
    if let Some(active) = flag("active") {
        facts.insert("state".to_owned(), state(flag("staged"), flag("approved"), is_suspended, active).into());
        facts.insert("confirmed".to_owned(), active.into());
    }
    // What a list does not show is looked at with the address.
    facts.extend(lines(user, "secondary_emails").map(|all| (SECONDARY.to_owned(), all)));
    for name in FLAGS {
        facts.extend(flag(name).map(|yes| ((*name).to_owned(), Value::Bool(yes))));
    }
    let external = user.get("single_sign_on_record").map(|record| record.get("external_id").and_then(Json::as_str));
    if let Some(external) = external {
        facts.insert(LINKED.to_owned(), external.is_some().into());
    }
    let through = settings.signs_in_through.as_ref().zip(external.flatten());
    let identity = through.map(|(provider, id)| Identity { provider: provider.clone(), id: id.into() });
    Some(Account {
        system: system.clone(),
        id: Some(AccountId::from(id.to_string())),
        attributes,
        facts,
        identities: identity.into_iter().collect(),
        server: Arc::clone(server),
    })
}

/// The fact that names further addresses of the account, which were confirmed, one in a line.
pub(super) const SECONDARY: &str = "secondary_email";

/// What a list of addresses holds, one in a line; `None` where there is none, or nothing in it.
pub(super) fn lines(shown: &Json, list: &str) -> Option<Value> {
    let all = shown.get(list).and_then(Json::as_array)?;
    let all: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
    (!all.is_empty()).then(|| Value::text(&all.join("\n")))
}

/// Says whether the account is known to the identity provider behind `DiscourseConnect`.
pub(super) const LINKED: &str = "linked";

/// What may be changed of an account, as its profile shows it to whoever asks.
pub(super) const FLAGS: &[&str] = &[
    "can_edit_username",
    "can_edit_email",
    "can_edit_name",
    "can_change_bio",
    "can_change_location",
    "can_change_website",
];

fn state(staged: Option<bool>, approved: Option<bool>, is_suspended: bool, active: bool) -> &'static str {
    match (staged, approved) {
        (Some(true), _) => "staged",
        _ if is_suspended => "suspended",
        _ if !active => "inactive",
        (_, Some(false)) => "waiting",
        _ => "active",
    }
}

/// Discourse's word for the fault, such as `invalid_access`, or for the limit; never a text.
fn code(reply: &Reply, body: Option<&Json>) -> Option<String> {
    let word = body.and_then(|body| body.get("error_type")?.as_str());
    let word = reply.headers.get("discourse-rate-limit-error-code").map(String::as_str).or(word)?;
    let is_word = !word.is_empty() && word.len() <= 60 && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_');
    is_word.then(|| word.to_owned())
}

/// True for a no in one of the shapes that Discourse gives it (`discourse.md` 2).
pub(super) fn is_own_no(body: &Json) -> bool {
    body.get("errors").is_some_and(Json::is_array) || body.get("failed").and_then(Json::as_str) == Some("FAILED")
}

/// Understands a no, as far as one answer alone can be.
pub(super) fn refusal(reply: &Reply) -> Refusal {
    let body = reply.json();
    let (kind, reason) = if allowance::is_of_token(reply) {
        let reason = "Discourse gets too many requests with this person's key: it takes 20 a minute and 2880 a day of each, \
                      unless its settings say otherwise";
        (RefusalKind::RateLimited, reason.to_owned())
    } else {
        understand(reply.status, body.as_ref())
    };
    let pause = (kind == RefusalKind::RateLimited || kind == RefusalKind::Unavailable).then(|| allowance::wait(reply));
    Refusal {
        status: Some(reply.status),
        code: code(reply, body.as_ref()),
        retry_after: pause.flatten(),
        ..Refusal::new(kind, reason)
    }
}

fn understand(status: u16, body: Option<&Json>) -> (RefusalKind, String) {
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    let word = body.and_then(|body| body.get("error_type")?.as_str()).unwrap_or_default();
    match (status, word) {
        (429, _) => {
            say(RefusalKind::RateLimited, "Discourse gets too many requests: its limit is one for all admin keys")
        }
        (503, "read_only") => {
            say(RefusalKind::Unavailable, "Discourse takes no changes at present: it is read-only (503)")
        }
        (300..400, _) => {
            (RefusalKind::Unavailable, format!("Discourse sends us elsewhere ({status}): is `url` its own address?"))
        }
        (500.. | 408, _) => (RefusalKind::Unavailable, format!("Discourse is at fault or not at work ({status})")),
        (403, "not_logged_in") => say(RefusalKind::Forbidden, "Discourse sees no key: what stands in between drops it"),
        (403, _) => (
            RefusalKind::Forbidden,
            format!("Discourse does not let us do this, or does not take the key or `username`: {NEEDS}"),
        ),
        _ if body.is_none() && status != 404 => (
            RefusalKind::Unavailable,
            format!("the answer is not Discourse's own ({status}, no JSON): is `url` right?"),
        ),
        (404, _) => say(RefusalKind::NotFound, "Discourse has no such account"),
        (409, _) => say(RefusalKind::Invalid, "the account is so already at Discourse; plan again"),
        (400, _) => say(RefusalKind::Invalid, "Discourse misses something in the request or does not understand it"),
        (410, _) => say(RefusalKind::Unsupported, "Discourse has this switched off"),
        (422 | 428, _) => say(RefusalKind::Invalid, "Discourse does not accept the values sent"),
        _ => (RefusalKind::Invalid, format!("Discourse does not take the request ({status})")),
    }
}

/// True for the answer to a rename that changes nothing: one error without a word (`discourse.md` 4).
pub(super) fn is_unchanged(reply: &Reply) -> bool {
    let errors = reply.json().and_then(|body| body.get("errors").cloned());
    reply.status == 422 && errors == Some(serde_json::json!([""]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(user: &Json, settings: &Settings) -> Account {
        account(&"forum".into(), user, settings, &Arc::default()).unwrap()
    }

    fn reply(status: u16, body: &Json) -> Reply {
        Reply::new(status, [], body.to_string().into_bytes())
    }

    #[test]
    fn a_row_of_the_list_shows_what_lists_show_and_nothing_else() {
        let row = json!({
            "id": 7, "username": "anna", "name": null, "email": "a@example.org", "active": true, "admin": false,
            "moderator": true, "staged": false, "title": "Chief", "suspended_at": "2026-01-01", "suspended_till": "2099",
        });
        let account = read(&row, &Settings::default());
        let expected = [
            ("username", Value::text("anna")),
            ("display_name", Value::Empty),
            ("email", Value::text("a@example.org")),
            ("active", Value::Bool(false)),
            ("forum.title", Value::text("Chief")),
        ];
        assert_eq!(account.attributes, expected.map(|(name, value)| (name.into(), value)).into());
        assert_eq!((account.fact("state"), account.is("is_moderator")), (Some("suspended"), true));
    }

    #[test]
    fn an_account_that_nobody_confirmed_is_neither_on_nor_off() {
        for (fields, expected) in [
            (json!({ "active": true }), Value::Bool(true)),
            (json!({ "active": true, "approved": false }), Value::Bool(true)),
            (json!({ "active": false }), Value::Empty),
            (json!({ "active": false, "suspended_at": "2026-01-01" }), Value::Bool(false)),
            (json!({ "active": true, "suspended_at": "2026-01-01" }), Value::Bool(false)),
            (json!({ "active": false, "staged": true }), Value::Bool(false)),
        ] {
            let mut user = json!({ "id": 7, "username": "anna" });
            user.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            assert_eq!(read(&user, &Settings::default()).attributes.get(&"active".into()), Some(&expected), "{fields}");
        }
    }

    #[test]
    fn a_profile_leaves_out_what_is_empty() {
        let mapped = serde_json::from_value(json!({ "user_fields": { "department": 2 } })).unwrap();
        let user = json!({
            "id": 7, "username": "anna", "name": "Anna", "can_edit_username": false, "title": null, "locale": "de",
            "location": "Bern", "user_fields": { "1": "x", "2": "Kitchen", "4": null },
        });
        let account = read(&user, &mapped);
        for (name, value) in [
            ("forum.bio", Value::Empty),
            ("forum.location", "Bern".into()),
            ("locale", "de".into()),
            ("department", "Kitchen".into()),
            ("forum.user_field_1", "x".into()),
            ("forum.user_field_4", Value::Empty),
        ] {
            assert_eq!(account.attributes.get(&name.into()), Some(&value), "{name}");
        }
        for name in ["email", "active", "phone", "forum.user_field_3"] {
            assert!(!account.attributes.contains_key(&name.into()), "{name}");
        }
        assert_eq!(account.facts.get("can_edit_username"), Some(&Value::Bool(false)));
    }

    #[test]
    fn a_no_is_understood_by_its_status_and_its_word() {
        use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Unavailable};
        for (status, body, kind) in [
            (400, json!({ "errors": ["x"] }), Invalid),
            (403, json!({ "failed": "FAILED" }), Forbidden),
            (403, json!({ "errors": ["x"], "error_type": "not_logged_in" }), Forbidden),
            (404, json!({ "errors": ["x"], "error_type": "not_found" }), NotFound),
            (409, json!({ "failed": "FAILED", "message": "x" }), Invalid),
            (422, json!({ "errors": ["x"] }), Invalid),
            (429, json!({ "errors": ["x"], "error_type": "rate_limit", "extras": { "wait_seconds": 9 } }), RateLimited),
            (503, json!({ "errors": ["x"], "error_type": "read_only" }), Unavailable),
            (502, json!("page"), Unavailable),
        ] {
            let refusal = refusal(&reply(status, &body));
            assert_eq!((refusal.kind, refusal.status), (kind, Some(status)), "{body}");
            assert_eq!(refusal.retry_after.is_some(), status == 429);
            assert_eq!(refusal.code.as_deref(), body["error_type"].as_str());
        }
        let page = Reply::new(429, [("Retry-After".to_owned(), "4".to_owned())], b"Slow down".to_vec());
        assert_eq!(refusal(&page).retry_after, Some(std::time::Duration::from_secs(4)));
        let page = Reply::new(418, [], b"<html>".to_vec());
        assert_eq!(refusal(&page).kind, Unavailable);
    }

    #[test]
    fn one_empty_error_means_that_nothing_was_to_do() {
        assert!(is_unchanged(&reply(422, &json!({ "errors": [""] }))));
        for other in [json!({ "errors": ["", ""] }), json!({ "errors": ["x"] }), json!({})] {
            assert!(!is_unchanged(&reply(422, &other)), "{other}");
        }
    }
}
