//! How a run stands, and how that changes: each change is written to its journal with it.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::Deserialize;

use super::super::{Entry, Standing, StateError, Waits, journal};
use super::{MAIN, open, words};
use crate::model::{
    attribute::AttributeName,
    id::{PersonId, SystemName},
    plan::{Decision, Plan},
};

/// As much of a plan as is asked for here.
#[derive(Deserialize)]
struct Changes {
    inputs: Vec<From>,
    changes: Vec<Of>,
}

/// Whose one input is.
#[derive(Deserialize)]
struct From {
    system: SystemName,
}

/// What one change is about.
#[derive(Deserialize)]
struct Of {
    person: PersonId,
    system: SystemName,
    attribute: AttributeName,
    decision: Decision,
}

/// True of a run that was set aside of another one.
const WAS_SET_ASIDE: &str = "exists (select 1 from journal where journal.run = runs.id
                             and instr(entry, '\"standing\":\"aside\"') > 0)";

/// The same of one run.
pub(super) fn was_set_aside(connection: &Connection, run: i64) -> Result<bool, rusqlite::Error> {
    let sql = format!("select 1 from runs where id = ?1 and {WAS_SET_ASIDE}");
    connection.prepare_cached(&sql)?.exists([run])
}

/// Of whom runs that were set aside would change something, and what at which system: also those that were approved and are
/// not done.
pub(super) fn waiting(connection: &Connection) -> Result<Waiting, StateError> {
    let mut waiting = Waiting::new();
    // A store that was only looked into may be older than this.
    if !connection.column_exists(MAIN, "runs", "standing")? {
        return Ok(waiting);
    }
    let sql = format!(
        "select document, standing = 'aside' from runs where octet_length(document) > 0 and
         (standing = 'aside' or standing in ('approved', 'open', 'partly') and {WAS_SET_ASIDE})"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let plan: Changes = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        let source = match plan.inputs.as_slice() {
            [one] if row.get(1)? => Some(&one.system),
            _ => None,
        };
        for change in plan.changes.into_iter().filter(|change| change.decision == Decision::Apply) {
            let place = waiting.entry(change.person).or_default().entry((change.system, change.attribute));
            // Of two that differ, neither gives way.
            let known = place.or_insert_with(|| source.cloned());
            if known.as_ref() != source {
                *known = None;
            }
        }
    }
    Ok(waiting)
}

/// As [`super::super::Memory::waiting`].
type Waiting = BTreeMap<PersonId, BTreeMap<(SystemName, AttributeName), Option<SystemName>>>;

/// What runs of before there was such a table are known to be about.
pub(super) const FROM_PLANS: &str = "
    insert or ignore into inputs (run, system)
        select runs.id, json_extract(input.value, '$.system') from runs, json_each(runs.document, '$.inputs') as input
        where json_valid(document) and runs.input not like '% (held)';
";

/// Takes note of which sources a run is about: that is known for longer than its plan. What was set aside is about those of
/// the run it was taken from, which says nothing later than that.
pub(super) fn is_about(connection: &Connection, run: i64, plan: &Plan) -> Result<(), StateError> {
    let mut statement = connection.prepare_cached("insert or ignore into inputs (run, system) values (?1, ?2)")?;
    for input in &plan.inputs {
        statement.execute(params![run, input.system.as_str()])?;
    }
    Ok(())
}

/// As [`super::super::Store::waits`].
pub(super) fn waits(connection: &Connection) -> Result<Vec<Waits>, StateError> {
    let sql = "select id, standing, feed, input from runs
               where standing in ('waiting', 'held', 'aside', 'approved') order by id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let standing = Standing::of(&row.get::<_, String>(1)?).unwrap_or(Standing::Open);
        Ok(Waits {
            id: row.get(0)?,
            standing,
            feed: row.get::<_, Option<String>>(2)?.map(SystemName::from),
            input: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// As [`super::super::Store::later`].
pub(super) fn later(
    connection: &Connection,
    run: i64,
    sources: &[&SystemName],
    standings: &[Standing],
) -> Result<Vec<i64>, StateError> {
    let sources: Vec<&str> = sources.iter().map(|source| source.as_str()).collect();
    let standings: Vec<&str> = standings.iter().map(|standing| standing.word()).collect();
    // A store that was only looked into may be older than the table.
    let sql = if connection.table_exists(MAIN, "inputs")? {
        "select distinct run from inputs join runs on runs.id = run
         where run > ?1 and system in (select value from json_each(?2))
         and standing in (select value from json_each(?3)) order by run"
    } else {
        "select distinct runs.id from runs, json_each(runs.document, '$.inputs') as input
         where runs.id > ?1 and octet_length(document) > 0 and json_extract(input.value, '$.system') in (select value from json_each(?2))
         and standing in (select value from json_each(?3)) order by runs.id"
    };
    let (sources, standings) = (serde_json::to_string(&sources)?, serde_json::to_string(&standings)?);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![run, sources, standings], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// As [`super::super::Store::sources`].
pub(super) fn sources(connection: &Connection, run: i64) -> Result<Vec<SystemName>, StateError> {
    let read = |sql: &str| -> Result<Vec<SystemName>, StateError> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([run], |row| Ok(SystemName::from(row.get::<_, String>(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    // A store that was only looked into may be older than the table, and what was set aside is not in it.
    if connection.table_exists(MAIN, "inputs")? {
        let noted = read("select system from inputs where run = ?1")?;
        if !noted.is_empty() {
            return Ok(noted);
        }
    }
    read(
        "select distinct json_extract(input.value, '$.system') from runs,
         json_each(iif(json_valid(document), document, '{}'), '$.inputs') as input where runs.id = ?1",
    )
}

/// As [`super::super::Store::later_of`].
pub(super) fn later_of(
    connection: &Connection,
    run: i64,
    beginning: &str,
    standings: &[Standing],
) -> Result<Vec<i64>, StateError> {
    // A store that was only looked into may be older than the table.
    if !connection.table_exists(MAIN, "inputs")? {
        return Ok(Vec::new());
    }
    let standings: Vec<&str> = standings.iter().map(|standing| standing.word()).collect();
    let mut statement = connection.prepare_cached(
        "select distinct run from inputs join runs on runs.id = run
         where run > ?1 and substr(system, 1, length(?2)) = ?2
         and standing in (select value from json_each(?3)) order by run",
    )?;
    let rows = statement.query_map(params![run, beginning, serde_json::to_string(&standings)?], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lets a run stand otherwise, where it stands as one of these. False where it does not.
pub(super) fn put(
    transaction: &Connection,
    run: i64,
    from: &[Standing],
    to: Standing,
    told: &str,
    now: &str,
) -> Result<bool, StateError> {
    for from in from {
        let changed = transaction.execute(
            "update runs set standing = ?3, told = ?4, finished = ?5 where id = ?1 and standing = ?2",
            params![run, from.word(), to.word(), told, (to != Standing::Open).then_some(now)],
        )?;
        if changed > 0 {
            // Of what was begun, something may be done.
            if *from != Standing::Open && matches!(to, Standing::Superseded | Standing::Expired) {
                words::let_go(transaction, run)?;
            }
            journal::write(transaction, run, &Entry::Stands { standing: to, told: told.to_owned(), news: false })?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Earlier runs of the same input of the same source that broke off are done again by this one, but for those that may
/// have made an account of which nobody knows.
pub(super) fn redone(transaction: &Connection, by: i64, now: &str) -> Result<(), StateError> {
    let mut statement = transaction.prepare(
        "select earlier.id from runs as earlier join runs as this on this.id = ?1
         where earlier.feed = this.feed and earlier.sha256 is this.sha256 and earlier.standing = 'open'
         and earlier.id < this.id",
    )?;
    let earlier = statement.query_map([by], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    if earlier.is_empty() {
        return Ok(());
    }
    let open = open::creations(transaction, None)?;
    for run in earlier.into_iter().filter(|run| !open.iter().any(|one| one.run == *run)) {
        put(transaction, run, &[Standing::Open], Standing::Redone, &format!("done again by run {by}"), now)?;
    }
    Ok(())
}
