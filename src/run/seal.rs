//! The id of a plan: a digest of everything in it.
//!
//! It is the SHA-256 of the plan's document with [`BLANK`] in its place, so whoever has the document can compute it.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

use super::{RunError, document, vet::vet};
use crate::model::{
    id::SystemName,
    plan::{FORMAT, Home, Plan},
};

/// What stands in the place of an id that is not known yet, and is as long.
const BLANK: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Bytes of a document that are handed on at once.
const PIECE: usize = 256 << 10;

/// So many pieces may wait to be written.
const WAITING: usize = 4;

/// Gives a plan its id. The same plan gets the same id.
pub(crate) fn seal(mut plan: Plan) -> Plan {
    BLANK.clone_into(&mut plan.id);
    plan.id = digest_of_blank(&plan);
    plan
}

/// Gives a plan its id, and writes its document, from the first byte of `file` on, at the same time: of a million people that
/// takes half as long as one after the other.
///
/// # Errors
/// Where `file` cannot be written; what stands in it then is no document, or one with [`BLANK`] for an id.
pub(crate) fn seal_into(mut plan: Plan, file: impl Write + Seek + Send) -> io::Result<Plan> {
    BLANK.clone_into(&mut plan.id);
    let (id, Digesting { mut to, blank_at, .. }) = digest_of(&plan, file)?;
    let Some(blank_at) = blank_at else { unreachable!("the id is the second thing in a document") };
    to.seek(SeekFrom::Start(blank_at))?;
    to.write_all(id.as_bytes())?;
    to.flush()?;
    plan.id = id;
    Ok(plan)
}

/// True where the id of a plan is the digest of what is in it.
pub(super) fn is_sealed(plan: &Plan) -> bool {
    let mut blank = Plan { id: BLANK.to_owned(), ..plan.clone() };
    plan.id == digest_of_blank(&blank) || {
        blank.id.clear();
        plan.id == former_digest_of(&blank)
    }
}

/// The digest of a plan that has no id yet. Its document is never held: of a million people it is larger than all else.
fn digest_of_blank(plan: &Plan) -> String {
    match digest_of(plan, io::sink()) {
        Ok((id, _)) => id,
        Err(fault) => unreachable!("a plan is plain data with text keys, and nothing refuses its bytes: {fault}"),
    }
}

/// The id that plans had before their documents were laid out by lines, the digest of their JSON with no id and no space:
/// stores and folders may hold some that are still to be applied, resumed or undone.
fn former_digest_of(plan: &Plan) -> String {
    let mut writer = BufWriter::with_capacity(PIECE, Digesting::new(io::sink()));
    let written = serde_json::to_writer(&mut writer, plan).map_err(io::Error::from).and_then(|()| writer.flush());
    match written {
        Ok(()) => writer.get_ref().id(),
        Err(fault) => unreachable!("a plan is plain data with text keys, and nothing refuses its bytes: {fault}"),
    }
}

/// Writes the document of a plan; the id it has by what was written.
fn digest_of<W: Write + Send>(plan: &Plan, to: W) -> io::Result<(String, Digesting<W>)> {
    let mut digesting = Digesting::new(to);
    match write_beside(plan, &mut digesting) {
        Some(written) => written?,
        None => write(plan, &mut digesting)?,
    }
    Ok((digesting.id(), digesting))
}

/// Writes the document of a plan to `to` on a thread of its own: making it takes about as long as what is done with it. `None`
/// where there can be no such thread.
fn write_beside(plan: &Plan, to: &mut (impl Write + Send)) -> Option<io::Result<()>> {
    thread::scope(|scope| {
        let (give, taken) = sync_channel::<Vec<u8>>(WAITING);
        let taking = move || taken.into_iter().try_for_each(|bytes| to.write_all(&bytes));
        let taking = thread::Builder::new().spawn_scoped(scope, taking).ok()?;
        let given = write(plan, Giving(give));
        let taken = taking.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes has panicked")));
        // Where it could not be taken, that is why it could not be given.
        Some(taken.and(given))
    })
}

fn write(plan: &Plan, to: impl Write) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(PIECE, to);
    document::write(plan, &mut writer)?;
    writer.flush()
}

/// Gives bytes to another thread.
struct Giving(SyncSender<Vec<u8>>);

impl Write for Giving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hands bytes on and makes their digest.
struct Digesting<W> {
    digest: Sha256,
    /// Nothing was written yet.
    is_first: bool,
    /// Where the place for an id begins, in what was written first: afterwards people may have said anything.
    blank_at: Option<u64>,
    to: W,
}

impl<W> Digesting<W> {
    fn new(to: W) -> Self {
        Self { digest: Sha256::new(), is_first: true, blank_at: None, to }
    }

    fn id(&self) -> String {
        format!("sha256:{}", hex(&self.digest.clone().finalize()))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.is_first) {
            let at = bytes.windows(BLANK.len()).position(|some| some == BLANK.as_bytes());
            self.blank_at = at.map(|at| at as u64);
        }
        self.to.write_all(bytes)?;
        self.digest.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads a saved plan to apply it. Since anybody can compute a digest, what it says is looked at as well.
pub(crate) fn unseal(file: &str, text: &str, homes: &BTreeMap<SystemName, Home>) -> Result<Plan, RunError> {
    let plan = read(file, text)?;
    fits(file, &plan, homes)?;
    Ok(plan)
}

/// Refuses a plan that was not made for these systems, that cannot have been made by this program, or that is not what it
/// was when it got its id.
pub(crate) fn fits(file: &str, plan: &Plan, homes: &BTreeMap<SystemName, Home>) -> Result<(), RunError> {
    let bad = |cause: String| RunError::BadPlan { file: file.to_owned(), cause };
    if !is_sealed(plan) {
        return Err(bad("it was changed after it was saved (its id does not match)".to_owned()));
    }
    for call in &plan.calls {
        let (made_for, here) = (plan.systems.get(&call.system), homes.get(&call.system));
        if made_for.is_none() || made_for != here {
            let shown = |home: Option<&Home>| {
                let whose = if home.is_some_and(|home| home.per_person) { " with tokens of people" } else { "" };
                home.map_or_else(|| "nothing".to_owned(), |home| format!("{} at {}{whose}", home.kind, home.url))
            };
            let (system, made_for, here) = (&call.system, shown(made_for), shown(here));
            return Err(bad(format!("it was made for {system}, {made_for}; here {system} is {here}")));
        }
    }
    vet(plan, &homes.keys().cloned().collect()).map_err(bad)
}

/// Reads a saved plan, to look at. One that was edited is refused: what is applied is what was shown.
pub(crate) fn read(file: &str, text: &str) -> Result<Plan, RunError> {
    let bad = |cause: String| RunError::BadPlan { file: file.to_owned(), cause };
    let any: serde_json::Value = serde_json::from_str(text).map_err(|error| bad(format!("it is no JSON ({error})")))?;
    match any.get("format").and_then(serde_json::Value::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(bad(format!("its format is `{other}`, this program knows `{FORMAT}`"))),
        None => return Err(bad("it has no `format`".to_owned())),
    }
    let plan: Plan = serde_json::from_value(any).map_err(|error| bad(error.to_string()))?;
    if plan.id == BLANK {
        return Err(bad("it was not written to its end: make it again".to_owned()));
    }
    if !is_sealed(&plan) {
        return Err(bad("it was changed after it was saved (its id does not match)".to_owned()));
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::model::tally::removing;

    /// A disk on which so many bytes have room.
    struct Small(usize);

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Small {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }

    #[test]
    fn a_plan_is_written_as_it_is_with_the_id_that_it_gets_elsewhere_too() {
        // The last one takes several pieces.
        for calls in [0, 1, 5_000] {
            let plan = removing(0..calls);
            let mut file = Cursor::new(Vec::new());
            let sealed = seal_into(plan.clone(), &mut file).unwrap();
            let text = String::from_utf8(file.into_inner()).unwrap();
            assert_eq!(sealed, seal(plan));
            assert_eq!(text, format!("{}\n", document::text(&sealed)));
            assert_eq!(text.len() > 2 * PIECE, calls == 5_000);
            assert!(is_sealed(&sealed));
            assert!(!is_sealed(&Plan { today: "2026-11-21".to_owned(), ..sealed.clone() }));
            let blank = text.replacen(&sealed.id, BLANK, 1);
            assert_eq!(sealed.id, format!("sha256:{}", hex(&Sha256::digest(blank))));
        }
    }

    #[test]
    fn a_disk_that_is_full_is_what_is_told() {
        let plan = removing(0..5_000);
        let size = document::text(&seal(plan.clone())).len() + 1;
        // At once, after some of it, and where all but the id has room.
        for room in [0, 2 * PIECE, size, size + BLANK.len() - 1] {
            let error = seal_into(plan.clone(), Small(room)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{room}");
        }
        assert!(seal_into(plan, Small(size + BLANK.len())).is_ok());
    }

    #[test]
    fn a_document_that_lacks_its_id_says_that_it_was_not_written_to_its_end() {
        let text = document::text(&Plan { id: BLANK.to_owned(), ..removing(0..2) });
        let told = read("plan.json", &text).unwrap_err().to_string();
        assert!(told.contains("it was not written to its end"), "{told}");
    }

    #[test]
    fn a_plan_that_got_its_id_as_plans_did_before_is_still_what_it_was() {
        let plan = Plan { id: String::new(), ..removing(0..3) };
        let id = format!("sha256:{}", hex(&Sha256::digest(serde_json::to_vec(&plan).unwrap())));
        let former = Plan { id, ..plan };
        assert!(is_sealed(&former));
        assert_eq!(read("plan.json", &serde_json::to_string_pretty(&former).unwrap()).unwrap(), former);
        assert!(!is_sealed(&Plan { today: "2026-11-21".to_owned(), ..former }));
    }
}
