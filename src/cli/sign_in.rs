//! Who has to sign in, for a reader: each system with its address, and people by their ids alone.

use std::{collections::BTreeSet, fmt::Write};

use owo_colors::OwoColorize;

use super::render::{harmless, thousands, wrapped};
use crate::model::{id::PersonId, plan::SignIn};

/// So many people are named at each system unless all are asked for.
const NAMED: usize = 20;

/// A list with a line for each system; empty where there is nobody.
pub(super) fn text(all: &[SignIn], whole: bool, width: Option<usize>) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("{}\n", "Must sign in again:".yellow());
    for SignIn { system, at, people } in all {
        let line = format!("{} at {}: {}", harmless(system.as_str()), harmless(at), named(people, whole));
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(4).max(20));
        let _ = writeln!(text, "  {}", wrapped(&line, room).join("\n    "));
    }
    text
}

/// People by their ids, as many as anybody reads.
pub(super) fn named(people: &BTreeSet<PersonId>, whole: bool) -> String {
    let most = if whole { usize::MAX } else { NAMED };
    let mut names = people.iter().take(most).map(|person| harmless(&person.to_string())).collect::<Vec<_>>().join(", ");
    if people.len() > most {
        let _ = write!(names, " and {} more", thousands((people.len() - most) as u64));
    }
    names
}
