//! Tests as the rules room runs them, with plans that nobody has to make.

use std::cell::RefCell;

use super::*;
use crate::rules::{Coverage, Known, KnownSystem, Mutant, Occasion, Texts, mutants};

/// Makes empty plans, and remembers what was asked for.
#[derive(Default)]
struct Nothing(RefCell<Vec<Scenario>>);

impl Rehearsal for Nothing {
    fn plan(&self, scenario: &Scenario) -> Result<Rehearsed, Unplanned> {
        self.0.borrow_mut().push(scenario.clone());
        if scenario.source.as_str() == "hr" && scenario.saying == Saying::Csv("broken".to_owned()) {
            return Err(Unplanned::Other("the file is broken".to_owned()));
        }
        Ok(Rehearsed { plan: Plan::empty(), objections: Vec::new() })
    }
}

fn known() -> Known {
    let provider = KnownSystem {
        is_provider: true,
        attributes: vec!["username".to_owned(), "email".to_owned()],
        lookups: vec!["email".to_owned()],
        ..KnownSystem::default()
    };
    let source = KnownSystem { is_source: true, ..KnownSystem::default() };
    let systems = [("gitlab", provider.clone()), ("zitadel", provider), ("hr", source)];
    let systems = systems.into_iter().map(|(name, it)| (name.into(), it)).collect();
    Known { systems, extra_attributes: std::collections::BTreeSet::new() }
}

fn texts(rules: &str) -> Texts {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.rhai"), rules).unwrap();
    Texts::read(folder.path(), "rules").unwrap()
}

fn load(texts: &Texts, counts: bool) -> RuleSet {
    let occasion = Occasion { goldens: Goldens::default(), counts };
    RuleSet::rehearse(texts, &known(), jiff::civil::date(2026, 11, 20), occasion).unwrap()
}

/// What is wrong with each test; nothing where it passed.
fn run(rules: &str) -> (Vec<Option<String>>, Vec<Scenario>) {
    let (rules, nothing) = (load(&texts(rules), false), Nothing::default());
    let count = rules.tests().count();
    let outcomes = (0..count).filter_map(|at| rules.run_test(at, &nothing));
    let told = outcomes.map(|outcome| outcome.failure.map(|error| error.to_string())).collect();
    (told, nothing.0.into_inner())
}

#[test]
fn a_test_runs_on_with_each_plan_and_asks_for_none_twice() {
    let (told, asked) = run(
        "test(\"a\", || {\n    let a = given().when(\"hr\", #{ id: 1, b: () });\n    today(\"2026-01-02\");\n    \
         let b = given().when(\"hr\", [#{ id: 2, b: true }]);\n    assert_eq(a.calls, b.calls);\n    assert_nothing(b);\n});",
    );
    assert_eq!(told, [None]);
    let said: Vec<_> = asked.iter().map(|it| (it.saying.clone(), it.today.map(|day| day.to_string()))).collect();
    let record = |columns: &[(&str, &str)]| {
        Saying::Records(vec![columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()])
    };
    let second = record(&[("b", "true"), ("id", "2")]);
    assert_eq!(said, [(record(&[("b", ""), ("id", "1")]), None), (second, Some("2026-01-02".to_owned()))]);
}

#[test]
fn a_misspelt_name_is_no_wrong_plan() {
    for (asked, told) in [
        ("plan.change(\"usernme\")", "unknown attribute `usernme`"),
        ("plan.decided(\"usernme\") == ()", "unknown attribute `usernme`"),
        ("plan.decided(\"username\", \"gitlb\") == ()", "unknown system `gitlb`"),
    ] {
        let rules = format!("test(\"a\", || {{ let plan = given().when(\"hr\", #{{ id: 1 }}); assert({asked}); }});");
        assert_eq!(run(&rules).0, [Some(told.to_owned())], "{asked}");
    }
}

#[test]
fn a_test_that_asks_for_plans_without_end_is_stopped() {
    let (told, asked) = run("test(\"a\", || { let i = 0; loop { given().when(\"hr\", #{ id: i }); i += 1; } });");
    assert_eq!(told, [Some("one test asks for more than 50 plans".to_owned())]);
    assert_eq!(asked.len(), MAX_PLANS);
}

#[test]
fn a_plan_that_cannot_be_made_fails_the_test_that_asked() {
    let (told, _) =
        run("test(\"a\", || assert_nothing(given().when_csv(\"hr\", \"broken\")));\ntest(\"b\", || assert(true));");
    assert_eq!(told, [Some("no plan can be made: the file is broken".to_owned()), None]);
}

#[test]
fn values_are_compared_all_the_way_down_and_shown_as_a_script_writes_them() {
    let rules = "test(\"same\", || assert_eq(#{ a: [1, \"x\", (), true] }, #{ a: [1, \"x\", (), true] }));\n\
                 test(\"other\", || assert_eq(#{ a: [1, 'x'] }, #{ a: [1, \"y\"] }));\n\
                 test(\"kinds\", || assert_eq(1, \"1\"));\ntest(\"no truth\", || assert(1));";
    let rules = load(&texts(rules), false);
    let failures = (0..4).map(|at| rules.run_test(at, &Nothing::default()).unwrap().failure);
    let told: Vec<_> = failures
        .map(|error| match error?.fault() {
            Fault::Failed(failure) => Some(format!("{:?} {:?}", failure.left.as_deref(), failure.right.as_deref())),
            fault => Some(fault.to_string()),
        })
        .collect();
    let both = |left: &str, right: &str| Some(format!("{:?} {:?}", Some(left), Some(right)));
    let truth = Some("what `assert` is given must be true or false, but is a number".to_owned());
    assert_eq!(told, [None, both("#{ a: [1, \"x\"] }", "#{ a: [1, \"y\"] }"), both("1", "\"1\""), truth]);
}

#[test]
fn what_runs_is_counted_by_line_and_branch_and_tests_count_for_nothing() {
    let texts = texts(
        "const A = 1;\nowner(\"email\", \"gitlab\");\nfn pick(x) {\n    switch x {\n        1 => \"one\",\n        2 => \"two\",\n        \
         _ => \"many\",\n    }\n}\nfn never() {\n    if A == 1 { 2 }\n    3\n}\nfn twice(x) {\n    let all = 0;\n    for i in [1, 2] {\n        \
         if i == x { all += 1; } else if i > 5 { all += 9; }\n    }\n    all\n}\ntest(\"a\", || {\n    assert_eq(pick(2), \"two\");\n    assert_eq(pick(7), \"many\");\n    \
         assert_eq(twice(2), 1);\n});",
    );
    let rules = load(&texts, true);
    let outcome = rules.run_test(0, &Nothing::default()).unwrap();
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    let coverage = Coverage::of(&rules, &texts, &[outcome]).unwrap();
    let covered = &coverage.files["rules/a.rhai"];
    let branches: Vec<_> =
        covered.branches.iter().map(|it| format!("{}:{} {} {}", it.line, it.column, it.way, it.taken)).collect();
    assert_eq!(
        branches,
        [
            "4:5 case 0",
            "4:5 case 1",
            "4:5 case 1",
            "11:5 if 0",
            "11:5 else 0",
            "17:9 if 1",
            "17:9 else 1",
            "17:38 if 0",
            "17:38 else 1",
        ]
    );
    let never: Vec<usize> = covered.lines.iter().filter(|(_, count)| **count == 0).map(|(line, _)| *line).collect();
    assert_eq!(never, [2, 5, 11, 12]);
    assert_eq!(covered.lines.keys().next_back(), Some(&19));
    assert!(Coverage::of(&load(&texts, false), &texts, &[]).is_none(), "nobody counts where nobody asked");
}

#[test]
fn faults_are_put_where_rules_stand_and_lines_stay_where_they_are() {
    let text = "owner(\"email\", \"gitlab\", |person|\n    person.gitlab?.email != \"a, )\");\n// a == b\nsource(\"hr\", |row| #{\n    key: row.id,\n    email: row.email.lower(),\n});\n\
                test(\"a\", || assert(1 == 1));\n";
    let texts = texts(text);
    let all = mutants(&texts, &known());
    let told: Vec<_> = all.iter().map(|it: &Mutant| format!("{}:{} {}", it.line, it.column, it.what)).collect();
    assert_eq!(
        told,
        [
            "1:1 line left out",
            "1:16 another system",
            "2:5 condition turned round",
            "2:5 condition always true",
            "2:26 comparison turned round",
            "2:29 literal changed",
            "6:5 key left out",
            "6:21 helper left out",
        ]
    );
    for mutant in &all {
        let changed = texts.with(mutant);
        let lines = |texts: &Texts| texts.scripts[0].text.lines().count();
        assert_eq!(lines(&changed), lines(&texts), "{mutant:?}");
        assert_ne!(changed.scripts[0].text, texts.scripts[0].text);
    }
    let first: Vec<&str> = text.lines().take(2).collect();
    assert_eq!((all[0].before.clone(), all[0].after.trim()), (first.join("\n"), ""));
}
