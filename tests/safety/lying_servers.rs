//! Servers that are slow, broken, or not what they say they are: reading them ends, soon, with a clear word.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    common::World,
    company::{Company, PROVIDERS},
    server::{Answer, Request, Server, forward, forward_changed},
};

/// A project with one provider at this address, and as many people as wanted.
fn project(kind: &str, url: &str, people: usize) -> World {
    let mut rows = crate::company::HEADER.to_owned();
    for number in 1..=people {
        rows +=
            &format!("{number},First{number},Last{number},person{number:06}@example.com,person{number:06},Active\n");
    }
    let names = if kind == "gitlab" { "" } else { "copies([\"first_name\", \"last_name\"], SYSTEM);" };
    let rules = format!(
        "owner([\"username\", \"email\", \"first_name\", \"last_name\"], \"hr\");
         copies([\"username\", \"email\"], SYSTEM);
         {names}
         source(\"hr\", |row| #{{ key: row.employee_id, username: row.username, email: row.email,
             first_name: row.first_name, last_name: row.last_name }});
         join(SYSTEM, [\"email\", \"username\"]);"
    );
    World::new()
        .file("people.csv", &rows)
        .file("rules/people.rhai", &rules.replace("SYSTEM", &format!("\"{kind}\"")))
        .file("homeward.toml", &config(kind, url))
        .variable("TOKEN", "tell-nobody")
}

fn config(kind: &str, url: &str) -> String {
    format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n\n[systems.{kind}]\nkind = \
         \"{kind}\"\nurl = \"{url}\"\ntoken = {{ env = \"TOKEN\" }}\ntimeout = \"1s\"\n"
    )
}

/// The run ended with exit code 5 and a message that names the system and harms no terminal.
fn assert_unread(world: &World, kind: &str, what: &str) -> String {
    let ran = world.homeward(&["plan", "hr=people.csv", "-vv"]);
    let all = format!("{kind}, {what}: {} {}{}", ran.status, ran.stdout, ran.stderr);
    assert_eq!(ran.status, 5, "{all}");
    assert_eq!(ran.stdout, "", "{all}");
    assert!(ran.stderr.contains(&format!("{kind} ")), "{all}");
    assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{all}");
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("tell-nobody"), "{all}");
    ran.stderr
}

/// What a server answers that was asked so often before.
type Behaviour = Arc<dyn Fn(usize) -> Answer + Send + Sync>;

/// Plans of two days are two plans.
const TODAY: &str = "2026-11-20";

#[test]
fn whatever_a_server_answers_reading_it_ends_with_a_clear_word() {
    let elsewhere = Arc::new(Server::start(|_| Answer::text(200, "application/json", "[]")));
    let there = elsewhere.url.clone();
    let page = "<html><head><title>Sign in</title></head><body>\u{1b}[2J</body></html>";
    let told = json!({ "id": "\u{1b}[31mred", "message": "\u{1b}]0;title\u{7}\u{202e}", "error": "\u{1b}[2J",
        "code": "\u{1b}[2J", "details": [{ "id": "\u{1b}[2J" }] });
    let mut behaviours: Vec<(&str, Behaviour)> = vec![
        ("never answers", Arc::new(|_| Answer::Silence)),
        ("hangs up", Arc::new(|_| Answer::Close)),
        ("a page", Arc::new(move |_| Answer::text(200, "text/html", page))),
        ("a page for JSON", Arc::new(move |_| Answer::text(200, "application/json", page))),
        ("a bad gateway", Arc::new(move |_| Answer::text(502, "text/html", page))),
        (
            "a cut body",
            Arc::new(|_| {
                Answer::Bytes(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n[{\"id".to_vec(),
                )
            }),
        ),
        ("cut JSON", Arc::new(|_| Answer::text(200, "application/json", "[{\"id\":41,\"usern"))),
        ("deep JSON", Arc::new(|_| Answer::text(200, "application/json", &"[".repeat(200_000)))),
        ("nothing", Arc::new(|_| Answer::text(200, "application/json", ""))),
        ("null", Arc::new(|_| Answer::text(200, "text/html", "null"))),
        ("a number", Arc::new(|_| Answer::text(200, "application/json", "1e999"))),
        ("no HTTP", Arc::new(|_| Answer::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()))),
        ("a flood", Arc::new(|_| Answer::Flood(80 << 20))),
        (
            "a pause without end",
            Arc::new(|_| Answer::Reply(429, vec![("retry-after", "99999999999999".to_owned())], Vec::new())),
        ),
        (
            // Twice, as pauses that nobody names are doubled each time.
            "a pause of nonsense",
            Arc::new(|before| match before {
                0 | 1 => Answer::Reply(429, vec![("retry-after", "-1".to_owned())], Vec::new()),
                _ => Answer::text(200, "application/json", "null"),
            }),
        ),
    ];
    for status in [400, 401, 403, 500] {
        let told = told.clone();
        behaviours.push(("escapes", Arc::new(move |_| Answer::json(status, &told))));
    }
    for status in [301, 302, 307] {
        let location = format!("{there}/api/v4/users");
        behaviours.push((
            "redirects",
            Arc::new(move |_| Answer::Reply(status, vec![("location", location.clone())], Vec::new())),
        ));
    }
    thread::scope(|scope| {
        // Nearly all the time goes into pauses between one try and the next.
        for (kind, behaviours) in PROVIDERS.iter().flat_map(|kind| behaviours.chunks(2).map(move |some| (*kind, some)))
        {
            scope.spawn(move || {
                let server = Server::start(|_| Answer::Close);
                let world = project(kind, &server.url, 1);
                for (what, behaviour) in behaviours {
                    let behaviour = Arc::clone(behaviour);
                    let before = AtomicUsize::new(0);
                    server.behave(move |_| behaviour(before.fetch_add(1, Ordering::Relaxed)));
                    let message = assert_unread(&world, kind, what);
                    if *what == "never answers" {
                        assert!(message.contains("did not answer within 1 s"), "{message}");
                    }
                }
            });
        }
    });
    assert_eq!(elsewhere.requests().len(), 0, "no redirect is followed, so no token travels");
}

#[test]
fn a_list_that_repeats_itself_for_ever_comes_to_an_end() {
    // Lists are read page by page only where there are many people.
    let mut world = World::new().file(
        "homeward.toml",
        &PROVIDERS
            .map(|kind| config(kind, "https://x.example.com"))
            .join("\n")
            .replace("[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n", ""),
    );
    world.start_lab(&["--people", "450"]);
    for kind in ["gitlab", "mattermost"] {
        let server = Server::before(&world.url(kind));
        let project = project(kind, &server.url, 450).variable("TOKEN", &world.token(kind));
        // Mattermost finds whole lists by name, and turns pages only for addresses of people whom it knows by another name.
        let listed = project.read("people.csv");
        let renamed = listed.lines().map(|line| line.replace("@example.com,person", "@example.com,renamed") + "\n");
        project.write("people.csv", renamed.collect::<String>().as_bytes());
        let honest = project.homeward(&["--today", TODAY, "plan", "hr=people.csv", "--format", "json"]);
        assert_eq!(honest.status, 0, "{}", honest.stderr);
        let upstream = world.url(kind);
        let stuck = move |request: &Request| {
            let mut request = request.clone();
            let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
            let kept = query.split('&').map(|pair| if pair.starts_with("page=") { "page=0" } else { pair });
            let kept: Vec<&str> = kept.filter(|pair| !pair.starts_with("cursor=")).collect();
            request.target = if query.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
            request
        };
        let keep = upstream.clone();
        server.behave(move |request| forward(&keep, &stuck(request)));
        let ran = project.homeward(&["plan", "hr=people.csv"]);
        assert_eq!(ran.status, 5, "{kind}: {}{}", ran.stdout, ran.stderr);
        assert!(server.requests().len() < 1_500, "{kind} was asked {} times", server.requests().len());

        // Headers about the number of pages are advice: what they lie about is read all the same.
        for lie in ["0", "1", "-5", "18446744073709551616", "\u{fe}"] {
            let upstream = upstream.clone();
            server.behave(move |request| match forward(&upstream, request) {
                Answer::Bytes(bytes) => {
                    let text = String::from_utf8(bytes).unwrap();
                    let (head, body) = text.split_once("\r\n\r\n").unwrap();
                    let lines = head.split("\r\n").map(|line| match line.split_once(':') {
                        Some((name, _))
                            if name.to_lowercase().starts_with("x-") && name.len() < 14 && name != "x-version-id" =>
                        {
                            format!("{name}: {lie}")
                        }
                        _ => line.to_owned(),
                    });
                    let head = lines.collect::<Vec<_>>().join("\r\n");
                    Answer::Bytes(format!("{head}\r\n\r\n{body}").into_bytes())
                }
                other => other,
            });
            let ran = project.homeward(&["--today", TODAY, "plan", "hr=people.csv", "--format", "json"]);
            assert_eq!((ran.status, ran.stdout == honest.stdout), (0, true), "{kind} with {lie}: {}", ran.stderr);
        }
    }
    let user = json!({ "userId": "1", "state": "USER_STATE_ACTIVE", "username": "a", "details": { "resourceOwner": "o" }, "human": {} });
    for (total, users) in
        [("999999999999999", vec![]), ("18446744073709551615", vec![user]), ("nonsense", vec![]), ("-1", vec![])]
    {
        let server = Server::start(move |request| match request.path() {
            "/v2/users" => Answer::json(200, &json!({ "details": { "totalResult": total }, "result": users })),
            _ => Answer::json(404, &json!({ "code": "not_found", "message": "no" })),
        });
        let project = project("zitadel", &server.url, 3);
        assert_unread(&project, "zitadel", total);
        assert!(server.requests().len() < 1_500, "asked {} times", server.requests().len());
    }
}

#[test]
fn an_account_that_is_shown_twice_is_one_account() {
    let company = Company::new();
    let honest = company.world.homeward(&["plan", "hr=people.csv", "--format", "json"]);
    for system in PROVIDERS {
        let upstream = company.world.url(system);
        company.servers[system].behave(move |request| {
            if !request.is_read() {
                return forward(&upstream, request);
            }
            forward_changed(&upstream, request, |body| {
                let list = if body.is_array() { Some(body) } else { body.get_mut("result") };
                if let Some(list) = list.and_then(Value::as_array_mut) {
                    list.extend(list.clone());
                }
            })
        });
    }
    let ran = company.world.homeward(&["plan", "hr=people.csv", "--format", "json"]);
    assert_eq!((ran.status, &ran.stdout), (0, &honest.stdout), "{}", ran.stderr);
}

/// Every address that was asked is one that its provider has: no step up, no query out of an id.
fn assert_on_its_way(company: &Company, what: &str) {
    for (system, server) in &company.servers {
        for request in server.requests() {
            let target = request.target.to_lowercase();
            let known = ["/api/v4/", "/v2/users", "/management/v1/users", "/zitadel.user.v2.userservice/"];
            let astray = target.split(['/', '?']).any(|part| matches!(part.replace("%2e", ".").as_str(), "." | ".."));
            assert!(!astray && known.iter().any(|prefix| target.starts_with(prefix)), "{what}: {system} {target}");
            assert!(!target.contains("x=y") && !target.contains("//"), "{what}: {system} {target}");
        }
    }
}

const TRICKS: [&str; 9] =
    ["../../x", "..", ".", "%2e%2e", "1?x=y", "41/../44", "a#b", "//evil.example/x", "41\r\nX-Evil: 1"];

#[test]
fn an_id_in_the_store_that_is_a_path_leads_nowhere() {
    let company = Company::new();
    let ran = company.world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let store = rusqlite::Connection::open(company.world.path(".homeward/state.db")).unwrap();
    company.world.write("people.csv", crate::company::PEOPLE.replace("Quarterstaff", "Newname").as_bytes());
    let before = company.states();
    for trick in TRICKS {
        company.servers.values().for_each(Server::forget);
        store.execute("update or replace links set account = ?1 where person = 'hr/1001'", [trick]).unwrap();
        for command in [&["plan", "hr=people.csv"][..], &["apply", "hr=people.csv", "--yes"]] {
            let ran = company.world.homeward(command);
            assert!([0, 4, 5, 7].contains(&ran.status), "{trick}: {} {}{}", ran.status, ran.stdout, ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{trick}: {}", ran.stderr);
            assert!(!ran.stdout.contains('\r'), "{trick}: {}", ran.stdout);
        }
        assert_on_its_way(&company, trick);
    }
    assert_eq!(company.states()[0]["users"]["44"], before[0]["users"]["44"]);
    assert!(before[0]["users"]["44"].is_object());
}

#[test]
fn an_id_in_an_answer_that_is_a_path_leads_nowhere() {
    for trick in TRICKS {
        let company = Company::new();
        for system in PROVIDERS {
            let upstream = company.world.url(system);
            company.servers[system].behave(move |request| {
                if !request.is_read() || request.path().ends_with("/me") || request.path() == "/api/v4/user" {
                    return forward(&upstream, request);
                }
                forward_changed(&upstream, request, |body| {
                    let list = if body.is_array() { Some(body) } else { body.get_mut("result") };
                    for user in list.and_then(Value::as_array_mut).into_iter().flatten() {
                        for key in ["id", "userId"] {
                            if user.get(key).is_some() {
                                user[key] = trick.into();
                            }
                        }
                    }
                })
            });
        }
        let ran = company.world.homeward(&["apply", "hr=people.csv", "--yes"]);
        assert!([0, 4, 5, 7, 8].contains(&ran.status), "{trick}: {} {}{}", ran.status, ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{trick}: {}", ran.stderr);
        assert_on_its_way(&company, trick);
    }
}

#[test]
fn names_that_would_act_on_a_terminal_are_shown_as_what_they_are() {
    let company = Company::new();
    let name = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}Wil\u{2066}\u{9b}31m\nhelmina";
    let seen = Arc::new(Mutex::new(0));
    for system in PROVIDERS {
        let (upstream, seen) = (company.world.url(system), Arc::clone(&seen));
        company.servers[system].behave(move |request| {
            forward_changed(&upstream, request, |body| {
                let text = body.to_string();
                *seen.lock().unwrap() += text.matches("Wilhelmina Oldname").count();
                let shown = text.replace("Wilhelmina Oldname", json!(name).to_string().trim_matches('"'));
                *body = serde_json::from_str(&shown).unwrap();
            })
        });
    }
    for command in
        [&["plan", "hr=people.csv", "--all", "-vv"][..], &["apply", "hr=people.csv", "--yes"], &["runs", "1"]]
    {
        let ran = company.world.homeward(command);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        let acts = |c: char| {
            c != '\n' && c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(!all.contains(acts), "{command:?}: {all:?}");
        assert!(command[0] != "plan" || all.contains("\\u{1b}[2J"), "{all}");
    }
    assert!(*seen.lock().unwrap() > 0);
}
