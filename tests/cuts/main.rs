//! Cut everywhere: a plan of two hundred calls at three providers is carried out, and the process is killed at every place
//! where it leaves a trace outside itself. Then somebody says `homeward resume`, and everything must be as if nobody had
//! been killed: nothing is lost, nothing is done twice, and what cannot be known is named.
//!
//! A sample is tried with every run of the tests. `HOMEWARD_CUTS=all` tries every place, `HOMEWARD_CUTS=500` so many of
//! them, spread evenly; `HOMEWARD_CUTS_FROM=200` leaves out the first 200 of those, tried before; `HOMEWARD_CUTS_WORKERS`
//! says how many at a time. Put `TMPDIR` on a file system in memory for that.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
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
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use nix::errno::Errno;
use serde_json::Value;

use crate::{
    common::World,
    company::{CALLS, NARROW, Told, WIDE, company, first_list},
    judge::Day,
    tracer::{Point, Side, Traced},
};

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn wanted(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const APPLY: [&str; 5] = ["--lab", "--quiet", "apply", "plan.json", "--yes"];
const RESUME: [&str; 3] = ["--lab", "--quiet", "resume"];
const APPROVE: [&str; 7] = ["--lab", "--quiet", "approve", "1", "--yes", "--by", "Olga"];
const WATCH: [&str; 5] = ["--lab", "--quiet", "watch", "--once", "--apply"];

/// The undisturbed day, and what there is to know of its plan.
struct Calm {
    plan: String,
    day: Day,
    /// Every place that was passed on its way.
    passed: Vec<String>,
}

/// The company with its plan made and its lab running.
fn begun(told: Told, plan: &str) -> World {
    let mut world = company(told).file("plan.json", plan);
    world.start_lab(&[]);
    world
}

/// Runs a command, to its end or to the point where it is killed. Where a machine lets nobody trace a process, that is an
/// error.
fn traced(world: &World, arguments: &[&str], point: Option<Point>) -> Result<Traced, Errno> {
    let mut command = world.command();
    command.args(arguments);
    let store: PathBuf = fs::canonicalize(world.path(".")).unwrap().join(".homeward/lab.db");
    tracer::run(&command, &store, point)
}

impl Calm {
    /// The same for all tests; `None`, and said aloud, where nothing can be tried.
    fn known() -> Option<&'static Self> {
        static CALM: OnceLock<Option<Calm>> = OnceLock::new();
        CALM.get_or_init(Self::new).as_ref()
    }

    fn new() -> Option<Self> {
        let world = company(Told::ByHand(WIDE));
        let ran = world.homeward(&["--lab", "--quiet", "plan", "hr=people.csv", "--out", "plan.json"]);
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
        let plan = world.read("plan.json");
        let document: Value = serde_json::from_str(&plan).unwrap();
        let calls = document["calls"].as_array().unwrap();
        assert_eq!(calls.len(), CALLS);
        assert_eq!(posts(&document).len(), 13);
        let world = begun(Told::ByHand(WIDE), &plan);
        let Traced { passed, status } = match traced(&world, &APPLY, None) {
            Ok(traced) => traced,
            Err(error) => {
                eprintln!("NOT TRIED: nobody may trace a process here ({error}), so nothing was killed");
                return None;
            }
        };
        assert_eq!(status, Some(0));
        let day = Day::of(&world);
        assert_eq!(day.writes.values().sum::<usize>(), CALLS, "each call is one write");
        assert!(day.writes.values().all(|times| *times == 1), "{:?}", day.writes);
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for place in &passed {
            *kinds.entry(place).or_default() += 1;
        }
        println!("{} places: {kinds:?}", passed.len());
        assert!(passed.len() * 2 >= 2_000, "{} places are too few", passed.len());
        Some(Self { plan, day, passed })
    }
}

/// What came of one cut.
#[derive(Debug, Default)]
struct Found {
    /// The places where a process was killed, in turn; none where it ended before it came there.
    places: Vec<String>,
    /// Calls that a person had to decide.
    doubts: usize,
    faults: Vec<String>,
}

impl Found {
    fn expect(&mut self, is_so: bool, what: impl FnOnce() -> String) {
        if !is_so {
            self.faults.push(what());
        }
    }

    /// Runs a command up to this point; false where it ended before.
    fn kill(&mut self, world: &World, arguments: &[&str], point: Point) -> bool {
        let Traced { passed, status } = traced(world, arguments, Some(point)).unwrap();
        if status.is_none() {
            self.places
                .extend(passed.into_iter().nth(point.number - 1).map(|place| format!("{:?} {place}", point.side)));
        }
        status.is_none()
    }
}

/// The calls of a plan that nobody may send twice and nobody can look for, with the text each posts.
fn posts(plan: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let posts = plan["calls"].as_array().unwrap().iter().filter(|call| call["replay"] == "ask_operator");
    posts.map(|call| (text(&call["id"]), text(&call["body"]["message"]))).collect()
}

/// The run as it stands, where it was begun: its plan and its journal.
fn run(world: &World, number: usize) -> Option<Value> {
    let ran = world.homeward(&["--lab", "--quiet", "--format", "json", "runs", &number.to_string()]);
    serde_json::from_str(&ran.stdout).ok().filter(|_| ran.status == 0)
}

/// The calls that may have had their effect, that nobody can look for, and that must not be sent twice, with what they
/// post: those of which the journal knows that they were about to be sent, and nothing more.
fn doubtful(run: &Value) -> BTreeMap<String, String> {
    let posts = posts(&run["plan"]);
    let mut doubtful = BTreeMap::new();
    for entry in run["journal"].as_array().unwrap() {
        let call = entry["call"].as_str().unwrap_or_default();
        let is_over = entry["entry"] == "settled" && entry["outcome"]["in_doubt"].is_null();
        match posts.get(call) {
            Some(text) if !is_over => doubtful.insert(call.to_owned(), text.clone()),
            _ => doubtful.remove(call),
        };
    }
    doubtful
}

/// Kills what carries out the saved plan, and looks what can be made of it.
fn apply_is_cut(calm: &Calm, point: Point) -> Found {
    let world = begun(Told::ByHand(WIDE), &calm.plan);
    let mut found = Found::default();
    if found.kill(&world, &APPLY, point) {
        finish(calm, &world, &mut found);
    }
    found
}

/// Kills it, and kills what shall finish it, somewhere on what is left of the way.
fn resume_is_cut(calm: &Calm, point: Point) -> Found {
    let world = begun(Told::ByHand(WIDE), &calm.plan);
    let mut found = Found::default();
    if found.kill(&world, &APPLY, point) {
        let left = calm.passed.len().saturating_sub(point.number);
        let again = Point { number: 1 + (left * (point.number % 7)) / 7, side: point.side };
        found.kill(&world, &RESUME, again);
        finish(calm, &world, &mut found);
    }
    found
}

/// Kills what carries out a plan that was held and is approved now.
fn approve_is_cut(calm: &Calm, point: Point) -> Found {
    let world = begun(Told::ByHand(NARROW), &calm.plan);
    let mut found = Found::default();
    let held = world.homeward(&APPLY);
    found.expect(held.status == 6, || format!("held with {}: {}", held.status, held.stderr));
    if found.kill(&world, &APPROVE, point) {
        if world.json(0, &["runs"])["runs"][0]["standing"] == "held" {
            let approved = world.homeward(&APPROVE);
            found.expect(approved.status == 0, || format!("approved with {}: {}", approved.status, approved.stderr));
        }
        finish(calm, &world, &mut found);
    }
    found
}

/// Kills the service while it carries out a list, and starts it again.
fn watch_is_cut(calm: &Calm, point: Point) -> Found {
    let world = company(Told::ByFeed).file("drop/0001.csv", &first_list());
    let mut world = world;
    world.start_lab(&[]);
    let mut found = Found::default();
    // The first list of a feed is for somebody to look at.
    let first = [world.homeward(&WATCH), world.homeward(&APPROVE), world.homeward(&WATCH)].map(|ran| ran.status);
    found.expect(first == [4, 0, 0], || format!("the first list went {first:?}"));
    fs::rename(world.path("people.csv"), world.path("drop/0002.csv")).unwrap();
    if !found.kill(&world, &WATCH, point) {
        return found;
    }
    let doubts: BTreeSet<String> =
        (2..).map_while(|number| run(&world, number)).flat_map(|run| doubtful(&run).into_values()).collect();
    let again = world.homeward(&WATCH);
    // What nobody knows the end of is held until somebody says it.
    let is_right = again.status == 0 || again.status == 4 && !doubts.is_empty();
    found.expect(is_right, || format!("watched again with {}: {}", again.status, again.stderr));
    let left: Vec<PathBuf> = fs::read_dir(world.path("drop")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let left: Vec<&PathBuf> = left.iter().filter(|path| path.extension().is_some_and(|it| it == "csv")).collect();
    found.expect(left.is_empty(), || format!("still in the folder: {left:?}"));
    let runs = world.json(0, &["runs"])["runs"].clone();
    let stands: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["standing"].as_str().unwrap()).collect();
    let is_so = stands.iter().filter(|word| **word == "done").count() == 2
        && stands.iter().all(|word| ["done", "redone"].contains(word));
    found.expect(is_so, || format!("runs stand as {stands:?}"));
    // What nobody can know is left as it is for somebody to look at, and nothing else.
    let held = runs[0]["told"].as_str().is_some_and(|told| told.contains("held"));
    found.expect(held != doubts.is_empty(), || format!("{doubts:?} are in doubt, and told is {}", runs[0]["told"]));
    let is_doubtful = |fault: &String| doubts.iter().any(|text| fault.contains(&format!("\"message\":\"{text}\"")));
    let mut faults = Day::of(&world).differs(&calm.day, &repeats);
    faults.retain(|fault| !is_doubtful(fault) && !is_about_locks(fault));
    let lacking =
        doubts.iter().filter(|text| !Day::of(&world).writes.keys().any(|write| write.contains(*text))).count();
    faults.retain(|fault| lacking == 0 || !fault.starts_with("mattermost.posts has "));
    found.doubts = doubts.len();
    found.faults.extend(faults);
    found
}

/// A service locks nobody here: see the rules.
fn is_about_locks(fault: &str) -> bool {
    fault.ends_with("/lock {}") || (53..=58).any(|number| fault.starts_with(&format!("zitadel.users.old{number}.")))
}

/// An operation whose answer was lost may be sent again where that changes nothing.
fn repeats(write: &str) -> bool {
    write.contains("/sessions/revoke")
}

/// Says what somebody says who finds the process gone, and sets what comes of it against an undisturbed day.
fn finish(calm: &Calm, world: &World, found: &mut Found) {
    if let Some(run) = run(world, 1) {
        let doubts = doubtful(&run);
        let resumed = world.homeward(&["--lab", "--quiet", "--format", "json", "resume"]);
        let exit = if doubts.is_empty() { 0 } else { 8 };
        found.expect(resumed.status == exit, || format!("resume ended with {}: {}", resumed.status, resumed.stderr));
        let reports: Value = serde_json::from_str(&resumed.stdout).unwrap_or_default();
        let outcomes = reports["runs"][0]["outcomes"].as_array().cloned().unwrap_or_default();
        let named = outcomes.iter().filter(|one| !one["outcome"]["in_doubt"].is_null());
        let named: BTreeSet<String> = named.map(|one| one["call"].as_str().unwrap().to_owned()).collect();
        found.expect(named.iter().eq(doubts.keys()), || format!("in doubt are {doubts:?} and named are {named:?}"));
        found.doubts = named.len();
        if !named.is_empty() {
            // Somebody looks at the provider.
            let posts = world.state("mattermost")["posts"].clone();
            let is_there = |call: &String| {
                posts
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|post| doubts.get(call).is_some_and(|text| post["message"] == text.as_str()))
            };
            let mut words = RESUME.to_vec();
            words.push("1");
            for call in &named {
                words.extend([if is_there(call) { "--done" } else { "--again" }, call]);
            }
            let settled = world.homeward(&words);
            found.expect(settled.status == 0, || format!("settled with {}: {}", settled.status, settled.stderr));
        }
    } else {
        // Nothing was begun, so nothing was sent.
        let applied = world.homeward(&APPLY);
        found.expect(applied.status == 0, || format!("apply ended with {}: {}", applied.status, applied.stderr));
    }
    let again = world.homeward(&["--lab", "resume"]);
    found.expect(again.status == 0 && again.stdout == "Nothing to resume.\n", || format!("still to resume: {again:?}"));
    let runs = world.json(0, &["runs"])["runs"].clone();
    let runs = runs.as_array().unwrap().iter();
    let stands: Vec<String> =
        runs.map(|run| format!("{} {} {}", run["standing"].as_str().unwrap(), run["calls"], run["done"])).collect();
    found.expect(stands == [format!("done {CALLS} {CALLS}")], || format!("runs stand as {stands:?}"));
    found.faults.extend(Day::of(world).differs(&calm.day, &repeats));
}

/// Tries as many points as are wanted, some at a time, and tells what is wrong. `sample` is how many are tried with every
/// run of the tests.
fn tries(sample: usize, cut: impl Fn(&Calm, Point) -> Found + Sync) {
    let Some(calm) = Calm::known() else { return };
    let count = match wanted("HOMEWARD_CUTS").as_deref() {
        None => sample,
        Some("all") => usize::MAX,
        Some(number) => number.parse().expect("HOMEWARD_CUTS is a number or `all`"),
    };
    let workers = wanted("HOMEWARD_CUTS_WORKERS").and_then(|text| text.parse().ok()).unwrap_or(2);
    let mut points = spread(calm.passed.len(), count);
    // In no order, so that whoever cannot wait for the end has seen a bit of everything.
    points.sort_by_key(|point| point.number.wrapping_mul(2_654_435_761) % 4_294_967_291);
    let first = wanted("HOMEWARD_CUTS_FROM").and_then(|text| text.parse().ok()).unwrap_or(0);
    points.drain(..points.len().min(first));
    let begun = Instant::now();
    let next = AtomicUsize::new(0);
    let all: Mutex<Vec<(Point, Found)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = cut(calm, *point);
                    if !found.faults.is_empty() {
                        println!("{point:?} {:?}: {:#?}", found.places, found.faults);
                    }
                    let mut all = all.lock().unwrap();
                    all.push((*point, found));
                    if all.len().is_multiple_of(100) {
                        let bad = all.iter().filter(|(_, found)| !found.faults.is_empty()).count();
                        println!("{} cuts in {:.0} s, {bad} not right", all.len(), begun.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, found) in &all {
        for place in &found.places {
            *places.entry(place).or_default() += 1;
        }
    }
    let reached = all.iter().filter(|(_, found)| !found.places.is_empty()).count();
    let doubts = all.iter().filter(|(_, found)| found.doubts > 0).count();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{reached} of {} points reached in {seconds:.0} s, {doubts} left something for a person to say: {places:#?}",
        all.len()
    );
    let bad: Vec<&(Point, Found)> = all.iter().filter(|(_, found)| !found.faults.is_empty()).collect();
    assert!(bad.is_empty(), "{} of {} are not right, such as {:#?}", bad.len(), all.len(), bad[0]);
    // What is written together is what comes while the disk is busy, so how many places there are differs from run to run,
    // and the last ones may not come.
    assert!(reached * 3 >= all.len() * 2, "only {reached} of {} were reached", all.len());
}

/// So many of all the points, spread evenly.
fn spread(places: usize, count: usize) -> Vec<Point> {
    let all = places * 2;
    let count = count.min(all);
    let side = |at: usize| if at.is_multiple_of(2) { Side::Before } else { Side::After };
    // From the middle of each share, and of two neighbours never the same side.
    let at = |share: usize| (share * all + all / 2) / count;
    (0..count)
        .map(|share| Point { number: at(share) / 2 + 1, side: side(if count == all { at(share) } else { share }) })
        .collect()
}

#[test]
fn killed_anywhere_and_resumed_it_ends_as_if_nobody_had_been_killed() {
    tries(14, apply_is_cut);
}

#[test]
fn what_finishes_it_may_be_killed_too() {
    tries(4, resume_is_cut);
}

#[test]
fn what_was_approved_and_killed_is_finished_once() {
    tries(3, approve_is_cut);
}

#[test]
fn a_service_that_was_killed_finishes_its_list_when_it_is_started_again() {
    tries(3, watch_is_cut);
}
