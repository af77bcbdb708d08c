//! How long the rules take: tests of them, their coverage, `check`, and the explanation of everybody.
//!
//! Run it with `cargo bench --bench rules`. It drives the built program as a user does, in copies of the examples and
//! against its own simulators, and prints one table. Milliseconds are those of this machine; a ratio compares two runs
//! taken in turns, so it can be held against the one of another day. Each number is the median of five runs. Nothing
//! about time is asserted: a program that fails ends the bench, a slow one does not.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use common::World;
use serde_json::Value;

/// An odd number, so that there is a middle one.
const RUNS: usize = 5;

const FEW: u32 = 10;
const MANY: u32 = 1_000;

/// Rows of one table: enough of them that a test file looks as people write one.
const ROWS: u32 = 100;

/// The date the second night of the example is read on.
const TONIGHT: [&str; 3] = ["--lab", "--today", "2026-11-20"];

fn main() {
    // `cargo bench` says so to every bench; whoever only builds or tests all targets is not kept waiting.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench rules`");
        return;
    }
    println!("{:<32} {:>9}   {:<24} {:>9} {:>8}   each", "measured", "ms", "against", "ms", "ratio");
    let (few, many) = (with_tests(FEW), with_tests(MANY));
    for (name, arguments) in [("test", &["test"][..]), ("test --coverage", &["test", "--coverage"])] {
        let pair = Pair::of(&|| took(&many, arguments), &|| took(&few, arguments));
        let each = milliseconds(pair.measured.saturating_sub(pair.against)) / f64::from(MANY - FEW);
        pair.tell(&format!("{name}, {MANY} tests"), &format!("{name}, {FEW} tests"), &format!("{each:.3} ms a test"));
    }
    let feed = World::example("hr-feed");
    let everybody = [&TONIGHT[..], &["explain", "--all", "hr=day2.csv", "--format", "json"]].concat();
    let planned = [&TONIGHT[..], &["plan", "hr=day2.csv"]].concat();
    let cells = cells(&feed, &everybody);
    let pair = Pair::of(&|| took(&feed, &everybody), &|| took(&feed, &planned));
    let each = milliseconds(pair.measured) / f64::from(cells);
    pair.tell(&format!("explain --all, {cells} cells"), "plan", &format!("{each:.3} ms a cell"));
    let pair = Pair::of(&|| took(&feed, &["check"]), &|| took(&feed, &["--version"]));
    pair.tell("check", "--version", "");
}

/// Two things measured in turns, so that whatever else the machine does meets both.
struct Pair {
    measured: Duration,
    against: Duration,
}

impl Pair {
    fn of(measured: &dyn Fn() -> Duration, against: &dyn Fn() -> Duration) -> Self {
        let (measured, against): (Vec<Duration>, Vec<Duration>) = (0..RUNS).map(|_| (measured(), against())).unzip();
        Self { measured: median(measured), against: median(against) }
    }

    fn tell(&self, name: &str, other: &str, each: &str) {
        let (took, against) = (milliseconds(self.measured), milliseconds(self.against));
        let line = format!("{name:<32} {took:>9.1}   {other:<24} {against:>9.1} {:>8.1}   {each}", took / against);
        println!("{}", line.trim_end());
    }
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// How long one run takes that ends well.
fn took(world: &World, arguments: &[&str]) -> Duration {
    let begun = Instant::now();
    let ran = world.homeward(arguments);
    let time = begun.elapsed();
    assert_eq!(ran.status, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    time
}

/// A project whose tests are so many rows of tables and nothing else.
fn with_tests(number: u32) -> World {
    let mut text = String::new();
    for first in (0..number).step_by(ROWS as usize) {
        text.push_str("cases([\n");
        for row in first..number.min(first + ROWS) {
            let _ = writeln!(text, "    #{{ name: \"person {row}\", id: {row}, username: \"Anna{row}\" }},");
        }
        text.push_str(
            "], |row| {\n    let accounts = #{ gitlab: #{ username: \"anna\" }, mattermost: #{ auth_service: \"gitlab\" } };\n    \
             let plan = given(accounts).when(\"website\", #{ id: row.id, username: row.username, email: \"\" });\n    \
             assert_eq(plan.change(\"username\", \"gitlab\").after, row.username.lower());\n});\n",
        );
    }
    let world = World::example("rename-through-gitlab");
    std::fs::remove_dir_all(world.path("rules/tests")).unwrap();
    let world = world.file("rules/tests/tables.rhai", &text);
    let listed = world.homeward(&["test", "--list"]);
    assert_eq!(listed.stdout.matches("person ").count(), number as usize, "{}{}", listed.stdout, listed.stderr);
    world
}

/// How many cells an explanation of everybody holds.
fn cells(world: &World, arguments: &[&str]) -> u32 {
    let told: Value = serde_json::from_str(&world.homeward(arguments).stdout).unwrap();
    let people = told["people"].as_array().unwrap().iter();
    let attributes = people.flat_map(|person| person["attributes"].as_array().unwrap());
    attributes.map(|attribute| u32::try_from(attribute["cells"].as_array().unwrap().len()).unwrap()).sum()
}
