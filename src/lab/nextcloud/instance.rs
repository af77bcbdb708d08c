//! Everything the server holds, and who may do what to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde_json::{Value, json};

use super::{
    door::{Caller, Door},
    settings::{Rights, Settings, Version},
    user::User,
};

/// The group whose members may do everything.
pub(super) const ADMINISTRATORS: &str = "admin";

/// A whole server.
pub(super) struct Instance {
    pub(super) settings: Settings,
    pub(super) users: BTreeMap<String, User>,
    /// Display names of groups by id.
    pub(super) groups: BTreeMap<String, String>,
    /// Our account.
    pub(super) account: String,
    pub(super) door: Door,
    pub(super) began: Instant,
    /// Ids that were given.
    pub(super) given: u64,
}

/// What a caller is to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) is_admin: bool,
    pub(super) is_herself: bool,
    /// She may see and change it for another reason than being it.
    pub(super) reaches: bool,
}

impl Instance {
    /// True for whoever may do everything, or everything but what concerns those.
    pub(super) fn is_admin(&self, id: &str) -> bool {
        self.users.get(id).is_some_and(|user| user.groups.contains(ADMINISTRATORS))
    }

    pub(super) fn is_delegated(&self, id: &str) -> bool {
        let is_ours = id == self.account && self.settings.rights == Some(Rights::Delegated);
        is_ours && self.settings.version >= Version::V30
    }

    /// True for whoever administers somebody.
    pub(super) fn administers(&self, id: &str) -> bool {
        self.is_admin(id) || self.is_delegated(id) || !self.leads(id).is_empty()
    }

    /// The groups somebody is an admin of.
    pub(super) fn leads(&self, id: &str) -> BTreeSet<String> {
        self.users.get(id).map(|user| user.subadmin.clone()).unwrap_or_default()
    }

    pub(super) fn standing(&self, caller: &Caller, user: &User) -> Standing {
        let is_admin = self.is_admin(&caller.id);
        let of_hers = || !user.groups.is_disjoint(&self.leads(&caller.id)) && !user.groups.contains(ADMINISTRATORS);
        let delegated = || self.is_delegated(&caller.id) && !user.groups.contains(ADMINISTRATORS);
        Standing { is_admin, is_herself: caller.id == user.id, reaches: is_admin || delegated() || of_hers() }
    }

    /// Gives our account what the setting says.
    pub(super) fn take_rights(&mut self) {
        let Some(rights) = self.settings.rights else { return };
        let led = self.groups.keys().filter(|group| *group != ADMINISTRATORS).cloned().collect();
        let Some(ours) = self.users.get_mut(&self.account) else { return };
        ours.subadmin = if rights == Rights::GroupAdmin { led } else { BTreeSet::new() };
        if rights == Rights::Admin {
            ours.groups.insert(ADMINISTRATORS.to_owned());
        } else {
            ours.groups.remove(ADMINISTRATORS);
        }
    }

    pub(super) fn dump(&self) -> Value {
        json!({
            "account": self.account, "groups": self.groups, "settings": self.settings, "users": self.users,
            "failed_sign_ins": self.door.failures(),
        })
    }
}
