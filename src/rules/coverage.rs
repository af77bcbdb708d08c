//! What the tests of rules make run: by line, by branch, and by each line that decides.
//!
//! Engines made for it tell of each node before they evaluate it; all other engines know nothing of this file. Which lines
//! and branches there are is read from the syntax tree, parsed once more: the places are the same. A line of ownership is
//! covered when a decision names it as its cause, which a line that merely ran is not.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use rhai::{ASTNode, Engine, Expr, OptimizationLevel, Position, Stmt, debugger::DebuggerCommand};

use super::{RuleSet, Texts, lexis::Pieces, script::Source, testing::Outcome};
use crate::model::origin::Origin;

/// A node of a syntax tree: whether it is a statement, its line and column.
type Node = (bool, usize, usize);

/// A file, a line and a column.
type Place = (Arc<str>, usize, usize);

/// How often each node was come to, by its place and by where it lies in memory.
type Counts = BTreeMap<Node, BTreeMap<usize, u64>>;

/// What has run so far.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// How often each node was come to, by file. Nodes that share a place are told apart by where they lie in memory.
    nodes: RefCell<BTreeMap<Arc<str>, Counts>>,
    /// How often the condition of a line said yes, and how often it did not.
    answers: RefCell<BTreeMap<Place, (u64, u64)>>,
}

impl Hits {
    /// Counts the answer of a condition.
    pub(super) fn answered(&self, line: &Origin, answer: Option<bool>) {
        let mut answers = self.answers.borrow_mut();
        let counts = answers.entry((Arc::clone(&line.file), line.line, line.column)).or_default();
        if answer == Some(true) { counts.0 += 1 } else { counts.1 += 1 }
    }

    fn came_to(&self, file: &str, node: Node, identity: usize) {
        let mut files = self.nodes.borrow_mut();
        let counts = match files.get_mut(file) {
            Some(counts) => counts,
            None => files.entry(file.into()).or_default(),
        };
        *counts.entry(node).or_default().entry(identity).or_default() += 1;
    }

    fn count(&self, file: &str, node: Node) -> u64 {
        let files = self.nodes.borrow();
        let counts = files.get(file).and_then(|nodes| nodes.get(&node));
        counts.and_then(|counts| counts.values().copied().max()).unwrap_or_default()
    }
}

/// Makes an engine tell of all it does.
pub(super) fn watch(engine: &mut Engine, hits: &std::rc::Rc<Hits>) {
    let hits = std::rc::Rc::clone(hits);
    #[expect(deprecated, reason = "the language marks what it may still change; the version is pinned")]
    engine.register_debugger(
        |_, debugger| debugger,
        move |_, _, node, file, _| {
            if let (Some(file), Some(place)) = (file, placed(&node)) {
                let identity = match node {
                    ASTNode::Stmt(stmt) => std::ptr::from_ref(stmt).addr(),
                    ASTNode::Expr(expr) => std::ptr::from_ref(expr).addr(),
                    _ => 0,
                };
                hits.came_to(file, place, identity);
            }
            Ok(DebuggerCommand::StepInto)
        },
    );
}

fn placed(node: &ASTNode<'_>) -> Option<Node> {
    let (is_statement, position) = match node {
        ASTNode::Stmt(stmt) => (true, stmt.position()),
        ASTNode::Expr(expr) => (false, expr.position()),
        _ => return None,
    };
    Some((is_statement, position.line()?, position.position()?))
}

/// One way out of a fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// Which: `if`, `else`, `case`, `true`, `false`.
    pub(crate) way: &'static str,
    /// Which fork of the file, from 0.
    pub(crate) fork: usize,
    pub(crate) taken: u64,
}

/// A line that decides: who owns, who gets a copy, what is done with a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deciding {
    pub(crate) origin: Origin,
    /// The word it begins with.
    pub(crate) word: &'static str,
    /// How many decisions name it.
    pub(crate) decided: u64,
}

/// What of one file has run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Covered {
    /// How often each line was come to that can be.
    pub(crate) lines: BTreeMap<usize, u64>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) deciding: Vec<Deciding>,
}

/// What of all rules has run; tests and what only they use are no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    pub(crate) files: BTreeMap<Arc<str>, Covered>,
}

impl Coverage {
    /// What these outcomes covered. `None` where nobody counted.
    pub(crate) fn of(rules: &RuleSet, texts: &Texts, outcomes: &[Outcome]) -> Option<Self> {
        let hits = rules.hits.as_deref()?;
        let mut coverage = Self::default();
        for source in texts.of_rules() {
            let covered = survey(source, hits);
            coverage.files.insert(Arc::clone(&source.file), covered);
        }
        coverage.deciding(rules, outcomes);
        coverage.conditions(hits);
        for covered in coverage.files.values_mut() {
            // A line that decides has run when it was loaded, and that says nothing.
            let mut decided: BTreeMap<usize, u64> = BTreeMap::new();
            for line in &covered.deciding {
                *decided.entry(line.origin.line).or_default() += line.decided;
            }
            covered.lines.extend(decided);
        }
        Some(coverage)
    }

    fn deciding(&mut self, rules: &RuleSet, outcomes: &[Outcome]) {
        let mut decided: BTreeMap<String, u64> = BTreeMap::new();
        for (plan, objections) in outcomes.iter().flat_map(|outcome| &outcome.plans) {
            let of_changes = plan.changes.iter().flat_map(|change| &change.because);
            for because in of_changes.chain(plan.operations.iter().flat_map(|operation| &operation.because)) {
                *decided.entry(because.rule.clone()).or_default() += 1;
            }
            for objection in objections {
                *decided.entry(objection.origin.to_string()).or_default() += 1;
            }
        }
        let declared = &rules.declared;
        let owners = declared.owners.iter().map(|line| ("owner", &line.line.origin));
        let copies = declared.copies.values().map(|(line, _)| ("copies", &line.origin));
        let accounts = declared.accounts.values().map(|line| ("account", &line.place.origin));
        let routes = declared.routes.iter().map(|line| ("route", &line.place.origin));
        let refusals = declared.refusals.iter().map(|(_, line)| ("refused", &line.place.origin));
        let guards = declared.guards.iter().map(|line| ("guard", &line.place.origin));
        let all = owners.chain(copies).chain(accounts).chain(routes).chain(refusals).chain(guards);
        // One line may declare many things.
        let all: BTreeSet<(&Origin, &'static str)> = all.map(|(word, origin)| (origin, word)).collect();
        for (origin, word) in all {
            if let Some(covered) = self.files.get_mut(&origin.file) {
                let decided = decided.get(&origin.to_string()).copied().unwrap_or_default();
                covered.deciding.push(Deciding { origin: origin.clone(), word, decided });
            }
        }
        // What has a condition forks, even where nobody has asked it.
        let conditional = declared.owners.iter().filter(|line| line.condition.is_some()).map(|line| &line.line.origin);
        let conditional = conditional
            .chain(declared.accounts.values().filter(|line| line.condition.is_some()).map(|line| &line.place.origin));
        for origin in conditional.collect::<BTreeSet<_>>() {
            let Some(covered) = self.files.get_mut(&origin.file) else { continue };
            let fork = covered.branches.iter().map(|branch| branch.fork + 1).max().unwrap_or_default();
            for way in ["true", "false"] {
                let (line, column) = (origin.line, origin.column);
                covered.branches.push(Branch { line, column, way, fork, taken: 0 });
            }
        }
    }

    fn conditions(&mut self, hits: &Hits) {
        let answers = hits.answers.borrow();
        for (file, covered) in &mut self.files {
            for branch in &mut covered.branches {
                let place = (Arc::clone(file), branch.line, branch.column);
                let (yes, no) = answers.get(&place).copied().unwrap_or_default();
                match branch.way {
                    "true" => branch.taken = yes,
                    "false" => branch.taken = no,
                    _ => {}
                }
            }
            covered.branches.sort_by_key(|branch| (branch.line, branch.column, branch.fork));
        }
    }

    /// The whole as tools read it (`geninfo`): a line that decides counts what it decided, not that it was loaded.
    pub(crate) fn lcov(&self) -> String {
        let mut text = String::new();
        for (file, covered) in &self.files {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "TN:homeward\nSF:{file}");
            let mut forks: BTreeMap<usize, u64> = BTreeMap::new();
            for branch in &covered.branches {
                *forks.entry(branch.fork).or_default() += branch.taken;
            }
            let mut ways: BTreeMap<usize, usize> = BTreeMap::new();
            for branch in &covered.branches {
                let way = ways.entry(branch.fork).or_default();
                let came = forks.get(&branch.fork).is_some_and(|count| *count > 0);
                let taken = if came { branch.taken.to_string() } else { "-".to_owned() };
                let _ = writeln!(text, "BRDA:{},{},{way},{taken}", branch.line, branch.fork);
                *way += 1;
            }
            let taken = covered.branches.iter().filter(|branch| branch.taken > 0).count();
            let _ = writeln!(text, "BRF:{}\nBRH:{taken}", covered.branches.len());
            for (line, count) in &covered.lines {
                let _ = writeln!(text, "DA:{line},{count}");
            }
            let run = covered.lines.values().filter(|count| **count > 0).count();
            let _ = writeln!(text, "LF:{}\nLH:{run}\nend_of_record", covered.lines.len());
        }
        text
    }
}

/// The syntax tree of a text as it is written, without what an optimiser makes of it. `None` where it is none.
pub(super) fn parsed(text: &str) -> Option<rhai::AST> {
    let mut engine = Engine::new_raw();
    engine.set_optimization_level(OptimizationLevel::None).set_max_strings_interned(0);
    engine.compile(text).ok()
}

/// The bytes of every `test` and `cases` line of a text: what stands there is no rule.
pub(super) fn of_tests(ast: &rhai::AST, pieces: &Pieces<'_>) -> Vec<std::ops::Range<usize>> {
    let mut tests: Vec<Position> = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position))) =
            path.last()
            && matches!(call.name.as_str(), "test" | "cases")
        {
            tests.push(*position);
        }
        true
    });
    let span = |position: Position| {
        let start = pieces.byte(position)?;
        let close = pieces.closing(pieces.at(start)? + 1)?;
        Some(start..pieces.get(close)?.end)
    };
    tests.into_iter().filter_map(span).collect()
}

fn survey(source: &Source, hits: &Hits) -> Covered {
    let mut covered = Covered::default();
    let Some(ast) = parsed(&source.text) else { return covered };
    let pieces = Pieces::of(&source.text);
    let tests = of_tests(&ast, &pieces);
    let outside =
        |position: Position| pieces.byte(position).is_some_and(|byte| !tests.iter().any(|test| test.contains(&byte)));
    let count = |node: Option<Node>| node.map_or(0, |node| hits.count(&source.file, node));
    let mut forks: Vec<(Node, Vec<(&'static str, u64)>)> = Vec::new();
    ast.walk(&mut |path| {
        let Some(node) = path.last() else { return true };
        let Some(place) = placed(node).filter(|_| outside(node.position())) else { return true };
        if evaluated(path) {
            let times = covered.lines.entry(place.1).or_default();
            *times = (*times).max(count(Some(place)));
        }
        match node {
            ASTNode::Stmt(Stmt::If(flow, _)) => {
                let all = count(Some(place));
                let yes = first(&flow.body).map(|node| count(Some(node)));
                let no = first(&flow.branch).map(|node| count(Some(node)));
                // A way without a statement in it is taken where the other is not.
                let yes = yes.unwrap_or_else(|| all.saturating_sub(no.unwrap_or(0)));
                let no = no.unwrap_or_else(|| all.saturating_sub(yes));
                forks.push((place, vec![("if", yes), ("else", no)]));
            }
            ASTNode::Stmt(Stmt::Switch(parts, _)) => {
                let mut ways: Vec<(Option<Node>, &'static str)> = Vec::new();
                let cases = &parts.1;
                for block in &cases.expressions {
                    ways.push((of_expression(&block.rhs), "case"));
                }
                ways.sort();
                forks.push((place, ways.into_iter().map(|(node, way)| (way, count(node))).collect()));
            }
            _ => {}
        }
        true
    });
    forks.sort();
    forks.dedup();
    for (fork, ((_, line, column), ways)) in forks.into_iter().enumerate() {
        for (way, taken) in ways {
            covered.branches.push(Branch { line, column, way, fork, taken });
        }
    }
    covered
}

/// Whether an engine tells of the node by itself: what stands behind a dot is told of with what stands before it.
fn evaluated(path: &[ASTNode<'_>]) -> bool {
    let behind_a_dot = |node: &ASTNode<'_>, parent: &ASTNode<'_>| match (node, parent) {
        (ASTNode::Expr(node), ASTNode::Expr(Expr::Dot(parts, ..) | Expr::Index(parts, ..))) => {
            std::ptr::eq(*node, &raw const parts.rhs)
        }
        _ => false,
    };
    match path {
        [.., ASTNode::Stmt(Stmt::Noop(_) | Stmt::Expr(_)) | ASTNode::Expr(Expr::Stmt(_))] => false,
        [.., parent, node] => !behind_a_dot(node, parent),
        _ => true,
    }
}

/// The node that is come to first in a block.
fn first(block: &rhai::StmtBlock) -> Option<Node> {
    of_statement(block.statements().first()?)
}

fn of_statement(stmt: &Stmt) -> Option<Node> {
    match stmt {
        Stmt::Expr(expr) => of_expression(expr),
        Stmt::Noop(_) => None,
        stmt => placed(&ASTNode::Stmt(stmt)),
    }
}

fn of_expression(expr: &Expr) -> Option<Node> {
    match expr {
        Expr::Stmt(block) => first(block),
        expr => placed(&ASTNode::Expr(expr)),
    }
}
