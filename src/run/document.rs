//! The plan document: JSON that is read by lines.
//!
//! The parts of a plan are spread out, and every entry of a part is one line: whoever searches a plan finds whole entries, and
//! two plans differ by as many lines as they differ by entries. Of a million people the document is three quarters as long
//! as with a line for each value. What a plan says, and what its id is, is not known here.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::model::plan::Plan;

/// What lies deeper than this stands on one line: the document, and the lists in it.
const SPREAD: usize = 2;

/// Writes a plan, with a line end behind it.
///
/// # Errors
/// Where `to` cannot be written.
pub(crate) fn write(plan: &Plan, mut to: impl Write) -> io::Result<()> {
    plan.serialize(&mut Serializer::with_formatter(&mut to, Lines::default()))?;
    to.write_all(b"\n")
}

/// What every document begins with.
pub(crate) const START: &str = "{\n  \"format\": \"homeward.plan/";

/// The same as a text, without the line end.
pub(crate) fn text(plan: &Plan) -> String {
    let mut bytes = Vec::new();
    // A plan is plain data with text keys: writing it into memory cannot fail, and what is written is UTF-8.
    let written = write(plan, &mut bytes).is_ok();
    bytes.pop();
    if written { String::from_utf8(bytes).unwrap_or_default() } else { String::new() }
}

/// How JSON is laid out.
#[derive(Default)]
struct Lines {
    depth: usize,
    /// Something stands between the brackets that were opened last.
    is_filled: bool,
}

impl Lines {
    fn open<W: Write + ?Sized>(&mut self, to: &mut W, bracket: u8) -> io::Result<()> {
        self.depth += 1;
        self.is_filled = false;
        to.write_all(&[bracket])
    }

    fn close<W: Write + ?Sized>(&mut self, to: &mut W, bracket: u8) -> io::Result<()> {
        if self.is_filled && self.depth <= SPREAD {
            Self::begin_line(to, self.depth - 1)?;
        }
        self.depth -= 1;
        to.write_all(&[bracket])
    }

    fn separate<W: Write + ?Sized>(&self, to: &mut W, first: bool) -> io::Result<()> {
        match (first, self.depth <= SPREAD) {
            (true, false) => Ok(()),
            (false, false) => to.write_all(b", "),
            (true, true) => Self::begin_line(to, self.depth),
            (false, true) => {
                to.write_all(b",")?;
                Self::begin_line(to, self.depth)
            }
        }
    }

    fn begin_line<W: Write + ?Sized>(to: &mut W, depth: usize) -> io::Result<()> {
        to.write_all(b"\n")?;
        (0..depth).try_for_each(|_| to.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b'[')
    }

    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b']')
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.separate(to, first)
    }

    fn end_array_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }

    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b'{')
    }

    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b'}')
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.separate(to, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn laid_out(value: &Value) -> String {
        let mut bytes = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut bytes, Lines::default())).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_entry_of_a_list_is_one_line() {
        let value = json!({
            "id": "x",
            "links": [{ "person": "hr/1", "system": "gitlab" }, { "person": "hr/2", "after": ["c1", "c2"], "body": {} }],
            "systems": { "gitlab": { "kind": "gitlab" } },
            "calls": [],
            "summary": {},
        });
        let shown = "{\n  \"id\": \"x\",\n  \"links\": [\n    {\"person\": \"hr/1\", \"system\": \"gitlab\"},\n    \
                     {\"person\": \"hr/2\", \"after\": [\"c1\", \"c2\"], \"body\": {}}\n  ],\n  \"systems\": {\n    \
                     \"gitlab\": {\"kind\": \"gitlab\"}\n  },\n  \"calls\": [],\n  \"summary\": {}\n}";
        assert_eq!(laid_out(&value), shown);
        assert_eq!(serde_json::from_str::<Value>(shown).unwrap(), value);
        assert_eq!(laid_out(&json!([])), "[]");
    }
}
