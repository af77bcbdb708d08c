//! SCIM's capability table: the attributes of a user that RFC 7643 has and that mean something elsewhere too. What one
//! server can do of it is told by the server itself (`server.rs`).

use crate::model::capability::{AttributeCapability, Capabilities, Replay, Scheme, SetCapability, Support, Unique};

use super::membership::{GROUP, MEMBER, SET};

/// The extension that organisations use (RFC 7643 4.3).
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The schema of users (RFC 7643 4.1).
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

const ONE_OR_OTHER: Support = Support::No("a SCIM account is either active or not");

/// What SCIM has of accounts.
pub(super) const CAPABILITIES: Capabilities = Capabilities {
    kind: "scim",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        AttributeCapability {
            clear: Support::No("SCIM has no account without a `userName`"),
            unique: Unique::Freed,
            required: true,
            ..AttributeCapability::plain("username", "userName")
        },
        AttributeCapability::plain("email", "emails"),
        AttributeCapability::plain("display_name", "displayName"),
        AttributeCapability::plain("first_name", "name.givenName"),
        AttributeCapability::plain("last_name", "name.familyName"),
        AttributeCapability::plain("nickname", "nickName"),
        AttributeCapability::plain("position", "title"),
        AttributeCapability::plain(
            "department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
        ),
        AttributeCapability::plain("locale", "locale"),
        AttributeCapability::plain("timezone", "timezone"),
        AttributeCapability::plain("phone", "phoneNumbers"),
        AttributeCapability { clear: ONE_OR_OTHER, ..AttributeCapability::plain("active", "active") },
        own("external_id", "externalId"),
        own("preferred_language", "preferredLanguage"),
        own("profile_url", "profileUrl"),
        own("user_type", "userType"),
        own("employee_number", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"),
        own("cost_center", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"),
        own("organization", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:organization"),
        own("division", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:division"),
        own("manager", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"),
        AttributeCapability {
            set: Some(SetCapability { named: GROUP, levels: &[MEMBER], leaving: "" }),
            ..own(SET, "members of groups")
        },
    ],
    operations: &[],
    lookups: &["username", "email", "external_id"],
    facts: &[],
    concurrency: 4,
    scheme: Scheme::Bearer,
    key_scope: None,
};

/// What no other provider has.
const fn own(name: &'static str, remote: &'static str) -> AttributeCapability {
    AttributeCapability { neutral: false, ..AttributeCapability::plain(name, remote) }
}

/// Where a resource keeps an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// `userName`.
    Field(&'static str),
    /// `name.givenName`.
    Part(&'static str, &'static str),
    /// One value of `emails`.
    Listed(&'static str),
    /// `department` of the extension.
    Extended(&'static str),
    /// The `value` of `manager` of the extension.
    Reference(&'static str),
    /// Not in the resource at all.
    Elsewhere,
}

impl Spot {
    /// Where a row of the table is kept.
    pub(super) fn of(row: &AttributeCapability) -> Self {
        let extended = row.remote.strip_prefix(ENTERPRISE).and_then(|rest| rest.strip_prefix(':'));
        match (row.remote, extended) {
            _ if row.set.is_some() => Self::Elsewhere,
            (_, Some("manager")) => Self::Reference("manager"),
            (_, Some(name)) => Self::Extended(name),
            ("emails" | "phoneNumbers", _) => Self::Listed(row.remote),
            (remote, _) => match remote.split_once('.') {
                Some((whole, part)) => Self::Part(whole, part),
                None => Self::Field(remote),
            },
        }
    }
}
