//! What a server's no means (RFC 7644 3.12).
//!
//! `detail` is a text in any language that may hold values of people, so only the status and `scimType` count here, and
//! nothing else of an answer is handed on. What is no JSON, or a problem of HTTP's own (RFC 9457), counts by its status.

use std::time::Duration;

use serde_json::Value as Json;

use crate::{
    model::refusal::{Refusal, RefusalKind},
    wire::Reply,
};

use super::resource::field;

/// What marks a no of SCIM's own.
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

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
    /// SCIM's word for the fault, such as `invalidFilter`; never a text.
    pub(super) fn code(&self) -> Option<&str> {
        let word = field(self.body.as_ref()?, "scimType")?.as_str()?;
        let is_word = !word.is_empty() && word.len() <= 40 && word.bytes().all(|c| c.is_ascii_alphanumeric());
        is_word.then_some(word)
    }

    fn is(&self, code: &str) -> bool {
        self.code().is_some_and(|held| held.eq_ignore_ascii_case(code))
    }

    /// True for a no in the form that SCIM gives it (RFC 7644 3.12), or one that at least repeats its status.
    pub(super) fn is_of_scim(&self) -> bool {
        let Some(body) = &self.body else { return false };
        let schemas = field(body, "schemas").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let is_error = |schema: &Json| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(ERROR));
        let status = match field(body, "status") {
            Some(Json::String(text)) => text.parse().ok(),
            Some(number) => number.as_u64(),
            None => None,
        };
        schemas.iter().any(is_error) || status == Some(self.status.into())
    }

    /// True where the server does not understand a filter, or has none.
    pub(super) fn is_about_filter(&self) -> bool {
        self.is("invalidFilter") || matches!(self.status, 400 | 403 | 501) && self.code().is_none()
    }

    /// True where a page cannot be gone on from.
    pub(super) fn is_about_cursor(&self) -> bool {
        self.is("invalidCursor") || self.is("expiredCursor")
    }
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

/// Why nothing was sent, or nothing done: somebody else was there in between.
pub(super) fn moved() -> Refusal {
    let reason = "the account was changed at the server since the plan was made; plan again";
    Refusal::new(RefusalKind::Invalid, reason)
}

fn understand(answer: &Answer) -> (RefusalKind, String) {
    use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken, Unavailable, Unsupported};
    let say = |kind: RefusalKind, reason: &str| (kind, reason.to_owned());
    let status = answer.status;
    match status {
        401 => say(Forbidden, "the server does not accept our token: it is wrong, has expired or was taken back"),
        409 => say(Taken, "a value that only one account may have belongs to somebody else there"),
        412 => say(Invalid, &moved().reason),
        413 => say(Invalid, "the server takes no request of this size"),
        429 => say(RateLimited, "the server gets too many requests from us"),
        300..=399 => say(
            Unavailable,
            &format!("the server sends us elsewhere ({status}): `url` must be the address it has itself"),
        ),
        500 | 502..=599 | 408 => say(Unavailable, &format!("the server is at fault or not at work ({status})")),
        501 | 405 => say(Unsupported, &format!("the server cannot do this ({status})")),
        _ if answer.is("uniqueness") => {
            say(Taken, "a value that only one account may have belongs to somebody else there")
        }
        _ if answer.is("mutability") => say(
            Unsupported,
            "the server does not let this attribute be changed: it is read-only, fixed or required there",
        ),
        _ if answer.is("invalidPath") => say(Unsupported, "the server does not know this attribute"),
        _ if answer.is("noTarget") => say(Invalid, &moved().reason),
        _ if answer.is("invalidValue") => {
            say(Invalid, "the server does not accept a value that was sent, or misses one that it requires")
        }
        _ if answer.is("tooMany") => {
            say(Unsupported, "the server lists fewer accounts than it has: it needs a filter, or a higher limit there")
        }
        _ if answer.is("sensitive") => {
            say(Forbidden, "the server takes no values of people in addresses, and filters have them there")
        }
        _ if answer.is("invalidVers") => say(Unsupported, "the server speaks another version of SCIM"),
        403 => say(Forbidden, "our token may not do this there"),
        404 if answer.body.is_some() => say(NotFound, "the server has no such account"),
        404 => say(NotFound, "the server has nothing at this address: is `url` the root of its SCIM interface?"),
        _ => say(Invalid, &format!("the server does not take the request ({status})")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(status: u16, body: Json) -> (RefusalKind, Option<String>) {
        let refusal = refusal(&Answer { status, body: Some(body), pause: None });
        (refusal.kind, refusal.code)
    }

    #[test]
    fn every_word_of_the_rfc_is_understood() {
        use RefusalKind::{Forbidden, Invalid, Taken, Unsupported};
        for (word, kind) in [
            ("uniqueness", Taken),
            ("mutability", Unsupported),
            ("invalidPath", Unsupported),
            ("noTarget", Invalid),
            ("invalidValue", Invalid),
            ("invalidSyntax", Invalid),
            ("invalidFilter", Invalid),
            ("tooMany", Unsupported),
            ("invalidVers", Unsupported),
            ("sensitive", Forbidden),
            ("UNIQUENESS", Taken),
        ] {
            assert_eq!(told(400, json!({ "scimType": word, "status": "400" })), (kind, Some(word.to_owned())));
        }
    }

    #[test]
    fn a_no_of_scims_own_is_told_from_that_of_something_in_between() {
        let is_own = |body: Json| Answer { status: 404, body: Some(body), pause: None }.is_of_scim();
        for own in [
            json!({ "schemas": [ERROR.to_uppercase()], "detail": "x" }),
            json!({ "status": "404" }),
            json!({ "title": "Not Found", "Status": 404 }),
        ] {
            assert!(is_own(own.clone()), "{own}");
        }
        for other in [
            json!({}),
            json!({ "message": "no Route matched with those values" }),
            json!({ "status": "500" }),
            json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"] }),
            json!([]),
        ] {
            assert!(!is_own(other.clone()), "{other}");
        }
    }

    #[test]
    fn what_is_not_scims_own_counts_by_its_status() {
        use RefusalKind::{Forbidden, Invalid, NotFound, RateLimited, Taken, Unavailable, Unsupported};
        for (status, kind) in [
            (400, Invalid),
            (401, Forbidden),
            (403, Forbidden),
            (404, NotFound),
            (405, Unsupported),
            (408, Unavailable),
            (409, Taken),
            (412, Invalid),
            (413, Invalid),
            (429, RateLimited),
            (500, Unavailable),
            (501, Unsupported),
            (503, Unavailable),
            (308, Unavailable),
        ] {
            assert_eq!(told(status, json!({ "title": "x", "scimType": "Anna was here" })), (kind, None), "{status}");
            assert_eq!(refusal(&Answer { status, body: None, pause: None }).kind, kind, "{status}");
        }
    }
}
