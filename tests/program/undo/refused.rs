//! What is not taken back: fields that others have changed since, and runs that are not over.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    common::journey::{change, changes},
    company::{SYSTEMS, company, differences, hears, row, rows, states},
};

/// Fields of each system, as rules name them and as the simulator stores them.
const FIELDS: [(&str, &str, &str); 8] = [
    ("gitlab", "username", "username"),
    ("gitlab", "display_name", "name"),
    ("gitlab", "gitlab.note", "note"),
    ("mattermost", "username", "username"),
    ("mattermost", "nickname", "nickname"),
    ("mattermost", "position", "position"),
    ("zitadel", "username", "username"),
    ("zitadel", "first_name", "first_name"),
];

#[test]
fn exactly_the_fields_that_others_changed_since_are_refused_and_left() {
    const PEOPLE: usize = 12;
    let world = company(PEOPLE, &[]);
    let before = states(&world);
    let mut said = rows(PEOPLE);
    for (at, row) in said.iter_mut().enumerate() {
        for (column, value) in
            [("username", "new"), ("first", "Fresh"), ("nick", "Fresh"), ("position", "Fresh"), ("note", "Fresh")]
        {
            row.insert(column, format!("{value}{at}"));
        }
    }
    hears(&world, 0, &said);
    // Twenty edits: of each person one or two fields, in another way for each, so that calls of several fields are torn.
    let mut theirs = BTreeSet::new();
    for edit in 0..20 {
        let at = edit * 7 % PEOPLE;
        let (system, attribute, field) = FIELDS[(edit * 3 + edit / PEOPLE) % FIELDS.len()];
        let id = match system {
            "gitlab" => (100 + at).to_string(),
            "mattermost" => format!("{:0<26}", format!("chat{at:02}")),
            _ => (2000 + at).to_string(),
        };
        world.lab(system, "POST", &format!("meddle/{id}"), &json!({ field: format!("theirs{edit}") }));
        theirs.insert((format!("hr/{at}"), attribute.to_owned(), system.to_owned()));
    }
    assert_eq!(theirs.len(), 20);
    let between = states(&world);

    let plan = world.json(0, &["undo", "2", "--out", "plan.json"]);
    let all = plan["changes"].as_array().unwrap();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let is = |decision: &str| -> BTreeSet<(String, String, String)> {
        let chosen = all.iter().filter(|one| one["decision"] == decision);
        chosen.map(|one| (text(one, "person"), text(one, "attribute"), text(one, "system"))).collect()
    };
    assert_eq!(is("refuse"), theirs);
    assert_eq!((all.len(), is("apply").len()), (PEOPLE * 11, PEOPLE * 11 - 20));
    for one in all.iter().filter(|one| one["decision"] == "refuse") {
        assert_eq!(one["reason"], "changed since by somebody else: undo leaves it");
    }
    let report = world.json(4, &["undo", "2", "--yes"]);
    assert!(report["outcomes"].as_array().unwrap().iter().all(|one| one["outcome"] == "done"), "{report:#}");

    // Where somebody else wrote, it is as it was between; everywhere else it is as it was before.
    let after = states(&world);
    let mut kept = differences(&before, &after);
    kept.retain(|place, _| place != "mattermost/mails");
    assert_eq!(kept.len(), 20, "{kept:#?}");
    let taken_back = differences(&between, &after);
    for place in kept.keys() {
        assert!(!taken_back.contains_key(place), "{place} was theirs");
    }
}

#[test]
fn a_field_that_a_later_run_changed_belongs_to_that_run() {
    let world = company(3, &[]);
    let mut said = rows(3);
    said[0].insert("nick", "Second".to_owned());
    said[0].insert("position", "Second".to_owned());
    hears(&world, 0, &said);
    said[0].insert("nick", "Third".to_owned());
    hears(&world, 0, &said);
    let plan = world.json(0, &["undo", "2", "--out", "plan.json"]);
    let expected = [
        "hr/0 nickname mattermost refuse Third → Nick0",
        "hr/0 nickname zitadel refuse Third → Nick0",
        "hr/0 position mattermost apply Second → Position0",
    ];
    assert_eq!(changes(&plan), expected);
    // The later one first: then the earlier one finds what it left.
    world.json(0, &["undo", "3", "--yes"]);
    world.json(0, &["undo", "2", "--yes"]);
    assert_eq!(world.user("mattermost", "username", "p0")["nickname"], "Nick0");
}

#[test]
fn a_name_that_somebody_took_since_is_not_taken_from_her() {
    let world = company(3, &[]);
    let mut said = rows(3);
    said[0].insert("username", "new".to_owned());
    hears(&world, 0, &said);
    world.lab("gitlab", "POST", "meddle/102", &json!({ "username": "p0" }));
    let plan = world.json(0, &["undo", "2", "--out", "plan.json"]);
    let refused = change(&plan, "hr/0", "username", "gitlab");
    assert_eq!(refused["refusal"], "taken");
    assert_eq!(refused["reason"], "account 102 at gitlab has this `username` already; this person's is 100");
    assert_eq!(change(&plan, "hr/0", "username", "mattermost")["decision"], "apply");
}

#[test]
fn protected_accounts_are_held_and_limits_hold_the_whole() {
    let world = company(8, &[]);
    let mut said = rows(8);
    for row in &mut said {
        row.insert("nick", "Fresh".to_owned());
    }
    hears(&world, 0, &said);
    let settings = world.read("homeward.toml");
    world.write("homeward.toml", (settings.clone() + "[limits]\nprotected = [\"zitadel:p1\"]\n").as_bytes());
    let plan = world.json(0, &["undo", "2", "--out", "plan.json"]);
    let held = change(&plan, "hr/1", "nickname", "zitadel");
    assert_eq!([&held["decision"], &held["reason"]], ["hold", "the account is protected by `limits.protected`"]);

    world.write(
        "homeward.toml",
        (settings + "[limits]\nattributes = { nickname = { share = \"10%\", at_least = 1 } }\n").as_bytes(),
    );
    world.forget(&SYSTEMS);
    let ran = world.homeward(&["--lab", "undo", "2", "--yes"]);
    assert_eq!(ran.status, 6, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("held as run 3: carry it out with `homeward --lab approve 3`"), "{}", ran.stderr);
    assert_eq!(SYSTEMS.map(|system| world.writes(system).len()), [0, 0, 0]);
    // What has changed nothing cannot be taken back.
    let ran = world.homeward(&["--lab", "undo", "3"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("  × run 3 has changed nothing yet: it is held\n"), "{}", ran.stderr);
    assert_eq!(world.homeward(&["--lab", "approve", "3", "--yes"]).status, 0);
    assert_eq!(world.user("zitadel", "username", "p1")["nickname"], row(1)["nick"]);
}

#[test]
fn a_run_that_is_not_there_or_not_over_is_not_undone() {
    let world = company(2, &[]);
    let ran = world.homeward(&["--lab", "undo", "7"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert_eq!(ran.stderr, "  × there is no run 7\n  help: list them with: homeward --lab runs\n");
    assert_eq!(world.json(2, &["undo", "7"])["errors"][0]["message"], "there is no run 7");
    // Nobody is there to answer.
    let mut said = rows(2);
    said[0].insert("nick", "Fresh".to_owned());
    hears(&world, 0, &said);
    let ran = world.homeward(&["--lab", "undo", "2"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("nothing is changed without asking, and nobody is there to answer"), "{}", ran.stderr);
}
