//! A connector of one's own: an in-house phone book that speaks JSON, beside the providers Homeward brings along.
//!
//! ```toml
//! [systems.phones]                        # in homeward.toml
//! kind = "phone_book"
//! url = "https://phones.example.com"
//! token = { env = "PHONES_TOKEN" }
//! country = "+49"                         # this connector's own setting
//! ```
//!
//! Then everything works as with a shipped provider: `cargo run --example connector -- plan hr=people.csv`, and with
//! `--lab` against the simulator at the end of this file.
//! The phone book knows `GET /me`, `GET /people`, `POST /people` and `PUT /people/{id}`, and answers with entries.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homeward::connector::{Connector, ConnectorError, Kind, Standing, unavailable};
use homeward::lab::axum::extract::{Path, Request as Asked, State};
use homeward::lab::axum::middleware::{Next, from_fn};
use homeward::lab::axum::response::{IntoResponse, Response};
use homeward::lab::axum::{Json, Router, http::StatusCode, routing};
use homeward::lab::{Invented, Simulation, Simulator};
use homeward::model::account::{Account, Facts, Observed, Wanted};
use homeward::model::accounts::Packed;
use homeward::model::attribute::{AttributeName, Value};
use homeward::model::capability::{AttributeCapability as Row, Capabilities, Change, Foresight};
use homeward::model::capability::{Replay, Scheme, Support, Unique};
use homeward::model::plan::{Call, Operation, Request};
use homeward::model::{id::SystemName, refusal::Refusal, refusal::RefusalKind};
use homeward::wire::{Reader, Reply, Writer};
use serde_json::json;

fn main() -> ExitCode {
    homeward::run_with(std::env::args_os(), &[KIND], &[SIMULATION])
}

const KIND: Kind = Kind {
    name: "phone_book",
    capabilities: &TABLE,
    open: |settings| Ok(Box::new(serde_json::from_value::<PhoneBook>(settings)?)),
    schema: || schemars::schema_for!(PhoneBook).to_value(),
};

/// The table answers most questions before the connector is asked: what can be written, cleared, looked up.
const TABLE: Capabilities = Capabilities {
    kind: "phone_book",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        Row { required: true, clear: Support::No("an entry needs it"), ..Row::plain("email", "mail") },
        Row { unique: Unique::Freed, side_effect: "the old number is dead", ..Row::plain("phone", "number") },
        // Only this provider has rooms: rules write `phones.room`.
        Row { neutral: false, ..Row::plain("room", "room") },
    ],
    operations: &[],
    lookups: &["email", "phone"],
    facts: &["locked"],
    concurrency: 2,
    scheme: Scheme::Bearer,
    key_scope: None,
};

/// One phone book: what stands under `[systems.phones]` beside the keys that all providers have.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PhoneBook {
    /// What a number without a country begins with, such as `+49`.
    country: String,
}

#[async_trait::async_trait]
impl Connector for PhoneBook {
    fn capabilities(&self) -> &'static Capabilities {
        &TABLE
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        let we_are = read::<BTreeMap<String, String>>("/me", wire).await?.remove("name").unwrap_or_default();
        Ok(Standing { server: "phone book".to_owned(), we_are, missing: Vec::new() })
    }

    async fn observe(&self, _: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        // A phone book is small: all of it. A larger system is asked for exactly what is wanted.
        let entries: Vec<BTreeMap<String, Value>> = read("/people", wire).await?;
        Ok(Observed { accounts: entries.iter().map(|it| account(it, wire.system())).collect(), ..Observed::default() })
    }

    /// As the phone book stores it, so that `030 / 12 34` and `+49301234` are no change.
    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        let Some(number) = value.as_text().filter(|_| attribute.as_str() == "phone") else { return value.clone() };
        let digits = number.replace(|c: char| !c.is_ascii_digit() && c != '+', "");
        let local = digits.strip_prefix('0').map(|local| format!("{}{local}", self.country));
        Value::text(&local.unwrap_or(digits))
    }

    fn foresee(&self, account: &Account, _: &Change) -> Foresight {
        let why = "the switchboard keeps this entry; ask there";
        if account.is("locked") { Foresight::refuses(RefusalKind::Forbidden, why) } else { Foresight::takes() }
    }

    /// Nobody signs in to a phone book, so nothing comes from there.
    fn stands_alone(&self, _: &Packed<'_>) -> bool {
        true
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let remote = |change: &Change| TABLE.of(&account.system, &change.attribute).map(|row| row.remote.to_owned());
        let body = changes.iter().filter_map(|change| Some((remote(change)?, change.after.to_json()))).collect();
        let (operation, method, path, replay) = match &account.id {
            Some(id) => (Operation::Update, "PUT", format!("/people/{id}"), Replay::Repeat),
            None => (Operation::Create, "POST", "/people".to_owned(), Replay::LookFirst),
        };
        Ok(vec![Request {
            operation,
            method: method.to_owned(),
            path,
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            carries: changes.iter().map(|change| change.attribute.clone()).collect(),
            replay,
        }])
    }

    /// Tells what the answer shows, not what was sent: Homeward compares, and finds what was silently left out.
    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        let strange = |_| Refusal::new(RefusalKind::Unavailable, "the answer is no entry");
        if reply.is_success() { Ok(account(&reply.read().map_err(strange)?, &call.system)) } else { Err(no(&reply)) }
    }
}

/// An entry as Homeward sees it: the id, what the table lists, and the facts that `foresee` and rules look at.
fn account(entry: &BTreeMap<String, Value>, system: &SystemName) -> Account {
    let held = |field: &str| entry.get(field).cloned().unwrap_or_default();
    let attributes = TABLE.attributes.iter().map(|row| (TABLE.name(system, row), held(row.remote))).collect();
    let facts = Facts::from([("locked".to_owned(), held("locked"))]);
    let id = held("id").as_text().map(Into::into);
    Account { id, attributes, facts, ..Account::absent(system.clone(), Arc::default()) }
}

/// Reads one address, completely or not at all.
async fn read<T: serde::de::DeserializeOwned>(path: &str, wire: &Reader<'_>) -> Result<T, ConnectorError> {
    let reply = wire.get(path, &[]).await?;
    let system = wire.system().clone();
    if !reply.is_success() {
        return Err(ConnectorError::Refused { system, refusal: no(&reply) });
    }
    reply.read().map_err(|_| ConnectorError::Strange { system, what: "something that is no phone book".to_owned() })
}

/// The phone book's no, understood.
fn no(reply: &Reply) -> Refusal {
    let (kind, reason) = match reply.status {
        401 | 403 => (RefusalKind::Forbidden, "the token may not do this"),
        404 => (RefusalKind::NotFound, "there is no such entry"),
        409 => (RefusalKind::Taken, "the number belongs to somebody else"),
        400..=499 => (RefusalKind::Invalid, "it does not take these values"),
        _ => (RefusalKind::Unavailable, "it has a fault of its own"),
    };
    Refusal { status: Some(reply.status), ..Refusal::new(kind, reason) }
}

const SIMULATION: Simulation = Simulation {
    kind: "phone_book",
    make: |seed| {
        // `lab/phones.json` is `{ "users": { "1": { "mail": …, "number": …, "room": … } } }`.
        let users = seed.get("users").cloned().unwrap_or_else(|| json!({}));
        let entries = serde_json::from_value(users).map_err(|error| error.to_string())?;
        Ok(Arc::new(Simulated(Mutex::new(entries))))
    },
};

type Entry = serde_json::Map<String, serde_json::Value>;

/// A phone book with a memory, for `--lab`: written from what the real one does, and not from the connector above, so
/// that a mistake there comes to light here.
struct Simulated(Mutex<BTreeMap<String, Entry>>);

impl Simulated {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what it was sent: a number belongs to one person only, and a room that no building has is left out
    /// without a word.
    fn take(&self, id: String, sent: Entry) -> Response {
        let mut entries = self.entries();
        let number = sent.get("number").filter(|number| !number.is_null());
        let has_it = |(other, entry): (&String, &Entry)| *other != id && entry.get("number") == number;
        if number.is_some() && entries.iter().any(has_it) {
            return StatusCode::CONFLICT.into_response();
        }
        let entry = entries.entry(id.clone()).or_insert_with(|| Entry::from_iter([("id".to_owned(), id.into())]));
        let is_room = |room: &serde_json::Value| room.as_str().is_some_and(|room| !room.starts_with("9."));
        entry.extend(sent.into_iter().filter(|(key, value)| key != "room" || value.is_null() || is_room(value)));
        Json(entry.clone()).into_response()
    }
}

impl Simulator for Simulated {
    fn router(self: Arc<Self>) -> Router {
        let list = async |State(book): State<Arc<Self>>| Json(json!(book.entries().values().collect::<Vec<_>>()));
        let add = async |State(book): State<Arc<Self>>, Json(sent): Json<Entry>| {
            let highest = book.entries().keys().filter_map(|id| id.parse::<u64>().ok()).max();
            book.take((highest.unwrap_or_default() + 1).to_string(), sent)
        };
        let change = async |State(book): State<Arc<Self>>, Path(id): Path<String>, Json(sent): Json<Entry>| {
            if book.entries().contains_key(&id) { book.take(id, sent) } else { StatusCode::NOT_FOUND.into_response() }
        };
        let token = format!("Bearer {}", self.token(""));
        let guard = from_fn(move |asked: Asked, next: Next| {
            let is_ours = asked.headers().get("authorization").is_some_and(|it| *it == token.as_str());
            async move { if is_ours { next.run(asked).await } else { StatusCode::UNAUTHORIZED.into_response() } }
        });
        Router::new()
            .route("/me", routing::get(async || Json(json!({ "name": "homeward" }))))
            .route("/people", routing::get(list).post(add))
            .route("/people/{id}", routing::put(change))
            .layer(guard)
            .with_state(self)
    }

    fn token(&self, _: &str) -> String {
        "of-the-phone-book".to_owned()
    }

    fn dump(&self) -> serde_json::Value {
        json!({ "users": *self.entries() })
    }

    fn meddle(&self, user: &str, fields: &serde_json::Value) -> Result<(), String> {
        let fields = fields.as_object().ok_or("the fields are no object")?;
        let mut entries = self.entries();
        entries.get_mut(user).ok_or("there is no such entry")?.extend(fields.clone());
        Ok(())
    }

    fn populate(&self, people: &[Invented]) {
        for person in people {
            let entry = json!({ "id": person.number.to_string(), "mail": person.email, "number": null, "room": null });
            let Some(entry) = entry.as_object() else { continue };
            self.entries().entry(person.number.to_string()).or_insert_with(|| entry.clone());
        }
    }
}
