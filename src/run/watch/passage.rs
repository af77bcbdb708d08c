//! One passage of the service: from inputs to a run that is carried out, held, refused, or put off.

use std::{collections::BTreeSet, time::Duration};

use tracing::{info, warn};

use super::{Met, Service, outlook::take_note};
use crate::{
    model::{
        id::SystemName,
        plan::{Call, Plan, Summary},
    },
    plan::guard::{self, GuardedPlan, Tripped},
    run::{
        RunError,
        belief::Belief,
        execute::{Watcher, execute},
        fleet::Fleet,
        gather::Given,
        holds::{self, GivenBy, Judged, judge, past},
        prepare::prepare,
        project::{self, OpenError, Project},
        seal, told,
    },
    state::{Aside, Beginning, Memory, Occasion, Outcome, Standing, StateError, Store, lock::Locks},
};

/// How long to wait for another process that writes to the same system: its lock tells nobody when it goes.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

/// So long nobody is told of it, and the plan is taken for what holds.
const LOCKED_LONGEST: Duration = Duration::from_secs(10);

/// A project with its systems open, for the use of one thread: rules stay where they were compiled.
pub(super) struct Seat {
    pub(super) project: Project,
    pub(super) fleet: Fleet,
    /// The generation of configuration and rules it was opened with.
    pub(super) generation: u64,
}

impl Seat {
    pub(super) fn open(service: &Service, generation: u64) -> Result<Self, OpenError> {
        let orders = &service.orders;
        let project = project::open(&orders.config, &orders.kinds, service.clock.today())?;
        let mut fleet = project::fleet(&project.config, &orders.kinds, orders.lab.as_ref())?;
        service.share(generation, &mut fleet);
        Ok(Self { project, fleet, generation })
    }
}

/// What came of a passage.
#[derive(Debug)]
pub(super) enum Came {
    /// It was carried out; some of its calls perhaps not. `in_passing`: some for a reason that may pass by itself.
    Done { in_passing: bool },
    /// There was nothing to do and nothing to remember.
    Nothing,
    /// Its plan waits for somebody.
    Held,
    /// Its input cannot be used.
    Refused { why: String },
    /// A system or a rule is not as it must be: the same again later.
    Later { why: String },
    /// The service is stopping.
    Stopped,
}

/// What else is asked about an input before anything is done about it.
pub(super) struct Question<'a> {
    /// False where it changed while it was read: what was read is then no fact about anybody.
    pub(super) is_as_read: &'a dyn Fn() -> bool,
    /// Why a person has to look at it, whatever its plan is.
    pub(super) against: Option<String>,
}

/// How a passage is to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// True where a plan that does nothing is not worth a run.
    pub(super) in_passing: bool,
    /// True where the first plan is for a person to look at: it adopts accounts that are there.
    pub(super) first_is_held: bool,
}

/// Makes a plan of what is given, and does with it what is ordered.
///
/// # Errors
/// Where the store cannot be used.
pub(super) async fn pass(
    service: &Service,
    seat: &mut Seat,
    given: &[Given],
    about: &Occasion,
    how: How,
) -> Result<Came, StateError> {
    let question = Question { is_as_read: &|| true, against: None };
    Ok(pass_if(service, seat, given, about, how, question).await?.unwrap_or(Came::Nothing))
}

/// The same, with more to ask about what is given. `None`: it is not any more what was read.
///
/// # Errors
/// Where the store cannot be used.
pub(super) async fn pass_if(
    service: &Service,
    seat: &mut Seat,
    given: &[Given],
    about: &Occasion,
    how: How,
    question: Question<'_>,
) -> Result<Option<Came>, StateError> {
    seat.fleet.forget();
    let memory = service.store.memory()?;
    let today = service.clock.today();
    // The rules see the day it is, not the day they were read.
    seat.project.rules.see(today);
    let belief = Belief::new(&seat.project, &seat.fleet, &today.to_string(), service.clock.now());
    let desk = seat.project.desk(&memory, today.to_string(), Some(belief));
    // Looking may be given up at any time; nothing is begun yet.
    let prepared = tokio::select! {
        prepared = prepare(&desk, given, &mut seat.fleet) => prepared,
        () = service.until_stopped() => return Ok(Some(Came::Stopped)),
    };
    if !(question.is_as_read)() {
        return Ok(None);
    }
    let (plan, ties) = match prepared {
        Ok(prepared) => {
            take_note(service, &prepared.expected)?;
            for note in &prepared.notes {
                info!(input = about.input, "{note}");
            }
            if let Some((people, since)) = &prepared.believed {
                info!(input = about.input, people, since, "nobody looks at those of whom nothing new is said");
            }
            (prepared.plan, prepared.ties)
        }
        Err(RunError::Refused(refused)) => {
            let why = format!("{refused}; {}", refused.hint());
            let run = service.store.keep(None, about, Standing::Refused, &why, &service.now())?;
            service.store.redone(run, &service.now())?;
            service.met(Met::Held);
            return Ok(Some(Came::Refused { why }));
        }
        // A list without a column that the rules read is another list than they are for.
        Err(RunError::Rule(fault)) if about.sha256.is_some() && fault.code() == "unknown_column" => {
            let place = fault.origin().map(|origin| format!(" ({origin})")).unwrap_or_default();
            let why = format!("{fault}{place}; name it as the rules do in `columns`, or ask the sender");
            let run = service.store.keep(None, about, Standing::Refused, &why, &service.now())?;
            service.store.redone(run, &service.now())?;
            service.met(Met::Held);
            return Ok(Some(Came::Refused { why }));
        }
        Err(RunError::State(error)) => return Err(error),
        Err(error) => return Ok(Some(Came::Later { why: in_the_way(&error) })),
    };
    let is_idle = plan.calls.is_empty();
    let is_website = about.feed.as_ref().is_some_and(|feed| seat.project.websites.contains_key(feed));
    let given_by = if is_website { GivenBy::Website } else { GivenBy::Input };
    if is_idle && !memory.waiting.is_empty() {
        // Where nothing is to be done, what was set aside may be what nobody wants any more.
        let asides = holds::asides(&service.store, &plan, None, given_by)?;
        for gone in holds::replace(&service.store, &asides, &[Standing::Aside], service.clock.now())? {
            info!(run = gone, "it waits no more: a newer input took its place");
        }
    }
    if how.in_passing && is_idle && plan.seen.is_empty() && plan.links.is_empty() && plan.rejected.is_empty() {
        return Ok(Some(Came::Nothing));
    }
    if !plan.warnings.is_empty() {
        // What they say names people.
        warn!(
            input = about.input,
            warnings = plan.warnings.len(),
            "the plan warns: `runs` with the run's number shows of what"
        );
    }
    loop {
        let past = past(&service.store, &seat.project.terms, service.clock.now())?;
        let judged = match judge(&plan, &seat.project.rules, &seat.project.limits, &past) {
            Ok(judged) => judged,
            Err(error) => return Ok(Some(Came::Later { why: in_the_way(&error) })),
        };
        let tripped = match &judged {
            Judged::Free(_) => [].as_slice(),
            Judged::Held(tripped) => tripped,
            Judged::Parted(parted) => &parted.tripped,
        };
        let is_first = how.first_is_held && is_first(&plan, &memory) && !(is_idle && plan.links.is_empty());
        // Nothing is carried out of its own accord where a person is to look at it anyway.
        let waits = question.against.is_some() || is_first || !service.orders.apply;
        if question.against.is_some() || matches!(judged, Judged::Held(_)) || waits && !tripped.is_empty() {
            let reasons = |of: fn(&Tripped) -> String| {
                question.against.iter().cloned().chain(tripped.iter().map(of)).collect::<Vec<_>>().join("; ")
            };
            let (told, logged) = (reasons(Tripped::to_string), reasons(Tripped::for_log));
            return hold(service, &plan, about, Standing::Held, &told, &logged).map(Some);
        }
        if is_first {
            let feed = about.feed.as_ref().map(ToString::to_string).unwrap_or_default();
            let told = format!(
                "the first list of {feed}: {}{} call{}; look at it once",
                ties.into_iter().map(|tie| tie + "; ").collect::<String>(),
                plan.calls.len(),
                if plan.calls.len() == 1 { "" } else { "s" }
            );
            return hold(service, &plan, about, Standing::Waiting, &told, &told).map(Some);
        }
        if !service.orders.apply && !is_idle {
            let told = "it waits for somebody to approve it";
            return hold(service, &plan, about, Standing::Waiting, told, told).map(Some);
        }
        // Where somebody else began something meanwhile, that counts too.
        if let Some((run, guarded)) = begin(service, &plan, judged, about, (past.counted, given_by))? {
            service.store.redone(run, &service.now())?;
            return carry_out(service, seat, &guarded, run).await.map(Some);
        }
    }
}

/// Begins a run of what nothing stands against, and sets aside what a limit holds. `None` where it has to be judged anew.
fn begin(
    service: &Service,
    plan: &Plan,
    judged: Judged,
    about: &Occasion,
    (counted, given_by): (i64, GivenBy),
) -> Result<Option<(i64, GuardedPlan)>, StateError> {
    let (guarded, held) = match judged {
        Judged::Free(guarded) => (guarded, None),
        Judged::Parted(parted) => (parted.rest, Some((parted.aside, parted.tripped))),
        Judged::Held(_) => return Ok(None),
    };
    let store = &service.store;
    let asides = holds::asides(store, plan, held.as_ref().map(|(aside, _)| aside), given_by)?;
    let apart = holds::apart(about);
    let aside = held.as_ref().filter(|_| asides.same.is_none());
    let told = held.as_ref().map(|(_, tripped)| holds::told(tripped)).unwrap_or_default();
    let aside = aside.map(|(plan, _)| Aside { plan, about: &apart, told: &told });
    let beginning = Beginning { plan: guarded.plan(), about, counted, aside };
    let Some(run) = store.begin_judged(&beginning, &service.now())? else { return Ok(None) };
    for gone in holds::replace(store, &asides, &holds::REPLACEABLE, service.clock.now())? {
        info!(run = gone, by = run, "it waits no more: a newer input took its place");
    }
    if let Some((_, tripped)) = &held {
        let logged: Vec<String> = tripped.iter().map(Tripped::for_log).collect();
        service.met(Met::Held);
        warn!(run, input = about.input, "a part of it is held: {}", logged.join("; "));
    }
    Ok(Some((run, guarded)))
}

/// True where nothing of this source was ever carried out.
fn is_first(plan: &Plan, memory: &Memory) -> bool {
    plan.inputs.iter().any(|input| !memory.accepted.contains_key(&input.system))
}

/// Keeps a plan for somebody to look at, with why (`told`), and says in the log that it waits (`logged`).
fn hold(
    service: &Service,
    plan: &Plan,
    about: &Occasion,
    standing: Standing,
    told: &str,
    logged: &str,
) -> Result<Came, StateError> {
    let run = service.store.keep(Some(plan), about, standing, told, &service.now())?;
    service.store.redone(run, &service.now())?;
    service.met(Met::Held);
    warn!(run, input = about.input, "{}: {logged}; {}", standing.word(), how_to_settle(service, run));
    Ok(Came::Held)
}

/// How somebody looks at a run that waits, and what she then does about it.
pub(super) fn how_to_settle(service: &Service, run: i64) -> String {
    let homeward = if service.orders.lab.is_some() { "homeward --lab" } else { "homeward" };
    format!("`{homeward} runs {run}` shows it; {}", holds::how_to_settle(homeward, run))
}

/// Carries out a run that was approved, where it still is.
pub(super) async fn approved(service: &Service, seat: &mut Seat, run: i64) -> Result<Came, StateError> {
    let Some(plan) = service.store.plan(run)? else { return Ok(Came::Nothing) };
    seat.fleet.forget();
    if let Err(error) = seal::fits(&format!("run {run}"), &plan, &seat.fleet.homes()) {
        service.store.stand(run, &[Standing::Approved], Standing::Held, &told(&error), &service.now())?;
        return Ok(Came::Held);
    }
    carry_out(service, seat, &guard::approved(plan, &seat.project.limits), run).await
}

async fn carry_out(service: &Service, seat: &Seat, guarded: &GuardedPlan, run: i64) -> Result<Came, StateError> {
    let plan = guarded.plan();
    let systems: BTreeSet<SystemName> = plan.calls.iter().map(|call| call.system.clone()).collect();
    let _turns = service.turns(&systems).await;
    let begun = service.clock.instant();
    let _locks = loop {
        match Locks::take(&service.orders.state, &systems) {
            Ok(locks) => break locks,
            Err(StateError::Locked { .. }) if service.stops() => return Ok(Came::Stopped),
            Err(locked @ StateError::Locked { .. }) => {
                if service.clock.instant().saturating_duration_since(begun) > LOCKED_LONGEST {
                    // Whoever has it changes what was planned from: it is planned anew.
                    return Ok(Came::Later { why: locked.to_string() });
                }
                tokio::time::sleep(LOCKED_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    };
    // Another process may have done it while this one waited.
    if !matches!(service.store.standing(run)?, Some(Standing::Open | Standing::Approved)) {
        return Ok(Came::Done { in_passing: false });
    }
    let mut going = Going { service };
    let now = || service.now();
    match execute(guarded, &seat.fleet, &service.store, run, None, &now, &mut going).await {
        Ok(report) => {
            if plan.summary.left() > 0 {
                service.met(Met::Held);
            }
            for (_, outcome) in &report.outcomes {
                match outcome {
                    Outcome::Done => {}
                    Outcome::InDoubt(_) => service.met(Met::Doubt),
                    Outcome::Refused(_) | Outcome::Moved(_) | Outcome::Skipped(_) => service.met(Met::Failed),
                }
            }
            let done = report.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).count();
            info!(run, done, calls = report.outcomes.len(), "carried out");
            if plan.summary.left() > 0 {
                let Summary { held, refused, rejected, .. } = plan.summary;
                let homeward = if service.orders.lab.is_some() { "homeward --lab" } else { "homeward" };
                warn!(
                    run,
                    held, refused, rejected, "a part of it is left: `{homeward} runs {run}` shows what, and why"
                );
            }
            holds::note(&service.store, plan, run, service.clock.now())?;
            service.expects()?;
            // What moved between the plan and now is planned from what is there by then.
            let passes = |outcome: &Outcome| match outcome {
                Outcome::Refused(refusal) => refusal.kind.may_pass(),
                Outcome::InDoubt(_) | Outcome::Moved(_) => true,
                Outcome::Done | Outcome::Skipped(_) => false,
            };
            Ok(Came::Done { in_passing: report.outcomes.iter().any(|(_, outcome)| passes(outcome)) })
        }
        Err(RunError::Stopped { .. }) => Ok(Came::Stopped),
        Err(RunError::State(error)) => Err(error),
        Err(error) => Ok(Came::Later { why: in_the_way(&error) }),
    }
}

/// Goes on until the service stops.
struct Going<'a> {
    service: &'a Service,
}

impl Watcher for Going<'_> {
    fn settled(&mut self, call: &Call, outcome: &Outcome) {
        if *outcome != Outcome::Done {
            warn!(call = %call.id, system = %call.system, "a call was not done");
        }
    }

    fn goes_on(&self) -> bool {
        !self.service.stops()
    }
}

/// What stands in the way, for the log as well: what a rule throws may be a value of somebody.
fn in_the_way(error: &RunError) -> String {
    match error {
        RunError::Rule(fault) if fault.code() == "thrown" => {
            let place = fault.origin().map(|origin| format!(" ({origin})")).unwrap_or_default();
            format!("a rule stops by itself{place}; `homeward plan` shows what it says")
        }
        other => told(other),
    }
}
