//! Reading: which interface the server has, lists in pages, single users, and who we are.
//!
//! Sends nothing that changes anything. A list shows only what the token may read, and misses what was written a moment
//! ago; so accounts known by id are looked at one by one where a list does not hold them (`zitadel.md` 6 and 10).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    connector::{ConnectorError, Standing},
    model::{
        account::{Facts, Observed, Wanted},
        attribute::Value,
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Reply},
};

use super::{
    interface::{API, Choice, Interface, ORGANIZATION},
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
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Query<'a> {
    OrganizationIdQuery { organization_id: &'a str },
    InUserIdsQuery { user_ids: Vec<&'a str> },
    UserNameQuery { user_name: &'a str, method: &'static str },
    EmailQuery { email_address: &'a str, method: &'static str },
    OrQuery { queries: Vec<Query<'a>> },
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
    let ids: Vec<&str> = wanted.ids.iter().map(|id| id.as_str()).collect();
    let by_id = ids.chunks(IDS).map(|ids| Query::InUserIdsQuery { user_ids: ids.to_vec() }).collect();
    // Longer texts cannot be held, and would be refused as a question.
    let can_be_held = |text: &&str| (1..=200).contains(&text.chars().count());
    let usernames = wanted.texts("username").map(str::trim).filter(can_be_held);
    let usernames: Vec<_> = usernames.map(|user_name| Query::UserNameQuery { user_name, method: SAME_TEXT }).collect();
    let emails = wanted.texts("email").map(str::trim).filter(can_be_held);
    let emails: Vec<_> = emails.map(|email_address| Query::EmailQuery { email_address, method: SAME_TEXT }).collect();
    let by_text = [usernames, emails]
        .iter()
        .flat_map(|texts| texts.chunks(TEXTS))
        .map(|texts| Query::OrQuery { queries: texts.to_vec() })
        .collect();
    (by_id, by_text)
}

/// What was found out about the server.
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
    let server = ask_server(choice, organization, reader).await?;
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
    wanted: &Wanted,
    reader: Reader<'_>,
) -> Result<Observed, ConnectorError> {
    let server = ask_server(choice, organization, reader).await?;
    let look = Look { reader, interface: server.interface, organization };
    let (by_id, by_text) = questions(wanted);
    let mut warnings = server.warnings();
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    let mut keep = |found: Vec<User>| users.extend(found.into_iter().map(|user| (user.user_id.clone(), user)));
    if by_id.len() + by_text.len() > server.total.div_ceil(PAGE) {
        let (found, total) = look.all(&look.within()).await?;
        if found.len() < total {
            warnings.push(format!(
                "ZITADEL shows {} of {total} users: our token may not read the others",
                found.len()
            ));
        }
        keep(found);
    } else {
        for question in by_id {
            keep(look.all(&[question]).await?.0);
        }
        for question in by_text {
            let mut queries = look.within();
            queries.push(question);
            keep(look.all(&queries).await?.0);
        }
    }
    let unseen: BTreeSet<&str> = wanted.ids.iter().map(|id| id.as_str()).filter(|id| !users.contains_key(*id)).collect();
    let looks: Vec<_> = unseen.into_iter().map(|id| look.one(id)).collect();
    let late: Vec<Option<User>> = futures::stream::iter(looks).buffered(LOOKS).try_collect().await?;
    users.extend(late.into_iter().flatten().map(|user| (user.user_id.clone(), user)));
    let facts = server.facts();
    let account = |user: User| user.account(reader.system(), server.interface, &facts);
    let accounts = users.into_values().map(account).collect();
    Ok(Observed { accounts, server: facts, warnings })
}

impl<'a> Look<'a> {
    /// All users that meet these conditions, and how many the server counted.
    async fn all(&self, queries: &[Query<'_>]) -> Result<(Vec<User>, usize), ConnectorError> {
        for _ in 0..PASSES {
            let mut users: Vec<User> = Vec::new();
            let (mut offset, mut known) = (0, 0);
            loop {
                let page = self.page(queries, offset, PAGE).await?;
                let total = page.total().ok_or_else(|| self.strange("a list without a readable total"))?;
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
        reply.read().map_err(|_| self.strange("a list of users that is none"))
    }

    /// The condition that holds for all lists but those by id: on v1 a header says it.
    fn within(&self) -> Vec<Query<'a>> {
        match (self.interface, self.organization) {
            (Interface::V2 | Interface::V2Human, Some(organization_id)) => {
                vec![Query::OrganizationIdQuery { organization_id }]
            }
            _ => Vec::new(),
        }
    }

    /// One user, as just written. `None`: there is no such user. One that we may not see is an error: taken for
    /// absent, it would be created again.
    pub(super) async fn one(&self, id: &str) -> Result<Option<User>, ConnectorError> {
        let headers = self.interface.headers(self.organization);
        let reply = self.reader.get_with(&self.interface.user_path(id), &headers).await?;
        if !reply.is_success() {
            let no = refusal(reply.status, &Told::of(reply.json().as_ref()));
            if no.kind == RefusalKind::NotFound {
                return Ok(None);
            }
            return Err(ConnectorError::Refused { system: self.reader.system().clone(), refusal: no });
        }
        let one: One = reply.read().map_err(|_| self.strange("a user that is none"))?;
        Ok(Some(one.user))
    }

    fn refused(&self, reply: &Reply) -> ConnectorError {
        let refusal = refusal(reply.status, &Told::of(reply.json().as_ref()));
        ConnectorError::Refused { system: self.reader.system().clone(), refusal }
    }

    fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.reader.system().clone(), what: what.to_owned() }
    }
}

/// Finds the interface with reads alone, the number of users, and the organization where there is but one.
async fn ask_server(
    choice: Choice,
    organization: Option<&str>,
    reader: Reader<'_>,
) -> Result<Server, ConnectorError> {
    let look = |interface| Look { reader, interface, organization };
    let first = async |look: &Look<'_>| look.search(&look.within(), 0, 1).await;
    let (look, reply) = match choice.fixed() {
        Some(interface) => {
            let look = look(interface);
            let reply = first(&look).await?;
            (look, reply)
        }
        None if has_connect(reader).await? => {
            let look = look(Interface::V2);
            let reply = first(&look).await?;
            (look, reply)
        }
        None => {
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
        }
    };
    let page = look.page_of(&reply)?;
    let total = page.total().ok_or_else(|| look.strange("a list without a readable total"))?;
    let organization = match (organization, page.result.into_iter().next()) {
        (Some(organization), _) => Some(organization.to_owned()),
        (None, Some(user)) => look.only(user.details.resource_owner, total).await?,
        (None, None) => None,
    };
    Ok(Server { interface: look.interface, total, organization })
}

impl Look<'_> {
    /// The organization, if all users live in it. A v1 list never leaves the organization it was asked in.
    async fn only(&self, organization: String, total: usize) -> Result<Option<String>, ConnectorError> {
        if organization.is_empty() {
            return Ok(None);
        }
        if self.interface == Interface::V1 {
            return Ok(Some(organization));
        }
        let here = self.page(&[Query::OrganizationIdQuery { organization_id: &organization }], 0, 1).await?;
        Ok((here.total() == Some(total)).then_some(organization))
    }
}

/// Whether the server speaks Connect, which came with ZITADEL 4 just after UpdateUser: asked by looking at a user that
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
