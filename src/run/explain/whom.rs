//! Finding the person that somebody means: by id, by key, by username or address, or by an account's id.
//!
//! Only what was typed is compared, whole and without regard to letter case. Where nobody is found, near ids are named and
//! no value of anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Material;
use crate::model::{
    attribute::{AttributeName, Value},
    id::{PersonId, SystemName},
    plan::Plan,
    record::Rejected,
};

/// Who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    One(PersonId),
    /// Several, each with what fits.
    Several(Vec<(PersonId, String)>),
    Nobody {
        /// Ids that are written nearly so.
        near: Vec<PersonId>,
        /// Rows that could not be used and that have this key.
        unused: Vec<Rejected>,
        /// The source that showed this key in an earlier run.
        before: Option<SystemName>,
        /// How many people there are.
        among: usize,
    },
}

/// By what somebody was found.
type Hits = BTreeMap<PersonId, String>;

/// So many near ids are named.
const NEAR: usize = 3;

impl Material<'_> {
    /// Whom a text means.
    pub(crate) fn find(&self, text: &str) -> Found {
        let mut hits = Hits::new();
        for judged in &self.people {
            let person = &judged.person;
            for said in &person.statements {
                by_key(&mut hits, &person.id, &said.key, text);
                by_values(&mut hits, &person.id, &|name| said.values.text(name), text, said.system.as_str());
            }
            for account in person.accounts.values() {
                let id = account.id.as_ref().map(|id| format!("{}:{id}", account.system));
                if id.is_some_and(|id| id == text) {
                    hits.entry(person.id.clone()).or_insert_with(|| "the account".to_owned());
                }
                let held = |name: &AttributeName| account.attributes.get(name).and_then(Value::as_text);
                by_values(&mut hits, &person.id, &held, text, account.system.as_str());
            }
        }
        let ids: BTreeSet<&PersonId> = self.people.iter().map(|judged| &judged.person.id).collect();
        let key = text.split_once('/').map_or(text, |(_, key)| key);
        let unused = self.unused.iter().filter(|((_, it), _)| **it == *key).map(|(_, row)| row.clone()).collect();
        let is_it = |(system, it): &&(SystemName, Arc<str>)| {
            **it == *key && (key == text || text.starts_with(&format!("{system}/")))
        };
        let is_heard =
            |(system, _): &&(SystemName, Arc<str>)| self.plan.inputs.iter().any(|input| input.system == *system);
        let before = self.before.iter().filter(is_heard).find(is_it).map(|(system, _)| system.clone());
        match settled(&ids, hits, text) {
            Found::Nobody { near, among, .. } => Found::Nobody { near, unused, before, among },
            found => found,
        }
    }
}

/// Whom a text means among the people of a plan.
pub(crate) fn find_in(plan: &Plan, text: &str) -> Found {
    let mut hits = Hits::new();
    let mut ids: BTreeSet<&PersonId> = BTreeSet::new();
    for change in &plan.changes {
        ids.insert(&change.person);
        let account = change.account.as_ref().map(|id| format!("{}:{id}", change.system));
        if account.is_some_and(|id| id == text) {
            hits.entry(change.person.clone()).or_insert_with(|| "the account".to_owned());
        }
        for value in [&change.before, &change.after] {
            let held = |name: &AttributeName| value.as_text().filter(|_| *name == change.attribute);
            by_values(&mut hits, &change.person, &held, text, change.system.as_str());
        }
    }
    ids.extend(plan.operations.iter().map(|operation| &operation.person));
    for link in plan.links.iter() {
        ids.insert(link.person);
        if format!("{}:{}", link.system, link.account) == text {
            hits.entry(link.person.clone()).or_insert_with(|| "the account".to_owned());
        }
    }
    for seen in plan.seen.iter() {
        let Some(person) = &seen.person else { continue };
        ids.insert(person);
        by_key(&mut hits, person, &seen.key, text);
        by_values(&mut hits, person, &|name| seen.values.text(name), text, seen.system.as_str());
    }
    for id in &ids {
        by_key(&mut hits, id, &id.key, text);
    }
    settled(&ids, hits, text)
}

fn by_key(hits: &mut Hits, person: &PersonId, key: &str, text: &str) {
    if key == text {
        hits.entry(person.clone()).or_insert_with(|| "the key".to_owned());
    }
}

/// `held` tells the text of an attribute.
fn by_values<'a>(
    hits: &mut Hits,
    person: &PersonId,
    held: &dyn Fn(&AttributeName) -> Option<&'a str>,
    text: &str,
    system: &str,
) {
    for name in ["username", "email"] {
        let value = held(&AttributeName::new(name));
        if value.is_some_and(|value| value.to_lowercase() == text.to_lowercase()) {
            hits.entry(person.clone()).or_insert_with(|| format!("the {name} at {system}"));
        }
    }
}

fn settled(ids: &BTreeSet<&PersonId>, hits: Hits, text: &str) -> Found {
    if let Some(exact) = ids.iter().find(|id| id.to_string() == text) {
        return Found::One((*exact).clone());
    }
    let mut hits: Vec<(PersonId, String)> = hits.into_iter().collect();
    if hits.len() > 1 {
        return Found::Several(hits);
    }
    if let Some((only, _)) = hits.pop() {
        return Found::One(only);
    }
    let allowed = (text.chars().count() / 4).max(1);
    let key = text.split_once('/').map_or(text, |(_, key)| key);
    let far = |id: &PersonId| strsim::osa_distance(&id.to_string(), text).min(strsim::osa_distance(&id.key, key));
    let mut near: Vec<(usize, &PersonId)> = ids.iter().map(|id| (far(id), *id)).collect();
    // A word of which everything would have to change is near to nothing.
    near.retain(|(distance, _)| *distance <= allowed && *distance < key.chars().count());
    near.sort();
    let near = near.into_iter().take(NEAR).map(|(_, id)| id.clone()).collect();
    Found::Nobody { near, unused: Vec::new(), before: None, among: ids.len() }
}
