//! Rights (3): what each role reads, and what it cannot write.

use serde_json::{Value, json};

use super::site::{Site, column, error, expect};

/// Anna 1 has posts, Ben 2 has none, our account is 3.
fn site(rights: &str) -> Site {
    let people = json!([{ "username": "anna", "posts": true }, { "username": "ben" }]);
    Site::new(&json!({ "people": people, "settings": { "rights": rights } }))
}

const ALL: [&str; 3] = ["anna", "ben", "homeward"];

#[test]
fn an_administrator_reads_everybody() {
    let site = site("administrator");
    let list = site.get("/users?context=edit&orderby=id");
    assert_eq!(column(&list, "username"), json!(ALL));
    assert_eq!((list.headers["x-wp-total"].as_str(), list.headers["allow"].as_str()), ("3", "GET, POST"));
    let one = site.get("/users/2?context=edit");
    assert_eq!((one.status, &one.json()["email"]), (200, &json!("ben@example.com")));
    assert_eq!(one.headers["allow"], "GET, POST, PUT, PATCH, DELETE");
    assert_eq!(column(&site.get("/users?orderby=id"), "slug"), json!(ALL));
}

#[test]
fn list_users_alone_gives_totals_and_no_rows_but_ones_own() {
    let site = site("list_only");
    let list = site.get("/users?context=edit&per_page=2&orderby=id");
    expect(&list, 200, &json!([]));
    assert_eq!((list.headers["x-wp-total"].as_str(), list.headers["x-wp-totalpages"].as_str()), ("3", "2"));
    // Everybody may edit herself, and so sees her own row where it comes.
    assert_eq!(column(&site.get("/users?context=edit&per_page=2&orderby=id&page=2"), "username"), json!(["homeward"]));
    assert_eq!(column(&site.get("/users?orderby=id"), "slug"), json!(ALL));
    assert!(site.get("/users?orderby=id").json()[1].get("email").is_none());
    let refused = error(403, "rest_forbidden_context", "Sorry, you are not allowed to edit this user.");
    expect(&site.get("/users/2?context=edit"), 403, &refused);
    assert_eq!(site.get("/users/2").json()["slug"], "ben");
}

#[test]
fn without_list_users_only_those_with_posts_are_seen() {
    for rights in ["editor", "subscriber"] {
        let site = site(rights);
        let refused = error(403, "rest_forbidden_context", "Sorry, you are not allowed to edit users.");
        expect(&site.get("/users?context=edit"), 403, &refused);
        assert_eq!(column(&site.get("/users"), "slug"), json!(["anna"]));
        let refused = error(403, "rest_forbidden_context", "Sorry, you are not allowed to edit this user.");
        expect(&site.get("/users/1?context=edit"), 403, &refused);
        let refused = error(403, "rest_user_cannot_view", "Sorry, you are not allowed to list users.");
        expect(&site.get("/users/2"), 403, &refused);
        for query in ["roles=author", "capabilities=edit_posts"] {
            let answer = site.get(&format!("/users?{query}"));
            assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("rest_user_cannot_view")), "{query}");
        }
        for order in ["email", "registered_date"] {
            let answer = site.get(&format!("/users?orderby={order}"));
            let message = "Sorry, you are not allowed to order users by this parameter.";
            expect(&answer, 403, &error(403, "rest_forbidden_orderby", message));
        }
    }
}

#[test]
fn nobody_is_refused_with_401_where_somebody_is_with_403() {
    let site = site("administrator");
    for (target, code) in [
        ("/users?context=edit", "rest_forbidden_context"),
        ("/users?roles=author", "rest_user_cannot_view"),
        ("/users?orderby=email", "rest_forbidden_orderby"),
        ("/users/1?context=edit", "rest_forbidden_context"),
        ("/users/2", "rest_user_cannot_view"),
    ] {
        let answer = site.get_as_nobody(target);
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["code"], &body["data"]["status"]),
            (401, &json!(code), &json!(401)),
            "{target}"
        );
    }
    assert_eq!(site.get_as_nobody("/users/1").json()["slug"], "anna");
}

#[test]
fn list_users_and_edit_users_read_all_and_write_much() {
    let site = site("sync");
    assert_eq!(column(&site.get("/users?context=edit&orderby=id"), "username"), json!(ALL));
    let body = json!({ "username": "x", "email": "x@example.com", "password": "x" });
    let refused = error(403, "rest_cannot_create_user", "Sorry, you are not allowed to create new users.");
    expect(&site.post("/users", &body), 403, &refused);
    let refused = error(403, "rest_cannot_edit_roles", "Sorry, you are not allowed to edit roles of this user.");
    expect(&site.post("/users/2", &json!({ "roles": ["editor"] })), 403, &refused);
    let refused = error(403, "rest_user_cannot_delete", "Sorry, you are not allowed to delete this user.");
    expect(&site.delete("/users/2?force=true&reassign=1"), 403, &refused);
    assert_eq!(site.post("/users/2", &json!({ "password": "hijacked" })).status, 200);
    assert_eq!(site.state()["mails"], json!([{ "about": "password_changed", "to": "ben@example.com" }]));
}

#[test]
fn the_reading_role_reads_all_and_changes_nobody_else() {
    let site = site("reader");
    assert_eq!(column(&site.get("/users?context=edit&orderby=id"), "username"), json!(ALL));
    assert_eq!(site.get("/users/2?context=edit").json()["email"], "ben@example.com");
    let head = site.ask("HEAD", "/wp-json/wp/v2/users?context=edit", &Value::Null);
    assert_eq!((head.status, head.headers["x-wp-total"].as_str()), (200, "3"));
    // The rights are lent for looking, and are nobody's capabilities.
    let me = site.get("/users/me?context=edit").json();
    assert_eq!(me["capabilities"], json!({ "read": true, "homeward_read": true, "homeward_reader": true }));

    let before = site.state();
    let edit = error(403, "rest_cannot_edit", "Sorry, you are not allowed to edit this user.");
    let delete = error(403, "rest_user_cannot_delete", "Sorry, you are not allowed to delete this user.");
    let authorization = site.basic("homeward");
    let ours = ("Authorization", authorization.as_str());
    let users = "/wp-json/wp/v2/users/2";
    expect(&site.post("/users/2", &json!({ "name": "x" })), 403, &edit);
    expect(&site.ask("PUT", users, &json!({ "name": "x" })), 403, &edit);
    expect(&site.delete("/users/2?force=true&reassign=1"), 403, &delete);
    expect(&site.ask("GET", &format!("{users}?_method=DELETE&force=true&reassign=1"), &Value::Null), 403, &delete);
    let override_ = [ours, ("X-HTTP-Method-Override", "DELETE")];
    let target = format!("{users}?force=true&reassign=1");
    expect(&site.ask_with("GET", &target, &override_, &Value::Null), 403, &delete);
    let body = json!({ "username": "x", "email": "x@example.com", "password": "x" });
    assert_eq!(site.post("/users", &body).json()["code"], "rest_cannot_create_user");
    assert_eq!(site.state(), before);
}
