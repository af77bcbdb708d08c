//! On and off (`discourse.md` 7). Off is always a suspension: who is only deactivated lets herself in again by mail, and
//! who still waits for approval would be deleted by it. So whoever is inactive is suspended too, where she is to be off.

use crate::model::{
    account::Account,
    capability::{Change, Foresight},
    plan::Operation,
    refusal::{Refusal, RefusalKind},
};

use super::foresee::{is_own, is_staff};

/// A call that changes the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Suspend,
    Unsuspend,
    Activate,
}

impl Switch {
    /// The last part of its path.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Unsuspend => "unsuspend",
            Self::Activate => "activate",
        }
    }

    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Suspend => Operation::Disable,
            Self::Unsuspend | Self::Activate => Operation::Enable,
        }
    }
}

pub(super) fn foresee(account: &Account, change: &Change) -> Foresight {
    let Some(active) = change.after.as_bool() else {
        return Foresight::refuses(RefusalKind::Invalid, "`active` is either true or false");
    };
    match switch(account, active) {
        Ok(_) => Foresight::takes(),
        Err(refusal) => Foresight::refuses(refusal.kind, refusal.reason),
    }
}

/// The call that makes the account active or not; `None` where it is so already.
///
/// # Errors
/// Discourse's no, foreseen.
pub(super) fn switch(account: &Account, active: bool) -> Result<Option<Switch>, Refusal> {
    let no = |kind, reason: &str| Err(Refusal::new(kind, reason));
    match (account.fact("state").unwrap_or("active"), active) {
        ("active" | "waiting", true) | ("suspended" | "staged", false) => Ok(None),
        _ if is_own(account) => no(RefusalKind::Forbidden, "only staff switches accounts on and off at Discourse"),
        ("active" | "waiting" | "inactive", false) if is_staff(account) => no(
            RefusalKind::Forbidden,
            "Discourse suspends no staff: take the rights of administrator or moderator away there first",
        ),
        ("active" | "waiting" | "inactive", false) => Ok(Some(Switch::Suspend)),
        ("suspended", true) if account.facts.get("confirmed") == Some(&false.into()) => no(
            RefusalKind::Unsupported,
            "the account is suspended, and its address was never confirmed: decide about both there",
        ),
        ("suspended", true) => Ok(Some(Switch::Unsuspend)),
        ("inactive", true) => Ok(Some(Switch::Activate)),
        ("staged", true) => no(
            RefusalKind::Unsupported,
            "the account is only staged, made of somebody's mails: the person has to take it over by registering",
        ),
        _ => no(RefusalKind::Unsupported, "Discourse shows this account in a state that is not known here"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn account(state: &str) -> Account {
        let mut account = Account::absent("forum".into(), Arc::default());
        account.id = Some("7".into());
        account.facts.insert("state".to_owned(), state.into());
        account
    }

    #[test]
    fn off_is_a_suspension_and_on_the_way_back_that_fits() {
        assert_eq!(switch(&account("active"), false), Ok(Some(Switch::Suspend)));
        assert_eq!(switch(&account("waiting"), false), Ok(Some(Switch::Suspend)));
        // She would let herself in again by mail.
        assert_eq!(switch(&account("inactive"), false), Ok(Some(Switch::Suspend)));
        assert_eq!(switch(&account("suspended"), true), Ok(Some(Switch::Unsuspend)));
        assert_eq!(switch(&account("inactive"), true), Ok(Some(Switch::Activate)));
        for (state, active) in [("active", true), ("waiting", true), ("suspended", false), ("staged", false)] {
            assert_eq!(switch(&account(state), active), Ok(None), "{state}");
        }
    }

    #[test]
    fn staff_and_what_nobody_confirmed_are_left_alone() {
        let mut staff = account("active");
        staff.facts.insert("is_moderator".to_owned(), true.into());
        assert_eq!(switch(&staff, false).unwrap_err().kind, RefusalKind::Forbidden);
        staff.facts.insert("state".to_owned(), "inactive".into());
        assert_eq!(switch(&staff, false).unwrap_err().kind, RefusalKind::Forbidden);
        let mut both = account("suspended");
        both.facts.insert("confirmed".to_owned(), false.into());
        assert_eq!(switch(&both, true).unwrap_err().kind, RefusalKind::Unsupported);
        assert_eq!(switch(&account("staged"), true).unwrap_err().kind, RefusalKind::Unsupported);
        assert_eq!(switch(&account("odd"), false).unwrap_err().kind, RefusalKind::Unsupported);
    }
}
