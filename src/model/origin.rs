//! Where something was said: a place in a rule, or a place in an input.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A place in a script: file, line and column as an editor counts them, and the line itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    /// The script, relative to the project.
    pub(crate) file: Arc<str>,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    /// The text of the line, trimmed.
    pub(crate) text: Arc<str>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The line of a rule that led to a decision, as the plan shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Because {
    /// `file:line:column`.
    pub(crate) rule: String,
    /// The text of that line.
    pub(crate) text: String,
}

impl From<&Origin> for Because {
    fn from(origin: &Origin) -> Self {
        Self { rule: origin.to_string(), text: origin.text.to_string() }
    }
}
