//! The bodies of functions, read without running them: each value is followed from where it is handed in to where it is
//! used, as far as the text shows what it is.
//!
//! A function is read once for each kind of arguments it is given. What is found is reported where it stands; what the
//! functions answer is looked at by `answer`. Nothing here knows why a function is called.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use rhai::{ASTFlags, Expr, FnCallExpr, FnPtr, Position, Stmt};

use crate::model::attribute::AttributeName;

use super::{
    super::{
        known::Known,
        library, reference,
        script::{Script, is_unnamed},
    },
    Finding, Samples,
    effect::{begins, ends, is_ours, last_word, moved, useless},
    shape::{Link, asked_after, links, path, shape, start},
    thing::{Entry, Spot, Thing, Words},
    view,
};

/// A function as it is written.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) params: Vec<String>,
    pub(super) statements: Vec<Stmt>,
}

/// What a function may answer, and where it does.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) thing: Thing,
    pub(super) at: Option<Spot>,
}

/// One script or module with its functions.
pub(super) struct Unit<'a> {
    pub(super) script: &'a Script,
    pub(super) bodies: BTreeMap<(String, usize), Rc<Body>>,
    pub(super) constants: BTreeMap<String, Thing>,
    /// The module behind each name it is imported as.
    pub(super) imports: BTreeMap<String, String>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(script: &'a Script) -> Self {
        let ast = script.ast();
        let mut bodies = BTreeMap::new();
        for function in ast.iter_functions() {
            let (name, arity) = (function.name, function.params.len());
            // The language shows the body of a function only where it walks through all of them.
            let mut alone = ast.clone_functions_only();
            alone.retain_functions(|_, _, other, params| other == name && params == arity);
            let mut statements = Vec::new();
            alone.walk(&mut |path| {
                if let [rhai::ASTNode::Stmt(statement)] = path {
                    statements.push((*statement).clone());
                }
                true
            });
            let params = function.params.iter().map(ToString::to_string).collect();
            bodies.insert((name.to_owned(), arity), Rc::new(Body { params, statements }));
        }
        let constants = ast.statements().iter().filter_map(|statement| match statement {
            Stmt::Var(var, flags, _) if flags.contains(ASTFlags::CONSTANT) => {
                Some((var.0.name.to_string(), literal(&var.1)))
            }
            _ => None,
        });
        let imports = script.imports().into_iter();
        let imports = imports.map(|(path, alias, _)| (alias, library::named(&path).to_owned()));
        Self { script, bodies, constants: constants.collect(), imports: imports.collect() }
    }

    pub(super) fn file(&self) -> &Arc<str> {
        &self.script.source.file
    }

    pub(super) fn spot(&self, position: Position) -> Option<Spot> {
        Some((Arc::clone(self.file()), position.line()?, position.position()?))
    }
}

/// What is written out.
fn literal(expr: &Expr) -> Thing {
    match expr {
        Expr::StringConstant(text, _) => Thing::Said(text.to_string()),
        Expr::BoolConstant(truth, _) => Thing::Is(*truth),
        Expr::IntegerConstant(number, _) => Thing::Count(*number),
        Expr::Unit(_) => Thing::Nothing,
        Expr::Array(items, _) => Thing::List(Box::new(Thing::one_of(items.iter().map(literal)))),
        _ => Thing::Anything,
    }
}

/// A function that was read: its unit, its name, what it was given.
type Asked = (usize, String, Vec<Thing>);

/// What reads bodies: all units, what can be named, and what was found so far.
pub(super) struct Examiner<'a> {
    pub(super) units: Vec<Unit<'a>>,
    /// Which unit a module is.
    pub(super) modules: BTreeMap<String, usize>,
    pub(super) known: &'a Known,
    pub(super) samples: &'a Samples,
    /// Functions that the language itself brings.
    pub(super) brought: BTreeSet<String>,
    /// How many arguments each word takes.
    pub(super) arities: BTreeMap<&'static str, BTreeSet<usize>>,
    found: RefCell<Vec<Finding>>,
    /// How often something was found, again or not: what was told about a part needs no second word about the whole.
    told: Cell<usize>,
    quiet: Cell<bool>,
    read: RefCell<BTreeMap<Asked, Option<Vec<Answer>>>>,
}

/// The reading of one function.
pub(super) struct Reading<'u> {
    pub(super) unit: &'u Unit<'u>,
    at: usize,
    pub(super) vars: BTreeMap<String, Thing>,
    /// Variables that change on the way: nothing is known of them.
    moving: BTreeSet<String>,
    answers: Vec<Answer>,
    /// The properties of which the function asks whether they are there; `None` where another function may have asked.
    pub(super) asked_after: Option<BTreeSet<String>>,
    /// The attribute a change is known to be about here.
    pub(super) about: Option<AttributeName>,
    /// True for the declarations, which run when rules are loaded: what is wrong with their words is told then.
    pub(super) is_loading: bool,
}

/// What becomes of a statement's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The function answers it.
    Answer,
    /// Something else takes it.
    Value,
    /// Nobody takes it.
    Dropped,
}

impl<'a> Examiner<'a> {
    pub(super) fn new(
        scripts: impl IntoIterator<Item = &'a Script>,
        modules: impl IntoIterator<Item = (&'a String, &'a Script)>,
        known: &'a Known,
        samples: &'a Samples,
    ) -> Self {
        let mut units: Vec<Unit<'a>> = scripts.into_iter().map(Unit::new).collect();
        let mut names = BTreeMap::new();
        for (name, script) in modules {
            names.insert(name.clone(), units.len());
            units.push(Unit::new(script));
        }
        // What is asked about is no function that could be told from its name.
        let asking = ["type_of", "is_def_var", "is_def_fn", "is_shared"].map(str::to_owned);
        let brought = reference::brought().into_keys().chain(asking).collect();
        let arities = reference::arities();
        let (found, told, quiet, read) = <(RefCell<_>, Cell<_>, Cell<_>, RefCell<_>)>::default();
        Self { units, modules: names, known, samples, brought, arities, found, told, quiet, read }
    }

    pub(super) fn take(&self) -> Vec<Finding> {
        self.found.take()
    }

    /// What a function answers, and on the way what is wrong in it. `None` where it is not known here.
    pub(super) fn answers(&self, unit: usize, name: &str, arguments: Vec<Thing>) -> Option<Vec<Answer>> {
        let body = Rc::clone(self.units[unit].bodies.get(&(name.to_owned(), arguments.len()))?);
        let key = (unit, name.to_owned(), arguments);
        if let Some(known) = self.read.borrow().get(&key) {
            // Still being read: it calls itself.
            return Some(known.clone().unwrap_or_else(|| vec![Answer { thing: Thing::Anything, at: None }]));
        }
        self.read.borrow_mut().insert(key.clone(), None);
        let mut moving = BTreeSet::new();
        for statement in &body.statements {
            moved(statement, &mut moving);
        }
        let vars = body.params.iter().cloned().zip(key.2.iter().cloned()).collect();
        let unit_ref = &self.units[unit];
        let asked_after = is_unnamed(name).then(|| asked_after(&body.statements));
        let answers = Vec::new();
        let mut reading =
            Reading { unit: unit_ref, at: unit, vars, moving, answers, asked_after, about: None, is_loading: false };
        self.block(&mut reading, &body.statements, Use::Answer);
        let answers = reading.answers;
        self.read.borrow_mut().insert(key, Some(answers.clone()));
        Some(answers)
    }

    /// Reads the top level of a script: its declarations.
    pub(super) fn top_level(&self, at: usize) {
        let unit = &self.units[at];
        let mut moving = BTreeSet::new();
        for statement in unit.script.ast().statements() {
            moved(statement, &mut moving);
        }
        let (vars, answers) = (BTreeMap::new(), Vec::new());
        let mut reading = Reading { unit, at, vars, moving, answers, asked_after: None, about: None, is_loading: true };
        self.block(&mut reading, unit.script.ast().statements(), Use::Dropped);
    }

    /// How much was told so far.
    pub(super) fn told(&self) -> usize {
        self.told.get()
    }

    /// Takes note of something, once.
    pub(super) fn report(
        &self,
        unit: &Unit<'_>,
        code: &'static str,
        position: Position,
        message: String,
        hint: Option<String>,
    ) {
        let Some(place) = unit.script.source.place(position) else { return };
        self.put(Finding { hint, ..Finding::new(code, message, Some(place)) });
    }

    pub(super) fn put(&self, finding: Finding) {
        if self.quiet.get() {
            return;
        }
        self.told.set(self.told.get() + 1);
        let mut found = self.found.borrow_mut();
        if !found.iter().any(|other| other.same(&finding)) {
            found.push(finding);
        }
    }

    fn block(&self, on: &mut Reading<'_>, statements: &[Stmt], usage: Use) -> Thing {
        let outer = on.vars.clone();
        let (mut last, mut over) = (Thing::Nothing, false);
        for (number, statement) in statements.iter().enumerate() {
            if over {
                let message = "nothing behind a `return` that is always reached ever runs".to_owned();
                self.report(on.unit, "dead_code", begins(statement), message, None);
                break;
            }
            let is_last = number + 1 == statements.len();
            last = self.statement(on, statement, if is_last { usage } else { Use::Dropped });
            over = ends(statement);
        }
        if statements.is_empty() && usage == Use::Answer {
            on.answers.push(Answer { thing: Thing::Nothing, at: None });
        }
        let defined: Vec<String> = on.vars.keys().filter(|name| !outer.contains_key(*name)).cloned().collect();
        for name in defined {
            on.vars.remove(&name);
        }
        on.vars.extend(outer);
        last
    }

    fn statement(&self, on: &mut Reading<'_>, statement: &Stmt, usage: Use) -> Thing {
        let value = match statement {
            Stmt::If(flow, _) => return self.branches(on, flow, usage, &mut Vec::new()),
            Stmt::Block(block) => return self.block(on, block.statements(), usage),
            Stmt::Switch(switch, _) => {
                let (subject, cases) = &**switch;
                let thing = self.expr(on, subject);
                self.cases(on, subject, &thing);
                let mut values = Vec::new();
                for case in &cases.expressions {
                    if !matches!(case.lhs, Expr::BoolConstant(true, _)) {
                        self.condition(on, &case.lhs);
                    }
                    values.push(self.tail(on, &case.rhs, usage));
                }
                if cases.def_case.is_none() {
                    values.push(Thing::Nothing);
                    if usage == Use::Answer {
                        on.answers.push(Answer { thing: Thing::Nothing, at: None });
                    }
                }
                return Thing::one_of(values);
            }
            Stmt::While(flow, _) | Stmt::Do(flow, ..) => {
                if !matches!(flow.expr, Expr::Unit(_) | Expr::BoolConstant(..)) {
                    self.condition(on, &flow.expr);
                }
                self.block(on, flow.body.statements(), Use::Dropped);
                Thing::Anything
            }
            Stmt::For(each, _) => {
                let (name, count, flow) = &**each;
                let many = self.expr(on, &flow.expr);
                let one = Thing::one_of(many.parts().iter().map(|part| match part {
                    Thing::List(item) => (**item).clone(),
                    _ => Thing::Anything,
                }));
                let outer = on.vars.clone();
                on.vars.insert(name.name.to_string(), one);
                if let Some(count) = count {
                    on.vars.insert(count.name.to_string(), Thing::Number);
                }
                self.block(on, flow.body.statements(), Use::Dropped);
                on.vars = outer;
                Thing::Nothing
            }
            Stmt::Var(var, ..) => {
                let thing = self.expr(on, &var.1);
                let name = var.0.name.to_string();
                let thing = if on.moving.contains(&name) { Thing::Anything } else { thing };
                on.vars.insert(name, thing);
                Thing::Nothing
            }
            Stmt::Assignment(set) => {
                self.assignment(on, &set.1.lhs);
                self.expr(on, &set.1.rhs);
                Thing::Nothing
            }
            Stmt::FnCall(call, position) => {
                let told = self.told.get();
                let thing = self.call(on, call, *position);
                // What `perform` does there is told when rules are loaded.
                let is_ours =
                    is_ours(&call.name) && call.namespace.is_empty() && !(on.is_loading && call.name == "perform");
                if usage == Use::Dropped && self.told.get() == told && is_ours {
                    self.useless(on, *position, Some(&call.name));
                }
                thing
            }
            Stmt::Expr(expr) => {
                if let Expr::Stmt(block) = &**expr {
                    return self.block(on, block.statements(), usage);
                }
                let told = self.told.get();
                let thing = self.expr(on, expr);
                if usage == Use::Dropped && self.told.get() == told && useless(expr) {
                    self.useless(on, start(expr), last_word(expr));
                }
                if usage == Use::Answer {
                    on.answers.push(Answer { thing: thing.clone(), at: on.unit.spot(start(expr)) });
                }
                return thing;
            }
            Stmt::Return(value, flags, position) => {
                let thing = value.as_ref().map_or(Thing::Nothing, |value| self.expr(on, value));
                if !flags.contains(ASTFlags::BREAK) {
                    let at = value.as_ref().map_or(*position, |value| start(value));
                    on.answers.push(Answer { thing, at: on.unit.spot(at) });
                }
                return Thing::Nothing;
            }
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expr(on, value);
                }
                return Thing::Nothing;
            }
            _ => Thing::Nothing,
        };
        if usage == Use::Answer {
            on.answers.push(Answer { thing: value.clone(), at: on.unit.spot(begins(statement)) });
        }
        value
    }

    /// An expression in the place of a statement: what a case of a `switch` is.
    fn tail(&self, on: &mut Reading<'_>, expr: &Expr, usage: Use) -> Thing {
        if let Expr::Stmt(block) = expr {
            return self.block(on, block.statements(), usage);
        }
        let thing = self.expr(on, expr);
        if usage == Use::Answer {
            on.answers.push(Answer { thing: thing.clone(), at: on.unit.spot(start(expr)) });
        }
        thing
    }

    /// `if`, `else if`, `else`.
    fn branches(&self, on: &mut Reading<'_>, flow: &rhai::FlowControl, usage: Use, asked: &mut Vec<String>) -> Thing {
        self.condition(on, &flow.expr);
        if let Some(shape) = shape(&flow.expr) {
            if asked.contains(&shape) {
                let message = "the same condition was asked before: this branch is never taken".to_owned();
                self.report(on.unit, "repeated_condition", start(&flow.expr), message, None);
            }
            asked.push(shape);
        }
        let about = on.about.clone();
        if let Some(attribute) = self.attribute_in(on, &flow.expr) {
            on.about = Some(attribute);
        }
        let first = self.block(on, flow.body.statements(), usage);
        on.about = about;
        let second = match flow.branch.statements() {
            [] => {
                if usage == Use::Answer {
                    on.answers.push(Answer { thing: Thing::Nothing, at: None });
                }
                Thing::Nothing
            }
            [Stmt::If(next, _)] => self.branches(on, next, usage, asked),
            statements => self.block(on, statements, usage),
        };
        Thing::one_of([first, second])
    }

    /// The attribute that a condition compares a change's with.
    fn attribute_in(&self, on: &mut Reading<'_>, condition: &Expr) -> Option<AttributeName> {
        let parts: &[Expr] = match condition {
            Expr::And(parts, _) => parts,
            one => std::slice::from_ref(one),
        };
        let was = self.quiet.replace(true);
        let found = parts.iter().find_map(|part| {
            let Expr::FnCall(call, _) = part else { return None };
            let ("==", [left, right]) = (call.name.as_str(), call.args.as_slice()) else { return None };
            let attribute = Thing::Word(Words::Attribute);
            match (self.expr(on, left), self.expr(on, right)) {
                (one, Thing::Said(name)) | (Thing::Said(name), one) if one == attribute => self.known.attribute(&name),
                _ => None,
            }
        });
        self.quiet.set(was);
        found
    }

    fn condition(&self, on: &mut Reading<'_>, expr: &Expr) -> Thing {
        let told = self.told.get();
        let thing = self.expr(on, expr);
        self.must_be_known(on, expr, &thing, "a condition is true or false");
        if let Thing::Is(truth) = thing
            && self.told.get() == told
        {
            self.always(on.unit, truth, start(expr));
        }
        thing
    }

    pub(super) fn always(&self, unit: &Unit<'_>, truth: bool, position: Position) {
        let code = if truth { "always_true" } else { "always_false" };
        self.report(unit, code, position, format!("this is always {truth}"), None);
    }

    fn useless(&self, on: &Reading<'_>, position: Position, word: Option<&str>) {
        let hint = word.map(|word| match word {
            "to" | "hold" | "drop" => {
                format!("what `{word}` gives must be what the function answers: `return {word}(…);`")
            }
            "perform" => "what `perform` gives must be what the function answers, alone or in a list".to_owned(),
            _ => format!("`{word}` gives a new value and changes nothing in place: use what it gives"),
        });
        self.report(on.unit, "no_effect", position, "nobody uses what this gives".to_owned(), hint);
    }

    fn assignment(&self, on: &mut Reading<'_>, target: &Expr) {
        let (root, chain) = links(target);
        let thing = match root {
            // What it is before anything is set is known, whatever becomes of it.
            Expr::Variable(variable, _, _) => on.vars.get(variable.1.as_str()).cloned().unwrap_or(Thing::Anything),
            other => self.expr(on, other),
        };
        let read_only = thing.parts().iter().find(|part| {
            matches!(
                part,
                Thing::Row(_)
                    | Thing::Person
                    | Thing::Account(_)
                    | Thing::SomeAccount
                    | Thing::Change
                    | Thing::Refusal
                    | Thing::Plan
            )
        });
        if let Some(part) = read_only.filter(|_| !chain.is_empty()) {
            let message = format!("{} cannot be changed here", part.called().unwrap_or("this"));
            let hint = Some("`==` compares, `=` sets".to_owned());
            self.report(on.unit, "assigned", start(target), message, hint);
        }
    }

    pub(super) fn expr(&self, on: &mut Reading<'_>, expr: &Expr) -> Thing {
        match expr {
            Expr::StringConstant(text, position)
                if text.split_once("${").is_some_and(|(_, rest)| rest.contains('}')) =>
            {
                let message = "`${…}` is not filled in between double quotes".to_owned();
                let hint = "write the text between backticks: `${first} ${last}`".to_owned();
                self.report(on.unit, "not_filled_in", *position, message, Some(hint));
                literal(expr)
            }
            Expr::StringConstant(..) | Expr::BoolConstant(..) | Expr::IntegerConstant(..) | Expr::Unit(_) => {
                literal(expr)
            }
            Expr::InterpolatedString(parts, _) => {
                for part in parts {
                    self.expr(on, part);
                }
                Thing::Text
            }
            Expr::Array(items, _) => {
                let items: Vec<Thing> = items.iter().map(|item| self.expr(on, item)).collect();
                Thing::List(Box::new(Thing::one_of(items)))
            }
            Expr::Map(map, position) => {
                let mut entries = Vec::new();
                for (key, value) in &map.0 {
                    let value = self.expr(on, value);
                    let Some(at) = on.unit.spot(key.pos) else { continue };
                    entries.push(Entry { key: key.name.to_string(), at, value });
                }
                on.unit.spot(*position).map_or(Thing::SomeMap, |spot| Thing::Map(spot, entries))
            }
            Expr::Variable(variable, _, _) => self.variable(on, &variable.1, &variable.2),
            Expr::Stmt(block) => self.block(on, block.statements(), Use::Value),
            Expr::FnCall(call, position) => self.call(on, call, *position),
            Expr::Dot(..) | Expr::Index(..) => self.chain(on, expr),
            Expr::And(parts, position) | Expr::Or(parts, position) => {
                self.several(on, parts, *position, matches!(expr, Expr::And(..)))
            }
            Expr::Coalesce(parts, _) => {
                let things: Vec<Thing> = parts.iter().map(|part| self.expr(on, part)).collect();
                let (last, first) = things.split_last().map_or((Thing::Nothing, &[][..]), |(a, b)| (a.clone(), b));
                let first =
                    first.iter().flat_map(|thing| thing.parts().to_vec()).filter(|part| *part != Thing::Nothing);
                Thing::one_of(first.chain([last]))
            }
            _ => Thing::Anything,
        }
    }

    fn variable(&self, on: &Reading<'_>, name: &str, namespace: &rhai::Namespace) -> Thing {
        let unit = match namespace.path.as_slice() {
            [] => {
                if on.moving.contains(name) {
                    return Thing::Anything;
                }
                if let Some(thing) = on.vars.get(name) {
                    return thing.clone();
                }
                on.unit
            }
            [one] if one.name == "global" => on.unit,
            [one] => {
                let module = on.unit.imports.get(one.name.as_str()).and_then(|module| self.modules.get(module));
                let Some(module) = module else { return Thing::Anything };
                &self.units[*module]
            }
            _ => return Thing::Anything,
        };
        unit.constants.get(name).cloned().unwrap_or(Thing::Anything)
    }

    /// `a && b`, `a || b`.
    fn several(&self, on: &mut Reading<'_>, parts: &[Expr], position: Position, all: bool) -> Thing {
        let told = self.told.get();
        let mut decided = false;
        let (about, outer) = (on.about.clone(), told);
        for part in parts {
            // A part that is always the same is told of itself.
            decided |= self.condition(on, part) == Thing::Is(!all);
        }
        on.about = about;
        if self.told.get() != outer {
            return if decided { Thing::Is(!all) } else { Thing::Truth };
        }
        // `x == "a" && x == "b"` never holds; `x != "a" || x != "b"` always does.
        let operator = if all { "==" } else { "!=" };
        let mut demanded: BTreeMap<String, Thing> = BTreeMap::new();
        for part in parts {
            let Expr::FnCall(call, _) = part else { continue };
            let [left, right] = call.args.as_slice() else { continue };
            if call.name != operator || call.op_token.is_none() {
                continue;
            }
            let (Some(subject), constant) = (match (literal(left), literal(right)) {
                (Thing::Anything, constant) => (shape(left), constant),
                (constant, _) => (shape(right), constant),
            }) else {
                continue;
            };
            if constant == Thing::Anything {
                continue;
            }
            if demanded.get(&subject).is_some_and(|other| *other != constant) {
                self.always(on.unit, !all, parts.first().map_or(position, start));
                return Thing::Is(!all);
            }
            demanded.insert(subject, constant);
        }
        Thing::Truth
    }

    fn call(&self, on: &mut Reading<'_>, call: &FnCallExpr, position: Position) -> Thing {
        let arguments = call.args.as_slice();
        if call.op_token.is_some() {
            return self.operator(on, call, position);
        }
        if let [module] = call.namespace.path.as_slice() {
            let things: Vec<Thing> = arguments.iter().map(|it| self.expr(on, it).roughly()).collect();
            let module = on.unit.imports.get(module.name.as_str()).and_then(|module| self.modules.get(module));
            if let Some(module) = module {
                self.exists(on, &self.units[*module], &call.name, things.len(), position);
            }
            let answers = module.and_then(|module| self.answers(*module, &call.name, things));
            return answers.map_or(Thing::Anything, |answers| Thing::one_of(answers.into_iter().map(|it| it.thing)));
        }
        let things: Vec<Thing> = arguments.iter().map(|it| self.expr(on, it)).collect();
        if on.unit.bodies.contains_key(&(call.name.to_string(), things.len())) {
            let roughly = things.iter().map(Thing::roughly).collect();
            let answers = self.answers(on.at, &call.name, roughly).unwrap_or_default();
            return Thing::one_of(answers.into_iter().map(|it| it.thing));
        }
        self.written(on, &call.name, arguments.get(1).zip(things.get(1)));
        match call.name.as_str() {
            _ if on.is_loading => {}
            "to" => self.to(on, arguments),
            "perform" => self.perform(on, arguments, &things),
            "contains" => self.contains(on, arguments.first(), things.get(1)),
            "count" => self.count(on, &arguments[1..], &things[1..]),
            _ => {}
        }
        self.fits(on, &call.name, things.len(), position);
        if view::gives(&call.name).is_none() && !on.is_loading {
            self.exists(on, on.unit, &call.name, things.len(), position);
        }
        view::gives(&call.name).unwrap_or(Thing::Anything)
    }

    /// `a.b?.c["d"].e()`.
    fn chain(&self, on: &mut Reading<'_>, expr: &Expr) -> Thing {
        let (root, chain) = links(expr);
        let mut thing = self.expr(on, root);
        let mut skipped = false;
        for (at, (link, questioned)) in chain.iter().copied().enumerate() {
            let may_be_nothing = thing.parts().contains(&Thing::Nothing);
            skipped |= questioned && may_be_nothing;
            let is_account = |part: &Thing| matches!(part, Thing::Account(_) | Thing::SomeAccount);
            if let Some(account) = thing.parts().iter().find(|part| may_be_nothing && !questioned && is_account(part)) {
                self.looked_into(on, account, root, &chain[..at], &link);
            }
            thing = match link {
                Link::Property(name, position) => self.property(on, &thing, name, position),
                Link::Index(Expr::StringConstant(name, position)) => self.property(on, &thing, name, *position),
                Link::Index(index) => {
                    self.expr(on, index);
                    Thing::one_of(thing.parts().iter().filter(|it| **it != Thing::Nothing).map(|part| match part {
                        Thing::List(item) => (**item).clone(),
                        Thing::Row(_) => Thing::Text,
                        _ => Thing::Anything,
                    }))
                }
                Link::Method(call, position) => self.method(on, root, &thing, call, position),
            };
        }
        if skipped { thing.or_nothing() } else { thing }
    }

    /// Tells of an account that is looked into without a question whether it is there.
    fn looked_into(&self, on: &Reading<'_>, account: &Thing, root: &Expr, chain: &[(Link<'_>, bool)], link: &Link<'_>) {
        let (Some(path), Some(asked_after)) = (path(root, chain), &on.asked_after) else { return };
        if path.rsplit('.').next().is_some_and(|name| asked_after.contains(name)) {
            return;
        }
        let (dot, position) = match link {
            Link::Property(name, position) => (format!("?.{name}"), *position),
            Link::Method(call, position) => (format!("?.{}(…)", call.name), *position),
            Link::Index(index) => ("?[…]".to_owned(), start(index)),
        };
        let is_record = |system| self.known.systems.get(system).is_some_and(|system| !system.is_provider);
        let what = if matches!(account, Thing::Account(system) if is_record(system)) { "record" } else { "account" };
        let message = format!("`{path}` is `()` for whoever has no {what} there, and the rule fails for her");
        self.report(on.unit, "may_be_missing", position, message, Some(format!("write `{path}{dot}`")));
    }

    fn property(&self, on: &Reading<'_>, thing: &Thing, name: &str, position: Position) -> Thing {
        let mut values = Vec::new();
        let mut wrong = None;
        for part in thing.parts().iter().filter(|part| **part != Thing::Nothing || thing.parts().len() == 1) {
            match view::property(part, name, self.known, self.samples) {
                Ok(value) => values.push(value),
                Err(fault) => wrong = Some(fault),
            }
        }
        if let Some(wrong) = wrong
            && values.is_empty()
        {
            self.report(on.unit, wrong.code, position, wrong.message, wrong.hint);
            return Thing::Anything;
        }
        Thing::one_of(values)
    }

    fn method(&self, on: &mut Reading<'_>, root: &Expr, thing: &Thing, call: &FnCallExpr, position: Position) -> Thing {
        let arguments = call.args.as_slice();
        let things: Vec<Thing> = arguments.iter().map(|it| self.expr(on, it)).collect();
        let item = thing.parts().iter().find_map(|part| match part {
            Thing::List(item) => Some((**item).clone()),
            _ => None,
        });
        if let Some(item) = item {
            if call.name == "contains" {
                self.contains(on, Some(root), things.first());
            }
            for argument in arguments {
                if let Some(function) = function(argument) {
                    self.answers(on.at, &function, vec![item.clone()]);
                }
            }
            return match call.name.as_str() {
                "filter" => thing.clone(),
                "some" | "all" | "any" | "contains" | "is_empty" => Thing::Truth,
                "len" => Thing::Number,
                "find" => item.or_nothing(),
                "map" => Thing::List(Box::new(Thing::Anything)),
                _ => Thing::Anything,
            };
        }
        // A map may hold a function of its own.
        let may_hold =
            |part: &Thing| matches!(part, Thing::Anything | Thing::SomeMap | Thing::Map(..) | Thing::Part(..));
        if !thing.parts().iter().any(may_hold) {
            self.fits(on, &call.name, things.len() + 1, position);
            if view::gives(&call.name).is_none() {
                self.exists(on, on.unit, &call.name, things.len(), position);
            }
        }
        let may_be_its_own = |part: &Thing| matches!(part, Thing::SomeMap | Thing::Map(..) | Thing::Part(..));
        let is_ours = !on.unit.bodies.contains_key(&(call.name.to_string(), things.len()));
        if call.namespace.is_empty() && is_ours && !thing.parts().iter().any(may_be_its_own) {
            self.written(on, &call.name, arguments.first().zip(things.first()));
        }
        if call.name == "count" && *thing == Thing::Plan {
            self.count(on, arguments, &things);
        }
        view::gives(&call.name).unwrap_or(Thing::Anything)
    }
}

/// "did you mean …?"
pub(super) fn mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

pub(super) fn position(spot: &Spot) -> Position {
    let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Position::new(number(spot.1).max(1), number(spot.2))
}

pub(super) fn is_constant(expr: &Expr) -> bool {
    literal(expr) != Thing::Anything
}

/// The name of a function that is handed over.
fn function(expr: &Expr) -> Option<String> {
    let Expr::DynamicConstant(value, _) = expr else { return None };
    Some((**value).clone().try_cast::<FnPtr>()?.fn_name().to_owned())
}
