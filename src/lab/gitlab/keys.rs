//! The SSH keys of a user: listed, shown, deleted (`lib/api/users.rb`, the file S1 of `gitlab.md` 0).
//!
//! Everybody who may see a user may see her keys; only an administrator deletes them here.

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked},
    door::Caller,
    paging::{self, Page},
    user::{Key, User},
    world::World,
};

fn shown(key: &Key) -> Value {
    json!({
        "id": key.id,
        "title": key.title,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "key": key.public,
        "usage_type": "auth_and_signing",
    })
}

/// The user at this place, by number or username.
fn owner<'a>(world: &'a World, caller: &Caller, asked: &Asked) -> Result<&'a User, Answer> {
    caller.must_be_somebody()?;
    world.user_called(asked.place("id")).ok_or_else(|| Answer::not_found("User"))
}

fn number(asked: &Asked) -> Result<u64, Answer> {
    asked.place("key_id").parse().map_err(|_| Answer::error(400, "key_id is invalid"))
}

/// `GET /users/:id/keys`.
pub(super) fn list(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let page = Page::asked(asked)?;
    let user = owner(world, caller, asked)?;
    Ok(paging::offset(asked, caller, page, user.keys.len() as u64, user.keys.iter(), shown))
}

/// `GET /users/:id/keys/:key_id`.
pub(super) fn one(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let number = number(asked)?;
    let user = owner(world, caller, asked)?;
    let key = user.keys.iter().find(|key| key.id == number).ok_or_else(|| Answer::not_found("Key"))?;
    Ok(Answer::ok(shown(key)))
}

/// `DELETE /users/:id/keys/:key_id`; here the user is named by number alone.
pub(super) fn remove(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id: u64 = asked.place("id").parse().map_err(|_| Answer::error(400, "id is invalid"))?;
    let number = number(asked)?;
    caller.must_be_admin()?;
    let mut user = world.user(id).ok_or_else(|| Answer::not_found("User"))?.clone();
    let at = user.keys.iter().position(|key| key.id == number).ok_or_else(|| Answer::not_found("Key"))?;
    asked.unless_changed_since(user.keys[at].created_at)?;
    user.keys.remove(at);
    user.updated_at = world.tick();
    world.put(user);
    Ok(Answer::nothing())
}
