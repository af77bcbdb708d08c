//! `homeward test` as its user meets it: what passes, what fails and how that is shown, what is covered, what is kept.

use crate::common::{Ran, World};
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
    assert_eq!(listed, json!({ "format": "homeward.test_list/1", "tests": [line] }));
}

#[test]
fn a_word_that_no_name_holds_is_told() {
    let world = project(GOOD);
    insta::assert_snapshot!(shown(&world, &["test", "nobody has this name"]), @r#"
    exit 2
      × no test has `nobody has this name` in its name
      help: `homeward test --list` shows the names of all tests
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

    rules                 lines        branches   deciding lines
    rules/ownership.rhai  10/12  83 %  4/6  66 %  5/7  71 %

    Not covered:
      rules/ownership.rhai:2:1    decided nothing: owner("username", "mattermost");
      rules/ownership.rhai:9:5    `if` was never taken
      rules/ownership.rhai:13:1   decided nothing: guard(|plan| if plan.count("gitlab", "active") > 1 { hold("too many at once") });
      rules/ownership.rhai:13:14  `if` was never taken

    Passed: 3 tests.
    "#);
    let lcov = "TN:homeward
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
";
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
        "format": "homeward.tests/1", "tests": [
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
      help: a test is known by its name: give one of the two another

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

const ZITADEL: &str = r#"
[systems.zitadel]
kind = "zitadel"
url = "https://id.example.com"
token = { env = "ZITADEL_TOKEN" }
"#;

/// Rules of everything that a scene can be about.
const WORLDLY: &str = r#"owner("username", "gitlab");
owner("email", "website");
owner("last_name", "hr");
owner("gitlab.groups", "hr");
copies("email", ["gitlab", "mattermost", "zitadel"]);
copies("last_name", "mattermost");
range("gitlab.groups", ["dev", "ops"]);
join("gitlab", ["email"]);
account("mattermost", |person| person.hr?.last_name == "Berg");
source("website", |user| #{ key: user.id, username: user.username, email: user.email });
source("hr", |row| [
    #{ key: row.id, last_name: row.last_name, "gitlab.groups": #{ dev: if row.level != "" { row.level } } },
    if row.tell == "yes" { perform("mattermost", "post_message", #{ channel: "hr/news", text: "hello" }) },
]);
"#;

const SCENES: &str = r#"fn says(name) { #{ id: 7, username: name, email: "" } }
fn row() { #{ id: 7, last_name: "", level: "", tell: "" } }

test("people are tied to records by their keys, else in order", || {
    let people = [#{ gitlab: #{ id: 1 } }, #{ key: "8", gitlab: #{ id: 2 } }, #{ gitlab: #{ id: 3 } }];
    let said = [#{ id: 7, username: "a", email: "" }, #{ id: 8, username: "b", email: "" }, #{ id: 9, username: "c", email: "" }];
    let plan = given(people).when("website", said);
    assert_eq(plan.change("username", "gitlab", "7").account, "1");
    assert_eq(plan.change("username", "gitlab", "8").account, "2");
    assert_eq(plan.change("username", "gitlab", "9").account, "3");
});

test("whoever is left over holds her name", || {
    let plan = given([#{ gitlab: #{ username: "x" } }, #{ gitlab: #{ username: "taken" } }]).when("website", says("taken"));
    assert_eq(plan.change("username").refusal, "taken");
});

test("what another source showed is known and asks for nothing", || {
    let plan = given(#{ hr: #{ last_name: "Berg" }, mattermost: #{ last_name: "Alt", active: false } }).when("website", says(""));
    assert_eq(plan.change("active").after, true);
    assert_eq(plan.decided("last_name"), ());
});

test("one test may ask for several plans", || {
    let first = given(#{ gitlab: #{ username: "a" } }).when("website", says("b"));
    let second = given(#{ gitlab: #{ username: first.change("username").after } }).when("website", says("b"));
    assert_eq(first.calls.len(), 1);
    assert_nothing(second);
});

test("an account that signs in elsewhere is found with the other", || {
    let people = #{ gitlab: #{ signs_in_with: "zitadel", linked: false }, zitadel: #{ email: "old@example.com" } };
    let plan = given(people).when("website", #{ id: 7, username: "b", email: "new@example.com" });
    assert_eq(plan.decided("username", "gitlab"), "apply");
});

test("two accounts with one address are held", || {
    let people = [#{ gitlab: #{ email: "a@example.com", linked: false } }, #{ gitlab: #{ email: "a@example.com" } }];
    let plan = given(people).when("website", #{ id: 7, username: "b", email: "a@example.com" });
    assert_eq(plan.decided("username"), "hold");
});

test("memberships are given by name and level", || {
    let plan = given(#{ gitlab: #{ groups: #{ dev: "guest", ops: "owner" } } }).when("hr", row() + #{ level: "developer" });
    assert_eq(plan.change("gitlab.groups[dev]").before, "guest");
    assert_eq(plan.change("gitlab.groups[dev]").after, "developer");
    assert_eq(plan.change("gitlab.groups[ops]").after, ());
});

test("operations show in the plan", || {
    let plan = given().when("hr", row() + #{ tell: "yes" });
    assert_eq(plan.operations.len(), 1);
    assert_eq(plan.operations[0].decision, "apply");
});

test("facts of a server are given beside those of an account", || {
    let domains = #{ restrict_creation_to_domains: "example.org" };
    let open = given(#{ mattermost: #{} }).when("website", #{ id: 7, username: "", email: "a@example.com" });
    let shut = given(#{ mattermost: #{ server: domains } }).when("website", #{ id: 7, username: "", email: "a@example.com" });
    assert_eq(open.decided("email", "mattermost"), "apply");
    assert_eq(shut.decided("email", "mattermost"), "refuse");
});

test("switched off at the identity provider, state and all", || {
    let plan = given(#{ zitadel: #{ active: false, email: "x@example.com" } }).when("website", #{ id: 7, username: "", email: "y@example.com" });
    assert_eq(plan.decided("email", "zitadel"), "apply");
});
"#;

#[test]
fn what_is_given_is_so_and_what_is_said_is_said_now() {
    let world =
        project(SCENES).file("homeward.toml", &format!("{SYSTEMS}{ZITADEL}")).file("rules/ownership.rhai", WORLDLY);
    let told = shown(&world, &["test"]);
    assert!(told.starts_with("exit 0\n") && told.ends_with("\nPassed: 10 tests.\n"), "{told}");
}

/// Rules with all their words, and a test beside them.
const WHOLE: &str = r#"// Who owns what. First match wins, top to bottom.
owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
owner("username", "mattermost");
owner("email", "zitadel");
owner(["first_name", "last_name", "department", "active"], "hr");
copies("email", ["gitlab", "mattermost"]);

// What a record says. A value of () says nothing; clear() says "empty".
source("hr", |row| #{
    key: row.employee_id,
    email: row.email.lower(),
    first_name: row.first_name,
    last_name: row.last_name,
    active: row.status == "Active",
});
source("website", |user| #{ key: user.id, email: user.email, username: user.username });

// How a person is found the first time. Afterwards the link is remembered.
join("gitlab", ["email", "username"]);

// Who should have an account (missing: created; not wanted: disabled, never deleted). No line, no creation.
account("mattermost", |person| person.active);

// Custom routing. Nothing returned: the owner decides as usual.
route(|change| {
    if change.attribute == "username" && change.person.gitlab?.is_admin == true { hold("an administrator: look first") }
    else if change.to.ends_with("@example.org") { drop("legacy domain") }
});

// What to do about a provider's no.
refused("mattermost", |change, refusal| if refusal.kind == "owned_elsewhere" { to("gitlab") });

// What a whole plan must satisfy.
guard(|plan| if plan.count("gitlab", "active") > 10 { hold("more than ten people would lose GitLab") });

// Tests live beside the rules and run with `homeward test`.
test("a GitLab login renames in GitLab", || {
    let plan = given(#{ mattermost: #{ auth_service: "gitlab", username: "anna" }, gitlab: #{ username: "anna" } })
        .when("website", #{ id: 7, username: "anna.b", email: "anna@example.com" });
    assert_eq(plan.calls.len(), 1);
    assert_eq(plan.calls[0].system, "gitlab");
});
"#;

#[test]
fn a_test_may_stand_beside_rules_that_use_every_word() {
    let world = World::new().file("homeward.toml", &format!("{SYSTEMS}{ZITADEL}")).file("rules/whole.rhai", WHOLE);
    assert_eq!(
        shown(&world, &["test"]),
        "exit 0\nok  a GitLab login renames in GitLab  rules/whole.rhai:37\n\nPassed: 1 test.\n"
    );
}

#[test]
fn a_file_of_a_test_lies_in_the_project_whatever_leads_to_it() {
    let test = "test(\"out\", || assert_nothing(given().when_file(\"hr\", \"way/left.csv\")));";
    let world = project(test);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("left.csv"), "id,left\n1,\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), world.path("way")).unwrap();
    let told = shown(&world, &["test"]);
    assert!(told.contains("no plan can be made: `way/left.csv` lies outside of the project"), "{told}");
}

#[test]
fn faults_that_no_test_notices_are_shown_with_their_lines() {
    let world = project("test(\"nothing much\", || assert_nothing(given().when(\"hr\", #{ id: 7, left: \"\" })));")
        .file(
            "rules/ownership.rhai",
            "owner(\"active\", \"hr\");\nsource(\"hr\", |row| #{ key: row.id, active: row.left == \"\" });\n",
        );
    insta::assert_snapshot!(shown(&world, &["test", "--mutate"]), @r#"
    exit 0
    ok  nothing much  rules/tests/a.rhai:1

    survived rules/ownership.rhai:2:34 key left out
      - source("hr", |row| #{ key: row.id, active: row.left == "" });
      + source("hr", |row| #{ key: row.id });

    survived rules/ownership.rhai:2:53 comparison turned round
      - source("hr", |row| #{ key: row.id, active: row.left == "" });
      + source("hr", |row| #{ key: row.id, active: row.left != "" });

    survived rules/ownership.rhai:2:56 literal changed
      - source("hr", |row| #{ key: row.id, active: row.left == "" });
      + source("hr", |row| #{ key: row.id, active: row.left == "~" });

    Faults noticed: 2 of 5, 40.0 %.

    Passed: 1 test.
    "#);
    let world = world.file("rules/tests/b.rhai", "test(\"no\", || assert(false));");
    let told = shown(&world, &["test", "--mutate"]);
    assert!(told.ends_with("No faults were tried: tests that fail by themselves would notice nothing.\n"), "{told}");
}

#[test]
fn files_of_tests_are_no_part_of_what_a_plan_was_made_with() {
    let world = project(GOOD).file("people.csv", "id,left\n7,\n");
    let plan = || {
        let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--format", "json", "--today", "2026-11-20"]);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["rules"].clone()
    };
    let before = plan();
    world.write("rules/tests/a.rhai", b"this is no script");
    assert_eq!(plan(), before);
}

#[test]
fn a_word_of_tests_in_a_rule_is_told_to_belong_to_tests() {
    let world = project("").file("rules/wrong.rhai", "guard(|plan| if given() == () { hold(\"no\") });\ngiven(#{});\n");
    insta::assert_snapshot!(shown(&world, &["owners"]), @r#"
    exit 2
      × `given` belongs to tests: it is said in the function of a `test` or `cases` line
       ╭─[rules/wrong.rhai:2:1]
     1 │ guard(|plan| if given() == () { hold("no") });
     2 │ given(#{});
       · ─────
       ╰────
    "#);
}
