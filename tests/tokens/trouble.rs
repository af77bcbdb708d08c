//! One token that is no good, and whose fault it is: what is told, of whom and where, and that nothing else stops.

use std::{
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    chat::{CANARY, Chat, held, key, second, token},
    common::{Ran, in_one_line, journey::outcomes},
    server::{Answer, Server, forward_changed},
    sources::{keyed, set},
};

const FILE: &str = "{ per_person = { file = \"tokens.json\" } }";
const STORE: &str = "{ per_person = { store = { key = { env = \"KEY\" } } } }";

/// The setting of a file whose tokens are renewed at this address.
fn renewed(url: &str) -> String {
    format!(
        "{{ per_person = {{ file = \"tokens.json\", refresh = {{ url = \"{url}\", client_id = \"homeward\" }} }} }}"
    )
}

/// Runs `explain` and gives it in one line.
fn explained(chat: &Chat, arguments: &[&str]) -> String {
    let ran = chat.run(&[&["explain"], arguments].concat());
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    in_one_line(&ran.stdout)
}

#[test]
fn an_entry_of_a_file_that_is_no_token_holds_its_person_and_nobody_else() {
    let chat = Chat::new(FILE, &[]);
    chat.keep(&[
        (key("ann"), json!(token("ann"))),
        (key("ben"), json!({ "token": token("ben") })),
        ("c4nary-of-nobody".to_owned(), json!("web/3")),
    ]);
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let fields = "has something else than `access_token`, `refresh_token`, `expires_at` and `kind`";
    let nobody =
        "none is found, and it may be this one: in tokens.json, entry 3 names no person: write the source and its key";
    assert_eq!(
        held(&plan),
        [
            format!("the token of web/2 at chat cannot be used: in tokens.json, `web/2` {fields}"),
            format!("the token of web/3 at chat cannot be used: {nobody}"),
        ]
    );
    // Signing in again would mend neither.
    assert_eq!((plan["summary"]["calls"].clone(), plan.get("sign_in")), (json!(1), None));

    // Of one who stands twice, nobody can tell which token is good.
    chat.world.write("tokens.json", br#"{"web/1": "c4nary-1", "web/1": "c4nary-2"}"#);
    let held = held(&chat.json(0, &["plan", "web=form.csv"]));
    assert!(held[2].ends_with("in tokens.json, `web/1` stands twice: keep the newer one"), "{held:?}");
}

#[test]
fn a_line_of_a_command_that_cannot_be_read_holds_whom_it_may_be_about() {
    let chat = Chat::new("{ per_person = { command = [\"bin/tokens\"] } }", &[]);
    let line = |name: &str| json!({ "person": key(name), "access_token": token(name) }).to_string();
    let script = format!("#!/bin/sh\ncat > /dev/null\necho '{}'\necho c4nary\n", line("ann"));
    chat.world.write("bin/tokens", script.as_bytes());
    std::fs::set_permissions(chat.world.path("bin/tokens"), std::fs::Permissions::from_mode(0o700)).unwrap();
    chat.form(&[("ann", "A"), ("ben", "B")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let reason = "none is found, and it may be this one: line 2 of the command's answer is no JSON object";
    assert_eq!(held(&plan), [format!("the token of web/2 at chat cannot be used: {reason}")]);
    assert_eq!(plan["summary"]["calls"], 1);
}

#[test]
fn a_token_of_the_store_that_does_not_open_holds_its_person_until_it_is_mended() {
    let mut chat = keyed(Chat::new(STORE, &[]));
    assert_eq!(set(&chat, &key("ann"), &token("ann")).status, 0);
    chat.world = std::mem::take(&mut chat.world).variable("KEY", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwg=");
    assert_eq!(set(&chat, &key("ben"), &token("ben")).status, 0);
    let mut chat = keyed(chat);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    let report = chat.json(4, &["apply", "--yes", "web=form.csv"]);
    assert_eq!(outcomes(&report), ["done"]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let [reason] = <[String; 1]>::try_from(held(&plan)).unwrap();
    let start = "the token of web/2 at chat cannot be used: the token of web/2 at chat does not open with this key: ";
    assert!(reason.starts_with(start) && reason.contains("homeward token remove web/2 --system chat"), "{reason}");
    assert_eq!(set(&chat, &key("ben"), &token("ben")).status, 0);
    assert_eq!(outcomes(&chat.json(0, &["apply", "--yes", "web=form.csv"])), ["done"]);
    chat.world = std::mem::take(&mut chat.world);
}

#[test]
fn who_must_sign_in_is_told_once_with_the_plan_the_report_and_the_status() {
    let chat = Chat::new(FILE, &["ben"]);
    chat.keep(&[
        (key("ann"), json!(token("ann"))),
        (key("ben"), json!(token("ben"))),
        (key("dan"), json!(token("dan"))),
    ]);
    let positions =
        chat.world.read("rules/people.rhai").replace("nickname: form", "position: \"Lead\", nickname: form");
    chat.world.write("rules/people.rhai", positions.as_bytes());
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let home = chat.world.url("chat");
    let waiting = |people: &[&str]| json!([{ "system": "chat", "at": home, "people": people }]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    assert_eq!(plan["sign_in"], waiting(&["web/2", "web/3"]));

    let ran = chat.run(&["plan", "web=form.csv"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let held: Vec<&&str> = lines.iter().filter(|line| line.contains("hold ")).collect();
    assert_eq!(held.len(), 2, "{}", ran.stdout);
    assert!(held[0].contains("4 attributes chat email, nickname, position, username"), "{}", held[0]);
    let list = format!("Must sign in again:\n  chat at {home}: web/2, web/3\n");
    assert!(ran.stdout.ends_with(&list), "{}", ran.stdout);

    // What turns out on the way is told too.
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C"), ("dan", "D")]);
    chat.json(0, &["plan", "web=form.csv", "--out", "plan.json"]);
    chat.keep(&[(key("ann"), json!(token("ann"))), (key("dan"), json!("c4nary-of-nobody"))]);
    let report = chat.json(7, &["apply", "--yes", "plan.json"]);
    assert_eq!(report["sign_in"], waiting(&["web/2", "web/3", "web/4"]));
    assert_eq!(chat.json(4, &["status"])["sign_in"], waiting(&["web/2", "web/3", "web/4"]));
    let list = format!("Must sign in again: chat at {home}: web/2, web/3, web/4");
    assert!(in_one_line(&chat.run(&["status"]).stdout).contains(&list));

    // Who has signed in is left out as soon as her records are heard again.
    let tokens = ["ann", "ben", "cyd", "dan"].map(|name| (key(name), json!(second(name))));
    chat.keep(&tokens);
    chat.json(0, &["apply", "--yes", "web=form.csv"]);
    assert_eq!(chat.json(0, &["status"]).get("sign_in"), None);
}

#[test]
fn a_fault_of_the_server_or_of_ours_at_renewal_is_not_told_as_hers() {
    let chat = Chat::new(FILE, &["ann", "ben", "cyd"]);
    let renewing = Server::start(|_| Answer::json(503, &json!({ "c4nary": "c4nary" })));
    chat.configure(&renewed(&format!("{}/token", renewing.url)), "");
    let kept = |name: &str| json!({ "access_token": token(name), "refresh_token": format!("c4nary-refresh-{name}") });
    chat.keep(&["ann", "ben", "cyd"].map(|name| (key(name), kept(name))));
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let start = |id: u8| format!("the token of web/{id} at chat has ended and could not be renewed: ");
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let said = "the address that renews tokens answered 503, and no reason given: try again later; she need not sign in for that";
    assert_eq!(held(&plan), [1, 2, 3].map(|id| format!("{}{said}", start(id))));
    let refusals = |plan: &Value| -> Vec<Value> {
        let all = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == "hold");
        all.map(|one| one["refusal"].clone()).collect()
    };
    assert!(refusals(&plan).iter().all(|kind| kind == "unavailable") && plan.get("sign_in").is_none(), "{plan:#}");
    assert_eq!(renewing.requests().len(), 3);

    // Whom it does not take for a client, it takes for none with the next token either.
    for (status, word) in [(401, "invalid_client"), (400, "unauthorized_client")] {
        renewing.behave(move |_| Answer::json(status, &json!({ "error": word, "error_description": "c4nary" })));
        renewing.forget();
        let plan = chat.json(0, &["plan", "web=form.csv"]);
        let reasons = held(&plan);
        let said = format!("the address that renews tokens refuses us ({status} {word}): check `client_id`, ");
        assert!(reasons.iter().zip(1..).all(|(reason, id)| reason.starts_with(&format!("{}{said}", start(id)))));
        assert_eq!((reasons.len(), renewing.requests().len(), plan.get("sign_in")), (3, 1, None), "{reasons:?}");
    }

    // Where it gives no reason, only others' tokens can tell whose fault it is.
    renewing.behave(|_| Answer::text(404, "text/plain", "c4nary"));
    let reason = held(&chat.json(0, &["plan", "web=form.csv"])).remove(0);
    assert!(
        reason.contains("answered 404, and no reason given: check `url` under `refresh` in [systems.chat]"),
        "{reason}"
    );

    // Only this is hers to mend.
    renewing.behave(|_| Answer::json(400, &json!({ "error": "invalid_grant" })));
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    assert_eq!(plan["sign_in"][0]["people"], json!(["web/1", "web/2", "web/3"]));

    // In mid-run the call is one that may be finished later.
    chat.configure(FILE, "");
    chat.keep(&[(key("ann"), json!(second("ann")))]);
    chat.form(&[("ann", "A")]);
    chat.json(0, &["plan", "web=form.csv", "--out", "plan.json"]);
    renewing.behave(|_| Answer::json(503, &Value::Null));
    chat.configure(&renewed(&format!("{}/token", renewing.url)), "");
    chat.keep(&[(key("ann"), kept("ann"))]);
    let report = chat.json(7, &["apply", "--yes", "plan.json"]);
    let [outcome] = <[Value; 1]>::try_from(outcomes(&report)).unwrap();
    let outcome = outcome.to_string();
    assert!(outcome.contains("unavailable") && outcome.contains("she need not sign in"), "{outcome}");
    chat.keep(&[(key("ann"), json!(second("ann")))]);
    chat.json(0, &["resume", "1"]);
    assert_eq!(chat.nickname("ann"), "A");
}

/// A server that begins every answer and never ends it.
fn dripping() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 8192]);
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
                let _ = stream.write_all(head.as_bytes());
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
    });
    url
}

#[test]
fn an_answer_that_never_ends_is_waited_for_as_long_as_one_may_take_and_told_as_that() {
    let chat = Chat::new(FILE, &["ann", "ben", "cyd"]);
    let patience = "timeout = \"2s\"\n";
    chat.configure(&renewed(&dripping()), patience);
    let kept = |name: &str| json!({ "access_token": token(name), "refresh_token": format!("c4nary-refresh-{name}") });
    chat.keep(&["ann", "ben", "cyd"].map(|name| (key(name), kept(name))));
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let started = Instant::now();
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    // Each of the three would have taken as long, were the first not enough.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    let reasons = held(&plan);
    assert_eq!(reasons.len(), 3);
    assert!(reasons.iter().all(|reason| reason.contains("was still sending its answer after 2 s")), "{reasons:?}");

    let config = chat.world.read("homeward.toml").replace(&chat.world.url("chat"), &dripping());
    chat.world.write("homeward.toml", config.as_bytes());
    let started = Instant::now();
    let ran = chat.run(&["plan", "web=form.csv"]);
    // Not the five tries that silence gets.
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let flat = in_one_line(&ran.stderr);
    assert_eq!(ran.status, 5, "{flat}");
    assert!(flat.contains("was still sending its answer after") && flat.contains("raise `timeout` in"), "{flat}");
}

#[test]
fn check_connect_tries_everybodys_token_and_says_who_must_sign_in() {
    let chat = Chat::new(FILE, &["ben", "eve"]);
    chat.world.forget(&["chat"]);
    let rows = chat.json(0, &["check", "--connect"])["systems"].clone();
    assert_eq!(rows[0]["we_are"], "everybody with her own token: 4 of 6 good");
    let tokens = json!({ "tried": 6, "good": 4, "sign_in": ["web/2", "web/5"], "unusable": [], "untried": [] });
    assert_eq!((&rows[0]["missing"], &rows[0]["tokens"]), (&json!([]), &tokens));
    // One look with each of them.
    let asked = chat.world.asked("chat");
    assert_eq!(asked.iter().filter(|line| *line == "GET /api/v4/users/me").count(), 6, "{asked:?}");
    let ran = chat.run(&["check", "--connect"]);
    let list = format!("Must sign in again: chat at {}: web/2, web/5", chat.world.url("chat"));
    assert!(ran.status == 0 && in_one_line(&ran.stdout).ends_with(&list), "{}", ran.stdout);

    // Where nobody's is good, something is wrong with how they are kept.
    chat.keep(&[(key("ann"), json!("c4nary-of-nobody"))]);
    let ran = chat.run(&["check", "--connect"]);
    assert!(ran.status == 2 && ran.stdout.contains("nobody's token is good"), "{}", ran.stdout);
}

#[test]
fn explain_says_that_she_must_sign_in_and_not_that_she_has_no_account() {
    let chat = Chat::new(FILE, &["ben"]);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    let told = explained(&chat, &["web/2", "web=form.csv"]);
    assert!(told.contains("she must sign in again at") && !told.contains("no account"), "{told}");
    let told = explained(&chat, &["web/2", "position", "web=form.csv"]);
    assert!(told.contains("she must sign in again at") && !told.contains("no account"), "{told}");
}

#[test]
fn another_persons_token_is_told_at_its_system_and_holds_nothing_elsewhere() {
    let chat = Chat::new(FILE, &[]);
    chat.keep(&[(key("ann"), json!(token("ben"))), (key("ben"), json!(token("ben")))]);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let changes = plan["changes"].as_array().unwrap();
    let of_ann: Vec<&Value> = changes.iter().filter(|one| one["person"] == "web/1").collect();
    assert!(!of_ann.is_empty() && of_ann.iter().all(|one| one["system"] == "chat"), "{plan:#}");
    assert!(held(&plan)[0].contains("is it another person's token?"));
    assert_eq!((plan["calls"][0]["person"].clone(), plan["summary"]["calls"].clone()), (json!("web/2"), json!(1)));
}

#[test]
fn a_token_that_a_server_shows_in_a_name_stands_nowhere() {
    let chat = Chat::new(FILE, &[]);
    let upstream = chat.world.url("chat");
    // Whoever asks is shown the token of Ann, in one spelling or another.
    let proxy = Server::start(move |request| {
        forward_changed(&upstream, request, |answer| {
            if answer.get("nickname").is_some() {
                answer["nickname"] = token("ann").into();
                answer["position"] = format!("Lead {}", token("ann").to_uppercase()).into();
            }
        })
    });
    let config = chat.world.read("homeward.toml").replace(&chat.world.url("chat"), &proxy.url);
    chat.world.write("homeward.toml", config.as_bytes());
    chat.form(&[("ben", "B"), ("ann", "A")]);
    let ran = chat.run(&["plan", "web=form.csv", "--out", "plan.json"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("[a token] → B"), "{}", ran.stdout);
    let Ran { stdout, stderr, .. } = chat.run(&["-vv", "apply", "--yes", "plan.json"]);
    let mut all = vec![stdout, stderr, chat.world.read("plan.json")];
    for entry in std::fs::read_dir(chat.world.path(".homeward")).unwrap() {
        all.push(String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned());
    }
    assert!(all.iter().all(|text| !text.to_lowercase().contains(CANARY)));
}

#[test]
fn a_token_that_is_given_as_an_argument_is_not_repeated_and_one_that_has_ended_is_told() {
    let chat = keyed(Chat::new(STORE, &[]));
    for arguments in [
        &["token", "set", "web/1", "c4nary-token-1"][..],
        &["token", "set", "c4nary-token-1"],
        &["token", "set", "c4nary/token-1234"],
        &["token", "set", "c4nary-long-token/1"],
        &["token", "set", "web/1", "--token=c4nary-token-1"],
        &["token", "remove", "web/1", "c4nary-token-1"],
    ] {
        let ran = chat.run(arguments);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?} {}", ran.stderr);
    }
    let over = json!({ "access_token": token("ann"), "expires_at": 5 });
    let ran = set(&chat, &key("ann"), &over.to_string());
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "Kept: the token of web/1 at chat.\n"));
    let said = "warning: this token has ended already; there is nothing to renew it with: she must sign in again\n";
    assert_eq!(ran.stderr, said);
}
