//! Whether a call had its effect, whatever was answered: the account itself tells.
//!
//! Nothing is sent here but questions.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use tracing::warn;

use crate::{
    model::{
        account::{Account, Wanted},
        attribute::{AttributeName, Value},
        capability::Unique,
        id::{AccountId, PersonId, SystemName},
        plan::{Call, Operation, Plan},
        refusal::{Refusal, RefusalKind},
    },
    plan::Providers,
    run::{
        fleet::{Fleet, Member},
        own,
        tokens::bearers,
    },
    state::Outcome,
};

/// When an account that does not show yet what was done is looked at again.
const SECOND_LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(800)];

/// A 200 is no proof: the account must hold what was sent.
pub(super) fn judge(call: &Call, account: &Account, fleet: &Fleet) -> Outcome {
    let missing: Vec<&AttributeName> = differing(account, &call.intends, fleet).collect();
    ineffective(call, &missing).unwrap_or(Outcome::Done)
}

/// A server may repeat what it was sent and do nothing. So what was only answered is looked at once more, all accounts of a
/// system together: one look at each call would cost as many requests again. Gives what is not so, by call.
pub(super) async fn prove(plan: &Plan, answered: &[(usize, AccountId)], fleet: &Fleet) -> Proof {
    let mut by_system: BTreeMap<&SystemName, Vec<(usize, &AccountId)>> = BTreeMap::new();
    for (at, id) in answered {
        by_system.entry(&plan.calls[*at].system).or_default().push((*at, id));
    }
    let looks = by_system.into_iter().map(|(system, calls)| prove_at(system, calls, plan, fleet));
    let mut all = Proof::default();
    for Proof { wrong, named } in join_all(looks).await {
        all.wrong.extend(wrong);
        all.named.extend(named);
    }
    all
}

/// What a look at the accounts tells of calls that were answered with a yes.
#[derive(Default)]
pub(super) struct Proof {
    /// What is not so, by call.
    pub(super) wrong: Vec<(usize, Outcome)>,
    /// The creations whose account was seen, with the names that it was to have.
    pub(super) named: BTreeSet<usize>,
}

/// What tells the account that a creation makes from all others: what no two can hold, or else whatever it expects to be free.
pub(super) fn names(call: &Call, fleet: &Fleet) -> BTreeMap<AttributeName, Value> {
    let unique = call.expects.iter().filter(|(attribute, _)| is_unique(call, attribute, fleet));
    let unique: BTreeMap<AttributeName, Value> = unique.map(|(name, value)| (name.clone(), value.clone())).collect();
    if unique.is_empty() { call.expects.clone() } else { unique }
}

/// True for an attribute of which no two accounts there hold the same.
pub(super) fn is_unique(call: &Call, attribute: &AttributeName, fleet: &Fleet) -> bool {
    let row = fleet.capabilities(&call.system).and_then(|table| table.of(&call.system, attribute));
    row.is_none_or(|row| row.unique != Unique::No)
}

/// The same for the calls of one system.
pub(super) async fn prove_at(
    system: &SystemName,
    mut calls: Vec<(usize, &AccountId)>,
    plan: &Plan,
    fleet: &Fleet,
) -> Proof {
    let mut proof = Proof::default();
    let Some(member) = fleet.members.get(system) else { return proof };
    calls.sort_unstable();
    // What a later call of the same account has changed again is that call's to prove.
    let mut last: BTreeMap<(&AccountId, &AttributeName), usize> = BTreeMap::new();
    for (at, id) in &calls {
        last.extend(plan.calls[*at].intends.keys().map(|attribute| ((*id, attribute), *at)));
    }
    for pause in SECOND_LOOKS {
        tokio::time::sleep(pause).await;
        let mut wanted = Wanted { fresh: true, ..Wanted::default() };
        for (at, id) in &calls {
            want_sets(&mut wanted, &plan.calls[*at]);
            wanted.ids.insert((*id).clone());
        }
        let people = calls.iter().map(|(at, _)| &plan.calls[*at].person);
        let accounts: BTreeMap<AccountId, Account> = match seen(system, member, &wanted, people).await {
            Ok(accounts) => accounts.into_iter().filter_map(|account| Some((account.id.clone()?, account))).collect(),
            Err(error) => {
                warn!(error, "the second look failed");
                let reason = format!("{system} said yes, and could not be looked at afterwards");
                let doubt = Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason));
                proof.wrong = calls.into_iter().map(|(at, _)| (at, doubt.clone())).collect();
                return proof;
            }
        };
        proof.wrong.clear();
        for (at, id) in &calls {
            let call = &plan.calls[*at];
            let outcome = if let Some(account) = accounts.get(*id) {
                if holds(account, &names(call, fleet), fleet) {
                    proof.named.insert(*at);
                }
                let own = call.intends.iter().filter(|(name, _)| last.get(&(*id, *name)) == Some(at));
                let own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
                ineffective(call, &differing(account, &own, fleet).collect::<Vec<_>>())
            } else {
                let reason = if member.keyring.is_some() {
                    format!("{system} said yes, and her token does not show the account any more")
                } else {
                    format!("{system} said yes, and the account is not there")
                };
                Some(Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason)))
            };
            proof.wrong.extend(outcome.map(|outcome| (*at, outcome)));
        }
        // One of several servers may still show what was: those are looked at again.
        calls.retain(|(at, _)| proof.wrong.binary_search_by_key(at, |(wrong, _)| *wrong).is_ok());
        if calls.is_empty() {
            break;
        }
    }
    proof
}

/// The no that a yes turns out to be where these attributes are not as the call intends.
pub(super) fn ineffective(call: &Call, missing: &[&AttributeName]) -> Option<Outcome> {
    let missing: Vec<String> = missing.iter().map(|attribute| format!("`{attribute}`")).collect();
    (!missing.is_empty()).then(|| {
        let reason = format!("{} said yes and did not change {}", call.system, missing.join(", "));
        Outcome::Refused(Refusal::new(RefusalKind::Ineffective, reason))
    })
}

/// The attributes that the account does not hold as the call intends.
pub(super) fn unmet(call: &Call, account: &Account, fleet: &Fleet) -> Vec<String> {
    let missing = differing(account, &call.intends, fleet);
    missing.map(|attribute| format!("`{attribute}`")).collect()
}

/// True where the account holds all of these values, as its provider stores them.
pub(super) fn holds(account: &Account, values: &BTreeMap<AttributeName, Value>, fleet: &Fleet) -> bool {
    differing(account, values, fleet).next().is_none()
}

pub(super) fn differing<'a>(
    account: &Account,
    values: &'a BTreeMap<AttributeName, Value>,
    fleet: &Fleet,
) -> impl Iterator<Item = &'a AttributeName> {
    values.iter().filter_map(|(attribute, intended)| {
        let wanted = fleet.normalize(&account.system, attribute, intended);
        (fleet.normalize(&account.system, attribute, &account.value(attribute)) != wanted).then_some(attribute)
    })
}

/// No answer came: looks whether the call had its effect.
pub(super) async fn look(call: &Call, refusal: Refusal, fleet: &Fleet) -> (Outcome, Option<Account>) {
    match seen_now(call, fleet).await.map(|seen| effect(call, seen, fleet)) {
        Some((account, true)) => (Outcome::Done, account),
        // It may still be on its way through a proxy: that it is not there now does not prove that it never will be.
        Some((_, false)) | None => (Outcome::InDoubt(refusal), None),
    }
}

/// An answer came by which nothing was done. What answers is not always what was asked: only the account itself tells.
pub(super) async fn check(call: &Call, otherwise: Outcome, fleet: &Fleet) -> (Outcome, Option<Account>) {
    match (seen_now(call, fleet).await.map(|seen| effect(call, seen, fleet)), otherwise) {
        (Some((account, true)), _) => (Outcome::Done, account),
        (Some((account, false)), otherwise) => (otherwise, account),
        (None, Outcome::Refused(refusal)) => (Outcome::InDoubt(refusal), None),
        (None, otherwise) => (otherwise, None),
    }
}

/// The account as it holds what the call intends, or else as it is.
pub(super) fn effect(call: &Call, mut seen: Vec<Account>, fleet: &Fleet) -> (Option<Account>, bool) {
    match seen.iter().position(|account| unmet(call, account, fleet).is_empty()) {
        Some(at) => (Some(seen.swap_remove(at)), true),
        None => (seen.pop(), false),
    }
}

/// The accounts that a call could have changed, as they are now; `None` where nobody can look.
pub(super) async fn seen_now(call: &Call, fleet: &Fleet) -> Option<Vec<Account>> {
    let member = fleet.members.get(&call.system)?;
    if call.operation == Operation::Perform {
        // An operation leaves nothing at the account that could be looked for.
        return None;
    }
    let mut wanted = Wanted { fresh: true, ..Wanted::default() };
    want_sets(&mut wanted, call);
    match &call.account {
        Some(id) => {
            wanted.ids.insert(id.clone());
        }
        None => want_holders(&mut wanted, call),
    }
    match seen(&call.system, member, &wanted, [&call.person]).await {
        // Nothing is seen with a token that is not accepted any more.
        Ok(accounts) if accounts.is_empty() && member.keyring.is_some() => None,
        Ok(accounts) => {
            let hers = |account: &Account| call.account.is_none() || account.id == call.account;
            Some(accounts.into_iter().filter(hers).collect())
        }
        Err(error) => {
            warn!(error, "the second look failed");
            None
        }
    }
}

/// The accounts that are wanted; where everybody is looked at with her own token, those of these people.
pub(super) async fn seen(
    system: &SystemName,
    member: &Member,
    wanted: &Wanted,
    people: impl IntoIterator<Item = &PersonId>,
) -> Result<Vec<Account>, String> {
    let Some(keyring) = member.keyring.as_deref() else {
        let observed = member.observe(wanted).await;
        return observed.map(|observed| observed.accounts.into_iter().collect()).map_err(|error| error.to_string());
    };
    let people: BTreeSet<&PersonId> = people.into_iter().collect();
    let opened = own::open(system, member, keyring, &bearers(people, []), false).await;
    let opened = opened.map_err(|error| error.to_string())?;
    Ok(opened.accounts.into_values().filter_map(Result::ok).collect())
}

/// What a call is about, and the members of sets among it.
pub(super) fn want_sets(wanted: &mut Wanted, call: &Call) {
    wanted.about.get_or_insert_default().extend(call.intends.keys().chain(call.expects.keys()).cloned());
    for attribute in call.intends.keys().chain(call.expects.keys()) {
        if let (Some(set), Some(member)) = (attribute.set(), attribute.member()) {
            wanted.members.entry(set).or_default().insert(member.to_owned());
        }
    }
}

pub(super) fn want_holders(wanted: &mut Wanted, call: &Call) {
    for (attribute, value) in &call.expects {
        if let Some(text) = value.as_text() {
            wanted.holding.entry(attribute.clone()).or_default().insert(text.to_owned());
        }
    }
}
