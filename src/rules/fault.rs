//! What can be wrong with rules: facts, each with the place it was found at.
//!
//! A [`Fault`] knows what is wrong and nothing of where; a [`RuleError`] knows where as well. Neither knows a terminal:
//! the edge draws the excerpt. No message holds a value of a record, unless the rule itself throws one.

use std::{fmt, io, sync::Arc};

use crate::model::{
    attribute::AttributeName,
    id::SystemName,
    origin::Origin,
    record::{Record, RecordOrigin},
};

/// How many errors of one loading are told.
const MAX_SHOWN: usize = 50;

/// A place in a script, with what is needed to draw an excerpt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) origin: Origin,
    /// The whole script.
    pub(crate) text: Arc<str>,
    /// How much to mark, in characters.
    pub(crate) span: usize,
}

/// What a system has to be for a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Records come from it.
    Source,
    /// It has accounts.
    Provider,
}

/// What a test found instead of what it wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence, a lower-case fragment.
    pub(crate) message: String,
    /// What was compared, as a script would write it.
    pub(crate) left: Option<String>,
    /// What it was compared with.
    pub(crate) right: Option<String>,
    /// The plan it is about, one line for each change: short enough to be read.
    pub(crate) plan: Vec<String>,
}

/// What is wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("cannot read {what}: {cause}")]
    Read { what: String, cause: Arc<io::Error> },
    #[error("{what} has {size} bytes; a script may have {most}")]
    TooLarge { what: String, size: usize, most: usize },
    #[error("{what} is not UTF-8")]
    NotText { what: String },
    #[error("a character that does not show: U+{:04X}", u32::from(*letter))]
    Unseen {
        letter: char,
        /// It turns the direction in which the text is shown.
        turns: bool,
    },
    #[error("a comment is not closed")]
    OpenComment,
    #[error("{0}")]
    Parse(String),
    #[error("`{word}` is a word of the rules already")]
    WordTaken { word: String },
    #[error("{0}")]
    Runtime(String),
    #[error("the rule says: {0}")]
    Thrown(String),
    #[error("unknown system `{name}`")]
    UnknownSystem { name: String, near: Option<String>, all: Vec<String> },
    #[error("unknown attribute `{name}`")]
    UnknownAttribute { name: String, near: Option<String> },
    #[error("unknown function `{name}`")]
    UnknownFunction { name: String, near: Option<String> },
    #[error("unknown variable `{name}`")]
    UnknownVariable { name: String, near: Option<String>, declared: Option<&'static str> },
    #[error("the record has no column `{name}`")]
    UnknownColumn { name: String, near: Option<String>, all: Vec<String> },
    #[error("`person` has nothing called `{name}`")]
    UnknownOfPerson { name: String, near: Option<String>, systems: Vec<String> },
    #[error("an account of `{system}` has nothing called `{name}`")]
    UnknownOfAccount { system: SystemName, name: String, near: Option<String> },
    #[error("{what} has nothing called `{name}`")]
    UnknownOf { what: &'static str, name: String, near: Option<String>, all: Vec<String> },
    #[error("`{system}` has no operation `{name}`")]
    UnknownOperation { system: SystemName, name: String, near: Option<String>, all: Vec<String> },
    #[error("`{operation}` takes no `{name}`")]
    UnknownArgument { operation: &'static str, name: String, near: Option<String>, all: Vec<String> },
    #[error("`{operation}` needs `{name}`{}", if *.is_empty { ", which is empty here" } else { "" })]
    MissingArgument { operation: &'static str, name: &'static str, is_empty: bool },
    #[error("`{attribute}` is no set: it has one value, and no members")]
    NoSet { attribute: AttributeName },
    #[error("no `range` line says which members of `{attribute}` these rules may touch")]
    NoRange { attribute: AttributeName },
    #[error("`{member}` is not in the range of `{attribute}`")]
    OutOfRange { attribute: AttributeName, member: String, near: Option<String> },
    #[error("nobody can be `{level}` in `{attribute}`")]
    UnknownLevel { attribute: AttributeName, level: String, near: Option<String>, all: Vec<String> },
    #[error("`{operation}` is done to a person's account at {system}, and the record names no person")]
    OfNobody { system: SystemName, operation: String },
    #[error("`{word}` is a declaration, and a module declares nothing")]
    InModule { word: &'static str },
    #[error("`{name}` is asked of nothing: what stands before the dot is ()")]
    OfNothing { name: String },
    #[error("unknown constant `{name}`")]
    UnknownConstant { name: String, near: Option<String>, all: Vec<String> },
    #[error("an argument is called `{name}`, as a constant of the same module is")]
    ConstantShadowed { name: String },
    #[error("`{word}` is said where nobody hears it: it is what a `source` function returns")]
    Unheard { word: &'static str },
    #[error("there is no module `{name}` in the folder `lib`")]
    UnknownModule { name: String, near: Option<String>, all: Vec<String> },
    #[error("the module `{name}` imports itself")]
    ModuleCycle { name: String },
    #[error("there is nothing called `{name}` here")]
    UnknownProperty { name: String },
    #[error("`{name}` {}", if got.is_empty() { "is given no arguments".to_owned() } else { format!("cannot take {got}") })]
    WrongArguments { name: String, takes: Option<&'static str>, got: String },
    #[error("{what} must be {wanted}, but is {got}")]
    WrongType { what: String, wanted: String, got: String },
    #[error("`{system}` is not a {}", match role { Role::Source => "source", Role::Provider => "provider" })]
    WrongRole { system: SystemName, role: Role },
    #[error("accounts of `{system}` cannot be found by `{attribute}`")]
    NoLookup { system: SystemName, attribute: AttributeName, all: Vec<String> },
    #[error("`{system}` does not hold `{attribute}`")]
    NotHeld { system: SystemName, attribute: AttributeName },
    #[error("`{attribute}` already has an owner")]
    OwnedTwice { attribute: AttributeName },
    #[error("a second `{word}` line for `{what}`")]
    DeclaredTwice { word: &'static str, what: String },
    #[error("`{word}` is a declaration: it stands outside of functions that run for a record or a person")]
    TooLate { word: &'static str },
    #[error("`{word}` is no word for a file of tests: it declares tests, constants and functions only")]
    NotInTests { word: &'static str },
    #[error("`{word}` belongs to tests: it is said in the function of a `test` or `cases` line")]
    OnlyInTests { word: &'static str },
    /// Not a fault of anybody: a test asked for a plan that is not made yet. Never leaves this room.
    #[error("the plan is not made yet")]
    NeedsPlan,
    /// A test found something else than it wanted.
    #[error("{}", .0.message)]
    Failed(Box<Failure>),
    #[error("the function for `{word}` takes {got} argument{}; it must take {}", if *got == 1 { "" } else { "s" }, match takes { 0 => "none", 1 => "one", _ => "two" })]
    WrongParameters { word: &'static str, got: usize, takes: usize },
    /// The work is too long.
    #[error("{0}")]
    LimitExceeded(String),
    /// A value is too large, or all of them together are.
    #[error("{0}")]
    TooMuch(String),
    #[error("the record has no key")]
    NoKey,
    #[error("{}", no_date(format, said))]
    NotADate { format: String, said: Unshown },
    #[error("`{format}` is no form of a date")]
    BadFormat { format: String },
    #[error("`{pattern}` is no regular expression: {cause}")]
    BadPattern { pattern: String, cause: String },
    #[error("the owner of {} depends on itself", chain(attributes))]
    OwnerCycle { attributes: Vec<AttributeName> },
    /// Not a fault of anybody: a condition asked for a value that is not decided yet. Never leaves this room.
    #[error("the owner of `{0}` is not known yet")]
    Needs(AttributeName),
    #[error("{0} more things are wrong that are not shown")]
    More(usize),
}

/// Ways in which lists mostly write dates.
const FORMS: [&str; 6] = ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y%m%d"];

/// What can be told without the value: whether it is blank, for then another word is meant, and whether it has another form or
/// is no day at all.
fn no_date(format: &str, Unshown(said): &Unshown) -> String {
    let said = said.trim();
    if said.is_empty() {
        return format!("blank, and not a date of the form `{format}`: `date_or_empty` takes blank cells");
    }
    let is_of = |form: &str| jiff::civil::Date::strptime(form, said).is_ok_and(|date| date.year() >= 1000);
    let has_form = jiff::fmt::strtime::parse(format, said).is_ok();
    let others = FORMS.into_iter().filter(|form| *form != format && is_of(form)).collect::<Vec<_>>();
    match others.first() {
        _ if has_form => format!("of the form `{format}`, but there is no such day"),
        Some(other) => format!("not a date of the form `{format}`, but it looks like one of the form `{other}`"),
        None => format!("not a date of the form `{format}`"),
    }
}

/// What a record says, kept to find its place in there: no error shows it, not even to those who debug.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Unshown(pub(super) String);

impl std::fmt::Debug for Unshown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Something wrong with the rules, or with a record as the rules see it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.fault)]
pub(crate) struct RuleError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    fault: Fault,
    key: Option<String>,
    place: Option<Place>,
    second: Option<(Place, &'static str)>,
    record: Option<String>,
}

impl RuleError {
    pub(super) fn new(fault: Fault, place: Option<Place>) -> Self {
        Self(Box::new(Inner { fault, key: None, place, second: None, record: None }))
    }

    pub(super) fn with_second(mut self, place: Place, label: &'static str) -> Self {
        self.0.second = Some((place, label));
        self
    }

    /// The same place, another fault.
    pub(super) fn with_fault(mut self, fault: Fault) -> Self {
        self.0.fault = fault;
        self
    }

    /// Which key of a returned map it is about.
    pub(super) fn about(mut self, key: Option<String>) -> Self {
        self.0.key = key;
        self
    }

    pub(super) fn with_record(mut self, origin: &RecordOrigin) -> Self {
        self.0.record = Some(origin.to_string());
        self
    }

    /// Names the column that holds what is at fault, where only one of the record does.
    pub(super) fn in_column(mut self, record: &Record) -> Self {
        if let Fault::NotADate { said: Unshown(said), .. } = &self.0.fault {
            let columns = record.header.names().iter().zip(record.fields.iter());
            let mut holding = columns.filter(|(_, value)| value.trim() == said.trim()).map(|(name, _)| name);
            if let (Some(column), None) = (holding.next(), holding.next()) {
                self.0.key = Some(column.to_string());
            }
        }
        self
    }

    pub(super) fn or_place(mut self, place: impl FnOnce() -> Place) -> Self {
        self.0.place.get_or_insert_with(place);
        self
    }

    /// Its place, for another error that has to do with it.
    pub(super) fn into_place(self) -> Option<Place> {
        self.0.place
    }

    /// Where in the rules, with what is needed for an excerpt.
    pub(super) fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The second place, with what is needed for an excerpt.
    pub(super) fn second_place(&self) -> Option<(&Place, &'static str)> {
        self.0.second.as_ref().map(|(place, label)| (place, *label))
    }

    /// What is wrong.
    pub(crate) fn fault(&self) -> &Fault {
        &self.0.fault
    }

    /// Where in the rules.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.0.place.as_ref().map(|place| &place.origin)
    }

    /// A second place that has to do with it, and what it is.
    pub(crate) fn second(&self) -> Option<(&Origin, &'static str)> {
        self.0.second.as_ref().map(|(place, label)| (&place.origin, *label))
    }

    /// The whole script that [`RuleError::origin`] lies in.
    pub(crate) fn source_text(&self) -> Option<&str> {
        self.0.place.as_ref().map(|place| place.text.as_ref())
    }

    /// The whole script that [`RuleError::second`] lies in.
    pub(crate) fn second_source_text(&self) -> Option<&str> {
        self.0.second.as_ref().map(|(place, _)| place.text.as_ref())
    }

    /// How much to mark from the column on, in characters; at least 1.
    pub(crate) fn span_chars(&self) -> usize {
        self.0.place.as_ref().map_or(1, |place| place.span.max(1))
    }

    /// The record it happened on, as `people.csv:7`.
    pub(crate) fn record(&self) -> Option<String> {
        self.0.record.clone()
    }

    /// The column that the record does not have or that is at fault, or the key of the returned map that is wrong.
    pub(crate) fn key(&self) -> Option<&str> {
        match &self.0.fault {
            Fault::UnknownColumn { name, .. } => Some(name),
            _ => self.0.key.as_deref(),
        }
    }

    /// The name that is looked for in vain behind a dot.
    pub(super) fn property(&self) -> Option<&str> {
        match &self.0.fault {
            Fault::UnknownColumn { name, .. }
            | Fault::UnknownOfPerson { name, .. }
            | Fault::UnknownOfAccount { name, .. }
            | Fault::UnknownOf { name, .. }
            | Fault::UnknownProperty { name } => Some(name),
            _ => None,
        }
    }

    /// True where the record is at fault and not the rule: that record is rejected, the others may go on.
    pub(crate) fn rejects_record(&self) -> bool {
        self.0.record.is_some()
            && (self.exceeds_limit()
                || matches!(
                    self.0.fault,
                    Fault::NoKey
                        | Fault::NotADate { .. }
                        | Fault::Thrown(_)
                        | Fault::MissingArgument { is_empty: true, .. }
                ))
    }

    /// True where a rule was stopped because it took too long or too much. One record can make it so; where many do, the
    /// rule is at fault.
    pub(crate) fn exceeds_limit(&self) -> bool {
        matches!(self.0.fault, Fault::TooMuch(_) | Fault::LimitExceeded(_))
    }

    /// A stable word for the kind of fault.
    pub(crate) fn code(&self) -> &'static str {
        match &self.0.fault {
            Fault::Read { .. } => "unreadable",
            Fault::WordTaken { .. } => "word_taken",
            Fault::TooLarge { .. } => "too_large",
            Fault::NotText { .. } => "not_text",
            Fault::Unseen { .. } => "unseen_character",
            Fault::OpenComment => "open_comment",
            Fault::Parse(_) => "parse",
            Fault::Runtime(_) => "runtime",
            Fault::Thrown(_) => "thrown",
            Fault::UnknownSystem { .. } => "unknown_system",
            Fault::UnknownAttribute { .. } => "unknown_attribute",
            Fault::UnknownFunction { .. } => "unknown_function",
            Fault::UnknownVariable { .. } => "unknown_variable",
            Fault::UnknownColumn { .. } => "unknown_column",
            Fault::UnknownOfPerson { .. }
            | Fault::UnknownOfAccount { .. }
            | Fault::UnknownOf { .. }
            | Fault::UnknownProperty { .. } => "unknown_property",
            Fault::UnknownOperation { .. } => "unknown_operation",
            Fault::UnknownArgument { .. } => "unknown_argument",
            Fault::MissingArgument { .. } => "missing_argument",
            Fault::NoSet { .. } => "no_set",
            Fault::NoRange { .. } => "no_range",
            Fault::OutOfRange { .. } => "out_of_range",
            Fault::UnknownLevel { .. } => "unknown_level",
            Fault::OfNobody { .. } => "of_nobody",
            Fault::Unheard { .. } => "unheard",
            Fault::OfNothing { .. } => "of_nothing",
            Fault::UnknownConstant { .. } => "unknown_constant",
            Fault::InModule { .. } => "in_module",
            Fault::ConstantShadowed { .. } => "constant_shadowed",
            Fault::UnknownModule { .. } => "unknown_module",
            Fault::ModuleCycle { .. } => "module_cycle",
            Fault::WrongArguments { .. } | Fault::WrongParameters { .. } => "wrong_arguments",
            Fault::WrongType { .. } => "wrong_type",
            Fault::WrongRole { .. } => "wrong_role",
            Fault::NoLookup { .. } => "no_lookup",
            Fault::NotHeld { .. } => "not_held",
            Fault::OwnedTwice { .. } => "owned_twice",
            Fault::DeclaredTwice { .. } => "declared_twice",
            Fault::TooLate { .. } => "too_late",
            Fault::NotInTests { .. } => "not_in_tests",
            Fault::OnlyInTests { .. } => "only_in_tests",
            Fault::NeedsPlan => "unplanned",
            Fault::Failed(_) => "test_failed",
            Fault::LimitExceeded(_) => "limit_exceeded",
            Fault::TooMuch(_) => "too_much",
            Fault::NoKey => "no_key",
            Fault::NotADate { .. } => "not_a_date",
            Fault::BadFormat { .. } => "bad_format",
            Fault::BadPattern { .. } => "bad_pattern",
            Fault::OwnerCycle { .. } => "owner_cycle",
            Fault::Needs(_) => "undecided",
            Fault::More(_) => "more",
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint_by_place().or_else(|| self.0.fault.hint())
    }

    /// What to do, where what stands there shows what was meant.
    fn hint_by_place(&self) -> Option<String> {
        let place = self.0.place.as_ref()?;
        let line = place.text.lines().nth(place.origin.line.checked_sub(1)?)?;
        let (start, _) = line.char_indices().nth(place.origin.column.checked_sub(1)?)?;
        let (before, here) = line.split_at(start);
        let is_of_name = |c: char| c.is_alphanumeric() || c == '_';
        let word = here.split(|c| !is_of_name(c)).next()?;
        match &self.0.fault {
            Fault::Parse(_) if word == "and" || word == "or" => {
                Some(format!("`{word}` is no word here: conditions are put together with `&&` and `||`"))
            }
            Fault::Parse(_) if here.starts_with("=>") => {
                Some("a function is written with its argument between bars, as in `|change| …`".to_owned())
            }
            Fault::Parse(_) if here.starts_with(['„', '“', '”', '‘', '’', '«', '»']) => {
                Some("texts stand in plain quotes, as in \"website\"".to_owned())
            }
            Fault::Parse(_) if matches!(word, "null" | "nil" | "None" | "undefined") => {
                Some("nothing is written as `()`".to_owned())
            }
            Fault::Parse(said) if said.contains("name of a property") && !word.is_empty() => {
                let record = before.trim_end_matches(['.', '?']).rsplit(|c| !is_of_name(c)).next()?;
                Some(format!(
                    "`{word}` is a word of the language; a column of this name is read as `{record}[\"{word}\"]`"
                ))
            }
            Fault::Parse(said) if said.contains("start a statement block") => {
                Some("what depends on a condition stands in braces, as in `if … { clear() }`".to_owned())
            }
            Fault::Parse(said) if here.starts_with(':') && said.contains("terminate this statement") => {
                Some("a map begins with `#{`, as in `#{ key: row.id }`; `{` alone begins a block".to_owned())
            }
            Fault::Parse(_) if here.starts_with('=') && !here.starts_with("==") => {
                Some("`=` gives a variable a value; to compare, write `==`".to_owned())
            }
            Fault::UnknownVariable { near: None, declared: None, .. } => {
                let before = before.strip_suffix('-')?;
                let record = before.rsplit(|c| !is_of_name(c) && c != '.' && c != '-').next()?;
                let (record, column) = record.split_once('.')?;
                let rest = here.split(|c| !is_of_name(c) && c != '-').next()?;
                Some(format!("`-` subtracts; a column of such a name is read as `{record}[\"{column}-{rest}\"]`"))
            }
            _ => None,
        }
    }
}

impl Fault {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownSystem { near: Some(near), .. }
            | Self::UnknownAttribute { near: Some(near), .. }
            | Self::UnknownFunction { near: Some(near), .. }
            | Self::UnknownColumn { near: Some(near), .. }
            | Self::UnknownOfPerson { near: Some(near), .. }
            | Self::UnknownOf { near: Some(near), .. }
            | Self::UnknownOperation { near: Some(near), .. }
            | Self::UnknownArgument { near: Some(near), .. }
            | Self::OutOfRange { near: Some(near), .. }
            | Self::UnknownLevel { near: Some(near), .. }
            | Self::UnknownModule { near: Some(near), .. }
            | Self::UnknownConstant { near: Some(near), .. }
            | Self::UnknownOfAccount { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::WordTaken { .. } => Some("give your function another name".to_owned()),
            Self::UnknownSystem { all, .. } if all.is_empty() => Some("no system is configured".to_owned()),
            Self::UnknownSystem { all, .. } => Some(format!("configured under [systems]: {}", list(all))),
            Self::UnknownAttribute { .. } => {
                Some("an attribute of one system is written with its name in front: `gitlab.note`".to_owned())
            }
            Self::UnknownVariable { declared: Some("let"), name, .. } => {
                Some(format!("functions see constants only: write `const {name} = ...` instead of `let`"))
            }
            Self::UnknownVariable { declared: Some(_), .. } => Some(
                "functions see constants whose value is written out; compute this one inside the function".to_owned(),
            ),
            Self::UnknownVariable { name, .. }
                if ["null", "nil", "none", "undefined"].contains(&name.to_lowercase().as_str()) =>
            {
                Some("what is not there is `()`".to_owned())
            }
            Self::UnknownVariable { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::UnknownVariable { name, .. }
                if ["person", "row", "change", "account", "plan"].contains(&name.as_str()) =>
            {
                Some(format!("what looks at it is a function, with its name between bars: `|{name}| …`"))
            }
            Self::UnknownVariable { name, .. } => {
                Some(format!("text is written in quotes: \"{name}\"; a function sees its arguments and constants only"))
            }
            Self::UnknownOfPerson { systems, .. } => {
                Some(format!("a person has attributes and systems; configured under [systems]: {}", list(systems)))
            }
            Self::UnknownOfAccount { .. } => Some("an account has attributes, facts and `id`".to_owned()),
            Self::WrongArguments { takes: Some(takes), name, .. } => Some(format!("`{name}` takes {takes}")),
            Self::WrongArguments { got, .. } if got.is_empty() => Some("look at what it is declared with".to_owned()),
            Self::WrongArguments { got, .. } if got.contains(NOTHING) => Some(
                "something here is (): nothing is known of it; compare it (`== true`), or use `?.` and `??`".to_owned(),
            ),
            Self::WrongType { wanted, what, .. } if wanted == ONE_NAME && what.contains("`owner`") => {
                Some("an attribute has one owner; others get it with a `copies` line".to_owned())
            }
            Self::WrongType { wanted, .. } if wanted == ONE_NAME => Some("one line for each system".to_owned()),
            Self::WrongType { wanted, got, .. } if wanted == TRUTH && got == NOTHING => {
                Some("() means that nothing is known: compare it, as in `person.active == true`".to_owned())
            }
            Self::WrongType { wanted, got, what } if wanted == TRUTH && what.contains("active") && got == "text" => {
                Some("compare it: `active: row.status == \"Active\"`".to_owned())
            }
            Self::NoLookup { all, system, .. } if all.is_empty() => Some(format!("`{system}` has no search at all")),
            Self::NoLookup { all, .. } => Some(format!("they can be found by {}", list(all))),
            Self::OwnedTwice { .. } => {
                Some("an attribute has one owner: keep one of these lines, or give the first a condition".to_owned())
            }
            Self::DeclaredTwice { word: "test" | "cases", .. } => {
                Some("a test is known by its name: give one of the two another".to_owned())
            }
            Self::DeclaredTwice { .. } => Some("say it all in one line".to_owned()),
            Self::NoKey => {
                Some("`key` must be the source's own immutable key for the person, such as a number".to_owned())
            }
            Self::BadPattern { .. } => Some("in a rule, a backslash is written twice, or use backticks".to_owned()),
            Self::BadFormat { .. } => Some("a form is written like `%d.%m.%Y`".to_owned()),
            Self::OwnerCycle { .. } => {
                Some("look at an account instead of the decided value, as in `person.gitlab?.username`".to_owned())
            }
            Self::TooLarge { .. } => Some("split it: all `*.rhai` files of the folder are loaded".to_owned()),
            Self::TooMuch(_) => Some(
                "a rule works with one record or one person at a time, and what it holds is small; look at what grows"
                    .to_owned(),
            ),
            Self::LimitExceeded(said) if said.contains("nested") => {
                Some("take it apart: give a part of it a name with `let`, or make it a function".to_owned())
            }
            Self::LimitExceeded(said) if said.contains("declarations") => {
                Some("a declaration speaks of one thing and takes lists; it is seldom made in a loop".to_owned())
            }
            Self::LimitExceeded(said) if said.contains(" scripts; ") => {
                Some("put what belongs together into one file".to_owned())
            }
            Self::LimitExceeded(said) if said.starts_with("the script has") => {
                Some("split it: all `*.rhai` files of the folder are loaded".to_owned())
            }
            Self::LimitExceeded(_) => Some("a rule has to be short work: look for a loop that does not end".to_owned()),
            Self::WrongRole { role: Role::Source, .. } => {
                Some("a source is a system that records come from, such as one with `kind = \"csv\"`".to_owned())
            }
            Self::WrongRole { role: Role::Provider, .. } => {
                Some("a provider is a system with accounts, such as one with `kind = \"gitlab\"`".to_owned())
            }
            Self::Read { cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
                Some("make the folder, or say where the rules are: `rules = \"…\"` in the configuration".to_owned())
            }
            Self::Read { .. } => Some("check that it is there, what it is, and that we may read it".to_owned()),
            Self::Thrown(_) => {
                Some("the rule stops here by itself: look at what it was given, or at the rule".to_owned())
            }
            Self::Runtime(_) => Some("look at what is computed here, and with what".to_owned()),
            Self::Unseen { turns: true, .. } => {
                Some("it turns the direction of what follows, which then reads as something else; delete it".to_owned())
            }
            Self::Unseen { letter, .. } => Some(format!(
                "delete it; where a text needs it, write it as \\u{:04x} inside the quotes",
                u32::from(*letter)
            )),
            Self::More(_) => Some("mend these first; what is wrong in a loop is wrong many times".to_owned()),
            Self::OpenComment => Some("close it with `*/`; comments may lie in comments, each with its own".to_owned()),
            Self::NotText { .. } => Some("save the file as UTF-8".to_owned()),
            Self::UnknownOperation { all, system, .. } if all.is_empty() => {
                Some(format!("`{system}` has no operation at all"))
            }
            Self::UnknownColumn { all, .. } | Self::UnknownOf { all, .. } | Self::UnknownOperation { all, .. } => {
                Some(format!("it has {}", list(all)))
            }
            Self::UnknownArgument { all, .. } => Some(format!("it takes {}", list(all))),
            Self::NoRange { attribute } => {
                Some(format!("name them, as in `range(\"{attribute}\", [\"…\"])`: nothing else is ever touched"))
            }
            Self::OutOfRange { .. } => Some("add it to the `range` line, or leave it out here".to_owned()),
            Self::UnknownModule { all, .. } if all.is_empty() => {
                Some("modules are `*.rhai` files in the folder `lib` beside the rules".to_owned())
            }
            Self::UnknownLevel { all, .. } | Self::UnknownModule { all, .. } => {
                Some(format!("there are {}", list(all)))
            }
            Self::OfNobody { .. } => {
                Some("return a list: `[#{ key: row.id }, perform(…)]` names whose account is meant".to_owned())
            }
            Self::ConstantShadowed { .. } => Some("give one of the two another name".to_owned()),
            Self::InModule { .. } | Self::NotInTests { .. } => {
                Some("move it to a file directly in the folder of the rules".to_owned())
            }
            Self::OfNothing { name } => {
                Some(format!("an account may be missing: ask with `?.{name}`, and compare what comes of it"))
            }
            Self::UnknownConstant { all, .. } if all.is_empty() => {
                Some("`import \"names\" as names;` at the top gives a module its name here".to_owned())
            }
            Self::UnknownConstant { all, .. } => Some(format!("there are {}", list(all))),
            Self::Unheard { .. } => {
                Some("as in `source(\"events\", |row| perform(\"mattermost\", \"post_message\", #{ … }))`".to_owned())
            }
            Self::Parse(said)
                if said.contains("to separate") || said.contains("to close") || said.contains("to end") =>
            {
                Some("the place is the first that cannot be right; what is missing belongs just before it".to_owned())
            }
            Self::Parse(said) if said.contains("'print'") || said.contains("'debug'") => Some(
                "to see a value, say in a test what it should be: `assert_eq(value, ())` shows both where they differ"
                    .to_owned(),
            ),
            Self::Parse(said) if said.contains("typo of '=='") => {
                Some("`=` gives a variable a value; `==` compares two".to_owned())
            }
            Self::Parse(said) if said.contains("invalid character") => {
                Some("text stands in double quotes: \"…\"".to_owned())
            }
            Self::Parse(said) if said.contains("ndefined module") => {
                Some("`import \"names\" as names;` at the top gives a module its name here".to_owned())
            }
            Self::Parse(said) if said.contains("script is incomplete") => {
                Some("a bracket or a quote that was opened is not closed".to_owned())
            }
            Self::Parse(said) if said.starts_with("unexpected '") && !said.is_ascii() => {
                Some("names are written with a to z; a column of another name is read as `row[\"Kürzel\"]`".to_owned())
            }
            Self::Parse(_) => {
                Some("the place is the first that cannot be right; look just before it as well".to_owned())
            }
            Self::UnknownFunction { .. } => Some(format!(
                "rules can say {}; a text has `trim`, `lower`, `upper`, `replace`, `split`, `before`, `after` and more",
                list(&declarations())
            )),
            Self::WrongArguments { .. } => Some("look at the types: a column of a record is always text".to_owned()),
            Self::WrongParameters { word: "source", .. } => Some("write it as `|row| #{ key: row.id }`".to_owned()),
            Self::WrongParameters { word: "route", .. } => Some("write it as `|change| …`".to_owned()),
            Self::WrongParameters { word: "refused", .. } => Some("write it as `|change, refusal| …`".to_owned()),
            Self::WrongParameters { word: "guard", .. } => Some("write it as `|plan| …`".to_owned()),
            Self::WrongParameters { word: "cases", .. } => Some("write it as `|row| { … }`".to_owned()),
            Self::WrongParameters { word: "test", .. } => Some("write it as `|| { … }`".to_owned()),
            Self::WrongParameters { word, .. } => {
                Some(format!("write it as `|person| …`; `{word}` asks it for one person at a time"))
            }
            Self::WrongType { wanted, what, .. } if wanted.contains(TRUTH) && what.contains("active") => {
                Some("compare something: `active: row.status == \"Active\"`".to_owned())
            }
            Self::WrongType { wanted, .. } if wanted.contains(TRUTH) => {
                Some("compare something, as in `|person| person.active == true`".to_owned())
            }
            Self::WrongType { wanted, .. } if wanted.contains("|change") || wanted.contains("|plan|") => {
                Some("it is a function, written in place: see the reference with `homeward docs`".to_owned())
            }
            Self::WrongType { wanted, .. } if wanted.contains("|person|") => {
                Some("a condition is a function, as in `|person| person.active == true`".to_owned())
            }
            Self::WrongType { wanted, .. } if wanted.contains("#{") => {
                Some("as in `source(\"hr\", |row| #{ key: row.employee_id, email: row.email })`".to_owned())
            }
            Self::WrongType { what, .. } if what.contains("sort") => {
                Some("what differs in kind has no order: sort by a part, as in `|a, b| a.name < b.name`".to_owned())
            }
            Self::NotHeld { system, attribute } => Some(format!(
                "only a system that holds `{attribute}` can own it or get a copy; `{system}` has no place for it"
            )),
            Self::UnknownProperty { .. } => Some("look at the spelling, and at what stands before the dot".to_owned()),
            Self::TooLate { .. } => Some("move it to the top level of the file".to_owned()),
            Self::MissingArgument { name, is_empty: true, .. } => {
                Some(format!("ask for it only where there is a `{name}`: `if … != \"\" {{ perform(…) }}`"))
            }
            Self::NotADate { format, .. } => {
                Some(format!("the form is `{format}`; `date_or_empty` takes blank cells as well"))
            }
            _ => None,
        }
    }
}

/// As many errors as somebody reads, and how many there are beside them.
pub(super) fn readable(mut errors: Vec<RuleError>) -> Vec<RuleError> {
    let more = errors.len().saturating_sub(MAX_SHOWN);
    if more > 1 {
        errors.truncate(MAX_SHOWN);
        errors.push(RuleError::new(Fault::More(more), None));
    }
    errors
}

/// The words that stand at the top level.
fn declarations() -> Vec<String> {
    ["owner", "copies", "source", "join", "account", "temporary", "range", "route", "refused", "guard", "test", "cases"]
        .map(str::to_owned)
        .to_vec()
}

/// How messages call a truth value.
pub(super) const TRUTH: &str = "true or false";
/// How messages call the name of what there can be only one of.
pub(super) const ONE_NAME: &str = "one name in quotes";
/// How messages call `()`.
pub(super) const NOTHING: &str = "nothing (`()`)";

/// A type of the script language as messages call it.
pub(super) fn type_name(name: &str) -> String {
    let name = name.trim();
    let plain = match name {
        "string" | "&str | ImmutableString | String" | "alloc::string::String" => "text",
        "i64" | "INT" => "a number",
        "f64" => "a decimal number",
        "bool" => TRUTH,
        "()" => NOTHING,
        "char" => "a character",
        "array" => "a list",
        "map" => "a map",
        "Fn" | "FnPtr" => "a function",
        // Types of ours that the language calls by their path.
        other => match other.rsplit("::").next().unwrap_or(other) {
            "Clear" => "`clear()`",
            "Row" => "a record",
            "PersonView" => "a person",
            "AccountView" => "an account",
            "ChangeView" => "a change",
            "RefusalView" => "a refusal",
            "PlanView" => "a plan",
            "PartView" => "a part of a plan",
            "Given" => "what is given",
            "Action" => "`to(…)`, `hold(…)` or `drop(…)`",
            "Performance" => "`perform(…)`",
            plain => plain,
        },
    };
    plain.to_owned()
}

struct Chain<'a>(&'a [AttributeName]);

fn chain(attributes: &[AttributeName]) -> Chain<'_> {
    Chain(attributes)
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, attribute) in self.0.iter().enumerate() {
            write!(f, "{}`{attribute}`", if at == 0 { "" } else { " → " })?;
        }
        Ok(())
    }
}

/// At most a dozen names, in quotes.
fn list(names: &[String]) -> String {
    let text = names.iter().take(12).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(12) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
