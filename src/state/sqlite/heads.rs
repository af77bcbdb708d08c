//! The heads of plans: what is asked of every plan, and often, kept beside it. The rest may be of a million people, and is read by
//! whoever needs it. What a head means is not known here.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{super::StateError, MAIN};
use crate::model::{
    id::SystemName,
    plan::{Home, Plan, SignIn},
};

/// A plan without what it would do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) inputs: Vec<About>,
    pub(super) systems: BTreeMap<SystemName, Home>,
    #[serde(default)]
    pub(super) sign_in: Vec<SignIn>,
}

/// An input of a plan.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    /// The source.
    pub(super) system: SystemName,
}

/// Keeps the head of a run's plan.
pub(super) fn keep(connection: &Connection, run: i64, plan: &Plan) -> Result<(), StateError> {
    let head = Head {
        inputs: plan.inputs.iter().map(|input| About { system: input.system.clone() }).collect(),
        systems: plan.systems.clone(),
        sign_in: plan.sign_in.clone(),
    };
    let mut statement = connection.prepare_cached("insert into heads (run, head) values (?1, ?2)")?;
    statement.execute(params![run, serde_json::to_string(&head)?])?;
    Ok(())
}

/// The head of the plan of a run that has one.
pub(super) fn of(connection: &Connection, run: i64) -> Result<Head, StateError> {
    // A store that was only looked into may be older than the table, and so may a run.
    if connection.table_exists(MAIN, "heads")? {
        let mut statement = connection.prepare_cached("select head from heads where run = ?1")?;
        let head: Option<String> = statement.query_row([run], |row| row.get(0)).optional()?;
        if let Some(head) = head {
            return Ok(serde_json::from_str(&head)?);
        }
    }
    let mut statement = connection.prepare_cached("select document from runs where id = ?1")?;
    let document = |row: &rusqlite::Row<'_>| Ok(serde_json::from_str(row.get_ref(0)?.as_str()?));
    Ok(statement.query_row([run], document)??)
}

/// Forgets those of these runs.
pub(super) fn prune(connection: &Connection, runs: &str) -> Result<(), StateError> {
    connection.execute("delete from heads where run in (select value from json_each(?1))", [runs])?;
    Ok(())
}
