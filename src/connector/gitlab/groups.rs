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
    connector::{ConnectorError, pages::Pages},
    model::{
        account::{Account, Facts, Wanted},
        attribute::{AttributeName, Value},
        id::SystemName,
        texts::Texts,
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
        let nobody = concerned.is_empty() && wanted.holding.values().all(Texts::is_empty);
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

    /// True where accounts have something to show.
    pub(super) fn are_wanted(&self) -> bool {
        !self.range.is_empty()
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
    let (mut found, mut read) = (Members::new(), Pages::default());
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
            Some(next) => page = next,
        }
        let ids = rows.iter().filter_map(|row| row.get("id").and_then(Json::as_u64));
        read.turn(ids).map_err(|what| looker.strange(what))?;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{served::Served, settings::TokenKind},
        *,
    };

    const FIRST: &str = "/api/v4/groups/12/members?per_page=100&page=1";
    const SECOND: &str = "/api/v4/groups/12/members?per_page=100&page=2";

    fn wanted(range: &[&str], ids: &[&str], fresh: bool) -> Wanted {
        let range = range.iter().map(|name| (*name).to_owned()).collect();
        let ids = ids.iter().map(|id| (*id).into()).collect();
        Wanted { ids, members: BTreeMap::from([("gitlab.groups".into(), range)]), fresh, ..Wanted::default() }
    }

    /// What one account is shown to have, of groups read from this server.
    async fn shown(served: &Served, wanted: &Wanted, id: u64) -> Result<Account, ConnectorError> {
        let line = served.line();
        let looker = Looker::new(line.reader(), TokenKind::Personal);
        let groups = Groups::read(&looker, wanted).await?;
        let mut account = Account::absent("gitlab".into(), std::sync::Arc::new(groups.facts()));
        account.id = Some(id.to_string().into());
        groups.show(&"gitlab".into(), &mut account);
        Ok(account)
    }

    fn level(account: &Account, group: &str) -> String {
        account.value(&AttributeName::member_of(&"gitlab.groups".into(), group)).to_string()
    }

    fn member(id: u64, level: u64, state: &str) -> Json {
        json!({ "id": id, "username": format!("u{id}"), "state": state, "access_level": level })
    }

    fn crew() -> Served {
        let served = Served::start();
        served.answer("/api/v4/groups/crew?with_projects=false", 200, &json!({ "id": 12, "full_path": "Crew" }));
        served
    }

    #[tokio::test]
    async fn the_pages_of_a_list_are_followed_with_and_without_their_headers() {
        let full: Vec<Json> = (1..=100).map(|id| member(id, 10, "active")).collect();
        for headers in [&[("X-Next-Page", "2")][..], &[]] {
            let served = crew();
            served.answer_with(FIRST, 200, headers, &json!(full));
            served.answer_with(SECOND, 200, &[], &json!([member(7000, 30, "active")]));
            let account = shown(&served, &wanted(&["crew"], &["7000"], false), 7000).await.unwrap();
            assert_eq!(
                (level(&account, "crew"), account.server_fact("group:crew")),
                ("developer".to_owned(), Some("12"))
            );
            assert_eq!(served.requests().len(), 3);
        }
        let served = crew();
        served.answer_with(FIRST, 200, &[("X-Next-Page", "")], &json!(full));
        let account = shown(&served, &wanted(&["crew"], &["7000"], false), 7000).await.unwrap();
        assert_eq!(level(&account, "crew"), "(empty)");
    }

    #[tokio::test]
    async fn half_an_answer_is_no_answer() {
        for (headers, body) in [
            (&[("X-Next-Page", "1")][..], json!([member(1, 10, "active")])),
            (&[("X-Next-Page", "later")], json!([member(1, 10, "active")])),
            (&[], json!([{ "id": 1, "username": "u1" }])),
            (&[], json!({ "message": "odd" })),
        ] {
            let served = crew();
            served.answer_with(FIRST, 200, headers, &body);
            let answer = shown(&served, &wanted(&["crew"], &["1"], false), 1).await;
            assert!(matches!(answer, Err(ConnectorError::Strange { .. })), "{body}: {answer:?}");
        }
        // A full page again and again, whatever page is asked for and whatever it says of the next one.
        let full: Vec<Json> = (1..=100).map(|id| member(id, 10, "active")).collect();
        for headers in [&[][..], &[("X-Next-Page", "3")]] {
            let served = crew();
            served.answer_with(FIRST, 200, &[], &json!(full));
            served.answer_with(SECOND, 200, headers, &json!(full));
            let answer = shown(&served, &wanted(&["crew"], &["1"], false), 1).await;
            assert!(matches!(answer, Err(ConnectorError::Strange { .. })), "{answer:?}");
        }
        // A group that is there and whose members are not to be seen.
        let answer = shown(&crew(), &wanted(&["crew"], &["1"], false), 1).await;
        assert!(matches!(answer, Err(ConnectorError::Refused { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn a_path_that_is_taken_for_a_number_or_leads_elsewhere_is_no_group() {
        let served = Served::start();
        served.answer("/api/v4/groups/12?with_projects=false", 200, &json!({ "id": 12, "full_path": "crew" }));
        served.answer("/api/v4/groups/old?with_projects=false", 200, &json!({ "id": 13, "full_path": "new" }));
        let range = ["12", "old", "..", "a//b", "a/../b", ".a", "a?b", "a b", "ä", ""];
        let account = shown(&served, &wanted(&range, &["1"], false), 1).await.unwrap();
        assert!(account.server.is_empty(), "{:?}", account.server);
        assert!(range.iter().all(|group| level(&account, group) == "(empty)"));
        let mut asked = served.requests();
        asked.sort();
        assert_eq!(asked, ["/api/v4/groups/12?with_projects=false", "/api/v4/groups/old?with_projects=false"]);
    }

    #[tokio::test]
    async fn what_comes_from_around_is_told_with_the_nearest_group_that_gives_it() {
        let served = Served::start();
        let group = |id: u64, path: &str| json!({ "id": id, "full_path": path });
        served.answer("/api/v4/groups/a%2Fb%2Fc?with_projects=false", 200, &group(3, "a/b/c"));
        let list = |id: &str| format!("/api/v4/groups/{id}/members?per_page=100&page=1");
        served.answer(
            &list("3"),
            200,
            &json!([member(7, 50, "active"), member(8, 50, "blocked"), member(9, 50, "active")]),
        );
        served.answer(&list("a%2Fb"), 200, &json!([member(7, 30, "active"), member(9, 30, "active")]));
        served.answer(&list("a"), 200, &json!([member(7, 30, "active"), member(8, 10, "blocked")]));
        let seen = async |id: u64| {
            let account = shown(&served, &wanted(&["a/b/c"], &["7"], false), id).await.unwrap();
            let told = |name: &str| account.fact(&fact(name, "a/b/c")).map(str::to_owned);
            (level(&account, "a/b/c"), told("inherits"), told("inherits_from"), account.is("last_owner:a/b/c"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(seen(7).await, ("owner".to_owned(), some("developer"), some("a/b"), false));
        assert_eq!(seen(8).await, ("owner".to_owned(), some("guest"), some("a"), false));
        assert_eq!(seen(6).await, ("(empty)".to_owned(), None, None, false));
        // As soon as nobody else is left who can sign in.
        served.answer(&list("3"), 200, &json!([member(7, 50, "active"), member(8, 50, "blocked")]));
        assert!(seen(7).await.3);
        assert!(!seen(8).await.3);
        // A list about some people says nothing of other owners.
        let few = shown(&served, &wanted(&["a/b/c"], &["7"], true), 7).await;
        assert!(few.is_err(), "the list asked for is another one");
        let about = "?per_page=100&page=1&user_ids%5B%5D=7";
        for id in ["3", "a%2Fb", "a"] {
            served.answer(&format!("/api/v4/groups/{id}/members{about}"), 200, &json!([member(7, 50, "active")]));
        }
        let few = shown(&served, &wanted(&["a/b/c"], &["7"], true), 7).await.unwrap();
        assert_eq!((level(&few, "a/b/c").as_str(), few.is("last_owner:a/b/c")), ("owner", false));
    }
}
