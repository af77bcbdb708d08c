//! What accounts should come to hold by themselves: looked at now and then, whether or not any input speaks of them.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use tracing::{info, warn};

use super::{Service, feed::Next, passage::Seat};
use crate::{
    run::{
        expectations::{Compared, Held, is_overdue, look, moment, sights},
        told,
    },
    state::{
        StateError, Store,
        expectation::{Expectation, Expecting},
    },
};

/// How often all of them are looked at. People sign in by the day, not by the minute.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// How many are looked at in one go, and how long it takes until the next: a server has other work to do.
const BATCH: usize = 200;
const PAUSE: Duration = Duration::from_secs(2);

/// How many are told of one by one.
const NAMED: usize = 10;

/// The looks at accounts of which something is expected.
#[derive(Default)]
pub(super) struct Outlook {
    /// The number of the expectation that was looked at last in this round.
    after: i64,
    /// Those that were told to be overdue.
    told: BTreeSet<i64>,
    fault: Option<String>,
}

impl Outlook {
    /// Looks at some of them.
    pub(super) async fn step(&mut self, service: &Service, seat: &Seat) -> Result<Next, StateError> {
        if self.after == 0 {
            service.expects()?;
        }
        let mut open = service.store.expected_after(self.after, BATCH + 1)?;
        let is_last = open.len() <= BATCH;
        open.truncate(BATCH);
        self.after = if is_last { 0 } else { open.last().map_or(0, |one| one.id) };
        let next = Next { wait: if is_last { LOOK_EVERY } else { PAUSE }, idle: is_last };
        if open.is_empty() {
            return Ok(next);
        }
        let (compared, faults) = tokio::select! {
            looked = look(&open, &seat.fleet) => looked,
            () = service.until_stopped() => return Ok(next),
        };
        let faults: Vec<String> = faults.iter().map(|(system, fault)| format!("{system}: {}", told(fault))).collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        if let Some(fault) = fault.as_ref().filter(|fault| self.fault.as_ref() != Some(fault)) {
            warn!("accounts of which something is expected could not be looked at: {fault}");
        }
        self.fault = fault;
        take_note(service, &compared)?;
        let now = service.judges_by();
        let is_late =
            |one: &&Compared| matches!(one.held, Held::Unseen | Held::AsBefore) && is_overdue(&one.expectation, now);
        let (late, others): (Vec<&Compared>, Vec<&Compared>) = compared.iter().partition(is_late);
        for one in others {
            self.told.remove(&one.expectation.id);
        }
        let late: Vec<&Expectation> =
            late.into_iter().map(|one| &one.expectation).filter(|one| self.told.insert(one.id)).collect();
        for one in late.iter().take(NAMED) {
            let (system, account, attribute, run) = (&one.system, &one.account, &one.attribute, one.run);
            warn!(%system, %account, %attribute, run, "what should have come {} is overdue", one.when);
        }
        if late.len() > NAMED {
            warn!(more = late.len() - NAMED, "so it is with others: see `homeward status`");
        }
        Ok(next)
    }
}

/// Writes down what was seen and logs what is new of it: where, and never what.
pub(super) fn take_note(service: &Service, compared: &[Compared]) -> Result<(), StateError> {
    let sights = sights(compared, service.judges_by());
    if sights.is_empty() {
        return Ok(());
    }
    service.store.sighted(&sights, &service.now())?;
    for Compared { expectation: one, held } in compared.iter().filter(|one| one.is_news()) {
        let (system, account, attribute, run) = (&one.system, &one.account, &one.attribute, one.run);
        match held {
            Held::Expected => info!(%system, %account, %attribute, run, "what was expected is there"),
            Held::Other(_) => warn!(%system, %account, %attribute, run, "it became something else than was expected"),
            Held::Gone => warn!(%system, %account, %attribute, run, "the account is gone of which this was expected"),
            Held::Unseen | Held::AsBefore => {}
        }
    }
    service.expects()
}

impl Service {
    /// The time that deadlines are judged by.
    pub(super) fn judges_by(&self) -> jiff::Timestamp {
        moment(self.orders.today, self.clock.now())
    }

    /// Takes note of how much is still to come by itself.
    pub(super) fn expects(&self) -> Result<(), StateError> {
        let expecting = self.store.expecting(&self.judges_by().to_string())?;
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner) = expecting;
        Ok(())
    }

    /// How much is still to come by itself, as far as was seen last.
    pub(super) fn expected(&self) -> Expecting {
        *self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
