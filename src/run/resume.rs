//! What is left of earlier runs: which of them can be finished, and what a person says of calls in doubt.
//!
//! Nothing is sent here. A run is finished by carrying out its plan again: what its journal says to be done is left alone,
//! what was sent without an answer is looked for first, and what moved meanwhile is not touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    RunError,
    tokens::may_be_renewed,
    undo::{UNDO_OF, takes_back, undo_of, undone},
};
use crate::{
    model::{
        attribute::{AttributeName, Value},
        id::{CallId, PersonId, SystemName},
        plan::{Decision, Plan, PlannedChange},
    },
    plan::guard::part::speaks_anew,
    state::{
        Entry, Outcome, RunSummary, Sent, Standing, StateError, Store,
        lock::{self, Locks},
        progress::Progress,
        was_set_aside,
    },
};

/// What a run that can be finished stands as.
pub(crate) const UNFINISHED: [Standing; 3] = [Standing::Open, Standing::Approved, Standing::Partly];

/// The runs that are worth finishing without being named: those that broke off, those that were approved and not carried
/// out, and those that left calls for a reason that passes, or in doubt. Oldest first. One that a later input of the same
/// source has overtaken is looked after where something of it is in doubt, or may have made an account; one behind which a
/// later input waits for somebody comes after that.
pub(crate) fn unfinished(store: &dyn Store) -> Result<Vec<Resumable>, RunError> {
    let mut runs = Vec::new();
    let open: BTreeSet<i64> = store.open_creations()?.iter().map(|open| open.run).collect();
    for run in store.unfinished()? {
        let left = left(store, run.id)?;
        let overtaken = overtaken(store, run.id)?;
        let is_worth_it = match (overtaken, run.standing) {
            (Some(_), _) => open.contains(&run.id) || left.iter().any(|(_, left)| *left == Left::InDoubt),
            (None, Standing::Partly) => left.iter().any(|(_, left)| left.may_pass()),
            (None, _) => true,
        };
        if is_worth_it {
            // Of one that is overtaken nothing more is sent anyway.
            let behind = if overtaken.is_none() { waits_for(store, run.id)? } else { None };
            runs.push(Resumable { run, overtaken, behind });
        }
    }
    Ok(runs)
}

/// A run that is worth finishing.
#[derive(Clone, Debug)]
pub(crate) struct Resumable {
    pub(crate) run: RunSummary,
    /// The later run with an input of the same source.
    pub(crate) overtaken: Option<i64>,
    /// The one that waits for somebody, and comes first.
    pub(crate) behind: Option<i64>,
}

/// True for a run that the service which is running begins again by itself. What it has carried out in part it gives up
/// after some tries, and somebody has to finish it.
pub(crate) fn is_left_to_service(run: &RunSummary, state: &Path) -> bool {
    let by_itself = run.standing == Standing::Approved || run.feed.is_some() && run.standing == Standing::Open;
    by_itself && lock::is_watched(state)
}

/// What has an input that counts: it was carried out, or may be. What nobody let pass says nothing.
const COUNTS: [Standing; 6] =
    [Standing::Done, Standing::Partly, Standing::Open, Standing::Approved, Standing::Held, Standing::Waiting];

/// What was carried out, at least in part, or is to be.
const CARRIED_OUT: [Standing; 4] = [Standing::Done, Standing::Partly, Standing::Open, Standing::Approved];

/// A run after this one that took it back, or has a later input of the same source and was carried out or is to be. What that
/// one says now may be the opposite of what this one still has to do, and look as if nothing had happened.
pub(crate) fn overtaken(store: &dyn Store, run: i64) -> Result<Option<i64>, RunError> {
    let Some((plan, entries)) = store.run(run)? else { return Ok(None) };
    // A run that was taken back is overtaken by that.
    if let Some(undo) = taken_back(store, run)? {
        return Ok(Some(undo));
    }
    if was_set_aside(&entries) {
        return newest_anew(store, run, &CARRIED_OUT, &plan);
    }
    Ok(store.later(run, &names(&sources(store, run)?), &CARRIED_OUT)?.pop())
}

/// The sources that a run is about: those of its inputs, and where it takes back what another run did, of that one's too.
pub(crate) fn sources(store: &dyn Store, run: i64) -> Result<BTreeSet<SystemName>, StateError> {
    let mut all: BTreeSet<SystemName> = BTreeSet::new();
    let mut runs = vec![run];
    while let Some(run) = runs.pop() {
        let about = store.sources(run)?;
        // What was taken back is older. A plan that is carried out elsewhere may name any number.
        runs.extend(about.iter().filter_map(undone).filter(|older| *older < run));
        all.extend(about);
    }
    Ok(all)
}

fn names(sources: &BTreeSet<SystemName>) -> Vec<&SystemName> {
    sources.iter().collect()
}

/// The newest run after a part that was set aside that speaks anew of somebody whom that is about, or takes back the rest of
/// it, of which no later one has said the same again: others may go on while it waits. What nobody knows any more may have said
/// anything.
fn newest_anew(store: &dyn Store, run: i64, standings: &[Standing], aside: &Plan) -> Result<Option<i64>, RunError> {
    let sources = sources(store, run)?;
    let mut later = store.later(run, &names(&sources), standings)?;
    for undo in store.later_of(run, UNDO_OF, standings)? {
        if !self::sources(store, undo)?.is_disjoint(&sources) {
            later.push(undo);
        }
    }
    later.sort_unstable();
    // What was carried out elsewhere since, as the part would have it.
    let mut said_again: BTreeSet<(PersonId, AttributeName)> = BTreeSet::new();
    for run in later.into_iter().rev() {
        let Some(newer) = store.plan(run)? else { return Ok(Some(run)) };
        if speaks_anew(&newer, aside) {
            return Ok(Some(run));
        }
        let is_over = matches!(store.standing(run)?, Some(Standing::Done | Standing::Partly));
        for (person, attribute, is_same) in rest_of(&newer, aside) {
            let place = (person.clone(), attribute.clone());
            if is_same && is_over {
                said_again.insert(place);
            } else if takes_back(&newer) && !is_same && !said_again.contains(&place) {
                return Ok(Some(run));
            }
        }
    }
    Ok(None)
}

/// Of whom a plan changes an attribute that a part which was set aside would change elsewhere, and whether to the same.
fn rest_of<'p>(newer: &'p Plan, aside: &Plan) -> Vec<(&'p PersonId, &'p AttributeName, bool)> {
    let is_applied = |change: &&PlannedChange| change.decision == Decision::Apply;
    let wanted: BTreeMap<_, &Value> =
        aside.changes.iter().filter(is_applied).map(|it| ((&it.person, &it.attribute), &it.after)).collect();
    let applied = newer.changes.iter().filter(is_applied);
    let of_rest = applied.filter_map(|newer| {
        let after = wanted.get(&(&newer.person, &newer.attribute))?;
        Some((&newer.person, &newer.attribute, newer.after == **after))
    });
    of_rest.collect()
}

/// A run after this one that took back something this source said: said once more, it would be done once more.
pub(crate) fn taken_back_since(store: &dyn Store, run: i64, source: &SystemName) -> Result<Option<i64>, StateError> {
    for undo in store.later_of(run, UNDO_OF, &CARRIED_OUT)?.into_iter().rev() {
        if sources(store, undo)?.contains(source) {
            return Ok(Some(undo));
        }
    }
    Ok(None)
}

/// The run after this one that has a later input of the same source and waits for somebody: until that is settled nobody
/// knows whether anything more of this one is to be sent.
pub(crate) fn waits_for(store: &dyn Store, run: i64) -> Result<Option<i64>, RunError> {
    Ok(store.later(run, &names(&sources(store, run)?), &[Standing::Held, Standing::Waiting])?.pop())
}

/// The run that took this one back.
pub(crate) fn taken_back(store: &dyn Store, run: i64) -> Result<Option<i64>, StateError> {
    Ok(store.later(run, &[&undo_of(run)], &CARRIED_OUT)?.pop())
}

/// The run that says something newer than one that waits to be approved: any that counts and has a later input of the same
/// source. While a part that was set aside waits, others may go on: it is past only where one of them speaks anew of
/// somebody it is about.
pub(crate) fn is_past(store: &dyn Store, run: &RunSummary, plan: &Plan) -> Result<Option<i64>, RunError> {
    if !run.standing.is_held() {
        // It was approved when it was not.
        return Ok(None);
    }
    if run.standing == Standing::Aside {
        return newest_anew(store, run.id, &COUNTS, plan);
    }
    Ok(store.later(run.id, &names(&sources(store, run.id)?), &COUNTS)?.pop())
}

/// True where another process is at work at one of the systems of a run, perhaps on this very run.
pub(crate) fn is_under_way(store: &dyn Store, state: &Path, run: i64) -> Result<bool, RunError> {
    match locks(store, state, run) {
        Ok(_) => Ok(false),
        Err(RunError::State(StateError::Locked { .. })) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The locks of all systems that a run writes to.
pub(crate) fn locks(store: &dyn Store, state: &Path, run: i64) -> Result<Locks, RunError> {
    let plan = store.plan(run)?;
    let systems = plan.iter().flat_map(|plan| &plan.calls).map(|call| call.system.clone()).collect();
    Ok(Locks::take(state, &systems)?)
}

/// A run that somebody has to finish.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Unfinished {
    pub(crate) run: i64,
    /// What it was about.
    pub(crate) input: String,
    /// Calls that are not done.
    pub(crate) left: u64,
    /// Those of them of which nobody knows whether they had their effect.
    pub(crate) in_doubt: Vec<CallId>,
    /// The later run with an input of the same source, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overtaken: Option<i64>,
}

/// The runs that nobody is at work on, and that do not finish by themselves: what `homeward resume` is for.
pub(crate) fn waiting(store: &dyn Store, state: &Path) -> Result<Vec<Unfinished>, RunError> {
    let mut waiting = Vec::new();
    for Resumable { run, overtaken, behind } in unfinished(store)? {
        if behind.is_some() || is_left_to_service(&run, state) || is_under_way(store, state, run.id)? {
            continue;
        }
        let left = left(store, run.id)?;
        let in_doubt = left.iter().filter(|(_, left)| *left == Left::InDoubt).map(|(call, _)| call.clone()).collect();
        let left = left.len() as u64;
        waiting.push(Unfinished { run: run.id, input: run.input, left, in_doubt, overtaken });
    }
    Ok(waiting)
}

/// Why a call is not done yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Its turn never came, or it waits for another one.
    Ahead,
    /// It was sent, and nobody knows whether it had its effect.
    InDoubt,
    /// The provider was not there for it, or had enough.
    InPassing,
    /// It was decided: a no that stays, or an account that moved.
    Settled,
}

impl Left {
    /// True where trying again may lead further.
    fn may_pass(&self) -> bool {
        matches!(self, Self::InDoubt | Self::InPassing)
    }
}

/// The calls of a run that are not done, and why.
pub(crate) fn left(store: &dyn Store, run: i64) -> Result<Vec<(CallId, Left)>, RunError> {
    let Some((plan, entries)) = store.run(run)? else { return Ok(Vec::new()) };
    let mut progress = Progress::of(&entries);
    let calls = plan.calls.into_iter().map(|call| call.id);
    let left = calls.filter_map(|call| {
        let left = match progress.remove(&call).unwrap_or_default() {
            Progress::Over(Outcome::Done) => return None,
            Progress::Ahead | Progress::Over(Outcome::Skipped(_)) => Left::Ahead,
            Progress::Sent | Progress::Over(Outcome::InDoubt(_)) => Left::InDoubt,
            // A token that is not known any more is one that somebody renews.
            Progress::Over(Outcome::Refused(refusal))
                if refusal.kind.may_pass() || refusal.status == Some(401) || may_be_renewed(&refusal) =>
            {
                Left::InPassing
            }
            Progress::Over(Outcome::Refused(_) | Outcome::Moved(_)) => Left::Settled,
        };
        Some((call, left))
    });
    Ok(left.collect())
}

/// What a person says of calls in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// These had their effect.
    pub(crate) done: Vec<CallId>,
    /// These had none, and may be sent again.
    pub(crate) again: Vec<CallId>,
}

/// Why what was said cannot be written down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotInDoubt {
    #[error("run {run} has no call `{call}`")]
    Unknown { run: i64, call: CallId, doubtful: Vec<CallId> },
    #[error("call `{call}` of run {run} is not in doubt")]
    Known { run: i64, call: CallId, doubtful: Vec<CallId> },
    #[error("call `{call}` cannot be both done and sent again")]
    Both { call: CallId },
}

/// Looks whether every call that somebody speaks of is in doubt.
pub(crate) fn is_about_doubts(run: i64, plan: &Plan, entries: &[Entry], said: &Said) -> Result<(), NotInDoubt> {
    let progress = Progress::of(entries);
    let is_doubtful = |call: &CallId| progress.get(call).is_some_and(Progress::is_in_doubt);
    let known: BTreeSet<&CallId> = plan.calls.iter().map(|call| &call.id).collect();
    for call in said.done.iter().chain(&said.again) {
        let doubtful = || plan.calls.iter().map(|call| &call.id).filter(|id| is_doubtful(id)).cloned().collect();
        if !known.contains(call) {
            return Err(NotInDoubt::Unknown { run, call: call.clone(), doubtful: doubtful() });
        }
        if !is_doubtful(call) {
            return Err(NotInDoubt::Known { run, call: call.clone(), doubtful: doubtful() });
        }
    }
    match said.done.iter().find(|call| said.again.contains(call)) {
        Some(call) => Err(NotInDoubt::Both { call: call.clone() }),
        None => Ok(()),
    }
}

/// Writes down what somebody said of calls in doubt.
pub(crate) fn tell(store: &dyn Store, run: i64, plan: &Plan, said: &Said, by: &str) -> Result<(), RunError> {
    let spoken = said.done.iter().map(|call| (call, true)).chain(said.again.iter().map(|call| (call, false)));
    for (call, done) in spoken {
        let entry = Entry::Told { call: call.clone(), done, by: by.to_owned() };
        let asked = plan.operations.iter().find(|it| it.decision == Decision::Apply && it.call.as_ref() == Some(call));
        match asked {
            Some(asked) => store.over(run, &entry, &asked.mark, done.then_some(Sent::Done))?,
            None => store.append(run, &entry)?,
        }
    }
    Ok(())
}
