//! Reading a CSV file that somebody else made (`csv-drop-folder.md`, items 18 to 33).
//!
//! A file is only used whole: where its last line shows that it was cut off, nothing of it counts. [`read`] therefore reads
//! it twice and hands nothing on before it is known to be good; [`read_at_once`] hands its rows on the first time, to
//! whoever can throw them away again. Where keys occur more than once, more passages follow, which compare their rows. So
//! memory grows with the number of keys only, by 16 bytes for each. What its rows mean, and which dates and states are
//! right, is not known here.

mod encoding;
mod header;
mod multiset;
mod records;
pub(crate) mod reject_file;
mod segments;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
mod values;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs::File,
    io::{self, Read as Bytes, Seek, SeekFrom},
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

use self::{
    encoding::Encoded,
    header::Found,
    multiset::Multiset,
    records::{LineEnds, Raw, Records},
    segments::Segments,
    settings::Settings,
    values::{Cleaned, Judge, Skipped, Verdict},
};
use super::{FileRefused, Layout, Read, Row, Why};
use crate::model::{
    id::SystemName,
    plan::KnownBy,
    record::{Fields, Header, Record, RecordOrigin, Rejected},
};

/// Bytes that are looked at to tell what a file is.
const HEAD: u64 = 512;

/// Reads a file and hands its rows to `sink`, in file order.
///
/// # Errors
/// Where nothing of the file may be used. `sink` has then seen no row, unless the file changed meanwhile
/// ([`Why::Changed`], [`Why::Unreadable`]): what it has seen must then be thrown away.
pub(crate) fn read(
    file: &Path,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    sink: &mut dyn FnMut(Row),
) -> Result<Read, FileRefused> {
    let refused = |why| FileRefused { file: shown_as.to_owned(), why };
    let input = opened(file).map_err(refused)?;
    Reading { shown_as: Arc::from(shown_as), system, settings }.read(input, sink).map_err(refused)
}

/// What is handed on while a file is read for the first time.
#[derive(Debug)]
pub(crate) enum Told {
    Row(Row),
    /// Rows have keys in common: everything that was handed on so far is void, and all of it comes again.
    Again,
}

/// Reads a file, or the file that is open already, and hands on its rows before it is known whether it may be used. On an
/// error, and on [`Told::Again`], what `sink` has seen must be thrown away.
///
/// # Errors
/// Where nothing of the file may be used.
pub(crate) fn read_at_once(
    file: &Path,
    open: Option<&File>,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    sink: &mut dyn FnMut(Told),
) -> Result<Read, FileRefused> {
    let refused = |why| FileRefused { file: shown_as.to_owned(), why };
    let reading = Reading { shown_as: Arc::from(shown_as), system, settings };
    let own;
    let file = if let Some(file) = open {
        file
    } else {
        own = opened(file).map_err(refused)?;
        &own
    };
    let before = stamp(file).map_err(|cause| refused(cause.into()))?;
    let read = reading.read_at_once(file, sink).map_err(refused)?;
    // It is read once only, so it cannot be compared with itself.
    let after = stamp(file).map_err(|cause| refused(cause.into()))?;
    if after == before { Ok(read) } else { Err(refused(Why::Changed)) }
}

/// What changes with a file's bytes.
fn stamp(file: &File) -> io::Result<(u64, SystemTime)> {
    let about = file.metadata()?;
    Ok((about.len(), about.modified()?))
}

/// A file by its name. Looked at before it is opened: opening a pipe would wait for its writer.
fn opened(file: &Path) -> Result<File, Why> {
    if std::fs::metadata(file)?.is_file() { Ok(File::open(file)?) } else { Err(Why::NotAFile) }
}

/// Reads a file that is open already, whatever has become of its name.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_open(
    file: &File,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    sink: &mut dyn FnMut(Row),
) -> Result<Read, FileRefused> {
    let refused = |why| FileRefused { file: shown_as.to_owned(), why };
    Reading { shown_as: Arc::from(shown_as), system, settings }.read(file, sink).map_err(refused)
}

/// Reads a text as if it were a file.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_text(
    text: &str,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    sink: &mut dyn FnMut(Row),
) -> Result<Read, FileRefused> {
    let refused = |why| FileRefused { file: shown_as.to_owned(), why };
    Reading { shown_as: Arc::from(shown_as), system, settings }.read(io::Cursor::new(text), sink).map_err(refused)
}

/// How much of a file was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Every byte.
    Bytes,
    /// Every row, in another order. The digest of its bytes, in hex.
    Rows { sha256: String },
    /// Something is different, or it is not known whether.
    Other,
}

/// Compares a file with one that was read before, by what [`Read`] told of that one.
///
/// # Errors
/// Where the file cannot be read, or nothing of it may be used.
pub(crate) fn compare(
    file: &Path,
    shown_as: &str,
    system: &SystemName,
    settings: &Settings,
    before: &KnownBy,
) -> Result<Likeness, FileRefused> {
    let refused = |why| FileRefused { file: shown_as.to_owned(), why };
    let input = opened(file).map_err(refused)?;
    let reading = Reading { shown_as: Arc::from(shown_as), system, settings };
    reading.compare(input, before).map_err(refused)
}

/// One reading of one file.
struct Reading<'a> {
    shown_as: Arc<str>,
    system: &'a SystemName,
    settings: &'a Settings,
}

/// What is known of the file when the first passage is over.
struct Survey {
    /// The keys that occur more than once.
    repeated: BTreeSet<Mark>,
    sha256: String,
    /// Digests of the bytes, and of the rows in any order, where they are asked for.
    known_by: Option<KnownBy>,
    final_line_end: bool,
    line_ends: LineEnds,
    /// Where the last row begins.
    last_line: u64,
}

/// The last record of a file, whatever it is: what was cut off is missing there.
struct Last {
    line: u64,
    fields: usize,
    /// `None`: a row. Else what it is instead.
    skipped: Option<Skipped>,
    /// Its last field ends with a piece of a letter.
    in_letter: bool,
}

/// The start of a digest: enough to tell texts apart.
type Mark = [u8; 16];

/// What was seen of one key.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Digest of the first row.
    row: Mark,
    /// Its line.
    first: u64,
    /// How many rows there are.
    rows: u32,
    /// False: they are not all the same.
    alike: bool,
}

impl Reading<'_> {
    fn compare(&self, mut input: File, before: &KnownBy) -> Result<Likeness, Why> {
        // The same rows in another order take as many bytes.
        if !segments::is_as_long(&input, &before.bytes)? {
            return Ok(Likeness::Other);
        }
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if segments::of_file(&input, threads)? == before.bytes {
            return Ok(Likeness::Bytes);
        }
        // What a list says of how many rows it has may stand where no rows are.
        if self.settings.count_line.is_some() {
            return Ok(Likeness::Other);
        }
        let (encoded, found) = self.begin(&mut input)?;
        let (rows, sha256) = self.rows(&mut input, encoded, &found)?;
        Ok(if rows == before.rows { Likeness::Rows { sha256 } } else { Likeness::Other })
    }

    /// Digests of the rows in any order, as [`Self::survey`] makes them, and of the bytes in hex. Rows that are those of a
    /// file that could be used need not be judged again.
    fn rows<R: Bytes + Seek>(&self, input: &mut R, encoded: Encoded, found: &Found) -> Result<(String, String), Why> {
        let mut input = Hashed::from_start(input)?;
        let mut records = self.records(&mut input, encoded, found)?;
        let mut raw = Raw::default();
        let mut multiset = Multiset::of(found);
        while records.next(&mut raw)? {
            if !Self::is_above(found, &raw) {
                multiset.add(raw.fields());
            }
        }
        let final_line_end = records.at_line_end();
        drop(records);
        Ok((rows_told(multiset, final_line_end), input.digest()))
    }

    fn read<R: Bytes + Seek>(&self, mut input: R, sink: &mut dyn FnMut(Row)) -> Result<Read, Why> {
        let (encoded, found) = self.begin(&mut input)?;
        let survey = self.survey(&mut input, encoded, &found, None)?;
        let repeated = self.look_at_repeated(&mut input, encoded, &found, &survey)?;
        self.hand_on(&mut input, encoded, &found, survey, &repeated, sink)
    }

    fn read_at_once<R: Bytes + Seek>(&self, mut input: R, sink: &mut dyn FnMut(Told)) -> Result<Read, Why> {
        let (encoded, found) = self.begin(&mut input)?;
        let mut first = First { header: Arc::new(found.header.clone()), sink, tally: Tally::default() };
        let survey = self.survey(&mut input, encoded, &found, Some(&mut first))?;
        let First { sink, tally, .. } = first;
        if survey.repeated.is_empty() {
            return Ok(self.told(encoded, &found, survey, &tally));
        }
        sink(Told::Again);
        let repeated = self.look_at_repeated(&mut input, encoded, &found, &survey)?;
        self.hand_on(&mut input, encoded, &found, survey, &repeated, &mut |row| sink(Told::Row(row)))
    }

    /// How it is encoded, and its header.
    fn begin<R: Bytes + Seek>(&self, input: &mut R) -> Result<(Encoded, Found), Why> {
        let limits = self.settings.limits;
        let size = input.seek(SeekFrom::End(0))?;
        if size > limits.file {
            return Err(Why::FileTooLarge { size, limit: limits.file });
        }
        let mut head = Vec::new();
        input.seek(SeekFrom::Start(0))?;
        input.by_ref().take(HEAD).read_to_end(&mut head)?;
        if head.is_empty() {
            return Err(Why::Empty);
        }
        let encoded = encoding::decide(&head, self.settings.encoding)?;
        let found = header::find(input, encoded, self.settings).map_err(|why| match why {
            // A name with letters beyond ASCII is not found in what they were taken for.
            Why::NoHeader { .. } | Why::MissingColumns { .. } if encoding::begins_as_utf8(&head, encoded) => {
                Why::IsUtf8 { configured: encoded.encoding.name() }
            }
            why => why,
        })?;
        Ok((encoded, found))
    }

    /// The first passage: may the file be used, and which keys occur more than once? With `first`, the rows are handed on
    /// as if none did.
    fn survey<R: Bytes + Seek>(
        &self,
        input: &mut R,
        encoded: Encoded,
        found: &Found,
        mut first: Option<&mut First<'_>>,
    ) -> Result<Survey, Why> {
        let judge = Judge { settings: self.settings, found };
        let mut input = Hashed::from_start(input)?;
        input.segments = self.settings.recheck.map(|_| Segments::default());
        let mut records = self.records(&mut input, encoded, found)?;
        let mut keys: Vec<Mark> = Vec::new();
        let (mut raw, mut cleaned) = (Raw::default(), Cleaned::default());
        let (mut rows, mut beyond_ascii, mut last_line) = (0, false, 0);
        let mut counts: Vec<(u64, String)> = Vec::new();
        let mut last: Option<Last> = None;
        let mut undecodable: Option<Why> = None;
        let mut multiset = self.settings.recheck.map(|_| Multiset::of(found));
        while records.next(&mut raw)? {
            if let Some(why) = undecodable {
                return Err(why);
            }
            let in_letter = raw.fields().last().is_some_and(encoding::ends_in_letter);
            if !encoded.known {
                for (at, field) in raw.fields().enumerate().filter(|(_, field)| !field.is_ascii()) {
                    if std::str::from_utf8(field).is_err() {
                        let likely = encoding::likely(field);
                        let why = Why::Undecodable { line: raw.line, mostly_utf8: beyond_ascii, likely };
                        if !in_letter || at + 1 < raw.len() {
                            return Err(why);
                        }
                        // Where the file ends here too, it was cut; else it is in another encoding.
                        undecodable = Some(why);
                        break;
                    }
                    beyond_ascii = true;
                }
            }
            if raw.line < found.line || !Self::is_above(found, &raw) {
                counts.extend(judge.count(&raw).map(|said| (raw.line, said)));
            }
            if Self::is_above(found, &raw) {
                continue;
            }
            if let Some(multiset) = &mut multiset {
                multiset.add(raw.fields());
            }
            let cleaned = first.as_deref_mut().map_or(&mut cleaned, |first| &mut first.tally.cleaned);
            let verdict = judge.judge(&raw, cleaned);
            let skipped = if let Verdict::Skip(skipped) = verdict { Some(skipped) } else { None };
            let fields = raw.len().saturating_sub(found.added.len());
            last = Some(Last { line: raw.line, fields, skipped, in_letter });
            match &verdict {
                Verdict::Skip(_) => {}
                Verdict::Take { key, .. } => keys.push(mark([key.as_bytes()])),
                Verdict::Reject(fault) => keys.extend(fault.key.as_ref().map(|key| mark([key.as_bytes()]))),
            }
            if let Some(first) = &mut first {
                self.hand_on_first(first, found, &raw, verdict);
            }
            if skipped.is_some() {
                continue;
            }
            rows += 1;
            last_line = raw.line;
            if rows > self.settings.limits.rows {
                return Err(Why::TooManyRows { limit: self.settings.limits.rows });
            }
        }
        let final_line_end = records.at_line_end();
        let line_ends = records.line_ends();
        if records.is_utf8_after_all() {
            return Err(Why::IsUtf8 { configured: encoded.encoding.name() });
        }
        drop(records);
        if let Some(last) = last {
            Self::look_for_cut(&last, found, final_line_end, line_ends)?;
        }
        if let Some(why) = undecodable {
            return Err(why);
        }
        if rows == 0 {
            return Err(Why::OnlyHeader);
        }
        self.compare_counts(found, rows, counts)?;
        let bytes = input.segments.take().map(Segments::told);
        let rows = multiset.map(|rows| rows_told(rows, final_line_end));
        let known_by = bytes.zip(rows).map(|(bytes, rows)| KnownBy { bytes, rows });
        let sha256 = input.digest();
        let repeated = repeated(keys);
        Ok(Survey { repeated, sha256, known_by, final_line_end, line_ends, last_line })
    }

    /// What each of these keys stands for, of which there are several rows.
    fn look_at_repeated<R: Bytes + Seek>(
        &self,
        input: &mut R,
        encoded: Encoded,
        found: &Found,
        survey: &Survey,
    ) -> Result<BTreeMap<Mark, Seen>, Why> {
        let mut seen: BTreeMap<Mark, Seen> = BTreeMap::new();
        if survey.repeated.is_empty() {
            return Ok(seen);
        }
        let judge = Judge { settings: self.settings, found };
        let mut input = Hashed::from_start(input)?;
        let mut records = self.records(&mut input, encoded, found)?;
        let (mut raw, mut cleaned) = (Raw::default(), Cleaned::default());
        while records.next(&mut raw)? {
            if Self::is_above(found, &raw) {
                continue;
            }
            let (key, row) = match judge.judge(&raw, &mut cleaned) {
                Verdict::Skip(_) | Verdict::Reject(values::Fault { key: None, .. }) => continue,
                Verdict::Take { key, fields } => {
                    let key = mark([key.as_bytes()]);
                    if !survey.repeated.contains(&key) {
                        continue;
                    }
                    (key, mark(fields.iter().map(|field| field.as_bytes())))
                }
                // A row at fault is like no other.
                Verdict::Reject(values::Fault { key: Some(key), code, .. }) => {
                    (mark([key.as_bytes()]), mark([code.as_bytes(), &raw.line.to_le_bytes()]))
                }
            };
            if survey.repeated.contains(&key) {
                let entry = seen.entry(key).or_insert(Seen { row, first: raw.line, rows: 0, alike: true });
                entry.rows = entry.rows.saturating_add(1);
                entry.alike &= entry.row == row;
            }
        }
        drop(records);
        if input.digest() == survey.sha256 { Ok(seen) } else { Err(Why::Changed) }
    }

    /// Refuses a file whose end shows that more was to come.
    fn look_for_cut(last: &Last, found: &Found, final_line_end: bool, line_ends: LineEnds) -> Result<(), Why> {
        let line = last.line;
        let expected = found.folded.len();
        let may_be_short = match last.skipped {
            // A row that has a line end and was broken already is only rejected again.
            None => final_line_end && found.is_repaired(),
            Some(Skipped::Count) => true,
            Some(_) => final_line_end,
        };
        if last.fields < expected && !may_be_short {
            return Err(Why::CutOff { line, found: last.fields, expected });
        }
        if last.in_letter && !final_line_end {
            return Err(Why::CutInLetter { line });
        }
        if line_ends.is_cut() {
            return Err(Why::HalfLineEnd { line });
        }
        Ok(())
    }

    /// Refuses a file with too few rows, or with other than it says itself. Of repaired rows nobody knows how many there
    /// should be.
    fn compare_counts(&self, found: &Found, rows: u64, counts: Vec<(u64, String)>) -> Result<(), Why> {
        if found.is_repaired() {
            return Ok(());
        }
        if self.settings.count_line.is_some() && counts.is_empty() {
            return Err(Why::NoCount);
        }
        if let Some((line, said)) = counts.into_iter().find(|(_, said)| said.parse() != Ok(rows)) {
            return Err(Why::WrongCount { line, said, rows });
        }
        let minimum = self.settings.minimum_rows;
        if rows < minimum { Err(Why::TooFewRows { rows, minimum }) } else { Ok(()) }
    }

    /// The second passage: every row once, to whoever wants it.
    fn hand_on<R: Bytes + Seek>(
        &self,
        input: &mut R,
        encoded: Encoded,
        found: &Found,
        survey: Survey,
        repeated: &BTreeMap<Mark, Seen>,
        sink: &mut dyn FnMut(Row),
    ) -> Result<Read, Why> {
        let judge = Judge { settings: self.settings, found };
        let header = Arc::new(found.header.clone());
        let mut input = Hashed::from_start(input)?;
        let mut records = self.records(&mut input, encoded, found)?;
        let mut tally = Tally::default();
        let mut raw = Raw::default();
        // Of each id that several different rows have, the first of them.
        let mut firsts: BTreeMap<Mark, Vec<String>> = BTreeMap::new();
        while records.next(&mut raw)? {
            if Self::is_above(found, &raw) {
                continue;
            }
            let fault = match judge.judge(&raw, &mut tally.cleaned) {
                Verdict::Skip(skipped) => {
                    *tally.skipped.entry(skipped).or_default() += 1;
                    continue;
                }
                Verdict::Reject(fault) => fault,
                Verdict::Take { key, fields } => match of_key(repeated, &key) {
                    Some(seen) if !seen.alike => {
                        let mut fault = duplicate(Arc::from(&*key), &self.settings.key, seen);
                        match firsts.entry(mark([key.as_bytes()])) {
                            Entry::Vacant(entry) => {
                                entry.insert(fields.into_iter().map(Cow::into_owned).collect());
                            }
                            // Somebody else's row under this id leaves that person without one.
                            Entry::Occupied(first) if !are_of_one_person(first.get(), &fields, found.key) => {
                                fault.key = None;
                            }
                            Entry::Occupied(_) => {}
                        }
                        fault
                    }
                    Some(seen) if seen.first != raw.line => {
                        tally.repeated += 1;
                        continue;
                    }
                    _ => {
                        tally.records += 1;
                        sink(self.record(&header, &raw, &fields));
                        continue;
                    }
                },
            };
            tally.rejected += 1;
            sink(self.rejected(found, &raw, fault));
        }
        drop(records);
        if input.digest() != survey.sha256 {
            return Err(Why::Changed);
        }
        Ok(self.told(encoded, found, survey, &tally))
    }

    /// A row as it is where no other has its key.
    fn hand_on_first(&self, first: &mut First<'_>, found: &Found, raw: &Raw, verdict: Verdict<'_>) {
        let First { header, sink, tally } = first;
        match verdict {
            Verdict::Skip(skipped) => *tally.skipped.entry(skipped).or_default() += 1,
            Verdict::Take { fields, .. } => {
                tally.records += 1;
                sink(Told::Row(self.record(header, raw, &fields)));
            }
            Verdict::Reject(fault) => {
                tally.rejected += 1;
                sink(Told::Row(self.rejected(found, raw, fault)));
            }
        }
    }

    fn record(&self, header: &Arc<Header>, raw: &Raw, fields: &[Cow<'_, str>]) -> Row {
        let origin = RecordOrigin { file: Arc::clone(&self.shown_as), line: raw.line };
        Row::Record(Record { origin, header: Arc::clone(header), fields: Fields::of(fields) })
    }

    fn rejected(&self, found: &Found, raw: &Raw, fault: values::Fault) -> Row {
        let rejected = Rejected {
            system: self.system.clone(),
            file: self.shown_as.to_string(),
            line: raw.line,
            column: fault.column,
            code: fault.code.to_owned(),
            reason: fault.reason,
        };
        let fields = found.fields(raw).into_iter().map(|field| Arc::from(String::from_utf8_lossy(field)));
        Row::Rejected { key: fault.key, rejected, fields: fields.collect() }
    }

    /// What is told of a file once all its rows are handed on.
    fn told(&self, encoded: Encoded, found: &Found, survey: Survey, tally: &Tally) -> Read {
        Read {
            sha256: survey.sha256,
            known_by: survey.known_by,
            records: tally.records,
            rejected: tally.rejected,
            columns: found.header.names().iter().map(ToString::to_string).collect(),
            last_line: survey.last_line,
            final_line_end: survey.final_line_end,
            repaired: found.is_repaired(),
            layout: Some(Layout {
                encoding: encoded.encoding.name(),
                marked: encoded.mark > 0,
                delimiter: found.delimiter,
                line_end: survey.line_ends.usual(),
                header: found.spelled.clone(),
                header_line: found.line,
            }),
            notes: self.notes(encoded, found, tally),
        }
    }

    fn records<R: Bytes>(&self, input: R, encoded: Encoded, found: &Found) -> Result<Records<R>, Why> {
        Ok(Records::new(input, encoded, found.delimiter, self.settings.limits)?)
    }

    /// True for what stands above the first row: titles, the header, its labels.
    fn is_above(found: &Found, raw: &Raw) -> bool {
        raw.line <= found.last
    }

    fn notes(&self, encoded: Encoded, found: &Found, tally: &Tally) -> Vec<String> {
        let how = match (self.settings.encoding, encoded.mark) {
            (_, 1..) => "as its mark says",
            (Some(_), 0) => "as configured",
            (None, 0) => "no mark, and valid throughout",
        };
        let mut notes = vec![format!("encoding {} ({how})", encoded.encoding.name())];
        let name =
            if found.delimiter == b'\t' { "tab".to_owned() } else { format!("`{}`", char::from(found.delimiter)) };
        let how = if self.settings.delimiter.is_some() { "as configured" } else { "told by the header" };
        notes.push(format!("delimiter {name} ({how})"));
        if found.line > 1 {
            notes.push(format!("header in line {}; what stands above it was passed over", found.line));
        }
        if self.settings.columns.len() > 1 && !found.extra.is_empty() {
            notes.push(format!("columns that are not declared: {}", found.extra.join(", ")));
        }
        if found.is_repaired() {
            notes.push("repaired rows, and a part of the list only: nobody is missing from them".to_owned());
        }
        for (skipped, count) in &tally.skipped {
            let what = match skipped {
                Skipped::Blank => "empty rows passed over",
                Skipped::HeaderAgain => "repetitions of the header passed over",
                Skipped::Count => "lines that tell how many rows there are, and are right",
                Skipped::Configured => "rows named in `skip` passed over",
            };
            notes.push(format!("{what}: {count}"));
        }
        if tally.repeated > 0 {
            notes.push(format!("rows that repeat an earlier one, counted once: {}", tally.repeated));
        }
        notes.extend(tally.cleaned.notes(&found.header));
        notes
    }
}

/// Whom rows are handed on to in the first passage.
struct First<'s> {
    header: Arc<Header>,
    sink: &'s mut dyn FnMut(Told),
    tally: Tally,
}

/// What is counted while rows are handed on.
#[derive(Default)]
struct Tally {
    records: u64,
    rejected: u64,
    repeated: u64,
    skipped: BTreeMap<Skipped, u64>,
    cleaned: Cleaned,
}

fn duplicate(key: Arc<str>, column: &str, seen: &Seen) -> values::Fault {
    let reason = format!(
        "{} rows have this id and differ (the first is line {}): nobody can say which is right, so none is used",
        seen.rows, seen.first
    );
    values::Fault { key: Some(key), column: Some(column.to_owned()), code: "duplicate_id", reason }
}

/// Whether two different rows with one id are about one person, who has two posts say: more than half of what they hold
/// is the same.
fn are_of_one_person(one: &[String], other: &[Cow<'_, str>], key: usize) -> bool {
    let (mut same, mut all) = (0, 0);
    for (_, (one, other)) in one.iter().zip(other).enumerate().filter(|(at, _)| *at != key) {
        all += usize::from(!one.is_empty() || !other.is_empty());
        same += usize::from(!one.is_empty() && one == other);
    }
    2 * same > all
}

/// What rows in any order are known by. A last line without an end may be a list that was cut off.
fn rows_told(rows: Multiset, final_line_end: bool) -> String {
    format!("{}{}", rows.told(), if final_line_end { "" } else { " cut?" })
}

/// Those that occur more than once.
fn repeated(mut keys: Vec<Mark>) -> BTreeSet<Mark> {
    keys.sort_unstable();
    keys.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect()
}

/// What was seen of a key, if there are several rows of it.
fn of_key<'s>(repeated: &'s BTreeMap<Mark, Seen>, key: &str) -> Option<&'s Seen> {
    if repeated.is_empty() { None } else { repeated.get(&mark([key.as_bytes()])) }
}

/// A digest of texts in a row, such that no two rows of different texts have the same.
fn mark<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Mark {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hasher.finalize()[..16]);
    mark
}

/// A file that is read from its first byte to its last, and the digest of what was read.
struct Hashed<'r, R> {
    input: &'r mut R,
    hasher: Sha256,
    segments: Option<Segments>,
}

impl<'r, R: Bytes + Seek> Hashed<'r, R> {
    fn from_start(input: &'r mut R) -> io::Result<Self> {
        input.seek(SeekFrom::Start(0))?;
        Ok(Self { input, hasher: Sha256::new(), segments: None })
    }

    /// The digest in hex.
    fn digest(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl<R: Bytes> Bytes for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if let Some(segments) = &mut self.segments {
            segments.update(&buffer[..read]);
        }
        Ok(read)
    }
}
