//! The shape of `homeward.toml`, as JSON Schema: what editors complete and what the file is checked against.
//!
//! The keys that all systems share are written down here. What a kind adds comes with the kind, as a schema, so that
//! this room knows no provider and no source by name.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The kinds of systems there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kinds {
    pub(crate) providers: Vec<ProviderKind>,
    pub(crate) sources: Vec<SourceKind>,
    /// Kinds that a coming version will have: known by name, to say so.
    pub(crate) announced: Vec<&'static str>,
}

/// A kind of system that calls go to.
#[derive(Clone, Debug)]
pub(crate) struct ProviderKind {
    /// The word after `kind =`.
    pub(crate) name: &'static str,
    /// Whether a private key will do instead of a token.
    pub(crate) takes_key: bool,
    /// What its records say where `says` is not given, where records come from it as well; `None`: none do.
    pub(crate) records: Option<Says>,
    /// The JSON Schema of its own settings: an object.
    pub(crate) schema: Value,
}

/// A kind of system that records come from.
#[derive(Clone, Debug)]
pub(crate) struct SourceKind {
    /// The word after `kind =`.
    pub(crate) name: &'static str,
    /// What its records say where `says` is not given.
    pub(crate) says: Says,
    /// The JSON Schema of its own settings: an object.
    pub(crate) schema: Value,
}

impl Kinds {
    /// The words that may stand after `kind =`.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let providers = self.providers.iter().map(|kind| kind.name);
        providers.chain(self.sources.iter().map(|kind| kind.name)).collect()
    }
}

/// What a record of a source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Says {
    /// Each value is what the source holds to be true now.
    State,
    /// Only what differs from the last time this source showed this person is said.
    Changes,
}

/// `homeward.toml`: who owns what is said in rules, who is who is said here.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FileKeys {
    /// The folder of the rules.
    #[serde(default = "rules")]
    pub(super) rules: String,
    /// The file that keeps what must be remembered between runs.
    #[serde(default = "state")]
    pub(super) state: String,
    /// The systems, each in a table of its own: `[systems.gitlab]`.
    #[schemars(required)]
    pub(super) systems: Option<Map<String, Value>>,
    /// What a plan must keep to, judged before the first write.
    #[serde(default)]
    pub(super) limits: LimitsKeys,
    /// How the service runs that `homeward watch` is.
    #[serde(default)]
    pub(super) watch: WatchKeys,
    /// What one run may use up.
    #[serde(default)]
    pub(super) apply: ApplyKeys,
    /// What is to come by itself after a run.
    #[serde(default)]
    pub(super) follow: FollowKeys,
}

/// `[follow]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FollowKeys {
    /// How long a value may take to come by itself, as with the next sign-in, until it is told to be overdue; `30d` if not
    /// given.
    #[schemars(example = &"30d")]
    pub(super) within: Option<String>,
}

/// `[apply]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyKeys {
    /// How long a run may go on, such as `2h`: no further call is begun afterwards. No limit if not given.
    #[schemars(example = &"2h")]
    pub(super) time: Option<String>,
    /// How many requests of a run may be sent again after a fault in passing; 1000 if not given.
    pub(super) retries: Option<u32>,
    /// After so many failures in a row a system is left alone; 5 if not given.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) failures: Option<u32>,
}

/// `[watch]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WatchKeys {
    /// Where `/healthz` answers, such as `127.0.0.1:9180`; nowhere if not given.
    #[schemars(example = &"127.0.0.1:9180")]
    pub(super) health: Option<String>,
}

/// `[limits]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsKeys {
    /// The share of people one run may change, such as `20%`.
    #[schemars(example = &"20%")]
    pub(super) changes: Option<String>,
    /// How many people one run may remove.
    pub(super) removals: Option<ThresholdKeys>,
    /// How many people a full list may miss that the last accepted one held; 5% and at least 5 if not given.
    pub(super) missing: Option<ThresholdKeys>,
    /// For how many people one attribute may differ from what the last accepted list said; 20% and at least 20 if not
    /// given.
    pub(super) differing: Option<ThresholdKeys>,
    /// How many accounts one run may make at one system.
    pub(super) creations: Option<ThresholdKeys>,
    /// For each attribute, how many people one run may change it for at one system.
    #[serde(default)]
    pub(super) attributes: std::collections::BTreeMap<String, ThresholdKeys>,
    /// Limits within each group of people.
    pub(super) groups: Option<GroupKeys>,
    /// How many rows of a file may be unusable; 2% and at least 10 if not given.
    pub(super) rejected: Option<ThresholdKeys>,
    /// Whether a source may switch off an administrator's account.
    #[serde(default)]
    pub(super) administrators: Administrators,
    /// Accounts that are never touched, such as `gitlab:root`.
    #[serde(default)]
    pub(super) protected: Vec<String>,
    /// How long what runs did counts against later ones, such as `24h`, up to `31d`; `0`: each run is judged alone.
    #[serde(default = "window")]
    #[schemars(example = &"24h")]
    pub(super) window: String,
    /// How many different people have to approve what waits or is held.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 9))]
    pub(super) approvals: u32,
    /// How long what waits or is held can be approved, such as `7d`; for ever if not given.
    #[schemars(example = &"7d")]
    pub(super) expires: Option<String>,
}

impl Default for LimitsKeys {
    fn default() -> Self {
        Self {
            changes: None,
            removals: None,
            missing: None,
            differing: None,
            creations: None,
            attributes: std::collections::BTreeMap::new(),
            groups: None,
            rejected: None,
            administrators: Administrators::default(),
            protected: Vec::new(),
            window: window(),
            approvals: one(),
            expires: None,
        }
    }
}

fn window() -> String {
    "24h".to_owned()
}

fn one() -> u32 {
    1
}

/// What a source may do to the accounts of administrators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Administrators {
    /// Switching one off is held.
    #[default]
    Hold,
    /// They are treated as everybody is.
    Allow,
}

/// `[limits.groups]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupKeys {
    /// People with the same value of this attribute are a group, such as `department`.
    #[schemars(required, example = &"department")]
    pub(super) attribute: Option<String>,
    /// How many people of one group may change at one system.
    pub(super) changes: Option<ThresholdKeys>,
    /// How many people of one group may lose an account at one system.
    pub(super) removals: Option<ThresholdKeys>,
    /// How many accounts may be made at one system for people of one group.
    pub(super) creations: Option<ThresholdKeys>,
}

/// `removals = { … }` and its like.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThresholdKeys {
    /// The share of people, such as `5%`.
    #[schemars(required, example = &"5%")]
    pub(super) share: Option<String>,
    /// So many are allowed whatever the share is: one leaver of ten is no disaster.
    #[serde(default)]
    pub(super) at_least: u64,
}

/// What every provider has.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ProviderKeys {
    /// The address, such as `https://git.example.com`.
    #[schemars(required, example = &"https://git.example.com")]
    pub(super) url: Option<String>,
    /// Where the token is found, or those of the people.
    pub(super) token: Option<TokenKeys>,
    /// Where the private key of a service account is found, for kinds that take one instead of a token.
    pub(super) key: Option<SecretKeys>,
    /// How many writes may be under way at once.
    #[schemars(range(min = 1, max = 100))]
    pub(super) concurrency: Option<usize>,
    /// How much may be asked of it, such as `10/s` or `300/10m`; what it tells itself if not given.
    #[schemars(example = &"300/10m")]
    pub(super) rate: Option<String>,
    /// How many requests may come at once after a silence. Without it, `rate` holds for any stretch of its time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) burst: Option<u32>,
    /// How long an answer may take, such as `30s`.
    #[schemars(example = &"30s")]
    pub(super) timeout: Option<String>,
    /// How long a value may take that comes to it by itself; as `[follow]` says if not given.
    #[schemars(example = &"30d")]
    pub(super) follows_within: Option<String>,
    /// How long making a connection may take; `10s` if not given.
    #[schemars(example = &"10s")]
    pub(super) connect_timeout: Option<String>,
    /// How long it may be silent before or within an answer; as long as `timeout` if not given.
    #[schemars(example = &"15s")]
    pub(super) read_timeout: Option<String>,
    /// Allows an `http://` address, which shows everybody on the way the token.
    #[serde(default)]
    pub(super) insecure_http: bool,
    /// A PEM file with the authorities that may vouch for the server; those that this machine trusts if not given.
    #[schemars(example = &"corp-ca.pem")]
    pub(super) ca: Option<String>,
    /// Where the certificate is found that proves who we are, for servers that ask for one: PEM, with its private key.
    pub(super) client_certificate: Option<SecretKeys>,
    /// The proxy on the way there, such as `http://proxy.example.com:3128`; `direct` for none. The one that the
    /// environment names (`HTTPS_PROXY`, `NO_PROXY` and their like) if not given.
    pub(super) proxy: Option<ProxyKeys>,
    /// What a record means, where records come from this system too.
    pub(super) says: Option<Says>,
    /// How often `homeward watch` reads it, such as `5m`.
    #[schemars(example = &"5m")]
    pub(super) poll: Option<String>,
    /// Where `homeward watch` is told of changes.
    pub(super) webhook: Option<WebhookKeys>,
}

/// `proxy = "…"` or `proxy = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum ProxyKeys {
    /// Its address, or `direct`.
    Address(String),
    /// One that wants to know who we are.
    Login(ProxyLoginKeys),
}

/// `proxy = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyLoginKeys {
    /// The address, such as `http://proxy.example.com:3128`.
    #[schemars(required, example = &"http://proxy.example.com:3128")]
    pub(super) url: Option<String>,
    /// The login.
    #[schemars(required, example = &"homeward")]
    pub(super) username: Option<String>,
    /// Where the password is found.
    #[schemars(required)]
    pub(super) password: Option<SecretKeys>,
}

/// The keys of [`ProviderKeys`] that only a system has from which records come.
const FEED_KEYS: [&str; 3] = ["says", "poll", "webhook"];

/// `webhook = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookKeys {
    /// Address and port to listen at, such as `127.0.0.1:8088`.
    #[schemars(required, example = &"127.0.0.1:8088")]
    pub(super) listen: Option<String>,
    /// The path that deliveries are sent to.
    #[serde(default = "root")]
    pub(super) path: String,
    /// The secret that deliveries are signed with.
    #[schemars(required)]
    pub(super) secret: Option<SecretKeys>,
    /// A secret that is still taken while a new one is brought in.
    pub(super) former_secret: Option<SecretKeys>,
    /// How deliveries are signed.
    #[serde(default)]
    pub(super) signature: Signature,
    /// The header that holds the signature, for `base64` and `hex`.
    pub(super) header: Option<String>,
}

/// How deliveries are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signature {
    /// As the Standard Webhooks are: over id, time and body.
    #[default]
    Standard,
    /// HMAC-SHA256 of the body in base64, in a header of its own.
    Base64,
    /// HMAC-SHA256 of the body in hex, in a header of its own.
    Hex,
}

fn root() -> String {
    "/".to_owned()
}

/// What every source has.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct SourceKeys {
    /// What a record means.
    pub(super) says: Option<Says>,
}

/// Where a secret is found: one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("writeOnly" = true))]
pub(super) struct SecretKeys {
    /// An environment variable.
    pub(super) env: Option<String>,
    /// A file.
    pub(super) file: Option<String>,
}

/// Where a token is found: one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("writeOnly" = true))]
pub(super) struct TokenKeys {
    /// An environment variable.
    pub(super) env: Option<String>,
    /// A file.
    pub(super) file: Option<String>,
    /// There is none of ours: everybody's account is read and changed with a token of her own.
    pub(super) per_person: Option<PerPersonKeys>,
}

/// `token = { per_person = { … } }`: one of `file`, `command` and `store`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PerPersonKeys {
    /// A file, JSON or (with that ending) TOML: `source/key` of each person, and her token.
    #[schemars(example = &"tokens.json")]
    pub(super) file: Option<String>,
    /// A program and its arguments, run once for each run without a shell: it reads `{"person": …}` in lines and answers
    /// in lines.
    pub(super) command: Option<Vec<String>>,
    /// How long the command may take; `30s` if not given.
    #[schemars(example = &"30s")]
    pub(super) time: Option<String>,
    /// The state store, filled with `homeward token set`.
    pub(super) store: Option<TokenStoreKeys>,
    /// How these tokens came about, where nothing else is said of one.
    #[serde(default)]
    pub(super) kind: OwnKind,
    /// Where a token that has ended is renewed (RFC 6749, section 6).
    pub(super) refresh: Option<RefreshKeys>,
}

/// How people's own tokens came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OwnKind {
    /// An application was granted them.
    #[default]
    Oauth,
    /// People made them themselves.
    Personal,
}

/// `store = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenStoreKeys {
    /// Where the key is found that the tokens are encrypted with: 32 bytes in base64.
    #[schemars(required)]
    pub(super) key: Option<SecretKeys>,
}

/// `refresh = { … }`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshKeys {
    /// The address that gives tokens, such as `https://chat.example.com/oauth/access_token`.
    #[schemars(required, example = &"https://chat.example.com/oauth/access_token")]
    pub(super) url: Option<String>,
    /// The id of the application that was granted the tokens.
    #[schemars(required)]
    pub(super) client_id: Option<String>,
    /// Where its secret is found; none for a public application.
    pub(super) client_secret: Option<SecretKeys>,
}

/// Where the schema of a kind's table is found in [`schema`].
pub(super) fn table(kind: &str) -> String {
    format!("#/$defs/systems.{kind}")
}

/// The keys of a table that are common to its role, and not the kind's own.
pub(super) fn common_keys<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T).to_value();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(key, _)| key.clone()).chain(["kind".to_owned()]).collect()
}

/// The JSON Schema of the whole file.
pub(crate) fn schema(kinds: &Kinds) -> Value {
    let mut defs = Map::new();
    let mut file = adopt(schemars::schema_for!(FileKeys).to_value(), "", &mut defs);
    let providers = kinds.providers.iter().map(|kind| {
        let mut common = schemars::schema_for!(ProviderKeys).to_value();
        if kind.records.is_none()
            && let Some(properties) = common["properties"].as_object_mut()
        {
            properties.retain(|key, _| !FEED_KEYS.contains(&key.as_str()));
        }
        (kind.name, common, &kind.schema)
    });
    let sources = kinds.sources.iter().map(|kind| {
        let common = schemars::schema_for!(SourceKeys).to_value();
        (kind.name, common, &kind.schema)
    });
    let mut tables = Vec::new();
    for (name, common, own) in providers.chain(sources).collect::<Vec<_>>() {
        let common = adopt(common, "", &mut defs);
        let own = adopt(own.clone(), &format!("{name}."), &mut defs);
        defs.insert(format!("systems.{name}"), joined(name, &common, &own));
        tables.push(json!({ "$ref": table(name) }));
    }
    if let Some(file) = file.as_object_mut() {
        file.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        file.insert("title".to_owned(), json!("homeward.toml"));
        file.insert("$defs".to_owned(), Value::Object(defs));
    }
    let systems = &mut file["properties"]["systems"];
    systems["type"] = json!("object");
    systems["additionalProperties"] = json!({ "oneOf": tables });
    file
}

/// The table of one kind: its name, the common keys, its own keys, and nothing else.
fn joined(name: &str, common: &Value, own: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": name, "description": "What sort of system this is." }));
    let mut required = vec![json!("kind")];
    for schema in [common, own] {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            properties.insert(key.clone(), property.clone());
        }
        required.extend(schema["required"].as_array().into_iter().flatten().cloned());
    }
    let description = own.get("description").or(common.get("description")).cloned().unwrap_or_default();
    json!({
        "type": "object", "description": description, "properties": properties, "required": required,
        "additionalProperties": false,
    })
}

/// Moves the definitions of a schema into `defs`, under names with this prefix, and lets its references follow.
fn adopt(mut schema: Value, prefix: &str, defs: &mut Map<String, Value>) -> Value {
    redirect(&mut schema, prefix);
    if let Some(Value::Object(own)) = schema.as_object_mut().and_then(|schema| schema.remove("$defs")) {
        defs.extend(own.into_iter().map(|(name, definition)| (format!("{prefix}{name}"), definition)));
    }
    schema
}

fn redirect(schema: &mut Value, prefix: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{prefix}{name}");
                        }
                    }
                    value => redirect(value, prefix),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| redirect(item, prefix)),
        _ => {}
    }
}

fn rules() -> String {
    "rules".to_owned()
}

fn state() -> String {
    ".homeward/state.db".to_owned()
}
