//! Members of groups (`gitlab.md` 7): direct, inherited, added one by one or several at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked, Given},
    door::{Caller, used_up},
    entity,
    groups::{level_in, readable},
    paging::{self, Page},
    user::User,
    validity::Faults,
    words,
    world::{Group, Member, OWNER, World},
};

/// The levels of the Community Edition; the newest have come with the version.
fn is_level(world: &World, level: i64) -> bool {
    match level {
        10 | 20 | 30 | 40 | 50 => true,
        15 => world.settings.is_from(17, 7),
        25 => world.settings.is_from(19, 0),
        _ => false,
    }
}

/// The group, if this caller may change who is in it.
fn ruled<'a>(world: &'a World, caller: &Caller, asked: &Asked) -> Result<&'a Group, Answer> {
    let group = readable(world, caller, asked)?;
    let level = caller.user.and_then(|user| level_in(world, group, user));
    if caller.admin || level == Some(OWNER) { Ok(group) } else { Err(Answer::forbidden()) }
}

/// What a user has in this group from the groups around it, and from which.
fn inherited<'a>(world: &'a World, group: &'a Group, user: u64) -> Option<(u64, &'a Group)> {
    let held = world.ancestors(group).filter_map(|above| Some((above.members.get(&user)?.access_level, above)));
    held.max_by_key(|(level, _)| *level)
}

fn not_a_member() -> Answer {
    Answer::message(404, "404 Not found")
}

fn user_at(asked: &Asked) -> Result<u64, Answer> {
    asked.place("user_id").parse().map_err(|_| Answer::error(400, "user_id is invalid"))
}

pub(super) fn list(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let page = Page::asked(asked)?;
    let group = readable(world, caller, asked)?;
    let all: BTreeMap<u64, &Member> = group.members.iter().map(|(id, member)| (*id, member)).collect();
    Ok(listed(world, caller, asked, page, &all))
}

pub(super) fn list_all(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let page = Page::asked(asked)?;
    let group = readable(world, caller, asked)?;
    Ok(listed(world, caller, asked, page, &with_inherited(world, group)))
}

/// Everybody in this group or in those around it, each with the highest level.
fn with_inherited<'a>(world: &'a World, group: &'a Group) -> BTreeMap<u64, &'a Member> {
    let mut all: BTreeMap<u64, &Member> = BTreeMap::new();
    for around in world.ancestors(group).chain([group]) {
        for (id, member) in &around.members {
            let held = all.entry(*id).or_insert(member);
            if member.access_level > held.access_level {
                *held = member;
            }
        }
    }
    all
}

fn listed(world: &World, caller: &Caller, asked: &Asked, page: Page, all: &BTreeMap<u64, &Member>) -> Answer {
    let query = asked.text("query").map(|text| text.to_lowercase());
    let ids = user_ids(asked);
    let rows: Vec<(&User, &Member)> = all
        .iter()
        .filter(|(id, _)| ids.is_empty() || ids.contains(id))
        .filter_map(|(id, member)| Some((world.user(*id)?, *member)))
        .filter(|(user, _)| {
            query.as_ref().is_none_or(|text| {
                user.username.to_lowercase().contains(text) || user.name.to_lowercase().contains(text)
            })
        })
        .collect();
    let total = rows.len() as u64;
    let show = |(user, member): (&User, &Member)| entity::member(world, caller, user, member);
    paging::offset(asked, caller, page, total, rows.into_iter(), show)
}

/// The users a list is asked to be about: `user_ids[]` as often as there are users, or `user_ids` with commas, of which
/// the last one counts. None: everybody.
fn user_ids(asked: &Asked) -> BTreeSet<u64> {
    let several = asked.query.iter().filter(|(name, _)| name == "user_ids[]").map(|(_, value)| value.as_str());
    let joined = asked.query.iter().rfind(|(name, _)| name == "user_ids").map(|(_, value)| value.as_str());
    several.chain(joined.into_iter().flat_map(|all| all.split(','))).filter_map(|id| id.trim().parse().ok()).collect()
}

pub(super) fn one(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = user_at(asked)?;
    let group = readable(world, caller, asked)?;
    shown(world, caller, group.members.get(&id), id, 200)
}

pub(super) fn one_of_all(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = user_at(asked)?;
    let group = readable(world, caller, asked)?;
    shown(world, caller, with_inherited(world, group).get(&id).copied(), id, 200)
}

fn shown(world: &World, caller: &Caller, member: Option<&Member>, id: u64, status: u16) -> Result<Answer, Answer> {
    let (Some(member), Some(user)) = (member, world.user(id)) else { return Err(not_a_member()) };
    Ok(Answer::json(status, entity::member(world, caller, user, member)))
}

/// What a membership is to be.
struct Terms {
    level: i64,
    expires_at: Given<String>,
}

pub(super) fn add(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let mut form = asked.form();
    if !form.was_sent("access_level") {
        form.fault("access_level is missing");
    }
    let level = form.number("access_level").value().unwrap_or(0);
    match (form.was_sent("user_id"), form.was_sent("username")) {
        (true, true) => form.fault("user_id, username are mutually exclusive"),
        (false, false) => form.fault("user_id, username are missing, at least one parameter must be provided"),
        _ => {}
    }
    let ids = form.text("user_id").value();
    let names = form.text("username").value();
    let terms = Terms { level, expires_at: day(form.text("expires_at"), &mut form) };
    form.done()?;
    let by = caller.must_be_somebody()?;
    let ruled = ruled(world, caller, asked)?;
    let (group, locked) = (ruled.id, ruled.locked);
    let found = |world: &World, who: &str| match &ids {
        Some(_) => who.parse().ok().and_then(|id| world.user(id)).map(|user| user.id),
        None => world.user_named(who).map(|user| user.id),
    };
    let all = ids.as_ref().or(names.as_ref()).cloned().unwrap_or_default();
    if all.contains(',') {
        let mut faults = serde_json::Map::new();
        for who in all.split(',').map(str::trim).filter(|who| !who.is_empty()) {
            let name = found(world, who).and_then(|id| world.user(id)).map(|user| user.username.clone());
            let cause = match found(world, who) {
                None => Some("User not found".to_owned()),
                Some(id) => admit(world, caller, group, id, by, &terms).err().map(Refusal::plain),
            };
            if let Some(cause) = cause {
                faults.insert(name.unwrap_or_else(|| who.to_owned()), Value::String(cause));
            }
        }
        let body = if faults.is_empty() {
            json!({"status": "success"})
        } else {
            json!({"status": "error", "message": faults})
        };
        return Ok(Answer::json(201, body));
    }
    let id = found(world, &all).ok_or_else(|| Answer::not_found("User"))?;
    let is_in = world.groups().get(&group).is_some_and(|group| group.members.contains_key(&id));
    if locked && !is_in {
        return Err(Answer::message(405, "405 Method Not Allowed"));
    }
    admit(world, caller, group, id, by, &terms).map_err(Refusal::answer)?;
    let group = world.group_called(&group.to_string()).ok_or_else(|| Answer::not_found("Group"))?;
    shown(world, caller, group.members.get(&id), id, 201)
}

/// Why somebody cannot be a member on these terms.
enum Refusal {
    AlreadyIn,
    Level { faults: Faults, text: String },
}

impl Refusal {
    fn answer(self) -> Answer {
        match self {
            Self::AlreadyIn => Answer::message(409, "Member already exists"),
            Self::Level { faults, .. } => faults.answer(),
        }
    }

    fn plain(self) -> String {
        match self {
            Self::AlreadyIn => "Member already exists".to_owned(),
            Self::Level { text, .. } => format!("Access level {text}"),
        }
    }
}

fn admit(world: &mut World, caller: &Caller, group: u64, id: u64, by: u64, terms: &Terms) -> Result<(), Refusal> {
    let held = world.groups().get(&group).and_then(|group| group.members.get(&id));
    if held.is_some() {
        return Err(Refusal::AlreadyIn);
    }
    let access_level = fitting(world, caller, group, id, terms.level)?;
    let now = world.tick();
    let expires_at = terms.expires_at.clone().value();
    let member = Member { access_level, expires_at, created_at: now, updated_at: now, created_by: Some(by) };
    if let Some(group) = world.group_mut(group) {
        group.members.insert(id, member);
    }
    Ok(())
}

/// The level, if it exists and is not below what the groups around give already.
fn fitting(world: &World, caller: &Caller, group: u64, id: u64, level: i64) -> Result<u64, Refusal> {
    let refuse = |text: String| {
        let mut faults = Faults::new(caller.language);
        faults.add("access_level", &text);
        Err(Refusal::Level { faults, text })
    };
    let Some(wanted) = u64::try_from(level).ok().filter(|_| is_level(world, level)) else {
        return refuse(words::NOT_IN_LIST.to_owned());
    };
    let above = world.groups().get(&group).and_then(|group| inherited(world, group, id));
    match above {
        Some((least, from)) if wanted < least => {
            let (name, path) = (level_name(least), &from.path);
            refuse(format!("should be greater than or equal to {name} inherited membership from group {path}"))
        }
        _ => Ok(wanted),
    }
}

fn level_name(level: u64) -> &'static str {
    match level {
        10 => "Guest",
        15 => "Planner",
        20 => "Reporter",
        25 => "Security Manager",
        30 => "Developer",
        40 => "Maintainer",
        _ => "Owner",
    }
}

fn day(given: Given<String>, form: &mut super::asked::Form<'_>) -> Given<String> {
    match given {
        Given::Is(text) if text.is_empty() => Given::Null,
        Given::Is(text) => {
            if let Some(stamp) = super::user::Stamp::read(&text) {
                return Given::Is(String::from(stamp.day()));
            }
            form.fault("expires_at is invalid");
            Given::Not
        }
        other => other,
    }
}

pub(super) fn update(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = user_at(asked)?;
    let mut form = asked.form();
    if !form.was_sent("access_level") {
        form.fault("access_level is missing");
    }
    let level = form.number("access_level").value().unwrap_or(0);
    let expires_at = day(form.text("expires_at"), &mut form);
    form.done()?;
    let group = ruled(world, caller, asked)?;
    if !group.members.contains_key(&id) {
        return Err(not_a_member());
    }
    if world.is_last_owner(group, id) {
        return Err(Answer::forbidden());
    }
    let group = group.id;
    let access_level = fitting(world, caller, group, id, level).map_err(Refusal::answer)?;
    let now = world.tick();
    if let Some(member) = world.group_mut(group).and_then(|group| group.members.get_mut(&id)) {
        member.access_level = access_level;
        member.updated_at = now;
        match expires_at {
            Given::Not => {}
            Given::Null => member.expires_at = None,
            Given::Is(day) => member.expires_at = Some(day),
        }
    }
    shown(world, caller, world.groups().get(&group).and_then(|group| group.members.get(&id)), id, 200)
}

pub(super) fn remove(world: &mut World, caller: &Caller, asked: &Asked, wall: i64) -> Result<Answer, Answer> {
    let id = user_at(asked)?;
    let mut form = asked.form();
    let here_only = form.flag("skip_subresources").value().unwrap_or(false);
    let _ = form.flag("unassign_issuables");
    form.done()?;
    let by = caller.must_be_somebody()?;
    let group = readable(world, caller, asked)?;
    let member = group.members.get(&id).ok_or_else(not_a_member)?;
    let last_owner = world.is_last_owner(group, id);
    let (number, updated_at, inside) = (group.id, member.updated_at, world.descendants(group));
    let may = by == id || ruled(world, caller, asked).is_ok();
    let limit = world.settings.members_delete_limit;
    if used_up(world, format!("members_delete/{number}/{by}"), limit, 60, wall) {
        return Err(Answer::too_often());
    }
    asked.unless_changed_since(updated_at)?;
    if !may || last_owner {
        return Err(Answer::forbidden());
    }
    world.tick();
    let inside = if here_only { Vec::new() } else { inside };
    for group in inside.into_iter().chain([number]) {
        if let Some(group) = world.group_mut(group) {
            group.members.remove(&id);
        }
    }
    Ok(Answer::nothing())
}
