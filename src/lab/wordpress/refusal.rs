//! Errors as WordPress words them (`wordpress.md` 5).

use serde_json::{Map, Value, json};

/// A no: its status and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// One parameter that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadParameter {
    pub(super) name: String,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) data: Value,
}

impl BadParameter {
    pub(super) fn new(name: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { name: name.to_owned(), code, message: message.into(), data: Value::Null }
    }

    /// A value of the wrong type; `place` is the parameter or a part of it, such as `include[0]`.
    pub(super) fn of_type(name: &str, place: &str, expected: &str) -> Self {
        let message = format!("{place} is not of type {expected}.");
        Self { data: json!({ "param": place }), ..Self::new(name, "rest_invalid_type", message) }
    }
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: json!({ "code": code, "message": message, "data": { "status": status } }) }
    }

    /// A fault of the code below REST: status 500, though it will never get better.
    pub(super) fn inner(code: &str, message: &str) -> Self {
        Self { status: 500, body: json!({ "code": code, "message": message, "data": null }) }
    }

    pub(super) fn invalid(bad: &[BadParameter]) -> Self {
        let names: Vec<&str> = bad.iter().map(|one| one.name.as_str()).collect();
        let params: Map<String, Value> = bad.iter().map(|one| (one.name.clone(), json!(one.message))).collect();
        let detail = |one: &BadParameter| json!({ "code": one.code, "message": one.message, "data": one.data });
        let details: Map<String, Value> = bad.iter().map(|one| (one.name.clone(), detail(one))).collect();
        let message = format!("Invalid parameter(s): {}", names.join(", "));
        let data = json!({ "status": 400, "params": params, "details": details });
        Self { status: 400, body: json!({ "code": "rest_invalid_param", "message": message, "data": data }) }
    }

    pub(super) fn missing(names: &[&str]) -> Self {
        let message = format!("Missing parameter(s): {}", names.join(", "));
        let data = json!({ "status": 400, "params": names });
        Self { status: 400, body: json!({ "code": "rest_missing_callback_param", "message": message, "data": data }) }
    }

    pub(super) fn no_json() -> Self {
        let data = json!({ "status": 400, "json_error_code": 4, "json_error_message": "Syntax error" });
        let body = json!({ "code": "rest_invalid_json", "message": "Invalid JSON body passed.", "data": data });
        Self { status: 400, body }
    }

    pub(super) fn no_route() -> Self {
        Self::new(404, "rest_no_route", "No route was found matching the URL and request method.")
    }

    pub(super) fn no_user() -> Self {
        Self::new(404, "rest_user_invalid_id", "Invalid user ID.")
    }

    pub(super) fn nobody_signed_in() -> Self {
        Self::new(401, "rest_not_logged_in", "You are not currently logged in.")
    }

    /// What WordPress answers where it dies before REST begins, to those who take JSON.
    pub(super) fn died(status: u16, message: &str) -> Self {
        let data = json!({ "status": status });
        let body = json!({ "code": "wp_die", "message": message, "data": data, "additional_errors": [] });
        Self { status, body }
    }
}
