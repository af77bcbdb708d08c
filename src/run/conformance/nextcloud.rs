//! The matrix of Nextcloud: what each backend, version, right and setting makes of a change (`nextcloud.md` 3 to 7).

use super::*;
use crate::connector::nextcloud::KIND;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username"],
        values: &["same"],
        foreseen: "unchanged",
        met: "unsaid, unsupported",
        why: "nobody asks for what is so, and no call could carry it",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["display_name"],
        values: &["empty", "blank"],
        foreseen: "unsupported",
        met: "without effect",
        why: "an empty name is dropped without a word up to 30; what can never be is told before it is sent",
    },
    Accepted {
        bed: "M",
        accounts: &[],
        attributes: &["display_name"],
        values: &["empty", "blank"],
        foreseen: "unsupported",
        met: "invalid",
        why: "the master branch refuses it as a value; whatever the version, no name is ever empty",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["locale", "nextcloud.language", "nextcloud.quota"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "invalid",
        why: "there is no value that would make it empty; Nextcloud's way to say so is a bad value",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["locale", "nextcloud.language"],
        values: &["not installed"],
        foreseen: "takes",
        met: "invalid",
        why: "which languages are installed is not shown: the answer decides",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["nextcloud.quota"],
        values: &["the default"],
        foreseen: "invalid",
        met: "without effect",
        why: "Nextcloud shows what the default stands for, so it can never be seen to have been set",
    },
    Accepted {
        bed: "with a country",
        accounts: &[],
        attributes: &["phone"],
        values: &["national"],
        foreseen: "invalid",
        met: "without effect",
        why: "with a country of its own Nextcloud takes it, and keeps a number that is written in another way",
    },
    Accepted {
        bed: "a largest quota",
        accounts: &[],
        attributes: &["nextcloud.quota"],
        values: &["new", "none"],
        foreseen: "takes",
        met: "invalid",
        why: "how much may be given is not shown: the answer decides",
    },
    Accepted {
        bed: "",
        accounts: &["drops names"],
        attributes: &["display_name"],
        values: &["new", "longest", "blanks around"],
        foreseen: "takes",
        met: "without effect",
        why: "a backend that says it takes names and drops them is found out only afterwards",
    },
    Accepted {
        bed: "",
        accounts: &["of LDAP", "of OpenID Connect"],
        attributes: &["display_name"],
        values: &["empty", "blank"],
        foreseen: "unsupported",
        met: "owned_elsewhere",
        why: "both are so; that no name is ever empty is asked first",
    },
    Accepted {
        bed: "",
        accounts: &["of LDAP", "of OpenID Connect"],
        attributes: &["display_name"],
        values: &["same"],
        foreseen: "unchanged",
        met: "owned_elsewhere",
        why: "nobody asks for what is so",
    },
];

/// What is meant to differ where a person does it herself.
const ACCEPTED_HERS: &[Accepted] = &[
    Accepted {
        bed: "her own, one language",
        accounts: &[],
        attributes: &["nextcloud.language"],
        values: &["new"],
        foreseen: "takes",
        met: "forbidden",
        why: "whether one language is forced is not shown: the answer decides",
    },
    Accepted {
        bed: "",
        accounts: &["of herself"],
        attributes: &[],
        values: &["same"],
        foreseen: "unchanged",
        met: "forbidden",
        why: "nobody asks for what is so",
    },
];

const ACCOUNTS: &[&str] = &[
    "person",
    "of LDAP",
    "of SAML",
    "of OpenID Connect",
    "administrator",
    "never signed in",
    "disabled",
    "without address",
    "drops names",
];

fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": format!("p{number}"), "displayname": "Pat Lee", "email": format!("p{number}@example.com"),
        "phone": "+41791234567", "address": "Street 1", "website": "https://example.com/pat", "organisation": "Acme",
        "role": "Cook", "headline": "Chef", "biography": "Born", "language": "de", "locale": "de_CH", "quota": "5 GB",
        "manager": "holder", "groups": ["staff"],
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    match kind {
        "of LDAP" => set("backend", "LDAP".into()),
        "of SAML" => set("backend", "user_saml".into()),
        "of OpenID Connect" => set("backend", "user_oidc".into()),
        "local, signs in elsewhere" => set("oidc", true.into()),
        "administrator" => set("groups", json!(["staff", "admin"])),
        "never signed in" => set("last_login", 0.into()),
        "disabled" => set("enabled", false.into()),
        "without address" => set("email", "".into()),
        "drops names" => set("drops_display_name", true.into()),
        _ => {}
    }
    user
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "phone" => "+41311234567".into(),
        "locale" | "nextcloud.language" => "fr".into(),
        "nextcloud.quota" => "7 GB".into(),
        "nextcloud.website" => "https://example.com/stand-in".into(),
        _ => "stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "odd but right", format!("o'neill+{number}&x@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "somebody else's", "holder@example.com"),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "no domain", format!("p{number}@example").as_str()),
        Wish::new("email", "empty label", format!("p{number}@example..com").as_str()),
        Wish::new("email", "blank inside", format!("p {number}@example.com").as_str()),
        Wish::new("email", "blanks around", format!(" new{number}@example.com ").as_str()),
        Wish::new("email", "beyond ASCII", format!("ü{number}@example.com").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "no text", true),
        Wish::new("display_name", "new", "Władysław Dvořák-O'Neill"),
        Wish::new("display_name", "same", "Pat Lee"),
        Wish::new("display_name", "blanks around", " Pat Roe\t"),
        Wish::new("display_name", "longest", long("ä", 64).as_str()),
        Wish::new("display_name", "too long", long("ä", 65).as_str()),
        Wish::new("display_name", "empty", Value::Empty),
        Wish::new("display_name", "blank", "  "),
        Wish::new("phone", "new", "+41311234567"),
        Wish::new("phone", "same", "+41 79 123 45 67"),
        Wish::new("phone", "written otherwise", "+41 (0)31-123.45 67"),
        Wish::new("phone", "national", "031 123 45 67"),
        Wish::new("phone", "no number", "+41 call me"),
        Wish::new("phone", "too short", "+41"),
        Wish::new("phone", "empty", Value::Empty),
        Wish::new("locale", "new", "de_DE"),
        Wish::new("locale", "same", "de_CH"),
        Wish::new("locale", "not installed", "xx_XX"),
        Wish::new("locale", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("nextcloud.website", "new", "https://example.com/new?a=1&b=2"),
        Wish::new("nextcloud.website", "same", "https://example.com/pat"),
        Wish::new("nextcloud.website", "no scheme", "example.com"),
        Wish::new("nextcloud.website", "another scheme", "ftp://example.com"),
        Wish::new("nextcloud.website", "empty", Value::Empty),
        Wish::new("nextcloud.language", "new", "fr"),
        Wish::new("nextcloud.language", "same", "de"),
        Wish::new("nextcloud.language", "not installed", "xx"),
        Wish::new("nextcloud.language", "empty", Value::Empty),
        Wish::new("nextcloud.quota", "new", "10 GB"),
        Wish::new("nextcloud.quota", "same", "5368709120"),
        Wish::new("nextcloud.quota", "written otherwise", "1536mb"),
        Wish::new("nextcloud.quota", "none", "none"),
        Wish::new("nextcloud.quota", "the default", "default"),
        Wish::new("nextcloud.quota", "negative", "-3"),
        Wish::new("nextcloud.quota", "no size", "much"),
        Wish::new("nextcloud.quota", "empty", Value::Empty),
        Wish::new("nextcloud.manager", "new", "nobody at all"),
        Wish::new("nextcloud.manager", "same", "holder"),
        Wish::new("nextcloud.manager", "empty", Value::Empty),
        Wish::new("nickname", "new", "x"),
        Wish::new("nextcloud.groups", "new", "staff"),
        Wish::new("gitlab.note", "new", "note"),
    ];
    for (name, same) in [
        ("nextcloud.address", "Street 1"),
        ("nextcloud.organisation", "Acme"),
        ("nextcloud.role", "Cook"),
        ("nextcloud.headline", "Chef"),
        ("nextcloud.biography", "Born"),
    ] {
        all.extend([
            Wish::new(name, "new", "Größe & <b>Maß</b>\n2"),
            Wish::new(name, "same", same),
            Wish::new(name, "longest", long("ä", 1024).as_str()),
            Wish::new(name, "too long", long("ä", 1025).as_str()),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "empty" | "no address" | "none" | "off" | "on" | "longest")
}

async fn bed_of(options: Json, settings: Json, people: Vec<Json>) -> Bed {
    let mut all = vec![json!({ "id": "holder", "email": "Holder@example.com" })];
    all.extend(people);
    let mut whole = json!({ "edit_limit": null, "delay_ms": 1 });
    whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let mut told = json!({ "username": "homeward", "edits": 0 });
    told.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    Bed::made(Bedding {
        kind: &KIND,
        options: told,
        token_kind: "personal",
        seed: json!({ "settings": whole, "groups": { "staff": "All of us", "crew": "The crew" }, "users": all }),
        leader: None,
    })
    .await
}

async fn bed(settings: Json, people: Vec<Json>) -> Bed {
    bed_of(json!({}), settings, people).await
}

/// An account of which nothing bad is known.
fn plain(account: &Account) -> Account {
    Account { facts: crate::model::account::Facts::new(), ..account.clone() }
}

async fn matrix(
    name: &str,
    options: Json,
    settings: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (mut cases, mut people) = (Vec::new(), Vec::new());
    let mut number = 100;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if asked(&wish) {
                number += 1;
                people.push(user(account, number));
                cases.push(Case { account, id: format!("p{number}").into(), wish });
            }
        }
    }
    let bed = bed_of(options, settings, people).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

#[tokio::test]
async fn nextcloud_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let usual = || json!({});
    matrix("usual", usual(), usual(), &["person"], &|_| true, &mut report).await;
    matrix("usual", usual(), usual(), &ACCOUNTS[1..], &brief, &mut report).await;
    let of_versions = |wish: &Wish| brief(wish) || matches!(wish.like, "blank" | "blanks around" | "too long");
    for (name, version) in [("old", "27"), ("old", "28"), ("M", "M")] {
        matrix(name, usual(), json!({ "version": version }), &["person"], &of_versions, &mut report).await;
    }
    let new = |wish: &Wish| matches!(wish.like, "new" | "off");
    let mapped = json!({ "mapped": ["email"] });
    let accounts = &["of LDAP", "of SAML", "of OpenID Connect"];
    matrix("only addresses are mapped", mapped.clone(), mapped.clone(), accounts, &new, &mut report).await;
    let writes = json!({ "ldap_write_plugin": true, "mapped": ["email"] });
    matrix("LDAP takes names", mapped.clone(), writes, &["of LDAP"], &new, &mut report).await;
    // What is written there stays, although it is mapped.
    let writes = json!({ "ldap_write_plugin": true });
    matrix("LDAP takes names", usual(), writes, &["of LDAP"], &new, &mut report).await;
    let local = &["local, signs in elsewhere"];
    let elsewhere = json!({ "local_sign_in": "oidc" });
    matrix("by OpenID Connect", elsewhere, usual(), local, &brief, &mut report).await;
    let elsewhere = json!({ "local_sign_in": "oidc", "mapped": ["email"] });
    matrix("by OpenID Connect, addresses", elsewhere, mapped, local, &new, &mut report).await;
    let phones = |wish: &Wish| wish.attribute == "phone";
    let country = json!({ "default_phone_region": "CH" });
    matrix("with a country", usual(), country, &["person"], &phones, &mut report).await;
    let quotas = |wish: &Wish| wish.attribute == "nextcloud.quota" && matches!(wish.like, "new" | "none" | "same");
    let most = json!({ "max_quota": "6 GB", "allow_unlimited_quota": false });
    matrix("a largest quota", usual(), most, &["person"], &quotas, &mut report).await;
    let led = json!({ "rights": "group_admin" });
    matrix("a group admin", usual(), led, &["person"], &new, &mut report).await;
    let delegated = json!({ "rights": "delegated" });
    matrix("an administrator of users", usual(), delegated, &["person"], &new, &mut report).await;
    report.settle();
}

#[tokio::test]
async fn memberships_end_as_was_foreseen_after_the_next_sign_in_too() {
    let mut report = Report::new(&[]);
    let local: &[&str] = &["local, signs in elsewhere", "of LDAP"];
    for (options, settings, kinds) in [
        (json!({}), json!({}), ACCOUNTS),
        (json!({ "mapped": ["email"] }), json!({ "mapped": ["email"] }), ACCOUNTS),
        (json!({ "local_sign_in": "oidc" }), json!({}), local),
    ] {
        let name = "memberships";
        let people: Vec<Json> = kinds.iter().zip(1..).map(|(kind, number)| user(kind, number)).collect();
        let bed = bed_of(options, settings, people).await;
        for (kind, number) in kinds.iter().zip(1_u64..) {
            for (group, value, like) in [
                ("crew", Value::text("member"), "joins"),
                ("staff", Value::text("Member "), "is in already"),
                ("staff", Value::Empty, "leaves"),
                ("nowhere", Value::text("member"), "no group"),
                ("The crew", Value::text("member"), "by its name"),
                ("crew", Value::text("chief"), "no level"),
            ] {
                report.cases += 1;
                let attribute = AttributeName::member_of(&"nextcloud.groups".into(), group);
                let look = async || {
                    let range = ["crew", "staff", "nowhere", "The crew"].map(str::to_owned);
                    let members = BTreeMap::from([("nextcloud.groups".into(), range.into())]);
                    let ids = BTreeSet::from([AccountId::from(format!("p{number}"))]);
                    let wanted = Wanted { ids, members, fresh: true, ..Wanted::default() };
                    bed.observe(&wanted).await.unwrap().accounts.get(0).unwrap().account()
                };
                let account = look().await;
                let wish = Wish::new(attribute.as_str(), like, value.clone());
                let change = bed.change(&account, attribute.as_str(), &value);
                let foreseen = word(&change, &bed.foresee(&account, &change));
                let mut met = match bed.connector.calls(&account, std::slice::from_ref(&change)) {
                    Err(refusal) => Met::Unsaid(refusal.kind),
                    Ok(requests) => match bed.send(&account, std::slice::from_ref(&change), requests).await {
                        Ok(shown) if shown.value(&attribute) == change.after => Met::Took,
                        Ok(shown) if change.before == change.after && shown == account => Met::Took,
                        Ok(_) => Met::Ineffective,
                        Err(refusal) => Met::Refused(refusal.kind),
                    },
                };
                if met == Met::Took && *kind != "disabled" {
                    bed.lab("nextcloud", "POST", &format!("login/p{number}"), &Json::Null).await.unwrap();
                    if look().await.value(&attribute) != change.after {
                        met = Met::Undone;
                    }
                }
                if !agrees(&foreseen, met, false) {
                    report.difference(name, kind, &wish, &foreseen, &met.to_string());
                }
            }
        }
    }
    report.settle();
}

#[tokio::test]
async fn with_her_own_token_a_person_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED_HERS);
    for (name, settings) in [
        ("her own", json!({})),
        ("her own", json!({ "version": "27" })),
        ("her own, names are kept", json!({ "allow_user_to_change_display_name": false })),
        ("her own, one language", json!({ "force_language": true })),
    ] {
        let asked = ["email", "display_name", "nextcloud.language"];
        let cleared = ["email", "phone", "nextcloud.manager"];
        let is_asked = |wish: &Wish, kind: &str| match (kind, wish.like) {
            ("of LDAP", like) => like == "new" && wish.attribute == "display_name",
            (_, "new" | "same" | "off") if name == "her own" => wish.attribute != "username",
            (_, "empty") if name == "her own" => cleared.contains(&wish.attribute.as_str()),
            (_, like) => like == "new" && asked.contains(&wish.attribute.as_str()),
        };
        for kind in ["person", "of LDAP"] {
            let chosen: Vec<usize> = (0..wishes(0).len()).filter(|at| is_asked(&wishes(0)[*at], kind)).collect();
            let people = chosen.iter().zip(1..).map(|(_, number)| user(kind, number)).collect();
            let mut bed = bed(settings.clone(), people).await;
            for (at, number) in chosen.iter().zip(1_u64..) {
                report.cases += 1;
                let wish = wishes(number).swap_remove(*at);
                bed.line = own_line(&bed, &format!("p{number}"));
                let observed = bed.connector.observe_self(&bed.line.reader()).await.unwrap();
                let account = observed.accounts.get(0).unwrap().account();
                assert_eq!(account.id, Some(format!("p{number}").into()));
                let change = bed.change(&account, &wish.attribute, &wish.value);
                let foreseen = word(&change, &bed.foresee(&account, &change));
                let allowed = |account: &Account| Account { server: std::sync::Arc::default(), ..plain(account) };
                let (mut met, shown) = meet(&bed, &account, &change, &legal, allowed).await;
                if met == Met::Took && kind != "person" && foreseen == "doomed" {
                    bed.lab("nextcloud", "POST", &format!("login/p{number}"), &Json::Null).await.unwrap();
                    met = Met::Undone;
                }
                if let Some(shown) = shown.filter(|_| met == Met::Took) {
                    let seen = bed
                        .connector
                        .observe_self(&bed.line.reader())
                        .await
                        .unwrap()
                        .accounts
                        .get(0)
                        .unwrap()
                        .account();
                    assert_eq!(bed.holds(&seen, &change), bed.holds(&shown, &change), "{}", wish.attribute);
                }
                if !agrees(&foreseen, met, false) {
                    let kind = if kind == "person" { "of herself" } else { kind };
                    report.difference(name, kind, &wish, &foreseen, &met.to_string());
                }
            }
        }
    }
    report.settle();
}

/// A line with somebody's own app password, as a bearer token and without a name.
fn own_line(bed: &Bed, id: &str) -> Line {
    let simulated = crate::lab::nextcloud::Nextcloud::new(&json!({ "username": id })).unwrap();
    let token = crate::lab::Simulator::token(&simulated, "personal");
    let reach = Reach {
        system: "nextcloud".into(),
        url: Url::parse(&bed.lab.systems["nextcloud"].url).unwrap(),
        credential: Credential::Token(Secret::new(&token)),
        scheme: KIND.capabilities.scheme,
        concurrency: 4,
        timeout: Duration::from_secs(30),
        habits: Habits { dialect: bed.connector.dialect(), ..Habits::default() },
        route: crate::wire::Route::default(),
    };
    Line::new(reach).unwrap()
}

/// What a new account begins with in most cases.
fn whole(number: u64) -> Vec<Wish> {
    vec![
        Wish::new("username", "new", format!("n{number}").as_str()),
        Wish::new("email", "new", format!("n{number}@example.com").as_str()),
        Wish::new("display_name", "new", "Nele Neu"),
        Wish::new("nextcloud.quota", "new", "7 GB"),
        Wish::new("nextcloud.language", "new", "fr"),
        Wish::new("nextcloud.manager", "new", "holder"),
        Wish::new("active", "on", true),
    ]
}

fn births(number: u64) -> Vec<Wish> {
    vec![
        Wish::new("username", "new", format!("m{number}").as_str()),
        Wish::new("username", "an address", format!("m{number}@example.com").as_str()),
        Wish::new("username", "with blanks", format!("m {number}").as_str()),
        Wish::new("username", "beyond ASCII", format!("ü{number}").as_str()),
        Wish::new("username", "with a slash", format!("a/{number}").as_str()),
        Wish::new("username", "too long", long("a", 65).as_str()),
        Wish::new("username", "somebody's", "holder").held(),
        Wish::new("email", "somebody's", "holder@example.com"),
        Wish::new("email", "no address", "nobody"),
        Wish::new("display_name", "longest", long("ä", 64).as_str()),
        Wish::new("display_name", "too long", long("ä", 65).as_str()),
        Wish::new("nextcloud.quota", "no size", "much"),
        Wish::new("phone", "new", "+41791234567"),
        Wish::new("locale", "new", "de_CH"),
        Wish::new("nextcloud.role", "new", "Cook"),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
    ]
}

/// What is meant to differ where accounts are made.
const ACCEPTED_BIRTHS: &[Accepted] = &[];

#[tokio::test]
async fn new_accounts_begin_as_was_foreseen() {
    let mut report = Report::new(ACCEPTED_BIRTHS);
    for settings in [
        json!({}),
        json!({ "version": "27" }),
        json!({ "email_required": true }),
        // The mail is lost, and the account is there.
        json!({ "mail_fails": true }),
    ] {
        let bed = bed(settings, vec![]).await;
        compare_creations(&bed, "creation", whole, &births, &mut report).await;
    }
    report.settle();
}

/// What the search of a backend does not look at is found in the list, and so is whoever else holds it.
#[tokio::test]
async fn whoever_a_search_passes_over_is_found_all_the_same() {
    let people = || {
        let twins = ["Database", "user_saml"]
            .map(|backend| json!({ "id": format!("twin-{backend}"), "backend": backend, "email": "Twin@example.com" }));
        let hidden = json!({ "id": "lou", "backend": "LDAP", "email": "lou@example.com" });
        twins.into_iter().chain([hidden]).collect::<Vec<Json>>()
    };
    let holding = |email: &str| {
        let texts = BTreeMap::from([("email".into(), BTreeSet::from([email.to_owned()]).into())]);
        Wanted { holding: texts, ..Wanted::default() }
    };
    let found = async |bed: &Bed, wanted: Wanted| -> Vec<String> {
        let accounts = bed.observe(&wanted).await.unwrap().accounts;
        accounts.into_iter().map(|account| account.id.unwrap().as_str().to_owned()).collect()
    };
    let usual = bed(json!({}), people()).await;
    assert_eq!(found(&usual, holding("lou@example.com")).await, ["lou"]);
    assert_eq!(found(&usual, holding("twin@example.com")).await, ["twin-Database", "twin-user_saml"]);
    let empty = [""; 0];
    assert_eq!(found(&usual, holding("nobody@example.com")).await, empty);
    // Whoever is known by id and holds what is sought is looked at alone.
    usual.lab("nextcloud", "DELETE", "requests", &Json::Null).await.unwrap();
    let known = Wanted { ids: BTreeSet::from(["lou".into()]), ..holding("lou@example.com") };
    assert_eq!(found(&usual, known).await, ["lou"]);
    let asked = usual.lab("nextcloud", "GET", "requests", &Json::Null).await.unwrap();
    let walks = asked.as_array().unwrap().iter().filter(|one| one["path"].as_str().unwrap().contains("search=&"));
    assert_eq!(walks.count(), 0);
    // Where an operator says so, the search is believed, and takes no list.
    let complete = bed_of(json!({ "complete_search": true }), json!({}), people()).await;
    assert_eq!(found(&complete, holding("lou@example.com")).await, empty);
    assert_eq!(found(&complete, holding("twin@example.com")).await, ["twin-Database"]);
}

#[tokio::test]
async fn an_account_that_was_made_without_its_mail_is_no_refusal() {
    let bed = bed(json!({ "mail_fails": true }), vec![]).await;
    let nobody = bed.nobody().await;
    let changes: Vec<Change> = whole(1).iter().map(|wish| bed.change(&nobody, &wish.attribute, &wish.value)).collect();
    let made = bed.carry_out(&nobody, &changes).await.unwrap();
    assert!(changes.iter().all(|change| bed.holds(&made, change)), "{made:?}");
    // Somebody who is there already is another matter.
    let again = bed.carry_out(&nobody, &changes).await.unwrap_err();
    assert_eq!((again.kind, again.code.as_deref()), (RefusalKind::Taken, Some("102")));
}

#[tokio::test]
async fn a_persons_own_token_is_a_bearer_token_or_a_login_with_its_app_password() {
    use crate::{model::own_token::TokenKind, wire::OwnToken};
    let people = vec![json!({ "id": "pat", "app_password": "pats-own" }), json!({ "id": "lou" })];
    let bed = bed(json!({}), people).await;
    for (text, seen) in [("pats-own", true), ("pat:pats-own", true), ("lou:pats-own", false), ("wrong", false)] {
        let person = PersonId { system: "web".into(), key: "1".into() };
        let own = OwnToken::new(person, TokenKind::Personal, Secret::new(text), None);
        let observed = bed.connector.observe_self(&bed.line.reader_as(&own)).await;
        let id = observed.ok().and_then(|observed| observed.accounts.get(0)?.account().id);
        assert_eq!(id, seen.then(|| "pat".into()), "{text}");
    }
    // Hers was refused, and ours is asked all the same.
    assert_eq!(bed.account("pat").await.id, Some("pat".into()));
}
