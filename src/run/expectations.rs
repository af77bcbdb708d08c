//! After the write: what accounts should come to hold by themselves, and whether they do.
//!
//! A run that changes somebody where she signs in leaves the copies to her next sign-in. What it leaves is kept as
//! expectations, each with a deadline; whoever looks at such an account afterwards compares. Comparing is pure, so a dry
//! run can tell what it saw and only those who may write close anything. Nothing here decides what follows: the plan did.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::{RunError, fleet::Fleet, own, tokens::bearers};
use crate::{
    connector::ConnectorError,
    model::{
        account::{Account, Wanted},
        attribute::{AttributeName, Value},
        id::{AccountId, CallId, PersonId, SystemName},
        plan::{Decision, Plan, PlannedChange},
    },
    plan::Providers,
    state::expectation::{Ending, Expectation, FollowUps, Sight},
};

/// How long a value may take to come by itself where nothing is said.
pub(crate) const USUAL: Duration = Duration::from_hours(30 * 24);

/// The time that deadlines are judged by: now, or the beginning of the day that is said to be today.
pub(crate) fn moment(today: Option<Date>, now: Timestamp) -> Timestamp {
    today.and_then(|day| day.to_zoned(TimeZone::system()).ok()).map_or(now, |begins| begins.timestamp())
}

/// What a run that was carried out leaves to come by itself. `is_done` tells which calls had their effect, `open` is what
/// earlier runs left; `now` is the time for the store, ISO 8601.
pub(crate) fn left_behind(
    plan: &Plan,
    is_done: &dyn Fn(&CallId) -> bool,
    fleet: &Fleet,
    open: &[Expectation],
    run: i64,
    now: &str,
) -> FollowUps {
    let follows: Vec<&PlannedChange> =
        plan.changes.iter().filter(|change| change.decision == Decision::Follow).collect();
    if follows.is_empty() && open.is_empty() {
        return FollowUps::default();
    }
    let mut changes: BTreeMap<Cell<'_>, Vec<&PlannedChange>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry((&change.person, &change.system, &change.attribute)).or_default().push(change);
    }
    let desk = Desk { changes, is_done, fleet };
    let caused = follows.into_iter().filter(|change| desk.is_caused(change));
    let made: Vec<Expectation> = caused.filter_map(|change| desk.expectation(change, run, now)).collect();
    let renewed: BTreeSet<_> = made.iter().map(|one| (&one.system, &one.account, &one.attribute)).collect();
    let is_renewed = |old: &Expectation| renewed.contains(&(&old.system, &old.account, &old.attribute));
    let withdrawn = open.iter().filter(|old| desk.is_moot(old, run) && !is_renewed(old)).map(|old| old.id).collect();
    FollowUps { made, withdrawn }
}

/// One attribute of one person at one system.
type Cell<'a> = (&'a PersonId, &'a SystemName, &'a AttributeName);

struct Desk<'a> {
    changes: BTreeMap<Cell<'a>, Vec<&'a PlannedChange>>,
    is_done: &'a dyn Fn(&CallId) -> bool,
    fleet: &'a Fleet,
}

impl Desk<'_> {
    /// The attribute at the system a value comes from: the same, or the whole name where only parts of it have names here
    /// (`mattermost.md` 6).
    fn source_of(&self, from: &SystemName, attribute: &AttributeName) -> AttributeName {
        let whole = AttributeName::new("display_name");
        let knows =
            |name: &AttributeName| self.fleet.capabilities(from).is_some_and(|table| table.of(from, name).is_some());
        if !knows(attribute) && knows(&whole) { whole } else { attribute.clone() }
    }

    fn is_carried_out(&self, change: &PlannedChange) -> bool {
        change.decision == Decision::Apply && change.call.as_ref().is_some_and(self.is_done)
    }

    /// True where what it comes from is there now: it was before, or every change that brings it there was made.
    fn is_caused(&self, follow: &PlannedChange) -> bool {
        let Some(from) = &follow.belongs_to else { return false };
        let source = self.source_of(from, &follow.attribute);
        let mut there = self.changes.get(&(&follow.person, from, &source)).into_iter().flatten();
        // What was refused or held there is in the way only where it is what should come.
        let is_beside = |change: &PlannedChange| {
            let says_other = source == follow.attribute && !self.is_same(follow, &change.after);
            change.decision == Decision::Unchanged || (change.decision != Decision::Apply && says_other)
        };
        there.all(|change| is_beside(change) || self.is_carried_out(change))
    }

    fn is_same(&self, follow: &PlannedChange, value: &Value) -> bool {
        let stored = |value| self.fleet.normalize(&follow.system, &follow.attribute, value);
        stored(value) == stored(&follow.after)
    }

    fn expectation(&self, follow: &PlannedChange, run: i64, now: &str) -> Option<Expectation> {
        let within = self.fleet.members.get(&follow.system)?.follows_within;
        let made: Timestamp = now.parse().ok()?;
        let deadline = SignedDuration::try_from(within).ok().and_then(|within| made.checked_add(within).ok());
        Some(Expectation {
            id: 0,
            person: follow.person.clone(),
            system: follow.system.clone(),
            account: follow.account.clone()?,
            attribute: follow.attribute.clone(),
            from: follow.belongs_to.clone(),
            before: follow.before.clone(),
            value: follow.after.clone(),
            when: follow.when.clone().unwrap_or_default(),
            run,
            made: now.to_owned(),
            deadline: deadline.unwrap_or(Timestamp::MAX).to_string(),
            became: None,
            ended: None,
        })
    }

    /// True where what an earlier run than this one left to come was changed again at the system it comes from.
    fn is_moot(&self, old: &Expectation, run: i64) -> bool {
        let Some(from) = old.from.as_ref().filter(|_| old.run < run) else { return false };
        let source = self.source_of(from, &old.attribute);
        let stored = |value: &Value| self.fleet.normalize(&old.system, &old.attribute, value);
        let is_of_it = |change: &PlannedChange| match (change.after.as_text(), old.value.as_text()) {
            // A part of a name is still to come where the whole of it still has this part.
            (Some(whole), Some(part)) if source != old.attribute => whole.contains(part),
            _ => stored(&change.after) == stored(&old.value),
        };
        let mut changes = self.changes.get(&(&old.person, from, &source)).into_iter().flatten();
        changes.any(|change| self.is_carried_out(change) && !is_of_it(change))
    }
}

/// An open expectation, with what its account was seen to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) expectation: Expectation,
    pub(crate) held: Held,
}

/// What was seen of an account of which something is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It was not looked at.
    Unseen,
    /// What was expected.
    Expected,
    /// What it held before.
    AsBefore,
    /// Neither of them.
    Other(Value),
    /// There is no such account.
    Gone,
}

/// Compares what is expected with accounts as they were seen. Whoever was not seen may be there.
pub(crate) fn compare<'a>(
    open: &[Expectation],
    shown: impl IntoIterator<Item = &'a Account>,
    fleet: &Fleet,
) -> Vec<Compared> {
    if open.is_empty() {
        return Vec::new();
    }
    let with_id = |account: &'a Account| Some(((&account.system, account.id.as_ref()?), account));
    let shown: BTreeMap<(&SystemName, &AccountId), &Account> = shown.into_iter().filter_map(with_id).collect();
    let compared = open.iter().map(|one| {
        let stored = |value| fleet.normalize(&one.system, &one.attribute, value);
        let account = shown.get(&(&one.system, &one.account));
        // What could not be read is not what is empty.
        let held = account.and_then(|account| account.attributes.get(&one.attribute)).map(stored);
        let held = match held {
            None => Held::Unseen,
            Some(held) if held == stored(&one.value) => Held::Expected,
            Some(held) if held == stored(&one.before) => Held::AsBefore,
            Some(held) => Held::Other(held),
        };
        Compared { expectation: one.clone(), held }
    });
    compared.collect()
}

/// Looks at the accounts of which something is expected, by their ids alone, all systems side by side. Systems that could
/// not be read are named with why, and nothing is compared there.
pub(crate) async fn look(open: &[Expectation], fleet: &Fleet) -> (Vec<Compared>, Vec<(SystemName, ConnectorError)>) {
    let mut wanted: BTreeMap<&SystemName, Wanted> = BTreeMap::new();
    for one in open {
        wanted.entry(&one.system).or_default().ids.insert(one.account.clone());
    }
    let asked = wanted.iter().filter_map(|(system, wanted)| {
        let member = fleet.members.get(*system).filter(|member| member.keyring.is_none())?;
        Some(async move { (*system, member.observe(wanted).await) })
    });
    let (mut shown, mut read, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (system, answer) in join_all(asked).await {
        match answer {
            Ok(observed) => {
                shown.extend(observed.accounts);
                read.push(system.clone());
            }
            Err(fault) => faults.push((system.clone(), fault)),
        }
    }
    let systems: Vec<&SystemName> = wanted.keys().copied().collect();
    for (system, member, keyring) in systems.into_iter().filter_map(|system| {
        let (member, keyring) = fleet.keyed(system)?;
        Some((system, member, keyring))
    }) {
        let people: BTreeSet<&PersonId> =
            open.iter().filter(|one| one.system == *system).map(|one| &one.person).collect();
        // Whose token shows nothing is not gone: she was not seen.
        match own::open(system, member, keyring, &bearers(people, []), true).await {
            Ok(opened) => shown.extend(opened.accounts.into_values().filter_map(Result::ok)),
            Err(RunError::Unread { source, .. } | RunError::UnreadByPeople { source, .. }) => {
                faults.push((system.clone(), *source));
            }
            Err(error) => {
                let what = format!("nothing, for it was not asked: {error}");
                faults.push((system.clone(), ConnectorError::Strange { system: system.clone(), what }));
            }
        }
    }
    let mut compared = compare(open, &shown, fleet);
    for one in compared.iter_mut().filter(|one| one.held == Held::Unseen) {
        let Expectation { system, account, .. } = &one.expectation;
        let is_shown = shown.iter().any(|other| other.system == *system && other.id.as_ref() == Some(account));
        // It was asked for by its id, and whoever is there is shown.
        if read.contains(system) && !is_shown {
            one.held = Held::Gone;
        }
    }
    (compared, faults)
}

/// True where it should have come by now.
pub(crate) fn is_overdue(expectation: &Expectation, now: Timestamp) -> bool {
    expectation.ended.is_none() && expectation.deadline.parse::<Timestamp>().is_ok_and(|deadline| deadline < now)
}

impl Compared {
    /// What to write down; nothing where nothing is new.
    fn sights(&self, now: Timestamp) -> Vec<Sight> {
        match &self.held {
            Held::Unseen => Vec::new(),
            Held::Expected => vec![Sight::Over(Ending::Met)],
            Held::Gone => vec![Sight::Over(Ending::Gone)],
            Held::AsBefore => self.expectation.became.iter().map(|_| Sight::AsBefore).collect(),
            Held::Other(value) => {
                let became = self.is_news().then(|| Sight::Became(value.clone()));
                let over = is_overdue(&self.expectation, now).then_some(Sight::Over(Ending::Instead));
                became.into_iter().chain(over).collect()
            }
        }
    }

    /// True where something else is seen than was seen the last time.
    pub(crate) fn is_news(&self) -> bool {
        match &self.held {
            Held::Unseen => false,
            Held::Expected | Held::Gone => true,
            Held::AsBefore => self.expectation.became.is_some(),
            Held::Other(value) => self.expectation.became.as_ref() != Some(value),
        }
    }
}

/// What is to be written down of what was seen, by the numbers of the expectations.
pub(crate) fn sights(compared: &[Compared], now: Timestamp) -> Vec<(i64, Sight)> {
    let of_one =
        |one: &Compared| one.sights(now).into_iter().map(|sight| (one.expectation.id, sight)).collect::<Vec<_>>();
    compared.iter().flat_map(of_one).collect()
}
