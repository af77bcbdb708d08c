//! What a website's webhook delivers: whether it is genuine, and whom it is about (`wordpress.md` 7 and 8).
//!
//! A delivery is a hint for speed, the poll is the truth. So the only things that leave this file are a delivery's id,
//! a user's id and a time: no name, no address, no password hash that a sender may have put into the body. There is no
//! HTTP here and no memory: whoever calls bounds the body while it arrives, drops what was delivered before, and reads
//! the user again.

#[cfg(test)]
mod tests;

use std::fmt;

use base16ct::lower::{decode_vec as unhex, encode_string as hex};
use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::model::secret::Secret;

/// Bodies larger than this are no event: WordPress's largest are some kilobytes.
pub(crate) const MAX_BODY: usize = 1 << 20;

/// How far the sender's clock may be from ours, in seconds, in both directions.
const MAX_AGE: i64 = 300;

/// Signatures that are looked at in one header. A sender that rotates its secret sends two.
const MAX_SIGNATURES: usize = 8;

/// Characters of a delivery's id.
const MAX_ID: usize = 128;

/// Digits of a user's id: WordPress keeps it in 64 bits.
const MAX_USER_DIGITS: usize = 20;

/// Bytes of a key below which it could be guessed.
const MIN_KEY: usize = 16;

/// How a sender signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Standard Webhooks, as our own plugin does: HMAC-SHA256 over id, time and body, in `webhook-signature`.
    Standard,
    /// HMAC-SHA256 over the body alone, in a header with this name, as `WooCommerce` and WP Webhooks do. Nothing in it
    /// shows its age, so a copy of a delivery stays valid: it may cause a look at the user, and nothing more.
    Body { header: String, encoding: Encoding },
}

/// How a signature of the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Lower-case digits, with or without `sha256=` before them.
    Hex,
    Base64,
}

/// What happened to the user, as the sender says. Under [`Signing::Body`] the word stands in a header that nobody signs:
/// a hint, as all of this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Created,
    Updated,
    /// Only a reason to ask whether the user is gone.
    Deleted,
    Other,
}

/// A genuine delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The same for a delivery that is sent again. Under [`Signing::Body`] the digest of the body in hex: two changes
    /// that leave the very same body share it, so it must not be remembered for long.
    pub(crate) id: String,
    /// The user's id in digits. `None`: it is about nobody, or about somebody it does not name.
    pub(crate) user: Option<String>,
    pub(crate) kind: EventKind,
    /// When it happened by the sender's clock, where it says so. Never later than now.
    pub(crate) occurred_at: Option<Timestamp>,
}

/// Why nothing is made of a delivery. No reason shows anything of what was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Turned {
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
    #[error("it is not signed")]
    Unsigned,
    #[error("the header `{0}` is missing")]
    Missing(&'static str),
    #[error("the header `{0}` is not written as it should be")]
    Malformed(&'static str),
    #[error("the signature is not written as it should be")]
    MalformedSignature,
    #[error("the signature is not made with the secret of this system")]
    WrongSignature,
    #[error("it was signed more than 5 minutes before or after now; compare the clocks of both machines")]
    Stale,
    /// `WooCommerce` sends this when somebody saves the webhook, and keeps the webhook only after exactly 200.
    #[error("it only asks whether anybody listens")]
    Ping,
}

impl Turned {
    /// The HTTP status to answer with.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Missing(_) | Self::Malformed(_) | Self::MalformedSignature => 400,
            Self::Unsigned | Self::WrongSignature | Self::Stale => 401,
            Self::Ping => 200,
        }
    }
}

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSecret {
    #[error("there is no secret to check signatures with")]
    None,
    #[error("the secret is empty: anybody could sign with it")]
    Empty,
    #[error("the secret is not `whsec_` and Base64")]
    NotBase64,
    #[error("the secret holds fewer than {MIN_KEY} bytes: it could be guessed")]
    Short,
}

/// Lets genuine deliveries in.
pub(crate) struct Gate {
    signing: Signing,
    /// Ready to use, one for each secret.
    keys: Vec<Hmac<Sha256>>,
}

impl Gate {
    /// A gate that opens for any of these secrets: while a secret is exchanged there are two.
    pub(crate) fn new(signing: Signing, secrets: &[Secret]) -> Result<Self, BadSecret> {
        if secrets.is_empty() {
            return Err(BadSecret::None);
        }
        let keys = secrets.iter().map(|secret| key(&signing, secret)).collect::<Result<_, _>>()?;
        Ok(Self { signing, keys })
    }

    /// Whether this is genuine, and what it says. `headers` finds a header by name, whatever its letter case.
    ///
    /// # Errors
    /// Where it is not genuine, or asks for nothing but an answer.
    pub(crate) fn admit<'h>(
        &self,
        headers: &dyn Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Event, Turned> {
        if body.len() > MAX_BODY {
            return Err(Turned::TooLarge);
        }
        let id = match &self.signing {
            Signing::Standard => self.standard(headers, body, now)?,
            Signing::Body { header, encoding } => self.of_body(headers, header, *encoding, body)?,
        };
        let told = Told::read(headers, body);
        Ok(Event { id, user: told.user, kind: told.kind, occurred_at: told.occurred_at.filter(|then| *then <= now) })
    }

    fn standard<'h>(
        &self,
        headers: &dyn Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<String, Turned> {
        const ID: &str = "webhook-id";
        const TIME: &str = "webhook-timestamp";
        let signatures = headers("webhook-signature").ok_or(Turned::Unsigned)?;
        let id = headers(ID).ok_or(Turned::Missing(ID))?;
        let time = headers(TIME).ok_or(Turned::Missing(TIME))?;
        // A dot would let the three parts of what is signed be cut elsewhere.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if id.is_empty() || id.len() > MAX_ID || !id.chars().all(plain) {
            return Err(Turned::Malformed(ID));
        }
        if !is_digits(time, 12) {
            return Err(Turned::Malformed(TIME));
        }
        let seconds: i64 = time.parse().map_err(|_| Turned::Malformed(TIME))?;
        let mut count = 0;
        let mut genuine = false;
        for signature in signatures.split(' ') {
            count += 1;
            if count > MAX_SIGNATURES {
                return Err(Turned::MalformedSignature);
            }
            // Signatures of other versions may stand beside ours.
            let Some(bytes) = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok()) else {
                continue;
            };
            genuine |= self.is_signed(&bytes, &[id.as_bytes(), b".", time.as_bytes(), b".", body]);
        }
        if !genuine {
            return Err(Turned::WrongSignature);
        }
        if now.as_second().abs_diff(seconds) > MAX_AGE.unsigned_abs() {
            return Err(Turned::Stale);
        }
        Ok(id.to_owned())
    }

    fn of_body<'h>(
        &self,
        headers: &dyn Fn(&str) -> Option<&'h str>,
        header: &str,
        encoding: Encoding,
        body: &[u8],
    ) -> Result<String, Turned> {
        let Some(signature) = headers(header) else {
            return Err(if is_ping(body) { Turned::Ping } else { Turned::Unsigned });
        };
        let bytes = match encoding {
            Encoding::Base64 => STANDARD.decode(signature).ok(),
            // Upper case is another text, and a signature has one.
            Encoding::Hex => unhex(signature.strip_prefix("sha256=").unwrap_or(signature)).ok(),
        };
        let bytes = bytes.ok_or(Turned::MalformedSignature)?;
        if !self.is_signed(&bytes, &[body]) {
            return Err(Turned::WrongSignature);
        }
        Ok(hex(&Sha256::digest(body)))
    }

    /// Compares in constant time, with every key.
    fn is_signed(&self, signature: &[u8], parts: &[&[u8]]) -> bool {
        let with = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            for part in parts {
                mac.update(part);
            }
            mac.verify_slice(signature).is_ok()
        };
        self.keys.iter().fold(false, |genuine, key| genuine | with(key))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("signing", &self.signing).finish_non_exhaustive()
    }
}

/// The key that a secret stands for.
fn key(signing: &Signing, secret: &Secret) -> Result<Hmac<Sha256>, BadSecret> {
    /// People copy secrets with and without the signs that only fill up.
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = secret.expose();
    let bytes = match signing {
        Signing::Body { .. } => text.as_bytes().to_vec(),
        Signing::Standard => {
            let text = text.trim();
            let bytes =
                LENIENT.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| BadSecret::NotBase64)?;
            if !bytes.is_empty() && bytes.len() < MIN_KEY {
                return Err(BadSecret::Short);
            }
            bytes
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(BadSecret::Empty);
    }
    Hmac::new_from_slice(&bytes).map_err(|_| BadSecret::Empty)
}

/// `webhook_id=7`, unsigned (`wordpress.md` 8).
fn is_ping(body: &[u8]) -> bool {
    let number = std::str::from_utf8(body).ok().and_then(|text| text.strip_prefix("webhook_id="));
    number.is_some_and(|number| is_digits(number, MAX_USER_DIGITS))
}

fn is_digits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is kept of a genuine body, of all it may hold.
struct Told {
    user: Option<String>,
    kind: EventKind,
    occurred_at: Option<Timestamp>,
}

impl Told {
    /// What cannot be understood says nothing: it was signed, so refusing it would only make its sender wait for ever.
    fn read<'h>(headers: &dyn Fn(&str) -> Option<&'h str>, body: &[u8]) -> Self {
        let nothing = Self { user: None, kind: EventKind::Other, occurred_at: None };
        let Ok(Json::Object(body)) = serde_json::from_slice(body) else { return nothing };
        // WooCommerce's bodies are of many things, and only its header tells of which. An order's `id` is no user's.
        if let Some(topic) = headers("x-wc-webhook-topic") {
            let Some(what) = topic.strip_prefix("customer.") else { return nothing };
            return Self { user: body.get("id").and_then(user_id), kind: kind(what), occurred_at: None };
        }
        let word = body.get("type").and_then(Json::as_str).or_else(|| headers("x-wp-webhook-name"));
        let copied = body.get("data").and_then(|row| row.get("ID"));
        let named: Vec<&Json> = [body.get("user_id"), body.get("ID"), copied].into_iter().flatten().collect();
        let ids: Vec<Option<String>> = named.into_iter().map(user_id).collect();
        // Two ids in one body that differ name nobody for certain.
        let user = ids.first().filter(|first| ids.iter().all(|other| other == *first)).cloned().flatten();
        let occurred_at = body.get("occurred_at").and_then(Json::as_str).and_then(|text| text.parse().ok());
        Self { user, kind: word.map_or(EventKind::Other, kind), occurred_at }
    }
}

/// A user's id in digits, from a number or a text.
fn user_id(value: &Json) -> Option<String> {
    let digits = match value {
        Json::Number(number) => number.as_u64()?.to_string(),
        Json::String(text) => text.clone(),
        _ => return None,
    };
    // 0 is nobody, and one id that is written in two ways would be two people.
    (is_digits(&digits, MAX_USER_DIGITS) && !digits.starts_with('0')).then_some(digits)
}

fn kind(word: &str) -> EventKind {
    match word {
        "user.created" | "created" | "create_user" => EventKind::Created,
        "user.updated" | "updated" | "update_user" => EventKind::Updated,
        "user.deleted" | "deleted" | "deleted_user" => EventKind::Deleted,
        _ => EventKind::Other,
    }
}
