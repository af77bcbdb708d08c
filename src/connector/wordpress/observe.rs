//! Looking at WordPress's accounts: by ids in batches, by login or address through its search, or all of them, whichever
//! is less work (`wordpress.md` 3 and 4).
//!
//! Its lists lie in two ways. Whom our account may not edit is left out and counted all the same, and pages are cut from a
//! list that goes on living, so that somebody can slip through between two of them. So a list counts only where every page
//! told the same total and so many different accounts were seen; and who is missing from it is asked for by name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;

use crate::{
    connector::{ConnectorError, Standing},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::{Accounts, AccountsById},
        attribute::{AttributeName, Value},
        id::AccountId,
        refusal::{Refusal, RefusalKind},
        texts::Texts,
    },
    wire::{Reader, Reply},
};

use super::{
    calls::route,
    foresee::EDITS,
    interface::{Interface, USERS},
    reply::{self, Answer, FIELDS, NEEDS},
    table::CAPABILITIES,
};

/// The most accounts WordPress puts on one page.
const PAGE: usize = 100;

/// Requests under way at once.
const SIDE_BY_SIDE: usize = 4;

/// How often a list that does not add up is read in all.
const WALKS: usize = 3;

const ONLY_LISTS: &str = "our account there may list users and not edit them, and WordPress shows accounts only to those who \
                          may: it needs the right `edit_users` too";

const NOT_OFFERED: &str = "WordPress offers no application passwords here, so it does not even look at ours. It wants https \
                           that PHP itself can see (behind a proxy that ends TLS, wp-config.php has to set \
                           `$_SERVER['HTTPS']` from the proxy's header) or the environment type `local`; a plugin may have \
                           switched them off as well";

const UNKNOWN: &str = "WordPress takes us for nobody, which is all it says where credentials are wrong: look at `username`, and \
                       use an application password, not the account's own. If both are right, the web server keeps the \
                       header from PHP (Apache with php-fpm needs `CGIPassAuth On`)";

/// One observation.
pub(super) struct Looker<'a> {
    wire: Reader<'a>,
    interface: Interface,
    server: Arc<Facts>,
}

/// Where the interface is, and what we may do there.
#[derive(Debug)]
pub(super) struct Arrival {
    interface: Interface,
    edits: bool,
}

/// One page of a list.
struct Page {
    total: usize,
    accounts: Vec<Account>,
}

/// What somebody wants to see; texts in lower case, as WordPress compares them.
struct Sought<'a> {
    ids: &'a BTreeSet<AccountId>,
    texts: BTreeMap<&'a AttributeName, Texts>,
}

impl<'a> Looker<'a> {
    /// Something to look with where it is known how.
    pub(super) fn new(wire: Reader<'a>, interface: Interface) -> Self {
        Self { wire, interface, server: Arc::default() }
    }

    /// Finds out where the interface is, and who we are there.
    ///
    /// The first call must be this one: to whoever is not signed in, lists show some people and no fault (section 2).
    async fn arrive(wire: Reader<'a>) -> Result<(Self, Json), ConnectorError> {
        let mut first = None;
        for interface in Interface::ALL {
            let looker = Self::new(wire, interface);
            let query = [("context", "edit"), ("_fields", "id,username,email,roles,capabilities")];
            let reply = looker.ask(&format!("{USERS}/me"), &query).await?;
            let answer = Answer::from(&reply);
            if answer.is_from_elsewhere() {
                first.get_or_insert(answer);
                continue;
            }
            if answer.status == 401 {
                return Err(looker.nobody(&answer).await?);
            }
            if !reply.is_success() {
                return Err(looker.refused(&answer));
            }
            let me = answer.body.filter(|me| me.get("id").is_some_and(Json::is_u64));
            let me = me.ok_or_else(|| looker.strange("something that is no user: is `url` a WordPress's?"))?;
            return Ok((looker, me));
        }
        let looker = Self::new(wire, Interface::Pretty);
        match first {
            Some(answer) => Err(looker.refused(&answer)),
            None => Err(looker.strange("nothing")),
        }
    }

    /// Why we are nobody: whether the site offers application passwords tells most of it.
    async fn nobody(&self, answer: &Answer) -> Result<ConnectorError, ConnectorError> {
        let mut refusal = reply::refusal(answer);
        if refusal.code.as_deref() == Some("rest_not_logged_in") {
            let reply = self.ask("", &[("_fields", "authentication")]).await?;
            let offers = reply.json().filter(|_| reply.is_success());
            // An empty list where an object is usual: nothing is offered.
            let offers =
                offers.and_then(|root| Some(root.get("authentication")?.get("application-passwords").is_some()));
            let reason = if offers == Some(false) { NOT_OFFERED } else { UNKNOWN };
            reason.clone_into(&mut refusal.reason);
        }
        Ok(ConnectorError::Refused { system: self.wire.system().clone(), refusal })
    }

    /// What has to be known before accounts are looked at.
    pub(super) async fn find(wire: Reader<'a>) -> Result<Arrival, ConnectorError> {
        let (looker, me) = Self::arrive(wire).await?;
        Ok(Arrival { interface: looker.interface, edits: edits(&me) })
    }

    /// Who we are and what is missing.
    pub(super) async fn standing(wire: Reader<'a>, username: &str) -> Result<Standing, ConnectorError> {
        let (looker, me) = Self::arrive(wire).await?;
        let text = |field: &str| me.get(field).and_then(Json::as_str).unwrap_or_default();
        let mut missing = Vec::new();
        match looker.count().await {
            Ok(_) => {}
            Err(ConnectorError::Refused { refusal, .. }) if refusal.kind == RefusalKind::Forbidden => {
                missing.push(format!("reading accounts: {}", refusal.reason));
            }
            Err(error) => return Err(error),
        }
        if !edits(&me) {
            missing.push("changing accounts: our account there needs the right `edit_users`".to_owned());
        }
        if looker.interface == Interface::Plain {
            missing.push(format!("changing accounts: {}", super::foresee::PLAIN));
        }
        let is_us = [text("username"), text("email")].iter().any(|name| name.to_lowercase() == username.to_lowercase());
        if !is_us {
            missing.push("being who we say: WordPress takes us for another account than `username` names".to_owned());
        }
        let roles = reply::roles(&me).filter(|roles| !roles.is_empty());
        let roles = roles.map_or_else(|| "no role".to_owned(), |roles| roles.join(", "));
        // WordPress tells its version to nobody over REST.
        Ok(Standing { server: "WordPress".to_owned(), we_are: format!("{} ({roles})", text("username")), missing })
    }

    /// The accounts somebody needs.
    pub(super) async fn observe(
        wire: Reader<'a>,
        arrival: &Arrival,
        wanted: &Wanted,
    ) -> Result<Observed, ConnectorError> {
        let mut looker = Self::new(wire, arrival.interface);
        let mut facts = Facts::from([(EDITS.to_owned(), arrival.edits.into())]);
        looker.interface.tell(&mut facts);
        looker.server = Arc::new(facts);
        let sought = Sought::of(wanted);
        let accounts = if !must_walk(wanted) && (look_ups(wanted) == 1 && !wanted.ids.is_empty()) {
            // One list by ids: nothing is less than that.
            looker.look_up(wanted, &sought).await?
        } else {
            // The first page of everybody is also the proof that we are shown them, and tells how many there are.
            let first = looker.page(&[], 1).await?;
            if first.accounts.len() < first.total.min(PAGE) {
                // Perhaps only ourselves are shown: that is told by whoever stands first.
                looker.count().await?;
            }
            if must_walk(wanted) || first.total.div_ceil(PAGE) <= look_ups(wanted) {
                looker.list_from(Some(first), &[], |account| sought.names(account)).await?
            } else {
                looker.look_up(wanted, &sought).await?
            }
        };
        let mut found = AccountsById::from(accounts);
        // Who is in no list is gone only where WordPress says so when asked for nobody else.
        let missing: Vec<_> = wanted.ids.iter().filter(|id| !found.contains(id)).collect();
        let asked: Vec<_> = missing.iter().map(|id| looker.account(id)).collect();
        let seen: Vec<Option<Account>> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        found.extend(seen.into_iter().flatten());
        Ok(Observed { accounts: found.into_accounts(), server: looker.server, ..Observed::default() })
    }

    /// One account by its id; `None` where WordPress says that there is none.
    pub(super) async fn account(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        let Some(route) = route(id) else { return Ok(None) };
        let reply = self.ask(&route, &[("context", "edit"), ("_fields", FIELDS)]).await?;
        let answer = Answer::from(&reply);
        if answer.status == 404 && answer.code() == Some("rest_user_invalid_id") {
            return Ok(None);
        }
        if !reply.is_success() {
            return Err(self.refused(&answer));
        }
        let user = answer.body.ok_or_else(|| self.strange("something that is no user"))?;
        let account = self.full(&user)?;
        if account.id.as_ref() != Some(id) {
            return Err(self.strange("another account than the one that was asked for"));
        }
        Ok(Some(account))
    }

    /// How many accounts there are; also the proof that we are shown them.
    async fn count(&self) -> Result<usize, ConnectorError> {
        let reply = self.get(&[("per_page", "1"), ("orderby", "id"), ("_fields", "id")]).await?;
        let rows: Vec<Json> = self.rows(&reply)?;
        if rows.is_empty() {
            let refusal = Refusal::new(RefusalKind::Forbidden, ONLY_LISTS);
            return Err(ConnectorError::Refused { system: self.wire.system().clone(), refusal });
        }
        self.total(&reply)
    }

    /// Looks for each that is wanted, in as few requests as that takes.
    async fn look_up(&self, wanted: &Wanted, sought: &Sought<'_>) -> Result<Accounts, ConnectorError> {
        let ids: Vec<&str> = wanted.ids.iter().filter(|id| route(id).is_some()).map(AccountId::as_str).collect();
        let batches: Vec<[(&str, String); 1]> = ids.chunks(PAGE).map(|ids| [("include", ids.join(","))]).collect();
        let mut found = self.lists(&batches, |_| true).await?;
        let is_found = |name: &AttributeName, text: &str| found.iter().any(|account| holds(account.text(name), text));
        let searches: Vec<[(&str, String); 2]> = wanted
            .holding
            .iter()
            .flat_map(|(name, texts)| texts.iter().map(move |text| (name, text)))
            .filter(|(name, text)| !is_found(name, text))
            // Before 6.8 the second parameter is ignored and more is found (section 4).
            .map(|(name, text)| [("search", searchable(text).to_owned()), ("search_columns", name.as_str().to_owned())])
            .collect();
        found.extend(self.lists(&searches, |account| sought.names(account)).await?);
        Ok(found)
    }

    /// What is sought of several lists.
    async fn lists<const N: usize>(
        &self,
        filters: &[[(&str, String); N]],
        is_sought: impl Fn(&Account) -> bool,
    ) -> Result<Accounts, ConnectorError> {
        let asked: Vec<_> = filters.iter().map(|filter| self.list(filter, &is_sought)).collect();
        let found: Vec<Accounts> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Reads a list until it adds up, and keeps what is sought of it.
    async fn list(
        &self,
        filter: &[(&str, String)],
        is_sought: impl Fn(&Account) -> bool,
    ) -> Result<Accounts, ConnectorError> {
        self.list_from(None, filter, is_sought).await
    }

    /// The same where the first page was read already.
    async fn list_from(
        &self,
        mut first: Option<Page>,
        filter: &[(&str, String)],
        is_sought: impl Fn(&Account) -> bool,
    ) -> Result<Accounts, ConnectorError> {
        for _ in 0..WALKS {
            if let Some(accounts) = self.walk(first.take(), filter, &is_sought).await? {
                return Ok(accounts);
            }
        }
        Err(self.strange(
            "lists that do not add up, three times over: either our account there may not edit everybody, as in a network \
             of sites, or accounts come and go faster than they can be read",
        ))
    }

    /// Reads a list once; `None` where it does not add up.
    async fn walk(
        &self,
        first: Option<Page>,
        filter: &[(&str, String)],
        is_sought: impl Fn(&Account) -> bool,
    ) -> Result<Option<Accounts>, ConnectorError> {
        let first = match first {
            Some(first) => first,
            None => self.page(filter, 1).await?,
        };
        let total = first.total;
        // One after the other as they are needed: how many there are is the server's word alone.
        let others = stream::iter(2..=total.div_ceil(PAGE)).map(|number| self.page(filter, number));
        let mut pages = stream::iter([Ok(first)]).chain(others.buffered(SIDE_BY_SIDE));
        let (mut seen, mut kept) = (BTreeSet::new(), Accounts::default());
        while let Some(page) = pages.next().await {
            let page = page?;
            if page.total != total {
                return Ok(None);
            }
            let before = seen.len();
            for account in page.accounts {
                let is_new = seen.insert(account.id.clone());
                if is_new && is_sought(&account) {
                    kept.push(&account);
                }
            }
            // Where nobody new comes, further pages do not make up for it.
            if seen.len() == before && total > 0 {
                return Ok(None);
            }
        }
        Ok((seen.len() == total).then_some(kept))
    }

    async fn page(&self, filter: &[(&str, String)], number: usize) -> Result<Page, ConnectorError> {
        let number = number.to_string();
        let fixed =
            [("per_page", "100"), ("orderby", "id"), ("order", "asc"), ("page", number.as_str()), ("_fields", FIELDS)];
        let query: Vec<(&str, &str)> = filter.iter().map(|(key, value)| (*key, value.as_str())).chain(fixed).collect();
        let reply = self.get(&query).await?;
        let users = self.rows(&reply)?;
        let accounts: Result<Vec<Account>, ConnectorError> = users.iter().map(|user| self.full(user)).collect();
        Ok(Page { total: self.total(&reply)?, accounts: accounts? })
    }

    /// Part of the list of users, as those see it who may edit them.
    async fn get(&self, query: &[(&str, &str)]) -> Result<Reply, ConnectorError> {
        let query: Vec<(&str, &str)> = [("context", "edit")].into_iter().chain(query.iter().copied()).collect();
        let reply = self.ask(USERS, &query).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.refused(&Answer::from(&reply))) }
    }

    async fn ask(&self, route: &str, query: &[(&str, &str)]) -> Result<Reply, ConnectorError> {
        let (path, query) = self.interface.read(route, query);
        Ok(self.wire.get(&path, &query).await?)
    }

    fn rows(&self, reply: &Reply) -> Result<Vec<Json>, ConnectorError> {
        reply.read().map_err(|_| self.strange("something that is no list of users"))
    }

    fn total(&self, reply: &Reply) -> Result<usize, ConnectorError> {
        let total = reply.headers.get("x-wp-total").and_then(|total| total.trim().parse().ok());
        total.ok_or_else(|| self.strange("a list without `X-WP-Total`, so that nobody can tell whether it is whole"))
    }

    /// A user as somebody is shown it who may edit it; anything less would pass for empty attributes.
    fn full(&self, user: &Json) -> Result<Account, ConnectorError> {
        reply::account(self.wire.system(), user, &self.server).ok_or_else(|| {
            let refusal = Refusal::new(RefusalKind::Forbidden, NEEDS);
            ConnectorError::Refused { system: self.wire.system().clone(), refusal }
        })
    }

    fn refused(&self, answer: &Answer) -> ConnectorError {
        ConnectorError::Refused { system: self.wire.system().clone(), refusal: reply::refusal(answer) }
    }

    fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.wire.system().clone(), what: what.to_owned() }
    }
}

impl<'a> Sought<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let texts = wanted.holding.iter().map(|(name, texts)| (name, texts.each(str::to_lowercase))).collect();
        Self { ids: &wanted.ids, texts }
    }

    fn names(&self, account: &Account) -> bool {
        let held = |(name, texts): (&&AttributeName, &Texts)| {
            let text = account.attributes.get(*name).and_then(Value::as_text);
            text.is_some_and(|text| texts.contains(&text.to_lowercase()))
        };
        account.id.as_ref().is_some_and(|id| self.ids.contains(id)) || self.texts.iter().any(held)
    }
}

/// True where what is held is this text, whatever the letter case.
fn holds(held: Option<&str>, text: &str) -> bool {
    held.is_some_and(|held| held.to_lowercase() == text.to_lowercase())
}

/// True unless our account certainly may not change others. One that was given the right to read alone does not name it,
/// and the owner of a network of sites may have no rights of its own at all (section 3).
fn edits(me: &Json) -> bool {
    let rights = me.get("capabilities").and_then(Json::as_object).filter(|rights| !rights.is_empty());
    rights.is_none_or(|rights| rights.get("edit_users").and_then(Json::as_bool) == Some(true))
}

/// True where something is sought that only the list of everybody shows.
fn must_walk(wanted: &Wanted) -> bool {
    let mut texts = wanted.holding.iter().flat_map(|(name, texts)| texts.iter().map(move |text| (name, text)));
    texts.any(|(name, text)| !CAPABILITIES.lookups.contains(&name.as_str()) || searchable(text).is_empty())
}

/// How many requests asking for each takes.
fn look_ups(wanted: &Wanted) -> usize {
    wanted.ids.len().div_ceil(PAGE) + wanted.holding.values().map(Texts::len).sum::<usize>()
}

/// As much of a text as can be searched for: what WordPress keeps as entities or reads as wildcards is left out, and what
/// is found is compared with the whole.
fn searchable(text: &str) -> &str {
    let parts = text.split(['&', '<', '>', '"', '\'', '*', '\\']).map(str::trim);
    parts.max_by_key(|part| part.len()).unwrap_or_default()
}
