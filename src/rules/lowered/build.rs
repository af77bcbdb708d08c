//! From the language's syntax tree to ours.
//!
//! What is not known fails; where a branch fails that need not be taken, it becomes [`Node::NotMe`], and the rest is
//! lowered all the same. Functions of the script are put in the place of their calls.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use rhai::{ASTFlags, Dynamic, Expr, FnCallExpr, OpAssignment, Stmt, SwitchCasesCollection};

use crate::model::attribute::AttributeName;

use super::{
    super::{
        known::Known,
        script::Script,
        statement::Wanted,
        text::{ASKING, CUTTING, RESHAPING},
    },
    LONG, LONG_TOGETHER, MAX_DEPTH, MAX_LOCALS, MAX_NODES, NotMe, say,
    tree::{Comparison, Constant, Count, Node, Pattern, Said, Shape, Switch, Takes, Word},
};

type Lowered<T> = Result<T, NotMe>;

/// A function, how many local variables it needs, and the columns it looks at.
pub(super) fn function(
    script: &Script,
    name: &str,
    names: &BTreeMap<String, AttributeName>,
    known: &Known,
) -> Lowered<(Node, usize, Vec<Box<str>>)> {
    // What an import makes known is not looked for.
    if !script.imports().is_empty() {
        return Err(NotMe);
    }
    let (parameters, statements) = script.body(name, 1).ok_or(NotMe)?;
    let scope = parameters.into_iter().map(|name| (name, Binding::Row)).collect();
    let (fence, nodes, depth, locals) = (None, 0, 0, 0);
    let (columns, literals) = (Vec::new(), OnceCell::new());
    let mut builder = Builder { script, names, known, scope, fence, nodes, depth, locals, columns, literals };
    let body = builder.statements(&statements)?;
    Ok((body, builder.locals, builder.columns))
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    Row,
    /// A local variable, and whether it may be given another value.
    Local(usize, bool),
}

struct Builder<'a> {
    script: &'a Script,
    names: &'a BTreeMap<String, AttributeName>,
    known: &'a Known,
    /// The names that can be seen, the innermost last.
    scope: Vec<(String, Binding)>,
    /// In a block that is a part of an expression: which of the names were there before. The language works out such
    /// parts in an order of its own, so there nothing is changed that others could see, and nothing returns.
    fence: Option<usize>,
    nodes: usize,
    depth: usize,
    locals: usize,
    columns: Vec<Box<str>>,
    /// The values that cases of a `switch` can be, by their numbers.
    literals: OnceCell<BTreeMap<u64, Dynamic>>,
}

impl Builder<'_> {
    fn new_locals(&mut self, count: usize) -> Lowered<usize> {
        let first = self.locals;
        self.locals += count;
        if self.locals > MAX_LOCALS { Err(NotMe) } else { Ok(first) }
    }

    fn column(&mut self, name: &str) -> usize {
        let known = self.columns.iter().position(|own| **own == *name);
        known.unwrap_or_else(|| {
            self.columns.push(name.into());
            self.columns.len() - 1
        })
    }

    /// What need not be reached.
    fn maybe(&mut self, lower: impl FnOnce(&mut Self) -> Lowered<Node>) -> Node {
        let seen = self.scope.len();
        let node = lower(self).unwrap_or(Node::NotMe);
        self.scope.truncate(seen);
        node
    }

    /// Statements in a scope of their own.
    fn statements(&mut self, statements: &[Stmt]) -> Lowered<Node> {
        let seen = self.scope.len();
        let mut nodes = Vec::with_capacity(statements.len());
        for statement in statements {
            nodes.push(self.statement(statement)?);
            // What stands behind is never reached.
            if matches!(nodes.last(), Some(Node::Return(_))) {
                break;
            }
        }
        self.scope.truncate(seen);
        Ok(match nodes.pop() {
            None => Node::Constant(Constant::Nothing),
            Some(only) if nodes.is_empty() => only,
            Some(last) => {
                nodes.push(last);
                Node::Block(nodes)
            }
        })
    }

    fn counted(&mut self) -> Lowered<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(NotMe) } else { Ok(()) }
    }

    fn statement(&mut self, statement: &Stmt) -> Lowered<Node> {
        self.counted()?;
        match statement {
            Stmt::Noop(_) => Ok(Node::Constant(Constant::Nothing)),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Block(block) => self.statements(block.statements()),
            Stmt::Var(variable, flags, _) => {
                let (name, value, _) = &**variable;
                let value = self.expression(value)?;
                let at = self.new_locals(1)?;
                let may_change = !flags.contains(ASTFlags::CONSTANT);
                self.scope.push((name.name.to_string(), Binding::Local(at, may_change)));
                Ok(Node::Set(at, Box::new(value)))
            }
            Stmt::Assignment(assignment) => {
                let (operation, sides) = &**assignment;
                let at = self.assigned(&sides.lhs)?;
                let value = Box::new(self.expression(&sides.rhs)?);
                match assigning(operation) {
                    Some("=") => Ok(Node::Set(at, value)),
                    Some("+=") => Ok(Node::AddTo(at, value)),
                    _ => Err(NotMe),
                }
            }
            Stmt::If(parts, _) => {
                let condition = self.expression(&parts.expr)?;
                let then = self.maybe(|this| this.statements(parts.body.statements()));
                let otherwise = self.maybe(|this| this.statements(parts.branch.statements()));
                Ok(Node::If(Box::new([condition, then, otherwise])))
            }
            Stmt::Switch(parts, _) => {
                let (of, cases) = &**parts;
                self.switch(of, cases)
            }
            Stmt::Return(value, flags, _) if !flags.contains(ASTFlags::BREAK) && self.fence.is_none() => {
                let value = match value {
                    Some(value) => self.expression(value)?,
                    None => Node::Constant(Constant::Nothing),
                };
                Ok(Node::Return(Box::new(value)))
            }
            _ => Err(NotMe),
        }
    }

    /// The local variable that is given a value.
    fn assigned(&self, side: &Expr) -> Lowered<usize> {
        let Expr::Variable(variable, ..) = side else { return Err(NotMe) };
        if !variable.2.is_empty() {
            return Err(NotMe);
        }
        let place = self.scope.iter().rposition(|(name, _)| *name == *variable.1).ok_or(NotMe)?;
        match self.scope.get(place) {
            Some((_, Binding::Local(at, true))) if self.fence.is_none_or(|fence| place >= fence) => Ok(*at),
            _ => Err(NotMe),
        }
    }

    fn switch(&mut self, of: &Expr, cases: &SwitchCasesCollection) -> Lowered<Node> {
        if !cases.ranges.is_empty() {
            return Err(NotMe);
        }
        let of = self.expression(of)?;
        let script = self.script;
        let literals = self.literals.get_or_init(|| script.literals());
        let mut known = Vec::new();
        for (number, blocks) in &cases.cases {
            let value = literals.get(number).and_then(Constant::of).ok_or(NotMe)?;
            if matches!(value, Constant::List(_) | Constant::Map(_)) {
                return Err(NotMe);
            }
            known.push((value, blocks.blocks.to_vec()));
        }
        // As they stand in the script: the language keeps them in no order.
        known.sort_by(|(_, a), (_, b)| a.cmp(b));
        let mut ways = Vec::new();
        for way in &cases.expressions {
            let condition = self.maybe(|this| this.expression(&way.lhs));
            let then = self.maybe(|this| match &way.rhs {
                Expr::Stmt(block) => this.statements(block.statements()),
                other => this.expression(other),
            });
            ways.push([condition, then]);
        }
        Ok(Node::Switch(Box::new(Switch { of, cases: known, ways, otherwise: cases.def_case })))
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>) -> Lowered<Vec<Node>> {
        all.into_iter().map(|one| self.expression(one)).collect()
    }

    /// Of which the first is always reached, and the others need not be.
    fn one_by_one(&mut self, all: &[Expr]) -> Lowered<Vec<Node>> {
        let (first, others) = all.split_first().ok_or(NotMe)?;
        let mut nodes = vec![self.expression(first)?];
        for other in others {
            nodes.push(self.maybe(|this| this.expression(other)));
        }
        Ok(nodes)
    }

    fn expression(&mut self, expression: &Expr) -> Lowered<Node> {
        self.counted()?;
        match expression {
            Expr::Unit(_) => Ok(Node::Constant(Constant::Nothing)),
            Expr::BoolConstant(truth, _) => Ok(Node::Constant(Constant::Bool(*truth))),
            Expr::IntegerConstant(number, _) => Ok(Node::Constant(Constant::Number(*number))),
            Expr::CharConstant(letter, _) => Ok(Node::Constant(Constant::Letter(*letter))),
            Expr::StringConstant(text, _) if text.len() <= LONG => {
                Ok(Node::Constant(Constant::Text(text.as_str().into())))
            }
            Expr::InterpolatedString(parts, _) => Ok(Node::Joined(self.expressions(parts.iter())?)),
            Expr::Array(items, _) => {
                let items = self.expressions(items.iter())?;
                Ok(Node::List(self.new_locals(items.len())?, items))
            }
            Expr::Map(map, _) => {
                let (entries, _) = &**map;
                let values = self.expressions(entries.iter().map(|(_, value)| value))?;
                let names: Vec<Box<str>> = entries.iter().map(|(name, _)| name.name.as_str().into()).collect();
                if names.iter().map(|name| name.len()).sum::<usize>() > LONG_TOGETHER {
                    return Err(NotMe);
                }
                let first = self.new_locals(values.len())?;
                let said = self.said(&names);
                Ok(Node::Map(Box::new(Shape { first, names, values, said })))
            }
            Expr::Variable(variable, ..) => {
                if variable.2.is_empty() {
                    self.name(&variable.1)
                } else {
                    Err(NotMe)
                }
            }
            Expr::Stmt(block) => {
                let before = self.fence.replace(self.scope.len());
                let lowered = self.statements(block.statements());
                self.fence = before;
                lowered
            }
            Expr::FnCall(call, _) => self.call(call),
            Expr::Dot(..) | Expr::Index(..) => {
                let (Expr::Dot(sides, ..) | Expr::Index(sides, ..)) = expression else { return Err(NotMe) };
                let base = self.expression(&sides.lhs)?;
                self.links(base, expression)
            }
            Expr::And(all, _) => Ok(Node::And(self.one_by_one(all)?)),
            Expr::Or(all, _) => Ok(Node::Or(self.one_by_one(all)?)),
            Expr::Coalesce(all, _) => Ok(Node::Either(self.one_by_one(all)?)),
            _ => Err(NotMe),
        }
    }

    fn name(&mut self, name: &str) -> Lowered<Node> {
        match self.scope.iter().rev().find(|(own, _)| own == name) {
            Some((_, Binding::Row)) => Ok(Node::Row),
            Some((_, Binding::Local(at, _))) => Ok(Node::Local(*at)),
            None => {
                let value = self.script.constant(name).ok_or(NotMe)?;
                Constant::of(value).map(Node::Constant).ok_or(NotMe)
            }
        }
    }

    /// What a map says where it is a statement. `None` where it can be none.
    fn said(&self, names: &[Box<str>]) -> Option<Said> {
        let mut key = None;
        let mut attributes = Vec::new();
        for (at, name) in names.iter().enumerate() {
            if **name == *"key" {
                key = Some(at);
                continue;
            }
            let attribute = self.names.get(&**name)?;
            let takes = match self.known.levels(attribute) {
                Some(_) => Takes::Set,
                None => Takes::One(Wanted::of(attribute)),
            };
            attributes.push((at, attribute.clone(), takes));
        }
        attributes.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
        let key = key.filter(|_| attributes.len() <= say::MOST)?;
        Some(Said { key, attributes, forms: RefCell::default() })
    }

    /// A chain of dots and brackets from `parent` on, whose first is `base`.
    fn links(&mut self, base: Node, parent: &Expr) -> Lowered<Node> {
        let (Expr::Dot(_, flags, _) | Expr::Index(_, flags, _)) = parent else { return Err(NotMe) };
        if !flags.contains(ASTFlags::NEGATED) {
            return self.link(base, parent);
        }
        // The engine works out all arguments of the chain even where it ends here: none may be able to fail.
        if !self.is_sure(parent) {
            return Err(NotMe);
        }
        let at = self.new_locals(1)?;
        let rest = self.maybe(|this| this.link(Node::Local(at), parent));
        Ok(Node::Unless(at, Box::new([base, rest])))
    }

    fn link(&mut self, base: Node, parent: &Expr) -> Lowered<Node> {
        self.counted()?;
        match parent {
            Expr::Index(sides, flags, _) => match &sides.rhs {
                rest @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..)) if !flags.contains(ASTFlags::BREAK) => {
                    let index = self.expression(&inner.lhs)?;
                    self.links(Node::Index(Box::new([base, index])), rest)
                }
                index => {
                    let index = self.expression(index)?;
                    Ok(Node::Index(Box::new([base, index])))
                }
            },
            Expr::Dot(sides, ..) => match &sides.rhs {
                rest @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..)) => {
                    let first = self.member(base, &inner.lhs)?;
                    self.links(first, rest)
                }
                member => self.member(base, member),
            },
            _ => Err(NotMe),
        }
    }

    /// A property or a method of a value.
    fn member(&mut self, base: Node, member: &Expr) -> Lowered<Node> {
        match member {
            Expr::Property(property, _) => {
                let name = &property.2;
                let column = self.column(name);
                Ok(match base {
                    Node::Row => Node::Column(column),
                    base => Node::Property(Box::new(base), name.as_str().into(), column),
                })
            }
            Expr::MethodCall(call, _) => {
                if self.script.has_function(&call.name) {
                    return Err(NotMe);
                }
                let mut arguments = vec![base];
                arguments.extend(self.expressions(&call.args)?);
                word(&call.name, arguments)
            }
            _ => Err(NotMe),
        }
    }

    /// Whether working out the arguments of a chain cannot fail.
    fn is_sure(&self, parent: &Expr) -> bool {
        let plain = |argument: &Expr| match argument {
            Expr::Variable(variable, ..) => self.scope.iter().any(|(name, _)| *name == *variable.1),
            argument => matches!(
                argument,
                Expr::Unit(_)
                    | Expr::BoolConstant(..)
                    | Expr::IntegerConstant(..)
                    | Expr::CharConstant(..)
                    | Expr::StringConstant(..)
            ),
        };
        let member = |member: &Expr| match member {
            Expr::MethodCall(call, _) => call.args.iter().all(plain),
            member => matches!(member, Expr::Property(..)),
        };
        match parent {
            Expr::Index(sides, flags, _) => match &sides.rhs {
                rest @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..)) if !flags.contains(ASTFlags::BREAK) => {
                    plain(&inner.lhs) && self.is_sure(rest)
                }
                index => plain(index),
            },
            Expr::Dot(sides, ..) => match &sides.rhs {
                rest @ (Expr::Dot(inner, ..) | Expr::Index(inner, ..)) => member(&inner.lhs) && self.is_sure(rest),
                only => member(only),
            },
            _ => false,
        }
    }

    fn call(&mut self, call: &FnCallExpr) -> Lowered<Node> {
        if !call.namespace.is_empty() || call.capture_parent_scope {
            return Err(NotMe);
        }
        if call.op_token.is_some() {
            let arguments = self.expressions(&call.args)?;
            return operator(&call.name, arguments);
        }
        if let Some((parameters, statements)) = self.script.body(&call.name, call.args.len()) {
            return self.own_function(call, parameters, &statements);
        }
        let arguments = self.expressions(&call.args)?;
        word(&call.name, arguments)
    }

    fn own_function(&mut self, call: &FnCallExpr, parameters: Vec<String>, statements: &[Stmt]) -> Lowered<Node> {
        if self.depth == MAX_DEPTH {
            return Err(NotMe);
        }
        let mut given = Vec::new();
        let mut scope = Vec::new();
        for (parameter, argument) in parameters.into_iter().zip(&call.args) {
            match self.expression(argument)? {
                Node::Row => scope.push((parameter, Binding::Row)),
                argument => {
                    let at = self.new_locals(1)?;
                    given.push((at, argument));
                    scope.push((parameter, Binding::Local(at, true)));
                }
            }
        }
        let outside = (std::mem::replace(&mut self.scope, scope), self.fence.take());
        self.depth += 1;
        let body = self.statements(statements);
        self.depth -= 1;
        (self.scope, self.fence) = outside;
        Ok(Node::Call(given, Box::new(body?)))
    }
}

fn word(name: &str, arguments: Vec<Node>) -> Lowered<Node> {
    let listed = |found: &str| found == name;
    let word = match <[Node; 1]>::try_from(arguments) {
        Ok([value]) => match name {
            "is_blank" => Word::IsBlank(value),
            "is_empty" => Word::IsEmpty(value),
            "len" => Word::Length(value),
            "to_string" => Word::ToText(value),
            "days_until" => Word::DaysUntil(value),
            _ => {
                let (_, reshape) = RESHAPING.iter().find(|(word, _)| listed(word)).ok_or(NotMe)?;
                Word::Reshape(*reshape, value)
            }
        },
        Err(arguments) => match <[Node; 2]>::try_from(arguments) {
            Ok(both) => word_of_two(name, both)?,
            Err(arguments) => match (name, <[Node; 3]>::try_from(arguments)) {
                ("replace", Ok(all)) => Word::Replace(all),
                ("sub_string", Ok([value, start, length])) => Word::Part(value, start, Some(length)),
                ("today", Err(none)) if none.is_empty() => Word::Today,
                ("clear", Err(none)) if none.is_empty() => Word::Clear,
                _ => return Err(NotMe),
            },
        },
    };
    Ok(Node::Word(Box::new(word)))
}

fn word_of_two(name: &str, both: [Node; 2]) -> Lowered<Word> {
    if let Some((_, ask)) = ASKING.iter().find(|(word, _)| *word == name) {
        return Ok(if name == "contains" { Word::Contains(*ask, both) } else { Word::Ask(*ask, both) });
    }
    if let Some((_, cut)) = CUTTING.iter().find(|(word, _)| *word == name) {
        return Ok(Word::Cut(*cut, both));
    }
    Ok(match name {
        "slug" => Word::GermanSlug(both),
        "split" => Word::Split(both),
        "or" => Word::Or(both),
        "date" => Word::Date(both),
        "date_or_empty" => Word::DateOrEmpty(both),
        "has" => Word::Has(both),
        _ => {
            let [value, other] = both;
            match (name, other) {
                ("matches", Node::Constant(Constant::Text(text))) => Word::Matches(value, pattern(text)),
                ("capture", Node::Constant(Constant::Text(text))) => Word::Capture(value, pattern(text)),
                ("sub_string", start) => Word::Part(value, start, None),
                _ => return Err(NotMe),
            }
        }
    })
}

fn pattern(text: Rc<str>) -> Pattern {
    Pattern { text, regex: OnceCell::new() }
}

/// How an assignment is written.
fn assigning(operation: &OpAssignment) -> Option<&'static str> {
    operation.get_op_assignment_info().map_or(Some("="), |(_, _, _, syntax, _, _)| Some(syntax))
}

fn operator(name: &str, arguments: Vec<Node>) -> Lowered<Node> {
    let arguments = match <[Node; 1]>::try_from(arguments) {
        Ok([value]) => {
            return match name {
                "!" => Ok(Node::Not(Box::new(value))),
                "-" => Ok(Node::Negative(Box::new(value))),
                _ => Err(NotMe),
            };
        }
        Err(arguments) => arguments,
    };
    let both = Box::new(<[Node; 2]>::try_from(arguments).map_err(|_| NotMe)?);
    Ok(match name {
        "+" => Node::Add(both),
        "-" => Node::Count(Count::Minus, both),
        "*" => Node::Count(Count::Times, both),
        "/" => Node::Count(Count::Over, both),
        "%" => Node::Count(Count::Rest, both),
        "==" => Node::Compare(Comparison::Equal, both),
        "!=" => Node::Compare(Comparison::Unequal, both),
        "<" => Node::Compare(Comparison::Less, both),
        "<=" => Node::Compare(Comparison::AtMost, both),
        ">" => Node::Compare(Comparison::More, both),
        ">=" => Node::Compare(Comparison::AtLeast, both),
        _ => return Err(NotMe),
    })
}
