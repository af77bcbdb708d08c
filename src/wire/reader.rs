//! Looking: whatever fails in passing is asked again, for a question changes nothing.

use std::{collections::BTreeMap, time::Duration};

use backon::{ExponentialBuilder, Retryable};

use super::{Credential, Line, Reply, WireError};
use crate::model::id::SystemName;

/// How often a read is tried in all.
const READ_ATTEMPTS: usize = 4;

/// The longest pause a server may ask for before we give up instead.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// Looks, and can do nothing else.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(super) line: &'a Line,
}

impl Reader<'_> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// Reads one address. What fails in passing (429, 5xx, a broken connection) is tried again.
    ///
    /// # Errors
    /// Where there is no answer at all; an answer that says no is a [`Reply`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::GET, path, query, &BTreeMap::new(), None).await
    }

    /// As [`Reader::get`], with headers of the provider's own.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn get_with(&self, path: &str, headers: &BTreeMap<String, String>) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::GET, path, &[], headers, None).await
    }

    /// Asks a question that needs a body: a POST that changes nothing, such as Mattermost's `POST /users/ids`.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn search(&self, path: &str, body: &serde_json::Value) -> Result<Reply, WireError> {
        self.search_with(path, &BTreeMap::new(), body).await
    }

    /// As [`Reader::search`], with headers of the provider's own.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub async fn search_with(
        &self,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: &serde_json::Value,
    ) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::POST, path, &[], headers, Some(body)).await
    }

    async fn ask(
        &self,
        method: &reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &BTreeMap<String, String>,
        body: Option<&serde_json::Value>,
    ) -> Result<Reply, WireError> {
        enum Again {
            Fault(WireError),
            Later(Reply),
        }
        let _slot = self.line.slots.acquire().await;
        let attempt = async || {
            let mut reply = self.line.once(method, path, query, headers, body, false).await;
            if let (Ok(Reply { status: 401, .. }), Credential::Key { .. }) = (&reply, &self.line.reach.credential) {
                reply = self.line.once(method, path, query, headers, body, true).await;
            }
            match reply {
                Ok(reply) if matches!(reply.status, 429 | 500 | 502..=504) => Err(Again::Later(reply)),
                Ok(reply) => Ok(reply),
                Err(error) => Err(Again::Fault(error)),
            }
        };
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_jitter()
            .with_max_times(READ_ATTEMPTS - 1);
        let answer = attempt
            .retry(pauses)
            .when(|again| {
                !matches!(
                    again,
                    Again::Fault(
                        WireError::TooLarge { .. }
                            | WireError::NoToken { .. }
                            | WireError::Unreachable { .. }
                            | WireError::Unsendable { .. }
                    )
                )
            })
            .adjust(|again, pause| match again {
                Again::Later(reply) => match reply.retry_after() {
                    Some(asked) if asked > LONGEST_PAUSE => None,
                    Some(asked) => pause.map(|pause| pause.max(asked)),
                    None => pause,
                },
                Again::Fault(_) => pause,
            })
            .await;
        match answer {
            Ok(reply) | Err(Again::Later(reply)) => Ok(reply),
            Err(Again::Fault(error)) => Err(error),
        }
    }
}
