//! What functions of rules look at, what they speak of and where they send things, as the tree of a script shows it.
//!
//! For proofs, not for warnings: whatever cannot be followed here counts as anything. Values are followed from the
//! argument into functions that are called with it, and nowhere else; a name for a person, or a key that is computed,
//! is the end of what is seen. Nothing is run, and nothing here knows what a proof is about.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTNode, Expr, FnCallExpr, FnPtr, Stmt};

use crate::model::{
    attribute::{AttributeName, Value},
    id::SystemName,
    origin::Origin,
};

use super::{
    super::{RuleSet, known::has, vocabulary::Function},
    body::Unit,
    shape::{Link, links, start},
};

/// A value of a person that a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Look {
    /// Whose account is looked at; `None`: the decided value.
    pub(crate) system: Option<SystemName>,
    /// `None`: any attribute.
    pub(crate) attribute: Option<AttributeName>,
}

/// Everything a condition may look at that is no fact of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) looks: BTreeSet<Look>,
    /// It may look at anything, whatever is listed.
    pub(crate) anything: bool,
    /// Where the condition is nothing but a comparison of the one value it looks at: with what, and whether it holds
    /// where they are equal.
    pub(crate) compares: Option<(Value, bool)>,
}

/// What a `route` or `refused` line may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// Where it may send a change.
    pub(crate) to: BTreeSet<Vec<SystemName>>,
    /// It may hold or drop a change.
    pub(crate) stops: bool,
    /// It may send a change anywhere.
    pub(crate) anywhere: bool,
}

/// Reads the functions of a set of rules.
pub(crate) struct Eyes<'a> {
    rules: &'a RuleSet,
    units: Vec<Unit<'a>>,
    /// Which unit a module is.
    modules: BTreeMap<&'a str, usize>,
}

/// A function: its unit, its name, how many arguments it takes.
type Named = (usize, String, usize);

/// What an argument is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whole {
    Person,
    /// Her account, or her record.
    Account(SystemName),
    /// A change that a `route` or `refused` line is asked about.
    Change,
}

/// An argument of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    function: Named,
    at: usize,
    is: Whole,
}

/// An argument that is being followed through a function, and where others were followed already.
struct Trail<'u> {
    unit: usize,
    name: &'u str,
    is: Whole,
    been: &'u mut BTreeSet<Step>,
    sight: &'u mut Sight,
}

/// What an expression is that begins with an argument.
enum Seen {
    /// All that there is to look at.
    Whole(Whole),
    /// What some system shows, or what is decided.
    Value(Option<SystemName>, AttributeName),
    /// What no call changes.
    Fact,
    Anything,
}

impl RuleSet {
    /// What reads the functions of these rules.
    pub(crate) fn eyes(&self) -> Eyes<'_> {
        let mut units: Vec<Unit<'_>> = self.scripts.iter().map(Unit::new).collect();
        let mut modules = BTreeMap::new();
        for (name, script) in &self.modules {
            modules.insert(name.as_str(), units.len());
            units.push(Unit::new(script));
        }
        Eyes { rules: self, units, modules }
    }

    /// The texts that scripts hold values against, by the name of the value: those beside a comparison, in a list that is
    /// searched and in the cases of a `switch`. What has no name there, or is a name for texts itself, is under the empty one.
    pub(crate) fn compared(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut texts = Compared::default();
        let scripts = || self.scripts.iter().chain(self.modules.values());
        let own: BTreeSet<&str> =
            scripts().flat_map(|script| script.ast().iter_functions()).map(|it| it.name).collect();
        for script in scripts() {
            script.ast().walk(&mut |path| {
                match path.last() {
                    Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                        if let [one, other] = call.args.as_slice()
                            && COMPARISONS.contains(&call.name.as_str())
                        {
                            written_out(one, value_of(other), &mut texts);
                            written_out(other, value_of(one), &mut texts);
                        } else if own.contains(call.name.as_str()) {
                            // What is handed to a function of the rules may be compared there.
                            call.args.iter().for_each(|argument| written_out(argument, "", &mut texts));
                        }
                    }
                    Some(ASTNode::Expr(Expr::Dot(pair, ..))) => {
                        if let Expr::MethodCall(call, _) = &pair.rhs
                            && let ("contains", [one]) = (call.name.as_str(), call.args.as_slice())
                        {
                            written_out(&pair.lhs, value_of(one), &mut texts);
                        }
                    }
                    Some(ASTNode::Stmt(Stmt::Var(var, ..))) => written_out(&var.1, "", &mut texts),
                    Some(ASTNode::Stmt(Stmt::Switch(switch, _))) => {
                        let place = script.source.place(start(&switch.0));
                        let cases = place.into_iter().flat_map(|from| script.source.cases(&from.origin));
                        texts.entry(value_of(&switch.0).to_owned()).or_default().extend(cases.map(|(text, _)| text));
                    }
                    _ => {}
                }
                true
            });
        }
        texts
    }
}

/// Texts by the name of the value they are held against.
type Compared = BTreeMap<String, BTreeSet<String>>;

/// The operators that hold one value against another; `x in list` is a call of `contains`.
const COMPARISONS: [&str; 7] = ["==", "!=", "<", "<=", ">", ">=", "contains"];

/// The name of a value: `state` in `person.gitlab?.state.lower()`. Empty where it has none, as has what a change is from and to.
fn value_of(expr: &Expr) -> &str {
    let (_, chain) = links(expr);
    chain.iter().rev().find_map(word).filter(|name| !matches!(*name, "from" | "to")).unwrap_or_default()
}

/// Takes note of the texts that stand in an expression as they are.
fn written_out(expr: &Expr, against: &str, texts: &mut Compared) {
    let mut put = |text: &str| {
        if !text.is_empty() {
            texts.entry(against.to_owned()).or_default().insert(text.to_owned());
        }
    };
    match expr {
        Expr::StringConstant(text, _) => put(text),
        Expr::Array(items, _) => items.iter().for_each(|item| written_out(item, against, texts)),
        Expr::Map(entries, _) => entries.0.iter().for_each(|(_, value)| written_out(value, against, texts)),
        Expr::DynamicConstant(value, _) => {
            let items = value.read_lock::<rhai::Array>();
            let items = items.iter().flat_map(|items| items.iter());
            items.filter_map(|item| item.clone().into_immutable_string().ok()).for_each(|text| put(&text));
        }
        _ => {}
    }
}

impl Eyes<'_> {
    /// What the condition of an `owner` line looks at, by the line's place among all; `None` where it has none.
    pub(crate) fn of_owner(&self, line: usize) -> Option<Sight> {
        let owner = self.rules.declared.owners.get(line)?;
        owner.condition.as_ref().map(|function| self.sight(function))
    }

    /// What the condition of a system's `account` line looks at; `None` where it has none.
    pub(crate) fn of_account(&self, system: &SystemName) -> Option<Sight> {
        let account = self.rules.declared.accounts.get(system)?;
        account.condition.as_ref().map(|function| self.sight(function))
    }

    /// What each `route` and `refused` line looks at of the person, with where it stands.
    pub(crate) fn of_changes(&self) -> impl Iterator<Item = (Sight, &Origin)> {
        let declared = &self.rules.declared;
        let routes = declared.routes.iter().map(|line| (line, 1));
        // The second argument is the provider's no.
        let lines = routes.chain(declared.refusals.iter().map(|(_, line)| (line, 2)));
        lines.map(|(line, takes)| (self.sees(&line.function, takes, Whole::Change), &line.place.origin))
    }

    /// What a `route` line may answer, by its place among all.
    pub(crate) fn of_route(&self, line: usize) -> Ways {
        let line = self.rules.declared.routes.get(line);
        line.map_or_else(Ways::unseen, |line| self.ways(&line.function))
    }

    /// The same of a `refused` line.
    pub(crate) fn of_refusal(&self, line: usize) -> Ways {
        let line = self.rules.declared.refusals.get(line);
        line.map_or_else(Ways::unseen, |(_, line)| self.ways(&line.function))
    }

    /// What a source's records may speak of; `None`: of anything.
    pub(crate) fn says(&self, source: &SystemName) -> Option<BTreeSet<AttributeName>> {
        let function = &self.rules.declared.sources.get(source)?.function;
        let mut said = BTreeSet::new();
        let named = (function.script, function.name.to_string(), 1);
        self.answers(&named, &mut BTreeSet::new(), &mut said).then_some(said)
    }

    /// What a function of so many arguments looks at of the first.
    fn sees(&self, function: &Function, takes: usize, is: Whole) -> Sight {
        let mut sight = Sight::default();
        let named = (function.script, function.name.to_string(), takes);
        self.follow(Step { function: named, at: 0, is }, &mut BTreeSet::new(), &mut sight);
        sight
    }

    fn sight(&self, function: &Function) -> Sight {
        let mut sight = self.sees(function, 1, Whole::Person);
        sight.compares = self.compares(function).filter(|_| !sight.anything && sight.looks.len() == 1);
        sight
    }

    /// Follows one argument through a function.
    fn follow(&self, step: Step, been: &mut BTreeSet<Step>, sight: &mut Sight) {
        let (unit, at, is) = (step.function.0, step.at, step.is.clone());
        let body = self.units.get(unit).and_then(|unit| unit.bodies.get(&(step.function.1.clone(), step.function.2)));
        let Some((body, name)) = body.and_then(|body| Some((body, body.params.get(at)?))) else {
            sight.anything = true;
            return;
        };
        if !been.insert(step) {
            return;
        }
        let mut trail = Trail { unit, name, is, been, sight };
        walk(&body.statements, &mut |path| self.notice(&mut trail, path));
    }

    /// Takes note of what one node of a body shows of the argument.
    fn notice(&self, trail: &mut Trail<'_>, path: &[ASTNode<'_>]) {
        let Some(ASTNode::Expr(expr)) = path.last() else { return };
        let (root, chain) = links(expr);
        let parent = path.len().checked_sub(2).and_then(|at| path.get(at));
        let is_begun = match parent {
            // The chain it begins was looked at as a whole.
            Some(ASTNode::Expr(Expr::Dot(pair, ..) | Expr::Index(pair, ..))) => {
                chain.is_empty() && std::ptr::eq(&raw const pair.lhs, *expr)
            }
            _ => false,
        };
        if is_begun || !matches!(root, Expr::Variable(it, ..) if it.1 == trail.name) {
            return;
        }
        let seen = match &trail.is {
            whole if chain.is_empty() => Seen::Whole(whole.clone()),
            Whole::Person => self.look(&chain),
            Whole::Account(system) => self.look_at(system, &chain),
            Whole::Change => match chain.split_first() {
                Some((first, rest)) if word(first) == Some("person") => self.look(rest),
                // The change itself is no value of hers.
                _ => Seen::Fact,
            },
        };
        let whole = match seen {
            Seen::Fact => return,
            Seen::Value(system, attribute) => {
                trail.sight.looks.insert(Look { system, attribute: Some(attribute) });
                return;
            }
            Seen::Anything => {
                trail.sight.anything = true;
                return;
            }
            // Whether there is an account is a fact.
            Seen::Whole(Whole::Account(_)) if is_tested(parent) => return,
            Seen::Whole(whole) => whole,
        };
        let callee = match parent {
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                let at = call.args.iter().position(|argument| std::ptr::eq(argument, *expr));
                let unit = self.callee(trail.unit, call);
                unit.zip(at).map(|(unit, at)| ((unit, call.name.to_string(), call.args.len()), at))
            }
            _ => None,
        };
        match (callee, whole) {
            (Some((function, at)), is) => self.follow(Step { function, at, is }, trail.been, trail.sight),
            (None, Whole::Account(system)) => {
                trail.sight.looks.insert(Look { system: Some(system), attribute: None });
            }
            (None, Whole::Person | Whole::Change) => trail.sight.anything = true,
        }
    }

    /// The unit whose function of that name a call is of, where scripts have one.
    fn callee(&self, unit: usize, call: &FnCallExpr) -> Option<usize> {
        if call.op_token.is_some() {
            return None;
        }
        let own = &self.units[unit];
        let at = if call.namespace.is_empty() {
            unit
        } else {
            *self.modules.get(own.imports.get(&call.namespace.to_string())?.as_str())?
        };
        self.units[at].bodies.contains_key(&(call.name.to_string(), call.args.len())).then_some(at)
    }

    /// What a chain that begins with a person looks at.
    fn look(&self, chain: &[(Link<'_>, bool)]) -> Seen {
        let Some((first, rest)) = chain.split_first() else { return Seen::Whole(Whole::Person) };
        let Some(name) = word(first) else { return Seen::Anything };
        if let Some(attribute) = self.rules.known.attribute(name) {
            return Seen::Value(None, attribute);
        }
        let system = SystemName::from(name);
        if self.rules.known.systems.contains_key(&system) { self.look_at(&system, rest) } else { Seen::Anything }
    }

    /// What a chain that begins with an account, or with a source's record, looks at.
    fn look_at(&self, system: &SystemName, chain: &[(Link<'_>, bool)]) -> Seen {
        let Some(of) = self.rules.known.systems.get(system) else { return Seen::Anything };
        let Some(name) = chain.first().and_then(word) else { return Seen::Whole(Whole::Account(system.clone())) };
        if has(&of.own_attributes, name) || of.sets.contains_key(name) {
            Seen::Value(Some(system.clone()), AttributeName::of_system(system, name))
        } else if has(&of.attributes, name) {
            Seen::Value(Some(system.clone()), AttributeName::new(name))
        } else {
            Seen::Fact
        }
    }

    /// What a condition that is one comparison compares with.
    fn compares(&self, function: &Function) -> Option<(Value, bool)> {
        let body = self.units.get(function.script)?.bodies.get(&(function.name.to_string(), 1))?;
        let name = body.params.first()?;
        let is_look = |expr: &Expr| {
            let (root, chain) = links(expr);
            let plain = chain.iter().all(|link| word(link).is_some());
            let looked =
                matches!(self.look(&chain), Seen::Value(of, _) if chain.len() == 1 + usize::from(of.is_some()));
            plain && looked && matches!(root, Expr::Variable(it, ..) if it.1 == *name)
        };
        let call = match &*body.statements {
            [Stmt::Expr(expr)] if is_look(expr) => return Some((true.into(), true)),
            [Stmt::Expr(expr)] => match &**expr {
                Expr::FnCall(call, _) => call,
                _ => return None,
            },
            [Stmt::FnCall(call, _)] => call,
            _ => return None,
        };
        call.op_token.as_ref()?;
        match (call.name.as_str(), call.args.as_slice()) {
            ("!", [one]) if is_look(one) => Some((true.into(), false)),
            (word @ ("==" | "!="), [one, other]) if is_look(one) => {
                let value = match other {
                    Expr::BoolConstant(truth, _) => (*truth).into(),
                    // What is empty is `()` and equals no text.
                    Expr::StringConstant(text, _) if Value::text(text).as_text() == Some(text) => Value::text(text),
                    _ => return None,
                };
                Some((value, word == "=="))
            }
            _ => None,
        }
    }

    /// Whether everything that a function answers is written out as maps; `said` is what their keys are.
    fn answers(&self, function: &Named, been: &mut BTreeSet<Named>, said: &mut BTreeSet<AttributeName>) -> bool {
        let unit = function.0;
        let body = self.units.get(unit).and_then(|unit| unit.bodies.get(&(function.1.clone(), function.2)));
        let Some(body) = body else { return false };
        if !been.insert(function.clone()) {
            return true;
        }
        let mut returned: Vec<Expr> = Vec::new();
        walk(&body.statements, &mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Return(Some(value), flags, _))) = path.last()
                && !flags.contains(rhai::ASTFlags::BREAK)
            {
                returned.push((**value).clone());
            }
        });
        self.ends_in_map(unit, &body.statements, been, said)
            && returned.iter().all(|value| self.is_map(unit, value, been, said))
    }

    /// The same of the last statement of several.
    fn ends_in_map(
        &self,
        unit: usize,
        statements: &[Stmt],
        been: &mut BTreeSet<Named>,
        said: &mut BTreeSet<AttributeName>,
    ) -> bool {
        match statements.last() {
            None | Some(Stmt::Noop(_) | Stmt::Var(..) | Stmt::Return(..)) => true,
            Some(Stmt::Expr(expr)) => self.is_map(unit, expr, been, said),
            Some(Stmt::FnCall(call, _)) => self.gives_map(unit, call, been, said),
            Some(Stmt::If(flow, _)) => {
                self.ends_in_map(unit, flow.body.statements(), been, said)
                    && self.ends_in_map(unit, flow.branch.statements(), been, said)
            }
            Some(Stmt::Block(block)) => self.ends_in_map(unit, block.statements(), been, said),
            Some(Stmt::Switch(switch, _)) => {
                switch.1.expressions.iter().all(|case| self.is_map(unit, &case.rhs, been, said))
            }
            _ => false,
        }
    }

    fn is_map(&self, unit: usize, expr: &Expr, been: &mut BTreeSet<Named>, said: &mut BTreeSet<AttributeName>) -> bool {
        match expr {
            Expr::Unit(_) => true,
            Expr::Map(map, _) => {
                said.extend(map.0.iter().filter_map(|(key, _)| self.rules.known.attribute(&key.name)));
                true
            }
            Expr::Array(items, _) => items.iter().all(|item| self.is_map(unit, item, been, said)),
            Expr::Stmt(block) => self.ends_in_map(unit, block.statements(), been, said),
            Expr::FnCall(call, _) => self.gives_map(unit, call, been, said),
            _ => false,
        }
    }

    fn gives_map(
        &self,
        unit: usize,
        call: &FnCallExpr,
        been: &mut BTreeSet<Named>,
        said: &mut BTreeSet<AttributeName>,
    ) -> bool {
        if call.op_token.is_some() {
            return call.name == "+" && call.args.iter().all(|part| self.is_map(unit, part, been, said));
        }
        match self.callee(unit, call) {
            Some(callee) => self.answers(&(callee, call.name.to_string(), call.args.len()), been, said),
            // An operation is no attribute.
            None => call.name == "perform",
        }
    }

    /// Where a function, and whatever it can call, may send a change.
    fn ways(&self, function: &Function) -> Ways {
        let mut ways = Ways::default();
        let mut been: BTreeSet<(usize, String)> = BTreeSet::new();
        let mut waiting = vec![(function.script, function.name.to_string())];
        while let Some((unit, name)) = waiting.pop() {
            if !been.insert((unit, name.clone())) {
                continue;
            }
            let bodies = self.units[unit].bodies.iter().filter(|((own, _), _)| *own == name);
            let mut is_there = false;
            for (_, body) in bodies {
                is_there = true;
                walk(&body.statements, &mut |path| self.send(unit, path, &mut ways, &mut waiting));
            }
            ways.anywhere |= !is_there;
        }
        ways
    }

    /// Whether some constant is more than written out.
    fn has_made_constants(&self) -> bool {
        self.units.iter().any(|unit| {
            let constants = unit.script.ast().statements().iter().filter(|it| matches!(it, Stmt::Var(..)));
            let mut made = false;
            for constant in constants {
                walk(std::slice::from_ref(constant), &mut |path| {
                    let Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) = path.last() else {
                        return;
                    };
                    made |= call.op_token.is_none();
                });
            }
            made
        })
    }

    /// Takes note of what one node of a body sends somewhere, and of the functions it names.
    fn send(&self, unit: usize, path: &[ASTNode<'_>], ways: &mut Ways, waiting: &mut Vec<(usize, String)>) {
        let is_own = |name: &str| self.units[unit].bodies.keys().any(|(own, _)| own == name);
        let call = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
            ) => call,
            Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                if let Some(function) = (**value).clone().try_cast::<FnPtr>() {
                    waiting.push((unit, function.fn_name().to_owned()));
                }
                return;
            }
            Some(ASTNode::Expr(Expr::Variable(variable, ..))) => {
                // What a constant holds was made where nobody looks.
                ways.anywhere |= !variable.2.is_empty() && self.has_made_constants();
                if is_own(&variable.1) {
                    waiting.push((unit, variable.1.to_string()));
                }
                return;
            }
            _ => return,
        };
        if call.op_token.is_some() {
            return;
        }
        if !call.namespace.is_empty() {
            match self.callee(unit, call) {
                Some(callee) => waiting.push((callee, call.name.to_string())),
                None => ways.anywhere = true,
            }
            return;
        }
        if is_own(&call.name) {
            waiting.push((unit, call.name.to_string()));
            return;
        }
        let is_method = matches!(path.last(), Some(ASTNode::Expr(Expr::MethodCall(..))));
        match call.name.as_str() {
            "to" => {
                let named = |expr: &Expr| match expr {
                    Expr::StringConstant(text, _) => Some(SystemName::from(text.as_str())),
                    _ => None,
                };
                let systems: Option<Vec<SystemName>> = match call.args.as_slice() {
                    _ if is_method => None,
                    [Expr::Array(items, _)] => items.iter().map(named).collect(),
                    [one] => named(one).map(|name| vec![name]),
                    _ => None,
                };
                match systems {
                    Some(systems) => drop(ways.to.insert(systems)),
                    None => ways.anywhere = true,
                }
            }
            "hold" | "drop" => ways.stops = true,
            _ => {}
        }
    }
}

impl Ways {
    fn unseen() -> Self {
        Self { anywhere: true, ..Self::default() }
    }
}

/// The name that a link of a chain is.
fn word<'e>((link, _): &(Link<'e>, bool)) -> Option<&'e str> {
    match link {
        Link::Property(name, _) => Some(name),
        Link::Index(Expr::StringConstant(text, _)) => Some(text),
        Link::Index(_) | Link::Method(..) => None,
    }
}

/// Whether a value is only held against `()`.
fn is_tested(parent: Option<&ASTNode<'_>>) -> bool {
    let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) = parent else {
        return false;
    };
    matches!(call.name.as_str(), "==" | "!=") && call.args.iter().any(|part| matches!(part, Expr::Unit(_)))
}

/// Shows every node of a body, with those above it.
fn walk(statements: &[Stmt], on: &mut dyn FnMut(&[ASTNode<'_>])) {
    for statement in statements {
        // The language passes over what a loop is left with.
        let mut left: Vec<Stmt> = Vec::new();
        statement.walk(&mut Vec::new(), &mut |path| {
            if let Some(ASTNode::Stmt(Stmt::BreakLoop(Some(value), ..))) = path.last() {
                left.push(Stmt::Expr(value.clone()));
            }
            on(path);
            true
        });
        walk(&left, on);
    }
}
