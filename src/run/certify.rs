//! What the planner's proof of rest needs to know of a project: rules, sources and connectors as one configuration.
//!
//! Nothing is run and nobody is asked. How a provider takes and stores values, and what comes to it by itself, is learned
//! from its connector's own forecasts for made-up accounts. What a condition looks at is read from its text; a condition
//! that looks at nothing which runs can change is a fact about the person. What is computed in a module is not seen.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::{fleet::Fleet, project::Project};
use crate::{
    config::schema::Says,
    connector::{Connector, Kind},
    model::{
        account::{Account, Facts, Identity},
        attribute::{AttributeName, Value},
        capability::{Change, Foresight, Reads, Verdict as Answered},
        id::SystemName,
        origin::Origin,
        refusal::RefusalKind,
    },
    plan::rounds::{
        Answer, Attribute, Comes, Condition, Configuration, Holder, Holds, Line, Looks, Owner, Route, Speaks, Stores,
        System, Verdict, certify,
    },
};

/// With more providers than this, only people with an account at each are looked at.
const MOST_PROVIDERS: usize = 4;

/// Whether runs of this project come to rest, whatever people hold and wherever they have accounts.
pub(crate) fn certificate(project: &Project, kinds: &[Kind]) -> Verdict {
    let configuration = configuration(project, kinds);
    let providers: Vec<&SystemName> =
        configuration.systems.iter().filter(|(_, system)| system.is_provider).map(|(name, _)| name).collect();
    let subsets = if providers.len() > MOST_PROVIDERS { 1 } else { 1_usize << providers.len() };
    let mut verdict = Verdict::Free;
    for subset in 0..subsets {
        let is_absent = |(at, _): &(usize, &&SystemName)| subset >> at & 1 == 1;
        let absent = providers.iter().enumerate().filter(is_absent).map(|(_, name)| (*name).clone()).collect();
        match certify(&Configuration { absent, ..configuration.clone() }) {
            Verdict::Free => {}
            Verdict::Oscillates(trace) => return Verdict::Oscillates(trace),
            unsure @ Verdict::Unsure { .. } => verdict = unsure,
        }
    }
    verdict
}

/// The project as rounds see it.
fn configuration(project: &Project, kinds: &[Kind]) -> Configuration {
    let policy = project.rules.policy();
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
    let attributes = &mut configuration.attributes;
    for line in &policy.owners {
        for attribute in &line.attributes {
            let condition = line.conditional.then(|| project.condition(&line.origin));
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
        for attribute in project.rules.speaks_of(source) {
            attributes.entry(attribute).or_default().speakers.insert(source.clone(), origin.clone());
        }
    }
    for (system, origin) in &policy.accounts {
        let condition = project.has_condition(origin).then(|| project.condition(origin));
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
    let routes = project.routes(&providers);
    for attribute in attributes.values_mut() {
        attribute.routes.clone_from(&routes);
    }
    configuration
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

impl Project {
    /// What a line's condition looks at, as its text shows it.
    fn condition(&self, line: &Origin) -> Condition {
        let statement = self.statement(line);
        let (parameter, body) = lambda(&statement).unwrap_or_default();
        let mut reads = BTreeSet::new();
        let calls = Regex::new(r"\b[A-Za-z_]\w*\s*\(|::");
        let own = calls.is_ok_and(|calls| calls.find_iter(body).any(|call| self.is_function(line, call.as_str())));
        if parameter.is_empty() || own {
            // The work is done in a function: anything that its script names may be looked at.
            let text = self.rules.text(&line.file).map(ToString::to_string).unwrap_or_default();
            let names: BTreeSet<&str> =
                text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
            for name in &names {
                reads.extend(self.looks(None, name));
                if self.known.systems.contains_key(&SystemName::from(*name)) {
                    reads.extend(names.iter().filter_map(|attribute| self.looks(Some(name), attribute)));
                }
            }
            return Condition { reads: reads.into_iter().collect(), holds: Holds::Somehow };
        }
        let pattern = format!(
            r#"\b{}\s*(?:\??\.\s*(?<a>\w+)|\??\[\s*"(?<b>[^"]+)"\s*\])(?:\s*\??\.\s*(?<c>\w+)|\s*\??\[\s*"(?<d>[^"]+)"\s*\])?"#,
            regex::escape(parameter)
        );
        let Ok(pattern) = Regex::new(&pattern) else { return Condition { reads: Vec::new(), holds: Holds::Somehow } };
        let mut looked = None;
        for found in pattern.captures_iter(body) {
            let text = |one: &str, other: &str| found.name(one).or_else(|| found.name(other)).map(|it| it.as_str());
            let Some(first) = text("a", "b") else { continue };
            let looks = match text("c", "d") {
                _ if self.looks(None, first).is_some() => self.looks(None, first),
                Some(second) => self.looks(Some(first), second),
                None => None,
            };
            looked = looks.is_some().then(|| found.get(0).map_or("", |it| it.as_str()).to_owned());
            reads.extend(looks);
        }
        let reads: Vec<Looks> = reads.into_iter().collect();
        let holds = match (&*reads, looked) {
            ([_], Some(looked)) => exactly(body, &looked),
            _ => Holds::Somehow,
        };
        Condition { reads, holds }
    }

    /// What `route` and `refused` lines may answer, as their texts show it: whatever they name, of any attribute.
    fn routes(&self, providers: &BTreeMap<SystemName, Provider>) -> Vec<Route> {
        let policy = self.rules.policy();
        let hooks = policy.routes.iter().map(|origin| (None, origin));
        let hooks = hooks.chain(policy.refusals.iter().map(|(system, origin)| (Some(system), origin)));
        let mut routes = Vec::new();
        let calls = Regex::new(r"\b[A-Za-z_]\w*\s*\(|::");
        let sends = Regex::new(r"\bto\s*\(");
        for (system, origin) in hooks {
            let statement = self.statement(origin);
            let route =
                |to| Route { at: system.cloned(), is_of_refusals: system.is_some(), to, origin: origin.clone() };
            let mut is_plain = lambda(&statement).is_some();
            for (at, _) in statement.match_indices("to(") {
                let inside = statement[at + 3..].split(')').next().unwrap_or_default();
                let quoted = inside.trim().trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim);
                let names: Option<Vec<SystemName>> =
                    quoted.map(|name| Some(SystemName::from(name.strip_prefix('"')?.strip_suffix('"')?))).collect();
                is_plain &= names.is_some();
                routes.extend(names.map(route));
            }
            let calls_others = calls
                .as_ref()
                .is_ok_and(|it| it.find_iter(&statement).any(|call| self.is_function(origin, call.as_str())));
            // A function can send a change somewhere only where some function says `to`.
            let says_to = |text: &std::sync::Arc<str>| {
                let rest = text.replace(statement.as_str(), "");
                sends.as_ref().is_ok_and(|it| it.is_match(&rest))
            };
            is_plain &= !(calls_others && self.rules.within_reach(&origin.file).into_iter().any(says_to));
            if !is_plain {
                // The answer is made where it cannot be seen: it may be any.
                routes.extend(providers.keys().map(|name| route(vec![name.clone()])));
            }
            if !is_plain || calls_others || statement.contains("drop(") || statement.contains("hold(") {
                routes.push(route(Vec::new()));
            }
        }
        routes
    }

    /// The value of that name, where runs may change it.
    fn looks(&self, system: Option<&str>, name: &str) -> Option<Looks> {
        let Some(system) = system else {
            let attribute = AttributeName::new(name);
            let is_one = crate::model::attribute::NEUTRAL.contains(&name) || attribute.system().is_some();
            return is_one.then_some(Looks { system: None, attribute });
        };
        let system = SystemName::from(system);
        let known = self.known.systems.get(&system)?;
        let attribute = if known.own_attributes.iter().any(|own| own == name) {
            AttributeName::of_system(&system, name)
        } else if known.attributes.iter().any(|own| own == name) {
            AttributeName::new(name)
        } else {
            return None;
        };
        Some(Looks { system: Some(system), attribute })
    }

    /// Whether a call in a rule's text is of a function that the same script, or a module, holds.
    fn is_function(&self, line: &Origin, call: &str) -> bool {
        let name = call.trim_end_matches('(').trim();
        let text = self.rules.text(&line.file);
        name.ends_with("::") || text.is_some_and(|text| text.contains(&format!("fn {name}")))
    }

    fn has_condition(&self, line: &Origin) -> bool {
        self.statement(line).contains(',')
    }

    /// The text from a line's place to the end of its statement.
    fn statement(&self, line: &Origin) -> String {
        let Some(text) = self.rules.text(&line.file) else { return String::new() };
        let lines: Vec<&str> = text.lines().skip(line.line.saturating_sub(1)).collect();
        let text: String = lines.join("\n").chars().skip(line.column.saturating_sub(1)).collect();
        let mut depth = 0_usize;
        let mut quoted = false;
        let end = text.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            match c {
                '(' | '{' | '[' if !quoted => depth += 1,
                ')' | '}' | ']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            !quoted && depth == 0 && (*c == ')' || *c == ';')
        });
        end.map_or(text.clone(), |(at, _)| text[..at].to_owned())
    }
}

/// The parameter and the body of the function that is written in a statement.
fn lambda(statement: &str) -> Option<(&str, &str)> {
    let (_, rest) = statement.split_once('|')?;
    let (parameter, body) = rest.split_once('|')?;
    Some((parameter.trim(), body.trim()))
}

/// How a condition answers that is nothing but the value it looks at, or compares it with one.
fn exactly(body: &str, looked: &str) -> Holds {
    let compact = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (body, looked) = (compact(body), compact(looked));
    let value = |text: &str| match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => {
            let inner = text.strip_prefix('"')?.strip_suffix('"')?;
            (!inner.contains('"')).then(|| Value::text(inner))
        }
    };
    if body == looked {
        return Holds::Where(true.into());
    }
    if body.strip_prefix('!') == Some(&*looked) {
        return Holds::Unless(true.into());
    }
    let rest = body.strip_prefix(&*looked).unwrap_or_default();
    let equal = rest.strip_prefix("==").and_then(value).map(Holds::Where);
    equal.or_else(|| rest.strip_prefix("!=").and_then(value).map(Holds::Unless)).unwrap_or(Holds::Somehow)
}
