//! One request as it is understood: its route, what it brings, and in which form it wants its answer.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, header};
use serde_json::{Map, Value};

use super::super::path::decoded;

/// A request.
pub(super) struct Asked {
    pub(super) method: Method,
    /// The parts of the path, decoded, without `.json` at the end.
    pub(super) parts: Vec<String>,
    /// Query and body together, as Rails has them.
    pub(super) params: Map<String, Value>,
    pub(super) headers: BTreeMap<String, String>,
    /// Whether it asks for JSON, by its suffix or by `Accept`.
    pub(super) wants_json: bool,
    /// Whether its body is a form.
    pub(super) is_form: bool,
}

impl Asked {
    pub(super) fn read(method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let headers: BTreeMap<String, String> = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let bare = path.strip_suffix(".json");
        let accepts = headers.get(header::ACCEPT.as_str()).is_some_and(|kinds| kinds.contains("application/json"));
        let mut params = pairs(query.as_bytes());
        let is_form = headers
            .get(header::CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if is_form {
            params.extend(pairs(body));
        } else if let Ok(Value::Object(sent)) = serde_json::from_slice(body) {
            params.extend(sent);
        }
        let parts = bare.unwrap_or(path).split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        Self { method: method.clone(), parts, params, headers, wants_json: bare.is_some() || accepts, is_form }
    }

    /// A parameter that counts for Rails as given.
    pub(super) fn present(&self, name: &str) -> Option<&Value> {
        self.params.get(name).filter(|value| !matches!(value, Value::Null) && value.as_str() != Some(""))
    }

    /// A parameter as text; numbers too.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.params.get(name).and_then(as_text)
    }

    /// A list with commas, or a list.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.present(name)? {
            Value::Array(items) => Some(items.iter().filter_map(as_text).collect()),
            other => Some(as_text(other)?.split(',').map(|item| item.trim().to_owned()).collect()),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// A value as Rails would read it from a form.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn pairs(text: &[u8]) -> Map<String, Value> {
    let pairs = url::form_urlencoded::parse(text);
    pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}
