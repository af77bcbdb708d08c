//! Errors in the user's words: where, the line itself, the cause, and what to do next.
//!
//! Rooms below hold facts. Here they become an excerpt with a mark, a chain of causes, a hint and an exit code. Rhai counts
//! columns in characters and excerpts count bytes; they are converted here and nowhere else.

use std::{error::Error, sync::Arc};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

use super::{Exit, render::harmless};
use crate::{
    config::error::ConfigErrors, model::origin::Origin, plan::guard::Tripped, rules::RuleError, run::RunError,
    wire::WireError,
};

/// Something that went wrong, ready to be told.
pub(super) struct Trouble {
    pub(super) exit: Exit,
    reports: Vec<Report>,
}

impl Trouble {
    /// One fault without a place.
    pub(super) fn new(exit: Exit, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { exit, reports: vec![plain(message.into(), hint)] }
    }

    /// Prints everything on standard error.
    pub(super) fn tell(&self) {
        let width = terminal_width();
        let handler =
            GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_width(width).with_context_lines(1);
        for report in &self.reports {
            let mut text = String::new();
            if handler.render_report(&mut text, report.as_ref()).is_err() {
                text = report.to_string();
            }
            anstream::eprintln!("{}", text.trim_end());
        }
    }

    /// The messages alone, for machines.
    pub(super) fn messages(&self) -> Vec<String> {
        self.reports.iter().map(ToString::to_string).collect()
    }
}

/// Columns of the terminal that errors go to.
fn terminal_width() -> usize {
    crate::config::late::columns().unwrap_or(100).clamp(40, 160)
}

fn plain(message: String, hint: Option<String>) -> Report {
    let mut diagnostic = MietteDiagnostic::new(harmless_lines(&message));
    if let Some(hint) = hint {
        diagnostic = diagnostic.with_help(hint);
    }
    Report::new(diagnostic)
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// An excerpt with marks: byte spans with a word at each.
fn marked(message: String, hint: Option<String>, file: &str, text: &str, marks: Vec<LabeledSpan>) -> Report {
    let mut diagnostic = MietteDiagnostic::new(harmless_lines(&message)).with_labels(marks);
    if let Some(hint) = hint {
        diagnostic = diagnostic.with_help(hint);
    }
    Report::new(diagnostic).with_source_code(NamedSource::new(file, text.to_owned()))
}

impl From<ConfigErrors> for Trouble {
    fn from(errors: ConfigErrors) -> Self {
        let reports = errors.errors.iter().map(|error| match error.span() {
            Some(span) => {
                let mark = LabeledSpan::new_with_span(Some("here".to_owned()), span);
                marked(error.to_string(), error.hint(), &errors.file, &errors.text, vec![mark])
            }
            None => plain(error.to_string(), error.hint()),
        });
        Self { exit: Exit::Usage, reports: reports.collect() }
    }
}

impl From<Vec<RuleError>> for Trouble {
    fn from(errors: Vec<RuleError>) -> Self {
        Self { exit: Exit::Usage, reports: errors.iter().map(rule).collect() }
    }
}

fn rule(error: &RuleError) -> Report {
    let mut message = error.to_string();
    if let Some(record) = error.record() {
        message = format!("{message} (on {record})");
    }
    let (Some(origin), Some(text)) = (error.origin(), error.source_text()) else {
        return plain(message, error.hint());
    };
    let start = byte_of(text, origin.line, origin.column);
    let length = text[start..].chars().take(error.span_chars().max(1)).map(char::len_utf8).sum::<usize>();
    let second = error.second();
    let here = if second.is_some() { "second" } else { "here" };
    let mut marks = vec![LabeledSpan::new(Some(here.to_owned()), start, length)];
    let mut hint = error.hint();
    if let Some((first, word)) = second {
        if first.file == origin.file {
            let start = byte_of(text, first.line, first.column);
            let rest = text[start..].lines().next().unwrap_or_default().trim_end().len();
            marks.push(LabeledSpan::new(Some(word.to_owned()), start, rest));
        } else {
            hint = Some(format!("{} {word}: {first}", hint.unwrap_or_default()).trim().to_owned());
        }
    }
    marked(message, hint, &origin.file, text, marks)
}

/// Where a place of an editor lies in the text: line and column from 1, column in characters. The end of the text where
/// it lies beyond.
fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number + 1 == line {
            let within: usize = content.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
            return start + within.min(content.trim_end_matches(['\n', '\r']).len());
        }
        start += content.len();
    }
    text.len()
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        let text = chain(&error);
        match error {
            RunError::UnknownSystem { ref known, .. } => {
                let known = known.join(", ");
                Self::new(Exit::Usage, text, Some(format!("configured under [systems]: {known}")))
            }
            RunError::NoSource { .. } => {
                let hint = "only sources such as kind = \"csv\" take a file: homeward plan hr=people.csv";
                Self::new(Exit::Usage, text, Some(hint.to_owned()))
            }
            RunError::NoInput { .. } => Self::new(
                Exit::Refused,
                text,
                Some("check the path; it is looked for from where you are, or from -C DIR".to_owned()),
            ),
            RunError::NoMeaning { ref system } => {
                let hint = format!(
                    "add to a file in rules/:\nsource(\"{system}\", |row| #{{ key: row.employee_id, email: row.email }});"
                );
                Self::new(Exit::Usage, text, Some(hint))
            }
            RunError::Refused(ref refused) => Self::new(Exit::Refused, text, Some(refused.hint())),
            RunError::Rule(rule_error) => vec![*rule_error].into(),
            RunError::Unread { ref source, .. } => Self::new(Exit::Unread, text, Some(unread_hint(source))),
            RunError::Wire(_) => Self::new(Exit::Unread, text, None),
            RunError::State(ref state) => {
                let hint = match state {
                    crate::state::StateError::Newer { .. } => {
                        "use the version of homeward that wrote it, or a newer one"
                    }
                    crate::state::StateError::Locked { .. } => {
                        "wait until the other run is over; its lock goes with it"
                    }
                    _ => {
                        "check the folder's rights and the space on its disk; nothing was sent that is not written down"
                    }
                };
                Self::new(Exit::Fault, text, Some(hint.to_owned()))
            }
            RunError::Tripped(tripped) => tripped_limits(&tripped),
            RunError::BadPlan { .. } => {
                Self::new(Exit::Usage, text, Some("make it again with: homeward plan … --out plan.json".to_owned()))
            }
        }
    }
}

fn tripped_limits(tripped: &[Tripped]) -> Trouble {
    let reports = tripped.iter().map(|one| {
        let (Tripped::Changes { examples, .. } | Tripped::Removals { examples, .. }) = one;
        let who: Vec<String> = examples.iter().map(ToString::to_string).collect();
        let hint = format!(
            "among them {}; look at the input first, then raise the limit in [limits] if it is right",
            who.join(", ")
        );
        plain(one.to_string(), Some(hint))
    });
    Trouble { exit: Exit::Limit, reports: reports.collect() }
}

fn unread_hint(error: &crate::connector::ConnectorError) -> String {
    use crate::connector::ConnectorError::{Refused, Strange, Wire};
    match error {
        Wire(WireError::Unreachable { .. }) => {
            "check `url` in homeward.toml and that the server runs; --lab uses a simulator instead"
        }
        Wire(WireError::Timeout { .. }) => "try again, or raise `timeout` for this system in homeward.toml",
        Wire(WireError::NoToken { .. }) => "check the key or token of this system",
        Wire(_) => "try again; nothing was changed",
        Refused { .. } => "check the token and its rights with: homeward check --connect",
        Strange { .. } => "check that `url` points at the server itself, not at a login page or a proxy",
    }
    .to_owned()
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = next.source();
    }
    text
}

/// An excerpt for a warning of `check`.
pub(super) fn warning(message: &str, origin: &Origin, text: Option<&Arc<str>>) -> Report {
    match text {
        Some(text) => {
            let start = byte_of(text, origin.line, origin.column);
            let length = text[start..].lines().next().unwrap_or_default().trim_end().len().max(1);
            marked(
                message.to_owned(),
                None,
                &origin.file,
                text,
                vec![LabeledSpan::new(Some("here".to_owned()), start, length)],
            )
        }
        None => plain(format!("{message} ({origin})"), None),
    }
}

#[cfg(test)]
mod tests {
    use super::byte_of;

    #[test]
    fn a_column_in_characters_is_found_among_umlauts_and_emoji() {
        let text = "// grüße 🙂 x\nowner(\"ü\", \"hr\");\n";
        assert_eq!(&text[byte_of(text, 1, 12)..=byte_of(text, 1, 12)], "x");
        assert_eq!(&text[byte_of(text, 2, 12)..][..4], "\"hr\"");
        assert_eq!(byte_of(text, 1, 99), 17);
        assert_eq!(byte_of(text, 9, 1), text.len());
    }
}
