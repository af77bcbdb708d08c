//! What can be wrong with the configuration: facts and a place, and what to do about it.
//!
//! No message shows a value that might be a secret: those are pointed at, and the excerpt is the terminal's business.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

use super::quantity::Share;

/// Everything that is wrong with one file, in the order of the file.
#[derive(Debug, thiserror::Error)]
#[error("{file} has {}", counted(errors.len()))]
pub(crate) struct ConfigErrors {
    /// The file, as the user named it.
    pub(crate) file: String,
    /// Its text; empty where it could not be read.
    pub(crate) text: Arc<str>,
    /// At least one.
    pub(crate) errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The text with stars for whatever may be a secret: fit for an excerpt, places unchanged.
    pub(crate) fn shown(&self) -> Arc<str> {
        let mut secrets: Vec<Range<usize>> = self
            .errors
            .iter()
            .filter(|error| matches!(*error.fault, Fault::SecretInClear { .. } | Fault::AddressTells { .. }))
            .filter_map(ConfigError::span)
            .collect();
        // Where the file is no TOML nobody knows what is a value; the name of a key has to do.
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            if let Some((key, value)) = line.split_once('=') {
                let name = key.trim().trim_matches('"').rsplit('.').next().unwrap_or_default().trim();
                let is_named = ["token", "secret", "password"].contains(&name);
                let from = start + key.len() + 1;
                if value.trim_start().starts_with('{') {
                    if is_named || ["webhook", "proxy"].contains(&name) {
                        secrets.extend(odd_texts(value).into_iter().map(|span| from + span.start..from + span.end));
                    }
                } else if is_named {
                    secrets.push(from..start + line.trim_end().len());
                }
            }
            if let Some((before, rest)) = line.split_once("://")
                && let Some((user, _)) = rest.rsplit_once('@')
            {
                let from = start + before.len() + 3;
                secrets.push(from..from + user.len());
            }
            start += line.len();
        }
        let is_secret = |at: usize| secrets.iter().any(|span| span.contains(&at));
        let mut shown = String::with_capacity(self.text.len());
        for (at, c) in self.text.char_indices() {
            if is_secret(at) && !c.is_whitespace() && !matches!(c, '"' | '\'') {
                shown.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                shown.push(c);
            }
        }
        shown.into()
    }
}

/// The texts of an inline table under keys that do not stand there, or whose value is no plain text: somebody may have
/// written a secret there.
fn odd_texts(table: &str) -> Vec<Range<usize>> {
    const PLAIN: [&str; 13] = [
        "env",
        "file",
        "kind",
        "command",
        "url",
        "time",
        "client_id",
        "id",
        "listen",
        "path",
        "username",
        "header",
        "except",
    ];
    let (mut found, mut key, mut rest) = (Vec::new(), "", 0);
    while let Some((open, quote)) = table[rest..].char_indices().find(|(_, c)| matches!(c, '"' | '\'')) {
        let open = rest + open;
        if let Some(named) = table[rest..open].trim_end_matches([' ', '[', '{']).strip_suffix('=') {
            key = named.trim_end().rsplit([' ', ',', '{', '.']).next().unwrap_or_default();
        }
        let close = table[open + 1..].find(quote).map_or(table.len(), |length| open + 1 + length);
        if !PLAIN.contains(&key) || key == "env" && !may_be_variable(&table[open + 1..close]) {
            found.push(open + 1..close);
        }
        rest = (close + 1).min(table.len());
    }
    found
}

/// True for what may be the name of an environment variable, and is not rather the secret itself: POSIX has letters, digits
/// and `_`, and no word of a name is a long mixture of small letters and digits.
pub(super) fn may_be_variable(name: &str) -> bool {
    const LONG: usize = 16;
    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_random = |word: &str| {
        let has = |of: fn(&char) -> bool| word.chars().any(|c| of(&c));
        word.len() >= LONG && has(char::is_ascii_lowercase) && has(char::is_ascii_digit)
    };
    is_word && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.split('_').any(is_random)
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub(crate) struct ConfigError {
    span: Option<Range<usize>>,
    fault: Box<Fault>,
    /// True for what a lab has in the place of: without it everything is right there.
    is_of_servers: bool,
}

impl ConfigError {
    pub(super) fn new(span: Option<Range<usize>>, fault: Fault) -> Self {
        Self { span, fault: Box::new(fault), is_of_servers: false }
    }

    /// The same, pointing at `span` where it points nowhere yet.
    pub(crate) fn at(self, span: Option<Range<usize>>) -> Self {
        Self { span: self.span.or(span), ..self }
    }

    /// The bytes of the file it is about.
    pub(crate) fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    /// The same of something that only real servers want.
    pub(crate) fn of_servers(self) -> Self {
        Self { is_of_servers: true, ..self }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = self.fault.hint()?;
        let is_missing = matches!(*self.fault, Fault::VariableUnset { .. } | Fault::VariableEmpty { .. });
        Some(if self.is_of_servers && is_missing { format!("{hint}; with --lab none is needed") } else { hint })
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("there is no {file}")]
    NotFound { file: String },
    #[error("{file} cannot be read: {cause}")]
    Unreadable { file: String, cause: std::io::Error },
    #[error("line {line} is not UTF-8")]
    NotUtf8 { line: usize },
    #[error("{message}")]
    Syntax { message: String, hint: &'static str },
    #[error("unknown key `{key}` in {within}{}", asking(suggestion.as_deref()))]
    UnknownKey { key: String, within: Within, suggestion: Option<String>, known: Vec<String> },
    #[error("unknown attribute `{key}` in [limits.attributes]{}", asking(suggestion.as_deref()))]
    UnknownAttribute { key: String, suggestion: Option<String> },
    #[error("`{key}` is {found}, but must be {expected}")]
    WrongType {
        key: String,
        expected: String,
        found: &'static str,
        /// What a table there would hold.
        keys: Vec<String>,
        /// What is written in the place of a table, where it is a share: no secret is one.
        share: Option<Share>,
    },
    #[error("`{key}` must be {limit}")]
    OutOfRange { key: String, limit: String },
    #[error("`{key}` cannot be `{value}`{}", asking(suggestion.as_deref()))]
    NotOneOf { key: String, value: String, allowed: Vec<String>, suggestion: Option<String> },
    #[error("`{key}` is missing in {within}")]
    Missing { key: String, within: Within, add: Option<String> },
    #[error("{message}")]
    OfKind { message: String, hint: Option<String> },
    #[error("no system is configured")]
    NoSystems,
    #[error("`{name}` cannot name a system: {why}")]
    SystemName { name: String, why: &'static str },
    #[error("`{kind}` is not available in this version")]
    NotYet { kind: String, kinds: Vec<String> },
    #[error("a secret does not belong into this file")]
    SecretInClear { key: String, variable: String },
    #[error("`{key}` needs either `env` or `file`")]
    SecretNowhere { key: String },
    #[error("`per_person` needs one of `file`, `command` and `store`")]
    TokensNowhere,
    #[error("`{first}` and `{second}` are both given")]
    Both { first: &'static str, second: &'static str },
    #[error("a {kind} takes a token, and no key")]
    NoKeys { kind: String },
    #[error("this address {why}")]
    Address { why: &'static str, hint: &'static str },
    /// An address with a user or a password in it.
    #[error("this address holds a user or a password")]
    AddressTells { hint: &'static str },
    #[error("the environment variable {variable} does not hold the address of a proxy")]
    VariableNoProxy { variable: &'static str },
    #[error("the file {} cannot be read: {cause}", file.display())]
    FileUnreadable { file: PathBuf, cause: std::io::Error },
    #[error("`{key}` is not a {what}")]
    Quantity { key: String, what: &'static str, hint: &'static str },
    #[error("`{entry}` does not name an account")]
    ProtectedForm { entry: String },
    #[error("`{system}` is no configured provider{}", asking(suggestion.as_deref()))]
    ProtectedSystem { system: String, suggestion: Option<String> },
    #[error("a store at an address is not supported yet")]
    StoreAddress,
    #[error("what `env` says is no name of an environment variable")]
    NoVariable { key: String },
    #[error("the environment variable {variable} is not set")]
    VariableUnset { variable: String },
    #[error("the environment variable {variable} is not text")]
    VariableNotText { variable: String },
    #[error("the environment variable {variable} is empty")]
    VariableEmpty { variable: String },
    #[error("the secret in {} cannot be read: {cause}", file.display())]
    SecretUnreadable { file: PathBuf, cause: std::io::Error },
    #[error("{} holds no secret: it is empty", file.display())]
    SecretEmpty { file: PathBuf },
}

impl Fault {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => {
                "go where it is, name it with -c, or begin with `homeward init`, which writes a working project"
                    .to_owned()
            }
            Self::Unreadable { .. } => "check that it is a file and that we may read it".to_owned(),
            Self::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Self::WrongType { key, expected, found, .. }
                if expected == "text in quotes" && matches!(key.as_str(), "changes" | "share") && *found == "a number" =>
            {
                format!("a share of all, such as `{key} = \"20%\"`")
            }
            Self::WrongType { key, expected, .. } if expected == "text in quotes" => {
                // The item of a list goes by its number.
                let is_item = key.chars().all(|c| c.is_ascii_digit());
                if is_item { "write it in quotes".to_owned() } else { format!("write it as `{key} = \"…\"`") }
            }
            Self::WrongType { key, expected, keys, share, .. } if expected == "a table" && !keys.is_empty() => {
                let share = share.map_or_else(|| "\"2%\"".to_owned(), |share| format!("\"{share}\""));
                let sample = |key: &str| match key {
                    "share" => share.as_str(),
                    "at_least" => "5",
                    "looks" => "3",
                    "time" => "\"10s\"",
                    _ => "…",
                };
                let keys: Vec<String> = keys.iter().map(|key| format!("{key} = {}", sample(key))).collect();
                format!("such as `{key} = {{ {} }}`", keys.join(", "))
            }
            Self::WrongType { expected, found: "a text", .. } if expected.ends_with("number") => {
                "write it without quotes".to_owned()
            }
            Self::UnknownKey { suggestion: Some(_), .. } | Self::UnknownAttribute { suggestion: Some(_), .. } => {
                return None;
            }
            Self::UnknownAttribute { .. } => {
                "attributes are those of `homeward docs`: neutral ones, and those of a system such as `gitlab.note`"
                    .to_owned()
            }
            Self::UnknownKey { known, .. } if !known.is_empty() => format!("known here: {}", listed(known)),
            Self::NotOneOf { allowed, .. } => format!("it is one of {}", listed(allowed)),
            Self::Missing { add: Some(add), .. } => format!("add `{add}`"),
            Self::OfKind { hint: Some(hint), .. } => hint.clone(),
            Self::NoSystems => "add a table such as `[systems.gitlab]` with `kind`, `url` and `token`".to_owned(),
            Self::SystemName { .. } => {
                "rules say `person.<name>`: a small letter first, then small letters, digits and `_`".to_owned()
            }
            Self::NotYet { kinds, .. } => format!("kinds that are: {}", listed(kinds)),
            Self::SecretInClear { key, variable } => {
                format!("say where it is found: `{key} = {{ env = \"{variable}\" }}` or `{key} = {{ file = \"…\" }}`")
            }
            Self::SecretNowhere { key } => {
                format!("such as `{key} = {{ env = \"NAME\" }}` or `{key} = {{ file = \"/run/secrets/name\" }}`")
            }
            Self::NoVariable { key } => format!(
                "`{key} = {{ env = \"NAME\" }}` names a variable that holds the secret; a secret that stood in this file has \
                 to be replaced by a new one"
            ),
            Self::TokensNowhere => {
                "such as `per_person = { file = \"tokens.json\" }` or `per_person = { store = { key = { env = \"NAME\" } } }`"
                    .to_owned()
            }
            Self::Both { first, second } => format!("keep `{first}` or `{second}`"),
            Self::NoKeys { .. } => "replace `key` by `token = { env = \"…\" }`".to_owned(),
            Self::Syntax { hint, .. }
            | Self::Address { hint, .. }
            | Self::AddressTells { hint }
            | Self::Quantity { hint, .. } => (*hint).to_owned(),
            Self::VariableNoProxy { .. } => {
                "such as `http://proxy.example.com:3128`; `proxy = \"direct\"` goes past it for this system".to_owned()
            }
            Self::ProtectedForm { .. } => "write `system:account`, such as `gitlab:root`".to_owned(),
            Self::StoreAddress => "name a file, such as `.homeward/state.db`".to_owned(),
            Self::VariableUnset { variable } | Self::VariableEmpty { variable } => {
                format!("set it before the start: `export {variable}=…`")
            }
            Self::VariableNotText { .. } => "a secret is UTF-8 text".to_owned(),
            Self::FileUnreadable { .. } | Self::SecretUnreadable { .. } => {
                "check that the file is there and that we may read it".to_owned()
            }
            Self::SecretEmpty { .. } => "write the secret into it, on one line".to_owned(),
            _ => return None,
        })
    }
}

/// The table something is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Within(pub(super) Vec<String>);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("this file") } else { write!(f, "[{}]", self.0.join(".")) }
    }
}

/// The candidate that was probably meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate));
    let best = near.filter(|(distance, _)| *distance <= limit).min();
    best.map(|(_, candidate)| candidate.to_owned())
}

fn asking(suggestion: Option<&str>) -> String {
    suggestion.map(|suggestion| format!("; did you mean `{suggestion}`?")).unwrap_or_default()
}

fn listed(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn counted(errors: usize) -> String {
    if errors == 1 { "an error".to_owned() } else { format!("{errors} errors") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_in_an_excerpt_wherever_it_was_written() {
        for (text, shown) in [
            ("token = \"s3cret\"", "token = \"******\""),
            ("token = { value = \"s3cret\" }", "token = { value = \"******\" }"),
            ("token = { per_person = { store = 's3cret' } }", "token = { per_person = { store = '******' } }"),
            (
                "token = { per_person = { store = { key = { value = \"s3cret\" } }, kind = \"oauth\" } }",
                "token = { per_person = { store = { key = { value = \"******\" } }, kind = \"oauth\" } }",
            ),
            (
                "token = { per_person = { tokens = { \"hr/1\" = \"s3cret\" } } }",
                "token = { per_person = { tokens = { \"****\" = \"******\" } } }",
            ),
            (
                "webhook = { listen = \"[::]:80\", secret = \"s3cret",
                "webhook = { listen = \"[::]:80\", secret = \"******",
            ),
            ("proxy = { url = \"http://me:s3cret@proxy\" }", "proxy = { url = \"http://*********@proxy\" }"),
            ("proxy = \"http://me:s3cret@proxy\"", "proxy = \"http://*********@proxy\""),
            ("proxy = \"http://proxy:3128\"", "proxy = \"http://proxy:3128\""),
            ("token = { env = \"TOKEN\" }", "token = { env = \"TOKEN\" }"),
            ("token = { env = \"gitlab_token_2\" }", "token = { env = \"gitlab_token_2\" }"),
            ("token = { env = \"glpat-s3cret\" }", "token = { env = \"************\" }"),
            ("token = { env = \"xapp_k3t9nnw7pj8x5zq1m4ab\" }", "token = { env = \"*************************\" }"),
            ("token = { env = \"k3t9nnw7pj8x5zq1m4ab6cd2ef\" }", "token = { env = \"**************************\" }"),
            ("token = { command = [\"bin/tokens\", \"-v\"] }", "token = { command = [\"bin/tokens\", \"-v\"] }"),
        ] {
            let errors = ConfigErrors { file: "homeward.toml".to_owned(), text: text.into(), errors: Vec::new() };
            assert_eq!(&*errors.shown(), shown);
        }
    }
}
