//! JSON as an answer may hold it: every object says each thing once, and nothing is deeper than can be read.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Reads a body; `None` where it is no JSON, or says something twice: that could be read in two ways.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Plain>(body).ok().map(|plain| plain.0)
}

/// JSON in which every object says each thing once.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Plain(value))) = pairs.next_entry::<String, Plain>()? {
            if object.insert(name, value).is_some() {
                return Err(de::Error::custom("a name is said twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_as_it_stands_and_not_where_it_says_something_twice() {
        let whole = json!({ "a": [1, -2, 0.5, "x", null, true, { "b": {} }], "c": u64::MAX });
        assert_eq!(read(whole.to_string().as_bytes()), Some(whole));
        for bad in ["{\"a\":1,\"a\":1}", "[{\"a\":{\"b\":1,\"b\":2}}]", "1e999", "{\"a\":1", "", "\u{fe}", "[1] 2"] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(read(&[b'"', 0xff, b'"']), None);
        assert_eq!(read("[".repeat(100_000).as_bytes()), None);
    }
}
