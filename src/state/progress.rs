//! How far the calls of a run have come: what the entries of the journal add up to.
//!
//! One `match` over entries and nothing else: no clock, no store, no plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, Outcome, Standing};
use crate::model::id::CallId;

/// How far one call has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing that could have had an effect was sent.
    #[default]
    Ahead,
    /// A request left, and nobody wrote down what became of it.
    Sent,
    /// It is over.
    Over(Outcome),
}

impl Progress {
    /// What the entries say of each call, in the order they were written.
    pub(crate) fn of(entries: &[Entry]) -> BTreeMap<CallId, Self> {
        let mut calls: BTreeMap<CallId, Self> = BTreeMap::new();
        // What was in doubt before the try that is looked at: a no to that one says nothing of the one before.
        let mut doubted: BTreeSet<&CallId> = BTreeSet::new();
        for entry in entries {
            let turned_away = |call: &CallId| if doubted.contains(call) { Self::Sent } else { Self::Ahead };
            let (call, progress) = match entry {
                Entry::Began { .. } | Entry::Stands { .. } | Entry::Corrected { .. } => continue,
                Entry::Calling { call, .. } => {
                    if calls.get(call).is_some_and(Self::is_in_doubt) {
                        doubted.insert(call);
                    } else {
                        doubted.remove(call);
                    }
                    (call, Self::Sent)
                }
                Entry::Unanswered { call, sent: false, .. } => (call, turned_away(call)),
                // Turned away: whatever it was, it was not done. Of any other answer only the connector knows what it means.
                Entry::Answered { call, status, .. } if (400..500).contains(status) && *status != 408 => {
                    (call, turned_away(call))
                }
                Entry::Answered { call, .. } | Entry::Unanswered { call, .. } => (call, Self::Sent),
                Entry::Settled { call, outcome } => (call, Self::Over(outcome.clone())),
                Entry::Told { call, done: true, .. } => (call, Self::Over(Outcome::Done)),
                Entry::Told { call, done: false, .. } => (call, Self::Ahead),
            };
            calls.insert(call.clone(), progress);
        }
        calls
    }

    /// True where it was done, and seen to be so.
    pub(crate) fn is_done(&self) -> bool {
        *self == Self::Over(Outcome::Done)
    }

    /// True where something was sent of which nobody knows whether it had its effect.
    pub(crate) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Sent | Self::Over(Outcome::InDoubt(_)))
    }
}

/// What is said of a call, where nobody has seen yet whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproved {
    /// The server says that it is done, to a try that broke off before it had looked.
    Answered,
    /// Somebody says that it is done.
    SaidDone,
    /// Somebody says that it was without effect.
    SaidUndone,
}

/// The calls of which something is said that nobody has seen.
pub(crate) fn unproved(entries: &[Entry]) -> BTreeMap<CallId, Unproved> {
    let mut unproved = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Settled { call, outcome: Outcome::Done } => {
                unproved.insert(call.clone(), Unproved::Answered);
            }
            // Whether it was true is known no better by a doubt.
            Entry::Settled { outcome: Outcome::InDoubt(_), .. } => {}
            Entry::Settled { call, .. } => {
                unproved.remove(call);
            }
            Entry::Told { call, done, .. } => {
                unproved.insert(call.clone(), if *done { Unproved::SaidDone } else { Unproved::SaidUndone });
            }
            Entry::Stands { standing: Standing::Done | Standing::Partly, .. } => {
                unproved.retain(|_, said| *said != Unproved::Answered);
            }
            _ => {}
        }
    }
    unproved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::refusal::{Refusal, RefusalKind};

    fn calling() -> Entry {
        Entry::Calling { call: "c1".into(), attempt: 1, method: "PUT".into(), path: "/x".into() }
    }

    fn answered(status: u16) -> Entry {
        Entry::Answered { call: "c1".into(), attempt: 1, status }
    }

    fn settled(outcome: Outcome) -> Entry {
        Entry::Settled { call: "c1".into(), outcome }
    }

    fn told(done: bool) -> Entry {
        Entry::Told { call: "c1".into(), done, by: "ann".into() }
    }

    #[test]
    fn the_last_entry_about_a_call_says_how_far_it_is() {
        let doubt = Outcome::InDoubt(Refusal::new(RefusalKind::Unavailable, "no answer"));
        let lost =
            Entry::Unanswered { call: "c1".into(), attempt: 1, cause: "the connection broke".into(), sent: true };
        let unsent = Entry::Unanswered { call: "c1".into(), attempt: 1, cause: "nobody listens".into(), sent: false };
        let cases = [
            (vec![calling()], Progress::Sent),
            (vec![calling(), lost.clone()], Progress::Sent),
            (vec![calling(), answered(200)], Progress::Sent),
            (vec![calling(), answered(502)], Progress::Sent),
            (vec![calling(), answered(408)], Progress::Sent),
            (vec![calling(), answered(429)], Progress::Ahead),
            (vec![calling(), answered(429), calling()], Progress::Sent),
            (vec![calling(), unsent.clone()], Progress::Ahead),
            (vec![calling(), lost.clone(), calling(), unsent], Progress::Sent),
            (vec![calling(), lost.clone(), calling(), answered(409)], Progress::Sent),
            (vec![calling(), answered(429), calling(), answered(409)], Progress::Ahead),
            (vec![settled(doubt.clone()), calling(), answered(409)], Progress::Sent),
            (vec![calling(), answered(200), settled(Outcome::Done)], Progress::Over(Outcome::Done)),
            (vec![calling(), lost, settled(doubt.clone())], Progress::Over(doubt.clone())),
            (vec![settled(doubt.clone()), told(true)], Progress::Over(Outcome::Done)),
            (vec![settled(doubt), told(false)], Progress::Ahead),
        ];
        for (entries, progress) in cases {
            let calls = Progress::of(&entries);
            assert_eq!(calls, [("c1".into(), progress)].into(), "{entries:?}");
        }
        assert_eq!(Progress::of(&[]), BTreeMap::new());
    }
}
