//! The parameters of a request and what WordPress finds wrong with them, before it looks at rights
//! (`wordpress.md` 4 and 5).

use serde_json::{Map, Value, json};

use super::{
    query::words,
    refusal::{BadParameter, Refusal},
    settings::Version,
    user::Context,
    wording::listed,
};

/// The orders a list can have.
const ORDERS: [&str; 8] = ["id", "include", "name", "registered_date", "slug", "include_slugs", "email", "url"];

/// The columns a search can look at.
const COLUMNS: [&str; 5] = ["email", "name", "id", "username", "slug"];

/// Parameters whose lists may be written as one text.
pub(super) const LISTS: [&str; 6] = ["exclude", "include", "search_columns", "slug", "roles", "capabilities"];

/// Parameters by name: those of the body before those of the query.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(pub(super) Map<String, Value>);

impl Params {
    /// The value; nothing for one that is not there or `null`.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// True for what PHP takes as nothing.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        match self.value(name) {
            None | Some(Value::Bool(false)) => true,
            Some(Value::String(text)) => text.is_empty() || text == "0",
            Some(Value::Array(list)) => list.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(value) => *value == json!(0),
        }
    }

    /// The entries of a list, however it is written; what is no text is none.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::String(text)) => words(text),
            Some(Value::Array(list)) => {
                list.iter().map(|entry| entry.as_str().map_or_else(|| entry.to_string(), str::to_owned)).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn context(&self) -> Context {
        self.value("context").and_then(Value::as_str).and_then(Context::named).unwrap_or(Context::View)
    }
}

/// A judge of parameters, which collects what is wrong.
pub(super) struct Judge<'a> {
    params: &'a Params,
    bad: Vec<BadParameter>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(params: &'a Params) -> Self {
        Self { params, bad: Vec::new() }
    }

    pub(super) fn fault(&mut self, bad: BadParameter) {
        self.bad.push(bad);
    }

    /// A text, where there is one.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let text = self.params.0.get(name)?.as_str().map(str::to_owned);
        if text.is_none() {
            self.bad.push(BadParameter::of_type(name, name, "string"));
        }
        text
    }

    /// One of some words.
    pub(super) fn word(&mut self, name: &str, words: &[&str]) -> Option<String> {
        let text = self.text(name)?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        self.bad.push(BadParameter::new(name, "rest_not_in_enum", not_one_of(name, words)));
        None
    }

    /// A whole number within limits.
    fn number(&mut self, name: &str, least: i64, most: Option<i64>) -> Option<u64> {
        let Some(number) = whole(self.params.0.get(name)?) else {
            self.bad.push(BadParameter::of_type(name, name, "integer"));
            return None;
        };
        if number >= least && most.is_none_or(|most| number <= most) {
            return u64::try_from(number).ok();
        }
        let message = match most {
            Some(most) => format!("{name} must be between {least} (inclusive) and {most} (inclusive)"),
            None => format!("{name} must be greater than or equal to {least}"),
        };
        self.bad.push(BadParameter::new(name, "rest_out_of_bounds", message));
        None
    }

    /// A list of ids.
    fn ids(&mut self, name: &str) -> Vec<u64> {
        let mut ids = Vec::new();
        for (at, entry) in self.params.list(name).iter().enumerate() {
            let Some(id) = whole(&json!(entry)) else {
                self.bad.push(BadParameter::of_type(name, &format!("{name}[{at}]"), "integer"));
                break;
            };
            // A number that nobody can have is simply nobody's.
            ids.push(u64::try_from(id).unwrap_or_default());
        }
        ids
    }

    /// A list of some words.
    fn words(&mut self, name: &str, words: &[&str]) -> Vec<String> {
        let entries = self.params.list(name);
        if let Some(at) = entries.iter().position(|entry| !words.contains(&entry.as_str())) {
            let message = not_one_of(&format!("{name}[{at}]"), words);
            self.bad.push(BadParameter::new(name, "rest_not_in_enum", message));
        }
        entries
    }

    pub(super) fn verdict(self) -> Result<(), Refusal> {
        if self.bad.is_empty() { Ok(()) } else { Err(Refusal::invalid(&self.bad)) }
    }
}

/// A whole number, written as one or as a text.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn not_one_of(place: &str, words: &[&str]) -> String {
    format!("{place} is not one of {}.", listed(words))
}

/// What a list of users shall be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) context: Context,
    pub(super) page: u64,
    pub(super) per_page: u64,
    pub(super) offset: Option<u64>,
    pub(super) descending: bool,
    pub(super) order_by: String,
    pub(super) search: String,
    pub(super) columns: Vec<String>,
    pub(super) include: Vec<u64>,
    pub(super) exclude: Vec<u64>,
    pub(super) slugs: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) capabilities: Vec<String>,
}

impl Wanted {
    pub(super) fn read(params: &Params, version: Version) -> Result<Self, Refusal> {
        let mut judge = Judge::new(params);
        judge.word("context", &["view", "embed", "edit"]);
        let wanted = Self {
            context: params.context(),
            page: judge.number("page", 1, None).unwrap_or(1),
            per_page: judge.number("per_page", 1, Some(100)).unwrap_or(10),
            search: judge.text("search").unwrap_or_default().trim().to_owned(),
            exclude: judge.ids("exclude"),
            include: judge.ids("include"),
            offset: judge.number("offset", i64::MIN, None).filter(|offset| *offset > 0),
            descending: judge.word("order", &["asc", "desc"]).is_some_and(|order| order == "desc"),
            order_by: judge.word("orderby", &ORDERS).unwrap_or_else(|| "name".to_owned()),
            columns: if version.knows_search_columns() { judge.words("search_columns", &COLUMNS) } else { Vec::new() },
            slugs: params.list("slug"),
            roles: params.list("roles"),
            capabilities: params.list("capabilities"),
        };
        judge.verdict().map(|()| wanted)
    }
}
