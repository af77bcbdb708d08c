//! The settings of the simulated site: what a seed's `settings` and `POST /_lab/settings` may say.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{super::strict, roles};

/// Everything about the site that can be switched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    pub(super) version: Version,
    /// The role of our account; none: whatever roles it has.
    pub(super) rights: Option<Rights>,
    pub(super) permalinks: Permalinks,
    /// False: plain HTTP on a production site, where credentials are not looked at (`wordpress.md` 2).
    pub(super) application_passwords: bool,
    /// True: the site is being updated (`wordpress.md` 1).
    pub(super) maintenance: bool,
    /// True: the database cannot be reached.
    pub(super) database_down: bool,
    /// What happens between two pages of the next walk, once.
    pub(super) shift: Option<Shift>,
    pub(super) webhook: Option<Webhook>,
    /// How long nothing is sent after a delivery failed, in milliseconds; the real plugin waits for a minute.
    pub(super) webhook_retry: u64,
    /// Languages that are installed beside that of the site.
    pub(super) languages: Vec<String>,
    /// How long every answer takes, in milliseconds.
    pub(super) latency_ms: u64,
}

/// The versions that were recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Version {
    #[serde(rename = "6.1.9")]
    V6,
    #[serde(rename = "7.1")]
    V7,
}

impl Version {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::V6 => "6.1.9",
            Self::V7 => "7.1",
        }
    }

    /// Since 6.8 (`wordpress.md` 4).
    pub(super) fn knows_search_columns(self) -> bool {
        self == Self::V7
    }

    pub(super) fn gives_target_hints(self) -> bool {
        self == Self::V7
    }

    /// What a signed-in caller is told about keeping the answer.
    pub(super) fn cache_control(self) -> &'static str {
        match self {
            Self::V6 => "no-cache, must-revalidate, max-age=0",
            Self::V7 => "no-cache, must-revalidate, max-age=0, no-store, private",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Permalinks {
    Pretty,
    Plain,
}

/// What our account may do (`wordpress.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rights {
    Administrator,
    Reader,
    /// `list_users` and `edit_users`.
    Sync,
    /// `list_users` alone.
    ListOnly,
    Editor,
    Subscriber,
}

impl Rights {
    /// The role with these rights.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::Administrator => roles::ADMINISTRATOR,
            Self::Reader => roles::READER,
            Self::Sync => "homeward_sync",
            Self::ListOnly => "homeward_list",
            Self::Editor => "editor",
            Self::Subscriber => roles::DEFAULT,
        }
    }
}

/// What happens to the site right after a page of a list was answered (`wordpress.md` 4, "Pages shift").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shift {
    pub(super) after_page: u64,
    /// The id of somebody who is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) delete: Option<u64>,
    /// Somebody whose display name changes: the total stays, the default order does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rename: Option<Rename>,
    /// Fields of somebody who is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) create: Option<Value>,
}

/// A change of a display name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    pub(super) id: u64,
    pub(super) name: String,
}

/// Where the must-use plugin sends events (`wordpress.md` 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// `http`, and on this machine: the lab talks to nobody else.
    pub(super) url: String,
    /// `whsec_` and base64.
    pub(super) secret: String,
}

impl Webhook {
    /// The bytes that sign.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.secret.strip_prefix("whsec_")?).ok()
    }

    /// The address, where it is one on this machine.
    pub(super) fn address(&self) -> Option<Url> {
        let url = Url::parse(&self.url).ok().filter(|url| url.scheme() == "http")?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        is_here.then_some(url)
    }

    fn fault(&self) -> Option<&'static str> {
        if self.address().is_none() {
            return Some("url: it must be http:// and on loopback, such as http://127.0.0.1:8088/hooks/website");
        }
        self.key().is_none().then_some("secret: it must be `whsec_` and base64")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: Version::V7,
            rights: None,
            permalinks: Permalinks::Pretty,
            application_passwords: true,
            maintenance: false,
            database_down: false,
            shift: None,
            webhook: None,
            webhook_retry: 200,
            languages: vec!["de_DE".to_owned()],
            latency_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced.
    pub(super) fn merged(&self, wanted: &Value) -> Result<Self, String> {
        let settings = strict::merged(self, wanted)?;
        match settings.webhook.as_ref().and_then(Webhook::fault) {
            Some(fault) => Err(format!("settings.webhook.{fault}")),
            None => Ok(settings),
        }
    }

    /// The settings as everybody may see them.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(webhook) = shown["webhook"].as_object_mut() {
            webhook.remove("secret");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_merge_and_name_what_is_wrong() {
        let settings = Settings::default().merged(&json!({ "rights": "reader", "version": "6.1.9" })).unwrap();
        let expected = Settings { rights: Some(Rights::Reader), version: Version::V6, ..Settings::default() };
        assert_eq!(settings, expected);
        for (wanted, start) in [
            (json!({ "right": "reader" }), "settings.right: unknown field `right`"),
            (json!({ "rights": "king" }), "settings.rights: unknown variant `king`"),
            (json!({ "version": "5" }), "settings.version: unknown variant `5`"),
            (json!({ "shift": { "after": 1 } }), "settings.shift: unknown field `after`"),
            (json!({ "webhook": { "url": "http://example.com/", "secret": "whsec_aGk=" } }), "settings.webhook.url: "),
            (json!({ "webhook": { "url": "https://127.0.0.1/", "secret": "whsec_aGk=" } }), "settings.webhook.url: "),
            (json!({ "webhook": { "url": "http://127.0.0.1/", "secret": "aGk=" } }), "settings.webhook.secret: "),
            (json!([]), "settings: an object is expected"),
        ] {
            let error = Settings::default().merged(&wanted).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn the_secret_of_the_webhook_is_not_shown() {
        let webhook = json!({ "webhook": { "url": "http://127.0.0.1:1/a", "secret": "whsec_aGk=" } });
        let shown = Settings::default().merged(&webhook).unwrap().shown();
        assert_eq!(shown["webhook"], json!({ "url": "http://127.0.0.1:1/a" }));
    }
}
