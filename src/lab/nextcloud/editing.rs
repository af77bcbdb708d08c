//! Changing one attribute, and switching accounts on and off (`nextcloud.md` 4 and 5).

use super::{
    door::Caller,
    envelope::Answer,
    instance::{Instance, Standing},
    settings::{Settings, Version},
    user::{Backend, PROFILE, User},
    values,
};

/// Why a change was not made.
pub(super) struct No(pub(super) u16, pub(super) String);

impl From<No> for Answer {
    fn from(No(code, message): No) -> Self {
        Self::No(code, message)
    }
}

/// Keys that came later.
pub(super) fn later(version: Version) -> &'static [&'static str] {
    match version {
        Version::V27 | Version::V28 => &[],
        Version::V30 => &["first_day_of_week"],
        Version::Master => &["first_day_of_week", "timezone", "bluesky", "pronouns"],
    }
}

/// `PUT /cloud/users/{id}`.
pub(super) fn edit(instance: &mut Instance, caller: &Caller, id: &str, key: &str, value: &str) -> Answer {
    let Some(user) = instance.users.get(id) else { return Answer::no(998, "") };
    let standing = instance.standing(caller, user);
    if !standing.reaches && !standing.is_herself {
        return Answer::no(998, "");
    }
    if !is_permitted(&instance.settings, standing, user, key) {
        return Answer::no(instance.settings.version.not_editable(), "");
    }
    let mut user = user.clone();
    match change(&instance.settings, &mut user, key, value) {
        Ok(()) => {
            instance.users.insert(id.to_owned(), user);
            Answer::done()
        }
        Err(no) => no.into(),
    }
}

/// Whether this caller may use this key on this user.
fn is_permitted(settings: &Settings, standing: Standing, user: &User, key: &str) -> bool {
    let names = matches!(key, "displayname" | "display") && user.backend.sets_display_name(settings);
    let plain = || {
        matches!(key, "additional_mail" | "notify_email" | "password" | "locale" | "profile_enabled")
            || PROFILE.contains(&key)
            || later(settings.version).contains(&key)
    };
    if standing.is_herself {
        return ((names || key == "email") && settings.allow_user_to_change_display_name)
            || plain()
            || (key == "language" && (!settings.force_language || standing.is_admin))
            || key == "birthdate"
            || key
                .strip_suffix("Scope")
                .is_some_and(|key| PROFILE.contains(&key) || key == "displayname" || key == "email")
            || (matches!(key, "quota" | "manager") && standing.is_admin);
    }
    names || plain() || matches!(key, "email" | "language" | "quota" | "manager")
}

/// Puts a value in its place; what is wrong with it where it is not taken.
pub(super) fn change(settings: &Settings, user: &mut User, key: &str, value: &str) -> Result<(), No> {
    let version = settings.version;
    let bad = |message: &str| No(version.bad_value(), message.to_owned());
    match key {
        "displayname" | "display" => {
            let name = value.trim();
            if user.backend == Backend::Database && name.chars().count() > values::LONGEST_NAME {
                return Err(No(101, String::new()));
            }
            if name.is_empty() && version == Version::Master {
                return Err(No(101, String::new()));
            }
            // Whatever else keeps it from being stored is not told.
            if !name.is_empty() && !user.drops_display_name {
                name.clone_into(&mut user.displayname);
                // A plug-in that writes puts it into the directory itself (`nextcloud.md` 7).
                if let Some(directory) = user.directory.as_mut().filter(|_| user.backend == Backend::Ldap) {
                    name.clone_into(&mut directory.displayname);
                }
            }
        }
        "email" => user.email = if value.is_empty() { String::new() } else { address(value, version)? },
        "additional_mail" => {
            let address = address(value, version)?;
            if address == user.email || user.additional_mail.contains(&address) {
                return Err(bad(""));
            }
            user.additional_mail.push(address);
        }
        "notify_email" => {
            let address = value.to_lowercase();
            if !value.is_empty() && address != user.email && !user.additional_mail.contains(&address) {
                return Err(bad(""));
            }
            user.notify_email = address;
        }
        "password" => {
            if !user.backend.sets_password() {
                return Err(No(version.no_passwords(), String::new()));
            }
            if let Some(message) = weakness(settings, value) {
                return Err(No(version.bad_password(), message));
            }
            value.clone_into(&mut user.password);
        }
        "language" => {
            if value != "en" && !settings.languages.contains(value) {
                return Err(bad("Invalid language"));
            }
            value.clone_into(&mut user.language);
        }
        "locale" => {
            if !settings.locales.contains(value) {
                return Err(bad("Invalid locale"));
            }
            value.clone_into(&mut user.locale);
        }
        "quota" => user.quota = values::quota(value, settings).map_err(|message| bad(&message))?,
        // Nobody looks whether there is such a person.
        "manager" => value.clone_into(&mut user.manager),
        "profile_enabled" => match value {
            "0" | "1" => user.profile_enabled = value == "1",
            _ => return Err(bad("")),
        },
        _ => {
            if value.len() > values::LONGEST_TEXT {
                return Err(bad(""));
            }
            let text = match key {
                _ if value.is_empty() => String::new(),
                "phone" => values::phone(value, settings).ok_or_else(|| bad("Invalid phone"))?,
                "website" if !values::is_website(value) => return Err(bad("Invalid website")),
                _ => value.to_owned(),
            };
            user.profile.insert(key.to_owned(), text);
        }
    }
    Ok(())
}

fn address(text: &str, version: Version) -> Result<String, No> {
    values::email(text, version).ok_or_else(|| No(version.bad_value(), String::new()))
}

/// What the policy has against a password.
pub(super) fn weakness(settings: &Settings, password: &str) -> Option<String> {
    let least = settings.shortest_password;
    (password.len() < least).then(|| format!("Password needs to be at least {least} characters long."))
}

/// `PUT /cloud/users/{id}/additional_mail`: takes one away, or puts another in its place.
pub(super) fn edit_one_of(
    instance: &mut Instance,
    caller: &Caller,
    id: &str,
    collection: &str,
    key: &str,
    value: &str,
) -> Answer {
    let version = instance.settings.version;
    let standing = instance.users.get(id).map(|user| instance.standing(caller, user));
    let Some(user) = instance.users.get_mut(id) else { return Answer::no(998, "") };
    if standing.is_none_or(|standing| !standing.reaches && !standing.is_herself) {
        return Answer::no(998, "");
    }
    if collection != "additional_mail" {
        return Answer::no(103, "");
    }
    let Some(at) = user.additional_mail.iter().position(|held| held.eq_ignore_ascii_case(key)) else {
        return Answer::no(102, "");
    };
    if value.is_empty() {
        user.additional_mail.remove(at);
        return Answer::done();
    }
    match values::email(value, version) {
        Some(address) => {
            user.additional_mail[at] = address;
            Answer::done()
        }
        None => Answer::no(102, ""),
    }
}

/// `PUT /cloud/users/{id}/enable` and `/disable`.
pub(super) fn switch(instance: &mut Instance, caller: &Caller, id: &str, on: bool) -> Answer {
    if id == caller.id || !instance.users.contains_key(id) {
        return Answer::no(101, "");
    }
    if !reaches(instance, caller, id) {
        return Answer::no(998, "");
    }
    if let Some(user) = instance.users.get_mut(id) {
        user.enabled = on;
    }
    Answer::done()
}

/// `DELETE /cloud/users/{id}`.
pub(super) fn delete(instance: &mut Instance, caller: &Caller, id: &str) -> Answer {
    if id == caller.id {
        return Answer::no(101, "");
    }
    if !reaches(instance, caller, id) {
        return Answer::no(998, "");
    }
    instance.users.remove(id);
    Answer::done()
}

fn reaches(instance: &Instance, caller: &Caller, id: &str) -> bool {
    instance.users.get(id).is_some_and(|user| instance.standing(caller, user).reaches)
}
