//! What an older list says is not carried out where a newer one of the same source says otherwise: whether that one was
//! carried out, waits for somebody, or broke off.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};

use crate::common::World;

const SETTINGS: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
says = "state"
coverage = "COVERAGE"
folder = "drop"
order = "arrival"
quiet = { looks = 1, time = "1ms" }
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }
concurrency = 1
"#;

const RULES: &str = r#"
owner(["username", "email", "display_name", "active"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{
    key: row.id, username: row.username, email: row.email, display_name: row.name, active: row.status == "Active",
});
join("gitlab", "email");
account("gitlab", |person| person.active);
guard(|plan| if plan.count("gitlab", "display_name") > 1 { hold("more than one new name") });
"#;

/// Nobody is switched off unseen. The second system is what makes it worth while to take a plan apart.
const NO_REMOVALS: &str = "[systems.zitadel]\nkind = \"zitadel\"\nurl = \"https://id.example.com\"\ntoken = { env = \"Z\" }\n\
                           [limits]\nremovals = { share = \"0%\", at_least = 0 }\n";

const FIRST: &str = "1002,Ben,ben,Active\n1001,Anna,anna,Active\n1003,Cleo,cleo,Active\n";
/// A mistake: Anna has left.
const WRONG: &str = "1001,Anna,anna,Left\n1000,Ada,ada,Active\n1002,Ben,ben,Active\n1003,Cleo,cleo,Active\n";
/// What is right, with more new names than go through unseen.
const RIGHT: &str =
    "1001,Anna,anna,Active\n1000,Ada,ada,Active\n1002,Benjamin,ben,Active\n1003,Cleopatra,cleo,Active\n";

fn list(rows: &str) -> Vec<u8> {
    let row = |row: &str| {
        let [id, name, username, status] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        format!("{id},{name},{username}@example.com,{username},{status}\n")
    };
    format!("id,name,email,username,status\n{}", rows.lines().map(row).collect::<String>()).into_bytes()
}

/// Anna, Ben and Cleo are at GitLab, and the first list was carried out.
fn world(coverage: &str) -> World {
    world_with(coverage, "", RULES)
}

fn world_with(coverage: &str, settings: &str, rules: &str) -> World {
    world_seeded(coverage, settings, rules, None)
}

fn world_seeded(coverage: &str, settings: &str, rules: &str, zitadel: Option<&Value>) -> World {
    let user = |id: u32, name: &str| {
        let username = name.to_lowercase();
        json!({ "id": id, "username": username, "name": name, "email": format!("{username}@example.com") })
    };
    let users = json!({ "users": [user(41, "Anna"), user(42, "Ben"), user(43, "Cleo")] });
    let mut world = World::new()
        .file("homeward.toml", &format!("{}{settings}", SETTINGS.replace("COVERAGE", coverage)))
        .file("rules/people.rhai", rules)
        .file("lab/gitlab.json", &users.to_string());
    if let Some(zitadel) = zitadel {
        world.write("lab/zitadel.json", zitadel.to_string().as_bytes());
    }
    for (name, rows) in [("first", FIRST), ("wrong", WRONG), ("right", RIGHT)] {
        world.write(&format!("{name}.csv"), &list(rows));
    }
    std::fs::create_dir(world.path("drop")).unwrap();
    world.start_lab(&[]);
    world.json(0, &["apply", "--yes", "hr=first.csv"]);
    world
}

fn chaos(world: &World, faults: &Value) {
    world.lab("gitlab", "POST", "chaos", &json!({ "faults": faults }));
}

fn calm(world: &World) {
    world.lab("gitlab", "DELETE", "chaos", &Value::Null);
}

/// Applies a list while GitLab takes no writes: its run is left with all it has to do.
fn applied_in_vain(world: &World, exit: i32, name: &str) {
    chaos(world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]));
    world.json(exit, &["apply", "--yes", &format!("hr={name}.csv")]);
    calm(world);
}

fn anna(world: &World) -> Value {
    world.user("gitlab", "email", "anna@example.com")["state"].clone()
}

/// The run that was set aside.
fn aside(world: &World) -> String {
    let runs = world.json(0, &["runs"]);
    let aside = runs["runs"].as_array().unwrap().iter().find(|run| run["standing"] == "aside").unwrap();
    aside["run"].to_string()
}

fn standings(world: &World) -> Vec<String> {
    let mut runs: Vec<Value> = world.json(0, &["runs"])["runs"].as_array().unwrap().clone();
    runs.sort_by_key(|run| run["run"].as_i64());
    runs.iter().map(|run| run["standing"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_older_list_is_not_finished_while_a_newer_one_waits() {
    let world = world("full");
    applied_in_vain(&world, 8, "wrong");
    world.json(6, &["apply", "--yes", "hr=right.csv"]);
    assert_eq!(standings(&world), ["done", "partly", "held"]);
    let bare = world.homeward(&["--lab", "resume"]);
    let first = "carry it out with `homeward --lab approve 3`, or drop it with `homeward --lab reject 3`";
    let told = format!("run 2 is left out: run 3 has a later input of its source and waits: {first}\n");
    assert!(bare.status == 0 && bare.stderr.contains(&told), "{}", bare.stderr);
    let named = world.json(4, &["resume", "2"]);
    assert_eq!(named["errors"][0]["hint"], first);
    // Once it was carried out, the older one has nothing to say any more.
    world.json(0, &["approve", "--yes", "3"]);
    world.homeward(&["--lab", "resume"]);
    assert_eq!(anna(&world), "active");
}

#[test]
fn an_older_list_is_finished_where_the_newer_one_is_rejected() {
    let world = world("full");
    applied_in_vain(&world, 8, "wrong");
    world.json(6, &["apply", "--yes", "hr=right.csv"]);
    world.homeward(&["--lab", "resume"]);
    world.json(0, &["reject", "3"]);
    world.json(0, &["resume"]);
    assert_eq!(anna(&world), "blocked");
}

#[test]
fn a_plan_that_was_saved_takes_no_newer_ones_place() {
    let world = world("full");
    world.json(0, &["plan", "hr=wrong.csv", "--out", "old.json"]);
    world.json(6, &["apply", "--yes", "hr=right.csv"]);
    let told = world.json(4, &["apply", "--yes", "old.json"]);
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert_eq!(message, "run 2 of hr waits to be settled, and comes first");
    assert_eq!((anna(&world), standings(&world)), (json!("active"), vec!["done".to_owned(), "held".to_owned()]));
    // The one that waits may itself be given again.
    world.json(6, &["plan", "hr=right.csv", "--out", "new.json"]);
    world.json(6, &["apply", "--yes", "new.json"]);
    world.json(6, &["apply", "--yes", "new.json"]);
    assert_eq!(standings(&world), ["done", "superseded", "superseded", "held"]);
}

#[test]
fn what_waits_gives_way_only_to_what_says_all_of_it_anew() {
    let world = world("partial");
    let guard = "guard(|plan| if plan.count(\"gitlab\", \"active\") > 1 { hold(\"two leave\") });\n";
    world.write("rules/people.rhai", format!("{RULES}{guard}").as_bytes());
    world.write("monday.csv", &list("1001,Anna,anna,Left\n1002,Ben,ben,Left\n"));
    world.write("tuesday.csv", &list("1003,Cleopatra,cleo,Active\n"));
    world.write("corrected.csv", &list("1001,Anna,anna,Left\n1002,Benjamin,ben,Active\n"));
    world.json(6, &["apply", "--yes", "hr=monday.csv"]);
    let told = world.json(4, &["apply", "--yes", "hr=tuesday.csv"]);
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert_eq!(message, "run 2 of hr waits to be settled, and comes first");
    assert_eq!(standings(&world), ["done", "held"]);
    // The same once more says all of it.
    world.json(6, &["apply", "--yes", "hr=monday.csv"]);
    assert_eq!(standings(&world), ["done", "superseded", "held"]);
    world.json(0, &["approve", "--yes", "3"]);
    world.json(0, &["apply", "--yes", "hr=tuesday.csv"]);
    assert_eq!((anna(&world), standings(&world)[3].as_str()), (json!("blocked"), "done"));
}

#[test]
fn a_list_of_everybody_takes_the_place_of_one_that_waits_and_says_so() {
    let world = world("full");
    let guard = "guard(|plan| if plan.count(\"gitlab\", \"active\") > 0 { hold(\"somebody leaves\") });\n";
    world.write("rules/people.rhai", format!("{}{guard}", RULES.replace("> 1", "> 5")).as_bytes());
    world.json(6, &["apply", "--yes", "hr=wrong.csv"]);
    let ran = world.homeward(&["--lab", "apply", "--yes", "hr=right.csv"]);
    assert!(ran.stderr.contains("run 2 waits no more: what is given now takes its place"), "{}", ran.stderr);
    assert_eq!(standings(&world), ["done", "superseded", "done"]);
}

#[test]
fn what_a_feed_brought_since_is_not_undone_by_approving_what_was_given_by_hand() {
    for coverage in ["full", "partial"] {
        let world = world(coverage);
        let guard = "guard(|plan| if plan.count(\"gitlab\", \"active\") > 0 { hold(\"somebody leaves\") });\n";
        world.write("rules/people.rhai", format!("{}{guard}", RULES.replace("> 1", "> 5")).as_bytes());
        world.json(6, &["apply", "--yes", "hr=wrong.csv"]);
        world.write("drop/right.csv", &list(RIGHT));
        world.homeward(&["--lab", "watch", "--once", "--apply"]);
        let approved = world.homeward(&["--lab", "approve", "--yes", "2"]);
        assert_eq!((approved.status, anna(&world)), (2, json!("active")), "{coverage}: {}", approved.stderr);
    }
}

#[test]
fn what_overtakes_a_run_is_known_when_its_plan_was_removed() {
    for coverage in ["full", "partial"] {
        let world = world_with(coverage, "", &RULES.replace("> 1", "> 5"));
        applied_in_vain(&world, 8, "wrong");
        world.json(0, &["apply", "--yes", "hr=right.csv"]);
        world.json(0, &["runs", "--prune", "1ms", "--yes"]);
        assert_eq!(world.json(0, &["runs", "3"])["plan"], Value::Null);
        world.homeward(&["--lab", "resume"]);
        assert_eq!(anna(&world), "active", "{coverage}");
    }
}

#[test]
fn somebody_under_a_new_key_is_said_to_be_herself_without_being_switched_off() {
    let world = world("full");
    world.write("next.csv", &list("1002,Ben,ben,Active\n2001,Anna,anna,Active\n1003,Cleo,cleo,Active\n"));
    let rejected = world.json(4, &["apply", "--yes", "hr=next.csv"]);
    let run = rejected["run"].to_string();
    let reason = world.json(0, &["runs", &run])["plan"]["rejected"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("homeward link hr/2001 gitlab:41"), "{reason}");
    world.json(0, &["link", "hr/2001", "gitlab:41", "--yes"]);
    let plan = world.json(0, &["plan", "hr=next.csv"]);
    assert_eq!((&plan["rejected"], &plan["calls"]), (&json!([]), &json!([])));
    world.json(0, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(anna(&world), "active");
}

#[test]
fn what_was_set_aside_is_not_approved_once_a_later_list_takes_it_back() {
    for (tuesday, exit, state) in [("Active", 2, "active"), ("Left", 0, "blocked")] {
        let world = world_with("partial", NO_REMOVALS, &format!("{RULES}join(\"zitadel\", \"email\");\n"));
        world.write("monday.csv", &list("1001,Anna,anna,Left\n1003,Cleopatra,cleo,Active\n"));
        world.write("tuesday.csv", &list(&format!("1001,Anna,anna,{tuesday}\n")));
        world.json(6, &["apply", "--yes", "hr=monday.csv"]);
        let aside = aside(&world);
        world.homeward(&["--lab", "apply", "--yes", "hr=tuesday.csv"]);
        let approved = world.homeward(&["--lab", "approve", "--yes", &aside]);
        assert_eq!((approved.status, anna(&world)), (exit, json!(state)), "{tuesday}: {}", approved.stderr);
    }
}

#[test]
fn what_was_approved_is_carried_out_though_a_guard_line_fails_by_now() {
    let world = world("full");
    world.json(6, &["apply", "--yes", "hr=right.csv"]);
    world.write("rules/people.rhai", format!("{RULES}guard(|plan| throw \"not today\");\n").as_bytes());
    world.json(0, &["approve", "--yes", "--anyway", "2"]);
    assert_eq!(world.user("gitlab", "email", "ben@example.com")["name"], "Benjamin");
}

#[test]
fn a_store_that_is_not_there_cannot_be_copied_looked_through_or_pruned() {
    let world =
        World::new().file("homeward.toml", &SETTINGS.replace("COVERAGE", "full")).file("rules/people.rhai", RULES);
    for option in [&["--backup", "copy.db"][..], &["--verify"], &["--prune", "400d", "--yes"]] {
        let ran = world.homeward(&[&["runs"], option].concat());
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{option:?}");
        assert!(ran.stderr.contains("there is no state store at"), "{}", ran.stderr);
    }
    assert!(!world.path("copy.db").exists());
}

#[test]
fn an_undo_is_past_too_once_a_newer_list_is_there() {
    let world = world("full");
    world.json(6, &["apply", "--yes", "hr=right.csv"]);
    world.json(0, &["approve", "--yes", "2"]);
    // Two names would be taken back: a guard line holds it.
    world.json(6, &["undo", "2", "--yes"]);
    world.write("newer.csv", &list(&RIGHT.replace("Benjamin", "Benno")));
    world.json(0, &["apply", "--yes", "hr=newer.csv"]);
    let approved = world.homeward(&["--lab", "approve", "--yes", "3"]);
    let name = &world.user("gitlab", "email", "ben@example.com")["name"];
    assert_eq!((approved.status, name), (2, &json!("Benno")), "{}", approved.stderr);
}

#[test]
fn an_undo_that_broke_off_is_not_finished_after_a_newer_list() {
    let world = world_with("full", "", &RULES.replace("> 1", "> 5"));
    world.json(0, &["apply", "--yes", "hr=right.csv"]);
    chaos(&world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]));
    world.homeward(&["--lab", "undo", "2", "--yes"]);
    calm(&world);
    assert_eq!(standings(&world), ["done", "done", "partly"]);
    world.write("newer.csv", &list(&RIGHT.replace("Cleopatra", "Cleo")));
    world.json(0, &["apply", "--yes", "hr=newer.csv"]);
    world.homeward(&["--lab", "resume"]);
    assert_eq!(world.user("gitlab", "email", "ben@example.com")["name"], "Benjamin");
}

#[test]
fn a_day_that_begins_does_not_do_again_what_was_taken_back() {
    let world = world_with("full", "", &RULES.replace("> 1", "> 5"));
    world.write("drop/right.csv", &list(RIGHT));
    let watch = |today: &str| world.homeward(&["--lab", "watch", "--once", "--apply", "--today", today]);
    watch("2026-11-20");
    let name = || world.user("gitlab", "email", "ben@example.com")["name"].clone();
    assert_eq!((name(), standings(&world)), (json!("Benjamin"), vec!["done".to_owned(); 2]));
    world.json(0, &["undo", "2", "--yes"]);
    let ran = watch("2026-11-21");
    assert_eq!((name(), standings(&world).len()), (json!("Ben"), 3), "{}", ran.stderr);
    let told = &world.json(0, &["status"])["feeds"]["hr"]["warnings"][0];
    let stale = "run 3 took back what `right.csv` had asked for: what falls due today waits for the next list";
    assert_eq!(told, stale);
}

#[test]
fn what_was_set_aside_and_approved_is_finished_though_the_same_list_came_again() {
    let world = world_with("full", NO_REMOVALS, &format!("{RULES}join(\"zitadel\", \"email\");\n"));
    world.write("monday.csv", &list("1002,Ben,ben,Active\n1001,Anna,anna,Left\n1003,Cleopatra,cleo,Active\n"));
    world.json(6, &["apply", "--yes", "hr=monday.csv"]);
    world.homeward(&["--lab", "apply", "--yes", "hr=monday.csv"]);
    let aside = aside(&world);
    chaos(&world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]));
    world.homeward(&["--lab", "approve", "--yes", &aside]);
    calm(&world);
    assert_eq!(anna(&world), "active");
    world.json(0, &["resume"]);
    assert_eq!(anna(&world), "blocked");
}

/// What GitLab owns.
const CHANGES: &str = r#"
owner(["username", "email", "display_name", "active"], "gitlab");
source("hr", |row| #{ key: row.id, display_name: row.name, email: row.email });
join("gitlab", "email");
join("zitadel", "email");
"#;

/// HR says changes, of which none of a display name goes through unseen. It said nothing but what these rules make of it.
fn world_of_changes(rules: &str) -> World {
    let settings = "[systems.zitadel]\nkind = \"zitadel\"\nurl = \"https://id.example.com\"\ntoken = { env = \"Z\" }\n\
                    [limits]\nattributes = { display_name = { share = \"0%\", at_least = 0 } }\n";
    let world = world_with("partial", settings, rules);
    let config = std::fs::read_to_string(world.path("homeward.toml")).unwrap();
    world.write("homeward.toml", config.replace("says = \"state\"", "says = \"changes\"").as_bytes());
    world
}

#[test]
fn what_was_set_aside_and_carried_out_is_not_said_again() {
    let world = world_of_changes(CHANGES);
    let ben = || world.user("gitlab", "email", "ben@example.com")["name"].clone();
    world.write("news.csv", &list("1002,Benjamin,ben,Active\n"));
    world.json(6, &["apply", "--yes", "hr=news.csv"]);
    world.json(0, &["approve", "--yes", &aside(&world)]);
    assert_eq!(ben(), "Benjamin");
    // Who owns it gives him another name, and HR says what it said.
    world.lab("gitlab", "POST", "meddle/42", &json!({ "name": "Benno" }));
    let plan = world.json(0, &["plan", "hr=news.csv"]);
    assert_eq!(plan["changes"], json!([]), "{plan:#}");
}

#[test]
fn an_attribute_of_which_nothing_was_ever_said_is_told() {
    let world = world_of_changes(&CHANGES.replace("display_name: row.name, ", ""));
    world.write("other.csv", &list(&FIRST.replace("Anna", "Annabel")));
    world.write("rules/people.rhai", CHANGES.as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=other.csv"]);
    let note = "warning: hr says `display_name` for the first time, of 3 people: each is a change";
    assert!(ran.stderr.contains(note), "{}", ran.stderr);
}

#[test]
fn what_was_set_aside_and_approved_is_not_finished_once_a_later_list_takes_it_back() {
    let world = world_with("full", NO_REMOVALS, &format!("{RULES}join(\"zitadel\", \"email\");\n"));
    world.write("monday.csv", &list("1002,Ben,ben,Active\n1001,Anna,anna,Left\n1003,Cleo,cleo,Active\n"));
    world.write("tuesday.csv", &list("1002,Benjamin,ben,Active\n1001,Anna,anna,Active\n1003,Cleo,cleo,Active\n"));
    world.json(6, &["apply", "--yes", "hr=monday.csv"]);
    let aside = aside(&world);
    chaos(&world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]));
    world.homeward(&["--lab", "approve", "--yes", &aside]);
    calm(&world);
    world.json(0, &["apply", "--yes", "hr=tuesday.csv"]);
    world.homeward(&["--lab", "resume"]);
    world.homeward(&["--lab", "resume", &aside]);
    assert_eq!(anna(&world), "active");
}

#[test]
fn a_name_that_was_left_halfway_is_news_whatever_is_said_of_it_next() {
    let rules =
        CHANGES.replace("display_name: row.name", "username: row.username") + "temporary(\"username\", \"gitlab\");\n";
    let world = world_of_changes(&rules);
    let swap =
        "id,name,email,username,status\n1001,Anna,anna@example.com,ben,Active\n1002,Ben,ben@example.com,anna,Active\n";
    world.write("swap.csv", swap.as_bytes());
    chaos(&world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 2, "times": 50 }]));
    world.homeward(&["--lab", "apply", "--yes", "hr=swap.csv"]);
    calm(&world);
    let name = |id: &str| world.state("gitlab")["users"][id]["username"].clone();
    assert!(name("41").as_str().unwrap().contains("moving") || name("42").as_str().unwrap().contains("moving"));
    // HR takes it back: nobody is left with a name that was for a moment.
    world.json(0, &["apply", "--yes", "hr=first.csv"]);
    assert_eq!((name("41"), name("42")), (json!("anna"), json!("ben")));
}

#[test]
fn what_the_rest_of_a_list_has_left_undone_is_said_again_after_its_part_was_approved() {
    let rules = r#"
owner("email", "hr");
owner(["username", "display_name", "active"], "zitadel");
copies("email", ["gitlab", "zitadel"]);
source("hr", |row| #{ key: row.id, username: row.username, email: row.email, display_name: row.name });
join("gitlab", "username");
join("zitadel", "username");
"#;
    let settings = "[systems.zitadel]\nkind = \"zitadel\"\nurl = \"https://id.example.com\"\ntoken = { env = \"Z\" }\n\
                    [limits]\nattributes = { display_name = { share = \"0%\", at_least = 0 } }\n";
    let user = |name: &str| {
        let username = name.to_lowercase();
        json!({ "organization": "org1", "username": username, "email": format!("{username}@example.com"),
            "first_name": name, "last_name": "B", "display_name": name })
    };
    let users = ["Anna", "Ben", "Cleo"].map(user);
    let zitadel = json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": users });
    let world = world_seeded("partial", settings, rules, Some(&zitadel));
    let config = std::fs::read_to_string(world.path("homeward.toml")).unwrap();
    world.write("homeward.toml", config.replace("says = \"state\"", "says = \"changes\"").as_bytes());
    let news = "id,name,email,username,status\n1001,Anne,anne@example.com,anna,Active\n";
    world.write("news.csv", news.as_bytes());
    chaos(&world, &json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]));
    world.homeward(&["--lab", "apply", "--yes", "hr=news.csv"]);
    world.json(0, &["approve", "--yes", &aside(&world)]);
    calm(&world);
    world.homeward(&["--lab", "apply", "--yes", "hr=news.csv"]);
    assert_eq!(world.state("gitlab")["users"]["41"]["email"], "anne@example.com");
}
