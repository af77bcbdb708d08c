//! Fifty people of the example `central-profile`: five of their tokens have ended, three of them are administrators.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::{
    World,
    journey::{change, outcomes},
};

const INPUT: &str = "web=people.csv";
const CONFIG: [&str; 2] = ["-c", "people.toml"];
const ENDED: [&str; 5] = ["web/7", "web/13", "web/21", "web/34", "web/50"];
const ADMINISTRATORS: [&str; 3] = ["web/2", "web/25", "web/42"];

fn world() -> World {
    let mut world = World::example("central-profile");
    world.start_lab(&CONFIG);
    world
}

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    CONFIG.iter().chain(arguments).copied().collect()
}

fn people(plan: &Value, decision: &str) -> BTreeSet<String> {
    let all = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == decision);
    all.map(|one| one["person"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_call_goes_with_the_token_of_whom_it_is_about_and_who_must_sign_in_again_is_held() {
    let world = world();
    let plan = world.json(0, &with(&["plan", INPUT]));
    assert_eq!(plan["systems"]["chat"]["per_person"], true);
    assert_eq!(plan["summary"]["people"], 50);
    assert_eq!(people(&plan, "hold"), ENDED.map(str::to_owned).into());
    let reason = "the token kept for web/7 is not accepted by chat any more: she must sign in again at \
                  https://chat.example.com";
    assert_eq!(change(&plan, "web/7", "nickname", "chat")["reason"], reason);
    assert_eq!(change(&plan, "web/7", "nickname", "chat")["refusal"], "forbidden");
    // What an application's token may not do is foreseen, for administrators too.
    for person in ["web/3", "web/25"] {
        let address = change(&plan, person, "email", "chat");
        assert_eq!([&address["decision"], &address["refusal"]], ["refuse", "forbidden"]);
    }
    assert_eq!(change(&plan, "web/10", "last_name", "chat")["refusal"], "owned_elsewhere");
    assert_eq!(people(&plan, "refuse"), ["web/3", "web/10", "web/25"].map(str::to_owned).into());

    // One call for each person, and at her own account: the simulator lets nobody but administrators at another's.
    let calls = plan["calls"].as_array().unwrap();
    let called: BTreeSet<&str> = calls.iter().map(|call| call["person"].as_str().unwrap()).collect();
    assert_eq!((calls.len(), called.len()), (18, 18));
    assert_eq!(ADMINISTRATORS.map(|person| called.contains(person)), [true, true, false]);
    let ids: BTreeSet<&str> = calls.iter().map(|call| call["account"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 18);

    world.forget(&["chat"]);
    let report = world.json(4, &with(&["apply", "--yes", INPUT]));
    assert_eq!(outcomes(&report), vec![json!("done"); 18]);
    let writes = world.writes("chat");
    let sent: BTreeSet<String> = calls.iter().map(|call| json!([call["path"], call["body"]]).to_string()).collect();
    let came: BTreeSet<String> = writes.iter().map(|write| json!([write[1], write[2]]).to_string()).collect();
    assert_eq!((came, writes.iter().all(|write| write[3] == 200)), (sent, true));
    assert_eq!(world.user("chat", "username", "yann")["nickname"], "Ya-ya");
    assert_eq!(world.user("chat", "username", "dirk.d")["nickname"], "Di-di");
    assert_eq!(world.user("chat", "username", "gus").get("nickname"), Some(&json!("")));

    // Who signs in again is no longer held; who did is in the form for a second time and has nothing left to do.
    let kept = world.read("lab/chat.tokens.json");
    let tokens: Value = serde_json::from_str(&kept).unwrap();
    let ended = tokens["web/7"].as_str().unwrap();
    assert!(kept.contains(ended));
    let again = world.json(0, &with(&["plan", INPUT]));
    assert_eq!((again["summary"]["calls"].clone(), people(&again, "hold").len()), (json!(0), 5));
}

#[test]
fn no_token_is_in_anything_that_is_printed_or_kept() {
    let world = world();
    let tokens: Value = serde_json::from_str(&world.read("lab/chat.tokens.json")).unwrap();
    let tokens: Vec<&str> = tokens.as_object().unwrap().values().map(|token| token.as_str().unwrap()).collect();
    assert_eq!(tokens.len(), 50);
    let assert_silent = |what: &str, text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        assert!(!tokens.iter().any(|token| text.contains(token)), "{what} shows a token");
    };
    for arguments in [
        &["--lab", "-vv", "plan", INPUT, "--out", "plan.json"][..],
        &["--lab", "-vv", "--format", "json", "plan", INPUT],
        &["--lab", "-vv", "apply", "--yes", "plan.json"],
        &["--lab", "-vv", "explain", "web/7"],
        &["--lab", "-vv", "explain", "web/5"],
        &["--lab", "-vv", "runs", "1"],
        &["--lab", "-vv", "--format", "json", "runs", "1"],
        &["--lab", "-vv", "undo", "1", "--yes"],
        &["--lab", "-vv", "resume"],
        &["--lab", "-vv", "status"],
        &["--lab", "check", "--connect"],
        &["check"],
        &["schema"],
    ] {
        let ran = world.homeward(&with(arguments));
        assert_ne!(ran.status, 1, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        assert_silent(&format!("{arguments:?}"), ran.stdout.as_bytes());
        assert_silent(&format!("{arguments:?}"), ran.stderr.as_bytes());
    }
    assert_silent("plan.json", world.read("plan.json").as_bytes());
    for entry in std::fs::read_dir(world.path(".homeward")).unwrap() {
        let entry = entry.unwrap();
        assert_silent(&entry.file_name().to_string_lossy(), &std::fs::read(entry.path()).unwrap());
    }
    // The undo went through with the same tokens.
    assert_eq!(world.user("chat", "username", "yann")["nickname"], "");
}
