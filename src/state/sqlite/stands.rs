//! How a run stands, and how that changes: each change is written to its journal with it.

use rusqlite::{Connection, params};

use super::super::{Entry, Standing, StateError, journal};
use super::{open, ties};

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
