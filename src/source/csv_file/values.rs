//! One row: may it be used, and which of its values were cleaned.
//!
//! Values are text and stay text. They are cleaned in the few ways listed in [`Cleaned`] and in no other; what a rule
//! would have to guess at (dates, states, addresses) is left to rules. A reason never shows a value.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{
    header::{self, Found},
    records::Raw,
    settings::Settings,
};
use crate::model::record::Header;

/// What became of a row. What is taken lies in the row itself where it did not have to be cleaned.
#[derive(Debug)]
pub(super) enum Verdict<'r> {
    /// It is about nobody.
    Skip(Skipped),
    Reject(Fault),
    Take {
        key: Cow<'r, str>,
        fields: Vec<Cow<'r, str>>,
    },
}

/// Rows that are about nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Skipped {
    Blank,
    HeaderAgain,
    Count,
    Configured,
}

/// Why a row cannot be used.
#[derive(Debug)]
pub(super) struct Fault {
    /// Whose row it is, where that is beyond doubt.
    pub(super) key: Option<Arc<str>>,
    pub(super) column: Option<String>,
    pub(super) code: &'static str,
    pub(super) reason: String,
}

/// How many values were cleaned, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) outer_spaces: u64,
    pub(super) no_break_spaces: u64,
    pub(super) zero_width: u64,
    pub(super) composed: u64,
    pub(super) placeholders: u64,
    /// Not cleaned, because nobody can: by column, numbers of which a spreadsheet has dropped digits.
    pub(super) shortened: BTreeMap<usize, u64>,
}

/// What a row is judged by.
pub(super) struct Judge<'a> {
    pub(super) settings: &'a Settings,
    pub(super) found: &'a Found,
}

impl Judge<'_> {
    /// Judges one row below the header.
    pub(super) fn judge<'r>(&self, raw: &'r Raw, cleaned: &mut Cleaned) -> Verdict<'r> {
        let bytes = self.found.fields(raw);
        let texts: Vec<Option<&str>> = bytes.iter().map(|field| std::str::from_utf8(field).ok()).collect();
        if texts.iter().all(|text| text.is_some_and(is_blank)) {
            return Verdict::Skip(Skipped::Blank);
        }
        if self.is_header(&texts) {
            return Verdict::Skip(Skipped::HeaderAgain);
        }
        if self.count(raw).is_some() {
            return Verdict::Skip(Skipped::Count);
        }
        let skips = |text: &str| self.settings.skip.iter().any(|word| *word == *clean(text, &mut Cleaned::default()));
        if !self.settings.skip.is_empty() && texts.first().copied().flatten().is_some_and(skips) {
            return Verdict::Skip(Skipped::Configured);
        }
        let is_one_line = raw.line == raw.last_line;
        self.fields(&bytes, &texts, is_one_line, cleaned)
            .map_or_else(Verdict::Reject, |(key, fields)| Verdict::Take { key, fields })
    }

    /// What a line says that tells how many rows there are; `None` for any other.
    pub(super) fn count(&self, raw: &Raw) -> Option<String> {
        let pattern = self.settings.count_line.as_ref()?;
        let fields: Vec<Cow<'_, str>> = raw.fields().map(String::from_utf8_lossy).collect();
        let delimiter = char::from(self.found.delimiter);
        let fields: Vec<&str> = fields.iter().map(|field| field.trim()).collect();
        let line = fields.join(delimiter.encode_utf8(&mut [0; 4]));
        let said = pattern.captures(line.trim_end_matches(delimiter))?;
        Some(said.get(1).map_or_else(String::new, |said| said.as_str().trim().to_owned()))
    }

    fn is_header(&self, texts: &[Option<&str>]) -> bool {
        let folded = &self.found.folded;
        let same = |(text, name): (Option<&str>, &String)| text.is_some_and(|text| header::is_folded(text, name));
        texts.len() == folded.len() && texts.iter().copied().zip(folded).all(same)
    }

    fn fields<'r>(
        &self,
        bytes: &[&'r [u8]],
        texts: &[Option<&'r str>],
        is_one_line: bool,
        cleaned: &mut Cleaned,
    ) -> Result<(Cow<'r, str>, Vec<Cow<'r, str>>), Fault> {
        let (expected, found) = (self.found.folded.len(), texts.len());
        let key = self.key(bytes, texts);
        let mut at_fault = None;
        let mut fault = |at: Option<usize>, code, reason: String| {
            at_fault.get_or_insert(Fault { key: None, column: at.map(|at| self.column(at)), code, reason });
        };
        if found < expected {
            fault(None, "too_few_fields", format!("{found} fields instead of {expected}"));
        } else if found > expected {
            let reason =
                format!("{found} fields instead of {expected}: probably a delimiter inside a value that is not quoted");
            fault(None, "too_many_fields", reason);
        }
        let mut own = Cleaned::default();
        let mut fields = Vec::with_capacity(found);
        for (at, (text, bytes)) in texts.iter().zip(bytes).enumerate().take(expected) {
            let Some(text) = text else {
                fault(Some(at), "bad_encoding", "bytes that are not valid in the encoding of the file".to_owned());
                continue;
            };
            if bytes.len() > self.settings.limits.field {
                let reason = format!("the value is longer than {} bytes", self.settings.limits.field);
                fault(Some(at), "field_too_long", reason);
                continue;
            }
            if let Some(what) = forbidden(text) {
                fault(Some(at), "control_character", format!("{what} inside a value"));
                continue;
            }
            let mut value = clean(text, &mut own);
            if self.settings.placeholders.iter().any(|placeholder| *placeholder == *value) {
                own.placeholders += 1;
                value = Cow::Borrowed("");
            }
            if is_spreadsheet_error(&value) {
                let reason = "an error value of a spreadsheet; where it stands for nothing, name it in `placeholders`";
                fault(Some(at), "spreadsheet_error", reason.to_owned());
            }
            if value.starts_with(|c: char| c.is_ascii_digit()) && is_scientific(&value) {
                own.shortened.insert(at, 1);
            }
            fields.push(value);
        }
        let fault = match (at_fault, key) {
            (None, Ok(key)) => {
                cleaned.add(own);
                return Ok((key, fields));
            }
            (None, Err((code, reason))) => {
                Fault { key: None, column: Some(self.settings.key.clone()), code, reason: reason.to_owned() }
            }
            (Some(fault), key) => {
                Fault { key: key.ok().filter(|_| self.is_certain(is_one_line, found)).map(Arc::from), ..fault }
            }
        };
        Err(fault)
    }

    /// The key of a row, if it is one.
    fn key<'r>(
        &self,
        bytes: &[&'r [u8]],
        texts: &[Option<&'r str>],
    ) -> Result<Cow<'r, str>, (&'static str, &'static str)> {
        let Some(text) = texts.get(self.found.key).copied().flatten() else {
            return Err(("missing_key", "the key cannot be read"));
        };
        let length = bytes.get(self.found.key).map_or(0, |field| field.len());
        let key = clean(text, &mut Cleaned::default());
        if key.is_empty() || self.settings.placeholders.iter().any(|placeholder| *placeholder == *key) {
            return Err(("missing_key", "the key is empty: nobody can say whose row this is"));
        }
        if length > self.settings.limits.field || forbidden(text).is_some() {
            return Err(("bad_id", "the key is too long or holds a control character"));
        }
        if header::is_folded(&key, &self.found.folded[self.found.key]) {
            return Err((
                "header_again",
                "the key column holds its own name: for two header lines set `header_rows = 2`",
            ));
        }
        if is_scientific(&key) {
            return Err(("bad_id", "a number in scientific notation is no id: a spreadsheet has dropped digits"));
        }
        if key.starts_with(['=', '\'']) {
            return Err((
                "bad_id",
                "the id wears a spreadsheet's text mark (`=\"…\"` or an apostrophe): export it without",
            ));
        }
        if self.settings.id_pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&key)) {
            return Err(("bad_id", "the id does not match `id_pattern`; leading zeros may be lost"));
        }
        Ok(key)
    }

    /// Whether the key of a row at fault is whose row it is, and nobody else's row is in it. Where a quote or a lost line
    /// end may have swallowed other rows, or a stray delimiter may have moved the key, that is not so.
    fn is_certain(&self, is_one_line: bool, found: usize) -> bool {
        let expected = self.found.folded.len();
        let may_be_two = found > expected && found + 1 >= 2 * expected;
        is_one_line && !may_be_two && (found == expected || self.found.key == 0)
    }

    fn column(&self, at: usize) -> String {
        self.found.header.names().get(at).map(ToString::to_string).unwrap_or_default()
    }
}

impl Cleaned {
    /// Sentences for the report.
    pub(super) fn notes(&self, columns: &Header) -> Vec<String> {
        let counts = [
            (self.outer_spaces, "spaces around the value removed"),
            (self.no_break_spaces, "no-break spaces made plain"),
            (self.zero_width, "invisible characters removed"),
            (self.composed, "letters and their marks put together (NFC)"),
            (self.placeholders, "placeholders read as empty"),
        ];
        let told = counts.into_iter().filter(|(count, _)| *count > 0);
        let values = |count: u64| format!("{count} {}", if count == 1 { "value" } else { "values" });
        let cleaned = told.map(|(count, what)| format!("{what}: {}", values(count)));
        let shortened = self.shortened.iter().map(|(at, count)| {
            let column = columns.names().get(*at).map_or("", AsRef::as_ref);
            format!("numbers in `{column}` that a spreadsheet has shortened, digits are lost: {}", values(*count))
        });
        cleaned.chain(shortened).collect()
    }

    fn add(&mut self, other: Self) {
        self.outer_spaces += other.outer_spaces;
        self.no_break_spaces += other.no_break_spaces;
        self.zero_width += other.zero_width;
        self.composed += other.composed;
        self.placeholders += other.placeholders;
        for (at, count) in other.shortened {
            *self.shortened.entry(at).or_default() += count;
        }
    }
}

/// Characters that nobody sees and no name needs: zero width space, word joiner, byte order mark. The joiners that
/// Persian and emoji are written with are not among them.
pub(super) fn is_zero_width(c: char) -> bool {
    matches!(c, '\u{200B}' | '\u{2060}' | '\u{FEFF}')
}

fn is_no_break(c: char) -> bool {
    matches!(c, '\u{A0}' | '\u{202F}' | '\u{2007}')
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_zero_width(c))
}

/// A value without what does not belong to it.
fn clean<'a>(text: &'a str, cleaned: &mut Cleaned) -> Cow<'a, str> {
    let mut value = Cow::Borrowed(text);
    if !text.is_ascii() {
        if text.contains(is_zero_width) {
            cleaned.zero_width += 1;
            value = Cow::Owned(value.chars().filter(|c| !is_zero_width(*c)).collect());
        }
        if value.contains(is_no_break) {
            cleaned.no_break_spaces += 1;
            value = Cow::Owned(value.chars().map(|c| if is_no_break(c) { ' ' } else { c }).collect());
        }
        if !is_nfc(&value) {
            cleaned.composed += 1;
            value = Cow::Owned(value.nfc().collect());
        }
    }
    if value.trim().len() < value.len() {
        cleaned.outer_spaces += 1;
        value = match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
    }
    value
}

/// A control character that no value may hold. Line breaks may: an address has several lines.
fn forbidden(text: &str) -> Option<&'static str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut characters = text.trim().chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' => {}
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => return Some("a carriage return"),
            '\t' => return Some("a tab"),
            '\0' => return Some("a zero byte"),
            c if c.is_control() => return Some("a control character"),
            _ => {}
        }
    }
    None
}

/// `1.60294E+14`: what a spreadsheet makes of a long number. `12E4` may be somebody's id.
fn is_scientific(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let signed = power.strip_prefix(['+', '-']);
    digits(whole)
        && (fraction.is_empty() || digits(fraction))
        && digits(signed.unwrap_or(power))
        && (signed.is_some() || !fraction.is_empty())
}

fn is_spreadsheet_error(value: &str) -> bool {
    value.starts_with('#')
        && matches!(
            value,
            "#N/A" | "#REF!" | "#NAME?" | "#VALUE!" | "#DIV/0!" | "#NULL!" | "#NUM!" | "#SPILL!" | "#CALC!"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_a_spreadsheet_shortened_is_no_id_and_a_code_with_an_e_is() {
        for shortened in ["1.60294E+14", "1,60294E+14", "1E+05", "1e-7", "1.5E5"] {
            assert!(is_scientific(shortened), "{shortened}");
        }
        for id in ["12E4", "E12", "1E", "000123", "A1E+4", "1.2.3E+4", "anne+1", ""] {
            assert!(!is_scientific(id), "{id}");
        }
    }

    #[test]
    fn a_value_is_cleaned_in_the_listed_ways_only() {
        let mut cleaned = Cleaned::default();
        let values = [" x ", "a\u{A0}b", "z\u{200B}z", "Zoe\u{308}", "Jürgen", "a\u{200D}b", "a  b", "line\nline"];
        let after: Vec<_> = values.iter().map(|value| clean(value, &mut cleaned).into_owned()).collect();
        assert_eq!(after, ["x", "a b", "zz", "Zoë", "Jürgen", "a\u{200D}b", "a  b", "line\nline"]);
        assert_eq!(
            cleaned,
            Cleaned { outer_spaces: 1, no_break_spaces: 1, zero_width: 1, composed: 1, ..Cleaned::default() }
        );
    }
}
