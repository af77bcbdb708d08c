//! The list of everything that `check` can find: a stable word, how grave it is, and what it means.
//!
//! The words are part of the program's interface: they stand in comments that silence, in reports of CI and in what
//! editors show. This list knows nothing of how something is found.

use std::fmt;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It cannot work as it is written.
    Error,
    /// It is allowed and probably not meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One kind of finding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    /// The stable word.
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    /// What it means and what to do about it, in a few sentences.
    pub(crate) meaning: &'static str,
}

/// All codes, errors first, each group in alphabetical order.
pub(crate) fn codes() -> impl Iterator<Item = Code> {
    let errors = ERRORS.iter().map(|&(name, meaning)| Code { name, severity: Severity::Error, meaning });
    errors.chain(WARNINGS.iter().map(|&(name, meaning)| Code { name, severity: Severity::Warning, meaning }))
}

/// How grave a finding of this code is. What is not listed is an error.
pub(super) fn severity(name: &str) -> Severity {
    if WARNINGS.iter().any(|(warning, _)| *warning == name) { Severity::Warning } else { Severity::Error }
}

const ERRORS: &[(&str, &str)] = &[
    ("assigned", "`=` sets a value, and everything a rule is handed is read-only. `==` compares."),
    ("bad_format", "A form of a date that does not exist. Write it with %d, %m and %Y."),
    ("bad_pattern", "A regular expression that cannot be read."),
    (
        "cannot_be",
        "A comparison with a value that can never be there: a misspelt name of an attribute or a system, a kind of \
         refusal that does not exist, a text compared with true. It is always false, so the rule never does what it says.",
    ),
    ("configuration", "homeward.toml is wrong at this place. `homeward schema` prints what it may hold."),
    ("declared_twice", "A second line for the same thing. Only one can count: make them one."),
    ("limit_exceeded", "The rule is too much work: a loop without an end, functions that call each other too deeply."),
    ("missing_argument", "An operation in `perform` needs this argument."),
    ("module_cycle", "A module that imports itself, directly or through others."),
    ("no_key", "A `source` function returns a map without `key`, so nobody knows whom the record is about."),
    ("no_lookup", "Accounts of this provider cannot be found by this attribute. Join by another one."),
    (
        "no_own_tokens",
        "`token = { per_person = … }` for a kind that is not used with people's own tokens. Give it one token.",
    ),
    (
        "no_range",
        "A source speaks of the members of a set, and no `range` line says which of them these rules may touch.",
    ),
    ("no_reason", "A comment that silences a warning says why: `// homeward: allow(code) the reason`."),
    ("no_set", "`range` is for attributes with members, such as `gitlab.groups`. This one has one value."),
    ("not_a_date", "A text that is not the date it should be."),
    ("not_held", "This system has no such attribute, so it can neither own it nor get a copy or a change of it."),
    ("not_text", "A script has to be UTF-8."),
    ("of_nobody", "An operation that is done to a person's account, asked for by a record that names no person."),
    ("out_of_range", "A member of a set that the `range` line does not name."),
    ("owned_twice", "Two `owner` lines without condition for one attribute. The first decides; remove one."),
    ("owner_cycle", "Conditions that ask for values whose owners depend on the conditions themselves."),
    ("parse", "This is no script of the language at this place."),
    ("runtime", "The script fails while it is loaded."),
    ("thrown", "The script itself says no while it is loaded."),
    ("too_large", "A script may have 64 KiB. Split it."),
    ("too_late", "A declaration inside of a function that runs for a record or a person. It stands at the top level."),
    ("too_much", "A value is too large."),
    ("unheard", "`perform` where nobody hears it. It is what a `source` function returns."),
    ("unknown_argument", "An argument that this operation does not take."),
    ("unknown_attribute", "There is no attribute of this name."),
    (
        "unknown_code",
        "A comment that silences names a code that does not exist. `homeward check --explain` lists them.",
    ),
    ("unknown_column", "The record, or the sample of it in the project, has no column of this name."),
    ("unknown_function", "There is no function of this name."),
    ("unknown_level", "Nobody can be this in that set."),
    ("unknown_module", "There is no module of this name under `lib` in the folder of the rules."),
    ("unknown_operation", "The provider has no operation of this name."),
    ("unknown_property", "What stands before the dot has nothing of this name."),
    ("unknown_system", "No system of this name is configured."),
    ("unknown_variable", "There is no variable of this name here. Functions see their arguments and constants only."),
    ("unreadable", "The file or folder cannot be read."),
    ("word_taken", "A function with the name of a word of the rules would silently take its place."),
    ("wrong_arguments", "A function is given what it cannot take."),
    ("wrong_role", "A source where a provider must be named, or the other way round."),
    ("wrong_type", "A value of the wrong kind: text where true or false is needed, and the like."),
];

const WARNINGS: &[(&str, &str)] = &[
    ("absence_unheard", "A source lists everybody, and nobody owns `active`: absence says nothing to anybody."),
    (
        "account_unsought",
        "An `account` line for a provider without a `join` line. Whoever has an account there already, and none elsewhere \
         that it signs in through, is not found: another one is asked for, which the provider refuses or makes.",
    ),
    ("always_false", "A condition that never holds, as far as constants show: what depends on it never happens."),
    ("always_true", "A condition that always holds, as far as constants show: it can be left out."),
    ("cannot_create", "An `account` line for a provider that cannot make accounts: whoever has none stays without."),
    (
        "cannot_write",
        "This provider cannot change the attribute, so owning it means that every request is refused, and a copy to it \
         never arrives. The message has the provider's reason.",
    ),
    ("copy_to_owner", "The system that owns an attribute for everybody needs no copy of it."),
    ("copy_without_owner", "An attribute is copied and nobody owns it, so there is nothing to copy."),
    ("dead_code", "Statements behind a `return` that is always reached: they never run."),
    (
        "goes_nowhere",
        "A source owns an attribute, no `copies` line brings it anywhere and no condition looks at it: its word has no effect.",
    ),
    ("join_never_said", "A provider's accounts are looked for by an attribute that no source ever says."),
    (
        "may_be_missing",
        "An account is looked into that not everybody has, or a value is taken for true or false that may be `()`. For whoever has none \
         the rule fails, and a rule that fails stops the plan: ask with `?.`, or compare it with `()` or `false` first.",
    ),
    ("never_answers", "A function that can only answer `()`: the line does nothing."),
    (
        "never_known",
        "A condition looks at an attribute of a person that nobody owns: it is `()` for everybody, whatever a source says.",
    ),
    ("no_effect", "A statement whose value nobody uses. Our functions return new values and change nothing in place."),
    ("no_meaning", "Nothing says what a record of this source means: write a `source` line."),
    ("no_rules", "The folder holds no rules."),
    ("no_switch", "An `account` line for a provider whose accounts cannot be switched off."),
    ("nobody_owns", "A source speaks of an attribute, and no `owner` line says who owns it: it is always refused."),
    (
        "not_filled_in",
        "`${…}` in a text between double quotes stands there as it is written. Between backticks it is filled in.",
    ),
    ("owner_says_nothing", "The owner is a source whose records never speak of the attribute."),
    (
        "ping_pong",
        "As far as can be told, these rules and what systems do by themselves never come to rest: a change leads back to \
         itself, and the trace shows how. Give the attribute one owner, take a copy away, or let the source say changes \
         only. What a rule computes in functions of its own is taken to answer anything.",
    ),
    ("repeated_condition", "The same condition was asked before in this chain: this branch is never taken."),
    (
        "rotation_lost",
        "People's tokens come from a file or a command and are renewed. Where the server replaces the refresh token too, \
         the new one cannot be written back, and with the next run everybody has to sign in again. Keep them in the state \
         store.",
    ),
    (
        "rounds_unknown",
        "There are more ways to begin than can be tried, so whether these rules come to rest is not proven.",
    ),
    ("silences_nothing", "A comment silences a warning that is not there. Remove it."),
    ("two_writers", "Two rules write the same thing of one account, and only one of them can win."),
    ("undeclared_column", "The column is not among those the configuration names, and close to one of them."),
    (
        "unheard_system",
        "No rule speaks of this provider: no `owner`, `copies`, `join` or `account` line and no operation. It is never asked \
         for an account, so `person` has none there, and nothing is changed.",
    ),
    ("unreachable_hook", "An earlier line of the same kind always answers, so this one is never asked."),
    ("unreachable_owner", "An `owner` line that never decides, because an earlier one always does."),
    (
        "unread_list",
        "A list that lies beside the configuration, by which columns are checked, cannot be read as the source is configured.",
    ),
    ("unused_constant", "A constant that nothing uses."),
    ("unused_function", "A function that nothing calls."),
    ("unused_import", "A module is imported and nothing of it is used."),
    ("unused_member", "A member of a range that no source ever grants: everybody is taken out of it."),
    ("unused_module", "A module that nothing imports."),
    ("unused_range", "A range of a set that no source speaks of."),
    (
        "would_revert",
        "A source states, again and again, what it does not own: it would undo the owner's changes for ever. Let it own \
         the attribute, or configure says = \"changes\".",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once_in_order_and_explained_in_sentences() {
        for list in [ERRORS, WARNINGS] {
            assert!(list.is_sorted_by(|a, b| a.0 < b.0), "{:?}", list.iter().map(|it| it.0).collect::<Vec<_>>());
        }
        let mut names: Vec<_> = codes().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ERRORS.len() + WARNINGS.len());
        for code in codes() {
            assert!(code.meaning.ends_with('.'), "{}", code.name);
        }
    }
}
