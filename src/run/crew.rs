//! Many things to do, on all cores, with what comes of them in the order they were given.
//!
//! An engine of rules cannot leave its thread, so each thread makes its own; what it makes is its business. Things go out
//! in batches, in turn, and come back in turn: whoever asks sees no difference to one thread but time. So much is under
//! way at most, however many things there are.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Builder, Scope, available_parallelism},
};

/// So many things are done where they come from, before other threads are worth starting.
pub(super) const ALONE: usize = 2_000;

/// Things that are handed to a thread at once.
const BATCH: usize = 256;

/// Batches that may wait at a thread.
const WAITING: usize = 4;

/// How many threads there may be; `None` where one is all there is.
pub(super) fn threads() -> Option<usize> {
    available_parallelism().ok().map(std::num::NonZero::get).filter(|threads| *threads > 1)
}

/// A batch that comes back: done, or as it was where a thread cannot do it.
type Back<I, O> = Result<Vec<O>, Vec<I>>;

/// The work of one thread, as long as there is any.
pub(super) struct Shift<I, O> {
    taken: Receiver<Vec<I>>,
    give: SyncSender<Back<I, O>>,
}

impl<I, O> Shift<I, O> {
    /// Does everything that comes; without a way to, gives it back.
    pub(super) fn work(self, way: Option<impl FnMut(I) -> O>) {
        let mut way = way;
        for batch in self.taken {
            let back = match &mut way {
                Some(way) => Ok(batch.into_iter().map(way).collect()),
                None => Err(batch),
            };
            if self.give.send(back).is_err() {
                break;
            }
        }
    }
}

struct Hand<I, O> {
    give: SyncSender<Vec<I>>,
    back: Receiver<Back<I, O>>,
}

/// What is done with what comes of a thing. False: that was enough.
pub(super) type Each<'a, O> = &'a mut dyn FnMut(O) -> bool;

/// The threads.
pub(super) struct Crew<I, O> {
    hands: Vec<Hand<I, O>>,
    /// Who has the batches that are under way, the oldest first.
    away: VecDeque<usize>,
    next: usize,
    batch: Vec<I>,
}

impl<I: Send, O: Send> Crew<I, O> {
    /// Starts so many threads, each of which is given its shift.
    pub(super) fn new<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
        work: &'env (dyn Fn(Shift<I, O>) + Sync),
    ) -> Self
    where
        I: 'scope,
        O: 'scope,
    {
        let hands = (0..threads).filter_map(|_| {
            let (give, taken) = sync_channel(WAITING);
            let (give_back, back) = sync_channel(WAITING);
            let shift = Shift { taken, give: give_back };
            // As deep as rules may call and nest.
            Builder::new().stack_size(crate::STACK).spawn_scoped(scope, move || work(shift)).ok()?;
            Some(Hand { give, back })
        });
        Self { hands: hands.collect(), away: VecDeque::new(), next: 0, batch: Vec::with_capacity(BATCH) }
    }

    /// Takes a thing, and tells of those that are done by now. `alone` does what no thread can.
    pub(super) fn put(&mut self, thing: I, alone: &mut dyn FnMut(I) -> O, each: Each<'_, O>) -> bool {
        self.batch.push(thing);
        self.batch.len() < BATCH || self.hand_out(alone, each)
    }

    fn hand_out(&mut self, alone: &mut dyn FnMut(I) -> O, each: Each<'_, O>) -> bool {
        // A thread has at most as many batches as it may give back without waiting, or two could wait for each other.
        while self.away.len() >= self.hands.len() * WAITING && !self.away.is_empty() {
            if !self.take_back(alone, each) {
                return false;
            }
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        let at = self.next;
        let batch = match self.hands.get(at).map(|hand| hand.give.send(batch)) {
            Some(Ok(())) => {
                self.away.push_back(at);
                self.next = (at + 1) % self.hands.len();
                return true;
            }
            Some(Err(lost)) => lost.0,
            None => std::mem::take(&mut self.batch),
        };
        self.take_back_all(alone, each) && batch.into_iter().all(|thing| each(alone(thing)))
    }

    /// Waits for the oldest batch.
    fn take_back(&mut self, alone: &mut dyn FnMut(I) -> O, each: Each<'_, O>) -> bool {
        let Some(hand) = self.away.pop_front().and_then(|at| self.hands.get(at)) else { return true };
        match hand.back.recv() {
            Ok(Ok(done)) => done.into_iter().all(&mut *each),
            Ok(Err(batch)) => batch.into_iter().all(|thing| each(alone(thing))),
            // The thread has panicked with a batch in its hands; so does this one where the threads are joined.
            Err(_) => false,
        }
    }

    fn take_back_all(&mut self, alone: &mut dyn FnMut(I) -> O, each: Each<'_, O>) -> bool {
        while !self.away.is_empty() {
            if !self.take_back(alone, each) {
                return false;
            }
        }
        true
    }

    /// Waits for everything that is under way.
    pub(super) fn finish(mut self, alone: &mut dyn FnMut(I) -> O, each: Each<'_, O>) -> bool {
        let rest = std::mem::take(&mut self.batch);
        self.take_back_all(alone, each) && rest.into_iter().all(|thing| each(alone(thing)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of the numbers up to `things`, with threads that can or cannot do anything.
    fn squares(things: u64, threads: usize, able: bool, most: usize) -> Vec<u64> {
        let work = |shift: Shift<u64, u64>| shift.work(able.then_some(|number: u64| number * number));
        let mut squares = Vec::new();
        std::thread::scope(|scope| {
            let mut crew = Crew::new(scope, threads, &work);
            let mut each = |square| {
                squares.push(square);
                squares.len() < most
            };
            let mut alone = |number: u64| number * number;
            if (0..things).all(|number| crew.put(number, &mut alone, &mut each)) {
                crew.finish(&mut alone, &mut each);
            }
        });
        squares
    }

    #[test]
    fn what_comes_of_things_comes_in_their_order_whoever_does_them() {
        for things in [0, 1, 255, 256, 257, 5_000] {
            let wanted: Vec<u64> = (0..things).map(|number| number * number).collect();
            for threads in [1, 2, 3] {
                assert_eq!(squares(things, threads, true, usize::MAX), wanted, "{things} things, {threads} threads");
                assert_eq!(squares(things, threads, false, usize::MAX), wanted, "threads that can do nothing");
            }
        }
    }

    #[test]
    fn nothing_more_comes_once_it_was_enough() {
        assert_eq!(squares(100_000, 3, true, 700).len(), 700);
        assert_eq!(squares(100_000, 3, false, 700).len(), 700);
    }
}
