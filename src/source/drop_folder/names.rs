//! What a file's name tells: whether it is one of ours, whether it is still under way, and which one is the older.
//!
//! Names come from other people. They are kept as the bytes they are, and shown only through [`FileName`].

use std::{
    cmp::Ordering,
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    str::FromStr,
};

use glob::{MatchOptions, Pattern};
use jiff::{Timestamp, civil::Date};

/// The name of a file in the folder. Shown, it is one line without control characters, whatever it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileName(OsString);

impl FileName {
    pub(super) fn new(name: impl Into<OsString>) -> Self {
        Self(name.into())
    }

    /// The name as the file system has it.
    pub(crate) fn as_os_str(&self) -> &OsStr {
        &self.0
    }

    /// The same name with something behind it.
    pub(super) fn with(&self, suffix: &str) -> OsString {
        let mut name = self.0.clone();
        name.push(suffix);
        name
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_bytes().utf8_chunks() {
            for letter in chunk.valid().chars() {
                if is_harmless(letter) {
                    write!(f, "{letter}")?;
                } else {
                    write!(f, "{}", letter.escape_default())?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// False for what ends a line, moves a cursor, turns the writing direction, or would make the shown name ambiguous.
fn is_harmless(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    !letter.is_control() && letter != '\\' && !turns
}

/// True where a name holds a control character, a line break among them.
pub(super) fn has_control(name: &OsStr) -> bool {
    name.to_string_lossy().chars().any(char::is_control)
}

/// Endings of names that are not finished (`csv-drop-folder.md`, item 6). What begins with a dot is not finished either.
const UNFINISHED: [&str; 9] =
    [".part", ".partial", ".filepart", ".tmp", ".temp", ".writing", ".crdownload", ".swp", "~"];

/// True for a file that its writer has not yet given its real name.
pub(super) fn is_unfinished(name: &OsStr, more: &[Pattern]) -> bool {
    let text = name.to_string_lossy();
    let lower = text.to_lowercase();
    let any_case = MatchOptions { case_sensitive: false, ..MatchOptions::default() };
    lower.starts_with('.')
        || UNFINISHED.iter().any(|ending| lower.ends_with(ending))
        || more.iter().any(|pattern| pattern.matches_with(&text, any_case))
}

/// What is behind the name of a file with rejected rows.
pub(super) const REJECTED: &str = ".rejected.csv";

/// True for our own lists of rejected rows, which are never read as they are.
pub(super) fn is_reject_file(name: &OsStr) -> bool {
    name.to_string_lossy().to_lowercase().ends_with(REJECTED)
}

/// Which names are wanted. The ending counts in any letter case.
#[derive(Clone, Debug)]
pub(super) struct Wanted(Pattern);

impl Wanted {
    pub(super) fn new(pattern: &str) -> Result<Self, glob::PatternError> {
        Pattern::new(&with_lower_ending(pattern)).map(Self)
    }

    pub(super) fn matches(&self, name: &OsStr) -> bool {
        self.0.matches(&with_lower_ending(&name.to_string_lossy()))
    }
}

fn with_lower_ending(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}.{}", ending.to_lowercase()),
        None => name.to_owned(),
    }
}

/// What decides which of two files is the older. Only keys of one kind can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderKey {
    /// The date in the name, and the digits behind it (a time of day, a counter) read as one number.
    Date { date: Date, then: u64 },
    /// The last number in the name.
    Number(u64),
    /// When the file got its name in the folder, by the clock of the file system.
    Arrival(Timestamp),
}

impl OrderKey {
    /// The date in a name, where there is one. Of several the last counts: the end of a period.
    pub(super) fn date(name: &OsStr) -> Option<Self> {
        let text = name.to_string_lossy();
        let text = stem(&text);
        let runs = digit_runs(text);
        let (at, date, rest) = (0..runs.len()).rev().find_map(|at| date_at(text, &runs, at))?;
        let then: String = std::iter::once(rest).chain(runs[at..].iter().map(|run| run.digits)).collect();
        let then = if then.is_empty() { 0 } else { then.parse().unwrap_or(u64::MAX) };
        Some(Self::Date { date, then })
    }

    /// The last number in a name, where there is one.
    pub(super) fn number(name: &OsStr) -> Option<Self> {
        let text = name.to_string_lossy();
        digit_runs(stem(&text)).last()?.digits.parse().ok().map(Self::Number)
    }
}

impl PartialOrd for OrderKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Date { date, then }, Self::Date { date: other, then: after }) => {
                Some((date, then).cmp(&(other, after)))
            }
            (Self::Number(number), Self::Number(other)) => Some(number.cmp(other)),
            (Self::Arrival(time), Self::Arrival(other)) => Some(time.cmp(other)),
            _ => None,
        }
    }
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date { date, then: 0 } => write!(f, "date:{date}"),
            Self::Date { date, then } => write!(f, "date:{date}/{then}"),
            Self::Number(number) => write!(f, "number:{number}"),
            Self::Arrival(time) => write!(f, "arrival:{time}"),
        }
    }
}

/// This text is no order key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no date, number or time of arrival")]
pub(crate) struct NoOrderKey;

impl FromStr for OrderKey {
    type Err = NoOrderKey;

    fn from_str(text: &str) -> Result<Self, NoOrderKey> {
        let (kind, value) = text.split_once(':').ok_or(NoOrderKey)?;
        let key = match kind {
            "date" => {
                let (date, then) = value.split_once('/').unwrap_or((value, "0"));
                date.parse().ok().zip(then.parse().ok()).map(|(date, then)| Self::Date { date, then })
            }
            "number" => value.parse().ok().map(Self::Number),
            "arrival" => value.parse().ok().map(Self::Arrival),
            _ => None,
        };
        key.ok_or(NoOrderKey)
    }
}

/// The name without its ending. An ending of digits is no ending: it may be the day of a date.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !ending.bytes().any(|byte| byte.is_ascii_digit()) => stem,
        _ => name,
    }
}

/// Digits that follow each other.
#[derive(Clone, Copy, Debug)]
struct Run<'a> {
    digits: &'a str,
    from: usize,
}

impl Run<'_> {
    fn to(&self) -> usize {
        self.from + self.digits.len()
    }
}

fn digit_runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut from = None;
    for (at, byte) in text.bytes().chain(std::iter::once(b' ')).enumerate() {
        match (byte.is_ascii_digit(), from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                runs.push(Run { digits: &text[start..at], from: start });
                from = None;
            }
            _ => {}
        }
    }
    runs
}

/// The date that begins at this run: the index of the first run behind it, the date, and the rest of the last run of it.
fn date_at<'a>(text: &'a str, runs: &[Run<'a>], at: usize) -> Option<(usize, Date, &'a str)> {
    let run = runs.get(at)?;
    if matches!(run.digits.len(), 8 | 10 | 12 | 14 | 17) {
        let (date, rest) = run.digits.split_at(8);
        return Some((at + 1, day(&date[..4], &date[4..6], &date[6..])?, rest));
    }
    let [first, second, third] = runs.get(at..at + 3)? else { return None };
    let (between, then) = (&text[first.to()..second.from], &text[second.to()..third.from]);
    if between != then || !matches!(between, "-" | "_" | ".") {
        return None;
    }
    let date = match (first.digits.len(), second.digits.len(), third.digits.len()) {
        (4, 2, 2) => day(first.digits, second.digits, third.digits)?,
        // With dots the day comes first. With dashes nobody can say whether it is the day or the month.
        (2, 2, 4) if between == "." => day(third.digits, second.digits, first.digits)?,
        _ => return None,
    };
    Some((at + 3, date, ""))
}

fn day(year: &str, month: &str, day: &str) -> Option<Date> {
    let year: i16 = year.parse().ok()?;
    let date = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    // Outside of this it is a number of a person or of an order, and no year.
    (1970..2200).contains(&year).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(name: &str) -> Option<String> {
        OrderKey::date(OsStr::new(name)).map(|key| key.to_string())
    }

    #[test]
    fn a_date_is_found_in_the_ways_exporters_write_it() {
        for (name, expected) in [
            ("people-2026-11-20.csv", Some("date:2026-11-20")),
            ("people_2026_11_20.CSV", Some("date:2026-11-20")),
            ("people.2026.11.20.csv", Some("date:2026-11-20")),
            ("20261120-people.csv", Some("date:2026-11-20")),
            ("people-20.11.2026.csv", Some("date:2026-11-20")),
            ("people-20261120T081530.csv", Some("date:2026-11-20/81530")),
            ("people-20261120081530.csv", Some("date:2026-11-20/81530")),
            ("people-2026-11-20_08-15.csv", Some("date:2026-11-20/815")),
            ("people-2026-11-20-2.csv", Some("date:2026-11-20/2")),
            ("from-2026-11-01-to-2026-11-30.csv", Some("date:2026-11-30")),
            ("people-11-20-2026.csv", None),
            ("people-2026-13-20.csv", None),
            ("people-10000101.csv", None),
            ("people-2026-11.csv", None),
            ("people.csv", None),
        ] {
            assert_eq!(date(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn a_key_is_compared_with_its_own_kind_only_and_survives_being_text() {
        let key = |text: &str| text.parse::<OrderKey>().unwrap();
        let keys = [
            "date:2026-11-20",
            "date:2026-11-20/815",
            "date:2026-11-21",
            "number:7",
            "number:12",
            "arrival:2026-11-20T08:15:30.000000001Z",
        ];
        for text in keys {
            assert_eq!(key(text).to_string(), text);
        }
        assert!(key(keys[0]) < key(keys[1]) && key(keys[1]) < key(keys[2]) && key(keys[3]) < key(keys[4]));
        assert_eq!(key(keys[0]).partial_cmp(&key(keys[3])), None);
        assert_eq!("date:tomorrow".parse::<OrderKey>(), Err(NoOrderKey));
    }

    #[test]
    fn a_shown_name_is_one_harmless_line() {
        let shown = |name: &[u8]| FileName::new(OsStr::from_bytes(name)).to_string();
        assert_eq!(shown("Müller.csv".as_bytes()), "Müller.csv");
        assert_eq!(shown(b"a\nb\x1b[31m.csv"), r"a\nb\u{1b}[31m.csv");
        assert_eq!(shown(b"a\xff\\.csv"), r"a\xff\\.csv");
        assert_eq!(shown("a\u{202e}vsc.csv".as_bytes()), r"a\u{202e}vsc.csv");
    }

    #[test]
    fn only_the_ending_counts_in_any_letter_case() {
        let wanted = Wanted::new("people-*.csv").unwrap();
        let matches = |name: &str| wanted.matches(OsStr::new(name));
        assert!(matches("people-1.csv") && matches("people-1.CSV") && matches("people-ü.Csv"));
        assert!(!matches("People-1.csv") && !matches("people-1.csv.done") && !matches("people-1"));
        assert!(Wanted::new("PEOPLE.CSV").unwrap().matches(OsStr::new("PEOPLE.csv")));
    }
}
