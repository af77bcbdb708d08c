//! Writing (6): what acts, what is refused, and what is said and not done.

use serde_json::{Value, json};

use super::site::{Site, error, expect};

/// Anna 1 and Ben 2 are ordinary, our account is 3.
fn site() -> Site {
    Site::new(&json!({
        "meta_keys": ["office"],
        "people": [
            { "username": "anna", "email": "anna@example.com", "first_name": "Anna", "roles": ["author"] },
            { "username": "ben", "email": "Ben@example.com" },
        ],
    }))
}

/// Fields that a write changed in the stored user, with their new values.
fn changed(site: &Site, id: u64, body: &Value) -> (u16, Value) {
    let before = site.user(id);
    let status = site.post(&format!("/users/{id}"), body).status;
    let after = site.user(id);
    let different = after.as_object().unwrap().iter().filter(|(key, value)| before[*key] != **value);
    (status, Value::Object(different.map(|(key, value)| (key.clone(), value.clone())).collect()))
}

#[test]
fn the_answer_to_a_write_is_the_user_as_an_editor_sees_her() {
    let site = site();
    let answer = site.post("/users/1", &json!({ "last_name": "Berg", "name": "Anna Berg" }));
    expect(&answer, 200, &site.get("/users/1?context=edit").json());
    assert_eq!(answer.json()["name"], "Anna Berg");
    for method in ["PUT", "PATCH"] {
        let answer = site.ask(method, "/wp-json/wp/v2/users/1?_fields=name", &json!({ "name": method }));
        expect(&answer, 200, &json!({ "name": method }));
    }
    let answer = site.ask("POST", "/wp-json/wp/v2/users/me?_fields=id", &json!({ "description": "robot" }));
    expect(&answer, 200, &json!({ "id": 3 }));
}

#[test]
fn every_field_that_can_be_written_is_stored() {
    let site = site();
    let body = json!({
        "name": "A. Berg", "first_name": "A.", "last_name": "Berg", "nickname": "annie", "email": "a@example.org",
        "url": "https://a.example.com", "description": "tea", "locale": "de_DE", "slug": "a-berg",
        "roles": ["editor", "author"], "meta": { "office": "Malmö" },
    });
    assert_eq!(changed(&site, 1, &body), (200, body));
    // The notice goes to the address she had.
    assert_eq!(site.state()["mails"], json!([{ "about": "email_changed", "to": "anna@example.com" }]));
}

#[test]
fn a_login_is_never_changed() {
    let site = site();
    let refused = error(400, "rest_user_invalid_argument", "Username is not editable.");
    for login in ["anna.b", "Anna"] {
        expect(&site.post("/users/1", &json!({ "username": login, "name": "x" })), 400, &refused);
    }
    assert_eq!(changed(&site, 1, &json!({ "username": "anna", "name": "x" })), (200, json!({ "name": "x" })));
}

#[test]
fn what_others_have_is_refused_in_any_letter_case() {
    let site = site();
    for email in ["Ben@example.com", "bEN@EXAMPLE.com"] {
        let refused = error(400, "rest_user_invalid_email", "Invalid email address.");
        expect(&site.post("/users/1", &json!({ "email": email })), 400, &refused);
    }
    expect(
        &site.post("/users/1", &json!({ "slug": "Ben" })),
        400,
        &error(400, "rest_user_invalid_slug", "Invalid slug."),
    );
    assert_eq!(changed(&site, 2, &json!({ "email": "ben@EXAMPLE.com" })), (200, json!({ "email": "ben@EXAMPLE.com" })));
    assert_eq!(site.state()["mails"], json!([{ "about": "email_changed", "to": "Ben@example.com" }]));
}

#[test]
fn roles_are_replaced_and_an_empty_list_takes_them_all() {
    let site = site();
    assert_eq!(changed(&site, 1, &json!({ "roles": ["editor"] })), (200, json!({ "roles": ["editor"] })));
    assert_eq!(
        changed(&site, 1, &json!({ "roles": "editor,author" })),
        (200, json!({ "roles": ["editor", "author"] }))
    );
    assert_eq!(changed(&site, 1, &json!({ "roles": [] })), (200, json!({ "roles": [] })));
    let refused = error(400, "rest_user_invalid_role", "The role wizard does not exist.");
    expect(&site.post("/users/1", &json!({ "roles": ["wizard"] })), 400, &refused);
    let refused = error(403, "rest_user_invalid_role", "Sorry, you are not allowed to give users that role.");
    expect(&site.post("/users/3", &json!({ "roles": ["editor"] })), 403, &refused);
}

#[test]
fn keys_that_are_not_registered_are_left_out_without_a_word() {
    let site = site();
    assert_eq!(changed(&site, 1, &json!({ "meta": { "shoe_size": "44" } })), (200, json!({})));
    let (status, stored) = changed(&site, 1, &json!({ "name": "x", "meta": { "office": 5 } }));
    // What came before the bad value is stored all the same.
    assert_eq!((status, stored), (400, json!({ "name": "x" })));
}

#[test]
fn names_that_must_not_be_empty_become_the_login() {
    let site = site();
    let body = json!({ "name": "", "nickname": "", "first_name": "" });
    assert_eq!(changed(&site, 1, &json!({ "name": "x", "nickname": "y" })).0, 200);
    assert_eq!(changed(&site, 1, &body), (200, json!({ "name": "anna", "nickname": "anna", "first_name": "" })));
}

#[test]
fn names_are_stored_with_entities_and_addresses_with_a_scheme() {
    let site = site();
    let body = json!({ "name": "R&D <i>x</i>", "url": "a.example.com", "slug": "R & D" });
    let stored = json!({ "name": "R&amp;D x", "url": "http://a.example.com", "slug": "r-d" });
    assert_eq!(changed(&site, 1, &body), (200, stored));
    let long = format!("https://example.com/{}", "a".repeat(100));
    let refused = json!({ "code": "user_url_too_long", "data": null,
        "message": "User URL may not be longer than 100 characters." });
    expect(&site.post("/users/1", &json!({ "url": long })), 500, &refused);
}

#[test]
fn a_form_and_a_query_are_read_like_json() {
    let site = site();
    let authorization = site.basic("homeward");
    let form = [("Authorization", authorization.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let target = "/wp-json/wp/v2/users/1?_fields=name,roles&name=from%20query";
    let body = json!("name=from+form&roles[]=editor");
    let answer = site.ask_with("POST", target, &form, &body);
    expect(&answer, 200, &json!({ "name": "from form", "roles": ["editor"] }));
    let answer = site.ask_with("POST", target, &form[..1], &Value::Null);
    expect(&answer, 200, &json!({ "name": "from query", "roles": ["editor"] }));
    let replaced = [form[0], ("X-HTTP-Method-Override", "GET")];
    let answer = site.ask_with("POST", "/wp-json/wp/v2/users/1?_fields=id", &replaced, &Value::Null);
    expect(&answer, 200, &json!({ "id": 1 }));
}

#[test]
fn creating_gives_a_new_id_a_slug_and_the_usual_role() {
    let site = site();
    let body = json!({ "username": "Ben.x", "email": "x@example.com", "password": "x", "slug": "ben" });
    let made = site.post("/users", &body);
    assert_eq!(made.status, 201);
    assert_eq!(made.headers["location"], format!("{}/wp-json/wp/v2/users/4", site.url()));
    let fields = ["id", "username", "name", "nickname", "slug", "roles", "locale"];
    let shown: Vec<Value> = fields.iter().map(|field| made.json()[field].clone()).collect();
    assert_eq!(json!(shown), json!([4, "Ben.x", "Ben.x", "Ben.x", "ben-2", ["subscriber"], "en_US"]));
    assert_eq!(site.state()["mails"], json!([]));

    let taken = |code: &str, message: &str| json!({ "code": code, "message": message, "data": null });
    let login = taken("existing_user_login", "Sorry, that username already exists!");
    let email = taken("existing_user_email", "Sorry, that email address is already used!");
    let again = |login: &str, email: &str| json!({ "username": login, "email": email, "password": "x" });
    expect(&site.post("/users", &again("BEN.X", "y@example.com")), 500, &login);
    expect(&site.post("/users", &again("y", "X@example.com")), 500, &email);
    let empty = site.post("/users", &json!({ "username": "y", "email": "y@example.com", "password": "" }));
    assert_eq!(empty.json()["data"]["details"]["password"]["code"], "rest_user_invalid_password");
}

#[test]
fn deleting_wants_force_and_an_heir_and_ids_never_come_back() {
    let site = site();
    let missing = site.delete("/users/2?force=true");
    assert_eq!((missing.status, &missing.json()["data"]["params"]), (400, &json!(["reassign"])));
    let message = "Users do not support trashing. Set 'force=true' to delete.";
    expect(&site.delete("/users/2?reassign=1"), 501, &error(501, "rest_trash_not_supported", message));
    for heir in ["2", "99"] {
        let refused = error(400, "rest_user_invalid_reassign", "Invalid user ID for reassignment.");
        expect(&site.delete(&format!("/users/2?force=true&reassign={heir}")), 400, &refused);
    }
    let mut previous = site.get("/users/2?context=edit").json();
    previous.as_object_mut().unwrap().shift_remove("_links");
    let deleted = site.delete("/users/2?force=true&reassign=false");
    expect(&deleted, 200, &json!({ "deleted": true, "previous": previous }));
    expect(&site.get("/users/2?context=edit"), 404, &error(404, "rest_user_invalid_id", "Invalid user ID."));
    let body = json!({ "username": "ben", "email": "Ben@example.com", "password": "x" });
    assert_eq!(site.post("/users", &body).json()["id"], 4);
}
