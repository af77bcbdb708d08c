//! Whether a system is asked at all: after too many failures in a row, or once it no longer knows us, it is left alone.
//!
//! After a while one request may try whether it is well again; the others wait for what becomes of that one. Pure but for
//! the lock: whoever asks brings the time.

use std::time::Duration;

use tokio::time::Instant;

/// How long a system is left alone at first; doubled each time it is still not well.
const FIRST_REST: Duration = Duration::from_secs(5);

/// The longest it is left alone.
const LONGEST_REST: Duration = Duration::from_mins(2);

/// How long a system is left alone that counts failed sign-ins: one more in such a time does not lock anybody out.
const LOCKED_OUT: Duration = Duration::from_mins(30);

/// Why a system is not asked any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// So many requests in a row came to nothing.
    Failing(u32),
    /// It no longer accepts our credentials.
    Stranger,
    /// It does not accept our credentials, and each further try makes it worse.
    LockedOut,
    /// It asked for a pause that is longer than we wait.
    Paused(Duration),
}

/// How a question or a call ended, all its repeats counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The system answered, yes or no.
    Answered {
        /// False for a no to our credentials from a system that never knew us.
        knows_us: bool,
    },
    /// It did not, or with a fault of its own.
    Failed,
    /// It does not know us, though it did before.
    Stranger,
    /// It does not know us, and keeps out whoever tries again.
    LockedOut,
    /// It asked for a long pause.
    Paused(Duration),
    /// Nothing was asked, for a reason that is not the system's.
    Unasked,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    why: Why,
    until: Instant,
    rest: Duration,
    /// Somebody tries it.
    probed: bool,
}

/// The breaker of one line.
#[derive(Debug)]
pub(super) struct Breaker {
    most: u32,
    failures: u32,
    /// It has answered and known us.
    is_known: bool,
    open: Option<Open>,
}

impl Breaker {
    /// One that opens after so many failures in a row.
    pub(super) fn new(most: u32) -> Self {
        Self { most: most.max(1), failures: 0, is_known: false, open: None }
    }

    /// Why nothing is asked now; `None` where something may be.
    pub(super) fn why(&self, now: Instant) -> Option<Why> {
        let open = self.open.filter(|open| open.probed || now < open.until)?;
        Some(open.why)
    }

    /// Lets a question or a call begin. True where it is the one that tries whether the system is well again.
    pub(super) fn admit(&mut self, now: Instant) -> Result<bool, Why> {
        if let Some(why) = self.why(now) {
            return Err(why);
        }
        if let Some(open) = &mut self.open {
            open.probed = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// True where the system was known to accept our credentials.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// What was admitted is over.
    pub(super) fn over(&mut self, is_probe: bool, ended: Ended, now: Instant) {
        match ended {
            Ended::Answered { knows_us } => {
                self.is_known |= knows_us;
                self.failures = 0;
                // An answer to what was under way proves that the system is well, and nothing about our credentials.
                if is_probe || self.open.is_some_and(|open| matches!(open.why, Why::Failing(_))) {
                    self.open = None;
                }
            }
            Ended::Failed => {
                self.failures = self.failures.saturating_add(1);
                if is_probe {
                    self.again(now);
                } else if self.failures >= self.most && self.open.is_none() {
                    self.open(Why::Failing(self.failures), FIRST_REST, now);
                }
            }
            Ended::Stranger if is_probe => self.again(now),
            Ended::Stranger => self.open(Why::Stranger, FIRST_REST, now),
            Ended::LockedOut => self.open(Why::LockedOut, LOCKED_OUT, now),
            Ended::Paused(pause) => self.open(Why::Paused(pause), pause.min(Duration::from_hours(1)), now),
            Ended::Unasked => {
                if is_probe && let Some(open) = &mut self.open {
                    open.probed = false;
                }
            }
        }
    }

    fn open(&mut self, why: Why, rest: Duration, now: Instant) {
        self.open = Some(Open { why, until: now + rest, rest, probed: false });
    }

    fn again(&mut self, now: Instant) {
        if let Some(open) = self.open {
            self.open(open.why, (open.rest * 2).min(LONGEST_REST), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Ended = Ended::Answered { knows_us: true };

    fn fail(breaker: &mut Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            let is_probe = breaker.admit(now).unwrap();
            breaker.over(is_probe, Ended::Failed, now);
        }
    }

    #[test]
    fn so_many_failures_in_a_row_open_it_and_an_answer_in_between_does_not_count_as_one() {
        let now = Instant::now();
        let mut breaker = Breaker::new(3);
        fail(&mut breaker, 2, now);
        breaker.over(false, YES, now);
        fail(&mut breaker, 2, now);
        assert_eq!(breaker.why(now), None);
        fail(&mut breaker, 1, now);
        assert_eq!(breaker.why(now), Some(Why::Failing(3)));
        assert_eq!(breaker.admit(now), Err(Why::Failing(3)));
    }

    #[test]
    fn after_a_rest_one_alone_tries_and_its_answer_lets_everybody_in() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1);
        fail(&mut breaker, 1, now);
        let later = now + FIRST_REST;
        assert_eq!(breaker.why(later), None);
        assert_eq!(breaker.admit(later), Ok(true));
        assert_eq!(breaker.admit(later), Err(Why::Failing(1)));
        breaker.over(true, YES, later);
        assert_eq!(breaker.admit(later), Ok(false));
    }

    #[test]
    fn each_try_that_fails_doubles_the_rest() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(1);
        fail(&mut breaker, 1, now);
        let mut rests = Vec::new();
        for _ in 0..6 {
            let rest = breaker.open.unwrap().rest;
            rests.push(rest.as_secs());
            now += rest;
            fail(&mut breaker, 1, now);
        }
        assert_eq!(rests, [5, 10, 20, 40, 80, 120]);
    }

    #[test]
    fn a_try_that_asks_nothing_leaves_the_try_to_the_next() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1);
        fail(&mut breaker, 1, now);
        let later = now + FIRST_REST;
        assert_eq!(breaker.admit(later), Ok(true));
        breaker.over(true, Ended::Unasked, later);
        assert_eq!(breaker.admit(later), Ok(true));
    }

    #[test]
    fn credentials_that_are_no_longer_accepted_open_it_at_once_whatever_is_still_under_way() {
        let now = Instant::now();
        let mut breaker = Breaker::new(5);
        breaker.over(false, YES, now);
        breaker.over(false, Ended::Stranger, now);
        breaker.over(false, YES, now);
        assert_eq!(breaker.why(now), Some(Why::Stranger));
    }

    #[test]
    fn a_system_that_counts_failed_sign_ins_is_not_tried_again_for_half_an_hour() {
        let now = Instant::now();
        let mut breaker = Breaker::new(5);
        breaker.over(false, Ended::LockedOut, now);
        breaker.over(false, YES, now);
        assert_eq!(breaker.why(now + LOCKED_OUT - Duration::from_secs(1)), Some(Why::LockedOut));
        assert_eq!(breaker.admit(now + LOCKED_OUT), Ok(true));
        breaker.over(true, Ended::LockedOut, now + LOCKED_OUT);
        assert_eq!(breaker.why(now + LOCKED_OUT * 2 - Duration::from_secs(1)), Some(Why::LockedOut));
    }

    #[test]
    fn a_system_that_never_knew_us_says_so_itself() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1);
        breaker.over(false, Ended::Answered { knows_us: false }, now);
        assert!(!breaker.is_known());
        assert_eq!(breaker.why(now), None);
    }

    #[test]
    fn a_pause_that_is_too_long_to_wait_for_keeps_it_open_as_long() {
        let now = Instant::now();
        let mut breaker = Breaker::new(5);
        breaker.over(false, Ended::Paused(Duration::from_mins(10)), now);
        assert_eq!(breaker.why(now + Duration::from_mins(9)), Some(Why::Paused(Duration::from_mins(10))));
        assert_eq!(breaker.why(now + Duration::from_mins(10)), None);
    }
}
