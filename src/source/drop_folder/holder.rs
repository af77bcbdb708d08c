//! Who holds a claim, and whether it still does.
//!
//! On one machine a lock tells: the system takes it away when a process ends, however it ends. Holders on other machines
//! are judged by the time at which they last renewed their lease, because over network file systems a lock may say nothing.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a holder on another machine is believed to live without renewing.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(60);

/// A process that takes files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) host: String,
    pub(crate) pid: u32,
    /// Names the running system: another one after every start. Empty where the system does not tell.
    boot: String,
    /// When the process began, in ticks since the start of the system: tells it from a later one with its number.
    start: String,
    /// Names this holder among all.
    pub(crate) id: String,
}

impl Holder {
    /// This process.
    pub(crate) fn here() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        // The name of the program, in brackets, may hold anything; the start is the 20th word behind it.
        let about_us = line("/proc/self/stat");
        let start = about_us.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19)).unwrap_or_default();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            boot: line("/proc/sys/kernel/random/boot_id"),
            start: start.to_owned(),
            id: format!("{:016x}", rand::random::<u64>()),
        }
    }

    /// True where both are seen by one system, which keeps their locks.
    fn shares_locks_with(&self, other: &Self) -> bool {
        if self.boot.is_empty() { other.boot.is_empty() && self.host == other.host } else { self.boot == other.boot }
    }
}

/// What a claim says about itself, as it lies beside the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) format: String,
    pub(super) holder: Holder,
    pub(super) taken: Timestamp,
    pub(super) renewed: Timestamp,
    /// What decides when the file's turn is.
    pub(super) order: String,
}

/// The only layout of a lease so far.
pub(super) const FORMAT: &str = "homeward.lease/1";

/// What asking for a claim's lock showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// We have it: nobody on this machine does.
    Ours,
    /// The file system has no locks.
    Unknown,
}

impl Lease {
    /// True where the holder is gone: dead on this machine, or silent on another one.
    pub(super) fn is_over(&self, lock: Lock, asking: &Holder, now: Timestamp) -> bool {
        let dead = lock == Lock::Ours && self.holder.shares_locks_with(asking);
        dead || now.duration_since(self.renewed) > LEASE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_with_the_lock_here_and_with_time_elsewhere() {
        let here = Holder::here();
        let elsewhere = Holder { boot: "another".to_owned(), ..Holder::here() };
        let renewed: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        let lease = |holder: &Holder| Lease {
            format: FORMAT.to_owned(),
            holder: holder.clone(),
            taken: renewed,
            renewed,
            order: String::new(),
        };
        let after = |seconds| renewed + SignedDuration::from_secs(seconds);
        assert!(lease(&here).is_over(Lock::Ours, &here, after(0)));
        assert!(!lease(&here).is_over(Lock::Unknown, &here, after(60)));
        assert!(lease(&here).is_over(Lock::Unknown, &here, after(61)));
        assert!(!lease(&elsewhere).is_over(Lock::Ours, &here, after(60)));
        assert!(lease(&elsewhere).is_over(Lock::Ours, &here, after(61)));
        assert_ne!(here.id, Holder::here().id);
    }
}
