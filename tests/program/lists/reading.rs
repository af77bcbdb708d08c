//! Items 18 to 33 and the samples' expectations, read through what the program prints.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    common::World,
    company::{HEADER, TODAY, company, list, rows},
};

/// A source with these settings whose rule says what is given here.
fn world(settings: &str, says: &str) -> World {
    let owned = NEUTRAL.map(|name| format!("\"{name}\"")).join(", ");
    World::new()
        .file(
            "homeward.toml",
            &format!("[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"full\"\n{settings}\n"),
        )
        .file("rules/people.rhai", &format!("owner([{owned}], \"hr\");\nsource(\"hr\", |row| {{ {says} }});\n"))
}

const NEUTRAL: [&str; 11] = [
    "username",
    "email",
    "first_name",
    "last_name",
    "display_name",
    "nickname",
    "position",
    "department",
    "locale",
    "timezone",
    "phone",
];

const NAMED: &str = "#{ key: row.id, first_name: row.name }";

/// The dry run of these bytes.
fn plan(world: &World, bytes: &[u8]) -> Value {
    world.write("people.csv", bytes);
    let ran = world.homeward(&["--format", "json", "--today", TODAY, "plan", "hr=people.csv"]);
    assert!([0, 6].contains(&ran.status), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Why these bytes are refused, and what to do.
fn refused(world: &World, bytes: &[u8]) -> (String, String) {
    world.write("people.csv", bytes);
    let ran = world.homeward(&["--format", "json", "check", "hr=people.csv"]);
    assert_eq!(ran.status, 4, "{}{}", ran.stdout, ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let text = |key: &str| found["files"][0][key].as_str().unwrap_or_default().to_owned();
    (text("refused"), text("hint"))
}

/// What each key shows of one attribute.
fn shown(plan: &Value, attribute: &str) -> BTreeMap<String, String> {
    let of = |one: &Value| {
        let value = one["values"][attribute].as_str().unwrap_or_default().to_owned();
        (one["key"].as_str().unwrap().to_owned(), value)
    };
    plan["seen"].as_array().unwrap().iter().map(of).collect()
}

/// `line column code` of every row that was rejected.
fn rejects(plan: &Value) -> Vec<String> {
    let of = |one: &Value| {
        format!("{} {} {}", one["line"], one["column"].as_str().unwrap_or("-"), one["code"].as_str().unwrap())
    };
    plan["rejected"].as_array().unwrap().iter().map(of).collect()
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/samples/hr/{name}")).unwrap()
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&sample(name)).unwrap()
}

#[test]
fn item_18_four_encodings_say_the_same_and_none_is_guessed() {
    let text = "id,name\n1,Jürgen\n2,Zoë\n";
    let wide: Vec<u8> = "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let narrow: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let mut marked = b"\xEF\xBB\xBF".to_vec();
    marked.extend(text.as_bytes());
    let names = BTreeMap::from([("1".to_owned(), "Jürgen".to_owned()), ("2".to_owned(), "Zoë".to_owned())]);
    for (settings, bytes) in [
        ("", text.as_bytes()),
        ("", &marked),
        ("", &wide),
        ("encoding = \"utf-16le\"", &wide[2..]),
        ("encoding = \"windows-1252\"", &narrow),
        ("encoding = \"iso-8859-15\"", &narrow),
    ] {
        assert_eq!(shown(&plan(&world(settings, NAMED), bytes), "first_name"), names, "{settings}");
    }
    let (why, hint) = refused(&world("", NAMED), &narrow);
    assert_eq!(why, "line 2 is not UTF-8, and no encoding is configured");
    assert_eq!(
        hint,
        "likely `encoding = \"windows-1252\"` or `encoding = \"iso-8859-15\"` (`windows-1250` in central Europe): set it for this \
         system and look at the names in the plan, or export as UTF-8"
    );
}

#[test]
fn item_19_what_is_no_csv_is_refused_by_what_it_looks_like() {
    let world = world("", NAMED);
    for (bytes, looks_like) in [
        (&b"PK\x03\x04xl/workbook.xml"[..], "a ZIP archive, such as an Excel workbook (.xlsx)"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel workbook (.xls)"),
        (b"%PDF-1.7\nid,name\n1,Anna\n", "a PDF document"),
        (b"<html><body>id,name</body></html>", "a web page (HTML)"),
        (b"[{\"id\":1,\"name\":\"Anna\"}]", "JSON"),
        (&[0; 600], "a file of zero bytes"),
    ] {
        assert_eq!(refused(&world, bytes).0, format!("this is not CSV: it looks like {looks_like}"));
    }
}

#[test]
fn item_20_the_delimiter_is_told_by_the_header_and_lines_are_those_of_an_editor() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = "id,name\n1,\"Anna\nBerta\"\n\"\"\"2\",Cleo,x\n3,Dora\n".replace(',', delimiter);
        let found = plan(&world("", NAMED), text.as_bytes());
        assert_eq!(shown(&found, "first_name")["1"], "Anna\nBerta");
        assert_eq!(rejects(&found), ["4 - too_many_fields"], "{delimiter}");
    }
}

#[test]
fn item_21_columns_are_found_by_name_and_a_missing_or_doubled_one_refuses_the_file() {
    let settings = "columns = { id = [\"Personalnummer\"], name = [\"Vor Name\"] }";
    let world = world(settings, NAMED);
    let found = plan(&world, "Title;;\n\nExtra;\u{a0}VOR\u{a0}Name ;\u{FEFF}personalnummer\nx;Anna;1\n".as_bytes());
    assert_eq!(shown(&found, "first_name"), BTreeMap::from([("1".to_owned(), "Anna".to_owned())]));
    let (why, _) = refused(&world, b"id,mail\n1,a@example.com\n");
    assert_eq!(why, "the header in line 1 has no column `name`");
    let (why, _) = refused(&world, b"id,name,Vor Name\n1,Anna,Berta\n");
    assert_eq!(why, "the header in line 1 names the column `name` twice");
}

#[test]
fn item_22_a_list_cut_at_any_byte_of_its_last_two_rows_is_refused_or_held() {
    let world = company(12, "");
    let whole = list(&rows(1..=12));
    let two: usize = whole.lines().rev().take(2).map(|line| line.len() + 1).sum();
    // Without its last byte too: every list of this source ended with a line end.
    for cut in whole.len() - two..whole.len() {
        world.write("next.csv", &whole.as_bytes()[..cut]);
        let ran = world.homeward(&["--lab", "--today", TODAY, "check", "hr=next.csv"]);
        assert!([4, 6].contains(&ran.status), "cut at {cut}: {}{}", ran.stdout, ran.stderr);
    }
    world.write("next.csv", whole.as_bytes());
    assert_eq!(world.homeward(&["--lab", "--today", TODAY, "check", "hr=next.csv"]).status, 0);
}

#[test]
fn item_23_an_empty_list_is_never_everybody_gone() {
    let world = company(12, "");
    let config = world.read("homeward.toml").replace("coverage = \"full\"", "coverage = \"full\"\nminimum_rows = 5");
    world.write("homeward.toml", config.as_bytes());
    let header = format!("{HEADER}\n");
    for (text, why) in [
        ("", "the file is empty"),
        ("\u{FEFF}", "the file is empty"),
        (header.as_str(), "there is a header and no row below it"),
        (&list(&rows(1..=4)), "there are 4 rows, and `minimum_rows` says that this sender has 5 at least"),
    ] {
        world.write("next.csv", text.as_bytes());
        let told = world.told(4, &["apply", "--yes", "hr=next.csv"]);
        assert!(told.contains(why), "{told}");
        assert_eq!(world.blocked(), Vec::<String>::new());
    }
}

#[test]
fn item_24_each_size_has_its_limit_and_its_own_message() {
    let good = "id,name\n1,Anna\n2,Berta\n";
    for (limit, text, why) in [
        (
            "record = 64",
            format!("id,name\n1,\"{}\"\n", "x".repeat(300)),
            "the record that begins in line 2 is larger than 64 bytes",
        ),
        ("columns = 1", good.to_owned(), "line 1 has more than 1 columns"),
        ("rows = 1", good.to_owned(), "there are more than 1 rows"),
        ("file = 8", good.to_owned(), "the file has 23 bytes; the limit is 8"),
    ] {
        let world = world(&format!("limits = {{ {limit} }}"), NAMED);
        assert_eq!(refused(&world, text.as_bytes()).0, why);
    }
    let world = world("limits = { field = 8 }", NAMED);
    assert_eq!(rejects(&plan(&world, b"id,name\n1,Anna\n2,Maximiliane\n")), ["3 name field_too_long"]);
}

#[test]
fn item_25_what_is_compressed_or_encrypted_is_not_unpacked() {
    let world = world("", NAMED);
    for (bytes, looks_like) in [
        (&b"\x1F\x8B\x08\x00"[..], "a gzip archive"),
        (b"PK\x03\x04", "a ZIP archive, such as an Excel workbook (.xlsx)"),
        (b"-----BEGIN PGP MESSAGE-----\n", "an encrypted message"),
        (b"age-encryption.org/v1\n", "an encrypted file (age)"),
    ] {
        assert_eq!(refused(&world, bytes).0, format!("this is not CSV: it looks like {looks_like}"));
    }
}

#[test]
fn item_26_one_bad_row_of_a_thousand_stops_nobody_and_three_hundred_hold_the_list() {
    let file = |bad: usize| {
        let row = |number: usize| if number <= bad { format!("{number},A,x\n") } else { format!("{number},A\n") };
        format!("id,name\n{}", (1..=1_000).map(row).collect::<String>())
    };
    let world = world("", NAMED);
    for (bad, exit) in [(1, 4), (20, 4), (21, 6), (300, 6)] {
        world.write("people.csv", file(bad).as_bytes());
        let ran = world.homeward(&["--format", "json", "check", "hr=people.csv"]);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let rejected = found["files"][0]["rejected"].as_array().unwrap().len();
        assert_eq!((ran.status, rejected, &found["files"][0]["records"]), (exit, bad, &json!(1_000 - bad)));
    }
    world.write("people.csv", file(300).as_bytes());
    let ran = world.homeward(&["plan", "hr=people.csv"]);
    assert_eq!(ran.status, 6);
    assert!(
        ran.stderr.contains("300 of 1000 rows of people.csv cannot be used; `limits.rejected` allows 20"),
        "{}",
        ran.stderr
    );
}

#[test]
fn item_28_ids_stay_text_and_a_number_that_lost_digits_is_no_id() {
    let found = plan(&world("", NAMED), b"id,name\n000123,A\n123,B\n 0123 ,C\n12E4,D\n1.60294E+14,E\n1E+05,F\n");
    assert_eq!(shown(&found, "first_name").into_keys().collect::<Vec<_>>(), ["000123", "0123", "123", "12E4"]);
    assert_eq!(rejects(&found), ["6 id bad_id", "7 id bad_id"]);
    let found = plan(&world("id_pattern = \"[0-9]{6}\"", NAMED), b"id,name\n000123,A\n123,B\n");
    assert_eq!(rejects(&found), ["3 id bad_id"]);
}

#[test]
fn item_29_of_two_different_rows_with_one_id_none_wins_and_two_equal_ones_are_one() {
    let found = plan(&world("", NAMED), b"id,name\n1,Anna\n1, Anna \n2,Berta\n2,Beate\n3,Cleo\n");
    assert_eq!(shown(&found, "first_name").into_keys().collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(rejects(&found), ["4 id duplicate_id", "5 id duplicate_id"]);
}

#[test]
fn item_30_values_are_cleaned_in_listed_ways_only_and_each_is_reported() {
    let world = world("placeholders = [\"N/A\"]", NAMED);
    let text = "id,name\n1,  Anna \n2,a\u{a0}b\n3,x\u{200b}y\n4,Zoe\u{308}\n5,N/A\n6,NULL\n7,a  b\n";
    let found = plan(&world, text.as_bytes());
    let names: Vec<String> = shown(&found, "first_name").into_values().collect();
    assert_eq!(names, ["Anna", "a b", "xy", "Zoë", "", "NULL", "a  b"]);
    let ran = world.homeward(&["check", "hr=people.csv"]);
    for note in [
        "spaces around the value removed",
        "no-break spaces made plain",
        "invisible characters removed",
        "(NFC)",
        "placeholders read as empty",
    ] {
        assert!(ran.stdout.contains(note), "{note}: {}", ran.stdout);
    }
}

#[test]
fn item_30_an_empty_cell_clears_nothing_and_a_missing_column_refuses_the_file() {
    let world = company(12, "");
    let mut next = rows(1..=12);
    next[2].username = String::new();
    let plan = world.planned(0, &next);
    assert_eq!(plan["calls"], json!([]));
    let text = list(&rows(1..=12)).replace(",username,", ",login,");
    world.write("next.csv", text.as_bytes());
    let told = world.told(2, &["plan", "hr=next.csv"]);
    assert!(told.contains("the record has no column `username`"), "{told}");
}

#[test]
fn item_31_dates_are_read_by_the_declared_form_and_stay_dates() {
    let says = "#{ key: row.id, first_name: if row.ends == \"31.12.9999\" { \"never\" } else { row.ends.date(\"%d.%m.%Y\") } }";
    let found = plan(
        &world("", says),
        b"id,ends\n1,03.04.2026\n2,03/04/2026\n3,30.02.2026\n4,46000\n5,31.12.9999\n6,2026-04-03T23:30:00-05:00\n",
    );
    assert_eq!(
        shown(&found, "first_name"),
        BTreeMap::from([("1".to_owned(), "2026-04-03".to_owned()), ("5".to_owned(), "never".to_owned())])
    );
    let lines: Vec<Value> =
        found["rejected"].as_array().unwrap().iter().map(|one| json!([one["line"], one["code"]])).collect();
    assert_eq!(lines, [3, 4, 5, 7].map(|line| json!([line, "not_a_date"])));
}

#[test]
fn item_32_a_reject_has_file_line_column_code_and_a_sentence() {
    let found = plan(&world("id_pattern = \"[0-9]{3}\"", NAMED), b"id,name\n001,Anna\n2,Berta\n");
    assert_eq!(
        found["rejected"],
        json!([{
            "system": "hr", "file": "people.csv", "line": 3, "column": "id", "code": "bad_id",
            "reason": "the id does not match `id_pattern`; leading zeros may be lost"
        }])
    );
}

#[test]
fn item_33_values_are_data_whatever_they_look_like() {
    let text = "id,name\n1,\"=HYPERLINK(\"\"https://example.com\"\")\"\n2,../../x\n3,${jndi:ldap://x}\n4,-1\n5,@x\n";
    let found = plan(&world("", NAMED), text.as_bytes());
    let names: Vec<String> = shown(&found, "first_name").into_values().collect();
    assert_eq!(names, ["=HYPERLINK(\"https://example.com\")", "../../x", "${jndi:ldap://x}", "-1", "@x"]);
}

/// Everything rules can tell of a dirty file: addresses, dates, words for states.
const CAREFUL: &str = r#"
    if !row.email.matches("^[^@\\s<>]+@[^@\\s<>]+$") { throw "no address"; }
    let begins = row.hire_date.date("%Y-%m-%d");
    let ends = row.termination_date.date_or_empty("%Y-%m-%d");
    if ends != "" && ends < begins { throw "it ends before it begins"; }
    if row.status != "Active" && row.status != "Leave" && row.status != "Terminated" { throw "no known status"; }
    #{ key: row.employee_id, first_name: row.first_name, last_name: row.last_name, email: row.email,
       department: row.department, phone: row.phone, nickname: ends }
"#;

#[test]
fn the_dirty_file_is_accepted_fixed_rejected_and_skipped_row_by_row_as_expected() {
    let world = world(
        "encoding = \"utf-8\"\nid_pattern = \"[0-9]{6}\"\nskip = [\"Total\"]\nplaceholders = [\"NULL\", \"-\"]\nlimits = { field = 4096 }",
        CAREFUL,
    );
    let config = world.read("homeward.toml").replace("key = \"id\"", "key = \"employee_id\"");
    world.write("homeward.toml", config.as_bytes());
    let whole = sample("dirty.csv");
    let (why, _) = refused(&world, &whole);
    assert_eq!(why, "the record that begins in line 62 never ends: its quote is not closed");

    let cut = whole.iter().rposition(|byte| *byte == b'\n').unwrap();
    let found = plan(&world, &whole[..=cut]);
    let rejected: BTreeSet<u64> =
        found["rejected"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
    let seen: BTreeMap<&str, &Value> =
        found["seen"].as_array().unwrap().iter().map(|one| (one["key"].as_str().unwrap(), &one["values"])).collect();
    let mut faults = Vec::new();
    for entry in expected("dirty.expected.json")["rows"].as_array().unwrap() {
        let (line, defect) = (entry["line"].as_u64().unwrap(), entry["defect"].as_str().unwrap_or("none"));
        // Two people with one address are told apart by nobody's row: no account is looked for here.
        if ["truncated", "email_conflict"].contains(&defect) {
            continue;
        }
        let fixed = entry["fixed"].as_object();
        let key = fixed.and_then(|fixed| fixed.get("employee_id")).unwrap_or(&entry["key"]).as_str().unwrap();
        let done = match (rejected.contains(&line), seen.get(key)) {
            (true, _) => "reject",
            (false, Some(_)) if defect != "duplicate_identical" => "accept",
            (false, _) => "skip",
        };
        let also = entry["also_ok"].as_array().into_iter().flatten();
        let fine: BTreeSet<&str> = also
            .chain([&entry["action"]])
            .filter_map(Value::as_str)
            .map(|action| if action == "fix" { "accept" } else { action })
            .collect();
        if !fine.contains(done) {
            faults.push(format!("{line} {defect}: {done}, expected {fine:?}"));
        }
        if done != "accept" {
            continue;
        }
        for (field, value) in fixed.into_iter().flatten() {
            let Some(attribute) = carried(field) else { continue };
            let is = seen[key][attribute].as_str().unwrap_or_default();
            if is != value.as_str().unwrap() {
                faults.push(format!("{line} {defect}: {field} is {is:?}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// The attribute that carries a column of the dirty file.
fn carried(field: &str) -> Option<&str> {
    match field {
        "first_name" | "last_name" | "email" | "department" | "phone" => Some(field),
        "termination_date" => Some("nickname"),
        _ => None,
    }
}

#[test]
fn every_cell_a_spreadsheet_has_damaged_is_as_it_stands_there_and_never_made_up() {
    let columns = [
        ("first_name", "Vorname"),
        ("last_name", "Nachname"),
        ("email", "E-Mail"),
        ("department", "Abteilung"),
        ("locale", "Vorgesetzter (Personalnr.)"),
        ("timezone", "Eintrittsdatum"),
        ("nickname", "Austrittsdatum"),
        ("phone", "Telefon"),
        ("position", "Kartennummer"),
        ("display_name", "Status"),
    ];
    let carried: String = columns.map(|(attribute, column)| format!("{attribute}: row[\"{column}\"], ")).concat();
    let world = world("columns = { id = [\"Personalnummer\"] }", &format!("#{{ key: row.id, {carried} }}"));
    let found = plan(&world, &sample("excel-utf16le-tab.csv"));
    assert_eq!((&found["inputs"][0]["records"], rejects(&found)), (&json!(200), Vec::new()));
    let damage = expected("excel-utf16le-tab.expected.json");
    let cells = damage["rows"].as_array().unwrap();
    let keys: BTreeMap<u64, &str> = cells
        .iter()
        .filter(|cell| cell["column"] == "Personalnummer")
        .map(|cell| (cell["line"].as_u64().unwrap(), cell["shown"].as_str().unwrap()))
        .collect();
    assert_eq!(keys.len(), 200);
    let mut faults = Vec::new();
    for cell in cells.iter().filter(|cell| cell["column"] != "Personalnummer") {
        let (attribute, _) = columns.iter().find(|(_, column)| cell["column"] == *column).unwrap();
        let key = keys[&cell["line"].as_u64().unwrap()];
        let is = &shown(&found, attribute)[key];
        if *is != cell["shown"].as_str().unwrap() {
            faults.push(format!("{key} {attribute}: {is:?} instead of {}", cell["shown"]));
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    // With the zeros that ids must have, not one damaged key is taken for a person.
    let strict = world_with_pattern(&world);
    assert_eq!(strict, (0, 200));
}

/// Rows that can be used and that cannot, where ids must have eight digits.
fn world_with_pattern(world: &World) -> (u64, u64) {
    let config = world.read("homeward.toml").replace("key = \"id\"", "key = \"id\"\nid_pattern = \"[0-9]{8}\"");
    world.write("homeward.toml", config.as_bytes());
    let ran = world.homeward(&["--format", "json", "check", "hr=people.csv"]);
    assert_eq!(ran.status, 6);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let file = &found["files"][0];
    (file["records"].as_u64().unwrap(), file["rejected"].as_array().unwrap().len() as u64)
}

#[test]
fn the_first_and_the_last_person_of_every_layout_are_who_they_are() {
    const FIELDS: [&str; 5] = ["first_name", "last_name", "email", "nickname", "locale"];
    for (name, settings, says) in [
        (
            "people-1k.csv",
            "columns = { id = [\"employee_id\"] }",
            "#{ key: row.id, first_name: row.first_name, last_name: row.last_name, email: row.email, nickname: row.hire_date, locale: row.manager_id }",
        ),
        (
            "workday-like-semicolon-cp1252.csv",
            "encoding = \"windows-1252\"\nskip = [\"Total\"]\ncolumns = { id = [\"Employee ID\"] }",
            "#{ key: row.id, first_name: row[\"Legal Name - First Name\"], last_name: row[\"Legal Name - Last Name\"], email: row[\"Email - Work\"], nickname: row[\"Hire Date\"].date(\"%d.%m.%Y\"), locale: row[\"Manager - Employee ID\"] }",
        ),
        (
            "sap-like-bom-quotes-newlines.csv",
            "header_rows = 2\nplaceholders = [\"NO_MANAGER\", \"NO_HR\"]\ncolumns = { id = [\"USERID\"] }",
            "#{ key: row.id, first_name: row.FIRSTNAME, last_name: row.LASTNAME, email: row.EMAIL, nickname: row.HIREDATE.date(\"%m/%d/%Y\"), locale: row.MANAGER }",
        ),
        (
            "excel-utf16le-tab.csv",
            "columns = { id = [\"Personalnummer\"] }",
            "#{ key: (\"00000000\" + row.id).sub_string(row.id.len()), first_name: row.Vorname, last_name: row.Nachname, email: row[\"E-Mail\"], nickname: row.Eintrittsdatum, locale: row[\"Vorgesetzter (Personalnr.)\"] }",
        ),
    ] {
        let found = plan(&world(settings, says), &sample(name));
        let format = &expected("formats.expected.json")[name];
        assert_eq!(
            (&found["inputs"][0]["records"], rejects(&found), &found["summary"]["people"]),
            (&format["data_rows"], Vec::new(), &format["data_rows"]),
            "{name}"
        );
        for end in ["first", "last"] {
            let person = &format[end];
            let key = person["employee_id"].as_str().unwrap();
            let one = found["seen"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap();
            for field in FIELDS {
                let wanted = match field {
                    "nickname" => &person["hire_date"],
                    "locale" => &person["manager_id"],
                    field => &person[field],
                };
                // What the spreadsheet did to dates and zeros is told cell by cell elsewhere.
                if name.starts_with("excel") && ["nickname", "locale"].contains(&field) {
                    continue;
                }
                assert_eq!(one["values"][field].as_str().unwrap_or_default(), wanted, "{name} {end} {field}");
            }
        }
    }
}
