//! Finding files in a watched folder and taking them, each once and whole (`csv-drop-folder.md`, items 1 to 17 and 45 to
//! 50).
//!
//! The folder is listed; whether something was heard of it meanwhile does not matter here, so that it works the same on a
//! network share, where nothing is ever heard. Times are handed in. What is in a file, whether it was handled before, and
//! what becomes of it is decided elsewhere: here it is found, taken, read through one open file, and put away.
//!
//! Nothing in the folder is changed but files that were taken, with the trigger and the checksum that belong to them.

mod claim;
pub(crate) mod holder;
mod looking;
pub(crate) mod names;
mod place;
pub(crate) mod settings;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

pub(crate) use self::claim::{Claim, TakenOver};
use self::{
    claim::Ground,
    holder::Holder,
    looking::Memory,
    names::{FileName, OrderKey},
    place::Identity,
    settings::Settings,
};

/// A watched folder, and what is remembered of it between looks.
#[derive(Debug)]
pub(crate) struct Folder {
    ground: Arc<Ground>,
    memory: Memory,
}

impl Folder {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { ground: Arc::new(Ground::new(settings)), memory: Memory::default() }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.ground.settings
    }

    /// Lists the folder once. `now` never goes back between two looks.
    pub(crate) fn look(&mut self, now: Instant) -> Look {
        self.memory.look(&self.ground.settings, now)
    }

    /// Says that a file is known and shall not be ready again while it is as it was: it is held, or was read in place.
    pub(crate) fn leave(&mut self, ready: &Ready) {
        self.memory.leave(ready);
    }

    /// Takes a ready file by a rename into the work folder. `None`: somebody else was faster, or it is not as it was.
    ///
    /// # Errors
    /// [`FolderError::ReadOnly`] where nothing can be moved: [`Folder::in_place`] is left then.
    pub(crate) fn claim(&self, ready: &Ready, holder: &Holder, now: Timestamp) -> Result<Option<Claim>, FolderError> {
        claim::take(&self.ground, ready, holder, now)
    }

    /// A claim on a ready file that stays where it is, for a folder that is read-only for us. It keeps nobody else away:
    /// that is for the store to do, by the hash of the content. Archiving it makes a copy, where that is possible.
    pub(crate) fn in_place(&self, ready: &Ready, now: Timestamp) -> Result<Option<Claim>, FolderError> {
        claim::in_place(&self.ground, ready, now)
    }

    /// Takes the claims whose holder is gone, because it died or because its lease ran out. What was already decided about
    /// them is finished, what was only half taken is put back.
    pub(crate) fn take_over(&self, holder: &Holder, now: Timestamp) -> TakenOver {
        claim::take_over(&self.ground, holder, now)
    }

    /// Removes what is older than configured from the archive and the error folder, but for the files in `keep` and what
    /// stands beside them. Returns what was removed.
    pub(crate) fn prune(&self, now: Timestamp, keep: &BTreeSet<PathBuf>) -> Result<Vec<PathBuf>, FolderError> {
        claim::prune(&self.ground, now, keep)
    }
}

/// What one listing showed.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "to look again is one word more than `again`, and says what")]
pub(crate) struct Look {
    /// Files to be taken, in the order they are to be handled.
    pub(crate) ready: Vec<Ready>,
    /// Files that are wanted and not ready.
    pub(crate) waiting: Vec<Waiting>,
    /// Everything else but our own folders.
    pub(crate) ignored: Vec<Ignored>,
    /// Those of `waiting` that have been waiting for too long.
    pub(crate) stuck: Vec<Stuck>,
    /// Why the folder could not be listed, or cannot be believed. No files is then no fact.
    pub(crate) trouble: Option<Trouble>,
    /// What somebody should look after, each a sentence. They are said again at every look.
    pub(crate) warnings: Vec<String>,
    /// True where files can be read and not moved: see [`Folder::in_place`].
    pub(crate) read_only: bool,
    /// For how long no new file was ready, where that is longer than configured. Counted since the first look at most.
    pub(crate) overdue: Option<Duration>,
    /// When to look again for a waiting file to become ready, where that is known. Else as often as configured.
    pub(crate) look_again: Option<Duration>,
}

/// A file that is complete.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) name: FileName,
    /// What decides whether it is older than another one.
    pub(crate) order: OrderKey,
    identity: Identity,
    /// Its trigger and its checksum, which are taken with it.
    companions: Vec<FileName>,
    /// The trigger of all files, where this one is the last of them.
    shared_trigger: Option<FileName>,
}

/// A file that is wanted and not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) name: FileName,
    pub(crate) why: WaitsFor,
}

/// What a file waits for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WaitsFor {
    #[error("it changed lately: the same at {looks} of {of} looks")]
    Quiet { looks: u32, of: u32 },
    #[error("its trigger `{trigger}` is not there")]
    Trigger { trigger: FileName },
    #[error("it is a trigger, and there is no file for it")]
    Data,
    #[error("its checksum `{file}` is not there")]
    Checksum { file: FileName },
    #[error("its checksum in `{file}` is another one, or there is none in it")]
    RightChecksum { file: FileName },
    #[error("it has {size} bytes; `minimum_size` is {minimum}")]
    Size { size: u64, minimum: u64 },
    #[error("it cannot be read: {cause}")]
    Rights { cause: String },
    #[error("there is no date in its name, and `order` is \"date\"")]
    Date,
    #[error("there is no number in its name, and `order` is \"number\"")]
    Number,
    #[error("`{name}` is older and comes first")]
    Older { name: FileName },
}

impl WaitsFor {
    /// True where it is over soon, without anything else happening.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Quiet { .. })
    }

    /// True where nothing that is still to arrive will end it: somebody has to do something about the file.
    pub(crate) fn needs_somebody(&self) -> bool {
        matches!(self, Self::Rights { .. } | Self::Date | Self::Number)
    }

    /// True where the file is not what it should be as it is now, though it may still be written on.
    pub(crate) fn looks_wrong(&self) -> bool {
        self.needs_somebody() || matches!(self, Self::RightChecksum { .. } | Self::Size { .. })
    }
}

/// Something in the folder that is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    pub(crate) name: FileName,
    pub(crate) why: NotRead,
    /// For how long it has been seen.
    pub(crate) since: Duration,
}

/// Why something in the folder is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotRead {
    #[error("a folder: folders within are not read")]
    Folder,
    #[error("a symlink: the file itself has to be there")]
    Symlink,
    #[error("a file with {names} names: somebody else can change it behind our back")]
    HardLink { names: String },
    #[error("no regular file: a {kind}")]
    Special { kind: &'static str },
    #[error("a control character in its name")]
    ControlCharacter,
    #[error("a name of a file that is under way")]
    Unfinished,
    #[error("a list of rejected rows: repair it and give it a name of its own")]
    Rejects,
    #[error("its name does not match `{pattern}`")]
    OtherName { pattern: String },
}

impl NotRead {
    /// True for what may well lie in a folder, and is nobody's mistake.
    pub(crate) fn is_usual(&self) -> bool {
        matches!(self, Self::Folder | Self::Unfinished | Self::Rejects)
    }
}

/// A file that has been waiting for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) name: FileName,
    pub(crate) why: WaitsFor,
    /// For how long it has been waiting.
    pub(crate) since: Duration,
}

/// Why a folder could not be listed, or cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the folder {} is not there", path.display())]
    Missing { path: PathBuf },
    #[error("{} is no folder", path.display())]
    NotAFolder { path: PathBuf },
    #[error("the folder {} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: String },
    #[error("the folder {} is empty and lies on another file system than before", path.display())]
    Unmounted { path: PathBuf },
}

impl Trouble {
    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "make it, mount it, or correct `folder`; it is looked for again and again",
            Self::NotAFolder { .. } => "`folder` has to name a folder",
            Self::Unreadable { .. } => {
                "the account that runs this needs to read and enter the folder, and the share has to answer"
            }
            Self::Unmounted { .. } => {
                "mount the share again; an empty folder is never taken to mean that nobody is left"
            }
        }
    }
}

/// Why a file could not be taken or put away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("another process took over `{name}`")]
    Lost { name: FileName },
    #[error("`{name}` cannot be put back: another file has its name by now")]
    Occupied { name: FileName },
    #[error("cannot {doing} {}: {cause}", path.display())]
    ReadOnly { path: PathBuf, doing: &'static str, cause: io::Error },
    #[error("cannot {doing} {}: the work folder is on another file system", path.display())]
    OtherFileSystem { path: PathBuf, doing: &'static str },
    #[error("cannot {doing} {}: the disk is full: {cause}", path.display())]
    Full { path: PathBuf, doing: &'static str, cause: io::Error },
    #[error("cannot {doing} {}: {cause}", path.display())]
    Failed { path: PathBuf, doing: &'static str, cause: io::Error },
}

impl FolderError {
    fn new(path: &Path, doing: &'static str, cause: io::Error) -> Self {
        let path = printable(path);
        match cause.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, doing, cause }
            }
            io::ErrorKind::CrossesDevices => Self::OtherFileSystem { path, doing },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, doing, cause },
            _ => Self::Failed { path, doing, cause },
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Lost { .. } => "nothing: the other one handles it; if that happens often, this machine is too slow",
            Self::Occupied { .. } => "nothing: it is handled from where it is",
            Self::ReadOnly { .. } => {
                "give the account that runs this the right to write there, or set `work`, `archive` and `error`"
            }
            Self::OtherFileSystem { .. } => "set `work` to a folder in the file system of the watched one",
            Self::Full { .. } => "make room; the file stays in the work folder and is moved later",
            Self::Failed { .. } => "what is in the work folder stays there and is tried again",
        }
    }
}

/// A path as it may be shown: a name in it may be anything.
fn printable(path: &Path) -> PathBuf {
    PathBuf::from(FileName::new(path).to_string())
}
