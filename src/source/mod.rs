//! Inputs: what a file or a website says, as records with their origin.
//!
//! A source reads and hands on. It does not know what a record means (rules do), whom it concerns, or what shall happen.
//! A row that cannot be used is handed on too, as a rejected one, because a rejected row is not a missing person.

use std::{io, sync::Arc, time::Duration};

use crate::model::{
    plan::KnownBy,
    record::{Record, Rejected},
};

pub(crate) mod csv_file;
pub(crate) mod drop_folder;
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
        /// Its fields as they stand in the file, uncleaned and in file order, so that the row can be given back to be
        /// repaired: there may be too many or too few. Bytes that are no text are U+FFFD. Values of a person.
        fields: Vec<Arc<str>>,
    },
}

/// What was read, once all rows have been handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Digest of the bytes of the file, in hex.
    pub(crate) sha256: String,
    /// What it is known by when it comes again, where that is asked for.
    pub(crate) known_by: Option<KnownBy>,
    pub(crate) records: u64,
    pub(crate) rejected: u64,
    /// The columns in file order, by the names that rules know them by. `layout` has the names the file gives them.
    pub(crate) columns: Vec<String>,
    /// Physical line on which the last row begins; 0 where there is none.
    pub(crate) last_line: u64,
    /// False: the last line has no line end, which may be how this sender writes, or a broken transfer.
    pub(crate) final_line_end: bool,
    /// True: these are rows that had been rejected and were repaired. They are a part of a list, whatever is configured,
    /// and nobody is missing from them.
    pub(crate) repaired: bool,
    /// How the file is written. `None` where the rows did not come from one.
    pub(crate) layout: Option<Layout>,
    /// What was decided and what was cleaned, each a sentence for the report. No values of people.
    pub(crate) notes: Vec<String>,
}

/// How a file of rows is written: what it takes to write another that its sender can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The name of the encoding in the WHATWG standard, such as `UTF-8` or `windows-1252`.
    pub(crate) encoding: &'static str,
    /// True where the file begins with a byte order mark.
    pub(crate) marked: bool,
    /// What stands between two fields.
    pub(crate) delimiter: u8,
    /// How most of its lines end.
    pub(crate) line_end: LineEnd,
    /// The names of its columns as it spells them, in the order of [`Read::columns`].
    pub(crate) header: Vec<String>,
    /// Physical line of the header.
    pub(crate) header_line: u64,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineEnd {
    #[default]
    Lf,
    CrLf,
    Cr,
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
    #[error("the file is UTF-8, but `encoding` says {configured}: letters beyond ASCII would be taken for others")]
    IsUtf8 { configured: &'static str },
    #[error("no header was found in the first {searched} lines: no line holds the column `{key}`")]
    NoHeader {
        key: String,
        searched: u64,
        /// The line of something that is written nearly so. It may be somebody's name, and is not shown.
        near: Option<u64>,
    },
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
    #[error("the last record, in line {line}, is cut off: {found} of {expected} fields")]
    CutOff { line: u64, found: usize, expected: usize },
    #[error("the last record, in line {line}, ends in the middle of a letter")]
    CutInLetter { line: u64 },
    #[error("the last record, in line {line}, ends with half a line end: CR, where all others have CR LF")]
    HalfLineEnd { line: u64 },
    #[error("line {line} says that there are {said} rows, and there are {rows}")]
    WrongCount { line: u64, said: String, rows: u64 },
    #[error("no line tells how many rows there are")]
    NoCount,
    #[error("there are {rows} rows, and `minimum_rows` says that this sender has {minimum} at least")]
    TooFewRows { rows: u64, minimum: u64 },
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
                let is_wide = likely.iter().any(|name| name.starts_with("utf"));
                let central = if is_wide { "" } else { " (`windows-1250` in central Europe)" };
                format!(
                    "likely {}{central}: set it for this system and look at the names in the plan, or export as UTF-8",
                    names.join(" or ")
                )
            }
            Why::OtherEncoding { .. } => "remove `encoding` from this system, or export without the mark".to_owned(),
            Why::IsUtf8 { .. } => "remove `encoding` from this system: UTF-8 is what is expected".to_owned(),
            Why::NoHeader { near: Some(line), .. } => {
                format!("line {line} has something that is written nearly so: write `key` as it stands there")
            }
            Why::NoHeader { key, .. } => format!(
                "check `key`; where the column has another name in this file, say so: \
                 columns = {{ {} = [\"its name\"] }}; and check `delimiter`",
                toml_key(key)
            ),
            Why::MissingColumns { present, .. } => {
                format!("it has {}; other names of a column can be given in `columns`", quoted(present))
            }
            Why::DoubledColumn { .. } => "nobody can say which of the two is meant: rename or remove one".to_owned(),
            Why::CutOff { .. } => {
                "the transfer was probably cut off: send the file again; where it is a line of totals, \
                                   describe it in `count_line` or name it in `skip`"
                    .to_owned()
            }
            Why::UnclosedQuote { .. } | Why::CutInLetter { .. } | Why::HalfLineEnd { .. } | Why::Zeros { .. } => {
                "the transfer was probably cut off: send the file again".to_owned()
            }
            Why::WrongCount { .. } => "rows were lost or doubled on the way: send the file again".to_owned(),
            Why::NoCount => "the end of the file is probably missing: send it again; where this sender writes no such \
                             line any more, remove `count_line`"
                .to_owned(),
            Why::TooFewRows { .. } => "ask the sender what became of the others; if so few are right, change \
                                       `minimum_rows` for this system"
                .to_owned(),
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

/// Reads `500ms`, `10s`, `15m`, `12h` or `90d`. `None` for anything else, and for no time at all.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| number.parse::<u64>().ok()).flatten().and_then(|number| number.checked_mul(unit));
    value.filter(|value| *value > 0).map(Duration::from_millis)
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A name as TOML takes it for a key: in quotes, where it is not made of letters and digits alone.
fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}
