//! What PATCH does to a resource (RFC 7644 3.5.2). The whole request is carried out or nothing of it: whoever calls hands
//! over a copy.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    fault::Fault,
    filter::{self, Filter, Scope},
    schema::{Attribute, Form, Mutability, Place, Shape, field},
    validity,
};

pub(super) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What one operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Add,
    Replace,
    Remove,
}

/// Carries out every operation of a request.
pub(super) fn apply(shape: &Shape, resource: &mut Map<String, Value>, sent: &Value) -> Result<(), Fault> {
    let syntax = |detail: &str| Fault::bad("invalidSyntax", detail);
    let sent = sent.as_object().ok_or_else(|| syntax("The request is a JSON object."))?;
    let schemas = field(sent, "schemas").and_then(Value::as_array);
    let is_patch = |one: &Value| one.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH));
    if !schemas.is_some_and(|schemas| schemas.iter().any(is_patch)) {
        return Err(syntax("`schemas` must name the schema of a PATCH request."));
    }
    let operations = field(sent, "Operations").and_then(Value::as_array).filter(|all| !all.is_empty());
    for operation in operations.ok_or_else(|| syntax("`Operations` is a list with something in it."))? {
        let operation = operation.as_object().ok_or_else(|| syntax("An operation is an object."))?;
        let deed = match field(operation, "op").and_then(Value::as_str).unwrap_or_default().to_lowercase().as_str() {
            "add" => Deed::Add,
            "replace" => Deed::Replace,
            "remove" => Deed::Remove,
            _ => return Err(syntax("`op` is add, replace or remove.")),
        };
        let value = field(operation, "value");
        if deed != Deed::Remove && value.is_none() {
            return Err(Fault::bad("invalidValue", "The operation needs a `value`."));
        }
        match field(operation, "path") {
            None | Some(Value::Null) => whole(shape, resource, deed, value)?,
            Some(Value::String(path)) => one(shape, resource, deed, path, value)?,
            Some(_) => return Err(Fault::bad("invalidPath", "`path` is a text.")),
        }
    }
    Ok(())
}

/// An operation without a path: its value holds attributes by name.
fn whole(shape: &Shape, resource: &mut Map<String, Value>, deed: Deed, value: Option<&Value>) -> Result<(), Fault> {
    if deed == Deed::Remove {
        return Err(Fault::bad("noTarget", "A removal needs a `path`."));
    }
    let wrong = || Fault::bad("invalidValue", "Without a `path` the value is an object with attributes.");
    for (name, value) in value.and_then(Value::as_object).ok_or_else(wrong)? {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        one(shape, resource, deed, name, Some(value))?;
    }
    Ok(())
}

/// An operation with a path.
fn one(
    shape: &Shape,
    resource: &mut Map<String, Value>,
    deed: Deed,
    path: &str,
    value: Option<&Value>,
) -> Result<(), Fault> {
    // A URN alone is a path too, and holds what no word of a filter does: more than one colon and a number.
    let whole = shape.kind.extension().filter(|urn| path.eq_ignore_ascii_case(urn));
    if let Some(urn) = whole {
        return extension(shape, resource, deed, urn, value);
    }
    let path = filter::read_path(path)?;
    let named = match &path.sub {
        Some(sub) => format!("{}.{sub}", path.attribute),
        None => path.attribute.clone(),
    };
    let unknown = || Fault::bad("invalidPath", "The path leads to nothing that is known.");
    let place = shape.place(&named).ok_or_else(unknown)?;
    let attribute = place.attribute.ok_or_else(unknown)?;
    if path.filter.is_some() && !(attribute.many && attribute.form == Form::Complex) {
        return Err(Fault::bad("invalidPath", "A filter stands behind a list of complex values."));
    }
    let removes = deed == Deed::Remove || value.is_some_and(is_nothing);
    permitted(&place, attribute, removes)?;
    if removes && attribute.name == "userName" {
        return Err(Fault::bad("mutability", "userName is required."));
    }
    let deed = if removes { Deed::Remove } else { deed };
    let holder = match shape.kind.extension().filter(|_| place.extended) {
        Some(urn) => object(resource.entry(urn).or_insert_with(|| Map::new().into()))?,
        None => &mut *resource,
    };
    let value = value.unwrap_or(&Value::Null);
    let changed = change(holder, deed, &place, attribute, path.filter.as_ref(), value);
    if let Some(urn) = shape.kind.extension()
        && resource.get(urn).is_some_and(is_nothing)
    {
        resource.shift_remove(urn);
    }
    changed
}

/// An operation on all of an extension.
fn extension(
    shape: &Shape,
    resource: &mut Map<String, Value>,
    deed: Deed,
    urn: &str,
    value: Option<&Value>,
) -> Result<(), Fault> {
    if deed == Deed::Remove {
        resource.shift_remove(urn);
        return validity::complete(shape, resource).map_err(|fault| Fault::bad("mutability", fault.detail));
    }
    let wrong = || Fault::bad("invalidValue", "An extension is an object.");
    for (name, value) in value.and_then(Value::as_object).ok_or_else(wrong)? {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        one(shape, resource, deed, &format!("{urn}:{name}"), Some(value))?;
    }
    Ok(())
}

/// Whether the path may be written to (RFC 7644 3.5.2: an operation is compatible with the mutability).
fn permitted(place: &Place<'_>, attribute: &Attribute, removes: bool) -> Result<(), Fault> {
    if place.mutability() == Mutability::ReadOnly {
        return Err(Fault::bad("mutability", format!("{} is read-only.", attribute.name)));
    }
    let holds_required = place.sub.is_none() && !attribute.many && attribute.subs.iter().any(|sub| sub.required);
    if removes && (place.required() || holds_required) {
        return Err(Fault::bad("mutability", format!("{} is required.", attribute.name)));
    }
    Ok(())
}

fn change(
    holder: &mut Map<String, Value>,
    deed: Deed,
    place: &Place<'_>,
    attribute: &Attribute,
    filter: Option<&Filter>,
    value: &Value,
) -> Result<(), Fault> {
    if attribute.many {
        return list(holder, deed, place, attribute, filter, value);
    }
    let immutable = place.mutability() == Mutability::Immutable;
    let before = holder.get(attribute.name);
    let before = match place.sub {
        Some(sub) => before.and_then(|before| before.get(sub.name)),
        None => before,
    };
    let before = before.cloned();
    match (deed, place.sub) {
        (Deed::Remove, None) => {
            holder.shift_remove(attribute.name);
        }
        (Deed::Remove, Some(sub)) => {
            if let Some(Value::Object(parts)) = holder.get_mut(attribute.name) {
                parts.shift_remove(sub.name);
            }
        }
        (_, None) => {
            let value = validity::single(attribute, value)?;
            match (holder.get_mut(attribute.name), value) {
                // Parts that are not spoken of stay.
                (Some(Value::Object(parts)), Value::Object(new)) => parts.extend(new),
                (_, Value::Null) => {}
                (_, value) => {
                    holder.insert(attribute.name.to_owned(), value);
                }
            }
        }
        (_, Some(sub)) => {
            let value = validity::value_of(sub, value)?;
            let parts = object(holder.entry(attribute.name).or_insert_with(|| Map::new().into()))?;
            parts.insert(sub.name.to_owned(), value);
        }
    }
    if holder.get(attribute.name).is_some_and(is_nothing) {
        holder.shift_remove(attribute.name);
    }
    let after = holder.get(attribute.name);
    let after = match place.sub {
        Some(sub) => after.and_then(|after| after.get(sub.name)),
        None => after,
    };
    if immutable && before.is_some() && before.as_ref() != after {
        return Err(Fault::bad("mutability", format!("{} never changes once it is set.", attribute.name)));
    }
    Ok(())
}

fn list(
    holder: &mut Map<String, Value>,
    deed: Deed,
    place: &Place<'_>,
    attribute: &Attribute,
    filter: Option<&Filter>,
    value: &Value,
) -> Result<(), Fault> {
    let mut values: Vec<Value> = holder.get(attribute.name).and_then(Value::as_array).cloned().unwrap_or_default();
    let had_any = !values.is_empty();
    let mut touched = BTreeSet::new();
    let aims = filter.is_some() || place.sub.is_some();
    if aims {
        for (at, value) in values.iter().enumerate() {
            let fits = match (filter, value) {
                (Some(filter), Value::Object(parts)) => {
                    // A path that filters by something unknown is a wrong path.
                    let wrong = |fault: Fault| Fault::bad("invalidPath", fault.detail);
                    filter.fits(Scope::Value(attribute), parts).map_err(wrong)?
                }
                (Some(_), _) => false,
                (None, _) => true,
            };
            if fits {
                touched.insert(at);
            }
        }
        if touched.is_empty() && deed != Deed::Remove {
            return Err(Fault::bad("noTarget", "The path fits no value there is."));
        }
    }
    match (deed, aims, place.sub) {
        (Deed::Remove, false, _) => values.clear(),
        (Deed::Remove, true, None) => {
            let mut at = 0;
            values.retain(|_| {
                at += 1;
                !touched.contains(&(at - 1))
            });
        }
        (Deed::Remove, true, Some(sub)) => {
            for at in &touched {
                if let Some(Value::Object(parts)) = values.get_mut(*at) {
                    parts.shift_remove(sub.name);
                }
            }
        }
        (_, true, Some(sub)) => {
            let value = validity::value_of(sub, value)?;
            for at in &touched {
                if let Some(Value::Object(parts)) = values.get_mut(*at) {
                    if sub.mutability == Mutability::Immutable && parts.get(sub.name).is_some_and(|held| *held != value)
                    {
                        return Err(Fault::bad("mutability", format!("{} never changes once it is set.", sub.name)));
                    }
                    parts.insert(sub.name.to_owned(), value.clone());
                    validity::address(attribute, parts)?;
                }
            }
        }
        (deed, true, None) => {
            let Value::Object(new) = validity::single(attribute, value)? else {
                return Err(Fault::bad("invalidValue", "A value of this list is an object."));
            };
            for at in &touched {
                match values.get_mut(*at) {
                    Some(Value::Object(parts)) if deed == Deed::Add => parts.extend(new.clone()),
                    Some(value) => *value = new.clone().into(),
                    None => {}
                }
            }
        }
        (deed, false, _) => {
            let new = match value {
                Value::Array(new) => new.iter().map(|value| validity::single(attribute, value)).collect(),
                one => validity::single(attribute, one).map(|one| vec![one]),
            };
            let new: Vec<Value> = new?;
            if deed == Deed::Replace {
                values.clear();
            }
            for value in new.into_iter().filter(|value| !value.is_null()) {
                if values.iter().any(|held| same(attribute, held, &value)) {
                    continue;
                }
                touched.insert(values.len());
                values.push(value);
            }
        }
    }
    only_one_first(&mut values, &touched);
    values.retain(|value| !is_nothing(value));
    if attribute.required && had_any && values.is_empty() {
        return Err(Fault::bad("mutability", format!("{} is required.", attribute.name)));
    }
    if values.is_empty() {
        holder.shift_remove(attribute.name);
    } else {
        holder.insert(attribute.name.to_owned(), values.into());
    }
    Ok(())
}

/// True where two values of a list are the same one: alike in all their parts, or members by the same id.
fn same(attribute: &Attribute, one: &Value, other: &Value) -> bool {
    one == other || (attribute.name == "members" && one.get("value") == other.get("value"))
}

/// Whoever becomes the first of a list takes that from who was (RFC 7644 3.5.2).
fn only_one_first(values: &mut [Value], touched: &BTreeSet<usize>) {
    let first = touched.iter().rev().find(|at| values.get(**at).is_some_and(validity::is_primary)).copied();
    let Some(first) = first else { return };
    for (at, value) in values.iter_mut().enumerate() {
        if at != first && validity::is_primary(value) {
            value["primary"] = false.into();
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    }
}

fn object(value: &mut Value) -> Result<&mut Map<String, Value>, Fault> {
    value.as_object_mut().ok_or_else(|| Fault::new(500, "What is kept is not what it should be."))
}
