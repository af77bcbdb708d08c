//! The store: what must be remembered between runs, and the journal that permits every write.
//!
//! It knows no provider, no rule and no network. The journal's rule: an intent is durable before the request leaves,
//! the answer is durable before the next step.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use serde::{
    Deserialize, Serialize,
    de::{self, value::StrDeserializer},
};

use crate::model::{
    attribute::AttributeName,
    id::{AccountId, CallId, PersonId, SystemName},
    links::{Link, Links},
    plan::{KnownBy, OpenCreation, Plan, Seen},
    refusal::Refusal,
    tally::Tally,
};

pub(crate) mod expectation;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod progress;
pub(crate) mod scribe;
pub(crate) mod sqlite;
pub(crate) mod vault;

use self::{
    expectation::{Expectation, Expecting, FollowUps, Sight},
    journal::Verified,
    scribe::{Note, Receipt},
};

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The run begins, or its plan is kept for somebody to look at.
    Began { plan: String },
    /// What has become of the run, and who or what says so.
    Stands {
        standing: Standing,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        told: String,
        /// True where something is remembered from now on that was not known before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        news: bool,
    },
    /// A request is about to leave. Durable before it does.
    Calling { call: CallId, attempt: u32, method: String, path: String },
    /// An answer came.
    Answered { call: CallId, attempt: u32, status: u16 },
    /// No answer came; the request may have had its effect.
    Unanswered {
        call: CallId,
        attempt: u32,
        cause: String,
        /// False where the request certainly never left.
        #[serde(default = "truly", skip_serializing_if = "Clone::clone")]
        sent: bool,
    },
    /// The call is over.
    Settled { call: CallId, outcome: Outcome },
    /// Somebody says what became of a call in doubt: that it is done, or that it may be sent again.
    Told { call: CallId, done: bool, by: String },
    /// Somebody says that an account is this person's, or that it is not.
    Corrected { person: PersonId, system: SystemName, account: AccountId, is_hers: bool, by: String },
}

fn truly() -> bool {
    true
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
    #[error("the lock file {path} cannot be made or locked")]
    Lock { path: PathBuf, source: std::io::Error },
    #[error("no copy of the state store can be written to {path}")]
    Copy { path: PathBuf, source: std::io::Error },
    #[error("the state store could not be used")]
    Use(#[from] rusqlite::Error),
    #[error("the state store was written by a newer version (format {found}, this program knows {known})")]
    Newer { found: i64, known: i64 },
    #[error(transparent)]
    Together(std::sync::Arc<Self>),
    #[error("the state store {path} is not the file any more that was opened: it was removed, moved or replaced")]
    Gone { path: PathBuf },
    #[error("the state store was closed before it had written everything")]
    Unwritten,
    #[error("the state store holds something unreadable")]
    Unreadable(#[from] serde_json::Error),
    #[error("another run is writing to {system} (lock {path})")]
    Locked { system: SystemName, path: PathBuf },
}

impl StateError {
    /// What went wrong where several were waiting for it.
    pub(crate) fn root(&self) -> &Self {
        if let Self::Together(one) = self { one.root() } else { self }
    }

    /// True where the file holds something else than was written to it.
    pub(crate) fn is_damage(&self) -> bool {
        self.code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
    }

    /// True where the file is no store at all.
    pub(crate) fn is_strange(&self) -> bool {
        self.code() == Some(rusqlite::ErrorCode::NotADatabase)
    }

    fn code(&self) -> Option<rusqlite::ErrorCode> {
        let (Self::Open { source, .. } | Self::Use(source)) = self.root() else { return None };
        source.sqlite_error_code()
    }
}

/// What is known of an operation that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was done.
    Done,
    /// The run of this number was about to send it, and what became of it was never written down.
    InDoubt(i64),
}

/// Of whom runs leave something open, by run: sources and keys.
pub(crate) type LeftOpen = BTreeMap<i64, BTreeSet<(SystemName, Arc<str>)>>;

/// What is remembered of people, for a run to begin with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// All ties between people and ids.
    pub(crate) links: Links,
    /// What people said of ties.
    pub(crate) corrections: Corrections,
    /// The last thing each source showed of each key.
    pub(crate) seen: Vec<Seen>,
    /// What was said of keys of which something is still open, those of one key in the order in which they were said.
    pub(crate) open_words: Vec<Seen>,
    /// The same of plans that wait, of which nothing was sent.
    pub(crate) waiting_words: Vec<Seen>,
    /// Operations that were sent, by their marks.
    pub(crate) deeds: BTreeMap<String, Sent>,
    /// The last input of each source that was carried out.
    pub(crate) accepted: BTreeMap<SystemName, Accepted>,
    /// What is still to come by itself after earlier runs.
    pub(crate) expectations: Vec<Expectation>,
    /// Accounts that earlier runs may have made, of people who are tied to none there.
    pub(crate) open: Vec<OpenCreation>,
    /// Of whom something was set aside, and of what at which system: what is said of that now counts, even where it is so
    /// already. With the one source it is of, where it still waits and that source may take its place.
    pub(crate) waiting: BTreeMap<PersonId, BTreeMap<(SystemName, AttributeName), Option<SystemName>>>,
    /// The place of the journal's last entry before all this was read; 0 where there was none.
    pub(crate) place: i64,
}

/// What people said of ties. No run takes it back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Corrections {
    /// Whose accounts are, by somebody's word. They are ties as well.
    pub(crate) hers: Links,
    /// Whose accounts and records are not: those people are not found by these, whatever they hold.
    pub(crate) not_hers: Links,
    /// Those of them whose account was said to be somebody's then or later, or the record that they speak of: it is not found,
    /// and tells nobody apart.
    pub(crate) settled: Links,
}

/// Somebody's word on a tie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Correction<'a> {
    pub(crate) link: Link<'a>,
    /// False: it is not this person's.
    pub(crate) is_hers: bool,
    pub(crate) by: &'a str,
}

/// The last input of a source that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// The run that did.
    pub(crate) run: i64,
    /// When, ISO 8601.
    pub(crate) at: String,
    /// The day its rules saw, ISO 8601; empty where an older program wrote it.
    #[serde(default)]
    pub(crate) today: String,
    /// What it was called.
    pub(crate) file: String,
    /// Digest of its bytes, in hex.
    pub(crate) sha256: String,
    /// Records that were read.
    pub(crate) records: u64,
    /// Whether its last line had a line end.
    pub(crate) final_line_end: bool,
    pub(crate) columns: Vec<String>,
    /// The keys of its last lines.
    pub(crate) tail: Vec<String>,
    /// Its place among the inputs of its source, where its name said one.
    pub(crate) order: Option<String>,
    /// Under which conditions those of whom the next list says the same are not looked at; `None`: under none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) believed: Option<Settled>,
}

/// A list of which everything was carried out and nothing is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// [`crate::model::plan::Believed::basis`].
    pub(crate) basis: String,
    /// [`crate::model::plan::Believed::list`].
    pub(crate) list: KnownBy,
    /// When all its people had been looked at, ISO 8601: when the run that did was begun, this one or an earlier one.
    pub(crate) since: String,
    /// Who is looked at again in any case. Of whom it changed something: what rules make of their accounts as they are now,
    /// nobody has seen yet. And of whom a rule dropped something: that is told in each plan, and counts for `guard` lines.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub(crate) touched: BTreeSet<PersonId>,
    /// How many people the run that took it over was about.
    #[serde(default)]
    pub(crate) people: u64,
    /// The last entry of the journal when it was taken over: what others sent or learned behind it, this list may want
    /// otherwise.
    #[serde(default)]
    pub(crate) place: i64,
}

/// What has become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// It was begun; where nobody is at work on it, it broke off.
    Open,
    /// Everything of it was done, or there was nothing to do.
    Done,
    /// Some of its calls were not done.
    Partly,
    /// Its plan waits for somebody to approve it.
    Waiting,
    /// A limit or guard stopped its plan, until somebody approves it.
    Held,
    /// Somebody approved its plan, and nobody has carried it out yet.
    Approved,
    /// Somebody rejected its plan.
    Rejected,
    /// Its input could not be used.
    Refused,
    /// Its input was carried out before.
    Duplicate,
    /// A newer input took its place.
    Superseded,
    /// It broke off, and a later run did it.
    Redone,
    /// A limit set it aside: the rest of its plan was carried out, and nothing waits behind it but somebody's approval.
    Aside,
    /// Nobody settled it in time.
    Expired,
}

impl Standing {
    /// True for a run that waits for somebody to settle it.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Self::Waiting | Self::Held | Self::Aside)
    }

    /// The word for it in reports and in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Waiting => "waiting",
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Redone => "redone",
            Self::Aside => "aside",
            Self::Expired => "expired",
        }
    }

    /// The standing of this word.
    fn of(word: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<de::value::Error>::new(word)).ok()
    }
}

/// Where a run comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Occasion {
    /// The source whose input it is about; `None` where somebody gave inputs by hand.
    pub(crate) feed: Option<SystemName>,
    /// The inputs, as they are called.
    pub(crate) input: String,
    /// Digest of the input, where there is one.
    pub(crate) sha256: Option<String>,
}

/// True for the journal of a run that was set aside of another one.
pub(crate) fn was_set_aside(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| matches!(entry, Entry::Stands { standing: Standing::Aside, .. }))
}

/// A run that waits for somebody, or for being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) id: i64,
    pub(crate) standing: Standing,
    pub(crate) feed: Option<SystemName>,
    pub(crate) input: String,
}

/// One run as the store lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RunSummary {
    #[serde(rename = "run")]
    pub(crate) id: i64,
    pub(crate) plan: String,
    pub(crate) standing: Standing,
    pub(crate) feed: Option<SystemName>,
    pub(crate) input: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    pub(crate) started: String,
    pub(crate) finished: Option<String>,
    pub(crate) calls: u64,
    pub(crate) done: u64,
    /// Why it stands as it does, in a sentence; who settled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<String>,
}

/// What limits count across runs, as it is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Whom the runs of the window touched.
    pub(crate) tallies: Vec<Tally>,
    /// How many people are known to have an account at each system.
    pub(crate) people: BTreeMap<SystemName, u64>,
    /// The number of the last tally: with another one, something has been begun since.
    pub(crate) last: i64,
}

/// A run that begins as it was judged.
#[derive(Clone, Debug)]
pub(crate) struct Beginning<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) about: &'a Occasion,
    /// [`Counted::last`] when it was judged.
    pub(crate) counted: i64,
    /// What a limit took out of its plan.
    pub(crate) aside: Option<Aside<'a>>,
}

/// What a limit took out of a plan, kept as a run of its own.
#[derive(Clone, Debug)]
pub(crate) struct Aside<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) about: &'a Occasion,
    /// Why.
    pub(crate) told: &'a str,
}

/// What somebody said to a run that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    pub(crate) run: i64,
    /// The id of the plan it was said to: that plan and no other.
    pub(crate) plan: String,
    pub(crate) who: String,
    /// ISO 8601.
    pub(crate) at: String,
    pub(crate) word: Word,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    /// It may be carried out.
    Approved,
    /// It is never carried out.
    Rejected,
}

impl Word {
    fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// What came of somebody's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The run is settled by it.
    Settled,
    /// So many people have approved it, and that is not enough yet.
    Waits { approvals: u32 },
    /// The same person approved it before, and counts once.
    Again,
    /// The run does not wait for anybody, or has another plan.
    TooLate,
}

/// What a run leaves behind when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Settlement<'a> {
    /// The plan that was carried out.
    pub(crate) plan: &'a Plan,
    pub(crate) links: &'a Links,
    pub(crate) seen: &'a [Seen],
    /// What was said of those of whom something is left open; `None` where that is a later run's to say.
    pub(crate) open_words: Option<&'a [Seen]>,
    /// Operations that need not be done any more.
    pub(crate) marks: &'a [&'a str],
    /// [`Standing::Done`] or [`Standing::Partly`].
    pub(crate) standing: Standing,
    /// What is to come by itself now.
    pub(crate) follow_ups: &'a FollowUps,
}

/// What was removed from the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pruned {
    /// Runs whose plan and journal are gone.
    pub(crate) runs: u64,
    pub(crate) entries: u64,
}

/// A notice of a change that a website sent: whom it is about, and nothing of her.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) system: SystemName,
    /// The sender's id of the delivery.
    pub(crate) delivery: String,
    /// The source's key of the person.
    pub(crate) key: String,
    /// When it came, ISO 8601.
    pub(crate) received: String,
    /// True where another event may come under the same id: then one that comes again is no repetition.
    pub(crate) may_differ: bool,
}

/// The store, whatever keeps it. `SQLite` today; another keeper implements the same words.
pub(crate) trait Store: Send + Sync {
    /// Everything a run starts from.
    fn memory(&self) -> Result<Memory, StateError>;

    /// The same without what sources showed, which is most of it: for carrying out a plan that is made.
    fn ties(&self) -> Result<Memory, StateError>;

    /// Opens a run for a plan that was judged, keeps what a limit set aside of it, and gives its number; `None`, and nothing
    /// is written, where another run was begun since it was judged. Whom it touches counts from then on, whatever becomes
    /// of its calls. All or nothing, durable on return.
    fn begin_judged(&self, beginning: &Beginning<'_>, now: &str) -> Result<Option<i64>, StateError>;

    /// The same for a plan that nobody judged.
    #[cfg(test)]
    fn begin(&self, plan: &Plan, about: &Occasion, now: &str) -> Result<i64, StateError> {
        let beginning = Beginning { plan, about, counted: i64::MAX, aside: None };
        Ok(self.begin_judged(&beginning, now)?.unwrap_or_default())
    }

    /// What counts of runs that were begun at `since` (ISO 8601) or later, by this store's clock; of none without it. What a
    /// clock that was set back has left behind in the future counts too.
    fn counted(&self, since: Option<&str>) -> Result<Counted, StateError>;

    /// Writes what somebody said to a run that waits, and settles it where that is enough: `needed` approvals of different
    /// people, or one rejection. What nobody had to hold counts for later limits from its approval on. All or nothing,
    /// durable on return.
    fn say(&self, said: &Said, needed: u32) -> Result<Heard, StateError>;

    /// Remembers somebody's word on a tie as a run of its own, and gives its number: a person has one account at a system,
    /// and an account one person. `told` says it in a sentence. All or nothing, durable on return.
    fn correct(&self, correction: &Correction<'_>, told: &str, now: &str) -> Result<i64, StateError>;

    /// What was said to a run, in order.
    fn said(&self, run: i64) -> Result<Vec<Said>, StateError>;

    /// Keeps a run that is not carried out now, or never will be: held, refused, a duplicate. Durable on return.
    fn keep(
        &self,
        plan: Option<&Plan>,
        about: &Occasion,
        standing: Standing,
        told: &str,
        now: &str,
    ) -> Result<i64, StateError>;

    /// Changes what has become of a run that stands as `from` says; false, and nothing changed, where it does not.
    fn stand(&self, run: i64, from: &[Standing], to: Standing, told: &str, now: &str) -> Result<bool, StateError>;

    /// The last input of this source that was carried out.
    fn accepted(&self, system: &SystemName) -> Result<Option<Accepted>, StateError>;

    /// The same, if nothing is expected to come by itself, and what is believed of it, where anything is, has not been
    /// overtaken by a run since.
    fn at_rest(&self, system: &SystemName) -> Result<Option<Accepted>, StateError>;

    /// Lets go of what is believed of anybody: what was looked at was looked at too long ago, or nobody knows when.
    fn disbelieve(&self) -> Result<(), StateError>;

    /// What has become of a run; `None` where there is no such run.
    fn standing(&self, run: i64) -> Result<Option<Standing>, StateError>;

    /// The runs that wait for somebody, or for being carried out after somebody approved them, oldest first.
    fn unsettled(&self) -> Result<Vec<RunSummary>, StateError>;

    /// The same, as much of each as is told without looking into what is written of its calls: this is asked all the time.
    fn waits(&self) -> Result<Vec<Waits>, StateError>;

    /// The runs that broke off, were approved and not carried out, or left calls undone, oldest first.
    fn unfinished(&self) -> Result<Vec<RunSummary>, StateError>;

    /// Accounts that runs may have made, and nobody knows: [`Memory::open`].
    fn open_creations(&self) -> Result<Vec<OpenCreation>, StateError>;

    /// The runs that were begun and leave something open, each with the sources and keys of whom: nothing of them was settled
    /// by a later run.
    fn left_open(&self) -> Result<LeftOpen, StateError>;

    /// The runs after this one that have an input of one of these sources and stand as one of these, oldest first.
    fn later(&self, run: i64, sources: &[&SystemName], standings: &[Standing]) -> Result<Vec<i64>, StateError>;

    /// The sources of a run's inputs: known for longer than its plan.
    fn sources(&self, run: i64) -> Result<Vec<SystemName>, StateError>;

    /// As [`Store::later`], for inputs of sources whose names begin so.
    fn later_of(&self, run: i64, beginning: &str, standings: &[Standing]) -> Result<Vec<i64>, StateError>;

    /// The last run about this input of this source that has a say about it: not one that broke off.
    fn about(&self, feed: &SystemName, sha256: &str) -> Result<Option<RunSummary>, StateError>;

    /// The last run that carried out this input of this source, at least in part, whatever was said of it since.
    fn used(&self, feed: &SystemName, sha256: &str) -> Result<Option<RunSummary>, StateError>;

    /// The accounts that people are tied to by this run.
    fn tied_by(&self, run: i64) -> Result<Links, StateError>;

    /// Earlier runs of the input of `by` that broke off, each done again by it: but for those that may have made an
    /// account of which nobody knows, which are done again once `by` has settled that.
    fn redone(&self, by: i64, now: &str) -> Result<(), StateError>;

    /// Remembers a notice; false where its delivery is known already. Durable on return.
    fn notice(&self, notice: &Notice) -> Result<bool, StateError>;

    /// The notices of this source that are not dealt with, in the order they came.
    fn notices(&self, system: &SystemName) -> Result<Vec<Notice>, StateError>;

    /// These notices are dealt with, as they were when they were read: one that came again since is not. Their deliveries
    /// stay known until they are older than `forget` (ISO 8601).
    fn dealt(&self, system: &SystemName, notices: &[Notice], forget: &str) -> Result<(), StateError>;

    /// Tells everybody how a feed fares; any text, replaced each time.
    fn fares(&self, feed: &SystemName, told: &str) -> Result<(), StateError>;

    /// A feed is not watched any more.
    fn unwatched(&self, feed: &SystemName) -> Result<(), StateError>;

    /// How the feeds fare, as they last told.
    fn feeds(&self) -> Result<BTreeMap<SystemName, String>, StateError>;

    /// Takes in something to write down and does not wait for the disk: it is durable once the receipt says so, and so is
    /// all that was handed in before it.
    fn note(&self, run: i64, note: Note) -> Receipt;

    /// Writes one entry. Durable on return: an error here ends the run.
    fn append(&self, run: i64, entry: &Entry) -> Result<(), StateError>;

    /// Remembers ties, what sources showed, operations that need not be done any more, what is to come by itself and the
    /// inputs that were accepted, and closes the run; all or nothing.
    fn settle(&self, run: i64, settlement: &Settlement<'_>, now: &str) -> Result<(), StateError>;

    /// What is still to come by itself, the oldest first.
    fn expectations(&self) -> Result<Vec<Expectation>, StateError>;

    /// At most so many of those whose number is greater than this, by number.
    fn expected_after(&self, id: i64, most: usize) -> Result<Vec<Expectation>, StateError>;

    /// How many there are, and how many of them should be there by now (ISO 8601).
    fn expecting(&self, now: &str) -> Result<Expecting, StateError>;

    /// What a run left to come by itself, with how it ended.
    fn expected_of(&self, run: i64) -> Result<Vec<Expectation>, StateError>;

    /// Writes down what was seen of expectations, by their numbers. Those that have ended stay as they ended.
    fn sighted(&self, sights: &[(i64, Sight)], now: &str) -> Result<(), StateError>;

    /// Writes that a call is over, and with it what is known now of its operation: done, not done (`None`), or still in
    /// doubt. All or nothing, durable on return.
    fn over(&self, run: i64, entry: &Entry, mark: &str, sent: Option<Sent>) -> Result<(), StateError>;

    /// Looks at the whole journal, whether it is what was written.
    fn verify(&self) -> Result<Verified, StateError>;

    /// Removes plans and journals of runs that were over before this time (ISO 8601), but for those of `keep`. That they were is still known, and
    /// with what: an input that comes again is still a duplicate.
    fn prune(&self, before: &str, keep: &[i64]) -> Result<Pruned, StateError>;

    /// All runs, newest first.
    fn runs(&self) -> Result<Vec<RunSummary>, StateError>;

    /// The newest runs, so many at most, newest first.
    fn newest(&self, limit: u32) -> Result<Vec<RunSummary>, StateError>;

    /// The last run about a feed's input.
    fn newest_of(&self, feed: &SystemName) -> Result<Option<RunSummary>, StateError>;

    /// One run as it is listed. `None` where there is no such run.
    fn summary(&self, run: i64) -> Result<Option<RunSummary>, StateError>;

    /// The plan of a run; `None` where there is no such run, or no plan in it.
    fn plan(&self, run: i64) -> Result<Option<Plan>, StateError>;

    /// The entries of a run, in the order they were written.
    fn entries(&self, run: i64) -> Result<Vec<Entry>, StateError>;

    /// One run: its plan, and its entries in the order they were written. `None` where there is no such run.
    fn run(&self, run: i64) -> Result<Option<(Plan, Vec<Entry>)>, StateError>;
}
