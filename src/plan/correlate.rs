//! Who is who: statements, remembered links and observed accounts that belong together become people.
//!
//! A link is believed first, then what an account itself says about how its holder signs in, then the join attributes of
//! the rules. Where there is more than one answer nothing is guessed: the person is held, with both answers named by id.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use super::{Providers, fold, folded};
use crate::model::{
    accounts::{Accounts, Packed},
    attribute::AttributeName,
    id::{AccountId, PersonId, SystemName},
    person::{Link, Person, Unseen},
    policy::Policy,
    record::Statement,
    refusal::RefusalKind,
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
    pub(crate) accounts: &'a BTreeMap<SystemName, Accounts>,
    /// Sources in the order in which they may give a person her name.
    pub(crate) sources: &'a [SystemName],
    /// At systems where everybody is seen with her own token: what it opened, under each name she is known by.
    pub(crate) own: &'a BTreeMap<SystemName, BTreeMap<PersonId, Opened>>,
}

/// A person who was found, with her accounts as they lie.
pub(crate) struct Found<'a> {
    id: PersonId,
    statements: Vec<Arc<Statement>>,
    accounts: Vec<Packed<'a>>,
    held: Option<String>,
    unseen: BTreeMap<SystemName, Unseen>,
}

impl Found<'_> {
    /// The person, with her accounts unpacked.
    pub(crate) fn person(self) -> Person {
        let Self { id, statements, accounts, held, unseen } = self;
        let accounts = accounts.iter().map(|account| (account.system().clone(), Arc::new(account.account())));
        Person { id, statements, accounts: accounts.collect(), held, unseen }
    }
}

/// What somebody's own token opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The account that is hers.
    Account(AccountId),
    /// Nothing, and why.
    Nothing(Unseen),
}

/// An observed account, by the numbers of its system and of itself there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    system: usize,
    at: usize,
}

/// Finds numbers by what they stand for: digests in order, each with its number. Two things may have one digest, so
/// whoever asks compares; a million of these take 8 MB.
#[derive(Default)]
struct Finder(Vec<(u32, u32)>);

impl Finder {
    fn new(digests: impl Iterator<Item = (u32, usize)>) -> Self {
        let mut all: Vec<(u32, u32)> =
            digests.filter_map(|(digest, at)| Some((digest, u32::try_from(at).ok()?))).collect();
        all.sort_unstable();
        Self(all)
    }

    /// The numbers that this digest was given, lowest first.
    fn of(&self, digest: u32) -> impl Iterator<Item = usize> {
        let start = self.0.partition_point(|(other, _)| *other < digest);
        self.0[start..].iter().take_while(move |(other, _)| *other == digest).map(|(_, at)| *at as usize)
    }
}

/// The same in every run: the hasher has fixed keys.
fn digest(parts: [&str; 2]) -> u32 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    // The upper half is as good as the lower one.
    u32::try_from(hasher.finish() >> 32).unwrap_or_default()
}

/// Every way an account can be found: by what.
struct Index<'a> {
    systems: Vec<&'a SystemName>,
    accounts: Vec<&'a Accounts>,
    /// By id, for each system.
    ids: Vec<Finder>,
    /// By what people are found by, for each system.
    values: Vec<Vec<(&'a AttributeName, Finder)>>,
    /// The accounts that sign in with an account, which comes first.
    identities: Vec<(Place, Place)>,
    /// The one system of a kind, where there is one and it was observed. Of two systems of one kind, the kind alone does not
    /// say which is meant.
    kinds: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Index<'a> {
    fn new(material: &'a Material<'_>, policy: &'a Policy, providers: &dyn Providers) -> Self {
        let systems: Vec<&SystemName> = material.accounts.keys().collect();
        let mut index = Self {
            accounts: material.accounts.values().collect(),
            ids: Vec::new(),
            values: Vec::new(),
            identities: Vec::new(),
            kinds: BTreeMap::new(),
            systems,
        };
        for (system, accounts) in index.systems.iter().zip(&index.accounts) {
            let there = || accounts.iter().enumerate().filter(|(_, account)| account.id().is_some());
            let id = |(at, account): (usize, Packed<'_>)| (digest(["", account.id().unwrap_or_default()]), at);
            index.ids.push(Finder::new(there().map(id)));
            let joins = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
            let of = |attribute: &'a AttributeName| {
                let held =
                    there().filter_map(|(at, account)| Some((digest(["", &fold(account.text(attribute)?)]), at)));
                (attribute, Finder::new(held))
            };
            index.values.push(joins.iter().map(of).collect());
            for (kind, _) in accounts.iter().flat_map(|account| account.identities()) {
                index.kinds.entry(kind).or_insert_with(|| {
                    let of_kind = providers.of_kind(kind);
                    let [provider] = of_kind.as_slice() else { return None };
                    index.systems.binary_search(&provider).ok()
                });
            }
        }
        let mut identities = Vec::new();
        for (system, accounts) in index.accounts.iter().enumerate() {
            for (at, account) in accounts.iter().enumerate().filter(|(_, account)| account.id().is_some()) {
                let with = account.identities().filter_map(|identity| index.of_identity(identity));
                identities.extend(with.map(|with| (with, Place { system, at })));
            }
        }
        // Stable: those that sign in with one account stay in the order of systems and accounts.
        identities.sort_by_key(|(with, _)| *with);
        index.identities = identities;
        index
    }

    fn account(&self, place: Place) -> Packed<'a> {
        match self.accounts[place.system].get(place.at) {
            Some(account) => account,
            None => unreachable!("a place is that of an account"),
        }
    }

    fn id(&self, place: Place) -> &'a str {
        match self.account(place).id() {
            Some(id) => id,
            None => unreachable!("only accounts that are there have a place"),
        }
    }

    fn name(&self, place: Place) -> &'a SystemName {
        self.systems[place.system]
    }

    fn place(&self, system: &SystemName, id: &str) -> Option<Place> {
        self.place_at(self.systems.binary_search(&system).ok()?, id)
    }

    fn place_at(&self, system: usize, id: &str) -> Option<Place> {
        let accounts = self.accounts[system];
        let is_it = |at: &usize| accounts.get(*at).and_then(|account| account.id()) == Some(id);
        self.ids[system].of(digest(["", id])).find(is_it).map(|at| Place { system, at })
    }

    fn of_identity(&self, (kind, id): (&str, &str)) -> Option<Place> {
        let system = self.kinds.get(kind).copied().flatten()?;
        self.place_at(system, id)
    }

    /// The accounts that hold a folded text, in the order they were observed.
    fn holding(&self, system: &SystemName, attribute: &AttributeName, text: &str) -> Vec<Place> {
        let Ok(system) = self.systems.binary_search(&system) else { return Vec::new() };
        let Some((_, finder)) = self.values[system].iter().find(|(other, _)| *other == attribute) else {
            return Vec::new();
        };
        let holds = |at: &usize| {
            let held = self.accounts[system].get(*at).and_then(|account| account.text(attribute));
            held.is_some_and(|held| *fold(held) == *text)
        };
        finder.of(digest(["", text])).filter(holds).map(|at| Place { system, at }).collect()
    }

    /// The accounts that sign in with this one.
    fn signing_in_with(&self, place: Place) -> impl Iterator<Item = Place> {
        let start = self.identities.partition_point(|(with, _)| *with < place);
        self.identities[start..].iter().take_while(move |(with, _)| *with == place).map(|(_, other)| *other)
    }
}

/// Who is known by an id: for each observed account, and for what was not observed.
#[derive(Clone)]
struct Holders<'a> {
    observed: Vec<Vec<Option<&'a PersonId>>>,
    others: BTreeMap<(&'a str, &'a str), &'a PersonId>,
}

impl<'a> Holders<'a> {
    fn new(index: &Index<'a>, links: &'a [Link]) -> Self {
        let observed = index.accounts.iter().map(|accounts| vec![None; accounts.len()]).collect();
        let mut holders = Self { observed, others: BTreeMap::new() };
        for link in links {
            match index.place(&link.system, link.account.as_str()) {
                Some(place) => holders.observed[place.system][place.at] = Some(&link.person),
                None => {
                    holders.others.insert((link.system.as_str(), link.account.as_str()), &link.person);
                }
            }
        }
        holders
    }

    fn of(&self, place: Place) -> Option<&'a PersonId> {
        self.observed[place.system][place.at]
    }

    fn of_id(&self, index: &Index<'a>, system: &SystemName, id: &str) -> Option<&'a PersonId> {
        match index.place(system, id) {
            Some(place) => self.of(place),
            None => self.others.get(&(system.as_str(), id)).copied(),
        }
    }

    /// Takes note of a holder where there is none yet.
    fn take(&mut self, place: Place, person: &'a PersonId) {
        self.observed[place.system][place.at].get_or_insert(person);
    }
}

/// The ties of each person.
struct Ties<'a> {
    links: &'a [Link],
    finder: Finder,
}

impl<'a> Ties<'a> {
    fn new(links: &'a [Link]) -> Self {
        let of = |link: &Link| digest([link.person.system.as_str(), &link.person.key]);
        Self { links, finder: Finder::new(links.iter().enumerate().map(|(at, link)| (of(link), at))) }
    }

    fn of(&self, person: &PersonId) -> impl Iterator<Item = &'a Link> {
        let links = self.links;
        let all = self.finder.of(digest([person.system.as_str(), &person.key])).map(move |at| &links[at]);
        all.filter(move |link| link.person == *person)
    }
}

/// A person under construction.
#[derive(Default)]
struct Draft<'a> {
    statements: Vec<&'a Arc<Statement>>,
    /// One of each system, in their order.
    accounts: Vec<Place>,
    held: Option<String>,
    unseen: BTreeMap<SystemName, Unseen>,
}

impl Draft<'_> {
    fn hold(&mut self, reason: String) {
        self.held.get_or_insert(reason);
    }

    fn at(&self, system: usize) -> Result<usize, usize> {
        self.accounts.binary_search_by_key(&system, |place| place.system)
    }

    /// Takes an account in the place of any other of that system.
    fn put(&mut self, place: Place) {
        match self.at(place.system) {
            Ok(at) => self.accounts[at] = place,
            Err(at) => self.accounts.insert(at, place),
        }
    }

    /// What her token opened at a system, by its name and its number, seems to be somebody else's: nothing is taken there,
    /// and the others go on.
    fn not_hers(&mut self, system: &SystemName, number: usize, reason: String) {
        self.accounts.retain(|other| other.system != number);
        self.unseen.insert(system.clone(), Unseen { kind: RefusalKind::Forbidden, reason });
    }

    /// Takes an account, or holds where another one of that system is there already.
    fn take(&mut self, place: Place, how: &str, index: &Index<'_>) {
        match self.at(place.system) {
            Ok(at) if self.accounts[at] != place => {
                let (system, there, id) = (index.name(place), index.id(self.accounts[at]), index.id(place));
                self.hold(format!("{system} has two accounts that could be meant: {there}, and {id} by {how}"));
            }
            Ok(_) => {}
            Err(at) => self.accounts.insert(at, place),
        }
    }
}

/// Puts together what belongs together. Everybody that a fresh statement speaks of is handed to `each`, in order of id; what
/// is returned are the ties that were not known before.
pub(crate) fn correlate<'a>(
    material: &'a Material<'_>,
    policy: &'a Policy,
    providers: &dyn Providers,
    each: &mut dyn FnMut(Found<'a>),
) -> Vec<Link> {
    let index = Index::new(material, policy, providers);
    let known = Holders::new(&index, material.links);
    let ties = Ties::new(material.links);
    let ordered = in_order_of_sources(&material.statements, material.sources);
    let names: Vec<PersonId> = ordered.iter().map(|statement| name(statement)).collect();

    let mut drafts: BTreeMap<&PersonId, Draft<'_>> = BTreeMap::new();
    // Who holds an account, from links and from what this run has found so far.
    let mut holders = known.clone();

    for (statement, own) in ordered.into_iter().zip(&names) {
        let as_account = index.place(&statement.system, &statement.key);
        let held_by = match as_account {
            Some(place) => holders.of(place),
            None => holders.others.get(&(statement.system.as_str(), statement.key.as_ref())).copied(),
        };
        let by_link = held_by.or_else(|| ties.of(own).next().map(|_| own));

        let mut found = Draft::default();
        for link in by_link.into_iter().flat_map(|person| ties.of(person)) {
            if let Some(place) = index.place(&link.system, link.account.as_str()) {
                found.put(place);
            }
        }
        // An account that is tied to somebody whom this source knows under another key is not this person's, whatever
        // its address: addresses are handed on from leavers to newcomers.
        let anothers = |place: Place| {
            known.of(place).is_some_and(|person| {
                let mut keys = ties.of(person).filter(|link| link.system == statement.system);
                let anchors = person.system == statement.system;
                (anchors && person.key != statement.key)
                    || keys.any(|link| link.account.as_str() != statement.key.as_ref())
            })
        };
        if !material.own.is_empty() {
            let hers: Vec<&Link> = by_link.into_iter().flat_map(|person| ties.of(person)).collect();
            by_own_tokens(&mut found, statement, own, &hers, material, policy, providers, &index);
        }
        let shut = |system: &SystemName| material.own.contains_key(system);
        by_joins(&mut found, statement, policy, providers, &index, &shut, &anothers);
        if !index.kinds.is_empty() {
            by_identities(&mut found, &index);
        }

        let mut claimants: Vec<&PersonId> = by_link.into_iter().collect();
        claimants.extend(found.accounts.iter().filter_map(|place| holders.of(*place)));
        claimants.sort_unstable();
        claimants.dedup();
        if claimants.len() > 1 {
            let names: Vec<String> = claimants.iter().map(ToString::to_string).collect();
            found.hold(format!("its accounts belong to different people: {}", names.join(", ")));
        }
        let person = claimants.first().copied().unwrap_or(own);
        for place in &found.accounts {
            holders.take(*place, person);
        }
        match as_account {
            Some(place) => holders.take(place, person),
            None => {
                holders.others.entry((statement.system.as_str(), statement.key.as_ref())).or_insert(person);
            }
        }

        let draft = drafts.entry(person).or_default();
        if let Some(other) = draft.statements.iter().find(|other| other.system == statement.system) {
            let (here, there) = (&statement.origin, &other.origin);
            draft.hold(format!("{there} and {here} both seem to speak of this person"));
        }
        draft.statements.push(statement);
        draft.unseen.extend(found.unseen);
        for place in found.accounts {
            draft.take(place, "another way of looking", &index);
        }
        if let Some(reason) = found.held {
            draft.hold(reason);
        }
    }
    drop(holders);
    finish(drafts, material, &index, &known, each)
}

/// Whom a statement is about, where nothing else is known of her.
fn name(statement: &Statement) -> PersonId {
    PersonId { system: statement.system.clone(), key: Arc::clone(&statement.key) }
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
/// that the token may be somebody else's: then nothing is taken at that system.
#[expect(clippy::too_many_arguments, reason = "each is a different thing and all are looked at")]
fn by_own_tokens(
    found: &mut Draft<'_>,
    statement: &Statement,
    own: &PersonId,
    ties: &[&Link],
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
        let Some(place) = index.place(system, id.as_str()) else { continue };
        let account = index.account(place);
        let mut hers = ties.iter().filter(|link| link.system == *system).map(|link| &link.account).peekable();
        let is_tied = hers.peek().is_some();
        if let Some(other) = hers.find(|other| *other != id) {
            let reason = format!(
                "the token kept for her at {system} opens account {id}, and she is tied to account {other}: is it another \
                 person's token?"
            );
            found.not_hers(system, place.system, reason);
            continue;
        }
        // The first time there is no tie yet: what people are found by elsewhere has to agree in something.
        let line = policy.joins.get(system).filter(|_| !is_tied);
        let said: Vec<(&AttributeName, bool)> = line
            .iter()
            .flat_map(|line| &line.attributes)
            .filter_map(|attribute| {
                let wanted = folded(&providers.normalize(system, attribute, &statement.values.get(attribute)?))?;
                Some((attribute, account.text(attribute).map(str::to_lowercase) == Some(wanted)))
            })
            .collect();
        if !said.is_empty() && said.iter().all(|(_, agrees)| !agrees) {
            let names: Vec<String> = said.iter().map(|(attribute, _)| format!("`{attribute}`")).collect();
            let reason = format!(
                "the token kept for her at {system} opens account {id}, which differs from this record in {}: is it another \
                 person's token?",
                names.join(" and ")
            );
            found.not_hers(system, place.system, reason);
            continue;
        }
        found.put(place);
    }
}

fn by_joins(
    found: &mut Draft<'_>,
    statement: &Statement,
    policy: &Policy,
    providers: &dyn Providers,
    index: &Index<'_>,
    shut: &dyn Fn(&SystemName) -> bool,
    anothers: &dyn Fn(Place) -> bool,
) {
    for (system, line) in &policy.joins {
        let is_there = index.systems.binary_search(&system).is_ok_and(|system| found.at(system).is_ok());
        // What another person's token opened is not found by a name.
        if is_there || shut(system) {
            continue;
        }
        for attribute in &line.attributes {
            let Some(value) = statement.values.get(attribute) else { continue };
            let value = providers.normalize(system, attribute, &value);
            let Some(text) = value.as_text().map(fold) else { continue };
            let mut hits = index.holding(system, attribute, &text);
            hits.retain(|place| !anothers(*place));
            match hits.as_slice() {
                [] => {}
                [one] => {
                    found.put(*one);
                    break;
                }
                several => {
                    let ids: Vec<&str> = several.iter().map(|place| index.id(*place)).collect();
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
fn by_identities(found: &mut Draft<'_>, index: &Index<'_>) {
    let mut waiting = found.accounts.clone();
    let mut looked_at = BTreeSet::new();
    while let Some(place) = waiting.pop() {
        if !looked_at.insert(place) {
            continue;
        }
        let with = index.account(place).identities().filter_map(|identity| index.of_identity(identity));
        let neighbours: Vec<Place> = with.chain(index.signing_in_with(place)).collect();
        for neighbour in neighbours {
            found.take(neighbour, "the way she signs in", index);
            waiting.push(neighbour);
        }
    }
}

fn finish<'a>(
    drafts: BTreeMap<&PersonId, Draft<'_>>,
    material: &'a Material<'_>,
    index: &Index<'a>,
    known: &Holders<'_>,
    each: &mut dyn FnMut(Found<'a>),
) -> Vec<Link> {
    // An account that two people would have is nobody's until a person decides.
    let mut claimed: Vec<Vec<bool>> = index.accounts.iter().map(|accounts| vec![false; accounts.len()]).collect();
    let mut several: BTreeMap<Place, Vec<&PersonId>> = BTreeMap::new();
    for place in drafts.values().flat_map(|draft| &draft.accounts) {
        if std::mem::replace(&mut claimed[place.system][place.at], true) {
            several.entry(*place).or_default();
        }
    }
    drop(claimed);
    let contested = !several.is_empty();
    for (person, draft) in drafts.iter().filter(|_| contested) {
        for place in &draft.accounts {
            if let Some(claims) = several.get_mut(place) {
                claims.push(*person);
            }
        }
    }
    let names: Vec<PersonId> = material.remembered.iter().map(|statement| name(statement)).collect();
    let mut remembered: BTreeMap<&PersonId, Vec<&Arc<Statement>>> = BTreeMap::new();
    for (statement, own) in material.remembered.iter().zip(&names) {
        let person = known.of_id(index, &statement.system, &statement.key).unwrap_or(own);
        remembered.entry(person).or_default().push(statement);
    }

    let mut links = Vec::new();
    for (id, mut draft) in drafts {
        for place in &draft.accounts {
            if let Some(claims) = several.get(place) {
                let names: Vec<String> = claims.iter().map(ToString::to_string).collect();
                let (system, account) = (index.name(*place), index.id(*place));
                draft.held.get_or_insert(format!("{system} account {account} could be any of {}", names.join(", ")));
            }
        }
        let mut statements = draft.statements;
        for old in remembered.remove(id).unwrap_or_default() {
            if !statements.iter().any(|fresh| fresh.system == old.system) {
                statements.push(old);
            }
        }
        statements.sort_by(|a, b| (&a.system, &a.key).cmp(&(&b.system, &b.key)));
        if draft.held.is_none() {
            links.extend(new_links(id, &draft.accounts, &statements, index, known));
        }
        // What was found another way is not to be read or changed without her token.
        let seen = draft.accounts.iter().filter(|place| !draft.unseen.contains_key(index.name(**place)));
        let accounts = seen.map(|place| index.account(*place)).collect();
        let statements = statements.into_iter().cloned().collect();
        each(Found { id: id.clone(), statements, accounts, held: draft.held, unseen: draft.unseen });
    }
    links.sort_unstable();
    links
}

fn new_links(
    person: &PersonId,
    accounts: &[Place],
    statements: &[&Arc<Statement>],
    index: &Index<'_>,
    known: &Holders<'_>,
) -> Vec<Link> {
    let link = |system: &SystemName, account| Link { person: person.clone(), system: system.clone(), account };
    let of_accounts = accounts
        .iter()
        .filter(|place| known.of(**place) != Some(person))
        .map(|place| link(index.name(*place), index.id(*place).into()));
    let of_records = statements
        .iter()
        .filter(|statement| statement.system != person.system || statement.key != person.key)
        .filter(|statement| known.of_id(index, &statement.system, &statement.key) != Some(person))
        .map(|statement| link(&statement.system, statement.key.as_ref().into()));
    of_accounts.chain(of_records).collect()
}
