//! From inputs to a sealed plan: the steps 2 to 8, with nothing to write with.

use std::collections::BTreeMap;

use super::{
    RunError,
    fleet::Fleet,
    gather::{self, FileSource, Named, Said, Shown},
    seal::seal,
};
use crate::{
    config::schema::Says,
    model::{
        attribute::AttributeName,
        capability::Unique,
        id::{PersonId, SystemName},
        person::Person,
        plan::Plan,
        policy::Ownership,
    },
    plan::{
        Providers,
        assemble::{Frame, assemble},
        correlate::{Material, correlate},
        decide::decide,
        folded,
        guard::{Limits, protect},
        order::Holders,
    },
    rules::RuleSet,
    state::Memory,
};

/// What a plan is made with.
pub(crate) struct Desk<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) sources: &'a BTreeMap<SystemName, FileSource>,
    pub(crate) limits: &'a Limits,
    pub(crate) memory: &'a Memory,
    /// ISO date.
    pub(crate) today: String,
}

/// A plan, and what to tell beside it.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// How inputs were read: delimiters decided, cells cleaned.
    pub(crate) notes: Vec<String>,
    /// How many people a source showed for the first time, which is a baseline and asks for nothing.
    pub(crate) firsts: BTreeMap<SystemName, u64>,
}

/// Reads inputs and providers and decides everything. Writes nothing, anywhere.
pub(crate) async fn prepare(desk: &Desk<'_>, files: &[Named], fleet: &mut Fleet) -> Result<Prepared, RunError> {
    let policy = desk.rules.policy();
    let mut said = gather::read(files, desk.sources, desk.rules, desk.memory)?;
    let shown = gather::observe(&said, desk.memory, policy, fleet).await?;
    let (notes, firsts) = (std::mem::take(&mut said.notes), std::mem::take(&mut said.firsts));
    let plan = settle(desk, said, &shown, fleet)?;
    Ok(Prepared { plan, notes, firsts })
}

/// Everything after reading: pure but for the rules, which can touch nothing.
fn settle(desk: &Desk<'_>, said: Said, shown: &Shown, fleet: &Fleet) -> Result<Plan, RunError> {
    let policy = desk.rules.policy();
    let material = Material {
        statements: said.statements,
        remembered: said.remembered,
        links: &desk.memory.links,
        accounts: &shown.accounts,
        sources: &in_rank(desk.sources),
    };
    let correlated = correlate(&material, policy, fleet);
    let attributes = policy.owners.iter().flat_map(|line| line.attributes.iter().cloned()).collect();
    let mut decided = Vec::new();
    for person in &correlated.people {
        match desk.rules.own(person, &attributes) {
            Ok(ownership) => decided.extend(decide(person, &ownership, policy, fleet)),
            // One person's facts are too much for a rule: she is held, the others go on.
            Err(fault) if fault.rejects_record() => {
                let place = fault.origin().map(|origin| format!(" ({origin})")).unwrap_or_default();
                let person = Person { held: Some(format!("a rule failed{place}: {fault}")), ..person.clone() };
                decided.extend(decide(&person, &Ownership::default(), policy, fleet));
            }
            // The rule is wrong, and nobody's plan can be trusted to it.
            Err(fault) => return Err(RunError::Rule(Box::new(fault))),
        }
    }
    protect(&mut decided, desk.limits);
    let meant: BTreeMap<(&SystemName, &str), &PersonId> = correlated
        .people
        .iter()
        .flat_map(|person| person.statements.iter().map(move |said| ((&said.system, said.key.as_ref()), &person.id)))
        .collect();
    let mut seen = said.seen;
    for one in &mut seen {
        one.person = meant.get(&(&one.system, one.key.as_str())).map(|person| (*person).clone());
    }
    let frame = Frame {
        rules: desk.rules.digest().to_owned(),
        today: desk.today.clone(),
        inputs: said.inputs,
        systems: fleet.homes(),
        rejected: said.rejected,
        warnings: shown.warnings.clone(),
        links: correlated.links,
        seen,
        people: correlated.people.len() as u64,
    };
    let holders = holders(shown, fleet);
    Ok(seal(assemble(decided, &holders, policy, fleet, frame)))
}

/// Sources that state what is come before those that only tell of changes, then by name.
fn in_rank(sources: &BTreeMap<SystemName, FileSource>) -> Vec<SystemName> {
    let mut ranked: Vec<(&SystemName, &FileSource)> = sources.iter().collect();
    ranked.sort_by_key(|(name, source)| (source.says == Says::Changes, (*name).clone()));
    ranked.into_iter().map(|(name, _)| name.clone()).collect()
}

/// Who holds which unique value, among everybody that was seen.
fn holders(shown: &Shown, fleet: &Fleet) -> Holders {
    let mut holders = Holders::new();
    for (system, accounts) in &shown.accounts {
        let Some(table) = fleet.capabilities(system) else { continue };
        let unique: Vec<AttributeName> =
            table.attributes.iter().filter(|row| row.unique != Unique::No).map(|row| table.name(system, row)).collect();
        for account in accounts {
            let Some(id) = &account.id else { continue };
            for attribute in &unique {
                if let Some(text) = account.attributes.get(attribute).and_then(folded) {
                    holders.entry((system.clone(), attribute.clone())).or_default().insert(text, id.clone());
                }
            }
            // Addresses an account keeps beside its own, as GitLab's secondary ones: taken for everybody else.
            for text in account.fact("also_holds").into_iter().flat_map(str::split_whitespace) {
                let held = holders.entry((system.clone(), AttributeName::new("email"))).or_default();
                held.entry(text.to_owned()).or_insert_with(|| id.clone());
            }
        }
    }
    holders
}
