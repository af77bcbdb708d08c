//! Reading (3).

use serde_json::{Value, json};

use super::server::{Server, USERS, anna, data, expect, told};

#[test]
fn a_user_is_shown_with_all_her_fields() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let shown = server.shown("anna");
    let expected = json!({
        "enabled": true, "id": "anna", "storageLocation": "/var/www/html/data/anna", "lastLogin": 1_760_000_000_000_i64,
        "backend": "Database", "subadmin": [],
        "quota": { "free": 5_367_660_544_u64, "used": 1_048_576, "total": 5_368_709_120_u64, "relative": 0.1,
                   "quota": 5_368_709_120_u64 },
        "manager": "bea", "email": "anna@example.com", "additional_mail": [], "displayname": "Anna Berg",
        "display-name": "Anna Berg", "phone": "+41791234567", "address": "Street 1", "website": "https://example.com",
        "twitter": "", "fediverse": "", "organisation": "Acme", "role": "Cook", "headline": "Chef", "biography": "Born",
        "profile_enabled": "1", "groups": ["staff"], "language": "de", "locale": "de_CH", "notify_email": null,
        "backendCapabilities": { "setDisplayName": true, "setPassword": true },
    });
    assert_eq!(shown, expected);
    server.set(&json!({ "version": "M" }));
    let later = server.shown("anna");
    for field in ["firstLoginTimestamp", "lastLoginTimestamp", "pronouns", "bluesky"] {
        assert!(shown.get(field).is_none() && later.get(field).is_some(), "{field}");
    }
}

#[test]
fn what_is_not_there_is_null_empty_or_a_list() {
    let server = Server::new(&json!({}), &json!([{ "id": "bare", "last_login": 0 }, { "id": "bea" }]));
    let bare = server.shown("bare");
    assert_eq!((&bare["email"], &bare["manager"], &bare["locale"]), (&Value::Null, &json!(""), &json!("")));
    assert_eq!((&bare["language"], &bare["groups"]), (&json!("en"), &json!([])));
    assert_eq!(bare["quota"], json!({ "quota": "none", "used": 0 }));
    assert_eq!(server.shown("bea")["quota"]["quota"], -3);
    server.set(&json!({ "default_quota": "1 GB" }));
    assert_eq!(server.shown("bare")["quota"], json!({ "quota": 1_073_741_824, "used": 0 }));
}

#[test]
fn scopes_are_shown_to_herself_and_whether_she_is_enabled_is_not() {
    let server = Server::new(&json!({}), &json!([{ "id": "bea", "app_password": "bea-app" }]));
    assert!(server.shown("bea").get("emailScope").is_none());
    let me = data(&server.ask_as("bea", "bea-app", "GET", "/ocs/v2.php/cloud/user", &Value::Null));
    assert_eq!((&me["id"], &me["emailScope"]), (&json!("bea"), &json!("v2-local")));
    assert!(me.get("enabled").is_none() && me.get("storageLocation").is_none());
}

#[test]
fn nobody_and_somebody_who_is_hidden_are_told_apart() {
    let server = Server::new(&json!({}), &json!([anna()]));
    expect(&server.get(&format!("{USERS}/nobody")), 404, 404, "User does not exist", &json!([]));
    server.set(&json!({ "rights": "person" }));
    expect(&server.get(&format!("{USERS}/anna")), 404, 998, "", &json!([]));
}

#[test]
fn a_search_finds_parts_of_ids_names_and_addresses() {
    let people = json!([anna(), { "id": "bo", "displayname": "Hanna" }, { "id": "cy", "email": "joANNe@example.com" }]);
    let server = Server::new(&json!({}), &people);
    let found = |query: &str| data(&server.get(&format!("{USERS}?{query}")))["users"].clone();
    assert_eq!(found("search=ANN"), json!(["anna", "bo", "cy"]));
    assert_eq!(found("search=anna%40"), json!(["anna"]));
    assert_eq!(found("limit=2"), json!(["anna", "bo"]));
    assert_eq!(found("limit=2&offset=2"), json!(["cy", "homeward"]));
    assert_eq!(found("offset=9"), json!([]));
}

#[test]
fn what_a_search_looks_at_depends_on_the_backend() {
    let person = |backend: &str| {
        json!({ "id": format!("i-{backend}"), "backend": backend, "displayname": format!("n-{backend}"),
                "email": format!("e-{backend}@example.com") })
    };
    let backends = ["Database", "LDAP", "user_oidc", "user_saml"];
    let server = Server::new(&json!({}), &json!(backends.map(person)));
    let found = |search: &str| data(&server.get(&format!("{USERS}?search={search}")))["users"].clone();
    let all = json!(backends.map(|backend| format!("i-{backend}")));
    assert_eq!([found("i-"), found("n-")], [all.clone(), all]);
    assert_eq!(found("e-"), json!(["i-Database"]));
}

#[test]
fn whoever_cannot_be_loaded_with_others_is_there_by_id_alone() {
    let server = Server::new(&json!({}), &json!([anna(), { "id": "odd", "broken": true }]));
    let users = data(&server.get(&format!("{USERS}/details?search=a&limit=9")))["users"].clone();
    assert_eq!(users["anna"], server.shown("anna"));
    let all = data(&server.get(&format!("{USERS}/details")))["users"].clone();
    assert_eq!(all["odd"], json!({ "id": "odd" }));
    assert_eq!(server.shown("odd")["id"], "odd");
}

#[test]
fn lists_of_the_disabled_and_the_recent_came_with_their_versions() {
    let people = json!([{ "id": "off", "enabled": false }, { "id": "new", "last_login": 0 }]);
    let server = Server::new(&json!({ "version": "27" }), &people);
    let disabled = || server.get(&format!("{USERS}/disabled?format=json"));
    let recent = || server.get(&format!("{USERS}/recent?format=json"));
    // They are names of users then.
    assert_eq!((told(&disabled()), told(&recent())), ((404, 404), (404, 404)));
    server.set(&json!({ "version": "28" }));
    expect(&disabled(), 200, 200, "OK", &json!({ "users": ["off"] }));
    server.set(&json!({ "version": "M" }));
    expect(&recent(), 200, 200, "OK", &json!({ "users": ["off"] }));
}

#[test]
fn the_editable_fields_are_those_of_her_own_settings_page() {
    let people = json!([{ "id": "bea", "app_password": "bea-app" }, { "id": "lou", "backend": "LDAP" }]);
    let server = Server::new(&json!({}), &people);
    let fields = |id: &str| data(&server.get(&format!("/ocs/v2.php/cloud/user/fields/{id}"))).to_string();
    let named = |id: &str, field: &str| fields(id).contains(&format!("\"{field}\""));
    assert!(named("bea", "displayname") && named("bea", "email") && named("bea", "phone"));
    assert!(!named("bea", "quota") && !named("bea", "manager"));
    assert!(!named("lou", "displayname") && named("lou", "email"));
    server.set(&json!({ "allow_user_to_change_display_name": false }));
    assert!(!named("bea", "displayname") && !named("bea", "email") && named("bea", "phone"));
}
