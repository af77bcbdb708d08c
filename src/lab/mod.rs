//! The lab: simulators of every provider, real HTTP servers on loopback with a memory and bad days.
//!
//! Written from the contracts alone and sharing no code with the connectors, so that one mistake cannot hide the other.
//! A simulator that is kinder than the real server is a bug.

use std::{collections::BTreeMap, sync::Arc};

use axum::Router;
use serde_json::Value;

pub(crate) mod gitlab;
pub(crate) mod mattermost;
pub(crate) mod people;
pub(crate) mod zitadel;

/// One simulated provider.
pub(crate) trait Simulator: Send + Sync {
    /// The provider's whole interface. The routes under `/_lab/` are added around it.
    fn router(self: Arc<Self>) -> Router;

    /// A token for us: an administrator's (or a service user's with all rights), of the given kind where the provider
    /// knows kinds (`personal`, `oauth`, `bot`). Stable for one seed.
    fn token(&self, kind: &str) -> String;

    /// The whole state, secrets left out, in a stable order: what tests compare.
    fn dump(&self) -> Value;

    /// Changes settings while running: the same keys as `settings` in the seed.
    fn configure(&self, settings: &Value) -> Result<(), String>;

    /// Changes stored fields of one user behind the interface's back, as a colleague in the web interface would; `user`
    /// is an id or a username. Used to make drift.
    fn meddle(&self, user: &str, fields: &Value) -> Result<(), String>;

    /// Lets a user sign in interactively. `user` is an id or a username.
    fn login(&self, user: &str, peers: &Peers) -> Result<Value, String>;

    /// What another system reads of this user when she signs in there through this one.
    fn identity(&self, id: &str) -> Option<SignedIn>;

    /// Adds invented people.
    fn populate(&self, people: &[people::Invented]);
}

/// What a login provider tells about a user who signs in through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) id: String,
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) name: String,
    /// False: the login provider turns the user away.
    pub(crate) allowed: bool,
}

/// The other simulators, by kind (`gitlab`).
#[derive(Clone, Default)]
pub(crate) struct Peers(pub(crate) BTreeMap<String, Arc<dyn Simulator>>);
