//! People's own tokens at servers that tell of one that has ended in ways of their own: Discourse as of something that is not
//! allowed, Nextcloud by keeping everybody out who comes from where too many of them come from.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Map, Value, json};

use crate::{
    chat::held,
    common::{
        World, in_one_line,
        journey::{calls, change, outcomes},
    },
    server::{Answer, Server, forward},
};

const RULES: &str = r#"
owner("display_name", "web");
copies("display_name", "SYSTEM");
source("web", |form| #{ key: form.id, username: form.username, display_name: form.name });
join("SYSTEM", ["username"]);
"#;

/// A system with people's own tokens in `tokens.json`, at this address.
fn configure(world: &World, kind: &str, url: &str) {
    let text = format!(
        "[systems.web]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n\n[systems.{kind}]\nkind = \"{kind}\"\nurl = \"{url}\"\n\
         token = {{ per_person = {{ file = \"tokens.json\", kind = \"oauth\" }} }}\n"
    );
    world.write("homeward.toml", text.as_bytes());
    world.write("rules/people.rhai", RULES.replace("SYSTEM", kind).as_bytes());
}

/// A form of these people, numbered from 1, each with a new name.
fn form(world: &World, people: &[String]) {
    let rows: Vec<String> =
        (1..).zip(people).map(|(id, name): (usize, _)| format!("{id},{name},New {name}\n")).collect();
    world.write("form.csv", format!("id,username,name\n{}", rows.concat()).as_bytes());
}

/// What is kept of them.
fn keep(world: &World, tokens: &[String]) {
    let all: Map<String, Value> =
        (1..).zip(tokens).map(|(id, token): (usize, _)| (format!("web/{id}"), json!(token))).collect();
    world.write("tokens.json", Value::Object(all).to_string().as_bytes());
    std::fs::set_permissions(world.path("tokens.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command without the lab, and expects this exit code.
fn told(world: &World, exit: i32, arguments: &[&str]) -> Value {
    let ran = world.homeward(&[&["--format", "json"], arguments].concat());
    assert_eq!(ran.status, exit, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap_or_default()
}

#[test]
fn a_key_of_discourse_that_ends_in_mid_run_is_told_as_one_and_resume_finishes_it() {
    let people = ["ann", "ben"].map(str::to_owned);
    let keys = people.clone().map(|name| format!("key-of-{name}"));
    let users: Vec<Value> = people.iter().map(|name| json!({ "username": name, "name": name })).collect();
    let granted = people.iter().zip(&keys).map(|(user, key)| json!({ "user": user, "key": key, "of_app": true }));
    let seed = json!({ "users": users, "keys": granted.collect::<Vec<_>>() });
    let world = World::with_lab_of("discourse", &seed);
    let upstream = world.url("discourse");
    let ended = Arc::new(AtomicBool::new(false));
    let (to, has_ended) = (upstream.clone(), Arc::clone(&ended));
    // Ann's key ends with the moment in which she would have used it to write.
    let proxy = Server::start(move |request| {
        let is_hers = request.headers.get("user-api-key").is_some_and(|key| key == "key-of-ann");
        if is_hers && !request.is_read() {
            has_ended.store(true, Ordering::SeqCst);
        }
        if is_hers && has_ended.load(Ordering::SeqCst) {
            let text = "You are not permitted to view the requested resource. The API username or key is invalid.";
            return Answer::json(403, &json!({ "errors": [text], "error_type": "invalid_access" }));
        }
        forward(&to, request)
    });
    configure(&world, "discourse", &proxy.url);
    form(&world, &people);
    keep(&world, &keys);
    let report = told(&world, 7, &["apply", "--yes", "web=form.csv"]);
    let all = outcomes(&report);
    let reason = format!("she must sign in again at {}", proxy.url);
    assert!(all[0].to_string().contains(&reason), "{all:?}");
    assert_eq!(all[1], "done");
    // Nobody is spoken to as the keys of administrators are.
    assert!(proxy.requests().iter().all(|request| !request.headers.contains_key("api-key")));

    // She has signed in again: what was left open is finished.
    let url = upstream.clone();
    proxy.behave(move |request| forward(&url, request));
    told(&world, 0, &["resume", "1"]);
    assert_eq!(world.user("discourse", "username", "ann")["name"], "New ann");

    // A no to what a key is never good for stays what it is: the key is looked at, and good.
    let url = upstream.clone();
    proxy.behave(move |request| {
        if request.is_read() {
            return forward(&url, request);
        }
        Answer::json(403, &json!({ "errors": ["x"], "error_type": "invalid_access" }))
    });
    world.write("form.csv", b"id,username,name\n1,ann,Newer\n");
    let report = told(&world, 7, &["apply", "--yes", "web=form.csv"]);
    let [outcome] = <[Value; 1]>::try_from(outcomes(&report)).unwrap();
    let outcome = outcome.to_string();
    assert!(outcome.contains("forbidden") && !outcome.contains("sign in again"), "{outcome}");
}

/// A cloud where so many people's app passwords are no longer accepted, and two more people's are.
fn cloud(refused: usize) -> (World, Vec<String>) {
    let people: Vec<String> = (0..refused + 2).map(|at| format!("person{at}")).collect();
    let password = |at: usize, name: &str| if at < refused { "another".to_owned() } else { format!("app-{name}") };
    let users = people.iter().enumerate();
    let users: Vec<Value> = users.map(|(at, name)| json!({ "id": name, "app_password": password(at, name) })).collect();
    let seed = json!({ "users": users, "settings": { "delay_ms": 0 } });
    let world = World::with_lab_of("nextcloud", &seed);
    configure(&world, "nextcloud", &world.url("nextcloud"));
    form(&world, &people);
    keep(&world, &people.iter().map(|name| format!("{name}:app-{name}")).collect::<Vec<_>>());
    (world, people)
}

#[test]
fn refused_app_passwords_never_lock_out_those_who_come_from_the_same_address() {
    let (world, people) = cloud(14);
    let ran = world.homeward(&["plan", "web=form.csv"]);
    assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
    let flat = in_one_line(&ran.stderr);
    assert!(flat.contains("further tries would lock everybody out who comes from here"), "{flat}");
    assert!(flat.contains("web/1, web/10,") && flat.contains("they must sign in again at "), "{flat}");
    // Each of them failed once, and no more of them than a lock takes.
    let failed = world.state("nextcloud")["failed_sign_ins"].as_u64().unwrap();
    assert!((6..=10).contains(&failed), "{failed}");
    let last = people.last().unwrap();
    let login = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{last}:app-{last}"));
    let headers = [("Authorization", format!("Basic {login}")), ("OCS-APIRequest", "true".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = world.ask("nextcloud", "GET", "/ocs/v2.php/cloud/user?format=json", &headers, &Value::Null);
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn a_few_refused_app_passwords_hold_their_people_and_nobody_else() {
    let (world, _) = cloud(3);
    let plan = told(&world, 0, &["plan", "web=form.csv"]);
    let url = world.url("nextcloud");
    let reason = |id: u8| {
        format!("the token kept for web/{id} is not accepted by nextcloud any more: she must sign in again at {url}")
    };
    assert_eq!(held(&plan), [reason(1), reason(2), reason(3)]);
    assert_eq!(calls(&plan).len(), 2);
    assert_eq!(change(&plan, "web/5", "display_name", "nextcloud")["after"], "New person4");
    assert_eq!(world.state("nextcloud")["failed_sign_ins"], 3);
}

#[test]
fn a_kind_that_takes_no_tokens_of_people_says_which_do() {
    let world = World::new().file("form.csv", "id,username,name\n1,ann,Ann\n");
    configure(&world, "scim", "https://id.example.com/scim/v2");
    keep(&world, &["one".to_owned()]);
    let told = "tokens of people are for `discourse`, `gitlab`, `mattermost`, `nextcloud`";
    for arguments in [&["check"][..], &["plan", "web=form.csv"]] {
        let ran = world.homeward(arguments);
        let flat = ran.stderr.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
        let flat = flat.collect::<Vec<_>>().join(" ");
        assert_eq!(ran.status, 2, "{arguments:?} {}{}", ran.stdout, ran.stderr);
        assert!(flat.contains("a scim is not used with tokens of people") && flat.contains(told), "{flat}");
    }
}
