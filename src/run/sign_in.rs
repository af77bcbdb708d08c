//! Who has to sign in: people whose own token a system does not accept, or of whom none is kept.
//!
//! A plan says it of whoever it wants something for. While it is carried out more may turn out, and what was said last is
//! found again in the store.

use std::collections::{BTreeMap, BTreeSet};

use super::{RunError, tokens::must_sign_in};
use crate::{
    model::{
        id::{CallId, PersonId, SystemName},
        plan::{Plan, SignIn},
    },
    state::{Entry, Outcome, Store, sqlite::Sqlite},
};

/// Everybody of one list, system by system.
type People = BTreeMap<SystemName, BTreeSet<PersonId>>;

/// Who has to sign in by what became of calls. `home` knows where.
pub(crate) fn of_outcomes<'a>(
    plan: &Plan,
    outcomes: impl IntoIterator<Item = (&'a CallId, &'a Outcome)>,
    home: &dyn Fn(&SystemName) -> Option<String>,
) -> Vec<SignIn> {
    let calls: BTreeMap<_, _> = plan.calls.iter().map(|call| (&call.id, call)).collect();
    let mut people = People::new();
    for (id, outcome) in outcomes {
        if let Outcome::Refused(refusal) = outcome
            && must_sign_in(refusal)
            && let Some(call) = calls.get(id)
        {
            people.entry(call.system.clone()).or_default().insert(call.person.clone());
        }
    }
    listed(people, home)
}

/// Two lists as one.
pub(crate) fn together(one: &[SignIn], other: &[SignIn]) -> Vec<SignIn> {
    let mut all: BTreeMap<&SystemName, SignIn> = BTreeMap::new();
    for it in one.iter().chain(other) {
        let there = all.entry(&it.system).or_insert_with(|| it.clone());
        there.people.extend(it.people.iter().cloned());
    }
    all.into_values().collect()
}

/// Who had to sign in when each source was heard last, but for those of whom a token was kept since.
///
/// # Errors
/// Where the store cannot be read.
pub(crate) fn waiting(store: &Sqlite, home: &dyn Fn(&SystemName) -> Option<String>) -> Result<Vec<SignIn>, RunError> {
    // When each token was kept.
    let kept = store.tokens()?;
    let kept: BTreeMap<(&str, &str), &str> =
        kept.iter().map(|row| ((row.system.as_str(), row.person.as_str()), row.saved.as_str())).collect();
    let mut heard: BTreeSet<SystemName> = BTreeSet::new();
    let mut people = People::new();
    for last in store.newest_sign_ins()? {
        if last.sources.iter().all(|source| heard.contains(source)) {
            continue;
        }
        heard.extend(last.sources);
        let mut all = last.sign_in;
        if last.per_person
            && let Some((plan, entries)) = store.run(last.run)?
        {
            let settled = entries.iter().filter_map(|entry| match entry {
                Entry::Settled { call, outcome } => Some((call, outcome)),
                _ => None,
            });
            // Of several tries of a call the last one counts.
            let settled: BTreeMap<&CallId, &Outcome> = settled.collect();
            all.extend(of_outcomes(&plan, settled, home));
        }
        for it in all {
            let is_kept = |person: &PersonId| {
                let name = person.to_string();
                kept.get(&(it.system.as_str(), name.as_str())).is_some_and(|saved| *saved > last.started.as_str())
            };
            let open = it.people.iter().filter(|person| !is_kept(person)).cloned();
            people.entry(it.system.clone()).or_default().extend(open);
        }
    }
    people.retain(|_, people| !people.is_empty());
    Ok(listed(people, home))
}

/// A system that is not configured any more is nobody's concern.
fn listed(people: People, home: &dyn Fn(&SystemName) -> Option<String>) -> Vec<SignIn> {
    people.into_iter().filter_map(|(system, people)| Some(SignIn { at: home(&system)?, system, people })).collect()
}
