//! `homeward.toml`, and the only door to the environment.
//!
//! The file is read strictly and completely: everything that is wrong is told at once, at its place, before anything
//! else happens. This room knows no kind of system by name. What belongs to a kind stays data, checked against the
//! kind's schema, until the kind reads it. Secrets are not read here, only where they are found.

mod address;
mod document;
pub(crate) mod error;
pub(crate) mod kept;
pub(crate) mod late;
pub(crate) mod proxy;
pub(crate) mod quantity;
pub(crate) mod schema;
pub(crate) mod secret;
mod shape;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use self::{
    document::{Document, Places},
    error::{ConfigError, ConfigErrors, Fault, Within, may_be_variable, nearest},
    proxy::ProxySource,
    quantity::{Rate, Share, duration},
    schema::{
        Administrators, ApplyKeys, FileKeys, GroupKeys, Kinds, LimitsKeys, OwnKind, PerPersonKeys, ProviderKeys,
        ProviderKind, ProxyKeys, RefreshKeys, Says, SecretKeys, Signature, SourceKeys, SourceKind, ThresholdKeys,
        TokenKeys, WebhookKeys,
    },
    secret::SecretSource,
    shape::Shape,
};
use crate::model::{
    attribute::NEUTRAL,
    id::{AccountId, SystemName},
    own_token::TokenKind,
};

/// How long an answer may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long making a connection may take where nothing is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long what runs did counts against later ones where nothing is said: every list of a night and a day.
const WINDOW: Duration = Duration::from_hours(24);

/// The store remembers no longer whom runs touched.
const LONGEST_WINDOW: Duration = Duration::from_hours(31 * 24);

/// A configuration that holds together.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The folder of the file: what is relative is relative to it.
    pub(crate) root: PathBuf,
    /// The file, as the user named it.
    pub(crate) file: String,
    pub(crate) text: Arc<str>,
    /// The folder of the rules.
    pub(crate) rules: PathBuf,
    /// The file of the store.
    pub(crate) state: PathBuf,
    pub(crate) systems: BTreeMap<SystemName, System>,
    pub(crate) limits: Limits,
    /// Where `/healthz` answers.
    pub(crate) health: Option<SocketAddr>,
    /// How long a value may take to come by itself; `None`: nothing was said.
    pub(crate) follows_within: Option<Duration>,
    pub(crate) apply: Apply,
    places: Places,
}

/// One system.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// One of the kinds that were handed to [`load`].
    pub(crate) kind: String,
    /// The keys of its kind, as they are written, without those that are common.
    pub(crate) options: Value,
    /// How calls reach it, where calls go to it.
    pub(crate) provider: Option<Provider>,
    /// What its records mean, where records come from it.
    pub(crate) says: Option<Says>,
    /// How often it is read, where it is read by itself; `None`: as often as its kind thinks right.
    pub(crate) poll: Option<Duration>,
    /// Where it tells us of changes.
    pub(crate) webhook: Option<Webhook>,
}

/// Where a system tells us of changes, and how we know that it is the one who tells.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) listen: SocketAddr,
    /// Begins with `/`.
    pub(crate) path: String,
    pub(crate) secret: SecretSource,
    pub(crate) former_secret: Option<SecretSource>,
    pub(crate) signature: Signature,
    /// The header that holds the signature, where that is not a standard one.
    pub(crate) header: Option<String>,
}

/// How calls reach a system.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) url: Url,
    pub(crate) credential: CredentialSource,
    /// `None`: as many as the kind thinks right.
    pub(crate) concurrency: Option<usize>,
    pub(crate) timeout: Duration,
    /// How long a value may take that comes to it by itself; `None`: nothing was said.
    pub(crate) follows_within: Option<Duration>,
    pub(crate) connect_timeout: Duration,
    /// `None`: as long as the whole answer may take.
    pub(crate) read_timeout: Option<Duration>,
    /// `None`: what it tells itself.
    pub(crate) rate: Option<Rate>,
    /// How many requests may come at once after a silence; `None`: `rate` holds for any stretch of its time.
    pub(crate) burst: Option<u32>,
    /// The file with the authorities that alone may vouch for it; `None`: those this machine trusts.
    pub(crate) ca: Option<PathBuf>,
    /// Where our own certificate is found, with its key.
    pub(crate) client_certificate: Option<SecretSource>,
    pub(crate) proxy: ProxySource,
    /// Where the secrets are found that only its kind has, by their keys.
    pub(crate) secrets: BTreeMap<String, SecretSource>,
}

/// What one run may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Apply {
    /// `None`: no limit.
    pub(crate) time: Option<Duration>,
    pub(crate) retries: u32,
    /// After so many failures in a row a system is left alone.
    pub(crate) failures: u32,
}

/// What proves who we are, and where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialSource {
    Token(SecretSource),
    /// A private key, exchanged for a token.
    Key(SecretSource),
    /// None of ours: each person's own token.
    PerPerson(PerPerson),
}

/// Where people's own tokens are found, and what is known of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PerPerson {
    pub(crate) place: TokenPlace,
    pub(crate) kind: TokenKind,
    /// `None`: nothing renews a token that has ended.
    pub(crate) refresh: Option<Refresh>,
}

/// Where people's own tokens are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    File(PathBuf),
    /// A program with its arguments, and how long it may take.
    Command {
        program: Vec<String>,
        time: Duration,
    },
    /// The state store, and where the key is found that opens it.
    Store {
        key: SecretSource,
    },
}

/// Where a token that has ended is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) url: Url,
    pub(crate) client: String,
    pub(crate) secret: Option<SecretSource>,
}

/// What a plan must keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The share of people one run may change.
    pub(crate) changes: Option<Share>,
    pub(crate) removals: Option<Threshold>,
    /// How many people a full list may miss; `None`: nothing was said.
    pub(crate) missing: Option<Threshold>,
    /// How much a list may differ from the last one; `None`: nothing was said.
    pub(crate) differing: Option<Threshold>,
    pub(crate) creations: Option<Threshold>,
    pub(crate) attributes: BTreeMap<String, Threshold>,
    pub(crate) groups: Option<Groups>,
    /// How many rows of a file may be unusable; `None`: nothing was said.
    pub(crate) rejected: Option<Threshold>,
    pub(crate) administrators: Administrators,
    /// Accounts that are never touched.
    pub(crate) protected: Vec<Protected>,
    /// How long what runs did counts against later ones; `None`: each is judged alone.
    pub(crate) window: Option<Window>,
    /// How many different people have to approve what waits.
    pub(crate) approvals: u32,
    /// How long what waits can be approved; `None`: for ever.
    pub(crate) expires: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            changes: None,
            removals: None,
            missing: None,
            differing: None,
            creations: None,
            attributes: BTreeMap::new(),
            groups: None,
            rejected: None,
            administrators: Administrators::default(),
            protected: Vec::new(),
            window: Some(Window { length: WINDOW, shown: "24h".to_owned() }),
            approvals: 1,
            expires: None,
        }
    }
}

/// Limits within each group of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// People with the same value of it are a group.
    pub(crate) attribute: String,
    pub(crate) changes: Option<Threshold>,
    pub(crate) removals: Option<Threshold>,
    pub(crate) creations: Option<Threshold>,
}

/// A length of time that ends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) length: Duration,
    /// As it is written.
    pub(crate) shown: String,
}

/// How many people something may happen to in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) share: Share,
    /// So many are allowed whatever the share is.
    pub(crate) at_least: u64,
}

/// An account that is never touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Protected {
    pub(crate) system: SystemName,
    /// Its username or id there.
    pub(crate) account: AccountId,
}

/// Reads the configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn load(file: &Path, kinds: &Kinds) -> Result<Config, ConfigErrors> {
    let shown = file.display().to_string();
    let failed = |text: &str, fault: Fault, span| ConfigErrors {
        file: shown.clone(),
        text: Arc::from(text),
        errors: vec![ConfigError::new(span, fault)],
    };
    let bytes = std::fs::read(file).map_err(|cause| {
        let file = shown.clone();
        let fault = match cause.kind() {
            std::io::ErrorKind::NotFound => Fault::NotFound { file },
            _ => Fault::Unreadable { file, cause },
        };
        failed("", fault, None)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].split(|byte| *byte == b'\n').skip(1).count();
        failed(&String::from_utf8_lossy(error.as_bytes()), Fault::NotUtf8 { line }, None)
    })?;
    let root = file.parent().map(Path::to_owned).unwrap_or_default();
    parse(&text, &root, &shown, kinds)
}

fn parse(text: &str, root: &Path, shown: &str, kinds: &Kinds) -> Result<Config, ConfigErrors> {
    let failed = |mut errors: Vec<ConfigError>| {
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        ConfigErrors { file: shown.to_owned(), text: Arc::from(text), errors }
    };
    // Editors of one system put a mark before the text.
    let body = text.strip_prefix('\u{FEFF}').map_or_else(|| text.to_owned(), |rest| format!("   {rest}"));
    let document = Document::parse(&body).map_err(failed)?;
    let schema = schema::schema(kinds);
    let shape = Shape { root: &schema, places: &document.places };
    let mut reading = Reading { shape, root, kinds, errors: Vec::new() };
    let config = reading.file(&document.data, shown, text);
    let errors = reading.errors;
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(failed(errors)),
    }
}

impl Config {
    /// Where a key of a system stands, for errors that its kind finds later; where it is not given, the system's name.
    /// A nested key is written `webhook.listen`.
    pub(crate) fn place(&self, system: &SystemName, key: &str) -> Option<Range<usize>> {
        let table = ["systems".to_owned(), system.to_string()];
        let way: Vec<String> = table.iter().cloned().chain(key.split('.').map(str::to_owned)).collect();
        self.places.value(&way).or_else(|| self.places.key(&table))
    }
}

/// One reading of one file: goes on after an error, and collects them.
struct Reading<'a> {
    shape: Shape<'a>,
    root: &'a Path,
    kinds: &'a Kinds,
    errors: Vec<ConfigError>,
}

impl Reading<'_> {
    fn file(&mut self, data: &Map<String, Value>, shown: &str, text: &str) -> Option<Config> {
        // Each system is looked at by the schema of its kind; here they only have to be tables.
        let mut loose = self.shape.root.clone();
        loose["properties"]["systems"]["additionalProperties"] = Value::Bool(true);
        if let Some(required) = loose["required"].as_array_mut() {
            required.retain(|key| key != "systems");
        }
        let keys: FileKeys = self.checked(data, &loose, &[])?;
        if keys.state.contains("://") {
            self.fault(&["state"], Fault::StoreAddress);
        }
        let tables = keys.systems.unwrap_or_default();
        if tables.is_empty() && self.errors.is_empty() {
            let place = self.shape.places.key(&owned(&["systems"]));
            self.errors.push(ConfigError::new(place, Fault::NoSystems));
        }
        let mut systems = BTreeMap::new();
        for (name, table) in &tables {
            if let Some(system) = self.system(name, table) {
                systems.insert(SystemName::from(name.as_str()), system);
            }
        }
        let limits = self.limits(keys.limits, &tables);
        let apply = self.apply(&keys.apply);
        let health = keys.watch.health.and_then(|text| self.listen(&["watch", "health"], &text));
        let follows_within = keys.follow.within.and_then(|text| self.time(&["follow", "within"], &text));
        Some(Config {
            root: self.root.to_owned(),
            file: shown.to_owned(),
            text: Arc::from(text),
            rules: self.root.join(keys.rules),
            state: self.root.join(keys.state),
            systems,
            limits,
            health,
            follows_within,
            apply,
            places: self.shape.places.clone(),
        })
    }

    fn system(&mut self, name: &str, table: &Value) -> Option<System> {
        let way = ["systems", name];
        if let Some(why) = unfit(name) {
            self.fault_at_key(&way, Fault::SystemName { name: name.to_owned(), why });
        }
        let Some(table) = table.as_object() else {
            let loose = serde_json::json!({ "type": "object" });
            self.misfits(table, &loose, &way);
            return None;
        };
        let names = || self.kinds.names().into_iter().map(str::to_owned).collect::<Vec<_>>();
        let kind = match table.get("kind") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(other) => {
                let schema = serde_json::json!({ "type": "string" });
                self.misfits(other, &schema, &["systems", name, "kind"]);
                return None;
            }
            None => {
                // Somebody who calls a system gitlab probably means one.
                let likely = nearest(name, self.kinds.names()).or_else(|| names().into_iter().next());
                let add = likely.map(|kind| format!("kind = \"{kind}\""));
                self.fault_at_key(&way, Fault::Missing { key: "kind".to_owned(), within: Within(owned(&way)), add });
                return None;
            }
        };
        if let Some(provider) = self.kinds.providers.iter().find(|provider| provider.name == kind) {
            return self.provider(name, table, provider);
        }
        if let Some(source) = self.kinds.sources.iter().find(|source| source.name == kind) {
            return self.source(name, table, source);
        }
        let fault = if self.kinds.announced.contains(&kind) {
            Fault::NotYet { kind: kind.to_owned(), kinds: names() }
        } else {
            let suggestion = nearest(kind, self.kinds.names());
            Fault::NotOneOf { key: "kind".to_owned(), value: kind.to_owned(), allowed: names(), suggestion }
        };
        self.fault(&["systems", name, "kind"], fault);
        None
    }

    fn provider(&mut self, name: &str, table: &Map<String, Value>, kind: &ProviderKind) -> Option<System> {
        let (keys, options) = self.table::<ProviderKeys>(name, table, kind.name)?;
        let url = keys.url.and_then(|url| self.address(name, &url, keys.insecure_http));
        let token = keys.token.and_then(|token| self.token(name, token, keys.insecure_http));
        let key = keys.key.and_then(|key| self.secret(&["systems", name, "key"], key));
        let credential = match (table.contains_key("token"), table.contains_key("key")) {
            (true, true) => {
                self.fault_at_key(&["systems", name, "key"], Fault::Both { first: "token", second: "key" });
                None
            }
            (false, true) if !kind.takes_key => {
                self.fault_at_key(&["systems", name, "key"], Fault::NoKeys { kind: kind.name.to_owned() });
                None
            }
            (false, false) => {
                let variable = format!("{}_TOKEN", name.to_uppercase().replace('-', "_"));
                let add = Some(format!("token = {{ env = \"{variable}\" }}"));
                let within = Within(owned(&["systems", name]));
                self.fault_at_key(&["systems", name], Fault::Missing { key: "token".to_owned(), within, add });
                None
            }
            (true, false) => token,
            (false, true) => key.map(CredentialSource::Key),
        };
        let mut time = |key: &str, text: Option<String>| text.map(|text| self.time(&["systems", name, key], &text));
        let timeout = time("timeout", keys.timeout).unwrap_or(Some(TIMEOUT));
        let connect_timeout = time("connect_timeout", keys.connect_timeout).unwrap_or(Some(CONNECT_TIMEOUT));
        let read_timeout = time("read_timeout", keys.read_timeout).flatten();
        let poll = time("poll", keys.poll).flatten();
        let follows_within = time("follows_within", keys.follows_within).flatten();
        let rate = keys.rate.and_then(|text| self.rate(&["systems", name, "rate"], &text));
        if keys.burst.is_some() && !table.contains_key("rate") {
            let (add, within) = (Some("rate = \"10/s\"".to_owned()), Within(owned(&["systems", name])));
            self.fault_at_key(&["systems", name, "burst"], Fault::Missing { key: "rate".to_owned(), within, add });
        }
        let webhook = keys.webhook.and_then(|keys| self.webhook(name, keys));
        let ca = keys.ca.map(|file| self.root.join(file));
        let client_certificate = match keys.client_certificate {
            Some(place) => Some(self.secret(&["systems", name, "client_certificate"], place)?),
            None => None,
        };
        let proxy = self.proxy(name, keys.proxy)?;
        let secrets = self.own_secrets(name, &options, kind);
        let provider = Provider {
            url: url?,
            credential: credential?,
            concurrency: keys.concurrency,
            timeout: timeout?,
            follows_within,
            connect_timeout: connect_timeout?,
            read_timeout,
            rate,
            burst: keys.burst,
            ca,
            client_certificate,
            proxy,
            secrets,
        };
        let says = kind.records.map(|usual| keys.says.unwrap_or(usual));
        Some(System { kind: kind.name.to_owned(), options, provider: Some(provider), says, poll, webhook })
    }

    /// A token of ours, or the place of the people's.
    fn token(&mut self, name: &str, keys: TokenKeys, insecure_http: bool) -> Option<CredentialSource> {
        let way = ["systems", name, "token"];
        let TokenKeys { env, file, per_person } = keys;
        match (per_person, env.is_some(), file.is_some()) {
            (Some(_), true, _) => self.fault(&way, Fault::Both { first: "env", second: "per_person" }),
            (Some(_), _, true) => self.fault(&way, Fault::Both { first: "file", second: "per_person" }),
            (Some(keys), false, false) => return self.per_person(name, keys, insecure_http),
            (None, ..) => return self.secret(&way, SecretKeys { env, file }).map(CredentialSource::Token),
        }
        None
    }

    fn per_person(&mut self, name: &str, keys: PerPersonKeys, insecure_http: bool) -> Option<CredentialSource> {
        let way = ["systems", name, "token", "per_person"];
        let below = |key| ["systems", name, "token", "per_person", key];
        let time = keys.time.map_or(Some(TIMEOUT), |text| self.time(&below("time"), &text));
        let place = match (keys.file, keys.command, keys.store) {
            (Some(file), None, None) => TokenPlace::File(self.root.join(file)),
            (None, Some(program), None) if program.first().is_some_and(|first| !first.trim().is_empty()) => {
                TokenPlace::Command { program, time: time? }
            }
            (None, Some(_), None) => {
                let hint = "such as `[\"bin/tokens\", \"--people\"]`: the program and its arguments, without a shell";
                self.fault(&below("command"), Fault::Quantity { key: "command".to_owned(), what: "program", hint });
                return None;
            }
            (None, None, Some(store)) => {
                let key = self.secret(&["systems", name, "token", "per_person", "store", "key"], store.key?)?;
                TokenPlace::Store { key }
            }
            (None, None, None) => {
                self.fault(&way, Fault::TokensNowhere);
                return None;
            }
            (Some(_), Some(_), _) => {
                self.fault(&way, Fault::Both { first: "file", second: "command" });
                return None;
            }
            (Some(_), _, Some(_)) => {
                self.fault(&way, Fault::Both { first: "file", second: "store" });
                return None;
            }
            (None, Some(_), Some(_)) => {
                self.fault(&way, Fault::Both { first: "command", second: "store" });
                return None;
            }
        };
        let kind = match keys.kind {
            OwnKind::Oauth => TokenKind::Oauth,
            OwnKind::Personal => TokenKind::Personal,
        };
        let refresh = match keys.refresh {
            Some(keys) => Some(self.refresh(name, keys, insecure_http)?),
            None => None,
        };
        Some(CredentialSource::PerPerson(PerPerson { place, kind, refresh }))
    }

    fn refresh(&mut self, name: &str, keys: RefreshKeys, insecure_http: bool) -> Option<Refresh> {
        let below = |key| ["systems", name, "token", "per_person", "refresh", key];
        let url = keys.url.and_then(|text| {
            address::parse(&text, insecure_http).map_err(|fault| self.fault(&below("url"), fault)).ok()
        });
        let secret = match keys.client_secret {
            Some(place) => Some(self.secret(&below("client_secret"), place)?),
            None => None,
        };
        Some(Refresh { url: url?, client: keys.client_id?, secret })
    }

    fn webhook(&mut self, name: &str, keys: WebhookKeys) -> Option<Webhook> {
        let way = |key| ["systems", name, "webhook", key];
        let listen = keys.listen.and_then(|text| self.listen(&way("listen"), &text));
        let secret = keys.secret.and_then(|secret| self.secret(&way("secret"), secret));
        let former_secret = match keys.former_secret {
            Some(former) => Some(self.secret(&way("former_secret"), former)?),
            None => None,
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        if !keys.path.starts_with('/') || !keys.path.chars().all(is_plain) {
            let hint = "such as `/website`";
            self.fault(&way("path"), Fault::Quantity { key: "path".to_owned(), what: "path", hint });
        }
        if keys.signature != Signature::Standard && keys.header.is_none() {
            let add = Some("header = \"X-WC-Webhook-Signature\"".to_owned());
            let within = Within(owned(&["systems", name, "webhook"]));
            let fault = Fault::Missing { key: "header".to_owned(), within, add };
            self.fault_at_key(&["systems", name, "webhook"], fault);
        }
        let (path, signature, header) = (keys.path, keys.signature, keys.header);
        Some(Webhook { listen: listen?, path, secret: secret?, former_secret, signature, header })
    }

    fn apply(&mut self, keys: &ApplyKeys) -> Apply {
        Apply {
            time: keys.time.as_ref().and_then(|text| self.time(&["apply", "time"], text)),
            retries: keys.retries.unwrap_or(1_000),
            failures: keys.failures.unwrap_or(5),
        }
    }

    /// A duration.
    fn time(&mut self, way: &[&str], text: &str) -> Option<Duration> {
        let read = duration(text);
        if read.is_none() {
            let key = way.last().copied().unwrap_or_default().to_owned();
            self.fault(way, Fault::Quantity { key, what: "duration", hint: "such as `30s`, `5m` or `1h`" });
        }
        read
    }

    fn rate(&mut self, way: &[&str], text: &str) -> Option<Rate> {
        let read = Rate::parse(text);
        if read.is_none() {
            let key = way.last().copied().unwrap_or_default().to_owned();
            self.fault(way, Fault::Quantity { key, what: "rate", hint: "such as `10/s` or `300/10m`" });
        }
        read
    }

    /// An address to listen at.
    fn listen(&mut self, way: &[&str], text: &str) -> Option<SocketAddr> {
        let read = text.parse().ok();
        if read.is_none() {
            let key = way.last().copied().unwrap_or_default().to_owned();
            let hint = "an address and a port, such as `127.0.0.1:8088` or `[::1]:8088`";
            self.fault(way, Fault::Quantity { key, what: "address to listen at", hint });
        }
        read
    }

    fn source(&mut self, name: &str, table: &Map<String, Value>, kind: &SourceKind) -> Option<System> {
        let (keys, options) = self.table::<SourceKeys>(name, table, kind.name)?;
        let says = keys.says.unwrap_or(kind.says);
        let kind = kind.name.to_owned();
        Some(System { kind, options, provider: None, says: Some(says), poll: None, webhook: None })
    }

    /// The common keys of a system's table, and the rest of it.
    fn table<T: DeserializeOwned + schemars::JsonSchema>(
        &mut self,
        name: &str,
        table: &Map<String, Value>,
        kind: &str,
    ) -> Option<(T, Value)> {
        let common = schema::common_keys::<T>();
        let (shared, own): (Map<_, _>, Map<_, _>) =
            table.clone().into_iter().partition(|(key, _)| common.contains(key));
        let schema = serde_json::json!({ "$ref": schema::table(kind) });
        let keys = self.checked_part(table, shared, &schema, &["systems", name])?;
        Some((keys, Value::Object(own)))
    }

    /// Compares a table with its schema, and reads what is sound in it.
    fn checked<T: DeserializeOwned>(&mut self, table: &Map<String, Value>, schema: &Value, way: &[&str]) -> Option<T> {
        self.checked_part(table, table.clone(), schema, way)
    }

    fn checked_part<T: DeserializeOwned>(
        &mut self,
        table: &Map<String, Value>,
        part: Map<String, Value>,
        schema: &Value,
        way: &[&str],
    ) -> Option<T> {
        let way = owned(way);
        let faults = self.shape.faults(&Value::Object(table.clone()), schema, &way);
        let mut sound = Value::Object(part);
        for misfit in faults {
            // What is wrong is told and taken out; the rest is still worth a look.
            if let Some(inner) = misfit.way.as_ref().and_then(|whole| whole.strip_prefix(way.as_slice())) {
                take_out(&mut sound, inner);
            }
            self.errors.push(misfit.error);
        }
        serde_json::from_value(sound).ok()
    }

    fn misfits(&mut self, data: &Value, schema: &Value, way: &[&str]) {
        let misfits = self.shape.faults(data, schema, &owned(way));
        self.errors.extend(misfits.into_iter().map(|misfit| misfit.error));
    }

    fn address(&mut self, name: &str, text: &str, insecure_http: bool) -> Option<Url> {
        match address::parse(text, insecure_http) {
            Ok(url) => Some(url),
            Err(fault) => {
                self.fault(&["systems", name, "url"], fault);
                None
            }
        }
    }

    fn proxy(&mut self, name: &str, keys: Option<ProxyKeys>) -> Option<ProxySource> {
        let (url, login) = match keys {
            None => return Some(ProxySource::Environment),
            Some(ProxyKeys::Address(word)) if word.trim() == "direct" => return Some(ProxySource::Direct),
            Some(ProxyKeys::Address(url)) => (self.proxy_address(&["systems", name, "proxy"], &url), None),
            Some(ProxyKeys::Login(keys)) => {
                let url = self.proxy_address(&["systems", name, "proxy", "url"], &keys.url?);
                let password = self.secret(&["systems", name, "proxy", "password"], keys.password?);
                (url, Some((keys.username?, password?)))
            }
        };
        Some(ProxySource::At { url: url?, login })
    }

    fn proxy_address(&mut self, way: &[&str], text: &str) -> Option<Url> {
        address::parse_proxy(text).map_err(|fault| self.fault(way, fault)).ok()
    }

    /// The places of the secrets that only this kind has: keys that its schema says are only written.
    fn own_secrets(&mut self, name: &str, options: &Value, kind: &ProviderKind) -> BTreeMap<String, SecretSource> {
        let mut found = BTreeMap::new();
        for (key, place) in options.as_object().into_iter().flatten() {
            let is_secret = kind.schema["properties"][key.as_str()]["writeOnly"] == Value::Bool(true);
            let place = is_secret.then(|| serde_json::from_value::<SecretKeys>(place.clone()).ok()).flatten();
            let source = place.and_then(|place| self.secret(&["systems", name, key], place));
            found.extend(source.map(|source| (key.clone(), source)));
        }
        found
    }

    fn secret(&mut self, way: &[&str], keys: SecretKeys) -> Option<SecretSource> {
        match (keys.env, keys.file) {
            (Some(_), Some(_)) => {
                self.fault(way, Fault::Both { first: "env", second: "file" });
                None
            }
            (Some(variable), None) if !variable.trim().is_empty() && !may_be_variable(&variable) => {
                let key = way.last().copied().unwrap_or_default().to_owned();
                self.fault(way, Fault::NoVariable { key });
                None
            }
            (Some(variable), None) if !variable.trim().is_empty() => Some(SecretSource::Env(variable)),
            (None, Some(file)) if !file.trim().is_empty() => Some(SecretSource::File(self.root.join(file))),
            _ => {
                // A misspelt `env` has been told already.
                let here = self.shape.places.value(&owned(way)).unwrap_or_default();
                let told = self.errors.iter().filter_map(ConfigError::span).any(|span| here.contains(&span.start));
                if !told {
                    let key = way.last().copied().unwrap_or_default().to_owned();
                    self.fault(way, Fault::SecretNowhere { key });
                }
                None
            }
        }
    }

    fn limits(&mut self, keys: LimitsKeys, tables: &Map<String, Value>) -> Limits {
        let changes = keys.changes.and_then(|text| self.share(&["limits", "changes"], &text));
        let removals = keys.removals.and_then(|keys| self.threshold(&["limits", "removals"], keys));
        let missing = keys.missing.and_then(|keys| self.threshold(&["limits", "missing"], keys));
        let creations = keys.creations.and_then(|keys| self.threshold(&["limits", "creations"], keys));
        let differing = keys.differing.and_then(|keys| self.threshold(&["limits", "differing"], keys));
        let rejected = keys.rejected.and_then(|keys| self.threshold(&["limits", "rejected"], keys));
        let groups = keys.groups.and_then(|keys| self.groups(keys));
        let mut attributes = BTreeMap::new();
        for (name, keys) in keys.attributes {
            if let Some(threshold) = self.threshold(&["limits", "attributes", &name], keys) {
                attributes.insert(name, threshold);
            }
        }
        let numbered = keys.protected.iter().enumerate();
        let protected = numbered.filter_map(|(at, entry)| self.protected(at, entry, tables)).collect();
        let (administrators, approvals) = (keys.administrators, keys.approvals);
        let window = self.window(keys.window);
        let expires = keys.expires.and_then(|text| self.length(&["limits", "expires"], &text, None));
        Limits {
            changes,
            removals,
            missing,
            differing,
            creations,
            attributes,
            groups,
            rejected,
            administrators,
            protected,
            window,
            approvals,
            expires,
        }
    }

    fn groups(&mut self, keys: GroupKeys) -> Option<Groups> {
        let changes = keys.changes.and_then(|keys| self.threshold(&["limits", "groups", "changes"], keys));
        let removals = keys.removals.and_then(|keys| self.threshold(&["limits", "groups", "removals"], keys));
        let creations = keys.creations.and_then(|keys| self.threshold(&["limits", "groups", "creations"], keys));
        Some(Groups { attribute: keys.attribute?, changes, removals, creations })
    }

    fn window(&mut self, text: String) -> Option<Window> {
        if text.trim() == "0" {
            return None;
        }
        let length = self.length(&["limits", "window"], &text, Some(LONGEST_WINDOW))?;
        Some(Window { length, shown: text })
    }

    fn length(&mut self, way: &[&str], text: &str, longest: Option<Duration>) -> Option<Duration> {
        let read = duration(text).filter(|length| longest.is_none_or(|longest| *length <= longest));
        if read.is_none() {
            let key = way.last().copied().unwrap_or_default().to_owned();
            let hint =
                if longest.is_some() { "such as `24h` or `7d`, up to `31d`, or `0`" } else { "such as `24h` or `7d`" };
            self.fault(way, Fault::Quantity { key, what: "duration", hint });
        }
        read
    }

    fn threshold(&mut self, way: &[&str], keys: ThresholdKeys) -> Option<Threshold> {
        let way: Vec<&str> = way.iter().copied().chain(["share"]).collect();
        Some(Threshold { share: self.share(&way, &keys.share?)?, at_least: keys.at_least })
    }

    fn share(&mut self, way: &[&str], text: &str) -> Option<Share> {
        let share = Share::parse(text);
        if share.is_none() {
            let key = way.last().copied().unwrap_or_default().to_owned();
            self.fault(
                way,
                Fault::Quantity { key, what: "share of people", hint: "such as `5%` or `2.5%`, up to `100%`" },
            );
        }
        share
    }

    fn protected(&mut self, at: usize, entry: &str, tables: &Map<String, Value>) -> Option<Protected> {
        let at = at.to_string();
        let way = ["limits", "protected", at.as_str()];
        let Some((system, account)) =
            entry.split_once(':').filter(|(system, account)| !system.trim().is_empty() && !account.trim().is_empty())
        else {
            self.fault(&way, Fault::ProtectedForm { entry: entry.to_owned() });
            return None;
        };
        let is_source = |table: &Value| self.kinds.sources.iter().any(|kind| table["kind"] == kind.name);
        if tables.get(system).is_none_or(is_source) {
            let providers = tables.iter().filter(|(_, table)| !is_source(table)).map(|(name, _)| name.as_str());
            let suggestion = nearest(system, providers);
            self.fault(&way, Fault::ProtectedSystem { system: system.to_owned(), suggestion });
            return None;
        }
        Some(Protected { system: system.into(), account: account.trim().into() })
    }

    /// Takes note of a fault of the value at the end of this way.
    fn fault(&mut self, way: &[&str], fault: Fault) {
        self.errors.push(ConfigError::new(self.shape.places.value(&owned(way)), fault));
    }

    /// Takes note of a fault of the key at the end of this way.
    fn fault_at_key(&mut self, way: &[&str], fault: Fault) {
        self.errors.push(ConfigError::new(self.shape.places.key(&owned(way)), fault));
    }
}

/// Removes what stands at the end of this way. A list goes whole: what is left of it would stand elsewhere.
fn take_out(data: &mut Value, way: &[String]) {
    let Some((last, outer)) = way.split_last() else { return };
    let mut table = data;
    for (at, key) in outer.iter().enumerate() {
        match table.get_mut(key) {
            Some(Value::Array(_)) => return take_out(table, &way[at..=at]),
            Some(_) => table = &mut table[key],
            None => return,
        }
    }
    if let Some(table) = table.as_object_mut() {
        table.shift_remove(last);
    }
}

/// Why rules could not speak of a system of this name.
fn unfit(name: &str) -> Option<&'static str> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if NEUTRAL.contains(&name) {
        Some("it is the name of an attribute")
    } else if !starts || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        Some("rules could not write it")
    } else {
        None
    }
}

fn owned(way: &[&str]) -> Vec<String> {
    way.iter().map(ToString::to_string).collect()
}
