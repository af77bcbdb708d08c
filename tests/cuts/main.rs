//! Cut everywhere: a plan of two hundred calls at three providers is carried out, and the process is killed at every place where
//! it leaves a trace outside itself. Then somebody says `homeward resume`, and everything must be as if nobody had been killed:
//! nothing is lost, nothing is done twice, and what cannot be known is named.
//!
//! A sample is tried with every run of the tests. `HOMEWARD_CUTS=all` tries every place, `HOMEWARD_CUTS=500` so many of
//! them, spread evenly; `HOMEWARD_CUTS_WORKERS` says how many at a time. Put `TMPDIR` on a file system in memory for that.

#![cfg(target_os = "linux")]
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

#[path = "../common/mod.rs"]
mod common;

mod company;
mod judge;
mod tracer;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use serde_json::Value;

use crate::{
    common::World,
    company::{CALLS, company},
    judge::Day,
    tracer::{Point, Side, Traced},
};

/// How many places are tried with every run of the tests.
const SAMPLE: usize = 20;

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The undisturbed day, and what there is to know of its plan.
struct Calm {
    plan: String,
    day: Day,
    /// Every place that was passed on its way.
    passed: Vec<String>,
    /// Calls that nobody may send twice and nobody can look for, with the text each posts.
    posts: BTreeMap<String, String>,
}

fn store(world: &World) -> PathBuf {
    fs::canonicalize(world.path(".")).unwrap().join(".homeward/lab.db")
}

/// The company with its plan made and its lab running.
fn begun(plan: &str) -> World {
    let mut world = company().file("plan.json", plan);
    world.start_lab(&[]);
    world
}

const APPLY: [&str; 5] = ["--lab", "--quiet", "apply", "plan.json", "--yes"];

fn traced(world: &World, arguments: &[&str], point: Option<Point>) -> Traced {
    let mut command = world.command();
    command.args(arguments);
    tracer::run(&command, &store(world), point).expect("this machine lets nobody trace a process")
}

impl Calm {
    fn new() -> Self {
        let world = company();
        let ran = world.homeward(&["--lab", "--quiet", "plan", "hr=people.csv", "--out", "plan.json"]);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        let plan = world.read("plan.json");
        let document: Value = serde_json::from_str(&plan).unwrap();
        let calls = document["calls"].as_array().unwrap();
        assert_eq!(calls.len(), CALLS);
        let post = |call: &&Value| call["replay"] == "ask_operator";
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let posts: BTreeMap<String, String> =
            calls.iter().filter(post).map(|call| (text(&call["id"]), text(&call["body"]["message"]))).collect();
        assert_eq!(posts.len(), 13);
        let world = begun(&plan);
        let Traced { passed, status } = traced(&world, &APPLY, None);
        assert_eq!(status, Some(0));
        let day = Day::of(&world);
        assert_eq!(day.writes.values().sum::<usize>(), CALLS, "each call is one write");
        assert!(day.writes.values().all(|times| *times == 1), "{:?}", day.writes);
        Self { plan, day, passed, posts }
    }
}

/// What came of one cut.
#[derive(Debug, Default)]
struct Found {
    /// The place where the process was killed; `None` where it ended before it came there.
    place: Option<String>,
    /// Calls that a person had to decide.
    doubts: usize,
    faults: Vec<String>,
}

/// The entries of the run, where it was begun: what the journal says at this moment.
fn journal(world: &World) -> Option<Vec<Value>> {
    let ran = world.homeward(&["--lab", "--quiet", "--format", "json", "runs", "1"]);
    let run: Value = serde_json::from_str(&ran.stdout).ok().filter(|_| ran.status == 0)?;
    Some(run["journal"].as_array().unwrap().clone())
}

/// The calls that may have had their effect, that nobody can look for, and that must not be sent twice: those of which
/// the journal knows that they were about to be sent, and nothing more.
fn doubtful(calm: &Calm, entries: &[Value]) -> BTreeSet<String> {
    let of = |words: &[&str]| -> BTreeSet<String> {
        let chosen = entries.iter().filter(|entry| words.contains(&entry["entry"].as_str().unwrap()));
        chosen.map(|entry| entry["call"].as_str().unwrap().to_owned()).collect()
    };
    let known = of(&["settled"]);
    of(&["calling"]).into_iter().filter(|call| calm.posts.contains_key(call) && !known.contains(call)).collect()
}

/// Kills it at this point, finishes what was left, and looks.
fn cut(calm: &Calm, point: Point) -> Found {
    let world = begun(&calm.plan);
    let Traced { passed, status } = traced(&world, &APPLY, Some(point));
    let mut found = Found::default();
    if status.is_some() {
        return found;
    }
    found.place = passed.into_iter().nth(point.number - 1);
    finish(calm, &world, &mut found);
    found
}

/// Says what somebody says who finds the process gone, and sets what comes of it against an undisturbed day.
fn finish(calm: &Calm, world: &World, found: &mut Found) {
    let mut expect = |is_so: bool, what: &dyn Fn() -> String| {
        if !is_so {
            found.faults.push(what());
        }
    };
    let before = journal(world);
    if let Some(entries) = &before {
        let doubts = doubtful(calm, entries);
        let resumed = world.homeward(&["--lab", "--quiet", "--format", "json", "resume"]);
        let exit = if doubts.is_empty() { 0 } else { 8 };
        expect(resumed.status == exit, &|| format!("resume ended with {}: {}", resumed.status, resumed.stderr));
        let reports: Value = serde_json::from_str(&resumed.stdout).unwrap_or_default();
        let outcomes = reports[0]["outcomes"].as_array().cloned().unwrap_or_default();
        let named = outcomes.iter().filter(|one| !one["outcome"]["in_doubt"].is_null());
        let named: BTreeSet<String> = named.map(|one| one["call"].as_str().unwrap().to_owned()).collect();
        expect(named == doubts, &|| format!("in doubt are {doubts:?} and named are {named:?}"));
        found.doubts = named.len();
        if !named.is_empty() {
            let mut words = vec!["--lab".to_owned(), "--quiet".to_owned(), "resume".to_owned(), "1".to_owned()];
            let posts = world.state("mattermost")["posts"].clone();
            for call in &named {
                let is_there =
                    posts.as_array().unwrap().iter().any(|post| post["message"] == calm.posts[call].as_str());
                words.extend([if is_there { "--done" } else { "--again" }.to_owned(), call.clone()]);
            }
            let settled = world.homeward(&words.iter().map(String::as_str).collect::<Vec<_>>());
            expect(settled.status == 0, &|| {
                format!("settled with {}: {}{}", settled.status, settled.stderr, settled.stdout)
            });
        }
    } else {
        // Nothing was begun, so nothing was sent.
        let applied = world.homeward(&APPLY);
        expect(applied.status == 0, &|| format!("apply ended with {}: {}", applied.status, applied.stderr));
    }
    let again = world.homeward(&["--lab", "resume"]);
    expect(again.status == 0 && again.stdout == "Nothing to resume.\n", &|| format!("still to resume: {again:?}"));
    let runs = world.json(0, &["runs"]);
    let stands: Vec<String> = runs
        .as_array()
        .unwrap()
        .iter()
        .map(|run| format!("{} {} {}", run["standing"], run["calls"], run["done"]))
        .collect();
    expect(stands == [format!("\"done\" {CALLS} {CALLS}")], &|| format!("runs stand as {stands:?}"));
    // An operation whose answer was lost may be sent again where that changes nothing.
    let repeats = |write: &str| write.contains("/sessions/revoke");
    found.faults.extend(Day::of(world).differs(&calm.day, &repeats));
}

/// Tries all these points, some at a time, and tells what is wrong.
fn tries(calm: &Calm, points: &[Point], workers: usize) {
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let all: Mutex<Vec<(Point, Found)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = cut(calm, *point);
                    if !found.faults.is_empty() {
                        println!("{point:?} {:?}: {:#?}", found.place, found.faults);
                    }
                    let mut all = all.lock().unwrap();
                    all.push((*point, found));
                    if all.len().is_multiple_of(250) {
                        let bad = all.iter().filter(|(_, found)| !found.faults.is_empty()).count();
                        println!("{} cuts in {:.0} s, {bad} not right", all.len(), begun.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (point, found) in &all {
        let place = found
            .place
            .as_ref()
            .map_or_else(|| "never reached".to_owned(), |place| format!("{:?} {place}", point.side));
        *places.entry(place).or_default() += 1;
    }
    let doubts = all.iter().filter(|(_, found)| found.doubts > 0).count();
    println!(
        "{} cuts at {} places in {:.0} s; {doubts} left something for a person to say; {places:#?}",
        all.len(),
        calm.passed.len(),
        begun.elapsed().as_secs_f64()
    );
    let bad: Vec<&(Point, Found)> = all.iter().filter(|(_, found)| !found.faults.is_empty()).collect();
    assert!(bad.is_empty(), "{} of {} are not right, such as {:#?}", bad.len(), all.len(), bad[0]);
    let reached = all.iter().filter(|(_, found)| found.place.is_some()).count();
    // How the threads share the work differs a little from run to run, so the last few places may not come.
    assert!(reached * 10 >= all.len() * 9, "only {reached} of {} were reached", all.len());
}

/// So many of all the points, spread evenly.
fn sample(places: usize, count: usize) -> Vec<Point> {
    let all = places * 2;
    let count = count.min(all);
    let point =
        |at: usize| Point { number: at / 2 + 1, side: if at.is_multiple_of(2) { Side::Before } else { Side::After } };
    // From the middle of each share, one further each time, so that both sides come.
    (0..count).map(|share| point((share * all + all / 2) / count)).collect()
}

#[test]
fn killed_anywhere_and_resumed_it_ends_as_if_nobody_had_been_killed() {
    let calm = Calm::new();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for place in &calm.passed {
        *kinds.entry(place).or_default() += 1;
    }
    println!("{} places: {kinds:?}", calm.passed.len());
    assert!(calm.passed.len() * 2 >= 2_000, "{} places are too few", calm.passed.len());
    let count = match told("HOMEWARD_CUTS").as_deref() {
        None => SAMPLE,
        Some("all") => usize::MAX,
        Some(number) => number.parse().expect("HOMEWARD_CUTS is a number or `all`"),
    };
    let workers = told("HOMEWARD_CUTS_WORKERS").and_then(|text| text.parse().ok()).unwrap_or(2);
    tries(&calm, &sample(calm.passed.len(), count), workers);
}
