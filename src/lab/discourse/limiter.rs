//! Sliding windows, as Discourse keeps them: a refused request does not count (`discourse.md` 2).

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// All windows of the forum, by what they count.
#[derive(Default)]
pub(super) struct Limiter {
    windows: BTreeMap<String, VecDeque<Instant>>,
}

impl Limiter {
    /// Counts one request, unless so many were counted within `length` already: then how many seconds to wait.
    pub(super) fn count(&mut self, name: &str, most: usize, length: Duration) -> Result<(), u64> {
        self.look(name, most, length)?;
        self.windows.entry(name.to_owned()).or_default().push_back(Instant::now());
        Ok(())
    }

    /// The same without counting it.
    pub(super) fn look(&mut self, name: &str, most: usize, length: Duration) -> Result<(), u64> {
        if most == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let window = self.windows.entry(name.to_owned()).or_default();
        while window.front().is_some_and(|first| now.duration_since(*first) >= length) {
            window.pop_front();
        }
        match window.len().checked_sub(most).and_then(|over| window.get(over)) {
            Some(first) => {
                let left = length.saturating_sub(now.duration_since(*first));
                Err(left.as_secs() + u64::from(left.subsec_nanos() > 0))
            }
            None => Ok(()),
        }
    }

    /// Gives the last one back.
    pub(super) fn give_back(&mut self, name: &str) {
        if let Some(window) = self.windows.get_mut(name) {
            window.pop_back();
        }
    }

    /// As if nothing had been asked.
    pub(super) fn clear(&mut self) {
        self.windows.clear();
    }
}
