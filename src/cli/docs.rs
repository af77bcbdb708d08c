//! `homeward docs`: the reference, as Markdown: the words of the rules, and what each kind of provider can do. Written from
//! the same lists the program works by, so it cannot fall behind.

use std::fmt::Write;

use super::{Exit, Invocation, print};
use crate::{
    connector::Kind,
    model::capability::{AttributeCapability, Support, Unique},
    rules::words,
};

/// Prints the reference. It needs no project.
pub(super) fn docs(given: &Invocation<'_>) -> Exit {
    let mut text = String::from("# The words of the rules\n\n| word | takes | meaning |\n| --- | --- | --- |\n");
    for word in words() {
        row(&mut text, &[&format!("`{}`", word.name), &format!("`{}`", word.signature), word.meaning]);
    }
    text.push_str("\n# What providers can do\n");
    for kind in &given.kinds {
        provider(&mut text, kind);
    }
    print(text.trim_end());
    Exit::Done
}

fn provider(text: &mut String, kind: &Kind) {
    let table = kind.capabilities;
    let _ = writeln!(text, "\n## `{}`\n", kind.name);
    text.push_str("| attribute | field there | change | make empty | one holder | a change sets off |\n");
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for line in table.attributes {
        let required = if line.required { " (required)" } else { "" };
        let unique = match line.unique {
            Unique::No => "no".to_owned(),
            Unique::Freed => "yes; the old value is free at once".to_owned(),
            Unique::Kept(why) => format!("yes; the old value stays taken: {why}"),
        };
        let cells = [
            &format!("`{}`{required}", name(line)),
            &format!("`{}`", line.remote),
            &support(line.write),
            &support(line.clear),
            &unique,
            line.side_effect,
        ];
        row(text, &cells);
    }
    let _ = writeln!(text, "\n- makes accounts: {}", support(table.create));
    let _ = writeln!(text, "- accounts are found by: {}", listed(table.lookups));
    let _ = writeln!(text, "- rules may also read: {}", listed(table.facts));
}

/// As rules write it: an attribute that only this kind has stands behind the name of the system.
fn name(line: &AttributeCapability) -> String {
    if line.neutral { line.name.to_owned() } else { format!("<system>.{}", line.name) }
}

fn support(support: Support) -> String {
    match support {
        Support::Yes => "yes".to_owned(),
        Support::No(why) => format!("no: {why}"),
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// One row of a table. A bar inside a cell would end it.
fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_does_not_end_its_cell() {
        let mut text = String::new();
        row(&mut text, &["`source`", "`(system, |row| …)`"]);
        assert_eq!(text, "| `source` | `(system, \\|row\\| …)` |\n");
    }

    #[test]
    fn an_attribute_of_one_kind_is_written_behind_its_system() {
        let own = AttributeCapability { neutral: false, ..AttributeCapability::plain("note", "note") };
        assert_eq!(
            (name(&own).as_str(), name(&AttributeCapability::plain("email", "mail")).as_str()),
            ("<system>.note", "email")
        );
    }
}
