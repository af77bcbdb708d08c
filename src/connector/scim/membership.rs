//! Who is in which group, as attributes: `scim.groups[Tour Guides]` holds `member`, or nothing.
//!
//! Groups are known by what they are called (`displayName`), which need not be unique there: where two are called the same,
//! neither is meant. Members are added and taken away one by one (RFC 7644 3.5.2), so that nobody else's membership is
//! touched; a server without PATCH cannot do that. What is known of a group stands in the facts of the server:
//! `group:<name>`, its id, and `ambiguous:<name>`.

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

use super::interface::{self, GROUPS};

/// The local name of the set.
pub(super) const SET: &str = "groups";

/// What a member of the set is.
pub(super) const GROUP: &str = "group";

/// What somebody is in a group.
pub(super) const MEMBER: &str = "member";

/// Why the set as a whole is no attribute.
pub(super) const WHICH: &str = "a membership is one of a certain group, such as `scim.groups[Tour Guides]`";

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

/// What the server would do with a change of one membership.
pub(super) fn foresee(account: &Account, change: &Change, group: &str) -> Foresight {
    match judged(account, change, group) {
        Ok(_) => Foresight::takes(),
        Err(refusal) => Foresight::refuses(refusal.kind, refusal.reason),
    }
}

/// The address of the group and the id of the account, where the change can be made.
fn judged(account: &Account, change: &Change, group: &str) -> Result<(String, String), Refusal> {
    let no = |kind: RefusalKind, reason: String| Err(Refusal::new(kind, reason));
    let is = |name: &str| account.server.get(name).and_then(Value::as_bool);
    if is("groups") == Some(false) {
        return no(RefusalKind::Unsupported, "the server has no groups".to_owned());
    }
    if is(&fact("ambiguous", group)) == Some(true) {
        return no(RefusalKind::Invalid, format!("the server has several groups called `{group}`"));
    }
    let Some(id) = account.server_fact(&fact(GROUP, group)) else {
        return no(RefusalKind::NotFound, format!("the server has no group called `{group}`"));
    };
    if !(change.after.is_empty() || change.after.as_text() == Some(MEMBER)) {
        return no(RefusalKind::Invalid, format!("somebody is a `{MEMBER}` of a group, or nothing"));
    }
    let Some(account_id) = &account.id else {
        let reason = "an account can be put into groups only once it is there: the next run can do it";
        return no(RefusalKind::Unsupported, reason.to_owned());
    };
    if is("patch") == Some(false) {
        let reason = "the server has no PATCH, and a whole list of members is not replaced for one of them";
        return no(RefusalKind::Unsupported, reason.to_owned());
    }
    let groups = account.server_fact("groups_at").unwrap_or(GROUPS);
    let Some(path) = interface::path(groups, id) else {
        return no(RefusalKind::Invalid, "the id of the group cannot be part of an address".to_owned());
    };
    Ok((path, account_id.as_str().to_owned()))
}

/// The request that carries out a change of one membership; `None` where it is so already.
pub(super) fn request(account: &Account, change: &Change, group: &str) -> Result<Option<Request>, Refusal> {
    let (path, id) = judged(account, change, group)?;
    if change.before == change.after {
        return Ok(None);
    }
    let operation = if change.after.is_empty() {
        json!({ "op": "remove", "path": format!("members[value eq {}]", Json::from(id)) })
    } else {
        json!({ "op": "add", "path": "members", "value": [{ "value": id }] })
    };
    Ok(Some(Request {
        operation: Operation::Update,
        method: "PATCH".to_owned(),
        path,
        headers: interface::headers(),
        body: json!({ "schemas": [interface::PATCH_OP], "Operations": [operation] }),
        generated: Vec::new(),
        carries: vec![change.attribute.clone()],
        // Who is a member is not made one again, and who is none is not taken away.
        replay: Replay::Repeat,
    }))
}

/// What was read of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) id: Option<String>,
    pub(super) is_ambiguous: bool,
    pub(super) members: std::collections::BTreeSet<String>,
}

/// What was read of the groups somebody wanted to see, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups(pub(super) BTreeMap<String, Group>);

impl Groups {
    /// What is known of the groups, for the facts of the server.
    pub(super) fn tell(&self, facts: &mut Facts) {
        for (name, group) in &self.0 {
            if let Some(id) = &group.id {
                facts.insert(fact(GROUP, name), Value::text(id));
            }
            if group.is_ambiguous {
                facts.insert(fact("ambiguous", name), true.into());
            }
        }
    }

    /// Shows what an account is in each group.
    pub(super) fn show(&self, account: &mut Account, range: &std::collections::BTreeSet<String>) {
        let Some(id) = account.id.clone() else { return };
        let set = set(&account.system);
        for name in range {
            let is_in = self.0.get(name).is_some_and(|group| group.members.contains(id.as_str()));
            let value = if is_in { MEMBER.into() } else { Value::Empty };
            account.attributes.insert(AttributeName::member_of(&set, name), value);
        }
    }
}
