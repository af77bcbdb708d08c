//! Lines side by side: those that an earlier one makes pointless.

use crate::model::attribute::AttributeName;

use super::{
    super::vocabulary::{Declared, HookLine, Owner},
    Finding,
    answer::always_acts,
    body::Examiner,
    shape::shape_of,
    thing::Thing,
    whole_line,
};

/// Looks at `owner`, `route` and `refused` lines.
pub(super) fn look(examiner: &Examiner<'_>, declared: &Declared) {
    for (at, line) in declared.owners.iter().enumerate() {
        for attribute in &line.line.attributes {
            let earlier = declared.owners[..at].iter().find(|other| decides_first(examiner, other, line, attribute));
            let Some(first) = earlier else { continue };
            let why = if first.line.conditional { "one with the same condition" } else { "one without condition" };
            let message = format!("this line never decides `{attribute}`: an earlier line, {why}, does");
            examiner.put(Finding {
                related: Some((whole_line(first.place.clone()), "decides first".to_owned())),
                ..Finding::new("unreachable_owner", message, Some(whole_line(line.place.clone())))
            });
        }
    }
    let routes: Vec<&HookLine> = declared.routes.iter().collect();
    hooks(examiner, "route", &routes, &[Thing::Change]);
    for (at, (system, _)) in declared.refusals.iter().enumerate() {
        let of_system = |(other, _): &&(_, _)| other == system;
        if declared.refusals[..at].iter().any(|it| of_system(&it)) {
            continue;
        }
        let lines: Vec<&HookLine> = declared.refusals.iter().filter(of_system).map(|(_, line)| line).collect();
        hooks(examiner, "refused", &lines, &[Thing::Change, Thing::Refusal]);
    }
}

fn decides_first(examiner: &Examiner<'_>, first: &Owner, line: &Owner, attribute: &AttributeName) -> bool {
    if !first.line.attributes.contains(attribute) {
        return false;
    }
    let condition = |owner: &Owner| {
        let function = owner.condition.as_ref()?;
        let body = examiner.units[function.script].bodies.get(&(function.name.to_string(), 1))?;
        // The name of the argument is the writer's.
        let shape = shape_of(&body.statements)?;
        Some((body.params.first()?.clone(), shape))
    };
    match (&first.condition, &line.condition) {
        (None, Some(_)) => true,
        (Some(a), Some(b)) if a.script == b.script && a.name == b.name => true,
        (Some(_), Some(_)) => condition(first).is_some() && condition(first) == condition(line),
        _ => false,
    }
}

fn hooks(examiner: &Examiner<'_>, word: &str, lines: &[&HookLine], arguments: &[Thing]) {
    let Some(first) = lines.iter().position(|line| always_acts(examiner, &line.function, arguments.to_vec())) else {
        return;
    };
    for line in &lines[first + 1..] {
        examiner.put(Finding {
            related: Some((whole_line(lines[first].place.clone()), "always answers".to_owned())),
            ..Finding::new(
                "unreachable_hook",
                format!("this `{word}` line is never asked: an earlier one always answers"),
                Some(whole_line(line.place.clone())),
            )
        });
    }
}
