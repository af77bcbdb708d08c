//! One script file: its text, compiled, and the words for what goes wrong in it.
//!
//! A script knows no word's meaning; `vocabulary` does. Each script has an engine of its own, so that its constants are
//! its own.

use std::{
    collections::BTreeMap,
    rc::Rc,
    sync::{Arc, LazyLock},
};

use regex::Regex;
use rhai::{
    AST, ASTNode, CallFnOptions, Dynamic, Engine, EvalAltResult, Expr, ImmutableString, Module, OptimizationLevel,
    ParseError, ParseErrorType, Position, Scope, Stmt,
};

use crate::model::origin::Origin;

use super::{
    fault::{Fault, Place, RuleError, type_name},
    library::{self, Librarian, Shelf},
    sandbox::{self, MAX_ARGUMENTS, MAX_HELD, MAX_LIST, MAX_MAP, MAX_TEXT, MAX_UNCHARGED, Meter},
    words,
};

// Made once: of what a check of a project takes, making them each time was the larger half.

/// The pieces of a text, as far as the keys of maps need them told apart. Comments and texts are passed over as a whole, so
/// that their brackets do not count.
static TOKENS: Pattern = LazyLock::new(|| {
    Regex::new(r#"//[^\n]*|(?s:/\*.*?\*/)|"(?<quoted>(?:[^"\\]|\\.)*)"|`[^`]*`|(?<bare>[A-Za-z_][0-9A-Za-z_]*)|::|\S"#)
        .ok()
});

/// The same for the cases of a `switch`.
static CASES: Pattern = LazyLock::new(|| {
    Regex::new(r#"//[^\n]*|(?s:/\*.*?\*/)|"(?<quoted>(?:[^"\\]|\\.)*)"|`[^`]*`|=>|[0-9A-Za-z_]+|\S"#).ok()
});

/// Values that are written out.
static LITERALS: Pattern = LazyLock::new(|| {
    Regex::new(r#"//[^\n]*|(?s:/\*.*?\*/)|(?<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.[^']*)'|-?\b[0-9]+\b|\btrue\b|\bfalse\b|\(\))"#)
        .ok()
});

/// The heads of functions.
static HEADS: Pattern = LazyLock::new(|| Regex::new(r"\bfn\s+(?<name>[A-Za-z_][0-9A-Za-z_]*)\s*\([^)]*\)").ok());

/// Names behind a dot.
static PROPERTIES: Pattern = LazyLock::new(|| Regex::new(r"\.\s*([A-Za-z_][A-Za-z0-9_]*)").ok());

type Pattern = LazyLock<Option<Regex>>;

/// The text of a script, and places in it.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// As messages name it: `rules/ownership.rhai`.
    pub(super) file: Arc<str>,
    pub(super) text: Arc<str>,
}

impl Source {
    /// A place, with as much of a mark as what stands there: a name, a text in quotes, or one character.
    pub(super) fn place(&self, position: Position) -> Option<Place> {
        Some(self.place_at(position.line()?, position.position().unwrap_or(1)))
    }

    /// The beginning, for what has no better place.
    pub(super) fn top(&self) -> Place {
        self.place_at(1, 1)
    }

    fn place_at(&self, line: usize, column: usize) -> Place {
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        let mut rest = text.chars().skip(column.saturating_sub(1)).peekable();
        let span = match rest.peek() {
            Some('"') => rest.skip(1).position(|c| c == '"').map_or(1, |end| end + 2),
            _ => rest.take_while(|c| c.is_alphanumeric() || *c == '_').count(),
        };
        let origin = Origin { file: Arc::clone(&self.file), line, column, text: text.trim().into() };
        Place { origin, text: Arc::clone(&self.text), span: span.max(1) }
    }

    /// Where a text in quotes stands, in the statement that begins at `from`.
    pub(super) fn place_of_text(&self, from: &Origin, text: &str) -> Option<Place> {
        let start = self.offset(from);
        let statement = &self.text[start..];
        let end = statement.find(';').unwrap_or(statement.len());
        let at = statement[..end].find(&format!("\"{text}\""))?;
        Some(self.place_of_offset(start + at))
    }

    /// Where a key of a returned map stands, somewhere after `from`.
    pub(super) fn place_of_key(&self, from: &Origin, key: &str) -> Option<Place> {
        let start = self.offset(from);
        let escaped = regex::escape(key);
        let found = Regex::new(&format!(r#"(?:[{{,\s](?<bare>{escaped})|(?<quoted>"{escaped}"))\s*:"#)).ok()?;
        let found = found.captures(&self.text[start..])?;
        let at = found.name("bare").or_else(|| found.name("quoted"))?.start();
        Some(self.place_of_offset(start + at))
    }

    /// The keys of maps that are written in the statement at `from`, in the order of the text. Read from the text alone:
    /// what a rule computes is not seen.
    pub(super) fn keys(&self, from: &Origin) -> Vec<String> {
        self.keys_from(self.offset(from))
    }

    /// The same of a named function.
    pub(super) fn keys_of_function(&self, name: &str) -> Vec<String> {
        let Some(heads) = HEADS.as_ref() else { return Vec::new() };
        let found =
            heads.captures_iter(&self.text).find(|head| head.name("name").is_some_and(|it| it.as_str() == name));
        let end = found.and_then(|head| head.get(0)).map(|head| head.end());
        end.map_or_else(Vec::new, |start| self.keys_from(start))
    }

    fn keys_from(&self, start: usize) -> Vec<String> {
        let Some(tokens) = TOKENS.as_ref() else { return Vec::new() };
        let (mut keys, mut depth) = (Vec::new(), 0_usize);
        // The name that stands after `{` or `,`, until the next token shows whether it is a key.
        let (mut at_start, mut candidate) = (false, None);
        for found in tokens.captures_iter(&self.text[start..]) {
            let token = found.get(0).map_or("", |token| token.as_str());
            if token.starts_with("//") || token.starts_with("/*") {
                continue;
            }
            match token {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                ":" => keys.extend(candidate.take()),
                _ => {}
            }
            let name = found.name("quoted").or_else(|| found.name("bare"));
            candidate = name.filter(|_| at_start).map(|name| name.as_str().to_owned());
            at_start = token == "{" || token == ",";
        }
        keys
    }

    /// Where a name stands behind a dot, somewhere after `from`.
    pub(super) fn place_of_property(&self, from: &Origin, name: &str) -> Option<Place> {
        let start = self.offset(from);
        let found = Regex::new(&format!(r"\.\s*(?<name>{})\b", regex::escape(name))).ok()?;
        let at = found.captures(&self.text[start..])?.name("name")?.start();
        Some(self.place_of_offset(start + at))
    }

    /// Where the name of a function stands that is defined here.
    pub(super) fn place_of_function(&self, name: &str) -> Option<Place> {
        let pattern = Regex::new(&format!(r"\bfn\s+(?<name>{})\s*\(", regex::escape(name))).ok()?;
        let found = pattern.captures(&self.text)?.name("name")?;
        Some(self.place_of_offset(found.start()))
    }

    /// What does not show in an editor and makes the text mean something else than it seems to.
    fn unseen(&self) -> Option<RuleError> {
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let breaks = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}');
        let hidden = |c: char| (c.is_control() && !matches!(c, '\t' | '\n' | '\r')) || turns(c) || breaks(c);
        let (at, letter) = self.text.char_indices().find(|(_, c)| hidden(*c))?;
        let fault = Fault::Unseen { letter, turns: turns(letter) };
        Some(RuleError::new(fault, Some(self.place_of_offset(at))))
    }

    /// A comment that swallows the rest of the file: the language takes it without a word.
    fn open_comment(&self) -> Option<RuleError> {
        let mut rest = self.text.as_ref();
        // How many braces are open in each piece of code that lies in a text with holes, the innermost last.
        let mut holes: Vec<usize> = Vec::new();
        let after = |rest: &'_ str, at: Option<usize>| at.map(|at| rest.len() - at);
        while let Some(first) = rest.chars().next() {
            let at = self.text.len() - rest.len();
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            let left = if rest.starts_with("//") {
                after(rest, rest.find('\n'))
            } else if rest.starts_with("/*") {
                match block_comment(rest) {
                    None => return Some(RuleError::new(Fault::OpenComment, Some(self.place_of_offset(at)))),
                    Some(length) => Some(rest.len() - length),
                }
            } else if hashes > 0 {
                let end = format!("\"{}", "#".repeat(hashes));
                let text = rest[hashes..].strip_prefix('"');
                let length = text.map_or(Some(0), |text| text.find(&end).map(|it| 1 + it + end.len()));
                length.map(|length| rest.len() - hashes - length)
            } else if first == '"' || first == '\'' {
                quoted(rest).map(|length| rest.len() - length)
            } else if first == '`' || (first == '}' && holes.last() == Some(&0)) {
                if first == '}' {
                    holes.pop();
                }
                // To the end of the text, or to the next hole in it.
                let end = rest[1..].find('`').map(|it| 1 + it + 1);
                let hole = rest[1..].find("${").map(|it| 1 + it + 2);
                if hole.is_some_and(|hole| end.is_none_or(|end| hole < end)) {
                    holes.push(0);
                    after(rest, hole)
                } else {
                    after(rest, end)
                }
            } else {
                match (first, holes.last_mut()) {
                    ('{', Some(open)) => *open += 1,
                    ('}', Some(open)) => *open -= 1,
                    _ => {}
                }
                Some(rest.len() - first.len_utf8())
            };
            // What is not closed otherwise, the language finds by itself.
            rest = &self.text[self.text.len() - left?..];
        }
        None
    }

    /// The texts that the `switch` behind a place has cases for, and where they stand.
    pub(super) fn cases(&self, from: &Origin) -> Vec<(String, Place)> {
        let Some(tokens) = CASES.as_ref() else { return Vec::new() };
        let start = self.offset(from);
        let (mut found, mut waiting, mut depth) = (Vec::new(), Vec::new(), 0_usize);
        for token in tokens.captures_iter(&self.text[start..]) {
            let Some(whole) = token.get(0) else { continue };
            match whole.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && whole.as_str() == "}" {
                        break;
                    }
                }
                "=>" if depth == 1 => found.append(&mut waiting),
                "|" | "if" => continue,
                comment if comment.starts_with("//") || comment.starts_with("/*") => continue,
                _ => {}
            }
            match token.name("quoted") {
                Some(text) if depth == 1 => {
                    waiting.push((text.as_str().to_owned(), self.place_of_offset(start + whole.start())));
                }
                _ => waiting.clear(),
            }
        }
        found
    }

    /// The byte at which a place begins.
    fn offset(&self, origin: &Origin) -> usize {
        let line: usize = self.text.split_inclusive('\n').take(origin.line - 1).map(str::len).sum();
        let rest = self.text.get(line..).unwrap_or_default();
        line + rest.char_indices().nth(origin.column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at)
    }

    fn place_of_offset(&self, offset: usize) -> Place {
        let before = &self.text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.place_at(line, column)
    }
}

/// How long the comment is that begins here, with the comments in it; `None` where it has no end.
fn block_comment(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// How long the text is that begins here with a quote; `None` where it does not end in its line.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '\n' => return None,
            letter if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// A compiled script.
pub(super) struct Script {
    pub(super) source: Source,
    engine: Engine,
    ast: AST,
    meter: Rc<Meter>,
    shelf: Shelf,
    /// The modules' texts: a fault may lie in one of them.
    modules: Rc<BTreeMap<String, Source>>,
    /// What functions see by its plain name.
    constants: BTreeMap<String, Dynamic>,
}

impl Script {
    /// Compiles `source` on an engine that knows all words.
    pub(super) fn compile(
        source: Source,
        mut engine: Engine,
        meter: Rc<Meter>,
        shelf: &Shelf,
        modules: &Rc<BTreeMap<String, Source>>,
    ) -> Result<Self, RuleError> {
        if let Some(error) = source.unseen().or_else(|| source.open_comment()) {
            return Err(error);
        }
        engine.set_module_resolver(Librarian(Rc::clone(shelf)));
        // Functions of this language see neither variables nor constants around them. Constants that are written out
        // are found by compiling once without asking, and then made known to everybody by their plain name and as
        // `global::NAME`; the second compilation asks whether every other name exists.
        engine.set_strict_variables(false).set_optimization_level(OptimizationLevel::Simple);
        let loose = engine.compile(source.text.as_ref()).map_err(|error| unparsed(&source, &error))?;
        let constants: Scope<'_> = loose.iter_literal_variables(true, false).map(|it| (it.0, it.1, it.2)).collect();
        let is_module = modules.values().any(|module| module.file == source.file);
        let (mut plain, mut global) = (Module::new(), Module::new());
        let mut kept = BTreeMap::new();
        for (name, _, value) in constants.iter() {
            let weight = sandbox::weight(&value).unwrap_or(usize::MAX);
            meter.know_constant(name, weight);
            // A module's functions hold its constants themselves, each where it is used, and they are not charged.
            if is_module && weight > MAX_HELD {
                let fault = Fault::TooMuch(format!("the constant `{name}` is too large for a module"));
                return Err(RuleError::new(fault, None).or_place(|| source.top()));
            }
            if weight <= MAX_UNCHARGED {
                global.set_var(name, value.clone());
            }
            kept.insert(name.to_owned(), value.clone());
            plain.set_var(name, value);
        }
        engine.register_global_module(Rc::new(plain));
        engine.register_static_module("global", Rc::new(global));
        // Not optimised: the optimiser would put a constant in the place of an argument of the same name. A module's
        // functions run where its constants are not known, so there they must be put in place, and no argument may have
        // such a name.
        let level = if is_module { OptimizationLevel::Simple } else { OptimizationLevel::None };
        engine.set_strict_variables(true).set_optimization_level(level);
        let compiled = engine.compile_with_scope(&constants, source.text.as_ref());
        let mut ast = compiled.map_err(|error| unparsed(&source, &error))?;
        ast.set_source(source.file.as_ref());
        // It would take the place of ours, and every line that says the word would silently do something else.
        if let Some(function) = ast.iter_functions().find(|function| words::signature(function.name).is_some()) {
            let fault = Fault::WordTaken { word: function.name.to_owned() };
            return Err(RuleError::new(fault, source.place_of_function(function.name)));
        }
        if let Some(position) = crowded_call(&ast) {
            let fault = limit(&format!("a call may have {MAX_ARGUMENTS} arguments"));
            return Err(RuleError::new(fault, source.place(position)));
        }
        if let Some((function, name)) = shadowed(&ast, &constants).filter(|_| is_module) {
            return Err(RuleError::new(Fault::ConstantShadowed { name }, source.place_of_function(&function)));
        }
        // Functions are called without the top level that imported for them: they find modules by the same names.
        for (path, alias, _) in library::imports(&ast) {
            if let Some(module) = shelf.borrow().get(library::named(&path)) {
                engine.register_static_module(alias, module.clone());
            }
        }
        let (shelf, modules) = (Rc::clone(shelf), Rc::clone(modules));
        Ok(Self { source, engine, ast, meter, shelf, modules, constants: kept })
    }

    /// What functions see by its plain name: the value of a constant.
    pub(super) fn constant(&self, name: &str) -> Option<&Dynamic> {
        self.constants.get(name)
    }

    /// The names of a function's arguments and the statements of its body; `None` where there is no such function.
    pub(super) fn body(&self, name: &str, arguments: usize) -> Option<(Vec<String>, Vec<Stmt>)> {
        let mut found = self.ast.iter_functions().filter(|it| it.name == name && it.params.len() == arguments);
        let (function, None) = (found.next()?, found.next()) else { return None };
        if function.this_type.is_some() {
            return None;
        }
        let parameters = function.params.iter().map(ToString::to_string).collect();
        let mut alone = self.ast.clone_functions_only();
        alone.retain_functions(|_, _, its, count| its == name && count == arguments);
        if alone.iter_functions().count() != 1 {
            return None;
        }
        let mut statements = Vec::new();
        alone.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                statements.push((*statement).clone());
            }
            true
        });
        Some((parameters, statements))
    }

    /// Whether a function of this script has this name, whatever it takes.
    pub(super) fn has_function(&self, name: &str) -> bool {
        self.ast.iter_functions().any(|function| function.name == name)
    }

    /// The values that stand in this script as they are, each under the number by which the cases of a `switch` know it.
    pub(super) fn literals(&self) -> BTreeMap<u64, Dynamic> {
        let Some(tokens) = LITERALS.as_ref() else { return BTreeMap::new() };
        let written = tokens.captures_iter(&self.source.text).filter_map(|found| Some(found.name("value")?.as_str()));
        let written: std::collections::BTreeSet<&str> = written.collect();
        let numbered = written.into_iter().filter_map(|text| {
            let ast = self.engine.compile(format!("switch {text} {{ {text} => 0 }}")).ok()?;
            let [Stmt::Switch(switch, _)] = ast.statements() else { return None };
            let (value, cases) = &**switch;
            Some((*cases.cases.keys().next()?, value.get_literal_value(None)?))
        });
        numbered.collect()
    }

    /// As the language sees it, unoptimised.
    pub(super) fn ast(&self) -> &AST {
        &self.ast
    }

    /// What it imports at its top level: the module, the name it gets, the place.
    pub(super) fn imports(&self) -> Vec<(String, String, Position)> {
        library::imports(&self.ast)
    }

    /// Its constants and functions, for other scripts.
    pub(super) fn module(&self) -> Result<rhai::Shared<Module>, RuleError> {
        self.meter.start();
        library::module(&self.engine, &self.ast).map(Into::into).map_err(|error| self.explain(*error))
    }

    /// Runs the top level: the declarations.
    pub(super) fn run(&self) -> Result<(), RuleError> {
        self.meter.start();
        self.engine.run_ast(&self.ast).map_err(|error| self.explain(*error).or_place(|| self.source.top()))
    }

    /// Where an error that knows no place belongs: at the name it is about, else at the line that asked.
    pub(super) fn place_of(&self, error: &RuleError, line: &Place) -> Place {
        let named = error.property().and_then(|name| self.source.place_of_property(&line.origin, name));
        named.unwrap_or_else(|| line.clone())
    }

    /// How many arguments a function of this script takes.
    pub(super) fn parameters(&self, name: &str) -> Option<usize> {
        self.ast.iter_functions().find(|function| function.name == name).map(|function| function.params.len())
    }

    /// Calls a function of this script.
    pub(super) fn call(&self, function: &ImmutableString, arguments: Vec<Dynamic>) -> Result<Dynamic, RuleError> {
        self.meter.start();
        let options = CallFnOptions::new().eval_ast(false);
        let answer =
            self.engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &self.ast, function, arguments);
        answer.map_err(|error| self.explain(*error))
    }

    /// Turns an error of the language into ours.
    fn explain(&self, error: EvalAltResult) -> RuleError {
        let mut error = error;
        let mut source = &self.source;
        loop {
            error = match error {
                EvalAltResult::ErrorInFunctionCall(_, file, inner, _) => {
                    source = self.modules.values().find(|module| *module.file == *file).unwrap_or(source);
                    *inner
                }
                EvalAltResult::ErrorInModule(_, inner, _) => *inner,
                _ => break,
            }
        }
        let position = error.position();
        let fault = match error {
            EvalAltResult::ErrorTerminated(value, _) | EvalAltResult::ErrorRuntime(value, _) => {
                value.try_cast_result::<Fault>().unwrap_or_else(|value| Fault::Thrown(short(&thrown(&value))))
            }
            EvalAltResult::ErrorFunctionNotFound(signature, _) => self.no_function(&signature),
            EvalAltResult::ErrorVariableNotFound(name, _) => self.no_variable(name.trim_start_matches("global::")),
            EvalAltResult::ErrorPropertyNotFound(name, _) => Fault::UnknownProperty { name },
            EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
                Fault::WrongType { what: "this".to_owned(), wanted: type_name(&wanted), got: type_name(&got) }
            }
            EvalAltResult::ErrorTooManyOperations(_) => limit("the rule does not come to an end"),
            EvalAltResult::ErrorTooManyVariables(_) => limit("the rule has too many variables"),
            EvalAltResult::ErrorTooManyModules(_) => limit("the script imports too many modules"),
            EvalAltResult::ErrorModuleNotFound(path, _) => library::unknown(&self.shelf, &path),
            EvalAltResult::ErrorDotExpr(said, _) if said.contains("type '()'") => {
                let name = said.split(['\'', '"', '`']).nth(1).unwrap_or_default().to_owned();
                Fault::OfNothing { name }
            }
            EvalAltResult::ErrorStackOverflow(_) => limit("functions call each other too deeply"),
            EvalAltResult::ErrorDataTooLarge(what, _) => Fault::TooMuch(too_large(&what)),
            mut other => {
                other.clear_position();
                Fault::Runtime(lower_first(&short(&other.to_string())))
            }
        };
        RuleError::new(fault, source.place(position))
    }

    fn no_function(&self, signature: &str) -> Fault {
        let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
        let got =
            arguments.strip_suffix(')').unwrap_or(arguments).split(", ").filter(|it| !it.is_empty()).map(type_name);
        let got = got.collect::<Vec<_>>().join(" and ");
        let takes = words::signature(name);
        if let Some((alias, _)) = name.split_once("::") {
            let modules = self.shelf.borrow();
            let module = self.imports().into_iter().find(|(_, own, _)| own == alias);
            let module = module.and_then(|(path, _, _)| modules.get(library::named(&path)));
            let all =
                module.map(|module| module.iter_script_fn_info().map(|it| format!("{alias}::{}", it.2)).collect());
            let all: Vec<String> = all.unwrap_or_default();
            if !all.iter().any(|known| known == name) {
                let near = words::near(name, all.iter().map(String::as_str));
                return Fault::UnknownFunction { name: name.to_owned(), near };
            }
        }
        let own = self.parameters(name).is_some();
        if takes.is_some() || own || !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return Fault::WrongArguments { name: name.to_owned(), takes, got };
        }
        let own = self.ast.iter_functions().map(|function| function.name).filter(|own| !is_unnamed(own));
        let mut all: Vec<&str> = words::names().collect();
        all.extend(own);
        let near = words::near(name, all);
        Fault::UnknownFunction { name: name.to_owned(), near }
    }

    fn no_variable(&self, name: &str) -> Fault {
        if self.ast.iter_literal_variables(true, false).any(|(constant, _, _)| constant == name) {
            return limit(&format!("`{name}` is too large to be asked for as `global::{name}`"));
        }
        if let Some((alias, _)) = name.split_once("::") {
            let modules = self.shelf.borrow();
            let module = self.imports().into_iter().find(|(_, own, _)| own == alias);
            let module = module.and_then(|(path, _, _)| modules.get(library::named(&path)));
            let all: Vec<String> =
                module.iter().flat_map(|module| module.iter_var().map(|(own, _)| format!("{alias}::{own}"))).collect();
            let near = words::near(name, all.iter().map(String::as_str));
            return Fault::UnknownConstant { name: name.to_owned(), near, all };
        }
        unknown_variable(&self.source.text, name)
    }
}

/// Properties a script asks of something, as far as its text shows: engines find a named getter faster than they find
/// that there is none.
pub(super) fn properties(text: &str) -> Vec<String> {
    let Some(pattern) = PROPERTIES.as_ref() else { return Vec::new() };
    let mut names: Vec<String> = pattern.captures_iter(text).map(|found| found[1].to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A function with an argument that is called as a constant is, and that name.
fn shadowed(ast: &AST, constants: &Scope<'_>) -> Option<(String, String)> {
    ast.iter_functions().find_map(|function| {
        let name = function.params.iter().find(|name| constants.contains(name))?;
        Some((function.name.to_owned(), (*name).to_owned()))
    })
}

/// Where a call has more arguments than one may have.
fn crowded_call(ast: &AST) -> Option<Position> {
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let Some(
            ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))
            | ASTNode::Stmt(Stmt::FnCall(call, position)),
        ) = path.last()
        else {
            return true;
        };
        found = (call.args.len() > MAX_ARGUMENTS).then_some(*position);
        found.is_none()
    });
    found
}

fn unparsed(source: &Source, error: &ParseError) -> RuleError {
    let fault = match error.err_type() {
        ParseErrorType::VariableUndefined(name) => unknown_variable(&source.text, name),
        ParseErrorType::ExprTooDeep => limit("expressions are nested too deeply"),
        ParseErrorType::LiteralTooLarge(what, _) => Fault::TooMuch(too_large(what)),
        ParseErrorType::TooManyFunctions => limit("the script has too many functions"),
        other => Fault::Parse(lower_first(&short(&other.to_string()))),
    };
    RuleError::new(fault, source.place(error.position())).or_place(|| source.top())
}

fn unknown_variable(text: &str, name: &str) -> Fault {
    let declared = |word: &'static str| {
        let pattern = Regex::new(&format!(r"(?m)^\s*{word}\s+{}\b", regex::escape(name)));
        pattern.is_ok_and(|pattern| pattern.is_match(text)).then_some(word)
    };
    let declared = declared("let").or_else(|| declared("const"));
    let names = Regex::new(r"\bconst\s+([A-Za-z_]\w*)|[|,]\s*([A-Za-z_]\w*)\s*[|,]").ok();
    let names: Vec<String> = names
        .iter()
        .flat_map(|names| names.captures_iter(text))
        .filter_map(|found| found.get(1).or_else(|| found.get(2)))
        .map(|found| found.as_str().to_owned())
        .collect();
    let near = words::near(name, names.iter().map(String::as_str).filter(|it| *it != name));
    Fault::UnknownVariable { name: name.to_owned(), near, declared }
}

/// What is too large, for what the language calls it.
fn too_large(what: &str) -> String {
    let what = what.to_lowercase();
    if what.contains("string") {
        format!("a text is longer than {MAX_TEXT} bytes")
    } else if what.contains("map") {
        format!("a map has more than {MAX_MAP} entries, those of maps in it counted")
    } else {
        format!("a list has more than {MAX_LIST} items, those of lists in it counted")
    }
}

fn limit(what: &str) -> Fault {
    Fault::LimitExceeded(what.to_owned())
}

/// What a rule threw: text, or at least something to read.
fn thrown(value: &Dynamic) -> String {
    value.read_lock::<ImmutableString>().map_or_else(
        || if value.is_unit() { "no".to_owned() } else { type_name(value.type_name()) },
        |text| text.to_string(),
    )
}

fn short(text: &str) -> String {
    let mut cut: String = text.chars().take(300).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}

/// Messages follow a colon. A word in capitals stays.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// True for the name that the language gives a function which is written where it is handed over.
pub(super) fn is_unnamed(name: &str) -> bool {
    name.starts_with("anon$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { file: "rules/a.rhai".into(), text: text.into() }
    }

    #[test]
    fn a_place_counts_characters_and_marks_what_stands_there() {
        let source = source("// ü\n  let ü = \"ö\"; owner(\"usrname\", \"gitlab\");\n");
        let place = source.place(Position::new(2, 16)).unwrap();
        assert_eq!((place.span, place.origin.to_string()), (5, "rules/a.rhai:2:16".to_owned()));
        assert_eq!(&*place.origin.text, "let ü = \"ö\"; owner(\"usrname\", \"gitlab\");");
        let text = source.place_of_text(&place.origin, "usrname").unwrap();
        assert_eq!((text.span, text.origin.column), (9, 22));
        assert_eq!(source.place_of_text(&place.origin, "absent"), None);
        assert_eq!(source.place(Position::NONE), None);
    }

    #[test]
    fn a_comment_without_an_end_is_found_and_nothing_else_is_taken_for_one() {
        let place = |text: &str| source(text).open_comment().and_then(|error| error.origin().map(ToString::to_string));
        for sound in [
            "",
            "let x = 1; /* a /* b */ c */ let y = 2;",
            "// see /*",
            "// see /*\nlet x = 1; // and /*",
            "let x = \"/*\"; let y = \"\\\"/*\";",
            "let x = `/* ${ #{ a: `}/*` } } /*`;",
            "let x = #\"/*\"#; let y = ##\"\"#/*\"##;",
            "let x = '\"'; // /*",
            "let x = '\\''; // /*",
            "let x = `a``/*`;",
            "let x = \"open",
            "let x = \"open\n/* \"",
            "`${",
            "`",
            "/",
        ] {
            assert_eq!(place(sound), None, "{sound}");
        }
        for (open, at) in [
            ("/*", "1:1"),
            ("let x = 1; /* y", "1:12"),
            ("// /*\nlet ü = 1; /* a /* b */", "2:12"),
            ("let x = `${ /* }`;", "1:13"),
            ("let x = \"/*\"; /*/", "1:15"),
            ("/* a */ /* b", "1:9"),
        ] {
            assert_eq!(place(open), Some(format!("rules/a.rhai:{at}")), "{open}");
        }
    }

    #[test]
    fn a_key_is_found_bare_and_in_quotes() {
        let source = source(
            "source(\"hr\", |row| #{\n    key: row.email,\n    \"gitlab.note\" : row.email,\n    email: 1 });\n",
        );
        let from = source.place(Position::new(1, 1)).unwrap().origin;
        let at = |key: &str| source.place_of_key(&from, key).map(|it| (it.origin.line, it.origin.column, it.span));
        assert_eq!(at("key"), Some((2, 5, 3)));
        assert_eq!(at("gitlab.note"), Some((3, 5, 13)));
        assert_eq!(at("email"), Some((4, 5, 5)));
        assert_eq!(at("phone"), None);
    }

    #[test]
    fn the_keys_of_a_statement_are_read_past_texts_comments_and_brackets() {
        let source = source(
            "source(\"hr\", |row| { let x = pick(row, a); // { no: 1,\n #{ key: row[\"a\"], \"gitlab.note\": `}, z: 1`,\n\
             email: if row.ok { f(1, 2) } else { x::y }, /* , w: */ } });\nsource(\"b\", |row| #{ other: 1 });\n\
             fn read(row) { #{ key: row.id, phone: 1 } }",
        );
        let from = source.place(Position::new(1, 1)).unwrap().origin;
        assert_eq!(source.keys(&from), ["key", "gitlab.note", "email"]);
        assert_eq!(source.keys_of_function("read"), ["key", "phone"]);
        assert_eq!(source.keys_of_function("absent"), Vec::<String>::new());
    }

    #[test]
    fn the_properties_a_script_asks_for_are_found_in_its_text() {
        assert_eq!(properties("person.a?.b + row . c.lower() + \"x.y\""), ["a", "b", "c", "lower", "y"]);
    }
}
