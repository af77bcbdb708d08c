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

mod simulator;

use simulator::{Fate, Log, Simulator, Starts, State};

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
