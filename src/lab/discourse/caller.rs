//! Who is asking: keys, the headers that say as whom they act, scopes, and the limits (`discourse.md` 1 and 2).

use std::time::Duration;

use axum::http::Method;

use super::{
    answer::Answer,
    asked::Asked,
    site::{Key, Site, same},
};

/// Who is asking.
pub(super) struct Caller {
    /// `None`: nobody said who.
    pub(super) user: Option<i64>,
    pub(super) staff: bool,
    pub(super) admin: bool,
    /// A key was shown that counts.
    pub(super) by_key: bool,
}

/// As whom a request says it acts.
enum Acting {
    Unsaid,
    /// As somebody who is not there.
    AsNobody,
    As(String),
}

/// The header of the key that a person gives an app (known of Discourse; in no contract).
const OF_APP: &str = "user-api-key";

/// The words for the limits of such a key (known of Discourse; in no contract).
const OF_APP_MINUTE: &str = "user_api_key_limiter_60_secs";
const OF_APP_DAY: &str = "user_api_key_limiter_1_day";

/// The words for the limits of an address; that of the minute: known of Discourse; in no contract.
const OF_ADDRESS: [&str; 2] = ["ip_10_secs_limit", "ip_60_secs_limit"];

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

impl Caller {
    fn nobody() -> Self {
        Self { user: None, staff: false, admin: false, by_key: false }
    }

    /// Lets a request in.
    pub(super) fn enter(site: &mut Site, asked: &Asked) -> Result<Self, Answer> {
        let by_address = site.settings.limit_this_machine;
        let limits = [
            (OF_ADDRESS[0], site.settings.max_reqs_per_ip_per_10_seconds, Duration::from_secs(10)),
            (OF_ADDRESS[1], site.settings.max_reqs_per_ip_per_minute, MINUTE),
        ];
        if by_address {
            for (name, most, length) in limits {
                site.limiter.count(name, most, length).map_err(|wait| Answer::slow_down(wait, name))?;
            }
        }
        let caller = Self::known(site, asked)?;
        if caller.by_key && by_address && asked.header(OF_APP).is_none() {
            // A call that an administrator's key vouches for is no call of this address.
            for (name, ..) in limits {
                site.limiter.give_back(name);
            }
        }
        if !caller.by_key && asked.method != Method::GET && asked.method != Method::HEAD {
            return Err(Answer::text(403, "[\"BAD CSRF\"]"));
        }
        Ok(caller)
    }

    fn known(site: &mut Site, asked: &Asked) -> Result<Self, Answer> {
        let no = || {
            if asked.parts.first().is_some_and(|part| part == "admin") {
                Answer::not_found()
            } else {
                Answer::bad_key()
            }
        };
        if let Some(shown) = asked.header(OF_APP) {
            let key = site.keys.iter().find(|key| key.of_app && key.text == shown && !key.revoked).ok_or_else(no)?;
            let name = key.user.clone().unwrap_or_default();
            let (minute, day) = (site.settings.max_user_api_reqs_per_minute, site.settings.max_user_api_reqs_per_day);
            let count = format!("app {shown}");
            let told = |wait| Answer::too_many(wait, OF_APP_MINUTE);
            site.limiter.look(&format!("{count} minute"), minute, MINUTE).map_err(told)?;
            let told = |wait| Answer::too_many(wait, OF_APP_DAY);
            site.limiter.count(&format!("{count} day"), day, DAY).map_err(told)?;
            let _ = site.limiter.count(&format!("{count} minute"), minute, MINUTE);
            return Self::of(site, &name, asked);
        }
        let Some(shown) = asked.header("api-key") else { return Ok(Self::nobody()) };
        let key = site.keys.iter().find(|key| !key.of_app && key.text == shown && !key.revoked).ok_or_else(no)?;
        if key.ips.as_ref().is_some_and(|ips| !ips.iter().any(|ip| ip == "127.0.0.1")) || !key.opens(asked) {
            return Err(no());
        }
        let name = match (&key.user, Self::acting(site, asked)) {
            (Some(own), Acting::Unsaid) => own.clone(),
            (Some(own), Acting::As(other)) if same(own, &other) => own.clone(),
            (None, Acting::As(anybody)) => anybody,
            _ => return Err(no()),
        };
        let most = site.settings.max_admin_api_reqs_per_minute;
        let told = |wait| Answer::too_many(wait, "admin_api_key_rate_limit");
        site.limiter.count("admin keys", most, MINUTE).map_err(told)?;
        Self::of(site, &name, asked)
    }

    /// As whom the request says it acts.
    fn acting(site: &Site, asked: &Asked) -> Acting {
        let user = if let Some(name) = asked.header("api-username") {
            site.named(name)
        } else if let Some(id) = asked.header("api-user-id") {
            id.parse().ok().and_then(|id: i64| site.users.get(&id))
        } else if let Some(id) = asked.header("api-user-external-id") {
            site.users.values().find(|user| user.record.as_ref().is_some_and(|record| record.id == id))
        } else {
            return Acting::Unsaid;
        };
        user.map_or(Acting::AsNobody, |user| Acting::As(user.username.clone()))
    }

    fn of(site: &Site, name: &str, asked: &Asked) -> Result<Self, Answer> {
        let is_admin_route = asked.parts.first().is_some_and(|part| part == "admin");
        let user = site.named(name).filter(|user| !user.is_suspended() && user.active);
        let Some(user) = user else {
            return Err(if is_admin_route { Answer::not_found() } else { Answer::forbidden() });
        };
        Ok(Self { user: Some(user.id), staff: user.is_staff(), admin: user.admin, by_key: true })
    }

    pub(super) fn must_be_somebody(&self) -> Result<i64, Answer> {
        self.user.ok_or_else(Answer::not_logged_in)
    }

    /// What stands under `/admin` is not there for others.
    pub(super) fn must_be_staff(&self) -> Result<i64, Answer> {
        self.user.filter(|_| self.staff).ok_or_else(Answer::not_found)
    }

    pub(super) fn must_be_admin(&self) -> Result<i64, Answer> {
        self.user.filter(|_| self.admin).ok_or_else(Answer::not_found)
    }

    pub(super) fn may_edit(&self, id: i64) -> bool {
        self.staff || self.user == Some(id)
    }

    pub(super) fn may_edit_username(&self, site: &Site, id: i64) -> bool {
        let is_over =
            || site.settings.username_change_period == 0 || site.users.get(&id).is_some_and(|user| user.has_posts);
        !site.settings.auth_overrides_username && self.may_edit(id) && (self.staff || !is_over())
    }

    pub(super) fn may_edit_email(&self, site: &Site, id: i64) -> bool {
        !site.settings.auth_overrides_email && site.settings.email_editable && self.may_edit(id)
    }

    pub(super) fn may_edit_name(&self, site: &Site, id: i64) -> bool {
        !site.settings.auth_overrides_name && site.settings.enable_names && self.may_edit(id)
    }
}

impl Key {
    /// Whether the key's scopes let it do this.
    fn opens(&self, asked: &Asked) -> bool {
        let Some(scopes) = &self.scopes else { return true };
        let parts: Vec<&str> = asked.parts.iter().map(String::as_str).collect();
        let needed = match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["u", _] | ["u", "by-external", ..] | ["admin", "users", _]) => "show",
            ("GET", ["u", _, "emails"]) => "check_emails",
            ("PUT", ["u", _]) => "update",
            ("POST", ["admin", "users", "sync_sso"]) => "sync_sso",
            ("GET", ["admin", "users", "list", _]) => "list",
            ("PUT", ["admin", "users", _, "suspend"]) => "suspend",
            ("PUT", ["admin", "users", _, "anonymize"]) => "anonymize",
            ("POST", ["admin", "users", _, "log_out"]) => "log_out",
            ("DELETE", ["admin", "users", _]) => "delete",
            ("PUT" | "DELETE", ["groups", _, "members"]) => "manage_groups",
            _ => return false,
        };
        scopes.iter().any(|scope| scope == needed)
    }
}
