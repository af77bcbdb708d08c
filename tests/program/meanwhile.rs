//! Accounts that somebody else makes between a plan and its end: nobody gets a second one.

use crate::common::{World, journey::outcomes};
use serde_json::{Value, json};

const RULES: &str = "owner([\"username\", \"email\", \"first_name\", \"last_name\"], \"hr\");
copies([\"username\", \"email\", \"first_name\", \"last_name\"], \"zitadel\");
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username, first_name: row.first, last_name: \"Berg\" });
join(\"zitadel\", \"email\");
account(\"zitadel\", |person| person.email != ());
";

const SETTINGS: &str = "[systems.hr]
kind = \"csv\"
key = \"id\"
coverage = \"partial\"
[systems.zitadel]
kind = \"zitadel\"
url = \"https://zitadel.example.com\"
token = { env = \"TOKEN\" }
organization = \"org1\"
";

fn world(rows: &str) -> World {
    let seed = json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": [] });
    let mut world = World::new()
        .file("homeward.toml", SETTINGS)
        .file("rules/rules.rhai", RULES)
        .file("lab/zitadel.json", &seed.to_string())
        .file("people.csv", &format!("id,email,username,first\n{rows}"));
    world.start_lab(&[]);
    world
}

/// Somebody makes an account by hand: ZITADEL lets several have one address.
fn made_by_hand(world: &World, username: &str, email: &str) {
    let human = json!({ "profile": { "givenName": "Anna", "familyName": "Berg" },
        "email": { "email": email, "isVerified": true } });
    let body = json!({ "organizationId": "org1", "username": username, "human": human });
    let answer = world.ask("zitadel", "POST", "/v2/users/new", &[], &body);
    assert!(answer.status < 300, "{}", answer.text);
}

fn usernames(world: &World) -> Vec<String> {
    let mut names: Vec<String> =
        world.users("zitadel").iter().filter_map(|user| Some(user["username"].as_str()?.to_owned())).collect();
    names.retain(|name| name != "homeward-service");
    names.sort();
    names
}

#[test]
fn whoever_has_been_given_an_account_by_hand_gets_no_second_one() {
    let world = world("1,anna@example.com,anna,Anna\n");
    let plan = world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
    assert_eq!(plan["calls"][0]["expects"], json!({ "email": "anna@example.com", "username": "anna" }));
    made_by_hand(&world, "anna.berg", "Anna@example.com");
    let report = world.json(7, &["apply", "--yes", "plan.json"]);
    let id = world.user("zitadel", "username", "anna.berg")["id"].as_str().map(str::to_owned).unwrap();
    assert_eq!(outcomes(&report), [json!({ "moved": [format!("email, which zitadel:{id} has")] })]);
    assert_eq!(usernames(&world), ["anna.berg"]);
    // Planned again, it is hers.
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(usernames(&world), ["anna"]);
}

#[test]
fn who_shares_an_address_with_somebody_else_gets_an_account_all_the_same() {
    // Two new ones at once, and one more who comes later.
    let world = world("1,family@example.com,anna,Anna\n2,family@example.com,bert,Bert\n");
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(usernames(&world), ["anna", "bert"]);
    world.write("people.csv", b"id,email,username,first\n3,family@example.com,cara,Cara\n");
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(usernames(&world), ["anna", "bert", "cara"]);
    let plan = world.json(0, &["plan", "hr=people.csv"]);
    assert_eq!(plan["calls"], json!([]));
}

#[test]
fn an_account_that_was_said_to_be_somebody_elses_is_in_nobodys_way() {
    let world = world("1,anna@example.com,anna,Anna\n");
    made_by_hand(&world, "namesake", "anna@example.com");
    let id = world.user("zitadel", "username", "namesake")["id"].as_str().map(str::to_owned).unwrap();
    assert_eq!(world.homeward(&["--lab", "unlink", "hr/1", &format!("zitadel:{id}")]).status, 0);
    let report: Value = world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(outcomes(&report), ["done"]);
    assert_eq!(usernames(&world), ["anna", "namesake"]);
}
