//! First ties that something speaks against, put so that somebody can settle them before anything is sent.
//!
//! Whether a doubt is justified is not known here.

use std::collections::BTreeMap;

use super::index::{Index, Name, Place};
use crate::model::{id::SystemName, plan::Doubtful, policy::Policy};

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
    all: Vec<Doubtful>,
    /// A few of each system, and how many there are.
    told: BTreeMap<&'a SystemName, (Vec<String>, usize)>,
}

impl<'s, 'a> Doubts<'s, 'a> {
    pub(super) fn new(policy: &'s Policy, index: &'s Index<'a>, sources: &'s [SystemName]) -> Self {
        Self { policy, index, sources, all: Vec::new(), told: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, person: Name<'_>, doubt: &Doubt) {
        let system = self.index.name(doubt.found);
        let Some(line) = self.policy.joins.get(system) else { return };
        let [Some(found_by), Some(against)] = [doubt.by, doubt.against].map(|at| line.attributes.get(at)) else {
            return;
        };
        let doubtful = Doubtful {
            person: person.person(),
            system: system.clone(),
            account: self.index.id(doubt.found).into(),
            found_by: found_by.clone(),
            against: against.clone(),
        };
        let (few, all) = self.told.entry(system).or_default();
        *all += 1;
        if few.len() < FEW {
            let other = doubt.other.map(|other| self.index.id(other));
            few.push(sentence(person, &doubtful, other, self.sources));
        }
        self.all.push(doubtful);
    }

    /// The doubts, and a few of them as warnings, system by system.
    pub(super) fn told(self) -> (Vec<Doubtful>, Vec<String>) {
        let mut warnings = Vec::new();
        for (system, (few, all)) in self.told {
            let more = all - few.len();
            warnings.extend(few);
            if more > 0 {
                warnings.push(format!(
                    "{system}: {more} more are taken for accounts that something speaks against, which --all names: where these \
                     are right, so may those be; where not, the `join` line finds people by the wrong attribute first"
                ));
            }
        }
        (self.all, warnings)
    }
}

/// That another account could be meant, or none.
fn sentence(person: Name<'_>, doubt: &Doubtful, other: Option<&str>, sources: &[SystemName]) -> String {
    let Doubtful { system, account, found_by, against, .. } = doubt;
    let taken = format!("{system}: {person} is taken for account {account} by `{found_by}`");
    let not_hers = command("unlink", &person, system, account.as_str());
    match other {
        Some(other) => {
            // Where an account is a record too, it is enough that the first one is not hers: then the other is found.
            let is_source = sources.contains(system);
            let settle = if is_source { not_hers } else { command("link", &person, system, other) };
            format!(
                "{taken}, and account {other} has the `{against}` of this record: where that one is meant, {settle}"
            )
        }
        None => format!("{taken}, and has another `{against}` than this record: where it is not hers, {not_hers}"),
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
