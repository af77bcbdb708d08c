//! `DiscourseConnect`: what the identity provider tells by `sync_sso`, and what a sign-in brings (`discourse.md` 8).

use std::collections::{BTreeMap, BTreeSet};

use base16ct::lower::encode_string as hex;
use base64::{Engine as _, alphabet, engine::GeneralPurpose, engine::general_purpose::PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::{
    answer::{Answer, Body},
    asked::Asked,
    caller::Caller,
    email, names,
    site::{Site, same},
    user::{ExternalRecord, User},
};

/// Words that are no ids. What a newer server says of them is not known; this one fails.
const NO_IDS: &[&str] = &["none", "nil", "blank", "null"];

const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD);

type Said = BTreeMap<String, String>;

pub(super) fn sync(site: &mut Site, caller: &Caller, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_admin()?;
    if !site.settings.enable_discourse_connect {
        return Err(Answer::empty(404));
    }
    let said = understood(site, asked).ok_or_else(|| Answer::failed_because(422, "Login Error"))?;
    let external = said.get("external_id").map(|id| id.trim().to_owned()).unwrap_or_default();
    if external.is_empty() {
        let text = "The `external_id` is required but was blank";
        return Err(Answer::failed_because(422, text));
    }
    if NO_IDS.contains(&external.to_lowercase().as_str()) {
        return Err(Answer { body: Body::Empty, ..Answer::text(500, "") });
    }
    let id = take(site, &external, &said)?;
    let user = site.users.get(&id).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, user.detailed(site, caller)))
}

/// What was said, where its signature is right. The fields are those of a form, and are decoded a second time, so that a
/// `+` becomes a blank.
fn understood(site: &Site, asked: &Asked) -> Option<Said> {
    if !asked.is_form {
        return None;
    }
    let twice = format!("sso={}&sig={}", asked.text("sso")?, asked.text("sig")?);
    let fields: Said = url::form_urlencoded::parse(twice.as_bytes()).into_owned().collect();
    let (sso, sig) = (fields.get("sso")?, fields.get("sig")?);
    let mut mac = Hmac::<Sha256>::new_from_slice(site.settings.discourse_connect_secret.as_bytes()).ok()?;
    mac.update(sso.as_bytes());
    if hex(&mac.finalize().into_bytes()) != *sig {
        return None;
    }
    let text = STANDARD.decode(sso).ok()?;
    Some(url::form_urlencoded::parse(&text).into_owned().collect())
}

/// Makes or changes whoever it is about.
fn take(site: &mut Site, external: &str, said: &Said) -> Result<i64, Answer> {
    let is_true = |name: &str| said.get(name).is_some_and(|text| text == "true");
    let text = |name: &str| said.get(name).filter(|text| !text.is_empty());
    let require_activation = is_true("require_activation");
    let is_it = |user: &&User| user.record.as_ref().is_some_and(|record| record.id == external);
    let known = site.users.values().find(is_it).map(|user| user.id);
    let by_email = || {
        let email = text("email").filter(|_| !require_activation)?;
        site.holder(email).map(|user| user.id)
    };
    let found = known.or_else(by_email);
    let mut user = match found.and_then(|id| site.users.get(&id)) {
        Some(user) => user.clone(),
        None => newcomer(site, said, external)?,
    };
    user.active = user.active || !require_activation;
    if found.is_some() {
        override_locally(site, &mut user, said);
        if user.name.chars().count() > 255 {
            let text = "Validation failed: Name is too long (maximum is 255 characters)";
            return Err(Answer::failed_because(403, text));
        }
        if let Some(email) =
            text("email").filter(|email| !same(email, &user.email) && site.settings.auth_overrides_email)
        {
            if site.users.values().any(|other| other.id != user.id && other.holds(email)) {
                let text = "Validation failed: Primary email has already been taken";
                return Err(Answer::failed_because(403, text));
            }
            user.email = email.to_lowercase();
            user.active &= !require_activation;
        }
    }
    if let Some(locale) = text("locale").filter(|_| is_true("locale_force_update") && site.settings.allow_user_locale) {
        user.locale.clone_from(locale);
    }
    for (name, into) in [("title", &mut user.title), ("website", &mut user.website), ("location", &mut user.location)] {
        if let Some(text) = said.get(name) {
            text.clone_into(into);
        }
    }
    for (name, into) in [("admin", &mut user.admin), ("moderator", &mut user.moderator)] {
        if let Some(text) = said.get(name) {
            *into = text == "true";
        }
    }
    if let Some(bio) = said.get("bio").filter(|_| user.bio.is_empty() || site.settings.discourse_connect_overrides_bio)
    {
        user.bio.clone_from(bio);
    }
    let told = |name: &str| said.get(name).cloned().unwrap_or_default();
    user.record = Some(ExternalRecord {
        id: external.to_owned(),
        username: told("username"),
        email: told("email"),
        name: told("name"),
    });
    let id = user.id;
    site.tick();
    let new = user.username.clone();
    if let Some(old) = site.users.insert(id, user) {
        super::writing::rekey(site, &old.username, &new);
    }
    join(site, id, said);
    Ok(id)
}

fn newcomer(site: &mut Site, said: &Said, _: &str) -> Result<User, Answer> {
    let text = |name: &str| said.get(name).cloned().filter(|text| !text.is_empty());
    let Some(email) = text("email").filter(|email| email::is_address(&email.to_lowercase())) else {
        return Err(Answer::failed_because(403, "Validation failed: Primary email can't be blank"));
    };
    if site.holder(&email).is_some() {
        return Err(Answer::failed_because(403, "Validation failed: Primary email has already been taken"));
    }
    let id = site.next_id;
    site.next_id += 1;
    let suggested = text("username").unwrap_or_else(|| email.split('@').next().unwrap_or("user").to_owned());
    let created_at = site.tick();
    Ok(User {
        id,
        username: names::free_variant(site, &suggested, id),
        name: text("name").unwrap_or_default(),
        email: email.to_lowercase(),
        approved: true,
        created_at,
        ..User::default()
    })
}

/// What the identity provider's word counts for. A name that somebody has becomes a variant of it.
fn override_locally(site: &Site, user: &mut User, said: &Said) {
    let text = |name: &str| said.get(name).filter(|text| !text.is_empty());
    if let Some(name) = text("username").filter(|_| site.settings.auth_overrides_username)
        && !same(name, &user.username)
    {
        user.username = names::free_variant(site, name, user.id);
    } else if let Some(name) = text("username").filter(|_| site.settings.auth_overrides_username) {
        user.username.clone_from(name);
    }
    if let Some(name) = text("name").filter(|_| site.settings.auth_overrides_name) {
        user.name.clone_from(name);
    }
}

fn join(site: &mut Site, id: i64, said: &Said) {
    let list = |name: &str| -> BTreeSet<String> {
        let names = said.get(name).map(|names| names.split(',').map(|name| name.trim().to_lowercase()).collect());
        names.unwrap_or_default()
    };
    let replaces = site.settings.discourse_connect_overrides_groups;
    let (whole, more, less) = (list("groups"), list("add_groups"), list("remove_groups"));
    for group in site.groups.values_mut().filter(|group| !group.automatic) {
        let name = group.name.to_lowercase();
        let is_in = group.members.contains(&id);
        let shall =
            if replaces { whole.contains(&name) } else { (is_in || more.contains(&name)) && !less.contains(&name) };
        if shall {
            group.members.insert(id);
        } else {
            group.members.remove(&id);
            group.owners.remove(&id);
        }
    }
}

/// What a sign-in through another system changes.
pub(super) fn sign_in(site: &mut Site, id: i64, told: &crate::lab::SignedIn) -> Vec<&'static str> {
    let Some(mut user) = site.users.get(&id).cloned() else { return Vec::new() };
    let before = user.clone();
    let said = Said::from([("username".to_owned(), told.username.clone()), ("name".to_owned(), told.name.clone())]);
    override_locally(site, &mut user, &said);
    let is_free = !site.users.values().any(|other| other.id != id && other.holds(&told.email));
    if site.settings.auth_overrides_email && is_free {
        user.email = told.email.to_lowercase();
    }
    let changed = [
        ("username", user.username != before.username),
        ("name", user.name != before.name),
        ("email", user.email != before.email),
    ];
    if user != before {
        site.tick();
        let (old, new) = (before.username, user.username.clone());
        site.users.insert(id, user);
        super::writing::rekey(site, &old, &new);
    }
    changed.into_iter().filter(|(_, is_other)| *is_other).map(|(name, _)| name).collect()
}

/// Whom a sign-in is about, as the lab tells it.
pub(super) fn shown(user: &User, changed: &[&str]) -> serde_json::Value {
    json!({ "id": user.id, "username": user.username, "email": user.email, "name": user.name, "changed": changed })
}
