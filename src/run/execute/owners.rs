//! What was set aside and copies what an owner holds: it is not given out where the owner has not taken it.
//!
//! A call that comes after its owner's is set aside without it, and may be approved long after that one was refused or taken
//! back. Which call it was is not known any more; what the owner holds is looked at instead. What a call expects of its own
//! account is not looked into here.

use std::collections::{BTreeMap, BTreeSet};

use super::{super::fleet::Fleet, world::World};
use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{AccountId, CallId, PersonId, SystemName},
        links::Links,
        plan::{Decision, Plan, PlannedChange},
    },
    plan::Providers as _,
    state::Outcome,
};

/// The copies of a plan by their calls, each with the account of its owner.
#[derive(Default)]
pub(super) struct Owners<'p>(BTreeMap<&'p CallId, Vec<(&'p PlannedChange, &'p SystemName, AccountId)>>);

impl<'p> Owners<'p> {
    /// Of a plan that was set aside; of another one there is nothing to look at, for its calls wait for each other.
    pub(super) fn of(plan: &'p Plan, was_aside: bool, links: &Links, fleet: &Fleet) -> Self {
        if !was_aside {
            return Self::default();
        }
        let sent = || plan.changes.iter().filter(|change| change.decision == Decision::Apply);
        let here: BTreeSet<(&PersonId, &SystemName, &AttributeName)> =
            sent().map(|change| (&change.person, &change.system, &change.attribute)).collect();
        let copies: Vec<(&CallId, &PlannedChange, &SystemName)> = sent()
            .filter_map(|change| {
                let owner = change.owner.as_ref().filter(|owner| **owner != change.system)?;
                // What a source says, or a rule sends elsewhere, is no copy. Of a new account all but that it is there is one.
                let is_of_new = change.account.is_none() && change.attribute.as_str() != "active";
                let is_copy = is_of_new || change.asked_by.system == *owner;
                let is_seen = fleet.members.contains_key(owner) && fleet.keyed(owner).is_none();
                if !is_copy || !is_seen {
                    return None;
                }
                let is_apart = !here.contains(&(&change.person, owner, &change.attribute));
                Some((change.call.as_ref().filter(|_| is_apart)?, change, owner))
            })
            .collect();
        let people: BTreeSet<(&PersonId, &SystemName)> =
            copies.iter().map(|(_, change, owner)| (&change.person, *owner)).collect();
        let accounts: BTreeMap<(&PersonId, &SystemName), AccountId> = links
            .iter()
            .filter(|link| people.contains(&(link.person, link.system)))
            .map(|link| ((link.person, link.system), AccountId::from(link.account)))
            .collect();
        let mut all = Self::default();
        for (call, change, owner) in copies {
            // Without an account there is nothing that the owner could hold of her.
            if let Some(account) = accounts.get(&(&change.person, owner)) {
                all.0.entry(call).or_default().push((change, owner, account.clone()));
            }
        }
        all
    }

    /// What to look at besides the accounts of the calls: which accounts, and which of their attributes.
    pub(super) fn to_look_at(&self) -> impl Iterator<Item = (&SystemName, &AccountId, &AttributeName)> {
        self.0.values().flatten().map(|(change, owner, account)| (*owner, account, &change.attribute))
    }

    /// What stands against a call: its owner does not hold what it would copy, or cannot be looked at.
    pub(super) fn stand_against(&self, call: &CallId, world: &World, fleet: &Fleet) -> Option<Outcome> {
        let mut differing = Vec::new();
        for (change, owner, account) in self.0.get(call)? {
            if let Some(refusal) = world.unread.get(*owner) {
                return Some(Outcome::Refused(refusal.clone()));
            }
            let attribute = &change.attribute;
            let as_copied = |value: &Value| fleet.normalize(&change.system, attribute, value);
            let held = world.accounts.get(&((*owner).clone(), account.clone()));
            if held.is_none_or(|held| as_copied(&held.value(attribute)) != as_copied(&change.after)) {
                differing.push(format!("{owner}, whose `{attribute}` this copies, does not hold it"));
            }
        }
        (!differing.is_empty()).then_some(Outcome::Moved(differing))
    }
}
