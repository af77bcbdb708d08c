//! What every feed does: look, tell how it fares, wait until there is a reason to look again.
//!
//! What there is to look at, only the sorts of feeds know.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use tracing::{error, warn};

use super::{
    Fares, Service, WatchError,
    folder::FolderFeed,
    outlook::Outlook,
    passage::{Seat, approved},
    website::WebsiteFeed,
};
use crate::{
    model::id::SystemName,
    run::{holds, project::OpenError, told},
    state::{Standing, StateError, Store},
};

/// How often to look for plans that somebody approved: the store tells nobody.
const APPROVALS: Duration = Duration::from_millis(500);

/// How long to leave a store alone that cannot be used.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What a feed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Folder,
    Website,
    /// No feed: carries out what was approved.
    Approved,
    /// No feed: looks at accounts of which something is expected.
    Expected,
}

impl Sort {
    /// True for what takes inputs, and is told of by its name.
    pub(super) fn is_feed(self) -> bool {
        matches!(self, Self::Folder | Self::Website)
    }
}

/// When to look again, and whether there is nothing left to do until something new comes.
pub(super) struct Next {
    pub(super) wait: Duration,
    pub(super) idle: bool,
}

/// What is looked after, by its sort.
enum Tended {
    Folder(Box<FolderFeed>),
    Website(Box<WebsiteFeed>),
    /// With what was told of each run that cannot be carried out yet.
    Approved(BTreeMap<i64, String>),
    Expected(Outlook),
}

/// Looks after one feed until the service stops or the feed is not configured any more.
pub(super) async fn run(service: &Service, name: &SystemName, sort: Sort, wake: &Notify, leave: &AtomicBool) {
    let mut at_work: Option<(Seat, Tended)> = None;
    let mut last_fault = None;
    let mut seated = false;
    let leaves = || service.stops() || leave.load(Ordering::SeqCst);
    while !leaves() {
        let generation = service.generation.load(Ordering::SeqCst);
        if at_work.as_ref().is_none_or(|(seat, _)| seat.generation != generation) {
            match Seat::open(service, generation) {
                Ok(seat) => {
                    let before = at_work.take().map(|(_, tended)| tended);
                    // Where the file has changed since, and knows no such feed any more, it is told to leave soon.
                    at_work = tend(service, &seat, name, sort, before).map(|tended| (seat, tended));
                }
                // It was opened a moment ago by whoever started this: files may be in the making.
                Err(fault) => tell_once(name, &mut last_fault, open_told(&fault)),
            }
        }
        if !std::mem::replace(&mut seated, true) {
            service.seated.fetch_add(1, Ordering::SeqCst);
        }
        let next = match &mut at_work {
            None => Next { wait: STORE_PAUSE, idle: false },
            Some((seat, tended)) => {
                let step = match tended {
                    Tended::Folder(feed) => feed.step(service, seat).await,
                    Tended::Website(feed) => feed.step(service, seat).await,
                    Tended::Approved(put_off) => carry_out_approved(service, seat, put_off).await,
                    Tended::Expected(outlook) => outlook.step(service, seat).await,
                };
                if step.is_ok() {
                    last_fault = None;
                }
                step.unwrap_or_else(|fault| {
                    tell_once(name, &mut last_fault, told(&fault));
                    if sort.is_feed() {
                        let trouble = Some(format!("the store cannot be used: {}", told(&fault)));
                        service.tell(name, Fares { trouble, pid: std::process::id(), ..Fares::default() });
                    }
                    Next { wait: STORE_PAUSE, idle: false }
                })
            }
        };
        if service.orders.once && next.idle {
            return;
        }
        tokio::select! {
            () = service.clock.wait(next.wait) => {}
            () = wake.notified() => {}
            () = service.until_stopped() => {}
        }
    }
}

/// What to look after from now on. What was in hand stays in hand.
fn tend(service: &Service, seat: &Seat, name: &SystemName, sort: Sort, before: Option<Tended>) -> Option<Tended> {
    Some(match sort {
        Sort::Folder => {
            let settings = seat.project.folders.get(name)?.clone();
            let feed = match before {
                Some(Tended::Folder(mut feed)) => {
                    feed.renew(settings);
                    feed
                }
                _ => Box::new(FolderFeed::new(service, name.clone(), settings)),
            };
            Tended::Folder(feed)
        }
        Sort::Website => match before {
            Some(Tended::Website(mut feed)) => {
                feed.renew();
                Tended::Website(feed)
            }
            _ => Tended::Website(Box::new(WebsiteFeed::new(name.clone()))),
        },
        Sort::Approved => Tended::Approved(BTreeMap::new()),
        Sort::Expected => match before {
            Some(Tended::Expected(outlook)) => Tended::Expected(outlook),
            _ => Tended::Expected(Outlook::default()),
        },
    })
}

/// Logs a fault, unless it is the one that was logged last.
fn tell_once(name: &SystemName, last: &mut Option<String>, fault: String) {
    if last.as_ref() != Some(&fault) {
        error!(feed = %name, "{fault}");
        *last = Some(fault);
    }
}

async fn carry_out_approved(
    service: &Service,
    seat: &mut Seat,
    put_off: &mut BTreeMap<i64, String>,
) -> Result<Next, StateError> {
    for expired in holds::expire(&service.store, &seat.project.terms, service.clock.now())? {
        warn!(run = expired.id, input = expired.input, "expired: nobody settled it in time");
        if let Some(feed) = &expired.feed {
            service.wake(feed);
        }
    }
    let runs = service.store.waits()?;
    let mut woken = Vec::new();
    put_off.retain(|id, _| runs.iter().any(|run| run.id == *id));
    for run in runs.iter().filter(|run| run.standing == Standing::Approved) {
        let came = approved(service, seat, run.id).await?;
        if let super::passage::Came::Later { why } = came
            && put_off.get(&run.id) != Some(&why)
        {
            warn!(run = run.id, "approved, and not carried out yet: {why}");
            put_off.insert(run.id, why);
        }
        woken.extend(run.feed.clone());
    }
    for feed in woken {
        service.wake(&feed);
    }
    let wait = if put_off.is_empty() { APPROVALS } else { STORE_PAUSE };
    // As long as another feed is at work, somebody may approve what it holds.
    Ok(Next { wait, idle: false })
}

/// Why configuration or rules cannot be used, in one line. Whole messages with their excerpts are what `check` shows.
pub(super) fn open_told(error: &OpenError) -> String {
    match error {
        OpenError::Config(errors) => {
            let first = errors.errors.first().map(ToString::to_string).unwrap_or_default();
            format!("{}: {first} (see `homeward check`)", errors.file)
        }
        OpenError::Rules(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            format!("the rules: {first} (see `homeward check`)")
        }
        OpenError::Run(error) => told(error),
    }
}

/// Why the service cannot be as it is configured.
pub(super) fn watch_told(error: &WatchError) -> String {
    match error {
        WatchError::Open(error) => open_told(error),
        WatchError::NothingToWatch => "no source is configured that could be watched".to_owned(),
        WatchError::Listen { address, cause } => format!("{address} cannot be listened at: {cause}"),
        WatchError::Faulty { errors: 1, first } => format!("the rules: {first} (see `homeward check`)"),
        WatchError::Faulty { errors, first } => {
            format!("the rules: {first}, the first of {errors} errors (see `homeward check`)")
        }
        WatchError::Secret { system, cause } => format!("the webhook of {system}: {cause}"),
        WatchError::System(error) => error.to_string(),
        WatchError::Ended { feed } => format!("the feed {feed} ended by a fault of ours"),
    }
}

/// Wakes a feed from another thread.
pub(super) fn waker(wake: &Arc<Notify>) -> impl Fn() + Send + 'static {
    let wake = Arc::clone(wake);
    move || wake.notify_one()
}
