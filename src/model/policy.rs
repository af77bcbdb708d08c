//! What rules declare, as data: the planner reads this and knows no script.

use std::collections::BTreeMap;

use super::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
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
    pub(crate) owners: BTreeMap<AttributeName, Owned>,
    /// Whether an account is wanted, where an `account` line speaks of the system.
    pub(crate) accounts: BTreeMap<SystemName, Wish>,
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
