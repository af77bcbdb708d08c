//! `homeward compare`: what two folders of rules would do differently with the same people.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use owo_colors::OwoColorize;

use super::{Exit, Invocation, arguments, diagnostic::Trouble, plan, print, render, width};
use crate::{
    model::{
        id::{AccountId, SystemName},
        plan::Decision,
    },
    rules::{Known, RuleSet},
    run::{
        compare::{Comparison, Difference, Kind, Line, Moved, Side, Tied, compare as compared},
        prepare::Desk,
        project,
    },
};

/// So many of each kind are shown, unless all are asked for.
const EXAMPLES: usize = 3;

/// Plans the inputs by both and shows where they differ.
pub(super) async fn compare(given: &Invocation<'_>, wanted: &arguments::Compare) -> Result<Exit, Trouble> {
    let load = |folder: &Path, known: &Known| {
        RuleSet::load(&given.root.join(folder), &folder.display().to_string(), known, given.today())
    };
    // The two folders take the place of the project's own, which may be missing or broken.
    let both = |known: &Known| match (load(&wanted.old, known), load(&wanted.new, known)) {
        (Ok(old), Ok(new)) => Ok((old, new)),
        // Both at once: nobody wants to mend one to hear of the other.
        (old, new) => Err([old.err(), new.err()].into_iter().flatten().flatten().collect()),
    };
    let (project, new) = project::open_by(&given.config(), &given.kinds, both)?;
    let mut stage = plan::staged(given, project, &wanted.inputs).await?;
    let memory = stage.memory()?;
    let inputs = stage.inputs(&memory).await?;
    let project = &stage.project;
    let desk = |rules| Desk { rules, ..project.desk(&memory, given.today().to_string(), None) };
    let (by_old, by_new) = (desk(&project.rules), desk(&new));
    let comparison = compared(&by_old, &by_new, &inputs, &mut stage.fleet).await?;
    if given.json() {
        print(&serde_json::to_string_pretty(&comparison).unwrap_or_default());
    } else {
        print(drawn(&comparison, wanted.all, width(&std::io::stdout())).trim_end());
    }
    Ok(if wanted.detailed_exitcode && !comparison.is_same() { Exit::Pending } else { Exit::Done })
}

/// What differences are grouped by: their kind, both decisions, the attribute and the system.
type Sort = (Kind, Option<Decision>, Option<Decision>, String, String);

/// What people are grouped by whose lines differ: what it is about, and both lines.
type Lines<'c> = (&'c str, Option<&'c Line>, Option<&'c Line>);

/// A group of differences of one kind: what to call it, and each of them in a line or two.
type Group<'c> = (String, Vec<&'c Difference>);

fn drawn(comparison: &Comparison, all: bool, width: Option<usize>) -> String {
    let mut text = String::new();
    let most = if all { usize::MAX } else { EXAMPLES };
    for (title, differences) in groups(&comparison.changes) {
        let people = render::count(differences.len() as u64, "person");
        let _ = writeln!(text, "{} {title}", format!("{people}:").bold());
        for one in differences.iter().take(most) {
            let _ = writeln!(text, "  {}", render::harmless(&one.person.to_string()));
            tell_side(&mut text, "old", one.old.as_ref(), one, width);
            tell_side(&mut text, "new", one.new.as_ref(), one, width);
        }
        more(&mut text, differences.len(), most);
        text.push('\n');
    }
    tell_moved(&mut text, "owner of", &comparison.owners, most);
    tell_moved(&mut text, "account at", &comparison.accounts, most);
    tell_ties(&mut text, &comparison.ties, most);
    for (by, rows) in [("old", &comparison.rejected.old), ("new", &comparison.rejected.new)] {
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "{} rejected by the {by} rules only",
            format!("{}:", render::count(rows.len() as u64, "row")).bold()
        );
        for row in rows.iter().take(most) {
            let place = render::harmless(&format!("{}:{}", row.file, row.line));
            let _ = writeln!(text, "  {place} {} {}", row.code, render::harmless(&row.reason));
        }
        more(&mut text, rows.len(), most);
        text.push('\n');
    }
    for by in ["old", "new"] {
        let asked: Vec<_> = comparison.operations.iter().filter(|it| it.by == by).collect();
        if asked.is_empty() {
            continue;
        }
        let number = format!("{}:", render::count(asked.len() as u64, "operation"));
        let _ = writeln!(text, "{} asked for by the {by} rules only", number.bold());
        for one in asked.iter().take(most) {
            let line = one.because.first().map(|line| line.rule.as_str()).unwrap_or_default();
            let person = render::harmless(&one.person.to_string());
            let account = one.account.as_ref().map(|id| format!(", account {id}")).unwrap_or_default();
            let what = format!("{} at {}{account}", one.operation, one.system);
            let _ = writeln!(text, "  {person}  {} {}  {line}", render::word(one.decision, 0), render::harmless(&what));
        }
        more(&mut text, asked.len(), most);
        text.push('\n');
    }
    let objections = comparison.one_sided();
    for (by, objections) in [("old", objections.old), ("new", objections.new)] {
        if objections.is_empty() {
            continue;
        }
        let number = format!("{}:", render::count(objections.len() as u64, "objection"));
        let _ = writeln!(text, "{} to the whole plan by the {by} rules only", number.bold());
        for one in objections.iter().take(most) {
            let _ = writeln!(text, "  {}  {}", one.line.rule, render::harmless(&one.reason));
        }
        more(&mut text, objections.len(), most);
        text.push('\n');
    }
    let people = comparison.people.old.max(comparison.people.new);
    let calls = &comparison.calls;
    if comparison.is_same() {
        let people = render::count(people, "person");
        let _ =
            writeln!(text, "{}: both treat {people} alike, in {}.", "Same".green(), render::count(calls.old, "call"));
    } else {
        let _ = writeln!(
            text,
            "{}: {} of {} treated differently; {} by the old rules, {} by the new.",
            "Different".yellow(),
            render::thousands(comparison.treated_differently),
            render::count(people, "person"),
            render::count(calls.old, "call"),
            render::count(calls.new, "call"),
        );
    }
    text
}

fn groups(changes: &[Difference]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Sort, Vec<&Difference>> = BTreeMap::new();
    for one in changes {
        let decision = |side: &Option<Side>| side.as_ref().map(|side| side.decision);
        let key = (one.kind, decision(&one.old), decision(&one.new), one.attribute.to_string(), one.system.to_string());
        groups.entry(key).or_default().push(one);
    }
    let word = |decision: Option<Decision>| decision.map_or_else(|| "nothing".to_owned(), |it| render::word(it, 0));
    let title = |kind: Kind, old, new, attribute: &str, system: &str| {
        let what = format!("{attribute} at {}", system.bold());
        match kind {
            Kind::Begins | Kind::Ends | Kind::Decision => format!("{what}, {} → {}", word(old), word(new)),
            Kind::Value => format!("{what}, {} with another value", word(new)),
            Kind::Account => format!("{what}, {} at another account", word(new)),
            Kind::Owner => format!("{what}, {} because of another owner", word(new)),
        }
    };
    let titled = groups
        .into_iter()
        .map(|((kind, old, new, attribute, system), all)| (title(kind, old, new, &attribute, &system), all));
    titled.collect()
}

fn tell_side(text: &mut String, word: &str, side: Option<&Side>, one: &Difference, width: Option<usize>) {
    let told = side.map_or_else(
        || "nothing".to_owned(),
        |side| {
            let line = side.because.first().map(|line| format!("  {}", line.rule)).unwrap_or_default();
            let values = format!("{}{} → {}", whose(side, one), side.before, side.after);
            format!(
                "{}  {}{line}  {}",
                render::word(side.decision, 0),
                render::harmless(&values),
                render::harmless(&side.reason)
            )
        },
    );
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(8).max(20));
    let _ = writeln!(text, "    {} {}", word.dimmed(), render::wrapped(&told, room).join("\n        "));
}

/// Which account a side means, where the other means another.
fn whose(side: &Side, one: &Difference) -> String {
    let account = |side: &Option<Side>| side.as_ref().map(|side| side.account.clone());
    match (account(&one.old), account(&one.new), &side.account) {
        (Some(old), Some(new), Some(id)) if old != new => format!("account {id}: "),
        (Some(old), Some(new), None) if old != new => "no account yet: ".to_owned(),
        _ => String::new(),
    }
}

fn tell_ties(text: &mut String, ties: &[Tied], most: usize) {
    let mut groups: BTreeMap<&SystemName, Vec<&Tied>> = BTreeMap::new();
    for tie in ties {
        groups.entry(&tie.system).or_default().push(tie);
    }
    let listed = |ids: &BTreeSet<AccountId>| {
        if ids.is_empty() {
            return "nothing".to_owned();
        }
        ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    for (system, ties) in groups {
        let people = format!("{}:", render::count(ties.len() as u64, "person"));
        let _ = writeln!(text, "{} newly tied to something else at {system}", people.bold());
        for tie in ties.iter().take(most) {
            let line = format!("{}  {} → {}", tie.person, listed(&tie.old), listed(&tie.new));
            let _ = writeln!(text, "  {}", render::harmless(&line));
        }
        more(text, ties.len(), most);
        text.push('\n');
    }
}

fn tell_moved(text: &mut String, what: &str, all: &[Moved], most: usize) {
    let mut groups: BTreeMap<Lines<'_>, Vec<&Moved>> = BTreeMap::new();
    for one in all {
        groups.entry((&one.what, one.old.as_ref(), one.new.as_ref())).or_default().push(one);
    }
    let line = |line: Option<&Line>| {
        line.map_or_else(|| "nobody says".to_owned(), |line| format!("{} ({})", line.says, line.line.rule))
    };
    for ((name, old, new), moved) in groups {
        let people = format!("{}:", render::count(moved.len() as u64, "person"));
        let _ = writeln!(text, "{} {what} {name}, {} → {}", people.bold(), line(old), line(new));
        let names: Vec<String> = moved.iter().take(most).map(|one| render::harmless(&one.person.to_string())).collect();
        let _ = writeln!(text, "  {}", names.join(", "));
        more(text, moved.len(), most);
        text.push('\n');
    }
}

fn more(text: &mut String, number: usize, most: usize) {
    if number > most {
        let _ = writeln!(
            text,
            "  {}",
            format!("… and {} more; --all shows them", render::thousands((number - most) as u64)).dimmed()
        );
    }
}
