//! ZITADEL: people's accounts in an instance of one or more organizations.
//!
//! Written for ZITADEL 4 (`PATCH /v2/users/{id}`, read at v4.13.0); older servers are changed through what they have
//! (see [`interface`]), with a warning. Its odd habits, all from `zitadel.md`:
//!
//! - a field it does not know is ignored with a 200, so bodies are made of typed shapes only ([`bodies`]);
//! - a 200 to a change holds no user, so every change is followed by a second look, and never by a list, which lags;
//! - a missing right shows as a shorter list, or as 404;
//! - a state call that finds its work done answers 400.
//!
//! A user who signs in through an identity provider with automatic updates has her names and addresses overwritten from
//! there at the next login. Which users those are costs a request for each user, so it is not read and not foreseen:
//! give such attributes an `owner` line for the identity provider.
//!
//! This file knows no bodies, no answers and no addresses; its siblings do, and they do not know it.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        attribute::{AttributeName, Value},
        capability::{
            AttributeCapability, Capabilities, Change, Foresight, Replay, Scheme,
            Support::{No, Yes},
            Unique,
        },
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Writer},
};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

use self::{
    forecast::NOT_CLEARABLE,
    interface::{Choice, Interface, ORGANIZATION, ORGANIZATION_HEADER},
    observe::Look,
    reply::{No as Denial, Told},
};

mod bodies;
mod forecast;
mod interface;
mod observe;
mod reply;

#[cfg(test)]
mod contract;

/// An attribute that can be written and not made empty; what differs is added where it stands.
const ROW: AttributeCapability = AttributeCapability {
    name: "",
    neutral: true,
    remote: "",
    write: Yes,
    clear: No(NOT_CLEARABLE),
    unique: Unique::No,
    required: false,
    side_effect: "",
};

static CAPABILITIES: Capabilities = Capabilities {
    kind: "zitadel",
    create: Yes,
    create_replay: Replay::LookFirst,
    attributes: &[
        AttributeCapability {
            name: "username",
            remote: "username",
            clear: No("every user has a username"),
            unique: Unique::Freed,
            side_effect: "the login names change with it",
            ..ROW
        },
        AttributeCapability {
            name: "first_name",
            remote: "givenName",
            clear: No("every person has a first name in ZITADEL"),
            required: true,
            ..ROW
        },
        AttributeCapability {
            name: "last_name",
            remote: "familyName",
            clear: No("every person has a last name in ZITADEL"),
            required: true,
            ..ROW
        },
        AttributeCapability { name: "display_name", remote: "displayName", ..ROW },
        AttributeCapability { name: "nickname", remote: "nickName", ..ROW },
        AttributeCapability { name: "locale", remote: "preferredLanguage", ..ROW },
        AttributeCapability {
            name: "email",
            remote: "email",
            clear: No("every person has an e-mail address in ZITADEL"),
            required: true,
            side_effect: "the new address counts as verified at once and gets no mail",
            ..ROW
        },
        AttributeCapability {
            name: "phone",
            remote: "phone",
            clear: Yes,
            side_effect: "the new number counts as verified at once",
            ..ROW
        },
        AttributeCapability {
            name: "active",
            remote: "state",
            clear: No("an account is switched on or off"),
            side_effect: "switched off, its tokens end",
            ..ROW
        },
    ],
    lookups: &["username", "email"],
    facts: &["state", "email_verified", "phone_verified", "organization", "is_machine", "preferred_login_name"],
    concurrency: 4,
    scheme: Scheme::Bearer,
    key_scope: Some("openid urn:zitadel:iam:org:project:id:zitadel:aud"),
};

/// What the list of kinds needs.
pub(crate) const KIND: Kind = Kind {
    name: "zitadel",
    capabilities: &CAPABILITIES,
    open: |settings| Ok(Box::new(Zitadel { settings: serde_json::from_value(settings)? })),
    schema: || schemars::schema_for!(Settings).to_value(),
};

/// The keys of a `kind = "zitadel"` system beside the common ones.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// The id of the organization whose users are looked at and in which accounts are created. Without it: all that the
    /// token may read, and creation only where there is but one.
    organization: Option<String>,
    /// Which interface to use. Found out by asking unless it is named.
    api: Choice,
}

/// The connector.
#[derive(Debug)]
struct Zitadel {
    settings: Settings,
}

#[async_trait]
impl Connector for Zitadel {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        observe::standing(self.settings.api, self.settings.organization.as_deref(), *wire).await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        observe::observe(self.settings.api, self.settings.organization.as_deref(), wanted, *wire).await
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        forecast::normalized(attribute.as_str(), value)
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        let interface = Interface::of(account, self.settings.api);
        forecast::foresee(interface, account, change.attribute.as_str(), &change.after)
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let interface = Interface::of(account, self.settings.api);
        let organization = self.settings.organization.as_deref().or_else(|| account.server_fact(ORGANIZATION));
        bodies::requests(interface, account, changes, organization)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        after(call, reply.status, reply.json().as_ref(), wire.reader()).await
    }
}

/// What an answer to a call comes to: the account as a second look shows it, or the no.
async fn after(
    call: &Call,
    status: u16,
    body: Option<&serde_json::Value>,
    reader: Reader<'_>,
) -> Result<Account, Refusal> {
    let no = (!(200..300).contains(&status)).then(|| reply::no(status, &Told::of(body)));
    let id = match (&no, call.operation) {
        (Some(Denial::Refused(refusal)), _) => return Err(refusal.clone()),
        (None, Operation::Create) => reply::created_id(body),
        _ => call.account.as_ref().map(|id| id.as_str()),
    };
    let Some(id) = id else {
        return Err(match no {
            Some(Denial::NotNow(refusal) | Denial::Refused(refusal)) => refusal,
            // Said yes without saying to what: somebody has to look whether the account is there.
            _ => Refusal::new(RefusalKind::Unavailable, "ZITADEL's answer holds no id of the new account"),
        });
    };
    let account = look(call, id, reader).await?;
    match no {
        Some(Denial::NotNow(refusal)) if !call.intends.iter().all(|(name, value)| account.value(name) == *value) => {
            Err(refusal)
        }
        _ => Ok(account),
    }
}

/// The account as it is now: one user by id shows what was just written, a list need not (`zitadel.md` section 10).
async fn look(call: &Call, id: &str, reader: Reader<'_>) -> Result<Account, Refusal> {
    let look = Look {
        reader,
        interface: Interface::of_path(&call.path),
        organization: call.headers.get(ORGANIZATION_HEADER).map(String::as_str),
    };
    let user = look.one(id).await.map_err(|error| match error {
        ConnectorError::Refused { refusal, .. } => refusal,
        ConnectorError::Wire(error) => unavailable(&error),
        strange @ ConnectorError::Strange { .. } => Refusal::new(RefusalKind::Unavailable, strange.to_string()),
    })?;
    let facts = std::sync::Arc::new(Facts::new());
    let account = user.map(|user| user.account(reader.system(), look.interface, &facts));
    account.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "there is no such account"))
}
