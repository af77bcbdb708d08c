//! What limits say to a plan with what runs did before it, and what becomes of what they hold.
//!
//! The judging is the planner's; here it is given what the store remembers and the time it is by the machine's clock. The
//! day that the rules see is another matter: `--today` moves no window.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{RunError, seal::seal};
use crate::{
    config::{self, Window},
    model::plan::Plan,
    plan::guard::{
        GuardedPlan, History, Limits, Tripped, guard,
        part::{Parts, does_the_same, part, replaces, speaks_anew},
    },
    rules::RuleSet,
    state::{Occasion, RunSummary, Standing, StateError, Store, Waits},
};

/// How limits count, and how what waits is settled.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// How long what runs did counts against later ones; `None`: each is judged alone.
    pub(crate) window: Option<Window>,
    /// How many different people have to approve what waits.
    pub(crate) approvals: u32,
    /// How long what waits can be approved; `None`: for ever.
    pub(crate) expires: Option<Duration>,
}

impl Terms {
    pub(crate) fn of(limits: &config::Limits) -> Self {
        Self { window: limits.window.clone(), approvals: limits.approvals, expires: limits.expires }
    }
}

/// What somebody does about a run that waits; `homeward` is how this program is called here.
pub(crate) fn how_to_settle(homeward: &str, run: i64) -> String {
    format!("carry it out with `{homeward} approve {run}`, or drop it with `{homeward} reject {run}`")
}

/// What somebody does about a run that is not settled: one that was approved can only be finished.
pub(crate) fn how_to_end(homeward: &str, run: i64, standing: Standing) -> String {
    if standing.is_held() { how_to_settle(homeward, run) } else { format!("finish it with `{homeward} resume {run}`") }
}

/// What limits say to a plan.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one is made for each plan")]
pub(crate) enum Judged {
    /// Nothing stands against it.
    Free(GuardedPlan),
    /// All of it is held.
    Held(Vec<Tripped>),
    /// A part of it is held, the rest is free.
    Parted(Box<Parted>),
}

/// A plan of which some systems are held.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) rest: GuardedPlan,
    pub(crate) aside: Plan,
    pub(crate) tripped: Vec<Tripped>,
}

/// What was counted at one moment, ready to judge by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    history: History,
    /// To be given to [`Store::begin_judged`]: nothing was begun since.
    pub(crate) counted: i64,
}

/// What runs of the window did, by the time it is now.
pub(crate) fn past(store: &dyn Store, terms: &Terms, now: Timestamp) -> Result<Past, StateError> {
    let since = terms.window.as_ref().map(|window| before(now, window.length).to_string());
    let counted = store.counted(since.as_deref())?;
    let shown = terms.window.as_ref().map_or("", |window| window.shown.as_str());
    Ok(Past { history: History::new(counted.tallies, counted.people, shown), counted: counted.last })
}

/// Judges a plan by the limits and by the `guard` lines of the rules.
///
/// # Errors
/// Where a rule fails.
pub(crate) fn judge(plan: &Plan, rules: &RuleSet, limits: &Limits, past: &Past) -> Result<Judged, RunError> {
    let objections = rules.guard(plan).map_err(|fault| RunError::Rule(Box::new(fault)))?;
    let tripped = match guard(plan.clone(), limits, &past.history, objections) {
        Ok(guarded) => return Ok(Judged::Free(guarded)),
        Err(tripped) => tripped,
    };
    let Some(Parts { rest, aside }) = part(plan, &tripped) else { return Ok(Judged::Held(tripped)) };
    // The `guard` lines said nothing to more than this.
    match guard(seal(rest), limits, &past.history, Vec::new()) {
        Ok(rest) => Ok(Judged::Parted(Box::new(Parted { rest, aside: seal(aside), tripped }))),
        Err(_) => Ok(Judged::Held(tripped)),
    }
}

/// Everything that trips, in one line.
pub(crate) fn told(tripped: &[Tripped]) -> String {
    tripped.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Where what is set aside of a run comes from. It has no digest: what becomes of the input is the rest's to say.
pub(crate) fn apart(about: &Occasion) -> Occasion {
    Occasion { feed: about.feed.clone(), input: format!("{} (held)", about.input), sha256: None }
}

/// Runs that wait, in the light of a new plan.
#[derive(Debug, Default)]
pub(crate) struct Asides {
    /// The one that holds the same as the new plan's: nobody need look at it twice.
    pub(crate) same: Option<i64>,
    /// Those that the new plan replaces.
    pub(crate) replaced: Vec<i64>,
}

/// Where a plan comes from that may take the place of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenBy {
    /// It was saved: it may be older than what waits, and replaces only itself.
    Saved,
    /// Files, which nobody gives again.
    Input,
    /// A website, which is asked again: what it still wants of a part that it takes back in part is planned anew.
    Website,
}

impl GivenBy {
    /// By somebody's hand.
    pub(crate) fn hand(is_saved: bool) -> Self {
        if is_saved { Self::Saved } else { Self::Input }
    }
}

/// Looks at what was set aside before, and at what was held when somebody gave inputs by hand. `plan` is the new one as a
/// whole, `aside` what is held of it now.
pub(crate) fn asides(
    store: &dyn Store,
    plan: &Plan,
    aside: Option<&Plan>,
    given: GivenBy,
) -> Result<Asides, StateError> {
    let mut found = Asides::default();
    let gives_way = |run: &Waits| match run.standing {
        Standing::Aside => true,
        Standing::Held | Standing::Waiting => run.feed.is_none(),
        _ => false,
    };
    let gives_way_to = |before: &Plan| match given {
        GivenBy::Saved => false,
        GivenBy::Input => replaces(plan, before),
        GivenBy::Website => replaces(plan, before) || is_of_same(plan, before) && speaks_anew(plan, before),
    };
    for run in store.waits()?.into_iter().filter(gives_way) {
        let Some(before) = store.plan(run.id)? else { continue };
        if run.standing == Standing::Aside && aside.is_some_and(|aside| does_the_same(&before, aside)) {
            found.same = Some(run.id);
        } else if before.id == plan.id || gives_way_to(&before) {
            found.replaced.push(run.id);
        }
    }
    Ok(found)
}

/// True where all that a plan which waits was made of is said again.
fn is_of_same(plan: &Plan, waits: &Plan) -> bool {
    waits.inputs.iter().all(|input| plan.inputs.iter().any(|again| again.system == input.system))
}

/// Lets go of runs that wait as one of these and that a new plan replaces, and gives them.
pub(crate) fn replace(
    store: &dyn Store,
    asides: &Asides,
    from: &[Standing],
    now: Timestamp,
) -> Result<Vec<i64>, StateError> {
    let told = "a newer input took its place";
    let mut gone = Vec::new();
    for run in &asides.replaced {
        if store.stand(*run, from, Standing::Superseded, told, &now.to_string())? {
            gone.push(*run);
        }
    }
    Ok(gone)
}

/// How a run waits that a newer plan may take the place of.
pub(crate) const REPLACEABLE: [Standing; 3] = [Standing::Aside, Standing::Held, Standing::Waiting];

/// Writes beside a run what of its plan was not to be carried out: what is listed as done must not hide it.
pub(crate) fn note(store: &dyn Store, plan: &Plan, run: i64, now: Timestamp) -> Result<(), StateError> {
    let told = store.summary(run)?.and_then(|run| run.told);
    let summary = &plan.summary;
    let counts = [
        (summary.rejected, "row could not be used", "rows could not be used"),
        (summary.held, "change is held", "changes are held"),
        (summary.refused, "change is refused", "changes are refused"),
    ];
    let counts = counts.into_iter().filter(|(count, ..)| *count > 0);
    let counts = counts.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }));
    // A run that is finished later says it once.
    let is_new = |part: &String| told.as_ref().is_none_or(|told| !told.split("; ").any(|one| one == part));
    let parts: Vec<String> = told.iter().cloned().chain(counts.filter(is_new)).collect();
    if parts.len() == usize::from(told.is_some()) {
        return Ok(());
    }
    for standing in [Standing::Done, Standing::Partly] {
        store.stand(run, &[standing], standing, &parts.join("; "), &now.to_string())?;
    }
    Ok(())
}

/// Lets runs expire that have waited too long, and gives them.
pub(crate) fn expire(store: &dyn Store, terms: &Terms, now: Timestamp) -> Result<Vec<RunSummary>, StateError> {
    let Some(patience) = terms.expires else { return Ok(Vec::new()) };
    let oldest = before(now, patience);
    let mut expired = Vec::new();
    for run in store.unsettled()?.into_iter().filter(|run| run.standing.is_held()) {
        let is_old = run.started.parse::<Timestamp>().is_ok_and(|started| started < oldest);
        let told = format!("nobody settled it in time: plan again ({})", run.told.as_deref().unwrap_or("it waited"));
        if is_old && store.stand(run.id, &[run.standing], Standing::Expired, &told, &now.to_string())? {
            expired.push(run);
        }
    }
    Ok(expired)
}

/// So long before now.
fn before(now: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    now.checked_sub(length).unwrap_or(Timestamp::MIN)
}
