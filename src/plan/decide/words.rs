//! What is told of decisions: pieces of sentences. What is decided is not known here.

use crate::model::{attribute::Value, capability::Verdict, id::SystemName, policy::Owned};

/// What a call of our own would have met, where it would not have been taken.
pub(super) fn instead(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Takes => String::new(),
        Verdict::Refuses { kind, reason } => format!(" (a call of its own would be refused, {kind}: {reason})"),
        Verdict::Doomed { reason } => format!(" (a call of its own would be doomed: {reason})"),
    }
}

/// The line that decided and what it looked at: `rules/ownership.rhai:2:1, where mattermost.auth_service is "gitlab"`.
pub(super) fn why(owned: &Owned) -> String {
    let looked_at: Vec<String> = owned
        .looked_at
        .iter()
        .map(|(what, value)| match value {
            Value::Text(text) => format!("{what} is \"{text}\""),
            Value::Bool(yes) => format!("{what} is {yes}"),
            Value::Empty => format!("{what} is empty"),
        })
        .collect();
    if looked_at.is_empty() { owned.origin.to_string() } else { format!("{}: {}", owned.origin, looked_at.join(", ")) }
}

/// A no, with whose the attribute is.
pub(super) fn belongs(no: String, system: Option<&SystemName>) -> String {
    match system {
        Some(system) => format!("{no}; it belongs to {system}"),
        None => no,
    }
}
