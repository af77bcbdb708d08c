//! The reads: one user by any of her names, many at once, lists and searches (`mattermost.md` 3).

use serde_json::{Value, json};

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body,
    server::{Permission, Server},
    session::Session,
    user::{Reader, User, is_valid_email, is_valid_username},
};

/// The most a search gives, and what it gives unasked.
const SEARCH: std::ops::RangeInclusive<i64> = 100..=1000;

/// `GET /users/{user_id}`
pub(super) fn by_id(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let user = server.users.get(asked.user_id(1, session)?).ok_or_else(AppError::missing_account)?;
    Ok(one(server, session, user))
}

/// `GET /users/username/{username}`
pub(super) fn by_username(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let username = asked.part(2);
    if !is_valid_username(username, false) {
        return Err(AppError::body_param("username"));
    }
    let user = server.users.by_username(username).ok_or_else(|| {
        let message = "Unable to find an existing account matching your username for this team. This team may require an \
                       invite from the team owner to join.";
        AppError::not_found("app.user.get_by_username.app_error", message)
    })?;
    Ok(one(server, session, user))
}

/// `GET /users/email/{email}`
pub(super) fn by_email(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let email = asked.path.get(2..).unwrap_or_default().join("/").to_lowercase();
    if !is_valid_email(&email) {
        return Err(AppError::url_param("email"));
    }
    if server.reader(session, "") == (Reader::Other { email: false, names: server.settings.show_full_name }) {
        let id = "api.user.get_user_by_email.permissions.app_error";
        return Err(AppError::forbidden(id, "Unable to get user by email."));
    }
    let user = server.users.by_email(&email).ok_or_else(AppError::missing_account)?;
    Ok(one(server, session, user))
}

/// `POST /users/ids`
pub(super) fn by_ids(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let ids = body::list(&asked.body).map_err(|_| AppError::payload())?;
    if ids.is_empty() {
        return Err(AppError::body_param("user_ids"));
    }
    let since: i64 = match asked.query("since") {
        "" => 0,
        since => since.parse().map_err(|_| AppError::body_param("since"))?,
    };
    let found = ids.iter().filter_map(|id| server.users.get(id)).filter(|user| since == 0 || user.update_at > since);
    Ok(many(server, session, found.collect()))
}

/// `POST /users/usernames`
pub(super) fn by_usernames(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let names = body::list(&asked.body).map_err(|_| AppError::payload())?;
    if names.is_empty() {
        return Err(AppError::body_param("usernames"));
    }
    let found = names.iter().filter_map(|name| server.users.by_username(name));
    Ok(many(server, session, found.collect()))
}

/// `GET /users/stats`: the provider's own description has it, the contract does not. The server counts bots, and nobody
/// who is deactivated.
#[expect(clippy::unnecessary_wraps, reason = "every route has this shape")]
pub(super) fn stats(server: &mut Server, _: &Asked, _: &Session) -> Result<Answer, AppError> {
    let count = server.users.by_id().filter(|user| user.is_active()).count();
    Ok(Answer::ok(json!({ "total_users_count": count })))
}

/// `GET /users`
pub(super) fn list(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    const ROLES: [&str; 3] = ["system_user", "system_admin", "system_guest"];
    let (active, inactive) = (asked.flag("active"), asked.flag("inactive"));
    if !asked.query("not_in_channel").is_empty() && asked.query("in_team").is_empty() {
        return Err(AppError::url_param("team_id"));
    }
    if !["", "last_activity_at", "create_at", "status", "admin", "display_name"].contains(&asked.query("sort")) {
        return Err(AppError::url_param("sort"));
    }
    if active && inactive {
        return Err(AppError::url_param("inactive"));
    }
    let role = asked.query("role");
    if !role.is_empty() && !super::account::ROLES.contains(&role) {
        return Err(AppError::url_param("role"));
    }
    let roles: Vec<&str> = asked.query("roles").split(',').filter(|role| !role.is_empty()).collect();
    if roles.iter().any(|role| !super::account::ROLES.contains(role) && !ROLES.contains(role)) {
        return Err(AppError::url_param("roles"));
    }
    let teams = &server.teams;
    let given = |name: &str| Some(asked.query(name)).filter(|value| !value.is_empty());
    let fits = |user: &&User| {
        (!active || user.is_active())
            && (!inactive || !user.is_active())
            && (role.is_empty() || user.has_role(role))
            && (roles.is_empty() || roles.iter().any(|role| user.has_role(role)))
            && given("in_team").is_none_or(|team| teams.is_member(team, &user.id))
            && given("not_in_team").is_none_or(|team| !teams.is_member(team, &user.id))
            && given("in_channel").is_none_or(|channel| teams.is_in_channel(channel, &user.id))
            && given("not_in_channel").is_none_or(|channel| !teams.is_in_channel(channel, &user.id))
            && given("in_group").is_none()
            && (!asked.flag("without_team") || !teams.is_in_any(&user.id))
    };
    let page = asked.page(server.users.in_order().filter(fits));
    Ok(many(server, session, page))
}

/// `POST /users/search`
pub(super) fn search(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let wanted = body::structure(&asked.body).map_err(expected("user"))?;
    let text = |name| wanted.text(name).map_err(expected("user"));
    let term = text("term")?.unwrap_or_default();
    if term.is_empty() {
        return Err(AppError::body_param("term"));
    }
    let limit = wanted.number("limit").map_err(expected("user"))?.unwrap_or(*SEARCH.start());
    if !(1..=*SEARCH.end()).contains(&limit) {
        return Err(AppError::body_param("limit"));
    }
    let inactive = wanted.flag("allow_inactive").map_err(expected("user"))?.unwrap_or_default();
    let (in_team, not_in_team) = (text("team_id")?, text("not_in_team_id")?);
    let administrator = server.may(session, Permission::ManageSystem);
    let (by_email, by_names) =
        (administrator || server.settings.show_email_address, administrator || server.settings.show_full_name);
    let term = term.trim_start_matches('@').to_lowercase();
    let fits = |user: &&User| {
        let starts = |text: &str| text.to_lowercase().starts_with(&term);
        (inactive || user.is_active())
            && in_team.as_ref().is_none_or(|team| server.teams.is_member(team, &user.id))
            && not_in_team.as_ref().is_none_or(|team| !server.teams.is_member(team, &user.id))
            && (starts(&user.username)
                || starts(&user.nickname)
                || (by_names && (starts(&user.first_name) || starts(&user.last_name)))
                || (by_email && starts(&user.email)))
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let found = server.users.in_order().filter(fits).take(limit).collect();
    Ok(many(server, session, found))
}

/// The entity tag: it moves when `update_at` does, whoever looks (`mattermost.md` 3).
pub(super) fn etag(server: &Server, user: &User) -> String {
    let settings = &server.settings;
    let (names, email) = (settings.show_full_name, settings.show_email_address);
    format!("{}.{}.{}..0.{names}.{email}.0", settings.version, user.id, user.update_at)
}

fn one(server: &Server, session: &Session, user: &User) -> Answer {
    Answer { etag: Some(etag(server, user)), ..Answer::ok(user.seen_by(server.reader(session, &user.id))) }
}

fn many(server: &Server, session: &Session, mut users: Vec<&User>) -> Answer {
    users.sort_by(|one, other| one.username.cmp(&other.username));
    let view = |user: &&User| user.seen_by(server.reader(session, &user.id));
    Answer::ok(Value::Array(users.iter().map(view).collect()))
}
