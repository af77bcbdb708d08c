//! A server or a proxy may repeat what it was sent. Our secrets are taken out of its answer, however it wrote them down.

use std::collections::BTreeSet;

use base16ct::lower::encode_string as hex;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use crate::model::secret::{INSTEAD, SHORTEST, Secret};

/// Takes a secret out of a body and out of texts.
pub(super) fn silence<'t>(secret: &Secret, body: &mut Vec<u8>, texts: impl IntoIterator<Item = &'t mut String>) {
    if secret.expose().len() < SHORTEST {
        return;
    }
    let spellings = spellings(secret.expose());
    for text in &spellings {
        match std::str::from_utf8(body) {
            Ok(whole) if whole.contains(text) => *body = whole.replace(text, INSTEAD).into_bytes(),
            Ok(_) => {}
            Err(_) => *body = replaced(body, text.as_bytes(), INSTEAD.as_bytes()),
        }
    }
    for value in texts {
        for text in spellings.iter().filter(|text| value.contains(*text)).collect::<Vec<_>>() {
            *value = value.replace(text, INSTEAD);
        }
    }
}

/// A secret as servers and proxies write it where they repeat a request.
fn spellings(secret: &str) -> BTreeSet<String> {
    let quoted = serde_json::to_string(secret).unwrap_or_default();
    let quoted = quoted.trim_matches('"').to_owned();
    let in_address: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let in_page = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Base64 of a whole request has the secret at one of three places: what is the same wherever it stands is taken out.
    let coded = (0..3).flat_map(|shift| {
        let whole = format!("{}{secret}", " ".repeat(shift));
        [STANDARD.encode(&whole), URL_SAFE.encode(&whole)].map(|text| text[4..text.len() - 4].to_owned())
    });
    let spelt = [
        secret.to_owned(),
        // Some servers write each `/` of a JSON text as `\/`.
        quoted.replace('/', "\\/"),
        quoted,
        in_address.replace('+', "%20"),
        in_address,
        in_page.replace('"', "&quot;").replace('\'', "&#039;"),
        in_page.replace('"', "&#34;").replace('\'', "&#39;"),
        hex(secret.as_bytes()),
    ];
    spelt.into_iter().chain(coded).collect()
}

fn replaced(body: &[u8], text: &[u8], instead: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(text) {
            kept.extend_from_slice(instead);
            rest = after;
        } else {
            kept.push(*first);
            rest = &rest[1..];
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_comes_back_is_taken_out_however_it_is_written() {
        let secret = Secret::new("c4nary+t0ken/with=\"signs\"&<7>'s");
        for spelling in spellings(secret.expose()) {
            for noise in [&b""[..], &[0xff, 0xfe]] {
                let mut body = [b"<", noise, spelling.as_bytes(), b" ", spelling.as_bytes(), b">"].concat();
                let mut header = format!("Basic {spelling}");
                silence(&secret, &mut body, [&mut header]);
                assert_eq!(body, [b"<", noise, b"[a token] [a token]>"].concat(), "{spelling}");
                assert_eq!(header, "Basic [a token]", "{spelling}");
            }
        }
    }
}
