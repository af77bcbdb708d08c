//! What a saved plan must be, beyond being whole: its id proves that nobody edited it, not that we made it.
//!
//! The limits are judged by the changes a plan lists and the work is done by its calls, so the two must tell the same
//! story. What a call would send is compared with what the connector makes of it later, when the account has been read.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{AccountId, CallId, PersonId, SystemName},
        plan::{Call, Decision, Operation, Plan, PlannedChange, PlannedOperation, Summary},
    },
    wire::is_astray,
};

/// The methods that connectors write with.
const METHODS: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// Refuses a plan that this program cannot have made for these systems. The reason names places, no values of people.
pub(super) fn vet(plan: &Plan, systems: &BTreeSet<SystemName>) -> Result<(), String> {
    let told = Told::of(plan);
    let mut earlier: BTreeSet<&CallId> = BTreeSet::new();
    for (at, call) in plan.calls.iter().enumerate() {
        // The number, not the id: that is a text of the file.
        let fault = |what: &str| Err(format!("{what} (call {})", at + 1));
        if !systems.contains(&call.system) {
            return fault("it speaks of a system that is not configured");
        }
        if !METHODS.contains(&call.method.as_str()) {
            return fault("it uses a method that no call uses");
        }
        if is_astray(&call.path) {
            return fault("it leads to a path that is not one of the system's");
        }
        if call.operation != Operation::Perform && (call.operation == Operation::Create) != call.account.is_none() {
            return fault("it makes an account that is there, or changes one that is not");
        }
        if !call.after.iter().all(|needed| earlier.contains(needed)) {
            return fault("it waits for a call that does not come before it");
        }
        if !earlier.insert(&call.id) {
            return fault("it has two calls of one name");
        }
        if !told.tells(call) {
            return fault("it does what it does not list among its changes");
        }
    }
    let (mut marks, mut calls) = (BTreeSet::new(), BTreeSet::new());
    for (at, asked) in plan.operations.iter().enumerate() {
        if !marks.insert(&asked.mark) {
            return Err(format!("it asks for one operation twice (operation {})", at + 1));
        }
        let is_done = asked.decision == Decision::Apply;
        if is_done != asked.call.is_some() || asked.call.as_ref().is_some_and(|call| !calls.insert(call)) {
            return Err(format!(
                "an operation and the call that does it do not belong together (operation {})",
                at + 1
            ));
        }
    }
    // How many people the inputs spoke of cannot be known from a plan.
    let people = plan.summary.people;
    let mut counted = Summary::count(people, &plan.changes, &plan.operations, &plan.calls, &plan.rejected);
    if plan.summary.side_effects.is_empty() {
        // An older program did not count them.
        counted.side_effects.clear();
    }
    if plan.summary != counted {
        return Err("its totals are not those of what it holds".to_owned());
    }
    Ok(())
}

/// The changes a plan lists as carried out, and where its calls end up.
struct Told<'a> {
    changes: BTreeMap<(&'a PersonId, &'a SystemName, &'a AttributeName), Vec<&'a PlannedChange>>,
    ends: BTreeMap<(&'a SystemName, &'a AccountId, &'a AttributeName), &'a Value>,
    operations: BTreeMap<&'a CallId, &'a PlannedOperation>,
}

impl<'a> Told<'a> {
    fn of(plan: &'a Plan) -> Self {
        let mut changes: BTreeMap<_, Vec<&PlannedChange>> = BTreeMap::new();
        for change in plan.changes.iter().filter(|change| change.decision == Decision::Apply) {
            changes.entry((&change.person, &change.system, &change.attribute)).or_default().push(change);
        }
        let mut ends = BTreeMap::new();
        for call in &plan.calls {
            let Some(account) = &call.account else { continue };
            ends.extend(call.intends.iter().map(|(attribute, value)| ((&call.system, account, attribute), value)));
        }
        let operations = plan.operations.iter().filter(|it| it.decision == Decision::Apply);
        let operations = operations.filter_map(|it| Some((it.call.as_ref()?, it))).collect();
        Self { changes, ends, operations }
    }

    /// True where every value that the call shall bring about is one of the changes listed, so that limits and readers
    /// saw it. A temporary name is not listed: there a later call of the account brings the name that is.
    fn tells(&self, call: &Call) -> bool {
        if call.operation == Operation::Perform {
            let is_it = |told: &&PlannedOperation| {
                Some(&told.operation) == call.performs.as_ref()
                    && (&told.person, &told.system, &told.account) == (&call.person, &call.system, &call.account)
            };
            return call.intends.is_empty() && self.operations.get(&call.id).is_some_and(is_it);
        }
        let is_told = |(attribute, value): (&AttributeName, &Value)| {
            let changes = self.changes.get(&(&call.person, &call.system, attribute));
            changes.into_iter().flatten().filter(|change| change.account == call.account).any(|change| {
                let end = || Some(self.ends.get(&(&call.system, call.account.as_ref()?, attribute))? == &&change.after);
                change.after == *value || (matches!(value, Value::Text(_)) && end() == Some(true))
            })
        };
        !call.intends.is_empty() && call.intends.iter().all(is_told)
    }
}
