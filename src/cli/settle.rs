//! `homeward approve` and `homeward reject`: what was held is settled by a person.

use serde_json::json;

use super::{
    Exit, Invocation,
    apply::{Begun, agreed, carry_out},
    arguments,
    diagnostic::Trouble,
    document, lab, plan, print, print_document, render, tell, width,
};
use crate::{
    plan::guard::approved,
    run::{
        holds::{Terms, expire},
        resume::is_past,
        seal::fits,
    },
    state::{Heard, RunSummary, Said, Standing, Store, Word, lock, sqlite::Sqlite},
};

/// Approves the plan of one run, that plan and no other, and has it carried out: by the service where one is running, else
/// here.
pub(super) async fn approve(given: &Invocation<'_>, wanted: &arguments::Settle) -> Result<Exit, Trouble> {
    let stage = plan::stage(given, &[]).await?;
    let store = stage.store()?;
    let summary = settleable(&store, wanted.run, &stage.project.terms, given.again())?;
    let Some(plan) = store.plan(wanted.run)? else {
        return Err(super::runs::unknown(wanted.run, given.again()));
    };
    fits(&format!("run {}", wanted.run), &plan, &stage.fleet.homes())?;
    if let Some(later) = is_past(&store, &summary, &plan)? {
        let again = given.again();
        let message = format!(
            "run {later} is newer than run {}, and its input or what it takes back is about the same",
            wanted.run
        );
        let hint = format!(
            "what that one says may be the opposite of this: look at `{again} runs {later}`, let go of this one with \
             `{again} reject {}`, and plan again",
            wanted.run
        );
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    if plan.rules != stage.project.rules.digest() && !wanted.anyway {
        let hint = format!(
            "a plan of these rules: plan again, and `{1} reject {0}`; this one as it was shown: `{1} approve {0} --anyway`",
            wanted.run,
            given.again()
        );
        return Err(Trouble::new(Exit::Usage, "the rules have changed since this plan was made", Some(hint)));
    }
    if !given.json() {
        print(&given.reaching(render::plan(&plan, false, width(&std::io::stdout())).trim_end()));
        plan::warn(given, &plan);
        if let Some(told) = &summary.told {
            tell(&format!("{}: {}", summary.standing.word(), render::harmless(told)));
        }
    }
    if !wanted.yes && !agreed(given, "Approve and carry out", plan.calls.len() as u64, &format!("runs {}", wanted.run))?
    {
        tell("nothing was changed");
        return Ok(Exit::Done);
    }
    if summary.standing != Standing::Approved
        && !said(given, &store, &summary, wanted.by.as_ref(), &stage.project.terms)?
    {
        settled(given, wanted.run, summary.standing);
        return Ok(Exit::Refused);
    }
    if stage.state().is_some_and(|state| lock::is_watched(&state)) {
        settled(given, wanted.run, Standing::Approved);
        tell("approved; the service that is running carries it out");
        return Ok(Exit::Done);
    }
    let guarded = approved(plan, &stage.project.limits);
    carry_out(given, &stage, &guarded, &Begun::Before { run: wanted.run, from: &[Standing::Approved], overtaken: None })
        .await
}

/// Rejects the plan of one run: it is never carried out.
pub(super) fn reject(given: &Invocation<'_>, wanted: &arguments::Reject) -> Result<Exit, Trouble> {
    let config = given.settings()?;
    let terms = Terms::of(&config.limits);
    let path = lab::state(given, &config);
    if !path.exists() {
        return Err(super::runs::unknown(wanted.run, given.again()));
    }
    let store = Sqlite::open(&path)?;
    let summary = settleable(&store, wanted.run, &terms, given.again())?;
    // What was approved may be on its way already.
    if store.say(&word(&summary, wanted.by.as_ref(), Word::Rejected), 1)? != Heard::Settled {
        let hint = "what was approved is carried out; it can be changed back by another plan".to_owned();
        let message = format!("run {} was approved already and cannot be rejected any more", wanted.run);
        return Err(Trouble::new(Exit::Usage, message, Some(hint)));
    }
    settled(given, wanted.run, Standing::Rejected);
    if given.talks() {
        tell(&format!("run {} is rejected: nothing of it will be carried out", wanted.run));
    }
    Ok(Exit::Done)
}

/// Tells a machine how the run stands now, where nothing else is told of it.
fn settled(given: &Invocation<'_>, run: i64, standing: Standing) {
    if given.json() {
        print_document(&document("settled", json!({ "run": run, "standing": standing.word() })));
    }
}

/// Writes down that somebody approves the plan she was shown. False where that is not enough yet.
fn said(
    given: &Invocation<'_>,
    store: &Sqlite,
    summary: &RunSummary,
    by: Option<&String>,
    terms: &Terms,
) -> Result<bool, Trouble> {
    let run = summary.id;
    let word = word(summary, by, Word::Approved);
    match store.say(&word, terms.approvals)? {
        Heard::Settled => Ok(true),
        Heard::Waits { approvals } => {
            let homeward = given.again();
            tell(&format!(
                "{approvals} of {} approvals: somebody else has to approve it too, with `{homeward} approve {run} --by NAME`",
                terms.approvals
            ));
            Ok(false)
        }
        Heard::Again => {
            let hint = format!("it takes {} different people; one of them counts once", terms.approvals);
            let message = format!("run {run} was approved by {} already", render::harmless(&word.who));
            Err(Trouble::new(Exit::Usage, message, Some(hint)))
        }
        Heard::TooLate => {
            let now = settleable(store, run, terms, given.again())?;
            // Somebody else was quicker: what she approved is what was to be approved.
            if now.standing == Standing::Approved && now.plan == word.plan {
                return Ok(true);
            }
            let hint = format!("look at what it would do now: {} runs {run}", given.again());
            Err(Trouble::new(
                Exit::Usage,
                format!("run {run} has another plan than the one that was shown"),
                Some(hint),
            ))
        }
    }
}

/// Who says something: whoever is named, or else the account this runs as.
pub(super) fn who(by: Option<&String>) -> String {
    let who = by.map(|by| by.trim().to_owned()).filter(|by| !by.is_empty());
    who.or_else(crate::config::late::user).unwrap_or_else(|| "somebody".to_owned())
}

/// What somebody says to the plan of a run.
fn word(summary: &RunSummary, by: Option<&String>, word: Word) -> Said {
    Said { run: summary.id, plan: summary.plan.clone(), who: who(by), at: jiff::Timestamp::now().to_string(), word }
}

/// A run that waits for somebody.
fn settleable(store: &Sqlite, run: i64, terms: &Terms, again: &str) -> Result<RunSummary, Trouble> {
    expire(store, terms, jiff::Timestamp::now())?;
    let Some(summary) = store.summary(run)? else {
        return Err(super::runs::unknown(run, again));
    };
    if summary.standing.is_held() || summary.standing == Standing::Approved {
        return Ok(summary);
    }
    if summary.standing == Standing::Expired {
        let hint = "plan again: what it would do now is another plan".to_owned();
        return Err(Trouble::new(Exit::Usage, format!("run {run} waited too long and is expired"), Some(hint)));
    }
    let unsettled = store.unsettled()?;
    let held: Vec<String> = unsettled.iter().filter(|it| it.standing.is_held()).map(|it| it.id.to_string()).collect();
    let hint =
        if held.is_empty() { "no run waits for anybody".to_owned() } else { format!("waiting: {}", held.join(", ")) };
    Err(Trouble::new(Exit::Usage, format!("run {run} waits for nobody: it is {}", summary.standing.word()), Some(hint)))
}
