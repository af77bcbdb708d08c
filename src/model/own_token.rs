//! A person's own token at a system, as it is kept: the one that is sent, and what it can be renewed with.

use super::secret::Secret;

/// How a token came about. What it may do can depend on it (`mattermost.md` 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// An application was granted it by the person.
    #[default]
    Oauth,
    /// The person made it herself.
    Personal,
}

impl TokenKind {
    /// The word in the configuration and among the facts of a server.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Oauth => "oauth",
            Self::Personal => "personal",
        }
    }

    /// The kind of this word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Oauth, Self::Personal].into_iter().find(|kind| kind.word() == word)
    }
}

/// One person's token as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptToken {
    /// What is sent.
    pub(crate) access: Secret,
    /// What a newer one is had for.
    pub(crate) refresh: Option<Secret>,
    /// When it ends by what its server said, in seconds since 1970; `None`: it did not say.
    pub(crate) expires_at: Option<i64>,
    /// `None`: as the configuration says for all.
    pub(crate) kind: Option<TokenKind>,
}
