//! What a seed may say, and the server it makes.
//!
//! Strict where it reads, generous where it is silent: an administrator with a token of every kind is always there.

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::strict,
    clock,
    server::Server,
    session::Kind,
    settings::Settings,
    teams::{Channel, Team},
    user::{User, default_notify_props, default_timezone},
};

/// The administrator every server has.
const ADMINISTRATOR: &str = "sysadmin";

/// The bot that owns the bot token.
const BOT: &str = "homeward-bot";

/// The password of everybody the seed gives none.
pub(super) const PASSWORD: &str = "homeward-lab";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Seed {
    settings: Value,
    tokens: Vec<Value>,
    users: Vec<Value>,
    groups: Vec<String>,
    teams: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedToken {
    user: Option<String>,
    kind: Option<Kind>,
    token: Option<String>,
    /// True: it was good once. Nobody can tell it from one that never was.
    expired: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedTeam {
    id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
    email: Option<String>,
    allowed_domains: Option<String>,
    group_constrained: Option<bool>,
    delete_at: Option<i64>,
    members: Vec<String>,
    channels: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeedChannel {
    id: Option<String>,
    name: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    group_constrained: Option<bool>,
    delete_at: Option<i64>,
    members: Vec<String>,
}

/// Fields of a stored user, as a seed or a meddling colleague gives them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fields {
    id: Option<String>,
    username: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    nickname: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    position: Option<String>,
    roles: Option<String>,
    locale: Option<String>,
    timezone: Option<std::collections::BTreeMap<String, String>>,
    props: Option<std::collections::BTreeMap<String, String>>,
    notify_props: Option<std::collections::BTreeMap<String, String>>,
    auth_service: Option<String>,
    auth_data: Option<String>,
    delete_at: Option<i64>,
    last_picture_update: Option<i64>,
    failed_attempts: Option<i64>,
    is_bot: Option<bool>,
    bot_description: Option<String>,
    /// The username of a bot's owner.
    bot_owner: Option<String>,
    remote_id: Option<String>,
    password: Option<String>,
}

impl Fields {
    pub(super) fn read(place: &str, value: &Value) -> Result<Self, String> {
        let fields: Self = strict::read(place, value)?;
        match &fields.id {
            Some(id) if !is_id(id) => Err(format!("{place}.id: `{id}` is not an id (26 letters or digits)")),
            _ => Ok(fields),
        }
    }

    pub(super) fn names_an_id(&self) -> bool {
        self.id.is_some()
    }

    /// Puts the given fields into a user, unchecked, as something other than the interface would.
    pub(super) fn put_into(self, user: &mut User) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut user.id, self.id);
        set(&mut user.username, self.username.map(|name| name.to_lowercase()));
        set(&mut user.email, self.email.map(|email| email.to_lowercase()));
        set(&mut user.email_verified, self.email_verified);
        set(&mut user.nickname, self.nickname);
        set(&mut user.first_name, self.first_name);
        set(&mut user.last_name, self.last_name);
        set(&mut user.position, self.position);
        set(&mut user.roles, self.roles);
        set(&mut user.locale, self.locale);
        set(&mut user.timezone, self.timezone);
        set(&mut user.props, self.props);
        set(&mut user.notify_props, self.notify_props);
        set(&mut user.auth_service, self.auth_service);
        set(&mut user.auth_data, self.auth_data.map(|data| (!data.is_empty()).then_some(data)));
        set(&mut user.delete_at, self.delete_at);
        set(&mut user.last_picture_update, self.last_picture_update);
        set(&mut user.failed_attempts, self.failed_attempts);
        set(&mut user.is_bot, self.is_bot);
        set(&mut user.bot_description, self.bot_description);
        set(&mut user.bot_owner, self.bot_owner);
        set(&mut user.remote_id, self.remote_id.map(Some));
        set(&mut user.password, self.password);
    }
}

/// The server a seed describes, and our tokens by kind.
pub(super) fn plant(seed: &Value) -> Result<Server, String> {
    let seed: Seed = strict::read("", seed)?;
    let settings = match &seed.settings {
        Value::Null => Settings::default(),
        settings => Settings::default().merged(settings)?,
    };
    let mut server = Server::new(settings);
    server.groups = seed.groups.into_iter().map(|name| name.to_lowercase()).collect();

    for (position, value) in (0_u64..).zip(&seed.users) {
        let place = format!("users[{position}]");
        let fields = Fields::read(&place, value)?;
        let Some(username) = fields.username.as_deref().filter(|name| !name.is_empty()) else {
            return Err(format!("{place}.username: a user needs one"));
        };
        let user = fresh(&mut server, clock::id("user", position), username);
        add(&mut server, &place, user, fields)?;
    }
    for (username, number) in [(ADMINISTRATOR, 0), (BOT, 1)] {
        if server.users.by_username(username).is_none() {
            let user = fresh(&mut server, clock::id("administration", number), username);
            add(&mut server, username, user, Fields::default())?;
        }
    }
    plant_owners(&mut server)?;
    plant_tokens(&mut server, &seed.tokens)?;
    for (position, value) in (0_u64..).zip(&seed.teams) {
        plant_team(&mut server, position, value)?;
    }
    Ok(server)
}

/// True for 26 letters or digits.
pub(super) fn is_id(id: &str) -> bool {
    id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A user with everything that a seed leaves out.
pub(super) fn fresh(server: &mut Server, id: String, username: &str) -> User {
    let now = server.clock.tick();
    let is_bot = username == BOT;
    let is_administrator = is_bot || username == ADMINISTRATOR;
    User {
        id,
        create_at: now,
        update_at: now,
        username: username.to_lowercase(),
        email: format!("{}@{}", username.to_lowercase(), if is_bot { "localhost" } else { "example.com" }),
        email_verified: true,
        roles: if is_administrator { "system_user system_admin" } else { "system_user" }.to_owned(),
        locale: "en".to_owned(),
        notify_props: default_notify_props(),
        timezone: default_timezone(),
        is_bot,
        bot_owner: if is_bot { ADMINISTRATOR.to_owned() } else { String::new() },
        ..User::default()
    }
}

fn add(server: &mut Server, place: &str, mut user: User, fields: Fields) -> Result<(), String> {
    fields.put_into(&mut user);
    if user.auth_service.is_empty() != user.auth_data.is_none() {
        return Err(format!("{place}.auth_data: an account has both `auth_service` and `auth_data`, or neither"));
    }
    if user.auth_service.is_empty() && !user.is_bot && user.password.is_empty() {
        PASSWORD.clone_into(&mut user.password);
    }
    user.validate().map_err(|error| format!("{place}: {}", error.message))?;
    let username = user.username.clone();
    let email = user.email.clone();
    server.users.put(user).map_err(|taken| match taken {
        super::directory::Taken::Email => format!("{place}.email: `{email}` is given twice"),
        taken => format!("{place}.{}: given twice (`{username}`)", taken.name()),
    })
}

/// Bots name their owners by username; the server knows ids.
fn plant_owners(server: &mut Server) -> Result<(), String> {
    let bots: Vec<User> = server.users.by_id().filter(|user| user.is_bot).cloned().collect();
    for mut bot in bots {
        let owner = if bot.bot_owner.is_empty() { ADMINISTRATOR } else { bot.bot_owner.as_str() };
        let Some(owner) = server.users.named(owner) else {
            return Err(format!("bot `{}`: nobody is called `{owner}`", bot.username));
        };
        bot.bot_owner.clone_from(&owner.id);
        server.users.put(bot).map_err(|taken| format!("{}: given twice", taken.name()))?;
    }
    Ok(())
}

fn plant_tokens(server: &mut Server, tokens: &[Value]) -> Result<(), String> {
    for (position, value) in (0_u64..).zip(tokens) {
        let place = format!("tokens[{position}]");
        let token: SeedToken = strict::read(&place, value)?;
        let kind = token.kind.unwrap_or(Kind::Personal);
        let name = token.user.unwrap_or_else(|| if kind == Kind::Bot { BOT } else { ADMINISTRATOR }.to_owned());
        let Some(user) = server.users.named(&name) else {
            return Err(format!("{place}.user: nobody is called `{name}`"));
        };
        if user.is_bot != (kind == Kind::Bot) {
            return Err(format!("{place}.kind: a bot has bot tokens and nobody else has (`{name}`)"));
        }
        let ours = user.username == if kind == Kind::Bot { BOT } else { ADMINISTRATOR };
        let text = token.token.unwrap_or_else(|| if ours { our_token(kind) } else { clock::id("token", position) });
        if text.is_empty() || text.len() > 50 {
            return Err(format!("{place}.token: a token has 1 to 50 characters"));
        }
        let user = user.id.clone();
        if token.expired {
            continue;
        }
        if ours {
            server.our_tokens.entry(kind.name()).or_insert_with(|| text.clone());
        }
        server.sessions.add(text, user, kind);
    }
    for kind in Kind::ALL {
        if server.our_tokens.contains_key(kind.name()) {
            continue;
        }
        let owner = if kind == Kind::Bot { BOT } else { ADMINISTRATOR };
        if let Some(owner) = server.users.by_username(owner).map(|user| user.id.clone()) {
            server.our_tokens.insert(kind.name(), our_token(kind));
            server.sessions.add(our_token(kind), owner, kind);
        }
    }
    Ok(())
}

/// A token that can be recognised, 26 characters long like all of them.
fn our_token(kind: Kind) -> String {
    format!("lab-mattermost-{}-{}", kind.name(), clock::id("our token", 0)).chars().take(26).collect()
}

fn plant_team(server: &mut Server, position: u64, value: &Value) -> Result<(), String> {
    let place = format!("teams[{position}]");
    let seed: SeedTeam = strict::read(&place, value)?;
    let Some(name) = seed.name else { return Err(format!("{place}.name: a team needs one")) };
    let id = seed.id.unwrap_or_else(|| clock::id("team", position));
    if !is_id(&id) {
        return Err(format!("{place}.id: `{id}` is not an id (26 letters or digits)"));
    }
    let mut channels = Vec::new();
    for (number, standard) in (0_u64..).zip(["town-square", "off-topic"]) {
        channels.push(Channel::new(clock::id("channel", position * 1000 + number), standard));
    }
    let mut members = Vec::new();
    for (number, value) in (2_u64..).zip(&seed.channels) {
        let place = format!("{place}.channels[{}]", number - 2);
        let seed: SeedChannel = strict::read(&place, value)?;
        let Some(name) = seed.name else { return Err(format!("{place}.name: a channel needs one")) };
        let mut channel = Channel::new(clock::id("channel", position * 1000 + number), &name);
        channel.id = seed.id.unwrap_or(channel.id);
        channel.kind = seed.kind.unwrap_or(channel.kind);
        channel.group_constrained = seed.group_constrained.unwrap_or_default();
        channel.delete_at = seed.delete_at.unwrap_or_default();
        members.push((channel.id.clone(), place, seed.members));
        channels.push(channel);
    }
    let team = Team {
        id: id.clone(),
        display_name: seed.display_name.unwrap_or_else(|| name.clone()),
        name,
        email: seed.email.unwrap_or_default(),
        allowed_domains: seed.allowed_domains.unwrap_or_default(),
        group_constrained: seed.group_constrained.unwrap_or_default(),
        create_at: server.clock.tick(),
        delete_at: seed.delete_at.unwrap_or_default(),
        members: std::collections::BTreeMap::new(),
    };
    server.teams.plant(team, channels);
    let find = |server: &Server, place: &str, name: &str| {
        let user = server.users.named(name).map(|user| (user.id.clone(), user.is_guest()));
        user.ok_or_else(|| format!("{place}.members: nobody is called `{name}`"))
    };
    for name in &seed.members {
        let (user, is_guest) = find(server, &place, name)?;
        server.teams.seat(&id, &user, is_guest);
    }
    for (channel, place, names) in members {
        for name in names {
            let (user, is_guest) = find(server, &place, &name)?;
            server.teams.seat_in_channel(&channel, &user, is_guest);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_seed_has_an_administrator_and_a_token_of_every_kind() {
        let server = plant(&json!({})).unwrap();
        assert!(server.users.by_username(ADMINISTRATOR).unwrap().is_administrator());
        assert!(server.users.by_username(BOT).unwrap().is_administrator());
        let kinds: Vec<&str> = server.our_tokens.keys().copied().collect();
        assert_eq!(kinds, ["bot", "oauth", "personal", "session"]);
        assert!(server.our_tokens.values().all(|token| token.len() == 26), "{:?}", server.our_tokens);
    }

    #[test]
    fn the_same_seed_makes_the_same_server() {
        let seed = json!({ "users": [{ "username": "anna" }], "teams": [{ "name": "crew", "members": ["anna"] }] });
        assert_eq!(plant(&seed).unwrap().dump(), plant(&seed).unwrap().dump());
    }

    #[test]
    fn a_wrong_seed_names_the_field() {
        for (seed, start) in [
            (json!([]), "the seed: an object is expected"),
            (json!({ "user": [] }), "user: unknown field `user`"),
            (
                json!({ "users": [{ "username": "anna" }, { "usrname": "b" }] }),
                "users[1].usrname: unknown field `usrname`",
            ),
            (json!({ "users": [{ "username": 5 }] }), "users[0].username: invalid type"),
            (json!({ "users": [{}] }), "users[0].username: a user needs one"),
            (json!({ "users": [{ "username": "an na" }] }), "users[0]: Username must begin"),
            (json!({ "users": [{ "username": "a", "id": "short" }] }), "users[0].id: `short` is not an id"),
            (json!({ "users": [{ "username": "a", "auth_data": "4" }] }), "users[0].auth_data: an account has both"),
            (
                json!({ "users": [{ "username": "a" }, { "username": "A", "email": "b@example.com" }] }),
                "users[1].username: ",
            ),
            (
                json!({ "users": [{ "username": "a" }, { "username": "b", "email": "a@example.com" }] }),
                "users[1].email: ",
            ),
            (json!({ "tokens": [{ "user": "nobody" }] }), "tokens[0].user: nobody is called `nobody`"),
            (json!({ "tokens": [{ "kind": "saml" }] }), "tokens[0].kind: unknown variant"),
            (json!({ "settings": { "ladp": true } }), "settings.ladp: unknown field"),
            (json!({ "teams": [{ "name": "t", "members": ["nobody"] }] }), "teams[0].members: nobody is called"),
        ] {
            let error = plant(&seed).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
