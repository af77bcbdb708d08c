//! What the accounts of a plan hold while it is carried out, as far as its calls depend on it.
//!
//! It is read once before the first call and learns from every answer. It decides nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::join_all;

use super::{
    owners::Owners,
    proof::{want_holders, want_sets},
};
use crate::{
    model::{
        account::{Account, Facts, Wanted},
        attribute::{AttributeName, Value},
        id::{AccountId, PersonId, SystemName},
        links::Links,
        plan::{Call, Operation, Plan},
        refusal::{Refusal, RefusalKind},
    },
    plan::Providers,
    run::{
        RunError,
        fleet::Fleet,
        observe, own,
        tokens::{bearers, not_hers},
    },
};

/// What the accounts of a plan hold right now, as far as its calls depend on it.
#[derive(Default)]
pub(super) struct World {
    pub(super) accounts: BTreeMap<(SystemName, AccountId), Account>,
    /// The accounts that hold a value which a creation needs to be free.
    holders: BTreeMap<(SystemName, AttributeName, String), BTreeSet<AccountId>>,
    /// The accounts that earlier runs tied to people for whom any are to be made.
    linked: BTreeMap<(PersonId, SystemName), BTreeSet<AccountId>>,
    /// Whose accounts are, by earlier runs and by the creations of this one, at systems where any are to be made.
    tied: BTreeMap<(SystemName, AccountId), PersonId>,
    /// The attributes that creations need to be free.
    watched: BTreeSet<AttributeName>,
    /// What was learned of each server.
    pub(super) servers: BTreeMap<SystemName, Arc<Facts>>,
    /// Systems that could not be read again, and why.
    pub(super) unread: BTreeMap<SystemName, Refusal>,
    /// People whose own tokens show nothing, and why.
    pub(super) unseen: BTreeMap<(SystemName, PersonId), Refusal>,
}

impl World {
    /// Whether an account that was asked for is there, as far as anybody knows: what was not seen may be.
    pub(super) fn may_show(&self, system: &SystemName, account: &str, fleet: &Fleet) -> bool {
        let is_seen = fleet.keyed(system).is_none() && !self.unread.contains_key(system);
        !is_seen || self.accounts.contains_key(&(system.clone(), account.into()))
    }

    /// The accounts that hold a value which a creation needs to be free.
    pub(super) fn holders(
        &self,
        call: &Call,
        attribute: &AttributeName,
        value: &Value,
        fleet: &Fleet,
    ) -> impl Iterator<Item = &AccountId> {
        let text = fleet.normalize(&call.system, attribute, value).as_text().unwrap_or_default().to_lowercase();
        self.holders.get(&(call.system.clone(), attribute.clone(), text)).into_iter().flatten()
    }

    /// Learns what earlier runs know of whose accounts are, as far as the creations of this plan depend on it.
    fn recall<'p>(&mut self, plan: &'p Plan, links: &'p Links) {
        let creations = plan.calls.iter().filter(|call| call.operation == Operation::Create);
        let name = |call: &'p Call| (&call.person.system, &*call.person.key);
        let mut meant: BTreeMap<(&SystemName, &str), &PersonId> =
            creations.clone().map(|call| (name(call), &call.person)).collect();
        // She may have become known as a record of somebody since the plan was made.
        let systems: BTreeSet<&SystemName> = creations.clone().map(|call| &call.person.system).collect();
        for link in links.iter().filter(|link| systems.contains(link.system)) {
            if let Some(person) = meant.get_mut(&(link.system, link.account)) {
                *person = link.person;
            }
        }
        let people: BTreeMap<(&SystemName, &PersonId), &PersonId> =
            creations.map(|call| ((&call.system, meant[&name(call)]), &call.person)).collect();
        let systems: BTreeSet<&SystemName> = people.keys().map(|(system, _)| *system).collect();
        for link in links.iter().chain(plan.links.iter()).filter(|link| systems.contains(link.system)) {
            let (system, account) = (link.system.clone(), AccountId::from(link.account));
            let whose = people.get(&(link.system, link.person));
            if let Some(person) = whose {
                self.linked.entry(((*person).clone(), system.clone())).or_default().insert(account.clone());
            }
            self.tied.insert((system, account), (*whose.unwrap_or(&link.person)).clone());
        }
    }

    /// The account that somebody is tied to for whom one is to be made, where it is there.
    pub(super) fn linked(&self, call: &Call) -> Option<&Account> {
        let ids = self.linked.get(&(call.person.clone(), call.system.clone()))?;
        ids.iter().find_map(|id| self.accounts.get(&(call.system.clone(), id.clone())))
    }

    /// Takes note of whose accounts are not shown any more: whether they are gone nobody knows.
    fn hide(&mut self, plan: &Plan, system: &SystemName, hidden: &BTreeMap<AccountId, Refusal>) {
        if hidden.is_empty() {
            return;
        }
        for call in plan.calls.iter().filter(|call| call.system == *system) {
            let place = (call.person.clone(), system.clone());
            let mut ids = call.account.iter().chain(self.linked.get(&place).into_iter().flatten());
            if let Some(refusal) = ids.find_map(|id| hidden.get(id)) {
                let reason = format!("{system} does not show us her account: {}", refusal.reason);
                self.unseen.insert((system.clone(), call.person.clone()), Refusal { reason, ..refusal.clone() });
            }
        }
    }

    /// Whose an account is, where that is somebody else than a creation is for.
    pub(super) fn other(&self, call: &Call, id: &AccountId) -> Option<&PersonId> {
        self.tied.get(&(call.system.clone(), id.clone())).filter(|person| **person != call.person)
    }

    /// What was made for this person, as far as is known.
    pub(super) fn made(&mut self, call: &Call, id: &AccountId) {
        self.tied.insert((call.system.clone(), id.clone()), call.person.clone());
    }

    /// True for an account that was seen before.
    pub(super) fn was_there(&self, account: &Account) -> bool {
        account.id.as_ref().is_some_and(|id| self.accounts.contains_key(&(account.system.clone(), id.clone())))
    }

    /// Takes in what an answer shows. What it does not speak of is as it was: the answer to a profile shows no team.
    pub(super) fn learn(&mut self, mut account: Account) {
        let Some(id) = account.id.clone() else { return };
        let key = |attribute: &AttributeName, value: &Value| {
            let text = value.as_text().filter(|_| self.watched.contains(attribute))?;
            Some((account.system.clone(), attribute.clone(), text.to_lowercase()))
        };
        let place = (account.system.clone(), id.clone());
        let old = self.accounts.get(&place).map(|account| account.attributes.clone()).unwrap_or_default();
        for (attribute, value) in &old {
            account.attributes.entry(attribute.clone()).or_insert_with(|| value.clone());
        }
        let left: Vec<_> = old.iter().filter_map(|(attribute, value)| key(attribute, value)).collect();
        let held: Vec<_> = account.attributes.iter().filter_map(|(attribute, value)| key(attribute, value)).collect();
        for name in left {
            if let Some(holders) = self.holders.get_mut(&name) {
                holders.remove(&id);
            }
        }
        for name in held {
            self.holders.entry(name).or_default().insert(id.clone());
        }
        self.accounts.insert(place, account);
    }
}

/// Reads again exactly what the calls depend on, and these accounts besides, all systems side by side.
pub(super) async fn read_again(
    plan: &Plan,
    fleet: &Fleet,
    ties: &Links,
    besides: BTreeSet<(SystemName, AccountId)>,
    owners: &Owners<'_>,
) -> World {
    let mut world = World::default();
    world.recall(plan, ties);
    let mut wanted: BTreeMap<&SystemName, Wanted> = BTreeMap::new();
    let of = |system: &SystemName, account: &AccountId| (system.clone(), account.clone());
    let linked = world.linked.iter().flat_map(|((_, system), accounts)| accounts.iter().map(move |it| of(system, it)));
    let besides: Vec<(SystemName, AccountId)> = besides.into_iter().chain(linked).collect();
    for (system, account) in &besides {
        wanted.entry(system).or_default().ids.insert(account.clone());
    }
    for call in &plan.calls {
        let wanted = wanted.entry(&call.system).or_default();
        wanted.fresh = true;
        want_sets(wanted, call);
        match &call.account {
            Some(id) => {
                wanted.ids.insert(id.clone());
            }
            None => want_holders(wanted, call),
        }
    }
    for (system, account, attribute) in owners.to_look_at() {
        let wanted = wanted.entry(system).or_default();
        wanted.fresh = true;
        wanted.ids.insert(account.clone());
        wanted.about.get_or_insert_default().insert(attribute.clone());
    }
    for asked in plan.operations.iter().filter(|asked| asked.call.is_some()) {
        let table = fleet.capabilities(&asked.system).and_then(|table| table.operation(&asked.operation));
        let wanted = wanted.entry(&asked.system).or_default();
        observe::want_named(wanted, table, &asked.arguments);
    }
    let shared = wanted.into_iter().filter(|(system, _)| fleet.keyed(system).is_none());
    let asked = shared.map(async |(system, wanted)| {
        let answer = match fleet.members.get(system) {
            Some(member) => member.observe(&wanted).await.map_err(|e| e.to_string()),
            None => Err(format!("no system `{system}` is configured")),
        };
        (system, answer)
    });
    let creations = plan.calls.iter().filter(|call| call.account.is_none());
    let watched = creations.flat_map(|call| call.expects.keys().cloned()).collect();
    let own = own_again(plan, fleet, ties).await;
    let answers = join_all(asked).await;
    world.watched = watched;
    for (system, answer) in answers {
        match answer {
            Ok(observed) => {
                world.hide(plan, system, &observed.hidden);
                world.servers.insert(system.clone(), observed.server);
                observed.accounts.into_iter().for_each(|account| world.learn(account));
            }
            Err(cause) => {
                let reason = format!("{system} could not be read again: {cause}");
                world.unread.insert(system.clone(), Refusal::new(RefusalKind::Unavailable, reason));
            }
        }
    }
    let mut calls: BTreeMap<(&SystemName, &PersonId), Vec<&Call>> = BTreeMap::new();
    for call in plan.calls.iter().filter(|_| !own.is_empty()) {
        calls.entry((&call.system, &call.person)).or_default().push(call);
    }
    for (system, answer) in own {
        let own::Opened { accounts, server, .. } = match answer {
            Ok(opened) => opened,
            Err(error) => {
                let mut cause = error.to_string();
                if let Some(source) = std::error::Error::source(&error) {
                    cause = format!("{cause}: {source}");
                }
                world.unread.insert(system, Refusal::new(RefusalKind::Unavailable, cause));
                continue;
            }
        };
        world.servers.insert(system.clone(), Arc::new(server.unwrap_or_default()));
        for (person, answer) in accounts {
            match answer {
                Ok(account) => {
                    let hers = calls.get(&(&system, &person)).map(Vec::as_slice).unwrap_or_default();
                    let other = hers.iter().find(|call| call.account != account.id);
                    if let Some(call) = other.filter(|call| call.account.is_some()) {
                        let reason = format!(
                            "the token kept for {person} at {system} opens another account than {}: is it another person's?",
                            call.account.as_ref().map_or("hers", |id| id.as_str())
                        );
                        world.unseen.insert((system.clone(), person), not_hers(reason));
                    } else {
                        world.learn(account);
                    }
                }
                Err(refusal) => {
                    world.unseen.insert((system.clone(), person), refusal);
                }
            }
        }
    }
    world
}

/// Opens the accounts that calls are about with the tokens of their people, where systems are asked so.
pub(super) async fn own_again(
    plan: &Plan,
    fleet: &Fleet,
    ties: &Links,
) -> Vec<(SystemName, Result<own::Opened, RunError>)> {
    let mut people: BTreeMap<&SystemName, BTreeSet<&PersonId>> = BTreeMap::new();
    for call in &plan.calls {
        people.entry(&call.system).or_default().insert(&call.person);
    }
    let looks = people.into_iter().filter_map(|(system, people)| {
        let (member, keyring) = fleet.keyed(system)?;
        // Under a name that only this plan ties to her, too.
        let bearers = bearers(people, ties.iter().chain(plan.links.iter()));
        Some(async move { (system.clone(), own::open(system, member, keyring, &bearers, false).await) })
    });
    join_all(looks).await
}
