//! In which order calls go: those that others need first, those of one account one after the other, and at each system
//! only so many begun at a time.
//!
//! It knows nothing of what becomes of a call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    model::{
        id::{AccountId, CallId, SystemName},
        plan::Plan,
    },
    run::fleet::Fleet,
};

/// So many times as many calls are begun as a system is sent side by side: while those are answered, the next are written
/// down. How many are really under way is the line's to see to.
const AHEAD: usize = 2;

/// Whose turn it is.
pub(super) struct Queue {
    /// How many calls each one still waits for.
    waits: Vec<usize>,
    /// Who waits for each one.
    then: BTreeMap<usize, Vec<usize>>,
    ready: BTreeMap<SystemName, VecDeque<usize>>,
    free: BTreeMap<SystemName, usize>,
    systems: Vec<SystemName>,
}

impl Queue {
    pub(super) fn new(plan: &Plan, fleet: &Fleet) -> Self {
        let place: BTreeMap<&CallId, usize> = plan.calls.iter().enumerate().map(|(at, call)| (&call.id, at)).collect();
        let mut edges = BTreeSet::new();
        let mut last: BTreeMap<(&SystemName, &AccountId), usize> = BTreeMap::new();
        for (at, call) in plan.calls.iter().enumerate() {
            edges.extend(call.after.iter().filter_map(|needed| Some((*place.get(needed)?, at))));
            // Two calls of one account never overlap, whether or not one needs the other.
            if let Some(id) = &call.account
                && let Some(previous) = last.insert((&call.system, id), at)
            {
                edges.insert((previous, at));
            }
        }
        let mut queue = Self {
            waits: vec![0; plan.calls.len()],
            then: BTreeMap::new(),
            ready: BTreeMap::new(),
            free: BTreeMap::new(),
            systems: plan.calls.iter().map(|call| call.system.clone()).collect(),
        };
        for (first, second) in edges {
            queue.waits[second] += 1;
            queue.then.entry(first).or_default().push(second);
        }
        for (at, call) in plan.calls.iter().enumerate() {
            let concurrency = fleet.members.get(&call.system).map_or(1, |member| member.concurrency.max(1));
            queue.free.insert(call.system.clone(), concurrency.saturating_mul(AHEAD));
            if queue.waits[at] == 0 {
                queue.ready.entry(call.system.clone()).or_default().push_back(at);
            }
        }
        queue
    }

    /// The next call that may start; takes one of its system's places.
    pub(super) fn next(&mut self) -> Option<usize> {
        for (system, waiting) in &mut self.ready {
            let Some(free) = self.free.get_mut(system).filter(|free| **free > 0) else { continue };
            if let Some(at) = waiting.pop_front() {
                *free -= 1;
                return Some(at);
            }
        }
        None
    }

    /// A call is over: gives its place back and lets those that waited for it go on.
    pub(super) fn over(&mut self, at: usize) {
        if let Some(free) = self.free.get_mut(&self.systems[at]) {
            *free += 1;
        }
        for then in self.then.remove(&at).unwrap_or_default() {
            self.waits[then] -= 1;
            if self.waits[then] == 0 {
                self.ready.entry(self.systems[then].clone()).or_default().push_back(then);
            }
        }
    }
}
