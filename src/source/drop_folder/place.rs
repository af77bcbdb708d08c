//! A folder that is held open, and what is done in it.
//!
//! Everything is reached from the open folder and no symlink is followed, so whoever may write there cannot lead us
//! elsewhere. Nothing is ever overwritten unless the function says so.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat},
    io::Errno,
};

/// A folder, open.
#[derive(Debug)]
pub(super) struct Place {
    fd: OwnedFd,
    path: PathBuf,
}

/// What makes a file this file, as it is now (`csv-drop-folder.md`, item 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) device: i128,
    pub(super) inode: i128,
    pub(super) size: u64,
    /// Nanoseconds since 1970, by the file system's clock or as the writer set it.
    pub(super) modified: i128,
    /// Nanoseconds since 1970: the last change of the content, the name or the rights. Nobody can set it.
    pub(super) changed: i128,
}

/// What is known of an entry without opening it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) kind: FileType,
    pub(super) links: i128,
    pub(super) mode: u32,
    pub(super) identity: Identity,
}

impl Facts {
    fn new(stat: &Stat) -> Self {
        let time = |seconds: i128, nanoseconds: i128| seconds * 1_000_000_000 + nanoseconds;
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            links: i128::from(stat.st_nlink),
            mode: stat.st_mode,
            identity: Identity {
                device: i128::from(stat.st_dev),
                inode: i128::from(stat.st_ino),
                size: u64::try_from(stat.st_size).unwrap_or_default(),
                modified: time(i128::from(stat.st_mtime), i128::from(stat.st_mtime_nsec)),
                changed: time(i128::from(stat.st_ctime), i128::from(stat.st_ctime_nsec)),
            },
        }
    }

    /// What is known of an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::new(&rustix::fs::fstat(file)?))
    }
}

impl Place {
    /// Opens a folder. Its own path may hold symlinks: whoever configured it chose them.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a folder of our own, and makes it where it is missing. The folder around it must be there: making that too
    /// would fill the place where a share should be mounted.
    pub(super) fn own(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                match rustix::fs::mkdir(path, Mode::RWXU) {
                    Ok(()) => {
                        let fd = rustix::fs::open(path, flags, Mode::empty())?;
                        // A narrow umask may have taken even our own rights.
                        rustix::fs::fchmod(&fd, Mode::RWXU)?;
                        fd
                    }
                    Err(Errno::EXIST) => rustix::fs::open(path, flags, Mode::empty())?,
                    Err(cause) => return Err(cause.into()),
                }
            }
            opened => opened?,
        };
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the folder itself.
    pub(super) fn facts(&self) -> io::Result<Facts> {
        Ok(Facts::new(&rustix::fs::fstat(&self.fd)?))
    }

    /// The names in it, in the order of the file system.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        names(&Dir::read_from(&self.fd)?.collect::<Vec<_>>())
    }

    /// The names in a folder within it.
    pub(super) fn names_in(&self, name: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name.as_ref(), flags, Mode::empty())?;
        names(&Dir::new(fd)?.collect::<Vec<_>>())
    }

    /// What is known of an entry. A symlink is itself, not what it points to.
    pub(super) fn look_at(&self, name: impl AsRef<Path>) -> io::Result<Facts> {
        Ok(Facts::new(&rustix::fs::statat(&self.fd, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW)?))
    }

    pub(super) fn has(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        match self.look_at(name) {
            Ok(_) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// Opens a regular file to read it, never through a symlink and never waiting for the other end of a pipe.
    pub(super) fn read(&self, name: impl AsRef<Path>) -> io::Result<(File, Facts)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.fd, name.as_ref(), flags, Mode::empty())?);
        let facts = Facts::of(&file)?;
        if facts.kind != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"));
        }
        if facts.links > 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this file has more than one name"));
        }
        Ok((file, facts))
    }

    /// Opens a file of ours, and makes it where it is missing.
    pub(super) fn keep(&self, name: impl AsRef<Path>) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name.as_ref(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(fd))
    }

    /// Writes a file of ours. One that is there is emptied first.
    pub(super) fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let owner = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(rustix::fs::openat(&self.fd, name.as_ref(), flags, owner)?);
        rustix::fs::fchmod(&file, owner)?;
        file.write_all(bytes)?;
        Ok(file)
    }

    pub(super) fn make_folder(&self, name: impl AsRef<Path>) -> io::Result<()> {
        rustix::fs::mkdirat(&self.fd, name.as_ref(), Mode::RWXU)?;
        rustix::fs::chmodat(&self.fd, name.as_ref(), Mode::RWXU, AtFlags::empty())?;
        Ok(())
    }

    /// Takes all rights but the owner's. A file that belongs to the sender keeps its own: the folder protects it.
    pub(super) fn for_owner_only(&self, name: impl AsRef<Path>) -> io::Result<()> {
        match rustix::fs::chmodat(&self.fd, name.as_ref(), Mode::RUSR | Mode::WUSR, AtFlags::empty()) {
            Ok(()) | Err(Errno::PERM) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Moves an entry, and replaces what has the new name.
    pub(super) fn replace(&self, name: impl AsRef<Path>, new: impl AsRef<Path>) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, name.as_ref(), &self.fd, new.as_ref())?)
    }

    /// Moves an entry within one file system. An entry with the new name stays, and is an error
    /// ([`io::ErrorKind::AlreadyExists`]).
    pub(super) fn rename(&self, name: impl AsRef<Path>, to: &Self, new: impl AsRef<Path>) -> io::Result<()> {
        let (name, new) = (name.as_ref(), new.as_ref());
        match rustix::fs::renameat_with(&self.fd, name, &to.fd, new, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
        // Where the file system cannot rename like this, a second name cannot replace anything either.
        match rustix::fs::linkat(&self.fd, name, &to.fd, new, AtFlags::empty()) {
            Ok(()) => Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())?),
            // No hard links either, or a folder: what is left is to look first.
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::MLINK) => {
                if to.has(new)? {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                Ok(rustix::fs::renameat(&self.fd, name, &to.fd, new)?)
            }
            Err(cause) => Err(cause.into()),
        }
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: impl AsRef<Path>) -> io::Result<()> {
        gone(rustix::fs::unlinkat(&self.fd, name.as_ref(), AtFlags::empty()))
    }

    /// Removes a folder that is empty.
    pub(super) fn remove_folder(&self, name: impl AsRef<Path>) -> io::Result<()> {
        gone(rustix::fs::unlinkat(&self.fd, name.as_ref(), AtFlags::REMOVEDIR))
    }

    /// Returns when the names in it are on disk. Some file systems cannot promise that for a folder.
    pub(super) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.fd) {
            Ok(()) | Err(Errno::INVAL | Errno::BADF | Errno::NOTSUP) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }
}

/// Removing what is not there is done already.
fn gone(removed: rustix::io::Result<()>) -> io::Result<()> {
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(cause) => Err(cause.into()),
    }
}

fn names(entries: &[rustix::io::Result<rustix::fs::DirEntry>]) -> io::Result<Vec<OsString>> {
    let mut names = Vec::with_capacity(entries.len());
    for entry in entries {
        let entry = entry.as_ref().map_err(|cause| io::Error::from(*cause))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
