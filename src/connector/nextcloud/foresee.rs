//! What Nextcloud would do with a change, told before anything is sent (`nextcloud.md` 4, 5 and 7).
//!
//! A yes of Nextcloud's does not mean that it stays: accounts that come from a directory or a login provider are written
//! over with the next sign-in. Which of their attributes are mapped is told by nobody but the operator. Pure: it knows an
//! account, a change and the settings. Which languages are installed, which setting of the server forbids what, and whether
//! a number exists comes as the answer.

use crate::model::{
    account::Account,
    attribute::Value,
    capability::{AttributeCapability, Change, Follows, Foresight, Reads, Support, Verdict},
    refusal::RefusalKind,
};

use super::{
    calls::{address, is_at_birth},
    membership::{self, ADMINISTRATORS},
    settings::{LocalSignIn, Mapped, Settings},
    table::CAPABILITIES,
    value,
};

/// Why an account begins active.
pub(super) const BEGINS_ACTIVE: &str = "Nextcloud makes every account active; create it when the person is active";

/// Why something has to wait until an account is there.
pub(super) const NOT_YET: &str = "Nextcloud takes this only once the account is there: the next run can do it";

/// The fact of a server that says what our account may do, and its words.
pub(super) const RIGHTS: &str = "rights";
pub(super) const ADMIN: &str = "admin";
pub(super) const GROUP_ADMIN: &str = "group_admin";
pub(super) const DELEGATED: &str = "delegated";
pub(super) const PERSON: &str = "person";

/// The fact of a server that lists what a person may change herself.
pub(super) const EDITABLE: &str = "editable";

/// What the list of what a person may change says nothing of (`nextcloud.md` 3).
const UNLISTED: &[&str] = &["language", "locale"];

/// What only an administrator changes, of herself too.
const ADMINISTERED: &[&str] = &["quota", "manager", "groups", "active"];

/// Where accounts come from that are written over, as Nextcloud names it, and as people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Ldap,
    Saml,
    Oidc,
    /// The account is Nextcloud's own, and the person signs in through `OpenID` Connect.
    LocalOidc,
}

impl Origin {
    fn of(account: &Account, settings: &Settings) -> Option<Self> {
        match account.fact("backend")? {
            "Database" if settings.local_sign_in == LocalSignIn::Oidc => Some(Self::LocalOidc),
            "LDAP" => Some(Self::Ldap),
            "user_saml" => Some(Self::Saml),
            "user_oidc" => Some(Self::Oidc),
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Ldap => "LDAP",
            Self::Saml => "SAML",
            Self::Oidc | Self::LocalOidc => "OpenID Connect",
        }
    }

    fn when(self) -> &'static str {
        match self {
            Self::Ldap => "at the next LDAP synchronisation or sign-in",
            Self::Saml => "at the next sign-in through SAML",
            Self::Oidc | Self::LocalOidc => "at the next sign-in through OpenID Connect",
        }
    }

    /// What of an account it can write over; `None` for what it leaves alone.
    fn brings(self, name: &str) -> Option<Mapped> {
        match name {
            "email" => Some(Mapped::Email),
            "display_name" => Some(Mapped::DisplayName),
            "quota" => Some(Mapped::Quota),
            "groups" => Some(Mapped::Groups),
            "phone" | "address" | "website" | "organisation" | "role" | "headline" | "biography"
                if matches!(self, Self::Oidc | Self::LocalOidc) =>
            {
                Some(Mapped::Profile)
            }
            _ => None,
        }
    }
}

/// What Nextcloud would do with this change.
pub(super) fn foresee(settings: &Settings, account: &Account, change: &Change) -> Foresight {
    if let Some(group) = membership::group(&account.system, &change.attribute) {
        return Foresight { verdict: in_group(settings, account, change, group), follows: None };
    }
    let Some(row) = CAPABILITIES.of(&account.system, &change.attribute) else {
        let reason = format!("Nextcloud has no attribute `{}`", change.attribute);
        return Foresight::refuses(RefusalKind::Unsupported, reason);
    };
    if row.set.is_some() {
        return Foresight::refuses(RefusalKind::Unsupported, membership::WHICH);
    }
    if account.id.is_none() {
        return Foresight { verdict: creation(account, row, &change.after), follows: None };
    }
    if change.before == change.after {
        return Foresight::takes();
    }
    let verdict = update(settings, account, row, &change.after);
    Foresight { verdict, follows: follows(settings, account, row.name, &change.after) }
}

/// A value of a new account.
fn creation(account: &Account, row: &AttributeCapability, after: &Value) -> Verdict {
    if let Some(verdict) = our_rights(account, row.name) {
        return verdict;
    }
    if account.server_fact(RIGHTS) == Some(GROUP_ADMIN) {
        // Without a group its answer is a 106, and memberships come once the account is there.
        return refuses(
            RefusalKind::Forbidden,
            "our account is a group admin, who makes accounts only inside of a group: an administrator can make this one",
        );
    }
    if !is_at_birth(row.name) {
        return refuses(RefusalKind::Unsupported, NOT_YET);
    }
    match (row.name, after) {
        ("active", Value::Bool(true)) => Verdict::Takes,
        ("active", Value::Bool(false)) => refuses(RefusalKind::Unsupported, BEGINS_ACTIVE),
        ("active", _) => refuses(RefusalKind::Invalid, "`active` is either true or false"),
        ("username", Value::Text(id)) if address(id).is_none() => {
            refuses(RefusalKind::Invalid, "no address can hold this user id")
        }
        _ => judged(row, after).unwrap_or(Verdict::Takes),
    }
}

/// A value of an account that is there.
fn update(settings: &Settings, account: &Account, row: &AttributeCapability, after: &Value) -> Verdict {
    if let Support::AtCreation(why) = row.write {
        return refuses(RefusalKind::Unsupported, why);
    }
    if let Support::No(why) = row.clear
        && after.is_empty()
    {
        return refuses(RefusalKind::Unsupported, why);
    }
    if let Some(verdict) = our_rights(account, row.name).or_else(|| not_hers(account, row)) {
        return verdict;
    }
    let origin = Origin::of(account, settings);
    if row.name == "display_name" && !sets_display_name(account) {
        let whose = origin.map_or("the backend that the account comes from", Origin::label);
        let reason = format!("the display name of this account comes from {whose}; change it there");
        return refuses(RefusalKind::OwnedElsewhere, reason);
    }
    if row.name == "active" {
        return match after.as_bool() {
            None => refuses(RefusalKind::Invalid, "`active` is either true or false"),
            Some(_) if is_ours(account) => refuses(
                RefusalKind::Forbidden,
                "this is the account we work with, and Nextcloud lets nobody switch herself",
            ),
            Some(_) => Verdict::Takes,
        };
    }
    if let Some(verdict) = judged(row, after) {
        return verdict;
    }
    match origin.filter(|origin| origin.brings(row.name).is_some_and(|what| settings.maps(what))) {
        // Where it can be set there, a plug-in writes it into the directory itself.
        Some(Origin::Ldap) if row.name == "display_name" && account.is("sets_display_name") => Verdict::Takes,
        Some(origin) => overwritten(origin, row.name),
        None => Verdict::Takes,
    }
}

/// A membership.
fn in_group(settings: &Settings, account: &Account, change: &Change, group: &str) -> Verdict {
    let joins = match membership::exists(account, group).and_then(|()| membership::wanted(change)) {
        Ok(joins) => joins,
        Err(refusal) => return refuses(refusal.kind, refusal.reason),
    };
    if let Some(id) = &account.id
        && address(id.as_str()).is_none()
    {
        return refuses(RefusalKind::Invalid, "no address can hold this user id");
    }
    if change.before == change.after {
        return Verdict::Takes;
    }
    if let Some(verdict) = our_rights(account, "groups") {
        return verdict;
    }
    if !joins && group == ADMINISTRATORS && is_ours(account) {
        let reason = "this is the account we work with, and no administrator can leave the group `admin` herself";
        return refuses(RefusalKind::Forbidden, reason);
    }
    match Origin::of(account, settings).filter(|_| settings.maps(Mapped::Groups)) {
        // A directory brings back who left; who was put into another group here stays there.
        Some(Origin::Ldap) if joins => Verdict::Takes,
        Some(origin) => overwritten(origin, "groups"),
        None => Verdict::Takes,
    }
}

/// What our credentials keep us from, whoever the account is.
fn our_rights(account: &Account, name: &str) -> Option<Verdict> {
    let is_own = account.server_fact("credential") == Some("own");
    match account.server_fact(RIGHTS) {
        Some(PERSON) if is_own && (ADMINISTERED.contains(&name) || account.id.is_none()) => {
            let what = if account.id.is_none() { "accounts".to_owned() } else { format!("`{name}`") };
            let reason =
                format!("nobody changes {what} with her own token: that takes an administrator's app password");
            Some(refuses(RefusalKind::Forbidden, reason))
        }
        Some(PERSON) if !is_own => Some(refuses(
            RefusalKind::Forbidden,
            "our account there changes nobody: it has to be an administrator, or an admin of the person's groups",
        )),
        _ => None,
    }
}

/// What the person may not change herself, where the token is hers.
fn not_hers(account: &Account, row: &AttributeCapability) -> Option<Verdict> {
    // The server tells it only of whoever's own token is in use.
    let editable = account.server_fact(EDITABLE)?;
    if UNLISTED.contains(&row.remote) || ADMINISTERED.contains(&row.name) {
        return None;
    }
    if row.name == "display_name" && !sets_display_name(account) {
        return None;
    }
    let is_listed = editable.split(' ').any(|field| field == row.remote);
    (!is_listed).then(|| {
        let reason = format!(
            "this Nextcloud lets nobody change `{}` herself, administrators included (`allow_user_to_change_display_name` in \
             its `config.php`); an administrator's app password can change it for others",
            row.name
        );
        refuses(RefusalKind::Forbidden, reason)
    })
}

fn judged(row: &AttributeCapability, after: &Value) -> Option<Verdict> {
    value::fault(row.name, after).map(|fault| refuses(RefusalKind::Invalid, fault))
}

fn overwritten(origin: Origin, name: &str) -> Verdict {
    let (label, when) = (origin.label(), origin.when());
    let whence = match origin {
        Origin::LocalOidc => format!("people of local accounts sign in through {label} (`local_sign_in`)"),
        _ => format!("the account comes from {label}"),
    };
    let reason = format!(
        "{whence}: Nextcloud answers 200, and the change of `{name}` is undone {when}; change it there, or, where it is not \
         mapped, say in `mapped` what is"
    );
    Verdict::Doomed { reason }
}

/// What the next sign-in brings, where it is known from which system.
fn follows(settings: &Settings, account: &Account, name: &str, after: &Value) -> Option<Follows> {
    let provider = settings.login_provider.clone()?;
    let origin = Origin::of(account, settings)?;
    origin.brings(name).filter(|what| settings.maps(*what))?;
    let becomes = match value::fault(name, after) {
        Some(fault) => Err(fault),
        None => Ok(value::normal(name, after)),
    };
    Some(Follows { provider, when: origin.when().to_owned(), becomes, reads: Reads::Same })
}

/// True unless the account's backend certainly cannot.
fn sets_display_name(account: &Account) -> bool {
    account.facts.get("sets_display_name").and_then(Value::as_bool) != Some(false)
}

/// True where our token belongs to this account.
fn is_ours(account: &Account) -> bool {
    account.id.as_ref().is_some_and(|id| account.server_fact("me") == Some(id.as_str()))
}

fn refuses(kind: RefusalKind, reason: impl Into<String>) -> Verdict {
    Verdict::Refuses { kind, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::account::Facts;

    fn server(facts: &[(&str, &str)]) -> Arc<Facts> {
        let usual = [("me", "ours"), (RIGHTS, ADMIN), ("group:staff", "staff"), ("group:admin", "admin")];
        let all = usual.iter().chain(facts).map(|(name, value)| ((*name).to_owned(), Value::text(value)));
        Arc::new(all.collect())
    }

    fn account(backend: &str, facts: &[(&str, &str)]) -> Account {
        let sets = !matches!(backend, "LDAP" | "user_oidc");
        let own = [("backend".to_owned(), backend.into()), ("sets_display_name".to_owned(), sets.into())];
        Account { id: Some("anna".into()), facts: own.into(), ..Account::absent("nextcloud".into(), server(facts)) }
    }

    fn told(settings: &Settings, account: &Account, attribute: &str, after: impl Into<Value>) -> Foresight {
        let (before, after) = match (attribute.contains('['), after.into()) {
            (true, Value::Empty) => ("member".into(), Value::Empty),
            (true, after) => (Value::Empty, after),
            (false, after) => ("before".into(), after),
        };
        foresee(settings, account, &Change { attribute: attribute.into(), before, after })
    }

    /// The verdict in one word.
    fn seen(account: &Account, attribute: &str, after: impl Into<Value>) -> String {
        word(&told(&Settings::default(), account, attribute, after))
    }

    fn word(foresight: &Foresight) -> String {
        match &foresight.verdict {
            Verdict::Takes => "takes".to_owned(),
            Verdict::Refuses { kind, .. } => kind.to_string(),
            Verdict::Doomed { .. } => "doomed".to_owned(),
        }
    }

    const BACKENDS: [&str; 4] = ["Database", "LDAP", "user_saml", "user_oidc"];

    #[test]
    fn what_a_backend_writes_over_is_what_the_contract_says() {
        let words =
            |attribute: &str, after: &str| BACKENDS.map(|backend| seen(&account(backend, &[]), attribute, after));
        assert_eq!(words("display_name", "Anna"), ["takes", "owned_elsewhere", "doomed", "owned_elsewhere"]);
        assert_eq!(words("email", "a@example.org"), ["takes", "doomed", "doomed", "doomed"]);
        assert_eq!(words("nextcloud.quota", "5 GB"), ["takes", "doomed", "doomed", "doomed"]);
        for (attribute, after) in [("phone", "+41791234567"), ("nextcloud.role", "Cook")] {
            assert_eq!(words(attribute, after), ["takes", "takes", "takes", "doomed"], "{attribute}");
        }
        for (attribute, after) in [("locale", "de_CH"), ("nextcloud.language", "de"), ("nextcloud.manager", "bea")] {
            assert_eq!(words(attribute, after), ["takes"; 4], "{attribute}");
        }
        assert_eq!(words("nextcloud.groups[staff]", ""), ["takes", "doomed", "doomed", "doomed"]);
        assert_eq!(words("nextcloud.groups[staff]", "member"), ["takes", "takes", "doomed", "doomed"]);
    }

    #[test]
    fn what_is_not_mapped_stays_and_what_is_comes_from_the_login_provider() {
        let mapped = Some([Mapped::Email].into());
        let settings = Settings { mapped, login_provider: Some("zitadel".to_owned()), ..Settings::default() };
        let oidc = account("user_oidc", &[]);
        assert_eq!(told(&settings, &oidc, "nextcloud.quota", "5 GB"), Foresight::takes());
        let foresight = told(&settings, &oidc, "email", "a@example.org");
        assert_eq!(word(&foresight), "doomed");
        let follows = Follows {
            provider: "zitadel".to_owned(),
            when: "at the next sign-in through OpenID Connect".to_owned(),
            becomes: Ok("a@example.org".into()),
            reads: Reads::Same,
        };
        assert_eq!(foresight.follows, Some(follows));
        assert_eq!(told(&settings, &account("Database", &[]), "email", "a@example.org"), Foresight::takes());
    }

    #[test]
    fn what_local_people_sign_in_through_brings_is_undone_where_an_operator_says_so() {
        let settings = Settings { local_sign_in: LocalSignIn::Oidc, ..Settings::default() };
        let local = account("Database", &[]);
        for (attribute, after, expected) in [
            ("display_name", Value::from("Anna"), "doomed"),
            ("email", "a@example.org".into(), "doomed"),
            ("nextcloud.quota", "5 GB".into(), "doomed"),
            ("nextcloud.role", "Cook".into(), "doomed"),
            ("nextcloud.groups[staff]", "member".into(), "doomed"),
            ("nextcloud.groups[staff]", Value::Empty, "doomed"),
            ("locale", "de_CH".into(), "takes"),
            ("nextcloud.manager", "bea".into(), "takes"),
            ("active", false.into(), "takes"),
        ] {
            let foresight = told(&settings, &local, attribute, after);
            assert_eq!(word(&foresight), expected, "{attribute}");
            if let Verdict::Doomed { reason } = foresight.verdict {
                assert!(reason.contains("is undone at the next sign-in through OpenID Connect"), "{reason}");
            }
        }
        let settings = Settings { mapped: Some([Mapped::Email].into()), ..settings };
        assert_eq!(told(&settings, &local, "display_name", "Anna"), Foresight::takes());
        assert_eq!(word(&told(&settings, &account("LDAP", &[]), "email", "a@example.org")), "doomed");
    }

    #[test]
    fn where_a_plug_in_writes_to_ldap_a_name_stays_and_nothing_else_does() {
        let mut account = account("LDAP", &[]);
        account.facts.insert("sets_display_name".to_owned(), true.into());
        assert_eq!(seen(&account, "display_name", "Anna"), "takes");
        assert_eq!(seen(&account, "email", "a@example.org"), "doomed");
        // Nobody knows of a plug-in where Nextcloud does not tell.
        account.facts.remove("sets_display_name");
        assert_eq!(seen(&account, "display_name", "Anna"), "doomed");
    }

    #[test]
    fn a_user_id_is_kept_and_the_no_says_what_would_help() {
        let renamed = told(&Settings::default(), &account("Database", &[]), "username", "anne");
        let Verdict::Refuses { kind, reason } = renamed.verdict else { panic!("it is refused") };
        assert_eq!(kind, RefusalKind::Unsupported);
        assert!(reason.contains("change `display_name`"), "{reason}");
    }

    #[test]
    fn values_that_would_be_refused_or_dropped_in_silence_are_not_sent() {
        let account = account("Database", &[]);
        for (attribute, after, expected) in [
            ("display_name", Value::Empty, "unsupported"),
            ("locale", Value::Empty, "unsupported"),
            ("nextcloud.quota", Value::Empty, "unsupported"),
            ("email", Value::Empty, "takes"),
            ("phone", Value::Empty, "takes"),
            ("nextcloud.manager", Value::Empty, "takes"),
            ("email", "anna".into(), "invalid"),
            ("phone", "079 123 45 67".into(), "invalid"),
            ("nextcloud.quota", "-3".into(), "invalid"),
            ("nextcloud.website", "example.org".into(), "invalid"),
            ("active", "no".into(), "invalid"),
            ("active", false.into(), "takes"),
            ("nickname", "x".into(), "unsupported"),
            ("nextcloud.groups", "x".into(), "unsupported"),
            ("nextcloud.groups[none]", "member".into(), "not_found"),
            ("nextcloud.groups[staff]", "chief".into(), "invalid"),
        ] {
            assert_eq!(seen(&account, attribute, after), expected, "{attribute}");
        }
    }

    #[test]
    fn our_own_account_stays_active_and_an_administrator() {
        let ours = Account { id: Some("ours".into()), ..account("Database", &[]) };
        assert_eq!(seen(&ours, "active", false), "forbidden");
        assert_eq!(seen(&ours, "nextcloud.groups[admin]", ""), "forbidden");
        assert_eq!(seen(&ours, "nextcloud.groups[staff]", ""), "takes");
        assert_eq!(seen(&ours, "display_name", "Us"), "takes");
    }

    #[test]
    fn with_her_own_token_a_person_changes_her_profile_and_nothing_that_is_administered() {
        let fields = "displayname email phone address website organisation role headline biography";
        let own = |rights: &str, fields: &str| {
            account("Database", &[("credential", "own"), ("me", "anna"), (RIGHTS, rights), (EDITABLE, fields)])
        };
        let person = own(PERSON, fields);
        for (attribute, after) in [
            ("display_name", "Anna"),
            ("email", "a@example.org"),
            ("phone", "+41791234567"),
            ("locale", "de_CH"),
            ("nextcloud.language", "de"),
            ("nextcloud.role", "Cook"),
        ] {
            assert_eq!(seen(&person, attribute, after), "takes", "{attribute}");
        }
        for (attribute, after) in [
            ("nextcloud.quota", Value::from("5 GB")),
            ("nextcloud.manager", "bea".into()),
            ("nextcloud.groups[staff]", "".into()),
            ("active", false.into()),
        ] {
            assert_eq!(seen(&person, attribute, after), "forbidden", "{attribute}");
        }
        let kept = own(PERSON, "phone address website organisation role headline biography");
        assert_eq!(seen(&kept, "display_name", "Anna"), "forbidden");
        assert_eq!(seen(&kept, "email", "a@example.org"), "forbidden");
        assert_eq!(seen(&kept, "phone", "+41791234567"), "takes");
        assert_eq!(seen(&own(ADMIN, fields), "nextcloud.quota", "5 GB"), "takes");
        assert_eq!(seen(&own(ADMIN, fields), "active", false), "forbidden");
    }

    #[test]
    fn an_account_without_rights_changes_nobody() {
        let person = account("Database", &[(RIGHTS, PERSON)]);
        assert_eq!(seen(&person, "phone", "+41791234567"), "forbidden");
        assert_eq!(seen(&person, "nextcloud.groups[staff]", ""), "forbidden");
        let nobody = Account { id: None, ..account("Database", &[(RIGHTS, GROUP_ADMIN)]) };
        assert_eq!(seen(&nobody, "username", "anna"), "forbidden");
    }

    #[test]
    fn a_new_account_takes_what_it_can_begin_with() {
        let nobody = Account { id: None, ..account("Database", &[]) };
        for (attribute, after, expected) in [
            ("username", Value::from("anna"), "takes"),
            ("username", "ännä".into(), "invalid"),
            ("username", "..".into(), "invalid"),
            ("email", "a@example.org".into(), "takes"),
            ("display_name", "Anna".into(), "takes"),
            ("nextcloud.quota", "5 GB".into(), "takes"),
            ("nextcloud.language", "de".into(), "takes"),
            ("nextcloud.manager", "bea".into(), "takes"),
            ("phone", "+41791234567".into(), "unsupported"),
            ("locale", "de_CH".into(), "unsupported"),
            ("active", true.into(), "takes"),
            ("active", false.into(), "unsupported"),
        ] {
            assert_eq!(seen(&nobody, attribute, after), expected, "{attribute}");
        }
    }

    #[test]
    fn a_value_that_is_there_already_is_taken_wherever_it_comes_from() {
        for backend in BACKENDS {
            let change = Change { attribute: "email".into(), before: "a@b.ch".into(), after: "a@b.ch".into() };
            assert_eq!(foresee(&Settings::default(), &account(backend, &[]), &change), Foresight::takes());
        }
    }
}
