//! What a lab file may say about this site: settings, registered keys, people, and the login of our account.
//!
//! Strict: a misspelt key is an error, because a seed that is silently half read makes a test that proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::strict::read, change::Fields, directory::Directory, outbox::Outbox, roles, settings::Settings, site::Site,
    user::User, wording,
};

/// The login of our account where a seed names none.
const ACCOUNT: &str = "homeward";

/// A whole seed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Seed {
    username: Option<String>,
    /// The keys that are registered with `'context' => ['edit']`.
    meta_keys: Vec<String>,
    /// The keys that are registered for everybody.
    public_meta_keys: Vec<String>,
    people: Vec<Value>,
    settings: Value,
}

/// Somebody, as a seed, `POST /_lab/users` or a meddling colleague tells of her.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Person {
    id: Option<u64>,
    username: Option<String>,
    email: Option<String>,
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    nickname: Option<String>,
    slug: Option<String>,
    url: Option<String>,
    locale: Option<String>,
    roles: Option<Vec<String>>,
    meta: BTreeMap<String, String>,
    description: Option<String>,
    registered_date: Option<String>,
    posts: Option<bool>,
    /// False: this is SQL from outside of WordPress, which nothing notices (`wordpress.md` 7). Only for meddling.
    events: Option<bool>,
}

impl Person {
    /// Reads somebody; `place` is where she stands.
    pub(super) fn read(place: &str, value: &Value, site: &Site) -> Result<Self, String> {
        let person: Self = read(place, value)?;
        if let Some(role) = person.roles.iter().flatten().find(|role| !roles::exists(role)) {
            return Err(format!("{place}.roles: the site has no role `{role}`"));
        }
        if let Some(key) = person.meta.keys().find(|key| !site.registered_keys().any(|known| known == *key)) {
            return Err(format!("{place}.meta.{key}: it is not among `meta_keys`"));
        }
        let is_moment = |text: &String| text.len() == 25 && text.parse::<jiff::Timestamp>().is_ok();
        if person.registered_date.as_ref().is_some_and(|date| !is_moment(date)) {
            return Err(format!("{place}.registered_date: a moment such as 2026-01-05T08:00:00+00:00 is expected"));
        }
        Ok(person)
    }

    /// True where nothing notices the change.
    pub(super) fn comes_from_outside(&self) -> bool {
        self.events == Some(false)
    }

    /// The key of something that no change can reach, where one is given.
    pub(super) fn unchangeable(&self) -> Option<&'static str> {
        let given = [("id", self.id.is_some()), ("registered_date", self.registered_date.is_some())];
        given.into_iter().find_map(|(key, is_given)| is_given.then_some(key))
    }

    /// Whether she shall have published posts, where that is said.
    pub(super) fn posts(&self) -> Option<bool> {
        self.posts
    }

    /// What of this changes the user with this id, or makes a new one: names stored as WordPress stores them, nothing
    /// that somebody else has.
    pub(super) fn fields(&self, place: &str, id: Option<u64>, site: &Site) -> Result<Fields, String> {
        let is_others = |user: Option<&User>| user.is_some_and(|user| Some(user.id) != id);
        if self.username.as_ref().is_some_and(|login| login.is_empty() || is_others(site.users.by_login(login))) {
            return Err(format!("{place}.username: it is empty, or somebody else has it"));
        }
        let is_outside = self.comes_from_outside();
        if !is_outside && is_others(self.email.as_ref().and_then(|email| site.users.by_email(email))) {
            return Err(format!("{place}.email: somebody else has it"));
        }
        if is_others(self.slug.as_ref().and_then(|slug| site.users.by_slug(slug))) {
            return Err(format!("{place}.slug: somebody else has it"));
        }
        let name = |text: &Option<String>| text.as_deref().map(wording::name);
        Ok(Fields {
            username: self.username.clone(),
            email: self.email.clone(),
            name: name(&self.name),
            first_name: name(&self.first_name),
            last_name: name(&self.last_name),
            nickname: name(&self.nickname),
            slug: self.slug.clone(),
            url: self.url.clone(),
            description: self.description.as_deref().map(wording::description),
            locale: self.locale.clone(),
            roles: self.roles.clone(),
            meta: self.meta.clone(),
            password: false,
        })
    }

    /// True where a new user can be made of this.
    pub(super) fn has_username(&self) -> bool {
        self.username.as_deref().is_some_and(|username| !username.is_empty())
    }
}

/// The site a seed describes.
pub(super) fn plant(seed: &Value) -> Result<Site, String> {
    let seed: Seed = match seed {
        Value::Null => Seed::default(),
        seed => read("", seed)?,
    };
    let mut settings = match &seed.settings {
        Value::Null => Settings::default(),
        settings => Settings::default().merged(settings)?,
    };
    // Nobody is told of those who were always there.
    let webhook = settings.webhook.take();
    let login = seed.username.unwrap_or_else(|| ACCOUNT.to_owned());
    if login.is_empty() {
        return Err("username: our account needs a login".to_owned());
    }
    let mut site = Site {
        password: password(&login),
        settings,
        home: "http://127.0.0.1".to_owned(),
        users: Directory::default(),
        next_id: 1,
        account: 0,
        meta_keys: seed.meta_keys,
        public_meta_keys: seed.public_meta_keys,
        mails: Vec::new(),
        outbox: Outbox::default(),
        clock: 0,
    };
    let mut people = Vec::new();
    for (at, value) in seed.people.iter().enumerate() {
        let place = format!("people[{at}]");
        let person = Person::read(&place, value, &site)?;
        if !person.has_username() {
            return Err(format!("{place}.username: a user needs one"));
        }
        if person.events.is_some() {
            return Err(format!("{place}.events: only a change has it"));
        }
        people.push((place, person));
    }
    let given: BTreeSet<u64> = people.iter().filter_map(|(_, person)| person.id).collect();
    let mut free = (1..).filter(|id| !given.contains(id));
    for (place, person) in &people {
        let id = person.id.or_else(|| free.next()).unwrap_or_default();
        if id == 0 || site.users.contains(id) {
            return Err(format!("{place}.id: {id} is given twice, or no id"));
        }
        settle(&mut site, place, person, id)?;
    }
    site.next_id = site.users.last_id() + 1;
    if site.users.by_login(&login).is_none() {
        let id = site.next_id;
        let roles = Some(vec![roles::ADMINISTRATOR.to_owned()]);
        let email = Some(format!("{}@example.com", wording::slug(&login)));
        let ours = Person { username: Some(login.clone()), roles, email, ..Person::default() };
        settle(&mut site, "username", &ours, id)?;
    }
    site.account = site.users.by_login(&login).map_or(0, |user| user.id);
    site.take_rights();
    if !site.users.all().any(|user| user.posts) && people.iter().all(|(_, person)| person.posts.is_none()) {
        // Whoever installed the site wrote its first post.
        let first = site.users.all().next().map_or(0, |user| user.id);
        site.users.edit(first, |user| user.posts = true);
    }
    site.settings.webhook = webhook;
    Ok(site)
}

/// Gives somebody of a seed her place.
fn settle(site: &mut Site, place: &str, person: &Person, id: u64) -> Result<(), String> {
    let fields = person.fields(place, None, site)?;
    let email = match (&person.email, &person.username) {
        (None, Some(login)) => Some(format!("{}@example.com", wording::slug(login))),
        (email, _) => email.clone(),
    };
    site.next_id = id;
    super::change::create(site, Fields { email, ..fields }, super::change::Way::Outside, None);
    site.users.edit(id, |user| {
        if let Some(slug) = &person.slug {
            user.slug.clone_from(slug);
        }
        if let Some(date) = &person.registered_date {
            user.registered_date.clone_from(date);
        }
        user.posts = person.posts.unwrap_or_default();
    });
    Ok(())
}

/// Our application password: 24 letters and digits, the same for one login.
fn password(login: &str) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut number = login
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let tail = (0..18).map(|_| {
        number = number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        char::from(LETTERS[usize::try_from((number >> 33) % 62).unwrap_or_default()])
    });
    // It can be recognised by its beginning.
    "LabWP0".chars().chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_seed_has_our_account_as_administrator() {
        let site = plant(&json!({})).unwrap();
        let ours = site.users.get(site.account).unwrap();
        assert_eq!((ours.id, ours.username.as_str()), (1, "homeward"));
        assert_eq!(ours.roles, ["administrator"]);
        assert!(ours.posts);
        assert_eq!(site.password.len(), 24);
        assert_eq!(site.password, plant(&json!({})).unwrap().password);
    }

    #[test]
    fn ids_are_given_in_order_around_those_that_are_named() {
        let seed =
            json!({ "people": [{ "username": "a" }, { "username": "b", "id": 1 }, { "username": "c", "id": 9 }] });
        let site = plant(&seed).unwrap();
        let logins: Vec<(u64, &str)> = site.users.all().map(|user| (user.id, user.username.as_str())).collect();
        assert_eq!(logins, [(1, "b"), (2, "a"), (9, "c"), (10, "homeward")]);
        assert_eq!(site.next_id, 11);
    }

    #[test]
    fn the_same_seed_makes_the_same_site() {
        let seed =
            json!({ "meta_keys": ["office"], "people": [{ "username": "anna", "meta": { "office": "Malmö" } }] });
        assert_eq!(plant(&seed).unwrap().dump(), plant(&seed).unwrap().dump());
    }

    #[test]
    fn a_wrong_seed_names_the_field() {
        for (seed, start) in [
            (json!([]), "the seed: an object is expected"),
            (json!({ "user": [] }), "user: unknown field `user`"),
            (json!({ "people": [{ "usrname": "b" }] }), "people[0].usrname: unknown field `usrname`"),
            (json!({ "people": [{ "username": 5 }] }), "people[0].username: invalid type"),
            (json!({ "people": [{}] }), "people[0].username: a user needs one"),
            (json!({ "people": [{ "username": "a" }, { "username": "A" }] }), "people[1].username: "),
            (
                json!({ "people": [{ "username": "a", "email": "x@example.com" },
                                   { "username": "b", "email": "X@example.com" }] }),
                "people[1].email: somebody else has it",
            ),
            (json!({ "people": [{ "username": "a", "id": 3 }, { "username": "b", "id": 3 }] }), "people[1].id: 3"),
            (json!({ "people": [{ "username": "a", "roles": ["king"] }] }), "people[0].roles: the site has no role"),
            (json!({ "people": [{ "username": "a", "meta": { "x": "" } }] }), "people[0].meta.x: it is not among"),
            (json!({ "people": [{ "username": "a", "registered_date": "now" }] }), "people[0].registered_date: "),
            (json!({ "settings": { "right": "reader" } }), "settings.right: unknown field"),
        ] {
            let error = plant(&seed).err().unwrap();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
