//! What GitLab would do with a change, told before anything is sent (`gitlab.md` 3.1 to 3.4).
//!
//! It knows the rules that can be judged from the account and the value. What only the server can judge comes as its
//! answer: names of groups and old redirects, container registry tags in a personal project, sign-up rules for mail
//! domains, and whether an address for `public_email` or `commit_email` is a confirmed one of this person. Newer versions
//! may refuse a few more usernames (a single character, a leading `_` or `.`); that is left to the answer as well.

use crate::model::{
    account::Account,
    accounts::Packed,
    attribute::Value,
    capability::{AttributeCapability, Change, Follows, Foresight, Reads, Support},
    refusal::RefusalKind,
};

use super::{membership, settings::Settings, switch::switch, table::CAPABILITIES};

/// The longest username and display name, in characters.
const LONGEST: usize = 255;

/// What `commit_email` may hold instead of an address.
pub(super) const PRIVATE: &str = "_private";

/// Names that are the first part of addresses of GitLab's own. The list grows with its versions.
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

/// Endings that GitLab's web server takes for the kind of a document. The server's own list decides; these are on it.
const FILE_ENDINGS: &[&str] = &[
    "aac", "atom", "avi", "bmp", "css", "csv", "diff", "flac", "gif", "gz", "gzip", "htm", "html", "ico", "ics", "jpe",
    "jpeg", "jpg", "js", "json", "m4a", "m4v", "md", "mov", "mp1", "mp2", "mp3", "mp4", "mpeg", "mpg", "mpga", "oga",
    "ogg", "ogv", "otf", "patch", "pdf", "pjpeg", "png", "rss", "svg", "text", "tif", "tiff", "ttf", "txt", "vcf",
    "vtt", "wav", "webm", "webp", "woff", "woff2", "xhtml", "xml", "yaml", "yml", "zip",
];

/// What would come of this change of this account.
pub(super) fn foresee(account: &Account, change: &Change, settings: &Settings) -> Foresight {
    let unsupported = |reason: String| Foresight::refuses(RefusalKind::Unsupported, reason);
    let Some(row) = CAPABILITIES.of(&account.system, &change.attribute) else {
        return unsupported(format!("GitLab has no attribute `{}`", change.attribute));
    };
    if account.server_fact("credential") == Some("own") {
        // Section 3: administrators only, whosever account it is.
        if !account.is("is_admin") {
            return Foresight::refuses(
                RefusalKind::Forbidden,
                "GitLab lets administrators alone change accounts by its interface; she can change it in GitLab herself, \
                 or an administrator's token may",
            );
        }
        if row.set.is_some() {
            return Foresight::refuses(
                RefusalKind::Forbidden,
                "who is in groups is not read with a person's own token; one administrator's token for everybody may",
            );
        }
    }
    if row.set.is_some() {
        return match membership::group(&account.system, &change.attribute) {
            Some(group) => membership::foresee(account, change, group),
            None => unsupported(membership::WHICH.to_owned()),
        };
    }
    if let Support::No(why) = row.write {
        return unsupported(why.to_owned());
    }
    if change.after.is_empty()
        && let Support::No(why) = row.clear
    {
        return unsupported(why.to_owned());
    }
    if row.name == "active" {
        return match (change.after.as_bool(), account.id.is_none()) {
            (None, _) => Foresight::refuses(RefusalKind::Invalid, "`active` is either true or false"),
            (Some(true), true) => Foresight::takes(),
            (Some(false), true) => unsupported(BEGINS_ACTIVE.to_owned()),
            (Some(active), false) => match switch(account, active) {
                Ok(_) => Foresight::takes(),
                Err(refusal) => Foresight::refuses(refusal.kind, refusal.reason),
            },
        };
    }
    let valid = judge(row, &change.after);
    if is_synced(account, row, settings) {
        let from = &settings.synced_from;
        return Foresight::doomed(format!(
            "GitLab takes `{}` of this account from `{from}` and would drop ours without a word; change it there",
            row.name
        ))
        .following(Follows {
            provider: from.clone(),
            when: format!("at the next sign-in through {from}"),
            becomes: valid.map(|()| change.after.clone()),
            reads: Reads::Same,
        });
    }
    match valid {
        Ok(()) => Foresight::takes(),
        Err(reason) => Foresight::refuses(RefusalKind::Invalid, reason),
    }
}

/// Why an account cannot be created switched off.
pub(super) const BEGINS_ACTIVE: &str = "GitLab creates accounts active; it can be switched off afterwards";

/// True where GitLab takes nothing of this account from its login provider (3.4).
pub(super) fn stands_alone(account: &Packed<'_>, settings: &Settings) -> bool {
    settings.synced_attributes.is_empty()
        || account.identities().all(|(provider, _)| provider != settings.synced_from.as_str())
}

/// True where GitLab itself takes this attribute of this account from its login provider (3.4).
fn is_synced(account: &Account, row: &AttributeCapability, settings: &Settings) -> bool {
    settings.synced_attributes.iter().any(|synced| synced.remote() == row.remote)
        && account.identities.iter().any(|identity| identity.provider == settings.synced_from)
}

/// The rules of 3.2 that can be judged from here.
fn judge(row: &AttributeCapability, after: &Value) -> Result<(), String> {
    let text = match after {
        Value::Text(text) => text.as_ref(),
        Value::Empty => return Ok(()),
        Value::Bool(_) => return Err(format!("`{}` is a text, not true or false", row.name)),
    };
    match row.name {
        "username" => username(text),
        "display_name" if text.trim().is_empty() => Err("the display name is blank".to_owned()),
        "display_name" if text.chars().count() > LONGEST => {
            Err(format!("GitLab takes display names of at most {LONGEST} characters"))
        }
        "commit_email" if text == PRIVATE => Ok(()),
        // Whether an address for the latter two is a confirmed one of this person is not shown: the answer decides.
        "email" | "public_email" | "commit_email" if !looks_like_address(text) => {
            Err(format!("`{}` is no e-mail address", row.name))
        }
        _ => Ok(()),
    }
}

fn username(text: &str) -> Result<(), String> {
    let no = |reason: &str| Err(reason.to_owned());
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return no("GitLab takes usernames of letters a to z, digits, `_`, `-` and `.` only");
    }
    if text.len() > LONGEST {
        return Err(format!("GitLab takes usernames of at most {LONGEST} characters"));
    }
    if RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
        return no("GitLab keeps this username for an address of its own");
    }
    if text.starts_with('-') {
        return no("GitLab takes no username that begins with `-`");
    }
    if [".", ".git", ".atom"].iter().any(|ending| text.ends_with(ending)) {
        return no("GitLab takes no username that ends in `.`, `.git` or `.atom`");
    }
    if text.rsplit_once('.').is_some_and(|(_, ending)| FILE_ENDINGS.contains(&ending)) {
        return no("GitLab takes no username that ends like the name of a file");
    }
    Ok(())
}

/// The form alone: two sides of one `@`, without what would need quotes, and a domain without empty parts.
fn looks_like_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>,;()[]\"\\@".contains(c);
    !local.is_empty()
        && local.chars().chain(domain.chars()).all(is_plain)
        && domain.split('.').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::*;
    use crate::{
        connector::gitlab::settings::Synced,
        model::{
            account::{Facts, Identity},
            attribute::AttributeName,
            capability::Verdict,
        },
    };

    fn account() -> Account {
        let mut account = Account::absent("gitlab".into(), Arc::new(Facts::from([("me".to_owned(), "1".into())])));
        account.id = Some("42".into());
        account.facts.insert("state".to_owned(), "active".into());
        account
    }

    fn change(attribute: &str, after: impl Into<Value>) -> Change {
        Change { attribute: AttributeName::new(attribute), before: "before".into(), after: after.into() }
    }

    fn seen(account: &Account, attribute: &str, after: impl Into<Value>) -> Foresight {
        foresee(account, &change(attribute, after), &Settings::default())
    }

    fn refused(foresight: Foresight) -> RefusalKind {
        match foresight {
            Foresight { verdict: Verdict::Refuses { kind, .. }, follows: None } => kind,
            other => panic!("{other:?} is no refusal"),
        }
    }

    #[test]
    fn good_values_of_writable_attributes_are_taken() {
        for (attribute, after) in [
            ("username", "Anna_Maria-7.b"),
            ("username", "_anna"),
            ("username", "admins"),
            ("username", "anna.gitter"),
            ("username", "anna.PNG"),
            ("email", "anna@example.com"),
            ("display_name", "Anna Müller"),
            ("gitlab.public_email", "other@example.com"),
            ("gitlab.public_email", ""),
            ("gitlab.commit_email", "_private"),
            ("gitlab.organization", "Example AG"),
            ("gitlab.location", ""),
            ("gitlab.note", "x"),
            ("gitlab.bio", ""),
        ] {
            assert_eq!(seen(&account(), attribute, after), Foresight::takes(), "{attribute} = {after}");
        }
    }

    #[test]
    fn what_gitlab_would_drop_or_does_not_know_is_unsupported() {
        for attribute in [
            "gitlab.job_title",
            "gitlab.preferred_language",
            "position",
            "locale",
            "first_name",
            "timezone",
            "phone",
            "note",
            "mattermost.note",
        ] {
            assert_eq!(refused(seen(&account(), attribute, "x")), RefusalKind::Unsupported, "{attribute}");
        }
    }

    #[test]
    fn what_every_account_has_cannot_be_cleared() {
        for attribute in ["username", "email", "display_name", "active", "gitlab.commit_email"] {
            assert_eq!(refused(seen(&account(), attribute, Value::Empty)), RefusalKind::Unsupported, "{attribute}");
        }
    }

    #[test]
    fn bad_usernames_are_invalid() {
        let long = "a".repeat(256);
        for name in [
            "anna müller",
            "anna/b",
            "anna@example.com",
            "müller",
            "-anna",
            "anna.",
            "anna.git",
            "anna.atom",
            "anna.png",
            "anna.json",
            "admin",
            "Admin",
            "login",
            "anna.md",
            "404.html",
            "-",
            "users",
            &long,
        ] {
            assert_eq!(refused(seen(&account(), "username", name)), RefusalKind::Invalid, "{name}");
        }
        assert_eq!(seen(&account(), "username", "a".repeat(255).as_str()), Foresight::takes());
    }

    #[test]
    fn bad_names_addresses_and_kinds_of_value_are_invalid() {
        let long = "ü".repeat(256);
        for (attribute, after) in [
            ("display_name", Value::text("   ")),
            ("display_name", Value::text(&long)),
            ("display_name", true.into()),
            ("email", Value::text("anna")),
            ("email", Value::text("@example.com")),
            ("email", Value::text("anna@")),
            ("email", Value::text("a@b@c")),
            ("email", Value::text("anna b@example.com")),
            ("email", Value::text("anna@example..com")),
            ("email", Value::text("anna@example.com.")),
            ("email", Value::text("Anna <anna@example.com>")),
            ("email", Value::text("anna,b@example.com")),
            ("email", Value::text("_private")),
            ("gitlab.public_email", Value::text("_private")),
            ("gitlab.commit_email", Value::text("anna")),
            ("gitlab.note", false.into()),
            ("active", Value::text("yes")),
        ] {
            assert_eq!(
                refused(seen(&account(), attribute, after.clone())),
                RefusalKind::Invalid,
                "{attribute} = {after}"
            );
        }
        assert_eq!(seen(&account(), "display_name", "ü".repeat(255).as_str()), Foresight::takes());
    }

    #[test]
    fn a_synced_attribute_is_doomed_and_comes_with_the_next_sign_in() {
        let settings = Settings { synced_attributes: BTreeSet::from([Synced::Email]), ..Settings::default() };
        let mut account = account();
        let wanted = change("email", "anna@example.com");
        assert_eq!(foresee(&account, &wanted, &settings), Foresight::takes());

        account.identities.push(Identity { provider: "ldapmain".to_owned(), id: "uid=anna".into() });
        let foresight = foresee(&account, &wanted, &settings);
        let Verdict::Doomed { reason } = foresight.verdict else { panic!("{foresight:?}") };
        let words =
            "GitLab takes `email` of this account from `ldapmain` and would drop ours without a word; change it there";
        assert_eq!(reason, words);
        let follows = Follows {
            provider: "ldapmain".to_owned(),
            when: "at the next sign-in through ldapmain".to_owned(),
            becomes: Ok("anna@example.com".into()),
            reads: Reads::Same,
        };
        assert_eq!(foresight.follows, Some(follows));

        assert_eq!(foresee(&account, &change("display_name", "Anna"), &settings), Foresight::takes());
        let bad = foresee(&account, &change("email", "anna"), &settings);
        assert_eq!(bad.follows.unwrap().becomes, Err("`email` is no e-mail address".to_owned()));
    }

    #[test]
    fn usernames_are_never_synced() {
        let settings = Settings {
            synced_attributes: BTreeSet::from([Synced::Name, Synced::Email, Synced::Location]),
            ..Settings::default()
        };
        let mut account = account();
        account.identities.push(Identity { provider: "ldapmain".to_owned(), id: "uid=anna".into() });
        assert_eq!(foresee(&account, &change("username", "anna"), &settings), Foresight::takes());
        for attribute in ["display_name", "gitlab.location"] {
            let foresight = foresee(&account, &change(attribute, "Bern"), &settings);
            assert!(matches!(foresight.verdict, Verdict::Doomed { .. }), "{attribute}");
        }
    }

    #[test]
    fn active_goes_where_the_state_lets_it() {
        let mut account = account();
        assert_eq!(seen(&account, "active", false), Foresight::takes());
        account.facts.insert("state".to_owned(), "ldap_blocked".into());
        assert_eq!(refused(seen(&account, "active", true)), RefusalKind::Forbidden);
        account.facts.insert("state".to_owned(), "blocked_pending_approval".into());
        assert_eq!(refused(seen(&account, "active", true)), RefusalKind::Unsupported);
        account.facts.insert("state".to_owned(), "deactivated".into());
        assert_eq!(seen(&account, "active", true), Foresight::takes());
    }

    #[test]
    fn an_account_begins_active_and_may_begin_without_what_is_optional() {
        let nobody = Account::absent("gitlab".into(), Arc::default());
        assert_eq!(seen(&nobody, "active", true), Foresight::takes());
        assert_eq!(refused(seen(&nobody, "active", false)), RefusalKind::Unsupported);
        assert_eq!(seen(&nobody, "gitlab.bio", Value::Empty), Foresight::takes());
        assert_eq!(refused(seen(&nobody, "email", Value::Empty)), RefusalKind::Unsupported);
        assert_eq!(refused(seen(&nobody, "username", "admin")), RefusalKind::Invalid);
    }
}
