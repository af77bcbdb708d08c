//! Many accounts, packed: what is kept of a whole list of them while a plan is made.
//!
//! An [`Account`] is made to be worked with and takes more than a thousand bytes; lists hold a million of them, of which
//! hardly any is worked with at one time. Here each takes what its texts take and a byte or two for each value: names of
//! attributes and facts are kept once for all accounts that have the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{
    account::{Account, Facts, Identity},
    attribute::AttributeName,
    finder::digest,
    id::{AccountId, SystemName},
    packed::{Names, Unpack, Unpacked, put_number, put_text, put_value},
};

/// So many bytes of text lie in one piece.
const CHUNK: usize = 1 << 20;

/// So many of them are left free at the end of a piece, for an account that is larger than most.
const ROOM: usize = 1 << 13;

/// Accounts in the order they were added.
#[derive(Clone, Default)]
pub struct Accounts {
    chunks: Vec<String>,
    rows: Vec<Row>,
    /// The systems they live in, each with what is known of its server: mostly one.
    homes: Vec<(SystemName, Arc<Facts>)>,
    attributes: Names<AttributeName>,
    facts: Names<String>,
}

/// Where an account begins.
#[derive(Clone, Copy)]
struct Row {
    chunk: u32,
    at: u32,
}

impl Accounts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True where there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds one behind the others.
    pub fn push(&mut self, account: &Account) {
        let home = self.home(account);
        let (attributes, facts) = (self.attributes.number(&account.attributes), self.facts.number(&account.facts));
        let (number, chunk) = self.room();
        let row = Row { chunk: number, at: u32::try_from(chunk.len()).unwrap_or(u32::MAX) };
        put_number(chunk, home);
        put_number(chunk, usize::from(account.id.is_some()));
        put_text(chunk, account.id.as_ref().map_or("", |id| id.as_str()));
        put_number(chunk, account.identities.len());
        for Identity { provider, id } in &account.identities {
            put_text(chunk, provider);
            put_text(chunk, id.as_str());
        }
        put_number(chunk, attributes);
        account.attributes.values().for_each(|value| put_value(chunk, value));
        put_number(chunk, facts);
        account.facts.values().for_each(|value| put_value(chunk, value));
        self.rows.push(row);
    }

    fn home(&mut self, account: &Account) -> usize {
        // Equal where it is the same, without a look. Where everybody is seen with her own token, everybody has her own.
        let is_last =
            |(system, server): &(SystemName, Arc<Facts>)| *system == account.system && *server == account.server;
        if !self.homes.last().is_some_and(is_last) {
            self.homes.push((account.system.clone(), Arc::clone(&account.server)));
        }
        self.homes.len() - 1
    }

    /// Where the next one goes.
    fn room(&mut self) -> (u32, &mut String) {
        // What grows step by step leaves holes in memory: so the first piece does, and the others have their size at once.
        if self.chunks.last().is_none_or(|chunk| chunk.len() + ROOM > CHUNK) {
            self.chunks.push(if self.chunks.is_empty() { String::new() } else { String::with_capacity(CHUNK) });
        }
        let at = self.chunks.len() - 1;
        (u32::try_from(at).unwrap_or(u32::MAX), &mut self.chunks[at])
    }

    /// The account at this place, from 0.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Packed<'_>> {
        let row = self.rows.get(at)?;
        let mut rest = Unpack(self.chunks.get(row.chunk as usize)?.get(row.at as usize..)?);
        let (system, server) = self.homes.get(rest.number())?;
        let has_id = rest.number() == 1;
        let id = rest.text();
        Some(Packed { accounts: self, system, server, id: has_id.then_some(id), rest })
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Packed<'_>> {
        (0..self.len()).map(|at| match self.get(at) {
            Some(packed) => packed,
            None => unreachable!("every row was written by `push`"),
        })
    }

    /// Adds those that are not among these, by id, each once. What has no id is no account.
    pub(crate) fn add_new(&mut self, others: Self) {
        if self.is_empty() && others.are_each_once() {
            *self = others;
            return;
        }
        let mut known: BTreeSet<String> = self.iter().filter_map(|it| it.id()).map(str::to_owned).collect();
        for other in others.iter() {
            if other.id().is_some_and(|id| !known.contains(id) && known.insert(id.to_owned())) {
                self.push(&other.account());
            }
        }
    }

    /// True where all have an id, and no two the same.
    fn are_each_once(&self) -> bool {
        // Numbers are put in order faster than texts, and tell most of these apart.
        let mut ids: Vec<(u32, &str)> = self.iter().filter_map(|it| it.id()).map(|id| (digest(id), id)).collect();
        ids.sort_unstable();
        ids.len() == self.len() && ids.windows(2).all(|two| two[0] != two[1])
    }

    /// Every text of theirs, many at once and nothing between them.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().map(String::as_str)
    }

    /// What is known of the servers.
    pub(crate) fn servers_mut(&mut self) -> impl Iterator<Item = &mut Arc<Facts>> {
        self.homes.iter_mut().map(|(_, server)| server)
    }

    /// Changes each of them.
    pub(crate) fn edit(&mut self, mut edit: impl FnMut(&mut Account)) {
        let mut edited = Self::default();
        for mut account in std::mem::take(self) {
            edit(&mut account);
            edited.push(&account);
        }
        *self = edited;
    }
}

/// Accounts that are found one by one, each once: of two with one id, the one that was found last.
#[derive(Debug, Default)]
pub struct AccountsById {
    all: Accounts,
    places: BTreeMap<AccountId, usize>,
}

impl AccountsById {
    /// Takes an account in the place of what was found of it before. What has no id is no account.
    pub fn insert(&mut self, account: &Account) {
        let Some(id) = &account.id else { return };
        self.places.insert(id.clone(), self.all.len());
        self.all.push(account);
    }

    /// The account of this id.
    #[must_use]
    pub fn get(&self, id: &AccountId) -> Option<Packed<'_>> {
        self.all.get(*self.places.get(id)?)
    }

    /// True where it was found.
    #[must_use]
    pub fn contains(&self, id: &AccountId) -> bool {
        self.places.contains_key(id)
    }

    /// What was found, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = Packed<'_>> {
        self.places.values().filter_map(|at| self.all.get(*at))
    }

    /// What was found, in order of id.
    #[must_use]
    pub fn into_accounts(self) -> Accounts {
        let Self { mut all, places } = self;
        all.rows = places.into_values().filter_map(|at| all.rows.get(at).copied()).collect();
        all
    }
}

impl From<Accounts> for AccountsById {
    fn from(all: Accounts) -> Self {
        let places = all.iter().enumerate().filter_map(|(at, account)| Some((account.id()?.into(), at)));
        let places = places.collect();
        Self { all, places }
    }
}

impl Extend<Account> for AccountsById {
    fn extend<I: IntoIterator<Item = Account>>(&mut self, accounts: I) {
        accounts.into_iter().for_each(|account| self.insert(&account));
    }
}

/// One of [`Accounts`], as it lies there.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    accounts: &'a Accounts,
    system: &'a SystemName,
    server: &'a Arc<Facts>,
    id: Option<&'a str>,
    /// From its identities on.
    rest: Unpack<'a>,
}

impl<'a> Packed<'a> {
    /// The system it lives in.
    #[must_use]
    pub fn system(&self) -> &'a SystemName {
        self.system
    }

    /// Its immutable id.
    #[must_use]
    pub fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// The accounts elsewhere that it signs in with: kind of system, and id.
    pub fn identities(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = self.rest;
        (0..reader.number()).map(move |_| (reader.text(), reader.text()))
    }

    /// From its attributes on.
    fn attributes(&self) -> Unpack<'a> {
        let mut reader = self.rest;
        for _ in 0..reader.number() {
            reader.text();
            reader.text();
        }
        reader
    }

    /// The text of an attribute.
    #[must_use]
    pub fn text(&self, attribute: &AttributeName) -> Option<&'a str> {
        self.value(attribute)?.text()
    }

    /// What it holds of an attribute.
    #[must_use]
    pub(crate) fn value(&self, attribute: &AttributeName) -> Option<Unpacked<'a>> {
        let mut reader = self.attributes();
        let names = self.accounts.attributes.get(reader.number());
        reader.find(names, attribute)
    }

    /// What it holds, in order of attribute.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a AttributeName, Unpacked<'a>)> + use<'a> {
        let mut reader = self.attributes();
        let names = self.accounts.attributes.get(reader.number());
        names.iter().map(move |name| (name, reader.value()))
    }

    /// The text of a fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&'a str> {
        self.fact_value(name)?.text()
    }

    /// What is known of it under this name.
    #[must_use]
    pub(crate) fn fact_value(&self, name: &str) -> Option<Unpacked<'a>> {
        let mut reader = self.attributes();
        for _ in self.accounts.attributes.get(reader.number()) {
            reader.value();
        }
        let names = self.accounts.facts.get(reader.number());
        reader.find(names, name)
    }

    /// The account itself.
    #[must_use]
    pub fn account(&self) -> Account {
        let identities =
            self.identities().map(|(provider, id)| Identity { provider: provider.to_owned(), id: id.into() });
        let identities = identities.collect();
        let mut reader = self.attributes();
        let names = self.accounts.attributes.get(reader.number());
        let attributes = reader.values(names);
        let names = self.accounts.facts.get(reader.number());
        let facts = reader.values(names);
        Account {
            system: self.system.clone(),
            id: self.id.map(Into::into),
            attributes,
            facts,
            identities,
            server: Arc::clone(self.server),
        }
    }
}

impl fmt::Debug for Packed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account().fmt(f)
    }
}

impl<'a> IntoIterator for &'a Accounts {
    type Item = Packed<'a>;
    type IntoIter = Box<dyn Iterator<Item = Packed<'a>> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl IntoIterator for Accounts {
    type Item = Account;
    type IntoIter = Box<dyn Iterator<Item = Account> + Send>;

    fn into_iter(self) -> Self::IntoIter {
        let all = self;
        Box::new((0..all.len()).filter_map(move |at| Some(all.get(at)?.account())))
    }
}

impl Extend<Account> for Accounts {
    fn extend<I: IntoIterator<Item = Account>>(&mut self, accounts: I) {
        accounts.into_iter().for_each(|account| self.push(&account));
    }
}

impl FromIterator<Account> for Accounts {
    fn from_iter<I: IntoIterator<Item = Account>>(accounts: I) -> Self {
        let mut all = Self::default();
        all.extend(accounts);
        all
    }
}

impl From<Vec<Account>> for Accounts {
    fn from(accounts: Vec<Account>) -> Self {
        accounts.into_iter().collect()
    }
}

impl PartialEq for Accounts {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(one, other)| one.account() == other.account())
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::attribute::Value;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Empty),
            any::<bool>().prop_map(Value::Bool),
            // Letters of one byte and of several, and texts on both sides of what one number holds.
            "\\PC{1,20}".prop_map(|text| Value::text(&text)),
            (16_370_usize..16_400).prop_map(|length| Value::text(&"x".repeat(length))),
        ]
    }

    fn account() -> impl Strategy<Value = Account> {
        let attributes = prop::collection::btree_map("[a-f]", value(), 0..6);
        let facts = prop::collection::btree_map("[a-c]", value(), 0..3);
        let identities = prop::collection::vec(("[a-z]{0,3}", "\\PC{0,5}"), 0..3);
        let id = prop::option::of("\\PC{0,6}");
        (id, attributes, facts, identities, "[xy]", 0..3_u8).prop_map(
            |(id, attributes, facts, with, system, server)| {
                let server = Facts::from([("version".to_owned(), Value::text(&server.to_string()))]);
                let identity = |(provider, id): (String, String)| Identity { provider, id: id.into() };
                Account {
                    id: id.map(Into::into),
                    attributes: attributes.into_iter().map(|(name, value)| (name.as_str().into(), value)).collect(),
                    facts,
                    identities: with.into_iter().map(identity).collect(),
                    ..Account::absent(system.as_str().into(), Arc::new(server))
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_comes_out(accounts in prop::collection::vec(account(), 0..40)) {
            let packed: Accounts = accounts.iter().cloned().collect();
            prop_assert_eq!(packed.len(), accounts.len());
            for (one, account) in packed.iter().zip(&accounts) {
                prop_assert_eq!(one.id(), account.id.as_ref().map(AccountId::as_str));
                prop_assert_eq!(one.system(), &account.system);
                let identities: Vec<_> = account.identities.iter().map(|it| (&*it.provider, it.id.as_str())).collect();
                prop_assert_eq!(one.identities().collect::<Vec<_>>(), identities);
                let values: Vec<_> = one.iter().map(|(name, value)| (name.clone(), Value::from(value))).collect();
                prop_assert!(account.attributes.iter().map(|(name, value)| (name.clone(), value.clone())).eq(values));
                prop_assert!(one.iter().zip(account.attributes.values()).all(|((_, held), value)| held.is(value)));
                prop_assert!(one.iter().all(|(_, held)| !held.is(&Value::text("in no account, being so long a text"))));
                for name in ["a", "b", "c", "d", "e", "f"] {
                    let held = account.attributes.get(&name.into()).and_then(Value::as_text);
                    prop_assert_eq!(one.text(&name.into()), held);
                    prop_assert_eq!(one.fact(name), account.fact(name));
                    prop_assert_eq!(one.fact_value(name).map(Value::from), account.facts.get(name).cloned());
                }
                prop_assert_eq!(&one.account(), account);
            }
            let again: Vec<Account> = packed.into_iter().collect();
            prop_assert_eq!(again, accounts);
        }

        #[test]
        fn of_two_with_one_id_the_last_is_kept_and_all_are_in_order(accounts in prop::collection::vec(account(), 0..40)) {
            let mut found = AccountsById::default();
            found.extend(accounts.iter().cloned());
            let mut wanted: BTreeMap<AccountId, Account> = BTreeMap::new();
            wanted.extend(accounts.into_iter().filter_map(|account| Some((account.id.clone()?, account))));
            for (id, account) in &wanted {
                prop_assert!(found.contains(id));
                prop_assert_eq!(&found.get(id).unwrap().account(), account);
            }
            prop_assert!(wanted.values().cloned().eq(found.into_accounts()));
        }

        #[test]
        fn what_is_new_is_added_and_what_is_known_stays(
            known in prop::collection::vec(account(), 0..20),
            more in prop::collection::vec(account(), 0..20),
        ) {
            let mut all = Accounts::default();
            let mut wanted: Vec<Account> = Vec::new();
            for accounts in [known, more] {
                for account in &accounts {
                    if account.id.is_some() && wanted.iter().all(|other| other.id != account.id) {
                        wanted.push(account.clone());
                    }
                }
                all.add_new(accounts.into());
            }
            prop_assert_eq!(all, wanted.into());
        }
    }

    #[test]
    fn many_lie_in_more_than_one_piece_and_are_changed_one_by_one() {
        let text = "x".repeat(1_000);
        let account = |number: usize| Account {
            id: Some(number.to_string().into()),
            attributes: [("nickname".into(), Value::text(&format!("{number} {text}")))].into(),
            ..Account::absent("chat".into(), Arc::default())
        };
        let mut accounts: Accounts = (0..3_000).map(account).collect();
        assert!(accounts.chunks.len() > 1 && accounts.homes.len() == 1);
        let nickname = AttributeName::new("nickname");
        accounts.edit(|account| {
            if account.id == Some("2999".into()) {
                account.attributes.insert(nickname.clone(), "last".into());
            }
        });
        assert_eq!(accounts.get(2_999).unwrap().text(&nickname), Some("last"));
        assert_eq!(accounts.get(2_998).unwrap().account(), account(2_998));
        assert!(accounts.get(3_000).is_none());
    }
}
