//! Changing an attribute (4), states (5) and backends (7).

use serde_json::{Value, json};

use super::server::{Server, USERS, VERSIONS, anna, told};

/// The code for a key that is not editable, and the one for a bad value.
fn codes(version: &str) -> (u64, u64) {
    match version {
        "27" => (103, 102),
        "28" => (113, 102),
        _ => (113, 101),
    }
}

#[test]
fn every_key_of_an_administrator_is_taken_and_kept() {
    for version in VERSIONS {
        let server = Server::new(&json!({ "version": version }), &json!([anna()]));
        for (key, value, field, kept) in [
            ("displayname", " Anna Meyer ", "displayname", "Anna Meyer"),
            ("display", "Anna M", "displayname", "Anna M"),
            ("email", "Anna.M@Example.ORG", "email", "anna.m@example.org"),
            ("notify_email", "anna.m@example.org", "notify_email", "anna.m@example.org"),
            ("language", "fr", "language", "fr"),
            ("language", "en", "language", "en"),
            ("locale", "de_DE", "locale", "de_DE"),
            ("phone", "+41 31 123 45 67", "phone", "+41311234567"),
            ("address", "Street 2", "address", "Street 2"),
            ("website", "http://example.org/x", "website", "http://example.org/x"),
            ("twitter", "@anna", "twitter", "@anna"),
            ("fediverse", "@anna@example.org", "fediverse", "@anna@example.org"),
            ("organisation", "Beta", "organisation", "Beta"),
            ("role", "Chef", "role", "Chef"),
            ("headline", "Hello", "headline", "Hello"),
            ("biography", "Long ago", "biography", "Long ago"),
            ("profile_enabled", "0", "profile_enabled", "0"),
            ("manager", "nobody at all", "manager", "nobody at all"),
            ("manager", "", "manager", ""),
            ("phone", "", "phone", ""),
        ] {
            assert_eq!(server.edit("anna", key, value), (200, 200), "{version} {key} {value}");
            assert_eq!(server.shown("anna")[field], kept, "{version} {key} {value}");
        }
        assert_eq!(server.edit("anna", "email", ""), (200, 200));
        assert_eq!(server.shown("anna")["email"], Value::Null);
        assert_eq!(server.edit("anna", "password", "a long enough one"), (200, 200));
    }
}

#[test]
fn keys_that_came_later_are_unknown_before() {
    for (version, known) in [("27", 0), ("28", 0), ("30", 1), ("M", 4)] {
        let server = Server::new(&json!({ "version": version }), &json!([anna()]));
        for (at, key) in ["first_day_of_week", "timezone", "bluesky", "pronouns"].into_iter().enumerate() {
            let expected = if at < known { (200, 200) } else { (400, codes(version).0) };
            assert_eq!(server.edit("anna", key, "1"), expected, "{version} {key}");
        }
    }
}

#[test]
fn what_is_not_editable_and_what_is_a_bad_value_have_the_codes_of_their_version() {
    for version in VERSIONS {
        let (not_editable, bad) = codes(version);
        let server = Server::new(&json!({ "version": version }), &json!([anna(), { "id": "lou", "backend": "LDAP" }]));
        let before = server.world.state("cloud")["users"].clone();
        for (user, key, value) in [
            ("anna", "nickname", "x"),
            ("anna", "id", "anne"),
            ("anna", "userid", "anne"),
            ("anna", "username", "anne"),
            ("anna", "birthdate", "2000-01-01"),
            ("anna", "emailScope", "v2-private"),
            ("anna", "groups", "crew"),
            ("lou", "displayname", "Lou"),
        ] {
            assert_eq!(server.edit(user, key, value), (400, not_editable), "{version} {key}");
        }
        for (key, value) in [
            ("email", "nobody"),
            ("email", "a@b"),
            ("additional_mail", "anna@example.com"),
            ("notify_email", "other@example.com"),
            ("phone", "031 123 45 67"),
            ("phone", "+41 call me"),
            ("website", "example.com"),
            ("website", "ftp://example.com"),
            ("language", "xx"),
            ("language", ""),
            ("locale", "xx_XX"),
            ("quota", "much"),
            ("quota", ""),
            ("quota", "-3"),
            ("profile_enabled", "2"),
            ("role", &"a".repeat(2049)),
        ] {
            assert_eq!(server.edit("anna", key, value), (400, bad), "{version} {key} {value}");
        }
        for (user, code) in [("nobody", 998), ("", 998)] {
            if !user.is_empty() {
                assert_eq!(server.edit(user, "role", "x"), (404, code), "{version}");
            }
        }
        assert_eq!(server.world.state("cloud")["users"], before, "{version}");
    }
}

#[test]
fn messages_say_which_value_is_bad_and_an_address_is_told_nothing() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let message = |key: &str, value: &str| {
        let answer = server.ask("PUT", &format!("{USERS}/anna"), &json!({ "key": key, "value": value }));
        answer.json()["ocs"]["meta"]["message"].clone()
    };
    assert_eq!(message("language", "xx"), "Invalid language");
    assert_eq!(message("locale", "xx"), "Invalid locale");
    assert_eq!(message("quota", "much"), "Invalid quota value: much");
    assert_eq!(message("phone", "1"), "Invalid phone");
    assert_eq!(message("website", "x"), "Invalid website");
    assert_eq!(message("email", "x"), "");
}

#[test]
fn display_names_are_dropped_in_silence_or_refused() {
    for version in VERSIONS {
        let people = json!([anna(), { "id": "sam", "backend": "user_saml", "drops_display_name": true }]);
        let server = Server::new(&json!({ "version": version }), &people);
        assert_eq!(server.edit("anna", "displayname", &"ä".repeat(65)), (400, 101), "{version}");
        let empty = if version == "M" { (400, 101) } else { (200, 200) };
        assert_eq!(server.edit("anna", "displayname", " "), empty, "{version}");
        assert_eq!(server.edit("anna", "displayname", "Anna Berg"), (200, 200), "{version}");
        assert_eq!(server.edit("sam", "displayname", "Sam"), (200, 200), "{version}");
        assert_eq!(server.user("anna")["displayname"], "Anna Berg");
        assert_eq!(server.user("sam")["displayname"], "sam");
        assert_eq!(server.edit("anna", "displayname", &"ä".repeat(64)), (200, 200), "{version}");
    }
}

#[test]
fn passwords_have_a_policy_and_some_backends_have_none() {
    for (version, weak, none) in [("27", 103, 103), ("28", 107, 112), ("30", 107, 112), ("M", 107, 112)] {
        let server = Server::new(&json!({ "version": version }), &json!([anna(), { "id": "lou", "backend": "LDAP" }]));
        assert_eq!(server.edit("anna", "password", "short"), (400, weak), "{version}");
        assert_eq!(server.edit("lou", "password", "a long enough one"), (400, none), "{version}");
    }
}

#[test]
fn blanks_around_an_address_are_trimmed_only_by_the_latest() {
    let server = Server::new(&json!({}), &json!([anna()]));
    assert_eq!(server.edit("anna", "email", " new@example.com "), (400, 101));
    server.set(&json!({ "version": "M" }));
    assert_eq!(server.edit("anna", "email", " new@example.com "), (200, 200));
    assert_eq!(server.user("anna")["email"], "new@example.com");
}

#[test]
fn two_people_may_have_the_same_address() {
    let server = Server::new(&json!({}), &json!([anna(), { "id": "bea" }]));
    assert_eq!(server.edit("bea", "email", "anna@example.com"), (200, 200));
    assert_eq!(server.user("bea")["email"], server.user("anna")["email"]);
}

#[test]
fn more_addresses_are_added_by_one_call_and_taken_away_by_another() {
    for version in VERSIONS {
        let bad = codes(version).1;
        let server = Server::new(&json!({ "version": version }), &json!([anna()]));
        assert_eq!(server.edit("anna", "additional_mail", "Second@example.com"), (200, 200));
        assert_eq!(server.edit("anna", "additional_mail", "second@example.com"), (400, bad), "{version}");
        assert_eq!(server.edit("anna", "notify_email", "second@example.com"), (200, 200));
        assert_eq!(server.edit("anna", "notify_email", ""), (200, 200));
        let of = |collection: &str, key: &str, value: &str| {
            let body = json!({ "key": key, "value": value });
            told(&server.ask("PUT", &format!("{USERS}/anna/{collection}"), &body))
        };
        assert_eq!(of("additional_mail", "none@example.com", ""), (400, 102), "{version}");
        assert_eq!(of("something", "x", ""), (400, 103), "{version}");
        assert_eq!(of("additional_mail", "second@example.com", ""), (200, 200), "{version}");
        assert_eq!(server.user("anna")["additional_mail"], json!([]));
    }
}

#[test]
fn a_country_of_its_own_lets_numbers_go_without_a_plus() {
    let server = Server::new(&json!({ "default_phone_region": "CH" }), &json!([anna()]));
    assert_eq!(server.edit("anna", "phone", "031 123 45 67"), (200, 200));
    assert_eq!(server.user("anna")["profile"]["phone"], "+41311234567");
}

#[test]
fn quotas_are_kept_in_the_form_for_people_and_within_the_largest() {
    let server = Server::new(&json!({}), &json!([anna()]));
    for (value, kept) in [("5368709120", "5 GB"), ("1536mb", "1.5 GB"), ("none", "none"), ("default", "default")] {
        assert_eq!(server.edit("anna", "quota", value), (200, 200), "{value}");
        assert_eq!(server.user("anna")["quota"], kept);
    }
    server.set(&json!({ "max_quota": "10 GB", "allow_unlimited_quota": false }));
    assert_eq!(server.edit("anna", "quota", "none"), (400, 101));
    assert_eq!(server.edit("anna", "quota", "11 GB"), (400, 101));
    assert_eq!(server.edit("anna", "quota", "10 GB"), (200, 200));
}

#[test]
fn on_and_off_are_taken_on_repeat_and_not_of_oneself() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let switch = |user: &str, verb: &str| told(&server.ask("PUT", &format!("{USERS}/{user}/{verb}"), &Value::Null));
    for (verb, enabled) in [("disable", false), ("disable", false), ("enable", true), ("enable", true)] {
        assert_eq!(switch("anna", verb), (200, 200));
        assert_eq!(server.user("anna")["enabled"], enabled);
    }
    assert_eq!(switch("nobody", "disable"), (400, 101));
    assert_eq!(switch("homeward", "disable"), (400, 101));
}

#[test]
fn accounts_are_deleted_but_not_ones_own() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let delete = |user: &str| told(&server.ask("DELETE", &format!("{USERS}/{user}"), &Value::Null));
    assert_eq!((delete("anna"), delete("anna"), delete("homeward")), ((200, 200), (404, 998), (400, 101)));
}

#[test]
fn what_a_person_may_change_herself_depends_on_settings_that_do_not_bind_administrators() {
    let people = json!([{ "id": "bea", "app_password": "bea-app", "groups": ["staff"] }]);
    let server = Server::new(&json!({}), &people);
    let herself = |key: &str, value: &str| {
        let body = json!({ "key": key, "value": value });
        told(&server.ask_as("bea", "bea-app", "PUT", &format!("{USERS}/bea"), &body))
    };
    for (key, value) in [
        ("displayname", "Bea"),
        ("email", "bea@example.com"),
        ("language", "fr"),
        ("phone", "+41311234567"),
        ("birthdate", "1"),
    ] {
        assert_eq!(herself(key, value), (200, 200), "{key}");
    }
    for key in ["quota", "manager"] {
        assert_eq!(herself(key, "5 GB"), (400, 113), "{key}");
    }
    server.set(&json!({ "allow_user_to_change_display_name": false, "force_language": true }));
    for (key, value) in [("displayname", "Bee"), ("email", "bee@example.com"), ("language", "de")] {
        assert_eq!(herself(key, value), (400, 113), "{key}");
        assert_eq!(server.edit("bea", key, value), (200, 200), "{key}");
    }
}

#[test]
fn backends_take_changes_and_write_over_them_at_the_next_sign_in() {
    let user = |id: &str, backend: &str| {
        json!({ "id": id, "backend": backend, "displayname": "Before", "email": "before@example.com", "quota": "1 GB",
                "role": "Before", "groups": ["staff"] })
    };
    let people =
        json!([user("data", "Database"), user("lou", "LDAP"), user("sam", "user_saml"), user("odo", "user_oidc")]);
    let server = Server::new(&json!({}), &people);
    for (id, names, changed) in [
        ("data", (200, 200), json!([])),
        ("lou", (400, 113), json!(["email", "quota", "groups"])),
        ("sam", (200, 200), json!(["email", "display_name", "quota", "groups"])),
        ("odo", (400, 113), json!(["email", "quota", "groups", "profile"])),
    ] {
        assert_eq!(server.shown(id)["backendCapabilities"]["setDisplayName"], names.0 == 200, "{id}");
        assert_eq!(server.edit(id, "displayname", "After"), names, "{id}");
        for (key, value) in [("email", "after@example.com"), ("quota", "2 GB"), ("role", "After")] {
            assert_eq!(server.edit(id, key, value), (200, 200), "{id} {key}");
        }
        let leaves = server.ask("DELETE", &format!("{USERS}/{id}/groups"), &json!({ "groupid": "staff" }));
        assert_eq!(told(&leaves), (200, 200));
        let told = server.lab("POST", &format!("login/{id}"), &json!({}));
        assert_eq!(told["changed"], changed, "{id}");
        let email = if id == "data" { "after@example.com" } else { "before@example.com" };
        assert_eq!(server.user(id)["email"], email, "{id}");
    }
    // What is not mapped stays.
    server.set(&json!({ "mapped": ["email"] }));
    assert_eq!(server.edit("lou", "quota", "3 GB"), (200, 200));
    assert_eq!(server.lab("POST", "login/lou", &json!({}))["changed"], json!([]));
}

#[test]
fn a_plug_in_writes_names_into_the_directory_and_nothing_else() {
    let lou = json!({ "id": "lou", "backend": "LDAP", "displayname": "Before", "email": "before@example.com" });
    let server = Server::new(&json!({ "ldap_write_plugin": true }), &json!([lou]));
    assert_eq!(server.shown("lou")["backendCapabilities"]["setDisplayName"], true);
    for (key, value) in [("displayname", "Lou"), ("email", "lou@example.com")] {
        assert_eq!(server.edit("lou", key, value), (200, 200), "{key}");
    }
    assert_eq!(server.lab("POST", "login/lou", &json!({}))["changed"], json!(["email"]));
    assert_eq!(server.user("lou")["displayname"], "Lou");
}

#[test]
fn local_accounts_that_sign_in_through_openid_connect_are_written_over_too() {
    let pia = json!({
        "id": "pia", "oidc": true, "displayname": "Before", "email": "before@example.com", "quota": "1 GB", "role": "Before",
        "groups": ["staff"],
    });
    let server = Server::new(&json!({}), &json!([pia, anna()]));
    // Nothing of it is shown, and everything is taken.
    let shown = server.shown("pia");
    assert_eq!(
        (&shown["backend"], &shown["backendCapabilities"]["setDisplayName"]),
        (&json!("Database"), &json!(true))
    );
    assert!(shown.get("oidc").is_none());
    let everything = [("displayname", "After"), ("email", "after@example.com"), ("quota", "2 GB"), ("role", "After")];
    for (key, value) in everything {
        assert_eq!([server.edit("pia", key, value), server.edit("anna", key, value)], [(200, 200); 2], "{key}");
    }
    let leaves = server.ask("DELETE", &format!("{USERS}/pia/groups"), &json!({ "groupid": "staff" }));
    assert_eq!(told(&leaves), (200, 200));
    let changed = |user: &str| server.lab("POST", &format!("login/{user}"), &json!({}))["changed"].clone();
    assert_eq!(changed("pia"), json!(["display_name", "email", "quota", "groups", "profile"]));
    assert_eq!(changed("anna"), json!([]));
    // What is not mapped stays, and a colleague may find another way in.
    server.set(&json!({ "mapped": ["email"] }));
    server.edit("pia", "quota", "3 GB");
    assert_eq!(changed("pia"), json!([]));
    server.lab("POST", "meddle/pia", &json!({ "oidc": false }));
    server.edit("pia", "email", "after@example.com");
    assert_eq!(changed("pia"), json!([]));
}

#[test]
fn a_directory_changes_by_itself_and_is_seen_at_the_next_sign_in() {
    let server = Server::new(&json!({}), &json!([{ "id": "lou", "backend": "LDAP", "email": "lou@example.com" }]));
    server.lab("POST", "meddle/lou", &json!({ "directory": true, "email": "lou.new@example.com" }));
    assert_eq!(server.user("lou")["email"], "lou@example.com");
    server.lab("POST", "login/lou", &json!({}));
    assert_eq!(server.user("lou")["email"], "lou.new@example.com");
    server.lab("POST", "meddle/lou", &json!({ "role": "Cook" }));
    assert_eq!(server.user("lou")["profile"]["role"], "Cook");
}
