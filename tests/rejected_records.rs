//! A record that a rule cannot read is put aside and named; a rule that is wrong stops the run, whatever the record.

mod common;

use common::World;

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
                "system": "hr", "file": "people.csv", "line": 3, "column": null, "code": "not_a_date",
                "reason": "not a date of the form `%d.%m.%Y`"
            }]),
            2.into()
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
