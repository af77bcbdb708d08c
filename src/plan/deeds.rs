//! Operations that records ask for: whether each can be done, and with what request.
//!
//! An operation is no attribute: nobody owns it and it has no before. What was done once is not seen here again; whoever
//! reads the records leaves it out.

use std::sync::Arc;

use super::Providers;
use crate::model::{
    account::Account,
    capability::Replay,
    id::{PersonId, SystemName},
    origin::Because,
    person::Person,
    plan::{AskedBy, Decision, PlannedOperation, Request},
    record::{Before, Deed, Statement},
    refusal::{Refusal, RefusalKind},
};

/// An operation with the request that would do it.
#[derive(Clone, Debug)]
pub(crate) struct DecidedDeed {
    pub(crate) planned: PlannedOperation,
    /// The account it is done to.
    pub(crate) account: Option<Arc<Account>>,
    /// `None` where it is not done.
    pub(crate) request: Option<Request>,
}

/// Decides every operation that is asked for one person.
pub(crate) fn deeds(person: &Person, providers: &dyn Providers) -> Vec<DecidedDeed> {
    let fresh = person.statements.iter().filter(|statement| statement.fresh);
    fresh.flat_map(|said| said.deeds.iter().map(move |deed| one(person, said, deed, providers))).collect()
}

fn one(person: &Person, said: &Statement, deed: &Deed, providers: &dyn Providers) -> DecidedDeed {
    let table = providers.capabilities(&deed.system).and_then(|table| table.operation(&deed.operation));
    let account = person.accounts.get(&deed.system);
    let of_account = table.is_some_and(|table| table.of_account);
    let request = match (table, account) {
        (None, _) => Err(unknown(&deed.system, &deed.operation)),
        (Some(table), None) if table.of_account => {
            let reason = format!("{} has no account of this person: plan again when there is one", deed.system);
            Err(Refusal::new(RefusalKind::NotFound, reason))
        }
        (Some(table), account) => {
            let absent = || Arc::new(Account::absent(deed.system.clone(), providers.server(&deed.system)));
            let account = account.filter(|_| table.of_account).cloned().unwrap_or_else(absent);
            providers.operation(&account, &deed.operation, &deed.arguments)
        }
    };
    let may_be_done = deed.before == Before::InDoubt && table.is_some_and(|table| table.replay != Replay::Repeat);
    let unseen = person.unseen.get(&deed.system).filter(|_| deed.before != Before::Baseline);
    let (decision, reason, refusal, request) = match (&person.held, unseen, request) {
        (Some(held), ..) => (Decision::Hold, held.clone(), None, None),
        (None, Some(unseen), _) => (Decision::Hold, unseen.reason.clone(), Some(unseen.kind), None),
        (None, None, _) if deed.before == Before::Baseline => {
            let reason = format!("{} shows this for the first time: a baseline asks for nothing", said.system);
            (Decision::Unchanged, reason, None, None)
        }
        // Done twice is worse than done late.
        (None, None, _) if may_be_done => {
            let reason = format!(
                "an earlier run sent this to {} and never learnt what became of it: look there; where it is missing, \
                 change the record to ask again",
                deed.system
            );
            (Decision::Hold, reason, None, None)
        }
        (None, None, Ok(request)) => {
            (Decision::Apply, format!("the record asks for it ({})", deed.origin), None, Some(request))
        }
        (None, None, Err(no)) => (Decision::Refuse, no.reason, Some(no.kind), None),
    };
    let side_effect = table.map(|table| table.side_effect).filter(|it| request.is_some() && !it.is_empty());
    let planned = PlannedOperation {
        person: person.id.clone(),
        system: deed.system.clone(),
        account: account.filter(|_| of_account).and_then(|account| account.id.clone()),
        operation: deed.operation.clone(),
        arguments: deed.arguments.clone(),
        decision,
        call: None,
        asked_by: AskedBy { system: said.system.clone(), origin: said.origin.to_string().into() },
        because: vec![Because::from(&deed.origin)],
        reason,
        refusal,
        side_effect: side_effect.map(str::to_owned),
        removes: table.is_some_and(|table| table.removes),
        mark: deed.mark.clone(),
    };
    DecidedDeed { planned, account: account.filter(|_| of_account).cloned(), request }
}

fn unknown(system: &SystemName, operation: &str) -> Refusal {
    Refusal::new(RefusalKind::Unsupported, format!("{system} has no operation `{operation}`"))
}

/// By whom and what, so that the order of rows does not matter.
pub(super) fn key(deed: &DecidedDeed) -> (&PersonId, &PlannedOperation) {
    (&deed.planned.person, &deed.planned)
}
