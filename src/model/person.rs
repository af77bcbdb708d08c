//! A person: the statements, accounts and links that belong together.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    account::Account,
    attribute::{AttributeName, Value},
    id::{PersonId, SystemName},
    record::Statement,
    refusal::RefusalKind,
};

/// The human being, as far as this run can see.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// Who it is.
    pub(crate) id: PersonId,
    /// What sources say, fresh or remembered, at most one of each source.
    pub(crate) statements: Vec<Arc<Statement>>,
    /// What providers hold, at most one account of each.
    pub(crate) accounts: BTreeMap<SystemName, Arc<Account>>,
    /// Why nothing may be decided for this person, where correlation found more than one answer.
    pub(crate) held: Option<String>,
    /// The systems where she may have an account that was not seen, and why: nothing is decided there.
    pub(crate) unseen: BTreeMap<SystemName, Unseen>,
}

/// Why the account of a person was not seen: it can be seen with her own token only, or is not shown to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unseen {
    /// What kind of no it is: a token that opens nothing, or a server that does not answer.
    pub(crate) kind: RefusalKind,
    /// Whose turn it is, and what to do.
    pub(crate) reason: String,
    /// True where she is known to have an account there, so that who asks for it and sees none is misled.
    pub(crate) is_hers: bool,
}

/// One thing that was looked at of a person, and can be looked at again of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The value that counts of an attribute, which this system owns.
    Decided(SystemName, AttributeName),
    /// Whether she has an account there: true, or empty.
    Account(SystemName),
    /// What her account there holds.
    Held(SystemName, AttributeName),
    /// What else is known of her account there.
    Fact(SystemName, String),
}

impl Person {
    /// What is seen at a look; empty where there is nothing.
    #[must_use]
    pub(crate) fn look(&self, look: &Look) -> Value {
        let account = |system| self.accounts.get(system).filter(|account| account.id.is_some());
        let seen = match look {
            Look::Decided(owner, attribute) => self.decided(owner, attribute),
            Look::Account(system) => account(system).map(|_| Value::Bool(true)),
            Look::Held(system, attribute) => account(system).and_then(|it| it.attributes.get(attribute).cloned()),
            Look::Fact(system, name) => account(system).and_then(|it| it.facts.get(name).cloned()),
        };
        seen.unwrap_or_default()
    }

    /// What `system` says or holds of an attribute: its statement's value where it is a source that speaks of it, else
    /// its account's.
    #[must_use]
    pub(crate) fn value_at(&self, system: &SystemName, attribute: &AttributeName) -> Option<Value> {
        let stated = self.statements.iter().find(|s| s.system == *system).and_then(|s| s.values.get(attribute));
        stated.or_else(|| self.accounts.get(system).and_then(|a| a.attributes.get(attribute)).cloned())
    }

    /// The value that counts, if `owner` owns the attribute: what the owner states; where the owner is a provider, what
    /// a fresh statement asks of it, else what it holds.
    #[must_use]
    pub(crate) fn decided(&self, owner: &SystemName, attribute: &AttributeName) -> Option<Value> {
        decided(&self.statements, owner, attribute, || self.accounts.get(owner)?.attributes.get(attribute).cloned())
    }
}

/// The value that counts, of somebody of whom this is stated and who has this account at the owner.
pub(crate) fn decided(
    statements: &[Arc<Statement>],
    owner: &SystemName,
    attribute: &AttributeName,
    held: impl FnOnce() -> Option<Value>,
) -> Option<Value> {
    if let Some(own) = statements.iter().find(|said| said.system == *owner) {
        return own.values.get(attribute);
    }
    statements.iter().find_map(|said| said.said(attribute)).or_else(held)
}
