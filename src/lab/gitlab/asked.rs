//! What was asked and what is answered: requests read as GitLab's API framework reads them, and its error shapes.
//!
//! Knows no user and no state. A parameter may come in the query, in a JSON body or in a form; declared ones are read
//! by type and the faults of all of them come together in one answer (`gitlab.md` 1.2).

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::user::Stamp;

/// A request, read to the end.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    /// The host that was called.
    pub(super) host: String,
    pub(super) headers: HeaderMap,
    pub(super) query: Vec<(String, String)>,
    /// What the route's own places hold, such as `id`.
    places: Map<String, Value>,
    /// Query and body together.
    params: Map<String, Value>,
}

/// An answer; as an error it ends the work at once.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Content,
}

pub(super) enum Content {
    Nothing,
    Json(Value),
    Text(&'static str),
}

/// One parameter: left out, sent as null, or sent with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given<T> {
    Not,
    Null,
    Is(T),
}

impl<T> Given<T> {
    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Not | Self::Null => None,
        }
    }

    pub(super) fn as_ref(&self) -> Given<&T> {
        match self {
            Self::Not => Given::Not,
            Self::Null => Given::Null,
            Self::Is(value) => Given::Is(value),
        }
    }
}

impl Answer {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn nothing() -> Self {
        Self { status: 204, headers: Vec::new(), body: Content::Nothing }
    }

    /// The shape with a `message`: a text, or an object of faults.
    pub(super) fn message(status: u16, message: impl Into<Value>) -> Self {
        Self::json(status, json!({"message": message.into()}))
    }

    /// The shape with an `error`: what the framework itself refuses.
    pub(super) fn error(status: u16, error: impl Into<Value>) -> Self {
        Self::json(status, json!({"error": error.into()}))
    }

    pub(super) fn not_found(thing: &str) -> Self {
        Self::message(404, format!("404 {thing} Not Found"))
    }

    pub(super) fn unauthorized() -> Self {
        Self::message(401, "401 Unauthorized")
    }

    pub(super) fn forbidden() -> Self {
        Self::message(403, "403 Forbidden")
    }

    pub(super) fn forbidden_because(reason: &str) -> Self {
        Self::message(403, format!("403 Forbidden - {reason}"))
    }

    /// The limit of one endpoint (`gitlab.md` 1.2, third row).
    pub(super) fn too_often() -> Self {
        Self::message(429, json!({"error": "This endpoint has been requested too many times. Try again later."}))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (kind, body) = match self.body {
            Content::Nothing => (None, Body::empty()),
            Content::Json(value) => (Some("application/json"), Body::from(value.to_string())),
            Content::Text(text) => (Some("text/plain"), Body::from(text)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl Asked {
    /// Puts a request together; an unreadable body is refused as the framework does.
    pub(super) fn read(
        method: Method,
        uri: &axum::http::Uri,
        headers: HeaderMap,
        places: impl IntoIterator<Item = (String, String)>,
        body: &[u8],
    ) -> Result<Self, Answer> {
        let query: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let host = uri.authority().map_or_else(|| text("host"), ToString::to_string);
        let mut params: Map<String, Value> =
            query.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
        if !body.is_empty() && method != Method::GET && method != Method::HEAD {
            params.extend(fields(&text("content-type"), body)?);
        }
        let places = places.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Ok(Self { method, path: uri.path().to_owned(), host, headers, query, places, params })
    }

    pub(super) fn reads_only(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// A header as text, empty ones left out.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A parameter as plain text, where it has one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.params.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// What stands at a place of the route.
    pub(super) fn place(&self, name: &str) -> &str {
        self.places.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a place of the route; where letters stand, there is no such route.
    pub(super) fn number_at(&self, name: &str) -> Result<u64, Answer> {
        let text = self.place(name);
        if text.is_empty() || !text.chars().all(|c| c.is_ascii_digit()) {
            return Err(Answer::error(404, "404 Not Found"));
        }
        Ok(text.parse().unwrap_or(u64::MAX))
    }

    /// `If-Unmodified-Since` against when the thing last changed (`gitlab.md` 1.5).
    pub(super) fn unless_changed_since(&self, updated_at: Stamp) -> Result<(), Answer> {
        match self.header("if-unmodified-since").and_then(Stamp::read) {
            Some(since) if updated_at > since => Err(Answer::message(412, "412 Precondition Failed")),
            _ => Ok(()),
        }
    }

    /// Begins to read declared parameters.
    pub(super) fn form(&self) -> Form<'_> {
        Form { asked: self, faults: Vec::new() }
    }
}

/// Declared parameters, read by type; what is wrong with them is collected.
pub(super) struct Form<'a> {
    asked: &'a Asked,
    faults: Vec<String>,
}

impl Form<'_> {
    fn raw(&self, name: &str) -> Given<&Value> {
        match self.asked.params.get(name) {
            None => Given::Not,
            Some(Value::Null) => Given::Null,
            Some(value) => Given::Is(value),
        }
    }

    pub(super) fn was_sent(&self, name: &str) -> bool {
        self.asked.params.contains_key(name)
    }

    pub(super) fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(text.into());
    }

    pub(super) fn text(&mut self, name: &str) -> Given<String> {
        let read = match self.raw(name) {
            Given::Not => return Given::Not,
            Given::Null => return Given::Null,
            Given::Is(Value::String(text)) => Some(text.clone()),
            Given::Is(Value::Number(number)) => Some(number.to_string()),
            Given::Is(Value::Bool(flag)) => Some(flag.to_string()),
            Given::Is(_) => None,
        };
        self.settled(name, read)
    }

    /// As [`Form::text`], and a fault where it was not sent.
    pub(super) fn required(&mut self, name: &str) -> Given<String> {
        if !self.was_sent(name) {
            self.fault(format!("{name} is missing"));
        }
        self.text(name)
    }

    pub(super) fn flag(&mut self, name: &str) -> Given<bool> {
        let read = match self.raw(name) {
            Given::Not => return Given::Not,
            Given::Null => return Given::Null,
            Given::Is(Value::Bool(flag)) => Some(*flag),
            Given::Is(Value::String(text)) => match text.to_lowercase().as_str() {
                "" => return Given::Null,
                "true" | "t" | "1" | "on" | "yes" | "y" => Some(true),
                "false" | "f" | "0" | "off" | "no" | "n" => Some(false),
                _ => None,
            },
            Given::Is(Value::Number(number)) => match number.as_i64() {
                Some(1) => Some(true),
                Some(0) => Some(false),
                _ => None,
            },
            Given::Is(_) => None,
        };
        self.settled(name, read)
    }

    pub(super) fn number(&mut self, name: &str) -> Given<i64> {
        let read = match self.raw(name) {
            Given::Not => return Given::Not,
            Given::Null => return Given::Null,
            Given::Is(Value::Number(number)) => number.as_i64(),
            Given::Is(Value::String(text)) if text.is_empty() => return Given::Null,
            Given::Is(Value::String(text)) => text.parse().ok(),
            Given::Is(_) => None,
        };
        self.settled(name, read)
    }

    /// One of a few words.
    pub(super) fn word(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let word = self.text(name).value()?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        self.fault(format!("{name} does not have a valid value"));
        None
    }

    pub(super) fn moment(&mut self, name: &str) -> Option<Stamp> {
        let text = self.text(name).value()?;
        let read = Stamp::read(&text);
        if read.is_none() {
            self.fault(format!("{name} is invalid"));
        }
        read
    }

    /// Both or neither.
    pub(super) fn together(&mut self, one: &str, other: &str) {
        if self.was_sent(one) != self.was_sent(other) {
            self.fault(format!("{one}, {other} provide all or none of parameters"));
        }
    }

    /// Ends the reading: the faults of all parameters in one answer.
    pub(super) fn done(self) -> Result<(), Answer> {
        if self.faults.is_empty() { Ok(()) } else { Err(Answer::error(400, self.faults.join(", "))) }
    }

    fn settled<T>(&mut self, name: &str, read: Option<T>) -> Given<T> {
        if let Some(value) = read {
            return Given::Is(value);
        }
        self.fault(format!("{name} is invalid"));
        Given::Not
    }
}

/// The fields of a body: JSON, form or multipart; files are left out.
fn fields(kind: &str, body: &[u8]) -> Result<Map<String, Value>, Answer> {
    let bare = kind.split(';').next().unwrap_or_default().trim().to_lowercase();
    match bare.as_str() {
        "application/json" => match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Ok(Map::new()),
            Err(_) => Err(Answer::error(400, "message body does not match declared format")),
        },
        "" | "application/x-www-form-urlencoded" => {
            Ok(form_urlencoded::parse(body).into_owned().map(|(name, value)| (name, Value::String(value))).collect())
        }
        "multipart/form-data" => Ok(parts(kind, &String::from_utf8_lossy(body))),
        _ => Err(Answer::error(415, format!("The provided content-type '{bare}' is not supported."))),
    }
}

fn parts(kind: &str, body: &str) -> Map<String, Value> {
    let Some((_, boundary)) = kind.split_once("boundary=") else { return Map::new() };
    let delimiter = format!("--{}", boundary.split(';').next().unwrap_or_default().trim().trim_matches('"'));
    let mut fields = Map::new();
    for part in body.split(delimiter.as_str()) {
        let Some((head, text)) = part.split_once("\r\n\r\n") else { continue };
        let Some((_, rest)) = head.split_once(" name=\"") else { continue };
        if head.contains("filename=") {
            continue;
        }
        let name = rest.split('"').next().unwrap_or_default();
        fields.insert(name.to_owned(), Value::String(text.strip_suffix("\r\n").unwrap_or(text).to_owned()));
    }
    fields
}
