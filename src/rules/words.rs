//! The words a rule can say, as one list: for suggestions, for error messages and for documentation.
//!
//! The list says nothing about how a word works; `vocabulary` and `text` do. A test holds the three together.

/// One word of the rule language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// As it is written.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) signature: &'static str,
    /// What it means, in one sentence.
    pub(crate) meaning: &'static str,
}

/// Every word, declarations first.
pub(crate) fn words() -> Vec<Word> {
    WORDS.iter().map(|&(name, signature, meaning)| Word { name, signature, meaning }).collect()
}

/// What a word takes, for "takes ..." in messages; `None` where it is no word of ours.
pub(super) fn signature(name: &str) -> Option<&'static str> {
    WORDS.iter().find(|word| word.0 == name).map(|word| word.1)
}

/// The names of all words.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|word| word.0)
}

/// What somebody may have called the key of a record, in small letters.
pub(super) const MEANT_AS_KEY: [&str; 11] =
    ["id", "uid", "uuid", "guid", "nr", "no", "number", "person", "person_id", "employee_id", "identifier"];

/// The candidate somebody who wrote `word` probably meant.
pub(super) fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-', '.'], "_");
    let wanted = plain(word);
    // As other languages call what changes a text: `to_lower`, `lowercase`, `toLowerCase`.
    let bare = ["to_", "make_", "to"].iter().find_map(|prefix| wanted.strip_prefix(prefix)).unwrap_or(&wanted);
    let bare = bare.strip_suffix("case").unwrap_or(bare).trim_end_matches('_');
    let length = wanted.chars().count();
    let allowed = (length / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let theirs = plain(candidate);
        let same = bare == theirs;
        let their_length = theirs.chars().count();
        // What differs more in length than is allowed differs too much, and need not be compared.
        if !same && their_length.abs_diff(length) > allowed {
            continue;
        }
        let distance = if same { 0 } else { strsim::osa_distance(&wanted, &theirs) };
        let better = best.is_none_or(|(known, _)| distance < known);
        if distance <= allowed && distance < their_length && better {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

const WORDS: &[(&str, &str, &str)] = &[
    (
        "owner",
        "(attribute, system) or (attribute, system, |person| condition)",
        "The system whose word counts for this attribute, or for each of a list; the first line that matches wins.",
    ),
    ("copies", "(attribute, system)", "Other systems that get a copy of this attribute; both may be lists."),
    ("source", "(system, |row| #{ key: ... })", "What a record of this source says about one person."),
    ("join", "(system, attribute)", "By which attribute, or list of attributes, an account is found the first time."),
    (
        "account",
        "(system) or (system, |person| condition)",
        "Who should have an account; a condition of () says nothing about this person.",
    ),
    (
        "temporary",
        "(attribute, system)",
        "Where a ring of names may be broken by a name that is held for a moment only; the system may be a list.",
    ),
    (
        "range",
        "(attribute, members)",
        "The members of a set, such as `gitlab.groups`, that these rules may touch; nothing else of it is looked at.",
    ),
    (
        "route",
        "(|change| action)",
        "Asked about every change before it is made; the first line that returns `to`, `hold` or `drop` decides.",
    ),
    (
        "refused",
        "(system, |change, refusal| action)",
        "Asked about every change that this provider would not take; returns `to`, `hold`, `drop` or ().",
    ),
    ("guard", "(|plan| action)", "Asked about every plan; `hold` stops all of it before anything is sent."),
    ("test", "(name, || { ... })", "A test of these rules, run by `homeward test`."),
    (
        "cases",
        "([#{ name: ..., ... }, ...], |row| { ... })",
        "A table of tests: each row is a test of its own, by the name it gives itself.",
    ),
    (
        "given",
        "() or (#{ system: #{ ... } }) or ([#{ ... }, ...])",
        "In a test: what is so, for one person or several; accounts by attributes and facts, of a source what it showed.",
    ),
    (
        "when",
        "(given, source, record) or (given, source, [record, ...])",
        "In a test: a source says this; the plan that comes of it.",
    ),
    ("when_csv", "(given, source, text)", "In a test: a source hands in a CSV file with this text."),
    ("when_file", "(given, source, path)", "In a test: a source hands in this file of the project."),
    (
        "change",
        "(plan, attribute) or (plan, attribute, system) or (plan, attribute, system, key)",
        "In a test: the one change of an attribute, with its `decision`, `before`, `after`, `reason`, `because` and more.",
    ),
    (
        "decided",
        "(plan, attribute) or (plan, attribute, system) or (plan, attribute, system, key)",
        "In a test: what was decided of a change, such as \"apply\" or \"follow\"; () where there is none.",
    ),
    ("assert", "(condition) or (condition, message)", "In a test: fails where the condition is false."),
    ("assert_eq", "(a, b)", "In a test: fails where the two differ, and shows both."),
    ("assert_ne", "(a, b)", "In a test: fails where the two are the same."),
    ("assert_nothing", "(plan)", "In a test: fails where the plan does, refuses, holds or rejects anything."),
    (
        "assert_because",
        "(plan, line)",
        "In a test: fails where this line of the rules, such as \"rules/ownership.rhai:2\", decided nothing.",
    ),
    (
        "assert_golden",
        "(plan, name)",
        "In a test: fails where the plan is not the one kept under this name; `homeward test --update` keeps it.",
    ),
    ("to", "(system)", "What a route returns: make the change there instead; a list of systems makes it at each."),
    ("hold", "(reason)", "What a route or guard returns: leave it until a person decides."),
    ("drop", "(reason)", "What a route returns: leave it."),
    (
        "perform",
        "(system, operation) or (system, operation, #{ ... })",
        "What a source returns for a call that is no attribute, alone or in a list with its `#{ key: ... }`.",
    ),
    ("count", "(plan, system) or (plan, system, attribute)", "How many people a plan changes at this system."),
    ("clear", "()", "What a source returns for an attribute that is empty; () says nothing."),
    (
        "today",
        "() or (date)",
        "The date of this run, as 2026-11-20; in a test, `today(\"2026-11-20\")` sets it for what follows.",
    ),
    ("trim", "(text)", "Without white space at both ends."),
    ("lower", "(text)", "In small letters."),
    ("upper", "(text)", "In capital letters."),
    ("title", "(text)", "With a capital at the start of each word; the other letters stay."),
    ("slug", "(text) or (text, \"de\")", "As [a-z0-9-]: ü becomes u, or ue with \"de\"."),
    ("ascii", "(text)", "Without accents: each letter as the nearest plain ones; case and spaces stay."),
    ("split", "(text, separator)", "The parts between the separators, as a list."),
    ("replace", "(text, old, new)", "With every `old` replaced."),
    ("matches", "(text, pattern)", "Whether the regular expression is found in the text."),
    ("capture", "(text, pattern)", "What the regular expression found: the whole match, then its groups; or ()."),
    ("starts_with", "(text, beginning)", "Whether it starts so."),
    ("ends_with", "(text, ending)", "Whether it ends so."),
    ("contains", "(text, part)", "Whether it holds the part."),
    ("before", "(text, separator)", "What stands before the first separator; all of it where there is none."),
    ("after", "(text, separator)", "What stands after the first separator; empty where there is none."),
    ("is_blank", "(text)", "Whether there is nothing, or white space only."),
    ("or", "(text, default)", "The default where the text is blank."),
    ("len", "(text)", "How many characters it has."),
    ("sub_string", "(text, start) or (text, start, length)", "A part of it, counted in characters from 0."),
    (
        "date",
        "(text, format)",
        "The date written in this format (%d.%m.%Y) as 2026-11-20; anything else rejects the record.",
    ),
    ("date_or_empty", "(text, format)", "As `date`, but blank text stays empty."),
    ("days_until", "(date)", "Days from today to a date such as 2026-11-20; negative where it is past."),
    ("has", "(row, column)", "Whether the record has a column of this name."),
    ("to_string", "(value)", "A number, a truth value or a character as text."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_near_and_another_word_is_not() {
        let known = ["username", "email", "last_name"];
        assert_eq!(near("usrname", known).as_deref(), Some("username"));
        assert_eq!(near("mail", known).as_deref(), Some("email"));
        assert_eq!(near("Last Name", known).as_deref(), Some("last_name"));
        assert_eq!(near("salary", known), None);
        assert_eq!(near("", known), None);
        assert_eq!(near("to_lower", names()).as_deref(), Some("lower"));
    }

    #[test]
    fn no_word_is_listed_twice() {
        let mut all: Vec<_> = names().collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(words().len(), count);
    }
}
