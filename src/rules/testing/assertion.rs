//! What a test wants, and how it is told when it is not so.

use std::{fmt::Write, rc::Rc};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map};

use super::stage::{Stage, failed};
use crate::{
    model::{
        id::SystemName,
        plan::{Decision, PlannedChange},
    },
    rules::{
        change::{PlanView, shown},
        fault::{Failure, Fault, TRUTH, type_name},
        known::Known,
        sandbox::raise,
        vocabulary::Desk,
    },
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// How many lines of a plan a failure shows.
const LINES: usize = 12;

pub(super) fn register(engine: &mut Engine, stage: &Rc<Stage>, desk: &Desk) {
    let own = Rc::clone(stage);
    engine.register_fn("assert", move |holds: Dynamic| assert(&own, &holds, "this is not so"));
    let own = Rc::clone(stage);
    engine.register_fn("assert", move |holds: Dynamic, message: ImmutableString| assert(&own, &holds, &message));
    let own = Rc::clone(stage);
    engine.register_fn("assert_eq", move |left: Dynamic, right: Dynamic| -> Answer<()> {
        own.assert("assert_eq")?;
        if same(&left, &right) { Ok(()) } else { Err(compared(&own, "these are not equal", &left, &right)) }
    });
    let own = Rc::clone(stage);
    engine.register_fn("assert_ne", move |left: Dynamic, right: Dynamic| -> Answer<()> {
        own.assert("assert_ne")?;
        if same(&left, &right) { Err(compared(&own, "these are equal", &left, &right)) } else { Ok(()) }
    });
    let own = Rc::clone(stage);
    engine.register_fn("assert_nothing", move |plan: PlanView| -> Answer<()> {
        own.assert("assert_nothing")?;
        let quiet = lines(&plan).is_empty();
        if quiet { Ok(()) } else { Err(raise(failed("the plan does something", Some(&plan)))) }
    });
    let own = Rc::clone(stage);
    engine.register_fn("assert_because", move |plan: PlanView, rule: ImmutableString| -> Answer<()> {
        own.assert("assert_because")?;
        because(&plan, &rule).map_err(raise)
    });
    let own = Rc::clone(stage);
    engine.register_fn("assert_golden", move |plan: PlanView, name: ImmutableString| -> Answer<()> {
        own.assert("assert_golden")?;
        let found = own.goldens.borrow_mut().compare(&name, plan.plan());
        found.map_err(|(message, parts)| {
            let Some((left, right)) = parts else { return raise(failed(&message, None)) };
            let (left, right) = (Some(left), Some(right));
            raise(Fault::Failed(Box::new(Failure { message, left, right, plan: Vec::new() })))
        })
    });
    change(engine, desk);
}

/// The one change of an attribute, and what was decided of it.
fn change(engine: &mut Engine, desk: &Desk) {
    let known = || Rc::clone(&desk.known);
    let all = known();
    engine.register_fn("change", move |plan: PlanView, attribute: &str| one(&all, &plan, attribute, None, None));
    let all = known();
    engine.register_fn("change", move |plan: PlanView, attribute: &str, system: &str| {
        one(&all, &plan, attribute, Some(system), None)
    });
    let all = known();
    engine.register_fn("change", move |plan: PlanView, attribute: &str, system: &str, key: &str| {
        one(&all, &plan, attribute, Some(system), Some(key))
    });
    let all = known();
    engine.register_fn("decided", move |plan: PlanView, attribute: &str| decision(&all, &plan, attribute, None, None));
    let all = known();
    engine.register_fn("decided", move |plan: PlanView, attribute: &str, system: &str| {
        decision(&all, &plan, attribute, Some(system), None)
    });
    let all = known();
    engine.register_fn("decided", move |plan: PlanView, attribute: &str, system: &str, key: &str| {
        decision(&all, &plan, attribute, Some(system), Some(key))
    });
}

fn assert(stage: &Stage, holds: &Dynamic, message: &str) -> Answer<()> {
    stage.assert("assert")?;
    match holds.as_bool() {
        Ok(true) => Ok(()),
        Ok(false) => Err(raise(failed(message, stage.last().as_ref()))),
        Err(_) => {
            let (what, got) = ("what `assert` is given".to_owned(), type_name(holds.type_name()));
            Err(raise(Fault::WrongType { what, wanted: TRUTH.to_owned(), got }))
        }
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "the language hands its errors on in boxes")]
fn compared(stage: &Stage, message: &str, left: &Dynamic, right: &Dynamic) -> Box<EvalAltResult> {
    let plan = stage.last().as_ref().map(short).unwrap_or_default();
    let (left, right) = (Some(told(left)), Some(told(right)));
    raise(Fault::Failed(Box::new(Failure { message: message.to_owned(), left, right, plan })))
}

fn matching<'a>(
    plan: &'a PlanView,
    attribute: &str,
    system: Option<&str>,
    key: Option<&str>,
) -> impl Iterator<Item = &'a PlannedChange> {
    plan.plan().changes.iter().filter(move |change| {
        change.attribute.as_str() == attribute
            && system.is_none_or(|system| change.system.as_str() == system)
            && key.is_none_or(|key| *change.person.key == *key)
    })
}

/// The change a test means, or the fault of meaning several.
fn meant<'a>(
    known: &Known,
    plan: &'a PlanView,
    attribute: &str,
    system: Option<&str>,
    key: Option<&str>,
) -> Result<Option<&'a PlannedChange>, Fault> {
    let mut all = matching(plan, attribute, system, key);
    let first = all.next();
    if all.next().is_none() {
        // What is misspelt is no wrong plan.
        let is_attribute = first.is_some() || attribute.contains('[') || known.attribute(attribute).is_some();
        if let (false, near @ Some(_)) = (is_attribute, known.near_attribute(attribute)) {
            return Err(Fault::UnknownAttribute { name: attribute.to_owned(), near });
        }
        return match system.filter(|system| first.is_none() && !known.systems.contains_key(&SystemName::from(*system)))
        {
            Some(system) => Err(known.unknown_system(system)),
            None => Ok(first),
        };
    }
    let (of, more) = match (system, key) {
        (None, _) => (String::new(), "name the system as well"),
        (Some(system), None) => (format!(" at `{system}`"), "name the key of the record as well"),
        (Some(system), Some(key)) => (format!(" at `{system}` for `{key}`"), "look at `plan.changes`"),
    };
    Err(failed(&format!("there is more than one change of `{attribute}`{of}: {more}"), Some(plan)))
}

fn one(known: &Known, plan: &PlanView, attribute: &str, system: Option<&str>, key: Option<&str>) -> Answer<Dynamic> {
    let change = meant(known, plan, attribute, system, key).map_err(raise)?;
    let Some(change) = change else {
        let at = system.map(|system| format!(" at `{system}`")).unwrap_or_default();
        return Err(raise(failed(&format!("there is no change of `{attribute}`{at}"), Some(plan))));
    };
    let mut map = shown(change).try_cast::<Map>().unwrap_or_default();
    // What is left out of the document where it does not apply can be asked for all the same.
    for name in ["refusal", "belongs_to", "when", "side_effect"] {
        map.entry(name.into()).or_insert(Dynamic::UNIT);
    }
    Ok(Dynamic::from_map(map))
}

fn decision(
    known: &Known,
    plan: &PlanView,
    attribute: &str,
    system: Option<&str>,
    key: Option<&str>,
) -> Answer<Dynamic> {
    let change = meant(known, plan, attribute, system, key).map_err(raise)?;
    Ok(change.map_or(Dynamic::UNIT, |change| word(change.decision).into()))
}

/// That some decision was led to by the rule that stands there: `file`, `file:line` or `file:line:column`.
fn because(plan: &PlanView, rule: &str) -> Result<(), Fault> {
    let document = plan.plan();
    let of_changes = document.changes.iter().flat_map(|change| &change.because);
    let of_operations = document.operations.iter().flat_map(|operation| &operation.because);
    let mut rules: Vec<String> = of_changes.chain(of_operations).map(|because| because.rule.clone()).collect();
    rules.extend(plan.objections().iter().map(|objection| objection.origin.to_string()));
    rules.sort();
    rules.dedup();
    let fits = |there: &String| there.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    if rules.iter().any(fits) {
        return Ok(());
    }
    let all = if rules.is_empty() {
        "no line decided anything".to_owned()
    } else {
        format!("these did: {}", rules.join(", "))
    };
    Err(failed(&format!("`{rule}` decided nothing; {all}"), Some(plan)))
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Apply => "apply",
        Decision::Follow => "follow",
        Decision::Refuse => "refuse",
        Decision::Hold => "hold",
        Decision::Drop => "drop",
        Decision::Unchanged => "unchanged",
    }
}

/// A plan, one line for each thing it does or does not do.
pub(super) fn short(plan: &PlanView) -> Vec<String> {
    let mut all = lines(plan);
    if all.is_empty() {
        return vec!["nothing".to_owned()];
    }
    let more = all.len().saturating_sub(LINES);
    if more > 1 {
        all.truncate(LINES);
        all.push(format!("… and {more} more"));
    }
    all
}

fn lines(plan: &PlanView) -> Vec<String> {
    let document = plan.plan();
    let changes = document.changes.iter().filter(|change| change.decision != Decision::Unchanged).map(|change| {
        let (person, attribute, system) = (&change.person, &change.attribute, &change.system);
        let mut line = format!(
            "{person} {attribute} at {system}: {} → {}, {}",
            change.before,
            change.after,
            word(change.decision)
        );
        if matches!(change.decision, Decision::Refuse | Decision::Hold | Decision::Drop) {
            // Writing to a text cannot fail.
            let _ = write!(line, " ({})", change.reason);
        }
        line
    });
    let operations = document.operations.iter().map(|operation| {
        let (person, name, system) = (&operation.person, &operation.operation, &operation.system);
        format!("{person} {name} at {system}, {}", word(operation.decision))
    });
    let rejected = document.rejected.iter().map(|it| format!("{}:{} rejected: {}", it.file, it.line, it.reason));
    let objections = plan.objections().iter().map(|it| format!("guard {}: {}", it.origin, it.reason));
    changes.chain(operations).chain(rejected).chain(objections).collect()
}

/// Whether two values are the same, as far as they are values.
fn same(left: &Dynamic, right: &Dynamic) -> bool {
    if left.is_unit() || right.is_unit() {
        return left.is_unit() && right.is_unit();
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return left == right;
    }
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return left == right;
    }
    if let (Some(left), Some(right)) = (left.read_lock::<rhai::Array>(), right.read_lock::<rhai::Array>()) {
        return left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| same(left, right));
    }
    if let (Some(left), Some(right)) = (left.read_lock::<Map>(), right.read_lock::<Map>()) {
        let all = left.iter().zip(right.iter());
        return left.len() == right.len()
            && all.into_iter().all(|(left, right)| left.0 == right.0 && same(left.1, right.1));
    }
    letters(left).is_some_and(|left| letters(right).as_ref() == Some(&left))
}

fn letters(value: &Dynamic) -> Option<String> {
    let letter = value.as_char().ok().map(String::from);
    letter.or_else(|| value.read_lock::<ImmutableString>().map(|text| text.to_string()))
}

/// A value as a script would write it, cut where it is long.
fn told(value: &Dynamic) -> String {
    let mut text = String::new();
    tell(&mut text, value);
    if text.chars().count() > 400 {
        text = text.chars().take(399).chain(['…']).collect();
    }
    text
}

fn tell(text: &mut String, value: &Dynamic) {
    if text.len() > 2_000 {
        return;
    }
    if value.is_unit() {
        text.push_str("()");
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        text.push('[');
        for (at, item) in items.iter().enumerate() {
            text.push_str(if at > 0 { ", " } else { "" });
            tell(text, item);
        }
        text.push(']');
    } else if let Some(fields) = value.read_lock::<Map>() {
        text.push_str("#{ ");
        for (at, (name, field)) in fields.iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = write!(text, "{}{name}: ", if at > 0 { ", " } else { "" });
            tell(text, field);
        }
        text.push_str(" }");
    } else if let Some(letters) = letters(value) {
        // Writing to a text cannot fail.
        let _ = write!(text, "{letters:?}");
    } else if let Ok(number) = value.as_int() {
        text.push_str(&number.to_string());
    } else if let Ok(truth) = value.as_bool() {
        text.push_str(if truth { "true" } else { "false" });
    } else {
        text.push_str(&type_name(value.type_name()));
    }
}
