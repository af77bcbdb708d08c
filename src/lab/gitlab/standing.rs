//! The state of an account (`gitlab.md` 4): block, unblock, deactivate, activate, ban, unban, approve, reject.
//!
//! A success is 201 with `true`; a call that finds its work done answers `null` or `false`, each its own way.

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked},
    door::Caller,
    user::{EPOCH, State, User},
    words,
    world::World,
};

/// The user the call is about, after the caller has shown her rights.
fn target(world: &World, caller: &Caller, asked: &Asked) -> Result<User, Answer> {
    let id = asked.number_at("id")?;
    caller.must_be_admin()?;
    world.user(id).cloned().ok_or_else(|| Answer::not_found("User"))
}

fn turn(world: &mut World, mut user: User, state: State) -> Answer {
    user.state = state;
    user.updated_at = world.tick();
    world.put(user);
    done(true)
}

fn done(body: impl Into<Value>) -> Answer {
    Answer::json(201, body.into())
}

fn refused(caller: &Caller, text: &str) -> Answer {
    Answer::message(403, caller.language.say(text))
}

pub(super) fn block(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state == State::LdapBlocked {
        return Err(Answer::forbidden_because("LDAP blocked users cannot be modified by the API"));
    }
    if caller.user == Some(user.id) {
        return Err(Answer::forbidden_because("The API initiating user cannot be blocked by the API"));
    }
    if user.state.counts_as_blocked() {
        return Ok(done(Value::Null));
    }
    if user.internal {
        return Err(refused(caller, words::INTERNAL_BLOCK));
    }
    Ok(turn(world, user, State::Blocked))
}

pub(super) fn unblock(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    match user.state {
        State::LdapBlocked => Err(Answer::forbidden_because("LDAP blocked users cannot be unblocked by the API")),
        State::Deactivated => Err(Answer::forbidden_because("Deactivated users cannot be unblocked by the API")),
        State::Active => Ok(done(false)),
        State::Blocked | State::Banned | State::BlockedPendingApproval => Ok(turn(world, user, State::Active)),
    }
}

pub(super) fn deactivate(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state == State::Deactivated {
        return Ok(done(Value::Null));
    }
    if user.state.counts_as_blocked() {
        return Err(refused(caller, words::BLOCKED_DEACTIVATE));
    }
    if user.internal {
        return Err(refused(caller, words::INTERNAL_DEACTIVATE));
    }
    let days = world.settings.dormant_days;
    let last = user.last_activity_on.into_iter().chain(user.current_sign_in_at.map(super::user::Stamp::day)).max();
    if last.is_some_and(|last| last > EPOCH.day().before(days)) {
        let text = format!(
            "The user you are trying to deactivate has been active in the past {days} days and cannot be deactivated"
        );
        return Err(refused(caller, &text));
    }
    Ok(turn(world, user, State::Deactivated))
}

pub(super) fn activate(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state.counts_as_blocked() {
        return Err(refused(caller, words::BLOCKED_ACTIVATE));
    }
    if user.state == State::Active {
        return Ok(done(true));
    }
    Ok(turn(world, user, State::Active))
}

pub(super) fn ban(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state != State::Active {
        return Err(cannot("ban", user.state));
    }
    Ok(turn(world, user, State::Banned))
}

pub(super) fn unban(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state != State::Banned {
        return Err(cannot("unban", user.state));
    }
    Ok(turn(world, user, State::Active))
}

fn cannot(action: &str, state: State) -> Answer {
    Answer::message(403, format!("You cannot {action} {} users.", state.word()))
}

pub(super) fn approve(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state != State::BlockedPendingApproval {
        return Err(Answer::message(409, "The user you are trying to approve is not pending approval"));
    }
    turn(world, user, State::Active);
    Ok(done(json!({"message": "Success", "http_status": "created", "status": "success"})))
}

pub(super) fn reject(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let user = target(world, caller, asked)?;
    if user.state != State::BlockedPendingApproval {
        return Err(Answer::message(409, "User does not have a pending request"));
    }
    world.tick();
    world.remove(user.id);
    Ok(done(json!({"message": "Success", "http_status": "ok", "status": "success"})))
}
