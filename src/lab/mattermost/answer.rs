//! What the simulator says back: an answer, or the one shape every refusal has (`mattermost.md` 1.3).
//!
//! Knows the generic refusals by name; those of one route are made where they arise.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// An answer of a route, before the headers every answer carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) etag: Option<String>,
    /// The session made by a login by password.
    pub(super) token: Option<String>,
}

impl Answer {
    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body, etag: None, token: None }
    }

    pub(super) fn created(body: Value) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(body) }
    }

    /// What a route answers that only does something.
    pub(super) fn done() -> Self {
        Self::ok(json!({ "status": "OK" }))
    }
}

/// A refusal, in the shape the server gives all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AppError {
    pub(super) id: String,
    pub(super) message: String,
    pub(super) status: StatusCode,
    /// Wiped on every answer but a route 404.
    pub(super) detail: String,
}

impl AppError {
    pub(super) fn new(status: StatusCode, id: impl Into<String>, message: impl Into<String>) -> Self {
        Self { id: id.into(), message: message.into(), status, detail: String::new() }
    }

    pub(super) fn bad(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, id, message)
    }

    pub(super) fn forbidden(id: &str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, id, message)
    }

    pub(super) fn unauthorized(id: &str, message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, id, message)
    }

    pub(super) fn not_found(id: &str, message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, id, message)
    }

    pub(super) fn body_param(name: &str) -> Self {
        Self::bad("api.context.invalid_body_param.app_error", format!("Invalid or missing {name} in request body."))
    }

    pub(super) fn url_param(name: &str) -> Self {
        Self::bad(
            "api.context.invalid_url_param.app_error",
            format!("Invalid or missing {name} parameter in request URL."),
        )
    }

    pub(super) fn permissions() -> Self {
        Self::forbidden("api.context.permissions.app_error", "You do not have the appropriate permissions.")
    }

    pub(super) fn missing_account() -> Self {
        Self::not_found("app.user.missing_account.const", "Unable to find the user.")
    }

    pub(super) fn payload() -> Self {
        Self::bad("api.payload.parse.error", "An error occurred while parsing the payload.")
    }

    /// The one face of every failed authentication (`mattermost.md` 1.1).
    pub(super) fn session_expired() -> Self {
        Self::unauthorized("api.context.session_expired.app_error", "Invalid or expired session, please login again.")
    }

    pub(super) fn username_exists() -> Self {
        Self::bad("app.user.save.username_exists.app_error", "An account with that username already exists.")
    }

    pub(super) fn email_exists() -> Self {
        Self::bad("app.user.save.email_exists.app_error", "An account with that email already exists.")
    }

    /// A path nobody serves. The only refusal that keeps its detail and has no request id.
    pub(super) fn no_route(path: &str) -> Self {
        Self {
            detail: format!("no call of the interface has the path `{path}`"),
            ..Self::not_found("api.context.404.app_error", "Sorry, we could not find the page.")
        }
    }

    pub(super) fn body(&self, request_id: Option<&str>) -> Value {
        let mut body = json!({ "id": self.id, "message": self.message, "detailed_error": self.detail });
        if let Some(request_id) = request_id {
            body["request_id"] = request_id.into();
        }
        body["status_code"] = self.status.as_u16().into();
        body
    }
}
