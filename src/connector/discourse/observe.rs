//! Looking at Discourse's accounts, with as few requests as will do: sixty a minute are all there are (`discourse.md` 2
//! and 3).
//!
//! The staff's list shows a hundred accounts at once with most of what counts. A few accounts are asked for one by one;
//! of many the whole list is read. Addresses that wait for a confirmation are looked at only where an account does not
//! hold any of the wanted ones: each such look is written into the staff's log there. A 404 under `/admin` may mean our
//! key; it is believed only once our own account could be read there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value as Json;

use crate::{
    connector::{ConnectorError, Standing, pages::Pages},
    model::{
        account::{Account, Facts, Observed, Wanted},
        accounts::{Accounts, AccountsById},
        attribute::{AttributeName, Value},
        id::{AccountId, SystemName},
        refusal::{Refusal, RefusalKind},
        texts::Texts,
    },
    wire::{Reader, Reply},
};

use super::{
    reply::{self, FLAGS, NEEDS, SECONDARY},
    settings::Settings,
    table::CAPABILITIES,
};

/// Rows on a page of the staff's list.
const PAGE: usize = 100;

/// Up to so many look-ups nobody asks whether reading everybody would be less work.
const FEW: usize = 6;

/// The fact of a server that says whose key it is: `own` for a person's.
pub(super) const CREDENTIAL: &str = "credential";

/// The fact that names the addresses which wait for their confirmation, one in a line.
const UNCONFIRMED: &str = "unconfirmed_email";

/// True where this address waits for its confirmation. Several may, and each of them has had its letter
/// (`discourse.md` 5).
pub(super) fn is_waiting(account: &Account, address: &str) -> bool {
    account.fact(UNCONFIRMED).is_some_and(|all| all.lines().any(|one| one == address))
}

/// True where this is a further address of the account, which was confirmed.
pub(super) fn is_confirmed(account: &Account, address: &str) -> bool {
    account.fact(SECONDARY).is_some_and(|all| all.lines().any(|one| one.to_lowercase() == address.to_lowercase()))
}

/// What is told of addresses beside the first one: those that wait, and those that were confirmed.
fn beside(shown: &Json) -> impl Iterator<Item = (String, Value)> {
    let of = |fact: &str, list: &str| Some((fact.to_owned(), reply::lines(shown, list)?));
    [of(UNCONFIRMED, "unconfirmed_emails"), of(SECONDARY, "secondary_emails")].into_iter().flatten()
}

/// The address of one user for staff; `None` for an id that Discourse cannot have given.
pub(super) fn user_path(id: &AccountId) -> Option<String> {
    let id = id.as_str();
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("/admin/users/{id}"))
}

/// The address of one user by her name.
pub(super) fn profile_path(username: &str) -> String {
    format!("/u/{}", segment(username))
}

/// One part of a path, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => path.push(char::from(byte)),
            _ => {
                // Writing to a text cannot fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path
}

/// One observation.
pub(super) struct Looker<'a> {
    wire: Reader<'a>,
    settings: &'a Settings,
    /// As whom we act.
    headers: BTreeMap<String, String>,
    server: Arc<Facts>,
}

/// What somebody wants to see, in lower case.
struct Sought<'a> {
    ids: &'a BTreeSet<AccountId>,
    texts: BTreeMap<&'a AttributeName, Texts>,
    /// What shall be shown of whoever is known by id; `None`: everything.
    about: Option<&'a BTreeSet<AttributeName>>,
}

/// As whom an "all users" key acts.
pub(super) fn acting_as(settings: &Settings) -> BTreeMap<String, String> {
    settings.username.iter().map(|name| ("Api-Username".to_owned(), name.clone())).collect()
}

impl<'a> Looker<'a> {
    pub(super) fn new(wire: Reader<'a>, settings: &'a Settings, headers: BTreeMap<String, String>) -> Self {
        Self { wire, settings, headers, server: Arc::default() }
    }

    /// The system at the other end.
    pub(super) fn system(&self) -> &SystemName {
        self.wire.system()
    }

    /// Who we are and what is missing.
    pub(super) async fn standing(&self) -> Result<Standing, ConnectorError> {
        let me = self.me().await?;
        let name = me.get("username").and_then(Json::as_str).unwrap_or("?").to_owned();
        let is_admin = me.get("admin").and_then(Json::as_bool) == Some(true);
        let mut missing = Vec::new();
        let mut opens = async |what: &str, path: String| -> Result<(), ConnectorError> {
            let reply = self.wire.get_with(&path, &[], &self.headers).await?;
            if !reply.is_success() {
                missing.push(format!("{what}: {NEEDS}"));
            }
            Ok(())
        };
        let id = me.get("id").and_then(Json::as_u64).unwrap_or_default();
        opens("reading accounts", format!("/admin/users/{id}.json")).await?;
        opens("reading addresses", format!("{}/emails.json", profile_path(&name))).await?;
        if is_admin {
            for (flag, what) in [
                ("can_edit_username", "usernames: `auth_overrides_username` is on there"),
                ("can_edit_email", "e-mail addresses: `auth_overrides_email` is on there, or `email_editable` off"),
                ("can_edit_name", "display names: `auth_overrides_name` is on there, or `enable_names` off"),
            ] {
                if me.get(flag).and_then(Json::as_bool) == Some(false) {
                    missing.push(format!("changing {what}"));
                }
            }
        }
        let rank = if is_admin { "administrator" } else { "no administrator" };
        Ok(Standing { server: "Discourse".to_owned(), we_are: format!("{name} ({rank})"), missing })
    }

    /// Finds out who we are and what the site lets staff change, which is the same for all accounts.
    pub(super) async fn arrive(&self) -> Result<Facts, ConnectorError> {
        let me = self.me().await?;
        let is = |name: &str| me.get(name).and_then(Json::as_bool) == Some(true);
        if !is("admin") && !is("moderator") {
            return Err(self.forbidden());
        }
        let mut facts = Facts::from([("me".to_owned(), Value::text(&self.number(&me)?.to_string()))]);
        for name in FLAGS {
            facts.extend(me.get(*name).and_then(Json::as_bool).map(|yes| ((*name).to_owned(), yes.into())));
        }
        Ok(facts)
    }

    /// Adds to what is known of the server.
    pub(super) fn know(&mut self, facts: Facts) {
        let mut server = Facts::clone(&self.server);
        server.extend(facts);
        self.server = Arc::new(server);
    }

    /// The accounts somebody needs.
    pub(super) async fn observe(self, wanted: &Wanted) -> Result<Observed, ConnectorError> {
        let sought = Sought::of(wanted);
        let mut found = AccountsById::default();
        let mut add = |account: Account| {
            if account.id.as_ref().is_some_and(|id| !found.contains(id)) {
                found.insert(&account);
            }
        };
        let must_walk = needs_all(wanted);
        let look_ups = look_ups(wanted);
        if !(must_walk || may_pay(wanted, look_ups)) || !self.walk(&sought, look_ups, must_walk, &mut add).await? {
            for username in wanted.texts("username") {
                self.by_username(username).await?.into_iter().for_each(&mut add);
            }
            for address in wanted.texts("email").filter(|address| address.contains('@')) {
                self.by_address(address).await?.into_iter().for_each(&mut add);
            }
        }
        // Pages move while they are turned, and few are not looked for in lists.
        for id in wanted.ids.iter().filter(|id| !found.contains(id)).cloned().collect::<Vec<_>>() {
            found.extend(self.by_id(&id).await?);
        }
        let mut accounts = Accounts::default();
        for account in found.into_accounts() {
            accounts.push(&self.whole(account, &sought).await?);
        }
        Ok(Observed { accounts, server: self.server, ..Observed::default() })
    }

    /// The account of the person whose own key this is.
    pub(super) async fn observe_self(mut self) -> Result<Observed, ConnectorError> {
        let me = self.me().await?;
        let me_is = Value::text(&self.number(&me)?.to_string());
        let mut facts = Facts::from([(CREDENTIAL.to_owned(), "own".into()), ("me".to_owned(), me_is)]);
        facts.extend(self.wire.own_token().map(|kind| ("token_kind".to_owned(), kind.word().into())));
        self.server = Arc::new(facts);
        let account = self.shown_to_herself(&me)?;
        Ok(Observed { accounts: vec![account].into(), server: self.server, ..Observed::default() })
    }

    /// True where the key is a person's own, and nothing is seen but what she sees of herself.
    pub(super) fn is_own(&self) -> bool {
        self.wire.own_token().is_some()
    }

    /// The account that a person's own key opens, as it is now.
    pub(super) async fn mine(&self) -> Result<Account, ConnectorError> {
        self.shown_to_herself(&self.me().await?)
    }

    fn shown_to_herself(&self, me: &Json) -> Result<Account, ConnectorError> {
        let mut account = self.account(me)?;
        // Who can sign in with a key is neither suspended nor waiting for anything.
        account.attributes.insert(AttributeName::new("active"), true.into());
        // Her own profile shows what waits, and what else she confirmed (known of Discourse; in no contract).
        account.facts.extend(beside(me));
        Ok(account)
    }

    /// Our own profile. Whose key it is, is told by the session (known of Discourse; in no contract).
    async fn me(&self) -> Result<Json, ConnectorError> {
        let name = if let Some(name) = self.headers.get("Api-Username") {
            name.clone()
        } else {
            let reply = self.wire.get_with("/session/current.json", &[], &self.headers).await?;
            if reply.status == 404 {
                return Err(self.forbidden());
            }
            let answer = self.answer(&reply)?;
            let name = answer.get("current_user").and_then(|me| me.get("username")?.as_str()).map(str::to_owned);
            name.ok_or_else(|| self.strange("something that is no session: is `url` a Discourse's?"))?
        };
        let answer = self.get(&format!("{}.json", profile_path(&name)), &[]).await?;
        let me = answer.get("user").filter(|me| me.get("id").is_some_and(Json::is_i64)).cloned();
        me.ok_or_else(|| self.strange("something that is no user: is `url` a Discourse's?"))
    }

    fn number(&self, user: &Json) -> Result<u64, ConnectorError> {
        let id = user.get("id").and_then(Json::as_u64);
        id.ok_or_else(|| self.strange("that we are one of its own accounts, which has no number of a person's"))
    }

    /// One account by its id, as staff sees it; `None` where there is none.
    pub(super) async fn detail(&self, id: &AccountId) -> Result<Option<Json>, ConnectorError> {
        let Some(path) = user_path(id) else { return Ok(None) };
        let shown = self.there(&format!("{path}.json"), &[]).await?;
        match &shown {
            None => self.vouched().await?,
            Some(user) if user.get("id").and_then(Json::as_u64) != id.as_str().parse().ok() => {
                return Err(self.strange("another user than the one that was asked for"));
            }
            Some(_) => {}
        }
        Ok(shown)
    }

    /// One account by its id.
    async fn by_id(&self, id: &AccountId) -> Result<Option<Account>, ConnectorError> {
        let shown = self.detail(id).await?;
        shown.map(|user| self.account(&user)).transpose()
    }

    /// The rows of the staff's list that hold this username.
    async fn by_username(&self, username: &str) -> Result<Option<Account>, ConnectorError> {
        if username.is_empty() {
            return Ok(None);
        }
        // Parts of names and addresses are found too; a name of many accounts' may not be on the first page.
        let rows = self.rows(&[("filter", username)], 1).await?;
        let name = AttributeName::new("username");
        let mut accounts =
            rows.iter().filter_map(|row| reply::account(self.system(), row, self.settings, &self.server));
        if let Some(account) = accounts.find(|account| holds(account, &name, username)) {
            return Ok(Some(account));
        }
        if rows.len() < PAGE {
            return Ok(None);
        }
        let shown = self.there(&format!("{}.json", profile_path(username)), &[]).await?;
        let id = shown.and_then(|answer| answer.get("user")?.get("id")?.as_u64());
        match id {
            Some(id) => self.by_id(&AccountId::from(id.to_string())).await,
            None => Ok(None),
        }
    }

    /// Whoever has this as the primary address.
    async fn by_address(&self, address: &str) -> Result<Vec<Account>, ConnectorError> {
        let rows = self.rows(&[("email", address)], 1).await?;
        let accounts = rows.iter().filter_map(|row| reply::account(self.system(), row, self.settings, &self.server));
        Ok(accounts.collect())
    }

    /// True where somebody holds this as the primary address.
    pub(super) async fn is_address_held(&self, address: &str) -> bool {
        self.by_address(address).await.is_ok_and(|accounts| !accounts.is_empty())
    }

    /// Reads everybody from the newest on, unless the first page shows that asking for each is less work. True where
    /// everybody was read. Whoever comes meanwhile pushes others to later pages, where they are seen again.
    async fn walk(
        &self,
        sought: &Sought<'_>,
        look_ups: usize,
        to_its_end: bool,
        add: &mut impl FnMut(Account),
    ) -> Result<bool, ConnectorError> {
        let mut read = Pages::default();
        for page in 1.. {
            let rows = self.rows(&[("order", "created")], page).await?;
            let ids = || rows.iter().filter_map(|row| row.get("id").and_then(Json::as_i64));
            for row in &rows {
                let account = reply::account(self.system(), row, self.settings, &self.server);
                account.filter(|account| sought.names(account)).into_iter().for_each(&mut *add);
            }
            if rows.len() < PAGE {
                break;
            }
            read.turn(ids()).map_err(|what| self.strange(what))?;
            // The newest has the highest number, which is at least how many there are.
            let highest = ids().max().and_then(|highest| usize::try_from(highest).ok()).unwrap_or(usize::MAX);
            if page == 1 && !to_its_end && highest / PAGE > look_ups {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A page of the staff's list of everybody.
    async fn rows(&self, filter: &[(&str, &str)], page: usize) -> Result<Vec<Json>, ConnectorError> {
        let page = page.to_string();
        let fixed = [("show_emails", "true"), ("stats", "false"), ("page", page.as_str())];
        let query: Vec<(&str, &str)> = filter.iter().copied().chain(fixed).collect();
        let reply = self.wire.get_with("/admin/users/list/new.json", &query, &self.headers).await?;
        if reply.status == 404 {
            // There is always a list: it is us who are not let in.
            return Err(self.forbidden());
        }
        let answer = self.answer(&reply)?;
        let rows = answer.as_array().cloned().ok_or_else(|| self.strange("something that is no list of users"))?;
        if rows.iter().any(|row| row.get("email").is_none()) {
            // Anything less would pass for an account without an address.
            return Err(self.forbidden());
        }
        Ok(rows)
    }

    /// An account with everything that has to be asked for by itself.
    async fn whole(&self, account: Account, sought: &Sought<'_>) -> Result<Account, ConnectorError> {
        let mut account = account;
        let username = account.value(&AttributeName::new("username")).as_text().unwrap_or_default().to_owned();
        let email = AttributeName::new("email");
        let wanted = sought.texts.get(&email);
        let held = account.value(&email).as_text().map(str::to_lowercase);
        let holds_another = wanted.is_some_and(|texts| held.as_ref().is_some_and(|held| !texts.contains(held)));
        if (held.is_none() && sought.is_about(&email)) || holds_another || sought.needs_address(&account) {
            self.addresses(&mut account, &username).await?;
        }
        // What can be said in the provider's name depends on it, and no list shows it.
        if self.tells_as_provider() && !account.facts.contains_key(reply::LINKED) {
            let id = account.id.clone().unwrap_or_else(|| "".into());
            if let Some(detail) = self.by_id(&id).await? {
                account.facts.extend(detail.facts);
                account.identities = detail.identities;
            }
        }
        if self.settings.reads_profiles()
            && let Some(shown) = self.there(&format!("{}.json", profile_path(&username)), &[]).await?
        {
            let profile = self.account(shown.get("user").unwrap_or(&Json::Null))?;
            if profile.id == account.id {
                let known = std::mem::replace(&mut account.attributes, profile.attributes);
                account.attributes.extend(known);
                account.facts.extend(profile.facts);
            }
        }
        Ok(account)
    }

    /// True where something that the site keeps to the identity provider could be told in its name.
    fn tells_as_provider(&self) -> bool {
        let is_locked = |flag: &str| self.server.get(flag).and_then(Value::as_bool) != Some(true);
        let locks = [("username", "can_edit_username"), ("email", "can_edit_email"), ("display_name", "can_edit_name")];
        self.settings.discourse_connect_secret.is_some()
            && locks.iter().any(|(name, flag)| self.settings.overrides(name) && is_locked(flag))
    }

    /// Reads the address of an account, and those beside it.
    pub(super) async fn addresses(&self, account: &mut Account, username: &str) -> Result<(), ConnectorError> {
        let Some(shown) = self.there(&format!("{}/emails.json", profile_path(username)), &[]).await? else {
            return Ok(());
        };
        let email = shown.get("email").and_then(Json::as_str).unwrap_or_default();
        account.attributes.insert(AttributeName::new("email"), Value::text(email));
        account.facts.extend(beside(&shown));
        Ok(())
    }

    /// An account in any of the shapes users are shown in.
    pub(super) fn account(&self, user: &Json) -> Result<Account, ConnectorError> {
        let account = reply::account(self.system(), user, self.settings, &self.server);
        account.ok_or_else(|| self.strange("a user without id or username"))
    }

    /// Makes sure that "not found" means what it says: our own account can be read in the same place.
    async fn vouched(&self) -> Result<(), ConnectorError> {
        let known = self.server.get("me").and_then(Value::as_text).map(str::to_owned);
        let id = match known {
            Some(id) => id,
            None => self.number(&self.me().await?)?.to_string(),
        };
        let reply = self.wire.get_with(&format!("/admin/users/{id}.json"), &[], &self.headers).await?;
        if reply.status == 404 { Err(self.forbidden()) } else { self.answer(&reply).map(drop) }
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Json, ConnectorError> {
        let reply = self.wire.get_with(path, query, &self.headers).await?;
        self.answer(&reply)
    }

    /// What stands at an address; `None` where Discourse says itself that nothing does.
    pub(super) async fn there(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Json>, ConnectorError> {
        let reply = self.wire.get_with(path, query, &self.headers).await?;
        if let (404, Some(no)) = (reply.status, reply.json()) {
            if reply::is_own_no(&no) {
                return Ok(None);
            }
            return Err(self.strange("a no that is not Discourse's own: is `url` right, and what stands in between?"));
        }
        self.answer(&reply).map(Some)
    }

    fn answer(&self, reply: &Reply) -> Result<Json, ConnectorError> {
        if !reply.is_success() {
            let mut refusal = reply::refusal(reply);
            if refusal.kind == RefusalKind::NotFound {
                "Discourse has nothing at this address: is `url` right?".clone_into(&mut refusal.reason);
            }
            return Err(ConnectorError::Refused { system: self.system().clone(), refusal });
        }
        reply.json().ok_or_else(|| self.strange("something that is no JSON: is `url` a Discourse's?"))
    }

    pub(super) fn strange(&self, what: &str) -> ConnectorError {
        ConnectorError::Strange { system: self.system().clone(), what: what.to_owned() }
    }

    fn forbidden(&self) -> ConnectorError {
        let refusal = Refusal::new(
            RefusalKind::Forbidden,
            format!("Discourse does not take the key or `username`, or not for this: {NEEDS}"),
        );
        ConnectorError::Refused { system: self.system().clone(), refusal }
    }
}

impl<'a> Sought<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let texts =
            wanted.holding.iter().map(|(name, texts)| (name, texts.each(|text| text.trim().to_lowercase()))).collect();
        Self { ids: &wanted.ids, texts, about: wanted.about.as_ref() }
    }

    /// True where a call is about the address of this account: what waits beside it decides what would be sent.
    fn needs_address(&self, account: &Account) -> bool {
        let is_about = self.about.is_some_and(|about| about.contains(&AttributeName::new("email")));
        is_about
            && account.id.as_ref().is_some_and(|id| self.ids.contains(id))
            && !account.facts.contains_key(UNCONFIRMED)
    }

    /// True where this must be shown.
    fn is_about(&self, name: &AttributeName) -> bool {
        self.about.is_none_or(|about| about.contains(name))
    }

    fn names(&self, account: &Account) -> bool {
        // What only profiles show cannot be seen in a list: then everybody may be meant.
        let held = |(name, texts): (&&AttributeName, &Texts)| match account.attributes.get(*name) {
            Some(value) => value.as_text().is_some_and(|text| texts.contains(&text.to_lowercase())),
            None => !texts.is_empty() && CAPABILITIES.of(&account.system, name).is_some(),
        };
        account.id.as_ref().is_some_and(|id| self.ids.contains(id)) || self.texts.iter().any(held)
    }
}

/// True where something is sought that cannot be asked for.
fn needs_all(wanted: &Wanted) -> bool {
    let cannot_be_asked_for = |name: &AttributeName| !CAPABILITIES.lookups.contains(&name.as_str());
    wanted.holding.iter().any(|(name, texts)| cannot_be_asked_for(name) && !texts.is_empty())
}

/// How many requests more than for somebody in a list asking for each takes: her address is shown by one of its own. Where
/// calls are about addresses, that one is asked for in either case.
fn look_ups(wanted: &Wanted) -> usize {
    wanted.len() + if wanted.about.is_none() { wanted.ids.len() } else { 0 }
}

/// True where reading everybody might be less work than asking for each, as far as that can be told without asking: ids
/// are given one after the other, so of those that are sought the highest says about how many there are.
fn may_pay(wanted: &Wanted, look_ups: usize) -> bool {
    let highest = wanted.ids.iter().filter_map(|id| id.as_str().parse::<usize>().ok()).max();
    highest.map_or(look_ups > FEW, |highest| highest.div_ceil(PAGE) < look_ups)
}

/// True where the account holds this text, whatever the letter case.
fn holds(account: &Account, attribute: &AttributeName, text: &str) -> bool {
    let held = account.attributes.get(attribute).and_then(Value::as_text);
    held.is_some_and(|held| held.to_lowercase() == text.to_lowercase())
}
