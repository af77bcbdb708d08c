//! Everything that is a script: loading, what scripts declare, and asking them.
//!
//! A script computes and declares; the host acts. [`RuleSet::load`] runs every script once and keeps what it declared;
//! [`RuleSet::map`] and [`RuleSet::own`] call functions that were declared, with values that are copies. Nothing here
//! knows a provider, a connector, a plan or the network. An engine is not `Send`: a thread that maps loads its own.
//!
//! ```text
//! words      the list of words             fault      what can be wrong, and where
//! known      what scripts may name         sandbox    what a script can touch
//! script     one file, compiled            text       words about text and dates
//! view       records, persons, accounts    statement  what a function returned
//! vocabulary the declarations              own        conditions, asked in order
//! action     what rules may want done      change     changes, refusals, plans
//! library    modules that are imported            reference  the language, for editors and readers
//! testing    tests of rules                    coverage   what tests make run
//! mutation   faults that tests should notice    lexis      where the pieces of a text lie
//! lint       what can be told without running     lowered    mapping without the engine
//! ```

mod action;
mod change;
mod coverage;
mod day;
mod fault;
mod known;
mod lexis;
mod library;
pub(crate) mod lint;
mod lowered;
mod mutation;
mod own;
pub(crate) mod reference;
mod sandbox;
mod script;
mod statement;
mod testing;
mod text;
mod view;
mod vocabulary;
mod words;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use base16ct::lower::encode_string as hex;
use rhai::Dynamic;
use sha2::{Digest, Sha256};

use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    person::{Look, Person},
    plan::Plan,
    policy::{Action, Instruction, Objection, Ownership, Policy, Question},
    record::{Record, Statement},
    refusal::RefusalKind,
    values::Packer,
};

use self::{
    change::{ChangeView, PlanView, RefusalView},
    library::Shelf,
    lowered::{Lowered, NotMe},
    own::{Court, Index, Precedents},
    sandbox::{MAX_SCRIPT, MAX_SCRIPTS, Meter},
    script::{Script, Source, properties},
    statement::Reader,
    testing::Boards,
    vocabulary::{Declared, Desk, HookLine},
};

pub(crate) use self::{
    coverage::{Coverage, Hits},
    day::SeesDay,
    fault::{Fault, Place, RuleError},
    known::{Known, KnownSystem},
    mutation::{Mutant, mutants},
    own::Inquired,
    testing::{Cast, Goldens, Outcome, Part, Rehearsal, Rehearsed, Saying, Scenario, Unplanned},
    words::words,
};

/// The rules of a project, loaded.
pub(crate) struct RuleSet {
    scripts: Vec<Script>,
    declared: Declared,
    index: Index,
    known: Rc<Known>,
    policy: Policy,
    digest: String,
    /// The modules, by the name they are imported by.
    modules: BTreeMap<String, Script>,
    /// The texts of tests beside the rules: what they use is used.
    test_texts: Vec<Arc<str>>,
    /// What a source may speak of, by the name it uses.
    names: BTreeMap<String, AttributeName>,
    packer: RefCell<Packer>,
    precedents: Precedents,
    /// The day that rules see.
    clock: Rc<Cell<jiff::civil::Date>>,
    /// What a running test has.
    stage: Rc<Boards>,
    /// What was run so far, where somebody counts it.
    hits: Option<Rc<Hits>>,
    /// What it was loaded from.
    texts: Texts,
    /// The functions of `source` lines that can do without the engine.
    lowered: BTreeMap<SystemName, OnceCell<Option<Lowered>>>,
}

/// What the same rules can be loaded from on another thread.
#[derive(Debug)]
pub(crate) struct Blueprint {
    texts: Texts,
    known: Known,
    today: jiff::civil::Date,
}

impl Blueprint {
    /// Loads the rules.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn load(&self) -> Result<RuleSet, Vec<RuleError>> {
        RuleSet::of(&self.texts, Vec::new(), &self.known, self.today, None)
    }
}

/// What the tests of a project are run with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Occasion {
    pub(crate) goldens: Goldens,
    /// Whether to count what runs.
    pub(crate) counts: bool,
}

impl RuleSet {
    /// What it takes to have the same rules on another thread; `None` where what runs is counted, and so must run here.
    pub(crate) fn blueprint(&self) -> Option<Blueprint> {
        if self.hits.is_some() {
            return None;
        }
        let (texts, known) = (self.texts.clone(), self.known.as_ref().clone());
        Some(Blueprint { texts, known, today: self.clock.get() })
    }

    /// From now on rules see this day as today.
    pub(crate) fn see(&self, today: jiff::civil::Date) {
        if self.clock.replace(today) != today {
            self.precedents.forget();
        }
    }

    /// Loads all `*.rhai` files directly in `folder`, in the order of their names, and runs their top level. Messages
    /// name the files as `shown_as/name`.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first of it.
    pub(crate) fn load(
        folder: &Path,
        shown_as: &str,
        known: &Known,
        today: jiff::civil::Date,
    ) -> Result<Self, Vec<RuleError>> {
        let (texts, errors) = Texts::read_in_part(folder, shown_as)?;
        Self::of(&texts, errors, known, today, None)
    }

    /// The same, with what can be read in spite of errors: enough to look for more of them, not to decide with.
    ///
    /// # Errors
    /// Where the files themselves cannot be found.
    pub(crate) fn load_anyway(
        folder: &Path,
        shown_as: &str,
        known: &Known,
        today: jiff::civil::Date,
    ) -> Result<(Self, Vec<RuleError>), Vec<RuleError>> {
        let (texts, errors) = Texts::read_in_part(folder, shown_as)?;
        let (mut rules, errors) = Self::of_anyway(&texts, errors, known, today, None);
        let beside = listed(&folder.join("tests")).unwrap_or_default();
        let readable = beside.iter().filter_map(|(_, path)| fs::read_to_string(path).ok());
        rules.test_texts = readable.map(Arc::from).collect();
        Ok((rules, errors))
    }

    /// The same of texts that were read already, and with their tests, which can be run.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first of it.
    pub(crate) fn rehearse(
        texts: &Texts,
        known: &Known,
        today: jiff::civil::Date,
        occasion: Occasion,
    ) -> Result<Self, Vec<RuleError>> {
        Self::of(texts, Vec::new(), known, today, Some(occasion))
    }

    /// `errors` are what is wrong already: it does not hide what else is.
    fn of(
        texts: &Texts,
        errors: Vec<RuleError>,
        known: &Known,
        today: jiff::civil::Date,
        occasion: Option<Occasion>,
    ) -> Result<Self, Vec<RuleError>> {
        match Self::of_anyway(texts, errors, known, today, occasion) {
            (rules, errors) if errors.is_empty() => Ok(rules),
            (_, errors) => Err(errors),
        }
    }

    fn of_anyway(
        texts: &Texts,
        mut errors: Vec<RuleError>,
        known: &Known,
        today: jiff::civil::Date,
        occasion: Option<Occasion>,
    ) -> (Self, Vec<RuleError>) {
        let Texts { scripts: files, modules, tests, digest } = texts.clone();
        let clock = Rc::new(Cell::new(today));
        let known = Rc::new(known.clone());
        let is_tried = occasion.is_some();
        let hits = occasion.as_ref().filter(|it| it.counts).map(|_| Rc::new(Hits::default()));
        let stage = Boards::with_goldens(occasion.unwrap_or_default().goldens);
        let declared = Rc::new(RefCell::new(Declared::default()));
        let open = Rc::new(Cell::new(true));
        let patterns = Rc::default();
        let mut scripts: Vec<Script> = Vec::new();
        let modules = Rc::new(modules);
        let shelf = Shelf::default();
        let compile = |script: usize, source: &Source, open: &Rc<Cell<bool>>, only_tests: bool| {
            let meter = Meter::new();
            let mut engine = sandbox::engine(&meter);
            text::register(&mut engine, &meter, &patterns, &clock);
            // A module's functions are handed what the script was handed, so each knows the names of all.
            let texts = modules.values().chain([source]);
            let mut names: Vec<String> = texts.flat_map(|source| properties(&source.text)).collect();
            names.sort_unstable();
            names.dedup();
            view::register(&mut engine, &names);
            change::register(&mut engine, &known);
            statement::register(&mut engine);
            let desk = Desk {
                script,
                source: source.clone(),
                modules: Rc::clone(&modules),
                known: Rc::clone(&known),
                declared: Rc::clone(&declared),
                open: Rc::clone(open),
                only_tests,
            };
            vocabulary::register(&mut engine, &desk);
            action::register(&mut engine, &desk);
            // Known everywhere, so that one that is said outside of a test is told so.
            testing::register(&mut engine, &stage, &desk);
            if let Some(hits) = &hits {
                coverage::watch(&mut engine, hits);
            }
            if only_tests {
                // Each test is a function.
                engine.set_max_functions(MAX_TESTS);
            }
            Script::compile(source.clone(), engine, meter, &shelf, &modules)
        };
        // A module declares nothing.
        let shut = Rc::new(Cell::new(false));
        let mut kept = BTreeMap::new();
        errors.extend(library::fill(&shelf, &modules, &|source| compile(usize::MAX, source, &shut, false), &mut kept));
        let sheets = files.into_iter().map(|source| (source, false)).chain(tests.into_iter().map(|it| (it, true)));
        for (source, only_tests) in sheets {
            match compile(scripts.len(), &source, &open, only_tests) {
                Ok(script) => {
                    errors.extend(script.run().err());
                    scripts.push(script);
                }
                Err(error) => errors.push(error),
            }
        }
        open.set(false);
        // A module that is there and broken has been told already.
        errors.retain(|error| {
            let Fault::UnknownModule { name, .. } = error.fault() else { return true };
            !modules.contains_key(library::named(name))
        });
        let mut declared = declared.take();
        errors.append(&mut declared.errors);
        errors.extend(wrong_functions(&scripts, &declared));
        let (index, twice) = examine_owners(&declared);
        errors.extend(twice);
        errors.sort_by(|a, b| a.origin().cmp(&b.origin()));
        let names = known.attributes().into_iter().map(|name| (name.clone(), AttributeName::new(&name)));
        let names: BTreeMap<String, AttributeName> = names.collect();
        // Where it is counted what runs, the engine has to run it; and where rules are only tried, it is faster.
        let sources = declared.sources.keys().filter(|_| !is_tried);
        let lowered = sources.map(|system| (system.clone(), OnceCell::new())).collect();
        let policy = policy(&declared);
        let (modules, test_texts) = (kept, Vec::new());
        let texts = Texts { tests: Vec::new(), ..texts.clone() };
        let rules = Self {
            scripts,
            declared,
            index,
            known,
            policy,
            digest,
            modules,
            test_texts,
            names,
            packer: RefCell::default(),
            precedents: Precedents::default(),
            clock,
            stage,
            hits,
            texts,
            lowered,
        };
        (rules, fault::readable(errors))
    }

    /// What the rules declare, as data.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// `sha256:` and a digest of the names and bytes of all scripts.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// True where there is no script at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.scripts.is_empty()
    }

    /// Whether a rule reads this source's records.
    pub(crate) fn has_source(&self, system: &SystemName) -> bool {
        self.declared.sources.contains_key(system)
    }

    /// The attributes this source's rule writes out as keys: what its records may speak of. Read from the text of the
    /// rule, so a key that is computed is not among them; for warnings and tables, not for decisions.
    pub(crate) fn speaks_of(&self, system: &SystemName) -> BTreeSet<AttributeName> {
        let Some(line) = self.declared.sources.get(system) else { return BTreeSet::new() };
        let script = &self.scripts[line.function.script];
        let mut keys = script.source.keys(&line.place.origin);
        keys.extend(script.source.keys_of_function(&line.function.name));
        keys.iter().filter_map(|key| self.names.get(key).cloned()).collect()
    }

    /// What a record says, as the source's rule reads it. `None` where the rule returns `()`, or where there is none.
    ///
    /// # Errors
    /// Where the rule fails, or returns what is no statement. [`RuleError::rejects_record`] tells whether the record
    /// is at fault.
    pub(crate) fn map(&self, system: &SystemName, record: &Record) -> Result<Option<Statement>, RuleError> {
        match self.shortcut(system).map(|lowered| lowered.map(system, record)) {
            Some(Ok(said)) => Ok(said),
            None | Some(Err(NotMe)) => self.map_with_engine(system, record),
        }
    }

    /// The shortcut of a source, made with its first record: most of what loads rules maps none.
    fn shortcut(&self, system: &SystemName) -> Option<&Lowered> {
        let lower = || {
            let line = self.declared.sources.get(system)?;
            let script = self.scripts.get(line.function.script)?;
            Lowered::new(script, &line.function.name, &self.names, &self.known, &self.clock)
        };
        self.lowered.get(system)?.get_or_init(lower).as_ref()
    }

    /// The same without a shortcut.
    ///
    /// # Errors
    /// As [`Self::map`].
    pub(crate) fn map_with_engine(&self, system: &SystemName, record: &Record) -> Result<Option<Statement>, RuleError> {
        let Some(line) = self.declared.sources.get(system) else { return Ok(None) };
        let script = &self.scripts[line.function.script];
        let (names, known, ranges) = (&self.names, &self.known, &self.policy.ranges);
        let reader = Reader { names, known, ranges, packer: &self.packer };
        let row = vec![Dynamic::from(view::Row::new(record))];
        let found = script.call(&line.function.name, row).and_then(|returned| {
            reader.read(system, record, returned).map_err(|(fault, key)| {
                let place = key.as_deref().and_then(|key| script.source.place_of_key(&line.place.origin, key));
                RuleError::new(fault, place).about(key)
            })
        });
        found.map_err(|error| {
            let place = script.place_of(&error, &line.place);
            error.or_place(|| place).with_record(&record.origin).in_column(record)
        })
    }

    fn court<'a>(&'a self, hits: Option<&'a Hits>) -> Court<'a> {
        let (scripts, declared, index, known) = (&self.scripts, &self.declared, &self.index, &self.known);
        Court { scripts, declared, index, known, hits, precedents: &self.precedents }
    }

    /// The owner of each of these attributes of a person, and where the person should have accounts.
    ///
    /// # Errors
    /// Where a condition fails, or where owners depend on each other in a circle.
    pub(crate) fn own(
        &self,
        person: &Person,
        attributes: &Arc<BTreeSet<AttributeName>>,
    ) -> Result<Arc<Ownership>, RuleError> {
        self.court(self.hits.as_deref()).judge(person, attributes)
    }

    /// The same without asking anything, where that is known from people of whom the same is so; `look` tells what is
    /// seen of this one.
    pub(crate) fn precedent(
        &self,
        attributes: &Arc<BTreeSet<AttributeName>>,
        look: impl Fn(&Look) -> Value,
    ) -> Option<Arc<Ownership>> {
        self.court(self.hits.as_deref()).precedent(attributes, look)
    }

    /// The `owner` lines that are asked about an attribute of a person, first to last, each with its answer and what it
    /// looked at. A member of a set is asked about by its own name or, where no line has that, by the set's.
    ///
    /// # Errors
    /// Where a condition fails, or where owners depend on each other in a circle.
    pub(crate) fn inquire(&self, person: &Person, attribute: &AttributeName) -> Result<Vec<Inquired>, RuleError> {
        // A question about a decision is no test that reaches a line.
        let court = self.court(None);
        match attribute.set() {
            Some(set) if !self.index.contains_key(attribute) => court.inquire(person, &set),
            _ => court.inquire(person, attribute),
        }
    }

    /// The texts that scripts write in quotes: what conditions may compare with. For suggestions, not for decisions.
    pub(crate) fn quoted(&self) -> BTreeSet<&str> {
        let lines = self.scripts.iter().flat_map(|script| script.source.text.lines());
        let code = lines.filter(|line| !line.trim_start().starts_with("//"));
        let texts = code.flat_map(|line| line.split('"').skip(1).step_by(2));
        texts.filter(|text| !text.is_empty() && text.len() <= 64 && !text.contains('\\')).collect()
    }

    /// What a `route` line says to a change: the first that answers.
    ///
    /// # Errors
    /// Where a line fails or returns something else.
    pub(crate) fn route(&self, question: &Question<'_>) -> Result<Option<Instruction>, RuleError> {
        if self.declared.routes.is_empty() {
            return Ok(None);
        }
        let change = Dynamic::from(ChangeView::new(question, &self.known));
        self.first_answer("route", self.declared.routes.iter(), &[change], question.person)
    }

    /// What a `refused` line says to a provider's no: the first of that provider that answers.
    ///
    /// # Errors
    /// Where a line fails or returns something else.
    pub(crate) fn refused(
        &self,
        question: &Question<'_>,
        kind: RefusalKind,
        reason: &str,
    ) -> Result<Option<Instruction>, RuleError> {
        let of_system = |(system, _): &&(SystemName, HookLine)| *system == question.account.system;
        let mut lines = self.declared.refusals.iter().filter(of_system).map(|(_, line)| line).peekable();
        if lines.peek().is_none() {
            return Ok(None);
        }
        let change = Dynamic::from(ChangeView::new(question, &self.known));
        let refusal = Dynamic::from(RefusalView::new(kind, reason));
        self.first_answer("refused", lines, &[change, refusal], question.person)
    }

    /// What `guard` lines object to in a plan.
    ///
    /// # Errors
    /// Where a line fails or returns something else.
    pub(crate) fn guard(&self, plan: &Plan) -> Result<Vec<Objection>, RuleError> {
        let mut objections = Vec::new();
        if self.declared.guards.is_empty() {
            return Ok(objections);
        }
        let view = Dynamic::from(PlanView::new(&Rc::new(plan.clone())));
        for line in &self.declared.guards {
            let answer = self.ask("guard", line, vec![view.clone()])?;
            let origin = line.place.origin.clone();
            match answer {
                None | Some(Action::Drop(_)) => {}
                Some(Action::Hold(reason)) => objections.push(Objection { reason, origin }),
                Some(Action::To(_)) => {
                    let what = "what the function of `guard` returns".to_owned();
                    let (wanted, got) = ("`hold(…)` or ()".to_owned(), "`to(…)`".to_owned());
                    return Err(RuleError::new(Fault::WrongType { what, wanted, got }, Some(line.place.clone())));
                }
            }
        }
        Ok(objections)
    }

    fn first_answer<'a>(
        &self,
        word: &str,
        lines: impl Iterator<Item = &'a HookLine>,
        arguments: &[Dynamic],
        person: &Person,
    ) -> Result<Option<Instruction>, RuleError> {
        for line in lines {
            let answer = self.ask(word, line, arguments.to_vec()).map_err(|error| match person.statements.first() {
                Some(said) => error.with_record(&said.origin),
                None => error,
            })?;
            if let Some(action) = answer {
                return Ok(Some(Instruction { action, origin: line.place.origin.clone() }));
            }
        }
        Ok(None)
    }

    fn ask(&self, word: &str, line: &HookLine, arguments: Vec<Dynamic>) -> Result<Option<Action>, RuleError> {
        let script = &self.scripts[line.function.script];
        let answer = script.call(&line.function.name, arguments);
        let read = answer.and_then(|answer| action::read(word, answer).map_err(|fault| RuleError::new(fault, None)));
        read.map_err(|error| {
            let place = script.place_of(&error, &line.place);
            error.or_place(|| place)
        })
    }
}

impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet").field("digest", &self.digest).finish_non_exhaustive()
    }
}

/// How many functions a file of tests may have.
const MAX_TESTS: usize = 2_000;

/// The texts of a folder of rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    scripts: Vec<Source>,
    /// Those in `lib`, by the name they are imported by.
    modules: BTreeMap<String, Source>,
    /// Those in `tests`, where anybody wants them.
    tests: Vec<Source>,
    /// Of the names and bytes of all but the tests.
    digest: String,
}

impl Texts {
    /// Reads the scripts of a folder and of its folder `lib`.
    ///
    /// # Errors
    /// Every file that cannot be read.
    pub(crate) fn read(folder: &Path, shown_as: &str) -> Result<Self, Vec<RuleError>> {
        let (texts, errors) = Self::read_in_part(folder, shown_as)?;
        if errors.is_empty() { Ok(texts) } else { Err(errors) }
    }

    /// The same, with what could be read although something else could not.
    fn read_in_part(folder: &Path, shown_as: &str) -> Result<(Self, Vec<RuleError>), Vec<RuleError>> {
        let mut paths = listed(folder).map_err(|error| vec![unreadable(shown_as, error)])?;
        paths.extend(inside(folder, shown_as, "lib")?);
        if paths.len() > MAX_SCRIPTS {
            let said = format!("`{shown_as}` holds {} scripts; there may be {MAX_SCRIPTS}", paths.len());
            return Err(vec![RuleError::new(Fault::LimitExceeded(said), None)]);
        }
        let mut digest = Sha256::new();
        let mut texts = Self::default();
        let (read, errors) = read(&paths, shown_as, &mut digest);
        for (name, source) in read {
            match name.strip_prefix("lib/").and_then(|name| name.strip_suffix(".rhai")) {
                Some(module) => {
                    texts.modules.insert(module.to_owned(), source);
                }
                None => texts.scripts.push(source),
            }
        }
        texts.digest = format!("sha256:{}", hex(&digest.finalize()));
        Ok((texts, errors))
    }

    /// The scripts, and the modules that they import, directly or by way of others. What only tests import is no rule.
    fn of_rules(&self) -> impl Iterator<Item = &Source> {
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&Source> = self.scripts.iter().collect();
        while let Some(source) = waiting.pop() {
            let imports = coverage::parsed(&source.text).map(|ast| library::imports(&ast)).unwrap_or_default();
            for (path, _, _) in imports {
                if let Some((name, module)) = self.modules.get_key_value(library::named(&path))
                    && used.insert(name)
                {
                    waiting.push(module);
                }
            }
        }
        let modules = self.modules.iter().filter(move |(name, _)| used.contains(name.as_str()));
        self.scripts.iter().chain(modules.map(|(_, module)| module))
    }

    /// Reads the folder `tests` as well. The digest stays: how rules are tried is no part of what they say.
    ///
    /// # Errors
    /// Every file that cannot be read.
    pub(crate) fn with_tests(mut self, folder: &Path, shown_as: &str) -> Result<Self, Vec<RuleError>> {
        let (read, errors) = read(&inside(folder, shown_as, "tests")?, shown_as, &mut Sha256::new());
        self.tests = read.into_iter().map(|(_, source)| source).collect();
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }
}

/// The scripts of a folder in the folder, which need not be there.
fn inside(folder: &Path, shown_as: &str, name: &str) -> Result<Vec<(String, PathBuf)>, Vec<RuleError>> {
    match listed(&folder.join(name)) {
        Ok(scripts) => Ok(scripts.into_iter().map(|(script, path)| (format!("{name}/{script}"), path)).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(vec![unreadable(&format!("{shown_as}/{name}"), error)]),
    }
}

fn unreadable(what: &str, cause: std::io::Error) -> RuleError {
    RuleError::new(Fault::Read { what: format!("`{what}`"), cause: Arc::new(cause) }, None)
}

/// True for a script; definitions for editors (`*.d.rhai`) are none.
fn is_script(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".rhai") && !name.ends_with(".d.rhai")
}

/// The scripts directly in a folder, by name.
fn listed(folder: &Path) -> Result<Vec<(String, PathBuf)>, std::io::Error> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>)?;
    let paths = entries.into_iter().map(|entry| entry.path());
    let scripts = paths.filter(|path| is_script(path) && !path.is_dir());
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut scripts: Vec<(String, PathBuf)> = scripts.map(|path| (name(&path), path)).collect();
    scripts.sort();
    Ok(scripts)
}

/// What stands in scripts, by name, and what is wrong with those that cannot be read.
fn read(paths: &[(String, PathBuf)], shown_as: &str, digest: &mut Sha256) -> (Vec<(String, Source)>, Vec<RuleError>) {
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for (name, path) in paths {
        let shown = format!("{}/{name}", shown_as.trim_end_matches('/'));
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                errors.push(unreadable(&shown, error));
                continue;
            }
        };
        // Lengths first, so that no name and text can pass for another name and text.
        digest.update(name.len().to_le_bytes());
        digest.update(name.as_bytes());
        digest.update(bytes.len().to_le_bytes());
        digest.update(&bytes);
        if bytes.len() > MAX_SCRIPT {
            let what = format!("`{shown}`");
            errors.push(RuleError::new(Fault::TooLarge { what, size: bytes.len(), most: MAX_SCRIPT }, None));
            continue;
        }
        match String::from_utf8(bytes) {
            // Editors of one kind put a mark in front that is no part of the text.
            Ok(text) => {
                let source = Source { file: shown.into(), text: text.trim_start_matches('\u{feff}').into() };
                sources.push((name.clone(), source));
            }
            Err(_) => errors.push(RuleError::new(Fault::NotText { what: format!("`{shown}`") }, None)),
        }
    }
    (sources, errors)
}

/// Functions that were handed over and do not take what they are given.
fn wrong_functions(scripts: &[Script], declared: &Declared) -> Vec<RuleError> {
    let wrong = declared.functions.iter().filter_map(|(function, word, takes, place)| {
        let (script, takes) = (scripts.get(function.script)?, *takes);
        let Some(got) = script.parameters(&function.name) else {
            let fault =
                Fault::Runtime("a function of a module cannot be handed over: call it in one written here".into());
            return Some(RuleError::new(fault, Some(place.clone())));
        };
        (got != takes).then(|| RuleError::new(Fault::WrongParameters { word, got, takes }, Some(place.clone())))
    });
    wrong.collect()
}

/// Which lines speak of which attribute, and those that collide.
fn examine_owners(declared: &Declared) -> (Index, Vec<RuleError>) {
    let (mut index, mut errors) = (Index::new(), Vec::new());
    let mut settled: BTreeMap<&AttributeName, usize> = BTreeMap::new();
    for (at, owner) in declared.owners.iter().enumerate() {
        for attribute in &owner.line.attributes {
            index.entry(attribute.clone()).or_default().push(at);
            if owner.line.conditional {
                continue;
            }
            let Some(&first) = settled.get(attribute) else {
                settled.insert(attribute, at);
                continue;
            };
            let fault = Fault::OwnedTwice { attribute: attribute.clone() };
            let error = RuleError::new(fault, Some(owner.place.clone()));
            errors.push(error.with_second(declared.owners[first].place.clone(), "first owner"));
        }
    }
    (index, errors)
}

fn policy(declared: &Declared) -> Policy {
    let place = |place: &fault::Place| place.origin.clone();
    Policy {
        owners: declared.owners.iter().map(|owner| owner.line.clone()).collect(),
        copies: declared.copies.iter().map(|(attribute, (line, _))| (attribute.clone(), line.clone())).collect(),
        joins: declared.joins.iter().map(|(system, (line, _))| (system.clone(), line.clone())).collect(),
        accounts: declared.accounts.iter().map(|(system, line)| (system.clone(), place(&line.place))).collect(),
        sources: declared.sources.iter().map(|(system, line)| (system.clone(), place(&line.place))).collect(),
        temporary: declared.temporary.clone(),
        ranges: declared.ranges.iter().map(|(set, (line, _))| (set.clone(), line.clone())).collect(),
        routes: declared.routes.iter().map(|line| place(&line.place)).collect(),
        refusals: declared.refusals.iter().map(|(system, line)| (system.clone(), place(&line.place))).collect(),
        guards: declared.guards.iter().map(|line| place(&line.place)).collect(),
    }
}

#[cfg(test)]
mod tests;
