//! Rejected rows on their way back to their sender, and home again.

use super::*;

/// A file of what was rejected, as it is written.
fn rejects(text: impl AsRef<[u8]>, options: &Value) -> Vec<u8> {
    let (rows, read) = read_text(text, options);
    let layout = read.unwrap().layout.unwrap();
    reject_file::write(
        &layout,
        rows.iter().filter_map(|row| match row {
            Row::Rejected { rejected, fields, .. } => Some((fields.as_slice(), rejected)),
            Row::Record(_) => None,
        }),
    )
}

#[test]
fn a_rejected_row_is_given_back_as_it_was_with_the_reason_before_it() {
    let text = "\u{FEFF}Personalnr.;E-Mail ;Note\r\n1;a@example.com;fine\r\n2; b@example.com;\"a; \"\"b\"\"\";more\r\n\
                3;c@example.com\r\n4;d\u{7}@example.com;\"two\nlines\"\r\n5;e@example.com;fine\r\n";
    let options = json!({ "key": "id", "columns": { "id": ["personalnr."], "mail": ["e-mail"] } });
    assert_eq!(
        String::from_utf8(rejects(text, &options)).unwrap(),
        "\u{FEFF}homeward_line;homeward_code;homeward_reason;Personalnr.;E-Mail ;Note\r\n\
         3;too_many_fields;4 fields instead of 3: probably a delimiter inside a value that is not quoted;\
         2; b@example.com;\"a; \"\"b\"\"\";more\r\n\
         4;too_few_fields;2 fields instead of 3;3;c@example.com\r\n\
         5;control_character;a control character inside a value;4;d\u{7}@example.com;\"two\nlines\"\r\n"
    );
}

#[test]
fn a_file_of_rejected_rows_is_read_again_once_repaired_and_before() {
    let text =
        "id,name,mail\n1,Ada,a@example.com\n2,Bo\n3,Cy,c@example.com,x\n4,D\u{7}i,d@example.com\n5,Ed,e@example.com\n";
    let back = rejects(text, &by_id());
    let (rows, read) = read_text(&back, &by_id());
    let read = read.unwrap();
    assert_eq!(
        (told(&rows), read.repaired, read.records, read.columns),
        (
            vec![
                "2: too_few_fields - 2".to_owned(),
                "3: too_many_fields - 3".to_owned(),
                "4: control_character name 4".to_owned()
            ],
            true,
            0,
            vec!["id".to_owned(), "name".to_owned(), "mail".to_owned()],
        )
    );
    assert_eq!(read.notes[2..], ["repaired rows, and a part of the list only: nobody is missing from them"]);

    let repaired = String::from_utf8(back).unwrap();
    let repaired = repaired.replace("2,Bo\n", "2,Bo,b@example.com\n").replace(",x\n", "\n").replace("D\u{7}i", "Di");
    let (rows, read) = read_text(&repaired, &by_id());
    assert_eq!(told(&rows), ["2: 2|Bo|b@example.com", "3: 3|Cy|c@example.com", "4: 4|Di|d@example.com"]);
    assert!(read.unwrap().repaired);
    let (_, read) = read_text(text, &by_id());
    assert!(!read.unwrap().repaired);
}

#[test]
fn what_is_written_in_the_files_own_encoding_is_read_by_the_same_settings() {
    let text = "id;name\r\n1;Jörg\r\n2;Zoë;+49\r\n";
    let wide = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        [mark, text].iter().flat_map(|part| part.encode_utf16()).flat_map(bytes).collect()
    };
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), None),
        (format!("\u{FEFF}{text}").into_bytes(), None),
        (wide("\u{FEFF}", u16::to_le_bytes), None),
        (wide("\u{FEFF}", u16::to_be_bytes), None),
        (wide("", u16::to_le_bytes), Some("utf-16le")),
        (wide("", u16::to_be_bytes), Some("utf-16be")),
        (encoding_rs::WINDOWS_1252.encode(text).0.into_owned(), Some("windows-1252")),
        (encoding_rs::ISO_8859_15.encode(text).0.into_owned(), Some("iso-8859-15")),
    ] {
        let options = json!({ "key": "id", "encoding": encoding });
        let (_, first) = read_text(&bytes, &options);
        let (rows, second) = read_text(rejects(&bytes, &options), &options);
        let [Row::Rejected { rejected, fields, .. }] = rows.as_slice() else { panic!("{encoding:?}: {rows:?}") };
        assert_eq!(
            (rejected.code.as_str(), fields.join("|")),
            ("too_many_fields", "2|Zoë|+49".to_owned()),
            "{encoding:?}"
        );
        assert_eq!(second.unwrap().layout, first.unwrap().layout, "{encoding:?}");
    }
}

#[test]
fn a_letter_the_encoding_has_no_place_for_is_a_question_mark() {
    let layout = Layout {
        encoding: "windows-1252",
        marked: false,
        delimiter: b';',
        line_end: LineEnd::CrLf,
        header: vec!["id".to_owned()],
        header_line: 1,
    };
    let fields = [Arc::from("Ž\u{FFFD}Đž")];
    let (rows, _) = read_text("id\n\u{7}\n", &by_id());
    let Row::Rejected { rejected, .. } = &rows[0] else { panic!("{rows:?}") };
    let written = reject_file::write(&layout, [(fields.as_slice(), rejected)]);
    assert!(written.ends_with(b";\x8E??\x9E\r\n"), "{written:?}");
}

#[test]
fn what_a_spreadsheet_would_run_is_written_harmless_and_read_as_it_was() {
    let values = ["=HYPERLINK(\"x\")", "+49 30", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "''-", "it's", "'90s", "a=b"];
    let rows: Vec<String> =
        (0..).zip(values).map(|(at, value)| format!("{at},\"{}\",\u{7}\n", value.replace('"', "\"\""))).collect();
    let rows = rows.concat();
    let text = format!("id,=name,note\n{rows}");
    let back = rejects(&text, &by_id());
    let shown = String::from_utf8(back.clone()).unwrap();
    assert!(shown.starts_with("homeward_line,homeward_code,homeward_reason,id,\"'=name\",note\n"), "{shown}");
    for harmless in
        ["\"'=HYPERLINK(\"\"x\"\")\"", "\"'+49 30\"", "\"'-1\"", "\"'@SUM(A1)\"", "\"'\tx\"", "\"''=1\"", "\"'''-\""]
    {
        assert!(shown.contains(&format!(",{harmless},")), "{harmless} in {shown}");
    }
    let (rows, read) = read_text(&back, &by_id());
    let read = read.unwrap();
    assert_eq!(
        (read.columns, read.layout.unwrap().header),
        (
            vec!["id".to_owned(), "=name".to_owned(), "note".to_owned()],
            vec!["id".to_owned(), "=name".to_owned(), "note".to_owned()],
        )
    );
    let names = rows.iter().map(|row| match row {
        Row::Rejected { fields, .. } => fields[1].to_string(),
        Row::Record(record) => panic!("{record:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), values);

    // An apostrophe in any other file is what its sender wrote.
    let (rows, _) = read_text("id,name\n1,'=x\n", &by_id());
    assert_eq!(told(&rows), ["2: 1|'=x"]);
}

#[test]
fn what_holds_for_a_whole_list_is_not_asked_of_repaired_rows() {
    let options = json!({ "key": "id", "header_rows": 2, "minimum_rows": 3, "count_line": "Total,([0-9]+)" });
    let text = "id,name\nNumber,Name\n1,Ada\n2,B\u{7}o\n3,Cy\nTotal,3\n";
    let repaired = String::from_utf8(rejects(text, &options)).unwrap().replace('\u{7}', "");
    let (rows, read) = read_text(&repaired, &options);
    assert_eq!((told(&rows), read.unwrap().repaired), (vec!["2: 2|Bo".to_owned()], true));
    // A repaired file can be cut too.
    assert_eq!(
        refused(repaired.trim_end_matches("2,Bo\n"), &options),
        "the last record, in line 2, is cut off: 1 of 2 fields"
    );
}

#[test]
fn the_columns_we_add_are_known_wherever_a_spreadsheet_puts_them() {
    let text = "id,homeward_reason,name,Homeward_Line \n1,because,'+1,7\n2,because,x,8\n";
    let (rows, read) = read_text(text, &by_id());
    assert_eq!((told(&rows), read.unwrap().repaired), (vec!["2: 1|+1".to_owned(), "3: 2|x".to_owned()], true));
}

proptest! {
    #[test]
    fn fields_come_home_as_they_left(
        rows in prop::collection::vec(prop::collection::vec("[=+@\t\r\n'\",;a-c äß-]{0,6}", 2..5), 1..8),
        delimiter in prop::sample::select(b",;\t|".to_vec()),
        line_end in prop::sample::select(vec![LineEnd::Lf, LineEnd::CrLf, LineEnd::Cr]),
        (encoding, marked) in prop::sample::select(vec![("UTF-8", false), ("UTF-8", true), ("UTF-16LE", true), ("windows-1252", false)]),
    ) {
        let layout = Layout {
            encoding, marked, delimiter, line_end, header: vec!["id".to_owned(), "name".to_owned()], header_line: 1,
        };
        let rejected = Rejected {
            system: SystemName::from("hr"), file: "people.csv".to_owned(), line: 7, column: None,
            code: "too_many_fields".to_owned(), reason: "a reason; with, all of it|".to_owned(),
        };
        // Always one field too many, so that every row is rejected again and shows its fields.
        let rows: Vec<Vec<Arc<str>>> = rows
            .into_iter()
            .map(|row| ["x".to_owned()].into_iter().chain(row).map(Arc::from).collect())
            .collect();
        let written = reject_file::write(&layout, rows.iter().map(|row| (row.as_slice(), &rejected)));
        let mut options = by_id();
        if encoding == "windows-1252" {
            options["encoding"] = json!(encoding);
        }
        let (read, result) = read_text(&written, &options);
        let home: Vec<Vec<Arc<str>>> = read
            .into_iter()
            .filter_map(|row| if let Row::Rejected { fields, .. } = row { Some(fields) } else { None })
            .collect();
        prop_assert_eq!(home, rows);
        prop_assert_eq!(result.unwrap().layout, Some(layout));
    }
}
