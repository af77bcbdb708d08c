//! A TOML text as plain data, and the places where each part of it stands.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::{ConfigError, Fault};

/// The way to a value: keys from the outside in; an item of a list goes by its number.
pub(super) type Way = Vec<String>;

/// The data of a file and where it stands.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) data: Map<String, Value>,
    pub(super) places: Places,
}

/// Where keys and values stand, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    keys: BTreeMap<Way, Range<usize>>,
    values: BTreeMap<Way, Range<usize>>,
}

impl Places {
    /// The key at the end of this way; for an item of a list the item.
    pub(super) fn key(&self, way: &[String]) -> Option<Range<usize>> {
        self.keys.get(way).or_else(|| self.values.get(way)).cloned()
    }

    /// The value at the end of this way. A table with a header is shown by its name.
    pub(super) fn value(&self, way: &[String]) -> Option<Range<usize>> {
        self.values.get(way).or_else(|| self.keys.get(way)).cloned()
    }
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// Everything that is no TOML, at once.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let told = |error: toml::de::Error| {
                let (message, hint) = syntax(error.message());
                ConfigError::new(error.span(), Fault::Syntax { message, hint })
            };
            return Err(errors.into_iter().map(told).collect());
        }
        let mut document = Self::default();
        document.data = document.places.table(table.get_ref(), &[]);
        Ok(document)
    }
}

/// What the parser says, in the words of somebody who writes a file; and what to do.
fn syntax(said: &str) -> (String, &'static str) {
    let known = [
        ("string values must be quoted", "text has to stand in quotes", "such as `url = \"https://git.example.com\"`"),
        ("invalid basic string", "the text in quotes does not end in this line", "write the closing quote `\"`"),
        ("invalid literal string", "the text in quotes does not end in this line", "write the closing quote `'`"),
        ("duplicate key", "this is here a second time", "keep one of them"),
        ("invalid table header", "this header of a table is not complete", "such as `[systems.gitlab]`"),
        ("unclosed table", "this header of a table is not complete", "such as `[systems.gitlab]`"),
        (
            "unclosed inline table",
            "this table does not end in this line",
            "such as `token = { env = \"GITLAB_TOKEN\" }`",
        ),
        ("unclosed array", "this list does not end", "write the closing `]`"),
        ("key with no value", "there is a key and no value", "such as `kind = \"gitlab\"`"),
        ("missing value", "there is a key and no value", "such as `kind = \"gitlab\"`"),
    ];
    if let Some((_, message, hint)) = known.into_iter().find(|(begins, ..)| said.starts_with(begins)) {
        return (message.to_owned(), hint);
    }
    let message = format!("this is no TOML: {}", said.lines().collect::<Vec<_>>().join("; "));
    (message, "a line is `key = value` or `[table]`; text stands in quotes")
}

impl Places {
    fn table(&mut self, table: &DeTable<'_>, way: &[String]) -> Map<String, Value> {
        let mut data = Map::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let way: Way = way.iter().cloned().chain([name.clone()]).collect();
            self.keys.insert(way.clone(), key.span());
            let value = self.read(value, way);
            data.insert(name, value);
        }
        data
    }

    fn read(&mut self, value: &Spanned<DeValue<'_>>, way: Way) -> Value {
        let data = match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            // A number that fits nowhere stays text, and so is of the wrong type wherever it stands.
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::String(number.as_str().to_owned()), Value::from),
            DeValue::Float(number) => {
                let parsed = number.as_str().parse().ok().and_then(Number::from_f64);
                parsed.map_or_else(|| Value::String(number.as_str().to_owned()), Value::Number)
            }
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(items) => {
                let numbered = items.iter().enumerate();
                let read =
                    numbered.map(|(at, item)| self.read(item, way.iter().cloned().chain([at.to_string()]).collect()));
                Value::Array(read.collect())
            }
            DeValue::Table(table) => Value::Object(self.table(table, &way)),
        };
        self.values.insert(way, value.span());
        data
    }
}
