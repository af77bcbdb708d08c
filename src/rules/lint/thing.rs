//! What is known of a value without running anything: a person, a text, one of these words, or nothing at all.
//!
//! Knowledge is only ever too small, never wrong: what cannot be told is [`Thing::Anything`], and nobody complains about
//! that. This file knows what things have; it does not know scripts.

use crate::model::{attribute::AttributeName, id::SystemName, refusal::RefusalKind};

use super::super::{known::Known, words::near};

/// What is known of one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Anything,
    /// `()`.
    Nothing,
    Text,
    Truth,
    Number,
    /// This text, written out.
    Said(String),
    /// This truth value, written out or computed from what is.
    Is(bool),
    /// This number.
    Count(i64),
    /// A text out of a list that is known.
    Word(Words),
    /// A record of this source.
    Row(SystemName),
    Person,
    /// What a system shows of a person.
    Account(SystemName),
    /// What one of the systems shows of a person.
    SomeAccount,
    Change,
    Refusal,
    Plan,
    /// An item of a list of a plan, or its summary: what it is called, and what it has.
    Part(&'static str, &'static [&'static str]),
    List(Box<Thing>),
    /// A map that is written out: where, and its keys in order.
    Map(Spot, Vec<Entry>),
    /// A map of which nothing is known.
    SomeMap,
    /// `to`, `hold` or `drop`.
    Action(&'static str),
    /// What `perform` gives.
    Performance,
    /// What `clear()` gives.
    Clear,
    /// One of these.
    OneOf(Vec<Thing>),
}

/// One key of a map that is written out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: Spot,
    pub(super) value: Thing,
}

/// A place: file, line, column.
pub(super) type Spot = (std::sync::Arc<str>, usize, usize);

/// A list of words that a value is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Words {
    Attribute,
    System,
    RefusalKind,
    Decision,
    Operation,
}

const KINDS: [RefusalKind; 9] = [
    RefusalKind::OwnedElsewhere,
    RefusalKind::Forbidden,
    RefusalKind::Taken,
    RefusalKind::Invalid,
    RefusalKind::NotFound,
    RefusalKind::RateLimited,
    RefusalKind::Unavailable,
    RefusalKind::Unsupported,
    RefusalKind::Ineffective,
];

impl Words {
    /// All words of the list.
    pub(super) fn all(self, known: &Known) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Attribute => known.attributes(),
            Self::System => known.systems.keys().map(ToString::to_string).collect(),
            Self::RefusalKind => KINDS.iter().map(ToString::to_string).collect(),
            Self::Decision => owned(&["apply", "follow", "refuse", "hold", "drop", "unchanged"]),
            Self::Operation => owned(&["create", "update", "disable", "enable", "perform"]),
        }
    }

    /// Whether the text is one of them.
    fn holds(self, known: &Known, text: &str) -> bool {
        let member_of_known = || {
            let set = AttributeName::new(text).set();
            set.is_some_and(|set| known.attribute(set.as_str()).is_some())
        };
        self.all(known).iter().any(|word| word == text) || (self == Self::Attribute && member_of_known())
    }

    /// What one of them is called.
    fn called(self) -> &'static str {
        match self {
            Self::Attribute => "an attribute",
            Self::System => "a configured system",
            Self::RefusalKind => "a kind of refusal",
            Self::Decision => "a decision",
            Self::Operation => "an operation of a call",
        }
    }
}

/// How a comparison for equality ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    Unknown,
    Always(bool),
    /// It cannot be equal: why, and what was probably meant.
    Never(String, Option<String>),
}

impl Thing {
    /// One of several: what they have in common is kept apart.
    pub(super) fn one_of(things: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Self> = Vec::new();
        for thing in things {
            let parts = if let Self::OneOf(parts) = thing { parts } else { vec![thing] };
            for part in parts {
                if !all.contains(&part) {
                    all.push(part);
                }
            }
        }
        match all.len() {
            0 => Self::Nothing,
            1 => all.remove(0),
            _ => Self::OneOf(all),
        }
    }

    /// This, or `()`.
    pub(super) fn or_nothing(self) -> Self {
        Self::one_of([self, Self::Nothing])
    }

    /// What it may be.
    pub(super) fn parts(&self) -> &[Self] {
        match self {
            Self::OneOf(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// The same without what only this place shows: what a function is told of its arguments.
    pub(super) fn roughly(&self) -> Self {
        match self {
            Self::Said(_) => Self::Text,
            Self::Is(_) => Self::Truth,
            Self::Count(_) => Self::Number,
            Self::Map(..) => Self::SomeMap,
            Self::List(_) => Self::List(Box::new(Self::Anything)),
            Self::OneOf(parts) => Self::one_of(parts.iter().map(Self::roughly)),
            other => other.clone(),
        }
    }

    /// Whether it is text, whichever.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Said(_) | Self::Word(_))
    }

    /// Whether it is true or false, whichever.
    pub(super) fn is_truth(&self) -> bool {
        matches!(self, Self::Truth | Self::Is(_))
    }

    /// As a message calls it; `None` where nothing is known.
    pub(super) fn called(&self) -> Option<&'static str> {
        Some(match self {
            Self::Anything | Self::OneOf(_) => return None,
            Self::Nothing => "()",
            Self::Text | Self::Said(_) | Self::Word(_) => "text",
            Self::Truth | Self::Is(_) => "true or false",
            Self::Number | Self::Count(_) => "a number",
            Self::Row(_) => "a record",
            Self::Person => "a person",
            Self::Account(_) | Self::SomeAccount => "an account",
            Self::Change => "a change",
            Self::Refusal => "a refusal",
            Self::Plan => "a plan",
            Self::Part(..) | Self::Map(..) | Self::SomeMap => "a map",
            Self::List(_) => "a list",
            Self::Action(_) => "what is to be done with a change",
            Self::Performance => "an operation",
            Self::Clear => "`clear()`",
        })
    }

    /// How `self == other` ends.
    pub(super) fn compared(&self, other: &Self, known: &Known) -> Compared {
        let mut verdict = None;
        for one in self.parts() {
            for another in other.parts() {
                let next = one.compared_one(another, known);
                verdict = Some(match (verdict, next) {
                    (None, next) => next,
                    // A reason in words is worth more than "it may be () instead".
                    (Some(Compared::Never(why, near)), Compared::Never(other_why, other_near)) => {
                        if near.is_none() && other_near.is_some() {
                            Compared::Never(other_why, other_near)
                        } else {
                            Compared::Never(why, near)
                        }
                    }
                    (Some(Compared::Always(a)), Compared::Always(b)) if a == b => Compared::Always(a),
                    _ => Compared::Unknown,
                });
                if verdict == Some(Compared::Unknown) {
                    return Compared::Unknown;
                }
            }
        }
        verdict.unwrap_or(Compared::Unknown)
    }

    fn compared_one(&self, other: &Self, known: &Known) -> Compared {
        match (self, other) {
            (Self::Said(a), Self::Said(b)) => Compared::Always(a == b),
            (Self::Is(a), Self::Is(b)) => Compared::Always(a == b),
            (Self::Count(a), Self::Count(b)) => Compared::Always(a == b),
            (Self::Word(words), Self::Said(text)) | (Self::Said(text), Self::Word(words)) => {
                if words.holds(known, text) {
                    return Compared::Unknown;
                }
                let all = words.all(known);
                let near = near(text, all.iter().map(String::as_str));
                Compared::Never(format!("`{text}` is not {}", words.called()), near)
            }
            (a, b) => {
                let simple = |thing: &Self| {
                    thing.is_text()
                        || thing.is_truth()
                        || matches!(thing, Self::Number | Self::Count(_) | Self::Nothing | Self::Account(_))
                };
                match (a.called(), b.called()) {
                    (Some(left), Some(right)) if simple(a) && simple(b) && left != right => {
                        Compared::Never(format!("{left} is never {right}"), None)
                    }
                    _ => Compared::Unknown,
                }
            }
        }
    }
}
