//! What one run may use up in all: time, and repeats of what failed in passing.
//!
//! A limit per call does not bound a run of ten thousand calls.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allotment {
    /// No call is begun when it is over; `None`: no limit.
    pub(crate) time: Option<Duration>,
    /// How many requests may be sent again in all.
    pub(crate) retries: u32,
}

impl Default for Allotment {
    fn default() -> Self {
        Self { time: None, retries: 1_000 }
    }
}

/// What is left of the limits of a run that has begun.
#[derive(Debug)]
pub(crate) struct Budget {
    allotment: Allotment,
    until: Option<Instant>,
    retries: AtomicU32,
}

impl Budget {
    /// A run begins now.
    pub(crate) fn new(allotment: Allotment) -> Self {
        let until = allotment.time.and_then(|time| Instant::now().checked_add(time));
        Self { allotment, until, retries: AtomicU32::new(allotment.retries) }
    }

    /// Why no further call is begun; `None` while there is time.
    pub(crate) fn spent(&self) -> Option<String> {
        if self.until.is_none_or(|until| Instant::now() < until) {
            return None;
        }
        let seconds = self.allotment.time.unwrap_or_default().as_secs();
        Some(format!("the time of this run is over (`apply.time`, {seconds} s)"))
    }

    /// When no further request shall be begun.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Takes one repeat; false where none is left.
    pub(super) fn take(&self) -> bool {
        self.retries.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}
