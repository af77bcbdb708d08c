//! Joining and leaving teams and channels: what the server would do, what is sent, and what came of it
//! (`mattermost.md` 8).
//!
//! Only ever one place of one account at a time. Whether somebody joins with a group, or with a new account, is not told
//! here: the groups decide, and a new account is there first.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::json;

use super::{
    places::{MEMBER, Seat, Set, domains_fact, groups_fact, id_fact, seat_fact},
    reading::segment,
    reply, value,
};
use crate::{
    connector::unavailable,
    model::{
        account::Account,
        attribute::{AttributeName, Value},
        capability::{Change, Foresight, Replay, Verdict},
        plan::{Call, Operation, Request},
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Reply},
};

/// The channel that nobody but guests can leave.
const DEFAULT_CHANNEL: &str = "town-square";

/// What the server would do, in the order in which it looks.
pub(super) fn foresee(account: &Account, change: &Change, set: Set, name: &str) -> Foresight {
    match hindrance(account, change, set, name) {
        None => Foresight::takes(),
        Some(refusal) => {
            Foresight { verdict: Verdict::Refuses { kind: refusal.kind, reason: refusal.reason }, follows: None }
        }
    }
}

/// What is sent to join or leave.
///
/// # Errors
/// Where there is no such account or place, or the level is none.
pub(super) fn request(account: &Account, change: &Change, set: Set, name: &str) -> Result<Request, Refusal> {
    let Some(user) = &account.id else { return Err(no_account_yet(set, name)) };
    let joins = joins(change, set, name)?;
    let place = id_of(account, set, name)?;
    let members = format!("/api/v4/{}/{}/members", set.attribute(), segment(place));
    let (method, path, body) = match (joins, set) {
        (true, Set::Teams) => ("POST", members, json!({ "team_id": place, "user_id": user.as_str() })),
        (true, Set::Channels) => ("POST", members, json!({ "user_id": user.as_str() })),
        (false, _) => ("DELETE", format!("{members}/{}", segment(user.as_str())), serde_json::Value::Null),
    };
    Ok(Request {
        operation: Operation::Update,
        method: method.to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: vec![change.attribute.clone()],
        // Who is in already is answered with the place she has, and who is out is found out.
        replay: Replay::Repeat,
    })
}

/// When a change is sent, among those of one account: channels are left before their team and joined after it.
pub(super) fn turn(change: &Change, set: Set) -> u8 {
    match (set, change.after.is_empty()) {
        (Set::Channels, true) => 0,
        (Set::Teams, _) => 1,
        (Set::Channels, false) => 2,
    }
}

/// The attribute of the one place that a call is about; `None` for every other call.
pub(super) fn place(call: &Call) -> Option<&AttributeName> {
    call.intends.keys().find(|attribute| Set::of(&call.system, attribute).is_some())
}

/// What the account is of the place after this answer: an answer to joining shows it, after leaving it is looked at.
pub(super) async fn settled(
    call: &Call,
    attribute: &AttributeName,
    reply: &Reply,
    wire: Reader<'_>,
) -> Result<Account, Refusal> {
    let Some(user) = &call.account else {
        return Err(Refusal::new(RefusalKind::NotFound, "the call names no account"));
    };
    let is_in = if call.method == "DELETE" {
        if !reply.is_success() {
            let refusal = reply::refusal(reply);
            if !reply::is_out_already(&refusal) {
                return Err(refusal);
            }
        }
        let second = wire.get(&call.path, &[]).await.map_err(|error| unavailable(&error))?;
        match second.status {
            404 if reply::is_out_already(&reply::refusal(&second)) => false,
            _ => seat(&second)?.is_taken(),
        }
    } else {
        let seat = seat(reply)?;
        seat.is_taken() && seat.user_id == user.as_str()
    };
    let level = if is_in { Value::text(MEMBER) } else { Value::Empty };
    let mut account = Account::absent(call.system.clone(), Arc::default());
    account.id = Some(user.clone());
    account.attributes.insert(attribute.clone(), level);
    Ok(account)
}

fn seat(reply: &Reply) -> Result<Seat, Refusal> {
    if !reply.is_success() {
        return Err(reply::refusal(reply));
    }
    reply.read().map_err(|_| reply::unreadable(reply))
}

/// Why the server would not do this; `None` where it would.
fn hindrance(account: &Account, change: &Change, set: Set, name: &str) -> Option<Refusal> {
    let no = |kind, reason: String| Some(Refusal::new(kind, reason));
    if account.id.is_none() {
        return Some(no_account_yet(set, name));
    }
    if change.before == change.after {
        return None;
    }
    let joins = match joins(change, set, name) {
        Ok(joins) => joins,
        Err(refusal) => return Some(refusal),
    };
    if let Err(refusal) = id_of(account, set, name) {
        return Some(refusal);
    }
    let kind = set.kind();
    let by_groups = account.server.get(&groups_fact(set, name)).and_then(Value::as_bool) == Some(true);
    // Somebody herself, and bots, may leave all the same.
    if by_groups && (joins || !(account.is("is_bot") || is_ours(account))) {
        return no(
            RefusalKind::OwnedElsewhere,
            format!("groups decide who is in the {kind} `{name}`; change the members of the group"),
        );
    }
    match (set, joins) {
        (Set::Teams, true) => foreign_domain(account, name),
        (Set::Teams, false) => None,
        (Set::Channels, true) => {
            let team = name.split_once('/').map_or(name, |(team, _)| team);
            if account.attributes.get(&AttributeName::new("active")) == Some(&Value::Bool(false)) {
                return no(RefusalKind::Forbidden, "a deactivated account can join no channel".to_owned());
            }
            if account.is(&seat_fact(team)) {
                return None;
            }
            no(
                RefusalKind::NotFound,
                format!("the account is not in the team `{team}` of this channel; it must be in the team first"),
            )
        }
        (Set::Channels, false) => {
            let is_default = name.split_once('/').is_some_and(|(_, channel)| channel == DEFAULT_CHANNEL);
            if !is_default || is_guest(account) {
                return None;
            }
            no(RefusalKind::Unsupported, format!("everybody in a team is in its channel `{DEFAULT_CHANNEL}`"))
        }
    }
}

/// Bots may be in every team; guests are asked for the domains of guests, all others for those of the team and those of
/// the server.
fn foreign_domain(account: &Account, team: &str) -> Option<Refusal> {
    let address = account.value(&AttributeName::new("email"));
    let address = address.as_text().unwrap_or_default();
    let admits = |fact: &str| value::admits(account.server_fact(fact).unwrap_or_default(), &value::lower(address));
    let admitted = if is_guest(account) {
        admits("restrict_guest_creation_to_domains")
    } else {
        account.is("is_bot") || (admits(&domains_fact(team)) && admits("restrict_creation_to_domains"))
    };
    let reason = format!("the team `{team}` takes addresses of certain domains only, and this one is of none of them");
    (!admitted).then(|| Refusal::new(RefusalKind::Invalid, reason))
}

fn joins(change: &Change, set: Set, name: &str) -> Result<bool, Refusal> {
    match &change.after {
        Value::Empty => Ok(false),
        Value::Text(level) if &**level == MEMBER => Ok(true),
        Value::Text(_) | Value::Bool(_) => {
            let reason = format!("somebody is a `{MEMBER}` of the {} `{name}` or nothing", set.kind());
            Err(Refusal::new(RefusalKind::Invalid, reason))
        }
    }
}

fn id_of<'a>(account: &'a Account, set: Set, name: &str) -> Result<&'a str, Refusal> {
    account.server_fact(&id_fact(set, name)).ok_or_else(|| missing(set, name))
}

/// The no of a place that is not there.
pub(super) fn missing(set: Set, name: &str) -> Refusal {
    let reason = match set {
        Set::Teams => format!("there is no team `{name}`, or it is archived"),
        Set::Channels if !name.contains('/') => {
            format!(
                "`{name}` names no channel: write the team's name, a slash and the channel's, as their addresses do"
            )
        }
        Set::Channels => format!("there is no channel `{name}`, or it is archived"),
    };
    Refusal::new(RefusalKind::NotFound, reason)
}

fn no_account_yet(set: Set, name: &str) -> Refusal {
    let reason = format!("a new account joins the {} `{name}` when it is there: plan again then", set.kind());
    Refusal::new(RefusalKind::Unsupported, reason)
}

fn is_guest(account: &Account) -> bool {
    account.fact("roles").is_some_and(|roles| roles.split(' ').any(|role| role == "system_guest"))
}

/// True where our token belongs to this account.
fn is_ours(account: &Account) -> bool {
    account.id.as_ref().is_some_and(|id| account.server_fact("me") == Some(id.as_str()))
}
