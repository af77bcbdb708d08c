//! The site: its users, what it mailed, and the events it has to tell.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    address::Base,
    directory::Directory,
    outbox::Outbox,
    settings::Settings,
    user::{Showing, User},
    wording,
};

/// The first moment of the site, in Unix seconds: 2026-01-05T08:00:00Z.
const EPOCH: i64 = 1_767_600_000;

/// What WordPress mailed to somebody, of its own accord.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Mail {
    pub(super) about: &'static str,
    pub(super) to: String,
}

/// Everything the simulator remembers.
pub(super) struct Site {
    pub(super) settings: Settings,
    /// Where the site is, without a slash at the end.
    pub(super) home: String,
    pub(super) users: Directory,
    /// The id of the next user: those of deleted users never come back.
    pub(super) next_id: u64,
    /// The id of the account whose application password is ours.
    pub(super) account: u64,
    /// Our application password.
    pub(super) password: String,
    pub(super) meta_keys: Vec<String>,
    pub(super) public_meta_keys: Vec<String>,
    pub(super) mails: Vec<Mail>,
    pub(super) outbox: Outbox,
    /// Seconds since the first moment; moves with each new user.
    pub(super) clock: i64,
}

impl Site {
    pub(super) fn base(&self) -> Base {
        Base { home: self.home.clone(), permalinks: self.settings.permalinks }
    }

    pub(super) fn showing<'a>(&'a self, base: &'a Base) -> Showing<'a> {
        let (meta_keys, public_meta_keys) = (self.meta_keys.as_slice(), self.public_meta_keys.as_slice());
        Showing { base, version: self.settings.version, meta_keys, public_meta_keys }
    }

    /// Every key that REST knows.
    pub(super) fn registered_keys(&self) -> impl Iterator<Item = &String> {
        self.meta_keys.iter().chain(&self.public_meta_keys)
    }

    /// The user with this id or login.
    pub(super) fn named(&self, name: &str) -> Option<&User> {
        name.parse().ok().and_then(|id: u64| self.users.get(id)).or_else(|| self.users.by_login(name))
    }

    /// The slug a login gets: its URL form, with a number where somebody has it.
    pub(super) fn free_slug(&self, login: &str) -> String {
        let slug = wording::slug(login);
        let numbered = |number: u64| {
            let suffix = format!("-{number}");
            let room = wording::LONGEST_SLUG - suffix.len();
            format!("{}{suffix}", slug.chars().take(room).collect::<String>())
        };
        let mut free = slug.clone();
        for number in 2.. {
            if self.users.by_slug(&free).is_none() {
                break;
            }
            free = numbered(number);
        }
        free
    }

    /// The moment somebody registers who registers now.
    pub(super) fn registers(&mut self) -> String {
        self.clock += 1;
        let moment = jiff::Timestamp::from_second(EPOCH + self.clock).unwrap_or_default();
        moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
    }

    /// Gives our account the role that its rights are named after, where some are named.
    pub(super) fn take_rights(&mut self) {
        if let Some(rights) = self.settings.rights {
            self.users.edit(self.account, |user| user.roles = vec![rights.role().to_owned()]);
        }
    }

    pub(super) fn dump(&self) -> Value {
        let users: Map<String, Value> = self.users.all().map(|user| (user.id.to_string(), json!(user))).collect();
        json!({
            "settings": self.settings.shown(),
            "account": self.account,
            "meta_keys": self.meta_keys,
            "public_meta_keys": self.public_meta_keys,
            "users": users,
            "mails": self.mails,
        })
    }
}
