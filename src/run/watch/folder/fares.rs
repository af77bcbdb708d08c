//! How a watched folder fares: what the operating system tells of it, and what is told of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    time::Duration,
};

use notify::Watcher as _;
use tracing::{info, warn};

use super::{
    super::{Fares, Service, feed::waker, passage::how_to_settle},
    Events, FolderFeed, IGNORED_AFTER, SHOWN,
};
use crate::{
    source::drop_folder::Look,
    state::{StateError, Store as _},
};

impl FolderFeed {
    /// Has the operating system tell of events, in the folder that is there now: a watch on one that was replaced stays
    /// silent for ever.
    pub(super) fn listen(&mut self, service: &Service) {
        if !service.orders.events {
            return;
        }
        let path = self.folder.settings().folder.clone();
        let Ok(place) = std::fs::metadata(&path).map(|facts| (facts.dev(), facts.ino())) else {
            self.events = None;
            return;
        };
        if self.events.as_ref().is_some_and(|events| events.place == place) {
            return;
        }
        let wake = {
            let wakes = service.wakes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            wakes.get(&self.name).map(waker)
        };
        let Some(wake) = wake else { return };
        // Reading a file is an event too, and no reason to look.
        let told = move |event: Result<notify::Event, notify::Error>| {
            if event.map_or(true, |event| !event.kind.is_access()) {
                wake();
            }
        };
        self.events = notify::recommended_watcher(told)
            .and_then(|mut watcher| {
                watcher.watch(&path, notify::RecursiveMode::NonRecursive)?;
                Ok(Events { _watcher: watcher, place })
            })
            .map_err(|error| warn!(feed = %self.name, "no events, listing only: {error}"))
            .ok();
    }

    /// Tells what stays in the folder, and why, where nobody looks again.
    pub(super) fn leave(&self, service: &Service, look: &Look, blocked: bool) -> Result<(), StateError> {
        let are_quiet = look.waiting.iter().filter(|waiting| waiting.why.passes());
        let behind = look.ready.len() + are_quiet.count();
        let behind = match behind {
            0 => String::new(),
            1 => "; 1 file stays behind it".to_owned(),
            many => format!("; {many} files stay behind it"),
        };
        if blocked && self.turn.is_none() {
            warn!(feed = %self.name, "another process handles a file of this folder{behind}");
        } else if blocked {
            let waits = service.store.waits()?.into_iter();
            let waits = waits.filter(|run| run.feed.as_ref() == Some(&self.name) && run.standing.is_held());
            for run in waits {
                let (stands, settle) = (run.standing.word(), how_to_settle(service, run.id));
                warn!(feed = %self.name, run = run.id, "{} is {stands}: {settle}{behind}", run.input);
            }
        }
        // What needs somebody is told of at each look.
        for waiting in look.waiting.iter().filter(|it| !it.why.passes() && !it.why.needs_somebody()) {
            warn!(feed = %self.name, "{} is not taken: {}", waiting.name, waiting.why);
        }
        for ignored in look.ignored.iter().filter(|ignored| !ignored.why.is_usual()) {
            info!(feed = %self.name, "{} is not read: {}", ignored.name, ignored.why);
        }
        Ok(())
    }

    /// Tells everybody how the folder fares.
    pub(super) fn tell(&mut self, service: &Service, look: &Look, blocked: bool) {
        let mode = if self.events.is_some() { "events and listing" } else { "listing" };
        let mut warnings = look.warnings.clone();
        warnings.extend(self.stale.clone());
        let left = look.waiting.iter().filter(|waiting| waiting.why.needs_somebody());
        let left: BTreeMap<_, _> = left.map(|waiting| (&waiting.name, &waiting.why)).collect();
        let stuck = look.stuck.iter().map(|stuck| (&stuck.name, &stuck.why));
        let not_taken: BTreeMap<_, _> = left.into_iter().chain(stuck).collect();
        warnings.extend(not_taken.into_iter().map(|(name, why)| format!("{name} is not taken: {why}")));
        if look.overdue.is_some() {
            let every = self.folder.settings().expect_every.map(shown).unwrap_or_default();
            warnings.push(format!("no file came for more than {every}"));
        }
        let now: BTreeSet<String> = warnings.iter().cloned().collect();
        for warning in now.difference(&self.warned) {
            warn!(feed = %self.name, "{warning}");
        }
        self.warned = now;
        let in_hand = self.in_hand.iter().map(|held| format!("{}: in hand", held.claim.name()));
        let behind = look.ready.iter().filter(|_| blocked);
        let behind = behind.map(|ready| format!("{}: complete, behind what is not settled", ready.name));
        let waiting = look.waiting.iter().map(|waiting| format!("{}: {}", waiting.name, waiting.why));
        let ignored = look.ignored.iter().filter(|ignored| ignored.since >= IGNORED_AFTER);
        let ignored = ignored.map(|ignored| format!("{}: {}", ignored.name, ignored.why));
        let fares = Fares {
            kind: "folder".to_owned(),
            trouble: self.trouble.clone(),
            refused: self.refused.clone(),
            looked: service.now(),
            mode: mode.to_owned(),
            last: self.last.clone(),
            waiting: some_of(in_hand.chain(behind).chain(waiting)),
            ignored: some_of(ignored),
            warnings: some_of(warnings.into_iter()),
            pid: std::process::id(),
        };
        service.tell(&self.name, fares);
    }
}

/// The first of many lines, and how many more there are.
fn some_of(mut lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut some: Vec<String> = lines.by_ref().take(SHOWN).collect();
    let more = lines.count();
    if more > 0 {
        some.push(format!("and {more} more"));
    }
    some
}

/// A duration in the largest unit that says it whole.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}
