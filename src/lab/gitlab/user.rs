//! A user as GitLab stores her, and the clock her times come from.
//!
//! The one struct is read from the seed, changed by the interface and shown by the dump, so that the three can never
//! speak of different fields. What the interface shows of it to whom is decided in `entity`.

use std::fmt;

use jiff::{SignedDuration, Span, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// The moment every lab begins: all times are this one plus a counter of seconds, and "recently" is measured from it.
pub(super) const EPOCH: Stamp = Stamp(Timestamp::constant(1_795_161_600, 0));

/// A moment, written as GitLab writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Stamp(Timestamp);

impl Stamp {
    /// So many seconds later.
    pub(super) fn after(self, seconds: i64) -> Self {
        Self(self.0.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(self.0))
    }

    /// The day of it, as `last_activity_on` has it.
    pub(super) fn day(self) -> Day {
        Day(self.0.to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// From seconds since 1970.
    pub(super) fn from_unix(seconds: i64) -> Self {
        Self(Timestamp::from_second(seconds).unwrap_or(EPOCH.0))
    }

    /// As HTTP headers have it.
    pub(super) fn http_date(self) -> String {
        self.0.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// From a header such as `If-Unmodified-Since`, or from RFC 3339, or from a bare date; `None` where it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
            return Some(Self(zoned.timestamp()));
        }
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Some(Self(timestamp));
        }
        let date: Date = text.parse().ok()?;
        Some(Self(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    }
}

impl From<Stamp> for String {
    fn from(stamp: Stamp) -> Self {
        stamp.to_string()
    }
}

impl TryFrom<String> for Stamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text).ok_or_else(|| format!("`{text}` is no time"))
    }
}

/// A date without a time, written `2026-11-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Day(Date);

impl Day {
    /// So many days earlier.
    pub(super) fn before(self, days: i32) -> Self {
        Self(self.0.checked_sub(Span::new().try_days(days).unwrap_or_default()).unwrap_or(self.0))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.0.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is no date"))
    }
}

/// Whether she may sign in (`gitlab.md` 2.2, 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    #[default]
    Active,
    Blocked,
    LdapBlocked,
    Deactivated,
    Banned,
    BlockedPendingApproval,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::LdapBlocked => "ldap_blocked",
            Self::Deactivated => "deactivated",
            Self::Banned => "banned",
            Self::BlockedPendingApproval => "blocked_pending_approval",
        }
    }

    /// GitLab counts the banned and the waiting among the blocked.
    pub(super) fn counts_as_blocked(self) -> bool {
        !matches!(self, Self::Active | Self::Deactivated)
    }
}

/// A login at a provider: what makes her the same person there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) provider: String,
    pub(super) extern_uid: String,
}

/// An address beside the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Address {
    /// 0 in a seed: not given a number yet.
    #[serde(default)]
    pub(super) id: u64,
    pub(super) email: String,
    #[serde(default = "yes")]
    pub(super) confirmed: bool,
    #[serde(default = "epoch")]
    pub(super) added_at: Stamp,
}

/// A key for git over SSH. Its public half is no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    /// 0 in a seed: not given a number yet.
    #[serde(default)]
    pub(super) id: u64,
    pub(super) title: String,
    #[serde(rename = "key", default = "example_key")]
    pub(super) public: String,
    #[serde(default)]
    pub(super) expires_at: Option<Stamp>,
    #[serde(default = "epoch")]
    pub(super) created_at: Stamp,
}

/// A user. Texts of the profile are never null in GitLab, only empty, but for those typed `Option`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are GitLab's own columns, and independent of each other")]
pub(super) struct User {
    /// 0 in a seed: not given a number yet.
    pub(super) id: u64,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) email: String,
    /// The number of the primary address among all addresses; 0 in a seed.
    pub(super) email_id: u64,
    /// The pending new address, which no answer shows (`gitlab.md` 2.2).
    pub(super) unconfirmed_email: Option<String>,
    pub(super) confirmed_at: Option<Stamp>,
    pub(super) emails: Vec<Address>,
    pub(super) keys: Vec<Key>,
    pub(super) public_email: Option<String>,
    pub(super) commit_email: Option<String>,
    pub(super) state: State,
    pub(super) admin: bool,
    pub(super) external: bool,
    pub(super) bot: bool,
    /// One of GitLab's own users, such as the ghost.
    pub(super) internal: bool,
    pub(super) bio: String,
    pub(super) location: String,
    pub(super) organization: String,
    pub(super) job_title: String,
    pub(super) website_url: String,
    pub(super) linkedin: String,
    pub(super) twitter: String,
    pub(super) discord: String,
    pub(super) skype: String,
    pub(super) github: String,
    pub(super) pronouns: Option<String>,
    pub(super) note: Option<String>,
    pub(super) preferred_language: String,
    pub(super) identities: Vec<Identity>,
    pub(super) theme_id: u64,
    pub(super) color_scheme_id: u64,
    pub(super) projects_limit: i64,
    pub(super) can_create_group: bool,
    pub(super) private_profile: bool,
    pub(super) view_diffs_file_by_file: bool,
    pub(super) two_factor_enabled: bool,
    /// A project of hers holds container images, which forbids a rename (`gitlab.md` 3.2).
    pub(super) container_registry_tags: bool,
    /// Her password was set by somebody else and must be changed at the next sign-in.
    pub(super) password_expired: bool,
    pub(super) created_at: Stamp,
    pub(super) updated_at: Stamp,
    /// Who made her, by id.
    pub(super) created_by: Option<u64>,
    pub(super) last_sign_in_at: Option<Stamp>,
    pub(super) current_sign_in_at: Option<Stamp>,
    pub(super) last_activity_on: Option<Day>,
    pub(super) sign_in_count: u64,
}

/// What an instance gives a new user (`gitlab.md` 3.2, the paragraph on `external`).
pub(super) const PROJECTS_LIMIT: i64 = 100_000;

impl Default for User {
    fn default() -> Self {
        Self {
            id: 0,
            username: String::new(),
            name: String::new(),
            email: String::new(),
            email_id: 0,
            unconfirmed_email: None,
            confirmed_at: Some(EPOCH),
            emails: Vec::new(),
            keys: Vec::new(),
            public_email: None,
            commit_email: None,
            state: State::Active,
            admin: false,
            external: false,
            bot: false,
            internal: false,
            bio: String::new(),
            location: String::new(),
            organization: String::new(),
            job_title: String::new(),
            website_url: String::new(),
            linkedin: String::new(),
            twitter: String::new(),
            discord: String::new(),
            skype: String::new(),
            github: String::new(),
            pronouns: None,
            note: None,
            preferred_language: "en".to_owned(),
            identities: Vec::new(),
            theme_id: 3,
            color_scheme_id: 1,
            projects_limit: PROJECTS_LIMIT,
            can_create_group: true,
            private_profile: false,
            view_diffs_file_by_file: false,
            two_factor_enabled: false,
            container_registry_tags: false,
            password_expired: false,
            created_at: EPOCH,
            updated_at: EPOCH,
            created_by: None,
            last_sign_in_at: None,
            current_sign_in_at: None,
            last_activity_on: None,
            sign_in_count: 0,
        }
    }
}

impl User {
    /// The address is hers and proven: the primary one once confirmed, and the confirmed ones beside it.
    pub(super) fn owns(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        (self.email == address && self.confirmed_at.is_some())
            || self.emails.iter().any(|held| held.confirmed && held.email == address)
    }

    /// The primary address becomes `address`; the old one stays beside it (`gitlab.md` 3.3). `fresh` numbers an address
    /// that was not there before.
    pub(super) fn move_to(&mut self, address: String, fresh: u64, now: Stamp) {
        let old = Address {
            id: self.email_id,
            email: std::mem::take(&mut self.email),
            confirmed: self.confirmed_at.is_some(),
            added_at: self.confirmed_at.unwrap_or(self.created_at),
        };
        self.email_id = match self.emails.iter().position(|held| held.email == address) {
            Some(at) => self.emails.remove(at).id,
            None => fresh,
        };
        self.email = address;
        self.confirmed_at = Some(now);
        self.unconfirmed_email = None;
        self.emails.push(old);
        self.emails.sort_by_key(|held| held.id);
    }
}

fn yes() -> bool {
    true
}

fn example_key() -> String {
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExample00".to_owned()
}

fn epoch() -> Stamp {
    EPOCH
}
