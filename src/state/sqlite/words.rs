//! What sources said that is not carried out yet: it counts for who is who and for who is there, while it is remembered as it
//! was before. What any of it means is not known here.
//!
//! A word stays until a run is told of its key and leaves nothing open of it, beside whatever is said after it: where somebody came back at one
//! system and leaves again, neither of the two words tells by itself what may be done.

use std::collections::BTreeSet;

use rusqlite::{Connection, Transaction, params};

use super::{
    super::{LeftOpen, StateError},
    MAIN, shared,
};
use crate::model::{
    id::SystemName,
    plan::{Plan, Seen},
    values::Packer,
};

/// Takes note of what a plan was told that is begun or waits, of everybody whom its sources spoke of before. Whoever is new
/// is nobody's rival yet, and there may be a million of them.
pub(super) fn told(transaction: &Connection, run: i64, plan: &Plan) -> Result<(), StateError> {
    if !transaction.prepare_cached("select 1 from seen limit 1")?.exists([])? {
        return Ok(());
    }
    let mut known = transaction.prepare_cached("select 1 from seen where system = ?1 and key = ?2")?;
    let mut statement = transaction.prepare_cached(ADD)?;
    for one in plan.seen.iter() {
        if known.exists(params![one.system.as_str(), one.key])? {
            let said = serde_json::to_string(&one.values)?;
            statement.execute(params![one.system.as_str(), one.key, run, said])?;
        }
    }
    Ok(())
}

const ADD: &str = "insert into words (system, key, run, said) values (?1, ?2, ?3, ?4)
                   on conflict do update set said = excluded.said";

/// Takes note of what a run leaves open of those it spoke of: all that was said of the others until then is over. Of whoever
/// is only missing nothing was said but that: what is done at one system and not at the next one is known when she comes back.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    (run, plan): (i64, &Plan),
    seen: &[Seen],
    open: &[Seen],
) -> Result<(), StateError> {
    let is_open =
        |one: &Seen| open.binary_search_by(|open| (&open.system, &open.key).cmp(&(&one.system, &one.key))).is_ok();
    // A first list of everybody settles a million keys of which nothing was open.
    let is_any = transaction.prepare_cached("select 1 from words limit 1")?.exists([])?;
    let mut over = transaction.prepare_cached("delete from words where system = ?1 and key = ?2 and run <= ?3")?;
    let mut gone = transaction.prepare_cached(
        "update words set said = json_set(said, '$.active', json('false')) where system = ?1 and key = ?2 and run <= ?3",
    )?;
    let lists = plan.inputs.iter().filter_map(|input| Some((&input.system, input.list.as_ref()?)));
    let missing: BTreeSet<(&SystemName, &str)> =
        lists.flat_map(|(system, list)| list.missing.iter().map(move |key| (system, key.as_str()))).collect();
    for one in seen.iter().filter(|one| is_any && !is_open(one)) {
        let is_missing = missing.contains(&(&one.system, &*one.key));
        let settled = if is_missing { &mut gone } else { &mut over };
        settled.execute(params![one.system.as_str(), one.key, run])?;
    }
    let mut again =
        transaction.prepare_cached("delete from words where system = ?1 and key = ?2 and run < ?3 and said = ?4")?;
    let mut statement = transaction.prepare_cached(ADD)?;
    for one in open {
        let said = serde_json::to_string(&one.values)?;
        let of_now = params![one.system.as_str(), one.key, run, said];
        again.execute(of_now)?;
        statement.execute(of_now)?;
    }
    Ok(())
}

/// Forgets what is remembered by now: what a part that was set aside has done.
pub(super) fn remembered(transaction: &Transaction<'_>, seen: &[Seen]) -> Result<(), StateError> {
    let mut statement = transaction.prepare_cached(
        "delete from words where system = ?1 and key = ?2
         and said = (select said from seen where seen.system = words.system and seen.key = words.key)",
    )?;
    for one in seen {
        statement.execute(params![one.system.as_str(), one.key])?;
    }
    Ok(())
}

/// Forgets what a plan was told that somebody let go of.
pub(super) fn let_go(transaction: &Connection, run: i64) -> Result<(), StateError> {
    transaction.execute("delete from words where run = ?1", [run])?;
    Ok(())
}

/// As [`Store::left_open`](super::super::Store::left_open).
pub(super) fn left_open(connection: &Connection) -> Result<LeftOpen, StateError> {
    let mut statement = connection.prepare(
        "select run, system, key from words join runs on runs.id = run
         where standing in ('open', 'approved', 'partly', 'done')",
    )?;
    let mut rows = statement.query([])?;
    let mut open = LeftOpen::new();
    while let Some(row) = rows.next()? {
        let key = (SystemName::from(row.get::<_, String>(1)?), row.get(2)?);
        open.entry(row.get(0)?).or_default().insert(key);
    }
    Ok(open)
}

/// Words of runs that were begun, and of those that wait; both by source and key, those of one key in the order in which they
/// were said.
pub(super) fn all(connection: &Connection) -> Result<[Vec<Seen>; 2], StateError> {
    let [mut begun, mut waiting] = [Vec::new(), Vec::new()];
    // A store that was only looked into may be older than the table.
    if !connection.table_exists(MAIN, "words")? {
        return Ok([begun, waiting]);
    }
    let mut statement = connection.prepare(
        "select system, key, said, standing in ('waiting', 'held', 'approved') from words join runs on runs.id = run
         order by system, key, run",
    )?;
    let mut rows = statement.query([])?;
    let (mut packer, mut last) = (Packer::default(), None::<SystemName>);
    while let Some(row) = rows.next()? {
        let text = |at| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        let values = packer.pack(&serde_json::from_str(text(2)?)?);
        let words = if row.get(3)? { &mut waiting } else { &mut begun };
        words.push(Seen { system: shared(&mut last, text(0)?).clone(), key: text(1)?.into(), person: None, values });
    }
    Ok([begun, waiting])
}
