//! What is handed in to be written: many lines in one go, each of them durable before its receipt says so.
//!
//! A disk takes as long for one line as for a hundred. So whatever is handed in while the disk is busy is written together
//! when it is free again, in the order in which it came, all or nothing. Where it is written, and how, is not known here.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::{Entry, Sent, StateError};
use crate::model::links::Links;

/// One thing to write down of a run. Each is written whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// An entry of the journal.
    Entry(Entry),
    /// A request of an operation is about to leave, and with it the operation's mark.
    Sending(Entry, String),
    /// The call of an operation is over, and with it what is known now of the operation: done, not done (`None`), or still
    /// in doubt.
    Over(Entry, String, Option<Sent>),
    /// Ties that are known now, such as the id of an account just created.
    Ties(Links),
}

/// Tells when what was handed in is durable.
#[derive(Debug)]
pub(crate) struct Receipt(oneshot::Receiver<Result<(), Arc<StateError>>>);

impl Receipt {
    /// Waits until it is durable.
    ///
    /// # Errors
    /// Where it was not written, nor anything that was handed in together with it.
    pub(crate) async fn durable(self) -> Result<(), StateError> {
        match self.0.await {
            Ok(written) => written.map_err(StateError::Together),
            Err(_) => Err(StateError::Unwritten),
        }
    }
}

/// Writes notes, each with its run: all of them or none.
type Write = dyn Fn(&mut dyn Iterator<Item = (i64, &Note)>) -> Result<(), StateError>;

type Handed = (i64, Note, oneshot::Sender<Result<(), Arc<StateError>>>);

#[derive(Default)]
struct Desk {
    waiting: Vec<Handed>,
    is_at_work: bool,
    /// How many notes of each run are not durable yet.
    under_way: BTreeMap<i64, usize>,
    /// Runs of which something could not be written: nothing more of them is, or a later line would stand without an earlier
    /// one.
    failed: BTreeMap<i64, Arc<StateError>>,
}

/// Takes in what is to be written.
#[derive(Clone, Default)]
pub(super) struct Scribe(Arc<(Mutex<Desk>, Condvar)>);

impl Scribe {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing of this run waits to be written any more, and lets it begin anew where something was not.
    pub(super) fn rest(&self, run: i64) {
        let is_busy = |desk: &mut Desk| desk.under_way.contains_key(&run);
        let mut desk = self.0.1.wait_while(self.desk(), is_busy).unwrap_or_else(PoisonError::into_inner);
        desk.failed.remove(&run);
    }

    /// Takes a note in, and has everything that waits written by `write` on a thread of its own, unless one is at it.
    pub(super) fn take<W>(&self, run: i64, note: Note, write: W) -> Receipt
    where
        W: Fn(&mut dyn Iterator<Item = (i64, &Note)>) -> Result<(), StateError> + Send + Sync + 'static,
    {
        let (told, receipt) = oneshot::channel();
        let is_at_work = {
            let mut desk = self.desk();
            if let Some(error) = desk.failed.get(&run) {
                // Somebody may still wait for the first of it.
                let _ = told.send(Err(Arc::clone(error)));
                return Receipt(receipt);
            }
            *desk.under_way.entry(run).or_default() += 1;
            desk.waiting.push((run, note, told));
            std::mem::replace(&mut desk.is_at_work, true)
        };
        if !is_at_work {
            let (scribe, write) = (self.clone(), Arc::new(write));
            let (other, same) = (self.clone(), Arc::clone(&write));
            let thread = std::thread::Builder::new().name("journal".to_owned());
            if thread.spawn(move || scribe.work(&*write)).is_err() {
                other.work(&*same);
            }
        }
        Receipt(receipt)
    }

    /// Writes until nothing waits any more.
    fn work(&self, write: &Write) {
        let shift = Shift(self);
        loop {
            let together = {
                let mut desk = self.desk();
                if desk.waiting.is_empty() {
                    // Ended while nobody can hand anything in, so that nothing is left lying.
                    desk.is_at_work = false;
                    std::mem::forget(shift);
                    return;
                }
                std::mem::take(&mut desk.waiting)
            };
            let written = write(&mut together.iter().map(|(run, note, _)| (*run, note))).map_err(Arc::new);
            let mut told: Vec<Handed> = together;
            let mut desk = self.desk();
            if let Err(error) = &written {
                desk.failed.extend(told.iter().map(|(run, ..)| (*run, Arc::clone(error))));
                // What came meanwhile of these runs counts on what was not written.
                let waiting = std::mem::take(&mut desk.waiting);
                let (lost, rest) = waiting.into_iter().partition(|(run, ..)| desk.failed.contains_key(run));
                desk.waiting = rest;
                told.extend::<Vec<Handed>>(lost);
            }
            for (run, ..) in &told {
                if let Some(left) = desk.under_way.get_mut(run) {
                    *left -= 1;
                }
            }
            desk.under_way.retain(|_, left| *left > 0);
            drop(desk);
            self.0.1.notify_all();
            for (_, _, receipt) in told {
                // Nobody may be waiting for it any more.
                let _ = receipt.send(written.clone());
            }
        }
    }
}

/// Somebody at work. Whatever ends it, nobody waits for ever for what is not written.
struct Shift<'s>(&'s Scribe);

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.is_at_work = false;
        // Only where writing has panicked is there anything left. Whoever waits for it hears that it was not written.
        desk.waiting.clear();
        desk.under_way.clear();
        drop(desk);
        self.0.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn note(number: u32) -> Note {
        let path = String::new();
        Note::Entry(Entry::Calling { call: format!("c{number}").into(), attempt: number, method: String::new(), path })
    }

    fn numbers(notes: &mut dyn Iterator<Item = (i64, &Note)>) -> Vec<u32> {
        let number = |(_, note): (i64, &Note)| match note {
            Note::Entry(Entry::Calling { attempt, .. }) => *attempt,
            other => panic!("{other:?}"),
        };
        notes.map(number).collect()
    }

    #[tokio::test]
    async fn what_comes_while_the_disk_is_busy_is_written_together_in_its_order() {
        let (scribe, written) = (Scribe::default(), Arc::new(Mutex::new(Vec::new())));
        let (go, gone) = mpsc::channel::<()>();
        let gone = Arc::new(Mutex::new(gone));
        let mut receipts = Vec::new();
        for number in 0..20 {
            let (all, gone) = (Arc::clone(&written), Arc::clone(&gone));
            receipts.push(scribe.take(1, note(number), move |notes| {
                all.lock().unwrap().push(numbers(notes));
                gone.lock().unwrap().recv().unwrap();
                Ok(())
            }));
            // The first is on its way before the next comes.
            while written.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        for receipt in receipts {
            receipt.durable().await.unwrap();
        }
        assert_eq!(*written.lock().unwrap(), [vec![0], (1..20).collect()]);
    }

    #[tokio::test]
    async fn where_one_was_not_written_nothing_that_was_handed_in_by_then_is() {
        let (scribe, tries) = (Scribe::default(), Arc::new(Mutex::new(0)));
        let (go, gone) = mpsc::channel::<()>();
        let gone = Arc::new(Mutex::new(gone));
        let take = |number| {
            let (tries, gone) = (Arc::clone(&tries), Arc::clone(&gone));
            scribe.take(1, note(number), move |_| {
                *tries.lock().unwrap() += 1;
                gone.lock().unwrap().recv().unwrap();
                Err(StateError::Unwritten)
            })
        };
        let first = take(0);
        while *tries.lock().unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        let second = take(1);
        go.send(()).unwrap();
        assert!(first.durable().await.is_err());
        assert!(second.durable().await.is_err());
        assert_eq!(*tries.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn nothing_more_of_a_run_is_written_once_something_was_not_until_it_begins_anew() {
        let (scribe, written) = (Scribe::default(), Arc::new(Mutex::new(Vec::new())));
        let is_full = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let take = |run, number| {
            let (all, is_full) = (Arc::clone(&written), Arc::clone(&is_full));
            scribe.take(run, note(number), move |notes| {
                if is_full.load(std::sync::atomic::Ordering::SeqCst) {
                    return Err(StateError::Unwritten);
                }
                all.lock().unwrap().extend(numbers(notes));
                Ok(())
            })
        };
        assert!(take(1, 0).durable().await.is_err());
        is_full.store(false, std::sync::atomic::Ordering::SeqCst);
        assert!(take(1, 1).durable().await.is_err());
        take(2, 2).durable().await.unwrap();
        scribe.rest(1);
        take(1, 3).durable().await.unwrap();
        assert_eq!(*written.lock().unwrap(), [2, 3]);
    }

    #[tokio::test]
    async fn a_panic_while_writing_leaves_nobody_waiting() {
        let scribe = Scribe::default();
        let panics = |_: &mut dyn Iterator<Item = (i64, &Note)>| panic!("writing panics");
        assert!(matches!(scribe.take(1, note(0), panics).durable().await, Err(StateError::Unwritten)));
        scribe.rest(1);
        scribe.take(1, note(1), |_| Ok(())).durable().await.unwrap();
    }
}
