//! The token of one person, which is good for her account and is never sent for anybody else.
//!
//! Knows whose it is and how to ask for a newer one; where it is kept and who renews it is not decided here.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::model::{id::PersonId, own_token::TokenKind, secret::Secret};

/// Whoever can trade a token that is not accepted any more for a newer one.
#[async_trait]
pub(crate) trait Renewal: Send + Sync {
    /// The newer token; `None` where there is none to be had, so that the answer to the old one stands. Asked by several at
    /// once for the same stale token, it is traded once.
    async fn renew(&self, person: &PersonId, stale: &Secret) -> Option<Secret>;
}

/// One person's own token.
pub(crate) struct OwnToken {
    person: PersonId,
    kind: TokenKind,
    held: Mutex<Secret>,
    renewal: Option<Arc<dyn Renewal>>,
}

impl OwnToken {
    /// Her token as it is kept, and whoever can renew it.
    pub(crate) fn new(person: PersonId, kind: TokenKind, held: Secret, renewal: Option<Arc<dyn Renewal>>) -> Self {
        Self { person, kind, held: Mutex::new(held), renewal }
    }

    /// Whose it is.
    pub(crate) fn person(&self) -> &PersonId {
        &self.person
    }

    /// How it came about.
    pub(crate) fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The text that is sent now.
    pub(super) fn current(&self) -> Secret {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True where there is a newer one than this, which was not accepted.
    pub(super) async fn is_renewed(&self, stale: &Secret) -> bool {
        let Some(renewal) = &self.renewal else { return false };
        let Some(newer) = renewal.renew(&self.person, stale).await else { return false };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = newer;
        true
    }
}

impl fmt::Debug for OwnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnToken").field("person", &self.person).finish_non_exhaustive()
    }
}
