//! What is told while calls are carried out: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{model::plan::Call, run::execute::Watcher, state::Outcome};

/// A bar that counts calls.
pub(super) struct Bar {
    bar: ProgressBar,
    failed: u64,
}

impl Bar {
    /// A bar for so many calls. Shown on a terminal only, and only where it is wanted.
    pub(super) fn new(calls: u64, wanted: bool) -> Self {
        let target = if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(calls), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} calls, {per_sec}, {eta} left {msg}") {
            bar.set_style(style);
        }
        Self { bar, failed: 0 }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Bar {
    fn settled(&mut self, _call: &Call, outcome: &Outcome) {
        if *outcome != Outcome::Done {
            self.failed += 1;
            self.bar.set_message(format!("({} not done)", self.failed));
        }
        self.bar.inc(1);
    }
}
