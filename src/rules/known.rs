//! What scripts may name: the configured systems and what each of them has.
//!
//! It is handed in by whoever read the configuration; this room knows no provider and reads no file for it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    attribute::{AttributeName, NEUTRAL},
    capability::OperationCapability,
    id::SystemName,
};

use super::{fault::Fault, words::near};

/// Everything scripts may name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The configured systems.
    pub(crate) systems: BTreeMap<SystemName, KnownSystem>,
    /// Attributes beside the neutral ones and those of systems.
    pub(crate) extra_attributes: BTreeSet<AttributeName>,
}

/// One configured system.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownSystem {
    /// What kind of system it is.
    pub(crate) kind: String,
    /// Records come from it.
    pub(crate) is_source: bool,
    /// Calls go to it.
    pub(crate) is_provider: bool,
    /// Local names of everything the provider holds, neutral and its own.
    pub(crate) attributes: Vec<String>,
    /// Local names of what only this provider has.
    pub(crate) own_attributes: Vec<String>,
    /// Facts of its accounts that rules may read.
    pub(crate) facts: Vec<String>,
    /// Local names of attributes its accounts can be found by.
    pub(crate) lookups: Vec<String>,
    /// Local names of attributes with many members, and what somebody can be in one, weakest first.
    pub(crate) sets: BTreeMap<String, Vec<String>>,
    /// What rules can ask for beside attributes.
    pub(crate) operations: Vec<OperationCapability>,
}

impl Known {
    /// The attribute of this name, where there is one.
    pub(crate) fn attribute(&self, name: &str) -> Option<AttributeName> {
        let attribute = AttributeName::new(name);
        let known = match attribute.system() {
            None => NEUTRAL.contains(&name),
            Some(system) => self.systems.get(&system).is_some_and(|it| has(&it.own_attributes, attribute.local())),
        };
        (known || self.extra_attributes.contains(&attribute)).then_some(attribute)
    }

    /// The names of all attributes.
    pub(super) fn attributes(&self) -> Vec<String> {
        let own = self.systems.iter().flat_map(|(system, it)| {
            it.own_attributes.iter().map(move |local| AttributeName::of_system(system, local).as_str().to_owned())
        });
        let neutral = NEUTRAL.iter().map(|name| (*name).to_owned());
        let extra = self.extra_attributes.iter().map(|name| name.as_str().to_owned());
        neutral.chain(own).chain(extra).collect()
    }

    /// The attribute that was probably meant.
    pub(crate) fn near_attribute(&self, name: &str) -> Option<String> {
        near(name, self.attributes().iter().map(String::as_str))
    }

    /// The fault of naming a system that is not configured.
    pub(super) fn unknown_system(&self, name: &str) -> Fault {
        let all = self.systems.keys().map(ToString::to_string).collect();
        Fault::UnknownSystem { name: name.to_owned(), near: self.near_system(name), all }
    }

    /// The fault of asking a person for what she does not have.
    pub(super) fn unknown_of_person(&self, name: &str) -> Fault {
        let systems: Vec<String> = self.systems.keys().map(ToString::to_string).collect();
        let names = || self.attributes().into_iter().chain(systems.clone()).collect::<Vec<_>>();
        let near = self.of_kind(name).or_else(|| near(name, names().iter().map(String::as_str)));
        Fault::UnknownOfPerson { name: name.to_owned(), near, systems }
    }

    /// The levels of a set; `None` where the attribute is none.
    pub(super) fn levels(&self, set: &AttributeName) -> Option<&[String]> {
        self.systems.get(&set.system()?)?.sets.get(set.local()).map(Vec::as_slice)
    }

    /// The system that was probably meant.
    pub(super) fn near_system(&self, name: &str) -> Option<String> {
        self.of_kind(name).or_else(|| near(name, self.systems.keys().map(SystemName::as_str)))
    }

    /// The one system of this kind: whoever says `gitlab` means the system that is one, whatever it is called here.
    fn of_kind(&self, kind: &str) -> Option<String> {
        let mut of_kind = self.systems.iter().filter(|(_, system)| system.kind == kind);
        let (name, None) = (of_kind.next()?.0, of_kind.next()) else { return None };
        Some(name.to_string())
    }
}

impl KnownSystem {
    /// The attribute of this local name, at the system of this name, where it is one.
    pub(super) fn attribute(&self, system: &SystemName, name: &str) -> Option<AttributeName> {
        if has(&self.own_attributes, name) {
            Some(AttributeName::of_system(system, name))
        } else {
            has(&self.attributes, name).then(|| AttributeName::new(name))
        }
    }

    /// Whether accounts there hold this attribute of `system`, which is this one.
    pub(super) fn holds(&self, system: &SystemName, attribute: &AttributeName) -> bool {
        attribute.system().is_none_or(|owner| owner == *system) && has(&self.attributes, attribute.local())
    }
}

/// Whether the list holds the name.
pub(super) fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|it| it == name)
}
