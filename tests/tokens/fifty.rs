//! Fifty people of the example `central-profile` at three systems where nobody of us is an administrator: five of them
//! have to sign in again somewhere, three of them are administrators.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::common::{
    World,
    journey::{change, changes, outcomes},
};

const INPUT: &str = "web=people.csv";
const CONFIG: [&str; 2] = ["-c", "people.toml"];
const SYSTEMS: [&str; 3] = ["chat", "cloud", "forum"];

const ENDED: &str = "is not accepted by SYSTEM any more: she must sign in again at https://SYSTEM.example.com";
const BARRED: &str =
    "shows PERSON nothing with the token kept for her: she must sign in again at https://SYSTEM.example.com";
const NONE: &str = "no token of PERSON is kept for SYSTEM: she must sign in at https://SYSTEM.example.com and allow it";

/// Who has to sign in where, and what it is called.
const HELD: [(&str, &str, &str); 6] = [
    ("web/13", "forum", BARRED),
    ("web/21", "cloud", ENDED),
    ("web/34", "forum", NONE),
    ("web/50", "chat", ENDED),
    ("web/50", "cloud", NONE),
    ("web/7", "chat", ENDED),
];

/// Everything that is sent, with whose token: system, person, path (an account of the chat by its name), body.
const CALLS: [(&str, &str, &str, &str); 36] = [
    ("chat", "web/1", "ada", r#"{"position":"Lead"}"#),
    ("chat", "web/10", "jana", r#"{"nickname":"Ja-ja"}"#),
    ("chat", "web/13", "milo", r#"{"nickname":"Nick","position":"Lead"}"#),
    ("chat", "web/15", "otto", r#"{"nickname":"Ot-ot"}"#),
    ("chat", "web/17", "quin", r#"{"position":"Lead"}"#),
    ("chat", "web/2", "ben", r#"{"last_name":"Sommer"}"#),
    ("chat", "web/20", "tara", r#"{"nickname":"Ta-ta"}"#),
    ("chat", "web/21", "ugo", r#"{"nickname":"Nick","position":"Lead"}"#),
    ("chat", "web/25", "yann", r#"{"nickname":"Ya-ya","position":"Lead"}"#),
    ("chat", "web/29", "cora", r#"{"position":"Lead"}"#),
    ("chat", "web/30", "dirk", r#"{"username":"dirk.d","nickname":"Di-di"}"#),
    ("chat", "web/33", "gina", r#"{"position":"Lead"}"#),
    ("chat", "web/34", "hugo", r#"{"nickname":"Nick"}"#),
    ("chat", "web/35", "ines", r#"{"nickname":"In-in"}"#),
    ("chat", "web/37", "kaja", r#"{"position":"Lead"}"#),
    ("chat", "web/40", "nils", r#"{"nickname":"Ni-ni"}"#),
    ("chat", "web/41", "olga", r#"{"position":"Lead"}"#),
    ("chat", "web/42", "paul", r#"{"username":"paul.t"}"#),
    ("chat", "web/44", "sven", r#"{"username":"sven.i"}"#),
    ("chat", "web/45", "thea", r#"{"nickname":"Th-th","position":"Lead"}"#),
    ("chat", "web/49", "yara", r#"{"position":"Lead"}"#),
    ("chat", "web/5", "emil", r#"{"nickname":"Em-em","position":"Lead"}"#),
    ("chat", "web/9", "ivo", r#"{"position":"Lead"}"#),
    ("cloud", "web/15", "/ocs/v2.php/cloud/users/otto", r#"{"key":"phone","value":"+41443340015"}"#),
    ("cloud", "web/2", "/ocs/v2.php/cloud/users/ben", r#"{"key":"displayname","value":"Ben Sommer"}"#),
    ("cloud", "web/20", "/ocs/v2.php/cloud/users/tara", r#"{"key":"phone","value":"+41443340020"}"#),
    ("cloud", "web/3", "/ocs/v2.php/cloud/users/cleo", r#"{"key":"email","value":"cleo.new@example.com"}"#),
    ("cloud", "web/4", "/ocs/v2.php/cloud/users/dana", r#"{"key":"phone","value":"+41443340004"}"#),
    ("cloud", "web/42", "/ocs/v2.php/cloud/users/paul", r#"{"key":"phone","value":"+41443340042"}"#),
    ("forum", "web/10", "/u/jana.json", r#"{"name":"Jana Sommer"}"#),
    ("forum", "web/2", "/u/ben.json", r#"{"name":"Ben Sommer"}"#),
    ("forum", "web/25", "/u/yann/preferences/email.json", r#"{"email":"yann.new@example.com"}"#),
    ("forum", "web/3", "/u/cleo/preferences/email.json", r#"{"email":"cleo.new@example.com"}"#),
    ("forum", "web/30", "/u/dirk/preferences/username.json", r#"{"new_username":"dirk.d"}"#),
    ("forum", "web/42", "/u/paul.json", r#"{"title":"Thread master"}"#),
    ("forum", "web/42", "/u/paul/preferences/username.json", r#"{"new_username":"paul.t"}"#),
];

/// What no token of a person's gets done, with a part of the reason that helps. 25 and 42 are administrators everywhere.
const REFUSED: [(&str, &str, &str, &str, &str); 10] = [
    ("web/10", "display_name", "cloud", "owned_elsewhere", "comes from LDAP; change it there"),
    ("web/10", "last_name", "chat", "owned_elsewhere", "comes from GitLab; change it there"),
    ("web/25", "email", "chat", "forbidden", "whatever the roles of its user; a personal access token"),
    (
        "web/25",
        "email",
        "cloud",
        "ineffective",
        "the change of `email` is undone at the next sign-in through OpenID Connect",
    ),
    ("web/3", "email", "chat", "forbidden", "whatever the roles of its user; a personal access token"),
    (
        "web/30",
        "username",
        "cloud",
        "unsupported",
        "change `display_name`, which is what people see, or make a new account",
    ),
    (
        "web/42",
        "username",
        "cloud",
        "unsupported",
        "change `display_name`, which is what people see, or make a new account",
    ),
    (
        "web/44",
        "username",
        "cloud",
        "unsupported",
        "change `display_name`, which is what people see, or make a new account",
    ),
    ("web/44", "username", "forum", "forbidden", "(`username_change_period`), or it comes from elsewhere"),
    // 42 wishes for the same title, and gets it: there her token may do more.
    ("web/5", "forum.title", "forum", "ineffective", "a title is given by staff, or comes with a badge or a group"),
];

fn world() -> World {
    let mut world = World::example("central-profile");
    world.start_lab(&CONFIG);
    world
}

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    CONFIG.iter().chain(arguments).copied().collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Who is held where, and why.
fn held(plan: &Value) -> BTreeSet<(String, String, String)> {
    let all = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == "hold");
    all.map(|one| (text(one, "person").to_owned(), text(one, "system").to_owned(), text(one, "reason").to_owned()))
        .collect()
}

fn assert_held(plan: &Value, expected: &[(&str, &str, &str)]) {
    let found = held(plan);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((person, system, reason), (whom, at, said)) in found.iter().zip(expected) {
        assert_eq!((person.as_str(), system.as_str()), (*whom, *at));
        let said = said.replace("SYSTEM", at).replace("PERSON", whom);
        assert!(reason.contains(&said) && reason.contains(whom), "{reason}");
    }
}

/// The accounts of the chat by their ids.
fn names(world: &World) -> Map<String, Value> {
    world.users("chat").into_iter().map(|user| (text(&user, "id").to_owned(), user["username"].clone())).collect()
}

/// A path without what is different each time.
fn short(path: &str, names: &Map<String, Value>) -> String {
    let id = path.strip_prefix("/api/v4/users/").and_then(|rest| rest.strip_suffix("/patch"));
    let path = path.split('?').next().unwrap_or_default();
    id.map_or_else(|| path.to_owned(), |id| names[id].as_str().unwrap().to_owned())
}

/// Everything that a person has at a system: `system name field value`.
fn holdings(world: &World) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for system in SYSTEMS {
        for user in world.users(system) {
            let before = if system == "cloud" { &user["id"] } else { &user["email"] };
            let name = before.as_str().unwrap().split('@').next().unwrap().to_owned();
            for (field, value) in user.as_object().unwrap() {
                if !["update_at", "last_picture_update"].contains(&field.as_str()) {
                    all.insert(format!("{system} {name} {field} {value}"));
                }
            }
        }
    }
    all
}

#[test]
fn every_call_goes_with_the_token_of_whom_it_is_about_and_who_must_sign_in_again_is_held() {
    let world = world();
    let names = names(&world);
    let before = holdings(&world);
    let plan = world.json(0, &with(&["plan", INPUT]));
    assert!(SYSTEMS.iter().all(|system| plan["systems"][system]["per_person"] == true));
    assert_eq!(plan["summary"]["people"], 50);
    assert_held(&plan, &HELD);
    let waiting = |system: &str, people: &[&str]| json!({ "system": system, "at": format!("https://{system}.example.com"), "people": people });
    let sign_in = [("chat", ["web/50", "web/7"]), ("cloud", ["web/21", "web/50"]), ("forum", ["web/13", "web/34"])]
        .map(|(at, who)| waiting(at, &who));
    assert_eq!(plan["sign_in"], json!(sign_in));
    let refused = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == "refuse");
    let refused: Vec<&Value> = refused.collect();
    assert_eq!(refused.len(), REFUSED.len());
    for (one, (person, attribute, system, refusal, reason)) in refused.iter().zip(REFUSED) {
        let what = ["person", "attribute", "system", "refusal"].map(|key| text(one, key));
        assert_eq!(what, [person, attribute, system, refusal]);
        assert!(text(one, "reason").contains(reason), "{}", one["reason"]);
    }
    let planned = |one: &Value| {
        let path = short(text(one, "path"), &names);
        [text(one, "system").to_owned(), text(one, "person").to_owned(), path, one["body"].to_string()]
    };
    let planned: BTreeSet<[String; 4]> = plan["calls"].as_array().unwrap().iter().map(planned).collect();
    let expected =
        CALLS.iter().map(|(system, person, path, body)| [system, person, path, body].map(|it| (*it).to_owned()));
    assert_eq!(planned, expected.collect());

    // Each simulator lets nobody but administrators at somebody else's account.
    world.forget(&SYSTEMS);
    let report = world.json(7, &with(&["apply", "--yes", INPUT]));
    let (done, other): (Vec<Value>, Vec<Value>) = outcomes(&report).into_iter().partition(|one| one == "done");
    assert_eq!((done.len(), other.len()), (34, 2));
    assert!(other.iter().all(|one| one.to_string().contains("changes the address when she confirms it")), "{other:?}");
    for system in SYSTEMS {
        let came = world.writes(system).into_iter().map(|write| {
            assert_eq!([&write[0], &write[3]], [&json!("PUT"), &json!(200)], "{write}");
            (short(write[1].as_str().unwrap(), &names), write[2].to_string())
        });
        let mut came: Vec<(String, String)> = came.collect();
        let mut sent: Vec<(String, String)> = CALLS
            .iter()
            .filter(|(at, ..)| *at == system)
            .map(|(_, _, path, body)| ((*path).to_owned(), (*body).to_owned()))
            .collect();
        came.sort();
        sent.sort();
        assert_eq!(came, sent, "{system}");
    }

    // Whoever has a mail to confirm gets no second one.
    world.forget(&SYSTEMS);
    world.json(7, &with(&["resume", "1"]));
    assert_eq!(SYSTEMS.map(|system| world.writes(system)), [const { Vec::<Value>::new() }; 3]);

    // Each value of each call is there, addresses at the forum wait, and nothing else is other than it was.
    let after = holdings(&world);
    let new: Vec<&String> = after.difference(&before).collect();
    let old: Vec<&String> = before.difference(&after).collect();
    let mut expected = BTreeSet::new();
    for (system, person, path, body) in CALLS {
        let body: Value = serde_json::from_str(body).unwrap();
        let number: usize = person.trim_start_matches("web/").parse().unwrap();
        let row = world.read("people.csv").lines().nth(number).unwrap().to_owned();
        let local = row.split(',').nth(2).unwrap().split('@').next().unwrap().trim_end_matches(".new").to_owned();
        let mut holds = |field: &str, value: &Value| expected.insert(format!("{system} {local} {field} {value}"));
        match (system, path.ends_with("/email.json")) {
            (_, true) => {
                let is_staff = number == 25;
                holds("pending", &json!([{ "email": body["email"], "old_first": is_staff, "adds": false }]))
            }
            ("cloud", _) if body["key"] == "phone" => holds("profile", &json!({ "phone": body["value"] })),
            ("cloud", _) => holds(text(&body, "key"), &body["value"]),
            ("forum", _) if body.get("new_username").is_some() => holds("username", &body["new_username"]),
            _ => body.as_object().unwrap().iter().fold(true, |_, (field, value)| holds(field, value)),
        };
    }
    assert_eq!(new.into_iter().cloned().collect::<BTreeSet<_>>(), expected);
    assert_eq!(old.len(), expected.len());

    // What waits is not asked for again, and who signed in again is held no more.
    for (system, person, token) in [
        ("forum", "web/34", json!("forum-hugo-0123456789abcdefghijk")),
        ("cloud", "web/50", json!("zeno:LabNC-zeno-0123456789abcdefgh")),
    ] {
        let file = format!("lab/{system}.tokens.json");
        let mut tokens: Value = serde_json::from_str(&world.read(&file)).unwrap();
        assert!(tokens.as_object_mut().unwrap().insert(person.to_owned(), token).is_none());
        world.write(&file, tokens.to_string().as_bytes());
    }
    let again = world.json(0, &with(&["plan", INPUT]));
    assert_held(&again, &[HELD[0], HELD[1], HELD[3], HELD[5]]);
    for person in ["web/3", "web/25"] {
        let address = change(&again, person, "email", "forum");
        assert_eq!([&address["decision"], &address["refusal"]], ["refuse", "ineffective"]);
        assert!(text(address, "reason").contains("A further letter would change nothing"));
    }
    assert_eq!(changes_of(&again, "apply"), ["web/50 phone cloud"]);
}

/// `person attribute system` of every change with this decision.
fn changes_of(plan: &Value, decision: &str) -> Vec<String> {
    let all = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == decision);
    all.map(|one| ["person", "attribute", "system"].map(|key| text(one, key)).join(" ")).collect()
}

#[test]
fn what_a_server_lets_nobody_do_herself_is_in_the_preview_for_administrators_too() {
    let world = world();
    world.lab("forum", "POST", "settings", &json!({ "enable_names": false, "email_editable": false }));
    world.lab("cloud", "POST", "settings", &json!({ "allow_user_to_change_display_name": false }));
    let plan = world.json(0, &with(&["plan", INPUT]));
    // 2 and 25 are administrators, 3 is not.
    for (person, attribute, system, refusal, reason) in [
        ("web/2", "display_name", "forum", "ineffective", "`auth_overrides_name` is on there, or `enable_names` off"),
        ("web/2", "display_name", "cloud", "forbidden", "an administrator's app password can change it for others"),
        ("web/3", "email", "forum", "forbidden", "`auth_overrides_email` is on there, or `email_editable` off"),
        ("web/3", "email", "cloud", "forbidden", "`allow_user_to_change_display_name`"),
        ("web/25", "email", "forum", "forbidden", "`auth_overrides_email` is on there, or `email_editable` off"),
        ("web/25", "email", "cloud", "forbidden", "`allow_user_to_change_display_name`"),
    ] {
        let one = change(&plan, person, attribute, system);
        assert_eq!([text(one, "decision"), text(one, "refusal")], ["refuse", refusal], "{person} {attribute} {system}");
        assert!(text(one, "reason").contains(reason), "{}", one["reason"]);
    }
    assert!(changes(&plan).iter().any(|line| line == "web/42 phone cloud apply null → +41443340042"));
    assert_held(&plan, &HELD);
}

#[test]
fn no_token_is_in_anything_that_is_printed_or_kept() {
    let world = world();
    let mut tokens = Vec::new();
    for system in SYSTEMS {
        let kept: Value = serde_json::from_str(&world.read(&format!("lab/{system}.tokens.json"))).unwrap();
        let kept = kept.as_object().unwrap().values().map(|token| token.as_str().unwrap().to_owned());
        // Of a login with its password, the password alone.
        tokens.extend(kept.map(|token| token.rsplit(':').next().unwrap().to_owned()));
    }
    assert_eq!(tokens.len(), 148);
    let assert_silent = |what: &str, text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        assert!(!tokens.iter().any(|token| text.contains(token)), "{what} shows a token");
    };
    for arguments in [
        &["--lab", "-vv", "plan", INPUT, "--out", "plan.json"][..],
        &["--lab", "-vv", "--format", "json", "plan", INPUT],
        &["--lab", "-vv", "apply", "--yes", "plan.json"],
        &["--lab", "-vv", "explain", "web/7"],
        &["--lab", "-vv", "explain", "web/44", "username", INPUT],
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
    assert_eq!(world.user("chat", "email", "yann@example.com")["nickname"], "");
    assert_eq!(world.user("cloud", "id", "dana")["profile"]["phone"], "");
    assert_eq!(world.user("forum", "email", "ben@example.com")["name"], "Ben Oster");
}
