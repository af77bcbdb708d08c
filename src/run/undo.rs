//! The inverse of a run, as a plan like any other: what its journal says was done, taken back.
//!
//! Only what was sent and done is taken back, and only where it still is as the run left it. Rules are not asked: this
//! restores, it does not decide anew. What cannot be taken back is told: accounts that were made, operations, and what
//! changes set off besides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    RunError,
    fleet::Fleet,
    observe::{self, Shown},
    prepare::{Desk, holders},
    seal::seal,
    tokens::bearers,
};
use crate::{
    config::schema::Says,
    model::{
        account::Wanted,
        attribute::{AttributeName, Value},
        capability::Unique,
        id::{AccountId, CallId, PersonId, SystemName},
        links::{Link, Links},
        origin::Because,
        plan::{AskedBy, Call, Decision, Input, Operation, Plan, PlannedChange, Seen, Summary},
    },
    plan::{
        Providers,
        assemble::{Frame, assemble},
        correlate::Opened,
        few_of,
        guard::protect,
        restore::{AccountsThere, Left, restore},
    },
    state::{Entry, Outcome, progress::Progress},
};

/// The calls of a run that changed something.
struct Did<'a> {
    run: i64,
    plan: &'a Plan,
    /// Sent by this run and seen to be done, in plan order.
    done: Vec<&'a Call>,
    /// Sent, and nobody knows what became of them.
    in_doubt: Vec<&'a Call>,
    /// Not done because the provider was not there for them or had enough: whoever resumes the run has them sent.
    put_off: Vec<&'a Call>,
    /// What was to change, by account and attribute, and then by person: an account that was to be made has no id.
    changes: BTreeMap<Changed<'a>, &'a PlannedChange>,
}

/// What a change is about: the account where there is one, its attribute, and whose it is.
type Changed<'a> = (&'a SystemName, Option<&'a AccountId>, &'a AttributeName, &'a PersonId);

impl<'a> Did<'a> {
    fn of(run: i64, plan: &'a Plan, entries: &[Entry]) -> Self {
        let touched = touched(entries);
        let progress = Progress::of(entries);
        // What was found done before it was sent is somebody else's doing.
        let sent = || plan.calls.iter().filter(|call| touched.contains(&call.id));
        let is_done = |call: &&Call| progress.get(&call.id).is_some_and(Progress::is_done);
        let is_in_doubt = |call: &&Call| progress.get(&call.id).is_some_and(Progress::is_in_doubt);
        let is_put_off = |call: &&Call| match progress.get(&call.id) {
            Some(Progress::Over(Outcome::Refused(refusal))) => refusal.kind.may_pass(),
            _ => false,
        };
        let applied = plan.changes.iter().filter(|change| change.decision == Decision::Apply);
        Self {
            run,
            plan,
            changes: applied
                .map(|change| ((&change.system, change.account.as_ref(), &change.attribute, &change.person), change))
                .collect(),
            done: sent().filter(is_done).collect(),
            in_doubt: sent().filter(is_in_doubt).collect(),
            put_off: plan.calls.iter().filter(is_put_off).collect(),
        }
    }

    /// The change of a plan that a call worked on.
    fn change(&self, call: &Call, attribute: &AttributeName) -> Option<&'a PlannedChange> {
        self.changes.get(&(&call.system, call.account.as_ref(), attribute, &call.person)).copied()
    }

    /// Every attribute that a call of this run changed, with what was there before the first and after the last of them.
    /// `made` are the accounts that creations made.
    fn left(&self, made: &BTreeMap<&CallId, AccountId>) -> Vec<Left> {
        let mut left: BTreeMap<(&SystemName, &AccountId, &AttributeName), Left> = BTreeMap::new();
        let active = AttributeName::new("active");
        for call in &self.done {
            match (&call.account, call.operation) {
                (_, Operation::Perform) => {}
                (Some(account), _) => {
                    for (attribute, value) in &call.intends {
                        let before = call.expects.get(attribute).cloned().unwrap_or_default();
                        left.entry((&call.system, account, attribute))
                            .and_modify(|one| {
                                one.now.clone_from(value);
                                one.because.push(self.because(call));
                            })
                            .or_insert_with(|| self.one(call, account, attribute, before, value.clone()));
                    }
                }
                (None, _) => {
                    let Some(account) = made.get(&call.id) else { continue };
                    let mut one = self.one(call, account, &active, Value::Bool(false), Value::Bool(true));
                    one.reason = format!("run {} made this account; it is switched off and stays", self.run);
                    left.insert((&call.system, account, &active), one);
                }
            }
        }
        let came = self.plan.changes.iter().filter(|change| change.decision == Decision::Follow);
        let came = came.filter_map(|change| {
            let because = Because { rule: format!("run {}", self.run), text: format!("undo of run {}", self.run) };
            Some(Left {
                person: change.person.clone(),
                system: change.system.clone(),
                account: change.account.clone()?,
                attribute: change.attribute.clone(),
                before: change.before.clone(),
                now: change.after.clone(),
                follows: true,
                owner: change.owner.clone(),
                asked_by: AskedBy { system: undo_of(self.run), origin: format!("run {}", self.run).into() },
                because: vec![because],
                reason: String::new(),
            })
        });
        // Of what is in doubt nobody knows what it left.
        for call in &self.in_doubt {
            let Some(account) = &call.account else { continue };
            for attribute in call.intends.keys() {
                left.remove(&(&call.system, account, attribute));
            }
        }
        let mut left: Vec<Left> = left.into_values().chain(came).collect();
        for one in &mut left {
            one.because.sort();
            one.because.dedup();
        }
        left
    }

    fn one(&self, call: &Call, account: &AccountId, attribute: &AttributeName, before: Value, now: Value) -> Left {
        let change = self.change(call, attribute);
        let who =
            change.map(|change| format!(", which {} asked for ({})", change.asked_by.system, change.asked_by.origin));
        Left {
            person: call.person.clone(),
            system: call.system.clone(),
            account: account.clone(),
            attribute: attribute.clone(),
            before,
            now,
            follows: false,
            owner: change.and_then(|change| change.owner.clone()),
            asked_by: AskedBy {
                system: undo_of(self.run),
                origin: format!("run {}, call {}", self.run, call.id).into(),
            },
            because: vec![self.because(call)],
            reason: format!("as it was before run {}{}", self.run, who.unwrap_or_default()),
        }
    }

    fn because(&self, call: &Call) -> Because {
        Because { rule: format!("run {}", self.run), text: format!("undo of run {}, call {}", self.run, call.id) }
    }

    /// What stays whatever is done now, told for a person: no values of people.
    fn stays(&self, made: &BTreeMap<&CallId, AccountId>) -> Vec<String> {
        let mut told = Vec::new();
        let run = self.run;
        for call in &self.in_doubt {
            told.push(format!(
                "nobody knows what became of {} of run {run} ({}, {}): it is left as it is, look there",
                call.id, call.system, call.person
            ));
        }
        if !self.put_off.is_empty() {
            let calls: Vec<&CallId> = self.put_off.iter().map(|call| &call.id).collect();
            told.push(format!(
                "`homeward resume {run}` would still send what was put off ({})",
                few_of(&calls, ", ", |call| call)
            ));
        }
        let mut creations: BTreeMap<&SystemName, Vec<&CallId>> = BTreeMap::new();
        let mut operations: BTreeMap<(&SystemName, &str), Vec<&CallId>> = BTreeMap::new();
        let mut passwords: BTreeMap<&SystemName, Vec<&CallId>> = BTreeMap::new();
        for call in &self.done {
            if call.operation == Operation::Perform {
                let name = call.performs.as_deref().unwrap_or_default();
                operations.entry((&call.system, name)).or_default().push(&call.id);
            } else if call.account.is_none() {
                creations.entry(&call.system).or_default().push(&call.id);
                if !made.contains_key(&call.id) {
                    told.push(format!("which account {} of run {run} made at {} is not known", call.id, call.system));
                }
            } else if !call.generated.is_empty() {
                passwords.entry(&call.system).or_default().push(&call.id);
            }
        }
        for (system, calls) in creations {
            let what = if calls.len() == 1 { "the account" } else { "the accounts" };
            told.push(format!(
                "cannot be taken back: {system} keeps {what} that run {run} made ({})",
                few_of(&calls, ", ", |call| call)
            ));
        }
        for ((system, name), calls) in operations {
            told.push(format!("cannot be taken back: `{name}` at {system} ({})", few_of(&calls, ", ", |call| call)));
        }
        for (system, calls) in passwords {
            told.push(format!(
                "cannot be taken back: passwords that were set anew at {system} ({})",
                few_of(&calls, ", ", |call| call)
            ));
        }
        let done: BTreeSet<&CallId> = self.done.iter().map(|call| &call.id).collect();
        let is_done = |call: &Option<CallId>| call.as_ref().is_some_and(|call| done.contains(call));
        let changes = self.plan.changes.iter().filter(|it| is_done(&it.call));
        let operations = self.plan.operations.iter().filter(|it| is_done(&it.call));
        for (system, effects) in Summary::effects(changes, operations) {
            let effects: Vec<String> = effects.iter().map(|(effect, times)| format!("{times} × {effect}")).collect();
            told.push(format!("what run {run} set off at {system} may stay: {}", effects.join("; ")));
        }
        told
    }
}

/// The calls of which a request left that was not turned away: whatever came of it, it came of this run.
fn touched(entries: &[Entry]) -> BTreeSet<&CallId> {
    let mut touched = BTreeSet::new();
    let mut leaving: BTreeSet<&CallId> = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::Calling { call, .. } => {
                // The one before it was never told of.
                if !leaving.insert(call) {
                    touched.insert(call);
                }
            }
            Entry::Answered { call, status, .. } if (400..500).contains(status) && *status != 408 => {
                leaving.remove(call);
            }
            Entry::Unanswered { call, sent: false, .. } => {
                leaving.remove(call);
            }
            Entry::Answered { call, .. } | Entry::Unanswered { call, .. } => {
                leaving.remove(call);
                touched.insert(call);
            }
            // An operator's word is about what was sent before.
            Entry::Settled { .. }
            | Entry::Told { .. }
            | Entry::Began { .. }
            | Entry::Stands { .. }
            | Entry::Corrected { .. } => {}
        }
    }
    touched.extend(leaving);
    touched
}

/// What the name of whoever asks for what is put back begins with.
pub(super) const UNDO_OF: &str = "undo of run ";

/// Who asks for what is put back: no system of a project, and another one for each run.
pub(super) fn undo_of(run: i64) -> SystemName {
    format!("{UNDO_OF}{run}").into()
}

/// The run that is taken back, where this is who asks for it.
pub(super) fn undone(asks: &SystemName) -> Option<i64> {
    asks.as_str().strip_prefix(UNDO_OF)?.parse().ok()
}

/// True for a plan that takes back what a run did.
pub(super) fn takes_back(plan: &Plan) -> bool {
    plan.inputs.iter().any(|input| input.system.as_str().starts_with(UNDO_OF))
}

/// Plans the inverse of a run that is over, of which `tied_by` are the ties. Looks at the accounts, writes nothing.
///
/// # Errors
/// Where a system cannot be read: what somebody changed since must not be overwritten unseen.
pub(crate) async fn undo(
    run: i64,
    plan: &Plan,
    entries: &[Entry],
    tied_by: &Links,
    desk: &Desk<'_>,
    fleet: &mut Fleet,
) -> Result<Plan, RunError> {
    let did = Did::of(run, plan, entries);
    let made = made(&did, desk, tied_by);
    let left = did.left(&made);
    let mut shown = Shown::default();
    let first = wanted(&left, fleet);
    observe::look(&first, fleet, &mut shown, &mut BTreeMap::new()).await?;
    let whose = |system: &SystemName| {
        let people: BTreeSet<_> = left.iter().filter(|one| one.system == *system).map(|one| &one.person).collect();
        bearers(people, &desk.memory.links)
    };
    let people = first.keys().map(|system| (system.clone(), whose(system))).collect();
    observe::open(&people, fleet, &mut shown).await?;
    let accounts: AccountsThere = shown
        .accounts
        .values()
        .flatten()
        .filter_map(|account| {
            let place = (account.system().clone(), account.id()?.into());
            Some((place, Arc::new(account.account())))
        })
        .collect();
    let mut decided = restore(&left, &accounts, &*fleet);
    for planned in decided.iter_mut().map(|one| &mut one.planned) {
        let hidden = shown.hidden.get(&planned.system).zip(planned.account.as_ref());
        if let Some(refusal) = hidden.and_then(|(hidden, id)| hidden.get(id)) {
            let reason = format!("{} does not show us this account: {}", planned.system, refusal.reason);
            (planned.decision, planned.refusal, planned.reason) = (Decision::Hold, Some(refusal.kind), reason);
        }
        let opened = shown.own.get(&planned.system).and_then(|people| people.get(&planned.person));
        if let Some(Opened::Nothing(why)) = opened {
            // Nobody has seen what is there now.
            (planned.decision, planned.refusal) = (Decision::Hold, Some(why.kind));
            planned.reason.clone_from(&why.reason);
        }
    }
    protect(&mut decided, &mut [], desk.limits);
    let mut warnings = std::mem::take(&mut shown.warnings);
    warnings.extend(did.stays(&made));
    let input = Input {
        system: undo_of(run),
        file: format!("run {run}"),
        sha256: plan.id.trim_start_matches("sha256:").to_owned(),
        records: did.done.len() as u64,
        rejected: 0,
        list: None,
        same_as: None,
    };
    let frame = Frame {
        rules: desk.rules.digest().to_owned(),
        today: desk.today.clone(),
        inputs: vec![input],
        seen: back(decided.iter().map(|one| &one.planned), &desk.memory.seen, &desk.memory.links),
        systems: fleet.homes(),
        warnings,
        // Limits are shares of the same people as when it was done.
        people: plan.summary.people,
        sign_in: std::mem::take(&mut shown.sign_in),
        ..Frame::default()
    };
    let holders = holders(&shown, &*fleet);
    let mut undone = assemble(decided, Vec::new(), &holders, desk.rules.policy(), &*fleet, None, frame);
    let again = said_again(&did, &undone.changes, desk);
    undone.warnings.extend(again);
    Ok(seal(undone))
}

/// The accounts that creations made, where the ties tell which.
fn made<'a>(did: &Did<'a>, desk: &Desk<'_>, tied_by: &Links) -> BTreeMap<&'a CallId, AccountId> {
    let creations = || did.done.iter().filter(|call| call.operation == Operation::Create);
    // `None` where that is not sure.
    let mut tied: BTreeMap<(&PersonId, &SystemName), Option<AccountId>> = BTreeMap::new();
    let wanted: BTreeSet<(&PersonId, &SystemName)> = creations().map(|call| (&call.person, &call.system)).collect();
    for link in desk.memory.links.iter().filter(|link| wanted.contains(&(link.person, link.system))) {
        let of = tied.entry((link.person, link.system));
        of.and_modify(|account| *account = None).or_insert_with(|| Some(link.account.into()));
    }
    // What another run tied her to is not what this one made.
    let by_this: BTreeSet<Link<'_>> = tied_by.iter().collect();
    for ((person, system), account) in &mut tied {
        let is_by_this = |id: &AccountId| by_this.contains(&Link { person, system, account: id.as_str() });
        *account = account.take().filter(is_by_this);
    }
    // What somebody said to be hers may be another account than the one that was made.
    for link in desk.memory.corrections.hers.iter() {
        tied.insert((link.person, link.system), None);
    }
    let account = |call: &Call| tied.get(&(&call.person, &call.system)).cloned().flatten();
    creations().filter_map(|call| Some((&call.id, account(call)?))).collect()
}

/// Which accounts must be seen: those that were changed, and whoever has a name now that is to be put back.
fn wanted(left: &[Left], fleet: &Fleet) -> BTreeMap<SystemName, Wanted> {
    let mut all: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    for one in left {
        let wanted = all.entry(one.system.clone()).or_default();
        wanted.fresh = true;
        wanted.ids.insert(one.account.clone());
        if let (Some(set), Some(member)) = (one.attribute.set(), one.attribute.member()) {
            wanted.members.entry(set).or_default().insert(member.to_owned());
        }
        let Some(table) = fleet.capabilities(&one.system) else { continue };
        let row = table.of(&one.system, &one.attribute);
        let is_looked_up = row.is_some_and(|row| row.unique != Unique::No && table.lookups.contains(&row.name));
        if let Some(text) = one.before.as_text().filter(|_| is_looked_up && !one.follows) {
            wanted.holding.entry(one.attribute.clone()).or_default().insert(text.to_owned());
        }
    }
    all
}

/// What is remembered of people who are switched on again: a list that says by their absence that they have gone has not
/// said it yet, or it would count them as gone already and never say it again.
fn back<'c>(changes: impl Iterator<Item = &'c PlannedChange>, seen: &[Seen], links: &Links) -> Vec<Seen> {
    let active = AttributeName::new("active");
    let on = |change: &&PlannedChange| change.decision == Decision::Apply && change.attribute == active;
    let people: BTreeSet<&PersonId> = changes.filter(on).map(|change| &change.person).collect();
    if people.is_empty() {
        return Vec::new();
    }
    let tied: BTreeMap<(&SystemName, &str), &PersonId> =
        links.iter().map(|link| ((link.system, link.account), link.person)).collect();
    let gone = seen.iter().filter(|one| one.values.is(&active, false));
    let again = gone.filter_map(|one| {
        let own = PersonId { system: one.system.clone(), key: Arc::clone(&one.key) };
        let person = tied.get(&(&one.system, &*one.key)).map_or(own, |person| (*person).clone());
        let mut values = one.values.clone();
        values.set(&active, None);
        people.contains(&person).then(|| Seen { person: Some(person), values, ..one.clone() })
    });
    again.collect()
}

/// The sources that hold to what is taken back here: they say it again with their next input, and it is done again.
fn said_again(did: &Did<'_>, planned: &[PlannedChange], desk: &Desk<'_>) -> Vec<String> {
    let states = |system: &SystemName| desk.sources.get(system).is_some_and(|source| source.says == Says::State);
    let inputs: BTreeSet<&SystemName> =
        did.plan.inputs.iter().map(|input| &input.system).filter(|system| states(system)).collect();
    let mut again: BTreeMap<&SystemName, u64> = BTreeMap::new();
    let undone = planned.iter().filter(|change| matches!(change.decision, Decision::Apply | Decision::Follow));
    // Who asked for what was changed; without an attribute, for the account.
    let mut asked: BTreeMap<(&PersonId, &SystemName, Option<&AttributeName>), &SystemName> = BTreeMap::new();
    for it in &did.plan.changes {
        let attribute = it.account.is_some().then_some(&it.attribute);
        asked.entry((&it.person, &it.system, attribute)).or_insert(&it.asked_by.system);
    }
    for change in undone {
        let (person, system) = (&change.person, &change.system);
        let asked =
            asked.get(&(person, system, Some(&change.attribute))).or_else(|| asked.get(&(person, system, None)));
        let Some(asked) = asked else { continue };
        // A copy is asked for by its owner, on behalf of a source that was read then.
        let by: Vec<&SystemName> = match inputs.get(*asked) {
            Some(source) => vec![source],
            None if desk.sources.contains_key(*asked) => Vec::new(),
            None => inputs.iter().copied().collect(),
        };
        for source in by {
            *again.entry(source).or_default() += 1;
        }
    }
    let told = again.into_iter().map(|(source, count)| {
        if count == 1 {
            return format!(
                "{source} says what is: with its next input it asks for one of these changes again; correct it there"
            );
        }
        format!(
            "{source} says what is: with its next input it asks for {count} of these changes again; correct them there"
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{capability::Replay, refusal::Refusal};

    fn call(id: &str, before: &str, after: &str) -> Call {
        let value = |text: &str| [(AttributeName::new("username"), Value::text(text))].into();
        Call {
            id: id.into(),
            system: "gitlab".into(),
            person: crate::model::id::PersonId::parse("hr/1").unwrap(),
            account: Some("42".into()),
            operation: Operation::Update,
            performs: None,
            method: "PUT".to_owned(),
            path: "/x".to_owned(),
            headers: BTreeMap::new(),
            body: json!({}),
            generated: Vec::new(),
            expects: value(before),
            intends: value(after),
            replay: Replay::Repeat,
            after: Vec::new(),
        }
    }

    fn calling(id: &str) -> Entry {
        Entry::Calling { call: id.into(), attempt: 1, method: "PUT".to_owned(), path: "/x".to_owned() }
    }

    fn answered(id: &str, status: u16) -> Entry {
        Entry::Answered { call: id.into(), attempt: 1, status }
    }

    fn settled(id: &str, outcome: Outcome) -> Entry {
        Entry::Settled { call: id.into(), outcome }
    }

    fn lost(id: &str) -> Entry {
        Entry::Unanswered { call: id.into(), attempt: 1, cause: "the connection broke".to_owned(), sent: true }
    }

    fn no() -> Refusal {
        Refusal::new(crate::model::refusal::RefusalKind::Unavailable, "no answer")
    }

    /// What a run of these calls and entries left of the one username: before and after.
    fn left(calls: Vec<Call>, entries: &[Entry]) -> Vec<(String, String)> {
        let plan = Plan { calls, ..Plan::empty() };
        let left = Did::of(7, &plan, entries).left(&BTreeMap::new());
        left.iter().map(|one| (one.before.to_string(), one.now.to_string())).collect()
    }

    #[test]
    fn only_what_was_sent_and_done_is_taken_back() {
        let cases = [
            (vec![calling("c1"), answered("c1", 200), settled("c1", Outcome::Done)], true),
            // The answer never came, and a second look found it done.
            (vec![calling("c1"), lost("c1"), settled("c1", Outcome::Done)], true),
            (vec![calling("c1"), calling("c1"), answered("c1", 409), settled("c1", Outcome::Done)], true),
            (
                vec![
                    calling("c1"),
                    settled("c1", Outcome::InDoubt(no())),
                    Entry::Told { call: "c1".into(), done: true, by: "ann".to_owned() },
                ],
                true,
            ),
            // Somebody else had done it.
            (vec![settled("c1", Outcome::Done)], false),
            (vec![calling("c1"), answered("c1", 429), settled("c1", Outcome::Done)], false),
            (vec![calling("c1"), answered("c1", 403), settled("c1", Outcome::Refused(no()))], false),
            (vec![calling("c1"), settled("c1", Outcome::InDoubt(no()))], false),
            (vec![calling("c1")], false),
            (vec![settled("c1", Outcome::Moved(vec!["username".to_owned()]))], false),
            (Vec::new(), false),
        ];
        for (entries, is_taken_back) in cases {
            let left = left(vec![call("c1", "a", "b")], &entries);
            assert_eq!(left.len(), usize::from(is_taken_back), "{entries:?}");
        }
    }

    #[test]
    fn a_name_held_for_a_moment_is_what_was_left_only_where_the_run_stopped_there() {
        let both = || vec![call("c1", "a", "a-moving1"), call("c2", "a-moving1", "b")];
        let first = [calling("c1"), answered("c1", 200), settled("c1", Outcome::Done)];
        let pair = |one: &str, other: &str| vec![(one.to_owned(), other.to_owned())];
        assert_eq!(left(both(), &first), pair("a", "a-moving1"));
        let second = [calling("c2"), answered("c2", 200), settled("c2", Outcome::Done)];
        assert_eq!(left(both(), &[first.to_vec(), second.to_vec()].concat()), pair("a", "b"));
        // Whether it is one or the other is not known.
        let doubt = [calling("c2"), settled("c2", Outcome::InDoubt(no()))];
        assert_eq!(left(both(), &[first.to_vec(), doubt.to_vec()].concat()), []);
    }

    #[test]
    fn what_is_in_doubt_or_was_put_off_is_told() {
        let plan = Plan { calls: vec![call("c1", "a", "b"), call("c2", "c", "d")], ..Plan::empty() };
        let entries = [calling("c1"), settled("c1", Outcome::InDoubt(no())), settled("c2", Outcome::Refused(no()))];
        let told = Did::of(7, &plan, &entries).stays(&BTreeMap::new());
        let expected = [
            "nobody knows what became of c1 of run 7 (gitlab, hr/1): it is left as it is, look there",
            "`homeward resume 7` would still send what was put off (c2)",
        ];
        assert_eq!(told, expected);
    }
}
