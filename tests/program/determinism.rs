//! The same input gives the same plan, byte for byte, whatever surrounds the program; and in whatever order its rows come.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::common::World;
use serde_json::Value;

/// The feed with all of HR's first file applied, so that its second one has something to change.
fn world() -> World {
    let mut world = World::example("hr-feed");
    world.start_lab(&[]);
    let ran = world.homeward(&["--lab", "--today", "2026-11-20", "apply", "--yes", "hr=day1.csv"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    world
}

fn plan(world: &World, file: &str, variables: &[(&str, &str)]) -> String {
    let mut command = world.command();
    command.args(["--lab", "--today", "2026-11-20", "plan", &format!("hr={file}"), "--format", "json"]);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A plan without what must differ where rows stand elsewhere: the digest of the file, the lines of rows, and the id,
/// which is a digest of all.
fn without_places(plan: &str) -> String {
    let mut plan: Value = serde_json::from_str(plan).unwrap();
    plan["id"] = Value::Null;
    plan["inputs"][0]["sha256"] = Value::Null;
    for change in plan["changes"].as_array_mut().unwrap() {
        change["asked_by"]["origin"] = Value::Null;
    }
    let text = serde_json::to_string_pretty(&plan).unwrap();
    let place = regex::Regex::new(r"rows\.csv:\d+").unwrap();
    place.replace_all(&text, "rows.csv").into_owned()
}

#[test]
fn language_zone_and_seeds_leave_every_byte_of_a_plan_as_it_is() {
    let world = world();
    let first = plan(&world, "day2.csv", &[]);
    assert!(first.contains("\"decision\": \"apply\""), "{first}");
    for variables in [
        [("LANG", "tr_TR.UTF-8"), ("LC_ALL", "tr_TR.UTF-8"), ("TZ", "Pacific/Kiritimati"), ("RAYON_NUM_THREADS", "1")],
        [("LANG", "C"), ("LC_ALL", "C"), ("TZ", "America/Adak"), ("TOKIO_WORKER_THREADS", "1")],
        [("LANG", "ja_JP.UTF-8"), ("LC_ALL", ""), ("TZ", "nonsense"), ("TOKIO_WORKER_THREADS", "7")],
    ] {
        assert_eq!(plan(&world, "day2.csv", &variables), first, "{variables:?}");
    }
    // Every process has hash seeds of its own: several are drawn.
    for _ in 0..5 {
        assert_eq!(plan(&world, "day2.csv", &[]), first);
    }
}

#[test]
fn the_order_of_rows_changes_nothing_but_where_they_stand() {
    let world = world();
    let text = world.read("day2.csv");
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let mut shuffled = rows.clone();
    // A fixed shuffle: every row moves, and neighbours part.
    shuffled.sort_by_key(|row| row.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))));
    let reversed: Vec<&str> = rows.iter().rev().copied().collect();
    let first = {
        world.write("rows.csv", text.as_bytes());
        without_places(&plan(&world, "rows.csv", &[]))
    };
    for order in [reversed, shuffled] {
        assert_ne!(order, rows);
        world.write("rows.csv", format!("{header}\n{}\n", order.join("\n")).as_bytes());
        assert_eq!(without_places(&plan(&world, "rows.csv", &[])), first);
    }
}
