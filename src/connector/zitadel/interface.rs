//! The three interfaces a ZITADEL server may offer, newest first, and what an account's attributes are called in them.
//!
//! Knows words and addresses; sends nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::{account::Account, attribute::Value};

/// The server's fact that names the interface (see [`Interface::word`]).
pub(super) const API: &str = "api";

/// The fact that names an organization: of a server the one to create in, of an account the one it lives in.
pub(super) const ORGANIZATION: &str = "organization";

/// Chooses the organization of a management v1 call. v2 needs no such header and refuses an unknown organization in it
/// (`zitadel.md` section 2).
pub(super) const ORGANIZATION_HEADER: &str = "x-zitadel-orgid";

/// What stands after `api =` in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Choice {
    /// Ask the server which it has.
    #[default]
    Auto,
    /// ZITADEL 4 and newer: one PATCH changes any part of a user.
    V2,
    /// ZITADEL 2 and 3: `UpdateHumanUser`, deprecated since.
    V2Human,
    /// The management interface, for servers without user calls in v2.
    V1,
}

/// The calls that reads and writes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    /// `PATCH /v2/users/{id}` (`zitadel.md` section 5).
    V2,
    /// `PUT /v2/users/human/{id}`; reads and states are those of v2.
    V2Human,
    /// `/management/v1/users/...` (`zitadel.md` section 4).
    V1,
}

impl Interface {
    /// How the configuration and the server's facts call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::V2Human => "v2-human",
            Self::V1 => "v1",
        }
    }

    /// The interface an account was observed through; where that is not known, the configured one, else the newest.
    pub(super) fn of(account: &Account, choice: Choice) -> Self {
        let all = [Self::V2, Self::V2Human, Self::V1];
        let told = account.server_fact(API).and_then(|word| all.into_iter().find(|one| one.word() == word));
        told.or(choice.fixed()).unwrap_or(Self::V2)
    }

    /// The interface a request to this address belongs to, as far as reading is concerned.
    pub(super) fn of_path(path: &str) -> Self {
        if path.starts_with("/management/v1/") { Self::V1 } else { Self::V2 }
    }

    /// Where one user is read; this read shows what was just written (`zitadel.md` section 10).
    pub(super) fn user_path(self, id: &str) -> String {
        match self {
            Self::V2 | Self::V2Human => format!("/v2/users/{}", encoded(id)),
            Self::V1 => format!("/management/v1/users/{}", encoded(id)),
        }
    }

    /// The headers of a call that works in this organization.
    pub(super) fn headers(self, organization: Option<&str>) -> BTreeMap<String, String> {
        match (self, organization) {
            (Self::V1, Some(organization)) => {
                BTreeMap::from([(ORGANIZATION_HEADER.to_owned(), organization.to_owned())])
            }
            _ => BTreeMap::new(),
        }
    }

    /// What an operator should know about a server that offers no better than this.
    pub(super) fn warning(self) -> Option<&'static str> {
        match self {
            Self::V2 => None,
            Self::V2Human => Some(
                "the server is older than ZITADEL 4 (or a proxy hides `/zitadel.user.v2.UserService/`): users are changed \
                 through UpdateHumanUser, which ZITADEL has deprecated; upgrade when you can",
            ),
            Self::V1 => Some(
                "the server offers users through the management v1 interface only, which ZITADEL has deprecated: one \
                 change may take several calls and replaces the whole profile; upgrade when you can",
            ),
        }
    }
}

impl Choice {
    /// The interface, where the configuration names one.
    pub(super) fn fixed(self) -> Option<Interface> {
        match self {
            Self::Auto => None,
            Self::V2 => Some(Interface::V2),
            Self::V2Human => Some(Interface::V2Human),
            Self::V1 => Some(Interface::V1),
        }
    }
}

/// The text of a user's state as facts hold it.
pub(super) fn state(account: &Account) -> &str {
    account.fact("state").unwrap_or("unspecified")
}

/// True for a service user, which has a username and a state and nothing else of a person.
pub(super) fn is_machine(account: &Account) -> bool {
    account.is("is_machine")
}

/// The text of an attribute; empty where it holds none.
pub(super) fn text(value: &Value) -> &str {
    value.as_text().unwrap_or_default()
}

/// One segment of a path. Ids are digits unless somebody chose their own.
pub(super) fn encoded(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            // A dot alone could be read as a step in the path.
            b'.' if segment.len() > 2 => ".".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
