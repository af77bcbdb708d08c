//! An answer, whole: its status, its headers and a body of bounded size.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::model::secret::Secret;

/// Answers larger than this are refused: no provider's page comes near it.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case name; of repeated ones the last.
    pub headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `None` where it is none.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body read into a type.
    ///
    /// # Errors
    /// Where the body is not JSON or not of this shape.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The body as text, for answers that are no JSON.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer without our token: a server or a proxy that repeats what it was sent must not bring it into messages,
    /// plans or the store.
    pub(super) fn without(mut self, token: &Secret) -> Self {
        const INSTEAD: &str = "[our token]";
        // One as short as a word would be found in every text, and is no secret.
        const SHORTEST: usize = 12;
        if token.expose().len() < SHORTEST {
            return self;
        }
        let quoted = serde_json::to_string(token.expose()).unwrap_or_default();
        let quoted = quoted.trim_matches('"');
        // Some servers write each `/` of a JSON text as `\/`.
        for text in [token.expose(), quoted, &quoted.replace('/', "\\/")] {
            let body = String::from_utf8_lossy(&self.body);
            if body.contains(text) {
                self.body = body.replace(text, INSTEAD).into_bytes();
            }
        }
        for value in self.headers.values_mut().filter(|value| value.contains(token.expose())) {
            *value = value.replace(token.expose(), INSTEAD);
        }
        self
    }

    /// How long the server asks us to wait (`Retry-After` in seconds).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.headers.get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }
}
