//! Making accounts (5).

use serde_json::{Value, json};

use super::server::{Server, USERS, VERSIONS, expect, told};

fn made(server: &Server, fields: &Value) -> (u16, u64) {
    let mut body = json!({ "userid": "new", "password": "a long enough one" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    told(&server.ask("POST", USERS, &body))
}

#[test]
fn a_new_account_holds_what_it_was_given() {
    for version in VERSIONS {
        let server = Server::new(&json!({ "version": version }), &json!([]));
        let body = json!({
            "userid": "new one", "displayName": "New One", "email": "New@Example.com", "groups": ["staff"], "quota": "5GB",
            "language": "de", "manager": "bea", "password": "a long enough one",
        });
        expect(&server.ask("POST", USERS, &body), 200, 200, "OK", &json!({ "id": "new one" }));
        let shown = server.shown("new%20one");
        for (field, kept) in [
            ("displayname", json!("New One")),
            ("email", json!("new@example.com")),
            ("groups", json!(["staff"])),
            ("quota", json!({ "quota": 5_368_709_120_u64, "used": 0 })),
            ("language", json!("de")),
            ("manager", json!("bea")),
            ("enabled", json!(true)),
            ("backend", json!("Database")),
            ("lastLogin", json!(0)),
        ] {
            assert_eq!(shown[field], kept, "{version} {field}");
        }
    }
}

#[test]
fn each_no_has_a_code_of_its_own() {
    let server = Server::new(&json!({}), &json!([{ "id": "anna" }]));
    for (fields, code) in [
        (json!({ "userid": "" }), 101),
        (json!({ "userid": "ännä" }), 101),
        (json!({ "email": "nobody" }), 101),
        (json!({ "quota": "much" }), 101),
        (json!({ "language": "xx" }), 101),
        (json!({ "displayName": "a".repeat(65) }), 101),
        (json!({ "userid": "anna" }), 102),
        (json!({ "groups": ["nowhere"] }), 104),
        (json!({ "password": "short" }), 107),
        (json!({ "password": "" }), 108),
    ] {
        assert_eq!(made(&server, &fields), (400, code), "{fields}");
        assert_eq!(server.user("new"), Value::Null, "{fields}");
    }
    assert_eq!(made(&server, &json!({ "password": "", "email": "new@example.com" })), (200, 200));
    let weak = server.ask("POST", USERS, &json!({ "userid": "weak", "password": "short" }));
    expect(&weak, 400, 107, "Password needs to be at least 10 characters long.", &json!([]));
}

#[test]
fn settings_ask_for_an_address_fail_to_write_to_it_and_give_ids() {
    let server = Server::new(&json!({ "email_required": true }), &json!([]));
    assert_eq!(made(&server, &json!({})), (400, 110));
    server.set(&json!({ "email_required": false, "mail_fails": true }));
    assert_eq!(made(&server, &json!({ "email": "new@example.com" })), (400, 109));
    // The account is there all the same.
    assert_eq!(server.user("new")["email"], "new@example.com");
    server.set(&json!({ "generates_ids": true }));
    let given = server.ask("POST", USERS, &json!({ "password": "a long enough one" }));
    expect(&given, 200, 200, "OK", &json!({ "id": "00000000000000000001" }));
    server.set(&json!({ "ids_run_out": true }));
    assert_eq!(made(&server, &json!({ "userid": "" })), (400, 111));
}

#[test]
fn a_group_admin_makes_accounts_in_her_groups_alone() {
    let server = Server::new(&json!({ "rights": "group_admin" }), &json!([{ "id": "homeward", "groups": [] }]));
    assert_eq!(made(&server, &json!({})), (400, 106));
    assert_eq!(made(&server, &json!({ "groups": ["admin"] })), (400, 105));
    assert_eq!(made(&server, &json!({ "groups": ["staff"] })), (200, 200));
}
