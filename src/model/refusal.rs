//! A provider's no, understood.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The kinds of no. The words are part of the plan format and of the rule language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Another system's word counts for this attribute of this account.
    OwnedElsewhere,
    /// Our credentials may not do this.
    Forbidden,
    /// The value is unique there and somebody else has it.
    Taken,
    /// The value breaks the provider's rules.
    Invalid,
    /// No such account.
    NotFound,
    /// Too many requests.
    RateLimited,
    /// The provider did not answer, or answered with a fault of its own.
    Unavailable,
    /// The provider cannot do this at all.
    Unsupported,
    /// The provider said yes and did not do it, or will undo it.
    Ineffective,
}

impl RefusalKind {
    /// True for a no that says nothing of the change: the same may be taken later.
    #[must_use]
    pub(crate) fn may_pass(self) -> bool {
        matches!(self, Self::Unavailable | Self::RateLimited)
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OwnedElsewhere => "owned_elsewhere",
            Self::Forbidden => "forbidden",
            Self::Taken => "taken",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Unsupported => "unsupported",
            Self::Ineffective => "ineffective",
        })
    }
}

/// Why a call did not have its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The provider's own id for the error, where it has one: Mattermost's `id`, ZITADEL's `details[].id`.
    pub code: Option<String>,
    /// One sentence in our words: it may name attributes, never values.
    pub reason: String,
    /// The kind of system whose word counts instead, where the provider told, such as `gitlab`.
    pub belongs_to: Option<String>,
    /// How long to wait before asking again, where the provider told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with a kind and a sentence, and nothing else known.
    #[must_use]
    pub fn new(kind: RefusalKind, reason: impl Into<String>) -> Self {
        Self { kind, status: None, code: None, reason: reason.into(), belongs_to: None, retry_after: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)
    }
}
