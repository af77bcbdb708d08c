//! What `lab/<system>.json` may say, and the forum that grows from it.
//!
//! `users` are there from the start; our own account (`ours`, else `homeward`) is an administrator and is added where it
//! is not among them. `keys` are keys beside ours.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::strict::read,
    limiter::Limiter,
    names,
    settings::Settings,
    site::{Field, Group, Key, Site, moment},
    user::{ExternalRecord, Pending, Suspension, User},
};

/// The key that the configuration would use, for one login.
pub(super) fn our_key(login: &str) -> String {
    let number = login
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // Sixty-four hexadecimal digits, as real ones are; they can be recognised by their beginning.
    format!("1abd15c0{number:016x}{:016x}{:016x}{:08x}", !number, number.rotate_left(17), number >> 32)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Seed {
    settings: Value,
    users: Vec<Value>,
    groups: Vec<Value>,
    user_fields: Vec<Value>,
    keys: Vec<Value>,
    ours: Option<String>,
}

/// A user as a seed or a colleague writes her; what is not said stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Person {
    pub(super) id: Option<i64>,
    username: Option<String>,
    name: Option<String>,
    email: Option<String>,
    secondary_emails: Option<Vec<String>>,
    /// Addresses that wait for a click.
    unconfirmed_emails: Option<Vec<String>>,
    active: Option<bool>,
    admin: Option<bool>,
    moderator: Option<bool>,
    staged: Option<bool>,
    approved: Option<bool>,
    suspended: Option<bool>,
    silenced: Option<bool>,
    title: Option<String>,
    locale: Option<String>,
    bio: Option<String>,
    location: Option<String>,
    website: Option<String>,
    user_fields: Option<BTreeMap<u32, String>>,
    /// Her id at the identity provider; empty: none.
    external_id: Option<String>,
    has_posts: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GroupSeed {
    id: Option<u64>,
    name: String,
    automatic: bool,
    members: Vec<String>,
    owners: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FieldSeed {
    id: u32,
    name: String,
    required: bool,
    editable: bool,
}

impl Default for FieldSeed {
    fn default() -> Self {
        Self { id: 0, name: String::new(), required: false, editable: true }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct KeySeed {
    key: String,
    user: Option<String>,
    revoked: bool,
    ips: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    of_app: bool,
}

/// The forum a seed describes; the error names the field that is wrong.
pub(super) fn plant(seed: &Value) -> Result<Site, String> {
    let seed: Seed = read("", seed)?;
    let settings = match &seed.settings {
        Value::Null => Settings::default(),
        wanted => Settings::default().merged(wanted)?,
    };
    let ours = seed.ours.unwrap_or_else(|| "homeward".to_owned());
    let mut site = Site {
        settings,
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        fields: BTreeMap::new(),
        keys: vec![key(our_key(&ours), Some(ours.clone()))],
        mails: Vec::new(),
        staff_log: Vec::new(),
        limiter: Limiter::default(),
        next_id: 1,
        ticks: 0,
        ours,
    };
    for (id, name) in [(1, "admins"), (2, "moderators"), (3, "staff"), (10, "trust_level_0"), (11, "trust_level_1")] {
        let group =
            Group { id, name: name.to_owned(), automatic: true, members: BTreeSet::new(), owners: BTreeSet::new() };
        site.groups.insert(id, group);
    }
    for (at, field) in seed.user_fields.iter().enumerate() {
        let place = format!("user_fields[{at}]");
        let FieldSeed { id, name, required, editable } = read(&place, field)?;
        if id == 0 || site.fields.insert(id, Field { name, required, editable }).is_some() {
            return Err(format!("{place}.id: {id} is given twice, or no id"));
        }
    }
    people(&mut site, &seed.users)?;
    for (at, group) in seed.groups.iter().enumerate() {
        plant_group(&mut site, &format!("groups[{at}]"), group)?;
    }
    for (at, given) in seed.keys.iter().enumerate() {
        let place = format!("keys[{at}]");
        let KeySeed { key, user, revoked, ips, scopes, of_app } = read(&place, given)?;
        if key.is_empty() {
            return Err(format!("{place}.key: a key needs a text"));
        }
        site.keys.push(Key { text: key, user, revoked, ips, scopes, of_app });
    }
    Ok(site)
}

fn key(text: String, user: Option<String>) -> Key {
    Key { text, user, revoked: false, ips: None, scopes: None, of_app: false }
}

fn people(site: &mut Site, users: &[Value]) -> Result<(), String> {
    // Discourse's own two come first, and below zero.
    for (id, name) in [(-1, "system"), (-2, "discobot")] {
        let user = User {
            id,
            username: name.to_owned(),
            name: name.to_owned(),
            email: format!("{name}@localhost.invalid"),
            active: true,
            admin: true,
            approved: true,
            created_at: moment(0),
            ..User::default()
        };
        site.users.insert(id, user);
    }
    let mut named = BTreeSet::new();
    let mut all = Vec::new();
    for (at, user) in users.iter().enumerate() {
        let place = format!("users[{at}]");
        let person: Person = read(&place, user)?;
        if let Some(id) = person.id
            && (id < 1 || !named.insert(id))
        {
            return Err(format!("{place}.id: {id} is given twice, or no id"));
        }
        all.push((place, person));
    }
    let mut next = 1;
    for (place, person) in all {
        let id = person.id.unwrap_or_else(|| {
            while !named.insert(next) {
                next += 1;
            }
            next
        });
        let mut user = User { id, active: true, approved: true, created_at: site.tick(), ..User::default() };
        person.fill(site, &mut user).map_err(|error| format!("{place}.{error}"))?;
        if user.username.is_empty() {
            return Err(format!("{place}.username: a user needs one"));
        }
        if person.email.is_none() {
            user.email = format!("{}@example.com", user.username.to_lowercase());
        }
        site.users.insert(id, user);
    }
    site.next_id = site.users.keys().max().copied().unwrap_or(0).max(0) + 1;
    if site.named(&site.ours).is_none() {
        let (id, ours) = (site.next_id, site.ours.clone());
        site.next_id += 1;
        let user = User {
            id,
            name: ours.clone(),
            email: format!("{ours}@example.com"),
            username: ours,
            active: true,
            admin: true,
            approved: true,
            created_at: site.tick(),
            ..User::default()
        };
        site.users.insert(id, user);
    }
    Ok(())
}

fn plant_group(site: &mut Site, place: &str, seed: &Value) -> Result<(), String> {
    let GroupSeed { id, name, automatic, members, owners } = read(place, seed)?;
    if name.is_empty() || site.is_name_taken(&name, None) {
        return Err(format!("{place}.name: a group needs one that nobody has"));
    }
    let ids = |names: &[String], key: &str| -> Result<BTreeSet<i64>, String> {
        let found =
            names.iter().map(|name| site.found(name).ok_or_else(|| format!("{place}.{key}: nobody is `{name}`")));
        found.collect()
    };
    let owners = ids(&owners, "owners")?;
    let mut members = ids(&members, "members")?;
    members.extend(&owners);
    let id = id.unwrap_or_else(|| site.groups.keys().max().copied().unwrap_or(0).max(40) + 1);
    site.groups.insert(id, Group { id, name, automatic, members, owners });
    Ok(())
}

impl Person {
    /// Reads one; the error names the field.
    pub(super) fn read(place: &str, value: &Value) -> Result<Self, String> {
        read(place, value)
    }

    /// Gives a user what is said; the error begins with the field.
    pub(super) fn fill(&self, site: &Site, user: &mut User) -> Result<(), String> {
        fn take<T: Clone>(wanted: Option<&T>, into: &mut T) {
            if let Some(wanted) = wanted {
                wanted.clone_into(into);
            }
        }
        if let Some(name) = &self.username {
            if let Some(fault) =
                names::faults(&Settings { max_username_length: 60, ..site.settings.clone() }, name).first()
            {
                return Err(format!("username: {fault}"));
            }
            if site.is_name_taken(name, Some(user.id)) {
                return Err("username: somebody else has it".to_owned());
            }
            user.username.clone_from(name);
        }
        let addresses = self.email.iter().chain(self.secondary_emails.iter().flatten());
        for address in addresses.filter(|address| !address.is_empty()) {
            if site.users.values().any(|other| other.id != user.id && other.holds(address)) {
                return Err("email: somebody else has it".to_owned());
            }
        }
        take(self.name.as_ref(), &mut user.name);
        if let Some(email) = &self.email {
            user.email = email.to_lowercase();
        }
        take(self.secondary_emails.as_ref(), &mut user.secondary);
        if let Some(waiting) = &self.unconfirmed_emails {
            let pending = |email: &String| Pending { email: email.to_lowercase(), old_first: false, adds: false };
            user.pending = waiting.iter().map(pending).collect();
        }
        take(self.active.as_ref(), &mut user.active);
        take(self.admin.as_ref(), &mut user.admin);
        take(self.moderator.as_ref(), &mut user.moderator);
        take(self.staged.as_ref(), &mut user.staged);
        take(self.approved.as_ref(), &mut user.approved);
        take(self.silenced.as_ref(), &mut user.silenced);
        take(self.title.as_ref(), &mut user.title);
        take(self.locale.as_ref(), &mut user.locale);
        take(self.bio.as_ref(), &mut user.bio);
        take(self.location.as_ref(), &mut user.location);
        take(self.website.as_ref(), &mut user.website);
        take(self.user_fields.as_ref(), &mut user.fields);
        take(self.has_posts.as_ref(), &mut user.has_posts);
        if let Some(suspended) = self.suspended {
            user.suspension = suspended.then(|| Suspension {
                at: moment(0),
                till: "2099-01-01T00:00:00.000Z".to_owned(),
                reason: "by a seed".to_owned(),
                by: -1,
            });
        }
        if let Some(id) = &self.external_id {
            user.record = (!id.is_empty()).then(|| ExternalRecord { id: id.clone(), ..ExternalRecord::default() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_seed_has_our_account_as_administrator() {
        let site = plant(&json!({})).unwrap();
        let ours = site.named("homeward").unwrap();
        assert_eq!((ours.id, ours.admin, ours.active), (1, true, true));
        assert_eq!(our_key("homeward").len(), 64);
        assert_eq!(site.dump(), plant(&json!({})).unwrap().dump());
    }

    #[test]
    fn a_wrong_seed_names_the_field() {
        for (seed, start) in [
            (json!([]), "the seed: an object is expected"),
            (json!({ "people": [] }), "people: unknown field `people`"),
            (json!({ "users": [{ "usrname": "b" }] }), "users[0].usrname: unknown field `usrname`"),
            (json!({ "users": [{}] }), "users[0].username: a user needs one"),
            (json!({ "users": [{ "username": "a b c" }] }), "users[0].username: Username must only"),
            (json!({ "users": [{ "username": "anna" }, { "username": "Anna" }] }), "users[1].username: somebody else"),
            (json!({ "users": [{ "username": "anna", "id": 3 }, { "username": "bert", "id": 3 }] }), "users[1].id: 3"),
            (json!({ "groups": [{ "name": "staff" }] }), "groups[0].name: "),
            (json!({ "groups": [{ "name": "crew", "members": ["x"] }] }), "groups[0].members: nobody is `x`"),
            (json!({ "keys": [{}] }), "keys[0].key: "),
            (json!({ "user_fields": [{}] }), "user_fields[0].id: "),
            (json!({ "settings": { "right": 1 } }), "settings.right: unknown field"),
        ] {
            let error = plant(&seed).err().unwrap();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
