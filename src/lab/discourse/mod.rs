//! The Discourse simulator: users, groups and `sync_sso` of its interface as `discourse.md` has them, with its limits.
//!
//! This file is the way of a request: weather, limits, who asks, route, headers. What each route does lies beside it. It
//! knows neither rules nor plans, and no other provider.
//!
//! | route of its own | does |
//! | --- | --- |
//! | `POST /_lab/confirm/{user}` | the person clicks in the last mail about an address: tells whether it changed |
//! | `POST /_lab/rest` | as if a long time had passed: every limit is as new |
//! | `DELETE /_lab/users/{user}` | deletes the user with this id or name, whatever she wrote |
//!
//! `POST /_lab/login/{user}` takes over what the system of `login_provider` says of her, as far as `auth_overrides_*` has
//! it. `POST /_lab/meddle/{user}` takes the fields of a seed's `users`.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{Path, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, post},
};
use serde_json::{Value, json};

use self::{
    answer::{Answer, Body},
    asked::Asked,
    caller::Caller,
    seed::Person,
    site::Site,
    user::User,
};
use super::{Peers, SignedIn, Simulator, people::Invented};

mod answer;
mod asked;
mod caller;
mod connect;
mod email;
mod groups;
mod limiter;
mod names;
mod preferences;
mod reading;
mod seed;
mod settings;
mod site;
mod standing;
mod user;
mod writing;

/// Bodies larger than this are not read.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// One simulated forum.
pub(crate) struct Discourse {
    site: Mutex<Site>,
}

impl Discourse {
    /// The forum a seed describes; the error names the field that is wrong.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { site: Mutex::new(seed::plant(seed)?) })
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delete(&self, user: &str) -> Result<Value, String> {
        let mut site = self.site();
        let id = site.found(user).ok_or_else(|| nobody(user))?;
        site.delete(id);
        Ok(json!({ "ok": true, "id": id }))
    }
}

fn nobody(user: &str) -> String {
    format!("nobody is called `{user}`")
}

/// The forum in a route of the lab.
type At = State<Arc<Discourse>>;

impl Simulator for Discourse {
    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn lab_router(self: Arc<Self>) -> Router {
        Router::new()
            .route(
                "/_lab/confirm/{user}",
                post(async |State(forum): At, Path(user): Path<String>| {
                    let changed = email::confirm(&mut forum.site(), &user);
                    super::told(changed.map(|changed| json!({ "ok": true, "changed": changed })))
                }),
            )
            .route(
                "/_lab/rest",
                post(async |State(forum): At| {
                    forum.site().limiter.clear();
                    Json(json!({ "ok": true }))
                }),
            )
            .route(
                "/_lab/users/{user}",
                delete(async |State(forum): At, Path(user): Path<String>| super::told(forum.delete(&user))),
            )
            .with_state(self)
    }

    fn token(&self, _: &str) -> String {
        seed::our_key(&self.site().ours)
    }

    fn dump(&self) -> Value {
        self.site().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut site = self.site();
        site.settings = site.settings.merged(settings)?;
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        let mut site = self.site();
        let id = site.found(user).ok_or_else(|| nobody(user))?;
        let person = Person::read("user", fields)?;
        if person.id.is_some() {
            return Err("user.id: it never changes".to_owned());
        }
        let mut changed = site.users.get(&id).cloned().unwrap_or_default();
        person.fill(&site, &mut changed).map_err(|error| format!("user.{error}"))?;
        let old = site.users.get(&id).map(|user| user.username.clone()).unwrap_or_default();
        writing::rekey(&mut site, &old, &changed.username);
        site.tick();
        site.users.insert(id, changed);
        Ok(())
    }

    fn login(&self, user: &str, peers: &Peers) -> Result<Value, String> {
        let (id, record, provider) = {
            let site = self.site();
            let id = site.found(user).ok_or_else(|| nobody(user))?;
            let user = site.users.get(&id).cloned().unwrap_or_default();
            if user.is_suspended() || !user.active {
                return Err("she may not sign in: her account is suspended or her address not confirmed".to_owned());
            }
            (id, user.record, site.settings.login_provider.clone())
        };
        let mut changed = Vec::new();
        if let (Some(record), Some(peer)) = (record, peers.0.get(&provider)) {
            let told = peer.identity(&record.id).ok_or_else(|| format!("{provider} knows nobody with her id"))?;
            if !told.allowed {
                return Err(format!("{provider} turns her away"));
            }
            changed = connect::sign_in(&mut self.site(), id, &told);
        }
        let site = self.site();
        Ok(connect::shown(site.users.get(&id).unwrap_or(&User::default()), &changed))
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let site = self.site();
        let user = site.users.get(&site.found(id)?)?;
        Some(SignedIn {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            allowed: user.active && !user.is_suspended(),
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut site = self.site();
        let names = site.users.values().map(|user| &user.username).chain(site.groups.values().map(|group| &group.name));
        let names: BTreeSet<String> = names.map(|name| name.to_lowercase()).collect();
        let held: Vec<User> = site.users.values().cloned().collect();
        for person in people {
            // Somebody the seed named is not invented again; no two who are invented have anything in common.
            if names.contains(&person.username) || held.iter().any(|user| user.holds(&person.email)) {
                continue;
            }
            let id = site.next_id;
            site.next_id += 1;
            let user = User {
                id,
                username: person.username.clone(),
                name: format!("{} {}", person.first_name, person.last_name),
                email: person.email.clone(),
                active: true,
                approved: true,
                created_at: site.tick(),
                ..User::default()
            };
            site.users.insert(id, user);
        }
    }
}

/// One request, from the address to the headers.
async fn serve(State(forum): State<Arc<Discourse>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let latency = Duration::from_millis(forum.site().settings.latency_ms);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let asked =
        Asked::read(&parts.method, parts.uri.path(), parts.uri.query().unwrap_or_default(), &parts.headers, &body);
    let answer = perform(&mut forum.site(), &asked);
    dressed(answer, &asked)
}

/// A request from the door to its answer.
fn perform(site: &mut Site, asked: &Asked) -> Answer {
    let caller = match Caller::enter(site, asked) {
        Ok(caller) => caller,
        Err(no) => return no,
    };
    let only_looks = matches!(asked.method, Method::GET | Method::HEAD);
    if site.settings.read_only && !only_looks {
        return Answer::read_only();
    }
    route(site, &caller, asked).unwrap_or_else(|no| no)
}

fn route(site: &mut Site, caller: &Caller, asked: &Asked) -> Result<Answer, Answer> {
    let parts: Vec<&str> = asked.parts.iter().map(String::as_str).collect();
    let number = |id: &str| id.parse::<i64>().map_err(|_| Answer::not_found());
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["session", "current"]) => Ok(reading::current(site, caller)),
        ("GET", ["u", "by-external", id]) => reading::by_external(site, caller, id),
        ("GET", ["u", "by-external", _, _]) => Ok(reading::by_provider(caller)),
        ("GET", ["u", name]) => reading::profile(site, caller, name),
        ("PUT", ["u", name]) => writing::update(site, caller, name, asked),
        ("GET", ["u", name, "emails"]) => reading::emails(site, caller, name),
        ("PUT", ["u", name, "preferences", "username"]) => writing::rename(site, caller, name, asked),
        ("PUT", ["u", name, "preferences", "email"]) => email::change(site, caller, name, asked),
        ("POST", ["u", name, "preferences", "email"]) => email::add(site, caller, name, asked),
        ("DELETE", ["u", name, "preferences", "email"]) => email::drop(site, caller, name, asked),
        ("PUT", ["u", name, "preferences", "primary-email"]) => email::prefer(site, caller, name, asked),
        ("GET", ["groups", name]) => groups::show(site, caller, name),
        ("GET", ["groups", name, "members"]) => groups::members(site, name, asked),
        ("PUT", ["groups", id, "members"]) => groups::add(site, caller, id, asked),
        ("DELETE", ["groups", id, "members"]) => groups::remove(site, caller, id, asked),
        ("POST", ["admin", "users", "sync_sso"]) => connect::sync(site, caller, asked),
        ("GET", ["admin", "users", "list", flag]) => reading::list(site, caller, flag, asked),
        ("GET", ["admin", "users", id]) => reading::detailed(site, caller, number(id)?),
        ("DELETE", ["admin", "users", id]) => standing::delete(site, caller, number(id)?),
        ("PUT", ["admin", "users", id, "suspend"]) => standing::suspend(site, caller, number(id)?, asked),
        ("PUT", ["admin", "users", id, "unsuspend"]) => standing::unsuspend(site, caller, number(id)?),
        ("PUT", ["admin", "users", id, "deactivate"]) => standing::deactivate(site, caller, number(id)?),
        ("PUT", ["admin", "users", id, "activate"]) => standing::activate(site, caller, number(id)?),
        ("PUT", ["admin", "users", id, "anonymize"]) => standing::anonymize(site, caller, number(id)?),
        ("POST", ["admin", "users", id, "log_out"]) => standing::log_out(site, caller, number(id)?),
        ("POST", ["admin", "users", id, "groups"]) => groups::put_in(site, caller, number(id)?, asked),
        ("DELETE", ["admin", "users", id, "groups", group]) => groups::take_out(site, caller, number(id)?, group),
        _ => Err(Answer::not_found()),
    }
}

/// An answer on its way out. Who does not ask for JSON gets pages.
fn dressed(answer: Answer, asked: &Asked) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let page = |title: &str| (title.to_owned(), "text/html; charset=utf-8");
    let (body, kind) = match answer.body {
        Body::Json(_) if !asked.wants_json && status.is_success() => page("<!DOCTYPE html>\n<html></html>\n"),
        Body::Json(_) if !asked.wants_json => page("<!DOCTYPE html>\n<html><title>Error</title></html>\n"),
        Body::Json(json) => (json.to_string(), "application/json; charset=utf-8"),
        Body::Text(text) => (text, "text/plain; charset=utf-8"),
        Body::Empty => (String::new(), "text/plain; charset=utf-8"),
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
