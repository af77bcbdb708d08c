//! The lab: simulators of every provider, real HTTP servers on loopback with a memory and bad days.
//!
//! Written from the contracts alone and sharing no code with the connectors, so that one mistake cannot hide the other.
//! A simulator that is kinder than the real server is a bug. This file is the front: it serves the simulators, writes
//! down what they were asked, and gives tests and curious operators the `/_lab/` routes. It knows no provider's rules.
//!
//! | route, on every simulator | does |
//! | --- | --- |
//! | `GET /_lab/state` | the whole state, secrets left out |
//! | `POST /_lab/settings` | merges settings, the same keys as in the seed |
//! | `POST /_lab/meddle/{user}` | changes stored fields behind the interface's back, as a colleague would |
//! | `POST /_lab/login/{user}` | lets somebody sign in |
//! | `POST /_lab/stop` | ends the whole lab |
//! | `GET /_lab/requests`, `DELETE` | what was asked since the start or the last `DELETE`: method, path, body, status (0: no answer), and where it met a fault, which one and whether it had its effect |
//! | `POST /_lab/chaos`, `GET`, `DELETE` | sets faults (`rate_limited`, `silent`, `truncated` and others, which a wrong word names), tells which were met, lifts them: see `chaos/mod.rs` |
//!
//! A simulator may have more of them: those of WordPress are told in `wordpress/mod.rs`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    http::{StatusCode, header::CONTENT_LENGTH},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use self::{
    chaos::{Chaos, Met},
    serving::{Door, Place},
};

/// The library that simulators are routed with, of the version this program uses.
pub use axum;

pub use self::people::Invented;

pub(crate) mod chaos;
pub(crate) mod discourse;
pub(crate) mod gitlab;
pub(crate) mod mattermost;
pub(crate) mod nextcloud;
mod path;
pub(crate) mod people;
pub(crate) mod scim;
mod serving;
mod strict;
pub(crate) mod wordpress;
pub(crate) mod zitadel;

/// One simulated provider: a server with a memory, as strict as the real one. See `examples/connector.rs` for a whole one.
///
/// Errors are texts for whoever asked over `/_lab/`, or wrote the seed.
pub trait Simulator: Send + Sync {
    /// The provider's whole interface. The routes under `/_lab/` are added around it.
    fn router(self: Arc<Self>) -> Router;

    /// Routes under `/_lab/` that only this simulator has.
    fn lab_router(self: Arc<Self>) -> Router {
        Router::new()
    }

    /// Tells where it is served, without a slash at the end, before the first request.
    fn served_at(&self, url: &str) {
        let _ = url;
    }

    /// A token for us: an administrator's (or a service user's with all rights), of the given kind where the provider
    /// knows kinds (`personal`, `oauth`, `bot`). Stable for one seed.
    fn token(&self, kind: &str) -> String;

    /// The whole state, secrets left out, in a stable order: what tests compare. Users are an object under `users`, by id.
    fn dump(&self) -> Value;

    /// Changes settings while running: the same keys as `settings` in the seed.
    ///
    /// # Errors
    /// Where there is no such setting.
    fn configure(&self, settings: &Value) -> Result<(), String> {
        let _ = settings;
        Err("this simulator has no settings".to_owned())
    }

    /// Changes stored fields of one user behind the interface's back, as a colleague in the web interface would; `user`
    /// is an id or a username. Used to make drift.
    ///
    /// # Errors
    /// Where there is no such user or field.
    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String>;

    /// Lets a user sign in interactively. `user` is an id or a username.
    ///
    /// # Errors
    /// Where she cannot.
    fn login(&self, user: &str, peers: &Peers) -> Result<Value, String> {
        let _ = (user, peers);
        Err("nobody signs in to this simulator".to_owned())
    }

    /// What another system reads of this user when she signs in there through this one.
    fn identity(&self, id: &str) -> Option<SignedIn> {
        let _ = id;
        None
    }

    /// The same, of whoever types this username here, or has this id; no other system may know her yet.
    fn identity_of(&self, user: &str) -> Option<SignedIn> {
        self.identity(user)
    }

    /// Adds invented people beside those of the seed, who keep their places whatever numbers the others have.
    fn populate(&self, people: &[people::Invented]);
}

/// What a login provider tells about a user who signs in through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Her immutable id there.
    pub id: String,
    /// What she signs in with.
    pub username: String,
    /// Her address.
    pub email: String,
    /// Her full name.
    pub name: String,
    /// False: the login provider turns the user away.
    pub allowed: bool,
}

/// The other simulators, by kind (`gitlab`).
#[derive(Clone, Default)]
pub struct Peers(pub(crate) BTreeMap<String, Arc<dyn Simulator>>);

/// The simulator of a kind of one's own; handed to [`crate::run_with`].
#[derive(Clone, Copy)]
pub struct Simulation {
    /// The word after `kind =`.
    pub kind: &'static str,
    /// Makes one from `lab/<system>.json`: an empty object where there is no such file.
    pub make: fn(&Value) -> Result<Arc<dyn Simulator>, String>,
}

/// One simulator to start.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// The configured name.
    pub(crate) system: String,
    /// The configured kind.
    pub(crate) kind: String,
    /// The kind of token the configuration says it uses.
    pub(crate) token_kind: String,
    /// The content of `lab/<system>.json`; an empty object where there is none.
    pub(crate) seed: Value,
}

/// Where a simulator is and how to get in: what `.homeward/lab.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) kind: String,
    pub(crate) url: String,
    /// The token the configuration would use.
    pub(crate) token: String,
    /// Tokens by kind, for configurations that use another.
    pub(crate) tokens: BTreeMap<String, String>,
}

/// The kinds of tokens a lab gives.
const TOKEN_KINDS: [&str; 4] = ["personal", "oauth", "bot", "session"];

/// Why a lab cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    #[error("the seed of `{system}` is wrong: {cause}")]
    Seed { system: String, cause: String },
    #[error("no port could be opened on loopback")]
    Port(#[from] std::io::Error),
}

/// A lab that runs as long as this value lives.
pub(crate) struct Lab {
    /// The simulators by the names of the systems they stand for.
    pub(crate) systems: BTreeMap<String, Address>,
    servers: Vec<tokio::task::JoinHandle<()>>,
    fronts: BTreeMap<String, Front>,
    /// Told when somebody asked the lab to stop.
    pub(crate) stop: Arc<Notify>,
}

#[cfg(test)]
impl Lab {
    /// Sets the faults of a system.
    pub(crate) fn disturb(&self, system: &str, program: &Value) {
        self.fronts[system].chaos.set(program).unwrap();
    }

    /// Lifts the faults of a system and tells which were met.
    pub(crate) fn calm(&self, system: &str) -> Value {
        self.fronts[system].chaos.lift();
        self.fronts[system].chaos.told()["injected"].clone()
    }

    /// Everything a simulator holds.
    pub(crate) fn state(&self, system: &str) -> Value {
        self.fronts[system].simulator.dump()
    }

    /// What a simulator was asked.
    pub(crate) fn asked(&self, system: &str) -> Vec<Value> {
        self.fronts[system].asked().iter().map(|asked| json!(asked)).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// The simulator of a kind; `None` where there is none.
fn simulator(kind: &str, seed: &Value) -> Option<Result<Arc<dyn Simulator>, String>> {
    fn made<S: Simulator + 'static>(made: Result<S, String>) -> Result<Arc<dyn Simulator>, String> {
        made.map(|simulator| Arc::new(simulator) as Arc<dyn Simulator>)
    }
    Some(match kind {
        "discourse" => made(discourse::Discourse::new(seed)),
        "gitlab" => made(gitlab::Gitlab::new(seed)),
        "mattermost" => made(mattermost::Mattermost::new(seed)),
        "nextcloud" => made(nextcloud::Nextcloud::new(seed)),
        "scim" => made(scim::Scim::new(seed)),
        "wordpress" => made(wordpress::Wordpress::new(seed)),
        "zitadel" => made(zitadel::Zitadel::new(seed)),
        _ => return None,
    })
}

/// Starts a simulator for each bench that there is one for, shipped or of one's own, each on a port of its own, with so
/// many invented people.
#[expect(clippy::unused_async, reason = "it can only be called where there is a runtime for its servers")]
pub(crate) async fn start(benches: &[Bench], people: u64, own: &[Simulation]) -> Result<Lab, LabError> {
    let mut made = Vec::new();
    let mut peers = Peers::default();
    let invented = people::people(people);
    for bench in benches {
        let own = own.iter().find(|own| own.kind == bench.kind).map(|own| (own.make)(&bench.seed));
        let Some(simulator) = own.or_else(|| simulator(&bench.kind, &bench.seed)) else { continue };
        let simulator = simulator.map_err(|cause| LabError::Seed { system: bench.system.clone(), cause })?;
        simulator.populate(&invented);
        peers.0.insert(bench.kind.clone(), Arc::clone(&simulator));
        made.push((bench, simulator));
    }
    let mut lab = Lab { systems: BTreeMap::new(), servers: Vec::new(), fronts: BTreeMap::new(), stop: Arc::default() };
    for (bench, simulator) in made {
        let (place, door) = Place::open()?;
        let url = format!("http://{}", place.address());
        simulator.served_at(&url);
        let token = simulator.token(&bench.token_kind);
        let tokens = TOKEN_KINDS.iter().map(|kind| ((*kind).to_owned(), simulator.token(kind))).collect();
        lab.systems.insert(bench.system.clone(), Address { kind: bench.kind.clone(), url, token, tokens });
        let front = Front {
            kind: bench.kind.clone(),
            simulator,
            peers: peers.clone(),
            asked: Arc::default(),
            chaos: Arc::new(Chaos::none(&bench.system)),
            door,
            stop: Arc::clone(&lab.stop),
        };
        lab.servers.push(tokio::spawn(place.serve(routes(&front))));
        lab.fronts.insert(bench.system.clone(), front);
    }
    Ok(lab)
}

/// What was asked of one simulator.
#[derive(Clone, Debug, Serialize)]
struct Asked {
    method: String,
    path: String,
    body: Value,
    /// 0: no whole answer was sent.
    status: u16,
    /// What it met, where it met something.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<chaos::Kind>,
    /// Whether a request that met a fault changed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<bool>,
}

#[derive(Clone)]
struct Front {
    /// The kind of the provider.
    kind: String,
    simulator: Arc<dyn Simulator>,
    peers: Peers,
    asked: Arc<Mutex<Vec<Asked>>>,
    chaos: Arc<Chaos>,
    door: Door,
    stop: Arc<Notify>,
}

impl Front {
    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn routes(front: &Front) -> Router {
    let simulator = &front.simulator;
    let provider =
        Arc::clone(simulator).router().layer(axum::middleware::from_fn_with_state(front.clone(), write_down));
    let lab = Router::new()
        .route("/_lab/state", get(async |State(front): State<Front>| Json(front.simulator.dump())))
        .route("/_lab/settings", post(settings))
        .route("/_lab/meddle/{user}", post(meddle))
        .route("/_lab/login/{user}", post(login))
        .route("/_lab/requests", get(requests).delete(forget))
        .route("/_lab/chaos", get(injected).post(disturb).delete(lift))
        .route("/_lab/stop", post(end))
        .with_state(front.clone())
        .merge(Arc::clone(simulator).lab_router());
    lab.fallback_service(provider)
}

async fn settings(State(front): State<Front>, Json(wanted): Json<Value>) -> Response {
    told(front.simulator.configure(&wanted).map(|()| json!({ "ok": true })))
}

async fn meddle(State(front): State<Front>, Path(user): Path<String>, Json(fields): Json<Value>) -> Response {
    told(front.simulator.meddle(&user, &fields).map(|()| json!({ "ok": true })))
}

async fn login(State(front): State<Front>, Path(user): Path<String>) -> Response {
    told(front.simulator.login(&user, &front.peers))
}

async fn end(State(front): State<Front>) -> Json<Value> {
    front.stop.notify_one();
    Json(json!({ "ok": true }))
}

async fn requests(State(front): State<Front>) -> Json<Value> {
    Json(json!(*front.asked()))
}

async fn forget(State(front): State<Front>) -> Json<Value> {
    front.asked().clear();
    Json(json!({ "ok": true }))
}

async fn disturb(State(front): State<Front>, Json(program): Json<Value>) -> Response {
    told(front.chaos.set(&program).map(|()| json!({ "ok": true })))
}

async fn injected(State(front): State<Front>) -> Json<Value> {
    Json(front.chaos.told())
}

async fn lift(State(front): State<Front>) -> Json<Value> {
    front.chaos.lift();
    Json(json!({ "ok": true }))
}

fn told(answer: Result<Value, String>) -> Response {
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response(),
    }
}

/// Keeps what was asked, bodies included, so that a test can say exactly what a run sent.
async fn write_down(State(front): State<Front>, request: Request, next: Next) -> Response {
    const LARGEST: usize = 16 * 1024 * 1024;
    let (parts, body) = request.into_parts();
    let method = parts.method.to_string();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| if bytes.is_empty() { Value::Null } else { String::from_utf8_lossy(&bytes).into() });
    let is_write = chaos::answer::is_write(&front.kind, &parts.method, parts.uri.path());
    let mut asked = Asked { method, path, body, status: 0, fault: None, effect: None };
    if let Some(met) = front.chaos.meet(is_write) {
        return injure(&front, met, asked, is_write, Request::from_parts(parts, Body::from(bytes)), next).await;
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    asked.status = response.status().as_u16();
    front.asked().push(asked);
    response
}

/// Lets a request meet its fault. What it meets is written down before the caller notices anything.
async fn injure(
    front: &Front,
    mut met: Met,
    mut asked: Asked,
    is_write: bool,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let acted = match met.when {
        chaos::When::Before => None,
        chaos::When::After => Some(next.clone().run(request).await),
    };
    let effect = is_write && acted.as_ref().is_some_and(|answer| answer.status().is_success());
    asked.status = chaos::answer::status(met.kind, acted.as_ref().map(Response::status));
    (asked.fault, asked.effect) = (Some(met.kind), Some(effect));
    front.chaos.met(&met, &asked.method, &asked.path, effect);
    let body = asked.body.clone();
    front.asked().push(asked);
    let state = front.simulator.dump();
    let users: Vec<String> = state["users"].as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect();
    let about = chaos::answer::Asked { kind: &front.kind, path: &path, body: &body, users: &users };
    let looked = match chaos::answer::looks_at(met.kind, &about) {
        Some(place) => {
            let mut question = Request::new(Body::empty());
            *question.uri_mut() = place.parse().unwrap_or_default();
            *question.headers_mut() = headers;
            question.headers_mut().remove(CONTENT_LENGTH);
            Some(next.run(question).await)
        }
        None => None,
    };
    chaos::answer::answer(&mut met, &about, acted, looked, &front.door).await
}
