//! Whether rules come to rest: can runs go on writing for ever although nobody changes anything any more?
//!
//! A [`Configuration`] is what can be known of rules and systems without running: who says what, who owns what, where
//! copies go, what comes by itself at a sign-in. [`certify`] either proves that every start comes to rest, or shows a
//! [`Trace`]: a start, and rounds that end where one of them began, with writes in between.
//!
//! What a round does is what `decide.rs` does, for one person. An owner states and others ask; a source that says state
//! says it again every round, one that says changes says what differs from what it last showed, and again while
//! something of it is open; between two rounds the person signs in wherever she can. It is assumed that calls which are
//! foretold to be taken are taken, that values are stored as foretold, and that accounts are neither made nor lost.
//! Nothing here knows a script: a condition is a fact about the person, or a function of the values it is known to read.

mod board;
mod restless;
mod search;
mod story;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use crate::model::{
    attribute::{AttributeName, Value},
    capability::Reads,
    id::SystemName,
    origin::{Because, Origin},
};

pub(crate) use self::{search::certify, story::tell};

/// What can be known of an ownership configuration without running it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) systems: BTreeMap<SystemName, System>,
    pub(crate) attributes: BTreeMap<AttributeName, Attribute>,
    /// Providers at which this person has no account. She gets none either.
    pub(crate) absent: BTreeSet<SystemName>,
}

/// A configured system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct System {
    /// How its records are meant; `None`: no records come from it.
    pub(crate) says: Option<Speaks>,
    /// Whether calls go to it.
    pub(crate) is_provider: bool,
}

/// How a source's records are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// Each value is what the source holds to be true now.
    State,
    /// Only what differs from the last time is said.
    Changes,
}

/// What is known of one attribute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attribute {
    /// Values worth trying. Two that are different show whatever two can show; a third shows what needs a bystander.
    pub(crate) values: Vec<Value>,
    /// The `owner` lines, first to last.
    pub(crate) owners: Vec<Owner>,
    /// Who gets a copy, and the line that says so; of what an attribute of one system is, that system.
    pub(crate) copies: BTreeMap<SystemName, Origin>,
    /// The sources that speak of it, and the line that says so.
    pub(crate) speakers: BTreeMap<SystemName, Origin>,
    /// The providers that hold it.
    pub(crate) holders: BTreeMap<SystemName, Holder>,
    /// What `route` and `refused` lines may answer, first to last.
    pub(crate) routes: Vec<Route>,
    /// The `account` lines, where this attribute is `active`: they alone say whether that system's account is on.
    pub(crate) accounts: BTreeMap<SystemName, Line>,
}

/// An `owner` line, as far as it speaks of one attribute.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) system: SystemName,
    pub(crate) line: Line,
}

/// An answer that a `route` or `refused` line may give to a change. Whether it does is not known: it may depend on where
/// the change was going, on the value there and on the new one, and is the same whenever these are.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Only of changes at this system; `None`: of any.
    pub(crate) at: Option<SystemName>,
    /// Only of changes that would be refused.
    pub(crate) is_of_refusals: bool,
    /// Where the change goes instead; nowhere, where it is dropped.
    pub(crate) to: Vec<SystemName>,
    pub(crate) origin: Origin,
}

/// A line with its condition.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// `None`: holds for everybody.
    pub(crate) condition: Option<Condition>,
    pub(crate) origin: Origin,
}

/// A condition, as far as it can be known from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Values it looks at that rounds may change. Whatever else it looks at stays the same from round to round.
    pub(crate) reads: Vec<Looks>,
    pub(crate) holds: Holds,
}

/// A value that a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Looks {
    /// The system whose account or record is looked at; `None`: the decided value.
    pub(crate) system: Option<SystemName>,
    pub(crate) attribute: AttributeName,
}

/// How a condition answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Anyhow, but always the same for the same values; without any values it is a fact about the person.
    Somehow,
    /// Where the one value that it reads is this one.
    Where(Value),
    /// Where it is not.
    Unless(Value),
}

/// How a provider holds an attribute.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub(crate) stores: Stores,
    /// What a call meets.
    pub(crate) answer: Answer,
    pub(crate) comes: Option<Comes>,
}

/// What a call for a change meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Takes,
    /// Refused, because it belongs elsewhere: whoever asked has their answer.
    Elsewhere,
    /// Refused otherwise: a source that says changes goes on asking.
    No,
}

/// An attribute that comes to accounts by themselves, when their holder signs in through another system. Whether a
/// person does is a fact about her.
#[derive(Clone, Debug)]
pub(crate) struct Comes {
    /// The system she signs in through.
    pub(crate) from: SystemName,
    /// Which part of which attribute there.
    pub(crate) reads: Reads,
    /// As what it arrives. Of yes and no, only a yes arrives: who is switched off cannot sign in.
    pub(crate) arrives: Stores,
    /// Whether the provider's connector knows.
    pub(crate) is_foreseen: bool,
    /// What a call meets at an account of somebody who does.
    pub(crate) answer: Answer,
}

/// What becomes of a text when it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stores {
    /// Blanks around it go.
    pub(crate) trimmed: bool,
    /// It becomes lower case.
    pub(crate) lower: bool,
    /// So many characters are kept.
    pub(crate) cut: Option<usize>,
}

impl Stores {
    /// The value as it is stored.
    pub(crate) fn of(self, value: &Value) -> Value {
        let Some(text) = value.as_text() else { return value.clone() };
        let text = if self.trimmed { text.trim() } else { text };
        let text = if self.lower { text.to_lowercase() } else { text.to_owned() };
        match self.cut {
            Some(most) => Value::text(&text.chars().take(most).collect::<String>()),
            None => Value::text(&text),
        }
    }
}

/// What [`certify`] found.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// From every start, runs come to rest.
    Free,
    /// From this start they do not.
    Oscillates(Box<Trace>),
    /// There are more starts than can be tried, and none that was tried goes on for ever.
    Unsure {
        /// How many were tried.
        tried: usize,
        /// The attributes in question.
        attributes: Vec<AttributeName>,
    },
}

/// A start from which rounds never end, and the rounds until they repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Trace {
    /// The attributes it is about: those that have something to do with each other.
    pub(crate) attributes: Vec<AttributeName>,
    /// What is so in the beginning. What is not listed makes no difference.
    pub(crate) start: Vec<Fact>,
    /// The rounds, in order. What follows the last one is as `repeats` began.
    pub(crate) rounds: Vec<Round>,
    /// The position of the round, from 0, that begins as the last one ends.
    pub(crate) repeats: usize,
}

/// Something that is so in the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// A condition answers so, now and later, whenever it sees this.
    Condition {
        #[serde(rename = "rule", serialize_with = "as_because")]
        origin: Origin,
        /// What it sees, one for each value it reads; `null` where there is none.
        sees: Vec<(String, Option<Value>)>,
        holds: bool,
    },
    /// A `route` or `refused` line gives this answer, or does not, whenever it is asked this.
    Route {
        #[serde(rename = "rule", serialize_with = "as_because")]
        origin: Origin,
        /// Where a change was going.
        system: SystemName,
        attribute: AttributeName,
        before: Option<Value>,
        after: Value,
        /// Where it goes instead.
        to: Vec<SystemName>,
        answers: bool,
    },
    /// She signs in to one system through the other, or does not.
    SignsIn { system: SystemName, through: SystemName, does: bool },
    /// A mere source's record; `null`: it says nothing of it.
    Record { system: SystemName, attribute: AttributeName, value: Option<Value> },
    /// What an account holds.
    Account { system: SystemName, attribute: AttributeName, value: Value },
    /// What a source that says changes showed the last time; `null`: something else than now.
    LastShown { system: SystemName, attribute: AttributeName, value: Option<Value> },
}

/// One round, and the sign-ins after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Round {
    /// What is said.
    pub(crate) said: Vec<Said>,
    /// What is written because of it.
    pub(crate) writes: Vec<Write>,
    /// What comes by itself afterwards, where it makes a difference.
    pub(crate) arrivals: Vec<Arrival>,
}

/// A source says something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Said {
    pub(crate) system: SystemName,
    pub(crate) attribute: AttributeName,
    pub(crate) value: Value,
    #[serde(rename = "rule", serialize_with = "as_because")]
    pub(crate) origin: Origin,
}

/// A provider is sent something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Write {
    pub(crate) system: SystemName,
    pub(crate) attribute: AttributeName,
    pub(crate) before: Value,
    pub(crate) after: Value,
    /// The lines that lead there: whose word counts, and where copies go.
    #[serde(serialize_with = "all_because")]
    pub(crate) because: Vec<Origin>,
}

/// A value comes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Arrival {
    pub(crate) system: SystemName,
    pub(crate) attribute: AttributeName,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) from: SystemName,
}

fn as_because<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    Because::from(origin).serialize(serializer)
}

fn all_because<S: Serializer>(origins: &[Origin], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(origins.iter().map(Because::from))
}
