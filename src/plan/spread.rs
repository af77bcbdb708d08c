//! Parts of one piece of work on all cores, where there is enough of it. What comes of them comes in their order.

use std::{num::NonZero, ops::Range, thread};

/// So many things are looked at where they come up, before other threads are worth starting.
const MANY: usize = 20_000;

/// Does this with each part, side by side where there is much in them together.
pub(crate) fn spread<I: Send, O: Send>(parts: Vec<I>, things: usize, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    if things < MANY || parts.len() < 2 {
        return parts.into_iter().map(work).collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let hands: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        let done = hands.into_iter().map(thread::ScopedJoinHandle::join);
        done.map(|done| done.unwrap_or_else(|fault| std::panic::resume_unwind(fault))).collect()
    })
}

/// The numbers below this one, in parts of one size: one for each core.
pub(crate) fn parts(things: usize) -> Vec<Range<usize>> {
    let cores = if things < MANY { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let size = things.div_ceil(cores).max(1);
    (0..things).step_by(size).map(|start| start..(start + size).min(things)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_there_is_each_once_and_what_comes_of_them_is_in_their_order() {
        for things in [0, 1, 2, MANY - 1, MANY, MANY + 1, 3 * MANY + 2] {
            let parts = parts(things);
            assert!(parts.iter().cloned().flatten().eq(0..things), "{things}");
            let squares = spread(parts, things, |part| part.map(|number| number * number).collect::<Vec<_>>());
            assert!(squares.into_iter().flatten().eq((0..things).map(|number| number * number)), "{things}");
        }
    }

    #[test]
    #[should_panic(expected = "two")]
    fn a_fault_in_one_part_is_a_fault_of_all() {
        spread(vec![1, 2, 3], MANY, |part| assert!(part != 2, "two"));
    }
}
