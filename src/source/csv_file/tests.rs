//! The reader on files as senders make them, and on noise.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write as _},
    path::PathBuf,
};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::source::LineEnd;

mod ends;
mod mutations;
mod repaired;

type Outcome = (Vec<Row>, Result<Read, Why>);

fn read_bytes<R: Bytes + Seek>(input: R, options: &Value) -> Outcome {
    read_by(input, &Settings::new(options).unwrap())
}

fn read_by<R: Bytes + Seek>(input: R, settings: &Settings) -> Outcome {
    let system = SystemName::from("hr");
    let reading = Reading { shown_as: Arc::from("people.csv"), system: &system, settings };
    let mut rows = Vec::new();
    let result = reading.read(input, &mut |row| rows.push(row));
    (rows, result)
}

fn read_text(text: impl AsRef<[u8]>, options: &Value) -> Outcome {
    read_bytes(Cursor::new(text.as_ref()), options)
}

fn by_id() -> Value {
    json!({ "key": "id" })
}

/// What was read, a line for each row: the fields, or the code.
fn told(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .map(|row| match row {
            Row::Record(record) => {
                format!("{}: {}", record.origin.line, record.fields.iter().collect::<Vec<_>>().join("|"))
            }
            Row::Rejected { key, rejected, .. } => format!(
                "{}: {} {} {}",
                rejected.line,
                rejected.code,
                rejected.column.as_deref().unwrap_or("-"),
                key.as_deref().unwrap_or("?")
            ),
        })
        .collect()
}

fn refused(text: impl AsRef<[u8]>, options: &Value) -> String {
    let (rows, result) = read_text(text, options);
    assert_eq!(rows, [], "a refused file says nothing");
    result.unwrap_err().to_string()
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from("tests/samples/hr").join(name)).unwrap()
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&sample(name)).unwrap()
}

fn record(row: &Row) -> &Record {
    match row {
        Row::Record(record) => record,
        Row::Rejected { rejected, .. } => panic!("rejected: {rejected:?}"),
    }
}

/// Checks the first and the last record of a sample, and how many there are.
fn check_format(name: &str, options: &Value, fields: &[&str], count: impl Fn(&Record) -> bool) -> Read {
    let (rows, read) = read_text(sample(name), options);
    let read = read.unwrap();
    let format = &expected("formats.expected.json")[name];
    let people: Vec<&Record> = rows.iter().map(record).filter(|record| count(record)).collect();
    assert_eq!(people.len() as u64, format["data_rows"].as_u64().unwrap());
    for (end, person) in [("first", people[0]), ("last", people[people.len() - 1])] {
        for field in fields {
            assert_eq!(person.field(field), format[end][field].as_str(), "{name}: {field} of the {end}");
        }
    }
    read
}

#[test]
fn a_clean_export_is_read_as_it_is() {
    let fields =
        ["employee_id", "first_name", "last_name", "email", "status", "hire_date", "termination_date", "manager_id"];
    let read = check_format("people-1k.csv", &json!({ "key": "employee_id" }), &fields, |_| true);
    assert_eq!((read.records, read.rejected, read.final_line_end), (1000, 0, true));
    assert_eq!(read.sha256.len(), 64);
    assert_eq!(read.notes, ["encoding UTF-8 (no mark, and valid throughout)", "delimiter `,` (told by the header)"]);
}

#[test]
fn an_export_with_titles_a_total_and_windows_1252_is_read() {
    let options = json!({ "key": "employee_id", "encoding": "windows-1252", "skip": ["Total"], "columns": {
        "employee_id": ["Employee ID"], "first_name": ["Legal Name - First Name"],
        "last_name": ["Legal Name - Last Name"], "email": ["email - work"], "hire_date": ["Hire Date"],
        "termination_date": ["Termination Date"], "manager_id": ["Manager - Employee ID"] } });
    let fields = ["employee_id", "first_name", "last_name", "email", "termination_date", "manager_id"];
    let read = check_format("workday-like-semicolon-cp1252.csv", &options, &fields, |_| true);
    assert_eq!((read.records, read.rejected), (300, 0));
    assert_eq!(
        read.notes[..3],
        [
            "encoding windows-1252 (as configured)",
            "delimiter `;` (told by the header)",
            "header in line 4; what stands above it was passed over",
        ]
    );
}

#[test]
fn windows_1252_that_nobody_configured_is_refused_by_line_and_name() {
    let why = read_text(sample("workday-like-semicolon-cp1252.csv"), &json!({ "key": "Employee ID" })).1.unwrap_err();
    let Why::Undecodable { line, mostly_utf8, likely } = why else { panic!("{why}") };
    assert_eq!((line, mostly_utf8, likely), (5, false, &["windows-1252", "iso-8859-15"][..]));
}

#[test]
fn a_spreadsheets_unicode_text_is_read() {
    let options = json!({ "key": "employee_id", "columns": {
        "employee_id": ["Personalnummer"], "first_name": ["Vorname"], "last_name": ["Nachname"], "email": ["E-Mail"] } });
    let fields = ["first_name", "last_name", "email"];
    let read = check_format("excel-utf16le-tab.csv", &options, &fields, |_| true);
    assert_eq!(read.notes[..2], ["encoding UTF-16LE (as its mark says)", "delimiter tab (told by the header)"]);
    let damage = expected("excel-utf16le-tab.expected.json");
    let lost = damage["rows"].as_array().unwrap().iter().filter(|cell| cell["lost"] == true);
    let lost: Vec<&Value> = lost.collect();
    assert!(lost.iter().all(|cell| cell["column"] == "Kartennummer"));
    let note =
        format!("numbers in `Kartennummer` that a spreadsheet has shortened, digits are lost: {} values", lost.len());
    assert!(read.notes.contains(&note), "{note} in {:?}", read.notes);
}

#[test]
fn lost_zeros_break_the_id_pattern() {
    let options = json!({ "key": "Personalnummer", "id_pattern": "[0-9]{8}" });
    let (rows, read) = read_text(sample("excel-utf16le-tab.csv"), &options);
    let read = read.unwrap();
    assert_eq!((read.records, read.rejected), (0, 200));
    assert_eq!(told(&rows[..1]), ["2: bad_id Personalnummer ?"]);
}

#[test]
fn an_export_with_labels_and_line_breaks_is_read() {
    let options = json!({ "key": "employee_id", "header_rows": 2, "placeholders": ["NO_MANAGER", "NO_HR"], "columns": {
        "employee_id": ["USERID"], "first_name": ["FIRSTNAME"], "last_name": ["LASTNAME"], "manager_id": ["MANAGER"] } });
    let name = "sap-like-bom-quotes-newlines.csv";
    let read = check_format(name, &options, &["employee_id", "first_name", "last_name", "manager_id"], |_| true);
    assert_eq!((read.records, read.rejected), (250, 0));

    let (rows, _) = read_text(sample(name), &options);
    let broken = rows.iter().map(record).filter(|record| record.field("ADDR1").unwrap().contains('\n'));
    let broken: Vec<&str> = broken.map(|record| record.field("employee_id").unwrap()).collect();
    assert_eq!(json!(broken), expected("formats.expected.json")[name]["ids_with_line_breaks"]);
}

#[test]
fn a_label_line_nobody_announced_is_rejected_and_no_person() {
    let options = json!({ "key": "USERID" });
    let (rows, read) = read_text(sample("sap-like-bom-quotes-newlines.csv"), &options);
    assert_eq!(read.unwrap().rejected, 1);
    assert_eq!(told(&rows[..1]), ["2: header_again USERID ?"]);
}

/// What a reader cannot know: dates, states, addresses and what other people's rows say.
const FOR_RULES: &[&str] = &[
    "email_invalid",
    "email_conflict",
    "date_invalid",
    "date_ambiguous",
    "date_serial",
    "date_order",
    "status_unknown",
];

#[test]
fn every_defect_of_the_dirty_file_that_concerns_reading_is_treated_as_expected() {
    let whole = sample("dirty.csv");
    let cut = whole.iter().rposition(|byte| *byte == b'\n').unwrap();
    let options = json!({ "key": "employee_id", "encoding": "utf-8", "id_pattern": "[0-9]{6}", "skip": ["Total"],
        "placeholders": ["NULL", "-"] });
    let (rows, read) = read_text(&whole[..=cut], &options);
    read.unwrap();
    let by_line: BTreeMap<u64, &Row> = rows
        .iter()
        .map(|row| match row {
            Row::Record(record) => (record.origin.line, row),
            Row::Rejected { rejected, .. } => (rejected.line, row),
        })
        .collect();
    let expected = expected("dirty.expected.json");
    let mut faults = Vec::new();
    for entry in expected["rows"].as_array().unwrap() {
        let defect = entry["defect"].as_str().unwrap_or("none");
        let line = entry["line"].as_u64().unwrap();
        if FOR_RULES.contains(&defect) || defect == "truncated" {
            continue;
        }
        let row = by_line.get(&line);
        let also = entry["also_ok"].as_array().into_iter().flatten();
        let fine: BTreeSet<&str> = also
            .chain([&entry["action"]])
            .filter_map(Value::as_str)
            .map(|action| if action == "fix" { "accept" } else { action })
            .collect();
        let done = match row {
            None => "skip",
            Some(Row::Rejected { .. }) => "reject",
            Some(Row::Record(_)) => "accept",
        };
        if !fine.contains(done) {
            faults.push(format!("{line} {defect}: {done}, expected {fine:?}"));
        }
        if let (Some(Row::Record(record)), Some(fixed)) = (row, entry["fixed"].as_object()) {
            for (field, value) in fixed {
                assert_eq!(record.field(field), value.as_str(), "{line} {defect}");
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_file_that_ends_inside_quotes_is_refused() {
    let options = json!({ "key": "employee_id", "encoding": "utf-8" });
    assert_eq!(
        refused(sample("dirty.csv"), &options),
        "the record that begins in line 62 never ends: its quote is not closed"
    );
}

#[test]
fn a_good_file_cut_anywhere_in_its_last_rows_is_refused_or_misses_only_a_tail() {
    let good = b"id,name,mail\n1,Ada,a@example.com\n2,\"Bo\",b@example.com\n3,Cy,\"c@example.com\"\n";
    let start = good.iter().position(|byte| *byte == b'2').unwrap();
    for end in start..good.len() {
        let (rows, result) = read_text(&good[..end], &by_id());
        match result {
            Err(Why::UnclosedQuote { .. } | Why::CutOff { .. }) => assert_eq!(rows, []),
            Err(why) => panic!("cut at {end}: {why}"),
            // A cut at the end of a line cannot be seen; one within the last field shows by the missing line end.
            Ok(read) => assert!(good[end - 1] == b'\n' || !read.final_line_end, "cut at {end}"),
        }
    }
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    let rows = ["1,\"two\r\nlines\"", "", "   ", "2,b", "", "", "3,c,c"];
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("id,name{end}{}{end}", rows.join(end));
        let text = if end == "\r" { text.replace("\r\n", "\r") } else { text };
        let (rows, read) = read_text(&text, &by_id());
        let lines: Vec<u64> = rows
            .iter()
            .map(|row| match row {
                Row::Record(record) => record.origin.line,
                Row::Rejected { rejected, .. } => rejected.line,
            })
            .collect();
        assert_eq!(lines, [2, 6, 9], "line end {end:?}");
        assert_eq!(read.unwrap().rejected, if end == "\r" { 2 } else { 1 }, "a lone CR is no line break in a value");
    }
}

#[test]
fn equal_rows_count_once_and_different_rows_of_one_id_are_all_rejected() {
    let (rows, read) = read_text("id,name\n1,Ada\n2,Bo\n1, Ada \n3,Cy\n2,Bob\n", &by_id());
    assert_eq!(told(&rows), ["2: 1|Ada", "3: duplicate_id id 2", "5: 3|Cy", "6: duplicate_id id ?"]);
    let read = read.unwrap();
    assert_eq!((read.records, read.rejected), (2, 2));
    assert!(read.notes.contains(&"rows that repeat an earlier one, counted once: 1".to_owned()));
}

#[test]
fn a_row_with_the_id_of_another_may_be_anybodys_and_a_second_post_is_of_the_same_person() {
    let (rows, _) = read_text(
        "id,name,mail,unit\n1,Ada,a@example.com,x\n1,Ada,a@example.com,y\n2,Bo,b@example.com,x\n2,Cy,c@example.com,x\n",
        &by_id(),
    );
    assert_eq!(
        told(&rows),
        ["2: duplicate_id id 1", "3: duplicate_id id 1", "4: duplicate_id id 2", "5: duplicate_id id ?"]
    );
}

#[test]
fn a_broken_row_casts_doubt_on_the_other_row_of_its_id() {
    let options = json!({ "key": "id", "encoding": "utf-8" });
    let (rows, _) = read_text(b"id,name\n1,Ada\n1,J\xF6rg\n", &options);
    assert_eq!(told(&rows), ["2: duplicate_id id 1", "3: bad_encoding name 1"]);
}

#[test]
fn a_rejected_row_names_its_person_only_where_that_is_certain() {
    let options = json!({ "key": "id", "delimiter": "," });
    let text = "name,id\nAda,1\nBo,b,2\nCy\nDi\x07,4\n\"Ed\n5,5\n6,6\n\",7,7\n";
    let (rows, _) = read_text(text, &options);
    assert_eq!(
        told(&rows),
        [
            "2: Ada|1",
            "3: too_many_fields - ?",
            "4: too_few_fields - ?",
            "5: control_character name 4",
            "6: too_many_fields - ?",
        ]
    );
    let (rows, _) = read_text("id,name,mail\n1,a,b,c\n2\n3,c,\n4,d,e5,f,g\n6,h,\n", &by_id());
    assert_eq!(
        told(&rows),
        ["2: too_many_fields - 1", "3: too_few_fields - 2", "4: 3|c|", "5: too_many_fields - ?", "6: 6|h|"],
        "a key in front cannot move, but two rows may have become one"
    );
}

#[test]
fn the_header_is_known_by_its_columns_whatever_they_look_like() {
    let options = json!({ "key": "id", "columns": { "mail": ["E-Mail"] } });
    let text = "\u{FEFF}sep=;\nPeople; as of today\n\n\" ID\u{A0}\";\"e-\nmail \";Extra  Column\n1;a@example.com;x\n";
    let text = text.replace("e-\nmail", "E-MAIL");
    let (rows, read) = read_text(&text, &options);
    assert_eq!(
        record(&rows[0]).header.names().iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
        ["id", "mail", "Extra Column"]
    );
    assert_eq!(
        read.unwrap().notes[2..],
        ["header in line 4; what stands above it was passed over", "columns that are not declared: Extra Column",]
    );
}

#[test]
fn a_first_line_that_tells_the_delimiter_is_obeyed() {
    let (rows, _) = read_text("sep=^\nid^a,b\n1^x\n", &by_id());
    assert_eq!(told(&rows), ["3: 1|x"]);
}

#[test]
fn a_file_without_its_columns_is_refused_by_name() {
    let options = json!({ "key": "id", "columns": { "mail": [] } });
    let (_, result) = read_text("id;name\n1;Ada\n", &options);
    let error = FileRefused { file: "people.csv".to_owned(), why: result.unwrap_err() };
    assert_eq!(error.to_string(), "people.csv: the header in line 1 has no column `mail`");
    assert_eq!(error.hint(), "it has `id`, `name`; other names of a column can be given in `columns`");

    assert_eq!(
        refused("Ada;1\nBo;2\n", &options),
        "no header was found in the first 20 lines: no line holds the column `id`"
    );
    assert_eq!(refused("id,mail,ID\n1,a,2\n", &options), "the header in line 1 names the column `id` twice");
    assert_eq!(refused("id,mail,x,X\n1,a,2,3\n", &options), "the header in line 1 names the column `X` twice");
}

#[test]
fn nothing_is_never_everybody_gone() {
    assert_eq!(refused("", &by_id()), "the file is empty");
    assert_eq!(refused("\u{FEFF}", &by_id()), "the file is empty");
    assert_eq!(refused("\n\n", &by_id()), "the file is empty");
    assert_eq!(refused("id,name\n", &by_id()), "there is a header and no row below it");
    assert_eq!(refused("id,name\n,\n\n", &by_id()), "there is a header and no row below it");
}

#[test]
fn sizes_beyond_the_limits_are_refused_or_rejected() {
    let limit = |limits: Value| json!({ "key": "id", "limits": limits });
    let (rows, _) = read_text("id,name\n1,abcdef\n2,abc\n", &limit(json!({ "field": 5 })));
    assert_eq!(told(&rows), ["2: field_too_long name 1", "3: 2|abc"]);
    assert_eq!(refused("id\n1\n2\n3\n", &limit(json!({ "rows": 2 }))), "there are more than 2 rows");
    assert_eq!(refused("id\n1\n2\n3\n", &limit(json!({ "file": 5 }))), "the file has 9 bytes; the limit is 5");
    assert_eq!(
        refused("id,a,b\n1,2,3\n1,2,3,4,5,6\n", &limit(json!({ "columns": 5 }))),
        "line 3 has more than 5 columns"
    );
    let holes = [b"id,name\n1,Ada\n2,".as_slice(), &[0; 500]].concat();
    assert_eq!(
        refused(holes, &by_id()),
        "there is a long run of zero bytes in line 3: the file was not written completely"
    );
}

/// A file of endless length, that counts what is asked of it.
struct Endless {
    start: &'static [u8],
    at: u64,
    given: u64,
}

impl Bytes for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for (byte, at) in buffer.iter_mut().zip(self.at..) {
            *byte = usize::try_from(at).ok().and_then(|at| self.start.get(at)).copied().unwrap_or(b'x');
        }
        self.at += buffer.len() as u64;
        self.given += buffer.len() as u64;
        assert!(self.given < 64 << 20, "it reads on and on");
        Ok(buffer.len())
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) => self.at = at,
            SeekFrom::End(_) => return Ok(2 << 30),
            SeekFrom::Current(_) => {}
        }
        Ok(self.at)
    }
}

#[test]
fn a_field_or_a_quote_without_end_stops_at_the_limit() {
    for start in ["id,name\n1,Ada\n2,", "id,name\n1,Ada\n2,\"", "id,name\n1,Ada\n2,\"\n"] {
        let (rows, result) = read_bytes(Endless { start: start.as_bytes(), at: 0, given: 0 }, &by_id());
        assert_eq!(rows, []);
        assert_eq!(result.unwrap_err().to_string(), "the record that begins in line 3 is larger than 1048576 bytes");
    }
}

/// A list that is made while it is read: a header and rows of one length.
struct Generated {
    rows: u64,
    at: u64,
}

impl Generated {
    const WIDTH: u64 = 17;

    fn line(&self, number: u64) -> String {
        match number {
            0 => format!("{:<9},name  \n", "id"),
            number if number <= self.rows => format!("{number:09},A name\n"),
            _ => String::new(),
        }
    }
}

impl Bytes for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let line = self.line(self.at / Self::WIDTH);
            let rest = line.as_bytes().get(usize::try_from(self.at % Self::WIDTH).unwrap()..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let count = rest.len().min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
            self.at += count as u64;
        }
        Ok(filled)
    }
}

impl Seek for Generated {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) => self.at = at,
            SeekFrom::End(_) => return Ok((self.rows + 1) * Self::WIDTH),
            SeekFrom::Current(_) => {}
        }
        Ok(self.at)
    }
}

#[test]
fn a_long_list_is_handed_on_row_by_row_and_never_held() {
    let settings = Settings::new(&by_id()).unwrap();
    let system = SystemName::from("hr");
    let reading = Reading { shown_as: Arc::from("people.csv"), system: &system, settings: &settings };
    let (mut rows, mut held) = (0_u64, None);
    let read = reading.read(Generated { rows: 100_000, at: 0 }, &mut |row| {
        // The row before this one is gone: nobody else has kept it.
        if let Some(Row::Record(before)) = held.replace(row) {
            assert!(!before.fields.is_shared());
        }
        rows += 1;
    });
    let read = read.unwrap();
    assert_eq!((rows, read.records, read.rejected, read.last_line), (100_000, 100_000, 0, 100_001));
}

#[test]
fn a_file_is_named_as_the_user_named_it_and_a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    std::fs::File::create(&file).unwrap().write_all(b"id\n007\n").unwrap();
    let settings = Settings::new(&by_id()).unwrap();
    let hr = SystemName::from("hr");
    let mut rows = Vec::new();
    let read = super::read(&file, "drop/people.csv", &hr, &settings, &mut |row| rows.push(row)).unwrap();
    assert_eq!(read.sha256, "ceadebbd05629ba2b757ea5c09fbe5f24b315ac9794867a041cd1e464856e28e");
    assert_eq!(record(&rows[0]).origin.to_string(), "drop/people.csv:2");

    let error = super::read(folder.path(), "drop", &hr, &settings, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "drop: this is no regular file");
    let error = super::read(&folder.path().join("no.csv"), "no.csv", &hr, &settings, &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("no.csv: the file cannot be read: "), "{error}");
}

#[test]
fn a_value_that_looks_like_a_header_with_another_delimiter_is_a_value() {
    let (rows, result) = read_text("id,name\n000,;ID;\n001,a;b\n", &by_id());
    assert_eq!(result.unwrap().records, 2);
    assert_eq!(record(&rows[0]).fields.get(1), Some(";ID;"));
}

/// Text that is nearly CSV, so that noise reaches the far corners.
fn nearly_csv() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"id,name\n".to_vec()),
        Just(b"id;name\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"\"\"".to_vec()),
        Just(b",".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just(b"\xFF\xFE".to_vec()),
        Just(b"sep=;\n".to_vec()),
        "[a-z0-9 ]{0,6}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn noise_is_refused_or_read_and_counted(
        bytes in nearly_csv(),
        encoding in prop::sample::select(vec![None, Some("utf-8"), Some("windows-1252"), Some("utf-16le"), Some("shift_jis")]),
        rows in 1..3_u64,
    ) {
        let mut options = json!({ "key": "id", "header_rows": rows, "limits": { "record": 40, "columns": 6, "field": 10 } });
        if let Some(encoding) = encoding {
            options["encoding"] = json!(encoding);
        }
        let (rows, result) = read_text(&bytes, &options);
        match result {
            Err(_) => prop_assert_eq!(rows, vec![]),
            Ok(read) => {
                let records = rows.iter().filter(|row| matches!(row, Row::Record(_))).count() as u64;
                prop_assert_eq!((read.records, read.rejected), (records, rows.len() as u64 - records));
            }
        }
    }

    #[test]
    fn what_the_csv_library_writes_is_read_as_it_was(
        names in prop::collection::vec("[a-zA-Zäß\"',; \n]{0,12}", 1..20),
        crlf in any::<bool>(),
    ) {
        // A value that names the key between three or more other fields is a header of its own with another delimiter.
        let holds_key = |name: &String| name.split([';', ',', '\n']).any(|part| part.trim().eq_ignore_ascii_case("id"));
        prop_assume!(!names.iter().any(holds_key));
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["id", "name"]).unwrap();
        for (at, name) in names.iter().enumerate() {
            writer.write_record([&format!("{at:03}"), name]).unwrap();
        }
        let (rows, _) = read_text(writer.into_inner().unwrap(), &by_id());
        let read: Vec<(u64, String)> = rows.iter().map(record).map(|record| (record.origin.line, record.fields.get(1).unwrap().to_owned())).collect();
        let mut line = 2;
        let written: Vec<(u64, String)> = names
            .iter()
            .map(|name| {
                let begins = line;
                line += 1 + name.matches('\n').count() as u64;
                (begins, name.trim().to_owned())
            })
            .collect();
        prop_assert_eq!(read, written);
    }
}
