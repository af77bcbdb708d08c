//! Which usernames Discourse takes (`discourse.md` 4), as far as that can be judged from here. Which names are reserved,
//! and which belong to groups, only the server knows.

use super::settings::Settings;

/// Longer names are refused whatever the settings say.
const LONGEST: usize = 60;

/// Endings that look like those of files.
const SUFFIXES: &[&str] = &[
    ".js", ".json", ".css", ".htm", ".html", ".xml", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".ico", ".tif", ".tiff",
    ".woff",
];

/// Why a name would not be taken.
pub(super) fn judge(name: &str, settings: &Settings) -> Result<(), String> {
    let no = |reason: &str| Err(reason.to_owned());
    let (least, most) = (settings.min_username_length, settings.max_username_length.min(LONGEST));
    let length = name.chars().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).count();
    if length < least || length > most || name.chars().count() > LONGEST {
        return Err(format!("Discourse takes usernames of {least} to {most} characters here"));
    }
    let is_sign = |c: char| matches!(c, '.' | '-' | '_');
    let is_wide = |c: char| !c.is_ascii() && (c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || is_sign(c) || (settings.unicode_usernames && is_wide(c));
    if !name.chars().all(is_plain) {
        return no("Discourse takes usernames of letters a to z, digits, `_`, `-` and `.` only, unless \
                   `unicode_usernames` is on there and said here");
    }
    if name.starts_with(['.', '-']) {
        return no("Discourse takes no username that begins with `.` or `-`");
    }
    if name.ends_with(is_sign) {
        return no("Discourse takes no username that ends in `.`, `-` or `_`");
    }
    if name.chars().zip(name.chars().skip(1)).any(|(one, next)| is_sign(one) && is_sign(next)) {
        return no("Discourse takes no username with two of `.`, `-` and `_` in a row");
    }
    if SUFFIXES.iter().any(|suffix| name.to_lowercase().ends_with(suffix)) {
        return no("Discourse takes no username that ends like the name of a file");
    }
    Ok(())
}

/// The form of an address that Discourse takes.
pub(super) fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    let is_word = |word: &str| !word.is_empty() && word.chars().all(is_sign);
    let is_part = |part: &str| {
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain && !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')
    };
    domain.contains('.') && local.split('.').all(is_word) && domain.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_the_rules_that_can_be_known() {
        let settings = Settings::default();
        for good in ["_anna", "Anna.B-7", "a2345678901234567890", "a.js.b"] {
            assert_eq!(judge(good, &settings), Ok(()), "{good}");
        }
        for bad in ["ab", "a23456789012345678901", "anna b", "änna", ".anna", "-anna", "anna_", "a..b", "a_-b", "a.PNG"]
        {
            assert!(judge(bad, &settings).is_err(), "{bad}");
        }
        let wide = Settings { unicode_usernames: true, max_username_length: 99, ..settings };
        assert_eq!(judge("änna", &wide), Ok(()));
        assert!(judge(&"a".repeat(61), &wide).is_err());
    }

    #[test]
    fn addresses_have_a_word_and_a_domain_of_two_parts() {
        for good in ["a@b.c", "o'neill+x@mail.example.org"] {
            assert!(is_address(good), "{good}");
        }
        for bad in ["a", "a@b", "a@b@c.d", "a b@c.d", "a..b@c.d", "a@c..d", "a@-c.d", "ü@c.d", "@c.d"] {
            assert!(!is_address(bad), "{bad}");
        }
    }
}
