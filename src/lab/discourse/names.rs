//! Which usernames the forum takes (`discourse.md` 4).

use super::{settings::Settings, site::Site};

/// The hard limit, whatever the settings say.
const LONGEST: usize = 60;

const SUFFIXES: &[&str] = &[
    ".js", ".json", ".css", ".htm", ".html", ".xml", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".ico", ".tif", ".tiff",
    ".woff",
];

/// Words under `/u/` that are no usernames.
const ROUTES: &[&str] = &[
    "account-created",
    "activate-account",
    "admin-login",
    "by-external",
    "check_email",
    "check_username",
    "confirm-admin",
    "confirm-new-email",
    "confirm-old-email",
    "email-login",
    "hp",
    "password-reset",
    "search",
    "second_factors",
    "toggle-anon",
];

/// True for a name that nobody may take, tested before anybody is looked up.
pub(super) fn is_reserved(settings: &Settings, name: &str) -> bool {
    let name = name.to_lowercase();
    let matches = |pattern: &String| {
        let pattern = pattern.to_lowercase();
        match pattern.split_once('*') {
            Some((start, end)) => {
                name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
            }
            None => name == pattern,
        }
    };
    settings.reserved_usernames.iter().any(matches)
        || name == settings.here_mention.to_lowercase()
        || ROUTES.contains(&name.as_str())
}

/// Everything that is wrong with a name, in Discourse's words; nothing of who has it.
pub(super) fn faults(settings: &Settings, name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut say = |text: String| faults.push(format!("Username {text}"));
    if name.is_empty() {
        say("must be present".to_owned());
        return faults;
    }
    let length = graphemes(name);
    if length < settings.min_username_length {
        say(format!("must be at least {} characters", settings.min_username_length));
    }
    if length > settings.max_username_length {
        say(format!("must be no more than {} characters", settings.max_username_length));
    } else if name.chars().count() > LONGEST {
        say("is too long".to_owned());
    }
    let is_letter = |c: char| {
        c.is_ascii_alphanumeric()
            || (settings.unicode_usernames
                && !c.is_ascii()
                && (c.is_alphanumeric() || unicode_normalization::char::is_combining_mark(c)))
    };
    let is_sign = |c: char| matches!(c, '.' | '-' | '_');
    if !name.chars().all(|c| is_letter(c) || is_sign(c)) {
        say("must only include numbers, letters, dashes, dots, and underscores".to_owned());
        return faults;
    }
    if name.starts_with(['.', '-']) {
        say("must begin with a letter, a number or an underscore".to_owned());
    }
    if name.ends_with(is_sign) {
        say("must end with a letter or a number".to_owned());
    }
    if name.chars().zip(name.chars().skip(1)).any(|(one, next)| is_sign(one) && is_sign(next)) {
        say("must not contain a sequence of 2 or more special chars (.-_)".to_owned());
    }
    if SUFFIXES.iter().any(|suffix| name.to_lowercase().ends_with(suffix)) {
        say("must not end with a confusing suffix like .json or .png etc.".to_owned());
    }
    faults
}

/// How many characters people see.
fn graphemes(name: &str) -> usize {
    name.chars().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).count()
}

/// The name or, where somebody has it, the first variant that nobody has. What breaks a rule is mended first.
pub(super) fn free_variant(site: &Site, name: &str, own: i64) -> String {
    let mended: String;
    let name = if faults(&site.settings, name).is_empty() {
        name
    } else {
        let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
        let cut: String = plain.take(site.settings.max_username_length).collect();
        let cut = cut.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
        mended = format!("{cut:1<least$}", least = site.settings.min_username_length);
        &mended
    };
    let is_free = |name: &str| !site.is_name_taken(name, Some(own)) && !is_reserved(&site.settings, name);
    if is_free(name) {
        return name.to_owned();
    }
    let longest = site.settings.max_username_length;
    let variants = (1..).map(|number: u32| {
        let end = number.to_string();
        let start: String = name.chars().take(longest.saturating_sub(end.len())).collect();
        format!("{start}{end}")
    });
    variants.into_iter().find(|variant| is_free(variant)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_words() {
        let settings = Settings::default();
        for (name, told) in [
            ("", "Username must be present"),
            ("ab", "Username must be at least 3 characters"),
            ("a23456789012345678901", "Username must be no more than 20 characters"),
            ("jane doe", "Username must only include numbers, letters, dashes, dots, and underscores"),
            ("müller", "Username must only include numbers, letters, dashes, dots, and underscores"),
            (".jane", "Username must begin with a letter, a number or an underscore"),
            ("jane_", "Username must end with a letter or a number"),
            ("jane..doe", "Username must not contain a sequence of 2 or more special chars (.-_)"),
            ("jane.json", "Username must not end with a confusing suffix like .json or .png etc."),
        ] {
            assert_eq!(faults(&settings, name), [told], "{name}");
        }
        for name in ["_jane", "jane.doe", "J-9", "a2345678901234567890"] {
            assert!(faults(&settings, name).is_empty(), "{name}");
        }
        let wide = Settings { unicode_usernames: true, max_username_length: 100, ..settings };
        assert!(faults(&wide, "müller").is_empty());
        assert_eq!(faults(&wide, &"a".repeat(61)), ["Username is too long"]);
    }

    #[test]
    fn reserved_names_may_have_wildcards() {
        let settings = Settings { reserved_usernames: vec!["adm*n".to_owned()], ..Settings::default() };
        for (name, reserved) in
            [("ADMIN", true), ("admn", true), ("admi", false), ("here", true), ("by-external", true)]
        {
            assert_eq!(is_reserved(&settings, name), reserved, "{name}");
        }
    }
}
