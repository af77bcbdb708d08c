//! One file, taken: from the watched folder into the work folder, and from there into the archive, the error folder or
//! back.
//!
//! A claim is a folder within the work folder. It is made complete before the file comes into it, and every move is one
//! rename, so that a process may be killed anywhere: the file is always in exactly one place, and what lies in the claim
//! tells how far it came.
//!
//! ```text
//! .work/20261120T081530Z-8f3a…/   the claim; taking it over gives it a new name, which only one can do
//!     lock                        locked while its holder lives
//!     lease.json                  who holds it, since when, last renewed
//!     with/                       trigger and checksum, taken before the file, so that none is left alone in the folder
//!     in/people.csv               the file under its own name
//!     rejected, decision.json     what shall become of it; once this is there, whoever comes finishes it
//! ```

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

use super::{
    FolderError, Ready,
    holder::{FORMAT, Holder, Lease},
    names::{FileName, OrderKey, REJECTED},
    place::{Facts, Identity, Place},
    printable,
    settings::Settings,
};
use nest::Nest;

mod nest;

const LOCK: &str = "lock";
const LEASE: &str = "lease.json";
const NEW: &str = "new";
const IN: &str = "in";
const WITH: &str = "with";
const REJECTS: &str = "rejected";
const DECISION: &str = "decision.json";

/// The longest part of a file's name that is kept in the archive, in bytes: with time, hash and ending it must stay
/// below the 255 of most file systems.
const LONGEST: usize = 150;

/// Where everything happens.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) settings: Settings,
    /// How many more steps are taken before everything fails, as if the process had been killed.
    #[cfg(test)]
    pub(super) steps_left: std::sync::atomic::AtomicUsize,
}

impl Ground {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            #[cfg(test)]
            steps_left: std::sync::atomic::AtomicUsize::new(usize::MAX),
        }
    }

    /// Stands before everything that changes something on disk. Tests let it fail; nothing else does.
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let left = self.steps_left.fetch_update(SeqCst, SeqCst, |left| Some(left.saturating_sub(1)));
        if left == Ok(0) { Err(io::Error::other("killed")) } else { Ok(()) }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the place where tests cut in")]
    fn step(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is ours until it is archived, refused or released. Dropped, it stays where it is and can be taken over.
#[derive(Debug)]
pub(crate) struct Claim {
    ground: Arc<Ground>,
    name: FileName,
    order: OrderKey,
    taken: Timestamp,
    /// The file as it was when it was taken.
    stamp: Identity,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// In the work folder.
    Moved(Nest, Holder),
    /// In the watched folder, where nothing can be moved.
    InPlace,
}

/// What shall become of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Decision {
    format: String,
    to: To,
    /// Time and hash: the start of the new name.
    prefix: String,
    /// How often the new name was found to be somebody else's.
    attempt: u32,
    /// Names files that are being written.
    draft: String,
    /// What is put beside the file.
    note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Archive,
    Error,
}

/// What became of an attempt to take a file.
enum Attempt {
    Taken(Box<Claim>),
    /// Somebody else was faster, or it is not as it was.
    Gone,
    /// Somebody tidied the claim away before the file was in it.
    Again,
}

/// What was found of holders that are gone.
#[derive(Debug, Default)]
pub(crate) struct TakenOver {
    /// Files to be handled, in their order.
    pub(crate) claims: Vec<Claim>,
    /// Where files whose fate was decided already have now been moved: the file, or only its folder where the move itself
    /// had been done before.
    pub(crate) finished: Vec<PathBuf>,
    /// What went wrong. These claims stay and are tried again next time.
    pub(crate) faults: Vec<FolderError>,
}

/// Takes a file into the work folder. `None`: somebody else was faster, or it is not as it was.
pub(super) fn take(
    ground: &Arc<Ground>,
    ready: &Ready,
    holder: &Holder,
    now: Timestamp,
) -> Result<Option<Claim>, FolderError> {
    let settings = &ground.settings;
    let folder = Place::open(&settings.folder).map_err(|cause| FolderError::new(&settings.folder, "open", cause))?;
    if !is_as_it_was(&folder, ready) {
        return Ok(None);
    }
    for _ in 0..5 {
        match attempt(ground, &folder, ready, holder, now)? {
            Attempt::Taken(claim) => return Ok(Some(*claim)),
            Attempt::Gone => return Ok(None),
            Attempt::Again => {}
        }
    }
    Ok(None)
}

/// A claim on a file that stays where it is. `None`: it is not as it was.
pub(super) fn in_place(ground: &Arc<Ground>, ready: &Ready, now: Timestamp) -> Result<Option<Claim>, FolderError> {
    let path = &ground.settings.folder;
    let folder = Place::open(path).map_err(|cause| FolderError::new(path, "open", cause))?;
    Ok(is_as_it_was(&folder, ready).then(|| Claim {
        ground: Arc::clone(ground),
        name: ready.name.clone(),
        order: ready.order,
        taken: now,
        stamp: ready.identity,
        held: Held::InPlace,
    }))
}

fn is_as_it_was(folder: &Place, ready: &Ready) -> bool {
    folder.look_at(ready.name.as_os_str()).is_ok_and(|facts| is_usable(&facts) && facts.identity == ready.identity)
}

fn is_usable(facts: &Facts) -> bool {
    facts.kind == FileType::RegularFile && facts.links == 1
}

fn attempt(
    ground: &Arc<Ground>,
    folder: &Place,
    ready: &Ready,
    holder: &Holder,
    now: Timestamp,
) -> Result<Attempt, FolderError> {
    let settings = &ground.settings;
    let fault = |doing, cause| FolderError::new(&settings.work, doing, cause);
    ground.step().map_err(|cause| fault("make", cause))?;
    let work = Place::own(&settings.work).map_err(|cause| fault("make", cause))?;
    let id = new_id(now);
    let lease = Lease {
        format: FORMAT.to_owned(),
        holder: holder.clone(),
        taken: now,
        renewed: now,
        order: ready.order.to_string(),
    };
    let nest = match Nest::make(ground, work, id, &lease) {
        Ok(Some(nest)) => nest,
        Ok(None) => return Ok(Attempt::Again),
        Err(cause) => return Err(fault("make a claim in", cause)),
    };
    match nest.pull(ground, folder, ready) {
        Ok(Some(stamp)) => Ok(Attempt::Taken(Box::new(Claim {
            ground: Arc::clone(ground),
            name: ready.name.clone(),
            order: ready.order,
            taken: now,
            stamp,
            held: Held::Moved(nest, holder.clone()),
        }))),
        Ok(None) => {
            let swept = !nest.work.has(nest.at(IN)).unwrap_or(true);
            // What cannot be put back now lies in a claim without a holder, and is put back at the next take-over.
            let _ = nest.put_back(ground, folder);
            Ok(if swept { Attempt::Again } else { Attempt::Gone })
        }
        Err(cause) => {
            let _ = nest.put_back(ground, folder);
            Err(FolderError::new(&settings.folder.join(ready.name.as_os_str()), "take", cause))
        }
    }
}

/// Finds claims whose holder is gone, and takes them.
pub(super) fn take_over(ground: &Arc<Ground>, holder: &Holder, now: Timestamp) -> TakenOver {
    let mut over = TakenOver::default();
    let path = &ground.settings.work;
    if let Err(cause) = path.symlink_metadata() {
        if cause.kind() != io::ErrorKind::NotFound {
            over.faults.push(FolderError::new(path, "list", cause));
        }
        return over;
    }
    let mut names = match Place::own(path).and_then(|work| work.names()) {
        Ok(names) => names,
        Err(cause) => {
            over.faults.push(FolderError::new(path, "list", cause));
            return over;
        }
    };
    names.sort();
    for name in names {
        // What does not bear a name of ours was not made by us.
        let Some(id) = name.to_str().filter(|name| is_id(name)) else { continue };
        match inherit(ground, id, holder, now) {
            Ok(Inherited::Nothing) => {}
            Ok(Inherited::Claim(claim)) => over.claims.push(*claim),
            Ok(Inherited::Finished(path)) => over.finished.push(path),
            Err(fault) => over.faults.push(fault),
        }
    }
    over.claims.sort_by(|one, other| {
        one.order.partial_cmp(&other.order).unwrap_or(std::cmp::Ordering::Equal).then_with(|| one.name.cmp(&other.name))
    });
    over
}

enum Inherited {
    Nothing,
    Claim(Box<Claim>),
    Finished(PathBuf),
}

fn inherit(ground: &Arc<Ground>, id: &str, holder: &Holder, now: Timestamp) -> Result<Inherited, FolderError> {
    let settings = &ground.settings;
    let place = settings.work.join(id);
    let fault = |doing, cause| FolderError::new(&place, doing, cause);
    let Some((nest, lease)) = Nest::inherit(ground, id, holder, now).map_err(|cause| fault("take over", cause))? else {
        return Ok(Inherited::Nothing);
    };
    if let Some(decision) = nest.decision().map_err(|cause| fault("read", cause))? {
        return nest.finish(ground, decision).map(Inherited::Finished);
    }
    let Some(name) = nest.file().map_err(|cause| fault("list", cause))? else {
        let folder =
            Place::open(&settings.folder).map_err(|cause| FolderError::new(&settings.folder, "open", cause))?;
        nest.put_back(ground, &folder).map_err(|cause| fault("put back what lies in", cause))?;
        return Ok(Inherited::Nothing);
    };
    let facts = nest.work.look_at(nest.inside(&name)).map_err(|cause| fault("look at", cause))?;
    let order = lease.order.parse().unwrap_or(OrderKey::Arrival(lease.taken));
    Ok(Inherited::Claim(Box::new(Claim {
        ground: Arc::clone(ground),
        name,
        order,
        taken: lease.taken,
        stamp: facts.identity,
        held: Held::Moved(nest, holder.clone()),
    })))
}

impl Claim {
    /// The name the sender gave.
    pub(crate) fn name(&self) -> &FileName {
        &self.name
    }

    /// What decides whether this file is older than another one.
    pub(crate) fn order(&self) -> OrderKey {
        self.order
    }

    /// When the file was first taken.
    pub(crate) fn taken(&self) -> Timestamp {
        self.taken
    }

    /// Where the file is now. To read it, use [`Claim::open`].
    pub(crate) fn path(&self) -> PathBuf {
        match &self.held {
            Held::Moved(nest, _) => nest.work.path().join(nest.inside(&self.name)),
            Held::InPlace => self.ground.settings.folder.join(self.name.as_os_str()),
        }
    }

    /// Opens the file: a regular one with one name, not through a symlink, and the one that was taken.
    pub(crate) fn open(&self) -> Result<File, FolderError> {
        let failed = |cause| FolderError::Failed { path: printable(&self.path()), doing: "open", cause };
        let (file, facts) = match &self.held {
            Held::Moved(nest, _) => nest.work.read(nest.inside(&self.name)),
            Held::InPlace => {
                Place::open(&self.ground.settings.folder).and_then(|folder| folder.read(self.name.as_os_str()))
            }
        }
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => FolderError::Lost { name: self.name.clone() },
            _ => failed(cause),
        })?;
        if (facts.identity.device, facts.identity.inode) != (self.stamp.device, self.stamp.inode) {
            return Err(failed(io::Error::other("another file is in its place")));
        }
        Ok(file)
    }

    /// False where the file is not what it was when it was taken: a writer that still has it open wrote on, or it was
    /// replaced. What was read of it must then be thrown away, and the file released (`csv-drop-folder.md`, item 10).
    pub(crate) fn same_after(&self, file: &File) -> bool {
        let here = match &self.held {
            Held::Moved(nest, _) => nest.work.look_at(nest.inside(&self.name)),
            Held::InPlace => {
                Place::open(&self.ground.settings.folder).and_then(|folder| folder.look_at(self.name.as_os_str()))
            }
        };
        Facts::of(file).is_ok_and(|facts| facts.identity == self.stamp)
            && here.is_ok_and(|facts| facts.identity == self.stamp)
    }

    /// Says that we are still at it. To be done several times within [`super::holder::LEASE`].
    ///
    /// # Errors
    /// [`FolderError::Lost`] where another holder took the claim over: nothing more may be done with it.
    pub(crate) fn renew(&self, now: Timestamp) -> Result<(), FolderError> {
        let Held::Moved(nest, holder) = &self.held else { return Ok(()) };
        let lease = Lease {
            format: FORMAT.to_owned(),
            holder: holder.clone(),
            taken: self.taken,
            renewed: now,
            order: self.order.to_string(),
        };
        nest.write_lease(&self.ground, &lease).map_err(|cause| self.lost_or("renew the claim on", cause))
    }

    /// Moves the file into the archive, under a name with `stamp` and the start of `sha256`, with `result` beside it. Rows
    /// that were rejected go into the error folder, under the same name, to be repaired there.
    ///
    /// # Errors
    /// The claim then stays where it is with what was decided, and taking over finishes it.
    pub(crate) fn archive(
        self,
        stamp: Timestamp,
        sha256: &str,
        result: &serde_json::Value,
        rejects: Option<&[u8]>,
    ) -> Result<PathBuf, FolderError> {
        self.settle(To::Archive, stamp, Some(sha256), result, rejects)
    }

    /// Moves the file into the error folder, with `reason` beside it.
    ///
    /// # Errors
    /// As [`Claim::archive`].
    pub(crate) fn refuse(
        self,
        stamp: Timestamp,
        sha256: Option<&str>,
        reason: &serde_json::Value,
    ) -> Result<PathBuf, FolderError> {
        self.settle(To::Error, stamp, sha256, reason, None)
    }

    /// Puts the file back into the folder, as if it had never been taken.
    ///
    /// # Errors
    /// [`FolderError::Occupied`] where another file has the name by now. The claim then stays and can be taken over.
    pub(crate) fn release(self) -> Result<(), FolderError> {
        let Held::Moved(nest, _) = &self.held else { return Ok(()) };
        let path = &self.ground.settings.folder;
        let folder = Place::open(path).map_err(|cause| FolderError::new(path, "open", cause))?;
        nest.put_back(&self.ground, &folder).map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => FolderError::Occupied { name: self.name.clone() },
            _ => self.lost_or("put back", cause),
        })
    }

    fn settle(
        self,
        to: To,
        stamp: Timestamp,
        sha256: Option<&str>,
        note: &serde_json::Value,
        rejects: Option<&[u8]>,
    ) -> Result<PathBuf, FolderError> {
        let hash: String = sha256.unwrap_or("unread").chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let mut decision = Decision {
            format: "homeward.decision/1".to_owned(),
            to,
            prefix: format!("{}--{hash}", stamp.strftime("%Y%m%dT%H%M%SZ")),
            attempt: 0,
            draft: new_id(stamp),
            note: format!("{note:#}\n"),
        };
        let ground = &self.ground;
        match self.held {
            Held::Moved(ref nest, _) => {
                // What was decided before stays: somebody may have acted on it.
                match nest.decision().map_err(|cause| self.lost_or("read the claim on", cause))? {
                    Some(before) => decision = before,
                    None => nest
                        .decide(ground, &decision, rejects)
                        .map_err(|cause| self.lost_or("write down what becomes of", cause))?,
                }
                nest.finish(ground, decision)
            }
            Held::InPlace => {
                let path = self.path();
                let source = Place::open(&ground.settings.folder).map_err(|cause| self.fault("open", cause))?;
                match file_away(
                    ground,
                    &source,
                    Path::new(self.name.as_os_str()),
                    &self.name,
                    &mut decision,
                    rejects,
                    &mut |_| Ok(()),
                ) {
                    Ok(path) => Ok(path),
                    // Nowhere to keep a copy: the sender's own file is what there is.
                    Err(FolderError::ReadOnly { .. }) => Ok(path),
                    Err(fault) => Err(fault),
                }
            }
        }
    }

    fn fault(&self, doing: &'static str, cause: io::Error) -> FolderError {
        FolderError::new(&self.path(), doing, cause)
    }

    fn lost_or(&self, doing: &'static str, cause: io::Error) -> FolderError {
        if cause.kind() == io::ErrorKind::NotFound {
            FolderError::Lost { name: self.name.clone() }
        } else {
            self.fault(doing, cause)
        }
    }
}

/// Brings a file to where it was decided to go, with what stands beside it, which is there first.
fn file_away(
    ground: &Ground,
    from: &Place,
    source: &Path,
    name: &FileName,
    decision: &mut Decision,
    rejects: Option<&[u8]>,
    note: &mut dyn FnMut(&Decision) -> io::Result<()>,
) -> Result<PathBuf, FolderError> {
    let (path, ending) = match decision.to {
        To::Archive => (&ground.settings.archive, ".result.json"),
        To::Error => (&ground.settings.error, ".reason.json"),
    };
    let own = |path: &Path| Place::own(path).map_err(|cause| FolderError::new(path, "make or open", cause));
    let target = own(path)?;
    let in_place = from.path() == ground.settings.folder;
    loop {
        let base = base(decision, name);
        let beside = with(&base, ending);
        let all = (|| {
            if !deposit(ground, &target, &beside, &decision.draft, decision.note.as_bytes())? {
                return Ok(false);
            }
            if let Some(rejects) = rejects {
                let error = Place::own(&ground.settings.error)?;
                if !deposit(ground, &error, &with(&base, REJECTED), &decision.draft, rejects)? {
                    return Ok(false);
                }
                error.sync()?;
            }
            if !bring(ground, from, source, &target, &base, &decision.draft, in_place)? {
                return Ok(false);
            }
            target.sync()?;
            Ok(true)
        })();
        match all {
            Ok(true) => return Ok(target.path().join(base)),
            Ok(false) => {
                decision.attempt += 1;
                note(decision).map_err(|cause| FolderError::new(from.path(), "write into", cause))?;
            }
            Err(cause) => return Err(FolderError::new(&target.path().join(base), "write", cause)),
        }
    }
}

/// Writes a small file that is there whole or not at all. False: another one has the name.
fn deposit(ground: &Ground, target: &Place, name: &OsStr, draft: &str, bytes: &[u8]) -> io::Result<bool> {
    match read_bytes(target, Path::new(name))? {
        Some(there) => return Ok(there == bytes),
        None => ground.step()?,
    }
    let draft = format!(".{draft}.part");
    let written = target.write(&draft, bytes).and_then(|file| file.sync_all());
    if let Err(cause) = written {
        let _ = target.remove(&draft);
        return Err(cause);
    }
    ground.step()?;
    match target.rename(&draft, target, name) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            target.remove(&draft)?;
            Ok(read_bytes(target, Path::new(name))?.is_some_and(|there| there == bytes))
        }
        done => done.map(|()| true),
    }
}

/// Moves a file, or copies it where it cannot be moved. False: another one has the name.
fn bring(
    ground: &Ground,
    from: &Place,
    source: &Path,
    target: &Place,
    name: &OsStr,
    draft: &str,
    copy: bool,
) -> io::Result<bool> {
    if !copy {
        ground.step()?;
        from.for_owner_only(source)?;
        // A sender may be gone before its bytes are on disk.
        if let Ok((file, _)) = from.read(source) {
            file.sync_all()?;
        }
        ground.step()?;
        match from.rename(source, target, name) {
            Ok(()) => return Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return is_same(from, source, target, name),
            Err(cause) => return Err(cause),
        }
    }
    if target.has(name)? {
        return is_same(from, source, target, name);
    }
    ground.step()?;
    let draft = format!(".{draft}.part");
    let copied = (|| {
        let (mut file, _) = from.read(source)?;
        let mut written = target.write(&draft, b"")?;
        io::copy(&mut file, &mut written)?;
        written.sync_all()
    })();
    if let Err(cause) = copied {
        let _ = target.remove(&draft);
        return Err(cause);
    }
    ground.step()?;
    match target.rename(&draft, target, name) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            target.remove(&draft)?;
            Ok(false)
        }
        done => done.map(|()| true),
    }
}

/// True where both files hold the same bytes: one was copied, and the copy is complete.
fn is_same(from: &Place, source: &Path, target: &Place, name: &OsStr) -> io::Result<bool> {
    let (one, facts) = from.read(source)?;
    let (other, there) = target.read(name)?;
    if facts.identity.size != there.identity.size {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one), io::BufReader::new(other));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

/// The new name of a file: time, hash, and its own name as far as there is room.
fn base(decision: &Decision, name: &FileName) -> OsString {
    let bytes = name.as_os_str().as_bytes();
    let kept = if bytes.len() > LONGEST {
        let ending = bytes.iter().rposition(|byte| *byte == b'.').filter(|at| bytes.len() - at <= 16);
        let ending = &bytes[ending.unwrap_or(bytes.len())..];
        let cut = &bytes[..LONGEST - ending.len()];
        // A letter that was cut in two does not come along; what is no UTF-8 anyway stays as it is.
        let whole = match std::str::from_utf8(cut) {
            Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
            _ => cut,
        };
        [whole, ending].concat()
    } else {
        bytes.to_vec()
    };
    let again = if decision.attempt == 0 { String::new() } else { format!("-{}", decision.attempt + 1) };
    let mut base = OsString::from(format!("{}{again}--", decision.prefix));
    base.push(OsString::from_vec(kept));
    base
}

fn with(name: &OsStr, suffix: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(suffix);
    name
}

fn read_bytes(place: &Place, name: &Path) -> io::Result<Option<Vec<u8>>> {
    match place.read(name) {
        Ok((mut file, _)) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(place: &Place, name: &Path) -> io::Result<Option<T>> {
    // Half a document is what a loss of power leaves. It was never acted on, so it is as good as none.
    Ok(read_bytes(place, name)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// A name for a claim: when, and something nobody else has.
fn new_id(now: Timestamp) -> String {
    format!("{}-{:016x}", now.strftime("%Y%m%dT%H%M%SZ"), rand::random::<u64>())
}

/// When a claim of this name was made.
fn made_at(id: &str) -> Option<Timestamp> {
    time_of(id.split_once('-')?.0)
}

fn is_id(name: &str) -> bool {
    let (time, random) = name.split_once('-').unwrap_or_default();
    time_of(time).is_some() && random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn time_of(text: &str) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// Removes what is older than it is to be kept from the archive and the error folder. Only what bears a name that we
/// gave is touched, and its age is what the name says.
pub(super) fn prune(ground: &Ground, now: Timestamp, keep: &BTreeSet<PathBuf>) -> Result<Vec<PathBuf>, FolderError> {
    let settings = &ground.settings;
    let oldest = now.checked_sub(settings.keep).unwrap_or(Timestamp::MIN);
    let mut removed = Vec::new();
    for path in [&settings.archive, &settings.error] {
        let fault = |cause| FolderError::new(path, "prune", cause);
        if !path.try_exists().map_err(fault)? {
            continue;
        }
        let place = Place::own(path).map_err(fault)?;
        for name in place.names().map_err(fault)? {
            let text = name.to_string_lossy();
            let time = match text.strip_prefix('.') {
                // A draft that nobody finished.
                Some(draft) => draft.strip_suffix(".part").filter(|id| is_id(id)).and_then(|id| id.split_once('-')),
                None => text.split_once("--"),
            };
            let is_old = time.and_then(|(time, _)| time_of(time)).is_some_and(|time| time < oldest);
            let entry = path.join(&name);
            // What lies beside a file is kept as long as the file.
            let kept = keep
                .iter()
                .filter_map(|kept| kept.file_name())
                .any(|kept| name.as_bytes().starts_with(kept.as_bytes()));
            let regular = place.look_at(&name).is_ok_and(|facts| facts.kind == FileType::RegularFile);
            if is_old && regular && !kept {
                ground.step().and_then(|()| place.remove(&name)).map_err(fault)?;
                removed.push(entry);
            }
        }
    }
    removed.sort();
    Ok(removed)
}
