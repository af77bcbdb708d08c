//! A no, as SCIM says it (RFC 7644 3.12).

use serde_json::{Value, json};

pub(super) const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) scim_type: Option<&'static str>,
    pub(super) detail: String,
}

impl Fault {
    pub(super) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// A request that is at fault, with its kind (RFC 7644 table 9).
    pub(super) fn bad(scim_type: &'static str, detail: impl Into<String>) -> Self {
        Self { status: 400, scim_type: Some(scim_type), detail: detail.into() }
    }

    pub(super) fn taken(attribute: &str) -> Self {
        let detail = format!("Another resource holds this value of {attribute}.");
        Self { scim_type: Some("uniqueness"), ..Self::new(409, detail) }
    }

    pub(super) fn no_resource(id: &str) -> Self {
        Self::new(404, format!("Resource {id} not found"))
    }

    pub(super) fn shown(&self) -> Value {
        let mut body = json!({ "schemas": [ERROR] });
        if let Some(scim_type) = self.scim_type {
            body["scimType"] = scim_type.into();
        }
        body["detail"] = self.detail.as_str().into();
        body["status"] = self.status.to_string().into();
        body
    }
}
