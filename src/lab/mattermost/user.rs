//! A user as the server stores her, what each reader is shown, and the rules her fields must satisfy
//! (`mattermost.md` 2 and 4.2).
//!
//! Knows nothing of who asks beyond the kind of reader, and nothing of other users.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{answer::AppError, clock};

/// Login providers whose accounts keep their e-mail address without a word.
const OAUTH_SERVICES: [&str; 4] = ["gitlab", "google", "office365", "openid"];

/// Names nobody may have.
const RESTRICTED_NAMES: [&str; 4] = ["all", "channel", "matterbot", "system"];

/// Words that routes of the web application begin with.
const ROUTE_WORDS: [&str; 17] = [
    "admin",
    "api",
    "channel",
    "claim",
    "error",
    "files",
    "help",
    "landing",
    "login",
    "mfa",
    "oauth",
    "plug",
    "plugins",
    "post",
    "signup",
    "boards",
    "playbooks",
];

/// The shortest and longest passwords, in bytes.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=72;

/// One stored account. Times are Unix milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) create_at: i64,
    pub(super) update_at: i64,
    pub(super) delete_at: i64,
    pub(super) username: String,
    /// In clear: nobody real lives here.
    pub(super) password: String,
    pub(super) auth_data: Option<String>,
    /// Empty: e-mail and password.
    pub(super) auth_service: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) nickname: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) position: String,
    /// Separated by spaces.
    pub(super) roles: String,
    pub(super) props: BTreeMap<String, String>,
    pub(super) notify_props: BTreeMap<String, String>,
    pub(super) last_password_update: i64,
    /// Negative: a picture drawn from the name, redrawn at that moment.
    pub(super) last_picture_update: i64,
    pub(super) last_login: i64,
    pub(super) failed_attempts: i64,
    pub(super) locale: String,
    pub(super) timezone: BTreeMap<String, String>,
    pub(super) remote_id: Option<String>,
    pub(super) is_bot: bool,
    pub(super) bot_description: String,
    /// The bot's owner; empty for people.
    pub(super) bot_owner: String,
}

/// Who looks at a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The user herself, and whoever just wrote her.
    Own,
    /// Somebody else with `manage_system`.
    Administrator,
    /// Somebody else, and what the server's privacy settings let such a reader see.
    Other { email: bool, names: bool },
}

impl User {
    pub(super) fn has_role(&self, role: &str) -> bool {
        self.roles.split_whitespace().any(|held| held == role)
    }

    pub(super) fn is_administrator(&self) -> bool {
        self.has_role("system_admin")
    }

    pub(super) fn is_guest(&self) -> bool {
        self.has_role("system_guest")
    }

    pub(super) fn is_active(&self) -> bool {
        self.delete_at == 0
    }

    /// True where a login provider keeps the address (`mattermost.md` 4.2, point 6).
    pub(super) fn is_oauth_account(&self) -> bool {
        OAUTH_SERVICES.contains(&self.auth_service.as_str())
    }

    pub(super) fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }

    /// What this reader gets (`mattermost.md` 2).
    pub(super) fn seen_by(&self, reader: Reader) -> Value {
        let shown = |allowed: bool, text: &str| Value::from(if allowed { text } else { "" });
        let (email, names, provider) = match reader {
            Reader::Own | Reader::Administrator => (true, true, true),
            Reader::Other { email, names } => (email, names, false),
        };
        let own = reader == Reader::Own;
        let mut view = Map::new();
        let mut put = |name: &str, value: Value| view.insert(name.to_owned(), value);
        put("id", self.id.clone().into());
        put("create_at", self.create_at.into());
        put("update_at", self.update_at.into());
        put("delete_at", self.delete_at.into());
        put("username", self.username.clone().into());
        match &self.auth_data {
            Some(data) if provider => put("auth_data", data.clone().into()),
            None if provider => None,
            _ => put("auth_data", "".into()),
        };
        put("auth_service", shown(provider, &self.auth_service));
        put("email", shown(email, &self.email));
        if own && self.email_verified {
            put("email_verified", true.into());
        }
        put("nickname", self.nickname.clone().into());
        put("first_name", shown(names, &self.first_name));
        put("last_name", shown(names, &self.last_name));
        put("position", self.position.clone().into());
        put("roles", self.roles.clone().into());
        if !self.props.is_empty() {
            put("props", json!(self.props));
        }
        if provider && !self.notify_props.is_empty() {
            put("notify_props", json!(self.notify_props));
        }
        if own && self.last_password_update != 0 {
            put("last_password_update", self.last_password_update.into());
        }
        if self.last_picture_update != 0 {
            put("last_picture_update", self.last_picture_update.into());
        }
        if provider && self.failed_attempts != 0 {
            put("failed_attempts", self.failed_attempts.into());
        }
        put("locale", self.locale.clone().into());
        put("timezone", json!(self.timezone));
        if let Some(remote) = self.remote_id.as_ref().filter(|remote| !remote.is_empty()) {
            put("remote_id", remote.clone().into());
        }
        if self.is_bot {
            put("is_bot", true.into());
        }
        if !self.bot_description.is_empty() {
            put("bot_description", self.bot_description.clone().into());
        }
        put("disable_welcome_email", false.into());
        view.retain(|name, value| !["create_at", "update_at"].contains(&name.as_str()) || *value != 0);
        Value::Object(view)
    }

    /// Lower-cases name and address and drops invisible characters; trims nothing (`mattermost.md` 4.2, point 4).
    pub(super) fn normalise(&mut self) {
        self.username = visible(&self.username).to_lowercase();
        self.email = self.email.to_lowercase();
        for text in [&mut self.nickname, &mut self.first_name, &mut self.last_name] {
            *text = visible(text);
        }
    }

    /// The first rule these fields break, in the server's order (`mattermost.md` 4.2, point 5).
    pub(super) fn validate(&self) -> Result<(), AppError> {
        let longer = |text: &str, most: usize| text.chars().count() > most;
        let remote = self.remote_id.as_ref().is_some_and(|remote| !remote.is_empty());
        let timezone = json!(self.timezone).to_string();
        let fault = if !is_valid_username(&self.username, remote) {
            Some((
                "username",
                "Username must begin with a letter, and contain between 3 to 22 lowercase characters made up of numbers, \
                 letters, and the symbols \".\", \"-\", and \"_\".",
            ))
        } else if !is_valid_email(&self.email) {
            Some(("email", "Invalid email."))
        } else if longer(&self.nickname, 64) {
            Some(("nickname", "Invalid nickname."))
        } else if longer(&self.position, 128) {
            Some(("position", "Invalid position: must not be longer than 128 characters."))
        } else if longer(&self.first_name, 64) {
            Some(("first_name", "Invalid first name."))
        } else if longer(&self.last_name, 64) {
            Some(("last_name", "Invalid last name."))
        } else if !is_valid_locale(&self.locale) {
            Some(("locale", "Invalid locale."))
        } else if longer(&timezone, 256) {
            Some(("timezone_limit", "Invalid timezone."))
        } else if self.roles.len() > 256 {
            Some(("roles_limit", "Invalid user roles longer than 256 characters."))
        } else {
            None
        };
        match fault {
            None => Ok(()),
            Some((field, message)) => Err(AppError::bad(format!("model.user.is_valid.{field}.app_error"), message)),
        }
    }
}

/// 1 to 64 of `[a-z0-9._-]` (a remote user's may hold `:`), and none of the restricted names.
pub(super) fn is_valid_username(name: &str, remote: bool) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte) || (remote && byte == b':')
    };
    (1..=64).contains(&name.len()) && name.bytes().all(fits) && !RESTRICTED_NAMES.contains(&name)
}

/// A bare RFC 5322 address in lower case, at most 128 bytes, with one `@`.
pub(super) fn is_valid_email(email: &str) -> bool {
    let atom = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
        !text.is_empty() && text.chars().all(fits)
    };
    let dotted = |text: &str| text.split('.').all(atom);
    let halves = email.split_once('@');
    email.len() <= 128
        && email == email.to_lowercase()
        && halves.is_some_and(|(name, domain)| dotted(name) && dotted(domain))
}

/// Empty, or a language tag of at most five bytes.
pub(super) fn is_valid_locale(locale: &str) -> bool {
    let mut parts = locale.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let region = parts.next();
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    locale.is_empty()
        || (locale.len() <= 5
            && (2..=3).contains(&language.len())
            && letters(language)
            && region.is_none_or(|region| region.len() == 2 && letters(region))
            && parts.next().is_none())
}

/// Why a password cannot be set, if it cannot.
pub(super) fn validate_password(password: &str) -> Result<(), AppError> {
    let fault = if password.len() < *PASSWORD.start() {
        ("min_length", format!("Your password must be at least {} characters long.", PASSWORD.start()))
    } else if password.len() > *PASSWORD.end() {
        ("max_length", format!("Your password must be at most {} bytes long.", PASSWORD.end()))
    } else {
        return Ok(());
    };
    Err(AppError::bad(format!("model.user.is_valid.pwd_{}.app_error", fault.0), fault.1))
}

/// What the server makes of a login provider's name; `random` is the number of the random name that replaces one it
/// cannot use (`mattermost.md` 6).
pub(super) fn clean_username(name: &str, random: u64) -> String {
    let mut clean = name.replace(' ', "-").to_lowercase();
    if ROUTE_WORDS.contains(&clean.as_str()) {
        clean.clear();
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let clean: String = clean.trim().chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let clean = clean.trim_matches('-');
    if is_valid_username(clean, false) { clean.to_owned() } else { random_username(random) }
}

/// `a` and 26 random characters.
pub(super) fn random_username(number: u64) -> String {
    format!("a{}", clock::id("random name", number))
}

/// The settings of notifications somebody starts with.
pub(super) fn default_notify_props() -> BTreeMap<String, String> {
    let defaults = [
        ("channel", "true"),
        ("comments", "never"),
        ("desktop", "mention"),
        ("desktop_sound", "true"),
        ("email", "true"),
        ("first_name", "false"),
        ("mention_keys", ""),
        ("push", "mention"),
        ("push_status", "online"),
    ];
    defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The timezone somebody starts with.
pub(super) fn default_timezone() -> BTreeMap<String, String> {
    let defaults = [("automaticTimezone", ""), ("manualTimezone", ""), ("useAutomaticTimezone", "true")];
    defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A text without the code points the server drops: invisible ones, and those that turn the direction of writing.
fn visible(text: &str) -> String {
    let dropped = |c: char| {
        matches!(c,
            '\u{340}' | '\u{341}' | '\u{17a3}' | '\u{17d3}' | '\u{2028}'..='\u{202e}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !dropped(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_s_name_is_cleaned_as_the_server_cleans_it() {
        let random = random_username(7);
        assert_eq!(random.len(), 27);
        for (name, clean) in [
            ("Anna.B", "anna.b"),
            ("anna müller", "anna-m-ller"),
            ("-anna-", "anna"),
            ("_anna_", "_anna_"),
            ("a b", "a-b"),
            ("administrator", "administrator"),
            ("admin", random.as_str()),
            ("Login", random.as_str()),
            ("system", random.as_str()),
            ("äöü", random.as_str()),
            ("", random.as_str()),
            ("x".repeat(65).as_str(), random.as_str()),
        ] {
            assert_eq!(clean_username(name, 7), clean, "{name}");
        }
    }

    #[test]
    fn usernames_are_judged_by_the_rule_and_not_by_the_message() {
        for (name, valid) in [
            ("a", true),
            ("1", true),
            (".-_", true),
            ("x".repeat(64).as_str(), true),
            ("x".repeat(65).as_str(), false),
            ("", false),
            ("Anna", false),
            ("an na", false),
            ("anna:there", false),
            ("matterbot", false),
        ] {
            assert_eq!(is_valid_username(name, false), valid, "{name}");
        }
        assert!(is_valid_username("anna:there", true));
    }

    #[test]
    fn addresses_are_bare_lower_case_and_have_one_at() {
        let longest = format!("{}@example.com", "x".repeat(116));
        for (email, valid) in [
            ("a@example.com", true),
            ("a+b@localhost", true),
            ("mü@example.com", true),
            (longest.as_str(), true),
            (format!("x{longest}").as_str(), false),
            ("A@example.com", false),
            ("a@b@example.com", false),
            ("Anna <a@example.com>", false),
            ("a..b@example.com", false),
            ("a@", false),
            ("example.com", false),
            ("", false),
        ] {
            assert_eq!(is_valid_email(email), valid, "{email}");
        }
    }

    #[test]
    fn locales_are_empty_or_short_tags() {
        for (locale, valid) in [
            ("", true),
            ("de", true),
            ("pt-BR", true),
            ("zh-CN", true),
            ("german", false),
            ("d", false),
            ("de-DE-x", false),
        ] {
            assert_eq!(is_valid_locale(locale), valid, "{locale}");
        }
    }

    #[test]
    fn invisible_characters_go_and_spaces_stay() {
        let mut user = User {
            username: "An\u{202e}na".to_owned(),
            email: "A@Example.com".to_owned(),
            first_name: " An\u{feff}na ".to_owned(),
            ..User::default()
        };
        user.normalise();
        assert_eq!(
            (user.username.as_str(), user.email.as_str(), user.first_name.as_str()),
            ("anna", "a@example.com", " Anna ")
        );
    }
}
