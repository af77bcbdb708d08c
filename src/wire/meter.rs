//! How many requests may go out in which time: what was configured, and what a server says of itself.
//!
//! Pure: whoever asks brings the time. Every count errs on the server's side, so that it never sees more than it allows:
//! a request counts from when it is sent until long after it is answered, because only then it has certainly arrived.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::dialect::{Allowance, Refill};

/// Windows remember each request; more than this many are counted in a shorter window instead.
const LONGEST_MEMORY: u32 = 10_000;

/// What may be asked in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// So many requests.
    pub(crate) count: u32,
    /// In so much time.
    pub(crate) per: Duration,
    /// So many may come at once after a silence; `None`: `count` in any stretch of `per`, however they fall.
    pub(crate) burst: Option<u32>,
}

/// One way of counting.
#[derive(Clone, Debug)]
pub(super) enum Meter {
    /// At most `count` in any stretch of `per`.
    Window {
        count: usize,
        per: Duration,
        under_way: usize,
        /// When those that still count were answered, oldest first.
        answered: VecDeque<Instant>,
    },
    /// A bucket of `burst` that fills at a steady rate.
    Bucket { burst: f64, cost: Duration, level: f64, at: Instant },
    /// What a server with a bucket says of it: exact, and always a moment old.
    Told {
        limit: f64,
        level: f64,
        at: Instant,
        under_way: usize,
        /// The longest that one request can take to come back, as far as its answers tell; `None`: not known yet.
        cost: Option<Duration>,
    },
}

impl Meter {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let (mut count, mut per) = (rate.count.max(1), rate.per);
        if let Some(burst) = rate.burst {
            let burst = f64::from(burst.max(1));
            return Self::Bucket { burst, cost: per / count, level: burst, at: now };
        }
        while count > LONGEST_MEMORY {
            (count, per) = (count / 10, per / 10);
        }
        Self::window(u64::from(count), per)
    }

    fn window(count: u64, per: Duration) -> Self {
        Self::Window { count: held(count), per, under_way: 0, answered: VecDeque::new() }
    }

    /// When the next request may go: `Ok(None)` now, `Err` only after something under way is answered.
    pub(super) fn ready(&mut self, now: Instant) -> Result<Option<Instant>, ()> {
        self.fill(now);
        match self {
            Self::Window { count, per, under_way, answered } => {
                if *under_way + answered.len() < *count {
                    return Ok(None);
                }
                answered.front().map(|first| Some(*first + *per)).ok_or(())
            }
            Self::Bucket { cost, level, at, .. } => Ok((*level < 1.0).then(|| *at + cost.mul_f64(1.0 - *level))),
            Self::Told { level, at, cost, under_way, .. } => {
                if *level >= 1.0 {
                    return Ok(None);
                }
                match cost {
                    Some(cost) => Ok(Some(*at + cost.mul_f64(1.0 - *level))),
                    None if *under_way > 0 => Err(()),
                    // Nothing is known of how it fills, and nobody will tell but an answer.
                    None => Ok(None),
                }
            }
        }
    }

    /// One request goes.
    pub(super) fn take(&mut self, now: Instant) {
        self.fill(now);
        match self {
            Self::Window { under_way, .. } => *under_way += 1,
            Self::Bucket { level, .. } => *level -= 1.0,
            Self::Told { level, under_way, .. } => {
                *level -= 1.0;
                *under_way += 1;
            }
        }
    }

    /// One request is over, with or without an answer.
    pub(super) fn over(&mut self, now: Instant) {
        match self {
            Self::Window { under_way, answered, .. } => {
                *under_way = under_way.saturating_sub(1);
                answered.push_back(now);
            }
            Self::Bucket { .. } => {}
            Self::Told { under_way, .. } => *under_way = under_way.saturating_sub(1),
        }
    }

    /// The server turned one away: nothing is left now, whatever we thought.
    pub(super) fn empty(&mut self, now: Instant) {
        self.fill(now);
        if let Self::Bucket { level, .. } | Self::Told { level, .. } = self {
            *level = level.min(0.0);
        }
    }

    /// Requests that may go at once, and how long each takes to come back: for telling how long many will take.
    pub(super) fn outlook(&mut self, now: Instant) -> Option<(f64, Rate)> {
        self.fill(now);
        match self {
            Self::Window { count, per, under_way, answered } => {
                let free = number(count.saturating_sub(*under_way + answered.len()) as u64);
                let count = u32::try_from(*count).unwrap_or(u32::MAX);
                Some((free, Rate { count, per: *per, burst: None }))
            }
            Self::Bucket { burst, cost, level, .. } => Some((*level, per_second(*cost, whole(*burst)))),
            Self::Told { limit, level, cost, .. } => Some((*level, per_second((*cost)?, whole(*limit)))),
        }
    }

    fn fill(&mut self, now: Instant) {
        match self {
            Self::Window { per, answered, .. } => {
                while answered.front().is_some_and(|first| *first + *per <= now) {
                    answered.pop_front();
                }
            }
            Self::Bucket { burst: most, cost, level, at } => pour(level, at, *cost, *most, now),
            Self::Told { limit, cost: Some(cost), level, at, .. } => pour(level, at, *cost, *limit, now),
            Self::Told { .. } => {}
        }
    }
}

/// As many requests of a window as are remembered.
fn held(count: u64) -> usize {
    usize::try_from(count.clamp(1, u64::from(LONGEST_MEMORY))).unwrap_or(1)
}

fn pour(level: &mut f64, at: &mut Instant, cost: Duration, most: f64, now: Instant) {
    let earned = now.saturating_duration_since(*at).as_secs_f64() / cost.as_secs_f64().max(1e-9);
    // What comes back when a request was counted twice is not lost, only late; more than the bucket holds is.
    *level = (*level + earned).min(most);
    *at = (*at).max(now);
}

fn per_second(cost: Duration, burst: u32) -> Rate {
    let second = Duration::from_secs(1);
    if cost <= second {
        let count = whole(second.as_secs_f64() / cost.as_secs_f64().max(1e-6));
        return Rate { count, per: second, burst: Some(burst) };
    }
    Rate { count: 1, per: cost, burst: Some(burst) }
}

fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is at least one, and a cast saturates")]
fn whole(number: f64) -> u32 {
    number.max(1.0).round() as u32
}

/// Who else was on the way while an answer was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside {
    /// Requests that the answer may not know of yet.
    pub(super) under_way: usize,
    /// Requests that were answered meanwhile, and may have come after this one at the server.
    pub(super) answered: u64,
}

/// What was learned from a server's answers, with what this one adds.
pub(super) fn learned(meter: Option<Meter>, told: Allowance, beside: Beside, refused: bool, now: Instant) -> Meter {
    let under_way = beside.under_way;
    match (told.refill, meter) {
        (Refill::Steady, meter) => {
            let (mut known, ours) = match meter {
                Some(Meter::Told { cost, level, .. }) => (cost, Some(level)),
                _ => (None, None),
            };
            if refused {
                // It fills more slowly than we thought, or somebody else drinks from it.
                known = None;
            }
            // The bucket lacks more than `used - 1` requests and is full in at most `reset_in`.
            let used = told.limit.saturating_sub(told.remaining);
            let bound = u32::try_from(used.saturating_sub(1)).ok().filter(|used| *used > 0);
            let bound = bound.map(|used| told.reset_in / used);
            // A bucket of one is full again when that one is back.
            let bound = bound.or((told.remaining == 0).then_some(told.reset_in)).filter(|bound| !bound.is_zero());
            let cost = match (known, bound) {
                (Some(known), Some(bound)) => Some(known.min(bound)),
                (known, bound) => known.or(bound),
            };
            let limit = number(told.limit);
            let theirs = number(told.remaining) - number(under_way as u64);
            // Answers overtake each other: an old one that leaves more than we count is believed only as far as it cannot
            // be outdated. One that leaves less means that somebody else drinks from the bucket too.
            let level = match ours {
                Some(ours) if ours < theirs => ours.max(theirs - number(beside.answered)),
                _ => theirs,
            };
            Meter::Told { limit, level, at: now, under_way, cost }
        }
        // What this window held is spent, and the pause that comes with the refusal reaches beyond it: the next one begins
        // with nothing but what is under way. Of several refusals for one cause the first one counted best.
        (Refill::Window(per), meter) if refused => {
            let known = match meter {
                Some(Meter::Window { count, per: known, .. }) if known == per => count,
                _ => usize::MAX,
            };
            let count = held(told.limit).min(known);
            Meter::Window { count, per, under_way, answered: VecDeque::new() }
        }
        (Refill::Window(_), Some(meter)) => meter,
        (Refill::Window(per), None) => Meter::window(told.limit, per),
    }
}
