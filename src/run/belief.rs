//! What need not be looked at again: people of whom a list says what the last one said, and for whom nothing is open.
//!
//! A list says `recheck = "1d"` where its people's accounts may be believed to be as they were left for so long. What is
//! believed follows from records, rules and settings alone, so any change of those ends it, and so does a run that waits,
//! broke off or was taken back. What others change at a provider meanwhile is noticed when the time is over: that is the
//! price, and why it is asked for and not the usual way.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    RunError,
    fleet::Fleet,
    gather::{Named, Source},
    project::Project,
    seal::{hex, seal},
};
use crate::{
    model::{
        id::{PersonId, SystemName},
        plan::{Input, Plan},
        policy::Policy,
    },
    plan::assemble::{Frame, assemble},
    rules::SeesDay,
    source::csv_file::{self, Likeness},
    state::{Accepted, Memory, Settled, Store},
};

/// What belief depends on beside the lists themselves.
#[derive(Clone, Debug)]
pub(crate) struct Belief {
    /// Digest of rules, settings and program.
    pub(crate) basis: String,
    sees: SeesDay,
    /// ISO date.
    today: String,
    now: Timestamp,
    /// True where everybody is to be looked at this time.
    asks_anyway: bool,
}

impl Belief {
    /// By a project as it is now.
    pub(crate) fn new(project: &Project, fleet: &Fleet, today: &str, now: Timestamp, asks_anyway: bool) -> Self {
        let mut digest = Sha256::new();
        // Where a system is may be said outside of the file.
        let homes = serde_json::to_string(&fleet.homes()).unwrap_or_default();
        for part in [env!("CARGO_PKG_VERSION"), project.rules.digest(), &project.config.text, &homes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let basis = format!("sha256:{}", hex(&digest.finalize()));
        Self { basis, sees: project.rules.sees_day(), today: today.to_owned(), now, asks_anyway }
    }

    /// What may be believed of the people of this source whose records have not changed.
    pub(super) fn of<'m>(&self, source: &Source, accepted: Option<&'m Accepted>) -> Option<&'m Settled> {
        let recheck = source.csv.as_ref()?.recheck?;
        let accepted = accepted?;
        let settled = accepted.believed.as_ref().filter(|settled| settled.basis == self.basis)?;
        let since: Timestamp = settled.since.parse().ok()?;
        let until = since.checked_add(SignedDuration::try_from(recheck).ok()?).ok()?;
        // A time that is still to come is no time at which anybody looked.
        let is_recent = since <= self.now && self.now < until;
        let same_day = !self.sees.of_people || accepted.today == self.today;
        (is_recent && same_day && !self.asks_anyway).then_some(settled)
    }
}

/// The people of a source for whom something is open or expected, by its keys.
pub(super) fn open_keys(system: &SystemName, settled: &Settled, memory: &Memory) -> BTreeSet<String> {
    let mut open = settled.open.clone();
    let people: BTreeSet<&PersonId> = memory.expectations.iter().map(|one| &one.person).collect();
    open.extend(keys_of(
        system,
        &people,
        memory.links.iter().map(|link| (&link.system, link.account.as_str(), &link.person)),
    ));
    open
}

/// The keys that a source has for these people.
pub(super) fn keys_of<'l>(
    system: &SystemName,
    people: &BTreeSet<&PersonId>,
    links: impl Iterator<Item = (&'l SystemName, &'l str, &'l PersonId)>,
) -> BTreeSet<String> {
    let own = people.iter().filter(|person| person.system == *system).map(|person| person.key.to_string());
    let tied = links.filter(|(source, _, person)| *source == system && people.contains(person));
    own.chain(tied.map(|(_, key, _)| key.to_owned())).collect()
}

/// An input that is what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Same {
    /// As the user named it.
    pub(crate) file: String,
    /// The run that took it over.
    pub(crate) run: i64,
    /// True where its rows stand in another order.
    pub(crate) reordered: bool,
    /// When its people's accounts had been looked at, ISO 8601.
    pub(crate) since: String,
}

/// The plan for inputs that all are what they were when they were carried out, which does nothing; `None` where anything
/// else has to be done to make one. Looks at nothing but the files.
///
/// # Errors
/// Where the store or a file cannot be read.
pub(crate) fn unchanged(
    files: &[Named],
    project: &Project,
    belief: &Belief,
    store: &dyn Store,
    fleet: &Fleet,
) -> Result<Option<(Plan, Vec<Same>)>, RunError> {
    let (mut inputs, mut told, mut people) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let Some(source) = project.sources.get(&file.system) else { return Ok(None) };
        let (Some(settings), true) = (&source.csv, file.dropped.is_none()) else { return Ok(None) };
        // Asked before the store is: most projects believe nothing.
        if settings.recheck.is_none() {
            return Ok(None);
        }
        let Some(accepted) = store.at_rest(&file.system)? else { return Ok(None) };
        let Some(settled) = belief.of(source, Some(&accepted)) else { return Ok(None) };
        let same_day = !belief.sees.of_records || accepted.today == belief.today;
        if !same_day || !settled.open.is_empty() || settled.rejected > 0 {
            return Ok(None);
        }
        let likeness = csv_file::compare(&file.path, &file.shown, &file.system, settings, &settled.list)?;
        let (sha256, reordered) = match likeness {
            Likeness::Bytes => (accepted.sha256.clone(), false),
            Likeness::Rows { sha256 } => (sha256, true),
            Likeness::Other => return Ok(None),
        };
        inputs.push(Input {
            system: file.system.clone(),
            file: file.shown.clone(),
            sha256,
            records: accepted.records,
            rejected: 0,
            list: None,
        });
        people += accepted.records;
        let (file, since) = (file.shown.clone(), settled.since.clone());
        told.push(Same { file, run: accepted.run, reordered, since });
    }
    if told.is_empty() {
        return Ok(None);
    }
    let frame = Frame {
        rules: project.rules.digest().to_owned(),
        today: belief.today.clone(),
        inputs,
        systems: fleet.homes(),
        people,
        ..Frame::default()
    };
    let plan = assemble(Vec::new(), Vec::new(), &BTreeMap::new(), &Policy::default(), fleet, frame);
    Ok(Some((seal(plan), told)))
}
