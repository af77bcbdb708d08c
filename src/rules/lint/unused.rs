//! What nothing uses: constants, functions, imports, modules.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTFlags, ASTNode, Expr, FnPtr, Position, Stmt};

use super::{
    super::script::is_unnamed,
    Finding,
    body::{Examiner, Unit},
};

/// A function or constant: the unit it stands in, and its name.
type Name = (usize, String);

/// What one part of a script names.
#[derive(Default)]
struct Named {
    names: BTreeSet<Name>,
    /// Names of imports.
    aliases: BTreeSet<String>,
}

/// Looks through all units. `others` are texts that are no rules but may import modules: tests.
pub(super) fn look(examiner: &Examiner<'_>, others: &[std::sync::Arc<str>]) {
    if examiner.modules.len() == examiner.units.len() {
        // No rules at all: there is nobody to use anything.
        return;
    }
    let mut used: BTreeSet<Name> = BTreeSet::new();
    let mut imported: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<Name> = Vec::new();
    let mut by_function: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for (at, unit) in examiner.units.iter().enumerate() {
        let mut aliases = BTreeSet::new();
        let mut top = Named::default();
        for statement in unit.script.ast().statements() {
            names(examiner, at, statement, &mut top);
        }
        aliases.append(&mut top.aliases);
        waiting.extend(top.names);
        for ((name, _), body) in &unit.bodies {
            let mut named = Named::default();
            for statement in &body.statements {
                names(examiner, at, statement, &mut named);
            }
            aliases.append(&mut named.aliases);
            by_function.entry((at, name.clone())).or_default().extend(named.names);
        }
        imported.extend(unit.imports.values().map(String::as_str));
        for (module, alias, position) in unit.script.imports() {
            if !aliases.contains(&alias) {
                let message = format!("`{module}` is imported as `{alias}`, and nothing of it is used");
                examiner.report(unit, "unused_import", position, message, None);
            }
        }
    }
    while let Some(name) = waiting.pop() {
        if used.insert(name.clone()) {
            waiting.extend(by_function.get(&name).into_iter().flatten().cloned());
        }
    }
    let elsewhere = |word: &str| others.iter().any(|text| text.contains(word));
    for (name, &at) in &examiner.modules {
        let unit = &examiner.units[at];
        if !imported.contains(name.as_str()) && !elsewhere(name) {
            let message = format!("nothing imports the module `{name}`");
            let hint = Some(format!("import \"{name}\" as {name};"));
            examiner.put(Finding { hint, ..Finding::new("unused_module", message, Some(unit.script.source.top())) });
        }
    }
    for (at, unit) in examiner.units.iter().enumerate() {
        // Of a module that nothing imports, nothing is used.
        let name = examiner.modules.iter().find(|(_, module)| **module == at).map(|(name, _)| name);
        if name.is_some_and(|name| !imported.contains(name.as_str())) {
            continue;
        }
        let told = |name: &str| used.contains(&(at, name.to_owned())) || elsewhere(name);
        for (name, _) in unit.bodies.keys().filter(|(name, _)| !is_unnamed(name) && !told(name)) {
            if let Some(place) = unit.script.source.place_of_function(name) {
                let message = format!("nothing calls the function `{name}`");
                examiner.put(Finding::new("unused_function", message, Some(place)));
            }
        }
        // In a module constants are put in place where they are used, so only its text still tells.
        let is_module = examiner.modules.values().any(|module| *module == at);
        let in_text = |name: &str| is_module && words(&unit.script.source.text, name) > 1;
        for (name, position) in constants(unit).filter(|(name, _)| !told(name) && !in_text(name)) {
            examiner.report(unit, "unused_constant", position, format!("nothing uses the constant `{name}`"), None);
        }
    }
}

/// How often a name stands in a text as a word of its own.
fn words(text: &str, name: &str) -> usize {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c: char| !is_part(c)).filter(|word| *word == name).count()
}

fn constants<'u>(unit: &'u Unit<'_>) -> impl Iterator<Item = (&'u str, Position)> {
    unit.script.ast().statements().iter().filter_map(|statement| match statement {
        Stmt::Var(var, flags, _) if flags.contains(ASTFlags::CONSTANT) => Some((var.0.name.as_str(), var.0.pos)),
        _ => None,
    })
}

/// What a statement names, functions that are written inside of it included.
fn names(examiner: &Examiner<'_>, at: usize, statement: &Stmt, named: &mut Named) {
    let unit = &examiner.units[at];
    let there = |alias: &str| {
        if alias == "global" {
            return Some(at);
        }
        unit.imports.get(alias).and_then(|module| examiner.modules.get(module)).copied()
    };
    statement.walk(&mut Vec::new(), &mut |path| {
        let call = match path.last() {
            Some(
                ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)),
            ) => Some(call),
            _ => None,
        };
        let (name, namespace) = match path.last() {
            Some(ASTNode::Expr(Expr::Variable(variable, _, _))) => (variable.1.to_string(), &variable.2),
            Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => {
                if let Some(function) = (**value).clone().try_cast::<FnPtr>() {
                    named.names.insert((at, function.fn_name().to_owned()));
                }
                return true;
            }
            _ => match call {
                Some(call) => (call.name.to_string(), &call.namespace),
                None => return true,
            },
        };
        match namespace.path.first() {
            None => {
                named.names.insert((at, name));
            }
            Some(alias) => {
                named.aliases.insert(alias.name.to_string());
                if let Some(there) = there(&alias.name) {
                    named.names.insert((there, name));
                }
            }
        }
        true
    });
}
