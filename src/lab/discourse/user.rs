//! One user of the forum, and how she is shown to whom (`discourse.md` 3).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{caller::Caller, preferences, site::Site};

/// A user.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own at Discourse")]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) secondary: Vec<String>,
    /// Addresses that wait for a click.
    pub(super) pending: Vec<Pending>,
    /// Her address is confirmed.
    pub(super) active: bool,
    pub(super) admin: bool,
    pub(super) moderator: bool,
    pub(super) staged: bool,
    pub(super) approved: bool,
    pub(super) suspension: Option<Suspension>,
    pub(super) silenced: bool,
    pub(super) title: String,
    pub(super) locale: String,
    pub(super) bio: String,
    pub(super) location: String,
    pub(super) website: String,
    pub(super) date_of_birth: String,
    pub(super) fields: BTreeMap<u32, String>,
    pub(super) custom: BTreeMap<String, String>,
    pub(super) record: Option<ExternalRecord>,
    pub(super) primary_group: Option<u64>,
    pub(super) flair_group: Option<u64>,
    pub(super) has_posts: bool,
    pub(super) is_anonymous: bool,
    /// Times she was signed out.
    pub(super) sign_outs: u64,
    pub(super) created_at: String,
}

/// An address that waits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) email: String,
    /// The old address has to agree first.
    pub(super) old_first: bool,
    /// It will be one more address, and the primary one stays.
    pub(super) adds: bool,
}

/// Why and how long somebody is suspended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Suspension {
    pub(super) at: String,
    pub(super) till: String,
    pub(super) reason: String,
    pub(super) by: i64,
}

/// What the identity provider said of her the last time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ExternalRecord {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) name: String,
}

impl User {
    pub(super) fn is_staff(&self) -> bool {
        self.admin || self.moderator
    }

    pub(super) fn holds(&self, email: &str) -> bool {
        self.email.eq_ignore_ascii_case(email) || self.secondary.iter().any(|other| other.eq_ignore_ascii_case(email))
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.suspension.is_some()
    }

    /// Everything, for tests.
    pub(super) fn dump(&self) -> Value {
        let pending: Vec<Value> = self
            .pending
            .iter()
            .map(|one| json!({ "email": one.email, "old_first": one.old_first, "adds": one.adds }))
            .collect();
        json!({
            "id": self.id, "username": self.username, "name": self.name, "email": self.email,
            "secondary_emails": self.secondary, "pending": pending, "active": self.active, "admin": self.admin,
            "moderator": self.moderator, "staged": self.staged, "approved": self.approved,
            "suspended_till": self.suspension.as_ref().map(|it| it.till.clone()),
            "suspend_reason": self.suspension.as_ref().map(|it| it.reason.clone()), "silenced": self.silenced,
            "title": self.title, "locale": self.locale, "bio": self.bio, "location": self.location,
            "website": self.website, "date_of_birth": self.date_of_birth, "user_fields": self.fields,
            "custom_fields": self.custom, "external_id": self.record.as_ref().map(|it| it.id.clone()),
            "primary_group": self.primary_group, "sign_outs": self.sign_outs, "anonymous": self.is_anonymous,
        })
    }

    /// The part that every serializer begins with.
    fn basic(&self) -> Map<String, Value> {
        let basic = json!({
            "id": self.id, "username": self.username, "name": self.name,
            "avatar_template": format!("/letter_avatar_proxy/v4/letter/{}/{{size}}.png", first_letter(&self.username)),
        });
        basic.as_object().cloned().unwrap_or_default()
    }

    /// As a row of the staff's list; the address only where it is asked for, or where it is our own or a staged one.
    pub(super) fn row(&self, caller: &Caller, show_emails: bool) -> Value {
        let mut row = self.basic();
        if show_emails || self.staged || caller.user == Some(self.id) {
            row.insert("email".to_owned(), json!(self.email));
            row.insert("secondary_emails".to_owned(), json!(self.secondary));
        }
        extend(
            &mut row,
            json!({
                "active": self.active, "admin": self.admin, "moderator": self.moderator, "last_seen_at": null,
                "last_emailed_at": null, "created_at": self.created_at, "last_seen_age": null, "last_emailed_age": null,
                "created_at_age": 1.5, "trust_level": 1, "manual_locked_trust_level": null, "title": or_null(&self.title),
                "time_read": 0, "staged": self.staged, "days_visited": 0, "posts_read_count": 0, "topics_entered": 0,
                "post_count": u64::from(self.has_posts),
            }),
        );
        if let Some(suspension) = &self.suspension {
            extend(&mut row, json!({ "suspended_at": suspension.at, "suspended_till": suspension.till }));
        }
        if self.silenced {
            row.insert("silenced".to_owned(), json!(true));
        }
        Value::Object(row)
    }

    /// As staff sees her in the admin's part.
    pub(super) fn detailed(&self, site: &Site, caller: &Caller) -> Value {
        let mut shown = match self.row(caller, false) {
            Value::Object(row) => row,
            _ => Map::new(),
        };
        let has_posts = self.has_posts;
        let by = self.suspension.as_ref().and_then(|it| site.users.get(&it.by)).map(|by| Value::Object(by.basic()));
        let record = self.record.as_ref().map(|record| {
            json!({
                "user_id": self.id, "external_id": record.id, "external_username": record.username,
                "external_email": record.email, "external_name": record.name,
            })
        });
        let external_ids = self.record.iter().map(|record| ("discourse_connect", record.id.clone()));
        let external_ids: BTreeMap<&str, String> = external_ids.collect();
        let groups: Vec<Value> = site.groups_of(self.id).map(|group| group.shown(site, None)).collect();
        let reason = self.suspension.as_ref().map(|it| it.reason.clone());
        extend(
            &mut shown,
            json!({
                "associated_accounts": [], "can_send_activation_email": !self.active, "can_activate": !self.active,
                "can_deactivate": self.active && !self.is_staff(), "can_change_trust_level": true,
                "ip_address": "127.0.0.1", "registration_ip_address": null, "can_grant_admin": !self.admin,
                "can_revoke_admin": self.admin, "can_grant_moderation": !self.moderator,
                "can_revoke_moderation": self.moderator, "can_impersonate": true, "like_count": 0, "like_given_count": 0,
                "topic_count": 0, "flags_given_count": 0, "flags_received_count": 0, "private_topics_count": 0,
            }),
        );
        extend(
            &mut shown,
            json!({
                "can_delete_all_posts": true, "can_be_deleted": !has_posts, "can_be_anonymized": !self.is_staff(),
                "can_be_merged": true, "full_suspend_reason": reason, "silence_reason": null, "full_silence_reason": null,
                "post_edits_count": 0, "primary_group_id": self.primary_group, "badge_count": 0,
                "warnings_received_count": 0, "bounce_score": 0, "reset_bounce_score_after": null,
                "can_view_action_logs": true, "can_disable_second_factor": false, "can_delete_sso_record": true,
                "api_key_count": 0, "similar_users_count": 0, "single_sign_on_record": record, "approved_by": null,
                "suspended_by": by, "silenced_by": null, "groups": groups, "external_ids": external_ids,
                "include_ip": true,
            }),
        );
        if !site.fields.is_empty() {
            shown.insert("user_fields".to_owned(), self.shown_fields(site));
        }
        Value::Object(shown)
    }

    fn shown_fields(&self, site: &Site) -> Value {
        let fields = site.fields.keys().map(|id| (id.to_string(), json!(self.fields.get(id))));
        Value::Object(fields.collect())
    }

    /// As her profile shows her. The address is for her own eyes, and for a staged user for staff's.
    pub(super) fn profile(&self, site: &Site, caller: &Caller) -> Value {
        let mut user = self.basic();
        let own = caller.user == Some(self.id);
        let mut can = |name: &str, may: bool| {
            user.insert(name.to_owned(), json!(may));
        };
        can("can_edit", own || caller.staff);
        can("can_edit_username", caller.may_edit_username(site, self.id));
        can("can_edit_email", caller.may_edit_email(site, self.id));
        can("can_edit_name", caller.may_edit_name(site, self.id));
        let connect = site.settings.enable_discourse_connect;
        can("can_change_bio", !(connect && site.settings.discourse_connect_overrides_bio));
        can("can_change_location", !(connect && site.settings.discourse_connect_overrides_location));
        can("can_change_website", !(connect && site.settings.discourse_connect_overrides_website));
        // Further addresses stand beside the first one, and to herself those that wait (known of Discourse; in no contract).
        if own || (self.staged && caller.staff) {
            extend(&mut user, json!({ "email": self.email, "secondary_emails": self.secondary }));
            if own {
                let waiting: Vec<&str> = self.pending.iter().map(|one| one.email.as_str()).collect();
                extend(&mut user, json!({ "unconfirmed_emails": waiting }));
            }
        }
        let seen: BTreeSet<u64> = site.groups_of(self.id).map(|group| group.id).collect();
        let groups: Vec<Value> = seen.iter().filter_map(|id| Some(site.groups.get(id)?.shown(site, None))).collect();
        extend(
            &mut user,
            json!({
                "last_posted_at": null, "last_seen_at": null, "created_at": self.created_at, "ignored": false,
                "muted": false, "can_ignore_user": false, "can_mute_user": false, "can_send_private_messages": true,
                "can_send_private_message_to_user": true, "trust_level": 1, "moderator": self.moderator,
                "admin": self.admin, "title": or_null(&self.title), "badge_count": 0, "custom_fields": self.custom,
            }),
        );
        extend(
            &mut user,
            json!({
                "time_read": 0, "recent_time_read": 0, "primary_group_id": self.primary_group,
                "primary_group_name": self.primary_group.and_then(|id| Some(site.groups.get(&id)?.name.clone())),
                "flair_group_id": self.flair_group, "flair_name": null, "flair_url": null, "flair_bg_color": null,
                "flair_color": null, "featured_topic": null, "staged": self.staged, "uploaded_avatar_id": null,
                "has_title_badges": false, "pending_count": 0, "profile_view_count": 0, "second_factor_enabled": false,
            }),
        );
        extend(
            &mut user,
            json!({
                "can_upload_profile_header": true, "can_upload_user_card_background": true,
                "post_count": u64::from(self.has_posts), "topic_count": 0, "can_be_deleted": !self.has_posts,
                "can_delete_all_posts": true, "locale": or_null(&self.locale), "muted_category_ids": [],
                "regular_category_ids": [], "watched_tags": [], "watching_first_post_tags": [], "tracked_tags": [],
                "muted_tags": [], "tracked_category_ids": [], "watched_category_ids": [],
            }),
        );
        extend(
            &mut user,
            json!({
                "watched_first_post_category_ids": [], "system_avatar_upload_id": null,
                "system_avatar_template": "/letter_avatar_proxy/v4/letter/x/{size}.png", "muted_usernames": [],
                "ignored_usernames": [], "allowed_pm_usernames": [], "mailing_list_posts_per_day": 0,
                "can_change_tracking_preferences": true, "user_api_keys": null, "user_auth_tokens": [],
                "user_notification_schedule": preferences::schedule(), "use_logo_small_as_avatar": false, "featured_user_badge_ids": [],
                "invited_by": null, "groups": groups, "group_users": [], "user_option": preferences::options(self.id),
            }),
        );
        for (name, text) in [("bio_raw", &self.bio), ("location", &self.location), ("website", &self.website)] {
            if !text.is_empty() {
                user.insert(name.to_owned(), json!(text));
            }
        }
        if !site.fields.is_empty() {
            user.insert("user_fields".to_owned(), self.shown_fields(site));
        }
        Value::Object(user)
    }

    /// As the list of a group's members has her.
    pub(super) fn member(&self) -> Value {
        let mut row = self.basic();
        let then = "2026-01-01T00:00:00.000Z";
        extend(
            &mut row,
            json!({
                "title": or_null(&self.title), "last_posted_at": then, "last_seen_at": then, "added_at": then,
                "timezone": "Etc/UTC",
            }),
        );
        Value::Object(row)
    }
}

fn first_letter(name: &str) -> char {
    name.chars().next().unwrap_or('x')
}

fn or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn extend(object: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        object.extend(more);
    }
}
