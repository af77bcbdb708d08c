//! A no of the server: a gRPC code, a text and mostly an id, and how both wires write it down.
//!
//! It knows both error shapes (`zitadel.md` 3) and the few texts that are translated; it does not know what was asked.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

/// A gRPC status code, with the HTTP status and the word that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    InvalidArgument,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Unimplemented,
    Unauthenticated,
}

impl Code {
    /// Number, word of the Connect protocol and HTTP status, by the table of `zitadel.md` 3.
    fn row(self) -> (u8, &'static str, u16) {
        match self {
            Self::InvalidArgument => (3, "invalid_argument", 400),
            Self::NotFound => (5, "not_found", 404),
            Self::AlreadyExists => (6, "already_exists", 409),
            Self::PermissionDenied => (7, "permission_denied", 403),
            Self::ResourceExhausted => (8, "resource_exhausted", 429),
            Self::FailedPrecondition => (9, "failed_precondition", 400),
            Self::Unimplemented => (12, "unimplemented", 501),
            Self::Unauthenticated => (16, "unauthenticated", 401),
        }
    }

    pub(super) fn status(self) -> u16 {
        self.row().2
    }
}

/// What the server says instead of doing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    text: String,
    /// `None`: not an error of ZITADEL's own, so no `details`. An empty id exists too (`zitadel.md` 5, semantic 1).
    id: Option<&'static str>,
}

impl Refusal {
    /// An error of ZITADEL's own.
    pub(super) fn of(code: Code, id: &'static str, text: &str) -> Self {
        Self { code, text: text.to_owned(), id: Some(id) }
    }

    /// An error of the machinery around it: parsing, validation, routing, a missing header.
    pub(super) fn bare(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), id: None }
    }

    pub(super) fn invalid(id: &'static str, text: &str) -> Self {
        Self::of(Code::InvalidArgument, id, text)
    }

    pub(super) fn precondition(id: &'static str, text: &str) -> Self {
        Self::of(Code::FailedPrecondition, id, text)
    }

    pub(super) fn no_user(id: &'static str) -> Self {
        Self::of(Code::NotFound, id, "User could not be found")
    }

    /// The outer message: the inner one and the id.
    pub(super) fn message(&self, language: Language) -> String {
        let text = self.translated(language);
        self.id.map_or_else(|| text.to_owned(), |id| format!("{text} ({id})"))
    }

    /// The body of the REST gateway: a `google.rpc.Status`.
    pub(super) fn rest(&self, language: Language) -> Value {
        let mut body = json!({ "code": self.code.row().0, "message": self.message(language) });
        if let Some(id) = self.id {
            let mut detail = json!({ "@type": "type.googleapis.com/zitadel.v1.ErrorDetail" });
            if !id.is_empty() {
                detail["id"] = id.into();
            }
            detail["message"] = self.translated(language).into();
            body["details"] = json!([detail]);
        }
        body
    }

    /// The body of the Connect protocol.
    pub(super) fn connect(&self, language: Language) -> Value {
        let mut body = json!({ "code": self.code.row().1, "message": self.message(language) });
        if let Some(id) = self.id {
            let text = self.translated(language);
            let mut bytes = Vec::new();
            let mut debug = json!({});
            for (number, name, value) in [(1, "id", id), (2, "message", text)] {
                if !value.is_empty() {
                    append_text(&mut bytes, number, value);
                    debug[name] = value.into();
                }
            }
            let value = STANDARD_NO_PAD.encode(bytes);
            body["details"] = json!([{ "type": "zitadel.v1.ErrorDetail", "value": value, "debug": debug }]);
        }
        body
    }

    fn translated(&self, language: Language) -> &str {
        let german = GERMAN.iter().find(|(english, _)| language == Language::German && *english == self.text);
        german.map_or(&self.text, |(_, german)| german)
    }
}

/// The language of the request; texts without a translation stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    pub(super) fn accepted(header: &str) -> Self {
        if header.trim_start().to_ascii_lowercase().starts_with("de") { Self::German } else { Self::English }
    }
}

/// A few texts in a second language: enough that nobody can rely on the text (`zitadel.md` 3).
const GERMAN: &[(&str, &str)] = &[
    ("User could not be found", "Der Benutzer wurde nicht gefunden"),
    ("User already exists", "Den Benutzer gibt es schon"),
    ("Username not changed", "Der Benutzername ist unverändert"),
    ("Email not changed", "Die E-Mail-Adresse ist unverändert"),
];

/// One string field of a protobuf message.
fn append_text(bytes: &mut Vec<u8>, number: u8, text: &str) {
    bytes.push(number << 3 | 2);
    let mut length = text.len();
    while length > 0x7f {
        bytes.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap_or(0));
    bytes.extend_from_slice(text.as_bytes());
}
