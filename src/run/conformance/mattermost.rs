//! The matrix of Mattermost: every login service, every token, the settings that decide about addresses, and what the
//! next sign-in through GitLab makes of it all (`mattermost.md` 4 to 6).

use super::*;
use crate::connector::mattermost::KIND;

/// Addresses that are never stored, in the words of the wishes.
const NO_ADDRESSES: &[&str] = &["too long", "no address", "two signs", "with a name", "blank inside", "empty"];

const TAKEN_ADDRESSES: &[&str] = &["a user's", "a user's in capitals", "a deactivated user's"];

const ONCE_OAUTH: &[&str] = &["gitlab", "google", "office365", "openid", "inactive gitlab"];

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "verifying",
        accounts: &[],
        attributes: &["email"],
        values: NO_ADDRESSES,
        foreseen: "invalid",
        met: "without effect",
        why: "where an address waits for its mail (4.2 step 3) the server looks at the old one only (step 5); what can \
              never be stored is still the better reason",
    },
    Accepted {
        bed: "domains verifying",
        accounts: &[],
        attributes: &["email"],
        values: NO_ADDRESSES,
        foreseen: "invalid",
        met: "without effect",
        why: "the same, for addresses that end in an admitted domain",
    },
    Accepted {
        bed: "verifying",
        accounts: &["ldap", "inactive ldap"],
        attributes: &["email"],
        values: &[],
        foreseen: "owned_elsewhere",
        met: "without effect",
        why: "the address waits for its mail (4.2 step 3) before LDAP is asked (step 6); that it belongs to LDAP is what \
              helps, and without effect it is either way",
    },
    Accepted {
        bed: "verifying",
        accounts: &["ldap", "inactive ldap"],
        attributes: &["email"],
        values: TAKEN_ADDRESSES,
        foreseen: "owned_elsewhere",
        met: "taken",
        why: "as above: a taken address is noticed in step 3 already",
    },
    Accepted {
        bed: "",
        accounts: &["ldap", "inactive ldap"],
        attributes: &["active"],
        values: &[],
        foreseen: "unchanged",
        met: "forbidden",
        why: "the state of an LDAP account is refused even where it is so already (5); a plan sends no such call",
    },
    Accepted {
        bed: "",
        accounts: ONCE_OAUTH,
        attributes: &["first_name", "last_name"],
        values: &["no text"],
        foreseen: "owned_elsewhere",
        met: "unsaid, invalid",
        why: "true is no name and there is no way to say it; whose name it is comes first (4.1 check 6)",
    },
    Accepted {
        bed: "usual",
        accounts: &["inactive gitlab"],
        attributes: &["active"],
        values: &["off"],
        foreseen: "unchanged",
        met: "undone",
        why: "off it is, and a plan sends nothing; that a sign-in switches on again is foretold of switching off (6)",
    },
    Accepted {
        bed: "usual",
        accounts: &["google", "office365", "openid"],
        attributes: &["active"],
        values: &["off"],
        foreseen: "doomed",
        met: "took",
        why: "the lab has no such provider to sign in through; these services refresh an account as GitLab does (4.4, 6)",
    },
    Accepted {
        bed: "directory",
        accounts: &["ldap"],
        attributes: &["email", "first_name", "last_name", "nickname", "position"],
        values: &[],
        foreseen: "takes",
        met: "owned_elsewhere",
        why: "the LDAP module decides, and it is closed source (4.4): nothing is foretold, the answer is compared",
    },
    Accepted {
        bed: "directory",
        accounts: &["ldap"],
        attributes: &["email", "first_name", "last_name", "nickname", "position"],
        values: &[],
        foreseen: "invalid",
        met: "owned_elsewhere",
        why: "the LDAP module is asked before the value is looked at (4.1 check 6); refused it is either way",
    },
];

/// What is meant to differ where accounts are created.
const BORN: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username"],
        values: &["empty"],
        foreseen: "invalid",
        met: "without effect",
        why: "a new account without a name gets one made of chance (5): nobody can have wanted that",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["locale"],
        values: &["empty"],
        foreseen: "takes",
        met: "without effect",
        why: "a new account without a language begins with the server's (5); a plan has nothing to say about it",
    },
];

/// The kinds of accounts, by login service, that get every wish.
const SERVICES: &[&str] = &["password", "gitlab", "saml", "ldap", "magic_link", "remote"];

/// The kinds of accounts of which each kind of wish is tried.
const OTHERS: &[&str] = &[
    "google",
    "office365",
    "openid",
    "administrator",
    "guest",
    "bot",
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
            for name in ["first_name", "last_name", "nickname", "position"] {
                set(name, "".into());
            }
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

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "case only" | "empty" | "too long" | "on" | "off" | "a user's" | "elsewhere")
}

fn addresses(wish: &Wish) -> bool {
    wish.attribute == "email"
}

#[tokio::test]
async fn mattermost_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let all = |_: &Wish| true;
    matrix("usual", "personal", json!({}), SERVICES, &all, &mut report).await;
    matrix("usual", "personal", json!({}), OTHERS, &brief, &mut report).await;
    matrix("oauth", "oauth", json!({}), &["password", "gitlab", "ldap", "administrator"], &brief, &mut report).await;
    matrix("bot", "bot", json!({}), &["password", "gitlab", "bot"], &brief, &mut report).await;
    let verifying = json!({ "require_email_verification": true });
    matrix("verifying", "personal", verifying.clone(), SERVICES, &addresses, &mut report).await;
    matrix("verifying", "personal", verifying, &["google", "guest", "inactive ldap"], &addresses, &mut report).await;
    let domains = json!({
        "restrict_creation_to_domains": "example.com, @elsewhere.example",
        "guest_restrict_creation_to_domains": "guests.example",
    });
    matrix("domains", "personal", domains.clone(), SERVICES, &addresses, &mut report).await;
    matrix("domains", "personal", domains, &["google", "guest", "bot"], &addresses, &mut report).await;
    let both = json!({ "require_email_verification": true, "restrict_creation_to_domains": "example.com" });
    matrix("domains verifying", "personal", both, &["password", "gitlab", "guest"], &addresses, &mut report).await;
    matrix("directory", "personal", json!({ "ldap": true }), &["ldap", "saml"], &brief, &mut report).await;
    let old = json!({ "version": "9.11.0" });
    matrix("old", "personal", old, &["gitlab", "saml"], &|wish| wish.like == "new", &mut report).await;
    report.settle();
}

#[tokio::test]
async fn an_administrators_own_account_keeps_its_address() {
    for token in ["personal", "oauth"] {
        let mut report = Report::new(&[]);
        let mut own = user("administrator", 1);
        own["username"] = "sysadmin".into();
        let users = vec![own, json!({ "username": "holder" }), json!({ "username": "asleep" })];
        let bed = bed(token, json!({}), users, Vec::new()).await;
        let asked = wishes(1).into_iter().filter(addresses);
        let cases: Vec<Case> = asked.map(|wish| Case { account: "own", id: id(1).as_str().into(), wish }).collect();
        compare(&bed, token, &cases, &legal, as_it_is, &mut report).await;
        report.settle();
    }
}

/// The one forecast that is no forecast: the server would do it, and then nobody could ask it anything.
#[tokio::test]
async fn switching_ourselves_off_would_be_taken_and_end_our_token() {
    let mut own = user("administrator", 1);
    own["username"] = "sysadmin".into();
    let bed = bed("personal", json!({}), vec![own], Vec::new()).await;
    let account = bed.account(&id(1)).await;
    let change = bed.change(&account, "active", &false.into());
    assert_eq!(word(&change, &bed.foresee(&account, &change)), "forbidden");
    let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(401)));
    assert_ne!(bed.dump().await["users"][id(1)]["delete_at"], json!(0));
}

/// What GitLab would have to hold for this account to hold the value.
fn led(account: &Account, change: &Change) -> Json {
    let text = change.after.as_text().unwrap_or_default();
    let held = |name: &str| account.value(&name.into()).as_text().unwrap_or_default().to_owned();
    match change.attribute.as_str() {
        "first_name" => json!({ "name": format!("{text} {}", held("last_name")).trim_start() }),
        "last_name" if text.is_empty() => json!({ "name": held("first_name") }),
        "last_name" => json!({ "name": format!("{} {text}", held("first_name")) }),
        "active" => json!({ "state": if change.after == Value::Bool(true) { "active" } else { "blocked" } }),
        name => json!({ name: text }),
    }
}

#[tokio::test]
async fn what_follows_gitlab_comes_with_the_next_sign_in_as_foretold() {
    let (cases, users, leaders) = cases(&["gitlab", "inactive gitlab"], &|_| true);
    let bed = bed("personal", json!({}), users, leaders).await;
    let accounts = bed.accounts(cases.iter().map(|case| case.id.clone())).await;
    let mut expected = Vec::new();
    for case in &cases {
        let account = &accounts[&case.id];
        let change = bed.change(account, &case.wish.attribute, &case.wish.value);
        let Some(follows) = bed.foresee(account, &change).follows else { continue };
        assert_eq!(follows.provider, "gitlab");
        let leader = account.identities[0].id.as_str();
        let moved = bed.lab("gitlab", "POST", &format!("meddle/{leader}"), &led(account, &change)).await;
        if moved.as_ref().is_err_and(|cause| cause.ends_with("is taken")) {
            // A case before took the name in GitLab, where it can be held once only.
            continue;
        }
        assert!(moved.is_ok(), "{} {}: {moved:?}", case.wish.attribute, case.wish.like);
        // Whoever GitLab turns away, or brings what cannot be stored, stays as she is.
        let login = bed.lab("mattermost", "POST", &format!("login/{}", case.id), &Json::Null).await;
        expected.push((case, change, follows.becomes, login));
    }
    let after = bed.accounts(cases.iter().map(|case| case.id.clone())).await;
    let mut table = Vec::new();
    for (case, change, becomes, login) in &expected {
        let held = after[&case.id].value(&change.attribute);
        let right = match becomes {
            // What somebody holds is left alone without a word (6): the planner's to know. Groups do not count.
            Ok(value) if case.wish.held => held == change.before || held == *value,
            Ok(value) => held == *value && login.is_ok(),
            Err(_) => held != change.after,
        };
        if !right {
            let wish = &case.wish;
            table.push(format!(
                "{} | {} | {} | {becomes:?} | {held} ({login:?})",
                case.account, wish.attribute, wish.like
            ));
        }
    }
    assert_eq!(table, Vec::<String>::new());
    assert!(expected.len() > 60, "{}", expected.len());
}

/// What every new account starts with.
fn whole(number: u64) -> Vec<Wish> {
    vec![
        Wish::new("username", "new", format!("n{number}").as_str()),
        Wish::new("email", "new", format!("n{number}@example.com").as_str()),
        Wish::new("first_name", "new", "Robin"),
        Wish::new("locale", "new", "de"),
        Wish::new("active", "on", true),
    ]
}

#[tokio::test]
async fn mattermost_creates_what_was_foreseen() {
    let mut report = Report::new(BORN);
    let holders =
        || vec![json!({ "username": "holder" }), json!({ "username": "asleep", "delete_at": 1_700_000_000_000_i64 })];
    for (name, token, settings) in [
        ("usual", "personal", json!({})),
        ("oauth", "oauth", json!({})),
        ("bot", "bot", json!({})),
        ("verifying", "personal", json!({ "require_email_verification": true })),
        ("domains", "personal", json!({ "restrict_creation_to_domains": "example.com" })),
    ] {
        let bed = bed(token, settings, holders(), Vec::new()).await;
        compare_creations(&bed, name, whole, &wishes, &mut report).await;
    }
    report.settle();
}
