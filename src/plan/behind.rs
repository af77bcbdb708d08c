//! What does not come because what it comes from does not: copies of an owner's change that is refused or held, and values
//! that would follow from it.
//!
//! Decisions are made for one person at a time and take it that an owner will hold what is asked of it. Only when all are
//! held against each other is it known whose name is taken, which account is protected, and for what there is no call. Why
//! a change is not made is not known here.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Decided;
use crate::model::{
    attribute::AttributeName,
    id::{PersonId, SystemName},
    plan::{Decision, PlannedChange},
};

/// Which changes are to be made, by their position.
pub(crate) fn to_go(decided: &[Decided]) -> Vec<bool> {
    decided.iter().map(|one| one.planned.decision == Decision::Apply).collect()
}

/// Refuses or holds what would come from changes that were to be made, and are refused or held by now. True where anything
/// that was to be sent stays behind: then others may have what it would have taken, and not what it would have left.
pub(crate) fn leave_behind(decided: &mut [Decided], were_to_go: &[bool]) -> bool {
    let is_off = |one: &Decided| matches!(one.planned.decision, Decision::Refuse | Decision::Hold);
    let mut off: Vec<usize> = (0..decided.len()).filter(|at| were_to_go[*at] && is_off(&decided[*at])).collect();
    if off.is_empty() {
        return false;
    }
    let concerned: BTreeSet<PersonId> = off.iter().map(|at| decided[*at].planned.person.clone()).collect();
    let place = |planned: &PlannedChange| (planned.person.clone(), planned.system.clone(), planned.attribute.clone());
    let mut led: BTreeMap<(PersonId, SystemName, AttributeName), Vec<usize>> = BTreeMap::new();
    let mut creations: BTreeMap<(PersonId, SystemName), Vec<usize>> = BTreeMap::new();
    for (at, one) in decided.iter().enumerate().filter(|(_, one)| concerned.contains(&one.planned.person)) {
        let planned = &one.planned;
        let leader = match planned.decision {
            Decision::Follow => planned.belongs_to.as_ref(),
            Decision::Apply => planned.owner.as_ref().filter(|owner| **owner != planned.system),
            Decision::Refuse | Decision::Hold | Decision::Drop | Decision::Unchanged => None,
        };
        if let Some(leader) = leader {
            let leads = (planned.person.clone(), leader.clone(), planned.attribute.clone());
            led.entry(leads).or_default().push(at);
        }
        if planned.decision == Decision::Apply && one.account.id.is_none() {
            creations.entry((planned.person.clone(), planned.system.clone())).or_default().push(at);
        }
    }
    let mut stays = false;
    let mut stay = |planned: &mut PlannedChange, leader: &PlannedChange, reason: String| {
        stays |= planned.decision == Decision::Apply;
        planned.stop(leader.decision, leader.refusal, reason);
    };
    while let Some(leader) = off.pop() {
        let leader = decided[leader].planned.clone();
        let word = if leader.decision == Decision::Hold { "held" } else { "refused" };
        for at in led.remove(&place(&leader)).unwrap_or_default() {
            if !matches!(decided[at].planned.decision, Decision::Apply | Decision::Follow) {
                continue;
            }
            let reason = format!("it would come from {}, where it is {word}: {}", leader.system, leader.reason);
            stay(&mut decided[at].planned, &leader, reason);
            off.push(at);
            let planned = &decided[at].planned;
            let siblings = creations.remove(&(planned.person.clone(), planned.system.clone()));
            let reason = format!("no account is made without its `{}`", planned.attribute);
            for sibling in siblings.into_iter().flatten().filter(|sibling| *sibling != at) {
                stay(&mut decided[sibling].planned, &leader, reason.clone());
                off.push(sibling);
            }
        }
    }
    stays
}
