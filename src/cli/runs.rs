//! `homeward runs`: what happened.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::Table;
use serde_json::json;

use super::{
    Exit, Invocation, apply::sure, arguments, diagnostic::Trouble, document, lab, outlook, print, print_document,
    render, tell, width,
};
use crate::{
    config::quantity,
    model::{
        id::CallId,
        plan::{Plan, PlannedChange},
    },
    run::{RunError, resume, verify},
    state::{Entry, Outcome, RunSummary, Standing, StateError, Store, progress::Progress, sqlite::Sqlite},
};

/// So many runs are listed where not all are asked for.
const NEWEST: u32 = 50;

/// Lists the runs, shows one with its calls and what became of each, or looks after what is kept of them.
pub(super) fn runs(given: &Invocation<'_>, wanted: &arguments::Runs) -> Result<Exit, Trouble> {
    let config = given.settings()?;
    let path = lab::state(given, &config);
    let age = wanted.prune.as_deref().map(age).transpose()?;
    if !path.exists() && (wanted.verify || wanted.backup.is_some() || age.is_some()) {
        let hint = format!("look where the state is to be: `state` in {}, and -C", given.config().display());
        return Err(Trouble::new(Exit::Usage, format!("there is no state store at {}", path.display()), Some(hint)));
    }
    if !path.exists() && wanted.run.is_none() {
        show(given, Vec::new());
        in_the_lab(given, &config.root);
        return Ok(Exit::Done);
    }
    if let Some(run) = wanted.run.filter(|_| !path.exists()) {
        return Err(unknown(run, given.again()));
    }
    let store = Sqlite::open(&path)?;
    if wanted.verify {
        return verified(given, &store);
    }
    if let Some(file) = &wanted.backup {
        let file = given.root.join(file);
        store.back_up(&file).map_err(|error| backed_up(RunError::from(error)))?;
        tell(&format!("the state store is copied to {}", file.display()));
        return Ok(Exit::Done);
    }
    match (age, wanted.run) {
        (Some(age), _) => pruned(given, &store, age, wanted.yes),
        (None, Some(run)) => one(given, &store, run),
        (None, None) => list(given, &store, wanted.all),
    }
}

/// Tells where else to look, where nothing was done in earnest.
pub(super) fn in_the_lab(given: &Invocation<'_>, root: &std::path::Path) {
    if !given.global.lab && given.talks() && lab::store(root).exists() {
        tell("what was done in the lab is shown with --lab");
    }
}

fn age(text: &str) -> Result<std::time::Duration, Trouble> {
    quantity::duration(text).ok_or_else(|| {
        let hint = "a number and a unit: 90d, 12h".to_owned();
        Trouble::new(Exit::Usage, format!("`{text}` is no age"), Some(hint))
    })
}

fn backed_up(error: RunError) -> Trouble {
    match error {
        RunError::State(StateError::Copy { path, source }) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            let hint = "nothing is written over: name a file that is not there yet".to_owned();
            Trouble::new(Exit::Usage, format!("{} is there already", path.display()), Some(hint))
        }
        error => error.into(),
    }
}

/// Looks whether everything is as it was written.
fn verified(given: &Invocation<'_>, store: &Sqlite) -> Result<Exit, Trouble> {
    let verified = verify::verify(store)?;
    let flaws: Vec<String> = verified.flaws.iter().map(ToString::to_string).collect();
    let exit = if flaws.is_empty() { Exit::Done } else { Exit::Fault };
    if given.json() {
        let fields = json!({ "entries": verified.entries, "last": verified.last, "flaws": flaws });
        print_document(&document("verification", fields));
        return Ok(exit);
    }
    let entries = render::thousands(verified.entries);
    if flaws.is_empty() {
        print(&format!("{entries} entries, each as it was written. The last one is {}", verified.last));
        return Ok(exit);
    }
    print(&flaws.join("\n"));
    let hint =
        "somebody or something has written to the file: put a copy made with `homeward runs --backup` in its place";
    let what = render::count(flaws.len() as u64, "flaw");
    Err(Trouble::new(exit, format!("{what} in {entries} entries"), Some(hint.to_owned())))
}

/// Removes what is older.
fn pruned(given: &Invocation<'_>, store: &Sqlite, age: std::time::Duration, yes: bool) -> Result<Exit, Trouble> {
    let before = jiff::Timestamp::now().checked_sub(age).unwrap_or(jiff::Timestamp::MIN);
    if !yes
        && !sure(
            given,
            &format!("Remove plans and journals of runs that were over before {before}?"),
            "give --yes if that is meant",
        )?
    {
        tell("nothing was removed");
        return Ok(Exit::Done);
    }
    // What is not finished is still needed.
    let keep: Vec<i64> = resume::unfinished(store)?.into_iter().map(|one| one.run.id).collect();
    let pruned = store.prune(&before.to_string(), &keep)?;
    if given.json() {
        print_document(&document("pruning", json!(pruned)));
    } else {
        let (runs, entries) = (render::count(pruned.runs, "run"), render::thousands(pruned.entries));
        print(&format!("Removed what {runs} did: {entries} entries."));
    }
    Ok(Exit::Done)
}

/// That there is no such run; `again` is how the program was called.
pub(super) fn unknown(run: i64, again: &str) -> Trouble {
    Trouble::new(Exit::Usage, format!("there is no run {run}"), Some(format!("list them with: {again} runs")))
}

fn list(given: &Invocation<'_>, store: &Sqlite, all: bool) -> Result<Exit, Trouble> {
    // One more than is shown, to know whether there are more.
    let runs = if all { store.runs() } else { store.newest(NEWEST + 1) };
    let mut runs = runs?;
    if !all && runs.len() > NEWEST as usize {
        runs.truncate(NEWEST as usize);
        if !given.global.quiet {
            tell(&format!("the newest {NEWEST}; all of them: {} runs --all", given.again()));
        }
    }
    show(given, runs);
    Ok(Exit::Done)
}

fn show(given: &Invocation<'_>, runs: Vec<RunSummary>) {
    if given.json() {
        return print_document(&document("runs", json!({ "runs": runs })));
    }
    if runs.is_empty() {
        return print("No runs yet.");
    }
    let header = ["run", "started", "stands", "input", "calls", "done", "plan", "note"];
    let row = |run: RunSummary| {
        let plan = run.plan.chars().skip("sha256:".len()).take(12).collect();
        let input = match &run.feed {
            Some(feed) => format!("{feed}: {}", run.input),
            None => run.input.clone(),
        };
        [
            run.id.to_string(),
            render::second(&run.started),
            run.standing.word().to_owned(),
            render::harmless(&input),
            run.calls.to_string(),
            run.done.to_string(),
            plan,
            render::harmless(run.told.as_deref().unwrap_or_default()),
        ]
    };
    let mut rows: Vec<_> = runs.into_iter().map(row).collect();
    if let Some(width) = width(&std::io::stdout()) {
        render::shorten_last(&header, &mut rows, width);
    }
    let mut table = render::aligned(&header);
    table.add_rows(rows);
    print(&render::drawn(&table));
}

fn one(given: &Invocation<'_>, store: &Sqlite, run: i64) -> Result<Exit, Trouble> {
    let Some((plan, entries)) = store.run(run)? else {
        let Some(summary) = store.summary(run)? else {
            return Err(unknown(run, given.again()));
        };
        if given.json() {
            print_document(&document("run", json!({ "summary": summary })));
        } else {
            let told = summary.told.as_deref().unwrap_or("nothing was planned");
            print(&format!("{}: {}", summary.standing.word(), render::harmless(told)));
        }
        return Ok(Exit::Done);
    };
    let expected = store.expected_of(run)?;
    if given.json() {
        let left = outlook::documents(&expected, given.judges_by());
        let summary = store.summary(run)?;
        let mut fields = json!({ "summary": summary, "plan": plan, "journal": entries, "expectations": left });
        let said = store.said(run)?;
        if !said.is_empty() {
            fields["said"] = json!(said);
        }
        print_document(&document("run", fields));
        return Ok(Exit::Done);
    }
    if let Some(summary) = store.summary(run)? {
        let from = summary.feed.as_ref().map(|feed| format!("{feed}: ")).unwrap_or_default();
        let word = summary.standing.word();
        print(&render::harmless(&format!(
            "Run {run} is {word}: {from}{}, {}.",
            summary.input,
            render::second(&summary.started)
        )));
        if let Some(told) = &summary.told {
            print(&render::harmless(told));
        }
        if summary.standing.is_held() {
            for one in store.said(run)? {
                print(&render::harmless(&format!(
                    "approved by {} at {}, which is not enough",
                    one.who,
                    render::second(&one.at)
                )));
            }
        }
        if summary.standing.is_held() || summary.standing == Standing::Approved {
            // Nothing came of it yet: what there is to see is what it would do.
            print(&given.reaching(render::plan(&plan, true, width(&std::io::stdout())).trim_end()));
            super::plan::warn(given, &plan);
            return Ok(Exit::Done);
        }
    }
    print(&render::drawn(&calls(&plan, &entries)));
    let left = render::left(&plan, width(&std::io::stdout()));
    if !left.is_empty() {
        print(&given.reaching(&format!("\nNot carried out, and decided anew with each plan:\n{}", left.trim_end())));
    }
    super::plan::warn(given, &plan);
    if !expected.is_empty() {
        print(&format!("\n{}", outlook::table(&expected, given.judges_by())));
    }
    Ok(Exit::Done)
}

/// Each call with what it was to change, and what became of it.
fn calls(plan: &Plan, entries: &[Entry]) -> Table {
    let progress = Progress::of(entries);
    let calling = |entry: &Entry| if let Entry::Calling { call, .. } = entry { Some(call.clone()) } else { None };
    let sent: BTreeSet<CallId> = entries.iter().filter_map(calling).collect();
    let mut of_calls: BTreeMap<&CallId, Vec<&PlannedChange>> = BTreeMap::new();
    for change in &plan.changes {
        if let Some(call) = &change.call {
            of_calls.entry(call).or_default().push(change);
        }
    }
    let mut table = render::aligned(&["call", "system", "person", "does", "attribute", "before → after", "outcome"]);
    for call in &plan.calls {
        let outcome = match progress.get(&call.id) {
            Some(Progress::Over(Outcome::Done)) if !sent.contains(&call.id) => "was so already".to_owned(),
            Some(Progress::Over(outcome)) => render::outcome(call, outcome).unwrap_or_else(|| "done".to_owned()),
            None | Some(Progress::Ahead | Progress::Sent) => "not settled".to_owned(),
        };
        let does = format!("{:?}", call.operation).to_lowercase();
        let person = render::harmless(&call.person.to_string());
        let mut first = [call.id.to_string(), call.system.to_string(), person, does, outcome];
        let changes = of_calls.remove(&call.id).unwrap_or_default();
        let values = changes.iter().map(|change| (change.attribute.to_string(), render::values(change, usize::MAX)));
        // A call that changes no attribute has a row as well.
        let none = changes.is_empty().then(|| ("·".to_owned(), "·".to_owned()));
        for (attribute, values) in values.chain(none) {
            let [call, system, person, does, outcome] = std::mem::take(&mut first);
            table.add_row([call, system, person, does, attribute, values, outcome]);
        }
    }
    table
}
