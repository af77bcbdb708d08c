//! Where tokens are found: a file, a command, the store; and what is wrong with each.

use std::{io::Write, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::{Value, json};

use crate::{
    chat::{CANARY, Chat, PEOPLE, decisions, held, key, second, token},
    common::{Ran, in_one_line, journey::outcomes},
};

const FILE: &str = "{ per_person = { file = \"tokens.json\" } }";
const STORE: &str = "{ per_person = { store = { key = { env = \"KEY\" } } } }";

fn nicknames(chat: &Chat) {
    chat.form(&PEOPLE.map(|name| (name, "Nick")));
}

#[test]
fn more_ended_tokens_than_failures_are_borne_do_not_close_the_system() {
    let ended = ["ann", "ben", "cyd", "dan", "eve"];
    let chat = Chat::new(FILE, &ended);
    chat.configure(FILE, "\n[apply]\nfailures = 2\n");
    nicknames(&chat);
    let report = chat.json(4, &["apply", "--yes", "web=form.csv"]);
    assert_eq!(outcomes(&report), ["done"]);
    assert_eq!((chat.nickname("fred"), chat.nickname("ann")), (json!("Nick"), json!("")));
}

#[test]
fn who_has_no_token_is_told_to_sign_in_and_the_others_are_changed() {
    let chat = Chat::new(FILE, &[]);
    chat.keep(&[
        (key("ann"), json!(token("ann"))),
        (key("ben"), json!({ "access_token": token("ben"), "expires_at": 5 })),
    ]);
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let home = chat.world.url("chat");
    assert_eq!(
        held(&plan),
        [
            format!("no token of web/3 is kept for chat: she must sign in at {home} and allow it"),
            format!("the token kept for web/2 is not accepted by chat any more: she must sign in again at {home}"),
        ]
    );
    assert_eq!(
        decisions(&plan).iter().filter(|one| one.ends_with("apply")).collect::<Vec<_>>(),
        ["web/1 nickname apply"]
    );
    // Nobody asks with a token whose time is known to be over.
    let asked: Vec<String> = chat.world.asked("chat");
    assert_eq!(asked.iter().filter(|one| *one == "GET /api/v4/users/me").count(), 1, "{asked:?}");
}

#[test]
fn two_tokens_that_were_mixed_up_are_a_conflict_for_both_and_nothing_is_taken() {
    let chat = Chat::new(FILE, &[]);
    chat.keep(&[
        (key("ann"), json!(token("ben"))),
        (key("ben"), json!(token("ann"))),
        (key("cyd"), json!(token("cyd"))),
    ]);
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let reasons = held(&plan);
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    for reason in reasons {
        assert!(reason.starts_with("the token kept for her at chat opens account "), "{reason}");
        let end = "which differs from this record in `username` and `email`: is it another person's token?";
        assert!(reason.ends_with(end), "{reason}");
    }
    assert_eq!(
        decisions(&plan).iter().filter(|one| one.ends_with("apply")).collect::<Vec<_>>(),
        ["web/3 nickname apply"]
    );
}

#[test]
fn a_token_that_opens_another_account_than_she_is_tied_to_is_a_conflict() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A")]);
    chat.json(0, &["apply", "--yes", "web=form.csv"]);
    // Whoever it is now, she has renamed herself to what the record says.
    chat.keep(&[(key("ann"), json!(token("ben")))]);
    let plan = chat.json(0, &["plan", "web=form.csv"]);
    let reasons = held(&plan);
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains(", and she is tied to account "), "{reasons:?}");
    assert_eq!(plan["calls"], json!([]));
}

#[test]
fn a_saved_plan_is_not_applied_with_a_token_that_opens_another_account() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A"), ("cyd", "C")]);
    chat.json(0, &["plan", "web=form.csv", "--out", "plan.json"]);
    assert!(!chat.world.read("plan.json").contains(CANARY));
    chat.keep(&[(key("ann"), json!(token("ben"))), (key("cyd"), json!(token("cyd")))]);
    let report = chat.json(7, &["apply", "--yes", "plan.json"]);
    assert_eq!(report["outcomes"][1]["outcome"], "done");
    assert!(report["outcomes"][0].to_string().contains("is it another person's?"), "{report:#}");
    assert_eq!((chat.nickname("ann"), chat.nickname("ben"), chat.nickname("cyd")), (json!(""), json!(""), json!("C")));
    // With her own again, it is finished.
    chat.keep(&[(key("ann"), json!(token("ann"))), (key("cyd"), json!(token("cyd")))]);
    chat.json(0, &["resume", "1"]);
    assert_eq!((chat.nickname("ann"), chat.nickname("ben")), (json!("A"), json!("")));
}

#[test]
fn a_plan_for_our_own_token_is_not_applied_with_peoples() {
    let chat = Chat::new(FILE, &[]);
    chat.form(&[("ann", "A")]);
    chat.json(0, &["plan", "web=form.csv", "--out", "plan.json"]);
    chat.configure("{ file = \"token\" }", "");
    chat.world.write("token", chat.world.token("chat").as_bytes());
    let ran = chat.run(&["apply", "--yes", "plan.json"]);
    assert_eq!(ran.status, 2, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(chat.nickname("ann"), "");
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let chat = Chat::new(FILE, &[]);
    nicknames(&chat);
    let path = chat.world.path("tokens.json");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let Ran { status, stdout, stderr } = chat.run(&["plan", "web=form.csv"]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(stderr.contains("everybody on this machine may read the tokens in"), "{stderr}");
    assert_eq!(chat.world.asked("chat").iter().filter(|one| one.contains("/api/")).count(), 0);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let chat = Chat::new(FILE, &[]);
    nicknames(&chat);
    let path = chat.world.path("tokens.json");
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    let ran = chat.run(&["plan", "web=form.csv"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("cannot be read: it is no file"), "{}", ran.stderr);
}

#[test]
fn a_command_is_asked_once_for_everybody_and_in_lines() {
    let chat = Chat::new("{ per_person = { command = [\"bin/tokens\", \"--all\"] } }", &[]);
    let answers: String = PEOPLE.iter().take(3).fold(String::new(), |text, name| {
        text + &json!({ "person": key(name), "access_token": token(name) }).to_string() + "\n"
    });
    chat.world.write("answers", answers.as_bytes());
    let script = "#!/bin/sh\ntest \"$1\" = --all || exit 9\ncat >> asked\necho - >> asked\ncat answers\n";
    chat.world.write("bin/tokens", script.as_bytes());
    let rights = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(chat.world.path("bin/tokens"), rights).unwrap();
    chat.form(&[("ann", "A"), ("ben", "B"), ("dan", "D")]);
    let report = chat.json(4, &["apply", "--yes", "web=form.csv"]);
    assert_eq!(outcomes(&report), ["done", "done"]);
    let asked = chat.world.read("asked");
    let expected = "{\"system\":\"chat\",\"person\":\"web/1\"}\n{\"system\":\"chat\",\"person\":\"web/2\"}\n\
                    {\"system\":\"chat\",\"person\":\"web/4\"}\n-\n";
    assert_eq!(asked, expected);

    chat.world.write("bin/tokens", b"#!/bin/sh\necho c4nary; echo c4nary >&2\n");
    let ran = chat.run(&["plan", "web=form.csv"]);
    assert_eq!(ran.status, 2);
    assert!(
        in_one_line(&ran.stderr).contains("bin/tokens, gave no answer: line 1 of its answer is no JSON object"),
        "{}",
        ran.stderr
    );
}

/// Runs `homeward token set` with this on standard input.
pub(crate) fn set(chat: &Chat, person: &str, text: &str) -> Ran {
    let mut command = chat.world.command();
    command.args(["token", "set", person, "--system", "chat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The same server, with a key to the store.
pub(crate) fn keyed(mut chat: Chat) -> Chat {
    use base64::Engine;
    let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    chat.world = chat.world.variable("KEY", &key);
    chat
}

#[test]
fn the_store_keeps_tokens_sealed_and_shows_none() {
    let chat = keyed(Chat::new(STORE, &[]));
    assert_eq!(chat.run(&["token", "list"]).stdout, "No tokens of people are kept.\n");
    for name in ["ann", "ben"] {
        let ran = set(&chat, &key(name), &format!("{}\n", token(name)));
        let said = format!("Kept: the token of {} at chat.\n", key(name));
        assert_eq!((ran.status, ran.stdout, ran.stderr), (0, said, String::new()));
    }
    let listed = chat.json(0, &["token", "list"])["tokens"].clone();
    let listed: Vec<Value> =
        listed.as_array().unwrap().iter().map(|one| json!([one["system"], one["person"], one["renewable"]])).collect();
    assert_eq!(listed, [json!(["chat", "web/1", false]), json!(["chat", "web/2", false])]);
    for entry in std::fs::read_dir(chat.world.path(".homeward")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
    }
    chat.form(&[("ann", "A"), ("ben", "B"), ("cyd", "C")]);
    assert_eq!(outcomes(&chat.json(4, &["apply", "--yes", "web=form.csv"])), ["done", "done"]);

    assert_eq!(chat.run(&["token", "remove", "web/1"]).stdout, "Removed: the token of web/1 at chat.\n");
    let ran = chat.run(&["token", "remove", "web/1"]);
    assert_eq!((ran.status, ran.stderr.contains("no token of web/1 is kept for chat")), (2, true), "{}", ran.stderr);
    assert_eq!(held(&chat.json(0, &["plan", "web=form.csv"])).len(), 2);
}

#[test]
fn what_cannot_be_a_token_or_a_person_is_refused_without_being_shown() {
    let chat = keyed(Chat::new(STORE, &[]));
    for (person, text, said) in [
        ("web/1", "\n", "standard input holds nothing"),
        ("web/1", "[\"c4nary\"]", "what was given is JSON, and neither a token nor what is known of one"),
        ("web/1", "c4nary with blanks", "what was given has an `access_token` that no header could carry"),
        ("web/1", "{c4nary", "what was given begins as JSON and is none"),
        ("web/1", "{\"token\": \"c4nary\"}", "what was given has something else than `access_token`"),
        ("wep/1", "c4nary", "`wep` is no source"),
        ("1", "c4nary", "`1` names no person"),
    ] {
        let ran = set(&chat, person, text);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{text}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains(CANARY), "{}", ran.stderr);
    }
}

#[test]
fn another_key_opens_nothing_and_a_key_that_is_none_is_told() {
    let mut chat = keyed(Chat::new(STORE, &[]));
    assert_eq!(set(&chat, "web/1", &second("ann")).status, 0);
    chat.form(&[("ann", "A")]);
    for (text, said) in [
        ("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwg=", "the token of web/1 at chat does not open with this key"),
        ("c4nary", "the key that people's tokens are sealed with is not 32 bytes in base64"),
    ] {
        chat.world = std::mem::take(&mut chat.world).variable("KEY", text);
        let ran = chat.run(&["plan", "web=form.csv"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
        assert!(in_one_line(&ran.stderr).contains(said), "{}", ran.stderr);
    }
}
