//! Creating, changing and deleting users over REST (`wordpress.md` 6): what is taken, what is refused, and what is
//! said and not done.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked},
    caller::Caller,
    change::{self, Fields, Way},
    params::{Judge, Params},
    reading::row,
    refusal::{BadParameter, Refusal},
    roles,
    site::Site,
    user::{Context, SITE_LOCALE},
    wording,
};

/// How long the address of somebody's page may be.
const LONGEST_URL: usize = 100;

/// How long a login may be.
const LONGEST_LOGIN: usize = 60;

pub(super) fn may_create(caller: &Caller) -> Result<(), Refusal> {
    if caller.can("create_users") {
        return Ok(());
    }
    Err(caller.refused("rest_cannot_create_user", "Sorry, you are not allowed to create new users."))
}

pub(super) fn may_update(site: &Site, caller: &Caller, id: u64, params: &Params) -> Result<(), Refusal> {
    if !site.users.contains(id) {
        return Err(Refusal::no_user());
    }
    // No roles at all are not asked about here, though they take all roles away.
    if !params.is_empty("roles") {
        if !caller.can("promote_users") {
            let message = "Sorry, you are not allowed to edit roles of this user.";
            return Err(caller.refused("rest_cannot_edit_roles", message));
        }
        if params.0.keys().all(|name| name == "id" || name == "roles") {
            return Ok(());
        }
    }
    if caller.can_edit(id) {
        return Ok(());
    }
    Err(caller.refused("rest_cannot_edit", "Sorry, you are not allowed to edit this user."))
}

pub(super) fn may_delete(site: &Site, caller: &Caller, id: u64) -> Result<(), Refusal> {
    if !site.users.contains(id) {
        return Err(Refusal::no_user());
    }
    if caller.can("delete_users") {
        return Ok(());
    }
    Err(caller.refused("rest_user_cannot_delete", "Sorry, you are not allowed to delete this user."))
}

/// What a body says of a user, read and made fit to be stored.
fn read(site: &Site, params: &Params) -> Result<Fields, Refusal> {
    let mut judge = Judge::new(params);
    judge.word("context", &["view", "embed", "edit"]);
    let username = judge.text("username");
    if username.as_deref().is_some_and(|username| !wording::is_login(username)) {
        let message = "This username is invalid because it uses illegal characters. Please enter a valid username.";
        let bad = BadParameter::new("username", "rest_user_invalid_username", message);
        judge.fault(BadParameter { data: json!({ "status": 400 }), ..bad });
    }
    let name = |judge: &mut Judge, field: &str| judge.text(field).map(|text| wording::name(&text));
    let mut fields = Fields {
        username,
        name: name(&mut judge, "name"),
        first_name: name(&mut judge, "first_name"),
        last_name: name(&mut judge, "last_name"),
        email: judge.text("email"),
        url: judge.text("url").map(|url| wording::address(&url)),
        description: judge.text("description").map(|text| wording::description(&text)),
        nickname: name(&mut judge, "nickname"),
        slug: judge.text("slug").map(|text| wording::slug(&text)),
        ..Fields::default()
    };
    if fields.email.as_deref().is_some_and(|email| !wording::is_email(email)) {
        judge.fault(BadParameter::new("email", "rest_invalid_email", "Invalid email address."));
    }
    let installed = site.settings.languages.iter().map(String::as_str);
    let languages: Vec<&str> = ["", SITE_LOCALE].into_iter().chain(installed).collect();
    fields.locale = judge.word("locale", &languages);
    if let Some(roles) = params.0.get("roles") {
        if matches!(roles, Value::String(_) | Value::Array(_)) {
            fields.roles = Some(params.list("roles"));
        } else {
            judge.fault(BadParameter::of_type("roles", "roles", "array"));
        }
    }
    let password = judge.text("password");
    if password.as_deref() == Some("") {
        let bad = BadParameter::new("password", "rest_user_invalid_password", "Passwords cannot be empty.");
        judge.fault(BadParameter { data: json!({ "status": 400 }), ..bad });
    }
    fields.password = password.is_some();
    if params.value("meta").is_some_and(|meta| !meta.is_object() && *meta != json!([])) {
        judge.fault(BadParameter::of_type("meta", "meta", "object"));
    }
    judge.verdict()?;
    Ok(fields)
}

/// The registered keys of a body's `meta`; others are left out without a word. The refusal names the first value that
/// is no text: it comes after everything else was stored.
fn meta(site: &Site, params: &Params) -> (BTreeMap<String, String>, Option<Refusal>) {
    let mut taken = BTreeMap::new();
    for key in site.registered_keys() {
        match params.value("meta").and_then(|meta| meta.get(key)) {
            None => {}
            Some(Value::String(text)) => {
                taken.insert(key.clone(), text.clone());
            }
            // Nothing is what a key has that has no row.
            Some(Value::Null) => {
                taken.insert(key.clone(), String::new());
            }
            Some(_) => {
                let message = format!("meta.{key} is not of type string.");
                let data = json!({ "param": format!("meta.{key}"), "status": 400 });
                let body = json!({ "code": "rest_invalid_type", "message": message, "data": data });
                return (taken, Some(Refusal { status: 400, body }));
            }
        }
    }
    (taken, None)
}

/// Roles must exist, and nobody takes the right to edit users away from herself.
fn judge_roles(caller: &Caller, id: Option<u64>, wanted: Option<&Vec<String>>) -> Result<(), Refusal> {
    for role in wanted.into_iter().flatten() {
        if !roles::exists(role) {
            return Err(Refusal::new(400, "rest_user_invalid_role", &format!("The role {role} does not exist.")));
        }
        if id.is_some() && caller.id() == id && !roles::grants(role, "edit_users") {
            let message = "Sorry, you are not allowed to give users that role.";
            return Err(caller.refused("rest_user_invalid_role", message));
        }
    }
    Ok(())
}

/// What the code below REST refuses.
fn judge_lengths(fields: &Fields) -> Result<(), Refusal> {
    let is_long = |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.chars().count() > most);
    if is_long(&fields.username, LONGEST_LOGIN) {
        return Err(Refusal::inner("user_login_too_long", "Username may not be longer than 60 characters."));
    }
    if is_long(&fields.url, LONGEST_URL) {
        return Err(Refusal::inner("user_url_too_long", "User URL may not be longer than 100 characters."));
    }
    Ok(())
}

/// `POST users/{id}`.
pub(super) fn update(site: &mut Site, caller: &Caller, asked: &Asked, id: u64) -> Result<Answer, Refusal> {
    let mut fields = read(site, &asked.params)?;
    may_update(site, caller, id, &asked.params)?;
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    let is_others = |found: Option<&super::user::User>| found.is_some_and(|found| found.id != id);
    if is_others(fields.email.as_deref().and_then(|email| site.users.by_email(email))) {
        return Err(Refusal::new(400, "rest_user_invalid_email", "Invalid email address."));
    }
    if fields.username.as_ref().is_some_and(|username| *username != user.username) {
        return Err(Refusal::new(400, "rest_user_invalid_argument", "Username is not editable."));
    }
    if let Some(slug) = fields.slug.as_ref().filter(|slug| !slug.is_empty())
        && is_others(site.users.by_slug(slug))
    {
        return Err(Refusal::new(400, "rest_user_invalid_slug", "Invalid slug."));
    }
    judge_roles(caller, Some(id), fields.roles.as_ref())?;
    judge_lengths(&fields)?;
    let (meta, late) = meta(site, &asked.params);
    fields.username = None;
    fields.meta = meta;
    change::change(site, id, fields, Way::Rest, caller.actor());
    if let Some(refusal) = late {
        return Err(refusal);
    }
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    Ok(Answer::ok(row(site, caller, asked, user, Context::Edit).into()))
}

/// `POST users`.
pub(super) fn create(site: &mut Site, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    let missing: Vec<&str> =
        ["username", "email", "password"].into_iter().filter(|name| !asked.params.0.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(Refusal::missing(&missing));
    }
    let mut fields = read(site, &asked.params)?;
    may_create(caller)?;
    if !asked.params.is_empty("id") {
        return Err(Refusal::new(400, "rest_user_exists", "Cannot create existing user."));
    }
    judge_roles(caller, None, fields.roles.as_ref())?;
    judge_lengths(&fields)?;
    let (username, email) = (fields.username.clone().unwrap_or_default(), fields.email.clone().unwrap_or_default());
    if site.users.by_login(&username).is_some() {
        return Err(Refusal::inner("existing_user_login", "Sorry, that username already exists!"));
    }
    if site.users.by_email(&email).is_some() {
        return Err(Refusal::inner("existing_user_email", "Sorry, that email address is already used!"));
    }
    let (meta, late) = meta(site, &asked.params);
    fields.meta = meta;
    let id = change::create(site, fields, Way::Rest, caller.actor());
    if let Some(refusal) = late {
        return Err(refusal);
    }
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    let mut answer = Answer::ok(row(site, caller, asked, user, Context::Edit).into());
    answer.status = 201;
    answer.headers.push(("location", site.base().rest(&format!("/wp/v2/users/{id}"))));
    Ok(answer)
}

/// `DELETE users/{id}`.
pub(super) fn delete(site: &mut Site, caller: &Caller, asked: &Asked, id: u64) -> Result<Answer, Refusal> {
    let Some(reassign) = asked.params.0.get("reassign") else { return Err(Refusal::missing(&["reassign"])) };
    let heir = match reassign {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.is_empty() || text == "false" => None,
        Value::String(text) if text.parse::<u64>().is_ok() => text.parse().ok(),
        Value::Bool(false) | Value::Null => None,
        _ => {
            let bad = BadParameter::new("reassign", "rest_invalid_param", "Invalid user parameter(s).");
            return Err(Refusal::invalid(&[BadParameter { data: json!({ "status": 400 }), ..bad }]));
        }
    };
    may_delete(site, caller, id)?;
    let force = asked.params.value("force");
    if !force.is_some_and(|force| *force == json!(true) || *force == json!("true") || *force == json!("1")) {
        let message = "Users do not support trashing. Set 'force=true' to delete.";
        return Err(Refusal::new(501, "rest_trash_not_supported", message));
    }
    let heir = heir.filter(|heir| *heir != 0);
    if heir.is_some_and(|heir| heir == id || !site.users.contains(heir)) {
        let message = "Invalid user ID for reassignment.";
        return Err(Refusal::new(400, "rest_user_invalid_reassign", message));
    }
    let base = site.base();
    let user = site.users.get(id).ok_or_else(Refusal::no_user)?;
    let previous = user.shown(Context::Edit, site.showing(&base));
    change::delete(site, id, caller.actor());
    Ok(Answer::ok(json!({ "deleted": true, "previous": previous })))
}
