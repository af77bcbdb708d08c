//! The limits a plan has to pass before anything can run it.
//!
//! A broken export and a mass departure look the same from here: many people gone at once. So the executor takes a
//! [`GuardedPlan`], and this file is the only place that makes one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{
    behind::{leave_behind, to_go},
    decide::Decided,
    deeds::DecidedDeed,
};
use crate::model::{
    account::Account,
    attribute::AttributeName,
    id::{PersonId, SystemName},
    plan::{Decision, Input, Plan},
    policy::Objection,
    tally::{Tally, Touch, switches_off, tallies},
};

pub(crate) mod part;

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
    /// People with changes at one system, in millionths of the people there are; see [`History::people`].
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
    /// The same within each group of people.
    pub(crate) groups: Option<GroupLimits>,
    /// True where a source may switch off administrators.
    pub(crate) administrators: bool,
    /// Accounts that are never touched, by id or username in lower case; see [`protect`].
    pub(crate) protected: BTreeSet<(SystemName, String)>,
}

/// What a plan may do at most within each group of people. `None`: no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    /// People with the same value of it are a group; whoever has none is in none.
    pub(crate) attribute: AttributeName,
    pub(crate) changes: Option<Threshold>,
    pub(crate) removals: Option<Threshold>,
    pub(crate) creations: Option<Threshold>,
}

/// A limit with a floor, so that one leaver of ten does not stop a small list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// In millionths of the whole: of the people there are, where nothing else is said; see [`History::people`].
    pub(crate) share: u32,
    /// So many are always allowed.
    pub(crate) at_least: u64,
}

/// So many people may change at one system whatever the share says: a share of three people is no measure.
const ALWAYS_ALLOWED: u64 = 5;

impl Limits {
    /// The limit for this touch of people at one system.
    fn of(&self, touch: &Touch) -> Option<Threshold> {
        match touch {
            Touch::Changed => self.changes.map(|share| Threshold { share, at_least: ALWAYS_ALLOWED }),
            Touch::Removed => self.removals,
            Touch::Created => self.creations,
            Touch::Attribute(name) => self.attributes.get(name).copied(),
        }
    }

    /// The limit for this touch of people of one group at one system.
    fn within(&self, touch: &Touch) -> Option<Threshold> {
        let groups = self.groups.as_ref()?;
        match touch {
            Touch::Changed => groups.changes,
            Touch::Removed => groups.removals,
            Touch::Created => groups.creations,
            Touch::Attribute(_) => None,
        }
    }
}

/// What runs that were begun within the window did, and how many people there are. A limit holds for them and the plan
/// together, so that a hundred small runs cannot do what one may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    touched: BTreeMap<Place, BTreeSet<String>>,
    people: BTreeMap<SystemName, u64>,
    /// How long the window is, in words: `24h`.
    window: String,
}

/// How people are touched, where, and in which group; `None`: in all of them.
type Place = (Touch, SystemName, Option<String>);

impl History {
    /// What was counted within the window of this length, and the people known to have an account at each system.
    pub(crate) fn new(
        counted: impl IntoIterator<Item = Tally>,
        people: BTreeMap<SystemName, u64>,
        window: &str,
    ) -> Self {
        let mut touched: BTreeMap<Place, BTreeSet<String>> = BTreeMap::new();
        for Tally { touch, system, whom, person: _, group } in counted {
            if group.is_some() {
                touched.entry((touch.clone(), system.clone(), group)).or_default().insert(whom.clone());
            }
            touched.entry((touch, system, None)).or_default().insert(whom);
        }
        Self { touched, people, window: window.to_owned() }
    }

    /// Of how many people a share at this system is taken. One row that a website sends is about one person, and no
    /// measure: then it is of those who are known to have an account there.
    fn people(&self, plan: &Plan, system: &SystemName, group: Option<&String>) -> u64 {
        if let Some(group) = group {
            return plan.groups.as_ref().and_then(|groups| groups.people.get(group)).copied().unwrap_or_default();
        }
        plan.summary.people.max(self.people.get(system).copied().unwrap_or_default())
    }
}

/// More people touched at one system than a limit allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub(crate) touch: Touch,
    pub(crate) system: SystemName,
    /// The group it is about: attribute and value.
    pub(crate) group: Option<(AttributeName, String)>,
    /// How many people this plan and the runs of the window touch.
    pub(crate) count: u64,
    /// How many of them only the runs of the window do.
    pub(crate) earlier: u64,
    /// How long the window is.
    pub(crate) window: String,
    pub(crate) people: u64,
    pub(crate) allowed: u64,
    /// Everybody whom this plan touches.
    pub(crate) who: Vec<PersonId>,
}

impl Excess {
    /// The limit, by its key in `[limits]`.
    fn name(&self) -> &'static str {
        match (&self.touch, self.group.is_some()) {
            (Touch::Changed, false) => "changes",
            (Touch::Changed, true) => "groups.changes",
            (Touch::Removed, false) => "removals",
            (Touch::Removed, true) => "groups.removals",
            (Touch::Created, false) => "creations",
            (Touch::Created, true) => "groups.creations",
            (Touch::Attribute(_), _) => "attributes",
        }
    }

    /// The sentence; `within` tells which group it is about.
    fn told(&self, within: &str) -> String {
        let Self { touch, system, count, earlier, window, people, allowed, .. } = self;
        let what = match touch {
            Touch::Changed => format!("{count} of {people} people{within} would change at {system}"),
            Touch::Removed => format!("{count} of {people} people{within} would lose {system}"),
            Touch::Created => format!("{count} accounts would be made at {system} for {people} people{within}"),
            Touch::Attribute(attribute) => {
                format!("`{attribute}` of {count} of {people} people would change at {system}")
            }
        };
        let earlier = match earlier {
            0 => String::new(),
            earlier => format!(", {earlier} of them by runs of the last {window}"),
        };
        format!("{what}{earlier}; `limits.{}` allows {allowed}", self.name())
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = self.group.as_ref();
        f.write_str(&self.told(&group.map_or_else(String::new, |(name, value)| format!(" with `{name}` {value}"))))
    }
}

/// A limit that a plan would pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Tripped {
    #[error("{0}")]
    People(Excess),
    #[error(
        "{count} of {people} people that the last list of {source_name} held are not in this one; `limits.missing` allows {allowed}"
    )]
    Missing { source_name: SystemName, count: u64, people: u64, allowed: u64, who: Vec<PersonId> },
    #[error(
        "{count} of {people} people who had an account at {system} have none any more and would be given a new one; `limits.missing` allows {allowed}"
    )]
    Vanished { system: SystemName, count: u64, people: u64, allowed: u64, who: Vec<PersonId> },
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
    #[error("{file} ends where the last list of {source_name} went on: it may be cut off")]
    EndsEarly { source_name: SystemName, file: String },
    #[error("a rule holds this plan: {} ({})", .0.reason, .0.origin)]
    Rule(Objection),
}

impl Tripped {
    /// The system it is about, where it is about one: what concerns others need not wait for it.
    pub(crate) fn system(&self) -> Option<&SystemName> {
        if let Self::People(excess) = self { Some(&excess.system) } else { None }
    }

    /// The same for a log, which holds no value of anybody: neither a group's nor what a rule says in its own words.
    pub(crate) fn for_log(&self) -> String {
        match self {
            Self::People(excess) => {
                let group = excess.group.as_ref();
                excess.told(&group.map_or_else(String::new, |(name, _)| format!(" with one `{name}`")))
            }
            Self::Rule(objection) => format!("a rule holds this plan ({})", objection.origin),
            other => other.to_string(),
        }
    }

    /// What it is called by machines: the key in `[limits]`, or what else stands against the plan.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::People(excess) => excess.name(),
            Self::Missing { .. } | Self::Vanished { .. } => "missing",
            Self::Rejected { .. } => "rejected",
            Self::Differing { .. } => "differing",
            Self::CutOff { .. } => "cut_off",
            Self::EndsEarly { .. } => "ends_early",
            Self::Rule(_) => "guard",
        }
    }

    /// How many were counted, and how many are allowed, where it is about a number.
    pub(crate) fn counts(&self) -> Option<(u64, u64)> {
        match self {
            Self::People(Excess { count, allowed, .. })
            | Self::Missing { count, allowed, .. }
            | Self::Vanished { count, allowed, .. }
            | Self::Rejected { count, allowed, .. }
            | Self::Differing { count, allowed, .. } => Some((*count, *allowed)),
            Self::CutOff { .. } | Self::EndsEarly { .. } | Self::Rule(_) => None,
        }
    }

    /// Everybody it is about, as far as it names people.
    pub(crate) fn who(&self) -> &[PersonId] {
        match self {
            Self::People(Excess { who, .. }) | Self::Missing { who, .. } | Self::Vanished { who, .. } => who,
            Self::Rejected { .. }
            | Self::CutOff { .. }
            | Self::Differing { .. }
            | Self::EndsEarly { .. }
            | Self::Rule(_) => &[],
        }
    }
}

/// A plan that somebody approved, or that was begun before with nothing against it: whatever held it is settled. Protected
/// accounts stay protected.
pub(crate) fn approved(plan: Plan, limits: &Limits) -> GuardedPlan {
    GuardedPlan { plan, protected: limits.protected.clone() }
}

/// Judges a plan, together with what runs of the window did. Everything that trips is told, not only the first.
///
/// `objections` are what the `guard` lines of the rules say to it.
pub(crate) fn guard(
    plan: Plan,
    limits: &Limits,
    history: &History,
    objections: Vec<Objection>,
) -> Result<GuardedPlan, Vec<Tripped>> {
    let mut tripped: Vec<Tripped> = objections.into_iter().map(Tripped::Rule).collect();
    tripped.extend(excesses(&plan, limits, history).into_iter().map(Tripped::People));
    tripped.extend(plan.inputs.iter().flat_map(|input| of_input(input, limits)));
    tripped.extend(of_accounts(&plan, limits));
    if tripped.is_empty() { Ok(approved(plan, limits)) } else { Err(tripped) }
}

/// Where a system shows too few of the accounts that it had: it may be another server, or what was put back from before.
/// All waits then: whoever leaves would count as gone at a system that does not show her.
fn of_accounts(plan: &Plan, limits: &Limits) -> Vec<Tripped> {
    let Some(threshold) = limits.missing else { return Vec::new() };
    let vanished = plan.vanished.iter().filter_map(|(system, here)| {
        let allowed = allowed(threshold.share, here.of, threshold.at_least);
        let count = here.people.len() as u64;
        let who = || here.people.clone();
        let (system, people) = (system.clone(), here.of);
        (count > allowed).then(|| Tripped::Vanished { system, count, people, allowed, who: who() })
    });
    vanished.collect()
}

/// Where a plan, with what was done before it, would touch more people than a limit allows.
fn excesses(plan: &Plan, limits: &Limits, history: &History) -> Vec<Excess> {
    let mut touched: BTreeMap<Place, BTreeMap<String, PersonId>> = BTreeMap::new();
    for Tally { touch, system, whom, person, group } in tallies(plan) {
        if group.is_some() {
            let place = (touch.clone(), system.clone(), group);
            touched.entry(place).or_default().insert(whom.clone(), person.clone());
        }
        touched.entry((touch, system, None)).or_default().insert(whom, person);
    }
    let nobody = BTreeSet::new();
    let excess = |(place, mine): (Place, BTreeMap<String, PersonId>)| {
        let before = history.touched.get(&place).unwrap_or(&nobody);
        let (touch, system, group) = place;
        let threshold = if group.is_some() { limits.within(&touch)? } else { limits.of(&touch)? };
        let people = history.people(plan, &system, group.as_ref());
        let group = plan.groups.as_ref().zip(group).map(|(groups, value)| (groups.attribute.clone(), value));
        let allowed = allowed(threshold.share, people, threshold.at_least);
        // Whoever was touched already is touched no more than that, as long as it is no more than one run may do.
        if mine.len() as u64 <= allowed && mine.keys().all(|whom| before.contains(whom)) {
            return None;
        }
        let earlier = before.iter().filter(|whom| !mine.contains_key(*whom)).count() as u64;
        let count = earlier + mine.len() as u64;
        // Some of them may be known to nobody yet.
        let people = people.max(count);
        let who: BTreeSet<PersonId> = mine.into_values().collect();
        let (window, who) = (history.window.clone(), who.into_iter().collect());
        (count > allowed).then_some(Excess { touch, system, group, count, earlier, window, people, allowed, who })
    };
    touched.into_iter().filter_map(excess).collect()
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
            let who = list.missing.iter().map(person).collect();
            let (source_name, people) = (source_name.clone(), list.before);
            tripped.push(Tripped::Missing { source_name, count, people, allowed, who });
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
        tripped.push(Tripped::EndsEarly { source_name: source_name.clone(), file: input.file.clone() });
    }
    if list.is_cut_off {
        tripped.push(Tripped::CutOff { source_name, file: input.file.clone() });
    }
    tripped
}

const PROTECTED: &str = "the account is protected by `limits.protected`";

/// Holds every change of a protected account, and every operation on one: administrators and emergency accounts are no
/// feed's to change.
pub(crate) fn protect(decided: &mut [Decided], deeds: &mut [DecidedDeed], limits: &Limits) {
    for one in deeds.iter_mut().filter(|one| one.planned.decision == Decision::Apply) {
        let Some(account) = &one.account else { continue };
        if is_protected(account, &limits.protected) {
            one.planned.decision = Decision::Hold;
            one.planned.side_effect = None;
            one.request = None;
            PROTECTED.clone_into(&mut one.planned.reason);
        }
    }
    let were_to_go = to_go(decided);
    for one in decided.iter_mut().filter(|one| one.planned.decision == Decision::Apply) {
        if is_protected(&one.account, &limits.protected) {
            one.planned.stop(Decision::Hold, None, PROTECTED.to_owned());
        } else if !limits.administrators && switches_off(&one.planned) && one.account.is("is_admin") {
            let system = &one.planned.system;
            let reason = format!(
                "an administrator of {system} is not switched off by a source: look first (`limits.administrators`)"
            );
            one.planned.stop(Decision::Hold, None, reason);
        }
    }
    leave_behind(decided, &were_to_go);
}

/// True where the account is on the list, by its id or by the username it has now.
pub(crate) fn is_protected(account: &Account, protected: &BTreeSet<(SystemName, String)>) -> bool {
    let named = |name: &str| protected.contains(&(account.system.clone(), name.to_lowercase()));
    let username = account.value(&AttributeName::new("username"));
    account.id.as_ref().is_some_and(|id| named(id.as_str())) || username.as_text().is_some_and(named)
}

/// So many people, rounded down, and never fewer than the floor.
fn allowed(share: u32, people: u64, at_least: u64) -> u64 {
    let part = u128::from(people) * u128::from(share) / 1_000_000;
    u64::try_from(part).unwrap_or(u64::MAX).max(at_least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tally::removing;

    /// What a plan trips after those before it, where so many may go.
    fn tripped(plan: &Plan, before: &[Plan], at_least: u64) -> Vec<String> {
        let limits = Limits { removals: Some(Threshold { share: 0, at_least }), ..Limits::default() };
        let history = History::new(before.iter().flat_map(tallies), BTreeMap::new(), "24h");
        let judged = guard(plan.clone(), &limits, &history, Vec::new());
        judged.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_earlier_runs_did_counts_and_the_same_people_count_once() {
        assert_eq!(tripped(&removing(0..3), &[removing(10..12)], 5), Vec::<String>::new());
        assert_eq!(tripped(&removing(0..3), &[removing(1..5), removing(2..5)], 5), Vec::<String>::new());
        assert_eq!(
            tripped(&removing(0..3), &[removing(10..12), removing(11..13)], 5),
            ["6 of 6 people would lose gitlab, 3 of them by runs of the last 24h; `limits.removals` allows 5"]
        );
    }

    #[test]
    fn a_run_that_broke_off_may_be_done_again_whatever_others_did_meanwhile() {
        assert_eq!(tripped(&removing(0..3), &[removing(0..3), removing(10..14)], 5), Vec::<String>::new());
    }

    #[test]
    fn a_plan_that_names_one_person_for_many_accounts_takes_as_many_accounts() {
        let mut plan = removing(0..6);
        for change in &mut plan.changes {
            change.person = PersonId { system: "hr".into(), key: "1".into() };
        }
        assert_eq!(tripped(&plan, &[], 5).len(), 1);
    }

    #[test]
    fn a_share_is_of_those_who_are_known_to_be_there_where_the_input_speaks_of_few() {
        let limits = Limits { removals: Some(Threshold { share: 100_000, at_least: 0 }), ..Limits::default() };
        let known = History::new([], [("gitlab".into(), 40)].into(), "24h");
        assert!(guard(removing(0..4), &limits, &known, Vec::new()).is_ok());
        assert!(guard(removing(0..5), &limits, &known, Vec::new()).is_err());
        assert!(guard(removing(0..1), &limits, &History::default(), Vec::new()).is_err());
    }
}
