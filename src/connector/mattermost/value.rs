//! What Mattermost makes of a value before it stores it, and which values it does not store.
//!
//! Knows the rules for single values only (`mattermost.md` 4.2 steps 2, 4 and 5, and 6): nothing of accounts, owners or
//! credentials. Reasons name attributes and rules, never values.

use crate::model::attribute::Value;

/// Usernames that nobody may have (`mattermost.md` 4.2).
const RESERVED: &[&str] = &["all", "channel", "matterbot", "system"];

/// Names that a sign-in empties, because they are words of the server's own addresses (`mattermost.md` 6).
const ROUTES: &[&str] = &[
    "admin",
    "api",
    "boards",
    "channel",
    "claim",
    "error",
    "files",
    "help",
    "landing",
    "login",
    "mfa",
    "oauth",
    "playbooks",
    "plug",
    "plugins",
    "post",
    "signup",
];

/// Code points that are dropped from usernames and names (`mattermost.md` 4.2 step 4): those that the W3C's note on
/// Unicode in markup languages calls unsuitable.
const DROPPED: &[(char, char)] = &[
    ('\u{0340}', '\u{0341}'),
    ('\u{17A3}', '\u{17A3}'),
    ('\u{17D3}', '\u{17D3}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{206A}', '\u{206F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFF9}', '\u{FFFC}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E007F}'),
];

/// The longest username, in bytes.
const LONGEST_USERNAME: usize = 64;

/// The value as it is stored (`mattermost.md` 4.2 step 4). Nothing is trimmed.
pub(super) fn stored(attribute: &str, value: &Value) -> Value {
    let Some(text) = value.as_text() else { return value.clone() };
    match attribute {
        "username" => Value::text(&lower(&visible(text))),
        "email" => Value::text(&lower(text)),
        "first_name" | "last_name" | "nickname" => Value::text(&visible(text)),
        _ => value.clone(),
    }
}

/// Why the server would not store this value, already in its stored form; `None` where it would. Remote accounts (of
/// shared channels) may have a `:` in the username.
pub(super) fn fault(attribute: &str, value: &Value, remote: bool) -> Option<String> {
    if attribute == "active" {
        return value.as_bool().is_none().then(|| "`active` is true or false".to_owned());
    }
    if value.as_bool().is_some() {
        return Some(format!("`{attribute}` is a text"));
    }
    let text = value.as_text().unwrap_or_default();
    let points = text.chars().count();
    match attribute {
        "username" => username_fault(text, remote),
        "email" => email_fault(text),
        "nickname" | "first_name" | "last_name" if points > 64 => {
            Some(format!("`{attribute}` is longer than 64 characters"))
        }
        "position" if points > 128 => Some("`position` is longer than 128 characters".to_owned()),
        "locale" if !text.is_empty() && !is_locale(text) => {
            Some("`locale` must be a language tag of at most 5 letters, such as de or pt-BR".to_owned())
        }
        _ => None,
    }
}

/// The username that a sign-in makes of the login provider's (`mattermost.md` 6). A reason where it would not be kept
/// but replaced by a random one.
pub(super) fn signed_in_username(name: &str) -> Result<Value, String> {
    let name = lower(&name.replace(' ', "-"));
    let name = if ROUTES.contains(&name.as_str()) { "" } else { name.trim() };
    let name: String = name.chars().map(|c| if is_username_char(c) { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    match username_fault(name, false) {
        None => Ok(Value::text(name)),
        Some(fault) => {
            Err(format!("Mattermost would give the account a new random username at every sign-in: {fault} there"))
        }
    }
}

/// Whether an address belongs to one of the domains in a setting such as `example.com, @example.org`. No domain: every
/// address does (`mattermost.md` 4.2 step 2).
pub(super) fn admits(domains: &str, address: &str) -> bool {
    let domains = domains.to_lowercase();
    let mut domains = domains.split([' ', ',', '@', '\t', '\n']).filter(|domain| !domain.is_empty()).peekable();
    let Some((_, domain)) = address.rsplit_once('@') else { return domains.peek().is_none() };
    domains.peek().is_none() || domains.any(|admitted| admitted == domain)
}

fn username_fault(text: &str, remote: bool) -> Option<String> {
    // The server's own message for these speaks of 3 to 22 characters and of a letter in front: it is wrong, this is
    // what its code does.
    if text.is_empty() {
        return Some("`username` cannot be empty".to_owned());
    }
    if text.len() > LONGEST_USERNAME {
        return Some(format!("`username` is longer than {LONGEST_USERNAME} characters"));
    }
    if !text.chars().all(|c| is_username_char(c) || (remote && c == ':')) {
        return Some("`username` may hold only letters a to z, digits, dots, hyphens and underscores".to_owned());
    }
    RESERVED.contains(&text).then(|| "this `username` is reserved for the server itself".to_owned())
}

fn is_username_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '.' | '-' | '_')
}

fn email_fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("`email` cannot be empty".to_owned());
    }
    if text.len() > 128 {
        return Some("`email` is longer than 128 bytes".to_owned());
    }
    (!is_address(text)).then(|| "`email` is not a bare e-mail address with one @".to_owned())
}

/// A bare address as RFC 5322 writes one. Quoted names and bracketed hosts are let through unread: they are rare, and a
/// wrong yes costs one refused call, a wrong no a change that never happens.
fn is_address(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let quoted = name.len() > 2 && name.starts_with('"') && name.ends_with('"');
    let bracketed = domain.len() > 2 && domain.starts_with('[') && domain.ends_with(']');
    !domain.contains('@') && (quoted || is_dotted(name)) && (bracketed || is_dotted(domain))
}

/// One or more atoms with a dot between any two.
fn is_dotted(text: &str) -> bool {
    let is_atom_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
}

/// A language, or a language and a region: what fits into five bytes of a BCP 47 tag.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let is_language = |part: &str| matches!(part.len(), 2..=3) && part.chars().all(|c| c.is_ascii_alphabetic());
    let is_region = |part: &str| part.len() == 2 && part.chars().all(|c| c.is_ascii_alphabetic());
    text.len() <= 5
        && parts.next().is_some_and(is_language)
        && parts.next().is_none_or(is_region)
        && parts.next().is_none()
}

fn visible(text: &str) -> String {
    text.chars().filter(|c| !DROPPED.iter().any(|(first, last)| (first..=last).contains(&c))).collect()
}

/// Lower case letter by letter, as Go does: no letter becomes two, and a sigma at the end of a word is any sigma.
pub(super) fn lower(text: &str) -> String {
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_stored_lower_case_and_visible_and_never_trimmed() {
        for (attribute, given, kept) in [
            ("username", "Anna.B", "anna.b"),
            ("username", "an\u{202E}na\u{FEFF}", "anna"),
            ("username", " anna ", " anna "),
            ("username", "\u{2028}", ""),
            ("email", "Anna@Example.COM", "anna@example.com"),
            ("email", "an\u{FEFF}na@example.com", "an\u{FEFF}na@example.com"),
            ("first_name", "An\u{E0041}na ", "Anna "),
            ("last_name", "\u{206A}Meyer", "Meyer"),
            ("nickname", "A\u{FFFC}n", "An"),
            ("position", "Head\u{FEFF}", "Head\u{FEFF}"),
            ("locale", "pt-BR", "pt-BR"),
            ("email", "İ@example.com", "i@example.com"),
        ] {
            assert_eq!(stored(attribute, &given.into()), kept.into(), "{attribute} {given:?}");
        }
        assert_eq!(stored("active", &true.into()), true.into());
        assert_eq!(stored("nickname", &Value::Empty), Value::Empty);
    }

    #[test]
    fn a_username_is_one_to_sixty_four_of_its_letters_and_not_reserved() {
        let longest = "a".repeat(64);
        for good in ["a", "anna.b-c_9", "1anna", "-", longest.as_str()] {
            assert_eq!(fault("username", &good.into(), false), None, "{good}");
        }
        let too_long = "a".repeat(65);
        for (bad, why) in [
            ("", "`username` cannot be empty"),
            (too_long.as_str(), "`username` is longer than 64 characters"),
            ("an na", "`username` may hold only letters a to z, digits, dots, hyphens and underscores"),
            ("änna", "`username` may hold only letters a to z, digits, dots, hyphens and underscores"),
            ("anna:remote", "`username` may hold only letters a to z, digits, dots, hyphens and underscores"),
            ("all", "this `username` is reserved for the server itself"),
            ("channel", "this `username` is reserved for the server itself"),
            ("matterbot", "this `username` is reserved for the server itself"),
            ("system", "this `username` is reserved for the server itself"),
        ] {
            assert_eq!(fault("username", &bad.into(), false).as_deref(), Some(why), "{bad}");
        }
        assert_eq!(fault("username", &"anna:remote".into(), true), None);
    }

    #[test]
    fn an_email_is_a_bare_address_of_at_most_128_bytes() {
        let longest = format!("{}@example.com", "a".repeat(116));
        for good in
            ["anna@example.com", "anna+list@localhost", "o'neil@b.c", "\"an na\"@b.c", "ä@b.c", longest.as_str()]
        {
            assert_eq!(fault("email", &good.into(), false), None, "{good}");
        }
        let too_long = format!("a{longest}");
        assert_eq!(
            fault("email", &too_long.as_str().into(), false).as_deref(),
            Some("`email` is longer than 128 bytes")
        );
        assert_eq!(fault("email", &Value::Empty, false).as_deref(), Some("`email` cannot be empty"));
        for bad in ["anna", "@b.c", "anna@", "a@b@c", "anna meyer@b.c", "Anna <a@b.c>", "a..b@c.d", ".a@b.c", "a@b."] {
            assert_eq!(
                fault("email", &bad.into(), false).as_deref(),
                Some("`email` is not a bare e-mail address with one @"),
                "{bad}"
            );
        }
    }

    #[test]
    fn names_and_position_are_counted_in_characters_and_may_be_empty() {
        for (attribute, longest) in [("first_name", 64), ("last_name", 64), ("nickname", 64), ("position", 128)] {
            assert_eq!(fault(attribute, &"ä".repeat(longest).as_str().into(), false), None);
            assert_eq!(
                fault(attribute, &"ä".repeat(longest + 1).as_str().into(), false),
                Some(format!("`{attribute}` is longer than {longest} characters"))
            );
            assert_eq!(fault(attribute, &Value::Empty, false), None);
        }
    }

    #[test]
    fn a_locale_is_empty_or_a_short_language_tag() {
        for good in ["", "de", "pt-BR", "zh_TW", "fil"] {
            assert_eq!(fault("locale", &good.into(), false), None, "{good}");
        }
        for bad in ["d", "deutsch", "zh-Hant", "de-", "de--A", "12", "a b"] {
            assert!(fault("locale", &bad.into(), false).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_sort_is_a_fault() {
        assert_eq!(fault("active", &"yes".into(), false).as_deref(), Some("`active` is true or false"));
        assert_eq!(fault("active", &Value::Empty, false).as_deref(), Some("`active` is true or false"));
        assert_eq!(fault("nickname", &true.into(), false).as_deref(), Some("`nickname` is a text"));
    }

    #[test]
    fn a_sign_in_cleans_a_username_or_replaces_it() {
        let longest = "a".repeat(64);
        for (provider, here) in [
            ("anna", "anna"),
            ("Anna B", "anna-b"),
            ("-anna-", "anna"),
            ("anna@home", "anna-home"),
            ("ännä", "nn"),
            ("_anna_", "_anna_"),
            (longest.as_str(), longest.as_str()),
        ] {
            assert_eq!(signed_in_username(provider), Ok(here.into()), "{provider}");
        }
        for replaced in ["admin", "Login", "all", "system", "ä", "---", "", &"a".repeat(65)] {
            assert!(signed_in_username(replaced).is_err(), "{replaced}");
        }
        assert_eq!(
            signed_in_username("admin"),
            Err("Mattermost would give the account a new random username at every sign-in: \
                 `username` cannot be empty there"
                .to_owned())
        );
    }

    #[test]
    fn domains_are_a_list_and_no_list_admits_everybody() {
        assert!(admits("", "anna@example.com"));
        assert!(admits(" , ", "anna@example.com"));
        assert!(admits("Example.com", "anna@example.com"));
        assert!(admits("example.org, @example.com", "anna@example.com"));
        assert!(admits("example.org example.com", "anna@example.com"));
        assert!(!admits("example.org", "anna@example.com"));
        assert!(!admits("example.com", "anna@sub.example.com"));
        assert!(!admits("example.com", "anna@badexample.com"));
    }
}
