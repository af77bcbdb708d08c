//! The process dies anywhere: nothing is lost, nothing is doubled, and what was sent is written down.

use std::{
    collections::BTreeMap,
    process::Stdio,
    sync::{Arc, Condvar, Mutex},
};

use serde_json::{Value, json};

use crate::{
    common::World,
    server::{Server, forward},
};

pub(crate) const PEOPLE: usize = 120;

const RULES: &str = r#"
owner(["username", "email", "display_name"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{ key: row.employee_id, username: row.username, email: row.email, display_name: row.name });
join("gitlab", ["email"]);
account("gitlab", |person| true);
"#;

/// As many to rename as to make.
pub(crate) fn project() -> (World, Server) {
    let mut people = "employee_id,username,email,name\n".to_owned();
    for number in 1..=PEOPLE {
        people += &format!("{number},renamed{number},person{number:06}@example.com,Person {number}\n");
    }
    for number in PEOPLE + 1..=2 * PEOPLE {
        people += &format!("{number},made{number},made{number}@example.com,Made {number}\n");
    }
    let config = |url: &str| {
        format!(
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n\n[systems.gitlab]\nkind = \
             \"gitlab\"\nurl = \"{url}\"\ntoken = {{ env = \"GITLAB_TOKEN\" }}\n"
        )
    };
    let mut world = World::new()
        .file("rules/people.rhai", RULES)
        .file("people.csv", &people)
        .file("homeward.toml", &config("https://git.example.com"));
    world.start_lab(&["--people", &PEOPLE.to_string()]);
    let server = Server::before(&world.url("gitlab"));
    let token = world.token("gitlab");
    let world = world.file("homeward.toml", &config(&server.url)).variable("GITLAB_TOKEN", &token);
    (world, server)
}

/// Everybody by username: ids and times depend on the order in which accounts were made.
pub(crate) fn people(world: &World) -> BTreeMap<String, Value> {
    let state = world.state("gitlab");
    let users = state["users"].as_object().unwrap().values().map(|user| {
        let of = |key: &str| user[key].clone();
        (of("username").as_str().unwrap().to_owned(), json!([of("email"), of("name"), of("state")]))
    });
    users.collect()
}

#[test]
fn killed_again_and_again_on_its_way_it_arrives_where_an_undisturbed_run_does() {
    let (calm, _server) = project();
    let ran = calm.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);

    let (world, server) = project();
    let mut seen = Vec::new();
    for kill in 0..30 {
        server.forget();
        let mut child = world
            .command()
            .args(["apply", "hr=people.csv", "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Now in the middle of one write, now of several that run side by side, and never at the same place.
        assert!(server.await_writes(1 + kill * 5 % 7), "the run ended before it could be killed (kill {kill})");
        child.kill().unwrap();
        child.wait().unwrap();
        seen.extend(server.writes());
    }
    server.forget();
    let ran = world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    seen.extend(server.writes());
    assert_eq!(people(&world), people(&calm));

    // Made once each, as the simulator tells.
    let asked = world.lab("gitlab", "GET", "requests", &Value::Null);
    let made = |one: &&Value| one["method"] == "POST" && one["path"] == "/api/v4/users" && one["status"] == 201;
    assert_eq!(asked.as_array().unwrap().iter().filter(made).count(), PEOPLE);

    // Whatever was seen on the wire was written down first.
    let list: Value = serde_json::from_str(&world.homeward(&["runs", "--format", "json"]).stdout).unwrap();
    let list = list["runs"].as_array().unwrap();
    // What a dying run still sends may be taken for the next one's, which then dies before it has begun.
    assert!(list.len() > 20, "{} runs", list.len());
    let mut intents: BTreeMap<String, usize> = BTreeMap::new();
    for run in list {
        let one = world.homeward(&["runs", &run["run"].to_string(), "--format", "json"]).stdout;
        let one: Value = serde_json::from_str(&one).unwrap();
        for entry in one["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == "calling") {
            let line = format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap());
            *intents.entry(line).or_default() += 1;
        }
    }
    for line in seen {
        let left = intents.get_mut(&line).unwrap_or_else(|| panic!("{line} was sent and not written down"));
        *left = left.checked_sub(1).unwrap_or_else(|| panic!("{line} was sent more often than written down"));
    }
}

#[test]
fn two_runs_do_not_write_to_one_system_at_a_time() {
    let (world, server) = project();
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (upstream, held) = (world.url("gitlab"), Arc::clone(&gate));
    server.behave(move |request| {
        if !request.is_read() {
            let (open, opened) = &*held;
            let _open = opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
        }
        forward(&upstream, request)
    });
    let first = world.command().args(["apply", "hr=people.csv", "--yes"]).stdout(Stdio::null()).spawn().unwrap();
    assert!(server.await_writes(1));
    let writes = server.writes().len();
    let second = world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(second.status, 4, "{}{}", second.stdout, second.stderr);
    assert!(second.stderr.contains("another run is writing to gitlab"), "{}", second.stderr);
    assert!(server.writes().len() <= writes + 8, "the second run wrote");
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let mut first = first;
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let third = world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(third.status, 0, "the lock went with its process: {}", third.stderr);
}
