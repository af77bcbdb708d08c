//! What the forum shows of users (`discourse.md` 3).

use serde_json::{Value, json};

use super::{
    answer::Answer,
    asked::Asked,
    caller::Caller,
    site::{Site, same},
    user::User,
};

/// Rows on a page of the staff's list.
const PAGE: usize = 100;

/// Inactive users are found by staff alone.
pub(super) fn visible<'s>(site: &'s Site, caller: &Caller, name: &str) -> Result<&'s User, Answer> {
    let user = site.named(name).filter(|user| user.active || caller.staff);
    user.ok_or_else(Answer::not_found)
}

pub(super) fn profile(site: &Site, caller: &Caller, name: &str) -> Result<Answer, Answer> {
    let user = visible(site, caller, name)?;
    Ok(Answer::json(200, json!({ "user_badges": [], "user": user.profile(site, caller) })))
}

/// Whose key it is (known of Discourse; in no contract).
pub(super) fn current(site: &Site, caller: &Caller) -> Answer {
    let Some(user) = caller.user.and_then(|id| site.users.get(&id)) else { return Answer::empty(404) };
    let current = json!({
        "id": user.id, "username": user.username, "name": user.name, "admin": user.admin, "moderator": user.moderator,
        "trust_level": 1, "staff": user.is_staff(),
    });
    Answer::json(200, json!({ "current_user": current }))
}

pub(super) fn by_external(site: &Site, caller: &Caller, id: &str) -> Result<Answer, Answer> {
    let user = site.users.values().find(|user| user.record.as_ref().is_some_and(|record| record.id == id));
    let user = user.filter(|user| user.active || caller.staff).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, json!({ "user_badges": [], "user": user.profile(site, caller) })))
}

/// Of other ways to sign in none is managed here.
pub(super) fn by_provider(caller: &Caller) -> Answer {
    if caller.admin { Answer::not_found() } else { Answer::forbidden() }
}

pub(super) fn emails(site: &mut Site, caller: &Caller, name: &str) -> Result<Answer, Answer> {
    let by = caller.must_be_somebody()?;
    let user = visible(site, caller, name)?.clone();
    if !caller.staff && user.id != by {
        return Ok(Answer::failed(403));
    }
    if user.id != by {
        site.log("check_email", user.id);
    }
    let waiting: Vec<&str> = user.pending.iter().map(|one| one.email.as_str()).collect();
    Ok(Answer::json(
        200,
        json!({
            "email": user.email, "secondary_emails": user.secondary, "unconfirmed_emails": waiting,
            "associated_accounts": [],
        }),
    ))
}

pub(super) fn detailed(site: &Site, caller: &Caller, id: i64) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let user = site.users.get(&id).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(200, user.detailed(site, caller)))
}

pub(super) fn list(site: &mut Site, caller: &Caller, flag: &str, asked: &Asked) -> Result<Answer, Answer> {
    let by = caller.must_be_staff()?;
    let is_meant: fn(&User) -> bool = match flag {
        "active" | "new" => |_| true,
        "staff" => User::is_staff,
        "suspended" => User::is_suspended,
        "silenced" => |user| user.silenced,
        "pending" => |user| user.active && !user.approved && !user.is_suspended(),
        "staged" => |user| user.staged,
        _ => return Err(Answer::not_found()),
    };
    let text = |name: &str| asked.text(name).filter(|text| !text.is_empty());
    let email = text("email").map(|email| email.to_lowercase());
    let filter = text("filter").map(|filter| filter.trim().to_lowercase());
    let is_sought = |user: &User| match (&email, &filter) {
        (Some(email), _) => same(&user.email, email),
        (None, Some(filter)) if filter.parse::<std::net::IpAddr>().is_ok() => filter == "127.0.0.1",
        (None, Some(filter)) => {
            user.username.to_lowercase().contains(filter.as_str()) || user.email.contains(filter.as_str())
        }
        (None, None) => true,
    };
    let mut users: Vec<&User> = site.users.values().filter(|user| is_meant(user) && is_sought(user)).collect();
    let order = text("order");
    match order.as_deref() {
        Some("username") => users.sort_by_key(|user| user.username.to_lowercase()),
        Some("email") => users.sort_by(|one, other| one.email.cmp(&other.email)),
        _ => users.sort_by(|one, other| (&one.created_at, one.id).cmp(&(&other.created_at, other.id))),
    }
    // Only a named order can be turned round; without one the newest come first.
    if order.is_none() || text("asc").is_none() {
        users.reverse();
    }
    let show_emails = text("show_emails").is_some_and(|yes| yes == "true");
    let page = text("page").and_then(|page| page.parse::<usize>().ok()).unwrap_or(1).max(1);
    let rows: Vec<Value> =
        users.iter().skip((page - 1) * PAGE).take(PAGE).map(|user| user.row(caller, show_emails)).collect();
    if show_emails {
        site.log("check_email", by);
    }
    Ok(Answer::json(200, json!(rows)))
}
