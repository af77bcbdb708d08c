//! Looking at Nextcloud's accounts: one by one by id, by its search, or all of them, whichever is less work
//! (`nextcloud.md` 3).
//!
//! Its search finds parts of ids, names and addresses, so what it finds is compared with the whole. Which of these it looks
//! at depends on the backend of each account, and nothing tells: whoever is sought by a name or an address that no account
//! known by id holds may be in one that the search passes over, so the list of everybody is read for it, unless an operator
//! says that the search is complete.
//!
//! Nobody tells how many accounts there are; so where the list need not be read it is only read as long as that is less than
//! asking for each, and who is not in it is asked for all the same: pages are cut from a list that goes on living.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;

use crate::{
    connector::{ConnectorError, Standing, pages::Pages},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::AccountsById,
        attribute::{AttributeName, Value},
        id::AccountId,
        refusal::{Refusal, RefusalKind},
        texts::Texts,
    },
    wire::{Reader, Reply},
};

use super::{
    calls::{USERS, address},
    foresee::{ADMIN, DELEGATED, EDITABLE, GROUP_ADMIN, PERSON, RIGHTS},
    membership::{self, GROUP},
    reply::{self, Answer, Matter},
    table::CAPABILITIES,
    value,
};

/// Who we are.
const ME: &str = "/ocs/v2.php/cloud/user";

/// The accounts on one page: each of them costs the server some work.
const PAGE: usize = 100;

/// Groups on one page; only their ids are told.
const GROUPS: usize = 500;

/// Requests under way at once.
const SIDE_BY_SIDE: usize = 4;

/// So many are asked for one by one, however many there are.
const FEW: usize = 20;

/// So many pages in a row may show nobody new.
const IDLE: usize = 2;

/// What helps where an account is not shown to us.
const HIDDEN: &str = "our account there may not see it: an administrator sees everybody, a group admin only the members of \
                      her groups, and a delegated one everybody but administrators";

/// One observation.
pub(super) struct Looker<'a> {
    wire: Reader<'a>,
    server: Arc<Facts>,
    /// The groups that matter.
    range: BTreeSet<String>,
}

/// What somebody wants to see; texts as Nextcloud keeps them, in lower case.
struct Sought<'a> {
    ids: &'a BTreeSet<AccountId>,
    texts: BTreeMap<&'a AttributeName, Texts>,
}

/// How far a list of users was read.
struct Place {
    offset: usize,
    read: Pages<AccountId>,
}

impl Default for Place {
    fn default() -> Self {
        Self { offset: 0, read: Pages::with_idle(IDLE) }
    }
}

/// What one account shows.
enum Shown {
    Somebody(Box<Account>),
    Nobody,
    /// There may be somebody, whom our account may not see.
    Hidden,
}

impl<'a> Looker<'a> {
    /// Something to look with at these groups' members, where nothing is known of the server.
    pub(super) fn new<'g>(wire: Reader<'a>, range: impl IntoIterator<Item = &'g str>) -> Self {
        Self { wire, server: Arc::default(), range: range.into_iter().map(str::to_owned).collect() }
    }

    /// Our own account, as it is shown to itself. The first request of all: where our credentials are wrong, it is the only
    /// one.
    async fn me(&self) -> Result<Json, ConnectorError> {
        let me = self.get(ME, &[]).await?;
        if me.get("id").is_some_and(Json::is_string) { Ok(me) } else { Err(self.strange("something that is no user")) }
    }

    /// Who we are and what is missing.
    pub(super) async fn standing(wire: Reader<'a>) -> Result<Standing, ConnectorError> {
        let looker = Self::new(wire, []);
        let me = looker.me().await?;
        let rights = rights(&me);
        let mut missing = Vec::new();
        let listed = looker.ask(USERS, &[("limit", "1")]).await?;
        let answer = Answer::from(&listed);
        let refusal = (!answer.is_yes()).then(|| reply::refusal(&answer, Matter::Look));
        match refusal {
            None => {}
            Some(refusal) if refusal.kind == RefusalKind::Forbidden => {
                missing.push(format!("reading and changing accounts: {}", refusal.reason));
            }
            Some(_) => return Err(looker.refused(&answer)),
        }
        if rights == GROUP_ADMIN {
            missing.push("accounts outside of the groups that our account there is an admin of".to_owned());
        }
        let id = me.get("id").and_then(Json::as_str).unwrap_or_default();
        let label = match rights {
            ADMIN => "administrator",
            GROUP_ADMIN => "group admin",
            _ if missing.is_empty() => "administrator of users",
            _ => "no administrator",
        };
        // The version stands in another interface.
        Ok(Standing { server: "Nextcloud".to_owned(), we_are: format!("{id} ({label})"), missing })
    }

    /// The account whose own token the reader carries.
    pub(super) async fn observe_self(wire: Reader<'a>) -> Result<Observed, ConnectorError> {
        let mut looker = Self::new(wire, []);
        let me = looker.me().await?;
        let mut facts = facts(&me);
        facts.insert("credential".to_owned(), "own".into());
        let id = me.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        let place = address(&id).map(|path| path.replacen(USERS, "/ocs/v2.php/cloud/user/fields", 1));
        if let Some(place) = place {
            let fields = looker.get(&place, &[]).await?;
            let fields = reply::texts(&fields).ok_or_else(|| looker.strange("something that is no list of fields"))?;
            facts.insert(EDITABLE.to_owned(), Value::text(&fields.join(" ")));
        }
        let groups = me.get("groups").and_then(reply::texts).unwrap_or_default();
        looker.range = groups.iter().map(|group| (*group).to_owned()).collect();
        facts.extend(groups.iter().map(|group| (membership::fact(group), Value::text(group))));
        looker.server = Arc::new(facts);
        let account = looker.read(&me)?.ok_or_else(|| looker.strange("only part of our own account"))?;
        Ok(Observed { accounts: vec![account].into(), server: looker.server, ..Observed::default() })
    }

    /// Who we are and what we may do.
    pub(super) async fn arrive(wire: Reader<'a>) -> Result<Facts, ConnectorError> {
        let looker = Self::new(wire, []);
        let me = looker.me().await?;
        let mut facts = facts(&me);
        if rights(&me) == PERSON {
            // Somebody to whom the administration of users was delegated carries no mark; whoever was given nothing is
            // refused here.
            looker.get(USERS, &[("limit", "1")]).await?;
            facts.insert(RIGHTS.to_owned(), DELEGATED.into());
        }
        Ok(facts)
    }

    /// The accounts somebody needs, at a server of which this is known. `searches_all`: the search passes nobody over.
    pub(super) async fn observe(
        wire: Reader<'a>,
        wanted: &Wanted,
        mut facts: Facts,
        searches_all: bool,
    ) -> Result<Observed, ConnectorError> {
        let set = membership::set(wire.system());
        let range = wanted.members.get(&set).into_iter().flatten().map(String::as_str);
        let mut looker = Self::new(wire, range);
        let names: BTreeSet<&str> = wanted.names(GROUP, &set).filter(|name| !name.is_empty()).collect();
        let asked: Vec<_> = names.iter().map(|name| looker.has_group(name)).collect();
        let there: Vec<bool> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        let there = names.iter().zip(there).filter(|(_, is_there)| *is_there);
        facts.extend(there.map(|(name, _)| (membership::fact(name), Value::text(name))));
        looker.server = Arc::new(facts);
        let sought = Sought::of(wanted);
        let mut found = AccountsById::default();
        let needs_all = sought.needs_all();
        let (mut is_whole, mut place) = (false, Place::default());
        if needs_all || (!wanted.fresh && wanted.len() > FEW) {
            is_whole = looker.walk(&sought, needs_all, &mut place, &mut found).await?;
        }
        let hidden = looker.look_up(&sought, &mut found).await?;
        let count = hidden.len();
        if !is_whole && !searches_all && sought.open(&found).any(|(name, _)| is_passed_over(name)) {
            is_whole = looker.walk(&sought, true, &mut place, &mut found).await?;
        }
        looker.search(&sought, is_whole, &mut found).await?;
        let warnings = (count > 0).then(|| {
            let (accounts, are) = if count == 1 { ("account", "is") } else { ("accounts", "are") };
            format!("{count} {accounts} asked for by id {are} not shown to our account there")
        });
        Ok(Observed {
            accounts: found.into_accounts(),
            server: looker.server,
            warnings: warnings.into_iter().collect(),
            hidden: hidden.into_iter().map(|id| (id, Refusal::new(RefusalKind::Forbidden, HIDDEN))).collect(),
        })
    }

    /// One account by its id, as it is now.
    pub(super) async fn account(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        match self.one(id.as_str()).await? {
            Shown::Somebody(account) => Ok(Some(*account)),
            Shown::Nobody | Shown::Hidden => Ok(None),
        }
    }

    async fn one(&self, id: &str) -> Result<Shown, ConnectorError> {
        let Some(path) = address(id) else { return Ok(Shown::Nobody) };
        let reply = self.ask(&path, &[]).await?;
        let answer = Answer::from(&reply);
        if answer.is_nobody() {
            return Ok(Shown::Nobody);
        }
        if answer.is_hidden() {
            return Ok(Shown::Hidden);
        }
        if !answer.is_yes() {
            return Err(self.refused(&answer));
        }
        match self.read(&answer.data)? {
            // Ids are looked up in any letter case, and shown in their own.
            Some(account) if account.id.as_ref().is_none_or(|it| it.as_str().to_lowercase() != id.to_lowercase()) => {
                Err(self.strange("another account than the one that was asked for"))
            }
            Some(account) => Ok(Shown::Somebody(Box::new(account))),
            None => Err(self.strange("only part of an account")),
        }
    }

    /// Reads the list of everybody from there on, to its end or for as long as that is less work than asking for each. True
    /// where it was read to its end.
    async fn walk(
        &self,
        sought: &Sought<'_>,
        to_its_end: bool,
        place: &mut Place,
        found: &mut AccountsById,
    ) -> Result<bool, ConnectorError> {
        let most = if to_its_end { usize::MAX } else { sought.len() };
        for _ in 0..most {
            let (count, accounts) = self.page("", place.offset).await?;
            if count == 0 {
                return Ok(true);
            }
            self.turn(place, count, &accounts)?;
            found.extend(accounts.into_iter().filter(|account| sought.names(account)));
        }
        Ok(false)
    }

    /// Asks for each id that is not found yet. Tells which are hidden.
    async fn look_up(
        &self,
        sought: &Sought<'_>,
        found: &mut AccountsById,
    ) -> Result<BTreeSet<AccountId>, ConnectorError> {
        let missing: Vec<&AccountId> = sought.ids.iter().filter(|id| !found.contains(id)).collect();
        let asked: Vec<_> = missing.iter().map(|id| self.one(id.as_str())).collect();
        let shown: Vec<Shown> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        let ids: Vec<AccountId> = missing.into_iter().cloned().collect();
        let mut hidden = BTreeSet::new();
        for (id, shown) in ids.into_iter().zip(shown) {
            match shown {
                Shown::Somebody(account) => found.insert(&account),
                Shown::Nobody => {}
                Shown::Hidden => {
                    hidden.insert(id);
                }
            }
        }
        Ok(hidden)
    }

    /// Searches for whoever holds what is sought. Of addresses and names there may be more than one holder, all of whom are
    /// known where the list was read whole.
    async fn search(
        &self,
        sought: &Sought<'_>,
        is_whole: bool,
        found: &mut AccountsById,
    ) -> Result<(), ConnectorError> {
        let open: BTreeSet<(&AttributeName, &str)> = sought.open(found).collect();
        let texts: Vec<(&AttributeName, &str)> =
            sought.all().filter(|text| open.contains(text) || (!is_whole && is_passed_over(text.0))).collect();
        let asked: Vec<_> = texts.iter().map(|(name, text)| self.holders(name, text)).collect();
        let holders: Vec<Vec<Account>> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        found.extend(holders.into_iter().flatten());
        Ok(())
    }

    /// Who holds a text, whatever the letter case.
    async fn holders(&self, name: &AttributeName, text: &str) -> Result<Vec<Account>, ConnectorError> {
        if !CAPABILITIES.lookups.contains(&name.as_str()) {
            // Only the list of everybody tells, and that was read.
            return Ok(Vec::new());
        }
        if name.as_str() == "username"
            && let Shown::Somebody(account) = self.one(text).await?
        {
            return Ok(vec![*account]);
        }
        let (mut holders, mut place) = (Vec::new(), Place::default());
        loop {
            let (count, accounts) = self.page(text, place.offset).await?;
            // A page that is not full may be one of several backends, so only an empty one is the end.
            if count == 0 {
                return Ok(holders);
            }
            self.turn(&mut place, count, &accounts)?;
            holders.extend(accounts.into_iter().filter(|account| holds(account, name, text)));
        }
    }

    /// Takes note of a page.
    fn turn(&self, place: &mut Place, count: usize, accounts: &[Account]) -> Result<(), ConnectorError> {
        place.offset += count;
        let ids = accounts.iter().filter_map(|account| account.id.clone());
        place.read.turn(ids).map_err(|what| self.strange(what))
    }

    /// One page of accounts, and how many are on it. Who could not be loaded with the others is asked for alone.
    async fn page(&self, search: &str, offset: usize) -> Result<(usize, Vec<Account>), ConnectorError> {
        let (limit, offset) = (PAGE.to_string(), offset.to_string());
        let query = [("search", search), ("limit", limit.as_str()), ("offset", offset.as_str())];
        let data = self.get(&format!("{USERS}/details"), &query).await?;
        let users = match &data["users"] {
            Json::Object(users) => users,
            // What is empty is a list, whatever it would be otherwise.
            Json::Array(users) if users.is_empty() => return Ok((0, Vec::new())),
            _ => return Err(self.strange("something that is no list of users")),
        };
        let mut accounts = Vec::new();
        for (id, user) in users {
            match self.read(user)? {
                Some(account) => accounts.push(account),
                None => {
                    if let Shown::Somebody(account) = self.one(id).await? {
                        accounts.push(*account);
                    }
                }
            }
        }
        Ok((users.len(), accounts))
    }

    /// Whether there is a group with this id that our account can see.
    async fn has_group(&self, name: &str) -> Result<bool, ConnectorError> {
        let limit = GROUPS.to_string();
        let (mut offset, mut read) = (0, Pages::default());
        loop {
            let place = offset.to_string();
            let query = [("search", name), ("limit", limit.as_str()), ("offset", place.as_str())];
            let data = self.get("/ocs/v2.php/cloud/groups", &query).await?;
            let groups = reply::texts(&data["groups"]);
            let groups = groups.ok_or_else(|| self.strange("something that is no list of groups"))?;
            if groups.contains(&name) {
                return Ok(true);
            }
            if groups.is_empty() {
                return Ok(false);
            }
            offset += groups.len();
            read.turn(groups.into_iter().map(str::to_owned)).map_err(|what| self.strange(what))?;
        }
    }

    /// A user as an account; `None` for one that was not loaded.
    fn read(&self, user: &Json) -> Result<Option<Account>, ConnectorError> {
        if !user.is_object() {
            return Err(self.strange("something that is no user"));
        }
        let range = self.range.iter().map(String::as_str);
        Ok(reply::account(self.wire.system(), user, &self.server, range))
    }

    /// The data of a yes.
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Json, ConnectorError> {
        let answer = Answer::from(&self.ask(path, query).await?);
        if answer.is_yes() { Ok(answer.data) } else { Err(self.refused(&answer)) }
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Reply, ConnectorError> {
        Ok(self.wire.get(path, query).await?)
    }

    fn refused(&self, answer: &Answer) -> ConnectorError {
        if answer.is_unclear() {
            return self.strange("something that is not Nextcloud's own: is `url` right, and what stands in between?");
        }
        let refusal = reply::refusal(answer, Matter::Look);
        ConnectorError::Refused { system: self.wire.system().clone(), refusal }
    }

    fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.wire.system().clone(), what: what.to_owned() }
    }
}

impl<'a> Sought<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let kept = |name: &AttributeName, text: &str| {
            let value = value::normal(name.local(), &Value::text(text));
            value.as_text().unwrap_or_default().to_lowercase()
        };
        let texts = wanted.holding.iter();
        let texts = texts.map(|(name, texts)| (name, texts.each(|text| kept(name, text)))).collect();
        Self { ids: &wanted.ids, texts }
    }

    fn len(&self) -> usize {
        self.ids.len() + self.texts.values().map(Texts::len).sum::<usize>()
    }

    /// Every text that is sought.
    fn all(&self) -> impl Iterator<Item = (&'a AttributeName, &str)> {
        let texts = self.texts.iter().flat_map(|(name, texts)| texts.iter().map(|text| (*name, text)));
        texts.filter(|(_, text)| !text.is_empty())
    }

    /// Those that nobody of these holds.
    fn open(&self, found: &AccountsById) -> impl Iterator<Item = (&'a AttributeName, &str)> {
        let held = |name: &AttributeName| -> BTreeSet<String> {
            let texts = found.iter().filter_map(|account| account.text(name));
            texts.map(str::to_lowercase).collect()
        };
        let held: BTreeMap<&AttributeName, BTreeSet<String>> =
            self.texts.keys().map(|name| (*name, held(name))).collect();
        self.all().filter(move |(name, text)| !held.get(name).is_some_and(|held| held.contains(*text)))
    }

    /// True where something is sought that cannot be searched for.
    fn needs_all(&self) -> bool {
        let mut sought = self.texts.iter().filter(|(_, texts)| !texts.is_empty());
        sought.any(|(name, _)| !CAPABILITIES.lookups.contains(&name.as_str()))
    }

    fn names(&self, account: &Account) -> bool {
        let holds = |(name, texts): (&&AttributeName, &Texts)| {
            let held = account.attributes.get(*name).and_then(Value::as_text);
            held.is_some_and(|held| texts.contains(&held.to_lowercase()))
        };
        account.id.as_ref().is_some_and(|id| self.ids.contains(id)) || self.texts.iter().any(holds)
    }
}

/// True for what a search may not look at, of accounts of some backends. An id is read where the account is.
fn is_passed_over(name: &AttributeName) -> bool {
    name.as_str() != "username"
}

/// True where the account holds this text, whatever the letter case.
fn holds(account: &Account, attribute: &AttributeName, text: &str) -> bool {
    let held = account.attributes.get(attribute).and_then(Value::as_text);
    held.is_some_and(|held| held.to_lowercase() == text.to_lowercase())
}

/// What is known of the server and of us.
fn facts(me: &Json) -> Facts {
    let id = me.get("id").and_then(Json::as_str).unwrap_or_default();
    Facts::from([("me".to_owned(), Value::text(id)), (RIGHTS.to_owned(), rights(me).into())])
}

/// What our account may do, as far as it carries a mark of it.
fn rights(me: &Json) -> &'static str {
    let groups = me.get("groups").and_then(reply::texts).unwrap_or_default();
    let leads = me.get("subadmin").and_then(reply::texts).unwrap_or_default();
    if groups.contains(&membership::ADMINISTRATORS) {
        ADMIN
    } else if leads.is_empty() {
        PERSON
    } else {
        GROUP_ADMIN
    }
}
