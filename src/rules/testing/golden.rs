//! Golden plans: what a plan came to when somebody looked at it and found it right, kept beside the tests.
//!
//! Kept is what rules decide. Left out is what every edit of a rule or every day would change: the plan's `id`, the digest
//! of the rules, the day, where accounts live, what is remembered afterwards (`links`, `seen`), marks of operations, digests
//! of inputs, and where in a file a line stands: a line is known by its text. Totals are left out too: they say nothing that
//! the changes do not.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;
use serde_json::Value;

use crate::model::plan::Plan;

/// The golden plans of a project, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Goldens {
    /// Those that are there, as they were read.
    pub(crate) kept: BTreeMap<String, Arc<str>>,
    /// Whether what tests find is what shall be there.
    pub(crate) update: bool,
    fresh: BTreeMap<String, Arc<str>>,
}

impl Goldens {
    /// Those that were read from files.
    pub(crate) fn new(kept: BTreeMap<String, Arc<str>>, update: bool) -> Self {
        Self { kept, update, fresh: BTreeMap::new() }
    }

    /// Notes what a plan came to. Says what is wrong with it, where something is: a sentence, what is kept, what is there.
    pub(super) fn compare(&mut self, name: &str, plan: &Plan) -> Result<(), (String, Option<(String, String)>)> {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !fits || name.starts_with('.') {
            let message = format!("`{name}` names no golden plan: letters, digits, `-`, `_` and `.` do");
            return Err((message, None));
        }
        let found: Arc<str> = pretty(plan).into();
        if self.update {
            self.fresh.insert(name.to_owned(), found);
            return Ok(());
        }
        match self.kept.get(name) {
            None => Err((
                format!("there is no golden plan `{name}` yet; `homeward test --update` writes what is there"),
                None,
            )),
            Some(kept) if kept.trim_end() == found.trim_end() => Ok(()),
            Some(kept) => {
                let (left, right) = difference(&found, kept);
                let message =
                    format!("the plan is not the golden plan `{name}`; `homeward test --update` takes this one");
                Err((message, Some((left, right))))
            }
        }
    }

    /// Those that differ from what is kept.
    pub(super) fn to_write(&self) -> BTreeMap<String, Arc<str>> {
        let differs = |(name, text): &(&String, &Arc<str>)| self.kept.get(*name) != Some(*text);
        self.fresh.iter().filter(differs).map(|(name, text)| (name.clone(), Arc::clone(text))).collect()
    }
}

/// A plan as it is kept.
pub(super) fn pretty(plan: &Plan) -> String {
    let mut json = serde_json::to_value(plan).unwrap_or_default();
    if let Some(fields) = json.as_object_mut() {
        for name in ["format", "id", "rules", "today", "systems", "summary", "links", "seen"] {
            fields.shift_remove(name);
        }
    }
    // A pattern that is written here is one.
    let place = Regex::new(r"(\S+\.rhai):\d+(:\d+)?").ok();
    settle(&mut json, place.as_ref());
    let mut text = serde_json::to_string_pretty(&json).unwrap_or_default();
    text.push('\n');
    text
}

/// Takes away what an edit of the rules would change.
fn settle(json: &mut Value, place: Option<&Regex>) {
    match json {
        Value::Object(fields) => {
            for name in ["mark", "sha256"] {
                fields.shift_remove(name);
            }
            fields.values_mut().for_each(|value| settle(value, place));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| settle(value, place)),
        Value::String(text) => {
            if let Some(place) = place {
                *text = place.replace_all(text, "$1").into_owned();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The lines of two texts from the first that differs to the last that does, at most a few.
fn difference(left: &str, right: &str) -> (String, String) {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
    let rest = left[same..].iter().rev().zip(right[same..].iter().rev()).take_while(|(a, b)| a == b).count();
    let part = |lines: &[&str]| {
        let lines = &lines[same..lines.len() - rest];
        let shown: Vec<&str> = lines.iter().take(8).map(|line| line.trim()).collect();
        let more = lines.len().saturating_sub(8);
        let tail = if more > 0 { format!(" … and {more} more") } else { String::new() };
        if shown.is_empty() { "nothing".to_owned() } else { format!("{}{tail}", shown.join(" ")) }
    };
    (part(&left), part(&right))
}
