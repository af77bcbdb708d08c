//! The slow drip: what one run may not do, a hundred small ones may not do either, whoever starts them and whenever they
//! say it is.
//!
//! `HOMEWARD_DRIPS=100` splits a thousand removals over a hundred runs; without it there are fewer of them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::{fmt::Write as _, fs};

use crate::common::World;
use serde_json::{Value, json};

/// How many people each run takes an account from.
const PER_RUN: usize = 10;

/// How many people may lose an account within the window.
const ALLOWED: usize = 40;

/// Both feeds own whether their people are active; who is whose is seen by the address.
const RULES: &str = r#"
owner("active", "hr", |person| person.gitlab?.username?.starts_with("hr") == true || person.mattermost?.username?.starts_with("hr") == true);
owner("active", "guests");
copies("active", ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, email: row.email, active: row.status == "in" });
source("guests", |row| #{ key: row.id, email: row.email, active: row.status == "in" });
join("gitlab", "email");
join("mattermost", "email");
"#;

fn config(limits: &str) -> String {
    let feed = |name: &str| {
        format!(
            "[systems.{name}]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\nfolder = \"drop/{name}\"\nquiet = {{ looks = \
             1, time = \"1ms\" }}\nlook_every = \"200ms\"\n\n"
        )
    };
    let provider = |kind: &str| {
        format!(
            "[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n\n"
        )
    };
    let systems = [feed("hr"), feed("guests"), provider("gitlab"), provider("mattermost")].concat();
    format!("{systems}[limits]\ndiffering = {{ share = \"100%\" }}\n{limits}\n")
}

/// So many people of each feed at GitLab, and as many at Mattermost.
fn world(people: usize, limits: &str) -> World {
    let names = || (0..people).flat_map(|number| ["hr", "guests"].map(|feed| format!("{feed}{number}")));
    let gitlab = |(at, name): (usize, String)| json!({ "id": 100 + at, "username": name, "name": name, "email": format!("{name}@git.example.com") });
    let chat = |name: String| json!({ "username": name, "email": format!("{name}@chat.example.com") });
    let gitlab: Vec<Value> = names().enumerate().map(gitlab).collect();
    let chat: Vec<Value> = names().map(chat).collect();
    let mut world = World::new()
        .file("homeward.toml", &config(limits))
        .file("rules/people.rhai", RULES)
        .file("lab/gitlab.json", &json!({ "users": gitlab }).to_string())
        .file("lab/mattermost.json", &json!({ "users": chat }).to_string());
    for feed in ["hr", "guests"] {
        fs::create_dir_all(world.path(&format!("drop/{feed}"))).unwrap();
    }
    world.start_lab(&[]);
    world
}

/// Who leaves: people of a feed by their numbers, at one of the two servers.
fn leavers(feed: &str, server: &str, numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().fold("id,email,status\n".to_owned(), |mut text, number| {
        writeln!(text, "{server}{number},{feed}{number}@{server}.example.com,out").unwrap();
        text
    })
}

/// How many people have lost their account at each server.
fn gone(world: &World) -> (usize, usize) {
    let blocked = world.users("gitlab").iter().filter(|user| user["state"] == "blocked").count();
    let off = world.users("mattermost").iter().filter(|user| user["delete_at"].as_i64().unwrap_or(0) > 0).count();
    (blocked, off)
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn drips() -> usize {
    std::env::var("HOMEWARD_DRIPS").ok().and_then(|text| text.parse().ok()).unwrap_or(14)
}

#[test]
fn many_small_runs_trip_at_the_total_that_one_run_may_do_over_feeds_systems_days_and_restarts() {
    let drips = drips();
    let world = world((drips / 4 + 1) * PER_RUN, &format!("removals = {{ share = \"0%\", at_least = {ALLOWED} }}"));
    // Every run is a process of its own, for another feed, at another server, on another day.
    let mut held = 0;
    for drip in 0..drips {
        let (feed, server) = (["hr", "guests"][drip % 2], ["git", "chat"][drip / 2 % 2]);
        let first = drip / 4 * PER_RUN;
        world.write("next.csv", leavers(feed, server, first..first + PER_RUN).as_bytes());
        let day = format!("20{:02}-01-01", 27 + drip % 70);
        let done = drip / 4 * 2 * PER_RUN + drip % 2 * PER_RUN;
        let exit = if done < ALLOWED { 0 } else { 6 };
        let report = world.json(exit, &["--today", &day, "apply", "--yes", &format!("{feed}=next.csv")]);
        if exit == 6 {
            held += 1;
            let told = report["held"].as_str().unwrap();
            let count = ALLOWED + PER_RUN;
            assert!(told.contains(&format!("{count} of ")), "{told}");
            assert!(told.contains(&format!(", {ALLOWED} of them by runs of the last 24h; ")), "{told}");
            assert_eq!(report["tripped"][0]["people"].as_array().unwrap().len(), PER_RUN, "{report}");
        }
    }
    assert_eq!(held, drips - 8, "as many as one run may do, at each of two servers");
    assert_eq!(gone(&world), (ALLOWED, ALLOWED));
}

#[test]
fn what_is_done_by_hand_counts_for_the_service_and_a_removal_too_many_holds_no_other_system() {
    let world = world(8, "removals = { share = \"0%\", at_least = 3 }");
    world.write("by_hand.csv", leavers("hr", "git", 0..2).as_bytes());
    world.json(0, &["apply", "--yes", "hr=by_hand.csv"]);
    // The first list of a feed is for somebody to look at.
    world.write("drop/guests/1.csv", leavers("guests", "git", 0..1).as_bytes());
    world.json_less(4, &["watch", "--once", "--apply"]);
    let first = run(&world, "1.csv", "waiting");
    world.json(0, &["approve", &first, "--yes"]);
    assert_eq!(gone(&world), (3, 0));
    // What somebody approved without a limit in the way counts as well: nobody more at GitLab, by whichever feed.
    let mut both = leavers("guests", "git", 1..3);
    both.push_str(leavers("guests", "chat", 0..2).split_once('\n').unwrap().1);
    world.write("drop/guests/2.csv", both.as_bytes());
    world.json_less(4, &["watch", "--once", "--apply"]);
    assert_eq!(gone(&world), (3, 2), "Mattermost is not concerned");
    let aside = run(&world, "2.csv (held)", "aside");
    assert_eq!(run(&world, "2.csv", "done"), (aside.parse::<i64>().unwrap() - 1).to_string());

    // Nothing waits behind it.
    world.write("drop/guests/3.csv", leavers("guests", "chat", 2..3).as_bytes());
    world.json_less(4, &["watch", "--once", "--apply"]);
    assert_eq!(gone(&world), (3, 3));
    run(&world, "2.csv (held)", "aside");

    // Once approved, these go, and do not count against those who come after: it is one too many all the same.
    let approved = world.json(0, &["approve", &aside, "--yes", "--by", "Ada"]);
    assert_eq!(approved["outcomes"].as_array().unwrap().len(), 2, "{approved}");
    assert_eq!(gone(&world), (5, 3));
    world.write("by_hand.csv", leavers("hr", "git", 2..3).as_bytes());
    let held = world.json(6, &["apply", "--yes", "hr=by_hand.csv"]);
    let told = held["held"].as_str().unwrap();
    assert!(
        told.contains("would lose gitlab, 3 of them by runs of the last 24h; `limits.removals` allows 3"),
        "{told}"
    );
    assert!(told.starts_with("4 of "), "{told}");
}

#[test]
fn the_part_that_a_limit_holds_is_a_run_of_its_own_and_gives_way_to_what_is_planned_anew() {
    let world = world(6, "removals = { share = \"0%\", at_least = 1 }");
    let mut both = leavers("hr", "git", 0..3);
    both.push_str(leavers("hr", "chat", 0..1).split_once('\n').unwrap().1);
    world.write("next.csv", both.as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=next.csv"]);
    assert_eq!(ran.status, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("3 of 4 people would lose gitlab; `limits.removals` allows 1"), "{}", ran.stderr);
    assert!(ran.stderr.contains("among them hr/git0, hr/git1, hr/git2"), "{}", ran.stderr);
    assert!(ran.stderr.contains("what concerns gitlab is held (3 calls), the rest is not (1 call)"), "{}", ran.stderr);
    // What is shown is what would be done now.
    let lines = |word: &str, system: &str| -> usize {
        let of = |line: &&str| line.split_whitespace().take(3).eq([word, "active", system]);
        ran.stdout.lines().filter(of).count()
    };
    assert_eq!((lines("hold", "gitlab"), lines("apply", "gitlab")), (3, 0), "{}", ran.stdout);
    assert_eq!((lines("hold", "mattermost"), lines("apply", "mattermost")), (0, 1), "{}", ran.stdout);
    // For machines the plan is what is asked for, and beside it stands what would not be done now.
    let ran = world.homeward(&["--lab", "-q", "--format", "json", "plan", "hr=next.csv"]);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Value = serde_json::from_str(&ran.stderr).unwrap();
    let at_gitlab = plan["calls"].as_array().unwrap().iter().filter(|call| call["system"] == "gitlab");
    let at_gitlab: Vec<&Value> = at_gitlab.map(|call| &call["id"]).collect();
    assert_eq!((told["held"].clone(), at_gitlab.len()), (json!(at_gitlab), 3), "{told}");
    assert_eq!(told["tripped"][0]["people"], json!(["hr/git0", "hr/git1", "hr/git2"]), "{told}");
    let [name, count, allowed] = ["name", "count", "allowed"].map(|key| &told["tripped"][0][key]);
    let message = told["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("would lose gitlab"), "{told}");
    assert_eq!(name, "removals");
    assert!(message.starts_with(&format!("{count} of ")) && message.ends_with(&format!("allows {allowed}")), "{told}");

    let report = world.json(6, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!((report["run"].clone(), report["held_run"].clone()), (json!(1), json!(2)), "{report}");
    assert_eq!(gone(&world), (0, 1));
    let decisions = |run: &str| -> Vec<(String, String)> {
        let changes = world.json(0, &["runs", run])["plan"]["changes"].clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of = changes.as_array().unwrap().iter().filter(|change| change["attribute"] == "active");
        of.map(|change| (text(&change["system"]), text(&change["decision"]))).collect()
    };
    let row = |system: &str, decision: &str| (system.to_owned(), decision.to_owned());
    let mut rest = decisions("1");
    rest.retain(|(_, decision)| decision != "refuse");
    assert_eq!(rest, [row("mattermost", "apply"), row("gitlab", "hold"), row("gitlab", "hold"), row("gitlab", "hold")]);
    assert_eq!(decisions("2"), [row("gitlab", "apply"), row("gitlab", "apply"), row("gitlab", "apply")]);

    // The same again is held by the run that is there; more than that takes its place.
    let again = world.json(6, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(again["held_run"], 2, "{again}");
    world.write("next.csv", leavers("hr", "git", 0..4).as_bytes());
    let more = world.json(6, &["apply", "--yes", "hr=next.csv"]);
    assert_ne!(more["held_run"], 2, "{more}");
    let ran = world.homeward(&["--lab", "approve", "2", "--yes"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("run 2 waits for nobody: it is superseded"), "{}", ran.stderr);
    assert_eq!(gone(&world), (0, 1));
    let held = more["held_run"].to_string();
    world.json(0, &["approve", &held, "--yes"]);
    assert_eq!(gone(&world), (4, 1));
}

#[test]
fn two_people_approve_what_two_must_and_what_is_too_old_is_planned_again() {
    let world = world(6, "removals = { share = \"0%\", at_least = 1 }\napprovals = 2\nexpires = \"1h\"");
    world.write("next.csv", leavers("hr", "git", 0..3).as_bytes());
    let run = world.json(6, &["apply", "--yes", "hr=next.csv"])["held_run"].to_string();
    let approve = |by: &str| world.homeward(&["--lab", "approve", &run, "--yes", "--by", by]);
    let first = approve("Ada");
    assert_eq!(first.status, 4);
    assert!(first.stderr.contains("1 of 2 approvals: somebody else has to approve it too"), "{}", first.stderr);
    let status = world.homeward(&["--lab", "status"]);
    assert!(status.stdout.contains("(1 of 2 approvals); settle it with"), "{}", status.stdout);
    let waiting = world.json(4, &["status"])["waiting"][0]["approvals"].clone();
    assert_eq!(waiting, json!({ "given": 1, "needed": 2 }));
    let same = approve(" ADA ");
    assert_eq!(same.status, 2);
    assert!(same.stderr.contains("was approved by ADA already"), "{}", same.stderr);
    assert_eq!(gone(&world), (0, 0));

    // Other rules, another plan: the first word was said to this one.
    world.write("rules/people.rhai", format!("{RULES}// mended\n").as_bytes());
    let other = approve("Bob");
    assert_eq!(other.status, 2);
    assert!(other.stderr.contains("the rules have changed since this plan was made"), "{}", other.stderr);
    world.write("rules/people.rhai", RULES.as_bytes());

    let second = approve("Bob");
    assert_eq!(second.status, 0, "{}", second.stderr);
    assert_eq!(gone(&world), (3, 0));
    let said = world.json(0, &["runs", &run])["said"].clone();
    let said: Vec<Value> = said.as_array().unwrap().iter().map(|one| json!([one["who"], one["word"]])).collect();
    assert_eq!(said, [json!(["Ada", "approved"]), json!(["Bob", "approved"])]);

    world.write("next.csv", leavers("hr", "git", 3..6).as_bytes());
    let run = world.json(6, &["apply", "--yes", "hr=next.csv"])["held_run"].to_string();
    let config = world.read("homeward.toml").replace("expires = \"1h\"", "expires = \"1ms\"");
    world.write("homeward.toml", config.as_bytes());
    let late = world.homeward(&["--lab", "approve", &run, "--yes", "--by", "Bob"]);
    assert_eq!(late.status, 2);
    assert!(late.stderr.contains(&format!("run {run} waited too long and is expired")), "{}", late.stderr);
    assert!(late.stderr.contains("plan again"), "{}", late.stderr);
    assert_eq!(gone(&world), (3, 0));
}

#[test]
fn a_group_has_limits_of_its_own_and_is_remembered_with_those_who_were_in_it() {
    let world = world(8, "groups = { attribute = \"department\", removals = { share = \"0%\", at_least = 2 } }");
    let rules = RULES.replace("active: row.status", "department: row.department, active: row.status");
    world.write("rules/people.rhai", format!("{rules}owner(\"department\", \"hr\");\n").as_bytes());
    let leave = |exit: i32, people: &[(usize, &str)]| {
        let mut text = "id,email,status,department\n".to_owned();
        for (number, department) in people {
            writeln!(text, "git{number},hr{number}@git.example.com,out,{department}").unwrap();
        }
        world.write("next.csv", text.as_bytes());
        world.json(exit, &["apply", "--yes", "hr=next.csv"])
    };
    leave(0, &[(0, "Sales"), (1, "Sales"), (2, "Ships"), (3, "Ships")]);
    leave(0, &[(4, "Books")]);
    let held = leave(6, &[(5, "Sales")]);
    assert_eq!(
        held["held"],
        "3 of 3 people with `department` Sales would lose gitlab, 2 of them by runs of the last 24h; \
         `limits.groups.removals` allows 2"
    );
    assert_eq!(gone(&world), (5, 0));
}

#[test]
fn a_window_of_nothing_judges_each_run_alone() {
    let world = world(6, "removals = { share = \"0%\", at_least = 3 }\nwindow = \"0\"");
    for first in [0, 3] {
        world.write("next.csv", leavers("hr", "git", first..first + 3).as_bytes());
        world.json(0, &["apply", "--yes", "hr=next.csv"]);
    }
    assert_eq!(gone(&world), (6, 0));
}

/// The number of the last run about this input that stands so.
fn run(world: &World, input: &str, standing: &str) -> String {
    let runs = world.json(0, &["runs", "--all"])["runs"].clone();
    let found = runs.as_array().unwrap().iter().find(|run| run["input"] == input && run["standing"] == standing);
    found.unwrap_or_else(|| panic!("no {standing} run of {input}: {runs:#}"))["run"].to_string()
}

impl World {
    /// Runs a command against the lab and expects this exit code.
    fn json_less(&self, exit: i32, arguments: &[&str]) {
        let mut all = vec!["--lab"];
        all.extend(arguments);
        let ran = self.homeward(&all);
        assert_eq!(ran.status, exit, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
    }
}
