//! Whether what is sent is a resource, and how it is kept: names as the schema writes them, nothing unassigned, nothing
//! that is not known (RFC 7643 2, RFC 7644 3.3 and 3.5.1).

use serde_json::{Map, Value};

use super::{
    fault::Fault,
    schema::{Attribute, Form, Mutability, Shape, field},
};

/// A resource as it was sent; `schemas`, `id`, `meta` and what is read-only left out.
pub(super) fn resource(shape: &Shape, sent: &Value) -> Result<Map<String, Value>, Fault> {
    let sent = sent.as_object().ok_or_else(|| Fault::bad("invalidSyntax", "A resource is a JSON object."))?;
    schemas(shape, sent)?;
    let mut kept = Map::new();
    for (name, value) in sent {
        if let Some(urn) = shape.kind.extension().filter(|urn| name.eq_ignore_ascii_case(urn)) {
            let inner = extension(shape, value)?;
            if !inner.is_empty() {
                kept.insert(urn.to_owned(), inner.into());
            }
        } else if let Some(attribute) = shape.attribute(false, name)
            && attribute.mutability != Mutability::ReadOnly
        {
            let value = value_of(attribute, value)?;
            if !value.is_null() {
                kept.insert(attribute.name.to_owned(), value);
            }
        }
    }
    Ok(kept)
}

/// The part of a resource that an extension adds.
pub(super) fn extension(shape: &Shape, sent: &Value) -> Result<Map<String, Value>, Fault> {
    let mut kept = Map::new();
    let sent = match sent {
        Value::Null => return Ok(kept),
        Value::Object(sent) => sent,
        _ => return Err(Fault::bad("invalidValue", "An extension is an object.")),
    };
    for (name, value) in sent {
        if let Some(attribute) = shape.attribute(true, name)
            && attribute.mutability != Mutability::ReadOnly
        {
            let value = value_of(attribute, value)?;
            if !value.is_null() {
                kept.insert(attribute.name.to_owned(), value);
            }
        }
    }
    Ok(kept)
}

/// What has to be there (RFC 7643 7, "required").
pub(super) fn complete(shape: &Shape, kept: &Map<String, Value>) -> Result<(), Fault> {
    let extended = shape.kind.extension().and_then(|urn| kept.get(urn)).and_then(Value::as_object);
    let missing = |attribute: &&Attribute, of: Option<&Map<String, Value>>| {
        let held = of.and_then(|of| of.get(attribute.name));
        // A part is required only where there is a whole for it to be part of.
        let lacks = |held: &Value| attribute.subs.iter().any(|sub| sub.required && held.get(sub.name).is_none());
        (attribute.required && held.is_none()) || (!attribute.many && held.is_some_and(lacks))
    };
    let core = shape.core.iter().find(|attribute| missing(attribute, Some(kept)));
    match core.or_else(|| shape.extension.iter().find(|attribute| missing(attribute, extended))) {
        Some(attribute) => Err(Fault::bad("invalidValue", format!("{} is required.", attribute.name))),
        None => Ok(()),
    }
}

fn schemas(shape: &Shape, sent: &Map<String, Value>) -> Result<(), Fault> {
    let named: Option<Vec<&str>> = match field(sent, "schemas") {
        Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let named = named.filter(|named| !named.is_empty());
    let named = named.ok_or_else(|| Fault::bad("invalidSyntax", "`schemas` must name the schemas of the resource."))?;
    let is = |urn: &str| named.iter().any(|one| one.eq_ignore_ascii_case(urn));
    let known = |one: &str| {
        one.eq_ignore_ascii_case(shape.kind.schema())
            || shape.kind.extension().is_some_and(|urn| one.eq_ignore_ascii_case(urn))
    };
    if !is(shape.kind.schema()) || !named.iter().copied().all(known) {
        return Err(Fault::bad("invalidValue", "`schemas` names others than those of this resource."));
    }
    Ok(())
}

/// A value as it is kept; null for one that is unassigned.
pub(super) fn value_of(attribute: &Attribute, value: &Value) -> Result<Value, Fault> {
    if !attribute.many {
        return single(attribute, value);
    }
    let values = match value {
        Value::Null => return Ok(Value::Null),
        Value::Array(values) => values,
        _ => return Err(Fault::bad("invalidValue", format!("{} is a list.", attribute.name))),
    };
    let mut kept = Vec::new();
    for value in values {
        let value = single(attribute, value)?;
        if !value.is_null() && !kept.contains(&value) {
            kept.push(value);
        }
    }
    let first = kept.iter().filter(|value| is_primary(value)).count();
    if first > 1 {
        return Err(Fault::bad("invalidValue", format!("Only one of {} can be the primary one.", attribute.name)));
    }
    Ok(if kept.is_empty() { Value::Null } else { kept.into() })
}

/// One value of a list, or the value of what is no list.
pub(super) fn single(attribute: &Attribute, value: &Value) -> Result<Value, Fault> {
    let wrong = || Fault::bad("invalidValue", format!("{} does not take a value of this type.", attribute.name));
    match (attribute.form, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Form::Truth, Value::Bool(_)) => Ok(value.clone()),
        (Form::Truth, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true.into()),
        (Form::Truth, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false.into()),
        (Form::Complex, Value::Object(parts)) => {
            let mut kept = Map::new();
            for (name, part) in parts {
                let Some(sub) = attribute.sub(name) else { continue };
                if sub.mutability == Mutability::ReadOnly {
                    continue;
                }
                let part = value_of(sub, part)?;
                if !part.is_null() {
                    kept.insert(sub.name.to_owned(), part);
                }
            }
            address(attribute, &kept)?;
            Ok(if kept.is_empty() { Value::Null } else { kept.into() })
        }
        (Form::Text | Form::Moment | Form::Reference(_) | Form::Binary, Value::String(text)) => {
            if attribute.required && text.trim().is_empty() {
                return Err(Fault::bad("invalidValue", format!("{} must not be empty.", attribute.name)));
            }
            Ok(value.clone())
        }
        _ => Err(wrong()),
    }
}

/// An e-mail address is one (RFC 7643 4.1.2).
pub(super) fn address(attribute: &Attribute, kept: &Map<String, Value>) -> Result<(), Fault> {
    let text = kept.get("value").and_then(Value::as_str).filter(|_| attribute.name == "emails");
    let is_one = |text: &str| {
        let parts = text.rsplit_once('@');
        let parts = parts.filter(|(local, domain)| !local.is_empty() && !domain.is_empty() && !local.contains('@'));
        parts.is_some() && !text.contains(char::is_whitespace)
    };
    match text {
        Some(text) if !is_one(text) => Err(Fault::bad("invalidValue", "emails.value is no e-mail address.")),
        _ => Ok(()),
    }
}

pub(super) fn is_primary(value: &Value) -> bool {
    value.get("primary").and_then(Value::as_bool) == Some(true)
}
