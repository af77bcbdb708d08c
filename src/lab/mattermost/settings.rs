//! The settings of the simulated server: what a seed's `settings` and `POST /_lab/settings` may say.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{super::strict, limiter::RateLimit};

/// Everything about the server that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the real server, and they are independent")]
pub(super) struct Settings {
    pub(super) version: String,
    pub(super) require_email_verification: bool,
    /// Domains, separated by spaces or commas; empty: any.
    pub(super) restrict_creation_to_domains: String,
    /// The same for guests.
    pub(super) guest_restrict_creation_to_domains: String,
    pub(super) enable_user_deactivation: bool,
    pub(super) enable_api_user_deletion: bool,
    pub(super) enable_user_access_tokens: bool,
    pub(super) enable_open_server: bool,
    pub(super) show_email_address: bool,
    pub(super) show_full_name: bool,
    pub(super) max_users_per_team: u64,
    /// How many accounts may be active; none: any number.
    pub(super) user_limit: Option<u64>,
    pub(super) rate_limit: Option<RateLimit>,
    /// True: the closed-source LDAP module is there, and owns the profile of LDAP accounts.
    pub(super) ldap: bool,
    /// How long every answer takes, in milliseconds.
    pub(super) latency_ms: u64,
    /// The login provider of invented people; none: they have a password.
    pub(super) populate_auth_service: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "11.3.0".to_owned(),
            require_email_verification: false,
            restrict_creation_to_domains: String::new(),
            guest_restrict_creation_to_domains: String::new(),
            enable_user_deactivation: true,
            enable_api_user_deletion: false,
            enable_user_access_tokens: true,
            enable_open_server: true,
            show_email_address: true,
            show_full_name: true,
            max_users_per_team: 50,
            user_limit: None,
            rate_limit: None,
            ldap: false,
            latency_ms: 0,
            populate_auth_service: None,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced.
    pub(super) fn merged(&self, wanted: &Value) -> Result<Self, String> {
        let settings = strict::merged(self, wanted)?;
        match settings.rate_limit {
            Some(RateLimit { per_sec: 0, .. }) => Err("settings.rate_limit.per_sec: must be at least 1".to_owned()),
            _ => Ok(settings),
        }
    }
}

/// True where an address is in one of these domains, or where none is named.
pub(super) fn in_domains(email: &str, domains: &str) -> bool {
    let email = email.to_lowercase();
    let domains = domains.to_lowercase().replace(['@', ','], " ");
    let mut domains = domains.split_whitespace().peekable();
    domains.peek().is_none() || domains.any(|domain| email.ends_with(&format!("@{domain}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_merge_and_name_what_they_do_not_know() {
        let settings = Settings::default().merged(&json!({ "ldap": true })).unwrap();
        assert_eq!(settings, Settings { ldap: true, ..Settings::default() });
        let error = settings.merged(&json!({ "ladp": true })).unwrap_err();
        assert!(error.starts_with("settings.ladp: unknown field `ladp`"), "{error}");
        let error = settings.merged(&json!({ "rate_limit": { "per_sec": 0, "max_burst": 1 } })).unwrap_err();
        assert_eq!(error, "settings.rate_limit.per_sec: must be at least 1");
    }

    #[test]
    fn domains_are_matched_whole_and_without_regard_to_case() {
        assert!(in_domains("a@anywhere.example", ""));
        assert!(in_domains("A@Example.COM", "example.org, @example.com"));
        assert!(!in_domains("a@sub.example.com", "example.com"));
        assert!(!in_domains("a@notexample.com", "example.com"));
    }
}
