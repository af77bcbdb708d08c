//! After the write: what is left to come by itself is expected, seen when it comes, and told when it does not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::common::{Ran, World, journey::outcomes};
use serde_json::{Value, json};

/// A day on which everything that was left today is overdue.
const LATER: &str = "2030-01-01";

const SETTINGS: &str = r#"
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }
[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }
[systems.website]
kind = "csv"
key = "id"
says = "changes"
coverage = "partial"
folder = "drop"
quiet = { looks = 2, time = "50ms" }
look_every = "200ms"
"#;

/// Anna, who signs in to Mattermost through GitLab, and Ben, who does not; both were seen once.
fn project(more: &str) -> World {
    let mut world = World::example("rename-through-gitlab").file("homeward.toml", &format!("{SETTINGS}{more}"));
    world.start_lab(&[]);
    std::fs::create_dir(world.path("drop")).unwrap();
    world.json(0, &["apply", "--yes", "website=before.csv"]);
    world
}

/// The website says that Anna is called so now.
fn called(world: &World, exit: i32, anna: &str) -> Value {
    let file = format!("{anna}.csv");
    world.write(&file, format!("id,username,email\n7,{anna},anna@example.com\n8,ben,ben@example.com\n").as_bytes());
    world.json(exit, &["apply", "--yes", &format!("website={file}")])
}

fn expectations(world: &World) -> Vec<Value> {
    world.json(0, &["status"])["expectations"].as_array().unwrap().clone()
}

/// How each of the expectations ended that a run made: value, word, and what it became.
fn ended(world: &World, run: i64) -> Vec<Value> {
    let run = world.json(0, &["runs", &run.to_string()]);
    let all = run["expectations"].as_array().unwrap().iter();
    all.map(|one| json!([one["value"], one["how"], one["became"]])).collect()
}

fn login(world: &World) {
    let id = world.user("mattermost", "email", "anna@example.com")["id"].as_str().unwrap().to_owned();
    world.lab("mattermost", "POST", &format!("login/{id}"), &Value::Null);
}

fn rename(world: &World, username: &str) {
    let user = world.user("mattermost", "email", "anna@example.com")["id"].as_str().unwrap().to_owned();
    world.lab("mattermost", "POST", &format!("meddle/{user}"), &json!({ "username": username }));
}

fn said(world: &World, arguments: &[&str]) -> String {
    let Ran { status, stdout, stderr } = world.homeward(arguments);
    assert_eq!(status, 0, "{arguments:?}\n{stdout}{stderr}");
    // How often was asked is told elsewhere.
    stderr.split_inclusive('\n').filter(|line| !line.starts_with("read ")).collect()
}

#[test]
fn what_follows_is_expected_until_a_run_that_may_write_has_seen_it() {
    let world = project("");
    assert_eq!(expectations(&world), Vec::<Value>::new());
    called(&world, 0, "anna.b");
    let account = world.user("mattermost", "email", "anna@example.com")["id"].clone();
    let open = expectations(&world);
    let [one] = open.as_slice() else { panic!("{open:?}") };
    let keys = ["person", "system", "account", "attribute", "from", "before", "value", "when", "run", "overdue"];
    let shown: Vec<&Value> = keys.iter().map(|key| &one[*key]).collect();
    let when = "at the next sign-in through GitLab";
    let expected = json!(["website/7", "mattermost", account, "username", "gitlab", "anna", "anna.b", when, 2, false]);
    assert_eq!(json!(shown), expected);
    let time = |key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("deadline").duration_since(time("made")).as_hours(), 30 * 24);
    let table = world.homeward(&["--lab", "status"]).stdout;
    let row = table.lines().find(|line| line.starts_with("website/7")).unwrap();
    assert!(row.contains("anna → anna.b") && row.contains(when) && row.contains("open"), "{table}");

    let explain = ["--lab", "explain", "website/7", "username", "website=after.csv"];
    let told = world.homeward(&explain).stdout;
    assert!(told.contains("expected after run 2: anna.b at the next sign-in through GitLab, by "), "{told}");
    let past = world.homeward(&["--lab", "explain", "website/7", "username", "--run", "2"]).stdout;
    assert!(past.contains("expected after run 2: anna.b"), "{past}");

    // Not yet, and nothing to tell; and the same again puts nothing off.
    assert_eq!(said(&world, &["--lab", "plan", "website=after.csv"]), "");
    world.json(0, &["apply", "--yes", "website=after.csv"]);
    assert_eq!(expectations(&world), open);

    login(&world);
    let note =
        format!("note: `username` of mattermost {} has come as expected, after run 2\n", account.as_str().unwrap());
    assert_eq!(said(&world, &["--lab", "plan", "website=after.csv"]), note);
    assert_eq!(expectations(&world), open, "a dry run closes nothing");
    assert_eq!(said(&world, &["--lab", "apply", "--yes", "website=after.csv"]), note);
    assert_eq!(expectations(&world), Vec::<Value>::new());
    assert_eq!(ended(&world, 2), [json!(["anna.b", "met", null])]);
    assert!(world.homeward(&["--lab", "runs", "2"]).stdout.contains("came by "));
    assert!(!world.homeward(&explain).stdout.contains("expected after"));
    assert_eq!(said(&world, &["--lab", "plan", "website=after.csv"]), "");
}

#[test]
fn what_has_not_come_in_time_is_told_until_it_comes() {
    let world = project("[follow]\nwithin = \"10d\"\n");
    called(&world, 0, "anna.b");
    let late = world.json(0, &["--today", LATER, "status"])["expectations"].clone();
    assert_eq!((late.as_array().unwrap().len(), &late[0]["overdue"]), (1, &json!(true)));
    assert_eq!(expectations(&world)[0]["overdue"], false);
    let table = world.homeward(&["--lab", "--today", LATER, "status"]).stdout;
    assert!(table.contains("overdue"), "{table}");
    let plan = ["--lab", "--today", LATER, "plan", "website=after.csv"];
    assert_eq!(said(&world, &plan), "note: 1 expected value should have come by now: see `homeward --lab status`\n");
    // Nor is it forgotten by a run that saw that it has not come.
    world.json(0, &["--today", LATER, "apply", "--yes", "website=after.csv"]);
    assert_eq!(expectations(&world).len(), 1);
    login(&world);
    world.json(0, &["--today", LATER, "apply", "--yes", "website=after.csv"]);
    assert_eq!(ended(&world, 2), [json!(["anna.b", "met", null])]);
}

#[test]
fn the_deadline_of_one_system_goes_before_that_of_all() {
    let settings = SETTINGS.replace("kind = \"mattermost\"\n", "kind = \"mattermost\"\nfollows_within = \"2h\"\n");
    let world = project("");
    world.write("homeward.toml", format!("{settings}[follow]\nwithin = \"10d\"\n").as_bytes());
    called(&world, 0, "anna.b");
    let one = expectations(&world).remove(0);
    let time = |key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("deadline").duration_since(time("made")).as_hours(), 2);
    world.write("homeward.toml", format!("{settings}[follow]\nwithin = \"soon\"\n").as_bytes());
    let ran = world.homeward(&["check"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("within") && ran.stderr.contains("duration"), "{}", ran.stderr);
}

#[test]
fn a_third_value_is_told_and_is_the_end_only_when_the_time_is_over() {
    let world = project("");
    called(&world, 0, "anna.b");
    rename(&world, "somebody");
    let stderr = said(&world, &["--lab", "plan", "website=after.csv"]);
    assert!(stderr.contains("became something else than was expected") && !stderr.contains("somebody"), "{stderr}");
    world.json(0, &["apply", "--yes", "website=after.csv"]);
    assert_eq!(expectations(&world)[0]["became"], "somebody");
    let table = world.homeward(&["--lab", "status"]).stdout;
    assert!(table.contains("became somebody instead"), "{table}");
    // Somebody took it back: it may still come.
    rename(&world, "anna");
    world.json(0, &["apply", "--yes", "website=after.csv"]);
    assert_eq!(expectations(&world)[0]["became"], Value::Null);
    rename(&world, "nobody");
    world.json(0, &["--today", LATER, "apply", "--yes", "website=after.csv"]);
    assert_eq!(expectations(&world), Vec::<Value>::new());
    assert_eq!(ended(&world, 2), [json!(["anna.b", "instead", "nobody"])]);
    assert!(world.homeward(&["--lab", "runs", "2"]).stdout.contains("became nobody instead"));
}

#[test]
fn a_newer_value_takes_the_place_of_an_older_one_and_the_way_back_leaves_none() {
    let world = project("");
    called(&world, 0, "anna.b");
    called(&world, 0, "anna.c");
    let open = expectations(&world);
    assert_eq!((open.len(), &open[0]["value"], &open[0]["run"]), (1, &json!("anna.c"), &json!(3)));
    assert_eq!(ended(&world, 2), [json!(["anna.b", "replaced", null])]);
    // Back to what Mattermost holds still: no sign-in will change anything.
    called(&world, 0, "anna");
    assert_eq!(expectations(&world), Vec::<Value>::new());
    assert_eq!(ended(&world, 3), [json!(["anna.c", "withdrawn", null])]);
    assert_eq!(world.user("gitlab", "email", "anna@example.com")["username"], "anna");
}

#[test]
fn nothing_is_expected_of_a_change_that_was_not_made() {
    let world = project("");
    world.json(0, &["plan", "--out", "plan.json", "website=after.csv"]);
    let id = world.user("gitlab", "email", "anna@example.com")["id"].as_str().unwrap().to_owned();
    world.lab("gitlab", "POST", &format!("meddle/{id}"), &json!({ "username": "moved" }));
    let report = world.json(7, &["apply", "--yes", "plan.json"]);
    assert_eq!(outcomes(&report), [json!({ "moved": ["username"] })]);
    assert_eq!(expectations(&world), Vec::<Value>::new());
}

#[test]
fn a_service_looks_at_the_accounts_by_itself_and_at_nothing_else() {
    let world = project("");
    called(&world, 0, "anna.b");
    let watch = |more: &[&str]| {
        world.forget(&["gitlab", "mattermost"]);
        let mut arguments = more.to_vec();
        arguments.extend(["--lab", "watch", "--once", "--apply"]);
        let log = said(&world, &arguments);
        assert!(!log.contains("anna"), "{log}");
        (log, world.asked("mattermost"))
    };
    let (log, asked) = watch(&[]);
    assert!(!log.contains("expected") && !log.contains("overdue"), "{log}");
    assert!(asked.iter().any(|line| line == "POST /api/v4/users/ids"), "{asked:?}");
    assert!(asked.iter().all(|line| !line.contains("username") && !line.contains("email")), "{asked:?}");
    assert_eq!(world.asked("gitlab"), Vec::<String>::new());
    assert_eq!(expectations(&world).len(), 1);

    let (log, _) = watch(&["--today", LATER]);
    assert!(log.contains("what should have come at the next sign-in through GitLab is overdue"), "{log}");

    login(&world);
    let (log, _) = watch(&[]);
    assert!(log.contains("what was expected is there"), "{log}");
    assert_eq!(ended(&world, 2), [json!(["anna.b", "met", null])]);
    // Nothing is expected any more, so nobody is asked anything.
    let (_, asked) = watch(&[]);
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn an_account_that_is_gone_ends_what_was_expected_of_it() {
    let world = project("");
    called(&world, 0, "anna.b");
    let id = world.user("mattermost", "email", "anna@example.com")["id"].as_str().unwrap().to_owned();
    world.lab("mattermost", "POST", "settings", &json!({ "enable_api_user_deletion": true }));
    let path = format!("/api/v4/users/{id}?permanent=true");
    assert_eq!(world.ask("mattermost", "DELETE", &path, &[], &Value::Null).status, 200);
    let log = said(&world, &["--lab", "watch", "--once", "--apply"]);
    assert!(log.contains("the account is gone of which this was expected"), "{log}");
    assert_eq!(expectations(&world), Vec::<Value>::new());
    assert_eq!(ended(&world, 2), [json!(["anna.b", "gone", null])]);
}

#[test]
fn a_name_in_parts_follows_the_whole_name() {
    let world = project("");
    let rules = "owner([\"display_name\", \"first_name\"], \"website\");\ncopies(\"display_name\", \"gitlab\");\n\
        source(\"website\", |user| #{ key: user.id, email: user.email, display_name: user.name, first_name: user.name.split(\" \")[0] });\n\
        join(\"gitlab\", [\"email\"]);\njoin(\"mattermost\", [\"email\"]);\n";
    world.write("rules/ownership.rhai", rules.as_bytes());
    for (file, name) in [("one.csv", "Anna Berg"), ("two.csv", "Anne Berg"), ("three.csv", "Anja Berg")] {
        world.write(file, format!("id,email,name\n7,anna@example.com,{name}\n").as_bytes());
    }
    world.json(0, &["apply", "--yes", "website=one.csv"]);
    let before = world.json(0, &["runs"])["runs"][0]["run"].as_i64().unwrap();
    world.json(0, &["apply", "--yes", "website=two.csv"]);
    let open = expectations(&world);
    assert_eq!((open.len(), &open[0]["attribute"], &open[0]["value"]), (1, &json!("first_name"), &json!("Anne")));
    world.json(0, &["apply", "--yes", "website=three.csv"]);
    assert_eq!(ended(&world, before + 1), [json!(["Anne", "replaced", null])]);
    login(&world);
    world.json(0, &["apply", "--yes", "website=three.csv"]);
    assert_eq!(ended(&world, before + 2), [json!(["Anja", "met", null])]);
}

#[test]
fn killed_before_it_was_settled_a_run_expects_what_follows_once_it_is_resumed() {
    let world = project("");
    world.write("both.csv", b"id,username,email\n7,anna.b,anna@example.com\n8,ben.b,ben@example.com\n");
    world.lab("mattermost", "POST", "settings", &json!({ "latency_ms": 400 }));
    let mut child = world
        .command()
        .args(["--lab", "apply", "--yes", "website=both.csv"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // GitLab has answered, and Mattermost takes its time with Ben.
    let begun = Instant::now();
    while world.user("gitlab", "email", "anna@example.com")["username"] != "anna.b" {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was never renamed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    world.lab("mattermost", "POST", "settings", &json!({ "latency_ms": 0 }));
    assert_eq!(world.json(0, &["runs"])["runs"][0]["standing"], "open");
    // A run that broke off is for somebody to finish, and that is how `status` ends.
    assert_eq!(world.json(4, &["status"])["expectations"], json!([]));

    // What an earlier try has sent was not found done.
    assert_eq!(world.json(0, &["resume"])["runs"][0]["found_done"], 0);
    let open = expectations(&world);
    assert_eq!((open.len(), &open[0]["value"], &open[0]["run"]), (1, &json!("anna.b"), &json!(2)));
    login(&world);
    world.json(0, &["apply", "--yes", "website=both.csv"]);
    assert_eq!(expectations(&world), Vec::<Value>::new());
    assert_eq!(ended(&world, 2), [json!(["anna.b", "met", null])]);
    assert_eq!(world.user("mattermost", "email", "ben@example.com")["username"], "ben.b");
}

#[test]
fn what_follows_something_that_a_limit_set_aside_is_expected_once_that_is_approved() {
    let world = project("[limits]\nattributes = { username = { share = \"0%\", at_least = 0 } }\n");
    called(&world, 6, "anna.b");
    assert_eq!(world.json(4, &["status"])["expectations"], json!([]));
    let runs = world.json(0, &["runs", "--all"])["runs"].clone();
    let aside = runs.as_array().unwrap().iter().find(|run| run["standing"] == "aside").unwrap()["run"].to_string();
    let told = world.homeward(&["--lab", "approve", &aside, "--yes"]);
    assert_eq!(told.status, 0, "{}{}", told.stdout, told.stderr);
    let open = expectations(&world);
    let shown: Vec<Value> = open.iter().map(|one| json!([one["attribute"], one["from"], one["value"]])).collect();
    assert_eq!(shown, [json!(["username", "gitlab", "anna.b"])]);
    // She signs in by the name that GitLab knows her by now.
    world.lab("mattermost", "POST", "login/anna.b", &Value::Null);
    assert_eq!(world.user("mattermost", "email", "anna@example.com")["username"], "anna.b");
}

#[test]
fn nothing_is_promised_to_follow_a_change_that_is_refused() {
    let world = project("");
    let made = json!({ "username": "taken", "email": "taken@example.com", "name": "T", "password": "a-b-c-d-1-2" });
    assert_eq!(world.ask("gitlab", "POST", "/api/v4/users", &[], &made).status, 201);
    let report = called(&world, 4, "taken");
    let plan = world.json(0, &["runs", &report["run"].to_string()])["plan"].take();
    let told = |change: &Value| json!([change["system"], change["decision"], change["refusal"], change["when"]]);
    let username = |change: &&Value| change["attribute"] == "username";
    let changes: Vec<Value> = plan["changes"].as_array().unwrap().iter().filter(username).map(told).collect();
    assert_eq!(changes, [json!(["gitlab", "refuse", "taken", null]), json!(["mattermost", "refuse", "taken", null])]);
    assert_eq!((expectations(&world), &plan["summary"]["follows"]), (Vec::new(), &json!(0)), "{:#}", plan["summary"]);
}
