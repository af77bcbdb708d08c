//! A file looked at and nothing else: how it is written, what of it cannot be used, and what it would say.
//!
//! No system is asked and nothing is written. So this says what a list says compared with the last one, and not what
//! would be sent: that takes a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    RunError,
    gather::{self, Given, Named},
    project::Project,
};
use crate::{
    model::{attribute::AttributeName, plan::Input, record::Rejected, values::Values},
    plan::guard::{Tripped, of_input},
    source::Layout,
    state::{Accepted, Memory},
};

/// What was found in one file.
pub(crate) struct Examined {
    pub(crate) input: Input,
    /// How it is written.
    pub(crate) layout: Option<Layout>,
    /// The names its columns are known by, in the order of the file.
    pub(crate) columns: Vec<String>,
    /// True where it holds everybody, so that who is missing has gone.
    pub(crate) is_full: bool,
    /// How it was read: what was decided, what was cleaned. No values of people.
    pub(crate) notes: Vec<String>,
    pub(crate) rejected: Vec<Rejected>,
    /// Keys the source never spoke of before.
    pub(crate) new: Vec<String>,
    /// Keys of people who are active, and were not by what the source said last.
    pub(crate) activated: Vec<String>,
    /// For how many people each attribute differs from what the source said of them last.
    pub(crate) differing: BTreeMap<AttributeName, u64>,
    /// The last input of this source that was carried out.
    pub(crate) last: Option<Accepted>,
    /// The limits that it alone would pass. Those that count what would be done at systems are a plan's.
    pub(crate) tripped: Vec<Tripped>,
}

/// Reads one file as its source is configured.
///
/// # Errors
/// Where nothing of it may be used, or the rules are wrong.
pub(crate) fn examine(file: &Named, project: &Project, memory: &Memory) -> Result<Option<Examined>, RunError> {
    let given = [Given::File(file.clone())];
    let mut said = gather::read(&given, &project.sources, &project.rules, memory, None)?;
    let (Some(input), Some(layout)) = (said.inputs.pop(), said.layouts.pop()) else { return Ok(None) };
    let (layout, columns) = layout.map_or((None, Vec::new()), |(layout, columns)| (Some(layout), columns));
    let active = AttributeName::new("active");
    let known: BTreeMap<&str, &Values> =
        memory.seen.iter().filter(|seen| seen.system == file.system).map(|seen| (&*seen.key, &seen.values)).collect();
    let missing: BTreeSet<&str> = input.list.iter().flat_map(|list| &list.missing).map(String::as_str).collect();
    let listed = said.statements.iter().filter(|it| !it.of_nobody && !missing.contains(it.key.as_ref()));
    let (mut new, mut activated, mut differing) = (Vec::new(), Vec::new(), BTreeMap::new());
    for statement in listed {
        let Some(before) = known.get(statement.key.as_ref()) else {
            new.push(statement.key.to_string());
            continue;
        };
        if before.is(&active, false) && !statement.values.is(&active, false) {
            activated.push(statement.key.to_string());
        }
        for name in before.differing(&statement.values) {
            *differing.entry(name.clone()).or_default() += 1;
        }
    }
    new.sort();
    activated.sort();
    let prefix = format!("{}: ", file.shown);
    let notes = said.notes.iter().map(|note| note.strip_prefix(&prefix).unwrap_or(note).to_owned()).collect();
    Ok(Some(Examined {
        layout,
        columns,
        is_full: input.list.is_some(),
        notes,
        rejected: said.rejected,
        new,
        activated,
        differing,
        last: memory.accepted.get(&file.system).cloned(),
        tripped: of_input(&input, &project.limits),
        input,
    }))
}
