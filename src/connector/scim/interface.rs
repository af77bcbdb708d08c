//! How the interface is spoken to: where resources are, and in which words bodies are wrapped (RFC 7644 3).

use std::collections::BTreeMap;

/// Where users usually are.
pub(super) const USERS: &str = "/Users";

/// Where groups usually are.
pub(super) const GROUPS: &str = "/Groups";

/// The schema of a PATCH request.
pub(super) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What both sides speak (RFC 7644 3.1).
pub(super) const MEDIA_TYPE: &str = "application/scim+json";

/// What we would read.
pub(super) const ACCEPTED: &str = "application/scim+json, application/json";

/// The headers of every request with a body.
pub(super) fn headers() -> BTreeMap<String, String> {
    [("accept", ACCEPTED), ("content-type", MEDIA_TYPE)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The address of one resource; `None` for an id that would lead elsewhere.
pub(super) fn path(endpoint: &str, id: &str) -> Option<String> {
    use std::fmt::Write;
    if matches!(id, "" | "." | "..") {
        return None;
    }
    let mut path = format!("{endpoint}/");
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@:".contains(&byte) {
            path.push(byte.into());
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
    Some(path)
}
