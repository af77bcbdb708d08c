//! `homeward explain`: why each attribute of a person is at each system as it is, why not, and what would change that.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use owo_colors::OwoColorize;

use super::{Exit, Invocation, arguments, diagnostic::Trouble, lab, plan, print, render, runs, tell, width};
use crate::{
    model::{
        attribute::{AttributeName, NEUTRAL},
        id::{CallId, PersonId, SystemName},
        plan::{Decision, Plan},
    },
    plan::guard::Tripped,
    run::{
        RunError,
        explain::{
            Material, gather, recalled,
            telling::{CellTold, Depth, Explanation, FORMAT, OfAttribute, TakesTold, Told, expected},
            whom::{Found, find_in},
        },
        holds::{Judged, judge},
        seal,
    },
    state::{Entry, Outcome, Standing, Store, progress::Progress, sqlite::Sqlite},
};

/// What was typed, by its form.
struct Asked {
    person: Option<String>,
    attribute: Option<String>,
    inputs: Vec<String>,
}

/// Explains a person, from inputs, from a saved plan or from a past run.
pub(super) async fn explain(given: &Invocation<'_>, wanted: &arguments::Explain) -> Result<Exit, Trouble> {
    let asked = asked(wanted)?;
    let explanation = if let Some(file) = &wanted.plan {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(given.root.join(file)).map_err(|error| {
            let hint = "a saved plan is what `homeward plan … --out plan.json` wrote".to_owned();
            Trouble::new(Exit::Usage, format!("{shown} cannot be read: {error}"), Some(hint))
        })?;
        let plan = seal::read(&shown, &text)?;
        recall(&plan, &asked, None, &|_| None)?
    } else if let Some(run) = wanted.run {
        past(given, run, &asked)?
    } else if asked.inputs.is_empty() && asked.person.is_some() {
        past(given, latest(given, &asked)?, &asked)?
    } else {
        fresh(given, wanted, &asked).await?
    };
    if given.json() {
        print(&serde_json::to_string_pretty(&explanation).unwrap_or_default());
        return Ok(Exit::Done);
    }
    let width = width(&std::io::stdout());
    let mut text = String::new();
    for (at, told) in explanation.people.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&drawn(told, asked.attribute.is_some(), width));
    }
    print(&given.reaching(text.trim_end()));
    if given.talks() && !explanation.untold.is_empty() {
        let from = if explanation.run.is_some() { "a past run" } else { "a saved plan" };
        let list: Vec<String> = explanation.untold.iter().map(|it| format!("\n  {it}")).collect();
        tell(&format!("note: {from} does not hold{}", list.concat()));
    } else if given.talks() && asked.attribute.is_none() {
        tell("note: name an attribute to see everything about it, and what would change it");
    }
    Ok(Exit::Done)
}

fn asked(wanted: &arguments::Explain) -> Result<Asked, Trouble> {
    let usage = |message: String, hint: &str| Trouble::new(Exit::Usage, message, Some(hint.to_owned()));
    let mut words = wanted.asked.iter();
    // A person comes first and may look like anything, even like an input.
    let person = if wanted.everybody { None } else { words.next().cloned() };
    let (inputs, names): (Vec<&String>, Vec<&String>) = words.partition(|word| word.contains('='));
    if let [_, second, ..] = names.as_slice() {
        let hint = "homeward explain PERSON [ATTRIBUTE] [SYSTEM=FILE]…";
        return Err(usage(format!("`{second}` is one attribute too many"), hint));
    }
    let recalls = wanted.plan.is_some() || wanted.run.is_some();
    match (inputs.first(), recalls) {
        (Some(input), true) => Err(usage(
            format!("`{input}` is an input, and a plan that was made already is asked for"),
            "leave the input out, or leave out --plan and --run for a fresh dry run",
        )),
        _ => Ok(Asked {
            person,
            attribute: names.first().map(ToString::to_string),
            inputs: inputs.into_iter().cloned().collect(),
        }),
    }
}

async fn fresh(given: &Invocation<'_>, wanted: &arguments::Explain, asked: &Asked) -> Result<Explanation, Trouble> {
    let mut stage = plan::stage(given, &asked.inputs).await?;
    let memory = stage.memory()?;
    let inputs = stage.inputs(&memory).await?;
    let project = &stage.project;
    let desk = project.desk(&memory, given.today().to_string(), None);
    let read = gather(&desk, &inputs, &mut stage.fleet).await?;
    if given.talks() && given.global.verbose > 0 {
        for note in &read.notes {
            tell(&format!("note: {}", render::harmless(note)));
        }
    }
    let material = Material::new(&desk, read, &stage.fleet)?;
    let whom: Vec<usize> = match &asked.person {
        None if wanted.everybody => (0..material.people.len()).collect(),
        person => {
            let id = the_one(material.find(person.as_deref().unwrap_or_default()), person.as_deref())?;
            material.people.iter().position(|judged| judged.person.id == id).into_iter().collect()
        }
    };
    let only = asked.attribute.as_deref().map(AttributeName::new);
    let depth = Depth { takes: given.json() || only.is_some() };
    let told: Result<Vec<Told>, RunError> =
        whom.into_iter().map(|at| material.tell(at, only.as_ref(), depth)).collect();
    let mut told = told?;
    if let (Some(only), [one]) = (&only, told.as_slice())
        && one.attributes.is_empty()
    {
        let all = material.tell(whom_at(&material, &one.person), None, Depth::default())?;
        return Err(no_attribute(only, &all));
    }
    let plan = &material.plan;
    hold_back(&mut told, judge(plan, &project.rules, &project.limits, &stage.past()?)?);
    let (run, inputs, untold) = (None, plan.inputs.clone(), Vec::new());
    Ok(Explanation { format: FORMAT, plan: plan.id.clone(), run, inputs, untold, people: told })
}

/// Says of each call that a limit or a `guard` line holds that it is not sent now.
fn hold_back(told: &mut [Told], judged: Judged) {
    let (tripped, goes): (Vec<Tripped>, BTreeSet<CallId>) = match judged {
        Judged::Free(_) => return,
        Judged::Held(tripped) => (tripped, BTreeSet::new()),
        Judged::Parted(parted) => {
            let calls = &parted.rest.plan().calls;
            (parted.tripped, calls.iter().map(|call| call.id.clone()).collect())
        }
    };
    let by = |one: &Tripped| match one {
        Tripped::Rule(objection) => objection.origin.to_string(),
        Tripped::CutOff { .. } | Tripped::EndsEarly { .. } => "a list that may be cut off".to_owned(),
        Tripped::Vanished { system, .. } => format!("`limits.missing`, for accounts that are gone at {system}"),
        limit => format!("`limits.{}`", limit.name()),
    };
    let mut outcomes: BTreeMap<SystemName, String> = BTreeMap::new();
    for cell in told.iter_mut().flat_map(|one| &mut one.attributes).flat_map(|of| &mut of.cells) {
        for call in cell.calls.iter_mut().filter(|call| !goes.contains(&call.id)) {
            let outcome = outcomes.entry(cell.system.clone()).or_insert_with(|| {
                let is_here = |one: &&Tripped| one.system().is_none_or(|system| *system == cell.system);
                let here: BTreeSet<String> = tripped.iter().filter(is_here).map(by).collect();
                // What no limit holds here comes after what one holds elsewhere.
                let all = if here.is_empty() { tripped.iter().map(by).collect() } else { here };
                format!("held by {}", all.into_iter().collect::<Vec<_>>().join(", "))
            });
            call.outcome = Some(outcome.clone());
        }
    }
}

fn whom_at(material: &Material<'_>, id: &PersonId) -> usize {
    material.people.iter().position(|judged| judged.person.id == *id).unwrap_or_default()
}

/// The last run that decided anything of this person, for who names nothing to explain it from.
fn latest(given: &Invocation<'_>, asked: &Asked) -> Result<i64, Trouble> {
    let config = given.settings()?;
    let path = lab::state(given, &config);
    let (person, attribute) = (asked.person.as_deref().unwrap_or_default(), asked.attribute.as_deref());
    let speaks = |plan: &Plan| {
        let Found::One(id) = find_in(plan, person) else { return false };
        let mut mine = plan.changes.iter().filter(|change| change.person == id);
        mine.any(|change| attribute.is_none_or(|attribute| change.attribute.as_str() == attribute))
    };
    if path.exists() {
        let store = Sqlite::look_into(&path)?;
        for run in store.runs()? {
            if store.plan(run.id)?.is_some_and(|plan| speaks(&plan)) {
                return Ok(run.id);
            }
        }
    }
    let hint = "name inputs (SYSTEM=FILE) for a fresh dry run, or a plan (--plan FILE), or a run (--run N)";
    Err(Trouble::new(Exit::Usage, "there is nothing to explain it from", Some(hint.to_owned())))
}

fn past(given: &Invocation<'_>, run: i64, asked: &Asked) -> Result<Explanation, Trouble> {
    let config = given.settings()?;
    let path = lab::state(given, &config);
    let found = stored(&path, run)?;
    let Some((plan, entries, standing)) = found else { return Err(runs::unknown(run, given.again())) };
    let progress = Progress::of(&entries);
    let outcome = |id: &CallId| match progress.get(id) {
        Some(Progress::Over(outcome)) => match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Refused(refusal) => format!("refused, {refusal}"),
            Outcome::Moved(what) => format!("not sent: no longer as planned ({})", what.join(", ")),
            Outcome::Skipped(other) => format!("not sent: {other} did not succeed"),
            Outcome::InDoubt(refusal) => format!("in doubt: {}", refusal.reason),
        },
        None | Some(Progress::Ahead) if standing.is_some_and(|it| it != Standing::Open) => {
            format!("not sent: the run is {}", standing.map_or("open", Standing::word))
        }
        _ => "not settled".to_owned(),
    };
    let mut explanation = recall(&plan, asked, Some(run), &|id| Some(outcome(id)))?;
    explanation.run = Some(run);
    let open = Sqlite::look_into(&path).and_then(|store| store.expectations())?;
    for told in &mut explanation.people {
        for of in &mut told.attributes {
            for cell in &mut of.cells {
                cell.expected = expected(&open, &told.person, &(of.attribute.clone(), cell.system.clone())).cloned();
            }
        }
    }
    Ok(explanation)
}

/// The plan of a run, its journal, and how it stands.
type Stored = (Plan, Vec<Entry>, Option<Standing>);

fn stored(path: &Path, run: i64) -> Result<Option<Stored>, Trouble> {
    if !path.exists() {
        return Ok(None);
    }
    let store = Sqlite::look_into(path)?;
    let Some((plan, entries)) = store.run(run)? else { return Ok(None) };
    Ok(Some((plan, entries, store.standing(run)?)))
}

fn recall(
    plan: &Plan,
    asked: &Asked,
    run: Option<i64>,
    outcome: &dyn Fn(&CallId) -> Option<String>,
) -> Result<Explanation, Trouble> {
    let person = asked.person.as_deref();
    let id = the_one(find_in(plan, person.unwrap_or_default()), person)?;
    let only = asked.attribute.as_deref().map(AttributeName::new);
    let told = recalled::recall(plan, &id, only.as_ref(), outcome);
    if let Some(only) = only.as_ref().filter(|_| told.attributes.is_empty()) {
        return Err(no_attribute(only, &recalled::recall(plan, &id, None, outcome)));
    }
    let untold = recalled::UNTOLD.iter().map(|it| (*it).to_owned()).collect();
    let (plan, inputs) = (plan.id.clone(), plan.inputs.clone());
    Ok(Explanation { format: FORMAT, plan, run, inputs, untold, people: vec![told] })
}

fn the_one(found: Found, asked: Option<&str>) -> Result<PersonId, Trouble> {
    let asked = render::harmless(asked.unwrap_or_default());
    match found {
        Found::One(id) => Ok(id),
        Found::Several(all) => {
            let list: Vec<String> =
                all.iter().map(|(id, how)| format!("{} ({how})", render::harmless(&id.to_string()))).collect();
            let hint = format!("name one of them by id: {}", list.join(", "));
            let number = render::count(all.len() as u64, "person");
            Err(Trouble::new(Exit::Usage, format!("`{asked}` could be {number}"), Some(hint)))
        }
        Found::Nobody { near, unused, before, among } => {
            let hint = if let Some(row) = unused.first() {
                let column = row.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
                format!(
                    "the row with this key was rejected: {}:{}{column}: {} ({})",
                    row.file, row.line, row.reason, row.code
                )
            } else if let Some(source) = before {
                format!(
                    "{source} showed this key in an earlier run and does not now; who is not listed counts as gone only where a \
                     list holds everybody, and every row of it tells whose it is"
                )
            } else if near.is_empty() {
                let number = render::count(among as u64, "person");
                format!(
                    "the records speak of {number}; name one by id (hr/1001), key, username, address or account (gitlab:42)"
                )
            } else {
                let list: Vec<String> =
                    near.iter().map(|id| format!("`{}`", render::harmless(&id.to_string()))).collect();
                format!("did you mean {}?", list.join(" or "))
            };
            Err(Trouble::new(Exit::Usage, format!("nobody here is `{asked}`"), Some(render::harmless(&hint))))
        }
    }
}

fn no_attribute(only: &AttributeName, all: &Told) -> Trouble {
    let known: Vec<&str> = all.attributes.iter().map(|it| it.attribute.as_str()).collect();
    let neutral = NEUTRAL.iter().copied();
    let near = super::diagnostic::did_you_mean(only.as_str(), known.iter().copied().chain(neutral));
    let is_one = NEUTRAL.contains(&only.as_str());
    let message = if is_one {
        format!("nobody owns `{only}`, and no record speaks of it")
    } else {
        format!("nothing can be told of `{}`", render::harmless(only.as_str()))
    };
    let owner = || format!("say who owns it: owner(\"{only}\", \"…\");");
    let others = || format!("there is something to tell of {}", known.join(", "));
    let hint = near.filter(|_| !is_one).unwrap_or_else(|| if is_one { owner() } else { others() });
    Trouble::new(Exit::Usage, message, Some(hint))
}

/// Answers without anything to say: systems that have nothing to do with an attribute.
fn is_dull(cell: &CellTold) -> bool {
    cell.changes.is_empty() && (cell.why == "unknown_there" || (cell.why == "source" && cell.now.is_none()))
}

/// A person for a reader: an answer for every cell, or everything about one attribute.
fn drawn(told: &Told, whole: bool, width: Option<usize>) -> String {
    let mut lines: Vec<String> = Vec::new();
    let harmless = |text: &dyn std::fmt::Display| render::harmless(&text.to_string());
    let mut head = harmless(&told.person).bold().to_string();
    let accounts: Vec<String> = told
        .accounts
        .iter()
        .map(|it| {
            format!("{} {}", it.system, it.account.as_ref().map_or_else(|| "(no id)".to_owned(), |id| harmless(id)))
        })
        .collect();
    if !accounts.is_empty() {
        head = format!("{head}  {}", accounts.join(", "));
    }
    lines.push(head);
    let records: Vec<String> = told
        .records
        .iter()
        .map(|it| {
            if it.fresh {
                format!("{} ({})", it.system, harmless(&it.origin))
            } else {
                format!("{} (an earlier run)", it.system)
            }
        })
        .collect();
    if !records.is_empty() {
        lines.push(format!("said by {}", records.join(", ")).dimmed().to_string());
    }
    if let Some(held) = &told.held {
        lines.extend(block(&format!("held: {held}"), 0, width).into_iter().map(|line| line.yellow().to_string()));
    }
    for of in &told.attributes {
        let cells: Vec<&CellTold> = of.cells.iter().filter(|cell| !is_dull(cell)).collect();
        lines.push(String::new());
        lines.push(title(of));
        let widest = cells.iter().map(|cell| cell.system.as_str().len()).max().unwrap_or(0);
        for cell in &cells {
            lines.extend(answered(cell, widest, width));
            lines.extend(to_come(cell, width));
            if whole {
                lines.extend(detailed(cell, width));
            }
        }
        if whole {
            lines.extend(behind(of, width));
        }
    }
    for operation in &told.operations {
        lines.push(String::new());
        let text = format!(
            "{} {} at {}: {}",
            render::word(operation.decision, 0),
            operation.operation,
            operation.system,
            harmless(&operation.reason)
        );
        lines.extend(block(&text, 0, width));
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n") + "\n"
}

fn title(of: &OfAttribute) -> String {
    let value =
        of.value.as_ref().map(|value| format!(": {}", render::harmless(&value.to_string()))).unwrap_or_default();
    let line = of.asked.iter().find(|line| line.holds).map(|line| format!(" ({})", line.line.rule)).unwrap_or_default();
    match &of.owner {
        Some(owner) => format!("{}{value}  owned by {owner}{line}", of.attribute.as_str().bold()),
        None if of.asked.is_empty() => format!("{}  nobody owns it", of.attribute.as_str().bold()),
        None => format!("{}  nobody owns it for this person", of.attribute.as_str().bold()),
    }
}

/// One line: where, what becomes of it, from what to what, and why.
fn answered(cell: &CellTold, widest: usize, width: Option<usize>) -> Vec<String> {
    let system = format!("{}{}", cell.system, " ".repeat(widest.saturating_sub(cell.system.as_str().len())));
    let decisions = if cell.decisions.is_empty() {
        let word = match cell.why {
            "source" => "says  ",
            "unchanged" | "account_line" => "same  ",
            _ => "·     ",
        };
        word.dimmed().to_string()
    } else {
        cell.decisions.iter().map(|decision| render::word(*decision, 6)).collect::<Vec<_>>().join(" ")
    };
    let values = match cell.changes.first() {
        Some(change) => render::values(change, 40),
        None => cell.now.as_ref().map(|now| render::harmless(&now.to_string())).unwrap_or_default(),
    };
    let gap = if values.is_empty() { "" } else { "  " };
    let mut lines = vec![format!("  {} {decisions} {values}{gap}", system.bold())];
    let indent = 2 + widest + 1 + 7;
    let why = block(&render::harmless(&cell.answer), indent, width);
    // The reason stands beside where there is room for all of it.
    let used = indent + unicode_width::UnicodeWidthStr::width(values.as_str()) + gap.len();
    let fits = why.len() == 1
        && width.is_none_or(|width| used + unicode_width::UnicodeWidthStr::width(why[0].trim_start()) <= width);
    if fits {
        lines[0] = format!("{}{}", lines[0], why[0].trim_start());
    } else {
        lines.extend(why);
    }
    lines
}

/// What an earlier run left to come there by itself.
fn to_come(cell: &CellTold, width: Option<usize>) -> Vec<String> {
    let Some(one) = &cell.expected else { return Vec::new() };
    let seen = one.became.as_ref().map(|value| format!("; last seen with {value}")).unwrap_or_default();
    let by = render::second(&one.deadline);
    let text = format!("expected after run {}: {} {}, by {by}{seen}", one.run, one.value, one.when);
    block(&render::harmless(&text), 6, width)
}

/// What is behind an answer: calls, lines, and what would change it.
fn detailed(cell: &CellTold, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for call in &cell.calls {
        let outcome = call.outcome.as_ref().map(|it| format!(", {}", render::harmless(it))).unwrap_or_default();
        lines.extend(block(
            &format!("call {}: {} {}{outcome}", call.id, call.method, render::harmless(&call.path)),
            6,
            width,
        ));
    }
    for change in &cell.changes {
        let asked = &change.asked_by;
        lines.extend(block(&format!("asked by {} ({})", asked.system, render::harmless(&asked.origin)), 6, width));
        for line in &change.because {
            lines.extend(block(&format!("{}  {}", line.rule, render::harmless(&line.text)), 6, width));
        }
        let belongs_to = change.belongs_to.as_ref().filter(|_| change.decision != Decision::Follow);
        let more = [
            change.when.as_ref().map(|when| format!("when: {when}")),
            // Where a value that follows comes from, the reason says.
            belongs_to.map(|system| format!("belongs to {system}")),
            change.side_effect.as_ref().map(|effect| format!("also: {effect}")),
        ];
        for text in more.into_iter().flatten() {
            lines.extend(block(&render::harmless(&text), 6, width));
        }
    }
    if let Some(takes) = &cell.takes {
        lines.extend(ways(cell, takes, width));
    }
    lines
}

fn ways(cell: &CellTold, takes: &TakesTold, width: Option<usize>) -> Vec<String> {
    if takes.tried == 0 {
        return Vec::new();
    }
    if takes.ways.is_empty() {
        let text = format!(
            "nothing that was tried would change this: {} ({})",
            takes.searched.join(", "),
            render::count(takes.tried as u64, "supposition")
        );
        return block(&text, 6, width).into_iter().map(|line| line.dimmed().to_string()).collect();
    }
    let mut lines = Vec::new();
    for way in &takes.ways {
        let clauses: Vec<String> = way.suppose.iter().map(|fact| render::harmless(&fact.text)).collect();
        let becomes = becomes(&way.becomes, &cell.decisions);
        lines.extend(block(&format!("{becomes} if {}", clauses.join(", and ")), 6, width));
    }
    lines.into_iter().map(|line| line.cyan().to_string()).collect()
}

fn becomes(then: &[Decision], now: &[Decision]) -> String {
    let word = |decision: &Decision| match decision {
        Decision::Apply => "applied",
        Decision::Follow => "left to come by itself",
        Decision::Refuse => "refused",
        Decision::Hold => "held",
        Decision::Drop => "dropped",
        Decision::Unchanged => "unchanged",
    };
    match then {
        [] if now.contains(&Decision::Apply) => "would not be done".to_owned(),
        [] => "nothing would be decided".to_owned(),
        some => format!("would be {}", some.iter().map(word).collect::<Vec<_>>().join(" and ")),
    }
}

/// What is behind an attribute: the lines that were asked, and what everybody says.
fn behind(of: &OfAttribute, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &of.asked {
        let saw: Vec<String> = line
            .looked_at
            .iter()
            .map(|it| format!("{} is {}", it.what, render::harmless(&it.value.to_string())))
            .collect();
        let saw = if saw.is_empty() { String::new() } else { format!(": {}", saw.join(", ")) };
        let word = if line.holds { "decided by" } else { "did not hold:" };
        lines.extend(block(
            &format!("{word} {}  {}{saw}", line.line.rule, render::harmless(&line.line.text)),
            2,
            width,
        ));
    }
    for word in &of.words {
        let what = format!(
            "{} ({}) says {}",
            word.system,
            render::harmless(&word.origin),
            render::harmless(&word.value.to_string())
        );
        let standing = match (word.standing, &word.reason) {
            ("fact", _) => "and owns it".to_owned(),
            ("request", _) => "which is a request to the owner".to_owned(),
            ("agrees", _) => "which is what the owner says".to_owned(),
            ("baseline", _) => "for the first time: a baseline, no attribute is asked for".to_owned(),
            ("as_before", _) => "as the last time: nothing is asked for".to_owned(),
            ("remembered", _) => "as far as is remembered".to_owned(),
            ("lost", Some(reason)) => format!("and lost: {}", render::harmless(reason)),
            _ => "and nobody owns it".to_owned(),
        };
        lines.extend(block(&format!("{what}, {standing}"), 2, width));
    }
    lines
}

/// A text in lines that fit, all of them indented.
fn block(text: &str, indent: usize, width: Option<usize>) -> Vec<String> {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(20));
    let blank = " ".repeat(indent);
    render::wrapped(text, room).into_iter().map(|line| format!("{blank}{line}")).collect()
}
