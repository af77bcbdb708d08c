//! What is remembered of what sources said once a plan was carried out: nothing that is still open.
//!
//! Where the words are kept, and what a later plan makes of them, is not known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::super::RunError;
use crate::{
    model::{
        attribute::AttributeName,
        id::{AccountId, CallId, PersonId, SystemName},
        plan::{Decision, Plan, PlannedChange, Seen},
        refusal::RefusalKind,
    },
    state::{Outcome, Store, progress::Progress},
};

/// What was said of whoever has something left open.
pub(super) fn open_words(plan: &Plan, outcomes: &[Option<Outcome>], place: &BTreeMap<&CallId, usize>) -> Vec<Seen> {
    let open = left_open(plan, outcomes, place);
    let is_open = |said: &&Seen| said.person.as_ref().is_some_and(|person| open.contains_key(person));
    plan.seen.iter().filter(is_open).cloned().collect()
}

/// Of whom which attributes are asked for and not done.
fn left_open<'p>(
    plan: &'p Plan,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
) -> BTreeMap<&'p PersonId, BTreeSet<&'p AttributeName>> {
    let is_done = |call: &CallId| place.get(call).is_some_and(|at| outcomes[*at] == Some(Outcome::Done));
    let mut open: BTreeMap<&PersonId, BTreeSet<&AttributeName>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| is_open(change, is_done)) {
        open.entry(&change.person).or_default().insert(&change.attribute);
    }
    open
}

/// True for a change that is asked for and not done, as far as its source is concerned.
fn is_open(change: &PlannedChange, is_done: impl Fn(&CallId) -> bool) -> bool {
    match change.decision {
        Decision::Apply => !change.call.as_ref().is_some_and(is_done),
        Decision::Hold => true,
        Decision::Refuse => change.refusal != Some(RefusalKind::OwnedElsewhere),
        Decision::Follow | Decision::Drop | Decision::Unchanged => false,
    }
}

/// Whose attribute a change is of, and where.
fn place_of(change: &PlannedChange) -> (&PersonId, &SystemName, Option<&AccountId>, &AttributeName) {
    (&change.person, &change.system, change.account.as_ref(), &change.attribute)
}

/// What is remembered of what sources showed. What was asked for and is not done yet is left as it was remembered before:
/// then a source that says only changes says it again, and nothing is lost. Only a request that belongs elsewhere is
/// answered for good.
pub(super) fn shown(
    plan: &Plan,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
    store: &dyn Store,
    (run, was_aside): (i64, bool),
) -> Result<Arc<Vec<Seen>>, RunError> {
    if was_aside {
        return shown_aside(plan, outcomes, place, store, run);
    }
    let open = left_open(plan, outcomes, place);
    let mut seen = Arc::clone(&plan.seen);
    if open.is_empty() {
        return Ok(seen);
    }
    let halfway = halfway(plan, outcomes, place);
    let before = store.memory()?.seen;
    let before: BTreeMap<(&SystemName, &str), &Seen> =
        before.iter().map(|one| ((&one.system, &*one.key), one)).collect();
    for one in Arc::make_mut(&mut seen) {
        // A first sight said nothing, so nothing of it can be left open.
        let Some(before) = before.get(&(&one.system, &*one.key)) else { continue };
        if let Some((person, open)) = one.person.as_ref().and_then(|person| open.get_key_value(person)) {
            let before = |name: &AttributeName| before.values.get(name).filter(|_| !halfway.contains(&(person, name)));
            one.values.set_all(open.iter().map(|attribute| (*attribute, before(attribute))));
        }
    }
    Ok(seen)
}

/// What was begun and not finished, such as a name on its way through another one: it is neither as it was nor as it was to be,
/// and whatever is said of it next is news.
fn halfway<'p>(
    plan: &'p Plan,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
) -> BTreeSet<(&'p PersonId, &'p AttributeName)> {
    let done = plan.calls.iter().zip(outcomes).filter(|(_, outcome)| **outcome == Some(Outcome::Done));
    let begun: BTreeSet<(&SystemName, &AccountId, &AttributeName)> = done
        .filter_map(|(call, _)| Some((call, call.account.as_ref()?)))
        .flat_map(|(call, account)| call.intends.keys().map(move |attribute| (&call.system, account, attribute)))
        .collect();
    plan.changes
        .iter()
        .filter(|change| change.decision == Decision::Apply && !is_done(change, outcomes, place))
        .filter(|change| {
            change.account.as_ref().is_some_and(|it| begun.contains(&(&change.system, it, &change.attribute)))
        })
        .map(|change| (&change.person, &change.attribute))
        .collect()
}

/// The same of what was set aside: of what it has done, and of nothing else. The rest of the list has its own end.
fn shown_aside(
    plan: &Plan,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
    store: &dyn Store,
    run: i64,
) -> Result<Arc<Vec<Seen>>, RunError> {
    let mut done: BTreeMap<&PersonId, BTreeSet<&AttributeName>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| is_done(change, outcomes, place)) {
        done.entry(&change.person).or_default().insert(&change.attribute);
    }
    // What is done at one system and not at another one is still asked for.
    for change in plan.changes.iter().filter(|change| change.decision == Decision::Apply) {
        if let Some(done) = done.get_mut(&change.person).filter(|_| !is_done(change, outcomes, place)) {
            done.remove(&change.attribute);
        }
    }
    // Nor is anything over that another run has left open, such as the one this was set aside of.
    let here: BTreeSet<(&PersonId, &SystemName, Option<&AccountId>, &AttributeName)> =
        plan.changes.iter().map(place_of).collect();
    let others = if done.is_empty() { BTreeMap::new() } else { store.left_open()? };
    for (other, keys) in others.into_iter().filter(|(other, _)| *other != run) {
        let is_open_of = |said: &&Seen| keys.contains(&(said.system.clone(), Arc::clone(&said.key)));
        let people: BTreeSet<&PersonId> =
            plan.seen.iter().filter(is_open_of).filter_map(|said| said.person.as_ref()).collect();
        if people.is_disjoint(&done.keys().copied().collect()) {
            continue;
        }
        let Some((other, entries)) = store.run(other)? else {
            // What nobody knows any more may be any of it.
            done.retain(|person, _| !people.contains(person));
            continue;
        };
        let progress = Progress::of(&entries);
        let is_done = |call: &CallId| progress.get(call).is_some_and(Progress::is_done);
        let is_left = |change: &&PlannedChange| {
            people.contains(&change.person) && is_open(change, is_done) && !here.contains(&place_of(change))
        };
        for change in other.changes.iter().filter(is_left) {
            if let Some(done) = done.get_mut(&change.person) {
                done.remove(&change.attribute);
            }
        }
    }
    let halfway = halfway(plan, outcomes, place);
    for (person, attribute) in &halfway {
        done.entry(person).or_default().insert(attribute);
    }
    let before = store.memory()?.seen;
    let before: BTreeMap<(&SystemName, &str), &Seen> =
        before.iter().map(|one| ((&one.system, &*one.key), one)).collect();
    let remembered = plan.seen.iter().filter_map(|said| {
        let person = said.person.as_ref()?;
        let done = done.get(person).filter(|done| !done.is_empty())?;
        let mut values = before.get(&(&said.system, &*said.key))?.values.clone();
        let said_of = |name: &AttributeName| said.values.get(name).filter(|_| !halfway.contains(&(person, name)));
        values.set_all(done.iter().map(|attribute| (*attribute, said_of(attribute))));
        Some(Seen { values, ..said.clone() })
    });
    Ok(Arc::new(remembered.collect()))
}

fn is_done(change: &PlannedChange, outcomes: &[Option<Outcome>], place: &BTreeMap<&CallId, usize>) -> bool {
    let outcome = change.call.as_ref().and_then(|call| place.get(call)).and_then(|at| outcomes[*at].as_ref());
    matches!(outcome, Some(Outcome::Done))
}
