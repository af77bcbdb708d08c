//! What an answer shows of a user, a member or an address, to whom (`gitlab.md` 2.2, 6, 7).
//!
//! The entities grow out of each other as GitLab's do. None shows a pending address.

use serde_json::{Map, Value, json};

use super::{
    door::Caller,
    user::{Address, User},
    world::{Member, World},
};

/// How much of a user an answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    Basic,
    User,
    Public,
    WithAdmin,
    DetailsWithAdmin,
}

pub(super) fn user(world: &World, caller: &Caller, user: &User, entity: Entity) -> Value {
    let mut shown = basic(caller, user);
    if entity >= Entity::User {
        profile(world, caller, user, &mut shown);
    }
    if entity >= Entity::Public {
        private(caller, user, &mut shown);
    }
    if entity >= Entity::WithAdmin {
        add(
            &mut shown,
            json!({
                "is_admin": user.admin,
                "note": user.note,
                "namespace_id": user.id + 1_000_000,
                "created_by": user.created_by.and_then(|id| world.user(id)).map(|by| basic(caller, by)),
                "email_reset_offered_at": null,
            }),
        );
    }
    if entity >= Entity::DetailsWithAdmin {
        let highest = world.groups().values().filter_map(|group| group.members.get(&user.id));
        let highest = highest.map(|member| member.access_level).max().unwrap_or(0);
        let address = user.last_sign_in_at.map(|_| "127.0.0.1");
        add(
            &mut shown,
            json!({
                "highest_role": highest,
                "current_sign_in_ip": address,
                "last_sign_in_ip": address,
                "sign_in_count": user.sign_in_count,
            }),
        );
    }
    Value::Object(shown)
}

/// The group's own view of a member.
pub(super) fn member(world: &World, caller: &Caller, user: &User, member: &Member) -> Value {
    let mut shown = basic(caller, user);
    add(
        &mut shown,
        json!({
            "access_level": member.access_level,
            "created_at": member.created_at,
            "created_by": member.created_by.and_then(|id| world.user(id)).map(|by| basic(caller, by)),
            "expires_at": member.expires_at,
            "membership_state": "active",
        }),
    );
    Value::Object(shown)
}

pub(super) fn address(held: &Address) -> Value {
    json!({"id": held.id, "email": held.email, "confirmed_at": held.confirmed.then_some(held.added_at)})
}

fn add(shown: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        shown.extend(more);
    }
}

fn basic(caller: &Caller, user: &User) -> Map<String, Value> {
    let mut shown = Map::new();
    add(
        &mut shown,
        json!({
            "id": user.id,
            "username": user.username,
            "public_email": user.public_email,
            "name": user.name,
            "state": user.state,
            "locked": false,
            "avatar_url": null,
            "web_url": format!("{}/{}", caller.base, user.username),
        }),
    );
    shown
}

fn profile(world: &World, caller: &Caller, user: &User, shown: &mut Map<String, Value>) {
    if !user.private_profile || caller.admin || caller.user == Some(user.id) {
        add(shown, json!({"created_at": user.created_at, "followers": 0, "following": 0}));
    }
    let work = match (user.job_title.as_str(), user.organization.as_str()) {
        ("", "") => None,
        (title, "") => Some(title.to_owned()),
        ("", organization) => Some(organization.to_owned()),
        (title, organization) => Some(format!("{title} at {organization}")),
    };
    add(
        shown,
        json!({
            "bio": user.bio,
            "location": user.location,
            "linkedin": user.linkedin,
            "twitter": user.twitter,
            "discord": user.discord,
            "website_url": user.website_url,
            "organization": user.organization,
            "job_title": user.job_title,
            "pronouns": user.pronouns,
            "bot": user.bot,
            "work_information": work,
            "local_time": null,
        }),
    );
    let (name, value) = if world.settings.major() < 18 { ("skype", &user.skype) } else { ("github", &user.github) };
    shown.insert(name.to_owned(), json!(value));
}

fn private(caller: &Caller, user: &User, shown: &mut Map<String, Value>) {
    let identities: Vec<Value> = user
        .identities
        .iter()
        .map(|held| json!({"provider": held.provider, "extern_uid": held.extern_uid, "saml_provider_id": null}))
        .collect();
    let host = caller.base.split("://").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
    let commit_email = match user.commit_email.as_deref() {
        None => user.email.clone(),
        Some("_private") => format!("{}-{}@users.noreply.{host}", user.id, user.username),
        Some(address) => address.to_owned(),
    };
    add(
        shown,
        json!({
            "last_sign_in_at": user.last_sign_in_at,
            "confirmed_at": user.confirmed_at,
            "last_activity_on": user.last_activity_on,
            "email": user.email,
            "theme_id": user.theme_id,
            "color_scheme_id": user.color_scheme_id,
            "projects_limit": user.projects_limit,
            "current_sign_in_at": user.current_sign_in_at,
            "identities": identities,
            "can_create_group": user.can_create_group,
            "can_create_project": user.projects_limit > 0,
            "two_factor_enabled": user.two_factor_enabled,
            "external": user.external,
            "private_profile": user.private_profile,
            "commit_email": commit_email,
            "preferred_language": user.preferred_language,
        }),
    );
}
