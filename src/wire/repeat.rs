//! What may be sent again, and after which pause.
//!
//! A question may always be asked again. A call may be where nothing of it can have arrived, where it was turned away
//! unread, or where doing it twice is doing it once. What a provider answers on purpose is its answer.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use super::{Dialect, Reply, WireError};

/// How often one question or call is sent again.
const REPEATS: usize = 4;

/// The longest pause after being turned away that is waited for. GitLab's windows last ten minutes by default.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// The longest pause that a system which is not at work may ask for before it is left alone instead.
pub(super) const LONGEST_OUTAGE: Duration = Duration::from_mins(2);

/// How a request failed, where it was only in passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// Nothing of it can have arrived.
    NeverSent,
    /// It was turned away unread (429); perhaps with a time to wait.
    TurnedAway(Option<Duration>),
    /// It may have had its effect; perhaps there is a time to wait.
    Unclear(Option<Duration>),
}

/// Whether and how a request failed in passing; `None` for an answer, and for what would only happen again.
pub(super) fn passing(answer: &Result<Reply, WireError>, dialect: &Dialect) -> Option<Passing> {
    match answer {
        Ok(reply) if reply.status == 429 => {
            let told = || (dialect.allowance)(reply).map(|told| told.sane().reset_in);
            Some(Passing::TurnedAway(reply.retry_after().or_else(told)))
        }
        // 408 is what a proxy says when the server behind it has not answered in time, and 520 to 524 what one says that
        // got no answer it understands.
        Ok(reply) if matches!(reply.status, 408 | 500 | 502..=504 | 520..=524) && !(dialect.is_final)(reply) => {
            Some(Passing::Unclear(reply.retry_after()))
        }
        Err(WireError::Unreachable { lasting: false, .. } | WireError::NoToken { passing: true, .. }) => {
            Some(Passing::NeverSent)
        }
        Err(WireError::Timeout { .. } | WireError::TooSlow { .. } | WireError::Broken { .. }) => {
            Some(Passing::Unclear(None))
        }
        Ok(_) | Err(_) => None,
    }
}

/// True where one further try is enough: each of them lasts as long as an answer may.
pub(super) fn is_slow(answer: &Result<Reply, WireError>) -> bool {
    matches!(answer, Err(WireError::TooSlow { .. }))
}

/// The pauses between the tries of one question or call: longer each time, and never the same for two who failed together.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(REPEATS)
        .with_jitter()
        .build()
}

/// True for a refusal that counts against the one token of a person that was sent.
pub(super) fn is_of_token(answer: &Result<Reply, WireError>, dialect: &Dialect) -> bool {
    answer.as_ref().is_ok_and(|reply| reply.status == 429 && (dialect.is_of_token)(reply))
}
