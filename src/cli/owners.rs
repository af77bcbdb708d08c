//! `homeward owners`: who owns what, as the rules say.

use std::fmt::Write;

use serde_json::json;

use super::{Exit, Invocation, diagnostic::Trouble, document, drawing, print, print_document, render};

/// Prints the ownership table as text, JSON, a Mermaid diagram or a drawing.
pub(super) fn owners(given: &Invocation<'_>, mermaid: bool, svg: bool) -> Result<Exit, Trouble> {
    let project = given.open()?;
    let policy = project.rules.policy();
    let copies = |attribute| policy.copies.get(attribute).map(|line| line.systems.as_slice()).unwrap_or_default();
    let rows: Vec<_> =
        policy.owners.iter().flat_map(|line| line.attributes.iter().map(move |attribute| (attribute, line))).collect();
    if svg {
        print(drawing::drawing(policy).trim_end());
    } else if mermaid {
        let mut text = String::from("flowchart LR\n");
        // Names get a letter in front: a system may be called as a word of the diagram language is.
        let place = |system: &str| format!("s_{system}([\"{system}\"])");
        let thing = |attribute: &str| format!("a_{}[\"{attribute}\"]", attribute.replace('.', "_"));
        for (attribute, line) in &rows {
            let arrow = if line.conditional { "-. may own .->" } else { "-- owns -->" };
            let _ = writeln!(text, "  {} {arrow} {}", place(line.system.as_str()), thing(attribute.as_str()));
        }
        for (attribute, line) in &policy.copies {
            for system in &line.systems {
                let _ = writeln!(text, "  {} -- copied to --> {}", thing(attribute.as_str()), place(system.as_str()));
            }
        }
        print(text.trim_end());
    } else if given.json() {
        let rows: Vec<_> = rows
            .iter()
            .map(|(attribute, line)| {
                json!({
                    "attribute": attribute, "owner": line.system, "conditional": line.conditional,
                    "copies": copies(*attribute), "rule": line.origin.to_string(),
                })
            })
            .collect();
        print_document(&document("owners", json!({ "attributes": rows })));
    } else {
        let mut table = render::aligned(&["attribute", "owner", "holds", "copies", "rule"]);
        for (attribute, line) in &rows {
            let others = rows.iter().filter(|(other, _)| other == attribute).count();
            let holds = match (line.conditional, others) {
                (true, _) => "where its condition does",
                (false, 1) => "always",
                (false, _) => "for everybody else",
            };
            let copies: Vec<&str> = copies(*attribute).iter().map(crate::model::id::SystemName::as_str).collect();
            let row = [attribute.as_str(), line.system.as_str(), holds, &copies.join(", "), &line.origin.to_string()];
            table.add_row(row);
        }
        print(&render::drawn(&table));
    }
    Ok(Exit::Done)
}
