//! People's own tokens in the store, sealed: whoever reads the file without the key reads no token.
//!
//! Each is sealed by itself (XChaCha20-Poly1305, a random nonce each time), and bound to its system and person: a row that
//! was put in the place of another one does not open.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{StateError, sqlite::Sqlite};
use crate::model::{
    id::{PersonId, SystemName},
    own_token::{KeptToken, TokenKind},
    secret::Secret,
};

/// What every sealed text is bound to first, so that no other use of the key is mistaken for this one.
const USE: &[u8] = b"homeward/person-token/1";

/// Locks for so many groups of people: two people rarely wait for each other.
const LOCKS: u64 = 64;

/// Why sealed tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Shut {
    #[error("the key that people's tokens are sealed with is not 32 bytes in base64")]
    NoKey,
    #[error("the token of {person} at {system} does not open with this key")]
    Sealed { system: SystemName, person: String },
    #[error("the token of {person} at {system} is of a kind that this program does not know")]
    Unknown { system: SystemName, person: String },
    #[error(transparent)]
    State(#[from] StateError),
}

impl Shut {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoKey => "make one with `openssl rand -base64 32`, and keep it where the store is not".to_owned(),
            Self::Sealed { system, person } => format!(
                "it was sealed with another key, or altered: give the right key, or `homeward token remove {person} --system \
                 {system}` and let her sign in again"
            ),
            Self::Unknown { system, person } => format!(
                "use the version of homeward that kept it, or `homeward token set {person} --system {system}` anew"
            ),
            Self::State(_) => "check the folder's rights and the space on its disk".to_owned(),
        }
    }
}

/// One sealed token as the store holds it.
#[derive(Clone, Debug)]
pub(crate) struct SealedToken {
    pub(crate) system: String,
    pub(crate) person: String,
    pub(crate) nonce: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    /// When it was put there, ISO 8601.
    pub(crate) saved: String,
    /// Seconds since 1970. What is known without the key.
    pub(crate) expires_at: Option<i64>,
    /// Whether it can be renewed.
    pub(crate) renewable: bool,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Inside<'a> {
    access: Cow<'a, str>,
    refresh: Option<Cow<'a, str>>,
    expires_at: Option<i64>,
    kind: Option<Cow<'a, str>>,
}

/// Tokens by their people, or why one does not open.
pub(crate) type Opened = BTreeMap<String, Result<KeptToken, Shut>>;

/// The tokens of a store, with the key to them.
pub(crate) struct Vault {
    path: PathBuf,
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// The tokens of the store at this path; it need not be there yet.
    ///
    /// # Errors
    /// Where the key is none.
    pub(crate) fn new(path: &Path, key: &Secret) -> Result<Self, Shut> {
        let bytes = STANDARD.decode(key.expose().trim()).map(Zeroizing::new).map_err(|_| Shut::NoKey)?;
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| Shut::NoKey)?);
        Ok(Self { path: path.to_owned(), cipher: XChaCha20Poly1305::new(&Key::from(*bytes)) })
    }

    /// The tokens of these people, opened, each with why it does not open where others do.
    ///
    /// # Errors
    /// Where the store cannot be read, or nothing in it of this system opens: then it is the key.
    pub(crate) fn find(&self, system: &SystemName, people: &BTreeSet<String>) -> Result<Opened, Shut> {
        if !self.path.exists() {
            return Ok(BTreeMap::new());
        }
        let store = Sqlite::look_into(&self.path)?;
        let rows = store.tokens_of(system, people)?;
        let opened: Opened = rows.iter().map(|row| (row.person.clone(), self.unseal(system, row))).collect();
        let Some(Shut::Sealed { system, person }) = opened.values().find_map(|token| token.as_ref().err()) else {
            return Ok(opened);
        };
        // Others may open: then it is these tokens and not the key.
        let is_others = |row: &SealedToken| row.system == system.as_str() && self.unseal(system, row).is_ok();
        if opened.values().any(Result::is_ok) || store.tokens()?.iter().any(is_others) {
            return Ok(opened);
        }
        Err(Shut::Sealed { system: system.clone(), person: person.clone() })
    }

    /// Everybody of whom a token is kept there.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(crate) fn people(&self, system: &SystemName) -> Result<BTreeSet<String>, Shut> {
        if !self.path.exists() {
            return Ok(BTreeSet::new());
        }
        let rows = Sqlite::look_into(&self.path)?.tokens()?;
        Ok(rows.into_iter().filter(|row| row.system == system.as_str()).map(|row| row.person).collect())
    }

    /// Keeps a token; durable when this returns. One that was there is replaced.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub(crate) fn put(&self, system: &SystemName, person: &str, kept: &KeptToken, now: &str) -> Result<(), Shut> {
        let inside = Inside {
            access: kept.access.expose().into(),
            refresh: kept.refresh.as_ref().map(|refresh| refresh.expose().into()),
            expires_at: kept.expires_at,
            kind: kept.kind.map(|kind| kind.word().into()),
        };
        let text = Zeroizing::new(serde_json::to_vec(&inside).map_err(StateError::from)?);
        let nonce: [u8; 24] = rand::random();
        let bound = bound(system, person);
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: &text, aad: &bound });
        let sealed = sealed.map_err(|_| Shut::Sealed { system: system.clone(), person: person.to_owned() })?;
        let row = SealedToken {
            system: system.to_string(),
            person: person.to_owned(),
            nonce: nonce.to_vec(),
            sealed,
            saved: now.to_owned(),
            expires_at: kept.expires_at,
            renewable: kept.refresh.is_some(),
        };
        Ok(Sqlite::open(&self.path)?.put_token(&row)?)
    }

    fn unseal(&self, system: &SystemName, row: &SealedToken) -> Result<KeptToken, Shut> {
        let shut = || Shut::Sealed { system: system.clone(), person: row.person.clone() };
        let unknown = || Shut::Unknown { system: system.clone(), person: row.person.clone() };
        let nonce: [u8; 24] = row.nonce.as_slice().try_into().map_err(|_| shut())?;
        let bound = bound(system, &row.person);
        let text = self.cipher.decrypt(&XNonce::from(nonce), Payload { msg: &row.sealed, aad: &bound });
        let text = Zeroizing::new(text.map_err(|_| shut())?);
        let inside: Inside<'_> = serde_json::from_slice(&text).map_err(|_| shut())?;
        // What it may do depends on it: a kind that this program does not know is not taken for another one.
        let kind = inside.kind.map(|kind| TokenKind::of(&kind).ok_or_else(unknown)).transpose()?;
        Ok(KeptToken {
            access: Secret::from(inside.access.into_owned()),
            refresh: inside.refresh.map(|refresh| Secret::from(refresh.into_owned())),
            expires_at: inside.expires_at,
            kind,
        })
    }
}

/// Held while somebody's token is renewed, beside the store. Waits for whoever holds it.
pub(crate) fn renewal_lock(store: &Path, person: &PersonId) -> Result<File, StateError> {
    let mut sum = 0_u64;
    for byte in person.to_string().bytes() {
        sum = sum.wrapping_mul(31).wrapping_add(u64::from(byte));
    }
    let path = store.with_extension(format!("(tokens-{}).lock", sum % LOCKS));
    if let Some(folder) = path.parent() {
        let failed = |source| StateError::Folder { path: path.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let failed = |source| StateError::Lock { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// What a sealed text is bound to: its system and its person, each with its length, so that no two pairs look alike.
fn bound(system: &SystemName, person: &str) -> Vec<u8> {
    let mut bound = USE.to_vec();
    for part in [system.as_str(), person] {
        bound.extend((part.len() as u64).to_le_bytes());
        bound.extend(part.as_bytes());
    }
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-20T08:00:00Z";

    fn key(byte: u8) -> Secret {
        Secret::new(&STANDARD.encode([byte; 32]))
    }

    fn kept(access: &str) -> KeptToken {
        let refresh = Some(Secret::new("c4nary-refresh"));
        KeptToken { access: Secret::new(access), refresh, expires_at: Some(60), kind: Some(TokenKind::Personal) }
    }

    fn people(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn vault(folder: &tempfile::TempDir) -> Vault {
        Vault::new(&folder.path().join("state.db"), &key(1)).unwrap()
    }

    #[test]
    fn what_is_put_in_is_found_again_and_nothing_of_it_stands_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder);
        let (chat, forum): (SystemName, SystemName) = ("chat".into(), "forum".into());
        assert_eq!(vault.find(&chat, &people(&["hr/1"])).unwrap().len(), 0);
        vault.put(&chat, "hr/1", &kept("c4nary-one"), NOW).unwrap();
        vault.put(&chat, "hr/1", &kept("c4nary-\"two\\"), NOW).unwrap();
        vault.put(&forum, "hr/1", &kept("c4nary-three"), NOW).unwrap();
        let found = vault.find(&chat, &people(&["hr/1", "hr/2"])).unwrap();
        let one = found.get("hr/1").unwrap().as_ref().unwrap();
        assert_eq!((found.len(), one.access.expose(), one.expires_at), (1, "c4nary-\"two\\", Some(60)));
        assert_eq!((one.refresh.as_ref().unwrap().expose(), one.kind), ("c4nary-refresh", Some(TokenKind::Personal)));
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(6).any(|part| part == b"c4nary"));
        }
    }

    #[test]
    fn a_row_in_the_place_of_another_one_does_not_open_nor_does_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder);
        let chat: SystemName = "chat".into();
        for person in ["hr/1", "hr/2"] {
            vault.put(&chat, person, &kept(person), NOW).unwrap();
        }
        let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
        let mut row = store.tokens().unwrap().into_iter().find(|row| row.person == "hr/1").unwrap();
        row.person = "hr/2".to_owned();
        store.put_token(&row).unwrap();
        let found = vault.find(&chat, &people(&["hr/1", "hr/2"])).unwrap();
        let error = found["hr/2"].as_ref().map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the token of hr/2 at chat does not open with this key");
        assert!(found["hr/1"].is_ok() && vault.find(&chat, &people(&["hr/2"])).is_ok());
        row.system = "forum".to_owned();
        store.put_token(&row).unwrap();
        // Nothing of the forum opens: it may be the key.
        assert!(matches!(vault.find(&"forum".into(), &people(&["hr/2"])), Err(Shut::Sealed { .. })));
        assert!(vault.find(&"forum".into(), &people(&["hr/1"])).unwrap().is_empty());
        let other = Vault::new(&folder.path().join("state.db"), &key(2)).unwrap();
        assert!(matches!(other.find(&chat, &people(&["hr/1"])), Err(Shut::Sealed { .. })));
    }

    #[test]
    fn a_kind_that_is_not_known_is_taken_for_no_other_one() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder);
        let chat: SystemName = "chat".into();
        let inside = br#"{"access":"c4nary","refresh":null,"expires_at":null,"kind":"bot"}"#;
        let nonce = [5; 24];
        let bound = bound(&chat, "hr/1");
        let sealed = vault.cipher.encrypt(&XNonce::from(nonce), Payload { msg: inside, aad: &bound }).unwrap();
        let row = SealedToken {
            system: "chat".to_owned(),
            person: "hr/1".to_owned(),
            nonce: nonce.to_vec(),
            sealed,
            saved: NOW.to_owned(),
            expires_at: None,
            renewable: false,
        };
        Sqlite::open(&folder.path().join("state.db")).unwrap().put_token(&row).unwrap();
        let found = vault.find(&chat, &people(&["hr/1"])).unwrap();
        let error = found["hr/1"].as_ref().map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the token of hr/1 at chat is of a kind that this program does not know");
    }

    #[test]
    fn no_two_pairs_of_system_and_person_are_bound_alike() {
        assert_ne!(bound(&"a".into(), "bc/1"), bound(&"ab".into(), "c/1"));
    }

    #[test]
    fn a_key_is_32_bytes_in_base64() {
        for text in ["", "c4nary", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            let Err(error) = Vault::new(Path::new("state.db"), &Secret::new(text)) else { panic!("{text} is a key") };
            assert_eq!(error.to_string(), "the key that people's tokens are sealed with is not 32 bytes in base64");
        }
    }
}
