//! Looking: providers are asked for every account that statements could be about. Nothing is changed anywhere.
//!
//! What an account means for whom is not known here: that is correlation's.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, OnceLock},
};

use futures::future::join_all;

use super::{
    RunError,
    fleet::Fleet,
    gather::Said,
    own,
    tokens::{Bearer, bearers, must_sign_in},
};
use crate::{
    model::{
        account::Wanted,
        accounts::{Accounts, AccountsById},
        attribute::{AttributeName, Value},
        capability::{OperationCapability, Takes, Unique},
        id::{AccountId, PersonId, SystemName},
        keys::Keys,
        links::Link,
        person::Unseen,
        plan::SignIn,
        policy::{CopyLine, Policy},
        record::Statement,
        refusal::Refusal,
        texts::Texts,
    },
    plan::{
        Providers,
        correlate::Opened,
        folded,
        spread::{parts, spread},
    },
    state::Memory,
};

/// What providers showed.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) accounts: BTreeMap<SystemName, Accounts>,
    /// What people's own tokens opened, by each name of theirs.
    pub(crate) own: BTreeMap<SystemName, BTreeMap<PersonId, Opened>>,
    /// Accounts that are not shown to us, although they may be there, and why.
    pub(crate) hidden: BTreeMap<SystemName, BTreeMap<AccountId, Refusal>>,
    /// Who has to sign in before her own token opens anything.
    pub(crate) sign_in: Vec<SignIn>,
    pub(crate) warnings: Vec<String>,
}

/// Looks at every account these statements could be about, and at whoever holds a name they would need.
pub(crate) async fn observe(
    said: &Said,
    memory: &Memory,
    policy: &Policy,
    fleet: &mut Fleet,
) -> Result<Shown, RunError> {
    let mut seen = Shown::default();
    if said.statements.is_empty() {
        return Ok(seen);
    }
    let first = first_look(said, memory, policy, fleet);
    let keyed: Vec<&SystemName> = first.keys().filter(|system| fleet.keyed(system).is_some()).collect();
    if !keyed.is_empty() {
        let people = speakers(said, memory, policy);
        let wanted = keyed.into_iter().map(|system| (system.clone(), people.clone())).collect();
        open(&wanted, fleet, &mut seen).await?;
    }
    let mut asked: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    look(&first, fleet, &mut seen, &mut asked).await?;
    let untied = untied(said, memory);
    // Accounts lead to others: those they sign in with, those of whoever they are known to be, and those a copy of their
    // values must not collide with.
    for _ in 0..4 {
        let mut next = next_look(&seen, policy, fleet, &asked);
        of_known(&untied, memory, policy, fleet, &seen, &asked, &mut next);
        with_members(&mut next, &asked);
        if next.values().all(Wanted::is_empty) {
            break;
        }
        look(&next, fleet, &mut seen, &mut asked).await?;
    }
    Ok(seen)
}

/// Everybody of whom something is wanted, with the names she is known by.
fn speakers(said: &Said, memory: &Memory, policy: &Policy) -> Vec<Bearer> {
    let known: BTreeMap<(&SystemName, &str), &PersonId> =
        memory.links.iter().map(|link| ((link.system, link.account), link.person)).collect();
    let mut people: BTreeMap<PersonId, BTreeSet<PersonId>> = BTreeMap::new();
    for statement in said.statements.iter().filter(|statement| !statement.of_nobody) {
        let asks = statement.spoken().next().is_some() || !statement.deeds.is_empty();
        // Whether there should be an account is asked of everybody.
        if asks || !policy.accounts.is_empty() {
            let own = PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) };
            let person = known.get(&(&statement.system, statement.key.as_ref())).map_or(&own, |person| *person);
            people.entry(person.clone()).or_default().insert(own);
        }
    }
    let mut all = bearers(people.keys(), &memory.links);
    for bearer in &mut all {
        let names = people.remove(&bearer.person).unwrap_or_default();
        bearer.also.extend(names.into_iter().filter(|name| *name != bearer.person));
    }
    all
}

/// Opens the accounts of these people with their own tokens, where systems are asked so, all of those side by side.
pub(super) async fn open(
    wanted: &BTreeMap<SystemName, Vec<Bearer>>,
    fleet: &mut Fleet,
    seen: &mut Shown,
) -> Result<(), RunError> {
    let looks = wanted.iter().filter_map(|(system, people)| {
        let (member, keyring) = fleet.keyed(system)?;
        Some(async move { (system, people, own::open(system, member, keyring, people, true).await) })
    });
    for (system, people, opened) in join_all(looks).await {
        let own::Opened { accounts, server, warnings } = opened?;
        fleet.servers.insert(system.clone(), Arc::new(server.unwrap_or_default()));
        seen.warnings.extend(warnings.into_iter().map(|warning| format!("{system}: {warning}")));
        let shown = seen.accounts.entry(system.clone()).or_default();
        let mut all = AccountsById::default();
        all.extend(std::mem::take(shown));
        let names = seen.own.entry(system.clone()).or_default();
        let mut known: BTreeSet<AccountId> = BTreeSet::new();
        let mut waiting: BTreeSet<PersonId> = BTreeSet::new();
        for bearer in people {
            let what = match accounts.get(&bearer.person) {
                Some(Ok(account)) => {
                    let Some(id) = &account.id else { continue };
                    if known.insert(id.clone()) {
                        all.insert(account);
                    }
                    Opened::Account(id.clone())
                }
                Some(Err(refusal)) => {
                    if must_sign_in(refusal) {
                        waiting.insert(bearer.person.clone());
                    }
                    Opened::Nothing(Unseen { kind: refusal.kind, reason: refusal.reason.clone(), is_hers: false })
                }
                None => continue,
            };
            for name in std::iter::once(&bearer.person).chain(&bearer.also) {
                names.insert(name.clone(), what.clone());
            }
        }
        *shown = all.into_accounts();
        if let (false, Some((_, keyring))) = (waiting.is_empty(), fleet.keyed(system)) {
            seen.sign_in.push(SignIn { system: system.clone(), at: keyring.home().to_owned(), people: waiting });
        }
    }
    seen.sign_in.sort();
    Ok(())
}

/// The providers that matter to these rules: a provider that no rule names is not asked anything.
pub(super) fn concerned(said: &Said, policy: &Policy, providers: &dyn Providers) -> Vec<SystemName> {
    let owners = policy.owners.iter().map(|line| &line.system);
    let copies = policy.copies.values().flat_map(|line| &line.systems);
    let own = policy.owners.iter().flat_map(|line| &line.attributes).filter_map(AttributeName::system);
    let deeds = said.statements.iter().flat_map(|said| &said.deeds).map(|deed| &deed.system);
    let named: BTreeSet<SystemName> = owners
        .chain(copies)
        .chain(deeds)
        .chain(policy.joins.keys())
        .chain(policy.accounts.keys())
        .cloned()
        .chain(own)
        .collect();
    providers.names().into_iter().filter(|system| named.contains(system)).collect()
}

fn first_look(said: &Said, memory: &Memory, policy: &Policy, fleet: &Fleet) -> BTreeMap<SystemName, Wanted> {
    let mut wanted: BTreeMap<SystemName, Wanted> =
        concerned(said, policy, fleet).into_iter().map(|system| (system, Wanted::default())).collect();
    if !memory.links.is_empty() {
        // Of whom something is said, by the names that records have and by those of the people they are tied to.
        let people: Keys<'_> = said.statements.iter().map(|said| (&said.system, &*said.key)).collect();
        let is_spoken = |link: &Link<'_>| people.has(link.system, link.account);
        let anchors = memory.links.iter().filter(is_spoken).map(|link| (&link.person.system, &*link.person.key));
        let anchors = anchors.collect();
        let people = people.and(anchors);
        for link in memory.links.iter().filter(|link| people.has(&link.person.system, &link.person.key)) {
            if let Some(wanted) = wanted.get_mut(link.system) {
                wanted.ids.insert(link.account.into());
            }
        }
    }
    for (set, range) in &policy.ranges {
        if let Some(wanted) = set.system().and_then(|system| wanted.get_mut(&system)) {
            wanted.members.insert(set.clone(), range.members.clone());
        }
    }
    for deed in said.statements.iter().flat_map(|said| &said.deeds) {
        let table = fleet.capabilities(&deed.system).and_then(|table| table.operation(&deed.operation));
        if let Some(wanted) = wanted.get_mut(&deed.system) {
            want_named(wanted, table, &deed.arguments);
        }
    }
    // Most systems store a text as others do: then they share them.
    let mut known: BTreeMap<AttributeName, Vec<(SystemName, Texts)>> = BTreeMap::new();
    for (system, wanted) in &mut wanted {
        for attribute in looked_up(system, policy, fleet) {
            let known = known.entry(attribute.clone()).or_default();
            let same = known.iter().find(|(other, _)| stores_as(system, other, &attribute, said, fleet));
            let texts = if let Some((_, texts)) = same {
                texts.clone()
            } else {
                let texts = said_of(system, &attribute, said, fleet);
                known.push((system.clone(), texts.clone()));
                texts
            };
            if !texts.is_empty() {
                wanted.holding.insert(attribute, texts);
            }
        }
    }
    wanted
}

/// The records that nobody is tied to, where anybody is tied at all.
fn untied<'s>(said: &'s Said, memory: &Memory) -> Vec<&'s Arc<Statement>> {
    if memory.links.is_empty() {
        return Vec::new();
    }
    let named: Keys<'_> = said.statements.iter().map(|said| (&said.system, &*said.key)).collect();
    let mut is_tied = vec![false; said.statements.len()];
    for link in memory.links.iter() {
        for (system, key) in [(link.system, link.account), (&link.person.system, &*link.person.key)] {
            if let Some(at) = named.place(system, key) {
                is_tied[at] = true;
            }
        }
    }
    said.statements.iter().zip(is_tied).filter(|(_, is_tied)| !is_tied).map(|(said, _)| said).collect()
}

/// The other accounts of people who are known already and of whom a record seems to speak that nobody is tied to: by what it
/// says one account of theirs was found, or one that theirs sign in with or that signs in with theirs; by their ties the
/// others have to be, before anything it says is looked for.
fn of_known(
    untied: &[&Arc<Statement>],
    memory: &Memory,
    policy: &Policy,
    fleet: &Fleet,
    seen: &Shown,
    asked: &BTreeMap<SystemName, Wanted>,
    next: &mut BTreeMap<SystemName, Wanted>,
) {
    if untied.is_empty() {
        return;
    }
    let mut found: BTreeSet<(&SystemName, &str)> = BTreeSet::new();
    for (system, accounts) in &seen.accounts {
        let attributes = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
        for attribute in attributes {
            let text =
                |said: &&Arc<Statement>| folded(&fleet.normalize(system, attribute, &said.values.get(attribute)?));
            let texts: BTreeSet<String> = untied.iter().filter_map(text).collect();
            let holds = |text: &str| texts.contains(&text.to_lowercase());
            let held = accounts.iter().filter(|it| !texts.is_empty() && it.text(attribute).is_some_and(holds));
            found.extend(held.filter_map(|account| Some((system, account.id()?))));
        }
    }
    if found.is_empty() {
        return;
    }
    let of_kind: BTreeMap<&str, SystemName> = seen
        .accounts
        .values()
        .flat_map(|accounts| accounts.iter().flat_map(|account| account.identities()))
        .map(|(kind, _)| kind)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter_map(|kind| Some((kind, <[SystemName; 1]>::try_from(fleet.of_kind(kind)).ok()?.into_iter().next()?)))
        .collect();
    if !of_kind.is_empty() {
        let with = |(kind, id)| Some((of_kind.get(kind)?, id));
        let all = || seen.accounts.iter().flat_map(|(system, list)| list.iter().map(move |account| (system, account)));
        let mut beside = BTreeSet::new();
        for (system, account) in all() {
            let Some(id) = account.id() else { continue };
            let signs_in_with: Vec<(&SystemName, &str)> = account.identities().filter_map(with).collect();
            if found.contains(&(system, id)) {
                beside.extend(signs_in_with);
            } else if signs_in_with.iter().any(|other| found.contains(other)) {
                beside.insert((system, id));
            }
        }
        found.extend(beside);
    }
    let of_found = memory.links.iter().filter(|link| found.contains(&(link.system, link.account)));
    let people: BTreeSet<&PersonId> = of_found.map(|link| link.person).collect();
    let mut there: BTreeMap<&SystemName, BTreeSet<&str>> = BTreeMap::new();
    for link in memory.links.iter().filter(|link| people.contains(link.person)) {
        let Some(asked) = asked.get(link.system) else { continue };
        let account = AccountId::from(link.account);
        let seen = || seen.accounts.get(link.system).into_iter().flat_map(Accounts::iter);
        let there = there.entry(link.system).or_insert_with(|| seen().filter_map(|it| it.id()).collect());
        if !asked.ids.contains(&account) && !there.contains(link.account) {
            next.entry(link.system.clone()).or_default().ids.insert(account);
        }
    }
}

/// What is said of an attribute, as a system stores it.
fn said_of(system: &SystemName, attribute: &AttributeName, said: &Said, fleet: &Fleet) -> Texts {
    let text = |statement: &Arc<Statement>| match fleet.normalize(system, attribute, &statement.values.get(attribute)?)
    {
        Value::Text(text) => Some(text),
        Value::Empty | Value::Bool(_) => None,
    };
    let of = |part: Range<usize>| -> Texts { said.statements[part].iter().filter_map(text).collect() };
    let people = said.statements.len();
    let mut all = spread(parts(people), people, of);
    match all.as_mut_slice() {
        [one] => std::mem::take(one),
        several => several.iter().flat_map(Texts::iter).collect(),
    }
}

/// True where both systems store all that is said of an attribute in the same way.
fn stores_as(one: &SystemName, other: &SystemName, attribute: &AttributeName, said: &Said, fleet: &Fleet) -> bool {
    let is_same = |statement: &Arc<Statement>| {
        statement
            .values
            .get(attribute)
            .is_none_or(|value| fleet.normalize(one, attribute, &value) == fleet.normalize(other, attribute, &value))
    };
    let people = said.statements.len();
    let all_are = |part: Range<usize>| said.statements[part].iter().all(is_same);
    spread(parts(people), people, all_are).into_iter().all(|all| all)
}

/// The things an operation's arguments name, whose ids are needed.
pub(super) fn want_named(
    wanted: &mut Wanted,
    table: Option<&'static OperationCapability>,
    arguments: &BTreeMap<String, Value>,
) {
    for argument in table.map(|table| table.arguments).unwrap_or_default() {
        if let (Takes::Named(kind), Some(name)) =
            (argument.takes, arguments.get(argument.name).and_then(Value::as_text))
        {
            wanted.named.entry(kind.to_owned()).or_default().insert(name.to_owned());
        }
    }
}

/// The attributes by which a provider is asked: those people are found by, and those that must not collide.
fn looked_up(system: &SystemName, policy: &Policy, fleet: &Fleet) -> Vec<AttributeName> {
    let Some(table) = fleet.capabilities(system) else { return Vec::new() };
    let joins = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
    let unique = table.attributes.iter().filter(|row| row.unique != Unique::No).map(|row| table.name(system, row));
    let mut all: Vec<AttributeName> = joins.iter().cloned().chain(unique).collect();
    all.retain(|attribute| table.lookups.contains(&attribute.local()));
    all.sort();
    all.dedup();
    all
}

/// What accounts lead to that was not asked for yet.
#[derive(Default)]
struct Leads {
    ids: Vec<(SystemName, AccountId)>,
    texts: BTreeMap<(SystemName, AttributeName), Vec<Arc<str>>>,
}

fn next_look(
    seen: &Shown,
    policy: &Policy,
    fleet: &Fleet,
    asked: &BTreeMap<SystemName, Wanted>,
) -> BTreeMap<SystemName, Wanted> {
    let mut next: BTreeMap<SystemName, Wanted> = BTreeMap::new();
    let ids = seen.accounts.keys().map(|system| (system, OnceLock::new())).collect();
    let leads = seen.accounts.iter().flat_map(|(system, accounts)| {
        let from = |part| leads(system, part, &ids, seen, policy, fleet, asked);
        spread(parts(accounts.len()), accounts.len(), from)
    });
    let mut all: BTreeMap<(SystemName, AttributeName), Vec<Arc<str>>> = BTreeMap::new();
    for Leads { ids, texts } in leads {
        for (system, id) in ids {
            next.entry(system).or_default().ids.insert(id);
        }
        for (of, mut texts) in texts {
            all.entry(of).or_default().append(&mut texts);
        }
    }
    for ((system, attribute), texts) in all {
        next.entry(system).or_default().holding.insert(attribute, texts.iter().collect());
    }
    next
}

/// Whoever is seen is seen with her memberships, and what operations name is asked for again: the last answer is what is
/// known of a server.
fn with_members(next: &mut BTreeMap<SystemName, Wanted>, asked: &BTreeMap<SystemName, Wanted>) {
    for (system, wanted) in next {
        if let Some(before) = asked.get(system) {
            wanted.members.clone_from(&before.members);
            wanted.named.clone_from(&before.named);
        }
    }
}

/// The ids of each system's accounts that were seen, in order, once somebody asks.
type Ids<'a> = BTreeMap<&'a SystemName, OnceLock<Vec<&'a str>>>;

/// So many accounts are looked at together, so that memory is waited for once for all of them.
const BLOCK: usize = 64;

/// What these accounts of a system lead to.
fn leads<'a>(
    system: &SystemName,
    part: Range<usize>,
    ids: &Ids<'a>,
    seen: &'a Shown,
    policy: &Policy,
    fleet: &Fleet,
    asked: &BTreeMap<SystemName, Wanted>,
) -> Leads {
    let mut leads = Leads::default();
    let Some(accounts) = seen.accounts.get(system) else { return leads };
    let takers = |line: &CopyLine| -> Vec<SystemName> {
        line.systems.iter().filter(|taker| *taker != system).cloned().collect()
    };
    // Where a copy would go that must not collide there, and what was asked for there already.
    let ways = policy
        .copies
        .iter()
        .flat_map(|(attribute, line)| takers(line).into_iter().map(move |taker| (attribute, taker)));
    let ways: Vec<_> = ways
        .filter(|(attribute, taker)| looked_up(taker, policy, fleet).contains(attribute))
        .map(|(attribute, taker)| {
            let before = asked.get(&taker).and_then(|wanted| wanted.holding.get(attribute));
            (attribute, taker, before)
        })
        .collect();
    // The one system of each kind that somebody signs in with.
    let mut kinds: BTreeMap<&str, Option<SystemName>> = BTreeMap::new();
    let by_attribute: Vec<&[(&AttributeName, SystemName, Option<&Texts>)]> =
        ways.chunk_by(|(one, ..), (other, ..)| one == other).collect();
    let mut held: Vec<(usize, &str)> = Vec::new();
    for block in part.clone().step_by(BLOCK).map(|start| start..part.end.min(start + BLOCK)) {
        held.clear();
        for account in block.filter_map(|at| accounts.get(at)) {
            for (kind, id) in account.identities() {
                let provider = kinds.entry(kind).or_insert_with(|| match fleet.of_kind(kind).as_slice() {
                    [one] => Some(one.clone()),
                    _ => None,
                });
                let Some(provider) = provider else { continue };
                let is_seen = ids
                    .get(provider)
                    .is_some_and(|ids| ids.get_or_init(|| ids_of(seen, provider)).binary_search(&id).is_ok());
                let id = AccountId::from(id);
                if !is_seen && !asked.get(provider).is_some_and(|wanted| wanted.ids.contains(&id)) {
                    leads.ids.push((provider.clone(), id));
                }
            }
            // Both are in order of attribute.
            let mut values = account.iter().peekable();
            for (at, takers) in by_attribute.iter().enumerate() {
                let Some((attribute, ..)) = takers.first() else { continue };
                while values.next_if(|(name, _)| name < attribute).is_some() {}
                let value = values.peek().filter(|(name, _)| name == attribute);
                held.extend(value.and_then(|(_, value)| value.text()).map(|text| (at, text)));
            }
        }
        // Most systems store a text as others do, and are asked about the same texts.
        for (at, takers) in by_attribute.iter().enumerate() {
            if let Some(texts) = takers.first().and_then(|(.., before)| *before) {
                texts.read_ahead(held.iter().filter(|(other, _)| *other == at).map(|(_, text)| *text));
            }
        }
        for (at, text) in &held {
            let (takers, value) = (by_attribute[*at], Value::text(text));
            let mut known: Option<(Value, &Texts)> = None;
            for (attribute, taker, before) in takers {
                let value = fleet.normalize(taker, attribute, &value);
                let is_known = known
                    .as_ref()
                    .is_some_and(|(known, texts)| *known == value && before.is_some_and(|before| before.is(texts)));
                let Value::Text(text) = &value else { continue };
                if is_known {
                    continue;
                }
                if let Some(texts) = before.filter(|texts| texts.contains(text)) {
                    known = Some((value, texts));
                } else {
                    let texts = leads.texts.entry((taker.clone(), (*attribute).clone())).or_default();
                    texts.push(Arc::clone(text));
                }
            }
        }
    }
    leads
}

/// The ids of a system's accounts that were seen, in order.
fn ids_of<'a>(seen: &'a Shown, system: &SystemName) -> Vec<&'a str> {
    let mut ids: Vec<&str> =
        seen.accounts.get(system).into_iter().flatten().filter_map(|account| account.id()).collect();
    ids.sort_unstable();
    ids
}

/// Asks all providers side by side.
pub(super) async fn look(
    wanted: &BTreeMap<SystemName, Wanted>,
    fleet: &mut Fleet,
    seen: &mut Shown,
    asked: &mut BTreeMap<SystemName, Wanted>,
) -> Result<(), RunError> {
    let questions = wanted.iter().filter_map(|(system, wanted)| {
        let member = fleet.members.get(system).filter(|member| member.keyring.is_none())?;
        Some(async move { (system, member.observe(wanted).await) })
    });
    let answers = join_all(questions).await;
    for (system, answer) in answers {
        let observed =
            answer.map_err(|source| RunError::Unread { system: system.clone(), source: Box::new(source) })?;
        fleet.servers.insert(system.clone(), Arc::clone(&observed.server));
        for warning in observed.warnings {
            let warning = format!("{system}: {warning}");
            if !seen.warnings.contains(&warning) {
                seen.warnings.push(warning);
            }
        }
        if !observed.hidden.is_empty() {
            seen.hidden.entry(system.clone()).or_default().extend(observed.hidden);
        }
        seen.accounts.entry(system.clone()).or_default().add_new(observed.accounts);
        let before = asked.entry(system.clone()).or_default();
        if let Some(wanted) = wanted.get(system) {
            before.members.clone_from(&wanted.members);
            before.named.clone_from(&wanted.named);
            before.ids.extend(wanted.ids.iter().cloned());
            for (attribute, texts) in &wanted.holding {
                before.holding.entry(attribute.clone()).or_default().add(texts);
            }
        }
    }
    Ok(())
}
