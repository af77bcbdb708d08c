//! What the planner's proof of rest needs to know of a project: rules, sources and connectors as one configuration.
//!
//! Nothing is run and nobody is asked. How a provider takes and stores values, and what comes to it by itself, is learned
//! from its connector's own forecasts for made-up accounts. What a condition looks at is read from the tree of its
//! script; a condition that looks at nothing which runs can change is a fact about the person. Where the tree does not
//! show what a function does, it is taken to do anything: to look at every value that runs can change, to speak of
//! every attribute that somebody owns, to send changes to any provider.

use std::collections::{BTreeMap, BTreeSet};

use super::{fleet::Fleet, project::Project};
use crate::{
    config::schema::Says,
    connector::{Connector, Kind},
    model::{
        account::{Account, Facts, Identity},
        attribute::{AttributeName, NEUTRAL, Value},
        capability::{Change, Foresight, Reads, Verdict as Answered},
        id::SystemName,
        refusal::RefusalKind,
    },
    plan::rounds::{
        Answer, Attribute, Comes, Condition, Configuration, Holder, Holds, Line, Looks, Owner, Route, Speaks, Stores,
        System, Verdict, certify,
    },
    rules::lint::sight::{Eyes, Look, Sight, Ways},
};

/// With more providers than this, not every set of missing accounts is tried.
const MOST_PROVIDERS: usize = 8;

/// After so many sets of missing accounts that cannot be looked through, the rest would not make anybody surer.
const MOST_UNSURE: usize = 4;

/// With more providers than this, not every set of them is tried where a change may be sent anywhere.
const MOST_TARGETS: usize = 4;

/// Whether runs of this project come to rest, whatever people hold and wherever they have accounts.
pub(crate) fn certificate(project: &Project, kinds: &[Kind]) -> Verdict {
    let seen = configuration(project, kinds);
    let configuration = seen.configuration;
    let providers: Vec<&SystemName> =
        configuration.systems.iter().filter(|(_, system)| system.is_provider).map(|(name, _)| name).collect();
    let attributes = || configuration.attributes.keys().cloned().collect();
    let mut unsure: Vec<Verdict> = Vec::new();
    let mut tried = 0;
    for subset in 0..1_usize << providers.len().min(MOST_PROVIDERS) {
        let is_absent = |(at, _): &(usize, &&SystemName)| subset >> at & 1 == 1;
        let absent = providers.iter().enumerate().filter(is_absent).map(|(_, name)| (*name).clone()).collect();
        tried += 1;
        match certify(&Configuration { absent, ..configuration.clone() }) {
            Verdict::Free => {}
            Verdict::Oscillates(trace) => return Verdict::Oscillates(trace),
            verdict @ Verdict::Unsure { .. } => unsure.push(verdict),
        }
        if unsure.len() == MOST_UNSURE {
            break;
        }
    }
    let is_whole = seen.is_whole && providers.len() <= MOST_PROVIDERS;
    match unsure.pop() {
        Some(unsure) => unsure,
        None if is_whole => Verdict::Free,
        None => Verdict::Unsure { tried, attributes: attributes() },
    }
}

/// The project as rounds see it.
struct Seen {
    configuration: Configuration,
    /// False: more can happen than the configuration says.
    is_whole: bool,
}

fn configuration(project: &Project, kinds: &[Kind]) -> Seen {
    let policy = project.rules.policy();
    let eyes = project.rules.eyes();
    let mut configuration = Configuration::default();
    let mut providers = BTreeMap::new();
    for (name, system) in &project.config.systems {
        let kind = Fleet::kind_named(&system.kind, kinds);
        let says = project.sources.get(name).map(|source| match source.says {
            Says::State => Speaks::State,
            Says::Changes => Speaks::Changes,
        });
        configuration.systems.insert(name.clone(), System { says, is_provider: kind.is_some() });
        let connector = kind.and_then(|kind| (kind.open)(system.options.clone()).ok());
        if let Some((kind, connector)) = kind.zip(connector) {
            providers.insert(name.clone(), Provider { kind: kind.name, connector });
        }
    }
    // A connector that does not open foretells nothing.
    let mut is_whole = configuration.systems.iter().all(|(name, it)| !it.is_provider || providers.contains_key(name));
    let moving = Moving::of(project, &providers);
    let attributes = &mut configuration.attributes;
    for (number, line) in policy.owners.iter().enumerate() {
        for attribute in &line.attributes {
            let condition = eyes.of_owner(number).map(|sight| moving.condition(sight));
            let owner = Owner { system: line.system.clone(), line: Line { condition, origin: line.origin.clone() } };
            let entry: &mut Attribute = attributes.entry(attribute.clone()).or_default();
            entry.owners.push(owner);
            // What only one system has goes there without a line of its own.
            if let Some(system) = attribute.system() {
                entry.copies.insert(system, line.origin.clone());
            }
        }
    }
    for (attribute, line) in &policy.copies {
        let entry = attributes.entry(attribute.clone()).or_default();
        entry.copies.extend(line.systems.iter().map(|system| (system.clone(), line.origin.clone())));
    }
    for (source, origin) in &policy.sources {
        let spoken = eyes.says(source).unwrap_or_else(|| attributes.keys().cloned().collect());
        for attribute in spoken {
            attributes.entry(attribute).or_default().speakers.insert(source.clone(), origin.clone());
        }
    }
    for (system, origin) in &policy.accounts {
        let condition = eyes.of_account(system).map(|sight| moving.condition(sight));
        let line = Line { condition, origin: origin.clone() };
        attributes.entry(AttributeName::new("active")).or_default().accounts.insert(system.clone(), line);
    }
    let lines =
        attributes.values().flat_map(|it| it.owners.iter().map(|owner| &owner.line).chain(it.accounts.values()));
    let read = lines.filter_map(|line| line.condition.as_ref()).flat_map(|condition| &condition.reads);
    let read: BTreeSet<AttributeName> = read.map(|looks| looks.attribute.clone()).collect();
    // What one account takes from another attribute elsewhere needs that attribute to be there.
    let mut missing: BTreeSet<AttributeName> = read;
    while let Some(name) = missing.pop_first() {
        attributes.entry(name).or_default();
    }
    let mut waiting: Vec<AttributeName> = attributes.keys().cloned().collect();
    while let Some(name) = waiting.pop() {
        let holders = holders(&name, &providers);
        let others: Vec<AttributeName> = holders
            .values()
            .filter_map(|holder| holder.comes.as_ref()?.reads.other())
            .map(AttributeName::new)
            .collect();
        let values = values(&name, &holders);
        let entry = attributes.entry(name).or_default();
        (entry.holders, entry.values) = (holders, values);
        for other in others {
            if !attributes.contains_key(&other) {
                attributes.insert(other.clone(), Attribute::default());
                waiting.push(other);
            }
        }
    }
    let routes = routes(project, &eyes, &providers, &mut is_whole);
    for attribute in attributes.values_mut() {
        attribute.routes.clone_from(&routes);
    }
    Seen { configuration, is_whole }
}

/// What runs can change: attributes that rules say something of, and those that come to an account because of one of
/// them.
struct Moving<'a> {
    attributes: BTreeSet<AttributeName>,
    providers: &'a BTreeMap<SystemName, Provider>,
}

impl<'a> Moving<'a> {
    fn of(project: &Project, providers: &'a BTreeMap<SystemName, Provider>) -> Self {
        let policy = project.rules.policy();
        let owned = policy.owners.iter().flat_map(|line| &line.attributes);
        let mut attributes: BTreeSet<AttributeName> = owned.chain(policy.copies.keys()).cloned().collect();
        if !policy.accounts.is_empty() {
            attributes.insert(AttributeName::new("active"));
        }
        let systems = project.known.systems.iter();
        let own = systems
            .flat_map(|(system, it)| it.own_attributes.iter().map(|local| AttributeName::of_system(system, local)));
        let neutral = NEUTRAL.iter().map(|name| AttributeName::new(name));
        let mut others: Vec<(AttributeName, BTreeSet<AttributeName>)> = neutral
            .chain(own)
            .map(|name| {
                let comes = holders(&name, providers).into_values().filter_map(|holder| holder.comes);
                let from = comes.filter_map(|comes| comes.reads.other().map(AttributeName::new)).collect();
                (name, from)
            })
            .collect();
        while let Some(at) = others.iter().position(|(_, from)| !from.is_disjoint(&attributes)) {
            attributes.insert(others.swap_remove(at).0);
        }
        Self { attributes, providers }
    }

    /// A condition, with everything that it may look at written out.
    fn condition(&self, sight: Sight) -> Condition {
        let Sight { looks, anything, compares } = sight;
        let mut reads = BTreeSet::new();
        let mut is_one = !anything;
        for look in looks {
            if let Look { system, attribute: Some(attribute) } = look {
                reads.insert(Looks { system, attribute });
            } else if let Some(system) = look.system {
                is_one = false;
                reads.extend(self.at(&system));
            }
        }
        if anything {
            reads.extend(self.attributes.iter().map(|attribute| Looks { system: None, attribute: attribute.clone() }));
            reads.extend(self.providers.keys().flat_map(|system| self.at(system)));
        }
        let holds = match compares.filter(|_| is_one) {
            Some((value, true)) => Holds::Where(value),
            Some((value, false)) => Holds::Unless(value),
            None => Holds::Somehow,
        };
        Condition { reads: reads.into_iter().collect(), holds }
    }

    /// What can change at one system.
    fn at(&self, system: &SystemName) -> Vec<Looks> {
        let Some(provider) = self.providers.get(system) else { return Vec::new() };
        let held = self.attributes.iter().filter(|it| provider.connector.capabilities().of(system, it).is_some());
        held.map(|attribute| Looks { system: Some(system.clone()), attribute: attribute.clone() }).collect()
    }
}

/// What `route` and `refused` lines may answer, of any attribute.
fn routes(
    project: &Project,
    eyes: &Eyes<'_>,
    providers: &BTreeMap<SystemName, Provider>,
    is_whole: &mut bool,
) -> Vec<Route> {
    let policy = project.rules.policy();
    let hooks = policy.routes.iter().enumerate().map(|(at, origin)| (None, origin, eyes.of_route(at)));
    let refusals = policy.refusals.iter().enumerate();
    let hooks = hooks.chain(refusals.map(|(at, (system, origin))| (Some(system), origin, eyes.of_refusal(at))));
    let mut routes = Vec::new();
    for (system, origin, ways) in hooks {
        let Ways { mut to, stops, anywhere } = ways;
        if anywhere {
            let few = providers.len() <= MOST_TARGETS;
            *is_whole &= few;
            let sets = 1..1_usize << if few { providers.len() } else { 0 };
            let chosen = |set: usize| {
                let names = providers.keys().enumerate().filter(move |(at, _)| set >> at & 1 == 1);
                names.map(|(_, name)| name.clone()).collect::<Vec<_>>()
            };
            to.extend(sets.map(chosen));
            to.extend(providers.keys().map(|name| vec![name.clone()]));
        }
        if stops || anywhere {
            to.insert(Vec::new());
        }
        let route = |to| Route { at: system.cloned(), is_of_refusals: system.is_some(), to, origin: origin.clone() };
        routes.extend(to.into_iter().map(route));
    }
    routes
}

/// A configured provider, asked only what it would do.
struct Provider {
    kind: &'static str,
    connector: Box<dyn Connector>,
}

/// How each provider holds an attribute.
fn holders(attribute: &AttributeName, providers: &BTreeMap<SystemName, Provider>) -> BTreeMap<SystemName, Holder> {
    let mut holders = BTreeMap::new();
    for (system, provider) in providers {
        let Some(row) = provider.connector.capabilities().of(system, attribute) else { continue };
        let plain = account(system, None);
        let [before, after] = samples(attribute);
        let change = |before: &Value, after: &Value| Change {
            attribute: attribute.clone(),
            before: before.clone(),
            after: provider.connector.normalize(attribute, after),
        };
        let answer = |foresight: &Foresight| match &foresight.verdict {
            _ if !row.write.is_yes() => Answer::No,
            Answered::Takes => Answer::Takes,
            Answered::Refuses { kind: RefusalKind::OwnedElsewhere, .. } => Answer::Elsewhere,
            Answered::Refuses { .. } | Answered::Doomed { .. } => Answer::No,
        };
        let comes = providers.iter().filter(|(other, _)| *other != system).find_map(|(other, leader)| {
            let account = account(system, Some(leader.kind));
            let told = provider.connector.foresee(&account, &change(&before, &after));
            let follows = told.follows.as_ref().filter(|follows| follows.provider == leader.kind)?;
            let arrives = |value: &Value| {
                let told =
                    provider.connector.foresee(&account, &Change { after: value.clone(), ..change(&before, value) });
                told.follows.and_then(|follows| follows.becomes.ok())
            };
            Some(Comes {
                from: other.clone(),
                reads: follows.reads,
                arrives: stores(attribute, &|value| arrives(value).unwrap_or_else(|| value.clone())),
                is_foreseen: true,
                answer: answer(&told),
            })
        });
        let stores = stores(attribute, &|value| provider.connector.normalize(attribute, value));
        let answer = answer(&provider.connector.foresee(&plain, &change(&before, &after)));
        holders.insert(system.clone(), Holder { stores, answer, comes });
    }
    holders
}

/// An account as most are: of somebody who signs in with a password, or through a system of that kind.
fn account(system: &SystemName, through: Option<&str>) -> Account {
    let mut account = Account::absent(system.clone(), std::sync::Arc::default());
    account.id = Some("1".into());
    account.facts = Facts::from([("auth_service".to_owned(), through.unwrap_or_default().into())]);
    account.identities.extend(through.map(|kind| Identity { provider: kind.to_owned(), id: "1".into() }));
    account
}

/// Two values that any provider should take.
fn samples(attribute: &AttributeName) -> [Value; 2] {
    match attribute.local() {
        "active" => [true.into(), false.into()],
        "email" | "public_email" | "commit_email" => ["ann@example.com".into(), "bea@example.com".into()],
        "locale" | "preferred_language" => ["de".into(), "fr".into()],
        "phone" => ["+41441112233".into(), "+41444445566".into()],
        "timezone" => ["Europe/Bern".into(), "Europe/Rome".into()],
        _ => ["ann".into(), "bea".into()],
    }
}

/// What becomes of the letter case and of blanks.
fn stores(attribute: &AttributeName, of: &dyn Fn(&Value) -> Value) -> Stores {
    let [Value::Text(sample), _] = samples(attribute) else { return Stores::default() };
    let upper = Value::text(&sample.to_uppercase());
    let padded = Value::text(&format!("{sample} "));
    Stores {
        lower: of(&upper).as_text() == Some(&*sample),
        trimmed: of(&padded).as_text() == Some(&*sample),
        cut: None,
    }
}

/// The values worth trying: two, and what tells apart how they are stored.
fn values(attribute: &AttributeName, holders: &BTreeMap<SystemName, Holder>) -> Vec<Value> {
    let mut values = samples(attribute).to_vec();
    let [first, _] = samples(attribute);
    let Some(text) = first.as_text() else { return values };
    let all = || holders.values().flat_map(|holder| [Some(holder.stores), holder.comes.as_ref().map(|it| it.arrives)]);
    if all().flatten().any(|stores| stores.lower) {
        values.push(Value::text(&text.to_uppercase()));
    }
    if attribute.as_str() == "display_name"
        || holders.values().any(|it| it.comes.as_ref().is_some_and(|it| it.reads != Reads::Same))
    {
        values.push(Value::text(&format!("{text} x")));
    }
    values
}
