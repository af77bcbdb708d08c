//! Errors (5): the rows of the table that the other files do not have.

use serde_json::{Value, json};

use super::site::{Site, error, expect};

fn site() -> Site {
    Site::new(&json!({ "people": [{ "username": "anna", "email": "anna@example.com" }, { "username": "ben" }] }))
}

#[test]
fn a_body_that_is_no_json_is_refused_before_anything_else() {
    let site = site();
    let body = json!({ "code": "rest_invalid_json", "message": "Invalid JSON body passed.",
        "data": { "status": 400, "json_error_code": 4, "json_error_message": "Syntax error" } });
    expect(&site.post("/users/1", &json!("{\"email\": ")), 400, &body);
    expect(&site.ask_with("POST", "/wp-json/wp/v2/users/99", &[], &json!("{")), 400, &body);
}

#[test]
fn what_is_missing_or_invalid_is_told_before_rights_are_asked_for() {
    let site = site();
    let missing = site.ask_with("POST", "/wp-json/wp/v2/users", &[], &json!({ "username": "x" }));
    let body = json!({ "code": "rest_missing_callback_param", "message": "Missing parameter(s): email, password",
        "data": { "status": 400, "params": ["email", "password"] } });
    expect(&missing, 400, &body);
    let invalid = site.post("/users/1", &json!({ "email": "x", "locale": "xx", "name": 5, "roles": 7 }));
    assert_eq!(invalid.status, 400);
    assert_eq!(invalid.json()["message"], "Invalid parameter(s): name, email, locale, roles");
    assert_eq!(
        invalid.json()["data"]["params"],
        json!({
            "name": "name is not of type string.",
            "email": "Invalid email address.",
            "locale": "locale is not one of , en_US, and de_DE.",
            "roles": "roles is not of type array.",
        })
    );
}

#[test]
fn users_that_are_not_there_are_not_found_by_any_method() {
    let site = site();
    let none = error(404, "rest_user_invalid_id", "Invalid user ID.");
    for id in ["0", "99", "99999999999999999999999"] {
        expect(&site.get(&format!("/users/{id}?context=edit")), 404, &none);
        expect(&site.post(&format!("/users/{id}"), &json!({ "name": "x" })), 404, &none);
        expect(&site.delete(&format!("/users/{id}?force=true&reassign=false")), 404, &none);
    }
}

#[test]
fn nobody_writes() {
    let site = site();
    let before = site.state();
    for (method, target, body, code) in [
        ("POST", "/users/1", json!({ "name": "x" }), "rest_cannot_edit"),
        ("POST", "/users/1", json!({ "roles": ["editor"] }), "rest_cannot_edit_roles"),
        ("DELETE", "/users/1?force=true&reassign=2", Value::Null, "rest_user_cannot_delete"),
        (
            "POST",
            "/users",
            json!({ "username": "x", "email": "x@example.com", "password": "x" }),
            "rest_cannot_create_user",
        ),
    ] {
        let answer = site.ask_with(method, &format!("/wp-json/wp/v2{target}"), &[], &body);
        assert_eq!((answer.status, &answer.json()["code"]), (401, &json!(code)), "{method} {target}");
    }
    assert_eq!(site.state(), before);
}

#[test]
fn a_site_under_maintenance_or_without_its_database_answers_nothing_else() {
    let site = site();
    let died = |status: u16, message: &str| json!({ "code": "wp_die", "message": message, "data": { "status": status }, "additional_errors": [] });
    site.set(&json!({ "maintenance": true }));
    let message = "Briefly unavailable for scheduled maintenance. Check back in a minute.";
    for target in ["/wp-json/wp/v2/users?context=edit", "/wp-json/", "/", "/?rest_route=/wp/v2/users"] {
        let answer = site.ask("GET", target, &Value::Null);
        expect(&answer, 503, &died(503, message));
        assert_eq!(answer.headers["retry-after"], "600");
    }
    site.set(&json!({ "maintenance": false, "database_down": true }));
    let answer = site.get("/users/me?context=edit");
    expect(&answer, 500, &died(500, "<h1>Error establishing a database connection</h1>"));
    assert!(!answer.headers.contains_key("retry-after"));
    let page = site.ask_with("GET", "/wp-json/", &[("Accept", "*/*")], &Value::Null);
    assert_eq!((page.status, page.headers["content-type"].as_str()), (500, "text/html; charset=UTF-8"));
    site.set(&json!({ "database_down": false }));
    assert_eq!(site.get("/users/me?context=edit").status, 200);
}
