//! One user as the server stores her, and as it shows her (`nextcloud.md` 3 and 7).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    settings::{Settings, Version},
    values,
};

/// Where an account comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Backend {
    #[default]
    Database,
    #[serde(rename = "LDAP")]
    Ldap,
    #[serde(rename = "user_saml")]
    Saml,
    #[serde(rename = "user_oidc")]
    Oidc,
}

impl Backend {
    pub(super) fn sets_display_name(self, settings: &Settings) -> bool {
        match self {
            Self::Database | Self::Saml => true,
            Self::Ldap => settings.ldap_write_plugin,
            Self::Oidc => false,
        }
    }

    pub(super) fn sets_password(self) -> bool {
        self == Self::Database
    }

    /// What of its accounts a search looks at. It depends on the backend (`nextcloud.md` 3): here the database looks at
    /// everything, and the others not at addresses.
    fn searches_addresses(self) -> bool {
        self == Self::Database
    }

    /// What it writes over with a sign-in, where that is mapped.
    fn brings(self) -> &'static [&'static str] {
        match self {
            Self::Database => &[],
            Self::Ldap => &["display_name", "email", "quota", "groups"],
            Self::Saml => &["email", "display_name", "quota", "groups"],
            Self::Oidc => &["display_name", "email", "quota", "groups", "profile"],
        }
    }
}

/// The texts of a profile.
pub(super) const PROFILE: &[&str] =
    &["phone", "address", "website", "twitter", "fediverse", "organisation", "role", "headline", "biography"];

/// A stored user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, there or in the lab")]
pub(super) struct User {
    pub(super) id: String,
    pub(super) backend: Backend,
    /// She signs in through `user_oidc`, whatever the backend of her account is.
    pub(super) oidc: bool,
    pub(super) enabled: bool,
    pub(super) displayname: String,
    pub(super) email: String,
    pub(super) additional_mail: Vec<String>,
    pub(super) notify_email: String,
    /// By key; what is not there is empty.
    pub(super) profile: BTreeMap<String, String>,
    pub(super) profile_enabled: bool,
    /// Empty: that of the server.
    pub(super) language: String,
    pub(super) locale: String,
    /// In the form it is kept in: `5 GB`, `none`, `default`.
    pub(super) quota: String,
    pub(super) manager: String,
    pub(super) groups: BTreeSet<String>,
    /// The groups she is an admin of.
    pub(super) subadmin: BTreeSet<String>,
    /// In Unix milliseconds; 0: she never signed in.
    pub(super) last_login: i64,
    /// She cannot be loaded together with others.
    pub(super) broken: bool,
    /// The backend says that it takes names, and drops them.
    pub(super) drops_display_name: bool,
    /// What the backend has of her, by which it writes over what is stored here.
    #[serde(skip)]
    pub(super) directory: Option<Box<User>>,
    #[serde(skip)]
    pub(super) app_password: String,
    #[serde(skip)]
    pub(super) password: String,
}

impl User {
    pub(super) fn text(&self, key: &str) -> &str {
        self.profile.get(key).map_or("", String::as_str)
    }

    /// What a search looks at.
    pub(super) fn searched(&self) -> Vec<&str> {
        let email = self.backend.searches_addresses().then_some(self.email.as_str());
        [self.id.as_str(), self.displayname.as_str()].into_iter().chain(email).collect()
    }

    /// True where a sign-in may write over what is stored.
    pub(super) fn is_brought(&self) -> bool {
        !self.brought().is_empty()
    }

    /// What a sign-in writes over, where that is mapped.
    fn brought(&self) -> &'static [&'static str] {
        if self.oidc { Backend::Oidc.brings() } else { self.backend.brings() }
    }

    /// Takes over what her backend has of her. Tells what changed.
    pub(super) fn signs_in(&mut self, settings: &Settings) -> Vec<&'static str> {
        let Some(directory) = self.directory.take() else { return Vec::new() };
        let before = self.clone();
        let is_mapped = |what: &str| settings.mapped.as_ref().is_none_or(|mapped| mapped.contains(what));
        let mut changed = Vec::new();
        for what in self.brought().iter().copied().filter(|what| is_mapped(what)) {
            match what {
                "display_name" => self.displayname.clone_from(&directory.displayname),
                "email" => self.email.clone_from(&directory.email),
                "quota" => self.quota.clone_from(&directory.quota),
                // Who was put into another group here stays there.
                "groups" if self.backend == Backend::Ldap => self.groups.extend(directory.groups.iter().cloned()),
                "groups" => self.groups.clone_from(&directory.groups),
                _ => self.profile.clone_from(&directory.profile),
            }
            let is_same = match what {
                "display_name" => before.displayname == self.displayname,
                "email" => before.email == self.email,
                "quota" => before.quota == self.quota,
                "groups" => before.groups == self.groups,
                _ => before.profile == self.profile,
            };
            changed.extend((!is_same).then_some(what));
        }
        self.directory = Some(directory);
        changed
    }

    /// Her data, as shown to herself or to somebody who may see her.
    pub(super) fn shown(&self, settings: &Settings, to_admin: bool, to_herself: bool) -> Value {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        if to_admin {
            put("enabled", self.enabled.into());
        }
        put("id", json!(self.id));
        if to_admin {
            put("storageLocation", format!("/var/www/html/data/{}", self.id).into());
        }
        if settings.version == Version::Master {
            put("firstLoginTimestamp", (self.last_login / 1000).into());
            put("lastLoginTimestamp", (self.last_login / 1000).into());
        }
        put("lastLogin", self.last_login.into());
        put("backend", json!(self.backend));
        put("subadmin", json!(self.subadmin));
        put("quota", self.shown_quota(settings));
        put("manager", json!(self.manager));
        put("email", if self.email.is_empty() { Value::Null } else { json!(self.email) });
        put("additional_mail", json!(self.additional_mail));
        put("displayname", json!(self.displayname));
        put("display-name", json!(self.displayname));
        for key in PROFILE {
            put(key, json!(self.text(key)));
        }
        put("profile_enabled", if self.profile_enabled { "1" } else { "0" }.into());
        if settings.version == Version::Master {
            put("pronouns", json!(self.text("pronouns")));
            put("bluesky", json!(self.text("bluesky")));
        }
        put("groups", json!(self.groups));
        put("language", if self.language.is_empty() { "en".into() } else { json!(self.language) });
        put("locale", json!(self.locale));
        put("notify_email", if self.notify_email.is_empty() { Value::Null } else { json!(self.notify_email) });
        let capabilities = json!({
            "setDisplayName": self.backend.sets_display_name(settings),
            "setPassword": self.backend.sets_password(),
        });
        put("backendCapabilities", capabilities);
        if to_herself {
            for key in ["displayname", "email"].iter().chain(PROFILE) {
                put(&format!("{key}Scope"), "v2-local".into());
            }
            put("additional_mailScope", json!(vec!["v2-local"; self.additional_mail.len()]));
        }
        shown.into()
    }

    fn shown_quota(&self, settings: &Settings) -> Value {
        let quota = if self.quota == "default" { &settings.default_quota } else { &self.quota };
        let bytes = values::bytes(quota);
        // Who never signed in has no files yet, and is shown in another way.
        if self.last_login == 0 {
            return json!({ "quota": bytes.map_or_else(|| json!("none"), |bytes| json!(bytes)), "used": 0 });
        }
        let used = 1_048_576;
        let Some(bytes) = bytes else {
            let free: u64 = 100_000_000_000;
            return json!({ "free": free, "used": used, "total": free + used, "relative": 0, "quota": -3 });
        };
        let free = bytes.saturating_sub(used);
        json!({ "free": free, "used": used, "total": bytes, "relative": 0.1, "quota": bytes })
    }
}
