//! Channels and who is in them (`mattermost.md` 8).
//!
//! Where the contract is silent (the order of checks, who may see a channel, guests in their last one) this follows the
//! server's own `api4/channel.go` and `app/channel.go`.

use serde_json::{Value, json};

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body,
    seed::is_id,
    server::{Permission, Server},
    session::Session,
    teams::{Channel, Member, missing_team_member, roles, sees},
};

/// The most one call adds.
const LARGEST_BATCH: usize = 1000;

/// The channel nobody but guests can leave.
const DEFAULT: &str = "town-square";

impl Channel {
    fn view(&self) -> Value {
        json!({
            "id": self.id, "team_id": self.team, "type": self.kind, "name": self.name, "display_name": self.name,
            "delete_at": self.delete_at, "group_constrained": self.group_constrained,
        })
    }

    fn member_view(&self, user: &str, member: Member) -> Value {
        json!({
            "channel_id": self.id, "user_id": user, "roles": roles("channel", member),
            "scheme_guest": member.is_guest, "scheme_user": !member.is_guest, "scheme_admin": member.is_admin,
            "explicit_roles": "",
        })
    }

    /// True for a direct message or a group message, whose members are fixed.
    fn is_closed(&self) -> bool {
        !["O", "P"].contains(&self.kind.as_str())
    }
}

fn channel_at<'a>(server: &'a Server, asked: &Asked) -> Result<&'a Channel, AppError> {
    let id = asked.id(1, "channel_id")?;
    let message = "Unable to find the existing channel.";
    let id = server.teams.channels.get(id);
    id.ok_or_else(|| AppError::not_found("app.channel.get.existing.app_error", message))
}

/// True where this session may read a channel: its members, and everybody of the team where it is open.
fn reads(server: &Server, session: &Session, channel: &Channel) -> bool {
    let is_open = channel.kind == "O" && server.teams.is_member(&channel.team, &session.user);
    server.may(session, Permission::ManageSystem) || is_open || channel.members.contains_key(&session.user)
}

/// True where this session may add and remove members.
fn manages(server: &Server, session: &Session, channel: &Channel) -> bool {
    let member = channel.members.get(&session.user);
    server.may(session, Permission::ManageSystem) || member.is_some_and(|member| !member.is_guest)
}

fn no_such_channel() -> AppError {
    AppError::not_found("app.channel.get_by_name.missing.app_error", "Channel does not exist.")
}

/// `GET /teams/{team_id}/channels/name/{name}`
pub(super) fn by_name(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    named(server, asked, session, asked.id(1, "team_id")?, asked.part(4))
}

/// `GET /teams/name/{team_name}/channels/name/{name}`
pub(super) fn by_names(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let team = server.teams.teams.values().find(|team| team.name == asked.part(2));
    let message = "Unable to find the existing team.";
    let team = team.ok_or_else(|| AppError::not_found("app.team.get_by_name.missing.app_error", message))?;
    named(server, asked, session, &team.id, asked.part(5))
}

/// An archived channel is not there unless it is asked for; a private one is not there for those who may not see it.
fn named(server: &Server, asked: &Asked, session: &Session, team: &str, name: &str) -> Result<Answer, AppError> {
    let fits = |channel: &&Channel| {
        channel.team == team && channel.name == name && (channel.delete_at == 0 || asked.flag("include_deleted"))
    };
    let channel = server.teams.channels.values().find(fits).ok_or_else(no_such_channel)?;
    match reads(server, session, channel) {
        true => Ok(Answer::ok(channel.view())),
        false if channel.kind == "O" => Err(AppError::permissions()),
        false => Err(no_such_channel()),
    }
}

fn missing_member() -> AppError {
    let message = "No channel member found for that user ID and channel ID.";
    AppError::not_found("app.channel.get_member.missing.app_error", message)
}

/// `GET /channels/{channel_id}/members/{user_id}`
pub(super) fn member(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let channel = channel_at(server, asked)?;
    let user = asked.user_id(3, session)?;
    sees(server, session, &channel.team)?;
    let member = channel.members.get(user).ok_or_else(missing_member)?;
    Ok(Answer::ok(channel.member_view(user, *member)))
}

/// The channel of a list of members. To who may not read it, one that does not exist is as forbidden as any other.
fn readable<'a>(server: &'a Server, asked: &Asked, session: &Session) -> Result<&'a Channel, AppError> {
    let channel = server.teams.channels.get(asked.id(1, "channel_id")?);
    channel.filter(|channel| reads(server, session, channel)).ok_or_else(AppError::permissions)
}

/// `GET /channels/{channel_id}/members`
pub(super) fn members(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let channel = readable(server, asked, session)?;
    let page = asked.page(channel.members.iter()).into_iter();
    Ok(Answer::ok(page.map(|(user, member)| channel.member_view(user, *member)).collect()))
}

/// `POST /channels/{channel_id}/members/ids`: whoever is no member is left out.
pub(super) fn members_by_ids(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    asked.id(1, "channel_id")?;
    let users = body::list(&asked.body).ok().filter(|users| !users.is_empty());
    let users = users.ok_or_else(|| AppError::body_param("user_ids"))?;
    let channel = readable(server, asked, session)?;
    let present = users.iter().filter_map(|user| Some((user, channel.members.get(user)?)));
    Ok(Answer::ok(present.map(|(user, member)| channel.member_view(user, *member)).collect()))
}

/// `POST /channels/{channel_id}/members`: one user or a list; of a list the failed ones are left out.
pub(super) fn add(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    asked.id(1, "channel_id")?;
    let wanted = body::structure(&asked.body).map_err(expected("member"))?;
    let one = wanted.text("user_id").map_err(expected("user_id"))?;
    let many = wanted.list("user_ids").map_err(expected("user_ids"))?;
    let users = many.clone().or_else(|| one.map(|one| vec![one])).unwrap_or_default();
    let named = if many.is_some() { "user_ids" } else { "user_id" };
    if users.is_empty() || users.len() > LARGEST_BATCH || !users.iter().all(|user| is_id(user)) {
        return Err(AppError::body_param(named));
    }
    let channel = channel_at(server, asked)?.clone();
    if channel.is_closed() {
        let message = "Can not add user to this channel type.";
        return Err(AppError::bad("api.channel.add_user_to_channel.type.app_error", message));
    }
    let joins = channel.kind == "O" && users == [session.user.clone()];
    if !(manages(server, session, &channel) || (joins && reads(server, session, &channel))) {
        return Err(AppError::permissions());
    }
    // Whoever is in a channel that groups decide about is in one of the groups.
    if channel.group_constrained && !users.iter().all(|user| channel.members.contains_key(user)) {
        let message = "The user cannot be added because the channel is managed by groups.";
        return Err(AppError::bad("api.channel.add_members.user_denied", message));
    }
    let mut rows = Vec::new();
    let mut fault = None;
    for user in &users {
        match join(server, &channel, user) {
            Ok(row) => rows.push(row),
            Err(error) => fault = Some(error),
        }
    }
    match (fault, many.is_some()) {
        (Some(error), _) if rows.is_empty() => Err(error),
        (_, true) => Ok(Answer::created(rows.into())),
        (_, false) => Ok(Answer::created(rows.swap_remove(0))),
    }
}

fn join(server: &mut Server, channel: &Channel, user: &str) -> Result<Value, AppError> {
    if let Some(member) = channel.members.get(user) {
        return Ok(channel.member_view(user, *member));
    }
    let account = server.users.get(user).ok_or_else(AppError::missing_account)?;
    if !account.is_active() {
        let message = "The user is deactivated and cannot be added.";
        return Err(AppError::forbidden("app.channel.add_member.deleted_user.app_error", message));
    }
    let team = server.teams.teams.get(&channel.team);
    let seat = team.and_then(|team| team.members.get(user)).ok_or_else(missing_team_member)?;
    if seat.delete_at > 0 {
        let message = "The user has left the team of this channel.";
        return Err(AppError::bad("api.channel.add_user.to.channel.failed.deleted.app_error", message));
    }
    let member = Member { is_guest: account.is_guest(), ..Member::default() };
    server.teams.seat_in_channel(&channel.id, user, member.is_guest);
    Ok(channel.member_view(user, member))
}

/// `DELETE /channels/{channel_id}/members/{user_id}`: a guest who leaves her last channel of a team leaves the team.
pub(super) fn remove(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let channel = channel_at(server, asked)?.clone();
    let user = asked.user_id(3, session)?;
    let account = server.users.get(user).ok_or_else(AppError::missing_account)?;
    let (is_guest, is_bot) = (account.is_guest(), account.is_bot);
    let own = session.user == user;
    if channel.is_closed() {
        let message = "Unable to remove user from this channel type.";
        return Err(AppError::bad("api.channel.remove_channel_member.type.app_error", message));
    }
    if channel.group_constrained && !own && !is_bot {
        let message = "Unable to remove a user from a group-constrained channel.";
        return Err(AppError::bad("api.channel.remove_member.group_constrained.app_error", message));
    }
    if !own && !manages(server, session, &channel) {
        return Err(AppError::permissions());
    }
    if channel.name == DEFAULT && !is_guest {
        let message = "Unable to remove user from the default channel.";
        return Err(AppError::bad("api.channel.remove.default.app_error", message));
    }
    let stored = server.teams.channels.get_mut(&channel.id).ok_or_else(missing_member)?;
    stored.members.remove(user).ok_or_else(missing_member)?;
    let mut others = server.teams.channels.values().filter(|other| other.team == channel.team);
    if is_guest && !others.any(|other| other.members.contains_key(user)) {
        let now = server.clock.tick();
        server.teams.leave(&channel.team, user, now);
    }
    Ok(Answer::done())
}
