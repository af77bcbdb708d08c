//! A record that a rule cannot read is put aside and named; a rule that is wrong stops the run, whatever the record.

use crate::common::World;

/// A project whose rule reads a date, and a column that only `status` leads to.
fn world(rows: &str) -> World {
    World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\n\
             token = { env = \"GITLAB_TOKEN\" }\n",
        )
        .file(
            "rules/people.rhai",
            r#"owner(["email", "position"], "hr");
copies("email", "gitlab");
join("gitlab", "email");
source("hr", |row| #{
    key: row.id,
    email: row.email,
    position: if row.status == "new" { row.titel } else { row.since.date("%d.%m.%Y") },
});
"#,
        )
        .file("people.csv", &format!("id,email,status,since,title\n{rows}"))
}

#[test]
fn a_record_that_no_rule_can_read_is_rejected_alone_with_its_code() {
    let world = world("1,anna@example.com,old,01.02.2026,\n2,ben@example.com,old,yesterday,\n");
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.status, plan["rejected"].clone(), plan["inputs"][0]["records"].clone()),
        (
            0,
            serde_json::json!([{
                "system": "hr", "file": "people.csv", "line": 3, "column": "since", "code": "not_a_date",
                "reason": "not a date of the form `%d.%m.%Y`"
            }]),
            1.into()
        ),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_rule_that_is_wrong_stops_the_run_although_other_records_can_be_read() {
    let world = world("1,anna@example.com,old,01.02.2026,\n2,ben@example.com,new,,Cook\n");
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    insta::assert_snapshot!(ran.stderr, @r#"
     × the record has no column `titel` (on people.csv:3)
      ╭─[rules/people.rhai:7:44]
    6 │     email: row.email,
    7 │     position: if row.status == "new" { row.titel } else { row.since.date("%d.%m.%Y") },
      ·                                            ─────
    8 │ });
      ╰────
     help: did you mean `title`?
    "#);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

/// A project whose rule copies a cell as often as the cell says.
fn growing(rows: &str) -> World {
    world("")
        .file(
            "rules/people.rhai",
            r#"owner(["email", "position"], "hr");
copies("email", "gitlab");
join("gitlab", "email");
source("hr", |row| {
    let (text, list) = ("", []);
    while text.len() < row.title.len() { text += "x"; }
    if row.status == "endless" { loop { } }
    if row.status == "heavy" { loop { list += list; list.push([text, text]); } }
    if row.status == "wide" { list.pad(2000, [text]); }
    #{ key: row.id, email: row.email }
});
"#
            .replace("let (text, list) = (\"\", []);", "let text = \"\"; let list = [];")
            .as_str(),
        )
        .file("people.csv", &format!("id,email,status,since,title\n{rows}"))
}

/// So many records, with these two words in turn.
fn rows(count: usize, status: [&str; 2]) -> String {
    let row = |n: usize| [&n.to_string(), ",p", &n.to_string(), "@example.com,", status[n % 2], ",,\n"].concat();
    (0..count).map(row).collect()
}

#[test]
fn a_record_that_makes_a_rule_exceed_a_limit_is_rejected_alone_with_it() {
    let world = growing(
        "1,anna@example.com,,,\n2,ben@example.com,endless,,\n3,eva@example.com,heavy,,abc\n4,kim@example.com,wide,,abcdefghijklm\n\
         5,max@example.com,,,\n",
    );
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let rejected = |line: u64, code: &str, reason: &str| {
        serde_json::json!({
            "system": "hr", "file": "people.csv", "line": line, "column": null, "code": code, "reason": reason
        })
    };
    assert_eq!(
        (ran.status, plan["rejected"].clone(), plan["summary"]["people"].clone()),
        (
            0,
            serde_json::json!([
                rejected(3, "limit_exceeded", "the rule does not come to an end"),
                rejected(4, "too_much", "a list has more than 2000 items, those of lists in it counted"),
                rejected(5, "too_much", "a text is longer than 16384 bytes"),
            ]),
            2.into()
        ),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_rule_that_exceeds_a_limit_on_every_record_is_wrong_and_is_not_tried_on_all() {
    let rows = rows(100_000, ["endless", "endless"]);
    let ran = growing(&rows).homeward(&["--lab", "plan", "hr=people.csv"]);
    insta::assert_snapshot!(ran.stderr, @r#"
     × the rule does not come to an end (on people.csv:11)
      ╭─[rules/people.rhai:4:1]
    3 │ join("gitlab", "email");
    4 │ source("hr", |row| {
      · ──────
    5 │     let text = ""; let list = [];
      ╰────
     help: a rule has to be short work: look for a loop that does not end
    "#);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_condition_that_exceeds_a_limit_for_many_people_is_wrong_and_is_not_asked_about_all() {
    let world = growing(&rows(10_000, ["", ""]));
    let endless = "account(\"gitlab\", |person| { loop { } });\n";
    let rules = world.read("rules/people.rhai");
    world.write("rules/people.rhai", format!("{rules}{endless}").as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    insta::assert_snapshot!(ran.stderr, @r#"
     × the rule does not come to an end (on people.csv:1043)
       ╭─[rules/people.rhai:12:1]
    11 │ });
    12 │ account("gitlab", |person| { loop { } });
       · ───────
       ╰────
     help: a rule has to be short work: look for a loop that does not end
    "#);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_rule_that_exceeds_a_limit_on_many_records_is_wrong_though_it_can_read_some() {
    let rows = rows(10_000, ["", "endless"]);
    let ran = growing(&rows).homeward(&["--lab", "plan", "hr=people.csv"]);
    insta::assert_snapshot!(ran.stderr, @r#"
     × the rule does not come to an end (on people.csv:101)
      ╭─[rules/people.rhai:4:1]
    3 │ join("gitlab", "email");
    4 │ source("hr", |row| {
      · ──────
    5 │     let text = ""; let list = [];
      ╰────
     help: a rule has to be short work: look for a loop that does not end
    "#);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

#[test]
fn an_operation_that_a_record_has_nothing_for_rejects_that_record_and_one_that_none_has_anything_for_is_wrong() {
    let rules = |arguments: &str| {
        format!(
            r#"owner("email", "hr");
copies("email", "zitadel");
join("zitadel", "email");
source("hr", |row| [
    #{{ key: row.id, email: row.email }},
    perform("zitadel", "set_metadata", #{{ {arguments} }}),
]);
"#
        )
    };
    let settings = "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.zitadel]\nkind = \"zitadel\"\n\
                    url = \"https://id.example.com\"\ntoken = { env = \"TOKEN\" }\n";
    let people = "id,email,manager\n1,anna@example.com,2\n2,ben@example.com,\n";
    let world = World::new().file("homeward.toml", settings).file("people.csv", people);
    world.write("rules/people.rhai", rules("key: \"manager\", value: row.manager").as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let rejected = &plan["rejected"][0];
    assert_eq!(
        (&rejected["line"], &rejected["code"], &rejected["reason"], &plan["inputs"][0]["records"]),
        (
            &serde_json::json!(3),
            &serde_json::json!("missing_argument"),
            &serde_json::json!("`set_metadata` needs `value`, which is empty here"),
            &serde_json::json!(1)
        ),
        "{}",
        ran.stderr
    );
    world.write("rules/people.rhai", rules("key: \"manager\"").as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("`set_metadata` needs `value`"), "{}", ran.stderr);
}
