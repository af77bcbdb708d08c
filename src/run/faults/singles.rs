//! One fault at a time.

use super::{Company, Kind, SYSTEMS, sweep, wanted};

/// How many places are tried with every run of the tests; `HOMEWARD_FAULTS` tries them all.
const PLACES: usize = 60;

#[test]
fn the_plan_of_the_faults_has_some_fifty_calls_at_three_systems() {
    let company = Company::new();
    let calls = SYSTEMS.map(|system| company.calls_of(system));
    assert_eq!(calls, [15, 21, 15]);
}

#[test]
fn whatever_goes_wrong_at_one_call_nothing_is_lost_or_doubled_and_the_rest_can_be_finished() {
    let points = Company::new().points();
    let mut step = if wanted(0) > 0 { 1 } else { points.len() / PLACES };
    // Steps that share no factor with the number of faults of a call come by each of them.
    let faults_of_a_call: usize = Kind::ALL.iter().map(|kind| kind.moments().len()).sum();
    while (2..=step).any(|factor| step.is_multiple_of(factor) && faults_of_a_call.is_multiple_of(factor)) {
        step += 1;
    }
    let cases: Vec<_> = points.into_iter().step_by(step).map(|point| vec![point]).collect();
    sweep(&cases);
}
