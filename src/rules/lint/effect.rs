//! What statements do besides having a value: nothing, ending a function, changing a variable.

use std::collections::BTreeSet;

use rhai::{Expr, Position, Stmt};

use super::{
    super::words,
    shape::{Link, links, start},
    view,
};

/// Words whose only effect is what they give.
pub(super) fn is_ours(name: &str) -> bool {
    const DECLARATIONS: [&str; 11] =
        ["owner", "copies", "source", "join", "account", "temporary", "range", "route", "refused", "guard", "test"];
    words::signature(name).is_some() && !DECLARATIONS.contains(&name) && view::gives(name).is_some()
}

/// Whether a statement of this alone does nothing.
pub(super) fn useless(expr: &Expr) -> bool {
    match expr {
        Expr::StringConstant(..)
        | Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::InterpolatedString(..)
        | Expr::Variable(..) => true,
        Expr::Array(items, _) => items.iter().all(useless),
        Expr::Map(map, _) => map.0.iter().all(|(_, value)| useless(value)),
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => parts.iter().all(useless),
        Expr::FnCall(call, _) => {
            (call.op_token.is_some() || (is_ours(&call.name) && call.namespace.is_empty()))
                && call.args.iter().all(useless)
        }
        Expr::Dot(..) | Expr::Index(..) => {
            let (root, chain) = links(expr);
            useless(root)
                && chain.iter().all(|(link, _)| match link {
                    Link::Property(..) => true,
                    Link::Index(index) => useless(index),
                    Link::Method(call, _) => is_ours(&call.name) && call.args.iter().all(useless),
                })
        }
        _ => false,
    }
}

/// The word of ours whose value is lost.
pub(super) fn last_word(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::FnCall(call, _) if call.op_token.is_none() => Some(&call.name),
        Expr::Dot(..) | Expr::Index(..) => match links(expr).1.last() {
            Some((Link::Method(call, _), _)) => Some(&call.name),
            _ => None,
        },
        _ => None,
    }
}

/// Whether nothing behind this statement runs.
pub(super) fn ends(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(..) | Stmt::BreakLoop(..) => true,
        Stmt::Block(block) => block.statements().iter().any(ends),
        Stmt::If(flow, _) => flow.body.statements().iter().any(ends) && flow.branch.statements().iter().any(ends),
        Stmt::Expr(expr) => matches!(&**expr, Expr::Stmt(block) if block.statements().iter().any(ends)),
        _ => false,
    }
}

pub(super) fn begins(statement: &Stmt) -> Position {
    match statement {
        Stmt::Expr(expr) => start(expr),
        Stmt::Assignment(set) => start(&set.1.lhs),
        other => other.position(),
    }
}

/// The variables that are assigned to, or changed by methods, anywhere in a statement.
pub(super) fn moved(statement: &Stmt, moving: &mut BTreeSet<String>) {
    let mut root_of = |expr: &Expr| {
        if let Expr::Variable(variable, _, _) = links(expr).0 {
            moving.insert(variable.1.to_string());
        }
    };
    statement.walk(&mut Vec::new(), &mut |path| {
        match path.last() {
            Some(rhai::ASTNode::Stmt(Stmt::Assignment(set))) => root_of(&set.1.lhs),
            Some(rhai::ASTNode::Expr(expr @ (Expr::Dot(..) | Expr::Index(..)))) => {
                let changes =
                    |link: &Link<'_>| matches!(link, Link::Method(call, _) if CHANGING.contains(&call.name.as_str()));
                if links(expr).1.iter().any(|(link, _)| changes(link)) {
                    root_of(expr);
                }
            }
            _ => {}
        }
        true
    });
}

/// Methods of lists and maps that change them.
const CHANGING: &[&str] = &[
    "push",
    "append",
    "insert",
    "pad",
    "pop",
    "shift",
    "remove",
    "retain",
    "drain",
    "splice",
    "truncate",
    "chop",
    "clear",
    "reverse",
    "sort",
    "order",
    "dedup",
    "set",
    "mixin",
    "fill_with",
    "extract",
    "order_by",
    "sort_by",
    "sort_desc",
    "order_desc",
    "dedup_by",
];
