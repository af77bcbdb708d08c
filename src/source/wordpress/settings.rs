//! What is configured for WordPress as a source.
//!
//! The keys of its other role (address, credentials) and of the service (interval, webhook) are not looked at here.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::source::csv_file::settings::Coverage;

/// Keys of user meta that may be configured.
const MAX_META: usize = 64;

/// The keys as they are written.
#[derive(Clone, Debug, Deserialize)]
struct Written {
    /// Keys of user meta that are read too, each as the column `meta_KEY`. They must be registered for the REST API.
    #[serde(default)]
    meta: Vec<String>,
    /// The login of the account that reads.
    username: Option<String>,
    /// Whether absence from the list means "gone" (full) or nothing (partial).
    #[serde(default)]
    coverage: Coverage,
}

/// What is configured, checked and ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) meta: Vec<String>,
    /// The account that reads: its login or its e-mail address. `None`: whoever the credentials belong to.
    pub(crate) username: Option<String>,
    pub(crate) coverage: Coverage,
    pub(super) limits: Limits,
}

/// Sizes above which a list is no honest one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) users: u64,
    /// Bytes of one value.
    pub(super) field: usize,
    /// Bytes of all values together.
    pub(super) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { users: 1_000_000, field: 8 << 10, bytes: 1 << 30 }
    }
}

/// What is wrong with the settings.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct SettingsError {
    /// The key at fault, where it is known: a place to point at.
    pub(crate) key: Option<&'static str>,
    pub(crate) why: String,
    pub(crate) hint: Option<String>,
}

impl Settings {
    /// Checks what was written for one system. Keys of other roles are passed over.
    pub(crate) fn new(options: &serde_json::Value) -> Result<Self, SettingsError> {
        let written = Written::deserialize(options).map_err(|cause| SettingsError {
            key: None,
            why: cause.to_string(),
            hint: None,
        })?;
        let mut seen = BTreeSet::new();
        for key in &written.meta {
            if key.is_empty() || key.len() > 255 || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(fault(
                    "`meta` holds something that is no key of user meta",
                    "write the names as they are registered, such as `employee_id`",
                ));
            }
            if !seen.insert(key) {
                return Err(fault(&format!("`meta` names `{key}` twice"), "name each key once"));
            }
        }
        if written.meta.len() > MAX_META {
            return Err(fault(&format!("`meta` names more than {MAX_META} keys"), "name those that rules use"));
        }
        let username = written.username.filter(|name| !name.trim().is_empty());
        Ok(Self { meta: written.meta, username, coverage: written.coverage, limits: Limits::default() })
    }
}

fn fault(why: &str, hint: &str) -> SettingsError {
    SettingsError { key: Some("meta"), why: why.to_owned(), hint: Some(hint.to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_keys_of_other_roles_are_passed_over() {
        let settings = Settings::new(&json!({
            "meta": ["employee_id"], "coverage": "full", "username": "homeward", "poll": "5m", "webhook": { "x": 1 },
        }));
        let settings = settings.unwrap();
        assert_eq!(settings.meta, ["employee_id"]);
        assert_eq!(settings.username.as_deref(), Some("homeward"));
        assert_eq!(settings.coverage, Coverage::Full);
        let bare = Settings::new(&json!({})).unwrap();
        assert_eq!((bare.meta.len(), bare.username, bare.coverage), (0, None, Coverage::Partial));
    }

    #[test]
    fn a_key_of_meta_that_cannot_be_one_is_named_as_the_fault() {
        for (meta, why) in [
            (json!([""]), "`meta` holds something that is no key of user meta"),
            (json!(["a b"]), "`meta` holds something that is no key of user meta"),
            (json!(["a", "b", "a"]), "`meta` names `a` twice"),
        ] {
            let error = Settings::new(&json!({ "meta": meta })).unwrap_err();
            assert_eq!((error.key, error.why.as_str()), (Some("meta"), why));
        }
    }
}
