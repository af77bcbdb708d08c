//! What can be asked of ZITADEL that is no attribute: notes about an account under a key, and its lock.
//!
//! Each is one request. A 200 to it holds a date and nothing of the account (`zitadel.md` section 7), so what it shall
//! have done is looked up afterwards. Which requests there are depends on the interface; what the account must be like
//! does not.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{
    connector::ConnectorError,
    model::{
        account::Account,
        attribute::Value,
        capability::{Argument, OperationCapability, Replay, Takes},
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::Reader,
};

use super::{
    bodies::Nothing,
    interface::{Interface, ORGANIZATION, encoded, state, text},
    look,
    observe::Look,
    reply::{No, Told, no, refusal},
    understood,
};

/// The longest key, in characters (`zitadel.md` 5, Validation).
const LONGEST_KEY: usize = 200;

/// The longest value, in bytes (`zitadel.md` 5, Validation).
const LONGEST_VALUE: usize = 500_000;

const KEY: Argument = Argument {
    name: "key",
    takes: Takes::Text,
    required: true,
    meaning: "the name it is kept under, 1 to 200 characters; upper and lower case differ",
};

/// All of them may be sent again: values are set and taken away by name, and a state that is reached already answers 400
/// and stays as it is (`zitadel.md` sections 7 and 10).
pub(super) const OPERATIONS: &[OperationCapability] = &[
    OperationCapability {
        name: "set_metadata",
        meaning: "keeps a text with the account under a key, in place of what was there",
        of_account: true,
        arguments: &[
            KEY,
            Argument {
                name: "value",
                takes: Takes::Text,
                required: true,
                meaning: "the text, at most 500,000 bytes; to have none, delete the key",
            },
        ],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "",
    },
    OperationCapability {
        name: "delete_metadata",
        meaning: "takes away what the account has under a key; nothing there is as good",
        of_account: true,
        arguments: &[KEY],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "",
    },
    OperationCapability {
        name: "lock",
        meaning: "locks the account until somebody unlocks it",
        of_account: true,
        arguments: &[],
        replay: Replay::Repeat,
        removes: true,
        side_effect: "nobody can sign in with it until it is unlocked, and its tokens end; it is not switched off",
    },
    OperationCapability {
        name: "unlock",
        meaning: "ends the lock of the account",
        of_account: true,
        arguments: &[],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "the account is active, even if it was not set up before it was locked",
    },
];

/// `POST /v2/users/{id}/metadata` and `POST /management/v1/users/{id}/metadata/_bulk`.
#[derive(Deserialize, Serialize)]
struct SetMetadata<'a> {
    metadata: [Entry<'a>; 1],
}

#[derive(Deserialize, Serialize)]
struct Entry<'a> {
    key: Cow<'a, str>,
    /// Base64, as bytes travel in JSON.
    value: Cow<'a, str>,
}

/// `DeleteUserMetadata`, where the body says whose it is, and `DELETE /management/v1/users/{id}/metadata/_bulk`.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteMetadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Cow<'a, str>>,
    keys: [Cow<'a, str>; 1],
}

/// The request for an operation on this account. `organization` is where v1 works for accounts whose organization is not
/// known.
pub(super) fn request(
    interface: Interface,
    account: &Account,
    operation: &str,
    arguments: &BTreeMap<String, Value>,
    organization: Option<&str>,
) -> Result<Request, Refusal> {
    let Some(row) = OPERATIONS.iter().find(|row| row.name == operation) else {
        return Err(Refusal::new(RefusalKind::Unsupported, format!("ZITADEL has no operation `{operation}`")));
    };
    let Some(id) = account.id.as_ref() else {
        return Err(Refusal::new(RefusalKind::NotFound, "there is no account in ZITADEL to do this to"));
    };
    if state(account) == "deleted" {
        return Err(Refusal::new(RefusalKind::NotFound, "the account was deleted in ZITADEL"));
    }
    let argument = |name: &str| arguments.get(name).map_or("", |value| text(value));
    let (method, path, body) = match operation {
        "set_metadata" => {
            let (key, value) = (key(argument("key"))?, value(argument("value"))?);
            let body = SetMetadata { metadata: [Entry { key: key.into(), value: STANDARD.encode(value).into() }] };
            // Before ZITADEL 4 there is no metadata in v2. The keys of v1 stand in the body as well: in an address they
            // could hold no slash.
            let path = match interface {
                Interface::V2 => format!("/v2/users/{}/metadata", encoded(id.as_str())),
                Interface::V2Human | Interface::V1 => old_metadata(id.as_str(), "_bulk"),
            };
            ("POST", path, serde_json::to_value(body))
        }
        "delete_metadata" => {
            let keys = [key(argument("key"))?.into()];
            match interface {
                // On the REST gateway the keys are a query, which no call of a plan has; Connect takes the same request
                // with all of it in the body (`zitadel.md` section 1).
                Interface::V2 => {
                    let body = DeleteMetadata { user_id: Some(id.as_str().into()), keys };
                    ("POST", DELETE_BY_CONNECT.to_owned(), serde_json::to_value(body))
                }
                Interface::V2Human | Interface::V1 => {
                    let body = DeleteMetadata { user_id: None, keys };
                    ("DELETE", old_metadata(id.as_str(), "_bulk"), serde_json::to_value(body))
                }
            }
        }
        word => {
            can_switch(account, word)?;
            let path = match interface {
                Interface::V2 | Interface::V2Human => format!("/v2/users/{}/{word}", encoded(id.as_str())),
                Interface::V1 => format!("/management/v1/users/{}/_{word}", encoded(id.as_str())),
            };
            ("POST", path, serde_json::to_value(Nothing {}))
        }
    };
    let headers = Interface::of_path(&path).headers(account.fact(ORGANIZATION).or(organization));
    Ok(Request {
        operation: Operation::Perform,
        method: method.to_owned(),
        path,
        headers,
        body: body.unwrap_or_default(),
        generated: Vec::new(),
        carries: Vec::new(),
        replay: row.replay,
    })
}

const DELETE_BY_CONNECT: &str = "/zitadel.user.v2.UserService/DeleteUserMetadata";

fn old_metadata(id: &str, call: &str) -> String {
    format!("/management/v1/users/{}/metadata/{call}", encoded(id))
}

fn key(key: &str) -> Result<&str, Refusal> {
    if (1..=LONGEST_KEY).contains(&key.chars().count()) {
        return Ok(key);
    }
    let reason = format!("`key` must have 1 to {LONGEST_KEY} characters in ZITADEL");
    Err(Refusal::new(RefusalKind::Invalid, reason))
}

fn value(value: &str) -> Result<&str, Refusal> {
    if value.is_empty() {
        return Err(Refusal::new(RefusalKind::Invalid, "ZITADEL keeps no empty `value`; delete the key instead"));
    }
    if value.len() > LONGEST_VALUE {
        let reason = format!("`value` may have at most {LONGEST_VALUE} bytes in ZITADEL");
        return Err(Refusal::new(RefusalKind::Invalid, reason));
    }
    Ok(value)
}

/// The table of states in `zitadel.md` section 7. An account whose state is not known is left to the server.
fn can_switch(account: &Account, word: &str) -> Result<(), Refusal> {
    let reason = match (word, state(account)) {
        ("lock", "locked") => "the account is locked already",
        ("lock", "inactive") => "the account is switched off, and ZITADEL locks only what is switched on",
        ("unlock", "active" | "initial" | "inactive") => "the account is not locked",
        _ => return Ok(()),
    };
    Err(Refusal::new(RefusalKind::Unsupported, reason))
}

/// What an operation shall have come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// The account is in this state.
    State(&'static str),
    /// It has this value, in base64, under this key; or nothing, where there is none.
    Metadata { key: String, value: Option<String> },
}

impl Aim {
    /// Read from the call alone, which may come from a saved plan.
    pub(super) fn of(call: &Call) -> Result<Self, Refusal> {
        let strange = || Refusal::new(RefusalKind::Unsupported, "the call is none of those that ZITADEL is sent here");
        match call.performs.as_deref() {
            Some("lock") => Ok(Self::State("locked")),
            Some("unlock") => Ok(Self::State("active")),
            Some("set_metadata") => {
                let body = SetMetadata::deserialize(&call.body).map_err(|_| strange())?;
                let [Entry { key, value }] = body.metadata;
                Ok(Self::Metadata { key: key.into_owned(), value: Some(value.into_owned()) })
            }
            Some("delete_metadata") => {
                let body = DeleteMetadata::deserialize(&call.body).map_err(|_| strange())?;
                let [key] = body.keys;
                Ok(Self::Metadata { key: key.into_owned(), value: None })
            }
            _ => Err(strange()),
        }
    }
}

/// What an answer comes to: the account as a second look shows it, or the no.
pub(super) async fn after(
    call: &Call,
    aim: &Aim,
    status: u16,
    body: Option<&Json>,
    reader: Reader<'_>,
) -> Result<Account, Refusal> {
    let told = Told::of(body);
    let said_no = (!(200..300).contains(&status)).then(|| no(status, &told));
    if let Some(No::Refused(refusal)) = said_no {
        return Err(refusal);
    }
    let Some(id) = &call.account else {
        return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
    };
    let account = look(call, id.as_str(), reader).await?;
    let reached = match aim {
        Aim::State(wanted) => state(&account) == *wanted,
        Aim::Metadata { key, value } => {
            let look = Look::after(call, reader);
            look.metadata(id.as_str(), key).await.map_err(understood)? == *value
        }
    };
    match said_no {
        _ if reached => Ok(account),
        Some(_) => Err(refusal(status, &told)),
        None => {
            let what = match aim {
                Aim::State(_) => "the account's state is another",
                Aim::Metadata { value: Some(_), .. } => "the value is not there",
                Aim::Metadata { value: None, .. } => "the key is still there",
            };
            Err(Refusal::new(RefusalKind::Ineffective, format!("ZITADEL said yes, and {what}")))
        }
    }
}

/// The entries of metadata, in the shape of v2 or of v1.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entries {
    #[serde(alias = "result")]
    metadata: Vec<Found>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Found {
    key: String,
    value: String,
}

/// More than one entry never has one key.
const ENTRIES: usize = 100;

impl Look<'_> {
    /// The value an account has under this key, in base64, as just written: unlike the list of users, a list of metadata
    /// triggers its projection first (in the server's source: `SearchUserMetadata`).
    async fn metadata(&self, id: &str, key: &str) -> Result<Option<String>, ConnectorError> {
        let (path, query) = match self.interface {
            Interface::V2 | Interface::V2Human => {
                let filter = json!({ "keyFilter": { "key": key, "method": "TEXT_FILTER_METHOD_EQUALS" } });
                let query = json!({ "pagination": { "limit": ENTRIES, "asc": true }, "filters": [filter] });
                (format!("/v2/users/{}/metadata/search", encoded(id)), query)
            }
            Interface::V1 => {
                let filter = json!({ "keyQuery": { "key": key, "method": "TEXT_QUERY_METHOD_EQUALS" } });
                (
                    old_metadata(id, "_search"),
                    json!({ "query": { "limit": ENTRIES, "asc": true }, "queries": [filter] }),
                )
            }
        };
        let headers = self.interface.headers(self.organization);
        let reply = self.reader.search_with(&path, &headers, &query).await?;
        if !reply.is_success() {
            return Err(self.refused(&reply));
        }
        let entries: Entries = reply.read().map_err(|_| self.strange("a list of metadata that is none"))?;
        Ok(entries.metadata.into_iter().find(|entry| entry.key == key).map(|entry| entry.value))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        connector::zitadel::{contract::faults, interface::API, stand_in::StandIn},
        model::{account::Facts, id::PersonId},
    };

    fn anna(interface: Interface, state: &str) -> Account {
        let server = Facts::from([(API.to_owned(), interface.word().into())]);
        let mut account = Account::absent("zitadel".into(), Arc::new(server));
        account.id = Some("u1".into());
        account.facts.insert("state".to_owned(), state.into());
        account.facts.insert(ORGANIZATION.to_owned(), "o1".into());
        account
    }

    fn arguments(operation: &str, key: &str, value: &str) -> BTreeMap<String, Value> {
        let given = [("key", key), ("value", value)].map(|(name, text)| (name.to_owned(), Value::text(text)));
        let row = OPERATIONS.iter().find(|row| row.name == operation).unwrap();
        given.into_iter().filter(|(name, _)| row.arguments.iter().any(|argument| argument.name == name)).collect()
    }

    /// The request with what is the same for all of them taken off, held against ZITADEL's description.
    fn sent(interface: Interface, operation: &str, key: &str, value: &str) -> (String, Option<String>, Json) {
        let state = if operation == "unlock" { "locked" } else { "active" };
        let arguments = arguments(operation, key, value);
        let request = request(interface, &anna(interface, state), operation, &arguments, Some("o9")).unwrap();
        assert_eq!((request.operation, request.replay), (Operation::Perform, Replay::Repeat));
        assert_eq!((request.generated, request.carries), (vec![], vec![]));
        let found = faults(&request.method, &request.path, &request.body).unwrap_or_default();
        assert_eq!(found, Vec::<String>::new(), "{} {}", request.method, request.path);
        let organization = request.headers.get("x-zitadel-orgid").cloned();
        (format!("{} {}", request.method, request.path), organization, request.body)
    }

    #[test]
    fn every_interface_has_a_request_for_every_operation() {
        let entry = json!({ "metadata": [{ "key": "a/b ü", "value": "w7w=" }] });
        let old = "/management/v1/users/u1";
        let here = Some("o1".to_owned());
        for (interface, operation, call, organization, body) in [
            (Interface::V2, "set_metadata", "POST /v2/users/u1/metadata".to_owned(), None, entry.clone()),
            (Interface::V2Human, "set_metadata", format!("POST {old}/metadata/_bulk"), here.clone(), entry.clone()),
            (Interface::V1, "set_metadata", format!("POST {old}/metadata/_bulk"), here.clone(), entry),
            (
                Interface::V2,
                "delete_metadata",
                "POST /zitadel.user.v2.UserService/DeleteUserMetadata".to_owned(),
                None,
                json!({ "userId": "u1", "keys": ["a/b ü"] }),
            ),
            (
                Interface::V2Human,
                "delete_metadata",
                format!("DELETE {old}/metadata/_bulk"),
                here.clone(),
                json!({ "keys": ["a/b ü"] }),
            ),
            (
                Interface::V1,
                "delete_metadata",
                format!("DELETE {old}/metadata/_bulk"),
                here.clone(),
                json!({ "keys": ["a/b ü"] }),
            ),
            (Interface::V2, "lock", "POST /v2/users/u1/lock".to_owned(), None, json!({})),
            (Interface::V2Human, "lock", "POST /v2/users/u1/lock".to_owned(), None, json!({})),
            (Interface::V1, "lock", format!("POST {old}/_lock"), here.clone(), json!({})),
            (Interface::V2, "unlock", "POST /v2/users/u1/unlock".to_owned(), None, json!({})),
            (Interface::V2Human, "unlock", "POST /v2/users/u1/unlock".to_owned(), None, json!({})),
            (Interface::V1, "unlock", format!("POST {old}/_unlock"), here.clone(), json!({})),
        ] {
            assert_eq!(
                sent(interface, operation, "a/b ü", "ü"),
                (call, organization, body),
                "{interface:?} {operation}"
            );
        }
    }

    #[test]
    fn an_account_without_a_known_organization_is_looked_for_in_the_configured_one() {
        let mut account = anna(Interface::V1, "active");
        account.facts.remove(ORGANIZATION);
        let request = request(Interface::V1, &account, "lock", &BTreeMap::new(), Some("o9")).unwrap();
        assert_eq!(request.headers, BTreeMap::from([("x-zitadel-orgid".to_owned(), "o9".to_owned())]));
    }

    #[test]
    fn what_the_account_or_the_arguments_make_impossible_is_refused_beforehand() {
        use RefusalKind::{Invalid, NotFound, Unsupported};
        let (just, long) = ("ü".repeat(200), "ü".repeat(201));
        let (most, more) = ("x".repeat(500_000), "x".repeat(500_001));
        for interface in [Interface::V2, Interface::V2Human, Interface::V1] {
            let kind = |state: &str, operation: &str, key: &str, value: &str| {
                let arguments = arguments(operation, key, value);
                let told = request(interface, &anna(interface, state), operation, &arguments, None);
                told.err().map(|refusal| refusal.kind)
            };
            for (state, lock, unlock, note) in [
                ("active", None, Some(Unsupported), None),
                ("initial", None, Some(Unsupported), None),
                ("inactive", Some(Unsupported), Some(Unsupported), None),
                ("locked", Some(Unsupported), None, None),
                ("unspecified", None, None, None),
                ("deleted", Some(NotFound), Some(NotFound), Some(NotFound)),
            ] {
                let told =
                    ["lock", "unlock", "set_metadata", "delete_metadata"].map(|word| kind(state, word, "k", "v"));
                assert_eq!(told, [lock, unlock, note, note], "{state}");
            }
            for (key, value, set, delete) in [
                ("", "v", Some(Invalid), Some(Invalid)),
                (just.as_str(), "v", None, None),
                (long.as_str(), "v", Some(Invalid), Some(Invalid)),
                ("k", "", Some(Invalid), None),
                ("k", most.as_str(), None, None),
                ("k", more.as_str(), Some(Invalid), None),
                (" ", " ", None, None),
            ] {
                let told = ["set_metadata", "delete_metadata"].map(|word| kind("active", word, key, value));
                assert_eq!(told, [set, delete], "{} {}", key.len(), value.len());
            }
            let nobody = Account::absent("zitadel".into(), Arc::default());
            for row in OPERATIONS {
                let told = request(interface, &nobody, row.name, &arguments(row.name, "k", "v"), None);
                assert_eq!(told.unwrap_err().kind, NotFound, "{}", row.name);
            }
            let told = request(interface, &anna(interface, "active"), "add_grant", &BTreeMap::new(), None);
            assert_eq!(told.unwrap_err().kind, Unsupported);
        }
    }

    fn call(interface: Interface, operation: &str) -> Call {
        let state = if operation == "unlock" { "locked" } else { "active" };
        let arguments = arguments(operation, "k", "ü");
        let request = request(interface, &anna(interface, state), operation, &arguments, None).unwrap();
        Call {
            id: "c1".into(),
            system: "zitadel".into(),
            person: PersonId { system: "hr".into(), key: "1".into() },
            account: Some("u1".into()),
            operation: request.operation,
            performs: Some(operation.to_owned()),
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body,
            generated: Vec::new(),
            expects: BTreeMap::new(),
            intends: BTreeMap::new(),
            replay: request.replay,
            after: Vec::new(),
        }
    }

    /// A server where the account has this state and these entries under `k` and `K`.
    fn server(state: &str, held: Option<&str>) -> StandIn {
        let user = json!({ "user": { "userId": "u1", "state": format!("USER_STATE_{state}"), "username": "anna",
            "details": { "resourceOwner": "o1" }, "human": { "profile": {}, "email": {}, "phone": {} } } });
        let entries: Vec<Json> = held
            .iter()
            .map(|value| json!({ "key": "k", "value": value }))
            .chain([json!({ "key": "K", "value": "eA==" })])
            .collect();
        StandIn::serving(move |line, _| match line {
            "POST /v2/users/u1/metadata/search" => (200, json!({ "pagination": {}, "metadata": entries })),
            "POST /management/v1/users/u1/metadata/_search" => (200, json!({ "details": {}, "result": entries })),
            _ => (200, user.clone()),
        })
    }

    async fn met(server: &StandIn, call: &Call, status: u16, body: Json) -> Result<Account, Refusal> {
        after(call, &Aim::of(call).unwrap(), status, Some(&body), server.line().reader()).await
    }

    fn said_no(code: u64, id: &str) -> Json {
        json!({ "code": code, "message": format!("Nein ({id})"), "details": [{ "id": id, "message": "Nein" }] })
    }

    #[tokio::test]
    async fn a_yes_is_believed_when_a_second_look_shows_it() {
        for (interface, looks) in [
            (Interface::V2, ["GET /v2/users/u1", "POST /v2/users/u1/metadata/search"]),
            (Interface::V1, ["GET /management/v1/users/u1 o1", "POST /management/v1/users/u1/metadata/_search o1"]),
        ] {
            for (operation, state, held, reached) in [
                ("lock", "LOCKED", None, true),
                ("lock", "ACTIVE", None, false),
                ("unlock", "ACTIVE", None, true),
                ("unlock", "LOCKED", None, false),
                ("unlock", "INACTIVE", None, false),
                ("set_metadata", "ACTIVE", Some("w7w="), true),
                ("set_metadata", "ACTIVE", Some("eA=="), false),
                ("set_metadata", "ACTIVE", None, false),
                ("delete_metadata", "ACTIVE", None, true),
                ("delete_metadata", "ACTIVE", Some("w7w="), false),
            ] {
                let server = server(state, held);
                let told = met(&server, &call(interface, operation), 200, json!({})).await;
                let told = told.map(|account| account.id).map_err(|refusal| (refusal.kind, refusal.status));
                let wanted = if reached { Ok(Some("u1".into())) } else { Err((RefusalKind::Ineffective, None)) };
                assert_eq!(told, wanted, "{operation} {state} {held:?}");
                let looked = if operation.ends_with("metadata") { &looks[..] } else { &looks[..1] };
                assert_eq!(server.asked(), looked, "{operation}");
            }
        }
    }

    #[tokio::test]
    async fn a_no_is_none_where_it_is_so_already() {
        for (interface, operation, status, body, state, held, kind) in [
            (Interface::V2, "lock", 400, said_no(9, "COMMAND-lgws8wtsqf"), "LOCKED", None, None),
            (Interface::V1, "lock", 400, said_no(9, "COMMAND-3NN8v"), "LOCKED", None, None),
            (
                Interface::V2,
                "lock",
                400,
                said_no(9, "COMMAND-lgws8wtsqf"),
                "INACTIVE",
                None,
                Some(RefusalKind::Unsupported),
            ),
            (Interface::V2, "unlock", 400, said_no(9, "COMMAND-olb9vb0oca"), "ACTIVE", None, None),
            (Interface::V1, "unlock", 400, said_no(9, "COMMAND-4M0ds"), "ACTIVE", None, None),
            (
                Interface::V2,
                "unlock",
                400,
                said_no(9, "COMMAND-olb9vb0oca"),
                "INACTIVE",
                None,
                Some(RefusalKind::Unsupported),
            ),
            (Interface::V2, "delete_metadata", 404, said_no(5, "META-2nnds"), "ACTIVE", None, None),
            (Interface::V1, "delete_metadata", 404, said_no(5, "META-ncnw3"), "ACTIVE", None, None),
            (
                Interface::V2,
                "set_metadata",
                400,
                said_no(9, "COMMAND-uXHNj"),
                "ACTIVE",
                None,
                Some(RefusalKind::NotFound),
            ),
        ] {
            let server = server(state, held);
            let told = met(&server, &call(interface, operation), status, body.clone()).await;
            assert_eq!(told.map(drop).err().map(|refusal| refusal.kind), kind, "{operation} {body} {state}");
        }
    }

    #[tokio::test]
    async fn any_other_no_is_told_without_a_second_look() {
        for operation in ["lock", "set_metadata", "delete_metadata"] {
            let server = server("LOCKED", None);
            let body = said_no(7, "AUTH-AWfge");
            let refusal = met(&server, &call(Interface::V2, operation), 403, body).await.unwrap_err();
            assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Forbidden, Some("AUTH-AWfge")));
            assert_eq!(server.asked(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_proves_nothing() {
        let user = json!({ "user": { "userId": "u1", "state": "USER_STATE_ACTIVE" } });
        for (status, body, kind) in [
            (403, said_no(7, "AUTH-AWfge"), RefusalKind::Forbidden),
            (200, json!({ "metadata": "none" }), RefusalKind::Unavailable),
        ] {
            let user = user.clone();
            let server =
                StandIn::serving(
                    move |line, _| {
                        if line.ends_with("search") { (status, body.clone()) } else { (200, user.clone()) }
                    },
                );
            let refusal = met(&server, &call(Interface::V2, "delete_metadata"), 200, json!({})).await.unwrap_err();
            assert_eq!(refusal.kind, kind);
        }
    }

    #[test]
    fn a_call_that_is_none_of_ours_has_no_aim() {
        let strange = |change: fn(&mut Call)| {
            let mut call = call(Interface::V2, "set_metadata");
            change(&mut call);
            Aim::of(&call).unwrap_err().kind
        };
        assert_eq!(strange(|call| call.performs = None), RefusalKind::Unsupported);
        assert_eq!(strange(|call| call.performs = Some("revoke".to_owned())), RefusalKind::Unsupported);
        assert_eq!(strange(|call| call.body = json!({ "metadata": [] })), RefusalKind::Unsupported);
        assert_eq!(strange(|call| call.body = Json::Null), RefusalKind::Unsupported);
    }
}
