//! What an operator can say about one WordPress beside its address and application password.
//!
//! One table in the configuration stands for the site in both of its roles: as a provider, which this folder is about,
//! and as a source. The keys of the source are known here by name only, so that they are no mistakes.

use schemars::JsonSchema;
use serde::{Deserialize, de::IgnoredAny};

/// The keys of a `kind = "wordpress"` system that other providers do not have.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The login of the account whose application password `token` is; its e-mail address will do too.
    #[schemars(example = &"homeward")]
    pub(super) username: String,
    /// Keys of user meta that records of this site carry beside the fields that every WordPress has. Each must be
    /// registered for REST by a plugin, best for the context `edit` only: others are shown to everybody.
    #[serde(default)]
    #[schemars(example = ["employee_id", "department"])]
    pub(super) meta: Vec<String>,
    /// Whether somebody who is missing from the list of users has left.
    #[serde(default)]
    pub(super) coverage: Coverage,
    #[serde(default)]
    #[schemars(skip)]
    pub(super) says: IgnoredAny,
    #[serde(default)]
    #[schemars(skip)]
    pub(super) poll: IgnoredAny,
    #[serde(default)]
    #[schemars(skip)]
    pub(super) webhook: IgnoredAny,
}

/// What a missing user means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Coverage {
    /// The site has everybody: who is missing has left.
    Full,
    /// The site has some people: nothing follows from who is missing.
    #[default]
    Partial,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_login_is_all_that_is_needed() {
        let settings: Settings = serde_json::from_value(json!({ "username": "homeward" })).unwrap();
        assert_eq!((settings.username.as_str(), settings.meta.len()), ("homeward", 0));
        assert_eq!(settings.coverage, Coverage::Partial);
        assert!(serde_json::from_value::<Settings>(json!({})).is_err());
    }

    #[test]
    fn the_keys_of_the_source_are_no_mistakes() {
        let said = json!({
            "username": "homeward", "meta": ["employee_id"], "coverage": "full", "says": "changes", "poll": "5m",
            "webhook": { "listen": "127.0.0.1:8088" },
        });
        let settings: Settings = serde_json::from_value(said).unwrap();
        assert_eq!((settings.meta, settings.coverage), (vec!["employee_id".to_owned()], Coverage::Full));
    }

    #[test]
    fn unknown_keys_and_words_are_errors() {
        for said in [json!({ "user": "x" }), json!({ "coverage": "most" }), json!({ "meta": "employee_id" })] {
            let mut whole = json!({ "username": "homeward" });
            whole.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
            assert!(serde_json::from_value::<Settings>(whole).is_err(), "{said} was taken");
        }
    }
}
