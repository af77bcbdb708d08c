//! The connector of `examples/connector.rs` against a phone book that has a memory and habits of its own: what a program
//! with a kind of its own plans, does and tells.

#![expect(clippy::unwrap_used, reason = "a phone book that cannot be made fails the test")]

mod common;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use common::{Ran, World};
use serde_json::{Map, Value, json};

/// The number of the lift, which is nobody's entry and still taken.
const LIFT: &str = "+4930999";

/// A phone book: its entries by id, and every write it was asked for. Served until the value ends.
struct PhoneBook {
    shelf: Shelf,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    entries: BTreeMap<u64, Map<String, Value>>,
    asked: Vec<String>,
}

impl Shelf {
    fn open(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Takes over what it was sent: a number that somebody else has is refused, a room that no building has is left out
    /// without a word.
    fn take(&mut self, id: u64, body: Map<String, Value>) -> Response {
        let number = body.get("number").filter(|number| !number.is_null());
        let other = |(other, entry): (&u64, &Map<String, Value>)| *other != id && entry.get("number") == number;
        if number.is_some_and(|number| *number == LIFT) || (number.is_some() && self.entries.iter().any(other)) {
            return StatusCode::CONFLICT.into_response();
        }
        let entry =
            self.entries.entry(id).or_insert_with(|| Map::from_iter([("id".to_owned(), id.to_string().into())]));
        let no_room = |key: &str, value: &Value| key == "room" && value.as_str().is_some_and(|it| it.starts_with("9."));
        entry.extend(body.into_iter().filter(|(key, value)| !no_room(key, value)));
        Json(entry.clone()).into_response()
    }
}

impl PhoneBook {
    /// Opens a phone book with three entries.
    fn open() -> Self {
        let shelf = Shelf::default();
        let entries = json!([
            { "id": "1", "mail": "anna@example.com", "number": "+49301", "room": "1.01" },
            { "id": "2", "mail": "ben@example.com", "number": "+49302", "room": "1.02" },
            { "id": "3", "mail": "cleo@example.com", "number": "+49303", "room": "1.03", "locked": true },
        ]);
        for (id, entry) in (1..).zip(entries.as_array().unwrap()) {
            shelf.open().entries.insert(id, entry.as_object().unwrap().clone());
        }
        let router = Router::new()
            .route("/me", get(async || Json(json!({ "name": "homeward" }))))
            .route(
                "/people",
                get(async |State(shelf): State<Shelf>| Json(json!(shelf.open().entries.values().collect::<Vec<_>>())))
                    .post(async |State(shelf): State<Shelf>, Json(body): Json<Map<String, Value>>| {
                        let mut pages = shelf.open();
                        let id = pages.entries.keys().max().map_or(1, |last| last + 1);
                        pages.asked.push(format!("POST {}", json!(body)));
                        pages.take(id, body)
                    }),
            )
            .route(
                "/people/{id}",
                put(async |State(shelf): State<Shelf>, Path(id): Path<u64>, Json(body): Json<Map<String, Value>>| {
                    let mut pages = shelf.open();
                    pages.asked.push(format!("PUT {id} {}", json!(body)));
                    pages.take(id, body)
                }),
            )
            .layer(from_fn(only_with_a_token))
            .with_state(shelf.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { shelf, url, _runtime: runtime }
    }

    /// Every write it was asked for, oldest first.
    fn asked(&self) -> Vec<String> {
        self.shelf.open().asked.clone()
    }

    /// A project whose phone numbers belong to HR.
    fn project(&self) -> World {
        project(&self.url, "country = \"+49\"")
    }
}

fn project(url: &str, country: &str) -> World {
    World::new()
        .file(
            "homeward.toml",
            &format!(
                "[systems.phones]\nkind = \"phone_book\"\nurl = \"{url}\"\ntoken = {{ env = \"PHONES_TOKEN\" }}\n\
                     {country}\n\n[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n"
            ),
        )
        .file("rules/phones.rhai", RULES)
        .variable("PHONES_TOKEN", "of-the-phone-book")
}

const RULES: &str = r#"owner(["email", "phone", "phones.room"], "hr");
copies(["email", "phone"], "phones");
source("hr", |row| #{ key: row.id, email: row.email, phone: row.phone, "phones.room": row.room });
join("phones", "email");
// homeward: allow(no_switch) this telephone system only ever adds people
account("phones");
"#;

async fn only_with_a_token(request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if token == Some("Bearer of-the-phone-book") {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

/// The example, which `cargo test` builds beside the tests.
fn example() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let built = here.parent().and_then(|deps| deps.parent()).unwrap().join("examples/connector");
    assert!(built.exists(), "first: cargo build --example connector");
    built
}

/// Runs the example, and shows everything it gave.
fn run(world: &World, arguments: &[&str]) -> String {
    let Ran { status, stdout, stderr } = Ran::of(world.program(&example()).args(arguments));
    let tell = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("-- {name}\n{text}") };
    format!("{}{}-- exit: {status}\n", tell("stdout", &stdout), tell("stderr", &stderr))
}

#[test]
fn a_connector_of_ones_own_plans_and_does_what_a_shipped_one_does() {
    let book = PhoneBook::open();
    let world = book.project().file(
        "monday.csv",
        "id,email,phone,room\n\
         1001,anna@example.com,030 / 11 11,1.01\n\
         1002,ben@example.com,+49 30 2,2.02\n\
         1003,cleo@example.com,030-3,1.03\n\
         1004,dora@example.com,0304,1.04\n",
    );
    insta::assert_snapshot!(run(&world, &["plan", "hr=monday.csv"]), @r#"
    -- stdout
    hr/1001
      apply  phone       phones +49301 → +49301111          c1 a copy of what hr says (rules/phones.rhai:1:1)
                                                               the old number is dead

    hr/1002
      apply  phones.room phones 1.02 → 2.02                 c2 a copy of what hr says (rules/phones.rhai:1:1)

    hr/1004
      apply  email       phones (empty) → dora@example.com  c3 a new account (rules/phones.rhai:6:1)
      apply  phone       phones (empty) → +49304            c3 a new account (rules/phones.rhai:6:1)
      apply  phones.room phones (empty) → 1.04              c3 a new account (rules/phones.rhai:6:1)

    system  create  update  calls
    phones       1       2      3

    Also at phones: 1 × the old number is dead
    Plan: 5 changes in 3 calls, 1 of 4 people unchanged.
    -- stderr
    read 1 system in 1 request
    -- exit: 0
    "#);
    assert_eq!(book.asked(), Vec::<String>::new());
    insta::assert_snapshot!(run(&world, &["apply", "--yes", "hr=monday.csv"]), @r#"
    -- stdout
    hr/1001
      apply  phone       phones +49301 → +49301111          c1 a copy of what hr says (rules/phones.rhai:1:1)
                                                               the old number is dead

    hr/1002
      apply  phones.room phones 1.02 → 2.02                 c2 a copy of what hr says (rules/phones.rhai:1:1)

    hr/1004
      apply  email       phones (empty) → dora@example.com  c3 a new account (rules/phones.rhai:6:1)
      apply  phone       phones (empty) → +49304            c3 a new account (rules/phones.rhai:6:1)
      apply  phones.room phones (empty) → 1.04              c3 a new account (rules/phones.rhai:6:1)

    system  create  update  calls
    phones       1       2      3

    Also at phones: 1 × the old number is dead
    Plan: 5 changes in 3 calls, 1 of 4 people unchanged.
    Done: 3 of 3 calls (run 1).
    -- stderr
    read 1 system in 1 request
    -- exit: 0
    "#);
    // Two calls may be under way at a time.
    let mut asked = book.asked();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    POST {"mail":"dora@example.com","number":"+49304","room":"1.04"}
    PUT 1 {"number":"+49301111"}
    PUT 2 {"room":"2.02"}
    "#);
    insta::assert_snapshot!(run(&world, &["plan", "hr=monday.csv"]), @r#"
    -- stdout
    Plan: 0 changes in 0 calls, 4 of 4 people unchanged.
    -- stderr
    read 1 system in 1 request
    -- exit: 0
    "#);
}

#[test]
fn what_the_phone_book_refuses_or_leaves_out_is_told() {
    let book = PhoneBook::open();
    let world = book.project().file(
        "tuesday.csv",
        "id,email,phone,room\n\
         1001,anna@example.com,030999,1.01\n\
         1002,ben@example.com,0302,9.99\n\
         1003,cleo@example.com,0307,1.03\n",
    );
    insta::assert_snapshot!(run(&world, &["apply", "--yes", "hr=tuesday.csv"]), @r#"
    -- stdout
    hr/1001
      apply  phone       phones +49301 → +4930999  c1 a copy of what hr says (rules/phones.rhai:1:1); the old number is dead

    hr/1002
      apply  phones.room phones 1.02 → 9.99        c2 a copy of what hr says (rules/phones.rhai:1:1)

    hr/1003
      refuse phone       phones +49303 → +49307       forbidden: the switchboard keeps this entry; ask there

    system  update  calls  refused
    phones       2      2        1

    Also at phones: 1 × the old number is dead
    Plan: 2 changes in 2 calls, 0 of 3 people unchanged, 1 refused.
    refused c1 phones account 1 of hr/1001: taken: the number belongs to somebody else
    refused c2 phones account 2 of hr/1002: ineffective: phones said yes and did not change `phones.room`
    Partly done: 0 of 2 calls (run 1). 1 change refused or held, as the plan says.
    -- stderr
    read 1 system in 1 request
    -- exit: 7
    "#);
    let mut asked = book.asked();
    asked.sort();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    PUT 1 {"number":"+4930999"}
    PUT 2 {"room":"9.99"}
    "#);
}

#[test]
fn check_and_schema_know_a_kind_of_ones_own() {
    let book = PhoneBook::open();
    let world = book.project();
    insta::assert_snapshot!(run(&world, &["check"]), @r#"
    -- stdout
    Good: 2 systems, 1 owner line, 0 warnings, 1 silenced.
    Certified: no attribute can go back and forth.
    -- stderr
    note: no hr.csv is here, nor in samples, so columns that rules read are not looked at; of a list at hand: homeward check hr=FILE
    -- exit: 0
    "#);
    insta::assert_snapshot!(run(&world, &["check", "--connect"]), @r#"
    -- stdout
    system  server      we are    missing
    phones  phone book  homeward  nothing
    -- exit: 0
    "#);
    let docs = run(&world, &["docs"]);
    insta::assert_snapshot!(docs.split_once("## `phone_book`\n\n").unwrap().1, @r#"
    | attribute | field there | change | make empty | one holder | a change sets off |
    | --- | --- | --- | --- | --- | --- |
    | `email` (required) | `mail` | yes | no: an entry needs it | no |  |
    | `phone` | `number` | yes | yes | yes; the old value is free at once | the old number is dead |
    | `<system>.room` | `room` | yes | yes | no |  |

    - makes accounts: yes
    - accounts are found by: `email`, `phone`
    - rules may also read: `locked`
    -- exit: 0
    "#);
    let schema = Ran::of(world.program(&example()).arg("schema"));
    let schema: Value = serde_json::from_str(&schema.stdout).unwrap();
    assert_eq!(
        schema.pointer("/$defs/systems.phone_book/properties/country"),
        Some(
            &json!({ "description": "What a number without a country begins with, such as `+49`.", "type": "string" })
        )
    );
    insta::assert_snapshot!(run(&project("http://127.0.0.1:1", "county = \"+49\""), &["check"]), @r#"
    -- stderr
      × unknown key `county` in [systems.phones]; did you mean `country`?
       ╭─[homeward.toml:5:1]
     4 │ token = { env = "PHONES_TOKEN" }
     5 │ county = "+49"
       · ──────
     6 │
       ╰────
    -- exit: 2
    "#);
}

#[test]
fn its_simulator_stands_in_for_the_real_one_in_the_lab() {
    let users = json!({ "1": { "id": "1", "mail": "anna@example.com", "number": "+49301", "room": "1.01" },
        "2": { "id": "2", "mail": "ben@example.com", "number": "+49302", "room": "1.02" } });
    let world = project("http://127.0.0.1:1", "country = \"+49\"")
        .file("lab/phones.json", &json!({ "users": users }).to_string())
        .file("monday.csv", "id,email,phone,room\n1001,anna@example.com,0302,1.01\n1002,ben@example.com,0307,2.02\n");
    insta::assert_snapshot!(run(&world, &["--lab", "apply", "--yes", "hr=monday.csv"]), @r#"
    -- stdout
    hr/1001
      apply  phone       phones +49301 → +49302  c2 a copy of what hr says (rules/phones.rhai:1:1); the old number is dead

    hr/1002
      apply  phone       phones +49302 → +49307  c1 a copy of what hr says (rules/phones.rhai:1:1); the old number is dead
      apply  phones.room phones 1.02 → 2.02      c1 a copy of what hr says (rules/phones.rhai:1:1)

    system  update  calls
    phones       2      2

    Also at phones: 2 × the old number is dead
    Plan: 3 changes in 2 calls, 0 of 2 people unchanged.
    Done: 2 of 2 calls at simulators that end with this command.
    -- stderr
    read 1 system in 1 request
    -- exit: 0
    "#);
}

#[test]
fn the_program_as_shipped_does_not_know_the_kind() {
    let world = project("http://127.0.0.1:1", "country = \"+49\"");
    let ran = world.homeward(&["check"]);
    insta::assert_snapshot!(ran.stderr, @r#"
     × `kind` cannot be `phone_book`
      ╭─[homeward.toml:2:8]
    1 │ [systems.phones]
    2 │ kind = "phone_book"
      ·        ────────────
    3 │ url = "http://127.0.0.1:1"
      ╰────
     help: it is one of `discourse`, `gitlab`, `mattermost`, `nextcloud`, `scim`, `wordpress`, `zitadel`, `csv`
    "#);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}
