//! Access tokens: listed, shown and revoked by number, never by their text (`lib/api/personal_access_tokens.rb`).
//!
//! A revoked token stays in the list. Other people's tokens are a matter for administrators: anybody else sees her own.

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked},
    door::Caller,
    paging::{self, Page},
    user::EPOCH,
    world::{Token, World},
};

fn shown(token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "revoked": token.revoked,
        "created_at": EPOCH,
        "scopes": token.scopes,
        "user_id": token.user,
        "last_used_at": null,
        "active": is_active(token),
        "expires_at": if token.expired { EPOCH.day().before(1) } else { EPOCH.day().before(-365) },
    })
}

fn is_active(token: &Token) -> bool {
    !token.revoked && !token.expired
}

/// `GET /personal_access_tokens`.
pub(super) fn list(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let mut form = asked.form();
    let user = form.number("user_id").value();
    let state = form.word("state", &["active", "inactive"]);
    let revoked = form.flag("revoked").value();
    form.done()?;
    let page = Page::asked(asked)?;
    let reader = caller.must_be_somebody()?;
    let user = user.map(|user| u64::try_from(user).unwrap_or(0));
    if !caller.admin && user.is_some_and(|user| user != reader) {
        return Err(Answer::unauthorized());
    }
    let whose = if caller.admin { user } else { Some(reader) };
    let rows: Vec<&Token> = world
        .listed_tokens()
        .into_iter()
        .filter(|token| whose.is_none_or(|user| token.user == user))
        .filter(|token| state.as_ref().is_none_or(|state| (state == "active") == is_active(token)))
        .filter(|token| revoked.is_none_or(|revoked| token.revoked == revoked))
        .collect();
    Ok(paging::offset(asked, caller, page, rows.len() as u64, rows.into_iter(), shown))
}

/// The token at this place, if this caller may know of it; `self` is the one she shows.
fn found<'a>(world: &'a World, caller: &Caller, asked: &Asked) -> Result<&'a Token, Answer> {
    let reader = caller.must_be_somebody()?;
    let all = world.listed_tokens();
    if asked.place("id") == "self" {
        let own = all.into_iter().find(|token| Some(token.id) == caller.token);
        let reason = "400 Bad request - This endpoint requires token type to be a personal access token";
        return own.ok_or_else(|| Answer::message(400, reason));
    }
    let number: u64 = asked.place("id").parse().map_err(|_| Answer::error(400, "id is invalid"))?;
    let missing = || if caller.admin { Answer::message(404, "404 Not found") } else { Answer::unauthorized() };
    let token = all.into_iter().find(|token| token.id == number).ok_or_else(missing)?;
    if caller.admin || token.user == reader { Ok(token) } else { Err(Answer::unauthorized()) }
}

/// `GET /personal_access_tokens/:id`, and `…/self`.
pub(super) fn one(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    found(world, caller, asked).map(|token| Answer::ok(shown(token)))
}

/// `DELETE /personal_access_tokens/:id`, and `…/self`. Revoking what is revoked is done as well.
pub(super) fn revoke(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = found(world, caller, asked)?.id;
    world.tick();
    world.revoke(id);
    Ok(Answer::nothing())
}
