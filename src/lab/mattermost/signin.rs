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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::mattermost::seed;

    fn server() -> Server {
        let seed = json!({ "users": [
            { "username": "gina", "email": "gina@example.com", "first_name": "Gina", "last_name": "Gold",
              "nickname": "gg", "auth_service": "gitlab", "auth_data": "42" },
            { "username": "anna", "email": "anna@example.com" },
        ]});
        seed::plant(&seed).unwrap()
    }

    fn told(username: &str, email: &str, name: &str) -> SignedIn {
        SignedIn {
            id: "42".to_owned(),
            username: username.to_owned(),
            email: email.to_owned(),
            name: name.to_owned(),
            allowed: true,
        }
    }

    /// Username, first name, last name, address and nickname of the user with GitLab's number 42.
    fn gina(server: &Server) -> [String; 5] {
        let user = server.users.by_auth_data("42").unwrap().clone();
        [user.username, user.first_name, user.last_name, user.email, user.nickname]
    }

    #[test]
    fn a_rename_at_the_provider_arrives_at_the_next_sign_in() {
        let mut server = server();
        let before = server.users.by_auth_data("42").unwrap().update_at;
        let answer = by_provider(&mut server, "gitlab", &told("Gina.B", "B@Example.com", "Gina van Gold")).unwrap();
        assert_eq!(answer["changed"], json!(["username", "last_name", "email"]));
        assert_eq!(gina(&server), ["gina.b", "Gina", "van Gold", "b@example.com", "gg"]);
        assert!(server.users.by_auth_data("42").unwrap().update_at > before);
    }

    #[test]
    fn a_name_or_address_somebody_holds_is_silently_left_alone() {
        let mut server = server();
        let answer = by_provider(&mut server, "gitlab", &told("Anna", "Anna@example.com", "Gina Gold")).unwrap();
        assert_eq!(answer["changed"], json!([]));
        assert_eq!(gina(&server), ["gina", "Gina", "Gold", "gina@example.com", "gg"]);
    }

    #[test]
    fn signing_in_reactivates() {
        let mut server = server();
        let id = server.users.by_auth_data("42").unwrap().id.clone();
        server.set_active(&id, false);
        let answer = by_provider(&mut server, "gitlab", &told("gina", "gina@example.com", "Gina Gold")).unwrap();
        assert_eq!(answer["changed"], json!(["delete_at"]));
        assert!(server.users.get(&id).unwrap().is_active());
    }

    #[test]
    fn somebody_the_provider_turns_away_stays_outside_and_unchanged() {
        let mut server = server();
        let who = SignedIn { allowed: false, ..told("gina.b", "b@example.com", "Gina Gold") };
        let before = server.dump();
        assert_eq!(by_provider(&mut server, "gitlab", &who), Err("gitlab does not let `gina.b` sign in".to_owned()));
        assert_eq!(server.dump(), before);
    }

    #[test]
    fn a_name_that_cannot_be_used_becomes_a_new_random_one_each_time() {
        let mut server = server();
        let names: Vec<String> = (0..2)
            .map(|_| {
                by_provider(&mut server, "gitlab", &told("system", "gina@example.com", "Gina Gold")).unwrap();
                gina(&server)[0].clone()
            })
            .collect();
        assert!(names.iter().all(|name| name.len() == 27 && name.starts_with('a')), "{names:?}");
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn the_first_sign_in_makes_an_account_with_digits_where_the_name_is_taken() {
        let mut server = server();
        let who = SignedIn { id: "7".to_owned(), ..told("anna", "other.anna@example.com", "Anna") };
        let answer = by_provider(&mut server, "gitlab", &who).unwrap();
        assert_eq!(answer["created"], true);
        let user = server.users.by_auth_data("7").unwrap();
        assert_eq!((user.username.as_str(), user.first_name.as_str(), user.last_name.as_str()), ("anna0", "Anna", ""));
        assert_eq!((user.auth_service.as_str(), user.roles.as_str()), ("gitlab", "system_user"));
    }

    #[test]
    fn the_first_sign_in_is_refused_where_the_address_has_an_account() {
        let mut server = server();
        let who = SignedIn { id: "7".to_owned(), ..told("other", "anna@example.com", "Anna") };
        let error = by_provider(&mut server, "gitlab", &who).unwrap_err();
        assert!(error.starts_with("api.user.create_oauth_user.already_attached.app_error"), "{error}");
    }
}
