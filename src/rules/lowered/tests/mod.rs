//! Both evaluators, the walk and the engine, on the same scripts and records: they cannot differ.

mod random;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::SystemName,
        record::{Header, Record, RecordOrigin, Statement},
    },
    rules::{Known, KnownSystem, RuleError, RuleSet},
};

fn known() -> Known {
    let source = KnownSystem { is_source: true, ..KnownSystem::default() };
    let own: Vec<String> = ["note", "groups", "is_external"].map(str::to_owned).into();
    let gitlab = KnownSystem {
        is_provider: true,
        attributes: own.clone(),
        own_attributes: own,
        sets: BTreeMap::from([("groups".to_owned(), vec!["member".to_owned()])]),
        ..KnownSystem::default()
    };
    Known {
        systems: ["hr", "s0", "s1", "s2", "s3", "s4", "s5"]
            .into_iter()
            .map(|name| (name.into(), source.clone()))
            .chain([("gitlab".into(), gitlab)])
            .collect(),
        extra_attributes: BTreeSet::from([AttributeName::new("cost_center")]),
    }
}

fn try_load(script: &str) -> Result<RuleSet, Vec<RuleError>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.rhai"), script).unwrap();
    RuleSet::load(folder.path(), "rules", &known(), jiff::civil::date(2026, 11, 20))
}

fn load(script: &str) -> RuleSet {
    try_load(script).unwrap_or_else(|errors| panic!("{script}\n{}", errors[0]))
}

fn hr() -> SystemName {
    "hr".into()
}

fn record(header: &Arc<Header>, fields: &[&str]) -> Record {
    let origin = RecordOrigin { file: "people.csv".into(), line: 7 };
    Record { origin, header: Arc::clone(header), fields: fields.iter().collect() }
}

const COLUMNS: [&str; 4] = ["id", "first", "last", "note"];

fn header() -> Arc<Header> {
    Arc::new(Header::new(COLUMNS.map(str::to_owned)))
}

/// What came of a record, errors with all they say.
fn told(said: Result<Option<Statement>, RuleError>) -> Result<Option<Statement>, String> {
    said.map_err(|error| format!("{error} {:?} {:?} {:?}", error.origin(), error.record(), error.hint()))
}

/// Compares the two on a record. True where the engine was not needed.
fn same(rules: &RuleSet, script: &str, record: &Record) -> bool {
    both(rules, &hr(), script, record).0
}

/// The same for a source: whether the engine was not needed, and whether it has no objection.
fn both(rules: &RuleSet, system: &SystemName, script: &str, record: &Record) -> (bool, bool) {
    let slow = told(rules.map_with_engine(system, record));
    let fast = rules.shortcut(system).and_then(|lowered| lowered.map(system, record).ok());
    let needless = fast.is_some();
    if let Some(fast) = fast {
        assert_eq!(Ok(&fast), slow.as_ref(), "{system}: {script}\n{record:?}");
    }
    if !needless || record.fields.get(0).is_some_and(|id| id.len() == 1) {
        assert_eq!(told(rules.map(system, record)), slow, "{system}: {script}\n{record:?}");
    }
    (needless, slow.is_ok())
}

const FIELDS: [&[&str]; 9] = [
    &["7", "Anna", "Albrecht", "2026-11-20"],
    &[" 8 ", "  ", "", ""],
    &["9", "Jürgen", "Müller-Groß", "x@example.org"],
    &["10", "ANNA", "anna", "a,b,c"],
    &["11", "a", "b", "1"],
    &["12", "ǅ ŉ İ", "\u{a0}e\u{301}\u{2003}", "E-1234"],
    &["", "no key", "at all", "2026-02-30"],
    &["13", "Sales", "Ops", "true"],
    &["14", "too", "few"],
];

/// Compares the two on all samples; how many of them were not left to the engine.
fn compared(script: &str) -> usize {
    let (rules, header) = (load(script), header());
    let long = "ö".repeat(600);
    let huge = "x".repeat(20_000);
    let mut fields: Vec<Vec<&str>> = FIELDS.iter().map(|fields| fields.to_vec()).collect();
    fields.push(vec!["15", &long, "b", &long]);
    fields.push(vec!["16", &huge, "b", "c"]);
    let records = fields.iter().map(|fields| record(&header, fields));
    records.filter(|record| same(&rules, script, record)).count()
}

/// A rule that says what an expression is, or whether it is `()`.
fn of_expression(expression: &str) -> String {
    format!("source(\"hr\", |row| #{{ key: row.id, nickname: {expression} }});")
}

#[test]
fn what_people_write_is_lowered_and_the_same() {
    for expression in [
        "row.first.trim().lower()",
        "row.first.trim() + \" \" + row.last.trim()",
        "`${row.first.trim()} ${row.last.upper()}!`",
        "row[\"first\"].title()",
        "if row.note == \"\" { () } else { row.note }",
        "if row.note != \"\" && row.note <= \"2026-11-20\" { \"past\" } else if row.first < row.last { \"b\" } else { \"c\" }",
        "row.first.slug() + \".\" + row.last.slug(\"de\")",
        "row.last.ascii()",
        "row.note.before(\"@\") + '/' + row.note.after('@')",
        "row.first.or(\"nobody\")",
        "row.note.split(\",\")[0]",
        "row.note.split(\",\").len()",
        "row.note.replace(\",\", \"; \").replace('x', 'y')",
        "row.first.sub_string(0, 1) + row.last.sub_string(-3)",
        "if row.note.matches(\"^E-[0-9]+$\") { row.note.capture(\"^E-([0-9]+)$\")[1] }",
        "if row.first in [\"Anna\", \"Sales\"] { \"known\" } else { \"unknown\" }",
        "if row.first.contains(\"nn\") || row.last.starts_with('M') || row.last.ends_with(\"ps\") { \"yes\" }",
        "if row.first.is_blank() || !row.has(\"none\") { row.first.len().to_string() }",
        "if row.note <= today() { \"past\" }",
        "switch row.first { \"Anna\" => \"A\", \"Sales\" | \"Ops\" => { let x = row.last; x + \"!\" }, _ => \"other\" }",
        "switch row.first.len() { 1 => \"one\", 4 if row.last == \"anna\" => \"four\", 4 => \"4\" }",
        "row.note?.lower()",
        "() ?? row.note",
        "{ let a = row.first; { let a = row.last; a += \"x\"; } a += row.last; a }",
        "{ let it = row; it.first + it[\"last\"] }",
        "row.first.len() * 3 - 2 + 7 / 2 % 3",
        "-row.first.len()",
        "row.first.len",
        "'x'",
        "clear()",
    ] {
        assert!(compared(&of_expression(expression)) >= 5, "{expression}");
    }
}

#[test]
fn functions_and_constants_of_the_script_are_lowered_and_the_same() {
    let script = r#"
const TEAMS = #{ "Anna": "a-team", "Sales": "s-team" };
const LEADERS = ["Anna", "anna"];
const NOBODY = "nobody";
fn is_leader(row) { row.first in LEADERS || row.last in LEADERS }
fn clean(text, other) { if text.is_blank() { return other; } text = text.trim(); text.lower() }
fn team(name) { if name in TEAMS { TEAMS[name] } else if TEAMS.contains(NOBODY) { "never" } else { "none" } }
fn full(row) { clean(row.first, NOBODY) + "." + clean(row.last, NOBODY) }
source("hr", |row| {
    if row.id == "11" { return; }
    let found = team(row.first);
    let said = #{ key: row.id, username: full(row), active: !is_leader(row), department: found,
        "gitlab.note": TEAMS.len().to_string(), "gitlab.is_external": row.note == "", cost_center: LEADERS[-1] };
    if is_leader(row) { return said; }
    said
});
"#;
    assert_eq!(compared(script), 7);
}

#[test]
fn what_is_not_lowered_falls_back_and_is_the_same() {
    for expression in [
        "{ let n = 0; for letter in row.first.split(\"\") { n += 1; } n }",
        "{ let a = [1]; a.push(2); a.len() }",
        "{ let m = #{}; m.x = row.first; m.x }",
        "row.missing",
        "row.first.nonsense()",
        "row.first + 1",
        "if row.first { \"x\" }",
        "1.5",
        "{ throw row.first; }",
        "[row.first]",
        "row.first.date(\"%Y-%m-%d\")",
        "true",
        "\"abc\"[1..2]",
        "type_of(row.first)",
        "row.first.split(\",\").map(|x| x.lower())[0]",
        "9223372036854775807 + row.first.len()",
        "row.first?.replace(row.missing, \"x\")",
        "()?.before(row.missing)",
    ] {
        compared(&of_expression(expression));
    }
    assert_eq!(compared(&of_expression("{ for i in 0..3 { } row.first }")), 0);
    assert!(compared(&of_expression("if row.first == \"a\" { for i in 0..3 { } \"loop\" } else { row.first }")) >= 5);
}

#[test]
fn a_rule_may_return_anything_and_it_is_the_same() {
    for rule in [
        "|row| ()",
        "|row| []",
        "|row| [#{ key: row.id }]",
        "|row| #{ key: () }",
        "|row| #{ key: clear() }",
        "|row| #{ key: 'x', active: true, phone: 7 }",
        "|row| #{ key: row.id.len(), active: row.first == \"a\", email: 'e' }",
        "|row| #{ key: row.id, active: \"yes\" }",
        "|row| #{ key: row.id, email: false }",
        "|row| #{ key: row.id, email: [] }",
        "|row| #{ key: row.id, email: row }",
        "|row| #{ key: row.id, unknown: row.first }",
        "|row| #{ key: row.id, \"gitlab.groups\": () }",
        "|row| #{ key: row.id, \"gitlab.groups\": [row.first] }",
        "|row| #{ email: row.first }",
        "|row| row.first",
        "|row| row",
        "|row| if row.first == \"a\" { #{ key: row.id, email: row.last } }",
        "|row| { return #{ key: row.id, email: row.last }; }",
        "|row| { let said = #{ key: row.id, email: row.last }; said.phone = row.first; said }",
        "|row| { let a = #{ key: row.id }; let b = #{ key: row.first, email: row.last }; if row.last == \"b\" { b } else { a } }",
        "|row| #{ key: row.id, email: row.last.clear() }",
    ] {
        compared(&format!("source(\"hr\", {rule});"));
    }
}

#[test]
fn the_rule_of_the_bench_is_lowered() {
    let text = fs::read_to_string("benches/people/people.rs").unwrap();
    let rule = text.split("r#\"").nth(1).unwrap().split("\"#").next().unwrap();
    assert!(rule.starts_with("|row| {") && rule.contains("termination_date"), "{rule}");
    let script = format!("source(\"hr\", {rule});");
    let names = "employee_id,first_name,last_name,email,username,job_title,department,location,manager_id,\
                 hire_date,termination_date,status,phone,locale";
    let header = Arc::new(Header::new(names.split(',').map(str::to_owned)));
    let rules = load(&script);
    for fields in [
        "E0000007,Anna ,Müller,User0000007@Example.org,User0000007,Nurse,,Berlin,E0,2010-03-01,,Active,+49 30 1,de-DE",
        "E8,Noël,Petit,a@b,Ñ,Engineer,Sales,Remote,E0,2027-01-01,2024-06-30,Terminated,,",
        "E9,,,,,,,,,,,,,",
    ] {
        let fields: Vec<&str> = fields.split(',').collect();
        assert!(same(&rules, &script, &record(&header, &fields)), "{fields:?}");
    }
}

#[test]
fn the_shipped_rules_are_lowered() {
    let mut files = vec![Path::new("rules/people.rhai").to_owned()];
    for example in fs::read_dir("examples").unwrap() {
        let folder = example.unwrap().path();
        for folder in [folder.join("rules"), folder.join("people/rules")] {
            let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
            files.extend(entries.filter(|path| path.extension().is_some_and(|it| it == "rhai")));
        }
    }
    let pattern = regex::Regex::new(r"(?:row|form|user|profile)\.(\w+)").unwrap();
    let mut all = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let Some(start) = text.find("source(\"") else { continue };
        // The line alone, and the functions of its file: owners and providers are of the project.
        let end = start + text[start..].find(";\n").unwrap() + 2;
        let line = &text[start..end];
        let functions: String = text[end..].split_inclusive("\n}\n").filter(|it| it.contains("\nfn ")).collect();
        let functions = functions.find("\nfn ").map_or("", |at| &functions[at..]);
        let script = format!("{}{functions}", line.replacen(line.split('"').nth(1).unwrap(), "hr", 1));
        let mut attributes = BTreeSet::from([AttributeName::new("forum.title")]);
        attributes.extend(["external_id", "groups"].map(|name| AttributeName::new(&format!("directory.{name}"))));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("people.rhai"), &script).unwrap();
        let known = Known { extra_attributes: attributes, ..known() };
        let rules = RuleSet::load(folder.path(), "rules", &known, jiff::civil::date(2026, 11, 20));
        let rules = rules.unwrap_or_else(|errors| panic!("{script}\n{}", errors[0]));
        let columns: BTreeSet<String> = pattern.captures_iter(&script).map(|found| found[1].to_owned()).collect();
        let header = Arc::new(Header::new(columns.iter().cloned()));
        for sample in ["", " Ä b ", "Active", "2026-11-20", "x"] {
            let field = |name: &str| if name.ends_with("id") { "7" } else { sample };
            let fields: Vec<&str> = columns.iter().map(|name| field(name)).collect();
            let lowered = same(&rules, &script, &record(&header, &fields));
            assert!(lowered, "{} {:?}", file.display(), rules.shortcut(&hr()));
            all += 1;
        }
    }
    assert_eq!(all, 9 * 5);
}

#[test]
fn a_shape_without_some_attributes_is_the_same_as_one_with_all() {
    let rules = load("source(\"hr\", |row| #{ key: row.id, email: row.first, phone: row.last, nickname: row.note });");
    let header = header();
    for fields in [["1", "a", "b", "c"], ["1", "", "b", "c"], ["1", "", "", ""], ["1", "a", "", "c"]] {
        assert!(same(&rules, "", &record(&header, &fields)));
    }
    let said = rules.map(&hr(), &record(&header, &["1", "", "b", ""])).unwrap().unwrap();
    assert_eq!(said.values, [(AttributeName::new("phone"), Value::text("b"))].into());
}
