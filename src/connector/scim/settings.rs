//! What an operator can say about one SCIM server beside its address and token.

use schemars::JsonSchema;
use serde::Deserialize;

/// The keys of a `kind = "scim"` system that other providers do not have.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// How accounts are changed: as the server says it can be done, or in one of two ways whatever it says.
    pub(super) update: Update,
    /// Which of several addresses and numbers is `email` and `phone`, by its `type`.
    #[schemars(example = &"work")]
    pub(super) address_type: String,
}

/// How accounts are changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Update {
    /// By PATCH where the server's `ServiceProviderConfig` offers it, else by PUT.
    #[default]
    Offered,
    /// Attribute by attribute.
    Patch,
    /// By sending the whole resource, everything that is not ours as it was.
    Put,
}

impl Default for Settings {
    fn default() -> Self {
        Self { update: Update::default(), address_type: "work".to_owned() }
    }
}
