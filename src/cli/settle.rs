//! `homeward approve` and `homeward reject`: what was held is settled by a person.

use super::{
    Exit, Invocation,
    apply::{Begun, agreed, carry_out},
    arguments,
    diagnostic::Trouble,
    plan, print, render, tell, width,
};
use crate::{
    plan::guard::Approval,
    run::{RunError, prepare::guarded, seal::fits},
    state::{RunSummary, Standing, Store, lock, sqlite::Sqlite},
};

/// Approves the plan of one run, that plan and no other, and has it carried out: by the service where one is running, else
/// here.
pub(super) async fn approve(given: &Invocation<'_>, wanted: &arguments::Settle) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let store = stage.store()?;
    let summary = settleable(&store, wanted.run)?;
    let Some((plan, _)) = store.run(wanted.run).map_err(RunError::from)? else {
        return Err(super::runs::unknown(wanted.run));
    };
    fits(&format!("run {}", wanted.run), &plan, &stage.fleet.homes())?;
    if plan.rules != stage.project.rules.digest() && !given.global.quiet {
        tell("warning: the rules have changed since this plan was made; it is carried out as it was shown");
    }
    if !given.json() {
        print(render::plan(&plan, false, width(&std::io::stdout())).trim_end());
        if let Some(told) = &summary.told {
            tell(&format!("{}: {}", summary.standing.word(), render::harmless(told)));
        }
    }
    if !wanted.yes && !agreed(given, "Approve and carry out", plan.calls.len() as u64)? {
        tell("nothing was changed");
        return Ok(Exit::Done);
    }
    let now = jiff::Timestamp::now().to_string();
    let who = wanted.by.clone().or_else(crate::config::late::user).unwrap_or_else(|| "somebody".to_owned());
    let told = format!("approved by {who} at {now}");
    let from = [Standing::Waiting, Standing::Held, Standing::Approved];
    if !store.stand(wanted.run, &from, Standing::Approved, &told, &now).map_err(RunError::from)? {
        return Err(settleable(&store, wanted.run).err().unwrap_or_else(|| super::runs::unknown(wanted.run)));
    }
    if stage.state().is_some_and(|state| lock::is_watched(&state)) {
        tell("approved; the service that is running carries it out");
        return Ok(Exit::Done);
    }
    let approval = Approval { plan: plan.id.clone() };
    let guarded = guarded(plan, &stage.project.rules, &stage.project.limits, Some(&approval))?;
    carry_out(given, &stage, &guarded, &Begun::Before { run: wanted.run, from: &[Standing::Approved] }).await
}

/// Rejects the plan of one run: it is never carried out.
pub(super) fn reject(given: &Invocation<'_>, wanted: &arguments::Reject) -> Result<Exit, Trouble> {
    let config = crate::config::load(&given.config(), &crate::run::kinds::for_config(&given.kinds))?;
    let path = if given.global.lab { config.root.join(".homeward/lab.db") } else { config.state };
    if !path.exists() {
        return Err(super::runs::unknown(wanted.run));
    }
    let store = Sqlite::open(&path).map_err(RunError::from)?;
    settleable(&store, wanted.run)?;
    let now = jiff::Timestamp::now().to_string();
    let who = wanted.by.clone().or_else(crate::config::late::user).unwrap_or_else(|| "somebody".to_owned());
    let told = format!("rejected by {who} at {now}");
    // What was approved may be on its way already.
    let from = [Standing::Waiting, Standing::Held];
    if !store.stand(wanted.run, &from, Standing::Rejected, &told, &now).map_err(RunError::from)? {
        let hint = "what was approved is carried out; it can be changed back by another plan".to_owned();
        let message = format!("run {} was approved already and cannot be rejected any more", wanted.run);
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    if given.talks() {
        tell(&format!("run {} is rejected: nothing of it will be carried out", wanted.run));
    }
    Ok(Exit::Done)
}

/// A run that waits for somebody.
fn settleable(store: &Sqlite, run: i64) -> Result<RunSummary, Trouble> {
    let Some(summary) = store.summary(run).map_err(RunError::from)? else { return Err(super::runs::unknown(run)) };
    if summary.standing.is_held() || summary.standing == Standing::Approved {
        return Ok(summary);
    }
    let unsettled = store.unsettled().map_err(RunError::from)?;
    let held: Vec<String> = unsettled.iter().filter(|it| it.standing.is_held()).map(|it| it.id.to_string()).collect();
    let hint =
        if held.is_empty() { "no run waits for anybody".to_owned() } else { format!("waiting: {}", held.join(", ")) };
    Err(Trouble::new(Exit::Usage, format!("run {run} waits for nobody: it is {}", summary.standing.word()), Some(hint)))
}
