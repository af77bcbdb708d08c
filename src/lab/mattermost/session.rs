//! Who asks: the kinds of credentials and the places a token may stand in (`mattermost.md` 1.1).
//!
//! Every failure looks the same from outside; the one exception is a token in the address that is not an OAuth one.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};

use super::{answer::AppError, clock, directory::Directory, settings::Settings};

/// Tokens are cut to so many bytes before they are looked up.
const LONGEST_TOKEN: usize = 50;

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Personal,
    Oauth,
    Bot,
    Session,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Personal, Self::Oauth, Self::Bot, Self::Session];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Oauth => "oauth",
            Self::Bot => "bot",
            Self::Session => "session",
        }
    }
}

/// A session that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: String,
    /// True for tokens of OAuth 2 applications, which may not change addresses.
    pub(super) is_oauth: bool,
}

/// All tokens, with their owners.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<String, (String, Kind)>);

impl Sessions {
    pub(super) fn add(&mut self, token: String, user: String, kind: Kind) {
        self.0.insert(token, (user, kind));
    }

    /// Ends what ends with a deactivation. Personal and bot tokens stay, and are refused while their owner is away.
    pub(super) fn revoke(&mut self, user: &str) {
        self.0.retain(|_, (owner, kind)| owner != user || matches!(kind, Kind::Personal | Kind::Bot));
    }

    /// The sessions of somebody: an id, and whether it came from an OAuth 2 application. What a personal or bot token
    /// opens is not counted: it is open only while a request is answered.
    pub(super) fn of_user(&self, user: &str) -> Vec<(String, bool)> {
        let own =
            self.0.iter().filter(|(_, (owner, kind))| owner == user && matches!(kind, Kind::Oauth | Kind::Session));
        own.map(|(token, (_, kind))| {
            (clock::id("session of", clock::fingerprint(token.as_bytes())), *kind == Kind::Oauth)
        })
        .collect()
    }

    /// The session of a request; none where there is no valid token.
    pub(super) fn of(
        &self,
        credential: &Credential,
        users: &Directory,
        settings: &Settings,
    ) -> Result<Option<Session>, AppError> {
        let Some((owner, kind)) = self.0.get(&credential.token) else { return Ok(None) };
        let Some(user) = users.get(owner) else { return Ok(None) };
        let is_token = matches!(kind, Kind::Personal | Kind::Bot);
        if is_token && (!user.is_active() || !(settings.enable_user_access_tokens || user.is_bot)) {
            return Ok(None);
        }
        let is_oauth = *kind == Kind::Oauth;
        match &credential.place {
            Place::Address if !is_oauth => Err(AppError::unauthorized(
                "api.context.token_provided.app_error",
                "Session is not OAuth but token was provided in the query string.",
            )),
            Place::Cookie { proven } if !proven.covers(&credential.token) => Ok(None),
            _ => Ok(Some(Session { user: owner.clone(), is_oauth })),
        }
    }
}

/// A token, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Credential {
    token: String,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Cookie { proven: Proof },
    Header,
    Address,
}

/// What shows that a request with a cookie was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proof {
    NotNeeded,
    Token(String),
    Missing,
}

impl Proof {
    fn covers(&self, token: &str) -> bool {
        match self {
            Self::NotNeeded => true,
            Self::Token(proof) => *proof == csrf_token(token),
            Self::Missing => false,
        }
    }
}

/// The token that must come with a cookie on every writing request.
pub(super) fn csrf_token(token: &str) -> String {
    clock::id("csrf", clock::fingerprint(token.as_bytes()))
}

impl Credential {
    /// The first credential of a request, in the server's order.
    pub(super) fn of(headers: &HeaderMap, reads: bool, query_token: Option<&str>) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let cut = |token: &str| token.chars().take(LONGEST_TOKEN).collect::<String>();
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookie = cookies.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix("MMAUTHTOKEN="));
        if let Some(token) = cookie.filter(|token| !token.is_empty()) {
            let proven = match text("x-csrf-token") {
                _ if reads || text("x-requested-with") == Some("XMLHttpRequest") => Proof::NotNeeded,
                Some(proof) => Proof::Token(proof.to_owned()),
                None => Proof::Missing,
            };
            return Some(Self { token: cut(token), place: Place::Cookie { proven } });
        }
        if let Some((scheme, token)) = text("authorization").and_then(|value| value.split_once(' '))
            && ["bearer", "token"].contains(&scheme.to_lowercase().as_str())
        {
            return Some(Self { token: cut(token), place: Place::Header });
        }
        let in_address = query_token.filter(|token| !token.is_empty());
        in_address.map(|token| Self { token: cut(token), place: Place::Address })
    }
}
