//! Strict reading of what people write for the lab: an unknown or wrong key is named with its place. A seed that is silently
//! half read makes a test that proves nothing.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Reads a structure all of whose fields are optional. `place` is where it stands, empty at the top.
pub(super) fn read<T: DeserializeOwned>(place: &str, value: &Value) -> Result<T, String> {
    let at = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    let Value::Object(fields) = value else {
        return Err(format!("{}: an object is expected", if place.is_empty() { "the seed" } else { place }));
    };
    // Field by field first, because an error of the whole does not say which field it is about.
    for (key, value) in fields {
        serde_json::from_value::<T>(json!({ key: value })).map_err(|error| format!("{}: {error}", at(key)))?;
    }
    serde_json::from_value(value.clone()).map_err(|error| format!("{place}: {error}"))
}

/// Settings with some of them replaced.
pub(super) fn merged<T: Serialize + DeserializeOwned>(settings: &T, wanted: &Value) -> Result<T, String> {
    read::<T>("settings", wanted)?;
    let wrong = |error| format!("settings: {error}");
    let mut all = serde_json::to_value(settings).map_err(wrong)?;
    for (name, value) in wanted.as_object().into_iter().flatten() {
        all[name.as_str()] = value.clone();
    }
    serde_json::from_value(all).map_err(wrong)
}
