//! What a lab file may say about this server: settings, groups, users, and the login of our account.
//!
//! Strict: a misspelt key is an error, because a seed that is silently half read makes a test that proves nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::strict::read,
    door::Door,
    instance::{ADMINISTRATORS, Instance},
    settings::Settings,
    user::{Backend, User},
    values,
};

/// The login of our account where a seed names none.
const ACCOUNT: &str = "homeward";

/// When somebody who signed in did so, in Unix milliseconds.
pub(super) const SIGNED_IN: i64 = 1_760_000_000_000;

/// A whole seed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Seed {
    username: Option<String>,
    /// Display names of groups by id; a list names them by their ids alone.
    groups: Value,
    users: Vec<Value>,
    settings: Value,
}

/// Somebody, as a seed or a meddling colleague tells of her.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Person {
    id: Option<String>,
    backend: Option<Backend>,
    /// She signs in through `user_oidc`, though her account may be a local one (`nextcloud.md` 7).
    oidc: Option<bool>,
    enabled: Option<bool>,
    displayname: Option<String>,
    email: Option<String>,
    additional_mail: Option<Vec<String>>,
    notify_email: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    website: Option<String>,
    twitter: Option<String>,
    fediverse: Option<String>,
    organisation: Option<String>,
    role: Option<String>,
    headline: Option<String>,
    biography: Option<String>,
    language: Option<String>,
    locale: Option<String>,
    quota: Option<String>,
    manager: Option<String>,
    groups: Option<BTreeSet<String>>,
    subadmin: Option<BTreeSet<String>>,
    last_login: Option<i64>,
    broken: Option<bool>,
    drops_display_name: Option<bool>,
    app_password: Option<String>,
    password: Option<String>,
}

impl Person {
    /// Reads somebody; `place` is where she stands.
    pub(super) fn read(place: &str, value: &Value, instance: &Instance) -> Result<Self, String> {
        let person: Self = read(place, value)?;
        let named = person.groups.iter().flatten().chain(person.subadmin.iter().flatten());
        if let Some(group) = named.into_iter().find(|group| !instance.groups.contains_key(*group)) {
            return Err(format!("{place}.groups: there is no group `{group}`"));
        }
        if let Some(quota) = &person.quota
            && quota != "none"
            && values::quota(quota, &instance.settings).as_ref() != Ok(quota)
        {
            return Err(format!("{place}.quota: it is stored as `none`, `default` or in the form `5 GB`"));
        }
        Ok(person)
    }

    /// True where somebody who is there would become somebody else.
    pub(super) fn names_id(&self) -> bool {
        self.id.is_some()
    }

    /// Puts what is said in the place of what was there.
    pub(super) fn apply(self, user: &mut User) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut user.backend, self.backend);
        set(&mut user.oidc, self.oidc);
        set(&mut user.enabled, self.enabled);
        set(&mut user.displayname, self.displayname);
        set(&mut user.email, self.email);
        set(&mut user.additional_mail, self.additional_mail);
        set(&mut user.notify_email, self.notify_email);
        for (key, value) in [
            ("phone", self.phone),
            ("address", self.address),
            ("website", self.website),
            ("twitter", self.twitter),
            ("fediverse", self.fediverse),
            ("organisation", self.organisation),
            ("role", self.role),
            ("headline", self.headline),
            ("biography", self.biography),
        ] {
            user.profile.extend(value.map(|value| (key.to_owned(), value)));
        }
        set(&mut user.language, self.language);
        set(&mut user.locale, self.locale);
        set(&mut user.quota, self.quota);
        set(&mut user.manager, self.manager);
        set(&mut user.groups, self.groups);
        set(&mut user.subadmin, self.subadmin);
        set(&mut user.last_login, self.last_login);
        set(&mut user.broken, self.broken);
        set(&mut user.drops_display_name, self.drops_display_name);
        set(&mut user.app_password, self.app_password);
        set(&mut user.password, self.password);
    }
}

/// The server a seed describes.
pub(super) fn plant(seed: &Value) -> Result<Instance, String> {
    let seed: Seed = match seed {
        Value::Null => Seed::default(),
        seed => read("", seed)?,
    };
    let settings = match &seed.settings {
        Value::Null => Settings::default(),
        settings => Settings::default().merged(settings)?,
    };
    let account = seed.username.unwrap_or_else(|| ACCOUNT.to_owned());
    if !values::is_user_id(&account) {
        return Err("username: our account needs a user id".to_owned());
    }
    let mut instance = Instance {
        settings,
        users: BTreeMap::new(),
        groups: groups(&seed.groups)?,
        account: account.clone(),
        door: Door::default(),
        began: Instant::now(),
        given: 0,
    };
    for (at, value) in seed.users.iter().enumerate() {
        let place = format!("users[{at}]");
        let person = Person::read(&place, value, &instance)?;
        let Some(id) = person.id.clone().filter(|id| !id.is_empty()) else {
            return Err(format!("{place}.id: a user needs one"));
        };
        if instance.users.contains_key(&id) {
            return Err(format!("{place}.id: somebody else has it"));
        }
        let mut user = newcomer(&id);
        user.last_login = SIGNED_IN;
        person.apply(&mut user);
        settle(&mut user);
        instance.users.insert(id, user);
    }
    let ours = instance.users.entry(account.clone()).or_insert_with(|| newcomer(&account));
    if !seed.users.iter().any(|user| user["id"] == *account && user.get("groups").is_some()) {
        ours.groups.insert(ADMINISTRATORS.to_owned());
    }
    instance.take_rights();
    Ok(instance)
}

/// A new account, as it begins.
pub(super) fn newcomer(id: &str) -> User {
    User {
        id: id.to_owned(),
        enabled: true,
        displayname: id.to_owned(),
        profile_enabled: true,
        quota: "default".to_owned(),
        app_password: app_password(id),
        ..User::default()
    }
}

/// What her backend or her sign-in has of her is what is seen of her first.
pub(super) fn settle(user: &mut User) {
    user.directory = user.is_brought().then(|| Box::new(User { directory: None, ..user.clone() }));
}

fn groups(told: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut groups = BTreeMap::from([(ADMINISTRATORS.to_owned(), ADMINISTRATORS.to_owned())]);
    let wrong = || "groups: a list of ids, or display names by id".to_owned();
    match told {
        Value::Null => {}
        Value::Array(ids) => {
            for id in ids {
                let id = id.as_str().ok_or_else(wrong)?;
                groups.insert(id.to_owned(), id.to_owned());
            }
        }
        Value::Object(names) => {
            for (id, name) in names {
                groups.insert(id.clone(), name.as_str().ok_or_else(wrong)?.to_owned());
            }
        }
        _ => return Err(wrong()),
    }
    Ok(groups)
}

/// An app password in the form in which they are shown, the same for one login.
fn app_password(login: &str) -> String {
    const LETTERS: &[u8; 60] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstwxyz0123456789LNC";
    let mut number = login
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let letters = (0..25).map(|_| {
        number = number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        char::from(LETTERS[usize::try_from((number >> 33) % 60).unwrap_or_default()])
    });
    // It can be recognised by its beginning.
    let letters: Vec<char> = "LabNC".chars().chain(letters.skip(5)).collect();
    letters.chunks(5).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_seed_has_our_account_as_administrator() {
        let instance = plant(&json!({})).unwrap();
        assert!(instance.is_admin("homeward"));
        let password = &instance.users["homeward"].app_password;
        assert_eq!((password.len(), password.matches('-').count()), (29, 4));
        assert_eq!(*password, plant(&json!({})).unwrap().users["homeward"].app_password);
    }

    #[test]
    fn a_wrong_seed_names_the_field() {
        for (seed, start) in [
            (json!([]), "the seed: an object is expected"),
            (json!({ "people": [] }), "people: unknown field `people`"),
            (json!({ "users": [{ "usrid": "b" }] }), "users[0].usrid: unknown field `usrid`"),
            (json!({ "users": [{}] }), "users[0].id: a user needs one"),
            (json!({ "users": [{ "id": "a" }, { "id": "a" }] }), "users[1].id: somebody else has it"),
            (json!({ "users": [{ "id": "a", "groups": ["x"] }] }), "users[0].groups: there is no group `x`"),
            (json!({ "users": [{ "id": "a", "quota": "5GB" }] }), "users[0].quota: it is stored as"),
            (json!({ "users": [{ "id": "a", "backend": "x" }] }), "users[0].backend: unknown variant"),
            (json!({ "groups": [1] }), "groups: a list of ids"),
            (json!({ "username": "" }), "username: our account needs a user id"),
            (json!({ "settings": { "right": "reader" } }), "settings.right: unknown field"),
        ] {
            let error = plant(&seed).err().unwrap();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
