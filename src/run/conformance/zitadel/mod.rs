//! The matrix of ZITADEL: every state and kind of user, on every interface a server may offer (`zitadel.md` 4 to 7).
//!
//! What the connector says beforehand is held against the simulator, value by value; after that come the promises that no
//! single forecast makes: that a change touches nothing else, that it may be repeated, that all of it may come at once,
//! and that looking changes nothing.

use super::*;
use crate::{connector::zitadel::KIND, model::capability::Replay};

mod operations;

/// Every bed, account, attribute, value: a difference fills in what it is about.
const ANY: Accepted = Accepted { bed: "", accounts: &[], attributes: &[], values: &[], foreseen: "", met: "", why: "" };

const NO_NUMBER: &str = "E.164, in which numbers are stored, has no number of so many digits (`zitadel.md` 5.12); the \
                         server's library would store it all the same";

const NO_PREFIX: &str = "without `+` or a leading zero nobody can tell whether the country's code is in it; the server \
                         would take it for Swiss (`zitadel.md` 5.12), and the operator shall say";

const RESERVED: &str = "which domains other organizations have verified is not read, so COMMAND-SFd21 comes from the \
                        server (`zitadel.md` 5, Validation)";

const NEVER_EMPTY: &str = "an empty text is a bad value to the server, and what ZITADEL cannot do to who reads the plan \
                           (`zitadel.md` 5.8 and Validation)";

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        attributes: &["username"],
        values: &["reserved domain"],
        foreseen: "takes",
        met: "invalid",
        why: RESERVED,
        ..ANY
    },
    Accepted {
        attributes: &["phone"],
        values: &["sixteen digits", "four digits"],
        foreseen: "invalid",
        met: "took",
        why: NO_NUMBER,
        ..ANY
    },
    Accepted {
        attributes: &["phone"],
        values: &["without prefix"],
        foreseen: "invalid",
        met: "without effect",
        why: NO_PREFIX,
        ..ANY
    },
    Accepted { values: &["empty", "blank"], foreseen: "unsupported", met: "invalid", why: NEVER_EMPTY, ..ANY },
    Accepted {
        accounts: &["bare"],
        attributes: &["nickname", "locale"],
        values: &["empty", "blank"],
        foreseen: "unchanged",
        met: "invalid",
        why: "what is empty already is not asked for; asked for, it would be refused (`zitadel.md` 5.8)",
        ..ANY
    },
    Accepted {
        accounts: &["machine"],
        foreseen: "unsupported",
        met: "not_found",
        why: "to calls for people a service user is not there (`zitadel.md` 5.2)",
        ..ANY
    },
    Accepted {
        accounts: &["machine"],
        foreseen: "unsupported",
        met: "invalid",
        why: "what is wrong with the value is found before the user (`zitadel.md` 5.5), and to management v1 a service \
              user who is not there is a wrong state",
        ..ANY
    },
    Accepted {
        accounts: &["machine"],
        values: &["empty", "blank", "same"],
        foreseen: "unchanged",
        met: "not_found",
        why: "what a service user does not have is not asked for (`zitadel.md` 5.2)",
        ..ANY
    },
    Accepted {
        accounts: &["machine"],
        values: &["empty", "blank"],
        foreseen: "unchanged",
        met: "invalid",
        why: "what a service user does not have is not asked for (`zitadel.md` 5.2 and 5.5)",
        ..ANY
    },
];

/// What is meant to differ where an account is created.
const ACCEPTED_OF_CREATIONS: &[Accepted] = &[
    Accepted {
        attributes: &["username"],
        values: &["reserved domain"],
        foreseen: "takes",
        met: "invalid",
        why: RESERVED,
        ..ANY
    },
    Accepted {
        attributes: &["phone"],
        values: &["sixteen digits", "four digits"],
        foreseen: "invalid",
        met: "took",
        why: NO_NUMBER,
        ..ANY
    },
    Accepted {
        attributes: &["phone"],
        values: &["without prefix"],
        foreseen: "invalid",
        met: "without effect",
        why: NO_PREFIX,
        ..ANY
    },
    Accepted { values: &["empty", "blank"], foreseen: "unsupported", met: "invalid", why: NEVER_EMPTY, ..ANY },
    Accepted {
        attributes: &["username", "display_name"],
        values: &["empty", "blank"],
        foreseen: "takes",
        met: "without effect",
        why: "nothing is asked for where nothing is wished for, and ZITADEL fills in the address and the whole name \
              (`zitadel.md` 5.9 and 7)",
        ..ANY
    },
];

/// The kinds of accounts.
const ACCOUNTS: &[&str] = &["active", "bare", "inactive", "locked", "initial", "machine", "other organization"];

/// A server, and the interface it is spoken to through.
struct Server {
    name: &'static str,
    version: &'static str,
    /// `auto`: whatever the connector finds.
    api: &'static str,
    /// On management v1 a call sees one organization only.
    sees_all: bool,
}

/// The interface each release leads to, and the older ones that a release still has.
const SERVERS: &[Server] = &[
    Server { name: "4.13.0", version: "4.13.0", api: "auto", sees_all: true },
    Server { name: "3.2.1", version: "3.2.1", api: "auto", sees_all: true },
    Server { name: "2.30.0", version: "2.30.0", api: "auto", sees_all: false },
    Server { name: "4.13.0 by v2-human", version: "4.13.0", api: "v2-human", sees_all: true },
    Server { name: "4.13.0 by v1", version: "4.13.0", api: "v1", sees_all: false },
];

fn id(number: u64) -> String {
    format!("{:018}", 200_000_000_000_000_000 + number)
}

/// Where an account of this kind lives.
fn home(kind: &str) -> &'static str {
    if kind == "other organization" { "org2" } else { "org1" }
}

/// An account of this kind.
fn user(kind: &str, number: u64) -> Json {
    let (id, username) = (id(number), format!("p{number}"));
    if kind == "machine" {
        return json!({ "id": id, "username": username, "machine": true });
    }
    let mut user = json!({
        "id": id, "organization": home(kind), "username": username, "email": format!("p{number}@example.com"),
        "first_name": "Pat", "last_name": "Lee", "display_name": "Pat the Lee", "nickname": "Pip",
        "phone": "+41791234567", "phone_verified": true, "preferred_language": "en", "gender": "female",
    });
    match kind {
        "bare" => {
            for (name, value) in [("nickname", ""), ("phone", ""), ("preferred_language", "und")] {
                user[name] = value.into();
            }
            for name in ["phone_verified", "email_verified"] {
                user[name] = false.into();
            }
        }
        "inactive" | "locked" | "initial" => user["state"] = kind.into(),
        _ => {}
    }
    user
}

/// Somebody whose names are taken, in each organization.
fn holders() -> [Json; 3] {
    [
        json!({ "username": "holder", "email": "holder@example.com", "first_name": "A", "last_name": "B" }),
        json!({ "username": "robot", "machine": true }),
        json!({ "username": "stranger", "email": "s@example.com", "first_name": "A", "last_name": "B",
            "organization": "org2" }),
    ]
}

/// A value of each attribute that every rule admits.
fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "locale" => "fr".into(),
        "phone" => "+41315550000".into(),
        _ => "stand-in".into(),
    }
}

/// An address of so many characters that breaks no other rule.
fn long_address(number: u64, count: usize) -> String {
    let local = format!("{number:0>64}");
    let labels = format!("{}.{}.", long("a", 63), long("b", 63));
    let rest = count - local.len() - 1 - labels.len();
    format!("{local}@{labels}{}", long("c", rest))
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "blanks around", format!(" new{number} ").as_str()),
        Wish::new("username", "blank inside", format!("new {number}").as_str()),
        Wish::new("username", "beyond ASCII", format!("ünal{number}").as_str()),
        Wish::new("username", "an address", format!("new{number}@elsewhere.example").as_str()),
        Wish::new("username", "reserved domain", format!("new{number}@reserved.example").as_str()),
        Wish::new("username", "longest", format!("{number:ü>200}").as_str()),
        Wish::new("username", "too long", format!("{number:ü>201}").as_str()),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "no text", true),
        Wish::new("username", "a user's", "holder").held(),
        Wish::new("username", "a user's in capitals", "HOLDER").held(),
        Wish::new("username", "a service user's", "Robot").held(),
        Wish::new("username", "a stranger's", "Stranger").held(),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "blanks around", format!(" new{number}@example.com ").as_str()),
        // Any number of people may have one address.
        Wish::new("email", "a user's", "holder@example.com"),
        Wish::new("email", "a user's in capitals", "Holder@Example.com"),
        Wish::new("email", "plain host", format!("p{number}@localhost").as_str()),
        Wish::new("email", "local part beyond ASCII", format!("jürg{number}@example.com").as_str()),
        Wish::new("email", "punycode", format!("p{number}@xn--bcher-kva.example").as_str()),
        Wish::new("email", "every sign", format!("!#$%&'*+-/=?^_`{{|}}~{number}@example.com").as_str()),
        Wish::new("email", "quoted", format!("\"p {number}\"@example.com").as_str()),
        Wish::new("email", "longest", long_address(number, 200).as_str()),
        Wish::new("email", "too long", long_address(number, 201).as_str()),
        Wish::new("email", "longest local part", format!("{number:a>64}@example.com").as_str()),
        Wish::new("email", "too long local part", format!("{number:a>65}@example.com").as_str()),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "no local part", "@example.com"),
        Wish::new("email", "no host", format!("p{number}@").as_str()),
        Wish::new("email", "two signs", format!("a@b{number}@example.com").as_str()),
        Wish::new("email", "two dots", format!("a..b{number}@example.com").as_str()),
        Wish::new("email", "final dot", format!("p{number}@example.com.").as_str()),
        Wish::new("email", "with a name", format!("Pat <q{number}@example.com>").as_str()),
        Wish::new("email", "in brackets", format!("<q{number}@example.com>").as_str()),
        Wish::new("email", "with a comment", format!("q{number}@example.com (Pat)").as_str()),
        Wish::new("email", "blank inside", format!("p {number}@example.com").as_str()),
        Wish::new("email", "two addresses", format!("p{number}@example.com, q@example.com").as_str()),
        Wish::new("email", "host beyond ASCII", format!("p{number}@bücher.example").as_str()),
        Wish::new("email", "host with underscore", format!("p{number}@exa_mple.com").as_str()),
        Wish::new("email", "host with leading hyphen", format!("p{number}@-example.com").as_str()),
        Wish::new("email", "host with final hyphen", format!("p{number}@example-.com").as_str()),
        Wish::new("email", "long label", format!("p{number}@{}.com", long("a", 64)).as_str()),
        Wish::new("email", "number for a host", format!("p{number}@[127.0.0.1]").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "no text", false),
        Wish::new("phone", "new", "+41317654321"),
        Wish::new("phone", "same", "+41791234567"),
        Wish::new("phone", "same, written nationally", "079 123 45 67"),
        Wish::new("phone", "national", "031 765 43 21"),
        Wish::new("phone", "national with signs", "(031) 765-43.21"),
        Wish::new("phone", "with zeros", "0041 31 765 43 21"),
        Wish::new("phone", "blanks around", " +41 31 765 43 21 "),
        Wish::new("phone", "with a zero in brackets", "+41 (0)31 765 43 21"),
        Wish::new("phone", "abroad", "+1 650 253 0000"),
        Wish::new("phone", "longest", "+491234567890123"),
        Wish::new("phone", "too long", "+4912345678901234567"),
        Wish::new("phone", "sixteen digits", "+4912345678901234"),
        Wish::new("phone", "four digits", "+4112"),
        Wish::new("phone", "too short", "+1"),
        Wish::new("phone", "no country", "+0123456"),
        Wish::new("phone", "without prefix", "317654321"),
        Wish::new("phone", "words", "ask Pat"),
        Wish::new("phone", "plus alone", "+"),
        Wish::new("phone", "empty", Value::Empty),
        Wish::new("phone", "no text", true),
        Wish::new("locale", "new", "de"),
        Wish::new("locale", "same", "en"),
        Wish::new("locale", "case only", "EN"),
        Wish::new("locale", "blanks around", " de "),
        Wish::new("locale", "underscore", "de_DE"),
        Wish::new("locale", "region", "pt-br"),
        Wish::new("locale", "number of a region", "es-419"),
        Wish::new("locale", "script", "zh_hans_cn"),
        Wish::new("locale", "three letters", "gsw"),
        Wish::new("locale", "variant", "de-1996"),
        Wish::new("locale", "unknown", "xx"),
        Wish::new("locale", "word", "deutsch"),
        Wish::new("locale", "short word", "English"),
        Wish::new("locale", "undetermined", "und"),
        Wish::new("locale", "half", "de-"),
        Wish::new("locale", "odd part", "de-1"),
        Wish::new("locale", "odd letters", "de-D1"),
        Wish::new("locale", "two words", "de en"),
        Wish::new("locale", "longest", "zh-Hant-TW"),
        Wish::new("locale", "too long", "sl-IT-nedis"),
        Wish::new("locale", "empty", Value::Empty),
        Wish::new("locale", "no text", true),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "word", "yes"),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("timezone", "unknown", "Europe/Zurich"),
        Wish::new("zitadel.note", "unknown", "note"),
    ];
    for (name, same) in
        [("first_name", "Pat"), ("last_name", "Lee"), ("nickname", "Pip"), ("display_name", "Pat the Lee")]
    {
        all.extend([
            Wish::new(name, "new", "Robin"),
            Wish::new(name, "same", same),
            Wish::new(name, "case only", same.to_uppercase().as_str()),
            Wish::new(name, "blanks around", "\t Robin\u{a0}"),
            Wish::new(name, "two words", "Robin von"),
            Wish::new(name, "longest", long("ü", 200).as_str()),
            Wish::new(name, "too long", long("ü", 201).as_str()),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "blank", "   "),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// The values that every kind of account is asked for; the others are shown to the first two kinds only, since what is
/// wrong with a value does not depend on whose it is.
const BY_ALL: &[&str] = &[
    "new",
    "same",
    "case only",
    "blanks around",
    "longest",
    "too long",
    "empty",
    "no text",
    "unknown",
    "word",
    "words",
    "on",
    "off",
    "reserved domain",
    "a user's",
    "a user's in capitals",
    "a stranger's",
    "no address",
    "with a name",
    "underscore",
    "national",
    "too short",
];

/// A case for each of these kinds of account and each wish that is asked for, and the users they need.
fn cases(accounts: &[&'static str], asked: &dyn Fn(&Wish) -> bool) -> (Vec<Case>, Vec<Json>) {
    let (mut cases, mut users) = (Vec::new(), Vec::new());
    let mut number = 0;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            let exotic = !["active", "bare"].contains(account) && !BY_ALL.contains(&wish.like);
            if exotic || !asked(&wish) {
                continue;
            }
            number += 1;
            users.push(user(account, number));
            cases.push(Case { account, id: id(number).as_str().into(), wish });
        }
    }
    users.extend(holders());
    (cases, users)
}

/// `organization`: the one to keep to, where one is configured.
async fn bed(server: &Server, organization: Option<&str>, settings: Json, users: Vec<Json>) -> Bed {
    let mut whole = json!({ "version": server.version, "verified_domains": { "org2": ["reserved.example"] } });
    for (name, value) in settings.as_object().unwrap() {
        whole[name] = value.clone();
    }
    Bed::made(Bedding {
        kind: &KIND,
        options: json!({ "api": server.api, "organization": organization }),
        token_kind: "personal",
        seed: json!({
            "settings": whole,
            "organizations": [{ "id": "org1", "name": "ACME" }, { "id": "org2", "name": "Umbrella" }],
            "users": users,
        }),
        leader: None,
    })
    .await
}

/// An active person with a name, about whom the connector has nothing to say but what the value says.
fn person(account: &Account) -> Account {
    let mut account = account.clone();
    account.facts.insert("state".to_owned(), "active".into());
    account.facts.insert("is_machine".to_owned(), false.into());
    for (name, value) in [("first_name", "Pat"), ("last_name", "Lee"), ("display_name", "Pat the Lee")] {
        let held = account.attributes.entry(AttributeName::new(name)).or_default();
        if held.is_empty() {
            *held = value.into();
        }
    }
    account
}

async fn matrix(
    server: &Server,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let organizations: &[Option<&str>] = if server.sees_all { &[None] } else { &[Some("org1"), Some("org2")] };
    for organization in organizations {
        let seen = accounts.iter().copied().filter(|kind| organization.is_none_or(|one| one == home(kind)));
        let (cases, users) = cases(&seen.collect::<Vec<_>>(), asked);
        let bed = bed(server, *organization, settings.clone(), users).await;
        compare(&bed, server.name, &cases, &legal, person, report).await;
    }
}

#[tokio::test]
async fn zitadel_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    for server in SERVERS {
        matrix(server, json!({}), ACCOUNTS, &|_| true, &mut report).await;
    }
    // Who is in nobody's way when names are unique in an organization only.
    let scoped = Server { name: "scoped", ..SERVERS[0] };
    let names = |wish: &Wish| wish.attribute == "username";
    let settings = json!({ "organization_scoped_usernames": true });
    matrix(&scoped, settings, &["active", "machine", "other organization"], &names, &mut report).await;
    report.settle();
}

/// Everything that a new account can be given.
fn whole(number: u64) -> Vec<Wish> {
    let mut all = wishes(number);
    all.retain(|wish| wish.like == "new" || wish.attribute == "active" && wish.like == "on");
    all
}

#[tokio::test]
async fn zitadel_creates_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED_OF_CREATIONS);
    for server in SERVERS {
        let bed = bed(server, Some("org1"), json!({}), holders().to_vec()).await;
        compare_creations(&bed, server.name, whole, &wishes, &mut report).await;
    }
    report.settle();
}

#[tokio::test]
async fn a_creation_without_what_every_person_has_is_not_sent() {
    for server in SERVERS {
        let bed = bed(server, Some("org1"), json!({}), Vec::new()).await;
        let nobody = bed.nobody().await;
        let changes = |without: &str| {
            let wishes = whole(1).into_iter().filter(|wish| wish.attribute != without);
            wishes.map(|wish| bed.change(&nobody, &wish.attribute, &wish.value)).collect::<Vec<_>>()
        };
        for attribute in
            ["username", "first_name", "last_name", "display_name", "nickname", "locale", "email", "phone", "active"]
        {
            let refused = bed.connector.calls(&nobody, &changes(attribute)).err().map(|refusal| refusal.kind);
            let required =
                bed.connector.capabilities().attributes.iter().any(|row| row.name == attribute && row.required);
            assert_eq!(refused, required.then_some(RefusalKind::Invalid), "{}: {attribute}", server.name);
        }
    }
}

/// What the simulator holds, without this user's fields of these names and without her history.
fn rest(mut dump: Json, user: &str, fields: &[&str]) -> Json {
    let user = dump["users"][user].as_object_mut().unwrap();
    user.retain(|name, _| !["sequence", "changed"].contains(&name.as_str()) && !fields.contains(&name.as_str()));
    dump
}

/// The fields of the simulator that an attribute stands for.
fn fields(attribute: &str) -> &[&str] {
    match attribute {
        "email" => &["email", "email_verified"],
        "phone" => &["phone", "phone_verified"],
        "locale" => &["preferred_language"],
        "active" => &["state"],
        "username" => &["username"],
        "first_name" => &["first_name"],
        "last_name" => &["last_name"],
        "display_name" => &["display_name"],
        "nickname" => &["nickname"],
        _ => &[],
    }
}

#[tokio::test]
async fn a_change_touches_nothing_else_and_may_be_repeated() {
    let asked = |wish: &Wish| ["new", "same", "empty", "on", "off"].contains(&wish.like);
    for server in SERVERS {
        let mut done = 0;
        for kind in ["active", "bare", "inactive", "locked", "initial", "machine"] {
            let (cases, users) = cases(&[kind], &asked);
            let bed = bed(server, Some("org1"), json!({}), users).await;
            let accounts = bed.accounts(cases.iter().map(|case| case.id.clone())).await;
            for case in &cases {
                done += u64::from(touched_alone(server, &bed, case, &accounts[&case.id]).await);
            }
        }
        assert!(done > 50, "{}: {done}", server.name);
    }
}

/// Makes the change of this case twice; false where it would not be sent.
async fn touched_alone(server: &Server, bed: &Bed, case: &Case, account: &Account) -> bool {
    let change = bed.change(account, &case.wish.attribute, &case.wish.value);
    if bed.foresee(account, &change) != Foresight::takes() {
        return false;
    }
    let what = format!("{}: {} {} {}", server.name, case.account, case.wish.attribute, case.wish.like);
    let others = |dump| rest(dump, case.id.as_str(), fields(&case.wish.attribute));
    let all = |dump| rest(dump, case.id.as_str(), &[]);
    let before = bed.dump().await;
    let changes = [change];
    let once = bed.carry_out(account, &changes).await.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    let after = bed.dump().await;
    assert_eq!(others(before), others(after.clone()), "{what}");
    let twice = bed.carry_out(account, &changes).await.unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
    assert_eq!((once, all(after)), (twice, all(bed.dump().await)), "{what}");
    true
}

#[tokio::test]
async fn everything_may_change_at_once() {
    for server in SERVERS {
        for (kind, like) in [("active", "off"), ("bare", "off"), ("inactive", "on"), ("locked", "on"), ("active", "on")]
        {
            let bed = bed(server, Some("org1"), json!({}), vec![user(kind, 1)]).await;
            let account = bed.account(&id(1)).await;
            let mut all = wishes(1);
            all.retain(|wish| wish.attribute == "active" && wish.like == like || wish.like == "new");
            let changes: Vec<Change> =
                all.iter().map(|wish| bed.change(&account, &wish.attribute, &wish.value)).collect();
            assert_eq!(changes.len(), 9);
            let shown = bed.carry_out(&account, &changes).await.unwrap();
            let held = bed.account(&id(1)).await;
            assert_eq!(shown.attributes, held.attributes, "{}: {kind} {like}", server.name);
            for change in &changes {
                assert_eq!(held.value(&change.attribute), change.after, "{}: {kind} {like}", server.name);
            }
        }
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    for server in SERVERS {
        let (cases, users) = cases(ACCOUNTS, &|wish| wish.like == "new");
        let bed = bed(server, None, json!({}), users).await;
        let before = bed.dump().await;
        let few = Wanted {
            ids: cases.iter().map(|case| case.id.clone()).take(3).chain(["nobody".into()]).collect(),
            holding: BTreeMap::from([
                (AttributeName::new("username"), BTreeSet::from(["Holder".to_owned(), "nobody".to_owned()]).into()),
                (AttributeName::new("email"), BTreeSet::from(["p1@example.com".to_owned()]).into()),
            ]),
            ..Wanted::default()
        };
        let many = Wanted { ids: (1..600).map(|number| id(number).as_str().into()).collect(), ..Wanted::default() };
        for wanted in [Wanted::default(), few, many] {
            bed.observe(&wanted).await.unwrap();
        }
        bed.connector.standing(&bed.line.reader()).await.unwrap();
        assert_eq!(before, bed.dump().await, "{}", server.name);
    }
}

/// Who we are is told by nothing that the contract knows of, so this cannot be foreseen: the server does it, and then no
/// second look is possible any more.
#[tokio::test]
async fn switching_off_the_service_user_we_are_is_taken_and_ends_our_token() {
    for version in ["4.13.0", "3.2.1", "2.71.0"] {
        let own = json!({ "id": "ours", "username": "homeward-service", "machine": true });
        let seed = json!({ "settings": { "version": version }, "users": [own] });
        let bed =
            Bed::made(Bedding { kind: &KIND, options: json!({}), token_kind: "personal", seed, leader: None }).await;
        let account = bed.account("ours").await;
        let change = bed.change(&account, "active", &false.into());
        assert_eq!(word(&change, &bed.foresee(&account, &change)), "takes", "{version}");
        let refusal = bed.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::Forbidden, Some(401)), "{version}");
        assert!(bed.dump().await["users"]["ours"]["state"].as_str().unwrap().to_lowercase().contains("inactive"));
    }
}
