//! `homeward compare`: what two folders of rules would do differently.

use crate::common::World;
use serde_json::{Value, json};

const THIRD: &str = "id,username,email\n7,anna.c,anna.new@example.com\n8,ben,ben@example.com\n";

/// The example of a rename on the website, and rules that do not know about logins and copies to Mattermost.
fn world() -> World {
    let mut world = World::example("rename-through-gitlab");
    let rules = world.read("rules/ownership.rhai");
    let new: Vec<&str> = rules.lines().filter(|line| !line.contains("auth_service")).collect();
    world.write(
        "new/ownership.rhai",
        new.join("\n").replace("[\"gitlab\", \"mattermost\"]);", "\"gitlab\");").as_bytes(),
    );
    world.write("third.csv", THIRD.as_bytes());
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]).status, 0);
    world
}

/// Everything a run gave, as one text.
fn shown(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status)
}

#[test]
fn who_is_treated_differently_is_told_with_both_lines() {
    let compared = ["--lab", "compare", "rules", "new", "website=third.csv", "--detailed-exitcode"];
    insta::assert_snapshot!(shown(&world(), &compared), @r#"
    1 person: username at gitlab, apply → nothing
      website/7
        old apply  anna → anna.c  rules/ownership.rhai:2:1  gitlab owns `username` (rules/ownership.rhai:2:1:
            mattermost.auth_service is "gitlab")
        new nothing

    1 person: username at mattermost, follow → refuse
      website/7
        old follow  anna → anna.c  rules/ownership.rhai:2:1  mattermost takes it from gitlab at the next sign-in
            through GitLab (a call of its own would be refused, owned_elsewhere: the username of this account comes from
            GitLab; change it there)
        new refuse  anna → anna.c  new/ownership.rhai:2:1  owned_elsewhere: the username of this account comes
            from GitLab; change it there; it belongs to gitlab

    1 person: owner of username, gitlab (rules/ownership.rhai:2:1) → mattermost (new/ownership.rhai:2:1)
      website/7

    Different: 1 of 2 people treated differently; 1 call by the old rules, 1 call by the new.
    -- stderr
    -- exit 3
    "#);
}

#[test]
fn an_owner_that_changes_is_told_though_nothing_is_pending() {
    insta::assert_snapshot!(shown(&world(), &["--lab", "compare", "rules", "new", "website=before.csv"]), @r#"
    1 person: owner of username, gitlab (rules/ownership.rhai:2:1) → mattermost (new/ownership.rhai:2:1)
      website/7

    Different: 1 of 2 people treated differently; 0 calls by the old rules, 0 calls by the new.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn the_same_rules_do_the_same() {
    let compared = ["--lab", "compare", "rules", "rules", "website=third.csv", "--detailed-exitcode"];
    insta::assert_snapshot!(shown(&world(), &compared), @r#"
    Same: both treat 2 people alike, in 1 call.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn rules_that_do_not_load_are_told_of_both_folders() {
    let world = world();
    world.write("new/ownership.rhai", b"owner(\"usrname\", \"gitlab\");\n");
    world.write("newer/ownership.rhai", b"owner(\"username\", \"gitlub\");\n");
    insta::assert_snapshot!(shown(&world, &["--lab", "compare", "new", "newer", "website=third.csv"]), @r#"
    -- stderr
      × unknown attribute `usrname`
       ╭─[new/ownership.rhai:1:7]
     1 │ owner("usrname", "gitlab");
       ·       ─────────
       ╰────
      help: did you mean `username`?

      × unknown system `gitlub`
       ╭─[newer/ownership.rhai:1:19]
     1 │ owner("username", "gitlub");
       ·                   ────────
       ╰────
      help: did you mean `gitlab`?
    -- exit 2
    "#);
}

#[test]
fn the_document_names_every_difference() {
    let compared = ["--lab", "--format", "json", "compare", "rules", "new", "website=third.csv"];
    let ran = world().homeward(&compared);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    assert_eq!(document["format"], "homeward.comparison/1");
    let brief = |one: &Value| {
        json!([
            one["kind"],
            one["person"],
            one["attribute"],
            one["system"],
            one["old"]["decision"],
            one["new"]["decision"]
        ])
    };
    let all: Vec<Value> = document["changes"].as_array().into_iter().flatten().map(brief).collect();
    let expected = [
        json!(["ends", "website/7", "username", "gitlab", "apply", null]),
        json!(["decision", "website/7", "username", "mattermost", "follow", "refuse"]),
    ];
    assert_eq!(all, expected);
    assert_eq!(document["owners"][0]["old"]["says"], "gitlab");
    assert_eq!(document["owners"][0]["new"]["says"], "mattermost");
}

const TWINS: &str = r#"[systems.website]
kind = "csv"
key = "id"
says = "state"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.chat]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "CHAT_TOKEN" }
"#;

const BY_ADDRESS: &str = r#"owner(["username", "email", "display_name"], "website");
copies("display_name", "gitlab");
join("gitlab", "email");
join("chat", "email");
source("website", |row| [
    #{ key: row.id, username: row.username, email: row.email, display_name: row.name },
    perform("chat", "revoke_sessions", #{}),
]);
"#;

/// A row whose address and whose username belong to two accounts each, and rules that find people by either.
fn twins() -> World {
    let gitlab = json!({ "users": [
        { "id": 42, "username": "anna", "name": "A. Berg", "email": "first@example.com" },
        { "id": 43, "username": "anna.b", "name": "Anna Berg", "email": "anna@example.com" },
    ] });
    let chat = json!({ "users": [
        { "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "username": "anna", "email": "first@example.com" },
        { "id": "bbbbbbbbbbbbbbbbbbbbbbbbbb", "username": "anna.b", "email": "anna@example.com" },
    ] });
    let mut world = World::new()
        .file("homeward.toml", TWINS)
        .file("lab/gitlab.json", &gitlab.to_string())
        .file("lab/chat.json", &chat.to_string())
        .file("old/a.rhai", BY_ADDRESS)
        .file("new/a.rhai", &BY_ADDRESS.replace("join(\"gitlab\", \"email\")", "join(\"gitlab\", \"username\")"))
        .file("chat/a.rhai", &BY_ADDRESS.replace("join(\"chat\", \"email\")", "join(\"chat\", \"username\")"))
        .file("guarded/a.rhai", &format!("{BY_ADDRESS}guard(|plan| if plan.calls.len() > 0 {{ hold(\"a call\") }});\n"))
        .file("website.csv", "id,username,email,name\n7,anna,anna@example.com,Anna B.\n")
        .file("held.csv", "id,username,email,name\n7,anna,anna@example.com,Anna Berg\n");
    world.start_lab(&[]);
    world
}

#[test]
fn the_same_value_for_another_account_is_a_difference() {
    insta::assert_snapshot!(shown(&twins(), &["--lab", "compare", "old", "new", "website=website.csv"]), @r#"
    1 person: display_name at gitlab, apply at another account
      website/7
        old apply  account 43: Anna Berg → Anna B.  old/a.rhai:1:1  a copy of what website says (old/a.rhai:1:1)
        new apply  account 42: A. Berg → Anna B.  new/a.rhai:1:1  a copy of what website says (new/a.rhai:1:1)

    1 person: newly tied to something else at gitlab
      website/7  43 → 42

    Different: 1 of 1 person treated differently; 2 calls by the old rules, 2 calls by the new.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn the_account_of_an_operation_makes_a_difference() {
    insta::assert_snapshot!(shown(&twins(), &["--lab", "compare", "old", "chat", "website=website.csv"]), @r#"
    1 person: newly tied to something else at chat
      website/7  bbbbbbbbbbbbbbbbbbbbbbbbbb → aaaaaaaaaaaaaaaaaaaaaaaaaa

    1 operation: asked for by the old rules only
      website/7  apply revoke_sessions at chat, account bbbbbbbbbbbbbbbbbbbbbbbbbb  old/a.rhai:7:5

    1 operation: asked for by the new rules only
      website/7  apply revoke_sessions at chat, account aaaaaaaaaaaaaaaaaaaaaaaaaa  chat/a.rhai:7:5

    Different: 1 of 1 person treated differently; 2 calls by the old rules, 2 calls by the new.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn another_tie_is_a_difference_though_no_cell_is() {
    let world = twins();
    for (folder, join) in [("one", "email"), ("two", "username")] {
        let rules = format!(
            "owner([\"username\", \"email\"], \"website\");\njoin(\"gitlab\", \"{join}\");\n\
             source(\"website\", |row| #{{ key: row.id, username: row.username, email: row.email }});\n"
        );
        world.write(&format!("{folder}/a.rhai"), rules.as_bytes());
    }
    let compared = ["--lab", "compare", "one", "two", "website=held.csv", "--detailed-exitcode"];
    insta::assert_snapshot!(shown(&world, &compared), @r#"
    1 person: newly tied to something else at gitlab
      website/7  43 → 42

    Different: 1 of 1 person treated differently; 0 calls by the old rules, 0 calls by the new.
    -- stderr
    -- exit 3
    "#);
}

#[test]
fn a_guard_that_objects_is_a_difference() {
    let world = twins();
    let compared = ["--lab", "compare", "old", "guarded", "website=website.csv", "--detailed-exitcode"];
    insta::assert_snapshot!(shown(&world, &compared), @r#"
    1 objection: to the whole plan by the new rules only
      guarded/a.rhai:9:1  a call

    Different: 0 of 1 person treated differently; 2 calls by the old rules, 2 calls by the new.
    -- stderr
    -- exit 3
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "compare", "guarded", "old", "website=website.csv"]), @r#"
    1 objection: to the whole plan by the old rules only
      guarded/a.rhai:9:1  a call

    Different: 0 of 1 person treated differently; 2 calls by the old rules, 2 calls by the new.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn a_guard_that_says_the_same_from_another_line_is_none() {
    let world = twins();
    world.write("moved/a.rhai", format!("\n{}", world.read("guarded/a.rhai")).as_bytes());
    let compared = ["--lab", "compare", "guarded", "moved", "website=website.csv", "--detailed-exitcode"];
    insta::assert_snapshot!(shown(&world, &compared), @r#"
    Same: both treat 1 person alike, in 2 calls.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn the_document_has_accounts_ties_and_objections() {
    let world = twins();
    world.write(
        "other/a.rhai",
        world.read("guarded/a.rhai").replace("\"gitlab\", \"email\"", "\"gitlab\", \"username\"").as_bytes(),
    );
    let ran = world.homeward(&["--lab", "--format", "json", "compare", "old", "other", "website=website.csv"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let digest =
        regex::Regex::new("(sha256:)?[0-9a-f]{64}").map(|it| it.replace_all(&ran.stdout, "DIGEST").into_owned());
    insta::assert_snapshot!(digest.unwrap_or_default(), @r#"
    {
      "format": "homeward.comparison/1",
      "rules": {
        "old": "DIGEST",
        "new": "DIGEST"
      },
      "inputs": [
        {
          "system": "website",
          "file": "website.csv",
          "sha256": "DIGEST",
          "records": 1,
          "rejected": 0
        }
      ],
      "people": {
        "old": 1,
        "new": 1
      },
      "calls": {
        "old": 2,
        "new": 2
      },
      "treated_differently": 1,
      "changes": [
        {
          "kind": "account",
          "attribute": "display_name",
          "system": "gitlab",
          "person": "website/7",
          "old": {
            "decision": "apply",
            "account": "43",
            "before": "Anna Berg",
            "after": "Anna B.",
            "owner": "website",
            "because": [
              {
                "rule": "old/a.rhai:1:1",
                "text": "owner([\"username\", \"email\", \"display_name\"], \"website\");"
              },
              {
                "rule": "old/a.rhai:2:1",
                "text": "copies(\"display_name\", \"gitlab\");"
              }
            ],
            "reason": "a copy of what website says (old/a.rhai:1:1)"
          },
          "new": {
            "decision": "apply",
            "account": "42",
            "before": "A. Berg",
            "after": "Anna B.",
            "owner": "website",
            "because": [
              {
                "rule": "other/a.rhai:1:1",
                "text": "owner([\"username\", \"email\", \"display_name\"], \"website\");"
              },
              {
                "rule": "other/a.rhai:2:1",
                "text": "copies(\"display_name\", \"gitlab\");"
              }
            ],
            "reason": "a copy of what website says (other/a.rhai:1:1)"
          }
        }
      ],
      "owners": [],
      "accounts": [],
      "ties": [
        {
          "person": "website/7",
          "system": "gitlab",
          "old": [
            "43"
          ],
          "new": [
            "42"
          ]
        }
      ],
      "operations": [],
      "rejected": {
        "old": [],
        "new": []
      },
      "objections": {
        "old": [],
        "new": [
          {
            "reason": "a call",
            "rule": "other/a.rhai:9:1",
            "text": "guard(|plan| if plan.calls.len() > 0 { hold(\"a call\") });"
          }
        ]
      }
    }
    "#);
}

#[test]
fn rows_that_one_folder_only_rejects_are_told() {
    let world = twins();
    let stricter = BY_ADDRESS.replace("row.name }", "row.name.date(\"%Y-%m-%d\") }");
    world.write("stricter/a.rhai", stricter.as_bytes());
    let names =
        (7..12).map(|id| format!("{id},u{id},u{id}@example.com,{}\n", if id == 9 { "Anna" } else { "2026-11-20" }));
    world.write("names.csv", format!("id,username,email,name\n{}", names.collect::<String>()).as_bytes());
    let compared = ["--lab", "compare", "old", "stricter", "website=names.csv"];
    insta::assert_snapshot!(shown(&world, &compared), @r#"
    1 person: owner of display_name, website (old/a.rhai:1:1) → nobody says
      website/9

    1 person: owner of email, website (old/a.rhai:1:1) → nobody says
      website/9

    1 person: owner of username, website (old/a.rhai:1:1) → nobody says
      website/9

    1 row: rejected by the new rules only
      names.csv:4 not_a_date not a date of the form `%Y-%m-%d`

    1 operation: asked for by the old rules only
      website/9  refuse revoke_sessions at chat  old/a.rhai:7:5

    Different: 1 of 5 people treated differently; 0 calls by the old rules, 0 calls by the new.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn the_rules_of_the_project_itself_are_not_needed() {
    let world = twins();
    world.write("rules/broken.rhai", b"owner(");
    let broken = shown(&world, &["--lab", "compare", "old", "old", "website=website.csv"]);
    insta::assert_snapshot!(broken, @r#"
    Same: both treat 1 person alike, in 2 calls.
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn comparing_sends_nothing_but_questions() {
    let world = world();
    let before = world.asked("gitlab").len();
    assert_eq!(world.homeward(&["--lab", "compare", "rules", "new", "website=third.csv"]).status, 0);
    let all = world.asked("gitlab");
    assert!(all.len() > before);
    assert_eq!(all[before..].iter().filter(|asked| !asked.starts_with("GET ")).count(), 0, "{all:?}");
}
