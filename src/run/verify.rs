//! Whether the store holds what was written: every entry of the journal, and every plan by its digest.

use super::{RunError, seal::is_sealed};
use crate::state::{
    StateError, Store,
    journal::{Flaw, Verified},
};

/// Looks at the whole store. Changes nothing.
pub(crate) fn verify(store: &dyn Store) -> Result<Verified, RunError> {
    let mut verified = store.verify()?;
    for run in store.runs()? {
        let is_whole = match store.plan(run.id) {
            Ok(None) => true,
            Ok(Some(plan)) => plan.id == run.plan && is_sealed(&plan),
            Err(StateError::Unreadable(_)) => false,
            Err(error) => return Err(error.into()),
        };
        let flaw = Flaw::Plan { run: run.id };
        if !is_whole && !verified.flaws.contains(&flaw) {
            verified.flaws.push(flaw);
        }
    }
    Ok(verified)
}
