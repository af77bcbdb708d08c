//! Looking at GitLab's accounts, one by one or all of them, whichever is less work (`gitlab.md` 1.3 and section 2).
//!
//! GitLab answers questions about one username or one address only, so these travel in the query of a read; there is no
//! other way to ask. A walk over all accounts asks for nobody in particular.
//!
//! A walk may end early: a proxy that drops a header, or a page that comes back empty, makes a short list of a long one. So
//! it counts as whole only where nothing that it shows says otherwise, and who is missing from it is asked for by id: gone
//! is only whom GitLab does not know when asked for nobody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;

use crate::{
    connector::{ConnectorError, Standing, pages},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::AccountsById,
        attribute::{AttributeName, Value},
        id::{AccountId, SystemName},
        refusal::{Refusal, RefusalKind},
        texts::Texts,
    },
    wire::{Reader, Reply},
};

use super::{
    reply::{self, Answer},
    settings::TokenKind,
    table::CAPABILITIES,
};

/// Where users are listed and created.
pub(super) const USERS: &str = "/api/v4/users";

/// The most accounts GitLab puts on one page.
pub(super) const PAGE: usize = 100;

/// Look-ups under way at once.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// Up to so many look-ups nobody asks whether a walk would be less work.
const FEW: usize = 2 * SIDE_BY_SIDE;

/// How often a list that does not add up is read in all.
const WALKS: usize = 3;

/// The address of one user; `None` for an id that GitLab cannot have given.
pub(super) fn user_path(id: &AccountId) -> Option<String> {
    let id = id.as_str();
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{USERS}/{id}"))
}

/// One observation.
#[derive(Clone)]
pub(super) struct Looker<'a> {
    wire: Reader<'a>,
    token: TokenKind,
    server: Arc<Facts>,
}

/// One question about one account.
enum Look {
    Id(AccountId),
    Username(String),
    Address(String),
}

/// How far everybody was read.
enum Walked {
    Whole,
    /// There are more than were shown.
    Short,
    /// There are so many that asking for each is less work.
    TooFar,
}

/// What somebody wants to see, in lower case: GitLab compares names and addresses without regard to it.
struct Sought<'a> {
    ids: &'a BTreeSet<AccountId>,
    texts: BTreeMap<&'a AttributeName, Texts>,
}

/// The accounts found so far.
#[derive(Default)]
struct Found {
    accounts: AccountsById,
    /// Their usernames and primary addresses, in lower case.
    usernames: BTreeSet<String>,
    addresses: BTreeSet<String>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(wire: Reader<'a>, token: TokenKind) -> Self {
        Self { wire, token, server: Arc::default() }
    }

    /// The system at the other end.
    pub(super) fn system(&self) -> &SystemName {
        self.wire.system()
    }

    /// Who we are and what is missing.
    pub(super) async fn standing(&self) -> Result<Standing, ConnectorError> {
        let me = self.user(&self.get("/api/v4/user", &[]).await?)?;
        let version = self.version().await?.unwrap_or_else(|| "of unknown version".to_owned());
        let mut missing = Vec::new();
        let is_admin = is_admin(&me);
        // With Admin Mode on, an administrator is one only with the scope for it: seen by what lists show.
        let listed: Vec<Json> = self.read(&self.get(USERS, &[("per_page", "1")]).await?)?;
        if !is_admin || !listed.iter().all(reply::is_full) {
            missing.push(format!("reading and changing accounts: {}", reply::NEEDS));
        }
        if let Some(scopes) = self.scopes().await?
            && !scopes.contains("api")
        {
            missing.push("changing accounts: the token's scope is too small, it needs the scope `api`".to_owned());
        }
        let username = me.get("username").and_then(Json::as_str).unwrap_or("?");
        let rank = if is_admin { "administrator" } else { "no administrator" };
        Ok(Standing { server: format!("GitLab {version}"), we_are: format!("{username} ({rank})"), missing })
    }

    /// The account whose own token the wire carries (`gitlab.md` section 2: `GET /user` answers whoever asks).
    pub(super) async fn own(&self) -> Result<Observed, ConnectorError> {
        let me = self.user(&self.get("/api/v4/user", &[]).await?)?;
        let id = me.get("id").and_then(Json::as_u64).unwrap_or_default().to_string();
        let mut server = Facts::from([("credential".to_owned(), "own".into()), ("me".to_owned(), Value::text(&id))]);
        if let Some(kind) = self.wire.own_token() {
            server.insert("token_kind".to_owned(), kind.word().into());
        }
        let server = Arc::new(server);
        let account = reply::account(self.wire.system(), &me, &server);
        let account = account.ok_or_else(|| self.strange("a user without id or state"))?;
        Ok(Observed { accounts: vec![account].into(), server, ..Observed::default() })
    }

    /// The accounts somebody needs, on a server of which this is known.
    pub(super) async fn observe(mut self, wanted: &Wanted, server: Facts) -> Result<Observed, ConnectorError> {
        self.server = Arc::new(server);
        let sought = Sought::of(wanted);
        let mut found = Found::default();
        let must_walk = needs_all(wanted);
        let walked =
            (must_walk || may_pay(wanted)) && self.read_all(&sought, wanted.len(), must_walk, &mut found).await?;
        // Who is in no list is gone only where GitLab says so when asked for nobody else.
        let missing: Vec<AccountId> = wanted.ids.iter().filter(|id| !found.accounts.contains(id)).cloned().collect();
        self.look_up(missing.iter().cloned().map(Look::Id).collect(), &mut found).await?;
        // A list that passed somebody over may pass over others.
        if !walked || missing.iter().any(|id| found.accounts.contains(id)) {
            let names = wanted.texts("username").filter(|name| !found.usernames.contains(&name.to_lowercase()));
            self.look_up(names.map(|name| Look::Username(name.to_owned())).collect(), &mut found).await?;
        }
        // An address that is nobody's primary one may still be somebody's secondary one, which no list shows but a
        // search finds: it is taken all the same.
        let addresses = wanted.texts("email").filter(|address| !found.addresses.contains(&address.to_lowercase()));
        self.look_up(addresses.map(|address| Look::Address(address.to_owned())).collect(), &mut found).await?;
        Ok(Observed { accounts: found.accounts.into_accounts(), server: self.server, ..Observed::default() })
    }

    /// One account by its id; `None` where there is none.
    pub(super) async fn account(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        Ok(self.look(&Look::Id(id.clone())).await?.pop())
    }

    /// The accounts that hold this username, or this address as primary or secondary one.
    pub(super) async fn holders(&self, username: Option<&str>, address: Option<&str>) -> (Vec<Account>, Vec<Account>) {
        let ask = async |look: Option<Look>| match look {
            Some(look) => self.look(&look).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let username = ask(username.map(|name| Look::Username(name.to_owned()))).await;
        let address = ask(address.map(|address| Look::Address(address.to_owned()))).await;
        (username, address)
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, ConnectorError> {
        let reply = self.wire.get(path, query).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.refused(&reply)) }
    }

    /// What stands at an address; `None` where GitLab says itself that nothing does.
    pub(super) async fn there(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Reply>, ConnectorError> {
        let reply = self.wire.get(path, query).await?;
        match reply.status {
            404 if reply::is_own_no(reply.json().as_ref()) => Ok(None),
            _ if reply.is_success() => Ok(Some(reply)),
            _ => Err(self.refused(&reply)),
        }
    }

    fn refused(&self, reply: &Reply) -> ConnectorError {
        let mut refusal = reply::refusal(&Answer::from(reply), &Json::Null, self.token);
        if refusal.kind == RefusalKind::NotFound {
            "GitLab has nothing at this address: is `url` right?".clone_into(&mut refusal.reason);
        }
        ConnectorError::Refused { system: self.wire.system().clone(), refusal }
    }

    pub(super) fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.wire.system().clone(), what: what.to_owned() }
    }

    fn not_administrator(&self) -> ConnectorError {
        let refusal = Refusal::new(RefusalKind::Forbidden, reply::NEEDS);
        ConnectorError::Refused { system: self.wire.system().clone(), refusal }
    }

    pub(super) fn read<T: for<'de> serde::Deserialize<'de>>(&self, reply: &Reply) -> Result<T, ConnectorError> {
        reply.read().map_err(|_| self.strange("something that is not what was asked for: is `url` a GitLab's?"))
    }

    fn user(&self, reply: &Reply) -> Result<Json, ConnectorError> {
        let user: Json = self.read(reply)?;
        if user.get("id").is_some_and(Json::is_u64) {
            Ok(user)
        } else {
            Err(self.strange("something that is no user: is `url` a GitLab's?"))
        }
    }

    /// A user as an administrator is shown it; anything less would pass for empty attributes.
    fn full(&self, user: &Json) -> Result<Account, ConnectorError> {
        if !reply::is_full(user) {
            return Err(self.not_administrator());
        }
        reply::account(self.wire.system(), user, &self.server).ok_or_else(|| self.strange("a user without id or state"))
    }

    /// Who we are and what the server is like.
    pub(super) async fn server_facts(&self) -> Result<Facts, ConnectorError> {
        let me = self.user(&self.get("/api/v4/user", &[]).await?)?;
        if !is_admin(&me) {
            return Err(self.not_administrator());
        }
        let id = me.get("id").and_then(Json::as_u64).unwrap_or_default().to_string();
        let mut facts = Facts::from([("me".to_owned(), Value::text(&id))]);
        if let Some(version) = self.version().await? {
            facts.insert("version".to_owned(), Value::text(&version));
        }
        Ok(facts)
    }

    /// The version; `None` where GitLab does not tell, which is no reason to stop.
    async fn version(&self) -> Result<Option<String>, ConnectorError> {
        let reply = self.wire.get("/api/v4/version", &[]).await?;
        let told = reply.json().filter(|_| reply.is_success());
        Ok(told.and_then(|told| Some(told.get("version")?.as_str()?.to_owned())))
    }

    /// What the token may do, where GitLab tells: not every version and kind of token does.
    async fn scopes(&self) -> Result<Option<BTreeSet<String>>, ConnectorError> {
        let (path, key) = match self.token {
            TokenKind::Personal => ("/api/v4/personal_access_tokens/self", "scopes"),
            TokenKind::Oauth => ("/oauth/token/info", "scope"),
        };
        let reply = self.wire.get(path, &[]).await?;
        let told = reply.json().filter(|_| reply.is_success());
        Ok(told.and_then(|told| serde_json::from_value(told.get(key)?.clone()).ok()))
    }

    /// Reads everybody, unless the first page shows that asking for each is less work. True where everybody was read.
    ///
    /// Somebody who is deleted meanwhile makes a list too short as well, so it is read anew before it is not believed.
    async fn read_all(
        &self,
        sought: &Sought<'_>,
        look_ups: usize,
        to_its_end: bool,
        found: &mut Found,
    ) -> Result<bool, ConnectorError> {
        for _ in 0..WALKS {
            match self.walk(sought, (!to_its_end).then_some(look_ups), found).await? {
                Walked::Whole => return Ok(true),
                Walked::TooFar => return Ok(false),
                Walked::Short => {}
            }
        }
        if to_its_end {
            return Err(self.strange(
                "lists that do not add up, three times over: it shows fewer accounts than there are, or they come and go \
                 faster than they can be read",
            ));
        }
        Ok(false)
    }

    /// Reads everybody once, or nobody where the first page shows that it takes more than so many requests.
    ///
    /// The first page is that of the newest: it tells how many there are, or at least the highest id there is. What lies
    /// between is read from the beginning.
    async fn walk(
        &self,
        sought: &Sought<'_>,
        most: Option<usize>,
        found: &mut Found,
    ) -> Result<Walked, ConnectorError> {
        let newest = [("per_page", "100"), ("order_by", "id"), ("sort", "desc")];
        let reply = self.get(USERS, &newest).await?;
        let users: Vec<Json> = self.read(&reply)?;
        self.keep(&users, sought, found)?;
        let ids = numbers(&users);
        let told = reply.headers.get("x-total").and_then(|total| total.trim().parse::<usize>().ok());
        let is_short = |shown: usize| told.is_some_and(|told| shown < told);
        let (Some(known), Some(highest)) = (ids.first().copied(), ids.last().copied()) else {
            // We are one of them ourselves.
            return if users.is_empty() { Ok(Walked::Short) } else { Err(self.strange("users without ids")) };
        };
        let mut shown = ids.len();
        if users.len() < PAGE && reply.headers.get("link").and_then(|link| next_page(link)).is_none() {
            let me = self.server.get("me").and_then(Value::as_text).and_then(|me| me.parse::<u64>().ok());
            let is_whole = !is_short(shown) && me.is_none_or(|me| ids.contains(&me));
            return Ok(if is_whole { Walked::Whole } else { Walked::Short });
        }
        // Above 10,000 accounts the total is left out (1.3); the highest id is then at least as high.
        let total = told.unwrap_or_else(|| usize::try_from(highest).unwrap_or(usize::MAX));
        if most.is_some_and(|most| !walk_is_less(total - PAGE.min(total), most)) {
            return Ok(Walked::TooFar);
        }
        let first = [("pagination", "keyset"), ("order_by", "id"), ("sort", "asc"), ("per_page", "100")];
        let mut query: Vec<(String, String)> = first.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut last = 0;
        for _ in 0..pages::MOST {
            let pairs: Vec<(&str, &str)> = query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let reply = self.get(USERS, &pairs).await?;
            let users: Vec<Json> = self.read(&reply)?;
            let ids = numbers(&users);
            let Some(highest) = ids.last().copied() else { return Ok(Walked::Short) };
            // A proxy that drops part of the query would send us round for ever.
            if highest <= last {
                return Err(self.strange("the same page again instead of the next"));
            }
            self.keep(&users, sought, found)?;
            shown += ids.iter().filter(|id| (last + 1..known).contains(id)).count();
            if highest.saturating_add(1) >= known {
                return Ok(if is_short(shown) { Walked::Short } else { Walked::Whole });
            }
            // Without a next page this would be the last, yet higher ids were seen.
            let Some(next) = reply.headers.get("link").and_then(|link| next_page(link)) else {
                return Ok(Walked::Short);
            };
            (last, query) = (highest, next);
        }
        Err(self.strange("a list without an end"))
    }

    /// Keeps those of a page who are sought.
    fn keep(&self, users: &[Json], sought: &Sought<'_>, found: &mut Found) -> Result<(), ConnectorError> {
        for user in users {
            let account = self.full(user)?;
            if sought.names(&account) {
                found.add(account);
            }
        }
        Ok(())
    }

    async fn look_up(&self, looks: Vec<Look>, found: &mut Found) -> Result<(), ConnectorError> {
        let asked: Vec<_> = looks.iter().map(|look| self.look(look)).collect();
        let seen: Vec<Vec<Account>> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        seen.into_iter().flatten().for_each(|account| found.add(account));
        Ok(())
    }

    async fn look(&self, look: &Look) -> Result<Vec<Account>, ConnectorError> {
        match look {
            Look::Id(id) => {
                let Some(path) = user_path(id) else { return Ok(Vec::new()) };
                let Some(reply) = self.there(&path, &[]).await? else { return Ok(Vec::new()) };
                let user: Json = self.read(&reply)?;
                if user.get("id").and_then(Json::as_u64) != id.as_str().parse().ok() {
                    return Err(self.strange("another account than the one that was asked for"));
                }
                Ok(vec![self.full(&user)?])
            }
            Look::Username(name) => {
                let users: Vec<Json> = self.read(&self.get(USERS, &[("username", name)]).await?)?;
                let is_it = |user: &&Json| same(user.get("username"), name);
                users.iter().filter(is_it).map(|user| self.full(user)).collect()
            }
            Look::Address(address) => {
                // Exact matches come first (1.3), so what a page cuts off are similar names.
                let users: Vec<Json> =
                    self.read(&self.get(USERS, &[("search", address), ("per_page", "100")]).await?)?;
                let is_it = |user: &&Json| same(user.get("email"), address);
                if users.iter().any(|user| is_it(&user)) {
                    return users.iter().filter(is_it).map(|user| self.full(user)).collect();
                }
                Ok(self.further_holder(&users, address).await?.into_iter().collect())
            }
        }
    }

    /// Whoever of these holds the address beside the primary one. A search finds parts of names too, and something in
    /// between may leave out what is searched for; so what no field shows is asked for (`gitlab.md` 6).
    async fn further_holder(&self, users: &[Json], address: &str) -> Result<Option<Account>, ConnectorError> {
        let lower = address.to_lowercase();
        // Found by a name that looks like an address.
        let is_named_so = |user: &&Json| {
            let name = user.get("name").and_then(Json::as_str).unwrap_or_default();
            name.to_lowercase().contains(&lower)
        };
        let perhaps: Vec<&Json> = users.iter().filter(|user| !is_named_so(user)).collect();
        // An address has one holder: so many were not found by it.
        if !address.contains('@') || perhaps.len() > FEW {
            return Ok(None);
        }
        for user in perhaps {
            let mut account = self.full(user)?;
            if same(user.get("public_email"), address) || self.keeps(&account, address).await? {
                account.facts.insert("also_holds".to_owned(), Value::text(&lower));
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// True where the account's own list of addresses has this one.
    async fn keeps(&self, account: &Account, address: &str) -> Result<bool, ConnectorError> {
        let Some(path) = account.id.as_ref().and_then(user_path) else { return Ok(false) };
        let Some(reply) = self.there(&format!("{path}/emails"), &[("per_page", "100")]).await? else {
            return Ok(false);
        };
        let kept: Vec<Json> = self.read(&reply)?;
        Ok(kept.iter().any(|kept| same(kept.get("email"), address)))
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

impl Found {
    /// Adds an account. One that was found before keeps the secondary addresses it was found by.
    fn add(&mut self, mut account: Account) {
        let Some(id) = &account.id else { return };
        let lower = |name| account.value(&AttributeName::new(name)).as_text().map(str::to_lowercase);
        self.usernames.extend(lower("username"));
        self.addresses.extend(lower("email"));
        let held = self.accounts.get(id).and_then(|before| before.fact("also_holds")).map(str::to_owned);
        if let Some(held) = held {
            let both = match account.fact("also_holds") {
                Some(new) if !held.split(' ').any(|known| known == new) => format!("{held} {new}"),
                _ => held,
            };
            account.facts.insert("also_holds".to_owned(), Value::text(&both));
        }
        self.accounts.insert(&account);
    }
}

/// The ids on a page.
fn numbers(users: &[Json]) -> BTreeSet<u64> {
    users.iter().filter_map(|user| user.get("id").and_then(Json::as_u64)).collect()
}

fn is_admin(user: &Json) -> bool {
    user.get("is_admin").and_then(Json::as_bool) == Some(true)
}

/// True where the field holds this text, whatever the letter case.
fn same(field: Option<&Json>, text: &str) -> bool {
    field.and_then(Json::as_str).is_some_and(|held| held.to_lowercase() == text.to_lowercase())
}

/// True where something is sought that cannot be asked for.
fn needs_all(wanted: &Wanted) -> bool {
    let cannot_be_asked_for = |name: &AttributeName| !CAPABILITIES.lookups.contains(&name.as_str());
    wanted.holding.iter().any(|(name, texts)| cannot_be_asked_for(name) && !texts.is_empty())
}

/// True where reading everybody might be less work than asking for each, as far as that can be told without asking: ids
/// are given one after the other, so of those that are sought the highest says about how many there are.
fn may_pay(wanted: &Wanted) -> bool {
    let highest = wanted.ids.iter().filter_map(|id| id.as_str().parse::<usize>().ok()).max();
    wanted.len() > FEW && highest.is_none_or(|highest| walk_is_less(highest, wanted.len() - 1))
}

/// True where so many accounts are read in no more requests than so many look-ups are.
fn walk_is_less(total: usize, look_ups: usize) -> bool {
    total.div_ceil(PAGE) <= look_ups
}

/// The query of the next page from a `Link` header; `None` at the end. The header names the host GitLab is configured
/// with, which need not be the one we reach it by, so nothing but the query is taken from it.
fn next_page(link: &str) -> Option<Vec<(String, String)>> {
    let mut rest = link;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        if parameters.split([';', ',']).any(is_next) {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            let query = query.split('#').next().unwrap_or_default();
            return Some(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        }
        rest = after;
    }
    None
}

fn is_next(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(key, value)| {
        let words = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case("rel") && words.split_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
    })
}

#[cfg(test)]
mod tests;
