//! What is configured for a system of kind `csv`.
//!
//! The keys that all systems share (`kind`, `says`) are not among them.

use std::{collections::BTreeMap, time::Duration};

use encoding_rs::Encoding;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of `kind = "csv"` as they are written. Keys that are not among them are passed over here: others read their
/// own from the same table, and the schema of all of them together says which nobody knows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Written {
    /// The column whose value names the person, and never changes for a person.
    #[schemars(example = &"employee_id")]
    key: String,
    /// Whether absence from the file means "gone" (full) or nothing (partial).
    #[serde(default)]
    coverage: Coverage,
    /// What stands between two fields: one character, or `tab`. Decided from the header where it is not given.
    delimiter: Option<String>,
    /// The encoding, such as `utf-8`, `windows-1252` or `utf-16`. Where it is not given, the byte order mark decides,
    /// and a file without one must be UTF-8.
    encoding: Option<String>,
    /// For each column the names it may have in the header besides its own. Every column named here must be there.
    #[serde(default)]
    columns: BTreeMap<String, Vec<String>>,
    /// Lines the header takes: 2 where a line of labels follows the line of names.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10))]
    header_rows: u64,
    /// Values that stand for nothing, such as `NULL` or `N/A`.
    #[serde(default)]
    placeholders: Vec<String>,
    /// Rows whose first field is one of these are no people, such as `Total`.
    #[serde(default)]
    skip: Vec<String>,
    /// Fewer rows than this are no list of this sender: the file is refused.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    minimum_rows: u64,
    /// A line that tells how many rows there are, as a regular expression for the whole of it with one group for the
    /// number, such as `Total;([0-9]+)`. Its number must be right, such a line must be there, and it is no person.
    count_line: Option<String>,
    /// What every key must look like, as a regular expression for the whole of it, such as `[0-9]{6}`.
    id_pattern: Option<String>,
    /// How long people of whom a list says what the last one said are taken to be in order without a look at their
    /// accounts, such as `1d`: until then only the others are looked at. Where it is not given, everybody is looked at each
    /// time. Only with `coverage = "full"`.
    #[schemars(example = &"1d")]
    recheck: Option<String>,
    /// Above which size something is no honest file.
    #[serde(default)]
    limits: Limits,
}

/// What absence from a file means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coverage {
    /// The file lists everybody: who is missing has gone.
    Full,
    /// The file lists some people: nothing is known of the others.
    #[default]
    Partial,
}

/// Sizes above which reading stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Bytes of one field (as UTF-8); a row with a longer one is rejected.
    pub(crate) field: usize,
    /// Bytes of one record; a file with a larger one is refused.
    pub(crate) record: usize,
    /// Columns of one line; a file with more is refused.
    pub(crate) columns: usize,
    /// Rows; a file with more is refused.
    pub(crate) rows: u64,
    /// Bytes of the file; a larger one is refused.
    pub(crate) file: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { field: 8 << 10, record: 1 << 20, columns: 1_000, rows: 10_000_000, file: 8 << 30 }
    }
}

/// What is configured, checked and ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) key: String,
    pub(crate) coverage: Coverage,
    pub(super) delimiter: Option<u8>,
    pub(super) encoding: Option<&'static Encoding>,
    /// Every column that must be there, the key among them, with its other names.
    pub(super) columns: BTreeMap<String, Vec<String>>,
    pub(super) header_rows: u64,
    pub(super) placeholders: Vec<String>,
    pub(super) skip: Vec<String>,
    pub(super) minimum_rows: u64,
    pub(super) count_line: Option<Regex>,
    pub(super) id_pattern: Option<Regex>,
    /// How long people of whom nothing new is said are not looked at again; `None`: everybody is, each time.
    pub(crate) recheck: Option<Duration>,
    pub(super) limits: Limits,
}

/// What is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct SettingsError {
    /// The key at fault, where it is known: a place to point at.
    pub(crate) key: Option<&'static str>,
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

impl Settings {
    /// Checks what was written for one system.
    pub(crate) fn new(options: &serde_json::Value) -> Result<Self, SettingsError> {
        let written = Written::deserialize(options).map_err(|cause| SettingsError {
            key: None,
            why: cause.to_string(),
            hint: None,
        })?;
        let delimiter = written.delimiter.as_deref().map(delimiter).transpose()?;
        let encoding = written.encoding.as_deref().map(encoding).transpose()?;
        let count_line = written.count_line.as_deref().map(count_line).transpose()?;
        let id_pattern = written.id_pattern.as_deref().map(id_pattern).transpose()?;
        let recheck = written.recheck.as_deref().map(recheck).transpose()?;
        if recheck.is_some() && written.coverage == Coverage::Partial {
            return Err(fault(
                "recheck",
                "`recheck` is for lists of everybody",
                "set `coverage = \"full\"`, or leave `recheck` out",
            ));
        }
        if written.key.trim().is_empty() {
            return Err(fault("key", "`key` is empty", "name the column that holds each person's number or id"));
        }
        if written.header_rows == 0 {
            return Err(fault(
                "header_rows",
                "`header_rows` is 0",
                "a file without a header cannot be read: columns are found by name",
            ));
        }
        if written.minimum_rows == 0 {
            return Err(fault(
                "minimum_rows",
                "`minimum_rows` is 0",
                "an empty list is never taken to mean that everybody left: 1 is the least",
            ));
        }
        let mut columns = written.columns;
        columns.entry(written.key.clone()).or_default();
        Ok(Self {
            key: written.key,
            coverage: written.coverage,
            delimiter,
            encoding,
            columns,
            header_rows: written.header_rows,
            placeholders: written.placeholders,
            skip: written.skip,
            minimum_rows: written.minimum_rows,
            count_line,
            id_pattern,
            recheck,
            limits: written.limits,
        })
    }

    /// The columns that are named in the configuration, the key among them.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The JSON Schema of these settings.
    pub(crate) fn schema() -> serde_json::Value {
        schemars::schema_for!(Written).to_value()
    }
}

fn recheck(text: &str) -> Result<Duration, SettingsError> {
    crate::source::duration(text).ok_or_else(|| {
        let text = text.trim();
        fault("recheck", format!("`{text}` is no duration"), "a number and a unit: `12h`, `7d`")
    })
}

fn one() -> u64 {
    1
}

fn fault(key: &'static str, why: impl Into<String>, hint: &str) -> SettingsError {
    SettingsError { key: Some(key), why: why.into(), hint: Some(hint.to_owned()) }
}

fn delimiter(text: &str) -> Result<u8, SettingsError> {
    match text.as_bytes() {
        b"tab" | b"TAB" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n' | 0] => {
            Err(fault("delimiter", "this character cannot stand between fields", "usual are `,`, `;`, `|` and `tab`"))
        }
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(fault("delimiter", "`delimiter` is one ASCII character", "usual are `,`, `;`, `|` and `tab`")),
    }
}

fn encoding(label: &str) -> Result<&'static Encoding, SettingsError> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        fault(
            "encoding",
            format!("unknown encoding `{label}`"),
            "usual are `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16`; other names are those of the WHATWG standard",
        )
    })
}

fn id_pattern(text: &str) -> Result<Regex, SettingsError> {
    Regex::new(&format!("^(?:{text})$")).map_err(|cause| {
        let why = format!("`id_pattern` is no regular expression: {}", last_line(&cause.to_string()));
        fault("id_pattern", why, "such as `[0-9]{6}`; it is matched against the whole key")
    })
}

fn count_line(text: &str) -> Result<Regex, SettingsError> {
    let hint =
        "such as `Total;([0-9]+)`; it is matched against the whole line, without quotes and empty fields at its end";
    let pattern = Regex::new(&format!("^(?:{text})$")).map_err(|cause| {
        let why = format!("`count_line` is no regular expression: {}", last_line(&cause.to_string()));
        fault("count_line", why, hint)
    })?;
    match pattern.captures_len() - 1 {
        1 => Ok(pattern),
        0 => Err(fault("count_line", "`count_line` has no group for the number", hint)),
        many => Err(fault("count_line", format!("`count_line` has {many} groups, and one is for the number"), hint)),
    }
}

/// The line of a regular expression's complaint that says what is wrong, without its drawing.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim().trim_start_matches("error: ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key_at_fault(options: &serde_json::Value) -> (Option<&'static str>, String) {
        let error = Settings::new(options).unwrap_err();
        (error.key, error.why)
    }

    #[test]
    fn every_fault_names_its_key() {
        for (key, value, why) in [
            ("delimiter", json!("::"), "`delimiter` is one ASCII character"),
            ("delimiter", json!("\""), "this character cannot stand between fields"),
            ("encoding", json!("utf-42"), "unknown encoding `utf-42`"),
            ("id_pattern", json!("["), "`id_pattern` is no regular expression: unclosed character class"),
            ("header_rows", json!(0), "`header_rows` is 0"),
            ("minimum_rows", json!(0), "`minimum_rows` is 0"),
            ("count_line", json!("Total;[0-9"), "`count_line` is no regular expression: unclosed character class"),
            ("count_line", json!("Total;[0-9]+"), "`count_line` has no group for the number"),
            ("recheck", json!("daily"), "`daily` is no duration"),
            ("recheck", json!("1d"), "`recheck` is for lists of everybody"),
            ("count_line", json!("(Total);([0-9]+)"), "`count_line` has 2 groups, and one is for the number"),
        ] {
            assert_eq!(key_at_fault(&json!({ "key": "id", key: value })), (Some(key), why.to_owned()));
        }
        assert_eq!(key_at_fault(&json!({ "key": " " })), (Some("key"), "`key` is empty".to_owned()));
    }

    #[test]
    fn a_pattern_holds_for_the_whole_key_even_with_alternatives() {
        let settings = Settings::new(&json!({ "key": "id", "id_pattern": "a|b" })).unwrap();
        let pattern = settings.id_pattern.unwrap();
        assert!(pattern.is_match("a") && pattern.is_match("b") && !pattern.is_match("ab") && !pattern.is_match("xb"));
    }
}
