//! The SCIM simulator: a server of RFC 7643 and RFC 7644 with the paging of RFC 9865, as good or as odd as its settings
//! make it.
//!
//! This file is the way of a request: address, caller, body, headers. What each address answers lies beside it. It knows
//! neither rules nor plans, and no other provider. The interface is at the root, at `/v2` and at `/scim/v2`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use self::{
    door::{Answer, Asked},
    fault::Fault,
    schema::Kind,
    settings::Stranger,
    world::World,
};
use super::{Peers, SignedIn, Simulator, people::Invented};

mod bulk;
mod door;
mod fault;
mod filter;
mod listing;
mod patch;
mod schema;
mod seed;
mod settings;
mod validity;
mod world;

/// Bodies larger than this are not read.
const LARGEST_BODY: usize = 1_048_576;

/// One simulated server.
pub(crate) struct Scim {
    world: Mutex<World>,
}

impl Scim {
    /// The server a seed describes; the error names the field that is wrong.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { world: Mutex::new(seed::plant(seed)?) })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator for Scim {
    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn served_at(&self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.world().base);
    }

    fn token(&self, _: &str) -> String {
        self.world().token.clone()
    }

    fn dump(&self) -> Value {
        self.world().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut world = self.world();
        let settings = world.settings.merged(settings)?;
        world.configure(settings);
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        self.world().meddle(user, fields)
    }

    fn login(&self, user: &str, _: &Peers) -> Result<Value, String> {
        let world = self.world();
        let entry = world.named(user).ok_or_else(|| format!("nobody is called `{user}`"))?;
        // The server learns nothing about anybody who signs in.
        Ok(json!({ "id": entry.id, "username": entry.held.get("userName"), "changed": [] }))
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let world = self.world();
        let entry = world.named(id)?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(SignedIn {
            id: entry.id.clone(),
            username: text(entry.held.get("userName")),
            email: text(entry.held.get("emails").and_then(|all| all.get(0)).and_then(|first| first.get("value"))),
            name: world::display(Kind::User, &entry.held).unwrap_or_default(),
            allowed: entry.held.get("active") != Some(&Value::Bool(false)),
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut world = self.world();
        for person in people {
            let user = json!({
                "userName": person.username,
                "name": { "givenName": person.first_name, "familyName": person.last_name },
                "emails": [{ "value": person.email, "type": "work", "primary": true }],
                "active": true,
            });
            // Somebody the seed named is not invented again.
            if let Value::Object(held) = user {
                let _ = world.add(Kind::User, None, held);
            }
        }
    }
}

/// One request, from the address to the headers.
async fn serve(State(scim): State<Arc<Scim>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let latency = Duration::from_millis(scim.world().settings.latency_ms);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let body = to_bytes(body, LARGEST_BODY).await;
    let mut world = scim.world();
    let text = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::AUTHORIZATION) != Some(&format!("Bearer {}", world.token)) {
        return stranger(world.settings.stranger);
    }
    let Ok(body) = body else {
        let detail = "The size of the bulk operation exceeds the maxPayloadSize (1048576).";
        return written(Fault::new(413, detail).into(), &world);
    };
    let asked = read(parts.method.as_str(), parts.uri.path(), parts.uri.query(), &parts.headers, &body);
    let answer = match asked {
        Ok(asked) => door::answer(&mut world, &asked),
        Err(fault) => fault.into(),
    };
    written(answer, &world)
}

fn read(method: &str, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Asked, Fault> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = ["/scim/v2", "/v2"].iter().find_map(|folder| path.strip_prefix(folder)).unwrap_or(path);
    let body = if body.is_empty() {
        Value::Null
    } else {
        let kind = text(header::CONTENT_TYPE).unwrap_or_default().to_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !["application/scim+json", "application/json"].contains(&kind) {
            return Err(Fault::new(415, "A body is application/scim+json."));
        }
        serde_json::from_slice(body).map_err(|_| Fault::bad("invalidSyntax", "The body is no JSON."))?
    };
    Ok(Asked {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.unwrap_or_default().to_owned(),
        if_match: text(header::IF_MATCH),
        if_none_match: text(header::IF_NONE_MATCH),
        body,
    })
}

/// Whoever is not known is told so, by some servers in words of their own.
fn stranger(how: Stranger) -> Response {
    let detail = "Authorization failure. The authorization header is invalid or missing.";
    let (kind, body) = match how {
        Stranger::Scim => ("application/scim+json", Fault::new(401, detail).shown().to_string()),
        Stranger::Problem => {
            let problem = json!({ "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": detail });
            ("application/problem+json", problem.to_string())
        }
        Stranger::Text => ("text/plain; charset=utf-8", "Unauthorized\n".to_owned()),
    };
    let mut response = (StatusCode::UNAUTHORIZED, body).into_response();
    put(response.headers_mut(), header::CONTENT_TYPE, kind);
    put(response.headers_mut(), header::WWW_AUTHENTICATE, "Bearer");
    response
}

fn written(answer: Answer, world: &World) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let body = answer.body.map(|body| if status.is_success() { odd(body, world) } else { body });
    let mut response = match &body {
        Some(body) => (status, body.to_string()).into_response(),
        None => status.into_response(),
    };
    let told = response.headers_mut();
    if body.is_some() {
        put(told, header::CONTENT_TYPE, "application/scim+json");
    }
    if let Some(location) = answer.location {
        put(told, if answer.status == 201 { header::LOCATION } else { header::CONTENT_LOCATION }, &location);
    }
    if let Some(etag) = answer.etag {
        put(told, header::ETAG, &etag);
    }
    response
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// An answer as some servers write it.
fn odd(body: Value, world: &World) -> Value {
    let settings = &world.settings;
    if !settings.text_booleans && !settings.odd_case {
        return body;
    }
    spelt(body, settings.text_booleans, settings.odd_case)
}

fn spelt(value: Value, booleans: bool, case: bool) -> Value {
    match value {
        Value::Object(parts) => {
            let mut written = Map::new();
            for (name, value) in parts {
                let value = match value {
                    Value::Bool(active) if booleans && name == "active" => if active { "True" } else { "False" }.into(),
                    value => spelt(value, booleans, case),
                };
                let name = match name.as_str() {
                    name if !case => name.to_owned(),
                    "Resources" | "totalResults" | "startIndex" | "itemsPerPage" | "nextCursor" => name,
                    name if name.starts_with("urn:") => name.to_lowercase(),
                    name => name[..1].to_uppercase() + &name[1..],
                };
                written.insert(name, value);
            }
            written.into()
        }
        Value::Array(values) => values.into_iter().map(|value| spelt(value, booleans, case)).collect(),
        Value::String(text) if case && text.starts_with("urn:ietf:params:scim:schemas:") => text.to_uppercase().into(),
        other => other,
    }
}
