//! Everything that can be told of a project without running it: what stands in the scripts, and what scripts,
//! configuration and the tables of providers say to each other.
//!
//! Finds and does not judge: how findings are shown and what they mean for the exit code is the terminal's business.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::civil::Date;

use super::{
    certify::certificate,
    fleet::Fleet,
    project::{self, OpenError, Project},
    rehearse, tokens,
};
use crate::{
    config::{CredentialSource, TokenPlace, schema::Says},
    connector::Kind,
    model::{
        attribute::AttributeName,
        capability::{Capabilities, Support},
        id::SystemName,
        origin::Origin,
        policy::{OwnerLine, Policy},
    },
    plan::rounds::Verdict,
    rules::{
        Place, RuleError,
        lint::{Finding, Sample, Samples, Speech, code::Severity, silence::silence},
    },
    source::csv_file::{self, settings::Coverage},
};

/// What a check found.
pub(crate) struct Checked {
    /// In the order of the files; those of the project as a whole come last.
    pub(crate) findings: Vec<Finding>,
    /// Why the rules could not be loaded; these are among the findings, too.
    pub(crate) errors: Vec<RuleError>,
    pub(crate) systems: usize,
    pub(crate) owner_lines: usize,
    /// The folder that the files of the rules are named from.
    pub(crate) root: PathBuf,
    /// The configuration, as the user named it.
    pub(crate) config: String,
    /// Whether runs come to rest; not known of rules that cannot be loaded.
    pub(crate) rounds: Option<Verdict>,
    /// Sources of which no list is there to look into: whether it has the columns that rules read is not known.
    pub(crate) unseen: Vec<SystemName>,
}

/// Checks a project. Sends nothing and reads no secret.
///
/// # Errors
/// Where the configuration cannot be read: nothing can be told of the rules then.
pub(crate) fn check(file: &Path, kinds: &[Kind], today: Date) -> Result<Checked, OpenError> {
    let (project, mut errors) = project::open_anyway(file, kinds, today)?;
    if errors.is_empty() {
        match rehearse::look(&project, today) {
            Err(OpenError::Rules(of_tests)) => errors = of_tests,
            other => other?,
        }
    }
    let (samples, unread) = samples(&project);
    let examined = project.rules.examine(&samples, errors.is_empty());
    let is_seen = |name: &SystemName| samples.get(name).is_some_and(|sample| sample.file.is_some());
    let files = project.sources.iter().filter(|(_, source)| source.csv.is_some()).map(|(name, _)| name);
    let unseen = files.filter(|name| unread.is_empty() && !is_seen(name)).cloned().collect();
    let mut findings: Vec<Finding> = errors.iter().map(Finding::from).collect();
    findings.extend(unread);
    findings.extend(examined.findings);
    if errors.is_empty() {
        let mut inspection = Inspection {
            project: &project,
            policy: project.rules.policy(),
            kinds,
            speech: &examined.speech,
            found: Vec::new(),
        };
        inspection.owners();
        inspection.cycles();
        inspection.copies();
        inspection.sources();
        inspection.accounts();
        inspection.sets();
        inspection.tokens();
        inspection.whole();
        findings.extend(inspection.found);
    }
    // What is at fault may be what goes round.
    let is_sound = errors.is_empty() && findings.iter().all(|finding| finding.severity() != Severity::Error);
    let rounds = is_sound.then(|| certificate(&project, kinds));
    findings.extend(rounds.as_ref().and_then(|verdict| restless(&project, verdict)));
    for (file, text) in project.rules.texts() {
        silence(&file, &text, "//", !errors.is_empty(), &mut findings);
    }
    let config = &project.config;
    silence(&Arc::from(config.file.as_str()), &config.text, "#", !errors.is_empty(), &mut findings);
    findings.sort_by_key(Finding::order);
    Ok(Checked {
        findings,
        errors,
        systems: config.systems.len(),
        owner_lines: project.rules.policy().owners.len(),
        root: config.root.clone(),
        config: config.file.clone(),
        rounds,
        unseen,
    })
}

impl Checked {
    /// Where a file that a finding names lies, from the folder the program was started in.
    pub(crate) fn path(&self, place: &Place) -> PathBuf {
        let file = &*place.origin.file;
        if file == self.config { PathBuf::from(file) } else { self.root.join(file) }
    }
}

/// True where what is asked on this way leads back to its beginning; then the way is all of it.
fn leads_back<'a>(
    asks: &'a BTreeMap<&'a AttributeName, BTreeSet<AttributeName>>,
    way: &mut Vec<&'a AttributeName>,
    been: &mut BTreeSet<&'a AttributeName>,
) -> bool {
    for next in way.last().and_then(|last| asks.get(last)).into_iter().flatten() {
        let is_back = way[0] == next;
        if !is_back && !been.insert(next) {
            continue;
        }
        way.push(next);
        if is_back || leads_back(asks, way, been) {
            return true;
        }
        way.pop();
    }
    false
}

/// A place in a text of which the bytes are known.
pub(crate) fn place_of_bytes(file: &str, text: &Arc<str>, span: &Range<usize>) -> Place {
    let start = span.start.min(text.len());
    let before = &text[..start];
    let (line, column) = (before.matches('\n').count(), before.rsplit('\n').next().unwrap_or_default().chars().count());
    let whole = text.lines().nth(line).unwrap_or_default().trim().into();
    let marked = text.get(start..span.end).unwrap_or_default().lines().next().unwrap_or_default();
    let origin = Origin { file: file.into(), line: line + 1, column: column + 1, text: whole };
    Place { origin, text: Arc::clone(text), span: marked.chars().count().max(1) }
}

/// What columns the records of each source have, as far as the project shows: all of them where there is a file to look
/// into, `<source>.csv`, `samples/<source>.csv`, or where there is one source only any file beside the configuration that
/// it can read; else those that are configured. Where there are files and none can be read as configured, that is told.
fn samples(project: &Project) -> (Samples, Vec<Finding>) {
    let here = &project.config.root;
    // A configuration in the working folder has a folder without a name.
    let root: &Path = if here.as_os_str().is_empty() { Path::new(".") } else { here };
    let (mut samples, mut unread) = (Samples::new(), Vec::new());
    for (name, source) in &project.sources {
        let Some(settings) = &source.csv else { continue };
        let mut files = vec![root.join(format!("{name}.csv")), root.join("samples").join(format!("{name}.csv"))];
        if project.sources.len() == 1 {
            let beside = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
            let mut beside: Vec<_> = beside.filter(|path| path.extension().is_some_and(|it| it == "csv")).collect();
            beside.sort();
            files.extend(beside);
        }
        let mut columns: BTreeSet<String> = BTreeSet::new();
        let mut shown = None;
        let mut refused = None;
        for file in files.into_iter().filter(|file| file.is_file()) {
            let label = file.strip_prefix(root).unwrap_or(&file).display().to_string();
            // Also where no row of it can be used, it has these.
            match csv_file::read(&file, &label, name, settings, &mut |_| ()) {
                Ok(read) => {
                    columns.extend(read.columns);
                    shown = shown.or(Some(label));
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        if shown.is_none() {
            if let Some(why) = refused {
                let message = format!("no list of {name} beside the configuration can be read: {why}");
                unread.push(Finding { hint: Some(why.hint()), ..Finding::new("unread_list", message, None) });
            }
            columns = settings.named().map(str::to_owned).collect();
        }
        // The key alone is no list of columns.
        if shown.is_some() || columns.len() > 1 {
            samples.insert(name.clone(), Sample { columns: columns.into_iter().collect(), file: shown });
        }
    }
    (samples, unread)
}

/// What there is to tell where runs may go on writing for ever.
fn restless(project: &Project, verdict: &Verdict) -> Option<Finding> {
    let list = |names: &[AttributeName]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match verdict {
        Verdict::Free => None,
        Verdict::Oscillates(trace) => {
            let write = trace.rounds.iter().skip(trace.repeats).flat_map(|round| &round.writes).next();
            let message = match write {
                Some(write) => format!(
                    "`{}` at {} can go back and forth for ever, though nobody changes anything",
                    write.attribute, write.system
                ),
                None => format!("{} can go back and forth for ever", list(&trace.attributes)),
            };
            let origin = write.and_then(|write| write.because.first());
            Some(Finding::new("ping_pong", message, origin.and_then(|origin| project.rules.place_of(origin))))
        }
        Verdict::Unsure { tried, attributes } => {
            let names = list(attributes);
            let message = format!(
                "whether {names} can go back and forth is not known: {tried} starts do not, and there are more"
            );
            // At the line that says whose the first of them is, so that it can be silenced there.
            let policy = project.rules.policy();
            let line =
                policy.owners.iter().find(|line| attributes.first().is_some_and(|name| line.attributes.contains(name)));
            Some(Finding::new("rounds_unknown", message, line.and_then(|line| project.rules.place_of(&line.origin))))
        }
    }
}

/// Rules held against configuration and capability tables.
struct Inspection<'a> {
    project: &'a Project,
    policy: &'a Policy,
    kinds: &'a [Kind],
    speech: &'a BTreeMap<SystemName, Speech>,
    found: Vec<Finding>,
}

impl Inspection<'_> {
    fn tell(&mut self, code: &'static str, origin: Option<&Origin>, message: String) -> &mut Finding {
        let place = origin.and_then(|origin| self.project.rules.place_of(origin));
        self.found.push(Finding::new(code, message, place));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// The same of a place in the configuration.
    fn tell_of_system(&mut self, code: &'static str, system: &SystemName, key: &str, message: String) -> &mut Finding {
        let config = &self.project.config;
        let place = config.place(system, key).map(|span| place_of_bytes(&config.file, &config.text, &span));
        let last = self.found.len();
        self.found.push(Finding::new(code, message, place));
        &mut self.found[last]
    }

    fn table(&self, system: &SystemName) -> Option<&'static Capabilities> {
        let kind = &self.project.config.systems.get(system)?.kind;
        Fleet::kind_named(kind, self.kinds).map(|kind| kind.capabilities)
    }

    /// The lines that may decide who owns it: none behind one without condition.
    fn owners_of(&self, attribute: &AttributeName) -> Vec<&OwnerLine> {
        let lines: Vec<&OwnerLine> =
            self.policy.owners.iter().filter(|line| line.attributes.contains(attribute)).collect();
        let last = lines.iter().position(|line| !line.conditional).map_or(lines.len(), |at| at + 1);
        lines[..last].to_vec()
    }

    fn speaks_of(&self, source: &SystemName) -> BTreeSet<AttributeName> {
        let mut attributes = self.project.rules.speaks_of(source);
        attributes.extend(self.speech.get(source).iter().flat_map(|speech| speech.attributes.iter().cloned()));
        attributes
    }

    /// Whether every record of every source is known to say nothing of this.
    fn nobody_says(&self, attribute: &AttributeName) -> bool {
        self.policy.sources.keys().all(|source| {
            self.speech.get(source).is_some_and(|speech| speech.whole) && !self.speaks_of(source).contains(attribute)
        })
    }

    /// The decided values that conditions of `owner` and `account` lines look at, each with the first line that does; and
    /// whether some condition may look at any.
    fn looked_at(&self) -> (BTreeMap<AttributeName, Origin>, bool) {
        let eyes = self.project.rules.eyes();
        let owners = self.policy.owners.iter().enumerate().map(|(at, line)| (eyes.of_owner(at), &line.origin));
        let accounts = self.policy.accounts.iter().map(|(system, origin)| (eyes.of_account(system), origin));
        let (mut found, mut any) = (BTreeMap::new(), false);
        let of_people = owners.chain(accounts).filter_map(|(sight, origin)| Some((sight?, origin)));
        for (sight, origin) in of_people.chain(eyes.of_changes()) {
            any |= sight.anything;
            for look in sight.looks.into_iter().filter(|look| look.system.is_none()) {
                match look.attribute {
                    Some(attribute) => {
                        found.entry(attribute).or_insert_with(|| origin.clone());
                    }
                    None => any = true,
                }
            }
        }
        (found, any)
    }

    fn owners(&mut self) {
        let policy = self.policy;
        let (looked_at, may_be_any) = self.looked_at();
        for (attribute, origin) in &looked_at {
            if !policy.owners.iter().any(|line| line.attributes.contains(attribute)) {
                let message = format!(
                    "`{attribute}` is looked at here, and no `owner` line says whose word counts: it is always `()`"
                );
                self.tell("never_known", Some(origin), message);
            }
        }
        for line in &policy.owners {
            let is_source = self.project.known.systems.get(&line.system).is_some_and(|system| system.is_source);
            for attribute in &line.attributes {
                let copied = policy.copies.get(attribute).is_some_and(|copy| !copy.systems.is_empty());
                let followed =
                    attribute.system().is_some() || (attribute.as_str() == "active" && !policy.accounts.is_empty());
                if is_source && !copied && !followed && !may_be_any && !looked_at.contains_key(attribute) {
                    let message =
                        format!("`{attribute}` belongs to {} and no `copies` line brings it anywhere", line.system);
                    self.tell("goes_nowhere", Some(&line.origin), message);
                }
                let silent = self.speech.get(&line.system).is_some_and(|speech| speech.whole)
                    && !self.speaks_of(&line.system).contains(attribute);
                if is_source && silent {
                    let message = format!("`{attribute}` belongs to {}, whose records never speak of it", line.system);
                    let second =
                        policy.sources.get(&line.system).and_then(|origin| self.project.rules.place_of(origin));
                    self.tell("owner_says_nothing", Some(&line.origin), message).related =
                        second.map(|place| (place, "what its records say".to_owned()));
                }
                let Some(row) = self.table(&line.system).and_then(|table| table.of(&line.system, attribute)) else {
                    continue;
                };
                if let Support::No(why) | Support::AtCreation(why) = row.write {
                    let message = format!("{} owns `{attribute}` and cannot change it: {why}", line.system);
                    self.tell("cannot_write", Some(&line.origin), message);
                }
                if attribute.as_str() == "active"
                    && let Some(account) = policy.accounts.get(&line.system)
                {
                    let message = format!(
                        "{} owns `active`, and its `account` line decides it: a request for it is never heard",
                        line.system
                    );
                    let second = self.project.rules.place_of(account);
                    self.tell("two_writers", Some(&line.origin), message).related =
                        second.map(|place| (place, "decides it".to_owned()));
                }
            }
        }
    }

    /// Owners that depend on themselves: no plan finds them.
    fn cycles(&mut self) {
        let eyes = self.project.rules.eyes();
        let mut firsts: BTreeMap<&AttributeName, usize> = BTreeMap::new();
        for (at, line) in self.policy.owners.iter().enumerate() {
            for attribute in &line.attributes {
                firsts.entry(attribute).or_insert(at);
            }
        }
        // The first line of an attribute is asked of everybody; whether a later one is depends on what the others say.
        let decided = |at: usize| {
            let looks = eyes.of_owner(at)?.looks.into_iter().filter(|look| look.system.is_none());
            Some(looks.filter_map(|look| look.attribute).collect::<BTreeSet<AttributeName>>())
        };
        let asks = firsts.iter().filter_map(|(attribute, at)| Some((*attribute, decided(*at)?)));
        let asks: BTreeMap<&AttributeName, BTreeSet<AttributeName>> = asks.collect();
        let mut told: BTreeSet<&AttributeName> = BTreeSet::new();
        for attribute in asks.keys() {
            let mut way = vec![*attribute];
            if told.contains(attribute) || !leads_back(&asks, &mut way, &mut BTreeSet::new()) {
                continue;
            }
            told.extend(&way);
            let place = self.project.rules.place_of(&self.policy.owners[firsts[attribute]].origin);
            self.found.push(Finding::owner_cycle(way.into_iter().cloned().collect(), place));
        }
    }

    fn copies(&mut self) {
        let policy = self.policy;
        for (attribute, line) in &policy.copies {
            let owners = self.owners_of(attribute);
            if owners.is_empty() {
                let message = format!("`{attribute}` is copied, and no `owner` line says whose word is copied");
                self.tell("copy_without_owner", Some(&line.origin), message);
                continue;
            }
            let only = owners.iter().all(|owner| owner.system == owners[0].system).then(|| owners[0].clone());
            for system in &line.systems {
                if let Some(owner) = only.as_ref().filter(|owner| owner.system == *system) {
                    let message = format!("{system} owns `{attribute}` and needs no copy of it");
                    let second = self.project.rules.place_of(&owner.origin);
                    self.tell("copy_to_owner", Some(&line.origin), message).related =
                        second.map(|place| (place, "owns it".to_owned()));
                }
                if let Some(Support::No(why)) =
                    self.table(system).and_then(|table| table.of(system, attribute)).map(|row| row.write)
                {
                    let message = format!("a copy of `{attribute}` never arrives at {system}: {why}");
                    self.tell("cannot_write", Some(&line.origin), message);
                }
            }
        }
        self.fields();
    }

    /// Two attributes that are one field of one account.
    fn fields(&mut self) {
        let policy = self.policy;
        let names: Vec<SystemName> = self.project.config.systems.keys().cloned().collect();
        for system in names {
            let Some(table) = self.table(&system) else { continue };
            let mut writers: BTreeMap<&str, (AttributeName, Origin)> = BTreeMap::new();
            for row in table.attributes.iter().filter(|row| row.write.is_yes_at_creation()) {
                let attribute = table.name(&system, row);
                let copied = policy.copies.get(&attribute).filter(|line| line.systems.contains(&system));
                let owned =
                    || self.owners_of(&attribute).into_iter().find(|line| line.system == system || !row.neutral);
                let Some(origin) =
                    copied.map(|line| line.origin.clone()).or_else(|| owned().map(|line| line.origin.clone()))
                else {
                    continue;
                };
                match writers.get(row.remote) {
                    None => {
                        writers.insert(row.remote, (attribute, origin));
                    }
                    Some((other, first)) => {
                        let message = format!(
                            "`{other}` and `{attribute}` are one field at {system}, `{}`, and both are written",
                            row.remote
                        );
                        let second = self.project.rules.place_of(first);
                        self.tell("two_writers", Some(&origin), message).related =
                            second.map(|place| (place, "the other one".to_owned()));
                    }
                }
            }
        }
    }

    fn sources(&mut self) {
        let policy = self.policy;
        for (source, line) in &policy.sources {
            let Some(says) = self.project.sources.get(source).map(|source| source.says) else { continue };
            for attribute in self.speaks_of(source) {
                let owners = self.owners_of(&attribute);
                let joins = policy.joins.values().any(|join| join.attributes.contains(&attribute));
                let other = owners.iter().find(|owner| owner.system != *source).map(|owner| (*owner).clone());
                if owners.is_empty() && !(joins && says == Says::Changes) {
                    let message = format!("{source} speaks of `{attribute}`, and no `owner` line says who owns it");
                    self.tell("nobody_owns", Some(line), message);
                }
                if let Some(other) = other
                    && says == Says::State
                {
                    let message = format!(
                        "{source} states `{attribute}` again and again, and {} may own it ({}): it would undo the owner's \
                         changes for ever; let {source} own it, or set says = \"changes\"",
                        other.system, other.origin
                    );
                    let second = self.project.rules.place_of(&other.origin);
                    self.tell("would_revert", Some(line), message).related =
                        second.map(|place| (place, "may own it".to_owned()));
                }
            }
        }
        for (system, line) in &policy.joins {
            for attribute in line.attributes.iter().filter(|_| !policy.sources.is_empty()) {
                if self.nobody_says(attribute) {
                    let message =
                        format!("accounts of {system} are looked for by `{attribute}`, which no source ever says");
                    self.tell("join_never_said", Some(&line.origin), message);
                }
            }
        }
    }

    fn accounts(&mut self) {
        for (system, origin) in &self.policy.accounts {
            let Some(table) = self.table(system) else { continue };
            if let Support::No(why) = table.create {
                self.tell("cannot_create", Some(origin), format!("no account can be made at {system}: {why}"));
            } else if !self.policy.joins.contains_key(system) && !self.is_of_people(system) {
                let message = format!(
                    "no `join` line says how accounts of {system} are found: for whoever has one that leads nowhere else, \
                     another is asked for"
                );
                self.tell("account_unsought", Some(origin), message).hint =
                    Some(format!("as in `join(\"{system}\", [\"email\", \"username\"]);`"));
            }
            let switch = table.attributes.iter().find(|row| row.neutral && row.name == "active").map(|row| row.write);
            let why = match switch {
                Some(Support::Yes) => continue,
                Some(Support::No(why) | Support::AtCreation(why)) => format!(": {why}"),
                None => String::new(),
            };
            self.tell("no_switch", Some(origin), format!("accounts at {system} cannot be switched off{why}"));
        }
    }

    fn sets(&mut self) {
        for (set, line) in &self.policy.ranges {
            if self.nobody_says(set) {
                let message = format!("no source speaks of `{set}`");
                self.tell("unused_range", Some(&line.origin), message);
                continue;
            }
            let all = self.policy.sources.keys().map(|source| (self.speech.get(source), self.speaks_of(source)));
            let mut granted: BTreeSet<&String> = BTreeSet::new();
            let mut open = false;
            for (speech, attributes) in all {
                let Some(speech) = speech else {
                    open = true;
                    continue;
                };
                match speech.members.get(set) {
                    Some((members, more)) => {
                        granted.extend(members);
                        open |= more;
                    }
                    None => open |= attributes.contains(set) || !speech.whole,
                }
            }
            if open {
                continue;
            }
            let idle: Vec<String> =
                line.members.iter().filter(|it| !granted.contains(it)).map(|it| format!("`{it}`")).collect();
            if !idle.is_empty() {
                let message = format!("nobody is ever in {} of `{set}`: everybody is taken out", idle.join(", "));
                self.tell("unused_member", Some(&line.origin), message);
            }
        }
    }

    /// True where people are seen with their own tokens.
    fn is_of_people(&self, system: &SystemName) -> bool {
        let provider = self.project.config.systems.get(system).and_then(|system| system.provider.as_ref());
        provider.is_some_and(|provider| matches!(provider.credential, CredentialSource::PerPerson(_)))
    }

    /// People's own tokens: whether their kind takes them, whether they can be kept, and what is out of their reach.
    fn tokens(&mut self) {
        for (name, system) in &self.project.config.systems {
            let Some(provider) = &system.provider else { continue };
            let CredentialSource::PerPerson(keys) = &provider.credential else { continue };
            let Some(kind) = Fleet::kind_named(&system.kind, self.kinds) else { continue };
            let takes_them = (kind.open)(system.options.clone()).is_ok_and(|connector| connector.has_own_tokens());
            if !takes_them {
                let (message, hint) = tokens::not_taken(kind, self.kinds);
                self.tell_of_system("no_own_tokens", name, "token", message).hint = Some(hint);
            }
            if keys.refresh.is_some() && !matches!(keys.place, TokenPlace::Store { .. }) {
                let message = "a refresh token that is replaced can be kept in the state store only".to_owned();
                let hint =
                    "`per_person = { store = { key = { env = \"…\" } }, refresh = … }`, and `homeward token set`";
                self.tell_of_system("rotation_lost", name, "token.per_person.refresh", message).hint =
                    Some(hint.to_owned());
            }
            if let Some(origin) = self.policy.accounts.get(name) {
                let message = format!("{name} is used with tokens of people, and who has no account yet has no token");
                self.tell("cannot_create", Some(origin), message);
            }
        }
    }

    /// The providers that no rule speaks of: as [`super::gather`] finds whom to ask, and by what is quoted.
    fn unheard(&self) -> Vec<SystemName> {
        let policy = self.policy;
        let owners = policy.owners.iter().map(|line| &line.system);
        let copies = policy.copies.values().flat_map(|line| &line.systems);
        let attributes = policy.owners.iter().flat_map(|line| &line.attributes).chain(policy.ranges.keys());
        let own = attributes.filter_map(AttributeName::system);
        let named: BTreeSet<SystemName> =
            owners.chain(copies).chain(policy.joins.keys()).chain(policy.accounts.keys()).cloned().chain(own).collect();
        let quoted = self.project.rules.quoted();
        let systems = self.project.config.systems.iter();
        let unheard = systems.filter(|(name, system)| {
            let is_provider = Fleet::kind_named(&system.kind, self.kinds).is_some();
            let is_source = self.project.sources.contains_key(*name);
            is_provider && !is_source && !named.contains(*name) && !quoted.contains(name.as_str())
        });
        unheard.map(|(name, _)| name.clone()).collect()
    }

    fn whole(&mut self) {
        for (name, source) in &self.project.sources {
            let owns = self.policy.owners.iter().any(|line| line.attributes.iter().any(|it| it.as_str() == "active"));
            if source.coverage == Coverage::Full && !owns {
                let message = format!(
                    "{name} lists everybody, but nobody owns `active`: whoever is no longer listed keeps every account"
                );
                self.tell_of_system("absence_unheard", name, "coverage", message);
            }
        }
        let config = &self.project.config;
        if self.project.rules.is_empty() {
            let folder = config.rules.strip_prefix(&config.root).unwrap_or(&config.rules).display();
            let message = format!("{folder} holds no rules: write them into files such as {folder}/people.rhai");
            self.tell("no_rules", None, message);
            return;
        }
        for system in self.unheard() {
            let message = format!("no rule speaks of {system}: it is never asked, and nothing is changed there");
            let hint = format!(
                "say how accounts are found there, `join(\"{system}\", \"email\");`, and what goes there, \
                 `copies(\"email\", \"{system}\");`; or take it out"
            );
            self.tell_of_system("unheard_system", &system, "", message).hint = Some(hint);
        }
        for system in self.project.sources.keys().filter(|system| !self.project.rules.has_source(system)) {
            let message = format!("no `source(\"{system}\", …)` line says what a record of {system} means");
            self.tell_of_system("no_meaning", system, "", message);
        }
    }
}
