//! The matrix of GitLab: every state, the accounts with a mark, the settings that decide about names and addresses, and
//! what GitLab takes from a directory itself (`gitlab.md` 3 to 5).

use super::*;
use crate::connector::gitlab::KIND;

/// What everybody has cannot be made empty, says the table; GitLab says the same as a validation (3.2).
const NEVER_EMPTY: Accepted = Accepted {
    bed: "",
    accounts: &[],
    attributes: &["username", "email", "display_name"],
    values: &["empty"],
    foreseen: "unsupported",
    met: "invalid",
    why: "nothing can make it empty, whatever the value; GitLab's way to say so is a validation (3.2)",
};

const PRIMARY_INSTEAD: Accepted = Accepted {
    bed: "",
    accounts: &[],
    attributes: &["gitlab.commit_email"],
    values: &["empty"],
    foreseen: "unsupported",
    met: "without effect",
    why: "without an address for commits GitLab shows and uses the primary one (3.1): it is never empty",
};

const UNCONFIRMED: Accepted = Accepted {
    bed: "",
    accounts: &[],
    attributes: &["gitlab.public_email", "gitlab.commit_email"],
    values: &["a stranger's", "own unconfirmed"],
    foreseen: "takes",
    met: "invalid",
    why: "which addresses a person has confirmed is not shown with the account (2.2): the answer decides (3.2)",
};

const PAGES: Accepted = Accepted {
    bed: "",
    accounts: &[],
    attributes: &["username"],
    values: &["a page's"],
    foreseen: "takes",
    met: "invalid",
    why: "the names of Pages are shown nowhere, and their no is told from others by a translated text only (3.2, 1.1)",
};

const OTHER_DOMAINS: &[&str] = &["elsewhere"];

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    NEVER_EMPTY,
    PRIMARY_INSTEAD,
    UNCONFIRMED,
    PAGES,
    Accepted {
        bed: "syncing",
        accounts: &["from the directory"],
        attributes: &["email", "display_name"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "without effect",
        why: "GitLab drops what it takes from the directory before it looks at it (3.4); empty it cannot be either way",
    },
    Accepted {
        bed: "usual",
        accounts: &["with images"],
        attributes: &["username"],
        values: &[],
        foreseen: "takes",
        met: "invalid",
        why: "whether a project holds container images is not shown with the account (3.2): the answer decides",
    },
    Accepted {
        bed: "strict",
        accounts: &[],
        attributes: &["username"],
        values: &["leading underscore"],
        foreseen: "takes",
        met: "invalid",
        why: "a rule of newer versions that the contract marks as unverified (3.2): the answer decides",
    },
    Accepted {
        bed: "domains",
        accounts: &[],
        attributes: &["email"],
        values: OTHER_DOMAINS,
        foreseen: "takes",
        met: "invalid",
        why: "the sign-up rules for domains are not shown (3.2): the answer decides",
    },
    Accepted {
        bed: "denied domains",
        accounts: &[],
        attributes: &["email"],
        values: OTHER_DOMAINS,
        foreseen: "takes",
        met: "invalid",
        why: "the sign-up rules for domains are not shown (3.2): the answer decides",
    },
    Accepted {
        bed: "usual",
        accounts: &["bot"],
        attributes: &["active"],
        values: &["off"],
        foreseen: "forbidden",
        met: "took",
        why: "internal users are not blocked (4), and the mark `bot` does not tell them from the bots of tokens: neither \
              is touched",
    },
    Accepted {
        bed: "usual",
        accounts: &["blocked_pending_approval"],
        attributes: &["active"],
        values: &["on"],
        foreseen: "unsupported",
        met: "took",
        why: "letting somebody in who waits for approval is an administrator's decision with a call of its own (4)",
    },
];

/// What is meant to differ where accounts are created.
const BORN: &[Accepted] = &[
    NEVER_EMPTY,
    UNCONFIRMED,
    PAGES,
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["gitlab.public_email", "gitlab.commit_email"],
        values: &["own", "own in capitals", "own second"],
        foreseen: "takes",
        met: "invalid",
        why: "a new account has no such addresses yet (3.1): the answer decides",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["gitlab.commit_email"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "without effect",
        why: "without an address for commits GitLab shows and uses the primary one (3.1)",
    },
    Accepted {
        bed: "strict",
        accounts: &[],
        attributes: &["username"],
        values: &["leading underscore"],
        foreseen: "takes",
        met: "invalid",
        why: "a rule of newer versions that the contract marks as unverified (3.2): the answer decides",
    },
    Accepted {
        bed: "domains",
        accounts: &[],
        attributes: &["email"],
        values: OTHER_DOMAINS,
        foreseen: "takes",
        met: "invalid",
        why: "the sign-up rules for domains are not shown (3.2): the answer decides",
    },
];

/// The kinds of accounts that get every wish.
const ACCOUNTS: &[&str] = &["person", "with addresses"];

/// The kinds of accounts of which each kind of wish is tried.
const OTHERS: &[&str] = &[
    "blocked",
    "ldap_blocked",
    "deactivated",
    "banned",
    "blocked_pending_approval",
    "administrator",
    "external",
    "bot",
    "ghost",
    "with images",
    "from the directory",
    "with empty profile",
];

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "case only" | "empty" | "too long" | "on" | "off" | "a user's" | "own second")
}

fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": number, "username": format!("p{number}"), "email": format!("p{number}@example.com"), "name": "Pat Lee",
        "bio": "Writes", "location": "Bern", "organization": "Example AG", "note": "since May", "job_title": "Head",
        "preferred_language": "en",
        "emails": [{ "email": format!("second{number}@example.com") },
            { "email": format!("open{number}@example.com"), "confirmed": false }],
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    match kind {
        "blocked" | "ldap_blocked" | "deactivated" | "banned" | "blocked_pending_approval" => set("state", kind.into()),
        "administrator" => set("admin", true.into()),
        "external" => set("external", true.into()),
        "bot" => set("bot", true.into()),
        "ghost" => {
            set("internal", true.into());
            set("username", "ghost".into());
        }
        "with images" => set("container_registry_tags", true.into()),
        "from the directory" => {
            set("identities", json!([{ "provider": "ldapmain", "extern_uid": format!("uid=p{number}") }]));
        }
        "with addresses" => {
            set("public_email", format!("p{number}@example.com").into());
            set("commit_email", format!("second{number}@example.com").into());
        }
        "with empty profile" => {
            for name in ["bio", "location", "organization", "note"] {
                set(name, "".into());
            }
        }
        _ => {}
    }
    user
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "email" => "stand-in@example.com".into(),
        "gitlab.public_email" | "gitlab.commit_email" => "stand-in@example.net".into(),
        _ => "stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "capitals", format!("NEW{number}").as_str()),
        Wish::new("username", "odd but right", format!("N_w-{number}.b").as_str()),
        Wish::new("username", "leading underscore", format!("_{number}").as_str()),
        Wish::new("username", "longest", format!("{number:0>255}").as_str()),
        Wish::new("username", "too long", format!("{number:0>256}").as_str()),
        Wish::new("username", "blank inside", format!("new {number}").as_str()),
        Wish::new("username", "beyond ASCII", format!("ünal{number}").as_str()),
        Wish::new("username", "leading hyphen", format!("-new{number}").as_str()),
        Wish::new("username", "closing dot", format!("new{number}.").as_str()),
        Wish::new("username", "closing .git", format!("new{number}.git").as_str()),
        Wish::new("username", "closing .atom", format!("new{number}.atom").as_str()),
        Wish::new("username", "closing .png", format!("new{number}.png").as_str()),
        Wish::new("username", "closing .md", format!("new{number}.md").as_str()),
        Wish::new("username", "closing .PNG", format!("new{number}.PNG").as_str()),
        Wish::new("username", "admin", "admin"),
        Wish::new("username", "Users", "Users"),
        Wish::new("username", "login", "login"),
        Wish::new("username", "404.html", "404.html"),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "no text", true),
        Wish::new("username", "a user's", "holder").held(),
        Wish::new("username", "a user's in capitals", "Holder").held(),
        Wish::new("username", "a blocked user's", "asleep").held(),
        Wish::new("username", "a group's", "crew").held(),
        Wish::new("username", "a page's", "site").held(),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "capitals", format!("NEW{number}@example.com").as_str()),
        Wish::new("email", "own second", format!("second{number}@example.com").as_str()),
        Wish::new("email", "own unconfirmed", format!("open{number}@example.com").as_str()),
        Wish::new("email", "elsewhere", format!("p{number}@elsewhere.example").as_str()),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "two signs", "a@b@example.com"),
        Wish::new("email", "with a name", format!("Pat <q{number}@example.com>").as_str()),
        Wish::new("email", "brackets", format!("p<{number}>@example.com").as_str()),
        Wish::new("email", "empty label", format!("p{number}@example..com").as_str()),
        Wish::new("email", "comma", format!("p,{number}@example.com").as_str()),
        Wish::new("email", "blank inside", format!("p {number}@example.com").as_str()),
        Wish::new("email", "blanks around", format!(" new{number}@example.com ").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "a user's", "holder@example.com").held(),
        Wish::new("email", "a user's in capitals", "Holder@Example.com").held(),
        Wish::new("email", "a user's second", "holders-second@example.com").held(),
        Wish::new("email", "a blocked user's", "asleep@example.com").held(),
        Wish::new("display_name", "new", "Robin Roe"),
        Wish::new("display_name", "same", "Pat Lee"),
        Wish::new("display_name", "case only", "PAT LEE"),
        Wish::new("display_name", "markup", "Robin <b>Roe</b>"),
        Wish::new("display_name", "lone bracket", "Robin > Roe"),
        Wish::new("display_name", "longest", long("ü", 255).as_str()),
        Wish::new("display_name", "too long", long("ü", 256).as_str()),
        Wish::new("display_name", "blank", "   "),
        Wish::new("display_name", "empty", Value::Empty),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "a word", "yes"),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("locale", "new", "de"),
        Wish::new("position", "new", "Dean"),
        Wish::new("gitlab.job_title", "new", "Dean"),
        Wish::new("gitlab.preferred_language", "new", "de"),
        Wish::new("phone", "new", "+41791234567"),
        Wish::new("mattermost.note", "new", "note"),
        Wish::new("gitlab.commit_email", "private", "_private"),
        Wish::new("gitlab.public_email", "private", "_private"),
    ];
    for name in ["gitlab.public_email", "gitlab.commit_email"] {
        all.extend([
            Wish::new(name, "own", format!("p{number}@example.com").as_str()),
            Wish::new(name, "own in capitals", format!("P{number}@Example.com").as_str()),
            Wish::new(name, "own second", format!("second{number}@example.com").as_str()),
            Wish::new(name, "own unconfirmed", format!("open{number}@example.com").as_str()),
            Wish::new(name, "a stranger's", format!("stranger{number}@example.com").as_str()),
            Wish::new(name, "no address", "nobody"),
            Wish::new(name, "empty", Value::Empty),
        ]);
    }
    for (name, same) in [
        ("gitlab.organization", "Example AG"),
        ("gitlab.location", "Bern"),
        ("gitlab.note", "since May"),
        ("gitlab.bio", "Writes"),
    ] {
        all.extend([
            Wish::new(name, "new", "Robin's <own> words"),
            Wish::new(name, "same", same),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "blanks around", " words "),
        ]);
    }
    all
}

fn cases(accounts: &[&'static str], asked: &dyn Fn(&Wish) -> bool) -> (Vec<Case>, Vec<Json>) {
    let (mut cases, mut users) = (Vec::new(), Vec::new());
    let mut number = 100;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            // There is one ghost, so it gets one wish of which nothing comes.
            if !asked(&wish) || (*account == "ghost" && (wish.attribute.as_str(), wish.like) != ("active", "off")) {
                continue;
            }
            number += 1;
            users.push(user(account, number));
            cases.push(Case { account, id: number.to_string().as_str().into(), wish });
        }
    }
    users.extend(holders());
    (cases, users)
}

fn holders() -> Vec<Json> {
    vec![
        json!({ "username": "holder", "emails": [{ "email": "holders-second@example.com" }] }),
        json!({ "username": "asleep", "state": "blocked" }),
    ]
}

async fn bed(token_kind: &str, options: Json, mut settings: Json, users: Vec<Json>) -> Bed {
    if settings.get("pages_domains").is_none() {
        settings["pages_domains"] = json!(["site"]);
    }
    Bed::made(Bedding {
        kind: &KIND,
        options,
        token_kind,
        seed: json!({ "settings": settings, "groups": [{ "path": "crew" }], "users": users }),
        leader: None,
    })
    .await
}

/// An account that GitLab would let itself be told anything about.
fn plain(account: &Account) -> Account {
    let mut plain = account.clone();
    let active = account.value(&"active".into()) == Value::Bool(true);
    plain.facts.insert("state".to_owned(), if active { "active" } else { "blocked" }.into());
    plain.facts.remove("bot");
    plain.attributes.insert("username".into(), "plain".into());
    plain.server = std::sync::Arc::default();
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
    let bed = bed("personal", options, settings, users).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

#[tokio::test]
async fn gitlab_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let all = |_: &Wish| true;
    let names = |wish: &Wish| wish.attribute == "username";
    let addresses = |wish: &Wish| wish.attribute.ends_with("email");
    let synced = json!({ "synced_attributes": ["name", "email", "location"], "synced_from": "ldapmain" });
    let syncing =
        json!({ "synced_attributes": { "provider": "ldapmain", "attributes": ["name", "email", "location"] } });
    matrix("usual", json!({}), json!({}), ACCOUNTS, &all, &mut report).await;
    matrix("usual", json!({}), json!({}), OTHERS, &brief, &mut report).await;
    matrix("syncing", synced, syncing, &["person", "from the directory"], &all, &mut report).await;
    let strict = json!({ "strict_usernames": true, "redirects_block": true });
    matrix("strict", json!({}), strict, &["person"], &names, &mut report).await;
    let allowed = json!({ "domain_allowlist": ["example.com"] });
    matrix("domains", json!({}), allowed, &["person", "administrator"], &addresses, &mut report).await;
    let denied = json!({ "domain_denylist": ["elsewhere.example"] });
    matrix("denied domains", json!({}), denied, &["person"], &addresses, &mut report).await;
    let new = |wish: &Wish| matches!(wish.like, "new" | "empty" | "on" | "off");
    for version in ["16.11.0", "18.5.0"] {
        matrix(version, json!({}), json!({ "version": version }), &["person", "blocked"], &new, &mut report).await;
    }
    report.settle();
}

/// What every new account starts with.
fn whole(number: u64) -> Vec<Wish> {
    vec![
        Wish::new("username", "new", format!("n{number}").as_str()),
        Wish::new("email", "new", format!("n{number}@example.com").as_str()),
        Wish::new("display_name", "new", "Robin Stand-in"),
        Wish::new("gitlab.note", "new", "begins in May"),
        Wish::new("active", "on", true),
    ]
}

#[tokio::test]
async fn gitlab_creates_what_was_foreseen() {
    let mut report = Report::new(BORN);
    for (name, settings) in [
        ("usual", json!({})),
        ("strict", json!({ "strict_usernames": true })),
        ("domains", json!({ "domain_allowlist": ["example.com"] })),
    ] {
        let bed = bed("personal", json!({}), settings, holders()).await;
        compare_creations(&bed, name, whole, &wishes, &mut report).await;
    }
    report.settle();
}

/// Signing in wakes the deactivated, so a deactivated account is no account switched off for good.
#[tokio::test]
async fn whoever_is_switched_off_by_us_stays_off() {
    let bed = bed("oauth", json!({ "token_kind": "oauth" }), json!({}), vec![user("person", 7)]).await;
    let account = bed.account("7").await;
    let change = bed.change(&account, "active", &false.into());
    assert_eq!(word(&change, &bed.foresee(&account, &change)), "takes");
    assert!(bed.holds(&bed.carry_out(&account, std::slice::from_ref(&change)).await.unwrap(), &change));
    let turned_away = bed.lab("gitlab", "POST", "login/7", &Json::Null).await;
    assert_eq!(turned_away, Err("gitlab refuses the sign-in of `p7`: blocked".to_owned()));
    assert!(bed.holds(&bed.account("7").await, &change));
}

#[tokio::test]
async fn the_account_we_work_with_is_not_blocked() {
    let bed = bed("personal", json!({}), json!({}), Vec::new()).await;
    let cases = [Case { account: "own", id: "1".into(), wish: Wish::new("active", "off", false) }];
    let mut report = Report::new(&[]);
    compare(&bed, "own", &cases, &legal, plain, &mut report).await;
    report.settle();
}

/// What only the person can change is unsupported: asked for all the same, it would be dropped without a word (3.1).
#[tokio::test]
async fn what_is_unsupported_would_be_dropped_without_a_word() {
    let bed = bed("personal", json!({}), json!({}), vec![user("person", 7)]).await;
    for (attribute, remote) in [
        ("gitlab.job_title", "job_title"),
        ("position", "job_title"),
        ("gitlab.preferred_language", "preferred_language"),
        ("locale", "preferred_language"),
    ] {
        let account = bed.account("7").await;
        let change = bed.change(&account, attribute, &"de".into());
        assert_eq!(word(&change, &bed.foresee(&account, &change)), "unsupported", "{attribute}");
        let note = bed.change(&account, "gitlab.note", &"de".into());
        let mut requests = bed.connector.calls(&account, &[note]).unwrap();
        requests[0].body = json!({ remote: "de" });
        let shown = bed.send(&account, std::slice::from_ref(&change), requests).await.unwrap();
        assert_eq!(shown.attributes, account.attributes, "{attribute}");
    }
}
