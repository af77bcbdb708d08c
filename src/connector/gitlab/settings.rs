//! What an operator can say about one GitLab beside its address and token.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a `kind = "gitlab"` system that other providers do not have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// What kind of token this is. Both travel alike; the kind decides what is checked and advised.
    pub(super) token_kind: TokenKind,
    /// The attributes that GitLab itself takes from a login provider (`sync_profile_attributes`). For users of that
    /// provider it drops them from every request and still answers 200.
    pub(super) synced_attributes: BTreeSet<Synced>,
    /// The login provider, as GitLab names it, whose users `synced_attributes` is about.
    pub(super) synced_from: String,
}

/// The kinds of token that can administer users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TokenKind {
    /// A personal access token.
    #[default]
    Personal,
    /// An OAuth access token.
    Oauth,
}

/// An attribute that GitLab can take from a login provider, in GitLab's words (`gitlab.md` 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Synced {
    /// The display name.
    Name,
    /// The primary e-mail address.
    Email,
    /// The location.
    Location,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_kind: TokenKind::Personal,
            synced_attributes: BTreeSet::new(),
            // The name of the first directory in GitLab's own configuration samples.
            synced_from: "ldapmain".to_owned(),
        }
    }
}

impl Synced {
    /// GitLab's name of the field.
    pub(super) fn remote(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Email => "email",
            Self::Location => "location",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_said_means_a_personal_token_and_nothing_synced() {
        let settings: Settings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!((settings.token_kind, settings.synced_from.as_str()), (TokenKind::Personal, "ldapmain"));
    }

    #[test]
    fn every_key_is_read() {
        let said = json!({ "token_kind": "oauth", "synced_attributes": ["email", "name"], "synced_from": "zitadel" });
        let settings: Settings = serde_json::from_value(said).unwrap();
        let expected = Settings {
            token_kind: TokenKind::Oauth,
            synced_attributes: BTreeSet::from([Synced::Name, Synced::Email]),
            synced_from: "zitadel".to_owned(),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn unknown_keys_and_words_are_errors() {
        for said in [json!({ "token": 1 }), json!({ "token_kind": "deploy" }), json!({ "synced_attributes": ["note"] })]
        {
            assert!(serde_json::from_value::<Settings>(said.clone()).is_err(), "{said} was taken");
        }
    }
}
