//! What came of a call about a membership, a key or a token: the answer where it proves something, else a second look.
//!
//! A membership that was just made or changed is shown by the answer. What is gone is not, so it is looked for, and not
//! finding it is the proof. The same look settles what GitLab refuses because it is so already: a call that is sent
//! again after its answer was lost ends well.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::{
    connector::ConnectorError,
    model::{
        account::{Account, Facts},
        attribute::{AttributeName, Value},
        id::AccountId,
        plan::{Call, Operation},
        refusal::{Refusal, RefusalKind},
    },
    wire::Reply,
};

use super::{
    level, membership,
    observe::{Looker, USERS},
    reply::{self, Answer},
    settings::TokenKind,
};

/// A call that this file understands.
pub(super) enum Matter<'a> {
    /// A change of one membership, by the attribute that holds it.
    Membership(&'a AttributeName),
    /// An operation, by its name.
    Operation(&'a str),
}

impl<'a> Matter<'a> {
    /// What the call is about; `None` for the account itself.
    pub(super) fn of(call: &'a Call) -> Option<Self> {
        if call.operation == Operation::Perform {
            return Some(Self::Operation(call.performs.as_deref().unwrap_or_default()));
        }
        let mut members = call.intends.keys().filter(|name| membership::group(&call.system, name).is_some());
        members.next().map(Self::Membership)
    }
}

/// Refuses before anything is sent what must not be sent: to revoke a token of somebody else.
pub(super) async fn before(call: &Call, looker: &Looker<'_>) -> Result<(), Refusal> {
    if !matches!(Matter::of(call), Some(Matter::Operation("revoke_token"))) {
        return Ok(());
    }
    let unseen = |_: ConnectorError| {
        Refusal::new(RefusalKind::Unavailable, "GitLab did not tell whose token this is, so it was not revoked")
    };
    let Some(reply) = looker.there(&call.path, &[]).await.map_err(unseen)? else {
        return Err(Refusal::new(RefusalKind::NotFound, "GitLab has no access token of this number"));
    };
    let token: Json = looker.read(&reply).map_err(unseen)?;
    let owner = token.get("user_id").and_then(Json::as_u64).map(|id| AccountId::from(id.to_string()));
    if owner.is_some() && owner == call.account {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::Invalid, "the access token of this number is somebody else's, so it was not revoked"))
}

/// What came of the call.
pub(super) async fn settle(
    call: &Call,
    matter: &Matter<'_>,
    reply: &Reply,
    looker: &Looker<'_>,
    token: TokenKind,
) -> Result<Account, Refusal> {
    let Some(id) = &call.account else {
        return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
    };
    let is_membership = matches!(matter, Matter::Membership(_) | Matter::Operation("add_member" | "remove_member"));
    if !is_membership {
        return gone(call, id, reply, looker, token).await;
    }
    let wanted = level::of(&call.body);
    let is_done = reply.is_success();
    let level = match reply.json().as_ref().and_then(level::of) {
        // The account of a membership is looked at by whoever asked for it; an operation has nobody but us.
        Some(level) if is_done && matches!(matter, Matter::Membership(_)) => Some(level),
        _ if is_done => held(call, id, looker).await?,
        // Already a member, already none, already the last owner: it may be so because an earlier try did it.
        _ if matches!(reply.status, 403 | 404 | 409) => match held(call, id, looker).await {
            Ok(level) if level == wanted => level,
            _ => return Err(refused(call, reply, looker, token).await),
        },
        _ => return Err(refused(call, reply, looker, token).await),
    };
    match matter {
        Matter::Membership(attribute) => {
            let value = level.map_or(Value::Empty, |level| Value::text(&level::word(level)));
            let mut account = reply.json().filter(|_| is_done).and_then(|member| shown(call, &member));
            let account = account.get_or_insert_with(|| bare(call, id));
            account.attributes.insert((*attribute).clone(), value);
            Ok(account.clone())
        }
        Matter::Operation(_) if level == wanted => look(id, reply, looker).await,
        Matter::Operation(_) => {
            Err(ineffective(reply, "GitLab said yes, and the membership is not as it was asked for"))
        }
    }
}

/// The account as the answer shows it as a member: less than an account shows, and nothing that it does not hold.
fn shown(call: &Call, member: &Json) -> Option<Account> {
    let account = reply::account(&call.system, member, &Arc::default())?;
    (account.id == call.account).then_some(account)
}

fn bare(call: &Call, id: &AccountId) -> Account {
    Account { id: Some(id.clone()), ..Account::absent(call.system.clone(), Arc::new(Facts::new())) }
}

/// The level the person has in the call's group now; `None` where she is no direct member, or there is no such group.
async fn held(call: &Call, id: &AccountId, looker: &Looker<'_>) -> Result<Option<u64>, Refusal> {
    let unseen = |_: ConnectorError| {
        Refusal::new(RefusalKind::Unavailable, "GitLab answered, but the membership could not be looked at afterwards")
    };
    let members = call.path.strip_suffix(&format!("/members/{id}")).or_else(|| call.path.strip_suffix("/members"));
    let Some(group) = members else { return Err(Refusal::new(RefusalKind::Invalid, "the call is about no group")) };
    let Some(reply) = looker.there(&format!("{group}/members/{id}"), &[]).await.map_err(unseen)? else {
        return Ok(None);
    };
    let member: Json = looker.read(&reply).map_err(unseen)?;
    level::of(&member).map(Some).ok_or_else(|| unseen(looker.strange("a member without a level")))
}

/// What came of a deletion of a key or a token.
async fn gone(
    call: &Call,
    id: &AccountId,
    reply: &Reply,
    looker: &Looker<'_>,
    token: TokenKind,
) -> Result<Account, Refusal> {
    if !reply.is_success() {
        return Err(refused(call, reply, looker, token).await);
    }
    let unseen = |_: ConnectorError| Refusal {
        status: Some(reply.status),
        ..Refusal::new(RefusalKind::Unavailable, "GitLab said yes, but it could not be looked at afterwards")
    };
    let left = looker.there(&call.path, &[]).await.map_err(unseen)?;
    // A key is gone; a token stays in the list and says that it is revoked.
    let is_over = match left.as_ref().map(Reply::json) {
        None => true,
        Some(thing) => thing.is_some_and(|thing| thing.get("revoked").and_then(Json::as_bool) == Some(true)),
    };
    if is_over {
        look(id, reply, looker).await
    } else {
        Err(ineffective(reply, "GitLab said yes, and it is still there"))
    }
}

/// The account, looked at after an operation.
async fn look(id: &AccountId, reply: &Reply, looker: &Looker<'_>) -> Result<Account, Refusal> {
    match looker.account(id).await {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(Refusal::new(RefusalKind::NotFound, "GitLab has no such account any more")),
        Err(_) => {
            let reason = "GitLab said yes, but the account could not be looked at afterwards";
            Err(Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Unavailable, reason) })
        }
    }
}

fn ineffective(reply: &Reply, reason: &str) -> Refusal {
    Refusal { status: Some(reply.status), ..Refusal::new(RefusalKind::Ineffective, reason) }
}

/// Understands a no. Not found can be said of the person, the group, the key, or the membership.
async fn refused(call: &Call, reply: &Reply, looker: &Looker<'_>, token: TokenKind) -> Refusal {
    let refusal = reply::refusal(&Answer::from(reply), &call.body, token);
    let say = |kind: RefusalKind, reason: &str| Refusal { kind, reason: reason.to_owned(), ..refusal.clone() };
    let is_member = call.path.contains("/members");
    match (refusal.kind, reply.status) {
        (RefusalKind::NotFound, _) => {
            let is_there = match &call.account {
                Some(id) => !matches!(looker.account(id).await, Ok(None)),
                None => true,
            };
            match (is_there, is_member) {
                (false, _) => refusal,
                (true, true) => say(
                    RefusalKind::NotFound,
                    "the group or the membership is gone at GitLab in the meantime; plan again",
                ),
                (true, false) if call.path.starts_with(USERS) => say(
                    RefusalKind::NotFound,
                    "the account has no SSH key of this number; it may have been deleted already",
                ),
                (true, false) => say(RefusalKind::NotFound, "GitLab has no access token of this number"),
            }
        }
        (RefusalKind::Taken, _) if is_member => say(
            RefusalKind::Invalid,
            "the person became a member at GitLab in the meantime, of another level; plan again",
        ),
        (RefusalKind::Invalid, 400) if is_member => say(
            RefusalKind::Invalid,
            "GitLab does not take this level for the person: it may be less than comes from a group around this one, or \
             not be known to its version",
        ),
        (RefusalKind::Forbidden, 403) if is_member && refusal.code.is_none() => {
            let reason =
                format!("GitLab does not let us do this: a group keeps its last owner, and else {}", reply::NEEDS);
            say(RefusalKind::Forbidden, &reason)
        }
        (RefusalKind::Unsupported, 405) if is_member => {
            say(RefusalKind::Unsupported, "the group is locked at GitLab: nobody can be added to it from here")
        }
        _ => refusal,
    }
}
