//! `homeward resume`: finishes what was interrupted.

use std::path::Path;

use serde_json::json;

use super::{
    Exit, Invocation,
    apply::{Begun, as_json, as_text, exit, send},
    arguments,
    diagnostic::Trouble,
    document, plan, print, print_document, render, tell,
};
use crate::{
    model::id::{CallId, SystemName},
    plan::guard::approved,
    run::{
        holds::how_to_settle,
        resume::{self, NotInDoubt, Resumable, Said, UNFINISHED},
        seal::fits,
    },
    state::{RunSummary, Store, sqlite::Sqlite},
};

/// Finishes one run, or all that are worth finishing.
pub(super) async fn resume(given: &Invocation<'_>, wanted: &arguments::Resume) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let Some(file) = stage.state().filter(|file| file.exists()) else {
        return match wanted.run {
            Some(run) => Err(super::runs::unknown(run, given.again())),
            None => Ok(nothing(given)),
        };
    };
    let store = stage.store()?;
    if let Some(run) = wanted.run {
        let Some(summary) = store.summary(run)? else {
            return Err(super::runs::unknown(run, given.again()));
        };
        let is_told = say(given, &store, &file, &summary, wanted)?;
        if is_told && !UNFINISHED.contains(&summary.standing) {
            return Ok(Exit::Done);
        }
        is_finishable(given, &summary)?;
        let overtaken = overtaken(&stage, &store, &summary)?;
        if let (None, Some(later)) = (overtaken, resume::waits_for(&store, run)?) {
            let message =
                format!("run {later} has a later input of the same source than run {run}, and waits to be settled");
            return Err(Trouble::new(Exit::Refused, message, Some(how_to_settle(given.again(), later))));
        }
        let (exit, report) = finish(given, &stage, &store, &summary, overtaken).await?;
        if given.json() {
            print_document(&document("resumed", json!({ "runs": report.as_slice() })));
        }
        return Ok(exit);
    }
    let (mut worst, mut any, mut reports) = (Exit::Done, false, Vec::new());
    for Resumable { run: summary, overtaken, behind } in resume::unfinished(&store)? {
        any = true;
        if let Some(later) = behind {
            let first = how_to_settle(given.again(), later);
            tell(&format!(
                "run {} is left out: run {later} has a later input of its source and waits: {first}",
                summary.id
            ));
        } else if resume::is_left_to_service(&summary, &file) {
            tell(&format!("run {} is left to the service that is running", summary.id));
        } else if resume::is_under_way(&store, &file, summary.id)? {
            tell(&format!("run {} is left out: another process writes to one of its systems", summary.id));
        } else {
            match finish(given, &stage, &store, &summary, overtaken).await {
                Ok((exit, report)) => {
                    worst = worst.max(exit);
                    reports.extend(report);
                }
                // One that cannot be finished does not stand in the way of the others.
                Err(trouble) => {
                    tell(&format!("run {} cannot be finished:", summary.id));
                    trouble.tell();
                    worst = worst.max(trouble.exit);
                }
            }
        }
    }
    if given.json() {
        print_document(&document("resumed", json!({ "runs": reports })));
    } else if !any {
        print("Nothing to resume.");
    }
    Ok(worst)
}

fn nothing(given: &Invocation<'_>) -> Exit {
    if given.json() {
        print_document(&document("resumed", json!({ "runs": [] })));
    } else {
        print("Nothing to resume.");
    }
    Exit::Done
}

/// The later run by which nothing more of this one is to be sent: one that took it back, or that had a later list of everybody,
/// which has said again what is still wanted.
fn overtaken(stage: &plan::Stage, store: &Sqlite, summary: &RunSummary) -> Result<Option<i64>, Trouble> {
    let run = summary.id;
    let Some(later) = resume::overtaken(store, run)? else { return Ok(None) };
    let is_full = |system: &SystemName| stage.project.lists_everybody(system);
    let taken_back = resume::taken_back(store, run)?;
    Ok(taken_back.or(resume::sources(store, run)?.iter().any(is_full).then_some(later)))
}

/// Refuses a run that there is nothing to finish of.
fn is_finishable(given: &Invocation<'_>, summary: &RunSummary) -> Result<(), Trouble> {
    let (run, again) = (summary.id, given.again());
    if UNFINISHED.contains(&summary.standing) {
        return Ok(());
    }
    let hint = if summary.standing.is_held() {
        how_to_settle(again, run)
    } else {
        format!("see what became of it with `{again} runs {run}`")
    };
    let message = format!("run {run} is {}: there is nothing to finish", summary.standing.word());
    Err(Trouble::new(Exit::Usage, message, Some(hint)))
}

/// Writes down what the command line says of calls in doubt; false where it says nothing of any. Nobody may be at work on
/// the run: what is under way looks like what is in doubt.
fn say(
    given: &Invocation<'_>,
    store: &Sqlite,
    state: &Path,
    summary: &RunSummary,
    wanted: &arguments::Resume,
) -> Result<bool, Trouble> {
    let ids = |names: &[String]| names.iter().map(|name| CallId::from(name.as_str())).collect();
    let said = Said { done: ids(&wanted.done), again: ids(&wanted.again) };
    if said == Said::default() {
        return Ok(false);
    }
    let _locks = resume::locks(store, state, summary.id)?;
    let Some((plan, entries)) = store.run(summary.id)? else { return Ok(false) };
    resume::is_about_doubts(summary.id, &plan, &entries, &said).map_err(|error| {
        let hint = match &error {
            NotInDoubt::Unknown { doubtful, .. } | NotInDoubt::Known { doubtful, .. } if doubtful.is_empty() => {
                "no call of this run is in doubt".to_owned()
            }
            NotInDoubt::Unknown { doubtful, .. } | NotInDoubt::Known { doubtful, .. } => {
                let ids: Vec<String> = doubtful.iter().map(ToString::to_string).collect();
                format!("in doubt: {}", ids.join(", "))
            }
            NotInDoubt::Both { .. } => "look at the provider first, then say one of them".to_owned(),
        };
        Trouble::new(Exit::Usage, error.to_string(), Some(hint))
    })?;
    let by = super::settle::who(wanted.by.as_ref());
    resume::tell(store, summary.id, &plan, &said, &by)?;
    if given.talks() {
        let count = render::count((said.done.len() + said.again.len()) as u64, "call");
        tell(&format!("written down: what {by} says of {count}"));
    }
    Ok(true)
}

/// Carries out what is left of a run; gives the report as a document for machines too.
async fn finish(
    given: &Invocation<'_>,
    stage: &plan::Stage,
    store: &Sqlite,
    summary: &RunSummary,
    overtaken: Option<i64>,
) -> Result<(Exit, Option<serde_json::Value>), Trouble> {
    let run = summary.id;
    let Some(plan) = store.plan(run)? else {
        return Err(super::runs::unknown(run, given.again()));
    };
    fits(&format!("run {run}"), &plan, &stage.fleet.homes())?;
    let left = resume::left(store, run)?;
    if given.talks() {
        let from = summary.feed.as_ref().map(|feed| format!("{feed}: ")).unwrap_or_default();
        let left = render::count(left.len() as u64, "call");
        tell(&render::harmless(&format!("run {run} ({from}{}): {left} left", summary.input)));
        if let Some(later) = overtaken {
            tell(&format!(
                "run {later} took it back, or had a later input of the same source: nothing more of run {run} is sent, and \
                 what is in doubt is looked for"
            ));
        }
    }
    // It passed its limits when it was begun, or was approved.
    let guarded = approved(plan, &stage.project.limits);
    let begun = Begun::Before { run, from: &UNFINISHED, overtaken };
    let report = send(given, stage, &guarded, &begun).await;
    // It may be one that was saved long before it was begun.
    if summary.feed.is_none() {
        store.disbelieve()?;
    }
    let Some(report) = report? else { return Ok((Exit::Done, None)) };
    let plan = guarded.plan();
    if !given.json() {
        print(&given.reaching(as_text(plan, &report, true).trim_end()));
    }
    Ok((exit(plan, &report), Some(as_json(plan, &report))))
}
