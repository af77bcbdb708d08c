//! Text that must not be seen. It cannot be printed, serialised or compared, and is wiped where it is no longer needed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use zeroize::Zeroizing;

/// A token, password or key. `Debug` shows `Secret(..)`; there is no `Display`, `Serialize` or `PartialEq`.
///
/// The last one that holds it wipes it. What was copied out of it, into a header for example, is gone only when that
/// memory is used again.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Hides a copy of `text`.
    #[must_use]
    pub(crate) fn new(text: &str) -> Self {
        Self::from(text.to_owned())
    }

    /// Hands out the text. Every caller is a line worth reviewing: `wire`, and what checks signatures.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What stands where a secret stood.
pub(crate) const INSTEAD: &str = "[a token]";

/// One as short as a word would be found in every text, and is no secret.
pub(crate) const SHORTEST: usize = 12;

/// Every secret that a run has come to know, so that one that turns up where it does not belong is seen for what it is:
/// a system that shows somebody's token in a name must not bring it into plans and the store.
///
/// Found by the first few bytes of each, so that it costs nothing to know many. Letter case does not count: names are
/// written in small letters before they are compared.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    /// A bit for each byte that one begins with, in either case: most places of most texts hold none of them.
    first: [u64; 4],
    by_mark: BTreeMap<u64, Vec<Secret>>,
    /// The marks of whole secrets: many begin alike, as all do that one server signs.
    whole: BTreeSet<u64>,
}

impl Secrets {
    /// Remembers one; of a login with its password, the password too.
    pub(crate) fn learn(&self, secret: &Secret) {
        let password = secret.expose().split_once(':').map(|(_, password)| password);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for text in password.into_iter().chain([secret.expose()]).filter(|text| text.len() >= SHORTEST) {
            known.begins_with(text.as_bytes()[0]);
            if known.whole.insert(mark(text.as_bytes())) {
                known.by_mark.entry(mark(&text.as_bytes()[..SHORTEST])).or_default().push(Secret::new(text));
            }
        }
    }

    /// The text without any secret; `None` where it holds none.
    pub(crate) fn hidden(&self, text: &str) -> Option<String> {
        if text.len() < SHORTEST {
            return None;
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = text.as_bytes();
        let (mut kept, mut from, mut at) = (String::new(), 0, 0);
        while let Some(next) = bytes[at..].iter().position(|byte| known.is_first(*byte)) {
            at += next;
            let Some(window) = bytes.get(at..at + SHORTEST) else { break };
            match known.at(window, &bytes[at..]) {
                Some(length) => {
                    kept.push_str(&text[from..at]);
                    kept.push_str(INSTEAD);
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        (from > 0).then(|| kept + &text[from..])
    }
}

impl Known {
    fn begins_with(&mut self, byte: u8) {
        for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
            self.first[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
    }

    fn is_first(&self, byte: u8) -> bool {
        self.first[usize::from(byte / 64)] & (1 << (byte % 64)) != 0
    }

    /// How long the secret is that these bytes begin with; `window` is the beginning of them.
    fn at(&self, window: &[u8], bytes: &[u8]) -> Option<usize> {
        let alike = self.by_mark.get(&mark(window))?.iter().map(|secret| secret.expose().as_bytes());
        let here = alike.filter(|secret| bytes.get(..secret.len()).is_some_and(|it| it.eq_ignore_ascii_case(secret)));
        here.map(<[u8]>::len).max()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// A number for these bytes, whatever their letter case (FNV-1a); others may share it.
fn mark(bytes: &[u8]) -> u64 {
    let step = |mark: u64, byte: &u8| (mark ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_what_a_panic_says() {
        let secret = Secret::new("c4nary-token");
        let caught = std::panic::catch_unwind(|| panic!("with {secret:?} and {:#?}", Some(&secret)));
        let said = caught.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(*said, "with Secret(..) and Some(\n    Secret(..),\n)");
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands_and_however_it_is_capitalised() {
        let secrets = Secrets::default();
        assert_eq!(secrets.hidden("c4nary-token-one"), None);
        let strange = ["7-c4nary-token", "Ünder-c4nary-token", "Zebra-c4nary-token"];
        for secret in ["c4nary-Token", "c4nary-token-two", "login:c4nary-password", "short"].into_iter().chain(strange)
        {
            secrets.learn(&Secret::new(secret));
        }
        let hidden = |text: &str| secrets.hidden(text);
        assert_eq!(hidden("C4NARY-TOKEN").as_deref(), Some("[a token]"));
        assert_eq!(hidden("ü <c4nary-tokenc4nary-token-TWO>!").as_deref(), Some("ü <[a token][a token]>!"));
        assert_eq!(hidden("my c4nary-password").as_deref(), Some("my [a token]"));
        assert_eq!(
            hidden("a 7-C4nary-Token, Ünder-c4nary-token, zEBRA-c4nary-token").as_deref(),
            Some("a [a token], [a token], [a token]")
        );
        for innocent in [
            "",
            "short",
            "a text that ends in c",
            "c",
            "twelve lettec",
            "777777777777 7-c4nary-toke",
            "c4nary-toke",
            "c4nary-tokem, a longer text with nothing in it, ü",
        ] {
            assert_eq!(hidden(innocent), None);
        }
    }
}
