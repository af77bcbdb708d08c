//! When the next request may go to one system: how many may be under way, which pause the server asked for, and how much
//! it allows in which time.
//!
//! As many are under way as the server takes well: the number grows while answers are good, and is halved once for each
//! cause when it is told that it is too much. One refusal makes everybody wait, so that nobody is told the same twice.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    dialect::Allowance,
    meter::{Meter, Rate, learned},
};

/// How many requests may be under way before anything is known of a server, where so many are allowed.
const FIRST: usize = 4;

/// The pause after a refusal that names none; doubled with each further one.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest pause that is taken without having been asked for.
const LONGEST: Duration = Duration::from_mins(2);

/// How one request ended, as far as the pace is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It was answered, whatever the answer was.
    Answer,
    /// It was turned away unread (429); perhaps with a time to wait.
    TurnedAway(Option<Duration>),
    /// The server asks for a pause for another reason (503).
    Pause(Duration),
    /// No answer in time.
    Slow,
    /// There was no server to be slow.
    Nothing,
}

/// The pace of one line, with the time brought by whoever asks.
#[derive(Debug)]
pub(super) struct Pace {
    ceiling: usize,
    /// How many may be under way.
    window: f64,
    /// The window above which it grows slowly: it was too much once.
    known_good: f64,
    under_way: usize,
    paused_until: Option<Instant>,
    /// Causes for which we were turned away, since the last good answer.
    turned_away: u32,
    /// When the window was last cut: what was sent before belongs to the same cause.
    cut: Option<Instant>,
    set: Option<Meter>,
    learned: Option<Meter>,
    /// How long an answer takes, smoothed.
    latency: Option<Duration>,
}

/// What bounds how fast requests can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// So much is allowed.
    Allowed(Rate),
    /// So many go side by side, and each takes so long.
    Speed {
        /// How many side by side.
        concurrency: usize,
        /// How long each.
        latency: Duration,
    },
}

impl Pace {
    pub(super) fn new(ceiling: usize, rate: Option<Rate>, now: Instant) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            ceiling,
            window: float(ceiling.min(FIRST)),
            known_good: float(ceiling),
            under_way: 0,
            paused_until: None,
            turned_away: 0,
            cut: None,
            set: rate.map(|rate| Meter::new(rate, now)),
            learned: None,
            latency: None,
        }
    }

    /// Whether a request may go. `Err(Some(_))`: not before then. `Err(None)`: not before one under way is over.
    pub(super) fn ready(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        if float(self.under_way) + 1.0 > self.window.max(1.0) {
            return Err(None);
        }
        let mut latest = self.paused_until.filter(|until| *until > now);
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            latest = latest.max(meter.ready(now).map_err(|()| None)?);
        }
        latest.map_or(Ok(()), |until| Err(Some(until)))
    }

    /// A request goes.
    pub(super) fn take(&mut self, now: Instant) {
        self.under_way += 1;
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            meter.take(now);
        }
    }

    /// A request that went at `sent` is over.
    pub(super) fn over(&mut self, sent: Instant, met: Met, told: Option<Allowance>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            meter.over(now);
        }
        if let Some(told) = told {
            let refused = matches!(met, Met::TurnedAway(_));
            self.learned = Some(learned(self.learned.take(), told, self.under_way, refused, now));
        }
        let is_new = self.cut.is_none_or(|cut| sent >= cut);
        match met {
            Met::Answer => {
                let took = now.saturating_duration_since(sent);
                self.latency = Some(self.latency.map_or(took, |latency| (latency * 7 + took) / 8));
                if is_new {
                    self.turned_away = 0;
                    let step = if self.window < self.known_good { 1.0 } else { 1.0 / self.window.max(1.0) };
                    self.window = (self.window + step).min(float(self.ceiling));
                }
            }
            Met::TurnedAway(pause) => {
                for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
                    meter.empty(now);
                }
                if is_new {
                    self.turned_away += 1;
                    self.cut(now, pause.or(told.map(|told| told.reset_in)).is_none());
                }
                let doubled = SHORTEST.saturating_mul(1 << self.turned_away.saturating_sub(1).min(10)).min(LONGEST);
                match pause {
                    Some(pause) => self.pause(now + pause),
                    None if is_new => self.pause(now + told.map_or(doubled, |told| told.reset_in)),
                    None => {}
                }
            }
            Met::Pause(pause) => self.pause(now + pause),
            Met::Slow if is_new => self.cut(now, false),
            Met::Slow | Met::Nothing => {}
        }
    }

    /// Fewer side by side from now on; where nobody told when it is enough, one alone tries it.
    fn cut(&mut self, now: Instant, alone: bool) {
        self.known_good = (self.window / 2.0).max(1.0);
        self.window = if alone { 1.0 } else { self.known_good };
        self.cut = Some(now);
    }

    fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// How long so many requests will take, and what they are bounded by. `None`: nothing is known of this server yet.
    pub(super) fn forecast(&mut self, requests: u64, now: Instant) -> Option<(Duration, Bound)> {
        let all = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
        let mut longest = self.latency.map(|latency| {
            let bound = Bound::Speed { concurrency: self.ceiling, latency };
            (latency.mul_f64(all / float(self.ceiling)), bound)
        });
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            let Some((free, rate)) = meter.outlook(now) else { continue };
            let left = (all - free).max(0.0);
            let count = f64::from(rate.count.max(1));
            // Of windows only whole ones pass; what a bucket earns comes one by one.
            let times = if rate.burst.is_none() { (left / count).ceil() } else { left / count };
            let time = rate.per.mul_f64(times);
            if longest.is_none_or(|(longest, _)| time > longest) {
                longest = Some((time, Bound::Allowed(rate)));
            }
        }
        let pause = self.paused_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        longest.map(|(time, bound)| (time + pause, bound))
    }
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The pace, shared by everybody who asks on one line. They go in the order in which they came.
#[derive(Debug)]
pub(super) struct Gate {
    pace: Mutex<Pace>,
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

/// The right to have one request under way. What becomes of it is told with [`Pass::over`]; one that is given up counts as
/// sent.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    gate: &'a Gate,
    sent: Instant,
    is_over: bool,
}

impl Gate {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace: Mutex::new(pace), turn: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may go. Gives up, with `None`, once `is_shut` is true; it is told whether there is a pause to
    /// wait for.
    pub(super) async fn enter(&self, is_shut: &(dyn Fn(bool) -> bool + Sync)) -> Option<Pass<'_>> {
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before anything is looked at, so that no change falls in between.
            changed.as_mut().enable();
            let now = Instant::now();
            let ready = self.pace().ready(now);
            if is_shut(matches!(ready, Err(Some(_)))) {
                return None;
            }
            if ready.is_ok() {
                // Only whoever has the turn takes.
                self.pace().take(now);
            }
            match ready {
                Ok(()) => return Some(Pass { gate: self, sent: now, is_over: false }),
                Err(None) => changed.await,
                Err(Some(until)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(until) => {}
                        () = changed => {}
                    }
                }
            }
        }
    }

    /// Has everybody who waits look again.
    pub(super) fn stir(&self) {
        self.changed.notify_waiters();
    }
}

impl Pass<'_> {
    /// The request is over.
    pub(super) fn over(mut self, met: Met, told: Option<Allowance>) {
        self.is_over = true;
        self.gate.pace().over(self.sent, met, told, Instant::now());
        self.gate.stir();
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.gate.pace().over(self.sent, Met::Nothing, None, Instant::now());
            self.gate.stir();
        }
    }
}
