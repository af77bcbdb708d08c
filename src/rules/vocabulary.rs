//! The declarations: the words that stand at the top level of a script.
//!
//! A declaration is checked against what is known and kept with its origin; nothing happens because of it here. What is
//! wrong with one is noted, and the script goes on, so that one loading shows all of it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, NativeCallContext};

use crate::model::{
    attribute::AttributeName,
    id::SystemName,
    origin::Origin,
    policy::{CopyLine, JoinLine, OwnerLine, RangeLine},
};

use super::{
    fault::{Fault, ONE_NAME, Place, Role, RuleError, type_name},
    known::{Known, KnownSystem, has},
    sandbox::{MAX_DECLARATIONS, raise},
    script::Source,
};

/// A function of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Which script.
    pub(super) script: usize,
    pub(super) name: ImmutableString,
}

/// One `owner` line.
#[derive(Debug)]
pub(super) struct Owner {
    pub(super) line: OwnerLine,
    pub(super) condition: Option<Function>,
    pub(super) place: Place,
}

/// One `account` line.
#[derive(Debug)]
pub(super) struct AccountLine {
    pub(super) condition: Option<Function>,
    pub(super) place: Place,
}

/// One `route`, `refused` or `guard` line.
#[derive(Debug)]
pub(super) struct HookLine {
    pub(super) function: Function,
    pub(super) place: Place,
}

/// One `test` line.
#[derive(Debug)]
pub(super) struct TestLine {
    pub(super) name: String,
    pub(super) function: Function,
    /// What the function is handed: the row of a table of tests.
    pub(super) row: Option<Dynamic>,
    pub(super) place: Place,
}

/// One `source` line.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) function: Function,
    pub(super) place: Place,
}

/// Everything declared so far, in file and line order.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) owners: Vec<Owner>,
    pub(super) copies: BTreeMap<AttributeName, (CopyLine, Place)>,
    pub(super) joins: BTreeMap<SystemName, (JoinLine, Place)>,
    pub(super) accounts: BTreeMap<SystemName, AccountLine>,
    pub(super) sources: BTreeMap<SystemName, SourceLine>,
    pub(super) temporary: BTreeMap<(AttributeName, SystemName), Origin>,
    pub(super) ranges: BTreeMap<AttributeName, (RangeLine, Place)>,
    pub(super) routes: Vec<HookLine>,
    pub(super) refusals: Vec<(SystemName, HookLine)>,
    pub(super) guards: Vec<HookLine>,
    pub(super) tests: Vec<TestLine>,
    /// What was wrong with declarations.
    pub(super) errors: Vec<RuleError>,
    /// Functions that were named, to be looked at when the script has run.
    pub(super) functions: Vec<(Function, &'static str, usize, Place)>,
    /// How many declarations each script has made, wrong ones too.
    pub(super) counts: BTreeMap<usize, usize>,
}

/// Where the declarations of one script are taken down.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) script: usize,
    pub(super) source: Source,
    pub(super) modules: Rc<BTreeMap<String, Source>>,
    pub(super) known: Rc<Known>,
    pub(super) declared: Rc<RefCell<Declared>>,
    /// False once all scripts have run.
    pub(super) open: Rc<Cell<bool>>,
    /// True for a file of tests: it says what is tried, and nothing of what holds.
    pub(super) only_tests: bool,
}

impl Desk {
    /// Where a word was said: in the script, or in a module that it imports.
    pub(super) fn place(&self, context: &NativeCallContext<'_>) -> Place {
        let module = context.call_source().and_then(|file| self.modules.values().find(|module| *module.file == *file));
        let source = module.unwrap_or(&self.source);
        source.place(context.call_position()).unwrap_or_else(|| source.top())
    }
}

type Answer = Result<(), Box<EvalAltResult>>;

impl Desk {
    /// Counts a declaration of this script, if it may make another.
    fn count(&self) -> Answer {
        let mut declared = self.declared.borrow_mut();
        let count = declared.counts.entry(self.script).or_default();
        *count += 1;
        if *count > MAX_DECLARATIONS {
            let fault = format!("a script may make {MAX_DECLARATIONS} declarations");
            return Err(raise(Fault::LimitExceeded(fault)));
        }
        Ok(())
    }
}

/// Teaches an engine the declarations.
pub(super) fn register(engine: &mut Engine, desk: &Desk) {
    word(engine, desk, "owner", |line, [attributes, system]: [Dynamic; 2]| line.owner(attributes, system, None));
    word(engine, desk, "owner", |line, [attributes, system, condition]: [Dynamic; 3]| {
        let condition = line.function(condition)?;
        line.owner(attributes, system, Some(condition))
    });
    word(engine, desk, "copies", |line, [attributes, systems]: [Dynamic; 2]| line.copies(attributes, systems));
    word(engine, desk, "source", |line, [system, function]: [Dynamic; 2]| line.source(system, function));
    word(engine, desk, "join", |line, [system, attributes]: [Dynamic; 2]| line.join(system, attributes));
    word(engine, desk, "account", |line, [system]: [Dynamic; 1]| line.account(system, None));
    word(engine, desk, "account", |line, [system, condition]: [Dynamic; 2]| {
        let condition = line.function(condition)?;
        line.account(system, Some(condition))
    });
    word(engine, desk, "range", |line, [attribute, members]: [Dynamic; 2]| line.range(attribute, &members));
    word(engine, desk, "route", |line, [function]: [Dynamic; 1]| {
        let function = line.function(function)?;
        line.note(|declared, hook| declared.routes.push(hook), function);
        Ok(())
    });
    word(engine, desk, "refused", |line, [system, function]: [Dynamic; 2]| {
        let function = line.function(function)?;
        let (system, _) = line.provider(system)?;
        line.note(|declared, hook| declared.refusals.push((system, hook)), function);
        Ok(())
    });
    word(engine, desk, "guard", |line, [function]: [Dynamic; 1]| {
        let function = line.function(function)?;
        line.note(|declared, hook| declared.guards.push(hook), function);
        Ok(())
    });
    word(engine, desk, "test", |line, [name, function]: [Dynamic; 2]| line.test(name, function));
    word(engine, desk, "cases", |line, [rows, function]: [Dynamic; 2]| line.cases(rows, function));
    word(engine, desk, "temporary", |line, [attributes, systems]: [Dynamic; 2]| line.temporary(attributes, systems));
}

/// Registers one declaration with `N` arguments of any type, so that wrong ones meet our words and not the language's.
fn word<const N: usize>(
    engine: &mut Engine,
    desk: &Desk,
    name: &'static str,
    take: fn(&Line<'_>, [Dynamic; N]) -> Result<(), RuleError>,
) {
    let desk = desk.clone();
    let types = [std::any::TypeId::of::<Dynamic>(); N];
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| -> Answer {
            if !desk.open.get() {
                let in_module = desk.script == usize::MAX;
                return Err(raise(if in_module {
                    Fault::InModule { word: name }
                } else {
                    Fault::TooLate { word: name }
                }));
            }
            desk.count()?;
            // Cloned: a variable that is given as first argument arrives as itself, and taking it would empty it.
            let mut taken = arguments.iter_mut().map(|argument| argument.clone());
            let taken = std::array::from_fn(|_| taken.next().unwrap_or_default());
            let place = desk.place(&context);
            if desk.only_tests && !matches!(name, "test" | "cases") {
                let error = RuleError::new(Fault::NotInTests { word: name }, Some(place));
                desk.declared.borrow_mut().errors.push(error);
                return Ok(());
            }
            if let Err(error) = take(&Line { desk: &desk, word: name, place }, taken) {
                desk.declared.borrow_mut().errors.push(error);
            }
            Ok(())
        },
    );
}

/// One declaration being taken down.
struct Line<'a> {
    desk: &'a Desk,
    word: &'static str,
    place: Place,
}

impl Line<'_> {
    fn owner(&self, attributes: Dynamic, system: Dynamic, condition: Option<Function>) -> Result<(), RuleError> {
        let attributes = self.attributes(attributes)?;
        let (system, known) = self.system(system)?;
        if !known.is_source
            && let Some(attribute) = attributes.iter().find(|it| !known.holds(&system, it))
        {
            return Err(self.not_held(&system, attribute));
        }
        let origin = self.place.origin.clone();
        let line = OwnerLine { attributes, system, conditional: condition.is_some(), origin };
        let owner = Owner { line, condition, place: self.place.clone() };
        self.desk.declared.borrow_mut().owners.push(owner);
        Ok(())
    }

    fn copies(&self, attributes: Dynamic, systems: Dynamic) -> Result<(), RuleError> {
        let attributes = self.attributes(attributes)?;
        let systems = self.providers(systems)?;
        for attribute in attributes {
            for (system, known) in &systems {
                if !known.holds(system, &attribute) {
                    return Err(self.not_held(system, &attribute));
                }
            }
            let systems = systems.iter().map(|(system, _)| system.clone()).collect();
            let line = CopyLine { systems, origin: self.place.origin.clone() };
            let mut declared = self.desk.declared.borrow_mut();
            if let Some((_, first)) = declared.copies.get(&attribute) {
                return Err(self.twice(attribute.as_str(), first));
            }
            declared.copies.insert(attribute, (line, self.place.clone()));
        }
        Ok(())
    }

    fn source(&self, system: Dynamic, function: Dynamic) -> Result<(), RuleError> {
        let function = self.function(function)?;
        let (system, known) = self.system(system)?;
        if !known.is_source {
            return Err(self.wrong_role(&system, Role::Source));
        }
        let mut declared = self.desk.declared.borrow_mut();
        if let Some(first) = declared.sources.get(&system) {
            return Err(self.twice(system.as_str(), &first.place));
        }
        declared.sources.insert(system, SourceLine { function, place: self.place.clone() });
        Ok(())
    }

    fn join(&self, system: Dynamic, attributes: Dynamic) -> Result<(), RuleError> {
        let (system, known) = self.provider(system)?;
        let attributes = self.attributes(attributes)?;
        let unfit =
            |it: &&AttributeName| it.system().is_some_and(|owner| owner != system) || !has(&known.lookups, it.local());
        if let Some(attribute) = attributes.iter().find(unfit) {
            let place = self.place_of(attribute.as_str());
            let fault = Fault::NoLookup { system, attribute: attribute.clone(), all: known.lookups };
            return Err(RuleError::new(fault, Some(place)));
        }
        let mut declared = self.desk.declared.borrow_mut();
        if let Some((_, first)) = declared.joins.get(&system) {
            return Err(self.twice(system.as_str(), first));
        }
        let line = JoinLine { attributes, origin: self.place.origin.clone() };
        declared.joins.insert(system, (line, self.place.clone()));
        Ok(())
    }

    fn account(&self, system: Dynamic, condition: Option<Function>) -> Result<(), RuleError> {
        let (system, _) = self.provider(system)?;
        let mut declared = self.desk.declared.borrow_mut();
        if let Some(first) = declared.accounts.get(&system) {
            return Err(self.twice(system.as_str(), &first.place));
        }
        declared.accounts.insert(system, AccountLine { condition, place: self.place.clone() });
        Ok(())
    }

    fn temporary(&self, attributes: Dynamic, systems: Dynamic) -> Result<(), RuleError> {
        let attributes = self.attributes(attributes)?;
        let systems = self.providers(systems)?;
        for attribute in &attributes {
            for (system, known) in &systems {
                if !known.holds(system, attribute) {
                    return Err(self.not_held(system, attribute));
                }
                let origin = self.place.origin.clone();
                let key = (attribute.clone(), system.clone());
                self.desk.declared.borrow_mut().temporary.entry(key).or_insert(origin);
            }
        }
        Ok(())
    }

    fn range(&self, attribute: Dynamic, members: &Dynamic) -> Result<(), RuleError> {
        for set in self.attributes(attribute)? {
            if self.desk.known.levels(&set).is_none() {
                let place = self.place_of(set.as_str());
                return Err(RuleError::new(Fault::NoSet { attribute: set }, Some(place)));
            }
            let members = self.names(members.clone(), "the member")?.iter().map(ToString::to_string).collect();
            let mut declared = self.desk.declared.borrow_mut();
            if let Some((_, first)) = declared.ranges.get(&set) {
                return Err(self.twice(set.as_str(), first));
            }
            let line = RangeLine { members, origin: self.place.origin.clone() };
            declared.ranges.insert(set, (line, self.place.clone()));
        }
        Ok(())
    }

    fn test(&self, name: Dynamic, function: Dynamic) -> Result<(), RuleError> {
        let function = self.function(function)?;
        let name = self.name(name, "the name")?.to_string();
        self.note_test(name, function, None)
    }

    /// A table of tests: each row is handed to the function, and is a test of its own by the name it gives itself.
    fn cases(&self, rows: Dynamic, function: Dynamic) -> Result<(), RuleError> {
        let function = self.function(function)?;
        let got = type_name(rows.type_name());
        let wrong = |got| {
            let wanted = "a list of maps `#{ name: \"…\", … }`".to_owned();
            self.error(Fault::WrongType { what: self.what("the table"), wanted, got })
        };
        let rows = rows.into_array().map_err(|_| wrong(got))?;
        if rows.is_empty() {
            return Err(wrong("an empty list".to_owned()));
        }
        for row in rows {
            let got = type_name(row.type_name());
            let name = row.read_lock::<rhai::Map>().map(|row| row.get("name").cloned().unwrap_or_default());
            let name = self.name(name.ok_or_else(|| wrong(format!("a list with {got}")))?, "the name of a row")?;
            self.note_test(name.to_string(), function.clone(), Some(row))?;
        }
        Ok(())
    }

    fn note_test(&self, name: String, function: Function, row: Option<Dynamic>) -> Result<(), RuleError> {
        let mut declared = self.desk.declared.borrow_mut();
        if let Some(first) = declared.tests.iter().find(|test| test.name == name) {
            return Err(self.twice(&name, &first.place));
        }
        declared.tests.push(TestLine { name, function, row, place: self.place.clone() });
        Ok(())
    }

    fn note(&self, keep: impl FnOnce(&mut Declared, HookLine), function: Function) {
        keep(&mut self.desk.declared.borrow_mut(), HookLine { function, place: self.place.clone() });
    }

    /// One attribute or several, each once.
    fn attributes(&self, value: Dynamic) -> Result<Vec<AttributeName>, RuleError> {
        let mut attributes = Vec::new();
        for name in self.names(value, "the attribute")? {
            let Some(attribute) = self.desk.known.attribute(&name) else {
                let near = self.desk.known.near_attribute(&name);
                let place = self.place_of(&name);
                return Err(RuleError::new(Fault::UnknownAttribute { name: name.to_string(), near }, Some(place)));
            };
            if !attributes.contains(&attribute) {
                attributes.push(attribute);
            }
        }
        Ok(attributes)
    }

    fn system(&self, value: Dynamic) -> Result<(SystemName, KnownSystem), RuleError> {
        if value.is_array() {
            let (what, got) = (self.what("the system"), type_name(value.type_name()));
            return Err(self.error(Fault::WrongType { what, wanted: ONE_NAME.to_owned(), got }));
        }
        let name = self.name(value, "the system")?;
        self.known_system(&name)
    }

    fn provider(&self, value: Dynamic) -> Result<(SystemName, KnownSystem), RuleError> {
        let (system, known) = self.system(value)?;
        if known.is_provider { Ok((system, known)) } else { Err(self.wrong_role(&system, Role::Provider)) }
    }

    /// One provider or several, each once.
    fn providers(&self, value: Dynamic) -> Result<Vec<(SystemName, KnownSystem)>, RuleError> {
        let mut systems: Vec<(SystemName, KnownSystem)> = Vec::new();
        for name in self.names(value, "the system")? {
            let (system, known) = self.known_system(&name)?;
            if !known.is_provider {
                return Err(self.wrong_role(&system, Role::Provider));
            }
            if systems.iter().all(|(other, _)| *other != system) {
                systems.push((system, known));
            }
        }
        Ok(systems)
    }

    fn known_system(&self, name: &str) -> Result<(SystemName, KnownSystem), RuleError> {
        let system = SystemName::from(name);
        if let Some(known) = self.desk.known.systems.get(&system) {
            return Ok((system, known.clone()));
        }
        Err(RuleError::new(self.desk.known.unknown_system(name), Some(self.place_of(name))))
    }

    /// One text or a list of texts.
    fn names(&self, value: Dynamic, what: &str) -> Result<Vec<ImmutableString>, RuleError> {
        if !value.is_array() {
            return self.name(value, what).map(|name| vec![name]);
        }
        let items = value.into_array().unwrap_or_default();
        if items.is_empty() {
            let (wanted, got) = ("named".to_owned(), "an empty list".to_owned());
            return Err(self.error(Fault::WrongType { what: self.what(what), wanted, got }));
        }
        items.into_iter().map(|item| self.name(item, what)).collect()
    }

    fn name(&self, value: Dynamic, what: &str) -> Result<ImmutableString, RuleError> {
        let got = type_name(value.type_name());
        value.into_immutable_string().map_err(|_| {
            self.error(Fault::WrongType { what: self.what(what), wanted: "text in quotes".to_owned(), got })
        })
    }

    fn function(&self, value: Dynamic) -> Result<Function, RuleError> {
        let got = type_name(value.type_name());
        let Some(function) = value.try_cast::<FnPtr>() else {
            let (what, wanted, _) = takes(self.word);
            let what = self.what(what);
            return Err(self.error(Fault::WrongType { what, wanted: wanted.to_owned(), got }));
        };
        let function = Function { script: self.desk.script, name: function.fn_name().into() };
        self.desk.declared.borrow_mut().functions.push((
            function.clone(),
            self.word,
            takes(self.word).2,
            self.place.clone(),
        ));
        Ok(function)
    }

    fn what(&self, what: &str) -> String {
        format!("{what} in `{}`", self.word)
    }

    fn error(&self, fault: Fault) -> RuleError {
        RuleError::new(fault, Some(self.place.clone()))
    }

    fn place_of(&self, text: &str) -> Place {
        self.desk.source.place_of_text(&self.place.origin, text).unwrap_or_else(|| self.place.clone())
    }

    fn wrong_role(&self, system: &SystemName, role: Role) -> RuleError {
        RuleError::new(Fault::WrongRole { system: system.clone(), role }, Some(self.place_of(system.as_str())))
    }

    fn not_held(&self, system: &SystemName, attribute: &AttributeName) -> RuleError {
        let fault = Fault::NotHeld { system: system.clone(), attribute: attribute.clone() };
        RuleError::new(fault, Some(self.place_of(attribute.as_str())))
    }

    fn twice(&self, what: &str, first: &Place) -> RuleError {
        let fault = Fault::DeclaredTwice { word: self.word, what: what.to_owned() };
        self.error(fault).with_second(first.clone(), "the first one")
    }
}

/// What the function of a word is for, how it is written, and how many arguments it gets.
fn takes(word: &str) -> (&'static str, &'static str, usize) {
    match word {
        "source" => ("what reads a record", "a function `|row| #{ ... }`", 1),
        "route" => ("what looks at a change", "a function `|change| ...`", 1),
        "refused" => ("what looks at a refusal", "a function `|change, refusal| ...`", 2),
        "guard" => ("what looks at a plan", "a function `|plan| ...`", 1),
        "test" => ("the test", "a function `|| { ... }`", 0),
        "cases" => ("the test of one row", "a function `|row| { ... }`", 1),
        _ => ("the condition", "a function `|person| ...`", 1),
    }
}
