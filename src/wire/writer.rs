//! Acting: one call of a plan, each request of it in the journal before it leaves.

use std::time::Duration;

use super::{
    Budget, Credential, Line, OwnToken, Reader, Reply, WireError,
    line::{Errand, Written},
    quota::Turn,
    repeat::{self, LONGEST_OUTAGE, LONGEST_PAUSE, Passing},
};
use crate::{
    model::{capability::Replay, id::SystemName, plan::Call, secret::Secret},
    state::{
        Entry, Store,
        scribe::{Note, Receipt},
    },
};

/// Sends one call of a plan. Each request it sends is in the journal first.
pub struct Writer<'a> {
    pub(super) line: &'a Line,
    /// The token of the person whom the call is about; `None`: our own credentials.
    pub(super) own: Option<&'a OwnToken>,
    pub(super) journal: &'a dyn Store,
    pub(super) run: i64,
    pub(super) call: &'a Call,
    /// What the whole run may still use up; `None`: there is no run.
    pub(super) budget: Option<&'a Budget>,
    /// What an operation is known by, so that no other run does it too.
    pub(super) mark: Option<&'a str>,
    pub(super) attempt: u32,
    pub(super) doubt: bool,
    pub(super) last: Last,
    /// True where the last thing sent went with a token that was not accepted and that there is a newer one for.
    pub(super) renewed: bool,
    /// The version that what the call is about must have, for servers that keep versions.
    pub(super) only_if: Option<String>,
    /// What was handed in to be written and not waited for.
    pub(super) met: Vec<Receipt>,
}

/// How the last thing sent was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Last {
    /// With a yes.
    Taken,
    /// With a no in a form that no interface has.
    OnTheWay,
    /// Otherwise, or not at all.
    #[default]
    Other,
}

impl<'a> Writer<'a> {
    /// The system at the other end.
    #[must_use]
    pub fn system(&self) -> &SystemName {
        &self.line.reach.system
    }

    /// A second look, for providers whose answer is no proof.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        Reader { line: self.line, own: self.own }
    }

    /// True where the last thing sent may have had its effect although no answer says so.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt
    }

    /// True where the last thing sent was answered with a yes, whatever else the answer was.
    pub(crate) fn was_taken(&self) -> bool {
        self.last == Last::Taken
    }

    /// True where the last thing sent was answered with a no in a form that no interface has: something on the way, such as a
    /// firewall, may have said it of an answer that came back.
    pub(crate) fn was_answered_on_the_way(&self) -> bool {
        self.last == Last::OnTheWay
    }

    /// True where the last thing sent went with a person's token that was not accepted, and where there is a newer one now.
    pub(crate) fn was_renewed(&self) -> bool {
        self.renewed
    }

    /// The same, within what is left to a run.
    pub(crate) fn within(mut self, budget: &'a Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The same, where an earlier try of the same run may have had its effect.
    pub(crate) fn doubting(mut self, is_in_doubt: bool) -> Self {
        self.doubt = is_in_doubt;
        self
    }

    /// The same for an operation of this mark: that it was sent is remembered together with the first request of it, so
    /// that nobody doubts what never left.
    pub(crate) fn of(mut self, mark: Option<&'a str>) -> Self {
        self.mark = mark;
        self
    }

    /// Lets the server carry the call out only where what it is about has still this version (`If-Match`): what was looked
    /// at a moment ago. Asked for before [`Writer::send`], with the version as the server wrote it, quotes included. The
    /// plan does not show it: it cannot know which version it will name.
    pub fn only_if(&mut self, version: &str) {
        self.only_if = Some(version.to_owned());
    }

    /// Sends the call as the plan shows it. It is sent again where nothing of it can have arrived, where it was turned away
    /// unread (429, after the pause the server asks for), and, where doing it twice is doing it once, after a fault in
    /// passing; every attempt is in the journal. What the provider says no to is never sent again.
    ///
    /// # Errors
    /// Where there is no answer. Whether the request can have had an effect all the same is known to whoever made the
    /// writer: a connector only tells what it met.
    pub async fn send(&mut self) -> Result<Reply, WireError> {
        let call = self.call;
        self.send_as(&call.path, &call.body).await
    }

    /// As [`Writer::send`], in the form that the provider wants at this moment: to the address that the account has now,
    /// or with the body signed. It must do what the plan shows, and nothing else.
    ///
    /// # Errors
    /// As [`Writer::send`].
    pub async fn send_as(&mut self, path: &str, body: &serde_json::Value) -> Result<Reply, WireError> {
        self.send_written(path, body, |body| Written::Json(body)).await
    }

    /// As [`Writer::send_as`], with the fields of the body as those of a form.
    ///
    /// # Errors
    /// As [`Writer::send`].
    pub async fn send_form(&mut self, path: &str, body: &serde_json::Value) -> Result<Reply, WireError> {
        self.send_written(path, body, |body| Written::Form(body)).await
    }

    async fn send_written(
        &mut self,
        path: &str,
        body: &serde_json::Value,
        written: fn(&serde_json::Value) -> Written<'_>,
    ) -> Result<Reply, WireError> {
        let mut body = body.clone();
        let mut made = Vec::new();
        for field in &self.call.generated {
            if let Some(body) = body.as_object_mut() {
                let password = password();
                made.push(Secret::new(&password));
                body.insert(field.clone(), password.into());
            }
        }
        let body = (!body.is_null()).then_some(&body).map(written);
        let method = reqwest::Method::from_bytes(self.call.method.as_bytes()).unwrap_or(reqwest::Method::POST);
        let mut headers = self.call.headers.clone();
        headers.extend(self.only_if.iter().map(|version| ("if-match".to_owned(), version.clone())));
        let mut errand = self.line.begin(self.own)?;
        let mut pauses = repeat::pauses();
        let (mut fresh_token, mut was_slow) = (false, false);
        let mut last = None;
        loop {
            // Where it waits only for another's answer, it is written down meanwhile, and the disk is not waited for while
            // nothing is under way. Of what a person would have to tell, nothing is written that may not be sent yet.
            let is_early = self.goes_soon(&errand);
            if is_early {
                self.intend(path).await?;
            }
            let pass = match (self.turn(&errand).await, last.take()) {
                (Ok(pass), _) => pass,
                (Err(error), before) => {
                    if is_early {
                        let (call, attempt, cause) = (self.call.id.clone(), self.attempt, error.to_string());
                        self.record(Entry::Unanswered { call, attempt, cause, sent: false });
                    }
                    // What was met before says more than that there is no further try.
                    return before.unwrap_or(Err(error));
                }
            };
            if !is_early {
                self.intend(path).await?;
            }
            let used = self.own.map(OwnToken::current);
            let answer =
                self.line.once(&method, path, &[], &headers, body, fresh_token, self.own.zip(used.as_ref())).await;
            // Nor may it bring back what nobody shall ever know.
            let answer = answer.map(|reply| made.iter().fold(reply, Reply::without));
            errand.answered(pass, &answer);
            let passing = repeat::passing(&answer, &self.line.reach.habits.dialect);
            self.note(&answer);
            let (call, attempt) = (self.call.id.clone(), self.attempt);
            match &answer {
                Ok(reply) => self.record(Entry::Answered { call, attempt, status: reply.status }),
                Err(error) => {
                    let (cause, sent) = (error.to_string(), !error.never_sent());
                    self.record(Entry::Unanswered { call, attempt, cause, sent });
                }
            }
            let is_stale = matches!(answer, Ok(Reply { status: 401, .. }));
            if let (true, Some(own), Some(used)) = (is_stale, self.own, &used) {
                // Whose the newer one is has to be seen before it writes.
                self.renewed = own.is_renewed(used).await;
                return answer;
            }
            let is_key = matches!(self.line.reach.credential, Credential::Key { .. });
            if is_stale && is_key && !fresh_token {
                fresh_token = true;
                last = Some(answer);
                continue;
            }
            let harmless = self.call.replay == Replay::Repeat;
            let may = match passing {
                Some(Passing::NeverSent) => true,
                Some(Passing::TurnedAway(asked)) => asked.is_none_or(|asked| asked <= LONGEST_PAUSE),
                Some(Passing::Unclear(asked)) => harmless && asked.is_none_or(|asked| asked <= LONGEST_OUTAGE),
                None => false,
            };
            let may = may && !(repeat::is_slow(&answer) && std::mem::replace(&mut was_slow, true));
            let Some(pause) = may.then(|| pauses.next()).flatten() else { return answer };
            if self.budget.is_some_and(|budget| !budget.take()) {
                return answer;
            }
            let is_hers = self.own.is_some() && repeat::is_of_token(&answer, &self.line.reach.habits.dialect);
            let goes_on = match passing {
                Some(Passing::TurnedAway(asked)) if is_hers => self.rest(asked.unwrap_or(pause)).await,
                // After a 429 the line makes everybody wait.
                Some(Passing::TurnedAway(_)) => true,
                _ => self.line.rest(pause).await,
            };
            if !goes_on {
                return answer;
            }
            last = Some(answer);
        }
    }

    /// Waits for what one token alone has to wait for, if the run has as much time.
    async fn rest(&self, pause: Duration) -> bool {
        let until = self.budget.and_then(Budget::until);
        let fits = until.is_none_or(|until| tokio::time::Instant::now() + pause < until);
        fits && self.line.rest(pause).await
    }

    /// Waits for our turn, as long as there is time left to the run.
    async fn turn(&self, errand: &Errand<'a>) -> Result<Turn<'a>, WireError> {
        let asked = Some(self.asked());
        let Some((budget, until)) = self.budget.and_then(|budget| Some((budget, budget.until()?))) else {
            return errand.turn_of(asked).await;
        };
        if let Some(reason) = budget.spent() {
            return Err(self.line.not_asked(reason));
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(until) => Err(self.line.not_asked(budget.spent().unwrap_or_default())),
            pass = errand.turn_of(asked) => pass,
        }
    }

    /// What an answer says of the call, all its tries taken together: only a yes takes away the doubt that an earlier try
    /// left.
    fn note(&mut self, answer: &Result<Reply, WireError>) {
        // What a firewall says, and not what only the server itself or a limit on the way there would.
        let is_on_the_way = |reply: &Reply| matches!(reply.status, 403..=406 | 421 | 451) && reply.is_page();
        self.last = match answer {
            Ok(reply) if reply.is_success() => Last::Taken,
            Ok(reply) if is_on_the_way(reply) => Last::OnTheWay,
            _ => Last::Other,
        };
        let unclear = match answer {
            // 408 is what a proxy says when the server behind it has not answered in time.
            Ok(reply) => reply.status >= 500 || reply.status == 408,
            Err(error) => !error.never_sent(),
        };
        self.doubt = !self.was_taken() && (self.doubt || unclear);
    }

    /// True where the next request goes as soon as others are over, and where nobody would have to be asked whether it did.
    fn goes_soon(&self, errand: &Errand<'_>) -> bool {
        self.call.replay != Replay::AskOperator
            && self.budget.and_then(Budget::spent).is_none()
            && self.line.closed().is_none()
            && !errand.waits_for_time(&self.asked())
    }

    /// What kind of call it is, to limits that only count certain ones.
    fn asked(&self) -> (&'a str, &'a str) {
        (self.call.method.as_str(), self.call.path.as_str())
    }

    /// Writes down that a request is about to leave. Durable on return, and so is whatever was met before.
    async fn intend(&mut self, path: &str) -> Result<(), WireError> {
        self.attempt += 1;
        let entry = Entry::Calling {
            call: self.call.id.clone(),
            attempt: self.attempt,
            method: self.call.method.clone(),
            path: path.to_owned(),
        };
        let note = match self.mark {
            Some(mark) => Note::Sending(entry, mark.to_owned()),
            None => Note::Entry(entry),
        };
        let intent = self.journal.note(self.run, note);
        for receipt in std::mem::take(&mut self.met).into_iter().chain([intent]) {
            receipt.durable().await.map_err(|error| WireError::NotRecorded {
                system: self.line.reach.system.clone(),
                cause: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// Hands in what was met. It is durable before anything else is sent.
    fn record(&mut self, entry: Entry) {
        let receipt = self.journal.note(self.run, Note::Entry(entry));
        self.met.push(receipt);
    }
}

/// A password nobody will ever see: the account signs in elsewhere or has it reset.
fn password() -> String {
    use rand::distr::{Alphanumeric, SampleString};
    // The classes that password rules ask for, then enough randomness to make them irrelevant.
    format!("Aa1!{}", Alphanumeric.sample_string(&mut rand::rng(), 40))
}
