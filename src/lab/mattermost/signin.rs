//! Signing in interactively, and what a login provider's word does to the profile then (`mattermost.md` 6).
//!
//! Knows no provider but by what it tells of a user.

use serde_json::{Value, json};

use super::{
    clock,
    server::Server,
    user::{Reader, User, clean_username, default_notify_props, default_timezone},
};
use crate::lab::SignedIn;

/// Somebody with an account of her own comes in.
pub(super) fn by_account(server: &mut Server, user: &User) -> Result<Value, String> {
    if !user.is_active() {
        return Err(format!("`{}` is deactivated", user.username));
    }
    if user.auth_service.is_empty() && !user.email_verified && server.settings.require_email_verification {
        return Err(format!("the address of `{}` is not verified", user.username));
    }
    let mut user = user.clone();
    record_login(server, &mut user);
    Ok(json!({ "user": user.seen_by(Reader::Own), "changed": [], "created": false }))
}

/// Somebody comes in through a login provider that knows her.
pub(super) fn by_provider(server: &mut Server, service: &str, who: &SignedIn) -> Result<Value, String> {
    if !who.allowed {
        return Err(format!("{service} does not let `{}` sign in", who.username));
    }
    let known = server.users.by_auth_data(&who.id).filter(|user| user.auth_service == service).cloned();
    let random = server.number();
    let username = clean_username(&who.username, random);
    let (first_name, last_name) = who.name.split_once(' ').unwrap_or((&who.name, ""));
    let email = who.email.to_lowercase();
    let Some(old) = known else {
        let user = User {
            username,
            email,
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            auth_service: service.to_owned(),
            auth_data: Some(who.id.clone()),
            ..User::default()
        };
        return create(server, user);
    };

    let mut user = old.clone();
    user.delete_at = 0;
    if server.users.by_username(&username).is_none() {
        user.username = username;
    }
    if format!("{first_name} {last_name}").trim() != user.full_name() {
        first_name.clone_into(&mut user.first_name);
        last_name.clone_into(&mut user.last_name);
    }
    if server.users.by_email(&email).is_none() {
        user.email = email;
    }
    let differences = [
        ("username", user.username != old.username),
        ("first_name", user.first_name != old.first_name),
        ("last_name", user.last_name != old.last_name),
        ("email", user.email != old.email),
        ("delete_at", user.delete_at != old.delete_at),
    ];
    let changed: Vec<&str> = differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    if !changed.is_empty() {
        user.update_at = server.clock.tick();
        user.validate().map_err(|error| error.message)?;
    }
    record_login(server, &mut user);
    Ok(json!({ "user": user.seen_by(Reader::Own), "changed": changed, "created": false }))
}

/// The first sign-in makes the account.
fn create(server: &mut Server, mut user: User) -> Result<Value, String> {
    if server.users.by_email(&user.email).is_some() {
        return Err(format!(
            "api.user.create_oauth_user.already_attached.app_error: there is already an account with the address of `{}`",
            user.username
        ));
    }
    let mut count = 0;
    while server.users.by_username(&user.username).is_some() {
        user.username.push_str(&count.to_string());
        count += 1;
    }
    user.id = clock::id("created user", server.number());
    user.create_at = server.clock.tick();
    user.update_at = user.create_at;
    user.email_verified = true;
    "system_user".clone_into(&mut user.roles);
    "en".clone_into(&mut user.locale);
    user.notify_props = default_notify_props();
    user.timezone = default_timezone();
    user.validate().map_err(|error| error.message)?;
    server.store(user.clone()).map_err(|error| error.message)?;
    record_login(server, &mut user);
    Ok(json!({ "user": user.seen_by(Reader::Own), "changed": [], "created": true }))
}

/// Recording the login moves `update_at` too.
fn record_login(server: &mut Server, user: &mut User) {
    user.update_at = server.clock.tick();
    user.last_login = user.update_at;
    user.failed_attempts = 0;
    server.store_same(user.clone());
}
