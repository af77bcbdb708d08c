//! Groups: finding one by its number or full path, and who may see it (`gitlab.md` 7).
//!
//! Groups come from the seed and nothing here changes them; who is in them is the matter of `members`.

use serde_json::json;

use super::{
    asked::{Answer, Asked},
    door::Caller,
    world::{Group, World},
};

/// The group, if this caller may see it: a group is private to its members and the administrators.
pub(super) fn readable<'a>(world: &'a World, caller: &Caller, asked: &Asked) -> Result<&'a Group, Answer> {
    let user = caller.must_be_somebody()?;
    let group = world.group_called(asked.place("id")).ok_or_else(|| Answer::not_found("Group"))?;
    if caller.admin || level_in(world, group, user).is_some() {
        return Ok(group);
    }
    Err(Answer::not_found("Group"))
}

/// The highest level somebody has in a group, its own or one from around it.
pub(super) fn level_in(world: &World, group: &Group, user: u64) -> Option<u64> {
    let around = world.ancestors(group).chain([group]);
    around.filter_map(|group| group.members.get(&user)).map(|member| member.access_level).max()
}

/// `GET /groups/:id`.
pub(super) fn one(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let mut form = asked.form();
    let _ = form.flag("with_projects");
    form.done()?;
    let group = readable(world, caller, asked)?;
    let above: Vec<&Group> = world.ancestors(group).collect();
    let names: Vec<&str> = above.iter().rev().map(|above| above.name.as_str()).chain([group.name.as_str()]).collect();
    Ok(Answer::ok(json!({
        "id": group.id,
        "name": group.name,
        "path": group.path.rsplit('/').next(),
        "full_path": group.path,
        "full_name": names.join(" / "),
        "visibility": "private",
        "parent_id": above.first().map(|parent| parent.id),
        "web_url": format!("{}/groups/{}", caller.base, group.path),
    })))
}
