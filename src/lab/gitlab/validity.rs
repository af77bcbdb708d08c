//! What GitLab's models refuse of a user, field by field (`gitlab.md` 3.2).
//!
//! Judges a user as she would be against how she was. The 409 answers come before any of this and are not here.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    asked::Answer,
    user::User,
    words::{self, Language},
    world::{Holder, World},
};

/// Names that are routes of the instance itself.
const RESERVED: &[&str] = &[
    "-",
    ".well-known",
    "404.html",
    "422.html",
    "500.html",
    "502.html",
    "503.html",
    "admin",
    "api",
    "apple-touch-icon.png",
    "assets",
    "dashboard",
    "deploy.html",
    "explore",
    "favicon.ico",
    "favicon.png",
    "files",
    "groups",
    "health_check",
    "help",
    "import",
    "jwt",
    "login",
    "oauth",
    "profile",
    "projects",
    "public",
    "robots.txt",
    "s",
    "search",
    "sent_notifications",
    "sitemap",
    "sitemap.xml",
    "sitemap.xml.gz",
    "slash-command-logo.png",
    "snippets",
    "unsubscribes",
    "uploads",
    "users",
    "v2",
];

/// Endings the web server would take for a file.
const FILE_ENDINGS: &[&str] = &[
    "aac", "atom", "avi", "bmp", "css", "csv", "diff", "flac", "gif", "gz", "gzip", "htm", "html", "ico", "ics", "jpe",
    "jpeg", "jpg", "js", "json", "m4a", "m4v", "md", "mov", "mp1", "mp2", "mp3", "mp4", "mpeg", "mpg", "mpga", "oga",
    "ogg", "ogv", "otf", "patch", "pdf", "pjpeg", "png", "rss", "svg", "text", "tif", "tiff", "ttf", "txt", "vcf",
    "vtt", "wav", "webm", "webp", "woff", "woff2", "xhtml", "xml", "yaml", "yml", "zip",
];

/// Passwords that are too well known, wherever they stand in one.
const COMMON: &[&str] =
    &["password", "passw0rd", "12345678", "qwertz", "qwerty", "letmein", "iloveyou", "gitlab", "welcome"];

/// Faults by field, in the owner's language.
pub(super) struct Faults {
    language: Language,
    by_field: BTreeMap<&'static str, Vec<String>>,
}

impl Faults {
    pub(super) fn new(language: Language) -> Self {
        Self { language, by_field: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, field: &'static str, english: &str) {
        self.by_field.entry(field).or_default().push(self.language.say(english));
    }

    /// Nothing, or the one answer that tells them all.
    pub(super) fn settle(self) -> Result<(), Answer> {
        if self.by_field.is_empty() { Ok(()) } else { Err(self.answer()) }
    }

    /// The refusal as it stands.
    pub(super) fn answer(self) -> Answer {
        Answer::message(400, json!(self.by_field))
    }
}

/// Judges what would be stored. `before` is `None` for a new user; `address` is the new primary or pending address where
/// one was asked for; `password` where one was.
pub(super) fn judge(
    world: &World,
    faults: &mut Faults,
    before: Option<&User>,
    after: &User,
    address: Option<&str>,
    password: Option<&str>,
) {
    if before.is_none_or(|old| old.username != after.username) {
        username(world, faults, before, after);
    }
    if after.name.trim().is_empty() {
        faults.add("name", words::BLANK);
    }
    if after.name.chars().count() > 255 {
        faults.add("name", words::TOO_LONG);
    }
    if let Some(address) = address {
        email(world, faults, address);
    }
    // A new user may not yet have proven her own primary address, which is what she would show.
    let owned = |held: &str| after.owns(held) || (before.is_none() && address == Some(held));
    let changed = |old: Option<&String>, new: Option<&String>| new.is_some_and(|new| old != Some(new));
    if changed(before.and_then(|old| old.public_email.as_ref()), after.public_email.as_ref())
        && !after.public_email.as_deref().is_some_and(owned)
    {
        faults.add("public_email", words::NOT_VERIFIED);
    }
    if changed(before.and_then(|old| old.commit_email.as_ref()), after.commit_email.as_ref())
        && !after.commit_email.as_deref().is_some_and(|held| held == "_private" || owned(held))
    {
        faults.add("commit_email", words::NOT_VERIFIED);
    }
    if after.projects_limit < 0 {
        faults.add("projects_limit", words::NEGATIVE);
    }
    if let Some(password) = password {
        judge_password(faults, after, password);
    }
}

fn username(world: &World, faults: &mut Faults, before: Option<&User>, after: &User) {
    let name = after.username.as_str();
    if name.is_empty() {
        faults.add("username", words::BLANK);
        return;
    }
    if !well_formed(name) || (world.settings.strict_usernames && name.starts_with(['_', '.'])) {
        faults.add("username", words::BAD_USERNAME);
    }
    if world.settings.strict_usernames && name.chars().count() < 2 {
        faults.add("username", words::TOO_SHORT);
    }
    if name.chars().count() > 255 {
        faults.add("username", words::TOO_LONG);
    }
    if RESERVED.contains(&name.to_lowercase().as_str()) {
        let text = format!("{name} {}", faults.language.say(words::RESERVED_NAME));
        faults.add("username", &text);
    }
    if name.rsplit_once('.').is_some_and(|(_, ending)| FILE_ENDINGS.contains(&ending)) {
        faults.add("username", words::FILE_NAME);
    }
    if before.is_some_and(|old| old.container_registry_tags) {
        faults.add("username", words::REGISTRY_TAGS);
    }
    if world.settings.pages_domains.iter().any(|held| held.eq_ignore_ascii_case(name)) {
        faults.add("username", words::TAKEN);
    }
    let redirected = world.settings.redirects_block && world.redirect(name).is_some_and(|holder| holder != after.id);
    if redirected || matches!(world.name_holder(name), Some(Holder::Group(_))) {
        faults.add("base", words::NAMESPACE_TAKEN);
    }
}

fn well_formed(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with('-')
        && ![".", ".git", ".atom"].iter().any(|ending| name.ends_with(ending))
}

/// Format first, then the sign-up rules, which bind administrators and changes too. Shared with the addresses of a user.
pub(super) fn email(world: &World, faults: &mut Faults, address: &str) {
    if address.is_empty() {
        faults.add("email", words::BLANK);
        return;
    }
    let Some((_, domain)) = address.split_once('@').filter(|parts| is_address(*parts)) else {
        faults.add("email", words::INVALID);
        return;
    };
    let settings = &world.settings;
    let on = |list: &[String]| list.iter().any(|pattern| matches_domain(&pattern.to_lowercase(), domain));
    if !settings.domain_allowlist.is_empty() && !on(&settings.domain_allowlist) {
        faults.add("email", words::DOMAIN_NOT_ALLOWED);
    }
    if on(&settings.domain_denylist) {
        faults.add("email", words::DOMAIN_DENIED);
    }
}

fn is_address((local, domain): (&str, &str)) -> bool {
    let clean = |text: &str| !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;()[]\"\\@".contains(c));
    let labels = !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains("..");
    !local.is_empty() && !domain.is_empty() && clean(local) && clean(domain) && labels
}

/// `*.example.com` stands for everything below `example.com`.
fn matches_domain(pattern: &str, domain: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            domain.len() >= start.len() + end.len() && domain.starts_with(start) && domain.ends_with(end)
        }
        None => pattern == domain,
    }
}

fn judge_password(faults: &mut Faults, user: &User, password: &str) {
    match password.chars().count() {
        0 => faults.add("password", words::BLANK),
        1..8 => faults.add("password", words::PASSWORD_SHORT),
        8..=128 => {}
        _ => faults.add("password", words::PASSWORD_LONG),
    }
    let lower = password.to_lowercase();
    let personal = [user.username.to_lowercase(), user.name.to_lowercase(), user.email.clone()];
    let known = COMMON.iter().any(|word| lower.contains(word));
    if known || personal.iter().any(|word| word.chars().count() >= 4 && lower.contains(word.as_str())) {
        faults.add("password", words::PASSWORD_WEAK);
    }
}

/// Markup in a name becomes `-`, without a word (`gitlab.md` 3.2).
pub(super) fn sanitized(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find(['<', '>']) {
        clean.push_str(&rest[..at]);
        clean.push('-');
        let opened = rest[at..].starts_with('<');
        let closed = rest[at..].find('>').filter(|_| opened);
        rest = &rest[at + closed.unwrap_or(0) + 1..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::{is_address, matches_domain, sanitized, well_formed};

    #[test]
    fn markup_and_lone_brackets_become_dashes() {
        for (name, clean) in [
            ("Anna <b>Berg</b>", "Anna -Berg-"),
            ("a < b", "a - b"),
            ("a > b", "a - b"),
            ("Ünal <script>", "Ünal -"),
            ("plain", "plain"),
            ("<", "-"),
        ] {
            assert_eq!(sanitized(name), clean);
        }
    }

    #[test]
    fn a_username_holds_letters_digits_and_three_signs_and_ends_well() {
        for good in ["anna", "A.b-c_d", "_x", "1", ".x"] {
            assert!(well_formed(good), "{good}");
        }
        for bad in ["-a", "a.", "a.git", "a.atom", "a b", "ä", "a@b"] {
            assert!(!well_formed(bad), "{bad}");
        }
    }

    #[test]
    fn a_star_stands_for_what_lies_below() {
        assert!(matches_domain("*.example.com", "mail.example.com"));
        assert!(!matches_domain("*.example.com", "example.com"));
        assert!(!matches_domain("example.com", "mail.example.com"));
    }

    #[test]
    fn an_address_has_two_clean_sides() {
        assert!(is_address(("a.b+c", "example.com")));
        for bad in [("", "b"), ("a", ""), ("a b", "c"), ("a", "b@c"), ("a", ".c"), ("a", "b..c")] {
            assert!(!is_address(bad), "{bad:?}");
        }
    }
}
