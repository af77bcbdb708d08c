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
    dialect::{Allowance, Refill},
    meter::{Beside, Meter, Rate, learned},
};

/// How many requests may be under way before anything is known of a server, where so many are allowed.
const FIRST: usize = 4;

/// The pause after a refusal that names none; doubled with each further one.
const SHORTEST: Duration = Duration::from_millis(500);

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

/// When a request went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Went {
    sent: Instant,
    /// Requests that were over then.
    answered: u64,
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
    /// Requests that are over.
    answered: u64,
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
            answered: 0,
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
    pub(super) fn take(&mut self, now: Instant) -> Went {
        self.under_way += 1;
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            meter.take(now);
        }
        Went { sent: now, answered: self.answered }
    }

    /// A request is over. Gives how long nothing is sent from now on, where that was not so before.
    pub(super) fn over(&mut self, went: Went, met: Met, told: Option<Allowance>, now: Instant) -> Option<Duration> {
        let paused_before = self.paused_until;
        let sent = went.sent;
        self.under_way = self.under_way.saturating_sub(1);
        for meter in [&mut self.set, &mut self.learned].into_iter().flatten() {
            // What came back until now counts before the answer does.
            let _ = meter.ready(now);
            meter.over(now);
        }
        let beside = Beside { under_way: self.under_way, answered: self.answered - went.answered };
        self.answered += 1;
        if let Some(told) = told {
            let refused = matches!(met, Met::TurnedAway(_));
            // Whoever is under way may take what is left of a window that does not fill while it lasts.
            if matches!(told.refill, Refill::Window(_)) && told.remaining <= self.under_way as u64 {
                self.pause(now + told.reset_in);
            }
            self.learned = Some(learned(self.learned.take(), told, beside, refused, now));
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
        let paused = self.paused_until.filter(|until| Some(*until) > paused_before)?;
        Some(paused.saturating_duration_since(now))
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
    went: Went,
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
            if is_shut(false) {
                return None;
            }
            let now = Instant::now();
            let ready = {
                let mut pace = self.pace();
                pace.ready(now).map(|()| pace.take(now))
            };
            match ready {
                Ok(went) => return Some(Pass { gate: self, went, is_over: false }),
                Err(None) => changed.await,
                Err(Some(_)) if is_shut(true) => return None,
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
    /// The request is over. Gives how long nothing is sent from now on, where that was not so before.
    pub(super) fn over(mut self, met: Met, told: Option<Allowance>) -> Option<Duration> {
        self.is_over = true;
        let paused = self.gate.pace().over(self.went, met, told, Instant::now());
        self.gate.stir();
        paused
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.gate.pace().over(self.went, Met::Nothing, None, Instant::now());
            self.gate.stir();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::unnecessary_wraps, reason = "it is given where a rate may be missing")]
    fn window(count: u32, per: Duration) -> Option<Rate> {
        Some(Rate { count, per, burst: None })
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is given where a server may tell nothing")]
    fn told(limit: u64, remaining: u64, seconds: u64, refill: Refill) -> Option<Allowance> {
        Some(Allowance { limit, remaining, reset_in: Duration::from_secs(seconds), refill })
    }

    /// Sends one request after the other, each answered after `latency` with whatever `server` says, for `time`; tells how
    /// many went.
    fn drive(
        pace: &mut Pace,
        start: Instant,
        time: Duration,
        latency: Duration,
        mut server: impl FnMut(Instant) -> (Met, Option<Allowance>),
    ) -> u32 {
        let (mut now, mut sent) = (start, 0);
        while now < start + time {
            match pace.ready(now) {
                Ok(()) => {
                    let went = pace.take(now);
                    let (met, allowance) = server(now);
                    now += latency;
                    pace.over(went, met, allowance, now);
                    sent += 1;
                }
                Err(Some(until)) => now = until,
                Err(None) => panic!("one request at a time never waits for itself"),
            }
        }
        sent
    }

    #[test]
    fn so_many_are_under_way_as_are_configured_and_no_more() {
        let now = Instant::now();
        let mut pace = Pace::new(2, None, now);
        assert_eq!(pace.ready(now), Ok(()));
        let went = pace.take(now);
        pace.take(now);
        assert_eq!(pace.ready(now), Err(None));
        pace.over(went, Met::Answer, None, now);
        assert_eq!(pace.ready(now), Ok(()));
    }

    #[test]
    fn the_number_side_by_side_grows_with_good_answers_and_is_halved_once_for_each_cause() {
        let start = Instant::now();
        let mut pace = Pace::new(16, None, start);
        let most = |pace: &mut Pace, now| {
            let mut went = Vec::new();
            while pace.ready(now) == Ok(()) {
                went.push(pace.take(now));
            }
            let most = went.len();
            for went in went {
                pace.over(went, Met::Nothing, None, now);
            }
            most
        };
        assert_eq!(most(&mut pace, start), 4);
        drive(&mut pace, start, SECOND * 12, SECOND, |_| (Met::Answer, None));
        assert_eq!(most(&mut pace, start), 16);
        // Four that were under way together run into the same wall.
        let later = start + SECOND * 20;
        let went: Vec<Went> = (0..4).map(|_| pace.take(later)).collect();
        for went in went {
            pace.over(went, Met::Slow, None, later + SECOND);
        }
        assert_eq!(most(&mut pace, later + SECOND), 8);
        // It was too much once, so it grows slowly from there.
        drive(&mut pace, later + SECOND, SECOND * 8, SECOND, |_| (Met::Answer, None));
        assert_eq!(most(&mut pace, later + SECOND * 9), 8);
        drive(&mut pace, later + SECOND * 9, SECOND * 2, SECOND, |_| (Met::Answer, None));
        assert_eq!(most(&mut pace, later + SECOND * 11), 9);
    }

    #[test]
    fn a_refusal_makes_everybody_wait_as_long_as_it_says() {
        let now = Instant::now();
        let mut pace = Pace::new(4, None, now);
        let went: Vec<Went> = (0..3).map(|_| pace.take(now)).collect();
        pace.over(went[0], Met::TurnedAway(Some(SECOND * 7)), None, now + SECOND / 10);
        // The others were sent before anybody knew; what they are told is no new cause.
        let soon = now + SECOND / 10;
        pace.over(went[1], Met::TurnedAway(Some(SECOND * 6)), None, soon);
        pace.over(went[2], Met::Answer, None, soon);
        assert_eq!(pace.ready(soon), Err(Some(soon + SECOND * 7)));
        assert_eq!(pace.ready(soon + SECOND * 7), Ok(()));
    }

    #[test]
    fn a_refusal_without_a_time_is_waited_out_longer_each_time_and_tried_by_one_alone() {
        let mut now = Instant::now();
        let mut pace = Pace::new(4, None, now);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let went = pace.take(now);
            pace.over(went, Met::TurnedAway(None), None, now);
            let Err(Some(until)) = pace.ready(now) else { panic!("it waits") };
            waits.push((until - now).as_millis());
            now = until;
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 120_000]);
        pace.take(now);
        assert_eq!(pace.ready(now), Err(None));
    }

    #[test]
    fn a_configured_window_is_never_overdrawn_however_it_falls() {
        let start = Instant::now();
        let mut pace = Pace::new(4, window(30, SECOND * 10), start);
        let mut arrived: Vec<Instant> = Vec::new();
        let sent = drive(&mut pace, start, SECOND * 60, Duration::from_millis(20), |now| {
            arrived.push(now + Duration::from_millis(20));
            (Met::Answer, None)
        });
        assert!(sent >= 6 * 30 * 95 / 100, "{sent}");
        for (at, first) in arrived.iter().enumerate() {
            let within = arrived[at..].iter().take_while(|other| **other < *first + SECOND * 10).count();
            assert!(within <= 30, "{within} within one window");
        }
    }

    #[test]
    fn a_configured_bucket_lets_a_burst_through_and_then_its_rate() {
        let start = Instant::now();
        let mut pace = Pace::new(4, Some(Rate { count: 10, per: SECOND, burst: Some(100) }), start);
        let sent = drive(&mut pace, start, SECOND * 20, Duration::from_millis(1), |_| (Met::Answer, None));
        assert!((298..=300).contains(&sent), "{sent}");
    }

    /// The algorithm behind Mattermost's limiter, to drive against.
    struct Bucket {
        full_at: Instant,
        cost: Duration,
        limit: u32,
        refused: u32,
    }

    impl Bucket {
        fn take(&mut self, now: Instant) -> (Met, Option<Allowance>) {
            let full_at = self.full_at.max(now) + self.cost;
            let is_refused = full_at - now > self.cost * self.limit;
            if is_refused {
                self.refused += 1;
            } else {
                self.full_at = full_at;
            }
            let debt = self.full_at.saturating_duration_since(now);
            let left = (self.cost * self.limit).saturating_sub(debt).as_nanos() / self.cost.as_nanos();
            let allowance = Allowance {
                limit: u64::from(self.limit),
                remaining: u64::try_from(left).unwrap(),
                reset_in: Duration::from_secs(debt.as_secs() + u64::from(debt.subsec_nanos() > 0)),
                refill: Refill::Steady,
            };
            let met = if is_refused { Met::TurnedAway(Some(SECOND)) } else { Met::Answer };
            (met, Some(allowance))
        }
    }

    #[test]
    fn what_a_bucket_tells_of_itself_is_used_up_without_a_single_refusal() {
        for (per_second, burst) in [(10, 100), (10, 5), (10, 0), (50, 100), (2, 30)] {
            let start = Instant::now();
            let mut pace = Pace::new(4, None, start);
            let cost = SECOND / per_second;
            let mut server = Bucket { full_at: start, cost, limit: burst + 1, refused: 0 };
            let latency = Duration::from_millis(3);
            let sent = drive(&mut pace, start, SECOND * 120, latency, |now| server.take(now));
            assert_eq!(server.refused, 0, "{per_second}/s");
            let allowed = 120 * per_second + burst + 1;
            // A bucket of one tells only whole seconds of itself: nothing is refused, and it is asked more slowly than it may.
            assert!(burst == 0 || sent * 100 >= allowed * 95, "{sent} of {allowed} at {per_second}/s, burst {burst}");
        }
    }

    #[test]
    fn an_answer_that_was_overtaken_gives_nothing_back() {
        let now = Instant::now();
        let mut pace = Pace::new(4, None, now);
        let went = [pace.take(now), pace.take(now)];
        // The server took the first one first, and its answer comes last.
        pace.over(went[1], Met::Answer, told(100, 0, 10, Refill::Steady), now);
        pace.over(went[0], Met::Answer, told(100, 1, 10, Refill::Steady), now);
        assert!(matches!(pace.ready(now), Err(Some(_))));
    }

    #[test]
    fn a_window_that_was_learned_from_its_first_refusal_is_not_overdrawn_again() {
        let start = Instant::now();
        let mut pace = Pace::new(4, None, start);
        let per = SECOND * 10;
        let (mut number, mut used, mut refused) = (0, 0_u64, 0);
        let sent = drive(&mut pace, start, SECOND * 100, Duration::from_millis(5), |now| {
            let age = now - start;
            if age.as_secs() / 10 != number {
                (number, used) = (age.as_secs() / 10, 0);
            }
            used += 1;
            if used <= 30 {
                return (Met::Answer, None);
            }
            refused += 1;
            let reset_in = 10 - age.as_secs() % 10;
            let allowance = told(used - 1, 0, reset_in, Refill::Window(per));
            (Met::TurnedAway(Some(Duration::from_secs(reset_in))), allowance)
        });
        assert_eq!(refused, 1);
        assert!(sent >= 10 * 30 * 95 / 100, "{sent}");
    }

    #[test]
    fn what_is_left_of_a_window_is_left_to_those_who_are_under_way() {
        let now = Instant::now();
        let mut pace = Pace::new(4, None, now);
        let went = pace.take(now);
        pace.take(now);
        pace.over(went, Met::Answer, told(30, 1, 8, Refill::Window(SECOND * 10)), now);
        assert_eq!(pace.ready(now), Err(Some(now + SECOND * 8)));
    }

    #[test]
    fn a_forecast_waits_for_whatever_is_slowest() {
        let now = Instant::now();
        let mut pace = Pace::new(4, None, now);
        assert_eq!(pace.forecast(100, now), None);
        let went = pace.take(now);
        pace.over(went, Met::Answer, None, now + SECOND / 10);
        let speed = Bound::Speed { concurrency: 4, latency: SECOND / 10 };
        assert_eq!(pace.forecast(400, now), Some((SECOND * 10, speed)));
        let rate = Rate { count: 300, per: SECOND * 600, burst: None };
        let mut slow = Pace::new(4, Some(rate), now);
        assert_eq!(slow.forecast(300, now), Some((Duration::ZERO, Bound::Allowed(rate))));
        assert_eq!(slow.forecast(301, now), Some((SECOND * 600, Bound::Allowed(rate))));
    }

    const MOMENT: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn whoever_waits_at_the_gate_does_not_go_before_the_pause_is_over() {
        let gate = Gate::new(Pace::new(4, None, Instant::now()));
        let start = Instant::now();
        gate.enter(&|_| false).await.unwrap().over(Met::TurnedAway(Some(MOMENT)), None);
        drop(gate.enter(&|_| false).await.unwrap());
        assert!(start.elapsed() >= MOMENT);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_gives_its_place_back() {
        let gate = Gate::new(Pace::new(1, None, Instant::now()));
        drop(gate.enter(&|_| false).await.unwrap());
        drop(gate.enter(&|_| false).await.unwrap());
    }

    #[tokio::test]
    async fn whoever_waits_for_an_hour_gives_up_once_the_gate_is_shut() {
        let gate = Gate::new(Pace::new(4, None, Instant::now()));
        gate.enter(&|_| false).await.unwrap().over(Met::TurnedAway(Some(SECOND * 3_600)), None);
        let shut = std::sync::atomic::AtomicBool::new(false);
        let is_shut = |_| shut.load(std::sync::atomic::Ordering::SeqCst);
        let (pass, ()) = tokio::join!(gate.enter(&is_shut), async {
            shut.store(true, std::sync::atomic::Ordering::SeqCst);
            gate.stir();
        });
        assert!(pass.is_none());
    }
}
