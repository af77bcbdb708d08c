//! The reference of the language: every word, every type with its properties, and what the language itself brings.
//!
//! The words and properties are the lists the program works by; what the language brings is read off the engine. Nothing
//! here knows a project: accounts are described by whoever knows the providers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{
    sandbox::{self, Meter},
    words::{Word, words},
};

/// A property of something that rules are handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Property {
    /// Of what: `change`, `plan`.
    pub(crate) of: &'static str,
    /// As it stands behind the dot.
    pub(crate) name: String,
    /// What kind of value it is.
    pub(crate) gives: &'static str,
    /// What it means, in one sentence.
    pub(crate) meaning: String,
}

/// What a change shows to rules.
pub(super) const OF_CHANGE: &[(&str, &str, &str)] = &[
    ("attribute", "text", "The name of the attribute that would change, such as `email`."),
    ("system", "text", "Whose account would change."),
    ("from", "value", "What the account holds now; () where it holds nothing."),
    ("to", "value", "What it would hold; () where it would be made empty."),
    ("person", "person", "Whom it is about; every value is decided."),
    ("account", "account", "The account that would change, or () where one would be made."),
    ("asked_by", "text", "The source that says it, or the owner whose copy it is."),
    ("owner", "text", "The owner of the attribute, or () where nobody owns it."),
];

/// What a refusal shows to rules.
pub(super) const OF_REFUSAL: &[(&str, &str, &str)] = &[
    (
        "kind",
        "text",
        "`owned_elsewhere`, `forbidden`, `taken`, `invalid`, `not_found`, `unsupported` or `ineffective`.",
    ),
    ("reason", "text", "One sentence for people."),
];

/// What a plan shows to rules: the parts of its document.
pub(super) const OF_PLAN: &[(&str, &str, &str)] = &[
    ("calls", "list", "What would be sent, in order."),
    ("changes", "list", "Every change with its decision."),
    ("operations", "list", "Operations that records ask for."),
    ("rejected", "list", "Rows that could not be used."),
    ("objections", "list", "In a test: what `guard` lines object to, each with its `reason` and `rule`."),
    ("links", "list", "Ties between people and accounts that applying the plan will remember."),
    (
        "summary",
        "map",
        "The totals: people, changes, calls, unchanged, refused, held, follows, dropped, rejected; and \
         `side_effects`, by system and by what is set off, where anything is.",
    ),
    ("warnings", "list", "What an operator should read before applying."),
    ("today", "text", "The date the rules saw."),
];

/// What a call of a plan shows, by the names that its document has.
pub(super) const OF_CALL: &[&str] = &[
    "id",
    "system",
    "person",
    "account",
    "operation",
    "performs",
    "method",
    "path",
    "headers",
    "body",
    "generated",
    "expects",
    "intends",
    "replay",
    "after",
];

/// What a change of a plan shows.
pub(super) const OF_PLANNED: &[&str] = &[
    "person",
    "attribute",
    "system",
    "account",
    "before",
    "after",
    "decision",
    "call",
    "asked_by",
    "owner",
    "because",
    "reason",
    "refusal",
    "belongs_to",
    "when",
    "side_effect",
];

/// What an operation of a plan shows.
pub(super) const OF_OPERATION: &[&str] = &[
    "person",
    "system",
    "account",
    "operation",
    "arguments",
    "decision",
    "call",
    "asked_by",
    "because",
    "reason",
    "refusal",
    "side_effect",
    "removes",
    "mark",
];

/// The properties of everything that is the same in every project.
pub(crate) fn properties() -> Vec<Property> {
    let all = [("change", OF_CHANGE), ("refusal", OF_REFUSAL), ("plan", OF_PLAN)];
    let of = |(of, list): (&'static str, &'static [(&'static str, &'static str, &'static str)])| {
        list.iter().map(move |&(name, gives, meaning)| Property {
            of,
            name: name.to_owned(),
            gives,
            meaning: meaning.to_owned(),
        })
    };
    all.into_iter().flat_map(of).collect()
}

/// Functions and operators that the language brings and that are no words of ours, by name, each with what it takes.
pub(crate) fn brought() -> BTreeMap<String, BTreeSet<String>> {
    let ours: BTreeSet<&str> = words().into_iter().map(|word| word.name).collect();
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for signature in sandbox::engine(&Meter::new()).gen_fn_signatures(true) {
        let Some((name, takes)) = named(&signature) else { continue };
        if ours.contains(name) || name.contains('$') {
            continue;
        }
        let takes: Vec<String> = takes.split(", ").map(plain).collect();
        // Rules have one kind of number and one of decimal.
        if takes.iter().any(|kind| OF_THE_HOST.contains(&kind.as_str())) {
            continue;
        }
        all.entry(name.to_owned()).or_default().insert(format!("({})", takes.join(", ")));
    }
    all
}

/// How many arguments each word can be given: those of its forms, and of what the language has under this name.
pub(super) fn arities() -> BTreeMap<&'static str, BTreeSet<usize>> {
    let of_word = |word: Word| (word.name, forms(word.signature).map(|form| form.len()).collect());
    let mut all: BTreeMap<&str, BTreeSet<usize>> = words().into_iter().map(of_word).collect();
    for signature in sandbox::engine(&Meter::new()).gen_fn_signatures(true) {
        let Some((name, takes)) = named(&signature) else { continue };
        if let Some(arities) = all.get_mut(name) {
            arities.insert(takes.split(", ").filter(|parameter| !parameter.is_empty()).count());
        }
    }
    all
}

/// The name of a function of the language, and what stands between its brackets.
fn named(signature: &str) -> Option<(&str, &str)> {
    let (name, rest) = signature.split_once('(')?;
    let takes = rest.split_once(") ->").map_or(rest.trim_end(), |(takes, _)| takes);
    Some((name, takes.strip_suffix(')').unwrap_or(takes)))
}

/// Kinds of numbers that functions of the language take and no rule can get hold of.
const OF_THE_HOST: [&str; 11] = ["i8", "i16", "i32", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "Blob"];

/// A parameter in the language's own words: the type alone, without the host's paths.
fn plain(parameter: &str) -> String {
    let kind = parameter.rsplit(": ").next().unwrap_or(parameter).trim_start_matches("&mut ").trim_start_matches('&');
    match kind.rsplit("::").next().unwrap_or(kind) {
        "i64" | "INT" | "int" => "number",
        "f64" | "FLOAT" | "float" => "decimal",
        "ImmutableString" | "str" | "String" | "string" => "text",
        "Array" | "array" => "list",
        "Map" | "map" => "map",
        "FnPtr" | "Fn" => "function",
        "Dynamic" | "?" | "_" => "value",
        "char" => "character",
        "bool" => "truth",
        other => other,
    }
    .to_owned()
}

/// The definition file for the language server: every word and property, to complete and to show while typing.
/// `properties` are those of [`properties`] and what the caller knows of persons and accounts.
pub(crate) fn definitions(properties: &[Property]) -> String {
    let mut text = String::from("module static;\n");
    for word in words() {
        for form in forms(word.signature) {
            let _ = write!(text, "\n/// {}\nfn {}({}) -> ?;\n", word.meaning, word.name, form.join(", "));
        }
    }
    for Property { of, name, gives, meaning } in properties {
        let _ = write!(text, "\n/// {meaning}\nfn get {name}({of}: {}) -> {};\n", kind(of), kind(gives));
    }
    text
}

/// What a word takes in each of its forms.
fn forms(signature: &'static str) -> impl Iterator<Item = Vec<String>> {
    signature.split(" or (").map(|form| parameters(form.trim_start_matches('(').trim_end_matches(')')))
}

/// What a word takes, as parameters with types.
fn parameters(takes: &str) -> Vec<String> {
    let (mut parts, mut depth, mut part) = (Vec::new(), 0_i32, String::new());
    let mut in_bars = false;
    for c in takes.chars() {
        depth += i32::from(matches!(c, '{' | '[' | '(')) - i32::from(matches!(c, '}' | ']' | ')'));
        in_bars ^= c == '|';
        if c == ',' && depth == 0 && !in_bars {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    let named = |part: &str| match part {
        it if it.starts_with('|') => "function: Fn".to_owned(),
        it if it.starts_with('"') => "language: String".to_owned(),
        it if it.starts_with('[') => "list: Array".to_owned(),
        it if it.starts_with('#') => "arguments: Map".to_owned(),
        it => format!("{it}: ?"),
    };
    parts.map(named).collect()
}

/// The language server's name of a kind of value.
fn kind(gives: &str) -> String {
    match gives {
        "text" => "String".to_owned(),
        "list" => "Array".to_owned(),
        "map" => "Map".to_owned(),
        "truth" => "bool".to_owned(),
        "value" => "?".to_owned(),
        other => other[..1].to_uppercase() + &other[1..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_word_becomes_a_function_with_named_parameters() {
        assert_eq!(
            parameters("attribute, system, |person, other| condition"),
            ["attribute: ?", "system: ?", "function: Fn"]
        );
        assert_eq!(parameters("system, operation, #{ a: 1, b: 2 }"), ["system: ?", "operation: ?", "arguments: Map"]);
        assert_eq!(parameters(""), Vec::<String>::new());
    }

    #[test]
    fn a_word_can_be_given_what_its_forms_say_and_what_the_language_takes_under_its_name() {
        let arities = arities();
        for (word, takes) in [
            ("hold", &[1][..]),
            ("owner", &[2, 3]),
            ("lower", &[1]),
            ("given", &[0, 1]),
            ("perform", &[2, 3]),
            ("cases", &[2]),
        ] {
            assert_eq!(arities[word].iter().copied().collect::<Vec<_>>(), takes, "{word}");
        }
        // The language clears lists.
        assert!(arities["clear"].contains(&1), "{arities:?}");
    }

    #[test]
    fn what_the_language_brings_is_read_off_the_engine_and_holds_no_way_out() {
        let brought = brought();
        for there in ["+", "==", "push", "filter", "keys", "abs"] {
            assert!(brought.contains_key(there), "{there}: {:?}", brought.keys());
        }
        for barred in ["eval", "sleep", "exit", "print", "timestamp", "call", "curry", "parse_json"] {
            assert!(!brought.contains_key(barred), "{barred}");
        }
        let kinds: BTreeSet<&str> =
            brought.values().flatten().flat_map(|takes| takes.trim_matches(['(', ')']).split(", ")).collect();
        let ours = ["", "decimal", "function", "list", "map", "number", "range", "range=", "text", "truth", "value"];
        assert_eq!(kinds, BTreeSet::from(ours));
    }
}
