//! Seeds, state, and the lab's own routes.

use serde_json::{Value, json};

use super::site::Site;

#[test]
fn meddling_changes_what_is_stored_and_names_what_it_cannot_do() {
    let site =
        Site::new(&json!({ "meta_keys": ["office"], "people": [{ "username": "anna" }, { "username": "ben" }] }));
    site.lab("POST", "meddle/ANNA", &json!({ "username": "Anna.B", "name": "R&D", "meta": { "office": "Malmö" } }));
    let anna = site.user(1);
    assert_eq!(
        json!([anna["username"], anna["slug"], anna["name"], anna["meta"]]),
        json!([
            "Anna.B", "anna", "R&amp;D", { "office": "Malmö" },
        ])
    );
    for (user, fields, cause) in [
        ("nobody", json!({}), "nobody is called `nobody`"),
        ("1", json!({ "id": 5 }), "user.id: it never changes"),
        ("1", json!({ "username": "BEN" }), "user.username: it is empty, or somebody else has it"),
        ("1", json!({ "email": "BEN@example.com" }), "user.email: somebody else has it"),
        ("1", json!({ "slug": "ben" }), "user.slug: somebody else has it"),
        ("1", json!({ "roles": ["king"] }), "user.roles: the site has no role `king`"),
        ("1", json!({ "meta": { "shoe": "1" } }), "user.meta.shoe: it is not among `meta_keys`"),
    ] {
        let answer = site.ask("POST", &format!("/_lab/meddle/{user}"), &fields);
        assert_eq!((answer.status, answer.json()), (400, json!({ "error": cause })));
    }
    // Who writes SQL from outside can break what WordPress keeps.
    site.lab("POST", "meddle/1", &json!({ "email": "BEN@example.com", "events": false }));
    assert_eq!(site.user(1)["email"], "BEN@example.com");
}

#[test]
fn the_state_holds_no_secret() {
    let secret = super::receiver::SECRET;
    let settings = json!({ "webhook": { "url": "http://127.0.0.1:1/", "secret": secret } });
    let site = Site::new(&json!({ "settings": settings }));
    let state = site.state().to_string();
    assert!(!state.contains("whsec_") && !state.contains(&site.world.token("website")), "{state}");
}

#[test]
fn people_of_the_lab_are_checked_like_those_of_a_seed() {
    let site = Site::new(&json!({}));
    for (fields, cause) in [
        (json!({}), "user.username: a user needs one"),
        (json!({ "username": "a", "id": 7 }), "user.id: the site gives it"),
        (json!({ "username": "Homeward" }), "user.username: it is empty, or somebody else has it"),
    ] {
        let answer = site.ask("POST", "/_lab/users", &fields);
        assert_eq!((answer.status, answer.json()), (400, json!({ "error": cause })));
    }
    let answer = site.ask("DELETE", "/_lab/users/9", &Value::Null);
    assert_eq!((answer.status, answer.json()), (400, json!({ "error": "nobody is called `9`" })));
}

#[test]
fn signing_in_tells_who_it_was_and_changes_nothing() {
    let site = Site::new(&json!({ "people": [{ "username": "anna", "name": "Anna Berg" }] }));
    let before = site.state();
    let told = site.lab("POST", "login/anna", &Value::Null);
    assert_eq!(
        told,
        json!({ "id": 1, "username": "anna", "email": "anna@example.com", "name": "Anna Berg", "changed": [] })
    );
    assert_eq!(site.state(), before);
}

#[test]
fn invented_people_come_after_those_of_the_seed() {
    let site = Site::with_people(&json!({ "people": [{ "username": "person000002" }] }), 3);
    let users = site.state()["users"].clone();
    let logins: Vec<&Value> = users.as_object().unwrap().values().map(|user| &user["username"]).collect();
    assert_eq!(json!(logins), json!(["person000002", "homeward", "person000001", "person000003"]));
    assert_eq!(users["3"]["name"], "Björn Andersen");
}
