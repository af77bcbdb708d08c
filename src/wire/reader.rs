//! Looking: whatever fails in passing is asked again, for a question changes nothing.

use std::collections::BTreeMap;

use super::{
    Credential, Line, OwnToken, Reply, WireError,
    line::Written,
    repeat::{self, LONGEST_OUTAGE, LONGEST_PAUSE, Passing},
};
use crate::model::{id::SystemName, own_token::TokenKind};

/// Looks, and can do nothing else.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub(super) line: &'a Line,
    /// Whose token it carries; `None`: our own credentials.
    pub(super) own: Option<&'a OwnToken>,
}

impl Reader<'_> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// How the token came about that this carries; `None` where it is no person's.
    #[must_use]
    pub fn own_token(&self) -> Option<TokenKind> {
        self.own.map(OwnToken::kind)
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
    pub async fn get_with(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: &BTreeMap<String, String>,
    ) -> Result<Reply, WireError> {
        self.ask(&reqwest::Method::GET, path, query, headers, None).await
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
        let mut errand = self.line.begin(self.own)?;
        let mut pauses = repeat::pauses();
        let (mut fresh_token, mut was_slow) = (false, false);
        loop {
            let pass = errand.turn().await?;
            let used = self.own.map(OwnToken::current);
            let token = self.own.zip(used.as_ref());
            let body = body.map(Written::Json);
            let answer = self.line.once(method, path, query, headers, body, fresh_token, token).await;
            errand.answered(pass, &answer);
            let stale = matches!(answer, Ok(Reply { status: 401, .. }));
            if let (true, false, Some(own), Some(used)) = (stale, fresh_token, self.own, &used) {
                fresh_token = true;
                if own.is_renewed(used).await {
                    continue;
                }
                return answer;
            }
            if stale && !fresh_token && matches!(self.line.reach.credential, Credential::Key { .. }) {
                fresh_token = true;
                continue;
            }
            let Some(passing) = repeat::passing(&answer, &self.line.reach.habits.dialect) else { return answer };
            if repeat::is_slow(&answer) && std::mem::replace(&mut was_slow, true) {
                return answer;
            }
            let Some(pause) = pauses.next() else { return answer };
            let is_hers = self.own.is_some() && repeat::is_of_token(&answer, &self.line.reach.habits.dialect);
            let goes_on = match passing {
                Passing::TurnedAway(asked) if is_hers => {
                    let pause = asked.unwrap_or(pause);
                    pause <= LONGEST_PAUSE && self.line.rest(pause).await
                }
                // The line makes everybody wait.
                Passing::TurnedAway(asked) => asked.is_none_or(|asked| asked <= LONGEST_PAUSE),
                Passing::Unclear(Some(asked)) => asked <= LONGEST_OUTAGE && self.line.rest(pause).await,
                Passing::NeverSent | Passing::Unclear(None) => self.line.rest(pause).await,
            };
            if !goes_on {
                return answer;
            }
        }
    }
}
