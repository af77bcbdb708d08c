//! What servers do to writes: turn them away for now, have the effect and deny it, deny the effect and have it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::{
    company::{Company, PROVIDERS},
    server::{Answer, Request, forward},
};

/// Lets every provider treat the first sight of each write like that; the second argument sends it on.
fn treat(
    company: &Company,
    treatment: impl Fn(&Request, &dyn Fn() -> Answer) -> Answer + Clone + Send + Sync + 'static,
) {
    for system in PROVIDERS {
        let (upstream, treatment) = (company.world.url(system), treatment.clone());
        let seen: Mutex<BTreeSet<String>> = Mutex::default();
        company.servers[system].behave(move |request| {
            let pass = || forward(&upstream, request);
            let first =
                !request.is_read() && seen.lock().unwrap().insert(format!("{} {:?}", request.line(), request.body));
            if first { treatment(request, &pass) } else { pass() }
        });
    }
}

fn html(status: u16) -> Answer {
    Answer::text(status, "text/html", "<html><body>Please sign in</body></html>")
}

/// What the journal holds of every run: method and path of each intent.
pub(crate) fn intents(company: &Company) -> Vec<String> {
    let list = company.world.homeward(&["runs", "--format", "json"]).stdout;
    let list: Value = serde_json::from_str(&list).unwrap();
    let mut intents = Vec::new();
    for run in list["runs"].as_array().unwrap() {
        let one = company.world.homeward(&["runs", &run["run"].to_string(), "--format", "json"]).stdout;
        let one: Value = serde_json::from_str(&one).unwrap();
        let calling = one["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == "calling");
        intents.extend(
            calling.map(|entry| format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap())),
        );
    }
    intents.sort();
    intents
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Applies, and checks what must hold whatever the servers do: nothing is made twice, nothing is sent that the journal
/// does not know.
fn apply(company: &Company, status: i32) {
    let ran = company.world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, status, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(intents(company), sorted(company.writes()));
}

/// The second attempt, at servers that behave, ends where an undisturbed one ends.
fn mended(company: &Company) {
    treat(company, |_, pass| pass());
    apply(company, 0);
    let again = company.world.homeward(&["plan", "hr=people.csv", "--detailed-exitcode"]);
    assert_eq!(again.status, 0, "{}", again.stdout);
}

#[test]
fn what_was_turned_away_for_now_is_sent_again_and_each_attempt_is_written_down() {
    let company = Company::new();
    let later =
        |_: &Request, _: &dyn Fn() -> Answer| Answer::Reply(429, vec![("retry-after", "1".to_owned())], Vec::new());
    treat(&company, later);
    apply(&company, 0);
    let writes = company.writes().len();
    assert!(writes >= 12 && writes.is_multiple_of(2), "{writes}");
    mended(&company);
}

#[test]
fn a_fault_or_a_broken_connection_after_the_effect_is_seen_to_be_done() {
    let denials: [fn() -> Answer; 4] =
        [|| Answer::text(500, "text/plain", "oops"), || html(504), || Answer::Close, || html(200)];
    for denial in denials {
        let company = Company::new();
        treat(&company, move |_, pass| {
            pass();
            denial()
        });
        apply(&company, 0);
        mended(&company);
    }
}

#[test]
fn no_answer_and_no_effect_is_in_doubt_and_not_sent_again_blindly() {
    let denials: [fn() -> Answer; 4] = [
        || Answer::Close,
        || html(502),
        || html(200),
        || Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"id\"".to_vec()),
    ];
    for denial in denials {
        let company = Company::new();
        // What does no harm twice would be sent again otherwise.
        company.configure("[apply]\nretries = 0\n");
        let before = company.states();
        treat(&company, move |_, _| denial());
        apply(&company, 8);
        assert_eq!(company.states(), before);
        for server in company.servers.values() {
            let writes = server.writes();
            assert_eq!(writes.iter().collect::<BTreeSet<_>>().len(), writes.len(), "sent once: {writes:?}");
        }
        mended(&company);
    }
}

#[test]
fn a_write_follows_no_redirect() {
    let elsewhere = Arc::new(crate::server::Server::start(|_| Answer::text(200, "application/json", "{}")));
    for status in [301, 302, 303, 307, 308] {
        let company = Company::new();
        let before = company.states();
        let location = format!("{}/api/v4/users/41", elsewhere.url);
        treat(&company, move |_, _| Answer::Reply(status, vec![("location", location.clone())], Vec::new()));
        let ran = company.world.homeward(&["apply", "hr=people.csv", "--yes"]);
        assert_eq!(ran.status, 7, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(company.states(), before);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn an_answer_about_somebody_else_is_no_proof_and_ties_nobody_to_her() {
    let company = Company::new();
    let urls: Vec<(String, String)> =
        PROVIDERS.iter().map(|system| (company.world.url(system), company.world.token(system))).collect();
    let other = company.world.ask("gitlab", "GET", "/api/v4/users/44", &[], &Value::Null).text;
    let mattermost = company.world.ask("mattermost", "GET", "/api/v4/users/username/uebenso", &[], &Value::Null).text;
    assert_eq!(urls.len(), 3);
    treat(&company, move |request, pass| match request.path() {
        path if path.starts_with("/api/v4/users") && request.method == "PUT" || path == "/api/v4/users" => {
            let is_gitlab = request.json().get("skip_confirmation").is_some()
                || path.trim_start_matches("/api/v4/users/").bytes().all(|byte| byte.is_ascii_digit());
            Answer::text(200, "application/json", if is_gitlab { &other } else { &mattermost })
        }
        _ => pass(),
    });
    let ran = company.world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert!([7, 8].contains(&ran.status), "{}{}", ran.stdout, ran.stderr);
    // Nobody was renamed to somebody else, and nobody is taken for her the next time.
    mended(&company);
    let ulrike = company.world.ask("gitlab", "GET", "/api/v4/users/44", &[], &Value::Null).json();
    assert_eq!((ulrike["username"].as_str(), ulrike["state"].as_str()), (Some("uebenso"), Some("active")));
}
