//! Whatever a run changes, taking it back leaves what was there before.

use proptest::prelude::*;

use super::company::{Row, company, differences, rows, states};

/// How many random runs are taken back with every run of the tests. `HOMEWARD_UNDOS=200` tries more.
const RUNS: u32 = 6;

const PEOPLE: usize = 5;

/// A cell that HR may say otherwise: of whom, which, and one of a few values.
fn cell() -> impl Strategy<Value = (usize, &'static str, &'static str)> {
    let values = prop_oneof![
        // Names of others and new ones, so that chains and rings come up.
        (Just("username"), prop::sample::select(vec!["p0", "p1", "p2", "p3", "p4", "x", "y"])),
        (Just("first"), prop::sample::select(vec!["Ann", "Bea", "Ümit"])),
        (Just("nick"), prop::sample::select(vec!["a", "b"])),
        (Just("position"), prop::sample::select(vec!["", "Cook", "Driver"])),
        (Just("note"), prop::sample::select(vec!["", "seen", "heard"])),
        (Just("active"), prop::sample::select(vec!["yes", "no"])),
        (Just("crew"), prop::sample::select(vec!["", "guest", "developer", "maintainer"])),
        (Just("ops"), prop::sample::select(vec!["", "guest", "reporter"])),
        (Just("teams"), prop::sample::select(vec!["", "sales", "ops", "ops+sales"])),
    ];
    (0..PEOPLE, values).prop_map(|(at, (column, value))| (at, column, value))
}

fn said(cells: &[(usize, &'static str, &'static str)]) -> Vec<Row> {
    let mut said = rows(PEOPLE);
    for (at, column, value) in cells {
        said[*at].insert(column, (*value).to_owned());
    }
    said
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how many runs are tried is said to the test, not to the program")]
fn a_run_taken_back_leaves_what_was_there_before() {
    let count = std::env::var("HOMEWARD_UNDOS").ok().and_then(|count| count.parse().ok()).unwrap_or(RUNS);
    let world = company(PEOPLE, &[]);
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig { cases: count, failure_persistence: None, max_shrink_iters: 40, ..ProptestConfig::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    runner
        .run(&prop::collection::vec(cell(), 1..14), |cells| {
            let before = states(&world);
            world.write("people.csv", super::company::csv(&said(&cells)).as_bytes());
            // Names that two want are held; what can be done is done.
            let ran = world.homeward(&["--lab", "--format", "json", "apply", "--yes", "hr=people.csv"]);
            prop_assert!([0, 4].contains(&ran.status), "{}\n{}", ran.stdout, ran.stderr);
            let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            let run = report["run"].to_string();
            let ran = world.homeward(&["--lab", "undo", "--yes", &run]);
            prop_assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
            let mut stays = differences(&before, &states(&world));
            stays.remove("mattermost/mails");
            prop_assert_eq!(stays, std::collections::BTreeMap::new());
            Ok(())
        })
        .unwrap();
}
