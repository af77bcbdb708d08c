//! What Mattermost would do with a change, told before anything is sent.
//!
//! Checks come in the order in which the server makes them (`mattermost.md` 4.1 and 4.2), so that the first no here is
//! the no a call would meet; only where a server waits for verification before it looks any further (4.2 step 3) a more
//! telling no comes first. Pure: it knows an account, a change and the kind of our token, and asks nobody.
//!
//! Bots and remote accounts stand under the same checks as everybody for an administrator; only the username of a remote
//! account may hold a colon. Where a closed-source module decides (names of SAML and LDAP accounts) nothing is foretold:
//! the call is allowed and its answer compared.

use super::{is_own, members, places::Set, settings::TokenKind, value};
use crate::model::{
    account::Account,
    accounts::Packed,
    attribute::Value,
    capability::{Change, Follows, Foresight, Reads, Verdict},
    refusal::RefusalKind,
};

/// Attributes this provider knows.
const KNOWN: &[&str] = &["username", "email", "first_name", "last_name", "nickname", "position", "locale", "active"];

/// Services whose every sign-in refreshes the account (`mattermost.md` 4.4 and 6), and what people call them.
const SIGN_IN: &[(&str, &str)] =
    &[("gitlab", "GitLab"), ("google", "Google"), ("office365", "Microsoft 365"), ("openid", "OpenID Connect")];

/// What the server would do with this change.
pub(super) fn foresee(token: TokenKind, account: &Account, change: &Change) -> Foresight {
    if is_own(account) && Set::of(&account.system, &change.attribute).is_some() {
        return Foresight::refuses(
            RefusalKind::Forbidden,
            "who is in teams and channels is neither read nor changed with a person's own token; an administrator's may",
        );
    }
    if let Some((set, name)) = Set::of(&account.system, &change.attribute) {
        return members::foresee(account, change, set, name);
    }
    let attribute = change.attribute.as_str();
    if !KNOWN.contains(&attribute) {
        return Foresight::refuses(RefusalKind::Unsupported, format!("Mattermost accounts have no `{attribute}`"));
    }
    if account.id.is_none() {
        return Foresight { verdict: creation(account, attribute, &change.after), follows: None };
    }
    // A value that is set again passes every check (4.3, 4.4).
    if change.before == change.after {
        return Foresight::takes();
    }
    let verdict = match attribute {
        "active" => activity(account, &change.after),
        "email" => email(token, account, &change.after),
        _ => profile(account, attribute, &change.after),
    };
    Foresight { verdict, follows: follows(account, attribute, &change.after) }
}

/// A new account's first values (`mattermost.md` 5, `POST /users`).
fn creation(account: &Account, attribute: &str, after: &Value) -> Verdict {
    if attribute == "active" && *after == Value::Bool(false) {
        return refuses(
            RefusalKind::Unsupported,
            "Mattermost makes every account active; create it when the person is active",
        );
    }
    if let Some(fault) = value::fault(attribute, after, false) {
        // Only here the server says nothing of a language it does not know, and takes its own.
        return match (attribute, after) {
            ("locale", Value::Text(_)) => Verdict::Doomed {
                reason: format!("{fault}; a new account would get the server's own language instead, without a word"),
            },
            _ => refuses(RefusalKind::Invalid, fault),
        };
    }
    if attribute == "email" && !domain_admits(account, "restrict_creation_to_domains", after) {
        return foreign_domain("RestrictCreationToDomains");
    }
    Verdict::Takes
}

/// `PUT /users/{id}/active` (`mattermost.md` 5 and 6).
fn activity(account: &Account, after: &Value) -> Verdict {
    let service = account.fact("auth_service").unwrap_or_default();
    let Some(active) = after.as_bool() else {
        return refuses(RefusalKind::Invalid, "`active` is true or false");
    };
    if service == "ldap" {
        return refuses(
            RefusalKind::Forbidden,
            "LDAP says whether this account is active; switch it on or off in the directory",
        );
    }
    if !active && is_ours(account) {
        return refuses(
            RefusalKind::Forbidden,
            "the token in use belongs to this account and would stop working; use another administrator's token",
        );
    }
    match sign_in(service) {
        Some(name) if !active => Verdict::Doomed {
            reason: format!("the next sign-in through {name} switches the account on again; switch it off in {name}"),
        },
        _ => Verdict::Takes,
    }
}

/// The address in `PUT /users/{id}/patch`.
fn email(token: TokenKind, account: &Account, after: &Value) -> Verdict {
    let service = account.fact("auth_service").unwrap_or_default();
    // 4.1 check 5.
    if token == TokenKind::Oauth {
        return refuses(
            RefusalKind::Forbidden,
            "an OAuth2 application token may not change e-mail addresses, whatever the roles of its user; a personal \
             access token or bot token of an administrator may",
        );
    }
    // 4.1 check 7.
    if is_own(account) {
        return refuses(
            RefusalKind::Forbidden,
            "Mattermost asks for the password before an account changes its own address; she must change it in Mattermost \
             herself, or an administrator's personal access or bot token may",
        );
    }
    if is_ours(account) {
        return refuses(
            RefusalKind::Forbidden,
            "Mattermost asks for the password before an account changes its own address; use another administrator's \
             token or change it in Mattermost",
        );
    }
    // 4.2 step 2: guests have a list of their own; LDAP and SAML accounts are exempt.
    let guest = account.fact("roles").is_some_and(|roles| roles.split(' ').any(|role| role == "system_guest"));
    let (list, setting) = if guest {
        ("restrict_guest_creation_to_domains", "GuestAccountsSettings.RestrictCreationToDomains")
    } else {
        ("restrict_creation_to_domains", "RestrictCreationToDomains")
    };
    if !matches!(service, "ldap" | "saml") && after.as_text().is_some() && !domain_admits(account, list, after) {
        return foreign_domain(setting);
    }
    // 4.2 step 5, before step 3: what is never stored is no address to send a mail to either.
    if let Some(fault) = value::fault("email", after, false) {
        return refuses(RefusalKind::Invalid, fault);
    }
    // 4.2 step 6.
    if let Some(name) = sign_in(service) {
        return Verdict::Doomed {
            reason: format!(
                "Mattermost answers 200 and keeps the address of an account that signs in through {name}; change it \
                 in {name}"
            ),
        };
    }
    if service == "ldap" {
        return refuses(RefusalKind::OwnedElsewhere, "the address of this account comes from LDAP; change it there");
    }
    // 4.2 step 3.
    if account.server.get("require_email_verification").and_then(Value::as_bool) == Some(true) {
        return Verdict::Doomed {
            reason: "the server keeps the old address until the person follows the link in the mail \
                     (RequireEmailVerification); the call still answers 200"
                .to_owned(),
        };
    }
    Verdict::Takes
}

/// Everything else in `PUT /users/{id}/patch`.
fn profile(account: &Account, attribute: &str, after: &Value) -> Verdict {
    // 4.1 check 6 comes before validation.
    if let Some(reason) = owned_by_login(account.fact("auth_service").unwrap_or_default(), attribute) {
        return refuses(RefusalKind::OwnedElsewhere, reason);
    }
    match value::fault(attribute, after, account.is("is_remote")) {
        Some(fault) => refuses(RefusalKind::Invalid, fault),
        None => Verdict::Takes,
    }
}

/// Why this attribute belongs to the login provider (`mattermost.md` 4.4); `None` where it does not, or where a module
/// decides that nobody outside has read.
fn owned_by_login(service: &str, attribute: &str) -> Option<String> {
    let what = match attribute {
        "username" => "the username",
        "first_name" | "last_name" => "the name",
        _ => return None,
    };
    match (sign_in(service), service, attribute) {
        (Some(name), _, _) => Some(format!("{what} of this account comes from {name}; change it there")),
        (_, "saml", "username") => {
            Some(format!("{what} of this account comes from its SAML login provider; change it there"))
        }
        (_, "ldap", "username") => Some(format!("{what} of this account comes from LDAP; change it in the directory")),
        (_, "magic_link", "username") => {
            Some(format!("{what} of a guest who signs in by magic link cannot be changed in Mattermost"))
        }
        _ => None,
    }
}

/// What the next sign-in brings (`mattermost.md` 6).
fn follows(account: &Account, attribute: &str, after: &Value) -> Option<Follows> {
    let service = account.fact("auth_service")?;
    let name = sign_in(service)?;
    let text = after.as_text().unwrap_or_default();
    let becomes = match attribute {
        "username" if service == "gitlab" => value::signed_in_username(text),
        "username" => Err(format!("how Mattermost makes a username of an account at {name} is not known")),
        "email" => match value::fault("email", after, false) {
            None => Ok(after.clone()),
            Some(fault) => Err(fault),
        },
        // GitLab's one name is split at its first space.
        "first_name" if service == "gitlab" && text.contains(' ') => {
            Err(format!("Mattermost takes only what stands before the first space of the name in {name}"))
        }
        "first_name" if after.is_empty() => Err(format!("the name in {name} is never empty, so neither is this one")),
        "first_name" | "last_name" => match value::fault(attribute, after, false) {
            None => Ok(after.clone()),
            Some(fault) => Err(fault),
        },
        "active" if *after == Value::Bool(false) => Err(format!(
            "a sign-in through {name} only ever switches accounts on; who is blocked in {name} cannot sign in again"
        )),
        _ => return None,
    };
    let reads = match attribute {
        "first_name" if service == "gitlab" => Reads::BeforeSpace("display_name"),
        "last_name" if service == "gitlab" => Reads::AfterSpace("display_name"),
        _ => Reads::Same,
    };
    Some(Follows { provider: service.to_owned(), when: format!("at the next sign-in through {name}"), becomes, reads })
}

/// True where no sign-in is foretold to bring anything (`mattermost.md` 6).
pub(super) fn stands_alone(account: &Packed<'_>) -> bool {
    account.fact("auth_service").and_then(sign_in).is_none()
}

fn sign_in(service: &str) -> Option<&'static str> {
    SIGN_IN.iter().find(|(word, _)| *word == service).map(|(_, name)| *name)
}

/// True where our token belongs to this account.
fn is_ours(account: &Account) -> bool {
    account.id.as_ref().is_some_and(|id| account.server_fact("me") == Some(id.as_str()))
}

fn domain_admits(account: &Account, list: &str, address: &Value) -> bool {
    value::admits(account.server_fact(list).unwrap_or_default(), address.as_text().unwrap_or_default())
}

fn foreign_domain(setting: &str) -> Verdict {
    refuses(
        RefusalKind::Invalid,
        format!("the server accepts addresses of certain domains only ({setting}); add this domain there"),
    )
}

fn refuses(kind: RefusalKind, reason: impl Into<String>) -> Verdict {
    Verdict::Refuses { kind, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{account::Facts, attribute::AttributeName};

    const SERVICES: &[&str] = &["", "gitlab", "google", "office365", "openid", "saml", "ldap", "magic_link"];

    fn server() -> Facts {
        Facts::from([("me".to_owned(), "ours".into()), ("require_email_verification".to_owned(), false.into())])
    }

    fn account(auth_service: &str) -> Account {
        Account {
            id: Some("a1".into()),
            facts: Facts::from([
                ("auth_service".to_owned(), auth_service.into()),
                ("roles".to_owned(), "system_user".into()),
            ]),
            ..Account::absent("chat".into(), Arc::new(server()))
        }
    }

    fn on(mut account: Account, name: &str, value: impl Into<Value>) -> Account {
        let mut facts = Facts::clone(&account.server);
        facts.insert(name.to_owned(), value.into());
        account.server = Arc::new(facts);
        account
    }

    fn change(attribute: &str, before: impl Into<Value>, after: impl Into<Value>) -> Change {
        Change { attribute: AttributeName::new(attribute), before: before.into(), after: after.into() }
    }

    fn told(account: &Account, attribute: &str, before: impl Into<Value>, after: impl Into<Value>) -> Foresight {
        foresee(TokenKind::Personal, account, &change(attribute, before, after))
    }

    /// The verdict in one word.
    fn word(foresight: &Foresight) -> String {
        match &foresight.verdict {
            Verdict::Takes => "takes".to_owned(),
            Verdict::Refuses { kind, .. } => kind.to_string(),
            Verdict::Doomed { .. } => "doomed".to_owned(),
        }
    }

    fn words(attribute: &str, before: &str, after: &str) -> Vec<String> {
        SERVICES.iter().map(|service| word(&told(&account(service), attribute, before, after))).collect()
    }

    #[test]
    fn the_login_provider_owns_what_the_contract_says() {
        let owned = "owned_elsewhere";
        // In the order of SERVICES: password, four that refresh at sign-in, SAML, LDAP, magic link.
        assert_eq!(words("username", "anna", "anna.b"), ["takes", owned, owned, owned, owned, owned, owned, owned]);
        for name in ["first_name", "last_name"] {
            let expected = ["takes", owned, owned, owned, owned, "takes", "takes", "takes"];
            assert_eq!(words(name, "Anna", "Anne"), expected, "{name}");
        }
        assert_eq!(
            words("email", "anna@b.c", "anne@b.c"),
            ["takes", "doomed", "doomed", "doomed", "doomed", "takes", owned, "takes"]
        );
        for (name, after) in [("nickname", "Ann"), ("position", "Head"), ("locale", "de")] {
            assert_eq!(words(name, "", after), ["takes"; 8], "{name}");
        }
    }

    #[test]
    fn an_unknown_service_owns_nothing_until_it_says_so() {
        for (attribute, after) in [("username", "anne"), ("first_name", "Anne"), ("email", "anne@b.c")] {
            assert_eq!(told(&account("passkey"), attribute, "x", after), Foresight::takes());
        }
    }

    #[test]
    fn a_value_that_is_there_already_is_taken_whoever_owns_it() {
        for service in SERVICES {
            for (attribute, value) in [("username", "anna"), ("email", "anna@b.c"), ("first_name", "Anna")] {
                let change = change(attribute, value, value);
                assert_eq!(foresee(TokenKind::Oauth, &account(service), &change), Foresight::takes());
            }
        }
    }

    #[test]
    fn a_gitlab_username_follows_gitlab_in_its_cleaned_form() {
        let reason = "the username of this account comes from GitLab; change it there".to_owned();
        let follows = |becomes| {
            Some(Follows {
                provider: "gitlab".to_owned(),
                when: "at the next sign-in through GitLab".to_owned(),
                becomes,
                reads: Reads::Same,
            })
        };
        let verdict = Verdict::Refuses { kind: RefusalKind::OwnedElsewhere, reason };
        let foresight = told(&account("gitlab"), "username", "anna", "anna.b");
        assert_eq!(foresight, Foresight { verdict: verdict.clone(), follows: follows(Ok("anna.b".into())) });
        let foresight = told(&account("gitlab"), "username", "anna", "-anna-");
        assert_eq!(foresight, Foresight { verdict: verdict.clone(), follows: follows(Ok("anna".into())) });
        let random = |fault: &str| {
            Err(format!("Mattermost would give the account a new random username at every sign-in: {fault} there"))
        };
        for (after, fault) in [
            ("admin", "`username` cannot be empty"),
            ("all", "this `username` is reserved for the server itself"),
            (&*"a".repeat(65), "`username` is longer than 64 characters"),
        ] {
            let foresight = told(&account("gitlab"), "username", "anna", after);
            assert_eq!(foresight, Foresight { verdict: verdict.clone(), follows: follows(random(fault)) });
        }
    }

    #[test]
    fn names_and_addresses_follow_the_provider_they_come_from() {
        let becomes = |service: &str, attribute: &str, after: &str| {
            told(&account(service), attribute, "x", after).follows.map(|follows| (follows.provider, follows.becomes))
        };
        let from = |service: &str, value: &str| Some((service.to_owned(), Ok(value.into())));
        for service in ["gitlab", "google", "office365", "openid"] {
            assert_eq!(becomes(service, "last_name", "von Meyer"), from(service, "von Meyer"));
            assert_eq!(becomes(service, "first_name", "Anna"), from(service, "Anna"));
            assert_eq!(becomes(service, "email", "anne@b.c"), from(service, "anne@b.c"));
            assert_eq!(becomes(service, "nickname", "Ann"), None);
        }
        assert_eq!(
            becomes("gitlab", "first_name", "Anna Maria"),
            Some((
                "gitlab".to_owned(),
                Err("Mattermost takes only what stands before the first space of the name in GitLab".to_owned())
            ))
        );
        assert_eq!(
            becomes("gitlab", "first_name", ""),
            Some(("gitlab".to_owned(), Err("the name in GitLab is never empty, so neither is this one".to_owned())))
        );
        assert_eq!(
            becomes("google", "username", "anne"),
            Some((
                "google".to_owned(),
                Err("how Mattermost makes a username of an account at Google is not known".to_owned())
            ))
        );
        for service in ["", "saml", "ldap", "magic_link"] {
            for attribute in ["username", "email", "first_name", "last_name", "active"] {
                assert_eq!(becomes(service, attribute, "anne"), None, "{service} {attribute}");
            }
        }
    }

    #[test]
    fn an_address_of_a_gitlab_account_would_be_kept_in_silence() {
        assert_eq!(
            told(&account("gitlab"), "email", "anna@b.c", "anne@b.c").verdict,
            Verdict::Doomed {
                reason: "Mattermost answers 200 and keeps the address of an account that signs in through GitLab; \
                         change it in GitLab"
                    .to_owned()
            }
        );
    }

    #[test]
    fn an_oauth_token_changes_no_address_and_everything_else() {
        for service in SERVICES {
            let foresight = foresee(TokenKind::Oauth, &account(service), &change("email", "anna@b.c", "anne@b.c"));
            assert_eq!(
                foresight.verdict,
                Verdict::Refuses {
                    kind: RefusalKind::Forbidden,
                    reason: "an OAuth2 application token may not change e-mail addresses, whatever the roles of its \
                             user; a personal access token or bot token of an administrator may"
                        .to_owned()
                }
            );
        }
        for (attribute, after) in [("username", "anne"), ("first_name", "Anne"), ("nickname", "Ann")] {
            let foresight = foresee(TokenKind::Oauth, &account(""), &change(attribute, "x", after));
            assert_eq!(foresight, Foresight::takes());
        }
        let creation = Account::absent("chat".into(), Arc::new(server()));
        assert_eq!(foresee(TokenKind::Oauth, &creation, &change("email", "", "anne@b.c")), Foresight::takes());
        for token in [TokenKind::Personal, TokenKind::Bot] {
            assert_eq!(foresee(token, &account(""), &change("email", "x@b.c", "anne@b.c")), Foresight::takes());
        }
    }

    #[test]
    fn our_own_account_keeps_its_address_and_stays_active() {
        let ours = Account { id: Some("ours".into()), ..account("") };
        assert_eq!(word(&told(&ours, "email", "anna@b.c", "anne@b.c")), "forbidden");
        assert_eq!(word(&told(&ours, "active", true, false)), "forbidden");
        assert_eq!(word(&told(&ours, "username", "anna", "anne")), "takes");
    }

    #[test]
    fn an_address_waits_for_its_mail_where_the_server_wants_that() {
        let waiting = on(account(""), "require_email_verification", true);
        assert_eq!(
            told(&waiting, "email", "anna@b.c", "anne@b.c"),
            Foresight::doomed(
                "the server keeps the old address until the person follows the link in the mail \
                 (RequireEmailVerification); the call still answers 200"
            )
        );
        let unknown = Account { server: Arc::default(), ..account("") };
        assert_eq!(told(&unknown, "email", "anna@b.c", "anne@b.c"), Foresight::takes());
    }

    #[test]
    fn domains_bind_everybody_but_directory_accounts_and_guests_have_their_own() {
        let bound = |service: &str| on(account(service), "restrict_creation_to_domains", "b.c");
        let verdict = |service: &str| word(&told(&bound(service), "email", "anna@b.c", "anna@d.e"));
        assert_eq!(verdict(""), "invalid");
        assert_eq!(verdict("gitlab"), "invalid");
        assert_eq!(verdict("magic_link"), "invalid");
        assert_eq!(verdict("saml"), "takes");
        assert_eq!(verdict("ldap"), "owned_elsewhere");
        assert_eq!(word(&told(&bound(""), "email", "anna@b.c", "anne@b.c")), "takes");

        let mut guest = on(bound(""), "restrict_guest_creation_to_domains", "d.e");
        guest.facts.insert("roles".to_owned(), "system_guest".into());
        assert_eq!(word(&told(&guest, "email", "x@d.e", "anna@d.e")), "takes");
        assert_eq!(word(&told(&guest, "email", "x@d.e", "anna@b.c")), "invalid");

        let creation = Account::absent("chat".into(), bound("").server);
        assert_eq!(
            told(&creation, "email", "", "anna@d.e"),
            Foresight::refuses(
                RefusalKind::Invalid,
                "the server accepts addresses of certain domains only (RestrictCreationToDomains); add this domain there"
            )
        );
        assert_eq!(told(&creation, "email", "", "anna@b.c"), Foresight::takes());
    }

    #[test]
    fn a_value_the_server_would_not_store_is_invalid() {
        for place in [account(""), Account::absent("chat".into(), Arc::new(server()))] {
            for (attribute, after) in [
                ("username", ""),
                ("username", "an na"),
                ("username", "system"),
                ("email", ""),
                ("email", "anna"),
                ("first_name", &*"a".repeat(65)),
                ("last_name", &*"a".repeat(65)),
                ("nickname", &*"a".repeat(65)),
                ("position", &*"a".repeat(129)),
            ] {
                assert_eq!(word(&told(&place, attribute, "x", after)), "invalid", "{attribute} {after}");
            }
            let language = word(&told(&place, "locale", "x", "deutsch"));
            assert_eq!(language, if place.id.is_some() { "invalid" } else { "doomed" });
            assert_eq!(word(&told(&place, "active", true, "no")), "invalid");
            assert_eq!(word(&told(&place, "phone", "", "1")), "unsupported");
            assert_eq!(word(&told(&place, "chat.username", "", "anna")), "unsupported");
        }
    }

    #[test]
    fn a_remote_account_may_have_a_colon_in_its_name() {
        let mut remote = account("");
        assert_eq!(word(&told(&remote, "username", "anna", "anna:there")), "invalid");
        remote.facts.insert("is_remote".to_owned(), true.into());
        assert_eq!(word(&told(&remote, "username", "anna", "anna:there")), "takes");
    }

    #[test]
    fn switching_off_does_not_last_where_a_sign_in_switches_on() {
        let off = |service: &&str| word(&told(&account(service), "active", true, false));
        let on = |service: &&str| word(&told(&account(service), "active", false, true));
        assert_eq!(
            SERVICES.iter().map(off).collect::<Vec<_>>(),
            ["takes", "doomed", "doomed", "doomed", "doomed", "takes", "forbidden", "takes"]
        );
        assert_eq!(
            SERVICES.iter().map(on).collect::<Vec<_>>(),
            ["takes", "takes", "takes", "takes", "takes", "takes", "forbidden", "takes"]
        );
        assert_eq!(
            told(&account("gitlab"), "active", true, false),
            Foresight::doomed("the next sign-in through GitLab switches the account on again; switch it off in GitLab")
                .following(Follows {
                    provider: "gitlab".to_owned(),
                    when: "at the next sign-in through GitLab".to_owned(),
                    becomes: Err("a sign-in through GitLab only ever switches accounts on; who is blocked in GitLab \
                                  cannot sign in again"
                        .to_owned()),
                    reads: Reads::Same,
                })
        );
    }

    #[test]
    fn a_new_account_is_active() {
        let creation = Account::absent("chat".into(), Arc::new(server()));
        assert_eq!(told(&creation, "active", Value::Empty, true), Foresight::takes());
        assert_eq!(word(&told(&creation, "active", Value::Empty, false)), "unsupported");
        assert_eq!(told(&creation, "username", "", "anna"), Foresight::takes());
        assert_eq!(told(&creation, "nickname", "", ""), Foresight::takes());
    }
}
