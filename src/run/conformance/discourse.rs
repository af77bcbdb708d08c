//! The matrix of Discourse: what is foretold, held against what its simulator does (`discourse.md` 4 to 9).

use super::*;
use crate::connector::discourse::KIND;

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[];

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
    "with a letter under way",
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
        "with a letter under way" => {
            set("unconfirmed_emails", json!([format!("new{number}@example.com")]));
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
    matrix("usual", json!({}), json!({}), &["person"], &|_| true, &mut report).await;
    matrix("usual", json!({}), json!({}), &ACCOUNTS[1..], &brief, &mut report).await;
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
    let people = &["linked", "person"];
    matrix("connected", connected, with_secret, people, &identity, &mut report).await;
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
