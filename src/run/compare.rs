//! What two sets of rules would do differently with the same people.
//!
//! Inputs and providers are read once for both, so that every difference comes from the rules. Nothing here writes
//! anything, and nothing is decided but by the planner.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::{
    RunError,
    fleet::Fleet,
    gather::{self, Given, Said},
    observe::{Shown, observe},
    prepare::{Desk, Owning, settle},
    seal::seal,
};
use crate::model::{
    attribute::{AttributeName, Value},
    id::{AccountId, PersonId, SystemName},
    origin::{Because, Origin},
    plan::{Decision, Input, Plan, PlannedChange, PlannedOperation},
    policy::{CopyLine, JoinLine, Objection, Owned, Policy, RangeLine},
    record::Rejected,
};

/// The format this program writes.
pub(crate) const FORMAT: &str = "homeward.comparison/1";

/// What two sets of rules would do differently.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// [`FORMAT`].
    pub(crate) format: &'static str,
    /// Digests of the scripts.
    pub(crate) rules: Pair<String>,
    pub(crate) inputs: Vec<Input>,
    /// How many people the inputs speak of, by each set of rules.
    pub(crate) people: Pair<u64>,
    /// How many calls each set of rules would make.
    pub(crate) calls: Pair<u64>,
    /// How many people are treated differently.
    pub(crate) treated_differently: u64,
    /// Every cell that is decided otherwise, by kind, attribute, system and person.
    pub(crate) changes: Vec<Difference>,
    /// Attributes that have another owner, whether or not anything is pending.
    pub(crate) owners: Vec<Moved>,
    /// Accounts that are wanted by one set of rules only.
    pub(crate) accounts: Vec<Moved>,
    /// Ties to accounts and records that each set of rules would remember, where they differ.
    pub(crate) ties: Vec<Tied>,
    /// Operations that one set of rules only asks for, or asks for otherwise.
    pub(crate) operations: Vec<Asked>,
    /// Rows that are rejected by one set of rules only.
    pub(crate) rejected: Pair<Vec<Rejected>>,
    /// Everything that the `guard` lines of each set of rules hold its plan for.
    pub(crate) objections: Pair<Vec<Objected>>,
}

impl Comparison {
    /// True where both do the same.
    pub(crate) fn is_same(&self) -> bool {
        self.changes.is_empty()
            && self.owners.is_empty()
            && self.accounts.is_empty()
            && self.ties.is_empty()
            && self.operations.is_empty()
            && self.rejected.old.is_empty()
            && self.rejected.new.is_empty()
            && self.one_sided().old.is_empty()
            && self.one_sided().new.is_empty()
    }

    /// What one set of rules only objects to. A line that moved and says the same is the same objection.
    pub(crate) fn one_sided(&self) -> Pair<Vec<&Objected>> {
        let Pair { old, new } = &self.objections;
        Pair { old: unshared(old, new), new: unshared(new, old) }
    }
}

/// By the old rules and by the new.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Pair<T> {
    pub(crate) old: T,
    pub(crate) new: T,
}

/// In which way a cell is decided otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Only the new rules decide anything.
    Begins,
    /// Only the old rules do.
    Ends,
    /// Both do, and differently.
    Decision,
    /// Both do the same with another value.
    Value,
    /// Both do the same to another account, or to one that holds something else.
    Account,
    /// Both do the same, because of another owner.
    Owner,
}

/// A cell that is decided otherwise.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) attribute: AttributeName,
    pub(crate) system: SystemName,
    pub(crate) person: PersonId,
    pub(crate) old: Option<Side>,
    pub(crate) new: Option<Side>,
}

/// What one set of rules does with a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Side {
    pub(crate) decision: Decision,
    /// Whose cell it is; `None` where the account is to be made, or there is none.
    pub(crate) account: Option<AccountId>,
    /// What is there now.
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) owner: Option<SystemName>,
    pub(crate) because: Vec<Because>,
    pub(crate) reason: String,
}

/// Something of one person that another line decides about.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    /// The attribute; the system, for an account.
    pub(crate) what: String,
    pub(crate) person: PersonId,
    pub(crate) old: Option<Line>,
    pub(crate) new: Option<Line>,
}

/// What a line said of one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Line {
    /// The owner; `wanted` or `unwanted`, for an account.
    pub(crate) says: String,
    #[serde(flatten)]
    pub(crate) line: Because,
}

/// What one person is newly tied to at one system: the ids of her accounts, or the keys of her records.
#[derive(Debug, Serialize)]
pub(crate) struct Tied {
    pub(crate) person: PersonId,
    pub(crate) system: SystemName,
    pub(crate) old: BTreeSet<AccountId>,
    pub(crate) new: BTreeSet<AccountId>,
}

/// A `guard` line's no to the whole plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Objected {
    pub(crate) reason: String,
    #[serde(flatten)]
    pub(crate) line: Because,
}

impl From<Objection> for Objected {
    fn from(objection: Objection) -> Self {
        Self { line: Because::from(&objection.origin), reason: objection.reason }
    }
}

/// An operation that one set of rules asks for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Asked {
    /// `old` or `new`: whose rules ask for it.
    pub(crate) by: &'static str,
    pub(crate) person: PersonId,
    pub(crate) system: SystemName,
    /// The account it is done to, where it is done to one.
    pub(crate) account: Option<AccountId>,
    pub(crate) operation: String,
    pub(crate) decision: Decision,
    pub(crate) because: Vec<Because>,
}

/// One set of rules' plan, with who owns what and what its `guard` lines say of it.
struct Outcome {
    plan: Plan,
    objections: Vec<Objected>,
    owners: BTreeMap<(PersonId, String), Line>,
    accounts: BTreeMap<(PersonId, String), Line>,
}

/// Plans the same people by two sets of rules.
///
/// # Errors
/// What makes a plan impossible by either.
pub(crate) async fn compare(
    old: &Desk<'_>,
    new: &Desk<'_>,
    given: &[Given],
    fleet: &mut Fleet,
) -> Result<Comparison, RunError> {
    let by_old = gather::read(given, old.sources, old.rules, old.memory, None)?;
    let by_new = gather::read(given, new.sources, new.rules, new.memory, None)?;
    let statements = by_old.statements.iter().chain(&by_new.statements).map(Arc::clone).collect();
    let both = Said { statements, ..Said::default() };
    let policy = both_policies(old.rules.policy(), new.rules.policy());
    let shown = observe(&both, old.memory, &policy, fleet).await?;
    let inputs = by_old.inputs.clone();
    let old_outcome = outcome(old, by_old, &shown, fleet)?;
    let new_outcome = outcome(new, by_new, &shown, fleet)?;
    Ok(differences(old_outcome, new_outcome, inputs))
}

fn outcome(desk: &Desk<'_>, said: Said, shown: &Shown, fleet: &Fleet) -> Result<Outcome, RunError> {
    let (mut owners, mut accounts) = (BTreeMap::new(), BTreeMap::new());
    let mut each = |Owning { person, ownership }: Owning| {
        let line = |says: String, origin: &Origin| Line { says, line: Because::from(origin) };
        for (attribute, Owned { system, origin, .. }) in ownership.owners.iter() {
            owners.insert((person.id.clone(), attribute.to_string()), line(system.to_string(), origin));
        }
        for (system, wish) in &ownership.accounts {
            let says = if wish.wanted { "wanted" } else { "unwanted" };
            accounts.insert((person.id.clone(), system.to_string()), line(says.to_owned(), &wish.origin));
        }
    };
    let plan = seal(settle(desk, said, shown, fleet, fleet.homes(), Some(&mut each))?);
    let objections = desk.rules.guard(&plan).map_err(|fault| RunError::Rule(Box::new(fault)))?;
    let objections = objections.into_iter().map(Objected::from).collect();
    Ok(Outcome { plan, objections, owners, accounts })
}

/// Everything that either set of rules would look at. Only what is looked at comes from it; each decides by its own.
fn both_policies(old: &Policy, new: &Policy) -> Policy {
    let mut both = old.clone();
    both.owners.extend(new.owners.iter().cloned());
    for (attribute, line) in &new.copies {
        let empty = || CopyLine { systems: Vec::new(), origin: line.origin.clone() };
        both.copies.entry(attribute.clone()).or_insert_with(empty).systems.extend(line.systems.iter().cloned());
    }
    for (system, line) in &new.joins {
        let empty = || JoinLine { attributes: Vec::new(), origin: line.origin.clone() };
        both.joins.entry(system.clone()).or_insert_with(empty).attributes.extend(line.attributes.iter().cloned());
    }
    for (set, line) in &new.ranges {
        let empty = || RangeLine { members: BTreeSet::new(), origin: line.origin.clone() };
        both.ranges.entry(set.clone()).or_insert_with(empty).members.extend(line.members.iter().cloned());
    }
    for (system, origin) in &new.accounts {
        both.accounts.entry(system.clone()).or_insert_with(|| origin.clone());
    }
    both
}

fn differences(old: Outcome, new: Outcome, inputs: Vec<Input>) -> Comparison {
    let mut changes: Vec<Difference> = Vec::new();
    let (old_cells, new_cells) = (cells(&old.plan), cells(&new.plan));
    let keys: BTreeSet<&Place<'_>> = old_cells.keys().chain(new_cells.keys()).collect();
    for key in keys {
        let (was, is) = (old_cells.get(key), new_cells.get(key));
        let Some(kind) = kind(was, is) else { continue };
        let side = |all: Option<&Vec<&PlannedChange>>| all.and_then(|all| all.first()).map(|change| side(change));
        let (person, attribute, system) = *key;
        changes.push(Difference {
            kind,
            attribute: attribute.clone(),
            system: system.clone(),
            person: person.clone(),
            old: side(was),
            new: side(is),
        });
    }
    changes.sort_by(|a, b| {
        let key = |it: &Difference| (it.kind, it.attribute.clone(), it.system.clone(), it.person.clone());
        key(a).cmp(&key(b))
    });
    let owners = moved(&old.owners, &new.owners);
    let accounts = moved(&old.accounts, &new.accounts);
    let ties = tied(&old.plan, &new.plan);
    let (old_deeds, new_deeds) = (deeds(&old.plan), deeds(&new.plan));
    let only = |plan: &Plan, others: &BTreeSet<Deed<'_>>, by: &'static str| {
        let mine = plan.operations.iter().filter(|it| !others.contains(&deed(it)));
        mine.map(|it| Asked {
            by,
            person: it.person.clone(),
            system: it.system.clone(),
            account: it.account.clone(),
            operation: it.operation.clone(),
            decision: it.decision,
            because: it.because.clone(),
        })
        .collect::<Vec<_>>()
    };
    let mut operations = only(&old.plan, &new_deeds, "old");
    operations.extend(only(&new.plan, &old_deeds, "new"));
    let only = |mine: &[Rejected], others: &[Rejected]| {
        let rows: BTreeSet<Row<'_>> = others.iter().map(row).collect();
        mine.iter().filter(|it| !rows.contains(&row(it))).cloned().collect::<Vec<_>>()
    };
    let rejected =
        Pair { old: only(&old.plan.rejected, &new.plan.rejected), new: only(&new.plan.rejected, &old.plan.rejected) };
    let who: BTreeSet<&PersonId> = changes
        .iter()
        .map(|it| &it.person)
        .chain(owners.iter().chain(&accounts).map(|it| &it.person))
        .chain(ties.iter().map(|it| &it.person))
        .chain(operations.iter().map(|it| &it.person))
        .collect();
    let treated_differently = who.len() as u64;
    Comparison {
        format: FORMAT,
        inputs,
        people: Pair { old: old.plan.summary.people, new: new.plan.summary.people },
        calls: Pair { old: old.plan.summary.calls, new: new.plan.summary.calls },
        rules: Pair { old: old.plan.rules, new: new.plan.rules },
        treated_differently,
        changes,
        owners,
        accounts,
        ties,
        operations,
        rejected,
        objections: Pair { old: old.objections, new: new.objections },
    }
}

/// A row of an input.
type Row<'p> = (&'p SystemName, &'p str, u64);

fn row(rejected: &Rejected) -> Row<'_> {
    (&rejected.system, &rejected.file, rejected.line)
}

/// What makes an operation the same by both: what is asked for, of which account, and what becomes of it.
type Deed<'p> = (&'p str, Option<&'p AccountId>, Decision);

fn deed(operation: &PlannedOperation) -> Deed<'_> {
    (&operation.mark, operation.account.as_ref(), operation.decision)
}

fn deeds(plan: &Plan) -> BTreeSet<Deed<'_>> {
    plan.operations.iter().map(deed).collect()
}

/// Those of `mine` whose reason is not among the others'.
fn unshared<'a>(mine: &'a [Objected], others: &[Objected]) -> Vec<&'a Objected> {
    let said: BTreeSet<&str> = others.iter().map(|it| it.reason.as_str()).collect();
    mine.iter().filter(|it| !said.contains(it.reason.as_str())).collect()
}

/// What is tied otherwise. An account that holds all it should asks for no change, and yet may be another one.
fn tied(old: &Plan, new: &Plan) -> Vec<Tied> {
    let mut all: BTreeMap<(&SystemName, &PersonId), Pair<BTreeSet<AccountId>>> = BTreeMap::new();
    for link in old.links.iter() {
        all.entry((link.system, link.person)).or_default().old.insert(link.account.into());
    }
    for link in new.links.iter() {
        all.entry((link.system, link.person)).or_default().new.insert(link.account.into());
    }
    let differing = all.into_iter().filter(|(_, ties)| ties.old != ties.new);
    let tied = differing.map(|((system, person), Pair { old, new })| Tied {
        person: person.clone(),
        system: system.clone(),
        old,
        new,
    });
    tied.collect()
}

type Place<'p> = (&'p PersonId, &'p AttributeName, &'p SystemName);

fn cells(plan: &Plan) -> BTreeMap<Place<'_>, Vec<&PlannedChange>> {
    let mut cells: BTreeMap<Place<'_>, Vec<&PlannedChange>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| change.decision != Decision::Unchanged) {
        cells.entry((&change.person, &change.attribute, &change.system)).or_default().push(change);
    }
    cells
}

fn kind(old: Option<&Vec<&PlannedChange>>, new: Option<&Vec<&PlannedChange>>) -> Option<Kind> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Kind::Begins),
        (Some(_), None) => return Some(Kind::Ends),
        (Some(old), Some(new)) => (old, new),
    };
    let decisions = |all: &[&PlannedChange]| all.iter().map(|it| it.decision).collect::<Vec<_>>();
    let values = |all: &[&PlannedChange]| all.iter().map(|it| it.after.clone()).collect::<Vec<_>>();
    let places =
        |all: &[&PlannedChange]| all.iter().map(|it| (it.account.clone(), it.before.clone())).collect::<Vec<_>>();
    let owners = |all: &[&PlannedChange]| all.iter().map(|it| it.owner.clone()).collect::<Vec<_>>();
    if decisions(old) != decisions(new) {
        Some(Kind::Decision)
    } else if values(old) != values(new) {
        Some(Kind::Value)
    } else if places(old) != places(new) {
        Some(Kind::Account)
    } else if owners(old) != owners(new) {
        Some(Kind::Owner)
    } else {
        None
    }
}

fn side(change: &PlannedChange) -> Side {
    let no = change.refusal.map(|kind| format!("{kind}: ")).unwrap_or_default();
    Side {
        decision: change.decision,
        account: change.account.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        owner: change.owner.clone(),
        because: change.because.clone(),
        reason: format!("{no}{}", change.reason),
    }
}

fn moved(old: &BTreeMap<(PersonId, String), Line>, new: &BTreeMap<(PersonId, String), Line>) -> Vec<Moved> {
    let keys: BTreeSet<&(PersonId, String)> = old.keys().chain(new.keys()).collect();
    let mut moved: Vec<Moved> = keys
        .into_iter()
        .filter(|key| old.get(*key).map(|line| &line.says) != new.get(*key).map(|line| &line.says))
        .map(|key| Moved {
            what: key.1.clone(),
            person: key.0.clone(),
            old: old.get(key).cloned(),
            new: new.get(key).cloned(),
        })
        .collect();
    moved.sort_by(|a, b| (&a.what, &a.person).cmp(&(&b.what, &b.person)));
    moved
}
