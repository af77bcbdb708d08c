//! The settings of the simulated server: what a seed's `settings` and `POST /_lab/settings` may say.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::strict;

/// Everything about the server that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the real server's, or of its weather")]
pub(super) struct Settings {
    pub(super) version: Version,
    /// What our account may do; none: what its groups say.
    pub(super) rights: Option<Rights>,
    /// How many edits each account may make in which time; null: any number (`nextcloud.md` 6).
    pub(super) edit_limit: Option<Limit>,
    /// The unit of the pause that follows failed sign-ins, in milliseconds (`nextcloud.md` 6).
    pub(super) delay_ms: u64,
    pub(super) allow_user_to_change_display_name: bool,
    pub(super) force_language: bool,
    /// The country whose numbers need no `+`; empty: none.
    pub(super) default_phone_region: String,
    pub(super) languages: BTreeSet<String>,
    pub(super) locales: BTreeSet<String>,
    /// What the quota `default` stands for.
    pub(super) default_quota: String,
    /// The largest quota, such as `10 GB`; empty: any.
    pub(super) max_quota: String,
    pub(super) allow_unlimited_quota: bool,
    /// The shortest password.
    pub(super) shortest_password: usize,
    /// A new account needs an address.
    pub(super) email_required: bool,
    /// Mails to new accounts cannot be sent.
    pub(super) mail_fails: bool,
    /// A new account without an id is given one; `false`: that is bad input.
    pub(super) generates_ids: bool,
    /// The ids that are given are all taken.
    pub(super) ids_run_out: bool,
    /// LDAP takes names that are written to it.
    pub(super) ldap_write_plugin: bool,
    /// What backends write over with each sign-in; none: all that they can.
    pub(super) mapped: Option<BTreeSet<String>>,
    /// Only app passwords sign in.
    pub(super) token_auth_enforced: bool,
    /// A bearer token is too old for what wants a password confirmed.
    pub(super) stale_tokens: bool,
    pub(super) maintenance: bool,
    /// 996 or 999: every request that got as far fails with it; 0: none.
    pub(super) fault: u16,
    /// How long every answer takes, in milliseconds.
    pub(super) latency_ms: u64,
}

/// The versions that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Version {
    #[serde(rename = "27")]
    V27,
    #[serde(rename = "28")]
    V28,
    #[serde(rename = "30")]
    V30,
    /// The master branch of 2026.
    #[serde(rename = "M")]
    Master,
}

impl Version {
    /// The code for a key that is unknown or not permitted.
    pub(super) fn not_editable(self) -> u16 {
        if self == Self::V27 { 103 } else { 113 }
    }

    /// The code for a bad value.
    pub(super) fn bad_value(self) -> u16 {
        if self < Self::V30 { 102 } else { 101 }
    }

    /// The code for a password that the policy refuses.
    pub(super) fn bad_password(self) -> u16 {
        if self == Self::V27 { 103 } else { 107 }
    }

    /// The code for a backend that has passwords of its own.
    pub(super) fn no_passwords(self) -> u16 {
        if self == Self::V27 { 103 } else { 112 }
    }
}

/// What our account may do (`nextcloud.md` 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rights {
    Admin,
    /// Of every group but that of the administrators.
    GroupAdmin,
    /// Everybody but members of the group of the administrators (30 and later).
    Delegated,
    Person,
}

/// So many in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    pub(super) limit: usize,
    /// In milliseconds, so that a test need not wait for ten minutes.
    pub(super) period_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            version: Version::V30,
            rights: None,
            edit_limit: Some(Limit { limit: 50, period_ms: 600_000 }),
            delay_ms: 100,
            allow_user_to_change_display_name: true,
            force_language: false,
            default_phone_region: String::new(),
            languages: set(&["en", "de", "fr"]),
            locales: set(&["en", "en_US", "de", "de_CH", "de_DE", "fr", "fr_FR"]),
            default_quota: "none".to_owned(),
            max_quota: String::new(),
            allow_unlimited_quota: true,
            shortest_password: 10,
            email_required: false,
            mail_fails: false,
            generates_ids: false,
            ids_run_out: false,
            ldap_write_plugin: false,
            mapped: None,
            token_auth_enforced: false,
            stale_tokens: false,
            maintenance: false,
            fault: 0,
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced.
    pub(super) fn merged(&self, wanted: &Value) -> Result<Self, String> {
        strict::merged(self, wanted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_merge_and_name_what_is_wrong() {
        let settings = Settings::default().merged(&json!({ "version": "27", "edit_limit": null })).unwrap();
        let expected = Settings { version: Version::V27, edit_limit: None, ..Settings::default() };
        assert_eq!(settings, expected);
        for (wanted, start) in [
            (json!({ "right": "admin" }), "settings.right: unknown field `right`"),
            (json!({ "rights": "king" }), "settings.rights: unknown variant `king`"),
            (json!({ "version": "29" }), "settings.version: unknown variant `29`"),
            (json!({ "edit_limit": { "limit": 1 } }), "settings.edit_limit: missing field `period_ms`"),
            (json!([]), "settings: an object is expected"),
        ] {
            let error = Settings::default().merged(&wanted).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn codes_moved_between_versions() {
        let codes = |version: Version| {
            (version.not_editable(), version.bad_value(), version.bad_password(), version.no_passwords())
        };
        assert_eq!(codes(Version::V27), (103, 102, 103, 103));
        assert_eq!(codes(Version::V28), (113, 102, 107, 112));
        assert_eq!(codes(Version::V30), (113, 101, 107, 112));
        assert_eq!(codes(Version::Master), codes(Version::V30));
    }
}
