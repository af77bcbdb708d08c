//! What an instance holds: organizations, users, unique names, the clock of events, and the lists that lag behind.
//!
//! Every change of a user goes through [`Instance::push`], which keeps uniqueness, indices, sequences and the lagging
//! lists in step (`zitadel.md` 5 and 10). It knows no HTTP and checks no permission.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    access::Access,
    refusal::{Code, Refusal},
    seed::Settings,
};

/// The state of a user (`zitadel.md` 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Active = 1,
    Inactive = 2,
    Locked = 4,
    Initial = 5,
}

impl State {
    /// The name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "USER_STATE_ACTIVE",
            Self::Inactive => "USER_STATE_INACTIVE",
            Self::Locked => "USER_STATE_LOCKED",
            Self::Initial => "USER_STATE_INITIAL",
        }
    }
}

/// A number of events since the instance began; also a time, by the instance's own clock.
pub(super) type Moment = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) organization: String,
    pub(super) username: String,
    pub(super) state: State,
    pub(super) kind: Kind,
    pub(super) metadata: BTreeMap<String, Metadata>,
    pub(super) links: Vec<Link>,
    /// Number of events of this user.
    pub(super) sequence: u64,
    pub(super) created: Moment,
    pub(super) changed: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Human(Human),
    Machine(Machine),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Human {
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) nick_name: String,
    pub(super) display_name: String,
    pub(super) preferred_language: String,
    pub(super) gender: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) phone: String,
    pub(super) phone_verified: bool,
    pub(super) password: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) token_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) value: Vec<u8>,
    /// The number of the user's event that set it last.
    pub(super) sequence: u64,
    pub(super) created: Moment,
    pub(super) changed: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) idp: String,
    pub(super) user: String,
    pub(super) name: String,
    /// The identity provider overwrites attributes at the next login (`zitadel.md` 7).
    pub(super) auto_update: bool,
}

impl Human {
    /// What a display name is made of where none is given.
    pub(super) fn whole_name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name).trim().to_owned()
    }
}

impl User {
    pub(super) fn human(&self) -> Option<&Human> {
        match &self.kind {
            Kind::Human(human) => Some(human),
            Kind::Machine(_) => None,
        }
    }

    pub(super) fn human_mut(&mut self) -> Option<&mut Human> {
        match &mut self.kind {
            Kind::Human(human) => Some(human),
            Kind::Machine(_) => None,
        }
    }
}

/// What lists still show of one user, and what will replace it.
#[derive(Debug)]
struct Lagging {
    shown: Option<Arc<User>>,
    /// When it becomes visible, the number of its event, and what becomes visible.
    waiting: VecDeque<(u64, Moment, Option<Arc<User>>)>,
}

/// A message that went out.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) user: String,
    pub(super) to: String,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) settings: Settings,
    /// The first number of the version.
    pub(super) generation: u32,
    /// Names by id.
    pub(super) organizations: BTreeMap<String, String>,
    pub(super) access: Access,
    pub(super) mails: Vec<Mail>,
    users: BTreeMap<String, Arc<User>>,
    /// Ids by scope and lower-cased username.
    names: BTreeMap<(String, String), String>,
    /// Ids by lower-cased address.
    emails: BTreeMap<String, BTreeSet<String>>,
    lagging: BTreeMap<String, Lagging>,
    /// List requests and writes so far.
    steps: u64,
    events: Moment,
    last_id: u64,
    codes: u64,
    /// Periods of the quota are counted from here.
    started: Instant,
    /// The number of the period and the calls in it.
    period: (u128, u64),
}

/// The beginning of time: 2025-12-01T10:00:00Z.
const EPOCH_S: i64 = 1_764_583_200;

/// The clock moves this much with every event: enough that fractions of every length occur.
const PER_EVENT: SignedDuration = SignedDuration::from_micros(250_125);

impl Instance {
    pub(super) fn new(settings: Settings, organizations: BTreeMap<String, String>) -> Result<Self, String> {
        Ok(Self {
            generation: settings.generation()?,
            settings,
            organizations,
            access: Access::default(),
            mails: Vec::new(),
            users: BTreeMap::new(),
            names: BTreeMap::new(),
            emails: BTreeMap::new(),
            lagging: BTreeMap::new(),
            steps: 0,
            events: 0,
            last_id: 300_000_000_000_000_000,
            codes: 0,
            started: Instant::now(),
            period: (0, 0),
        })
    }

    pub(super) fn user(&self, id: &str) -> Option<&Arc<User>> {
        self.users.get(id)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// By id or username, whatever its case.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<User>> {
        let by_name = || {
            let wanted = name.to_lowercase();
            let id = if self.scoped() {
                self.organizations.keys().find_map(|scope| self.names.get(&(scope.clone(), wanted.clone())))
            } else {
                self.names.get(&(String::new(), wanted))
            };
            id.and_then(|id| self.users.get(id))
        };
        self.users.get(name).or_else(by_name)
    }

    /// An id nobody has.
    pub(super) fn fresh_id(&mut self) -> String {
        loop {
            self.last_id += 1;
            let id = self.last_id.to_string();
            if !self.users.contains_key(&id) && !self.organizations.contains_key(&id) {
                return id;
            }
        }
    }

    /// A verification code.
    pub(super) fn fresh_code(&mut self) -> String {
        self.codes += 1;
        format!("C{:05}", self.codes)
    }

    /// Counts one call; false where the quota is exhausted.
    pub(super) fn within_quota(&mut self) -> bool {
        let Some(quota) = &mut self.settings.quota else { return true };
        let length = u128::from(self.settings.quota_period_ms);
        if length == 0 {
            let is_left = *quota > 0;
            *quota = quota.saturating_sub(1);
            return is_left;
        }
        let number = self.started.elapsed().as_millis() / length;
        if self.period.0 != number {
            self.period = (number, 0);
        }
        self.period.1 += 1;
        self.period.1 <= *quota
    }

    /// Replaces the settings. Refused where usernames would no longer be unique.
    pub(super) fn configure(&mut self, settings: Settings) -> Result<(), String> {
        let generation = settings.generation()?;
        let before = std::mem::replace(&mut self.settings, settings);
        let mut names = BTreeMap::new();
        for user in self.users.values() {
            if let Some(other) = names.insert(self.name_key(user), user.id.clone()) {
                let name = user.username.clone();
                self.settings = before;
                return Err(format!("zitadel settings: users {other} and {} are both called `{name}`", user.id));
            }
        }
        self.names = names;
        self.generation = generation;
        Ok(())
    }

    fn scoped(&self) -> bool {
        self.settings.organization_scoped_usernames || self.settings.user_login_must_be_domain
    }

    /// The scope of uniqueness is the instance or, by policy, the organization (`zitadel.md` 5, Validation).
    fn name_key(&self, user: &User) -> (String, String) {
        let scope = if self.scoped() { user.organization.clone() } else { String::new() };
        (scope, user.username.to_lowercase())
    }

    /// Writes one user, `events` events at once, all or nothing; `None` removes. The clash of usernames comes last of all
    /// checks, here.
    pub(super) fn push(&mut self, id: &str, after: Option<User>, events: u64) -> Result<Arc<User>, Refusal> {
        let before = self.users.get(id).cloned();
        if let Some(user) = &after
            && self.names.get(&self.name_key(user)).is_some_and(|holder| holder != id)
        {
            return Err(Refusal::of(Code::AlreadyExists, "V3-DKcYh", "User already exists"));
        }
        let removed = after.is_none();
        let Some(mut user) = after.or_else(|| before.as_deref().cloned()) else {
            return Err(Refusal::no_user("COMMAND-ugjs0upun6"));
        };
        self.events += events;
        user.sequence += events;
        user.changed = self.events;
        if before.is_none() {
            user.created = self.events;
        }
        if let Some(before) = &before {
            self.names.remove(&self.name_key(before));
            if let Some(human) = before.human()
                && let Some(ids) = self.emails.get_mut(&human.email.to_lowercase())
            {
                ids.remove(id);
            }
        }
        let user = Arc::new(user);
        if removed {
            self.users.remove(id);
        } else {
            self.names.insert(self.name_key(&user), id.to_owned());
            if let Some(human) = user.human() {
                self.emails.entry(human.email.to_lowercase()).or_default().insert(id.to_owned());
            }
            self.users.insert(id.to_owned(), Arc::clone(&user));
        }
        self.step();
        if self.settings.projection_lag > 0 {
            let due = self.steps + self.settings.projection_lag;
            let lagging = self.lagging.entry(id.to_owned());
            let lagging = lagging.or_insert_with(|| Lagging { shown: before, waiting: VecDeque::new() });
            lagging.waiting.push_back((due, self.events, (!removed).then(|| Arc::clone(&user))));
        } else {
            self.lagging.remove(id);
        }
        Ok(user)
    }

    /// The last event.
    pub(super) fn now(&self) -> Moment {
        self.events
    }

    /// A list request or a write has passed.
    pub(super) fn step(&mut self) {
        self.steps += 1;
    }

    /// Lets lists show what is due by now.
    pub(super) fn project(&mut self) {
        let steps = self.steps;
        self.lagging.retain(|_, lagging| {
            while lagging.waiting.front().is_some_and(|(due, ..)| *due <= steps) {
                if let Some((_, _, user)) = lagging.waiting.pop_front() {
                    lagging.shown = user;
                }
            }
            !lagging.waiting.is_empty()
        });
    }

    /// Lets lists show everything: what a read by id triggers.
    pub(super) fn catch_up(&mut self) {
        self.lagging.clear();
    }

    /// The last event that lists know of.
    pub(super) fn projected(&self) -> Moment {
        let waiting = self.lagging.values().filter_map(|lagging| lagging.waiting.front());
        waiting.map(|(_, event, _)| event.saturating_sub(1)).min().unwrap_or(self.events)
    }

    /// What a list shows for one id.
    fn shown(&self, id: &str) -> Option<&Arc<User>> {
        match self.lagging.get(id) {
            Some(lagging) => lagging.shown.as_ref(),
            None => self.users.get(id),
        }
    }

    /// Everything a list shows, by id.
    pub(super) fn listed(&self) -> impl Iterator<Item = &Arc<User>> {
        let gone = self.lagging.iter().filter(|(id, _)| !self.users.contains_key(*id));
        let mut gone = gone.filter_map(|(_, lagging)| lagging.shown.as_ref()).peekable();
        let mut present = self.users.keys().filter_map(|id| self.shown(id)).peekable();
        std::iter::from_fn(move || match (gone.peek(), present.peek()) {
            (Some(left), Some(right)) if left.id < right.id => gone.next(),
            (_, Some(_)) => present.next(),
            (_, None) => gone.next(),
        })
    }

    /// Those of these ids that a list shows, by id.
    pub(super) fn listed_of(&self, ids: impl IntoIterator<Item = String>) -> Vec<&Arc<User>> {
        let ids: BTreeSet<String> = ids.into_iter().chain(self.lagging.keys().cloned()).collect();
        ids.iter().filter_map(|id| self.shown(id)).collect()
    }

    /// Ids of users with this address, in any case.
    pub(super) fn ids_by_email(&self, email: &str) -> Vec<String> {
        self.emails.get(&email.to_lowercase()).map(|ids| ids.iter().cloned().collect()).unwrap_or_default()
    }

    /// Ids of users with this username, in any case.
    pub(super) fn ids_by_username(&self, username: &str) -> Vec<String> {
        let wanted = username.to_lowercase();
        let scopes = std::iter::once("").chain(self.organizations.keys().map(String::as_str));
        scopes.filter_map(|scope| self.names.get(&(scope.to_owned(), wanted.clone())).cloned()).collect()
    }

    /// The name to log in with.
    pub(super) fn login_name(&self, user: &User) -> String {
        if !self.settings.user_login_must_be_domain {
            return user.username.clone();
        }
        let name = self.organizations.get(&user.organization).map_or("", String::as_str);
        let domain: String = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        format!("{}@{domain}.zitadel.local", user.username)
    }

    /// A domain in the name that another organization has verified (`COMMAND-SFd21`).
    pub(super) fn check_domain(&self, organization: &str, username: &str) -> Result<(), Refusal> {
        let Some((_, domain)) = username.rsplit_once('@') else { return Ok(()) };
        let verified = |domains: &Vec<String>| domains.iter().any(|verified| verified.eq_ignore_ascii_case(domain));
        let mut others = self.settings.verified_domains.iter().filter(|(id, _)| id.as_str() != organization);
        if !self.settings.user_login_must_be_domain && others.any(|(_, domains)| verified(domains)) {
            let text = "Domain is already reserved and cannot be used";
            return Err(Refusal::invalid("COMMAND-SFd21", text));
        }
        Ok(())
    }
}

/// RFC 3339 in UTC with as many digits as protojson writes: 0, 3, 6 or 9.
pub(super) fn time(moment: Moment) -> String {
    let passed = PER_EVENT.checked_mul(i32::try_from(moment).unwrap_or(i32::MAX)).unwrap_or(SignedDuration::ZERO);
    let at = Timestamp::from_second(EPOCH_S).unwrap_or(Timestamp::UNIX_EPOCH) + passed;
    let whole = at.strftime("%Y-%m-%dT%H:%M:%S");
    match at.subsec_microsecond() {
        0 => format!("{whole}Z"),
        micros if micros % 1000 == 0 => format!("{whole}.{:03}Z", micros / 1000),
        micros => format!("{whole}.{micros:06}Z"),
    }
}

/// What a write answers: `sequence`, `changeDate`, `resourceOwner`.
pub(super) fn details(user: &User) -> Value {
    json!({
        "sequence": user.sequence.to_string(),
        "changeDate": time(user.changed),
        "resourceOwner": user.organization,
    })
}
