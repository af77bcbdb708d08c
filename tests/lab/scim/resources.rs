//! Making, showing, replacing and deleting resources (3.3, 3.4.1, 3.5.1, 3.6, 3.12, 3.14).

use serde_json::{Value, json};

use super::server::{ENTERPRISE, GROUP, Server, USER, bad, told};

/// The user of 3.3.
fn barbara() -> Value {
    json!({
        "schemas": [USER],
        "userName": "bjensen",
        "externalId": "bjensen",
        "name": { "formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara" },
    })
}

#[test]
fn a_user_is_made_and_shown_with_what_only_the_server_knows() {
    let server = Server::new(&json!({}));
    let made = server.ask("POST", "/Users", &barbara());
    assert_eq!(made.status, 201, "{}", made.text);
    let user = made.json();
    let id = user["id"].as_str().unwrap();
    let place = format!("{}/Users/{id}", server.url());
    assert_eq!(made.headers["location"], place);
    assert_eq!(made.headers["etag"], "W/\"1\"");
    let mut expected = barbara();
    expected["id"] = id.into();
    expected["meta"] = json!({
        "resourceType": "User", "created": "2026-01-01T00:00:01Z", "lastModified": "2026-01-01T00:00:01Z",
        "location": place, "version": "W/\"1\"",
    });
    assert_eq!(user, expected);
    // The same at every address of the interface (3.4.1).
    for folder in ["", "/v2", "/scim/v2"] {
        assert_eq!(server.get(&format!("{folder}/Users/{id}")), expected);
    }
}

#[test]
fn a_login_is_taken_once_whatever_its_letters() {
    let server = Server::new(&json!({ "people": [{ "userName": "bjensen" }, { "userName": "other", "id": "7" }] }));
    let mut again = barbara();
    again["userName"] = "BJensen".into();
    let taken = (409, Some("uniqueness".to_owned()));
    assert_eq!(told(&server.ask("POST", "/Users", &again)), taken);
    assert_eq!(told(&server.ask("PUT", "/Users/7", &again)), taken);
    assert_eq!(
        told(&server.patch("/Users/7", &json!([{ "op": "replace", "path": "userName", "value": "bjensen" }]))),
        taken
    );
    // Whoever has it may write it otherwise.
    again["userName"] = "OTHER".into();
    assert_eq!(server.ask("PUT", "/Users/7", &again).json()["userName"], "OTHER");
    let exact =
        Server::new(&json!({ "people": [{ "userName": "bjensen" }], "settings": { "case_exact": ["userName"] } }));
    again["userName"] = "BJensen".into();
    assert_eq!(exact.ask("POST", "/Users", &again).status, 201);
}

#[test]
fn what_is_no_user_is_refused() {
    let server = Server::new(&json!({}));
    for (body, word) in [
        (json!({ "userName": "x" }), "invalidSyntax"),
        (json!({ "schemas": [], "userName": "x" }), "invalidSyntax"),
        (json!({ "schemas": ["urn:example"], "userName": "x" }), "invalidValue"),
        (json!({ "schemas": [USER] }), "invalidValue"),
        (json!({ "schemas": [USER], "userName": " " }), "invalidValue"),
        (json!({ "schemas": [USER], "userName": 7 }), "invalidValue"),
        (json!({ "schemas": [USER], "userName": "x", "active": "perhaps" }), "invalidValue"),
        (json!({ "schemas": [USER], "userName": "x", "emails": "x@example.com" }), "invalidValue"),
        (json!({ "schemas": [USER], "userName": "x", "emails": [{ "value": "x" }] }), "invalidValue"),
        (
            json!({ "schemas": [USER], "userName": "x", "emails": [{ "value": "a@x.example", "primary": true },
            { "value": "b@x.example", "primary": true }] }),
            "invalidValue",
        ),
        (json!([]), "invalidSyntax"),
    ] {
        assert_eq!(told(&server.ask("POST", "/Users", &body)), bad(word), "{body}");
    }
    let broken = server.with("POST", "/Users", &[("Content-Type", "text/plain")], &json!({}));
    assert_eq!(told(&broken), (415, None));
}

#[test]
fn names_are_the_same_in_any_letter_case_and_what_is_not_known_is_left_out() {
    let server = Server::new(&json!({}));
    let made = server.ask(
        "POST",
        "/Users",
        &json!({
            "SCHEMAS": [USER.to_uppercase(), ENTERPRISE], "USERNAME": "anna", "Name": { "FAMILYNAME": "Meyer", "mood": "good" },
            "id": "mine", "shoeSize": 42, "nickName": null, "emails": [], "groups": [{ "value": "x" }],
            ENTERPRISE.to_lowercase(): { "Department": "Tours" },
        }),
    );
    let mut user = made.json();
    assert_ne!(user["id"], "mine");
    for own in ["id", "meta"] {
        user.as_object_mut().unwrap().shift_remove(own);
    }
    let expected = json!({ "schemas": [USER, ENTERPRISE], "userName": "anna", "name": { "familyName": "Meyer" },
        ENTERPRISE: { "department": "Tours" } });
    assert_eq!(user, expected);
}

#[test]
fn a_put_replaces_all_but_what_is_not_for_it() {
    let server = Server::new(&json!({
        "people": [{ "id": "7", "userName": "bjensen", "nickName": "Babs", "title": "Guide", "password": "t1meMa$heen",
            "emails": [{ "value": "bjensen@example.com" }] }],
        "groups": [{ "id": "g", "displayName": "Tour Guides", "members": ["bjensen"] }],
    }));
    let answer = server.ask(
        "PUT",
        "/Users/7",
        &json!({ "schemas": [USER], "id": "8", "userName": "bjensen", "roles": [], "title": "Chief", "groups": [],
            "meta": { "version": "x" } }),
    );
    assert_eq!((answer.status, answer.headers["etag"].as_str()), (200, "W/\"2\""));
    let user = answer.json();
    assert_eq!(
        (&user["id"], &user["title"], user.get("nickName"), user.get("emails")),
        (&json!("7"), &json!("Chief"), None, None)
    );
    assert_eq!(user["groups"][0]["value"], "g");
    assert_eq!(user["meta"]["lastModified"], "2026-01-01T00:00:03Z");
    // The same once more is no change.
    let body = json!({ "schemas": [USER], "userName": "bjensen", "title": "Chief" });
    assert_eq!(server.ask("PUT", "/Users/7", &body).headers["etag"], "W/\"2\"");
    assert_eq!(told(&server.ask("PUT", "/Users/nobody", &body)), (404, None));
    server.settings(&json!({ "immutable": ["title"], "required": ["displayName"] }));
    let fixed = json!({ "schemas": [USER], "userName": "bjensen", "displayName": "B", "title": "Other" });
    assert_eq!(told(&server.ask("PUT", "/Users/7", &fixed)), bad("mutability"));
    let lacking = json!({ "schemas": [USER], "userName": "bjensen", "title": "Chief" });
    assert_eq!(told(&server.ask("PUT", "/Users/7", &lacking)), bad("invalidValue"));
}

#[test]
fn who_is_deleted_is_gone_from_everywhere() {
    let server = Server::new(&json!({
        "people": [{ "id": "7", "userName": "anna" }, { "id": "8", "userName": "bea" }],
        "groups": [{ "id": "g", "displayName": "Guides", "members": ["anna", "bea"] }],
    }));
    let gone = server.ask("DELETE", "/Users/7", &Value::Null);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    for method in ["GET", "DELETE"] {
        assert_eq!(told(&server.ask(method, "/Users/7", &Value::Null)), (404, None));
    }
    let members = server.get("/Groups/g")["members"].take();
    assert_eq!(members.as_array().unwrap().iter().map(|member| &member["value"]).collect::<Vec<_>>(), ["8"]);
    let again = server.ask("POST", "/Users", &json!({ "schemas": [USER], "userName": "anna" }));
    assert_eq!(again.status, 201);
}

#[test]
fn a_version_is_a_condition() {
    let server = Server::new(&json!({ "people": [{ "id": "7", "userName": "anna" }] }));
    let etag = server.ask("GET", "/Users/7", &Value::Null).headers["etag"].clone();
    let known = server.with("GET", "/Users/7", &[("If-None-Match", &etag)], &Value::Null);
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    let body = |nick: &str| json!({ "schemas": [USER], "userName": "anna", "nickName": nick });
    let put = |version: &str, nick: &str| server.with("PUT", "/Users/7", &[("If-Match", version)], &body(nick));
    assert_eq!(put(&etag, "a").status, 200);
    assert_eq!(told(&put(&etag, "b")), (412, None));
    assert_eq!(put("*", "c").status, 200);
    assert_eq!(put("\"9\", W/\"3\"", "d").status, 200);
    assert_eq!(server.with("GET", "/Users/7", &[("If-None-Match", &etag)], &Value::Null).status, 200);
    assert_eq!(told(&server.with("DELETE", "/Users/7", &[("If-Match", &etag)], &Value::Null)), (412, None));
    server.settings(&json!({ "etag": false }));
    let plain = server.ask("GET", "/Users/7", &Value::Null);
    assert_eq!((plain.headers.get("etag"), plain.json()["meta"].get("version")), (None, None));
    assert_eq!(put(&etag, "e").status, 200);
}

#[test]
fn a_groups_members_are_somebody_and_her_groups_are_told() {
    let server = Server::new(&json!({ "people": [{ "id": "7", "userName": "anna", "displayName": "Anna M" }] }));
    let body = |members: Value| json!({ "schemas": [GROUP], "displayName": "Tour Guides", "members": members });
    assert_eq!(told(&server.ask("POST", "/Groups", &body(json!([{ "value": "nobody" }])))), bad("invalidValue"));
    let group = server.ask("POST", "/Groups", &body(json!([{ "value": "7", "display": "x" }]))).json();
    let place = format!("{}/Users/7", server.url());
    assert_eq!(group["members"], json!([{ "value": "7", "type": "User", "display": "x", "$ref": place }]));
    let place = format!("{}/Groups/{}", server.url(), group["id"].as_str().unwrap());
    let held = json!([{ "value": group["id"], "$ref": place, "display": "Tour Guides", "type": "direct" }]);
    assert_eq!(server.get("/Users/7")["groups"], held);
}

#[test]
fn whoever_is_not_known_is_told_so_in_one_of_three_ways() {
    let server = Server::new(&json!({}));
    for (stranger, kind) in [
        ("scim", "application/scim+json"),
        ("problem", "application/problem+json"),
        ("text", "text/plain; charset=utf-8"),
    ] {
        server.settings(&json!({ "stranger": stranger }));
        for token in ["", "Bearer wrong", "Basic eDp5"] {
            let answer = server.with("GET", "/Users", &[("Authorization", token), ("x", "y")], &Value::Null);
            assert_eq!((answer.status, answer.headers["content-type"].as_str()), (401, kind), "{token}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    server.settings(&json!({ "only_reads": true }));
    assert_eq!(told(&server.ask("POST", "/Users", &json!({}))), (403, None));
    assert_eq!(server.ask("GET", "/Users", &Value::Null).status, 200);
}

#[test]
fn a_seed_and_settings_that_are_wrong_name_the_field() {
    let server =
        Server::new(&json!({ "people": [{ "id": "7", "userName": "anna", "name": { "givenName": "Anna" } }] }));
    server.lab(
        "POST",
        "meddle/anna",
        &json!({ "title": "Chief", "name": { "familyName": "Meyer" }, "nickName": null }),
    );
    let user = server.get("/Users/7");
    assert_eq!(
        (&user["title"], &user["name"]),
        (&json!("Chief"), &json!({ "givenName": "Anna", "familyName": "Meyer" }))
    );
    assert_eq!(server.lab("POST", "login/7", &json!({})), json!({ "id": "7", "username": "anna", "changed": [] }));
    let state = server.lab("GET", "state", &Value::Null);
    assert_eq!(state["users"]["7"]["version"], 2);
}
