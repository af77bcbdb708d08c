//! Comparing data with a JSON Schema, and saying what is wrong in the user's words and at its place.
//!
//! It understands as much of JSON Schema as our own schemas use. It knows no key by name.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{
    document::{Places, Way},
    error::{ConfigError, Fault, Within, nearest},
    quantity::Share,
};

/// Something that is not as it should be.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The way to what must go before the rest can be read; `None` where something is missing instead.
    pub(super) way: Option<Way>,
    pub(super) error: ConfigError,
}

/// How messages call a string.
const TEXT: &str = "text in quotes";

/// One comparison.
pub(super) struct Shape<'a> {
    /// The schema that references lead into.
    pub(super) root: &'a Value,
    pub(super) places: &'a Places,
}

impl Shape<'_> {
    /// Everything that is wrong with `data`, which stands at the end of `way`.
    pub(super) fn faults(&self, data: &Value, schema: &Value, way: &Way) -> Vec<Misfit> {
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema.get("anyOf").or(schema.get("oneOf")).and_then(Value::as_array) {
            return self.alternatives(data, alternatives, way);
        }
        let key = way.last().cloned().unwrap_or_default();
        let at_value = || self.places.value(way);
        if let Some(allowed) = words(schema) {
            return match data {
                Value::String(word) if allowed.contains(word) => Vec::new(),
                Value::String(word) => {
                    let suggestion = nearest(word, allowed.iter().map(String::as_str));
                    let fault = Fault::NotOneOf { key, value: word.clone(), allowed, suggestion };
                    vec![misfit(way, at_value(), fault)]
                }
                other => vec![misfit(way, at_value(), wrong_type(key, TEXT, other, schema))],
            };
        }
        if let Some(expected) = mismatch(data, schema) {
            if data.is_string() && schema["writeOnly"] == true {
                let variable = way.iter().skip(usize::from(way.len() > 1)).map(|part| part.to_uppercase());
                let variable = variable.collect::<Vec<_>>().join("_").replace('-', "_");
                return vec![misfit(way, at_value(), Fault::SecretInClear { key, variable })];
            }
            return vec![misfit(way, at_value(), wrong_type(key, &expected, data, schema))];
        }
        match data {
            Value::Object(table) => self.table(table, schema, way),
            Value::Array(items) => match schema.get("items") {
                Some(schema) => {
                    let numbered = items.iter().enumerate();
                    numbered.flat_map(|(at, item)| self.faults(item, schema, &step(way, &at.to_string()))).collect()
                }
                None => Vec::new(),
            },
            Value::Number(number) => out_of_range(number.as_f64(), schema)
                .map(|limit| misfit(way, at_value(), Fault::OutOfRange { key, limit }))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        }
    }

    fn table(&self, table: &Map<String, Value>, schema: &Value, way: &Way) -> Vec<Misfit> {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let mut faults = Vec::new();
        let mut misspelt = Vec::new();
        for (key, value) in table {
            let way_there = step(way, key);
            match (properties.get(key), schema.get("additionalProperties")) {
                (Some(property), _) => faults.extend(self.faults(value, property, &way_there)),
                (None, Some(Value::Bool(false))) => {
                    // A table of tables is written in several places, everything else in one.
                    let is_of_tables =
                        |value: &Value| value.as_object().is_some_and(|tables| tables.values().all(Value::is_object));
                    let may_stand = |known: &&String| table.get(*known).is_none_or(is_of_tables);
                    let known: Vec<String> = properties.keys().filter(may_stand).cloned().collect();
                    let suggestion = nearest(key, known.iter().map(String::as_str));
                    misspelt.extend(suggestion.clone());
                    let within = Within(way.clone());
                    let fault = Fault::UnknownKey { key: key.clone(), within, suggestion, known };
                    faults.push(misfit(&way_there, self.places.key(&way_there), fault));
                }
                (None, Some(other @ Value::Object(_))) => faults.extend(self.faults(value, other, &way_there)),
                (None, _) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let missing = required.filter_map(Value::as_str).filter(|key| !table.contains_key(*key));
        // A key that is there with a slip of the finger is told once.
        for key in missing.filter(|key| misspelt.iter().all(|meant| meant != key)) {
            let example = properties.get(key).and_then(|property| property.get("examples")?.get(0));
            let add = example.map(|example| format!("{key} = {example}"));
            let fault = Fault::Missing { key: key.to_owned(), within: Within(way.clone()), add };
            faults.push(Misfit { way: None, error: ConfigError::new(self.places.key(way), fault) });
        }
        faults
    }

    /// Several schemas of which one must hold. What is told is what the nearest one says.
    fn alternatives(&self, data: &Value, alternatives: &[Value], way: &Way) -> Vec<Misfit> {
        // TOML has no null.
        let alternatives: Vec<&Value> = alternatives.iter().filter(|schema| schema["type"] != "null").collect();
        if let Some(allowed) = alternatives.iter().map(|schema| words(self.resolve(schema))).collect::<Option<Vec<_>>>()
        {
            let all: Vec<String> = allowed.into_iter().flatten().collect();
            return self.faults(data, &serde_json::json!({ "enum": all }), way);
        }
        let mut tried = alternatives.iter().map(|schema| {
            let fits = mismatch(data, self.resolve(schema)).is_none();
            (!fits, self.faults(data, schema, way))
        });
        let mut best: Option<(bool, Vec<Misfit>)> = None;
        for (unfit, faults) in tried.by_ref() {
            if faults.is_empty() {
                return faults;
            }
            if best.as_ref().is_none_or(|(other, least)| (unfit, faults.len()) < (*other, least.len())) {
                best = Some((unfit, faults));
            }
        }
        best.map(|(_, faults)| faults).unwrap_or_default()
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        // References of ours lead to definitions, and those hold no reference at their top: two steps are plenty.
        for _ in 0..4 {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
            match target.and_then(|name| self.root.get("$defs")?.get(name)) {
                Some(definition) => schema = definition,
                None => break,
            }
        }
        schema
    }
}

fn step(way: &Way, key: &str) -> Way {
    way.iter().cloned().chain([key.to_owned()]).collect()
}

fn misfit(way: &Way, span: Option<Range<usize>>, fault: Fault) -> Misfit {
    Misfit { way: Some(way.clone()), error: ConfigError::new(span, fault) }
}

fn wrong_type(key: String, expected: &str, found: &Value, schema: &Value) -> Fault {
    let share = found.as_str().and_then(Share::parse);
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    };
    let keys = schema.get("properties").and_then(Value::as_object);
    let keys = keys.into_iter().flat_map(|keys| keys.keys().cloned()).collect();
    Fault::WrongType { key, expected: expected.to_owned(), found, keys, share }
}

/// The words a schema allows, where it allows only words.
fn words(schema: &Value) -> Option<Vec<String>> {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(only) = schema.get("const") {
        return Some(vec![word(only)?]);
    }
    schema.get("enum")?.as_array()?.iter().filter(|value| !value.is_null()).map(word).collect()
}

/// What `data` should be, where it is of another type than the schema says.
fn mismatch(data: &Value, schema: &Value) -> Option<String> {
    let types: Vec<&str> = match schema.get("type")? {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        _ => return None,
    };
    let fits = types.iter().any(|one| match *one {
        "string" => data.is_string(),
        "integer" => data.is_i64() || data.is_u64(),
        "number" => data.is_number(),
        "boolean" => data.is_boolean(),
        "array" => data.is_array(),
        "object" => data.is_object(),
        _ => true,
    });
    let names = types.iter().map(|one| match *one {
        "string" => TEXT,
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "a table",
    });
    (!fits).then(|| names.collect::<Vec<_>>().join(" or "))
}

fn out_of_range(number: Option<f64>, schema: &Value) -> Option<String> {
    let number = number?;
    let bound = |name: &str| schema.get(name).filter(|bound| bound.is_number());
    let (least, most) = (bound("minimum"), bound("maximum"));
    let below = least.and_then(Value::as_f64).is_some_and(|least| number < least);
    let above = most.and_then(Value::as_f64).is_some_and(|most| number > most);
    (below || above).then(|| match (least, most) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        (Some(least), None) => format!("{least} or more"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "another number".to_owned(),
    })
}
