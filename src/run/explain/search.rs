//! What it would take: the smallest supposition under which a cell is decided otherwise, found by trying.
//!
//! First every single thing that the decision could depend on is tried, those of the world before those of the rules. Where
//! none does, everything that could stand in the way is supposed away at once, and then put back piece by piece: what
//! remains has no part that could be left out. Nothing is told that was not really decided again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, Fact, Material};
use crate::{
    model::{
        account::Account,
        attribute::{AttributeName, Value},
        id::SystemName,
        person::Person,
        plan::{Decision, PlannedChange},
        record::Statement,
    },
    plan::{Providers, guard::is_protected},
    run::RunError,
};

/// So many ways are told of one cell.
const TOLD: usize = 3;

/// So many values are tried of one thing.
const VALUES: usize = 10;

/// So many pairs are tried before a change of three and more is told.
const PAIRS: usize = 300;

/// A supposition that changes a cell. None of its parts can be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) facts: Vec<Fact>,
    /// What is decided then; nothing where the list is empty.
    pub(crate) becomes: BTreeSet<Decision>,
}

/// What was found for one cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Takes {
    /// The smallest first.
    pub(crate) ways: Vec<Way>,
    /// Sorts of things that were tried.
    pub(crate) searched: Vec<&'static str>,
    /// How many suppositions were decided.
    pub(crate) tried: usize,
}

/// Whether what is decided then, instead of now, answers the question.
type Goal = fn(&BTreeSet<Decision>, &BTreeSet<Decision>) -> bool;

/// The work on one person: what was tried for one cell counts for all of them.
pub(crate) struct Study<'m, 'd> {
    material: &'m Material<'d>,
    at: usize,
    outcomes: BTreeMap<Vec<Fact>, BTreeMap<Cell, BTreeSet<Decision>>>,
}

impl<'m, 'd> Study<'m, 'd> {
    /// Begins with nothing tried.
    pub(crate) fn new(material: &'m Material<'d>, at: usize) -> Self {
        Self { material, at, outcomes: BTreeMap::new() }
    }

    /// What it would take to decide a cell otherwise.
    ///
    /// # Errors
    /// Where a rule fails that is not the person's fault.
    pub(crate) fn takes(&mut self, cell: &Cell) -> Result<Takes, RunError> {
        let now = Material::decisions(self.material.changes(self.at), cell);
        let candidates = self.candidates(cell);
        if candidates.is_empty() {
            return Ok(Takes::default());
        }
        let mut searched: Vec<&'static str> = candidates.iter().map(sort_of).collect();
        searched.dedup();
        let mut ways: Vec<Way> = Vec::new();
        let mut others: Vec<Way> = Vec::new();
        let mut tried = 0;
        for fact in &candidates {
            if ways.len() == TOLD {
                break;
            }
            if ways.iter().any(|way| same_thing(&way.facts[0], fact)) {
                continue;
            }
            tried += 1;
            let becomes = self.outcome(std::slice::from_ref(fact), cell)?;
            let way = Way { facts: vec![fact.clone()], becomes };
            if is_wished(&now, &way.becomes) {
                ways.push(way);
            } else if way.becomes != now && !others.iter().any(|other| same_thing(&other.facts[0], fact)) {
                others.push(way);
            }
        }
        if ways.is_empty() {
            let (found, more) = self.together(cell, &candidates, &now, is_wished)?;
            tried += more;
            ways.extend(found);
        }
        if ways.is_empty() && others.is_empty() {
            // Not what one asks for, but still another decision: what is silent now would be refused then.
            let (found, more) = self.together(cell, &candidates, &now, |now, then| now != then)?;
            tried += more;
            others.extend(found);
        }
        if ways.is_empty() {
            others.truncate(TOLD);
            ways = others;
        }
        Ok(Takes { ways, searched, tried })
    }

    /// Several things at once, as few as will do.
    fn together(
        &mut self,
        cell: &Cell,
        candidates: &[Fact],
        now: &BTreeSet<Decision>,
        will_do: Goal,
    ) -> Result<(Option<Way>, usize), RunError> {
        let mut tried = 0;
        for union in self.unions(cell) {
            tried += 1;
            if !will_do(now, &self.outcome(&union, cell)?) {
                continue;
            }
            let (facts, more) = self.shrunk(union, cell, now, will_do)?;
            tried += more;
            let way = Way { becomes: self.outcome(&facts, cell)?, facts };
            // A part that changes the cell by itself is a smaller answer already.
            let (strict, more) = self.is_strict(&way, cell, now)?;
            tried += more;
            if !strict {
                continue;
            }
            if way.facts.len() > 2 && candidates.len() * candidates.len() / 2 <= PAIRS {
                let (pair, more) = self.pair(candidates, cell, now, will_do)?;
                return Ok((Some(pair.unwrap_or(way)), tried + more));
            }
            return Ok((Some(way), tried));
        }
        Ok((None, tried))
    }

    fn outcome(&mut self, facts: &[Fact], cell: &Cell) -> Result<BTreeSet<Decision>, RunError> {
        if !self.outcomes.contains_key(facts) {
            let decided = match self.material.suppose(self.at, facts) {
                // A rule cannot deal with what was supposed, which it need not: that tells nothing of her.
                Err(RunError::Rule(_)) if !facts.is_empty() => self.material.changes(self.at).to_vec(),
                decided => decided?,
            };
            let mut cells: BTreeMap<Cell, BTreeSet<Decision>> = BTreeMap::new();
            for change in decided {
                cells.entry((change.attribute, change.system)).or_default().insert(change.decision);
            }
            self.outcomes.insert(facts.to_vec(), cells);
        }
        Ok(self.outcomes.get(facts).and_then(|cells| cells.get(cell)).cloned().unwrap_or_default())
    }

    /// Puts back what is not needed, until nothing more can be.
    fn shrunk(
        &mut self,
        mut facts: Vec<Fact>,
        cell: &Cell,
        now: &BTreeSet<Decision>,
        will_do: Goal,
    ) -> Result<(Vec<Fact>, usize), RunError> {
        let mut tried = 0;
        // From the end: what the rules say is put back before what the world is.
        let mut at = facts.len();
        while at > 0 {
            at -= 1;
            let mut fewer = facts.clone();
            fewer.remove(at);
            tried += 1;
            if !fewer.is_empty() && will_do(now, &self.outcome(&fewer, cell)?) {
                facts = fewer;
                at = facts.len();
            }
        }
        Ok((facts, tried))
    }

    /// True where the cell is decided as now whichever part is left out.
    fn is_strict(&mut self, way: &Way, cell: &Cell, now: &BTreeSet<Decision>) -> Result<(bool, usize), RunError> {
        for at in 0..way.facts.len() {
            let mut fewer = way.facts.clone();
            fewer.remove(at);
            if self.outcome(&fewer, cell)? != *now {
                return Ok((false, at + 1));
            }
        }
        Ok((true, way.facts.len()))
    }

    fn pair(
        &mut self,
        candidates: &[Fact],
        cell: &Cell,
        now: &BTreeSet<Decision>,
        will_do: Goal,
    ) -> Result<(Option<Way>, usize), RunError> {
        let mut tried = 0;
        for (at, first) in candidates.iter().enumerate() {
            for second in candidates[at + 1..].iter().filter(|second| !same_thing(first, second)) {
                tried += 1;
                let facts = vec![first.clone(), second.clone()];
                let becomes = self.outcome(&facts, cell)?;
                if will_do(now, &becomes) {
                    let way = Way { facts, becomes };
                    let (strict, more) = self.is_strict(&way, cell, now)?;
                    tried += more;
                    if strict {
                        return Ok((Some(way), tried));
                    }
                }
            }
        }
        Ok((None, tried))
    }

    fn person(&self) -> &'m Person {
        &self.material.people[self.at].person
    }

    /// Everything that is tried by itself, in the order in which it is worth telling. Nothing where nothing can ever
    /// happen: at a source that nobody spoke for, and of what a provider does not know.
    fn candidates(&self, cell: &Cell) -> Vec<Fact> {
        let (attribute, system) = cell;
        let material = self.material;
        let table = material.fleet.capabilities(system);
        let known = table.is_some_and(|table| table.of(system, attribute).is_some());
        let changes = material.changes(self.at);
        if !known && Material::decisions(changes, cell).is_empty() {
            return Vec::new();
        }
        let person = self.person();
        let ownership = &material.people[self.at].ownership;
        let mut all = Vec::new();
        let looked_at = self.looked_at(attribute, system);
        for (what, _) in &looked_at {
            self.of_looked_at(what, &mut all);
        }
        if let Some(account) = person.accounts.get(system) {
            self.of_account(account, &mut all);
        }
        if !material.desk.rules.policy().routes.is_empty() || !material.desk.rules.policy().refusals.is_empty() {
            // What those lines look at is not told, so it could be anything of any account.
            for account in person.accounts.values().filter(|account| account.system != *system) {
                self.of_account(account, &mut all);
            }
        }
        if known {
            all.push(Fact::Exists { system: system.clone(), exists: !person.accounts.contains_key(system) });
        }
        let home = ownership.owner(attribute).map(|owned| owned.system.clone());
        if let Some(home) = home.as_ref().filter(|home| *home != system && material.fleet.capabilities(home).is_some())
        {
            all.push(Fact::Exists { system: home.clone(), exists: !person.accounts.contains_key(home) });
        }
        for said in &person.statements {
            self.of_statement(said, cell, &mut all);
        }
        for account in person
            .accounts
            .values()
            .filter(|account| account.system == *system || Some(&account.system) == home.as_ref())
        {
            for value in self.others(attribute, Some(&account.value(attribute))) {
                all.push(Fact::Holds { system: account.system.clone(), attribute: attribute.clone(), value });
            }
        }
        self.of_rivals(cell, changes, &mut all);
        if person.held.is_some() {
            all.push(Fact::Sure);
        }
        for (name, value) in material.fleet.server(system).iter() {
            let mut other = |value: Value| {
                all.push(Fact::Server { system: system.clone(), name: name.clone(), value });
            };
            match value {
                Value::Bool(truth) => other(Value::Bool(!truth)),
                _ => other(Value::Empty),
            }
        }
        if let Some(account) = person.accounts.get(system) {
            let protected = !is_protected(account, &material.desk.limits.protected);
            all.push(Fact::Protected { system: system.clone(), protected });
        }
        self.of_rules(cell, &mut all);
        all.sort_by_key(rank);
        let mut seen = BTreeSet::new();
        all.retain(|fact| seen.insert(fact.clone()));
        all
    }

    /// What conditions looked at, that decide about the attribute or about an account there.
    fn looked_at(&self, attribute: &AttributeName, system: &SystemName) -> Vec<(String, Value)> {
        let material = self.material;
        let person = self.person();
        let asked = material.desk.rules.inquire(person, attribute).unwrap_or_default();
        let mut looked_at: Vec<(String, Value)> = asked.into_iter().flat_map(|line| line.looked_at).collect();
        let wish = material.people[self.at].ownership.accounts.get(system);
        looked_at.extend(wish.into_iter().flat_map(|wish| wish.looked_at.clone()));
        looked_at
    }

    /// `mattermost.auth_service`, `hr.status`, `department`, or a system that shows nothing.
    fn of_looked_at(&self, what: &str, all: &mut Vec<Fact>) {
        let person = self.person();
        let providers = self.material.fleet;
        let Some((system, local)) = what.split_once('.').map(|(system, local)| (SystemName::from(system), local))
        else {
            let system = SystemName::from(what);
            if providers.capabilities(&system).is_some() {
                all.push(Fact::Exists { exists: !person.accounts.contains_key(&system), system });
            } else {
                self.of_decided(&AttributeName::new(what), all);
            }
            return;
        };
        let Some(table) = providers.capabilities(&system) else {
            let attribute = AttributeName::new(local);
            if let Some(said) = person.statements.iter().find(|said| said.system == system) {
                self.of_said(said, &attribute, all);
            }
            return;
        };
        let own = AttributeName::of_system(&system, local);
        let neutral = AttributeName::new(local);
        let attribute = [own, neutral].into_iter().find(|attribute| table.of(&system, attribute).is_some());
        match (attribute, person.accounts.get(&system)) {
            (Some(attribute), Some(account)) => {
                let values = self.likely(&attribute, Some(&account.value(&attribute)));
                let fact = |value| Fact::Holds { system: system.clone(), attribute: attribute.clone(), value };
                all.extend(values.into_iter().map(fact));
            }
            // Where a name belongs to a system it may be a decided value as well.
            (Some(attribute), None) => self.of_decided(&attribute, all),
            (None, Some(account)) => self.of_fact(account, local, all),
            (None, None) => {}
        }
    }

    /// What a decided value comes from: statements, or what its owner holds.
    fn of_decided(&self, attribute: &AttributeName, all: &mut Vec<Fact>) {
        let person = self.person();
        for said in &person.statements {
            self.of_said(said, attribute, all);
        }
        let owned = self.material.people[self.at].ownership.owner(attribute);
        if let Some(account) = owned.and_then(|owned| person.accounts.get(&owned.system)) {
            for value in self.likely(attribute, Some(&account.value(attribute))) {
                let system = account.system.clone();
                all.push(Fact::Holds { system, attribute: attribute.clone(), value });
            }
        }
    }

    fn of_said(&self, said: &Statement, attribute: &AttributeName, all: &mut Vec<Fact>) {
        let Some(value) = said.values.get(attribute) else { return };
        let says = |value| Fact::Says { source: said.system.clone(), attribute: attribute.clone(), value };
        all.extend(self.likely(attribute, Some(&value)).into_iter().map(|value| says(Some(value))));
        all.push(says(None));
    }

    /// Every fact of an account, and how its holder signs in.
    fn of_account(&self, account: &Account, all: &mut Vec<Fact>) {
        let table = self.material.fleet.capabilities(&account.system);
        let known = table.map(|table| table.facts).unwrap_or_default().iter().copied();
        let names: BTreeSet<&str> = known.chain(account.facts.keys().map(String::as_str)).collect();
        for name in names {
            self.of_fact(account, name, all);
        }
        for identity in &account.identities {
            all.push(Fact::NoSignIn { system: account.system.clone(), identity: identity.clone() });
        }
    }

    fn of_fact(&self, account: &Account, name: &str, all: &mut Vec<Fact>) {
        let now = account.facts.get(name).cloned().unwrap_or_default();
        let usual = self.material.usual.get(&account.system).and_then(|facts| facts.get(name));
        let mut values: Vec<Value> = Vec::new();
        match &now {
            Value::Bool(truth) => values.push(Value::Bool(!truth)),
            Value::Text(_) => values.push(Value::Empty),
            Value::Empty => {}
        }
        values.extend(usual.into_iter().flatten().map(|(value, _)| value.clone()));
        if !matches!(now, Value::Bool(_)) {
            // Who signs in elsewhere does so at a system of some kind; a fact that says another word does not tell of that.
            let kinds = || self.material.fleet.members.values().map(|member| Value::text(member.kind));
            if now == Value::Empty || kinds().any(|kind| kind == now) {
                values.extend(kinds());
            }
            values.extend(self.compared(name));
        }
        if values.iter().all(|value| *value == now) {
            values.push(Value::Bool(true));
        }
        let mut seen = BTreeSet::from([now]);
        values.retain(|value| seen.insert(value.clone()));
        values.truncate(VALUES);
        let fact = |value| Fact::Account { system: account.system.clone(), name: name.to_owned(), value };
        all.extend(values.into_iter().map(fact));
    }

    /// What rules may tell a value of this name from: what they hold it against, and what has no name there.
    fn compared(&self, name: &str) -> impl Iterator<Item = Value> {
        let texts = |name| self.material.compared.get(name).into_iter().flatten();
        texts(name).chain(texts("").filter(|word| !self.is_name(word))).map(|word| Value::text(word))
    }

    /// True for the names that every script is full of.
    fn is_name(&self, word: &str) -> bool {
        let (attributes, systems) = (&self.material.attributes, &self.material.fleet.members);
        attributes.iter().any(|attribute| attribute.as_str() == word) || systems.contains_key(&SystemName::from(word))
    }

    /// What a source could say instead, of this cell.
    fn of_statement(&self, said: &Statement, (attribute, system): &Cell, all: &mut Vec<Fact>) {
        let person = self.person();
        let (source, speaks) = (said.system.clone(), said.values.contains_key(attribute));
        let is_owner =
            self.material.people[self.at].ownership.owner(attribute).is_some_and(|owned| owned.system == source);
        if !speaks && !is_owner {
            return;
        }
        let now = said.values.get(attribute);
        let mut values: Vec<Value> = Vec::new();
        values.extend(person.accounts.get(system).map(|account| account.value(attribute)));
        let of_others = person.statements.iter().filter(|other| other.system != said.system);
        values.extend(of_others.filter_map(|other| other.values.get(attribute)));
        values.extend(self.others(attribute, now.as_ref()));
        let mut seen: BTreeSet<Option<Value>> = BTreeSet::from([now]);
        let says = |value| Fact::Says { source: source.clone(), attribute: attribute.clone(), value };
        for value in values.into_iter().map(Some).chain([None]) {
            if seen.insert(value.clone()) {
                all.push(says(value));
            }
        }
        if said.shows(attribute) {
            all.push(Fact::Anew { source: source.clone(), attribute: attribute.clone() });
        }
        if !said.fresh {
            all.push(Fact::Speaks { source });
        }
    }

    fn of_rivals(&self, cell: &Cell, changes: &[PlannedChange], all: &mut Vec<Fact>) {
        // A creation is one call: a name of any of its attributes may be what stops this one.
        let of_cell = |change: &&PlannedChange| {
            change.system == cell.1 && (change.attribute == cell.0 || change.account.is_none())
        };
        for change in changes.iter().filter(of_cell) {
            let (taken, rivals) = self.material.rivals(self.at, change);
            if let Some(name) = crate::plan::folded(&change.after).filter(|_| taken) {
                let (system, attribute) = (change.system.clone(), change.attribute.clone());
                all.push(Fact::Freed { system, attribute, name });
            }
            all.extend(rivals.into_iter().map(|person| Fact::Waived { person }));
        }
    }

    fn of_rules(&self, (attribute, system): &Cell, all: &mut Vec<Fact>) {
        let material = self.material;
        let policy = material.desk.rules.policy();
        let ownership = &material.people[self.at].ownership;
        let providers = material.fleet;
        let known = providers.capabilities(system).is_some_and(|table| table.of(system, attribute).is_some());
        if known {
            let wanted = !ownership.accounts.get(system).is_some_and(|wish| wish.wanted);
            all.push(Fact::Wanted { system: system.clone(), wanted });
            let copied = policy.copy(attribute).is_some_and(|line| line.systems.contains(system));
            all.push(Fact::Copied { attribute: attribute.clone(), system: system.clone(), copied: !copied });
        }
        let owner = ownership.owner(attribute).map(|owned| &owned.system);
        let speaking = self.person().statements.iter().filter(|said| said.values.contains_key(attribute));
        let speaking: BTreeSet<SystemName> = speaking.map(|said| said.system.clone()).collect();
        let could = speaking.into_iter().chain(known.then(|| system.clone()));
        let could = could.filter(|it| Some(it) != owner);
        all.extend(could.map(|system| Fact::Owner { attribute: attribute.clone(), system }));
        if !policy.routes.is_empty() || !policy.refusals.is_empty() {
            all.push(Fact::Unrouted);
        }
    }

    /// Values that a condition may tell from this one.
    fn likely(&self, attribute: &AttributeName, now: Option<&Value>) -> Vec<Value> {
        let mut values = self.others(attribute, now);
        if values.iter().any(|value| value.as_text().is_some()) {
            values.extend(self.compared(attribute.local()));
        }
        values.retain(|value| Some(value) != now);
        values.truncate(VALUES);
        values
    }

    /// Other values that an attribute could well have.
    fn others(&self, attribute: &AttributeName, now: Option<&Value>) -> Vec<Value> {
        let row =
            attribute.system().and_then(|system| self.material.fleet.capabilities(&system)?.of(&system, attribute));
        if let Some(set) = row.and_then(|row| row.set) {
            let levels = set.levels.iter().map(|level| Value::text(level)).chain([Value::Empty]);
            return levels.filter(|value| Some(value) != now).collect();
        }
        let text = now.and_then(Value::as_text).unwrap_or_default();
        let values = match (attribute.as_str(), now) {
            (_, Some(Value::Bool(truth))) => return vec![Value::Bool(!truth)],
            ("active", _) => return vec![Value::Bool(true), Value::Bool(false)],
            ("locale", _) => vec!["de".to_owned(), "en".to_owned()],
            ("timezone", _) => vec!["Europe/Paris".to_owned(), "Europe/Berlin".to_owned()],
            ("phone", _) => vec!["+49301234567".to_owned(), "+49301234568".to_owned()],
            ("email", _) => {
                let (local, domain) = text.split_once('@').unwrap_or((text, "example.org"));
                altered(local).map(|local| format!("{local}@{domain}")).to_vec()
            }
            ("username", _) => altered(text).into_iter().chain(["other".to_owned()]).collect(),
            _ => vec!["Other".to_owned(), "Another".to_owned()],
        };
        values.iter().map(|text| Value::text(text)).filter(|value| Some(value) != now).collect()
    }

    /// Everything that could stand in the way, supposed away at once; the least daring first.
    fn unions(&self, cell: &Cell) -> Vec<Vec<Fact>> {
        let (attribute, system) = cell;
        let material = self.material;
        let person = self.person();
        let ownership = &material.people[self.at].ownership;
        let providers = material.fleet;
        if providers.capabilities(system).is_none_or(|table| table.of(system, attribute).is_none()) {
            return Vec::new();
        }
        let owner = ownership.owner(attribute).map(|owned| owned.system.clone());
        let mut base = Vec::new();
        base.extend(person.held.is_some().then_some(Fact::Sure));
        if !person.accounts.contains_key(system) {
            base.push(Fact::Exists { system: system.clone(), exists: true });
        } else if person.accounts.get(system).is_some_and(|it| is_protected(it, &material.desk.limits.protected)) {
            base.push(Fact::Protected { system: system.clone(), protected: false });
        }
        if let Some(home) = owner.as_ref().filter(|home| providers.capabilities(home).is_some() && *home != system)
            && !person.accounts.contains_key(home)
        {
            base.push(Fact::Exists { system: home.clone(), exists: true });
        }
        let speaking = |said: &&std::sync::Arc<Statement>| said.values.contains_key(attribute);
        for said in person.statements.iter().filter(speaking) {
            let source = said.system.clone();
            if !said.fresh {
                base.push(Fact::Speaks { source: source.clone() });
            }
            if said.shows(attribute) {
                base.push(Fact::Anew { source, attribute: attribute.clone() });
            }
        }
        let is_owner = |said: &&std::sync::Arc<Statement>| Some(&said.system) == owner.as_ref();
        let voice = person
            .statements
            .iter()
            .find(is_owner)
            .or_else(|| person.statements.iter().find(speaking))
            .or_else(|| person.statements.iter().find(|said| said.fresh));
        let Some(voice) = voice else { return Vec::new() };
        let other = self.others(attribute, voice.values.get(attribute).as_ref()).into_iter().next();
        let mut voices: Vec<&SystemName> = person.statements.iter().filter(speaking).map(|said| &said.system).collect();
        if !voices.contains(&&voice.system) {
            voices.push(&voice.system);
        }
        let says = voices.into_iter().map(|source| Fact::Says {
            source: source.clone(),
            attribute: attribute.clone(),
            value: other.clone(),
        });
        let says: Vec<Fact> = says.collect();
        let mut rules = vec![Fact::Copied { attribute: attribute.clone(), system: system.clone(), copied: true }];
        let policy = material.desk.rules.policy();
        if !policy.routes.is_empty() || !policy.refusals.is_empty() {
            rules.push(Fact::Unrouted);
        }
        let owns = vec![Fact::Owner { attribute: attribute.clone(), system: voice.system.clone() }];
        // An account that is only supposed has the usual facts.
        let facts = person.accounts.get(system).map(|account| account.facts.clone());
        let facts = facts.unwrap_or_else(|| material.usual_facts(system)).into_keys();
        let without = |name| Fact::Account { system: system.clone(), name, value: Value::Empty };
        let mut free: Vec<Fact> = facts.map(without).collect();
        if let Some(account) = person.accounts.get(system) {
            let identities = account.identities.iter();
            free.extend(identities.map(|it| Fact::NoSignIn { system: system.clone(), identity: it.clone() }));
        }
        let mut off = Vec::new();
        if attribute.as_str() == "active" {
            let wanted = ownership.accounts.get(system).map(|wish| wish.wanted);
            let wanted = wanted.or_else(|| person.decided(owner.as_ref()?, attribute)?.as_bool()).unwrap_or(true);
            off.push(Fact::Holds { system: system.clone(), attribute: attribute.clone(), value: Value::Bool(!wanted) });
        }
        let mut wants = base.clone();
        wants.retain(|fact| !matches!(fact, Fact::Exists { system: at, .. } if at == system));
        wants.push(Fact::Wanted { system: system.clone(), wanted: true });
        let none: &[Fact] = &[];
        let unions = [
            [&base[..], &off, none, none, none],
            [&base[..], &off, none, none, &free],
            [&base[..], &off, none, &rules, none],
            [&base[..], &off, &says, none, none],
            [&base[..], &off, &says, &rules, none],
            [&base[..], &off, &says, &rules, &free],
            [&base[..], &off, none, &rules, &owns],
            [&base[..], &off, &says, &rules, &owns],
            [&wants[..], none, &says, &rules, none],
            [&wants[..], none, &says, &rules, &owns],
        ];
        let mut unions: Vec<Vec<Fact>> = unions.into_iter().map(|parts| parts.concat()).collect();
        for union in &mut unions {
            union.sort_by_key(rank);
        }
        unions.retain(|union| union.len() > 1);
        unions
    }
}

/// Two texts like this one, as long as it is.
fn altered(text: &str) -> [String; 2] {
    let last = text.chars().next_back();
    let stem: String = text.chars().take(text.chars().count().saturating_sub(1)).collect();
    match last {
        None => ["other".to_owned(), "another".to_owned()],
        Some('2') => [format!("{stem}3"), format!("{stem}4")],
        Some('3') => [format!("{stem}2"), format!("{stem}4")],
        Some(_) => [format!("{stem}2"), format!("{stem}3")],
    }
}

/// Whether this is the change that one asks for: something happens that did not, or the other way round.
fn is_wished(now: &BTreeSet<Decision>, then: &BTreeSet<Decision>) -> bool {
    let happens = |set: &BTreeSet<Decision>| set.contains(&Decision::Apply) || set.contains(&Decision::Follow);
    if now.contains(&Decision::Apply) {
        !then.contains(&Decision::Apply)
    } else if now.contains(&Decision::Follow) {
        then != now
    } else {
        happens(then)
    }
}

/// True where two suppositions are about one thing, so that one answer is enough.
fn same_thing(one: &Fact, other: &Fact) -> bool {
    match (one, other) {
        (Fact::Account { system: a, name: x, .. }, Fact::Account { system: b, name: y, .. })
        | (Fact::Server { system: a, name: x, .. }, Fact::Server { system: b, name: y, .. }) => a == b && x == y,
        (Fact::Says { source: a, attribute: x, .. }, Fact::Says { source: b, attribute: y, .. })
        | (Fact::Holds { system: a, attribute: x, .. }, Fact::Holds { system: b, attribute: y, .. }) => {
            a == b && x == y
        }
        (Fact::Owner { attribute: a, .. }, Fact::Owner { attribute: b, .. }) => a == b,
        _ => one == other,
    }
}

/// The order in which suppositions are worth telling.
fn rank(fact: &Fact) -> u8 {
    match fact {
        Fact::Account { .. } => 0,
        Fact::NoSignIn { .. } => 1,
        Fact::Exists { .. } => 2,
        Fact::Says { .. } => 3,
        Fact::Anew { .. } => 4,
        Fact::Speaks { .. } => 5,
        Fact::Holds { .. } => 6,
        Fact::Freed { .. } => 7,
        Fact::Waived { .. } => 8,
        Fact::Sure => 9,
        Fact::Server { .. } => 10,
        Fact::Protected { .. } => 11,
        Fact::Wanted { .. } => 12,
        Fact::Copied { .. } => 13,
        Fact::Owner { .. } => 14,
        Fact::Unrouted => 15,
    }
}

/// What a supposition is about, in a few words.
fn sort_of(fact: &Fact) -> &'static str {
    match fact {
        Fact::Account { .. } => "facts of accounts",
        Fact::NoSignIn { .. } => "how she signs in",
        Fact::Exists { .. } => "whether there is an account",
        Fact::Says { .. } | Fact::Anew { .. } | Fact::Speaks { .. } => "what sources say",
        Fact::Holds { .. } => "what accounts hold",
        Fact::Freed { .. } | Fact::Waived { .. } => "who else has or wants the name",
        Fact::Sure => "who this person is",
        Fact::Server { .. } => "facts of the server",
        Fact::Protected { .. } => "protected accounts",
        Fact::Wanted { .. } | Fact::Copied { .. } | Fact::Owner { .. } | Fact::Unrouted => "lines of the rules",
    }
}
