//! Good files, broken in hundreds of ways, through the whole program: what a full list says, when it is not one.

#![allow(clippy::allow_attributes, clippy::unwrap_used, reason = "a test that cannot set up its world fails")]

#[path = "../common/mod.rs"]
mod common;

mod mutants;

use std::collections::BTreeMap;

use common::World;
use mutants::{Fate, Good, Mutant};

/// A project that has accepted the good list and given everybody in it an account.
fn world(good: &str) -> World {
    let mut world = World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\nid_pattern = \"[0-9]{6}\"\ncoverage = \"full\"\n\n\
             [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"TOKEN\" }\n\n\
             [limits]\nremovals = { share = \"5%\", at_least = 5 }\n",
        )
        .file(
            "rules/people.rhai",
            r#"
owner(["username", "email", "display_name", "active"], "hr");
copies(["username", "email", "display_name"], "gitlab");
join("gitlab", ["email", "username"]);
account("gitlab", |person| person.active);
source("hr", |row| #{
    key: row.employee_id,
    username: row.username.lower(),
    email: row.email.lower(),
    display_name: row.first_name + " " + row.last_name,
    active: row.status == "Active",
});
"#,
        )
        .file("lab/gitlab.json", r#"{ "users": [] }"#)
        .file("good.csv", good);
    world.start_lab(&[]);
    let ran = world.homeward(&["--lab", "--today", "2026-11-20", "apply", "--yes", "hr=good.csv"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    world
}

/// What the program makes of a mutant: a word for the count, or what is wrong with it.
fn outcome(world: &World, mutant: &Mutant, name: &str) -> Result<&'static str, String> {
    world.write(name, &mutant.bytes);
    let input = format!("hr={name}");
    let ran = world.homeward(&["--lab", "--today", "2026-11-20", "plan", &input, "--format", "json"]);
    let wrong = |what: &str| Err(format!("{}: {what}: {} {}", mutant.name, ran.status, ran.stderr));
    match ran.status {
        0 => {}
        2 | 4 | 6 if ran.stderr.trim().is_empty() => return wrong("stopped without a word"),
        2 | 4 => return Ok("refused or held"),
        6 => return Ok("stopped by a limit"),
        _ => return wrong("neither planned nor stopped"),
    }
    let Ok(plan) = serde_json::from_str::<serde_json::Value>(&ran.stdout) else { return wrong("no plan") };
    let changes = plan["changes"].as_array().unwrap();
    let leaves = |change: &&serde_json::Value| change["attribute"] == "active" && change["after"] != true;
    if let Some(change) = changes.iter().find(leaves) {
        return wrong(&format!("somebody leaves: {change}"));
    }
    let is_calm = plan["calls"].as_array().unwrap().is_empty();
    match (is_calm, plan["rejected"].as_array().unwrap().is_empty()) {
        (true, true) => Ok("nothing to do"),
        (true, false) => Ok("rows rejected, nothing to do"),
        (false, _) if mutant.may == [Fate::Same] => wrong("another plan than that of the good file"),
        (false, _) => Ok("some values changed"),
    }
}

#[test]
fn no_broken_copy_of_an_accepted_list_removes_anybody() {
    let text = include_str!("../samples/hr/people-1k.csv");
    let lines: Vec<&str> = text.lines().collect();
    let good: String = lines[..1].iter().chain(&lines[lines.len() - 40..]).flat_map(|line| [*line, "\n"]).collect();
    let good_file = Good::new(&good);
    let mut mutants = good_file.others();
    mutants.extend(good_file.cuts(4 << 10).into_iter().step_by(61));
    mutants.extend(good_file.quoted_cuts(400).into_iter().step_by(23));
    assert!(mutants.len() >= 500, "{}", mutants.len());
    let world = world(&good);
    let half = mutants.len().div_ceil(2);
    let results: Vec<Result<&str, String>> = std::thread::scope(|scope| {
        let run = |(at, part): (usize, &[Mutant])| {
            let name = format!("mutant-{at}.csv");
            part.iter().map(|mutant| outcome(&world, mutant, &name)).collect::<Vec<_>>()
        };
        let parts: Vec<_> = mutants.chunks(half).enumerate().map(|part| scope.spawn(move || run(part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let wrong: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        mutants.len(),
        wrong.iter().map(|w| w.as_str()).collect::<Vec<_>>().join("\n")
    );
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for result in results.into_iter().flatten() {
        *counts.entry(result).or_default() += 1;
    }
    assert_eq!(counts.len(), 5, "{counts:?}");
}
