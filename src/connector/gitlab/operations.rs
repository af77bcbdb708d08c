//! What rules can ask of GitLab that is no attribute: a membership by name, a deleted key, a revoked token.
//!
//! Each is one request. Keys and tokens are named by their numbers, which say nothing of what they are, and a key is
//! always one of the person's own. A token's address does not say whose it is, so it is looked at before it is revoked.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::model::{
    account::Account,
    attribute::Value,
    capability::{Argument, OperationCapability, Replay, Takes},
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::{
    level::{self, LEVELS},
    membership::{self, GROUP},
    observe::USERS,
};

/// Where access tokens are.
const TOKENS: &str = "/api/v4/personal_access_tokens";

const WHICH_GROUP: Argument = Argument {
    name: "group",
    takes: Takes::Named(GROUP),
    required: true,
    meaning: "the group's full path, such as `platform/dev`",
};

/// The operations of the table.
pub(super) const OPERATIONS: &[OperationCapability] = &[
    OperationCapability {
        name: "add_member",
        meaning: "makes the person a direct member of a group",
        of_account: true,
        arguments: &[
            WHICH_GROUP,
            Argument {
                name: "access",
                takes: Takes::OneOf(LEVELS),
                required: true,
                meaning: "what the person can do there",
            },
        ],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "",
    },
    OperationCapability {
        name: "remove_member",
        meaning: "ends the person's direct membership of a group, and none of the groups inside it",
        of_account: true,
        arguments: &[WHICH_GROUP],
        replay: Replay::Repeat,
        removes: true,
        side_effect: "",
    },
    OperationCapability {
        name: "delete_key",
        meaning: "deletes one of the person's SSH keys",
        of_account: true,
        arguments: &[Argument {
            name: "key",
            takes: Takes::Text,
            required: true,
            meaning: "the key's number at GitLab",
        }],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "whatever signs in with the key cannot any more",
    },
    OperationCapability {
        name: "revoke_token",
        meaning: "revokes one of the person's access tokens",
        of_account: true,
        arguments: &[Argument {
            name: "token",
            takes: Takes::Text,
            required: true,
            meaning: "the token's number at GitLab, never its text",
        }],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "whatever works with the token cannot any more",
    },
];

/// The request that carries out an operation.
pub(super) fn operation(
    account: &Account,
    operation: &str,
    arguments: &BTreeMap<String, Value>,
) -> Result<Request, Refusal> {
    let text = |name: &str| arguments.get(name).and_then(Value::as_text).unwrap_or_default();
    let members = || membership::members_path(&account.server, text("group"));
    let request = match operation {
        "add_member" => {
            let members = members()?;
            let level = level::known_to(account, text("access"))?;
            membership::not_below_inherited(account, text("group"), level)?;
            membership::add(&members, membership::number(account)?, level)
        }
        "remove_member" => membership::remove(&members()?, membership::number(account)?),
        "delete_key" => {
            let key = number(operation, "key", text("key"))?;
            delete(format!("{USERS}/{}/keys/{key}", membership::number(account)?))
        }
        "revoke_token" => {
            // Whose it must be is known by then, or there is nobody to compare with.
            membership::number(account)?;
            delete(format!("{TOKENS}/{}", number(operation, "token", text("token"))?))
        }
        other => {
            let reason = format!("GitLab has no operation `{other}` here");
            return Err(Refusal::new(RefusalKind::Unsupported, reason));
        }
    };
    Ok(Request { operation: Operation::Perform, ..request })
}

/// A number as it stands in an address. What is none is not repeated: it may be the text of a token.
fn number<'a>(operation: &str, argument: &str, text: &'a str) -> Result<&'a str, Refusal> {
    // GitLab takes the word for the token we show ourselves, so nothing but digits will do.
    if membership::is_number(text) {
        return Ok(text);
    }
    let reason = format!("`{operation}` takes the number of the {argument} at GitLab, and this `{argument}` is none");
    Err(Refusal::new(RefusalKind::Invalid, reason))
}

fn delete(path: String) -> Request {
    membership::sent(Operation::Perform, "DELETE", path, Json::Null)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::model::account::Facts;

    fn account() -> Account {
        let facts = Facts::from([("group:top/dev".to_owned(), "12".into()), ("version".to_owned(), "17.5.0".into())]);
        let mut account = Account::absent("gitlab".into(), Arc::new(facts));
        account.id = Some("42".into());
        account
    }

    fn arguments(pairs: &[(&str, &str)]) -> BTreeMap<String, Value> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    #[test]
    fn each_operation_is_one_request() {
        let expected = |method: &str, path: &str, body: Json| Request {
            operation: Operation::Perform,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            carries: Vec::new(),
            replay: Replay::Repeat,
        };
        let member = json!({ "user_id": 42, "access_level": 30 });
        for (name, given, request) in [
            (
                "add_member",
                arguments(&[("group", "top/dev"), ("access", "developer")]),
                expected("POST", "/api/v4/groups/12/members", member),
            ),
            (
                "remove_member",
                arguments(&[("group", "top/dev")]),
                expected("DELETE", "/api/v4/groups/12/members/42", json!({ "skip_subresources": true })),
            ),
            ("delete_key", arguments(&[("key", "7")]), expected("DELETE", "/api/v4/users/42/keys/7", Json::Null)),
            (
                "revoke_token",
                arguments(&[("token", "9")]),
                expected("DELETE", "/api/v4/personal_access_tokens/9", Json::Null),
            ),
        ] {
            assert_eq!(operation(&account(), name, &given), Ok(request.clone()), "{name}");
            let row = OPERATIONS.iter().find(|row| row.name == name).unwrap();
            assert_eq!(row.replay, request.replay, "{name}");
            let named: Vec<&str> = row.arguments.iter().map(|argument| argument.name).collect();
            assert!(given.keys().all(|name| named.contains(&name.as_str())) && given.len() == named.len(), "{name}");
            let nobody = Account { id: None, ..account() };
            assert_eq!(operation(&nobody, name, &given).unwrap_err().kind, RefusalKind::Unsupported, "{name}");
        }
    }

    #[test]
    fn what_gitlab_would_refuse_is_refused_here() {
        let mut inside = account();
        inside.facts.insert("inherits:top/dev".to_owned(), "maintainer".into());
        for (account, name, given, kind) in [
            (account(), "add_member", arguments(&[("group", "no"), ("access", "guest")]), RefusalKind::NotFound),
            (account(), "remove_member", arguments(&[("group", "no")]), RefusalKind::NotFound),
            (account(), "add_member", arguments(&[("group", "top/dev"), ("access", "planner")]), RefusalKind::Invalid),
            (inside, "add_member", arguments(&[("group", "top/dev"), ("access", "guest")]), RefusalKind::Invalid),
            (account(), "delete_key", arguments(&[("key", "../1")]), RefusalKind::Invalid),
            (account(), "revoke_token", arguments(&[("token", "self")]), RefusalKind::Invalid),
            (account(), "revoke_token", arguments(&[("token", "glpat-secret")]), RefusalKind::Invalid),
            (account(), "delete_everything", arguments(&[]), RefusalKind::Unsupported),
        ] {
            let refusal = operation(&account, name, &given).unwrap_err();
            assert_eq!(refusal.kind, kind, "{name} {given:?}");
            assert!(!refusal.reason.contains("glpat"), "{refusal}");
        }
    }
}
