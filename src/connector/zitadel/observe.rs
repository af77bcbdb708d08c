//! Reading: which interface the server has, lists in pages, single users, and who we are.
//!
//! Sends nothing that changes anything. A list shows only what the token may read, and misses what was written a moment
//! ago; so accounts known by id are looked at one by one where a list does not hold them, and always where they must be
//! shown as they are now (`zitadel.md` 6 and 10).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::{Value as Json, json};
use tokio::sync::OnceCell;

use crate::{
    connector::{ConnectorError, Standing, pages::Pages},
    model::{
        account::{Facts, Observed, Wanted},
        attribute::Value,
        id::AccountId,
        plan::Call,
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Reply},
};

use super::{
    interface::{API, Choice, Interface, ORGANIZATION, ORGANIZATION_HEADER},
    reply::{One, Page, Told, User, refusal},
};

/// Users per page: the most a newer server gives (`zitadel.md` section 6).
const PAGE: usize = 1000;

/// Ids per question.
const IDS: usize = 500;

/// Usernames or addresses per question. Their number is not limited, the size of a request is.
const TEXTS: usize = 100;

/// How often a list that shrinks while it is read is begun anew.
const PASSES: usize = 3;

/// Single looks under way at once.
const LOOKS: usize = 4;

/// A list request, for `POST /v2/users` and `POST /management/v1/users/_search` alike.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListUsers<'a> {
    query: ListQuery,
    sorting_column: &'static str,
    #[serde(skip_serializing_if = "<[Query]>::is_empty")]
    queries: &'a [Query<'a>],
}

#[derive(Serialize)]
struct ListQuery {
    offset: String,
    limit: usize,
    asc: bool,
}

/// A condition. The conditions of a list must all hold.
#[derive(Clone, Serialize)]
#[serde(rename_all_fields = "camelCase")]
enum Query<'a> {
    #[serde(rename = "organizationIdQuery")]
    Organization { organization_id: &'a str },
    #[serde(rename = "inUserIdsQuery")]
    Ids { user_ids: Vec<&'a str> },
    #[serde(rename = "userNameQuery")]
    Username { user_name: &'a str, method: &'static str },
    #[serde(rename = "emailQuery")]
    Email { email_address: &'a str, method: &'static str },
    #[serde(rename = "orQuery")]
    AnyOf { queries: Vec<Query<'a>> },
}

const SAME_TEXT: &str = "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE";

/// The body of one page's request. New users come last, so they cannot shift the pages.
fn list(queries: &[Query<'_>], offset: usize, limit: usize) -> Json {
    let body = ListUsers {
        query: ListQuery { offset: offset.to_string(), limit, asc: true },
        sorting_column: "USER_FIELD_NAME_CREATION_DATE",
        queries,
    };
    serde_json::to_value(body).unwrap_or_default()
}

/// The questions that answer `wanted` without reading everything: ids first, then whoever holds a name or address.
///
/// Service users are not left out: their usernames are taken like anybody's.
fn questions(wanted: &Wanted) -> (Vec<Query<'_>>, Vec<Query<'_>>) {
    // No list is fresh: then each id is a look of its own.
    let ids: Vec<&str> = wanted.ids.iter().filter(|_| !wanted.fresh).map(AccountId::as_str).collect();
    let by_id = ids.chunks(IDS).map(|ids| Query::Ids { user_ids: ids.to_vec() }).collect();
    let usernames = asked_for(wanted, "username");
    let usernames: Vec<_> = usernames.map(|user_name| Query::Username { user_name, method: SAME_TEXT }).collect();
    let emails = asked_for(wanted, "email");
    let emails: Vec<_> = emails.map(|email_address| Query::Email { email_address, method: SAME_TEXT }).collect();
    let by_text = [usernames, emails]
        .iter()
        .flat_map(|texts| texts.chunks(TEXTS))
        .map(|texts| Query::AnyOf { queries: texts.to_vec() })
        .collect();
    (by_id, by_text)
}

/// The texts of an attribute that somebody could hold. Longer ones nobody can, and they would be refused as a question.
fn asked_for<'a>(wanted: &'a Wanted, attribute: &str) -> impl Iterator<Item = &'a str> {
    wanted.texts(attribute).map(str::trim).filter(|text| (1..=200).contains(&text.chars().count()))
}

/// Those among everybody whom the questions would have found.
struct Sought<'a> {
    ids: BTreeSet<&'a str>,
    usernames: BTreeSet<String>,
    emails: BTreeSet<String>,
}

impl<'a> Sought<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let texts = |attribute| asked_for(wanted, attribute).map(str::to_lowercase).collect();
        Self {
            ids: wanted.ids.iter().map(AccountId::as_str).collect(),
            usernames: texts("username"),
            emails: texts("email"),
        }
    }

    fn names(&self, user: &User) -> bool {
        self.ids.contains(user.id.as_str())
            || self.usernames.contains(&user.username.to_lowercase())
            || user.email().is_some_and(|email| self.emails.contains(&email.to_lowercase()))
    }
}

/// What was found out about the server, as far as that was needed: asked once.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The interface, where one request tells it: else the first list does.
    interface: OnceCell<Option<Interface>>,
    server: OnceCell<Server>,
}

/// What a first list tells of the server.
struct Met {
    server: Server,
    /// The organization that all users may live in, which is still to be seen.
    perhaps: Option<String>,
}

/// What was found out about the server.
#[derive(Clone, Debug)]
struct Server {
    interface: Interface,
    /// How many users it lists, in the configured organization where there is one.
    total: usize,
    /// The organization all of them live in, where there is only one.
    organization: Option<String>,
}

impl Server {
    fn facts(&self) -> Arc<Facts> {
        let mut facts = Facts::from([(API.to_owned(), Value::text(self.interface.word()))]);
        if let Some(organization) = &self.organization {
            facts.insert(ORGANIZATION.to_owned(), Value::text(organization));
        }
        Arc::new(facts)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.interface.warning().map(str::to_owned).into_iter().collect();
        if self.total <= 1 {
            warnings.push(BLIND.to_owned());
        }
        warnings
    }
}

/// A right that is missing shows as a shorter list, not as an error.
const BLIND: &str = "ZITADEL lists no user but perhaps ourselves: our token's user needs a role such as IAM_USER_MANAGER \
                     or ORG_USER_MANAGER, or `organization` names the wrong one";

/// Reading of one server, by the interface it has and within the configured organization.
pub(super) struct Look<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) interface: Interface,
    pub(super) organization: Option<&'a str>,
}

/// Who we are and what we may do.
pub(super) async fn standing(
    choice: Choice,
    organization: Option<&str>,
    reader: Reader<'_>,
) -> Result<Standing, ConnectorError> {
    let probed = probe(choice, reader).await?;
    let (_, Met { mut server, perhaps }) = ask_server(choice, probed, organization, reader, 1).await?;
    if let Some(perhaps) = perhaps {
        let look = Look { reader, interface: server.interface, organization };
        server.organization = look.only(perhaps, server.total).await?;
    }
    let headers = Interface::V1.headers(organization);
    let me = reader.get("/auth/v1/users/me", &[]).await?;
    let me = me.is_success().then(|| me.read::<One>().ok()).flatten();
    let we_are = me.map_or_else(
        || format!("a token that lists {} {}", server.total, if server.total == 1 { "user" } else { "users" }),
        |me| me.user.introduction(),
    );
    let mut missing: Vec<String> = server.interface.warning().map(str::to_owned).into_iter().collect();
    let rights = reader.search_with("/auth/v1/permissions/zitadel/me/_search", &headers, &json!({})).await?;
    let rights = rights.json().filter(|_| rights.is_success());
    if let Some(rights) = rights {
        let rights = rights.get("result").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        if !rights.into_iter().any(|right| right == "user.write" || right.starts_with("user.write:")) {
            missing.push(
                "no right to change users (`user.write`): give our token's user the role IAM_USER_MANAGER or \
                 ORG_USER_MANAGER"
                    .to_owned(),
            );
        }
    }
    if server.total <= 1 {
        missing.push(BLIND.to_owned());
    }
    if server.organization.is_none() {
        missing.push("which organization new accounts go to: set `organization`, for there are several".to_owned());
    }
    let server = match server.interface {
        Interface::V2 => "ZITADEL 4 or newer (UpdateUser)",
        Interface::V2Human => "ZITADEL before 4 (UpdateHumanUser)",
        Interface::V1 => "ZITADEL with management v1 only",
    };
    Ok(Standing { server: server.to_owned(), we_are, missing })
}

/// The accounts somebody needs: by walking through all of them, or by questions, whichever takes fewer requests.
pub(super) async fn observe(
    choice: Choice,
    organization: Option<&str>,
    known: &Known,
    wanted: &Wanted,
    reader: Reader<'_>,
) -> Result<Observed, ConnectorError> {
    let (by_id, by_text) = questions(wanted);
    let ids = wanted.ids.iter().map(AccountId::as_str);
    let probed = *known.interface.get_or_try_init(|| probe(choice, reader)).await?;
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    let mut keep = |found: Vec<User>| users.extend(found.into_iter().map(|user| (user.id.clone(), user)));
    let (server, warnings) = match (known.server.get(), probed) {
        // Who is looked at one by one, as she is now, needs nothing that lists and organizations tell.
        (None, Some(interface @ Interface::V2)) if wanted.fresh && by_text.is_empty() && !wanted.ids.is_empty() => {
            keep(Look { reader, interface, organization }.each(ids).await?);
            (Server { interface, total: 0, organization: None }, Vec::new())
        }
        (before, _) => {
            // The first page of everybody tells how many there are, and serves where everybody is read.
            let is_first_page = !wanted.fresh && by_id.len() + by_text.len() > 1;
            let (first, met) = match before {
                Some(server) => (None, Met { server: server.clone(), perhaps: None }),
                None => ask_server(choice, probed, organization, reader, if is_first_page { PAGE } else { 1 })
                    .await
                    .map(|(first, met)| (is_first_page.then_some(first), met))?,
            };
            let Met { mut server, mut perhaps } = met;
            let look = Look { reader, interface: server.interface, organization };
            let mut warnings = server.warnings();
            // Each by itself before any list: such a look also brings the lists up to date.
            let now = if wanted.fresh { look.each(ids.clone()).await? } else { Vec::new() };
            if by_id.len() + by_text.len() > server.total.div_ceil(PAGE) {
                let (found, total) = look.all(first, &look.within()).await?;
                if found.len() < total {
                    warnings.push(format!(
                        "ZITADEL shows {} of {total} users: our token may not read the others",
                        found.len()
                    ));
                } else if let Some(organization) = perhaps.take_if(|_| server.interface != Interface::V1) {
                    let is_only = found.iter().all(|user| user.details.resource_owner == organization);
                    server.organization = is_only.then_some(organization);
                }
                let sought = Sought::of(wanted);
                keep(found.into_iter().filter(|user| sought.names(user)).collect());
            } else {
                for question in by_id {
                    keep(look.all(None, &[question]).await?.0);
                }
                for question in by_text {
                    let mut queries = look.within();
                    queries.push(question);
                    keep(look.all(None, &queries).await?.0);
                }
            }
            let by_itself = if wanted.fresh {
                // What a list says of them counts for nothing, not even that they are there.
                for id in ids {
                    users.remove(id);
                }
                now
            } else {
                look.each(ids.filter(|id| !users.contains_key(*id))).await?
            };
            users.extend(by_itself.into_iter().map(|user| (user.id.clone(), user)));
            if let Some(organization) = perhaps {
                server.organization = look.only(organization, server.total).await?;
            }
            // Somebody else may have found it out meanwhile.
            let _ = known.server.set(server.clone());
            (server, warnings)
        }
    };
    let facts = server.facts();
    let account = |user: User| user.account(reader.system(), server.interface, &facts);
    let accounts = users.into_values().map(account).collect();
    Ok(Observed { accounts, server: facts, warnings, ..Observed::default() })
}

/// Pages in a row that may bring nobody new, because we may not read those on them.
const IDLE: usize = 100;

impl<'a> Look<'a> {
    /// A look at what a call has done, by the interface and in the organization of the call.
    pub(super) fn after(call: &'a Call, reader: Reader<'a>) -> Self {
        let organization = call.headers.get(ORGANIZATION_HEADER).map(String::as_str);
        Self { reader, interface: Interface::of_path(&call.path), organization }
    }

    /// All users that meet these conditions, and how many the server counted. The first page may have been read already.
    async fn all(&self, mut first: Option<Page>, queries: &[Query<'_>]) -> Result<(Vec<User>, usize), ConnectorError> {
        for _ in 0..PASSES {
            let mut users: Vec<User> = Vec::new();
            let (mut offset, mut known) = (0_usize, 0);
            let mut read = Pages::with_idle(IDLE);
            loop {
                let page = match first.take() {
                    Some(first) => first,
                    None => self.page(queries, offset, PAGE).await?,
                };
                let total = page.total().ok_or_else(|| self.strange("a list without a readable total"))?;
                let ids = page.result.iter().map(|user| user.id.clone());
                read.turn(ids).map_err(|what| self.strange(what))?;
                users.extend(page.result);
                if total < known {
                    // Somebody was deleted while we read: the pages have shifted, and one user fell between two.
                    break;
                }
                known = total;
                // A page may be short where we may not read everybody on it: the total tells the end.
                offset += PAGE;
                if offset >= total {
                    return Ok((users, total));
                }
            }
        }
        Err(self.strange("lists that grew shorter each time they were read"))
    }

    /// One page. The length of the page is at most [`PAGE`].
    async fn page(&self, queries: &[Query<'_>], offset: usize, limit: usize) -> Result<Page, ConnectorError> {
        let reply = self.search(queries, offset, limit).await?;
        self.page_of(&reply)
    }

    async fn search(&self, queries: &[Query<'_>], offset: usize, limit: usize) -> Result<Reply, ConnectorError> {
        let path = match self.interface {
            Interface::V2 | Interface::V2Human => "/v2/users",
            Interface::V1 => "/management/v1/users/_search",
        };
        let headers = self.interface.headers(self.organization);
        Ok(self.reader.search_with(path, &headers, &list(queries, offset, limit)).await?)
    }

    fn page_of(&self, reply: &Reply) -> Result<Page, ConnectorError> {
        if !reply.is_success() {
            return Err(self.refused(reply));
        }
        let page: Page = reply.read().map_err(|_| self.strange("a list of users that is none"))?;
        if page.result.iter().any(|user| user.id.is_empty()) {
            return Err(self.strange("a user without an id"));
        }
        Ok(page)
    }

    /// The condition that holds for all lists but those by id: on v1 a header says it.
    fn within(&self) -> Vec<Query<'a>> {
        match (self.interface, self.organization) {
            (Interface::V2 | Interface::V2Human, Some(organization_id)) => {
                vec![Query::Organization { organization_id }]
            }
            _ => Vec::new(),
        }
    }

    /// One user, as just written. `None`: there is no such user. One that we may not see is an error: taken for
    /// absent, it would be created again.
    pub(super) async fn one(&self, id: &str) -> Result<Option<User>, ConnectorError> {
        let headers = self.interface.headers(self.organization);
        let reply = self.reader.get_with(&self.interface.user_path(id), &[], &headers).await?;
        if !reply.is_success() {
            let no = refusal(reply.status, &Told::of(reply.json().as_ref()));
            if no.kind == RefusalKind::NotFound {
                return Ok(None);
            }
            return Err(ConnectorError::Refused { system: self.reader.system().clone(), refusal: no });
        }
        let one: One = reply.read().map_err(|_| self.strange("a user that is none"))?;
        if one.user.id.is_empty() {
            return Err(self.strange("a user without an id"));
        }
        if one.user.id != id {
            return Err(self.strange("another user than the one that was asked for"));
        }
        Ok(Some(one.user))
    }

    /// Those of these users that there are, each as just written.
    async fn each(&self, ids: impl Iterator<Item = &str>) -> Result<Vec<User>, ConnectorError> {
        let looks: Vec<_> = ids.map(|id| self.one(id)).collect();
        let users: Vec<Option<User>> = futures::stream::iter(looks).buffered(LOOKS).try_collect().await?;
        Ok(users.into_iter().flatten().collect())
    }

    pub(super) fn refused(&self, reply: &Reply) -> ConnectorError {
        let refusal = refusal(reply.status, &Told::of(reply.json().as_ref()));
        ConnectorError::Refused { system: self.reader.system().clone(), refusal }
    }

    pub(super) fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.reader.system().clone(), what: what.to_owned() }
    }
}

/// The interface, where it is configured or a single question tells it.
async fn probe(choice: Choice, reader: Reader<'_>) -> Result<Option<Interface>, ConnectorError> {
    match choice.fixed() {
        Some(interface) => Ok(Some(interface)),
        None => Ok(has_connect(reader).await?.then_some(Interface::V2)),
    }
}

/// Finds the interface with reads alone, the number of users, and the organization they may all live in. Gives the first
/// page of everybody with it, of so many users.
async fn ask_server(
    choice: Choice,
    probed: Option<Interface>,
    organization: Option<&str>,
    reader: Reader<'_>,
    limit: usize,
) -> Result<(Page, Met), ConnectorError> {
    let look = |interface| Look { reader, interface, organization };
    let first = async |look: &Look<'_>| look.search(&look.within(), 0, limit).await;
    let (look, reply) = if let Some(interface) = probed.or(choice.fixed()) {
        let look = look(interface);
        let reply = first(&look).await?;
        (look, reply)
    } else {
        let newer = look(Interface::V2Human);
        let reply = first(&newer).await?;
        let told = Told::of(reply.json().as_ref());
        let absent = !reply.is_success() && refusal(reply.status, &told).kind == RefusalKind::Unsupported;
        if absent {
            let older = look(Interface::V1);
            let reply = first(&older).await?;
            (older, reply)
        } else {
            (newer, reply)
        }
    };
    let page = look.page_of(&reply)?;
    let total = page.total().ok_or_else(|| look.strange("a list without a readable total"))?;
    let perhaps = page.result.first().map(|user| user.details.resource_owner.clone()).filter(|it| !it.is_empty());
    let server = Server { interface: look.interface, total, organization: organization.map(str::to_owned) };
    Ok((page, Met { server, perhaps: perhaps.filter(|_| organization.is_none()) }))
}

impl Look<'_> {
    /// The organization, if all users live in it. A v1 list never leaves the organization it was asked in.
    async fn only(&self, organization: String, total: usize) -> Result<Option<String>, ConnectorError> {
        if self.interface == Interface::V1 {
            return Ok(Some(organization));
        }
        let here = self.page(&[Query::Organization { organization_id: &organization }], 0, 1).await?;
        Ok((here.total() == Some(total)).then_some(organization))
    }
}

/// Whether the server speaks Connect, which came with ZITADEL 4 just after `UpdateUser`: asked by looking at a user that
/// need not exist (`zitadel.md` sections 1 and 5).
async fn has_connect(reader: Reader<'_>) -> Result<bool, ConnectorError> {
    let reply = reader.search("/zitadel.user.v2.UserService/GetUserByID", &json!({ "userId": "0" })).await?;
    let told = Told::of(reply.json().as_ref());
    match speaks_connect(reply.status, reply.json().is_some_and(|body| body.is_object()), &told) {
        Ok(speaks) => Ok(speaks),
        Err(refusal) => Err(ConnectorError::Refused { system: reader.system().clone(), refusal }),
    }
}

/// What the answer to that look means. Whether we are welcome is another matter than whether the door is there.
fn speaks_connect(status: u16, is_object: bool, told: &Told) -> Result<bool, Refusal> {
    match status {
        200..=299 => Ok(is_object),
        401 | 403 | 429 | 499.. if status != 501 => Err(refusal(status, told)),
        _ => Ok(told.by_connect && status != 501),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        connector::zitadel::{contract::faults, stand_in::StandIn},
        model::attribute::AttributeName,
    };

    const CONNECT: &str = "POST /zitadel.user.v2.UserService/GetUserByID";

    fn absent() -> (u16, Json) {
        (404, json!({ "code": 5, "message": "Not Found" }))
    }

    fn unknown_user() -> (u16, Json) {
        (404, json!({ "code": 5, "message": "no", "details": [{ "id": "QUERY-Dfbg2" }] }))
    }

    fn user(id: usize, organization: &str) -> Json {
        json!({ "userId": format!("u{id}"), "state": "USER_STATE_ACTIVE", "username": format!("name{id}"),
            "details": { "resourceOwner": organization }, "human": {} })
    }

    /// A ZITADEL 4 with so many users, all in `o1`; it lists those for which `listed` holds, but knows all.
    fn four(users: usize, listed: impl Fn(usize) -> bool + Send + 'static) -> StandIn {
        StandIn::serving(move |line, body| match line.split_once("/v2/users/") {
            _ if line == CONNECT => (404, json!({ "code": "not_found", "message": "no" })),
            Some((_, id)) => match id.trim_start_matches('u').parse::<usize>() {
                Ok(number) if number < users => (200, json!({ "user": user(number, "o1") })),
                _ => unknown_user(),
            },
            None if line.starts_with("POST /v2/users") => {
                let offset: usize = body["query"]["offset"].as_str().unwrap().parse().unwrap();
                let limit = usize::try_from(body["query"]["limit"].as_u64().unwrap()).unwrap();
                let queries = body["queries"].as_array().cloned().unwrap_or_default();
                let asked = |id: &str| {
                    queries.iter().all(|query| match query.get("inUserIdsQuery") {
                        Some(ids) => ids["userIds"].as_array().unwrap().contains(&id.into()),
                        None => true,
                    })
                };
                let shown: Vec<usize> = (0..users).filter(|id| listed(*id) && asked(&format!("u{id}"))).collect();
                let page: Vec<Json> = shown.iter().skip(offset).take(limit).map(|id| user(*id, "o1")).collect();
                (200, json!({ "details": { "totalResult": shown.len().to_string() }, "result": page }))
            }
            None => absent(),
        })
    }

    async fn see(server: &StandIn, wanted: &Wanted) -> Observed {
        observe(Choice::Auto, None, &Known::default(), wanted, server.line().reader()).await.unwrap()
    }

    fn ids(observed: &Observed) -> Vec<&str> {
        observed.accounts.iter().filter_map(|account| account.id()).collect()
    }

    fn wanted_ids<const N: usize>(ids: [&str; N]) -> Wanted {
        Wanted { ids: ids.into_iter().map(AccountId::from).collect(), ..Wanted::default() }
    }

    fn wanted_names(count: usize) -> Wanted {
        let names = (0..count).map(|number| format!("name{number}")).collect();
        Wanted { holding: BTreeMap::from([(AttributeName::new("username"), names)]), ..Wanted::default() }
    }

    #[tokio::test]
    async fn the_newest_interface_is_found_with_reads_alone() {
        let server = four(3, |_| true);
        let seen = see(&server, &Wanted::default()).await;
        assert_eq!(*seen.server, Facts::from([(API.to_owned(), "v2".into()), (ORGANIZATION.to_owned(), "o1".into())]));
        assert_eq!((seen.accounts.len(), seen.warnings), (0, Vec::new()));
        assert_eq!(server.asked(), [CONNECT, "POST /v2/users", "POST /v2/users"]);
    }

    #[tokio::test]
    async fn an_older_server_is_used_with_a_warning() {
        let list = || {
            json!({ "details": { "totalResult": "2" }, "result": [{ "id": "1",
            "details": { "resourceOwner": "o1" } }] })
        };
        let second = StandIn::serving(move |line, _| match line {
            "POST /v2/users" => (200, list()),
            _ => absent(),
        });
        let seen = see(&second, &Wanted::default()).await;
        assert_eq!(seen.server.get(API), Some(&"v2-human".into()));
        assert_eq!(seen.warnings, [Interface::V2Human.warning().unwrap()]);

        let first = StandIn::serving(move |line, _| match line {
            "POST /management/v1/users/_search" => (200, list()),
            "POST /v2/users" => (405, json!({ "code": 12, "message": "Method Not Allowed" })),
            _ => absent(),
        });
        let seen = see(&first, &Wanted::default()).await;
        assert_eq!(seen.server.get(API), Some(&"v1".into()));
        assert_eq!(seen.server.get(ORGANIZATION), Some(&"o1".into()));
        assert_eq!(seen.warnings, [Interface::V1.warning().unwrap()]);
    }

    #[tokio::test]
    async fn a_closed_door_is_no_missing_door() {
        for status in [401, 403] {
            let server = StandIn::serving(move |_, _| (status, json!({ "code": "unauthenticated", "message": "no" })));
            let error = observe(Choice::Auto, None, &Known::default(), &Wanted::default(), server.line().reader())
                .await
                .unwrap_err();
            let ConnectorError::Refused { refusal, .. } = error else { panic!("{error}") };
            assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(status)));
            assert_eq!(server.asked(), [CONNECT]);
        }
    }

    #[test]
    fn only_the_answer_of_a_connect_service_proves_one() {
        let told = |code: Json| Told::of(Some(&json!({ "code": code, "message": "no" })));
        assert_eq!(speaks_connect(200, true, &Told::default()), Ok(true));
        assert_eq!(speaks_connect(200, false, &Told::default()), Ok(false));
        assert_eq!(speaks_connect(404, true, &told("not_found".into())), Ok(true));
        assert_eq!(speaks_connect(404, true, &told(5.into())), Ok(false));
        assert_eq!(speaks_connect(404, false, &Told::default()), Ok(false));
        assert_eq!(speaks_connect(405, true, &told(12.into())), Ok(false));
        assert_eq!(speaks_connect(501, true, &told("unimplemented".into())), Ok(false));
        assert!(speaks_connect(503, true, &told(14.into())).is_err());
        assert!(speaks_connect(401, true, &told("unauthenticated".into())).is_err());
    }

    #[tokio::test]
    async fn a_named_interface_is_not_asked_for() {
        let server = StandIn::serving(|_, _| (200, json!({ "details": { "totalResult": "2" } })));
        let seen = observe(Choice::V1, Some("o7"), &Known::default(), &Wanted::default(), server.line().reader())
            .await
            .unwrap();
        assert_eq!(seen.server.get(ORGANIZATION), Some(&"o7".into()));
        assert_eq!(server.asked(), ["POST /management/v1/users/_search o7"]);
    }

    #[tokio::test]
    async fn everybody_is_read_where_that_takes_fewer_requests() {
        let server = four(2001, |_| true);
        // Four questions of a hundred names against three pages.
        let seen = see(&server, &wanted_names(400)).await;
        let mut sought: Vec<String> = (0..400).map(|id| format!("u{id}")).collect();
        sought.sort();
        assert_eq!(ids(&seen), sought, "of everybody only those who were sought are shown, in order of id");
        assert_eq!(server.asked()[1..], ["POST /v2/users", "POST /v2/users", "POST /v2/users"]);
        assert_eq!(seen.server.get(ORGANIZATION), Some(&"o1".into()));
        let pages: Vec<Json> = server.bodies()[1..].iter().map(|body| body["query"].clone()).collect();
        let page = |offset: &str| json!({ "offset": offset, "limit": 1000, "asc": true });
        assert_eq!(pages, [page("0"), page("1000"), page("2000")]);
    }

    #[tokio::test]
    async fn an_account_that_a_list_does_not_show_yet_is_looked_at_by_itself() {
        let server = four(5, |id| id != 3);
        let seen = see(&server, &wanted_ids(["u1", "u3", "u9"])).await;
        assert_eq!(ids(&seen), ["u1", "u3"]);
        let mut looks: Vec<String> = server.asked();
        looks.retain(|look| look.starts_with("GET "));
        looks.sort();
        assert_eq!(looks, ["GET /v2/users/u3", "GET /v2/users/u9"]);
    }

    /// A list that shows everybody with a name of yesterday, and one user who is gone.
    fn lagging() -> StandIn {
        StandIn::serving(|line, _| match line.strip_prefix("GET /v2/users/") {
            _ if line == CONNECT => (404, json!({ "code": "not_found" })),
            Some("u9") => unknown_user(),
            Some(id) => (200, json!({ "user": { "userId": id, "username": format!("{id}.new") } })),
            None => {
                let old = |id: &str| json!({ "userId": id, "username": format!("{id}.old"), "human": {} });
                let all = ["u1", "u2", "u3", "u9"].map(old);
                (200, json!({ "details": { "totalResult": "4" }, "result": all }))
            }
        })
    }

    fn names(observed: &Observed) -> Vec<&str> {
        let name = AttributeName::new("username");
        observed.accounts.iter().filter_map(|account| account.text(&name)).collect()
    }

    #[tokio::test]
    async fn what_must_be_fresh_is_looked_at_by_itself_and_no_list_is_believed() {
        let server = lagging();
        let mut wanted = wanted_ids(["u1", "u2", "u9"]);
        assert_eq!(names(&see(&server, &wanted).await), ["u1.old", "u2.old", "u3.old", "u9.old"]);
        assert_eq!(server.asked().split_off(2), ["POST /v2/users"]);

        wanted.fresh = true;
        let server = lagging();
        assert_eq!(names(&see(&server, &wanted).await), ["u1.new", "u2.new"]);
        let mut looks = server.asked().split_off(1);
        looks.sort();
        assert_eq!(looks, ["GET /v2/users/u1", "GET /v2/users/u2", "GET /v2/users/u9"]);

        // Values go on through the list, whoever else is shown there.
        let texts = BTreeSet::from(["u3.old".to_owned()]);
        wanted.holding.insert(AttributeName::new("username"), texts.into());
        let server = lagging();
        assert_eq!(names(&see(&server, &wanted).await), ["u1.new", "u2.new", "u3.old"]);
        let mut looks = server.asked().split_off(2);
        assert_eq!(looks.pop().as_deref(), Some("POST /v2/users"), "the list comes last");
        assert_eq!(looks.len(), 3);
    }

    #[tokio::test]
    async fn a_walk_keeps_whom_questions_would_have_found() {
        let all = || {
            let human = |id: &str, name: &str, email: &str| {
                let email = json!({ "email": email });
                json!({ "userId": id, "username": name, "human": { "email": email } })
            };
            [
                human("u4", "Ann", "a@example.org"),
                human("u2", "bob", "B@Example.org"),
                json!({ "userId": "u1", "username": "robot", "machine": {} }),
                human("u3", "eve", "e@example.org"),
                human("u5", "dan", ""),
            ]
        };
        let server = StandIn::serving(move |line, _| match line {
            CONNECT => (404, json!({ "code": "not_found" })),
            _ => (200, json!({ "details": { "totalResult": "5" }, "result": all() })),
        });
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let wanted = Wanted {
            holding: BTreeMap::from([
                (AttributeName::new("username"), texts(&[" aNN ", "ROBOT"])),
                (AttributeName::new("email"), texts(&["b@example.ORG", ""])),
            ]),
            ..wanted_ids(["u3"])
        };
        // Three questions against one page.
        let seen = see(&server, &wanted).await;
        assert_eq!(server.asked().split_off(1), ["POST /v2/users"]);
        assert_eq!(server.bodies()[1].get("queries"), None);
        assert_eq!(ids(&seen), ["u1", "u2", "u3", "u4"]);
    }

    #[tokio::test]
    async fn an_account_we_may_not_see_is_not_taken_for_absent() {
        let hidden = json!({ "code": 5, "message": "no", "details": [{ "id": "AUTHZ-cdgFk" }] });
        let server = StandIn::serving(move |line, _| match line {
            CONNECT => (404, json!({ "code": "not_found" })),
            "POST /v2/users" => (200, json!({ "details": {} })),
            _ => (404, hidden.clone()),
        });
        let wanted = wanted_ids(["u1"]);
        let error = observe(Choice::Auto, None, &Known::default(), &wanted, server.line().reader()).await.unwrap_err();
        let ConnectorError::Refused { refusal, .. } = error else { panic!("{error}") };
        assert_eq!(refusal.kind, RefusalKind::Forbidden);
    }

    #[tokio::test]
    async fn a_token_that_sees_nobody_is_warned_about() {
        let server = four(1, |_| true);
        assert_eq!(see(&server, &Wanted::default()).await.warnings, [BLIND]);
    }

    #[tokio::test]
    async fn several_organizations_leave_open_where_to_create() {
        let server = StandIn::serving(|line, body| {
            if line == CONNECT {
                return (404, json!({ "code": "not_found" }));
            }
            let total = if body["queries"].is_null() { "5" } else { "3" };
            (200, json!({ "details": { "totalResult": total }, "result": [user(1, "o1")] }))
        });
        assert_eq!(see(&server, &Wanted::default()).await.server.get(ORGANIZATION), None);
    }

    #[tokio::test]
    async fn a_list_that_shrinks_while_it_is_read_is_begun_anew() {
        let lists = std::sync::atomic::AtomicUsize::new(0);
        let server = StandIn::serving(move |line, body| {
            if line == CONNECT {
                return (404, json!({ "code": "not_found" }));
            }
            let offset: usize = body["query"]["offset"].as_str().unwrap().parse().unwrap();
            let limit = usize::try_from(body["query"]["limit"].as_u64().unwrap()).unwrap();
            // The first user is deleted between the first and the second page.
            let gone = usize::from(lists.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 1);
            let page: Vec<Json> = (gone..1500).skip(offset).take(limit).map(|id| user(id, "o1")).collect();
            (200, json!({ "details": { "totalResult": (1500 - gone).to_string() }, "result": page }))
        });
        let seen = see(&server, &wanted_names(1001)).await;
        assert!(ids(&seen).contains(&"u1000"), "the user who moved from the second page to the first is there");
    }

    #[test]
    fn questions_are_chunked_and_leave_service_users_in() {
        let mut wanted = wanted_names(150);
        wanted
            .holding
            .insert(AttributeName::new("email"), BTreeSet::from(["a@example.org".to_owned(), "x".repeat(201)]).into());
        wanted.ids = (0..501).map(|id| AccountId::from(format!("u{id}"))).collect();
        let (by_id, by_text) = questions(&wanted);
        let json = |query: &Query<'_>| serde_json::to_value(query).unwrap();
        let sizes: Vec<usize> =
            by_id.iter().map(|query| json(query)["inUserIdsQuery"]["userIds"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [500, 1]);
        let sizes: Vec<usize> =
            by_text.iter().map(|query| json(query)["orQuery"]["queries"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [100, 50, 1]);
        assert_eq!(
            json(&by_text[2]),
            json!({ "orQuery": { "queries": [{ "emailQuery":
                { "emailAddress": "a@example.org", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE" } }] } })
        );
        for queries in [&by_id[..1], &by_text[..1], &by_text[2..]] {
            for path in ["/v2/users", "/management/v1/users/_search"] {
                let found = faults("POST", path, &list(queries, 0, PAGE)).unwrap_or_default();
                assert_eq!(found, Vec::<String>::new());
            }
        }
        let within = [Query::Organization { organization_id: "o1" }];
        assert_eq!(faults("POST", "/v2/users", &list(&within, 0, 1)).unwrap_or_default(), Vec::<String>::new());
        assert_eq!(
            faults("POST", "/zitadel.user.v2.UserService/GetUserByID", &json!({ "userId": "0" })).unwrap_or_default(),
            Vec::<String>::new()
        );
    }

    #[tokio::test]
    async fn standing_tells_who_we_are_and_what_is_missing() {
        let server = StandIn::serving(|line, _| match line {
            CONNECT => (404, json!({ "code": "not_found" })),
            "GET /auth/v1/users/me" => (
                200,
                json!({ "user": { "id": "m1", "userName": "homeward", "machine": {},
                "details": { "resourceOwner": "o1" } } }),
            ),
            "POST /auth/v1/permissions/zitadel/me/_search" => (200, json!({ "result": ["user.read"] })),
            _ => (200, json!({ "details": { "totalResult": "4" }, "result": [user(1, "o1")] })),
        });
        let told = standing(Choice::Auto, None, server.line().reader()).await.unwrap();
        assert_eq!(told.server, "ZITADEL 4 or newer (UpdateUser)");
        assert_eq!(told.we_are, "homeward (service user of organization o1)");
        assert_eq!(told.missing.len(), 1, "{:?}", told.missing);
        assert!(told.missing[0].contains("user.write"));
    }

    #[tokio::test]
    async fn standing_does_without_the_older_interfaces() {
        let server = four(4, |_| true);
        let told = standing(Choice::Auto, None, server.line().reader()).await.unwrap();
        assert_eq!((told.we_are.as_str(), told.missing), ("a token that lists 4 users", Vec::new()));
    }
}
