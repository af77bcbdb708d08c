//! Who is who: statements, remembered links and observed accounts that belong together become people.
//!
//! A link is believed first, then what an account itself says about how its holder signs in, then the join attributes of
//! the rules. Where there is more than one answer nothing is guessed: the person is held, with both answers named by id.
//! Where a later attribute of a join would have found another account, which is nobody's, the first is taken and it is told.
//! What somebody said is not hers is not found at all.

mod rivals;
mod undone;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    sync::Arc,
};

use self::{
    rivals::Rivals,
    undone::Undone,
    ways::{by_identities, by_joins, by_own_tokens},
};
use super::{
    Providers,
    doubts::{Doubt, Doubts, command},
    few_of,
    handed_on::HandedOn,
    index::{Index, Known, Name, Place, Who, small},
    spread::{parts, spread},
};
use crate::model::{
    accounts::{Accounts, Packed},
    attribute::Value,
    id::{AccountId, PersonId, SystemName},
    links::{Link, Links},
    person::{Look, Person, Unseen, decided},
    plan::{Doubtful, OpenCreation, Vanished},
    policy::Policy,
    record::Statement,
    refusal::{Refusal, RefusalKind},
};

/// What correlation works on.
pub(crate) struct Material<'a> {
    /// What sources say in this run.
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What sources said before, for keys that say nothing now.
    pub(crate) remembered: Vec<Arc<Statement>>,
    /// What sources said before of keys that they name otherwise now.
    pub(crate) former: Vec<Arc<Statement>>,
    /// What was said of those who are silent now and of whom something is open, in the order of source and key.
    pub(crate) open_words: Vec<Arc<Statement>>,
    /// Ties from earlier runs.
    pub(crate) links: &'a Links,
    /// Those of the next whose account was said to be somebody's then or later.
    pub(crate) settled: &'a Links,
    /// Accounts and records that are not those of these people, as somebody said.
    pub(crate) not_hers: &'a Links,
    /// Accounts that earlier runs may have made.
    pub(crate) open: &'a [OpenCreation],
    /// Every account that was observed.
    pub(crate) accounts: &'a BTreeMap<SystemName, Accounts>,
    /// Sources in the order in which they may give a person her name.
    pub(crate) sources: &'a [SystemName],
    /// Sources that told of everybody in this run.
    pub(crate) whole: BTreeSet<SystemName>,
    /// At systems where everybody is seen with her own token: what it opened, under each name she is known by.
    pub(crate) own: &'a BTreeMap<SystemName, BTreeMap<PersonId, Opened>>,
    /// Accounts that are not shown to us, although they may be there, and why.
    pub(crate) hidden: &'a BTreeMap<SystemName, BTreeMap<AccountId, Refusal>>,
}

impl Material<'_> {
    /// What was said of whoever is not spoken of now: what is still open counts in the place of what is remembered.
    pub(super) fn said_last(&self) -> impl Iterator<Item = &Arc<Statement>> {
        let open = &self.open_words;
        let is_open = |said: &&Arc<Statement>| {
            let name = Name::own(said);
            open.binary_search_by(|open| Name::own(open).cmp(&name)).is_ok()
        };
        // Of several open words of one person none is known to be the one that will hold.
        self.remembered.iter().filter(move |said| !is_open(said)).chain(open)
    }
}

/// A person who was found, with her accounts where they lie.
pub(crate) struct Found<'a> {
    id: PersonId,
    statements: Vec<Arc<Statement>>,
    accounts: Vec<(&'a Accounts, usize)>,
    held: Option<String>,
    unseen: BTreeMap<SystemName, Unseen>,
}

impl<'a> Found<'a> {
    #[cfg(test)]
    pub(super) fn new(
        statements: Vec<Arc<Statement>>,
        accounts: Vec<(&'a Accounts, usize)>,
        held: Option<String>,
        unseen: BTreeMap<SystemName, Unseen>,
    ) -> Self {
        let id = PersonId { system: "hr".into(), key: "1".into() };
        Self { id, statements, accounts, held, unseen }
    }

    /// True where she is not held, and all her accounts could be seen.
    pub(super) fn is_plain(&self) -> bool {
        self.held.is_none() && self.unseen.is_empty()
    }

    /// What is stated of her.
    pub(crate) fn statements(&self) -> &[Arc<Statement>] {
        &self.statements
    }

    /// Her accounts, one of each system.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Packed<'a>> {
        self.accounts.iter().filter_map(|(accounts, at)| accounts.get(*at))
    }

    /// As [`Person::look`].
    pub(crate) fn look(&self, look: &Look) -> Value {
        let account = |system| self.accounts().find(|account| account.system() == system);
        let shown = |system| account(system).filter(|account| account.id().is_some());
        let seen = match look {
            Look::Decided(owner, attribute) => {
                decided(&self.statements, owner, attribute, || account(owner)?.value(attribute).map(Into::into))
            }
            Look::Account(system) => shown(system).map(|_| Value::Bool(true)),
            Look::Held(system, attribute) => shown(system).and_then(|it| it.value(attribute)).map(Into::into),
            Look::Fact(system, name) => shown(system).and_then(|it| it.fact_value(name)).map(Into::into),
        };
        seen.unwrap_or_default()
    }

    /// Who she is, and what is stated of her.
    pub(crate) fn without_accounts(self) -> (PersonId, Vec<Arc<Statement>>) {
        (self.id, self.statements)
    }

    /// The person, with her accounts unpacked.
    pub(crate) fn person(self) -> Person {
        let Self { id, statements, accounts, held, unseen } = self;
        let accounts = accounts.iter().filter_map(|(accounts, at)| accounts.get(*at));
        let accounts = accounts.map(|account| (account.system().clone(), Arc::new(account.account())));
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

/// What a statement was found to mean, or all that were said of one person.
#[derive(Clone, Default)]
struct Draft {
    /// One of each system, in their order.
    accounts: Vec<Place>,
    held: Option<String>,
    unseen: BTreeMap<SystemName, Unseen>,
    doubts: Vec<Doubt>,
}

impl Draft {
    /// True where it is accounts and nothing else.
    fn is_plain(&self) -> bool {
        self.held.is_none() && self.unseen.is_empty() && self.doubts.is_empty()
    }

    fn hold(&mut self, reason: String) {
        self.held.get_or_insert(reason);
    }

    fn at(&self, system: usize) -> Result<usize, usize> {
        self.accounts.binary_search_by_key(&system, |place| place.system())
    }

    /// Takes an account in the place of any other of that system.
    fn put(&mut self, place: Place) {
        match self.at(place.system()) {
            Ok(at) => self.accounts[at] = place,
            Err(at) => self.accounts.insert(at, place),
        }
    }

    /// Takes note of a tie to an account that is not shown: where it may be there all the same, nothing is decided of her
    /// at that system.
    fn hide(&mut self, person: &Name<'_>, link: Link<'_>, material: &Material<'_>) {
        let hidden = material.hidden.get(link.system).and_then(|hidden| hidden.get(&AccountId::from(link.account)));
        let Some(refusal) = hidden else { return };
        let (system, account) = (link.system, link.account);
        let reason = format!(
            "{system} does not show us account {account}, which is hers: {}; where it is hers no more, say so, as in {}",
            refusal.reason,
            command("unlink", person, system, account)
        );
        self.unseen.insert(system.clone(), Unseen { kind: refusal.kind, reason, is_hers: true });
    }

    /// The systems where an account of hers is not shown to us.
    fn hidden<'d>(&'d self, material: &Material<'_>) -> impl Iterator<Item = &'d SystemName> {
        self.unseen.keys().filter(|system| material.hidden.contains_key(*system))
    }

    /// What her token opened at a system, by its name and its number, seems to be somebody else's: nothing is taken there,
    /// and the others go on.
    fn not_hers(&mut self, system: &SystemName, number: usize, reason: String) {
        self.accounts.retain(|other| other.system() != number);
        self.unseen.insert(system.clone(), Unseen { kind: RefusalKind::Forbidden, reason, is_hers: false });
    }

    /// Takes an account, or holds where another one of that system is there already.
    fn take(&mut self, place: Place, how: &str, whose: &Name<'_>, index: &Index<'_>) {
        match self.at(place.system()) {
            Ok(at) if self.accounts[at] != place => {
                let (system, there, id) = (index.name(place), index.id(self.accounts[at]), index.id(place));
                let settle = command("unlink", whose, system, id);
                self.hold(format!(
                    "{system} has two accounts that could be meant: {there}, and {id} by {how}; say which is not hers, as in \
                     {settle}"
                ));
            }
            Ok(_) => {}
            Err(at) => self.accounts.insert(at, place),
        }
    }
}

/// What there is to look at while statements become people. What is found by one statement does not depend on what others
/// found, so that many are looked at side by side.
pub(super) struct Sight<'s, 'a> {
    pub(super) material: &'a Material<'a>,
    pub(super) policy: &'s Policy,
    pub(super) providers: &'s dyn Providers,
    pub(super) index: &'s Index<'a>,
    pub(super) known: &'s Known<'a>,
    pub(super) apart: &'s Apart<'a>,
}

/// What somebody said not to be whose.
pub(super) struct Apart<'a> {
    /// The accounts that are not those of a record or a person, by her names.
    accounts: BTreeMap<Name<'a>, Vec<Place>>,
    /// Those of them that tell nobody apart: they are somebody's by a word that is as new.
    settled: BTreeSet<(Place, Name<'a>)>,
    /// Two names, of records or people, that are not those of one person; either way round.
    names: BTreeSet<[(&'a str, &'a str); 2]>,
}

impl<'a> Apart<'a> {
    /// Whoever was spoken of by the name that a source has for her is known under another one since she was tied to it.
    fn new(material: &Material<'a>, index: &Index<'_>, known: &Known<'a>) -> Self {
        let by_word: BTreeSet<Link<'_>> = material.settled.iter().collect();
        let settled = material
            .settled
            .iter()
            .filter_map(|link| Some((index.place(link.system, link.account)?, Name::from(link.person))))
            .collect();
        let mut apart = Self { accounts: BTreeMap::new(), settled, names: BTreeSet::new() };
        for link in material.not_hers.iter() {
            let name = known.of_id(index, &link.person.system, &link.person.key);
            // What was given to her by a word since is hers, although it was not under a name that has become hers.
            let is_hers_since = |name: &Name<'_>| {
                by_word.contains(&link) && known.of_id(index, link.system, link.account) == Some(*name)
            };
            let name = name.filter(|name| !is_hers_since(name));
            for name in [Name::from(link.person)].into_iter().chain(name) {
                apart.accounts.entry(name).or_default().extend(index.place(link.system, link.account));
                let (record, person) = ((link.system.as_str(), link.account), (name.system.as_str(), &**name.key));
                apart.names.extend([[record, person], [person, record]]);
            }
        }
        apart
    }

    /// Accounts that are not those of this record or person.
    fn from<'s>(&'s self, name: Name<'s>) -> &'s [Place] {
        self.accounts.get(&name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether these are known not to be names of one person.
    pub(super) fn parts(&self, one: Name<'_>, other: Name<'_>) -> bool {
        !self.names.is_empty() && self.names.contains(&[one, other].map(|name| (name.system.as_str(), &**name.key)))
    }
}

impl Sight<'_, '_> {
    /// Who a statement is about by ties: whoever is known to have its key, or else whom it names, where she has any.
    fn tied<'n>(&self, statement: &'n Statement, held_by: Option<Name<'n>>) -> Option<Name<'n>> {
        let own = Name::own(statement);
        held_by.or_else(|| self.known.ties(own).next().map(|_| own))
    }

    /// What a statement is found to mean, where ties say so whom it is about.
    fn look(&self, statement: &Statement, tied: Option<Name<'_>>) -> Draft {
        let Self { material, index, known, apart, .. } = *self;
        let mut found = Draft::default();
        for (person, link) in tied.into_iter().flat_map(|person| known.ties(person).map(move |link| (person, link))) {
            match index.place(link.system, link.account) {
                // A source may know her by several names.
                Some(place) if material.sources.contains(link.system) => found.put(place),
                Some(place) => found.take(place, "another tie", &person, index),
                None => found.hide(&person, link, material),
            }
        }
        let own = Name::own(statement);
        let is_apart = |place: Place| {
            let is = |whose: Name<'_>| apart.from(whose).contains(&place);
            !apart.accounts.is_empty() && (is(own) || tied.is_some_and(is))
                || !apart.names.is_empty() && known.of(place).is_some_and(|holder| apart.parts(own, holder))
        };
        // An account that is tied to somebody whom this source knows under another key is not this person's, whatever
        // its address: addresses are handed on from leavers to newcomers.
        let anothers = |place: Place| {
            is_apart(place)
                || known.of(place).is_some_and(|person| {
                    let mut keys = known.ties(person).filter(|link| *link.system == statement.system);
                    let anchors = *person.system == statement.system;
                    (anchors && **person.key != *statement.key) || keys.any(|link| *link.account != *statement.key)
                })
        };
        if !material.own.is_empty() {
            let hers: Vec<Link<'_>> = tied.into_iter().flat_map(|person| known.ties(person)).collect();
            by_own_tokens(&mut found, statement, &hers, self, &is_apart);
        }
        // Whoever has an account that is not shown to us is not found another one.
        let hidden: Vec<SystemName> = found.hidden(material).cloned().collect();
        let shut = |system: &SystemName| material.own.contains_key(system) || hidden.contains(system);
        let whose = tied.unwrap_or(own);
        by_joins(&mut found, (statement, &whose), self, &shut, &anothers);
        if index.has_identities() {
            let strange = |place: Place| known.of(place).filter(|holder| anothers(place) && Some(*holder) != tied);
            let is_hers = |place: Place| tied.is_some() && known.of(place) == tied;
            by_identities(&mut found, (statement, &whose), index, &is_apart, &strange, &is_hers);
        }
        if !hidden.is_empty() {
            found.accounts.retain(|place| !hidden.contains(index.name(*place)));
        }
        found
    }

    /// Brings near what these are found by where they are tied to nothing yet.
    fn read_ahead(&self, statements: &[&Arc<Statement>]) {
        if !self.known.links.is_empty() {
            return;
        }
        for (system, line) in &self.policy.joins {
            if let Some(attribute) = line.attributes.first() {
                let texts = statements.iter().filter_map(|statement| statement.values.text(attribute));
                self.index.read_ahead(system, attribute, texts);
            }
        }
    }

    /// What these statements are found to mean, by what is known from earlier runs.
    fn look_at_all(&self, statements: &[&Arc<Statement>]) -> Drafts {
        let (count, systems) = (statements.len(), self.index.systems.len());
        let mut accounts = vec![None; count * systems];
        let parts = parts(count);
        let size = parts.first().map_or(1, |part| part.len() * systems).max(1);
        let places = accounts.chunks_mut(size).map(Some).chain(std::iter::repeat_with(|| None));
        let others = spread(parts.into_iter().zip(places).collect(), count, |(part, places)| {
            let mut others = Vec::new();
            let mut places = places.into_iter().flat_map(|places| places.chunks_mut(systems));
            for block in part.clone().step_by(BLOCK).map(|start| start..part.end.min(start + BLOCK)) {
                self.read_ahead(&statements[block.clone()]);
                for at in block {
                    let statement = statements[at];
                    let held_by = self.known.of_id(self.index, &statement.system, &statement.key);
                    let draft = self.look(statement, self.tied(statement, held_by));
                    let places = places.next();
                    match places {
                        Some(places) if draft.is_plain() => enter(places, &draft),
                        _ => others.push((at, draft)),
                    }
                }
            }
            others
        });
        Drafts { systems, accounts, others: others.into_iter().flatten().collect() }
    }
}

/// So many statements are looked at together, so that memory is waited for once for all of them.
const BLOCK: usize = 64;

/// Many drafts, by their number.
struct Drafts {
    systems: usize,
    /// For each draft and each system the number of the account there, from 1.
    accounts: Vec<Option<NonZeroU32>>,
    /// The drafts that are more than accounts.
    others: BTreeMap<usize, Draft>,
}

/// Writes down the accounts of a draft, system by system.
fn enter(places: &mut [Option<NonZeroU32>], draft: &Draft) {
    places.fill(None);
    for place in &draft.accounts {
        places[place.system()] = NonZeroU32::new(place.at.wrapping_add(1));
    }
}

impl Drafts {
    fn accounts(&self, at: usize) -> impl Iterator<Item = Place> + use<'_> {
        let other = self.others.get(&at);
        let places = if other.is_none() { &self.accounts[at * self.systems..(at + 1) * self.systems] } else { &[] };
        let places =
            places.iter().zip(0..).filter_map(|(at, system)| Some(Place { system, at: at.as_ref()?.get() - 1 }));
        other.into_iter().flat_map(|draft| draft.accounts.iter().copied()).chain(places)
    }

    fn put(&mut self, at: usize, draft: Draft) {
        if draft.is_plain() {
            self.others.remove(&at);
            enter(&mut self.accounts[at * self.systems..(at + 1) * self.systems], &draft);
        } else {
            self.others.insert(at, draft);
        }
    }

    fn hold(&mut self, at: usize, reason: String) {
        let accounts = self.accounts(at).collect();
        self.others.entry(at).or_insert_with(|| Draft { accounts, ..Draft::default() }).hold(reason);
    }
}

/// Everybody a fresh statement speaks of.
struct Everybody<'a> {
    links: &'a Links,
    statements: Vec<&'a Arc<Statement>>,
    drafts: Drafts,
    /// Whom each statement is about.
    about: Vec<Who>,
    /// The statements that are about somebody because of what they were found by, and no tie says so yet.
    found: BTreeSet<u32>,
    /// The numbers of the statements, person by person, in order of id.
    order: Vec<u32>,
}

impl<'a> Everybody<'a> {
    fn new(sight: &Sight<'_, 'a>) -> Self {
        let Sight { material, index, known, .. } = *sight;
        let statements = in_order_of_sources(&material.statements, material.sources);
        let drafts = sight.look_at_all(&statements);
        let about = Vec::with_capacity(statements.len());
        let (found, order) = (BTreeSet::new(), Vec::new());
        let mut all = Self { links: known.links, statements, drafts, about, found, order };
        let handed_on = HandedOn::new(sight);
        // Who holds an account, from ties and from what this run has found so far.
        let mut holders = known.observed.clone();
        for (holders, accounts) in holders.iter_mut().zip(&index.accounts) {
            holders.resize(accounts.len(), None);
        }
        // The first of the statements of this name, which follow each other.
        let mut first = 0;
        for at in 0..all.statements.len() {
            let statement = all.statements[at];
            if Name::own(all.statements[first]) != Name::own(statement) {
                first = at;
            }
            let place = index.place(&statement.system, &statement.key);
            let (before, now) = if let Some(place) = place {
                (known.tie_of(place), holders[place.system()][place.at()])
            } else {
                let before = known.tie_to(&statement.system, &statement.key).and_then(Who::new);
                (before, before.or_else(|| all.about.get(first).copied()))
            };
            let now_by_name = now.map(|who| all.name(who));
            if now_by_name != before.map(|who| all.name(who)) {
                let draft = sight.look(statement, sight.tied(statement, now_by_name));
                all.drafts.put(at, draft);
            }
            let Some(own) = Who::new(all.links.len() + at) else { unreachable!("no memory holds so many") };
            let tied = now.or_else(|| known.ties(Name::own(statement)).next().map(|_| own));
            if tied.is_none() {
                all.let_go(at, &handed_on, &holders, index);
            }
            let claimants = all.claimants(at, tied, &holders);
            // A record that is tied to somebody is about her, whatever else it leads to.
            let mut person = tied.or(claimants.first().copied()).unwrap_or(own);
            // Whoever has what is said not to be this record's is somebody else, unless that was given to her by a word.
            let not_its = sight.apart.from(Name::own(statement));
            let parted = |all: &Self, who: &Who| {
                let (own, name) = (Name::own(statement), all.name(*who));
                if sight.apart.parts(own, name) {
                    return Some((format!(", and {own} was said not to be {name}"), None));
                }
                let is_settled = |place: &Place| sight.apart.settled.contains(&(*place, own));
                let has = |place: &Place| holders[place.system()][place.at()].is_some_and(|who| all.name(who) == name);
                let strange = not_its.iter().find(|place| !is_settled(place) && has(place))?;
                let (system, id) = (index.name(*strange), index.id(*strange));
                let said = format!(", and {system}:{id}, which is {name}'s, was said not to be {own}'s");
                Some((said, Some(command("link", &name, system, id))))
            };
            let said = claimants.iter().find_map(|who| parted(&all, who));
            let mut is_at_odds = claimants.len() > 1 || said.is_some();
            // Whom it is about was found by what it says: what is known of her comes before that.
            let name = all.name(person);
            let is_found = tied.is_none_or(|tied| all.name(tied) != name) && name != Name::own(statement);
            if is_found {
                all.found.insert(small(at));
            }
            // A word that settles what is held of her is one on her, and not on the record.
            let is_known = || {
                let is_held = all.drafts.others.get(&at).is_some_and(|draft| draft.held.is_some());
                is_held || known.ties(name).next().is_some() || sight.apart.accounts.contains_key(&name)
            };
            if !is_at_odds && is_found && is_known() {
                all.drafts.put(at, sight.look(statement, Some(name)));
                if all.let_go(at, &handed_on, &holders, index) {
                    person = own;
                }
                is_at_odds = all.claimants(at, Some(person), &holders).len() > 1;
            }
            if is_at_odds {
                let said = said.unwrap_or_default();
                all.drafts.hold(at, all.at_odds(at, (tied, person), &holders, said, index));
            }
            for place in all.drafts.accounts(at).chain(place) {
                holders[place.system()][place.at()].get_or_insert(person);
            }
            all.about.push(person);
        }
        let mut order: Vec<u32> = (0..all.about.len()).map(small).collect();
        // Stable: what is said of one person stays in the order of sources.
        order.sort_by_key(|at| all.name(all.about[*at as usize]));
        Self { order, ..all }
    }

    /// Lets go of accounts that a record was found by where all that they have in common is another person's by now. Where
    /// nothing else is left, nobody knows whose it is until that has been carried out, and true is given.
    fn let_go(
        &mut self,
        at: usize,
        handed_on: &HandedOn<'_, 'a>,
        holders: &[Vec<Option<Who>>],
        index: &Index<'_>,
    ) -> bool {
        let statement = self.statements[at];
        let own = Name::own(statement);
        let holder = |place: &Place| holders[place.system()][place.at()].map(|who| self.name(who));
        let others = self.drafts.accounts(at).filter_map(|place| Some((place, holder(&place)?)));
        let mut told: BTreeMap<Name<'_>, String> = BTreeMap::new();
        for (place, name) in others.filter(|(_, name)| *name != own) {
            if let Some(reason) = handed_on.told(statement, place, name) {
                told.entry(name).or_insert(reason);
            }
        }
        let Some(reason) = told.values().next().cloned() else { return false };
        let is_told = |place: &Place| holder(place).is_some_and(|name| told.contains_key(&name));
        let (gone, mut accounts): (Vec<Place>, Vec<Place>) = self.drafts.accounts(at).partition(is_told);
        // What nobody has yet may have been found by the way somebody signs in with what is let go.
        let signs_in = |one: Place, with: Place| {
            index.account(one).identities().any(|identity| index.of_identity(identity) == Some(with))
        };
        accounts.retain(|one| {
            holder(one).is_some() || !gone.iter().any(|with| signs_in(*one, *with) || signs_in(*with, *one))
        });
        let is_alone = !accounts.iter().any(|place| holder(place).is_some());
        if is_alone {
            accounts.clear();
        }
        let mut draft = self.drafts.others.get(&at).cloned().unwrap_or_default();
        draft.doubts.retain(|doubt| accounts.contains(&doubt.found));
        if is_alone {
            draft.hold(reason);
        }
        self.drafts.put(at, Draft { accounts, ..draft });
        is_alone
    }

    fn name(&self, who: Who) -> Name<'a> {
        let number = who.number();
        match self.links.get(number) {
            Some(link) => link.person.into(),
            None => Name::own(self.statements[number - self.links.len()]),
        }
    }

    /// Whose the accounts are that a statement was found to mean, and whom it is tied to; each of them once.
    fn claimants(&self, at: usize, tied: Option<Who>, holders: &[Vec<Option<Who>>]) -> Vec<Who> {
        let held = self.drafts.accounts(at).filter_map(|place| holders[place.system()][place.at()]);
        let mut claimants: Vec<Who> = tied.into_iter().chain(held).collect();
        claimants.sort_unstable_by_key(|who| self.name(*who));
        claimants.dedup_by_key(|who| self.name(*who));
        claimants
    }

    /// That one statement leads to people whom it cannot all be about, and by what to whom. `about`: whom it is tied to, and
    /// whom else it seems to be about; `said`: which word stands against that, and the opposite of it.
    fn at_odds(
        &self,
        at: usize,
        (tied, about): (Option<Who>, Who),
        holders: &[Vec<Option<Who>>],
        (said, opposite): (String, Option<String>),
        index: &Index<'_>,
    ) -> String {
        let name = |who: Option<Who>| who.map(|who| self.name(who));
        let own = Name::own(self.statements[at]);
        let whose = name(tied).unwrap_or(own);
        let of_accounts = self.drafts.accounts(at).filter_map(|place| {
            let holder = name(holders[place.system()][place.at()])?;
            Some((place, holder))
        });
        let mut ways: Vec<String> = name(tied).into_iter().map(|name| format!("{name} by its key")).collect();
        // Where nothing else speaks against it, the record itself may be somebody else's.
        let of_record = name(tied).filter(|name| *name != own);
        let mut settle = of_record.map_or_else(String::new, |name| command("unlink", &name, own.system, own.key));
        for (place, holder) in of_accounts.filter(|(_, holder)| name(tied) != Some(*holder)) {
            let (system, id) = (index.name(place), index.id(place));
            ways.push(format!("{holder} by {system}:{id}"));
            if settle.is_empty() || self.name(about) != holder {
                settle = command("unlink", &whose, system, id);
            }
        }
        let ways = ways.join(", ");
        match opposite.filter(|_| settle.is_empty()) {
            Some(opposite) => format!("this leads to {ways}{said}; where it is, say so: {opposite}"),
            None => format!("this leads to somebody else: {ways}{said}; say what is not hers, as in {settle}"),
        }
    }

    /// Each person, with the numbers of the statements that speak of her.
    fn people(&self) -> impl Iterator<Item = (Name<'a>, &[u32])> {
        let name = |at: u32| self.name(self.about[at as usize]);
        self.order.chunk_by(move |one, other| name(*one) == name(*other)).map(move |said| (name(said[0]), said))
    }

    fn said<'s>(&'s self, said: &'s [u32]) -> impl Iterator<Item = &'a Arc<Statement>> + use<'a, 's> {
        said.iter().map(|at| self.statements[*at as usize])
    }

    /// What these statements, which speak of one person, mean together.
    fn draft(&self, said: &[u32], index: &Index<'_>) -> Draft {
        let mut whole = Draft::default();
        for (count, at) in said.iter().enumerate() {
            let statement = self.statements[*at as usize];
            let is_of_this_source = |other: &&u32| self.statements[**other as usize].system == statement.system;
            if let Some(other) = said[..count].iter().find(is_of_this_source) {
                whole.hold(self.both(*other as usize, *at as usize, index));
            }
            if let Some(Draft { held, unseen, doubts, .. }) = self.drafts.others.get(&(*at as usize)) {
                whole.doubts.extend(doubts);
                whole.unseen.extend(unseen.clone());
                whole.held = whole.held.or_else(|| held.clone());
            }
            // Of what a record was only found by, a word on the record tells.
            let own = Name::own(statement);
            let name = if self.found.contains(at) { own } else { self.name(self.about[*at as usize]) };
            for place in self.drafts.accounts(*at as usize) {
                whole.take(place, "another way of looking", &name, index);
            }
        }
        whole
    }

    /// That two records of one source were found to be about one person.
    fn both(&self, one: usize, other: usize, index: &Index<'_>) -> String {
        let (here, there) = (&self.statements[one].origin, &self.statements[other].origin);
        let is_of_both = |place: &Place| self.drafts.accounts(one).any(|it| it == *place);
        // What is a record of this source is whose it is by its key.
        let is_account = |place: &Place| index.name(*place) != &self.statements[other].system;
        let common = self.drafts.accounts(other).find(|place| is_of_both(place) && is_account(place));
        let settle = common.map_or_else(String::new, |place| {
            // The one that is hers by no tie, if there is one. Of a record that is tied to her a word says that it is not hers.
            let is_found = |at: usize| self.found.contains(&small(at));
            let strange = if is_found(one) && !is_found(other) { one } else { other };
            let (own, name) = (Name::own(self.statements[strange]), self.name(self.about[strange]));
            let apart = if is_found(strange) || name == own {
                command("unlink", &own, index.name(place), index.id(place))
            } else {
                command("unlink", &name, own.system, own.key)
            };
            format!(", or where they are two people, say what is not whose, as in {apart}")
        });
        format!("{here} and {there} both seem to speak of this person: correct one{settle}")
    }

    /// Hands on each account of each person, with whose it is.
    fn each_account(&self, index: &Index<'_>, each: &mut dyn FnMut(Name<'a>, Place)) {
        for (person, said) in self.people() {
            match said {
                [one] => self.drafts.accounts(*one as usize).for_each(|place| each(person, place)),
                several => self.draft(several, index).accounts.into_iter().for_each(|place| each(person, place)),
            }
        }
    }

    /// Those of the accounts in doubts that are somebody's by now: what somebody else was found by is no doubt of this one.
    fn claimed(&self, index: &Index<'_>) -> BTreeSet<Place> {
        let others = self.drafts.others.values().flat_map(|draft| &draft.doubts).filter_map(|doubt| doubt.other);
        let others: BTreeSet<Place> = others.collect();
        let mut claimed = BTreeSet::new();
        if !others.is_empty() {
            self.each_account(index, &mut |_, place| {
                if others.contains(&place) {
                    claimed.insert(place);
                }
            });
        }
        claimed
    }

    /// Accounts that several people would have, with all of those.
    fn contested(&self, index: &Index<'_>) -> BTreeMap<Place, Vec<Name<'a>>> {
        let mut claimed: Vec<Vec<bool>> = index.accounts.iter().map(|accounts| vec![false; accounts.len()]).collect();
        let mut several: BTreeMap<Place, Vec<Name<'a>>> = BTreeMap::new();
        self.each_account(index, &mut |_, place| {
            if std::mem::replace(&mut claimed[place.system()][place.at()], true) {
                several.entry(place).or_default();
            }
        });
        if !several.is_empty() {
            self.each_account(index, &mut |person, place| {
                if let Some(claims) = several.get_mut(&place) {
                    claims.push(person);
                }
            });
        }
        several
    }
}

/// What correlation found beside people.
pub(crate) struct Ties {
    /// Those that were not known before.
    pub(crate) links: Links,
    /// Of which of them somebody should be sure first.
    pub(crate) doubts: Vec<Doubtful>,
    /// To whom a system shows none of the accounts that she is tied to.
    pub(crate) vanished: BTreeMap<SystemName, Vanished>,
    /// That in words, of a few of each system.
    pub(crate) warnings: Vec<String>,
}

/// Puts together what belongs together. Everybody that a fresh statement speaks of is handed to `each`, in order of id.
pub(crate) fn correlate<'a>(
    material: &'a Material<'_>,
    policy: &Policy,
    providers: &dyn Providers,
    each: &mut dyn FnMut(Found<'a>),
) -> Ties {
    let mut index = Index::new(material.accounts, !material.links.is_empty(), policy, providers);
    let known = Known::new(&index, material.links);
    let apart = Apart::new(material, &index, &known);
    let sight = Sight { material, policy, providers, index: &index, known: &known, apart: &apart };
    let everybody = Everybody::new(&sight);
    let rivals = Rivals::new(&sight, |each| everybody.each_account(&index, &mut |_, place| each(place)));
    // Nobody is looked for by a value any more.
    index.forget_values();
    // An account that two people would have is nobody's until a person decides.
    let contested = everybody.contested(&index);
    let claimed = everybody.claimed(&index);
    let undone = Undone::new(material.open, &index, &known, providers);
    let mut doubts = Doubts::new(policy, &index, material.sources);
    // What was said in earlier runs, by whom it speaks of.
    let mut remembered: Vec<(Name<'_>, &Arc<Statement>)> = Vec::with_capacity(material.remembered.len());
    remembered.extend(material.remembered.iter().map(|statement| {
        let person = known.of_id(&index, &statement.system, &statement.key);
        (person.unwrap_or(Name::own(statement)), statement)
    }));
    remembered.sort_by_key(|(person, _)| *person);

    let lists: Vec<&Accounts> = material.accounts.values().collect();
    // At most so many accounts are nobody's yet; ties of records are few.
    let accounts: usize = lists.iter().map(|list| list.len()).sum();
    let room = accounts.saturating_sub(material.links.len());
    let mut links = Links::with_room(room, room.min(everybody.statements.len()));
    let mut vanished: BTreeMap<&SystemName, Vanished> = BTreeMap::new();
    for (person, said) in everybody.people() {
        let mut draft = everybody.draft(said, &index);
        for place in draft.accounts.iter().filter(|_| !contested.is_empty()) {
            if let Some(claims) = contested.get(place) {
                // Whoever it is tied to keeps it, whoever else is led to it.
                let holder = known.of(*place);
                if holder == Some(person) {
                    continue;
                }
                let (system, account) = (index.name(*place), index.id(*place));
                draft.held.get_or_insert_with(|| {
                    let names = few_of(claims, ", ", |claim| claim);
                    // Each of them is told the same: who says of each that it is not hers makes it nobody's.
                    let word = match claims.first().filter(|_| holder.is_none()) {
                        Some(first) => format!("is, as in {}", command("link", first, system, account)),
                        None => format!("is not, as in {}", command("unlink", &person, system, account)),
                    };
                    format!("{system} account {account} could be any of {names}; say whose it {word}")
                });
            }
        }
        for system in known.tied_at(person, &index) {
            let here = vanished.entry(system).or_default();
            here.of += 1;
            let is_shown = draft.accounts.iter().any(|place| index.name(*place) == system);
            if !is_shown && !draft.unseen.contains_key(system) {
                here.people.push(person.person());
            }
        }
        let mut statements: Vec<&Arc<Statement>> = everybody.said(said).collect();
        let reason = undone.stands_against(person, &statements, &draft.accounts);
        let reason = reason.or_else(|| rivals.stand_against(person, &statements, &draft.accounts, (&index, &known)));
        if let Some(reason) = reason {
            draft.hold(reason);
        }
        let start = remembered.partition_point(|(other, _)| *other < person);
        for (_, old) in remembered[start..].iter().take_while(|(other, _)| *other == person) {
            if !statements.iter().any(|fresh| fresh.system == old.system) {
                statements.push(old);
            }
        }
        statements.sort_by_key(|statement| (&statement.system, &statement.key));
        let id = person.person();
        if draft.held.is_none() {
            let is_nobodys = |place| !claimed.contains(&place) && known.of(place).is_none();
            for one in draft.doubts.iter().filter(|doubt| doubt.other.is_none_or(is_nobodys)) {
                doubts.add(person, one);
            }
            tie(&mut links, &id, &draft.accounts, &statements, &index, &known);
        }
        // What was found another way is not to be read or changed without her token.
        let seen = draft.accounts.iter().filter(|place| !draft.unseen.contains_key(index.name(**place)));
        let accounts = seen.map(|place| (lists[place.system()], place.at())).collect();
        let statements = statements.into_iter().cloned().collect();
        each(Found { id, statements, accounts, held: draft.held, unseen: draft.unseen });
    }
    let (doubts, warnings) = doubts.told();
    let vanished = vanished.into_iter().map(|(system, here)| (system.clone(), here)).collect();
    Ties { links, doubts, vanished, warnings }
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

/// Takes note of what somebody was not known by before.
fn tie(
    links: &mut Links,
    person: &PersonId,
    accounts: &[Place],
    statements: &[&Arc<Statement>],
    index: &Index<'_>,
    known: &Known<'_>,
) {
    let name = Name::from(person);
    let link = |system, account| Link { person, system, account };
    let of_accounts = accounts
        .iter()
        .filter(|place| known.of(**place) != Some(name))
        .map(|place| link(index.name(*place), index.id(*place)));
    let of_records = statements
        .iter()
        .filter(|statement| Name::own(statement) != name)
        .filter(|statement| known.of_id(index, &statement.system, &statement.key) != Some(name))
        .map(|statement| link(&statement.system, &*statement.key));
    let mut new: Vec<Link<'_>> = of_accounts.chain(of_records).collect();
    new.sort_unstable();
    links.extend(new);
}
