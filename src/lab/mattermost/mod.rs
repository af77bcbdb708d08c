//! The Mattermost simulator: API v4 as `mattermost.md` has it, with a memory, refusals and all.
//!
//! This file is the way of a request: limiter, route, session, body, answer and headers. The rules are in the files beside
//! it, one per noun. It knows no other provider; at sign-in it asks a login provider by kind, and only for what that tells.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::Value;

use self::{
    answer::{Answer, AppError},
    asked::Asked,
    limiter::Verdict,
    server::Server,
    session::{Credential, Session},
};
use super::{Peers, SignedIn, Simulator, path::decoded, people::Invented};

mod account;
mod answer;
mod asked;
mod body;
mod channels;
mod clock;
mod directory;
mod limiter;
mod posts;
mod profile;
mod reading;
mod seed;
mod server;
mod session;
mod settings;
mod signin;
mod system;
mod teams;
mod user;

/// The largest body the server reads, in bytes.
const LARGEST_BODY: usize = 300_000;

/// One simulated Mattermost server.
pub(crate) struct Mattermost {
    server: Mutex<Server>,
    started: Instant,
}

impl Mattermost {
    /// The server a seed describes; the error names the field that is wrong.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { server: Mutex::new(seed::plant(seed)?), started: Instant::now() })
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Simulator for Mattermost {
    fn router(self: Arc<Self>) -> Router {
        Router::new().route("/api/v4", any(serve)).route("/api/v4/{*rest}", any(serve)).with_state(self)
    }

    fn token(&self, kind: &str) -> String {
        let server = self.server();
        let token = server.our_tokens.get(kind).or_else(|| server.our_tokens.get("personal"));
        token.cloned().unwrap_or_default()
    }

    fn dump(&self) -> Value {
        self.server().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut server = self.server();
        server.settings = server.settings.merged(settings)?;
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        let mut server = self.server();
        let fields = seed::Fields::read("user", fields)?;
        if fields.names_an_id() {
            return Err("user.id: an id never changes".to_owned());
        }
        let old = server.users.named(user).cloned().ok_or_else(|| format!("nobody is called `{user}`"))?;
        let mut new = old.clone();
        fields.put_into(&mut new);
        if new.auth_service.is_empty() {
            new.auth_data = None;
        }
        new.update_at = server.clock.tick();
        if !new.is_active() {
            server.sessions.revoke(&new.id);
        }
        server.users.put(new).map_err(|taken| format!("user.{}: somebody else has it", taken.name()))
    }

    fn login(&self, user: &str, peers: &Peers) -> Result<Value, String> {
        let known = self.server().users.named(user).cloned();
        let service = known.as_ref().map_or("gitlab", |known| known.auth_service.as_str());
        match &known {
            Some(known) if service != "gitlab" => return signin::by_account(&mut self.server(), known),
            _ => {}
        }
        // The lock is free while the other simulator is asked: it may be asking us.
        let provider = peers.0.get(service);
        let id = known.as_ref().and_then(|known| known.auth_data.as_deref());
        let who = provider.and_then(|provider| match id {
            Some(id) => provider.identity(id),
            None => provider.identity_of(user),
        });
        let who = who.ok_or_else(|| match id {
            Some(id) => format!("{service} knows nobody with the id `{id}`"),
            None => format!("neither this server nor {service} knows `{user}`"),
        })?;
        signin::by_provider(&mut self.server(), service, &who)
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let server = self.server();
        let user = server.users.named(id)?;
        Some(SignedIn {
            id: user.id.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.full_name(),
            allowed: user.is_active(),
        })
    }

    fn populate(&self, people: &[Invented]) {
        let mut server = self.server();
        let service = server.settings.populate_auth_service.clone().filter(|service| !service.is_empty());
        for person in people {
            let mut user = seed::fresh(&mut server, clock::id("invented", person.number), &person.username);
            user.email.clone_from(&person.email);
            person.first_name.clone_into(&mut user.first_name);
            person.last_name.clone_into(&mut user.last_name);
            match &service {
                Some(service) => {
                    user.auth_service.clone_from(service);
                    // GitLab's own ids begin with its administrator, who is nobody's invention.
                    user.auth_data = Some((person.number + 1).to_string());
                }
                None => seed::PASSWORD.clone_into(&mut user.password),
            }
            // Somebody the seed named is not invented again.
            let _ = server.users.put(user);
        }
    }
}

/// A route: what it does, and whether it does it without a session.
enum Route {
    Open(fn(&mut Server, &Asked, Option<&Session>) -> Result<Answer, AppError>),
    Closed(fn(&mut Server, &Asked, &Session) -> Result<Answer, AppError>),
}

/// The route of a request. Ids in a path are letters and digits; anything else leads nowhere.
fn route(method: &str, path: &[&str]) -> Option<Route> {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let is_at = |at: usize| path.get(at).is_some_and(|part| word(part));
    let found = match (method, path) {
        ("GET", ["system", "ping"]) => Route::Open(system::ping),
        ("GET", ["config", "client"]) => Route::Open(system::client_config),
        ("GET", ["config"]) => Route::Closed(system::config),

        ("POST", ["users", "login"]) => Route::Open(account::login),
        ("POST", ["users", "email", "verify"]) => Route::Open(profile::verify),
        ("POST", ["users", "ids"]) => Route::Closed(reading::by_ids),
        ("POST", ["users", "usernames"]) => Route::Closed(reading::by_usernames),
        ("POST", ["users", "search"]) => Route::Closed(reading::search),
        ("GET", ["users", "username", username]) if name(username) => Route::Closed(reading::by_username),
        ("GET", ["users", "email", email, ..]) if !email.is_empty() => Route::Closed(reading::by_email),
        ("GET", ["users", "stats"]) => Route::Closed(reading::stats),
        ("GET", ["users"]) => Route::Closed(reading::list),
        ("POST", ["users"]) => Route::Open(account::create),
        ("GET", ["users", _]) if is_at(1) => Route::Closed(reading::by_id),
        ("PUT", ["users", _]) if is_at(1) => Route::Closed(profile::update),
        ("DELETE", ["users", _]) if is_at(1) => Route::Closed(account::delete),
        ("PUT", ["users", _, "patch"]) if is_at(1) => Route::Closed(profile::patch),
        ("PUT", ["users", _, "active"]) if is_at(1) => Route::Closed(account::set_active),
        ("PUT", ["users", _, "roles"]) if is_at(1) => Route::Closed(account::set_roles),
        ("PUT", ["users", _, "auth"]) if is_at(1) => Route::Closed(account::set_auth),
        ("PUT", ["users", _, "password"]) if is_at(1) => Route::Closed(account::set_password),
        ("POST", ["users", _, "email", "verify", "member"]) if is_at(1) => Route::Closed(profile::verify_member),
        ("GET", ["users", _, "sessions"]) if is_at(1) => Route::Closed(account::sessions),
        ("POST", ["users", _, "sessions", "revoke", "all"]) if is_at(1) => Route::Closed(account::revoke_sessions),
        ("GET", ["users", _, "teams"]) if is_at(1) => Route::Closed(teams::of_user),
        ("GET", ["users", _, "teams", "members"]) if is_at(1) => Route::Closed(teams::memberships),

        ("GET", ["teams"]) => Route::Closed(teams::list),
        ("GET", ["teams", "name", team]) if name(team) => Route::Closed(teams::by_name),
        ("GET", ["teams", "name", team, "channels", "name", channel]) if name(team) && name(channel) => {
            Route::Closed(channels::by_names)
        }
        ("GET", ["teams", _]) if is_at(1) => Route::Closed(teams::by_id),
        ("GET", ["teams", _, "members"]) if is_at(1) => Route::Closed(teams::members),
        ("POST", ["teams", _, "members"]) if is_at(1) => Route::Closed(teams::add),
        ("POST", ["teams", _, "members", "ids"]) if is_at(1) => Route::Closed(teams::members_by_ids),
        ("POST", ["teams", _, "members", "batch"]) if is_at(1) => Route::Closed(teams::add_many),
        ("GET", ["teams", _, "members", _]) if is_at(1) && is_at(3) => Route::Closed(teams::member),
        ("DELETE", ["teams", _, "members", _]) if is_at(1) && is_at(3) => Route::Closed(teams::remove),
        ("PUT", ["teams", _, "members", _, "schemeRoles"]) if is_at(1) && is_at(3) => Route::Closed(teams::set_roles),
        ("GET", ["teams", _, "channels", "name", channel]) if is_at(1) && name(channel) => {
            Route::Closed(channels::by_name)
        }

        ("GET", ["channels", _, "members"]) if is_at(1) => Route::Closed(channels::members),
        ("POST", ["channels", _, "members"]) if is_at(1) => Route::Closed(channels::add),
        ("POST", ["channels", _, "members", "ids"]) if is_at(1) => Route::Closed(channels::members_by_ids),
        ("GET", ["channels", _, "members", _]) if is_at(1) && is_at(3) => Route::Closed(channels::member),
        ("DELETE", ["channels", _, "members", _]) if is_at(1) && is_at(3) => Route::Closed(channels::remove),

        ("POST", ["posts"]) => Route::Closed(posts::create),
        _ => return None,
    };
    Some(found)
}

/// One request, from the limiter to the headers.
async fn serve(State(mattermost): State<Arc<Mattermost>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await;
    let latency = Duration::from_millis(mattermost.server().settings.latency_ms);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }

    let mut server = mattermost.server();
    let verdict = server.settings.rate_limit.map(|rule| server.limiter.take(rule, mattermost.started.elapsed()));
    let mut response = match verdict {
        Some(Verdict { retry_after: Some(_), .. }) => {
            (StatusCode::TOO_MANY_REQUESTS, "limit exceeded\n").into_response()
        }
        _ => answer(&mut server, &parts.method, &parts.uri, &parts.headers, body.ok()),
    };
    if let Some(verdict) = verdict {
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-limit", verdict.limit.into());
        headers.insert("x-ratelimit-remaining", verdict.remaining.into());
        headers.insert("x-ratelimit-reset", verdict.reset.into());
        if let Some(seconds) = verdict.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
    }
    response
}

fn answer(
    server: &mut Server,
    method: &Method,
    uri: &axum::http::Uri,
    headers: &HeaderMap,
    body: Option<Bytes>,
) -> Response {
    let path = decoded(uri.path());
    let parts: Vec<&str> = path.trim_start_matches("/api/v4").trim_start_matches('/').split('/').collect();
    let Some(route) = route(method.as_str(), &parts) else {
        return json_response(StatusCode::NOT_FOUND, &AppError::no_route(&path).body(None));
    };
    let mut query = BTreeMap::new();
    for (key, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        query.entry(key.into_owned()).or_insert_with(|| value.into_owned());
    }
    let request_id = server.request_id();
    let credential = Credential::of(headers, *method == Method::GET, query.get("access_token").map(String::as_str));
    let answered = match body {
        None => Err(AppError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "api.context.request_body_too_large.app_error",
            "The request body is too large.",
        )),
        Some(body) => {
            let asked = Asked { path: parts.into_iter().map(str::to_owned).collect(), query, body };
            perform(server, &route, &asked, credential.as_ref())
        }
    };

    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let mut response = match &answered {
        Ok(Answer { etag: Some(etag), .. }) if known == Some(etag) => StatusCode::NOT_MODIFIED.into_response(),
        Ok(answer) => json_response(answer.status, &answer.body),
        Err(error) => json_response(error.status, &error.body(Some(&request_id))),
    };
    let mut put = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    };
    put(HeaderName::from_static("x-request-id"), &request_id);
    put(HeaderName::from_static("x-version-id"), &server.version_id());
    if *method == Method::GET {
        put(header::EXPIRES, "0");
    }
    if let Ok(answer) = answered {
        if let Some(etag) = answer.etag {
            put(header::ETAG, &etag);
        }
        if let Some(token) = answer.token {
            put(HeaderName::from_static("token"), &token);
        }
    }
    response
}

fn perform(
    server: &mut Server,
    route: &Route,
    asked: &Asked,
    credential: Option<&Credential>,
) -> Result<Answer, AppError> {
    let session = match credential {
        Some(credential) => server.sessions.of(credential, &server.users, &server.settings)?,
        None => None,
    };
    match route {
        Route::Open(handle) => handle(server, asked, session.as_ref()),
        Route::Closed(handle) => handle(server, asked, &session.ok_or_else(AppError::session_expired)?),
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let json = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, json)], body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A GitLab that knows one user, by number and by name.
    struct GitLab(SignedIn);

    impl Simulator for GitLab {
        fn router(self: Arc<Self>) -> Router {
            Router::new()
        }
        fn token(&self, _: &str) -> String {
            String::new()
        }
        fn dump(&self) -> Value {
            Value::Null
        }
        fn configure(&self, _: &Value) -> Result<(), String> {
            Ok(())
        }
        fn meddle(&self, _: &str, _: &Value) -> Result<(), String> {
            Ok(())
        }
        fn login(&self, _: &str, _: &Peers) -> Result<Value, String> {
            Ok(Value::Null)
        }
        fn identity(&self, id: &str) -> Option<SignedIn> {
            (id == self.0.id || id == self.0.username).then(|| self.0.clone())
        }
        fn populate(&self, _: &[Invented]) {}
    }

    fn peers() -> Peers {
        let who = SignedIn {
            id: "42".to_owned(),
            username: "gina.b".to_owned(),
            email: "gina@example.com".to_owned(),
            name: "Gina Gold".to_owned(),
            allowed: true,
        };
        Peers([("gitlab".to_owned(), Arc::new(GitLab(who)) as Arc<dyn Simulator>)].into())
    }

    #[test]
    fn a_gitlab_account_is_asked_for_at_gitlab() {
        let users = json!([{ "username": "gina", "auth_service": "gitlab", "auth_data": "42" }]);
        let chat = Mattermost::new(&json!({ "users": users })).unwrap();
        assert_eq!(chat.login("gina", &peers()).unwrap()["user"]["username"], "gina.b");
        assert_eq!(chat.login("gina.b", &peers()).unwrap()["changed"], json!([]));
        assert_eq!(chat.login("gina.b", &Peers::default()), Err("gitlab knows nobody with the id `42`".to_owned()));
    }

    #[test]
    fn somebody_only_gitlab_knows_gets_an_account() {
        let chat = Mattermost::new(&json!({})).unwrap();
        assert_eq!(chat.login("gina.b", &peers()).unwrap()["created"], true);
        assert_eq!(chat.login("42", &peers()).unwrap()["created"], false);
        let error = "neither this server nor gitlab knows `nobody`";
        assert_eq!(chat.login("nobody", &peers()), Err(error.to_owned()));
    }

    #[test]
    fn invented_people_may_come_from_gitlab() {
        let chat = Mattermost::new(&json!({ "settings": { "populate_auth_service": "gitlab" } })).unwrap();
        chat.populate(&crate::lab::people::people(3));
        let server = chat.server();
        let person = server.users.by_username("person000002").unwrap();
        assert_eq!((person.auth_service.as_str(), person.auth_data.as_deref()), ("gitlab", Some("3")));
    }
}
