//! Groups and who is in them (`nextcloud.md` 5).

use serde_json::json;

use super::{
    asked::Asked,
    door::Caller,
    envelope::Answer,
    instance::{ADMINISTRATORS, Instance},
};

/// `GET /cloud/users/{id}/groups`.
pub(super) fn of(instance: &Instance, caller: &Caller, id: &str) -> Answer {
    let Some(user) = instance.users.get(id) else { return Answer::no(998, "") };
    let standing = instance.standing(caller, user);
    if !standing.reaches && !standing.is_herself {
        return Answer::no(998, "");
    }
    Answer::Yes(json!({ "groups": user.groups }))
}

/// `POST /cloud/users/{id}/groups`.
pub(super) fn join(instance: &mut Instance, caller: &Caller, id: &str, group: &str) -> Answer {
    if let Some(no) = refused(instance, caller, id, group) {
        return no;
    }
    if let Some(user) = instance.users.get_mut(id) {
        user.groups.insert(group.to_owned());
    }
    Answer::done()
}

/// `DELETE /cloud/users/{id}/groups`.
pub(super) fn leave(instance: &mut Instance, caller: &Caller, id: &str, group: &str) -> Answer {
    if let Some(no) = refused(instance, caller, id, group) {
        return no;
    }
    if id == caller.id && group == ADMINISTRATORS {
        return Answer::no(105, "Cannot remove yourself from the admin group");
    }
    let led = instance.leads(&caller.id);
    let everybodys = instance.is_admin(&caller.id) || instance.is_delegated(&caller.id);
    let Some(user) = instance.users.get_mut(id) else { return Answer::no(103, "") };
    if !everybodys {
        // Herself out of a group of hers, or somebody out of the last one by which she is reached.
        let remaining = user.groups.iter().filter(|held| led.contains(*held) && *held != group).count();
        if id == caller.id || (user.groups.contains(group) && remaining == 0) {
            return Answer::no(105, "Not viable to remove user from the last group you are sub-admin of");
        }
    }
    user.groups.remove(group);
    Answer::done()
}

/// Why nothing comes of a membership, in the order in which it is looked at.
fn refused(instance: &Instance, caller: &Caller, id: &str, group: &str) -> Option<Answer> {
    if group.is_empty() {
        return Some(Answer::no(101, ""));
    }
    if !instance.groups.contains_key(group) {
        return Some(Answer::no(102, ""));
    }
    if !instance.users.contains_key(id) {
        return Some(Answer::no(103, ""));
    }
    let may = instance.is_admin(&caller.id)
        || (instance.is_delegated(&caller.id) && group != ADMINISTRATORS)
        || instance.leads(&caller.id).contains(group);
    (!may).then(|| Answer::no(104, ""))
}

/// The groups somebody is an admin of: shown, given and taken.
pub(super) fn lead(instance: &mut Instance, id: &str, method: &str, group: &str) -> Answer {
    let is_group = instance.groups.contains_key(group);
    let Some(user) = instance.users.get_mut(id) else { return Answer::no(101, "User does not exist") };
    match method {
        "GET" => return Answer::Yes(json!(user.subadmin)),
        "POST" if !is_group => return Answer::no(102, "Group does not exist"),
        "POST" if group == ADMINISTRATORS => return Answer::no(103, "Cannot create sub-admins for admin group"),
        "POST" => drop(user.subadmin.insert(group.to_owned())),
        _ if !is_group => return Answer::no(101, "Group does not exist"),
        _ if !user.subadmin.remove(group) => return Answer::no(102, "User is not a sub-admin of this group"),
        _ => {}
    }
    Answer::done()
}

/// `GET /cloud/groups`: the ids of those the caller may see, found by id or name.
pub(super) fn list(instance: &Instance, caller: &Caller, asked: &Asked<'_>) -> Answer {
    let everybodys = instance.is_admin(&caller.id) || instance.is_delegated(&caller.id);
    let led = instance.leads(&caller.id);
    let seen = instance
        .groups
        .iter()
        .filter(|(id, name)| (everybodys || led.contains(*id)) && asked.finds(&[id.as_str(), name.as_str()]));
    Answer::Yes(json!({ "groups": asked.part(seen.map(|(id, _)| id)) }))
}

/// `POST /cloud/groups`.
pub(super) fn create(instance: &mut Instance, id: &str, name: &str) -> Answer {
    if id.is_empty() {
        return Answer::no(101, "Invalid group name");
    }
    if instance.groups.contains_key(id) {
        return Answer::no(102, "group exists");
    }
    let name = if name.is_empty() { id } else { name };
    instance.groups.insert(id.to_owned(), name.to_owned());
    Answer::done()
}

/// `PUT /cloud/groups/{id}`.
pub(super) fn rename(instance: &mut Instance, id: &str, key: &str, value: &str) -> Answer {
    match instance.groups.get_mut(id) {
        Some(name) if key == "displayname" => {
            value.clone_into(name);
            Answer::done()
        }
        _ => Answer::no(101, ""),
    }
}

/// `DELETE /cloud/groups/{id}`.
pub(super) fn delete(instance: &mut Instance, id: &str) -> Answer {
    if id == ADMINISTRATORS {
        return Answer::no(102, "");
    }
    if instance.groups.remove(id).is_none() {
        return Answer::no(101, "");
    }
    for user in instance.users.values_mut() {
        user.groups.remove(id);
        user.subadmin.remove(id);
    }
    Answer::done()
}

/// `GET /cloud/groups/{id}/users`.
pub(super) fn members(instance: &Instance, caller: &Caller, id: &str) -> Answer {
    let everybodys = instance.is_admin(&caller.id) || instance.is_delegated(&caller.id);
    if !instance.groups.contains_key(id) {
        return Answer::no(404, "The requested group could not be found");
    }
    if !everybodys && !instance.leads(&caller.id).contains(id) {
        return Answer::no(403, "User does not have access to specified group");
    }
    let members = instance.users.values().filter(|user| user.groups.contains(id)).map(|user| &user.id);
    Answer::Yes(json!({ "users": members.collect::<Vec<_>>() }))
}
