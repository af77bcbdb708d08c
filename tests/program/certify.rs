//! What `check` certifies: rules that can go back and forth are told so, however they are written.

#![expect(clippy::unwrap_used, reason = "an answer that is no document fails the test")]

use crate::common::World;
use serde_json::Value;

const CONFIG: &str = r#"
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }

[systems.hr]
kind = "csv"
key = "id"
says = "state"

[systems.shop]
kind = "csv"
key = "id"
says = "state"
"#;

/// Two sources that name the same people differently.
const SOURCES: &str = r#"source("hr", |row| #{ key: row.id, username: row.username });
source("shop", |row| #{ key: row.id, username: row.username });
"#;

fn project(config: &str, files: &[(&str, &str)]) -> World {
    let world = World::new().file("homeward.toml", config.trim_start());
    files.iter().fold(world, |world, (name, text)| world.file(name, text))
}

/// What is told of a project: the word for it, and how many rounds are shown.
fn verdict(world: &World) -> (String, Option<usize>) {
    let ran = world.homeward(&["--format", "json", "check"]);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["errors"], 0, "{}", ran.stdout);
    let rounds = &document["rounds"];
    (rounds["verdict"].as_str().unwrap().to_owned(), rounds["trace"]["rounds"].as_array().map(Vec::len))
}

/// HR's name where the condition holds, else the shop's; both go to Mattermost, which the condition looks at.
fn depends(condition: &str) -> String {
    format!(
        "owner(\"username\", \"hr\", {condition});\nowner(\"username\", \"shop\");\n\
         copies(\"username\", \"mattermost\");\n"
    )
}

fn oscillates(rules: &str, module: &str) {
    let files = [("rules/a.rhai", rules), ("rules/lib/names.rhai", module)];
    let files = if module.is_empty() { &files[..1] } else { &files[..] };
    assert_eq!(verdict(&project(CONFIG, files)), ("oscillates".to_owned(), Some(2)), "{rules}");
}

const PLAIN: &str = r#"|person| person.mattermost?.username == "ann""#;

#[test]
fn a_project_that_goes_back_and_forth_is_shown_round_by_round() {
    let rules = format!("{}{SOURCES}", depends(PLAIN));
    let ran = project(CONFIG, &[("rules/a.rhai", &rules)]).homeward(&["check"]);
    insta::assert_snapshot!(format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status), @r#"
    Usable: 4 systems, 2 owner lines, 4 warnings.
    -- stderr
      ⚠ no rule speaks of gitlab: it is never asked, and nothing is changed there [unheard_system]
       ╭─[homeward.toml:1:10]
     1 │ [systems.gitlab]
       ·          ──────
     2 │ kind = "gitlab"
       ╰────
      help: say how accounts are found there, `join("gitlab", "email");`, and what goes there, `copies("email",
            "gitlab");`; or take it out

      ⚠ `username` at mattermost can go back and forth for ever, though nobody changes anything [ping_pong]
       ╭─[rules/a.rhai:1:1]
     1 │ owner("username", "hr", |person| person.mattermost?.username == "ann");
       · ───────────────────────────────────────────────────────────────────────
     2 │ owner("username", "shop");
       ╰────

      ⚠ hr states `username` again and again, and shop may own it (rules/a.rhai:2:1): it would undo the owner's changes
      │ for ever; let hr own it, or set says = "changes" [would_revert]
       ╭─[rules/a.rhai:2:1]
     1 │ owner("username", "hr", |person| person.mattermost?.username == "ann");
     2 │ owner("username", "shop");
       · ─────────────┬────────────
       ·              ╰── may own it
     3 │ copies("username", "mattermost");
     4 │ source("hr", |row| #{ key: row.id, username: row.username });
       · ──────────────────────────────┬──────────────────────────────
       ·                               ╰── here
     5 │ source("shop", |row| #{ key: row.id, username: row.username });
       ╰────

      ⚠ shop states `username` again and again, and hr may own it (rules/a.rhai:1:1): it would undo the owner's changes
      │ for ever; let shop own it, or set says = "changes" [would_revert]
       ╭─[rules/a.rhai:1:1]
     1 │ owner("username", "hr", |person| person.mattermost?.username == "ann");
       · ───────────────────────────────────┬───────────────────────────────────
       ·                                    ╰── may own it
     2 │ owner("username", "shop");
       ╰────
       ╭─[rules/a.rhai:5:1]
     4 │ source("hr", |row| #{ key: row.id, username: row.username });
     5 │ source("shop", |row| #{ key: row.id, username: row.username });
       · ───────────────────────────────┬───────────────────────────────
       ·                                ╰── here
       ╰────

      at first: she does not sign in to mattermost through gitlab
      at first: hr shows username = bea
      at first: mattermost holds username = ann
      at first: shop shows username = ann
      round 1: hr says username = bea (rules/a.rhai:4:1); shop says username = ann (rules/a.rhai:5:1); mattermost is sent username = bea in place of ann (rules/a.rhai:1:1, rules/a.rhai:3:1)
      round 2: hr says username = bea (rules/a.rhai:4:1); shop says username = ann (rules/a.rhai:5:1); mattermost is sent username = ann in place of bea (rules/a.rhai:2:1, rules/a.rhai:3:1)
      round 3 begins where round 1 did, and so on for ever

    note: no hr.csv or shop.csv is here, nor in samples, so columns that rules read are not looked at; of a list at hand: homeward check hr=FILE
    -- exit 0
    "#);
}

#[test]
fn a_condition_that_looks_at_what_nobody_writes_is_certified() {
    for condition in [
        r#"|person| person.mattermost?.auth_service == "gitlab""#,
        r#"|person| person["mattermost"]?.auth_service == "gitlab""#,
        "|person| person.mattermost != ()",
        "|person| is_guest(person)",
        "|person| is_old(person.mattermost)",
    ] {
        let functions = "fn is_guest(p) { p.mattermost?.auth_service == \"gitlab\" }\n\
                         fn is_old(account) { account?.auth_service == \"gitlab\" }\n";
        let rules = format!("{}{SOURCES}{functions}", depends(condition));
        assert_eq!(verdict(&project(CONFIG, &[("rules/a.rhai", &rules)])), ("free".to_owned(), None), "{condition}");
    }
}

#[test]
fn a_condition_in_a_module_is_followed_there() {
    // Nothing in the file of the condition names the system that the module looks at.
    let owners =
        "import \"names\" as n;\nowner(\"username\", \"hr\", |p| n::is_guest(p));\nowner(\"username\", \"shop\");\n";
    let others = format!("copies(\"username\", \"mattermost\");\n{SOURCES}");
    let of = |module: &str| {
        let files = [("rules/a.rhai", owners), ("rules/b.rhai", &others), ("rules/lib/names.rhai", module)];
        verdict(&project(CONFIG, &files))
    };
    for module in [
        "fn is_guest(someone) { someone.mattermost?.username == \"ann\" }\n",
        "fn is_guest(someone) { is_it(1, someone) }\n\
         fn is_it(number, who) { let account = who.mattermost; account?.username == \"ann\" }\n",
        "fn is_guest(someone) { let it = someone; it[\"matter\" + \"most\"]?.username == \"ann\" }\n",
    ] {
        assert_eq!(of(module), ("oscillates".to_owned(), Some(2)), "{module}");
    }
    let module = "fn is_guest(someone) { someone.mattermost?.auth_service == \"gitlab\" }\n";
    assert_eq!(of(module), ("free".to_owned(), None));
}

#[test]
fn other_names_for_a_person_or_an_account_hide_nothing() {
    for condition in [
        "|person| { let m = person.mattermost; m?.username == \"ann\" }",
        "|person| { let p = person; p.mattermost?.username == \"ann\" }",
        "|person| person[\"mattermost\"]?.username == \"ann\"",
        "|person| person[\"matter\" + \"most\"]?.username == \"ann\"",
        "|person| person.mattermost[\"user\" + \"name\"] == \"ann\"",
        "|person| is_ann(person)",
        "|person| has_name(person.mattermost)",
        "|person| [person].some(|one| one.mattermost?.username == \"ann\")",
        "|person| { for one in [1] { break person } ; false }",
    ] {
        let functions = "fn is_ann(somebody) { somebody.mattermost?.username == \"ann\" }\n\
                         fn has_name(account) { account?.username == \"ann\" }\n";
        oscillates(&format!("{}{SOURCES}{functions}", depends(condition)), "");
    }
}

#[test]
fn a_record_that_is_built_elsewhere_may_speak_of_anything() {
    let computed = "fn record(row) { let said = #{ key: row.id }; said[\"user\" + \"name\"] = row.username; said }\n";
    for source in ["|row| record(row)", "|row| { let said = record(row); said }", "|row| [record(row)]"] {
        let sources = format!("source(\"hr\", {source});\nsource(\"shop\", {source});\n{computed}");
        oscillates(&format!("{}{sources}", depends(PLAIN)), "");
    }
    let sources =
        "import \"names\" as n;\nsource(\"hr\", |row| n::record(row));\nsource(\"shop\", |row| n::record(row));\n";
    oscillates(&format!("{sources}{}", depends(PLAIN)), computed);
    oscillates(
        &format!("{sources}{}", depends(PLAIN)),
        "fn record(row) { #{ key: row.id, username: row.username } }\n",
    );
}

#[test]
fn brackets_and_quotes_in_texts_and_comments_end_no_condition() {
    for condition in [
        "|person| /* ) */ person.mattermost?.username == \"ann\"",
        "|person| \"\\\"\" != \")\" && person.mattermost?.username == \"ann\"",
        "|person| `)\"` != \"\" && person.mattermost?.username == \"ann\"",
        "|person| // \" ) |\n person.mattermost?.username == \"ann\"",
        "/* | ) */ |person| person.mattermost?.username == \"ann\"",
    ] {
        oscillates(&format!("{}{SOURCES}", depends(condition)), "");
    }
}

#[test]
fn a_route_is_seen_however_it_is_written() {
    let told = |route: &str| {
        let rules = format!(
            "owner(\"username\", \"hr\");\ncopies(\"username\", [\"gitlab\", \"mattermost\"]);\n\
             {SOURCES}{route}\n\
             fn other(change) {{ if change.system == \"gitlab\" {{ \"mattermost\" }} else {{ \"gitlab\" }} }}\n\
             fn away(system) {{ to (system) }}\n"
        );
        verdict(&project(CONFIG, &[("rules/a.rhai", &rules)]))
    };
    for route in [
        "route(|change| if change.system == \"gitlab\" { to(\"mattermost\") });",
        "route(|change| if change.system == \"gitlab\" { to (\"mattermost\") });",
        "route(|change| if change.system == \"gitlab\" { to /* ) */ ( [ \"mattermost\" ] ) });",
        "route(|change| if change.to != `)\"` { to (\"mattermost\") });",
        "route(|change| to(other(change)));",
        "route(|change| away(other(change)));",
    ] {
        let (word, rounds) = told(route);
        assert_eq!(word, "oscillates", "{route}");
        assert!(rounds.is_some_and(|rounds| rounds > 0), "{route}");
    }
    // What only speaks of `to`, in texts and in comments, sends nothing.
    let quiet = "route(|change| if change.to == \"\\\" to(\" { hold(\"to(\") });";
    assert_eq!(told(quiet), ("free".to_owned(), None));
}

#[test]
fn more_providers_than_can_be_looked_through_are_not_certified() {
    let of = |number: usize| {
        let more = (2..number).map(|at| {
            format!(
                "[systems.git{at}]\nkind = \"gitlab\"\nurl = \"https://git{at}.example.com\"\n\
                 token = {{ env = \"GITLAB_TOKEN\" }}\n"
            )
        });
        let config: String = std::iter::once(CONFIG.to_owned()).chain(more).collect();
        let rules = "owner(\"username\", \"hr\");\ncopies(\"username\", [\"gitlab\", \"mattermost\"]);\n\
                     source(\"hr\", |row| #{ key: row.id, username: row.username });\n\
                     source(\"shop\", |row| #{ key: row.id, username: row.username });\n";
        verdict(&project(&config, &[("rules/a.rhai", rules)]))
    };
    assert_eq!(of(6), ("free".to_owned(), None));
    assert_eq!(of(9), ("unsure".to_owned(), None));
}
