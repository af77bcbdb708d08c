//! What accounts should come to hold by themselves: looked at now and then, whether or not any input speaks of them.

use std::{collections::BTreeSet, time::Duration};

use tracing::{info, warn};

use super::{
    Service,
    feed::Next,
    passage::{Seat, told},
};
use crate::{
    run::expectations::{Held, Judged, is_overdue, look, moment, sights},
    state::{StateError, Store},
};

/// How often all of them are looked at. People sign in by the day, not by the minute.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// How many are looked at in one go, and how long it takes until the next: a server has other work to do.
const BATCH: usize = 200;
const PAUSE: Duration = Duration::from_secs(2);

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
        let mut open = service.store.expectations()?;
        self.told.retain(|id| open.iter().any(|one| one.id == *id));
        open.retain(|one| one.id > self.after);
        open.sort_by_key(|one| one.id);
        let is_last = open.len() <= BATCH;
        open.truncate(BATCH);
        self.after = if is_last { 0 } else { open.last().map_or(0, |one| one.id) };
        let next = Next { wait: if is_last { LOOK_EVERY } else { PAUSE }, idle: is_last };
        if open.is_empty() {
            return Ok(next);
        }
        let (judged, faults) = tokio::select! {
            looked = look(&open, &seat.fleet) => looked,
            () = service.until_stopped() => return Ok(next),
        };
        let faults: Vec<String> = faults.iter().map(|(system, fault)| format!("{system}: {}", told(fault))).collect();
        let fault = (!faults.is_empty()).then(|| faults.join("; "));
        if let Some(fault) = fault.as_ref().filter(|fault| self.fault.as_ref() != Some(fault)) {
            warn!("accounts of which something is expected could not be looked at: {fault}");
        }
        self.fault = fault;
        take_note(service, &judged)?;
        let now = service.judges_by();
        for Judged { expectation: one, held } in judged.iter().filter(|one| is_overdue(&one.expectation, now)) {
            let is_over = matches!(held, Held::Expected | Held::Gone | Held::Other(_));
            if !is_over && self.told.insert(one.id) {
                let (system, account, attribute, run) = (&one.system, &one.account, &one.attribute, one.run);
                warn!(%system, %account, %attribute, run, "what should have come {} is overdue", one.when);
            }
        }
        Ok(next)
    }
}

/// Writes down what was seen and logs what is new of it: where, and never what.
pub(super) fn take_note(service: &Service, judged: &[Judged]) -> Result<(), StateError> {
    let sights = sights(judged, service.judges_by());
    if sights.is_empty() {
        return Ok(());
    }
    service.store.sighted(&sights, &service.now())?;
    for Judged { expectation: one, held } in judged.iter().filter(|one| one.is_news()) {
        let (system, account, attribute, run) = (&one.system, &one.account, &one.attribute, one.run);
        match held {
            Held::Expected => info!(%system, %account, %attribute, run, "what was expected is there"),
            Held::Other(_) => warn!(%system, %account, %attribute, run, "it became something else than was expected"),
            Held::Gone => warn!(%system, %account, %attribute, run, "the account is gone of which this was expected"),
            Held::Unseen | Held::AsBefore => {}
        }
    }
    Ok(())
}

impl Service {
    /// The time that deadlines are judged by.
    pub(super) fn judges_by(&self) -> jiff::Timestamp {
        moment(self.orders.today, self.clock.now())
    }

    /// How much is still to come by itself, and how much of it is overdue.
    pub(super) fn outlook(&self) -> Result<(usize, usize), StateError> {
        let (open, now) = (self.store.expectations()?, self.judges_by());
        Ok((open.len(), open.iter().filter(|one| is_overdue(one, now)).count()))
    }
}
