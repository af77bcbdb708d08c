//! The conductor: the ten steps from reading to report, each done by the room it belongs to.
//!
//! This room knows everybody and decides nothing: what may be sent is decided in `plan`, who owns what in `rules`, how a
//! provider is spoken to in `connector`.

use crate::{
    connector::ConnectorError,
    model::id::SystemName,
    rules::RuleError,
    source::{FileRefused, wordpress::refused::ListRefused},
    state::StateError,
    wire::WireError,
};

pub(crate) mod belief;
pub(crate) mod certify;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod correct;
mod crew;
pub(crate) mod document;
mod ears;
pub(crate) mod estimate;
pub(crate) mod examine;
pub(crate) mod execute;
pub(crate) mod expectations;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod gather;
pub(crate) mod holds;
pub(crate) mod kinds;
mod mapping;
pub(crate) mod measure;
pub(crate) mod observe;
pub(crate) mod own;
pub(crate) mod prepare;
pub(crate) mod project;
pub(crate) mod protected;
pub(crate) mod rehearse;
pub(crate) mod resume;
mod route;
pub(crate) mod seal;
pub(crate) mod sign_in;
pub(crate) mod tokens;
pub(crate) mod undo;
pub(crate) mod verify;
pub(crate) mod vet;
pub(crate) mod watch;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;

/// An error with its causes, in one line. What a cause says that was said already is left out.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes
        .map(ToString::to_string)
        .fold(error.to_string(), |text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The command line names something that is not configured.
    #[error("no system `{name}` is configured")]
    UnknownSystem { name: String, known: Vec<String> },
    /// The command line gives a file to something that reads none.
    #[error("`{system}` is a provider of kind `{kind}` and reads no file")]
    NoSource { system: SystemName, kind: String },
    /// A file that a simulator should begin with is not what it should be.
    #[error("{file} cannot be used: {cause}")]
    Seed { file: String, cause: String },
    /// A lab is wanted and has nothing that stands for this system.
    #[error("the lab has no simulator for `{system}`, of kind `{kind}`")]
    NoSimulator { system: SystemName, kind: String, known: Vec<String> },
    /// A source without a `source` line in the rules: nobody could say what its records mean.
    #[error("the rules have no `source(\"{system}\", …)` line, so nobody can tell what its records mean")]
    NoMeaning {
        system: SystemName,
        key: String,
        /// The columns of its list by the names that rules know them by; none where it was not read.
        columns: Vec<String>,
    },
    /// An input is not what it should be.
    #[error(transparent)]
    Refused(#[from] FileRefused),
    /// A website could not be read as a whole.
    #[error(transparent)]
    Unheard(#[from] ListRefused),
    /// A rule failed on every record, or on a person.
    #[error(transparent)]
    Rule(Box<RuleError>),
    /// A provider could not be read.
    #[error("{system} could not be read")]
    Unread { system: SystemName, source: Box<ConnectorError> },
    /// The same, of one that is asked with people's own tokens.
    #[error("{system} could not be read")]
    UnreadByPeople { system: SystemName, source: Box<ConnectorError> },
    /// People's own tokens at a system cannot be had.
    #[error("the tokens of people at {system} cannot be had")]
    Unfound { system: SystemName, source: tokens::Unfound },
    /// A line could not be made.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The store could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Somebody asked to stop before all was sent.
    #[error("stopped before {left} calls of run {run} were sent")]
    Stopped { run: i64, left: usize },
    /// A saved plan cannot be used.
    #[error("{file} is no plan this program can apply: {cause}")]
    BadPlan { file: String, cause: String },
}
