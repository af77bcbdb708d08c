//! What inputs hold: records as they were read, rows that were refused, and statements that rules made of records.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    attribute::{AttributeName, Value},
    few::Few,
    id::SystemName,
    origin::Origin,
    values::Values,
};

/// What stands behind the name of a file that says something of somebody by not listing her.
const BY_ABSENCE: &str = " (not listed)";

/// Where in an input a record stands; shown as `people.csv:7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordOrigin {
    /// The file, as the user named it.
    pub(crate) file: Arc<str>,
    /// The physical line the record begins on, from 1; 0 for what no line says.
    pub(crate) line: u64,
}

impl fmt::Display for RecordOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            // What is said by no line: by absence, or in an earlier run.
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl RecordOrigin {
    /// Where it is said of somebody that she is not listed.
    pub(crate) fn by_absence(file: &str) -> Self {
        Self { file: format!("{file}{BY_ABSENCE}").into(), line: 0 }
    }

    /// True where that is all that is said of her.
    pub(crate) fn is_by_absence(&self) -> bool {
        self.line == 0 && not_listed_in(&self.file).is_some()
    }
}

/// The file that does not list somebody, where it is shown so that this is why something is said of her.
pub(crate) fn not_listed_in(shown: &str) -> Option<&str> {
    shown.strip_suffix(BY_ABSENCE)
}

/// The columns of one input, shared by all its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    names: Vec<Arc<str>>,
    index: BTreeMap<Arc<str>, usize>,
}

impl Header {
    /// The columns in file order. Names must be distinct; the first of equal names wins.
    #[must_use]
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let mut index = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            index.entry(Arc::clone(name)).or_insert(at);
        }
        Self { names, index }
    }

    /// The names in file order.
    #[must_use]
    pub(crate) fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Where the column stands.
    #[must_use]
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }
}

/// One row as it was read: every field is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Where it stands.
    pub(crate) origin: RecordOrigin,
    /// Its columns.
    pub(crate) header: Arc<Header>,
    /// Its fields, one for each column of `header`.
    pub(crate) fields: Fields,
}

/// The fields of a row: one text behind the other in one piece, which copies share. A list of a million rows is a million
/// of these, so each is made in few steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields(Arc<Pieces>);

#[derive(Debug, PartialEq, Eq)]
struct Pieces {
    text: Box<str>,
    /// Where each of them ends.
    ends: Box<[usize]>,
}

impl Fields {
    /// These fields, in two pieces of memory of just the right size.
    pub(crate) fn of(fields: &[impl AsRef<str>]) -> Self {
        let mut text = String::with_capacity(fields.iter().map(|field| field.as_ref().len()).sum());
        let mut ends = Vec::with_capacity(fields.len());
        for field in fields {
            text.push_str(field.as_ref());
            ends.push(text.len());
        }
        Self(Arc::new(Pieces { text: text.into(), ends: ends.into() }))
    }

    /// The field at this place, from 0.
    #[must_use]
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        let end = *self.0.ends.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.0.ends[before]);
        self.0.text.get(start..end)
    }

    /// The fields in the order of the columns.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.0.ends.len()).filter_map(|at| self.get(at))
    }

    /// True where somebody else holds them too.
    #[cfg(test)]
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl<T: AsRef<str>> FromIterator<T> for Fields {
    fn from_iter<I: IntoIterator<Item = T>>(fields: I) -> Self {
        Self::of(&fields.into_iter().collect::<Vec<_>>())
    }
}

impl Record {
    /// The field of the named column.
    #[must_use]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.header.position(name).and_then(|at| self.fields.get(at))
    }
}

/// A row that could not be used. It never counts as a missing person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rejected {
    /// The source.
    pub(crate) system: SystemName,
    /// The file, as the user named it.
    pub(crate) file: String,
    /// Physical line, from 1.
    pub(crate) line: u64,
    /// The column at fault, where there is one.
    pub(crate) column: Option<String>,
    /// A stable word for the kind of fault, such as `too_few_fields`.
    pub(crate) code: String,
    /// One sentence for a person. Names no value of the row.
    pub(crate) reason: String,
}

/// An operation that a record asks for, as a rule made it of the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deed {
    /// The provider.
    pub(crate) system: SystemName,
    /// The name in its table.
    pub(crate) operation: String,
    /// Checked against the table.
    pub(crate) arguments: BTreeMap<String, Value>,
    /// The line that asks for it.
    pub(crate) origin: Origin,
    /// What is known of it from before.
    pub(crate) before: Before,
    /// Digest of the source, the record's key and all of the above but the line: two of the same mark are one.
    pub(crate) mark: String,
}

/// What is known of an operation from before this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Before {
    /// It was never asked for.
    #[default]
    Never,
    /// An earlier run may have done it, and nobody knows.
    InDoubt,
    /// Its record is the first that a source of changes shows of this person: what was so already asks for nothing.
    Baseline,
}

/// What a source's record says about one person, after the source's rule has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The source.
    pub(crate) system: SystemName,
    /// The source's own key for the person.
    pub(crate) key: Arc<str>,
    /// What is said. An attribute that is absent is not spoken of.
    pub(crate) values: Values,
    /// Where it was said.
    pub(crate) origin: RecordOrigin,
    /// False for what a source said in an earlier run: it counts as known, and asks for nothing.
    pub(crate) fresh: bool,
    /// Operations it asks for. Each is done once, however often the same is asked.
    pub(crate) deeds: Few<Deed>,
    /// True where the record speaks of no person and only asks for operations.
    pub(crate) of_nobody: bool,
    /// Of what is remembered: names she is found by, and whether she is active, where the source has said otherwise since and
    /// not all of that is carried out.
    pub(crate) unsettled: Few<AttributeName>,
    /// In order, attributes that are shown and not said: a source that says changes showed the same the last time.
    pub(crate) quiet: Few<AttributeName>,
}

impl Statement {
    /// True where it asks for operations, or for nothing else.
    #[must_use]
    pub(crate) fn asks_for_deeds(&self) -> bool {
        self.of_nobody || !self.deeds.is_empty()
    }

    /// The value this statement asks to be true now; `None` where it only shows it, or does not speak of it.
    #[must_use]
    pub(crate) fn said(&self, attribute: &AttributeName) -> Option<Value> {
        if self.is_silent(attribute) { None } else { self.values.get(attribute) }
    }

    /// True where it asks for a value of this attribute to be true now.
    #[must_use]
    pub(crate) fn says(&self, attribute: &AttributeName) -> bool {
        !self.is_silent(attribute) && self.values.contains_key(attribute)
    }

    fn is_silent(&self, attribute: &AttributeName) -> bool {
        !self.fresh || self.shows(attribute)
    }

    /// True where it shows this attribute as the source did the last time.
    #[must_use]
    pub(crate) fn shows(&self, attribute: &AttributeName) -> bool {
        // A range may have a thousand members.
        self.quiet.binary_search(attribute).is_ok()
    }

    /// The attributes that something is said of.
    pub(crate) fn spoken(&self) -> impl Iterator<Item = &AttributeName> {
        self.values.keys().filter(|name| !self.is_silent(name))
    }
}
