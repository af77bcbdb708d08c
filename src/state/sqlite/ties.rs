//! Ties between people and ids, and what somebody said of them, as lines of the tables. Who is right is not known here.

use rusqlite::{Connection, Transaction, params};

use super::{
    super::{Correction, Corrections, Entry, Occasion, Standing, StateError, expectation::Ending, journal},
    MAIN, insert_run, shared,
};
use crate::model::{
    id::PersonId,
    links::{Link, Links},
};

/// All ties.
pub(super) fn all(connection: &Connection) -> Result<Links, StateError> {
    links_of(connection, "select system, account, person from links order by system, account")
}

/// Those that a run has written, and no later one.
pub(super) fn by(connection: &Connection, run: i64) -> Result<Links, StateError> {
    let sql = format!("select system, account, person from links where run = {run} order by system, account");
    links_of(connection, &sql)
}

/// What somebody said of ties.
pub(super) fn corrections(connection: &Connection) -> Result<Corrections, StateError> {
    // A store that was only looked into may be older than this table.
    if !connection.table_exists(MAIN, "corrections")? {
        return Ok(Corrections::default());
    }
    let of = |which: &str| {
        let sql = "select system, account, person from corrections as word where";
        links_of(connection, &format!("{sql} {which} order by system, account, person"))
    };
    let settled =
        "not is_hers and exists (select 1 from corrections as other where other.is_hers and other.run >= word.run
         and (other.system = word.system and other.account = word.account
             or other.system || '/' || other.account = word.person))";
    Ok(Corrections { hers: of("is_hers")?, not_hers: of("not is_hers")?, settled: of(settled)? })
}

/// The ties that a query gives, as system, account and person.
fn links_of(connection: &Connection, sql: &str) -> Result<Links, StateError> {
    let mut links = Links::default();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let (mut of_system, mut of_source) = (None, None);
    while let Some(row) = rows.next()? {
        let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        if let Some((source, key)) = PersonId::split(text(2)?) {
            let person = PersonId { system: shared(&mut of_source, source).clone(), key: key.into() };
            links.push(Link { person: &person, system: shared(&mut of_system, text(0)?), account: text(1)? });
        }
    }
    Ok(links)
}

/// Remembers ties. What somebody said of one after this run was begun stands.
pub(super) fn write(transaction: &Transaction<'_>, run: i64, links: &Links) -> Result<(), rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "insert into links (system, account, person, run) select ?1, ?2, ?3, ?4
             where not exists (select 1 from corrections where system = ?1 and (
                 account = ?2 and person = ?3 and not is_hers
                 or run > ?4 and is_hers and (person = ?3) <> (account = ?2)))
         on conflict do update set person = excluded.person, run = excluded.run where excluded.run >= links.run",
    )?;
    for link in links {
        statement.execute(params![link.system.as_str(), link.account, link.person.to_string(), run])?;
    }
    Ok(())
}

/// A person by her name, or by that which another source has for her.
const HER: &str = "(person = ?3 or person in (select system || '/' || account from links where person = ?3))";

/// As [`Store::correct`](super::super::Store::correct).
pub(super) fn correct(
    transaction: &Transaction<'_>,
    correction: &Correction<'_>,
    told: &str,
    now: &str,
) -> Result<i64, StateError> {
    let Correction { link: Link { person, system, account }, is_hers, by } = *correction;
    let whose = person.to_string();
    let input = format!("{} {person} {system}:{account}", if is_hers { "link" } else { "unlink" });
    let about = Occasion { input, ..Occasion::default() };
    let run = insert_run(transaction, None, &about, Standing::Done, Some(told), now)?;
    let pair = params![system.as_str(), account, whose];
    if is_hers {
        let others = format!("system = ?1 and (account = ?2 or {HER})");
        transaction.execute(&format!("delete from corrections where is_hers = 1 and {others}"), pair)?;
        // Whoever had it is not found by it again.
        transaction.execute(
            "insert or replace into corrections (system, account, person, is_hers, run)
             select system, account, person, 0, ?4 from links where system = ?1 and account = ?2 and person <> ?3",
            params![system.as_str(), account, whose, run],
        )?;
        transaction.execute(&format!("delete from links where {others}"), pair)?;
        transaction.execute(
            "insert into links (system, account, person, run) values (?1, ?2, ?3, ?4)",
            params![system.as_str(), account, whose, run],
        )?;
    } else {
        transaction.execute("delete from links where system = ?1 and account = ?2 and person = ?3", pair)?;
    }
    // What was said of it before holds no more.
    transaction.execute(&format!("delete from corrections where system = ?1 and account = ?2 and {HER}"), pair)?;
    transaction.execute(
        "insert or replace into corrections (system, account, person, is_hers, run) values (?1, ?2, ?3, ?4, ?5)",
        params![system.as_str(), account, whose, is_hers, run],
    )?;
    // Nobody waits for what would come to somebody else's account.
    let not_hers = if is_hers {
        format!("(account = ?2 and not {HER} or account <> ?2 and {HER})")
    } else {
        format!("account = ?2 and {HER}")
    };
    let end = "update expectations set ended = ?4, how = ?5 where ended is null and system = ?1 and";
    let how = Ending::NotHers.word();
    transaction.execute(&format!("{end} {not_hers}"), params![system.as_str(), account, whose, now, how])?;
    let (person, system) = (person.clone(), system.clone());
    let entry = Entry::Corrected { person, system, account: account.into(), is_hers, by: by.to_owned() };
    journal::write(transaction, run, &entry)?;
    let entry = Entry::Stands { standing: Standing::Done, told: told.to_owned(), news: true };
    journal::write(transaction, run, &entry)?;
    Ok(run)
}
