//! What a provider allows is used up, and it never has to say so twice.
//!
//! The lab's limiters are the servers' own, with their times scaled down. What is asserted are refusals, which do not
//! depend on how fast the machine is. How much of what was allowed is used is a figure: `HOMEWARD_RATE=2000 cargo test
//! --test rate -- --nocapture` drives that many calls and prints it.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a world that cannot be made fails the test")]

mod common;

use std::{fmt::Write, time::Instant};

use common::World;
use serde_json::{Value, json};

/// The calls to each system.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn calls() -> u32 {
    std::env::var("HOMEWARD_RATE").ok().map_or(60, |count| count.parse().unwrap())
}

/// True for a long drive, at paces that no machine has trouble with: Mattermost's own, and GitLab's window in a sixtieth of
/// its time.
fn is_long() -> bool {
    calls() >= 1_000
}

/// GitLab's window: requests, and seconds.
fn window() -> (u32, u32) {
    if is_long() { (300, 10) } else { (40, 2) }
}

const RULES: &str = r#"
owner(["first_name", "last_name", "display_name"], "hr");
source("hr", |row| #{ key: row.employee_id, email: row.email, first_name: row.first, last_name: row.last,
    display_name: row.first + " " + row.last });
copies(["first_name", "last_name"], ["mattermost", "zitadel"]);
copies("display_name", ["gitlab"]);
for system in ["gitlab", "mattermost", "zitadel"] {
    join(system, ["email"]);
}
"#;

/// A company whose systems have limiters, its lab running, a change for everybody at each of them.
fn company(systems: &[(&str, Value, &str)]) -> World {
    let mut people = "employee_id,email,first,last\n".to_owned();
    for number in 1..=calls() {
        writeln!(people, "{number},person{number:06}@example.com,New{number},Name{number}").unwrap();
    }
    let mut config = "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n".to_owned();
    let mut world = World::new().file("people.csv", &people);
    for (system, settings, rate) in systems {
        write!(
            config,
            "\n[systems.{system}]\nkind = \"{system}\"\nurl = \"https://{system}.example.com\"\ntoken = {{ env = \
             \"TOKEN\" }}\n{rate}\n"
        )
        .unwrap();
        world = world.file(&format!("lab/{system}.json"), &json!({ "settings": settings }).to_string());
    }
    let is_here = |line: &&str| !line.contains("copies") || systems.iter().any(|(system, ..)| line.contains(system));
    let mut rules: String = RULES.lines().filter(is_here).flat_map(|line| [line, "\n"]).collect();
    for system in ["gitlab", "mattermost", "zitadel"] {
        if !systems.iter().any(|(here, ..)| *here == system) {
            rules = rules.replace(&format!(", \"{system}\""), "").replace(&format!("\"{system}\", "), "");
        }
    }
    let mut world = world.file("homeward.toml", &config).file("rules/people.rhai", &rules);
    world.start_lab(&["--people", &calls().to_string()]);
    world
}

/// What a simulator answered: requests in all, and those it turned away.
fn answers(world: &World, system: &str) -> (usize, usize) {
    let all = world.lab(system, "GET", "requests", &Value::Null);
    let all = all.as_array().unwrap();
    (all.len(), all.iter().filter(|asked| asked["status"] == 429).count())
}

/// Carries everything out; tells how long that took.
fn apply(world: &World) -> f64 {
    let started = Instant::now();
    let ran = world.homeward(&["--lab", "apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    started.elapsed().as_secs_f64()
}

/// What a system allows.
#[derive(Clone, Copy)]
enum Allowed {
    /// So many in so many seconds, and then as many again: what comes after the last whole window costs no time.
    Window(u32, u32),
    /// So many at once, and so many a second after them.
    Bucket(u32, u32),
}

impl Allowed {
    /// The seconds that so many requests take at least.
    fn least(self, requests: usize) -> f64 {
        let requests = u32::try_from(requests).unwrap();
        match self {
            Self::Window(count, seconds) => f64::from((requests - 1) / count * seconds),
            Self::Bucket(burst, per_second) => f64::from(requests - burst) / f64::from(per_second),
        }
    }
}

/// Prints how much of what was allowed was used, and in a long drive holds it to the promise.
fn figure(system: &str, requests: usize, seconds: f64, allowed: Allowed) {
    let used = allowed.least(requests) / seconds * 100.0;
    println!("{system}: {requests} requests in {seconds:.1} s, {used:.1} % of what was allowed");
    assert!(!is_long() || used >= 95.0, "{system} used {used:.1} % of what was allowed");
}

#[test]
fn mattermosts_bucket_is_used_up_by_what_its_headers_tell_and_never_says_no() {
    let (per_second, burst) = if is_long() { (10, 100) } else { (50, 10) };
    let limit = json!({ "rate_limit": { "per_sec": per_second, "max_burst": burst } });
    let world = company(&[("mattermost", limit, "")]);
    let seconds = apply(&world);
    let (requests, refused) = answers(&world, "mattermost");
    assert!(requests > calls() as usize);
    assert_eq!(refused, 0);
    figure("mattermost", requests, seconds, Allowed::Bucket(burst + 1, per_second));
}

#[test]
fn a_configured_window_is_never_overdrawn_at_gitlab() {
    let (count, seconds) = window();
    let limit = json!({ "rate_limit": { "requests": count, "period_seconds": seconds } });
    let world = company(&[("gitlab", limit, &format!("rate = \"{count}/{seconds}s\""))]);
    let took = apply(&world);
    let (requests, refused) = answers(&world, "gitlab");
    assert!(requests > calls() as usize);
    assert_eq!(refused, 0);
    figure("gitlab", requests, took, Allowed::Window(count, seconds));
}

#[test]
fn gitlabs_first_refusal_tells_all_that_is_needed_to_meet_no_second_one() {
    // So little that a slow machine meets the refusal too.
    let (count, seconds) = if is_long() { window() } else { (20, 3) };
    let limit = json!({ "rate_limit": { "requests": count, "period_seconds": seconds } });
    let world = company(&[("gitlab", limit, "concurrency = 1")]);
    let took = apply(&world);
    let (requests, refused) = answers(&world, "gitlab");
    assert!(requests > calls() as usize);
    assert_eq!(refused, 1);
    figure("gitlab by its own word", requests, took, Allowed::Window(count, seconds));
}

#[test]
fn a_quota_that_tells_nothing_is_kept_by_the_configured_rate() {
    let (count, seconds) = if is_long() { (300, 10) } else { (80, 1) };
    let limit = json!({ "quota": count, "quota_period_ms": seconds * 1000 });
    let world = company(&[("zitadel", limit, &format!("rate = \"{count}/{seconds}s\""))]);
    let took = apply(&world);
    let (requests, refused) = answers(&world, "zitadel");
    assert!(requests > 2 * calls() as usize);
    assert_eq!(refused, 0);
    figure("zitadel", requests, took, Allowed::Window(count, seconds));
}

#[test]
fn all_three_are_kept_to_side_by_side() {
    let world = company(&[
        ("gitlab", json!({ "rate_limit": { "requests": 40, "period_seconds": 2 } }), "rate = \"40/2s\""),
        ("mattermost", json!({ "rate_limit": { "per_sec": 50, "max_burst": 10 } }), ""),
        ("zitadel", json!({ "quota": 80, "quota_period_ms": 1000 }), "rate = \"80/s\""),
    ]);
    apply(&world);
    for system in ["gitlab", "mattermost", "zitadel"] {
        assert_eq!(answers(&world, system).1, 0, "{system}");
    }
}
