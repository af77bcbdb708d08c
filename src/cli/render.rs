//! How plans and reports look on a terminal: aligned, coloured with meaning, and never longer than a person reads.

use std::{collections::BTreeMap, fmt::Write};

use comfy_table::{CellAlignment, Table, presets};
use owo_colors::OwoColorize;
use unicode_width::UnicodeWidthStr;

use crate::{
    model::plan::{Call, Decision, Operation, Plan, PlannedChange},
    state::Outcome,
};

/// A plan with more changes than this is summed up unless all of it is asked for.
const READABLE: usize = 200;

/// How many changes of each kind a summed-up plan still shows.
const EXAMPLES: usize = 3;

/// A number and what it counts: `1 call`, `2 calls`.
pub(super) fn count(number: u64, noun: &str) -> String {
    match (number, noun) {
        (1, noun) => format!("1 {noun}"),
        (number, "person") => format!("{} people", thousands(number)),
        (number, noun) => format!("{} {noun}s", thousands(number)),
    }
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text from outside, made harmless for a terminal: no control character acts.
pub(super) fn harmless(text: &str) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if acts(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// A plan for a person: everybody's changes, then the totals.
pub(super) fn plan(plan: &Plan, all: bool) -> String {
    let mut text = String::new();
    let shown: Vec<&PlannedChange> =
        plan.changes.iter().filter(|change| change.decision != Decision::Unchanged).collect();
    if shown.len() > READABLE && !all {
        summed_up(&mut text, &shown);
    } else {
        by_person(&mut text, &shown);
    }
    for rejected in plan.rejected.iter().take(if all { usize::MAX } else { 20 }) {
        let column = rejected.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
        let place = format!("{}:{}{column}", rejected.file, rejected.line);
        let _ = writeln!(
            text,
            "{} {} {} {}",
            "rejected".yellow(),
            harmless(&place),
            rejected.code.bold(),
            harmless(&rejected.reason)
        );
    }
    if plan.rejected.len() > 20 && !all {
        let _ = writeln!(text, "… and {} more rejected; --all shows them", plan.rejected.len() - 20);
    }
    if !shown.is_empty() {
        let _ = writeln!(text, "{}\n", totals(plan));
    }
    let summary = &plan.summary;
    let _ = writeln!(
        text,
        "{}: {} in {}, {} of {} unchanged{}{}{}{}.",
        "Plan".bold(),
        count(summary.changes, "change"),
        count(summary.calls, "call"),
        thousands(summary.unchanged),
        count(summary.people, "person"),
        also(summary.follows, "will follow"),
        also(summary.refused, "refused"),
        also(summary.held, "held"),
        also(summary.rejected, "rejected"),
    );
    text
}

fn also(number: u64, word: &str) -> String {
    if number == 0 { String::new() } else { format!(", {} {word}", thousands(number)) }
}

/// One row for each change, under the name of its person, columns aligned over the whole plan.
fn by_person(text: &mut String, changes: &[&PlannedChange]) {
    let column =
        |of: &dyn Fn(&PlannedChange) -> String| changes.iter().map(|change| of(change).width()).max().unwrap_or(0);
    let attribute = column(&|change| change.attribute.to_string());
    let system = column(&|change| change.system.to_string());
    let values = column(&|change| before_and_after(change)).min(48);
    let mut person = None;
    for change in changes {
        if person != Some(&change.person) {
            let gap = if person.is_some() { "\n" } else { "" };
            let _ = writeln!(text, "{gap}{}", harmless(&change.person.to_string()).bold());
            person = Some(&change.person);
        }
        let _ = writeln!(text, "  {}", row(change, attribute, system, values));
    }
    if !changes.is_empty() {
        text.push('\n');
    }
}

fn row(change: &PlannedChange, attribute: usize, system: usize, values: usize) -> String {
    let word = match change.decision {
        Decision::Apply => "apply ".green().to_string(),
        Decision::Follow => "follow".cyan().to_string(),
        Decision::Refuse => "refuse".red().to_string(),
        Decision::Hold => "hold  ".yellow().to_string(),
        Decision::Drop => "drop  ".dimmed().to_string(),
        Decision::Unchanged => "same  ".dimmed().to_string(),
    };
    let call = change.call.as_ref().map(|call| format!("{call} ")).unwrap_or_default();
    let no = change.refusal.map(|kind| format!("{kind}: ")).unwrap_or_default();
    let effect = change.side_effect.as_ref().map(|effect| format!("; {effect}")).unwrap_or_default();
    format!(
        "{word} {} {} {}  {call}{}{}{}",
        pad(&change.attribute.to_string(), attribute),
        pad(&change.system.to_string(), system).bold(),
        pad(&before_and_after(change), values),
        no.red(),
        harmless(&change.reason),
        effect.dimmed(),
    )
}

fn before_and_after(change: &PlannedChange) -> String {
    harmless(&format!("{} → {}", change.before, change.after))
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A long plan: how many of what kind, with examples, and nothing that needs a person left out of the count.
fn summed_up(text: &mut String, changes: &[&PlannedChange]) {
    let mut kinds: BTreeMap<(Decision, String, String), Vec<&PlannedChange>> = BTreeMap::new();
    for change in changes {
        let key = (change.decision, change.system.to_string(), change.attribute.to_string());
        kinds.entry(key).or_default().push(change);
    }
    let examples: Vec<&PlannedChange> = kinds.values().flat_map(|all| all.iter().take(EXAMPLES).copied()).collect();
    let width =
        |of: &dyn Fn(&PlannedChange) -> String| examples.iter().map(|change| of(change).width()).max().unwrap_or(0);
    let values = width(&|change| before_and_after(change)).min(48);
    let people = width(&|change| change.person.to_string());
    for ((decision, system, attribute), all) in &kinds {
        let word = format!("{decision:?}").to_lowercase();
        let _ = writeln!(text, "{} {word} {} {attribute}", thousands(all.len() as u64).bold(), system.bold());
        for change in all.iter().take(EXAMPLES) {
            let person = pad(&harmless(&change.person.to_string()), people);
            let _ =
                writeln!(text, "  {person}  {}  {}", pad(&before_and_after(change), values), harmless(&change.reason));
        }
        if all.len() > EXAMPLES {
            let _ = writeln!(text, "  … and {} more", thousands((all.len() - EXAMPLES) as u64));
        }
    }
    let _ = writeln!(text, "\n{}\n", "A long plan, summed up: --all shows every change.".dimmed());
}

/// One line for each system: what it would be asked to do.
fn totals(plan: &Plan) -> Table {
    let mut systems: BTreeMap<&str, [u64; 8]> = BTreeMap::new();
    for call in &plan.calls {
        let column = match call.operation {
            Operation::Create => 0,
            Operation::Update => 1,
            Operation::Disable => 2,
            Operation::Enable => 3,
        };
        systems.entry(call.system.as_str()).or_default()[column] += 1;
        systems.entry(call.system.as_str()).or_default()[4] += 1;
    }
    for change in &plan.changes {
        let column = match change.decision {
            Decision::Follow => 5,
            Decision::Refuse => 6,
            Decision::Hold => 7,
            Decision::Apply | Decision::Drop | Decision::Unchanged => continue,
        };
        systems.entry(change.system.as_str()).or_default()[column] += 1;
    }
    let mut table = aligned(&["system", "create", "update", "disable", "enable", "calls", "follow", "refused", "held"]);
    for (system, numbers) in systems {
        let numbers = numbers.iter().map(|number| if *number == 0 { "·".to_owned() } else { thousands(*number) });
        table.add_row(std::iter::once(system.to_owned()).chain(numbers));
    }
    for column in 1..=8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table without lines, as other well-mannered tools print them.
pub(super) fn aligned(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for at in 0..header.len() {
        if let Some(column) = table.column_mut(at) {
            column.set_padding((0, 2));
        }
    }
    table
}

/// What became of one call, as a line; nothing where it is done.
pub(super) fn outcome(call: &Call, outcome: &Outcome) -> Option<String> {
    let (word, why) = match outcome {
        Outcome::Done => return None,
        Outcome::Refused(refusal) => {
            let code = refusal.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            ("refused".red().to_string(), format!("{refusal}{code}"))
        }
        Outcome::Moved(what) => {
            let why = format!("not sent, for it is no longer as planned: {}", what.join(", "));
            ("moved".yellow().to_string(), why)
        }
        Outcome::Skipped(other) => ("skipped".yellow().to_string(), format!("not sent, for {other} did not succeed")),
        Outcome::InDoubt(refusal) => ("in doubt".red().bold().to_string(), refusal.reason.clone()),
    };
    let account = call.account.as_ref().map_or_else(|| "new account".to_owned(), |id| format!("account {id}"));
    Some(format!(
        "{word} {} {} {account} of {}: {}",
        call.id,
        call.system,
        harmless(&call.person.to_string()),
        harmless(&why)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_agrees_with_its_noun() {
        assert_eq!(count(1, "call"), "1 call");
        assert_eq!(count(0, "person"), "0 people");
        assert_eq!(count(1_234_567, "change"), "1,234,567 changes");
    }

    #[test]
    fn what_comes_from_outside_cannot_act_on_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\nü"), "a\\u{1b}[2Jb\\u{202e}c\\u{a}ü");
    }
}
