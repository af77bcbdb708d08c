//! Expressions as they are written: where one begins, what a chain of dots is made of, and whether two say the same.

use std::collections::BTreeSet;

use rhai::{ASTFlags, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// One link of a chain such as `person.gitlab?.username.lower()`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link<'e> {
    Property(&'e str, Position),
    Index(&'e Expr),
    Method(&'e FnCallExpr, Position),
}

/// What a chain begins with, and its links; each with whether a `?` stands before it. The tree leans to the right: what
/// follows the first dot is a chain of its own.
pub(super) fn links(expr: &Expr) -> (&Expr, Vec<(Link<'_>, bool)>) {
    let mut chain = Vec::new();
    let (root, mut rest, mut flags, mut is_dot) = match expr {
        Expr::Dot(pair, flags, _) => (&pair.lhs, Some(&pair.rhs), *flags, true),
        Expr::Index(pair, flags, _) => (&pair.lhs, Some(&pair.rhs), *flags, false),
        _ => return (expr, chain),
    };
    while let Some(here) = rest {
        let questioned = flags.contains(ASTFlags::NEGATED);
        // An index that ends its chain is a whole expression of its own.
        let whole = !is_dot && flags.contains(ASTFlags::BREAK);
        let (head, next) = match here {
            Expr::Dot(pair, more, _) if !whole => {
                (flags, is_dot, rest) = (*more, true, Some(&pair.rhs));
                (&pair.lhs, true)
            }
            Expr::Index(pair, more, _) if !whole => {
                (flags, is_dot, rest) = (*more, false, Some(&pair.rhs));
                (&pair.lhs, true)
            }
            one => (one, false),
        };
        let link = match head {
            Expr::Property(name, position) => Link::Property(&name.2, *position),
            Expr::MethodCall(call, position) => Link::Method(call, *position),
            index => Link::Index(index),
        };
        chain.push((link, questioned));
        if !next {
            break;
        }
    }
    (root, chain)
}

/// A variable and properties of it, as in `person.gitlab`: what it is written as. `None` for anything else, and for a
/// variable alone.
pub(super) fn path(root: &Expr, chain: &[(Link<'_>, bool)]) -> Option<String> {
    let Expr::Variable(variable, _, _) = root else { return None };
    let mut path = variable.1.to_string();
    for (link, questioned) in chain {
        path.push_str(if *questioned { "?." } else { "." });
        path.push_str(property(link)?);
    }
    (!chain.is_empty()).then_some(path)
}

fn property<'e>(link: &Link<'e>) -> Option<&'e str> {
    if let Link::Property(name, _) = link { Some(name) } else { None }
}

/// The names of properties of which a body may ask whether they are there, whosever they are: by `?`, by holding them against
/// something, or by handing them to a variable or a function that may.
pub(super) fn asked_after(statements: &[Stmt]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut last = |expr: &Expr| {
        let (_, chain) = links(expr);
        names.extend(chain.last().and_then(|(link, _)| property(link)).map(str::to_owned));
    };
    let mut questioned = BTreeSet::new();
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |nodes| {
            match nodes.last() {
                // What is turned round is taken for true or false.
                Some(ASTNode::Expr(Expr::FnCall(call, _))) if call.op_token.is_some() && call.name == "!" => {}
                Some(ASTNode::Expr(Expr::FnCall(call, _))) => call.args.iter().for_each(&mut last),
                Some(ASTNode::Expr(Expr::Coalesce(parts, _))) => parts.iter().for_each(&mut last),
                Some(ASTNode::Stmt(Stmt::Switch(switch, _))) => last(&switch.0),
                Some(ASTNode::Stmt(Stmt::Var(var, ..))) => last(&var.1),
                Some(ASTNode::Expr(expr)) => {
                    let (_, chain) = links(expr);
                    let before = chain.windows(2).filter(|two| two[1].1);
                    questioned.extend(before.filter_map(|two| property(&two[0].0)).map(str::to_owned));
                }
                _ => {}
            }
            true
        });
    }
    names.extend(questioned);
    names
}

/// Where an expression begins.
pub(super) fn start(expr: &Expr) -> Position {
    match expr {
        Expr::FnCall(call, position) => match call.args.as_slice() {
            // The place of an operator is the operator itself; `in` has its sides swapped.
            [_, value] if call.op_token.is_some() && call.name == "contains" => start(value),
            [left, _] if call.op_token.is_some() => start(left),
            _ if call.namespace.is_empty() => *position,
            _ => call.namespace.position(),
        },
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            parts.first().map_or(Position::NONE, start)
        }
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => start(&pair.lhs),
        other => other.start_position(),
    }
}

/// A text that two expressions have in common where they say the same; `None` where that cannot be told.
pub(super) fn shape(expr: &Expr) -> Option<String> {
    let several = |name: &str, parts: &mut dyn Iterator<Item = &Expr>| {
        let parts: Option<Vec<String>> = parts.map(shape).collect();
        Some(format!("{name}({})", parts?.join(",")))
    };
    match expr {
        Expr::StringConstant(text, _) => Some(format!("{text:?}")),
        Expr::BoolConstant(truth, _) => Some(truth.to_string()),
        Expr::IntegerConstant(number, _) => Some(number.to_string()),
        Expr::Unit(_) => Some("()".to_owned()),
        Expr::Variable(variable, _, _) => Some(format!("${}{}", variable.2, variable.1)),
        Expr::Property(name, _) => Some(format!(".{}", name.2)),
        Expr::Array(items, _) => several("list", &mut items.iter()),
        Expr::And(parts, _) => several("and", &mut parts.iter()),
        Expr::Or(parts, _) => several("or", &mut parts.iter()),
        Expr::Coalesce(parts, _) => several("else", &mut parts.iter()),
        Expr::Dot(pair, flags, _) => several(&format!("dot{}", flags.bits()), &mut [&pair.lhs, &pair.rhs].into_iter()),
        Expr::Index(pair, flags, _) => {
            several(&format!("index{}", flags.bits()), &mut [&pair.lhs, &pair.rhs].into_iter())
        }
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => {
            several(&format!("{}{}", call.namespace, call.name), &mut call.args.iter())
        }
        Expr::Stmt(block) => shape_of(block.statements()),
        _ => None,
    }
}

/// The same of a body that is one expression.
pub(super) fn shape_of(statements: &[Stmt]) -> Option<String> {
    match statements {
        [Stmt::Expr(expr)] => shape(expr),
        [Stmt::FnCall(call, position)] => shape(&Expr::FnCall(call.clone(), *position)),
        [Stmt::Block(block)] => shape_of(block.statements()),
        [Stmt::Return(Some(value), flags, _)] if !flags.contains(ASTFlags::BREAK) => shape(value),
        _ => None,
    }
}
