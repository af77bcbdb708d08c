//! By what observed accounts are found, and who is known to hold them from earlier runs.
//!
//! Whom a statement means is not known here: that is correlation's, which asks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
};

use super::{Providers, fold, spread::spread};
use crate::model::{
    accounts::{Accounts, Packed},
    attribute::AttributeName,
    finder::{Finder, digest},
    id::{PersonId, SystemName},
    links::{Link, Links},
    policy::Policy,
    record::Statement,
};

/// What a person is called by, wherever that stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name<'a> {
    pub(super) system: &'a SystemName,
    pub(super) key: &'a Arc<str>,
}

impl<'a> Name<'a> {
    /// Whom a statement is about, where nothing else is known of her.
    pub(super) fn own(statement: &'a Statement) -> Self {
        Self { system: &statement.system, key: &statement.key }
    }

    pub(super) fn person(self) -> PersonId {
        PersonId { system: self.system.clone(), key: Arc::clone(self.key) }
    }
}

impl<'a> From<&'a PersonId> for Name<'a> {
    fn from(person: &'a PersonId) -> Self {
        Self { system: &person.system, key: &person.key }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.person().fmt(f)
    }
}

/// A number of which there are millions. As many as do not fit are in no memory.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// An observed account, by the numbers of its system and of itself there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) system: u32,
    pub(super) at: u32,
}

impl Place {
    pub(super) fn new(system: usize, at: usize) -> Self {
        Self { system: small(system), at: small(at) }
    }

    pub(super) fn system(self) -> usize {
        self.system as usize
    }

    pub(super) fn at(self) -> usize {
        self.at as usize
    }
}

/// Every way an account can be found: by what.
pub(super) struct Index<'a> {
    pub(super) systems: Vec<&'a SystemName>,
    pub(super) accounts: Vec<&'a Accounts>,
    /// What the accounts of each system are found by there.
    found: Vec<FoundBy<'a>>,
    /// The accounts that sign in with an account, which comes first; and these by the account they sign in with.
    identities: Vec<(Place, Place)>,
    signing_in: Finder,
    /// The one system of a kind, where there is one and it was observed. Of two systems of one kind, the kind alone does not
    /// say which is meant.
    kinds: BTreeMap<&'a str, Option<usize>>,
}

/// What the accounts of one system are found by. Each way is made ready when it is taken first: many lists are found by
/// their first attribute alone.
struct FoundBy<'a> {
    accounts: &'a Accounts,
    ids: OnceLock<Finder>,
    values: Vec<(&'a AttributeName, OnceLock<Finder>)>,
    /// The kinds of systems they sign in with.
    kinds: BTreeSet<&'a str>,
}

impl<'a> FoundBy<'a> {
    fn new(system: &SystemName, accounts: &'a Accounts, policy: &'a Policy) -> Self {
        let joins = policy.joins.get(system).map(|line| line.attributes.as_slice()).unwrap_or_default();
        let values = joins.iter().map(|attribute| (attribute, OnceLock::new())).collect();
        let mut kinds = BTreeSet::new();
        for (kind, _) in accounts.iter().flat_map(|account| account.identities()) {
            if !kinds.contains(kind) {
                kinds.insert(kind);
            }
        }
        Self { accounts, ids: OnceLock::new(), values, kinds }
    }

    fn there(&self) -> impl Iterator<Item = (usize, Packed<'a>)> + use<'a> {
        self.accounts.iter().enumerate().filter(|(_, account)| account.id().is_some())
    }

    fn ids(&self) -> &Finder {
        let id = |(at, account): (usize, Packed<'_>)| (digest(account.id().unwrap_or_default()), at);
        self.ids.get_or_init(|| Finder::new(self.accounts.len(), self.there().map(id)))
    }

    /// By an attribute, where people are found by it.
    fn values(&self, attribute: &AttributeName) -> Option<&Finder> {
        let (_, finder) = self.values.iter().find(|(other, _)| *other == attribute)?;
        let held = |(at, account): (usize, Packed<'_>)| Some((digest(&*fold(account.text(attribute)?)), at));
        Some(finder.get_or_init(|| Finder::new(self.accounts.len(), self.there().filter_map(held))))
    }

    /// Makes ready what most will be found by: then all systems do so side by side.
    fn prepare(&self, are_tied: bool) {
        if are_tied {
            self.ids();
        } else if let Some((first, _)) = self.values.first() {
            self.values(first);
        }
    }
}

impl<'a> Index<'a> {
    pub(super) fn new(
        observed: &'a BTreeMap<SystemName, Accounts>,
        are_tied: bool,
        policy: &'a Policy,
        providers: &dyn Providers,
    ) -> Self {
        let (systems, accounts): (Vec<&SystemName>, Vec<&Accounts>) = observed.iter().unzip();
        let all = observed.values().map(Accounts::len).sum();
        let found = spread((0..systems.len()).collect(), all, |at: usize| {
            let found = FoundBy::new(systems[at], accounts[at], policy);
            found.prepare(are_tied);
            found
        });
        let mut kinds = BTreeMap::new();
        for kind in found.iter().flat_map(|found| &found.kinds) {
            kinds.entry(*kind).or_insert_with(|| {
                let of_kind = providers.of_kind(kind);
                let [provider] = of_kind.as_slice() else { return None };
                systems.binary_search(&provider).ok()
            });
        }
        let mut index = Self { systems, accounts, found, identities: Vec::new(), signing_in: Finder::default(), kinds };
        let ties = spread((0..index.systems.len()).collect(), all, |system| index.signed_in(system));
        // Stable: those that sign in with one account stay in the order of systems and accounts.
        index.identities = ties.concat();
        index.identities.sort_by_key(|(with, _)| *with);
        let with = index.identities.iter().enumerate().map(|(at, (with, _))| (digest(with), at));
        index.signing_in = Finder::new(index.identities.len(), with);
        index
    }

    /// True where anybody signs in with an account of another system.
    pub(super) fn has_identities(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// Lets go of what accounts are found by, but for their ids.
    pub(super) fn forget_values(&mut self) {
        self.found.iter_mut().for_each(|found| found.values.clear());
    }

    /// Which accounts those of a system sign in with.
    fn signed_in(&self, system: usize) -> Vec<(Place, Place)> {
        if self.found[system].kinds.is_empty() {
            return Vec::new();
        }
        let there = self.accounts[system].iter().enumerate().filter(|(_, account)| account.id().is_some());
        let pairs = there.flat_map(|(at, account)| {
            let with = account.identities().filter_map(|identity| self.of_identity(identity));
            with.map(move |with| (with, Place::new(system, at)))
        });
        pairs.collect()
    }

    pub(super) fn account(&self, place: Place) -> Packed<'a> {
        match self.accounts[place.system()].get(place.at()) {
            Some(account) => account,
            None => unreachable!("a place is that of an account"),
        }
    }

    pub(super) fn id(&self, place: Place) -> &'a str {
        match self.account(place).id() {
            Some(id) => id,
            None => unreachable!("only accounts that are there have a place"),
        }
    }

    pub(super) fn name(&self, place: Place) -> &'a SystemName {
        self.systems[place.system()]
    }

    pub(super) fn place(&self, system: &SystemName, id: &str) -> Option<Place> {
        self.place_at(self.systems.binary_search(&system).ok()?, id)
    }

    fn place_at(&self, system: usize, id: &str) -> Option<Place> {
        let accounts = self.accounts[system];
        let is_it = |at: &usize| accounts.get(*at).and_then(|account| account.id()) == Some(id);
        self.found[system].ids().of(digest(id)).find(is_it).map(|at| Place::new(system, at))
    }

    pub(super) fn of_identity(&self, (kind, id): (&str, &str)) -> Option<Place> {
        let system = self.kinds.get(kind).copied().flatten()?;
        self.place_at(system, id)
    }

    /// The accounts that hold a folded text, in the order they were observed.
    pub(super) fn holding(&self, system: &SystemName, attribute: &AttributeName, text: &str) -> Vec<Place> {
        let Ok(system) = self.systems.binary_search(&system) else { return Vec::new() };
        let Some(finder) = self.found[system].values(attribute) else { return Vec::new() };
        let holds = |at: &usize| {
            let held = self.accounts[system].get(*at).and_then(|account| account.text(attribute));
            held.is_some_and(|held| *fold(held) == *text)
        };
        finder.of(digest(text)).filter(holds).map(|at| Place::new(system, at)).collect()
    }

    /// Brings near what is needed to find who holds each of these texts, for all of them at once.
    pub(super) fn read_ahead<'t>(
        &self,
        system: &SystemName,
        attribute: &AttributeName,
        texts: impl Iterator<Item = &'t str>,
    ) {
        let Ok(system) = self.systems.binary_search(&system) else { return };
        let Some(finder) = self.found[system].values(attribute) else { return };
        let digests: Vec<u32> = texts.map(|text| digest(&*fold(text))).collect();
        let found = finder.first_of_each(&digests).into_iter().flatten();
        let held = found.filter_map(|at| self.accounts[system].get(at)?.id());
        std::hint::black_box(held.map(str::len).sum::<usize>());
    }

    /// The accounts that sign in with this one.
    pub(super) fn signing_in_with(&self, place: Place) -> impl Iterator<Item = Place> {
        let pairs = self.signing_in.of(digest(place)).map(|at| self.identities[at]);
        pairs.filter(move |(with, _)| *with == place).map(|(_, other)| other)
    }
}

/// Somebody, by the number of a tie of hers, or behind those of all ties by that of a statement that names her.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who(NonZeroU32);

impl Who {
    pub(super) fn new(number: usize) -> Option<Self> {
        u32::try_from(number + 1).ok().and_then(NonZeroU32::new).map(Self)
    }

    pub(super) fn number(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Who is known by what, from ties of earlier runs.
pub(super) struct Known<'a> {
    pub(super) links: &'a Links,
    /// For each observed account the tie that says whose it is.
    pub(super) observed: Vec<Vec<Option<Who>>>,
    /// Finds the ties to what was not observed.
    others: Finder,
    /// The ties of each person.
    ties: Finder,
}

impl<'a> Known<'a> {
    pub(super) fn new(index: &Index<'_>, links: &'a Links) -> Self {
        // Where nothing is tied, nothing is kept of anybody.
        let length = |accounts: &&Accounts| if links.is_empty() { 0 } else { accounts.len() };
        let mut observed: Vec<Vec<Option<Who>>> =
            index.accounts.iter().map(|accounts| vec![None; length(accounts)]).collect();
        let not_observed = links.iter().enumerate().filter_map(|(at, link)| {
            let place = index.place(link.system, link.account);
            if let Some(place) = place {
                observed[place.system()][place.at()] = Who::new(at);
            }
            place.is_none().then(|| (digest((link.system.as_str(), link.account)), at))
        });
        let others = Finder::new(links.len(), not_observed);
        let ties = links.iter().enumerate().map(|(at, link)| (digest_of(link.person.into()), at));
        Self { links, observed, others, ties: Finder::new(links.len(), ties) }
    }

    /// The tie that says whose it is what was not observed.
    pub(super) fn tie_to(&self, system: &SystemName, id: &str) -> Option<usize> {
        let is_it = |at: &usize| self.links.get(*at).is_some_and(|it| it.system == system && it.account == id);
        self.others.of(digest((system.as_str(), id))).filter(is_it).last()
    }

    pub(super) fn person(&self, tie: usize) -> Option<Name<'a>> {
        Some(self.links.get(tie)?.person.into())
    }

    /// The tie that says whose an account is.
    pub(super) fn tie_of(&self, place: Place) -> Option<Who> {
        *self.observed[place.system()].get(place.at())?
    }

    pub(super) fn of(&self, place: Place) -> Option<Name<'a>> {
        self.person(self.tie_of(place)?.number())
    }

    pub(super) fn of_id(&self, index: &Index<'_>, system: &SystemName, id: &str) -> Option<Name<'a>> {
        match index.place(system, id) {
            Some(place) => self.of(place),
            None => self.person(self.tie_to(system, id)?),
        }
    }

    /// What somebody is tied to.
    pub(super) fn ties<'n>(&self, person: Name<'n>) -> impl Iterator<Item = Link<'a>> + use<'_, 'a, 'n> {
        let all = self.ties.of(digest_of(person)).filter_map(|at| self.links.get(at));
        all.filter(move |link| Name::from(link.person) == person)
    }

    /// At which of the systems that were looked into somebody is tied to an account, each once.
    pub(super) fn tied_at(&self, person: Name<'_>, index: &Index<'a>) -> Vec<&'a SystemName> {
        let systems = self.ties(person).filter_map(|link| index.systems.binary_search(&link.system).ok());
        let mut systems: Vec<usize> = systems.collect();
        systems.sort_unstable();
        systems.dedup();
        systems.into_iter().map(|at| index.systems[at]).collect()
    }
}

fn digest_of(person: Name<'_>) -> u32 {
    digest((person.system.as_str(), &**person.key))
}
