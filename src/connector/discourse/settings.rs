//! What an operator can say about one Discourse beside its address and key.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::model::secret::Secret;

/// The keys of a `kind = "discourse"` system that other providers do not have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The administrator as whom an "all users" key acts (`Api-Username`). A key of one user needs none.
    #[schemars(example = &"homeward")]
    pub(super) username: Option<String>,
    /// The attributes that Discourse takes from the identity provider at every sign-in (`auth_overrides_email` and its
    /// like there).
    pub(super) auth_overrides: BTreeSet<Overridden>,
    /// The kind of the system people sign in through, such as `zitadel`: it is named as the owner of `auth_overrides`.
    #[schemars(example = &"zitadel")]
    pub(super) signs_in_through: Option<String>,
    /// Where the secret of `DiscourseConnect` is found. With it, what `auth_overrides` names is changed in one step
    /// (`sync_sso`), as the identity provider itself would.
    #[schemars(with = "Option<Place>", extend("writeOnly" = true))]
    pub(super) discourse_connect_secret: Option<ConnectSecret>,
    /// Whether bio, location, website, locale and `user_field_N` are read too, which takes a request for each account.
    pub(super) profile: bool,
    /// Neutral attributes that user fields hold, by the fields' numbers: `{ department = 3 }`. Implies `profile`.
    pub(super) user_fields: BTreeMap<Mapped, u32>,
    /// As the setting of the same name there.
    #[schemars(range(min = 1, max = 60))]
    pub(super) min_username_length: usize,
    /// As the setting of the same name there.
    #[schemars(range(min = 1, max = 60))]
    pub(super) max_username_length: usize,
    /// As the setting of the same name there.
    pub(super) unicode_usernames: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            username: None,
            auth_overrides: BTreeSet::new(),
            signs_in_through: None,
            discourse_connect_secret: None,
            profile: false,
            user_fields: BTreeMap::new(),
            min_username_length: 3,
            max_username_length: 20,
            unicode_usernames: false,
        }
    }
}

impl Settings {
    /// Whether profiles are read.
    pub(super) fn reads_profiles(&self) -> bool {
        self.profile || !self.user_fields.is_empty()
    }

    /// The number of the user field that holds an attribute, by the attribute's local name.
    pub(super) fn field(&self, name: &str) -> Option<u32> {
        let own = name.strip_prefix("user_field_").and_then(|number| number.parse().ok());
        own.or_else(|| self.user_fields.iter().find(|(mapped, _)| mapped.name() == name).map(|(_, id)| *id))
    }

    /// True where the identity provider's word counts for it, by the attribute's local name.
    pub(super) fn overrides(&self, name: &str) -> bool {
        self.auth_overrides.iter().any(|overridden| overridden.name() == name)
    }
}

/// An attribute that Discourse can take from the identity provider (`discourse.md` 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Overridden {
    /// The e-mail address.
    Email,
    /// The username.
    Username,
    /// The display name.
    Name,
}

impl Overridden {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::Name => "display_name",
        }
    }
}

/// A neutral attribute that only a user field can hold here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mapped {
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// The nickname.
    Nickname,
    /// The position.
    Position,
    /// The department.
    Department,
    /// The time zone.
    Timezone,
    /// The phone number.
    Phone,
}

impl Mapped {
    fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Nickname => "nickname",
            Self::Position => "position",
            Self::Department => "department",
            Self::Timezone => "timezone",
            Self::Phone => "phone",
        }
    }
}

/// Where a secret is found: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is read where secrets are; here only its shape counts")]
struct Place {
    /// An environment variable.
    env: Option<String>,
    /// A file.
    file: Option<String>,
}

/// The secret of `DiscourseConnect`; while nothing is asked of the network it is not read.
#[derive(Clone, Debug)]
pub(super) enum ConnectSecret {
    /// It is known where it is.
    Unread,
    /// Ready to sign with.
    Read(Secret),
}

impl<'de> Deserialize<'de> for ConnectSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Place(#[expect(dead_code, reason = "only its shape counts")] Place),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(text) => Self::Read(Secret::from(text)),
            Written::Place(_) => Self::Unread,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_key_is_read_and_none_is_needed() {
        let none: Settings = serde_json::from_value(json!({})).unwrap();
        assert!(none.username.is_none() && !none.reads_profiles() && !none.overrides("email"));
        let said = json!({
            "username": "homeward", "auth_overrides": ["name", "email"], "signs_in_through": "zitadel",
            "discourse_connect_secret": { "env": "X" }, "user_fields": { "department": 3 }, "max_username_length": 30,
        });
        let settings: Settings = serde_json::from_value(said).unwrap();
        assert!(settings.overrides("display_name") && settings.overrides("email") && !settings.overrides("username"));
        assert_eq!(settings.field("department"), Some(3));
        assert_eq!(settings.field("user_field_12"), Some(12));
        assert_eq!(settings.field("position"), None);
        assert!(settings.reads_profiles());
        assert!(matches!(settings.discourse_connect_secret, Some(ConnectSecret::Unread)));
    }

    #[test]
    fn unknown_keys_are_errors_and_a_secret_is_not_repeated() {
        for said in [json!({ "user": 1 }), json!({ "auth_overrides": ["bio"] }), json!({ "user_fields": { "x": 1 } })] {
            assert!(serde_json::from_value::<Settings>(said.clone()).is_err(), "{said} was taken");
        }
        let said = json!({ "discourse_connect_secret": "c4nary", "username": 5 });
        let error = serde_json::from_value::<Settings>(said).unwrap_err().to_string();
        assert!(!error.contains("c4nary"), "{error}");
        let settings: Settings = serde_json::from_value(json!({ "discourse_connect_secret": "c4nary" })).unwrap();
        assert!(!format!("{settings:?}").contains("c4nary"));
    }
}
