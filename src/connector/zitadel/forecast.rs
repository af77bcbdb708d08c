//! What ZITADEL stores of a value, and whether it would take it: the rules of its request checks (`zitadel.md` 5).
//!
//! Pure, and the same for every interface but for what can be made empty.

use crate::model::{account::Account, attribute::Value, capability::Foresight, refusal::RefusalKind};

use super::interface::{Interface, is_machine, state};

/// The longest name, address and username, in characters.
const LONGEST: usize = 200;

/// The longest language tag, in characters.
const LONGEST_LANGUAGE: usize = 10;

/// The attributes this provider knows.
pub(super) const ATTRIBUTES: [&str; 9] =
    ["username", "first_name", "last_name", "display_name", "nickname", "locale", "email", "phone", "active"];

/// The attributes a service user has.
const OF_MACHINES: [&str; 2] = ["username", "active"];

/// The value as ZITADEL will show it. Not everything is trimmed there (`zitadel.md` 5.7), so it is trimmed here.
pub(super) fn normalized(attribute: &str, value: &Value) -> Value {
    let Some(text) = value.as_text() else { return value.clone() };
    let text = text.trim();
    match attribute {
        "phone" => Value::text(&phone(text)),
        "locale" => Value::text(&language(text)),
        _ => Value::text(text),
    }
}

/// What a call for this change would meet.
pub(super) fn foresee(interface: Interface, account: &Account, attribute: &str, after: &Value) -> Foresight {
    if !ATTRIBUTES.contains(&attribute) {
        return Foresight::refuses(RefusalKind::Unsupported, format!("ZITADEL has no `{attribute}`"));
    }
    let creation = account.id.is_none();
    if !creation && state(account) == "deleted" {
        return Foresight::refuses(RefusalKind::NotFound, "the account was deleted in ZITADEL");
    }
    if is_machine(account) && !OF_MACHINES.contains(&attribute) {
        let reason = format!("this is a service user: it has no `{attribute}`, only people have");
        return Foresight::refuses(RefusalKind::Unsupported, reason);
    }
    if is_machine(account) && attribute == "username" && interface == Interface::V2Human {
        let reason = "this server renames people only, and this is a service user; rename it in the console";
        return Foresight::refuses(RefusalKind::Unsupported, reason);
    }
    match (attribute, after) {
        ("active", Value::Bool(active)) => switching(account, *active),
        ("active", _) => Foresight::refuses(RefusalKind::Invalid, "`active` is true or false"),
        (_, Value::Bool(_)) => Foresight::refuses(RefusalKind::Invalid, format!("`{attribute}` is a text")),
        (_, Value::Empty) => clearing(interface, creation, attribute),
        (_, Value::Text(text)) => {
            let written = writing(interface, attribute, text);
            let waits = interface == Interface::V1 && attribute == "email" && state(account) == "initial";
            if !waits || written != Foresight::takes() {
                return written;
            }
            Foresight::refuses(
                RefusalKind::Unsupported,
                "the person has not set up this account yet, and until then this server changes no e-mail address",
            )
        }
    }
}

/// Switching on and off: a state machine of its own (`zitadel.md` section 7).
fn switching(account: &Account, active: bool) -> Foresight {
    if account.id.is_none() {
        return if active {
            Foresight::takes()
        } else {
            let reason = "an account is created switched on; switch it off in a second step";
            Foresight::refuses(RefusalKind::Unsupported, reason)
        };
    }
    match (state(account), active) {
        ("initial", false) => Foresight::refuses(
            RefusalKind::Unsupported,
            "the person has not set up this account yet, and until then ZITADEL cannot deactivate it; \
             `lock` it, or delete it in the console",
        ),
        _ => Foresight::takes(),
    }
}

fn clearing(interface: Interface, creation: bool, attribute: &str) -> Foresight {
    match clearable(interface, attribute) {
        _ if creation && !matches!(attribute, "email" | "first_name" | "last_name") => Foresight::takes(),
        Ok(()) => Foresight::takes(),
        Err(reason) => Foresight::refuses(RefusalKind::Unsupported, reason),
    }
}

/// Whether an attribute can be made empty on this interface, and if not, why.
fn clearable(interface: Interface, attribute: &str) -> Result<(), &'static str> {
    match (interface, attribute) {
        (_, "phone")
        | (Interface::V2Human, "nickname" | "display_name" | "locale")
        | (Interface::V1, "nickname" | "locale") => Ok(()),
        (_, "username") => Err("every user has a username"),
        (_, "email") => Err("every person has an e-mail address in ZITADEL"),
        (_, "first_name" | "last_name") => Err("every person has a first and a last name in ZITADEL"),
        _ => Err(NOT_CLEARABLE),
    }
}

/// Why `UpdateUser` leaves some attributes no way back to nothing (`zitadel.md` 5.8).
pub(super) const NOT_CLEARABLE: &str =
    "ZITADEL's UpdateUser refuses an empty text here; give another value or clear it in the console";

fn writing(interface: Interface, attribute: &str, text: &str) -> Foresight {
    let limit = if attribute == "locale" { LONGEST_LANGUAGE } else { LONGEST };
    if text.chars().count() > limit {
        let reason = format!("`{attribute}` may hold at most {limit} characters in ZITADEL");
        return Foresight::refuses(RefusalKind::Invalid, reason);
    }
    if text.trim().is_empty() {
        return Foresight::refuses(RefusalKind::Invalid, format!("`{attribute}` holds nothing but blanks"));
    }
    match attribute {
        "email" => match email_fault(interface, text) {
            Some(fault) => {
                Foresight::refuses(RefusalKind::Invalid, format!("ZITADEL takes no such e-mail address: {fault}"))
            }
            None => Foresight::takes(),
        },
        "phone" if !is_e164(text) => Foresight::refuses(
            RefusalKind::Invalid,
            "ZITADEL takes no such phone number: write it with `+` and the country's code",
        ),
        // The server takes any text, and makes `und` of what is no language (`zitadel.md` 5.10).
        "locale" if !is_language(text) => {
            Foresight::doomed("this is no language tag such as `de` or `de-CH`: ZITADEL would say yes and store none")
        }
        _ => Foresight::takes(),
    }
}

/// What is wrong with an address, by the two checks it has to pass: the request's and Go's parser (`zitadel.md` 5).
/// Requests of v1 are checked for their length only, so there the parser has the word alone.
fn email_fault(interface: Interface, address: &str) -> Option<&'static str> {
    let Some((local, host)) = address.rsplit_once('@') else { return Some("there is no `@`") };
    let parsed_only = interface == Interface::V1;
    if local.is_empty() || local.len() > 64 && !parsed_only {
        return Some("the part before the `@` must have 1 to 64 characters");
    }
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let of_an_atom = |c: char| !c.is_whitespace() && !c.is_control() && !"()<>[]:;@\\,\"".contains(c);
    if !quoted && local.split('.').any(|atom| atom.is_empty() || !atom.chars().all(of_an_atom)) {
        return Some("the part before the `@` holds a character or a dot where none may be");
    }
    if parsed_only {
        let is_dotted = host.split('.').all(|atom| !atom.is_empty() && atom.chars().all(of_an_atom));
        return (!is_dotted).then_some("the part after the `@` is no host name");
    }
    if address.len() > 254 || host.len() > 253 {
        return Some("it is too long");
    }
    let of_a_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(of_a_label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !host.is_ascii() {
        return Some("a host name beyond ASCII must be written in its `xn--` form");
    }
    (!host.split('.').all(is_label)).then_some("the part after the `@` is no host name")
}

/// A number in the form ZITADEL stores: `+`, the country's code, the rest, up to 15 digits.
fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

/// Brings a number to E.164 as ZITADEL does, where Switzerland is home (`zitadel.md` 5.12). What is no number stays.
fn phone(text: &str) -> String {
    // The zero that is dialled at home only, as in `+41 (0)79`.
    let abroad = text.starts_with('+') || text.starts_with("00");
    let dialled = if abroad { text.replacen("(0)", "", 1) } else { text.to_owned() };
    let digits: String =
        dialled.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-' | '.' | '/')).collect();
    let bare = digits.strip_prefix('+').unwrap_or(&digits);
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    if digits.starts_with('+') {
        digits
    } else if let Some(international) = digits.strip_prefix("00") {
        format!("+{international}")
    } else if let Some(national) = digits.strip_prefix('0') {
        format!("+41{national}")
    } else {
        digits
    }
}

/// A language tag in its usual spelling: `de_ch` is `de-CH`. What is no tag stays.
pub(super) fn language(text: &str) -> String {
    let tag = text.replace('_', "-");
    if !is_language(&tag) {
        return text.to_owned();
    }
    let spelled = |(at, part): (usize, &str)| match (at, part.len()) {
        (0, _) => part.to_ascii_lowercase(),
        (_, 2) => part.to_ascii_uppercase(),
        (_, 4) if part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            let (first, rest) = part.split_at(1);
            format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase())
        }
        _ => part.to_ascii_lowercase(),
    };
    tag.split('-').enumerate().map(spelled).collect::<Vec<_>>().join("-")
}

/// The second letters of the languages with two letters (ISO 639-1), by the first, from `a` to `z`.
const LANGUAGES: [&str; 26] = [
    "abefkmnrsvyz",
    "aeghimnors",
    "aehorsuvy",
    "aevz",
    "elnostu",
    "afijory",
    "adlnuv",
    "aeiortuyz",
    "adegikostu",
    "av",
    "agijklmnorsuvwy",
    "abginotuv",
    "ghiklnrsty",
    "abdeglnorvy",
    "cjmrs",
    "ailst",
    "u",
    "mnouw",
    "acdegiklmnoqrstuvw",
    "aeghiklnorstwy",
    "gkrz",
    "eio",
    "ao",
    "h",
    "io",
    "ahu",
];

/// Whether the server would find a language in it: one that exists where it has two letters, with parts behind it that
/// have the shape of a script, a region or a variant.
fn is_language(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default().to_ascii_lowercase();
    let language = match first.as_bytes() {
        [one @ b'a'..=b'z', two] => LANGUAGES[usize::from(one - b'a')].as_bytes().contains(two),
        three @ [_, _, _] => three.iter().all(u8::is_ascii_lowercase) && first != "und",
        _ => false,
    };
    language && parts.all(is_part_of_a_language)
}

fn is_part_of_a_language(part: &str) -> bool {
    let all = |fits: fn(&u8) -> bool| part.bytes().all(|byte| fits(&byte));
    match part.len() {
        3 => all(u8::is_ascii_digit),
        4 if part.starts_with(|c: char| c.is_ascii_digit()) => all(u8::is_ascii_alphanumeric),
        2 | 4 => all(u8::is_ascii_alphabetic),
        5..=8 => all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{account::Facts, capability::Verdict};

    fn account(state: &str) -> Account {
        let mut account = Account::absent("zitadel".into(), Arc::new(Facts::new()));
        account.id = Some("1".into());
        account.facts.insert("state".to_owned(), state.into());
        account
    }

    fn kind(interface: Interface, account: &Account, attribute: &str, after: impl Into<Value>) -> Option<RefusalKind> {
        match foresee(interface, account, attribute, &after.into()).verdict {
            Verdict::Takes => None,
            Verdict::Refuses { kind, .. } => Some(kind),
            Verdict::Doomed { .. } => Some(RefusalKind::Ineffective),
        }
    }

    #[test]
    fn only_what_breaks_a_rule_of_zitadel_is_refused() {
        let long = "ü".repeat(201);
        let just = "ü".repeat(200);
        for (attribute, value, expected) in [
            ("username", "anna.b", None),
            ("username", "anna@elsewhere.example", None),
            ("username", just.as_str(), None),
            ("username", long.as_str(), Some(RefusalKind::Invalid)),
            ("username", "  ", Some(RefusalKind::Invalid)),
            ("nickname", long.as_str(), Some(RefusalKind::Invalid)),
            ("email", "Anna.B+x@Example.org", None),
            ("email", "jürg@example.org", None),
            ("email", "\"a b\"@example.org", None),
            ("email", "anna", Some(RefusalKind::Invalid)),
            ("email", "@example.org", Some(RefusalKind::Invalid)),
            ("email", "a..b@example.org", Some(RefusalKind::Invalid)),
            ("email", "Anna <anna@example.org>", Some(RefusalKind::Invalid)),
            ("email", "anna@exa_mple.org", Some(RefusalKind::Invalid)),
            ("email", "anna@-example.org", Some(RefusalKind::Invalid)),
            ("email", "anna@bücher.example", Some(RefusalKind::Invalid)),
            ("email", "anna@xn--bcher-kva.example", None),
            ("phone", "+41791234567", None),
            ("phone", "791234567", Some(RefusalKind::Invalid)),
            ("phone", "+1", Some(RefusalKind::Invalid)),
            ("phone", "+4179123456789012", Some(RefusalKind::Invalid)),
            ("phone", "ask Anna", Some(RefusalKind::Invalid)),
            ("locale", "de-CH", None),
            ("locale", "de-1996", None),
            ("locale", "German", Some(RefusalKind::Ineffective)),
            ("locale", "xx", Some(RefusalKind::Ineffective)),
            ("locale", "de-1", Some(RefusalKind::Ineffective)),
            ("locale", "zh-Hant-TW-x", Some(RefusalKind::Invalid)),
            ("timezone", "Europe/Zurich", Some(RefusalKind::Unsupported)),
        ] {
            assert_eq!(kind(Interface::V2, &account("active"), attribute, value), expected, "{attribute} = {value}");
        }
        let long_local = format!("{}@example.org", "a".repeat(65));
        assert_eq!(kind(Interface::V2, &account("active"), "email", long_local.as_str()), Some(RefusalKind::Invalid));
        assert_eq!(kind(Interface::V2, &account("active"), "username", true), Some(RefusalKind::Invalid));
        assert_eq!(kind(Interface::V2, &account("active"), "active", "yes"), Some(RefusalKind::Invalid));
    }

    #[test]
    fn v1_leaves_an_address_to_the_parser() {
        for (address, v1) in [
            ("anna@bücher.example", None),
            ("anna@exa_mple.org", None),
            ("anna@-example.org", None),
            ("anna@example..org", Some(RefusalKind::Invalid)),
            ("anna@example.org.", Some(RefusalKind::Invalid)),
            ("anna@[127.0.0.1]", Some(RefusalKind::Invalid)),
            ("anna b@example.org", Some(RefusalKind::Invalid)),
        ] {
            assert_eq!(kind(Interface::V1, &account("active"), "email", address), v1, "{address}");
            assert_eq!(kind(Interface::V2, &account("active"), "email", address), Some(RefusalKind::Invalid));
        }
    }

    #[test]
    fn what_can_be_made_empty_depends_on_the_interface() {
        let can = |interface| -> Vec<&str> {
            let takes = |attribute: &&str| kind(interface, &account("active"), attribute, Value::Empty).is_none();
            ATTRIBUTES.into_iter().filter(takes).collect()
        };
        assert_eq!(can(Interface::V2), ["phone"]);
        assert_eq!(can(Interface::V2Human), ["display_name", "nickname", "locale", "phone"]);
        assert_eq!(can(Interface::V1), ["nickname", "locale", "phone"]);
    }

    #[test]
    fn a_state_that_cannot_be_left_is_known_before_the_call() {
        let v2 = |state: &str, active: bool| kind(Interface::V2, &account(state), "active", active);
        assert_eq!(v2("active", false), None);
        assert_eq!(v2("inactive", true), None);
        assert_eq!(v2("locked", true), None);
        assert_eq!(v2("initial", false), Some(RefusalKind::Unsupported));
        assert_eq!(v2("deleted", true), Some(RefusalKind::NotFound));
        assert_eq!(kind(Interface::V2, &account("deleted"), "username", "x"), Some(RefusalKind::NotFound));
        assert_eq!(kind(Interface::V2, &account("initial"), "email", "x@example.org"), None);
        assert_eq!(kind(Interface::V1, &account("initial"), "email", "x@example.org"), Some(RefusalKind::Unsupported));
        assert_eq!(kind(Interface::V1, &account("initial"), "email", "x"), Some(RefusalKind::Invalid));
    }

    #[test]
    fn an_account_begins_switched_on_and_with_what_every_person_has() {
        let nobody = Account::absent("zitadel".into(), Arc::new(Facts::new()));
        assert_eq!(kind(Interface::V2, &nobody, "active", true), None);
        assert_eq!(kind(Interface::V2, &nobody, "active", false), Some(RefusalKind::Unsupported));
        assert_eq!(kind(Interface::V2, &nobody, "nickname", Value::Empty), None);
        assert_eq!(kind(Interface::V2, &nobody, "username", Value::Empty), None);
        assert_eq!(kind(Interface::V2, &nobody, "last_name", Value::Empty), Some(RefusalKind::Unsupported));
    }

    #[test]
    fn a_service_user_has_a_name_and_a_state_and_nothing_else() {
        let mut machine = account("active");
        machine.facts.insert("is_machine".to_owned(), true.into());
        assert_eq!(kind(Interface::V2, &machine, "username", "robot"), None);
        assert_eq!(kind(Interface::V1, &machine, "username", "robot"), None);
        assert_eq!(kind(Interface::V2Human, &machine, "username", "robot"), Some(RefusalKind::Unsupported));
        assert_eq!(kind(Interface::V2, &machine, "active", false), None);
        assert_eq!(kind(Interface::V2, &machine, "email", "r@example.org"), Some(RefusalKind::Unsupported));
        assert_eq!(kind(Interface::V2, &machine, "phone", Value::Empty), Some(RefusalKind::Unsupported));
    }

    #[test]
    fn values_are_compared_as_zitadel_stores_them() {
        for (attribute, given, stored) in [
            ("username", " Anna ", "Anna"),
            ("email", " Anna@Example.org ", "Anna@Example.org"),
            ("first_name", "\u{a0}Anna", "Anna"),
            ("phone", "079 123 45 67", "+41791234567"),
            ("phone", "+41 (0)79 123-45-67", "+41791234567"),
            ("phone", "0041 79/123.45.67", "+41791234567"),
            ("phone", "(031) 123 45 67", "+41311234567"),
            ("phone", "ask Anna", "ask Anna"),
            ("phone", "+", "+"),
            ("locale", "de_ch", "de-CH"),
            ("locale", "DE", "de"),
            ("locale", "zh_hant_tw", "zh-Hant-TW"),
            ("locale", "German", "German"),
            ("locale", "  ", ""),
        ] {
            assert_eq!(normalized(attribute, &given.into()), Value::text(stored), "{attribute} = {given}");
        }
        assert_eq!(normalized("active", &true.into()), Value::Bool(true));
        assert_eq!(normalized("email", &Value::Empty), Value::Empty);
    }

    proptest::proptest! {
        #[test]
        fn what_is_stored_is_stored_the_same_again(text in "\\PC{0,30}", phone in "[+0-9() ./-]{0,20}") {
            for attribute in ATTRIBUTES {
                for given in [text.as_str(), phone.as_str()] {
                    let once = normalized(attribute, &given.into());
                    proptest::prop_assert_eq!(normalized(attribute, &once), once);
                    let _ = foresee(Interface::V2, &account("active"), attribute, &given.into());
                }
            }
        }
    }
}
