//! Values as Nextcloud keeps them, and which it would not keep (`nextcloud.md` 4, "Value rules").
//!
//! Knows texts alone: no account, no version, no server. Which languages are installed and whether a number exists is the
//! server's to say.

use crate::model::attribute::Value;

/// The longest display name that the database takes, in characters.
const LONGEST_NAME: usize = 64;

/// The longest text of a profile, in bytes.
const LONGEST_TEXT: usize = 2048;

/// The word for a quota without an end.
pub(super) const NO_QUOTA: &str = "none";

/// The word for whatever the server's administrator gives everybody.
const DEFAULT_QUOTA: &str = "default";

/// The value as it would be shown afterwards. A value that cannot be kept stays what it is.
pub(super) fn normal(name: &str, value: &Value) -> Value {
    let Value::Text(text) = value else { return value.clone() };
    match name {
        // The one level of a membership too, however it is written.
        "email" | super::membership::SET => Value::text(&text.trim().to_lowercase()),
        "display_name" | "website" | "language" | "locale" | "manager" => Value::text(trimmed(text)),
        "phone" => Value::text(&international(text)),
        "quota" => Value::text(&quota(text).unwrap_or_else(|| text.trim().to_owned())),
        _ => value.clone(),
    }
}

/// Why Nextcloud would not take a value; `None` where it would, as far as that can be known.
pub(super) fn fault(name: &str, value: &Value) -> Option<String> {
    let text = match value {
        Value::Text(text) => text.as_ref(),
        Value::Empty => return None,
        Value::Bool(_) => return Some(format!("`{name}` is a text, not true or false")),
    };
    let some = |why: &str| Some(why.to_owned());
    match name {
        "username" if !is_user_id(text) => some(
            "a user id holds letters without accents, digits, blanks and the characters _ . @ - ', at most 64 of them, and \
             no blank at either end",
        ),
        "email" if !is_address(text) => some("`email` is no e-mail address that Nextcloud takes"),
        "display_name" if text.chars().count() > LONGEST_NAME => {
            Some(format!("Nextcloud keeps display names of at most {LONGEST_NAME} characters"))
        }
        "phone" if !is_international(text) => some("`phone` is no number in international form, such as +41791234567"),
        "website" if !is_web_address(text) => some("`website` is no address that begins with `http://` or `https://`"),
        "quota" if text == DEFAULT_QUOTA => some(
            "Nextcloud shows what `default` stands for and never the word, so nobody could tell later whether it is set; \
             say the size, or `none`",
        ),
        "quota" if quota(text).is_none() => some("`quota` is no size such as `5 GB`, and not the word `none`"),
        "phone" | "website" | "address" | "organisation" | "role" | "headline" | "biography"
            if text.len() > LONGEST_TEXT =>
        {
            Some(format!("Nextcloud keeps at most {LONGEST_TEXT} bytes in `{name}`"))
        }
        _ => None,
    }
}

/// Without the characters that PHP takes for blanks.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}'])
}

/// What can be the id of a new account; ids of directories hold more.
fn is_user_id(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || " _.@-'".contains(c);
    text.len() <= LONGEST_NAME && text.chars().all(is_letter) && text.trim() == text && !matches!(text, "." | "..")
}

/// What PHP's `FILTER_VALIDATE_EMAIL` takes, but for quoted names and addresses in brackets, which nobody has.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    !local.is_empty()
        && local.len() <= 64
        && text.len() <= 254
        && local.chars().all(is_local)
        && local.split('.').all(|part| !part.is_empty())
        && domain.contains('.')
        && domain.split('.').all(is_label)
        // A domain of numbers is an address of a machine.
        && !domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A number as E.164 writes it, where it begins with `+` or `00`; else without change.
fn international(text: &str) -> String {
    let text = text.trim();
    let Some(rest) = text.strip_prefix('+').or_else(|| text.strip_prefix("00")) else { return text.to_owned() };
    // A zero in brackets is dialled at home only.
    let digits: String = rest.replace("(0)", "").chars().filter(|c| !" -./()\u{a0}\u{202f}".contains(*c)).collect();
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { format!("+{digits}") } else { text.to_owned() }
}

fn is_international(text: &str) -> bool {
    // The shortest and the longest number that E.164 gives anybody.
    const LENGTHS: std::ops::RangeInclusive<usize> = 7..=15;
    let digits = text.strip_prefix('+').filter(|digits| !digits.starts_with('0'));
    digits.is_some_and(|digits| LENGTHS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_web_address(text: &str) -> bool {
    let lower = text.to_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// A quota in the form that Nextcloud keeps: `none`, or a size rounded as it rounds; `None` where it is none.
pub(super) fn quota(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    if text == NO_QUOTA {
        return Some(text);
    }
    let size = text.find(|c: char| !c.is_ascii_digit() && c != '.').map_or(text.as_str(), |end| &text[..end]);
    let unit = text[size.len()..].trim();
    let power = match unit {
        "" | "b" => 0,
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        "p" | "pb" => 5,
        _ => return None,
    };
    let size: f64 = size.parse().ok()?;
    Some(human(size * 1024_f64.powi(power)))
}

/// A number of bytes as Nextcloud writes it for people.
pub(super) fn human(bytes: f64) -> String {
    // Whole kilobytes first, and one digit behind the point from then on.
    let mut size = bytes.round();
    if size < 1024.0 {
        return format!("{size} B");
    }
    size = (size / 1024.0).round();
    for unit in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            return format!("{size} {unit}");
        }
        size = (size / 1024.0 * 10.0).round() / 10.0;
    }
    format!("{size} PB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_what_is_shown_afterwards_and_stay_that() {
        for (name, given, kept) in [
            ("email", " Anna.Berg@Example.ORG ", "anna.berg@example.org"),
            ("display_name", " \tAnna Berg\n", "Anna Berg"),
            ("phone", "+41 79 123 45 67", "+41791234567"),
            ("phone", "0041 (0)79-123.45/67", "+41791234567"),
            ("phone", "079 123 45 67", "079 123 45 67"),
            ("phone", "+41 call me", "+41 call me"),
            ("quota", "5368709120", "5 GB"),
            ("quota", "5gb", "5 GB"),
            ("quota", " 5 GB", "5 GB"),
            ("quota", "1536 MB", "1.5 GB"),
            ("quota", "5.55 GB", "5.6 GB"),
            ("quota", "512", "512 B"),
            ("quota", "NONE", "none"),
            ("quota", "much", "much"),
            ("website", " https://example.org ", "https://example.org"),
            ("headline", " x ", " x "),
            ("groups", " Member", "member"),
        ] {
            let normal = |text: &Value| super::normal(name, text);
            assert_eq!(normal(&given.into()), kept.into(), "{name} {given}");
            assert_eq!(normal(&kept.into()), kept.into(), "{name} {kept}");
        }
        assert_eq!(normal("display_name", &" \n".into()), Value::Empty);
    }

    #[test]
    fn good_values_are_taken() {
        for (name, value) in [
            ("username", "anna.berg@example.org"),
            ("username", "Anna B"),
            ("email", "o'neill+x@mail.example.org"),
            ("display_name", &*"ä".repeat(64)),
            ("phone", "+41791234567"),
            ("website", "https://example.org/ü?a=1"),
            ("quota", "5 GB"),
            ("quota", "none"),
            ("biography", &*"a".repeat(2048)),
            ("language", "de"),
            ("manager", "nobody"),
        ] {
            assert_eq!(fault(name, &value.into()), None, "{name} {value}");
        }
        assert_eq!(fault("phone", &Value::Empty), None);
    }

    #[test]
    fn bad_values_are_not() {
        for (name, value) in [
            ("username", "ännä"),
            ("username", "anna/berg"),
            ("username", " anna"),
            ("username", ".."),
            ("username", &*"a".repeat(65)),
            ("email", "anna"),
            ("email", "anna@example"),
            ("email", "a..b@example.org"),
            ("email", "anna@-example.org"),
            ("email", "anna@1.2.3.4"),
            ("email", "jürg@example.org"),
            ("display_name", &*"a".repeat(65)),
            ("phone", "079 123 45 67"),
            ("phone", "+0791234567"),
            ("phone", "+41"),
            ("phone", "+1234567890123456"),
            ("website", "example.org"),
            ("website", "ftp://example.org"),
            ("website", "https://"),
            ("quota", "-3"),
            ("quota", "much"),
            ("quota", "default"),
            ("quota", "5 XB"),
            ("role", &*"ä".repeat(1025)),
        ] {
            assert!(fault(name, &value.into()).is_some(), "{name} {value}");
        }
        assert!(fault("role", &true.into()).is_some());
    }
}
