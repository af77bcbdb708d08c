//! Looking at GitLab's accounts, one by one or all of them, whichever is less work (`gitlab.md` 1.3 and section 2).
//!
//! GitLab answers questions about one username or one address only, so these travel in the query of a read; there is no
//! other way to ask. A walk over all accounts asks for nobody in particular.

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
        Ok(Observed { accounts: vec![account].into(), server, warnings: Vec::new() })
    }

    /// The accounts somebody needs, on a server of which this is known.
    pub(super) async fn observe(mut self, wanted: &Wanted, server: Facts) -> Result<Observed, ConnectorError> {
        self.server = Arc::new(server);
        let sought = Sought::of(wanted);
        let mut found = Found::default();
        let must_walk = needs_all(wanted);
        if !(must_walk || may_pay(wanted)) || !self.walk(&sought, wanted.len(), must_walk, &mut found).await? {
            let ids = wanted.ids.iter().filter(|id| !found.accounts.contains(id)).cloned().map(Look::Id);
            self.look_up(ids.collect(), &mut found).await?;
            let names = wanted.texts("username").filter(|name| !found.usernames.contains(&name.to_lowercase()));
            self.look_up(names.map(|name| Look::Username(name.to_owned())).collect(), &mut found).await?;
        }
        // An address that is nobody's primary one may still be somebody's secondary one, which no list shows but a
        // search finds: it is taken all the same.
        let addresses = wanted.texts("email").filter(|address| !found.addresses.contains(&address.to_lowercase()));
        self.look_up(addresses.map(|address| Look::Address(address.to_owned())).collect(), &mut found).await?;
        Ok(Observed { accounts: found.accounts.into_accounts(), server: self.server, warnings: Vec::new() })
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
            404 if reply.json().is_some() => Ok(None),
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
    /// The first page is that of the newest: it tells how many there are, or at least the highest id there is. What lies
    /// between is read from the beginning.
    async fn walk(
        &self,
        sought: &Sought<'_>,
        look_ups: usize,
        to_its_end: bool,
        found: &mut Found,
    ) -> Result<bool, ConnectorError> {
        let newest = [("per_page", "100"), ("order_by", "id"), ("sort", "desc")];
        let reply = self.get(USERS, &newest).await?;
        let users: Vec<Json> = self.read(&reply)?;
        self.keep(&users, sought, found)?;
        if users.len() < PAGE && reply.headers.get("link").and_then(|link| next_page(link)).is_none() {
            return Ok(true);
        }
        let ids = || users.iter().filter_map(|user| user.get("id")?.as_u64());
        let (Some(known), Some(highest)) = (ids().min(), ids().max()) else {
            return Err(self.strange("users without ids"));
        };
        // Above 10,000 accounts the total is left out (1.3); the highest id is then at least as high.
        let total = reply.headers.get("x-total").and_then(|total| total.trim().parse().ok());
        let total = total.unwrap_or_else(|| usize::try_from(highest).unwrap_or(usize::MAX));
        if !to_its_end && !walk_is_less(total - PAGE.min(total), look_ups) {
            return Ok(false);
        }
        let first = [("pagination", "keyset"), ("order_by", "id"), ("sort", "asc"), ("per_page", "100")];
        let mut query: Vec<(String, String)> = first.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut last = 0;
        loop {
            let pairs: Vec<(&str, &str)> = query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let reply = self.get(USERS, &pairs).await?;
            let users: Vec<Json> = self.read(&reply)?;
            let ids = users.iter().filter_map(|user| user.get("id").and_then(Json::as_u64));
            match (ids.max(), reply.headers.get("link").and_then(|link| next_page(link))) {
                // A proxy that drops part of the query would send us round for ever.
                (Some(highest), _) if highest <= last => {
                    return Err(self.strange("the same page again instead of the next"));
                }
                (highest, next) => {
                    self.keep(&users, sought, found)?;
                    match (highest, next) {
                        (Some(highest), Some(next)) if highest + 1 < known => (last, query) = (highest, next),
                        _ => return Ok(true),
                    }
                }
            }
        }
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
                Ok(vec![self.full(&self.read(&reply)?)?])
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
                let mut holders = Vec::new();
                for user in &users {
                    let mut account = self.full(user)?;
                    if !same(user.get("email"), address) {
                        // Found by a name that looks like an address, or else by an address that is not shown.
                        let name = user.get("name").and_then(Json::as_str).unwrap_or_default();
                        if name.to_lowercase().contains(&address.to_lowercase()) || !address.contains('@') {
                            continue;
                        }
                        account.facts.insert("also_holds".to_owned(), Value::text(&address.to_lowercase()));
                    }
                    holders.push(account);
                }
                Ok(holders)
            }
        }
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
mod tests {
    use serde_json::json;

    use super::{super::served::Served, *};

    fn user(id: u64, username: &str, email: &str) -> Json {
        json!({ "id": id, "username": username, "name": username, "state": "active", "email": email, "is_admin": false })
    }

    fn wanted(ids: &[&str], usernames: &[&str], emails: &[&str]) -> Wanted {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Wanted {
            ids: ids.iter().map(|id| (*id).into()).collect(),
            holding: BTreeMap::from([
                (AttributeName::new("username"), texts(usernames)),
                (AttributeName::new("email"), texts(emails)),
            ]),
            ..Wanted::default()
        }
    }

    fn gitlab() -> Served {
        let served = Served::start();
        served.answer("/api/v4/user", 200, &json!({ "id": 1, "username": "root", "is_admin": true }));
        served.answer("/api/v4/version", 200, &json!({ "version": "17.11.1", "revision": "x" }));
        served
    }

    async fn observe(served: &Served, wanted: &Wanted) -> Result<Observed, ConnectorError> {
        let line = served.line();
        let looker = Looker::new(line.reader(), TokenKind::Personal);
        let facts = looker.server_facts().await?;
        looker.observe(wanted, facts).await
    }

    fn ids(observed: &Observed) -> Vec<&str> {
        observed.accounts.iter().filter_map(|account| account.id()).collect()
    }

    #[tokio::test]
    async fn a_few_accounts_are_looked_up_each() {
        let served = gitlab();
        served.answer("/api/v4/users/42", 200, &user(42, "anna", "anna@example.test"));
        served.answer("/api/v4/users/43", 404, &json!({ "message": "404 User Not Found" }));
        served.answer("/api/v4/users?username=Bea", 200, &json!([user(7, "bea", "bea@example.test")]));
        served.answer("/api/v4/users?username=nobody", 200, &json!([]));
        let similar = json!([user(9, "carl", "carl@example.test"), user(8, "c", "notcarl@example.test")]);
        served.answer("/api/v4/users?search=Carl%40example.test&per_page=100", 200, &similar);

        let asked = wanted(&["42", "43", "not/an/id"], &["Bea", "nobody"], &["Carl@example.test", "ANNA@example.test"]);
        let observed = observe(&served, &asked).await.unwrap();

        assert_eq!(ids(&observed), ["42", "7", "8", "9"]);
        let known = Facts::from([("me".to_owned(), "1".into()), ("version".to_owned(), "17.11.1".into())]);
        assert_eq!(*observed.server, known);
        assert_eq!(*observed.accounts.get(0).unwrap().account().server, known);
        // Anna was found by her id, so nobody asked for her address.
        assert!(!served.requests().iter().any(|request| request.contains("ANNA")), "{:?}", served.requests());
    }

    #[tokio::test]
    async fn a_secondary_address_is_told_and_a_name_that_looks_like_one_is_not() {
        let served = gitlab();
        let holder = user(7, "anna", "new@example.test");
        let mut namesake = user(8, "bea", "bea@example.test");
        namesake["name"] = "Old@example.test".into();
        served.answer("/api/v4/users?search=old%40example.test&per_page=100", 200, &json!([holder, namesake]));
        served.answer("/api/v4/users?search=older%40example.test&per_page=100", 200, &json!([holder]));

        let asked = wanted(&[], &[], &["old@example.test", "older@example.test"]);
        let observed = observe(&served, &asked).await.unwrap();

        assert_eq!(ids(&observed), ["7"]);
        assert_eq!(
            observed.accounts.get(0).unwrap().account().fact("also_holds"),
            Some("old@example.test older@example.test")
        );
        let email = observed.accounts.get(0).unwrap().account().value(&AttributeName::new("email"));
        assert_eq!(email, Value::text("new@example.test"));
    }

    #[tokio::test]
    async fn many_accounts_are_read_page_by_page_on_the_host_we_know() {
        let served = gitlab();
        let people = |from: u64, to: u64| -> Json {
            (from..=to).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect()
        };
        let newest = "/api/v4/users?per_page=100&order_by=id&sort=desc";
        served.answer_with(newest, 200, &[("X-Total", "220")], &people(121, 220));
        let first = "/api/v4/users?pagination=keyset&order_by=id&sort=asc&per_page=100";
        let link = "<https://git.elsewhere.test/api/v4/users?pagination=keyset&id_after=100>; rel=\"next\", \
                    <https://git.elsewhere.test/api/v4/users?x=1>; rel=\"first\"";
        served.answer_with(first, 200, &[("Link", link)], &people(1, 100));
        let link = "<https://git.elsewhere.test/api/v4/users?pagination=keyset&id_after=200>; rel=\"next\"";
        served.answer_with("/api/v4/users?pagination=keyset&id_after=100", 200, &[("Link", link)], &people(101, 200));
        served.answer(
            "/api/v4/users?search=taken%40example.test&per_page=100",
            200,
            &json!([user(3, "p3", "p3@example.test")]),
        );

        let usernames: Vec<String> = (96..=105).map(|n| format!("P{n}")).collect();
        let usernames: Vec<&str> = usernames.iter().map(String::as_str).collect();
        let asked = wanted(&["2", "119"], &usernames, &["p110@example.test", "taken@example.test"]);
        let observed = observe(&served, &asked).await.unwrap();

        let expected = ["100", "101", "102", "103", "104", "105", "110", "119", "2", "3", "96", "97", "98", "99"];
        assert_eq!(ids(&observed), expected);
        assert_eq!(served.requests().len(), 6, "{:?}", served.requests());
    }

    #[tokio::test]
    async fn what_cannot_be_looked_up_is_found_by_walking() {
        let served = gitlab();
        let newest = "/api/v4/users?per_page=100&order_by=id&sort=desc";
        served.answer(newest, 200, &json!([user(5, "anna", "a@example.test"), user(6, "bea", "b@example.test")]));
        let names = BTreeSet::from(["Bea".to_owned()]);
        let asked = Wanted {
            holding: BTreeMap::from([(AttributeName::new("display_name"), names.into())]),
            ..Wanted::default()
        };
        assert_eq!(ids(&observe(&served, &asked).await.unwrap()), ["6"]);
    }

    #[tokio::test]
    async fn a_walk_that_goes_round_ends() {
        let served = gitlab();
        let newest: Json = (900..1000).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect();
        served.answer("/api/v4/users?per_page=100&order_by=id&sort=desc", 200, &newest);
        let first = "/api/v4/users?pagination=keyset&order_by=id&sort=asc&per_page=100";
        let link = "<http://x/api/v4/users>; rel=\"next\"";
        served.answer_with(first, 200, &[("Link", link)], &json!([user(5, "anna", "a@example.test")]));
        served.answer_with("/api/v4/users", 200, &[("Link", link)], &json!([user(5, "anna", "a@example.test")]));
        let names = BTreeSet::from(["Bea".to_owned()]);
        let asked = Wanted {
            holding: BTreeMap::from([(AttributeName::new("display_name"), names.into())]),
            ..Wanted::default()
        };
        let error = observe(&served, &asked).await.unwrap_err();
        assert_eq!(error.to_string(), "gitlab answered the same page again instead of the next");
    }

    #[tokio::test]
    async fn without_an_administrators_view_nothing_is_read() {
        let served = Served::start();
        served.answer("/api/v4/user", 200, &json!({ "id": 1, "username": "x" }));
        let error = observe(&served, &Wanted::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("gitlab refused to be read (forbidden: {})", reply::NEEDS));

        let served = gitlab();
        served.answer("/api/v4/users/42", 200, &json!({ "id": 42, "username": "anna", "state": "active" }));
        let error = observe(&served, &wanted(&["42"], &[], &[])).await.unwrap_err();
        assert_eq!(error.to_string(), format!("gitlab refused to be read (forbidden: {})", reply::NEEDS));
    }

    #[tokio::test]
    async fn half_an_answer_is_no_answer() {
        let served = gitlab();
        served.answer("/api/v4/users/42", 200, &user(42, "anna", "anna@example.test"));
        served.answer("/api/v4/users?username=bea", 403, &json!({ "error": "insufficient_scope", "scope": "api" }));
        let error = observe(&served, &wanted(&["42"], &["bea"], &[])).await.unwrap_err();
        let expected =
            "gitlab refused to be read (forbidden: the token's scope is too small: it needs the scope `api`)";
        assert_eq!(error.to_string(), expected);
    }

    #[tokio::test]
    async fn another_server_is_told_by_its_answers() {
        let served = Served::start();
        let error = observe(&served, &Wanted::default()).await.unwrap_err();
        let expected = "gitlab refused to be read (not_found: GitLab has nothing at this address: is `url` right?)";
        assert_eq!(error.to_string(), expected);
        served.answer("/api/v4/user", 200, &json!({ "hello": 1 }));
        let error = observe(&served, &Wanted::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "gitlab answered something that is no user: is `url` a GitLab's?");
    }

    #[tokio::test]
    async fn our_standing_names_what_is_missing() {
        let served = gitlab();
        served.answer("/api/v4/users?per_page=1", 200, &json!([user(1, "root", "r@example.test")]));
        let line = served.line();
        let standing = Looker::new(line.reader(), TokenKind::Personal).standing().await.unwrap();
        let good = Standing {
            server: "GitLab 17.11.1".to_owned(),
            we_are: "root (administrator)".to_owned(),
            missing: Vec::new(),
        };
        assert_eq!(standing, good);

        served.answer("/api/v4/personal_access_tokens/self", 200, &json!({ "scopes": ["read_api", "read_user"] }));
        served.answer("/api/v4/users?per_page=1", 200, &json!([{ "id": 1, "username": "root", "state": "active" }]));
        let standing = Looker::new(line.reader(), TokenKind::Personal).standing().await.unwrap();
        let missing = vec![
            format!("reading and changing accounts: {}", reply::NEEDS),
            "changing accounts: the token's scope is too small, it needs the scope `api`".to_owned(),
        ];
        assert_eq!(standing, Standing { missing, ..good });

        served.answer("/oauth/token/info", 200, &json!({ "scope": ["api"] }));
        served.answer("/api/v4/user", 200, &json!({ "id": 9, "username": "anna", "is_admin": false }));
        let standing = Looker::new(line.reader(), TokenKind::Oauth).standing().await.unwrap();
        assert_eq!(standing.we_are, "anna (no administrator)");
        assert_eq!(standing.missing.len(), 1);
    }

    #[test]
    fn a_walk_pays_where_pages_are_fewer_than_look_ups() {
        assert!(walk_is_less(120, 2));
        assert!(!walk_is_less(201, 2));
        assert!(!walk_is_less(usize::MAX, 1_000_000));
        let ids = |count: usize, highest: usize| {
            let ids = (highest - count..highest).map(|id| AccountId::from((id + 1).to_string()));
            Wanted { ids: ids.collect(), ..Wanted::default() }
        };
        assert!(!may_pay(&ids(8, 10)), "a few are asked for anyhow");
        assert!(may_pay(&ids(10, 10)));
        assert!(!may_pay(&ids(10, 1_000)), "as many pages at least");
        assert!(may_pay(&ids(20, 1_000)));
        assert!(may_pay(&wanted(&[], &["a", "b", "c", "d", "e", "f", "g", "h", "i"], &[])), "nobody knows");
    }

    #[tokio::test]
    async fn where_the_first_page_shows_too_many_each_is_asked_for() {
        let served = gitlab();
        let newest: Json = (5_901..=6_000).map(|n| user(n, &format!("p{n}"), &format!("p{n}@example.test"))).collect();
        served.answer("/api/v4/users?per_page=100&order_by=id&sort=desc", 200, &newest);
        let names: Vec<String> = (5_991..=6_010).map(|n| format!("p{n}")).collect();
        for name in &names[10..] {
            served.answer(&format!("/api/v4/users?username={name}"), 200, &json!([]));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let observed = observe(&served, &wanted(&[], &names, &[])).await.unwrap();
        assert_eq!(ids(&observed).len(), 10);
        assert_eq!(served.requests().len(), 2 + 1 + 10, "{:?}", served.requests());
    }

    #[test]
    fn the_next_page_is_found_in_any_order_and_form_of_the_header() {
        let pairs = |query: &[(&str, &str)]| {
            Some(query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        let first = r#"<https://h/api/v4/users?page=1>; rel="first""#;
        let next = r#"<https://h/sub/api/v4/users?a=1%2C2&cursor=x%3D%3D&b=c,d>; rel="next""#;
        let expected = pairs(&[("a", "1,2"), ("cursor", "x=="), ("b", "c,d")]);
        assert_eq!(next_page(next), expected);
        assert_eq!(next_page(&format!("{first}, {next}")), expected);
        assert_eq!(next_page(&format!("{next}, {first}")), expected);
        assert_eq!(next_page("</users?id_after=7>; title=x; REL=next"), pairs(&[("id_after", "7")]));
        assert_eq!(next_page(r#"</users?id_after=7#top>; rel="last next""#), pairs(&[("id_after", "7")]));
        assert_eq!(next_page(r#"</users>; rel="next""#), pairs(&[]));
        for none in [first, "", "<", "<https://h/?a=1", "rel=next", r#"<https://h/?a=1>; rel="prev""#, "<a>; next"] {
            assert_eq!(next_page(none), None, "{none}");
        }
    }
}
