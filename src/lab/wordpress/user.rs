//! One user as the site stores her, and as REST shows her in each context (`wordpress.md` 4).

use std::collections::BTreeMap;

use base16ct::lower::encode_string as hex;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{address::Base, roles, settings::Version};

/// A stored user. Names are stored the way WordPress stores them, with entities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) username: String,
    pub(super) email: String,
    /// The display name.
    pub(super) name: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) nickname: String,
    pub(super) slug: String,
    pub(super) url: String,
    pub(super) description: String,
    /// Empty: that of the site.
    pub(super) locale: String,
    pub(super) roles: Vec<String>,
    /// When she registered, such as `2026-01-05T08:00:00+00:00`.
    pub(super) registered_date: String,
    /// Registered keys that have a row; the others show their default, which is empty.
    pub(super) meta: BTreeMap<String, String>,
    /// True for somebody who has published posts: strangers see only those (`wordpress.md` 2).
    pub(super) posts: bool,
}

/// How much of a user is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    View,
    Embed,
    Edit,
}

impl Context {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "view" => Some(Self::View),
            "embed" => Some(Self::Embed),
            "edit" => Some(Self::Edit),
            _ => None,
        }
    }
}

/// What of the site decides how users are shown.
#[derive(Clone, Copy)]
pub(super) struct Showing<'a> {
    pub(super) base: &'a Base,
    pub(super) version: Version,
    /// The keys registered for editors.
    pub(super) meta_keys: &'a [String],
    /// The keys registered for everybody.
    pub(super) public_meta_keys: &'a [String],
}

impl User {
    /// True where she has at least one of these roles.
    pub(super) fn has_role(&self, wanted: &[String]) -> bool {
        self.roles.iter().any(|role| wanted.contains(role))
    }

    /// Her fields in a context, without links, in the order WordPress gives them.
    pub(super) fn shown(&self, context: Context, showing: Showing) -> Map<String, Value> {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        let is_edit = context == Context::Edit;
        put("id", self.id.into());
        if is_edit {
            put("username", json!(self.username));
        }
        put("name", json!(self.name));
        if is_edit {
            put("first_name", json!(self.first_name));
            put("last_name", json!(self.last_name));
            put("email", json!(self.email));
        }
        put("url", json!(self.url));
        put("description", json!(self.description));
        put("link", json!(showing.base.author(self)));
        if is_edit {
            put("locale", json!(if self.locale.is_empty() { SITE_LOCALE } else { &self.locale }));
            put("nickname", json!(self.nickname));
        }
        put("slug", json!(self.slug));
        if is_edit {
            put("roles", json!(self.roles));
            put("registered_date", json!(self.registered_date));
            put("capabilities", roles::capabilities(&self.roles).into());
            put("extra_capabilities", roles::extra_capabilities(&self.roles).into());
        }
        put("avatar_urls", self.avatars());
        if context != Context::Embed {
            put("meta", self.shown_meta(is_edit, showing));
        }
        shown
    }

    /// What is registered, or the list that stands for an empty object (`wordpress.md` 4).
    fn shown_meta(&self, is_edit: bool, showing: Showing) -> Value {
        let mut meta = Map::new();
        if is_edit {
            meta.insert("persisted_preferences".to_owned(), json!([]));
        }
        let of_editors = showing.meta_keys.iter().filter(|_| is_edit);
        for key in of_editors.chain(showing.public_meta_keys) {
            meta.insert(key.clone(), json!(self.meta_value(key)));
        }
        if meta.is_empty() { json!([]) } else { meta.into() }
    }

    /// What a key holds; its default where it has no row.
    pub(super) fn meta_value(&self, key: &str) -> &str {
        match key {
            "first_name" => &self.first_name,
            "last_name" => &self.last_name,
            "nickname" => &self.nickname,
            _ => self.meta.get(key).map_or("", String::as_str),
        }
    }

    fn avatars(&self) -> Value {
        let email = self.email.trim().to_lowercase();
        let hash = if email.is_empty() { String::new() } else { hex(&Sha256::digest(email.as_bytes())) };
        let sizes = ["24", "48", "96"].into_iter();
        let url = |size: &str| json!(format!("https://secure.gravatar.com/avatar/{hash}?s={size}&d=mm&r=g"));
        Value::Object(sizes.map(|size| (size.to_owned(), url(size))).collect())
    }

    /// Links to her and to all, with what the caller may do with her.
    pub(super) fn links(&self, allowed: &[&str], showing: Showing) -> Value {
        let mut this = json!({ "href": showing.base.rest(&format!("/wp/v2/users/{}", self.id)) });
        if showing.version.gives_target_hints() {
            this["targetHints"] = json!({ "allow": allowed });
        }
        json!({ "self": [this], "collection": [{ "href": showing.base.rest("/wp/v2/users") }] })
    }
}

/// The language of the site.
pub(super) const SITE_LOCALE: &str = "en_US";
