//! Rounds, played as they come, from any start that a configuration has. Nothing here knows of the search.

use super::{
    super::{Answer, Configuration, Holder, Holds, Line, Route, Speaks, System},
    ATTRIBUTES, FIELDS, NAMES, SYSTEMS,
};
use crate::model::{
    attribute::{AttributeName, Value},
    capability::Reads,
    id::SystemName,
    origin::Origin,
};

/// What holds of a person for good.
#[derive(Clone, Default)]
pub(super) struct Fate {
    pub(super) records: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    /// For each condition the answers, by what is seen.
    pub(super) tables: Vec<u32>,
    /// For each attribute and each of its routes the answers, by what is there and what would be.
    pub(super) turns: [Vec<u32>; ATTRIBUTES],
    /// For each pair of systems whether she signs in to one through the other.
    pub(super) doors: [[bool; SYSTEMS]; SYSTEMS],
}

/// What rounds change.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub(super) held: [[u8; SYSTEMS]; ATTRIBUTES],
    pub(super) shown: [[u8; SYSTEMS]; ATTRIBUTES],
}

/// What happened in a round.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) said: Vec<(String, String, Value)>,
    pub(super) writes: Vec<(String, String, Value, Value)>,
    pub(super) arrivals: Vec<(String, String, Value, Value)>,
}

pub(super) struct SimHolder {
    pub(super) stores: Vec<u8>,
    pub(super) answer: Answer,
    pub(super) comes: Option<SimComes>,
}

pub(super) struct SimComes {
    pub(super) from: usize,
    pub(super) of: usize,
    pub(super) is_same: bool,
    pub(super) part: Vec<u8>,
    pub(super) arrives: Vec<u8>,
    pub(super) is_foreseen: bool,
    pub(super) answer: Answer,
}

pub(super) struct SimCondition {
    pub(super) origin: Origin,
    pub(super) read: Vec<(Option<usize>, usize)>,
    pub(super) holds: Holds,
}

/// Rounds, played as they come.
pub(super) struct Simulator {
    pub(super) count: usize,
    pub(super) fields: usize,
    pub(super) systems: Vec<System>,
    pub(super) absent: Vec<bool>,
    pub(super) values: Vec<Value>,
    pub(super) starts: Vec<Vec<u8>>,
    pub(super) truth: bool,
    pub(super) owners: Vec<Vec<(usize, Option<usize>)>>,
    pub(super) copies: Vec<Vec<bool>>,
    pub(super) speaks: Vec<Vec<bool>>,
    pub(super) holders: Vec<Vec<Option<SimHolder>>>,
    pub(super) accounts: Vec<Vec<Option<Option<usize>>>>,
    pub(super) conditions: Vec<SimCondition>,
    pub(super) routes: Vec<Vec<SimRoute>>,
}

pub(super) struct SimRoute {
    pub(super) at: usize,
    pub(super) is_of_refusals: bool,
    pub(super) to: Vec<usize>,
    pub(super) origin: Origin,
}

/// A round under way.
pub(super) struct Play<'a> {
    pub(super) sim: &'a Simulator,
    pub(super) fate: &'a Fate,
    pub(super) state: &'a State,
    pub(super) owner: [Option<Option<usize>>; ATTRIBUTES],
    pub(super) looking: [bool; ATTRIBUTES],
    pub(super) said: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    pub(super) sent: [[Option<u8>; SYSTEMS]; ATTRIBUTES],
    pub(super) open: [bool; ATTRIBUTES],
    pub(super) switches: Vec<(usize, usize, u8)>,
    pub(super) waiting: Vec<(usize, usize, u8)>,
    pub(super) sent_on: Vec<(usize, usize, u8)>,
}

impl Simulator {
    pub(super) fn new(configuration: &Configuration) -> Self {
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
    pub(super) fn has(&self, field: usize, system: usize) -> bool {
        self.systems[system].is_provider && !self.absent[system] && self.holders[field][system].is_some()
    }

    pub(super) fn both(&self, field: usize, system: usize) -> bool {
        self.has(field, system) && self.speaks[field][system]
    }

    pub(super) fn mere(&self, field: usize, system: usize) -> bool {
        !self.systems[system].is_provider && self.speaks[field][system]
    }

    pub(super) fn truth_of(&self, value: u8) -> Option<bool> {
        self.values[usize::from(value)].as_bool()
    }

    /// One round and the sign-ins after it: what is then, and whether anything was written.
    pub(super) fn step(&self, fate: &Fate, state: &State, mut log: Option<&mut Log>) -> (State, bool) {
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
    pub(super) fn held(&self, field: usize, system: usize) -> Option<u8> {
        self.sim.has(field, system).then(|| self.state.held[field][system])
    }

    pub(super) fn shown(&self, field: usize, system: usize) -> Option<u8> {
        if !self.sim.speaks[field][system] {
            return None;
        }
        if self.sim.systems[system].is_provider { self.held(field, system) } else { self.fate.records[field][system] }
    }

    pub(super) fn owner(&mut self, field: usize) -> Option<usize> {
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

    pub(super) fn holds(&mut self, condition: usize) -> bool {
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

    pub(super) fn decided(&mut self, field: usize) -> Option<u8> {
        let owner = self.owner(field)?;
        if self.sim.systems[owner].says.is_some() {
            return self.shown(field, owner);
        }
        let first = self.said[field].iter().flatten().next().copied();
        first.or(self.held(field, owner))
    }

    pub(super) fn decide(&mut self, field: usize) {
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

    pub(super) fn answer(&self, field: usize, system: usize) -> Answer {
        let Some(holder) = &self.sim.holders[field][system] else { return Answer::No };
        match &holder.comes {
            Some(comes) if !self.sim.truth && self.fate.doors[system][comes.from] => comes.answer,
            _ => holder.answer,
        }
    }

    /// A call, as its answer foretells. True where it is made here.
    pub(super) fn send(&mut self, field: usize, system: usize, value: u8) -> bool {
        self.send_unless(field, system, value, self.answer(field, system))
    }

    pub(super) fn send_unless(&mut self, field: usize, system: usize, value: u8, answer: Answer) -> bool {
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
    pub(super) fn ask_routes(
        &mut self,
        field: usize,
        system: usize,
        value: u8,
        is_refused: bool,
    ) -> Option<Vec<usize>> {
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

    pub(super) fn send_on(&mut self) {
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

    pub(super) fn switch(&mut self, field: usize, system: usize, value: u8) -> bool {
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

    pub(super) fn switches_of_accounts(&mut self) {
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

    pub(super) fn will_hold(&self, field: usize, system: usize) -> Option<u8> {
        self.sent[field][system].or(self.held(field, system))
    }

    pub(super) fn late(&mut self) {
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
pub(super) enum Wheel {
    Record(usize, usize),
    Table(usize),
    Turn(usize, usize, Vec<usize>),
    Door(usize, usize),
    Held(usize, usize),
    Shown(usize, usize),
}

/// Every start of a configuration, as wheels to turn: those of fate and those of state.
pub(super) struct Starts {
    pub(super) fate: Vec<(Wheel, u32)>,
    pub(super) state: Vec<(Wheel, u32)>,
}

impl Starts {
    pub(super) fn of(sim: &Simulator) -> Self {
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

    pub(super) fn count(wheels: &[(Wheel, u32)]) -> u64 {
        wheels.iter().fold(1, |all, (_, of)| u64::from(*of).saturating_mul(all))
    }

    pub(super) fn fate(&self, sim: &Simulator, mut number: u64) -> Fate {
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

    pub(super) fn state(&self, sim: &Simulator, mut number: u64) -> State {
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
