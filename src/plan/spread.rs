//! Parts of one piece of work side by side, where there is enough of it. What comes of them comes in their order.
//!
//! Whoever waits for all of it takes parts too, so nothing depends on how many cores or threads there are. What comes in a
//! stream, and needs an engine of rules for each thread, is for the crew of a run.

use std::{
    num::NonZero,
    ops::Range,
    sync::{Mutex, PoisonError},
    thread::{self, Builder},
};

/// So many things are looked at where they come up, before other threads are worth starting. Tests of a few people start them
/// too, so that what holds for one thread is held for several.
const MANY: usize = if cfg!(test) { 5 } else { 20_000 };

/// Does this with each part, side by side where there are many things in them together.
pub(crate) fn spread<I: Send, O: Send>(parts: Vec<I>, things: usize, work: impl Fn(I) -> O + Sync) -> Vec<O> {
    let hands = cores().min(parts.len());
    if things < MANY || hands < 2 {
        return parts.into_iter().map(work).collect();
    }
    let waiting = Mutex::new(parts.into_iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let help = || {
        let mut done = Vec::new();
        while let Some((at, part)) = next() {
            done.push((at, work(part)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        // Where no thread can be had, this one does it all.
        let others: Vec<_> = (1..hands).filter_map(|_| Builder::new().spawn_scoped(scope, help).ok()).collect();
        let mut done = help();
        for other in others {
            done.extend(other.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, of)| of).collect()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// So many parts are made for each core: where one is busy with something else, the others do more of them.
const EACH: usize = 4;

/// The numbers below this one, in parts of one size.
pub(crate) fn parts(things: usize) -> Vec<Range<usize>> {
    let parts = if things < MANY { 1 } else { EACH * cores() };
    let size = things.div_ceil(parts).max(1);
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
