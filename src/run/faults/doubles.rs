//! Two faults in one run.

use super::{Company, sweep, wanted};

/// How many pairs are tried with every run of the tests; `HOMEWARD_FAULTS=10000` tries so many.
const PAIRS: usize = 40;

/// Numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

#[test]
fn whatever_goes_wrong_at_two_calls_nothing_is_lost_or_doubled_and_the_rest_can_be_finished() {
    let points = Company::new().points();
    let mut dice = Dice(2026);
    let cases: Vec<_> = (0..wanted(PAIRS))
        .map(|_| [dice.below(points.len()), dice.below(points.len())].map(|at| points[at].clone()).to_vec())
        .collect();
    sweep(&cases);
}
