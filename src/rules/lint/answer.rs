//! What the functions of declarations answer, held against what their words ask for.

use std::collections::{BTreeMap, BTreeSet};

use rhai::Position;

use crate::model::{attribute::AttributeName, id::SystemName, policy::RangeLine};

use super::{
    super::{
        fault::Place,
        known::Known,
        vocabulary::{Declared, Function},
        words::{MEANT_AS_KEY, near},
    },
    Finding, Speech,
    body::{Answer, Examiner, mean},
    thing::{Entry, Spot, Thing},
    whole_line,
};

/// Looks at every function that was handed over, and tells what each source speaks of.
pub(super) fn look(
    examiner: &Examiner<'_>,
    declared: &Declared,
    known: &Known,
    ranges: &BTreeMap<AttributeName, RangeLine>,
    sound: bool,
) -> BTreeMap<SystemName, Speech> {
    let mut speech = BTreeMap::new();
    let mut looked = BTreeSet::new();
    for owner in &declared.owners {
        if let Some(function) = &owner.condition {
            looked.insert((function.script, function.name.to_string()));
            condition(examiner, "owner", function, &owner.place);
        }
    }
    for account in declared.accounts.values() {
        if let Some(function) = &account.condition {
            looked.insert((function.script, function.name.to_string()));
            condition(examiner, "account", function, &account.place);
        }
    }
    for (source, line) in &declared.sources {
        looked.insert((line.function.script, line.function.name.to_string()));
        let said = statement(examiner, source, &line.function, &line.place, known, ranges, sound);
        speech.insert(source.clone(), said);
    }
    let hooks = declared.routes.iter().map(|line| ("route", line, vec![Thing::Change]));
    let refusals = declared.refusals.iter().map(|(_, line)| ("refused", line, vec![Thing::Change, Thing::Refusal]));
    let guards = declared.guards.iter().map(|line| ("guard", line, vec![Thing::Plan]));
    for (word, line, arguments) in hooks.chain(refusals).chain(guards) {
        looked.insert((line.function.script, line.function.name.to_string()));
        action(examiner, word, &line.function, &line.place, arguments);
    }
    // A line that was refused has a function all the same.
    for (function, word, _, _) in &declared.functions {
        if looked.contains(&(function.script, function.name.to_string())) {
            continue;
        }
        let arguments = match *word {
            "owner" | "account" => vec![Thing::Person],
            "route" => vec![Thing::Change],
            "refused" => vec![Thing::Change, Thing::Refusal],
            "guard" => vec![Thing::Plan],
            "source" => vec![Thing::Row(SystemName::from(""))],
            _ => vec![],
        };
        examiner.answers(function.script, &function.name, arguments);
    }
    speech
}

/// `None` where the function takes something else: that is told when rules are loaded.
fn answers(examiner: &Examiner<'_>, function: &Function, arguments: Vec<Thing>) -> Option<Vec<Answer>> {
    examiner.answers(function.script, &function.name, arguments)
}

/// Takes down what is wrong at a place: the code, the place, the message, what to do.
type Report<'r> = dyn Fn(&'static str, &Spot, String, Option<String>) + 'r;

/// Reports at the place of an answer, or at the line where it has none.
fn tell(
    examiner: &Examiner<'_>,
    code: &'static str,
    at: Option<&Spot>,
    line: &Place,
    message: String,
    hint: Option<String>,
) {
    let place = at.and_then(|(file, row, column)| {
        let unit = examiner.units.iter().find(|unit| unit.file() == file)?;
        let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        unit.script.source.place(Position::new(number(*row).max(1), number(*column)))
    });
    let place = place.unwrap_or_else(|| whole_line(line.clone()));
    examiner.put(Finding { hint, ..Finding::new(code, message, Some(place)) });
}

fn condition(examiner: &Examiner<'_>, word: &str, function: &Function, line: &Place) {
    let told = examiner.told();
    let Some(answers) = answers(examiner, function, vec![Thing::Person]) else { return };
    for answer in &answers {
        for part in answer.thing.parts() {
            let fits = part.is_truth() || matches!(part, Thing::Nothing | Thing::Anything);
            if let Some(called) = part.called().filter(|_| !fits) {
                // A fact may be either: what the table does not tell, the comparison does.
                let either = answer.thing.parts().iter().any(super::thing::Thing::is_truth);
                let is = if either { "may be" } else { "is" };
                let message = format!("the condition of `{word}` must be true or false, but this {is} {called}");
                let compare = if either {
                    "compare it: `== \"…\"`, or `== true` where it is a yes or no"
                } else {
                    "compare it: `== \"…\"`"
                };
                let hint = Some(compare.to_owned());
                tell(examiner, "wrong_type", answer.at.as_ref(), line, message, hint);
            }
        }
    }
    let all = Thing::one_of(answers.iter().map(|answer| answer.thing.clone()));
    let at = answers.first().and_then(|answer| answer.at.as_ref());
    match all {
        Thing::Is(true) => tell(examiner, "always_true", at, line, "this is always true".to_owned(), None),
        Thing::Is(false) => tell(examiner, "always_false", at, line, "this is always false".to_owned(), None),
        // What is wrong inside is told already, and why it answers nothing.
        Thing::Nothing if examiner.told() == told => {
            let message = format!("the condition of `{word}` never answers");
            tell(examiner, "never_answers", None, line, message, None);
        }
        _ => {}
    }
}

fn action(examiner: &Examiner<'_>, word: &str, function: &Function, line: &Place, arguments: Vec<Thing>) {
    let Some(answers) = answers(examiner, function, arguments) else { return };
    let mut acts = false;
    for answer in &answers {
        for part in answer.thing.parts() {
            match part {
                Thing::Action("to") if word == "guard" => {
                    let message = "a guard holds a plan or lets it pass; it sends nothing".to_owned();
                    tell(examiner, "wrong_type", answer.at.as_ref(), line, message, None);
                    acts = true;
                }
                // A guard that drops lets the plan pass.
                Thing::Action(action) => acts |= word != "guard" || *action == "hold",
                Thing::Anything => acts = true,
                Thing::Nothing => {}
                other => {
                    let called = other.called().unwrap_or("something else");
                    let message = format!(
                        "what `{word}` answers must be `to(…)`, `hold(…)`, `drop(…)` or (), but this is {called}"
                    );
                    tell(examiner, "wrong_type", answer.at.as_ref(), line, message, None);
                    acts = true;
                }
            }
        }
    }
    if !acts {
        let message = match word {
            "guard" => "this guard can hold nothing: no way through it ends in `hold(…)`".to_owned(),
            _ => format!(
                "this `{word}` line can decide nothing: no way through it ends in `to(…)`, `hold(…)` or `drop(…)`"
            ),
        };
        examiner.put(Finding::new("never_answers", message, Some(whole_line(line.clone()))));
    }
}

/// Whether a function answers whatever it is given.
pub(super) fn always_acts(examiner: &Examiner<'_>, function: &Function, arguments: Vec<Thing>) -> bool {
    let Some(answers) = answers(examiner, function, arguments) else { return false };
    !answers.is_empty()
        && answers.iter().all(|answer| answer.thing.parts().iter().all(|part| matches!(part, Thing::Action(_))))
}

fn statement(
    examiner: &Examiner<'_>,
    source: &SystemName,
    function: &Function,
    line: &Place,
    known: &Known,
    ranges: &BTreeMap<AttributeName, RangeLine>,
    sound: bool,
) -> Speech {
    let mut speech = Speech { whole: true, ..Speech::default() };
    let Some(answers) = answers(examiner, function, vec![Thing::Row(source.clone())]) else {
        return Speech::default();
    };
    let mut says = false;
    for answer in &answers {
        let parts = answer.thing.parts().iter().flat_map(|part| match part {
            Thing::List(items) => items.parts().to_vec(),
            one => vec![one.clone()],
        });
        for part in parts {
            match &part {
                Thing::Map(spot, entries) => {
                    says = true;
                    map(examiner, spot, entries, line, known, ranges, sound, &mut speech);
                }
                Thing::Performance => says = true,
                Thing::Nothing => {}
                Thing::Anything | Thing::SomeMap => (says, speech.whole) = (true, false),
                other => {
                    says = true;
                    let called = other.called().unwrap_or("something else");
                    let message = format!(
                        "what the function for `{source}` answers must be a map `#{{ key: … }}` or (), but this is {called}"
                    );
                    tell(examiner, "wrong_type", answer.at.as_ref(), line, message, None);
                }
            }
        }
    }
    if !says {
        let message = format!("no record of {source} ever says anything: no way through this function ends in a map");
        examiner.put(Finding::new("never_answers", message, Some(whole_line(line.clone()))));
    }
    speech
}

#[expect(clippy::too_many_arguments, reason = "one map of one source, and everything it is held against")]
fn map(
    examiner: &Examiner<'_>,
    spot: &Spot,
    entries: &[Entry],
    line: &Place,
    known: &Known,
    ranges: &BTreeMap<AttributeName, RangeLine>,
    sound: bool,
    speech: &mut Speech,
) {
    let report = |code, at: &Spot, message, hint| tell(examiner, code, Some(at), line, message, hint);
    let has_key = entries.iter().any(|entry| entry.key == "key");
    if !has_key {
        let hint = near("key", entries.iter().map(|entry| entry.key.as_str()))
            .map(|near| format!("is `{near}` meant to be `key`?"))
            .or_else(|| Some("write `key: …`, with the column that tells one person from the next".to_owned()));
        report("no_key", spot, "this map has no `key`, so nobody knows whom it is about".to_owned(), hint);
    }
    for entry in entries.iter().filter(|entry| entry.key != "key") {
        let Some(attribute) = known.attribute(&entry.key) else {
            let is_key = !has_key && MEANT_AS_KEY.contains(&&*entry.key.to_lowercase());
            let near = known.near_attribute(&entry.key).or_else(|| is_key.then(|| "key".to_owned()));
            let hint = near.map(|near| mean(&near));
            report("unknown_attribute", &entry.at, format!("unknown attribute `{}`", entry.key), hint);
            continue;
        };
        speech.attributes.insert(attribute.clone());
        if let Some(levels) = known.levels(&attribute) {
            let Some(range) = ranges.get(&attribute) else {
                if sound {
                    let message = format!("no `range` line says which members of `{attribute}` these rules may touch");
                    report("no_range", &entry.at, message, Some(format!("range(\"{attribute}\", [\"…\"]);")));
                }
                continue;
            };
            members(&report, entry, &attribute, levels, range, speech);
            continue;
        }
        let is_active = attribute.as_str() == "active";
        for part in entry.value.parts() {
            let fits = match part {
                Thing::Anything | Thing::Nothing | Thing::Word(_) => true,
                part if is_active => part.is_truth(),
                Thing::Clear | Thing::Number | Thing::Count(_) => true,
                part => part.is_text() || (part.is_truth() && attribute.system().is_some()),
            };
            if let Some(called) = part.called().filter(|_| !fits) {
                let wanted = if is_active { "true or false" } else { "text" };
                let message = format!("`{attribute}` must be {wanted}, but this is {called}");
                let hint = is_active.then(|| "compare it: `active: row.status == \"Active\"`".to_owned());
                report("wrong_type", &entry.at, message, hint);
            }
        }
    }
}

fn members(
    report: &Report<'_>,
    entry: &Entry,
    set: &AttributeName,
    levels: &[String],
    range: &RangeLine,
    speech: &mut Speech,
) {
    let said = speech.members.entry(set.clone()).or_default();
    let mut member = |name: &str, level: Option<&Thing>, at: &Spot| {
        said.0.insert(name.to_owned());
        if !range.members.contains(name) {
            let hint = near(name, range.members.iter().map(String::as_str)).map(|near| mean(&near));
            report("out_of_range", at, format!("`{name}` is not in the range of `{set}`"), hint);
        }
        if let Some(Thing::Said(level)) = level
            && !levels.contains(level)
        {
            let hint =
                near(level, levels.iter().map(String::as_str)).map_or_else(|| levels.join(", "), |near| mean(&near));
            report("unknown_level", at, format!("nobody can be `{level}` in `{set}`"), Some(hint));
        }
    };
    let mut open = false;
    for part in entry.value.parts() {
        match part {
            Thing::Map(_, entries) => {
                for one in entries {
                    member(&one.key, Some(&one.value), &one.at);
                }
            }
            Thing::List(items) => {
                for item in items.parts() {
                    match item {
                        Thing::Said(name) => member(name, None, &entry.at),
                        Thing::Nothing => {}
                        _ => open = true,
                    }
                }
            }
            Thing::Clear | Thing::Nothing => {}
            _ => open = true,
        }
    }
    said.1 |= open;
}
