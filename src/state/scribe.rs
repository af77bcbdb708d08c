//! What is handed in to be written: many lines in one go, each of them durable before its receipt says so.
//!
//! A disk takes as long for one line as for a hundred. So whatever is handed in while the disk is busy is written together
//! when it is free again, in the order in which it came, all or nothing. It knows neither what is written nor where.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{Entry, Sent, StateError};
use crate::model::person::Link;

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
    Ties(Vec<Link>),
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

type Handed = (i64, Note, oneshot::Sender<Result<(), Arc<StateError>>>);

#[derive(Default)]
struct Desk {
    waiting: Vec<Handed>,
    is_at_work: bool,
}

/// Takes in what is to be written.
#[derive(Clone, Default)]
pub(super) struct Scribe(Arc<(Mutex<Desk>, Condvar)>);

impl Scribe {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nothing waits to be written any more.
    pub(super) fn rest(&self) {
        let desk = self.desk();
        drop(self.0.1.wait_while(desk, |desk| desk.is_at_work).unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes a note in, and has everything that waits written by `write` on a thread of its own, unless one is at it.
    pub(super) fn take<W>(&self, run: i64, note: Note, write: W) -> Receipt
    where
        W: Fn(&mut dyn Iterator<Item = (i64, &Note)>) -> Result<(), StateError> + Send + Sync + 'static,
    {
        let (told, receipt) = oneshot::channel();
        let is_at_work = {
            let mut desk = self.desk();
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
    fn work(&self, write: &dyn Fn(&mut dyn Iterator<Item = (i64, &Note)>) -> Result<(), StateError>) {
        loop {
            let together = {
                let mut desk = self.desk();
                if desk.waiting.is_empty() {
                    desk.is_at_work = false;
                    self.0.1.notify_all();
                    return;
                }
                std::mem::take(&mut desk.waiting)
            };
            let written = write(&mut together.iter().map(|(run, note, _)| (*run, note))).map_err(Arc::new);
            let mut told: Vec<Handed> = together;
            if written.is_err() {
                // What came meanwhile counts on what was not written.
                told.append(&mut self.desk().waiting);
            }
            for (_, _, receipt) in told {
                // Nobody may be waiting for it any more.
                let _ = receipt.send(written.clone());
            }
        }
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
}
