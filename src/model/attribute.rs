//! What can be said about a person: attribute names and their values.

use std::{
    cmp::Ordering,
    fmt,
    sync::{Arc, LazyLock},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

use super::id::SystemName;

/// The attributes that mean the same in every system, in order.
pub(crate) const NEUTRAL: &[&str] = &[
    "active",
    "department",
    "display_name",
    "email",
    "first_name",
    "last_name",
    "locale",
    "nickname",
    "phone",
    "position",
    "timezone",
    "username",
];

/// Names an attribute: a neutral one such as `username`, or one of a single system such as `gitlab.note`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AttributeName(Name);

/// Names are compared some hundred times for each person, and most of them are neutral: those are numbers.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    /// The place in [`NEUTRAL`].
    Neutral(u8),
    /// No neutral one.
    Other(Arc<str>),
}

impl AttributeName {
    /// The name of a neutral attribute, or of one system's where it holds a dot.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(match NEUTRAL.binary_search(&name).map(u8::try_from) {
            Ok(Ok(place)) => Name::Neutral(place),
            _ => Name::Other(Arc::from(name)),
        })
    }

    /// The name of the attribute that says whether somebody may use an account.
    pub(crate) fn active() -> &'static Self {
        static ACTIVE: LazyLock<AttributeName> = LazyLock::new(|| AttributeName::new("active"));
        &ACTIVE
    }

    /// The name of an attribute that only `system` has.
    #[must_use]
    pub fn of_system(system: &SystemName, name: &str) -> Self {
        Self::new(&format!("{system}.{name}"))
    }

    /// One member of a set, as an attribute of its own: `gitlab.groups[platform/dev]`.
    #[must_use]
    pub fn member_of(set: &Self, member: &str) -> Self {
        Self::new(&format!("{set}[{member}]"))
    }

    /// The member, where this is one of a set: `platform/dev` for `gitlab.groups[platform/dev]`.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        self.as_str().strip_suffix(']')?.split_once('[').map(|(_, member)| member)
    }

    /// The set, where this is a member of one: `gitlab.groups` for `gitlab.groups[platform/dev]`.
    #[must_use]
    pub fn set(&self) -> Option<Self> {
        self.as_str().strip_suffix(']')?.split_once('[').map(|(set, _)| Self::new(set))
    }

    /// The whole name, as rules and plans write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Neutral(place) => NEUTRAL[usize::from(*place)],
            Name::Other(name) => name,
        }
    }

    /// The system this attribute belongs to; `None` for a neutral one.
    #[must_use]
    pub fn system(&self) -> Option<SystemName> {
        self.as_str().split_once('.').map(|(system, _)| system.into())
    }

    /// True for an attribute that means the same in every system.
    #[must_use]
    pub fn is_neutral(&self) -> bool {
        !self.as_str().contains('.')
    }

    /// The name inside its system: `note` for `gitlab.note`, `email` for `email`, `groups` for a member of
    /// `gitlab.groups`. Capability tables use this form.
    #[must_use]
    pub fn local(&self) -> &str {
        let name = self.as_str();
        let set = name.split_once('[').map_or(name, |(set, _)| set);
        set.split_once('.').map_or(set, |(_, local)| local)
    }
}

impl From<&str> for AttributeName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttributeName").field(&self.as_str()).finish()
    }
}

/// The order of the texts.
impl Ord for AttributeName {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Name::Neutral(one), Name::Neutral(other)) => one.cmp(other),
            _ => self.as_str().cmp(other.as_str()),
        }
    }
}

impl PartialOrd for AttributeName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for AttributeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AttributeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes the text as it lies there.
        struct Read;
        impl Visitor<'_> for Read {
            type Value = AttributeName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an attribute")
            }

            fn visit_str<E>(self, name: &str) -> Result<AttributeName, E> {
                Ok(AttributeName::new(name))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

/// The value of an attribute. JSON `null`, a boolean, or a string.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing is stored; what `clear()` asks for.
    #[default]
    Empty,
    /// Yes or no, such as `active`.
    Bool(bool),
    /// Any text. Never the empty text: that is [`Value::Empty`].
    Text(Arc<str>),
}

impl Value {
    /// A text, or [`Value::Empty`] for the empty text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::Empty } else { Self::Text(Arc::from(text)) }
    }

    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Empty | Self::Bool(_) => None,
        }
    }

    /// The boolean, where this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Empty | Self::Text(_) => None,
        }
    }

    /// True for [`Value::Empty`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// This value as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Empty => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Text(text) => text.as_ref().into(),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.pad("(empty)"),
            Self::Bool(value) => f.pad(if *value { "true" } else { "false" }),
            Self::Text(text) => f.pad(text),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Takes a text as it lies there: a million people's are read, and a copy of each costs as much as all the rest.
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, true, false or a text")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Empty)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::text(text))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neutral_names_stand_in_order_each_once() {
        assert!(NEUTRAL.is_sorted_by(|one, other| one < other), "{NEUTRAL:?}");
    }

    proptest! {
        #[test]
        fn names_are_as_their_texts(one in name(), other in name()) {
            let (first, second) = (AttributeName::new(&one), AttributeName::new(&other));
            prop_assert_eq!(first.as_str(), one.as_str());
            prop_assert_eq!(first.cmp(&second), one.cmp(&other));
            prop_assert_eq!(first == second, one == other);
            let text = serde_json::to_string(&first).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&one).unwrap());
            prop_assert_eq!(serde_json::from_str::<AttributeName>(&text).unwrap(), first);
        }
    }

    fn name() -> impl Strategy<Value = String> {
        let neutral = prop::sample::select(NEUTRAL).prop_map(str::to_owned);
        prop_oneof![neutral.clone(), neutral.prop_map(|name| name + "s"), "[a-z]{0,4}", "[a-z]{1,4}\\.[a-z]{1,4}"]
    }
}
