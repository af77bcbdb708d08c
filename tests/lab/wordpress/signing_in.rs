//! Signing in (2): application passwords, and what a mistake looks like.

use serde_json::{Value, json};

use super::site::{Site, basic, column, error, expect};

fn site(settings: &Value) -> Site {
    let people = json!([
        { "username": "author", "posts": true },
        { "username": "homeward", "email": "Robot@Example.com", "roles": ["administrator"] },
    ]);
    Site::new(&json!({ "people": people, "settings": settings }))
}

fn me(site: &Site, authorization: &str) -> (u16, Value) {
    let answer = site.ask_with("GET", "/wp-json/wp/v2/users/me", &[("Authorization", authorization)], &Value::Null);
    let body = answer.json();
    (answer.status, if answer.status == 200 { body["id"].clone() } else { body })
}

#[test]
fn login_or_address_in_any_letter_case_and_a_password_with_spaces_sign_in() {
    let site = site(&json!({}));
    let password = site.world.token("website");
    assert!(password.len() == 24 && password.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{password}");
    let spaced: Vec<&str> = (0..6).map(|part| &password[part * 4..part * 4 + 4]).collect();
    for (login, password) in [
        ("homeward", password.clone()),
        ("HomeWard", password.clone()),
        ("robot@example.com", password.clone()),
        ("homeward", spaced.join(" ")),
    ] {
        assert_eq!(me(&site, &basic(login, &password)), (200, json!(2)), "{login}");
    }
}

#[test]
fn bad_credentials_are_those_of_nobody() {
    let site = site(&json!({}));
    let password = site.world.token("website");
    for wrong in [
        basic("homeward", "wrong"),
        basic("homeward", &password.to_lowercase()),
        basic("author", &password),
        basic("nobody", &password),
        format!("Bearer {password}"),
        "Basic ?".to_owned(),
    ] {
        let nobody = error(401, "rest_not_logged_in", "You are not currently logged in.");
        assert_eq!(me(&site, &wrong), (401, nobody), "{wrong}");
        let list = |query: &str| {
            let target = format!("/wp-json/wp/v2/users{query}");
            site.ask_with("GET", &target, &[("Authorization", &wrong)], &Value::Null)
        };
        let edit = error(401, "rest_forbidden_context", "Sorry, you are not allowed to edit users.");
        expect(&list("?context=edit"), 401, &edit);
        assert_eq!(column(&list(""), "slug"), json!(["author"]));
        assert_eq!(list("").headers["x-wp-total"], "1");
    }
}

#[test]
fn on_plain_http_in_production_credentials_are_not_looked_at() {
    let site = site(&json!({ "application_passwords": false }));
    let index = |site: &Site| site.ask("GET", "/wp-json/?_fields=authentication", &Value::Null).json();
    assert_eq!(index(&site), json!({ "authentication": [] }));
    assert_eq!(site.get("/users/me?context=edit").status, 401);
    assert_eq!(column(&site.get("/users"), "slug"), json!(["author"]));

    site.set(&json!({ "application_passwords": true }));
    let endpoint = format!("{}/wp-admin/authorize-application.php", site.url());
    let offered = json!({ "application-passwords": { "endpoints": { "authorization": endpoint } } });
    assert_eq!(index(&site), json!({ "authentication": offered }));
    assert_eq!(site.get("/users/me?context=edit").json()["id"], 2);
}

#[test]
fn only_signed_in_callers_are_told_to_keep_nothing() {
    let site = site(&json!({}));
    let ours = site.get("/users/me");
    assert_eq!(ours.headers["cache-control"], "no-cache, must-revalidate, max-age=0, no-store, private");
    assert!(!ours.headers.contains_key("vary"));
    let theirs = site.get_as_nobody("/users");
    assert_eq!(theirs.headers["vary"], "Origin");
    for (answer, name) in [(&ours, "etag"), (&ours, "last-modified"), (&theirs, "cache-control")] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

#[test]
fn an_account_that_was_renamed_signs_in_with_its_new_login() {
    let site = site(&json!({}));
    let password = site.world.token("website");
    site.lab("POST", "meddle/homeward", &json!({ "username": "robot" }));
    assert_eq!(me(&site, &basic("homeward", &password)).0, 401);
    assert_eq!(me(&site, &basic("robot", &password)), (200, json!(2)));
}
