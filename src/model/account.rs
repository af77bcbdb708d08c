//! An account as its provider holds it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    accounts::Accounts,
    attribute::{AttributeName, Value},
    id::{AccountId, SystemName},
    refusal::Refusal,
    texts::Texts,
};

/// Facts that are no attributes but decide what may be done: `auth_service`, `is_admin`, `state`, a server's version.
///
/// Rules read them as `person.<system>.<fact>`; connectors read their own.
pub type Facts = BTreeMap<String, Value>;

/// How somebody proves to this provider who she is: the account at another provider that she signs in with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The kind of the other system, such as `gitlab`; matched against the kinds of configured systems.
    pub provider: String,
    /// The id of the account there.
    pub id: AccountId,
}

/// One account, observed; or the place where one could be created, where `id` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The system it lives in.
    pub system: SystemName,
    /// Its immutable id. `None`: there is no account yet.
    pub id: Option<AccountId>,
    /// What it holds, by attribute. An attribute that could not be read is absent; one that is empty is
    /// [`Value::Empty`].
    pub attributes: BTreeMap<AttributeName, Value>,
    /// What else is known of it.
    pub facts: Facts,
    /// The accounts elsewhere that it signs in with.
    pub identities: Vec<Identity>,
    /// What is known of the server and of our credentials there; shared by all accounts of one observation.
    pub server: Arc<Facts>,
}

impl Account {
    /// The place where an account could be created on a server with these facts.
    #[must_use]
    pub fn absent(system: SystemName, server: Arc<Facts>) -> Self {
        Self { system, id: None, attributes: BTreeMap::new(), facts: Facts::new(), identities: Vec::new(), server }
    }

    /// The value of an attribute: [`Value::Empty`] where it is empty or not known.
    #[must_use]
    pub fn value(&self, attribute: &AttributeName) -> Value {
        self.attributes.get(attribute).cloned().unwrap_or_default()
    }

    /// The text of a fact of this account.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).and_then(Value::as_text)
    }

    /// True where the fact is known and true.
    #[must_use]
    pub fn is(&self, fact: &str) -> bool {
        self.facts.get(fact).and_then(Value::as_bool) == Some(true)
    }

    /// The text of a fact of the server.
    #[must_use]
    pub fn server_fact(&self, name: &str) -> Option<&str> {
        self.server.get(name).and_then(Value::as_text)
    }
}

/// What a provider was asked about and what it showed.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The accounts found, each once.
    pub accounts: Accounts,
    /// What is known of the server and of our credentials.
    pub server: Arc<Facts>,
    /// What an operator should read: deprecations, missing rights. No values of people.
    pub warnings: Vec<String>,
    /// Accounts asked for by id of which the provider tells neither that they are there nor that they are not, each with
    /// why, and what to do. Whoever has one of them is not taken for somebody without an account.
    pub hidden: BTreeMap<AccountId, Refusal>,
}

/// Which accounts somebody needs to see. A connector may show more, never fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Accounts known by id.
    pub ids: BTreeSet<AccountId>,
    /// Accounts that hold one of these texts in this attribute (compared as the provider compares).
    pub holding: BTreeMap<AttributeName, Texts>,
    /// Members of sets that matter: for every account shown, each of these must be shown too, as an attribute of its own
    /// ([`AttributeName::member_of`]) that holds the level, or is empty where the account is no member.
    pub members: BTreeMap<AttributeName, BTreeSet<String>>,
    /// Things whose ids are needed, by what they are: `channel` to names. [`Observed::server`] then holds each id under
    /// `channel:<name>`, as it does for the members above; what does not exist there is absent.
    pub named: BTreeMap<String, BTreeSet<String>>,
    /// The attributes that calls are about: of accounts asked for by id, whatever a provider shows of others only when it
    /// is asked for that too need not be shown. `None`: everything is wanted.
    pub about: Option<BTreeSet<AttributeName>>,
    /// True where accounts asked for by id must be shown as they are at this moment: a list that may lag behind its
    /// server's writes will not do. Asked before anything is sent.
    pub fresh: bool,
}

impl Wanted {
    /// How many look-ups of accounts this amounts to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + self.holding.values().map(Texts::len).sum::<usize>()
    }

    /// True where nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.named.is_empty()
    }

    /// The names of things of this kind whose ids are needed, those of wanted members of `set` included.
    pub fn names<'a>(&'a self, kind: &str, set: &AttributeName) -> impl Iterator<Item = &'a str> {
        let members = self.members.get(set).into_iter().flatten();
        self.named.get(kind).into_iter().flatten().chain(members).map(String::as_str)
    }

    /// The texts asked for in one attribute.
    pub fn texts(&self, attribute: &str) -> impl Iterator<Item = &str> {
        self.holding.get(&AttributeName::new(attribute)).into_iter().flat_map(Texts::iter)
    }
}
