//! Request messages as data: how JSON becomes one, and what validation says about it.
//!
//! The rules of protojson with unknown fields discarded, and of protoc-gen-validate (`zitadel.md` 1 and 3). Which messages
//! there are stands in `requests.rs`; what they mean is not known here.

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use super::values::address_fault;

/// A message type.
pub(super) struct Message {
    /// In the spelling of Go, as validation errors print it.
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
    /// The oneof that must be set, in Go's spelling; empty: none.
    pub(super) required: &'static str,
}

/// One field, in the order of declaration.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// The camelCase name.
    pub(super) name: &'static str,
    of: Of,
    many: bool,
    group: Group,
    rule: Rule,
}

#[derive(Clone, Copy)]
enum Of {
    Text,
    Flag,
    Unsigned(u64),
    Bytes,
    Enumeration(&'static [&'static str]),
    Message(&'static Message),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Plain,
    OneOf(&'static str),
    Optional,
}

/// The rules in use, with protoc-gen-validate's meaning.
#[derive(Clone, Copy)]
enum Rule {
    Free,
    Between(usize, usize),
    AtMost(usize),
    Address(usize, usize),
    Prefixed(usize, usize, &'static str),
    BytesBetween(usize, usize),
    BytesAtMost(usize),
    True,
    Defined,
    Required,
}

impl Field {
    const fn new(name: &'static str, of: Of) -> Self {
        Self { name, of, many: false, group: Group::Plain, rule: Rule::Free }
    }

    pub(super) const fn text(name: &'static str) -> Self {
        Self::new(name, Of::Text)
    }

    pub(super) const fn flag(name: &'static str) -> Self {
        Self::new(name, Of::Flag)
    }

    pub(super) const fn uint32(name: &'static str) -> Self {
        Self::new(name, Of::Unsigned(u32::MAX as u64))
    }

    pub(super) const fn uint64(name: &'static str) -> Self {
        Self::new(name, Of::Unsigned(u64::MAX))
    }

    pub(super) const fn bytes(name: &'static str) -> Self {
        Self::new(name, Of::Bytes)
    }

    pub(super) const fn of(name: &'static str, values: &'static [&'static str]) -> Self {
        Self::new(name, Of::Enumeration(values))
    }

    pub(super) const fn message(name: &'static str, message: &'static Message) -> Self {
        Self::new(name, Of::Message(message))
    }

    pub(super) const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    pub(super) const fn optional(self) -> Self {
        Self { group: Group::Optional, ..self }
    }

    pub(super) const fn one_of(self, group: &'static str) -> Self {
        Self { group: Group::OneOf(group), ..self }
    }

    const fn rule(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    pub(super) const fn between(self, least: usize, most: usize) -> Self {
        self.rule(match self.of {
            Of::Bytes => Rule::BytesBetween(least, most),
            _ => Rule::Between(least, most),
        })
    }

    pub(super) const fn at_most(self, most: usize) -> Self {
        self.rule(match self.of {
            Of::Bytes => Rule::BytesAtMost(most),
            _ => Rule::AtMost(most),
        })
    }

    pub(super) const fn address(self, least: usize, most: usize) -> Self {
        self.rule(Rule::Address(least, most))
    }

    pub(super) const fn prefixed(self, least: usize, most: usize, prefix: &'static str) -> Self {
        self.rule(Rule::Prefixed(least, most, prefix))
    }

    pub(super) const fn only_true(self) -> Self {
        self.rule(Rule::True)
    }

    pub(super) const fn defined(self) -> Self {
        self.rule(Rule::Defined)
    }

    pub(super) const fn required(self) -> Self {
        self.rule(Rule::Required)
    }

    fn answers_to(&self, key: &str) -> bool {
        self.name == key || snake(self.name) == key
    }
}

/// Turns JSON into the message, under camelCase names and with enumerations by name. Unknown fields and unknown names of
/// an enumeration vanish without a word. The error is protojson's, without its `proto:`.
pub(super) fn decode(message: &'static Message, json: &Value) -> Result<Map<String, Value>, String> {
    let Value::Object(given) = json else {
        return Err(format!("syntax error (line 1:1): unexpected token {json}"));
    };
    let mut decoded = Map::new();
    let mut taken: Vec<&str> = Vec::new();
    for (key, value) in given {
        let Some(field) = message.fields.iter().find(|field| field.answers_to(key)) else { continue };
        if value.is_null() {
            continue;
        }
        if decoded.contains_key(field.name) {
            return Err(format!("(line 1:1): duplicate field \"{key}\""));
        }
        if let Group::OneOf(group) = field.group {
            if taken.contains(&group) {
                let name = message.name;
                return Err(format!("(line 1:1): error parsing \"{key}\", oneof {name}.{group} is already set"));
            }
            taken.push(group);
        }
        let value = if field.many {
            let Value::Array(items) = value else {
                return Err(format!("syntax error (line 1:1): unexpected token {value}"));
            };
            let items: Result<Vec<_>, _> = items.iter().map(|item| scalar(field, item)).collect();
            Some(Value::Array(items?.into_iter().flatten().collect()))
        } else {
            scalar(field, value)?
        };
        if let Some(value) = value {
            decoded.insert(field.name.to_owned(), value);
        }
    }
    Ok(decoded)
}

fn scalar(field: &Field, value: &Value) -> Result<Option<Value>, String> {
    let wrong = |kind: &str| Err(format!("(line 1:1): invalid value for {kind} field {}: {value}", field.name));
    let read = match field.of {
        Of::Text => match value {
            Value::String(_) => value.clone(),
            _ => return wrong("string"),
        },
        Of::Flag => match value {
            Value::Bool(_) => value.clone(),
            _ => return wrong("bool"),
        },
        Of::Unsigned(most) => match value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())) {
            Some(number) if number <= most => number.into(),
            _ if most == u64::MAX => return wrong("uint64"),
            _ => return wrong("uint32"),
        },
        Of::Bytes => match value.as_str().map(base64_of_any_kind) {
            Some(Some(bytes)) => bytes.into(),
            _ => return wrong("bytes"),
        },
        Of::Enumeration(names) => match value {
            Value::String(name) if names.contains(&name.as_str()) => value.clone(),
            Value::String(_) => return Ok(None),
            Value::Number(number) => match number.as_i64().map(|number| usize::try_from(number).ok()) {
                Some(index) => match index.and_then(|index| names.get(index)) {
                    Some(name) => (*name).into(),
                    None => value.clone(),
                },
                None => return wrong("enum"),
            },
            _ => return wrong("enum"),
        },
        Of::Message(message) => Value::Object(decode(message, value)?),
    };
    Ok(Some(read))
}

/// Bytes are held as a list of numbers once they are decoded; either alphabet, padded or not.
fn base64_of_any_kind(text: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text = text.replace('-', "+").replace('_', "/");
    GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(text).ok()
}

/// The first violation, in protoc-gen-validate's words and order: plain fields, then oneofs, then optional ones.
pub(super) fn fault(message: &Message, given: &Map<String, Value>) -> Option<String> {
    let of = |field: &Field, reason: String| format!("invalid {}.{}: {reason}", message.name, go(field.name));
    let in_group = |wanted: fn(Group) -> bool| message.fields.iter().filter(move |field| wanted(field.group));
    for field in in_group(|group| group == Group::Plain) {
        if field.many {
            let items = given.get(field.name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (at, item) in items.iter().enumerate() {
                if let Some(reason) = violation(field, Some(item)) {
                    return Some(format!("invalid {}.{}[{at}]: {reason}", message.name, go(field.name)));
                }
            }
        } else if let Some(reason) = violation(field, given.get(field.name)) {
            return Some(of(field, reason));
        }
    }
    let mut set = false;
    for field in in_group(|group| matches!(group, Group::OneOf(_))) {
        let Some(value) = given.get(field.name) else { continue };
        set = true;
        if let Some(reason) = violation(field, Some(value)) {
            return Some(of(field, reason));
        }
    }
    if !message.required.is_empty() && !set {
        return Some(format!("invalid {}.{}: value is required", message.name, message.required));
    }
    in_group(|group| group == Group::Optional)
        .filter_map(|field| given.get(field.name).map(|value| (field, value)))
        .find_map(|(field, value)| violation(field, Some(value)).map(|reason| of(field, reason)))
}

fn violation(field: &Field, value: Option<&Value>) -> Option<String> {
    let text = || value.and_then(Value::as_str).unwrap_or_default();
    let runes = |least: usize, most: usize| {
        let fits = (least..=most).contains(&text().chars().count());
        (!fits).then(|| format!("value length must be between {least} and {most} runes, inclusive"))
    };
    let bytes = || value.and_then(Value::as_array).map_or(0, Vec::len);
    let plain = match field.rule {
        Rule::Free => None,
        Rule::Between(least, most) => runes(least, most),
        Rule::AtMost(most) => {
            (text().chars().count() > most).then(|| format!("value length must be at most {most} runes"))
        }
        Rule::Address(least, most) => runes(least, most).or_else(|| {
            address_fault(text()).map(|cause| format!("value must be a valid email address | caused by: {cause}"))
        }),
        Rule::Prefixed(least, most, prefix) => runes(least, most)
            .or_else(|| (!text().starts_with(prefix)).then(|| format!("value does not have prefix {prefix:?}"))),
        Rule::BytesBetween(least, most) => (!(least..=most).contains(&bytes()))
            .then(|| format!("value length must be between {least} and {most} bytes, inclusive")),
        Rule::BytesAtMost(most) => (bytes() > most).then(|| format!("value length must be at most {most} bytes")),
        Rule::True => (value == Some(&Value::Bool(false))).then(|| "value must equal true".to_owned()),
        Rule::Defined => {
            value.is_some_and(Value::is_number).then(|| "value must be one of the defined enum values".to_owned())
        }
        Rule::Required => value.is_none().then(|| "value is required".to_owned()),
    };
    plain.or_else(|| match (field.of, value) {
        (Of::Message(message), Some(Value::Object(given))) => {
            fault(message, given).map(|cause| format!("embedded message failed validation | caused by: {cause}"))
        }
        _ => None,
    })
}

/// `givenName` as `given_name`.
fn snake(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            spelled.push('_');
        }
        spelled.push(letter.to_ascii_lowercase());
    }
    spelled
}

/// `givenName` as `GivenName`.
fn go(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    first.to_ascii_uppercase() + rest
}
