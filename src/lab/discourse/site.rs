//! The forum itself: its users, groups, fields and keys, and what was sent and written down.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{limiter::Limiter, settings::Settings, user::User};

/// Where time begins: 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

/// The forum.
pub(super) struct Site {
    pub(super) settings: Settings,
    pub(super) users: BTreeMap<i64, User>,
    pub(super) groups: BTreeMap<u64, Group>,
    pub(super) fields: BTreeMap<u32, Field>,
    pub(super) keys: Vec<Key>,
    /// Mails that left: what about, and to whom.
    pub(super) mails: Vec<Value>,
    /// What staff can read of what was done: `check_email` and its like.
    pub(super) staff_log: Vec<Value>,
    pub(super) limiter: Limiter,
    pub(super) next_id: i64,
    /// Seconds that have passed: one with every change.
    pub(super) ticks: i64,
    /// The login of the account that our key belongs to.
    pub(super) ours: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) automatic: bool,
    pub(super) members: BTreeSet<i64>,
    pub(super) owners: BTreeSet<i64>,
}

/// A field of profiles that the forum's staff made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) editable: bool,
}

/// A key of the interface.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) text: String,
    /// `None`: it may act as anybody.
    pub(super) user: Option<String>,
    pub(super) revoked: bool,
    pub(super) ips: Option<Vec<String>>,
    /// `None`: everything.
    pub(super) scopes: Option<Vec<String>>,
    /// True for the kind that a person gives an app, which travels in a header of its own.
    pub(super) of_app: bool,
}

impl Site {
    /// The user of this name, in any letter case.
    pub(super) fn named(&self, name: &str) -> Option<&User> {
        self.users.values().find(|user| same(&user.username, name))
    }

    /// The user with this id or name.
    pub(super) fn found(&self, user: &str) -> Option<i64> {
        let by_id = user.parse().ok().filter(|id| self.users.contains_key(id));
        by_id.or_else(|| self.named(user).map(|user| user.id))
    }

    /// Whoever has this address, as the primary or another one.
    pub(super) fn holder(&self, email: &str) -> Option<&User> {
        self.users.values().find(|user| user.holds(email))
    }

    /// Users and groups share their names.
    pub(super) fn is_name_taken(&self, name: &str, own: Option<i64>) -> bool {
        self.users.values().any(|user| Some(user.id) != own && same(&user.username, name))
            || self.groups.values().any(|group| same(&group.name, name))
    }

    pub(super) fn group_named(&self, name: &str) -> Option<&Group> {
        self.groups.values().find(|group| same(&group.name, name))
    }

    /// The groups somebody is in, those that fill themselves included.
    pub(super) fn groups_of(&self, id: i64) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(move |group| self.is_in(group, id))
    }

    pub(super) fn is_in(&self, group: &Group, id: i64) -> bool {
        let Some(user) = self.users.get(&id) else { return false };
        match (group.automatic, group.name.as_str()) {
            (true, "admins") => user.admin,
            (true, "moderators") => user.moderator,
            (true, "staff") => user.is_staff(),
            (true, "trust_level_0" | "trust_level_1") => id > 0 && !user.staged,
            _ => group.members.contains(&id),
        }
    }

    /// Deletes a user: who is gone is in no group any more.
    pub(super) fn delete(&mut self, id: i64) {
        self.tick();
        self.users.remove(&id);
        for group in self.groups.values_mut() {
            group.members.remove(&id);
            group.owners.remove(&id);
        }
    }

    /// Time goes on by a second.
    pub(super) fn tick(&mut self) -> String {
        self.ticks += 1;
        moment(self.ticks)
    }

    pub(super) fn mail(&mut self, about: &str, to: &str) {
        self.mails.push(json!({ "about": about, "to": to }));
    }

    pub(super) fn log(&mut self, action: &str, about: i64) {
        self.staff_log.push(json!({ "action": action, "user": about }));
    }

    /// Everything, secrets left out.
    pub(super) fn dump(&self) -> Value {
        let users: serde_json::Map<String, Value> =
            self.users.values().filter(|user| user.id > 0).map(|user| (user.id.to_string(), user.dump())).collect();
        let groups: serde_json::Map<String, Value> = self
            .groups
            .values()
            .filter(|group| !group.automatic)
            .map(|group| (group.name.clone(), json!({ "members": group.members, "owners": group.owners })))
            .collect();
        json!({
            "settings": self.settings.shown(), "users": users, "groups": groups, "mails": self.mails,
            "staff_log": self.staff_log,
        })
    }
}

impl Group {
    /// As Discourse shows it; to somebody in particular with what she is in it.
    pub(super) fn shown(&self, site: &Site, caller: Option<i64>) -> Value {
        let count = site.users.keys().filter(|id| site.is_in(self, **id)).count();
        let mut shown = json!({
            "id": self.id, "automatic": self.automatic, "name": self.name, "display_name": self.name,
            "user_count": count, "mentionable_level": 0, "messageable_level": 0, "visibility_level": 0,
            "primary_group": false, "title": null, "grant_trust_level": null, "incoming_email": null,
            "has_messages": false, "flair_url": null, "flair_bg_color": null, "flair_color": null, "bio_raw": null,
            "bio_cooked": null, "bio_excerpt": null, "public_admission": false, "public_exit": false,
            "allow_membership_requests": false, "full_name": null, "default_notification_level": 3,
            "membership_request_template": null, "members_visibility_level": 0, "can_see_members": true,
            "can_admin_group": true, "publish_read_state": false,
        });
        if let (Some(id), Some(shown)) = (caller, shown.as_object_mut()) {
            let _ = shown.shift_remove("display_name");
            let more = json!({
                "is_group_user": site.is_in(self, id), "is_group_owner_display": self.owners.contains(&id),
                "can_edit_group": true, "mentionable": true, "messageable": false,
                "automatic_membership_email_domains": null, "smtp_server": null, "smtp_port": null, "smtp_ssl_mode": null,
                "email_username": null, "email_password": null, "message_count": 0,
                "allow_unknown_sender_topic_replies": false, "watching_category_ids": [], "tracking_category_ids": [],
                "watching_first_post_category_ids": [], "regular_category_ids": [], "muted_category_ids": [],
            });
            shown.extend(more.as_object().cloned().unwrap_or_default());
        }
        shown
    }
}

/// Names and addresses are compared without letter case.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A moment, so many seconds after the beginning.
pub(super) fn moment(ticks: i64) -> String {
    let moment = jiff::Timestamp::from_second(EPOCH + ticks).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}
