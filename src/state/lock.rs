//! One run at a time writes to one system. The operating system keeps the lock, so it goes with the process, however that
//! ends. What a run does meanwhile is not known here.

use std::{
    collections::BTreeSet,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use super::StateError;
use crate::model::id::SystemName;

/// Locks that are held as long as this lives.
#[derive(Debug)]
pub(crate) struct Locks {
    _files: Vec<File>,
}

impl Locks {
    /// Takes the locks of all these systems, beside the store, or none.
    pub(crate) fn take(store: &Path, systems: &BTreeSet<SystemName>) -> Result<Self, StateError> {
        let mut files = Vec::new();
        for system in systems {
            let path = store.with_extension(format!("{system}.lock"));
            let file = File::create(&path).map_err(|source| StateError::Lock { path: path.clone(), source })?;
            // Somebody who only asks whether a run is under way holds it for a moment.
            let mut tried = file.try_lock();
            for _ in 0..5 {
                if !matches!(tried, Err(TryLockError::WouldBlock)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
                tried = file.try_lock();
            }
            match tried {
                Ok(()) => files.push(file),
                Err(TryLockError::WouldBlock) => return Err(StateError::Locked { system: system.clone(), path }),
                Err(TryLockError::Error(source)) => return Err(StateError::Lock { path, source }),
            }
        }
        Ok(Self { _files: files })
    }
}

/// The lock that says that a service is at work. No system can be called so.
fn service(store: &Path) -> PathBuf {
    store.with_extension("(service).lock")
}

/// Held by a service for as long as it runs. Several may run side by side and share the work.
pub(crate) fn watching(store: &Path) -> Result<File, StateError> {
    let path = service(store);
    let file = File::create(&path).map_err(|source| StateError::Lock { path: path.clone(), source })?;
    // Only somebody who asks whether a service is there ever holds it alone, and only for that moment.
    file.lock_shared().map_err(|source| StateError::Lock { path, source })?;
    Ok(file)
}

/// Held while a file of a feed is handled: one at a time, among all processes that share a store. `None`: another one is
/// at it.
pub(crate) fn feed(store: &Path, feed: &SystemName) -> Result<Option<File>, StateError> {
    let path = store.with_extension(format!("{feed}.feed.lock"));
    let file = File::create(&path).map_err(|source| StateError::Lock { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(StateError::Lock { path, source }),
    }
}

/// True where a service is at work on this store.
pub(crate) fn is_watched(store: &Path) -> bool {
    let Ok(file) = File::open(service(store)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_written_to_by_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("state.db");
        let systems = |names: &[&str]| names.iter().map(|name| SystemName::from(*name)).collect::<BTreeSet<_>>();
        let first = Locks::take(&store, &systems(&["gitlab"])).unwrap();
        assert!(matches!(
            Locks::take(&store, &systems(&["gitlab", "mattermost"])),
            Err(StateError::Locked { system, .. }) if system.as_str() == "gitlab"
        ));
        drop(first);
        Locks::take(&store, &systems(&["gitlab", "mattermost"])).unwrap();
    }
}
