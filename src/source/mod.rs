//! Inputs: what a file or a website says, as records with their origin.
//!
//! A source reads and hands on. It does not know what a record means (rules do), whom it concerns, or what shall happen.
//! A row that cannot be used is handed on too, as a rejected one, because a rejected row is not a missing person.

use std::{io, sync::Arc};

use crate::model::record::{Record, Rejected};

pub(crate) mod csv_file;
#[cfg_attr(not(test), expect(dead_code, reason = "not every part of it is in use yet"))]
pub(crate) mod wordpress;

/// One row of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// It can be used.
    Record(Record),
    /// It cannot.
    Rejected {
        /// Whose row it is, where that is certain. `None`: it may be anybody's, so nobody counts as missing.
        key: Option<Arc<str>>,
        rejected: Rejected,
    },
}

/// What was read, once all rows have been handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Digest of the bytes of the file, in hex.
    pub(crate) sha256: String,
    pub(crate) records: u64,
    pub(crate) rejected: u64,
    /// False: the last line has no line end, which may be how this sender writes, or a broken transfer.
    pub(crate) final_line_end: bool,
    /// True where it holds rows that were put aside and repaired: it speaks of nobody else.
    pub(crate) repaired: bool,
    /// The columns, by the names they are known by.
    pub(crate) columns: Vec<String>,
    /// What was decided and what was cleaned, each a sentence for the report. No values of people.
    pub(crate) notes: Vec<String>,
}

/// Why nothing of a file is used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {why}")]
pub(crate) struct FileRefused {
    /// The file, as the user named it.
    pub(crate) file: String,
    pub(crate) why: Why,
}

/// The reasons to refuse a whole file. None of them shows a value of a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Why {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("this is no regular file")]
    NotAFile,
    #[error("this is not CSV: it looks like {looks_like}")]
    NotCsv { looks_like: &'static str },
    #[error("the file is empty")]
    Empty,
    #[error("there is a header and no row below it")]
    OnlyHeader,
    #[error("line {line} is not UTF-8, and no encoding is configured")]
    Undecodable {
        line: u64,
        /// True where earlier lines hold letters that are valid UTF-8 beyond ASCII.
        mostly_utf8: bool,
        /// Names that `encoding` takes, likeliest first.
        likely: &'static [&'static str],
    },
    #[error("the file is marked as {found}, but `encoding` says {configured}")]
    OtherEncoding { found: &'static str, configured: &'static str },
    #[error("no header was found in the first {searched} lines: no line holds the column `{key}`")]
    NoHeader { key: String, searched: u64 },
    #[error("the header in line {line} has no column {}", quoted(missing))]
    MissingColumns {
        line: u64,
        missing: Vec<String>,
        /// The columns there are, in file order.
        present: Vec<String>,
    },
    #[error("the header in line {line} names the column `{name}` twice")]
    DoubledColumn { line: u64, name: String },
    #[error("the record that begins in line {line} never ends: its quote is not closed")]
    UnclosedQuote { line: u64 },
    #[error("the last record, in line {line}, is cut off: {found} of {expected} fields and no line end")]
    CutOff { line: u64, found: usize, expected: usize },
    #[error("there is a long run of zero bytes in line {line}: the file was not written completely")]
    Zeros { line: u64 },
    #[error("the record that begins in line {line} is larger than {limit} bytes")]
    RecordTooLarge { line: u64, limit: usize },
    #[error("line {line} has more than {limit} columns")]
    TooManyColumns { line: u64, limit: usize },
    #[error("there are more than {limit} rows")]
    TooManyRows { limit: u64 },
    #[error("the file has {size} bytes; the limit is {limit}")]
    FileTooLarge { size: u64, limit: u64 },
    #[error("the file changed while it was read")]
    Changed,
}

impl FileRefused {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match &self.why {
            Why::Unreadable(cause) if cause.kind() == io::ErrorKind::NotFound => {
                "check the name; it is looked for in the working folder, or in that of -C DIR".to_owned()
            }
            Why::Unreadable(_) => "check the rights of the file and of its folder".to_owned(),
            Why::NotAFile => "name a file on disk: it is read twice, so a pipe will not do".to_owned(),
            Why::NotCsv { .. } => "export it as CSV; renaming it does not change what it is".to_owned(),
            Why::Empty | Why::OnlyHeader => {
                "an empty list is never taken to mean that everybody left; ask the sender".to_owned()
            }
            Why::Undecodable { mostly_utf8: true, .. } => {
                "earlier lines are UTF-8: repair this one, or set `encoding = \"utf-8\"` to reject such rows alone"
                    .to_owned()
            }
            Why::Undecodable { likely, .. } => {
                let names: Vec<String> = likely.iter().map(|name| format!("`encoding = \"{name}\"`")).collect();
                format!("likely {}: set it for this system, or export as UTF-8", names.join(" or "))
            }
            Why::OtherEncoding { .. } => "remove `encoding` from this system, or export without the mark".to_owned(),
            Why::NoHeader { key, .. } => format!(
                "check `key`; where the column has another name in this file, say so: \
                 columns = {{ {key} = [\"its name\"] }}; `delimiter` may be set too"
            ),
            Why::MissingColumns { present, .. } => {
                format!("it has {}; other names of a column can be given in `columns`", quoted(present))
            }
            Why::DoubledColumn { .. } => "nobody can say which of the two is meant: rename or remove one".to_owned(),
            Why::UnclosedQuote { .. } | Why::CutOff { .. } | Why::Zeros { .. } => {
                "the transfer was probably cut off: send the file again".to_owned()
            }
            Why::RecordTooLarge { .. } => {
                "probably a quote that is never closed; a true record of this size needs `limits.record`".to_owned()
            }
            Why::TooManyColumns { .. } => "check `delimiter`, or raise `limits.columns`".to_owned(),
            Why::TooManyRows { .. } => "raise `limits.rows` if that is right".to_owned(),
            Why::FileTooLarge { .. } => "raise `limits.file` if that is right".to_owned(),
            Why::Changed => "wait until the sender has finished and read it again".to_owned(),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
