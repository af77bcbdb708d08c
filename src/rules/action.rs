//! What a rule may want done: the words that make such a wish, and the way back over the border.
//!
//! A wish is a value; nothing happens where it is made. What becomes of it is decided in the plan.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext};

use crate::model::{
    attribute::Value,
    capability::{Argument, OperationCapability, Takes},
    id::SystemName,
    origin::Origin,
    policy::Action,
};

use super::{
    fault::{Fault, NOTHING, Role, TRUTH, type_name},
    known::Known,
    sandbox::raise,
    vocabulary::Desk,
    words::near,
};

type Answer<T> = Result<T, Box<EvalAltResult>>;

/// What `perform(…)` returns: an operation that a record asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Performance {
    pub(super) system: SystemName,
    pub(super) operation: String,
    pub(super) arguments: BTreeMap<String, Value>,
    pub(super) of_account: bool,
    pub(super) origin: Origin,
}

/// Teaches an engine the words.
pub(super) fn register(engine: &mut Engine, desk: &Desk) {
    let known = desk.known.clone();
    engine.register_fn("to", move |systems: Dynamic| -> Answer<Dynamic> {
        to(&known, systems).map(Dynamic::from).map_err(raise)
    });
    engine.register_fn("hold", |reason: Dynamic| -> Answer<Dynamic> {
        reason_of("hold", reason).map(|reason| Dynamic::from(Action::Hold(reason))).map_err(raise)
    });
    engine.register_fn("drop", |reason: Dynamic| -> Answer<Dynamic> {
        reason_of("drop", reason).map(|reason| Dynamic::from(Action::Drop(reason))).map_err(raise)
    });
    let own = desk.clone();
    let perform = move |context: NativeCallContext<'_>, system: Dynamic, operation: Dynamic, arguments: Dynamic| {
        if own.open.get() {
            return Err(raise(Fault::Unheard { word: "perform" }));
        }
        let origin = own.place(&context).origin;
        performance(&own.known, system, operation, arguments, origin).map(Dynamic::from).map_err(raise)
    };
    let without = perform.clone();
    engine.register_fn("perform", move |context: NativeCallContext<'_>, system: Dynamic, operation: Dynamic| {
        let answer: Answer<Dynamic> = without(context, system, operation, rhai::Map::new().into());
        answer
    });
    engine.register_fn(
        "perform",
        move |context: NativeCallContext<'_>, system: Dynamic, operation: Dynamic, arguments: Dynamic| {
            let answer: Answer<Dynamic> = perform(context, system, operation, arguments);
            answer
        },
    );
}

fn to(known: &Known, systems: Dynamic) -> Result<Action, Fault> {
    let wanted = || "a system's name in quotes, or a list of them".to_owned();
    let wrong =
        |got: &str| Fault::WrongType { what: "what `to` is given".to_owned(), wanted: wanted(), got: got.into() };
    let got = type_name(systems.type_name());
    let items = if systems.is_array() { systems.into_array().unwrap_or_default() } else { vec![systems] };
    if items.is_empty() {
        return Err(wrong("an empty list"));
    }
    let mut names = Vec::new();
    for item in items {
        let name = item.into_immutable_string().map_err(|_| wrong(&got))?;
        let system = SystemName::from(name.as_str());
        if !known.systems.contains_key(&system) {
            return Err(known.unknown_system(&name));
        }
        if !names.contains(&system) {
            names.push(system);
        }
    }
    Ok(Action::To(names))
}

/// A reason is what somebody reads later: there has to be one.
fn reason_of(word: &str, reason: Dynamic) -> Result<String, Fault> {
    let got = type_name(reason.type_name());
    let wrong =
        |got| Fault::WrongType { what: format!("the reason of `{word}`"), wanted: "text in quotes".to_owned(), got };
    let reason = reason.into_immutable_string().map_err(|_| wrong(got))?;
    let reason = reason.trim();
    if reason.is_empty() { Err(wrong("blank".to_owned())) } else { Ok(reason.to_owned()) }
}

fn performance(
    known: &Known,
    system: Dynamic,
    operation: Dynamic,
    arguments: Dynamic,
    origin: Origin,
) -> Result<Performance, Fault> {
    let text = |value: Dynamic, what: &str| {
        let got = type_name(value.type_name());
        let wrong = Fault::WrongType { what: what.to_owned(), wanted: "text in quotes".to_owned(), got };
        value.into_immutable_string().map_err(|_| wrong)
    };
    let name = text(system, "the system of `perform`")?;
    let operation = text(operation, "the operation of `perform`")?;
    let system = SystemName::from(name.as_str());
    let Some(there) = known.systems.get(&system) else { return Err(known.unknown_system(&name)) };
    if !there.is_provider {
        return Err(Fault::WrongRole { system, role: Role::Provider });
    }
    let Some(table) = there.operations.iter().find(|it| it.name == operation.as_str()) else {
        let all: Vec<String> = there.operations.iter().map(|it| it.name.to_owned()).collect();
        let near = near(&operation, all.iter().map(String::as_str));
        return Err(Fault::UnknownOperation { system, name: operation.to_string(), near, all });
    };
    let got = type_name(arguments.type_name());
    let what = format!("what `{operation}` is given");
    let wrong = Fault::WrongType { what, wanted: "a map `#{ ... }`".to_owned(), got };
    let given = arguments.try_cast::<rhai::Map>().ok_or(wrong)?;
    let arguments = read_arguments(table, given)?;
    Ok(Performance { system, operation: operation.to_string(), arguments, of_account: table.of_account, origin })
}

fn read_arguments(table: &OperationCapability, given: rhai::Map) -> Result<BTreeMap<String, Value>, Fault> {
    let (mut arguments, mut empty) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in given {
        let Some(argument) = table.arguments.iter().find(|it| it.name == name.as_str()) else {
            let all: Vec<String> = table.arguments.iter().map(|it| it.name.to_owned()).collect();
            let near = near(&name, all.iter().map(String::as_str));
            return Err(Fault::UnknownArgument { operation: table.name, name: name.to_string(), near, all });
        };
        let value = read_argument(table, argument, value)?;
        if value.is_empty() {
            empty.insert(argument.name);
        } else {
            arguments.insert(name.to_string(), value);
        }
    }
    match table.arguments.iter().find(|it| it.required && !arguments.contains_key(it.name)) {
        Some(missing) => Err(Fault::MissingArgument {
            operation: table.name,
            name: missing.name,
            is_empty: empty.contains(missing.name),
        }),
        None => Ok(arguments),
    }
}

fn read_argument(table: &OperationCapability, argument: &Argument, value: Dynamic) -> Result<Value, Fault> {
    let got = type_name(value.type_name());
    let wrong = |wanted: String| Fault::WrongType {
        what: format!("`{}` of `{}`", argument.name, table.name),
        wanted,
        got: got.clone(),
    };
    if value.is_unit() {
        return Ok(Value::Empty);
    }
    if let Takes::Truth = argument.takes {
        return value.as_bool().map(Value::Bool).map_err(|_| wrong(TRUTH.to_owned()));
    }
    let text: ImmutableString = match value.as_int() {
        Ok(number) => number.to_string().into(),
        Err(_) => value.into_immutable_string().map_err(|_| wrong("text".to_owned()))?,
    };
    if let Takes::OneOf(words) = argument.takes
        && !words.contains(&text.as_str())
    {
        let all: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        return Err(Fault::WrongType {
            what: format!("`{}` of `{}`", argument.name, table.name),
            wanted: format!("one of {}", all.join(", ")),
            got: "another word".to_owned(),
        });
    }
    Ok(Value::text(&text))
}

/// How a `route`, `refused` or `guard` line answered.
pub(super) fn read(word: &str, returned: Dynamic) -> Result<Option<Action>, Fault> {
    if returned.is_unit() {
        return Ok(None);
    }
    let got = type_name(returned.type_name());
    match returned.try_cast::<Action>() {
        Some(action) => Ok(Some(action)),
        None => Err(Fault::WrongType {
            what: format!("what the function of `{word}` returns"),
            wanted: format!("`to(…)`, `hold(…)`, `drop(…)`, or {NOTHING}"),
            got,
        }),
    }
}
