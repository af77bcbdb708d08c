//! One look at the folder, in the light of those before: what is complete, what waits, what is none of our business.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    io::{self, Read},
    path::Path,
    time::{Duration, Instant},
};

use base16ct::lower::encode_string as hex;
use jiff::Timestamp;
use rustix::fs::{Access, AtFlags, FileType};
use sha2::{Digest, Sha256};

use super::{
    Ignored, Look, NotRead, Ready, Stuck, Trouble, Waiting, WaitsFor,
    names::{self, FileName, OrderKey},
    place::{Facts, Identity, Place},
    settings::{Order, Settings, Trigger},
};

/// What stands behind the name of a file that holds its checksum.
const CHECKSUM: &str = ".sha256";

/// The largest checksum file that is read, in bytes: a checksum and a path.
const CHECKSUM_LIMIT: u64 = 8 << 10;

/// What is remembered between looks.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The folder as it was last: its device and its inode.
    folder: Option<(i128, i128)>,
    files: BTreeMap<OsString, Seen>,
    /// Since when a name has been there that is not read.
    others: BTreeMap<OsString, Instant>,
    /// When a file was last ready for the first time, or the first look.
    heard: Option<Instant>,
}

/// What is remembered of a file.
#[derive(Clone, Copy, Debug)]
struct Seen {
    identity: Identity,
    /// Looks at which it was like this.
    looks: u32,
    /// Since when it has been like this.
    quiet_since: Instant,
    /// Since when it has been waiting.
    waits_since: Instant,
    was_ready: bool,
    /// It was ready, and is here again with other facts: whoever took it put it back because it was written on.
    returned: bool,
    /// Whoever reads it has said that it is known.
    left: bool,
    /// Whether its content is what the checksum file says, once it was compared: with the file as it was then.
    compared: Option<(Identity, bool)>,
}

/// A file that is wanted, with what is known of it.
struct Candidate {
    name: FileName,
    facts: Facts,
    order: Option<OrderKey>,
    companions: Vec<FileName>,
    waits_for: Option<WaitsFor>,
}

/// True where a file is there that is wanted, complete or not.
pub(super) fn has_files(settings: &Settings, folder: &Place) -> io::Result<bool> {
    let is_plain = |name: &OsStr| folder.look_at(name).is_ok_and(|facts| why_not_this_kind(&facts).is_none());
    Ok(folder.names()?.iter().any(|name| is_data(settings, name) && is_plain(name)))
}

/// True for a name that is wanted.
fn is_data(settings: &Settings, name: &OsStr) -> bool {
    let is_trigger = matches!(&settings.trigger, Some(Trigger::Fixed(fixed)) if name == OsStr::new(fixed));
    !is_trigger && why_not(settings, name).is_none()
}

/// Why a file of this name is not read.
fn why_not(settings: &Settings, name: &OsStr) -> Option<NotRead> {
    if names::has_control(name) {
        Some(NotRead::ControlCharacter)
    } else if names::is_unfinished(name, &settings.unfinished) {
        Some(NotRead::Unfinished)
    } else if names::is_reject_file(name) {
        Some(NotRead::Rejects)
    } else if !settings.wanted.matches(name) {
        Some(NotRead::OtherName { pattern: settings.pattern.clone() })
    } else {
        None
    }
}

/// Why something that is no plain file is not read.
fn why_not_this_kind(facts: &Facts) -> Option<NotRead> {
    match facts.kind {
        FileType::RegularFile if facts.links == 1 => None,
        FileType::RegularFile => Some(NotRead::HardLink { names: facts.links.to_string() }),
        FileType::Directory => Some(NotRead::Folder),
        FileType::Symlink => Some(NotRead::Symlink),
        FileType::Fifo => Some(NotRead::Special { kind: "pipe" }),
        FileType::Socket => Some(NotRead::Special { kind: "socket" }),
        FileType::CharacterDevice | FileType::BlockDevice => Some(NotRead::Special { kind: "device" }),
        FileType::Unknown => Some(NotRead::Special { kind: "thing unknown to us" }),
    }
}

impl Memory {
    pub(super) fn look(&mut self, settings: &Settings, now: Instant) -> Look {
        let mut look = Look::default();
        let heard = *self.heard.get_or_insert(now);
        match self.list(settings, &mut look) {
            Ok((folder, names)) => self.judge(settings, now, &folder, &names, &mut look),
            Err(trouble) => {
                // What was quiet before may be another file when the folder is back.
                self.files.clear();
                look.trouble = Some(trouble);
            }
        }
        let silence = now.duration_since(self.heard.unwrap_or(heard));
        look.overdue = settings.expect_every.filter(|every| silence > *every).map(|_| silence);
        look
    }

    pub(super) fn leave(&mut self, ready: &Ready) {
        if let Some(seen) = self.files.get_mut(ready.name.as_os_str())
            && seen.identity == ready.identity
        {
            seen.left = true;
        }
    }

    fn list(&mut self, settings: &Settings, look: &mut Look) -> Result<(Place, Vec<OsString>), Trouble> {
        let path = settings.folder.clone();
        let (folder, facts, names) = (|| {
            let folder = Place::open(&settings.folder)?;
            let facts = folder.facts()?;
            let names = folder.names()?;
            Ok((folder, facts, names))
        })()
        .map_err(|cause: io::Error| match cause.kind() {
            io::ErrorKind::NotFound => Trouble::Missing { path: path.clone() },
            io::ErrorKind::NotADirectory => Trouble::NotAFolder { path: path.clone() },
            _ => Trouble::Unreadable { path: path.clone(), cause: cause.to_string() },
        })?;
        let here = (facts.identity.device, facts.identity.inode);
        if let Some(before) = self.folder
            && before != here
        {
            if before.0 != here.0 && names.is_empty() {
                return Err(Trouble::Unmounted { path });
            }
            look.warnings.push(format!("the folder {} was replaced by another one", path.display()));
        }
        self.folder = Some(here);
        if facts.mode & 0o002 != 0 {
            look.warnings.push(format!("anybody can write into the folder {}: chmod o-w", path.display()));
        }
        for (key, place) in [("work", &settings.work), ("archive", &settings.archive), ("error", &settings.error)] {
            if device_of(place).is_some_and(|device| device != facts.identity.device) {
                look.warnings.push(format!(
                    "`{key}`, {}, is on another file system than the folder: {}",
                    place.display(),
                    if key == "work" { "files cannot be taken" } else { "files are copied there, which is slower" },
                ));
            }
        }
        let writable = rustix::fs::accessat(rustix::fs::CWD, &settings.folder, Access::WRITE_OK, AtFlags::EACCESS);
        if writable.is_err() {
            look.read_only = true;
            look.warnings.push(format!("the folder {} is read-only for us: files stay there", path.display()));
        }
        Ok((folder, names))
    }

    fn judge(&mut self, settings: &Settings, now: Instant, folder: &Place, names: &[OsString], look: &mut Look) {
        let present: BTreeSet<&OsStr> = names.iter().map(OsString::as_os_str).collect();
        self.files.retain(|name, _| present.contains(name.as_os_str()));
        self.others.retain(|name, _| present.contains(name.as_os_str()));

        let mut candidates = Vec::new();
        for name in names {
            if settings.is_own(name) {
                continue;
            }
            match self.classify(settings, now, folder, name, &present) {
                Class::Candidate(candidate) => candidates.push(candidate),
                Class::Ignored(why) => {
                    self.files.remove(name);
                    let since = now.duration_since(*self.others.entry(name.clone()).or_insert(now));
                    look.ignored.push(Ignored { name: FileName::new(name), why, since });
                }
                Class::LoneTrigger => {
                    let since = now.duration_since(*self.others.entry(name.clone()).or_insert(now));
                    let name = FileName::new(name);
                    if since > settings.stuck_after {
                        look.stuck.push(Stuck { name: name.clone(), why: WaitsFor::Data, since });
                    }
                    look.waiting.push(Waiting { name, why: WaitsFor::Data });
                }
                Class::Companion | Class::Gone => {}
            }
        }
        self.put_in_order(settings, now, &mut candidates);

        let shared = match &settings.trigger {
            Some(Trigger::Fixed(name)) => present.contains(OsStr::new(name)).then(|| FileName::new(name)),
            _ => None,
        };
        for candidate in candidates {
            let Some(seen) = self.files.get_mut(candidate.name.as_os_str()) else { continue };
            match (candidate.waits_for, candidate.order) {
                (None, _) if seen.left => {}
                (None, Some(order)) => {
                    if !seen.was_ready {
                        seen.was_ready = true;
                        self.heard = Some(now);
                    }
                    look.ready.push(Ready {
                        name: candidate.name,
                        order,
                        identity: candidate.facts.identity,
                        companions: candidate.companions,
                        shared_trigger: None,
                    });
                }
                (why, _) => {
                    let why = why.unwrap_or(WaitsFor::Date);
                    let since = now.duration_since(seen.waits_since);
                    if since > settings.stuck_after {
                        look.stuck.push(Stuck { name: candidate.name.clone(), why: why.clone(), since });
                    }
                    if matches!(why, WaitsFor::Quiet { .. }) {
                        let left = settings.quiet.time.saturating_sub(now.duration_since(seen.quiet_since));
                        let again = left / (settings.quiet.looks.saturating_sub(seen.looks)).max(1);
                        let again = again.max(Duration::from_millis(20));
                        look.look_again = Some(look.look_again.map_or(again, |other| other.min(again)));
                    }
                    look.waiting.push(Waiting { name: candidate.name, why });
                }
            }
        }
        if let Some(last) = look.ready.last_mut() {
            last.shared_trigger = shared;
        }
        look.ignored.sort_by(|one, other| one.name.cmp(&other.name));
    }

    fn classify(
        &mut self,
        settings: &Settings,
        now: Instant,
        folder: &Place,
        name: &OsStr,
        present: &BTreeSet<&OsStr>,
    ) -> Class {
        if let Some(role) = companion(settings, name, present) {
            return role;
        }
        if let Some(why) = why_not(settings, name) {
            // A folder, a symlink and the like say what they are, whatever they are called.
            let kind = folder.look_at(name).ok().and_then(|facts| why_not_this_kind(&facts));
            return Class::Ignored(match why {
                NotRead::OtherName { .. } => kind.unwrap_or(why),
                why => why,
            });
        }
        let Ok(facts) = folder.look_at(name) else { return Class::Gone };
        if let Some(why) = why_not_this_kind(&facts) {
            return Class::Ignored(why);
        }
        let name = FileName::new(name);
        let seen = self.see(now, &name, facts.identity);
        let mut companions = Vec::new();
        let waits_for = waits_for(settings, now, folder, &name, &facts, present, seen, &mut companions);
        Class::Candidate(Candidate { name, facts, order: None, companions, waits_for })
    }

    /// Remembers that a file is there, and whether it is as it was.
    fn see(&mut self, now: Instant, name: &FileName, identity: Identity) -> &mut Seen {
        let seen = self.files.entry(name.as_os_str().to_owned()).or_insert(Seen {
            identity,
            looks: 0,
            quiet_since: now,
            waits_since: now,
            was_ready: false,
            returned: false,
            left: false,
            compared: None,
        });
        if seen.identity != identity {
            // Once it was ready, another one of the same name begins anew; before that it is the same long wait.
            *seen = Seen {
                identity,
                looks: 0,
                quiet_since: now,
                waits_since: if seen.was_ready { now } else { seen.waits_since },
                was_ready: false,
                returned: seen.returned || (seen.was_ready && seen.identity.inode == identity.inode),
                left: false,
                compared: None,
            };
        }
        seen.looks = seen.looks.saturating_add(1);
        seen
    }

    /// Sorts files oldest first, and lets a younger one wait for an older one that is still arriving
    /// (`csv-drop-folder.md`, item 15), though not for longer than until that is called stuck (item 11).
    fn put_in_order(&self, settings: &Settings, now: Instant, candidates: &mut [Candidate]) {
        let dated = || candidates.iter().all(|candidate| OrderKey::date(candidate.name.as_os_str()).is_some());
        // Where nothing is said each name is taken by its date where it has one, so that a file beside it changes nothing.
        let is_mixed = settings.order.is_none() && !dated();
        let order = settings.order.unwrap_or(if is_mixed { Order::Arrival } else { Order::Date });
        for candidate in &mut *candidates {
            let name = candidate.name.as_os_str();
            let (key, missing) = match order {
                Order::Date => (OrderKey::date(name), WaitsFor::Date),
                Order::Number => (OrderKey::number(name), WaitsFor::Number),
                Order::Arrival => {
                    let dated = if is_mixed { OrderKey::date(name) } else { None };
                    (Some(dated.unwrap_or_else(|| arrival(&candidate.facts.identity))), WaitsFor::Date)
                }
            };
            candidate.order = key;
            if key.is_none() {
                candidate.waits_for = Some(missing);
            }
        }
        candidates.sort_by(|one, other| {
            let (changed, other_changed) = (one.facts.identity.changed, other.facts.identity.changed);
            // Dates and times of arrival cannot be compared, so among both only the arrival counts.
            let keys = if is_mixed { None } else { one.order.partial_cmp(&other.order) };
            let keys = keys.unwrap_or(std::cmp::Ordering::Equal);
            keys.then(changed.cmp(&other_changed)).then_with(|| one.name.cmp(&other.name))
        });
        if order == Order::Arrival {
            return;
        }
        let mut arriving: Option<FileName> = None;
        for candidate in candidates {
            let seen = self.files.get(candidate.name.as_os_str());
            match (&candidate.waits_for, &arriving) {
                (None, Some(name)) if seen.is_some_and(|seen| !seen.left) => {
                    candidate.waits_for = Some(WaitsFor::Older { name: name.clone() });
                }
                (Some(why), None) => {
                    let is_stuck = seen.is_some_and(|seen| now.duration_since(seen.waits_since) > settings.stuck_after);
                    if !why.needs_somebody() && !is_stuck {
                        arriving = Some(candidate.name.clone());
                    }
                }
                _ => {}
            }
        }
    }
}

/// What an entry is to us.
enum Class {
    Candidate(Candidate),
    Ignored(NotRead),
    /// It belongs to a file that is there.
    Companion,
    /// A trigger, and there is no file for it.
    LoneTrigger,
    /// It went away while we looked.
    Gone,
}

/// Whether a name is that of a trigger or a checksum.
fn companion(settings: &Settings, name: &OsStr, present: &BTreeSet<&OsStr>) -> Option<Class> {
    let text = name.to_str()?;
    let owner = |suffix: &str| {
        let data = OsStr::new(text.strip_suffix(suffix)?);
        is_data(settings, data).then(|| present.contains(data))
    };
    match &settings.trigger {
        Some(Trigger::Fixed(fixed)) if fixed == text => {
            let any = present.iter().any(|name| is_data(settings, name));
            return Some(if any { Class::Companion } else { Class::LoneTrigger });
        }
        Some(Trigger::Suffix(suffix)) => match owner(suffix) {
            Some(true) => return Some(Class::Companion),
            Some(false) => return Some(Class::LoneTrigger),
            None => {}
        },
        _ => {}
    }
    (settings.checksum && owner(CHECKSUM) == Some(true)).then_some(Class::Companion)
}

/// What keeps a file from being ready, and what will be taken with it.
#[expect(clippy::too_many_arguments, reason = "one look at one file, which is not worth a type of its own")]
fn waits_for(
    settings: &Settings,
    now: Instant,
    folder: &Place,
    name: &FileName,
    facts: &Facts,
    present: &BTreeSet<&OsStr>,
    seen: &mut Seen,
    companions: &mut Vec<FileName>,
) -> Option<WaitsFor> {
    let quiet = settings.quiet;
    let is_quiet = seen.looks >= quiet.looks && now.duration_since(seen.quiet_since) >= quiet.time;
    let mut signalled = false;
    if let Some(trigger) = settings.trigger_of(name) {
        let plain = |facts: &Facts| facts.kind == FileType::RegularFile;
        match present.contains(trigger.as_os_str()).then(|| folder.look_at(trigger.as_os_str())) {
            // A trigger that is older than the file may be left from another one. Then quiet decides.
            Some(Ok(of)) if plain(&of) => {
                signalled = !seen.returned && of.identity.changed >= facts.identity.changed;
            }
            _ => return Some(WaitsFor::Trigger { trigger }),
        }
        if matches!(settings.trigger, Some(Trigger::Suffix(_))) {
            companions.push(trigger);
        }
    }
    if !is_quiet && !signalled {
        return Some(WaitsFor::Quiet { looks: seen.looks.min(quiet.looks), of: quiet.looks });
    }
    if facts.identity.size < settings.minimum_size {
        return Some(WaitsFor::Size { size: facts.identity.size, minimum: settings.minimum_size });
    }
    if let Err(cause) = folder.read(name.as_os_str()) {
        return Some(WaitsFor::Rights { cause: cause.to_string() });
    }
    if settings.checksum {
        let file = FileName::new(name.with(CHECKSUM));
        let Some(of) = present
            .contains(file.as_os_str())
            .then(|| folder.look_at(file.as_os_str()).ok())
            .flatten()
            .filter(|of| of.kind == FileType::RegularFile)
        else {
            return Some(WaitsFor::Checksum { file });
        };
        // Compared once for this file and this checksum file: reading everything at every look would be too much.
        let agrees = match seen.compared {
            Some((with, agrees)) if with == of.identity => agrees,
            _ => {
                let agrees = agrees(folder, name.as_os_str(), file.as_os_str()).unwrap_or(false);
                seen.compared = Some((of.identity, agrees));
                agrees
            }
        };
        if !agrees {
            return Some(WaitsFor::RightChecksum { file });
        }
        companions.push(file);
    }
    None
}

/// True where the checksum file begins with the checksum of the file.
fn agrees(folder: &Place, name: &OsStr, checksum: &OsStr) -> io::Result<bool> {
    let mut said = String::new();
    folder.read(checksum)?.0.take(CHECKSUM_LIMIT).read_to_string(&mut said)?;
    let said = said.trim_start_matches(['\u{feff}', '\\']).split_whitespace().next().unwrap_or_default().to_lowercase();
    let (mut file, _) = folder.read(name)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
    }
    Ok(hex(&digest.finalize()) == *said)
}

/// When a file got its name in the folder. A sender can set when it was written, but not this.
fn arrival(identity: &Identity) -> OrderKey {
    OrderKey::Arrival(Timestamp::from_nanosecond(identity.changed).unwrap_or(Timestamp::MIN))
}

/// The file system of a folder, or of the one it will be made in.
fn device_of(path: &Path) -> Option<i128> {
    let place = path.ancestors().find_map(|path| Place::open(path).ok())?;
    Some(place.facts().ok()?.identity.device)
}
