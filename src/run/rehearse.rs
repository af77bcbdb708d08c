//! Rehearsals: plans for the tests of rules, made as every plan is and with nothing that could be sent.
//!
//! Connectors are opened and no line is, so there is no way to a server. A test says what is so; the rest is a server as it
//! comes: what a test does not mention an account does not have, but for these.
//!
//! * An account is active, unless the test says otherwise.
//! * A ZITADEL account has the `state` that fits, and lives in the organization `org`, unless one is configured; the server
//!   speaks its newest interface (`zitadel.md` 5). A GitLab account has the `state` that fits (`gitlab.md`).
//! * Whose sign-in a fact names (`auth_service` of Mattermost) signs in with her account there, where the test gives one.
//! * Our own account is nobody's, nothing is restricted to domains, and no server asks for addresses to be confirmed.
//!
//! Facts of a server are given beside those of an account: `mattermost: #{ server: #{ … } }`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::civil::Date;

use super::{
    RunError,
    fleet::Fleet,
    gather::{self, Passage, Said, Source},
    observe::{self, Shown},
    prepare::{Desk, settle},
    project::{OpenError, Project},
    seal::seal,
};
use crate::{
    config::Config,
    connector::{Connector, Kind},
    model::{
        account::{Account, Facts, Identity},
        accounts::Packed,
        attribute::{AttributeName, Value},
        capability::{Capabilities, Change, Foresight},
        few::Few,
        id::{AccountId, PersonId, SystemName},
        links::Link,
        plan::{Home, Request, Seen},
        record::{Header, Record, RecordOrigin},
        refusal::{Refusal, RefusalKind},
    },
    plan::{Providers, guard::Limits},
    rules::{
        Coverage, Goldens, Known, Mutant, Occasion, Outcome, Part, Rehearsal, Rehearsed, RuleSet, Saying, Scenario,
        Texts, Unplanned, mutants,
    },
    source::{
        Read, Row,
        csv_file::{self, Told},
    },
    state::Memory,
};

/// Everything that rehearsals of a project share; threads may share it too.
pub(crate) struct Troupe {
    connectors: BTreeMap<SystemName, (&'static str, Box<dyn Connector>)>,
    kinds: BTreeMap<SystemName, String>,
    sources: BTreeMap<SystemName, Source>,
    limits: Limits,
    known: Known,
    root: PathBuf,
    today: Date,
    /// The rules, as they were read.
    texts: Texts,
    /// The folder of golden plans.
    goldens: PathBuf,
}

/// What the tests of a project came to.
pub(crate) struct Tested {
    pub(crate) outcomes: Vec<Outcome>,
    /// What they made run, where that was counted.
    pub(crate) coverage: Option<Coverage>,
    /// Golden plans that were written, by file.
    pub(crate) written: Vec<String>,
}

/// What became of a fault that was put into the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The rules could not be loaded any more.
    NotLoaded,
    /// This test failed.
    Killed(String),
    /// No test noticed.
    Survived,
}

impl Troupe {
    /// Opens the connectors of a project and reads its tests.
    ///
    /// # Errors
    /// Where settings or scripts are wrong.
    pub(crate) fn open(project: Project, kinds: &[Kind], today: Date) -> Result<Self, OpenError> {
        let Project { config, known, sources, limits, .. } = project;
        let texts = texts(&config)?;
        let (mut connectors, mut of_kind) = (BTreeMap::new(), BTreeMap::new());
        for (name, system) in &config.systems {
            of_kind.insert(name.clone(), system.kind.clone());
            let Some(kind) = Fleet::kind_named(&system.kind, kinds) else { continue };
            let connector = (kind.open)(system.options.clone())
                .map_err(|error| config.fault(name, None, error.to_string(), None))?;
            connectors.insert(name.clone(), (kind.name, connector));
        }
        let (goldens, root) = (config.rules.join("tests").join("golden"), config.root);
        Ok(Self { connectors, kinds: of_kind, sources, limits, known, root, today, texts, goldens })
    }

    /// Loads the rules with their tests.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn load(&self, occasion: Occasion) -> Result<RuleSet, OpenError> {
        RuleSet::rehearse(&self.texts, &self.known, self.today, occasion).map_err(OpenError::Rules)
    }

    /// Runs the tests whose names hold one of the words, or all.
    ///
    /// # Errors
    /// Where the rules do not load, or where golden plans cannot be read or written.
    pub(crate) fn test(&self, filter: &[String], counts: bool, update: bool) -> Result<Tested, OpenError> {
        let goldens = Goldens::new(self.kept()?, update);
        let rules = self.load(Occasion { goldens, counts })?;
        let outcomes = self.outcomes(&rules, filter);
        let coverage = Coverage::of(&rules, &self.texts, &outcomes);
        let mut written = Vec::new();
        for (name, text) in rules.goldens_to_write() {
            let path = self.goldens.join(format!("{name}.json"));
            let write = || -> std::io::Result<()> {
                std::fs::create_dir_all(&self.goldens)?;
                std::fs::write(&path, text.as_bytes())
            };
            let shown = path.strip_prefix(&self.root).unwrap_or(&path).display().to_string();
            write().map_err(|error| unusable(&shown, &error))?;
            written.push(shown);
        }
        Ok(Tested { outcomes, coverage, written })
    }

    fn outcomes(&self, rules: &RuleSet, filter: &[String]) -> Vec<Outcome> {
        let rehearsal = Rehearsing { troupe: self, rules };
        let wanted = rules.tests().enumerate().filter(|(_, (name, _))| chosen(name, filter));
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        wanted.into_iter().filter_map(|at| rules.run_test(at, &rehearsal)).collect()
    }

    /// Puts one fault after the other into the rules and runs the tests until one notices. In the order of the faults.
    ///
    /// # Errors
    /// Where golden plans cannot be read.
    pub(crate) fn mutate(&self, filter: &[String]) -> Result<Vec<(Mutant, Fate)>, OpenError> {
        let all = mutants(&self.texts, &self.known);
        let kept = self.kept()?;
        let next = AtomicUsize::new(0);
        let fates: Mutex<BTreeMap<usize, Fate>> = Mutex::default();
        let work = || {
            // An engine is not handed from one thread to another: each loads its own.
            while let Some((at, mutant)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, all.get(at)?)))
            {
                let fate = self.fate(mutant, Goldens::new(kept.clone(), false), filter);
                if let Ok(mut fates) = fates.lock() {
                    fates.insert(at, fate);
                }
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // Where no thread can be had, this one does it all.
                let _ = std::thread::Builder::new().stack_size(crate::STACK).spawn_scoped(scope, work);
            }
            work();
        });
        let mut fates = fates.into_inner().unwrap_or_default();
        let fate = |(at, mutant)| (mutant, fates.remove(&at).unwrap_or(Fate::Survived));
        Ok(all.iter().cloned().enumerate().map(fate).collect())
    }

    fn fate(&self, mutant: &Mutant, goldens: Goldens, filter: &[String]) -> Fate {
        let texts = self.texts.with(mutant);
        let occasion = Occasion { goldens, counts: false };
        let Ok(rules) = RuleSet::rehearse(&texts, &self.known, self.today, occasion) else { return Fate::NotLoaded };
        let rehearsal = Rehearsing { troupe: self, rules: &rules };
        let wanted = rules.tests().enumerate().filter(|(_, (name, _))| chosen(name, filter));
        let wanted: Vec<usize> = wanted.map(|(at, _)| at).collect();
        let failed = wanted.into_iter().filter_map(|at| rules.run_test(at, &rehearsal)).find(|it| it.failure.is_some());
        failed.map_or(Fate::Survived, |outcome| Fate::Killed(outcome.name))
    }

    /// The golden plans that are there.
    fn kept(&self) -> Result<BTreeMap<String, Arc<str>>, OpenError> {
        let mut kept = BTreeMap::new();
        let shown = |path: &Path| path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let entries = match std::fs::read_dir(&self.goldens) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(kept),
            Err(error) => return Err(unusable(&shown(&self.goldens), &error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| unusable(&shown(&self.goldens), &error))?.path();
            if path.extension().is_some_and(|it| it == "json") {
                let text = std::fs::read_to_string(&path).map_err(|error| unusable(&shown(&path), &error))?;
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                kept.insert(name, text.into());
            }
        }
        Ok(kept)
    }
}

/// The rules of a project and their tests, as they are written.
fn texts(config: &Config) -> Result<Texts, OpenError> {
    let shown = config.rules.strip_prefix(&config.root).unwrap_or(&config.rules).display().to_string();
    let texts = Texts::read(&config.rules, &shown).and_then(|texts| texts.with_tests(&config.rules, &shown));
    texts.map_err(OpenError::Rules)
}

/// Loads the rules of a project with their tests, and runs none: what is wrong with them.
pub(crate) fn look(project: &Project, today: Date) -> Result<(), OpenError> {
    let texts = texts(&project.config)?;
    let loaded = RuleSet::rehearse(&texts, &project.known, today, Occasion::default());
    loaded.map(|_| ()).map_err(OpenError::Rules)
}

fn unusable(file: &str, error: &std::io::Error) -> OpenError {
    OpenError::Run(RunError::Seed { file: file.to_owned(), cause: error.to_string() })
}

/// Whether a test of this name is wanted: its name holds one of the words.
pub(crate) fn chosen(name: &str, filter: &[String]) -> bool {
    let name = name.to_lowercase();
    filter.is_empty() || filter.iter().any(|word| name.contains(&word.to_lowercase()))
}

/// Plans of one set of rules.
struct Rehearsing<'a> {
    troupe: &'a Troupe,
    rules: &'a RuleSet,
}

impl Rehearsal for Rehearsing<'_> {
    fn plan(&self, scenario: &Scenario) -> Result<Rehearsed, Unplanned> {
        let today = scenario.today.unwrap_or(self.troupe.today);
        self.rules.see(today);
        let mut said = self.hear(scenario)?;
        let scene = self.scene(scenario, &mut said);
        let desk = Desk {
            rules: self.rules,
            sources: &self.troupe.sources,
            limits: &self.troupe.limits,
            memory: &scene.memory,
            today: today.to_string(),
            belief: None,
        };
        let homes = self.troupe.connectors.iter().map(|(system, (kind, _))| {
            (system.clone(), Home { kind: (*kind).to_owned(), url: "rehearsal".to_owned(), per_person: false })
        });
        let providers = Staged { troupe: self.troupe, servers: &scene.servers };
        let plan = seal(settle(&desk, said, &scene.shown, &providers, homes.collect(), None).map_err(unplanned)?);
        let objections = self.rules.guard(&plan).map_err(|fault| Unplanned::Rule(Box::new(fault)))?;
        Ok(Rehearsed { plan, objections })
    }
}

fn unplanned(error: RunError) -> Unplanned {
    match error {
        RunError::Rule(fault) => Unplanned::Rule(fault),
        other => Unplanned::Other(other.to_string()),
    }
}

/// What there is when somebody speaks.
struct Scene {
    memory: Memory,
    shown: Shown,
    servers: BTreeMap<SystemName, Arc<Facts>>,
}

impl Rehearsing<'_> {
    /// What is said, as the rules read it.
    fn hear(&self, scenario: &Scenario) -> Result<Said, Unplanned> {
        let system = &scenario.source;
        let Some(source) = self.troupe.sources.get(system) else {
            return Err(Unplanned::Other(format!("{system} is no source that can be read")));
        };
        if !self.rules.has_source(system) {
            let key = source.key.clone();
            return Err(unplanned(RunError::NoMeaning { system: system.clone(), key, columns: Vec::new() }));
        }
        let (path, shown) = match &scenario.saying {
            Saying::File(file) => (self.file(file)?, file.clone()),
            Saying::Records(_) | Saying::Csv(_) => (PathBuf::new(), system.to_string()),
        };
        let no_files = || Unplanned::Other(format!("{system} is read from no file"));
        let read = |sink: &mut dyn FnMut(Told)| {
            let mut sink = |row| sink(Told::Row(row));
            match (&scenario.saying, &source.csv) {
                (Saying::File(_), Some(settings)) => csv_file::read(&path, &shown, system, settings, &mut sink),
                (Saying::Csv(text), Some(settings)) => csv_file::read_text(text, &shown, system, settings, &mut sink),
                (Saying::Records(records), _) => Ok(hand_on(records, &shown, &mut sink)),
                // Asked before, below.
                (Saying::File(_) | Saying::Csv(_), None) => Ok(hand_on(&[], &shown, &mut sink)),
            }
        };
        if source.csv.is_none() && !matches!(scenario.saying, Saying::Records(_)) {
            return Err(no_files());
        }
        let passage = Passage { system, key: &source.key, rules: self.rules, strict: false };
        // A test tells of some people: it never means that all others are gone.
        let heard = passage.hear(&shown, read).map_err(unplanned)?;
        Ok(gather::compared(vec![heard], &self.troupe.sources, self.rules.policy(), &Memory::default(), None))
    }

    /// A file of the project; there is no way out of it.
    fn file(&self, name: &str) -> Result<PathBuf, Unplanned> {
        let no = |cause: &str| Unplanned::Other(format!("`{name}` {cause}"));
        let root = self.troupe.root.canonicalize().or_else(|_| Path::new(".").canonicalize());
        let root = root.map_err(|error| no(&format!("cannot be looked for ({error})")))?;
        let file = root.join(name).canonicalize().map_err(|_| no("is no file of this project"))?;
        if file.starts_with(&root) { Ok(file) } else { Err(no("lies outside of the project")) }
    }

    /// The people of a test, tied to the records that speak of them.
    fn scene(&self, scenario: &Scenario, said: &mut Said) -> Scene {
        let source = &scenario.source;
        let mut keys: Vec<Arc<str>> = Vec::new();
        for statement in said.statements.iter().filter(|statement| !statement.of_nobody) {
            keys.push(Arc::clone(&statement.key));
        }
        let named: Vec<&str> = scenario.people.iter().filter_map(|cast| cast.key.as_deref()).collect();
        let mut unnamed = keys.iter().filter(|key| !named.contains(&key.as_ref()));
        let mut memory = Memory::default();
        let mut accounts: BTreeMap<SystemName, Vec<Account>> = BTreeMap::new();
        let mut servers = self.servers(said);
        let mut before: BTreeMap<Arc<str>, &BTreeMap<AttributeName, Value>> = BTreeMap::new();
        for cast in &scenario.people {
            let key = cast.key.as_deref().map(Arc::from).or_else(|| unnamed.next().cloned());
            let person = key.as_ref().map(|key| PersonId { system: source.clone(), key: Arc::clone(key) });
            let mut ids: BTreeMap<&SystemName, AccountId> = BTreeMap::new();
            for (system, part) in &cast.accounts {
                servers.entry(system.clone()).or_default().extend(part.server.clone());
                let there = accounts.entry(system.clone()).or_default();
                let id = part.id.clone().unwrap_or_else(|| free(there, &scenario.people, system));
                ids.insert(system, id.clone());
                there.push(self.account(system, part, id.clone()));
                if let (Some(person), true) = (&person, part.linked) {
                    memory.links.push(Link { person, system, account: id.as_str() });
                }
            }
            for (system, part) in &cast.accounts {
                let with = part.signs_in_with.clone().or_else(|| self.service(part));
                let Some((with, id)) = with.and_then(|with| Some((self.troupe.kinds.get(&with)?, ids.get(&with)?)))
                else {
                    continue;
                };
                if let Some(account) = accounts.get_mut(system).and_then(|there| there.last_mut()) {
                    account.identities.push(Identity { provider: with.clone(), id: id.clone() });
                }
            }
            let Some((person, key)) = person.zip(key) else { continue };
            for (system, values) in &cast.shown {
                if system == source {
                    before.insert(Arc::clone(&key), values);
                    continue;
                }
                memory.links.push(Link { person: &person, system, account: &key });
                let seen =
                    Seen { system: system.clone(), key: Arc::clone(&key), person: None, values: values.clone().into() };
                said.remembered.push(Arc::new(gather::remembered(&seen)));
            }
        }
        for statement in &mut said.statements {
            let statement = Arc::make_mut(statement);
            // In a test nobody is seen for the first time: what is said is said, unless the same was shown before.
            let before = before.get(&statement.key);
            let is_quiet =
                |(name, value): &(&AttributeName, Value)| before.is_some_and(|it| it.get(*name) == Some(value));
            let quiet = !statement.quiet.is_empty();
            let same = statement.values.iter().filter(is_quiet).map(|(name, _)| name.clone()).collect();
            statement.quiet = if quiet { same } else { Few::default() };
        }
        let servers: BTreeMap<SystemName, Arc<Facts>> =
            servers.into_iter().map(|(system, facts)| (system, Arc::new(facts))).collect();
        let providers = Staged { troupe: self.troupe, servers: &servers };
        let concerned = observe::concerned(said, self.rules.policy(), &providers);
        let mut shown = Shown::default();
        for (system, there) in accounts.into_iter().filter(|(system, _)| concerned.contains(system)) {
            let server = servers.get(&system).cloned().unwrap_or_default();
            let there = there.into_iter().map(|account| Account { server: Arc::clone(&server), ..account });
            shown.accounts.insert(system, there.collect());
        }
        Scene { memory, shown, servers }
    }

    /// An account as a provider would show it.
    fn account(&self, system: &SystemName, part: &Part, id: AccountId) -> Account {
        let mut account = Account::absent(system.clone(), Arc::default());
        account.id = Some(id);
        account.attributes.clone_from(&part.attributes);
        account.facts.clone_from(&part.facts);
        let Some((kind, connector)) = self.troupe.connectors.get(system) else { return account };
        let active = AttributeName::new("active");
        if connector.capabilities().of(system, &active).is_some() {
            account.attributes.entry(active.clone()).or_insert(Value::Bool(true));
        }
        let is_active = account.value(&active) != Value::Bool(false);
        let state = match (*kind, is_active) {
            ("gitlab" | "zitadel", true) => Some("active"),
            ("gitlab", false) => Some("blocked"),
            ("zitadel", false) => Some("inactive"),
            _ => None,
        };
        if let Some(state) = state {
            account.facts.entry("state".to_owned()).or_insert_with(|| state.into());
        }
        for (set, range) in self.rules.policy().ranges.iter().filter(|(set, _)| set.system().as_ref() == Some(system)) {
            for member in &range.members {
                account.attributes.entry(AttributeName::member_of(set, member)).or_default();
            }
        }
        account
    }

    /// The system whose kind a fact says she signs in with.
    fn service(&self, part: &Part) -> Option<SystemName> {
        let service = part.facts.get("auth_service")?.as_text()?;
        let mut of_kind = self.troupe.connectors.iter().filter(|(_, (kind, _))| *kind == service).map(|(name, _)| name);
        let first = of_kind.next()?;
        of_kind.next().is_none().then(|| first.clone())
    }

    /// What is known of servers as they come: where things live that rules name.
    fn servers(&self, said: &Said) -> BTreeMap<SystemName, Facts> {
        let mut servers: BTreeMap<SystemName, Facts> = BTreeMap::new();
        for (system, (kind, _)) in &self.troupe.connectors {
            let facts = servers.entry(system.clone()).or_default();
            if *kind == "zitadel" {
                facts.insert("organization".to_owned(), "org".into());
            }
        }
        let mut things: Vec<(SystemName, String)> = Vec::new();
        for (set, range) in &self.rules.policy().ranges {
            let row = set.system().and_then(|system| {
                let row = self.troupe.connectors.get(&system)?.1.capabilities().of(&system, set)?;
                Some((system, row.set?.named))
            });
            if let Some((system, named)) = row {
                things.extend(range.members.iter().map(|member| (system.clone(), format!("{named}:{member}"))));
            }
        }
        for deed in said.statements.iter().flat_map(|said| &said.deeds) {
            let table = self.troupe.connectors.get(&deed.system).map(|(_, connector)| connector.capabilities());
            let mut wanted = crate::model::account::Wanted::default();
            observe::want_named(&mut wanted, table.and_then(|table| table.operation(&deed.operation)), &deed.arguments);
            for (kind, names) in &wanted.named {
                things.extend(names.iter().map(|name| (deed.system.clone(), format!("{kind}:{name}"))));
            }
        }
        for (at, (system, thing)) in things.into_iter().enumerate() {
            servers.entry(system).or_default().entry(thing).or_insert_with(|| (900 + at).to_string().as_str().into());
        }
        servers
    }
}

/// An id that no account of the test has.
fn free(there: &[Account], people: &[crate::rules::Cast], system: &SystemName) -> AccountId {
    let named = |id: &AccountId| {
        let parts = people.iter().filter_map(|cast| cast.accounts.get(system));
        parts.into_iter().any(|part| part.id.as_ref() == Some(id))
    };
    let taken = |id: &AccountId| there.iter().any(|account| account.id.as_ref() == Some(id)) || named(id);
    let mut number = there.len() + 1;
    loop {
        let id = AccountId::from(number.to_string());
        if !taken(&id) {
            return id;
        }
        number += 1;
    }
}

/// Records of a test, as a file would hand them on: each has the columns of all.
fn hand_on(records: &[BTreeMap<String, String>], shown: &str, sink: &mut dyn FnMut(Row)) -> Read {
    let columns: std::collections::BTreeSet<&String> = records.iter().flat_map(BTreeMap::keys).collect();
    let header = Arc::new(Header::new(columns.iter().map(|name| (*name).clone())));
    let file: Arc<str> = shown.into();
    for (line, record) in (1..).zip(records) {
        let field = |name: &&String| Arc::from(record.get(*name).map_or("", String::as_str));
        let fields = columns.iter().map(field).collect();
        let origin = RecordOrigin { file: Arc::clone(&file), line };
        sink(Row::Record(Record { origin, header: Arc::clone(&header), fields }));
    }
    let records = records.len() as u64;
    Read {
        known_by: None,
        sha256: String::new(),
        records,
        rejected: 0,
        final_line_end: true,
        repaired: false,
        columns: Vec::new(),
        last_line: 0,
        layout: None,
        notes: Vec::new(),
    }
}

/// The providers of one test.
struct Staged<'a> {
    troupe: &'a Troupe,
    servers: &'a BTreeMap<SystemName, Arc<Facts>>,
}

impl Staged<'_> {
    fn connector(&self, system: &SystemName) -> Option<&dyn Connector> {
        self.troupe.connectors.get(system).map(|(_, connector)| connector.as_ref())
    }

    fn none(system: &SystemName) -> Refusal {
        Refusal::new(RefusalKind::Unsupported, format!("{system} is no provider"))
    }
}

impl Providers for Staged<'_> {
    fn names(&self) -> Vec<SystemName> {
        self.troupe.connectors.keys().cloned().collect()
    }

    fn kind(&self, system: &SystemName) -> Option<&str> {
        self.troupe.kinds.get(system).map(String::as_str)
    }

    fn capabilities(&self, system: &SystemName) -> Option<&'static Capabilities> {
        self.connector(system).map(Connector::capabilities)
    }

    fn server(&self, system: &SystemName) -> Arc<Facts> {
        self.servers.get(system).cloned().unwrap_or_default()
    }

    fn normalize(&self, system: &SystemName, attribute: &AttributeName, value: &Value) -> Value {
        self.connector(system).map_or_else(|| value.clone(), |connector| connector.normalize(attribute, value))
    }

    fn foresee(&self, account: &Account, change: &Change) -> Foresight {
        let no = || Foresight::refuses(RefusalKind::Unsupported, format!("{} is no provider", account.system));
        self.connector(&account.system).map_or_else(no, |connector| connector.foresee(account, change))
    }

    fn stands_alone(&self, account: &Packed<'_>) -> bool {
        self.connector(account.system()).is_some_and(|connector| connector.stands_alone(account))
    }

    fn calls(&self, account: &Account, changes: &[Change]) -> Result<Vec<Request>, Refusal> {
        let connector = self.connector(&account.system).ok_or_else(|| Self::none(&account.system))?;
        connector.calls(account, changes)
    }

    fn operation(
        &self,
        account: &Account,
        operation: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Request, Refusal> {
        let connector = self.connector(&account.system).ok_or_else(|| Self::none(&account.system))?;
        connector.operation(account, operation, arguments)
    }
}
