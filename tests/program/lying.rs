//! Servers that say yes and do nothing, or answer what no honest one would: nothing of it is ever recorded as done, none
//! of it costs more memory than an answer may, and none of it acts on a terminal.
//!
//! A server stands before the lab. It hands on what is asked and lies about what is written, so that whatever is recorded
//! as done is recorded wrongly.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::common::{Ran, World};
use crate::server::{Answer, Request, Server, forward};
use serde_json::{Map, Value, json};

const KINDS: [&str; 7] = ["gitlab", "mattermost", "zitadel", "wordpress", "discourse", "nextcloud", "scim"];

/// More than this nothing may cost, in KiB.
const MORE: u64 = 64 << 10;

const ESCAPES: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}Wil\u{2066}\u{9b}31m\nhelmina";

/// One provider's lab with a liar before it, and HR that renames one, misses one and lets one go.
struct Scene {
    kind: &'static str,
    world: World,
    liar: Server,
    upstream: String,
    /// The lab before anything was tried.
    before: Value,
    /// How many runs the store holds.
    runs: AtomicUsize,
}

impl Scene {
    fn new(kind: &'static str) -> Self {
        let people = [(41, "Wilhelmina", "woldname"), (43, "Ingeborg", "ifjellhammer"), (44, "Ulrike", "uebenso")];
        let users: Vec<Value> = people.iter().map(|(id, first, username)| user(kind, *id, first, username)).collect();
        let seed = match kind {
            "zitadel" => json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": users }),
            "wordpress" | "scim" => json!({ "people": users }),
            "discourse" => json!({ "users": users, "settings": { "max_admin_api_reqs_per_minute": 0 } }),
            _ => json!({ "users": users }),
        };
        let accounts = match kind {
            "wordpress" => "",
            // Nobody is made there.
            "discourse" => "copies(\"active\", SYSTEM);",
            _ => "account(SYSTEM, |person| person.active);",
        };
        let names = if ["gitlab", "discourse", "nextcloud"].contains(&kind) {
            ""
        } else {
            "copies([\"first_name\", \"last_name\"], SYSTEM);"
        };
        let logins = if kind == "wordpress" { "" } else { "copies(\"username\", SYSTEM);" };
        let rules = format!(
            "owner([\"username\", \"email\", \"first_name\", \"last_name\", \"display_name\", \"active\"], \"hr\");
             copies(\"email\", SYSTEM);
             copies(\"display_name\", SYSTEM);
             {names}\n{logins}\n{accounts}
             source(\"hr\", |row| #{{ key: row.employee_id, username: row.username, email: row.email,
                 first_name: row.first_name, last_name: row.last_name,
                 display_name: row.first_name + \" \" + row.last_name, active: row.status == \"Active\" }});
             join(SYSTEM, [\"email\", \"username\"]);"
        );
        let rules = if kind == "mattermost" { rules.replace("copies(\"display_name\", SYSTEM);", "") } else { rules };
        let rows = "employee_id,first_name,last_name,email,username,status
1001,Wilhelmina,Quarterstaff,wilhelmina@example.com,woldname,Active
1002,Thaddeus,Oxenbridge,thaddeus@example.com,toxenbridge,Active
1003,Ingeborg,Example,ingeborg@example.com,ifjellhammer,Left
1004,Ulrike,Example,ulrike@example.com,uebenso,Active
";
        let mut world = World::new()
            .file("people.csv", rows)
            .file("rules/people.rhai", &rules.replace("SYSTEM", &format!("\"{kind}\"")))
            .file(&format!("lab/{kind}.json"), &seed.to_string())
            .file("homeward.toml", &config(kind, "https://x.example.com"));
        world.start_lab(&[]);
        let upstream = world.url(kind);
        let liar = Server::before(&upstream);
        world.write("homeward.toml", config(kind, &liar.url).as_bytes());
        let token = world.token(kind);
        let world = world.variable("TOKEN", &token);
        let before = state(&world, kind);
        Self { kind, world, liar, upstream, before, runs: AtomicUsize::new(0) }
    }

    /// Lies about every write and is honest about the rest.
    fn lie(&self, lie: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        let upstream = self.upstream.clone();
        self.liar.behave(move |request| if request.is_read() { forward(&upstream, request) } else { lie(request) });
    }

    /// Applies what HR says; gives what came of it, and the most memory it took, in KiB.
    fn apply(&self) -> (Ran, u64) {
        let mut command = self.world.command();
        command.args(["apply", "hr=people.csv", "--yes", "--all", "-vv"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let peak = thread::spawn(move || {
            // It only grows, so the last look counts. The first may still show the memory of the process that made it.
            let mut most = 0;
            while !seen.load(Ordering::SeqCst) {
                let text = fs::read_to_string(&status).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                most = line.map_or(most, |line| line.trim().trim_end_matches(" kB").parse().unwrap());
                thread::sleep(Duration::from_millis(1));
            }
            most
        });
        let output = child.wait_with_output().unwrap();
        over.store(true, Ordering::SeqCst);
        let ran = Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        (ran, peak.join().unwrap())
    }

    /// Nothing is recorded as done, nothing acts on the terminal, and the store is as if nothing had been tried.
    fn assert_undeceived(&self, what: &str, peak: u64) {
        let (ran, took) = self.apply();
        let all = format!("{}: {what}: {} {}{}", self.kind, ran.status, ran.stdout, ran.stderr);
        assert!([5, 7, 8].contains(&ran.status), "{all}");
        assert!(!all.contains("panicked"), "{all}");
        assert!(took < peak + MORE, "{} KiB more than {peak}: {all}", took - peak);
        if ran.status != 5 {
            let number = (self.runs.fetch_add(1, Ordering::SeqCst) + 1).to_string();
            let run = self.world.homeward(&["runs", &number, "--format", "json"]);
            assert!(run.stdout.contains("\"settled\""), "{all}{}", run.stdout);
            // Of each call the last word counts: a yes is written down when it comes, and what a look finds after it.
            let told: Value = serde_json::from_str(&run.stdout).unwrap();
            let settled = told["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == "settled");
            let last: BTreeMap<&str, &Value> =
                settled.map(|entry| (entry["call"].as_str().unwrap(), &entry["outcome"])).collect();
            assert!(last.values().all(|outcome| **outcome != "done"), "{all}{}", run.stdout);
            let told = self.world.homeward(&["runs", &number]);
            assert_eq!(told.status, 0, "{}", told.stderr);
            assert!(!told.stdout.contains(acts), "{all}{:?}", told.stdout);
        }
        assert!(!ran.stdout.contains(acts) && !ran.stderr.contains(acts), "{all}{ran:?}");
        // The log of the lab's requests is no state of its own.
        assert_eq!(state(&self.world, self.kind), self.before, "{what}: the lie was no lie");
    }
}

/// What a simulator holds; that somebody looked is nothing of it.
fn state(world: &World, kind: &str) -> Value {
    let mut state = world.state(kind);
    if kind == "discourse" {
        state["staff_log"] = Value::Null;
    }
    state
}

/// True for what moves a cursor, rings, or turns text round.
fn acts(c: char) -> bool {
    c != '\n' && c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn user(kind: &str, id: u32, first: &str, username: &str) -> Value {
    let email = format!("{}@example.com", first.to_lowercase());
    match kind {
        "gitlab" | "discourse" => {
            json!({ "id": id, "username": username, "name": format!("{first} Example"), "email": email })
        }
        "mattermost" => {
            json!({ "username": username, "email": email, "first_name": first, "last_name": "Example" })
        }
        "zitadel" => json!({ "organization": "org1", "username": username, "first_name": first, "last_name": "Example",
            "display_name": format!("{first} Example"), "email": email, "email_verified": true }),
        "nextcloud" => json!({ "id": username, "displayname": format!("{first} Example"), "email": email }),
        "scim" => json!({ "id": id.to_string(), "userName": username, "displayName": format!("{first} Example"),
            "name": { "givenName": first, "familyName": "Example" }, "active": true,
            "emails": [{ "value": email, "type": "work", "primary": true }] }),
        _ => json!({ "id": id, "username": username, "email": email, "first_name": first, "last_name": "Example",
            "name": format!("{first} Example") }),
    }
}

fn config(kind: &str, url: &str) -> String {
    let mut text = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n\n[systems.{kind}]\nkind = \
         \"{kind}\"\nurl = \"{url}\"\ntoken = {{ env = \"TOKEN\" }}\ntimeout = \"2s\"\n"
    );
    match kind {
        "zitadel" => text += "organization = \"org1\"\n",
        "wordpress" | "nextcloud" => text += "username = \"homeward\"\n",
        _ => {}
    }
    text
}

/// The answer that an honest server would give had it done what it was asked.
fn echo(upstream: &str, request: &Request) -> Value {
    if request.path().ends_with("/block") {
        return json!(true);
    }
    if request.path().ends_with("/active") {
        return json!({ "status": "OK" });
    }
    if request.path().starts_with("/ocs/") {
        return json!({ "ocs": { "meta": { "status": "ok", "statuscode": 200, "message": "OK" }, "data": [] } });
    }
    if request.path().ends_with("/suspend.json") {
        return json!({ "suspension": { "suspended_at": "2026-01-01T00:00:00.000Z", "suspended_till": "2099-01-01" } });
    }
    let mut shown = object(upstream, request.path().trim_end_matches("/patch"), request);
    for (name, value) in request.json().as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    if let Some(user) = shown.get("user").cloned() {
        shown["user"] = merged(user, &request.json());
    }
    for operation in request.json()["Operations"].as_array().into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default();
        match (path.split_once('.'), path) {
            (_, "") => shown = merged(shown, &operation["value"]),
            (Some((outer, inner)), _) => shown[outer][inner] = operation["value"].clone(),
            (None, name) => shown[name] = operation["value"].clone(),
        }
    }
    if shown.get("id").is_none() {
        shown["id"] = json!(4_711);
        shown["userId"] = json!("4711");
    }
    shown
}

fn merged(mut shown: Value, sent: &Value) -> Value {
    for (name, value) in sent.as_object().into_iter().flatten() {
        shown[name] = value.clone();
    }
    shown
}

/// What the lab shows at this path; an empty object where nothing is.
fn object(upstream: &str, path: &str, request: &Request) -> Value {
    let mut look = request.clone();
    "GET".clone_into(&mut look.method);
    path.clone_into(&mut look.target);
    look.body = Vec::new();
    look.headers.remove("content-length");
    let Answer::Bytes(bytes) = forward(upstream, &look) else { return json!({}) };
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    if !head.starts_with("HTTP/1.1 200") {
        return json!({});
    }
    serde_json::from_str::<Value>(body).ok().filter(Value::is_object).unwrap_or_else(|| json!({}))
}

/// The lies that are about size or form alone are read before anybody knows the kind: each kind is told its share of them, or all
/// where `HOMEWARD_LIES` is set.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn is_told(kind: &str, at: usize, is_large: bool) -> bool {
    !is_large || KINDS[at % KINDS.len()] == kind || std::env::var_os("HOMEWARD_LIES").is_some()
}

type Lie = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

/// What is answered to a write that is not done.
fn lies(upstream: &str) -> Vec<(&'static str, Lie)> {
    let with = |change: fn(&mut Value)| -> Lie {
        let upstream = upstream.to_owned();
        Box::new(move |request| {
            let mut shown = echo(&upstream, request);
            if shown.is_object() {
                change(&mut shown);
            }
            Answer::json(if request.method == "POST" { 201 } else { 200 }, &shown)
        })
    };
    let said = |kind: &'static str, body: &'static str| -> Lie { Box::new(move |_| Answer::text(200, kind, body)) };
    let raw = |bytes: Vec<u8>| -> Lie { Box::new(move |_| Answer::Bytes(bytes.clone())) };
    let body = |body: Vec<u8>| -> Lie {
        Box::new(move |_| Answer::Reply(200, vec![("content-type", "application/json".to_owned())], body.clone()))
    };
    let upstream_again = upstream.to_owned();
    let twice: Lie = Box::new(move |request| {
        let shown = echo(&upstream_again, request).to_string();
        let inner = shown.trim_start_matches('{').trim_end_matches('}');
        Answer::text(200, "application/json", &format!("{{{inner},{inner}}}"))
    });
    let upstream_again = upstream.to_owned();
    let typed: Lie =
        Box::new(move |request| Answer::text(200, "text/html", &echo(&upstream_again, request).to_string()));
    let upstream_again = upstream.to_owned();
    let old: Lie = Box::new(move |request| {
        Answer::json(200, &object(&upstream_again, request.path().trim_end_matches("/patch"), request))
    });
    let huge = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n[", 5_u64 << 30);
    let headers = format!("HTTP/1.1 200 OK\r\n{}", "x-more: and more\r\n".repeat(200_000));
    let header = format!("HTTP/1.1 200 OK\r\nx-more: {}", "m".repeat(20 << 20));
    let early = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    let mut objects = b"[".to_vec();
    objects.extend(b"{\"\":0},".repeat(1 << 20));
    objects.extend(b"0]");
    let mut numbers = b"{\"id\":[".to_vec();
    numbers.extend(b"0,".repeat(4_000_000 - 20));
    numbers.extend(b"0]}");
    vec![
        ("yes, and nothing", said("application/json", "{}")),
        ("yes, and what it was sent", with(|_| {})),
        ("yes, and what was before", old),
        ("yes, and somebody else", with(|shown| shown["id"] = json!(44))),
        ("yes, and somebody else's names", with(|shown| shown["username"] = json!("uebenso"))),
        (
            "yes, with escapes",
            with(|shown| {
                for name in [
                    "username",
                    "first_name",
                    "name",
                    "nickname",
                    "id",
                    "message",
                    "error",
                    "details",
                    "userName",
                    "displayName",
                    "detail",
                    "errors",
                ] {
                    shown[name] = json!(ESCAPES);
                }
            }),
        ),
        ("yes, as a page", typed),
        ("a page", said("text/html", "<html>\u{1b}[2Jwelcome</html>")),
        ("no content", Box::new(|_| Answer::Reply(204, Vec::new(), Vec::new()))),
        ("accepted", Box::new(|_| Answer::json(202, &json!({ "status": "queued" })))),
        ("every name twice", twice),
        ("a number without end", body(format!("{{\"id\":{}}}", "9".repeat(1 << 20)).into_bytes())),
        ("a number too large", said("application/json", "{\"id\":1e999}")),
        ("no UTF-8", body(b"{\"id\":41,\"username\":\"\xff\xfe\"}".to_vec())),
        ("too deep", body(b"{\"a\":".repeat(1 << 20))),
        ("many objects", body(objects)),
        (
            "as many objects as there may be",
            body([b"[".to_vec(), b"{\"\":0},".repeat(52_000), b"0]".to_vec()].concat()),
        ),
        ("many numbers", body(numbers)),
        ("5 GB, announced", raw(huge.into_bytes())),
        ("5 GB, unannounced", Box::new(|_| Answer::Flood(5 << 30))),
        ("headers without end", raw(headers.into_bytes())),
        ("a header without end", raw(header.into_bytes())),
        ("a beginning without end", raw(early.into_bytes())),
        (
            "escapes in a no",
            Box::new(|_| {
                Answer::json(
                    400,
                    &json!({ "message": { "name": [ESCAPES] }, "id": ESCAPES, "code": ESCAPES, "error": ESCAPES,
                "errors": [ESCAPES], "error_type": ESCAPES, "detail": ESCAPES, "scimType": ESCAPES,
                "ocs": { "meta": { "status": ESCAPES, "statuscode": 101, "message": ESCAPES }, "data": ESCAPES },
                "data": { "params": { "name": ESCAPES } }, "details": [{ "id": ESCAPES, "message": ESCAPES }] }),
                )
            }),
        ),
    ]
}

#[test]
fn a_server_that_says_yes_and_does_nothing_is_never_believed() {
    thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || {
                let scene = Scene::new(kind);
                let plan = scene.world.homeward(&["plan", "hr=people.csv"]);
                assert_eq!(plan.status, 0, "{kind}: {}{}", plan.stdout, plan.stderr);
                // What an honest no costs is what a lie is measured by.
                scene.lie(|_| Answer::json(403, &json!({ "message": "403 Forbidden" })));
                let (honest, peak) = scene.apply();
                scene.runs.fetch_add(1, Ordering::SeqCst);
                assert_eq!(honest.status, 7, "{kind}: {}{}", honest.stdout, honest.stderr);
                for (at, (what, lie)) in lies(&scene.upstream).into_iter().enumerate() {
                    // What is read before anybody knows whose answer it is, whatever its size.
                    let is_large = ["5 GB", "many", "without end", "too", "UTF-8", "twice", "as a page"];
                    let is_large = is_large.iter().any(|word| what.contains(word));
                    if !is_told(kind, at, is_large) {
                        continue;
                    }
                    scene.lie(lie);
                    scene.assert_undeceived(what, peak);
                }
                // The same server, honest at last, is believed.
                let upstream = scene.upstream.clone();
                scene.liar.behave(move |request| forward(&upstream, request));
                let (ran, _) = scene.apply();
                assert_eq!(ran.status, 0, "{kind}: {}{}", ran.stdout, ran.stderr);
                assert_ne!(state(&scene.world, kind), scene.before);
            });
        }
    });
}

#[test]
fn a_server_that_lies_when_it_is_looked_at_costs_no_more_than_an_answer_may() {
    thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || {
                let scene = Scene::new(kind);
                scene.lie(|_| Answer::json(403, &json!({ "message": "403 Forbidden" })));
                let (_, peak) = scene.apply();
                scene.runs.fetch_add(1, Ordering::SeqCst);
                let objects = || [b"[".to_vec(), b"{\"\":0},".repeat(1 << 20), b"0]".to_vec()].concat();
                let names = || {
                    let user = json!({ "id": 41, "userId": "41", "username": "w".repeat(40_000), "email": "x@example.com",
                        "name": "n", "slug": "s" });
                    let told = match kind {
                        "discourse" => json!(vec![&user; 100]),
                        "nextcloud" => {
                            let users: Map<String, Value> = (0..100).map(|at| (at.to_string(), user.clone())).collect();
                            json!({ "ocs": { "meta": { "statuscode": 200 }, "data": { "users": users } } })
                        }
                        "scim" => {
                            let mut one = json!({ "id": "41", "userName": user["username"] });
                            one["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
                            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 100,
                                "Resources": vec![&one; 100] })
                        }
                        _ => json!({ "result": vec![&user; 150], "list": vec![&user; 20] }),
                    };
                    told.to_string().into_bytes()
                };
                let reply = |body: Vec<u8>| -> Lie {
                    Box::new(move |_| Answer::Reply(200, vec![("content-type", "application/json".to_owned())], body.clone()))
                };
                // As much as is read at all.
                let most = || [b"[".to_vec(), b"{\"\":0},".repeat(52_000), b"0]".to_vec()].concat();
                let lies: [(&str, Lie); 5] = [
                    ("many objects", reply(objects())),
                    ("as many objects as there may be", reply(most())),
                    ("long names", reply(names())),
                    ("5 GB", Box::new(|_| Answer::Flood(5 << 30))),
                    ("a bomb", Box::new(|_| {
                        let headers = vec![("content-encoding", "gzip".to_owned())];
                        Answer::Reply(200, headers, vec![0x1f; 4 << 20])
                    })),
                ];
                for (at, (what, lie)) in lies.into_iter().enumerate() {
                    if !is_told(kind, at, at > 1) {
                        continue;
                    }
                    scene.liar.behave(lie);
                    scene.assert_undeceived(what, peak);
                }
            });
        }
    });
}

#[test]
fn nobody_is_tied_to_what_a_liar_says_it_has_made() {
    // One is Wilhelmina's, the other one's owner was never spoken of.
    for id in [41, 44] {
        let scene = Scene::new("gitlab");
        let rows = scene.world.read("people.csv");
        let row = |at: usize| format!("{}\n{}\n", rows.lines().next().unwrap(), rows.lines().nth(at).unwrap());
        let apply = || scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
        let linked = |person: &str| scene.world.homeward(&["link", person]).stdout;
        scene.world.write("people.csv", row(1).as_bytes());
        let ran = apply();
        assert_eq!(ran.status, 0, "{ran:?}");
        let before = linked("hr/1001");
        assert!(before.contains("gitlab  41       hers"), "{before}");

        // Thaddeus is said to be made, as an account that is there.
        scene.world.write("people.csv", row(2).as_bytes());
        let upstream = scene.upstream.clone();
        scene.lie(move |request| {
            let there = object(&upstream, &format!("/api/v4/users/{id}"), request);
            Answer::json(201, &merged(there, &request.json()))
        });
        let ran = apply();
        assert_eq!(ran.status, 7, "{id}: {ran:?}");
        assert_eq!(
            (linked("hr/1001"), linked("hr/1002")),
            (before.clone(), "hr/1002 is linked to nothing yet.\n".to_owned())
        );

        // An honest server makes an account of his own, and leaves the others alone.
        let upstream = scene.upstream.clone();
        scene.liar.behave(move |request| forward(&upstream, request));
        let ran = apply();
        assert_eq!(ran.status, 0, "{ran:?}");
        let username = |id: &str| scene.world.user("gitlab", "id", id)["username"].clone();
        assert_eq!((username("41"), username("44")), (json!("woldname"), json!("uebenso")));
        assert!(linked("hr/1002").contains("gitlab"), "{}", linked("hr/1002"));
    }
}

#[test]
fn a_creation_that_was_answered_is_found_again_whatever_stands_in_the_way_of_looking() {
    let scene = Scene::new("gitlab");
    let rows = scene.world.read("people.csv");
    let only = format!("{}\n{}\n", rows.lines().next().unwrap(), rows.lines().nth(2).unwrap());
    scene.world.write("people.csv", only.as_bytes());
    // Killed between the answer and the look that would prove it.
    let (upstream, is_made) = (scene.upstream.clone(), AtomicBool::new(false));
    let (tell, looked) = mpsc::channel();
    let tell = Mutex::new(tell);
    scene.liar.behave(move |request| {
        if request.is_read() && is_made.load(Ordering::SeqCst) {
            tell.lock().unwrap().send(()).unwrap();
            return Answer::Silence;
        }
        is_made.fetch_or(!request.is_read(), Ordering::SeqCst);
        forward(&upstream, request)
    });
    let mut apply = scene.world.command();
    apply.args(["apply", "hr=people.csv", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut apply = apply.spawn().unwrap();
    looked.recv_timeout(Duration::from_secs(30)).unwrap();
    apply.kill().unwrap();
    apply.wait().unwrap();

    // First nobody answers, which says nothing of it; then it is there, is his, and is not made again.
    scene.liar.behave(|_| Answer::text(503, "text/plain", "away"));
    let away = scene.world.homeward(&["resume"]);
    assert_eq!(away.status, 8, "{away:?}");
    let upstream = scene.upstream.clone();
    scene.liar.behave(move |request| forward(&upstream, request));
    let back = scene.world.homeward(&["resume"]);
    assert_eq!(back.status, 0, "{back:?}");
    let id = scene.world.user("gitlab", "username", "toxenbridge")["id"].clone();
    let linked = scene.world.homeward(&["link", "hr/1002"]).stdout;
    assert!(linked.contains(&format!("gitlab  {}", id.as_str().unwrap())), "{linked}");
    let made = scene.world.writes("gitlab");
    assert_eq!(made.len(), 1, "{made:?}");
}

#[test]
fn an_account_that_was_seen_before_was_not_made_just_now() {
    let scene = Scene::new("gitlab");
    let rows = scene.world.read("people.csv").replace("Wilhelmina,Quarterstaff", "Wilhelmina,Newname");
    let both: Vec<&str> = rows.lines().take(3).collect();
    scene.world.write("people.csv", (both.join("\n") + "\n").as_bytes());
    // Her change is done, and what is made for him is said to be her account, with his names.
    let upstream = scene.upstream.clone();
    scene.lie(move |request| match request.method.as_str() {
        "POST" => Answer::json(201, &merged(object(&upstream, "/api/v4/users/41", request), &request.json())),
        _ => forward(&upstream, request),
    });
    let ran = scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 8, "{ran:?}");
    let told = crate::common::in_one_line(&ran.stdout);
    assert!(told.contains("gitlab says that it has made account 41, which was there before"), "{told}");
    assert!(told.contains("`homeward link hr/1002 gitlab:41`"), "{told}");
    assert!(told.contains("`homeward resume 1` looks again for what is in doubt"), "{told}");
    let linked = |person: &str| scene.world.homeward(&["link", person]).stdout;
    assert!(linked("hr/1001").contains("gitlab  41       hers"), "{}", linked("hr/1001"));
    assert_eq!(linked("hr/1002"), "hr/1002 is linked to nothing yet.\n");
}

/// Where one account is asked for by its id; `None` where ids are asked for together.
fn place(kind: &str, id: &str) -> Option<String> {
    Some(match kind {
        "gitlab" => format!("/api/v4/users/{id}"),
        "zitadel" => format!("/v2/users/{id}"),
        "nextcloud" => format!("/ocs/v2.php/cloud/users/{id}"),
        "discourse" => format!("/admin/users/{id}.json"),
        "scim" => format!("/Users/{id}"),
        _ => return None,
    })
}

/// Takes whoever has this username out of every list; a server that lies so says that there were fewer all along.
fn hide(shown: &mut Value, username: &str) {
    let is_hers = |one: &Value| one.to_string().contains(username);
    match shown {
        Value::Array(all) => {
            all.retain(|one| !is_hers(one));
            for one in all {
                hide(one, username);
            }
        }
        Value::Object(fields) => {
            fields.remove(username);
            let shown = |fields: &Map<String, Value>| {
                ["Resources", "result"].iter().find_map(|name| Some(fields.get(*name)?.as_array()?.len()))
            };
            let before = shown(fields);
            fields.values_mut().for_each(|one| hide(one, username));
            let gone = before.zip(shown(fields)).map_or(0, |(before, after)| before - after) as u64;
            if let Some(total) = fields.get("totalResults").and_then(Value::as_u64) {
                fields["totalResults"] = json!(total - gone);
            }
            if let Some(total) = fields.get("details").and_then(|details| details["totalResult"].as_str()) {
                let total: u64 = total.parse().unwrap();
                fields["details"]["totalResult"] = json!((total - gone).to_string());
            }
        }
        _ => {}
    }
}

impl Scene {
    /// As HR has it from the first day on, with everybody's accounts known; then Wilhelmina's addresses are others, so that
    /// nothing but its id leads to her account, which no list shows and of which `answer` tells.
    fn known_by_id(kind: &'static str) -> Self {
        let scene = Self::new(kind);
        let ran = scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
        assert_eq!(ran.status, 0, "{kind}: {ran:?}");
        let name = if kind == "nextcloud" { "woldname" } else { "wnewname" };
        let rows = scene
            .world
            .read("people.csv")
            .replace("wilhelmina@example.com,woldname", &format!("wnew@example.com,{name}"));
        scene.world.write("people.csv", rows.as_bytes());
        scene
    }

    /// Answers so whenever Wilhelmina's account is asked for by its id, and shows her in no list.
    fn answer_by_id(&self, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        let (kind, upstream) = (self.kind, self.upstream.clone());
        let place = place(kind, &self.id("hr/1001"));
        self.liar.behave(move |request| {
            let is_hers =
                place.as_ref().map_or(request.path().ends_with("/users/ids"), |place| request.path().ends_with(place));
            match is_hers {
                true => answer(request),
                false if request.is_read() => {
                    crate::server::forward_changed(&upstream, request, |shown| hide(shown, "woldname"))
                }
                false => forward(&upstream, request),
            }
        });
    }

    /// The account that somebody is tied to.
    fn id(&self, person: &str) -> String {
        let told = self.world.homeward(&["link", person]).stdout;
        let line = told.lines().find(|line| line.starts_with(self.kind)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }
}

#[test]
fn an_answer_about_one_account_that_is_about_another_or_no_answer_at_all_is_not_believed() {
    let gateway = || json!({ "message": "no Route matched with those values" });
    let own = |kind: &str| match kind {
        "gitlab" => json!({ "message": "404 User Not Found" }),
        "zitadel" => json!({ "code": 5, "message": "x", "details": [{ "id": "QUERY-Dfbg2" }] }),
        "nextcloud" => json!({ "ocs": { "meta": { "status": "failure", "statuscode": 404 }, "data": [] } }),
        "discourse" => json!({ "errors": ["x"], "error_type": "not_found" }),
        _ => json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404" }),
    };
    for kind in ["gitlab", "mattermost", "zitadel", "nextcloud", "discourse", "scim"] {
        let scene = Scene::known_by_id(kind);
        let mut lies: Vec<(&str, Lie)> = Vec::new();
        let (upstream, other) = (scene.upstream.clone(), scene.id("hr/1004"));
        let another = place(kind, &other).unwrap_or_else(|| format!("/api/v4/users/{other}"));
        let hers = place(kind, &scene.id("hr/1001")).unwrap_or_else(|| "/api/v4/users/ids".to_owned());
        lies.push((
            "another",
            Box::new(move |request| {
                let path = request.path().replace(&hers, &another);
                let mut shown = object(&upstream, &path, request);
                if kind == "mattermost" {
                    // Of many who are asked for together, somebody whom nobody asked for.
                    shown["id"] = json!("x".repeat(26));
                }
                Answer::json(200, &if kind == "mattermost" { json!([shown]) } else { shown })
            }),
        ));
        if matches!(kind, "scim" | "discourse" | "gitlab") {
            lies.push(("a gateway", Box::new(move |_| Answer::json(404, &gateway()))));
            lies.push(("a page", Box::new(|_| Answer::text(404, "text/html", "<html>nginx</html>"))));
        }
        if kind == "zitadel" {
            lies.push(("nobody", Box::new(|_| Answer::json(200, &json!({ "user": {} })))));
        }
        for (what, lie) in lies {
            scene.answer_by_id(lie);
            let ran = scene.world.homeward(&["plan", "hr=people.csv"]);
            assert_eq!((ran.status, ran.stdout.as_str()), (5, ""), "{kind}: {what}: {ran:?}");
        }
        // What its own word says is believed.
        if kind != "mattermost" {
            scene.answer_by_id(move |_| Answer::json(404, &own(kind)));
            let ran = scene.world.homeward(&["plan", "hr=people.csv"]);
            assert_eq!(ran.status, 0, "{kind}: {ran:?}");
        }
    }
}

#[test]
fn whoever_has_an_account_that_is_not_shown_is_neither_forgotten_nor_given_another() {
    let scene = Scene::known_by_id("nextcloud");
    let before = state(&scene.world, "nextcloud");
    let hidden = json!({ "ocs": { "meta": { "status": "failure", "statuscode": 998 }, "data": [] } });
    let is_hers = |change: &Value| change["person"] == "hr/1001" && change["system"] == "nextcloud";
    let told = |plan: &Value| -> Vec<Value> {
        plan["changes"].as_array().unwrap().iter().filter(|change| is_hers(change)).cloned().collect()
    };
    for leaves in [false, true] {
        if leaves {
            let rows = scene.world.read("people.csv");
            scene.world.write("people.csv", rows.replace("woldname,Active", "woldname,Left").as_bytes());
        }
        let hidden = hidden.clone();
        scene.answer_by_id(move |_| Answer::json(404, &hidden));
        let ran = scene.world.homeward(&["plan", "hr=people.csv", "--format", "json"]);
        let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
        let changes = told(&plan);
        assert!(!changes.is_empty(), "{leaves}: {plan:#}");
        assert!(changes.iter().all(|change| change["decision"] == "hold"), "{leaves}: {changes:#?}");
        let reason = changes[0]["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("nextcloud does not show us account woldname, which is hers: our account there"),
            "{reason}"
        );
        assert!(reason.ends_with("`homeward unlink hr/1001 nextcloud:woldname`"), "{reason}");
        scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
        assert_eq!(state(&scene.world, "nextcloud"), before, "{leaves}");
    }
    // A rule that asks whether she has an account there is not told that she has none.
    let rules = scene.world.read("rules/people.rhai");
    let asking = rules.replace("|person| person.active", "|person| if person.nextcloud != () { person.active }");
    assert_ne!(asking, rules);
    let lines = asking.lines().filter(|line| !line.contains("copies("));
    scene.world.write("rules/people.rhai", lines.collect::<Vec<_>>().join("\n").as_bytes());
    let ran = scene.world.homeward(&["plan", "hr=people.csv", "--format", "json"]);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    let changes = told(&plan);
    assert_eq!(changes.len(), 1, "{plan:#}");
    assert_eq!(
        (&changes[0]["attribute"], &changes[0]["decision"], &changes[0]["after"]),
        (&json!("active"), &json!("hold"), &json!(false)),
        "{changes:#?}"
    );
    scene.world.write("rules/people.rhai", rules.as_bytes());
    // Shown again, she is switched off.
    let upstream = scene.upstream.clone();
    scene.liar.behave(move |request| forward(&upstream, request));
    let ran = scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_ne!(state(&scene.world, "nextcloud"), before);
    assert_eq!(scene.world.user("nextcloud", "id", "woldname")["enabled"], json!(false));
}

#[test]
fn what_was_done_and_answered_on_the_way_by_a_page_that_refuses_is_recorded_as_done() {
    for kind in KINDS {
        for status in [403, 406] {
            let scene = Scene::new(kind);
            let upstream = scene.upstream.clone();
            scene.lie(move |request| {
                let done = forward(&upstream, request);
                drop(done);
                Answer::text(status, "text/html", "<html><body>Request blocked by policy</body></html>")
            });
            let ran = scene.world.homeward(&["apply", "hr=people.csv", "--yes"]);
            assert_eq!(ran.status, 0, "{kind} {status}: {ran:?}");
            let again = scene.world.homeward(&["resume"]);
            assert_eq!(again.stdout, "Nothing to resume.\n", "{kind} {status}: {again:?}");
        }
    }
}
