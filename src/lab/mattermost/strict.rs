//! Strict reading of what people write for the lab: an unknown or wrong key is named with its place.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads a structure all of whose fields are optional. `place` is where it stands, empty at the top.
pub(super) fn read<T: DeserializeOwned>(place: &str, value: &Value) -> Result<T, String> {
    let at = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    let Value::Object(map) = value else {
        return Err(format!("{}: an object is expected", if place.is_empty() { "the seed" } else { place }));
    };
    // Field by field first, because an error of the whole does not say which field it is about.
    for (key, value) in map {
        serde_json::from_value::<T>(json!({ key: value })).map_err(|error| format!("{}: {error}", at(key)))?;
    }
    serde_json::from_value(value.clone()).map_err(|error| format!("{place}: {error}"))
}
