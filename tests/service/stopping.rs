//! Told to stop, it finishes the calls that are under way, begins no other, and the next start does the rest.

use std::time::Duration;

use serde_json::Value;

use crate::{
    common::World,
    running::{Service, drop_file, people, project, runs, slow, stands, until, user},
};

const PEOPLE: usize = 24;

/// The paths of the writes that the simulator answered.
fn written(world: &World) -> Vec<String> {
    world.writes("gitlab").iter().map(|write| write[1].as_str().unwrap().to_owned()).collect()
}

/// The entries of this kind in the journal of a run.
fn journal(world: &World, run: &Value, kind: &str) -> usize {
    let one = world.json(0, &["runs", &run["run"].to_string()]);
    one["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == kind).count()
}

fn stopped_by(signal: &str) {
    let world = project(PEOPLE);
    let mut service = Service::start(&world, &["--apply"]);
    slow(&world, 300);
    drop_file(&world, "hr", "people.csv", &people(PEOPLE, "later"));
    until("the first write", || (!written(&world).is_empty()).then_some(()));
    service.signal(signal);
    let (code, took) = service.ends();
    assert_eq!(code, 0, "{}", service.log());
    assert!(took < Duration::from_secs(10), "{took:?}");

    // Every request that left was answered, written down and settled.
    let sent = written(&world);
    assert!(sent.len() < PEOPLE, "it ended before it was stopped");
    let broken_off = runs(&world).into_iter().find(|run| run["input"] == "people.csv").unwrap();
    assert_eq!(broken_off["standing"], "open");
    for kind in ["calling", "answered", "settled"] {
        assert_eq!(journal(&world, &broken_off, kind), sent.len(), "{kind}");
    }
    assert_eq!(broken_off["done"], sent.len());

    // The next start finishes the file and repeats nothing.
    slow(&world, 0);
    let ran = world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let mut all = written(&world);
    assert_eq!(all.len(), PEOPLE);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), PEOPLE, "somebody was written to twice");
    for number in 1..=PEOPLE {
        assert_eq!(user(&world, number)["username"], format!("later{number}"));
    }
    let standings: Vec<String> = runs(&world)
        .iter()
        .filter(|run| run["input"] == "people.csv")
        .map(|run| run["standing"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(standings, ["done", "redone"]);
    assert_eq!(std::fs::read_dir(world.path("drop/hr/archive")).unwrap().count(), 4, "two files, each with its result");
}

#[test]
fn sigterm_finishes_the_calls_under_way_and_the_next_start_does_the_rest() {
    stopped_by("TERM");
}

#[test]
fn sigint_does_the_same() {
    stopped_by("INT");
}

#[test]
fn told_to_stop_while_it_only_looks_it_does_not_wait_for_the_servers() {
    let world = project(2);
    let mut service = Service::start(&world, &["--apply"]);
    slow(&world, 15_000);
    drop_file(&world, "hr", "people.csv", &people(2, "later"));
    until("the file is in hand", || (!world.path("drop/hr/people.csv").exists()).then_some(()));
    service.signal("TERM");
    let (code, took) = service.ends();
    assert_eq!(code, 0, "{}", service.log());
    assert!(took < Duration::from_secs(5), "{took:?}\n{}", service.log());
    slow(&world, 0);
    assert_eq!(world.homeward(&["--lab", "watch", "--once", "--apply"]).status, 0);
    stands(&world, "people.csv", "done");
    assert_eq!(user(&world, 2)["username"], "later2");
}
