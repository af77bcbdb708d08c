//! From text to records, without ever holding more than one.
//!
//! Quoting is that of RFC 4180, and a quote inside a plain field is text. What is added to the state machine of the CSV
//! library: physical line numbers for every kind of line end, limits that hold while reading, and a word for a quote
//! that nothing closes. It does not know what a header is.

use std::io::{self, Read};

use csv_core::ReadRecordResult;

use super::{
    encoding::{Decoded, Encoded},
    settings::Limits,
};
use crate::source::{LineEnd, Why};

/// So many zero bytes in a row are a hole in a file and no typing error.
const HOLE: usize = 64;

/// One record as it stands in the file, without its quotes.
#[derive(Clone, Debug, Default)]
pub(super) struct Raw {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    fields: usize,
    /// Physical line it begins on, from 1.
    pub(super) line: u64,
    /// Physical line it ends on.
    pub(super) last_line: u64,
}

impl Raw {
    /// How many fields it has: at least one.
    pub(super) fn len(&self) -> usize {
        self.fields
    }

    /// The fields, which may be no UTF-8.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends[..self.fields].iter().zip(starts).map(|(end, start)| &self.bytes[start..*end])
    }
}

/// How the records that were read so far end. Blank lines are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineEnds {
    lf: u64,
    crlf: u64,
    cr: u64,
    /// The last record ends with a CR alone, and the file with it.
    last_is_cr: bool,
}

impl LineEnds {
    /// The way most records end.
    pub(super) fn usual(self) -> LineEnd {
        match self {
            Self { lf, crlf, cr, .. } if crlf >= lf && crlf >= cr && crlf > 0 => LineEnd::CrLf,
            Self { lf, cr, .. } if cr > lf => LineEnd::Cr,
            _ => LineEnd::Lf,
        }
    }

    /// True where the file ends between the CR and the LF of its last line.
    pub(super) fn is_cut(self) -> bool {
        self.last_is_cr && self.cr == 1 && self.lf == 0 && self.crlf > 0
    }
}

/// The records of one file.
pub(super) struct Records<R> {
    input: Decoded<R>,
    machine: csv_core::Reader,
    limits: Limits,
    text: Vec<u8>,
    at: usize,
    /// The physical line `at` is on.
    line: u64,
    /// The last byte was a CR, which ends a line unless LF follows, when that does.
    after_cr: bool,
    zeros: usize,
    last_byte: Option<u8>,
    ends: LineEnds,
    /// The last record ended with a CR, of which it is not known yet whether an LF follows.
    ended_by_cr: bool,
}

impl<R: Read> Records<R> {
    /// Takes a file from its first byte on.
    pub(super) fn new(raw: R, encoded: Encoded, delimiter: u8, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            input: Decoded::new(raw, encoded)?,
            machine: csv_core::ReaderBuilder::new().delimiter(delimiter).build(),
            limits,
            text: Vec::new(),
            at: 0,
            line: 1,
            after_cr: false,
            zeros: 0,
            last_byte: None,
            ends: LineEnds::default(),
            ended_by_cr: false,
        })
    }

    /// Reads the next record into `raw`. False at the end. Lines without any character are no records.
    pub(super) fn next(&mut self, raw: &mut Raw) -> Result<bool, Why> {
        (raw.filled, raw.fields) = (0, 0);
        loop {
            let ended = self.at == self.text.len() && !self.fill()?;
            if std::mem::take(&mut self.ended_by_cr) {
                let is_whole = !ended && self.text[self.at] == b'\n';
                *(if is_whole { &mut self.ends.crlf } else { &mut self.ends.cr }) += 1;
                self.ends.last_is_cr = ended;
            }
            if ended {
                return Ok(false);
            }
            match self.text[self.at] {
                b'\n' | b'\r' => self.advance(1)?,
                _ => break,
            }
        }
        if std::mem::take(&mut self.after_cr) {
            self.line += 1;
        }
        raw.line = self.line;
        let mut closing = false;
        loop {
            let input = if closing { &b"\n"[..] } else { &self.text[self.at..] };
            let (result, read, written, ended) =
                self.machine.read_record(input, &mut raw.bytes[raw.filled..], &mut raw.ends[raw.fields..]);
            raw.filled += written;
            raw.fields += ended;
            if !closing {
                self.advance(read)?;
            }
            match result {
                ReadRecordResult::Record => break,
                // Only an open quote outlives a line end at the end of the file.
                ReadRecordResult::InputEmpty if closing => return Err(Why::UnclosedQuote { line: raw.line }),
                ReadRecordResult::InputEmpty => closing = self.at == self.text.len() && !self.fill()?,
                ReadRecordResult::OutputFull if raw.filled > self.limits.record => {
                    return Err(Why::RecordTooLarge { line: raw.line, limit: self.limits.record });
                }
                ReadRecordResult::OutputFull => {
                    let size = (raw.bytes.len() * 2).clamp(4 << 10, self.limits.record.max(4 << 10) + 1);
                    raw.bytes.resize(size, 0);
                }
                ReadRecordResult::OutputEndsFull if raw.fields > self.limits.columns => {
                    return Err(Why::TooManyColumns { line: raw.line, limit: self.limits.columns });
                }
                ReadRecordResult::OutputEndsFull => {
                    raw.ends.resize((raw.ends.len() * 2).clamp(64, self.limits.columns.max(64) + 1), 0);
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
        if raw.filled > self.limits.record {
            return Err(Why::RecordTooLarge { line: raw.line, limit: self.limits.record });
        }
        if raw.fields > self.limits.columns {
            return Err(Why::TooManyColumns { line: raw.line, limit: self.limits.columns });
        }
        match self.last_byte {
            Some(b'\r') if !closing => self.ended_by_cr = true,
            Some(b'\n') if !closing => self.ends.lf += 1,
            _ => {}
        }
        let past_its_end = !closing && self.last_byte == Some(b'\n');
        raw.last_line = self.line - u64::from(past_its_end);
        Ok(true)
    }

    /// True where the last byte read so far ends a line.
    pub(super) fn at_line_end(&self) -> bool {
        matches!(self.last_byte, Some(b'\n' | b'\r'))
    }

    /// As [`Decoded::is_utf8_after_all`].
    pub(super) fn is_utf8_after_all(&self) -> bool {
        self.input.is_utf8_after_all()
    }

    /// How records end, as far as they were read.
    pub(super) fn line_ends(&self) -> LineEnds {
        self.ends
    }

    fn fill(&mut self) -> Result<bool, Why> {
        self.at = 0;
        Ok(self.input.next(&mut self.text)?)
    }

    /// Takes note of the lines in the next `count` bytes and goes past them.
    fn advance(&mut self, count: usize) -> Result<(), Why> {
        let passed = &self.text[self.at..self.at + count];
        // Most files have neither, and then only line ends count.
        let is_plain = !passed.contains(&b'\r') && !passed.contains(&0);
        if let Some(first) = passed.first().filter(|_| is_plain) {
            let cut = std::mem::take(&mut self.after_cr) && *first != b'\n';
            let ended: u64 = passed.iter().map(|byte| u64::from(*byte == b'\n')).sum();
            self.line += u64::from(cut) + ended;
            self.zeros = 0;
        }
        for byte in passed.iter().filter(|_| !is_plain) {
            if std::mem::take(&mut self.after_cr) && *byte != b'\n' {
                self.line += 1;
            }
            match byte {
                b'\n' => self.line += 1,
                b'\r' => self.after_cr = true,
                _ => {}
            }
            self.zeros = if *byte == 0 { self.zeros + 1 } else { 0 };
            if self.zeros == HOLE {
                return Err(Why::Zeros { line: self.line });
            }
        }
        self.last_byte = passed.last().copied().or(self.last_byte);
        self.at += count;
        Ok(())
    }
}
