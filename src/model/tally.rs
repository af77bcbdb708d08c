//! What a plan does to people, counted as limits count: who is touched where, and how.
//!
//! One account counts once, however often and under whatever name it is spoken of; whoever has none yet counts as the
//! person. The store remembers the tallies of every run that is begun, so that many small runs add up.

use std::{collections::BTreeSet, fmt};

use super::{
    attribute::{AttributeName, Value},
    id::{PersonId, SystemName},
    plan::{Decision, Plan, PlannedChange},
};

/// What is done to somebody at a system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touch {
    /// Something about an account that is there changes.
    Changed,
    /// An account is lost.
    Removed,
    /// An account is made.
    Created,
    /// This attribute of an account that is there changes.
    Attribute(AttributeName),
}

/// How an attribute is told apart from the other words in the store.
const ATTRIBUTE: &str = "attribute:";

impl Touch {
    /// The touch of this word, as it is displayed.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "changed" => Some(Self::Changed),
            "removed" => Some(Self::Removed),
            "created" => Some(Self::Created),
            word => word.strip_prefix(ATTRIBUTE).map(|name| Self::Attribute(AttributeName::new(name))),
        }
    }
}

impl fmt::Display for Touch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => f.write_str("changed"),
            Self::Removed => f.write_str("removed"),
            Self::Created => f.write_str("created"),
            Self::Attribute(name) => write!(f, "{ATTRIBUTE}{name}"),
        }
    }
}

/// Somebody who is touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tally {
    pub(crate) touch: Touch,
    pub(crate) system: SystemName,
    /// The account's id; of whoever has none, the person.
    pub(crate) whom: String,
    pub(crate) person: PersonId,
    /// The group she is in, where groups are configured and she is in one.
    pub(crate) group: Option<String>,
}

/// Everybody whom the calls of a plan touch.
pub(crate) fn tallies(plan: &Plan) -> BTreeSet<Tally> {
    let mut all = BTreeSet::new();
    let mut count = |touch, system: &SystemName, whom: String, person: &PersonId| {
        let group = plan.groups.as_ref().and_then(|groups| groups.of.get(person)).cloned();
        all.insert(Tally { touch, system: system.clone(), whom, person: person.clone(), group });
    };
    for change in plan.changes.iter().filter(|change| change.decision == Decision::Apply) {
        let PlannedChange { system, person, attribute, .. } = change;
        // Creations are no changes: a first run creates everybody.
        let Some(account) = &change.account else {
            count(Touch::Created, system, person.to_string(), person);
            continue;
        };
        count(Touch::Changed, system, account.to_string(), person);
        count(Touch::Attribute(attribute.clone()), system, account.to_string(), person);
        if switches_off(change) {
            count(Touch::Removed, system, account.to_string(), person);
        }
    }
    for asked in plan.operations.iter().filter(|asked| asked.decision == Decision::Apply) {
        let Some(account) = &asked.account else { continue };
        count(Touch::Changed, &asked.system, account.to_string(), &asked.person);
        if asked.removes {
            count(Touch::Removed, &asked.system, account.to_string(), &asked.person);
        }
    }
    all
}

/// True for a change that takes an account away, reversibly.
pub(crate) fn switches_off(change: &PlannedChange) -> bool {
    change.attribute.as_str() == "active" && change.after == Value::Bool(false)
}

/// A plan that takes GitLab away from these people, whose accounts have the same numbers.
#[cfg(test)]
pub(crate) fn removing(numbers: std::ops::Range<u32>) -> Plan {
    let change = |number: u32| PlannedChange {
        person: PersonId { system: "hr".into(), key: number.to_string().into() },
        attribute: AttributeName::new("active"),
        system: "gitlab".into(),
        account: Some(number.to_string().into()),
        before: Value::Bool(true),
        after: Value::Bool(false),
        decision: Decision::Apply,
        call: None,
        asked_by: super::plan::AskedBy { system: "hr".into(), origin: "".into() },
        owner: None,
        because: Vec::new(),
        reason: String::new(),
        refusal: None,
        belongs_to: None,
        when: None,
        side_effect: None,
    };
    Plan { changes: numbers.map(change).collect(), ..Plan::empty() }
}
