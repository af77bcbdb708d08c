//! Faults on demand, as whoever runs the program meets them: simulators that fail, and stores that cannot be used.
//!
//! Every fault at every call, and pairs of them, are tried inside the program: `src/run/faults/`.

#![allow(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::allow_attributes,
    reason = "a world that cannot be made fails the test"
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{Ran, World};

const CONFIG: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
coverage = "partial"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }
timeout = "2s"
"#;

const RULES: &str = r#"
owner(["username", "email", "display_name"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{ key: row.id, username: row.username, email: row.email, display_name: row.name });
join("gitlab", ["email"]);
account("gitlab", |person| true);
"#;

/// How many are renamed, and how many come.
const OLD: usize = 4;
const NEW: usize = 4;

const STORE: &str = ".homeward/lab.db";

/// A project whose lab runs, and the people it is about.
fn project() -> World {
    let mut people = "id,username,email,name\n".to_owned();
    for number in 1..=OLD {
        people += &format!("{number},renamed{number},person{number:06}@example.com,Person {number}\n");
    }
    for number in OLD + 1..=OLD + NEW {
        people += &format!("{number},made{number},made{number}@example.com,Made {number}\n");
    }
    let mut world = World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/people.rhai", RULES)
        .file("people.csv", &people)
        .file("first.csv", "id,username,email,name\n100,first,first@example.com,First\n");
    world.start_lab(&["--people", &OLD.to_string()]);
    world
}

/// The same with a store that is there already, of a run that made one account.
fn with_store() -> World {
    let world = project();
    let ran = world.homeward(&["--lab", "apply", "hr=first.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    world.forget(&["gitlab"]);
    world
}

fn apply(world: &World) -> Ran {
    world.homeward(&["--lab", "apply", "hr=people.csv", "--yes"])
}

/// Everybody by username: ids and times depend on the order in which accounts were made.
fn people(world: &World) -> BTreeMap<String, Value> {
    let told = |user: Value| {
        (user["username"].as_str().unwrap().to_owned(), json!([user["email"], user["name"], user["state"]]))
    };
    world.users("gitlab").into_iter().filter(|user| user["username"] != "first").map(told).collect()
}

/// What a simulator holds when nothing went wrong.
fn calm() -> BTreeMap<String, Value> {
    let world = project();
    let ran = apply(&world);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    people(&world)
}

/// Does something to the store with nobody else at it.
fn in_store(world: &World, sql: &str) {
    rusqlite::Connection::open(world.path(STORE)).unwrap().execute_batch(sql).unwrap();
}

fn count_in_store(world: &World, sql: &str) -> usize {
    let count: i64 =
        rusqlite::Connection::open(world.path(STORE)).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

/// What a command says where the store cannot be used: a clear error, and nothing sent.
#[track_caller]
fn assert_stopped_before_the_first_write(world: &World, ran: &Ran, says: &str) {
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(says), "no `{says}` in: {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
}

#[test]
fn wherever_the_journal_refuses_an_entry_nothing_is_sent_that_is_not_in_it_and_resume_goes_on_from_there() {
    let world = with_store();
    let calling = "select count(*) from journal where run > 1 and entry like '%\"entry\":\"calling\"%'";
    let mut tries = 0;
    loop {
        // One entry more each time, so that the journal fails at each of them once.
        in_store(
            &world,
            &format!(
                "drop trigger if exists refuse; create trigger refuse before insert on journal when (select count(*) \
                 from journal where run > 1) >= {tries} begin select raise(abort, 'no more'); end;"
            ),
        );
        let is_begun = count_in_store(&world, "select count(*) from runs") > 1;
        let ran = if is_begun { world.homeward(&["--lab", "resume"]) } else { apply(&world) };
        let sent = world.writes("gitlab").len();
        assert_eq!(sent, count_in_store(&world, calling), "after {tries}: {}{}", ran.stdout, ran.stderr);
        assert!(tries > 0 || sent == 0);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        if ran.status == 0 {
            break;
        }
        assert_eq!(ran.status, 1, "after {tries}: {}{}", ran.stdout, ran.stderr);
        tries += 1;
        assert!(tries < 100, "it never ends");
    }
    assert!(tries > 2 * (OLD + NEW), "{tries}");
    assert_eq!(people(&world), calm());
    let made = |one: &&Value| one[0] == "POST" && one[1] == "/api/v4/users" && one[3] == 201;
    assert_eq!(world.writes("gitlab").iter().filter(made).count(), NEW, "made once each");
}

#[test]
fn a_store_that_cannot_remember_a_run_sends_nothing_and_one_that_cannot_remember_the_rest_loses_nothing() {
    let world = with_store();
    let refuse = |table: &str| {
        format!(
            "drop trigger if exists refuse; create trigger refuse before insert on {table} begin select raise(abort, \
             'no more'); end;"
        )
    };
    in_store(&world, &refuse("runs"));
    assert_stopped_before_the_first_write(&world, &apply(&world), "the state store could not be used");
    for (number, table) in ["links", "seen"].into_iter().enumerate() {
        in_store(&world, &refuse(table));
        let ran = if number == 0 { apply(&world) } else { world.homeward(&["--lab", "resume"]) };
        assert_eq!(ran.status, 1, "{table}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("homeward --lab resume"), "{table}: {}", ran.stderr);
    }
    in_store(&world, "drop trigger refuse;");
    let ran = world.homeward(&["--lab", "resume"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(people(&world), calm());
    let made = |one: &&Value| one[0] == "POST" && one[1] == "/api/v4/users" && one[3] == 201;
    assert_eq!(world.writes("gitlab").iter().filter(made).count(), NEW, "made once each");
}

#[test]
fn a_store_that_is_no_store_is_damaged_or_is_newer_stops_everything_before_the_first_write() {
    let world = with_store();
    let whole = fs::read(world.path(STORE)).unwrap();
    for companion in ["-wal", "-shm"] {
        let _ = fs::remove_file(world.path(&format!("{STORE}{companion}")));
    }

    world.write(
        STORE,
        b"This is a letter, and no database. It is long enough to be looked at, and of no use to anybody.",
    );
    assert_stopped_before_the_first_write(&world, &apply(&world), "cannot be opened");

    // The first page, where it says what it is, is left alone.
    let damaged: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| if at < 4096 { *byte } else { !byte }).collect();
    world.write(STORE, &damaged);
    assert_stopped_before_the_first_write(&world, &apply(&world), "state store");

    world.write(STORE, &whole[..whole.len() / 2]);
    assert_stopped_before_the_first_write(&world, &apply(&world), "state store");

    world.write(STORE, &whole);
    in_store(&world, "pragma user_version = 99;");
    assert_stopped_before_the_first_write(&world, &apply(&world), "newer version");

    fs::remove_file(world.path(STORE)).unwrap();
    fs::create_dir(world.path(STORE)).unwrap();
    assert_stopped_before_the_first_write(&world, &apply(&world), "cannot be opened");
}

#[test]
fn a_store_that_goes_while_a_run_is_carried_out_ends_it() {
    let world = with_store();
    world.write("homeward.toml", format!("{CONFIG}concurrency = 1\n").as_bytes());
    world.lab("gitlab", "POST", "settings", &json!({ "latency_ms": 1_000 }));
    let mut command = world.command();
    command.args(["--lab", "apply", "hr=people.csv", "--yes"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let begun = Instant::now();
    while world.writes("gitlab").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was sent");
    }
    for companion in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.path(&format!("{STORE}{companion}")));
    }
    let ran = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("it was removed, moved or replaced") && told.contains("put the file back"), "{told}");
    // What was under way is finished, and nothing else is begun.
    assert!(world.writes("gitlab").len() < OLD + NEW, "{}", world.writes("gitlab").len());
}

#[test]
fn a_store_that_somebody_else_is_writing_to_stops_everything_before_the_first_write() {
    let world = with_store();
    let other = rusqlite::Connection::open(world.path(STORE)).unwrap();
    other.execute_batch("begin immediate;").unwrap();
    assert_stopped_before_the_first_write(&world, &apply(&world), "the state store could not be used");
    other.execute_batch("rollback;").unwrap();
    assert_eq!(apply(&world).status, 0);
}

#[test]
fn a_store_that_may_only_be_read_stops_everything_before_the_first_write() {
    const NOBODY: u32 = 65_534;
    let world = with_store();
    let folder = world.path("");
    let may = |path: &str, mode: u32| fs::set_permissions(world.path(path), fs::Permissions::from_mode(mode)).unwrap();
    may("", 0o755);
    for companion in ["-wal", "-shm"] {
        let _ = fs::remove_file(world.path(&format!("{STORE}{companion}")));
    }
    may(STORE, 0o444);
    may(".homeward", 0o555);
    may(".homeward/lab.json", 0o444);
    let mut command = world.command();
    command.args(["--lab", "apply", "hr=people.csv", "--yes"]);
    // Whoever may do everything is stopped by no rights.
    let is_root = fs::metadata(&folder).is_ok_and(|it| it.uid() == 0);
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ran = Ran::of(&mut command);
    may(".homeward", 0o755);
    assert_stopped_before_the_first_write(&world, &ran, "state store");
}

#[test]
fn a_disk_that_is_full_on_the_way_ends_the_run_with_everything_sent_written_down() {
    let calm = calm();
    let world = with_store();
    let start = fs::metadata(world.path(STORE)).unwrap().len() / 512;
    let mut ended = 0;
    // The limit is on each file, and what is written goes to the log beside the store first.
    for blocks in [0, 40, 80, 120, 160].map(|more| start + more) {
        let program = env!("CARGO_BIN_EXE_homeward");
        let act = if blocks == start { "apply hr=people.csv --yes" } else { "resume" };
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} --lab {act}");
        let ran = Ran::of(world.program("/bin/sh".as_ref()).args(["-c", &script]));
        assert!([0, 1].contains(&ran.status), "{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        ended += usize::from(ran.status == 1);
        let calling = "select count(*) from journal where run > 1 and entry like '%\"entry\":\"calling\"%'";
        assert_eq!(world.writes("gitlab").len(), count_in_store(&world, calling), "{}{}", ran.stdout, ran.stderr);
    }
    assert!(ended > 0, "the disk was never full");
    if count_in_store(&world, "select count(*) from runs") == 1 {
        // Not even that the run begins could be written down.
        assert_eq!(apply(&world).status, 0);
    } else {
        world.homeward(&["--lab", "resume"]);
    }
    assert_eq!(people(&world), calm);
}

#[test]
fn chaos_is_for_the_lab_alone() {
    let world = World::new().file("homeward.toml", CONFIG).file("rules/people.rhai", RULES);
    let ran = world.homeward(&["apply", "--chaos", "7", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 2);
    assert_eq!(ran.stdout, "");
    let first = ran.stderr.lines().next().unwrap();
    assert_eq!(first, "error: --chaos needs --lab: only simulators fail on demand");
}

#[test]
fn apply_with_chaos_tells_what_went_wrong_and_resume_brings_everything_to_its_end() {
    let calm = calm();
    let mut brought = 0;
    for seed in ["1", "2", "3", "4"] {
        let world = project();
        let ran = world.homeward(&["--lab", "apply", "--chaos", seed, "hr=people.csv", "--yes"]);
        assert!([0, 7, 8].contains(&ran.status), "{seed}: {} {}{}", ran.status, ran.stdout, ran.stderr);
        let told = ran.stderr.lines().find(|line| line.starts_with("chaos ")).unwrap().to_owned();
        assert!(told.starts_with(&format!("chaos {seed} brought ")), "{told}");
        let injected = world.lab("gitlab", "GET", "chaos", &Value::Null);
        assert_eq!(injected["program"], Value::Null, "the faults are lifted");
        brought += injected["injected"].as_array().unwrap().len();
        if ran.status != 0 {
            assert!(ran.stderr.contains("finish what they left open with `homeward --lab resume`"), "{}", ran.stderr);
            let ran = world.homeward(&["--lab", "resume", "1"]);
            assert_eq!(ran.status, 0, "{seed}: {}{}", ran.stdout, ran.stderr);
        }
        assert_eq!(people(&world), calm, "{seed}");
    }
    assert!(brought > 4, "{brought}");
}

#[test]
fn the_log_of_a_simulator_says_which_request_met_which_fault_and_whether_it_had_its_effect() {
    let world = project();
    let faults = json!([{ "kind": "reset", "when": "after", "at": 1 }, { "kind": "overloaded", "at": 2 }]);
    world.lab("gitlab", "POST", "chaos", &json!({ "faults": faults }));
    for number in 1..=3 {
        let body = json!({ "name": format!("Name {number}") });
        let url = format!("{}/api/v4/users/{}", world.url("gitlab"), number + 1);
        let token = format!("Bearer {}", world.token("gitlab"));
        try_send(&url, &token, &body);
    }
    let asked = world.lab("gitlab", "GET", "requests", &Value::Null);
    let told: Vec<Value> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["method"], one["path"], one["status"], one["fault"], one["effect"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["PUT", "/api/v4/users/2", 0, "reset", true]),
            json!(["PUT", "/api/v4/users/3", 503, "overloaded", false]),
            json!(["PUT", "/api/v4/users/4", 200, null, null]),
        ]
    );
    let injected = world.lab("gitlab", "GET", "chaos", &Value::Null)["injected"].clone();
    let first = json!({ "request": 1, "write": 1, "method": "PUT", "path": "/api/v4/users/2", "kind": "reset",
        "when": "after", "effect": true });
    assert_eq!(injected[0], first);
    world.lab("gitlab", "DELETE", "chaos", &Value::Null);
    assert_eq!(world.user("gitlab", "name", "Name 1")["id"], "2");
    assert!(world.users("gitlab").iter().all(|user| user["name"] != "Name 2"));
}

/// Sends a change, whatever comes of it.
fn try_send(url: &str, token: &str, body: &Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sent = reqwest::Client::new().put(url).header("Authorization", token).json(body).send();
    let _ = runtime.block_on(sent);
}
