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

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{
            AttributeCapability, Capabilities, Change, Foresight, Replay, Scheme,
            Support::{No, Yes},
            Unique,
        },
        id::AccountId,
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Dialect, Reader, Writer},
};

use super::{Connector, ConnectorError, Kind, Standing, unavailable};

use self::{
    forecast::NOT_CLEARABLE,
    interface::{Choice, Interface, ORGANIZATION},
    observe::Known,
    observe::Look,
    operations::Aim,
    reply::{No as Denial, Told},
};

mod bodies;
mod forecast;
mod interface;
mod observe;
mod operations;
mod reply;
mod requests;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod stand_in;

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
    set: None,
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
            // Whether they do is not certain (`zitadel.md` 5): better feared than missed.
            side_effect: "the login names change with it; its tokens and sessions may end",
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
    operations: operations::OPERATIONS,
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
    open: |settings| Ok(Box::new(Zitadel { settings: serde_json::from_value(settings)?, server: Known::default() })),
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
    /// What was found out about the server: asked once.
    server: Known,
}

#[async_trait]
impl Connector for Zitadel {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn dialect(&self) -> Dialect {
        // It tells nothing of its quotas (`zitadel.md` 10), and every write is looked at again.
        Dialect { requests: 2, ..Dialect::default() }
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        observe::standing(self.settings.api, self.settings.organization.as_deref(), *wire).await
    }

    async fn observe(&self, wanted: &Wanted, wire: &Reader<'_>) -> Result<Observed, ConnectorError> {
        observe::observe(self.settings.api, self.settings.organization.as_deref(), &self.server, wanted, *wire).await
    }

    fn normalize(&self, attribute: &AttributeName, value: &Value) -> Value {
        forecast::normalized(attribute.as_str(), value)
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        let interface = Interface::of(account, self.settings.api);
        forecast::foresee(interface, account, change.attribute.as_str(), &change.after)
    }

    fn stands_alone(&self, _: &Packed<'_>) -> bool {
        true
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let interface = Interface::of(account, self.settings.api);
        let organization = self.settings.organization.as_deref().or_else(|| account.server_fact(ORGANIZATION));
        requests::requests(interface, account, changes, organization)
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        let interface = Interface::of(account, self.settings.api);
        let organization = self.settings.organization.as_deref().or_else(|| account.server_fact(ORGANIZATION));
        operations::request(interface, account, operation, arguments, organization)
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        if call.operation == Operation::Perform {
            let aim = Aim::of(call)?;
            let reply = wire.send().await.map_err(|error| unavailable(&error))?;
            return operations::after(call, &aim, reply.status, reply.json().as_ref(), wire.reader()).await;
        }
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        after(call, reply.status, reply.json().as_ref(), wire.reader()).await
    }

    fn has_looked(&self, _call: &Call) -> bool {
        true
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
        _ => call.account.as_ref().map(AccountId::as_str),
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
    let look = Look::after(call, reader);
    let user = look.one(id).await.map_err(understood)?;
    let facts = std::sync::Arc::new(Facts::new());
    let account = user.map(|user| user.account(reader.system(), look.interface, &facts));
    account.ok_or_else(|| Refusal::new(RefusalKind::NotFound, "there is no such account"))
}

/// A second look that showed nothing, told as a refusal.
fn understood(error: ConnectorError) -> Refusal {
    match error {
        ConnectorError::Refused { refusal, .. } => refusal,
        ConnectorError::Wire(error) => unavailable(&error),
        strange @ ConnectorError::Strange { .. } => Refusal::new(RefusalKind::Unavailable, strange.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{interface::ORGANIZATION_HEADER, stand_in::StandIn, *};
    use crate::model::id::PersonId;

    fn call(operation: Operation, path: &str, account: Option<&str>) -> Call {
        Call {
            id: "c1".into(),
            system: "zitadel".into(),
            person: PersonId { system: "hr".into(), key: "1".into() },
            account: account.map(AccountId::from),
            operation,
            performs: None,
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::new(),
            body: json!({}),
            generated: Vec::new(),
            expects: BTreeMap::new(),
            intends: BTreeMap::from([(AttributeName::new("active"), false.into())]),
            replay: Replay::Repeat,
            after: Vec::new(),
        }
    }

    fn user(state: &str) -> serde_json::Value {
        json!({ "user": { "userId": "u1", "state": state, "username": "anna", "details": { "resourceOwner": "o1" },
            "human": { "profile": {}, "email": {}, "phone": {} } } })
    }

    #[test]
    fn the_table_lists_exactly_what_is_forecast() {
        let names: Vec<&str> = CAPABILITIES.attributes.iter().map(|row| row.name).collect();
        let mut known = forecast::ATTRIBUTES.to_vec();
        let mut listed = names.clone();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known);
        // What the table promises, the newest interface keeps.
        let mut account = Account::absent("zitadel".into(), std::sync::Arc::default());
        account.id = Some("u1".into());
        for row in CAPABILITIES.attributes.iter().filter(|row| row.name != "active") {
            let verdict = forecast::foresee(Interface::V2, &account, row.name, &Value::Empty);
            assert_eq!(verdict == Foresight::takes(), row.clear.is_yes(), "{}", row.name);
        }
    }

    #[test]
    fn settings_are_read_strictly() {
        let open = |settings| (KIND.open)(settings).map(drop).map_err(|error| error.to_string());
        assert_eq!(open(json!({})), Ok(()));
        assert_eq!(open(json!({ "organization": "o1", "api": "v2-human" })), Ok(()));
        assert!(open(json!({ "organisation": "o1" })).unwrap_err().contains("unknown field `organisation`"));
        assert!(open(json!({ "api": "v3" })).unwrap_err().contains("unknown variant `v3`"));
        let schema = (KIND.schema)();
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["organization", "api"]);
    }

    #[test]
    fn the_configured_interface_is_used_where_none_was_observed() {
        let settings = Settings { organization: None, api: Choice::V1 };
        let zitadel = Zitadel { settings, server: Known::default() };
        let mut account = Account::absent("zitadel".into(), std::sync::Arc::default());
        account.id = Some("u1".into());
        let change = Change { attribute: AttributeName::new("username"), before: Value::Empty, after: "x".into() };
        let paths = |account: &Account| {
            let requests = zitadel.calls(account, std::slice::from_ref(&change)).unwrap();
            requests.into_iter().map(|request| request.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(&account), ["/management/v1/users/u1/username"]);
        account.server = std::sync::Arc::new(Facts::from([("api".to_owned(), "v2".into())]));
        assert_eq!(paths(&account), ["/v2/users/u1"]);
    }

    #[tokio::test]
    async fn a_yes_is_followed_by_a_look_at_the_one_user() {
        let server = StandIn::serving(|_, _| (200, user("USER_STATE_INACTIVE")));
        let call = call(Operation::Disable, "/v2/users/u1/deactivate", Some("u1"));
        let account = after(&call, 200, Some(&json!({ "details": {} })), server.line().reader()).await.unwrap();
        assert_eq!(account.value(&AttributeName::new("active")), Value::Bool(false));
        assert_eq!(server.asked(), ["GET /v2/users/u1"]);
    }

    #[tokio::test]
    async fn a_creation_is_looked_at_by_the_id_in_the_answer() {
        for (path, answer, looked) in [
            ("/v2/users/new", json!({ "id": "u1" }), "GET /v2/users/u1"),
            ("/v2/users/human", json!({ "userId": "u1" }), "GET /v2/users/u1"),
            ("/management/v1/users/human/_import", json!({ "userId": "u1" }), "GET /management/v1/users/u1 o1"),
        ] {
            let server = StandIn::serving(|_, _| (200, user("USER_STATE_ACTIVE")));
            let mut call = call(Operation::Create, path, None);
            if path.starts_with("/management") {
                call.headers.insert(ORGANIZATION_HEADER.to_owned(), "o1".to_owned());
            }
            let account = after(&call, 201, Some(&answer), server.line().reader()).await.unwrap();
            assert_eq!(account.id, Some("u1".into()));
            assert_eq!(server.asked(), [looked]);
        }
        let server = StandIn::serving(|_, _| (404, json!({})));
        let call = call(Operation::Create, "/v2/users/new", None);
        let lost = after(&call, 200, Some(&json!({})), server.line().reader()).await.unwrap_err();
        assert_eq!((lost.kind, server.asked()), (RefusalKind::Unavailable, Vec::new()));
    }

    #[tokio::test]
    async fn already_so_is_no_refusal() {
        let server = StandIn::serving(|_, _| (200, user("USER_STATE_INACTIVE")));
        let call = call(Operation::Disable, "/v2/users/u1/deactivate", Some("u1"));
        for id in ["COMMAND-5gunjw0cd7", "COMMAND-5M0sf"] {
            let body = json!({ "code": 9, "message": "no", "details": [{ "id": id }] });
            let account = after(&call, 400, Some(&body), server.line().reader()).await.unwrap();
            assert_eq!(account.value(&AttributeName::new("active")), Value::Bool(false));
        }
    }

    #[tokio::test]
    async fn a_state_that_does_not_allow_it_is_a_refusal_unless_it_is_so_already() {
        let server = StandIn::serving(|_, _| (200, user("USER_STATE_INITIAL")));
        let call = call(Operation::Disable, "/v2/users/u1/deactivate", Some("u1"));
        let body = json!({ "code": 9, "message": "no", "details": [{ "id": "COMMAND-gvx4kct9r2" }] });
        let refused = after(&call, 400, Some(&body), server.line().reader()).await.unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Unsupported);
        assert_eq!(refused.code.as_deref(), Some("COMMAND-gvx4kct9r2"));
    }

    #[tokio::test]
    async fn a_no_needs_no_second_look() {
        let server = StandIn::serving(|_, _| (200, user("USER_STATE_ACTIVE")));
        let call = call(Operation::Update, "/v2/users/u1", Some("u1"));
        let body = json!({ "code": 6, "message": "no", "details": [{ "id": "V3-DKcYh" }] });
        let refused = after(&call, 409, Some(&body), server.line().reader()).await.unwrap_err();
        assert_eq!((refused.kind, refused.status), (RefusalKind::Taken, Some(409)));
        assert_eq!(server.asked(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_account_that_is_gone_at_the_second_look_is_not_found() {
        let missing = json!({ "code": 5, "message": "no", "details": [{ "id": "QUERY-Dfbg2" }] });
        let server = StandIn::serving(move |_, _| (404, missing.clone()));
        let call = call(Operation::Update, "/v2/users/u1", Some("u1"));
        let refused = after(&call, 200, None, server.line().reader()).await.unwrap_err();
        assert_eq!(refused.kind, RefusalKind::NotFound);
    }
}
