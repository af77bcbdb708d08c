//! What is said of one person, packed: values by attribute, which copies share.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize, ser::SerializeMap};

use super::{
    attribute::{AttributeName, Value},
    few::Few,
    packed::{Names, Unpack, Unpacked, put_value},
};

/// Values by attribute, in order of name. A copy costs nothing; a change makes all of it anew.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Values(Arc<Held>);

#[derive(PartialEq, Eq)]
struct Held {
    /// In order.
    names: Arc<[AttributeName]>,
    /// A value of each.
    packed: Box<str>,
    /// Where each of them begins, where there are more than [`FEW`]: a range may have a thousand members.
    starts: Few<u32>,
}

/// So many values are gone through to find one.
const FEW: usize = 16;

/// So many lists of names are kept to be shared.
const MAX_SHARED: usize = 256;

/// Makes many [`Values`]: what has the same names shares them.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    names: Names<AttributeName>,
}

impl Packer {
    pub(crate) fn pack(&mut self, values: &BTreeMap<AttributeName, Value>) -> Values {
        if self.names.len() >= MAX_SHARED {
            return Values::new(values.keys().cloned().collect(), values.values());
        }
        let number = self.names.number(values);
        Values::new(self.names.shared(number), values.values())
    }
}

impl Values {
    /// The values of these names, which are in order, one for each.
    pub(crate) fn new<'v>(names: Arc<[AttributeName]>, values: impl Iterator<Item = &'v Value>) -> Self {
        let mut packed = String::with_capacity(16 * names.len());
        let mut starts = Vec::new();
        for value in values {
            if names.len() > FEW {
                starts.push(u32::try_from(packed.len()).unwrap_or(u32::MAX));
            }
            put_value(&mut packed, value);
        }
        Self(Arc::new(Held { names, packed: packed.into(), starts: starts.into() }))
    }

    fn find(&self, name: &AttributeName) -> Option<Unpacked<'_>> {
        let Held { names, packed, starts } = &*self.0;
        let at = names.binary_search(name).ok()?;
        let (start, skipped) = starts.get(at).map_or((0, at), |start| (*start as usize, 0));
        let mut values = Unpack(packed.get(start..)?);
        for _ in 0..skipped {
            values.value();
        }
        Some(values.value())
    }

    /// The value of this name.
    #[must_use]
    pub(crate) fn get(&self, name: &AttributeName) -> Option<Value> {
        self.find(name).map(Into::into)
    }

    /// The text of this name, where it has one.
    #[must_use]
    pub(crate) fn text(&self, name: &AttributeName) -> Option<&str> {
        self.find(name)?.text()
    }

    /// True where its value is this one.
    #[must_use]
    pub(crate) fn is(&self, name: &AttributeName, value: bool) -> bool {
        self.find(name) == Some(Unpacked::Bool(value))
    }

    #[must_use]
    pub(crate) fn contains_key(&self, name: &AttributeName) -> bool {
        self.0.names.binary_search(name).is_ok()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &AttributeName> {
        self.0.names.iter()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AttributeName, Value)> {
        let mut values = Unpack(&self.0.packed);
        self.0.names.iter().map(move |name| (name, values.value().into()))
    }

    /// The same with this value, or without any.
    pub(crate) fn set(&mut self, name: &AttributeName, value: Option<Value>) {
        self.set_all([(name, value)]);
    }

    /// The same with each of these values, or without any.
    pub(crate) fn set_all<'n>(&mut self, values: impl IntoIterator<Item = (&'n AttributeName, Option<Value>)>) {
        let mut all: BTreeMap<AttributeName, Value> = self.iter().map(|(name, value)| (name.clone(), value)).collect();
        for (name, value) in values {
            match value {
                Some(value) => all.insert(name.clone(), value),
                None => all.remove(name),
            };
        }
        *self = all.into();
    }

    /// The names that are not in both, or have another value in the other, in order.
    pub(crate) fn differing<'a>(&'a self, other: &'a Self) -> Vec<&'a AttributeName> {
        if self == other {
            return Vec::new();
        }
        let more = other.keys().filter(|name| !self.contains_key(name));
        let mut names: Vec<&AttributeName> = self.keys().chain(more).collect();
        names.retain(|name| self.find(name) != other.find(name));
        names.sort_unstable();
        names
    }
}

impl Default for Values {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl From<BTreeMap<AttributeName, Value>> for Values {
    fn from(values: BTreeMap<AttributeName, Value>) -> Self {
        Self::new(values.keys().cloned().collect(), values.values())
    }
}

impl FromIterator<(AttributeName, Value)> for Values {
    fn from_iter<I: IntoIterator<Item = (AttributeName, Value)>>(values: I) -> Self {
        values.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl<const N: usize> From<[(AttributeName, Value); N]> for Values {
    fn from(values: [(AttributeName, Value); N]) -> Self {
        values.into_iter().collect()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Values {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.names.len()))?;
        let mut values = Unpack(&self.0.packed);
        for name in self.0.names.iter() {
            map.serialize_key(name)?;
            match values.value() {
                Unpacked::Empty => map.serialize_value(&())?,
                Unpacked::Bool(yes) => map.serialize_value(&yes)?,
                Unpacked::Text(text) => map.serialize_value(text)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(|values: BTreeMap<AttributeName, Value>| values.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = BTreeMap<AttributeName, Value>> {
        let value = prop_oneof![
            Just(Value::Empty),
            any::<bool>().prop_map(Value::Bool),
            "\\PC{1,6}".prop_map(|text| Value::text(&text)),
        ];
        // Few are gone through, of many the places are known.
        let name = || "[a-e]|n[0-3][0-9]".prop_map(|name| AttributeName::new(&name));
        let few = prop::collection::btree_map(name(), value.clone(), 0..5);
        prop_oneof![few, prop::collection::btree_map(name(), value, FEW - 2..2 * FEW)]
    }

    proptest! {
        #[test]
        fn packed_values_are_what_a_map_of_them_is(one in some(), other in some(), value in prop::option::of("[xy]")) {
            let packed = Values::from(one.clone());
            let numbered = (0..40).map(|number| format!("n{number:02}"));
            let names: Vec<AttributeName> =
                ["a", "b", "c", "d", "e"].map(str::to_owned).into_iter().chain(numbered).map(|it| it.as_str().into()).collect();
            for name in &names {
                prop_assert_eq!(packed.get(name), one.get(name).cloned());
                prop_assert_eq!(packed.text(name), one.get(name).and_then(Value::as_text));
                prop_assert_eq!(packed.is(name, true), one.get(name) == Some(&Value::Bool(true)));
                prop_assert_eq!(packed.contains_key(name), one.contains_key(name));
            }
            prop_assert!(packed.keys().eq(one.keys()));
            prop_assert!(packed.iter().map(|(name, value)| (name.clone(), value)).eq(one.clone()));
            let json = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&one).unwrap());
            prop_assert_eq!(&serde_json::from_str::<Values>(&json).unwrap(), &packed);
            prop_assert_eq!(&Packer::default().pack(&one), &packed);

            let others = Values::from(other.clone());
            prop_assert_eq!(packed == others, one == other);
            let differing: Vec<&AttributeName> = names.iter().filter(|name| one.get(name) != other.get(name)).collect();
            prop_assert_eq!(packed.differing(&others), differing);

            let (mut set, mut map, value) = (packed.clone(), one, value.map(|text| Value::text(&text)));
            set.set(&names[0], value.clone());
            map.remove(&names[0]);
            map.extend(value.map(|value| (names[0].clone(), value)));
            prop_assert_eq!(set, Values::from(map));
        }
    }
}
