//! Somebody's word on whose an account is: what stands against it, and what it overtakes.
//!
//! Whether she is right is not known here, only whether there is such an account, and whether anything that was planned
//! before would act on the opposite.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use futures::future::join_all;

use super::{RunError, fleet::Fleet, undo};
use crate::{
    model::{
        account::Wanted,
        finder::{Finder, digest},
        id::{AccountId, CallId, PersonId, SystemName},
        links::{Link, Links},
        plan::{Call, Plan, PlannedChange},
    },
    state::{Corrections, Memory, RunSummary, Store},
};

/// The person who is meant: whoever a name is tied to, or else whom it names.
pub(crate) fn meant(named: &PersonId, links: &Links) -> PersonId {
    let tie = links.iter().find(|link| *link.system == named.system && link.account == &*named.key);
    tie.map_or_else(|| named.clone(), |link| link.person.clone())
}

/// Which of these accounts are there, as providers show; where only people's own tokens open any, they may be.
///
/// # Errors
/// Where a provider cannot be read.
pub(crate) async fn are_there(
    accounts: BTreeSet<(SystemName, AccountId)>,
    fleet: &Fleet,
) -> Result<BTreeSet<(SystemName, AccountId)>, RunError> {
    let is_shown = |system: &SystemName| fleet.members.contains_key(system) && fleet.keyed(system).is_none();
    let (to_ask, mut there): (BTreeSet<_>, BTreeSet<_>) =
        accounts.into_iter().partition(|(system, _)| is_shown(system));
    let mut wanted: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    for (system, account) in to_ask {
        let wanted = wanted.entry(system).or_default();
        wanted.fresh = true;
        wanted.ids.insert(account);
    }
    let questions = wanted.iter().filter_map(|(system, wanted)| {
        let member = fleet.members.get(system)?;
        Some(async move { (system, wanted, member.observe(wanted).await) })
    });
    for (system, wanted, answer) in join_all(questions).await {
        let unread = |source| RunError::Unread { system: system.clone(), source: Box::new(source) };
        let shown = answer.map_err(unread)?.accounts;
        let shown: BTreeSet<&str> = shown.iter().filter_map(|account| account.id()).collect();
        let seen = wanted.ids.iter().filter(|account| shown.contains(account.as_str()));
        there.extend(seen.map(|account| (system.clone(), account.clone())));
    }
    Ok(there)
}

/// A run that waits for somebody and is about this person or this account there: what it was planned on would not hold any
/// more. One that was begun is not in the way: what it has not sent yet is looked at again.
///
/// # Errors
/// Where the store cannot be read.
pub(crate) fn still_wanted(store: &dyn Store, of: Link<'_>) -> Result<Option<RunSummary>, RunError> {
    for run in store.unsettled()? {
        // A record that is said to be hers may have been taken for a person.
        let is_record = |person: &PersonId| person.system == *of.system && *person.key == *of.account;
        let speaks = |plan: &Plan| {
            let asks = plan.changes.iter().any(|it| it.person == *of.person && it.asked_by.system == *of.system);
            asks || claims(plan).any(|it| is_about(it, of) || is_record(it.person))
        };
        if store.plan(run.id)?.is_some_and(|plan| speaks(&plan)) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// What people said of ties, where a plan claims something of them.
#[derive(Default)]
pub(crate) struct Objections<'m> {
    not_hers: BTreeSet<(&'m SystemName, &'m str, PersonId)>,
    /// The account of a person, and the person of an account.
    hers: BTreeMap<(&'m SystemName, PersonId), &'m str>,
    of: BTreeMap<(&'m SystemName, &'m str), PersonId>,
    /// The calls that a record or an account asks for which is hers no more.
    strange: BTreeSet<CallId>,
}

impl<'m> Objections<'m> {
    /// The words that count for a plan: none for one that takes back what a run did, to whomever that was.
    pub(crate) fn on(plan: &Plan, memory: &'m Memory) -> Self {
        let Corrections { hers, not_hers, .. } = &memory.corrections;
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
        let of: BTreeMap<(&SystemName, &str), PersonId> =
            hers.iter().map(|link| ((link.system, link.account), whose(link))).collect();
        // What was said not to be hers under another name, and then to be hers, is hers.
        let not_hers = not_hers.iter().map(|link| (link.system, link.account, whose(link)));
        let not_hers: BTreeSet<(&SystemName, &str, PersonId)> =
            not_hers.filter(|(system, account, person)| of.get(&(*system, *account)) != Some(person)).collect();
        // Where somebody has lost what she was tied to, and got nothing in its place.
        let people: BTreeSet<&PersonId> = not_hers.iter().map(|(.., person)| person).collect();
        let ties = memory.links.iter().chain(plan.links.iter()).filter(|link| people.contains(link.person));
        let kept: BTreeSet<(&PersonId, &SystemName)> = ties
            .filter(|link| !not_hers.contains(&(link.system, link.account, link.person.clone())))
            .map(|link| (link.person, link.system))
            .collect();
        let lost: BTreeSet<(&PersonId, &SystemName)> =
            not_hers.iter().map(|(system, _, person)| (person, *system)).filter(|one| !kept.contains(one)).collect();
        // Her own record is none that anybody was told to be hers.
        let is_strange = |change: &PlannedChange| {
            let (person, asks) = (&change.person, &change.asked_by.system);
            person.system != *asks && lost.contains(&(person, asks))
        };
        let strange = plan.changes.iter().filter(|change| is_strange(change));
        let strange: BTreeSet<CallId> = strange.filter_map(|change| change.call.clone()).collect();
        Self {
            strange,
            not_hers,
            hers: hers.iter().map(|link| ((link.system, whose(link)), link.account)).collect(),
            of,
        }
    }

    /// True where an account is said to be another one's, or not to be this person's and to be nobody's. Where it was said
    /// not to be hers under a name that she had no longer when it was said to be hers, it is.
    pub(crate) fn deny(&self, claim: Link<'_>) -> bool {
        match self.of.get(&(claim.system, claim.account)) {
            Some(person) => person != claim.person,
            None => self.not_hers.contains(&(claim.system, claim.account, claim.person.clone())),
        }
    }

    /// Whether somebody said otherwise than a call claims, or is asked for it by what is hers no more.
    pub(crate) fn stand_against(&self, call: &Call, is_there: &dyn Fn(&SystemName, &str) -> bool) -> bool {
        self.strange.contains(&call.id) || self.contradict(claim(call), is_there)
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
        self.deny(claim)
            || self.is_known_otherwise(claim.person)
            || self.other(claim).is_some_and(|account| is_there(claim.system, account))
    }

    /// True for a person who is named by a record that was said to be somebody else's.
    fn is_known_otherwise(&self, person: &PersonId) -> bool {
        !self.of.is_empty() && self.of.get(&(&person.system, &*person.key)).is_some_and(|other| other != person)
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
    let objections = Objections::on(plan, memory);
    let there = are_there(objections.to_look_for(plan), fleet).await?;
    let is_there = |system: &SystemName, account: &str| there.contains(&(system.clone(), account.into()));
    let call = plan.calls.iter().find(|call| objections.stand_against(call, &is_there)).map(claim);
    Ok(call.or_else(|| plan.links.iter().find(|link| objections.contradict(*link, &is_there))))
}

/// What a plan claims of a person, and who has it by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByNow {
    claimed: PersonId,
    /// Her account or her record.
    of: PersonId,
    person: PersonId,
}

impl ByNow {
    /// True where it is another person beyond doubt: one source has a key for each of them.
    pub(crate) fn is_another(&self) -> bool {
        self.person.system == self.claimed.system
    }
}

impl fmt::Display for ByNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claimed, of, person } = self;
        if of == claimed {
            write!(f, "{claimed} is known as {person} by now")
        } else {
            write!(f, "{}:{} is {person}'s by now, and not {claimed}'s", of.system, of.key)
        }
    }
}

/// People of a plan who are somebody else by now: a tie that was made since says so of their record, or of an account that the
/// plan holds to be theirs. What is changed of that account was planned for whoever has it; but an account that is made would
/// be one more, and a tie would part what belongs together. What takes a run back is about whomever that was.
pub(crate) fn tied_otherwise<'p>(plan: &'p Plan, links: &Links) -> BTreeMap<&'p PersonId, ByNow> {
    let mut otherwise = BTreeMap::new();
    if links.is_empty() || undo::takes_back(plan) {
        return otherwise;
    }
    let records = plan.calls.iter().map(|call| &call.person);
    let records = records.map(|person| Link { person, system: &person.system, account: &person.key });
    let mut claimed: Vec<Link<'_>> = claims(plan).filter(|claim| !claim.account.is_empty()).chain(records).collect();
    claimed.sort_unstable();
    claimed.dedup();
    let digests = claimed.iter().enumerate().map(|(at, claim)| (digest((claim.system.as_str(), claim.account)), at));
    let finder = Finder::new(claimed.len(), digests);
    for link in links.iter() {
        for claim in finder.of(digest((link.system.as_str(), link.account))).map(|at| claimed[at]) {
            if (claim.system, claim.account) == (link.system, link.account) && claim.person != link.person {
                otherwise.entry(claim.person).or_insert_with(|| ByNow {
                    claimed: claim.person.clone(),
                    of: PersonId { system: claim.system.clone(), key: claim.account.into() },
                    person: link.person.clone(),
                });
            }
        }
    }
    otherwise
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn person(name: &str) -> PersonId {
        PersonId::parse(name).unwrap_or_else(|| unreachable!("{name}"))
    }

    fn links(all: &[(&str, &str, &str)]) -> Links {
        let people: Vec<(PersonId, SystemName, &str)> =
            all.iter().map(|(name, system, account)| (person(name), (*system).into(), *account)).collect();
        people.iter().map(|(person, system, account)| Link { person, system, account }).collect()
    }

    #[test]
    fn whoever_has_what_a_plan_claims_by_now_is_told_and_who_has_what_is_hers_is_not() {
        let claimed = links(&[("hr/1", "directory", "d1"), ("hr/2", "directory", "d2"), ("hr/3", "website", "30")]);
        let plan = Plan { links: Arc::new(claimed), ..Plan::empty() };
        assert_eq!(tied_otherwise(&plan, &Links::default()), BTreeMap::new());
        let known =
            links(&[("hr/1", "directory", "d1"), ("website/20", "directory", "d2"), ("hr/3", "directory", "d3")]);
        let told: Vec<String> = tied_otherwise(&plan, &known).values().map(ToString::to_string).collect();
        assert_eq!(told, ["directory:d2 is website/20's by now, and not hr/2's"]);
    }

    #[test]
    fn what_was_planned_for_a_record_that_is_somebody_elses_by_now_is_contradicted() {
        let person = |system: &str, key: &str| PersonId { system: system.into(), key: key.into() };
        let (record, other, her) = (person("website", "7"), person("website", "8"), person("hr", "2"));
        let gitlab = SystemName::from("gitlab");
        let claim = |person| Link { person, system: &gitlab, account: "42" };
        let mut memory = Memory::default();
        memory.corrections.hers = [Link { person: &her, system: &record.system, account: "7" }].into_iter().collect();
        memory.links = memory.corrections.hers.clone();
        let plan = Plan::empty();
        let objections = Objections::on(&plan, &memory);
        let contradicted = [&record, &other, &her].map(|person| objections.contradict(claim(person), &|_, _| true));
        assert_eq!(contradicted, [true, false, false]);
    }
}
