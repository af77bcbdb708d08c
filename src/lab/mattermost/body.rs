//! Reading JSON the way the server's language does (`mattermost.md` 1.3): unknown keys ignored, keys of structures
//! matched without regard to case, `null` the same as absent, whatever follows the first value ignored.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A body that cannot be read as what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecodable;

/// A structure: keys in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Structure(Map<String, Value>);

/// The first JSON value of a body.
pub(super) fn value(body: &[u8]) -> Result<Value, Undecodable> {
    let text = String::from_utf8_lossy(body);
    let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
    first.and_then(Result::ok).ok_or(Undecodable)
}

/// A body that is a structure. `null` is an empty one.
pub(super) fn structure(body: &[u8]) -> Result<Structure, Undecodable> {
    match value(body)? {
        Value::Object(map) => {
            let keys = map.into_iter().filter(|(_, value)| !value.is_null());
            Ok(Structure(keys.map(|(key, value)| (key.to_lowercase(), value)).collect()))
        }
        Value::Null => Ok(Structure::default()),
        _ => Err(Undecodable),
    }
}

/// A body that is a map rather than a structure: keys exactly as they are. Anything else is an empty map.
pub(super) fn map(body: &[u8]) -> Map<String, Value> {
    match value(body) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A map of texts. One value that is no text spoils the whole.
pub(super) fn texts(body: &[u8]) -> BTreeMap<String, String> {
    let entries = map(body).into_iter().map(|(key, value)| Some((key, value.as_str()?.to_owned())));
    entries.collect::<Option<_>>().unwrap_or_default()
}

/// A list of texts, sorted and each once.
pub(super) fn list(body: &[u8]) -> Result<Vec<String>, Undecodable> {
    let mut list: Vec<String> = match value(body)? {
        Value::Null => Vec::new(),
        value => serde_json::from_value(value).map_err(|_| Undecodable)?,
    };
    list.sort();
    list.dedup();
    Ok(list)
}

impl Structure {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Undecodable> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Undecodable),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Undecodable> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Undecodable),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Undecodable> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or(Undecodable),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, Undecodable> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let Value::Object(map) = value else { return Err(Undecodable) };
        let text = |value: &Value| match value {
            Value::Null => Ok(String::new()),
            value => value.as_str().map(str::to_owned).ok_or(Undecodable),
        };
        map.iter().map(|(key, value)| Ok((key.clone(), text(value)?))).collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<String>>, Undecodable> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|_| Undecodable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_is_read_without_regard_to_case_and_to_what_follows() {
        let read = structure(br#"{"UserName":"anna","Nickname":null,"position":1} trailing"#).unwrap();
        assert_eq!(read.text("username"), Ok(Some("anna".to_owned())));
        assert_eq!(read.text("nickname"), Ok(None));
        assert_eq!(read.text("position"), Err(Undecodable));
        assert_eq!(structure(b"").unwrap_err(), Undecodable);
        assert_eq!(structure(b"[]").unwrap_err(), Undecodable);
        assert_eq!(structure(b"null").unwrap().text("username"), Ok(None));
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        let read = structure(br#"{"email":"a@example.com","EMAIL":"b@example.com"}"#).unwrap();
        assert_eq!(read.text("email"), Ok(Some("b@example.com".to_owned())));
    }
}
