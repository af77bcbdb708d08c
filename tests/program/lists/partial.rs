//! What never removes anybody (item 27 and the law it stands for): rows that cannot be used, parts of lists, repaired rows.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::{
    common::World,
    company::{HEADER, RULES, Row, TODAY, company, config, gitlab, list, missing, rows},
};

#[test]
fn item_27_whoever_has_a_row_that_cannot_be_used_is_neither_missing_nor_changed() {
    let world = company(30, "");
    let good = list(&rows(1..=30));
    for (broken, code) in [
        ("000007,First7,Last7,p7@example.com,user7,,,", "too_many_fields"),
        ("000007,First7", "too_few_fields"),
        ("000007,First7,La\u{7}st7,p7@example.com,user7,,", "control_character"),
        ("000007,First7,#REF!,p7@example.com,user7,,", "spreadsheet_error"),
    ] {
        let line = "000007,First7,Last7,p7@example.com,user7,,";
        assert!(good.contains(line));
        world.write("next.csv", good.replace(line, broken).as_bytes());
        let plan = world.on(TODAY, 0, &["plan", "hr=next.csv"]);
        assert_eq!(plan["rejected"][0]["code"], code);
        assert_eq!(
            (missing(&plan), &plan["changes"], &plan["seen"]),
            (Vec::new(), &Value::Array(Vec::new()), &Value::Array(Vec::new()))
        );
    }
}

#[test]
fn item_27_a_row_that_may_be_anybodys_keeps_everybody() {
    let world = company(30, "");
    // One row without a key, and two people whose rows are not there: one of them may be that row's.
    let mut text = list(&rows((1..=30).filter(|number| ![7, 8].contains(number))));
    text.insert_str(HEADER.len() + 1, ",First7,Last7,p7@example.com,user7,,\n");
    world.write("next.csv", text.as_bytes());
    let plan = world.on(TODAY, 0, &["plan", "hr=next.csv"]);
    assert_eq!((missing(&plan), &plan["calls"]), (Vec::new(), &Value::Array(Vec::new())));
    let told = "a row that could not be used may be anybody's, so nobody counts as gone (not listed now: 2)";
    let warned = plan["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
    assert!(warned.into_iter().any(|warning| warning.contains(told)), "{}", plan["warnings"]);
    let explained = world.homeward(&["--lab", "--today", TODAY, "explain", "hr/000007", "hr=next.csv"]).stderr;
    assert!(explained.contains("hr showed this key in an earlier run"), "{explained}");
}

/// What may be done to one row of a list without anybody leaving by it.
#[derive(Clone, Debug)]
enum Harm {
    /// A field more, a field less, a control character: the row is rejected and its key is known.
    Field,
    Short,
    Bell,
    /// The key is lost: the row is anybody's.
    NoKey,
    /// The key looks like a spreadsheet's number: the row is anybody's.
    Shortened,
    /// The row stands there twice and differs.
    Twice,
}

impl Harm {
    fn done_to(&self, row: &Row) -> String {
        let Row { id, first, last, email, username, .. } = row;
        match self {
            Self::Field => format!("{id},{first},{last},{email},{username},,,x\n"),
            Self::Short => format!("{id},{first},{last}\n"),
            Self::Bell => format!("{id},{first},{last}\u{7}s,{email},{username},,\n"),
            Self::NoKey => format!(",{first},{last},{email},{username},,\n"),
            Self::Shortened => format!("1.0E+05,{first},{last},{email},{username},,\n"),
            Self::Twice => {
                format!("{id},{first},{last},{email},{username},,\n{id},{first},Other,{email},{username},,\n")
            }
        }
    }
}

fn harm() -> impl Strategy<Value = Harm> {
    prop::sample::select(vec![Harm::Field, Harm::Short, Harm::Bell, Harm::NoKey, Harm::Shortened, Harm::Twice])
}

/// Nobody is said to be gone, and nobody's account would be switched off.
fn nobody_leaves(plan: &Value) -> Result<(), TestCaseError> {
    prop_assert_eq!(missing(plan), Vec::<String>::new());
    let off = plan["calls"].as_array().unwrap().iter().find(|call| call["operation"] == "disable");
    prop_assert_eq!(off, None);
    Ok(())
}

/// A plan of this text as the next list. A file may be refused or held; what it would do must be nothing to anybody then.
fn planned(world: &World, text: &str) -> Option<Value> {
    world.write("next.csv", text.as_bytes());
    let ran = world.homeward(&["--lab", "--quiet", "--format", "json", "--today", TODAY, "plan", "hr=next.csv"]);
    assert!([0, 4, 6].contains(&ran.status), "{} {}", ran.status, ran.stderr);
    (ran.status != 4).then(|| serde_json::from_str(&ran.stdout).unwrap())
}

#[test]
fn item_27_no_row_that_is_broken_removes_anybody() {
    let world = company(24, "rejected = { share = \"100%\" }");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let harms = prop::collection::btree_map(1..=24_usize, harm(), 1..6);
    runner
        .run(&harms, |harms| {
            let mut text = format!("{HEADER}\n");
            for number in 1..=24 {
                let row = Row::of(number);
                match harms.get(&number) {
                    Some(harm) => text.push_str(&harm.done_to(&row)),
                    None => text.push_str(list(&[row]).split_once('\n').unwrap().1),
                }
            }
            planned(&world, &text).map_or(Ok(()), |plan| nobody_leaves(&plan))
        })
        .unwrap();
}

#[test]
fn item_34_no_part_of_a_list_removes_anybody() {
    let everybody = rows(1..=24);
    let mut world = World::new()
        .file("homeward.toml", &config("coverage = \"partial\"", ""))
        .file("rules/people.rhai", RULES)
        .file("lab/gitlab.json", &gitlab(&everybody))
        .file("day1.csv", &list(&everybody));
    world.start_lab(&[]);
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&prop::sample::subsequence(everybody, 1..=24), |some| {
            let plan = planned(&world, &list(&some)).unwrap();
            prop_assert_eq!(&plan["changes"], &Value::Array(Vec::new()));
            nobody_leaves(&plan)
        })
        .unwrap();
}

#[test]
fn item_32_no_file_of_repaired_rows_removes_anybody() {
    let world = company(24, "");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&prop::sample::subsequence(rows(1..=24), 1..=24), |some| {
            let mut text = format!("homeward_line,homeward_code,homeward_reason,{HEADER}\n");
            for line in list(&some).lines().skip(1) {
                writeln!(text, "7,too_many_fields,repaired,{line}").unwrap();
            }
            let plan = planned(&world, &text).unwrap();
            prop_assert_eq!(&plan["inputs"][0]["list"], &Value::Null);
            nobody_leaves(&plan)
        })
        .unwrap();
}
