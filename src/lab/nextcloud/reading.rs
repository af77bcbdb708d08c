//! Showing users (`nextcloud.md` 3).

use serde_json::{Map, Value, json};

use super::{
    asked::Asked,
    door::Caller,
    editing,
    envelope::Answer,
    instance::Instance,
    user::{PROFILE, User},
};

/// Ids of those whom the caller may see, and who are meant.
pub(super) fn list(instance: &Instance, caller: &Caller, asked: &Asked<'_>, is_meant: fn(&User) -> bool) -> Answer {
    let ids = found(instance, caller, asked).filter(|user| is_meant(user)).map(|user| &user.id);
    Answer::Yes(json!({ "users": asked.part(ids) }))
}

/// The same with what is known of them; who fails to load is there by id alone.
pub(super) fn details(instance: &Instance, caller: &Caller, asked: &Asked<'_>, group: Option<&str>) -> Answer {
    let meant = found(instance, caller, asked).filter(|user| group.is_none_or(|group| user.groups.contains(group)));
    let mut users = Map::new();
    for user in asked.part(meant) {
        let shown = if user.broken { json!({ "id": user.id }) } else { shown(instance, caller, user) };
        users.insert(user.id.clone(), shown);
    }
    // What is empty is a list.
    let users = if users.is_empty() { json!([]) } else { Value::Object(users) };
    Answer::Yes(json!({ "users": users }))
}

fn found<'i>(instance: &'i Instance, caller: &Caller, asked: &Asked<'_>) -> impl Iterator<Item = &'i User> {
    let meant =
        instance.users.values().filter(|user| instance.standing(caller, user).reaches && asked.finds(&user.searched()));
    meant.collect::<Vec<_>>().into_iter()
}

/// One user, or herself.
pub(super) fn one(instance: &Instance, caller: &Caller, id: &str) -> Answer {
    let Some(user) = instance.users.get(id) else { return Answer::no(404, "User does not exist") };
    let standing = instance.standing(caller, user);
    if !standing.reaches && !standing.is_herself {
        return Answer::no(998, "");
    }
    Answer::Yes(shown(instance, caller, user))
}

fn shown(instance: &Instance, caller: &Caller, user: &User) -> Value {
    let standing = instance.standing(caller, user);
    user.shown(&instance.settings, standing.reaches, standing.is_herself)
}

/// What she may edit, as her own settings page would have it.
pub(super) fn fields(instance: &Instance, caller: &Caller, id: &str) -> Answer {
    let Some(user) = instance.users.get(id) else { return Answer::no(404, "User does not exist") };
    let standing = instance.standing(caller, user);
    if !standing.reaches && !standing.is_herself {
        return Answer::no(998, "");
    }
    let mut fields = Vec::new();
    if instance.settings.allow_user_to_change_display_name {
        fields.extend(user.backend.sets_display_name(&instance.settings).then_some("displayname"));
        fields.push("email");
    }
    fields.push("additional_mail");
    fields.extend(PROFILE);
    fields.extend(editing::later(instance.settings.version).iter().filter(|key| **key != "timezone"));
    fields.push("profile_enabled");
    Answer::Yes(json!(fields))
}
