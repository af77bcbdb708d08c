//! What is told while calls are carried out: a bar on a terminal, nothing elsewhere.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::{model::plan::Call, run::execute::Watcher, state::Outcome, wire::Line};

/// A bar that counts calls.
pub(super) struct Bar {
    drawn: ProgressBar,
    failed: u64,
    /// Set where somebody wants it to stop.
    stopped: Arc<AtomicBool>,
}

impl Bar {
    /// A bar for so many calls. Shown on a terminal only, and only where it is wanted.
    pub(super) fn new(calls: u64, wanted: bool) -> Self {
        let target = if wanted { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(calls), target);
        // Of a rate nobody reads the fractions.
        let rate = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = write!(to, "{:.0}/s", state.per_sec());
        };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} calls, {rate}, {eta} left {msg}") {
            bar.set_style(style.with_key("rate", rate));
        }
        Self { drawn: bar, failed: 0, stopped: Arc::default() }
    }

    /// Stops beginning calls when somebody interrupts or the machine goes down. The second time it is not waited for what
    /// is under way: the journal knows it. Must be called within the runtime.
    pub(super) fn stop_on_signals(&self, lines: Vec<Arc<Line>>) {
        let (bar, stopped) = (self.drawn.clone(), Arc::clone(&self.stopped));
        tokio::spawn(async move {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupted), Ok(mut terminated)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            loop {
                let code = tokio::select! { _ = interrupted.recv() => 130, _ = terminated.recv() => 143 };
                if stopped.swap(true, Ordering::Relaxed) {
                    std::process::exit(code);
                }
                // Nobody sits out a pause of ten minutes any more.
                for line in &lines {
                    line.hang_up();
                }
                bar.suspend(|| super::tell("stopping: calls under way are finished; once more stops at once"));
            }
        });
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}

impl Watcher for Bar {
    fn settled(&mut self, _call: &Call, outcome: &Outcome) {
        if *outcome != Outcome::Done {
            self.failed += 1;
            self.drawn.set_message(format!("({} not done)", self.failed));
        }
        self.drawn.inc(1);
    }

    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }
}
