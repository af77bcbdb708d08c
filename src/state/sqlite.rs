//! The store in one `SQLite` file.
//!
//! Write-ahead log with full synchronisation: when a call of [`Store`] returns, what it wrote survives a power cut.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Entry, Memory, Outcome, RunSummary, Sent, StateError, Store};
use crate::model::{
    id::{AccountId, PersonId},
    person::Link,
    plan::{Plan, Seen},
};

/// The format this program writes. A higher number in a file means a newer program wrote it.
const FORMAT: i64 = 1;

const TABLES: &str = "
    create table if not exists links (
        system text not null, account text not null, person text not null, primary key (system, account)
    ) without rowid, strict;
    create table if not exists seen (
        system text not null, key text not null, said text not null, primary key (system, key)
    ) without rowid, strict;
    create table if not exists deeds (
        mark text not null primary key, in_doubt integer not null
    ) without rowid, strict;
    create table if not exists runs (
        id integer primary key, plan text not null, document text not null, started text not null, finished text
    ) strict;
    create table if not exists journal (
        run integer not null references runs (id), number integer not null, entry text not null, primary key (run, number)
    ) without rowid, strict;
";

/// A `SQLite` file that is open.
pub(crate) struct Sqlite {
    connection: Mutex<Connection>,
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
        Self::prepare(Connection::open(path).map_err(open)?).map_err(|error| match error {
            StateError::Use(source) => open(source),
            error => error,
        })
    }

    /// Opens a file that is there, to read and nothing else.
    pub(crate) fn look_into(path: &Path) -> Result<Self, StateError> {
        let open = |source| StateError::Open { path: path.to_owned(), source };
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(open)?;
        let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0)).map_err(open)?;
        if found > FORMAT {
            return Err(StateError::Newer { found, known: FORMAT });
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A store that is gone with the process: for planning where there is no file yet, and for a lab of one command.
    pub(crate) fn in_memory() -> Result<Self, StateError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StateError> {
        connection.busy_timeout(std::time::Duration::from_secs(10))?;
        let _: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        connection.execute_batch("pragma synchronous = full; pragma foreign_keys = on;")?;
        let found: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
        if found > FORMAT {
            return Err(StateError::Newer { found, known: FORMAT });
        }
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Every statement stands alone or in a transaction that rolls back, so a panic elsewhere leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Sqlite {
    fn memory(&self) -> Result<Memory, StateError> {
        let connection = self.connection();
        let mut links = Vec::new();
        let mut statement = connection.prepare("select system, account, person from links order by system, account")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
        for row in rows {
            let (system, account, person) = row?;
            if let Some(person) = PersonId::parse(&person) {
                links.push(Link { person, system: system.into(), account: AccountId::from(account) });
            }
        }
        let mut seen = Vec::new();
        let mut statement = connection.prepare("select system, key, said from seen order by system, key")?;
        let rows = statement
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)))?;
        for row in rows {
            let (system, key, said) = row?;
            seen.push(Seen { system: system.into(), key, person: None, values: serde_json::from_str(&said)? });
        }
        let mut deeds = BTreeMap::new();
        // A store that was only looked into may be older than this table.
        let there = "select 1 from sqlite_master where type = 'table' and name = 'deeds'";
        if connection.query_row(there, [], |_| Ok(())).optional()?.is_some() {
            let mut statement = connection.prepare("select mark, in_doubt from deeds")?;
            for row in statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))? {
                let (mark, in_doubt) = row?;
                deeds.insert(mark, if in_doubt { Sent::InDoubt } else { Sent::Done });
            }
        }
        Ok(Memory { links, seen, deeds })
    }

    fn begin(&self, plan: &Plan, now: &str) -> Result<i64, StateError> {
        let connection = self.connection();
        connection.execute(
            "insert into runs (plan, document, started) values (?1, ?2, ?3)",
            params![plan.id, serde_json::to_string(plan)?, now],
        )?;
        Ok(connection.last_insert_rowid())
    }

    fn append(&self, run: i64, entry: &Entry) -> Result<(), StateError> {
        let text = serde_json::to_string(entry)?;
        write_entry(&self.connection(), run, &text)?;
        Ok(())
    }

    fn settle(&self, run: i64, links: &[Link], seen: &[Seen], marks: &[&str], now: &str) -> Result<(), StateError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        write_links(&transaction, links)?;
        {
            let mut statement =
                transaction.prepare("insert or replace into seen (system, key, said) values (?1, ?2, ?3)")?;
            for one in seen {
                statement.execute(params![one.system.as_str(), one.key, serde_json::to_string(&one.values)?])?;
            }
        }
        {
            let mut statement = transaction.prepare("insert or replace into deeds (mark, in_doubt) values (?1, 0)")?;
            for mark in marks {
                statement.execute([mark])?;
            }
        }
        transaction.execute("update runs set finished = ?2 where id = ?1", params![run, now])?;
        transaction.commit()?;
        Ok(())
    }

    fn link(&self, links: &[Link]) -> Result<(), StateError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        write_links(&transaction, links)?;
        transaction.commit()?;
        Ok(())
    }

    fn sending(&self, mark: &str) -> Result<(), StateError> {
        self.connection().execute("insert or ignore into deeds (mark, in_doubt) values (?1, 1)", [mark])?;
        Ok(())
    }

    fn over(&self, run: i64, entry: &Entry, mark: &str, sent: Option<Sent>) -> Result<(), StateError> {
        let text = serde_json::to_string(entry)?;
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        write_entry(&transaction, run, &text)?;
        match sent {
            Some(sent) => transaction.execute(
                "insert or replace into deeds (mark, in_doubt) values (?1, ?2)",
                params![mark, sent == Sent::InDoubt],
            )?,
            None => transaction.execute("delete from deeds where mark = ?1", [mark])?,
        };
        transaction.commit()?;
        Ok(())
    }

    fn runs(&self) -> Result<Vec<RunSummary>, StateError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare("select id, plan, started, finished, document from runs order by id desc")?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?)))?;
        let mut runs = Vec::new();
        for row in rows {
            let (id, plan, started, finished, document) = row?;
            let document: Plan = serde_json::from_str(&document)?;
            let mut entries = connection.prepare_cached("select entry from journal where run = ?1 order by number")?;
            let entries = entries.query_map([id], |row| row.get::<_, String>(0))?;
            let mut done = 0;
            for entry in entries {
                let entry: Entry = serde_json::from_str(&entry?)?;
                done += u64::from(matches!(entry, Entry::Settled { outcome: Outcome::Done, .. }));
            }
            runs.push(RunSummary { id, plan, started, finished, calls: document.summary.calls, done });
        }
        Ok(runs)
    }

    fn run(&self, run: i64) -> Result<Option<(Plan, Vec<Entry>)>, StateError> {
        let connection = self.connection();
        let document: Option<String> =
            connection.query_row("select document from runs where id = ?1", [run], |row| row.get(0)).optional()?;
        let Some(document) = document else { return Ok(None) };
        let mut statement = connection.prepare("select entry from journal where run = ?1 order by number")?;
        let rows = statement.query_map([run], |row| row.get::<_, String>(0))?;
        let mut entries = Vec::new();
        for row in rows {
            entries.push(serde_json::from_str(&row?)?);
        }
        Ok(Some((serde_json::from_str(&document)?, entries)))
    }
}

fn write_entry(connection: &Connection, run: i64, text: &str) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(
        "insert into journal (run, number, entry)
         values (?1, (select coalesce(max(number), 0) + 1 from journal where run = ?1), ?2)",
    )?;
    statement.execute(params![run, text])?;
    Ok(())
}

fn write_links(transaction: &rusqlite::Transaction<'_>, links: &[Link]) -> Result<(), rusqlite::Error> {
    let mut statement =
        transaction.prepare_cached("insert or replace into links (system, account, person) values (?1, ?2, ?3)")?;
    for link in links {
        statement.execute(params![link.system.as_str(), link.account.as_str(), link.person.to_string()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_is_remembered_by_the_next_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/state.db");
        let link = Link { person: PersonId::parse("hr/1").unwrap(), system: "gitlab".into(), account: "42".into() };
        let seen = Seen {
            system: "web".into(),
            key: "7".into(),
            person: None,
            values: [("username".into(), "ann".into())].into(),
        };
        let plan = Plan::empty();
        {
            let store = Sqlite::open(&path).unwrap();
            let run = store.begin(&plan, "2026-11-20T00:00:00Z").unwrap();
            let entry = Entry::Calling { call: "c1".into(), attempt: 1, method: "PUT".into(), path: "/x".into() };
            store.append(run, &entry).unwrap();
            store
                .settle(run, std::slice::from_ref(&link), std::slice::from_ref(&seen), &[], "2026-11-20T00:00:01Z")
                .unwrap();
        }
        let store = Sqlite::open(&path).unwrap();
        let memory = store.memory().unwrap();
        assert_eq!((memory.links, memory.seen), (vec![link], vec![seen]));
        assert_eq!(store.runs().unwrap()[0].finished.as_deref(), Some("2026-11-20T00:00:01Z"));
        let (document, entries) = store.run(1).unwrap().unwrap();
        assert_eq!((document, entries.len()), (plan, 1));
    }

    #[test]
    fn nobody_but_its_owner_reads_a_store() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let _store = Sqlite::open(&path).unwrap();
        for file in ["state.db", "state.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_store_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Sqlite::open(&path), Err(StateError::Newer { found: 99, known: FORMAT })));
    }
}
