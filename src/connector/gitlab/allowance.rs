//! What GitLab tells of how much may be asked (`gitlab.md` 1.4): on refusals, sometimes on other answers too.
//!
//! The window is fixed, and its real length is not told: `RateLimit-Limit` is scaled to a minute. What was counted until
//! the first refusal is the real limit, and both together give the length.

use std::time::Duration;

use crate::wire::{Allowance, Refill, Reply};

/// What the headers say; `None` where they say nothing.
pub(super) fn allowance(reply: &Reply) -> Option<Allowance> {
    let number = |name: &str| reply.headers.get(name)?.trim().parse::<u64>().ok();
    let reset_in = until_reset(reply).or_else(|| reply.retry_after())?;
    let is_refused = reply.status == 429;
    let per_minute = number("ratelimit-limit").filter(|limit| *limit > 0)?;
    let remaining = if is_refused { 0 } else { number("ratelimit-remaining")? };
    // A refusal counts itself.
    let counted = number("ratelimit-observed").map(|observed| observed.saturating_sub(u64::from(is_refused)));
    let minute = Duration::from_mins(1);
    let (limit, window) = match counted.map(|counted| counted.saturating_add(remaining)).filter(|limit| *limit > 0) {
        Some(limit) => (limit, seconds(limit, per_minute)),
        None => (per_minute, minute),
    };
    Some(Allowance { limit, remaining, reset_in, refill: Refill::Window(window.max(reset_in)) })
}

/// The length of a window of so many requests, in whole seconds: the limit per minute is rounded up, so it is at least as
/// long as this.
fn seconds(limit: u64, per_minute: u64) -> Duration {
    Duration::from_secs(limit.saturating_mul(60).div_ceil(per_minute).max(1))
}

/// How long until the window ends. `RateLimit-Reset` is a moment, not a delay, and the answer's own `Date` is the clock
/// that goes with it.
pub(super) fn until_reset(reply: &Reply) -> Option<Duration> {
    let reset: i64 = reply.headers.get("ratelimit-reset")?.trim().parse().ok()?;
    reply.until(reset).filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Fri, 20 Nov 2026 10:00:00 GMT";

    fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Reply::new(status, headers, b"Retry later".to_vec())
    }

    #[test]
    fn the_first_refusal_tells_the_limit_and_the_length_of_its_window() {
        let refused = reply(
            429,
            &[
                ("RateLimit-Limit", "30"),
                ("RateLimit-Observed", "301"),
                ("RateLimit-Remaining", "0"),
                ("RateLimit-Reset", "1795168830"),
                ("Date", DATE),
            ],
        );
        let window = Refill::Window(Duration::from_mins(10));
        let told = Allowance { limit: 300, remaining: 0, reset_in: Duration::from_secs(30), refill: window };
        assert_eq!(allowance(&refused), Some(told));
    }

    #[test]
    fn an_answer_that_was_let_through_tells_what_is_left() {
        let answer = reply(
            200,
            &[
                ("RateLimit-Limit", "30"),
                ("RateLimit-Observed", "299"),
                ("RateLimit-Remaining", "1"),
                ("RateLimit-Reset", "1795168830"),
                ("Date", DATE),
            ],
        );
        let window = Refill::Window(Duration::from_mins(10));
        let told = Allowance { limit: 300, remaining: 1, reset_in: Duration::from_secs(30), refill: window };
        assert_eq!(allowance(&answer), Some(told));
    }

    #[test]
    fn what_is_not_told_is_not_made_up() {
        assert_eq!(allowance(&reply(429, &[])), None);
        assert_eq!(allowance(&reply(429, &[("Retry-After", "7")])), None);
        let told = allowance(&reply(429, &[("Retry-After", "7"), ("RateLimit-Limit", "30")])).unwrap();
        let window = Refill::Window(Duration::from_mins(1));
        let seven = Duration::from_secs(7);
        assert_eq!(told, Allowance { limit: 30, remaining: 0, reset_in: seven, refill: window });
    }

    #[test]
    fn the_reset_is_a_moment_measured_on_the_servers_own_clock() {
        let until = |reset: &str, date: &str| until_reset(&reply(429, &[("ratelimit-reset", reset), ("date", date)]));
        assert_eq!(until("1795168830", DATE), Some(Duration::from_secs(30)));
        assert_eq!(until("1795168799", DATE), None);
        assert_eq!(until("soon", DATE), None);
        assert_eq!(until("1795168830", "today"), None);
        assert_eq!(until_reset(&reply(429, &[])), None);
    }
}
