//! How long carrying out a plan will take, and which system it waits for.
//!
//! An estimate and no promise: from the calls of each system, what it allows, and how fast it answered just now. It is no
//! part of a plan, which is the same however fast anybody is.

use std::{collections::BTreeMap, time::Duration};

use super::fleet::Fleet;
use crate::{
    model::{id::SystemName, plan::Plan},
    wire::Bound,
};

/// How long, and because of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) time: Duration,
    /// The system that takes longest.
    pub(crate) system: SystemName,
    pub(crate) bound: Bound,
}

/// The time of the slowest system: they work side by side. `None` where nothing is known of any.
pub(crate) fn estimate(plan: &Plan, fleet: &Fleet) -> Option<Estimate> {
    let mut calls: BTreeMap<&SystemName, Vec<(&str, &str)>> = BTreeMap::new();
    for call in &plan.calls {
        calls.entry(&call.system).or_default().push((&call.method, &call.path));
    }
    let estimates = calls.into_iter().filter_map(|(system, calls)| {
        let (time, bound) = fleet.members.get(system)?.line.forecast(calls.into_iter())?;
        Some(Estimate { time, system: system.clone(), bound })
    });
    estimates.max_by_key(|estimate| estimate.time)
}
