//! Who is who: statements, remembered links and observed accounts that belong together become people.
//!
//! A link is believed first, then what an account itself says about how its holder signs in, then the join attributes of
//! the rules. Where there is more than one answer nothing is guessed: the person is held, with both answers named by id.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Providers, folded};
use crate::model::{
    account::Account,
    attribute::AttributeName,
    id::{AccountId, PersonId, SystemName},
    person::{Link, Person},
    policy::Policy,
    record::Statement,
};

/// What correlation works on.
pub(crate) struct Material<'a> {
    /// What sources say in this run.
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What sources said before, for keys that say nothing now.
    pub(crate) remembered: Vec<Arc<Statement>>,
    /// Ties from earlier runs.
    pub(crate) links: &'a [Link],
    /// Every account that was observed.
    pub(crate) accounts: &'a BTreeMap<SystemName, Vec<Arc<Account>>>,
    /// Sources in the order in which they may give a person her name.
    pub(crate) sources: &'a [SystemName],
    /// At systems where everybody is seen with her own token: what it opened, under each name she is known by.
    pub(crate) own: &'a BTreeMap<SystemName, BTreeMap<PersonId, Opened>>,
}

/// What somebody's own token opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The account that is hers.
    Account(AccountId),
    /// Nothing, and why.
    Nothing(String),
}

/// What correlation found.
#[derive(Debug, Default)]
pub(crate) struct Correlated {
    /// Everybody that a fresh statement speaks of, in order of id.
    pub(crate) people: Vec<Person>,
    /// Ties that were not known before.
    pub(crate) links: Vec<Link>,
}

/// Where an id points to.
type Place = (SystemName, AccountId);

/// Every way an account can be found: by what.
struct Index<'a> {
    id: BTreeMap<Place, &'a Arc<Account>>,
    value: BTreeMap<(SystemName, AttributeName), BTreeMap<String, Vec<AccountId>>>,
    identity: BTreeMap<Place, Vec<Place>>,
}

impl<'a> Index<'a> {
    fn new(material: &'a Material<'_>, policy: &Policy, providers: &dyn Providers) -> Self {
        let mut index = Self { id: BTreeMap::new(), value: BTreeMap::new(), identity: BTreeMap::new() };
        for (system, accounts) in material.accounts {
            let joins = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
            for account in accounts {
                let Some(id) = &account.id else { continue };
                index.id.insert((system.clone(), id.clone()), account);
                for attribute in joins {
                    let Some(text) = account.attributes.get(attribute).and_then(folded) else { continue };
                    let values = index.value.entry((system.clone(), attribute.clone())).or_default();
                    values.entry(text).or_default().push(id.clone());
                }
                for identity in &account.identities {
                    // Two systems of one kind: the kind alone does not say which of them is meant.
                    if let [provider] = providers.of_kind(&identity.provider).as_slice() {
                        let place = (provider.clone(), identity.id.clone());
                        index.identity.entry(place).or_default().push((system.clone(), id.clone()));
                    }
                }
            }
        }
        index
    }
}

/// A person under construction.
#[derive(Default)]
struct Draft {
    statements: Vec<Arc<Statement>>,
    accounts: BTreeMap<SystemName, AccountId>,
    held: Option<String>,
    unseen: BTreeMap<SystemName, String>,
}

impl Draft {
    fn hold(&mut self, reason: String) {
        self.held.get_or_insert(reason);
    }

    /// Takes an account, or holds where another one of that system is there already.
    fn take(&mut self, (system, id): &Place, how: &str) {
        match self.accounts.get(system) {
            Some(there) if there != id => {
                self.hold(format!("{system} has two accounts that could be meant: {there}, and {id} by {how}"));
            }
            Some(_) => {}
            None => {
                self.accounts.insert(system.clone(), id.clone());
            }
        }
    }
}

/// Puts together what belongs together.
pub(crate) fn correlate(material: &Material<'_>, policy: &Policy, providers: &dyn Providers) -> Correlated {
    let index = Index::new(material, policy, providers);
    let known: BTreeMap<Place, &PersonId> =
        material.links.iter().map(|link| ((link.system.clone(), link.account.clone()), &link.person)).collect();
    let mut linked: BTreeMap<&PersonId, Vec<Place>> = BTreeMap::new();
    for link in material.links {
        linked.entry(&link.person).or_default().push((link.system.clone(), link.account.clone()));
    }

    let mut drafts: BTreeMap<PersonId, Draft> = BTreeMap::new();
    // Who holds an account, from links and from what this run has found so far.
    let mut holders: BTreeMap<Place, PersonId> =
        known.iter().map(|(place, person)| (place.clone(), (*person).clone())).collect();

    for statement in in_order_of_sources(&material.statements, material.sources) {
        let own = PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) };
        let as_account: Place = (statement.system.clone(), statement.key.as_ref().into());
        let by_link = holders.get(&as_account).cloned().or_else(|| linked.contains_key(&own).then(|| own.clone()));

        let mut found = Draft::default();
        if let Some(person) = &by_link {
            for (system, id) in linked.get(person).into_iter().flatten() {
                if index.id.contains_key(&(system.clone(), id.clone())) {
                    found.accounts.insert(system.clone(), id.clone());
                }
            }
        }
        // An account that is tied to somebody whom this source knows under another key is not this person's, whatever
        // its address: addresses are handed on from leavers to newcomers.
        let anothers = |place: &Place| {
            known.get(place).is_some_and(|person| {
                let mut keys =
                    linked.get(*person).into_iter().flatten().filter(|(system, _)| *system == statement.system);
                let anchors = person.system == statement.system;
                (anchors && person.key != statement.key) || keys.any(|(_, key)| key.as_str() != statement.key.as_ref())
            })
        };
        let ties = by_link.as_ref().and_then(|person| linked.get(person)).map(Vec::as_slice).unwrap_or_default();
        by_own_tokens(&mut found, statement, &own, ties, material, policy, providers, &index);
        let shut = |system: &SystemName| material.own.contains_key(system);
        by_joins(&mut found, statement, policy, providers, &index, &shut, &anothers);
        by_identities(&mut found, &index, providers);

        let mut claimants: BTreeSet<PersonId> = by_link.into_iter().collect();
        for place in &found.accounts {
            claimants.extend(holders.get(&(place.0.clone(), place.1.clone())).cloned());
        }
        let person = match claimants.len() {
            0 => own.clone(),
            1 => claimants.pop_first().unwrap_or_else(|| own.clone()),
            _ => {
                let names: Vec<String> = claimants.iter().map(ToString::to_string).collect();
                found.hold(format!("its accounts belong to different people: {}", names.join(", ")));
                claimants.pop_first().unwrap_or_else(|| own.clone())
            }
        };
        for (system, id) in &found.accounts {
            holders.entry((system.clone(), id.clone())).or_insert_with(|| person.clone());
        }
        holders.entry(as_account).or_insert_with(|| person.clone());

        let draft = drafts.entry(person).or_default();
        if let Some(other) = draft.statements.iter().find(|other| other.system == statement.system) {
            let (here, there) = (&statement.origin, &other.origin);
            draft.hold(format!("{there} and {here} both seem to speak of this person"));
        }
        draft.statements.push(Arc::clone(statement));
        draft.unseen.extend(found.unseen);
        for place in found.accounts {
            draft.take(&place, "another way of looking");
        }
        if let Some(reason) = found.held {
            draft.hold(reason);
        }
    }
    finish(drafts, material, &index, &known)
}

/// Sources that may name people first, each in its own order.
fn in_order_of_sources<'a>(statements: &'a [Arc<Statement>], sources: &[SystemName]) -> Vec<&'a Arc<Statement>> {
    let rank = |system: &SystemName| sources.iter().position(|source| source == system).unwrap_or(usize::MAX);
    let mut ordered: Vec<&Arc<Statement>> = statements.iter().collect();
    // Not by place in the file: the order of rows must not matter.
    ordered.sort_by(|a, b| {
        (rank(&a.system), &a.system, &a.key, &a.origin).cmp(&(rank(&b.system), &b.system, &b.key, &b.origin))
    });
    ordered
}

/// Takes the account that her own token opens. A tie to another one, or a record that would have found another one, means
/// that the token may be somebody else's: then nothing is taken.
#[expect(clippy::too_many_arguments, reason = "each is a different thing and all are looked at")]
fn by_own_tokens(
    found: &mut Draft,
    statement: &Statement,
    own: &PersonId,
    ties: &[Place],
    material: &Material<'_>,
    policy: &Policy,
    providers: &dyn Providers,
    index: &Index<'_>,
) {
    for (system, people) in material.own {
        let id = match people.get(own) {
            Some(Opened::Account(id)) => id,
            Some(Opened::Nothing(why)) => {
                found.unseen.insert(system.clone(), why.clone());
                continue;
            }
            None => continue,
        };
        let place: Place = (system.clone(), id.clone());
        let Some(account) = index.id.get(&place) else { continue };
        let mut hers = ties.iter().filter(|(other, _)| other == system).peekable();
        let is_tied = hers.peek().is_some();
        if let Some((_, other)) = hers.find(|(_, other)| other != id) {
            found.accounts.remove(system);
            found.hold(format!(
                "the token kept for her at {system} opens account {id}, and she is tied to account {other}: is it another \
                 person's token?"
            ));
            continue;
        }
        // The first time there is no tie yet: what people are found by elsewhere has to agree in something.
        let line = policy.joins.get(system).filter(|_| !is_tied);
        let said: Vec<(&AttributeName, bool)> = line
            .iter()
            .flat_map(|line| &line.attributes)
            .filter_map(|attribute| {
                let wanted = folded(&providers.normalize(system, attribute, statement.values.get(attribute)?))?;
                Some((attribute, account.attributes.get(attribute).and_then(folded) == Some(wanted)))
            })
            .collect();
        if !said.is_empty() && said.iter().all(|(_, agrees)| !agrees) {
            let names: Vec<String> = said.iter().map(|(attribute, _)| format!("`{attribute}`")).collect();
            found.hold(format!(
                "the token kept for her at {system} opens account {id}, which differs from this record in {}: is it another \
                 person's token?",
                names.join(" and ")
            ));
            continue;
        }
        found.accounts.insert(system.clone(), id.clone());
    }
}

fn by_joins(
    found: &mut Draft,
    statement: &Statement,
    policy: &Policy,
    providers: &dyn Providers,
    index: &Index<'_>,
    shut: &dyn Fn(&SystemName) -> bool,
    anothers: &dyn Fn(&Place) -> bool,
) {
    for (system, line) in &policy.joins {
        // What another person's token opened is not found by a name.
        if found.accounts.contains_key(system) || shut(system) {
            continue;
        }
        for attribute in &line.attributes {
            let Some(value) = statement.values.get(attribute) else { continue };
            let Some(text) = folded(&providers.normalize(system, attribute, value)) else { continue };
            let hits = index.value.get(&(system.clone(), attribute.clone())).and_then(|values| values.get(&text));
            let free = |id: &&AccountId| !anothers(&(system.clone(), (*id).clone()));
            let hits: Vec<&AccountId> = hits.into_iter().flatten().filter(free).collect();
            match hits.as_slice() {
                [] => {}
                [one] => {
                    found.accounts.insert(system.clone(), (*one).clone());
                    break;
                }
                several => {
                    let ids: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
                    found.hold(format!(
                        "{system} has {} accounts with this {attribute}: {}",
                        ids.len(),
                        ids.join(", ")
                    ));
                    break;
                }
            }
        }
    }
}

/// Adds the accounts that an account signs in with, and those that sign in with it, until nothing new turns up.
fn by_identities(found: &mut Draft, index: &Index<'_>, providers: &dyn Providers) {
    let mut waiting: Vec<Place> = found.accounts.iter().map(|(system, id)| (system.clone(), id.clone())).collect();
    let mut looked_at = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if !looked_at.insert(place.clone()) {
            continue;
        }
        let mut neighbours = Vec::new();
        if let Some(account) = index.id.get(&place) {
            for identity in &account.identities {
                if let [provider] = providers.of_kind(&identity.provider).as_slice() {
                    neighbours.push((provider.clone(), identity.id.clone()));
                }
            }
        }
        neighbours.extend(index.identity.get(&place).into_iter().flatten().cloned());
        for neighbour in neighbours {
            if index.id.contains_key(&neighbour) {
                found.take(&neighbour, "the way she signs in");
                waiting.push(neighbour);
            }
        }
    }
}

fn finish(
    drafts: BTreeMap<PersonId, Draft>,
    material: &Material<'_>,
    index: &Index<'_>,
    known: &BTreeMap<Place, &PersonId>,
) -> Correlated {
    // An account that two people would have is nobody's until a person decides.
    let mut claims: BTreeMap<Place, Vec<PersonId>> = BTreeMap::new();
    for (person, draft) in &drafts {
        for (system, id) in &draft.accounts {
            claims.entry((system.clone(), id.clone())).or_default().push(person.clone());
        }
    }
    let mut remembered: BTreeMap<PersonId, Vec<Arc<Statement>>> = BTreeMap::new();
    for statement in &material.remembered {
        let own = PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) };
        let place: Place = (statement.system.clone(), statement.key.as_ref().into());
        let person = known.get(&place).map_or(own, |person| (*person).clone());
        remembered.entry(person).or_default().push(Arc::clone(statement));
    }

    let mut correlated = Correlated::default();
    for (id, mut draft) in drafts {
        let mut accounts = BTreeMap::new();
        for (system, account) in &draft.accounts {
            let place = (system.clone(), account.clone());
            if let Some(several) = claims.get(&place).filter(|several| several.len() > 1) {
                let names: Vec<String> = several.iter().map(ToString::to_string).collect();
                draft.held.get_or_insert(format!("{system} account {account} could be any of {}", names.join(", ")));
            }
            if let Some(account) = index.id.get(&place) {
                accounts.insert(system.clone(), Arc::clone(account));
            }
        }
        let mut statements = draft.statements;
        for old in remembered.remove(&id).unwrap_or_default() {
            if !statements.iter().any(|fresh| fresh.system == old.system) {
                statements.push(old);
            }
        }
        statements.sort_by(|a, b| (&a.system, &a.key).cmp(&(&b.system, &b.key)));
        if draft.held.is_none() {
            correlated.links.extend(new_links(&id, &statements, &accounts, known));
        }
        // What was found another way is not to be read or changed without her token.
        accounts.retain(|system, _| !draft.unseen.contains_key(system));
        correlated.people.push(Person { id, statements, accounts, held: draft.held, unseen: draft.unseen });
    }
    correlated.links.sort();
    correlated
}

fn new_links(
    person: &PersonId,
    statements: &[Arc<Statement>],
    accounts: &BTreeMap<SystemName, Arc<Account>>,
    known: &BTreeMap<Place, &PersonId>,
) -> Vec<Link> {
    let of_accounts = accounts.iter().filter_map(|(system, account)| Some((system.clone(), account.id.clone()?)));
    let of_records = statements
        .iter()
        .filter(|statement| statement.system != person.system || statement.key != person.key)
        .map(|statement| (statement.system.clone(), statement.key.as_ref().into()));
    of_accounts
        .chain(of_records)
        .filter(|place| known.get(place) != Some(&person))
        .map(|(system, account)| Link { person: person.clone(), system, account })
        .collect()
}
