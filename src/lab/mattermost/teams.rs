//! Teams and who is in them (`mattermost.md` 8). Channels are kept here too, since whoever leaves a team leaves its
//! channels; their routes are in `channels.rs`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body,
    seed::is_id,
    server::{Permission, Server},
    session::Session,
    settings::in_domains,
    user::User,
};

/// The channels everybody but guests joins with a team.
const DEFAULT_CHANNELS: [&str; 2] = ["town-square", "off-topic"];

/// The most one call adds.
const LARGEST_BATCH: usize = 256;

/// One team.
#[derive(Clone, Debug)]
pub(super) struct Team {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) display_name: String,
    pub(super) email: String,
    pub(super) allowed_domains: String,
    /// True: a group decides who is in it, and nobody else.
    pub(super) group_constrained: bool,
    pub(super) create_at: i64,
    /// When it was archived; 0: it is in use.
    pub(super) delete_at: i64,
    pub(super) members: BTreeMap<String, Member>,
}

/// One channel.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) id: String,
    pub(super) team: String,
    pub(super) name: String,
    /// `O` open, `P` private, `D` and `G` direct messages.
    pub(super) kind: String,
    pub(super) group_constrained: bool,
    /// When it was archived; 0: it is in use.
    pub(super) delete_at: i64,
    pub(super) members: BTreeMap<String, Member>,
}

/// Somebody's place in a team or channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// When she left; 0: she is there.
    pub(super) delete_at: i64,
    pub(super) is_admin: bool,
    pub(super) is_guest: bool,
}

/// All teams and channels, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Teams {
    pub(super) teams: BTreeMap<String, Team>,
    pub(super) channels: BTreeMap<String, Channel>,
}

impl Channel {
    pub(super) fn new(id: String, name: &str) -> Self {
        Self {
            id,
            team: String::new(),
            name: name.to_owned(),
            kind: "O".to_owned(),
            group_constrained: false,
            delete_at: 0,
            members: BTreeMap::new(),
        }
    }
}

impl Team {
    fn view(&self) -> Value {
        json!({
            "id": self.id, "create_at": self.create_at, "update_at": self.create_at,
            "delete_at": self.delete_at, "display_name": self.display_name, "name": self.name, "email": self.email, "type": "O",
            "allowed_domains": self.allowed_domains, "group_constrained": self.group_constrained,
        })
    }

    fn member_view(&self, user: &str, member: Member) -> Value {
        json!({
            "team_id": self.id, "user_id": user, "roles": roles("team", member), "delete_at": member.delete_at,
            "scheme_guest": member.is_guest, "scheme_user": !member.is_guest, "scheme_admin": member.is_admin,
            "explicit_roles": "",
        })
    }
}

/// The roles a place comes with.
pub(super) fn roles(of: &str, member: Member) -> String {
    match (member.is_guest, member.is_admin) {
        (true, _) => format!("{of}_guest"),
        (false, true) => format!("{of}_user {of}_admin"),
        (false, false) => format!("{of}_user"),
    }
}

impl Teams {
    /// Adds a team and its channels.
    pub(super) fn plant(&mut self, team: Team, channels: Vec<Channel>) {
        for channel in channels {
            self.channels.insert(channel.id.clone(), Channel { team: team.id.clone(), ..channel });
        }
        self.teams.insert(team.id.clone(), team);
    }

    /// Makes somebody a member without asking anything.
    pub(super) fn seat(&mut self, team: &str, user: &str, is_guest: bool) {
        self.join(team, user, Member { is_guest, ..Member::default() });
    }

    /// Makes somebody a member of a channel without asking anything.
    pub(super) fn seat_in_channel(&mut self, channel: &str, user: &str, is_guest: bool) {
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.members.insert(user.to_owned(), Member { is_guest, ..Member::default() });
        }
    }

    /// A channel as people write it: the team's name, a slash, its own.
    pub(super) fn full_name(&self, channel: &str) -> String {
        let channel = self.channels.get(channel);
        let team = channel.and_then(|channel| self.teams.get(&channel.team));
        let name = |name: Option<&String>| name.cloned().unwrap_or_default();
        format!("{}/{}", name(team.map(|team| &team.name)), name(channel.map(|channel| &channel.name)))
    }

    pub(super) fn is_member(&self, team: &str, user: &str) -> bool {
        self.teams.get(team).and_then(|team| team.members.get(user)).is_some_and(|member| member.delete_at == 0)
    }

    pub(super) fn is_in_any(&self, user: &str) -> bool {
        self.teams.keys().any(|team| self.is_member(team, user))
    }

    pub(super) fn is_in_channel(&self, channel: &str, user: &str) -> bool {
        self.channels.get(channel).is_some_and(|channel| channel.members.contains_key(user))
    }

    /// Forgets somebody who was deleted for good.
    pub(super) fn forget(&mut self, user: &str) {
        for team in self.teams.values_mut() {
            team.members.remove(user);
        }
        for channel in self.channels.values_mut() {
            channel.members.remove(user);
        }
    }

    pub(super) fn dump(&self) -> Value {
        let channels = |team: &Team| {
            let own = self.channels.values().filter(|channel| channel.team == team.id);
            let entry = |channel: &Channel| (channel.name.clone(), json!(channel.members.keys().collect::<Vec<_>>()));
            own.map(entry).collect::<serde_json::Map<_, _>>()
        };
        let entry = |team: &Team| {
            let members = team.members.iter().filter(|(_, member)| member.delete_at == 0);
            let members: Vec<&String> = members.map(|(user, _)| user).collect();
            (team.name.clone(), json!({ "id": team.id, "members": members, "channels": channels(team) }))
        };
        Value::Object(self.teams.values().map(entry).collect())
    }

    fn join(&mut self, team: &str, user: &str, member: Member) {
        if let Some(team) = self.teams.get_mut(team) {
            team.members.insert(user.to_owned(), member);
        }
        if member.is_guest {
            return;
        }
        for channel in self.channels.values_mut() {
            if channel.team == team && DEFAULT_CHANNELS.contains(&channel.name.as_str()) {
                channel.members.insert(user.to_owned(), Member::default());
            }
        }
    }

    /// Takes somebody out of a team and all of its channels.
    pub(super) fn leave(&mut self, team: &str, user: &str, now: i64) {
        if let Some(member) = self.teams.get_mut(team).and_then(|team| team.members.get_mut(user)) {
            member.delete_at = now;
        }
        for channel in self.channels.values_mut().filter(|channel| channel.team == team) {
            channel.members.remove(user);
        }
    }
}

fn team_at<'a>(server: &'a Server, asked: &Asked) -> Result<&'a Team, AppError> {
    let id = asked.id(1, "team_id")?;
    let message = "Unable to find the existing team.";
    server.teams.teams.get(id).ok_or_else(|| AppError::not_found("app.team.get.find.app_error", message))
}

pub(super) fn missing_team_member() -> AppError {
    AppError::not_found("app.team.get_member.missing.app_error", "No team member found for that user ID and team ID.")
}

/// True where this session may look after the members of a team.
fn manages(server: &Server, session: &Session, team: &str) -> bool {
    let member = server.teams.teams.get(team).and_then(|team| team.members.get(&session.user));
    server.may(session, Permission::ManageSystem)
        || member.is_some_and(|member| member.delete_at == 0 && member.is_admin)
}

/// Whether this session may see a team; the refusal where it may not.
pub(super) fn sees(server: &Server, session: &Session, team: &str) -> Result<(), AppError> {
    if server.may(session, Permission::ManageSystem) || server.teams.is_member(team, &session.user) {
        Ok(())
    } else {
        Err(AppError::permissions())
    }
}

/// `GET /teams`
#[expect(clippy::unnecessary_wraps, reason = "every route has this shape")]
pub(super) fn list(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let mut teams: Vec<&Team> =
        server.teams.teams.values().filter(|team| sees(server, session, &team.id).is_ok()).collect();
    teams.sort_by(|one, other| one.display_name.cmp(&other.display_name));
    Ok(Answer::ok(asked.page(teams.into_iter()).into_iter().map(Team::view).collect()))
}

/// `GET /teams/{team_id}`
pub(super) fn by_id(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let team = team_at(server, asked)?;
    sees(server, session, &team.id)?;
    Ok(Answer::ok(team.view()))
}

/// `GET /teams/name/{name}`
pub(super) fn by_name(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    if !is_team_name(asked.part(2)) {
        return Err(AppError::url_param("team_name"));
    }
    let found = server.teams.teams.values().find(|team| team.name == asked.part(2));
    let message = "Unable to find the existing team.";
    let team = found.ok_or_else(|| AppError::not_found("app.team.get_by_name.missing.app_error", message))?;
    sees(server, session, &team.id)?;
    Ok(Answer::ok(team.view()))
}

/// `GET /users/{user_id}/teams`
pub(super) fn of_user(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let user = asked.user_id(1, session)?;
    if session.user != user && !server.may(session, Permission::ManageSystem) {
        return Err(AppError::permissions());
    }
    let teams = server.teams.teams.values().filter(|team| server.teams.is_member(&team.id, user));
    Ok(Answer::ok(teams.map(Team::view).collect()))
}

/// `GET /users/{user_id}/teams/members`: those she left are among them, with the time.
pub(super) fn memberships(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let user = asked.user_id(1, session)?;
    if !server.may_edit(session, user) {
        return Err(AppError::permissions());
    }
    let place = |team: &Team| team.members.get(user).map(|member| team.member_view(user, *member));
    Ok(Answer::ok(server.teams.teams.values().filter_map(place).collect()))
}

/// `GET /teams/{team_id}/members/{user_id}`: somebody who left is still shown, with the time.
pub(super) fn member(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    asked.id(1, "team_id")?;
    let user = asked.user_id(3, session)?;
    sees(server, session, asked.part(1))?;
    let team = server.teams.teams.get(asked.part(1)).ok_or_else(missing_team_member)?;
    let member = team.members.get(user).ok_or_else(missing_team_member)?;
    Ok(Answer::ok(team.member_view(user, *member)))
}

/// `GET /teams/{team_id}/members`
pub(super) fn members(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    asked.id(1, "team_id")?;
    sees(server, session, asked.part(1))?;
    let Some(team) = server.teams.teams.get(asked.part(1)) else { return Ok(Answer::ok(json!([]))) };
    let present = team.members.iter().filter(|(_, member)| member.delete_at == 0);
    let page = asked.page(present).into_iter().map(|(user, member)| team.member_view(user, *member));
    Ok(Answer::ok(page.collect()))
}

/// `POST /teams/{team_id}/members/ids`: whoever is no member is left out.
pub(super) fn members_by_ids(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    asked.id(1, "team_id")?;
    let users = body::list(&asked.body).ok().filter(|users| !users.is_empty());
    let users = users.ok_or_else(|| AppError::body_param("user_ids"))?;
    sees(server, session, asked.part(1))?;
    let Some(team) = server.teams.teams.get(asked.part(1)) else { return Ok(Answer::ok(json!([]))) };
    let places = users.iter().filter_map(|user| Some((user, team.members.get(user)?)));
    let present = places.filter(|(_, member)| member.delete_at == 0);
    Ok(Answer::ok(present.map(|(user, member)| team.member_view(user, *member)).collect()))
}

/// `POST /teams/{team_id}/members`
pub(super) fn add(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.id(1, "team_id")?;
    let wanted = body::structure(&asked.body).map_err(expected("team_member"))?;
    let text = |name| wanted.text(name).map(Option::unwrap_or_default).map_err(expected("team_member"));
    if text("team_id")? != id {
        return Err(AppError::body_param("team_id"));
    }
    let user = text("user_id")?;
    if !is_id(&user) {
        return Err(AppError::body_param("user_id"));
    }
    if !manages(server, session, id) {
        return Err(AppError::permissions());
    }
    team_at(server, asked)?;
    join(server, id, &user).map(Answer::created)
}

/// `POST /teams/{team_id}/members/batch`: the first failure ends it, unless it is to be graceful.
pub(super) fn add_many(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.id(1, "team_id")?;
    let Ok(Value::Array(wanted)) = body::value(&asked.body) else { return Err(AppError::body_param("members")) };
    if wanted.is_empty() || wanted.len() > LARGEST_BATCH {
        return Err(AppError::body_param("members"));
    }
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    if wanted.iter().any(|entry| text(entry, "team_id") != id) {
        return Err(AppError::body_param("team_id"));
    }
    if wanted.iter().any(|entry| !is_id(&text(entry, "user_id"))) {
        return Err(AppError::body_param("user_id"));
    }
    if !manages(server, session, id) {
        return Err(AppError::permissions());
    }
    team_at(server, asked)?;
    let mut rows = Vec::new();
    for entry in &wanted {
        let user = text(entry, "user_id");
        match (join(server, id, &user), asked.flag("graceful")) {
            (Ok(member), true) => rows.push(json!({ "user_id": user, "member": member, "error": null })),
            (Err(error), true) => rows.push(json!({ "user_id": user, "member": null, "error": error.body(None) })),
            (joined, false) => rows.push(joined?),
        }
    }
    Ok(Answer::created(rows.into()))
}

fn join(server: &mut Server, team: &str, user: &str) -> Result<Value, AppError> {
    let mut user = server.users.get(user).cloned().ok_or_else(AppError::missing_account)?;
    let Some(team) = server.teams.teams.get(team) else { return Err(missing_team_member()) };
    let member = team.members.get(&user.id).filter(|member| member.delete_at == 0);
    // Whoever is in a team that groups decide about is in one of the groups.
    if team.group_constrained && member.is_none() {
        let message = "The user cannot be added because the team is managed by groups.";
        return Err(AppError::bad("api.team.add_members.user_denied", message));
    }
    if !admits(server, team, &user) {
        let message = "The user's address is in none of the domains of the team.";
        return Err(AppError::bad("api.team.join_user_to_team.allowed_domains.app_error", message));
    }
    if let Some(member) = member {
        return Ok(team.member_view(&user.id, *member));
    }
    let present = team.members.values().filter(|member| member.delete_at == 0).count();
    if u64::try_from(present).unwrap_or(u64::MAX) >= server.settings.max_users_per_team {
        let message = "The team has as many members as it may have.";
        return Err(AppError::bad("app.team.join_user_to_team.max_accounts.app_error", message));
    }
    let is_admin = !team.email.is_empty() && team.email == user.email && !user.is_guest();
    let member = Member { delete_at: 0, is_admin, is_guest: user.is_guest() };
    let view = team.member_view(&user.id, member);
    let team = team.id.clone();
    server.teams.join(&team, &user.id, member);
    user.update_at = server.clock.tick();
    server.store_same(user);
    Ok(view)
}

/// True where somebody's address may be in a team: bots always, guests by the guests' list, others by two lists.
fn admits(server: &Server, team: &Team, user: &User) -> bool {
    let settings = &server.settings;
    if user.is_guest() {
        return in_domains(&user.email, &settings.guest_restrict_creation_to_domains);
    }
    let lists = [&team.allowed_domains, &settings.restrict_creation_to_domains];
    user.is_bot || lists.into_iter().all(|list| in_domains(&user.email, list))
}

/// `DELETE /teams/{team_id}/members/{user_id}`
pub(super) fn remove(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.id(1, "team_id")?;
    let user = asked.user_id(3, session)?;
    if session.user != user && !manages(server, session, id) {
        return Err(AppError::permissions());
    }
    let team = team_at(server, asked)?;
    let mut account = server.users.get(user).cloned().ok_or_else(AppError::missing_account)?;
    if team.group_constrained && session.user != user && !account.is_bot {
        let message = "The user cannot be removed because the team is managed by groups.";
        return Err(AppError::bad("api.team.remove_member.group_constrained.app_error", message));
    }
    if !server.teams.is_member(id, user) {
        let message = "The user does not appear to be part of this team.";
        return Err(AppError::bad("api.team.remove_user_from_team.missing.app_error", message));
    }
    let now = server.clock.tick();
    server.teams.leave(id, user, now);
    account.update_at = now;
    server.store_same(account);
    Ok(Answer::done())
}

/// `PUT /teams/{team_id}/members/{user_id}/schemeRoles`
pub(super) fn set_roles(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.id(1, "team_id")?;
    let user = asked.user_id(3, session)?;
    let wanted = body::structure(&asked.body).map_err(expected("scheme_roles"))?;
    let flag = |name| wanted.flag(name).map(Option::unwrap_or_default).map_err(expected("scheme_roles"));
    let (is_admin, is_user) = (flag("scheme_admin")?, flag("scheme_user")?);
    if !manages(server, session, id) {
        return Err(AppError::permissions());
    }
    let team = server.teams.teams.get_mut(id).ok_or_else(missing_team_member)?;
    let member = team.members.get_mut(user).ok_or_else(missing_team_member)?;
    member.is_admin = is_admin;
    member.is_guest = !is_user;
    Ok(Answer::done())
}

/// True for what a team may be called: letters, digits and single hyphens, at least two of them.
fn is_team_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() >= 2 && name.bytes().all(fits) && edge(name.bytes().next()) && edge(name.bytes().last())
}
