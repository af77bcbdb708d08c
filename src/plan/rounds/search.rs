//! The long look: starts are tried, and rounds are walked until they repeat.
//!
//! A start is chosen only as far as rounds look at it: whoever is never asked needs no value. So each walk stands for
//! every start that agrees with it where it looked, and all walks together for every start there is.

use super::{
    Answer, Arrival, Configuration, Fact, Round, Said, Speaks, Trace, Verdict, Write,
    board::{Answers, Board, Claim, Turn, board, parts},
    restless::is_restless,
};
use crate::model::{attribute::AttributeName, origin::Origin};

/// So many walks are tried for one part.
const MOST_WALKS: usize = 100_000;

/// Whether runs come to rest, whatever the start.
pub(crate) fn certify(configuration: &Configuration) -> Verdict {
    let mut unsure: Option<(usize, Vec<AttributeName>)> = None;
    for part in parts(configuration) {
        let board = board(configuration, &part);
        if !is_restless(&board) {
            continue;
        }
        match search(&board) {
            Found::Rest => {}
            Found::Trace(trace) => return Verdict::Oscillates(Box::new(trace)),
            Found::TooMany(tried) => {
                let (all, attributes) = unsure.get_or_insert_default();
                *all += tried;
                attributes.extend(part.into_iter().cloned());
            }
        }
    }
    unsure.map_or(Verdict::Free, |(tried, attributes)| Verdict::Unsure { tried, attributes })
}

enum Found {
    Rest,
    Trace(Trace),
    TooMany(usize),
}

fn search(board: &Board<'_>) -> Found {
    let mut walk = Walk::new(board);
    for _ in 0..MOST_WALKS {
        if let Some(repeats) = walk.go(false) {
            // The same walk again, and this time everything is taken down.
            walk.tape.rewind();
            walk.go(true);
            return Found::Trace(walk.trace(repeats));
        }
        if !walk.tape.turn() {
            return Found::Rest;
        }
    }
    Found::TooMany(MOST_WALKS)
}

/// Choices as they come up; turned, it gives the next ones, until all have been given.
#[derive(Default)]
struct Tape {
    /// What was chosen, and of how many.
    digits: Vec<(usize, usize)>,
    at: usize,
}

impl Tape {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.digits.len() {
            self.digits.push((0, of));
        }
        self.at += 1;
        self.digits[self.at - 1].0
    }

    fn rewind(&mut self) {
        self.at = 0;
    }

    /// False where there are no other choices left.
    fn turn(&mut self) -> bool {
        self.at = 0;
        while let Some((chosen, of)) = self.digits.last_mut() {
            *chosen += 1;
            if chosen < of {
                return true;
            }
            self.digits.pop();
        }
        false
    }
}

/// What changes from round to round: for each slot what is held, and then for each what was shown the last time. `None`
/// where nothing has changed it since the start, or nobody has looked.
///
/// Of a mere source it matters only whether what it shows is [`NEWS`] or [`OLD`].
type Now = Vec<Option<u8>>;

const OLD: u8 = 0;
const NEWS: u8 = 1;

/// What was so in the beginning, as far as it was looked at, and what stays so.
#[derive(Default)]
struct Start {
    now: Now,
    #[expect(clippy::option_option, reason = "not looked at, says nothing of it, says this")]
    records: Vec<Option<Option<u8>>>,
    doors: Vec<Option<bool>>,
    answers: Vec<(usize, Vec<Option<u8>>, bool)>,
    turns: Vec<(Asked, bool)>,
}

fn empty<T: Clone>(list: &mut Vec<Option<T>>, length: usize) {
    list.clear();
    list.resize(length, None);
}

/// A call, and why.
struct Call<'a> {
    slot: usize,
    after: u8,
    why: [Option<&'a Origin>; 2],
}

/// What a `route` or `refused` line is asked: which line of an attribute, where a change was going, what is there, what
/// would be.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    turn: usize,
    system: usize,
    attribute: usize,
    before: Option<u8>,
    after: u8,
}

/// A change that a line sent to another system.
struct Elsewhere<'a> {
    system: usize,
    attribute: usize,
    value: u8,
    why: [Option<&'a Origin>; 2],
}

/// What became of a call that was wanted.
struct Met {
    is_made: bool,
    /// A source that says changes goes on saying it.
    is_open: bool,
}

/// A switch that depends on what becomes of the account its holder signs in through, or an account that a value may
/// come to by itself.
struct Later<'a> {
    system: usize,
    attribute: usize,
    value: u8,
    is_copied: bool,
    why: [Option<&'a Origin>; 2],
}

struct Walk<'a> {
    board: &'a Board<'a>,
    tape: Tape,
    start: Start,
    now: Now,
    past: Vec<(Now, bool)>,
    slots: usize,
    /// By attribute, in this round: whether something of it stays open.
    open: Vec<bool>,
    /// By attribute, in this round: the line that decides, once it is found.
    #[expect(clippy::option_option, reason = "not asked for, nobody's, this one's")]
    owners: Vec<Option<Option<usize>>>,
    path: Vec<usize>,
    calls: Vec<Call<'a>>,
    switches: Vec<Later<'a>>,
    onlookers: Vec<Later<'a>>,
    elsewhere: Vec<Elsewhere<'a>>,
    rounds: Vec<Round>,
}

impl<'a> Walk<'a> {
    fn new(board: &'a Board<'a>) -> Self {
        Self {
            board,
            tape: Tape::default(),
            start: Start::default(),
            now: Now::default(),
            past: Vec::new(),
            slots: board.systems.len() * board.attributes.len(),
            open: Vec::new(),
            owners: Vec::new(),
            path: Vec::new(),
            calls: Vec::new(),
            switches: Vec::new(),
            onlookers: Vec::new(),
            elsewhere: Vec::new(),
            rounds: Vec::new(),
        }
    }

    /// Walks from a start until a round begins as an earlier one did. The position of that one, where something was
    /// written since.
    fn go(&mut self, takes_down: bool) -> Option<usize> {
        empty(&mut self.now, 2 * self.slots);
        empty(&mut self.start.now, 2 * self.slots);
        empty(&mut self.start.records, self.slots);
        empty(&mut self.start.doors, self.board.doors.len());
        self.start.answers.clear();
        self.start.turns.clear();
        self.past.clear();
        self.rounds.clear();
        loop {
            let before = self.now.clone();
            let wrote = self.round(takes_down);
            self.past.push((before, wrote));
            if let Some(at) = self.past.iter().position(|(past, _)| self.is_as(past)) {
                return self.past[at..].iter().any(|(_, wrote)| *wrote).then_some(at);
            }
        }
    }

    fn is_as(&self, past: &Now) -> bool {
        let mut all = self.now.iter().zip(past).zip(&self.start.now);
        all.all(|((now, past), start)| now == past || now.or(*start) == past.or(*start))
    }

    /// One round and the sign-ins after it. True where something was written.
    fn round(&mut self, takes_down: bool) -> bool {
        let board = self.board;
        empty(&mut self.owners, board.attributes.len());
        self.open.clear();
        self.open.resize(board.attributes.len(), false);
        self.calls.clear();
        let mut round = Round::default();
        for attribute in 0..board.attributes.len() {
            let asked = self.asked(attribute);
            if takes_down {
                round.said.extend(asked.iter().filter_map(|(system, value)| self.said(*system, attribute, *value)));
            }
            if !asked.is_empty() {
                let open = self.attribute(attribute, &asked);
                self.open[attribute] |= open;
            }
        }
        for attribute in 0..board.attributes.len() {
            self.accounts(attribute);
        }
        self.settle();
        let wrote = !self.calls.is_empty();
        if takes_down {
            round.writes = (0..self.calls.len()).map(|at| self.written(at)).collect();
        }
        self.remember();
        for call in std::mem::take(&mut self.calls) {
            self.now[call.slot] = Some(call.after);
        }
        self.sign_in(takes_down.then_some(&mut round));
        if takes_down {
            self.rounds.push(round);
        }
        wrote
    }

    fn held(&mut self, system: usize, attribute: usize) -> u8 {
        let slot = self.board.slot(system, attribute);
        if let Some(value) = self.now[slot].or(self.start.now[slot]) {
            return value;
        }
        let starts = &self.board.attributes[attribute].starts;
        let value = starts[self.tape.choose(starts.len())];
        self.start.now[slot] = Some(value);
        value
    }

    /// What an account holds; `None` where there is none, or where accounts there hold no such thing.
    fn account(&mut self, system: usize, attribute: usize) -> Option<u8> {
        let is_there = !self.board.systems[system].is_absent;
        (is_there && self.board.attributes[attribute].holders[system].is_some()).then(|| self.held(system, attribute))
    }

    /// What a source shows.
    fn shows(&mut self, system: usize, attribute: usize) -> Option<u8> {
        let (player, field) = (&self.board.systems[system], &self.board.attributes[attribute]);
        field.speakers[system]?;
        player.says?;
        if player.is_provider {
            return self.account(system, attribute);
        }
        let slot = self.board.slot(system, attribute);
        if self.start.records[slot].is_none() {
            let chosen = self.tape.choose(field.starts.len() + 1);
            self.start.records[slot] = Some(field.starts.get(chosen).copied());
        }
        self.start.records[slot].flatten()
    }

    /// What a source says: all of what it shows, or what is new of it.
    fn says(&mut self, system: usize, attribute: usize) -> Option<u8> {
        let value = self.shows(system, attribute)?;
        let player = &self.board.systems[system];
        if player.says == Some(Speaks::State) {
            return Some(value);
        }
        let slot = self.slots + self.board.slot(system, attribute);
        let is_provider = player.is_provider;
        let last = self.now[slot].or(self.start.now[slot]).unwrap_or_else(|| {
            let starts = &self.board.attributes[attribute].starts;
            let last =
                if is_provider { starts[self.tape.choose(starts.len())] } else { [NEWS, OLD][self.tape.choose(2)] };
            self.start.now[slot] = Some(last);
            last
        });
        (if player.is_provider { last != value } else { last == NEWS }).then_some(value)
    }

    fn asked(&mut self, attribute: usize) -> Vec<(usize, u8)> {
        let systems = 0..self.board.systems.len();
        systems.filter_map(|system| Some((system, self.says(system, attribute)?))).collect()
    }

    /// The line that says who owns this.
    fn owner(&mut self, attribute: usize) -> Option<usize> {
        if let Some(owner) = self.owners[attribute] {
            return owner;
        }
        self.path.push(attribute);
        let claims = &self.board.attributes[attribute].owners;
        let owner = claims.iter().position(|claim| claim.condition.is_none_or(|condition| self.holds(condition)));
        self.path.pop();
        self.owners[attribute] = Some(owner);
        owner
    }

    fn holds(&mut self, condition: usize) -> bool {
        let rule = &self.board.conditions[condition];
        let sees: Vec<Option<u8>> = rule.reads.iter().map(|sight| sight.at.and_then(|at| self.sees(at))).collect();
        match rule.holds {
            Answers::Where(value) => sees.first() == Some(&Some(value)),
            Answers::Unless(value) => sees.first() != Some(&Some(value)),
            Answers::Somehow => {
                let known = self.start.answers.iter().find(|(it, saw, _)| *it == condition && *saw == sees);
                if let Some((_, _, answer)) = known {
                    return *answer;
                }
                let answer = self.tape.choose(2) == 0;
                self.start.answers.push((condition, sees, answer));
                answer
            }
        }
    }

    fn sees(&mut self, (system, attribute): (Option<usize>, usize)) -> Option<u8> {
        match system {
            Some(system) if self.board.systems[system].is_provider => self.account(system, attribute),
            Some(system) => self.shows(system, attribute),
            // What leads back to itself is a fault of the rules when it is looked at; here it is not looked at.
            None if self.path.contains(&attribute) => None,
            None => {
                let owner = self.owner(attribute)?;
                let owner = self.board.attributes[attribute].owners[owner].system;
                if self.board.systems[owner].says.is_some() {
                    return self.shows(owner, attribute);
                }
                let mut systems = 0..self.board.systems.len();
                let asked = systems.find_map(|system| self.says(system, attribute));
                asked.or_else(|| self.account(owner, attribute))
            }
        }
    }

    /// One attribute that somebody speaks of. True where something of it stays open.
    fn attribute(&mut self, attribute: usize, asked: &[(usize, u8)]) -> bool {
        let board = self.board;
        let field = &board.attributes[attribute];
        let Some(owner) = self.owner(attribute) else {
            return asked.iter().fold(false, |open, (system, value)| {
                let is_so = self.is_so_everywhere(attribute, *value);
                (!is_so && self.turned(*system, attribute, *value, false, None).is_none()) | open
            });
        };
        let claim = &field.owners[owner];
        let home = claim.system;
        if !board.systems[home].is_provider {
            let fact = self.shows(home, attribute);
            for (_, value) in asked.iter().filter(|(system, value)| *system != home && Some(*value) != fact) {
                self.turned(home, attribute, *value, false, Some(claim.origin));
            }
            let Some((_, value)) = asked.iter().find(|(system, _)| *system == home) else { return false };
            return (0..board.systems.len())
                .fold(false, |open, system| self.push(system, attribute, *value, claim) | open);
        }
        let Some(place) = &field.holders[home] else { return true };
        let value = place.stores[usize::from(asked[0].1)];
        if asked.iter().any(|(_, other)| place.stores[usize::from(*other)] != value) {
            return true;
        }
        if field.accounts[home].is_some() {
            return false;
        }
        if board.systems[home].is_absent {
            if self.turned(home, attribute, value, false, Some(claim.origin)).is_some() {
                return false;
            }
            let told = self.turned(home, attribute, value, true, Some(claim.origin));
            return told.is_none_or(|line| !line.to.is_empty() && !line.to.contains(&home));
        }
        let mut open = false;
        let mut stands = self.held(home, attribute);
        if stands != value {
            let why = [Some(claim.origin), None];
            let met = if field.is_truth {
                self.switch(home, attribute, value, why)
            } else {
                let answer = self.answer(home, attribute);
                self.own_call(home, attribute, value, answer, why)
            };
            open |= met.is_open;
            stands = if met.is_made { value } else { stands };
        }
        for system in (0..board.systems.len()).filter(|system| *system != home) {
            open |= self.push(system, attribute, stands, claim);
        }
        open
    }

    fn is_so_everywhere(&mut self, attribute: usize, value: u8) -> bool {
        let (mut some, mut all) = (false, true);
        for system in 0..self.board.systems.len() {
            let Some(held) = self.account(system, attribute) else { continue };
            let place = self.board.attributes[attribute].holders[system].as_ref();
            some = true;
            all &= place.is_some_and(|place| place.stores[usize::from(value)] == held);
        }
        some && all
    }

    /// Brings a decided value to another account. True where that stays open.
    fn push(&mut self, system: usize, attribute: usize, value: u8, claim: &Claim<'a>) -> bool {
        let field = &self.board.attributes[attribute];
        let Some(place) = &field.holders[system] else { return false };
        if self.board.systems[system].is_absent || field.accounts[system].is_some() {
            return false;
        }
        let copied = field.copies[system];
        let value = place.stores[usize::from(value)];
        let why = [Some(claim.origin), copied];
        if field.is_truth {
            return copied.is_some() && self.switch(system, attribute, value, why).is_open;
        }
        let is_foreseen = place.comes.as_ref().is_some_and(|way| way.is_foreseen && self.signs_in(way.door));
        if is_foreseen {
            self.onlookers.push(Later { system, attribute, value, is_copied: copied.is_some(), why });
            return false;
        }
        copied.is_some() && self.held(system, attribute) != value && self.try_call(system, attribute, value, why)
    }

    /// What a call meets that is no switch.
    fn answer(&mut self, system: usize, attribute: usize) -> Answer {
        let Some(place) = &self.board.attributes[attribute].holders[system] else { return Answer::No };
        match &place.comes {
            Some(way) if !self.board.attributes[attribute].is_truth && self.signs_in(way.door) => way.answer,
            _ => place.answer,
        }
    }

    /// True where it is left open.
    fn try_call(&mut self, system: usize, attribute: usize, value: u8, why: [Option<&'a Origin>; 2]) -> bool {
        let answer = self.answer(system, attribute);
        self.own_call(system, attribute, value, answer, why).is_open
    }

    /// Makes a call, where no rule sends it elsewhere and the answer is yes.
    fn own_call(
        &mut self,
        system: usize,
        attribute: usize,
        value: u8,
        answer: Answer,
        why: [Option<&'a Origin>; 2],
    ) -> Met {
        match self.turned(system, attribute, value, false, why[0]) {
            Some(line) if !line.to.contains(&system) => return Met { is_made: false, is_open: false },
            None if answer != Answer::Takes => {
                if let Some(line) = self.turned(system, attribute, value, true, why[0]) {
                    let is_settled = line.to.is_empty() || line.to.contains(&system);
                    let is_open = !is_settled && answer == Answer::No && !self.is_led_to(line, system, attribute);
                    return Met { is_made: false, is_open };
                }
            }
            _ => {}
        }
        if answer == Answer::Takes {
            self.call(system, attribute, value, why);
        }
        Met { is_made: answer == Answer::Takes, is_open: answer == Answer::No }
    }

    /// Asks the lines that may send a change elsewhere, and gives the one that does.
    fn turned(
        &mut self,
        system: usize,
        attribute: usize,
        after: u8,
        is_refused: bool,
        why: Option<&'a Origin>,
    ) -> Option<&'a Turn<'a>> {
        let board = self.board;
        for (turn, line) in board.attributes[attribute].routes.iter().enumerate() {
            if line.is_of_refusals != is_refused || line.at.is_some_and(|at| at != system) {
                continue;
            }
            let is_provider = board.systems[system].is_provider;
            let before = if is_provider { self.account(system, attribute) } else { self.shows(system, attribute) };
            let asked = Asked { turn, system, attribute, before, after };
            let known = self.start.turns.iter().find(|(it, _)| *it == asked).map(|(_, answer)| *answer);
            let answers = known.unwrap_or_else(|| {
                let answer = self.tape.choose(2) == 0;
                self.start.turns.push((asked, answer));
                answer
            });
            if answers {
                let why = [why, Some(line.origin)];
                let sent = line.to.iter().map(|to| Elsewhere { system: *to, attribute, value: after, why });
                self.elsewhere.extend(sent);
                return Some(line);
            }
        }
        None
    }

    /// Whether a line sends a change to where it comes from by itself.
    fn is_led_to(&mut self, line: &Turn<'_>, system: usize, attribute: usize) -> bool {
        let board = self.board;
        let way = board.attributes[attribute].holders[system].as_ref().and_then(|place| place.comes.as_ref());
        way.is_some_and(|way| way.is_foreseen && line.to.contains(&way.from) && self.signs_in(way.door))
    }

    /// Makes the changes that were sent elsewhere.
    fn settle_elsewhere(&mut self) {
        let board = self.board;
        for Elsewhere { system, attribute, value, why } in std::mem::take(&mut self.elsewhere) {
            if !board.systems[system].is_provider {
                continue;
            }
            let place = board.attributes[attribute].holders[system].as_ref();
            let Some(place) = place.filter(|_| !board.systems[system].is_absent) else {
                self.open[attribute] = true;
                continue;
            };
            let (value, slot) = (place.stores[usize::from(value)], board.slot(system, attribute));
            if let Some(other) = self.calls.iter().find(|call| call.slot == slot) {
                self.open[attribute] |= other.after != value;
            } else if self.held(system, attribute) != value {
                match self.lasting(system, attribute, value) {
                    Answer::Takes => self.call(system, attribute, value, why),
                    Answer::Elsewhere => {}
                    Answer::No => self.open[attribute] = true,
                }
            }
        }
    }

    /// What a call meets, where a switch that the next sign-in would undo is told so.
    fn lasting(&mut self, system: usize, attribute: usize, value: u8) -> Answer {
        let board = self.board;
        let field = &board.attributes[attribute];
        let is_off = board.values[usize::from(value)].as_bool() == Some(false);
        let way = field.holders[system].as_ref().and_then(|place| place.comes.as_ref());
        if field.is_truth && is_off && way.is_some_and(|way| way.is_foreseen && self.signs_in(way.door)) {
            return Answer::No;
        }
        self.answer(system, attribute)
    }

    fn call(&mut self, system: usize, attribute: usize, after: u8, why: [Option<&'a Origin>; 2]) {
        let slot = self.board.slot(system, attribute);
        self.calls.push(Call { slot, after, why });
    }

    /// Switches an account on or off, or puts it off until it is known whether it would last.
    fn switch(&mut self, system: usize, attribute: usize, value: u8, why: [Option<&'a Origin>; 2]) -> Met {
        let nothing = Met { is_made: false, is_open: false };
        if self.held(system, attribute) == value {
            return nothing;
        }
        let board = self.board;
        let is_off = board.values[usize::from(value)].as_bool() == Some(false);
        let way = board.attributes[attribute].holders[system].as_ref().and_then(|place| place.comes.as_ref());
        if is_off && way.is_some_and(|way| way.is_foreseen && self.signs_in(way.door)) {
            self.switches.push(Later { system, attribute, value, is_copied: true, why });
            return nothing;
        }
        let answer = self.answer(system, attribute);
        self.own_call(system, attribute, value, answer, why)
    }

    fn accounts(&mut self, attribute: usize) {
        let board = self.board;
        let field = &board.attributes[attribute];
        for claim in field.accounts.iter().flatten() {
            let wanted = claim.condition.is_none_or(|condition| self.holds(condition));
            let is_there = !board.systems[claim.system].is_absent && field.holders[claim.system].is_some();
            let value = board.values.iter().position(|value| value.as_bool() == Some(wanted));
            let value = value.and_then(|value| u8::try_from(value).ok());
            if let Some(value) = value.filter(|_| is_there && board.has_sources) {
                let open = self.switch(claim.system, attribute, value, [Some(claim.origin), None]).is_open;
                self.open[attribute] |= open;
            }
        }
    }

    /// What an account will hold when the calls are made.
    fn will_hold(&mut self, system: usize, attribute: usize) -> Option<u8> {
        let slot = self.board.slot(system, attribute);
        let planned = self.calls.iter().find(|call| call.slot == slot).map(|call| call.after);
        planned.or_else(|| self.account(system, attribute))
    }

    /// Settles what was put off.
    fn settle(&mut self) {
        let board = self.board;
        for Later { system, attribute, value, why, .. } in std::mem::take(&mut self.switches) {
            let way = board.attributes[attribute].holders[system].as_ref().and_then(|place| place.comes.as_ref());
            let Some(way) = way else { continue };
            // Where she cannot sign in any more, what is switched off stays off.
            if self.will_hold(way.from, way.attribute) == Some(value) {
                let open = self.try_call(system, attribute, value, why);
                self.open[attribute] |= open;
            } else {
                let met = self.own_call(system, attribute, value, Answer::No, why);
                self.open[attribute] |= met.is_open;
            }
        }
        self.settle_elsewhere();
        for Later { system, attribute, value, is_copied, why } in std::mem::take(&mut self.onlookers) {
            let Some(place) = &board.attributes[attribute].holders[system] else { continue };
            let Some(way) = &place.comes else { continue };
            let held = self.held(system, attribute);
            let led = self.will_hold(way.from, way.attribute).map(|led| way.part[usize::from(led)]);
            let comes =
                led.is_some_and(|led| if way.is_part { led != held } else { place.stores[usize::from(led)] == value });
            if !comes && is_copied && held != value {
                let open = self.try_call(system, attribute, value, why);
                self.open[attribute] |= open;
            }
        }
        self.settle_elsewhere();
    }

    /// What sources that say changes will have shown: all but what is open.
    fn remember(&mut self) {
        let board = self.board;
        for (attribute, field) in board.attributes.iter().enumerate() {
            if self.open[attribute] {
                continue;
            }
            for (system, player) in board.systems.iter().enumerate() {
                if player.says != Some(Speaks::Changes) || field.speakers[system].is_none() {
                    continue;
                }
                let slot = self.slots + board.slot(system, attribute);
                if !player.is_provider {
                    self.now[slot] = Some(OLD);
                } else if let Some(shown) = self.account(system, attribute) {
                    self.now[slot] = Some(shown);
                }
            }
        }
    }

    fn signs_in(&mut self, door: usize) -> bool {
        if self.start.doors[door].is_none() {
            self.start.doors[door] = Some(self.tape.choose(2) == 0);
        }
        self.start.doors[door].unwrap_or_default()
    }

    /// She signs in, wherever she can: one system after the other.
    fn sign_in(&mut self, mut round: Option<&mut Round>) {
        let board = self.board;
        for (system, player) in board.systems.iter().enumerate().filter(|(_, player)| !player.is_absent) {
            for (attribute, field) in board.attributes.iter().enumerate() {
                let Some(way) = field.holders[system].as_ref().and_then(|place| place.comes.as_ref()) else { continue };
                if board.systems[way.from].is_absent || !self.signs_in(way.door) {
                    continue;
                }
                let Some(led) = self.account(way.from, way.attribute) else { continue };
                if field.is_truth && board.values[usize::from(led)].as_bool() == Some(false) {
                    continue;
                }
                let (after, before) = (way.arrives[usize::from(led)], self.held(system, attribute));
                if before == after {
                    continue;
                }
                self.now[board.slot(system, attribute)] = Some(after);
                if let Some(round) = &mut round {
                    round.arrivals.push(Arrival {
                        system: player.name.clone(),
                        attribute: field.name.clone(),
                        before: board.values[usize::from(before)].clone(),
                        after: board.values[usize::from(after)].clone(),
                        from: board.systems[way.from].name.clone(),
                    });
                }
            }
        }
    }

    fn said(&self, system: usize, attribute: usize, value: u8) -> Option<Said> {
        let field = &self.board.attributes[attribute];
        Some(Said {
            system: self.board.systems[system].name.clone(),
            attribute: field.name.clone(),
            value: self.board.values[usize::from(value)].clone(),
            origin: field.speakers[system]?.clone(),
        })
    }

    fn written(&mut self, at: usize) -> Write {
        let board = self.board;
        let Call { slot, after, why } = &self.calls[at];
        let (system, attribute) = (slot % board.systems.len(), slot / board.systems.len());
        let (after, because) = (*after, why.iter().flatten().map(|origin| (*origin).clone()).collect());
        Write {
            system: board.systems[system].name.clone(),
            attribute: board.attributes[attribute].name.clone(),
            before: board.values[usize::from(self.held(system, attribute))].clone(),
            after: board.values[usize::from(after)].clone(),
            because,
        }
    }

    fn trace(&self, repeats: usize) -> Trace {
        let board = self.board;
        let value = |number: &u8| board.values[usize::from(*number)].clone();
        let mut start = Vec::new();
        for (condition, sees, holds) in &self.start.answers {
            let rule = &board.conditions[*condition];
            let names = rule.reads.iter().map(|sight| sight.looks.to_string());
            let sees = names.zip(sees.iter().map(|seen| seen.as_ref().map(value))).collect();
            start.push(Fact::Condition { origin: rule.origin.clone(), sees, holds: *holds });
        }
        for (Asked { turn, system, attribute, before, after }, answers) in &self.start.turns {
            let field = &board.attributes[*attribute];
            let line = &field.routes[*turn];
            start.push(Fact::Route {
                origin: line.origin.clone(),
                system: board.systems[*system].name.clone(),
                attribute: field.name.clone(),
                before: before.as_ref().map(value),
                after: value(after),
                to: line.to.iter().map(|to| board.systems[*to].name.clone()).collect(),
                answers: *answers,
            });
        }
        for ((system, through), does) in board.doors.iter().zip(&self.start.doors) {
            if let Some(does) = *does {
                let (system, through) = (board.systems[*system].name.clone(), board.systems[*through].name.clone());
                start.push(Fact::SignsIn { system, through, does });
            }
        }
        for (attribute, field) in board.attributes.iter().enumerate() {
            for (system, player) in board.systems.iter().enumerate() {
                let slot = board.slot(system, attribute);
                let (system, attribute) = (player.name.clone(), field.name.clone());
                let place = || (system.clone(), attribute.clone());
                if let Some(record) = &self.start.records[slot] {
                    let (system, attribute) = place();
                    start.push(Fact::Record { system, attribute, value: record.as_ref().map(value) });
                }
                if let Some(held) = &self.start.now[slot] {
                    let (system, attribute) = place();
                    start.push(Fact::Account { system, attribute, value: value(held) });
                }
                let shown = match self.start.now[self.slots + slot] {
                    None => None,
                    Some(shown) if player.is_provider => Some(Some(value(&shown))),
                    Some(NEWS) => Some(None),
                    Some(_) => self.start.records[slot].map(|record| record.as_ref().map(value)),
                };
                if let Some(value) = shown {
                    start.push(Fact::LastShown { system, attribute, value });
                }
            }
        }
        let attributes = board.attributes.iter().map(|field| field.name.clone()).collect();
        Trace { attributes, start, rounds: self.rounds.clone(), repeats }
    }
}
