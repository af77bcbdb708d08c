//! Usernames and profiles (`discourse.md` 4 and 6).

use serde_json::{Map, Value, json};

use super::{
    answer::Answer,
    asked::{Asked, as_text},
    caller::Caller,
    names, reading,
    site::{Site, same},
};

/// The longest name.
const LONGEST_NAME: usize = 255;

/// What is kept of a field: the contract has a longest length and no number (known of Discourse; in no contract).
const LONGEST_FIELD: usize = 2048;

const OVERRIDDEN: &str = "Username needs to be updated on authentication provider side, since `auth_overrides_username` \
                          setting is enabled.";

pub(super) fn rename(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    let wanted = asked.present("new_username").and_then(as_text).ok_or_else(|| Answer::missing("new_username"))?;
    if names::is_reserved(&site.settings, &wanted) {
        return Err(Answer::invalid("That username is not allowed."));
    }
    let user = reading::visible(site, caller, name)?.clone();
    if !caller.may_edit_username(site, user.id) {
        return Err(if caller.staff { Answer::invalid(OVERRIDDEN) } else { Answer::failed(403) });
    }
    if user.username == wanted {
        // The changer says no without a word why.
        return Err(Answer::invalid(""));
    }
    let mut faults = names::faults(&site.settings, &wanted);
    if site.is_name_taken(&wanted, Some(user.id)) {
        faults.insert(0, "Username must be unique".to_owned());
    }
    if !faults.is_empty() {
        return Err(Answer::invalid(&faults.join(",")));
    }
    site.tick();
    if let Some(user) = site.users.get_mut(&user.id) {
        user.username.clone_from(&wanted);
    }
    rekey(site, &user.username, &wanted);
    Ok(Answer::json(200, json!({ "id": user.id, "username": wanted })))
}

/// A key belongs to a user and not to her name.
pub(super) fn rekey(site: &mut Site, old: &str, new: &str) {
    for key in &mut site.keys {
        if key.user.as_ref().is_some_and(|user| same(user, old)) {
            key.user = Some(new.to_owned());
        }
    }
    if same(&site.ours, old) {
        new.clone_into(&mut site.ours);
    }
}

pub(super) fn update(site: &mut Site, caller: &Caller, name: &str, asked: &Asked) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    let mut user = reading::visible(site, caller, name)?.clone();
    if !caller.may_edit(user.id) {
        return Err(Answer::forbidden());
    }
    let connect = site.settings.enable_discourse_connect;
    let text = |name: &str| asked.params.get(name).map(|value| as_text(value).unwrap_or_default());
    if let Some(name) = text("name").filter(|_| caller.may_edit_name(site, user.id)) {
        if name.chars().count() > LONGEST_NAME {
            return Err(Answer::invalid(&format!("Name is too long (maximum is {LONGEST_NAME} characters)")));
        }
        user.name = name;
    }
    // Ordinary people choose among what they were given, which is nothing here.
    if let Some(title) = text("title").filter(|title| caller.staff || title.is_empty()) {
        user.title = title;
    }
    if let Some(locale) = text("locale") {
        user.locale = locale;
    }
    let settings = &site.settings;
    for (name, overridden, into) in [
        ("bio_raw", settings.discourse_connect_overrides_bio, &mut user.bio),
        ("location", settings.discourse_connect_overrides_location, &mut user.location),
        ("website", settings.discourse_connect_overrides_website, &mut user.website),
    ] {
        if let Some(text) = text(name).filter(|_| !(connect && overridden)) {
            *into = text;
        }
    }
    if let Some(date) = text("date_of_birth") {
        user.date_of_birth = date;
    }
    let number = |name: &str| asked.params.get(name).and_then(as_text).and_then(|id| id.parse::<u64>().ok());
    if let Some(group) =
        number("primary_group_id").filter(|_| site.settings.user_selected_primary_groups || caller.admin)
        && site.groups.get(&group).is_some_and(|group| site.is_in(group, user.id))
        && site.settings.user_selected_primary_groups
    {
        user.primary_group = Some(group);
    }
    if let Some(group) = number("flair_group_id")
        && site.groups.get(&group).is_some_and(|group| site.is_in(group, user.id))
    {
        user.flair_group = Some(group);
    }
    let object = |name: &str| asked.params.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    fields(site, caller, &mut user, &object("user_fields"))?;
    for (name, value) in object("custom_fields") {
        user.custom.insert(name, as_text(&value).unwrap_or_default());
    }
    if let Some(id) = object("external_ids").get("discourse_connect").filter(|_| caller.admin) {
        let id = as_text(id).filter(|id| !id.is_empty());
        user.record = id.map(|id| super::user::ExternalRecord { id, ..user.record.clone().unwrap_or_default() });
    }
    site.tick();
    site.users.insert(user.id, user.clone());
    Ok(Answer::json(200, json!({ "success": "OK", "user": user.profile(site, caller) })))
}

/// Fields that staff made. Unknown ones are passed over, and so are those that only staff may fill.
fn fields(
    site: &Site,
    caller: &Caller,
    user: &mut super::user::User,
    wanted: &Map<String, Value>,
) -> Result<(), Answer> {
    for (id, field) in &site.fields {
        let Some(value) = wanted.get(&id.to_string()).filter(|_| field.editable || caller.staff) else { continue };
        let text: String = match value {
            Value::Bool(false) => String::new(),
            other => as_text(other).filter(|text| text != "false").unwrap_or_default(),
        };
        if text.trim().is_empty() && field.required {
            return Err(Answer::invalid("You have not completed all the user fields."));
        }
        if text.is_empty() {
            user.fields.remove(id);
        } else {
            user.fields.insert(*id, text.chars().take(LONGEST_FIELD).collect());
        }
    }
    Ok(())
}
