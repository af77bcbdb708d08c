//! Looking at groups: their numbers, who is in them, and what comes from the groups around them (`gitlab.md` 7).
//!
//! A group in the range of the rules is asked for once, for its number. Then its members are listed, and those of the
//! groups around it, because what somebody has there is the least she can have inside and because an owner there owns
//! what is inside too. A group around that is shared by several of the range is listed once. Lists hold direct members
//! only; no list is read for a group that is named by an operation alone.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;

use crate::{
    connector::ConnectorError,
    model::{
        account::{Account, Facts, Wanted},
        attribute::{AttributeName, Value},
        id::SystemName,
    },
};

use super::{
    level,
    membership::{self, GROUP, fact},
    observe::{Looker, PAGE, SIDE_BY_SIDE},
};

/// The most people a list is asked to be about; more of them make the address too long.
const ASKED_FOR: usize = PAGE;

/// What was read of the groups somebody wanted to see.
#[derive(Default)]
pub(super) struct Groups {
    /// The range: each group by the name it was asked for, and the groups around it, nearest first. Those that do not
    /// exist are in it too.
    range: BTreeMap<String, Vec<String>>,
    /// The numbers of those that exist, by the name they were asked for.
    ids: BTreeMap<String, u64>,
    /// Who is directly in which group.
    members: BTreeMap<String, Members>,
    /// True where the lists hold everybody, and not only whom they were asked to be about.
    whole: bool,
}

/// The direct members of one group, by their numbers.
type Members = BTreeMap<u64, Held>;

/// What somebody has in one group.
struct Held {
    level: u64,
    is_active: bool,
}

impl Groups {
    /// Reads what is wanted of groups; nothing is asked where nothing is.
    pub(super) async fn read(looker: &Looker<'_>, wanted: &Wanted) -> Result<Self, ConnectorError> {
        let set = membership::set(looker.system());
        let range = wanted.members.get(&set).into_iter().flatten();
        let range: BTreeMap<String, Vec<String>> = range.map(|name| (name.clone(), around(name))).collect();
        let names: BTreeSet<&str> = wanted.names(GROUP, &set).filter(|name| is_path(name)).collect();
        let asked: Vec<_> = names.iter().map(|name| id(looker, name)).collect();
        let ids: Vec<Option<u64>> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        let ids: BTreeMap<String, u64> =
            names.iter().zip(ids).filter_map(|(name, id)| Some(((*name).to_owned(), id?))).collect();
        // Asked again before something is sent, lists about the people concerned are enough.
        let concerned: Vec<&str> = wanted.ids.iter().map(crate::model::id::AccountId::as_str).collect();
        let nobody = concerned.is_empty() && wanted.holding.values().all(BTreeSet::is_empty);
        let few = wanted.fresh && wanted.holding.is_empty() && concerned.len() <= ASKED_FOR;
        let whole = !few && !nobody;
        let about = if whole { Vec::new() } else { concerned };
        // Where no account is asked for, none is shown, and whose memberships would it be?
        let is_shown = |name: &String| (whole || !about.is_empty()) && ids.contains_key(name);
        let there: Vec<(&String, &Vec<String>)> = range.iter().filter(|(name, _)| is_shown(name)).collect();
        let listed: BTreeSet<&str> =
            there.iter().flat_map(|(name, around)| around.iter().chain([*name])).map(String::as_str).collect();
        let asked: Vec<_> = listed.iter().map(|name| members(looker, name, ids.get(*name), &about)).collect();
        let lists: Vec<Members> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        let members = listed.iter().map(|name| (*name).to_owned()).zip(lists).collect();
        Ok(Self { range, ids, members, whole })
    }

    /// The numbers of the groups, for the facts of the server.
    pub(super) fn facts(&self) -> Facts {
        self.ids.iter().map(|(name, id)| (fact(GROUP, name), Value::text(&id.to_string()))).collect()
    }

    /// Shows what an account has in each group of the range, and what it has there from around.
    pub(super) fn show(&self, system: &SystemName, account: &mut Account) {
        let Some(id) = account.id.as_ref().and_then(|id| id.as_str().parse::<u64>().ok()) else { return };
        let set = membership::set(system);
        for (name, around) in &self.range {
            let level = self.held(name, id).map(|held| held.level);
            let value = level.map_or(Value::Empty, |level| Value::text(&level::word(level)));
            account.attributes.insert(AttributeName::member_of(&set, name), value);
            // Of several groups that give the same, the nearest is told.
            let inherited = around.iter().rev().filter_map(|from| Some((self.held(from, id)?.level, from)));
            if let Some((least, from)) = inherited.max_by_key(|(level, _)| *level) {
                account.facts.insert(fact("inherits", name), Value::text(&level::word(least)));
                account.facts.insert(fact("inherits_from", name), Value::text(from));
            }
            if self.whole && level == Some(level::OWNER) && !self.has_other_owner(name, around, id) {
                account.facts.insert(fact("last_owner", name), true.into());
            }
        }
    }

    fn held(&self, group: &str, id: u64) -> Option<&Held> {
        self.members.get(group)?.get(&id)
    }

    fn has_other_owner(&self, name: &str, around: &[String], id: u64) -> bool {
        let all = around.iter().map(String::as_str).chain([name]).filter_map(|group| self.members.get(group)).flatten();
        all.into_iter().any(|(other, held)| *other != id && held.level == level::OWNER && held.is_active)
    }
}

/// The groups around one, nearest first.
fn around(path: &str) -> Vec<String> {
    let mut rest = path;
    let mut all = Vec::new();
    while let Some((parent, _)) = rest.rsplit_once('/') {
        all.push(parent.to_owned());
        rest = parent;
    }
    all
}

/// True for what can be a group's full path; anything else has no group, and no place in an address.
fn is_path(name: &str) -> bool {
    let is_plain = |part: &str| {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        letters && !part.is_empty() && !part.starts_with('.') && !part.ends_with('.')
    };
    name.split('/').all(is_plain)
}

/// Where a group is.
fn address(path: &str) -> String {
    format!("/api/v4/groups/{}", path.replace('/', "%2F"))
}

/// The number of the group with this full path; `None` where there is none.
async fn id(looker: &Looker<'_>, path: &str) -> Result<Option<u64>, ConnectorError> {
    let Some(reply) = looker.there(&address(path), &[("with_projects", "false")]).await? else { return Ok(None) };
    let group: Json = looker.read(&reply)?;
    // A path of digits alone is taken for a number, and then another group is meant.
    let is_it = group.get("full_path").and_then(Json::as_str).is_some_and(|held| held.eq_ignore_ascii_case(path));
    let id = group.get("id").and_then(Json::as_u64).ok_or_else(|| looker.strange("a group without an id"))?;
    Ok(is_it.then_some(id))
}

/// The direct members of a group, all of them or of these people those who are.
async fn members(looker: &Looker<'_>, path: &str, id: Option<&u64>, about: &[&str]) -> Result<Members, ConnectorError> {
    let place = id.map_or_else(|| address(path), |id| format!("/api/v4/groups/{id}"));
    let place = format!("{place}/members");
    let mut found = Members::new();
    let mut page = 1_u64;
    loop {
        let number = page.to_string();
        let mut query = vec![("per_page", "100"), ("page", number.as_str())];
        query.extend(about.iter().map(|id| ("user_ids[]", *id)));
        let reply = looker.get(&place, &query).await?;
        let rows: Vec<Json> = looker.read(&reply)?;
        for row in &rows {
            let (Some(id), Some(level)) = (row.get("id").and_then(Json::as_u64), level::of(row)) else {
                return Err(looker.strange("a member without id or level"));
            };
            let is_active = row.get("state").and_then(Json::as_str) == Some("active");
            found.insert(id, Held { level, is_active });
        }
        // Empty at the end. A proxy may drop it: then only a page that is not full can be the last.
        let next = match reply.headers.get("x-next-page").map(|next| next.trim()) {
            Some("") => None,
            Some(next) => Some(next.parse().map_err(|_| looker.strange("a next page that is no number"))?),
            None => (rows.len() == PAGE).then_some(page + 1),
        };
        match next {
            None => return Ok(found),
            Some(next) if next > page => page = next,
            Some(_) => return Err(looker.strange("the same page of members again instead of the next")),
        }
    }
}
