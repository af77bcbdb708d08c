//! `homeward check SYSTEM=FILE`: a file looked at, with nothing asked of any system and nothing written anywhere.

use std::fmt::Write as _;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::{
    Exit, Invocation,
    diagnostic::{Told, Trouble},
    document, lab,
    plan::files,
    print, print_document, render, tell,
};
use crate::{
    model::record::Rejected,
    rules::lint::code::Severity,
    run::{
        RunError,
        examine::{Examined, examine},
    },
    source::LineEnd,
    state::{Memory, Store, sqlite::Sqlite},
};

/// Reads each file and tells what it is and what it would say.
pub(super) fn files_of(given: &Invocation<'_>, inputs: &[String]) -> Result<Exit, Trouble> {
    let project = given.open()?;
    let files = files(given, &project, &given.kinds, &inputs.iter().collect::<Vec<_>>())?;
    let path = lab::state(given, &project.config);
    let memory =
        if path.exists() { Sqlite::look_into(&path).and_then(|store| store.memory())? } else { Memory::default() };
    let mut exit = Exit::Done;
    let (mut documents, mut troubles) = (Vec::new(), Vec::new());
    for file in &files {
        match examine(file, &project, &memory) {
            Ok(Some(found)) => {
                let worst = match (found.tripped.is_empty(), found.rejected.is_empty()) {
                    (false, _) => Exit::Limit,
                    (true, false) => Exit::Refused,
                    (true, true) => Exit::Done,
                };
                exit = exit.max(worst);
                if given.json() {
                    documents.push(as_json(&found));
                } else {
                    print(as_text(&found).trim_end());
                }
            }
            Ok(None) => {}
            Err(RunError::Refused(refused)) => {
                exit = exit.max(Exit::Refused);
                documents.push(json!({
                    "system": file.system, "file": file.shown, "refused": refused.why.to_string(),
                    "hint": refused.hint(),
                }));
                troubles.push(Trouble::from(RunError::Refused(refused)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if given.json() {
        print_document(&document("reading", json!({ "files": documents })));
    }
    if let Some(trouble) = Trouble::all(troubles) {
        trouble.tell();
    }
    // What the file would say is worth nothing where the rules are faulty.
    let checked = crate::run::check::check(&given.config(), &given.kinds, given.today())?;
    let open = checked.findings.iter().filter(|finding| finding.silenced.is_none());
    let faults: Vec<_> = open.filter(|finding| finding.severity() == Severity::Error).collect();
    for fault in &faults {
        tell(&format!("{}\n", Told::finding(fault).draw()));
    }
    Ok(if faults.is_empty() { exit } else { Exit::Usage })
}

fn delimiter(byte: u8) -> String {
    if byte == b'\t' { "tab".to_owned() } else { render::harmless(&char::from(byte).to_string()) }
}

fn line_end(end: LineEnd) -> &'static str {
    match end {
        LineEnd::Lf => "LF",
        LineEnd::CrLf => "CR LF",
        LineEnd::Cr => "CR",
    }
}

fn as_json(found: &Examined) -> Value {
    let Examined { input, layout, rejected, tripped, .. } = found;
    let names = |spelled: &[String]| -> Vec<Value> {
        let known = found.columns.iter().zip(spelled);
        known.map(|(name, spelled)| json!({ "name": name, "in_file": spelled })).collect()
    };
    json!({
        "system": input.system,
        "file": input.file,
        "sha256": input.sha256,
        "encoding": layout.as_ref().map(|layout| layout.encoding),
        "byte_order_mark": layout.as_ref().map(|layout| layout.marked),
        "delimiter": layout.as_ref().map(|layout| delimiter(layout.delimiter)),
        "line_end": layout.as_ref().map(|layout| line_end(layout.line_end)),
        "header_line": layout.as_ref().map(|layout| layout.header_line),
        "columns": layout.as_ref().map(|layout| names(&layout.header)),
        "records": input.records,
        "rejected": rejected,
        "notes": found.notes,
        "compared": json!({
            "with": found.last.as_ref().map(|last| json!({ "file": last.file, "run": last.run, "at": last.at })),
            "full": found.is_full,
            "before": input.list.as_ref().map(|list| list.before),
            "new": found.new,
            "activated": found.activated,
            "missing": input.list.as_ref().map(|list| &list.missing),
            "differing": found.differing,
        }),
        "would_hold": tripped.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn as_text(found: &Examined) -> String {
    let Examined { input, layout, rejected, tripped, .. } = found;
    let mut text = format!("{}\n", render::harmless(&format!("{}: {}", input.system, input.file)).bold());
    if let Some(layout) = layout {
        let marked = if layout.marked { "with a byte order mark" } else { "no byte order mark" };
        let _ = writeln!(text, "  encoding   {}, {marked}", layout.encoding);
        let _ = writeln!(text, "  delimiter  {}", delimiter(layout.delimiter));
        let _ = writeln!(text, "  line ends  {}", line_end(layout.line_end));
        let _ = writeln!(
            text,
            "  header     line {}, {}",
            layout.header_line,
            render::count(layout.header.len() as u64, "column")
        );
        for (name, spelled) in found.columns.iter().zip(&layout.header) {
            let _ = writeln!(text, "    {}", render::harmless(&format!("{name} ← {spelled}")));
        }
    }
    let (rejects, all) = (render::thousands(input.rejected), render::thousands(input.records + input.rejected));
    let _ = writeln!(text, "  rows       {all}, {rejects} of them rejected");
    for note in &found.notes {
        let _ = writeln!(text, "  note: {}", render::harmless(note));
    }
    for one in rejected {
        let _ = writeln!(text, "  {}", reject(one));
    }
    text.push_str(&compared(found));
    if tripped.is_empty() {
        let _ = writeln!(text, "  limits     none that this list alone would exceed");
    }
    for one in tripped {
        let _ = writeln!(text, "  {} {}", "held".yellow(), render::harmless(&one.to_string()));
    }
    text
}

fn reject(one: &Rejected) -> String {
    let column = one.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
    let place = format!("line {}{column}", one.line);
    format!(
        "{} {} {} {}",
        "rejected".yellow(),
        render::harmless(&place),
        one.code.bold(),
        render::harmless(&one.reason)
    )
}

/// What it says that was not said before.
fn compared(found: &Examined) -> String {
    let Some(last) = &found.last else {
        let what = if found.is_full { "list of everybody" } else { "input" };
        return format!("  compared   nothing: it would be the first {what}\n");
    };
    let new = render::count(found.new.len() as u64, "new person");
    let mut text = format!("  compared   with {} (run {}): {new}", render::harmless(&last.file), last.run);
    if !found.activated.is_empty() {
        let _ = write!(text, ", {} active now", found.activated.len());
    }
    if let Some(list) = &found.input.list {
        let _ = write!(text, ", {} missing of {}", list.missing.len(), render::thousands(list.before));
    }
    text.push('\n');
    for (attribute, people) in &found.differing {
        let _ = writeln!(text, "    {attribute} differs for {}", render::count(*people, "person"));
    }
    let examples = |word: &str, keys: &[String]| match keys {
        [] => String::new(),
        keys => {
            let shown: Vec<String> =
                keys.iter().take(3).map(|key| render::harmless(&format!("{}/{key}", found.input.system))).collect();
            let more = keys.len().saturating_sub(3);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            format!("    {word}: {}{more}\n", shown.join(", "))
        }
    };
    text.push_str(&examples("new", &found.new));
    text.push_str(&examples("active now", &found.activated));
    if let Some(list) = &found.input.list {
        text.push_str(&examples("missing", &list.missing));
    }
    text
}
