//! What WordPress does to texts before it stores or compares them.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// How many characters a slug has at most (`wordpress.md` 4).
pub(super) const LONGEST_SLUG: usize = 50;

/// A name as it is stored: tags are gone, white space is single, entities stand for `&`, `<` and `>`
/// (`wordpress.md` 4).
pub(super) fn name(text: &str) -> String {
    let bare = without_tags(text);
    let spaced = bare.split_whitespace().collect::<Vec<_>>().join(" ");
    with_entities(&spaced).replace('<', "&lt;").replace('>', "&gt;")
}

/// A description as it is stored: it keeps harmless tags, and entities stand for bare ampersands.
pub(super) fn description(text: &str) -> String {
    with_entities(text)
}

/// A text with every ampersand that begins no entity written as one; what is an entity already stays.
fn with_entities(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        written.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if !begins_entity(rest) {
            written.push_str("amp;");
        }
    }
    written + rest
}

/// True for what follows the ampersand of an entity, such as `amp;` or `#38;`.
fn begins_entity(text: &str) -> bool {
    let Some(end) = text.find(';').filter(|end| (1..=8).contains(end)) else { return false };
    match text[..end].strip_prefix('#') {
        Some(number) => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x'),
        None => ["amp", "lt", "gt", "quot", "apos", "nbsp", "copy", "auml", "ouml", "uuml"].contains(&&text[..end]),
    }
}

/// A text without what stands between `<` and `>`; a `<` that opens no tag stays.
fn without_tags(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        bare.push_str(&rest[..at]);
        let opens = rest[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        if let Some(end) = rest[at..].find('>').filter(|_| opens) {
            rest = &rest[at + end + 1..];
        } else {
            bare.push('<');
            rest = &rest[at + 1..];
        }
    }
    bare + rest
}

/// How the database compares: neither letter case nor accents count.
pub(super) fn folded(text: &str) -> String {
    text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The URL form of a text, at most 50 characters long.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in folded(text).chars().take(LONGEST_SLUG) {
        match c {
            'a'..='z' | '0'..='9' | '_' => slug.push(c),
            // Several in a row become one.
            ' ' | '.' | '-' | '/' if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.trim_matches('-').to_owned()
}

/// True for a login that may be made: letters and digits without accents, and ` _.-@` (`wordpress.md` 4).
pub(super) fn is_login(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.-@".contains(c);
    !text.is_empty() && text.chars().all(plain) && text.trim() == text && !text.contains("  ")
}

/// True for what WordPress takes as an e-mail address.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let in_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    !local.is_empty() && local.chars().all(in_local) && domain.contains('.') && domain.split('.').all(is_label)
}

/// An address as it is stored: one without a scheme gets one.
pub(super) fn address(text: &str) -> String {
    let text = text.trim().replace(' ', "%20");
    let has_scheme = text.contains(':') || text.is_empty() || text.starts_with(['/', '#', '?']);
    if has_scheme { text } else { format!("http://{text}") }
}

/// A list in words: `a`, `a and b`, `a, b, and c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stored_with_entities_and_without_tags() {
        for (given, stored) in [
            ("R&D", "R&amp;D"),
            ("R&amp;D", "R&amp;D"),
            ("R&#38;D", "R&#38;D"),
            ("O'Brien \"Bo\"", "O'Brien \"Bo\""),
            ("<b>Anna</b>  Berg ", "Anna Berg"),
            ("1 < 2", "1 &lt; 2"),
            ("a & b; c", "a &amp; b; c"),
            ("Ĺ&é;", "Ĺ&amp;é;"),
        ] {
            assert_eq!(name(given), stored);
        }
    }

    #[test]
    fn slugs_are_those_of_the_recorded_users() {
        for (login, expected) in [
            ("Mixed.Case@Login", "mixed-caselogin"),
            ("with space", "with-space"),
            ("12345", "12345"),
            ("Jörg Müller", "jorg-muller"),
        ] {
            assert_eq!(slug(login), expected);
        }
        assert_eq!(slug(&"a".repeat(60)).len(), LONGEST_SLUG);
    }

    #[test]
    fn comparing_looks_at_neither_case_nor_accents() {
        assert_eq!(folded("Müller ÉLOÏSE"), "muller eloise");
    }

    #[test]
    fn addresses_and_logins_are_told_from_others() {
        for good in ["a@example.com", "plus+tag@example.com", "UPPER.Case@Example.com"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "not-an-address", "a@b", "a b@example.com", "a@-x.com", "a@example..com"] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["Mixed.Case@Login", "with space", "12345"] {
            assert!(is_login(good), "{good}");
        }
        for bad in ["hanna/neu?", "jörg", " a", "a  b", ""] {
            assert!(!is_login(bad), "{bad}");
        }
    }
}
