//! The matrix of WordPress, and what its simulator does to whoever reads it carelessly (`wordpress.md` 2 to 6).

use super::*;
use crate::connector::wordpress::KIND;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username", "active"],
        values: &["same", "on"],
        foreseen: "unchanged",
        met: "unsaid, unsupported",
        why: "nobody asks for what is so, and no call could carry it",
    },
    Accepted {
        bed: "usual",
        accounts: &["without address"],
        attributes: &["email"],
        values: &["empty"],
        foreseen: "unchanged",
        met: "invalid",
        why: "nobody asks for what is so; an account without an address keeps none, though none can be given (4 and 5)",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["email"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "invalid",
        why: "nothing can make it empty, whatever the value; WordPress's way to say so is a validation (5)",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["display_name", "nickname"],
        values: &["empty", "blank"],
        foreseen: "unsupported",
        met: "without effect",
        why: "WordPress puts the login where nothing is left: it is never empty",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["locale"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "without effect",
        why: "where an account has no language, WordPress shows the site's: it is never seen empty",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["display_name", "first_name", "last_name", "nickname"],
        values: &["markup", "entity"],
        foreseen: "invalid",
        met: "without effect",
        why: "it would be kept as something else (4): the value is at fault, and another one has an effect",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["display_name", "first_name", "last_name", "nickname"],
        values: &["encoded"],
        foreseen: "invalid",
        met: "took",
        why: "WordPress drops characters in this form; that the simulator keeps them is not in the contract",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["locale"],
        values: &["not installed"],
        foreseen: "takes",
        met: "invalid",
        why: "which languages are installed is not shown: the answer decides",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["wordpress.url"],
        values: &["no scheme", "blank inside"],
        foreseen: "invalid",
        met: "without effect",
        why: "it would be kept as something else: the value is at fault, and another one has an effect",
    },
    Accepted {
        bed: "plain addresses",
        accounts: &[],
        attributes: &[],
        values: &[],
        foreseen: "unsupported",
        met: "unavailable",
        why: "a call by an address that is a word is sent to a page (1); what would be sent here cannot be said at all",
    },
    Accepted {
        bed: "only reading",
        accounts: &[],
        attributes: &["email"],
        values: &["no address"],
        foreseen: "forbidden",
        met: "invalid",
        why: "WordPress looks at values before it looks at rights; without the right none would do",
    },
];

const ACCOUNTS: &[&str] =
    &["person", "administrator", "without role", "of two roles", "without address", "of an odd login", "with entities"];

fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": number, "username": format!("p{number}"), "email": format!("p{number}@example.com"), "name": "Pat Lee",
        "first_name": "Pat", "last_name": "Lee", "nickname": "pat", "locale": "de_DE",
        "url": "https://example.com/pat", "roles": ["author"],
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    match kind {
        "administrator" => set("roles", json!(["administrator"])),
        "without role" => set("roles", json!([])),
        "of two roles" => set("roles", json!(["editor", "author"])),
        "without address" => set("email", "".into()),
        "of an odd login" => set("username", format!("P {number}@Example.com").into()),
        "with entities" => set("last_name", "R&D <Lab".into()),
        _ => {}
    }
    user
}

fn holders() -> [Json; 1] {
    [json!({ "username": "holder", "email": "Holder@example.com", "roles": ["subscriber"] })]
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "locale" => "en_US".into(),
        "wordpress.url" => "https://example.com/stand-in".into(),
        _ => "stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "odd but right", format!("o'neill+{number}&x@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "a user's", "Holder@example.com").held(),
        Wish::new("email", "a user's in capitals", "HOLDER@EXAMPLE.COM").held(),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "no domain", format!("p{number}@example").as_str()),
        Wish::new("email", "two signs", "a@b@example.com"),
        Wish::new("email", "with a name", format!("Pat <q{number}@example.com>").as_str()),
        Wish::new("email", "empty label", format!("p{number}@example..com").as_str()),
        Wish::new("email", "blank inside", format!("p {number}@example.com").as_str()),
        Wish::new("email", "blanks around", format!(" new{number}@example.com ").as_str()),
        Wish::new("email", "beyond ASCII", format!("ü{number}@example.com").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "no text", true),
        Wish::new("locale", "new", "en_US"),
        Wish::new("locale", "same", "de_DE"),
        Wish::new("locale", "not installed", "fr_FR"),
        Wish::new("locale", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("wordpress.url", "new", "https://example.com/new?a=1&b=2#c"),
        Wish::new("wordpress.url", "same", "https://example.com/pat"),
        Wish::new("wordpress.url", "blanks around", " https://example.com/new "),
        Wish::new("wordpress.url", "no scheme", "example.com"),
        Wish::new("wordpress.url", "blank inside", "https://example.com/a b"),
        Wish::new("wordpress.url", "longest", format!("https://example.com/{}", long("a", 80)).as_str()),
        Wish::new("wordpress.url", "too long", format!("https://example.com/{}", long("a", 81)).as_str()),
        Wish::new("wordpress.url", "empty", Value::Empty),
        Wish::new("phone", "new", "+41791234567"),
        Wish::new("wordpress.roles", "new", "administrator"),
        Wish::new("gitlab.note", "new", "note"),
    ];
    for (name, same) in [("display_name", "Pat Lee"), ("first_name", "Pat"), ("last_name", "Lee"), ("nickname", "pat")]
    {
        all.extend([
            Wish::new(name, "new", "Władysław Dvořák-O'Neill"),
            Wish::new(name, "same", same),
            Wish::new(name, "case only", same.to_uppercase().as_str()),
            Wish::new(name, "ampersand", "R&D & Söhne; AT&T;"),
            Wish::new(name, "lone brackets", "a > b < c"),
            Wish::new(name, "quotes", "Anna \"Ännchen\" Meyer"),
            Wish::new(name, "in lines", "Anna\n Maria\t Meyer "),
            Wish::new(name, "markup", "Robin <b>Roe</b>"),
            Wish::new(name, "entity", "R&amp;D"),
            Wish::new(name, "encoded", "a%20b"),
            Wish::new(name, "blank", "   "),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "case only" | "empty" | "a user's" | "ampersand" | "markup" | "on" | "off")
}

async fn bed(settings: Json, people: Vec<Json>) -> Bed {
    Bed::made(Bedding {
        kind: &KIND,
        options: json!({ "username": "homeward" }),
        token_kind: "personal",
        seed: json!({ "settings": settings, "people": people }),
        leader: None,
    })
    .await
}

/// An account at a site that takes everything.
fn plain(account: &Account) -> Account {
    Account { server: std::sync::Arc::default(), ..account.clone() }
}

async fn matrix(
    name: &str,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (mut cases, mut people) = (Vec::new(), Vec::from(holders()));
    let mut number = 100;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if asked(&wish) {
                number += 1;
                people.push(user(account, number));
                cases.push(Case { account, id: number.to_string().into(), wish });
            }
        }
    }
    let bed = bed(settings, people).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

#[tokio::test]
async fn wordpress_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    matrix("usual", json!({}), &["person"], &|_| true, &mut report).await;
    matrix("usual", json!({}), &ACCOUNTS[1..], &brief, &mut report).await;
    matrix("6.1", json!({ "version": "6.1.9" }), &["person"], &brief, &mut report).await;
    matrix("sync", json!({ "rights": "sync" }), &["person", "administrator"], &brief, &mut report).await;
    let first = |wish: &Wish| matches!(wish.like, "new" | "no address") && wish.attribute != "locale";
    matrix("only reading", json!({ "rights": "reader" }), &["person"], &first, &mut report).await;
    let new = |wish: &Wish| wish.like == "new";
    matrix("plain addresses", json!({ "permalinks": "plain" }), &["person"], &new, &mut report).await;
    report.settle();
}

fn texts<T: FromIterator<String>>(attribute: &str, texts: &[&str]) -> (AttributeName, T) {
    (attribute.into(), texts.iter().map(|text| (*text).to_owned()).collect())
}

fn holding(attribute: &str, text: &str) -> Wanted {
    Wanted { holding: BTreeMap::from([texts(attribute, &[text])]), ..Wanted::default() }
}

fn ids(observed: &Observed) -> Vec<&str> {
    observed.accounts.iter().filter_map(|account| account.id()).collect()
}

fn refused<T: fmt::Debug>(outcome: Result<T, ConnectorError>) -> Refusal {
    match outcome {
        Err(ConnectorError::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Kind, status and WordPress's own word.
fn told(refusal: &Refusal) -> (RefusalKind, Option<u16>, Option<&str>) {
    (refusal.kind, refusal.status, refusal.code.as_deref())
}

#[tokio::test]
async fn an_account_is_found_and_changed_and_each_twice() {
    for settings in [json!({}), json!({ "version": "6.1.9" }), json!({ "rights": "sync" })] {
        let bed = bed(settings, vec![user("person", 7), user("person", 70)]).await;
        for (attribute, text) in [("username", "P7"), ("email", "P7@Example.com")] {
            assert_eq!(ids(&bed.observe(&holding(attribute, text)).await.unwrap()), ["7"], "{attribute}");
        }
        let account = bed.account("7").await;
        let wishes = [
            ("email", Value::text("new@example.com")),
            ("display_name", "R&D".into()),
            ("first_name", Value::Empty),
            ("last_name", "Roe".into()),
            ("nickname", "rob".into()),
            ("locale", "en_US".into()),
            ("wordpress.url", Value::Empty),
        ];
        let changes: Vec<Change> = wishes.iter().map(|(name, value)| bed.change(&account, name, value)).collect();
        for change in &changes {
            assert_eq!(bed.foresee(&account, change), Foresight::takes(), "{}", change.attribute);
        }
        for _ in 0..2 {
            let shown = bed.carry_out(&account, &changes).await.unwrap();
            let seen = bed.account("7").await;
            assert_eq!((&shown.id, &shown.attributes, &shown.facts), (&seen.id, &seen.attributes, &seen.facts));
            assert!(changes.iter().all(|change| bed.holds(&seen, change)), "{seen:?}");
        }
        // One letter about the address, to the old one.
        let mails = bed.dump().await["mails"].take();
        assert_eq!(mails, json!([{ "about": "email_changed", "to": "p7@example.com" }]));
    }
}

#[tokio::test]
async fn looking_changes_nothing() {
    let bed = bed(json!({}), (1..=250).map(|number| user("person", number)).collect()).await;
    let before = bed.dump().await;
    bed.connector.standing(&bed.line.reader()).await.unwrap();
    for wanted in [
        Wanted::default(),
        Wanted { ids: BTreeSet::from(["7".into(), "424242".into()]), ..Wanted::default() },
        Wanted {
            holding: [texts("username", &["p1", "NOBODY"]), texts("email", &["nobody"])].into(),
            ..Wanted::default()
        },
        holding("first_name", "nobody"),
    ] {
        bed.observe(&wanted).await.unwrap();
    }
    assert_eq!(bed.dump().await, before);
    let asked = bed.lab("wordpress", "GET", "requests", &Json::Null).await.unwrap();
    assert!(asked.as_array().unwrap().iter().all(|asked| asked["method"] == "GET"));
}

#[tokio::test]
async fn nobody_slips_through_between_two_pages() {
    for shift in [
        json!({ "after_page": 1, "delete": 50 }),
        json!({ "after_page": 2, "rename": { "id": 150, "name": "Aaron" } }),
        json!({ "after_page": 1, "create": { "username": "newcomer", "email": "newcomer@example.com" } }),
    ] {
        let is_deleted = shift.get("delete").is_some();
        let bed = bed(json!({}), (1..=250).map(|number| user("person", number)).collect()).await;
        // Counting is a page too: it must not be what sets this off.
        let wanted = Wanted { ids: BTreeSet::from(["101".into(), "50".into()]), ..holding("last_name", "lee") };
        bed.settings(&json!({ "shift": shift })).await;
        let seen = bed.observe(&wanted).await.unwrap();
        let expected: BTreeSet<u64> = (1..=250).filter(|id| !(is_deleted && *id == 50)).collect();
        let found: BTreeSet<u64> = ids(&seen).iter().map(|id| id.parse().unwrap()).collect();
        assert_eq!(found, expected, "{shift}");
    }
}

#[tokio::test]
async fn what_our_account_may_not_see_is_no_empty_list() {
    let people = || vec![user("person", 7)];
    for (rights, code, words) in [
        ("list_only", None, "needs the right `edit_users` too"),
        ("editor", Some("rest_forbidden_context"), "`list_users` and `edit_users`"),
        ("subscriber", Some("rest_forbidden_context"), "`list_users` and `edit_users`"),
    ] {
        let bed = bed(json!({ "rights": rights }), people()).await;
        let refusal = refused(bed.observe(&holding("username", "p7")).await);
        assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Forbidden, code), "{rights}");
        assert!(refusal.reason.contains(words), "{rights}: {refusal}");
        let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
        assert_eq!(standing.missing.len(), 2, "{rights}: {standing:?}");
    }
    for (rights, missing) in [("administrator", 0), ("sync", 0), ("reader", 1)] {
        let bed = bed(json!({ "rights": rights }), people()).await;
        assert_eq!(ids(&bed.observe(&holding("username", "p7")).await.unwrap()), ["7"], "{rights}");
        let standing = bed.connector.standing(&bed.line.reader()).await.unwrap();
        assert_eq!((standing.server.as_str(), standing.missing.len()), ("WordPress", missing), "{standing:?}");
        assert!(standing.we_are.starts_with("homeward ("), "{standing:?}");
    }
}

#[tokio::test]
async fn credentials_that_count_for_nothing_are_told_with_the_likely_reason() {
    let bed = bed(json!({}), vec![user("person", 7)]).await;
    let wrong = line(&KIND, &bed.lab, "wrong-and-long-enough");
    let refusal = refused(bed.connector.standing(&wrong.reader()).await);
    assert_eq!(told(&refusal), (RefusalKind::Forbidden, Some(401), Some("rest_not_logged_in")));
    assert!(refusal.reason.contains("look at `username`"), "{refusal}");
    bed.settings(&json!({ "application_passwords": false })).await;
    let refusal = refused(bed.observe(&Wanted::default()).await);
    assert_eq!(told(&refusal), (RefusalKind::Forbidden, Some(401), Some("rest_not_logged_in")));
    assert!(refusal.reason.contains("offers no application passwords"), "{refusal}");
}

#[tokio::test]
async fn wordpresses_no_is_understood() {
    use RefusalKind::{Forbidden, Invalid, NotFound, Taken, Unsupported};
    let bed = bed(json!({}), [user("person", 7), user("person", 8)].into_iter().chain(holders()).collect()).await;
    let account = bed.account("7").await;
    let no = async |account: &Account, name: &str, value: &str| {
        let change = bed.change(account, name, &value.into());
        assert_eq!(bed.foresee(account, &change), Foresight::takes());
        bed.carry_out(account, &[change]).await.unwrap_err()
    };
    let taken = (Taken, Some(400), Some("rest_user_invalid_email"));
    assert_eq!(told(&no(&account, "email", "holder@EXAMPLE.com").await), taken);
    let invalid = no(&account, "locale", "fr_FR").await;
    assert_eq!(told(&invalid), (Invalid, Some(400), Some("rest_invalid_param")));
    assert!(invalid.reason.contains("`locale`: the language has to be installed"), "{invalid}");

    // A login cannot be said by us; said all the same, it is refused.
    let rename = bed.change(&account, "username", &"P7".into());
    assert_eq!(word(&rename, &bed.foresee(&account, &rename)), "unsupported");
    let mut requests = bed.connector.calls(&account, &[bed.change(&account, "nickname", &"x".into())]).unwrap();
    requests[0].body = json!({ "username": "P7" });
    let kept = bed.send(&account, &[rename], requests).await.unwrap_err();
    assert_eq!(told(&kept), (Unsupported, Some(400), Some("rest_user_invalid_argument")));

    let other = bed.account("8").await;
    let nobody = Account { id: Some("424242".into()), ..other };
    assert_eq!(told(&no(&nobody, "nickname", "x").await), (NotFound, Some(404), Some("rest_user_invalid_id")));

    // Rights that were taken away between plan and call.
    bed.settings(&json!({ "rights": "reader" })).await;
    assert_eq!(told(&no(&account, "nickname", "x").await), (Forbidden, Some(403), Some("rest_cannot_edit")));
    bed.settings(&json!({ "application_passwords": false })).await;
    assert_eq!(told(&no(&account, "nickname", "x").await), (Forbidden, Some(401), Some("rest_cannot_edit")));
}

#[tokio::test]
async fn a_wordpress_that_is_away_is_understood() {
    // Each on a line of its own: one that is told to wait for ten minutes is not asked again.
    for (settings, status, code) in [
        (json!({ "maintenance": true }), 503, Some("wp_die")),
        (json!({ "database_down": true }), 500, Some("wp_die")),
        (json!({ "permalinks": "plain" }), 301, None),
    ] {
        let bed = bed(json!({}), vec![user("person", 7)]).await;
        let account = bed.account("7").await;
        bed.settings(&settings).await;
        let change = bed.change(&account, "nickname", &"x".into());
        let away = bed.carry_out(&account, &[change]).await.unwrap_err();
        assert_eq!(told(&away), (RefusalKind::Unavailable, Some(status), code), "{settings}");
        assert_eq!(away.retry_after, (status == 503).then_some(Duration::from_mins(10)), "{settings}");
    }
}

#[tokio::test]
async fn a_site_with_plain_addresses_is_read_all_the_same() {
    let bed = bed(json!({ "permalinks": "plain" }), (1..=130).map(|number| user("person", number)).collect()).await;
    assert_eq!(ids(&bed.observe(&holding("username", "P77")).await.unwrap()), ["77"]);
    assert_eq!(bed.observe(&holding("last_name", "LEE")).await.unwrap().accounts.len(), 130);
}

#[tokio::test]
async fn a_project_signs_in_with_the_login_it_names() {
    use crate::run::{
        kinds::PROVIDERS,
        project::{benches, fleet, open},
    };
    let folder = tempfile::tempdir().unwrap();
    let config = "[systems.website]\nkind = \"wordpress\"\nurl = \"https://www.example.com\"\nusername = \"keeper\"\n\
                  token = { env = \"WORDPRESS_APPLICATION_PASSWORD\" }\n";
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    std::fs::write(folder.path().join("homeward.toml"), config).unwrap();
    let project = open(&folder.path().join("homeward.toml"), PROVIDERS, jiff::civil::date(2026, 11, 20)).unwrap();
    let lab = crate::lab::start(&benches(&project.config, PROVIDERS).unwrap(), 0, &[]).await.unwrap();
    let fleet = fleet(&project.config, PROVIDERS, Some(&lab.systems)).unwrap();
    let member = &fleet.members[&SystemName::from("website")];
    let standing = member.connector.standing(&member.line.reader()).await.unwrap();
    assert_eq!((standing.we_are.as_str(), standing.missing.len()), ("keeper (administrator)", 0));
}
