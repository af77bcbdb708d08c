//! The modules that scripts may import: files under `rules/lib`, read before any script runs.
//!
//! A module gives constants and plain functions. It declares nothing, and there is no way from an import to a file: what
//! was not read beforehand is not there.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use rhai::{ASTNode, Engine, EvalAltResult, Expr, Module, ModuleResolver, Position, Scope, Shared, Stmt};

use super::{
    fault::{Fault, RuleError},
    script::{Script, Source},
    words::near,
};

/// Modules by the name scripts import them by.
pub(super) type Shelf = Rc<RefCell<BTreeMap<String, Shared<Module>>>>;

/// Finds modules on the shelf and nowhere else.
pub(super) struct Librarian(pub(super) Shelf);

impl ModuleResolver for Librarian {
    fn resolve(
        &self,
        _: &Engine,
        _: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let found = self.0.borrow().get(named(path)).cloned();
        found.ok_or_else(|| Box::new(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position)))
    }
}

/// The name of a module, however it is written.
pub(super) fn named(path: &str) -> &str {
    path.strip_prefix("lib/").unwrap_or(path)
}

/// The fault of importing what is not there.
pub(super) fn unknown(shelf: &Shelf, path: &str) -> Fault {
    let all: Vec<String> = shelf.borrow().keys().cloned().collect();
    Fault::UnknownModule { name: path.to_owned(), near: near(named(path), all.iter().map(String::as_str)), all }
}

/// What a script imports at its top level, and under which names.
pub(super) fn imports(ast: &rhai::AST) -> Vec<(String, String, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, position))) = path.last()
            && let Expr::StringConstant(module, ..) = &import.0
        {
            found.push((module.to_string(), import.1.name.to_string(), *position));
        }
        true
    });
    found
}

/// Compiles all modules and puts them on the shelf. `engine` makes an engine for one of them; those that can be read are
/// kept.
pub(super) fn fill(
    shelf: &Shelf,
    sources: &BTreeMap<String, Source>,
    engine: &dyn Fn(&Source) -> Result<Script, RuleError>,
    kept: &mut BTreeMap<String, Script>,
) -> Vec<RuleError> {
    let mut errors = Vec::new();
    let mut waiting: BTreeMap<&str, (Script, Vec<String>)> = BTreeMap::new();
    for (name, source) in sources {
        match engine(source) {
            Ok(script) => {
                let needs = script.imports().into_iter().map(|(path, _, _)| named(&path).to_owned());
                waiting.insert(name, (script, needs.collect()));
            }
            Err(error) => errors.push(error),
        }
    }
    // A module comes after those it imports.
    loop {
        let ready = waiting.iter().find(|(_, (_, needs))| needs.iter().all(|it| !waiting.contains_key(it.as_str())));
        let Some(name) = ready.map(|(name, _)| *name) else { break };
        let Some((script, _)) = waiting.remove(name) else { break };
        match script.module() {
            Ok(module) => {
                shelf.borrow_mut().insert(name.to_owned(), module);
            }
            Err(error) => errors.push(error),
        }
        kept.insert(name.to_owned(), script);
    }
    let circle = waiting.into_iter().map(|(name, (script, _))| {
        let place = script.imports().first().and_then(|(_, _, position)| script.source.place(*position));
        RuleError::new(Fault::ModuleCycle { name: name.to_owned() }, place)
    });
    errors.extend(circle);
    errors
}

/// A module with the constants and functions of a script.
pub(super) fn module(engine: &Engine, ast: &rhai::AST) -> Result<Module, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    engine.run_ast_with_scope(&mut scope, ast)?;
    let mut module = Module::eval_ast_as_new(Scope::new(), ast, engine)?;
    for (name, constant, value) in scope.iter() {
        if constant {
            module.set_var(name, value);
        }
    }
    module.build_index();
    Ok(module)
}
