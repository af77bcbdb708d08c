//! First ties that something speaks against, put so that somebody can settle them before anything is sent.
//!
//! Whether a doubt is justified is not known here.

use std::collections::BTreeMap;

use super::index::{Index, Name, Place};
use crate::model::{id::SystemName, policy::Policy};

/// So many doubts of one system are told in full: whoever joins by the wrong attribute has one for everybody.
const FEW: usize = 5;

/// Why an account may not be the one that is meant.
#[derive(Clone, Copy)]
pub(super) struct Doubt {
    pub(super) found: Place,
    /// By which of the line's attributes it was found.
    pub(super) by: usize,
    /// Which of the line's attributes speaks against it.
    pub(super) against: usize,
    /// The account that one would have found; `None`: it would have found none.
    pub(super) other: Option<Place>,
}

/// The doubts of a plan.
pub(super) struct Doubts<'s, 'a> {
    policy: &'s Policy,
    index: &'s Index<'a>,
    sources: &'s [SystemName],
    /// A few of each system, and how many there are.
    told: BTreeMap<&'a SystemName, (Vec<String>, usize)>,
}

impl<'s, 'a> Doubts<'s, 'a> {
    pub(super) fn new(policy: &'s Policy, index: &'s Index<'a>, sources: &'s [SystemName]) -> Self {
        Self { policy, index, sources, told: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, person: Name<'_>, doubt: &Doubt) {
        let (few, all) = self.told.entry(self.index.name(doubt.found)).or_default();
        *all += 1;
        if few.len() < FEW {
            few.push(sentence(person, doubt, self.policy, self.index, self.sources));
        }
    }

    /// The doubts as warnings, system by system.
    pub(super) fn told(self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (system, (few, all)) in self.told {
            let more = all - few.len();
            warnings.extend(few);
            if more > 0 {
                warnings.push(format!(
                    "{system}: {more} more are taken for accounts that something speaks against: where these are right, so \
                     may those be; where not, the `join` line finds people by the wrong attribute first"
                ));
            }
        }
        warnings
    }
}

/// That another account could be meant, or none.
fn sentence(person: Name<'_>, doubt: &Doubt, policy: &Policy, index: &Index<'_>, sources: &[SystemName]) -> String {
    let system = index.name(doubt.found);
    let name = |at: usize| {
        let attribute = policy.joins.get(system).and_then(|line| line.attributes.get(at));
        attribute.map_or_else(String::new, |name| format!("`{name}`"))
    };
    let (found, by, against) = (index.id(doubt.found), name(doubt.by), name(doubt.against));
    let taken = format!("{system}: {person} is taken for account {found} by {by}");
    let not_hers = command("unlink", &person, system, found);
    match doubt.other.map(|other| index.id(other)) {
        Some(other) => {
            // Where an account is a record too, it is enough that the first one is not hers: then the other is found.
            let is_source = sources.contains(system);
            let settle = if is_source { not_hers } else { command("link", &person, system, other) };
            format!("{taken}, and account {other} has the {against} of this record: where that one is meant, {settle}")
        }
        None => format!("{taken}, and has another {against} than this record: where it is not hers, {not_hers}"),
    }
}

/// What somebody types to say whose an account is.
pub(super) fn command(word: &str, person: &Name<'_>, system: &SystemName, account: &str) -> String {
    format!("`homeward {word} {} {}`", quoted(&person.to_string()), quoted(&format!("{system}:{account}")))
}

/// A text as a shell takes it for itself, and not for what it may hold.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
