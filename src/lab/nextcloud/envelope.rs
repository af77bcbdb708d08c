//! The form of answers: the envelope in JSON or XML, and what each interface makes of a code (`nextcloud.md` 2).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

/// What was decided, before it is known in which form it is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// The data of a yes.
    Yes(Value),
    /// A code and a message, which may be empty.
    No(u16, String),
    /// Without an envelope, whatever form was asked for.
    Bare { status: u16, body: String, kind: &'static str },
}

impl Answer {
    /// What is empty is a list.
    pub(super) fn done() -> Self {
        Self::Yes(json!([]))
    }

    pub(super) fn no(code: u16, message: &str) -> Self {
        Self::No(code, message.to_owned())
    }

    /// Nothing at all.
    pub(super) fn empty(status: u16) -> Self {
        Self::Bare { status, body: String::new(), kind: "text/html; charset=UTF-8" }
    }
}

/// Which of the two interfaces was asked, and in which form it is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) is_first: bool,
    pub(super) json: bool,
}

impl Form {
    /// The answer in this form.
    pub(super) fn tell(self, answer: Answer) -> Response {
        let (code, message, data) = match answer {
            Answer::Bare { status, body, kind } => return response(status, kind, body),
            Answer::Yes(data) => (if self.is_first { 100 } else { 200 }, "OK".to_owned(), data),
            Answer::No(code, message) => (code, message, json!([])),
        };
        let is_yes = matches!(code, 100 | 200);
        let mut meta = json!({
            "status": if is_yes { "ok" } else { "failure" }, "statuscode": code, "message": message,
        });
        if self.is_first {
            meta["totalitems"] = "".into();
            meta["itemsperpage"] = "".into();
        }
        let status = if self.is_first { first(code) } else { second(code) };
        let mut told = if self.json {
            response(
                status,
                "application/json; charset=utf-8",
                json!({ "ocs": { "meta": meta, "data": data } }).to_string(),
            )
        } else {
            let mut text = "<?xml version=\"1.0\"?>\n<ocs>\n".to_owned();
            element(&mut text, 1, "meta", &meta);
            element(&mut text, 1, "data", &data);
            response(status, "application/xml; charset=UTF-8", text + "</ocs>\n")
        };
        if code == 503 {
            put(told.headers_mut(), "x-nextcloud-maintenance-mode", "1");
        }
        told
    }
}

/// The status of the first interface, which hides nearly everything.
fn first(code: u16) -> u16 {
    match code {
        997 => 401,
        429 => 429,
        503 => 503,
        _ => 200,
    }
}

fn second(code: u16) -> u16 {
    match code {
        997 => 401,
        998 => 404,
        996 | 999 => 500,
        200..=600 => code,
        _ => 400,
    }
}

fn response(status: u16, kind: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(super) fn put(headers: &mut HeaderMap, name: &'static str, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// A value as XML has it: lists of elements, no for nothing, ones for truth.
fn element(text: &mut String, depth: usize, name: &str, value: &Value) {
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { "element" } else { name };
    let blank = " ".repeat(depth);
    let inner: Vec<(&str, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        Value::Array(items) => items.iter().map(|item| ("element", item)).collect(),
        _ => Vec::new(),
    };
    let told = match value {
        Value::Bool(true) => "1".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(told) => told.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        _ => String::new(),
    };
    if !inner.is_empty() {
        text.extend([blank.as_str(), "<", name, ">\n"]);
        for (key, value) in inner {
            element(text, depth + 1, key, value);
        }
        text.extend([blank.as_str(), "</", name, ">\n"]);
    } else if told.is_empty() && !value.is_string() {
        text.extend([blank.as_str(), "<", name, "/>\n"]);
    } else {
        text.extend([blank.as_str(), "<", name, ">", told.as_str(), "</", name, ">\n"]);
    }
}
