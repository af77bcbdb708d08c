//! The matrix of Mattermost: every login service, every token, the settings that decide about addresses, and what the
//! next sign-in through GitLab makes of it all (`mattermost.md` 4 to 6).

use super::*;
use crate::connector::mattermost::KIND;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[];

/// The kinds of accounts, and the login service of each.
const ACCOUNTS: &[&str] = &[
    "password",
    "gitlab",
    "google",
    "office365",
    "openid",
    "saml",
    "ldap",
    "magic_link",
    "administrator",
    "guest",
    "bot",
    "remote",
    "inactive",
    "inactive gitlab",
    "inactive ldap",
    "without names",
];

fn id(number: u64) -> String {
    format!("conformance{number:0>15}")
}

/// An account of this kind.
fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": id(number), "username": format!("p{number}"), "email": format!("p{number}@example.com"),
        "first_name": "Pat", "last_name": "Lee", "nickname": "Pip", "position": "Head", "locale": "en",
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    let service = kind.rsplit(' ').next().unwrap_or_default();
    match service {
        "gitlab" | "google" | "office365" | "openid" | "saml" | "ldap" | "magic_link" => {
            set("auth_service", service.into());
            set("auth_data", (1000 + number).to_string().into());
        }
        "administrator" => set("roles", "system_user system_admin".into()),
        "guest" => set("roles", "system_guest".into()),
        "bot" => set("is_bot", true.into()),
        "remote" => set("remote_id", "elsewhere".into()),
        "names" => {
            ["first_name", "last_name", "nickname", "position"].into_iter().for_each(|name| set(name, "".into()))
        }
        _ => {}
    }
    if kind.starts_with("inactive") {
        set("delete_at", 1_700_000_000_000_i64.into());
    }
    user
}

/// The same person at GitLab.
fn leader(number: u64) -> Json {
    json!({ "id": 1000 + number, "username": format!("p{number}"), "name": "Pat Lee", "email": format!("p{number}@example.com") })
}

/// A value of each attribute that every rule admits.
fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "locale" => "de".into(),
        _ => "stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "new in capitals", format!("NEW{number}").as_str()),
        Wish::new("username", "odd but right", format!("._-{number}").as_str()),
        Wish::new("username", "invisible", format!("new\u{202e}{number}").as_str()),
        Wish::new("username", "longest", format!("{number:0>64}").as_str()),
        Wish::new("username", "too long", format!("{number:0>65}").as_str()),
        Wish::new("username", "blank inside", format!("new {number}").as_str()),
        Wish::new("username", "beyond ASCII", format!("ünal{number}").as_str()),
        Wish::new("username", "colon", format!("new:{number}").as_str()),
        Wish::new("username", "all", "all"),
        Wish::new("username", "System", "System"),
        Wish::new("username", "matterbot", "matterbot"),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "a user's", "holder").held(),
        Wish::new("username", "a user's in capitals", "Holder").held(),
        Wish::new("username", "a deactivated user's", "asleep").held(),
        Wish::new("username", "a group's", "crew").held(),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "new in capitals", format!("NEW{number}@example.com").as_str()),
        Wish::new("email", "elsewhere", format!("p{number}@elsewhere.example").as_str()),
        Wish::new("email", "for guests", format!("p{number}@guests.example").as_str()),
        Wish::new("email", "below", format!("p{number}@sub.example.com").as_str()),
        Wish::new("email", "longest", format!("{number:0>116}@example.com").as_str()),
        Wish::new("email", "too long", format!("{number:0>117}@example.com").as_str()),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "two signs", format!("a@b@p{number}.example.com").as_str()),
        Wish::new("email", "with a name", format!("Pat <q{number}@example.com>").as_str()),
        Wish::new("email", "blank inside", format!("p {number}@example.com").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "a user's", "holder@example.com").held(),
        Wish::new("email", "a user's in capitals", "Holder@example.com").held(),
        Wish::new("email", "a deactivated user's", "asleep@example.com").held(),
        Wish::new("position", "new", "Dean"),
        Wish::new("position", "same", "Head"),
        Wish::new("position", "empty", Value::Empty),
        Wish::new("position", "longest", long("ü", 128).as_str()),
        Wish::new("position", "too long", long("ü", 129).as_str()),
        Wish::new("locale", "new", "de"),
        Wish::new("locale", "same", "en"),
        Wish::new("locale", "with region", "pt-BR"),
        Wish::new("locale", "unknown", "xx"),
        Wish::new("locale", "a word", "deutsch"),
        Wish::new("locale", "too long", "zh-Hant"),
        Wish::new("locale", "underscore", "de_CH"),
        Wish::new("locale", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "a word", "yes"),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("phone", "new", "+41791234567"),
        Wish::new("chat.note", "new", "note"),
    ];
    for (name, same) in [("first_name", "Pat"), ("last_name", "Lee"), ("nickname", "Pip")] {
        all.extend([
            Wish::new(name, "new", "Robin"),
            Wish::new(name, "same", same),
            Wish::new(name, "case only", same.to_uppercase().as_str()),
            Wish::new(name, "two words", "Robin von"),
            Wish::new(name, "blanks around", " Robin "),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "invisible", "Ro\u{feff}bin"),
            Wish::new(name, "longest", long("ü", 64).as_str()),
            Wish::new(name, "too long", long("ü", 65).as_str()),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// A case for each kind of account and each wish that is asked for, and the people they need at both ends.
fn cases(accounts: &[&'static str], asked: &dyn Fn(&Wish) -> bool) -> (Vec<Case>, Vec<Json>, Vec<Json>) {
    let (mut cases, mut users, mut leaders) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if !asked(&wish) {
                continue;
            }
            number += 1;
            users.push(user(account, number));
            leaders.push(leader(number));
            cases.push(Case { account, id: id(number).as_str().into(), wish });
        }
    }
    users.push(json!({ "username": "holder", "email": "holder@example.com" }));
    users.push(json!({ "username": "asleep", "email": "asleep@example.com", "delete_at": 1_700_000_000_000_i64 }));
    (cases, users, leaders)
}

async fn bed(token_kind: &str, settings: Json, users: Vec<Json>, leaders: Vec<Json>) -> Bed {
    Bed::made(Bedding {
        kind: &KIND,
        options: json!({ "token_kind": token_kind }),
        token_kind,
        seed: json!({ "settings": settings, "groups": ["crew"], "users": users }),
        leader: Some(("gitlab", json!({ "users": leaders }))),
    })
    .await
}

fn as_it_is(account: &Account) -> Account {
    account.clone()
}

async fn matrix(
    name: &str,
    token: &str,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (cases, users, leaders) = cases(accounts, asked);
    let bed = bed(token, settings, users, leaders).await;
    compare(&bed, name, &cases, &legal, as_it_is, report).await;
}

fn addresses(wish: &Wish) -> bool {
    wish.attribute == "email"
}

#[tokio::test]
async fn mattermost_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let all = |_: &Wish| true;
    matrix("usual", "personal", json!({}), ACCOUNTS, &all, &mut report).await;
    matrix("oauth", "oauth", json!({}), &["password", "gitlab", "ldap", "administrator"], &all, &mut report).await;
    matrix("bot", "bot", json!({}), &["password", "gitlab", "bot"], &all, &mut report).await;
    let verifying = json!({ "require_email_verification": true });
    matrix("verifying", "personal", verifying, ACCOUNTS, &addresses, &mut report).await;
    let domains = json!({
        "restrict_creation_to_domains": "example.com, @elsewhere.example",
        "guest_restrict_creation_to_domains": "guests.example",
    });
    matrix("domains", "personal", domains.clone(), ACCOUNTS, &addresses, &mut report).await;
    let both = json!({ "require_email_verification": true, "restrict_creation_to_domains": "example.com" });
    matrix("domains verifying", "personal", both, &["password", "gitlab", "guest"], &addresses, &mut report).await;
    matrix("directory", "personal", json!({ "ldap": true }), &["ldap", "saml"], &all, &mut report).await;
    for version in ["9.11.0", "10.11.0", "11.6.0"] {
        let settings = json!({ "version": version });
        matrix(version, "personal", settings, &["password", "gitlab", "saml"], &all, &mut report).await;
    }
    report.settle();
}
