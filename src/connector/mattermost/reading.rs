//! How accounts are read: by id and by username in bulk, by address one by one or all of them page by page, whichever takes
//! fewer requests (`mattermost.md` 3).
//!
//! All ways ways show the same accounts, in the same order, so that a plan does not depend on which was cheaper. What was
//! asked for and is not shown does not exist: the bulk calls drop what they cannot find.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::json;

use super::{
    reply::{self, User},
    settings::TokenKind,
    value,
};
use crate::{
    connector::{ConnectorError, pages::Pages},
    model::{
        account::{Facts, Observed, Wanted},
        accounts::{Accounts, AccountsById},
        attribute::AttributeName,
        id::AccountId,
        refusal::{Refusal, RefusalKind},
    },
    wire::{Reader, Reply},
};

/// How many ids or names one bulk call asks for. The server has no limit but the size of the body.
pub(super) const BULK: usize = 1000;

/// Where many are asked for by id, and where by username.
const BY_ID: &str = "/api/v4/users/ids";
const BY_USERNAME: &str = "/api/v4/users/usernames";

/// Users on one page: the server's own cap (`mattermost.md` 1.4).
const PER_PAGE: usize = 200;

/// Pages asked for at once. They are numbered, so none has to wait for the one before.
const SIDE_BY_SIDE: usize = 4;

/// Look-ups so few that it is not worth asking how many users there are.
const FEW: usize = 4;

/// Look-ups to make at most where the server does not tell how many users there are.
const MANY: usize = 50;

/// Without this role `auth_service` is hidden (`mattermost.md` 2).
pub(super) const NOT_ADMIN: &str = "the token's user is not a system administrator: without manage_system Mattermost hides \
     auth_service, and with it which accounts are locked by their login provider; give the user the role system_admin";

/// Who we are, and what of the server decides about changes.
#[derive(Debug)]
pub(super) struct Us {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) is_admin: bool,
    pub(super) is_bot: bool,
    /// Such as `11.3.0`; `None` where the server does not tell.
    pub(super) version: Option<String>,
    /// `None`: we may not read it.
    configuration: Option<serde_json::Value>,
    /// What we lack, each with what would help.
    pub(super) missing: Vec<String>,
}

impl Us {
    /// Asks who we are and reads the server's settings.
    pub(super) async fn ask(token: TokenKind, wire: Reader<'_>) -> Result<Self, ConnectorError> {
        let (me, configuration) = tokio::join!(wire.get("/api/v4/users/me", &[]), wire.get("/api/v4/config", &[]));
        let me = me?;
        let user: User = read(wire, &me, "something else than a user to GET /users/me")?;
        let configuration = configuration?;
        let (configuration, hidden) = match configuration.status {
            400 | 403 | 404 => (None, Some(reply::refusal(&configuration))),
            _ => (Some(read(wire, &configuration, "something else than settings to GET /config")?), None),
        };
        let mut us = Self {
            is_admin: user.is_admin(),
            id: user.id,
            username: user.username,
            is_bot: user.is_bot,
            version: me.headers.get("x-version-id").and_then(|text| version(text)),
            configuration,
            missing: Vec::new(),
        };
        if !us.is_admin {
            us.missing.push(NOT_ADMIN.to_owned());
        }
        if let Some(refusal) = hidden {
            us.missing.push(format!(
                "the server's settings cannot be read, so whether addresses wait for verification and which domains are \
                 accepted is not foreseen: {}",
                refusal.reason
            ));
        }
        if token == TokenKind::Oauth {
            us.missing.push(
                "e-mail addresses cannot be changed: `token` is an OAuth2 application token; a personal access or bot \
                 token of an administrator could"
                    .to_owned(),
            );
        }
        if token == TokenKind::Bot && !us.is_bot {
            us.missing.push("`token_kind` says bot, but the token's user is no bot; correct `token_kind`".to_owned());
        }
        Ok(us)
    }

    /// What all accounts of one observation share.
    pub(super) fn facts(&self, token: TokenKind) -> Facts {
        let mut facts =
            Facts::from([("token_kind".to_owned(), token.word().into()), ("me".to_owned(), self.id.as_str().into())]);
        if let Some(version) = &self.version {
            facts.insert("version".to_owned(), version.as_str().into());
        }
        let setting = |path: &str| self.configuration.as_ref().and_then(|settings| settings.pointer(path));
        if let Some(required) = setting("/EmailSettings/RequireEmailVerification").and_then(serde_json::Value::as_bool)
        {
            facts.insert("require_email_verification".to_owned(), required.into());
        }
        for (name, path) in [
            ("restrict_creation_to_domains", "/TeamSettings/RestrictCreationToDomains"),
            ("restrict_guest_creation_to_domains", "/GuestAccountsSettings/RestrictCreationToDomains"),
        ] {
            if let Some(domains) = setting(path).and_then(serde_json::Value::as_str) {
                facts.insert(name.to_owned(), domains.into());
            }
        }
        facts
    }
}

/// The account whose own token the reader carries. What only administrators may read of the server is not asked for.
pub(super) async fn own(wire: Reader<'_>) -> Result<Observed, ConnectorError> {
    let reply = wire.get("/api/v4/users/me", &[]).await?;
    let user: User = read(wire, &reply, "something else than a user to GET /users/me")?;
    let mut server = Facts::from([("credential".to_owned(), "own".into()), ("me".to_owned(), user.id.as_str().into())]);
    if let Some(kind) = wire.own_token() {
        server.insert("token_kind".to_owned(), kind.word().into());
    }
    if let Some(version) = reply.headers.get("x-version-id").and_then(|text| version(text)) {
        server.insert("version".to_owned(), version.as_str().into());
    }
    let server = Arc::new(server);
    Ok(Observed { accounts: vec![user.account(wire.system(), &server)].into(), server, ..Observed::default() })
}

/// The wanted accounts, by id.
pub(super) async fn accounts(
    wanted: &Wanted,
    server: &Arc<Facts>,
    wire: Reader<'_>,
) -> Result<Accounts, ConnectorError> {
    let mut asked = Asked::new(wanted);
    let mut found = Found { accounts: AccountsById::default(), server, wire };
    if asked.walk {
        walk(&asked, None, &mut found).await?;
        // Pages move while they are turned: whoever is created or renamed pushes others over an edge.
        let missing = asked.without(&found);
        look_up_in_bulk(&missing, &mut found).await?;
    } else {
        look_up_in_bulk(&asked, &mut found).await?;
        // No two accounts hold one address (4.2), so those of whoever is found are not asked for.
        let email = AttributeName::new("email");
        for account in found.accounts.iter() {
            asked.addresses.remove(account.text(&email).unwrap_or_default());
        }
        match asked.way(wire).await? {
            Way::LookUps => look_up_addresses(&asked, &mut found).await?,
            Way::Pages(total) => walk(&asked, total, &mut found).await?,
        }
    }
    Ok(found.accounts.into_accounts())
}

/// What is wanted, as the server compares it.
struct Asked {
    ids: BTreeSet<String>,
    usernames: BTreeSet<String>,
    addresses: BTreeSet<String>,
    /// Something is wanted that there is no look-up for.
    walk: bool,
}

impl Asked {
    fn new(wanted: &Wanted) -> Self {
        let lower = |attribute| wanted.texts(attribute).map(value::lower);
        Self {
            ids: wanted.ids.iter().map(|id| id.as_str().to_owned()).collect(),
            usernames: lower("username").filter(|name| !name.is_empty()).collect(),
            // What holds no @ is nobody's address, and might be no honest part of a path.
            addresses: lower("email").filter(|address| address.contains('@')).collect(),
            walk: wanted.holding.keys().any(|attribute| !matches!(attribute.as_str(), "username" | "email")),
        }
    }

    /// How the addresses are looked for: there is no look-up of many.
    async fn way(&self, wire: Reader<'_>) -> Result<Way, ConnectorError> {
        let look_ups = self.addresses.len();
        if look_ups <= FEW {
            return Ok(Way::LookUps);
        }
        let reply = wire.get("/api/v4/users/stats", &[]).await?;
        let total = reply.read::<Stats>().ok().filter(|_| reply.is_success()).map(|stats| stats.total_users_count);
        let is_dear = look_ups > total.map_or(MANY, pages);
        Ok(if is_dear { Way::Pages(total) } else { Way::LookUps })
    }

    fn is(&self, user: &User) -> bool {
        self.walk
            || self.ids.contains(&user.id)
            || self.usernames.contains(&user.username)
            || self.addresses.contains(&user.email)
    }

    /// The ids and usernames that were not found.
    fn without(&self, found: &Found<'_>) -> Self {
        let username = AttributeName::new("username");
        let held: BTreeSet<String> =
            found.accounts.iter().filter_map(|account| account.text(&username)).map(str::to_owned).collect();
        let is_found = |id: &String| found.accounts.contains(&AccountId::from(id.as_str()));
        Self {
            ids: self.ids.iter().filter(|id| !is_found(id)).cloned().collect(),
            usernames: self.usernames.difference(&held).cloned().collect(),
            addresses: BTreeSet::new(),
            walk: false,
        }
    }
}

/// How addresses are looked for.
enum Way {
    LookUps,
    /// Of so many users, where the server tells.
    Pages(Option<usize>),
}

/// How many pages so many users fill: the last is one that is not full.
fn pages(total: usize) -> usize {
    total / PER_PAGE + 1
}

/// What was found, each account once.
struct Found<'a> {
    accounts: AccountsById,
    server: &'a Arc<Facts>,
    wire: Reader<'a>,
}

impl Found<'_> {
    fn add(&mut self, user: User) {
        self.accounts.insert(&user.account(self.wire.system(), self.server));
    }
}

/// The answer to `GET /users/stats`.
#[derive(Deserialize)]
struct Stats {
    total_users_count: usize,
}

/// Reads everybody. No page is asked for that nobody stands on, as far as that is told.
async fn walk(asked: &Asked, total: Option<usize>, found: &mut Found<'_>) -> Result<(), ConnectorError> {
    let wire = found.wire;
    let mut read = Pages::default();
    let mut first = 0;
    loop {
        let left = total.map_or(SIDE_BY_SIDE, |total| pages(total).saturating_sub(first));
        let next = first + left.clamp(1, SIDE_BY_SIDE);
        let pages = try_join_all((first..next).map(|page| read_page(wire, page))).await?;
        first = next;
        let is_last = pages.iter().any(|page| page.len() < PER_PAGE);
        if !is_last {
            let strange = |what: &str| ConnectorError::Strange { system: wire.system().clone(), what: what.to_owned() };
            read.turn(pages.iter().flatten().map(|user| user.id.clone())).map_err(strange)?;
        }
        pages.into_iter().flatten().filter(|user| asked.is(user)).for_each(|user| found.add(user));
        if is_last {
            return Ok(());
        }
    }
}

async fn read_page(wire: Reader<'_>, page: usize) -> Result<Vec<User>, ConnectorError> {
    let (page, per_page) = (page.to_string(), PER_PAGE.to_string());
    let reply = wire.get("/api/v4/users", &[("page", &page), ("per_page", &per_page)]).await?;
    read_users(wire, &reply)
}

async fn look_up_in_bulk(asked: &Asked, found: &mut Found<'_>) -> Result<(), ConnectorError> {
    look_up_by(BY_ID, &asked.ids, found).await?;
    // Whoever was found by id is not asked for by name.
    look_up_by(BY_USERNAME, &asked.without(found).usernames, found).await
}

async fn look_up_by(path: &str, asked: &BTreeSet<String>, found: &mut Found<'_>) -> Result<(), ConnectorError> {
    let wire = found.wire;
    let texts: Vec<&String> = asked.iter().collect();
    let answers = try_join_all(texts.chunks(BULK).map(async |texts| {
        let reply = wire.search(path, &json!(texts)).await?;
        read_users(wire, &reply)
    }))
    .await?;
    let users: Vec<User> = answers.into_iter().flatten().collect();
    let is_it = |user: &User| {
        if path == BY_ID { asked.contains(&user.id) } else { asked.contains(&value::lower(&user.username)) }
    };
    if !users.iter().all(is_it) {
        let what = "another user than those that were asked for".to_owned();
        return Err(ConnectorError::Strange { system: wire.system().clone(), what });
    }
    for user in users {
        found.add(user);
    }
    Ok(())
}

async fn look_up_addresses(asked: &Asked, found: &mut Found<'_>) -> Result<(), ConnectorError> {
    let wire = found.wire;
    let answers = try_join_all(asked.addresses.iter().map(async |address| {
        let reply = wire.get(&format!("/api/v4/users/email/{}", segment(address)), &[]).await?;
        match reply.status {
            // Unknown, or no address at all: nobody holds it.
            400 | 404 if reply.json().is_some() => Ok(None),
            _ => read::<User>(wire, &reply, "something else than a user to GET /users/email").map(Some),
        }
    }))
    .await?;
    answers.into_iter().flatten().for_each(|user| found.add(user));
    Ok(())
}

fn read_users(wire: Reader<'_>, reply: &Reply) -> Result<Vec<User>, ConnectorError> {
    // An empty list may be written `null`.
    Ok(read::<Option<Vec<User>>>(wire, reply, "something else than a list of users")?.unwrap_or_default())
}

/// The body of a success; a no is an error, and so is a body that is something else.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    wire: Reader<'_>,
    reply: &Reply,
    what: &str,
) -> Result<T, ConnectorError> {
    if !reply.is_success() {
        return Err(refused(wire, reply::refusal(reply)));
    }
    let system = wire.system().clone();
    reply.read().map_err(|_| ConnectorError::Strange { system, what: what.to_owned() })
}

/// A no, as this room's error.
pub(super) fn refused(wire: Reader<'_>, refusal: Refusal) -> ConnectorError {
    ConnectorError::Refused { system: wire.system().clone(), refusal }
}

/// The error of somebody who may not see what has to be seen.
pub(super) fn not_admin(wire: Reader<'_>) -> ConnectorError {
    refused(wire, Refusal::new(RefusalKind::Forbidden, NOT_ADMIN))
}

/// The version in `X-Version-Id`: three numbers, before build number, digest and licence (`mattermost.md` 1.2).
fn version(text: &str) -> Option<String> {
    let numbers: Vec<&str> = text.split('.').take(3).collect();
    let are_numbers = numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u32>().is_ok());
    are_numbers.then(|| numbers.join("."))
}

/// One part of a path, percent-encoded.
pub(super) fn segment(text: &str) -> String {
    use std::fmt::Write;
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => {
                // Writing to a text cannot fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
        sync::Mutex,
        thread,
        time::Duration,
    };

    use super::*;
    use crate::{
        connector::Connector,
        connector::mattermost::{Mattermost, settings::Settings},
        model::{capability::Scheme, secret::Secret},
        wire::{Credential, Habits, Line, Reach},
    };

    /// What a scripted server holds; it knows the six questions of this file and answers as Mattermost does.
    #[derive(Default)]
    struct World {
        roles: &'static str,
        bot: bool,
        users: Vec<serde_json::Value>,
        /// Shown by id, but on no page: as one that moved while pages were turned.
        moved: Option<serde_json::Value>,
        total: Option<usize>,
        /// Ignores the number of the page.
        stuck: bool,
        /// Answers this instead: status, body.
        instead: BTreeMap<&'static str, (u16, &'static str)>,
        asked: Mutex<Vec<String>>,
    }

    fn user(number: usize) -> serde_json::Value {
        json!({
            "id": format!("id{number:04}"), "username": format!("name{number:04}"), "email": format!("n{number:04}@b.c"),
            "delete_at": if number % 7 == 3 { 17 } else { 0 }, "auth_service": "", "roles": "system_user"
        })
    }

    fn admin(users: usize) -> World {
        World {
            roles: "system_user system_admin",
            users: (0..users).map(user).collect(),
            total: Some(users),
            ..World::default()
        }
    }

    impl World {
        fn answer(&self, method: &str, target: &str, body: &serde_json::Value) -> (u16, String) {
            self.asked.lock().unwrap().push(format!("{method} {target}"));
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            if let Some((status, body)) = self.instead.get(path) {
                return (*status, (*body).to_owned());
            }
            let missing = || (404, json!({ "id": "app.user.missing_account.const", "message": "" }).to_string());
            let everybody = || self.users.iter().chain(&self.moved);
            let holding = |field: &str| -> (u16, String) {
                let wanted = body.as_array().unwrap();
                let found: Vec<_> = everybody().filter(|user| wanted.contains(&user[field])).collect();
                (200, json!(found).to_string())
            };
            match (method, path) {
                ("GET", "/api/v4/users/me") => {
                    let mut me = user(9999);
                    me["username"] = "homeward".into();
                    me["roles"] = self.roles.into();
                    me["is_bot"] = self.bot.into();
                    (200, me.to_string())
                }
                ("GET", "/api/v4/config") => {
                    let settings = json!({
                        "EmailSettings": { "RequireEmailVerification": true },
                        "TeamSettings": { "RestrictCreationToDomains": "b.c" },
                        "GuestAccountsSettings": { "RestrictCreationToDomains": "" }
                    });
                    (200, settings.to_string())
                }
                ("GET", "/api/v4/users/stats") => {
                    self.total.map_or_else(missing, |total| (200, json!({ "total_users_count": total }).to_string()))
                }
                ("POST", "/api/v4/users/ids") => holding("id"),
                ("POST", "/api/v4/users/usernames") => holding("username"),
                ("GET", "/api/v4/users") => {
                    let number = |name: &str| -> usize {
                        query.split('&').find_map(|part| part.strip_prefix(name)).unwrap().parse().unwrap()
                    };
                    let first = if self.stuck { 0 } else { number("page=") * number("per_page=") };
                    let page: Vec<_> = self.users.iter().skip(first).take(number("per_page=")).collect();
                    (200, json!(page).to_string())
                }
                _ => {
                    let address = path.strip_prefix("/api/v4/users/email/").unwrap().replace("%40", "@");
                    everybody()
                        .find(|user| user["email"] == address.as_str())
                        .map_or_else(missing, |user| (200, user.to_string()))
                }
            }
        }

        fn asked(&self) -> Vec<String> {
            let mut asked = self.asked.lock().unwrap().clone();
            asked.sort();
            asked.retain(|question| !question.ends_with("/users/me") && !question.ends_with("/config"));
            asked
        }
    }

    /// Serves the world on a free port until the test ends.
    fn serve(world: &Arc<World>) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let world = Arc::clone(world);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, world) = (stream.unwrap(), Arc::clone(&world));
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut lines = reader.by_ref().lines().map_while(Result::ok);
                    let Some(first) = lines.next() else { return };
                    let length = lines
                        .take_while(|line| !line.is_empty())
                        .filter_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                        .last()
                        .unwrap_or(0_usize);
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let mut words = first.split(' ');
                    let (method, target) = (words.next().unwrap(), words.next().unwrap());
                    let body = serde_json::from_slice(&body).unwrap_or_default();
                    let (status, text) = world.answer(method, target, &body);
                    let head = format!("HTTP/1.1 {status} X\r\nX-Version-Id: 11.3.0.11.3.0.0123abcd.false\r\n");
                    let end = format!("Content-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
                    let _ = stream.write_all(format!("{head}{end}").as_bytes());
                });
            }
        });
        Line::new(Reach {
            system: "chat".into(),
            url,
            credential: Credential::Token(Secret::new("t")),
            scheme: Scheme::Bearer,
            concurrency: 4,
            timeout: Duration::from_secs(30),
            habits: Habits::default(),
            route: crate::wire::Route::default(),
        })
        .unwrap()
    }

    fn connector(token_kind: TokenKind) -> Mattermost {
        Mattermost { settings: Settings { token_kind }, us: tokio::sync::OnceCell::new() }
    }

    fn wanted(ids: &[usize], usernames: &[&str], addresses: &[&str]) -> Wanted {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Wanted {
            ids: ids.iter().map(|number| format!("id{number:04}").into()).collect(),
            holding: [("username", usernames), ("email", addresses)]
                .map(|(name, values)| (AttributeName::new(name), texts(values)))
                .into(),
            ..Wanted::default()
        }
    }

    async fn seen(world: &Arc<World>, wanted: &Wanted) -> Result<Vec<String>, ConnectorError> {
        let line = serve(world);
        let observed = connector(TokenKind::Personal).observe(wanted, &line.reader()).await?;
        Ok(observed.accounts.into_iter().filter_map(|account| account.id).map(|id| id.to_string()).collect())
    }

    #[tokio::test]
    async fn a_few_are_looked_up_whatever_their_letters_and_whether_active_or_not() {
        let world = Arc::new(admin(1000));
        let wanted = wanted(&[3, 4, 5000], &["NAME0004", "name0005", "nobody"], &["N0010@B.C", "x@b.c"]);
        assert_eq!(seen(&world, &wanted).await.unwrap(), ["id0003", "id0004", "id0005", "id0010"]);
        assert_eq!(
            world.asked(),
            [
                "GET /api/v4/users/email/n0010%40b.c",
                "GET /api/v4/users/email/x%40b.c",
                "POST /api/v4/users/ids",
                "POST /api/v4/users/usernames"
            ]
        );
    }

    #[tokio::test]
    async fn many_addresses_are_read_page_by_page_and_show_the_same() {
        let addresses: Vec<String> = (0..60).map(|number| format!("n{:04}@b.c", number * 10)).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let wanted = wanted(&[1], &["name0002"], &addresses);
        let walked = Arc::new(admin(600));
        let seen_walking = seen(&walked, &wanted).await.unwrap();
        assert_eq!(
            walked.asked(),
            [
                "GET /api/v4/users/stats",
                "GET /api/v4/users?page=0&per_page=200",
                "GET /api/v4/users?page=1&per_page=200",
                "GET /api/v4/users?page=2&per_page=200",
                "GET /api/v4/users?page=3&per_page=200",
                "POST /api/v4/users/ids",
                "POST /api/v4/users/usernames",
            ]
        );
        let looked = Arc::new(World { total: Some(1_000_000), ..admin(600) });
        let seen_looking = seen(&looked, &wanted).await.unwrap();
        assert_eq!(looked.asked().len(), 63);
        assert_eq!(seen_walking, seen_looking);
        assert_eq!(seen_walking.len(), 62);
    }

    #[tokio::test]
    async fn a_walk_goes_on_past_full_pages_and_finds_the_last() {
        let world = Arc::new(admin(801));
        let addresses = ["n0000@b.c", "n0800@b.c", "a@b.c", "b@b.c", "c@b.c", "d@b.c"];
        assert_eq!(seen(&world, &wanted(&[], &[], &addresses)).await.unwrap(), ["id0000", "id0800"]);
        assert_eq!(world.asked().len(), 1 + 5);
    }

    #[tokio::test]
    async fn who_moved_between_pages_is_looked_up() {
        let world = Arc::new(World { moved: Some(user(700)), ..admin(10) });
        let addresses = ["a@b.c", "b@b.c", "c@b.c", "d@b.c", "e@b.c"];
        assert_eq!(seen(&world, &wanted(&[1, 700], &[], &addresses)).await.unwrap(), ["id0001", "id0700"]);
        assert_eq!(world.asked().last().map(String::as_str), Some("POST /api/v4/users/ids"));
    }

    #[tokio::test]
    async fn without_a_total_fifty_look_ups_are_made_and_not_more() {
        for (count, walks) in [(50, false), (51, true)] {
            let world = Arc::new(World { total: None, ..admin(300) });
            let addresses: Vec<String> = (0..count).map(|number| format!("n{number:04}@b.c")).collect();
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            assert_eq!(seen(&world, &wanted(&[], &[], &addresses)).await.unwrap().len(), count);
            assert_eq!(world.asked().iter().any(|question| question.contains("?page=")), walks, "{count}");
        }
    }

    #[tokio::test]
    async fn more_than_a_thousand_ids_are_asked_for_in_parts() {
        let world = Arc::new(admin(1500));
        let ids: Vec<usize> = (0..1500).collect();
        assert_eq!(seen(&world, &wanted(&ids, &[], &[])).await.unwrap().len(), 1500);
        assert_eq!(world.asked(), ["POST /api/v4/users/ids", "POST /api/v4/users/ids"]);
    }

    #[tokio::test]
    async fn nothing_wanted_asks_for_the_server_only() {
        let world = Arc::new(admin(10));
        let line = serve(&world);
        let observed = connector(TokenKind::Bot).observe(&Wanted::default(), &line.reader()).await.unwrap();
        assert!(observed.accounts.is_empty());
        assert_eq!(
            *observed.server,
            Facts::from([
                ("me".to_owned(), "id9999".into()),
                ("token_kind".to_owned(), "bot".into()),
                ("version".to_owned(), "11.3.0".into()),
                ("require_email_verification".to_owned(), true.into()),
                ("restrict_creation_to_domains".to_owned(), "b.c".into()),
                ("restrict_guest_creation_to_domains".to_owned(), "".into()),
            ])
        );
        assert_eq!(observed.warnings, ["`token_kind` says bot, but the token's user is no bot; correct `token_kind`"]);
        assert_eq!(world.asked(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn who_is_no_administrator_sees_too_little_to_observe() {
        let permissions = r#"{"id":"api.context.permissions.app_error","message":""}"#;
        let instead = BTreeMap::from([("/api/v4/config", (403, permissions))]);
        let world = Arc::new(World { roles: "system_user", instead, ..admin(10) });
        let line = serve(&world);
        let connector = connector(TokenKind::Oauth);
        let error = connector.observe(&wanted(&[1], &[], &[]), &line.reader()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("chat refused to be read (forbidden: {NOT_ADMIN})"));
        assert_eq!(world.asked(), Vec::<String>::new());

        let standing = connector.standing(&line.reader()).await.unwrap();
        assert_eq!((&*standing.server, &*standing.we_are), ("Mattermost 11.3.0", "homeward (no administrator)"));
        assert_eq!(
            standing.missing,
            [
                NOT_ADMIN,
                "the server's settings cannot be read, so whether addresses wait for verification and which domains are \
                 accepted is not foreseen: the token may not do this; an administrator's personal access or bot token \
                 may",
                "e-mail addresses cannot be changed: `token` is an OAuth2 application token; a personal access or bot \
                 token of an administrator could",
            ]
        );
    }

    #[tokio::test]
    async fn an_administrator_lacks_nothing() {
        let world = Arc::new(World { bot: true, ..admin(0) });
        let line = serve(&world);
        let standing = connector(TokenKind::Bot).standing(&line.reader()).await.unwrap();
        assert_eq!(&*standing.we_are, "homeward (bot, administrator)");
        assert_eq!(standing.missing, Vec::<String>::new());
    }

    #[tokio::test]
    async fn half_an_answer_is_no_answer() {
        let denied = r#"{"id":"api.context.session_expired.app_error","message":""}"#;
        let token = "forbidden: the token is not accepted: it is wrong, expired or revoked, or its user is deactivated";
        let alone = "the answer is not one of Mattermost's; is the url right, is there a proxy between?";
        for (path, status, body, expected) in [
            ("/api/v4/users/me", 401, denied, format!("chat refused to be read ({token})")),
            ("/api/v4/users/me", 404, "<html>", format!("chat refused to be read (unavailable: {alone})")),
            ("/api/v4/users/me", 200, "<html>", "chat answered something else than a user to GET /users/me".to_owned()),
            ("/api/v4/users/ids", 200, "[{}]", "chat answered something else than a list of users".to_owned()),
            ("/api/v4/users/email/n0002%40b.c", 404, "gone", format!("chat refused to be read (unavailable: {alone})")),
        ] {
            let world = Arc::new(World { instead: BTreeMap::from([(path, (status, body))]), ..admin(10) });
            let error = seen(&world, &wanted(&[1], &[], &["n0002@b.c"])).await.unwrap_err();
            assert_eq!(error.to_string(), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_one_is_nobodys() {
        let malformed = r#"{"id":"api.context.invalid_url_param.app_error","message":""}"#;
        let instead = BTreeMap::from([("/api/v4/users/email/a%20b%40b.c", (400, malformed))]);
        let world = Arc::new(World { instead, ..admin(10) });
        let nobody: [&str; 0] = [];
        assert_eq!(seen(&world, &wanted(&[], &[""], &["", "..", "a b@b.c"])).await.unwrap(), nobody);
        assert_eq!(world.asked(), ["GET /api/v4/users/email/a%20b%40b.c"]);
    }

    #[tokio::test]
    async fn a_server_that_shows_one_page_for_ever_is_left() {
        let world = Arc::new(World { stuck: true, ..admin(200) });
        let addresses = ["a@b.c", "b@b.c", "c@b.c", "d@b.c", "e@b.c"];
        let error = seen(&world, &wanted(&[], &[], &addresses)).await.unwrap_err();
        assert_eq!(error.to_string(), "chat answered the same page again instead of the next");
    }

    #[test]
    fn a_version_is_three_numbers_or_unknown() {
        assert_eq!(version("11.3.0.11.3.0.0123abcd.false").as_deref(), Some("11.3.0"));
        assert_eq!(version("9.11.5").as_deref(), Some("9.11.5"));
        assert_eq!(version("dev.build"), None);
        assert_eq!(version(""), None);
    }
}
