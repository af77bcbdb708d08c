//! `homeward docs`: the reference, as Markdown: the words of the rules, and what each kind of provider can do. Written from
//! the same lists the program works by, so it cannot fall behind.

use std::{collections::BTreeMap, fmt::Write};

use super::{Exit, Invocation, print};
use crate::{
    connector::Kind,
    model::{
        attribute::NEUTRAL,
        capability::{Argument, AttributeCapability, Replay, Support, Takes, Unique},
    },
    rules::{
        lint::code::codes,
        reference::{self, Property},
        words,
    },
};

/// Prints the reference. It needs no project.
pub(super) fn docs(given: &Invocation<'_>, definitions: bool) -> Exit {
    let mut shown = reference::properties();
    shown.extend(of_person(given));
    shown.extend(of_account(given));
    if definitions {
        print(reference::definitions(&shown).trim_end());
        return Exit::Done;
    }
    let mut text = String::from("# The words of the rules\n\n| word | takes | meaning |\n| --- | --- | --- |\n");
    for word in words() {
        row(&mut text, &[&format!("`{}`", word.name), &format!("`{}`", word.signature), word.meaning]);
    }
    text.push_str("\n# What rules are handed\n\nA `record` has the columns of its file as properties, each a text; ");
    text.push_str("`row[\"E-Mail\"]` reads one with an odd name.\n");
    let mut kinds: Vec<&str> = Vec::new();
    for property in &shown {
        if !kinds.contains(&property.of) {
            kinds.push(property.of);
            let _ = writeln!(text, "\n## `{}`\n\n| property | is | meaning |\n| --- | --- | --- |", property.of);
        }
        row(&mut text, &[&format!("`{}`", property.name), property.gives, &property.meaning]);
    }
    text.push_str("\n# What the language brings\n\n| name | takes |\n| --- | --- |\n");
    for (name, takes) in reference::brought() {
        let takes: Vec<&str> = takes.iter().map(String::as_str).collect();
        row(&mut text, &[&format!("`{name}`"), &takes.join(" · ")]);
    }
    text.push_str("\n# What `check` finds\n\nA warning is silenced on its line, or on the one above, by ");
    text.push_str("`// homeward: allow(code) the reason`.\n\n| code | is | meaning |\n| --- | --- | --- |\n");
    for code in codes() {
        row(&mut text, &[&format!("`{}`", code.name), &code.severity.to_string(), code.meaning]);
    }
    text.push_str("\n# What providers can do\n");
    for kind in &given.kinds {
        provider(&mut text, kind);
    }
    print(text.trim_end());
    Exit::Done
}

/// What a person shows: the attributes that are the same everywhere. Her accounts stand under the names of systems.
fn of_person(given: &Invocation<'_>) -> Vec<Property> {
    let property =
        |name: &str, gives, meaning: String| Property { of: "person", name: name.to_owned(), gives, meaning };
    let neutral = NEUTRAL.iter().map(|name| {
        let kind = if *name == "active" { "truth" } else { "text" };
        property(name, kind, format!("The value of `{name}` that counts, or ()."))
    });
    let kinds = given.kinds.iter().map(|kind| {
        property(
            kind.name,
            "account",
            format!("The account at a system of this name, such as one of kind `{}`, or ().", kind.name),
        )
    });
    neutral.chain(kinds).collect()
}

/// What accounts show, each property with the kinds of providers that have it.
fn of_account(given: &Invocation<'_>) -> Vec<Property> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in &given.kinds {
        let rows = kind.capabilities.attributes.iter().map(|row| row.name);
        for name in rows.chain(kind.capabilities.facts.iter().copied()) {
            all.entry(name).or_default().push(kind.name);
        }
    }
    let id = Property { of: "account", name: "id".to_owned(), gives: "text", meaning: "Its immutable id.".to_owned() };
    let others = all.into_iter().map(|(name, kinds)| Property {
        of: "account",
        name: name.to_owned(),
        gives: "value",
        meaning: format!("What the account holds now, at {}; () where it holds nothing.", kinds.join(", ")),
    });
    std::iter::once(id).chain(others).collect()
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
        let leaving = line.set.map_or("", |set| set.leaving);
        let mut effects: Vec<&str> = Vec::new();
        for effect in line.side_effect.split("; ").chain(leaving.split("; ")) {
            if !effect.is_empty() && !effects.contains(&effect) {
                effects.push(effect);
            }
        }
        let effects = effects.join("; ");
        let cells = [
            &format!("`{}`{required}", name(line)),
            &format!("`{}`", line.remote),
            &support(line.write),
            &support(line.clear),
            &unique,
            effects.as_str(),
        ];
        row(text, &cells);
    }
    if !table.operations.is_empty() {
        text.push_str(
            "\n| operation | takes | meaning | may be repeated | sets off |\n| --- | --- | --- | --- | --- |\n",
        );
    }
    for operation in table.operations {
        let takes: Vec<String> = operation.arguments.iter().map(argument).collect();
        let name = format!("`{}`", operation.name);
        let cells = [&name, &takes.join(", "), operation.meaning, repeatable(operation.replay), operation.side_effect];
        row(text, &cells);
    }
    let _ = writeln!(text, "\n- makes accounts: {}", support(table.create));
    let _ = writeln!(text, "- accounts are found by: {}", listed(table.lookups));
    let _ = writeln!(text, "- rules may also read: {}", listed(table.facts));
}

/// An argument of an operation: its name, what it may be, and whether it may be left out.
fn argument(argument: &Argument) -> String {
    let takes = match argument.takes {
        Takes::Text => "text".to_owned(),
        Takes::Truth => "truth".to_owned(),
        Takes::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" or "),
        Takes::Named(kind) => format!("the name of a {kind}"),
    };
    let optional = if argument.required { "" } else { ", optional" };
    format!("`{}` ({takes}{optional}: {})", argument.name, argument.meaning)
}

/// As rules write it: an attribute that only this kind has stands behind the name of the system.
fn name(line: &AttributeCapability) -> String {
    if line.neutral { line.name.to_owned() } else { format!("<system>.{}", line.name) }
}

fn support(support: Support) -> String {
    match support {
        Support::Yes => "yes".to_owned(),
        Support::AtCreation(why) => format!("only while an account is made: {why}"),
        Support::No(why) => format!("no: {why}"),
    }
}

/// Whether a call whose answer was lost may be sent again.
fn repeatable(replay: Replay) -> &'static str {
    match replay {
        Replay::Repeat => "yes",
        Replay::LookFirst => "after a look",
        Replay::AskOperator => "no: a person has to look",
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

    #[test]
    fn the_table_of_operations_says_which_calls_may_be_repeated() {
        let mut text = String::new();
        for kind in crate::run::kinds::PROVIDERS {
            provider(&mut text, kind);
        }
        let cells = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
            line.split(" | ").nth(3).unwrap().to_owned()
        };
        assert_eq!(
            (cells("post_message").as_str(), cells("revoke_sessions").as_str()),
            ("no: a person has to look", "yes")
        );
        assert_eq!(repeatable(Replay::LookFirst), "after a look");
    }
}
