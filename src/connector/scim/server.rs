//! What a server tells of itself: what it supports, where its resources are, and what may be done with each attribute
//! (RFC 7644 4, RFC 7643 5 to 7).
//!
//! All of it becomes facts that changes are foreseen by: `patch`, `filter`, `etag`, `cursor` and `groups`, true or false;
//! `users` and `groups_at`, addresses; and by attribute `is:<name>` (`absent`, `read_only`, `immutable`, `write_only`) and
//! `required:<name>`. Some servers tell nothing of themselves: they are taken for what the RFC asks for.

use serde_json::Value as Json;

use crate::model::{account::Facts, attribute::Value, capability::AttributeCapability};

use super::{
    interface::{GROUPS, USERS},
    resource::field,
    settings::{Settings, Update},
    table::{CAPABILITIES, ENTERPRISE, Spot, USER},
};

/// What may be offered, as far as it matters here.
const FEATURES: &[&str] = &["patch", "filter", "etag", "pagination"];

/// What counts of something a server tells of itself: the rest may be large, and is let go before more is asked.
pub(super) fn gist(told: &Json) -> Json {
    let counts = |one: &&Json| {
        let text = |key: &str| field(one, key).and_then(Json::as_str).unwrap_or_default();
        let is = |name: &&str| text("id").eq_ignore_ascii_case(name) || text("name").eq_ignore_ascii_case(name);
        ["User", "Group", USER, ENTERPRISE].iter().any(is)
    };
    match resources(told) {
        [] => FEATURES.iter().filter_map(|name| Some(((*name).to_owned(), field(told, name)?.clone()))).collect(),
        list => list.iter().filter(counts).cloned().collect(),
    }
}

/// What a server tells at its three addresses; `None` where it has no such address.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) config: Option<Json>,
    pub(super) types: Option<Json>,
    pub(super) schemas: Option<Json>,
}

impl Told {
    /// The facts that follow.
    pub(super) fn facts(&self, settings: &Settings) -> Facts {
        let mut facts = Facts::new();
        let offers = |feature: &str, otherwise: bool| match &self.config {
            Some(config) => {
                let is = field(config, feature).and_then(|feature| field(feature, "supported"));
                is.is_some_and(is_true)
            }
            None => otherwise,
        };
        let patch = match settings.update {
            Update::Offered => offers("patch", true),
            Update::Patch => true,
            Update::Put => false,
        };
        let cursor = self.config.as_ref().and_then(|config| field(field(config, "pagination")?, "cursor"));
        let [users, groups] = ["User", "Group"].map(|name| self.endpoint(name));
        for (name, is) in [
            ("patch", patch),
            ("filter", offers("filter", true)),
            ("etag", offers("etag", false)),
            ("cursor", cursor.is_some_and(is_true)),
            ("groups", self.types.is_none() || groups.is_some()),
        ] {
            facts.insert(name.to_owned(), is.into());
        }
        for (name, found, usual) in [("users", users, USERS), ("groups_at", groups, GROUPS)] {
            facts.insert(name.to_owned(), Value::text(found.as_deref().unwrap_or(usual)));
        }
        self.attributes(&mut facts);
        facts
    }

    /// Where resources of this type are, by the list of types.
    fn endpoint(&self, name: &str) -> Option<String> {
        let types = resources(self.types.as_ref()?);
        let called = |one: &&Json| {
            let text = |key: &str| field(one, key).and_then(Json::as_str);
            text("name").or_else(|| text("id")).is_some_and(|held| held.eq_ignore_ascii_case(name))
        };
        let endpoint = field(types.iter().find(called)?, "endpoint")?.as_str()?;
        // Some write the whole address; ours is what follows the root.
        let path = match endpoint.split_once("://") {
            Some((_, rest)) => format!("/{}", rest.rsplit('/').next().unwrap_or_default()),
            None => format!("/{}", endpoint.trim_matches('/')),
        };
        (path.len() > 1).then_some(path)
    }

    fn attributes(&self, facts: &mut Facts) {
        let Some(schemas) = &self.schemas else { return };
        let schemas = resources(schemas);
        let of = |urn: &str| {
            let is = |one: &&Json| {
                field(one, "id").and_then(Json::as_str).is_some_and(|held| held.eq_ignore_ascii_case(urn))
            };
            schemas.iter().find(is).and_then(|schema| field(schema, "attributes")?.as_array())
        };
        // Without the schema of users nothing is told.
        let Some(core) = of(USER) else { return };
        let extension = of(ENTERPRISE);
        for row in CAPABILITIES.attributes {
            let Some(told) = Attribute::of(row, core, extension) else { continue };
            if let Some(limit) = told.limit {
                facts.insert(format!("is:{}", row.name), limit.word().into());
            }
            if told.required {
                facts.insert(format!("required:{}", row.name), true.into());
            }
        }
    }
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Bool(is) => *is,
        Json::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// The resources of a list, which some servers send bare.
fn resources(list: &Json) -> &[Json] {
    let found = field(list, "Resources").unwrap_or(list);
    found.as_array().map_or(&[], Vec::as_slice)
}

/// What a schema says of one of our attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attribute {
    /// What keeps it from being changed and shown; the strictest where several do.
    limit: Option<Limit>,
    required: bool,
}

/// What keeps an attribute from being changed and shown, strictest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Absent,
    ReadOnly,
    WriteOnly,
    Immutable,
}

impl Limit {
    /// As facts have it.
    fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::ReadOnly => "read_only",
            Self::WriteOnly => "write_only",
            Self::Immutable => "immutable",
        }
    }
}

impl Attribute {
    const ABSENT: Self = Self { limit: Some(Limit::Absent), required: false };

    /// `None` for what no schema lists.
    fn of(row: &AttributeCapability, core: &[Json], extension: Option<&Vec<Json>>) -> Option<Self> {
        let named = |list: &[Json], name: &str| {
            let is = |one: &&Json| {
                field(one, "name").and_then(Json::as_str).is_some_and(|held| held.eq_ignore_ascii_case(name))
            };
            list.iter().find(is).cloned()
        };
        let (list, name, part) = match Spot::of(row) {
            Spot::Elsewhere => return None,
            // Every resource has it, and no schema lists it (RFC 7643 3.1).
            Spot::Field("externalId") => return Some(Self::default()),
            Spot::Field(name) => (core, name, None),
            Spot::Part(whole, part) => (core, whole, Some(part)),
            Spot::Listed(list) => (core, list, Some("value")),
            Spot::Extended(name) => (extension.map_or(&[][..], Vec::as_slice), name, None),
            Spot::Reference(name) => (extension.map_or(&[][..], Vec::as_slice), name, Some("value")),
        };
        let Some(whole) = named(list, name) else { return Some(Self::ABSENT) };
        let told = Self::read(&whole);
        let Some(part) = part else { return Some(told) };
        let Some(parts) = field(&whole, "subAttributes").and_then(Json::as_array) else { return Some(told) };
        let Some(inner) = named(parts, part) else { return Some(Self::ABSENT) };
        let inner = Self::read(&inner);
        let is_list = matches!(Spot::of(row), Spot::Listed(_) | Spot::Reference(_));
        Some(Self {
            limit: told.limit.into_iter().chain(inner.limit).min(),
            required: if is_list { told.required } else { inner.required },
        })
    }

    fn read(attribute: &Json) -> Self {
        let is = |key: &str, word: &str| {
            field(attribute, key).and_then(Json::as_str).is_some_and(|held| held.eq_ignore_ascii_case(word))
        };
        let limit = if is("mutability", "readOnly") {
            Some(Limit::ReadOnly)
        } else if is("mutability", "writeOnly") || is("returned", "never") {
            Some(Limit::WriteOnly)
        } else {
            is("mutability", "immutable").then_some(Limit::Immutable)
        };
        Self { limit, required: field(attribute, "required").is_some_and(is_true) }
    }
}
