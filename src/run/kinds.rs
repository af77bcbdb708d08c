//! The one list of every source and connector.

use crate::{
    config::{self},
    connector::{Kind, discourse, gitlab, mattermost, nextcloud, scim, wordpress, zitadel},
    source::{csv_file, drop_folder},
};

/// The providers that are shipped, by name.
pub(crate) const PROVIDERS: &[Kind] =
    &[discourse::KIND, gitlab::KIND, mattermost::KIND, nextcloud::KIND, scim::KIND, wordpress::KIND, zitadel::KIND];

/// The kind of a source that is a file or a folder of files.
pub(crate) const CSV: &str = "csv";

/// The kind of a website, which is a provider and a source.
pub(crate) const WORDPRESS: &str = "wordpress";

/// The kinds as the configuration needs to know them.
pub(crate) fn for_config(kinds: &[Kind]) -> config::schema::Kinds {
    config::schema::Kinds {
        providers: kinds
            .iter()
            .map(|kind| config::schema::ProviderKind {
                name: kind.name,
                takes_key: kind.capabilities.key_scope.is_some(),
                records: (kind.name == WORDPRESS).then_some(config::schema::Says::Changes),
                schema: (kind.schema)(),
            })
            .collect(),
        sources: vec![config::schema::SourceKind {
            name: CSV,
            says: config::schema::Says::State,
            schema: both(csv_file::settings::Settings::schema(), &drop_folder::settings::Settings::schema()),
        }],
        announced: Vec::new(),
    }
}

/// The keys of two readers of one table.
fn both(mut first: serde_json::Value, second: &serde_json::Value) -> serde_json::Value {
    for part in ["properties", "$defs"] {
        for (key, schema) in second[part].as_object().into_iter().flatten() {
            first[part][key] = schema.clone();
        }
    }
    first
}
