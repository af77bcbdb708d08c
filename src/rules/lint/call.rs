//! Calls with arguments that are written out: comparisons, and the words whose arguments are names.

use rhai::{Expr, FnCallExpr, Position};

use crate::model::{capability::Takes, id::SystemName};

use super::{
    super::{
        fault::{Fault, RuleError},
        known::KnownSystem,
        script::is_unnamed,
        text,
        words::{self, near},
    },
    Finding,
    body::{Examiner, Reading, Unit, is_constant, mean, position},
    shape::{Link, links, path, shape, start},
    thing::{Compared, Entry, Thing},
};

impl<'a> Examiner<'a> {
    /// Whether there is a function of this name, and with so many arguments.
    pub(super) fn exists(&self, on: &Reading<'_>, there: &Unit<'_>, name: &str, arguments: usize, position: Position) {
        let mut takes = there.bodies.keys().filter(|(own, _)| own == name).map(|(_, takes)| *takes).peekable();
        let is_module = !std::ptr::eq(there, on.unit);
        if takes.peek().is_some() {
            if takes.all(|takes| takes != arguments) {
                let message = format!("`{name}` does not take {}", counted(arguments));
                self.report(on.unit, "wrong_arguments", position, message, None);
            }
            return;
        }
        if !is_module && (words::signature(name).is_some() || self.brought.contains(name) || on.vars.contains_key(name))
        {
            return;
        }
        let mut all: Vec<&str> =
            there.bodies.keys().map(|(own, _)| own.as_str()).filter(|own| !is_unnamed(own)).collect();
        if !is_module {
            all.extend(words::names().map(|word| -> &str { word }));
        }
        let near = near(name, all);
        // What a module has is not known by the words of the rules.
        let hint = near.as_deref().map(mean);
        let wrong = RuleError::new(Fault::UnknownFunction { name: name.to_owned(), near }, None);
        let hint = if is_module { hint } else { wrong.hint() };
        self.report(on.unit, wrong.code(), position, wrong.to_string(), hint);
    }

    /// Whether a word is given as many arguments as it takes; what stands before its dot is one of them.
    pub(super) fn fits(&self, on: &Reading<'_>, word: &str, given: usize, position: Position) {
        // What is loaded was run, and a variable of this name may hold a function.
        let Some(takes) = self.arities.get(word).filter(|_| !on.is_loading && !on.vars.contains_key(word)) else {
            return;
        };
        if !takes.contains(&given) {
            let hint = words::signature(word).map(|signature| format!("`{word}` takes {signature}"));
            let message = format!("`{word}` is given {}", counted(given));
            self.report(on.unit, "wrong_arguments", position, message, hint);
        }
    }

    pub(super) fn operator(&self, on: &mut Reading<'_>, call: &FnCallExpr, position: Position) -> Thing {
        let arguments = call.args.as_slice();
        match (call.name.as_str(), arguments) {
            (name @ ("==" | "!="), [left, right]) => {
                let (one, other) = (self.expr(on, left), self.expr(on, right));
                let negated = name == "!=";
                match one.compared(&other, self.known) {
                    Compared::Always(same) => Thing::Is(same != negated),
                    Compared::Never(why, near) => {
                        let at = if is_constant(left) { left } else { right };
                        let message = format!("this is always {negated}: {why}");
                        self.report(on.unit, "cannot_be", start(at), message, near.map(|near| mean(&near)));
                        Thing::Truth
                    }
                    Compared::Unknown => match (shape(left), shape(right)) {
                        (Some(a), Some(b)) if a == b => Thing::Is(!negated),
                        _ => Thing::Truth,
                    },
                }
            }
            ("!", [one]) => {
                let thing = self.expr(on, one);
                self.must_be_known(on, one, &thing, "`!` takes true or false");
                if let Thing::Is(truth) = thing { Thing::Is(!truth) } else { Thing::Truth }
            }
            ("contains", [many, one]) => {
                self.expr(on, many);
                let thing = self.expr(on, one);
                self.contains(on, Some(many), Some(&thing));
                Thing::Truth
            }
            (name @ ("<" | "<=" | ">" | ">="), [left, right]) => match (self.expr(on, left), self.expr(on, right)) {
                (Thing::Count(a), Thing::Count(b)) => Thing::Is(match name {
                    "<" => a < b,
                    "<=" => a <= b,
                    ">" => a > b,
                    _ => a >= b,
                }),
                // Of a text and a number neither comes first, and the language says so by `false`.
                (one, other) => {
                    let is_number = |thing: &Thing| matches!(thing, Thing::Number | Thing::Count(_));
                    if one.is_text() && is_number(&other) || is_number(&one) && other.is_text() {
                        let at = if is_constant(left) { left } else { right };
                        let message = "this is always false: text is neither more nor less than a number".to_owned();
                        self.report(on.unit, "cannot_be", start(at), message, None);
                    }
                    Thing::Truth
                }
            },
            _ => {
                let things: Vec<Thing> = arguments.iter().map(|it| self.expr(on, it)).collect();
                let _ = position;
                match call.name.as_str() {
                    "+" if things.iter().any(Thing::is_text) => Thing::Text,
                    "-" | "*" | "/" | "%" if things.iter().all(|it| matches!(it, Thing::Number | Thing::Count(_))) => {
                        Thing::Number
                    }
                    _ => Thing::Anything,
                }
            }
        }
    }

    /// Tells of a value that is taken for true or false and may be `()`, without a question whether it is.
    pub(super) fn must_be_known(&self, on: &Reading<'_>, one: &Expr, thing: &Thing, taken_by: &str) {
        let (root, chain) = links(one);
        let (Some(path), Some(asked_after)) = (path(root, &chain), &on.asked_after) else { return };
        let is_asked = path.rsplit('.').next().is_some_and(|name| asked_after.contains(name));
        if is_asked || thing.parts().len() < 2 || !thing.parts().contains(&Thing::Nothing) {
            return;
        }
        // What an account that is there shows is mostly known; one that may not be there is told of by itself.
        let is_system = |link: &Link<'_>| matches!(link, Link::Property(name, _) if self.known.systems.contains_key(&SystemName::from(*name)));
        if chain.iter().all(|(link, questioned)| !questioned && !is_system(link)) || chain.iter().any(|(_, it)| *it) {
            let message = format!("`{path}` is `()` where nothing is known of it, and the rule fails: {taken_by}");
            let hint = format!("write `{path} == true` or `{path} == false`: neither is so of `()`");
            self.report(on.unit, "may_be_missing", start(one), message, Some(hint));
        }
    }

    /// `x in ["a", "b"]`: what of the list `x` can never be.
    pub(super) fn contains(&self, on: &mut Reading<'_>, many: Option<&Expr>, one: Option<&Thing>) {
        let (Some(Expr::Array(items, _)), Some(one)) = (many, one) else { return };
        for item in items {
            let thing = self.expr(on, item);
            if let Compared::Never(why, near) = one.compared(&thing, self.known) {
                self.report(
                    on.unit,
                    "cannot_be",
                    start(item),
                    format!("this is never it: {why}"),
                    near.map(|it| mean(&it)),
                );
            }
        }
    }

    /// The cases of a `switch`. The tree keeps digests of them only; the text still has them.
    pub(super) fn cases(&self, on: &Reading<'_>, subject: &Expr, thing: &Thing) {
        let Some(from) = on.unit.script.source.place(start(subject)) else { return };
        for (text, place) in on.unit.script.source.cases(&from.origin) {
            if let Compared::Never(why, near) = thing.compared(&Thing::Said(text), self.known) {
                let message = format!("this case is never taken: {why}");
                self.put(Finding { hint: near.map(|it| mean(&it)), ..Finding::new("cannot_be", message, Some(place)) });
            }
        }
    }

    /// What is written out for a word that takes no text whatever: how a date is written, what is to be matched. Where it is
    /// wrong, every row that gets there is rejected.
    pub(super) fn written(&self, on: &Reading<'_>, word: &str, argument: Option<(&Expr, &Thing)>) {
        // What is loaded was run.
        let Some((at, Thing::Said(text))) = argument.filter(|_| !on.is_loading) else { return };
        let fault = match word {
            "date" | "date_or_empty" => text::bad_format(text),
            "matches" | "capture" => text::compile(text).err(),
            _ => None,
        };
        if let (Some(fault), Some(place)) = (fault, on.unit.script.source.place(start(at))) {
            self.put(Finding::from(&RuleError::new(fault, Some(place))));
        }
    }

    pub(super) fn to(&self, on: &mut Reading<'_>, arguments: &[Expr]) {
        let [systems] = arguments else { return };
        let systems: &[Expr] = match systems {
            Expr::Array(items, _) => items,
            one => std::slice::from_ref(one),
        };
        for one in systems {
            let Thing::Said(name) = self.expr(on, one) else { continue };
            let system = SystemName::from(name.as_str());
            let Some(known) = self.system(on, &name, one) else { continue };
            if let Some(attribute) = on.about.clone()
                && known.is_provider
                && !known.holds(&system, &attribute)
            {
                let message = format!("`{attribute}` is sent to {system}, which has no such attribute");
                self.report(on.unit, "not_held", start(one), message, None);
            }
        }
    }

    pub(super) fn system(&self, on: &Reading<'_>, name: &str, at: &Expr) -> Option<&'a KnownSystem> {
        let found = self.known.systems.get(&SystemName::from(name));
        if found.is_none() {
            let wrong = RuleError::new(self.known.unknown_system(name), None);
            self.report(on.unit, wrong.code(), start(at), wrong.to_string(), wrong.hint());
        }
        found
    }

    /// The arguments of `plan.count`.
    pub(super) fn count(&self, on: &Reading<'_>, arguments: &[Expr], things: &[Thing]) {
        if let (Some(Thing::Said(name)), Some(at)) = (things.first(), arguments.first()) {
            self.system(on, name, at);
        }
        if let (Some(Thing::Said(name)), Some(at)) = (things.get(1), arguments.get(1))
            && self.known.attribute(name).is_none()
        {
            let hint = self.known.near_attribute(name).map(|near| mean(&near));
            self.report(on.unit, "unknown_attribute", start(at), format!("unknown attribute `{name}`"), hint);
        }
    }

    pub(super) fn perform(&self, on: &Reading<'_>, arguments: &[Expr], things: &[Thing]) {
        let (Some(Thing::Said(name)), Some(at)) = (things.first(), arguments.first()) else { return };
        let Some(system) = self.system(on, name, at) else { return };
        if !system.is_provider {
            self.report(on.unit, "wrong_role", start(at), format!("`{name}` is not a provider"), None);
            return;
        }
        let (Some(Thing::Said(operation)), Some(at)) = (things.get(1), arguments.get(1)) else { return };
        let Some(table) = system.operations.iter().find(|it| it.name == operation) else {
            let hint = near(operation, system.operations.iter().map(|it| it.name)).map(|near| mean(&near));
            let message = format!("`{name}` has no operation `{operation}`");
            self.report(on.unit, "unknown_operation", start(at), message, hint);
            return;
        };
        let entries: &[Entry] = match things.get(2) {
            None => &[],
            Some(Thing::Map(_, entries)) => entries,
            Some(_) => return,
        };
        for entry in entries {
            let position = position(&entry.at);
            let Some(argument) = table.arguments.iter().find(|it| it.name == entry.key) else {
                let hint = near(&entry.key, table.arguments.iter().map(|it| it.name)).map(|near| mean(&near));
                let message = format!("`{operation}` takes no `{}`", entry.key);
                self.report(on.unit, "unknown_argument", position, message, hint);
                continue;
            };
            if let (Takes::OneOf(words), Thing::Said(word)) = (argument.takes, &entry.value)
                && !words.contains(&word.as_str())
            {
                let message = format!("`{}` of `{operation}` cannot be `{word}`", entry.key);
                let hint = near(word, words.iter().copied()).map_or_else(|| words.join(", "), |near| mean(&near));
                self.report(on.unit, "wrong_type", position, message, Some(hint));
            }
        }
        for missing in
            table.arguments.iter().filter(|it| it.required && entries.iter().all(|entry| entry.key != it.name))
        {
            let message = format!("`{operation}` needs `{}`", missing.name);
            self.report(on.unit, "missing_argument", start(at), message, None);
        }
    }
}

/// So many arguments, as a message says it.
fn counted(arguments: usize) -> String {
    match arguments {
        0 => "no arguments".to_owned(),
        1 => "one argument".to_owned(),
        more => format!("{more} arguments"),
    }
}
