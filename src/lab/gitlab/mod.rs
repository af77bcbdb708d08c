//! A GitLab for the lab: users with their keys and tokens, and members of groups, with state, refusals and silences, as
//! `gitlab.md` describes it.
//!
//! Self-managed, Community Edition. This file is the door and the list of routes; what each does lies beside it. It
//! shares nothing with the connector, and it knows neither rules nor plans.
//!
//! Time stands at a fixed epoch and moves one second with each change, so that the same calls give the same state.
//! Only the rate limits look at the real clock, because clients compare `RateLimit-Reset` with theirs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    RequestExt, Router,
    body::to_bytes,
    extract::{Path, Request},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use serde_json::{Value, json};

use super::{Peers, SignedIn, Simulator, people::Invented};
use asked::{Answer, Asked};
use door::Caller;
use seed::TokenKind;
use user::{State, User};
use world::{Holder, World};

mod addresses;
mod asked;
mod door;
mod entity;
mod groups;
mod keys;
mod members;
mod paging;
mod reading;
mod seed;
mod standing;
mod tokens;
mod user;
mod validity;
mod wish;
mod words;
mod world;
mod writing;

/// Bodies larger than this are refused.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// One endpoint: what is known, who asks, what, and the wall clock in seconds for limits.
type Endpoint = fn(&mut World, &Caller, &Asked, i64) -> Result<Answer, Answer>;

/// The simulated GitLab.
pub(crate) struct Gitlab {
    world: Mutex<World>,
}

impl Gitlab {
    /// A GitLab as the seed describes it; an empty seed gives one with nobody but `root`.
    pub(crate) fn new(seed: &Value) -> Result<Self, String> {
        Ok(Self { world: Mutex::new(World::new(seed)?) })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a request, lets it in and has it answered; the lock is never held while waiting.
    async fn serve(self: Arc<Self>, endpoint: Endpoint, mut request: Request) -> Response {
        let places: BTreeMap<String, String> =
            request.extract_parts().await.map(|Path(places)| places).unwrap_or_default();
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY).await else {
            return Answer::message(413, "413 Request Entity Too Large").into_response();
        };
        let latency = self.world().settings.latency_ms;
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        let answer = Asked::read(parts.method, &parts.uri, parts.headers, places, &body).and_then(|asked| {
            let wall = wall_seconds();
            let mut world = self.world();
            let caller = door::enter(&mut world, &asked, wall)?;
            if !asked.reads_only() {
                caller.must_be_somebody()?;
            }
            endpoint(&mut world, &caller, &asked, wall)
        });
        answer.unwrap_or_else(|refusal| refusal).into_response()
    }

    fn routes(self: &Arc<Self>) -> Router {
        let at = |way: fn(Handler) -> MethodRouter, endpoint: Endpoint| way(Handler(Arc::clone(self), endpoint));
        let reads = |endpoint| at(get, endpoint);
        let posts = |endpoint| at(post, endpoint);
        let puts = |endpoint| at(put, endpoint);
        let deletes = |endpoint| at(delete, endpoint);
        Router::new()
            .route("/api/v4/version", reads(reading::version))
            .route("/api/v4/metadata", reads(reading::version))
            .route("/api/v4/user", reads(reading::oneself))
            .route("/api/v4/users", reads(reading::list).merge(posts(writing::create)))
            .route(
                "/api/v4/users/{id}",
                reads(reading::one).merge(puts(writing::update)).merge(deletes(writing::delete)),
            )
            .route("/api/v4/users/{id}/status", reads(reading::status))
            .route("/api/v4/users/{id}/memberships", reads(reading::memberships))
            .route("/api/v4/users/{id}/emails", reads(addresses::list).merge(posts(addresses::add)))
            .route("/api/v4/users/{id}/emails/{email_id}", deletes(addresses::remove))
            .route("/api/v4/users/{id}/keys", reads(keys::list))
            .route("/api/v4/users/{id}/keys/{key_id}", reads(keys::one).merge(deletes(keys::remove)))
            .route("/api/v4/personal_access_tokens", reads(tokens::list))
            .route("/api/v4/personal_access_tokens/{id}", reads(tokens::one).merge(deletes(tokens::revoke)))
            .route("/api/v4/users/{id}/identities/{provider}", deletes(writing::unlink))
            .route("/api/v4/users/{id}/block", posts(standing::block))
            .route("/api/v4/users/{id}/unblock", posts(standing::unblock))
            .route("/api/v4/users/{id}/deactivate", posts(standing::deactivate))
            .route("/api/v4/users/{id}/activate", posts(standing::activate))
            .route("/api/v4/users/{id}/ban", posts(standing::ban))
            .route("/api/v4/users/{id}/unban", posts(standing::unban))
            .route("/api/v4/users/{id}/approve", posts(standing::approve))
            .route("/api/v4/users/{id}/reject", posts(standing::reject))
            .route("/api/v4/groups/{id}", reads(groups::one))
            .route("/api/v4/groups/{id}/members", reads(members::list).merge(posts(members::add)))
            .route("/api/v4/groups/{id}/members/all", reads(members::list_all))
            .route("/api/v4/groups/{id}/members/all/{user_id}", reads(members::one_of_all))
            .route(
                "/api/v4/groups/{id}/members/{user_id}",
                reads(members::one).merge(puts(members::update)).merge(deletes(members::remove)),
            )
            .method_not_allowed_fallback(async || Answer::message(405, "405 Method Not Allowed"))
            .fallback(async || Answer::error(404, "404 Not Found"))
    }
}

/// An endpoint together with the GitLab it belongs to.
#[derive(Clone)]
struct Handler(Arc<Gitlab>, Endpoint);

impl axum::handler::Handler<(), ()> for Handler {
    type Future = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, (): ()) -> Self::Future {
        let Self(gitlab, endpoint) = self;
        Box::pin(gitlab.serve(endpoint, request))
    }
}

#[expect(clippy::disallowed_methods, reason = "`RateLimit-Reset` is compared with the client's own clock")]
fn wall_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

impl Simulator for Gitlab {
    fn router(self: Arc<Self>) -> Router {
        self.routes()
    }

    fn token(&self, kind: &str) -> String {
        world::root_token(if kind == "oauth" { TokenKind::Oauth } else { TokenKind::Personal })
    }

    fn dump(&self) -> Value {
        self.world().dump()
    }

    fn configure(&self, settings: &Value) -> Result<(), String> {
        let mut world = self.world();
        world.settings = world.settings.with(settings)?;
        Ok(())
    }

    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String> {
        self.world().meddle(user, fields)
    }

    fn login(&self, user: &str, _: &Peers) -> Result<Value, String> {
        let mut world = self.world();
        let user = world.sign_in(user)?;
        Ok(
            json!({"id": user.id, "username": user.username, "email": user.email, "name": user.name, "state": user.state}),
        )
    }

    fn identity(&self, id: &str) -> Option<SignedIn> {
        let world = self.world();
        let user = world.user(id.parse().ok()?)?;
        Some(SignedIn {
            id: user.id.to_string(),
            username: user.username.clone(),
            email: user.email.clone(),
            name: user.name.clone(),
            allowed: user.state == State::Active,
        })
    }

    fn identity_of(&self, user: &str) -> Option<SignedIn> {
        let holder = self.world().name_holder(user);
        match holder {
            Some(Holder::User(id)) => self.identity(&id.to_string()),
            Some(Holder::Group(_)) | None => self.identity(user),
        }
    }

    fn populate(&self, people: &[Invented]) {
        let mut world = self.world();
        for person in people {
            world.welcome(User {
                id: person.number + 1,
                username: person.username.clone(),
                name: format!("{} {}", person.first_name, person.last_name),
                email: person.email.clone(),
                ..User::default()
            });
        }
    }
}
