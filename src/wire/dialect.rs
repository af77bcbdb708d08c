//! What a provider wants and tells beyond HTTP itself: what every request to it has to carry, how much may be asked, and
//! which faults are its last word.
//!
//! Every provider tells it in headers or bodies of its own, or in its documentation. What is told is said here in one
//! language; the telling belongs to the connector, and what is done about it to the line.

use std::time::Duration;

use super::Reply;

/// How a provider tells what the wire has to know. Pure functions: they look at one answer and remember nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// What the answer says of how much may be asked; `None` where it says nothing. How long to wait (`Retry-After`) is
    /// understood without it.
    pub allowance: fn(&Reply) -> Option<Allowance>,
    /// True for an answer with a status of a fault in passing (500 to 504) that is the provider's last word, such as
    /// WordPress's 500 for a name that is taken: it is not asked again.
    pub is_final: fn(&Reply) -> bool,
    /// True for a 401 that means our credentials, and not this one request.
    pub is_stranger: fn(&Reply) -> bool,
    /// Requests that one call takes, with the second look that proves it: for telling how long a plan takes.
    pub requests: u32,
    /// What every request carries beside our credentials, as headers.
    pub headers: &'static [(&'static str, &'static str)],
    /// What every request carries behind its path, as a query.
    pub query: &'static [(&'static str, &'static str)],
    /// What may be sent of a certain kind of call, where only that kind is counted and no answer tells of it.
    pub quota: Option<Quota>,
    /// The header that carries a token which an application was granted by a person, where it is another than that of our
    /// own credentials.
    pub granted: Option<&'static str>,
    /// True for a refusal (429) that counts against the one token that was sent. It is asked of what is told people's own
    /// tokens: whoever holds the token waits then, and nobody else does.
    pub is_of_token: fn(&Reply) -> bool,
    /// True where whoever is not known is kept out the longer the more often she tries: after one 401 nothing is asked any
    /// more.
    pub locks_out: bool,
}

/// A limit on certain calls alone. They wait for it, and nothing else does.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// So many of them.
    pub count: u32,
    /// In any stretch of this length.
    pub per: Duration,
    /// True for the method and path of a call that is counted.
    pub counts: fn(&str, &str) -> bool,
    /// How long to wait after being turned away without a time; doubled with each further one.
    pub wait: Duration,
    /// The longest such wait.
    pub longest_wait: Duration,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            allowance: |_| None,
            is_final: |_| false,
            is_stranger: |_| true,
            requests: 2,
            headers: &[],
            query: &[],
            quota: None,
            granted: None,
            is_of_token: |_| false,
            locks_out: false,
        }
    }
}

/// How much may still be asked, as one answer tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that may come at once after a long silence, or in one window.
    pub limit: u64,
    /// Requests that may come now. Zero on a refusal.
    pub remaining: u64,
    /// How long until `limit` requests may come again if nothing is asked until then.
    pub reset_in: Duration,
    /// How what was used comes back.
    pub refill: Refill,
}

impl Allowance {
    /// The same within what a server can honestly mean: one that asks for a wait until the end of time is waited for an
    /// hour, and a bucket that fills all the time is full again within minutes.
    #[must_use]
    pub(super) fn sane(self) -> Self {
        const LONGEST: Duration = Duration::from_hours(1);
        const SLOWEST: Duration = Duration::from_mins(2);
        let refill = match self.refill {
            Refill::Window(length) => Refill::Window(length.min(LONGEST)),
            Refill::Steady => Refill::Steady,
        };
        let longest = if self.refill == Refill::Steady { SLOWEST } else { LONGEST };
        let limit = self.limit.clamp(1, u64::from(u32::MAX));
        Self { limit, remaining: self.remaining.min(limit), reset_in: self.reset_in.min(longest), refill }
    }
}

/// How used requests come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refill {
    /// One after the other, all the time (a bucket that fills).
    Steady,
    /// All at once, at the end of a window of this length.
    Window(Duration),
}
