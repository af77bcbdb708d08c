//! `homeward apply`: shows the plan, asks, and carries it out.

use std::{
    collections::BTreeMap,
    io::{BufRead, IsTerminal, Read, Write},
    path::Path,
    sync::Arc,
};

use owo_colors::OwoColorize;
use serde_json::json;

use super::{Exit, Invocation, arguments, diagnostic::Trouble, lab, plan, print, progress::Bar, render, tell, width};
use crate::{
    model::{
        id::CallId,
        plan::{Call, Plan},
    },
    plan::guard::{GuardedPlan, Tripped},
    run::{
        RunError,
        execute::{Report, execute},
        expectations::sights,
        prepare::{Prepared, guarded},
        seal::unseal,
    },
    state::{Occasion, Outcome, Standing, Store, lock::Locks},
};

/// Makes or reads the plan, asks, and does exactly that.
pub(super) async fn apply(given: &Invocation<'_>, wanted: &arguments::Apply) -> Result<Exit, Trouble> {
    let (saved, inputs) = match wanted.inputs.as_slice() {
        [one] if !one.contains('=') && !is_website(given, one) => (Some((one, read(given, one)?)), [].as_slice()),
        inputs => (None, inputs),
    };
    let mut project = given.open()?;
    if wanted.chaos.is_some() {
        lab::hurry(&mut project.config);
    }
    let mut stage = plan::staged(given, project, inputs).await?;
    let prepared = match saved {
        Some((file, text)) => {
            let plan = unseal(file, &text, &stage.fleet.homes())?;
            if plan.rules != stage.project.rules.digest() && !given.global.quiet {
                tell("warning: the rules have changed since this plan was made; it is carried out as it was shown");
            }
            Prepared { plan, notes: Vec::new(), firsts: BTreeMap::new(), ties: Vec::new(), expected: Vec::new() }
        }
        None => stage.prepare(given).await?,
    };
    plan::notes(given, &prepared);
    if !given.json() {
        print(render::plan(&prepared.plan, wanted.all, width(&std::io::stdout())).trim_end());
        stage.tell_duration(&prepared.plan);
    }
    let about = Occasion { input: wanted.inputs.join(" "), ..Occasion::default() };
    let guarded = match guarded(prepared.plan.clone(), &stage.project.rules, &stage.project.limits, None) {
        Ok(guarded) => guarded,
        Err(RunError::Tripped(tripped)) => return hold(given, &stage, &prepared.plan, &about, tripped),
        Err(error) => return Err(error.into()),
    };
    let calls = guarded.plan().calls.len() as u64;
    if calls > 0 && !wanted.yes && !agreed(given, "Carry out", calls)? {
        tell("nothing was changed");
        return Ok(Exit::Done);
    }
    let seen = sights(&prepared.expected, given.judges_by());
    if !seen.is_empty() {
        stage.store()?.sighted(&seen, &jiff::Timestamp::now().to_string()).map_err(RunError::from)?;
    }
    let (Some(seed), Some(stand)) = (wanted.chaos, &stage.lab) else {
        return carry_out(given, &stage, &guarded, &Begun::Now(about)).await;
    };
    lab::disturb(stand, seed).await?;
    let came = carry_out(given, &stage, &guarded, &Begun::Now(about)).await;
    let is_done = matches!(came, Ok(Exit::Done | Exit::Refused));
    tell(&lab::calm(stand, seed, is_done).await?);
    came
}

/// What a feed holds is settled before anything later of the same source is carried out. What was held when somebody gave
/// inputs by hand gives way to what is given now.
fn past_no_hold(stage: &plan::Stage, plan: &Plan) -> Result<(), Trouble> {
    if stage.state().is_none_or(|state| !state.exists()) {
        return Ok(());
    }
    let store = stage.store()?;
    let now = jiff::Timestamp::now().to_string();
    for run in store.unsettled().map_err(RunError::from)? {
        let Some((held, _)) = store.run(run.id).map_err(RunError::from)? else { continue };
        let same = |input: &crate::model::plan::Input| held.inputs.iter().any(|other| other.system == input.system);
        let Some(input) = plan.inputs.iter().find(|input| same(input)) else { continue };
        if run.feed.is_some() {
            let message = format!("run {} of {} waits to be settled, and comes first", run.id, input.system);
            let hint = format!(
                "look at it with `homeward runs {0}`, then `homeward approve {0}` or `homeward reject {0}`",
                run.id
            );
            return Err(Trouble::new(Exit::Refused, message, Some(hint)));
        }
        let from = [Standing::Held, Standing::Waiting];
        store.stand(run.id, &from, Standing::Superseded, "inputs were given anew", &now).map_err(RunError::from)?;
    }
    Ok(())
}

/// Keeps a plan that a limit stopped, for somebody to look at and to approve or reject.
pub(super) fn hold(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    plan: &Plan,
    about: &Occasion,
    tripped: Vec<Tripped>,
) -> Result<Exit, Trouble> {
    let told = tripped.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let trouble = Trouble::from(RunError::Tripped(tripped));
    let is_kept = stage.lab.as_ref().is_none_or(|lab| lab.state().is_some());
    if !is_kept {
        return Err(trouble);
    }
    past_no_hold(stage, plan)?;
    let now = jiff::Timestamp::now().to_string();
    let run = stage.store()?.keep(Some(plan), about, Standing::Held, &told, &now).map_err(RunError::from)?;
    if given.json() {
        let document = json!({ "format": "homeward.report/1", "run": run, "plan": plan.id, "held": told });
        print(&serde_json::to_string_pretty(&document).unwrap_or_default());
    }
    trouble.tell();
    let lab = if given.global.lab { "--lab " } else { "" };
    tell(&format!(
        "held as run {run}: carry it out with `homeward {lab}approve {run}`, or drop it with `homeward {lab}reject {run}`"
    ));
    Ok(trouble.exit)
}

/// The run that a plan is carried out as.
pub(super) enum Begun {
    /// One that begins now.
    Now(Occasion),
    /// One that is in the store already, as long as it stands as one of these.
    Before { run: i64, from: &'static [Standing] },
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
        print(&serde_json::to_string_pretty(&as_json(plan, &report)).unwrap_or_default());
    } else {
        print(as_text(plan, &report, stage.state().is_some()).trim_end());
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
    let _locks = kept.as_deref().map(|state| Locks::take(state, &systems)).transpose().map_err(RunError::from)?;
    let now = || jiff::Timestamp::now().to_string();
    let run = match begun {
        Begun::Now(about) => {
            past_no_hold(stage, plan)?;
            store.begin(plan, about, &now()).map_err(RunError::from)?
        }
        Begun::Before { run, from } => {
            // The service, or somebody else who settled it too, may have been faster.
            if !store.standing(*run).map_err(RunError::from)?.is_some_and(|standing| from.contains(&standing)) {
                tell(&format!("run {run} is carried out already: see `homeward runs {run}`"));
                return Ok(None);
            }
            *run
        }
    };
    let mut bar = Bar::new(calls, given.talks() && std::io::stderr().is_terminal());
    bar.stop_on_signals(stage.fleet.members.values().map(|member| Arc::clone(&member.line)).collect());
    let report = execute(guarded, &stage.fleet, &store, run, &now, &mut bar).await;
    bar.finish();
    Ok(Some(report.map_err(|error| broke_off(given, run, error))?))
}

/// A run that stopped before it was over: nothing of it is lost, and somebody has to finish it.
fn broke_off(given: &Invocation<'_>, run: i64, error: RunError) -> Trouble {
    let trouble = Trouble::from(error);
    let lab = if given.global.lab { "--lab " } else { "" };
    trouble.and(Trouble::new(
        Exit::Fault,
        format!("run {run} broke off"),
        Some(format!("what was sent is written down; finish it with `homeward {lab}resume {run}`")),
    ))
}

/// True for the name of a website, which is an input; a saved plan is a file.
fn is_website(given: &Invocation<'_>, name: &str) -> bool {
    let config = crate::config::load(&given.config(), &crate::run::kinds::for_config(&given.kinds));
    let system = config.ok().and_then(|config| config.systems.get(&name.into()).cloned());
    system.is_some_and(|system| system.says.is_some() && system.provider.is_some())
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

/// Asks on the terminal. Without one there is nobody to ask.
pub(super) fn agreed(given: &Invocation<'_>, act: &str, calls: u64) -> Result<bool, Trouble> {
    sure(given, &format!("{act} {}?", render::count(calls, "call")))
}

/// Asks anything that is answered with yes or no.
pub(super) fn sure(given: &Invocation<'_>, question: &str) -> Result<bool, Trouble> {
    if !std::io::stdin().is_terminal() || given.json() {
        let hint = "read the plan first with `homeward plan`, then give --yes";
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
    let left = plan.summary.refused + plan.summary.held + plan.summary.rejected;
    if left > 0 { Exit::Refused } else { Exit::Done }
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
    let run =
        if kept { format!(" (run {})", report.run) } else { " at simulators that end with this command".to_owned() };
    if all == 0 {
        return format!("{text}Nothing to do{run}.");
    }
    let word = if done == all { "Done".green().to_string() } else { "Partly done".yellow().to_string() };
    let left = plan.summary.refused + plan.summary.held;
    let left = if left == 0 {
        String::new()
    } else {
        format!(" {} refused or held, as the plan says.", render::count(left, "change"))
    };
    let moved = report.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Moved(_) | Outcome::Skipped(_)));
    let next = if moved { " Plan again to see what is there now." } else { "" };
    format!("{text}{word}: {} of {}{run}.{left}{next}", render::thousands(done), render::count(all, "call"))
}

pub(super) fn as_json(plan: &Plan, report: &Report) -> serde_json::Value {
    let outcomes: Vec<serde_json::Value> = report
        .outcomes
        .iter()
        .zip(&plan.calls)
        .map(|((id, outcome), call)| json!({ "call": id, "system": call.system, "person": call.person, "outcome": outcome }))
        .collect();
    json!({ "format": "homeward.report/1", "run": report.run, "plan": plan.id, "outcomes": outcomes })
}
