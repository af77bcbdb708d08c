//! Carries out a plan, and nothing but that plan.
//!
//! What each call depends on is read again before anything is sent; what moved is not sent. Calls wait for those that must
//! come before them, calls of one account never overlap, and each system has only so many under way. A call whose answer
//! never came is settled by looking, never by sending it again blindly.

mod owners;
mod proof;
mod queue;
mod remembered;
mod world;

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tracing::{Instrument, info_span};

use self::{
    owners::Owners,
    proof::{check, differing, holds, is_unique, judge, look, names, prove, unmet},
    queue::Queue,
    remembered::{open_words, shown},
    world::{World, read_again},
};
use super::{
    RunError,
    correct::{Objections, tied_otherwise},
    expectations,
    fleet::Fleet,
    own,
    sign_in::of_outcomes,
};
use crate::{
    model::{
        account::Account,
        attribute::{AttributeName, Value},
        capability::{Change, Replay, Verdict},
        id::{AccountId, CallId, PersonId, SystemName},
        links::{Link, Links},
        plan::{Call, Decision, OpenCreation, Operation, Plan, PlannedOperation, Request, SignIn},
        refusal::{Refusal, RefusalKind},
    },
    plan::{
        Providers,
        guard::GuardedPlan,
        twins::{Kinship, Known},
    },
    state::{
        Entry, Outcome, Sent, Settlement, Standing, StateError, Store,
        progress::{Progress, Unproved, unproved},
        scribe::{Note, Receipt},
        was_set_aside,
    },
    wire::Budget,
};

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
    /// How many of those that are done were found done: no try of this run has sent anything for them.
    pub(crate) found_done: u64,
    /// Who has to sign in before the calls for her can be made, as it turned out on the way.
    pub(crate) sign_in: Vec<SignIn>,
}

/// Carries out the plan of a run that was begun. `now` gives the time for the store, ISO 8601. Where the run was `overtaken`
/// by another one, nothing more is sent: what became of that which was sent is looked for.
///
/// # Errors
/// Where the store cannot be written: then nothing more is sent. What was under way is in the journal. Where the watcher
/// said to stop before all was sent.
pub(crate) async fn execute(
    guarded: &GuardedPlan,
    fleet: &Fleet,
    store: &dyn Store,
    run: i64,
    overtaken: Option<i64>,
    now: &dyn Fn() -> String,
    watcher: &mut dyn Watcher,
) -> Result<Report, RunError> {
    let plan = guarded.plan();
    let place: BTreeMap<&CallId, usize> = plan.calls.iter().enumerate().map(|(at, call)| (&call.id, at)).collect();
    let budget = Budget::new(fleet.allotment);
    let memory = store.ties()?;
    let objections = Objections::on(plan, &memory);
    let entries = store.entries(run)?;
    let was_aside = was_set_aside(&entries);
    let owners = Owners::of(plan, was_aside, &memory.links, fleet);
    let mut world = read_again(plan, fleet, &memory.links, objections.to_look_for(plan), &owners).await;
    let asked = asked_for(plan);
    let (progress, unproved) = (Progress::of(&entries), unproved(&entries));
    let broken_off = broken_off(plan, &world, fleet, (&progress, &unproved), &objections);
    for call in &plan.calls {
        if let Some(account) = broken_off.get(&call.id) {
            world.made(call, account);
        }
    }
    // What other runs may have made, by for whom and where.
    let mut may_have: BTreeMap<(&PersonId, &SystemName), &OpenCreation> = BTreeMap::new();
    for open in memory.open.iter().filter(|open| open.run != run) {
        may_have.entry((&open.person, &open.system)).or_insert(open);
    }
    let kinship = OnceCell::new();
    let are_two = |one: &PersonId, other: &PersonId| {
        let (links, not_hers) = (&memory.links, &memory.corrections.not_hers);
        let people = plan.calls.iter().map(|call| &call.person);
        kinship.get_or_init(|| Kinship::of(Known { sources: &[], links, not_hers }, people)).are_two(one, other)
    };
    let strange = strangers(plan, &world, fleet, &progress);
    let is_there = |system: &SystemName, account: &str| world.may_show(system, account, fleet);
    let contradicted: Vec<bool> = plan.calls.iter().map(|call| objections.stand_against(call, &is_there)).collect();
    let otherwise = tied_otherwise(plan, &memory.links);
    let mut queue = Queue::new(plan, fleet);
    let mut outcomes: Vec<Option<Outcome>> = vec![None; plan.calls.len()];
    let mut under_way = FuturesUnordered::new();
    // What is over, and not on the disk yet. Whatever is sent from now on is written down behind it, so nobody waits.
    let mut closing = FuturesUnordered::new();
    // Calls whose only proof is their answer, and those of them that have made an account if it is true.
    let mut answered = Vec::new();
    let mut made = Vec::new();
    // Those that seem to have made an account which is known to be somebody else's.
    let mut claimed = Vec::new();
    let mut fault = None;
    let mut found_done = 0;
    loop {
        while fault.is_none()
            && watcher.goes_on()
            && let Some(at) = queue.next()
        {
            let call = &plan.calls[at];
            // What somebody says of a change is not looked into; to an account that was made she is to be tied.
            let is_told = unproved.get(&call.id) == Some(&Unproved::SaidDone) && call.operation != Operation::Create;
            let is_believed = || is_told || !unproved.contains_key(&call.id) || !may_be_a_lie(call, &world, fleet);
            if progress.get(&call.id).is_some_and(Progress::is_done) && is_believed() {
                // An earlier try of this run did it. What became of it since is not this run's to say.
                watcher.settled(call, &Outcome::Done);
                outcomes[at] = Some(Outcome::Done);
                queue.over(at);
                continue;
            }
            let so_far = progress.get(&call.id);
            let denied = contradicted[at]
                .then(|| Outcome::Moved(vec!["somebody has said since whose account it is".to_owned()]));
            let hindrance = denied
                .or_else(|| sent_before(call, asked.get(&call.id).copied(), &memory.deeds, run, so_far))
                .or_else(|| hindrance(call, (&outcomes, &place), &world, &broken_off, (&objections, &are_two), fleet));
            let hindrance = hindrance.or_else(|| {
                let by_now = otherwise.get(&call.person);
                let by_now = by_now.filter(|it| call.operation == Operation::Create || it.is_another());
                by_now.map(|by_now| Outcome::Moved(vec![by_now.to_string()]))
            });
            let hindrance =
                hindrance.or_else(|| forbidden(call, &world, guarded)).or_else(|| strange.get(&at).cloned());
            let hindrance = hindrance.or_else(|| owners.stand_against(&call.id, &world, fleet));
            let hindrance = hindrance.or_else(|| not_made(call, &unproved)).or_else(|| may_be_made(call, &may_have));
            let hindrance = hindrance.or_else(|| {
                let is_overtaken =
                    |later: i64| vec![format!("run {later} took it back, or has a later input of its source")];
                overtaken.map(|later| Outcome::Moved(is_overtaken(later)))
            });
            let hindrance = hindrance.or_else(|| for_a_person(call, so_far));
            let hindrance = hindrance.or_else(|| without_effect(call, so_far, &world, fleet));
            let hindrance = hindrance.or_else(|| not_now(call, fleet, &budget));
            if let Some(outcome) = hindrance {
                let has_one = call.operation == Operation::Create && world.linked(call).is_some();
                let outcome = if has_one { outcome } else { still_doubtful(call, outcome, so_far) };
                let tied = broken_off.get(&call.id).filter(|_| outcome == Outcome::Done);
                let tied = tied.map(|account| tie(call, account));
                let (tied, closed) = closed(store, run, None, call, tied, &outcome);
                closing.push(durable(at, tied, closed));
                found_done += u64::from(outcome == Outcome::Done && so_far.is_none());
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
        let (at, (mut outcome, account)) = tokio::select! {
            biased;
            Some((at, written)) = closing.next(), if !closing.is_empty() => {
                match (written, &outcomes[at]) {
                    (Ok(()), Some(outcome)) => watcher.settled(&plan.calls[at], outcome),
                    (Ok(()), None) => {}
                    (Err(error), _) => {
                        fault.get_or_insert(RunError::from(error));
                    }
                }
                continue;
            }
            Some(came) = under_way.next(), if !under_way.is_empty() => came,
            else => break,
        };
        let call = &plan.calls[at];
        let mut tied = None;
        if let Some(account) = account {
            let has_looked = fleet.members.get(&call.system).is_some_and(|member| member.connector.has_looked(call));
            let is_creation = call.operation == Operation::Create;
            let is_to_prove = outcome == Outcome::Done && call.operation != Operation::Perform && !has_looked;
            if is_creation && outcome == Outcome::Done && world.was_there(&account) {
                // Nothing that it shows of that account is to be believed.
                outcome = Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, answered_with(call, &account)));
            } else {
                if let Some(id) = &account.id {
                    // An answer that shows somebody else's names is no proof that this account is hers. Nobody is tied to
                    // what was only answered: the next plan would write to whoever has that account.
                    let is_hers = if outcome == Outcome::Done {
                        holds(&account, &names(call, fleet), fleet)
                    } else {
                        holds(&account, &call.expects, fleet)
                    };
                    // What no two can hold was free before, whoever had an account of this id once.
                    let was_free = || names(call, fleet).keys().all(|name| is_unique(call, name, fleet));
                    if is_creation && is_hers && world.other(call, id).is_some() && !was_free() {
                        claimed.push((at, account.clone()));
                    } else if is_creation && is_hers {
                        world.made(call, id);
                        if is_to_prove {
                            made.push((at, id.clone()));
                        } else {
                            tied = Some(tie(call, id));
                        }
                    }
                    if is_to_prove {
                        answered.push((at, id.clone()));
                    }
                }
                world.learn(account);
            }
        }
        let (tied, closed) = closed(store, run, asked.get(&call.id).copied(), call, tied, &outcome);
        closing.push(durable(at, tied, closed));
        outcomes[at] = Some(outcome);
        queue.over(at);
    }
    if let Some(error) = fault {
        return Err(error);
    }
    let proof = prove(plan, &answered, fleet).await;
    // First the ties, by which a later try finds what was made.
    let named = made.iter().filter(|(at, _)| proof.named.contains(at));
    let named: Links = named.map(|(at, id)| link(&plan.calls[*at], id)).collect();
    if !named.is_empty() {
        store.note(run, Note::Ties(named)).durable().await?;
    }
    let is_wrong: BTreeSet<usize> = proof.wrong.iter().map(|(at, _)| *at).collect();
    for (at, account) in &claimed {
        if is_wrong.contains(at) || outcomes[*at] != Some(Outcome::Done) {
            continue;
        }
        let call = &plan.calls[*at];
        let doubt = Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, answered_with(call, account)));
        note(store, run, call, &doubt)?;
        outcomes[*at] = Some(doubt);
    }
    for (at, outcome) in proof.wrong {
        note(store, run, &plan.calls[at], &outcome)?;
        outcomes[at] = Some(outcome);
    }
    let left = outcomes.iter().filter(|outcome| outcome.is_none()).count();
    if left > 0 && !watcher.goes_on() {
        return Err(RunError::Stopped { run, left });
    }
    let all_done = outcomes.iter().all(|outcome| matches!(outcome, Some(Outcome::Done)));
    let standing = if all_done { Standing::Done } else { Standing::Partly };
    // What a baseline shows was so before anybody asked: it is never asked for.
    let baseline = plan.operations.iter().filter(|asked| asked.decision == Decision::Unchanged);
    let marks: Vec<&str> = baseline.map(|asked| asked.mark.as_str()).collect();
    // Whoever speaks of her later has said what she is now: of a part that is overtaken nothing is news.
    let seen = if was_aside && overtaken.is_some() {
        Arc::default()
    } else {
        shown(plan, &outcomes, &place, store, (run, was_aside))?
    };
    // What an older run leaves open of whom a newer one has spoken is that one's to say.
    let open_words = overtaken.is_none().then(|| open_words(plan, &outcomes, &place));
    let is_done = |call: &CallId| place.get(call).is_some_and(|at| outcomes[*at] == Some(Outcome::Done));
    let follow_ups = expectations::left_behind(plan, &is_done, fleet, &memory.expectations, run, &now());
    let mut links = Arc::clone(&plan.links);
    // Words may have come while this went on: those of before are known here, those of since to the store.
    let is_there = |system: &SystemName, account: &str| world.may_show(system, account, fleet);
    let is_void = |link: Link<'_>| otherwise.contains_key(link.person) || objections.contradict(link, &is_there);
    if links.iter().any(is_void) {
        links = Arc::new(links.iter().filter(|link| !is_void(*link)).collect());
    }
    let settlement = Settlement {
        plan,
        links: &links,
        seen: &seen,
        open_words: open_words.as_deref(),
        marks: &marks,
        standing,
        follow_ups: &follow_ups,
    };
    store.settle(run, &settlement, &now())?;
    let outcomes = plan.calls.iter().zip(outcomes);
    let outcomes =
        outcomes.map(|(call, outcome)| (call.id.clone(), outcome.unwrap_or(Outcome::Skipped(call.id.clone()))));
    let outcomes: Vec<(CallId, Outcome)> = outcomes.collect();
    let home = |system: &SystemName| fleet.keyed(system).map(|(_, keyring)| keyring.home().to_owned());
    let sign_in = of_outcomes(plan, outcomes.iter().map(|(id, outcome)| (id, outcome)), &home);
    Ok(Report { run, outcomes, found_done, sign_in })
}

/// What a server says that it has made, and cannot have.
fn answered_with(call: &Call, account: &Account) -> String {
    let id = account.id.as_ref().map_or("", AccountId::as_str);
    let (system, person) = (&call.system, &call.person);
    format!(
        "{system} says that it has made account {id}, which was there before: look at it; where it is hers, say so with \
         `homeward link {person} {system}:{id}`"
    )
}

/// True where a yes that nobody looked into may have been none: the account that is said to be made does not show her names,
/// or an account still holds something that the call was to change, as it was before the call.
fn may_be_a_lie(call: &Call, world: &World, fleet: &Fleet) -> bool {
    if call.operation == Operation::Create {
        return match world.linked(call) {
            Some(account) => !holds(account, &names(call, fleet), fleet),
            // Without a name to look for there is nothing to see.
            None => !call.expects.is_empty(),
        };
    }
    let account = call.account.as_ref().and_then(|id| world.accounts.get(&(call.system.clone(), id.clone())));
    account.is_some_and(|account| {
        differing(account, &call.intends, fleet).any(|name| call.expects.get(name) == Some(&account.value(name)))
    })
}

fn note(store: &dyn Store, run: i64, call: &Call, outcome: &Outcome) -> Result<(), RunError> {
    store.append(run, &Entry::Settled { call: call.id.clone(), outcome: outcome.clone() })?;
    Ok(())
}

/// Hands in that a call is over, and the tie that is known by it: first the tie, by which a later try finds the account. What became of an operation is remembered with it, so that the same record does not ask for it again.
fn closed(
    store: &dyn Store,
    run: i64,
    asked: Option<&PlannedOperation>,
    call: &Call,
    tie: Option<Links>,
    outcome: &Outcome,
) -> (Option<Receipt>, Receipt) {
    let tied = tie.map(|tie| store.note(run, Note::Ties(tie)));
    let entry = Entry::Settled { call: call.id.clone(), outcome: outcome.clone() };
    let Some(asked) = asked else { return (tied, store.note(run, Note::Entry(entry))) };
    let sent = match outcome {
        Outcome::Done => Some(Sent::Done),
        Outcome::InDoubt(_) => Some(Sent::InDoubt(run)),
        Outcome::Refused(_) | Outcome::Moved(_) | Outcome::Skipped(_) => None,
    };
    (tied, store.note(run, Note::Over(entry, asked.mark.clone(), sent)))
}

/// Waits until all that is known of this call is on the disk.
async fn durable(at: usize, tied: Option<Receipt>, closed: Receipt) -> (usize, Result<(), StateError>) {
    for receipt in tied.into_iter().chain([closed]) {
        if let Err(error) = receipt.durable().await {
            return (at, Err(error));
        }
    }
    (at, Ok(()))
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
    // A creation that was answered with a yes, and not looked at, is not undone by what stands in the way of looking.
    let may_be_made = call.operation == Operation::Create && so_far.is_some_and(Progress::is_done);
    if !may_be_made && !so_far.is_some_and(Progress::is_in_doubt) {
        return outcome;
    }
    let reason = match &outcome {
        Outcome::Refused(refusal) => refusal.reason.clone(),
        Outcome::Skipped(needed) => format!("{needed} comes first, and is not done"),
        Outcome::Moved(moved) if call.account.is_none() => format!("it is no longer as planned: {}", moved.join(", ")),
        Outcome::Done | Outcome::Moved(_) | Outcome::InDoubt(_) => return outcome,
    };
    let reason = format!("an earlier try sent this, and nobody knows what became of it ({reason})");
    Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason))
}

/// A creation that an earlier try was told is done, and of which there is nothing to see. It is not sent again at once: what
/// shows late would be made twice.
fn not_made(call: &Call, unproved: &BTreeMap<CallId, Unproved>) -> Option<Outcome> {
    let said = *unproved.get(&call.id).filter(|_| call.operation == Operation::Create)?;
    let (system, person) = (&call.system, &call.person);
    let reason = match said {
        Unproved::Answered => format!("{system} said yes to an earlier try, and the account is not there"),
        Unproved::SaidUndone => return None,
        Unproved::SaidDone => format!(
            "this was said to be done, and {system} shows no account of these names: say which it is, with \
             `homeward link {person} {system}:ACCOUNT`"
        ),
    };
    Some(Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason)))
}

/// A creation for somebody for whom another run may have made an account: under other names it would be her second, and so it
/// would where nothing tells whether it was made.
fn may_be_made(call: &Call, may_have: &BTreeMap<(&PersonId, &SystemName), &OpenCreation>) -> Option<Outcome> {
    let open = may_have.get(&(&call.person, &call.system)).filter(|_| call.operation == Operation::Create)?;
    (open.names != call.expects || call.replay == Replay::AskOperator).then(|| {
        let (system, earlier) = (&call.system, open.run);
        Outcome::Moved(vec![format!(
            "run {earlier} may have made her account at {system}: `homeward resume {earlier}`"
        )])
    })
}

/// A call that an earlier try has sent, that left nothing to see, and that must not be sent twice: a person has to tell.
fn for_a_person(call: &Call, progress: Option<&Progress>) -> Option<Outcome> {
    let is_doubtful = call.replay == Replay::AskOperator && progress.is_some_and(Progress::is_in_doubt);
    is_doubtful.then(|| {
        let reason = format!("an earlier try sent this to {} and never learnt what became of it", call.system);
        Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, reason))
    })
}

/// Whether two names are known to be those of two people.
type AreTwo<'a> = dyn Fn(&PersonId, &PersonId) -> bool + 'a;

/// Why a call whose turn has come is not sent; `None` where nothing stands in its way.
fn hindrance(
    call: &Call,
    (outcomes, place): (&[Option<Outcome>], &BTreeMap<&CallId, usize>),
    world: &World,
    broken_off: &BTreeMap<CallId, AccountId>,
    (objections, are_two): (&Objections<'_>, &AreTwo<'_>),
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
        // What no two accounts can hold is not free, whoever has it. By another name she would have been found, but not
        // where that account is known to be somebody else's: two keys of one source are two people, and records of two
        // sources may be one.
        let is_anothers = |id: &AccountId| {
            world.other(call, id).is_some_and(|other| are_two(&call.person, other))
                || objections.deny(Link { person: &call.person, system: &call.system, account: id.as_str() })
        };
        let moved = call.expects.iter().filter_map(|(attribute, value)| {
            let mut holders = world.holders(call, attribute, value, fleet);
            if is_unique(call, attribute, fleet) {
                return holders.next().map(|_| attribute.to_string());
            }
            let id = holders.find(|id| !is_anothers(id))?;
            Some(format!("{attribute}, which {}:{id} has", call.system))
        });
        // She has been given one since the plan was made, under whatever name.
        let is_creation = call.operation == Operation::Create;
        let has_one = world.linked(call).filter(|_| is_creation).and_then(|account| account.id.as_ref());
        moved.chain(has_one.map(|id| format!("she has {}:{id} by now", call.system))).collect()
    };
    if !moved.is_empty() && is_made(call, world, broken_off, fleet) {
        return Some(Outcome::Done);
    }
    (!moved.is_empty()).then_some(Outcome::Moved(moved))
}

/// A call that had no effect when it was sent before, and would still have none: an address that waits for its owner to
/// confirm it is not sent again, or she gets another mail.
fn without_effect(call: &Call, so_far: Option<&Progress>, world: &World, fleet: &Fleet) -> Option<Outcome> {
    let Some(Progress::Over(Outcome::Refused(before))) = so_far else { return None };
    if before.kind != RefusalKind::Ineffective {
        return None;
    }
    let account = world.accounts.get(&(call.system.clone(), call.account.clone()?))?;
    call.intends.iter().find_map(|(attribute, after)| {
        let (before, after) = (account.value(attribute), after.clone());
        let told = fleet.foresee(account, &Change { attribute: attribute.clone(), before, after });
        let refusal = match told.verdict {
            Verdict::Takes => return None,
            Verdict::Refuses { kind, reason } => Refusal::new(kind, reason),
            Verdict::Doomed { reason } => Refusal::new(RefusalKind::Ineffective, reason),
        };
        Some(Outcome::Refused(refusal))
    })
}

/// The accounts that creations of this run have made, where it broke off after they were sent and before a look proved it:
/// each holds all that it should begin with.
fn broken_off(
    plan: &Plan,
    world: &World,
    fleet: &Fleet,
    (progress, unproved): (&BTreeMap<CallId, Progress>, &BTreeMap<CallId, Unproved>),
    objections: &Objections<'_>,
) -> BTreeMap<CallId, AccountId> {
    let made = |call: &Call| {
        let names = names(call, fleet);
        // What no two accounts can hold was free before it was sent.
        let are_unique = !names.is_empty() && names.keys().all(|name| is_unique(call, name, fleet));
        // What was answered with a yes may have been changed since; of what was not, all has to be as it was sent.
        let is_enough = are_unique && matches!(unproved.get(&call.id), Some(Unproved::Answered | Unproved::SaidDone));
        let is_it =
            |account: &Account| holds(account, &names, fleet) && (is_enough || unmet(call, account, fleet).is_empty());
        // Where she has an account by now, another one with these names is somebody else's.
        if let Some(account) = world.linked(call) {
            return Some((call.id.clone(), account.id.clone().filter(|_| is_it(account))?));
        }
        let (name, value) = names.first_key_value()?;
        let is_hers = |id: &&AccountId| {
            let account = world.accounts.get(&(call.system.clone(), (*id).clone()));
            account.is_some_and(is_it)
                // Whoever is tied to it may have been given these names since.
                && world.other(call, id).is_none()
                && !objections.deny(link(call, id))
        };
        let id = world.holders(call, name, value, fleet).find(is_hers)?;
        Some((call.id.clone(), id.clone()))
    };
    let creations = plan.calls.iter().filter(|call| call.account.is_none() && call.operation == Operation::Create);
    // Of what was said to have had no effect, too: what is there with all that was sent is what was meant.
    let doubtful = creations
        .filter(|call| unproved.contains_key(&call.id) || progress.get(&call.id).is_some_and(Progress::is_in_doubt));
    doubtful.filter_map(made).collect()
}

fn link<'c>(call: &'c Call, account: &'c AccountId) -> Link<'c> {
    Link { person: &call.person, system: &call.system, account: account.as_str() }
}

fn tie(call: &Call, account: &AccountId) -> Links {
    [link(call, account)].into_iter().collect()
}

/// True where an earlier try of this creation made the account already: it is tied to this person, or was made by this
/// very call, and holds all that it should begin with.
fn is_made(call: &Call, world: &World, broken_off: &BTreeMap<CallId, AccountId>, fleet: &Fleet) -> bool {
    if broken_off.contains_key(&call.id) {
        return true;
    }
    call.account.is_none() && world.linked(call).is_some_and(|account| unmet(call, account, fleet).is_empty())
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
        Some(Err((keyring, lack))) => return (Outcome::Refused(keyring.refusal(&call.person, lack)), None),
    };
    let Some(writer) = writer else {
        let reason = format!("{} would be asked with another person's token", call.system);
        return (Outcome::Refused(Refusal::new(RefusalKind::Forbidden, reason)), None);
    };
    let mut writer = writer.of(mark).within(budget).doubting(is_in_doubt);
    let mut answer = member.perform(call, &mut writer).await;
    if answer.is_err() && writer.was_renewed() && !writer.in_doubt() {
        answer = match own::still_hers(call, member).await {
            Ok(()) => member.perform(call, &mut writer).await,
            Err(refusal) => Err(refusal),
        };
    }
    match answer {
        Ok(account) if call.account.is_none() || account.id == call.account => {
            let outcome = judge(call, &account, fleet);
            if outcome == Outcome::Done { (outcome, Some(account)) } else { check(call, outcome, fleet).await }
        }
        Ok(_) => {
            let reason = format!("{} answered with another account", call.system);
            look(call, Refusal::new(RefusalKind::Unavailable, reason), fleet).await
        }
        // What the yes was worth is understood: it may be waiting for somebody.
        Err(refusal) if refusal.kind == RefusalKind::Ineffective && writer.was_taken() && !writer.in_doubt() => {
            check(call, Outcome::Refused(refusal), fleet).await
        }
        // A yes that shows nothing of the account may have been one all the same.
        Err(refusal) if writer.in_doubt() || writer.was_taken() => look(call, refusal, fleet).await,
        // Somebody on the way may have sent it twice, and the second was told that the first has taken her names.
        Err(refusal) if refusal.kind == RefusalKind::Taken && call.operation == Operation::Create => {
            match check(call, Outcome::Refused(refusal), fleet).await {
                (Outcome::Done, account) => (Outcome::Done, account),
                // Whoever has the names, it is not what was sent.
                (outcome, _) => (outcome, None),
            }
        }
        // Who points elsewhere, or is stopped on the way back, has perhaps done first what was asked.
        Err(refusal)
            if writer.was_answered_on_the_way()
                || refusal.status.is_some_and(|status| (300..400).contains(&status)) =>
        {
            match check(call, Outcome::Refused(refusal), fleet).await {
                (Outcome::Refused(refusal), account) => {
                    (Outcome::Refused(own::told(refusal, &call.system, member, &call.person).await), account)
                }
                came => came,
            }
        }
        Err(refusal) => (Outcome::Refused(own::told(refusal, &call.system, member, &call.person).await), None),
    }
}
