//! Who is asking and whether she may: tokens in every form, scopes, acting for others, and the limits.
//!
//! Knows no endpoint beyond what its scope is; what an administrator may do is asked by the endpoints themselves.

use super::{
    asked::{Answer, Asked, Content},
    seed::{RateLimit, TokenKind},
    user::{Stamp, State},
    words::Language,
    world::{Token, Window, World},
};

/// Who is asking.
pub(super) struct Caller {
    /// `None`: nobody said who.
    pub(super) user: Option<u64>,
    /// The number of the token she showed.
    pub(super) token: Option<u64>,
    /// She has all rights, and her token lets her use them.
    pub(super) admin: bool,
    /// What the owner of the token reads (`gitlab.md` 1.1); acting for another does not change it.
    pub(super) language: Language,
    /// The address links are made with, without a slash at the end.
    pub(super) base: String,
}

impl Caller {
    pub(super) fn must_be_somebody(&self) -> Result<u64, Answer> {
        self.user.ok_or_else(Answer::unauthorized)
    }

    pub(super) fn must_be_admin(&self) -> Result<u64, Answer> {
        let id = self.must_be_somebody()?;
        if self.admin { Ok(id) } else { Err(Answer::forbidden()) }
    }
}

/// A token as it was sent, and how.
enum Shown {
    /// In `PRIVATE-TOKEN` or `private_token`.
    Private(String),
    /// In `Authorization: Bearer` or `access_token`.
    Bearer(String),
}

fn shown(asked: &Asked) -> Option<Shown> {
    if let Some(token) = asked.header("private-token") {
        return Some(Shown::Private(token.to_owned()));
    }
    if let Some(token) = asked.header("authorization").and_then(|text| text.split_once(' '))
        && token.0.eq_ignore_ascii_case("bearer")
    {
        return Some(Shown::Bearer(token.1.trim().to_owned()));
    }
    asked.text("private_token").map(Shown::Private).or_else(|| asked.text("access_token").map(Shown::Bearer))
}

/// Lets a request in: the throttle first, then the token, its scopes, and `sudo` (`gitlab.md` 1.1, 1.4).
pub(super) fn enter(world: &mut World, asked: &Asked, wall: i64) -> Result<Caller, Answer> {
    let base = match &world.settings.external_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("http://{}", asked.host),
    };
    let shown = shown(asked);
    let token = match &shown {
        Some(Shown::Private(text)) => world.token(text).filter(|token| token.kind != TokenKind::Oauth),
        Some(Shown::Bearer(text)) => world.token(text),
        None => None,
    };
    let token = token.cloned();
    throttle(world, token.as_ref(), wall)?;
    let token = match (shown, token) {
        (_, Some(token)) => token,
        (None, None) => return Ok(Caller { user: None, token: None, admin: false, language: Language::English, base }),
        (Some(Shown::Private(_)), None) => return Err(Answer::unauthorized()),
        (Some(Shown::Bearer(_)), None) => return Err(invalid_token("Bad Access Token.")),
    };
    if token.revoked {
        return Err(invalid_token("Token was revoked. You have to re-authorize from the user."));
    }
    if token.expired {
        return Err(invalid_token("Token is expired. You can either do re-authorization or token refresh."));
    }
    let Some(owner) = world.user(token.user) else { return Err(Answer::unauthorized()) };
    match owner.state {
        State::Active => {}
        State::Deactivated => {
            return Err(Answer::forbidden_because(&format!(
                "Your account has been deactivated by your administrator. Please log back in from a web browser to \
                 reactivate your account at {base}"
            )));
        }
        _ => return Err(Answer::forbidden_because("Your account has been blocked.")),
    }
    let language = Language::of(&owner.preferred_language);
    let mode = !world.settings.admin_mode || has(&token, "admin_mode");
    let admin = owner.admin && mode;
    let Some(who) = asked.header("sudo").map(str::to_owned).or_else(|| asked.text("sudo")) else {
        let wanted = scopes_for(asked);
        let about_itself = asked.path == "/api/v4/personal_access_tokens/self";
        if !about_itself && !wanted.iter().any(|scope| has(&token, scope)) {
            return Err(insufficient_scope(&wanted.join(" ")));
        }
        return Ok(Caller { user: Some(owner.id), token: Some(token.id), admin, language, base });
    };
    if !admin {
        return Err(Answer::forbidden_because("Must be admin to use sudo"));
    }
    if token.kind == TokenKind::Job {
        let reason = "Must be authenticated using an OAuth or personal access token to use sudo";
        return Err(Answer::forbidden_because(reason));
    }
    if !has(&token, "sudo") {
        return Err(insufficient_scope("sudo"));
    }
    let Some(other) = world.user_called(&who) else {
        return Err(Answer::not_found(&format!("User with ID or username '{who}'")));
    };
    Ok(Caller { user: Some(other.id), token: Some(token.id), admin: other.admin && mode, language, base })
}

/// The scopes of which one is enough.
fn scopes_for(asked: &Asked) -> Vec<&'static str> {
    let about_users = ["/api/v4/user", "/api/v4/version", "/api/v4/metadata"];
    match asked.reads_only() {
        true if about_users.iter().any(|start| asked.path.starts_with(start)) => vec!["api", "read_api", "read_user"],
        true => vec!["api", "read_api"],
        false => vec!["api"],
    }
}

fn has(token: &Token, scope: &str) -> bool {
    token.scopes.iter().any(|held| held == scope)
}

fn invalid_token(description: &str) -> Answer {
    Answer::json(401, serde_json::json!({"error": "invalid_token", "error_description": description}))
}

fn insufficient_scope(scope: &str) -> Answer {
    let description = "The request requires higher privileges than provided by the access token.";
    let body = serde_json::json!({"error": "insufficient_scope", "error_description": description, "scope": scope});
    Answer::json(403, body)
}

/// Counts one use of a limit; true where it is used up. Windows are fixed: they begin at multiples of the period.
pub(super) fn used_up(world: &mut World, key: String, limit: u64, period: u64, wall: i64) -> bool {
    observed(world, key, period, wall) > limit
}

fn observed(world: &mut World, key: String, period: u64, wall: i64) -> u64 {
    let number = u64::try_from(wall).unwrap_or(0) / period.max(1);
    let window = world.windows.entry(key).or_default();
    if window.number != number {
        *window = Window { number, used: 0 };
    }
    window.used += 1;
    window.used
}

/// The request throttle (`gitlab.md` 1.4).
fn throttle(world: &mut World, token: Option<&Token>, wall: i64) -> Result<(), Answer> {
    let Some(RateLimit { requests, period_seconds }) = world.settings.rate_limit.clone() else { return Ok(()) };
    let period = period_seconds.max(1);
    let (name, who) = match token {
        Some(token) => ("throttle_authenticated_api", token.user.to_string()),
        None => ("throttle_unauthenticated_api", "anybody".to_owned()),
    };
    let observed = observed(world, format!("{name}/{who}"), period, wall);
    if observed <= requests {
        return Ok(());
    }
    let now = u64::try_from(wall).unwrap_or(0);
    let reset = (now / period + 1) * period;
    let headers = vec![
        ("RateLimit-Name", name.to_owned()),
        ("RateLimit-Limit", (requests * 60).div_ceil(period).to_string()),
        ("RateLimit-Observed", observed.to_string()),
        ("RateLimit-Remaining", "0".to_owned()),
        ("RateLimit-Reset", reset.to_string()),
        ("RateLimit-ResetTime", Stamp::from_unix(i64::try_from(reset).unwrap_or(wall)).http_date()),
        ("Retry-After", (reset - now).to_string()),
    ];
    Err(Answer { status: 429, headers, body: Content::Text("Retry later") })
}
