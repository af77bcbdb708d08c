//! `homeward owners`: who owns what, as the rules say.

use std::fmt::Write;

use serde_json::json;

use super::{Exit, Session, diagnostic::Trouble, print, render};

/// Prints the ownership table as text, JSON or a Mermaid diagram.
pub(super) fn owners(session: &Session<'_>, mermaid: bool) -> Result<Exit, Trouble> {
    let project = session.open()?;
    let policy = project.rules.policy();
    let copies = |attribute| policy.copies.get(attribute).map(|line| line.systems.as_slice()).unwrap_or_default();
    let rows: Vec<_> =
        policy.owners.iter().flat_map(|line| line.attributes.iter().map(move |attribute| (attribute, line))).collect();
    if mermaid {
        let mut text = String::from("flowchart LR\n");
        for (attribute, line) in &rows {
            let arrow = if line.conditional { "-.->" } else { "-->" };
            let _ = writeln!(
                text,
                "  {}([{}]) {arrow}|owns| {}",
                line.system,
                line.system,
                attribute.as_str().replace('.', "_")
            );
        }
        for (attribute, line) in &policy.copies {
            for system in &line.systems {
                let _ =
                    writeln!(text, "  {} -->|copied to| {system}([{system}])", attribute.as_str().replace('.', "_"));
            }
        }
        print(text.trim_end());
    } else if session.json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|(attribute, line)| {
                json!({
                    "attribute": attribute, "owner": line.system, "conditional": line.conditional,
                    "copies": copies(*attribute), "rule": line.origin.to_string(),
                })
            })
            .collect();
        print(&serde_json::to_string_pretty(&rows).unwrap_or_default());
    } else {
        let mut table = render::aligned(&["attribute", "owner", "holds", "copies", "rule"]);
        for (attribute, line) in &rows {
            let holds = if line.conditional { "where its condition does" } else { "for everybody else" };
            let copies: Vec<&str> = copies(*attribute).iter().map(crate::model::id::SystemName::as_str).collect();
            let row = [attribute.as_str(), line.system.as_str(), holds, &copies.join(", "), &line.origin.to_string()];
            table.add_row(row);
        }
        print(&table.to_string());
    }
    Ok(Exit::Done)
}
