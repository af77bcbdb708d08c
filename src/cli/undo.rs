//! `homeward undo`: plans the inverse of a run, shows it, asks, and carries it out.

use super::{
    Exit, Invocation,
    apply::{Begun, Fresh, agreed, carry_out, hold},
    arguments,
    diagnostic::Trouble,
    plan, print, render, runs, tell, width,
};
use crate::{
    model::plan::{Decision, Plan},
    run::{
        document,
        holds::{GivenBy, Judged, asides, how_to_end, judge},
        prepare::Prepared,
        seal::fits,
        undo,
    },
    state::{Entry, Occasion, Standing, Store, progress::Progress, sqlite::Sqlite},
};

/// Plans the inverse of a run. Saves it where that is asked for; else, or with `--yes`, carries it out.
pub(super) async fn undo(given: &Invocation<'_>, wanted: &arguments::Undo) -> Result<Exit, Trouble> {
    if let Some(file) = &wanted.out {
        plan::place_for(&given.root.join(file))?;
    }
    let mut stage = plan::stage(given, &[]).await?;
    let (done, entries) = over(&stage, wanted.run, given.again())?;
    fits(&format!("run {}", wanted.run), &done, &stage.fleet.homes())?;
    let memory = stage.memory()?;
    let desk = stage.project.desk(&memory, given.today().to_string(), None);
    let tied_by = stage.store()?.tied_by(wanted.run)?;
    let plan = undo::undo(wanted.run, &done, &entries, &tied_by, &desk, &mut stage.fleet).await?;
    let is_in_doubt = Progress::of(&entries).values().any(Progress::is_in_doubt);
    let prepared = Prepared::of(plan);
    plan::notes(given, &prepared);
    let plan = match &wanted.out {
        Some(file) => plan::save(&given.root.join(file), prepared.plan)?,
        None => prepared.plan,
    };
    let only_saved = wanted.out.is_some() && !wanted.yes;
    if !given.json() {
        print(&given.reaching(render::plan(&plan, wanted.all, width(&std::io::stdout())).trim_end()));
    } else if only_saved {
        print(&document::text(&plan));
    }
    if given.talks() && plan.changes.iter().all(|change| change.decision == Decision::Unchanged) {
        let has_sent = entries.iter().any(|entry| matches!(entry, Entry::Calling { .. }));
        let why = match (is_in_doubt, has_sent) {
            (true, _) => "nobody knows what became of what it sent",
            (false, true) => "all that it changed is as it was before",
            (false, false) => "it sent nothing",
        };
        tell(&format!("nothing to undo of run {}: {why}", wanted.run));
    }
    let past = stage.past()?;
    // What takes a run back is held as a whole: half of it would be a state that nobody has seen.
    let judged = match judge(&plan, &stage.project.rules, &stage.project.limits, &past)? {
        Judged::Free(guarded) => Ok(guarded),
        Judged::Held(tripped) => Err(tripped),
        Judged::Parted(parted) => Err(parted.tripped),
    };
    if only_saved {
        if let (Some(file), true) = (&wanted.out, given.talks()) {
            let homeward = given.again();
            tell(&format!("saved; carry out exactly this with: {homeward} apply {}", file.display()));
        }
        let trouble = judged.err().map(|tripped| Trouble::tripped(&tripped));
        trouble.iter().for_each(Trouble::tell);
        return Ok(trouble.map_or(Exit::Done, |trouble| trouble.exit));
    }
    let about = Occasion { input: format!("undo of run {}", wanted.run), ..Occasion::default() };
    let guarded = match judged {
        Ok(guarded) => guarded,
        Err(tripped) => return hold(given, &stage, &plan, &about, &tripped, false),
    };
    let calls = plan.calls.len() as u64;
    if calls > 0 && !wanted.yes && !agreed(given, "Carry out", calls, &format!("undo --out plan.json {}", wanted.run))?
    {
        tell("nothing was changed");
        return Ok(Exit::Done);
    }
    let asides = asides(&stage.store()?, &plan, None, GivenBy::Input)?;
    let fresh = Fresh { about, counted: past.counted, held: None, asides, is_saved: false };
    let exit = carry_out(given, &stage, &guarded, &Begun::Now(Box::new(fresh))).await?;
    // What nobody knows the end of is not taken back.
    Ok(if is_in_doubt { exit.max(Exit::Doubt) } else { exit })
}

/// A run that is over, with its journal: what is still going on, or never began, cannot be undone.
fn over(stage: &plan::Stage, run: i64, homeward: &str) -> Result<(Plan, Vec<Entry>), Trouble> {
    let Some(file) = stage.state().filter(|file| file.exists()) else { return Err(runs::unknown(run, homeward)) };
    let store = Sqlite::look_into(&file)?;
    let Some(standing) = store.standing(run)? else { return Err(runs::unknown(run, homeward)) };
    let no = |message: String, hint: String| Err(Trouble::new(Exit::Usage, message, Some(hint)));
    match standing {
        Standing::Done | Standing::Partly | Standing::Redone => {}
        Standing::Open => {
            let message = format!("run {run} is not over: it goes on now, or it broke off");
            return no(message, format!("finish it first, with: {homeward} resume {run}"));
        }
        Standing::Waiting | Standing::Held | Standing::Aside | Standing::Approved => {
            let message = format!("run {run} has changed nothing yet: it is {}", standing.word());
            return no(message, how_to_end(homeward, run, standing));
        }
        Standing::Rejected | Standing::Refused | Standing::Duplicate | Standing::Superseded | Standing::Expired => {
            let message = format!("run {run} has changed nothing: it is {}", standing.word());
            return no(message, format!("what it was is shown by: {homeward} runs {run}"));
        }
    }
    match store.run(run)? {
        Some(it) => Ok(it),
        None => no(
            format!("run {run} has no plan that could be undone"),
            format!(
                "what is known of it is shown by `{homeward} runs {run}`; whose an account is, is said otherwise by \
                 `{homeward} link` and `{homeward} unlink`"
            ),
        ),
    }
}
