//! What can happen to a good file on its way: a list of broken copies, each with what may become of it.
//!
//! A good file here is UTF-8 with commas and LF, begins with its header, and has the key in its first column. Nothing here
//! knows how files are read.

use std::collections::BTreeSet;

/// What may become of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Nothing of it is used.
    Refused,
    /// Some rows are rejected; the others say what they say in the good file, and nobody is missing.
    Rejected,
    /// It says exactly what the good file says.
    Same,
    /// Nothing in the file shows that it is not the truth: it takes the last list of this sender to see it.
    NeedsLastList,
}

use Fate::{NeedsLastList, Refused, Rejected, Same};

/// A broken copy of a good file.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// What may become of it, any of these.
    pub(crate) may: &'static [Fate],
}

/// A good file, taken apart.
pub(crate) struct Good<'g> {
    text: &'g str,
    rows: Vec<Vec<&'g str>>,
}

impl<'g> Good<'g> {
    pub(crate) fn new(text: &'g str) -> Self {
        assert!(!text.contains(['"', '\r']) && text.ends_with('\n'), "no good file of the plain kind");
        Self { text, rows: text.lines().map(|line| line.split(',').collect()).collect() }
    }

    /// The file cut at every byte of its last `reach` bytes.
    pub(crate) fn cuts(&self, reach: usize) -> Vec<Mutant> {
        let bytes = self.text.as_bytes();
        let cut = |end: usize| {
            let may: &[Fate] = match bytes[end - 1] {
                _ if end + 1 == bytes.len() => &[Same],
                b'\n' => &[NeedsLastList],
                _ if bytes[end] == b'\n' => &[NeedsLastList],
                _ => &[Refused, NeedsLastList],
            };
            mutant(format!("cut at byte {end}"), &bytes[..end], may)
        };
        (bytes.len().saturating_sub(reach).max(1)..bytes.len()).map(cut).collect()
    }

    /// The file with every field in quotes, cut likewise.
    pub(crate) fn quoted_cuts(&self, reach: usize) -> Vec<Mutant> {
        let text = self.written(|rows| rows, ',', true, "\r\n");
        let bytes = text.as_bytes();
        let cut = |end: usize| {
            let may: &[Fate] = match (&bytes[..end], &bytes[end..]) {
                (_, [b'\r', b'\n']) => &[Same],
                (_, [b'\n']) => &[Refused],
                ([.., b'\n'], _) | (_, [b'\r', ..]) => &[NeedsLastList],
                _ => &[Refused, NeedsLastList],
            };
            mutant(format!("in quotes, cut at byte {end}"), &bytes[..end], may)
        };
        (bytes.len().saturating_sub(reach).max(1)..bytes.len()).map(cut).collect()
    }

    /// Everything else.
    pub(crate) fn others(&self) -> Vec<Mutant> {
        let mut all = self.line_ends();
        all.extend(self.marks_and_encodings());
        all.extend(self.delimiters());
        all.extend(self.shifted());
        all.extend(self.keys());
        all.extend(self.holes());
        all.extend(self.partial_rows());
        all.extend(self.whole_rows());
        let names: BTreeSet<&str> = all.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(names.len(), all.len(), "two mutants of one name");
        all
    }

    fn line_ends(&self) -> Vec<Mutant> {
        let text = self.text;
        let mixed: String = text
            .lines()
            .enumerate()
            .map(|(at, line)| line.to_owned() + if at % 3 == 0 { "\r\n" } else { "\n" })
            .collect();
        let middle = self.line_start(self.rows.len() / 2);
        vec![
            mutant("CR LF", text.replace('\n', "\r\n"), &[Same]),
            mutant("CR", text.replace('\n', "\r"), &[Same]),
            mutant("LF CR", text.replace('\n', "\n\r"), &[Same]),
            mutant("CR CR LF", text.replace('\n', "\r\r\n"), &[Same]),
            mutant("mixed line ends", mixed, &[Same]),
            mutant("an empty line after each", text.replace('\n', "\n\n"), &[Same]),
            mutant("empty lines at the end", format!("{text}\n\n  \n"), &[Same]),
            mutant("no line end at the end", text.trim_end(), &[Same]),
            mutant("half a line end at the end", text.replace('\n', "\r\n").trim_end_matches('\n'), &[Refused]),
            mutant("one line end lost", [&text[..middle - 1], &text[middle..]].concat(), &[Rejected, Refused]),
            mutant("all line ends lost", text.replace('\n', ""), &[Refused]),
            mutant("all line ends are spaces", text.replace('\n', " "), &[Refused]),
            mutant("a line separator of Unicode", text.replace('\n', "\u{2028}"), &[Refused]),
        ]
    }

    fn marks_and_encodings(&self) -> Vec<Mutant> {
        let text = self.text;
        let little = |mark: &str| utf16(&[mark, text].concat(), u16::to_le_bytes);
        let big = |mark: &str| utf16(&[mark, text].concat(), u16::to_be_bytes);
        let latin = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect::<Vec<u8>>();
        let middle = self.line_start(self.rows.len() / 2);
        let mut all = vec![
            mutant("marked UTF-8", format!("\u{FEFF}{text}"), &[Same]),
            mutant("marked twice", format!("\u{FEFF}\u{FEFF}{text}"), &[Same]),
            mutant("marked in the middle", [&text[..middle], "\u{FEFF}", &text[middle..]].concat(), &[Same]),
            mutant("marked in quotes", format!("\u{FEFF}\"{}", text.replacen(',', "\",", 1)), &[Same]),
            mutant("half a mark", [&b"\xEF\xBB"[..], text.as_bytes()].concat(), &[Refused]),
            mutant("the mark of UTF-16 before UTF-8", [&b"\xFF\xFE"[..], text.as_bytes()].concat(), &[Refused]),
            mutant("the mark as Windows shows it", format!("ï»¿{text}"), &[Refused]),
            mutant("UTF-16LE", little("\u{FEFF}"), &[Same]),
            mutant("UTF-16BE", big("\u{FEFF}"), &[Same]),
            mutant("UTF-16LE without mark", little(""), &[Refused]),
            mutant("UTF-16BE without mark", big(""), &[Refused]),
            mutant(
                "UTF-16LE without its last byte",
                &little("\u{FEFF}")[..=2 * text.encode_utf16().count()],
                &[Refused],
            ),
            mutant("UTF-32", text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>(), &[Refused]),
            mutant("Latin-1", latin(text), &[Refused]),
            mutant("encoded twice", latin_of_utf8(text), &[NeedsLastList]),
            mutant("decomposed", decomposed(text), &[Same]),
        ];
        for (at, row) in self.some_rows(12) {
            let start = self.line_start(at) + row[0].len() + 1;
            let bytes = [&text.as_bytes()[..start], b"J\xF6rg", &text.as_bytes()[start..]].concat();
            all.push(mutant(format!("a Latin-1 letter in row {at}"), bytes, &[Refused]));
        }
        all
    }

    fn delimiters(&self) -> Vec<Mutant> {
        let mut all = Vec::new();
        for (name, delimiter) in [("semicolon", ';'), ("tab", '\t'), ("pipe", '|')] {
            let header = self.line_start(1);
            let other = self.text.replace(',', &delimiter.to_string());
            all.extend([
                mutant(format!("{name} as delimiter"), self.written(|rows| rows, delimiter, false, "\n"), &[Same]),
                mutant(format!("{name}, announced"), format!("sep={delimiter}\r\n{other}"), &[Same]),
                mutant(format!("{name}, in quotes"), self.written(|rows| rows, delimiter, true, "\n"), &[Same]),
                mutant(
                    format!("{name} in the header alone"),
                    [&other[..header], &self.text[header..]].concat(),
                    &[Refused],
                ),
                mutant(
                    format!("{name} in the rows alone"),
                    [&self.text[..header], &other[header..]].concat(),
                    &[Refused],
                ),
            ]);
            for (at, _) in self.some_rows(6) {
                let (start, end) = (self.line_start(at), self.line_start(at + 1));
                let text = [&self.text[..start], &other[start..end], &self.text[end..]].concat();
                all.push(mutant(format!("{name} in row {at}"), text, &[Rejected, Refused]));
            }
        }
        let comma = |rows: Vec<Vec<String>>| rows.into_iter().map(with(String::new())).collect();
        all.push(mutant("a comma more at the end of each line", self.changed(comma), &[Same]));
        all.push(mutant("all in quotes", self.written(|rows| rows, ',', true, "\n"), &[Same]));
        all.push(mutant("spaces around commas", self.text.replace(',', " , "), &[Same]));
        all
    }

    /// Columns that stand where others should: each for some columns.
    fn shifted(&self) -> Vec<Mutant> {
        let columns = self.rows[0].len();
        let mut all = Vec::new();
        for at in 0..columns {
            let name = self.rows[0][at];
            let without = move |mut row: Vec<String>| {
                row.remove(at);
                row
            };
            all.extend([
                mutant(format!("{name} without its name"), self.head(without), &[Refused, Rejected]),
                mutant(format!("{name} without its values"), self.tail(without), &[Refused]),
                mutant(format!("{name} gone"), self.each(without), &[Refused, NeedsLastList]),
                mutant(
                    format!("{name} blank"),
                    self.tail(move |row| at_place(row, at, "")),
                    &[Rejected, NeedsLastList],
                ),
                mutant(
                    format!("{name} twice"),
                    self.each(move |mut row| {
                        row.push(row[at].clone());
                        row
                    }),
                    &[Refused],
                ),
                mutant(
                    format!("{name} under no name"),
                    self.head(move |row| at_place(row, at, "")),
                    &[Refused, NeedsLastList],
                ),
                mutant(
                    format!("{name} one further right"),
                    self.tail(move |mut row| {
                        row.insert(at, String::new());
                        row
                    }),
                    &[Rejected, Refused],
                ),
            ]);
            if at + 1 < columns {
                let swapped = move |mut row: Vec<String>| {
                    row.swap(at, at + 1);
                    row
                };
                let next = self.rows[0][at + 1];
                all.extend([
                    mutant(
                        format!("{name} and {next} swapped in the header"),
                        self.head(swapped),
                        &[Rejected, NeedsLastList],
                    ),
                    mutant(format!("{name} and {next} swapped throughout"), self.each(swapped), &[Same]),
                ]);
            }
        }
        let rotated = |mut row: Vec<String>| {
            row.rotate_left(1);
            row
        };
        all.push(mutant("columns turned by one in the rows", self.tail(rotated), &[Rejected, NeedsLastList]));
        all.push(mutant("columns turned by one throughout", self.each(rotated), &[Same]));
        all.push(mutant("a new column", self.each(with("x".to_owned())), &[Refused, Same]));
        all.push(mutant(
            "the header in capitals",
            self.head(|row| row.into_iter().map(|name| name.to_uppercase()).collect()),
            &[Same, NeedsLastList],
        ));
        all.push(mutant(
            "the header in other words",
            self.head(|row| row.into_iter().map(|name| format!("x{name}")).collect()),
            &[Refused],
        ));
        all.push(mutant("no header", &self.text[self.line_start(1)..], &[Refused]));
        all
    }

    fn keys(&self) -> Vec<Mutant> {
        let mut all = vec![
            mutant("zeros lost", self.keyed(|key| key.trim_start_matches('0').to_owned()), &[Rejected]),
            mutant("zeros more", self.keyed(|key| format!("00{key}")), &[Rejected]),
            mutant("keys as numbers with a point", self.keyed(|key| format!("{key}.0")), &[Rejected]),
            mutant("keys in scientific notation", self.keyed(|key| format!("1.{key}E+05")), &[Rejected]),
            mutant("keys as formulas", self.keyed(|key| format!("\"=\"\"{key}\"\"\"")), &[Rejected]),
            mutant("keys after an apostrophe", self.keyed(|key| format!("'{key}")), &[Rejected]),
            mutant("keys with spaces", self.keyed(|key| format!("\u{A0} {key}\t ")), &[Same, Rejected]),
            mutant("one key for all", self.keyed(|_| "000001".to_owned()), &[Rejected]),
            mutant("no keys", self.keyed(|_| String::new()), &[Rejected]),
        ];
        let other = self.rows[1][0].to_owned();
        for (at, row) in self.some_rows(15) {
            let key = row[0];
            let lost = key.trim_start_matches('0').to_owned();
            all.extend([
                mutant(
                    format!("zeros lost in row {at}"),
                    self.in_row(at, move |row| at_place(row, 0, &lost)),
                    &[Rejected],
                ),
                mutant(format!("no key in row {at}"), self.in_row(at, |row| at_place(row, 0, "")), &[Rejected]),
                mutant(
                    format!("another's key in row {at}"),
                    self.in_row(at, |row| at_place(row, 0, &other)),
                    &[Rejected, Same],
                ),
                mutant(
                    format!("row {at} twice"),
                    self.changed(|mut rows| {
                        rows.push(rows[at].clone());
                        rows
                    }),
                    &[Same],
                ),
                mutant(
                    format!("row {at} twice and different"),
                    self.changed(|mut rows| {
                        let mut row = rows[at].clone();
                        row[1].push('x');
                        rows.push(row);
                        rows
                    }),
                    &[Rejected],
                ),
            ]);
        }
        all
    }

    /// Zero bytes: one, many, and instead of the end.
    fn holes(&self) -> Vec<Mutant> {
        let bytes = self.text.as_bytes();
        let mut all = vec![
            mutant("zero bytes after the end", [bytes, &[0; 4096]].concat(), &[Refused]),
            mutant("zero bytes alone", vec![0; bytes.len()], &[Refused]),
            mutant("zero bytes before the start", [&[0; 4096], bytes].concat(), &[Refused]),
            mutant("a zero byte after the end", [bytes, &[0]].concat(), &[Refused]),
            mutant("the end of DOS", [bytes, &[0x1A]].concat(), &[Refused]),
        ];
        for (at, row) in self.some_rows(20) {
            let start = self.line_start(at);
            let one = [&bytes[..=start + row[0].len()], &[0], &bytes[start + row[0].len() + 1..]].concat();
            let in_key = [&bytes[..=start], &[0], &bytes[start + 1..]].concat();
            let mut hole = bytes.to_vec();
            let end = bytes.len().min(start + 512);
            hole[start..end].fill(0);
            all.extend([
                mutant(format!("a zero byte in row {at}"), one, &[Rejected]),
                mutant(format!("a zero byte in the key of row {at}"), in_key, &[Rejected]),
                mutant(format!("a hole of zero bytes from row {at}"), hole, &[Refused]),
            ]);
        }
        all
    }

    fn partial_rows(&self) -> Vec<Mutant> {
        let mut all = Vec::new();
        for (at, row) in self.some_rows(12) {
            let fields = row.len();
            for left in [1, fields / 2, fields - 1] {
                let text = self.in_row(at, |row| row[..left].to_vec());
                all.push(mutant(format!("{left} fields of row {at}"), text, &[Rejected, Refused]));
            }
            let start = self.line_start(at);
            let second = start + row[0].len() + 1;
            let inside = second + row[1].chars().next().map_or(0, char::len_utf8);
            let insert = |place: usize, what: &str| [&self.text[..place], what, &self.text[place..]].concat();
            all.extend([
                mutant(format!("an open quote in row {at}"), insert(second, "\""), &[Refused, Rejected]),
                mutant(format!("an open quote before row {at}"), insert(start, "\""), &[Refused]),
                mutant(format!("a quote inside row {at}"), insert(inside, "\""), &[NeedsLastList]),
                mutant(format!("a line end inside row {at}"), insert(inside, "\n"), &[Rejected, Refused]),
                mutant(format!("a comma more in row {at}"), insert(inside, ","), &[Rejected]),
                mutant(format!("a bell in row {at}"), insert(inside, "\u{7}"), &[Rejected]),
                mutant(format!("noise before row {at}"), insert(start, "%$!\n"), &[Rejected, Refused]),
                mutant(format!("the header before row {at}"), insert(start, &self.text[..self.line_start(1)]), &[Same]),
                mutant(
                    format!("an error of a spreadsheet in row {at}"),
                    self.in_row(at, |row| at_place(row, 2, "#REF!")),
                    &[Rejected],
                ),
                mutant(
                    format!("a long value in row {at}"),
                    self.in_row(at, |row| at_place(row, 2, &"x".repeat(20_000))),
                    &[Rejected],
                ),
                mutant(
                    format!("a huge value in row {at}"),
                    self.in_row(at, |row| at_place(row, 2, &"x".repeat(2_000_000))),
                    &[Refused],
                ),
            ]);
        }
        all
    }

    /// Whole rows more, less, or elsewhere.
    fn whole_rows(&self) -> Vec<Mutant> {
        let text = self.text;
        let header = &text[..self.line_start(1)];
        let middle = self.line_start(self.rows.len() / 2);
        let reversed = |rows: Vec<Vec<String>>| {
            let mut rows = rows;
            rows[1..].reverse();
            rows
        };
        vec![
            mutant("the last row first", self.changed(reversed), &[Same]),
            mutant("the file twice", text.repeat(2), &[Same]),
            mutant("the second half alone", &text[middle..], &[Refused]),
            mutant("the second half first", [header, &text[middle..], &text[header.len()..middle]].concat(), &[Same]),
            mutant("the second half again", [text, &text[middle..]].concat(), &[Same]),
            mutant("the first half alone", &text[..middle], &[NeedsLastList]),
            mutant("the header alone", header, &[Refused]),
            mutant("half of the header", &header[..header.len() / 2], &[Refused]),
            mutant("nothing", "", &[Refused]),
            mutant("a mark alone", "\u{FEFF}", &[Refused]),
            mutant("a line end alone", "\n", &[Refused]),
            mutant("a title", format!("All people\nas of today\n\n{text}"), &[Same]),
            mutant("a long preface", format!("{}{text}", "words\n".repeat(50)), &[Refused]),
            mutant("a total nobody announced", format!("{text}Total,{}\n", self.rows.len() - 1), &[Refused]),
            mutant("a web page after it", format!("{text}<html><body>504</body></html>\n"), &[Refused]),
            mutant("a web page instead", "<html><body>504 Gateway Timeout</body></html>", &[Refused]),
            mutant("JSON instead", "{\"error\": \"busy\"}", &[Refused]),
            mutant("a workbook instead", [b"PK\x03\x04", text.as_bytes()].concat(), &[Refused]),
            mutant("packed", [b"\x1F\x8B\x08\0", text.as_bytes()].concat(), &[Refused]),
        ]
    }

    /// Where a line begins in the text; its end for the line after the last.
    fn line_start(&self, line: usize) -> usize {
        self.text.lines().take(line).map(|line| line.len() + 1).sum()
    }

    /// Rows all over the file: the first, the last and others at equal distances, each with its place.
    fn some_rows(&self, count: usize) -> impl Iterator<Item = (usize, &Vec<&'g str>)> {
        let last = self.rows.len() - 1;
        let places: BTreeSet<usize> = (0..count).map(|nth| 1 + (last - 1) * nth / (count - 1)).collect();
        places.into_iter().map(|at| (at, &self.rows[at]))
    }

    fn written(
        &self,
        change: impl FnOnce(Vec<Vec<String>>) -> Vec<Vec<String>>,
        delimiter: char,
        quoted: bool,
        end: &str,
    ) -> String {
        let rows = self.rows.iter().map(|row| row.iter().map(|field| (*field).to_owned()).collect()).collect();
        let mut text = String::new();
        for row in change(rows) {
            for (at, field) in row.iter().enumerate() {
                if at > 0 {
                    text.push(delimiter);
                }
                if quoted {
                    text.push('"');
                }
                text.push_str(field);
                if quoted {
                    text.push('"');
                }
            }
            text.push_str(end);
        }
        text
    }

    fn changed(&self, change: impl FnOnce(Vec<Vec<String>>) -> Vec<Vec<String>>) -> String {
        self.written(change, ',', false, "\n")
    }

    fn each(&self, change: impl Fn(Vec<String>) -> Vec<String>) -> String {
        self.changed(|rows| rows.into_iter().map(change).collect())
    }

    fn head(&self, change: impl FnOnce(Vec<String>) -> Vec<String>) -> String {
        self.in_row(0, change)
    }

    fn tail(&self, change: impl Fn(Vec<String>) -> Vec<String>) -> String {
        let mut first = true;
        self.changed(|rows| {
            let change = |row| if std::mem::take(&mut first) { row } else { change(row) };
            rows.into_iter().map(change).collect()
        })
    }

    fn in_row(&self, at: usize, change: impl FnOnce(Vec<String>) -> Vec<String>) -> String {
        self.changed(|mut rows| {
            rows[at] = change(std::mem::take(&mut rows[at]));
            rows
        })
    }

    fn keyed(&self, change: impl Fn(&str) -> String) -> String {
        self.tail(|row| {
            let key = change(&row[0]);
            at_place(row, 0, &key)
        })
    }
}

fn mutant(name: impl Into<String>, bytes: impl AsRef<[u8]>, may: &'static [Fate]) -> Mutant {
    Mutant { name: name.into(), bytes: bytes.as_ref().to_vec(), may }
}

fn at_place(mut row: Vec<String>, at: usize, value: &str) -> Vec<String> {
    value.clone_into(&mut row[at]);
    row
}

fn with(value: String) -> impl Fn(Vec<String>) -> Vec<String> {
    move |mut row| {
        row.push(value.clone());
        row
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// The bytes of UTF-8 read as Latin-1 and written as UTF-8 again.
fn latin_of_utf8(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

/// The letters of some languages as a letter and a mark.
fn decomposed(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            'ö' => vec!['o', '\u{308}'],
            'ü' => vec!['u', '\u{308}'],
            'é' => vec!['e', '\u{301}'],
            'ñ' => vec!['n', '\u{303}'],
            'č' => vec!['c', '\u{30C}'],
            other => vec![other],
        })
        .collect()
}
