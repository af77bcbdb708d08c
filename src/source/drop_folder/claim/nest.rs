//! The folder of one claim: what lies in it, and each step by which it comes and goes.

use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    super::{
        FolderError, Ready,
        holder::{self, FORMAT, Holder, Lease, Lock},
        looking,
        names::FileName,
        place::{Identity, Place},
    },
    DECISION, Decision, Ground, IN, LEASE, LOCK, NEW, REJECTS, To, WITH, file_away, is_usable, made_at, new_id,
    read_bytes, read_json,
};

/// The folder of one claim.
#[derive(Debug)]
pub(super) struct Nest {
    pub(super) work: Place,
    pub(super) id: String,
    /// Locked for as long as it is open.
    _lock: File,
}

impl Nest {
    pub(super) fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        Path::new(&self.id).join(name)
    }

    pub(super) fn inside(&self, name: &FileName) -> PathBuf {
        self.at(IN).join(name.as_os_str())
    }

    /// Makes a claim that is complete but for its file. `None`: somebody took it for a dead one.
    pub(super) fn make(ground: &Ground, work: Place, id: String, lease: &Lease) -> io::Result<Option<Self>> {
        // Made again where somebody removed it between two of these steps, whichever they are.
        let made: io::Result<Option<Self>> = (|| {
            ground.step()?;
            work.make_folder(&id)?;
            ground.step()?;
            let lock = work.keep(Path::new(&id).join(LOCK))?;
            if let Err(TryLockError::WouldBlock) = lock.try_lock() {
                return Ok(None);
            }
            let nest = Self { work, id, _lock: lock };
            nest.write_lease(ground, lease)?;
            for folder in [WITH, IN] {
                ground.step()?;
                nest.work.make_folder(nest.at(folder))?;
            }
            Ok(Some(nest))
        })();
        match made {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            made => made,
        }
    }

    /// Takes the claim of a holder that is gone. `None`: its holder lives, or somebody else was faster.
    pub(super) fn inherit(
        ground: &Ground,
        id: &str,
        holder: &Holder,
        now: Timestamp,
    ) -> io::Result<Option<(Self, Lease)>> {
        let work = Place::own(&ground.settings.work)?;
        let old = Path::new(id);
        let opened = work.keep(old.join(LOCK));
        let file = match opened {
            Ok(file) => file,
            // Tidied away meanwhile, or no folder and so not ours.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(cause) => return Err(cause),
        };
        let lock = match file.try_lock() {
            Ok(()) => Lock::Ours,
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(_)) => Lock::Unknown,
        };
        let lease = read_json::<Lease>(&work, &old.join(LEASE))?;
        let is_over = match &lease {
            Some(lease) => lease.is_over(lock, holder, now),
            // Without a lease no file is in it yet. Whoever is making it will notice and begin anew, but where there are no
            // locks it is given some time, so that the two do not chase each other.
            None => lock == Lock::Ours || made_at(id).is_none_or(|made| now.duration_since(made) > holder::LEASE),
        };
        if !is_over {
            return Ok(None);
        }
        let new = Lease {
            format: FORMAT.to_owned(),
            holder: holder.clone(),
            taken: lease.as_ref().map_or(now, |lease| lease.taken),
            renewed: now,
            order: lease.map_or_else(String::new, |lease| lease.order),
        };
        ground.step()?;
        let renamed = new_id(new.taken);
        match work.rename(old, &work, &renamed) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause),
        }
        let nest = Self { work, id: renamed, _lock: file };
        nest.write_lease(ground, &new)?;
        Ok(Some((nest, new)))
    }

    pub(super) fn write_lease(&self, ground: &Ground, lease: &Lease) -> io::Result<()> {
        ground.step()?;
        self.work.write(self.at(NEW), &serde_json::to_vec_pretty(lease)?)?;
        ground.step()?;
        self.work.replace(self.at(NEW), self.at(LEASE))
    }

    /// Brings the file in, its companions first. `None`: it, or one of them, is gone or not as it was.
    pub(super) fn pull(&self, ground: &Ground, folder: &Place, ready: &Ready) -> io::Result<Option<Identity>> {
        let absent = |done: io::Result<()>| match done {
            Ok(()) => Ok(false),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(cause) => Err(cause),
        };
        for companion in &ready.companions {
            ground.step()?;
            if absent(folder.rename(companion.as_os_str(), &self.work, self.at(WITH).join(companion.as_os_str())))? {
                return Ok(None);
            }
        }
        ground.step()?;
        if absent(folder.rename(ready.name.as_os_str(), &self.work, self.inside(&ready.name)))? {
            return Ok(None);
        }
        let facts = self.work.look_at(self.inside(&ready.name))?;
        let mut now = facts.identity;
        // Its new place is a change too.
        now.changed = ready.identity.changed;
        if now != ready.identity || !is_usable(&facts) {
            return Ok(None);
        }
        if let Some(shared) = &ready.shared_trigger
            && !looking::has_files(&ground.settings, folder)?
        {
            ground.step()?;
            absent(folder.rename(shared.as_os_str(), &self.work, self.at(WITH).join(shared.as_os_str())))?;
        }
        Ok(Some(facts.identity))
    }

    /// Puts everything back where it came from, and ends the claim.
    pub(super) fn put_back(&self, ground: &Ground, folder: &Place) -> io::Result<()> {
        if let Some(name) = self.file()? {
            ground.step()?;
            self.work.rename(self.inside(&name), folder, name.as_os_str())?;
        }
        for companion in self.companions()? {
            ground.step()?;
            match self.work.rename(self.at(WITH).join(&companion), folder, &companion) {
                // The sender has put a newer one there.
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    self.work.remove(self.at(WITH).join(&companion))?;
                }
                done => done?,
            }
        }
        self.tidy(ground)
    }

    /// The file in it.
    pub(super) fn file(&self) -> io::Result<Option<FileName>> {
        Ok(self.names(IN)?.into_iter().next().map(FileName::new))
    }

    pub(super) fn companions(&self) -> io::Result<Vec<OsString>> {
        self.names(WITH)
    }

    pub(super) fn names(&self, folder: &str) -> io::Result<Vec<OsString>> {
        match self.work.names_in(self.at(folder)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.work.has(&self.id)? => Ok(Vec::new()),
            names => names,
        }
    }

    pub(super) fn decision(&self) -> io::Result<Option<Decision>> {
        let decision = read_json(&self.work, &self.at(DECISION))?;
        if decision.is_none() && !self.work.has(&self.id)? {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(decision)
    }

    pub(super) fn decide(&self, ground: &Ground, decision: &Decision, rejects: Option<&[u8]>) -> io::Result<()> {
        if let Some(rejects) = rejects {
            ground.step()?;
            self.work.write(self.at(REJECTS), rejects)?;
        }
        self.note(ground, decision)
    }

    pub(super) fn note(&self, ground: &Ground, decision: &Decision) -> io::Result<()> {
        ground.step()?;
        self.work.write(self.at(NEW), &serde_json::to_vec_pretty(decision)?)?;
        ground.step()?;
        self.work.replace(self.at(NEW), self.at(DECISION))
    }

    /// Does what was decided. Whatever of it is done already is not done again.
    pub(super) fn finish(&self, ground: &Ground, mut decision: Decision) -> Result<PathBuf, FolderError> {
        let place = self.work.path().join(&self.id);
        let fault = |doing, cause| FolderError::new(&place, doing, cause);
        let target = match decision.to {
            To::Archive => &ground.settings.archive,
            To::Error => &ground.settings.error,
        };
        let file = self.file().map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => FolderError::Lost { name: FileName::new(&self.id) },
            _ => fault("list", cause),
        })?;
        let path = match file {
            Some(name) => {
                let rejects = read_bytes(&self.work, &self.at(REJECTS)).map_err(|cause| fault("read", cause))?;
                let source = self.inside(&name);
                let mut note = |decision: &Decision| self.note(ground, decision);
                let path = file_away(ground, &self.work, &source, &name, &mut decision, rejects.as_deref(), &mut note)?;
                // Gone already where it was renamed; still there where it had to be copied.
                ground
                    .step()
                    .and_then(|()| self.work.remove(&source))
                    .map_err(|cause| fault("remove the file in", cause))?;
                path
            }
            None => target.clone(),
        };
        let _ = self.tidy(ground);
        Ok(path)
    }

    /// Ends the claim. What a kill leaves of it is tidied at the next take-over.
    pub(super) fn tidy(&self, ground: &Ground) -> io::Result<()> {
        for companion in self.companions()? {
            ground.step()?;
            self.work.remove(self.at(WITH).join(companion))?;
        }
        ground.step()?;
        self.work.remove_folder(self.at(WITH))?;
        ground.step()?;
        self.work.remove_folder(self.at(IN))?;
        for name in [REJECTS, DECISION, LEASE, NEW, LOCK] {
            ground.step()?;
            self.work.remove(self.at(name))?;
        }
        ground.step()?;
        self.work.remove_folder(&self.id)
    }
}
