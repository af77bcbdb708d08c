//! What a lab file may say about this GitLab: settings, users, groups, tokens.
//!
//! Strict: a misspelt key is an error, because a seed that is silently half read makes a test that proves nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::user::{Day, User};

/// A whole seed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Seed {
    pub(super) settings: Settings,
    pub(super) tokens: Vec<SeedToken>,
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<SeedGroup>,
}

/// How this instance is set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of one instance")]
pub(super) struct Settings {
    pub(super) version: String,
    /// The configured address of the instance; `None` makes links on the host that was called.
    pub(super) external_url: Option<String>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) domain_allowlist: Vec<String>,
    pub(super) domain_denylist: Vec<String>,
    pub(super) dormant_days: i32,
    pub(super) synced_attributes: Option<Synced>,
    pub(super) latency_ms: u64,
    /// Administrators act as such only with a token of scope `admin_mode` (`gitlab.md` 1.1).
    pub(super) admin_mode: bool,
    /// Newer versions: at least two characters, no leading `_` or `.` (`gitlab.md` 3.2).
    pub(super) strict_usernames: bool,
    /// A path that somebody moved away from stays taken (`gitlab.md` 3.2) instead of being free again (3.5).
    pub(super) redirects_block: bool,
    /// Newer versions list the primary address too (`gitlab.md` 6).
    pub(super) list_primary_email: bool,
    /// Names held by Pages (`gitlab.md` 3.2).
    pub(super) pages_domains: Vec<String>,
    /// How many rows the offset pager reaches (`gitlab.md` 1.3).
    pub(super) offset_limit: u64,
    /// Reads of one user by a non-administrator in ten minutes (`gitlab.md` 1.4).
    pub(super) users_get_by_id_limit: u64,
    /// Removals of members in a minute (`gitlab.md` 1.4).
    pub(super) members_delete_limit: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "17.11.1".to_owned(),
            external_url: None,
            rate_limit: None,
            domain_allowlist: Vec::new(),
            domain_denylist: Vec::new(),
            dormant_days: 90,
            synced_attributes: None,
            latency_ms: 0,
            admin_mode: false,
            strict_usernames: false,
            redirects_block: false,
            list_primary_email: false,
            pages_domains: Vec::new(),
            offset_limit: 50_000,
            users_get_by_id_limit: 300,
            members_delete_limit: 60,
        }
    }
}

impl Settings {
    /// These settings with some of them changed.
    pub(super) fn with(&self, changes: &Value) -> Result<Self, String> {
        overlaid(self, changes).map_err(|cause| format!("settings: {cause}"))
    }

    /// The number before the first dot of the version: attributes come and go by it.
    pub(super) fn major(&self) -> u32 {
        self.version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(17)
    }

    /// True from this version on.
    pub(super) fn is_from(&self, major: u32, minor: u32) -> bool {
        let told = self.version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
        (self.major(), told) >= (major, minor)
    }
}

/// The request throttle (`gitlab.md` 1.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateLimit {
    pub(super) requests: u64,
    pub(super) period_seconds: u64,
}

/// What GitLab takes over from a login provider for those who have an identity there (`gitlab.md` 3.4).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Synced {
    pub(super) provider: String,
    pub(super) attributes: Vec<String>,
}

/// What a token can do is in its scopes; how it may be shown is in its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokenKind {
    Personal,
    Group,
    Project,
    Oauth,
    /// A CI job's: no personal token, so it cannot act for others.
    Job,
}

impl TokenKind {
    /// True for what GitLab lists among the access tokens; the others are of another make.
    pub(super) fn is_listed(self) -> bool {
        matches!(self, Self::Personal | Self::Group | Self::Project)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Group => "group",
            Self::Project => "project",
            Self::Oauth => "oauth",
            Self::Job => "job",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedToken {
    /// 0: not given a number yet.
    #[serde(default)]
    pub(super) id: u64,
    pub(super) user: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default = "api")]
    pub(super) scopes: Vec<String>,
    #[serde(default = "personal")]
    pub(super) kind: TokenKind,
    #[serde(default)]
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) expired: bool,
    #[serde(default)]
    pub(super) revoked: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedGroup {
    #[serde(default)]
    pub(super) id: u64,
    /// The full path: `staff/berlin` is a group inside `staff`.
    pub(super) path: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) members: Vec<SeedMember>,
    /// Nobody can be added: a lock that editions with a licence know (`gitlab.md` 7).
    #[serde(default)]
    pub(super) locked: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedMember {
    pub(super) username: String,
    pub(super) access_level: u64,
    #[serde(default)]
    pub(super) expires_at: Option<Day>,
}

fn api() -> Vec<String> {
    vec!["api".to_owned()]
}

fn personal() -> TokenKind {
    TokenKind::Personal
}

/// `old` with the fields of `changes` in place of its own, read as strictly as a seed.
pub(super) fn overlaid<T: Serialize + for<'de> Deserialize<'de>>(old: &T, changes: &Value) -> Result<T, String> {
    let Value::Object(changes) = changes else { return Err("an object of fields is needed".to_owned()) };
    let Ok(Value::Object(mut fields)) = serde_json::to_value(old) else {
        return Err("what is stored cannot be read".to_owned());
    };
    fields.extend(changes.clone());
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

/// Reads a seed, naming the entry that is wrong.
pub(super) fn read(seed: &Value) -> Result<Seed, String> {
    let parts: BTreeMap<String, Value> = match seed {
        Value::Null => BTreeMap::new(),
        _ => serde_json::from_value(seed.clone()).map_err(|error| format!("gitlab seed: {error}"))?,
    };
    // Entry by entry, because serde tells which field is wrong and not which user it belongs to.
    for (list, check) in [
        ("users", fault::<User> as fn(&Value) -> Option<String>),
        ("groups", fault::<SeedGroup>),
        ("tokens", fault::<SeedToken>),
    ] {
        let entries = parts.get(list).and_then(Value::as_array).into_iter().flatten().enumerate();
        for (at, entry) in entries {
            if let Some(cause) = check(entry) {
                return Err(format!("gitlab seed: {list}[{at}]: {cause}"));
            }
        }
    }
    let whole = serde_json::Map::from_iter(parts);
    serde_json::from_value(Value::Object(whole)).map_err(|error| format!("gitlab seed: {error}"))
}

fn fault<T: for<'de> Deserialize<'de>>(entry: &Value) -> Option<String> {
    serde_json::from_value::<T>(entry.clone()).err().map(|error| error.to_string())
}
