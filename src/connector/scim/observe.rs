//! Looking at a server's accounts: by id, by filter, or all of them, whichever is less work (RFC 7644 3.4).
//!
//! Lists lie. A server may put fewer on a page than was asked for, say a total that is not one, or cut its pages from a
//! list that goes on living. So each page begins behind what was really shown, and a list counts only where every page
//! told the same total and so many different accounts were seen; who is missing from it is asked for by id.

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
        id::AccountId,
        refusal::Refusal,
        texts::Texts,
    },
    wire::{Reader, Reply},
};

use super::{
    interface::{ACCEPTED, GROUPS, USERS, path},
    membership::{self, GROUP, Group, Groups},
    reply::{self, Answer},
    resource::{self, field},
    server::{self, Told},
    settings::Settings,
    table::{CAPABILITIES, Spot},
};

/// How many are asked for on one page.
const PAGE: &str = "100";

/// The same as a number.
const PAGE_SIZE: usize = 100;

/// Requests under way at once.
const SIDE_BY_SIDE: usize = 4;

/// How often a list that does not add up is read in all.
const WALKS: usize = 3;

/// The most look-ups in one filter, and the longest filter; more of them make the address too long for some.
const TERMS: usize = 40;
const LONGEST_FILTER: usize = 2000;

/// Up to so many ids nobody asks whether reading everybody would be less work.
const FEW: usize = 19;

/// One observation.
pub(super) struct Looker<'a> {
    wire: Reader<'a>,
    settings: &'a Settings,
    server: Arc<Facts>,
}

/// How lists are read page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paging {
    Index,
    Cursor,
}

impl Paging {
    /// Where the first page is.
    fn start(self) -> &'static str {
        match self {
            Self::Index => "1",
            Self::Cursor => "",
        }
    }
}

/// An account, and the version it has.
type Versioned = (Account, Option<String>);

/// Accounts that were found, and the versions of those for which that matters.
struct Found {
    accounts: AccountsById,
    versions: BTreeMap<AccountId, String>,
    /// Whether versions are kept.
    fresh: bool,
}

impl Found {
    fn new(wanted: &Wanted) -> Self {
        Self { accounts: AccountsById::default(), versions: BTreeMap::new(), fresh: wanted.fresh }
    }

    fn keep(&mut self, (account, version): Versioned) {
        self.accounts.insert(&account);
        let Some(id) = account.id.filter(|_| self.fresh) else { return };
        match version {
            Some(version) => self.versions.insert(id, version),
            None => self.versions.remove(&id),
        };
    }
}

/// Whether a filter was understood.
enum Filtered {
    Found(Vec<Json>),
    NotUnderstood,
}

impl<'a> Looker<'a> {
    /// Something to look with, for whoever needs to know nothing of the server.
    pub(super) fn new(wire: Reader<'a>, settings: &'a Settings) -> Self {
        Self { wire, settings, server: Arc::default() }
    }

    /// Finds out what the server is like.
    async fn arrive(wire: Reader<'a>, settings: &'a Settings) -> Result<(Self, Facts), ConnectorError> {
        let looker = Self::new(wire, settings);
        let told = Told {
            config: looker.told("/ServiceProviderConfig").await?,
            types: looker.told("/ResourceTypes").await?,
            schemas: looker.told("/Schemas").await?,
        };
        let facts = told.facts(settings);
        Ok((looker, facts))
    }

    /// What the server tells of itself at an address; `None` where it tells nothing. Some let nobody in there.
    async fn told(&self, path: &str) -> Result<Option<Json>, ConnectorError> {
        let reply = self.get(path, &[]).await?;
        match reply.status {
            403 | 404 | 405 | 501 => Ok(None),
            _ if reply.is_success() => {
                let told = reply.json().filter(|told| told.is_object() || told.is_array());
                told.map(|told| Some(server::gist(&told)))
                    .ok_or_else(|| self.strange("something that is no SCIM: is `url` the root of it?"))
            }
            _ => Err(self.refused(&reply)),
        }
    }

    /// Who we are and what is missing.
    pub(super) async fn standing(wire: Reader<'a>, settings: &'a Settings) -> Result<Standing, ConnectorError> {
        let (mut looker, facts) = Self::arrive(wire, settings).await?;
        looker.server = Arc::new(facts);
        let reply = looker.get(looker.users(), &[("startIndex", "1"), ("count", "1")]).await?;
        if !reply.is_success() {
            return Err(looker.refused(&reply));
        }
        looker.resources(&reply)?;
        let me = looker.get("/Me", &[]).await?;
        let name = me.json().filter(|_| me.is_success());
        let name = name.as_ref().and_then(|me| field(me, "userName")?.as_str());
        let mut missing = Vec::new();
        if looker.is("patch") == Some(false) && looker.is("groups") == Some(true) {
            missing.push("changing who is in a group: the server has no PATCH".to_owned());
        }
        Ok(Standing {
            server: "SCIM 2.0".to_owned(),
            we_are: name.unwrap_or("whomever the token is for").to_owned(),
            missing,
        })
    }

    /// What the server tells of itself.
    pub(super) async fn tell(wire: Reader<'a>, settings: &'a Settings) -> Result<Facts, ConnectorError> {
        Self::arrive(wire, settings).await.map(|(_, facts)| facts)
    }

    /// The accounts somebody needs, at a server that tells this of itself, and the versions of those that were looked at for a
    /// call.
    pub(super) async fn observe(
        wire: Reader<'a>,
        settings: &'a Settings,
        mut facts: Facts,
        wanted: &Wanted,
    ) -> Result<(Observed, BTreeMap<AccountId, String>), ConnectorError> {
        let mut looker = Self::new(wire, settings);
        looker.server = Arc::new(facts.clone());
        let groups = looker.groups(wanted).await?;
        groups.tell(&mut facts);
        looker.server = Arc::new(facts);
        let mut found = looker.wanted(wanted).await?;
        // Who is in no list is gone only where the server says so when asked for nobody else.
        let missing: Vec<_> = wanted.ids.iter().filter(|id| !found.accounts.contains(id)).collect();
        let asked: Vec<_> = missing.iter().map(|id| looker.versioned(id)).collect();
        let seen: Vec<Option<Versioned>> = stream::iter(asked).buffered(SIDE_BY_SIDE).try_collect().await?;
        seen.into_iter().flatten().for_each(|user| found.keep(user));
        let range = wanted.members.get(&membership::set(looker.wire.system())).cloned().unwrap_or_default();
        let Found { accounts, versions, .. } = found;
        let mut accounts = accounts.into_accounts();
        if !range.is_empty() {
            accounts.edit(|account| groups.show(account, &range));
        }
        Ok((Observed { accounts, server: looker.server, ..Observed::default() }, versions))
    }

    /// The account of whoever the token is for (RFC 7644 3.11).
    pub(super) async fn observe_self(wire: Reader<'a>, settings: &'a Settings) -> Result<Observed, ConnectorError> {
        let (mut looker, mut facts) = Self::arrive(wire, settings).await?;
        facts.insert("credential".to_owned(), "own".into());
        looker.server = Arc::new(facts);
        let mut reply = looker.get("/Me", &[]).await?;
        if let (307 | 308, Some(place)) = (reply.status, reply.headers.get("location")) {
            let id = place.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let place = path(looker.users(), id).ok_or_else(|| looker.strange("an address that leads nowhere"))?;
            reply = looker.get(&place, &[]).await?;
        }
        if !reply.is_success() {
            return Err(looker.refused(&reply));
        }
        let user = reply.json().ok_or_else(|| looker.strange("something that is no user"))?;
        let account = looker.read(&user)?;
        Ok(Observed { accounts: vec![account].into(), server: looker.server, ..Observed::default() })
    }

    /// One account by its id, and its version; `None` where the server says that there is none.
    async fn versioned(&self, id: &AccountId) -> Result<Option<Versioned>, ConnectorError> {
        let Some(place) = path(self.users(), id.as_str()) else { return Ok(None) };
        match self.resource(&place).await? {
            Some((user, version)) => {
                let account = self.read(&user)?;
                // Letter case counts in ids (RFC 7643 3.1).
                if account.id.as_ref() != Some(id) {
                    return Err(self.strange("another account than the one that was asked for"));
                }
                Ok(Some((account, version)))
            }
            None => Ok(None),
        }
    }

    /// One resource and its version; `None` where the server itself says that there is none: a page or another's JSON is
    /// the word of something that stands in between.
    pub(super) async fn resource(&self, place: &str) -> Result<Option<(Json, Option<String>)>, ConnectorError> {
        let reply = self.get(place, &[]).await?;
        match reply.status {
            404 | 410 if reply.text().trim().is_empty() || Answer::from(&reply).is_of_scim() => Ok(None),
            404 | 410 => Err(self.strange("a no that is not SCIM's: is `url` right, and what stands in between?")),
            _ if reply.is_success() => {
                let found = reply.json().filter(Json::is_object);
                let found = found.ok_or_else(|| self.strange("something that is no resource"))?;
                let version = reply.headers.get("etag").cloned();
                let version = version.or_else(|| resource::version(&found).map(str::to_owned));
                Ok(Some((found, version)))
            }
            _ => Err(self.refused(&reply)),
        }
    }

    /// A user as an account.
    pub(super) fn read(&self, user: &Json) -> Result<Account, ConnectorError> {
        let account = resource::account(self.wire.system(), user, &self.settings.address_type, &self.server);
        account.ok_or_else(|| self.strange("a user without `id` or `userName`"))
    }

    /// A user of a list as an account, with the version that the list tells.
    fn read_versioned(&self, user: &Json) -> Result<Versioned, ConnectorError> {
        Ok((self.read(user)?, resource::version(user).map(str::to_owned)))
    }

    fn is(&self, fact: &str) -> Option<bool> {
        self.server.get(fact).and_then(Value::as_bool)
    }

    fn users(&self) -> &str {
        self.server.get("users").and_then(Value::as_text).unwrap_or(USERS)
    }

    /// What is wanted, except who can only be asked for by id.
    async fn wanted(&self, wanted: &Wanted) -> Result<Found, ConnectorError> {
        let texts: Vec<(&AttributeName, &str)> =
            wanted.holding.iter().flat_map(|(name, texts)| texts.iter().map(move |text| (name, text))).collect();
        let paths: Option<Vec<(&str, &str)>> =
            texts.iter().map(|(name, text)| Some((filter_path(self, name)?, *text))).collect();
        let filters = paths.filter(|_| self.is("filter") == Some(true)).map(|paths| filters(&paths));
        if texts.is_empty() && wanted.ids.len() <= FEW {
            return Ok(Found::new(wanted));
        }
        // Without a filter that asks for all of them at once, the first page of everybody tells how many more there are.
        let mut first = None;
        if let Some(filters) = &filters {
            let look_ups = filters.len() + wanted.ids.len();
            if look_ups > 1 {
                let page = self.page(self.users(), &[], self.paging(), self.paging().start()).await?;
                if !page.is_success() {
                    return Err(self.refused(&page));
                }
                let total = page.json().and_then(|list| number(&list, "totalResults"));
                let left = total.map_or(usize::MAX, |total| total.div_ceil(PAGE_SIZE).saturating_sub(1));
                if left <= look_ups {
                    return self.walk_all(wanted, Some(page)).await;
                }
                first = Some(page);
            }
            let mut found = Vec::new();
            for filter in filters {
                match self.filtered(filter).await? {
                    Some(users) => found.extend(users),
                    // A filter that was not understood tells nothing about who is there.
                    None => return self.walk_all(wanted, first).await,
                }
            }
            let mut kept = Found::new(wanted);
            for user in &found {
                kept.keep(self.read_versioned(user)?);
            }
            return Ok(kept);
        }
        self.walk_all(wanted, None).await
    }

    /// Everybody who is sought, by reading everybody.
    async fn walk_all(&self, wanted: &Wanted, first: Option<Reply>) -> Result<Found, ConnectorError> {
        let sought = Sought::of(wanted);
        let keep = |found: &mut Found, user: Json| {
            let user = self.read_versioned(&user)?;
            if sought.names(&user.0) {
                found.keep(user);
            }
            Ok(())
        };
        self.list(first, self.users(), &[], || Found::new(wanted), keep).await
    }

    /// How lists are read here.
    fn paging(&self) -> Paging {
        if self.is("cursor") == Some(true) { Paging::Cursor } else { Paging::Index }
    }

    /// What fits any of these terms; `None` where the server does not understand such filters.
    async fn filtered(&self, terms: &[String]) -> Result<Option<Vec<Json>>, ConnectorError> {
        match self.fitting(self.users(), &terms.join(" or ")).await? {
            Filtered::Found(users) => return Ok(Some(users)),
            Filtered::NotUnderstood if terms.len() == 1 => return Ok(None),
            Filtered::NotUnderstood => {}
        }
        // Some servers know no `or`.
        let mut all = Vec::new();
        for term in terms {
            match self.fitting(self.users(), term).await? {
                Filtered::Found(users) => all.extend(users),
                Filtered::NotUnderstood => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    async fn fitting(&self, place: &str, filter: &str) -> Result<Filtered, ConnectorError> {
        let first = self.page(place, &[("filter", filter)], Paging::Index, "1").await?;
        if !first.is_success() {
            let answer = Answer::from(&first);
            return if answer.is_about_filter() { Ok(Filtered::NotUnderstood) } else { Err(self.refused(&first)) };
        }
        let list = self.resources(&first)?;
        let total = first.json().and_then(|list| number(&list, "totalResults"));
        let mut ids = BTreeSet::new();
        if total.is_none_or(|total| total == list.len()) && list.iter().all(|user| ids.insert(id(user))) {
            return Ok(Filtered::Found(list));
        }
        self.list(None, place, &[("filter", filter)], Vec::new, whole).await.map(Filtered::Found)
    }

    /// Reads a list until it adds up; its first page may have been read already. Only what `keep` keeps of each resource
    /// is held: as JSON a long list takes more memory than all else.
    async fn list<T>(
        &self,
        mut first: Option<Reply>,
        place: &str,
        query: &[(&str, &str)],
        nothing: impl Fn() -> T,
        keep: impl Fn(&mut T, Json) -> Result<(), ConnectorError>,
    ) -> Result<T, ConnectorError> {
        for _ in 0..WALKS {
            if let Some(list) = self.walk(first.take(), place, query, self.paging(), nothing(), &keep).await? {
                return Ok(list);
            }
        }
        Err(self.strange(
            "lists that do not add up, three times over: it shows other accounts than it counts, or accounts come and go \
             faster than they can be read",
        ))
    }

    /// Reads a list once; `None` where it does not add up.
    async fn walk<T>(
        &self,
        mut first: Option<Reply>,
        place: &str,
        query: &[(&str, &str)],
        paging: Paging,
        mut kept: T,
        keep: &impl Fn(&mut T, Json) -> Result<(), ConnectorError>,
    ) -> Result<Option<T>, ConnectorError> {
        // What cannot be read counts where the list does.
        let mut fault = None;
        let mut ids = BTreeSet::new();
        let mut cursors = BTreeSet::new();
        let mut told = None;
        let mut at = paging.start().to_owned();
        let mut shown = 0;
        for number_of_page in 0..pages::MOST {
            let reply = match first.take() {
                Some(first) => first,
                None => self.page(place, query, paging, &at).await?,
            };
            if !reply.is_success() {
                // A cursor does not live for ever: then the list is read anew.
                let is_over = number_of_page > 0 && Answer::from(&reply).is_about_cursor();
                return if is_over { Ok(None) } else { Err(self.refused(&reply)) };
            }
            let users = self.resources(&reply)?;
            let body = reply.json().unwrap_or_default();
            let total = number(&body, "totalResults");
            if number_of_page > 0 && total != told {
                return Ok(None);
            }
            told = total;
            let count = users.len();
            shown += count;
            for user in users {
                // One that is shown twice was moved while the list was read, or stands where another one should.
                if !ids.insert(id(&user).to_owned()) {
                    return Ok(None);
                }
                if let Err(error) = keep(&mut kept, user) {
                    fault.get_or_insert(error);
                }
            }
            let next = match paging {
                Paging::Index => {
                    (count > 0 && total.is_some_and(|total| shown < total)).then(|| (shown + 1).to_string())
                }
                Paging::Cursor => field(&body, "nextCursor").and_then(Json::as_str).map(str::to_owned),
            };
            let Some(next) = next else {
                let adds_up = match (paging, told) {
                    (_, Some(total)) => shown == total,
                    (Paging::Cursor, None) => true,
                    // A list that says nothing of its length is whole where it is one page that is not full.
                    (Paging::Index, None) => count < PAGE_SIZE,
                };
                return match fault.filter(|_| adds_up) {
                    Some(fault) => Err(fault),
                    None => Ok(adds_up.then_some(kept)),
                };
            };
            if paging == Paging::Cursor && !cursors.insert(next.clone()) {
                return Err(self.strange("the same page again instead of the next"));
            }
            at = next;
        }
        Err(self.strange("a list without an end"))
    }

    async fn page(
        &self,
        place: &str,
        query: &[(&str, &str)],
        paging: Paging,
        at: &str,
    ) -> Result<Reply, ConnectorError> {
        let key = if paging == Paging::Index { "startIndex" } else { "cursor" };
        let query: Vec<(&str, &str)> = query.iter().copied().chain([(key, at), ("count", PAGE)]).collect();
        self.get(place, &query).await
    }

    /// The resources of a list.
    fn resources(&self, reply: &Reply) -> Result<Vec<Json>, ConnectorError> {
        let no_list = || self.strange("something that is no list: is `url` the root of its SCIM interface?");
        let list = reply.json().ok_or_else(no_list)?;
        match field(&list, "Resources") {
            Some(Json::Array(resources)) => Ok(resources.clone()),
            // An empty list may be left out (RFC 7644 3.4.2).
            None if number(&list, "totalResults").is_some() => Ok(Vec::new()),
            _ => Err(no_list()),
        }
    }

    /// The groups somebody wants to see; nothing is asked where nothing is.
    async fn groups(&self, wanted: &Wanted) -> Result<Groups, ConnectorError> {
        let set = membership::set(self.wire.system());
        let names: BTreeSet<&str> = wanted.names(GROUP, &set).collect();
        if names.is_empty() || self.is("groups") == Some(false) {
            return Ok(Groups::default());
        }
        let place = self.server.get("groups_at").and_then(Value::as_text).unwrap_or(GROUPS);
        let mut all = None;
        let mut groups = Groups::default();
        for name in names {
            let found = self.called(place, name, &mut all).await?;
            let ids: BTreeSet<&str> = found.iter().filter_map(|group| field(group, "id")?.as_str()).collect();
            let id = ids.first().filter(|_| ids.len() == 1).map(|id| (*id).to_owned());
            let members = match &id {
                Some(id) => self.members(place, id).await?.unwrap_or_default(),
                None => BTreeSet::new(),
            };
            groups.0.insert(name.to_owned(), Group { id, is_ambiguous: ids.len() > 1, members });
        }
        Ok(groups)
    }

    /// The groups that are called like this, by a filter where the server has one.
    async fn called(&self, place: &str, name: &str, all: &mut Option<Vec<Json>>) -> Result<Vec<Json>, ConnectorError> {
        let is_it = |group: &Json| {
            field(group, "displayName")
                .and_then(Json::as_str)
                .is_some_and(|held| held.to_lowercase() == name.to_lowercase())
        };
        if self.is("filter") == Some(true) && all.is_none() {
            let filter = format!("displayName eq {}", Json::from(name));
            if let Filtered::Found(found) = self.fitting(place, &filter).await? {
                return Ok(found.into_iter().filter(is_it).collect());
            }
        }
        if all.is_none() {
            *all = Some(self.list(None, place, &[], Vec::new, whole).await?);
        }
        Ok(all.iter().flatten().filter(|group| is_it(group)).cloned().collect())
    }

    /// Who is in a group; `None` where there is no such group.
    pub(super) async fn members(&self, place: &str, id: &str) -> Result<Option<BTreeSet<String>>, ConnectorError> {
        let Some(place) = path(place, id) else { return Ok(None) };
        self.members_at(&place).await
    }

    /// The same by the group's whole address.
    pub(super) async fn members_at(&self, place: &str) -> Result<Option<BTreeSet<String>>, ConnectorError> {
        let Some((group, _)) = self.resource(place).await? else { return Ok(None) };
        let members = field(&group, "members").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        Ok(Some(members.iter().filter_map(|member| Some(field(member, "value")?.as_str()?.to_owned())).collect()))
    }

    async fn get(&self, place: &str, query: &[(&str, &str)]) -> Result<Reply, ConnectorError> {
        let headers = BTreeMap::from([("accept".to_owned(), ACCEPTED.to_owned())]);
        Ok(self.wire.get_with(place, query, &headers).await?)
    }

    fn refused(&self, reply: &Reply) -> ConnectorError {
        let refusal: Refusal = reply::refusal(&Answer::from(reply));
        ConnectorError::Refused { system: self.wire.system().clone(), refusal }
    }

    pub(super) fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.wire.system().clone(), what: what.to_owned() }
    }
}

/// What somebody wants to see; texts in lower case: more may be shown, never less.
struct Sought<'a> {
    ids: &'a BTreeSet<AccountId>,
    texts: BTreeMap<&'a AttributeName, Texts>,
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

/// What a filter calls an attribute that can be looked up.
fn filter_path(looker: &Looker<'_>, name: &AttributeName) -> Option<&'static str> {
    let row = CAPABILITIES.of(looker.wire.system(), name).filter(|row| CAPABILITIES.lookups.contains(&row.name))?;
    match Spot::of(row) {
        Spot::Listed("emails") => Some("emails.value"),
        _ => Some(row.remote),
    }
}

/// Terms of filters, as many together as one address can hold.
fn filters(texts: &[(&str, &str)]) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let mut length = 0;
    for (path, text) in texts {
        let term = format!("{path} eq {}", Json::from(*text));
        let fits = all.last().is_some_and(|last| last.len() < TERMS && length + term.len() < LONGEST_FILTER);
        length = if fits { length + term.len() + 4 } else { term.len() };
        match all.last_mut().filter(|_| fits) {
            Some(last) => last.push(term),
            None => all.push(vec![term]),
        }
    }
    all
}

fn number(list: &Json, name: &str) -> Option<usize> {
    match field(list, name)? {
        Json::String(text) => text.parse().ok(),
        number => usize::try_from(number.as_u64()?).ok(),
    }
}

/// Keeps a resource as it is.
#[expect(clippy::unnecessary_wraps, reason = "what else may be kept of a resource can fail to be read")]
fn whole(all: &mut Vec<Json>, resource: Json) -> Result<(), ConnectorError> {
    all.push(resource);
    Ok(())
}

/// The id of a resource; empty where it has none.
fn id(resource: &Json) -> &str {
    field(resource, "id").and_then(Json::as_str).unwrap_or_default()
}
