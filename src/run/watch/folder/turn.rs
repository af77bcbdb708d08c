//! Whether it is a file's turn: by its content, by its name, and by what was used before it.
//!
//! What a file says of people is not looked at here.

use super::FolderFeed;
use crate::{
    run::watch::{Service, passage::Seat},
    source::drop_folder::{Claim, names::OrderKey, settings::Order},
    state::{StateError, Store},
};

/// How far ahead of today the date in a name may be: some lists are for the week to come.
const FUTURE_DAYS: i32 = 14;

impl FolderFeed {
    /// True where a content that was used before is not to be used again. A list of everybody that comes back after another
    /// one is news; so is one of some people that is newer by its name than the last, and takes back what that one said.
    /// Where only the time of arrival tells, it may have been sent twice.
    pub(super) fn is_known(
        &self,
        service: &Service,
        seat: &Seat,
        claim: &Claim,
        sha256: &str,
    ) -> Result<bool, StateError> {
        let Some(accepted) = service.store.accepted(&self.name)? else {
            return Ok(!seat.project.lists_everybody(&self.name));
        };
        if accepted.sha256 == sha256 || seat.project.lists_everybody(&self.name) {
            return Ok(accepted.sha256 == sha256);
        }
        let last: Option<OrderKey> = accepted.order.as_deref().and_then(|text| text.parse().ok());
        let is_dated = !matches!(claim.order(), OrderKey::Arrival(_));
        Ok(!is_dated || last.is_none_or(|last| claim.order() <= last))
    }

    /// Why a list comes too late, where it is older than the last accepted one of everybody.
    pub(super) fn is_late(&self, service: &Service, seat: &Seat, claim: &Claim) -> Result<Option<String>, StateError> {
        let is_full = seat.project.lists_everybody(&self.name);
        let Some(accepted) = service.store.accepted(&self.name)?.filter(|_| is_full) else {
            return Ok(None);
        };
        let last: Option<OrderKey> = accepted.order.as_deref().and_then(|text| text.parse().ok());
        // Two of one kind can be compared; a date and a time of arrival cannot. Behind a date that is still to come a person
        // has to look.
        let is_older = last.is_some_and(|last| claim.order() < last && !is_to_come(&last, service));
        Ok(is_older.then(|| format!("it is older than `{}`, which was used in run {}", accepted.file, accepted.run)))
    }

    /// Why a file is for a person to look at first: by its name, for a date far ahead, none where the last one had one, a
    /// number out of turn; or because it is an earlier list again, which may be meant or a slip.
    pub(super) fn doubt(
        &self,
        service: &Service,
        seat: &Seat,
        claim: &Claim,
        sha256: &str,
    ) -> Result<Option<String>, StateError> {
        let name = claim.name();
        if let OrderKey::Date { date, .. } = claim.order()
            && date > service.clock.today().saturating_add(jiff::Span::new().days(FUTURE_DAYS))
        {
            // Once it were used, every list up to that day would come too late.
            return Ok(Some(format!("the date in the name of `{name}` is still to come")));
        }
        let Some(accepted) = service.store.accepted(&self.name)? else { return Ok(None) };
        let last: Option<OrderKey> = accepted.order.as_deref().and_then(|text| text.parse().ok());
        let is_full = seat.project.lists_everybody(&self.name);
        if let Some(OrderKey::Date { date, .. }) =
            last.filter(|last| claim.order() < *last && is_to_come(last, service))
            && is_full
        {
            let file = &accepted.file;
            return Ok(Some(format!(
                "`{file}` was used, whose name has a date to come ({date}), and `{name}` has an earlier one"
            )));
        }
        if matches!((last, claim.order()), (Some(OrderKey::Date { .. }), OrderKey::Arrival(_))) {
            let told = format!(
                "`{}` had a date in its name and `{name}` has none: nobody can tell which is newer",
                accepted.file
            );
            return Ok(Some(told));
        }
        // What a list of changes left undone is tried again by itself.
        let used = service.store.used(&self.name, sha256)?.filter(|_| is_full);
        if let (Some(run), OrderKey::Arrival(_)) = (used, claim.order())
            && accepted.sha256 != sha256
        {
            let (last, by) = (&accepted.file, accepted.run);
            let told =
                format!("`{name}` says what `{}` said in run {}, before `{last}` in run {by}", run.input, run.id);
            return Ok(Some(told));
        }
        self.gap(service, seat, claim)
    }

    /// What is wrong with the number of a list of changes, where such lists are numbered.
    fn gap(&self, service: &Service, seat: &Seat, claim: &Claim) -> Result<Option<String>, StateError> {
        let is_full = seat.project.lists_everybody(&self.name);
        let is_numbered = self.folder.settings().order == Some(Order::Number);
        let Some(accepted) = service.store.accepted(&self.name)?.filter(|_| is_numbered && !is_full) else {
            return Ok(None);
        };
        let last: Option<OrderKey> = accepted.order.as_deref().and_then(|text| text.parse().ok());
        let (Some(OrderKey::Number(last)), OrderKey::Number(number)) = (last, claim.order()) else { return Ok(None) };
        let is_next = number.checked_sub(last) == Some(1);
        Ok((!is_next).then(|| {
            if number <= last {
                return format!("`{}` came before `{}`, by their numbers", claim.name(), accepted.file);
            }
            let missing = if number - last == 2 {
                format!("number {} is", last + 1)
            } else {
                format!("numbers {} to {} are", last + 1, number - 1)
            };
            format!("{missing} missing between `{}` and `{}`", accepted.file, claim.name())
        }))
    }
}

/// True for a list of a day that is still to come.
fn is_to_come(order: &OrderKey, service: &Service) -> bool {
    matches!(order, OrderKey::Date { date, .. } if *date > service.clock.today())
}
