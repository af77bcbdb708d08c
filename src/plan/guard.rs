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
    plan::{Decision, Input, Plan, PlannedChange},
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
    pub(crate) removals: Option<Threshold>,
    /// People whom a full list does not hold any more, of those the last accepted one held.
    pub(crate) missing: Option<Threshold>,
    /// People for whom one attribute differs from what the last accepted list said.
    pub(crate) differing: Option<Threshold>,
    /// Accounts made at one system.
    pub(crate) creations: Option<Threshold>,
    /// People for whom one attribute changes at one system.
    pub(crate) attributes: BTreeMap<AttributeName, Threshold>,
    /// Rows of one input that cannot be used, of all its rows.
    pub(crate) rejected: Option<Threshold>,
    /// True where a source may switch off administrators.
    pub(crate) administrators: bool,
    /// Accounts that are never touched, by id or username in lower case; see [`protect`].
    pub(crate) protected: BTreeSet<(SystemName, String)>,
}

/// A limit with a floor, so that one leaver of ten does not stop a small list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// In millionths of the whole: of the people the inputs speak of, where nothing else is said.
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
    #[error(
        "{count} of {people} people that the last list of {source_name} held are not in this one; `limits.missing` allows {allowed}"
    )]
    Missing { source_name: SystemName, count: u64, people: u64, allowed: u64, examples: Vec<PersonId> },
    #[error("{count} accounts would be made at {system} for {people} people; `limits.creations` allows {allowed}")]
    Creations { system: SystemName, count: u64, people: u64, allowed: u64, examples: Vec<PersonId> },
    #[error(
        "`{attribute}` of {count} of {people} people would change at {system}; `limits.attributes` allows {allowed}"
    )]
    Attribute {
        attribute: AttributeName,
        system: SystemName,
        count: u64,
        people: u64,
        allowed: u64,
        examples: Vec<PersonId>,
    },
    #[error("{count} of {rows} rows of {file} cannot be used; `limits.rejected` allows {allowed}")]
    Rejected { source_name: SystemName, file: String, count: u64, rows: u64, allowed: u64 },
    #[error(
        "the last line of {file} has no line end, and every earlier list of {source_name} had one: it may be cut off"
    )]
    CutOff { source_name: SystemName, file: String },
    #[error(
        "`{attribute}` of {count} of {people} people differs from the last list of {source_name}; `limits.differing` allows {allowed}"
    )]
    Differing { source_name: SystemName, attribute: AttributeName, count: u64, people: u64, allowed: u64 },
    #[error("{file} ends where the last list of {source_name} held {count} people more: it may be cut off")]
    EndsEarly { source_name: SystemName, file: String, count: u64 },
    #[error("a rule holds this plan: {} ({})", .0.reason, .0.origin)]
    Rule(Objection),
}

/// What somebody said to one plan that was held: this plan may be carried out, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Approval {
    /// The id of the plan, which is a digest of everything in it.
    pub(crate) plan: String,
}

/// Judges a plan. Everything that trips is told, not only the first.
///
/// `objections` are what the `guard` lines of the rules say to it. A plan that was approved passes what held it;
/// protected accounts stay protected.
pub(crate) fn guard(
    plan: Plan,
    limits: &Limits,
    objections: Vec<Objection>,
    approval: Option<&Approval>,
) -> Result<GuardedPlan, Vec<Tripped>> {
    if approval.is_some_and(|approval| approval.plan == plan.id) {
        return Ok(GuardedPlan { plan, protected: limits.protected.clone() });
    }
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
        let gone = applied().filter(|change| is_switched_off(change));
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
    if let Some(threshold) = limits.creations {
        let made = applied().filter(|change| change.account.is_none()).map(|it| (&it.system, &it.person));
        for (system, who) in by_system(made) {
            let allowed = allowed(threshold.share, people, threshold.at_least);
            let count = who.len() as u64;
            if count > allowed {
                tripped.push(Tripped::Creations { system, count, people, allowed, examples: examples(&who) });
            }
        }
    }
    for (attribute, threshold) in &limits.attributes {
        let existing = applied().filter(|change| change.account.is_some() && change.attribute == *attribute);
        for (system, who) in by_system(existing.map(|it| (&it.system, &it.person))) {
            let allowed = allowed(threshold.share, people, threshold.at_least);
            let count = who.len() as u64;
            if count > allowed {
                let (attribute, examples) = (attribute.clone(), examples(&who));
                tripped.push(Tripped::Attribute { attribute, system, count, people, allowed, examples });
            }
        }
    }
    tripped.extend(plan.inputs.iter().flat_map(|input| of_input(input, limits)));
    if tripped.is_empty() { Ok(GuardedPlan { plan, protected: limits.protected.clone() }) } else { Err(tripped) }
}

/// What one input alone gives reason to stop for.
pub(crate) fn of_input(input: &Input, limits: &Limits) -> Vec<Tripped> {
    let mut tripped = Vec::new();
    let source_name = input.system.clone();
    let rows = input.records + input.rejected;
    if let Some(threshold) = limits.rejected {
        let allowed = allowed(threshold.share, rows, threshold.at_least);
        if input.rejected > allowed {
            let (source_name, file, count) = (source_name.clone(), input.file.clone(), input.rejected);
            tripped.push(Tripped::Rejected { source_name, file, count, rows, allowed });
        }
    }
    let Some(list) = &input.list else { return tripped };
    if let Some(threshold) = limits.missing {
        let allowed = allowed(threshold.share, list.before, threshold.at_least);
        let count = list.missing.len() as u64;
        if count > allowed {
            let person = |key: &String| PersonId { system: source_name.clone(), key: key.as_str().into() };
            let examples = list.missing.iter().take(3).map(person).collect();
            let (source_name, people) = (source_name.clone(), list.before);
            tripped.push(Tripped::Missing { source_name, count, people, allowed, examples });
        }
    }
    if let Some(threshold) = limits.differing {
        let allowed = allowed(threshold.share, list.before, threshold.at_least);
        for (attribute, count) in list.differing.iter().filter(|(_, count)| **count > allowed) {
            let (source_name, attribute, people) = (source_name.clone(), attribute.clone(), list.before);
            tripped.push(Tripped::Differing { source_name, attribute, count: *count, people, allowed });
        }
    }
    if list.ends_early {
        let (source_name, file, count) = (source_name.clone(), input.file.clone(), list.missing.len() as u64);
        tripped.push(Tripped::EndsEarly { source_name, file, count });
    }
    if list.is_cut_off {
        tripped.push(Tripped::CutOff { source_name, file: input.file.clone() });
    }
    tripped
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
        } else if !limits.administrators && is_switched_off(&one.planned) && one.account.is("is_admin") {
            one.planned.decision = Decision::Hold;
            one.planned.side_effect = None;
            let system = &one.planned.system;
            one.planned.reason = format!(
                "an administrator of {system} is not switched off by a source: look first (`limits.administrators`)"
            );
        }
    }
}

fn is_switched_off(change: &PlannedChange) -> bool {
    change.attribute.as_str() == "active" && change.after == Value::Bool(false)
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
