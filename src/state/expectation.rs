//! What is to come by itself after a run: a value that an account will take from where its holder signs in, and by when.
//!
//! A call proves itself by its answer. What follows has no answer, so it is remembered until it has been seen, or for as
//! long as it has not. Whether it has is judged elsewhere; here are only the words for it.

use serde::{
    Deserialize, Serialize,
    de::{self, value::StrDeserializer},
};

use crate::model::{
    attribute::{AttributeName, Value},
    id::{AccountId, PersonId, SystemName},
};

/// A value that an account should come to hold without a call of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Expectation {
    /// Its number in the store; 0 as long as it is not kept there.
    pub(crate) id: i64,
    pub(crate) person: PersonId,
    pub(crate) system: SystemName,
    pub(crate) account: AccountId,
    pub(crate) attribute: AttributeName,
    /// The system it comes from; `None` where the plan did not say.
    pub(crate) from: Option<SystemName>,
    /// What the account held when the plan was made.
    pub(crate) before: Value,
    /// What it should come to hold.
    pub(crate) value: Value,
    /// When it comes: `at the next sign-in through GitLab`.
    pub(crate) when: String,
    /// The run that brought it about.
    pub(crate) run: i64,
    /// When that was, ISO 8601.
    pub(crate) made: String,
    /// When it should have come at the latest, ISO 8601.
    pub(crate) deadline: String,
    /// What it was seen to hold last, where that is neither what it held before nor what it should come to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) became: Option<Value>,
    /// How it ended; `None` as long as it is open.
    #[serde(flatten)]
    pub(crate) ended: Option<Ended>,
}

/// The end of an expectation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ended {
    pub(crate) how: Ending,
    /// When, ISO 8601.
    #[serde(rename = "ended")]
    pub(crate) at: String,
}

/// How an expectation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    /// The account holds the value.
    Met,
    /// The deadline has passed, and the account holds a third value.
    Instead,
    /// A later run expects another value there.
    Replaced,
    /// A later run changed again what it was to come from.
    Withdrawn,
    /// There is no such account any more.
    Gone,
    /// Somebody said that the account is not hers.
    NotHers,
}

impl Ending {
    /// The word for it in the store and in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Instead => "instead",
            Self::Replaced => "replaced",
            Self::Withdrawn => "withdrawn",
            Self::Gone => "gone",
            Self::NotHers => "not_hers",
        }
    }

    /// The ending of this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<de::value::Error>::new(word)).ok()
    }
}

/// How much is still to come by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expecting {
    pub(crate) open: u32,
    pub(crate) overdue: u32,
}

/// What a run leaves to come by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FollowUps {
    /// What is expected from now on. One that is open already for the same value stays as it is, with its deadline: a
    /// source that says the same every night must not put it off for ever.
    pub(crate) made: Vec<Expectation>,
    /// Open expectations of what will not come any more, for its cause was changed again.
    pub(crate) withdrawn: Vec<i64>,
}

/// What was seen of an open expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It is over.
    Over(Ending),
    /// The account holds a third value, which may not be the last word before the deadline.
    Became(Value),
    /// The account holds what it held before, though another value was seen in between.
    AsBefore,
}
