//! What rules declare, as data: the planner reads this and knows no script.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    account::Account,
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
    person::Person,
};

/// One `owner` line: for these attributes this system's word counts, always or where a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerLine {
    pub(crate) attributes: Vec<AttributeName>,
    pub(crate) system: SystemName,
    /// False: holds for everybody.
    pub(crate) conditional: bool,
    pub(crate) origin: Origin,
}

/// Everything the rules declare that needs no script to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// In file and line order: the first that matches wins.
    pub(crate) owners: Vec<OwnerLine>,
    /// Which systems get a copy of an attribute.
    pub(crate) copies: BTreeMap<AttributeName, CopyLine>,
    /// By which attributes an account is found the first time, best first.
    pub(crate) joins: BTreeMap<SystemName, JoinLine>,
    /// Where accounts are created and switched off; the condition is the script's.
    pub(crate) accounts: BTreeMap<SystemName, Origin>,
    /// Sources that have a `source` line.
    pub(crate) sources: BTreeMap<SystemName, Origin>,
    /// Systems in which a ring of names may be broken by a name that is held for a moment only.
    pub(crate) temporary: BTreeMap<(AttributeName, SystemName), Origin>,
    /// The members of sets that rules may touch; nothing outside of them is looked at.
    pub(crate) ranges: BTreeMap<AttributeName, RangeLine>,
    /// `route` lines, in file and line order: the first that answers wins.
    pub(crate) routes: Vec<Origin>,
    /// `refused` lines, in file and line order: the first of its system that answers wins.
    pub(crate) refusals: Vec<(SystemName, Origin)>,
    /// `guard` lines: all are asked.
    pub(crate) guards: Vec<Origin>,
}

impl Policy {
    /// The attributes of which `owner` lines speak.
    pub(crate) fn owned(&self) -> BTreeSet<AttributeName> {
        self.owners.iter().flat_map(|line| line.attributes.iter().cloned()).collect()
    }

    /// The `copies` line of an attribute; a member of a set has that of its set.
    pub(crate) fn copy(&self, attribute: &AttributeName) -> Option<&CopyLine> {
        self.copies.get(attribute).or_else(|| self.copies.get(&attribute.set()?))
    }
}

/// `range(attribute, members)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeLine {
    pub(crate) members: BTreeSet<String>,
    pub(crate) origin: Origin,
}

/// `copies(attribute, systems)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyLine {
    pub(crate) systems: Vec<SystemName>,
    pub(crate) origin: Origin,
}

/// `join(system, attributes)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinLine {
    pub(crate) attributes: Vec<AttributeName>,
    pub(crate) origin: Origin,
}

/// Who owns what of one person, and where that person should have accounts: what scripts answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ownership {
    /// The owner of each attribute in question. Nobody owns what is not listed.
    pub(crate) owners: Arc<BTreeMap<AttributeName, Owned>>,
    /// Whether an account is wanted, where an `account` line speaks of the system.
    pub(crate) accounts: BTreeMap<SystemName, Wish>,
}

impl Ownership {
    /// The owner of an attribute; a member of a set has that of its set.
    pub(crate) fn owner(&self, attribute: &AttributeName) -> Option<&Owned> {
        self.owners.get(attribute).or_else(|| self.owners.get(&attribute.set()?))
    }
}

/// One change as a `route` or `refused` line is asked about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) person: &'a Person,
    pub(crate) ownership: &'a Ownership,
    /// Whose account would change.
    pub(crate) account: &'a Account,
    pub(crate) attribute: &'a AttributeName,
    pub(crate) before: &'a Value,
    pub(crate) after: &'a Value,
    /// Who says or asks it.
    pub(crate) asked_by: &'a SystemName,
    pub(crate) owner: Option<&'a SystemName>,
}

/// What a `route` or `refused` line answered, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) action: Action,
    pub(crate) origin: Origin,
}

/// What a rule wants done with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Make it at these systems, and not where it was going.
    To(Vec<SystemName>),
    /// Leave it until a person decides, and why.
    Hold(String),
    /// Leave it, and why.
    Drop(String),
}

/// A `guard` line's no to a whole plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Objection {
    pub(crate) reason: String,
    pub(crate) origin: Origin,
}

/// The owner of an attribute of one person, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) system: SystemName,
    /// The line that said so.
    pub(crate) origin: Origin,
    /// What its condition looked at, such as `mattermost.auth_service` = `gitlab`; empty for a line without one.
    pub(crate) looked_at: Vec<(String, Value)>,
}

/// Whether a person should have an account at a system, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) wanted: bool,
    /// The line that said so.
    pub(crate) origin: Origin,
    /// What its condition looked at.
    pub(crate) looked_at: Vec<(String, Value)>,
}
