//! Answers in Discourse's shapes (`discourse.md` 2): errors with and without a type, the older `failed` bodies, limits.

use serde_json::{Value, json};

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Text(String),
    Empty,
}

/// What whoever may not look is told.
const NOT_PERMITTED: &str = "You are not permitted to view the requested resource.";

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Body::Json(body), headers: Vec::new() }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, body: Body::Text(text.to_owned()), headers: Vec::new() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, body: Body::Empty, headers: Vec::new() }
    }

    pub(super) fn ok() -> Self {
        Self::json(200, json!({ "success": "OK" }))
    }

    /// The usual body of an error; an empty kind is left out.
    pub(super) fn errors(status: u16, kind: &str, texts: &[&str]) -> Self {
        let mut body = json!({ "errors": texts });
        if !kind.is_empty() {
            body["error_type"] = kind.into();
        }
        Self::json(status, body)
    }

    /// A value that does not pass.
    pub(super) fn invalid(text: &str) -> Self {
        Self::errors(422, "", &[text])
    }

    pub(super) fn not_found() -> Self {
        Self::errors(404, "not_found", &["The requested URL or resource could not be found."])
    }

    pub(super) fn forbidden() -> Self {
        Self::errors(403, "invalid_access", &[NOT_PERMITTED])
    }

    pub(super) fn bad_key() -> Self {
        let text = format!("{NOT_PERMITTED} The API username or key is invalid.");
        Self::errors(403, "invalid_access", &[&text])
    }

    pub(super) fn not_logged_in() -> Self {
        Self::errors(403, "not_logged_in", &["You need to be logged in to do that."])
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::errors(400, "", &[&format!("param is missing or the value is empty: {parameter}")])
    }

    pub(super) fn bad_parameter(about: &str) -> Self {
        let text = format!("You supplied invalid parameters to the request: {about}");
        Self::errors(400, "invalid_parameters", &[&text])
    }

    pub(super) fn failed(status: u16) -> Self {
        Self::json(status, json!({ "failed": "FAILED" }))
    }

    pub(super) fn failed_because(status: u16, message: &str) -> Self {
        Self::json(status, json!({ "failed": "FAILED", "message": message }))
    }

    pub(super) fn failed_with(status: u16, errors: &[&str]) -> Self {
        Self::json(status, json!({ "failed": "FAILED", "errors": errors }))
    }

    pub(super) fn read_only() -> Self {
        Self::errors(503, "read_only", &["The site is in read only mode. Interactions are disabled."])
    }

    /// Too many requests of one key or of all.
    pub(super) fn too_many(wait: u64, code: &str) -> Self {
        let left = time_left(wait);
        let text = format!("You’ve performed this action too many times. Please wait {left} before trying again.");
        let extras = json!({ "wait_seconds": wait, "time_left": left });
        let body = json!({ "errors": [text], "error_type": "rate_limit", "extras": extras });
        Self { headers: limit_headers(wait, code), ..Self::json(429, body) }
    }

    /// Too many requests from one address: told in front of Rails, and no JSON.
    pub(super) fn slow_down(wait: u64, code: &str) -> Self {
        let text = format!(
            "Slow down, too many requests from this IP address.\nPlease retry again in {wait} seconds.\nError code: {code}."
        );
        Self { headers: limit_headers(wait, code), ..Self::text(429, &text) }
    }
}

fn limit_headers(wait: u64, code: &str) -> Vec<(&'static str, String)> {
    vec![("retry-after", wait.to_string()), ("discourse-rate-limit-error-code", code.to_owned())]
}

/// A time as people are told it.
fn time_left(seconds: u64) -> String {
    match seconds {
        0..=3 => "a few seconds".to_owned(),
        4..=59 => format!("{seconds} seconds"),
        60..=3599 => format!("{} {}", seconds / 60, if seconds < 120 { "minute" } else { "minutes" }),
        _ => format!("{} {}", seconds / 3600, if seconds < 7200 { "hour" } else { "hours" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_whole_units() {
        for (seconds, told) in [
            (0, "a few seconds"),
            (3, "a few seconds"),
            (4, "4 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (179, "2 minutes"),
            (7300, "2 hours"),
        ] {
            assert_eq!(time_left(seconds), told);
        }
    }
}
