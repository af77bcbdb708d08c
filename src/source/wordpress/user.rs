//! One user as the API shows her, and as the columns of a record (`wordpress.md` 4).
//!
//! Values are text. They are cleaned in the few ways listed in [`Cleaned`] and in no other. What a value means is left to
//! rules.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value as Json};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{
    refused::Why,
    settings::{Limits, Settings},
};
use crate::model::record::Header;

/// What is asked of every user, besides meta.
pub(super) const FIELDS: [Field; 12] = [
    Field::new("id", true),
    Field::new("username", true),
    Field::new("name", true).html(),
    Field::new("first_name", true).html(),
    Field::new("last_name", true).html(),
    Field::new("nickname", false).html(),
    Field::new("email", true),
    Field::new("slug", true),
    Field::new("url", false),
    Field::new("locale", false),
    Field::new("roles", true),
    Field::new("registered_date", true),
];

/// One field of a user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// False: a site that hides it from everybody is read without it.
    is_needed: bool,
    /// WordPress keeps it with HTML entities.
    is_html: bool,
}

impl Field {
    const fn new(name: &'static str, is_needed: bool) -> Self {
        Self { name, is_needed, is_html: false }
    }

    const fn html(self) -> Self {
        Self { is_html: true, ..self }
    }
}

/// The columns that a site shows.
#[derive(Debug)]
pub(super) struct Columns<'s> {
    fields: Vec<Field>,
    meta: &'s [String],
    limits: Limits,
    pub(super) header: Arc<Header>,
}

/// How many values were cleaned, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) entities: u64,
    pub(super) outer_spaces: u64,
    pub(super) composed: u64,
}

/// Why one user cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) column: String,
    pub(super) code: &'static str,
    pub(super) reason: String,
}

/// The columns of one user, in the order of the header; or why she cannot be used.
pub(super) type Fields = Result<Vec<String>, Fault>;

impl<'s> Columns<'s> {
    /// The columns of a site that shows this user in this way.
    pub(super) fn of(first: &Map<String, Json>, settings: &'s Settings) -> Result<Self, Why> {
        let mut fields = Vec::with_capacity(FIELDS.len());
        for field in FIELDS {
            match first.contains_key(field.name) {
                true => fields.push(field),
                false if field.is_needed => return Err(Why::FieldMissing { field: field.name }),
                false => {}
            }
        }
        let meta = settings.meta.iter().map(|key| format!("meta_{key}"));
        let header = Header::new(fields.iter().map(|field| field.name.to_owned()).chain(meta));
        Ok(Self { fields, meta: &settings.meta, limits: settings.limits, header: Arc::new(header) })
    }

    /// Fields that this site does not show.
    pub(super) fn hidden(&self) -> Vec<&'static str> {
        let is_shown = |name| self.fields.iter().any(|field| field.name == name);
        FIELDS.iter().map(|field| field.name).filter(|name| !is_shown(*name)).collect()
    }

    /// Reads one user.
    ///
    /// # Errors
    /// Where the site shows this user in another way than the first: then no user of it can be trusted.
    pub(super) fn read(&self, user: &Map<String, Json>, cleaned: &mut Cleaned) -> Result<Fields, Why> {
        let mut own = Cleaned::default();
        let mut texts = Vec::with_capacity(self.fields.len() + self.meta.len());
        let mut at_fault = None;
        for field in &self.fields {
            let value = user.get(field.name).ok_or(Why::FieldMissing { field: field.name })?;
            let text = match field.name {
                "roles" => roles(value),
                _ => plain(value),
            };
            let text = text.ok_or_else(|| Fault::new(field.name, "wrong_type", "is no text"));
            match text.and_then(|text| self.value(field.name, &text, field.is_html, &mut own)) {
                Ok(text) => texts.push(text),
                Err(fault) => drop(at_fault.get_or_insert(fault)),
            }
        }
        // An empty list stands for an empty object.
        let none = Map::new();
        let meta = user.get("meta").and_then(Json::as_object).unwrap_or(&none);
        for key in self.meta {
            let value = meta.get(key).ok_or_else(|| Why::MetaNotShown { key: key.clone() })?;
            let text = plain(value).ok_or_else(|| Why::MetaNotText { key: key.clone() })?;
            match self.value(&format!("meta_{key}"), &text, false, &mut own) {
                Ok(text) => texts.push(text),
                Err(fault) => drop(at_fault.get_or_insert(fault)),
            }
        }
        let is_nameless = user.get("username").and_then(Json::as_str).is_some_and(|name| name.trim().is_empty());
        if is_nameless {
            at_fault.get_or_insert(Fault::new("username", "empty_username", "is empty"));
        }
        if let Some(fault) = at_fault {
            return Ok(Err(fault));
        }
        cleaned.entities += own.entities;
        cleaned.outer_spaces += own.outer_spaces;
        cleaned.composed += own.composed;
        Ok(Ok(texts))
    }

    fn value(&self, column: &str, text: &str, is_html: bool, cleaned: &mut Cleaned) -> Result<String, Fault> {
        if text.len() > self.limits.field {
            let reason = format!("is longer than {} bytes", self.limits.field);
            return Err(Fault::new(column, "field_too_long", &reason));
        }
        let value = clean(text, is_html, cleaned);
        let is_forbidden = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if value.contains(is_forbidden) {
            return Err(Fault::new(column, "control_character", "holds a control character"));
        }
        Ok(value)
    }
}

impl Fault {
    fn new(column: &str, code: &'static str, reason: &str) -> Self {
        Self { column: column.to_owned(), code, reason: reason.to_owned() }
    }
}

impl Cleaned {
    /// Sentences for the report.
    pub(super) fn notes(self) -> Vec<String> {
        let counts = [
            (self.entities, "HTML entities decoded"),
            (self.outer_spaces, "spaces around the value removed"),
            (self.composed, "letters and their marks put together (NFC)"),
        ];
        let told = counts.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, what)| format!("{what}: {count} {}", if count == 1 { "value" } else { "values" })).collect()
    }
}

/// The id of a user, where it is one.
pub(super) fn id(user: &Map<String, Json>) -> Option<u64> {
    user.get("id")?.as_u64().filter(|id| *id > 0)
}

/// A value as it is meant to be used: entities decoded once, whole letters, nothing around it.
fn clean(text: &str, is_html: bool, cleaned: &mut Cleaned) -> String {
    let mut value = Cow::Borrowed(text);
    if is_html && text.contains('&') {
        let decoded = html_escape::decode_html_entities(text);
        if decoded != text {
            cleaned.entities += 1;
            value = Cow::Owned(decoded.into_owned());
        }
    }
    if !is_nfc(&value) {
        cleaned.composed += 1;
        value = Cow::Owned(value.nfc().collect());
    }
    let trimmed = value.trim();
    if trimmed.len() < value.len() {
        cleaned.outer_spaces += 1;
        return trimmed.to_owned();
    }
    value.into_owned()
}

/// A single value as text.
fn plain(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::Null => Some(Cow::Borrowed("")),
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Number(number) => Some(Cow::Owned(number.to_string())),
        Json::Bool(yes) => Some(Cow::Borrowed(if *yes { "true" } else { "false" })),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// Roles in the order they are shown, with a blank between them. PHP writes a list with gaps as an object.
fn roles(value: &Json) -> Option<Cow<'_, str>> {
    let texts: Option<Vec<&str>> = match value {
        Json::Array(roles) => roles.iter().map(Json::as_str).collect(),
        Json::Object(roles) => roles.values().map(Json::as_str).collect(),
        _ => None,
    };
    texts.map(|texts| Cow::Owned(texts.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_decoded_once_and_only_once() {
        for (kept, meant) in [
            ("R&amp;D", "R&D"),
            ("R&amp;amp;D", "R&amp;D"),
            ("O&#039;Neill", "O'Neill"),
            ("O&#8217;Neill", "O’Neill"),
            ("&lt;b&gt; &quot;x&quot;", "<b> \"x\""),
            ("Andr&eacute;", "André"),
            ("&#x27;a&#x27;", "'a'"),
            ("A & B", "A & B"),
            ("AT&T; &nosuch; &#xD800; &#99999999999; &;", "AT&T; &nosuch; &#xD800; &#99999999999; &;"),
        ] {
            assert_eq!(clean(kept, true, &mut Cleaned::default()), meant, "{kept}");
            assert_eq!(clean(kept, false, &mut Cleaned::default()), kept);
        }
    }

    #[test]
    fn roles_are_one_text_in_the_order_shown() {
        let text = |value: Json| roles(&value).map(Cow::into_owned);
        assert_eq!(text(serde_json::json!(["editor", "author"])).as_deref(), Some("editor author"));
        assert_eq!(text(serde_json::json!({ "1": "editor" })).as_deref(), Some("editor"));
        assert_eq!(text(serde_json::json!([])).as_deref(), Some(""));
        assert_eq!(text(serde_json::json!([1])), None);
        assert_eq!(text(serde_json::json!("editor")), None);
    }
}
