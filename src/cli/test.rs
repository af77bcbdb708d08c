//! `homeward test`: what the tests of the rules came to, what they make run, and which faults they would notice.
//!
//! A failed test ends with the code of an input that was refused (4): the program did its work and the rules are not what
//! somebody wants. What keeps tests from running at all is 2, as everywhere.

use std::fmt::Write;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::{
    Exit, Invocation,
    arguments::Test,
    diagnostic::{self, Trouble},
    document, print, print_document, render, tell,
};
use crate::{
    rules::{Coverage, Fault, Mutant, Occasion, Outcome},
    run::rehearse::{Fate, Tested, Troupe, chosen},
};

/// Runs tests and shows what came of them.
pub(super) fn test(given: &Invocation<'_>, wanted: &Test) -> Result<Exit, Trouble> {
    let project = given.open()?;
    let troupe = Troupe::open(project, &given.kinds, given.today())?;
    if wanted.list {
        return list(given, wanted, &troupe);
    }
    let counts = wanted.coverage || wanted.lcov.is_some();
    let tested = troupe.test(&wanted.filter, counts, wanted.update)?;
    if tested.outcomes.is_empty() && !wanted.filter.is_empty() {
        // A test that was meant and did not run must not pass for one that passed.
        let hint = "`homeward test --list` shows the names of all tests".to_owned();
        return Err(Trouble::new(
            Exit::Usage,
            format!("no test has `{}` in its name", wanted.filter.join("` or `")),
            Some(hint),
        ));
    }
    if let (Some(file), Some(coverage)) = (&wanted.lcov, &tested.coverage) {
        let path = given.root.join(file);
        std::fs::write(&path, coverage.lcov()).map_err(|error| {
            let hint = "name a file in a folder that is there and that you may write to".to_owned();
            Trouble::new(Exit::Usage, format!("{} cannot be written: {error}", file.display()), Some(hint))
        })?;
    }
    let failed = tested.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    // What fails without a fault says nothing about faults.
    let faults = (wanted.mutate && failed == 0).then(|| troupe.mutate(&wanted.filter)).transpose()?;
    if given.json() {
        print_document(&document("tests", as_json(&tested, wanted, faults.as_deref())));
    } else {
        show(&tested, wanted, faults.as_deref());
        if given.talks() {
            advise(wanted, &tested, failed);
        }
    }
    Ok(if failed > 0 { Exit::Refused } else { Exit::Done })
}

/// The tests there are, and nothing is run.
fn list(given: &Invocation<'_>, wanted: &Test, troupe: &Troupe) -> Result<Exit, Trouble> {
    let rules = troupe.load(Occasion::default())?;
    let tests = rules.tests().filter(|(name, _)| chosen(name, &wanted.filter));
    if given.json() {
        let tests: Vec<Value> =
            tests.map(|(name, origin)| json!({ "name": name, "file": &*origin.file, "line": origin.line })).collect();
        print_document(&document("test_list", json!({ "tests": tests })));
        return Ok(Exit::Done);
    }
    let rows = tests.map(|(name, origin)| [render::harmless(name), format!("{}:{}", origin.file, origin.line)]);
    if let Some(text) = columns(rows) {
        print(&text);
    }
    Ok(Exit::Done)
}

/// Rows under each other, without a head; `None` where there is none.
fn columns<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> Option<String> {
    let mut table = render::aligned(&[""; N]);
    table.add_rows(rows);
    (table.row_count() > 0).then(|| render::drawn(&table).trim_start_matches('\n').to_owned())
}

fn advise(wanted: &Test, tested: &Tested, failed: usize) {
    if tested.outcomes.is_empty() {
        tell("There is no test yet: write `test(\"…\", || { … });` into a file such as rules/tests/people.rhai.");
    }
    if wanted.mutate && failed > 0 {
        tell("No faults were tried: tests that fail by themselves would notice nothing.");
    }
}

fn show(tested: &Tested, wanted: &Test, faults: Option<&[(Mutant, Fate)]>) {
    let rows = tested.outcomes.iter().map(|outcome| {
        let word = match outcome.failure {
            None => "ok".green().to_string(),
            Some(_) => "FAILED".red().to_string(),
        };
        [word, render::harmless(&outcome.name), format!("{}:{}", outcome.origin.file, outcome.origin.line)]
    });
    if let Some(text) = columns(rows) {
        print(&format!("{text}\n"));
    }
    for outcome in &tested.outcomes {
        if let Some(text) = failure(outcome) {
            print(&format!("{text}\n"));
        }
    }
    for file in &tested.written {
        print(&format!("{} {}", "wrote".yellow(), render::harmless(file)));
    }
    if !tested.written.is_empty() {
        print("");
    }
    if let (true, Some(coverage)) = (wanted.coverage, &tested.coverage) {
        print(&covered(coverage));
    }
    if let Some(faults) = faults {
        print(&mutation(faults));
    }
    let failed = tested.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count() as u64;
    let all = tested.outcomes.len() as u64;
    print(&match failed {
        0 => format!("{}: {}.", "Passed".green(), render::count(all, "test")),
        failed => format!("{}: {} of {}.", "Failed".red(), render::thousands(failed), render::count(all, "test")),
    });
}

/// What is wrong with a test: the line with a mark, what was compared, and the plan.
fn failure(outcome: &Outcome) -> Option<String> {
    let error = outcome.failure.as_ref()?;
    let mut text =
        format!("{} {}\n{}", "FAILED".red(), render::harmless(&outcome.name).bold(), diagnostic::rule(error).draw());
    if let Fault::Failed(failure) = error.fault() {
        let parts = [("left", &failure.left), ("right", &failure.right)];
        for (name, value) in parts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n  {name:>5}: {}", render::harmless(value));
        }
        for (at, line) in failure.plan.iter().enumerate() {
            let name = if at == 0 { "plan:" } else { "" };
            let _ = write!(text, "\n  {name:>6} {}", render::harmless(line));
        }
    }
    Some(text)
}

fn share(part: usize, all: usize) -> String {
    (part * 100).checked_div(all).map_or_else(|| "·".to_owned(), |share| format!("{part}/{all} {share:>3} %"))
}

/// A table of files, then what is not covered, line by line.
fn covered(coverage: &Coverage) -> String {
    let mut table = render::aligned(&["rules", "lines", "branches", "deciding lines"]);
    let mut gaps: Vec<(String, String)> = Vec::new();
    for (file, covered) in &coverage.files {
        let lines = covered.lines.values().filter(|count| **count > 0).count();
        let branches = covered.branches.iter().filter(|branch| branch.taken > 0).count();
        let deciding = covered.deciding.iter().filter(|line| line.decided > 0).count();
        table.add_row([
            file.to_string(),
            share(lines, covered.lines.len()),
            share(branches, covered.branches.len()),
            share(deciding, covered.deciding.len()),
        ]);
        let mut here: Vec<(usize, usize, String)> = Vec::new();
        for line in covered.deciding.iter().filter(|line| line.decided == 0) {
            here.push((line.origin.line, line.origin.column, format!("decided nothing: {}", line.origin.text)));
        }
        for branch in covered.branches.iter().filter(|branch| branch.taken == 0) {
            let text = match branch.way {
                "true" | "false" => format!("its condition was never {}", branch.way),
                "case" => "a case was never taken".to_owned(),
                way => format!("`{way}` was never taken"),
            };
            here.push((branch.line, branch.column, text));
        }
        let deciding: Vec<usize> = covered.deciding.iter().map(|line| line.origin.line).collect();
        for (line, _) in covered.lines.iter().filter(|(line, count)| **count == 0 && !deciding.contains(line)) {
            here.push((*line, 1, "never came to".to_owned()));
        }
        here.sort();
        gaps.extend(here.into_iter().map(|(line, column, text)| (format!("{file}:{line}:{column}"), text)));
    }
    let mut text = format!("{}\n", render::drawn(&table));
    if !gaps.is_empty() {
        let gaps = gaps.into_iter().map(|(place, what)| [format!("  {place}"), render::harmless(&what)]);
        // Writing to a text cannot fail.
        let _ = write!(text, "\nNot covered:\n{}\n", columns(gaps).unwrap_or_default());
    }
    text
}

/// Those that no test noticed, then the score.
fn mutation(faults: &[(Mutant, Fate)]) -> String {
    let mut text = String::new();
    for (mutant, _) in faults.iter().filter(|(_, fate)| *fate == Fate::Survived) {
        // Writing to a text cannot fail.
        let _ =
            writeln!(text, "{} {}:{}:{} {}", "survived".yellow(), mutant.file, mutant.line, mutant.column, mutant.what);
        for (sign, lines) in [("-", &mutant.before), ("+", &mutant.after)] {
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                let _ = writeln!(text, "  {sign} {}", render::harmless(line));
            }
        }
        text.push('\n');
    }
    let (noticed, all) = score(faults);
    let _ = writeln!(text, "Faults noticed: {noticed} of {all}, {}.", percent(noticed, all));
    text
}

fn score(faults: &[(Mutant, Fate)]) -> (usize, usize) {
    (faults.iter().filter(|(_, fate)| *fate != Fate::Survived).count(), faults.len())
}

/// One digit behind the point, rounded down: 100 % means all.
fn percent(part: usize, all: usize) -> String {
    let thousandths = (part * 1000).checked_div(all).unwrap_or(1000);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

fn as_json(tested: &Tested, wanted: &Test, faults: Option<&[(Mutant, Fate)]>) -> Value {
    let tests: Vec<Value> = tested.outcomes.iter().map(outcome_as_json).collect();
    let failed = tested.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
    let mut all = json!({ "tests": tests, "passed": tested.outcomes.len() - failed, "failed": failed });
    if wanted.update {
        all["written"] = json!(tested.written);
    }
    if let (true, Some(coverage)) = (wanted.coverage, &tested.coverage) {
        let files = coverage.files.iter().map(|(file, covered)| {
            json!({
                "file": &**file,
                "lines": covered.lines.iter().map(|(line, count)| json!({ "line": line, "count": count })).collect::<Vec<_>>(),
                "branches": covered.branches.iter().map(|branch| json!({
                    "line": branch.line, "column": branch.column, "way": branch.way, "taken": branch.taken,
                })).collect::<Vec<_>>(),
                "deciding": covered.deciding.iter().map(|line| json!({
                    "line": line.origin.line, "column": line.origin.column, "word": line.word, "decided": line.decided,
                })).collect::<Vec<_>>(),
            })
        });
        all["coverage"] = files.collect();
    }
    if let Some(faults) = faults {
        let (noticed, tried) = score(faults);
        let each = faults.iter().map(|(mutant, fate)| {
            let (fate, test) = match fate {
                Fate::NotLoaded => ("not_loaded", None),
                Fate::Killed(test) => ("killed", Some(test)),
                Fate::Survived => ("survived", None),
            };
            json!({
                "file": &*mutant.file, "line": mutant.line, "column": mutant.column, "what": mutant.what, "fate": fate,
                "test": test, "before": mutant.before, "after": mutant.after,
            })
        });
        let each: Vec<Value> = each.collect();
        all["mutation"] =
            json!({ "noticed": noticed, "tried": tried, "score": percent(noticed, tried), "faults": each });
    }
    all
}

fn outcome_as_json(outcome: &Outcome) -> Value {
    let mut all = json!({
        "name": outcome.name, "file": &*outcome.origin.file, "line": outcome.origin.line, "passed": outcome.failure.is_none(),
    });
    if let Some(error) = &outcome.failure {
        let mut failure = diagnostic::rule(error).as_json();
        if let Fault::Failed(found) = error.fault() {
            failure["left"] = json!(found.left);
            failure["right"] = json!(found.right);
            failure["plan"] = json!(found.plan);
        }
        all["failure"] = failure;
    }
    all
}
