//! From bytes to UTF-8, without ever guessing.
//!
//! The encoding is what the configuration says, else what a byte order mark says, else strict UTF-8. Sequences that are
//! not valid come out as a byte that cannot occur in UTF-8, so that whoever looks at a field sees them in one way,
//! whatever the encoding was.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::source::Why;

/// Stands for a sequence that is not valid in the encoding of the file. Never part of UTF-8.
const INVALID: u8 = 0xFF;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// How a file is encoded, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) encoding: &'static Encoding,
    /// Bytes of the mark at the start.
    pub(super) mark: usize,
    /// False: nobody said so, and UTF-8 is taken strictly.
    pub(super) known: bool,
}

/// Decides from the first bytes of a file, and refuses what is no text at all.
pub(super) fn decide(head: &[u8], configured: Option<&'static Encoding>) -> Result<Encoded, Why> {
    if let Some(looks_like) = signature(head) {
        return Err(Why::NotCsv { looks_like });
    }
    match (Encoding::for_bom(head), configured) {
        (Some((encoding, mark)), None) => Ok(Encoded { encoding, mark, known: true }),
        (Some((found, mark)), Some(said)) => {
            // `utf-16` without an end named is a label of UTF-16LE; the mark knows better.
            let both_wide = found != UTF_8 && (said == UTF_16LE || said == UTF_16BE);
            if found == said || both_wide {
                Ok(Encoded { encoding: found, mark, known: true })
            } else {
                Err(Why::OtherEncoding { found: found.name(), configured: said.name() })
            }
        }
        (None, Some(encoding)) => Ok(Encoded { encoding, mark: 0, known: true }),
        (None, None) => match wide_without_mark(head) {
            Some(likely) => Err(Why::Undecodable { line: 1, mostly_utf8: false, likely }),
            None => Ok(Encoded { encoding: UTF_8, mark: 0, known: false }),
        },
    }
}

/// Which single-byte encodings a field may be in that is not UTF-8.
pub(super) fn likely(field: &[u8]) -> &'static [&'static str] {
    // 0x80 to 0x9F are printable in Windows-1252 and control characters in the ISO-8859 family.
    if field.iter().any(|byte| (0x80..0xA0).contains(byte)) {
        &["windows-1252"]
    } else {
        &["windows-1252", "iso-8859-15"]
    }
}

/// True for text that stops in the middle of a letter.
pub(super) fn ends_in_letter(text: &[u8]) -> bool {
    let cut = |text: &[u8]| std::str::from_utf8(text).is_err_and(|error| error.error_len().is_none());
    match text.last() {
        Some(&INVALID) => true,
        Some(0x80..) => cut(&text[text.len().saturating_sub(4)..]) || cut(text),
        _ => false,
    }
}

/// What a file that is no CSV begins with.
fn signature(head: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a ZIP archive, such as an Excel workbook (.xlsx)"),
        (b"PK\x05\x06", "an empty ZIP archive"),
        (b"\xD0\xCF\x11\xE0", "an old Excel workbook (.xls)"),
        (b"%PDF", "a PDF document"),
        (b"\x1F\x8B", "a gzip archive"),
        (b"\x28\xB5\x2F\xFD", "a Zstandard archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xFD7zXZ\0", "an XZ archive"),
        (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
        (b"Rar!\x1A\x07", "a RAR archive"),
        (b"age-encryption.org/", "an encrypted file (age)"),
        (b"-----BEGIN PGP", "an encrypted message"),
        (b"{\\rtf", "an RTF document"),
        (b"\xFF\xFE\x00\x00", "text in UTF-32"),
        (b"\x00\x00\xFE\xFF", "text in UTF-32"),
    ];
    if let Some((_, name)) = SIGNATURES.iter().find(|(start, _)| head.starts_with(start)) {
        return Some(name);
    }
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    match text {
        [b'{' | b'[', ..] => Some("JSON"),
        [b'<', b'?', ..] => Some("XML"),
        [b'<', ..] => Some("a web page (HTML)"),
        _ if head.len() >= 16 && head.iter().take(16).all(|byte| *byte == 0) => Some("a file of zero bytes"),
        _ => None,
    }
}

/// UTF-16 text of the western kind has a zero in every second byte.
fn wide_without_mark(head: &[u8]) -> Option<&'static [&'static str]> {
    let head = head.get(..16)?;
    let zeros = |from: usize| head.iter().skip(from).step_by(2).all(|byte| *byte == 0);
    match (zeros(0), zeros(1)) {
        (false, true) => Some(&["utf-16le"]),
        (true, false) => Some(&["utf-16be"]),
        _ => None,
    }
}

/// As [`Decoded::is_utf8_after_all`], of the beginning of a file.
pub(super) fn begins_as_utf8(head: &[u8], encoded: Encoded) -> bool {
    let as_utf8 = AsUtf8::default().with(head);
    if encoded.encoding == UTF_16LE || encoded.encoding == UTF_16BE {
        // Every second byte of most texts in those is zero.
        return as_utf8.is_some() && !head.contains(&0);
    }
    encoded.encoding.is_single_byte() && as_utf8.is_some_and(|it| it.beyond_ascii)
}

/// A file as UTF-8, a piece at a time.
pub(super) struct Decoded<R> {
    raw: R,
    /// `None`: the bytes are UTF-8 already, valid or not.
    decoder: Option<Decoder>,
    bytes: Vec<u8>,
    ended: bool,
    /// Of an encoding in which all bytes mean something: whether they are UTF-8 as well. `None` as soon as they are not.
    as_utf8: Option<AsUtf8>,
}

/// Bytes that were UTF-8 so far.
#[derive(Debug, Default)]
struct AsUtf8 {
    /// The beginning of a letter, which the next piece may end.
    begun: Vec<u8>,
    beyond_ascii: bool,
}

impl AsUtf8 {
    /// The same with one more piece, where that is UTF-8 too.
    fn with(mut self, bytes: &[u8]) -> Option<Self> {
        self.begun.extend_from_slice(bytes);
        let valid = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return None,
        };
        self.beyond_ascii |= !self.begun[..valid].is_ascii();
        self.begun.drain(..valid);
        Some(self)
    }
}

impl<R: Read> Decoded<R> {
    /// Takes a file from its first byte on, and starts after the mark.
    pub(super) fn new(mut raw: R, encoded: Encoded) -> io::Result<Self> {
        raw.read_exact(&mut [0; 4][..encoded.mark.min(4)])?;
        let decoder = (encoded.encoding != UTF_8).then(|| encoded.encoding.new_decoder_without_bom_handling());
        let as_utf8 = encoded.encoding.is_single_byte().then(AsUtf8::default);
        Ok(Self { raw, decoder, bytes: vec![0; CHUNK], ended: false, as_utf8 })
    }

    /// True where what was read so far was taken for an encoding of one byte a letter, and is UTF-8: texts in such encodings
    /// hardly ever are.
    pub(super) fn is_utf8_after_all(&self) -> bool {
        self.as_utf8.as_ref().is_some_and(|it| it.beyond_ascii && it.begun.is_empty())
    }

    /// Puts the next piece into `text`. False, and an empty `text`, at the end.
    pub(super) fn next(&mut self, text: &mut Vec<u8>) -> io::Result<bool> {
        text.clear();
        while text.is_empty() && !self.ended {
            let read = match self.raw.read(&mut self.bytes) {
                Ok(read) => read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            };
            self.ended = read == 0;
            self.as_utf8 = self.as_utf8.take().and_then(|it| it.with(&self.bytes[..read]));
            match &mut self.decoder {
                None => text.extend_from_slice(&self.bytes[..read]),
                Some(decoder) => decode(decoder, &self.bytes[..read], self.ended, text),
            }
        }
        Ok(!text.is_empty())
    }
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, text: &mut Vec<u8>) {
    loop {
        let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(bytes.len() * 4 + 16);
        let start = text.len();
        text.resize(start + room, 0);
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(bytes, &mut text[start..], last);
        text.truncate(start + written);
        bytes = &bytes[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(_, _) => text.push(INVALID),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn decoded(bytes: &[u8], configured: Option<&'static Encoding>) -> Vec<u8> {
        let encoded = decide(bytes, configured).unwrap();
        let mut reader = Decoded::new(Cursor::new(bytes), encoded).unwrap();
        let (mut all, mut piece) = (Vec::new(), Vec::new());
        while reader.next(&mut piece).unwrap() {
            all.extend_from_slice(&piece);
        }
        all
    }

    fn refused(bytes: &[u8], configured: Option<&'static Encoding>) -> String {
        decide(bytes, configured).unwrap_err().to_string()
    }

    #[test]
    fn a_mark_decides_and_is_no_part_of_the_text() {
        assert_eq!(decoded(b"\xEF\xBB\xBF\xC3\xBC", None), "ü".as_bytes());
        assert_eq!(decoded(b"\xFF\xFEi\0d\0", None), b"id");
        assert_eq!(decoded(b"\xFE\xFF\0i\0d", Some(UTF_16LE)), b"id", "the label utf-16 leaves the end open");
    }

    #[test]
    fn a_mark_against_the_configuration_refuses_the_file() {
        assert_eq!(
            refused(b"\xEF\xBB\xBFid", Some(encoding_rs::WINDOWS_1252)),
            "the file is marked as UTF-8, but `encoding` says windows-1252"
        );
    }

    #[test]
    fn utf8_is_known_for_what_it_is_under_another_name() {
        let is_utf8 = |bytes: &[u8], said| {
            let mut reader = Decoded::new(bytes, decide(bytes, said).unwrap()).unwrap();
            let mut piece = Vec::new();
            while reader.next(&mut piece).unwrap() {}
            reader.is_utf8_after_all()
        };
        let said = Some(encoding_rs::WINDOWS_1252);
        // A letter that stands across two pieces, and one that is cut off at the end.
        let far = |rest: &[u8]| [&b"a".repeat(CHUNK - 1), rest].concat();
        assert!(is_utf8("Jürgen".as_bytes(), said) && is_utf8(&far("ü".as_bytes()), said));
        assert!(!is_utf8(b"J\xFCrgen", said) && !is_utf8(&far(b"\xC3"), said) && !is_utf8(b"\xC3\xBC \xFC", said));
        assert!(!is_utf8(b"Juergen", said) && !is_utf8("Jürgen".as_bytes(), None));
        // In two bytes a letter, short texts can be both.
        assert!(!is_utf8("联通".as_bytes(), Some(encoding_rs::GBK)));
    }

    #[test]
    fn what_is_not_valid_can_be_seen_in_every_encoding() {
        assert_eq!(decoded(b"a\xF6b", None), b"a\xF6b");
        assert_eq!(decoded(b"a\0\x00\xDCb\0", Some(UTF_16LE)), b"a\xFFb", "a lone surrogate");
        assert_eq!(decoded(b"a\0b", Some(UTF_16LE)), b"a\xFF", "half a unit at the end");
    }

    #[test]
    fn wide_text_without_a_mark_is_refused_with_its_likely_name() {
        let wide: Vec<u8> = "employee_id,name".bytes().flat_map(|byte| [byte, 0]).collect();
        let Err(Why::Undecodable { likely, .. }) = decide(&wide, None) else { panic!("taken") };
        assert_eq!(likely, ["utf-16le"]);
    }

    #[test]
    fn what_is_no_csv_is_named() {
        for (head, name) in [
            (&b"PK\x03\x04rest"[..], "this is not CSV: it looks like a ZIP archive, such as an Excel workbook (.xlsx)"),
            (b"\xD0\xCF\x11\xE0\xA1\xB1", "this is not CSV: it looks like an old Excel workbook (.xls)"),
            (b"%PDF-1.7", "this is not CSV: it looks like a PDF document"),
            (b"\n <html>", "this is not CSV: it looks like a web page (HTML)"),
            (b"\xEF\xBB\xBF[{}]", "this is not CSV: it looks like JSON"),
            (&[0; 64], "this is not CSV: it looks like a file of zero bytes"),
        ] {
            assert_eq!(refused(head, None), name);
        }
    }
}
