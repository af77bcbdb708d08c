//! What GitLab's answers mean: a user as an [`Account`], and a no as a [`Refusal`].
//!
//! A no comes in four shapes (`gitlab.md` 1.2), and its texts are translated into the language of the token's owner. So
//! only the status and the keys count here. No text of an answer is handed on: it may hold values of people.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value as Json;

use crate::{
    model::{
        account::{Account, Facts, Identity},
        attribute::Value,
        id::{AccountId, SystemName},
        refusal::{Refusal, RefusalKind},
    },
    wire::Reply,
};

use super::{allowance::until_reset, foresee::PRIVATE, settings::TokenKind, switch::may_sign_in, table::CAPABILITIES};

/// What a token must be to administer users.
pub(super) const NEEDS: &str =
    "a token of an administrator with the scope `api` is needed, and with `admin_mode` too where Admin Mode is on";

/// Reads a user as an administrator is shown it; `None` where this is no user.
pub(super) fn account(system: &SystemName, user: &Json, server: &Arc<Facts>) -> Option<Account> {
    let id = user.get("id")?.as_u64()?;
    let username = user.get("username")?.as_str()?;
    let state = user.get("state")?.as_str()?;
    let mut attributes = BTreeMap::new();
    for row in CAPABILITIES.attributes.iter().filter(|row| row.set.is_none()) {
        let value = match user.get(row.remote) {
            _ if row.name == "active" => Value::Bool(may_sign_in(state)),
            Some(Json::String(address)) if row.name == "commit_email" && is_private(id, username, address) => {
                PRIVATE.into()
            }
            Some(Json::String(text)) => Value::text(text),
            Some(Json::Null) => Value::Empty,
            // Not shown by this version: not known, which is not the same as empty.
            _ => continue,
        };
        attributes.insert(CAPABILITIES.name(system, row), value);
    }
    let mut facts = Facts::from([("state".to_owned(), Value::text(state))]);
    for name in ["is_admin", "bot", "external"] {
        if let Some(yes) = user.get(name).and_then(Json::as_bool) {
            facts.insert(name.to_owned(), yes.into());
        }
    }
    let identities = user.get("identities").and_then(Json::as_array).into_iter().flatten();
    let identity = |identity: &Json| {
        let text = |key: &str| identity.get(key).and_then(Json::as_str);
        Some(Identity { provider: text("provider")?.to_owned(), id: text("extern_uid")?.into() })
    };
    Some(Account {
        system: system.clone(),
        id: Some(AccountId::from(id.to_string())),
        attributes,
        facts,
        identities: identities.filter_map(identity).collect(),
        server: Arc::clone(server),
    })
}

/// GitLab stores the word `_private` and shows the address it stands for: id and username at a host of GitLab's own.
fn is_private(id: u64, username: &str, address: &str) -> bool {
    let local = address.split_once('@').map_or("", |(local, _)| local);
    local.eq_ignore_ascii_case(&format!("{id}-{username}"))
}

/// True where the answer shows what only administrators are shown.
pub(super) fn is_full(user: &Json) -> bool {
    user.get("is_admin").is_some_and(Json::is_boolean)
}

/// As much of an answer as a no can be understood from.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// `None` where it is no JSON.
    pub(super) body: Option<Json>,
    pub(super) pause: Option<Duration>,
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        let pause = reply.retry_after().or_else(|| until_reset(reply));
        Self { status: reply.status, body: reply.json(), pause }
    }
}

/// True for a 404 in GitLab's own form: its text begins with the number in every language (`gitlab.md` 1.2).
pub(super) fn is_own_no(body: Option<&Json>) -> bool {
    let text = body.and_then(|body| body.get("message").or_else(|| body.get("error"))?.as_str());
    text.is_some_and(|text| text.starts_with("404"))
}

/// Understands a no. `sent` is the body of the request, `null` for a read.
pub(super) fn refusal(answer: &Answer, sent: &Json, token: TokenKind) -> Refusal {
    let (kind, reason) = understand(answer, sent, token);
    Refusal {
        status: Some(answer.status),
        code: code(answer).map(str::to_owned),
        retry_after: answer.pause.filter(|_| kind == RefusalKind::RateLimited),
        ..Refusal::new(kind, reason)
    }
}

fn understand(answer: &Answer, sent: &Json, token: TokenKind) -> (RefusalKind, String) {
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    // The request throttle answers in plain text; every other no of GitLab's own is JSON.
    if answer.status == 429 {
        return say(RefusalKind::RateLimited, "GitLab gets too many requests from us");
    }
    let Some(body) = answer.body.as_ref().filter(|_| (400..500).contains(&answer.status) && answer.status != 408)
    else {
        return (RefusalKind::Unavailable, unavailable(answer.status));
    };
    match answer.status {
        400 => validation(body, sent),
        401 => (RefusalKind::Forbidden, stranger(token).to_owned()),
        403 => (RefusalKind::Forbidden, forbidden(code(answer))),
        404 => say(RefusalKind::NotFound, "GitLab has no such account"),
        405 => say(RefusalKind::Unsupported, "GitLab does not allow this here"),
        409 => taken(has(sent, "username"), has(sent, "email")),
        412 => say(RefusalKind::Invalid, "the account changed at GitLab in the meantime; plan again"),
        422 => say(RefusalKind::Invalid, "GitLab understood the request and cannot carry it out"),
        other => (RefusalKind::Invalid, format!("GitLab does not take the request ({other})")),
    }
}

/// The word of the OAuth shape, such as `insufficient_scope`; never a text.
fn code(answer: &Answer) -> Option<&str> {
    let word = answer.body.as_ref()?.get("error")?.as_str()?;
    let is_word = !word.is_empty() && word.len() <= 60 && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_word && matches!(answer.status, 401 | 403)).then_some(word)
}

fn unavailable(status: u16) -> String {
    match status {
        300..400 => format!("GitLab sends us elsewhere ({status}): is `url` the address it has itself?"),
        500.. | 408 => format!("GitLab is at fault or not at work ({status})"),
        _ => format!("the answer is not GitLab's own ({status}, no JSON): is `url` right, and what stands in between?"),
    }
}

fn stranger(token: TokenKind) -> &'static str {
    match token {
        TokenKind::Personal => "GitLab does not take the token: it is wrong, expired or revoked; make a new one",
        TokenKind::Oauth => {
            "GitLab does not take the token: it is wrong, expired or revoked; OAuth tokens end soon, so a personal access \
             token suits this better"
        }
    }
}

fn forbidden(code: Option<&str>) -> String {
    match code {
        Some("insufficient_scope") => "the token's scope is too small: it needs the scope `api`".to_owned(),
        Some("insufficient_granular_scope") => {
            "the token is a fine-grained one and lacks the permission for this; a token with the scope `api` has it"
                .to_owned()
        }
        _ => format!("GitLab does not let us do this: {NEEDS}"),
    }
}

/// A value that somebody else has, by what was sent.
pub(super) fn taken(username: bool, email: bool) -> (RefusalKind, String) {
    let reason = match (username, email) {
        (true, false) => "the `username` belongs to somebody else at GitLab",
        (false, true) => {
            "the `email` belongs to somebody else at GitLab, perhaps as a secondary address; it has to be deleted there first"
        }
        (true, true) => "the `username` or the `email` belongs to somebody else at GitLab",
        (false, false) => "GitLab sees a conflict with something that exists already",
    };
    (RefusalKind::Taken, reason.to_owned())
}

/// A 400: model validation names the fields as keys, parameter validation names none that could be relied on.
fn validation(body: &Json, sent: &Json) -> (RefusalKind, String) {
    let Some(fields) = body.get("message").and_then(Json::as_object) else {
        return (RefusalKind::Invalid, "GitLab misses something in the request or does not understand it".to_owned());
    };
    let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
    if fields == ["base"] && has(sent, "username") {
        let reason = "the `username` belongs to a group at GitLab, or still redirects to somebody who had it";
        return (RefusalKind::Taken, reason.to_owned());
    }
    let named: Vec<String> = fields.iter().filter_map(|field| named(field)).map(|name| format!("`{name}`")).collect();
    let hints: Vec<&str> = fields.iter().filter_map(|field| hint(field)).collect();
    let named = if named.is_empty() { "the values sent".to_owned() } else { named.join(", ") };
    let hints = if hints.is_empty() { String::new() } else { format!(": {}", hints.join("; ")) };
    (RefusalKind::Invalid, format!("GitLab does not accept {named}{hints}"))
}

/// Our word for a field of GitLab's; `None` for what is no field's name.
fn named(field: &str) -> Option<&str> {
    let row = CAPABILITIES.attributes.iter().find(|row| row.remote == field && row.write.is_yes());
    let is_name = field != "base" && field.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'));
    row.map(|row| row.name).or_else(|| is_name.then_some(field))
}

fn hint(field: &str) -> Option<&'static str> {
    match field {
        "username" => Some(
            "it may be reserved, be the address of a Pages site, or have to stay because a personal project holds \
             container images",
        ),
        "email" => Some("the sign-up rules for mail domains hold for changes too"),
        "public_email" | "commit_email" => Some("only an address that the person has confirmed can be used there"),
        _ => None,
    }
}

pub(super) fn has(sent: &Json, field: &str) -> bool {
    sent.get(field).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::attribute::AttributeName;

    fn no(status: u16, body: Json, sent: &Json) -> Refusal {
        refusal(&Answer { status, body: Some(body), pause: None }, sent, TokenKind::Personal)
    }

    fn kind(status: u16, body: Json) -> RefusalKind {
        no(status, body, &Json::Null).kind
    }

    #[test]
    fn a_user_is_read_with_all_it_shows() {
        let user = json!({
            "id": 42, "username": "maria", "name": "Maria Keller", "state": "active", "bio": "", "location": "Bern",
            "public_email": null, "organization": "Example AG", "job_title": "Lead", "bot": false,
            "email": "maria@example.test", "external": true, "commit_email": "42-maria@users.noreply.git.example.test",
            "preferred_language": "en", "is_admin": false, "note": null,
            "identities": [{ "provider": "openid_connect", "extern_uid": "295" }, { "provider": "broken" }],
        });
        let server = Arc::new(Facts::from([("version".to_owned(), "17.11.1".into())]));
        let expected = Account {
            system: "gitlab".into(),
            id: Some("42".into()),
            attributes: [
                ("username", Value::text("maria")),
                ("email", Value::text("maria@example.test")),
                ("display_name", Value::text("Maria Keller")),
                ("active", true.into()),
                ("locale", Value::text("en")),
                ("position", Value::text("Lead")),
                ("gitlab.public_email", Value::Empty),
                ("gitlab.commit_email", Value::text("_private")),
                ("gitlab.organization", Value::text("Example AG")),
                ("gitlab.location", Value::text("Bern")),
                ("gitlab.note", Value::Empty),
                ("gitlab.bio", Value::Empty),
                ("gitlab.job_title", Value::text("Lead")),
                ("gitlab.preferred_language", Value::text("en")),
            ]
            .map(|(name, value)| (AttributeName::new(name), value))
            .into(),
            facts: Facts::from([
                ("state".to_owned(), "active".into()),
                ("is_admin".to_owned(), false.into()),
                ("bot".to_owned(), false.into()),
                ("external".to_owned(), true.into()),
            ]),
            identities: vec![Identity { provider: "openid_connect".to_owned(), id: "295".into() }],
            server: Arc::clone(&server),
        };
        assert_eq!(account(&"gitlab".into(), &user, &server), Some(expected));
    }

    #[test]
    fn whoever_can_sign_in_is_active_and_what_is_not_shown_is_not_known() {
        for (state, is_active) in [
            ("deactivated", true),
            ("blocked", false),
            ("ldap_blocked", false),
            ("banned", false),
            ("blocked_pending_approval", false),
        ] {
            let user = json!({ "id": 1, "username": "a", "state": state });
            let account = account(&"gitlab".into(), &user, &Arc::default()).unwrap();
            let active = BTreeMap::from([
                (AttributeName::new("active"), Value::Bool(is_active)),
                (AttributeName::new("username"), Value::text("a")),
            ]);
            assert_eq!((account.attributes, account.facts["state"].as_text()), (active, Some(state)));
        }
    }

    #[test]
    fn what_is_no_user_is_none() {
        for body in [json!(true), json!(null), json!({}), json!({ "id": "42", "username": "a", "state": "active" })] {
            assert_eq!(account(&"gitlab".into(), &body, &Arc::default()), None, "{body}");
        }
    }

    #[test]
    fn a_commit_address_of_ones_own_is_not_taken_for_the_private_one() {
        assert!(is_private(7, "anna", "7-Anna@users.noreply.example.test"));
        assert!(!is_private(7, "anna", "anna@example.test"));
        assert!(!is_private(7, "anna", "17-anna@users.noreply.example.test"));
    }

    #[test]
    fn a_conflict_names_what_was_sent() {
        let conflict = json!({ "message": "Nom d'utilisateur déjà pris" });
        let name = no(409, conflict.clone(), &json!({ "username": "anna" }));
        assert_eq!(name.reason, "the `username` belongs to somebody else at GitLab");
        let mail = no(409, conflict.clone(), &json!({ "email": "a@example.test" }));
        assert!(mail.reason.starts_with("the `email` belongs to somebody else"), "{mail}");
        let both = no(409, conflict, &json!({ "username": "anna", "email": "a@example.test" }));
        assert_eq!(both.reason, "the `username` or the `email` belongs to somebody else at GitLab");
        assert_eq!([name.kind, mail.kind, both.kind], [RefusalKind::Taken; 3]);
        assert_eq!([name.status, mail.status, both.status], [Some(409); 3]);
    }

    #[test]
    fn base_speaks_of_a_group_where_a_username_was_sent_and_of_anything_where_none_was() {
        let base = json!({ "message": { "base": ["A user, alias, or group already exists with that username."] } });
        assert_eq!(no(400, base.clone(), &json!({ "username": "staff" })).kind, RefusalKind::Taken);
        let other = no(400, base, &json!({ "note": "x" }));
        assert_eq!(
            (other.kind, other.reason.as_str()),
            (RefusalKind::Invalid, "GitLab does not accept the values sent")
        );
    }

    #[test]
    fn validation_names_every_field_in_our_words_and_no_text_of_the_answer() {
        let body = json!({ "message": { "name": ["Anna ist zu lang"], "email": ["geht nicht"], "base": ["x"] } });
        let refusal = no(400, body, &json!({ "name": "Anna", "username": "anna" }));
        let expected =
            "GitLab does not accept `display_name`, `email`: the sign-up rules for mail domains hold for changes too";
        assert_eq!((refusal.kind, refusal.reason.as_str()), (RefusalKind::Invalid, expected));

        let odd = no(400, json!({ "message": { "Anna Müller": ["?"] } }), &Json::Null);
        assert_eq!(odd.reason, "GitLab does not accept the values sent");
        for key in ["username", "public_email", "commit_email", "password"] {
            let refusal =
                no(400, json!({ "message": { key: ["has already been taken"] } }), &json!({ "username": "a" }));
            assert_eq!(refusal.kind, RefusalKind::Invalid, "{key}");
            assert!(refusal.reason.contains(&format!("`{key}`")), "{refusal}");
        }
    }

    #[test]
    fn a_400_without_fields_is_invalid() {
        for body in [json!({ "error": "email is missing" }), json!({ "message": "400 Bad request - x" }), json!([])] {
            assert_eq!(kind(400, body), RefusalKind::Invalid);
        }
    }

    #[test]
    fn a_bad_token_is_forbidden_in_either_shape() {
        let oauth = no(401, json!({ "error": "invalid_token", "error_description": "Token is expired." }), &Json::Null);
        assert_eq!((oauth.kind, oauth.code.as_deref()), (RefusalKind::Forbidden, Some("invalid_token")));
        let plain = no(401, json!({ "message": "401 Unauthorized" }), &Json::Null);
        assert_eq!((plain.kind, plain.code), (RefusalKind::Forbidden, None));
        let answer = Answer { status: 401, body: Some(json!({})), pause: None };
        assert!(refusal(&answer, &Json::Null, TokenKind::Oauth).reason.contains("OAuth tokens end soon"));
    }

    #[test]
    fn a_small_scope_is_told_from_a_missing_right() {
        let scope =
            no(403, json!({ "error": "insufficient_scope", "error_description": "…", "scope": "api" }), &Json::Null);
        assert_eq!(scope.reason, "the token's scope is too small: it needs the scope `api`");
        assert_eq!((scope.kind, scope.code.as_deref()), (RefusalKind::Forbidden, Some("insufficient_scope")));
        let fine = no(403, json!({ "error": "insufficient_granular_scope" }), &Json::Null);
        assert_eq!((fine.kind, fine.code.as_deref()), (RefusalKind::Forbidden, Some("insufficient_granular_scope")));
        let right = no(403, json!({ "message": "403 Forbidden - Must be admin to use sudo" }), &Json::Null);
        assert_eq!((right.kind, right.code), (RefusalKind::Forbidden, None));
        assert_eq!(right.reason, format!("GitLab does not let us do this: {NEEDS}"));
    }

    #[test]
    fn the_other_statuses_have_their_kinds() {
        let message = || json!({ "message": "x" });
        assert_eq!(kind(404, message()), RefusalKind::NotFound);
        assert_eq!(kind(405, message()), RefusalKind::Unsupported);
        assert_eq!(kind(412, message()), RefusalKind::Invalid);
        assert_eq!(kind(422, message()), RefusalKind::Invalid);
        assert_eq!(kind(415, message()), RefusalKind::Invalid);
        assert_eq!(kind(408, message()), RefusalKind::Unavailable);
        assert_eq!(kind(500, message()), RefusalKind::Unavailable);
        assert_eq!(kind(302, message()), RefusalKind::Unavailable);
    }

    #[test]
    fn a_page_instead_of_json_is_unavailable() {
        for status in [200, 301, 400, 401, 403, 404, 502, 503] {
            let refusal = refusal(&Answer { status, body: None, pause: None }, &Json::Null, TokenKind::Personal);
            assert_eq!((refusal.kind, refusal.status), (RefusalKind::Unavailable, Some(status)));
        }
    }

    #[test]
    fn both_kinds_of_throttle_are_rate_limits() {
        let limiter =
            json!({ "message": { "error": "This endpoint has been requested too many times. Try again later." } });
        assert_eq!(kind(429, limiter), RefusalKind::RateLimited);
        let throttle = Answer { status: 429, body: None, pause: Some(Duration::from_secs(7)) };
        let refusal = refusal(&throttle, &Json::Null, TokenKind::Personal);
        assert_eq!((refusal.kind, refusal.retry_after), (RefusalKind::RateLimited, Some(Duration::from_secs(7))));
    }
}
