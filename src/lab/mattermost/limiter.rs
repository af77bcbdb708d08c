//! The rate limiter: the generic cell rate algorithm with the server's numbers (`mattermost.md` 1.5).
//!
//! Knows no request: it is told how long the server has run and says whether one more may pass.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    /// Requests that are earned back in a second.
    pub(super) per_sec: u32,
    /// Requests that may come at once, beyond the first.
    pub(super) max_burst: u32,
}

/// The bucket all callers share: everybody in the lab comes from the same address.
#[derive(Clone, Debug, Default)]
pub(super) struct Limiter {
    /// When the bucket will be full again, on the server's own clock.
    full_at: Duration,
}

/// What the limiter says, in the words of the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) limit: u32,
    pub(super) remaining: u64,
    /// Whole seconds until the bucket is full.
    pub(super) reset: u64,
    /// Whole seconds to wait; only on a refusal.
    pub(super) retry_after: Option<u64>,
}

impl Limiter {
    /// One request comes at `now`.
    pub(super) fn take(&mut self, rule: RateLimit, now: Duration) -> Verdict {
        let cost = Duration::from_secs(1) / rule.per_sec.max(1);
        let limit = rule.max_burst.saturating_add(1);
        let capacity = cost.saturating_mul(limit);
        let full_at = self.full_at.max(now) + cost;
        let debt = full_at.saturating_sub(now);
        if let Some(wait) = debt.checked_sub(capacity).filter(|wait| !wait.is_zero()) {
            let standing = self.full_at.saturating_sub(now);
            let remaining = whole(capacity.saturating_sub(standing), cost);
            return Verdict { limit, remaining, reset: ceiling(standing), retry_after: Some(ceiling(wait)) };
        }
        self.full_at = full_at;
        Verdict {
            limit,
            remaining: whole(capacity.saturating_sub(debt), cost),
            reset: ceiling(debt),
            retry_after: None,
        }
    }
}

fn whole(credit: Duration, cost: Duration) -> u64 {
    u64::try_from(credit.as_nanos() / cost.as_nanos().max(1)).unwrap_or(u64::MAX)
}

fn ceiling(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: RateLimit = RateLimit { per_sec: 10, max_burst: 2 };

    #[test]
    fn a_burst_of_one_more_than_max_burst_passes_and_the_next_waits() {
        let mut limiter = Limiter::default();
        let at = Duration::from_secs(5);
        let verdicts: Vec<_> = (0..4).map(|_| limiter.take(RULE, at)).collect();
        let passed = |remaining| Verdict { limit: 3, remaining, reset: 1, retry_after: None };
        let refused = Verdict { limit: 3, remaining: 0, reset: 1, retry_after: Some(1) };
        assert_eq!(verdicts, [passed(2), passed(1), passed(0), refused]);
    }

    #[test]
    fn a_request_is_earned_back_after_its_share_of_a_second() {
        let mut limiter = Limiter::default();
        for _ in 0..3 {
            limiter.take(RULE, Duration::ZERO);
        }
        assert_eq!(limiter.take(RULE, Duration::from_millis(99)).retry_after, Some(1));
        assert_eq!(limiter.take(RULE, Duration::from_millis(100)).retry_after, None);
    }

    #[test]
    fn reset_counts_the_seconds_until_the_bucket_is_full() {
        let mut limiter = Limiter::default();
        let slow = RateLimit { per_sec: 1, max_burst: 100 };
        let resets: Vec<_> = (0..3).map(|_| limiter.take(slow, Duration::ZERO).reset).collect();
        assert_eq!(resets, [1, 2, 3]);
    }
}
