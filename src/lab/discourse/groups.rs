//! Groups and who is in them (`discourse.md` 9).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    answer::Answer,
    asked::Asked,
    caller::Caller,
    site::{Group, Site},
    user::User,
};

/// The most names one request may bring, and the longest page.
const MOST: usize = 1000;

const AUTOMATIC: &str = "You cannot modify an automatic group";

pub(super) fn show(site: &Site, caller: &Caller, name: &str) -> Result<Answer, Answer> {
    let group = site.group_named(name).ok_or_else(Answer::not_found)?;
    let group = group.shown(site, Some(caller.user.unwrap_or_default()));
    let visible: Vec<&str> = site.groups.values().map(|group| group.name.as_str()).collect();
    Ok(Answer::json(200, json!({ "group": group, "extras": { "visible_group_names": visible } })))
}

pub(super) fn members(site: &Site, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    let group = site.group_named(name).ok_or_else(Answer::not_found)?;
    let number = |name: &str, usual: i64| match asked.text(name) {
        Some(text) => text.parse::<i64>().unwrap_or(0),
        None => usual,
    };
    let (limit, offset) = (number("limit", 50), number("offset", 0));
    let Ok(from) = usize::try_from(offset) else { return Err(Answer::bad_parameter("offset must be positive")) };
    if limit < 0 || limit > i64::try_from(MOST).unwrap_or(i64::MAX) {
        return Err(Answer::bad_parameter("limit must be between 0 and 1000"));
    }
    let filter = asked.text("filter").unwrap_or_default().to_lowercase();
    let is_meant = |user: &&User| {
        filter.is_empty() || user.username.to_lowercase().contains(&filter) || user.email.contains(&filter)
    };
    let all: Vec<&User> = site.users.values().filter(|user| site.is_in(group, user.id)).filter(is_meant).collect();
    let page: Vec<Value> =
        all.iter().skip(from).take(usize::try_from(limit).unwrap_or(0)).map(|user| user.member()).collect();
    let owners: Vec<Value> = group.owners.iter().filter_map(|id| site.users.get(id)).map(User::member).collect();
    let meta = json!({ "total": all.len(), "limit": limit, "offset": offset });
    Ok(Answer::json(200, json!({ "members": page, "owners": owners, "meta": meta })))
}

/// A group that whoever asks may fill.
fn ruled<'s>(site: &'s Site, caller: &Caller, id: &str) -> Result<&'s Group, Answer> {
    let by = caller.must_be_somebody()?;
    let group = id.parse().ok().and_then(|id: u64| site.groups.get(&id)).ok_or_else(Answer::not_found)?;
    let may = caller.staff || group.owners.contains(&by);
    if group.automatic || !may { Err(Answer::forbidden()) } else { Ok(group) }
}

/// The users a request is about, in the order it names them; those nobody knows are passed over.
fn named(site: &Site, asked: &Asked) -> Result<Vec<i64>, Answer> {
    type Find = fn(&Site, &str) -> Option<i64>;
    let ways: [(&str, Find); 4] = [
        ("usernames", |site, text| site.named(text).map(|user| user.id)),
        ("user_ids", |site, text| text.parse().ok().filter(|id| site.users.contains_key(id))),
        ("user_emails", |site, text| site.holder(text).map(|user| user.id)),
        ("emails", |site, text| site.holder(text).map(|user| user.id)),
    ];
    let mut found = Vec::new();
    let mut given = 0;
    for (name, find) in ways {
        for text in asked.list(name).unwrap_or_default() {
            given += 1;
            found.extend(find(site, &text).filter(|id| !found.contains(id)));
        }
    }
    if given == 0 {
        return Err(Answer::bad_parameter("user_ids or usernames or user_emails must be present"));
    }
    if given > MOST {
        return Err(Answer::invalid("You can only add or remove 1000 users at a time."));
    }
    Ok(found)
}

pub(super) fn add(site: &mut Site, caller: &Caller, id: &str, asked: &Asked) -> Result<Answer, Answer> {
    let group = ruled(site, caller, id)?.clone();
    let invited: Vec<String> = asked
        .list("emails")
        .unwrap_or_default()
        .into_iter()
        .filter(|email| site.holder(email).is_none() && email.contains('@'))
        .collect();
    let users = named(site, asked)?;
    if users.is_empty() && invited.is_empty() {
        return Err(Answer::bad_parameter("user_ids or usernames or user_emails must be present"));
    }
    let name = |id: &i64| site.users.get(id).map(|user| user.username.clone()).unwrap_or_default();
    let fresh: Vec<i64> = users.iter().copied().filter(|id| !group.members.contains(id)).collect();
    if fresh.is_empty() && invited.is_empty() {
        let names: Vec<String> = users.iter().map(name).collect();
        return Err(Answer::invalid(&match names.as_slice() {
            [one] => format!("'{one}' is already a member of this group."),
            all => format!("The following users are already members of this group: {}", all.join(", ")),
        }));
    }
    let names: Vec<String> = fresh.iter().map(name).collect();
    for email in &invited {
        // People nobody knows are invited, and whoever asked did perhaps not mean that.
        site.mail("invitation", email);
    }
    site.tick();
    if let Some(group) = site.groups.get_mut(&group.id) {
        group.members.extend(fresh);
    }
    Ok(Answer::json(200, json!({ "success": "OK", "usernames": names, "emails": invited })))
}

pub(super) fn remove(site: &mut Site, caller: &Caller, id: &str, asked: &Asked) -> Result<Answer, Answer> {
    let group = ruled(site, caller, id)?.clone();
    let users = named(site, asked)?;
    if users.is_empty() {
        return Err(Answer::bad_parameter("user_ids or usernames or user_emails must be present"));
    }
    let name = |id: &i64| site.users.get(id).map(|user| user.username.clone()).unwrap_or_default();
    let (there, others): (Vec<i64>, Vec<i64>) = users.into_iter().partition(|id| group.members.contains(id));
    let (names, skipped): (Vec<String>, Vec<String>) =
        (there.iter().map(name).collect(), others.iter().map(name).collect());
    site.tick();
    let gone: BTreeSet<i64> = there.into_iter().collect();
    if let Some(group) = site.groups.get_mut(&group.id) {
        group.members.retain(|id| !gone.contains(id));
        group.owners.retain(|id| !gone.contains(id));
    }
    Ok(Answer::json(200, json!({ "success": "OK", "usernames": names, "skipped_usernames": skipped })))
}

/// The quieter pair, for one user by her number.
pub(super) fn put_in(site: &mut Site, caller: &Caller, user: i64, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    let id = asked.text("group_id").ok_or_else(|| Answer::missing("group_id"))?;
    quietly(site, user, &id, true)
}

pub(super) fn take_out(site: &mut Site, caller: &Caller, user: i64, group: &str) -> Result<Answer, Answer> {
    caller.must_be_staff()?;
    quietly(site, user, group, false)
}

fn quietly(site: &mut Site, user: i64, group: &str, is_in: bool) -> Result<Answer, Answer> {
    let group = group.parse().ok().and_then(|id: u64| site.groups.get(&id)).ok_or_else(Answer::not_found)?;
    if !site.users.contains_key(&user) {
        return Err(Answer::not_found());
    }
    if group.automatic {
        return Err(Answer::invalid(AUTOMATIC));
    }
    let id = group.id;
    site.tick();
    if let Some(group) = site.groups.get_mut(&id) {
        if is_in {
            group.members.insert(user);
        } else {
            group.members.remove(&user);
            group.owners.remove(&user);
        }
    }
    Ok(Answer::empty(200))
}
