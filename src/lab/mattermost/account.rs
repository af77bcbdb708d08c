//! Everything about an account that is not its profile: activation, roles, login provider, password, creation, deletion,
//! and the login by password (`mattermost.md` 5).

use serde_json::json;

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body, clock,
    profile::check_password,
    server::{Permission, Server},
    session::{Kind, Session},
    settings::in_domains,
    user::{Reader, User, default_notify_props, default_timezone, is_valid_locale, random_username, validate_password},
};

/// The system-wide roles there are.
pub(super) const ROLES: [&str; 10] = [
    "system_user",
    "system_admin",
    "system_guest",
    "system_manager",
    "system_user_manager",
    "system_read_only_admin",
    "system_custom_group_admin",
    "system_post_all",
    "system_post_all_public",
    "system_user_access_token",
];

/// `PUT /users/{user_id}/active`
pub(super) fn set_active(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    let active = body::map(&asked.body).get("active").and_then(serde_json::Value::as_bool);
    let active = active.ok_or_else(|| AppError::body_param("active"))?;
    let leaves = !active && session.user == id;
    if !leaves && !server.may(session, Permission::WriteUsers) {
        let message = "You do not have the appropriate permissions.";
        return Err(AppError::forbidden("api.user.update_active.permissions.app_error", message));
    }
    if leaves {
        may_leave(server)?;
    }
    let user = server.users.get(id).ok_or_else(AppError::missing_account)?;
    if user.is_administrator() && !server.may(session, Permission::ManageSystem) {
        return Err(AppError::permissions());
    }
    if user.auth_service == "ldap" {
        return Err(AppError::forbidden(
            "api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error",
            "You cannot modify user status. User is managed by LDAP.",
        ));
    }
    if active && !user.is_active() && server.is_full() {
        let message = "The server has reached its limit of active users.";
        return Err(AppError::bad("app.user.update_active.user_limit.exceeded", message));
    }
    server.set_active(id, active);
    Ok(Answer::done())
}

fn may_leave(server: &Server) -> Result<(), AppError> {
    if server.settings.enable_user_deactivation {
        Ok(())
    } else {
        Err(AppError::unauthorized(
            "api.user.update_active.not_enable.app_error",
            "You cannot deactivate yourself because this feature is not enabled. Please contact your System Administrator.",
        ))
    }
}

/// `DELETE /users/{user_id}`
pub(super) fn delete(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    if !server.may_edit(session, id) {
        return Err(AppError::permissions());
    }
    if session.user == id && !server.may(session, Permission::ManageSystem) {
        may_leave(server)?;
    }
    let user = server.users.get(id).ok_or_else(AppError::missing_account)?;
    if user.is_administrator() && !server.may(session, Permission::ManageSystem) {
        return Err(AppError::permissions());
    }
    if !asked.flag("permanent") {
        server.set_active(id, false);
        return Ok(Answer::done());
    }
    if !server.settings.enable_api_user_deletion {
        let message = "Permanent user deletion feature is not enabled. Please contact your System Administrator.";
        return Err(AppError::unauthorized("api.user.delete_user.not_enabled.app_error", message));
    }
    server.users.remove(id);
    server.teams.forget(id);
    Ok(Answer::done())
}

/// `PUT /users/{user_id}/roles`
pub(super) fn set_roles(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    let wanted = body::texts(&asked.body).remove("roles").unwrap_or_default();
    let names: Vec<&str> = wanted.split_whitespace().collect();
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let malformed = names.iter().any(|name| name.len() > 64 || !name.bytes().all(fits));
    if malformed || names == ["system_admin"] {
        return Err(AppError::body_param("roles"));
    }
    if !server.may(session, Permission::ManageRoles) {
        return Err(AppError::permissions());
    }
    let mut user = server.users.get(id).cloned().ok_or_else(|| {
        let error = AppError::missing_account();
        AppError::bad(error.id, error.message)
    })?;
    if names.iter().any(|name| !ROLES.contains(name)) {
        let message = "The provided role does not exist.";
        return Err(AppError::bad("app.role.check_roles_exist.role_not_found", message));
    }
    let administrators =
        || server.users.by_id().filter(|user| user.is_active() && !user.is_bot && user.is_administrator());
    if user.is_administrator() && !names.contains(&"system_admin") && !administrators().any(|other| other.id != user.id)
    {
        let message = "The last administrator cannot lose the role.";
        return Err(AppError::bad("app.user.update.lastAdmin.app_error", message));
    }
    user.roles = wanted;
    user.validate()?;
    user.update_at = server.clock.tick();
    server.store_same(user);
    Ok(Answer::done())
}

/// `PUT /users/{user_id}/auth`
pub(super) fn set_auth(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    if !server.may(session, Permission::ManageSystem) {
        return Err(AppError::permissions());
    }
    let id = asked.user_id(1, session)?;
    let wanted = body::structure(&asked.body).map_err(expected("user"))?;
    let text = |name| wanted.text(name).map(Option::unwrap_or_default).map_err(expected("user"));
    let (data, service) = (text("auth_data")?, text("auth_service")?);
    if data.is_empty() || service.is_empty() {
        let message = "The request must name a login provider and the user's id there.";
        return Err(AppError::bad("api.user.update_user_auth.invalid_request", message));
    }
    // Nobody looks whether the user exists: an update of no rows is a success.
    if let Some(mut user) = server.users.get(id).cloned() {
        user.auth_data = Some(data.clone());
        user.auth_service.clone_from(&service);
        user.password.clear();
        user.update_at = server.clock.tick();
        user.last_password_update = user.update_at;
        server.users.put(user).map_err(|_| {
            let message = "An account is already using that sign-in method.";
            AppError::bad("app.user.update_auth_data.email_exists.app_error", message)
        })?;
    }
    Ok(Answer::ok(json!({ "auth_data": data, "auth_service": service })))
}

/// `PUT /users/{user_id}/password`: on an account of a login provider this cuts the tie, without a word.
pub(super) fn set_password(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    let mut wanted = body::texts(&asked.body);
    let password = wanted.remove("new_password").unwrap_or_default();
    if session.user == id {
        let current = wanted.remove("current_password").filter(|current| !current.is_empty());
        check_password(server, id, &current.ok_or_else(|| AppError::body_param("current_password"))?)?;
    } else {
        let user = server.users.get(id);
        let needed = match user {
            Some(user) if user.is_administrator() => Permission::ManageSystem,
            _ => Permission::WriteUsers,
        };
        if user.is_none() || !server.may(session, needed) {
            let message = "You do not have the appropriate permissions to update the password.";
            return Err(AppError::forbidden("api.user.update_password.context.app_error", message));
        }
    }
    let mut user = server.users.get(id).cloned().ok_or_else(AppError::missing_account)?;
    validate_password(&password)?;
    user.password = password;
    user.auth_service.clear();
    user.auth_data = None;
    user.failed_attempts = 0;
    user.update_at = server.clock.tick();
    user.last_password_update = user.update_at;
    let email = user.email.clone();
    server.store_same(user);
    server.mail(&email, "password changed", None);
    Ok(Answer::done())
}

/// `POST /users`: needs no session; an administrator's lets more fields through.
pub(super) fn create(server: &mut Server, asked: &Asked, session: Option<&Session>) -> Result<Answer, AppError> {
    let wanted = body::structure(&asked.body).map_err(expected("user"))?;
    let text = |name| wanted.text(name).map(Option::unwrap_or_default).map_err(expected("user"));
    let texts = |name| wanted.texts(name).map_err(expected("user"));
    let administers = session.is_some_and(|session| server.may(session, Permission::ManageSystem));
    let mut user = User {
        username: text("username")?,
        email: text("email")?,
        password: text("password")?,
        nickname: text("nickname")?,
        first_name: text("first_name")?,
        last_name: text("last_name")?,
        position: text("position")?,
        locale: text("locale")?,
        auth_service: text("auth_service")?,
        auth_data: wanted.text("auth_data").map_err(expected("user"))?.filter(|data| !data.is_empty()),
        email_verified: wanted.flag("email_verified").map_err(expected("user"))?.unwrap_or_default(),
        props: texts("props")?.unwrap_or_default(),
        notify_props: texts("notify_props")?.unwrap_or_else(default_notify_props),
        timezone: texts("timezone")?.unwrap_or_else(default_timezone),
        roles: "system_user".to_owned(),
        ..User::default()
    };
    if !administers {
        user.auth_service.clear();
        user.auth_data = None;
        user.email_verified = false;
        if !server.settings.enable_open_server {
            let message = "This server does not allow open signups. Please speak with your Administrator to receive an \
                           invitation.";
            return Err(AppError::forbidden("api.user.create_user.no_open_server", message));
        }
    }
    if server.groups.contains(&user.username) {
        return Err(AppError::username_exists());
    }
    if server.is_full() {
        let message = "The server has reached its limit of users.";
        return Err(AppError::bad("api.user.create_user.user_limits.exceeded", message));
    }
    if !in_domains(&user.email, &server.settings.restrict_creation_to_domains) {
        let message = "The email you provided does not belong to an accepted domain. Please contact your administrator or \
                       sign up with a different email.";
        return Err(AppError::bad("api.user.create_user.accepted_domain.app_error", message));
    }
    if user.auth_service.is_empty() {
        validate_password(&user.password)?;
    }
    if user.username.is_empty() {
        user.username = random_username(server.number());
    }
    if user.locale.is_empty() || !is_valid_locale(&user.locale) {
        "en".clone_into(&mut user.locale);
    }
    user.normalise();
    user.validate()?;
    if user.auth_service.is_empty() && user.auth_data.is_some() {
        let message = "Invalid user, auth data must be set with auth type.";
        return Err(AppError::bad("model.user.is_valid.auth_data_type.app_error", message));
    }
    if user.auth_data.is_some() && !user.password.is_empty() {
        let message = "Invalid user, password and auth data cannot both be set.";
        return Err(AppError::bad("model.user.is_valid.auth_data_pwd.app_error", message));
    }
    user.id = clock::id("created user", server.number());
    user.create_at = server.clock.tick();
    user.update_at = user.create_at;
    user.last_password_update = user.create_at;
    server.store(user.clone())?;
    Ok(Answer::created(user.seen_by(Reader::Own)))
}

/// `GET /users/{user_id}/sessions`: without the tokens. Whoever does not exist has none.
pub(super) fn sessions(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    if !server.may_edit(session, id) {
        return Err(AppError::permissions());
    }
    let roles = server.users.get(id).map(|user| user.roles.clone()).unwrap_or_default();
    let view = |(session, is_oauth): (String, bool)| {
        json!({
            "id": session, "token": "", "create_at": 0, "expires_at": 0, "last_activity_at": 0, "user_id": id,
            "device_id": "", "roles": roles, "is_oauth": is_oauth, "expired_notify": false, "props": {},
            "team_members": [], "local": false,
        })
    };
    Ok(Answer::ok(server.sessions.of_user(id).into_iter().map(view).collect()))
}

/// `POST /users/{user_id}/sessions/revoke/all`: nobody looks whether there is such a user. Personal and bot tokens open
/// new sessions all the same.
pub(super) fn revoke_sessions(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    if !server.may_edit(session, id) {
        return Err(AppError::permissions());
    }
    server.sessions.revoke(id);
    Ok(Answer::done())
}

/// `POST /users/login`: the session's token comes in a header (`mattermost.md` 1.1).
pub(super) fn login(server: &mut Server, asked: &Asked, _: Option<&Session>) -> Result<Answer, AppError> {
    let mut wanted = body::texts(&asked.body);
    let name = wanted.remove("login_id").unwrap_or_default().to_lowercase();
    let password = wanted.remove("password").unwrap_or_default();
    let wrong = || {
        AppError::unauthorized(
            "api.user.login.invalid_credentials_email_username",
            "Enter a valid email or username and/or password.",
        )
    };
    let user = server.users.by_username(&name).or_else(|| server.users.by_email(&name)).ok_or_else(wrong)?;
    let id = user.id.clone();
    check_password(server, &id, &password).map_err(|error| match error.id.as_str() {
        "api.user.check_user_password.invalid.app_error" => wrong(),
        _ => error,
    })?;
    let mut user = server.users.get(&id).cloned().ok_or_else(wrong)?;
    if !user.is_active() {
        let message = "Login failed because your account has been deactivated. Please contact an administrator.";
        return Err(AppError::unauthorized("api.user.login.inactive.app_error", message));
    }
    if !user.email_verified && server.settings.require_email_verification {
        let message = "Login failed because email address has not been verified.";
        return Err(AppError::unauthorized("api.user.login.not_verified.app_error", message));
    }
    user.update_at = server.clock.tick();
    user.last_login = user.update_at;
    server.store_same(user.clone());
    let token = clock::id("session", server.number());
    server.sessions.add(token.clone(), id, Kind::Session);
    Ok(Answer { token: Some(token), ..Answer::ok(user.seen_by(Reader::Own)) })
}
