//! A part of a configuration as numbers: what the search walks on.
//!
//! Attributes that have nothing to do with each other are different parts. Values become positions in one list that is
//! closed under everything that can happen to a value, so that storing and arriving are look-ups.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Attribute, Condition, Configuration, Holds, Line, Looks, Route, Speaks};
use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
};

/// More values than this are not told apart.
const MOST_VALUES: usize = 40;

/// One part.
pub(super) struct Board<'a> {
    pub(super) systems: Vec<Player<'a>>,
    pub(super) attributes: Vec<Field<'a>>,
    pub(super) values: Vec<Value>,
    pub(super) conditions: Vec<Rule<'a>>,
    /// Who may sign in through whom.
    pub(super) doors: Vec<(usize, usize)>,
    pub(super) has_sources: bool,
}

pub(super) struct Player<'a> {
    pub(super) name: &'a SystemName,
    pub(super) says: Option<Speaks>,
    pub(super) is_provider: bool,
    pub(super) is_absent: bool,
}

pub(super) struct Field<'a> {
    pub(super) name: &'a AttributeName,
    pub(super) is_truth: bool,
    /// Values a start may have.
    pub(super) starts: Vec<u8>,
    pub(super) owners: Vec<Claim<'a>>,
    /// By system.
    pub(super) copies: Vec<Option<&'a Origin>>,
    pub(super) speakers: Vec<Option<&'a Origin>>,
    pub(super) holders: Vec<Option<Place>>,
    pub(super) accounts: Vec<Option<Claim<'a>>>,
    pub(super) routes: Vec<Turn<'a>>,
}

/// An answer that a `route` or `refused` line may give.
pub(super) struct Turn<'a> {
    pub(super) at: Option<usize>,
    pub(super) is_of_refusals: bool,
    pub(super) to: Vec<usize>,
    pub(super) origin: &'a Origin,
}

/// A line: whose, where it stands, and which condition it has.
pub(super) struct Claim<'a> {
    pub(super) system: usize,
    pub(super) origin: &'a Origin,
    pub(super) condition: Option<usize>,
}

pub(super) struct Rule<'a> {
    pub(super) origin: &'a Origin,
    pub(super) reads: Vec<Sight<'a>>,
    pub(super) holds: Answers,
}

/// What a condition looks at: a system (`None`: the decided value) and an attribute of this part; `None` where there is
/// nothing to see.
pub(super) struct Sight<'a> {
    pub(super) at: Option<(Option<usize>, usize)>,
    pub(super) looks: &'a Looks,
}

#[derive(Clone, Copy)]
pub(super) enum Answers {
    Somehow,
    Where(u8),
    Unless(u8),
}

/// How one system holds one attribute.
pub(super) struct Place {
    pub(super) stores: Vec<u8>,
    pub(super) answer: Answer,
    pub(super) comes: Option<Way>,
}

/// How a value comes by itself.
pub(super) struct Way {
    pub(super) door: usize,
    pub(super) from: usize,
    pub(super) attribute: usize,
    pub(super) is_part: bool,
    /// The part of a value that is read.
    pub(super) part: Vec<u8>,
    /// What arrives of a value.
    pub(super) arrives: Vec<u8>,
    pub(super) is_foreseen: bool,
    pub(super) answer: Answer,
}

impl Board<'_> {
    /// Where a system's attribute stands among all of this board.
    pub(super) fn slot(&self, system: usize, attribute: usize) -> usize {
        attribute * self.systems.len() + system
    }
}

/// The attributes, in groups that have something to do with each other.
pub(super) fn parts(configuration: &Configuration) -> Vec<Vec<&AttributeName>> {
    let names: Vec<&AttributeName> = configuration.attributes.keys().collect();
    let mut group: Vec<usize> = (0..names.len()).collect();
    for (at, attribute) in configuration.attributes.values().enumerate() {
        let read = conditions(attribute).flat_map(|condition| condition.reads.iter().map(|looks| &looks.attribute));
        let comes = attribute.holders.values().filter_map(|holder| holder.comes.as_ref()?.reads.other());
        let comes: Vec<AttributeName> = comes.map(AttributeName::new).collect();
        for other in read.chain(&comes) {
            let Some(other) = names.iter().position(|name| *name == other) else { continue };
            let (old, new) = (group[at], group[other]);
            for one in group.iter_mut().filter(|one| **one == old) {
                *one = new;
            }
        }
    }
    let mut parts: BTreeMap<usize, Vec<&AttributeName>> = BTreeMap::new();
    for (name, group) in names.into_iter().zip(group) {
        parts.entry(group).or_default().push(name);
    }
    parts.into_values().collect()
}

fn conditions(attribute: &Attribute) -> impl Iterator<Item = &Condition> {
    let owners = attribute.owners.iter().map(|owner| &owner.line);
    owners.chain(attribute.accounts.values()).filter_map(|line| line.condition.as_ref())
}

/// The board of one part.
pub(super) fn board<'a>(configuration: &'a Configuration, part: &[&'a AttributeName]) -> Board<'a> {
    let systems: Vec<Player<'a>> = configuration
        .systems
        .iter()
        .map(|(name, system)| Player {
            name,
            says: system.says,
            is_provider: system.is_provider,
            is_absent: system.is_provider && configuration.absent.contains(name),
        })
        .collect();
    let attributes: Vec<(&AttributeName, &Attribute)> =
        part.iter().filter_map(|name| Some((*name, configuration.attributes.get(*name)?))).collect();
    let values = values(&attributes);
    let mut board = Board {
        has_sources: systems.iter().any(|system| system.says.is_some()),
        systems,
        attributes: Vec::new(),
        values,
        conditions: Vec::new(),
        doors: Vec::new(),
    };
    for (name, attribute) in &attributes {
        let field = field(&mut board, part, name, attribute);
        board.attributes.push(field);
    }
    board
}

fn field<'a>(
    board: &mut Board<'a>,
    part: &[&AttributeName],
    name: &'a AttributeName,
    attribute: &'a Attribute,
) -> Field<'a> {
    let system = |board: &Board<'_>, name: &SystemName| board.systems.iter().position(|it| it.name == name);
    let owners = attribute
        .owners
        .iter()
        .filter_map(|owner| {
            let system = system(board, &owner.system)?;
            Some(claim(board, part, system, &owner.line))
        })
        .collect();
    let of_systems = |board: &Board<'_>, lines: &'a BTreeMap<SystemName, Origin>| {
        board.systems.iter().map(|system| lines.get(system.name)).collect::<Vec<_>>()
    };
    let mut accounts = Vec::new();
    for at in 0..board.systems.len() {
        let line = attribute.accounts.get(board.systems[at].name);
        accounts.push(line.map(|line| claim(board, part, at, line)));
    }
    let mut holders = Vec::new();
    for at in 0..board.systems.len() {
        let holder = attribute.holders.get(board.systems[at].name);
        holders.push(holder.map(|holder| {
            let comes = holder.comes.as_ref().and_then(|comes| {
                let from = system(board, &comes.from)?;
                let read = comes.reads.other().map_or_else(|| name.clone(), AttributeName::new);
                let attribute = part.iter().position(|name| **name == read)?;
                let door = (at, from);
                let known = board.doors.iter().position(|it| *it == door);
                let door = known.unwrap_or_else(|| {
                    board.doors.push(door);
                    board.doors.len() - 1
                });
                Some(Way {
                    door,
                    from,
                    attribute,
                    is_part: comes.reads.other().is_some(),
                    part: mapped(&board.values, |value| comes.reads.of(value)),
                    arrives: mapped(&board.values, |value| comes.arrives.of(&comes.reads.of(value))),
                    is_foreseen: comes.is_foreseen,
                    answer: comes.answer,
                })
            });
            Place { stores: mapped(&board.values, |value| holder.stores.of(value)), answer: holder.answer, comes }
        }));
    }
    let turn = |route: &'a Route| Turn {
        at: route.at.as_ref().and_then(|name| system(board, name)),
        is_of_refusals: route.is_of_refusals,
        to: route.to.iter().filter_map(|name| system(board, name)).collect(),
        origin: &route.origin,
    };
    let routes = attribute.routes.iter().map(turn).collect();
    let starts = attribute.values.iter().filter_map(|value| position(&board.values, value)).collect();
    Field {
        name,
        is_truth: attribute.values.iter().any(|value| value.as_bool().is_some()),
        starts,
        owners,
        copies: of_systems(board, &attribute.copies),
        speakers: of_systems(board, &attribute.speakers),
        holders,
        accounts,
        routes,
    }
}

fn claim<'a>(board: &mut Board<'a>, part: &[&AttributeName], system: usize, line: &'a Line) -> Claim<'a> {
    let condition = line.condition.as_ref().map(|condition| {
        let sight = |looks: &'a Looks| {
            let attribute = part.iter().position(|name| **name == looks.attribute);
            let system = looks.system.as_ref().map(|name| board.systems.iter().position(|it| it.name == name));
            let at = match (attribute, system) {
                (Some(attribute), None) => Some((None, attribute)),
                (Some(attribute), Some(Some(system))) => Some((Some(system), attribute)),
                _ => None,
            };
            Sight { at, looks }
        };
        let number = |value: &Value| position(&board.values, value).unwrap_or(u8::MAX);
        let holds = match &condition.holds {
            Holds::Somehow => Answers::Somehow,
            Holds::Where(value) => Answers::Where(number(value)),
            Holds::Unless(value) => Answers::Unless(number(value)),
        };
        let reads = condition.reads.iter().map(sight).collect();
        board.conditions.push(Rule { origin: &line.origin, reads, holds });
        board.conditions.len() - 1
    });
    Claim { system, origin: &line.origin, condition }
}

/// Every value that can turn up.
fn values(attributes: &[(&AttributeName, &Attribute)]) -> Vec<Value> {
    let mut known: BTreeSet<Value> = BTreeSet::new();
    let mut fresh: Vec<Value> = attributes.iter().flat_map(|(_, attribute)| attribute.values.clone()).collect();
    for (_, attribute) in attributes {
        fresh.extend(conditions(attribute).filter_map(|condition| match &condition.holds {
            Holds::Where(value) | Holds::Unless(value) => Some(value.clone()),
            Holds::Somehow => None,
        }));
    }
    let mut list = Vec::new();
    while let Some(value) = fresh.pop() {
        if list.len() == MOST_VALUES || !known.insert(value.clone()) {
            continue;
        }
        for holder in attributes.iter().flat_map(|(_, attribute)| attribute.holders.values()) {
            fresh.push(holder.stores.of(&value));
            if let Some(comes) = &holder.comes {
                let part = comes.reads.of(&value);
                fresh.push(comes.arrives.of(&part));
                fresh.push(part);
            }
        }
        list.push(value);
    }
    list.sort();
    list
}

fn position(values: &[Value], value: &Value) -> Option<u8> {
    values.iter().position(|it| it == value).and_then(|at| u8::try_from(at).ok())
}

fn mapped(values: &[Value], of: impl Fn(&Value) -> Value) -> Vec<u8> {
    // A value beyond the longest list stays as it is; lists are closed, so there is none in practice.
    (0_u8..).zip(values).map(|(at, value)| position(values, &of(value)).unwrap_or(at)).collect()
}
