//! Whether a thread lives: it tells so as long as nothing blocks it.
//!
//! Waiting for a slow server is no block; a file system that never answers is one, and so is a computation that never
//! ends. Nothing is known here of what the thread does.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// How often a thread shows that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// Silence that is no work any more. A plan for a very large list computes for minutes without a pause.
const SILENCE: Duration = Duration::from_mins(15);

/// When a thread was last seen alive.
#[derive(Debug)]
pub(super) struct Life {
    begun: Instant,
    /// Milliseconds since then.
    last: AtomicU64,
    told: AtomicBool,
}

impl Life {
    pub(super) fn begun() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(0), told: AtomicBool::new(false) }
    }

    /// Does this work, and shows that whoever does it lives.
    pub(super) async fn during(&self, work: impl Future<Output = ()>) {
        let beats = async {
            loop {
                self.beat(self.begun.elapsed());
                tokio::time::sleep(BEAT).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = beats => {}
        }
    }

    /// For how long it has been silent, where that is too long.
    pub(super) fn hangs(&self) -> Option<Duration> {
        self.hung_at(self.begun.elapsed())
    }

    /// True once for each silence.
    pub(super) fn is_news(&self) -> bool {
        !self.told.swap(true, Ordering::SeqCst)
    }

    fn beat(&self, at: Duration) {
        self.last.store(u64::try_from(at.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        self.told.store(false, Ordering::SeqCst);
    }

    fn hung_at(&self, at: Duration) -> Option<Duration> {
        let silent = at.saturating_sub(Duration::from_millis(self.last.load(Ordering::SeqCst)));
        (silent > SILENCE).then_some(silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_no_silence_until_it_is_too_long_and_is_told_once() {
        let life = Life::begun();
        life.beat(Duration::from_mins(1));
        assert_eq!(life.hung_at(Duration::from_mins(1) + SILENCE), None);
        let later = Duration::from_secs(61) + SILENCE;
        assert_eq!(life.hung_at(later), Some(SILENCE + Duration::from_secs(1)));
        assert_eq!((life.is_news(), life.is_news()), (true, false));
        life.beat(later);
        assert_eq!(life.hung_at(later), None);
        assert!(life.is_news());
    }

    #[test]
    fn whoever_waits_is_alive_and_whoever_blocks_is_not() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let life = Life::begun();
        runtime.block_on(life.during(async { tokio::time::sleep(BEAT + BEAT / 2).await }));
        assert!(life.last.load(Ordering::SeqCst) >= 1_000);
        let life = Life::begun();
        runtime.block_on(life.during(async { std::thread::sleep(BEAT + BEAT / 2) }));
        assert!(life.last.load(Ordering::SeqCst) < 1_000);
    }
}
