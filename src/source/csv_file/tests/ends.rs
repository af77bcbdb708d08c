//! Where a file ends, and whether that is its end.

use super::*;

/// Seven people, the last two of whom have what a cut can go through: quotes, letters of several bytes, empty fields.
const PEOPLE: &[[&str; 4]] = &[
    ["1", "Ada", "a@example.com", "x"],
    ["2", "Bo", "b@example.com", "x"],
    ["3", "Zoë Žižková", "\"c\" @example.com", "x, y"],
    ["4", "Çağla", "", "Müß"],
];

/// The people as a file.
fn file(end: &str, quoted: bool, footer: &str) -> String {
    let row = |fields: &[&str]| {
        let fields = fields.iter().map(|field| {
            if quoted || field.contains([',', '"']) {
                format!("\"{}\"", field.replace('"', "\"\""))
            } else {
                (*field).to_owned()
            }
        });
        fields.collect::<Vec<_>>().join(",") + end
    };
    let header = row(&["id", "name", "mail", "unit"]);
    let rows: Vec<String> = PEOPLE.iter().map(|person| row(person)).collect();
    [header, rows.concat(), footer.to_owned()].concat()
}

/// The same text in other bytes.
fn bytes(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "marked utf-16" => [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        "windows-1254" => encoding_rs::WINDOWS_1254.encode(&text.replace(['Ž', 'ž'], "z")).0.into_owned(),
        "marked utf-8" => format!("\u{FEFF}{text}").into_bytes(),
        _ => text.as_bytes().to_vec(),
    }
}

fn options(encoding: &str) -> Value {
    let mut options = by_id();
    if !encoding.starts_with("marked") && encoding != "as it comes" {
        options["encoding"] = json!(encoding);
    }
    options
}

const ENCODINGS: [&str; 7] =
    ["as it comes", "utf-8", "marked utf-8", "utf-16le", "utf-16be", "marked utf-16", "windows-1254"];

#[test]
fn a_cut_at_any_byte_of_the_last_two_rows_is_refused_or_shows_by_the_line_end() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for encoding in ENCODINGS {
        for (end, quoted) in [("\n", false), ("\r\n", false), ("\r", false), ("\n", true), ("\r\n", true)] {
            let text = file(end, quoted, "");
            let start = bytes(&text[..text.find("Bo").unwrap()], encoding).len();
            let good = bytes(&text, encoding);
            let (all, read) = read_text(&good, &options(encoding));
            let whole = read.unwrap();
            assert_eq!((all.len(), whole.final_line_end), (4, true), "{encoding} {end:?} {quoted}");
            for cut in start..good.len() {
                let (rows, result) = read_text(&good[..cut], &options(encoding));
                let how = match result {
                    Err(Why::UnclosedQuote { .. }) => "inside quotes",
                    Err(Why::CutOff { .. }) => "too few fields",
                    Err(Why::CutInLetter { .. }) => "inside a letter",
                    Err(Why::HalfLineEnd { .. }) => "inside a line end",
                    Err(why) => panic!("{encoding} {end:?} {quoted} cut at {cut}: {why}"),
                    Ok(read) if !read.final_line_end => "no line end",
                    Ok(read) => {
                        assert_eq!(rows, all[..rows.len()], "{encoding} {end:?} {quoted} cut at {cut}");
                        assert!(read.last_line < whole.last_line);
                        "between two rows"
                    }
                };
                *seen.entry(how).or_default() += 1;
            }
        }
    }
    // Two cuts lie between rows in each of these files; those of two bytes have more places within a line end.
    assert_eq!(
        seen.keys().copied().collect::<Vec<_>>(),
        ["between two rows", "inside a letter", "inside a line end", "inside quotes", "no line end", "too few fields"]
    );
    assert_eq!(seen["between two rows"], 2 * ENCODINGS.len() * 5);
}

#[test]
fn with_a_line_that_counts_a_cut_anywhere_is_refused() {
    for end in ["\n", "\r\n"] {
        let text = file(end, false, &format!("Total,4,,{end}"));
        let options = json!({ "key": "id", "count_line": "Total,([0-9]+)" });
        let (rows, read) = read_text(&text, &options);
        assert_eq!((rows.len(), read.unwrap().rejected), (4, 0));
        // What is missing after the number itself takes nothing away.
        let told = text.find("Total,4").unwrap() + "Total,4".len();
        for cut in text.find("Bo").unwrap()..told {
            assert_ne!(refused(&text.as_bytes()[..cut], &options), "", "{end:?} cut at {cut}");
        }
    }
}

#[test]
fn a_file_is_refused_for_how_it_ends_in_words_that_say_so() {
    let cut = |text: &[u8]| {
        let (rows, result) = read_text(text, &by_id());
        assert_eq!(rows, []);
        let refused = FileRefused { file: "people.csv".to_owned(), why: result.unwrap_err() };
        format!("{}; {}", refused.why, refused.hint())
    };
    assert_eq!(
        cut(b"id,name\n1,Ada\n2,\"B"),
        "the record that begins in line 3 never ends: its quote is not closed; \
         the transfer was probably cut off: send the file again"
    );
    assert_eq!(
        cut(b"id,name\n1,Ada\n2"),
        "the last record, in line 3, is cut off: 1 of 2 fields; the transfer was probably cut off: send the file again; \
         where it is a line of totals, describe it in `count_line` or name it in `skip`"
    );
    assert_eq!(
        cut(b"id,name\n1,Ada\nTotal\n"),
        cut(b"id,name\n1,Ada\n2"),
        "a last row with too few fields is no row, whatever ends it"
    );
    assert_eq!(
        cut(b"id,name\n1,Ada\n2,J\xC3"),
        "the last record, in line 3, ends in the middle of a letter; the transfer was probably cut off: send the file again"
    );
    assert_eq!(
        cut(b"id,name\r\n1,Ada\r\n2,Bo\r"),
        "the last record, in line 3, ends with half a line end: CR, where all others have CR LF; \
         the transfer was probably cut off: send the file again"
    );
    // Half a letter that does not end the file is no cut.
    assert!(
        cut(b"id,name\n1,J\xC3\n2,Bo\n").starts_with("line 2 is not UTF-8"),
        "{}",
        cut(b"id,name\n1,J\xC3\n2,Bo\n")
    );
}

#[test]
fn how_lines_end_is_told_by_what_most_records_do() {
    for (text, usual) in [
        ("id,name\n1,a\n2,b\n", LineEnd::Lf),
        ("id,name\r\n1,a\r\n2,b\r\n", LineEnd::CrLf),
        ("id,name\r\n\r\n1,\"a\n\n\nb\"\r\n2,b", LineEnd::CrLf),
        ("id,name\r1,a\r2,b\r", LineEnd::Cr),
        ("id,name\r1,a", LineEnd::Cr),
        ("id,name\n1,a\r\n2,b\n", LineEnd::Lf),
    ] {
        let (_, read) = read_text(text, &by_id());
        assert_eq!(read.unwrap().layout.unwrap().line_end, usual, "{text:?}");
    }
}

#[test]
fn a_line_that_counts_must_be_there_and_right_wherever_it_stands() {
    let options = json!({ "key": "id", "count_line": "(?:Total|Records)[;:] *([0-9.]+)" });
    for good in [
        "id;name\n1;Ada\n1;Ada\n2;\nx;y;z\nTotal;4;;\n",
        "Records: 2\nid;name\n1;Ada\n2;Bo\n",
        "Records: 2\nid;name\n1;Ada\n2;Bo\n\"Total\"; 2 \n",
        "id;name\n1;Ada\nTotal;1",
    ] {
        let (rows, read) = read_text(good, &options);
        let read = read.unwrap();
        assert_eq!(rows.len() as u64, read.records + read.rejected, "{good}");
        assert!(!rows.iter().any(|row| told(std::slice::from_ref(row))[0].contains("Total")), "{good}");
    }
    assert_eq!(
        refused("id;name\n1;Ada\n2;Bo\nTotal;3\n", &options),
        "line 4 says that there are 3 rows, and there are 2"
    );
    assert_eq!(
        refused("Records: 500\nid;name\n1;Ada\n", &options),
        "line 1 says that there are 500 rows, and there are 1"
    );
    assert_eq!(
        refused("id;name\n1;Ada\nTotal;1.000\n", &options),
        "line 3 says that there are 1.000 rows, and there are 1"
    );
    assert_eq!(refused("id;name\n1;Ada\n2;Bo\n", &options), "no line tells how many rows there are");
}

#[test]
fn a_list_shorter_than_this_sender_ever_sends_is_refused() {
    let options = json!({ "key": "id", "minimum_rows": 3 });
    assert_eq!(
        refused("id\n1\n2\n", &options),
        "there are 2 rows, and `minimum_rows` says that this sender has 3 at least"
    );
    let (rows, read) = read_text("id\n1\n2\n\x07\n", &options);
    assert_eq!((rows.len(), read.unwrap().rejected), (3, 1), "a row that is rejected was sent too");
}
