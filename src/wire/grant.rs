//! Trading a refresh token for a new pair (RFC 6749 section 6). One request, never repeated: a server that rotates has
//! spent the old one with the first, whether or not its answer arrived.

use std::time::Duration;

use serde::Deserialize;

use super::{Line, WireError, line::Errand};
use crate::model::secret::Secret;

/// The words of RFC 6749 5.2 that are about us, whosever token it is.
const STRANGER: [&str; 3] = ["invalid_client", "unauthorized_client", "unsupported_grant_type"];

/// Who we are to a token endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The application's id.
    pub(crate) id: String,
    /// `None` for a public application.
    pub(crate) secret: Option<Secret>,
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) access: Secret,
    /// The one to use the next time; `None`: the old one stays good.
    pub(crate) refresh: Option<Secret>,
    /// How long the access token is good; `None`: it was not said.
    pub(crate) lifetime: Option<Duration>,
}

/// Why there is no new pair.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ungranted {
    /// The endpoint will not take this refresh token, now or later: the person has to sign in again.
    #[error("the refresh token is not accepted ({word})")]
    Ended {
        /// One of the words of RFC 6749 5.2.
        word: String,
    },
    /// The endpoint does not take us for one that may renew anything: the same goes for everybody's tokens.
    #[error("{cause}")]
    Stranger {
        /// Status and word, nothing of the answer's text.
        cause: String,
    },
    /// The endpoint has a fault of its own, or answers something else.
    #[error("{cause}")]
    Refused {
        /// Status and word, nothing of the answer's text.
        cause: String,
        /// True where it asks not to be asked again for a while.
        rests: bool,
        /// True for a no without one of the words of RFC 6749 5.2: whose fault it is, only others' tokens can show.
        is_mute: bool,
    },
    /// There was no answer: whether the refresh token is spent is not known.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl Line {
    /// Sends a refresh token to the address that this line leads to, unless too many such requests came to nothing.
    pub(crate) async fn refresh(&self, client: &Client, refresh: &Secret) -> Result<Granted, Ungranted> {
        #[derive(Deserialize)]
        struct OAuthError {
            error: String,
        }
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            refresh_token: Option<String>,
            // Written as a number, a float or a text. The tokens are kept whatever it is: the old ones may be spent.
            expires_in: Option<serde_json::Value>,
        }
        let mut form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
            ("client_id", client.id.as_str()),
        ];
        if let Some(secret) = &client.secret {
            form.push(("client_secret", secret.expose()));
        }
        let mut errand = Errand::of_people(self)?;
        let patience = self.reach.timeout;
        let Ok(turn) = tokio::time::timeout(patience, errand.turn()).await else {
            let reason = format!("{}: its turn did not come within {} s", self.reach.system, patience.as_secs());
            return Err(self.not_asked(reason).into());
        };
        let turn = turn?;
        let sent = self.client.post(self.reach.url.clone()).form(&form).send().await;
        let reply = self.collect(sent).await;
        errand.answered(turn, &reply);
        let reply = reply?;
        if !reply.is_success() {
            // A word of RFC 6749 5.2, and nothing longer that a server might have put there.
            let is_word = |text: &String| text.len() < 40 && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let word = reply.read::<OAuthError>().ok().map(|told| told.error).filter(is_word);
            let is_mute = word.is_none() && (400..429).contains(&reply.status);
            let rests = reply.status == 429 || reply.retry_after().is_some();
            return Err(match word {
                Some(word) if word == "invalid_grant" => Ungranted::Ended { word },
                Some(word) if STRANGER.contains(&word.as_str()) => {
                    Ungranted::Stranger { cause: format!("{} {word}", reply.status) }
                }
                Some(word) => Ungranted::Refused { cause: format!("{} {word}", reply.status), rests, is_mute },
                None => {
                    let cause = format!("{}, and no reason given", reply.status);
                    Ungranted::Refused { cause, rests, is_mute }
                }
            });
        }
        let refused = || {
            let cause = "something without an access_token".to_owned();
            Ungranted::Refused { cause, rests: false, is_mute: false }
        };
        let answer: Answer = reply.read().map_err(|_| refused())?;
        let secret = |text: String| (!text.is_empty()).then(|| Secret::from(text));
        Ok(Granted {
            access: secret(answer.access_token).ok_or_else(refused)?,
            refresh: answer.refresh_token.and_then(secret),
            lifetime: answer.expires_in.as_ref().and_then(lifetime),
        })
    }
}
/// Seconds, however a server writes them; `None` for anything else.
fn lifetime(told: &serde_json::Value) -> Option<Duration> {
    let seconds = told.as_f64().or_else(|| told.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds).ok()
}
