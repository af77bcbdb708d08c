//! The events of the must-use plugin: one per user and request, kept in order until somebody takes them
//! (`wordpress.md` 7). What they look like is here; how they travel is in `delivery.rs`.

use std::{collections::VecDeque, sync::Arc};

use base16ct::lower::encode_string as hex;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::{site::Site, user::User};

/// How many events wait at most; the oldest are lost.
const MOST_WAITING: usize = 1000;

/// How much is remembered of what was sent.
const MOST_REMEMBERED: usize = 10_000;

/// The names among the meta values that an event tells, before the keys of the site.
const NAMES: [&str; 3] = ["first_name", "last_name", "nickname"];

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Created,
    Updated,
    Deleted,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "user.created",
            Self::Updated => "user.updated",
            Self::Deleted => "user.deleted",
        }
    }
}

/// The first known state of the row of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row([(&'static str, String); 4]);

impl Row {
    pub(super) fn of(user: &User) -> Self {
        let [username, email, slug, name] = [&user.username, &user.email, &user.slug, &user.name].map(Clone::clone);
        Self([("username", username), ("email", email), ("slug", slug), ("name", name)])
    }
}

/// The hooks that fired, each once, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources(Vec<String>);

impl Sources {
    pub(super) fn add(&mut self, source: impl Into<String>) {
        let source = source.into();
        if !self.0.contains(&source) {
            self.0.push(source);
        }
    }
}

/// An event, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: &'static str,
    pub(super) user: u64,
    /// The exact bytes that are signed.
    pub(super) body: String,
}

/// One attempt to deliver an event.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) user_id: u64,
    pub(super) timestamp: i64,
    pub(super) signature: String,
    pub(super) body: String,
    /// What the receiver answered; `null` where it did not.
    pub(super) status: Option<u16>,
}

impl Delivery {
    pub(super) fn was_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// What waits and what was sent.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) waiting: VecDeque<Event>,
    told: VecDeque<Event>,
    deliveries: VecDeque<Delivery>,
    /// Told when there is something to send.
    pub(super) stirred: Arc<Notify>,
}

impl Outbox {
    fn put(&mut self, event: Event) {
        self.waiting.push_back(event);
        let surplus = self.waiting.len().saturating_sub(MOST_WAITING);
        self.waiting.drain(..surplus);
        self.stirred.notify_one();
    }

    /// Sends an event again: by its id, or by its number from 1 in the order of events.
    pub(super) fn again(&mut self, name: &str) -> Result<Value, String> {
        let by_number = || name.parse::<usize>().ok().and_then(|number| self.told.get(number.checked_sub(1)?));
        let event = self.told.iter().find(|event| event.id == name).or_else(by_number).cloned();
        let event = event.ok_or_else(|| format!("no event is called `{name}`"))?;
        let id = event.id.clone();
        self.put(event);
        Ok(json!({ "ok": true, "id": id }))
    }

    /// Notes what came of the first that waits.
    pub(super) fn settle(&mut self, delivery: Delivery) {
        if delivery.was_taken() && self.waiting.front().is_some_and(|event| event.id == delivery.id) {
            self.waiting.pop_front();
        }
        self.deliveries.push_back(delivery);
        let surplus = self.deliveries.len().saturating_sub(MOST_REMEMBERED);
        self.deliveries.drain(..surplus);
    }

    /// What waits, and every attempt in order.
    pub(super) fn shown(&self) -> Value {
        let waiting: Vec<&str> = self.waiting.iter().map(|event| event.id.as_str()).collect();
        json!({ "waiting": waiting, "deliveries": self.deliveries })
    }
}

/// A user as events tell her: `url` and roles too, and the meta values the plugin knows.
fn snapshot(user: &User, site: &Site) -> Value {
    let keys = NAMES.into_iter().chain(site.registered_keys().map(String::as_str));
    let meta: Map<String, Value> = keys.map(|key| (key.to_owned(), json!(user.meta_value(key)))).collect();
    json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "slug": user.slug,
        "name": user.name,
        "url": user.url,
        "roles": user.roles,
        "registered_date": user.registered_date,
        "meta": meta,
    })
}

impl Site {
    /// Tells that something happened to a user, where the plugin is set up: her state now (her last one, if she is
    /// gone), what of her row was different before, and which hooks said so.
    pub(super) fn tell(
        &mut self,
        kind: Kind,
        user: &User,
        before: Option<&Row>,
        sources: &Sources,
        actor: Option<(u64, String)>,
    ) {
        if self.settings.webhook.is_none() || sources.0.is_empty() {
            return;
        }
        let Row(now) = Row::of(user);
        let is_changed = |(was, is): &(&(&str, String), &(&str, String))| was.1 != is.1;
        let rows = before.filter(|_| kind == Kind::Updated).into_iter().flat_map(|Row(before)| before.iter().zip(&now));
        let previous: Map<String, Value> =
            rows.filter(is_changed).map(|((name, was), _)| ((*name).to_owned(), json!(was))).collect();
        let id = event_id();
        // An event is told to somebody who looks at the clock: this is the one time of the lab that is real.
        let occurred_at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let body = json!({
            "id": id,
            "type": kind.word(),
            "occurred_at": occurred_at,
            "site": format!("{}/", self.home),
            "actor": actor.map(|(id, username)| json!({ "id": id, "username": username })),
            "user_id": user.id,
            "user": snapshot(user, self),
            "previous": previous,
            "sources": sources.0,
        });
        let event = Event { id, kind: kind.word(), user: user.id, body: body.to_string() };
        self.outbox.told.push_back(event.clone());
        if self.outbox.told.len() > MOST_REMEMBERED {
            self.outbox.told.pop_front();
        }
        self.outbox.put(event);
    }
}

/// Never the same twice, not even in another lab: receivers drop what they have seen.
fn event_id() -> String {
    format!("evt_{}", hex(&rand::random::<[u8; 16]>()))
}
