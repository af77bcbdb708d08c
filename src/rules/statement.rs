//! The way back over the border: what a `source` function returned, made into a statement.
//!
//! A script's value is believed in nothing: every name must be known and every value must be of the right type. An
//! attribute whose value is `()` or the empty text is not spoken of; only `clear()` says that it is empty.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use base16ct::lower::encode_string as hex;
use rhai::{Dynamic, Engine, INT, ImmutableString};
use sha2::{Digest, Sha256};

use crate::model::{
    attribute::{AttributeName, Value},
    few::Few,
    id::SystemName,
    policy::RangeLine,
    record::{Before, Deed, Record, Statement},
    values::Packer,
};

use super::{
    action::Performance,
    fault::{Fault, NOTHING, TRUTH, type_name},
    known::Known,
    words::{MEANT_AS_KEY, near},
};

/// What `clear()` returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clear;

/// Teaches an engine `clear()`.
pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("clear", || Clear);
}

/// What statements are read with.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// What a source may speak of, by the name it uses.
    pub(super) names: &'a BTreeMap<String, AttributeName>,
    pub(super) known: &'a Known,
    pub(super) ranges: &'a BTreeMap<AttributeName, RangeLine>,
    pub(super) packer: &'a RefCell<Packer>,
}

/// What is wrong, and the key of the returned map that it is about.
type Wrong = (Fault, Option<String>);

impl Reader<'_> {
    /// What a function returned, as a statement. `Ok(None)` where it returned `()`.
    pub(super) fn read(
        self,
        system: &SystemName,
        record: &Record,
        returned: Dynamic,
    ) -> Result<Option<Statement>, Wrong> {
        if returned.is_unit() {
            return Ok(None);
        }
        let (one, several) = if returned.is_array() {
            (None, returned.into_array().unwrap_or_default())
        } else {
            (Some(returned), Vec::new())
        };
        let (mut said, mut performances) = (None, Vec::new());
        for item in one.into_iter().chain(several) {
            if item.is_unit() {
                continue;
            }
            if item.is::<Performance>() {
                performances.extend(item.try_cast::<Performance>());
                continue;
            }
            let kind = item.type_name();
            let map = item.try_cast::<rhai::Map>().filter(|_| said.is_none());
            said = Some(map.ok_or_else(|| {
                let what = format!("what the function for `{system}` returns");
                let (wanted, got) = ("a map `#{ key: ... }` or ()".to_owned(), type_name(kind));
                (Fault::WrongType { what, wanted, got }, None)
            })?);
        }
        let of_nobody = said.is_none();
        let (mut key, mut values) = (None, BTreeMap::new());
        let said = said.unwrap_or_default();
        let has_key = said.contains_key("key");
        for (name, value) in said {
            let at_key = |fault| (fault, Some(name.to_string()));
            if name == "key" {
                key = read_key(value).map_err(at_key)?;
                continue;
            }
            let Some(attribute) = self.names.get(name.as_str()) else {
                let is_key = !has_key && MEANT_AS_KEY.contains(&&*name.to_lowercase());
                let near = self.known.near_attribute(&name).or_else(|| is_key.then(|| "key".to_owned()));
                return Err(at_key(Fault::UnknownAttribute { name: name.to_string(), near }));
            };
            if let Some(levels) = self.known.levels(attribute) {
                self.read_members(attribute, levels, value, &mut values).map_err(at_key)?;
            } else if let Some(value) = read_value(attribute, value).map_err(at_key)? {
                values.insert(attribute.clone(), value);
            }
        }
        if performances.is_empty() && of_nobody {
            return Ok(None);
        }
        if let Some(one) = performances.iter().find(|one| of_nobody && one.of_account) {
            return Err((Fault::OfNobody { system: one.system.clone(), operation: one.operation.clone() }, None));
        }
        if !of_nobody && key.is_none() {
            return Err((Fault::NoKey, Some("key".to_owned())));
        }
        let mut deeds: Vec<Deed> =
            performances.into_iter().map(|one| deed(system, key.as_deref().unwrap_or_default(), one)).collect();
        deeds.sort();
        deeds.dedup_by(|a, b| a.mark == b.mark);
        // A record of nobody has no key of its own; what it asks for tells it from others.
        let marks = || deeds.iter().map(|deed| &deed.mark[..12]).collect::<Vec<_>>().join("-");
        let key: Arc<str> = key.unwrap_or_else(marks).into();
        let (system, origin) = (system.clone(), record.origin.clone());
        let (deeds, quiet) = (deeds.into(), Few::default());
        let values = self.packer.borrow_mut().pack(&values);
        let (fresh, unsettled) = (true, Few::default());
        Ok(Some(Statement { system, key, values, origin, fresh, deeds, of_nobody, unsettled, quiet }))
    }

    /// The members of a set: each of the range is in it with a level, or is not.
    fn read_members(
        self,
        set: &AttributeName,
        levels: &[String],
        value: Dynamic,
        values: &mut BTreeMap<AttributeName, Value>,
    ) -> Result<(), Fault> {
        if value.is_unit() {
            return Ok(());
        }
        let Some(range) = self.ranges.get(set) else { return Err(Fault::NoRange { attribute: set.clone() }) };
        let got = type_name(value.type_name());
        let wanted = match levels {
            [_] => "a list of names, or `clear()`",
            _ => "a map of names and levels `#{ \"name\": \"level\" }`, or `clear()`",
        };
        let wrong =
            |got: &str| Fault::WrongType { what: format!("`{set}`"), wanted: wanted.to_owned(), got: got.to_owned() };
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        if value.is_array() && levels.len() == 1 {
            for member in value.into_array().unwrap_or_default() {
                let member = member.into_immutable_string().map_err(|_| wrong("a list of something else"))?;
                given.insert(member.to_string(), levels[0].clone());
            }
        } else if !value.is::<Clear>() {
            for (member, level) in value.try_cast::<rhai::Map>().ok_or_else(|| wrong(&got))? {
                if level.is_unit() {
                    continue;
                }
                let level = level.into_immutable_string().map_err(|_| wrong("a map of something else"))?;
                given.insert(member.to_string(), level.to_string());
            }
        }
        for (member, level) in &given {
            if !range.members.contains(member) {
                let near = near(member, range.members.iter().map(String::as_str));
                return Err(Fault::OutOfRange { attribute: set.clone(), member: member.clone(), near });
            }
            if !levels.contains(level) {
                let near = near(level, levels.iter().map(String::as_str));
                let (attribute, level, all) = (set.clone(), level.clone(), levels.to_vec());
                return Err(Fault::UnknownLevel { attribute, level, near, all });
            }
        }
        for member in &range.members {
            let level = given.get(member).map_or(Value::Empty, |level| Value::text(level));
            values.insert(AttributeName::member_of(set, member), level);
        }
        Ok(())
    }
}

fn deed(source: &SystemName, key: &str, asked: Performance) -> Deed {
    let Performance { system, operation, arguments, origin, .. } = asked;
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        // Lengths first, so that no two parts can pass for others.
        digest.update(text.len().to_le_bytes());
        digest.update(text.as_bytes());
    };
    for text in [source.as_str(), key, system.as_str(), operation.as_str()] {
        add(text);
    }
    for (name, value) in &arguments {
        add(name);
        add(&value.to_json().to_string());
    }
    let mark = hex(&digest.finalize());
    Deed { system, operation, arguments, origin, before: Before::Never, mark }
}

fn read_key(value: Dynamic) -> Result<Option<String>, Fault> {
    let kind = value.type_name();
    key_of(&plain(value)).map(|key| key.map(str::to_owned)).map_err(|NoText| {
        let got = type_name(kind);
        Fault::WrongType { what: "`key`".to_owned(), wanted: "text".to_owned(), got }
    })
}

fn read_value(attribute: &AttributeName, value: Dynamic) -> Result<Option<Value>, Fault> {
    let kind = value.type_name();
    Wanted::of(attribute).take(&plain(value)).map_err(|wanted| {
        let (what, got) = (format!("`{attribute}`"), type_name(kind));
        Fault::WrongType { what, wanted: wanted.to_owned(), got }
    })
}

/// The few kinds of values that may cross. Nothing nested does, so no depth has to be bounded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plain<T> {
    Nothing,
    Text(T),
    Bool(bool),
    Clear,
    Other,
}

/// What can be no key.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoText;

/// The key in a value; `Ok(None)` where there is none.
pub(super) fn key_of<T: AsRef<str>>(value: &Plain<T>) -> Result<Option<&str>, NoText> {
    match value {
        Plain::Nothing => Ok(None),
        Plain::Text(text) => Ok(Some(text.as_ref().trim()).filter(|key| !key.is_empty())),
        Plain::Bool(_) | Plain::Clear | Plain::Other => Err(NoText),
    }
}

/// What an attribute takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    is_active: bool,
    is_neutral: bool,
}

impl Wanted {
    pub(super) fn of(attribute: &AttributeName) -> Self {
        Self { is_active: attribute.as_str() == "active", is_neutral: attribute.is_neutral() }
    }

    /// The value; `Ok(None)` where the attribute is not spoken of, and what is wanted where it cannot be that value.
    pub(super) fn take<T: AsRef<str>>(self, value: &Plain<T>) -> Result<Option<Value>, &'static str> {
        match value {
            Plain::Nothing => Ok(None),
            Plain::Text(text) if text.as_ref().is_empty() => Ok(None),
            Plain::Bool(truth) if self.is_active || !self.is_neutral => Ok(Some(Value::Bool(*truth))),
            _ if self.is_active => Err(TRUTH),
            Plain::Clear => Ok(Some(Value::Empty)),
            Plain::Text(text) => Ok(Some(Value::text(text.as_ref()))),
            Plain::Bool(_) | Plain::Other => Err("text"),
        }
    }
}

fn plain(value: Dynamic) -> Plain<ImmutableString> {
    if value.is_unit() {
        return Plain::Nothing;
    }
    if let Ok(truth) = value.as_bool() {
        return Plain::Bool(truth);
    }
    if let Ok(number) = value.as_int() {
        let number: INT = number;
        return Plain::Text(number.to_string().into());
    }
    if let Ok(letter) = value.as_char() {
        return Plain::Text(letter.to_string().into());
    }
    if value.is::<Clear>() {
        return Plain::Clear;
    }
    value.into_immutable_string().map_or(Plain::Other, Plain::Text)
}

/// How a condition answered: yes, no, or nothing.
pub(super) fn read_condition(word: &str, returned: &Dynamic) -> Result<Option<bool>, Fault> {
    if returned.is_unit() {
        return Ok(None);
    }
    returned.as_bool().map(Some).map_err(|_| Fault::WrongType {
        what: format!("the condition of `{word}`"),
        wanted: format!("{TRUTH}, or {NOTHING}"),
        got: type_name(returned.type_name()),
    })
}
