//! What was interrupted is finished by `resume`: what is done is left alone, what is in doubt is looked for or told.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::{
    common::World,
    killed::{PEOPLE, people, project},
    server::{Answer, Request, Server, forward, forward_changed},
};

/// What a command tells as JSON.
fn told(world: &World, arguments: &[&str]) -> Value {
    let ran = world.homeward(&[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {}{}", ran.stdout, ran.stderr))
}

#[test]
fn a_run_that_is_killed_again_and_again_is_finished_by_resume_as_if_nothing_had_been() {
    let (calm, _server) = project();
    assert_eq!(calm.homeward(&["apply", "hr=people.csv", "--yes"]).status, 0);

    let (world, server) = project();
    for kill in 0..12 {
        server.forget();
        let arguments: &[&str] = if kill == 0 { &["apply", "hr=people.csv", "--yes"] } else { &["resume"] };
        let mut child = world.command().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        assert!(server.await_writes(1 + kill * 5 % 7), "the run ended before it could be killed (kill {kill})");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ran = world.homeward(&["resume"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let calls = 2 * PEOPLE;
    assert!(ran.stdout.ends_with(&format!("Done: {calls} of {calls} calls (run 1).\n")), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("run 1 (hr=people.csv): "), "{}", ran.stderr);
    assert_eq!(people(&world), people(&calm));
    let asked = world.lab("gitlab", "GET", "requests", &Value::Null);
    let made = |one: &&Value| one["method"] == "POST" && one["path"] == "/api/v4/users" && one["status"] == 201;
    assert_eq!(asked.as_array().unwrap().iter().filter(made).count(), PEOPLE, "made once each");

    let runs = told(&world, &["runs"]);
    let listed: Vec<(i64, &str)> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["run"].as_i64().unwrap(), run["standing"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, [(1, "done")]);
    let again = world.homeward(&["resume"]);
    assert_eq!((again.status, again.stdout.as_str()), (0, "Nothing to resume.\n"));
    let again = world.homeward(&["resume", "1"]);
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("run 1 is done: there is nothing to finish"), "{}", again.stderr);
}

#[test]
fn what_a_provider_could_not_do_in_passing_is_done_by_resume_and_what_somebody_changed_since_is_left() {
    let (world, server) = project();
    // Each try comes after a pause, and there is nothing to wait for.
    world.write("homeward.toml", (world.read("homeward.toml") + "\n[apply]\nretries = 3\n").as_bytes());
    let upstream = world.url("gitlab");
    let through = upstream.clone();
    server.behave(move |request| {
        if request.method == "PUT" {
            Answer::text(503, "text/html", "<h1>maintenance</h1>")
        } else {
            forward(&through, request)
        }
    });
    let ran = world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_ne!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    server.behave(move |request| forward(&upstream, request));

    let user = world.state("gitlab")["users"]
        .as_object()
        .unwrap()
        .values()
        .find(|user| user["email"] == "person000007@example.com")
        .unwrap()["id"]
        .to_string();
    world.lab("gitlab", "POST", &format!("meddle/{user}"), &json!({ "username": "her-own-choice" }));
    let ran = world.homeward(&["resume"]);
    assert_eq!(ran.status, 7, "{}{}", ran.stdout, ran.stderr);
    let (all, done) = (2 * PEOPLE, 2 * PEOPLE - 1);
    assert!(ran.stdout.contains(&format!("Partly done: {done} of {all} calls (run 1).")), "{}", ran.stdout);
    assert_eq!(people(&world)["her-own-choice"][0], "person000007@example.com");
    // What moved does not move back by itself: nothing is left that may pass.
    let again = world.homeward(&["resume"]);
    assert_eq!((again.status, again.stdout.as_str()), (0, "Nothing to resume.\n"));
}

/// What is answered is looked at when all is sent: who was killed before that has believed a lie.
#[test]
fn a_yes_without_effect_is_found_out_although_the_run_was_killed_before_it_looked() {
    let (calm, _server) = project();
    assert_eq!(calm.homeward(&["apply", "hr=people.csv", "--yes"]).status, 0);

    let (world, server) = project();
    let upstream = world.url("gitlab");
    let honest = upstream.clone();
    let lies = Arc::new(Mutex::new(Vec::new()));
    let told_lies = Arc::clone(&lies);
    server.behave(move |request| {
        if request.method != "PUT" || told_lies.lock().unwrap().len() == 5 {
            return forward(&upstream, request);
        }
        told_lies.lock().unwrap().push(request.path().to_owned());
        let mut headers = request.headers.clone();
        headers.remove("content-length");
        let looking = Request { method: "GET".to_owned(), headers, body: Vec::new(), ..request.clone() };
        forward_changed(&upstream, &looking, |user| {
            user.as_object_mut().unwrap().extend(request.json().as_object().unwrap().clone());
        })
    });
    let mut child = world
        .command()
        .args(["apply", "hr=people.csv", "--yes"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(server.await_writes(60));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lies.lock().unwrap().len(), 5);
    server.behave(move |request| forward(&honest, request));

    let ran = world.homeward(&["resume"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(people(&world), people(&calm));
}

#[test]
fn whoever_is_interrupted_finishes_what_is_under_way_and_tells_how_to_go_on() {
    let (world, server) = project();
    let child = world
        .command()
        .args(["apply", "hr=people.csv", "--yes"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(server.await_writes(3));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let out = child.wait_with_output().unwrap();
    let error = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.contains("homeward resume 1"), "{error}");
    let one = told(&world, &["runs", "1"]);
    let count = |kind: &str| one["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == kind).count();
    assert_eq!(count("calling"), count("settled"), "nothing was left under way");
    let ran = world.homeward(&["resume", "1"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
}

/// A project whose only call posts a message, and the server before its Mattermost.
fn messages() -> (World, Server) {
    let config = |url: &str| {
        format!(
            "[systems.events]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.chat]\nkind = \"mattermost\"\nurl = \"{url}\"\n\
             token = {{ env = \"CHAT_TOKEN\" }}\n"
        )
    };
    let rules = r#"source("events", |row| [#{ key: row.id }, perform("chat", "post_message", #{ channel: "ops/town-square", text: row.text })]);"#;
    let mut world = World::new()
        .file("rules/all.rhai", rules)
        .file("events.csv", "id,text\n1,Welcome\n2,Hello\n")
        .file("lab/chat.json", &json!({ "teams": [{ "name": "ops" }] }).to_string())
        .file("homeward.toml", &config("https://chat.example.com"));
    world.start_lab(&[]);
    let server = Server::before(&world.url("chat"));
    let token = world.token("chat");
    let world = world.file("homeward.toml", &config(&server.url)).variable("CHAT_TOKEN", &token);
    (world, server)
}

/// How many messages came to be.
fn posted(world: &World) -> usize {
    let asked = world.lab("chat", "GET", "requests", &Value::Null);
    let is_post = |one: &&Value| one["method"] == "POST" && one["path"] == "/api/v4/posts" && one["status"] == 201;
    asked.as_array().unwrap().iter().filter(is_post).count()
}

#[test]
fn a_message_whose_answer_was_lost_is_never_posted_again_until_a_person_tells() {
    let (world, server) = messages();
    let upstream = world.url("chat");
    let through = upstream.clone();
    let lost = Arc::new(Mutex::new(0));
    // Of two messages one arrives and one does not, and neither is answered.
    server.behave(move |request| {
        if request.line() != "POST /api/v4/posts" {
            return forward(&through, request);
        }
        let mut lost = lost.lock().unwrap();
        *lost += 1;
        if *lost == 1 {
            forward(&through, request);
        }
        Answer::Close
    });
    let ran = world.homeward(&["apply", "events=events.csv", "--yes"]);
    assert_eq!(ran.status, 8, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(posted(&world), 1);
    server.behave(move |request| forward(&upstream, request));

    let ran = world.homeward(&["resume"]);
    assert_eq!((ran.status, posted(&world)), (8, 1), "{}{}", ran.stdout, ran.stderr);
    for (arguments, told, hint) in [
        (["--done", "c7"], "run 1 has no call `c7`", "in doubt: c1, c2"),
        (["--again", "c9"], "run 1 has no call `c9`", "in doubt: c1, c2"),
    ] {
        let ran = world.homeward(&["resume", "1", arguments[0], arguments[1]]);
        assert_eq!(ran.status, 2);
        assert!(ran.stderr.contains(told) && ran.stderr.contains(hint), "{}", ran.stderr);
    }
    let both = world.homeward(&["resume", "1", "--done", "c1", "--again", "c1"]);
    assert!(both.stderr.contains("call `c1` cannot be both done and sent again"), "{}", both.stderr);
    let ran = world.homeward(&["resume", "1", "--done", "c1", "--again", "c2", "--by", "ann"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(posted(&world), 2);
    let journal = told(&world, &["runs", "1"])["journal"].clone();
    let told: Vec<&Value> = journal.as_array().unwrap().iter().filter(|entry| entry["entry"] == "told").collect();
    assert_eq!(
        told,
        [
            &json!({ "entry": "told", "call": "c1", "done": true, "by": "ann" }),
            &json!({ "entry": "told", "call": "c2", "done": false, "by": "ann" }),
        ]
    );
    let known = world.homeward(&["resume", "1", "--done", "c1"]);
    assert!(known.stderr.contains("call `c1` of run 1 is not in doubt"), "{}", known.stderr);
}
