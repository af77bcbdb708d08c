//! Carries out a plan, and nothing but that plan.
//!
//! What each call depends on is read again before anything is sent; what moved is not sent. Calls wait for those that must
//! come before them, calls of one account never overlap, and each system has only so many under way. A call whose answer
//! never came is settled by looking, never by sending it again blindly.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tracing::{Instrument, info_span, warn};

use super::{
    RunError, expectations,
    fleet::{Fleet, Member},
    gather, own,
    tokens::bearers,
};
use crate::{
    model::{
        account::{Account, Facts, Wanted},
        attribute::{AttributeName, Value},
        capability::{Change, Replay},
        id::{AccountId, CallId, PersonId, SystemName},
        person::Link,
        plan::{Call, Decision, Operation, Plan, PlannedChange, PlannedOperation, Request, Seen},
        refusal::{Refusal, RefusalKind},
    },
    plan::{Providers, guard::GuardedPlan},
    state::{Entry, Outcome, Sent, Settlement, Standing, Store, progress::Progress},
    wire::Budget,
};

/// When an account that does not show yet what was done is looked at again.
const SECOND_LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(200), Duration::from_millis(800)];

/// Told what happens while a plan is carried out.
pub(crate) trait Watcher {
    /// A call is over.
    fn settled(&mut self, call: &Call, outcome: &Outcome);

    /// False where no further call shall be begun: what is under way is finished, and the run stays open.
    fn goes_on(&self) -> bool {
        true
    }
}

/// What became of every call.
#[derive(Debug)]
pub(crate) struct Report {
    /// The number of the run in the store.
    pub(crate) run: i64,
    /// In plan order.
    pub(crate) outcomes: Vec<(CallId, Outcome)>,
}

/// What the accounts of a plan hold right now, as far as its calls depend on it.
#[derive(Default)]
struct World {
    accounts: BTreeMap<(SystemName, AccountId), Account>,
    /// Who holds a value that a creation needs to be free.
    holders: BTreeMap<(SystemName, AttributeName, String), AccountId>,
    /// The accounts that earlier runs tied to people.
    linked: BTreeMap<(PersonId, SystemName), AccountId>,
    /// The attributes that creations need to be free.
    watched: BTreeSet<AttributeName>,
    /// What was learned of each server.
    servers: BTreeMap<SystemName, Arc<Facts>>,
    /// Systems that could not be read again, and why.
    unread: BTreeMap<SystemName, Refusal>,
    /// People whose own tokens show nothing, and why.
    unseen: BTreeMap<(SystemName, PersonId), Refusal>,
}

/// Carries out the plan of a run that was begun. `now` gives the time for the store, ISO 8601.
///
/// # Errors
/// Where the store cannot be written: then nothing more is sent. What was under way is in the journal. Where the watcher
/// said to stop before all was sent.
pub(crate) async fn execute(
    guarded: &GuardedPlan,
    fleet: &Fleet,
    store: &dyn Store,
    run: i64,
    now: &dyn Fn() -> String,
    watcher: &mut dyn Watcher,
) -> Result<Report, RunError> {
    let plan = guarded.plan();
    let place: BTreeMap<&CallId, usize> = plan.calls.iter().enumerate().map(|(at, call)| (&call.id, at)).collect();
    let budget = Budget::new(fleet.allotment);
    let memory = store.ties()?;
    let mut world = read_again(plan, fleet, &memory.links).await;
    let of_people = |link: Link| ((link.person, link.system), link.account);
    world.linked = memory.links.into_iter().map(of_people).collect();
    let asked = asked_for(plan);
    let entries = store.entries(run)?;
    let (progress, unproved) = (Progress::of(&entries), unproved(&entries));
    let broken_off = broken_off(plan, &world, fleet, &progress);
    let strange = strangers(plan, &world, fleet, &progress);
    let mut queue = Queue::new(plan, fleet);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; plan.calls.len()];
    let mut under_way = FuturesUnordered::new();
    // Calls whose only proof is their answer.
    let mut answered = Vec::new();
    let mut fault = None;
    loop {
        while fault.is_none()
            && watcher.goes_on()
            && let Some(at) = queue.next()
        {
            let call = &plan.calls[at];
            let is_believed = || !unproved.contains(&call.id) || !is_as_before(call, &world, fleet);
            if progress.get(&call.id).is_some_and(Progress::is_done) && is_believed() {
                // An earlier try of this run did it. What became of it since is not this run's to say.
                watcher.settled(call, &Outcome::Done);
                outcomes[at] = Some(Outcome::Done);
                queue.over(at);
                continue;
            }
            let so_far = progress.get(&call.id);
            let hindrance = sent_before(call, asked.get(&call.id).copied(), &memory.deeds, run, so_far)
                .or_else(|| hindrance(call, &outcomes, &place, &world, &broken_off, fleet));
            let hindrance =
                hindrance.or_else(|| forbidden(call, &world, guarded)).or_else(|| strange.get(&at).cloned());
            let hindrance = hindrance.or_else(|| for_a_person(call, so_far));
            let hindrance = hindrance.or_else(|| not_now(call, fleet, &budget));
            if let Some(outcome) = hindrance {
                let outcome = still_doubtful(call, outcome, so_far);
                // First the tie: what is noted to be done is not looked at again.
                if outcome == Outcome::Done
                    && let Some(account) = broken_off.get(&call.id)
                    && let Err(error) = store.link(run, &[tie(call, account)])
                {
                    fault = Some(error.into());
                    continue;
                }
                if let Err(error) = note(store, run, call, &outcome) {
                    fault = Some(error);
                }
                watcher.settled(call, &outcome);
                outcomes[at] = Some(outcome);
                queue.over(at);
                continue;
            }
            let mark = asked.get(&call.id).map(|asked| asked.mark.as_str());
            let (budget, is_in_doubt) = (&budget, so_far.is_some_and(Progress::is_in_doubt));
            under_way.push(async move {
                let span = info_span!("call", id = %call.id, system = %call.system);
                (at, carry_out(call, mark, fleet, store, run, budget, is_in_doubt).instrument(span).await)
            });
        }
        let Some((at, (outcome, account))) = under_way.next().await else { break };
        let call = &plan.calls[at];
        if let Some(account) = account {
            let has_looked = fleet.members.get(&call.system).is_some_and(|member| member.connector.has_looked(call));
            if outcome == Outcome::Done
                && call.operation != Operation::Perform
                && !has_looked
                && let Some(id) = &account.id
            {
                answered.push((at, id.clone()));
            }
            // An answer that shows somebody else's names is no proof that this account is hers.
            if call.operation == Operation::Create
                && let Some(id) = &account.id
                && holds(&account, &call.expects, fleet)
                && let Err(error) = store.link(run, &[tie(call, id)])
            {
                fault.get_or_insert(error.into());
            }
            world.learn(account);
        }
        if let Err(error) = close(store, run, asked.get(&call.id).copied(), call, &outcome) {
            fault.get_or_insert(error);
        }
        watcher.settled(call, &outcome);
        outcomes[at] = Some(outcome);
        queue.over(at);
    }
    if let Some(error) = fault {
        return Err(error);
    }
    let left = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    if left > 0 && !watcher.goes_on() {
        return Err(RunError::Stopped { run, left });
    }
    for (at, outcome) in prove(plan, &answered, fleet).await {
        note(store, run, &plan.calls[at], &outcome)?;
        outcomes[at] = Some(outcome);
    }
    let all_done = outcomes.iter().all(|outcome| matches!(outcome, Some(Outcome::Done)));
    let standing = if all_done { Standing::Done } else { Standing::Partly };
    // What a baseline shows was so before anybody asked: it is never asked for.
    let baseline = plan.operations.iter().filter(|asked| asked.decision == Decision::Unchanged);
    let marks: Vec<&str> = baseline.map(|asked| asked.mark.as_str()).collect();
    let seen = shown(plan, &outcomes, &place, store)?;
    let is_done = |call: &CallId| place.get(call).is_some_and(|at| outcomes[*at] == Some(Outcome::Done));
    let follow_ups = expectations::left_behind(plan, &is_done, fleet, &memory.expectations, run, &now());
    let settlement = Settlement { links: &plan.links, seen: &seen, marks: &marks, standing, follow_ups: &follow_ups };
    store.settle(run, &settlement, &now())?;
    let outcomes = plan.calls.iter().zip(outcomes);
    let outcomes =
        outcomes.map(|(call, outcome)| (call.id.clone(), outcome.unwrap_or(Outcome::Skipped(call.id.clone()))));
    Ok(Report { run, outcomes: outcomes.collect() })
}

/// What is remembered of what sources showed. What was asked for and is not done yet is left as it was remembered before:
/// then a source that says only changes says it again, and nothing is lost. Only a request that belongs elsewhere is
/// answered for good.
fn shown(
    plan: &Plan,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
    store: &dyn Store,
) -> Result<Vec<Seen>, RunError> {
    let is_open = |change: &&PlannedChange| match change.decision {
        Decision::Apply => {
            let outcome = change.call.as_ref().and_then(|call| place.get(call)).and_then(|at| outcomes[*at].as_ref());
            !matches!(outcome, Some(Outcome::Done))
        }
        Decision::Hold => true,
        Decision::Refuse => change.refusal != Some(RefusalKind::OwnedElsewhere),
        Decision::Follow | Decision::Drop | Decision::Unchanged => false,
    };
    let mut open: BTreeMap<&PersonId, BTreeSet<&AttributeName>> = BTreeMap::new();
    for change in plan.changes.iter().filter(is_open) {
        open.entry(&change.person).or_default().insert(&change.attribute);
    }
    let mut seen = plan.seen.clone();
    if open.is_empty() {
        return Ok(seen);
    }
    let before = store.memory()?.seen;
    let before: BTreeMap<(&SystemName, &str), &Seen> =
        before.iter().map(|one| ((&one.system, one.key.as_str()), one)).collect();
    for one in &mut seen {
        // A first sight said nothing, so nothing of it can be left open.
        let Some(before) = before.get(&(&one.system, one.key.as_str())) else { continue };
        for attribute in one.person.as_ref().and_then(|person| open.get(person)).into_iter().flatten() {
            match before.values.get(*attribute) {
                Some(value) => one.values.insert((*attribute).clone(), value.clone()),
                None => one.values.remove(*attribute),
            };
        }
    }
    Ok(seen)
}

/// The calls that were answered with a yes by a try that broke off before it had looked whether that was true.
fn unproved(entries: &[Entry]) -> BTreeSet<CallId> {
    let mut unproved = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::Settled { call, outcome: Outcome::Done } => {
                unproved.insert(call.clone());
            }
            Entry::Stands { standing: Standing::Done | Standing::Partly, .. } => unproved.clear(),
            _ => {}
        }
    }
    unproved
}

/// True where the account still holds something that the call was to change, as it was before the call.
fn is_as_before(call: &Call, world: &World, fleet: &Fleet) -> bool {
    let account = call.account.as_ref().and_then(|id| world.accounts.get(&(call.system.clone(), id.clone())));
    account.is_some_and(|account| {
        differing(account, &call.intends, fleet).any(|name| call.expects.get(name) == Some(&account.value(name)))
    })
}

fn note(store: &dyn Store, run: i64, call: &Call, outcome: &Outcome) -> Result<(), RunError> {
    store.append(run, &Entry::Settled { call: call.id.clone(), outcome: outcome.clone() })?;
    Ok(())
}

/// Writes that a call is over. What became of an operation is remembered with it, so that the same record does not ask
/// for it again.
fn close(
    store: &dyn Store,
    run: i64,
    asked: Option<&PlannedOperation>,
    call: &Call,
    outcome: &Outcome,
) -> Result<(), RunError> {
    let Some(asked) = asked else { return note(store, run, call, outcome) };
    let sent = match outcome {
        Outcome::Done => Some(Sent::Done),
        Outcome::InDoubt(_) => Some(Sent::InDoubt(run)),
        Outcome::Refused(_) | Outcome::Moved(_) | Outcome::Skipped(_) => None,
    };
    let entry = Entry::Settled { call: call.id.clone(), outcome: outcome.clone() };
    store.over(run, &entry, &asked.mark, sent)?;
    Ok(())
}

/// The operations that calls do, by call.
fn asked_for(plan: &Plan) -> BTreeMap<&CallId, &PlannedOperation> {
    let applied = plan.operations.iter().filter(|asked| asked.decision == Decision::Apply);
    applied.filter_map(|asked| Some((asked.call.as_ref()?, asked))).collect()
}

/// Operations that an earlier run has sent: those that are done are not done again, and those in doubt only where that
/// does no harm.
fn sent_before(
    call: &Call,
    asked: Option<&PlannedOperation>,
    sent: &BTreeMap<String, Sent>,
    run: i64,
    so_far: Option<&Progress>,
) -> Option<Outcome> {
    match sent.get(&asked?.mark)? {
        Sent::Done => Some(Outcome::Done),
        // An earlier try of this run was about to send it, and never came to it.
        Sent::InDoubt(by) if *by == run && !so_far.is_some_and(Progress::is_in_doubt) => None,
        Sent::InDoubt(_) if call.replay == Replay::Repeat => None,
        Sent::InDoubt(_) => {
            let reason = format!("an earlier run sent this to {} and never learnt what became of it", call.system);
            Some(Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason)))
        }
    }
}

/// What keeps a call from being sent does not tell what became of an earlier try of it.
fn still_doubtful(call: &Call, outcome: Outcome, so_far: Option<&Progress>) -> Outcome {
    if !so_far.is_some_and(Progress::is_in_doubt) {
        return outcome;
    }
    let reason = match &outcome {
        Outcome::Refused(refusal) => refusal.reason.clone(),
        Outcome::Skipped(needed) => format!("{needed} comes first, and is not done"),
        Outcome::Moved(moved) if call.account.is_none() => format!("{} is not free any more", moved.join(", ")),
        Outcome::Done | Outcome::Moved(_) | Outcome::InDoubt(_) => return outcome,
    };
    let reason = format!("an earlier try sent this, and nobody knows what became of it ({reason})");
    Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason))
}

/// A call that an earlier try has sent, that left nothing to see, and that must not be sent twice: a person has to tell.
fn for_a_person(call: &Call, progress: Option<&Progress>) -> Option<Outcome> {
    let is_doubtful = call.replay == Replay::AskOperator && progress.is_some_and(Progress::is_in_doubt);
    is_doubtful.then(|| {
        let reason = format!("an earlier try sent this to {} and never learnt what became of it", call.system);
        Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason))
    })
}

/// Why a call whose turn has come is not sent; `None` where nothing stands in its way.
fn hindrance(
    call: &Call,
    outcomes: &[Option<Outcome>],
    place: &BTreeMap<&CallId, usize>,
    world: &World,
    broken_off: &BTreeMap<CallId, AccountId>,
    fleet: &Fleet,
) -> Option<Outcome> {
    for needed in &call.after {
        let outcome = place.get(needed).and_then(|at| outcomes[*at].as_ref());
        if !matches!(outcome, Some(Outcome::Done)) {
            return Some(Outcome::Skipped(needed.clone()));
        }
    }
    if let Some(refusal) = world.unread.get(&call.system) {
        return Some(Outcome::Refused(refusal.clone()));
    }
    if let Some(refusal) = world.unseen.get(&(call.system.clone(), call.person.clone())) {
        return Some(Outcome::Refused(refusal.clone()));
    }
    let moved: Vec<String> = if let Some(id) = &call.account {
        let Some(account) = world.accounts.get(&(call.system.clone(), id.clone())) else {
            return Some(Outcome::Moved(vec!["the account is gone".to_owned()]));
        };
        let differs = |(attribute, expected): &(&AttributeName, &Value)| account.value(attribute) != **expected;
        let moved: Vec<String> =
            call.expects.iter().filter(differs).map(|(attribute, _)| attribute.to_string()).collect();
        if !moved.is_empty() && unmet(call, account, fleet).is_empty() {
            // Somebody did it already, perhaps an earlier try of this plan: there is nothing left to send.
            return Some(Outcome::Done);
        }
        moved
    } else {
        let held =
            call.expects.iter().filter(|(attribute, value)| world.holder(call, attribute, value, fleet).is_some());
        held.map(|(attribute, _)| attribute.to_string()).collect()
    };
    if !moved.is_empty() && is_made(call, world, broken_off, fleet) {
        return Some(Outcome::Done);
    }
    (!moved.is_empty()).then_some(Outcome::Moved(moved))
}

/// The accounts that creations of this run have made, where it broke off after they were sent and before the answer was
/// written down: each holds all that it should begin with.
fn broken_off(
    plan: &Plan,
    world: &World,
    fleet: &Fleet,
    progress: &BTreeMap<CallId, Progress>,
) -> BTreeMap<CallId, AccountId> {
    let made = |call: &Call| {
        let mut holders = call.expects.iter().map(|(attribute, value)| world.holder(call, attribute, value, fleet));
        let first = holders.next()??;
        let account = world.accounts.get(&(call.system.clone(), first.clone()))?;
        let is_all = holders.all(|holder| holder == Some(first)) && unmet(call, account, fleet).is_empty();
        is_all.then(|| (call.id.clone(), first.clone()))
    };
    let creations = plan.calls.iter().filter(|call| call.account.is_none() && call.operation == Operation::Create);
    let doubtful = creations.filter(|call| progress.get(&call.id).is_some_and(Progress::is_in_doubt));
    doubtful.filter_map(made).collect()
}

fn tie(call: &Call, account: &AccountId) -> Link {
    Link { person: call.person.clone(), system: call.system.clone(), account: account.clone() }
}

/// True where an earlier try of this creation made the account already: it is tied to this person, or was made by this
/// very call, and holds all that it should begin with.
fn is_made(call: &Call, world: &World, broken_off: &BTreeMap<CallId, AccountId>, fleet: &Fleet) -> bool {
    if broken_off.contains_key(&call.id) {
        return true;
    }
    let linked = world.linked.get(&(call.person.clone(), call.system.clone()));
    let account = linked.and_then(|id| world.accounts.get(&(call.system.clone(), id.clone())));
    call.account.is_none() && account.is_some_and(|account| unmet(call, account, fleet).is_empty())
}

/// The time of the run is over, or the system is left alone: nothing is sent, and the same may be tried later.
fn not_now(call: &Call, fleet: &Fleet, budget: &Budget) -> Option<Outcome> {
    let spent = budget.spent().map(|reason| Refusal::new(RefusalKind::Unavailable, reason));
    spent.or_else(|| fleet.members.get(&call.system)?.line.closed()).map(Outcome::Refused)
}

/// Whatever a plan says, a protected account is left alone.
fn forbidden(call: &Call, world: &World, guarded: &GuardedPlan) -> Option<Outcome> {
    let account = world.accounts.get(&(call.system.clone(), call.account.clone()?))?;
    let reason = "the account is protected by `limits.protected`";
    guarded.protects(account).then(|| Outcome::Refused(Refusal::new(RefusalKind::Forbidden, reason)))
}

/// The calls that the connectors would not make of the very changes they are said to carry out. A plan's id is a digest
/// that anybody can compute, so it proves a file whole, not honest: what is sent must be what this program sends.
fn strangers(
    plan: &Plan,
    world: &World,
    fleet: &Fleet,
    progress: &BTreeMap<CallId, Progress>,
) -> BTreeMap<usize, Outcome> {
    let asked = asked_for(plan);
    let is_strange = |call: &Call| {
        let server = world.servers.get(&call.system).cloned().unwrap_or_default();
        let account = match &call.account {
            Some(id) => world.accounts.get(&(call.system.clone(), id.clone()))?.clone(),
            None => Account::absent(call.system.clone(), server),
        };
        if call.operation == Operation::Perform {
            let asked = asked.get(&call.id)?;
            let reason = format!("{} would not be asked this for this operation: make the plan again", call.system);
            return match fleet.operation(&account, &asked.operation, &asked.arguments) {
                Ok(request) if is_this(call, &request) => None,
                Ok(_) => Some(Outcome::Refused(Refusal::new(RefusalKind::Unsupported, reason))),
                // An earlier try of this run may have brought that about, and sending it again does no harm.
                Err(_)
                    if call.replay == Replay::Repeat && progress.get(&call.id).is_some_and(Progress::is_in_doubt) =>
                {
                    None
                }
                // The account is no longer one to which it can be done, such as one that is locked already.
                Err(refusal) => Some(Outcome::Refused(refusal)),
            };
        }
        let change = |(attribute, after): (&AttributeName, &Value)| Change {
            attribute: attribute.clone(),
            before: account.value(attribute),
            after: after.clone(),
        };
        let changes: Vec<Change> = call.intends.iter().map(change).collect();
        let known = fleet.calls(&account, &changes).unwrap_or_default().iter().any(|request| is_this(call, request));
        let reason = format!("{} would not be asked this for these changes: make the plan again", call.system);
        (!known).then(|| Outcome::Refused(Refusal::new(RefusalKind::Unsupported, reason)))
    };
    plan.calls.iter().enumerate().filter_map(|(at, call)| Some((at, is_strange(call)?))).collect()
}

fn is_this(call: &Call, request: &Request) -> bool {
    call.operation == request.operation
        && call.method == request.method
        && call.path == request.path
        && call.headers == request.headers
        && call.body == request.body
        && call.generated == request.generated
}

/// Sends one call and finds out what became of it.
async fn carry_out(
    call: &Call,
    mark: Option<&str>,
    fleet: &Fleet,
    store: &dyn Store,
    run: i64,
    budget: &Budget,
    is_in_doubt: bool,
) -> (Outcome, Option<Account>) {
    let Some(member) = fleet.members.get(&call.system) else {
        let refusal = Refusal::new(RefusalKind::Unsupported, format!("no system `{}` is configured", call.system));
        return (Outcome::Refused(refusal), None);
    };
    let token = member.keyring.as_deref().map(|keyring| keyring.of(&call.person).map_err(|lack| (keyring, lack)));
    let writer = match &token {
        None => Some(member.line.writer(store, run, call)),
        Some(Ok(own)) => member.line.writer_as(store, run, call, own),
        Some(Err((keyring, lack))) => return (Outcome::Refused(keyring.refusal(&call.person, *lack)), None),
    };
    let Some(writer) = writer else {
        let reason = format!("{} would be asked with another person's token", call.system);
        return (Outcome::Refused(Refusal::new(RefusalKind::Forbidden, reason)), None);
    };
    let mut writer = writer.of(mark).within(budget).doubting(is_in_doubt);
    match member.connector.perform(call, &mut writer).await {
        Ok(account) if call.account.is_none() || account.id == call.account => {
            let outcome = judge(call, &account, fleet);
            if outcome == Outcome::Done { (outcome, Some(account)) } else { check(call, outcome, fleet).await }
        }
        Ok(_) => {
            let reason = format!("{} answered with another account", call.system);
            look(call, Refusal::new(RefusalKind::Unavailable, reason), fleet).await
        }
        // A yes that shows nothing of the account may have been one all the same.
        Err(refusal) if writer.in_doubt() || writer.was_taken() => look(call, refusal, fleet).await,
        // Who points elsewhere has perhaps done first what was asked.
        Err(refusal) if refusal.status.is_some_and(|status| (300..400).contains(&status)) => {
            check(call, Outcome::Refused(refusal), fleet).await
        }
        Err(refusal) => (Outcome::Refused(refusal), None),
    }
}

/// A 200 is no proof: the account must hold what was sent.
fn judge(call: &Call, account: &Account, fleet: &Fleet) -> Outcome {
    let missing: Vec<&AttributeName> = differing(account, &call.intends, fleet).collect();
    ineffective(call, &missing).unwrap_or(Outcome::Done)
}

/// A server may repeat what it was sent and do nothing. So what was only answered is looked at once more, all accounts of a
/// system together: one look at each call would cost as many requests again. Gives what is not so, by call.
async fn prove(plan: &Plan, answered: &[(usize, AccountId)], fleet: &Fleet) -> Vec<(usize, Outcome)> {
    let mut by_system: BTreeMap<&SystemName, Vec<(usize, &AccountId)>> = BTreeMap::new();
    for (at, id) in answered {
        by_system.entry(&plan.calls[*at].system).or_default().push((*at, id));
    }
    let looks = by_system.into_iter().map(|(system, calls)| prove_at(system, calls, plan, fleet));
    join_all(looks).await.into_iter().flatten().collect()
}

/// The same for the calls of one system.
async fn prove_at(
    system: &SystemName,
    mut calls: Vec<(usize, &AccountId)>,
    plan: &Plan,
    fleet: &Fleet,
) -> Vec<(usize, Outcome)> {
    let Some(member) = fleet.members.get(system) else { return Vec::new() };
    calls.sort_unstable();
    // What a later call of the same account has changed again is that call's to prove.
    let mut last: BTreeMap<(&AccountId, &AttributeName), usize> = BTreeMap::new();
    for (at, id) in &calls {
        last.extend(plan.calls[*at].intends.keys().map(|attribute| ((*id, attribute), *at)));
    }
    let mut wrong = Vec::new();
    for pause in SECOND_LOOKS {
        tokio::time::sleep(pause).await;
        let mut wanted = Wanted { fresh: true, ..Wanted::default() };
        for (at, id) in &calls {
            want_sets(&mut wanted, &plan.calls[*at]);
            wanted.ids.insert((*id).clone());
        }
        let people = calls.iter().map(|(at, _)| &plan.calls[*at].person);
        let accounts: BTreeMap<AccountId, Account> = match seen(system, member, &wanted, people).await {
            Ok(accounts) => accounts.into_iter().filter_map(|account| Some((account.id.clone()?, account))).collect(),
            Err(error) => {
                warn!(error, "the second look failed");
                let reason = format!("{system} said yes, and could not be looked at afterwards");
                let doubt = Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason));
                return calls.into_iter().map(|(at, _)| (at, doubt.clone())).collect();
            }
        };
        wrong.clear();
        for (at, id) in &calls {
            let call = &plan.calls[*at];
            let outcome = if let Some(account) = accounts.get(*id) {
                let own = call.intends.iter().filter(|(name, _)| last.get(&(*id, *name)) == Some(at));
                let own = own.map(|(name, value)| (name.clone(), value.clone())).collect();
                ineffective(call, &differing(account, &own, fleet).collect::<Vec<_>>())
            } else {
                let reason = if member.keyring.is_some() {
                    format!("{system} said yes, and her token does not show the account any more")
                } else {
                    format!("{system} said yes, and the account is not there")
                };
                Some(Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason)))
            };
            wrong.extend(outcome.map(|outcome| (*at, outcome)));
        }
        // One of several servers may still show what was: those are looked at again.
        calls.retain(|(at, _)| wrong.iter().any(|(wrong, _)| wrong == at));
        if calls.is_empty() {
            break;
        }
    }
    wrong
}

/// The no that a yes turns out to be where these attributes are not as the call intends.
fn ineffective(call: &Call, missing: &[&AttributeName]) -> Option<Outcome> {
    let missing: Vec<String> = missing.iter().map(|attribute| format!("`{attribute}`")).collect();
    (!missing.is_empty()).then(|| {
        let reason = format!("{} said yes and did not change {}", call.system, missing.join(", "));
        Outcome::Refused(Refusal::new(RefusalKind::Ineffective, reason))
    })
}

/// The attributes that the account does not hold as the call intends.
fn unmet(call: &Call, account: &Account, fleet: &Fleet) -> Vec<String> {
    let missing = differing(account, &call.intends, fleet);
    missing.map(|attribute| format!("`{attribute}`")).collect()
}

/// True where the account holds all of these values, as its provider stores them.
fn holds(account: &Account, values: &BTreeMap<AttributeName, Value>, fleet: &Fleet) -> bool {
    differing(account, values, fleet).next().is_none()
}

fn differing<'a>(
    account: &Account,
    values: &'a BTreeMap<AttributeName, Value>,
    fleet: &Fleet,
) -> impl Iterator<Item = &'a AttributeName> {
    values.iter().filter_map(|(attribute, intended)| {
        let wanted = fleet.normalize(&account.system, attribute, intended);
        (fleet.normalize(&account.system, attribute, &account.value(attribute)) != wanted).then_some(attribute)
    })
}

/// No answer came: looks whether the call had its effect.
async fn look(call: &Call, refusal: Refusal, fleet: &Fleet) -> (Outcome, Option<Account>) {
    match seen_now(call, fleet).await.map(|seen| effect(call, seen, fleet)) {
        Some((account, true)) => (Outcome::Done, account),
        // It may still be on its way through a proxy: that it is not there now does not prove that it never will be.
        Some((_, false)) | None => (Outcome::InDoubt(refusal), None),
    }
}

/// An answer came by which nothing was done. What answers is not always what was asked: only the account itself tells.
async fn check(call: &Call, otherwise: Outcome, fleet: &Fleet) -> (Outcome, Option<Account>) {
    match (seen_now(call, fleet).await.map(|seen| effect(call, seen, fleet)), otherwise) {
        (Some((account, true)), _) => (Outcome::Done, account),
        (Some((account, false)), otherwise) => (otherwise, account),
        (None, Outcome::Refused(refusal)) => (Outcome::InDoubt(refusal), None),
        (None, otherwise) => (otherwise, None),
    }
}

/// The account as it holds what the call intends, or else as it is.
fn effect(call: &Call, mut seen: Vec<Account>, fleet: &Fleet) -> (Option<Account>, bool) {
    match seen.iter().position(|account| unmet(call, account, fleet).is_empty()) {
        Some(at) => (Some(seen.swap_remove(at)), true),
        None => (seen.pop(), false),
    }
}

/// The accounts that a call could have changed, as they are now; `None` where nobody can look.
async fn seen_now(call: &Call, fleet: &Fleet) -> Option<Vec<Account>> {
    let member = fleet.members.get(&call.system)?;
    if call.operation == Operation::Perform {
        // An operation leaves nothing at the account that could be looked for.
        return None;
    }
    let mut wanted = Wanted { fresh: true, ..Wanted::default() };
    want_sets(&mut wanted, call);
    match &call.account {
        Some(id) => {
            wanted.ids.insert(id.clone());
        }
        None => want_holders(&mut wanted, call),
    }
    match seen(&call.system, member, &wanted, [&call.person]).await {
        // Nothing is seen with a token that is not accepted any more.
        Ok(accounts) if accounts.is_empty() && member.keyring.is_some() => None,
        Ok(accounts) => {
            let hers = |account: &Account| call.account.is_none() || account.id == call.account;
            Some(accounts.into_iter().filter(hers).collect())
        }
        Err(error) => {
            warn!(error, "the second look failed");
            None
        }
    }
}

/// The accounts that are wanted; where everybody is looked at with her own token, those of these people.
async fn seen(
    system: &SystemName,
    member: &Member,
    wanted: &Wanted,
    people: impl IntoIterator<Item = &PersonId>,
) -> Result<Vec<Account>, String> {
    let Some(keyring) = member.keyring.as_deref() else {
        let observed = member.observe(wanted).await;
        return observed.map(|observed| observed.accounts).map_err(|error| error.to_string());
    };
    let people: BTreeSet<&PersonId> = people.into_iter().collect();
    let opened = own::open(system, member, keyring, &bearers(people, []), false).await;
    let opened = opened.map_err(|error| error.to_string())?;
    Ok(opened.accounts.into_values().filter_map(Result::ok).collect())
}

/// The members that a call is about.
fn want_sets(wanted: &mut Wanted, call: &Call) {
    for attribute in call.intends.keys().chain(call.expects.keys()) {
        if let (Some(set), Some(member)) = (attribute.set(), attribute.member()) {
            wanted.members.entry(set).or_default().insert(member.to_owned());
        }
    }
}

fn want_holders(wanted: &mut Wanted, call: &Call) {
    for (attribute, value) in &call.expects {
        if let Some(text) = value.as_text() {
            wanted.holding.entry(attribute.clone()).or_default().insert(text.to_owned());
        }
    }
}

/// Reads again exactly what the calls depend on, all systems side by side.
async fn read_again(plan: &Plan, fleet: &Fleet, ties: &[Link]) -> World {
    let mut wanted: BTreeMap<&SystemName, Wanted> = BTreeMap::new();
    for call in &plan.calls {
        let wanted = wanted.entry(&call.system).or_default();
        wanted.fresh = true;
        want_sets(wanted, call);
        match &call.account {
            Some(id) => {
                wanted.ids.insert(id.clone());
            }
            None => want_holders(wanted, call),
        }
    }
    for asked in plan.operations.iter().filter(|asked| asked.call.is_some()) {
        let table = fleet.capabilities(&asked.system).and_then(|table| table.operation(&asked.operation));
        let wanted = wanted.entry(&asked.system).or_default();
        gather::want_named(wanted, table, &asked.arguments);
    }
    let shared = wanted.into_iter().filter(|(system, _)| fleet.keyed(system).is_none());
    let asked = shared.map(async |(system, wanted)| {
        let answer = match fleet.members.get(system) {
            Some(member) => member.observe(&wanted).await.map_err(|e| e.to_string()),
            None => Err(format!("no system `{system}` is configured")),
        };
        (system, answer)
    });
    let creations = plan.calls.iter().filter(|call| call.account.is_none());
    let watched = creations.flat_map(|call| call.expects.keys().cloned()).collect();
    let mut world = World { watched, ..World::default() };
    let own = own_again(plan, fleet, ties).await;
    for (system, answer) in join_all(asked).await {
        match answer {
            Ok(observed) => {
                world.servers.insert(system.clone(), observed.server);
                observed.accounts.into_iter().for_each(|account| world.learn(account));
            }
            Err(cause) => {
                let reason = format!("{system} could not be read again: {cause}");
                world.unread.insert(system.clone(), Refusal::new(RefusalKind::Unavailable, reason));
            }
        }
    }
    for (system, answer) in own {
        let own::Opened { accounts, server, .. } = match answer {
            Ok(opened) => opened,
            Err(error) => {
                let mut cause = error.to_string();
                if let Some(source) = std::error::Error::source(&error) {
                    cause = format!("{cause}: {source}");
                }
                world.unread.insert(system, Refusal::new(RefusalKind::Unavailable, cause));
                continue;
            }
        };
        world.servers.insert(system.clone(), Arc::new(server.unwrap_or_default()));
        for (person, answer) in accounts {
            match answer {
                Ok(account) => {
                    let of_her = |call: &&Call| call.system == system && call.person == person;
                    let other = plan.calls.iter().filter(of_her).find(|call| call.account != account.id);
                    if let Some(call) = other.filter(|call| call.account.is_some()) {
                        let reason = format!(
                            "the token kept for {person} at {system} opens another account than {}: is it another person's?",
                            call.account.as_ref().map_or("hers", |id| id.as_str())
                        );
                        let refusal = Refusal::new(RefusalKind::Forbidden, reason);
                        world.unseen.insert((system.clone(), person), refusal);
                    } else {
                        world.learn(account);
                    }
                }
                Err(refusal) => {
                    world.unseen.insert((system.clone(), person), refusal);
                }
            }
        }
    }
    world
}

/// Opens the accounts that calls are about with the tokens of their people, where systems are asked so.
async fn own_again(plan: &Plan, fleet: &Fleet, ties: &[Link]) -> Vec<(SystemName, Result<own::Opened, RunError>)> {
    let mut people: BTreeMap<&SystemName, BTreeSet<&PersonId>> = BTreeMap::new();
    for call in &plan.calls {
        people.entry(&call.system).or_default().insert(&call.person);
    }
    let looks = people.into_iter().filter_map(|(system, people)| {
        let (member, keyring) = fleet.keyed(system)?;
        // Under a name that only this plan ties to her, too.
        let bearers = bearers(people, ties.iter().chain(&plan.links));
        Some(async move { (system.clone(), own::open(system, member, keyring, &bearers, false).await) })
    });
    join_all(looks).await
}

impl World {
    /// Who holds a value that a creation needs to be free.
    fn holder(&self, call: &Call, attribute: &AttributeName, value: &Value, fleet: &Fleet) -> Option<&AccountId> {
        let text = fleet.normalize(&call.system, attribute, value).as_text().unwrap_or_default().to_lowercase();
        self.holders.get(&(call.system.clone(), attribute.clone(), text))
    }

    /// Takes in what an answer shows. What it does not speak of is as it was: the answer to a profile shows no team.
    fn learn(&mut self, mut account: Account) {
        let Some(id) = account.id.clone() else { return };
        let key = |attribute: &AttributeName, value: &Value| {
            let text = value.as_text().filter(|_| self.watched.contains(attribute))?;
            Some((account.system.clone(), attribute.clone(), text.to_lowercase()))
        };
        let place = (account.system.clone(), id.clone());
        let old = self.accounts.get(&place).map(|account| account.attributes.clone()).unwrap_or_default();
        for (attribute, value) in &old {
            account.attributes.entry(attribute.clone()).or_insert_with(|| value.clone());
        }
        let left: Vec<_> = old.iter().filter_map(|(attribute, value)| key(attribute, value)).collect();
        let held: Vec<_> = account.attributes.iter().filter_map(|(attribute, value)| key(attribute, value)).collect();
        for name in left {
            if self.holders.get(&name) == Some(&id) {
                self.holders.remove(&name);
            }
        }
        self.holders.extend(held.into_iter().map(|name| (name, id.clone())));
        self.accounts.insert(place, account);
    }
}

/// Whose turn it is.
struct Queue {
    /// How many calls each one still waits for.
    waits: Vec<usize>,
    /// Who waits for each one.
    then: BTreeMap<usize, Vec<usize>>,
    ready: BTreeMap<SystemName, VecDeque<usize>>,
    free: BTreeMap<SystemName, usize>,
    systems: Vec<SystemName>,
}

impl Queue {
    fn new(plan: &Plan, fleet: &Fleet) -> Self {
        let place: BTreeMap<&CallId, usize> = plan.calls.iter().enumerate().map(|(at, call)| (&call.id, at)).collect();
        let mut edges = BTreeSet::new();
        let mut last: BTreeMap<(&SystemName, &AccountId), usize> = BTreeMap::new();
        for (at, call) in plan.calls.iter().enumerate() {
            edges.extend(call.after.iter().filter_map(|needed| Some((*place.get(needed)?, at))));
            // Two calls of one account never overlap, whether or not one needs the other.
            if let Some(id) = &call.account
                && let Some(previous) = last.insert((&call.system, id), at)
            {
                edges.insert((previous, at));
            }
        }
        let mut queue = Self {
            waits: vec![0; plan.calls.len()],
            then: BTreeMap::new(),
            ready: BTreeMap::new(),
            free: BTreeMap::new(),
            systems: plan.calls.iter().map(|call| call.system.clone()).collect(),
        };
        for (first, second) in edges {
            queue.waits[second] += 1;
            queue.then.entry(first).or_default().push(second);
        }
        for (at, call) in plan.calls.iter().enumerate() {
            let concurrency = fleet.members.get(&call.system).map_or(1, |member| member.concurrency.max(1));
            queue.free.insert(call.system.clone(), concurrency);
            if queue.waits[at] == 0 {
                queue.ready.entry(call.system.clone()).or_default().push_back(at);
            }
        }
        queue
    }

    /// The next call that may start; takes one of its system's places.
    fn next(&mut self) -> Option<usize> {
        for (system, waiting) in &mut self.ready {
            let Some(free) = self.free.get_mut(system).filter(|free| **free > 0) else { continue };
            if let Some(at) = waiting.pop_front() {
                *free -= 1;
                return Some(at);
            }
        }
        None
    }

    /// A call is over: gives its place back and lets those that waited for it go on.
    fn over(&mut self, at: usize) {
        if let Some(free) = self.free.get_mut(&self.systems[at]) {
            *free += 1;
        }
        for then in self.then.remove(&at).unwrap_or_default() {
            self.waits[then] -= 1;
            if self.waits[then] == 0 {
                self.ready.entry(self.systems[then].clone()).or_default().push_back(then);
            }
        }
    }
}
