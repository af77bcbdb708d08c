//! Who is in which group, as attributes: `gitlab.groups[platform/dev]` holds the level of the person's own membership.
//!
//! Only direct memberships are ours. What somebody has from the groups around one cannot be taken away in it and sets
//! the least level she can have there; a change that runs into that is refused, and the refusal says where the level
//! comes from. A removal stays in its group: GitLab's own way would be to remove from every group inside as well, which
//! may lie outside of what the rules speak of.
//!
//! What is read of a group stands in these facts: of the server `group:<path>`, the number; of an account
//! `inherits:<path>` and `inherits_from:<path>`, what she has there from which group around it, and `last_owner:<path>`,
//! where the group would be without an owner if she went.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::model::{
    account::{Account, Facts},
    attribute::{AttributeName, Value},
    capability::{Change, Foresight, Replay},
    id::SystemName,
    plan::{Operation, Request},
    refusal::{Refusal, RefusalKind},
};

use super::level;

/// The local name of the set.
pub(super) const SET: &str = "groups";

/// What a member of the set is.
pub(super) const GROUP: &str = "group";

/// Why the set as a whole is no attribute.
pub(super) const WHICH: &str = "a membership is one of a certain group, such as `gitlab.groups[platform/dev]`";

/// Why an account cannot begin in a group.
const NOT_YET: &str = "GitLab lets an account into groups only once it is there: the next run can do it";

/// The set of this system.
pub(super) fn set(system: &SystemName) -> AttributeName {
    AttributeName::of_system(system, SET)
}

/// The group this attribute is about, where it is a membership of this system.
pub(super) fn group<'a>(system: &SystemName, attribute: &'a AttributeName) -> Option<&'a str> {
    attribute.member().filter(|_| attribute.set() == Some(set(system)))
}

/// The name of a fact about a group.
pub(super) fn fact(of: &str, group: &str) -> String {
    format!("{of}:{group}")
}

/// Where a group's members are; refused where there is no such group.
pub(super) fn members_path(server: &Facts, group: &str) -> Result<String, Refusal> {
    let id = server.get(&fact(GROUP, group)).and_then(Value::as_text);
    match id.filter(|id| is_number(id)) {
        Some(id) => Ok(format!("/api/v4/groups/{id}/members")),
        None => Err(Refusal::new(RefusalKind::NotFound, format!("GitLab has no group `{group}`"))),
    }
}

/// The number of an account, for addresses and bodies.
pub(super) fn number(account: &Account) -> Result<u64, Refusal> {
    let Some(id) = &account.id else { return Err(Refusal::new(RefusalKind::Unsupported, NOT_YET)) };
    let number = Some(id.as_str()).filter(|id| is_number(id)).and_then(|id| id.parse().ok());
    number.ok_or_else(|| Refusal::new(RefusalKind::Invalid, "GitLab's ids are numbers; this is none"))
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What GitLab would do with a change of one membership.
pub(super) fn foresee(account: &Account, change: &Change, group: &str) -> Foresight {
    match judged(account, change, group) {
        Ok(()) => Foresight::takes(),
        Err(refusal) => Foresight::refuses(refusal.kind, refusal.reason),
    }
}

fn judged(account: &Account, change: &Change, group: &str) -> Result<(), Refusal> {
    members_path(&account.server, group)?;
    let level = wanted(account, change)?;
    number(account)?;
    if change.before == change.after {
        return Ok(());
    }
    stays_owned(account, group, level)?;
    level.map_or(Ok(()), |level| not_below_inherited(account, group, level))
}

/// The level that is asked for; `None` for no membership.
fn wanted(account: &Account, change: &Change) -> Result<Option<u64>, Refusal> {
    match &change.after {
        Value::Empty => Ok(None),
        Value::Text(word) => level::known_to(account, word).map(Some),
        Value::Bool(_) => level::known_to(account, "").map(Some),
    }
}

/// A group keeps an owner who can sign in (`gitlab.md` 7, unverified there; GitLab's policy for members has it).
fn stays_owned(account: &Account, group: &str, level: Option<u64>) -> Result<(), Refusal> {
    if level == Some(level::OWNER) || !account.is(&fact("last_owner", group)) {
        return Ok(());
    }
    let reason = format!("she is the last owner of `{group}` who can sign in: make somebody else an owner first");
    Err(Refusal::new(RefusalKind::Forbidden, reason))
}

pub(super) fn not_below_inherited(account: &Account, group: &str, wanted: u64) -> Result<(), Refusal> {
    let inherited = account.fact(&fact("inherits", group)).and_then(|word| Some((word, level::number(word)?)));
    match inherited {
        Some((word, least)) if wanted < least => {
            let from = account.fact(&fact("inherits_from", group)).unwrap_or("a group around it");
            let reason = format!(
                "in `{group}` the person is {word} already, through `{from}`, and GitLab gives nobody less than that: \
                 change it there"
            );
            Err(Refusal::new(RefusalKind::Invalid, reason))
        }
        _ => Ok(()),
    }
}

/// The request that carries out a change of one membership; `None` where it is so already.
///
/// # Errors
/// Where the group or the account is not there, or the value is no level.
pub(super) fn request(account: &Account, change: &Change, group: &str) -> Result<Option<Request>, Refusal> {
    let members = members_path(&account.server, group)?;
    let id = number(account)?;
    let level = match wanted(account, change) {
        // That an older version does not know a level is for the forecast and the answer to say.
        Err(refusal) => match change.after.as_text().and_then(level::number) {
            Some(level) => Some(level),
            None => return Err(refusal),
        },
        Ok(level) => level,
    };
    let request = match (change.before.is_empty(), level) {
        _ if change.before == change.after => return Ok(None),
        (true, Some(level)) => add(&members, id, level),
        (false, Some(level)) => {
            let body = json!({ "access_level": level });
            sent(Operation::Update, "PUT", format!("{members}/{id}"), body)
        }
        (_, None) => remove(&members, id),
    };
    Ok(Some(Request { carries: vec![change.attribute.clone()], ..request }))
}

/// Makes somebody a member.
pub(super) fn add(members: &str, id: u64, level: u64) -> Request {
    sent(Operation::Update, "POST", members.to_owned(), json!({ "user_id": id, "access_level": level }))
}

/// Ends a membership, and none in the groups inside. What is to be left alone travels in the body, which GitLab reads
/// of a DELETE as it does of a POST.
pub(super) fn remove(members: &str, id: u64) -> Request {
    sent(Operation::Update, "DELETE", format!("{members}/{id}"), json!({ "skip_subresources": true }))
}

/// A request that does no harm when it is sent again: GitLab says that it is so already, and a look proves it.
pub(super) fn sent(operation: Operation, method: &str, path: String, body: Json) -> Request {
    Request {
        operation,
        method: method.to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: Vec::new(),
        replay: Replay::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::capability::Verdict;

    fn account() -> Account {
        let facts = [("group:top/dev", "12"), ("version", "17.11.1"), ("group:odd", "../1")];
        let server = facts.map(|(name, value)| (name.to_owned(), Value::text(value)));
        let mut account = Account::absent("gitlab".into(), Arc::new(Facts::from(server)));
        account.id = Some("42".into());
        account
    }

    fn change(group: &str, before: &str, after: &str) -> Change {
        let attribute = AttributeName::member_of(&"gitlab.groups".into(), group);
        Change { attribute, before: Value::text(before), after: Value::text(after) }
    }

    fn asked(account: &Account, change: &Change) -> Result<Option<Request>, Refusal> {
        request(account, change, change.attribute.member().unwrap())
    }

    fn seen(account: &Account, change: &Change) -> Verdict {
        foresee(account, change, change.attribute.member().unwrap()).verdict
    }

    fn kind(verdict: &Verdict) -> RefusalKind {
        match verdict {
            Verdict::Refuses { kind, .. } => *kind,
            other => panic!("{other:?} is no refusal"),
        }
    }

    #[test]
    fn each_change_of_a_membership_is_a_request_of_its_own() {
        let expected = |method: &str, path: &str, body: Json| Request {
            operation: Operation::Update,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: BTreeMap::new(),
            body,
            generated: Vec::new(),
            carries: vec!["gitlab.groups[top/dev]".into()],
            replay: Replay::Repeat,
        };
        let (all, one) = ("/api/v4/groups/12/members", "/api/v4/groups/12/members/42");
        for (before, after, request) in [
            ("", "guest", Some(expected("POST", all, json!({ "user_id": 42, "access_level": 10 })))),
            ("guest", "owner", Some(expected("PUT", one, json!({ "access_level": 50 })))),
            ("minimal_access", "planner", Some(expected("PUT", one, json!({ "access_level": 15 })))),
            ("developer", "", Some(expected("DELETE", one, json!({ "skip_subresources": true })))),
            ("developer", "developer", None),
            ("", "", None),
        ] {
            assert_eq!(asked(&account(), &change("top/dev", before, after)), Ok(request), "{before} -> {after}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let nobody = Account { id: None, ..account() };
        let odd = Account { id: Some("../1".into()), ..account() };
        for (account, change, kind) in [
            (account(), change("none", "", "guest"), RefusalKind::NotFound),
            (account(), change("odd", "", "guest"), RefusalKind::NotFound),
            (account(), change("top/dev", "", "chief"), RefusalKind::Invalid),
            (nobody, change("top/dev", "", "guest"), RefusalKind::Unsupported),
            (odd, change("top/dev", "", "guest"), RefusalKind::Invalid),
        ] {
            assert_eq!(asked(&account, &change).unwrap_err().kind, kind, "{change:?}");
            assert_eq!(self::kind(&seen(&account, &change)), kind, "{change:?}");
        }
        let no_text = Change { after: true.into(), ..change("top/dev", "", "") };
        assert_eq!(asked(&account(), &no_text).unwrap_err().kind, RefusalKind::Invalid);
    }

    #[test]
    fn nobody_gets_less_than_she_has_from_around() {
        let mut account = account();
        account.facts.insert("inherits:top/dev".to_owned(), "developer".into());
        account.facts.insert("inherits_from:top/dev".to_owned(), "top".into());
        let refused = seen(&account, &change("top/dev", "", "reporter"));
        let reason = "in `top/dev` the person is developer already, through `top`, and GitLab gives nobody less than \
                      that: change it there";
        assert_eq!(refused, Verdict::Refuses { kind: RefusalKind::Invalid, reason: reason.to_owned() });
        for (before, after) in [("", "developer"), ("", "owner"), ("owner", ""), ("guest", "guest")] {
            assert_eq!(seen(&account, &change("top/dev", before, after)), Verdict::Takes, "{before} -> {after}");
        }
    }

    #[test]
    fn the_last_owner_stays_one() {
        let mut account = account();
        account.facts.insert("last_owner:top/dev".to_owned(), true.into());
        for after in ["maintainer", ""] {
            assert_eq!(kind(&seen(&account, &change("top/dev", "owner", after))), RefusalKind::Forbidden, "{after}");
        }
        assert_eq!(seen(&account, &change("top/dev", "owner", "owner")), Verdict::Takes);
    }

    #[test]
    fn only_members_of_our_own_set_are_groups() {
        let system = "gitlab".into();
        assert_eq!(group(&system, &"gitlab.groups[a/b.c]".into()), Some("a/b.c"));
        for other in ["gitlab.groups", "mattermost.groups[a]", "gitlab.teams[a]", "groups[a]", "gitlab.note"] {
            assert_eq!(group(&system, &other.into()), None, "{other}");
        }
    }
}
