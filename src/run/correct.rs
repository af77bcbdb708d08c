//! Somebody's word on whose an account is: what stands against it, and what it overtakes.
//!
//! Whether she is right is not known here, only whether there is such an account, and whether anything that was planned
//! before would act on the opposite.

use std::collections::{BTreeMap, BTreeSet};

use super::{RunError, fleet::Fleet, resume, undo};
use crate::{
    model::{
        account::Wanted,
        id::{AccountId, PersonId, SystemName},
        links::{Link, Links},
        plan::{Call, Plan},
    },
    state::{Corrections, Memory, RunSummary, Store},
};

/// The person who is meant: whoever a name is tied to, or else whom it names.
pub(crate) fn meant(named: &PersonId, links: &Links) -> PersonId {
    let tie = links.iter().find(|link| *link.system == named.system && link.account == &*named.key);
    tie.map_or_else(|| named.clone(), |link| link.person.clone())
}

/// Whether a provider shows an account of this id; true where only people's own tokens open any.
///
/// # Errors
/// Where the provider cannot be read.
pub(crate) async fn is_there(system: &SystemName, account: &AccountId, fleet: &Fleet) -> Result<bool, RunError> {
    let Some(member) = fleet.members.get(system).filter(|_| fleet.keyed(system).is_none()) else { return Ok(true) };
    let wanted = Wanted { ids: [account.clone()].into(), fresh: true, ..Wanted::default() };
    let unread = |source| RunError::Unread { system: system.clone(), source: Box::new(source) };
    let observed = member.observe(&wanted).await.map_err(unread)?;
    Ok(observed.accounts.iter().any(|it| it.id() == Some(account.as_str())))
}

/// A run that may still be carried out and is about this person or this account there: what it was planned on would not
/// hold any more.
///
/// # Errors
/// Where the store cannot be read.
pub(crate) fn still_wanted(store: &dyn Store, of: Link<'_>) -> Result<Option<RunSummary>, RunError> {
    let unfinished = resume::unfinished(store)?.into_iter().map(|it| it.run);
    for run in store.unsettled()?.into_iter().chain(unfinished) {
        if store.plan(run.id)?.is_some_and(|plan| claims(&plan).any(|it| is_about(it, of))) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// What people said of ties, where a plan claims something of them.
#[derive(Default)]
pub(crate) struct Words<'m> {
    not_hers: BTreeSet<(&'m SystemName, &'m str, PersonId)>,
    /// The account of a person, and the person of an account.
    hers: BTreeMap<(&'m SystemName, PersonId), &'m str>,
    of: BTreeMap<(&'m SystemName, &'m str), PersonId>,
}

impl<'m> Words<'m> {
    /// The words that count for a plan: none for one that takes back what a run did, to whomever that was.
    pub(crate) fn on(plan: &Plan, memory: &'m Memory) -> Self {
        let Corrections { hers, not_hers } = &memory.corrections;
        if undo::takes_back(plan) || hers.is_empty() && not_hers.is_empty() {
            return Self::default();
        }
        // Whoever was spoken of by the name that one source has for her may be known under that of another one since.
        let named: BTreeSet<&PersonId> = hers.iter().chain(not_hers.iter()).map(|link| link.person).collect();
        let mut known: BTreeMap<PersonId, PersonId> = BTreeMap::new();
        for link in memory.links.iter().chain(plan.links.iter()) {
            let name = PersonId { system: link.system.clone(), key: link.account.into() };
            if named.contains(&name) {
                known.insert(name, link.person.clone());
            }
        }
        let whose = |link: Link<'m>| known.get(link.person).unwrap_or(link.person).clone();
        Self {
            not_hers: not_hers.iter().map(|link| (link.system, link.account, whose(link))).collect(),
            hers: hers.iter().map(|link| ((link.system, whose(link)), link.account)).collect(),
            of: hers.iter().map(|link| ((link.system, link.account), whose(link))).collect(),
        }
    }

    /// True where an account is said not to be this person's, or to be another one's.
    fn denies(&self, claim: Link<'_>) -> bool {
        self.not_hers.contains(&(claim.system, claim.account, claim.person.clone()))
            || self.of.get(&(claim.system, claim.account)).is_some_and(|person| person != claim.person)
    }

    /// The account that is said to be this person's, where that is another one than is claimed. It may be gone.
    fn other(&self, claim: Link<'_>) -> Option<&'m str> {
        let said = self.hers.get(&(claim.system, claim.person.clone()));
        said.copied().filter(|account| *account != claim.account)
    }

    /// The accounts that have to be looked for before it is known whether what this plan claims is contradicted.
    pub(crate) fn to_look_for(&self, plan: &Plan) -> BTreeSet<(SystemName, AccountId)> {
        if self.hers.is_empty() {
            return BTreeSet::new();
        }
        claims(plan).filter_map(|claim| Some((claim.system.clone(), self.other(claim)?.into()))).collect()
    }

    /// Whether somebody said otherwise than is claimed. An account that is not there any more is nobody's.
    pub(crate) fn contradict(&self, claim: Link<'_>, is_there: &dyn Fn(&SystemName, &str) -> bool) -> bool {
        self.denies(claim) || self.other(claim).is_some_and(|account| is_there(claim.system, account))
    }
}

/// What a plan claims that somebody contradicts: it was made before she said so.
///
/// # Errors
/// Where a provider cannot be read.
pub(crate) async fn overtaken<'p>(
    plan: &'p Plan,
    memory: &Memory,
    fleet: &Fleet,
) -> Result<Option<Link<'p>>, RunError> {
    let words = Words::on(plan, memory);
    let mut there = BTreeSet::new();
    for (system, account) in words.to_look_for(plan) {
        if is_there(&system, &account, fleet).await? {
            there.insert((system, account));
        }
    }
    let is_there = |system: &SystemName, account: &str| there.contains(&(system.clone(), account.into()));
    Ok(claims(plan).find(|claim| words.contradict(*claim, &is_there)))
}

/// Which accounts a plan holds to be whose. One that is to be made has no id.
fn claims(plan: &Plan) -> impl Iterator<Item = Link<'_>> {
    plan.links.iter().chain(plan.calls.iter().map(claim))
}

/// What a call claims.
pub(crate) fn claim(call: &Call) -> Link<'_> {
    let account = call.account.as_ref().map_or("", AccountId::as_str);
    Link { person: &call.person, system: &call.system, account }
}

fn is_about(claim: Link<'_>, of: Link<'_>) -> bool {
    claim.system == of.system && (claim.person == of.person || claim.account == of.account)
}
