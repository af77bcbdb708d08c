//! `homeward watch`: all sources side by side, in one process.
//!
//! Each feed (a drop folder, a website) has a thread of its own with rules compiled for it; one more carries out what
//! people approved. They share the store, which alone remembers. The network, the folders and the store may go away and
//! come back: a feed tells of it and goes on. Nothing is decided here that a plan made by hand would not decide.

mod clock;
mod feed;
mod folder;
mod life;
mod outlook;
mod passage;
mod receiver;
mod website;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use jiff::civil::Date;
use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, OwnedMutexGuard},
};
use tracing::{error, info, warn};

use self::{clock::Clock, feed::Sort, life::Life, passage::Seat};
use super::{RunError, fleet::Fleet, project::OpenError, told};
use crate::{
    connector::Kind,
    lab::Address,
    model::id::SystemName,
    rules::lint::{Finding, code::Severity},
    source::drop_folder::holder::Holder,
    state::{Standing, StateError, Store, Waits, expectation::Expecting, lock, sqlite::Sqlite},
    wire::Line,
};

/// How long what is under way may take when the service is told to stop.
const LAST_CALLS: Duration = Duration::from_secs(9);

/// How often to see whether every feed lives.
const ROUNDS: Duration = Duration::from_secs(1);

/// The name of the thread that carries out what was approved. No system can be called so.
const APPROVED: &str = "(approved)";

/// The name of the thread that looks at accounts of which something is expected.
const EXPECTED: &str = "(expected)";

/// What the service is ordered to do.
#[derive(Clone)]
pub(crate) struct Orders {
    /// The configuration's file.
    pub(crate) config: PathBuf,
    pub(crate) kinds: Vec<Kind>,
    /// The simulators that take the place of every provider.
    pub(crate) lab: Option<BTreeMap<String, Address>>,
    /// The store's file.
    pub(crate) state: PathBuf,
    /// Whether plans are carried out that nothing stands against.
    pub(crate) apply: bool,
    /// Whether to be told by the operating system what happens in folders.
    pub(crate) events: bool,
    /// Whether to end when there is nothing left to do.
    pub(crate) once: bool,
    pub(crate) today: Option<Date>,
    /// How many seconds pass in one.
    pub(crate) pace: u32,
}

/// Why the service could not start.
#[derive(Debug)]
pub(crate) enum WatchError {
    Open(OpenError),
    /// No source is configured that could be watched.
    NothingToWatch,
    /// An address cannot be listened at.
    Listen {
        address: String,
        cause: String,
    },
    /// The rules would fail at the first record.
    Faulty {
        errors: usize,
        first: String,
    },
    /// The secret of a webhook cannot be used.
    Secret {
        system: SystemName,
        cause: String,
    },
    /// A signal cannot be awaited, a thread cannot be made.
    System(std::io::Error),
    /// A feed ended by a fault of ours.
    Ended {
        feed: SystemName,
    },
}

impl From<OpenError> for WatchError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<StateError> for WatchError {
    fn from(error: StateError) -> Self {
        Self::Open(OpenError::Run(RunError::State(error)))
    }
}

/// What was met on the way, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    /// An input was refused, or its plan waits for somebody, or something of it is not to be carried out.
    Held,
    /// A feed is in trouble.
    Trouble,
    /// Some calls were not done.
    Failed,
    /// Nobody knows of some calls whether they were done.
    Doubt,
}

/// How a feed fares: what `homeward status` and `/healthz` show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fares {
    /// `folder`, `website`.
    pub(crate) kind: String,
    /// What stands in its way; `None`: nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) trouble: Option<String>,
    /// The last input, where it was refused and none was taken since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) refused: Option<String>,
    /// When it last looked, ISO 8601.
    pub(crate) looked: String,
    /// `events and listing`, `listing`, `poll`, `poll and webhook`.
    pub(crate) mode: String,
    /// The last input it took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) last: Option<String>,
    /// Inputs that are not complete, or wait for their turn.
    pub(crate) waiting: Vec<String>,
    /// Names that are passed over, with why.
    pub(crate) ignored: Vec<String>,
    /// What an operator should mend.
    pub(crate) warnings: Vec<String>,
    /// The process that tells.
    pub(crate) pid: u32,
}

impl Fares {
    /// True where nothing is in its way, and its last input was not refused.
    pub(crate) fn is_well(&self) -> bool {
        self.trouble.is_none() && self.refused.is_none()
    }
}

/// Who wakes each feed.
type Wakes = Mutex<BTreeMap<SystemName, Arc<Notify>>>;

/// What all threads share.
pub(crate) struct Service {
    orders: Orders,
    store: Sqlite,
    clock: Clock,
    stopping: AtomicBool,
    /// Woken when the service stops.
    stopped: Notify,
    generation: AtomicU64,
    fares: Mutex<BTreeMap<SystemName, Fares>>,
    /// Whose turn it is to write to each system, among the threads of this process.
    writing: Mutex<BTreeMap<SystemName, Arc<tokio::sync::Mutex<()>>>>,
    wakes: Wakes,
    /// The worst that was met.
    worst: Mutex<Option<Met>>,
    /// What was to come by itself when somebody looked last: a store that cannot be used must not keep those waiting who ask
    /// how the service fares.
    expected: Mutex<Expecting>,
    holder: Holder,
    /// How many feeds have read configuration and rules since the start.
    seated: AtomicU64,
    /// The line to each system, of one generation: all feeds share it, so that together they ask no more of a server at
    /// once than is configured.
    lines: Mutex<(u64, BTreeMap<SystemName, Arc<Line>>)>,
}

impl Service {
    /// The time for the store.
    fn now(&self) -> String {
        self.clock.now().to_string()
    }

    fn stops(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stopped.notify_waiters();
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).1.values() {
            line.hang_up();
        }
    }

    /// Has the lines of this fleet be those that all feeds of its generation share.
    fn share(&self, generation: u64, fleet: &mut Fleet) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.0 != generation {
            // A feed that lags behind keeps lines of its own until it has read the new configuration.
            if lines.0 > generation {
                return;
            }
            *lines = (generation, BTreeMap::new());
        }
        for (name, member) in &mut fleet.members {
            member.line = Arc::clone(lines.1.entry(name.clone()).or_insert_with(|| Arc::clone(&member.line)));
        }
    }

    /// True while a plan is to be carried out that somebody approved.
    fn has_approved(&self) -> Result<bool, StateError> {
        Ok(self.store.waits()?.iter().any(|run| run.standing == Standing::Approved))
    }

    /// The plans of a feed that are to be settled before anything else of it: later inputs do not slip past them.
    fn blocks(&self, feed: &SystemName) -> Result<Vec<Waits>, StateError> {
        let mut waits = self.store.waits()?;
        // What was set aside waits for somebody, and nothing waits for it.
        waits.retain(|run| run.feed.as_ref() == Some(feed) && run.standing != Standing::Aside);
        Ok(waits)
    }

    /// Waits until the service stops.
    async fn until_stopped(&self) {
        let stopped = self.stopped.notified();
        tokio::pin!(stopped);
        // Registered before the flag is read, so that no stop falls in between.
        stopped.as_mut().enable();
        if !self.stops() {
            stopped.await;
        }
    }

    /// The turns to write to all these systems, in one order for everybody.
    async fn turns(&self, systems: &BTreeSet<SystemName>) -> Vec<OwnedMutexGuard<()>> {
        let mut turns = Vec::new();
        for system in systems {
            let turn = {
                let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(writing.entry(system.clone()).or_default())
            };
            turns.push(turn.lock_owned().await);
        }
        turns
    }

    /// Takes note of something that whoever started this should know at the end.
    fn met(&self, met: Met) {
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        *worst = (*worst).max(Some(met));
    }

    /// Has a feed look now.
    fn wake(&self, feed: &SystemName) {
        if let Some(wake) = self.wakes.lock().unwrap_or_else(PoisonError::into_inner).get(feed) {
            wake.notify_one();
        }
    }

    /// Tells how a feed fares.
    fn tell(&self, feed: &SystemName, fares: Fares) {
        let text = serde_json::to_string(&fares).unwrap_or_default();
        let now = fares.trouble.clone();
        let before = {
            let mut all = self.fares.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(feed.clone(), fares)
        };
        match (before.and_then(|before| before.trouble), now) {
            (before, Some(now)) if before.as_ref() != Some(&now) => warn!(feed = %feed, "{now}"),
            (Some(_), None) => info!(feed = %feed, "well again"),
            _ => {}
        }
        if let Err(error) = self.store.fares(feed, &text) {
            warn!(feed = %feed, "the store cannot be told how it fares: {}", told(&error));
        }
    }

    /// A feed is not watched any more: nobody asks how it fares.
    fn forget(&self, feed: &SystemName) {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner).remove(feed);
        if let Err(error) = self.store.unwatched(feed) {
            warn!(feed = %feed, "the store cannot be told that it is not watched any more: {}", told(&error));
        }
    }

    /// How all feeds fare.
    fn health(&self) -> BTreeMap<SystemName, Fares> {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A feed that runs.
struct Running {
    sort: Sort,
    thread: JoinHandle<()>,
    wake: Arc<Notify>,
    leave: Arc<AtomicBool>,
    life: Arc<Life>,
}

impl Running {
    /// It ends as soon as what it does is done. Another one of its name may have been started already.
    fn is_let_go(&self) {
        self.leave.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }
}

/// Serves until it is told to stop, by SIGTERM or SIGINT, or with `once` until there is nothing left to do.
///
/// # Errors
/// Where it cannot start.
pub(crate) async fn watch(orders: Orders) -> Result<Option<Met>, WatchError> {
    // From here on nothing that is asked of the service ends it unheard.
    let mut terminate = signal(SignalKind::terminate()).map_err(WatchError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(WatchError::System)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(WatchError::System)?;
    let store = Sqlite::open(&orders.state)?;
    let _watching = lock::watching(&orders.state)?;
    let service = Arc::new(Service {
        clock: Clock::new(orders.pace, orders.today),
        store,
        stopping: AtomicBool::new(false),
        stopped: Notify::new(),
        generation: AtomicU64::new(0),
        fares: Mutex::default(),
        writing: Mutex::default(),
        wakes: Wakes::default(),
        worst: Mutex::default(),
        expected: Mutex::default(),
        holder: Holder::here(),
        seated: AtomicU64::new(0),
        lines: Mutex::default(),
        orders,
    });
    let seat = opened(&service, 0)?;
    let mut receivers = receiver::Receivers::default();
    receivers.renew(&service, &seat.project.config).await?;
    let mut feeds: BTreeMap<SystemName, Running> = BTreeMap::new();
    if !watches_anything(&seat) {
        return Err(WatchError::NothingToWatch);
    }
    for gone in service.store.feeds()?.keys().filter(|name| !wanted(&seat).contains_key(*name)) {
        service.forget(gone);
    }
    reconcile(&service, &seat, &mut feeds).map_err(WatchError::System)?;
    drop(seat);
    // Each feed reads the files for itself: whoever hears that it is ready may change them.
    let all_seated = async {
        while service.seated.load(Ordering::SeqCst) < feeds.len() as u64 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(LAST_CALLS, all_seated).await;
    // Where no service manager asked for it, nobody is told.
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&watching(&feeds))]);
    info!("{}", watching(&feeds));
    let alive = sd_notify::watchdog_enabled().map_or(Duration::from_hours(24), |limit| limit / 2);
    let mut heartbeat = tokio::time::interval(alive);
    let mut rounds = tokio::time::interval(ROUNDS);
    let mut ends = tokio::time::interval(Duration::from_millis(50));
    let mut gone = None;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                if let Some(told) = reload(&service, &mut feeds, &mut receivers).await {
                    error!("the old configuration and rules stay: {told}");
                }
            }
            // Whoever restarts what gives no sign of life must not be told that all is well.
            _ = heartbeat.tick() => if feeds.values().all(|feed| feed.life.hangs().is_none()) {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            },
            _ = rounds.tick(), if !service.orders.once => {
                look_after(&service, &mut feeds).map_err(WatchError::System)?;
                // What would be done from now on, nobody would know of.
                gone = service.store.is_there().err();
                if gone.is_some() {
                    break;
                }
            }
            _ = ends.tick(), if service.orders.once => {
                gone = service.store.is_there().err();
                if gone.is_some() {
                    break;
                }
                let all_idle = feeds.iter().all(|(name, feed)| name.as_str() == APPROVED || feed.thread.is_finished());
                // Whoever would carry out what is approved may have ended by a fault of ours.
                let carries_out = feeds.get(&SystemName::from(APPROVED)).is_some_and(|feed| !feed.thread.is_finished());
                if all_idle && !(carries_out && service.has_approved()?) {
                    break;
                }
            }
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    info!("stopping: calls that are under way are finished");
    service.stop();
    let all_left = async {
        while !feeds.values().all(|feed| feed.thread.is_finished()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(LAST_CALLS, all_left).await.is_err() {
        warn!("some calls are still under way: the next start looks what became of them");
    }
    if let Some(error) = gone {
        return Err(error.into());
    }
    if service.orders.once {
        // It may have waited before this passage began.
        let is_ours = |run: &Waits| run.feed.as_ref().is_some_and(|feed| feeds.contains_key(feed));
        if service.store.waits()?.iter().any(|run| is_ours(run) && run.standing != Standing::Approved) {
            service.met(Met::Held);
        }
    }
    if service.health().values().any(|fares| fares.trouble.is_some()) {
        service.met(Met::Trouble);
    }
    for (name, running) in feeds {
        // One that goes on after its time is not waited for.
        if running.thread.is_finished() && running.thread.join().is_err() {
            error!(feed = %name, "it ended by a fault of ours");
            return Err(WatchError::Ended { feed: name });
        }
    }
    let worst = *service.worst.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(worst)
}

/// Opens a project that `check` finds nothing wrong with: what would fail at the first record does not take the place of
/// what works.
fn opened(service: &Service, generation: u64) -> Result<Seat, WatchError> {
    let seat = Seat::open(service, generation)?;
    let orders = &service.orders;
    let checked = super::check::check(&orders.config, &orders.kinds, service.clock.today())?;
    let is_wrong = |it: &&Finding| it.silenced.is_none() && it.severity() == Severity::Error;
    let wrong: Vec<&Finding> = checked.findings.iter().filter(is_wrong).collect();
    match wrong.first() {
        None => Ok(seat),
        Some(first) => Err(WatchError::Faulty { errors: wrong.len(), first: first.message.clone() }),
    }
}

/// Starts a thread for each feed that has none, and lets go of those that are not configured any more.
fn reconcile(service: &Arc<Service>, seat: &Seat, feeds: &mut BTreeMap<SystemName, Running>) -> std::io::Result<()> {
    let wanted = wanted(seat);
    feeds.retain(|name, running| {
        let stays = wanted.contains_key(name);
        if !stays {
            running.is_let_go();
        }
        stays
    });
    for (name, sort) in wanted {
        // A system may have become one of another sort.
        let before = feeds.get(&name).filter(|running| !running.thread.is_finished());
        match before {
            Some(running) if running.sort == sort => {}
            _ => {
                let running = start(service, &name, sort)?;
                if let Some(other) = feeds.insert(name, running) {
                    other.is_let_go();
                }
            }
        }
    }
    Ok(())
}

/// What is to be watched, and how.
fn wanted(seat: &Seat) -> BTreeMap<SystemName, Sort> {
    let folders = seat.project.folders.keys().map(|name| (name.clone(), Sort::Folder));
    let websites = seat.project.websites.keys().map(|name| (name.clone(), Sort::Website));
    let others = [(SystemName::from(APPROVED), Sort::Approved), (SystemName::from(EXPECTED), Sort::Expected)];
    folders.chain(websites).chain(others).collect()
}

fn watches_anything(seat: &Seat) -> bool {
    !seat.project.folders.is_empty() || !seat.project.websites.is_empty()
}

/// What is watched, in words.
fn watching(feeds: &BTreeMap<SystemName, Running>) -> String {
    let names: Vec<&str> =
        feeds.iter().filter(|(_, feed)| feed.sort.is_feed()).map(|(name, _)| name.as_str()).collect();
    format!("watching {}", names.join(", "))
}

/// Starts the thread of a feed.
fn start(service: &Arc<Service>, name: &SystemName, sort: Sort) -> std::io::Result<Running> {
    let (wake, leave, life) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)), Arc::new(Life::begun()));
    service.wakes.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&wake));
    let handle = tokio::runtime::Handle::current();
    let thread = {
        let (service, name) = (Arc::clone(service), name.clone());
        let (wake, leave, life) = (Arc::clone(&wake), Arc::clone(&leave), Arc::clone(&life));
        std::thread::Builder::new().name(name.to_string()).stack_size(crate::STACK).spawn(move || {
            handle.block_on(life.during(feed::run(&service, &name, sort, &wake, &leave)));
            // Where another one of its name was started since, that one is asked.
            let mut wakes = service.wakes.lock().unwrap_or_else(PoisonError::into_inner);
            if leave.load(Ordering::SeqCst) && wakes.get(&name).is_some_and(|current| Arc::ptr_eq(current, &wake)) {
                wakes.remove(&name);
                service.forget(&name);
            }
        })?
    };
    Ok(Running { sort, thread, wake, leave, life })
}

/// Starts feeds again that ended by a fault of ours, and tells of those that give no sign of life.
fn look_after(service: &Arc<Service>, feeds: &mut BTreeMap<SystemName, Running>) -> std::io::Result<()> {
    for (name, running) in feeds {
        if running.thread.is_finished() {
            error!(feed = %name, "it ended by a fault of ours and is started again");
            *running = start(service, name, running.sort)?;
        } else if let Some(silent) = running.life.hangs()
            && running.life.is_news()
        {
            let trouble = format!("no sign of life for {} minutes", silent.as_secs() / 60);
            error!(feed = %name, "{trouble}");
            let mut fares = service.health().remove(name).unwrap_or_default();
            fares.trouble = Some(trouble);
            service.fares.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), fares);
        }
    }
    Ok(())
}

/// Reads configuration and rules again. Where anything is wrong with them, nothing changes and it is told.
async fn reload(
    service: &Arc<Service>,
    feeds: &mut BTreeMap<SystemName, Running>,
    receivers: &mut receiver::Receivers,
) -> Option<String> {
    // The manager takes the message for this reload's only where it tells when it began.
    let begun = NotifyState::monotonic_usec_now();
    let _ = match begun {
        Ok(begun) => sd_notify::notify(&[NotifyState::Reloading, begun]),
        Err(_) => sd_notify::notify(&[NotifyState::Reloading]),
    };
    let generation = service.generation.load(Ordering::SeqCst) + 1;
    let read = match opened(service, generation) {
        Err(error) => Err(feed::watch_told(&error)),
        Ok(seat) if !watches_anything(&seat) => Err(feed::watch_told(&WatchError::NothingToWatch)),
        Ok(seat) => match receivers.renew(service, &seat.project.config).await {
            Err(error) => Err(feed::watch_told(&error)),
            Ok(()) => Ok(seat),
        },
    };
    let told = read.and_then(|seat| {
        service.generation.store(generation, Ordering::SeqCst);
        let made = reconcile(service, &seat, feeds);
        for name in feeds.keys() {
            service.wake(name);
        }
        if service.orders.lab.is_none() && service.orders.state != seat.project.config.state {
            warn!("another `state` counts from the next start on");
        }
        info!("configuration and rules are read again: {}", watching(feeds));
        made.map_err(|error| error.to_string())
    });
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&watching(feeds))]);
    told.err()
}
