//! What only certain calls wait for: a limit that a server keeps on one kind of call and tells nobody of.
//!
//! Such calls go through a gate of their own before they come to that of the line, so that whoever asks or does something
//! else goes on meanwhile.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    Bound, Quota, Rate,
    pace::{Gate, Met, Pace, Pass},
    repeat::Passing,
};

/// The limit and where it is waited for.
#[derive(Debug)]
pub(super) struct Counted {
    quota: Quota,
    pub(super) gate: Gate,
    /// How often in a row a counted call was turned away.
    turned_away: AtomicU32,
}

/// The right to have one request under way: of the line, and, of a counted call, of its limit.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) pass: Pass<'a>,
    pub(super) counted: Option<Pass<'a>>,
}

impl Counted {
    pub(super) fn new(quota: Quota, concurrency: usize) -> Self {
        let rate = Rate { count: quota.count, per: quota.per, burst: None };
        let pace = Pace::new(concurrency, Some(rate), Instant::now());
        Self { quota, gate: Gate::new(pace), turned_away: AtomicU32::new(0) }
    }

    pub(super) fn counts(&self, method: &str, path: &str) -> bool {
        (self.quota.counts)(method, path)
    }

    /// How long so many counted calls wait for each other.
    pub(super) fn forecast(&self, calls: u64, now: Instant) -> Option<(Duration, Bound)> {
        self.gate.pace().forecast(calls, now)
    }

    /// A counted request is over. One that was turned away makes all of them wait: somebody else used the same limit, or an
    /// earlier run did.
    pub(super) fn over(&self, pass: Pass<'_>, passing: Option<Passing>) {
        let met = match passing {
            Some(Passing::TurnedAway(asked)) => {
                let times = self.turned_away.fetch_add(1, Ordering::Relaxed).min(16);
                let wait = self.quota.wait.saturating_mul(1 << times).min(self.quota.longest_wait);
                Met::TurnedAway(Some(asked.map_or(wait, |asked| asked.min(self.quota.longest_wait))))
            }
            Some(Passing::NeverSent) => Met::Nothing,
            Some(Passing::Unclear(_)) => Met::Answer,
            None => {
                self.turned_away.store(0, Ordering::Relaxed);
                Met::Answer
            }
        };
        pass.over(met, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        count: 2,
        per: Duration::from_mins(10),
        counts: |method, path| method == "PUT" && !path.ends_with("/enable"),
        wait: Duration::from_mins(1),
        longest_wait: Duration::from_mins(10),
    };

    /// How long whoever comes now waits.
    fn waits(counted: &Counted) -> Duration {
        let now = Instant::now();
        match counted.gate.pace().ready(now) {
            Ok(()) => Duration::ZERO,
            Err(Some(until)) => until - now,
            Err(None) => panic!("nothing is under way"),
        }
    }

    async fn enter(counted: &Counted) -> Pass<'_> {
        counted.gate.enter(&|_| false).await.unwrap()
    }

    #[tokio::test]
    async fn as_many_go_as_are_allowed_and_the_next_waits_for_the_first_to_be_forgotten() {
        let counted = Counted::new(QUOTA, 4);
        for _ in 0..2 {
            assert_eq!(waits(&counted), Duration::ZERO);
            counted.over(enter(&counted).await, None);
        }
        assert!(waits(&counted) > Duration::from_mins(9));
    }

    #[tokio::test]
    async fn whoever_is_turned_away_waits_twice_as_long_each_time_up_to_the_longest() {
        let wait = Duration::from_millis(2);
        let counted = Counted::new(Quota { count: 1_000, wait, longest_wait: wait * 10, ..QUOTA }, 1);
        for times in [1, 2, 4, 8, 10, 10] {
            let pass = enter(&counted).await;
            let begin = Instant::now();
            counted.over(pass, Some(Passing::TurnedAway(None)));
            assert!(waits(&counted) <= wait * times);
            drop(enter(&counted).await);
            assert!(begin.elapsed() >= wait * times, "{times}");
        }
        counted.over(enter(&counted).await, None);
        assert_eq!(counted.turned_away.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn who_asks_for_ten_years_is_waited_for_as_long_as_anybody() {
        for asked in [Duration::from_hours(24 * 365 * 10), Duration::MAX] {
            let counted = Counted::new(QUOTA, 1);
            counted.over(enter(&counted).await, Some(Passing::TurnedAway(Some(asked))));
            assert!(waits(&counted) <= QUOTA.longest_wait, "{asked:?}");
        }
    }

    #[tokio::test]
    async fn a_forecast_waits_for_windows_to_pass() {
        let counted = Counted::new(QUOTA, 4);
        assert!(counted.counts("PUT", "/users/anna") && !counted.counts("PUT", "/users/anna/enable"));
        let bound = Bound::Allowed(Rate { count: 2, per: QUOTA.per, burst: None });
        assert_eq!(counted.forecast(5, Instant::now()), Some((Duration::from_mins(20), bound)));
    }
}
