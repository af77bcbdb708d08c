//! Where the file of a store lies, and whether it still does.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::super::StateError;

/// By what a file is known, wherever it lies: its device and its number there.
pub(crate) type Place = (u64, u64);

/// The file of a store, and by what it is known there.
#[derive(Clone, Debug)]
pub(super) struct Home {
    pub(super) path: PathBuf,
    pub(super) place: Place,
}

impl Home {
    /// What is written to a file that was removed or replaced, nobody will ever read. One that cannot be looked at may be
    /// there.
    pub(super) fn is_there(&self) -> Result<(), StateError> {
        let is_gone = match std::fs::metadata(&self.path) {
            Ok(file) => (file.dev(), file.ino()) != self.place,
            Err(cause) => cause.kind() == std::io::ErrorKind::NotFound,
        };
        if is_gone { Err(StateError::Gone { path: self.path.clone() }) } else { Ok(()) }
    }
}

/// Which file lies there.
pub(crate) fn place_of(path: &Path) -> Option<Place> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}
