//! Explaining: why each attribute of a person is at each system as it is, and what would change that.
//!
//! A plan says what was decided. Here everything it was made of is still at hand, so what is not in a plan can be told
//! too, and every "it would be otherwise if" is found out by really deciding again. Nothing here writes anything.
//!
//! ```text
//! suppose    one person decided again, with something supposed to be otherwise
//! search     the smallest supposition that changes a cell
//! whom       finding the person that somebody means
//! telling    the explanation, as data
//! recalled   what a saved plan or a past run still tells
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    RunError,
    fleet::Fleet,
    gather::{self, Given, Said},
    observe::{Shown, observe},
    prepare::{Desk, Owning, decide_for, holders, settle},
};
use crate::{
    model::{
        account::{Facts, Identity},
        attribute::{AttributeName, Value},
        capability::Unique,
        id::{AccountId, PersonId, SystemName},
        plan::{Decision, Home, Plan, PlannedChange},
        record::{Rejected, Statement},
    },
    plan::{Providers, decide::Decided, folded, guard::protect, order::Holders, why::Case},
};

pub(crate) mod recalled;
pub(crate) mod search;
mod suppose;
pub(crate) mod telling;
#[cfg(test)]
mod tests;
pub(crate) mod whom;

/// One attribute at one system.
pub(crate) type Cell = (AttributeName, SystemName);

/// Something that could be otherwise. Facts about the world come before what the rules say, and each sort in the order in
/// which it is worth telling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact {
    /// A fact of an account, such as `auth_service`; empty: there is no such fact.
    Account { system: SystemName, name: String, value: Value },
    /// An account does not sign in with another one.
    NoSignIn { system: SystemName, identity: Identity },
    /// There is an account, or there is none.
    Exists { system: SystemName, exists: bool },
    /// A source says something else; `None`: it says nothing of it.
    Says { source: SystemName, attribute: AttributeName, value: Option<Value> },
    /// A source that tells changes had shown another value before.
    Anew { source: SystemName, attribute: AttributeName },
    /// A source speaks of the person in this run as it did before.
    Speaks { source: SystemName },
    /// An account holds something else.
    Holds { system: SystemName, attribute: AttributeName, value: Value },
    /// Whoever has the name gives it up.
    Freed { system: SystemName, attribute: AttributeName, name: String },
    /// Somebody else's records do not ask for anything.
    Waived { person: PersonId },
    /// It is certain who this person is.
    Sure,
    /// A fact of the server; empty: there is no such fact.
    Server { system: SystemName, name: String, value: Value },
    /// `limits.protected` names the account, or does not.
    Protected { system: SystemName, protected: bool },
    /// An `account` line wants an account there, or wants none.
    Wanted { system: SystemName, wanted: bool },
    /// A `copies` line brings the attribute there, or none does.
    Copied { attribute: AttributeName, system: SystemName, copied: bool },
    /// An `owner` line gives the attribute to another system.
    Owner { attribute: AttributeName, system: SystemName },
    /// No `route` and no `refused` line answers.
    Unrouted,
}

/// What was read for an explanation.
pub(crate) struct Gathered {
    said: Said,
    shown: Shown,
    homes: BTreeMap<SystemName, Home>,
    /// How inputs were read.
    pub(crate) notes: Vec<String>,
}

/// Reads inputs and providers.
pub(crate) async fn gather(desk: &Desk<'_>, given: &[Given], fleet: &mut Fleet) -> Result<Gathered, RunError> {
    let mut said = gather::read(given, desk.sources, desk.rules, desk.memory, None)?;
    let shown = observe(&said, desk.memory, desk.rules.policy(), fleet).await?;
    let notes = std::mem::take(&mut said.notes);
    Ok(Gathered { said, shown, homes: fleet.homes(), notes })
}

/// Everything an explanation is made of: all people with what was decided for them, and what is known of the others that
/// they may meet.
pub(crate) struct Material<'a> {
    desk: &'a Desk<'a>,
    fleet: &'a Fleet,
    pub(crate) plan: Plan,
    pub(crate) people: Vec<Owning>,
    /// What was decided for each of the people before they met each other.
    decided: Vec<Vec<Decided>>,
    /// Attributes that have an owner line.
    attributes: Arc<BTreeSet<AttributeName>>,
    holders: Holders,
    /// Who wants which unique value.
    wants: BTreeMap<Cell, BTreeMap<String, Vec<usize>>>,
    /// Who gives up the unique value of an account.
    movers: BTreeMap<(Cell, AccountId), usize>,
    /// Where each person's changes stand in the plan.
    spans: BTreeMap<PersonId, std::ops::Range<usize>>,
    /// Rows that could not be used, by source and key.
    pub(crate) unused: BTreeMap<(SystemName, Arc<str>), Rejected>,
    /// Whom each source has shown in earlier runs.
    before: BTreeSet<(SystemName, Arc<str>)>,
    /// Values that facts of accounts have, a few of each.
    usual: BTreeMap<SystemName, BTreeMap<String, BTreeMap<Value, u64>>>,
    /// Texts that rules hold values against, by the name of the value.
    compared: BTreeMap<String, BTreeSet<String>>,
}

/// So many values of one fact are remembered as usual.
const USUAL: usize = 6;

impl<'a> Material<'a> {
    /// Decides everything, as a plan does, and keeps what a plan throws away.
    pub(crate) fn new(desk: &'a Desk<'a>, gathered: Gathered, fleet: &'a Fleet) -> Result<Self, RunError> {
        let Gathered { mut said, shown, homes, notes: _ } = gathered;
        let unused = std::mem::take(&mut said.unused);
        let mut people = Vec::new();
        let plan = settle(desk, said, &shown, fleet, homes, Some(&mut |judged| people.push(judged)))?;
        let policy = desk.rules.policy();
        let attributes = Arc::new(policy.owned());
        let mut decided = Vec::with_capacity(people.len());
        for judged in &people {
            let mut own = decide_for(judged.person.clone(), desk.rules, &attributes, fleet)?.changes;
            protect(&mut own, &mut [], desk.limits);
            decided.push(own);
        }
        let mut spans: BTreeMap<PersonId, std::ops::Range<usize>> = BTreeMap::new();
        for (at, change) in plan.changes.iter().enumerate() {
            spans.entry(change.person.clone()).or_insert(at..at).end = at + 1;
        }
        let before = desk.memory.seen.iter().map(|seen| (seen.system.clone(), Arc::clone(&seen.key))).collect();
        let mut material = Self {
            desk,
            fleet,
            plan,
            people,
            decided: Vec::new(),
            attributes,
            holders: holders(&shown, fleet),
            wants: BTreeMap::new(),
            movers: BTreeMap::new(),
            spans,
            unused,
            before,
            usual: usual(&shown),
            compared: desk.rules.compared(),
        };
        for (at, own) in decided.iter().enumerate() {
            let moves: Vec<_> = own.iter().filter_map(|one| material.unique_move(one)).collect();
            for (cell, wanted, account) in moves {
                if let Some(account) = account {
                    material.movers.insert((cell.clone(), account), at);
                }
                material.wants.entry(cell).or_default().entry(wanted).or_default().push(at);
            }
        }
        material.decided = decided;
        Ok(material)
    }

    /// What was decided for one of the people.
    pub(crate) fn changes(&self, at: usize) -> &[PlannedChange] {
        let span = self.people.get(at).and_then(|judged| self.spans.get(&judged.person.id));
        span.map(|span| &self.plan.changes[span.clone()]).unwrap_or_default()
    }

    /// One of the people with what was decided, to ask why.
    pub(crate) fn case<'c>(&'c self, at: usize, known_before: &'c dyn Fn(&Statement) -> bool) -> Case<'c> {
        let Owning { person, ownership } = &self.people[at];
        let (policy, providers) = (self.desk.rules.policy(), self.fleet);
        Case { person, ownership, policy, providers, changes: self.changes(at), known_before }
    }

    /// Whether a source has shown this person in an earlier run.
    pub(crate) fn known_before(&self, said: &Statement) -> bool {
        self.before.contains(&(said.system.clone(), Arc::clone(&said.key)))
    }

    /// Every cell of one of the people: whatever is owned, spoken of or decided, at every configured system.
    pub(crate) fn cells(&self, at: usize) -> Vec<Cell> {
        let person = &self.people[at].person;
        let policy = self.desk.rules.policy();
        let mut attributes = BTreeSet::clone(&self.attributes);
        attributes.extend(person.statements.iter().flat_map(|said| said.values.keys().cloned()));
        attributes.extend(self.changes(at).iter().map(|change| change.attribute.clone()));
        attributes.extend((!policy.accounts.is_empty()).then(|| AttributeName::new("active")));
        for (set, range) in &policy.ranges {
            attributes.extend(range.members.iter().map(|member| AttributeName::member_of(set, member)));
        }
        // A set itself is no attribute that could have a value; its members are.
        attributes.retain(|attribute| !self.is_set(attribute));
        let systems: BTreeSet<&SystemName> = self.fleet.members.keys().chain(self.fleet.sources.keys()).collect();
        let of = |attribute: AttributeName| systems.iter().map(move |system| (attribute.clone(), (*system).clone()));
        attributes.into_iter().flat_map(of).collect()
    }

    fn is_set(&self, attribute: &AttributeName) -> bool {
        let Some(system) = attribute.system().filter(|_| attribute.member().is_none()) else { return false };
        let row = self.fleet.capabilities(&system).and_then(|table| table.of(&system, attribute));
        row.is_some_and(|row| row.set.is_some())
    }

    /// The decisions about a cell, each once; none where nothing happens.
    pub(crate) fn decisions(changes: &[PlannedChange], (attribute, system): &Cell) -> BTreeSet<Decision> {
        let of_cell = changes.iter().filter(|change| change.attribute == *attribute && change.system == *system);
        of_cell.map(|change| change.decision).collect()
    }

    /// Where a change takes a unique value: which, and of which account.
    fn unique_move(&self, one: &Decided) -> Option<(Cell, String, Option<AccountId>)> {
        let planned = &one.planned;
        if planned.decision != Decision::Apply {
            return None;
        }
        let row = self.fleet.capabilities(&planned.system)?.of(&planned.system, &planned.attribute)?;
        if row.unique == Unique::No {
            return None;
        }
        Some(((planned.attribute.clone(), planned.system.clone()), folded(&planned.after)?, planned.account.clone()))
    }

    /// The facts that an account of a system most often has.
    fn usual_facts(&self, system: &SystemName) -> Facts {
        let of_system = self.usual.get(system).into_iter().flatten();
        let most = of_system.filter_map(|(name, values)| {
            let (value, _) = values.iter().max_by_key(|(value, times)| (**times, std::cmp::Reverse(*value)))?;
            Some((name.clone(), value.clone()))
        });
        most.collect()
    }
}

fn usual(shown: &Shown) -> BTreeMap<SystemName, BTreeMap<String, BTreeMap<Value, u64>>> {
    let mut usual: BTreeMap<SystemName, BTreeMap<String, BTreeMap<Value, u64>>> = BTreeMap::new();
    for account in shown.accounts.values().flatten() {
        let account = account.account();
        let of_system = usual.entry(account.system.clone()).or_default();
        for (name, value) in &account.facts {
            let values = of_system.entry(name.clone()).or_default();
            // Words and truths, and nothing that may be somebody's own, such as an address.
            let is_word = value.as_text().is_none_or(|text| !text.contains('@') && text.len() <= 40);
            if let Some(times) = values.get_mut(value) {
                *times += 1;
            } else if is_word && values.len() < USUAL {
                values.insert(value.clone(), 1);
            }
        }
    }
    usual
}
