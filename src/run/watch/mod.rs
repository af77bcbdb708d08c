//! `homeward watch`: all sources side by side, in one process.
//!
//! Each feed (a drop folder, a website) has a thread of its own with rules compiled for it; one more carries out what
//! people approved. They share the store, which alone remembers. The network, the folders and the store may go away and
//! come back: a feed tells of it and goes on. Nothing is decided here that a plan made by hand would not decide.

mod clock;
mod feed;
mod folder;
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

use self::{clock::Clock, passage::Seat};
use super::{RunError, project::OpenError};
use crate::{
    connector::Kind,
    lab::Address,
    model::id::SystemName,
    source::drop_folder::holder::Holder,
    state::{StateError, Store, lock, sqlite::Sqlite},
};

/// How long what is under way may take when the service is told to stop.
const LAST_CALLS: Duration = Duration::from_secs(9);

/// What the rules may need of the stack, and then some.
const STACK: usize = 16 << 20;

/// The name of the thread that carries out what was approved. No system can be called so.
const APPROVED: &str = "(approved)";

/// What the service is ordered to do.
#[derive(Clone)]
pub(crate) struct Orders {
    /// The configuration's file.
    pub(crate) config: PathBuf,
    pub(crate) kinds: Vec<Kind>,
    /// The simulators that take the place of every provider.
    pub(crate) lab: Option<BTreeMap<String, Address>>,
    /// The store's file; `None` for one that ends with the process.
    pub(crate) state: Option<PathBuf>,
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
    /// The secret of a webhook cannot be used.
    Secret {
        system: SystemName,
        cause: String,
    },
    /// A signal cannot be awaited, a thread cannot be made.
    System(std::io::Error),
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

/// How a feed fares: what `homeward status` and `/healthz` show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fares {
    /// `folder`, `website`.
    pub(crate) kind: String,
    /// What stands in its way; `None`: nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) trouble: Option<String>,
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

/// Who wakes each feed.
type Wakes = Arc<Mutex<BTreeMap<SystemName, Arc<Notify>>>>;

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
    holder: Holder,
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
            warn!(feed = %feed, "the store cannot be told how it fares: {error}");
        }
    }

    /// How all feeds fare.
    fn health(&self) -> BTreeMap<SystemName, Fares> {
        self.fares.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A feed that runs.
struct Running {
    thread: JoinHandle<()>,
    leave: Arc<AtomicBool>,
}

/// Serves until it is told to stop, by SIGTERM or SIGINT, or with `once` until there is nothing left to do.
///
/// # Errors
/// Where it cannot start.
pub(crate) async fn watch(orders: Orders) -> Result<(), WatchError> {
    let store = match &orders.state {
        Some(state) => Sqlite::open(state)?,
        None => Sqlite::in_memory()?,
    };
    let _watching = orders.state.as_deref().map(lock::watching).transpose()?;
    let service = Arc::new(Service {
        clock: Clock::new(orders.pace, orders.today),
        store,
        stopping: AtomicBool::new(false),
        stopped: Notify::new(),
        generation: AtomicU64::new(0),
        fares: Mutex::default(),
        writing: Mutex::default(),
        wakes: Wakes::default(),
        holder: Holder::here(),
        orders,
    });
    let seat = Seat::open(&service, 0)?;
    let mut receivers = receiver::Receivers::default();
    receivers.renew(&service, &seat.project.config).await?;
    let mut feeds: BTreeMap<SystemName, Running> = BTreeMap::new();
    reconcile(&service, &seat, &mut feeds).map_err(WatchError::System)?;
    if feeds.is_empty() {
        return Err(WatchError::NothingToWatch);
    }
    drop(seat);
    let mut terminate = signal(SignalKind::terminate()).map_err(WatchError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(WatchError::System)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(WatchError::System)?;
    // Where no service manager asked for it, nobody is told.
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    info!(feeds = feeds.len() - 1, "watching");
    let alive = sd_notify::watchdog_enabled().map_or(Duration::from_hours(24), |limit| limit / 2);
    let mut heartbeat = tokio::time::interval(alive);
    let mut ends = tokio::time::interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                if let Some(told) = reload(&service, &mut feeds, &mut receivers).await {
                    error!("the old configuration and rules stay: {told}");
                }
            }
            _ = heartbeat.tick() => {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
            _ = ends.tick(), if service.orders.once => {
                if feeds.values().all(|feed| feed.thread.is_finished()) {
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
    Ok(())
}

/// Starts a thread for each feed that has none, and lets go of those that are not configured any more.
fn reconcile(service: &Arc<Service>, seat: &Seat, feeds: &mut BTreeMap<SystemName, Running>) -> std::io::Result<()> {
    let mut wanted: BTreeMap<SystemName, feed::Sort> = BTreeMap::new();
    wanted.extend(seat.project.folders.keys().map(|name| (name.clone(), feed::Sort::Folder)));
    wanted.extend(seat.project.websites.keys().map(|name| (name.clone(), feed::Sort::Website)));
    if !wanted.is_empty() {
        wanted.insert(SystemName::from(APPROVED), feed::Sort::Approved);
    }
    feeds.retain(|name, running| {
        let stays = wanted.contains_key(name);
        if !stays {
            running.leave.store(true, Ordering::SeqCst);
            service.wake(name);
        }
        stays
    });
    for (name, sort) in wanted {
        if feeds.get(&name).is_some_and(|running| !running.thread.is_finished()) {
            continue;
        }
        let (wake, leave) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        service.wakes.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&wake));
        let thread = {
            let (service, leave, name) = (Arc::clone(service), Arc::clone(&leave), name.clone());
            let handle = tokio::runtime::Handle::current();
            std::thread::Builder::new().name(name.to_string()).stack_size(STACK).spawn(move || {
                handle.block_on(feed::run(&service, &name, sort, &wake, &leave));
            })?
        };
        feeds.insert(name, Running { thread, leave });
    }
    Ok(())
}

/// Reads configuration and rules again. Where anything is wrong with them, nothing changes and it is told.
async fn reload(
    service: &Arc<Service>,
    feeds: &mut BTreeMap<SystemName, Running>,
    receivers: &mut receiver::Receivers,
) -> Option<String> {
    let _ = sd_notify::notify(&[NotifyState::Reloading]);
    let generation = service.generation.load(Ordering::SeqCst) + 1;
    let read = match Seat::open(service, generation) {
        Err(error) => Err(feed::open_told(&error)),
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
        info!("configuration and rules are read again");
        made.map_err(|error| error.to_string())
    });
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    told.err()
}
