//! The last list of each source that was carried out, and what may be believed of it. What a list holds is not known here.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::{Accepted, Settled, Settlement, Standing, StateError, journal};
use crate::model::{
    id::{PersonId, SystemName},
    plan::Decision,
};

/// So many people may have to be looked at again for a list to be believed; where there are more, everybody may be looked at
/// as well.
const MOST_TOUCHED: usize = 10_000;

/// Takes note of the lists of a run that is over.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    run: i64,
    settlement: &Settlement<'_>,
    now: &str,
) -> Result<(), StateError> {
    // Of a plan that somebody gave and somebody else approved nobody knows when it was made.
    let of_run = "select started, feed is null and exists (select 1 from approvals where run = runs.id)
                  from runs where id = ?1";
    let (started, is_of_any_time): (String, bool) =
        transaction.query_row(of_run, [run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let plan = settlement.plan;
    let is_settled =
        settlement.standing == Standing::Done && plan.leaves_nothing() && settlement.follow_ups.made.is_empty();
    let dropped = plan.changes.iter().filter(|change| change.decision == Decision::Drop).map(|change| &change.person);
    let touched: BTreeSet<PersonId> = plan.calls.iter().map(|call| &call.person).chain(dropped).cloned().collect();
    let is_settled = is_settled && !is_of_any_time && touched.len() <= MOST_TOUCHED;
    let place = journal::last(transaction)?;
    // Whoever is not listed was spoken of for the last time.
    let gone = plan.inputs.iter().filter_map(|input| Some(input.list.as_ref()?.missing.len() as u64)).sum();
    for input in &plan.inputs {
        let Some(list) = &input.list else { continue };
        // Between the making of the plan and now, others may have done something that it does not know of.
        let settled = match list.believed.as_ref().filter(|_| is_settled) {
            Some(believed) if !has_moved(transaction, believed.after, run)? => Some(Settled {
                basis: believed.basis.clone(),
                list: believed.list.clone(),
                since: believed.since.clone().unwrap_or_else(|| started.clone()),
                touched: touched.clone(),
                people: plan.summary.people.saturating_sub(gone),
                place,
            }),
            _ => None,
        };
        let accepted = Accepted {
            run,
            at: now.to_owned(),
            today: plan.today.clone(),
            file: input.file.clone(),
            sha256: input.sha256.clone(),
            records: input.records,
            final_line_end: list.final_line_end,
            columns: list.columns.clone(),
            tail: list.tail.clone(),
            order: list.order.clone(),
            believed: settled,
        };
        transaction.execute(
            "insert into accepted (system, list) values (?1, ?2) on conflict do update set list = excluded.list
             where json_extract(excluded.list, '$.run') >= json_extract(accepted.list, '$.run')",
            params![input.system.as_str(), serde_json::to_string(&accepted)?],
        )?;
    }
    Ok(())
}

/// True where another run than this one sent something behind this place of the journal, or learned something that was not
/// known: what lists want may be something else since. So it may be where an entry is damaged, which is for
/// [`Store::verify`](super::super::Store::verify) to tell.
fn has_moved(connection: &Connection, place: i64, run: i64) -> Result<bool, StateError> {
    let sql = "select 1 from journal where place > ?1 and run <> ?2
               and case when json_valid(entry)
                   then json_extract(entry, '$.entry') = 'calling' or json_extract(entry, '$.news') else true end
               union all select 1 from cuts where place > ?1 + 1 limit 1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![place, run], |_| Ok(())).optional()?.is_some())
}

/// True where what was believed of this list when it was taken over may no longer be so, by what runs did since or are about
/// to do.
pub(super) fn is_over(connection: &Connection, list: &Accepted) -> Result<bool, StateError> {
    let Some(settled) = &list.believed else { return Ok(false) };
    Ok(is_busy(connection, list.run)? || has_moved(connection, settled.place, list.run)?)
}

/// The last list of a source that was carried out.
pub(super) fn accepted_of(connection: &Connection, system: &SystemName) -> Result<Option<Accepted>, StateError> {
    let sql = "select list from accepted where system = ?1";
    let list: Option<String> = connection.query_row(sql, [system.as_str()], |row| row.get(0)).optional()?;
    Ok(list.map(|list| serde_json::from_str(&list)).transpose()?)
}

/// True where a run waits for somebody, or one that was begun later than this one is under way or broke off.
fn is_busy(connection: &Connection, run: i64) -> Result<bool, rusqlite::Error> {
    let sql = "select 1 from runs where standing in ('waiting', 'held', 'aside', 'approved')
               or standing = 'open' and id > ?1";
    Ok(connection.query_row(sql, [run], |_| Ok(())).optional()?.is_some())
}
