//! The store: what must be remembered between runs, and the journal that permits every write.
//!
//! It knows no provider, no rule and no network. The journal's rule: an intent is durable before the request leaves,
//! the answer is durable before the next step.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{
    id::{CallId, SystemName},
    person::Link,
    plan::{Plan, Seen},
    refusal::Refusal,
};

pub(crate) mod lock;
pub(crate) mod sqlite;

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A request is about to leave. Durable before it does.
    Calling { call: CallId, attempt: u32, method: String, path: String },
    /// An answer came.
    Answered { call: CallId, attempt: u32, status: u16 },
    /// No answer came; the request may have had its effect.
    Unanswered { call: CallId, attempt: u32, cause: String },
    /// The call is over.
    Settled { call: CallId, outcome: Outcome },
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Done, and seen to be so.
    Done,
    /// The provider said no, or said yes and did not do it.
    Refused(Refusal),
    /// Not sent: the account no longer holds what the plan depends on. Names the attributes that moved.
    Moved(Vec<String>),
    /// Not sent: a call that must come before it did not succeed.
    Skipped(CallId),
    /// Sent, and nobody knows whether it had its effect.
    InDoubt(Refusal),
}

/// Why the store could not be used. Nothing is sent when it cannot be written down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("the state store {path} cannot be opened")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the folder of the state store {path} cannot be made")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("the state store could not be used")]
    Use(#[from] rusqlite::Error),
    #[error("the state store was written by a newer version (format {found}, this program knows {known})")]
    Newer { found: i64, known: i64 },
    #[error("the state store holds something unreadable")]
    Unreadable(#[from] serde_json::Error),
    #[error("another run is writing to {system} (lock {path})")]
    Locked { system: SystemName, path: PathBuf },
}

/// What is known of an operation that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was done.
    Done,
    /// It was about to leave, and what became of it was never written down.
    InDoubt,
}

/// What is remembered of people, for a run to begin with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// All ties between people and ids.
    pub(crate) links: Vec<Link>,
    /// The last thing each source showed of each key.
    pub(crate) seen: Vec<Seen>,
    /// Operations that were sent, by their marks.
    pub(crate) deeds: BTreeMap<String, Sent>,
}

/// One run as the store lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunSummary {
    pub(crate) id: i64,
    pub(crate) plan: String,
    pub(crate) started: String,
    pub(crate) finished: Option<String>,
    pub(crate) calls: u64,
    pub(crate) done: u64,
}

/// The store, whatever keeps it. `SQLite` today; another keeper implements the same words.
pub(crate) trait Store: Send + Sync {
    /// Everything a run starts from.
    fn memory(&self) -> Result<Memory, StateError>;

    /// Opens a run for this plan and gives its number. Durable on return.
    fn begin(&self, plan: &Plan, now: &str) -> Result<i64, StateError>;

    /// Writes one entry. Durable on return: an error here ends the run.
    fn append(&self, run: i64, entry: &Entry) -> Result<(), StateError>;

    /// Remembers ties, what sources showed, and operations that need not be done any more, and closes the run; all or
    /// nothing.
    fn settle(&self, run: i64, links: &[Link], seen: &[Seen], marks: &[&str], now: &str) -> Result<(), StateError>;

    /// Remembers ties as soon as they are known, such as the id of an account just created.
    fn link(&self, links: &[Link]) -> Result<(), StateError>;

    /// Remembers that the operation of this mark is about to be sent. Durable on return.
    fn sending(&self, mark: &str) -> Result<(), StateError>;

    /// Writes that a call is over, and with it what is known now of its operation: done, not done (`None`), or still in
    /// doubt. All or nothing, durable on return.
    fn over(&self, run: i64, entry: &Entry, mark: &str, sent: Option<Sent>) -> Result<(), StateError>;

    /// All runs, newest first.
    fn runs(&self) -> Result<Vec<RunSummary>, StateError>;

    /// One run: its plan, and its entries in the order they were written. `None` where there is no such run.
    fn run(&self, run: i64) -> Result<Option<(Plan, Vec<Entry>)>, StateError>;
}
