#[path = "../common/mod.rs"]
mod common;
mod company;
mod tracer;
use std::time::Instant;
use tracer::*;
#[test]
fn measure() {
    let mut world = company::company();
    let t = Instant::now();
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "plan.json"]);
    println!("{} {}", ran.stdout, ran.stderr);
    println!("plan {:?}", t.elapsed());
    let plan: serde_json::Value = serde_json::from_str(&world.read("plan.json")).unwrap();
    assert_eq!(plan["calls"].as_array().unwrap().len(), company::CALLS);
    let t = Instant::now();
    world.start_lab(&[]);
    println!("lab {:?}", t.elapsed());
    let t = Instant::now();
    let mut command = world.command();
    command.args(["--lab", "apply", "plan.json", "--yes"]);
    let traced =
        tracer::run(&command, &std::fs::canonicalize(world.path(".")).unwrap().join(".homeward/state.db"), None)
            .unwrap();
    println!("traced {:?} {:?} {}", t.elapsed(), traced.status, traced.passed.len());
    let mut count = std::collections::BTreeMap::new();
    for p in traced.passed {
        *count.entry(p).or_insert(0) += 1;
    }
    println!("{count:?}");
    let t = Instant::now();
    let ran = world.homeward(&["--lab", "apply", "plan.json", "--yes"]);
    println!("again {:?} {} {}", t.elapsed(), ran.status, ran.stdout.lines().last().unwrap());
}
