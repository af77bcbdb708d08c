//! Taking a plan apart, so that a limit that trips at one system does not hold what concerns others.
//!
//! What is set aside is what would be done at the systems where a limit trips, and whatever has to come after it. The rest
//! is a plan of its own, in which that is shown as held: then what sources said of it stays open and is said again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Tripped;
use crate::model::{
    attribute::{AttributeName, Value},
    id::{CallId, PersonId, SystemName},
    plan::{Call, Decision, Input, Plan, PlannedChange, PlannedOperation, Seen, Summary},
};

/// A plan in two, neither of which has an id yet.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    /// What no limit is in the way of.
    pub(crate) rest: Plan,
    /// What waits for somebody. When it is carried out it remembers what it has done, and nothing else.
    pub(crate) aside: Plan,
}

/// Takes a plan apart; `None` where what trips is about the whole of it, or no system is left that is not concerned.
pub(crate) fn part(plan: &Plan, tripped: &[Tripped]) -> Option<Parts> {
    let mut told: BTreeMap<&SystemName, Vec<String>> = BTreeMap::new();
    for one in tripped {
        told.entry(one.system()?).or_default().push(one.to_string());
    }
    let told: BTreeMap<&SystemName, String> =
        told.into_iter().map(|(system, told)| (system, told.join("; "))).collect();
    if plan.systems.keys().all(|system| told.contains_key(system)) {
        return None;
    }
    let kept_back = kept_back(plan, &told);
    Some(Parts { rest: rest(plan, &told, &kept_back), aside: aside(plan, &kept_back) })
}

/// The calls at these systems, and all that have to come after one of them.
fn kept_back<'a>(plan: &'a Plan, told: &BTreeMap<&SystemName, String>) -> BTreeSet<&'a CallId> {
    let mut kept_back: BTreeSet<&CallId> = BTreeSet::new();
    // In plan order: what a call waits for stands before it.
    for call in &plan.calls {
        if told.contains_key(&call.system) || call.after.iter().any(|needed| kept_back.contains(needed)) {
            kept_back.insert(&call.id);
        }
    }
    kept_back
}

fn rest(plan: &Plan, told: &BTreeMap<&SystemName, String>, kept_back: &BTreeSet<&CallId>) -> Plan {
    let is_back = |call: &Option<CallId>| call.as_ref().is_some_and(|call| kept_back.contains(call));
    let reason = |system: &SystemName| match told.get(system) {
        Some(told) => format!("a limit holds what concerns {system}: {told}"),
        None => "it comes after something that a limit holds".to_owned(),
    };
    let mut rest = Plan { id: String::new(), ..plan.clone() };
    let open = Open::of(plan, kept_back);
    for change in rest.changes.iter_mut().filter(|change| is_back(&change.call)) {
        change.stop(Decision::Hold, None, reason(&change.system));
    }
    for change in rest.changes.iter_mut().filter(|change| open.leads_to(change)) {
        change.stop(Decision::Hold, None, "what it would follow is held by a limit".to_owned());
    }
    for asked in rest.operations.iter_mut().filter(|asked| is_back(&asked.call)) {
        asked.decision = Decision::Hold;
        asked.call = None;
        asked.side_effect = None;
        asked.reason = reason(&asked.system);
    }
    rest.calls.retain(|call| !kept_back.contains(&call.id));
    summed(rest)
}

/// What changes are kept back of whom.
struct Open<'a>(BTreeMap<&'a PersonId, BTreeSet<&'a AttributeName>>);

impl<'a> Open<'a> {
    fn of(plan: &'a Plan, kept_back: &BTreeSet<&CallId>) -> Self {
        let kept = plan.changes.iter().filter(|it| it.call.as_ref().is_some_and(|call| kept_back.contains(call)));
        let mut open: BTreeMap<&PersonId, BTreeSet<&AttributeName>> = BTreeMap::new();
        for change in kept {
            open.entry(&change.person).or_default().insert(&change.attribute);
        }
        Self(open)
    }

    /// True for what comes by itself after one of them.
    fn leads_to(&self, change: &PlannedChange) -> bool {
        change.decision == Decision::Follow
            && self.0.get(&change.person).is_some_and(|of_her| of_her.iter().any(|it| follows(&change.attribute, it)))
    }
}

/// True where an attribute that comes by itself may come from this one: itself, or one name of a person from another.
fn follows(one: &AttributeName, from: &AttributeName) -> bool {
    const NAMES: [&str; 4] = ["first_name", "last_name", "display_name", "nickname"];
    one == from || NAMES.contains(&one.as_str()) && NAMES.contains(&from.as_str())
}

fn aside(plan: &Plan, kept_back: &BTreeSet<&CallId>) -> Plan {
    let kept = plan.calls.iter().filter(|call| kept_back.contains(&call.id));
    let ids: BTreeMap<&CallId, CallId> =
        kept.clone().zip(1..).map(|(call, number)| (&call.id, CallId::from(format!("c{number}")))).collect();
    let renamed = |call: &Option<CallId>| call.as_ref().and_then(|call| ids.get(call)).cloned();
    let calls = kept.map(|call| Call {
        id: ids[&call.id].clone(),
        // What is not set aside is done before, or is not: what the call expects shows which.
        after: call.after.iter().filter_map(|needed| ids.get(needed).cloned()).collect(),
        ..call.clone()
    });
    let open = Open::of(plan, kept_back);
    let seen = plan.seen.iter().filter(|seen| seen.person.as_ref().is_some_and(|person| open.0.contains_key(person)));
    let changes = plan.changes.iter().filter_map(|change| {
        let call = renamed(&change.call);
        // What comes by itself comes when this is done, and not before.
        (call.is_some() || open.leads_to(change)).then(|| PlannedChange { call, ..change.clone() })
    });
    let operations = plan.operations.iter().filter_map(|asked| {
        let call = Some(renamed(&asked.call)?);
        Some(PlannedOperation { call, ..asked.clone() })
    });
    let aside = Plan {
        id: String::new(),
        inputs: plan.inputs.iter().map(|input| Input { list: None, ..input.clone() }).collect(),
        changes: changes.collect(),
        operations: operations.collect(),
        calls: calls.collect(),
        rejected: Vec::new(),
        links: Arc::default(),
        doubts: Vec::new(),
        vanished: BTreeMap::new(),
        seen: Arc::new(seen.cloned().collect()),
        sign_in: Vec::new(),
        ..plan.clone()
    };
    summed(aside)
}

fn summed(mut plan: Plan) -> Plan {
    let Plan { summary, changes, operations, calls, rejected, .. } = &plan;
    plan.summary = Summary::count(summary.people, changes, operations, calls, rejected);
    plan
}

/// True where two plans that were set aside would do the same, whatever inputs they were made of.
pub(crate) fn does_the_same(one: &Plan, other: &Plan) -> bool {
    one.calls == other.calls && one.systems == other.systems && one.rules == other.rules
}

/// True where nothing of a plan that waits counts any more once `newer` was made: that comes of lists of everybody of all its
/// sources, or speaks anew of all of it.
pub(crate) fn replaces(newer: &Plan, waits: &Plan) -> bool {
    // Only a list of everybody keeps its last lines.
    let is_whole = |input: &Input| {
        let mut lists = newer.inputs.iter().filter(|other| other.system == input.system);
        lists.any(|other| other.list.as_ref().is_some_and(|list| !list.tail.is_empty()))
    };
    if !waits.inputs.is_empty() && waits.inputs.iter().all(is_whole) {
        return true;
    }
    if !newer.inputs.iter().any(|input| waits.inputs.iter().any(|other| other.system == input.system)) {
        return false;
    }
    let decided: BTreeSet<_> = newer.changes.iter().map(|it| (&it.person, &it.system, &it.attribute)).collect();
    let asked: BTreeSet<&String> = newer.operations.iter().map(|it| &it.mark).collect();
    let anew = spoken_of(newer);
    waits.changes.iter().all(|it| decided.contains(&(&it.person, &it.system, &it.attribute)) || is_said(&anew, it))
        && waits.operations.iter().all(|it| asked.contains(&it.mark))
}

/// True where `newer` says something else than a plan that waits of what that one would change. That it says the same and is
/// held too is nothing new.
pub(crate) fn speaks_anew(newer: &Plan, waits: &Plan) -> bool {
    let anew = spoken_of(newer);
    let decided: BTreeMap<_, &Value> =
        newer.changes.iter().map(|it| ((&it.person, &it.system, &it.attribute), &it.after)).collect();
    let is_otherwise = |it: &PlannedChange| match decided.get(&(&it.person, &it.system, &it.attribute)) {
        Some(after) => **after != it.after,
        // It is so already.
        None => is_said(&anew, it),
    };
    waits.changes.iter().filter(|it| it.decision == Decision::Apply).any(is_otherwise)
}

/// True where something is said anew of what this would change.
fn is_said(anew: &BTreeMap<&PersonId, Vec<&Seen>>, change: &PlannedChange) -> bool {
    let said = anew.get(&change.person).into_iter().flatten();
    said.copied().any(|seen| seen.values.get(&change.attribute).is_some())
}

/// Of whom a plan's inputs say something else than they last did, and what.
fn spoken_of(plan: &Plan) -> BTreeMap<&PersonId, Vec<&Seen>> {
    let mut spoken: BTreeMap<&PersonId, Vec<&Seen>> = BTreeMap::new();
    for (seen, person) in plan.seen.iter().filter_map(|seen| Some((seen, seen.person.as_ref()?))) {
        spoken.entry(person).or_default().push(seen);
    }
    spoken
}
