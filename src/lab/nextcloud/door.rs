//! Who may come in and how often: sign-ins, what failed ones lead to, and the limit on edits (`nextcloud.md` 1, 2 and 6).
//!
//! Time is the server's own: how long it has run.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    envelope::Answer,
    instance::Instance,
    settings::{Limit, Version},
};

/// How long a failed sign-in is remembered.
const REMEMBERED: Duration = Duration::from_mins(30);

/// More failures than this, and nobody comes in any more.
const MOST_FAILURES: usize = 10;

/// The longest pause, in units of the shortest.
const LONGEST_DELAY: u32 = 250;

/// What the server remembers of those who come.
#[derive(Clone, Debug, Default)]
pub(super) struct Door {
    /// When sign-ins failed. Everybody in the lab comes from the same address.
    failures: VecDeque<Duration>,
    /// When each account edited whom.
    edits: BTreeMap<String, VecDeque<Duration>>,
    /// The same for the edit of one of several values.
    several: BTreeMap<String, VecDeque<Duration>>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) id: String,
    /// She brought a bearer token.
    pub(super) bears: bool,
}

/// What somebody brings along.
enum Brought {
    Nothing,
    Login(String, String),
    Token(String),
}

impl Door {
    /// How long the next sign-in is delayed, in units.
    pub(super) fn delay(&mut self, now: Duration) -> u32 {
        self.forget(now);
        let times = u32::try_from(self.failures.len()).unwrap_or(u32::MAX);
        if times == 0 { 0 } else { 2_u32.saturating_pow(times).min(LONGEST_DELAY) }
    }

    pub(super) fn failures(&self) -> usize {
        self.failures.len()
    }

    fn forget(&mut self, now: Duration) {
        while self.failures.front().is_some_and(|at| now.saturating_sub(*at) > REMEMBERED) {
            self.failures.pop_front();
        }
    }

    /// Counts an edit of this account; false where it is one too many. What is turned away is not counted.
    pub(super) fn may_edit(&mut self, id: &str, limit: Option<Limit>, now: Duration) -> bool {
        let Some(limit) = limit else { return true };
        fits(self.edits.entry(id.to_owned()).or_default(), limit, now)
    }

    /// The same for the edit of one of several values.
    pub(super) fn may_edit_several(&mut self, id: &str, now: Duration) -> bool {
        fits(self.several.entry(id.to_owned()).or_default(), Limit { limit: 5, period_ms: 60_000 }, now)
    }
}

fn fits(times: &mut VecDeque<Duration>, limit: Limit, now: Duration) -> bool {
    let period = Duration::from_millis(limit.period_ms);
    while times.front().is_some_and(|at| now.saturating_sub(*at) >= period) {
        times.pop_front();
    }
    if times.len() >= limit.limit {
        return false;
    }
    times.push_back(now);
    true
}

/// Lets somebody in; `Ok(None)` where nobody says who she is.
pub(super) fn sign_in(instance: &mut Instance, headers: &HeaderMap, now: Duration) -> Result<Option<Caller>, Answer> {
    let brought = brought(headers);
    if matches!(brought, Brought::Nothing) {
        return Ok(None);
    }
    instance.door.forget(now);
    if instance.door.failures() > MOST_FAILURES {
        let code = if instance.settings.version == Version::V27 { 996 } else { 429 };
        return Err(Answer::no(code, "Reached maximum delay"));
    }
    let caller = match brought {
        Brought::Nothing => None,
        Brought::Login(login, password) => {
            let user = instance.users.get(&login).filter(|user| user.enabled);
            match user {
                Some(user) if user.app_password == password => Some(Caller { id: login, bears: false }),
                Some(user) if !user.password.is_empty() && user.password == password => {
                    if instance.settings.token_auth_enforced {
                        // Not a wrong password, so nothing that counts.
                        return Ok(None);
                    }
                    Some(Caller { id: login, bears: false })
                }
                _ => None,
            }
        }
        Brought::Token(token) => {
            let whose = instance.users.values().find(|user| user.enabled && user.app_password == token);
            whose.map(|user| Caller { id: user.id.clone(), bears: true })
        }
    };
    if caller.is_none() {
        instance.door.failures.push_back(now);
        return Err(Answer::no(997, "Unauthorised"));
    }
    Ok(caller)
}

fn brought(headers: &HeaderMap) -> Brought {
    let Some(told) = headers.get(header::AUTHORIZATION).and_then(|told| told.to_str().ok()) else {
        return Brought::Nothing;
    };
    match told.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Brought::Token(token.to_owned()),
        Some((scheme, pair)) if scheme.eq_ignore_ascii_case("basic") => {
            let pair = STANDARD.decode(pair).ok().and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
            let (login, password) = pair.split_once(':').unwrap_or((&pair, ""));
            Brought::Login(login.to_owned(), password.to_owned())
        }
        _ => Brought::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_and_what_is_turned_away_does_not_count() {
        let mut door = Door::default();
        let limit = Some(Limit { limit: 2, period_ms: 1_000 });
        let mut at = |ms: u64| door.may_edit("us", limit, Duration::from_millis(ms));
        assert_eq!(
            [at(0), at(600), at(700), at(999), at(1_000), at(1_100), at(1_600)],
            [true, true, false, false, true, false, true]
        );
        assert!(door.may_edit("others", limit, Duration::ZERO));
        assert!(door.may_edit("us", None, Duration::ZERO));
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_the_longest() {
        let mut door = Door::default();
        let delays: Vec<u32> = (0..10)
            .map(|_| {
                let delay = door.delay(Duration::ZERO);
                door.failures.push_back(Duration::ZERO);
                delay
            })
            .collect();
        assert_eq!(delays, [0, 2, 4, 8, 16, 32, 64, 128, 250, 250]);
        assert_eq!(door.delay(REMEMBERED + Duration::from_secs(1)), 0);
    }
}
