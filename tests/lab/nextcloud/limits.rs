//! Limits (6).

use serde_json::{Value, json};

use super::server::{Server, USERS, anna, basic, told};

#[test]
fn an_account_makes_fifty_edits_of_whomever_and_failed_ones_count() {
    let server = Server::new(&json!({}), &json!([anna(), { "id": "bea", "app_password": "bea-app" }]));
    for at in 0..25 {
        assert_eq!(server.edit("anna", "role", &format!("cook {at}")), (200, 200));
        assert_eq!(server.edit("bea", "nickname", "x"), (400, 113));
    }
    let body = json!({ "key": "role", "value": "x" });
    for path in
        [format!("{USERS}/anna"), format!("{USERS}/nobody?format=json"), "/ocs/v1.php/cloud/users/anna".to_owned()]
    {
        let answer = server.ask("PUT", &path, &body);
        assert_eq!((answer.status, answer.text.as_str()), (429, ""), "{path}");
        assert!(!answer.headers.contains_key("retry-after"));
    }
    let login = basic("homeward", &server.token());
    let page = [("Authorization", login.as_str()), ("OCS-APIRequest", "true"), ("Accept", "text/html")];
    let answer = server.ask_with("PUT", &format!("{USERS}/anna"), &page, &body);
    assert_eq!((answer.status, answer.text.starts_with("<!DOCTYPE html>")), (429, true));
    // Nothing else is counted, and nobody else.
    assert_eq!(told(&server.get(&format!("{USERS}/anna"))), (200, 200));
    assert_eq!(told(&server.ask("PUT", &format!("{USERS}/anna/disable"), &Value::Null)), (200, 200));
    assert_eq!(told(&server.ask("POST", &format!("{USERS}/anna/groups"), &json!({ "groupid": "crew" }))), (200, 200));
    let herself = server.ask_as("bea", "bea-app", "PUT", &format!("{USERS}/bea"), &body);
    assert_eq!(told(&herself), (200, 200));
    server.set(&json!({ "edit_limit": null }));
    assert_eq!(server.edit("anna", "role", "x"), (200, 200));
}

#[test]
fn the_edit_of_one_of_several_values_has_a_limit_of_its_own() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let body = json!({ "key": "x@example.com", "value": "" });
    for _ in 0..5 {
        let answer = server.ask("PUT", &format!("{USERS}/anna/additional_mail"), &body);
        assert_eq!(told(&answer), (400, 102));
    }
    assert_eq!(server.ask("PUT", &format!("{USERS}/anna/additional_mail"), &body).status, 429);
    assert_eq!(server.edit("anna", "role", "x"), (200, 200));
}

#[test]
fn the_window_slides() {
    let server = Server::new(&json!({ "edit_limit": { "limit": 1, "period_ms": 40 } }), &json!([anna()]));
    assert_eq!(server.edit("anna", "role", "x"), (200, 200));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let answer = server.ask("PUT", &format!("{USERS}/anna"), &json!({ "key": "role", "value": "y" }));
        if answer.status == 200 {
            break;
        }
        assert_eq!((answer.status, answer.text.as_str()), (429, ""));
        assert!(std::time::Instant::now() < until, "it never came back");
    }
    assert_eq!(server.user("anna")["profile"]["role"], "y");
}
