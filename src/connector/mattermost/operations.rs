//! What rules can ask of Mattermost beside attributes: a message, and the end of somebody's sessions.
//!
//! The contract is silent about both; they follow the server's own `api4/post.go`, `app/post.go` and `api4/user.go`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;
use serde_json::json;

use super::{
    is_own, members,
    places::{Set, id_fact},
    reading::segment,
    reply::{self, User},
    settings::TokenKind,
};
use crate::{
    connector::unavailable,
    model::{
        account::Account,
        attribute::Value,
        capability::{Argument, OperationCapability, Replay, Takes},
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Writer},
};

const POST_MESSAGE: &str = "post_message";
const REVOKE_SESSIONS: &str = "revoke_sessions";

/// The longest message a server takes, in characters; an old database takes less, and says so.
const LONGEST: usize = 16_383;

/// The table.
pub(super) const OPERATIONS: &[OperationCapability] = &[
    OperationCapability {
        name: POST_MESSAGE,
        meaning: "writes a message into a channel, in the name of the token's user",
        of_account: false,
        arguments: &[
            Argument {
                name: "channel",
                takes: Takes::Named(Set::Channels.kind()),
                required: true,
                meaning: "the team's name, a slash and the channel's, as in their addresses: `hr/town-square`",
            },
            Argument { name: "text", takes: Takes::Text, required: true, meaning: "the message, in Markdown" },
        ],
        // The server knows a message again by its `pending_post_id` for thirty seconds, on one node, and no longer
        // (`deduplicateCreatePost`); and the words alone do not tell ours from somebody else's.
        replay: Replay::AskOperator,
        removes: false,
        side_effect: "whoever is mentioned is notified",
    },
    OperationCapability {
        name: REVOKE_SESSIONS,
        meaning: "signs the account out everywhere; personal access tokens stay",
        of_account: true,
        arguments: &[],
        replay: Replay::Repeat,
        removes: false,
        side_effect: "the person has to sign in again",
    },
];

/// What is sent for an operation.
pub(super) fn request(
    token: TokenKind,
    account: &Account,
    operation: &str,
    arguments: &BTreeMap<String, Value>,
) -> Result<Request, Refusal> {
    let Some(row) = OPERATIONS.iter().find(|row| row.name == operation) else {
        let reason = format!("Mattermost has no operation `{operation}`");
        return Err(Refusal::new(RefusalKind::Unsupported, reason));
    };
    let (path, body) = match row.name {
        POST_MESSAGE => message(account, arguments)?,
        _ => (revocation(token, account)?, serde_json::Value::Null),
    };
    Ok(Request {
        operation: Operation::Perform,
        method: "POST".to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: Vec::new(),
        replay: row.replay,
    })
}

fn message(account: &Account, arguments: &BTreeMap<String, Value>) -> Result<(String, serde_json::Value), Refusal> {
    let argument = |name: &str| arguments.get(name).and_then(Value::as_text).unwrap_or_default();
    let (channel, text) = (argument("channel"), argument("text"));
    if text.is_empty() {
        return Err(Refusal::new(RefusalKind::Invalid, "`text` cannot be empty"));
    }
    if text.chars().count() > LONGEST {
        return Err(Refusal::new(RefusalKind::Invalid, format!("`text` is longer than {LONGEST} characters")));
    }
    if is_own(account) {
        let reason = "no channel is looked for with a person's own token; an administrator's could";
        return Err(Refusal::new(RefusalKind::Unsupported, reason));
    }
    let id = account.server_fact(&id_fact(Set::Channels, channel));
    let id = id.ok_or_else(|| members::missing(Set::Channels, channel))?;
    Ok(("/api/v4/posts".to_owned(), json!({ "channel_id": id, "message": text })))
}

fn revocation(token: TokenKind, account: &Account) -> Result<String, Refusal> {
    let Some(id) = &account.id else {
        return Err(Refusal::new(RefusalKind::NotFound, "there is no account whose sessions could be ended"));
    };
    if token == TokenKind::Oauth && account.server_fact("me") == Some(id.as_str()) {
        let reason =
            "the token in use belongs to this account and would stop working; use another administrator's token";
        return Err(Refusal::new(RefusalKind::Forbidden, reason));
    }
    Ok(format!("/api/v4/users/{}/sessions/revoke/all", segment(id.as_str())))
}

/// What of an answer to a message proves it.
#[derive(Debug, Deserialize)]
struct Post {
    id: String,
    channel_id: String,
}

/// One session of somebody.
#[derive(Debug, Deserialize)]
struct Session {
    id: String,
}

/// Sends an operation, and proves it.
pub(super) async fn perform(call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
    match call.performs.as_deref() {
        Some(POST_MESSAGE) => {
            let reply = wire.send().await.map_err(|error| unavailable(&error))?;
            if !reply.is_success() {
                return Err(reply::refusal_of_message(&reply));
            }
            let post: Post = reply.read().map_err(|_| reply::unreadable(&reply))?;
            if post.id.is_empty() || call.body["channel_id"] != post.channel_id {
                return Err(ineffective("the server answered with a message in another channel"));
            }
            Ok(Account::absent(call.system.clone(), Arc::default()))
        }
        Some(REVOKE_SESSIONS) => {
            let Some(id) = &call.account else {
                return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
            };
            // The server says yes whether there is such a user or not.
            let reader = wire.reader();
            let path = format!("/api/v4/users/{}", segment(id.as_str()));
            let reply = reader.get(&path, &[]).await.map_err(|error| unavailable(&error))?;
            if !reply.is_success() {
                return Err(reply::refusal(&reply));
            }
            let user: User = reply.read().map_err(|_| reply::unreadable(&reply))?;
            if user.id != id.as_str() {
                return Err(reply::unreadable(&reply));
            }
            let before = sessions(&path, reader).await?;
            let reply = wire.send().await.map_err(|error| unavailable(&error))?;
            if !reply.is_success() {
                return Err(reply::refusal(&reply));
            }
            // Who signs in again meanwhile has a session, and another one.
            let after = sessions(&path, wire.reader()).await?;
            if before.intersection(&after).next().is_some() {
                return Err(ineffective("the server said yes, and sessions from before are still open"));
            }
            Ok(user.account(&call.system, &Arc::default()))
        }
        other => {
            let reason = format!("Mattermost has no operation `{}`", other.unwrap_or_default());
            Err(Refusal::new(RefusalKind::Unsupported, reason))
        }
    }
}

async fn sessions(user: &str, wire: Reader<'_>) -> Result<BTreeSet<String>, Refusal> {
    let reply = wire.get(&format!("{user}/sessions"), &[]).await.map_err(|error| unavailable(&error))?;
    if !reply.is_success() {
        return Err(reply::refusal(&reply));
    }
    let sessions: Option<Vec<Session>> = reply.read().map_err(|_| reply::unreadable(&reply))?;
    Ok(sessions.unwrap_or_default().into_iter().map(|session| session.id).collect())
}

fn ineffective(reason: &str) -> Refusal {
    Refusal::new(RefusalKind::Ineffective, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::account::Facts;

    fn account(id: Option<&str>) -> Account {
        let server =
            Facts::from([("me".to_owned(), "ours".into()), ("channel:hr/town-square".to_owned(), "c1".into())]);
        Account { id: id.map(Into::into), ..Account::absent("chat".into(), Arc::new(server)) }
    }

    fn said(id: Option<&str>, operation: &str, arguments: &[(&str, &str)]) -> Result<Request, Refusal> {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), Value::text(value))).collect();
        request(TokenKind::Personal, &account(id), operation, &arguments)
    }

    #[test]
    fn a_message_names_its_channel_by_id_and_is_never_sent_twice_unasked() {
        let request = said(None, "post_message", &[("channel", "hr/town-square"), ("text", "Hello")]);
        assert_eq!(
            request,
            Ok(Request {
                operation: Operation::Perform,
                method: "POST".to_owned(),
                path: "/api/v4/posts".to_owned(),
                headers: BTreeMap::new(),
                body: json!({ "channel_id": "c1", "message": "Hello" }),
                generated: vec![],
                carries: vec![],
                replay: Replay::AskOperator,
            })
        );
    }

    #[test]
    fn what_cannot_be_said_is_refused_before() {
        let no = |kind, reason: &str| Err(Refusal::new(kind, reason));
        let long = "ü".repeat(LONGEST + 1);
        for (arguments, kind, reason) in [
            (
                [("channel", "hr/square"), ("text", "Hi")],
                RefusalKind::NotFound,
                "there is no channel `hr/square`, or it is archived",
            ),
            ([("channel", "hr/town-square"), ("text", "")], RefusalKind::Invalid, "`text` cannot be empty"),
            (
                [("channel", "hr/town-square"), ("text", &long)],
                RefusalKind::Invalid,
                "`text` is longer than 16383 characters",
            ),
        ] {
            assert_eq!(said(None, "post_message", &arguments), no(kind, reason));
        }
        let none = "there is no account whose sessions could be ended";
        assert_eq!(said(None, "revoke_sessions", &[]), no(RefusalKind::NotFound, none));
        let unknown = "Mattermost has no operation `dance`";
        assert_eq!(said(None, "dance", &[]), no(RefusalKind::Unsupported, unknown));
    }

    #[test]
    fn sessions_end_with_one_request_unless_our_own_token_would() {
        let path = |id| said(Some(id), "revoke_sessions", &[]).map(|request| (request.path, request.body));
        let expected = "/api/v4/users/u1/sessions/revoke/all".to_owned();
        assert_eq!(path("u1"), Ok((expected, serde_json::Value::Null)));
        // A personal access token outlives the sessions of its user.
        assert!(path("ours").is_ok());
        let refusal = request(TokenKind::Oauth, &account(Some("ours")), "revoke_sessions", &BTreeMap::new());
        assert_eq!(refusal.unwrap_err().kind, RefusalKind::Forbidden);
    }

    #[test]
    fn every_operation_says_what_it_does_and_takes() {
        for row in OPERATIONS {
            assert!(!row.meaning.is_empty() && !row.side_effect.is_empty(), "{}", row.name);
            assert!(row.arguments.iter().all(|argument| !argument.meaning.is_empty()), "{}", row.name);
        }
        let names: Vec<&str> = OPERATIONS.iter().map(|row| row.name).collect();
        assert_eq!(names, ["post_message", "revoke_sessions"]);
    }
}
