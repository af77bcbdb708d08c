//! Writing users (`gitlab.md` 3, 5): change, create, delete, and taking an identity away.
//!
//! Keeps the order of the real thing: 401 and 403, 404, the two 409, and only then the model's own validation. Two
//! things happen before that validation and stay when it fails: an identity is linked, a pending address is forgotten.

use super::{
    asked::{Answer, Asked, Given},
    door::Caller,
    entity::{self, Entity},
    user::{Identity, Stamp, User},
    validity::{self, Faults},
    wish::Wish,
    world::World,
};

/// `PUT /users/:id`.
pub(super) fn update(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let mut wish = Wish::of_change(asked, &world.settings)?;
    let by = caller.must_be_admin()?;
    let before = world.user(id).ok_or_else(|| Answer::not_found("User"))?.clone();
    if let Given::Is(address) = &wish.email
        && world.address_holder(address).is_some_and(|holder| holder != id)
    {
        return Err(Answer::message(409, "Email has already been taken"));
    }
    if let Given::Is(name) = &wish.username
        && world.user_named(name).is_some_and(|holder| holder.id != id)
    {
        return Err(Answer::message(409, "Username has already been taken"));
    }
    wish.drop_synced(&world.settings, &before);
    let mut faults = Faults::new(caller.language);
    let mut user = before.clone();
    wish.assign(&mut user, &mut faults);
    let address = match &wish.email {
        Given::Not => None,
        Given::Null => Some(String::new()),
        Given::Is(address) => Some(address.trim().to_lowercase()),
    };
    let address = address.filter(|address| *address != before.email);
    link(world, &wish, &mut user);
    if address.is_some() {
        user.unconfirmed_email = None;
    }
    // What stays although the rest is refused.
    if user.identities != before.identities || user.unconfirmed_email != before.unconfirmed_email {
        let stays = User {
            identities: user.identities.clone(),
            unconfirmed_email: user.unconfirmed_email.clone(),
            ..before.clone()
        };
        world.put(stays);
    }
    let password = wish.password.as_ref().value().filter(|password| !password.is_empty());
    validity::judge(world, &mut faults, Some(&before), &user, address.as_deref(), password.map(String::as_str));
    faults.settle()?;
    let now = world.tick();
    if let Some(address) = address {
        let proven = user.emails.iter().any(|held| held.confirmed && held.email == address);
        if wish.skip_reconfirmation || proven {
            let fresh = world.next_address();
            user.move_to(address, fresh, now);
        } else {
            user.unconfirmed_email = Some(address);
        }
    }
    if password.is_some() {
        user.password_expired = by != id;
    }
    user.updated_at = now;
    world.put(user);
    shown(world, caller, id, 200)
}

/// Finds or makes the identity of a provider and points it at the uid. When the uid belongs to somebody else, or is
/// none, nothing happens and nobody is told (`gitlab.md` 3.1).
fn link(world: &World, wish: &Wish, user: &mut User) {
    let (Given::Is(provider), Given::Is(extern_uid)) = (&wish.provider, &wish.extern_uid) else { return };
    let identity = Identity { provider: provider.clone(), extern_uid: extern_uid.clone() };
    let taken = world.identity_holder(&identity).is_some_and(|holder| holder != user.id);
    if provider.is_empty() || extern_uid.is_empty() || taken {
        return;
    }
    match user.identities.iter_mut().find(|held| held.provider == identity.provider) {
        Some(held) => *held = identity,
        None => user.identities.push(identity),
    }
}

/// `POST /users`.
pub(super) fn create(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let wish = Wish::of_birth(asked, &world.settings)?;
    let by = caller.must_be_admin()?;
    let mut faults = Faults::new(caller.language);
    let mut user = User { id: world.next_user(), created_by: Some(by), ..User::default() };
    wish.assign(&mut user, &mut faults);
    user.email = wish.email.as_ref().value().map(|address| address.trim().to_lowercase()).unwrap_or_default();
    // Decided only after the save has failed, but then before its own faults are told.
    if world.address_holder(&user.email).is_some() {
        return Err(Answer::message(409, "Email has already been taken"));
    }
    if world.user_named(&user.username).is_some() {
        return Err(Answer::message(409, "Username has already been taken"));
    }
    let address = user.email.clone();
    let password = wish.password.as_ref().value().map(String::as_str);
    validity::judge(world, &mut faults, None, &user, Some(&address), password);
    faults.settle()?;
    let now: Stamp = world.tick();
    link(world, &wish, &mut user);
    (user.created_at, user.updated_at) = (now, now);
    user.confirmed_at = wish.skip_confirmation.then_some(now);
    user.password_expired = true;
    user.email_id = world.next_address();
    let id = user.id;
    world.put(user);
    shown(world, caller, id, 201)
}

/// `DELETE /users/:id`.
pub(super) fn delete(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let mut form = asked.form();
    let hard = form.flag("hard_delete").value().unwrap_or(false);
    form.done()?;
    caller.must_be_admin()?;
    let user = world.user(id).ok_or_else(|| Answer::not_found("User"))?;
    let owned: Vec<u64> = world
        .groups()
        .values()
        .filter(|group| {
            let mut owners = group.members.iter().filter(|(_, member)| member.access_level == 50).map(|(id, _)| *id);
            owners.next() == Some(id) && owners.next().is_none()
        })
        .map(|group| group.id)
        .collect();
    if !owned.is_empty() && !hard {
        return Err(Answer::message(409, "User cannot be removed while is the sole-owner of a group"));
    }
    asked.unless_changed_since(user.updated_at)?;
    for group in owned {
        world.disband(group);
    }
    world.tick();
    world.remove(id);
    Ok(Answer::nothing())
}

/// `DELETE /users/:id/identities/:provider`.
pub(super) fn unlink(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    caller.must_be_admin()?;
    let mut user = world.user(id).ok_or_else(|| Answer::not_found("User"))?.clone();
    let at = user.identities.iter().position(|held| held.provider == asked.place("provider"));
    let at = at.ok_or_else(|| Answer::not_found("Identity"))?;
    asked.unless_changed_since(user.updated_at)?;
    user.identities.remove(at);
    user.updated_at = world.tick();
    world.put(user);
    Ok(Answer::nothing())
}

fn shown(world: &World, caller: &Caller, id: u64, status: u16) -> Result<Answer, Answer> {
    let user = world.user(id).ok_or_else(|| Answer::not_found("User"))?;
    Ok(Answer::json(status, entity::user(world, caller, user, Entity::WithAdmin)))
}
