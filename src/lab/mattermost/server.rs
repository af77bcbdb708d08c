//! Everything the simulated server remembers, and the questions that several routes ask of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::{
    answer::AppError,
    clock::{self, Clock},
    directory::Directory,
    limiter::Limiter,
    posts::Post,
    session::{Session, Sessions},
    settings::Settings,
    teams::Teams,
    user::{Reader, User},
};

/// So many mails are kept; older ones are forgotten.
const MAILS: usize = 1000;

/// The server's memory.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) users: Directory,
    pub(super) sessions: Sessions,
    /// Names of user groups, which no user may be renamed to.
    pub(super) groups: BTreeSet<String>,
    pub(super) teams: Teams,
    pub(super) posts: Vec<Post>,
    pub(super) limiter: Limiter,
    /// Tokens of new addresses that wait to be confirmed: whose, and which address.
    pub(super) pending: BTreeMap<String, (String, String)>,
    /// The lab's own credentials, by kind.
    pub(super) our_tokens: BTreeMap<&'static str, String>,
    mails: VecDeque<Value>,
    numbers: u64,
    requests: u64,
}

/// What somebody may do, as far as the routes here ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    ManageSystem,
    EditOtherUsers,
    WriteUsers,
    ManageRoles,
}

impl Server {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            clock: Clock::default(),
            users: Directory::default(),
            sessions: Sessions::default(),
            groups: BTreeSet::new(),
            teams: Teams::default(),
            posts: Vec::new(),
            limiter: Limiter::default(),
            pending: BTreeMap::new(),
            our_tokens: BTreeMap::new(),
            mails: VecDeque::new(),
            numbers: 0,
            requests: 0,
        }
    }

    /// A number nobody had yet.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// An id of a request, apart from all other numbers so that reading does not change what writing makes.
    pub(super) fn request_id(&mut self) -> String {
        self.requests += 1;
        clock::id("request", self.requests)
    }

    /// `X-Version-Id` (`mattermost.md` 1.2).
    pub(super) fn version_id(&self) -> String {
        let version = &self.settings.version;
        let config = clock::fingerprint(json!(self.settings).to_string().as_bytes());
        format!("{version}.{version}.{config:016x}.false")
    }

    pub(super) fn may(&self, session: &Session, permission: Permission) -> bool {
        let Some(user) = self.users.get(&session.user) else { return false };
        let managers = matches!(permission, Permission::EditOtherUsers | Permission::WriteUsers);
        user.is_administrator() || (managers && user.has_role("system_user_manager"))
    }

    /// True where this session may edit that account (`mattermost.md` 4.1, check 2).
    pub(super) fn may_edit(&self, session: &Session, target: &str) -> bool {
        let user = self.users.get(target);
        session.user == target
            || self.may(session, Permission::ManageSystem)
            || user.is_some_and(|user| user.is_bot && user.bot_owner == session.user)
            || (self.may(session, Permission::EditOtherUsers) && user.is_some_and(|user| !user.is_administrator()))
    }

    /// How this session sees that user.
    pub(super) fn reader(&self, session: &Session, user: &str) -> Reader {
        if session.user == user {
            Reader::Own
        } else if self.may(session, Permission::ManageSystem) {
            Reader::Administrator
        } else {
            Reader::Other { email: self.settings.show_email_address, names: self.settings.show_full_name }
        }
    }

    /// Stores a user whose unique values nobody else may hold.
    pub(super) fn store(&mut self, user: User) -> Result<(), AppError> {
        use super::directory::Taken;
        self.users.put(user).map_err(|taken| match taken {
            Taken::Email => AppError::email_exists(),
            Taken::Username => AppError::username_exists(),
            Taken::AuthData => AppError::bad("app.user.save.existing.app_error", "Unable to save the account."),
        })
    }

    /// Stores a user none of whose unique values changed.
    pub(super) fn store_same(&mut self, user: User) {
        // Nobody can hold what this user held a moment ago.
        let _ = self.users.put(user);
    }

    /// Switches an account on or off. Every call moves its `update_at`.
    pub(super) fn set_active(&mut self, user: &str, active: bool) {
        let Some(mut user) = self.users.get(user).cloned() else { return };
        user.update_at = self.clock.tick();
        user.delete_at = if active { 0 } else { user.update_at };
        if !active {
            self.sessions.revoke(&user.id);
        }
        self.store_same(user);
    }

    /// True where one more account may not become active.
    pub(super) fn is_full(&self) -> bool {
        let seats = self.settings.user_limit.and_then(|limit| usize::try_from(limit).ok());
        seats.is_some_and(|seats| self.users.by_id().filter(|user| user.is_active() && !user.is_bot).count() >= seats)
    }

    /// Sends somebody a mail.
    pub(super) fn mail(&mut self, to: &str, about: &str, token: Option<&str>) {
        if self.mails.len() == MAILS {
            self.mails.pop_front();
        }
        let mut mail = json!({ "to": to, "about": about });
        if let Some(token) = token {
            mail["token"] = token.into();
        }
        self.mails.push_back(mail);
    }

    /// The whole state in a stable order, without passwords and sessions.
    pub(super) fn dump(&self) -> Value {
        let view = |user: &User| {
            let mut view = user.seen_by(Reader::Own);
            view["email_verified"] = user.email_verified.into();
            view["auth_data"] = json!(user.auth_data);
            view["last_login"] = user.last_login.into();
            (user.id.clone(), view)
        };
        let users: serde_json::Map<String, Value> = self.users.by_id().map(view).collect();
        json!({
            "settings": self.settings,
            "groups": self.groups,
            "users": users,
            "teams": self.teams.dump(),
            "posts": self.posts.iter().map(|post| post.dump(self)).collect::<Vec<_>>(),
            "mails": self.mails,
        })
    }
}
