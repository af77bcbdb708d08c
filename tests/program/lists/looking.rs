//! Item 51: `homeward check SYSTEM=FILE` tells what a file is and what it would say, on every sample, and touches nothing.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Value, json};

use super::{
    common::World,
    company::{TODAY, company, list, rows},
};

/// A sample, how it is configured, the column of its key, and what it is expected to be.
struct Sample {
    name: &'static str,
    settings: &'static str,
    key: &'static str,
    exit: i32,
}

const SAMPLES: [Sample; 7] = [
    Sample { name: "people-1k.csv", settings: "", key: "employee_id", exit: 0 },
    Sample {
        name: "workday-like-semicolon-cp1252.csv",
        settings: "encoding = \"windows-1252\"\nskip = [\"Total\"]\ncolumns = { employee_id = [\"Employee ID\"] }",
        key: "employee_id",
        exit: 0,
    },
    Sample {
        name: "excel-utf16le-tab.csv",
        settings: "columns = { employee_id = [\"Personalnummer\"] }",
        key: "employee_id",
        exit: 0,
    },
    Sample {
        name: "sap-like-bom-quotes-newlines.csv",
        settings: "header_rows = 2\nplaceholders = [\"NO_MANAGER\", \"NO_HR\"]\ncolumns = { employee_id = [\"USERID\"] }",
        key: "employee_id",
        exit: 0,
    },
    Sample { name: "day1.csv", settings: "", key: "employee_id", exit: 0 },
    Sample { name: "day2.csv", settings: "", key: "employee_id", exit: 0 },
    Sample { name: "day3.csv", settings: "", key: "employee_id", exit: 0 },
];

fn world(settings: &str, key: &str) -> World {
    World::new()
        .file(
            "homeward.toml",
            &format!(
                "[systems.hr]\nkind = \"csv\"\nkey = \"{key}\"\ncoverage = \"full\"\nsays = \"state\"\n{settings}\n"
            ),
        )
        .file("rules/people.rhai", &format!("source(\"hr\", |row| #{{ key: row.{key} }});\n"))
}

fn sample(world: &World, name: &str) {
    world.write(name, &std::fs::read(Path::new("tests/samples/hr").join(name)).unwrap());
}

fn expected(file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(Path::new("tests/samples/hr").join(file)).unwrap()).unwrap()
}

/// What `check` says of one file.
fn looked(world: &World, exit: i32, file: &str) -> Value {
    let ran = world.homeward(&["--format", "json", "--today", TODAY, "check", &format!("hr={file}")]);
    assert_eq!(ran.status, exit, "{file}: {}{}", ran.stdout, ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&document["format"], document["files"].as_array().unwrap().len()), (&json!("homeward.reading/1"), 1));
    document["files"][0].clone()
}

/// Every file below the folder, with its bytes.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(bytes(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[test]
fn item_51_every_layout_is_told_as_it_is_and_nothing_is_touched() {
    let formats = expected("formats.expected.json");
    for Sample { name, settings, key, exit } in SAMPLES {
        let world = world(settings, key);
        sample(&world, name);
        let before = bytes(&world.path("."));
        let found = looked(&world, exit, name);
        assert_eq!(bytes(&world.path(".")), before, "{name}");
        assert_eq!(found["rejected"], json!([]), "{name}");
        assert_eq!((&found["compared"]["with"], &found["compared"]["full"]), (&Value::Null, &json!(true)), "{name}");
        assert_eq!(found["compared"]["new"].as_array().unwrap().len() as u64, found["records"].as_u64().unwrap());
        let known = found["columns"].as_array().unwrap().iter().find(|column| column["name"] == "employee_id").unwrap();
        let in_file = match name {
            "workday-like-semicolon-cp1252.csv" => "Employee ID",
            "excel-utf16le-tab.csv" => "Personalnummer",
            "sap-like-bom-quotes-newlines.csv" => "USERID",
            _ => "employee_id",
        };
        assert_eq!(known["in_file"], in_file, "{name}");
        let Some(format) = formats.get(name) else { continue };
        assert_eq!(
            found["encoding"].as_str().unwrap().to_lowercase(),
            format["encoding"].as_str().unwrap().to_lowercase(),
            "{name}"
        );
        let newline = found["line_end"].as_str().unwrap().replace(' ', "");
        assert_eq!(json!(newline), format["newline"], "{name}");
        let delimiter = found["delimiter"].as_str().unwrap().replace("tab", "TAB");
        assert_eq!(json!(delimiter), format["delimiter"], "{name}");
        assert_eq!(found["byte_order_mark"], format["bom"], "{name}");
        assert_eq!(found["records"], format["data_rows"], "{name}");
        assert_eq!(
            found["header_line"].as_u64().unwrap(),
            format["lines_before_header"].as_u64().unwrap() + 1,
            "{name}"
        );
    }
}

#[test]
fn item_51_a_text_tells_the_same_to_a_person() {
    let world = world(
        "encoding = \"windows-1252\"\nskip = [\"Total\"]\ncolumns = { employee_id = [\"Employee ID\"] }",
        "employee_id",
    );
    sample(&world, "workday-like-semicolon-cp1252.csv");
    let ran = world.homeward(&["check", "hr=workday-like-semicolon-cp1252.csv"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stdout, @r"
    hr: workday-like-semicolon-cp1252.csv
      encoding   windows-1252, no byte order mark
      delimiter  ;
      line ends  CR LF
      header     line 4, 18 columns
        employee_id ← Employee ID
        Worker ← Worker
        Legal Name - First Name ← Legal Name - First Name
        Legal Name - Last Name ← Legal Name - Last Name
        Preferred Name - First Name ← Preferred Name - First Name
        Email - Work ← Email - Work
        User Name ← User Name
        Worker Status ← Worker Status
        Active ← Active
        Hire Date ← Hire Date
        Original Hire Date ← Original Hire Date
        Termination Date ← Termination Date
        Business Title ← Business Title
        Cost Center ← Cost Center
        Supervisory Organization ← Supervisory Organization
        Manager - Employee ID ← Manager - Employee ID
        Location ← Location
        FTE ← FTE
      rows       300, 0 of them rejected
      note: encoding windows-1252 (as configured)
      note: delimiter `;` (told by the header)
      note: header in line 4; what stands above it was passed over
      note: rows named in `skip` passed over: 1
      compared   nothing: it would be the first list of everybody
      limits     none that this list alone would exceed
    ");
}

#[test]
fn item_51_rejected_rows_are_named_by_line_and_code_and_the_exit_code_tells() {
    let world = world("id_pattern = \"[0-9]{6}\"", "employee_id");
    world.write(
        "people.csv",
        b"employee_id,name\n000001,Anna\n2,Berta Geheim\n000003,Cleo,Geheim\n000004,Dora\n000004,Dora Geheim\n",
    );
    let found = looked(&world, 4, "people.csv");
    let rejected: Vec<Value> = found["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["line"], one["column"], one["code"]]))
        .collect();
    assert_eq!(
        rejected,
        [
            json!([3, "employee_id", "bad_id"]),
            json!([4, null, "too_many_fields"]),
            json!([5, "employee_id", "duplicate_id"]),
            json!([6, "employee_id", "duplicate_id"]),
        ]
    );
    let ran = world.homeward(&["check", "hr=people.csv"]);
    assert_eq!(ran.status, 4);
    assert!(ran.stdout.contains("rejected line 3, column employee_id bad_id the id does not match"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Geheim"), "no values of people: {}", ran.stdout);
}

#[test]
fn item_51_a_file_that_is_refused_is_told_with_what_to_do() {
    let world = world("", "employee_id");
    world.write("book.csv", b"PK\x03\x04 and so on");
    let found = looked(&world, 4, "book.csv");
    assert_eq!(
        found,
        json!({
            "system": "hr", "file": "book.csv",
            "refused": "this is not CSV: it looks like a ZIP archive, such as an Excel workbook (.xlsx)",
            "hint": "export it as CSV; renaming it does not change what it is",
        })
    );
    let ran = world.homeward(&["check", "hr=book.csv"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (4, ""));
    assert!(ran.stderr.contains("book.csv: this is not CSV"), "{}", ran.stderr);
}

#[test]
fn item_51_a_list_is_compared_with_the_last_accepted_one_and_limits_are_told_before_anything_is_asked() {
    let world = company(40, "");
    world.forget(&["gitlab"]);
    let mut next = rows((1..=41).filter(|number| *number != 9));
    next[0].username = "renamed".to_owned();
    world.write("next.csv", list(&next).as_bytes());
    let found = world.on(TODAY, 0, &["check", "hr=next.csv"])["files"][0].clone();
    assert_eq!(found["compared"]["with"]["file"], "day1.csv");
    assert_eq!(
        [&found["compared"]["before"], &found["compared"]["new"], &found["compared"]["missing"]],
        [&json!(40), &json!(["000041"]), &json!(["000009"])]
    );
    assert_eq!(found["compared"]["differing"], json!({ "username": 1 }));
    assert_eq!(found["would_hold"], json!([]));

    world.write("next.csv", list(&rows((1..=40).filter(|number| *number < 10 || *number > 20))).as_bytes());
    let found = world.on(TODAY, 6, &["check", "hr=next.csv"])["files"][0].clone();
    assert_eq!(
        found["would_hold"],
        json!(["11 of 40 people that the last list of hr held are not in this one; `limits.missing` allows 5"])
    );
    assert_eq!(world.asked("gitlab"), Vec::<String>::new());
    assert_eq!(world.json(0, &["runs"])["runs"].as_array().unwrap().len(), 1);
}
