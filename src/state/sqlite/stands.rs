//! How a run stands, and how that changes: each change is written to its journal with it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Entry, Standing, StateError, journal};
use super::{open, ties};
use crate::model::{
    attribute::AttributeName,
    id::PersonId,
    plan::{Decision, Plan},
};

/// Of whom runs that were set aside would change something, and which attributes.
pub(super) fn waiting(connection: &Connection) -> Result<BTreeMap<PersonId, BTreeSet<AttributeName>>, StateError> {
    let mut waiting: BTreeMap<PersonId, BTreeSet<AttributeName>> = BTreeMap::new();
    // A store that was only looked into may be older than this.
    let is_there = "select 1 from pragma_table_info('runs') where name = 'standing'";
    if connection.query_row(is_there, [], |_| Ok(())).optional()?.is_none() {
        return Ok(waiting);
    }
    let mut statement = connection.prepare("select document from runs where standing = 'aside' and document <> ''")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let plan: Plan = serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        for change in plan.changes.into_iter().filter(|change| change.decision == Decision::Apply) {
            waiting.entry(change.person).or_default().insert(change.attribute);
        }
    }
    Ok(waiting)
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
    let open = open::creations(transaction, &ties::all(transaction)?)?;
    for run in earlier.into_iter().filter(|run| !open.iter().any(|one| one.run == *run)) {
        put(transaction, run, &[Standing::Open], Standing::Redone, &format!("done again by run {by}"), now)?;
    }
    Ok(())
}
