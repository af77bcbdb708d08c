//! Acting: one call of a plan, each request of it in the journal before it leaves.

use std::time::Duration;

use super::{Credential, Line, Reader, Reply, WireError, reader::LONGEST_PAUSE};
use crate::{
    model::{id::SystemName, plan::Call},
    state::{Entry, Store},
};

/// How often a write that was turned away unread (429) is tried in all.
const WRITE_ATTEMPTS: u32 = 5;

/// Sends one call of a plan. Each request it sends is in the journal first.
pub struct Writer<'a> {
    pub(super) line: &'a Line,
    pub(super) journal: &'a dyn Store,
    pub(super) run: i64,
    pub(super) call: &'a Call,
    pub(super) attempt: u32,
    pub(super) doubt: bool,
    pub(super) taken: bool,
}

impl Writer<'_> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// A second look, for providers whose answer is no proof.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        self.line.reader()
    }

    /// True where the last thing sent may have had its effect although no answer says so.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt
    }

    /// True where the last thing sent was answered with a yes, whatever else the answer was.
    pub(crate) fn was_taken(&self) -> bool {
        self.taken
    }

    /// Sends the call as the plan shows it. What was turned away unread (429) is sent again, after the pause the server
    /// asks for; every attempt is in the journal.
    ///
    /// # Errors
    /// Where there is no answer. Whether the request can have had an effect all the same is known to whoever made the
    /// writer: a connector only tells what it met.
    pub async fn send(&mut self) -> Result<Reply, WireError> {
        let mut body = self.call.body.clone();
        for field in &self.call.generated {
            if let Some(body) = body.as_object_mut() {
                body.insert(field.clone(), password().into());
            }
        }
        let body = (!body.is_null()).then_some(&body);
        let method = reqwest::Method::from_bytes(self.call.method.as_bytes()).unwrap_or(reqwest::Method::POST);
        let _slot = self.line.slots.acquire().await;
        let mut fresh_token = false;
        loop {
            self.attempt += 1;
            self.record(&Entry::Calling {
                call: self.call.id.clone(),
                attempt: self.attempt,
                method: self.call.method.clone(),
                path: self.call.path.clone(),
            })?;
            let answer = self.line.once(&method, &self.call.path, &[], &self.call.headers, body, fresh_token).await;
            let (call, attempt) = (self.call.id.clone(), self.attempt);
            self.doubt = match &answer {
                // 408 is what a proxy says when the server behind it has not answered in time.
                Ok(reply) => reply.status >= 500 || reply.status == 408,
                Err(error) => !error.never_sent(),
            };
            self.taken = answer.as_ref().is_ok_and(Reply::is_success);
            match &answer {
                Ok(reply) => self.record(&Entry::Answered { call, attempt, status: reply.status })?,
                Err(error) => self.record(&Entry::Unanswered { call, attempt, cause: error.to_string() })?,
            }
            let Ok(reply) = &answer else { return answer };
            let stale = reply.status == 401 && matches!(self.line.reach.credential, Credential::Key { .. });
            if stale && !fresh_token {
                fresh_token = true;
                continue;
            }
            let pause = reply.retry_after().unwrap_or(Duration::from_secs(1) * self.attempt);
            if reply.status != 429 || self.attempt >= WRITE_ATTEMPTS || pause > LONGEST_PAUSE {
                return answer;
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn record(&self, entry: &Entry) -> Result<(), WireError> {
        self.journal.append(self.run, entry).map_err(|error| WireError::NotRecorded {
            system: self.line.reach.system.clone(),
            cause: error.to_string(),
        })
    }
}

/// A password nobody will ever see: the account signs in elsewhere or has it reset.
fn password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    // The classes that password rules ask for, then enough randomness to make them irrelevant.
    format!("Aa1!{}", Alphanumeric.sample_string(&mut rand::rng(), 40))
}
