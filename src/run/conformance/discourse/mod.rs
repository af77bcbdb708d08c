//! The matrix of Discourse: what is foretold, held against what its simulator does (`discourse.md` 4 to 9).

use super::*;
use crate::connector::discourse::KIND;

mod calls;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["email"],
        values: &["new", "blanks around"],
        foreseen: "takes",
        met: "ineffective",
        why: "asking for the address is all a call can do: it waits for the person, and never counts as done (5)",
    },
    Accepted {
        bed: "waiting",
        accounts: &[],
        attributes: &["email"],
        values: &["new"],
        foreseen: "doomed",
        met: "ineffective",
        why: "it waits already, and a call would end as the first one did: as pending (5)",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username", "email"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "invalid",
        why: "nothing can make it empty, whatever the value; Discourse's way to say so is a missing parameter",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["username"],
        values: &["a group's"],
        foreseen: "takes",
        met: "taken",
        why: "groups are not looked up for every name: the answer decides (4)",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["username"],
        values: &["reserved", "a route"],
        foreseen: "takes",
        met: "invalid",
        why: "which names a site keeps for itself is not shown: the answer decides (4)",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["email"],
        values: &["somebody's second", "blocked"],
        foreseen: "takes",
        met: "invalid",
        why: "neither blocked domains nor further addresses of others are shown: the answer decides (5)",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["discourse.user_field_1"],
        values: &["too long", "the word false"],
        foreseen: "invalid",
        met: "without effect",
        why: "it would be kept as something else (6): the value is at fault, and another one has an effect",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["discourse.user_field_9"],
        values: &[],
        foreseen: "unsupported",
        met: "without effect",
        why: "the site has no such field, so no value would do (6)",
    },
    Accepted {
        bed: "usual",
        accounts: &[],
        attributes: &["discourse.user_field_2"],
        values: &["empty"],
        foreseen: "takes",
        met: "invalid",
        why: "which fields are required is not shown: the answer decides (6)",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["username"],
        values: &["same"],
        foreseen: "unchanged",
        met: "owned_elsewhere",
        why: "nobody asks for what is so",
    },
    Accepted {
        bed: "connected",
        accounts: &["linked"],
        attributes: &["username"],
        values: &["too long"],
        foreseen: "invalid",
        met: "without effect",
        why: "told by the provider, a name that breaks a rule becomes another one (8): the value is at fault",
    },
    Accepted {
        bed: "connected",
        accounts: &["linked"],
        attributes: &["username", "email", "display_name"],
        values: &["empty"],
        foreseen: "unsupported",
        met: "without effect",
        why: "what is said to be empty is passed over (8), whatever it is",
    },
    Accepted {
        bed: "connected, not linked",
        accounts: &[],
        attributes: &[],
        values: &["same"],
        foreseen: "unchanged",
        met: "unsupported",
        why: "nobody asks for what is so",
    },
];

const ACCOUNTS: &[&str] = &[
    "person",
    "administrator",
    "moderator",
    "suspended",
    "inactive",
    "suspended and inactive",
    "staged",
    "waiting",
    "linked",
];

/// Each number is a person; what stands behind it is hers.
fn user(kind: &str, number: u64) -> Json {
    let mut user = json!({
        "id": number, "username": format!("p{number}"), "email": format!("p{number}@example.com"), "name": "Pat Lee",
        "title": "Chief", "locale": "de", "bio": "cooks", "location": "Bern", "website": "https://example.com/pat",
        "user_fields": { "1": "first", "2": "second", "3": "Kitchen" },
    });
    let mut set = |name: &str, value: Json| user[name] = value;
    match kind {
        "administrator" => set("admin", true.into()),
        "moderator" => set("moderator", true.into()),
        "suspended" => set("suspended", true.into()),
        "inactive" => set("active", false.into()),
        "suspended and inactive" => {
            set("suspended", true.into());
            set("active", false.into());
        }
        "staged" => {
            set("staged", true.into());
            set("active", false.into());
        }
        "waiting" => set("approved", false.into()),
        "linked" => set("external_id", format!("ext{number}").into()),
        "with a second address" => set("secondary_emails", json!([format!("Second{number}@example.com")])),
        "with a letter under way" => {
            // An older one first: a letter was sent for each of them.
            let waiting = [format!("new{number}@example.com"), format!("later{number}@example.com")];
            set("unconfirmed_emails", json!(waiting));
        }
        _ => {}
    }
    user
}

fn legal(attribute: &str) -> Value {
    match attribute {
        "username" => "stand-in".into(),
        "email" => "stand-in@example.com".into(),
        name if name.ends_with(']') => "member".into(),
        _ => "a stand-in".into(),
    }
}

/// Everything that may be wished for, for the account with this number.
fn wishes(number: u64) -> Vec<Wish> {
    let mut all = vec![
        Wish::new("username", "new", format!("new{number}").as_str()),
        Wish::new("username", "same", format!("p{number}").as_str()),
        Wish::new("username", "case only", format!("P{number}").as_str()),
        Wish::new("username", "shortest", "a-b"),
        Wish::new("username", "longest", format!("l{number:0>19}").as_str()),
        Wish::new("username", "too short", "ab"),
        Wish::new("username", "too long", format!("l{number:0>20}").as_str()),
        Wish::new("username", "blank inside", format!("p {number}").as_str()),
        Wish::new("username", "beyond ASCII", format!("ü{number}").as_str()),
        Wish::new("username", "dot first", format!(".p{number}").as_str()),
        Wish::new("username", "dash last", format!("q{number}-").as_str()),
        Wish::new("username", "two signs", format!("q{number}._x").as_str()),
        Wish::new("username", "like a file", format!("q{number}.png").as_str()),
        Wish::new("username", "somebody's", "Holder").held(),
        Wish::new("username", "a group's", "crew"),
        Wish::new("username", "reserved", "moderator"),
        Wish::new("username", "a route", "by-external"),
        Wish::new("username", "empty", Value::Empty),
        Wish::new("username", "no text", true),
        Wish::new("email", "new", format!("new{number}@example.com").as_str()),
        Wish::new("email", "same", format!("p{number}@example.com").as_str()),
        Wish::new("email", "case only", format!("P{number}@Example.com").as_str()),
        Wish::new("email", "blanks around", format!(" other{number}@example.com ").as_str()),
        Wish::new("email", "somebody's", "holder@example.com").held(),
        Wish::new("email", "somebody's second", "second@example.com"),
        Wish::new("email", "her own second", format!("second{number}@example.com").as_str()),
        Wish::new("email", "a staged one's", "mailer@example.com").held(),
        Wish::new("email", "blocked", format!("p{number}@blocked.example").as_str()),
        Wish::new("email", "no address", "nobody"),
        Wish::new("email", "no domain", format!("q{number}@example").as_str()),
        Wish::new("email", "empty label", format!("q{number}@example..com").as_str()),
        Wish::new("email", "empty", Value::Empty),
        Wish::new("email", "no text", true),
        Wish::new("display_name", "longest", long("ü", 255).as_str()),
        Wish::new("display_name", "too long", long("ü", 256).as_str()),
        Wish::new("display_name", "same", "Pat Lee"),
        Wish::new("active", "on", true),
        Wish::new("active", "off", false),
        Wish::new("active", "empty", Value::Empty),
        Wish::new("active", "no switch", "yes"),
        Wish::new("discourse.user_field_1", "too long", long("x", 2049).as_str()),
        Wish::new("discourse.user_field_1", "the word false", "false"),
        Wish::new("discourse.user_field_9", "of no field", "x"),
        Wish::new("phone", "new", "+41791234567"),
        Wish::new("discourse.note", "new", "x"),
        Wish::new("gitlab.note", "new", "x"),
        Wish::new("discourse.groups", "the whole set", "crew"),
    ];
    for name in [
        "display_name",
        "locale",
        "department",
        "discourse.title",
        "discourse.bio",
        "discourse.location",
        "discourse.website",
        "discourse.user_field_1",
        "discourse.user_field_2",
    ] {
        all.extend([
            Wish::new(name, "new", "Władysław <b>Dvořák</b> & Söhne"),
            Wish::new(name, "empty", Value::Empty),
            Wish::new(name, "no text", true),
        ]);
    }
    all
}

/// One wish of each kind.
fn brief(wish: &Wish) -> bool {
    matches!(wish.like, "new" | "same" | "empty" | "on" | "off" | "somebody's" | "too long")
}

/// What can differ from account to account.
fn few(wish: &Wish) -> bool {
    let is_one =
        matches!(wish.attribute.as_str(), "active" | "username" | "email" | "display_name" | "discourse.title");
    is_one && matches!(wish.like, "new" | "on" | "off" | "same")
}

fn seed(settings: &Json, mut users: Vec<Json>) -> Json {
    let mut all = json!({ "max_admin_api_reqs_per_minute": 0, "blocked_email_domains": ["blocked.example"] });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    users.extend([
        json!({ "id": 50, "username": "holder", "secondary_emails": ["second@example.com"] }),
        json!({ "id": 51, "username": "mailer", "staged": true, "active": false }),
    ]);
    json!({
        "settings": all, "users": users, "groups": [{ "id": 60, "name": "crew", "members": ["holder"] }],
        "user_fields": [{ "id": 1, "name": "One" }, { "id": 2, "name": "Two", "required": true },
            { "id": 3, "name": "Department" }],
    })
}

async fn bed(settings: &Json, options: Json, users: Vec<Json>) -> Bed {
    let seed = seed(settings, users);
    Bed::made(Bedding { kind: &KIND, options, token_kind: "personal", seed, leader: None }).await
}

/// The settings of the connector that go with everything.
fn options(more: &Json) -> Json {
    let mut all = json!({ "username": "homeward", "profile": true, "user_fields": { "department": 3 } });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// An account at a site that lets everything be changed.
fn plain(account: &Account) -> Account {
    let mut plain = account.clone();
    plain.facts.retain(|name, _| !name.starts_with("can_"));
    let server = account.server.iter().filter(|(name, _)| !name.starts_with("can_"));
    plain.server = std::sync::Arc::new(server.map(|(name, value)| (name.clone(), value.clone())).collect());
    plain
}

async fn matrix(
    name: &str,
    settings: Json,
    more: Json,
    accounts: &[&'static str],
    asked: &dyn Fn(&Wish) -> bool,
    report: &mut Report,
) {
    let (mut cases, mut users) = (Vec::new(), Vec::new());
    let mut number = 100;
    for account in accounts {
        for at in 0..wishes(0).len() {
            let wish = wishes(number + 1).swap_remove(at);
            if asked(&wish) {
                number += 1;
                users.push(user(account, number));
                cases.push(Case { account, id: number.to_string().into(), wish });
            }
        }
    }
    let bed = bed(&settings, options(&more), users).await;
    compare(&bed, name, &cases, &legal, plain, report).await;
}

#[tokio::test]
async fn discourse_does_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let second = |wish: &Wish| wish.like == "her own second";
    matrix("usual", json!({}), json!({}), &["person"], &|wish| !second(wish), &mut report).await;
    matrix("usual", json!({}), json!({}), &["with a second address"], &second, &mut report).await;
    matrix("usual", json!({}), json!({}), &ACCOUNTS[1..], &few, &mut report).await;
    // So few that what waits, and who is linked, is looked at.
    let letter = |wish: &Wish| wish.attribute == "email" && wish.like == "new";
    matrix("waiting", json!({}), json!({}), &["with a letter under way"], &letter, &mut report).await;
    let identity =
        |wish: &Wish| matches!(wish.attribute.as_str(), "username" | "email" | "display_name") && brief(wish);
    let locked = json!({ "auth_overrides_email": true, "auth_overrides_username": true, "auth_overrides_name": true });
    matrix("locked, and nobody said so", locked.clone(), json!({}), &["person"], &identity, &mut report).await;
    let said = json!({ "auth_overrides": ["email", "username", "name"] });
    matrix("locked", locked.clone(), said.clone(), &["person", "administrator"], &identity, &mut report).await;
    let mut connected = locked.clone();
    connected["enable_discourse_connect"] = true.into();
    let mut with_secret = said.clone();
    with_secret["discourse_connect_secret"] = "lab".into();
    matrix("connected", connected.clone(), with_secret.clone(), &["linked"], &identity, &mut report).await;
    // More than are asked for one by one: of each it has to be known all the same.
    matrix("connected, not linked", connected, with_secret, &["person"], &identity, &mut report).await;
    let off = json!({ "email_editable": false, "enable_names": false });
    matrix("switched off", off, json!({}), &["person"], &identity, &mut report).await;
    let profiles = json!({
        "enable_discourse_connect": true, "discourse_connect_overrides_bio": true,
        "discourse_connect_overrides_location": true, "discourse_connect_overrides_website": true,
    });
    let of_profile = |wish: &Wish| wish.attribute.starts_with("discourse.") && wish.like == "new";
    matrix("profiles of the provider", profiles, json!({}), &["person"], &of_profile, &mut report).await;
    let hidden = json!({ "hide_email_address_taken": true });
    let taken = |wish: &Wish| wish.attribute == "email" && wish.held;
    matrix("hiding", hidden, json!({}), &["person"], &taken, &mut report).await;
    report.settle();
}
