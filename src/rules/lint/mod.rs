//! What can be told of rules without running them: findings, each with a stable code, a place and what to do about it.
//!
//! This folder reads scripts as they are written, with the knowledge of what each function is handed. It finds and does
//! not judge: what a finding means for an exit code is the terminal's business, and what only providers or configuration
//! know is found elsewhere and handed the same kind of finding.
//!
//! ```text
//! code     the list of everything that can be found   body    the bodies of functions
//! thing    what is known of a value                   answer  what functions answer
//! view     what persons, changes and plans have       owner   owner lines side by side
//! shape    expressions as they are written            unused  what nothing uses
//! silence  comments that silence                  call    calls with arguments written out
//! effect   what statements do besides              sight   what functions look at and name
//! ```

mod answer;
mod body;
mod call;
pub(crate) mod code;
mod effect;
mod owner;
mod shape;
pub(crate) mod sight;
pub(crate) mod silence;
#[cfg(test)]
mod tests;
mod thing;
mod unused;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::model::{attribute::AttributeName, id::SystemName, origin::Origin};

use self::{body::Examiner, code::Severity};
use super::{
    RuleSet,
    fault::{Fault, Place, RuleError},
};

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// One of [`code::codes`].
    pub(crate) code: &'static str,
    /// One sentence, a lower-case fragment.
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    /// Another place that has to do with it, and what it is.
    pub(crate) related: Option<(Place, String)>,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// The reason, where a comment silences it.
    pub(crate) silenced: Option<String>,
}

impl Finding {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, place: Option<Place>) -> Self {
        Self { code, message: message.into(), place, related: None, hint: None, silenced: None }
    }

    /// Owners on this way depend on each other, and the last is the first again: what a plan would fail with.
    pub(crate) fn owner_cycle(attributes: Vec<AttributeName>, place: Option<Place>) -> Self {
        Self::from(&RuleError::new(Fault::OwnerCycle { attributes }, place))
    }

    pub(crate) fn severity(&self) -> Severity {
        code::severity(self.code)
    }

    /// Whether two say the same of the same place.
    fn same(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.code, it.message.clone(), it.place.as_ref().map(|place| place.origin.clone()));
        key(self) == key(other)
    }

    /// What findings are sorted by: those without a place come last.
    pub(crate) fn order(&self) -> impl Ord + use<> {
        let place = self.place.as_ref().map(|place| &place.origin);
        let at = place.map(|origin| (Arc::clone(&origin.file), origin.line, origin.column));
        (at.is_none(), at, self.code, self.message.clone())
    }
}

impl From<&RuleError> for Finding {
    fn from(error: &RuleError) -> Self {
        let related = error.second_place().map(|(place, what)| (place.clone(), what.to_owned()));
        let (place, hint) = (error.place().cloned(), error.hint());
        Self { related, hint, ..Self::new(error.code(), error.to_string(), place) }
    }
}

/// The columns of a source's records, as far as they are known beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) columns: Vec<String>,
    /// The file that shows all columns; `None` where only some are configured.
    pub(crate) file: Option<String>,
}

/// Samples by source.
pub(crate) type Samples = BTreeMap<SystemName, Sample>;

/// What a source's records speak of, as its rule is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Speech {
    pub(crate) attributes: BTreeSet<AttributeName>,
    /// Members of sets that are written out, and whether there can be others.
    pub(crate) members: BTreeMap<AttributeName, (BTreeSet<String>, bool)>,
    /// False: it may speak of more than is written out.
    pub(crate) whole: bool,
}

/// Everything that was found in the scripts alone.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub(crate) findings: Vec<Finding>,
    pub(crate) speech: BTreeMap<SystemName, Speech>,
}

impl RuleSet {
    /// Reads all scripts. `sound` is false where they could not be loaded without errors: then only what stands in
    /// functions is looked at, because what lines say to each other is not known.
    pub(crate) fn examine(&self, samples: &Samples, sound: bool) -> Examined {
        let examiner = Examiner::new(&self.scripts, &self.modules, &self.known, samples);
        let speech = answer::look(&examiner, &self.declared, &self.known, &self.policy.ranges, sound);
        for at in 0..examiner.units.len() {
            examiner.top_level(at);
        }
        if sound {
            owner::look(&examiner, &self.declared);
            unused::look(&examiner, &self.test_texts);
        }
        let mut findings = examiner.take();
        findings.sort_by_key(Finding::order);
        Examined { findings, speech }
    }

    /// What is wrong for certain with scripts that could be loaded, whatever lists they are to read.
    pub(crate) fn faults(&self) -> Vec<Finding> {
        let mut findings = self.examine(&Samples::default(), true).findings;
        findings.retain(|finding| finding.severity() == Severity::Error);
        findings
    }

    /// The texts of all scripts and modules, by file.
    pub(crate) fn texts(&self) -> BTreeMap<Arc<str>, Arc<str>> {
        let scripts = self.scripts.iter().chain(self.modules.values()).map(|script| &script.source);
        scripts.map(|source| (Arc::clone(&source.file), Arc::clone(&source.text))).collect()
    }

    /// A place of a declaration, marked to the end of its line.
    pub(crate) fn place_of(&self, origin: &Origin) -> Option<Place> {
        let mut sources = self.scripts.iter().chain(self.modules.values()).map(|script| &script.source);
        let source = sources.find(|source| source.file == origin.file)?;
        Some(whole_line(Place { origin: origin.clone(), text: Arc::clone(&source.text), span: 1 }))
    }
}

/// The same place, marked to the end of its line.
pub(super) fn whole_line(place: Place) -> Place {
    let line = place.text.lines().nth(place.origin.line.saturating_sub(1)).unwrap_or_default();
    let rest = line.trim_end().chars().count().saturating_sub(place.origin.column.saturating_sub(1));
    Place { span: rest.max(1), ..place }
}
