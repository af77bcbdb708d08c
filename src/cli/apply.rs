//! `homeward apply`: shows the plan, asks, and carries it out.

use std::{
    collections::BTreeMap,
    io::{BufRead, IsTerminal, Read, Write},
    path::Path,
    sync::Arc,
};

use owo_colors::OwoColorize;
use serde_json::json;

use super::{
    Exit, Invocation, arguments, diagnostic::Trouble, document, lab, plan, print, print_document, progress::Bar,
    render, sign_in, tell, width,
};
use crate::{
    model::{
        id::{CallId, SystemName},
        links::{Link, Links},
        plan::{Call, Input, Plan},
    },
    plan::guard::{GuardedPlan, Tripped, part::replaces},
    run::{
        RunError, correct,
        execute::{Report, execute},
        expectations::sights,
        holds::{
            Asides, GivenBy, Judged, Parted, Past, REPLACEABLE, apart, asides, expire, how_to_end, how_to_settle,
            judge, note, replace, told,
        },
        prepare::Prepared,
        resume,
        seal::unseal,
        sign_in::together,
    },
    state::{Accepted, Aside, Beginning, Occasion, Outcome, Standing, StateError, Store, lock::Locks},
};

/// Makes or reads the plan, asks, and does exactly that.
pub(super) async fn apply(given: &Invocation<'_>, wanted: &arguments::Apply) -> Result<Exit, Trouble> {
    let mut project = given.open()?;
    let (saved, inputs) = match wanted.inputs.as_slice() {
        // The name of a website is an input; a saved plan is a file.
        [one] if !one.contains('=') && !project.websites.contains_key(&one.as_str().into()) => {
            (Some((one, read(given, one)?)), [].as_slice())
        }
        inputs => (None, inputs),
    };
    if wanted.chaos.is_some() {
        lab::hurry(&mut project.config);
    }
    let mut stage = plan::staged(given, project, inputs).await?;
    let is_saved = saved.is_some();
    let prepared = match saved {
        Some((file, text)) => {
            let plan = unseal(file, &text, &stage.fleet.homes())?;
            if plan.rules != stage.project.rules.digest() && !given.global.quiet {
                tell("warning: the rules have changed since this plan was made; it is carried out as it was shown");
            }
            let memory = stage.memory()?;
            not_overtaken(&plan, given.again(), None, |system| Ok(memory.accepted.get(system).cloned()))?;
            if let Some(Link { person, system, account }) = correct::overtaken(&plan, &memory, &stage.fleet).await? {
                let account =
                    if account.is_empty() { "a new account".to_owned() } else { format!("account {account}") };
                let message = format!(
                    "this plan has {account} at {system} for {person}, and what somebody has said since stands against it"
                );
                let hint = format!("plan again; `{} link {person}` shows what was said", given.again());
                return Err(Trouble::new(Exit::Usage, render::harmless(&message), Some(render::harmless(&hint))));
            }
            moves_no_tie(&plan, &memory.links)?;
            Prepared::of(plan)
        }
        None if wanted.recheck => stage.prepare(given, plan::Ask::Everybody, None).await?,
        None => stage.prepare(given, plan::Ask::ToApply, None).await?,
    };
    if !is_saved {
        stage.tell_faults(given);
    }
    plan::notes(given, &prepared);
    let past = if prepared.same.is_empty() { stage.past()? } else { Past::default() };
    let judged = judge(&prepared.plan, &stage.project.rules, &stage.project.limits, &past);
    if !given.json() {
        let shown = render::plan(plan::as_held(&prepared.plan, &judged), wanted.all, width(&std::io::stdout()));
        print(&given.reaching(shown.trim_end()));
        stage.tell_duration(&prepared.plan);
    }
    if !prepared.same.is_empty() {
        let run = prepared.same.iter().map(|same| same.run).max().unwrap_or_default();
        if given.json() {
            let report = Report { run, outcomes: Vec::new(), found_done: 0, sign_in: Vec::new() };
            print_document(&as_json(&prepared.plan, &report));
        } else {
            print(&format!("Nothing to do: all is as run {run} left it."));
        }
        return Ok(Exit::Done);
    }
    let about = Occasion { input: wanted.inputs.join(" "), ..Occasion::default() };
    let (guarded, parted) = match judged? {
        Judged::Free(guarded) => (guarded, None),
        Judged::Held(tripped) => return hold(given, &stage, &prepared.plan, &about, &tripped, is_saved),
        Judged::Parted(parted) => {
            let Parted { rest, aside, tripped } = *parted;
            (rest, Some((aside, tripped)))
        }
    };
    if let Some((aside, tripped)) = &parted {
        Trouble::tripped(tripped).tell();
        tell(&plan::apart(guarded.plan(), aside));
    }
    let calls = guarded.plan().calls.len() as u64;
    if calls > 0 && !wanted.yes && !agreed(given, "Carry out", calls, "plan")? {
        tell("nothing was changed");
        return Ok(Exit::Done);
    }
    let store = stage.store()?;
    let aside = parted.as_ref().map(|(aside, _)| aside);
    let asides = asides(&store, &prepared.plan, aside, GivenBy::hand(is_saved))?;
    let held = parted.as_ref().filter(|_| asides.same.is_none());
    let held = held.map(|(aside, tripped)| Held { plan: aside.clone(), told: told(tripped) });
    let begun = Begun::Now(Box::new(Fresh { about, counted: past.counted, held, asides, is_saved }));
    let seen = sights(&prepared.expected, given.judges_by());
    if !seen.is_empty() {
        store.sighted(&seen, &jiff::Timestamp::now().to_string())?;
    }
    let disturbed = wanted.chaos.zip(stage.lab.as_ref());
    if let Some((chaos, stand)) = disturbed {
        lab::disturb(stand, chaos).await?;
    }
    let came = carry_out_parts(given, &stage, &guarded, &begun, parted).await;
    // A saved plan does not say when those were looked at whom it does nothing for.
    if is_saved {
        store.disbelieve()?;
    }
    if let Some((chaos, stand)) = disturbed {
        let is_done = matches!(came, Ok(Exit::Done | Exit::Refused | Exit::Limit));
        tell(&lab::calm(stand, chaos, is_done).await?);
    }
    came
}

/// Refuses a plan of a list where another one was taken over since it was made: it says what was so before that one.
fn not_overtaken(
    plan: &Plan,
    again: &str,
    store: Option<&dyn Store>,
    accepted: impl Fn(&SystemName) -> Result<Option<Accepted>, RunError>,
) -> Result<(), Trouble> {
    for input in &plan.inputs {
        let Some(list) = &input.list else { continue };
        let Some(newest) = accepted(&input.system)? else { continue };
        // What is left of its own list may be sent again. The same bytes may have come once more behind another list; and the
        // list it was compared with says what holds now where it was taken over once more since.
        let is_base = list.compared_with.as_deref() == Some(newest.sha256.as_str())
            && list.compared_run.is_none_or(|run| run == newest.run);
        let is_known = |sha256: &str| sha256 == input.sha256 || list.compared_with.as_deref() == Some(sha256);
        if (is_base || newest.sha256 == input.sha256)
            && !has_been_otherwise(&input.system, list.compared_run, &is_known, store)?
        {
            continue;
        }
        let (system, shown, run) = (&input.system, render::harmless(&newest.file), newest.run);
        let message = format!("this plan was overtaken by run {run}: {shown} says what holds now of {system}");
        let hint = format!("plan again; one to keep is made with `{again} plan … --out plan.json`");
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    Ok(())
}

/// True where a run later than this one took over another list of a source than those that are known.
fn has_been_otherwise(
    source: &SystemName,
    since: Option<i64>,
    is_known: &dyn Fn(&str) -> bool,
    store: Option<&dyn Store>,
) -> Result<bool, RunError> {
    let Some(store) = store else { return Ok(false) };
    for run in store.later(since.unwrap_or_default(), &[source], &[Standing::Done, Standing::Partly])? {
        let Some(plan) = store.plan(run)? else { continue };
        if plan.inputs.iter().any(|input| input.system == *source && !is_known(&input.sha256)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a saved plan of people who are somebody else by now: nobody would see it in what is shown.
fn moves_no_tie(plan: &Plan, links: &Links) -> Result<(), Trouble> {
    let otherwise = correct::tied_otherwise(plan, links);
    let Some(by_now) = otherwise.values().next() else { return Ok(()) };
    let message = format!("this plan is older than what is known of its people: {by_now}");
    Err(Trouble::new(Exit::Usage, render::harmless(&message), Some("plan again".to_owned())))
}

/// Carries out what nothing stands against, and tells of what is set aside.
async fn carry_out_parts(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    guarded: &GuardedPlan,
    begun: &Begun,
    parted: Option<(Plan, Vec<Tripped>)>,
) -> Result<Exit, Trouble> {
    let Some((aside, tripped)) = parted else { return carry_out(given, stage, guarded, begun).await };
    let store = stage.store()?;
    let report = send(given, stage, guarded, begun).await?;
    let kept = store.unsettled()?.into_iter().find(|run| run.plan == aside.id);
    let kept = kept.map(|run| run.id).or(if let Begun::Now(fresh) = begun { fresh.asides.same } else { None });
    let exit = report.as_ref().map_or(Exit::Done, |report| exit(guarded.plan(), report));
    if given.json() {
        let carried_out = report.as_ref().map(|report| as_json(guarded.plan(), report));
        let mut document = carried_out.unwrap_or_else(|| document("report", json!({ "plan": guarded.plan().id })));
        document["held"] = json!(told(&tripped));
        document["held_run"] = json!(kept);
        document["tripped"] = by_name(&tripped);
        print_document(&document);
    } else if let Some(report) = &report {
        print(&given.reaching(as_text(guarded.plan(), report, stage.state().is_some()).trim_end()));
    }
    if let Some(run) = kept.filter(|_| stage.state().is_some()) {
        tell(&format!("held as run {run}: {}", how_to_settle(given.again(), run)));
    }
    // What failed is worse than what waits.
    Ok(if exit > Exit::Limit { exit } else { Exit::Limit })
}

/// Every limit that trips, with everybody it is about.
pub(super) fn by_name(tripped: &[Tripped]) -> serde_json::Value {
    let one = |one: &Tripped| {
        let (count, allowed) = one.counts().unzip();
        json!({
            "name": one.name(), "limit": one.to_string(), "system": one.system(), "count": count, "allowed": allowed,
            "people": one.who(),
        })
    };
    tripped.iter().map(one).collect()
}

/// What waits is settled, and what broke off is finished, before anything later of the same source is carried out: but for
/// what was held when somebody gave inputs by hand, where what is given now says all of it anew. A plan that was saved may be
/// the older one, and takes nobody's place.
fn past_no_hold(stage: &plan::Stage, plan: &Plan, is_saved: bool, again: &str) -> Result<(), Trouble> {
    if stage.state().is_none_or(|state| !state.exists()) {
        return Ok(());
    }
    let store = stage.store()?;
    expire(&store, &stage.project.terms, jiff::Timestamp::now())?;
    // What was set aside blocks nobody.
    let mut waits = store.unsettled()?;
    waits.retain(|run| run.standing != Standing::Aside);
    if is_saved {
        let begun = store.unfinished()?;
        for run in begun.into_iter().filter(|run| run.standing == Standing::Open) {
            // What another one has overtaken says nothing any more.
            if resume::overtaken(&store, run.id)?.is_none() {
                waits.push(run);
            }
        }
    }
    for run in waits {
        let Some(held) = store.plan(run.id)? else { continue };
        let same = |input: &&Input| held.inputs.iter().any(|other| other.system == input.system);
        let Some(input) = plan.inputs.iter().find(same) else { continue };
        let is_anew = held.id == plan.id || !is_saved && replaces(plan, &held);
        if run.feed.is_none() && run.standing.is_held() && is_anew {
            continue;
        }
        let what = match run.standing {
            Standing::Open => "broke off or is under way",
            Standing::Approved => "is approved and not carried out yet",
            _ => "waits to be settled",
        };
        let message = format!("run {} of {} {what}, and comes first", run.id, input.system);
        let hint = format!("look at it with `{again} runs {}`; {}", run.id, how_to_end(again, run.id, run.standing));
        return Err(Trouble::new(Exit::Refused, message, Some(hint)));
    }
    Ok(())
}

/// Keeps a plan that a limit stopped, for somebody to look at and to approve or reject.
pub(super) fn hold(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    plan: &Plan,
    about: &Occasion,
    tripped: &[Tripped],
    is_saved: bool,
) -> Result<Exit, Trouble> {
    let told = told(tripped);
    let trouble = Trouble::tripped(tripped);
    let is_kept = stage.lab.as_ref().is_none_or(|lab| lab.state().is_some());
    if !is_kept {
        return Err(trouble);
    }
    past_no_hold(stage, plan, is_saved, given.again())?;
    let (store, now) = (stage.store()?, jiff::Timestamp::now());
    let before = asides(&store, plan, None, GivenBy::hand(is_saved))?;
    let run = store.keep(Some(plan), about, Standing::Held, &told, &now.to_string())?;
    let from = [Standing::Held, Standing::Waiting];
    let_go(given, &replace(&store, &before, &from, now)?);
    if given.json() {
        let fields = json!({ "run": run, "plan": plan.id, "held": told, "tripped": by_name(tripped) });
        print_document(&document("report", fields));
    }
    trouble.tell();
    tell(&format!("held as run {run}: {}", how_to_settle(given.again(), run)));
    Ok(trouble.exit)
}

/// Tells which runs wait no more.
fn let_go(given: &Invocation<'_>, gone: &[i64]) {
    for run in gone.iter().filter(|_| given.talks()) {
        tell(&format!("run {run} waits no more: what is given now takes its place"));
    }
}

/// A run that begins now, with what was known when its plan was judged.
pub(super) struct Fresh {
    pub(super) about: Occasion,
    /// [`crate::run::holds::Past::counted`].
    pub(super) counted: i64,
    /// What a limit took out of its plan.
    pub(super) held: Option<Held>,
    /// What waited before.
    pub(super) asides: Asides,
    /// True for a plan that was made before, nobody knows when.
    pub(super) is_saved: bool,
}

/// A part of a plan that a limit holds.
pub(super) struct Held {
    pub(super) plan: Plan,
    pub(super) told: String,
}

/// The run that a plan is carried out as.
pub(super) enum Begun {
    /// One that begins now.
    Now(Box<Fresh>),
    /// One that is in the store already, as long as it stands as one of these. Where it is overtaken by another one, it is
    /// only looked after.
    Before { run: i64, from: &'static [Standing], overtaken: Option<i64> },
}

impl Begun {
    fn overtaken(&self) -> Option<i64> {
        match self {
            Self::Now(_) => None,
            Self::Before { overtaken, .. } => *overtaken,
        }
    }
}

/// Carries out a plan that nothing stands against, and tells what came of it.
pub(super) async fn carry_out(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    guarded: &GuardedPlan,
    begun: &Begun,
) -> Result<Exit, Trouble> {
    let plan = guarded.plan();
    let Some(report) = send(given, stage, guarded, begun).await? else { return Ok(Exit::Done) };
    if given.json() {
        print_document(&as_json(plan, &report));
    } else {
        print(&given.reaching(as_text(plan, &report, stage.state().is_some()).trim_end()));
    }
    Ok(exit(plan, &report))
}

/// Carries out a plan; `None` where another process did meanwhile.
pub(super) async fn send(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    guarded: &GuardedPlan,
    begun: &Begun,
) -> Result<Option<Report>, Trouble> {
    let plan = guarded.plan();
    let calls = plan.calls.len() as u64;
    let store = stage.store()?;
    let systems = plan.calls.iter().map(|call| call.system.clone()).collect();
    let kept = stage.state();
    // A lab of this command's own can be reached by nobody else, and ends with it.
    let _locks = kept.as_deref().map(|state| Locks::take(state, &systems)).transpose()?;
    let now = || jiff::Timestamp::now().to_string();
    let run = match begun {
        Begun::Now(fresh) => {
            past_no_hold(stage, plan, fresh.is_saved, given.again())?;
            // Whoever was asked may have answered late.
            not_overtaken(plan, given.again(), Some(&store), |system| Ok(store.accepted(system)?))?;
            begin(given, stage, &store, plan, fresh)?
        }
        Begun::Before { run, from, .. } => {
            // The service, or somebody else who settled it too, may have been faster.
            if !store.standing(*run)?.is_some_and(|standing| from.contains(&standing)) {
                tell(&format!("run {run} is carried out already: see `{} runs {run}`", given.again()));
                return Ok(None);
            }
            *run
        }
    };
    let mut bar = Bar::new(calls, given.talks() && std::io::stderr().is_terminal());
    bar.stop_on_signals(stage.fleet.members.values().map(|member| Arc::clone(&member.line)).collect());
    let report = execute(guarded, &stage.fleet, &store, run, begun.overtaken(), &now, &mut bar).await;
    bar.finish();
    if report.is_ok() {
        note(&store, plan, run, jiff::Timestamp::now())?;
    }
    Ok(Some(report.map_err(|error| broke_off(given, run, error))?))
}

/// Opens the run, as it was judged. Where somebody else began another one meanwhile, that one counts.
fn begin(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    store: &dyn Store,
    plan: &Plan,
    fresh: &Fresh,
) -> Result<i64, Trouble> {
    let apart = apart(&fresh.about);
    let aside = fresh.held.as_ref().map(|held| Aside { plan: &held.plan, about: &apart, told: &held.told });
    let mut beginning = Beginning { plan, about: &fresh.about, counted: fresh.counted, aside };
    loop {
        let now = jiff::Timestamp::now();
        if let Some(run) = store.begin_judged(&beginning, &now.to_string())? {
            let_go(given, &replace(store, &fresh.asides, &REPLACEABLE, now)?);
            return Ok(run);
        }
        let past = stage.past()?;
        match judge(plan, &stage.project.rules, &stage.project.limits, &past)? {
            Judged::Free(_) => beginning.counted = past.counted,
            Judged::Held(tripped) => return Err(Trouble::tripped(&tripped)),
            Judged::Parted(parted) => return Err(Trouble::tripped(&parted.tripped)),
        }
    }
}

/// A run that stopped before it was over: nothing of it is lost, and somebody has to finish it.
fn broke_off(given: &Invocation<'_>, run: i64, error: RunError) -> Trouble {
    let is_gone = matches!(&error, RunError::State(error) if matches!(error.root(), StateError::Gone { .. }));
    if is_gone {
        return error.into();
    }
    let trouble = Trouble::from(error);
    let homeward = given.again();
    trouble.and(Trouble::new(
        Exit::Fault,
        format!("run {run} broke off"),
        Some(format!("what was sent is written down; finish it with `{homeward} resume {run}`")),
    ))
}

fn read(given: &Invocation<'_>, file: &str) -> Result<String, Trouble> {
    text_of(&given.root.join(file)).map_err(|error| {
        Trouble::new(
            Exit::Usage,
            format!("{file} cannot be read: {error}"),
            Some("give a plan saved with --out, or inputs as SYSTEM=FILE".to_owned()),
        )
    })
}

/// A file, as far as a plan can be that long.
fn text_of(file: &Path) -> std::io::Result<String> {
    const LONGEST: u64 = 1 << 30;
    let mut text = String::new();
    let read = std::fs::File::open(file)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST { Err(std::io::Error::other("it is too large for a plan")) } else { Ok(text) }
}

/// Asks on the terminal whether so many calls shall be made, of which `reading` tells more. Without a terminal there is
/// nobody to ask.
pub(super) fn agreed(given: &Invocation<'_>, act: &str, calls: u64, reading: &str) -> Result<bool, Trouble> {
    let hint = format!("read the plan first with `{} {reading}`, then give --yes", given.again());
    sure(given, &format!("{act} {}?", render::count(calls, "call")), &hint)
}

/// Asks anything that is answered with yes or no; `hint` is for whoever cannot be asked.
pub(super) fn sure(given: &Invocation<'_>, question: &str, hint: &str) -> Result<bool, Trouble> {
    if !std::io::stdin().is_terminal() || given.json() {
        return Err(Trouble::new(
            Exit::Usage,
            "nothing is changed without asking, and nobody is there to answer",
            Some(hint.to_owned()),
        ));
    }
    let _ = write!(std::io::stderr(), "\n{question} [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The worst that happened decides.
pub(super) fn exit(plan: &Plan, report: &Report) -> Exit {
    let any = |matches: &dyn Fn(&Outcome) -> bool| report.outcomes.iter().any(|(_, outcome)| matches(outcome));
    if any(&|outcome| matches!(outcome, Outcome::InDoubt(_))) {
        return Exit::Doubt;
    }
    if any(&|outcome| *outcome != Outcome::Done) {
        return Exit::Failed;
    }
    if plan.summary.left() > 0 { Exit::Refused } else { Exit::Done }
}

pub(super) fn as_text(plan: &Plan, report: &Report, kept: bool) -> String {
    let calls: BTreeMap<&CallId, &Call> = plan.calls.iter().map(|call| (&call.id, call)).collect();
    let mut text = String::new();
    let mut done = 0_u64;
    for (id, outcome) in &report.outcomes {
        done += u64::from(*outcome == Outcome::Done);
        if let Some(line) = calls.get(id).and_then(|call| render::outcome(call, outcome)) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let all = report.outcomes.len() as u64;
    // Whom the plan names was told with it.
    let sign_in = sign_in::text(&report.sign_in, false, None);
    let run =
        if kept { format!(" (run {})", report.run) } else { " at simulators that end with this command".to_owned() };
    let left = plan.summary.refused + plan.summary.held;
    let left = if left == 0 {
        String::new()
    } else {
        format!(" {} refused or held, as the plan says.", render::count(left, "change"))
    };
    if all == 0 {
        let what = if left.is_empty() { "Nothing to do" } else { "Nothing to send" };
        return format!("{text}{what}{run}.{left}");
    }
    let word = if done == all { "Done".green().to_string() } else { "Partly done".yellow().to_string() };
    let found_done = match report.found_done {
        0 => String::new(),
        found if found == all => " All of it was so already: nothing was sent.".to_owned(),
        found if found == done => " What is done was so already.".to_owned(),
        1 => " 1 of them was so already.".to_owned(),
        some => format!(" {} of them were so already.", render::thousands(some)),
    };
    let moved = report.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Moved(_) | Outcome::Skipped(_)));
    let next = if moved { " Plan again to see what is there now." } else { "" };
    let doubted = report.outcomes.iter().find(|(_, outcome)| matches!(outcome, Outcome::InDoubt(_)));
    let doubted = doubted.filter(|_| kept).map_or_else(String::new, |(id, _)| {
        let resume = format!("`homeward resume {}", report.run);
        format!(" {resume}` looks again for what is in doubt; who has looked herself says {resume} --done {id}` or `--again {id}`.")
    });
    let calls = render::count(all, "call");
    format!("{text}{word}: {} of {calls}{run}.{found_done}{left}{next}{doubted}\n{sign_in}", render::thousands(done))
}

pub(super) fn as_json(plan: &Plan, report: &Report) -> serde_json::Value {
    let outcomes: Vec<serde_json::Value> = report
        .outcomes
        .iter()
        .zip(&plan.calls)
        .map(|((id, outcome), call)| json!({ "call": id, "system": call.system, "person": call.person, "outcome": outcome }))
        .collect();
    let fields = json!({
        "run": report.run, "plan": plan.id, "found_done": report.found_done, "outcomes": outcomes,
    });
    let mut document = document("report", fields);
    let sign_in = together(&plan.sign_in, &report.sign_in);
    if !sign_in.is_empty() {
        document["sign_in"] = json!(sign_in);
    }
    document
}
