//! Finding the header, and the delimiter with it.
//!
//! Columns are found by name, never by place. A line is the header when it names the columns that are wanted; lines
//! before it (titles, dates, `sep=;`) are passed over up to a limit. The delimiter is the one that makes such a line.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

use unicode_normalization::UnicodeNormalization;

use super::{
    encoding::{self, Encoded},
    records::{Raw, Records},
    reject_file,
    settings::Settings,
};
use crate::{model::record::Header, source::Why};

/// The header is looked for in so many physical lines.
const SEARCHED: u64 = 20;

/// What may stand between fields where nothing is configured.
const CANDIDATES: [u8; 4] = *b",;\t|";

/// The header of one file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) delimiter: u8,
    /// Columns that are wanted go by the name the configuration gives them, others by what the file calls them.
    pub(super) header: Header,
    /// Where the key stands.
    pub(super) key: usize,
    /// Physical line of the header.
    pub(super) line: u64,
    /// Physical line on which the last of its rows begins: people come after it.
    pub(super) last: u64,
    /// The names as [`fold`] leaves them, to know the header when it comes again.
    pub(super) folded: Vec<String>,
    /// Columns that nobody asked for, as the file calls them.
    pub(super) extra: Vec<String>,
    /// All of them, as the file spells them.
    pub(super) spelled: Vec<String>,
    /// Where the columns stand that we added to a file of rejected rows. They are in none of the above, and places are
    /// counted without them. Empty in every other file.
    pub(super) added: Vec<usize>,
}

impl Found {
    /// True for a file of rows that we had rejected.
    pub(super) fn is_repaired(&self) -> bool {
        !self.added.is_empty()
    }

    /// How many of its columns have a name. A value such as `;ID;` below the header looks like one with a single name.
    fn names(&self) -> usize {
        self.folded.iter().filter(|name| !name.is_empty()).count()
    }

    /// The fields of a row as its sender wrote them: without what we added.
    pub(super) fn fields<'r>(&self, raw: &'r Raw) -> Vec<&'r [u8]> {
        let own = raw.fields().enumerate().filter(|(at, _)| !self.added.contains(at)).map(|(_, field)| field);
        if self.is_repaired() { own.map(reject_file::bare).collect() } else { own.collect() }
    }
}

/// Looks for the header with every delimiter that may be meant.
pub(super) fn find<R: Read + Seek>(input: &mut R, encoded: Encoded, settings: &Settings) -> Result<Found, Why> {
    let announced = announced(input, encoded, settings)?;
    let candidates = match settings.delimiter.or(announced) {
        Some(delimiter) => vec![delimiter],
        None => CANDIDATES.to_vec(),
    };
    let mut best: Option<Found> = None;
    let mut trouble: Option<Trouble> = None;
    let mut undecodable = None;
    for delimiter in candidates {
        match search(input, encoded, delimiter, settings) {
            Ok(found) if best.as_ref().is_none_or(|best| best.names() < found.names()) => best = Some(found),
            Ok(_) => {}
            Err(Trouble { why: why @ (Why::Unreadable(_) | Why::Zeros { .. }), .. }) => return Err(why),
            // With another delimiter this may be a row below the header, which is for others to look at.
            Err(Trouble { why: why @ Why::Undecodable { .. }, .. }) => undecodable = Some(why),
            Err(worse) if trouble.as_ref().is_some_and(|trouble| trouble.came() >= worse.came()) => {}
            Err(better) => trouble = Some(better),
        }
    }
    match (best, undecodable, trouble) {
        (Some(found), _, _) => Ok(found),
        (None, Some(why), _) | (None, None, Some(Trouble { why, .. })) => Err(why),
        (None, None, None) => Err(Why::Empty),
    }
}

/// A name as it is compared: without marks and outer spaces, in lower case, composed, each gap one space.
pub(super) fn fold(name: &str) -> String {
    let visible = name.chars().filter(|c| !super::values::is_zero_width(*c));
    let lower: String = visible.nfc().flat_map(char::to_lowercase).collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ").nfc().collect()
}

/// True where [`fold`] would make this of the name: asked of every row, so the usual case makes no text.
pub(super) fn is_folded(name: &str, folded: &str) -> bool {
    if !name.is_ascii() {
        return fold(name) == *folded;
    }
    let (mut words, mut wanted) = (name.split_whitespace(), folded.split_whitespace());
    loop {
        match (words.next(), wanted.next()) {
            (None, None) => return true,
            (Some(word), Some(wanted)) if word.eq_ignore_ascii_case(wanted) => {}
            _ => return false,
        }
    }
}

/// Why no header was found with one delimiter, and how near it came.
struct Trouble {
    matched: usize,
    why: Why,
}

impl Trouble {
    /// How near it came.
    fn came(&self) -> (usize, bool) {
        (self.matched, matches!(self.why, Why::NoHeader { near: Some(_), .. }))
    }
}

impl From<Why> for Trouble {
    fn from(why: Why) -> Self {
        Self { matched: 0, why }
    }
}

/// The delimiter that a first line such as `sep=;` tells.
fn announced<R: Read + Seek>(input: &mut R, encoded: Encoded, settings: &Settings) -> Result<Option<u8>, Why> {
    // NUL as delimiter: the line stays in one piece, whatever it announces.
    input.seek(SeekFrom::Start(0))?;
    let mut records = Records::new(input, encoded, 0, settings.limits)?;
    let mut raw = Raw::default();
    match records.next(&mut raw) {
        Ok(true) => {}
        Ok(false) | Err(Why::UnclosedQuote { .. } | Why::RecordTooLarge { .. } | Why::TooManyColumns { .. }) => {
            return Ok(None);
        }
        Err(why) => return Err(why),
    }
    let line = raw.fields().next().unwrap_or_default();
    Ok(match line.trim_ascii() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] if delimiter.is_ascii() => Some(*delimiter),
        // `sep=<tab>` loses its tab to the trimming.
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'='] if line.contains(&b'\t') => Some(b'\t'),
        _ => None,
    })
}

fn search<R: Read + Seek>(
    input: &mut R,
    encoded: Encoded,
    delimiter: u8,
    settings: &Settings,
) -> Result<Found, Trouble> {
    input.seek(SeekFrom::Start(0)).map_err(Why::from)?;
    let mut records = Records::new(input, encoded, delimiter, settings.limits).map_err(Why::from)?;
    let accepted = accepted(settings);
    let (mut raw, mut any) = (Raw::default(), false);
    let mut nearest: Option<Trouble> = None;
    let mut near: Option<u64> = None;
    let ended = loop {
        match records.next(&mut raw) {
            Ok(true) if raw.line > SEARCHED => break None,
            Ok(true) => {}
            Ok(false) => break None,
            Err(why) => break Some(why),
        }
        any = true;
        let mut names = Vec::with_capacity(raw.len());
        for field in raw.fields() {
            match std::str::from_utf8(field) {
                Ok(name) => names.push(name),
                // A title or a name with such a letter: without it the line would only be called unknown.
                Err(_) if !encoded.known => {
                    let likely = encoding::likely(field);
                    return Err(Why::Undecodable { line: raw.line, mostly_utf8: false, likely }.into());
                }
                Err(_) => names.push(""),
            }
        }
        let added = added(&names);
        if !added.is_empty() {
            let own = names.iter().enumerate().filter(|(at, _)| !added.contains(at));
            names = own.filter_map(|(_, name)| std::str::from_utf8(reject_file::bare(name.as_bytes())).ok()).collect();
        }
        if near.is_none() {
            near = names.iter().any(|name| is_near(name, &settings.key)).then_some(raw.line);
        }
        match recognize(&names, &accepted, settings, delimiter, raw.line) {
            Ok(mut found) => {
                // Labels are not repeated in a file of rejected rows.
                let rows = if added.is_empty() { settings.header_rows } else { 1 };
                found.added = added;
                for _ in 1..rows {
                    if records.next(&mut raw)? {
                        found.last = raw.line;
                    }
                }
                return Ok(found);
            }
            Err(trouble) if nearest.as_ref().is_some_and(|nearest| nearest.matched >= trouble.matched) => {}
            Err(trouble) => nearest = Some(trouble),
        }
    };
    Err(match (nearest, ended) {
        (Some(nearest), _) if nearest.matched > 0 => nearest,
        (_, Some(why)) => why.into(),
        (None, None) if !any => Why::Empty.into(),
        _ => Why::NoHeader { key: settings.key.clone(), searched: SEARCHED, near }.into(),
    })
}

/// True for a name that is written nearly as another one.
fn is_near(name: &str, wanted: &str) -> bool {
    let (name, wanted) = (fold(name), fold(wanted));
    let allowed = (wanted.chars().count() / 4).max(1);
    !name.is_empty() && wanted.chars().count() > 2 && strsim::osa_distance(&name, &wanted) <= allowed
}

/// Where the columns stand that we add to a file of rejected rows, if this is the header of one.
fn added(names: &[&str]) -> Vec<usize> {
    let folded: Vec<String> = names.iter().map(|name| fold(name)).collect();
    if !folded.iter().any(|name| name == reject_file::ADDED[0]) {
        return Vec::new();
    }
    (0..names.len()).filter(|at| reject_file::ADDED.contains(&folded[*at].as_str())).collect()
}

/// Every name a wanted column may have, folded, with the column's own.
fn accepted(settings: &Settings) -> BTreeMap<String, &str> {
    let names = settings.columns.iter().flat_map(|(column, others)| {
        std::iter::once(column).chain(others).map(move |name| (fold(name), column.as_str()))
    });
    names.collect()
}

fn recognize(
    names: &[&str],
    accepted: &BTreeMap<String, &str>,
    settings: &Settings,
    delimiter: u8,
    line: u64,
) -> Result<Found, Trouble> {
    let folded: Vec<String> = names.iter().map(|name| fold(name)).collect();
    let wanted: Vec<Option<&str>> = folded.iter().map(|name| accepted.get(name).copied()).collect();
    let missing: Vec<String> =
        settings.columns.keys().filter(|column| !wanted.contains(&Some(column.as_str()))).cloned().collect();
    let matched = settings.columns.len() - missing.len();
    let shown = |at: usize| wanted[at].map_or_else(|| spaced(names[at]), str::to_owned);
    if !missing.is_empty() {
        let present = (0..names.len()).map(shown).filter(|name| !name.is_empty()).collect();
        return Err(Trouble { matched, why: Why::MissingColumns { line, missing, present } });
    }
    // Two names of one column are as bad as one name twice.
    let same = |a: usize, b: usize| {
        !folded[a].is_empty() && (folded[a] == folded[b] || (wanted[a].is_some() && wanted[a] == wanted[b]))
    };
    let doubled = (0..names.len()).find(|later| (0..*later).any(|earlier| same(earlier, *later)));
    if let Some(at) = doubled {
        return Err(Trouble { matched, why: Why::DoubledColumn { line, name: shown(at) } });
    }
    let Some(key) = wanted.iter().position(|column| *column == Some(settings.key.as_str())) else {
        return Err(Why::NoHeader { key: settings.key.clone(), searched: SEARCHED, near: None }.into());
    };
    let extra = (0..names.len()).filter(|at| wanted[*at].is_none() && !folded[*at].is_empty()).map(shown).collect();
    let header = Header::new((0..names.len()).map(shown));
    let spelled = names.iter().map(|name| (*name).to_owned()).collect();
    Ok(Found { delimiter, header, key, line, last: line, folded, extra, spelled, added: Vec::new() })
}

/// A name as rules see it where the configuration gives no other: each gap one space, nothing invisible.
fn spaced(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !super::values::is_zero_width(*c)).nfc().collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_name_is_not() {
        for (name, wanted) in [("Personalnummer", "Personalnumer"), (" employee id", "employee_id"), ("IDS", "ids")] {
            assert!(is_near(name, wanted), "{name}");
        }
        for (name, wanted) in [("", "id"), ("it", "id"), ("Vorname", "Nachname"), ("hire_date", "employee_id")] {
            assert!(!is_near(name, wanted), "{name}");
        }
    }
}
