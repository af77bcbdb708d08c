//! Who is in which group, as attributes: `forum.groups[crew]` holds `member` (`discourse.md` 9).
//!
//! Groups that fill themselves (staff, trust levels) cannot be changed, and their owners are members to us. Changes go by
//! the quieter pair of calls, for one account by its number, which say yes to what is so already.
//!
//! What is read of a group stands in these facts of the server: `group:<name>`, the number, and `automatic:<name>`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::{
    connector::{ConnectorError, pages::Pages},
    model::{
        account::{Account, Facts, Wanted},
        attribute::{AttributeName, Value},
        capability::{Change, Foresight, Replay},
        id::SystemName,
        plan::{Operation, Request},
        refusal::{Refusal, RefusalKind},
        texts::Texts,
    },
};

use super::observe::{Looker, segment, user_path};

/// The local name of the set.
pub(super) const SET: &str = "groups";

/// What a member of the set is.
pub(super) const GROUP: &str = "group";

/// What somebody is in a group.
pub(super) const MEMBER: &str = "member";

/// Why the set as a whole is no attribute.
pub(super) const WHICH: &str = "a membership is one of a certain group, such as `discourse.groups[crew]`";

/// Members on one page.
const PAGE: usize = 1000;

/// The set of this system.
pub(super) fn set(system: &SystemName) -> AttributeName {
    AttributeName::of_system(system, SET)
}

/// The group this attribute is about, where it is a membership of this system.
pub(super) fn group<'a>(system: &SystemName, attribute: &'a AttributeName) -> Option<&'a str> {
    attribute.member().filter(|_| attribute.set() == Some(set(system)))
}

fn fact(of: &str, group: &str) -> String {
    format!("{of}:{group}")
}

/// What Discourse would do with a change of one membership.
pub(super) fn foresee(account: &Account, change: &Change, group: &str, is_own: bool) -> Foresight {
    if is_own {
        let reason = "a person's own key changes no groups from here: a group's owner or an administrator does it";
        return Foresight::refuses(RefusalKind::Forbidden, reason);
    }
    match request(account, change, group) {
        Err(refusal) => Foresight::refuses(refusal.kind, refusal.reason),
        Ok(Some(_)) if account.server.get(&fact("automatic", group)) == Some(&Value::Bool(true)) => {
            let reason = format!("the group `{group}` fills itself: Discourse lets nobody be put in or taken out");
            Foresight::refuses(RefusalKind::Unsupported, reason)
        }
        Ok(_) => Foresight::takes(),
    }
}

/// The request that carries out a change of one membership; `None` where it is so already.
pub(super) fn request(account: &Account, change: &Change, group: &str) -> Result<Option<Request>, Refusal> {
    let no = |kind, reason: &str| Err(Refusal::new(kind, reason));
    let joins = match &change.after {
        Value::Empty => false,
        Value::Text(level) if &**level == MEMBER => true,
        Value::Text(_) | Value::Bool(_) => {
            return no(RefusalKind::Invalid, "in a group of Discourse's somebody is a `member` or nothing");
        }
    };
    let Some(id) = account.server_fact(&fact(GROUP, group)).and_then(|id| id.parse::<u64>().ok()) else {
        return Err(Refusal::new(RefusalKind::NotFound, format!("Discourse has no group `{group}`")));
    };
    let Some(user) = &account.id else {
        return no(RefusalKind::Unsupported, "an account can join groups only once it is there");
    };
    let Some(path) = user_path(user) else {
        return no(RefusalKind::Invalid, "Discourse's ids are numbers; this is none");
    };
    if change.before == change.after {
        return Ok(None);
    }
    let (method, path, body) = if joins {
        ("POST", format!("{path}/groups"), json!({ "group_id": id }))
    } else {
        ("DELETE", format!("{path}/groups/{id}"), Json::Null)
    };
    Ok(Some(Request {
        operation: Operation::Update,
        method: method.to_owned(),
        path,
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: vec![change.attribute.clone()],
        replay: Replay::Repeat,
    }))
}

/// What was read of the groups somebody wanted to see.
#[derive(Default)]
pub(super) struct Groups {
    /// The range, with who is in each that is there.
    range: BTreeMap<String, BTreeSet<u64>>,
    pub(super) facts: Facts,
}

impl Groups {
    /// Reads what is wanted of groups; nothing is asked where nothing is.
    pub(super) async fn read(looker: &Looker<'_>, wanted: &Wanted) -> Result<Self, ConnectorError> {
        let set = set(looker.system());
        let range: BTreeSet<&String> = wanted.members.get(&set).into_iter().flatten().collect();
        let names: BTreeSet<&str> = wanted.names(GROUP, &set).collect();
        let nobody = wanted.ids.is_empty() && wanted.holding.values().all(Texts::is_empty);
        let mut read = Self::default();
        for name in names {
            let shown = if is_name(name) { looker.there(&format!("/groups/{name}.json"), &[]).await? } else { None };
            let shown = shown.as_ref().and_then(|answer| answer.get("group"));
            let id = shown.and_then(|group| group.get("id")?.as_u64());
            if let Some(id) = id {
                read.facts.insert(fact(GROUP, name), Value::text(&id.to_string()));
                if shown.and_then(|group| group.get("automatic")?.as_bool()) == Some(true) {
                    read.facts.insert(fact("automatic", name), true.into());
                }
            }
            if range.contains(&name.to_owned()) {
                let members = match id {
                    Some(_) if !nobody => members(looker, name).await?,
                    _ => BTreeSet::new(),
                };
                read.range.insert(name.to_owned(), members);
            }
        }
        Ok(read)
    }

    /// True where accounts have something to show.
    pub(super) fn are_wanted(&self) -> bool {
        !self.range.is_empty()
    }

    /// Shows what an account is in each group of the range.
    pub(super) fn show(&self, system: &SystemName, account: &mut Account) {
        let Some(id) = account.id.as_ref().and_then(|id| id.as_str().parse::<u64>().ok()) else { return };
        for (name, members) in &self.range {
            let value = if members.contains(&id) { Value::text(MEMBER) } else { Value::Empty };
            account.attributes.insert(AttributeName::member_of(&set(system), name), value);
        }
    }
}

/// True for what can be a group's name; anything else has no group, and no place in an address.
fn is_name(name: &str) -> bool {
    segment(name) == name && !name.is_empty() && !name.starts_with('.')
}

async fn members(looker: &Looker<'_>, name: &str) -> Result<BTreeSet<u64>, ConnectorError> {
    let (mut found, mut seen, mut read) = (BTreeSet::new(), 0_u64, Pages::default());
    loop {
        let (limit, offset) = (PAGE.to_string(), seen.to_string());
        let path = format!("/groups/{name}/members.json");
        let page = looker.get(&path, &[("limit", &limit), ("offset", &offset)]).await?;
        let rows = page.get("members").and_then(Json::as_array);
        let total = page.get("meta").and_then(|meta| meta.get("total")?.as_u64());
        let (Some(rows), Some(total)) = (rows, total) else {
            return Err(looker.strange("something that is no list of members"));
        };
        // Discourse's own two have numbers below zero: they count, and are nobody's.
        found.extend(rows.iter().filter_map(|row| row.get("id")?.as_u64()));
        seen += rows.len() as u64;
        if rows.is_empty() || seen >= total {
            return Ok(found);
        }
        let ids = rows.iter().filter_map(|row| row.get("id")?.as_i64());
        read.turn(ids).map_err(|what| looker.strange(what))?;
    }
}
