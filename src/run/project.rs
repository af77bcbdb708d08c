//! A project opened: configuration and rules read, systems ready to be spoken to. Nothing is sent yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use jiff::civil::Date;
use url::Url;

use super::{
    RunError,
    belief::Belief,
    expectations,
    fleet::{Again, Fleet, Member},
    gather::Source,
    holds::Terms,
    prepare::Desk,
    route::route,
    tokens::{self, Keyring, Place, Renewer, of_lab},
};
use crate::{
    config::{
        self, Config, CredentialSource, PerPerson, Provider, TokenPlace,
        error::ConfigErrors,
        schema::{Administrators, Says},
        secret::SecretSource,
    },
    connector::Kind,
    lab::{Address, Bench},
    model::{
        attribute::AttributeName,
        capability::Scheme,
        id::SystemName,
        secret::{Secret, Secrets},
    },
    plan::guard::{GroupLimits, Limits, Threshold},
    rules::{Known, KnownSystem, RuleError, RuleSet},
    source::{
        csv_file::{self, settings::Coverage},
        drop_folder, wordpress,
    },
    state::{
        Memory,
        vault::{Shut, Vault},
    },
    wire::{Allotment, Client, Credential, Habits, Line, Rate, Reach, Route},
};

/// Why a project could not be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Config(ConfigErrors),
    Rules(Vec<RuleError>),
    Run(RunError),
}

impl From<ConfigErrors> for OpenError {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

impl From<RunError> for OpenError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

/// Everything a command works with.
pub(crate) struct Project {
    pub(crate) config: Config,
    pub(crate) known: Known,
    pub(crate) rules: RuleSet,
    pub(crate) sources: BTreeMap<SystemName, Source>,
    pub(crate) limits: Limits,
    /// How limits count, and how what waits is settled.
    pub(crate) terms: Terms,
    /// The folders that files are dropped into.
    pub(crate) folders: BTreeMap<SystemName, drop_folder::settings::Settings>,
    /// The websites that records come from.
    pub(crate) websites: BTreeMap<SystemName, wordpress::settings::Settings>,
}

impl Project {
    /// What a plan is made with, by the rules as they are.
    pub(crate) fn desk<'a>(&'a self, memory: &'a Memory, today: String, belief: Option<Belief>) -> Desk<'a> {
        let Self { rules, sources, limits, .. } = self;
        Desk { rules, sources, limits, memory, today, belief }
    }

    /// True for a source whose inputs tell of everybody: who is missing in one is gone.
    pub(crate) fn lists_everybody(&self, system: &SystemName) -> bool {
        self.sources.get(system).is_some_and(|source| source.coverage == Coverage::Full)
    }
}

/// Reads configuration and rules. Reads no secret and sends nothing.
pub(crate) fn open(file: &Path, kinds: &[Kind], today: Date) -> Result<Project, OpenError> {
    let (project, ()) = open_with(file, kinds, |folder, shown, known| {
        RuleSet::load(folder, shown, known, today).map(|rules| (rules, ()))
    })?;
    Ok(project)
}

/// The same, with what can be read of the rules in spite of errors in them.
pub(crate) fn open_anyway(file: &Path, kinds: &[Kind], today: Date) -> Result<(Project, Vec<RuleError>), OpenError> {
    open_with(file, kinds, |folder, shown, known| RuleSet::load_anyway(folder, shown, known, today))
}

/// The same by rules from elsewhere: the project's own are not read.
pub(crate) fn open_by<T>(
    file: &Path,
    kinds: &[Kind],
    load: impl FnOnce(&Known) -> Result<(RuleSet, T), Vec<RuleError>>,
) -> Result<(Project, T), OpenError> {
    open_with(file, kinds, |_, _, known| load(known))
}

fn open_with<T>(
    file: &Path,
    kinds: &[Kind],
    load: impl FnOnce(&Path, &str, &Known) -> Result<(RuleSet, T), Vec<RuleError>>,
) -> Result<(Project, T), OpenError> {
    let config = config::load(file, &super::kinds::for_config(kinds))?;
    let sources = sources(&config)?;
    let folders = folders(&config)?;
    let websites = websites(&config)?;
    check_options(&config, kinds)?;
    let known = known(&config, kinds);
    if let Some(name) = config.limits.attributes.keys().find(|name| known.attribute(name).is_none()) {
        return Err(config.unknown_limit(name, known.near_attribute(name)).into());
    }
    if let Some(groups) = config.limits.groups.as_ref().filter(|groups| known.attribute(&groups.attribute).is_none()) {
        let name = groups.attribute.as_str();
        return Err(config.unknown_group(name, known.near_attribute(name)).into());
    }
    let shown = config.rules.strip_prefix(&config.root).unwrap_or(&config.rules).display().to_string();
    let (rules, rest) = load(&config.rules, &shown, &known).map_err(OpenError::Rules)?;
    let limits = limits(&config, &sources);
    let terms = Terms::of(&config.limits);
    Ok((Project { config, known, rules, sources, limits, terms, folders, websites }, rest))
}

fn sources(config: &Config) -> Result<BTreeMap<SystemName, Source>, ConfigErrors> {
    let mut sources = BTreeMap::new();
    for (name, system) in &config.systems {
        if system.kind == super::kinds::CSV {
            let settings = csv_file::settings::Settings::new(&system.options)
                .map_err(|error| config.fault(name, error.key, error.to_string(), error.hint.clone()))?;
            let source = Source {
                says: system.says.unwrap_or(Says::State),
                coverage: settings.coverage,
                key: settings.key.clone(),
                csv: Some(settings),
            };
            sources.insert(name.clone(), source);
        }
        if system.kind == super::kinds::WORDPRESS {
            let settings = website(config, name)?;
            let source = Source {
                says: system.says.unwrap_or(Says::Changes),
                coverage: settings.coverage,
                key: "id".to_owned(),
                csv: None,
            };
            sources.insert(name.clone(), source);
        }
    }
    Ok(sources)
}

/// The folders that are watched.
fn folders(config: &Config) -> Result<BTreeMap<SystemName, drop_folder::settings::Settings>, ConfigErrors> {
    let mut folders = BTreeMap::new();
    for (name, system) in config.systems.iter().filter(|(_, system)| system.kind == super::kinds::CSV) {
        let settings = drop_folder::settings::Settings::new(&config.root, &system.options)
            .map_err(|error| config.fault(name, error.key, error.to_string(), error.hint.clone()))?;
        folders.extend(settings.map(|settings| (name.clone(), settings)));
    }
    one_feed_each(config, &folders)?;
    Ok(folders)
}

/// Two feeds of one folder would take each other's files: which source a file belongs to would be chance.
fn one_feed_each(
    config: &Config,
    folders: &BTreeMap<SystemName, drop_folder::settings::Settings>,
) -> Result<(), ConfigErrors> {
    let place = |name: &SystemName| config.place(name, "folder").map_or(0, |span| span.start);
    let mut written: Vec<_> = folders.iter().collect();
    written.sort_by_key(|(name, _)| place(name));
    let mut taken: BTreeMap<PathBuf, &SystemName> = BTreeMap::new();
    for (name, settings) in written {
        if let Some(first) = taken.insert(plain(&settings.folder), name) {
            let message = format!("{name} watches the folder that {first} watches");
            let hint = "one folder, one feed: give each source a folder of its own".to_owned();
            return Err(config.fault(name, Some("folder"), message, Some(hint)));
        }
    }
    Ok(())
}

/// A path from the root on and without `..`, as two ways to write one path have in common. No link is followed.
fn plain(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

fn websites(config: &Config) -> Result<BTreeMap<SystemName, wordpress::settings::Settings>, ConfigErrors> {
    let websites = config.systems.iter().filter(|(_, system)| system.kind == super::kinds::WORDPRESS);
    websites.map(|(name, _)| Ok((name.clone(), website(config, name)?))).collect()
}

fn website(config: &Config, name: &SystemName) -> Result<wordpress::settings::Settings, ConfigErrors> {
    let options = config.systems.get(name).map(|system| system.options.clone()).unwrap_or_default();
    wordpress::settings::Settings::new(&options)
        .map_err(|error| config.fault(name, error.key, error.to_string(), error.hint.clone()))
}

/// Lets every kind read its own settings, so that a wrong one is found before anything else happens.
fn check_options(config: &Config, kinds: &[Kind]) -> Result<(), ConfigErrors> {
    for (name, system) in &config.systems {
        if let Some(kind) = Fleet::kind_named(&system.kind, kinds)
            && let Err(error) = (kind.open)(system.options.clone())
        {
            return Err(config.fault(name, None, error.to_string(), None));
        }
    }
    Ok(())
}

/// What scripts may name.
fn known(config: &Config, kinds: &[Kind]) -> Known {
    let systems = config.systems.iter().map(|(name, system)| {
        let table = Fleet::kind_named(&system.kind, kinds).map(|kind| kind.capabilities);
        let rows = table.map(|table| table.attributes).unwrap_or_default();
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let known = KnownSystem {
            kind: system.kind.clone(),
            is_source: system.says.is_some(),
            is_provider: table.is_some(),
            attributes: rows.iter().map(|row| row.name.to_owned()).collect(),
            own_attributes: rows.iter().filter(|row| !row.neutral).map(|row| row.name.to_owned()).collect(),
            facts: table.map(|table| texts(table.facts)).unwrap_or_default(),
            lookups: table.map(|table| texts(table.lookups)).unwrap_or_default(),
            sets: rows.iter().filter_map(|row| Some((row.name.to_owned(), texts(row.set?.levels)))).collect(),
            operations: table.map(|table| table.operations.to_vec()).unwrap_or_default(),
        };
        (name.clone(), known)
    });
    Known { systems: systems.collect(), extra_attributes: std::collections::BTreeSet::new() }
}

fn limits(config: &Config, sources: &BTreeMap<SystemName, Source>) -> Limits {
    let limits = &config.limits;
    let few = Threshold { share: 50_000, at_least: 5 };
    let lists_everybody = sources.values().any(|source| source.coverage == Coverage::Full);
    let threshold = |it: config::Threshold| Threshold { share: it.share.millionths(), at_least: it.at_least };
    Limits {
        changes: limits.changes.map(config::quantity::Share::millionths),
        // Where absence means something, a broken export looks like a mass departure.
        removals: limits.removals.map(threshold).or_else(|| lists_everybody.then_some(few)),
        // What nobody asked for and everybody needs: a list that was cut off, and one that was shifted.
        missing: Some(limits.missing.map_or(few, threshold)),
        differing: Some(limits.differing.map_or(Threshold { share: 200_000, at_least: 20 }, threshold)),
        creations: limits.creations.map(threshold),
        groups: limits.groups.as_ref().map(|groups| GroupLimits {
            attribute: AttributeName::new(&groups.attribute),
            changes: groups.changes.map(threshold),
            removals: groups.removals.map(threshold),
            creations: groups.creations.map(threshold),
        }),
        attributes: limits.attributes.iter().map(|(name, it)| (AttributeName::new(name), threshold(*it))).collect(),
        rejected: Some(limits.rejected.map_or(Threshold { share: 20_000, at_least: 10 }, threshold)),
        administrators: limits.administrators == Administrators::Allow,
        protected: limits
            .protected
            .iter()
            .map(|one| (one.system.clone(), one.account.as_str().to_lowercase()))
            .collect(),
    }
}

/// Opens a connector and a line for every provider; with a lab, the lab's addresses take the place of the configured ones
/// and no secret is read.
pub(crate) fn fleet(
    config: &Config,
    kinds: &[Kind],
    lab: Option<&BTreeMap<String, Address>>,
) -> Result<Fleet, OpenError> {
    let allotment = Allotment { time: config.apply.time, retries: config.apply.retries };
    let mut fleet = Fleet { allotment, ..Fleet::default() };
    let mut faults: Option<ConfigErrors> = None;
    let secrets = Secrets::default();
    for (name, system) in &config.systems {
        let Some(kind) = Fleet::kind_named(&system.kind, kinds) else {
            fleet.sources.insert(name.clone(), system.kind.clone());
            continue;
        };
        let Some(provider) = &system.provider else { continue };
        let simulated = lab.and_then(|lab| lab.get(name.as_str())).and_then(|address| {
            let token = address.tokens.get(token_kind(system)).unwrap_or(&address.token);
            Some((Url::parse(&address.url).ok()?, Secret::new(token)))
        });
        if let (Some(lab), None) = (lab, &simulated) {
            // Never the real server instead: what was meant for a simulator must not reach it.
            let known = lab.keys().cloned().collect();
            return Err(RunError::NoSimulator { system: name.clone(), kind: system.kind.clone(), known }.into());
        }
        let opened = options(config, name, system, provider, simulated.is_some(), &secrets).and_then(|options| {
            let connector = (kind.open)(options.clone());
            let connector = connector.map_err(|error| config.fault(name, None, error.to_string(), None))?;
            let open = kind.open;
            let again: Again = Box::new(move || open(options.clone()).ok());
            Ok((connector, again))
        });
        let home = if simulated.is_some() { "lab".to_owned() } else { provider.url.to_string() };
        let real = || {
            let route = route(config, name, provider)?;
            let credential = credential(config, name, system, &provider.credential, kind)?;
            Ok::<_, ConfigErrors>((provider.url.clone(), credential, route))
        };
        let is_simulated = simulated.is_some();
        let reached = match simulated {
            Some((url, _)) if matches!(provider.credential, CredentialSource::PerPerson(_)) => {
                Ok((url, Credential::Own, Route::default()))
            }
            Some((url, token)) => Ok((url, as_taken(token, system, kind), Route::default())),
            None => real(),
        };
        let ((connector, again), (url, credential, route)) = match (opened, reached) {
            (Ok(connector), Ok(reached)) => (connector, reached),
            (opened, reached) => {
                // All that is missing at once: nobody wants to set one variable after another.
                for errors in [opened.err(), reached.err()].into_iter().flatten() {
                    match &mut faults {
                        Some(faults) => faults.errors.extend(errors.errors),
                        None => faults = Some(errors),
                    }
                }
                continue;
            }
        };
        if let Credential::Token(token) | Credential::Basic { password: token, .. } = &credential {
            secrets.learn(token);
        }
        let concurrency = provider.concurrency.unwrap_or(kind.capabilities.concurrency);
        let reach = Reach {
            system: name.clone(),
            url,
            credential,
            scheme: kind.capabilities.scheme,
            concurrency,
            timeout: provider.timeout,
            habits: Habits {
                connect_timeout: provider.connect_timeout,
                read_timeout: provider.read_timeout,
                rate: provider.rate.map(|rate| Rate { count: rate.count, per: rate.per, burst: provider.burst }),
                failures: config.apply.failures,
                dialect: connector.dialect(),
            },
            route,
        };
        let line = Arc::new(Line::new(reach).map_err(RunError::from)?);
        let follows_within = provider.follows_within.or(config.follows_within).unwrap_or(expectations::USUAL);
        let keyring = match &provider.credential {
            CredentialSource::PerPerson(per_person) => {
                if !connector.has_own_tokens() {
                    let (message, hint) = tokens::not_taken(kind, kinds);
                    return Err(config.fault(name, Some("token"), message, Some(hint)).into());
                }
                Some(Arc::new(keyring(config, name, provider, per_person, is_simulated, &secrets)?))
            }
            CredentialSource::Token(_) | CredentialSource::Key(_) => None,
        };
        let secrets = secrets.clone();
        let member =
            Member { kind: kind.name, connector, line, concurrency, follows_within, home, keyring, secrets, again };
        fleet.members.insert(name.clone(), member);
    }
    match faults {
        Some(faults) => Err(faults.into()),
        None => Ok(fleet),
    }
}

/// The keys of a kind with its own secrets in them. In a lab there are none to read: each is `lab`.
fn options(
    config: &Config,
    name: &SystemName,
    system: &config::System,
    provider: &config::Provider,
    is_simulated: bool,
    secrets: &Secrets,
) -> Result<serde_json::Value, ConfigErrors> {
    let mut options = system.options.clone();
    for (key, place) in &provider.secrets {
        let secret = if is_simulated {
            Secret::new("lab")
        } else {
            place.read().map_err(|error| config.because(error.of_servers().at(config.place(name, key))))?
        };
        secrets.learn(&secret);
        options[key.as_str()] = secret.expose().into();
    }
    Ok(options)
}

/// The kind of token a system is configured with, as far as its kind knows kinds.
fn token_kind(system: &config::System) -> &str {
    system.options.get("token_kind").and_then(serde_json::Value::as_str).unwrap_or("personal")
}

fn credential(
    config: &Config,
    name: &SystemName,
    system: &config::System,
    source: &CredentialSource,
    kind: &Kind,
) -> Result<Credential, ConfigErrors> {
    let read = |secret: &SecretSource| {
        let key = if matches!(source, CredentialSource::Token(_)) { "token" } else { "key" };
        secret.read().map_err(|error| config.because(error.of_servers().at(config.place(name, key))))
    };
    match (source, kind.capabilities.key_scope) {
        (CredentialSource::Token(token), _) => Ok(as_taken(read(token)?, system, kind)),
        (CredentialSource::Key(file), Some(scope)) => Ok(Credential::Key { file: read(file)?, scope }),
        (CredentialSource::PerPerson(_), _) => Ok(Credential::Own),
        (CredentialSource::Key(_), None) => {
            let message = format!("a {} takes a token, and no key", kind.name);
            Err(config.fault(name, Some("key"), message, None))
        }
    }
}

/// The tokens of people at a system. Those of a lab are made up, and stand beside its seed.
fn keyring(
    config: &Config,
    name: &SystemName,
    provider: &Provider,
    keys: &PerPerson,
    is_simulated: bool,
    secrets: &Secrets,
) -> Result<Keyring, OpenError> {
    let home = provider.url.as_str().trim_end_matches('/').to_owned();
    if is_simulated {
        let place = Place::File { path: of_lab(&config.root, name), is_made_up: true };
        return Ok(Keyring::new(name.clone(), home, keys.kind, place, None, secrets.clone()));
    }
    let mut vault = None;
    let place = match &keys.place {
        TokenPlace::File(path) => Place::File { path: path.clone(), is_made_up: false },
        TokenPlace::Command { program, time } => {
            Place::Command { program: program.clone(), root: config.root.clone(), time: *time }
        }
        TokenPlace::Store { key } => {
            let opened = Arc::new(open_vault(config, name, key)?);
            vault = Some(Arc::clone(&opened));
            Place::Store(opened)
        }
    };
    let renewer = match &keys.refresh {
        None => None,
        Some(refresh) => {
            let at = "token.per_person.refresh.client_secret";
            let read =
                |place: &SecretSource| place.read().map_err(|error| config.because(error.at(config.place(name, at))));
            let secret = refresh.secret.as_ref().map(read).transpose()?;
            if let Some(secret) = &secret {
                secrets.learn(secret);
            }
            let reach = Reach {
                system: name.clone(),
                url: refresh.url.clone(),
                credential: Credential::Own,
                scheme: Scheme::Bearer,
                concurrency: 1,
                timeout: provider.timeout,
                habits: Habits { connect_timeout: provider.connect_timeout, ..Habits::default() },
                route: route(config, name, provider)?,
            };
            let line = Line::new(reach).map_err(RunError::from)?;
            let client = Client { id: refresh.client.clone(), secret };
            Some(Arc::new(Renewer::new(name.clone(), line, client, vault, config.state.clone(), secrets.clone())))
        }
    };
    Ok(Keyring::new(name.clone(), home, keys.kind, place, renewer, secrets.clone()))
}

/// The sealed tokens of the store, with the key that is configured.
pub(crate) fn open_vault(config: &Config, name: &SystemName, key: &SecretSource) -> Result<Vault, OpenError> {
    let at = "token.per_person.store.key";
    let key = key.read().map_err(|error| config.because(error.at(config.place(name, at))))?;
    let shut = |shut: Shut| config.fault(name, Some(at), shut.to_string(), Some(shut.hint()));
    Ok(Vault::new(&config.state, &key).map_err(shut)?)
}

/// A token as its kind wants it shown: alone, or as the password of the configured login.
fn as_taken(token: Secret, system: &config::System, kind: &Kind) -> Credential {
    match kind.capabilities.scheme {
        Scheme::Basic => Credential::basic(login(system).unwrap_or_default(), &token),
        Scheme::BasicOrBearer => match login(system) {
            Some(login) => Credential::basic(login, &token),
            None => Credential::Token(token),
        },
        Scheme::Bearer | Scheme::Header(_) => Credential::Token(token),
    }
}

fn login(system: &config::System) -> Option<&str> {
    system.options.get("username").and_then(serde_json::Value::as_str)
}

/// A file of the `lab` folder that no simulator reads and that may be meant for one that has none, with the name it would
/// need: a system has the name that the configuration gives it, and not that of its kind.
pub(crate) fn astray(config: &Config, kinds: &[Kind]) -> Option<(String, String)> {
    let lab = config.root.join("lab");
    let systems = config.systems.iter().filter(|(_, system)| Fleet::kind_named(&system.kind, kinds).is_some());
    let mut unseeded = systems.filter(|(name, _)| !lab.join(format!("{name}.json")).exists());
    let files = std::fs::read_dir(&lab).ok()?.filter_map(|file| file.ok()?.file_name().into_string().ok());
    let names: BTreeSet<String> = files.filter_map(|file| Some(file.strip_suffix(".json")?.to_owned())).collect();
    let is_nobodys = |name: &&String| !config.systems.keys().any(|system| system.as_str() == *name);
    unseeded.find_map(|(system, of)| {
        let astray = names.iter().filter(is_nobodys).find(|name| **name == of.kind)?;
        Some((format!("lab/{astray}.json"), format!("lab/{system}.json")))
    })
}

/// The simulators this project would need, with the seeds from its `lab` folder.
pub(crate) fn benches(config: &Config, kinds: &[Kind]) -> Result<Vec<Bench>, OpenError> {
    let mut benches = Vec::new();
    for (name, system) in config.systems.iter().filter(|(_, system)| Fleet::kind_named(&system.kind, kinds).is_some()) {
        let file = format!("lab/{name}.json");
        let bad = |cause: String| OpenError::Run(RunError::Seed { file: file.clone(), cause });
        let mut seed: serde_json::Value = match std::fs::read_to_string(config.root.join(&file)) {
            Ok(text) => serde_json::from_str(&text).map_err(|error| bad(format!("it is no JSON ({error})")))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => serde_json::json!({}),
            Err(error) => return Err(bad(error.to_string())),
        };
        // A simulator has the organization that is configured, unless its seed says which ones it has.
        if let (Some(id), Some(seed)) = (system.options.get("organization"), seed.as_object_mut()) {
            let organizations = serde_json::json!([{ "id": id, "name": "the configured organization" }]);
            seed.entry("organizations").or_insert(organizations);
        }
        // And it knows the login that is configured, where its kind has one.
        let has_login = Fleet::kind_named(&system.kind, kinds)
            .is_some_and(|kind| matches!(kind.capabilities.scheme, Scheme::Basic | Scheme::BasicOrBearer));
        if let (true, Some(login), Some(seed)) = (has_login, system.options.get("username"), seed.as_object_mut()) {
            seed.entry("username").or_insert_with(|| login.clone());
        }
        benches.push(Bench {
            system: name.to_string(),
            kind: system.kind.clone(),
            token_kind: token_kind(system).to_owned(),
            seed,
        });
    }
    Ok(benches)
}
