//! The last list of each source that was carried out, and what may be believed of it. What a list holds is not known here.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::super::{Accepted, Settled, Settlement, Standing, StateError};
use crate::model::{
    id::{PersonId, SystemName},
    plan::{Believed, Decision, Plan},
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
    let of_run = "select document, started from runs where id = ?1";
    let (document, started): (String, String) =
        transaction.query_row(of_run, [run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let plan: Plan = serde_json::from_str(&document)?;
    let is_settled =
        settlement.standing == Standing::Done && plan.leaves_nothing() && settlement.follow_ups.made.is_empty();
    let dropped = plan.changes.iter().filter(|change| change.decision == Decision::Drop).map(|change| &change.person);
    let touched: BTreeSet<PersonId> = plan.calls.iter().map(|call| &call.person).chain(dropped).cloned().collect();
    let is_settled = is_settled && touched.len() <= MOST_TOUCHED;
    let sends = !plan.calls.is_empty();
    let own: Vec<SystemName> =
        plan.inputs.iter().filter(|input| input.list.is_some()).map(|input| input.system.clone()).collect();
    for input in plan.inputs {
        let Some(list) = input.list else { continue };
        let before = accepted_of(transaction, &input.system)?;
        // Between the making of the plan and now, something else may have come of it.
        let is_after = |believed: &Believed| believed.after == before.as_ref().map_or(0, Accepted::newest);
        let settled = list.believed.filter(|believed| is_settled && is_after(believed)).map(|believed| Settled {
            basis: believed.basis,
            list: believed.list,
            since: believed.since.unwrap_or_else(|| started.clone()),
            touched: touched.clone(),
        });
        let accepted = Accepted {
            run,
            at: now.to_owned(),
            today: plan.today.clone(),
            file: input.file,
            sha256: input.sha256,
            records: input.records,
            final_line_end: list.final_line_end,
            columns: list.columns,
            tail: list.tail,
            order: list.order,
            believed: settled,
            ended: before.map_or(0, |before| before.ended),
        };
        transaction.execute(
            "insert into accepted (system, list) values (?1, ?2) on conflict do update set list = excluded.list
             where json_extract(excluded.list, '$.run') >= json_extract(accepted.list, '$.run')",
            params![input.system.as_str(), serde_json::to_string(&accepted)?],
        )?;
    }
    if sends {
        // What it changed, others' lists may want otherwise.
        let own = serde_json::to_string(&own)?;
        transaction.execute(
            "update accepted set list = json_set(json_remove(list, '$.believed'), '$.ended', ?1)
             where system not in (select value from json_each(?2)) or json_extract(list, '$.run') > ?1",
            params![run, own],
        )?;
    }
    Ok(())
}

/// The last list of a source that was carried out.
pub(super) fn accepted_of(connection: &Connection, system: &SystemName) -> Result<Option<Accepted>, StateError> {
    let sql = "select list from accepted where system = ?1";
    let list: Option<String> = connection.query_row(sql, [system.as_str()], |row| row.get(0)).optional()?;
    Ok(list.map(|list| serde_json::from_str(&list)).transpose()?)
}

/// True where a run waits for somebody, or one that was begun later than this one is under way or broke off.
pub(super) fn is_busy(connection: &Connection, run: i64) -> Result<bool, rusqlite::Error> {
    let sql = "select 1 from runs where standing in ('waiting', 'held', 'aside', 'approved')
               or standing = 'open' and id > ?1";
    Ok(connection.query_row(sql, [run], |_| Ok(())).optional()?.is_some())
}
