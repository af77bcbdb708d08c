//! The WordPress simulator: the users' part of REST API v2 as `wordpress.md` has it, and the must-use plugin that sends
//! an event for each change of a user.
//!
//! This file is the way of a request: address, weather, caller, route, headers. What each route does lies beside it. It
//! knows neither rules nor plans, and no other provider.
//!
//! | route of its own | does |
//! | --- | --- |
//! | `POST /_lab/users` | makes a user, with the fields of a seed's `people`, as somebody in wp-admin would |
//! | `DELETE /_lab/users/{user}` | deletes the user with this id or login |
//! | `GET /_lab/deliveries` | the events that wait, and every attempt to deliver one with the receiver's status |
//! | `POST /_lab/redeliver/{event}` | sends an event again, named by its id or its number from 1 |
//!
//! `POST /_lab/meddle/{user}` takes the fields of a seed's `people`. A `username` changes as rename plugins do it, by
//! SQL and without a hook of core; `"events": false` makes the whole change one that nothing notices.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde_json::{Value, json};

use self::{
    address::Destination,
    asked::{Answer, Asked, Route},
    caller::Caller,
    change::Way,
    delivery::Errand,
    outbox::Delivery,
    query::Query,
    refusal::Refusal,
    seed::Person,
    site::Site,
};
use super::{Peers, SignedIn, Simulator, path::decoded, people::Invented};

mod address;
mod asked;
mod caller;
mod change;
mod delivery;
mod directory;
mod outbox;
mod params;
mod query;
mod reading;
mod refusal;
mod roles;
mod seed;
mod settings;
mod site;
mod user;
mod wording;
mod writing;

/// Bodies larger than this are not read.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// When answers that nobody may keep have expired.
const LONG_AGO: &str = "Wed, 11 Jan 1984 05:00:00 GMT";

/// One simulated site.
pub(crate) struct Wordpress {
    site: Mutex<Site>,
}

impl Wordpress {
    /// The site a seed describes; the error names the field that is wrong.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { site: Mutex::new(seed::plant(seed)?) })
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to deliver, where something waits and somebody wants it.
    fn errand(&self) -> Option<Errand> {
        let site = self.site();
        Some(Errand {
            event: site.outbox.waiting.front()?.clone(),
            webhook: site.settings.webhook.clone()?,
            agent: format!("WordPress/{}; {}", site.settings.version.text(), site.home),
            pause: Duration::from_millis(site.settings.webhook_retry),
        })
    }

    fn settle(&self, delivery: Delivery) {
        self.site().outbox.settle(delivery);
    }

    fn create(&self, fields: &Value) -> Result<Value, String> {
        let mut site = self.site();
        let person = Person::read("user", fields, &site)?;
        if let Some(key) = person.unchangeable() {
            return Err(format!("user.{key}: the site gives it"));
        }
        if !person.has_username() {
            return Err("user.username: a user needs one".to_owned());
        }
        let new = person.fields("user", None, &site)?;
        let way = if person.comes_from_outside() { Way::Outside } else { Way::Screen };
        let actor = administrator(&site);
        let id = change::create(&mut site, new, way, actor);
        site.users.edit(id, |user| user.posts = person.posts().unwrap_or_default());
        Ok(json!({ "ok": true, "id": id }))
    }

    fn delete(&self, user: &str) -> Result<Value, String> {
        let mut site = self.site();
        let id = site.named(user).map(|user| user.id).ok_or_else(|| nobody(user))?;
        let actor = administrator(&site);
        change::delete(&mut site, id, actor);
        Ok(json!({ "ok": true, "id": id }))
    }
}

impl Drop for Wordpress {
    fn drop(&mut self) {
        // So that the one who delivers sees that there is nothing left to deliver.
        self.site().outbox.stirred.notify_one();
    }
}

/// Who does what somebody does on the screens: the administrator who was there first.
fn administrator(site: &Site) -> Option<(u64, String)> {
    let first = site.users.all().find(|user| user.roles.iter().any(|role| role == roles::ADMINISTRATOR));
    first.map(|user| (user.id, user.username.clone()))
}

fn nobody(user: &str) -> String {
    format!("nobody is called `{user}`")
}

impl Simulator for Wordpress {
    fn router(self: Arc<Self>) -> Router {
        let stirred = Arc::clone(&self.site().outbox.stirred);
        // It ends with the site.
        tokio::spawn(delivery::run(Arc::downgrade(&self), stirred));
        Router::new().fallback(serve).with_state(self)
    }

    fn lab_router(self: Arc<Self>) -> Router {
        Router::new()
            .route(
                "/_lab/users",
                post(async |State(site): At, Json(fields): Json<Value>| super::told(site.create(&fields))),
            )
            .route(
                "/_lab/users/{user}",
                delete(async |State(site): At, Path(user): Path<String>| super::told(site.delete(&user))),
            )
            .route("/_lab/deliveries", get(async |State(site): At| Json(site.site().outbox.shown())))
            .route(
                "/_lab/redeliver/{event}",
                post(async |State(site): At, Path(event): Path<String>| super::told(site.site().outbox.again(&event))),
            )
            .with_state(self)
    }

    fn served_at(&self, url: &str) {
        url.trim_end_matches('/').clone_into(&mut self.site().home);
    }

    fn token(&self, _: &str) -> String {
        self.site().password.clone()
    }

    fn dump(&self) -> Value {
        self.site().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut site = self.site();
        site.settings = site.settings.merged(settings)?;
        if settings.get("rights").is_some() {
            site.take_rights();
        }
        // What waits may have somewhere to go now.
        site.outbox.stirred.notify_one();
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        let mut site = self.site();
        let id = site.named(user).map(|user| user.id).ok_or_else(|| nobody(user))?;
        let person = Person::read("user", fields, &site)?;
        if let Some(key) = person.unchangeable() {
            return Err(format!("user.{key}: it never changes"));
        }
        let changed = person.fields("user", Some(id), &site)?;
        let way = if person.comes_from_outside() { Way::Outside } else { Way::Screen };
        let actor = administrator(&site);
        if changed != change::Fields::default() {
            change::change(&mut site, id, changed, way, actor);
        }
        if let Some(posts) = person.posts() {
            site.users.edit(id, |user| user.posts = posts);
        }
        Ok(())
    }

    fn login(&self, user: &str, _: &Peers) -> Result<Value, String> {
        let site = self.site();
        let user = site.named(user).ok_or_else(|| nobody(user))?;
        // The site learns nothing about anybody who signs in.
        Ok(json!({ "id": user.id, "username": user.username, "email": user.email, "name": user.name, "changed": [] }))
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let site = self.site();
        let user = site.named(id)?;
        Some(SignedIn {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            allowed: true,
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut site = self.site();
        for person in people {
            // Somebody the seed named is not invented again.
            if site.users.by_login(&person.username).is_some() || site.users.by_email(&person.email).is_some() {
                continue;
            }
            let fields = change::Fields {
                username: Some(person.username.clone()),
                email: Some(person.email.clone()),
                first_name: Some(wording::name(person.first_name)),
                last_name: Some(wording::name(person.last_name)),
                ..change::Fields::default()
            };
            change::create(&mut site, fields, Way::Outside, None);
        }
    }
}

/// The site in a route of the lab.
type At = State<Arc<Wordpress>>;

/// One request, from the address to the headers.
async fn serve(State(wordpress): State<Arc<Wordpress>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let latency = Duration::from_millis(wordpress.site().settings.latency_ms);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let mut site = wordpress.site();
    let query = Query::read(parts.uri.query().unwrap_or_default());
    let mut response = bad_weather(&site, &parts.headers).unwrap_or_else(|| {
        match address::destination(&decoded(parts.uri.path()), &query, site.settings.permalinks) {
            Destination::Rest(path) => rest(&mut site, &path, query, &parts.method, &parts.headers, &body),
            Destination::Home => page(StatusCode::OK, "Homeward lab", &site),
            Destination::Nowhere => page(StatusCode::NOT_FOUND, "Page not found", &site),
            Destination::Elsewhere(path) => elsewhere(&path, parts.uri.query(), &site),
        }
    });
    if parts.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// What WordPress says before it looks at the address: it is being updated, or its database is away.
fn bad_weather(site: &Site, headers: &HeaderMap) -> Option<Response> {
    let (status, title, message, markup) = if site.settings.maintenance {
        let message = "Briefly unavailable for scheduled maintenance. Check back in a minute.";
        (503, "Maintenance", message.to_owned(), message.to_owned())
    } else if site.settings.database_down {
        let message = "<h1>Error establishing a database connection</h1>".to_owned();
        (500, "Database Error", message.clone(), message)
    } else {
        return None;
    };
    let takes_json = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.to_lowercase().contains("application/json")
    };
    let takes_json = takes_json(header::ACCEPT) || takes_json(header::CONTENT_TYPE);
    let (kind, body) = if takes_json {
        ("application/json; charset=UTF-8", Refusal::died(status, &message).body.to_string())
    } else {
        ("text/html; charset=UTF-8", document(title, &format!("<div class=\"wp-die-message\">{markup}</div>")))
    };
    let mut response = (StatusCode::from_u16(status).unwrap_or_default(), body).into_response();
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    put(told, header::EXPIRES, LONG_AGO);
    put(told, header::CACHE_CONTROL, site.settings.version.cache_control());
    if status == 503 {
        put(told, header::RETRY_AFTER, "600");
    }
    Some(response)
}

fn document(title: &str, content: &str) -> String {
    format!("<!DOCTYPE html>\n<html>\n<head><title>{title}</title></head>\n<body>{content}</body>\n</html>\n")
}

/// A page of the site: it tells in a header where the API is.
fn page(status: StatusCode, title: &str, site: &Site) -> Response {
    let mut response = (status, document(title, &format!("<h1>{title}</h1>"))).into_response();
    put(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=UTF-8");
    put(response.headers_mut(), header::LINK, &site.base().root_link());
    response
}

/// WordPress corrects the address of what it takes for a page.
fn elsewhere(path: &str, query: Option<&str>, site: &Site) -> Response {
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let mut response = StatusCode::MOVED_PERMANENTLY.into_response();
    put(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=UTF-8");
    put(response.headers_mut(), HeaderName::from_static("x-redirect-by"), "WordPress");
    put(response.headers_mut(), header::LOCATION, &format!("{}{path}{query}", site.home));
    response
}

/// An answer of the API with the headers that all of them have.
fn rest(site: &mut Site, path: &str, query: Query, method: &Method, headers: &HeaderMap, body: &[u8]) -> Response {
    let asked = Asked::read(method, query, headers, body);
    let caller = Caller::of(site, headers, asked.only_looks);
    let root = site.base().root_link();
    let answer = asked::perform(site, &caller, path, &asked);

    let status = StatusCode::from_u16(answer.status).unwrap_or_default();
    let mut response = (status, answer.body.to_string()).into_response();
    let told = response.headers_mut();
    put(told, header::CONTENT_TYPE, "application/json; charset=UTF-8");
    put(told, HeaderName::from_static("x-robots-tag"), "noindex");
    put(told, header::LINK, answer.link.as_deref().unwrap_or(&root));
    put(told, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(told, header::ACCESS_CONTROL_EXPOSE_HEADERS, "X-WP-Total, X-WP-TotalPages, Link");
    let accepted = "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type";
    put(told, header::ACCESS_CONTROL_ALLOW_HEADERS, accepted);
    for (name, value) in &answer.headers {
        put(told, HeaderName::from_static(name), value);
    }
    if !answer.allowed.is_empty() {
        put(told, header::ALLOW, &answer.allowed.join(", "));
    }
    if caller.is_signed_in() {
        put(told, header::EXPIRES, LONG_AGO);
        put(told, header::CACHE_CONTROL, site.settings.version.cache_control());
    } else if *method == Method::GET {
        put(told, header::VARY, "Origin");
    }
    shift(site, path, &answer);
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// Does what shall happen after this page of a list, and forgets it.
fn shift(site: &mut Site, path: &str, answer: &Answer) {
    let is_list = Route::of(path) == Some(Route::Users) && answer.status == 200;
    let Some(shift) = site.settings.shift.clone().filter(|shift| is_list && Some(shift.after_page) == answer.page)
    else {
        return;
    };
    site.settings.shift = None;
    let actor = administrator(site);
    if let Some(id) = shift.delete {
        change::delete(site, id, actor.clone());
    }
    if let Some(rename) = shift.rename {
        let fields = change::Fields { name: Some(wording::name(&rename.name)), ..change::Fields::default() };
        change::change(site, rename.id, fields, Way::Screen, actor.clone());
    }
    if let Some(fields) = shift.create
        && let Ok(person) = Person::read("shift.create", &fields, site)
        && let Ok(fields) = person.fields("shift.create", None, site)
    {
        change::create(site, fields, Way::Screen, actor);
    }
}
