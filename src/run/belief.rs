//! Lists that say what the last one said: they end before anybody is asked, the same bytes before anything is loaded. Of a
//! list with something new in it, only those are looked at of whom it says something new.
//!
//! A list says `recheck = "7d"` where its people's accounts may be believed to be as it left them for so long. That is so
//! after a whole list of which nothing was left open: then everybody has the accounts that are tied to her. Whoever had
//! something changed is looked at once more, for rules may make something of what her accounts are now; and so is, each
//! time, of whom a rule drops something, which plans tell. Who can be taken
//! for whom is not known before they are looked at, so where anybody of whom something new is said would be tied to
//! something that she is not tied to yet, or is held, the others are looked at after all ([`is_certain`]). What decisions
//! follow from beside records are rules and settings, so any change of those ends it, and so does another run that waits,
//! sent anything or learned anything, as the journal tells. What others change at a provider meanwhile is noticed when the
//! time is over: that is the price, and why it is asked for and not the usual way. What a row means is not known here.

use std::collections::BTreeMap;

use base16ct::lower::encode_string as hex;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::{
    RunError,
    fleet::Fleet,
    gather::{Named, Said, Source},
    project::Project,
    seal::seal,
};
use crate::{
    model::{
        id::SystemName,
        plan::{Input, Plan},
        policy::Policy,
    },
    plan::assemble::{Frame, assemble},
    rules::SeesDay,
    source::csv_file::{self, Likeness},
    state::{Accepted, Memory, Settled, Store},
};

/// In which way it is noted what may be believed: what was noted in another way is not.
const WAY: &str = "with what others did since";

/// What decisions follow from, beside records and accounts.
#[derive(Clone, Debug)]
pub(crate) struct Belief {
    /// Digest of rules, settings and program.
    pub(crate) basis: String,
    sees: SeesDay,
    /// ISO date.
    today: String,
    now: Timestamp,
    /// True where everybody is to be looked at this time.
    pub(crate) looks: bool,
}

impl Belief {
    /// By a project as it is now.
    pub(crate) fn new(project: &Project, fleet: &Fleet, today: &str, now: Timestamp) -> Self {
        let mut digest = Sha256::new();
        // Where a system is may be said outside of the file.
        let homes = serde_json::to_string(&fleet.homes()).unwrap_or_default();
        for part in [env!("CARGO_PKG_VERSION"), WAY, project.rules.digest(), &project.config.text, &homes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let basis = format!("sha256:{}", hex(&digest.finalize()));
        Self { basis, sees: project.rules.sees_day(), today: today.to_owned(), now, looks: false }
    }

    /// What is believed of the last list of this source, if that holds now.
    fn of<'m>(&self, source: &Source, accepted: &'m Accepted) -> Option<&'m Settled> {
        let recheck = source.csv.as_ref()?.recheck?;
        let settled = accepted.believed.as_ref().filter(|settled| settled.basis == self.basis)?;
        let since: Timestamp = settled.since.parse().ok()?;
        let until = since.checked_add(SignedDuration::try_from(recheck).ok()?).ok()?;
        // A time that is still to come is no time at which anybody looked.
        let is_recent = since <= self.now && self.now < until;
        let is_same_day = !self.sees.of_people || accepted.today == self.today;
        (is_recent && is_same_day && !self.looks).then_some(settled)
    }
}

/// Whether anything may be believed here: whose own token opens what may have changed without a word to us.
fn may_believe(fleet: &Fleet) -> bool {
    fleet.members.values().all(|member| member.keyring.is_none())
}

/// When everybody was looked at of whom these inputs speak, where one run took over what they said then and left nothing
/// open: whoever is said to be the same now need not be looked at.
pub(super) fn said_before(
    said: &Said,
    belief: &Belief,
    sources: &BTreeMap<SystemName, Source>,
    memory: &Memory,
    fleet: &Fleet,
    counts_groups: bool,
) -> Option<Settled> {
    // A row that cannot be used may be anybody's. Two lists may speak of one person by keys of which nobody knows it yet, and
    // in groups those count too of whom nothing new is said.
    let are_all_needed = said.inputs.len() > 1 || counts_groups;
    if !may_believe(fleet) || !said.rejected.is_empty() || (are_all_needed && said.has_news()) {
        return None;
    }
    let mut settled: Option<(i64, &Settled)> = None;
    for input in &said.inputs {
        let accepted = memory.accepted.get(&input.system).filter(|_| input.list.is_some())?;
        let found = belief.of(sources.get(&input.system)?, accepted)?;
        // Lists that were taken over one by one were never held against each other.
        if settled.is_some_and(|(run, _)| run != accepted.run) {
            return None;
        }
        settled = Some((accepted.run, found));
    }
    let (_, settled) = settled.filter(|(_, settled)| !are_all_needed || settled.touched.is_empty())?;
    Some(settled.clone())
}

/// Whether a plan for some of the people of a list is what it would be for all of them. Whoever has the accounts that were
/// tied to her before, and no others, cannot be taken for anybody else; and nobody who is plainly herself is held.
pub(super) fn is_certain(plan: &Plan) -> bool {
    let is_believed = |input: &Input| input.list.as_ref().is_none_or(|list| list.believed.is_some());
    plan.links.is_empty() && plan.inputs.iter().all(is_believed)
}

/// An input that is what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Same {
    /// As the user named it.
    pub(crate) file: String,
    /// The run that took it over.
    pub(crate) run: i64,
    /// True where only its rows are the same.
    pub(crate) reordered: bool,
    /// When its people's accounts had been looked at, ISO 8601.
    pub(crate) since: String,
}

/// The plan for inputs that all are what they were when one run took them over, which does nothing; `None` where anything
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
    if !may_believe(fleet) {
        return Ok(None);
    }
    let (mut inputs, mut told, mut people) = (Vec::new(), Vec::<Same>::new(), 0);
    for file in files {
        let Some(source) = project.sources.get(&file.system) else { return Ok(None) };
        let (Some(settings), true) = (&source.csv, file.dropped.is_none()) else { return Ok(None) };
        // Asked before the store is: most projects believe nothing.
        if settings.recheck.is_none() {
            return Ok(None);
        }
        let Some(accepted) = store.at_rest(&file.system)? else { return Ok(None) };
        let settled = belief.of(source, &accepted).filter(|settled| settled.touched.is_empty());
        let Some(settled) = settled else { return Ok(None) };
        if belief.sees.of_records && accepted.today != belief.today {
            return Ok(None);
        }
        // Lists that were taken over one by one were never held against each other.
        if told.first().is_some_and(|other| other.run != accepted.run) {
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
            same_as: Some(accepted.run),
        });
        people = settled.people;
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
    let plan = assemble(Vec::new(), Vec::new(), &BTreeMap::new(), &Policy::default(), fleet, None, frame);
    Ok(Some((seal(plan), told)))
}
