//! The table of users, found by id, login, address and slug as the database finds them: neither case nor accents count.

use std::collections::{BTreeMap, BTreeSet};

use super::{user::User, wording::folded};

/// All users. Logins and slugs are anybody's only once; addresses can be held twice, by those who write SQL.
#[derive(Default)]
pub(super) struct Directory {
    users: BTreeMap<u64, User>,
    logins: BTreeMap<String, u64>,
    emails: BTreeSet<(String, u64)>,
    slugs: BTreeMap<String, u64>,
}

impl Directory {
    pub(super) fn get(&self, id: u64) -> Option<&User> {
        self.users.get(&id)
    }

    pub(super) fn contains(&self, id: u64) -> bool {
        self.users.contains_key(&id)
    }

    /// Everybody, by id.
    pub(super) fn all(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The largest id; 0 where there is nobody.
    pub(super) fn last_id(&self) -> u64 {
        self.users.keys().next_back().copied().unwrap_or_default()
    }

    pub(super) fn by_login(&self, login: &str) -> Option<&User> {
        self.get(*self.logins.get(&folded(login))?)
    }

    /// The first user with this address; no address is nobody's.
    pub(super) fn by_email(&self, email: &str) -> Option<&User> {
        let email = folded(email);
        let (found, id) = self.emails.range((email.clone(), 0)..).next()?;
        self.get(*id).filter(|_| *found == email && !email.is_empty())
    }

    pub(super) fn by_slug(&self, slug: &str) -> Option<&User> {
        self.get(*self.slugs.get(slug)?)
    }

    /// Puts a user in her place, new or changed.
    pub(super) fn put(&mut self, user: User) {
        self.remove(user.id);
        self.logins.insert(folded(&user.username), user.id);
        self.emails.insert((folded(&user.email), user.id));
        self.slugs.insert(user.slug.clone(), user.id);
        self.users.insert(user.id, user);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<User> {
        let user = self.users.remove(&id)?;
        self.logins.remove(&folded(&user.username));
        self.emails.remove(&(folded(&user.email), id));
        self.slugs.remove(&user.slug);
        Some(user)
    }

    /// Changes a user, if she is there.
    pub(super) fn edit(&mut self, id: u64, edit: impl FnOnce(&mut User)) {
        if let Some(mut user) = self.remove(id) {
            edit(&mut user);
            self.put(user);
        }
    }
}
