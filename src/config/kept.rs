//! People's own tokens as somebody wrote them down: in a file, or in a line of what a command answers.
//!
//! No message of this file shows a value: those are tokens.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::model::{
    own_token::{KeptToken, TokenKind},
    secret::Secret,
};

/// The largest file of tokens that is read, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// The longest token that is taken, in bytes: what a header may hold.
const LONGEST_TOKEN: usize = 8 << 10;

/// Why a file of tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableTokens {
    #[error("the tokens in {} cannot be read: {cause}", file.display())]
    Unreadable { file: PathBuf, cause: std::io::Error },
    #[error("everybody on this machine may read the tokens in {}", file.display())]
    Open { file: PathBuf },
    #[error("{} is larger than any honest file of tokens (over {} MiB)", file.display(), LARGEST_FILE >> 20)]
    TooLarge { file: PathBuf },
    #[error("{} is no {format}{place}", file.display())]
    Malformed { file: PathBuf, format: &'static str, place: String },
    /// What stands in the place of the person may be her token.
    #[error("in {}, {}", file.display(), nobody(*number))]
    Nobody { file: PathBuf, number: usize },
}

impl UnusableTokens {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that the file is there and that we may read it".to_owned(),
            Self::Open { file } => format!("take that from others: `chmod o= {}`", file.display()),
            Self::TooLarge { .. } => "use a command, or the state store".to_owned(),
            Self::Malformed { .. } | Self::Nobody { .. } => {
                "such as {\"hr/1001\": \"…\", \"hr/1002\": {\"access_token\": \"…\", \"refresh_token\": \"…\", \"expires_at\": \
                 \"2026-11-20T08:00:00Z\"}}"
                    .to_owned()
            }
        }
    }
}

/// What was found of people's tokens, by person.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Her token, or what is wrong with what is kept as hers.
    pub(crate) tokens: BTreeMap<String, Result<KeptToken, String>>,
    /// What could not be read and names nobody, so that it may be anybody's.
    pub(crate) unread: Option<String>,
}

fn nobody(number: usize) -> String {
    format!("entry {number} names no person: write the source and its key")
}

/// The tokens of a file, by person. One that anybody on this machine may read is refused, unless `is_made_up`.
///
/// # Errors
/// Where nothing of it can be used, or it says two things of one person. What is wrong with one token is told with it.
pub(crate) fn file(path: &Path, is_made_up: bool) -> Result<Found, UnusableTokens> {
    let unreadable = |cause| UnusableTokens::Unreadable { file: path.to_owned(), cause };
    // To open anything else may last for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is no file")));
    }
    let open = File::open(path).map_err(unreadable)?;
    let rights = open.metadata().map_err(unreadable)?.mode();
    if !is_made_up && rights & 0o007 != 0 {
        return Err(UnusableTokens::Open { file: path.to_owned() });
    }
    let mut text = String::new();
    open.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(UnusableTokens::TooLarge { file: path.to_owned() });
    }
    let is_toml = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let malformed = |format, place| UnusableTokens::Malformed { file: path.to_owned(), format, place };
    let entries = if is_toml {
        let line = |error: toml::de::Error| {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            malformed("TOML", line.map(|line| format!(" (line {line})")).unwrap_or_default())
        };
        let table = text.parse::<toml::Table>().map_err(line)?;
        table.into_iter().map(|(name, value)| (name, Ok(json(value)))).collect()
    } else {
        let line = |error: serde_json::Error| malformed("JSON object", format!(" (line {})", error.line()));
        let Pairs(pairs) = serde_json::from_str(&text).map_err(line)?;
        pairs
    };
    let mut found = Found::default();
    let mut nobody = None;
    for (at, (person, value)) in (1..).zip(entries) {
        // A token in the place of a person may hold a `/` too, and is never repeated.
        let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
        let is_source = |name: &str| !name.is_empty() && name.len() <= 40 && name.bytes().all(is_plain);
        let is_somebody = person.split_once('/').is_some_and(|(source, key)| is_source(source) && !key.is_empty());
        if !is_somebody {
            nobody.get_or_insert(at);
            continue;
        }
        let kept =
            value.and_then(|value| token(&value)).map_err(|fault| format!("in {}, `{person}` {fault}", shown(path)));
        let twice = format!("in {}, `{person}` stands twice: keep the newer one", shown(path));
        if found.tokens.insert(person.clone(), kept).is_some() {
            found.tokens.insert(person, Err(twice));
        }
    }
    if let Some(number) = nobody {
        if found.tokens.is_empty() {
            return Err(UnusableTokens::Nobody { file: path.to_owned(), number });
        }
        found.unread = Some(format!("in {}, {}", shown(path), self::nobody(number)));
    }
    Ok(found)
}

/// A file by its name: its folder is nobody's business in a plan.
fn shown(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
}

/// A JSON object as it is written, each of its pairs.
struct Pairs(Vec<(String, Result<Value, &'static str>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, Written(value))) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// A value as it is written; in an object that says something twice, what is wrong with it.
pub(crate) struct Written(pub(crate) Result<Value, &'static str>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Result<Value, &'static str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Ok(text.into()))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
                Ok(Ok(truth.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Ok(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Ok(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Ok(number.into()))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Ok(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Ok(Value::Array(Vec::new())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut known, mut is_doubled) = (Map::new(), false);
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    is_doubled |= known.insert(name, value).is_some();
                }
                Ok(if is_doubled { Err("says something twice") } else { Ok(Value::Object(known)) })
            }
        }
        deserializer.deserialize_any(Reading).map(Self)
    }
}

/// One token: its text alone, or what is known of it.
pub(crate) fn token(value: &Value) -> Result<KeptToken, &'static str> {
    let (access, known) = match value {
        Value::String(access) => (access, None),
        Value::Object(known) => {
            let fields = ["access_token", "refresh_token", "expires_at", "kind"];
            if known.keys().any(|key| !fields.contains(&key.as_str())) {
                return Err("has something else than `access_token`, `refresh_token`, `expires_at` and `kind`");
            }
            match known.get("access_token") {
                Some(Value::String(access)) => (access, Some(known)),
                _ => return Err("has no `access_token` that is a text"),
            }
        }
        _ => return Err("is neither a text nor an object"),
    };
    let known = |key: &str| known.and_then(|known| known.get(key)).filter(|value| !value.is_null());
    let secret = |text: &str, fault| if is_token(text) { Ok(Secret::new(text)) } else { Err(fault) };
    let access = secret(access, "has an `access_token` that no header could carry")?;
    let refresh = match known("refresh_token") {
        None => None,
        Some(Value::String(text)) => Some(secret(text, "has a `refresh_token` that is none")?),
        Some(_) => return Err("has a `refresh_token` that is no text"),
    };
    let expires_at = match known("expires_at") {
        None => None,
        Some(Value::Number(seconds)) => Some(seconds.as_i64().ok_or("has an `expires_at` that is no time")?),
        Some(Value::String(text)) => {
            let time: Timestamp = text.parse().map_err(|_| "has an `expires_at` that is no time")?;
            Some(time.as_second())
        }
        Some(_) => return Err("has an `expires_at` that is no time"),
    };
    let kind = match known("kind") {
        None => None,
        Some(word) => {
            let kind = word.as_str().and_then(TokenKind::of);
            Some(kind.ok_or("has a `kind` that is neither `oauth` nor `personal`")?)
        }
    };
    Ok(KeptToken { access, refresh, expires_at, kind })
}

/// True for a text that can be a token.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The same in JSON; a date is its text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        (folder, path)
    }

    type Told<'a> = (&'a str, Option<&'a str>, Option<i64>, Option<TokenKind>);

    fn told(kept: &KeptToken) -> Told<'_> {
        (kept.access.expose(), kept.refresh.as_ref().map(Secret::expose), kept.expires_at, kept.kind)
    }

    #[test]
    fn a_file_holds_tokens_as_texts_or_with_what_is_known_of_them() {
        let json = r#"{"hr/1": "a", "hr/2": {"access_token": "b", "refresh_token": "r", "expires_at": 60, "kind": "personal"},
            "hr/3": {"access_token": "c", "refresh_token": null, "expires_at": "1970-01-01T00:02:00Z"}}"#;
        let toml = "\"hr/1\" = \"a\"\n[\"hr/2\"]\naccess_token = \"b\"\nrefresh_token = \"r\"\nexpires_at = 60\n\
                    kind = \"personal\"\n[\"hr/3\"]\naccess_token = \"c\"\nexpires_at = 1970-01-01T00:02:00Z\n";
        for (name, text) in [("t.json", json), ("t.toml", toml)] {
            let (_folder, path) = written(name, text);
            let Found { tokens, unread } = file(&path, false).unwrap();
            assert_eq!(unread, None);
            let all: Vec<_> =
                tokens.iter().map(|(person, kept)| (person.as_str(), told(kept.as_ref().unwrap()))).collect();
            assert_eq!(
                all,
                [
                    ("hr/1", ("a", None, None, None)),
                    ("hr/2", ("b", Some("r"), Some(60), Some(TokenKind::Personal))),
                    ("hr/3", ("c", None, Some(120), None)),
                ]
            );
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_unless_its_tokens_are_made_up() {
        let (_folder, path) = written("t.json", r#"{"hr/1": "c4nary"}"#);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = file(&path, false).unwrap_err();
        assert_eq!(error.to_string(), format!("everybody on this machine may read the tokens in {}", path.display()));
        assert_eq!(file(&path, true).unwrap().tokens.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_one_token_is_told_with_it_and_the_others_are_read() {
        let text = r#"{"hr/1": "a", "c4nary": "hr/5", "hr/2": "c4 nary", "hr/3": {"access_token": "x", "access_token": "c4nary"},
            "hr/4": ["c4nary"], "hr/6": "c4nary-one", "hr/6": "c4nary-two"}"#;
        let (_folder, path) = written("t.json", text);
        let Found { tokens, unread } = file(&path, false).unwrap();
        let all: Vec<_> = tokens.into_iter().map(|(person, kept)| (person, kept.map(|_| ()))).collect();
        let faulty = |person: &str, fault: &str| (person.to_owned(), Err(format!("in t.json, `{person}` {fault}")));
        assert_eq!(
            all,
            [
                ("hr/1".to_owned(), Ok(())),
                faulty("hr/2", "has an `access_token` that no header could carry"),
                faulty("hr/3", "says something twice"),
                faulty("hr/4", "is neither a text nor an object"),
                faulty("hr/6", "stands twice: keep the newer one"),
            ]
        );
        assert_eq!(unread.unwrap(), "in t.json, entry 2 names no person: write the source and its key");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_without_what_it_holds() {
        for (name, text, end) in [
            ("t.json", "{\n\"hr/1\": c4nary", " is no JSON object (line 2)"),
            ("t.json", "[\"c4nary\"]", " is no JSON object (line 1)"),
            ("t.toml", "a = 1\n\"hr/1\" = c4nary", " is no TOML (line 2)"),
        ] {
            let (_folder, path) = written(name, text);
            let error = file(&path, false).unwrap_err();
            assert_eq!(error.to_string(), format!("{}{end}", path.display()));
            assert!(!format!("{error:?}").contains("c4nary"), "{error:?}");
        }
        for (text, end) in [
            // The two were swapped.
            (r#"{"c4nary": "hr/1"}"#, "entry 1 names no person: write the source and its key"),
            (r#"{"C4nary/Of+Base64==": "hr/1"}"#, "entry 1 names no person: write the source and its key"),
        ] {
            let (_folder, path) = written("t.json", text);
            assert_eq!(file(&path, false).unwrap_err().to_string(), format!("in {}, {end}", path.display()));
        }
        for (value, fault) in [
            (json!(5), "is neither a text nor an object"),
            (json!(""), "has an `access_token` that no header could carry"),
            (json!("c4 nary"), "has an `access_token` that no header could carry"),
            (json!("x".repeat(9000)), "has an `access_token` that no header could carry"),
            (
                json!({ "token": "c4nary" }),
                "has something else than `access_token`, `refresh_token`, `expires_at` and `kind`",
            ),
            (json!({ "refresh_token": "c4nary" }), "has no `access_token` that is a text"),
            (json!({ "access_token": "a", "expires_at": "soon" }), "has an `expires_at` that is no time"),
            (json!({ "access_token": "a", "kind": "bot" }), "has a `kind` that is neither `oauth` nor `personal`"),
        ] {
            assert_eq!(token(&value).map(|kept| kept.kind).unwrap_err(), fault, "{value}");
        }
    }
}
