//! On and off, and what else staff does to accounts (`discourse.md` 7).

use serde_json::json;

use super::{
    answer::Answer,
    asked::{Asked, as_text},
    caller::Caller,
    site::Site,
    user::{Suspension, User},
};

/// The longest reason.
const LONGEST_REASON: usize = 300;

fn target(site: &Site, id: i64) -> Result<User, Answer> {
    site.users.get(&id).cloned().ok_or_else(Answer::not_found)
}

fn put(site: &mut Site, user: User) {
    site.tick();
    site.users.insert(user.id, user);
}

pub(super) fn suspend(site: &mut Site, caller: &Caller, id: i64, asked: &Asked) -> Result<Answer, Answer> {
    let by = caller.must_be_staff()?;
    let mut user = target(site, id)?;
    let text = |name: &str| asked.present(name).and_then(as_text);
    let mut faults = Vec::new();
    let till = text("suspend_until").and_then(|till| day(&till));
    let reason = text("reason");
    if till.is_none() {
        faults.push("Suspend until can't be blank");
    }
    match &reason {
        None => faults.push("Reason can't be blank"),
        Some(reason) if reason.chars().count() > LONGEST_REASON => {
            faults.push("Reason is too long (maximum is 300 characters)");
        }
        Some(_) => {}
    }
    let (Some(till), Some(reason), true) = (till, reason, faults.is_empty()) else {
        return Err(Answer::failed_with(400, &faults));
    };
    if user.is_staff() {
        return Err(Answer::forbidden());
    }
    if let Some(suspension) = &user.suspension {
        let by = site.users.get(&suspension.by).map_or("system", |by| by.username.as_str());
        return Err(Answer::failed_because(409, &format!("User was already suspended by {by} 1 minute ago.")));
    }
    if let Some(message) = text("message") {
        let _ = message;
        site.mail("suspended", &user.email);
    }
    let at = site.tick();
    user.suspension = Some(Suspension { at: at.clone(), till: till.clone(), reason: reason.clone(), by });
    user.sign_outs += 1;
    put(site, user);
    let by = site.users.get(&by).map(|by| {
        let template = "/letter_avatar_proxy/v4/letter/x/{size}.png";
        json!({ "id": by.id, "username": by.username, "name": by.name, "avatar_template": template })
    });
    let suspension = json!({
        "suspend_reason": reason, "full_suspend_reason": reason, "suspended_till": till, "suspended_at": at,
        "suspended_by": by,
    });
    Ok(Answer::json(200, json!({ "suspension": suspension })))
}

/// A day as a moment; `None` where it is none.
fn day(text: &str) -> Option<String> {
    let day: jiff::civil::Date = text.get(..10)?.parse().ok()?;
    Some(format!("{day}T00:00:00.000Z"))
}

pub(super) fn unsuspend(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let mut user = target(site, id)?;
    if user.is_staff() && user.suspension.is_none() && user.id < 0 {
        return Err(Answer::forbidden());
    }
    user.suspension = None;
    put(site, user);
    Ok(Answer::json(200, json!({ "suspension": { "suspended_till": null, "suspended_at": null } })))
}

pub(super) fn deactivate(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let mut user = target(site, id)?;
    if user.is_staff() {
        return Err(Answer::forbidden());
    }
    if !user.approved {
        // Who waits for approval is deleted by it.
        site.delete(id);
        return Ok(Answer::ok());
    }
    user.active = false;
    user.sign_outs += 1;
    put(site, user);
    Ok(Answer::ok())
}

pub(super) fn activate(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let mut user = target(site, id)?;
    if user.active {
        return Err(Answer::forbidden());
    }
    user.active = true;
    put(site, user);
    Ok(Answer::ok())
}

pub(super) fn anonymize(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let mut user = target(site, id)?;
    if user.is_staff() || user.is_anonymous {
        return Err(Answer::forbidden());
    }
    let old = user.username.clone();
    user = User {
        id,
        username: format!("anon{id:08}"),
        email: format!("anon{id:08}@anonymized.invalid"),
        active: true,
        approved: true,
        is_anonymous: true,
        created_at: user.created_at,
        has_posts: user.has_posts,
        ..User::default()
    };
    let username = user.username.clone();
    put(site, user);
    super::writing::rekey(site, &old, &username);
    Ok(Answer::json(200, json!({ "success": "OK", "username": username })))
}

pub(super) fn log_out(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let mut user = target(site, id)?;
    user.sign_outs += 1;
    put(site, user);
    Ok(Answer::ok())
}

pub(super) fn delete(site: &mut Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let user = target(site, id)?;
    if user.has_posts || user.is_staff() {
        return Err(Answer::forbidden());
    }
    site.delete(id);
    Ok(Answer::json(200, json!({ "deleted": true })))
}
