//! What an operator can say about one Nextcloud beside its address and token. The server tells none of it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a `kind = "nextcloud"` system that other providers do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The user whose app password `token` is. Without it, `token` is a bearer token.
    #[schemars(example = &"homeward")]
    pub(super) username: Option<String>,
    /// What LDAP, SAML or `OpenID` Connect bring with them at each sign-in or synchronisation, for accounts that come from
    /// there. Nextcloud takes a change of it and loses it then, so it is not sent. If not given: all that they can bring.
    #[schemars(example = ["email", "display_name"])]
    pub(super) mapped: Option<BTreeSet<Mapped>>,
    /// The kind of the system that people of such accounts sign in through, such as `zitadel`: what is mapped comes from
    /// there by itself.
    #[schemars(example = &"zitadel")]
    pub(super) login_provider: Option<String>,
    /// Through what people sign in whose accounts are Nextcloud's own (`backend` is `Database`). Where it is its app
    /// `user_oidc`, what is mapped is written over at each sign-in for them too, and Nextcloud shows nothing of it.
    pub(super) local_sign_in: LocalSignIn,
    /// Whether its search looks at the names and addresses of all accounts, as it does where all of them are its own. Else
    /// the list of everybody is read for whoever is not known by id.
    pub(super) complete_search: bool,
    /// How many changes of attributes Nextcloud takes from our account in ten minutes; 0: as many as there are. Another
    /// number than 50 has to stand in its `config.php` too (`ratelimit_overwrite`).
    pub(super) edits: Edits,
}

/// Through what people of local accounts sign in (`nextcloud.md` 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LocalSignIn {
    /// With a password of Nextcloud's own.
    #[default]
    Password,
    /// Through `OpenID` Connect, by the app `user_oidc`.
    Oidc,
}

/// How many edits fit into ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Edits(pub(super) u32);

/// Nextcloud's own limit (`nextcloud.md` 6).
impl Default for Edits {
    fn default() -> Self {
        Self(50)
    }
}

/// Something that a directory or a login provider can bring (`nextcloud.md` 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mapped {
    /// The address.
    Email,
    /// The display name.
    DisplayName,
    /// How much may be stored.
    Quota,
    /// All memberships.
    Groups,
    /// Phone, address, website, organisation, role, headline and biography.
    Profile,
}

impl Settings {
    /// True where an account from elsewhere brings this with it, as far as anybody said.
    pub(super) fn maps(&self, what: Mapped) -> bool {
        self.mapped.as_ref().is_none_or(|mapped| mapped.contains(&what))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_said_means_a_bearer_token_everything_mapped_and_nextclouds_own_limit() {
        let settings: Settings = serde_json::from_value(json!({})).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!((settings.username.as_deref(), settings.edits), (None, Edits(50)));
        assert!(settings.maps(Mapped::Quota) && settings.maps(Mapped::Profile));
    }

    #[test]
    fn every_key_is_read() {
        let said = json!({
            "username": "homeward", "mapped": ["email", "display_name"], "login_provider": "zitadel", "edits": 0,
            "local_sign_in": "oidc", "complete_search": true,
        });
        let settings: Settings = serde_json::from_value(said).unwrap();
        let expected = Settings {
            username: Some("homeward".to_owned()),
            mapped: Some([Mapped::Email, Mapped::DisplayName].into()),
            login_provider: Some("zitadel".to_owned()),
            local_sign_in: LocalSignIn::Oidc,
            complete_search: true,
            edits: Edits(0),
        };
        assert_eq!(settings, expected);
        assert!(settings.maps(Mapped::Email) && !settings.maps(Mapped::Groups));
    }

    #[test]
    fn unknown_keys_and_words_are_errors() {
        for said in [
            json!({ "user": "x" }),
            json!({ "local_sign_in": "saml" }),
            json!({ "mapped": ["phone"] }),
            json!({ "edits": -1 }),
        ] {
            assert!(serde_json::from_value::<Settings>(said.clone()).is_err(), "{said} was taken");
        }
    }
}
