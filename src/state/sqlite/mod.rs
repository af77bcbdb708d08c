//! The store in one `SQLite` file.
//!
//! Write-ahead log with full synchronisation: when a call of [`Store`] returns, what it wrote survives a power cut; what is
//! handed in with [`Store::note`] does so once its receipt says it.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::{
    Accepted, Aside, Beginning, Correction, Counted, Entry, Heard, LeftOpen, Memory, Notice, Occasion, Pruned,
    RunSummary, Said, Sent, Settlement, Standing, StateError, Store, Waits, Word,
    expectation::{Expectation, Expecting, Sight},
    journal::{self, Flaw, Verified},
    scribe::{Note, Receipt, Scribe},
};
use crate::model::{
    id::{PersonId, SystemName},
    plan::{OpenCreation, Plan, Seen},
    tally::{Tally, Touch, tallies},
    values::Packer,
};

mod expectations;
mod heads;
mod home;
mod lists;
mod notes;
mod open;
mod schema;
mod stands;
mod ties;
mod tokens;
mod words;

pub(crate) use self::home::{Place, place_of};
use self::{
    home::Home,
    lists::{accepted_of, is_over},
    notes::{write_note, write_over},
    schema::{FORMAT, FROM_1, FROM_2, TABLES, has_all_tables},
};

/// The database of a connection that is the store.
const MAIN: Option<&str> = Some("main");

/// How long, and after which pauses, a store is opened again that another process is just making or putting away.
const MAKING: Duration = Duration::from_secs(1);
const MAKING_PAUSE: Duration = Duration::from_millis(50);

/// A transaction waits for its turn to write when it begins. One that reads first and then finds that somebody else wrote
/// would fail at once, however patient it is.
const AT_ONCE: TransactionBehavior = TransactionBehavior::Immediate;

/// Opens a store, again where its companions cannot be opened at this moment or are not shared, which `SQLite` does not wait
/// for by itself: another process, perhaps another user's, is just making them, giving them to us, or removing them.
fn patiently<T>(mut open: impl FnMut() -> Result<T, StateError>) -> Result<T, StateError> {
    let begun = Instant::now();
    loop {
        match open() {
            Err(StateError::Use(source)) if is_passing(&source) && begun.elapsed() < MAKING => {
                std::thread::sleep(MAKING_PAUSE);
            }
            answer => return answer,
        }
    }
}

fn is_passing(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::DatabaseBusy))
}

/// A `SQLite` file that is open.
pub(crate) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    scribe: Scribe,
    /// Where its file lies, if it has one that is written to.
    home: Option<Home>,
}

impl Sqlite {
    /// Opens the file, makes it and its folder where they are missing.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        if let Some(folder) = path.parent() {
            // What is in it is about people: a folder that is made for it is its owner's alone.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|source| StateError::Folder { path: path.to_owned(), source })?;
        }
        let open = |source| StateError::Open { path: path.to_owned(), source };
        // The file, too; SQLite gives its companions the same rights. What stands in the way is SQLite's to tell.
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        let place = place_of(path);
        let opened = patiently(|| Self::prepare(Connection::open(path)?)).map_err(|error| match error {
            StateError::Use(source) => open(source),
            other => other,
        })?;
        let Some(place) = place else { return Ok(opened) };
        let home = Home { path: path.to_owned(), place };
        // Another one may have been put there while this was opened.
        home.is_there()?;
        Ok(Self { home: Some(home), ..opened })
    }

    /// The same, where it is still the file that lay there before.
    ///
    /// # Errors
    /// Where another one lies there by now, or it had to be made.
    pub(crate) fn open_again(path: &Path, before: Option<Place>) -> Result<Self, StateError> {
        let is_it = || before.is_none_or(|before| place_of(path) == Some(before));
        let gone = || StateError::Gone { path: path.to_owned() };
        if !is_it() {
            return Err(gone());
        }
        let store = Self::open(path)?;
        if is_it() { Ok(store) } else { Err(gone()) }
    }

    /// Whether its file is still where it was opened.
    ///
    /// # Errors
    /// Where it was removed, or another one lies there.
    pub(crate) fn is_there(&self) -> Result<(), StateError> {
        self.home.as_ref().map_or(Ok(()), Home::is_there)
    }

    /// Writes a copy of the whole store, as it is at one moment, to a file that is not there yet.
    pub(crate) fn back_up(&self, to: &Path) -> Result<(), StateError> {
        let copy = |source| StateError::Copy { path: to.to_owned(), source };
        // Nobody else is to read it, and nothing is to be written over.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(copy)?;
        let copied = self.connection().execute("vacuum into ?1", [to.to_string_lossy()]);
        if copied.is_err() {
            // Half a copy is none, and would stand in the way of the next one.
            let _ = std::fs::remove_file(to);
        }
        Ok(copied.map(drop)?)
    }

    /// Opens a file that is there, to read and nothing else.
    pub(crate) fn look_into(path: &Path) -> Result<Self, StateError> {
        let open = |source| StateError::Open { path: path.to_owned(), source };
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = patiently(|| {
            let connection = Connection::open_with_flags(path, flags)?;
            let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
            Ok((connection, found))
        });
        match opened {
            Ok((_, found)) if found > FORMAT => Err(StateError::Newer { found, known: FORMAT }),
            Ok((connection, _)) => Ok(Self::with(connection)),
            Err(StateError::Use(source)) => Err(open(source)),
            Err(other) => Err(other),
        }
    }

    /// A store that is gone with the process: for planning where there is no file yet, and for a lab of one command.
    pub(crate) fn in_memory() -> Result<Self, StateError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StateError> {
        connection.busy_timeout(Duration::from_secs(10))?;
        let _: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        connection.execute_batch("pragma synchronous = full; pragma foreign_keys = on;")?;
        let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
        if found > FORMAT {
            return Err(StateError::Newer { found, known: FORMAT });
        }
        // Whoever only looks must not wait for those who write.
        if found == FORMAT && has_all_tables(&connection)? {
            return Ok(Self::with(connection));
        }
        let transaction = Transaction::new_unchecked(&connection, AT_ONCE)?;
        if found == 1 && transaction.table_exists(MAIN, "runs")? {
            transaction.execute_batch(FROM_1)?;
        }
        if found == 1 || found == 2 {
            for (table, change) in FROM_2 {
                if transaction.table_exists(MAIN, table)? {
                    transaction.execute_batch(change)?;
                }
            }
        }
        let is_new = !transaction.table_exists(MAIN, "inputs")?;
        transaction.execute_batch(TABLES)?;
        transaction.execute_batch(journal::TABLES)?;
        if is_new {
            transaction.execute_batch(stands::FROM_PLANS)?;
        }
        if transaction.table_exists(MAIN, "journal_2")? {
            bind(&transaction)?;
            transaction.execute_batch("drop table journal_2")?;
        }
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
        Ok(Self::with(connection))
    }

    fn with(connection: Connection) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), scribe: Scribe::default(), home: None }
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Every statement stands alone or in a transaction that rolls back, so a panic elsewhere leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all of it or nothing; durable on return.
    fn whole<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>) -> Result<T, StateError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(AT_ONCE)?;
        let written = write(&transaction)?;
        transaction.commit()?;
        self.is_there()?;
        Ok(written)
    }
}

impl Store for Sqlite {
    fn memory(&self) -> Result<Memory, StateError> {
        let ties = self.ties()?;
        let connection = self.connection();
        let mut seen = Vec::new();
        let mut statement = connection.prepare("select system, key, said from seen order by system, key")?;
        let mut rows = statement.query([])?;
        let (mut packer, mut last) = (Packer::default(), None::<SystemName>);
        while let Some(row) = rows.next()? {
            let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
            let values = packer.pack(&serde_json::from_str(text(2)?)?);
            seen.push(Seen { system: shared(&mut last, text(0)?).clone(), key: text(1)?.into(), person: None, values });
        }
        let (waiting, [open_words, waiting_words]) = (stands::waiting(&connection)?, words::all(&connection)?);
        Ok(Memory { seen, open_words, waiting_words, waiting, ..ties })
    }

    fn ties(&self) -> Result<Memory, StateError> {
        let connection = self.connection();
        // What is written while the rest is read is behind this. A store that was only looked into may be older than the table.
        let is_there = connection.table_exists(MAIN, "cuts")?;
        let place = if is_there { journal::last(&connection)? } else { 0 };
        let (links, corrections) = (ties::all(&connection)?, ties::corrections(&connection)?);
        let mut deeds = BTreeMap::new();
        // A store that was only looked into may be older than this table.
        if connection.table_exists(MAIN, "deeds")? {
            let run = if connection.column_exists(MAIN, "deeds", "run")? { "run" } else { "0" };
            let mut statement = connection.prepare(&format!("select mark, in_doubt, {run} from deeds"))?;
            for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))? {
                let (mark, in_doubt, run) = row?;
                deeds.insert(mark, if in_doubt { Sent::InDoubt(run) } else { Sent::Done });
            }
        }
        let mut accepted: BTreeMap<SystemName, Accepted> = BTreeMap::new();
        if connection.table_exists(MAIN, "accepted")? {
            let mut statement = connection.prepare("select system, list from accepted")?;
            for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
                let (system, list) = row?;
                accepted.insert(system.into(), serde_json::from_str(&list)?);
            }
        }
        let expectations = expectations::open(&connection)?;
        for list in accepted.values_mut() {
            if !expectations.is_empty() || is_over(&connection, list)? {
                list.believed = None;
            }
        }
        let open = open::creations(&connection, Some(&links))?;
        let (seen, open_words, waiting_words, waiting) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Memory {
            links,
            corrections,
            seen,
            open_words,
            waiting_words,
            deeds,
            accepted,
            expectations,
            open,
            waiting,
            place,
        })
    }

    fn begin_judged(&self, beginning: &Beginning<'_>, now: &str) -> Result<Option<i64>, StateError> {
        let Beginning { plan, about, counted, aside } = beginning;
        self.whole(|transaction| {
            if last_tally(transaction)? > *counted {
                return Ok(None);
            }
            let run = insert_run(transaction, Some(plan), about, Standing::Open, None, now)?;
            count(transaction, run, plan, now)?;
            if let Some(Aside { plan, about, told }) = aside {
                insert_run(transaction, Some(plan), about, Standing::Aside, Some(told), now)?;
            }
            Ok(Some(run))
        })
    }

    fn counted(&self, since: Option<&str>) -> Result<Counted, StateError> {
        let mut connection = self.connection();
        // One view of all of it.
        let view = connection.transaction()?;
        let mut people = BTreeMap::new();
        {
            let mut statement = view.prepare("select system, count(distinct person) from links group by system")?;
            for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
                let (system, count) = row?;
                people.insert(system.into(), count.cast_unsigned());
            }
        }
        // A store that was only looked into may be older than this table.
        if !view.table_exists(MAIN, "tallies")? {
            return Ok(Counted { people, ..Counted::default() });
        }
        let mut tallies = Vec::new();
        if let Some(since) = since {
            // Whole seconds: a time without a fraction would else stand behind one with it.
            let mut statement = view.prepare(
                "select distinct touch, system, whom, person, part from tallies where at >= substr(?1, 1, 19)",
            )?;
            let texts = |row: &rusqlite::Row<'_>| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get(2)?,
                    row.get::<_, String>(3)?,
                    row.get(4)?,
                ))
            };
            for row in statement.query_map([since], texts)? {
                let (touch, system, whom, person, group) = row?;
                if let (Some(touch), Some(person)) = (Touch::of(&touch), PersonId::parse(&person)) {
                    tallies.push(Tally { touch, system: system.into(), whom, person, group });
                }
            }
        }
        let last = last_tally(&view)?;
        Ok(Counted { tallies, people, last })
    }

    fn say(&self, said: &Said, needed: u32) -> Result<Heard, StateError> {
        let Said { run, plan, who, at, word } = said;
        self.whole(|transaction| {
            let sql = "select standing, plan, document from runs where id = ?1";
            let texts = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            };
            let Some((standing, planned, document)) = transaction.query_row(sql, [run], texts).optional()? else {
                return Ok(Heard::TooLate);
            };
            let standing = Standing::of(&standing).unwrap_or(Standing::Open);
            if !standing.is_held() || planned != *plan {
                return Ok(Heard::TooLate);
            }
            let same = |one: &str, other: &str| one.trim().to_lowercase() == other.trim().to_lowercase();
            let mut approved: Vec<Said> = said_to(transaction, *run)?;
            approved.retain(|one| one.word == Word::Approved && one.plan == *plan);
            if *word == Word::Approved && approved.iter().any(|one| same(&one.who, who)) {
                return Ok(Heard::Again);
            }
            transaction.execute(
                "insert into approvals (run, plan, who, at, word) values (?1, ?2, ?3, ?4, ?5)",
                params![run, plan, who, at, word.word()],
            )?;
            approved.push(said.clone());
            let approvals = u32::try_from(approved.len()).unwrap_or(u32::MAX);
            if *word == Word::Approved && approvals < needed {
                return Ok(Heard::Waits { approvals });
            }
            let (to, told) = match word {
                Word::Approved => {
                    let told = approved.iter().map(|one| format!("approved by {} at {}", one.who, one.at));
                    (Standing::Approved, told.collect::<Vec<_>>().join(", "))
                }
                Word::Rejected => {
                    words::let_go(transaction, *run)?;
                    (Standing::Rejected, format!("rejected by {who} at {at}"))
                }
            };
            transaction.execute(
                "update runs set standing = ?2, told = ?3, finished = ?4 where id = ?1",
                params![run, to.word(), told, at],
            )?;
            journal::write(transaction, *run, &Entry::Stands { standing: to, told, news: false })?;
            // What a limit held and somebody let pass does not count against what comes after; what no limit held does.
            if to == Standing::Approved && standing == Standing::Waiting {
                count(transaction, *run, &serde_json::from_str(&document)?, at)?;
            }
            Ok(Heard::Settled)
        })
    }

    fn correct(&self, correction: &Correction<'_>, told: &str, now: &str) -> Result<i64, StateError> {
        self.whole(|transaction| ties::correct(transaction, correction, told, now))
    }

    fn said(&self, run: i64) -> Result<Vec<Said>, StateError> {
        Ok(said_to(&self.connection(), run)?)
    }

    fn keep(
        &self,
        plan: Option<&Plan>,
        about: &Occasion,
        standing: Standing,
        told: &str,
        now: &str,
    ) -> Result<i64, StateError> {
        self.whole(|transaction| insert_run(transaction, plan, about, standing, Some(told), now))
    }

    fn stand(&self, run: i64, from: &[Standing], to: Standing, told: &str, now: &str) -> Result<bool, StateError> {
        self.whole(|transaction| stands::put(transaction, run, from, to, told, now))
    }

    fn accepted(&self, system: &SystemName) -> Result<Option<Accepted>, StateError> {
        accepted_of(&self.connection(), system)
    }

    fn disbelieve(&self) -> Result<(), StateError> {
        self.whole(|store| Ok(store.execute("update accepted set list = json_remove(list, '$.believed')", [])?))
            .map(drop)
    }

    fn at_rest(&self, system: &SystemName) -> Result<Option<Accepted>, StateError> {
        let connection = self.connection();
        let Some(accepted) = accepted_of(&connection, system)? else { return Ok(None) };
        let is_idle = !is_over(&connection, &accepted)? && expectations::open(&connection)?.is_empty();
        Ok(is_idle.then_some(accepted))
    }

    fn standing(&self, run: i64) -> Result<Option<Standing>, StateError> {
        let sql = "select standing from runs where id = ?1";
        let word: Option<String> = self.connection().query_row(sql, [run], |row| row.get(0)).optional()?;
        Ok(word.and_then(|word| Standing::of(&word)))
    }

    fn unsettled(&self) -> Result<Vec<RunSummary>, StateError> {
        let chosen = "where standing in ('waiting', 'held', 'aside', 'approved') order by id";
        summaries(&self.connection(), chosen, [])
    }

    fn waits(&self) -> Result<Vec<Waits>, StateError> {
        stands::waits(&self.connection())
    }

    fn unfinished(&self) -> Result<Vec<RunSummary>, StateError> {
        let chosen = "where standing in ('open', 'approved', 'partly') order by id";
        summaries(&self.connection(), chosen, [])
    }

    fn open_creations(&self) -> Result<Vec<OpenCreation>, StateError> {
        open::creations(&self.connection(), None)
    }

    fn left_open(&self) -> Result<LeftOpen, StateError> {
        words::left_open(&self.connection())
    }

    fn later(&self, run: i64, sources: &[&SystemName], standings: &[Standing]) -> Result<Vec<i64>, StateError> {
        stands::later(&self.connection(), run, sources, standings)
    }

    fn sources(&self, run: i64) -> Result<Vec<SystemName>, StateError> {
        stands::sources(&self.connection(), run)
    }

    fn later_of(&self, run: i64, beginning: &str, standings: &[Standing]) -> Result<Vec<i64>, StateError> {
        stands::later_of(&self.connection(), run, beginning, standings)
    }

    fn about(&self, feed: &SystemName, sha256: &str) -> Result<Option<RunSummary>, StateError> {
        let chosen = "where feed = ?1 and sha256 = ?2 and standing not in ('open', 'redone', 'duplicate')
                      order by id desc limit 1";
        Ok(summaries(&self.connection(), chosen, params![feed.as_str(), sha256])?.pop())
    }

    fn used(&self, feed: &SystemName, sha256: &str) -> Result<Option<RunSummary>, StateError> {
        let chosen = "where feed = ?1 and sha256 = ?2 and standing in ('done', 'partly') order by id desc limit 1";
        Ok(summaries(&self.connection(), chosen, params![feed.as_str(), sha256])?.pop())
    }

    fn tied_by(&self, run: i64) -> Result<crate::model::links::Links, StateError> {
        ties::by(&self.connection(), run)
    }

    fn redone(&self, by: i64, now: &str) -> Result<(), StateError> {
        self.whole(|transaction| stands::redone(transaction, by, now))
    }

    fn notice(&self, notice: &Notice) -> Result<bool, StateError> {
        let Notice { system, delivery, key, received, may_differ } = notice;
        // Somebody may have looked at the user already, and before this change of hers: so it waits anew.
        let known = if *may_differ { "do update set received = excluded.received, dealt = 0" } else { "do nothing" };
        let sql = format!(
            "insert into notices (system, delivery, key, received, dealt) values (?1, ?2, ?3, ?4, 0)
             on conflict (system, delivery) {known}"
        );
        self.whole(|store| Ok(store.execute(&sql, params![system.as_str(), delivery, key, received])? > 0))
    }

    fn notices(&self, system: &SystemName) -> Result<Vec<Notice>, StateError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "select delivery, key, received from notices where system = ?1 and dealt = 0 order by received, delivery",
        )?;
        let rows = statement.query_map([system.as_str()], |row| {
            let (delivery, key, received) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Notice { system: system.clone(), delivery, key, received, may_differ: false })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn dealt(&self, system: &SystemName, notices: &[Notice], forget: &str) -> Result<(), StateError> {
        self.whole(|transaction| {
            for notice in notices {
                transaction.execute(
                    "update notices set dealt = 1 where system = ?1 and delivery = ?2 and received = ?3",
                    params![system.as_str(), notice.delivery, notice.received],
                )?;
            }
            transaction.execute(
                "delete from notices where system = ?1 and dealt = 1 and received < ?2",
                params![system.as_str(), forget],
            )?;
            Ok(())
        })
    }

    fn fares(&self, feed: &SystemName, told: &str) -> Result<(), StateError> {
        let sql = "insert or replace into feeds (feed, told) values (?1, ?2)";
        self.connection().execute(sql, params![feed.as_str(), told])?;
        Ok(())
    }

    fn unwatched(&self, feed: &SystemName) -> Result<(), StateError> {
        self.connection().execute("delete from feeds where feed = ?1", [feed.as_str()])?;
        Ok(())
    }

    fn feeds(&self) -> Result<BTreeMap<SystemName, String>, StateError> {
        let connection = self.connection();
        let mut statement = connection.prepare("select feed, told from feeds")?;
        let rows = statement.query_map([], |row| Ok((SystemName::from(row.get::<_, String>(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn note(&self, run: i64, note: Note) -> Receipt {
        let (connection, home) = (Arc::clone(&self.connection), self.home.clone());
        self.scribe.take(run, note, move |notes| {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(AT_ONCE)?;
            for (run, note) in notes {
                write_note(&transaction, run, note)?;
            }
            transaction.commit()?;
            home.as_ref().map_or(Ok(()), Home::is_there)
        })
    }

    fn append(&self, run: i64, entry: &Entry) -> Result<(), StateError> {
        self.whole(|transaction| journal::write(transaction, run, entry))
    }

    fn settle(&self, run: i64, settlement: &Settlement<'_>, now: &str) -> Result<(), StateError> {
        let Settlement { plan, links, seen, open_words, marks, standing, follow_ups } = settlement;
        self.whole(|transaction| {
            ties::write(transaction, run, links)?;
            {
                // An older run that is finished after a newer one does not take back what that one saw. A part that was set aside
                // tells what it has done of whatever is known by now.
                let was_aside = stands::was_set_aside(transaction, run)?;
                let is_newer = if was_aside {
                    "said = excluded.said"
                } else {
                    "said = excluded.said, run = excluded.run where excluded.run >= seen.run"
                };
                let mut statement = transaction.prepare(&format!(
                    "insert into seen (system, key, said, run) values (?1, ?2, ?3, ?4)
                     on conflict do update set {is_newer}"
                ))?;
                for one in *seen {
                    let values = serde_json::to_string(&one.values)?;
                    statement.execute(params![one.system.as_str(), one.key, values, run])?;
                }
                match open_words {
                    _ if was_aside => words::remembered(transaction, seen)?,
                    Some(open) => words::keep(transaction, (run, plan), seen, open)?,
                    None => {}
                }
            }
            {
                let mut statement =
                    transaction.prepare("insert or replace into deeds (mark, in_doubt, run) values (?1, 0, ?2)")?;
                for mark in *marks {
                    statement.execute(params![mark, run])?;
                }
            }
            lists::keep(transaction, run, settlement, now)?;
            expectations::keep(transaction, follow_ups, now)?;
            transaction.execute(
                "update runs set finished = ?2, standing = ?3 where id = ?1",
                params![run, now, standing.word()],
            )?;
            let knows_more = !links.is_empty() || !seen.is_empty() || !marks.is_empty() || !follow_ups.made.is_empty();
            let entry = Entry::Stands { standing: *standing, told: String::new(), news: knows_more };
            journal::write(transaction, run, &entry)?;
            // Whoever they may have made an account for may be tied to it now.
            stands::redone(transaction, run, now)?;
            Ok(())
        })
    }

    fn expectations(&self) -> Result<Vec<Expectation>, StateError> {
        expectations::open(&self.connection())
    }

    fn expected_after(&self, id: i64, most: usize) -> Result<Vec<Expectation>, StateError> {
        expectations::after(&self.connection(), id, most)
    }

    fn expecting(&self, now: &str) -> Result<Expecting, StateError> {
        expectations::expecting(&self.connection(), now)
    }

    fn expected_of(&self, run: i64) -> Result<Vec<Expectation>, StateError> {
        expectations::of_run(&self.connection(), run)
    }

    fn sighted(&self, sights: &[(i64, Sight)], now: &str) -> Result<(), StateError> {
        if sights.is_empty() {
            return Ok(());
        }
        self.whole(|transaction| expectations::seen(transaction, sights, now))
    }

    fn over(&self, run: i64, entry: &Entry, mark: &str, sent: Option<Sent>) -> Result<(), StateError> {
        self.whole(|transaction| write_over(transaction, run, entry, mark, sent))
    }

    fn verify(&self) -> Result<Verified, StateError> {
        let connection = self.connection();
        let mut verified = journal::verify(&connection)?;
        // A run says at its end what became of it; one of before there was such an entry does not begin with one either.
        let mut statement = connection.prepare(
            "select id, standing, plan, octet_length(document) = 0, first.entry, last.entry from runs
             join journal as first on first.run = id and first.number = 1
             left join journal as last on last.run = id and last.number = (
                 select max(number) from journal
                 where run = id and case when json_valid(entry) then json_extract(entry, '$.entry') = 'stands' end
             )
             order by id",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (run, standing, plan): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let read = |text: Result<String, _>| text.ok().and_then(|text| serde_json::from_str::<Entry>(&text).ok());
            let Some(Entry::Began { plan: begun }) = read(row.get(4)) else { continue };
            if begun != plan {
                verified.flaws.push(Flaw::Plan { run });
            }
            let said = match read(row.get(5)) {
                Some(Entry::Stands { standing: said, .. }) => said.word(),
                _ => Standing::Open.word(),
            };
            if standing != said {
                verified.flaws.push(Flaw::Ends { run, standing });
            }
        }
        Ok(verified)
    }

    fn prune(&self, before: &str, keep: &[i64]) -> Result<Pruned, StateError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(AT_ONCE)?;
        let runs = {
            let mut statement = transaction.prepare(
                "select id from runs where finished < ?1 and standing not in ('open', 'waiting', 'held', 'aside', 'approved')
                 and (octet_length(document) > 0 or exists (select 1 from journal where run = id))
                 and not exists (select 1 from words where run = id)",
            )?;
            let rows = statement.query_map([before], |row| row.get(0))?;
            rows.filter(|run| run.as_ref().map_or(true, |run| !keep.contains(run))).collect::<Result<Vec<i64>, _>>()?
        };
        let entries = journal::prune(&transaction, &runs)?;
        let chosen = serde_json::to_string(&runs)?;
        expectations::prune(&transaction, &chosen)?;
        heads::prune(&transaction, &chosen)?;
        transaction.execute(
            "update runs set document = '', told = coalesce(told || '; ', '') || 'its plan and journal were removed'
             where id in (select value from json_each(?1))",
            [chosen],
        )?;
        transaction.commit()?;
        // What was removed shall be gone from the file too. While somebody else reads it, it cannot be written anew.
        let _ = connection.execute_batch("vacuum; pragma wal_checkpoint(truncate);");
        Ok(Pruned { runs: runs.len() as u64, entries })
    }

    fn runs(&self) -> Result<Vec<RunSummary>, StateError> {
        summaries(&self.connection(), "order by id desc", [])
    }

    fn newest(&self, limit: u32) -> Result<Vec<RunSummary>, StateError> {
        summaries(&self.connection(), "order by id desc limit ?1", [limit])
    }

    fn newest_of(&self, feed: &SystemName) -> Result<Option<RunSummary>, StateError> {
        let chosen = "where feed = ?1 order by id desc limit 1";
        Ok(summaries(&self.connection(), chosen, [feed.as_str()])?.pop())
    }

    fn summary(&self, run: i64) -> Result<Option<RunSummary>, StateError> {
        Ok(summaries(&self.connection(), "where id = ?1", [run])?.pop())
    }

    fn plan(&self, run: i64) -> Result<Option<Plan>, StateError> {
        plan_of(&self.connection(), run)
    }

    fn entries(&self, run: i64) -> Result<Vec<Entry>, StateError> {
        // What was handed in before is seen.
        self.scribe.rest(run);
        journal::entries(&self.connection(), run)
    }

    fn run(&self, run: i64) -> Result<Option<(Plan, Vec<Entry>)>, StateError> {
        let Some(plan) = self.plan(run)? else { return Ok(None) };
        Ok(Some((plan, self.entries(run)?)))
    }
}

/// Writes the journal of format 2 anew, each entry bound to the one before it.
fn bind(transaction: &Transaction<'_>) -> Result<(), StateError> {
    let mut statement = transaction.prepare("select run, entry from journal_2 order by run, number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        journal::write_text(transaction, row.get(0)?, &row.get::<_, String>(1)?)?;
    }
    Ok(())
}

/// The plan of a run, if there is one, read where it lies.
fn plan_of(connection: &Connection, run: i64) -> Result<Option<Plan>, StateError> {
    let mut statement = connection.prepare_cached("select document from runs where id = ?1")?;
    let mut rows = statement.query([run])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let document = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
    if document.is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(document)?)) }
}

fn insert_run(
    connection: &Connection,
    plan: Option<&Plan>,
    about: &Occasion,
    standing: Standing,
    told: Option<&str>,
    now: &str,
) -> Result<i64, StateError> {
    // An input that led to no plan has no document.
    let document = plan.map(serde_json::to_string).transpose()?.unwrap_or_default();
    connection.execute(
        "insert into runs (plan, document, started, finished, standing, feed, input, sha256, told, calls)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            plan.map(|plan| plan.id.as_str()).unwrap_or_default(),
            document,
            now,
            (standing != Standing::Open).then_some(now),
            standing.word(),
            about.feed.as_ref().map(SystemName::as_str),
            about.input,
            about.sha256,
            told,
            plan.map_or(0, |plan| plan.summary.calls).cast_signed(),
        ],
    )?;
    let run = connection.last_insert_rowid();
    if let Some(plan) = plan {
        heads::keep(connection, run, plan)?;
        if standing != Standing::Aside {
            stands::is_about(connection, run, plan)?;
            words::told(connection, run, plan)?;
        }
        journal::write(connection, run, &Entry::Began { plan: plan.id.clone() })?;
    }
    if standing != Standing::Open {
        let entry = Entry::Stands { standing, told: told.unwrap_or_default().to_owned(), news: false };
        journal::write(connection, run, &entry)?;
    }
    Ok(run)
}

/// Counts whom a run touches, from now on.
fn count(transaction: &Connection, run: i64, plan: &Plan, now: &str) -> Result<(), StateError> {
    let mut statement = transaction.prepare_cached(
        "insert into tallies (run, at, touch, system, whom, person, part) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for Tally { touch, system, whom, person, group } in tallies(plan) {
        statement.execute(params![run, now, touch.to_string(), system.as_str(), whom, person.to_string(), group])?;
    }
    // No window is so long.
    transaction.execute("delete from tallies where at < strftime('%Y-%m-%dT%H:%M:%S', ?1, '-32 days')", [now])?;
    Ok(())
}

fn last_tally(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("select coalesce(max(id), 0) from tallies", [], |row| row.get(0))
}

fn said_to(connection: &Connection, run: i64) -> Result<Vec<Said>, rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("select plan, who, at, word from approvals where run = ?1 order by id")?;
    let rows = statement.query_map([run], |row| {
        let word = if row.get::<_, String>(3)? == Word::Rejected.word() { Word::Rejected } else { Word::Approved };
        Ok(Said { run, plan: row.get(0)?, who: row.get(1)?, at: row.get(2)?, word })
    })?;
    rows.collect()
}

/// The runs that are chosen by the end of a query.
fn summaries(
    connection: &Connection,
    chosen: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<RunSummary>, StateError> {
    let sql = format!(
        "select id, plan, started, finished, calls, standing, feed, input, sha256, told,
                -- Of each call the last word counts: with `max`, SQLite takes the other columns from the same row.
                (select count(*) from (
                     select max(number), case when json_valid(entry) then
                            json_extract(entry, '$.outcome') = 'done' or json_extract(entry, '$.done') end as is_done
                     from journal where journal.run = runs.id
                     and case when json_valid(entry) then json_extract(entry, '$.entry') in ('settled', 'told') end
                     group by json_extract(entry, '$.call')
                 ) where is_done)
         from runs {chosen}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        let calls = u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default();
        let standing: String = row.get(5)?;
        runs.push(RunSummary {
            id: row.get(0)?,
            plan: row.get(1)?,
            standing: Standing::of(&standing).unwrap_or(Standing::Open),
            feed: row.get::<_, Option<String>>(6)?.map(SystemName::from),
            input: row.get(7)?,
            sha256: row.get(8)?,
            started: row.get(2)?,
            finished: row.get(3)?,
            calls,
            done: u64::try_from(row.get::<_, i64>(10)?).unwrap_or_default(),
            told: row.get(9)?,
        });
    }
    Ok(runs)
}

/// The name of a system, which is mostly that of the row before: millions of rows share it.
fn shared<'l>(last: &'l mut Option<SystemName>, name: &str) -> &'l SystemName {
    let known = last.take().filter(|last| last.as_str() == name).unwrap_or_else(|| name.into());
    last.insert(known)
}

#[cfg(test)]
mod tests;
