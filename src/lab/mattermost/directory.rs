//! All users, with the unique indexes of the server's database: id, username, e-mail address, login provider's id.
//!
//! Knows no rule of the interface; what it guarantees is that no two users share one of these.

use std::collections::BTreeMap;

use super::user::User;

/// The users, found by any of their unique values.
#[derive(Debug, Default)]
pub(super) struct Directory {
    users: BTreeMap<String, User>,
    by_username: BTreeMap<String, String>,
    by_email: BTreeMap<String, String>,
    by_auth_data: BTreeMap<String, String>,
}

/// Which unique value somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Username,
    Email,
    AuthData,
}

impl Taken {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::AuthData => "auth_data",
        }
    }
}

impl Directory {
    pub(super) fn get(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    pub(super) fn by_username(&self, username: &str) -> Option<&User> {
        self.users.get(self.by_username.get(username)?)
    }

    pub(super) fn by_email(&self, email: &str) -> Option<&User> {
        self.users.get(self.by_email.get(email)?)
    }

    pub(super) fn by_auth_data(&self, auth_data: &str) -> Option<&User> {
        self.users.get(self.by_auth_data.get(auth_data)?)
    }

    /// By id or by username, as the lab's own routes name people.
    pub(super) fn named(&self, name: &str) -> Option<&User> {
        self.get(name).or_else(|| self.by_username(name))
    }

    /// Everybody, in the order of usernames.
    pub(super) fn in_order(&self) -> impl Iterator<Item = &User> {
        self.by_username.values().filter_map(|id| self.users.get(id))
    }

    /// Everybody, in the order of ids.
    pub(super) fn by_id(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// Which of this user's unique values another user holds; the address is looked at first.
    pub(super) fn taken(&self, user: &User) -> Option<Taken> {
        let other = |index: &BTreeMap<String, String>, value: &str| index.get(value).is_some_and(|id| *id != user.id);
        if other(&self.by_email, &user.email) {
            Some(Taken::Email)
        } else if other(&self.by_username, &user.username) {
            Some(Taken::Username)
        } else if user.auth_data.as_ref().is_some_and(|data| other(&self.by_auth_data, data)) {
            Some(Taken::AuthData)
        } else {
            None
        }
    }

    /// Stores a user, new or changed.
    pub(super) fn put(&mut self, user: User) -> Result<(), Taken> {
        if let Some(taken) = self.taken(&user) {
            return Err(taken);
        }
        self.remove(&user.id);
        self.by_username.insert(user.username.clone(), user.id.clone());
        self.by_email.insert(user.email.clone(), user.id.clone());
        if let Some(data) = &user.auth_data {
            self.by_auth_data.insert(data.clone(), user.id.clone());
        }
        self.users.insert(user.id.clone(), user);
        Ok(())
    }

    /// Forgets a user.
    pub(super) fn remove(&mut self, id: &str) {
        let Some(user) = self.users.remove(id) else { return };
        self.by_username.remove(&user.username);
        self.by_email.remove(&user.email);
        if let Some(data) = &user.auth_data {
            self.by_auth_data.remove(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, username: &str, email: &str) -> User {
        User { id: id.to_owned(), username: username.to_owned(), email: email.to_owned(), ..User::default() }
    }

    #[test]
    fn unique_values_are_guarded_and_freed() {
        let mut directory = Directory::default();
        directory.put(user("1", "anna", "anna@example.com")).unwrap();
        assert_eq!(directory.put(user("2", "anna", "b@example.com")), Err(Taken::Username));
        assert_eq!(directory.put(user("2", "anna", "anna@example.com")), Err(Taken::Email));
        directory.put(user("1", "anna.b", "anna@example.com")).unwrap();
        directory.put(user("2", "anna", "b@example.com")).unwrap();
        assert_eq!(directory.by_username("anna").map(|user| user.id.as_str()), Some("2"));
        assert_eq!(directory.by_username("anna.b").map(|user| user.id.as_str()), Some("1"));
    }
}
