//! `homeward test` as its user meets it: what passes, what fails and how that is shown, what is covered, what is kept.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{Ran, World};
use serde_json::{Value, json};

const SYSTEMS: &str = r#"[systems.website]
kind = "csv"
key = "id"
says = "changes"

[systems.hr]
kind = "csv"
key = "id"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }
"#;

const RULES: &str = r#"owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
owner("username", "mattermost");
owner("email", "website");
owner("active", "hr");
copies("email", ["gitlab", "mattermost"]);
copies("active", "gitlab");
source("website", |user| #{ key: user.id, username: user.username, email: user.email });
source("hr", |row| {
    if row.left == "" { #{ key: row.id, active: true } }
    else { #{ key: row.id, active: date(row.left, "%d.%m.%Y") > today() } }
});
join("gitlab", ["email"]);
guard(|plan| if plan.count("gitlab", "active") > 1 { hold("too many at once") });
"#;

const GOOD: &str = r#"import "people" as people;

test("a login through GitLab renames there", || {
    let plan = given(#{ mattermost: #{ auth_service: "gitlab", username: "anna" }, gitlab: #{ username: "anna" } })
        .when("website", people::anna());
    assert_eq(plan.decided("username", "gitlab"), "apply");
    assert_because(plan, "rules/ownership.rhai:1");
});

cases([
    #{ name: "on the last day", left: "20.11.2026", active: false },
    #{ name: "before the last day", left: "21.11.2026", active: true },
], |row| {
    today("2026-11-20");
    let plan = given(#{ gitlab: #{ active: !row.active } }).when("hr", #{ id: 7, left: row.left });
    assert_eq(plan.change("active").after, row.active);
});

test("two at once are too many", || {
    let people = [#{ key: "1", gitlab: #{ active: false } }, #{ key: "2", gitlab: #{ active: false } }];
    let plan = given(people).when_csv("hr", "id,left\n1,\n2,\n");
    assert_eq(plan.objections.len(), 1);
    assert_eq(plan.objections[0].reason, "too many at once");
});

test("a date that is none rejects its row", || {
    let plan = given().when_file("hr", "left.csv");
    assert_eq(plan.rejected.len(), 1);
    assert_eq(plan.rejected[0].code, "not_a_date");
});
"#;

const BAD: &str = r#"fn renamed() {
    given(#{ gitlab: #{ username: "anna" }, mattermost: #{ auth_service: "gitlab", username: "anna" } })
        .when("website", #{ id: 7, username: "anna.b", email: "" })
}

test("two values", || assert_eq(renamed().calls.len(), 2));
test("a truth", || assert(renamed().calls.len() == 0, "nothing is sent"));
test("a plan that does nothing", || assert_nothing(renamed()));
test("a line that decided nothing", || assert_because(renamed(), "rules/ownership.rhai:2"));
test("a change that is not there", || assert_eq(renamed().change("active").after, true));
test("more than one change", || assert_eq(renamed().change("username").after, "x"));
test("the same", || assert_ne(renamed().change("username", "gitlab").after, "anna.b"));
test("a golden plan that is not there", || assert_golden(renamed(), "rename"));
test("nothing is wanted", || { renamed(); });
test("a slip", || assert_nothing(given(#{ gitlab: #{ usrname: "anna" } }).when("website", #{ id: 7 })));
test("a provider that says something", || assert_nothing(given().when("gitlab", #{ id: 7 })));
test("a record that the rule cannot read", || assert_nothing(given().when("website", #{ id: 7, username: "x" })));
test("a file outside", || assert_nothing(given().when_file("hr", "../../../etc/passwd")));
"#;

const KEPT: &str = r#"test("kept", || assert_golden(given(#{ gitlab: #{ active: false } }).when("hr", #{ id: 7, left: "" }), "hr"));
"#;

/// A project with these tests.
fn project(tests: &str) -> World {
    World::new()
        .file("homeward.toml", SYSTEMS)
        .file("rules/ownership.rhai", RULES)
        .file(
            "rules/lib/people.rhai",
            r#"fn anna() { #{ id: 7, username: "anna.b", email: "anna@example.com" } }
"#,
        )
        .file("left.csv", "id,left\n1,\n2,soon\n")
        .file("rules/tests/a.rhai", tests)
}

/// The exit code and everything that is printed.
fn shown(world: &World, arguments: &[&str]) -> String {
    let Ran { status, stdout, stderr } = world.homeward(arguments);
    format!("exit {status}\n{stdout}{stderr}")
}

#[test]
fn tests_that_pass_are_listed_and_counted() {
    let world = project(GOOD);
    insta::assert_snapshot!(shown(&world, &["test"]), @r#"
    exit 0
    ok  a login through GitLab renames there  rules/tests/a.rhai:3
    ok  on the last day                       rules/tests/a.rhai:10
    ok  before the last day                   rules/tests/a.rhai:10
    ok  two at once are too many              rules/tests/a.rhai:19
    ok  a date that is none rejects its row   rules/tests/a.rhai:26

    Passed: 5 tests.
    "#);
}

#[test]
fn tests_are_listed_by_name_and_none_is_run() {
    let world = project(GOOD);
    insta::assert_snapshot!(shown(&world, &["test", "TWO at", "--list"]), @r#"
    exit 0
    two at once are too many  rules/tests/a.rhai:19
    "#);
    let listed: Value =
        serde_json::from_str(&world.homeward(&["test", "two at", "--list", "--format", "json"]).stdout).unwrap();
    let line = json!({ "name": "two at once are too many", "file": "rules/tests/a.rhai", "line": 19 });
    assert_eq!(listed, json!({ "tests": [line] }));
}

#[test]
fn a_word_that_no_name_holds_is_told() {
    let world = project(GOOD);
    insta::assert_snapshot!(shown(&world, &["test", "nobody has this name"]), @r#"
    exit 0
    Passed: 0 tests.
    No test has such a name; `homeward test --list` shows all.
    "#);
}

#[test]
fn what_tests_do_not_reach_is_shown_by_line_branch_and_deciding_line() {
    let world = project(GOOD);
    insta::assert_snapshot!(shown(&world, &["test", "LOGIN", "last day", "--coverage", "--lcov", "cov.info"]), @r#"
    exit 0
    ok  a login through GitLab renames there  rules/tests/a.rhai:3
    ok  on the last day                       rules/tests/a.rhai:10
    ok  before the last day                   rules/tests/a.rhai:10

    rules                  lines        branches   deciding lines
    rules/lib/people.rhai  1/1 100 %    ·          ·
    rules/ownership.rhai   10/12  83 %  4/6  66 %  5/7  71 %

    Not covered:
      rules/ownership.rhai:2:1    decided nothing: owner("username", "mattermost");
      rules/ownership.rhai:9:5    `if` was never taken
      rules/ownership.rhai:13:1   decided nothing: guard(|plan| if plan.count("gitlab", "active") > 1 { hold("too many at once") });
      rules/ownership.rhai:13:14  `if` was never taken

    Passed: 3 tests.
    "#);
    let lcov = r#"TN:homeward
SF:rules/lib/people.rhai
BRF:0
BRH:0
DA:1,2
LF:1
LH:1
end_of_record
TN:homeward
SF:rules/ownership.rhai
BRDA:1,2,0,1
BRDA:1,2,1,2
BRDA:9,0,0,0
BRDA:9,0,1,2
BRDA:13,1,0,0
BRDA:13,1,1,3
BRF:6
BRH:4
DA:1,2
DA:2,0
DA:3,2
DA:4,2
DA:5,2
DA:6,2
DA:7,1
DA:8,1
DA:9,2
DA:10,2
DA:12,1
DA:13,0
LF:12
LH:10
end_of_record
"#;
    assert_eq!(world.read("cov.info"), lcov);
}

#[test]
fn a_failed_test_shows_its_line_what_was_compared_and_the_plan() {
    let world = project(BAD);
    insta::assert_snapshot!(shown(&world, &["test"]), @r#"
    exit 4
    FAILED  two values                          rules/tests/a.rhai:6
    FAILED  a truth                             rules/tests/a.rhai:7
    FAILED  a plan that does nothing            rules/tests/a.rhai:8
    FAILED  a line that decided nothing         rules/tests/a.rhai:9
    FAILED  a change that is not there          rules/tests/a.rhai:10
    FAILED  more than one change                rules/tests/a.rhai:11
    FAILED  the same                            rules/tests/a.rhai:12
    FAILED  a golden plan that is not there     rules/tests/a.rhai:13
    FAILED  nothing is wanted                   rules/tests/a.rhai:14
    FAILED  a slip                              rules/tests/a.rhai:15
    FAILED  a provider that says something      rules/tests/a.rhai:16
    FAILED  a record that the rule cannot read  rules/tests/a.rhai:17
    FAILED  a file outside                      rules/tests/a.rhai:18

    FAILED two values
      × these are not equal
       ╭─[rules/tests/a.rhai:6:23]
     5 │
     6 │ test("two values", || assert_eq(renamed().calls.len(), 2));
       ·                       ─────────
     7 │ test("a truth", || assert(renamed().calls.len() == 0, "nothing is sent"));
       ╰────
       left: 1
      right: 2
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED a truth
      × nothing is sent
       ╭─[rules/tests/a.rhai:7:20]
     6 │ test("two values", || assert_eq(renamed().calls.len(), 2));
     7 │ test("a truth", || assert(renamed().calls.len() == 0, "nothing is sent"));
       ·                    ──────
     8 │ test("a plan that does nothing", || assert_nothing(renamed()));
       ╰────
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED a plan that does nothing
      × the plan does something
       ╭─[rules/tests/a.rhai:8:37]
     7 │ test("a truth", || assert(renamed().calls.len() == 0, "nothing is sent"));
     8 │ test("a plan that does nothing", || assert_nothing(renamed()));
       ·                                     ──────────────
     9 │ test("a line that decided nothing", || assert_because(renamed(), "rules/ownership.rhai:2"));
       ╰────
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED a line that decided nothing
      × `rules/ownership.rhai:2` decided nothing; these did: rules/ownership.rhai:1:1
        ╭─[rules/tests/a.rhai:9:40]
      8 │ test("a plan that does nothing", || assert_nothing(renamed()));
      9 │ test("a line that decided nothing", || assert_because(renamed(), "rules/ownership.rhai:2"));
        ·                                        ──────────────
     10 │ test("a change that is not there", || assert_eq(renamed().change("active").after, true));
        ╰────
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED a change that is not there
      × there is no change of `active`
        ╭─[rules/tests/a.rhai:10:59]
      9 │ test("a line that decided nothing", || assert_because(renamed(), "rules/ownership.rhai:2"));
     10 │ test("a change that is not there", || assert_eq(renamed().change("active").after, true));
        ·                                                           ──────
     11 │ test("more than one change", || assert_eq(renamed().change("username").after, "x"));
        ╰────
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED more than one change
      × there is more than one change of `username`: name the system as well
        ╭─[rules/tests/a.rhai:11:53]
     10 │ test("a change that is not there", || assert_eq(renamed().change("active").after, true));
     11 │ test("more than one change", || assert_eq(renamed().change("username").after, "x"));
        ·                                                     ──────
     12 │ test("the same", || assert_ne(renamed().change("username", "gitlab").after, "anna.b"));
        ╰────
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED the same
      × these are equal
        ╭─[rules/tests/a.rhai:12:21]
     11 │ test("more than one change", || assert_eq(renamed().change("username").after, "x"));
     12 │ test("the same", || assert_ne(renamed().change("username", "gitlab").after, "anna.b"));
        ·                     ─────────
     13 │ test("a golden plan that is not there", || assert_golden(renamed(), "rename"));
        ╰────
       left: "anna.b"
      right: "anna.b"
       plan: website/7 username at gitlab: anna → anna.b, apply
             website/7 username at mattermost: anna → anna.b, follow

    FAILED a golden plan that is not there
      × there is no golden plan `rename` yet; `homeward test --update` writes what is there
        ╭─[rules/tests/a.rhai:13:44]
     12 │ test("the same", || assert_ne(renamed().change("username", "gitlab").after, "anna.b"));
     13 │ test("a golden plan that is not there", || assert_golden(renamed(), "rename"));
        ·                                            ─────────────
     14 │ test("nothing is wanted", || { renamed(); });
        ╰────

    FAILED nothing is wanted
      × the test asserts nothing, so it could never fail
        ╭─[rules/tests/a.rhai:14:1]
     13 │ test("a golden plan that is not there", || assert_golden(renamed(), "rename"));
     14 │ test("nothing is wanted", || { renamed(); });
        · ────
     15 │ test("a slip", || assert_nothing(given(#{ gitlab: #{ usrname: "anna" } }).when("website", #{ id: 7 })));
        ╰────

    FAILED a slip
      × an account of `gitlab` has nothing called `usrname`
        ╭─[rules/tests/a.rhai:15:34]
     14 │ test("nothing is wanted", || { renamed(); });
     15 │ test("a slip", || assert_nothing(given(#{ gitlab: #{ usrname: "anna" } }).when("website", #{ id: 7 })));
        ·                                  ─────
     16 │ test("a provider that says something", || assert_nothing(given().when("gitlab", #{ id: 7 })));
        ╰────
      help: did you mean `username`?

    FAILED a provider that says something
      × `gitlab` is not a source
        ╭─[rules/tests/a.rhai:16:66]
     15 │ test("a slip", || assert_nothing(given(#{ gitlab: #{ usrname: "anna" } }).when("website", #{ id: 7 })));
     16 │ test("a provider that says something", || assert_nothing(given().when("gitlab", #{ id: 7 })));
        ·                                                                  ────
     17 │ test("a record that the rule cannot read", || assert_nothing(given().when("website", #{ id: 7, username: "x" })));
        ╰────
      help: a source is a system that records come from, such as one with `kind = "csv"`

    FAILED a record that the rule cannot read
      × the record has no column `email` (on website:1)
       ╭─[rules/ownership.rhai:7:80]
     6 │ copies("active", "gitlab");
     7 │ source("website", |user| #{ key: user.id, username: user.username, email: user.email });
       ·                                                                                ─────
     8 │ source("hr", |row| {
       ╰────
      help: it has `id`, `username`
      ☞ the test asks here
        ╭─[rules/tests/a.rhai:17:70]
     16 │ test("a provider that says something", || assert_nothing(given().when("gitlab", #{ id: 7 })));
     17 │ test("a record that the rule cannot read", || assert_nothing(given().when("website", #{ id: 7, username: "x" })));
        ·                                                                      ─────────────────────────────────────────────
     18 │ test("a file outside", || assert_nothing(given().when_file("hr", "../../../etc/passwd")));
        ╰────

    FAILED a file outside
      × no plan can be made: `../../../etc/passwd` lies outside of the project
        ╭─[rules/tests/a.rhai:18:50]
     17 │ test("a record that the rule cannot read", || assert_nothing(given().when("website", #{ id: 7, username: "x" })));
     18 │ test("a file outside", || assert_nothing(given().when_file("hr", "../../../etc/passwd")));
        ·                                                  ─────────
        ╰────

    Failed: 13 of 13 tests.
    "#);
}

#[test]
fn failures_are_data_for_machines() {
    let world = project(BAD);
    let Ran { status, stdout, stderr } = world.homeward(&["test", "two values", "slip", "--format", "json"]);
    assert_eq!((status, stderr.as_str()), (4, ""));
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let expected = json!({
        "tests": [
            {
                "name": "two values",
                "file": "rules/tests/a.rhai",
                "line": 6,
                "passed": false,
                "failure": {
                    "message": "these are not equal",
                    "file": "rules/tests/a.rhai",
                    "line": 6,
                    "column": 23,
                    "hint": null,
                    "left": "1",
                    "right": "2",
                    "plan": [
                        "website/7 username at gitlab: anna → anna.b, apply",
                        "website/7 username at mattermost: anna → anna.b, follow"
                    ]
                }
            },
            {
                "name": "a slip",
                "file": "rules/tests/a.rhai",
                "line": 15,
                "passed": false,
                "failure": {
                    "message": "an account of `gitlab` has nothing called `usrname`",
                    "file": "rules/tests/a.rhai",
                    "line": 15,
                    "column": 34,
                    "hint": "did you mean `username`?"
                }
            }
        ],
        "passed": 0,
        "failed": 2
    });
    assert_eq!(told, expected);
}

#[test]
fn a_golden_plan_is_kept_on_demand_and_outlives_lines_that_move() {
    let world = project(KEPT);
    insta::assert_snapshot!(shown(&world, &["test"]), @r#"
    exit 4
    FAILED  kept  rules/tests/a.rhai:1

    FAILED kept
      × there is no golden plan `hr` yet; `homeward test --update` writes what is there
       ╭─[rules/tests/a.rhai:1:17]
     1 │ test("kept", || assert_golden(given(#{ gitlab: #{ active: false } }).when("hr", #{ id: 7, left: "" }), "hr"));
       ·                 ─────────────
       ╰────

    Failed: 1 of 1 test.
    "#);
    insta::assert_snapshot!(shown(&world, &["test", "--update"]), @r#"
    exit 0
    ok  kept  rules/tests/a.rhai:1

    wrote rules/tests/golden/hr.json

    Passed: 1 test.
    "#);
    let golden = r#"{
  "inputs": [
    {
      "system": "hr",
      "file": "hr",
      "records": 1,
      "rejected": 0
    }
  ],
  "warnings": [],
  "changes": [
    {
      "person": "hr/7",
      "attribute": "active",
      "system": "gitlab",
      "account": "1",
      "before": false,
      "after": true,
      "decision": "apply",
      "call": "c1",
      "asked_by": {
        "system": "hr",
        "origin": "hr:1"
      },
      "owner": "hr",
      "because": [
        {
          "rule": "rules/ownership.rhai",
          "text": "owner(\"active\", \"hr\");"
        },
        {
          "rule": "rules/ownership.rhai",
          "text": "copies(\"active\", \"gitlab\");"
        }
      ],
      "reason": "a copy of what hr says (rules/ownership.rhai)"
    }
  ],
  "calls": [
    {
      "id": "c1",
      "system": "gitlab",
      "person": "hr/7",
      "account": "1",
      "operation": "enable",
      "method": "POST",
      "path": "/api/v4/users/1/unblock",
      "body": null,
      "expects": {
        "active": false
      },
      "intends": {
        "active": true
      },
      "replay": "repeat",
      "after": []
    }
  ],
  "rejected": []
}
"#;
    assert_eq!(world.read("rules/tests/golden/hr.json"), golden);
    insta::assert_snapshot!(shown(&world, &["test", "--update"]), @r#"
    exit 0
    ok  kept  rules/tests/a.rhai:1

    Passed: 1 test.
    "#);
    let world = world.file("rules/ownership.rhai", &format!("// One more line.\n{RULES}"));
    insta::assert_snapshot!(shown(&world, &["test"]), @r#"
    exit 0
    ok  kept  rules/tests/a.rhai:1

    Passed: 1 test.
    "#);
    let world = world.file("rules/ownership.rhai", &RULES.replace("active: true", "active: false"));
    insta::assert_snapshot!(shown(&world, &["test"]), @r#"
    exit 4
    FAILED  kept  rules/tests/a.rhai:1

    FAILED kept
      × the plan is not the golden plan `hr`; `homeward test --update` takes this one
       ╭─[rules/tests/a.rhai:1:17]
     1 │ test("kept", || assert_golden(given(#{ gitlab: #{ active: false } }).when("hr", #{ id: 7, left: "" }), "hr"));
       ·                 ─────────────
       ╰────
       left: "changes": [], "calls": [],
      right: "changes": [ { "person": "hr/7", "attribute": "active", "system": "gitlab", "account": "1", "before": false, "after": true, … and 40 more

    Failed: 1 of 1 test.
    "#);
}

#[test]
fn faults_in_files_of_tests_are_told_by_test_and_check_and_disturb_nobody_else() {
    let world = project(
        r#"owner("email", "hr");
test("x", || assert(true));
test("x", || assert(true));
cases([#{ nam: "y" }], |row| assert(row));
given();
"#,
    );
    let told = shown(&world, &["test"]);
    insta::assert_snapshot!(told, @r#"
    exit 2
      × `owner` is no word for a file of tests: it declares tests, constants and functions only
       ╭─[rules/tests/a.rhai:1:1]
     1 │ owner("email", "hr");
       · ─────
     2 │ test("x", || assert(true));
       ╰────
      help: move it to a file directly in the folder of the rules

      × a second `test` line for `x`
       ╭─[rules/tests/a.rhai:2:1]
     1 │ owner("email", "hr");
     2 │ test("x", || assert(true));
       · ─────────────┬─────────────
       ·              ╰── the first one
     3 │ test("x", || assert(true));
       · ──┬─
       ·   ╰── here
     4 │ cases([#{ nam: "y" }], |row| assert(row));
       ╰────
      help: say it all in one line

      × the name of a row in `cases` must be text in quotes, but is nothing (`()`)
       ╭─[rules/tests/a.rhai:4:1]
     3 │ test("x", || assert(true));
     4 │ cases([#{ nam: "y" }], |row| assert(row));
       · ─────
     5 │ given();
       ╰────

      × `given` belongs to tests: it is said in the function of a `test` or `cases` line
       ╭─[rules/tests/a.rhai:5:1]
     4 │ cases([#{ nam: "y" }], |row| assert(row));
     5 │ given();
       · ─────
       ╰────
    "#);
    assert_eq!(shown(&world, &["check"]), told);
    assert_eq!(world.homeward(&["owners"]).status, 0);
}
