//! The addresses of a user beside the primary one (`gitlab.md` 6).

use serde_json::json;

use super::{
    asked::{Answer, Asked, Given},
    door::Caller,
    entity,
    paging::{self, Page},
    user::{Address, User},
    validity::{self, Faults},
    words,
    world::World,
};

pub(super) fn list(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let page = Page::asked(asked)?;
    caller.must_be_admin()?;
    let user = world.user(id).ok_or_else(|| Answer::not_found("User"))?;
    let mut held = user.emails.clone();
    if world.settings.list_primary_email {
        held.push(primary(user));
        held.sort_by_key(|held| held.id);
    }
    let total = held.len() as u64;
    Ok(paging::offset(asked, caller, page, total, held.iter(), entity::address))
}

fn primary(user: &User) -> Address {
    Address {
        id: user.email_id,
        email: user.email.clone(),
        confirmed: user.confirmed_at.is_some(),
        added_at: user.confirmed_at.unwrap_or(user.created_at),
    }
}

pub(super) fn add(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let mut form = asked.form();
    let email = form.required("email");
    let skip = form.flag("skip_confirmation").value().unwrap_or(false);
    form.done()?;
    caller.must_be_admin()?;
    let mut user = world.user(id).ok_or_else(|| Answer::not_found("User"))?.clone();
    let email = match email {
        Given::Is(email) => email.trim().to_lowercase(),
        Given::Null | Given::Not => String::new(),
    };
    let mut faults = Faults::new(caller.language);
    if world.address_holder(&email).is_some() {
        faults.add("email", words::TAKEN);
    } else {
        validity::email(world, &mut faults, &email);
    }
    faults.settle()?;
    let held = Address { id: world.next_address(), email, confirmed: skip, added_at: world.tick() };
    let shown = entity::address(&held);
    user.emails.push(held);
    user.updated_at = world.now();
    world.put(user);
    Ok(Answer::json(201, shown))
}

pub(super) fn remove(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let wanted: Option<u64> = asked.place("email_id").parse().ok();
    let wanted = wanted.ok_or_else(|| Answer::json(400, json!({"error": "email_id is invalid"})))?;
    caller.must_be_admin()?;
    let mut user = world.user(id).ok_or_else(|| Answer::not_found("User"))?.clone();
    let at = user.emails.iter().position(|held| held.id == wanted).ok_or_else(|| Answer::not_found("Email"))?;
    asked.unless_changed_since(user.emails[at].added_at)?;
    let gone = user.emails.remove(at).email;
    for shown in [&mut user.public_email, &mut user.commit_email] {
        if shown.as_ref() == Some(&gone) {
            *shown = None;
        }
    }
    user.updated_at = world.tick();
    // The index must forget the address before the user is stored without it, and `put` does both.
    world.put(user);
    Ok(Answer::nothing())
}
