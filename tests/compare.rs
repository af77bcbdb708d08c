//! `homeward compare`: what two folders of rules would do differently.

mod common;

use common::World;
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

#[test]
fn comparing_sends_nothing_but_questions() {
    let world = world();
    let before = world.asked("gitlab").len();
    assert_eq!(world.homeward(&["--lab", "compare", "rules", "new", "website=third.csv"]).status, 0);
    let all = world.asked("gitlab");
    assert!(all.len() > before);
    assert_eq!(all[before..].iter().filter(|asked| !asked.starts_with("GET ")).count(), 0, "{all:?}");
}
