//! The settings of the simulated forum: what a seed's `settings` and `POST /_lab/settings` may say. Those that Discourse
//! has too bear its names and its defaults.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::strict;

/// Everything about the forum that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own at Discourse")]
pub(super) struct Settings {
    pub(super) enable_discourse_connect: bool,
    pub(super) auth_overrides_email: bool,
    pub(super) auth_overrides_username: bool,
    pub(super) auth_overrides_name: bool,
    pub(super) discourse_connect_overrides_groups: bool,
    pub(super) discourse_connect_overrides_bio: bool,
    pub(super) discourse_connect_overrides_location: bool,
    pub(super) discourse_connect_overrides_website: bool,
    /// Shown to nobody.
    pub(super) discourse_connect_secret: String,
    /// The kind of the system people sign in through, such as `zitadel`; empty: none.
    pub(super) login_provider: String,
    pub(super) email_editable: bool,
    pub(super) hide_email_address_taken: bool,
    pub(super) require_change_email_confirmation: bool,
    pub(super) enable_secondary_emails: bool,
    pub(super) blocked_email_domains: Vec<String>,
    pub(super) enable_names: bool,
    pub(super) allow_user_locale: bool,
    pub(super) user_selected_primary_groups: bool,
    pub(super) min_username_length: usize,
    pub(super) max_username_length: usize,
    pub(super) unicode_usernames: bool,
    /// For how many days somebody who has written something may still change her username; 0: nobody ever may (known of
    /// Discourse; in no contract). Whoever has written something in the lab did so long ago.
    pub(super) username_change_period: usize,
    /// With `*` for any letters.
    pub(super) reserved_usernames: Vec<String>,
    pub(super) here_mention: String,
    /// One bucket for all admin keys; 0: no limit.
    pub(super) max_admin_api_reqs_per_minute: usize,
    /// True: requests from this machine count against the limits per address too, as those from elsewhere do.
    pub(super) limit_this_machine: bool,
    pub(super) max_reqs_per_ip_per_10_seconds: usize,
    pub(super) max_reqs_per_ip_per_minute: usize,
    pub(super) max_user_api_reqs_per_minute: usize,
    pub(super) max_user_api_reqs_per_day: usize,
    /// True: the forum takes no writes.
    pub(super) read_only: bool,
    /// How long every answer takes, in milliseconds.
    pub(super) latency_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let reserved = [
            "admin",
            "moderator",
            "administrator",
            "mod",
            "sys",
            "system",
            "community",
            "info",
            "you",
            "name",
            "username",
            "user",
            "nickname",
            "discourse",
            "discourseorg",
            "discourseforum",
            "support",
        ];
        Self {
            enable_discourse_connect: false,
            auth_overrides_email: false,
            auth_overrides_username: false,
            auth_overrides_name: false,
            discourse_connect_overrides_groups: false,
            discourse_connect_overrides_bio: false,
            discourse_connect_overrides_location: false,
            discourse_connect_overrides_website: false,
            // What stands for every secret of a project in the lab.
            discourse_connect_secret: "lab".to_owned(),
            login_provider: String::new(),
            email_editable: true,
            hide_email_address_taken: false,
            require_change_email_confirmation: false,
            enable_secondary_emails: true,
            blocked_email_domains: Vec::new(),
            enable_names: true,
            allow_user_locale: false,
            user_selected_primary_groups: false,
            min_username_length: 3,
            max_username_length: 20,
            unicode_usernames: false,
            username_change_period: 3,
            reserved_usernames: reserved.iter().map(|name| (*name).to_owned()).collect(),
            here_mention: "here".to_owned(),
            max_admin_api_reqs_per_minute: 60,
            limit_this_machine: false,
            max_reqs_per_ip_per_10_seconds: 50,
            max_reqs_per_ip_per_minute: 200,
            max_user_api_reqs_per_minute: 20,
            max_user_api_reqs_per_day: 2880,
            read_only: false,
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced.
    pub(super) fn merged(&self, wanted: &Value) -> Result<Self, String> {
        strict::merged(self, wanted)
    }

    /// The settings as everybody may see them.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("discourse_connect_secret");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_merge_name_what_is_wrong_and_keep_their_secret() {
        let settings = Settings::default().merged(&json!({ "auth_overrides_name": true })).unwrap();
        assert_eq!(settings, Settings { auth_overrides_name: true, ..Settings::default() });
        let error = Settings::default().merged(&json!({ "auth_override_name": true })).unwrap_err();
        assert!(error.starts_with("settings.auth_override_name: unknown field"), "{error}");
        assert!(Settings::default().merged(&json!([])).is_err());
        assert!(Settings::default().shown().get("discourse_connect_secret").is_none());
    }
}
