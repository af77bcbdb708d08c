//! Accounts that earlier runs may have made: what their plans and journals say of creations whose end nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::super::{
    StateError, journal,
    progress::{Progress, Unproved, unproved},
};
use super::{MAIN, plan_of, ties};
use crate::model::{
    id::{CallId, PersonId, SystemName},
    links::Links,
    plan::{OpenCreation, Operation},
};

/// The creations of unfinished runs of which nobody knows what became, but for people who are tied to an account there. All
/// ties are read for that where there are any such creations, unless they are known.
pub(super) fn creations(connection: &Connection, links: Option<&Links>) -> Result<Vec<OpenCreation>, StateError> {
    // A store that was only looked into may be older than this.
    if !connection.column_exists(MAIN, "runs", "standing")? {
        return Ok(Vec::new());
    }
    // How long a plan is tells that it is there, without reading it: it may be of a million people.
    // Of what was finished in part the journal tells a doubt. One that broke off again ends otherwise than by telling how it
    // stands, and so does one that was approved and broke off.
    let sql =
        "select id from runs where octet_length(document) > 0 and standing in ('open', 'approved', 'partly') and (
                   instr((select entry from journal where run = runs.id order by number desc limit 1), '\"stands\"') = 0
                   or standing = 'partly' and exists (
                       select 1 from journal where run = runs.id and instr(entry, 'in_doubt') > 0)) order by id";
    let mut statement = connection.prepare(sql)?;
    let runs: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut open: Vec<OpenCreation> = Vec::new();
    for run in runs {
        let entries = journal::entries(connection, run)?;
        let (progress, yes) = (Progress::of(&entries), unproved(&entries));
        let is_unproved = |call: &CallId| yes.get(call).is_some_and(|yes| *yes != Unproved::SaidUndone);
        let is_open = |call: &CallId| is_unproved(call) || progress.get(call).is_some_and(Progress::is_in_doubt);
        if !progress.keys().any(is_open) {
            continue;
        }
        let Some(plan) = plan_of(connection, run)? else { continue };
        let calls = plan.calls.into_iter().filter(|call| call.operation == Operation::Create && is_open(&call.id));
        open.extend(calls.map(|call| OpenCreation {
            run,
            call: call.id,
            person: call.person,
            system: call.system,
            names: call.expects,
        }));
    }
    if !open.is_empty() {
        let read;
        let links = if let Some(links) = links {
            links
        } else {
            read = ties::all(connection)?;
            &read
        };
        // She may be known as somebody else's record by now.
        let meant: BTreeMap<(&SystemName, &str), &PersonId> =
            links.iter().map(|link| ((link.system, link.account), link.person)).collect();
        for one in &mut open {
            if let Some(person) = meant.get(&(&one.person.system, &*one.person.key)) {
                one.person = (*person).clone();
            }
        }
        let tied: BTreeSet<(&PersonId, &SystemName)> = links.iter().map(|link| (link.person, link.system)).collect();
        open.retain(|one| !tied.contains(&(&one.person, &one.system)));
    }
    Ok(open)
}
