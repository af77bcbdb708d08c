//! Rejected rows, given back so that their sender can repair them (`csv-drop-folder.md`, items 32 and 33).
//!
//! The file looks like the one the rows came from: its encoding, its delimiter, its header and its rows, field by field.
//! Three columns stand before them and say what was wrong. They stand in front because a rejected row may have too few or
//! too many fields: behind it, nobody would find them, and filling it up would make a sound row of a broken one.
//!
//! A spreadsheet must not run what a row holds, so a field that it would take for a formula gets an apostrophe. When the
//! repaired file comes back it is known by its columns, and the apostrophes are taken off again. Where the file is put
//! and what happens to it there is not known here.

use std::sync::Arc;

use encoding_rs::{EncoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::{
    model::record::Rejected,
    source::{Layout, LineEnd},
};

/// The columns that are added. The first is the one such a file is known by.
pub(crate) const ADDED: [&str; 3] = ["homeward_line", "homeward_code", "homeward_reason"];

/// What a field begins with that a spreadsheet takes for a formula, or for something to skip before one.
const FORMULA: [u8; 6] = *b"=+-@\t\r";

/// The bytes of a file with these rows, each with the fields of [`Row::Rejected`](crate::source::Row::Rejected).
pub(crate) fn write<'r>(layout: &Layout, rejects: impl IntoIterator<Item = (&'r [Arc<str>], &'r Rejected)>) -> Vec<u8> {
    let mut text = String::new();
    let names = ADDED.into_iter().chain(layout.header.iter().map(String::as_str));
    write_row(&mut text, layout, names);
    for (fields, rejected) in rejects {
        let line = rejected.line.to_string();
        let added = [line.as_str(), &rejected.code, &rejected.reason];
        write_row(&mut text, layout, added.into_iter().chain(fields.iter().map(AsRef::as_ref)));
    }
    encoded(&text, layout)
}

/// A field of a repaired file as it was before it was made harmless.
pub(super) fn bare(field: &[u8]) -> &[u8] {
    if is_formula(field) && field.starts_with(b"'") { &field[1..] } else { field }
}

/// Whether a field may be run, or looks like one that was made harmless already: that takes another apostrophe, so that
/// taking one off always gives what was there.
fn is_formula(field: &[u8]) -> bool {
    field.iter().find(|byte| **byte != b'\'').is_some_and(|byte| FORMULA.contains(byte))
}

fn write_row<'f>(text: &mut String, layout: &Layout, fields: impl Iterator<Item = &'f str>) {
    let delimiter = char::from(layout.delimiter);
    for (at, field) in fields.enumerate() {
        if at > 0 {
            text.push(delimiter);
        }
        let is_formula = is_formula(field.as_bytes());
        let needs_quotes = is_formula || field.contains([delimiter, '"', '\r', '\n']);
        if !needs_quotes {
            text.push_str(field);
            continue;
        }
        text.push('"');
        if is_formula {
            text.push('\'');
        }
        text.push_str(&field.replace('"', "\"\""));
        text.push('"');
    }
    text.push_str(match layout.line_end {
        LineEnd::Lf => "\n",
        LineEnd::CrLf => "\r\n",
        LineEnd::Cr => "\r",
    });
}

/// The text in the encoding of the file, with a mark where the file had one. A letter it has no place for is a `?`.
fn encoded(text: &str, layout: &Layout) -> Vec<u8> {
    let encoding = Encoding::for_label(layout.encoding.as_bytes()).unwrap_or(UTF_8);
    let mark = if layout.marked { "\u{FEFF}" } else { "" };
    if encoding == UTF_16LE {
        return [mark, text].iter().flat_map(|part| part.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    }
    if encoding == UTF_16BE {
        return [mark, text].iter().flat_map(|part| part.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    }
    if encoding == UTF_8 {
        return [mark, text].concat().into_bytes();
    }
    let mut encoder = encoding.new_encoder();
    let (mut bytes, mut rest) = (Vec::new(), text);
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len() * 4 + 16);
        let start = bytes.len();
        bytes.resize(start + room, 0);
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(rest, &mut bytes[start..], true);
        bytes.truncate(start + written);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return bytes,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => bytes.push(b'?'),
        }
    }
}
