//! Tokens that are renewed by themselves (RFC 6749, section 6): once, and kept before they are used.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};

use crate::{
    chat::{CANARY, Chat, held, key, second, token},
    common::{in_one_line, journey::outcomes},
    endpoint::Endpoint,
    server::{Answer, Server, forward},
    sources::{keyed, set},
};

const NOW: Duration = Duration::ZERO;

fn setting(place: &str, endpoint: &Endpoint) -> String {
    format!(
        "{{ per_person = {{ {place}, refresh = {{ url = \"{}\", client_id = \"homeward\", client_secret = {{ env = \
         \"SECRET\" }} }} }} }}",
        endpoint.url
    )
}

/// A server that does not accept the first tokens of these people any more, and a store that holds them, each with a
/// refresh token.
fn store(endpoint: &Endpoint, ended: &[&str], expires_at: Option<&str>) -> Chat {
    let setting = setting("store = { key = { env = \"KEY\" } }", endpoint);
    let mut chat = keyed(Chat::new(&setting, ended));
    chat.world = std::mem::take(&mut chat.world).variable("SECRET", "c4nary-client");
    for name in ["ann", "ben"] {
        let kept = json!({
            "access_token": token(name), "refresh_token": format!("c4nary-refresh-{name}-1"), "expires_at": expires_at,
        });
        assert_eq!(set(&chat, &key(name), &kept.to_string()).status, 0);
    }
    chat
}

fn asked(name: &str, number: usize) -> String {
    format!("c4nary-refresh-{name}-{number} homeward c4nary-client")
}

#[test]
fn a_refused_token_is_renewed_once_and_the_new_pair_is_kept() {
    let second = second("ann");
    let endpoint = Endpoint::new(&[("c4nary-refresh-ann-1", &second, Some("c4nary-refresh-ann-2"))], NOW);
    let chat = store(&endpoint, &["ann"], None);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    assert_eq!(outcomes(&chat.json(0, &["apply", "--yes", "web=form.csv"])), ["done", "done"]);
    assert_eq!(endpoint.asked(), [asked("ann", 1)]);
    // The next run begins with the new one.
    chat.form(&[("ann", "Ann"), ("ben", "B")]);
    assert_eq!(outcomes(&chat.json(0, &["apply", "--yes", "web=form.csv"])), ["done"]);
    assert_eq!((endpoint.asked().len(), chat.nickname("ann")), (1, json!("Ann")));
    let listed = chat.json(0, &["token", "list"])["tokens"].clone();
    assert!(listed[0]["expires_at"].is_string() && listed[0]["renewable"] == true, "{listed}");
}

/// A server that takes the first token for a look and not for a write.
fn half_deaf(chat: &Chat) -> Server {
    let settings = chat.world.read("homeward.toml");
    let url = settings.split("url = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let upstream = url.clone();
    let first = format!("Bearer {}", token("ann"));
    let server = Server::start(move |request| {
        if request.is_read() || request.headers["authorization"] != first {
            return forward(&upstream, request);
        }
        let id = "api.context.session_expired.app_error";
        Answer::json(401, &json!({ "id": id, "message": "Invalid or expired session.", "status_code": 401 }))
    });
    chat.world.write("homeward.toml", settings.replacen(&url, &server.url, 1).as_bytes());
    server
}

#[test]
fn a_token_that_is_renewed_in_the_middle_of_a_call_writes_only_to_the_account_it_opens() {
    for (newer, exit, said) in [(second("ann"), 0, "done"), (token("ben"), 7, "opens another account")] {
        let endpoint = Endpoint::new(&[("c4nary-refresh-ann-1", &newer, Some("c4nary-refresh-ann-2"))], NOW);
        let chat = store(&endpoint, &[], None);
        let server = half_deaf(&chat);
        chat.form(&[("ann", "A")]);
        let [outcome] =
            <[Value; 1]>::try_from(outcomes(&chat.json(exit, &["apply", "--yes", "web=form.csv"]))).unwrap();
        assert!(outcome.to_string().contains(said), "{outcome}");
        assert_eq!(endpoint.asked(), [asked("ann", 1)]);
        let sent = server.requests();
        let written: Vec<&str> =
            sent.iter().filter(|it| !it.is_read()).map(|it| it.headers["authorization"].as_str()).collect();
        let (first, newer) = (format!("Bearer {}", token("ann")), format!("Bearer {newer}"));
        assert_eq!(written, if exit == 0 { vec![&*first, &*newer] } else { vec![&*first] });
    }
}

#[test]
fn a_token_whose_time_is_over_is_renewed_before_it_is_sent() {
    let second = second("ann");
    let endpoint = Endpoint::new(&[("c4nary-refresh-ann-1", &second, None)], NOW);
    let chat = store(&endpoint, &["ann"], Some("2020-01-01T00:00:00Z"));
    chat.form(&[("ann", "A")]);
    chat.world.forget(&["chat"]);
    assert_eq!(chat.json(0, &["plan", "web=form.csv"])["calls"].as_array().unwrap().len(), 1);
    assert_eq!(chat.world.asked("chat"), ["GET /api/v4/users/me"]);
    // A server that does not rotate gives no other refresh token: the old one stays.
    assert_eq!(chat.json(0, &["token", "list"])["tokens"][0]["renewable"], true);
}

#[test]
fn who_cannot_be_renewed_has_to_sign_in_again_and_nobody_else() {
    let endpoint = Endpoint::new(&[], NOW);
    let chat = store(&endpoint, &["ann"], None);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    assert_eq!(
        held(&plan),
        [format!(
            "the token kept for web/1 is not accepted by chat any more: she must sign in again at {}",
            chat.world.url("chat")
        )]
    );
    assert_eq!((plan["summary"]["calls"].clone(), endpoint.asked().len()), (json!(1), 1));
}

#[test]
fn a_new_token_that_no_header_could_carry_is_not_kept_and_holds_up_nobody_else() {
    let endpoint = Endpoint::new(&[("c4nary-refresh-ann-1", "c4nary with blanks", Some("c4nary-refresh-ann-2"))], NOW);
    let chat = store(&endpoint, &["ann"], None);
    chat.form(&[("ann", "A"), ("ben", "B")]);
    for times in 1..=2 {
        let plan = chat.json(0, &["plan", "web=form.csv"]);
        assert_eq!((held(&plan).len(), plan["summary"]["calls"].clone()), (1, json!(1)));
        // The pair is the one that was kept before.
        assert!(endpoint.asked().iter().all(|sent| *sent == asked("ann", 1)), "{times}: {:?}", endpoint.asked());
    }
}

#[test]
fn two_processes_never_spend_the_same_refresh_token() {
    let second = second("ann");
    let grants = [("c4nary-refresh-ann-1", second.as_str(), Some("c4nary-refresh-ann-2"))];
    let endpoint = Endpoint::new(&grants, Duration::from_millis(300));
    let chat = store(&endpoint, &["ann"], None);
    chat.form(&[("ann", "A")]);
    let begin = || {
        let mut command = chat.world.command();
        command.args(["--format", "json", "plan", "web=form.csv"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [begin(), begin()];
    for child in both {
        let output = child.wait_with_output().unwrap();
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(plan["calls"].as_array().unwrap().len(), 1, "{plan:#}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains(CANARY));
    }
    assert_eq!(endpoint.asked(), [asked("ann", 1)]);
}

#[test]
fn a_file_cannot_keep_what_replaces_its_refresh_token_and_check_says_so() {
    let second = second("ann");
    let endpoint = Endpoint::new(&[("c4nary-refresh-ann-1", &second, Some("c4nary-refresh-ann-2"))], NOW);
    let setting = setting("file = \"tokens.json\"", &endpoint);
    let mut chat = Chat::new(&setting, &["ann"]);
    chat.world = std::mem::take(&mut chat.world).variable("SECRET", "c4nary-client");
    chat.keep(&[(key("ann"), json!({ "access_token": token("ann"), "refresh_token": "c4nary-refresh-ann-1" }))]);
    chat.form(&[("ann", "A")]);
    let ran = chat.run(&["check"]);
    let flat = in_one_line(&ran.stderr);
    assert!(flat.contains("a refresh token that is replaced can be kept in the state store only"), "{}", ran.stderr);
    // Within one run it is as good as in the store.
    let ran = chat.run(&["apply", "--yes", "web=form.csv"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("her refresh token was replaced"), "{}", ran.stderr);
    assert_eq!((chat.nickname("ann"), endpoint.asked().len()), (json!("A"), 1));
}
