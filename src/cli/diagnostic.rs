//! Errors in the user's words: where, the line itself, the cause, and what to do next.
//!
//! Rooms below hold facts. Here they become an excerpt with a mark, a chain of causes, a hint and an exit code. Rhai counts
//! columns in characters and excerpts count bytes; they are converted here and nowhere else. What the program cannot know
//! is what a message is for: every fault carries its own hint, or none is right.

use std::{error::Error, fmt, ops::Range, sync::Arc};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode};
use serde_json::{Value, json};

use super::{Exit, document, render::harmless, tell, width};
use crate::{
    config::error::ConfigErrors,
    connector::ConnectorError,
    model::{id::SystemName, refusal::RefusalKind},
    plan::guard::Tripped,
    rules::{
        Place, RuleError,
        lint::{Finding, code::Severity as Found},
    },
    run::{RunError, told},
    state::StateError,
    wire::WireError,
};

/// Something that went wrong, ready to be told.
pub(super) struct Trouble {
    pub(super) exit: Exit,
    faults: Vec<Told>,
}

/// One thing to tell.
pub(super) struct Told {
    message: String,
    hint: Option<String>,
    severity: Severity,
    place: Option<Excerpt>,
    /// Another place that has to do with it, in another file, and what it is.
    also: Option<(String, Excerpt)>,
}

/// Marked places in a text.
struct Excerpt {
    file: String,
    text: Arc<str>,
    /// Bytes, and a word for each where there are several. The first is the place of the fault.
    marks: Vec<(Range<usize>, Option<String>)>,
}

impl Trouble {
    /// One fault without a place.
    pub(super) fn new(exit: Exit, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { exit, faults: vec![Told::plain(message.into(), hint)] }
    }

    /// The same, with another one told after it.
    pub(super) fn and(mut self, next: Self) -> Self {
        self.faults.extend(next.faults);
        self
    }

    /// Several troubles as one, with the exit code of the first; `None` where there is none.
    pub(super) fn all(troubles: impl IntoIterator<Item = Self>) -> Option<Self> {
        troubles.into_iter().reduce(|mut all, next| {
            all.faults.extend(next.faults);
            all
        })
    }

    /// What is wrong with rules; `None` where nothing is.
    pub(super) fn of_rules(errors: &[RuleError]) -> Option<Self> {
        (!errors.is_empty()).then(|| Self { exit: Exit::Usage, faults: errors.iter().map(rule).collect() })
    }

    /// Prints everything on standard error.
    pub(super) fn tell(&self) {
        let drawn: Vec<String> = self.faults.iter().map(Told::draw).collect();
        tell(&drawn.join("\n\n"));
    }

    /// Everything for machines.
    pub(super) fn as_json(&self) -> Value {
        document("errors", json!({ "errors": self.faults.iter().map(Told::as_json).collect::<Vec<_>>() }))
    }
}

impl Told {
    fn plain(message: String, hint: Option<String>) -> Self {
        Self { message, hint, severity: Severity::Error, place: None, also: None }
    }

    /// What `check` found.
    pub(super) fn finding(finding: &Finding) -> Self {
        let severity = match finding.severity() {
            Found::Error => Severity::Error,
            Found::Warning => Severity::Warning,
        };
        let message = format!("{} [{}]", finding.message, finding.code);
        let mut told = Self { severity, ..Self::plain(message, finding.hint.clone()) };
        let Some(place) = &finding.place else { return told };
        let mut marks = vec![(span_of(place), None)];
        if let Some((second, word)) = &finding.related {
            let span = span_of(second);
            if second.origin.file != place.origin.file {
                let excerpt = Excerpt::new(&second.origin.file, &second.text, vec![(span, None)]);
                told.also = Some((word.clone(), excerpt));
            } else if second.origin.line != place.origin.line {
                marks[0].1 = Some("here".to_owned());
                marks.push((span, Some(word.clone())));
            }
        }
        told.place = Some(Excerpt::new(&place.origin.file, &place.text, marks));
        told
    }

    /// As it is shown: the message, the excerpt, the hint.
    pub(super) fn draw(&self) -> String {
        let mut message = lines(&self.message);
        let place = self.place.as_ref().filter(|place| place.fits());
        if let (None, Some(unshown)) = (place, &self.place) {
            let (line, column) = unshown.line_and_column();
            message = format!("{message} ({}:{line}:{column}, a line too long to be shown)", unshown.file);
        }
        let drawn = Drawn { message, hint: self.hint.clone(), severity: self.severity, place };
        let mut text = drawn.to_text();
        if let Some((message, place)) = &self.also {
            let also = Drawn {
                message: message.clone(),
                hint: None,
                severity: Severity::Advice,
                place: Some(place).filter(|it| it.fits()),
            };
            text = format!("{text}\n{}", also.to_text());
        }
        text
    }

    /// The same for machines.
    pub(super) fn as_json(&self) -> Value {
        let (line, column) = self.place.as_ref().map(Excerpt::line_and_column).unzip();
        json!({
            "message": lines(&self.message), "file": self.place.as_ref().map(|place| &place.file),
            "line": line, "column": column, "hint": self.hint,
        })
    }
}

/// A line of so many bytes is no line for people: it is not shown.
const LONG_LINE: usize = 1_000;

impl Excerpt {
    /// Whether the lines that are marked, and their neighbours, can be shown.
    fn fits(&self) -> bool {
        self.marks.iter().all(|(span, _)| {
            let (before, after) = (&self.text[..span.start], &self.text[span.start..]);
            let near = before.rsplit('\n').take(2).chain(after.split('\n').take(2));
            near.map(str::len).sum::<usize>() < LONG_LINE
        })
    }

    /// The text with nothing in it that acts, and every byte at its place.
    fn shown(&self) -> String {
        let shown = |c: char| {
            let acts = !matches!(c, '\t' | '\n' | '\r') && harmless(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8();
            match c.len_utf8() {
                _ if !acts => c,
                1 => '?',
                2 => '¿',
                _ => '\u{fffd}',
            }
        };
        self.text.chars().map(shown).collect()
    }

    fn new(file: &str, text: &Arc<str>, mut marks: Vec<(Range<usize>, Option<String>)>) -> Self {
        for (span, _) in &mut marks {
            if span.start == span.end && text[span.start.min(text.len())..].trim().is_empty() {
                // At the end there is nothing to mark: the last character there is is the nearest.
                let end = text.trim_end().len();
                let last = text[..end].chars().next_back().map_or(0, char::len_utf8);
                *span = end - last..end;
            }
        }
        Self { file: file.to_owned(), text: Arc::clone(text), marks }
    }

    /// Where the first mark begins, both from 1, the column in characters.
    fn line_and_column(&self) -> (usize, usize) {
        let start = self.marks.first().map_or(0, |(span, _)| span.start);
        let before = &self.text[..start];
        (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
    }
}

/// A fault as the drawing library wants it.
struct Drawn<'a> {
    message: String,
    hint: Option<String>,
    severity: Severity,
    place: Option<&'a Excerpt>,
}

impl Drawn<'_> {
    fn to_text(&self) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
            .with_width(width(&std::io::stderr()).unwrap_or(100).clamp(40, 160))
            .with_context_lines(1);
        let source = self.place.map(|place| NamedSource::new(&place.file, place.shown()));
        let mut text = String::new();
        match handler.render_report(&mut text, &Sourced { drawn: self, source }) {
            Ok(()) => text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"),
            Err(_) => self.message.clone(),
        }
    }
}

struct Sourced<'a> {
    drawn: &'a Drawn<'a>,
    source: Option<NamedSource<String>>,
}

impl fmt::Debug for Sourced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.drawn.message)
    }
}

impl fmt::Display for Sourced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.drawn.message)
    }
}

impl Error for Sourced<'_> {}

impl Diagnostic for Sourced<'_> {
    fn severity(&self) -> Option<Severity> {
        Some(self.drawn.severity)
    }

    fn help<'h>(&'h self) -> Option<Box<dyn fmt::Display + 'h>> {
        self.drawn.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let marks = self.drawn.place?.marks.iter();
        Some(Box::new(marks.map(|(span, word)| LabeledSpan::new_with_span(word.clone(), span.clone()))))
    }
}

/// A message from anywhere: no control character acts, and no number of the operating system stands in it.
fn lines(text: &str) -> String {
    text.lines().map(|line| harmless(&without_number(line))).collect::<Vec<_>>().join("\n")
}

/// `Permission denied (os error 13)` as `Permission denied`.
fn without_number(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(" (os error ") {
        kept.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    kept + rest
}

impl From<ConfigErrors> for Trouble {
    fn from(errors: ConfigErrors) -> Self {
        let text = errors.shown();
        let told = errors.errors.iter().map(|error| Told {
            place: error.span().map(|span| Excerpt::new(&errors.file, &text, vec![(span, None)])),
            ..Told::plain(error.to_string(), error.hint())
        });
        Self { exit: Exit::Usage, faults: told.collect() }
    }
}

impl From<Vec<RuleError>> for Trouble {
    fn from(errors: Vec<RuleError>) -> Self {
        Self { exit: Exit::Usage, faults: errors.iter().map(rule).collect() }
    }
}

/// A fault of the rules, at the line where it lies.
pub(super) fn rule(error: &RuleError) -> Told {
    let mut message = error.to_string();
    if let Some(record) = error.record() {
        message = format!("{message} (on {record})");
    }
    let mut told = Told::plain(message, error.hint());
    let (Some(origin), Some(text)) = (error.origin(), error.source_text()) else { return told };
    let start = byte_of(text, origin.line, origin.column);
    let length = text[start..].chars().take(error.span_chars().max(1)).take_while(|c| *c != '\n');
    let here = start..start + length.map(char::len_utf8).sum::<usize>();
    let mut marks = vec![(here, None)];
    if let Some(((first, word), other)) = error.second().zip(error.second_source_text()) {
        let start = byte_of(other, first.line, first.column);
        let rest = other[start..].lines().next().unwrap_or_default().trim_end().len();
        let span = start..start + rest;
        if first.file == origin.file && !span.contains(&marks[0].0.start) {
            marks[0].1 = Some("here".to_owned());
            marks.push((span, Some(word.to_owned())));
        } else if first.file != origin.file {
            told.also = Some((word.to_owned(), Excerpt::new(&first.file, &other.into(), vec![(span, None)])));
        }
    }
    told.place = Some(Excerpt::new(&origin.file, &text.into(), marks));
    told
}

/// The bytes that a place marks.
fn span_of(place: &Place) -> Range<usize> {
    let start = byte_of(&place.text, place.origin.line, place.origin.column);
    let marked = place.text[start..].chars().take(place.span).take_while(|c| *c != '\n');
    start..start + marked.map(char::len_utf8).sum::<usize>()
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

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Self {
        RunError::from(error).into()
    }
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        let text = told(&error);
        match error {
            RunError::UnknownSystem { ref name, ref known } => {
                let hint = did_you_mean(name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("configured under [systems]: {}", known.join(", ")));
                Self::new(Exit::Usage, text, Some(hint))
            }
            RunError::NoSimulator { ref known, .. } => {
                let others =
                    if known.is_empty() { String::new() } else { format!("it simulates {}; ", known.join(", ")) };
                let hint = format!(
                    "{others}a lab that runs already is from before: end it with `homeward lab stop`. A kind of one's own is \
                     simulated where its program brings a simulator along"
                );
                Self::new(Exit::Usage, text, Some(hint))
            }
            RunError::NoSource { .. } => {
                let hint = "only sources such as kind = \"csv\" take a file: homeward plan hr=people.csv";
                Self::new(Exit::Usage, text, Some(hint.to_owned()))
            }
            RunError::Seed { ref file, ref cause } => {
                let (cause, near) = without_list(cause);
                let hint = near.unwrap_or_else(|| "mend this file, or remove it: a lab can start empty".to_owned());
                Self::new(Exit::Usage, format!("{file} cannot be used: {cause}"), Some(hint))
            }
            RunError::NoMeaning { ref system, ref key, ref columns } => {
                Self::new(Exit::Usage, text, Some(meaning(system, key, columns)))
            }
            RunError::Refused(ref refused) => Self::new(Exit::Refused, text, Some(refused.hint())),
            RunError::Unheard(ref refused) => Self::new(Exit::Unread, text, Some(refused.hint())),
            RunError::Rule(rule_error) => vec![*rule_error].into(),
            RunError::Unread { ref system, ref source } => {
                Self::new(Exit::Unread, unread(system, source), Some(unread_hint(system, source)))
            }
            RunError::UnreadByPeople { ref system, ref source } => {
                let hint = match &**source {
                    ConnectorError::Refused { refusal, .. } if !refusal.kind.may_pass() => format!(
                        "people's own tokens are used at {system}: whoever is named has to sign in again, or her token be taken \
                         away; `homeward check --connect` tries each"
                    ),
                    ConnectorError::Wire(WireError::NoToken { .. }) => {
                        format!(
                            "look at the tokens that are kept for people at {system}: `homeward check --connect` tries each"
                        )
                    }
                    source => unread_hint(system, source),
                };
                Self::new(Exit::Unread, unread(system, source), Some(hint))
            }
            RunError::Unfound { ref source, .. } => Self::new(Exit::Usage, text, Some(source.hint())),
            RunError::Wire(_) => {
                let hint = "check the token of this system: no other character than those it was shown with";
                Self::new(Exit::Usage, text, Some(hint.to_owned()))
            }
            RunError::State(ref state) => {
                let (exit, hint) = match state.root() {
                    // Whatever starts it again would begin with an empty one.
                    StateError::Gone { .. } => (
                        Exit::Usage,
                        "nothing more was sent; put the file back and finish with `homeward resume`, or put back a copy of \
                         `homeward runs --backup`, which knows nothing of what was done since it was made",
                    ),
                    strange if strange.is_strange() => {
                        (Exit::Fault, "check that `state` names the store, and not another file")
                    }
                    damaged if damaged.is_damage() => (
                        Exit::Fault,
                        "put a backup back: stop what uses the store, move the store away with the files beside it that end in `-wal` \
                         and `-shm`, and copy the backup there",
                    ),
                    StateError::Newer { .. } => {
                        (Exit::Fault, "use the version of homeward that wrote it, or a newer one")
                    }
                    StateError::Locked { .. } => {
                        (Exit::Refused, "wait until the other run is over; its lock goes with it")
                    }
                    _ => (
                        Exit::Fault,
                        "check the folder's rights and the space on its disk; nothing was sent that is not written down",
                    ),
                };
                Self::new(exit, text, Some(hint.to_owned()))
            }
            RunError::Stopped { .. } => Self::new(Exit::Fault, text, None),
            RunError::BadPlan { ref cause, .. } => {
                let hint = if cause.contains("no JSON") {
                    "a saved plan is what `homeward plan … --out plan.json` wrote; an input is SYSTEM=FILE: hr=people.csv"
                } else {
                    "make it again with: homeward plan … --out plan.json"
                };
                Self::new(Exit::Usage, text, Some(hint.to_owned()))
            }
        }
    }
}

/// So many people are named where a limit trips; all of them are in the run that is kept.
const NAMED: usize = 3;

impl Trouble {
    /// What limits say to a plan, and what to do about each.
    pub(super) fn tripped(tripped: &[Tripped]) -> Self {
        let told = tripped.iter().map(|one| {
            let hint = match one {
                Tripped::People(_) | Tripped::Missing { .. } => {
                    let some = one.who().iter().take(NAMED).map(ToString::to_string);
                    let some = some.collect::<Vec<_>>().join(", ");
                    let more = one.who().len().saturating_sub(NAMED);
                    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                    format!("among them {some}{more}; look at the input first; where it is right, let `apply` keep it for `approve`, or raise the limit in [limits]")
                }
                Tripped::Vanished { .. } => {
                    "it may be another server, or an older state of it: look at its address and at its accounts first; where it \
                     is right, let `apply` keep it for `approve`"
                        .to_owned()
                }
                Tripped::Differing { .. } => {
                    "a column that was shifted, emptied or renamed looks like this: look at the input first".to_owned()
                }
                Tripped::Rejected { .. } => {
                    "so many rows at fault are a fault of the export: see them with `homeward check SYSTEM=FILE`"
                        .to_owned()
                }
                Tripped::CutOff { .. } | Tripped::EndsEarly { .. } => {
                    "ask the sender to send it again; where it is right, approve it".to_owned()
                }
                Tripped::Rule(objection) => {
                    format!("the line is `{}`; look at the plan first, then at the rule", objection.origin.text)
                }
            };
            Told::plain(one.to_string(), Some(hint))
        });
        Self { exit: Exit::Limit, faults: told.collect() }
    }
}

/// A `source` line to begin with, made of the columns that are there.
fn meaning(system: &SystemName, key: &str, columns: &[String]) -> String {
    const SHOWN: usize = 12;
    let letters = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let row = |column: &str| if plain_name(column) { format!("row.{column}") } else { format!("row[{column:?}]") };
    let mut entries = vec![format!("key: {}", row(key))];
    for attribute in ["username", "email", "first_name", "last_name"] {
        let column = columns.iter().find(|column| *column != key && letters(column) == letters(attribute));
        entries.extend(column.map(|column| format!("{attribute}: {}", row(column))));
    }
    let line = format!("source(\"{system}\", |row| #{{ {} }});", entries.join(", "));
    let mut names: Vec<String> =
        columns.iter().take(SHOWN).map(|column| ["`", &harmless(column), "`"].concat()).collect();
    if columns.len() > SHOWN {
        names.push(format!("{} more", columns.len() - SHOWN));
    }
    let there = if names.is_empty() { String::new() } else { format!("; its columns are {}", names.join(", ")) };
    format!("add to a file in the folder of the rules{there}:\n{line}")
}

fn plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The candidate that was probably meant, as a question.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let limit = (word.chars().count() / 3).max(1);
    let near = candidates.into_iter().map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    let (_, best) = near.filter(|(distance, _)| *distance <= limit).min()?;
    Some(format!("did you mean `{best}`?"))
}

/// A message that lists every key there is, without the list; and the one of the list that was probably meant, or the
/// list where it is short.
pub(super) fn without_list(message: &str) -> (String, Option<String>) {
    let split = message.split_once(", expected one of ").or_else(|| message.split_once(", expected "));
    let Some((said, list)) = split.filter(|(said, _)| said.contains("unknown field `")) else {
        return (message.to_owned(), None);
    };
    let said = said.replace("unknown field", "unknown key");
    let known: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    let word = said.rsplit('`').nth(1).unwrap_or_default();
    let short = || (known.len() <= 24).then(|| format!("known here: {}", known.join(", ")));
    let hint = did_you_mean(word, known.iter().copied()).or_else(short);
    (said, hint)
}

/// The fault itself says which system it was, so that nothing is said twice.
fn unread(system: &SystemName, error: &ConnectorError) -> String {
    let text = told(error);
    if text.contains(system.as_str()) { text } else { format!("{system} could not be read: {text}") }
}

fn unread_hint(system: &SystemName, error: &ConnectorError) -> String {
    match error {
        ConnectorError::Wire(WireError::Unreachable { cause, .. }) if cause.contains("vouches for its certificate") => {
            format!("name the authority that does, in PEM: `ca = \"corp-ca.pem\"` in [systems.{system}]")
        }
        ConnectorError::Wire(WireError::Unreachable { .. }) => format!(
            "check `url` in [systems.{system}] and that the server runs; with --lab a simulator takes its place"
        ),
        ConnectorError::Wire(WireError::Timeout { .. }) => {
            format!("try again, or raise `timeout` in [systems.{system}]")
        }
        ConnectorError::Wire(WireError::TooSlow { .. }) => format!(
            "it answers, and too slowly: raise `timeout` in [systems.{system}], or look at what slows it down or stands between"
        ),
        ConnectorError::Wire(WireError::Unroutable { .. }) => {
            format!("check `ca`, `client_certificate` and `proxy` in [systems.{system}]")
        }
        ConnectorError::Wire(WireError::NoToken { .. }) => {
            format!("check what [systems.{system}] signs in with: its `token`, or its `key`")
        }
        ConnectorError::Wire(_) => "try again; nothing was changed".to_owned(),
        ConnectorError::Refused { refusal, .. }
            if matches!(refusal.kind, RefusalKind::Unavailable | RefusalKind::RateLimited) =>
        {
            "try again later; nothing was changed".to_owned()
        }
        ConnectorError::Refused { refusal, .. } if refusal.kind == RefusalKind::NotFound => {
            format!(
                "check `url` in [systems.{system}], which is the server's own without `/api/…`, and that its `kind` is that of \
                 the server"
            )
        }
        ConnectorError::Refused { .. } => format!(
            "the token of [systems.{system}] must be right, not expired, and an administrator's; \
             `homeward check --connect` tells whose it is"
        ),
        ConnectorError::Strange { .. } => {
            format!("check that `url` in [systems.{system}] is the server itself, not a login page or a proxy")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_in_characters_is_found_among_umlauts_and_emoji() {
        let text = "// grüße 🙂 x\nowner(\"ü\", \"hr\");\n";
        assert_eq!(&text[byte_of(text, 1, 12)..=byte_of(text, 1, 12)], "x");
        assert_eq!(&text[byte_of(text, 2, 12)..][..4], "\"hr\"");
        assert_eq!(byte_of(text, 1, 99), 17);
        assert_eq!(byte_of(text, 9, 1), text.len());
    }

    #[test]
    fn what_lies_at_the_end_is_marked_at_the_last_character() {
        let text: Arc<str> = "owner(ü\n\n".into();
        let excerpt = Excerpt::new("a.rhai", &text, vec![(text.len()..text.len(), None)]);
        assert_eq!(excerpt.marks[0].0, 6..8);
        assert_eq!(excerpt.line_and_column(), (1, 7));
        let nothing: Arc<str> = "".into();
        assert_eq!(Excerpt::new("a.rhai", &nothing, vec![(0..0, None)]).marks[0].0, 0..0);
    }

    #[test]
    fn a_number_of_the_operating_system_is_left_out() {
        assert_eq!(without_number("a: no (os error 2), b: not (os error 13)"), "a: no, b: not");
        assert_eq!(without_number("cut (os error 2"), "cut");
    }

    #[test]
    fn a_long_list_of_keys_becomes_a_question_or_nothing() {
        let told = |text: &str| without_list(text);
        let (said, hint) = told("users[0]: unknown field `usrname`, expected one of `id`, `username`");
        assert_eq!(
            (said.as_str(), hint.as_deref()),
            ("users[0]: unknown key `usrname`", Some("did you mean `username`?"))
        );
        let (said, hint) = told("unknown field `x`, expected `version`");
        assert_eq!((said.as_str(), hint.as_deref()), ("unknown key `x`", Some("known here: version")));
        assert_eq!(told("no JSON, expected one of us"), ("no JSON, expected one of us".to_owned(), None));
    }
}
