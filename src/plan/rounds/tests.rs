//! The verdict held against brute force: a simulator of rounds that knows nothing of the search, over every start and
//! every outcome of conditions of many small configurations.

#![expect(
    clippy::option_option,
    clippy::needless_range_loop,
    reason = "places are numbers into several tables at once, and no line is something else than a line without condition"
)]

use super::{
    Answer, Attribute, Comes, Condition, Configuration, Fact, Holder, Holds, Line, Looks, Owner, Route, Speaks, Stores,
    System, Trace, Verdict, Write, certify, tell,
};
use crate::model::{
    attribute::{AttributeName, Value},
    capability::Reads,
    id::SystemName,
    origin::Origin,
};

/// At most so many systems and attributes.
const SYSTEMS: usize = 4;
const ATTRIBUTES: usize = 2;

/// Deterministic dice.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % most as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn origin(line: usize) -> Origin {
    Origin { file: "r".into(), line, column: 1, text: "".into() }
}

const NAMES: [&str; SYSTEMS] = ["a", "b", "c", "d"];
const FIELDS: [&str; ATTRIBUTES] = ["x", "y"];

/// A configuration that is like no other.
fn random(dice: &mut Dice) -> Configuration {
    let systems = [2, 2, 2, 3, 3, 3, 3, 4][dice.below(8)];
    let attributes = if dice.chance(20) { 2 } else { 1 };
    let mut configuration = Configuration::default();
    for name in &NAMES[..systems] {
        let says = [None, None, Some(Speaks::State), Some(Speaks::State), Some(Speaks::Changes)][dice.below(5)];
        let is_provider = says.is_none() || dice.chance(50);
        configuration.systems.insert((*name).into(), System { says, is_provider });
        if is_provider && dice.chance(8) {
            configuration.absent.insert((*name).into());
        }
    }
    let kind = dice.below(10);
    let mut line = 0;
    let mut next = || {
        line += 1;
        origin(line)
    };
    for name in &FIELDS[..attributes] {
        let is_truth = kind < 3;
        let values: &[&str] = match kind {
            3..=6 => &["a", "b"],
            7 => &["a", "A"],
            8 => &["a b", "a"],
            _ => &["a", "b", "c"],
        };
        let values: Vec<Value> = if is_truth {
            vec![true.into(), false.into()]
        } else {
            values.iter().map(|text| Value::text(text)).collect()
        };
        let mut attribute = Attribute { values: values.clone(), ..Attribute::default() };
        let condition = |dice: &mut Dice| {
            let looks = Looks {
                system: dice.chance(60).then(|| NAMES[dice.below(systems)].into()),
                attribute: FIELDS[dice.below(attributes)].into(),
            };
            let value = values[dice.below(values.len())].clone();
            match dice.below(8) {
                0..=1 => Condition { reads: Vec::new(), holds: Holds::Somehow },
                2 => Condition { reads: vec![looks], holds: Holds::Where(value) },
                3..=4 => Condition { reads: vec![looks], holds: Holds::Unless(value) },
                _ => Condition { reads: vec![looks], holds: Holds::Somehow },
            }
        };
        for _ in 0..[0, 1, 1, 2, 2, 2, 2, 3][dice.below(8)] {
            let condition = dice.chance(55).then(|| condition(dice));
            let line = Line { condition, origin: next() };
            let is_last = line.condition.is_none();
            attribute.owners.push(Owner { system: NAMES[dice.below(systems)].into(), line });
            if is_last {
                break;
            }
        }
        for (system, role) in configuration.systems.clone() {
            if role.says.is_some() && dice.chance(85) {
                attribute.speakers.insert(system.clone(), next());
            }
            if !role.is_provider {
                continue;
            }
            if dice.chance(75) {
                attribute.copies.insert(system.clone(), next());
            }
            if dice.chance(90) {
                let answer = |dice: &mut Dice| match dice.below(12) {
                    0 => Answer::No,
                    1 => Answer::Elsewhere,
                    _ => Answer::Takes,
                };
                let stores = |dice: &mut Dice| Stores {
                    lower: dice.chance(30),
                    trimmed: dice.chance(10),
                    cut: dice.chance(10).then_some(1),
                };
                let from: SystemName = NAMES[dice.below(systems)].into();
                let can = configuration.systems[&from].is_provider && from != system;
                let comes = (can && dice.chance(45)).then(|| Comes {
                    from,
                    reads: match dice.below(8) {
                        0 if !is_truth => Reads::BeforeSpace(FIELDS[dice.below(attributes)]),
                        1 if !is_truth => Reads::AfterSpace(FIELDS[dice.below(attributes)]),
                        _ => Reads::Same,
                    },
                    arrives: stores(dice),
                    is_foreseen: dice.chance(40),
                    answer: answer(dice),
                });
                attribute.holders.insert(system.clone(), Holder { stores: stores(dice), answer: answer(dice), comes });
            }
            if is_truth && *name == "x" && dice.chance(30) {
                let condition = dice.chance(80).then(|| condition(dice));
                attribute.accounts.insert(system, Line { condition, origin: next() });
            }
        }
        for _ in 0..[0, 0, 0, 0, 1, 1, 1, 2][dice.below(8)] {
            attribute.routes.push(Route {
                at: Some(NAMES[dice.below(systems)].into()),
                is_of_refusals: dice.chance(40),
                to: (0..dice.below(3)).map(|_| NAMES[dice.below(systems)].into()).collect(),
                origin: next(),
            });
        }
        configuration.attributes.insert((*name).into(), attribute);
    }
    configuration
}

/// What holds of a person for good.
#[derive(Clone, Default)]
struct Fate {
    records: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    /// For each condition the answers, by what is seen.
    tables: Vec<u32>,
    /// For each attribute and each of its routes the answers, by what is there and what would be.
    turns: [Vec<u32>; ATTRIBUTES],
    /// For each pair of systems whether she signs in to one through the other.
    doors: [[bool; SYSTEMS]; SYSTEMS],
}

/// What rounds change.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct State {
    held: [[u8; SYSTEMS]; ATTRIBUTES],
    shown: [[u8; SYSTEMS]; ATTRIBUTES],
}

/// What happened in a round.
#[derive(Default, Debug, PartialEq, Eq)]
struct Log {
    said: Vec<(String, String, Value)>,
    writes: Vec<(String, String, Value, Value)>,
    arrivals: Vec<(String, String, Value, Value)>,
}

struct SimHolder {
    stores: Vec<u8>,
    answer: Answer,
    comes: Option<SimComes>,
}

struct SimComes {
    from: usize,
    of: usize,
    is_same: bool,
    part: Vec<u8>,
    arrives: Vec<u8>,
    is_foreseen: bool,
    answer: Answer,
}

struct SimCondition {
    origin: Origin,
    read: Vec<(Option<usize>, usize)>,
    holds: Holds,
}

/// Rounds, played as they come.
struct Simulator {
    count: usize,
    fields: usize,
    systems: Vec<System>,
    absent: Vec<bool>,
    values: Vec<Value>,
    starts: Vec<Vec<u8>>,
    truth: bool,
    owners: Vec<Vec<(usize, Option<usize>)>>,
    copies: Vec<Vec<bool>>,
    speaks: Vec<Vec<bool>>,
    holders: Vec<Vec<Option<SimHolder>>>,
    accounts: Vec<Vec<Option<Option<usize>>>>,
    conditions: Vec<SimCondition>,
    routes: Vec<Vec<SimRoute>>,
}

struct SimRoute {
    at: usize,
    is_of_refusals: bool,
    to: Vec<usize>,
    origin: Origin,
}

/// A round under way.
struct Play<'a> {
    sim: &'a Simulator,
    fate: &'a Fate,
    state: &'a State,
    owner: [Option<Option<usize>>; ATTRIBUTES],
    looking: [bool; ATTRIBUTES],
    said: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    sent: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    open: [bool; ATTRIBUTES],
    switches: Vec<(usize, usize, u8)>,
    waiting: Vec<(usize, usize, u8)>,
    sent_on: Vec<(usize, usize, u8)>,
}

impl Simulator {
    fn new(configuration: &Configuration) -> Self {
        let names: Vec<&SystemName> = configuration.systems.keys().collect();
        let fields: Vec<&AttributeName> = configuration.attributes.keys().collect();
        let of_name = |name: &SystemName| names.iter().position(|it| *it == name).unwrap();
        let of_field = |name: &AttributeName| fields.iter().position(|it| *it == name).unwrap();
        let all = || configuration.attributes.values();
        let mut values: Vec<Value> = all().flat_map(|it| it.values.clone()).collect();
        values.sort();
        values.dedup();
        // Until storing and arriving bring nothing new.
        loop {
            let mut more = values.clone();
            for holder in all().flat_map(|it| it.holders.values()) {
                for value in &values {
                    more.push(holder.stores.of(value));
                    if let Some(comes) = &holder.comes {
                        more.push(comes.reads.of(value));
                        more.push(comes.arrives.of(&comes.reads.of(value)));
                    }
                }
            }
            more.sort();
            more.dedup();
            if more.len() == values.len() {
                break;
            }
            values = more;
        }
        let number = |value: &Value| u8::try_from(values.iter().position(|it| it == value).unwrap()).unwrap();
        let table = |of: &dyn Fn(&Value) -> Value| values.iter().map(|value| number(&of(value))).collect::<Vec<u8>>();
        let mut conditions = Vec::new();
        let mut line = |line: &Line| {
            line.condition.as_ref().map(|condition| {
                let read = condition
                    .reads
                    .iter()
                    .map(|looks| (looks.system.as_ref().map(of_name), of_field(&looks.attribute)))
                    .collect();
                conditions.push(SimCondition { origin: line.origin.clone(), read, holds: condition.holds.clone() });
                conditions.len() - 1
            })
        };
        let owners = all()
            .map(|it| it.owners.iter().map(|owner| (of_name(&owner.system), line(&owner.line))).collect())
            .collect();
        let accounts =
            all().map(|it| names.iter().map(|name| it.accounts.get(name).map(&mut line)).collect()).collect();
        let holder = |at: usize, holder: &Holder| SimHolder {
            stores: table(&|value| holder.stores.of(value)),
            answer: holder.answer,
            comes: holder.comes.as_ref().map(|comes| SimComes {
                from: of_name(&comes.from),
                of: comes.reads.other().map_or(at, |name| of_field(&name.into())),
                is_same: comes.reads == Reads::Same,
                part: table(&|value| comes.reads.of(value)),
                arrives: table(&|value| comes.arrives.of(&comes.reads.of(value))),
                is_foreseen: comes.is_foreseen,
                answer: comes.answer,
            }),
        };
        Self {
            count: names.len(),
            fields: fields.len(),
            systems: configuration.systems.values().copied().collect(),
            absent: names.iter().map(|name| configuration.absent.contains(*name)).collect(),
            starts: all().map(|it| it.values.iter().map(number).collect()).collect(),
            truth: all().any(|it| it.values[0].as_bool().is_some()),
            owners,
            copies: all().map(|it| names.iter().map(|name| it.copies.contains_key(*name)).collect()).collect(),
            speaks: all().map(|it| names.iter().map(|name| it.speakers.contains_key(*name)).collect()).collect(),
            holders: all()
                .enumerate()
                .map(|(at, it)| names.iter().map(|name| it.holders.get(*name).map(|one| holder(at, one))).collect())
                .collect(),
            accounts,
            conditions,
            values,
            routes: all()
                .map(|it| {
                    let route = |route: &Route| SimRoute {
                        at: of_name(route.at.as_ref().unwrap()),
                        is_of_refusals: route.is_of_refusals,
                        to: route.to.iter().map(of_name).collect(),
                        origin: route.origin.clone(),
                    };
                    it.routes.iter().map(route).collect()
                })
                .collect(),
        }
    }

    /// An account that is there and holds this.
    fn has(&self, field: usize, system: usize) -> bool {
        self.systems[system].is_provider && !self.absent[system] && self.holders[field][system].is_some()
    }

    fn both(&self, field: usize, system: usize) -> bool {
        self.has(field, system) && self.speaks[field][system]
    }

    fn mere(&self, field: usize, system: usize) -> bool {
        !self.systems[system].is_provider && self.speaks[field][system]
    }

    fn truth_of(&self, value: u8) -> Option<bool> {
        self.values[usize::from(value)].as_bool()
    }

    /// One round and the sign-ins after it: what is then, and whether anything was written.
    fn step(&self, fate: &Fate, state: &State, mut log: Option<&mut Log>) -> (State, bool) {
        let mut play = Play {
            sim: self,
            fate,
            state,
            owner: Default::default(),
            looking: Default::default(),
            said: Default::default(),
            sent: Default::default(),
            open: Default::default(),
            switches: Vec::new(),
            waiting: Vec::new(),
            sent_on: Vec::new(),
        };
        for field in 0..self.fields {
            for system in 0..self.count {
                play.said[field][system] = play.shown(field, system).filter(|value| {
                    self.systems[system].says == Some(Speaks::State) || state.shown[field][system] != *value
                });
            }
        }
        for field in 0..self.fields {
            play.decide(field);
        }
        play.switches_of_accounts();
        play.late();
        let mut after = *state;
        let mut wrote = false;
        for field in 0..self.fields {
            for system in 0..self.count {
                let shown = play.shown(field, system);
                if let (Some(shown), false, Some(Speaks::Changes)) =
                    (shown, play.open[field], self.systems[system].says)
                {
                    after.shown[field][system] = shown;
                }
                if let (Some(log), Some(value)) = (&mut log, play.said[field][system]) {
                    log.said.push((
                        NAMES[system].into(),
                        FIELDS[field].into(),
                        self.values[usize::from(value)].clone(),
                    ));
                }
                if let Some(value) = play.sent[field][system] {
                    wrote = true;
                    after.held[field][system] = value;
                    if let Some(log) = &mut log {
                        let before = self.values[usize::from(state.held[field][system])].clone();
                        let value = self.values[usize::from(value)].clone();
                        log.writes.push((NAMES[system].into(), FIELDS[field].into(), before, value));
                    }
                }
            }
        }
        for system in 0..self.count {
            for field in 0..self.fields {
                let Some(comes) = self.holders[field][system].as_ref().and_then(|holder| holder.comes.as_ref()) else {
                    continue;
                };
                let can = self.has(field, system) && self.has(comes.of, comes.from) && fate.doors[system][comes.from];
                let led = after.held[comes.of][comes.from];
                if !can || (self.truth && self.truth_of(led) == Some(false)) {
                    continue;
                }
                let value = comes.arrives[usize::from(led)];
                let before = std::mem::replace(&mut after.held[field][system], value);
                if let (Some(log), true) = (&mut log, before != value) {
                    let text = |value: u8| self.values[usize::from(value)].clone();
                    log.arrivals.push((NAMES[system].into(), FIELDS[field].into(), text(before), text(value)));
                }
            }
        }
        (after, wrote)
    }
}

impl Play<'_> {
    fn held(&self, field: usize, system: usize) -> Option<u8> {
        self.sim.has(field, system).then(|| self.state.held[field][system])
    }

    fn shown(&self, field: usize, system: usize) -> Option<u8> {
        if !self.sim.speaks[field][system] {
            return None;
        }
        if self.sim.systems[system].is_provider { self.held(field, system) } else { self.fate.records[field][system] }
    }

    fn owner(&mut self, field: usize) -> Option<usize> {
        if let Some(owner) = self.owner[field] {
            return owner;
        }
        self.looking[field] = true;
        let mut found = None;
        for (system, condition) in &self.sim.owners[field] {
            if condition.is_none_or(|condition| self.holds(condition)) {
                found = Some(*system);
                break;
            }
        }
        self.looking[field] = false;
        self.owner[field] = Some(found);
        found
    }

    fn holds(&mut self, condition: usize) -> bool {
        let base = self.sim.values.len() + 1;
        let (mut index, mut last) = (0, None);
        for (system, field) in &self.sim.conditions[condition].read {
            last = match system {
                Some(system) if self.sim.systems[*system].is_provider => self.held(*field, *system),
                Some(system) => self.shown(*field, *system),
                None if self.looking[*field] => None,
                None => self.decided(*field),
            };
            index = index * base + last.map_or(0, |value| usize::from(value) + 1);
        }
        let last = last.map(|value| &self.sim.values[usize::from(value)]);
        match &self.sim.conditions[condition].holds {
            Holds::Somehow => self.fate.tables[condition] >> index & 1 == 1,
            Holds::Where(value) => last == Some(value),
            Holds::Unless(value) => last != Some(value),
        }
    }

    fn decided(&mut self, field: usize) -> Option<u8> {
        let owner = self.owner(field)?;
        if self.sim.systems[owner].says.is_some() {
            return self.shown(field, owner);
        }
        let first = self.said[field].iter().flatten().next().copied();
        first.or(self.held(field, owner))
    }

    fn decide(&mut self, field: usize) {
        let said: Vec<(usize, u8)> =
            (0..self.sim.count).filter_map(|system| Some((system, self.said[field][system]?))).collect();
        if said.is_empty() {
            return;
        }
        let Some(home) = self.owner(field) else {
            // Nobody's: refused and open, but for what is everywhere already.
            let places: Vec<usize> = (0..self.sim.count).filter(|system| self.sim.has(field, *system)).collect();
            for (asker, value) in said {
                let there = |system: &usize| {
                    self.state.held[field][*system]
                        == self.sim.holders[field][*system].as_ref().unwrap().stores[usize::from(value)]
                };
                let is_so = !places.is_empty() && places.iter().all(there);
                if !is_so && self.ask_routes(field, asker, value, false).is_none() {
                    self.open[field] = true;
                }
            }
            return;
        };
        let mut word;
        if self.sim.systems[home].is_provider {
            let Some(holder) = &self.sim.holders[field][home] else {
                self.open[field] = true;
                return;
            };
            let mut wishes: Vec<u8> = said.iter().map(|(_, value)| holder.stores[usize::from(*value)]).collect();
            wishes.dedup();
            if wishes.len() > 1 {
                self.open[field] = true;
                return;
            }
            if self.sim.accounts[field][home].is_some() {
                return;
            }
            if self.sim.absent[home] {
                if self.ask_routes(field, home, wishes[0], false).is_none() {
                    self.open[field] |= match self.ask_routes(field, home, wishes[0], true) {
                        None => true,
                        Some(to) => !to.is_empty() && !to.contains(&home),
                    };
                }
                return;
            }
            word = self.state.held[field][home];
            if self.sim.truth {
                if self.switch(field, home, wishes[0]) {
                    word = wishes[0];
                }
            } else if word != wishes[0] && self.send(field, home, wishes[0]) {
                word = wishes[0];
            }
        } else {
            for (asker, value) in &said {
                if *asker != home
                    && self.fate.records[field][home].filter(|_| self.sim.speaks[field][home]) != Some(*value)
                {
                    self.ask_routes(field, home, *value, false);
                }
            }
            let Some(value) = self.said[field][home] else { return };
            word = value;
        }
        for system in 0..self.sim.count {
            if system == home || !self.sim.has(field, system) || self.sim.accounts[field][system].is_some() {
                continue;
            }
            let holder = self.sim.holders[field][system].as_ref().unwrap();
            let value = holder.stores[usize::from(word)];
            let copied = self.sim.copies[field][system];
            if self.sim.truth {
                if copied {
                    self.switch(field, system, value);
                }
                continue;
            }
            // Settled when everything else is decided.
            let waits =
                holder.comes.as_ref().is_some_and(|comes| comes.is_foreseen && self.fate.doors[system][comes.from]);
            if !waits && copied && self.state.held[field][system] != value {
                self.send(field, system, value);
            }
            if waits {
                self.waiting.push((field, system, value));
            }
        }
    }

    fn answer(&self, field: usize, system: usize) -> Answer {
        let Some(holder) = &self.sim.holders[field][system] else { return Answer::No };
        match &holder.comes {
            Some(comes) if !self.sim.truth && self.fate.doors[system][comes.from] => comes.answer,
            _ => holder.answer,
        }
    }

    /// A call, as its answer foretells. True where it is made here.
    fn send(&mut self, field: usize, system: usize, value: u8) -> bool {
        self.send_unless(field, system, value, self.answer(field, system))
    }

    fn send_unless(&mut self, field: usize, system: usize, value: u8, answer: Answer) -> bool {
        let route = self.ask_routes(field, system, value, false);
        if route.as_ref().is_some_and(|to| !to.contains(&system)) {
            return false;
        }
        if route.is_none()
            && answer != Answer::Takes
            && let Some(to) = self.ask_routes(field, system, value, true)
        {
            let comes = self.sim.holders[field][system].as_ref().and_then(|holder| holder.comes.as_ref());
            let led = comes.is_some_and(|comes| {
                comes.is_foreseen && self.fate.doors[system][comes.from] && to.contains(&comes.from)
            });
            let is_told = to.is_empty() || to.contains(&system) || led || answer == Answer::Elsewhere;
            self.open[field] |= !is_told;
            return false;
        }
        match answer {
            Answer::Takes => self.sent[field][system] = Some(value),
            Answer::No => self.open[field] = true,
            Answer::Elsewhere => {}
        }
        answer == Answer::Takes
    }

    /// What the first route that answers says.
    fn ask_routes(&mut self, field: usize, system: usize, value: u8, is_refused: bool) -> Option<Vec<usize>> {
        let is_provider = self.sim.systems[system].is_provider;
        let before = if is_provider { self.held(field, system) } else { self.shown(field, system) };
        let base = self.sim.values.len();
        let index = before.map_or(0, |value| usize::from(value) + 1) * base + usize::from(value);
        let routes = self.sim.routes[field].iter().enumerate();
        let mut asked = routes.filter(|(_, it)| it.at == system && it.is_of_refusals == is_refused);
        let (_, route) = asked.find(|(at, _)| self.fate.turns[field][*at] >> index & 1 == 1)?;
        self.sent_on.extend(route.to.iter().map(|to| (field, *to, value)));
        Some(route.to.clone())
    }

    fn send_on(&mut self) {
        for (field, system, value) in std::mem::take(&mut self.sent_on) {
            if !self.sim.systems[system].is_provider {
                continue;
            }
            if !self.sim.has(field, system) {
                self.open[field] = true;
                continue;
            }
            let holder = self.sim.holders[field][system].as_ref().unwrap();
            let value = holder.stores[usize::from(value)];
            match self.sent[field][system] {
                Some(other) if other == value => continue,
                Some(_) => {
                    self.open[field] = true;
                    continue;
                }
                None => {}
            }
            if self.state.held[field][system] == value {
                continue;
            }
            let wakes =
                holder.comes.as_ref().is_some_and(|comes| comes.is_foreseen && self.fate.doors[system][comes.from]);
            let is_off = self.sim.truth && self.sim.truth_of(value) == Some(false);
            match self.answer(field, system) {
                _ if wakes && is_off => self.open[field] = true,
                Answer::Takes => self.sent[field][system] = Some(value),
                Answer::No => self.open[field] = true,
                Answer::Elsewhere => {}
            }
        }
    }

    fn switch(&mut self, field: usize, system: usize, value: u8) -> bool {
        if self.state.held[field][system] == value {
            return false;
        }
        let holder = self.sim.holders[field][system].as_ref().unwrap();
        let known = holder.comes.as_ref().is_some_and(|comes| comes.is_foreseen && self.fate.doors[system][comes.from]);
        if known && self.sim.truth_of(value) == Some(false) {
            self.switches.push((field, system, value));
            false
        } else {
            self.send(field, system, value)
        }
    }

    fn switches_of_accounts(&mut self) {
        if self.sim.systems.iter().all(|system| system.says.is_none()) {
            return;
        }
        for field in 0..self.sim.fields {
            for system in 0..self.sim.count {
                let Some(condition) = self.sim.accounts[field][system] else { continue };
                let wanted = condition.is_none_or(|condition| self.holds(condition));
                let value = self.sim.values.iter().position(|value| value.as_bool() == Some(wanted)).unwrap();
                if self.sim.has(field, system) {
                    self.switch(field, system, u8::try_from(value).unwrap());
                }
            }
        }
    }

    fn will_hold(&self, field: usize, system: usize) -> Option<u8> {
        self.sent[field][system].or(self.held(field, system))
    }

    fn late(&mut self) {
        for (field, system, value) in std::mem::take(&mut self.switches) {
            let comes = self.sim.holders[field][system].as_ref().unwrap().comes.as_ref().unwrap();
            if self.will_hold(comes.of, comes.from).and_then(|led| self.sim.truth_of(led)) == Some(false) {
                self.send(field, system, value);
            } else {
                self.send_unless(field, system, value, Answer::No);
            }
        }
        self.send_on();
        for (field, system, value) in std::mem::take(&mut self.waiting) {
            let holder = self.sim.holders[field][system].as_ref().unwrap();
            let comes = holder.comes.as_ref().unwrap();
            let now = self.state.held[field][system];
            let follows = self.will_hold(comes.of, comes.from).is_some_and(|led| {
                let part = comes.part[usize::from(led)];
                if comes.is_same { holder.stores[usize::from(part)] == value } else { part != now }
            });
            if !follows && self.sim.copies[field][system] && now != value {
                self.send(field, system, value);
            }
        }
        self.send_on();
    }
}

/// Something that is one of so many.
enum Wheel {
    Record(usize, usize),
    Table(usize),
    Turn(usize, usize, Vec<usize>),
    Door(usize, usize),
    Held(usize, usize),
    Shown(usize, usize),
}

/// Every start of a configuration, as wheels to turn: those of fate and those of state.
struct Starts {
    fate: Vec<(Wheel, u32)>,
    state: Vec<(Wheel, u32)>,
}

impl Starts {
    fn of(sim: &Simulator) -> Self {
        let (mut fate, mut state) = (Vec::new(), Vec::new());
        for field in 0..sim.fields {
            let starts = u32::try_from(sim.starts[field].len()).unwrap();
            for system in 0..sim.count {
                if sim.mere(field, system) {
                    fate.push((Wheel::Record(field, system), starts + 1));
                }
                if sim.has(field, system) {
                    state.push((Wheel::Held(field, system), starts));
                    if let Some(comes) = &sim.holders[field][system].as_ref().unwrap().comes {
                        fate.push((Wheel::Door(system, comes.from), 2));
                    }
                }
                let is_asked = sim.mere(field, system) || sim.both(field, system);
                if is_asked && sim.systems[system].says == Some(Speaks::Changes) {
                    state.push((Wheel::Shown(field, system), starts));
                }
            }
        }
        for (at, condition) in sim.conditions.iter().enumerate() {
            if condition.holds == Holds::Somehow {
                let seen = condition.read.iter().map(|_| sim.values.len() + 1).product::<usize>();
                fate.push((Wheel::Table(at), 1 << seen));
            }
        }
        for (field, routes) in sim.routes.iter().enumerate() {
            for (at, route) in routes.iter().enumerate() {
                // Where there is an account it holds something; where there is nothing to hold it, there is nothing.
                let before = match (sim.has(field, route.at), sim.mere(field, route.at)) {
                    (true, _) => 1..=sim.values.len(),
                    (_, true) => 0..=sim.values.len(),
                    _ => 0..=0,
                };
                let base = sim.values.len();
                let seen: Vec<usize> =
                    before.flat_map(|before| (0..base).map(move |after| before * base + after)).collect();
                fate.push((
                    Wheel::Turn(field, at, seen.clone()),
                    u32::try_from(seen.len()).ok().and_then(|bits| 1_u32.checked_shl(bits)).unwrap_or(u32::MAX),
                ));
            }
        }
        Self { fate, state }
    }

    fn count(wheels: &[(Wheel, u32)]) -> u64 {
        wheels.iter().fold(1, |all, (_, of)| u64::from(*of).saturating_mul(all))
    }

    fn fate(&self, sim: &Simulator, mut number: u64) -> Fate {
        let mut fate = Fate { tables: vec![0; sim.conditions.len()], ..Fate::default() };
        for (turns, routes) in fate.turns.iter_mut().zip(&sim.routes) {
            turns.resize(routes.len(), 0);
        }
        for (wheel, of) in &self.fate {
            let turn = u32::try_from(number % u64::from(*of)).unwrap();
            number /= u64::from(*of);
            match wheel {
                Wheel::Record(field, system) => {
                    fate.records[*field][*system] = sim.starts[*field].get(turn as usize).copied();
                }
                Wheel::Turn(field, at, seen) => {
                    let bits = seen.iter().enumerate().filter(|(bit, _)| turn >> bit & 1 == 1);
                    fate.turns[*field][*at] = bits.fold(0, |turns, (_, index)| turns | 1 << index);
                }
                Wheel::Table(condition) => fate.tables[*condition] = turn,
                Wheel::Door(system, from) => fate.doors[*system][*from] = turn == 1,
                Wheel::Held(..) | Wheel::Shown(..) => unreachable!("no fate"),
            }
        }
        fate
    }

    fn state(&self, sim: &Simulator, mut number: u64) -> State {
        let mut state = State::default();
        for (wheel, of) in &self.state {
            let turn = usize::try_from(number % u64::from(*of)).unwrap();
            number /= u64::from(*of);
            match wheel {
                Wheel::Held(field, system) => state.held[*field][*system] = sim.starts[*field][turn],
                Wheel::Shown(field, system) => state.shown[*field][*system] = sim.starts[*field][turn],
                Wheel::Record(..) | Wheel::Table(..) | Wheel::Turn(..) | Wheel::Door(..) => unreachable!("no state"),
            }
        }
        state
    }
}

/// Whether any start goes on writing for ever: every one is played until it repeats.
fn brute_force(sim: &Simulator, starts: &Starts) -> bool {
    (0..Starts::count(&starts.fate)).any(|number| {
        let fate = starts.fate(sim, number);
        // States from which it is known that rounds come to rest.
        let mut rests: Vec<State> = Vec::new();
        (0..Starts::count(&starts.state)).any(|number| {
            let mut past = vec![(starts.state(sim, number), false)];
            loop {
                let (state, _) = past[past.len() - 1];
                if rests.contains(&state) {
                    break;
                }
                let (after, wrote) = sim.step(&fate, &state, None);
                past.last_mut().unwrap().1 = wrote;
                if let Some(at) = past.iter().position(|(state, _)| *state == after) {
                    if past[at..].iter().any(|(_, wrote)| *wrote) {
                        return true;
                    }
                    break;
                }
                past.push((after, false));
            }
            if rests.len() < 12 {
                rests.extend(past.last().map(|(state, _)| *state));
            }
            false
        })
    })
}

/// Plays a trace step by step; what it leaves open is set at will.
fn replays(sim: &Simulator, trace: &Trace, will: u8) -> Result<(), String> {
    let system = |name: &SystemName| NAMES.iter().position(|it| *it == name.as_str()).unwrap();
    let field = |name: &AttributeName| FIELDS.iter().position(|it| *it == name.as_str()).unwrap();
    let number = |value: &Value| u8::try_from(sim.values.iter().position(|it| it == value).unwrap()).unwrap();
    let mut fate = Fate { tables: vec![if will == 0 { 0 } else { u32::MAX }; sim.conditions.len()], ..Fate::default() };
    for (turns, routes) in fate.turns.iter_mut().zip(&sim.routes) {
        turns.resize(routes.len(), fate.tables.first().copied().unwrap_or_default());
    }
    let mut state = State::default();
    for at in 0..sim.fields {
        let any = if will == 0 { sim.starts[at][0] } else { sim.starts[at][sim.starts[at].len() - 1] };
        fate.records[at] = [(will > 0).then_some(any); SYSTEMS];
        (state.held[at], state.shown[at]) = ([any; SYSTEMS], [any; SYSTEMS]);
    }
    for fact in &trace.start {
        match fact {
            Fact::Condition { origin, sees, holds } => {
                let at = sim.conditions.iter().position(|condition| condition.origin == *origin).unwrap();
                let base = sim.values.len() + 1;
                let index = sees.iter().fold(0, |index, (_, value)| {
                    index * base + value.as_ref().map_or(0, |value| usize::from(number(value)) + 1)
                });
                fate.tables[at] = fate.tables[at] & !(1 << index) | u32::from(*holds) << index;
            }
            Fact::Route { origin, attribute, before, after, answers, .. } => {
                let field = field(attribute);
                let at = sim.routes[field].iter().position(|route| route.origin == *origin).unwrap();
                let before = before.as_ref().map_or(0, |value| usize::from(number(value)) + 1);
                let index = before * sim.values.len() + usize::from(number(after));
                let turns = &mut fate.turns[field][at];
                *turns = *turns & !(1 << index) | u32::from(*answers) << index;
            }
            Fact::SignsIn { system: one, through, does } => fate.doors[system(one)][system(through)] = *does,
            Fact::Record { system: one, attribute, value } => {
                fate.records[field(attribute)][system(one)] = value.as_ref().map(number);
            }
            Fact::Account { system: one, attribute, value } => {
                state.held[field(attribute)][system(one)] = number(value);
            }
            Fact::LastShown { .. } => {}
        }
    }
    // Only now it is known what shows something else.
    for fact in &trace.start {
        if let Fact::LastShown { system: one, attribute, value } = fact {
            let (one, at) = (system(one), field(attribute));
            let now = fate.records[at][one];
            let other = sim.starts[at].iter().find(|value| Some(**value) != now).copied().unwrap();
            state.shown[at][one] = value.as_ref().map_or(other, number);
        }
    }
    let mut states = vec![state];
    for (position, round) in trace.rounds.iter().enumerate() {
        let mut log = Log::default();
        let (after, _) = sim.step(&fate, &states[position], Some(&mut log));
        let name = |system: &SystemName, attribute: &AttributeName| (system.to_string(), attribute.to_string());
        let mut told = Log::default();
        for said in &round.said {
            let (system, attribute) = name(&said.system, &said.attribute);
            told.said.push((system, attribute, said.value.clone()));
        }
        for Write { system, attribute, before, after, because } in &round.writes {
            let (system, attribute) = name(system, attribute);
            told.writes.push((system, attribute, before.clone(), after.clone()));
            if because.is_empty() {
                return Err("a write without a reason".to_owned());
            }
        }
        for arrival in &round.arrivals {
            let (system, attribute) = name(&arrival.system, &arrival.attribute);
            told.arrivals.push((system, attribute, arrival.before.clone(), arrival.after.clone()));
        }
        // Attributes that have nothing to do with these go their own ways.
        let is_told = |name: &String| trace.attributes.iter().any(|attribute| attribute.as_str() == name);
        log.said.retain(|(_, attribute, _)| is_told(attribute));
        log.writes.retain(|(_, attribute, ..)| is_told(attribute));
        log.arrivals.retain(|(_, attribute, ..)| is_told(attribute));
        told.writes.sort();
        log.writes.sort();
        told.said.sort();
        log.said.sort();
        if told != log {
            return Err(format!("round {}: told {told:?}, played {log:?}", position + 1));
        }
        states.push(after);
    }
    let wrote = trace.rounds[trace.repeats..].iter().any(|round| !round.writes.is_empty());
    let last = states[states.len() - 1];
    let is_as = |at: usize| {
        (last.held[at], last.shown[at]) == (states[trace.repeats].held[at], states[trace.repeats].shown[at])
    };
    let repeats = trace.attributes.iter().all(|attribute| is_as(field(attribute)));
    if wrote && repeats { Ok(()) } else { Err("it does not repeat with writes".to_owned()) }
}

/// What is tried at most of one configuration: larger ones are drawn again.
const MOST_STARTS: u64 = 80;

/// Somebody speaks, and something can be written.
fn is_about_something(configuration: &Configuration) -> bool {
    let all = || configuration.attributes.values();
    all().any(|it| !it.speakers.is_empty())
        && all().any(|it| {
            let written = it.copies.keys().chain(it.accounts.keys()).chain(it.owners.iter().map(|owner| &owner.system));
            written.clone().any(|system| it.holders.contains_key(system))
                && (!it.owners.is_empty() || !it.accounts.is_empty())
        })
}

/// How many of the configurations of these seeds oscillate.
fn compare(seeds: std::ops::Range<u64>) -> usize {
    let mut oscillating = 0;
    for seed in seeds {
        let mut dice = Dice::new(seed + 1);
        let (configuration, sim, starts) = loop {
            let configuration = random(&mut dice);
            if !is_about_something(&configuration) {
                continue;
            }
            let sim = Simulator::new(&configuration);
            let starts = Starts::of(&sim);
            let count = Starts::count(&starts.fate).saturating_mul(Starts::count(&starts.state));
            if count <= MOST_STARTS {
                break (configuration, sim, starts);
            }
        };
        let known = brute_force(&sim, &starts);
        match certify(&configuration) {
            Verdict::Free => assert!(!known, "seed {seed} is called free and oscillates: {configuration:#?}"),
            Verdict::Oscillates(trace) => {
                for will in [0, 1] {
                    let replayed = replays(&sim, &trace, will);
                    assert_eq!(replayed, Ok(()), "seed {seed}: {:#?} {configuration:#?}", tell(&trace));
                }
                assert!(known, "seed {seed} is said to oscillate and does not: {configuration:#?}");
                oscillating += 1;
            }
            Verdict::Unsure { tried, .. } => panic!("seed {seed}: {tried} starts are not too many"),
        }
    }
    oscillating
}

#[test]
fn the_verdict_is_that_of_brute_force_and_every_trace_can_be_played() {
    const CONFIGURATIONS: u64 = 100_000;
    const PARTS: u64 = 4;
    let parts: Vec<usize> = std::thread::scope(|scope| {
        let part = |at: u64| CONFIGURATIONS / PARTS * at..CONFIGURATIONS / PARTS * (at + 1);
        let threads: Vec<_> = (0..PARTS).map(|at| scope.spawn(move || compare(part(at)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let oscillating: usize = parts.iter().sum();
    // Both kinds are met often, or the comparison would say little.
    assert!((2_000..60_000).contains(&oscillating), "{oscillating} of {CONFIGURATIONS} oscillate");
}

/// A configuration of one attribute `x`, written shortly: sources with what they say, providers with what they store.
fn of(systems: &[(&str, Option<Speaks>, bool)], attribute: Attribute) -> Configuration {
    let system = |(name, says, is_provider): &(&str, Option<Speaks>, bool)| {
        ((*name).into(), System { says: *says, is_provider: *is_provider })
    };
    let systems = systems.iter().map(system).collect();
    Configuration { systems, attributes: [("x".into(), attribute)].into(), ..Configuration::default() }
}

fn plain() -> Holder {
    Holder { stores: Stores::default(), answer: Answer::Takes, comes: None }
}

fn owner(system: &str, line: usize, condition: Option<Condition>) -> Owner {
    Owner { system: system.into(), line: Line { condition, origin: origin(line) } }
}

fn attribute(owners: Vec<Owner>, copies: &[&str], speakers: &[&str], holders: &[(&str, Holder)]) -> Attribute {
    Attribute {
        values: vec!["A".into(), "B".into()],
        owners,
        copies: copies.iter().map(|system| ((*system).into(), origin(8))).collect(),
        speakers: speakers.iter().map(|system| ((*system).into(), origin(9))).collect(),
        holders: holders.iter().map(|(system, holder)| ((*system).into(), holder.clone())).collect(),
        ..Attribute::default()
    }
}

fn story(configuration: &Configuration) -> Vec<String> {
    match certify(configuration) {
        Verdict::Oscillates(trace) => tell(&trace),
        other => panic!("{other:?}"),
    }
}

const STATE: Option<Speaks> = Some(Speaks::State);

#[test]
fn a_source_that_states_what_a_provider_owns_wins_once_and_then_it_is_quiet() {
    let holders = [("a", plain()), ("b", plain())];
    let attribute = attribute(vec![owner("a", 1, None)], &["b"], &["hr"], &holders);
    let configuration = of(&[("a", None, true), ("b", None, true), ("hr", STATE, false)], attribute);
    assert!(matches!(certify(&configuration), Verdict::Free));
}

#[test]
fn two_sources_that_state_different_things_are_held_and_write_nothing() {
    let attribute = attribute(vec![owner("a", 1, None)], &[], &["hr", "shop"], &[("a", plain())]);
    let configuration = of(&[("a", None, true), ("hr", STATE, false), ("shop", STATE, false)], attribute);
    assert!(matches!(certify(&configuration), Verdict::Free));
}

#[test]
fn what_is_pushed_and_what_a_sign_in_brings_go_back_and_forth_where_nobody_foresaw_it() {
    let comes = Comes {
        from: "a".into(),
        reads: Reads::Same,
        arrives: Stores::default(),
        is_foreseen: false,
        answer: Answer::Takes,
    };
    let follower = |is_foreseen| Holder { comes: Some(Comes { is_foreseen, ..comes.clone() }), ..plain() };
    let systems = [("a", None, true), ("b", None, true), ("hr", STATE, false)];
    let with = |is_foreseen, copies: &[&str]| {
        let holders = [("a", plain()), ("b", follower(is_foreseen))];
        of(&systems, attribute(vec![owner("hr", 1, None)], copies, &["hr"], &holders))
    };
    assert_eq!(
        story(&with(false, &["b"])),
        [
            "at first: she signs in to b through a",
            "at first: a holds x = B",
            "at first: b holds x = A",
            "at first: hr shows x = A",
            "round 1: hr says x = A (r:9:1); nothing is sent; at the next sign-in b takes x = B from a",
            "round 2: hr says x = A (r:9:1); b is sent x = A in place of B (r:1:1, r:8:1); at the next sign-in b takes x = B from a",
            "round 3 begins where round 2 did, and so on for ever",
        ]
    );
    // Where both get it, what comes is what was pushed.
    assert!(matches!(certify(&with(false, &["a", "b"])), Verdict::Free));
}

#[test]
fn an_owner_that_depends_on_what_it_owns_goes_back_and_forth() {
    let looks = Looks { system: Some("a".into()), attribute: "x".into() };
    let condition = Condition { reads: vec![looks], holds: Holds::Where("A".into()) };
    let owners = vec![owner("hr", 1, Some(condition)), owner("shop", 2, None)];
    let attribute = attribute(owners, &["a"], &["hr", "shop"], &[("a", plain())]);
    let configuration = of(&[("a", None, true), ("hr", STATE, false), ("shop", STATE, false)], attribute);
    let story = story(&configuration);
    assert!(story.contains(&"at first: hr shows x = B".to_owned()), "{story:#?}");
    assert!(story.contains(&"at first: shop shows x = A".to_owned()), "{story:#?}");
    assert_eq!(story.last().unwrap(), "round 3 begins where round 1 did, and so on for ever");
}

#[test]
fn an_account_that_is_wanted_only_while_it_is_off_is_switched_for_ever() {
    let looks = Looks { system: Some("a".into()), attribute: "x".into() };
    let condition = Condition { reads: vec![looks], holds: Holds::Unless(true.into()) };
    let mut attribute = attribute(Vec::new(), &[], &[], &[("a", plain())]);
    attribute.values = vec![true.into(), false.into()];
    attribute.accounts.insert("a".into(), Line { condition: Some(condition), origin: origin(3) });
    let configuration = of(&[("a", None, true), ("hr", STATE, false)], attribute);
    assert_eq!(
        story(&configuration),
        [
            "at first: a holds x = true",
            "round 1: a is sent x = false in place of true (r:3:1)",
            "round 2: a is sent x = true in place of false (r:3:1)",
            "round 3 begins where round 1 did, and so on for ever",
        ]
    );
}

#[test]
fn two_systems_that_send_each_others_word_on_through_a_route_go_back_and_forth() {
    // What either says goes to the other: with different words they change places for ever.
    let mut attribute = attribute(vec![owner("hr", 1, None)], &[], &["a", "b"], &[("a", plain()), ("b", plain())]);
    for (at, to) in [("a", "b"), ("b", "a")] {
        attribute.owners = vec![owner(at, 1, None)];
        attribute.routes.push(Route { at: None, is_of_refusals: false, to: vec![to.into()], origin: origin(5) });
    }
    attribute.owners = Vec::new();
    let systems = [("a", STATE, true), ("b", STATE, true), ("hr", STATE, false)];
    let story = story(&of(&systems, attribute));
    assert!(story.iter().any(|line| line.contains("r:5:1 sends to")), "{story:#?}");
}
