//! The matrix of ZITADEL: the three interfaces, every state, people and service users, and the settings that decide about
//! usernames (`zitadel.md` 4, 5 and 7).

use super::*;
use crate::connector::zitadel::KIND;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[];

/// What is meant to differ where accounts are created.
const BORN: &[Accepted] = &[];

/// The interfaces: how each is called here, the settings of a server that has it, and what the configuration says.
const INTERFACES: &[(&str, &str, &str)] = &[
    ("v2", "4.13.0", "auto"),
    ("v2-human", "3.2.1", "auto"),
    ("v2-human of 2", "2.71.0", "auto"),
    ("v1", "2.40.0", "v1"),
];

/// The kinds of accounts that get every wish.
const ACCOUNTS: &[&str] = &["person", "service user"];

/// The kinds of accounts of which each kind of wish is tried.
const OTHERS: &[&str] = &["inactive", "locked", "initial", "bare", "unverified", "elsewhere", "inactive service user"];

fn user(kind: &str, number: u64) -> Json {
    if kind.ends_with("service user") {
        let state = if kind.starts_with("inactive") { "inactive" } else { "active" };
        return json!({ "id": id(number), "username": format!("p{number}"), "machine": true, "state": state });
    }
    let mut user = json!({
        "id": id(number), "username": format!("p{number}"), "first_name": "Pat", "last_name": "Lee",
        "display_name": "Pat Lee", "nickname": "Pip", "email": format!("p{number}@example.com"), "phone": "+41791234567",
        "preferred_language": "en", "gender": "diverse",
    });
    match kind {
        "inactive" | "locked" | "initial" => user["state"] = kind.into(),
        "bare" => ["nickname", "phone"].into_iter().for_each(|name| user[name] = "".into()),
        "unverified" => user["email_verified"] = false.into(),
        "elsewhere" => user["organization"] = "org2".into(),
        _ => {}
    }
    user
}

fn id(number: u64) -> String {
    format!("u{number}")
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "phone" => "+41311234567".into(),
        "locale" => "rm".into(),
        _ => "stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "blanks around", format!(" new{number} ").as_str()),
        Wish::new("username", "any letters", format!("ünal {number}/?").as_str()),
        Wish::new("username", "with a domain", format!("new{number}@anywhere.example").as_str()),
        Wish::new("username", "longest", format!("{number:ü>200}").as_str()),
        Wish::new("username", "too long", format!("{number:ü>201}").as_str()),
        Wish::new("username", "blank", "  "),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "no text", true),
        Wish::new("username", "a user's", "holder").held(),
        Wish::new("username", "a user's in capitals", "HOLDER").held(),
        Wish::new("username", "an inactive user's", "asleep").held(),
        Wish::new("username", "a service user's", "robot").held(),
        Wish::new("username", "a stranger's", "stranger").held(),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "blanks around", format!(" new{number}@example.com ").as_str()),
        Wish::new("email", "a user's", "holder@example.com"),
        Wish::new("email", "beyond ASCII", format!("jürg{number}@example.com").as_str()),
        Wish::new("email", "quoted", format!("\"p {number}\"@example.com").as_str()),
        Wish::new("email", "punycode", format!("p{number}@xn--bcher-kva.example").as_str()),
        Wish::new("email", "host beyond ASCII", format!("p{number}@bücher.example").as_str()),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "two signs", "a@b@example.com"),
        Wish::new("email", "two dots", "a..b@example.com"),
        Wish::new("email", "closing dot", "a.@example.com"),
        Wish::new("email", "underscore in host", "a@exa_mple.com"),
        Wish::new("email", "hyphen before host", "a@-example.com"),
        Wish::new("email", "dot after host", "a@example.com."),
        Wish::new("email", "host alone", "a@localhost"),
        Wish::new("email", "with a name", "Pat <pat@example.com>"),
        Wish::new("email", "comma", "a,b@example.com"),
        Wish::new("email", "longest local part", format!("{number:a>64}@example.com").as_str()),
        Wish::new("email", "local part too long", format!("{number:a>65}@example.com").as_str()),
        Wish::new("email", "too long", format!("{number}@{}.com", vec!["a".repeat(60); 4].join(".")).as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("phone", "new", "+41311234567"),
        Wish::new("phone", "same", "+41791234567"),
        Wish::new("phone", "same as at home", "079 123 45 67"),
        Wish::new("phone", "as at home", "031/123 45 67"),
        Wish::new("phone", "from abroad", "0049 30 123456"),
        Wish::new("phone", "home digit", "+41 (0)31 123 45 67"),
        Wish::new("phone", "without a zero", "311234567"),
        Wish::new("phone", "too short", "+41"),
        Wish::new("phone", "too long", "+4131123456789012345"),
        Wish::new("phone", "words", "ask Pat"),
        Wish::new("phone", "empty", Value::Empty),
        Wish::new("locale", "new", "de"),
        Wish::new("locale", "same", "en"),
        Wish::new("locale", "with region", "de_ch"),
        Wish::new("locale", "with script", "zh-hant-tw"),
        Wish::new("locale", "three letters", "gsw"),
        Wish::new("locale", "no language", "xx"),
        Wish::new("locale", "a word", "German"),
        Wish::new("locale", "odd part", "de-x"),
        Wish::new("locale", "und", "und"),
        Wish::new("locale", "too long", "zh-Hant-TW-x"),
        Wish::new("locale", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "a word", "yes"),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("position", "new", "Dean"),
        Wish::new("zitadel.note", "new", "note"),
    ];
    for (name, same) in [("first_name", "Pat"), ("last_name", "Lee"), ("display_name", "Pat Lee"), ("nickname", "Pip")]
    {
        all.extend([
            Wish::new(name, "new", "Robin"),
            Wish::new(name, "same", same),
            Wish::new(name, "case only", same.to_uppercase().as_str()),
            Wish::new(name, "blanks around", " Robin "),
            Wish::new(name, "blank", " "),
            Wish::new(name, "longest", long("ü", 200).as_str()),
            Wish::new(name, "too long", long("ü", 201).as_str()),
            Wish::new(name, "empty", Value::Empty),
        ]);
    }
    all
}

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "case only" | "empty" | "too long" | "on" | "off" | "a user's" | "no address")
}

fn cases(accounts: &[&'static str], asked: &dyn Fn(&Wish) -> bool) -> (Vec<Case>, Vec<Json>) {
    let (mut cases, mut users) = (Vec::new(), Vec::new());
    let mut number = 0;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if asked(&wish) {
                number += 1;
                users.push(user(account, number));
                cases.push(Case { account, id: id(number).as_str().into(), wish });
            }
        }
    }
    users.extend(holders());
    (cases, users)
}

fn holders() -> Vec<Json> {
    vec![
        json!({ "username": "holder", "email": "holder@example.com", "first_name": "H", "last_name": "H" }),
        json!({ "username": "asleep", "email": "asleep@example.com", "first_name": "A", "last_name": "A", "state": "inactive" }),
        json!({ "username": "robot", "machine": true }),
        json!({ "username": "stranger", "email": "stranger@example.com", "first_name": "S", "last_name": "S", "organization": "org2" }),
    ]
}

async fn bed(options: Json, settings: Json, users: Vec<Json>) -> Bed {
    let organizations = json!([{ "id": "org1", "name": "Acme" }, { "id": "org2", "name": "Other" }]);
    Bed::made(Bedding {
        kind: &KIND,
        options,
        token_kind: "personal",
        seed: json!({ "settings": settings, "organizations": organizations, "users": users }),
        leader: None,
    })
    .await
}

/// The account as if it were an active person's: nothing is foretold against it.
fn plain(account: &Account) -> Account {
    let mut plain = account.clone();
    plain.facts.insert("state".to_owned(), "active".into());
    plain.facts.insert("is_machine".to_owned(), false.into());
    plain.server = std::sync::Arc::new(
        account
            .server
            .iter()
            .filter(|(name, _)| *name != "me")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    );
    for (name, value) in [("first_name", "Pat"), ("last_name", "Lee")] {
        plain.attributes.entry(name.into()).or_insert_with(|| value.into());
    }
    plain
}

async fn matrix(
    name: &str,
    options: Json,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (cases, users) = cases(accounts, asked);
    let bed = bed(options, settings, users).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

#[tokio::test]
async fn zitadel_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let all = |_: &Wish| true;
    for (name, version, api) in INTERFACES {
        let settings = json!({ "version": version });
        let asked: &dyn Fn(&Wish) -> bool = if *name == "v2-human of 2" { &brief } else { &all };
        matrix(name, json!({ "api": api }), settings.clone(), ACCOUNTS, asked, &mut report).await;
        matrix(name, json!({ "api": api }), settings, OTHERS, &brief, &mut report).await;
    }
    let names = |wish: &Wish| wish.attribute == "username";
    for (name, settings) in [
        ("scoped", json!({ "organization_scoped_usernames": true })),
        ("domains", json!({ "verified_domains": { "org2": ["anywhere.example"] } })),
        (
            "login with domain",
            json!({ "user_login_must_be_domain": true, "verified_domains": { "org2": ["anywhere.example"] } }),
        ),
        ("lagging", json!({ "projection_lag": 3 })),
    ] {
        matrix(name, json!({}), settings, &["person"], &names, &mut report).await;
    }
    report.settle();
}

/// What every new account starts with.
fn whole(number: u64) -> Vec<Wish> {
    vec![
        Wish::new("username", "new", format!("n{number}").as_str()),
        Wish::new("email", "new", format!("n{number}@example.com").as_str()),
        Wish::new("first_name", "new", "Robin"),
        Wish::new("last_name", "new", "Roe"),
        Wish::new("display_name", "new", "R. Roe"),
        Wish::new("nickname", "new", "Rob"),
        Wish::new("phone", "new", "+41441234567"),
        Wish::new("locale", "new", "rm"),
        Wish::new("active", "on", true),
    ]
}

#[tokio::test]
async fn zitadel_creates_what_was_foreseen() {
    let mut report = Report::new(BORN);
    for (name, version, api) in INTERFACES {
        let settings = json!({ "version": version });
        let bed = bed(json!({ "api": api, "organization": "org1" }), settings, holders()).await;
        compare_creations(&bed, name, whole, &wishes, &mut report).await;
    }
    report.settle();
}

#[tokio::test]
async fn the_service_user_we_are_is_not_switched_off() {
    for (_, version, api) in INTERFACES {
        let own = json!({ "id": "ours", "username": "homeward-service", "machine": true });
        let bed = bed(json!({ "api": api }), json!({ "version": version }), vec![own]).await;
        let account = bed.account("ours").await;
        let change = bed.change(&account, "active", &false.into());
        assert_eq!(word(&change, &bed.foresee(&account, &change)), "forbidden", "{api}");
        let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, None));
    }
}
