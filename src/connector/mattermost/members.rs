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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::account::Facts;

    /// A server with a team and two channels, and one of each that groups decide about.
    fn server() -> Facts {
        let text = |name: &str, value: &str| (name.to_owned(), Value::text(value));
        Facts::from([
            text("me", "ours"),
            text("team:sales", "t1"),
            text("team domains:sales", "example.com"),
            text("team:ruled", "t2"),
            ("team by groups:ruled".to_owned(), true.into()),
            text("channel:sales/deals", "c1"),
            text("channel:sales/town-square", "c2"),
            text("channel:sales/ruled", "c3"),
            ("channel by groups:sales/ruled".to_owned(), true.into()),
        ])
    }

    fn account(id: &str) -> Account {
        Account {
            id: Some(id.into()),
            attributes: BTreeMap::from([("email".into(), "anna@example.com".into()), ("active".into(), true.into())]),
            facts: Facts::from([(seat_fact("sales"), true.into()), ("roles".to_owned(), "system_user".into())]),
            ..Account::absent("chat".into(), Arc::new(server()))
        }
    }

    fn change(attribute: &str, joins: bool) -> Change {
        let (inside, outside) = (Value::text(MEMBER), Value::Empty);
        let (before, after) = if joins { (outside, inside) } else { (inside, outside) };
        Change { attribute: attribute.into(), before, after }
    }

    fn told(account: &Account, change: &Change) -> Foresight {
        let (set, name) = Set::of(&account.system, &change.attribute).unwrap();
        foresee(account, change, set, name)
    }

    #[track_caller]
    fn takes(account: &Account, attribute: &str, joins: bool) {
        assert_eq!(told(account, &change(attribute, joins)), Foresight::takes(), "{attribute}");
    }

    #[track_caller]
    fn refuses(account: &Account, attribute: &str, joins: bool, kind: RefusalKind, reason: &str) {
        assert_eq!(told(account, &change(attribute, joins)), Foresight::refuses(kind, reason), "{attribute}");
    }

    #[test]
    fn what_would_be_refused_is_told_with_what_would_help() {
        use RefusalKind::{Forbidden, NotFound, OwnedElsewhere, Unsupported};
        let anna = account("u1");
        for attribute in ["chat.teams[sales]", "chat.channels[sales/deals]"] {
            takes(&anna, attribute, true);
            takes(&anna, attribute, false);
        }
        let groups = "groups decide who is in the team `ruled`; change the members of the group";
        refuses(&anna, "chat.teams[ruled]", true, OwnedElsewhere, groups);
        refuses(&anna, "chat.teams[ruled]", false, OwnedElsewhere, groups);
        takes(&account("ours"), "chat.teams[ruled]", false);
        let groups = "groups decide who is in the channel `sales/ruled`; change the members of the group";
        refuses(&anna, "chat.channels[sales/ruled]", false, OwnedElsewhere, groups);
        let mut bot = anna.clone();
        bot.facts.insert("is_bot".to_owned(), true.into());
        takes(&bot, "chat.channels[sales/ruled]", false);
        refuses(&bot, "chat.channels[sales/ruled]", true, OwnedElsewhere, groups);
        for joins in [true, false] {
            let none = "there is no team `ops`, or it is archived";
            refuses(&anna, "chat.teams[ops]", joins, NotFound, none);
            let none = "there is no channel `sales/old`, or it is archived";
            refuses(&anna, "chat.channels[sales/old]", joins, NotFound, none);
            let none =
                "`deals` names no channel: write the team's name, a slash and the channel's, as their addresses do";
            refuses(&anna, "chat.channels[deals]", joins, NotFound, none);
        }
        let square = "everybody in a team is in its channel `town-square`";
        refuses(&anna, "chat.channels[sales/town-square]", false, Unsupported, square);
        let mut guest = anna.clone();
        guest.facts.insert("roles".to_owned(), "system_guest".into());
        takes(&guest, "chat.channels[sales/town-square]", false);

        let mut outside = anna.clone();
        outside.facts.insert(seat_fact("sales"), false.into());
        let first = "the account is not in the team `sales` of this channel; it must be in the team first";
        refuses(&outside, "chat.channels[sales/deals]", true, NotFound, first);
        outside.attributes.insert("active".into(), false.into());
        let away = "a deactivated account can join no channel";
        refuses(&outside, "chat.channels[sales/deals]", true, Forbidden, away);
        takes(&outside, "chat.teams[sales]", true);
        let nobody = Account { id: None, ..anna };
        let later = "a new account joins the team `sales` when it is there: plan again then";
        refuses(&nobody, "chat.teams[sales]", true, Unsupported, later);
    }

    #[test]
    fn a_team_takes_addresses_of_its_domains_and_the_servers() {
        let no = "the team `sales` takes addresses of certain domains only, and this one is of none of them";
        let with = |roles: &str, email: &str, facts: &[(&str, &str)]| {
            let mut account = account("u1");
            account.facts.insert("roles".to_owned(), roles.into());
            account.attributes.insert("email".into(), email.into());
            let mut server = server();
            server.extend(facts.iter().map(|(name, value)| ((*name).to_owned(), Value::text(value))));
            account.server = Arc::new(server);
            account
        };
        let here = [("restrict_creation_to_domains", "example.org")];
        let guests = [("restrict_guest_creation_to_domains", "guests.example")];
        takes(&with("system_user", "Anna@Example.COM", &[]), "chat.teams[sales]", true);
        takes(&with("system_guest", "gast@elsewhere.example", &here), "chat.teams[sales]", true);
        takes(&with("system_guest", "gast@guests.example", &guests), "chat.teams[sales]", true);
        for account in [
            with("system_user", "anna@elsewhere.example", &[]),
            with("system_user", "anna@example.com", &here),
            with("system_guest", "gast@example.com", &guests),
        ] {
            refuses(&account, "chat.teams[sales]", true, RefusalKind::Invalid, no);
            takes(&account, "chat.teams[sales]", false);
            let mut bot = account.clone();
            bot.facts.insert("is_bot".to_owned(), true.into());
            bot.facts.insert("roles".to_owned(), "system_user".into());
            takes(&bot, "chat.teams[sales]", true);
        }
    }

    #[test]
    fn there_is_one_level_and_what_is_so_is_taken() {
        let anna = account("u1");
        let mut ruler = change("chat.teams[sales]", true);
        ruler.after = "owner".into();
        let reason = "somebody is a `member` of the team `sales` or nothing";
        assert_eq!(told(&anna, &ruler), Foresight::refuses(RefusalKind::Invalid, reason));
        let refusal = request(&anna, &ruler, Set::Teams, "sales").unwrap_err();
        assert_eq!(refusal, Refusal::new(RefusalKind::Invalid, reason));
        for attribute in ["chat.teams[ruled]", "chat.teams[ops]", "chat.channels[sales/town-square]"] {
            let same = Change { before: Value::Empty, ..change(attribute, false) };
            assert_eq!(told(&anna, &same), Foresight::takes(), "{attribute}");
        }
    }

    #[test]
    fn joining_and_leaving_is_one_request_for_each_place() {
        let anna = account("u1");
        let said = |attribute: &str, joins: bool| {
            let change = change(attribute, joins);
            let (set, name) = Set::of(&anna.system, &change.attribute).unwrap();
            let request = request(&anna, &change, set, name).unwrap();
            assert_eq!((request.operation, request.replay), (Operation::Update, Replay::Repeat));
            assert_eq!(request.carries, [AttributeName::new(attribute)]);
            format!("{} {} {}", request.method, request.path, request.body)
        };
        assert_eq!(said("chat.teams[sales]", true), r#"POST /api/v4/teams/t1/members {"team_id":"t1","user_id":"u1"}"#);
        assert_eq!(said("chat.teams[sales]", false), "DELETE /api/v4/teams/t1/members/u1 null");
        assert_eq!(said("chat.channels[sales/deals]", true), r#"POST /api/v4/channels/c1/members {"user_id":"u1"}"#);
        assert_eq!(said("chat.channels[sales/deals]", false), "DELETE /api/v4/channels/c1/members/u1 null");
    }
}
