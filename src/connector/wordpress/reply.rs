//! What WordPress's answers mean: a user as an [`Account`], and a no as a [`Refusal`] (`wordpress.md` 4 and 5).
//!
//! Messages are translated into the site's language and may hold markup and values of people, so only the status and the
//! `code` count here, and nothing else of an answer is handed on.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value as Json;

use crate::{
    model::{
        account::{Account, Facts},
        attribute::Value,
        id::{AccountId, SystemName},
        refusal::{Refusal, RefusalKind},
    },
    wire::Reply,
};

use super::{table::CAPABILITIES, text::decoded};

/// What our account must be allowed to.
pub(super) const NEEDS: &str =
    "our account there needs the rights `list_users` and `edit_users`, as administrators have them";

/// The fields of a user that are read here: all others, such as `capabilities`, are most of an answer's size.
pub(super) const FIELDS: &str = "id,username,email,name,first_name,last_name,nickname,locale,url,roles";

/// The role that may do everything on a site.
const ADMINISTRATOR: &str = "administrator";

/// Reads a user as somebody is shown it who may edit it; `None` where this is no such user.
pub(super) fn account(system: &SystemName, user: &Json, server: &Arc<Facts>) -> Option<Account> {
    let id = user.get("id")?.as_u64()?;
    // Only who may edit a user is shown these two.
    user.get("username")?.as_str()?;
    let roles = roles(user)?;
    let mut attributes = BTreeMap::new();
    for row in CAPABILITIES.attributes {
        let value = match user.get(row.remote) {
            _ if row.name == "active" => Value::Bool(true),
            Some(Json::String(text)) => Value::text(&decoded(text)),
            Some(Json::Null) => Value::Empty,
            // Not shown: not known, which is not the same as empty.
            _ => continue,
        };
        attributes.insert(CAPABILITIES.name(system, row), value);
    }
    let is_admin = roles.contains(&ADMINISTRATOR);
    let facts = [("roles", Value::text(&roles.join(" "))), ("is_admin", is_admin.into())];
    Some(Account {
        system: system.clone(),
        id: Some(AccountId::from(id.to_string())),
        attributes,
        facts: facts.map(|(name, value)| (name.to_owned(), value)).into(),
        identities: Vec::new(),
        server: Arc::clone(server),
    })
}

/// The roles of a user. PHP writes a list with gaps as an object.
pub(super) fn roles(user: &Json) -> Option<Vec<&str>> {
    match user.get("roles")? {
        Json::Array(roles) => Some(roles.iter().filter_map(Json::as_str).collect()),
        Json::Object(roles) => Some(roles.values().filter_map(Json::as_str).collect()),
        _ => None,
    }
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
        Self { status: reply.status, body: reply.json(), pause: reply.retry_after() }
    }
}

impl Answer {
    /// WordPress's word for the fault, such as `rest_forbidden_context`; never a text.
    pub(super) fn code(&self) -> Option<&str> {
        let word = self.body.as_ref()?.get("code")?.as_str()?;
        let is_word = !word.is_empty()
            && word.len() <= 60
            && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-'));
        is_word.then_some(word)
    }

    /// True where this comes from no interface of WordPress's: it is elsewhere, or this is no WordPress.
    pub(super) fn is_from_elsewhere(&self) -> bool {
        match self.status {
            200..300 => self.body.is_none(),
            300..400 => true,
            404 => matches!(self.code(), None | Some("rest_no_route")),
            _ => false,
        }
    }
}

/// True for a fault of the server's own that is none: a value that is taken or too long (`wordpress.md` 5).
pub(super) fn is_final(reply: &Reply) -> bool {
    let answer = Answer::from(reply);
    matches!(answer.code(), Some("existing_user_login" | "existing_user_email" | "user_url_too_long"))
}

/// Understands a no.
pub(super) fn refusal(answer: &Answer) -> Refusal {
    let (kind, reason) = understand(answer);
    let is_passing = matches!(kind, RefusalKind::RateLimited | RefusalKind::Unavailable);
    Refusal {
        status: Some(answer.status),
        code: answer.code().map(str::to_owned),
        retry_after: answer.pause.filter(|_| is_passing),
        ..Refusal::new(kind, reason)
    }
}

fn understand(answer: &Answer) -> (RefusalKind, String) {
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    let status = answer.status;
    if status == 429 {
        return say(RefusalKind::RateLimited, "what stands before WordPress gets too many requests from us");
    }
    let Some(code) = answer.code().filter(|_| status >= 400) else {
        return (RefusalKind::Unavailable, unavailable(status));
    };
    match (status, code) {
        // A value somebody else has is answered as a fault of the server's own where accounts are made (section 5).
        (_, "existing_user_email") | (400, "rest_user_invalid_email") => {
            say(RefusalKind::Taken, "the `email` belongs to somebody else at WordPress")
        }
        (_, "existing_user_login") => say(RefusalKind::Taken, "the `username` belongs to somebody else at WordPress"),
        // Neither is this a fault of the server's.
        (500, "user_url_too_long") => say(RefusalKind::Invalid, "the `url` is longer than WordPress keeps"),
        (400, "rest_user_invalid_argument") => {
            say(RefusalKind::Unsupported, "WordPress does not change logins over REST")
        }
        (400, "rest_invalid_param" | "rest_missing_callback_param") => (RefusalKind::Invalid, validation(answer)),
        (401, "incorrect_password" | "invalid_username" | "invalid_email") => say(
            RefusalKind::Forbidden,
            "WordPress does not know the login in `username`, or not with this application password",
        ),
        (401, _) => say(RefusalKind::Forbidden, "WordPress takes us for nobody: it does not accept our credentials"),
        (403, _) => (RefusalKind::Forbidden, format!("WordPress does not let us do this: {NEEDS}")),
        (404, "rest_user_invalid_id") => say(RefusalKind::NotFound, "WordPress has no such account"),
        (404, _) => say(
            RefusalKind::Unsupported,
            "WordPress has no users at this address: a plugin may have switched this part of its interface off",
        ),
        (501, _) => say(RefusalKind::Unsupported, "WordPress cannot do this"),
        (500.. | 408, _) => (RefusalKind::Unavailable, unavailable(status)),
        _ => (RefusalKind::Invalid, format!("WordPress does not take the request ({status})")),
    }
}

fn unavailable(status: u16) -> String {
    match status {
        300..400 => format!(
            "the site sends us elsewhere ({status}): `url` must be the address it has itself, with or without https, www \
             and folder as there"
        ),
        503 => "WordPress is being updated or too busy (503)".to_owned(),
        500.. | 408 => format!("WordPress is at fault or not at work ({status})"),
        _ => format!("the answer is not WordPress's own ({status}): is `url` right, and what stands in between?"),
    }
}

/// A 400 that names parameters as keys.
fn validation(answer: &Answer) -> String {
    let data = answer.body.as_ref().and_then(|body| body.get("data"));
    let fields = data.and_then(|data| data.get("params")).and_then(Json::as_object);
    let fields = fields.into_iter().flat_map(|fields| fields.keys());
    let row = |field: &String| CAPABILITIES.attributes.iter().find(|row| row.remote == field);
    let names: Vec<&str> = fields.filter_map(|field| Some(row(field)?.name)).collect();
    if names.is_empty() {
        return "WordPress does not accept the values sent".to_owned();
    }
    let hint = if names.contains(&"locale") { ": the language has to be installed there first" } else { "" };
    let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("WordPress does not accept {}{hint}", list.join(", "))
}
