//! The limits a plan has to pass before anything can run it.
//!
//! A broken export and a mass departure look the same from here: many people gone at once. So the executor takes a
//! [`GuardedPlan`], and this file is the only place that makes one.

use std::collections::{BTreeMap, BTreeSet};

use super::{decide::Decided, deeds::DecidedDeed};
use crate::model::{
    account::Account,
    attribute::{AttributeName, Value},
    id::{PersonId, SystemName},
    plan::{Decision, Plan},
    policy::Objection,
};

/// A plan that passed its limits, with the accounts that nothing may touch.
#[derive(Debug)]
pub(crate) struct GuardedPlan {
    plan: Plan,
    protected: BTreeSet<(SystemName, String)>,
}

impl GuardedPlan {
    /// The plan.
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// True where the account is protected, by its id or by the username it has now. Asked again before every call: a
    /// plan may have been saved before the protection, or made by somebody else.
    pub(crate) fn protects(&self, account: &Account) -> bool {
        is_protected(account, &self.protected)
    }
}

/// What a plan may do at most. `None`: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// People with changes at one system, in millionths of the people the inputs speak of.
    pub(crate) changes: Option<u32>,
    /// People who lose an account at one system.
    pub(crate) removals: Option<Removals>,
    /// Accounts that are never touched, by id or username in lower case; see [`protect`].
    pub(crate) protected: BTreeSet<(SystemName, String)>,
}

/// A limit with a floor, so that one leaver of ten does not stop a small list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removals {
    /// In millionths of the people the inputs speak of.
    pub(crate) share: u32,
    /// So many are always allowed.
    pub(crate) at_least: u64,
}

/// So many people may change at one system whatever the share says: a share of three people is no measure.
const ALWAYS_ALLOWED: u64 = 5;

/// A limit that a plan would pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Tripped {
    #[error("{count} of {people} people would change at {system}; `limits.changes` allows {allowed}")]
    Changes { system: SystemName, count: u64, people: u64, allowed: u64, examples: Vec<PersonId> },
    #[error("{count} of {people} people would lose {system}; `limits.removals` allows {allowed}")]
    Removals { system: SystemName, count: u64, people: u64, allowed: u64, examples: Vec<PersonId> },
    #[error("a rule holds this plan: {} ({})", .0.reason, .0.origin)]
    Rule(Objection),
}

/// Judges a plan. Everything that trips is told, not only the first.
///
/// `objections` are what the `guard` lines of the rules say to it.
pub(crate) fn guard(plan: Plan, limits: &Limits, objections: Vec<Objection>) -> Result<GuardedPlan, Vec<Tripped>> {
    let mut tripped: Vec<Tripped> = objections.into_iter().map(Tripped::Rule).collect();
    let applied = || plan.changes.iter().filter(|change| change.decision == Decision::Apply);
    let people = plan.summary.people;
    let performed = || plan.operations.iter().filter(|it| it.decision == Decision::Apply && it.account.is_some());
    if let Some(share) = limits.changes {
        // Creations are no changes: a first run creates everybody.
        let existing = applied().filter(|change| change.account.is_some()).map(|it| (&it.system, &it.person));
        for (system, who) in by_system(existing.chain(performed().map(|it| (&it.system, &it.person)))) {
            let allowed = allowed(share, people, ALWAYS_ALLOWED);
            let count = who.len() as u64;
            if count > allowed {
                tripped.push(Tripped::Changes { system, count, people, allowed, examples: examples(&who) });
            }
        }
    }
    if let Some(removals) = limits.removals {
        let gone =
            applied().filter(|change| change.attribute.as_str() == "active" && change.after == Value::Bool(false));
        let gone = gone.map(|it| (&it.system, &it.person));
        let locked = performed().filter(|it| it.removes).map(|it| (&it.system, &it.person));
        for (system, who) in by_system(gone.chain(locked)) {
            let allowed = allowed(removals.share, people, removals.at_least);
            let count = who.len() as u64;
            if count > allowed {
                tripped.push(Tripped::Removals { system, count, people, allowed, examples: examples(&who) });
            }
        }
    }
    if tripped.is_empty() { Ok(GuardedPlan { plan, protected: limits.protected.clone() }) } else { Err(tripped) }
}

/// Holds every change of a protected account, and every operation on one: administrators and emergency accounts are no
/// feed's to change.
pub(crate) fn protect(decided: &mut [Decided], deeds: &mut [DecidedDeed], limits: &Limits) {
    for one in deeds.iter_mut().filter(|one| one.planned.decision == Decision::Apply) {
        let Some(account) = &one.account else { continue };
        if is_protected(account, &limits.protected) {
            one.planned.decision = Decision::Hold;
            one.planned.side_effect = None;
            one.request = None;
            "the account is protected by `limits.protected`".clone_into(&mut one.planned.reason);
        }
    }
    for one in decided.iter_mut().filter(|one| one.planned.decision == Decision::Apply) {
        if is_protected(&one.account, &limits.protected) {
            one.planned.decision = Decision::Hold;
            one.planned.side_effect = None;
            "the account is protected by `limits.protected`".clone_into(&mut one.planned.reason);
        }
    }
}

/// True where the account is on the list, by its id or by the username it has now.
pub(crate) fn is_protected(account: &Account, protected: &BTreeSet<(SystemName, String)>) -> bool {
    let named = |name: &str| protected.contains(&(account.system.clone(), name.to_lowercase()));
    let username = account.value(&AttributeName::new("username"));
    account.id.as_ref().is_some_and(|id| named(id.as_str())) || username.as_text().is_some_and(named)
}

fn by_system<'a>(
    touched: impl Iterator<Item = (&'a SystemName, &'a PersonId)>,
) -> BTreeMap<SystemName, BTreeSet<&'a PersonId>> {
    let mut systems: BTreeMap<SystemName, BTreeSet<&PersonId>> = BTreeMap::new();
    for (system, person) in touched {
        systems.entry(system.clone()).or_default().insert(person);
    }
    systems
}

/// So many people, rounded down, and never fewer than the floor.
fn allowed(share: u32, people: u64, at_least: u64) -> u64 {
    let part = u128::from(people) * u128::from(share) / 1_000_000;
    u64::try_from(part).unwrap_or(u64::MAX).max(at_least)
}

fn examples(who: &BTreeSet<&PersonId>) -> Vec<PersonId> {
    who.iter().take(3).map(|person| (*person).clone()).collect()
}
