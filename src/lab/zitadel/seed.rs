//! What a lab file says about the instance: strict, so that a slip of the pen is an error and not a silent default.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The whole seed; every part may be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Seed {
    pub(super) settings: Settings,
    pub(super) organizations: Vec<OrganizationSeed>,
    pub(super) tokens: Vec<TokenSeed>,
    pub(super) keys: Vec<KeySeed>,
    pub(super) secrets: Vec<SecretSeed>,
    pub(super) users: Vec<UserSeed>,
}

/// How the instance behaves; can be changed while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    /// The release that is imitated. Its first number decides what exists.
    pub(super) version: String,
    /// Usernames are unique in their organization only.
    pub(super) organization_scoped_usernames: bool,
    /// Login names carry the organization's domain, and usernames are unique in their organization only.
    pub(super) user_login_must_be_domain: bool,
    /// Domains by the organization that verified them.
    pub(super) verified_domains: BTreeMap<String, Vec<String>>,
    /// How many list requests or writes must pass before lists show a write (`zitadel.md` 10).
    pub(super) projection_lag: u64,
    /// Calls left before the quota is exhausted; with `quota_period_ms` the calls of each period.
    pub(super) quota: Option<u64>,
    /// Milliseconds after which the quota begins anew; 0: never.
    pub(super) quota_period_ms: u64,
    /// Every call answers "blocked".
    pub(super) blocked: bool,
    /// Life of a token from the token endpoint.
    pub(super) token_lifetime_s: u64,
    /// Milliseconds before every answer.
    pub(super) latency_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "4.13.0".to_owned(),
            organization_scoped_usernames: false,
            user_login_must_be_domain: false,
            verified_domains: BTreeMap::new(),
            projection_lag: 0,
            quota: None,
            quota_period_ms: 0,
            blocked: false,
            token_lifetime_s: 43_199,
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with the keys of `changes` replaced.
    pub(super) fn with(&self, changes: &Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else { return Err("zitadel settings: not an object".to_owned()) };
        let mut whole = serde_json::to_value(self).map_err(|error| format!("zitadel settings: {error}"))?;
        for (key, value) in changes {
            whole[key.as_str()] = value.clone();
        }
        let settings: Self = serde_json::from_value(whole).map_err(|error| format!("zitadel settings: {error}"))?;
        settings.generation()?;
        Ok(settings)
    }

    /// The first number of the version.
    pub(super) fn generation(&self) -> Result<u32, String> {
        let first = self.version.trim_start_matches('v').split('.').next().unwrap_or_default();
        let number = first.parse().ok().filter(|number| *number >= 2);
        number.ok_or_else(|| format!("zitadel settings: version `{}` is none we know (2, 3 or 4)", self.version))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationSeed {
    pub(super) id: Option<String>,
    pub(super) name: String,
}

/// A token that exists from the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenSeed {
    /// Id or username.
    pub(super) user: String,
    #[serde(default = "personal")]
    pub(super) kind: String,
    /// Roles of the user: `IAM_…` in the instance, `ORG_…` in her own organization or, as `ORG_OWNER@org2`, in another.
    #[serde(default)]
    pub(super) roles: Vec<String>,
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) expired: bool,
}

fn personal() -> String {
    "personal".to_owned()
}

/// The public half of a service user's key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeySeed {
    pub(super) key_id: String,
    pub(super) user: String,
    pub(super) public_key_pem: String,
}

/// A service user's client secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretSeed {
    pub(super) user: String,
    pub(super) secret: String,
}

/// A user as the lab file writes it, and the fields a colleague may change behind the interface's back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct UserSeed {
    pub(super) id: Option<String>,
    pub(super) organization: Option<String>,
    pub(super) username: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) nickname: Option<String>,
    pub(super) email: Option<String>,
    pub(super) email_verified: Option<bool>,
    pub(super) phone: Option<String>,
    pub(super) phone_verified: Option<bool>,
    pub(super) preferred_language: Option<String>,
    pub(super) gender: Option<GenderSeed>,
    pub(super) state: Option<StateSeed>,
    pub(super) machine: Option<bool>,
    pub(super) idp_links: Option<Vec<LinkSeed>>,
    /// By key: a text, or `{ "base64": "…" }` for bytes that are none. All of them: what is not named goes.
    pub(super) metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GenderSeed {
    Unspecified,
    Female,
    Male,
    Diverse,
}

/// `deleted` only where a colleague changes a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateSeed {
    Active,
    Inactive,
    Locked,
    Initial,
    Deleted,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkSeed {
    pub(super) idp_id: String,
    pub(super) user_id: String,
    #[serde(default)]
    pub(super) user_name: String,
    #[serde(default)]
    pub(super) auto_update: bool,
}
