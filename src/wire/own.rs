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
    /// The newer token. Asked by several at once for the same stale token, it is traded once.
    ///
    /// # Errors
    /// Where there is none to be had, so that the answer to the old one stands, with whose fault that is.
    async fn renew(&self, person: &PersonId, stale: &Secret) -> Result<Secret, Unrenewed>;
}

/// Why there is no newer token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unrenewed {
    /// Only she can get one, by signing in again.
    Ended,
    /// It is the server's fault or ours, and she need not do anything: why, and what to do.
    Fault(String),
}

/// One person's own token.
pub(crate) struct OwnToken {
    person: PersonId,
    kind: TokenKind,
    held: Mutex<Secret>,
    renewal: Option<Arc<dyn Renewal>>,
    /// Why it was not renewed, where that is no fault of hers.
    fault: Mutex<Option<String>>,
}

impl OwnToken {
    /// Her token as it is kept, and whoever can renew it.
    pub(crate) fn new(person: PersonId, kind: TokenKind, held: Secret, renewal: Option<Arc<dyn Renewal>>) -> Self {
        Self { person, kind, held: Mutex::new(held), renewal, fault: Mutex::default() }
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
        let (newer, fault) = match renewal.renew(&self.person, stale).await {
            Ok(newer) => (Some(newer), None),
            Err(Unrenewed::Ended) => (None, None),
            Err(Unrenewed::Fault(fault)) => (None, Some(fault)),
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        let Some(newer) = newer else { return false };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = newer;
        true
    }

    /// Why it was not renewed the last time it was not accepted, where that was no fault of hers.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for OwnToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnToken").field("person", &self.person).finish_non_exhaustive()
    }
}
