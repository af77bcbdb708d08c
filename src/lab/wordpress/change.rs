//! What a change does to a user, and which hooks it fires on the way (`wordpress.md` 7): over REST, on the screens of
//! administrators, and by plugins that write the table.

use std::collections::BTreeMap;

use super::{
    outbox::{Kind, Row, Sources},
    roles,
    site::{Mail, Site},
    user::User,
    wording,
};

/// Fields to be changed, fit to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    /// Only a plugin changes it, behind the back of everybody.
    pub(super) username: Option<String>,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    pub(super) nickname: Option<String>,
    pub(super) slug: Option<String>,
    pub(super) url: Option<String>,
    pub(super) description: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    pub(super) meta: BTreeMap<String, String>,
    /// True where the password changes too; which one it is nobody asks.
    pub(super) password: bool,
}

impl Fields {
    /// True where something of it goes through `wp_update_user` on the screens of administrators. A plugin that renames
    /// writes slug, display name and nickname along with the login by itself.
    fn touch_the_profile(&self) -> bool {
        let saved = [&self.email, &self.first_name, &self.last_name, &self.url, &self.description, &self.locale];
        let with_login = [&self.slug, &self.name, &self.nickname];
        let is_any = |texts: &[&Option<String>]| texts.iter().any(|text| text.is_some());
        self.password || is_any(&saved) || (self.username.is_none() && is_any(&with_login))
    }
}

/// Through which door a change comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Rest,
    /// Somebody in wp-admin, or a plugin.
    Screen,
    /// SQL from outside of WordPress: nothing fires.
    Outside,
}

/// Changes a user and tells so.
pub(super) fn change(site: &mut Site, id: u64, fields: Fields, way: Way, actor: Option<(u64, String)>) {
    let Some(mut user) = site.users.get(id).cloned() else { return };
    let old = user.clone();
    let mut sources = Sources::default();
    if let Some(username) = &fields.username {
        user.username.clone_from(username);
        sources.add("sql");
    }
    let is_saved = way == Way::Rest || fields.touch_the_profile();
    let takes_roles = fields.roles.clone();
    let meta = fields.meta.clone();
    let is_new_password = fields.password;
    if is_saved {
        sources.add("sql");
    }
    put(fields, &mut user);
    for key in ["nickname", "first_name", "last_name"] {
        if user.meta_value(key) != old.meta_value(key) {
            sources.add(format!("updated_user_meta:{key}"));
        }
    }
    if let Some(roles) = takes_roles {
        let (had, has) = (!old.roles.is_empty(), !roles.is_empty());
        let fired = match way {
            Way::Rest => [had.then_some("remove_user_role"), Some("set_user_role"), None],
            _ => [had.then_some("remove_user_role"), has.then_some("add_user_role"), Some("set_user_role")],
        };
        fired.into_iter().flatten().for_each(|hook| sources.add(hook));
        user.roles = roles;
        if is_saved {
            sources.add("profile_update");
        }
        if way == Way::Rest && has {
            sources.add("add_user_role");
        }
    } else if is_saved {
        sources.add("profile_update");
    }
    for (key, value) in meta {
        if user.meta_value(&key) != value {
            let verb = if user.meta.contains_key(&key) { "updated" } else { "added" };
            sources.add(format!("{verb}_user_meta:{key}"));
            user.meta.insert(key, value);
        }
    }
    // The notice goes to the old address.
    let notices = [(is_new_password, "password_changed"), (user.email != old.email, "email_changed")];
    if is_saved && !old.email.is_empty() && way != Way::Outside {
        let due = notices.into_iter().filter(|(is_due, _)| *is_due);
        site.mails.extend(due.map(|(_, about)| Mail { about, to: old.email.clone() }));
    }
    site.users.put(user.clone());
    if way != Way::Outside {
        site.tell(Kind::Updated, &user, Some(&Row::of(&old)), &sources, actor);
    }
}

/// Puts everything but roles and meta values into a user. What must not be empty falls back to the login.
fn put(fields: Fields, user: &mut User) {
    fn set(field: &mut String, value: Option<String>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    let login = user.username.clone();
    let or_login = |text: Option<String>| text.map(|text| if text.is_empty() { login.clone() } else { text });
    set(&mut user.email, fields.email);
    set(&mut user.name, or_login(fields.name));
    set(&mut user.first_name, fields.first_name);
    set(&mut user.last_name, fields.last_name);
    set(&mut user.nickname, or_login(fields.nickname));
    set(&mut user.slug, fields.slug.map(|slug| if slug.is_empty() { wording::slug(&login) } else { slug }));
    set(&mut user.url, fields.url);
    set(&mut user.description, fields.description);
    set(&mut user.locale, fields.locale);
}

/// Makes a user, tells so, and gives her id.
pub(super) fn create(site: &mut Site, fields: Fields, way: Way, actor: Option<(u64, String)>) -> u64 {
    let id = site.next_id;
    site.next_id += 1;
    let username = fields.username.clone().unwrap_or_default();
    let meta = fields.meta.clone();
    let given = fields.roles.clone();
    let mut user = User {
        id,
        name: username.clone(),
        nickname: username.clone(),
        slug: site.free_slug(fields.slug.as_deref().filter(|slug| !slug.is_empty()).unwrap_or(&username)),
        username,
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        url: String::new(),
        description: String::new(),
        locale: String::new(),
        roles: given.clone().unwrap_or_else(|| vec![roles::DEFAULT.to_owned()]),
        registered_date: site.registers(),
        meta: BTreeMap::new(),
        posts: false,
    };
    let is_nameless = fields.name.as_deref().unwrap_or_default().is_empty();
    put(Fields { slug: None, ..fields }, &mut user);
    let full_name = format!("{} {}", user.first_name, user.last_name).trim().to_owned();
    if is_nameless && !full_name.is_empty() {
        user.name = full_name;
    }
    let mut sources = Sources::default();
    for key in ["nickname", "first_name", "last_name"] {
        sources.add(format!("added_user_meta:{key}"));
    }
    // REST gives the role only after the user is there.
    let is_late = way == Way::Rest && given.is_some();
    if !is_late && !user.roles.is_empty() {
        sources.add("add_user_role");
    }
    sources.add("set_user_role");
    sources.add("user_register");
    if is_late && !user.roles.is_empty() {
        sources.add("add_user_role");
    }
    for key in site.registered_keys() {
        if let Some(value) = meta.get(key).filter(|value| !value.is_empty()) {
            sources.add(format!("added_user_meta:{key}"));
            user.meta.insert(key.clone(), value.clone());
        }
    }
    site.users.put(user.clone());
    if way != Way::Outside {
        site.tell(Kind::Created, &user, None, &sources, actor);
    }
    id
}

/// Deletes a user and tells so.
pub(super) fn delete(site: &mut Site, id: u64, actor: Option<(u64, String)>) {
    let Some(user) = site.users.remove(id) else { return };
    let mut sources = Sources::default();
    sources.add("delete_user");
    let names = ["nickname", "first_name", "last_name"].into_iter();
    let keys = site.registered_keys().map(String::as_str).filter(|key| user.meta.contains_key(*key));
    for key in names.chain(keys) {
        sources.add(format!("deleted_user_meta:{key}"));
    }
    site.tell(Kind::Deleted, &user, None, &sources, actor);
}
