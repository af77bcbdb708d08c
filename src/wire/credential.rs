//! What proves who we are, and how a key becomes a token. Knows nothing of what is asked with it.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::Url;

use super::WireError;
use crate::model::{id::SystemName, secret::Secret};

/// What proves who we are.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// A token, as it is.
    Token(Secret),
    /// A service account's key file (RFC 7523), exchanged for a token when one is needed.
    Key {
        /// The text of the key file.
        file: Secret,
        /// The scope to ask for.
        scope: &'static str,
    },
    /// None of ours: every request carries the token of the person it is about.
    Own,
    /// A login and its password, sent together with every request (RFC 7617).
    Basic {
        /// The login.
        username: String,
        /// The password, without the blanks it is shown with.
        password: Secret,
    },
}

impl Credential {
    /// A login and a password. Blanks in the password only help to read it, and do not travel.
    pub(crate) fn basic(username: &str, password: &Secret) -> Self {
        let password: String = password.expose().split_whitespace().collect();
        Self::Basic { username: username.to_owned(), password: Secret::new(&password) }
    }
}

/// A person's own token as a system takes it that wants a login with every request: one with a colon is such a login and
/// its password, any other one goes by itself.
pub(super) fn as_login(own: &Secret) -> (&'static str, Secret) {
    match own.expose().split_once(':') {
        Some((login, password)) => ("Basic", pair(login, &Secret::new(password))),
        None => ("Bearer", own.clone()),
    }
}

/// A login and a password as one text that a header can carry.
pub(super) fn pair(username: &str, password: &Secret) -> Secret {
    Secret::new(&STANDARD.encode(format!("{username}:{}", password.expose())))
}

/// A header value that the HTTP library keeps out of its own debug output.
pub(super) fn sensitive(text: &str, system: &SystemName) -> Result<HeaderValue, WireError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| WireError::NoToken {
        system: system.clone(),
        cause: if text.contains(['\n', '\r']) {
            "what was given as one holds a line break"
        } else {
            "what was given as one holds characters that no header can carry"
        }
        .to_owned(),
        passing: false,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Signs the assertion of a service account's key file (`zitadel.md` section 2).
pub(super) fn assertion(file: &Secret, audience: &Url) -> Result<String, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct KeyFile {
        key_id: String,
        key: String,
        user_id: String,
    }
    #[derive(serde::Serialize)]
    struct Claims<'a> {
        iss: &'a str,
        sub: &'a str,
        aud: &'a str,
        iat: u64,
        exp: u64,
    }
    let file: KeyFile = serde_json::from_str(file.expose())
        .map_err(|_| "the key file is not the JSON that was downloaded".to_owned())?;
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(file.key.as_bytes())
        .map_err(|_| "the key in the key file is no RSA key in PEM form".to_owned())?;
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some(file.key_id);
    let now = jsonwebtoken::get_current_timestamp();
    let audience = audience.as_str().trim_end_matches('/');
    let claims = Claims { iss: &file.user_id, sub: &file.user_id, aud: audience, iat: now, exp: now + 600 };
    jsonwebtoken::encode(&header, &claims, &key).map_err(|error| error.to_string())
}
