//! On and off: GitLab's account states and the calls that lead from one to the next (`gitlab.md` section 4).
//!
//! `active` is true for whoever can sign in: also for a deactivated account, which wakes up at its next sign-in. So nobody
//! wakes it before, and where its person leaves it is blocked like any other. Whoever is banned or waits for approval cannot
//! sign in, whatever the word. Switching off is always `block`: `deactivate` would be refused for everybody who worked here
//! within the dormant period. An account that is off already, in whatever state, is left in that state.

use crate::model::{
    account::Account,
    attribute::AttributeName,
    plan::Operation,
    refusal::{Refusal, RefusalKind},
};

/// A call that changes the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Switch {
    Block,
    Unblock,
}

impl Switch {
    /// The last part of its path.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Unblock => "unblock",
        }
    }

    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Block => Operation::Disable,
            Self::Unblock => Operation::Enable,
        }
    }
}

/// True for a state in which its holder can sign in, or is let in by signing in.
pub(super) fn may_sign_in(state: &str) -> bool {
    matches!(state, "active" | "deactivated")
}

/// The call that makes the account active or not; `None` where it is so already.
///
/// # Errors
/// GitLab's no, foreseen.
pub(super) fn switch(account: &Account, active: bool) -> Result<Option<Switch>, Refusal> {
    let no = |kind, reason: &str| Err(Refusal::new(kind, reason));
    match (state(account), active) {
        (state, true) if may_sign_in(state) => Ok(None),
        ("blocked" | "ldap_blocked" | "banned" | "blocked_pending_approval", false) => Ok(None),
        (state, false) if may_sign_in(state) && is_us(account) => {
            no(RefusalKind::Forbidden, "this is the account we work with, and GitLab lets nobody block herself")
        }
        (state, false) if may_sign_in(state) && is_internal(account) => no(
            RefusalKind::Forbidden,
            "this is one of GitLab's own accounts or a token's bot; it is not blocked from outside",
        ),
        (state, false) if may_sign_in(state) => Ok(Some(Switch::Block)),
        // A banned user becomes active by this as well; `unban` is for another kind of decision.
        ("blocked" | "banned", true) => Ok(Some(Switch::Unblock)),
        ("ldap_blocked", true) => no(
            RefusalKind::Forbidden,
            "the LDAP directory blocks this account and only the directory can let it in again",
        ),
        ("blocked_pending_approval", true) => no(
            RefusalKind::Unsupported,
            "this account waits for an administrator's approval, which is a decision of its own: approve or reject it in \
             the admin area",
        ),
        _ => no(RefusalKind::Unsupported, "GitLab shows this account in a state that is not known here"),
    }
}

/// The state as GitLab names it; where only `active` is known, the plainest one that fits.
fn state(account: &Account) -> &str {
    let active =
        || account.attributes.get(&AttributeName::new("active")).and_then(crate::model::attribute::Value::as_bool);
    account.fact("state").unwrap_or_else(|| if active() == Some(false) { "blocked" } else { "active" })
}

fn is_us(account: &Account) -> bool {
    account.id.as_ref().is_some_and(|id| account.server_fact("me") == Some(id.as_str()))
}

/// Bots carry a mark. The ghost, who inherits what deleted users wrote, carries none but its name.
fn is_internal(account: &Account) -> bool {
    let username = account.value(&AttributeName::new("username"));
    account.is("bot") || username.as_text() == Some("ghost")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{account::Facts, attribute::Value};

    fn account(state: &str) -> Account {
        let mut account = Account::absent("gitlab".into(), Arc::new(Facts::from([("me".to_owned(), "1".into())])));
        account.id = Some("42".into());
        account.facts.insert("state".to_owned(), state.into());
        account
    }

    fn kind(outcome: Result<Option<Switch>, Refusal>) -> RefusalKind {
        outcome.unwrap_err().kind
    }

    #[test]
    fn switching_off_blocks_and_switching_on_takes_the_way_back_that_fits() {
        assert_eq!(switch(&account("active"), false), Ok(Some(Switch::Block)));
        assert_eq!(switch(&account("blocked"), true), Ok(Some(Switch::Unblock)));
        assert_eq!(switch(&account("banned"), true), Ok(Some(Switch::Unblock)));
        // It would wake up at its next sign-in.
        assert_eq!(switch(&account("deactivated"), false), Ok(Some(Switch::Block)));
    }

    #[test]
    fn what_is_so_already_needs_no_call() {
        assert_eq!(switch(&account("active"), true), Ok(None));
        assert_eq!(switch(&account("deactivated"), true), Ok(None));
        for state in ["blocked", "ldap_blocked", "banned", "blocked_pending_approval"] {
            assert_eq!(switch(&account(state), false), Ok(None), "{state}");
        }
    }

    #[test]
    fn the_directory_and_the_waiting_room_have_their_own_doors() {
        assert_eq!(kind(switch(&account("ldap_blocked"), true)), RefusalKind::Forbidden);
        assert_eq!(kind(switch(&account("blocked_pending_approval"), true)), RefusalKind::Unsupported);
        assert_eq!(kind(switch(&account("on_holiday"), true)), RefusalKind::Unsupported);
        assert_eq!(kind(switch(&account("on_holiday"), false)), RefusalKind::Unsupported);
    }

    #[test]
    fn we_do_not_block_ourselves_nor_gitlabs_own_accounts() {
        let mut us = account("active");
        us.id = Some("1".into());
        let mut bot = account("active");
        bot.facts.insert("bot".to_owned(), true.into());
        let mut ghost = account("active");
        ghost.attributes.insert(AttributeName::new("username"), "ghost".into());
        for account in [us, bot, ghost] {
            assert_eq!(kind(switch(&account, false)), RefusalKind::Forbidden);
        }
    }

    #[test]
    fn an_account_of_which_only_active_is_known_counts_as_active_or_blocked() {
        let mut account = account("active");
        account.facts.clear();
        assert_eq!(switch(&account, false), Ok(Some(Switch::Block)));
        account.attributes.insert(AttributeName::new("active"), Value::Bool(false));
        assert_eq!(switch(&account, true), Ok(Some(Switch::Unblock)));
    }
}
