//! `DiscourseConnect`: telling a forum, signed, what the identity provider would tell it (`discourse.md` 8).
//!
//! A plan shows what is said in clear; it is signed when it is sent, so that no plan holds anything made with the secret.
//! What is known of the account goes with it, for what is left out would be taken away: its groups, where the provider
//! decides about them, and that it is not to become active by this.

use std::fmt::Write;

use base16ct::lower::encode_string as hex;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value as Json, json};
use sha2::Sha256;

use crate::model::{
    plan::Call,
    refusal::{Refusal, RefusalKind},
    secret::Secret,
};

/// Where it is told.
pub(super) const PATH: &str = "/admin/users/sync_sso";

/// What a plan shows of it.
pub(super) const SAID: &str = "says";

/// True for a call that is told this way.
pub(super) fn is_it(call: &Call) -> bool {
    call.path == PATH
}

/// What is said of an account that is there and linked.
pub(super) struct Known {
    pub(super) external_id: String,
    /// Groups that do not fill themselves.
    pub(super) groups: Vec<String>,
    pub(super) is_active: bool,
}

/// The fields of the form that is sent for what the plan shows.
pub(super) fn signed(call: &Call, known: &Known, secret: &Secret) -> Result<Json, Refusal> {
    let said = call.body.get(SAID).and_then(Json::as_object).cloned().unwrap_or_default();
    let text = query(&said, known);
    let sso = STANDARD.encode(text);
    if sso.contains('+') {
        // The forum would read a blank there.
        return Err(Refusal::new(RefusalKind::Invalid, "what is to be said cannot be signed in a way that arrives"));
    }
    let unusable = |_| Refusal::new(RefusalKind::Forbidden, "the secret of DiscourseConnect cannot be used");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(unusable)?;
    mac.update(sso.as_bytes());
    let sig = hex(&mac.finalize().into_bytes());
    Ok(json!({ "sso": sso, "sig": sig }))
}

fn query(said: &Map<String, Json>, known: &Known) -> String {
    let mut pairs = vec![("external_id", known.external_id.clone())];
    for name in ["email", "username", "name"] {
        pairs.extend(said.get(name).and_then(Json::as_str).map(|text| (name, text.to_owned())));
    }
    pairs.push(("groups", known.groups.join(",")));
    pairs.push(("suppress_welcome_message", "true".to_owned()));
    if !known.is_active {
        pairs.push(("require_activation", "true".to_owned()));
    }
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    pairs.join("&")
}

/// A value in which only letters and digits are left as they are.
fn encoded(text: &str) -> String {
    let mut safe = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            safe.push(char::from(byte));
        } else {
            let _ = write!(safe, "%{byte:02X}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known { external_id: "7".to_owned(), groups: vec!["crew".to_owned(), "team".to_owned()], is_active: true }
    }

    #[test]
    fn everything_but_letters_and_digits_is_encoded() {
        let said = json!({ "email": "a~b+c@example.org", "name": "Anna Müller" });
        let text = query(said.as_object().unwrap(), &known());
        assert_eq!(
            text,
            "external_id=7&email=a%7Eb%2Bc%40example%2Eorg&name=Anna%20M%C3%BCller&groups=crew%2Cteam&\
             suppress_welcome_message=true"
        );
        let off = query(&Map::new(), &Known { is_active: false, ..known() });
        assert!(off.ends_with("&require_activation=true"), "{off}");
    }

    #[test]
    fn no_text_makes_a_sign_that_would_not_arrive() {
        for sign in 0..=127_u8 {
            let name: String = std::iter::repeat_n(char::from(sign), 7).collect();
            let said = json!({ "name": name });
            let text = STANDARD.encode(query(said.as_object().unwrap(), &known()));
            assert!(!text.contains('+'), "{sign}");
        }
    }
}
