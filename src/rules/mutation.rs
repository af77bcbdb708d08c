//! Faults put into rules on purpose, one at a time: tests that notice none of them say little.
//!
//! Where a declaration stands and how far it goes is read from the syntax tree and the pieces of the text; what is changed
//! is the text. Lines stay where they are, so that a test that names a line does not fail for that alone. Nothing is
//! judged here.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{
    Texts,
    coverage::{of_tests, parsed},
    known::Known,
    lexis::Pieces,
    script::Source,
};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// What was done, in a few words.
    pub(crate) what: &'static str,
    /// The lines it touches, as they are and as they would be.
    pub(crate) before: String,
    pub(crate) after: String,
    /// The whole text with the fault in it.
    text: Arc<str>,
}

impl Texts {
    /// The same rules with a fault.
    pub(crate) fn with(&self, mutant: &Mutant) -> Self {
        let mut texts = self.clone();
        for source in texts.scripts.iter_mut().chain(texts.modules.values_mut()) {
            if source.file == mutant.file {
                source.text = Arc::clone(&mutant.text);
            }
        }
        texts
    }
}

/// Every fault that can be put into these rules, in the order of files and places. Tests get none.
pub(crate) fn mutants(texts: &Texts, known: &Known) -> Vec<Mutant> {
    let mut all = Vec::new();
    for source in texts.of_rules() {
        let Some(ast) = parsed(&source.text) else { continue };
        let pieces = Pieces::of(&source.text);
        let spared = of_tests(&ast, &pieces);
        let mut surgeon = Surgeon { source, pieces: &pieces, spared, edits: BTreeSet::new() };
        let calls = surgeon.declarations(&ast);
        for call in &calls {
            surgeon.declaration(call);
        }
        surgeon.pieces(&calls, known);
        all.extend(surgeon.finish());
    }
    all
}

/// A line of declaration in a text.
struct Call {
    word: String,
    /// The piece that opens its arguments.
    open: usize,
    /// The bytes of arguments that are no function.
    plain: Vec<Range<usize>>,
}

/// A change of a text: where, instead of what, and why.
type Edit = (usize, usize, String, &'static str);

struct Surgeon<'s> {
    source: &'s Source,
    pieces: &'s Pieces<'s>,
    /// What stands in tests.
    spared: Vec<Range<usize>>,
    edits: BTreeSet<Edit>,
}

/// The words that can be left out: without them the rules still say something.
const LEFT_OUT: &[&str] = &["owner", "copies", "join", "account", "temporary", "range", "route", "refused", "guard"];

/// The words about text that give back the text they were given, changed.
const HELPERS: &[&str] =
    &["trim", "lower", "upper", "title", "slug", "ascii", "replace", "or", "before", "after", "sub_string"];

impl Surgeon<'_> {
    fn edit(&mut self, bytes: Range<usize>, instead: impl Into<String>, what: &'static str) {
        if !self.spared.iter().any(|test| test.contains(&bytes.start)) {
            self.edits.insert((bytes.start, bytes.end, instead.into(), what));
        }
    }

    /// Takes bytes away and leaves lines where they are.
    fn cut(&mut self, bytes: Range<usize>, what: &'static str) {
        let lines = self.source.text[bytes.clone()].matches('\n').count();
        self.edit(bytes, "\n".repeat(lines), what);
    }

    /// The bytes from one piece to another.
    fn span(&self, first: usize, last: usize) -> Option<Range<usize>> {
        Some(self.pieces.get(first)?.start..self.pieces.get(last)?.end)
    }

    fn declarations(&self, ast: &rhai::AST) -> Vec<Call> {
        let mut calls = Vec::new();
        let mut note = |name: &str, position: Position| {
            let Some(at) = self.pieces.byte(position).and_then(|byte| self.pieces.at(byte)) else { return };
            let is_declaration = LEFT_OUT.contains(&name) || name == "source";
            if is_declaration && self.pieces.word(at) == name && self.pieces.word(at + 1) == "(" {
                let items = self.pieces.items(at + 1).into_iter();
                let plain = items.filter(|(first, _)| !self.pieces.word(*first).starts_with('|'));
                let plain = plain.filter_map(|(first, last)| self.span(first, last)).collect();
                calls.push(Call { word: name.to_owned(), open: at + 1, plain });
            }
        };
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::FnCall(call, position)) | ASTNode::Expr(Expr::FnCall(call, position))) =
                path.last()
            {
                note(&call.name, *position);
            }
            true
        });
        calls
    }

    /// The line left out, its condition turned round, its condition taken away.
    fn declaration(&mut self, call: &Call) {
        let Some(close) = self.pieces.closing(call.open) else { return };
        if LEFT_OUT.contains(&call.word.as_str()) {
            let end = if self.pieces.word(close + 1) == ";" { close + 1 } else { close };
            if let Some(bytes) = self.span(call.open - 1, end) {
                self.cut(bytes, "line left out");
            }
        }
        if !matches!(call.word.as_str(), "owner" | "account") {
            return;
        }
        for (first, last) in self.pieces.items(call.open) {
            let arguments = (first + 1..last).find(|at| self.pieces.word(*at) == "|");
            let (true, Some(bar)) = (self.pieces.word(first) == "|", arguments) else { continue };
            let Some(body) = self.span(bar + 1, last) else { continue };
            if self.pieces.word(bar + 1) != "{" {
                let turned = format!("!({})", &self.source.text[body.clone()]);
                self.edit(body.clone(), turned, "condition turned round");
            }
            self.edit(body, "true", "condition always true");
        }
    }

    /// Everything that is seen piece by piece.
    fn pieces(&mut self, calls: &[Call], known: &Known) {
        let mut at = 0;
        while let Some(piece) = self.pieces.get(at) {
            let word = self.pieces.text(piece);
            let bytes = piece.start..piece.end;
            let plain = calls.iter().find(|call| call.plain.iter().any(|it| it.contains(&piece.start)));
            match word {
                "==" => self.edit(bytes, "!=", "comparison turned round"),
                "!=" => self.edit(bytes, "==", "comparison turned round"),
                "<" => self.edit(bytes, "<=", "boundary moved"),
                "<=" => self.edit(bytes, "<", "boundary moved"),
                ">" => self.edit(bytes, ">=", "boundary moved"),
                ">=" => self.edit(bytes, ">", "boundary moved"),
                "&&" => self.edit(bytes, "||", "and for or"),
                "||" if !matches!(self.before(at), "(" | ",") => self.edit(bytes, "&&", "or for and"),
                "!" => self.edit(bytes, "", "negation left out"),
                "if" => self.condition(at),
                "true" => self.edit(bytes, "false", "literal changed"),
                "false" => self.edit(bytes, "true", "literal changed"),
                "." | "?." => self.helper(at),
                "[" => self.list(at),
                "#{" => self.map(at),
                text if text.starts_with('"') || text.starts_with('`') => self.text(at, text, plain, known),
                number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                    if let Ok(number) = number.parse::<i64>() {
                        self.edit(bytes, number.wrapping_add(1).to_string(), "literal changed");
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn before(&self, at: usize) -> &str {
        at.checked_sub(1).map_or("", |at| self.pieces.word(at))
    }

    /// `if a {` as `if !(a) {`.
    fn condition(&mut self, at: usize) {
        let Some(depth) = self.pieces.get(at).map(|piece| piece.depth) else { return };
        let is_block = |it: &usize| {
            self.pieces.word(*it) == "{" && self.pieces.get(*it).is_some_and(|piece| piece.depth == depth + 1)
        };
        let opens = (at + 1..self.pieces.len()).find(is_block);
        if let Some(bytes) = opens.and_then(|open| self.span(at + 1, open - 1)) {
            let turned = format!("!({})", &self.source.text[bytes.clone()]);
            self.edit(bytes, turned, "condition turned round");
        }
    }

    /// `.lower()` left out.
    fn helper(&mut self, at: usize) {
        if HELPERS.contains(&self.pieces.word(at + 1))
            && self.pieces.word(at + 2) == "("
            && let Some(bytes) = self.pieces.closing(at + 2).and_then(|close| self.span(at, close))
        {
            self.cut(bytes, "helper left out");
        }
    }

    /// Each item of a list left out, where there are several.
    fn list(&mut self, at: usize) {
        let before = self.before(at);
        let indexes = before.ends_with([')', ']', '"']) || before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_word = matches!(before, "in" | "return" | "=>");
        let items = self.pieces.items(at);
        if (indexes && !is_word) || items.len() < 2 {
            return;
        }
        self.leave_out(&items, "item left out");
    }

    /// Each key of a map left out. Without a `key` there would be no statement, which says nothing about tests.
    fn map(&mut self, at: usize) {
        let items = self.pieces.items(at).into_iter();
        let items: Vec<_> = items.filter(|(first, _)| self.pieces.word(*first) != "key").collect();
        self.leave_out(&items, "key left out");
    }

    fn leave_out(&mut self, items: &[(usize, usize)], what: &'static str) {
        for (first, last) in items {
            // With the comma behind it, or where there is none, with the one before.
            let bytes = match (self.pieces.word(last + 1), self.before(*first)) {
                (",", _) => self.span(*first, last + 1),
                (_, ",") => self.span(first - 1, *last),
                _ => self.span(*first, *last),
            };
            if let Some(bytes) = bytes {
                self.cut(bytes, what);
            }
        }
    }

    /// What stands in one list with a piece, itself left out.
    fn beside(&self, at: usize) -> Vec<&str> {
        let Some(depth) = self.pieces.get(at).map(|piece| piece.depth) else { return Vec::new() };
        let open =
            (0..at).rev().find(|it| self.pieces.get(*it).is_none_or(|it| it.depth < depth) || self.opens(*it, depth));
        let items = open.filter(|open| self.pieces.word(*open) == "[").map(|open| self.pieces.items(open));
        let others = items.unwrap_or_default().into_iter().filter(|(first, _)| *first != at);
        others.map(|(first, _)| self.pieces.word(first).trim_matches('"')).collect()
    }

    fn opens(&self, at: usize, depth: usize) -> bool {
        self.pieces.get(at).is_some_and(|it| it.depth == depth)
            && matches!(self.pieces.word(at), "[" | "(" | "{" | "#{")
    }

    /// A system for another, or a text for another.
    fn text(&mut self, at: usize, text: &str, plain: Option<&Call>, known: &Known) {
        let Some(bytes) = self.span(at, at) else { return };
        // A quote at either end; one that is not closed does not parse, and there is no tree of it.
        let Some(inner) = text.get(1..text.len().saturating_sub(1)) else { return };
        if self.pieces.word(at + 1) == ":" {
            return;
        }
        if known.systems.keys().any(|system| system.as_str() == inner) {
            let providers: Vec<&str> =
                known.systems.iter().filter(|(_, it)| it.is_provider).map(|(name, _)| name.as_str()).collect();
            // A system twice in one list is the list without an item, which is a fault of its own.
            let beside = self.beside(at);
            let free = |name: &&&str| !beside.contains(name);
            let later = providers.iter().filter(|name| **name > inner).find(free);
            let next = later.or_else(|| providers.iter().find(free));
            let is_source = plain.is_some_and(|call| call.word == "source");
            if let Some(next) = next.filter(|next| **next != inner && !is_source) {
                self.edit(bytes, format!("\"{next}\""), "another system");
            }
        } else if plain.is_none() {
            let quote = &text[..1];
            self.edit(bytes, format!("{quote}{inner}~{quote}"), "literal changed");
        }
    }

    fn finish(self) -> Vec<Mutant> {
        let text = &self.source.text;
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut mutants = Vec::new();
        for (start, end, instead, what) in self.edits {
            let mut changed = text.to_string();
            changed.replace_range(start..end, &instead);
            if !seen.insert(changed.clone()) {
                continue;
            }
            let (line, column) = self.pieces.place(start);
            let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
            let rest = |text: &str, end: usize| text[end..].find('\n').map_or(text.len(), |at| end + at);
            let before = text[from..rest(text, end)].trim_end().to_owned();
            let after = changed[from..rest(&changed, start + instead.len())].trim_end().to_owned();
            let (file, text) = (Arc::clone(&self.source.file), changed.into());
            mutants.push(Mutant { file, line, column, what, before, after, text });
        }
        mutants
    }
}
