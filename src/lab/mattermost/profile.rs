//! Changing a profile: the checks of the two routes, in their order, and the layer below them that decides what is really
//! stored (`mattermost.md` 4.1 to 4.4).

use std::collections::BTreeMap;

use super::{
    answer::{Answer, AppError},
    asked::{Asked, expected},
    body::{self, Structure, Undecodable},
    clock,
    server::{Permission, Server},
    session::Session,
    settings::in_domains,
    user::{Reader, User, default_notify_props, default_timezone},
};

/// After so many wrong passwords an account is locked.
pub(super) const LOGIN_ATTEMPTS: i64 = 10;

/// What is to be changed. Absent: stays.
#[derive(Clone, Debug, Default, PartialEq)]
struct Patch {
    username: Option<String>,
    nickname: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    position: Option<String>,
    email: Option<String>,
    locale: Option<String>,
    password: Option<String>,
    remote_id: Option<String>,
    props: Option<BTreeMap<String, String>>,
    notify_props: Option<BTreeMap<String, String>>,
    timezone: Option<BTreeMap<String, String>>,
}

impl Patch {
    fn read(body: &Structure) -> Result<Self, Undecodable> {
        Ok(Self {
            username: body.text("username")?,
            nickname: body.text("nickname")?,
            first_name: body.text("first_name")?,
            last_name: body.text("last_name")?,
            position: body.text("position")?,
            email: body.text("email")?,
            locale: body.text("locale")?,
            password: body.text("password")?,
            remote_id: body.text("remote_id")?,
            props: body.texts("props")?,
            notify_props: body.texts("notify_props")?,
            timezone: body.texts("timezone")?,
        })
    }

    /// The same as a whole user: what is missing is cleared.
    fn whole(self) -> Self {
        let all = |text: Option<String>| Some(text.unwrap_or_default());
        Self {
            username: all(self.username),
            nickname: all(self.nickname),
            first_name: all(self.first_name),
            last_name: all(self.last_name),
            position: all(self.position),
            email: all(self.email),
            locale: all(self.locale),
            password: all(self.password),
            remote_id: self.remote_id,
            props: Some(self.props.unwrap_or_default()),
            notify_props: Some(self.notify_props.unwrap_or_else(default_notify_props)),
            timezone: Some(self.timezone.unwrap_or_else(default_timezone)),
        }
    }

    fn put_into(self, user: &mut User) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut user.username, self.username);
        set(&mut user.nickname, self.nickname);
        set(&mut user.first_name, self.first_name);
        set(&mut user.last_name, self.last_name);
        set(&mut user.position, self.position);
        set(&mut user.email, self.email);
        set(&mut user.locale, self.locale);
        set(&mut user.remote_id, self.remote_id.map(Some));
        set(&mut user.props, self.props);
        set(&mut user.notify_props, self.notify_props);
        set(&mut user.timezone, self.timezone);
    }
}

/// Byte for byte: a difference of case is a difference.
fn differs(wanted: Option<&String>, stored: &str) -> bool {
    wanted.is_some_and(|wanted| wanted != stored)
}

/// `PUT /users/{user_id}/patch`
pub(super) fn patch(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    let patch = body::structure(&asked.body).and_then(|body| Patch::read(&body)).map_err(expected("user"))?;
    if !server.may_edit(session, id) {
        return Err(AppError::permissions());
    }
    let old = server.users.get(id).cloned().ok_or_else(|| AppError::body_param("user_id"))?;
    check(server, session, &old, &patch, "api.user.patch_user.login_provider_attribute_set.app_error")?;
    if session.user == old.id && differs(patch.email.as_ref(), &old.email) {
        let password = patch.password.as_ref().ok_or_else(|| AppError::body_param("password"))?;
        check_password(server, &old.id, password)?;
    }
    change(server, &old, patch)
}

/// `PUT /users/{user_id}`
pub(super) fn update(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    let body = body::structure(&asked.body).map_err(expected("user"))?;
    let patch = Patch::read(&body).map_err(expected("user"))?.whole();
    if body.text("id").map_err(expected("user"))?.unwrap_or_default() != id {
        return Err(AppError::body_param("user_id"));
    }
    if !server.may_edit(session, id) {
        return Err(AppError::permissions());
    }
    let old = server.users.get(id).cloned().ok_or_else(AppError::missing_account)?;
    check(server, session, &old, &patch, "api.user.update_user.login_provider_attribute_set.app_error")?;
    if session.user == old.id && differs(patch.email.as_ref(), &old.email) {
        let password = patch.password.as_deref().unwrap_or_default();
        check_password(server, &old.id, password).map_err(|_| AppError::body_param("password"))?;
    }
    change(server, &old, patch)
}

/// Checks 4 to 6 (`mattermost.md` 4.1).
fn check(server: &Server, session: &Session, old: &User, patch: &Patch, conflict: &str) -> Result<(), AppError> {
    let administers = server.may(session, Permission::ManageSystem);
    if old.is_administrator() && !administers {
        return Err(AppError::permissions());
    }
    if session.is_oauth && differs(patch.email.as_ref(), &old.email) {
        return Err(AppError::permissions());
    }
    match owned_by_provider(server, old, patch) {
        None => Ok(()),
        Some(field) => {
            let message = format!("Field '{field}' must be set through user's login provider.");
            Err(AppError::new(axum::http::StatusCode::CONFLICT, conflict, message))
        }
    }
}

/// The first field that belongs to the login provider and is about to change (`mattermost.md` 4.4).
///
/// What the LDAP module would name is not known: with the setting `ldap` it owns the whole profile and names fields as the
/// interface does.
fn owned_by_provider(server: &Server, user: &User, patch: &Patch) -> Option<&'static str> {
    let changes = |wanted: &Option<String>, stored: &str| differs(wanted.as_ref(), stored);
    if !user.auth_service.is_empty() && changes(&patch.username, &user.username) {
        return Some("username");
    }
    if user.is_oauth_account() {
        let name = changes(&patch.first_name, &user.first_name) || changes(&patch.last_name, &user.last_name);
        return name.then_some("full name");
    }
    if user.auth_service == "ldap" && server.settings.ldap {
        let owned = [
            ("first_name", &patch.first_name, &user.first_name),
            ("last_name", &patch.last_name, &user.last_name),
            ("email", &patch.email, &user.email),
            ("nickname", &patch.nickname, &user.nickname),
            ("position", &patch.position, &user.position),
        ];
        return owned.into_iter().find(|(_, wanted, stored)| changes(wanted, stored)).map(|(name, _, _)| name);
    }
    None
}

/// Compares a password, and counts the wrong ones.
pub(super) fn check_password(server: &mut Server, id: &str, password: &str) -> Result<(), AppError> {
    let Some(mut user) = server.users.get(id).cloned() else { return Err(AppError::missing_account()) };
    if user.failed_attempts >= LOGIN_ATTEMPTS {
        return Err(AppError::unauthorized(
            "api.user.check_user_login_attempts.too_many.app_error",
            "Your account is locked because of too many failed password attempts. Please reset your password.",
        ));
    }
    let right = !user.password.is_empty() && user.password == password;
    user.failed_attempts = if right { 0 } else { user.failed_attempts + 1 };
    server.store_same(user);
    if right {
        Ok(())
    } else {
        Err(AppError::unauthorized(
            "api.user.check_user_password.invalid.app_error",
            "Login failed because of invalid password.",
        ))
    }
}

/// The layer below both routes (`mattermost.md` 4.2). It never asks whether anything differs: every call writes.
fn change(server: &mut Server, old: &User, patch: Patch) -> Result<Answer, AppError> {
    let mut new = old.clone();
    patch.put_into(&mut new);

    if new.username != old.username && server.groups.contains(&new.username) {
        return Err(AppError::username_exists());
    }
    let mut unconfirmed = None;
    if new.email != old.email {
        check_domain(server, &new)?;
        if server.settings.require_email_verification {
            if server.users.by_email(&new.email.to_lowercase()).is_some() {
                return Err(AppError::email_exists());
            }
            unconfirmed = Some(std::mem::replace(&mut new.email, old.email.clone()));
        }
    }
    new.normalise();
    new.validate()?;

    if new.is_oauth_account() {
        new.email.clone_from(&old.email);
    } else if new.auth_service == "ldap" && (new.username != old.username || new.email != old.email) {
        let message = "Unable to find the existing account to update.";
        return Err(AppError::bad("app.user.update.find.app_error", message));
    }
    if new.email != old.email {
        new.email_verified = false;
    }
    if !new.auth_service.is_empty() {
        new.email_verified = true;
    }
    new.update_at = server.clock.tick();
    let renamed = new.username != old.username;
    let readdressed = new.email != old.email;
    server.store(new.clone())?;

    if renamed && new.last_picture_update <= 0 {
        new.update_at = server.clock.tick();
        new.last_picture_update = -new.update_at;
        server.store_same(new.clone());
    }
    if renamed {
        server.mail(&new.email, "username changed", None);
    }
    if readdressed {
        server.mail(&old.email, "email changed", None);
    }
    if let Some(address) = unconfirmed {
        ask_for_confirmation(server, &new.id, address);
    }
    Ok(Answer::ok(new.seen_by(Reader::Own)))
}

/// Whether the new address is in the domains people or guests may come from.
fn check_domain(server: &Server, user: &User) -> Result<(), AppError> {
    let settings = &server.settings;
    let (domains, id) = if user.is_guest() {
        (&settings.guest_restrict_creation_to_domains, "api.user.update_user.accepted_guest_domain.app_error")
    } else {
        (&settings.restrict_creation_to_domains, "api.user.update_user.accepted_domain.app_error")
    };
    let exempt = ["ldap", "saml"].contains(&user.auth_service.as_str());
    if exempt || in_domains(&user.email, domains) {
        Ok(())
    } else {
        Err(AppError::bad(
            id,
            "The email you provided does not belong to an accepted domain. Please contact your administrator or sign up \
             with a different email.",
        ))
    }
}

/// Mails a token to the new address; until it comes back the old one stays.
fn ask_for_confirmation(server: &mut Server, user: &str, address: String) {
    server.pending.retain(|_, (owner, _)| owner != user);
    let number = server.number();
    let token: String = ["one", "two", "three"].map(|part| clock::id(part, number)).concat().chars().take(64).collect();
    server.mail(&address, "verify email", Some(&token));
    server.pending.insert(token, (user.to_owned(), address));
}

/// `POST /users/email/verify`: the mailed token comes back. Needs no session.
pub(super) fn verify(server: &mut Server, asked: &Asked, _: Option<&Session>) -> Result<Answer, AppError> {
    let token = body::texts(&asked.body).remove("token").unwrap_or_default();
    if token.len() != 64 {
        return Err(AppError::body_param("token"));
    }
    let bad_link = || AppError::bad("api.user.verify_email.bad_link.app_error", "Bad verify email link.");
    let (id, address) = server.pending.get(&token).cloned().ok_or_else(bad_link)?;
    let mut user = server.users.get(&id).cloned().ok_or_else(bad_link)?;
    user.email = address.to_lowercase();
    user.email_verified = true;
    user.update_at = server.clock.tick();
    server.users.put(user).map_err(|_| bad_link())?;
    server.pending.remove(&token);
    Ok(Answer::done())
}

/// `POST /users/{user_id}/email/verify/member`: marks the address somebody has now as confirmed.
pub(super) fn verify_member(server: &mut Server, asked: &Asked, session: &Session) -> Result<Answer, AppError> {
    let id = asked.user_id(1, session)?;
    if !server.may(session, Permission::ManageSystem) {
        return Err(AppError::permissions());
    }
    let mut user = server.users.get(id).cloned().ok_or_else(AppError::missing_account)?;
    user.email_verified = true;
    user.update_at = server.clock.tick();
    server.store_same(user.clone());
    Ok(Answer::ok(user.seen_by(Reader::Own)))
}
