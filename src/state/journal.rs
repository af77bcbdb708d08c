//! The journal in the store: entries in the order they were written, each bound to the one before it.
//!
//! An entry's hash is SHA-256 over the hash before it, its run, its number in the run and its text. So an entry that is not
//! what was written is found and named, and one that is gone leaves a gap. What is removed on purpose ([`prune`]) leaves
//! its last hash behind, for the next entry to build on. It is no protection from somebody who may write to the file and
//! computes all hashes anew.

use base16ct::lower::encode_string as hex;
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::{Entry, StateError};

/// What the journal is made of.
pub(super) const TABLES: &str = "
    create table if not exists journal (
        place integer primary key, run integer not null references runs (id), number integer not null,
        entry text not null, hash text not null, unique (run, number)
    ) strict;
    create table if not exists cuts (
        place integer primary key, before text not null
    ) strict;
";

/// What is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("entry {number} of run {run} is not what was written")]
    Changed { run: i64, number: i64 },
    #[error("entries are missing before entry {number} of run {run}")]
    Missing { run: i64, number: i64 },
    #[error("the last entries of run {run} are missing: it is {standing}, and nothing in its journal says so")]
    Ends { run: i64, standing: String },
    #[error("the plan of run {run} is not the one it was begun with")]
    Plan { run: i64 },
}

/// What a look at the whole journal finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// Entries that were looked at.
    pub(crate) entries: u64,
    /// The hash of the last one: who keeps it elsewhere can tell that nothing before it was changed since.
    pub(crate) last: String,
    pub(crate) flaws: Vec<Flaw>,
}

/// Writes an entry behind the last one.
pub(super) fn write(connection: &Connection, run: i64, entry: &Entry) -> Result<(), StateError> {
    write_text(connection, run, &serde_json::to_string(entry)?)
}

pub(super) fn write_text(connection: &Connection, run: i64, text: &str) -> Result<(), StateError> {
    let (place, before) = end(connection)?;
    let mut statement = connection.prepare_cached("select coalesce(max(number), 0) + 1 from journal where run = ?1")?;
    let number: i64 = statement.query_row([run], |row| row.get(0))?;
    let mut statement = connection
        .prepare_cached("insert into journal (place, run, number, entry, hash) values (?1, ?2, ?3, ?4, ?5)")?;
    statement.execute(params![place, run, number, text, hash(&before, run, number, text)])?;
    Ok(())
}

/// The place of the last entry; 0 where there is none.
pub(super) fn last(connection: &Connection) -> Result<i64, StateError> {
    Ok(end(connection)?.0.saturating_sub(1))
}

/// The place of the next entry, and the hash it builds on.
fn end(connection: &Connection) -> Result<(i64, String), rusqlite::Error> {
    let mut statement = connection.prepare_cached("select place, hash from journal order by place desc limit 1")?;
    let last: Option<(i64, String)> = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let mut statement = connection.prepare_cached("select place, before from cuts order by place desc limit 1")?;
    let cut: Option<(i64, String)> = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(match (last, cut) {
        (Some((place, _)), Some((cut, before))) if cut > place => (cut, before),
        (None, Some(cut)) => cut,
        (Some((place, hash)), _) => (place.saturating_add(1), hash),
        (None, None) => (1, String::new()),
    })
}

fn hash(before: &str, run: i64, number: i64, text: &str) -> String {
    hex(&Sha256::digest(format!("{before}\n{run}\n{number}\n{text}")))
}

/// The entries of a run, in the order they were written.
pub(super) fn entries(connection: &Connection, run: i64) -> Result<Vec<Entry>, StateError> {
    let mut statement = connection.prepare_cached("select entry from journal where run = ?1 order by number")?;
    let rows = statement.query_map([run], |row| row.get::<_, String>(0))?;
    let mut entries = Vec::new();
    for row in rows {
        entries.push(serde_json::from_str(&row?)?);
    }
    Ok(entries)
}

/// Looks at every entry, whether it is what was written.
pub(super) fn verify(connection: &Connection) -> Result<Verified, StateError> {
    let mut verified = Verified::default();
    let mut statement = connection.prepare("select place, before from cuts order by place")?;
    let cuts = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let cuts = cuts.collect::<Result<std::collections::BTreeMap<_, _>, _>>()?;
    // As bytes: what is damaged may be no text any more.
    let mut statement = connection.prepare(
        "select place, cast(run as integer), cast(number as integer), cast(entry as blob), cast(hash as blob)
         from journal order by place",
    )?;
    let mut rows = statement.query([])?;
    let mut expected = 1;
    while let Some(row) = rows.next()? {
        let (place, run, number): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (entry, stored): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        let before = match cuts.get(&place) {
            Some(before) => before.clone(),
            None if place == expected => verified.last.clone(),
            None => {
                verified.flaws.push(Flaw::Missing { run, number });
                // What it should build on is gone: from here on the chain is looked at again.
                (expected, verified.last) = (place.saturating_add(1), String::from_utf8_lossy(&stored).into_owned());
                verified.entries += 1;
                continue;
            }
        };
        let entry = String::from_utf8_lossy(&entry);
        let stored = String::from_utf8_lossy(&stored).into_owned();
        if hash(&before, run, number, &entry) != stored || serde_json::from_str::<Entry>(&entry).is_err() {
            verified.flaws.push(Flaw::Changed { run, number });
        }
        (expected, verified.last) = (place.saturating_add(1), stored);
        verified.entries += 1;
    }
    Ok(verified)
}

/// Removes all entries of these runs and leaves what the next entries build on. Gives how many were removed.
pub(super) fn prune(connection: &Connection, runs: &[i64]) -> Result<u64, StateError> {
    let chosen = serde_json::to_string(runs)?;
    let gone = "run in (select value from json_each(?1))";
    // The entry behind each row of removed ones builds on the last of them, which is remembered; so it is behind the last
    // entry of all.
    connection.execute(
        &format!(
            "insert or replace into cuts (place, before)
             select place + 1, hash from journal as last where {gone}
             and not exists (select 1 from journal as next where next.place = last.place + 1 and next.{gone})"
        ),
        [&chosen],
    )?;
    let removed = connection.execute(&format!("delete from journal where {gone}"), [&chosen])?;
    // A cut with nothing behind it is no cut, but for the end.
    connection.execute(
        "delete from cuts where place not in (select place from journal)
         and place < (select max(place) from (select place from journal union all select place from cuts))",
        [],
    )?;
    Ok(removed as u64)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        model::{links::Links, plan::Plan},
        state::{Occasion, Outcome, Settlement, Standing, Store, expectation::FollowUps, sqlite::Sqlite},
    };

    const NOW: &str = "2026-11-20T00:00:00Z";

    fn told(number: usize) -> Entry {
        Entry::Calling {
            call: format!("c{number}").as_str().into(),
            attempt: 1,
            method: "PUT".into(),
            path: "/x".into(),
        }
    }

    /// Three runs, their entries mixed, the second still open.
    fn filled(path: &Path) -> Sqlite {
        let store = Sqlite::open(path).unwrap();
        let runs = [0; 3].map(|_| store.begin(&Plan::empty(), &Occasion::default(), NOW).unwrap());
        for number in 1..=4 {
            for run in runs {
                store.append(run, &told(number)).unwrap();
                let entry = Entry::Settled { call: format!("c{number}").as_str().into(), outcome: Outcome::Done };
                store.append(run, &entry).unwrap();
            }
        }
        for run in [runs[0], runs[2]] {
            let settlement = Settlement {
                plan: &Plan::empty(),
                links: &Links::default(),
                seen: &[],
                open_words: Some(&[]),
                marks: &[],
                standing: Standing::Done,
                follow_ups: &FollowUps::default(),
            };
            store.settle(run, &settlement, NOW).unwrap();
        }
        store
    }

    fn flaws(path: &Path) -> Vec<Flaw> {
        Sqlite::open(path).unwrap().verify().unwrap().flaws
    }

    #[test]
    fn a_bit_that_flipped_in_any_entry_is_found_and_the_entry_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let entries: Vec<(i64, i64, String)> = {
            let store = filled(&path);
            assert_eq!(store.verify().unwrap().flaws, []);
            let each = |run| store.entries(run).unwrap().into_iter().zip(1..);
            let text = |entry| serde_json::to_string(&entry).unwrap();
            [1, 2, 3].into_iter().flat_map(|run| each(run).map(move |(it, at)| (run, at, text(it)))).collect()
        };
        let whole = fs::read(&path).unwrap();
        let mut tried = 0;
        for (at, window) in whole.windows(9).enumerate() {
            if window != b"{\"entry\":" {
                continue;
            }
            let found = entries.iter().filter(|(_, _, text)| whole[at..].starts_with(text.as_bytes()));
            // Runs say the same; the hash that stands behind the text tells them apart, so any of them may be meant.
            let meant: Vec<Flaw> = found.map(|(run, number, _)| Flaw::Changed { run: *run, number: *number }).collect();
            let length = entries.iter().filter(|(_, _, text)| whole[at..].starts_with(text.as_bytes()));
            let length = length.map(|(_, _, text)| text.len()).max().unwrap();
            // The text and the 64 letters of its hash.
            for place in (at..at + length + 64).step_by(3) {
                let mut bytes = whole.clone();
                bytes[place] ^= 1 << (place % 8);
                fs::write(&path, &bytes).unwrap();
                let flaws = flaws(&path);
                assert!(meant.iter().any(|flaw| flaws.contains(flaw)), "byte {place}: {flaws:?}, not {meant:?}");
                tried += 1;
            }
        }
        assert!(tried > 500, "{tried}");
    }

    #[test]
    fn an_entry_that_is_gone_or_moved_is_missed() {
        for (damage, flaw) in [
            ("delete from journal where run = 2 and number = 3", Flaw::Missing { run: 3, number: 2 }),
            ("delete from journal where run = 3 and number = 10", Flaw::Ends { run: 3, standing: "done".to_owned() }),
            ("update journal set number = 99 where run = 1 and number = 2", Flaw::Changed { run: 1, number: 99 }),
            ("update runs set plan = 'other' where id = 3", Flaw::Plan { run: 3 }),
            (
                "update runs set standing = 'rejected' where id = 1",
                Flaw::Ends { run: 1, standing: "rejected".to_owned() },
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("state.db");
            drop(filled(&path));
            Connection::open(&path).unwrap().execute_batch(damage).unwrap();
            assert_eq!(flaws(&path), [flaw], "{damage}");
        }
    }

    #[test]
    fn what_is_pruned_leaves_a_chain_that_holds_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = filled(&path);
        let whole = store.verify().unwrap();
        assert_eq!((whole.entries, whole.flaws.len()), (29, 0));
        let pruned = store.prune("2026-11-21", &[]).unwrap();
        assert_eq!((pruned.runs, pruned.entries), (2, 20), "what is still open stays");
        assert_eq!(store.verify().unwrap().flaws, []);
        store.append(2, &told(5)).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!((verified.entries, verified.flaws.len()), (10, 0));
        assert_eq!(store.prune("2026-11-21", &[]).unwrap(), super::super::Pruned::default());
        assert_eq!(store.runs().unwrap().len(), 3, "that they were is still known");
        assert!(store.run(1).unwrap().is_none());
        // With all of it gone, what comes next still builds on what was there.
        let settlement = Settlement {
            plan: &Plan::empty(),
            links: &Links::default(),
            seen: &[],
            open_words: Some(&[]),
            marks: &[],
            standing: Standing::Done,
            follow_ups: &FollowUps::default(),
        };
        store.settle(2, &settlement, NOW).unwrap();
        let last = store.verify().unwrap().last;
        store.prune("2026-11-21", &[]).unwrap();
        let run = store.begin(&Plan::empty(), &Occasion::default(), NOW).unwrap();
        store.append(run, &told(1)).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!((verified.entries, verified.flaws.len()), (2, 0));
        let connection = Connection::open(&path).unwrap();
        let before: String = connection.query_row("select before from cuts", [], |row| row.get(0)).unwrap();
        assert_eq!(before, last);
    }

    #[test]
    fn a_journal_of_format_2_is_taken_over_and_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        drop(filled(&path));
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "create table old (run integer, number integer, entry text, primary key (run, number)) without rowid;
                 insert into old select run, number, entry from journal;
                 drop table journal; drop table cuts; alter table old rename to journal;
                 alter table links drop column run; alter table seen drop column run; alter table deeds drop column run; pragma user_version = 2;",
            )
            .unwrap();
        drop(connection);
        let store = Sqlite::open(&path).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!((verified.entries, verified.flaws), (29, vec![]));
        assert_eq!(store.entries(1).unwrap().len(), 10);
    }

    #[test]
    fn an_older_run_that_is_finished_late_takes_back_nothing_of_what_a_newer_one_saw() {
        let store = Sqlite::in_memory().unwrap();
        let runs = [0; 2].map(|_| store.begin(&Plan::empty(), &Occasion::default(), NOW).unwrap());
        let seen = |name: &str| crate::model::plan::Seen {
            system: "web".into(),
            key: "7".into(),
            person: None,
            values: [("username".into(), name.into())].into(),
        };
        for (run, name) in [(runs[1], "new"), (runs[0], "old")] {
            let settlement = Settlement {
                plan: &Plan::empty(),
                links: &Links::default(),
                seen: &[seen(name)],
                open_words: Some(&[]),
                marks: &[],
                standing: Standing::Done,
                follow_ups: &FollowUps::default(),
            };
            store.settle(run, &settlement, NOW).unwrap();
        }
        assert_eq!(store.memory().unwrap().seen, [seen("new")]);
    }
}
