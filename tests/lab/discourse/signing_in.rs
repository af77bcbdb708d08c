//! Keys, whom they act as, and what becomes of those that are not good (1).

use serde_json::{Value, json};

use super::forum::{Forum, crew, errors, expect, forbidden, not_found};

const BAD_KEY: &str = "You are not permitted to view the requested resource. The API username or key is invalid.";

#[test]
fn a_key_of_one_user_needs_no_name_and_takes_no_other() {
    let forum = Forum::new(&crew());
    let ours = forum.world.token("discourse");
    let named = |name| {
        forum.ask_with("GET", "/session/current.json", &[("Api-Key", &ours), ("Api-Username", name)], &Value::Null)
    };
    assert_eq!(forum.get("/session/current.json").json()["current_user"]["username"], "homeward");
    assert_eq!(named("Homeward").status, 200);
    expect(&named("ada"), 403, &errors("invalid_access", BAD_KEY));
    // A key for all has to be told whom it acts as, by name, by number or by the provider's id.
    expect(&forum.ask_by("anybodys", "GET", "/u/jane.json", &Value::Null), 403, &errors("invalid_access", BAD_KEY));
    forum.lab("POST", "meddle/moe", &json!({ "external_id": "x4" }));
    for (header, value, name) in
        [("Api-Username", "ada", "ada"), ("Api-User-Id", "1", "jane"), ("Api-User-External-Id", "x4", "moe")]
    {
        let headers = [("Api-Key", "anybodys"), (header, value)];
        let answer = forum.ask_with("GET", "/session/current.json", &headers, &Value::Null);
        assert_eq!(answer.json()["current_user"]["username"], name);
    }
    // A key belongs to the user, and not to her name.
    assert_eq!(forum.put("/u/jane/preferences/username.json", &json!({ "new_username": "jane.d" })).status, 200);
    assert_eq!(forum.ask_by("janes", "GET", "/session/current.json", &Value::Null).json()["current_user"]["id"], 1);
}

#[test]
fn a_bad_key_is_403_and_under_admin_404() {
    let forum = Forum::new(&crew());
    for key in ["nobodys", "revoked", "elsewhere"] {
        for path in ["/u/jane.json", "/groups/crew.json"] {
            expect(&forum.ask_by(key, "GET", path, &Value::Null), 403, &errors("invalid_access", BAD_KEY));
        }
        expect(&forum.ask_by(key, "GET", "/admin/users/1.json", &Value::Null), 404, &not_found());
    }
    let unknown = [("Api-Key", "anybodys"), ("Api-Username", "nobody")];
    expect(&forum.ask_with("GET", "/u/jane.json", &unknown, &Value::Null), 403, &errors("invalid_access", BAD_KEY));
    expect(&forum.ask_with("GET", "/admin/users/1.json", &unknown, &Value::Null), 404, &not_found());
    // A person's key opens nothing under admin either.
    expect(&forum.ask_by("janes", "GET", "/admin/users/1.json", &Value::Null), 404, &not_found());
}

#[test]
fn whoever_is_suspended_or_inactive_is_let_in_no_more() {
    for fields in [json!({ "suspended": true }), json!({ "active": false })] {
        let forum = Forum::new(&crew());
        forum.lab("POST", "meddle/ada", &fields);
        let headers = [("Api-Key", "anybodys"), ("Api-Username", "ada")];
        expect(&forum.ask_with("GET", "/u/jane.json", &headers, &Value::Null), 403, &forbidden());
        expect(&forum.ask_with("GET", "/admin/users/1.json", &headers, &Value::Null), 404, &not_found());
    }
}

#[test]
fn scopes_let_through_what_they_name_and_none_covers_a_rename() {
    let forum = Forum::new(&crew());
    assert_eq!(forum.ask_by("narrow", "GET", "/u/jane.json", &Value::Null).status, 200);
    assert_eq!(forum.ask_by("narrow", "GET", "/admin/users/1.json", &Value::Null).status, 200);
    let rename = json!({ "new_username": "jane.d" });
    let refused = errors("invalid_access", BAD_KEY);
    for (method, path, body) in [
        ("PUT", "/u/jane/preferences/username.json", rename),
        ("PUT", "/u/jane/preferences/email.json", json!({ "email": "x@example.com" })),
        ("PUT", "/u/jane.json", json!({ "name": "x" })),
    ] {
        expect(&forum.ask_by("narrow", method, path, &body), 403, &refused);
    }
    for verb in ["activate", "deactivate", "unsuspend", "suspend"] {
        let path = format!("/admin/users/1/{verb}.json");
        expect(&forum.ask_by("narrow", "PUT", &path, &json!({})), 404, &not_found());
    }
}

#[test]
fn nobody_reads_what_is_public_and_writes_nothing() {
    let forum = Forum::new(&crew());
    let nobody = |method: &str, path: &str| forum.ask_with(method, path, &[], &Value::Null);
    assert_eq!(nobody("GET", "/u/jane.json").status, 200);
    expect(
        &nobody("GET", "/u/jane/emails.json"),
        403,
        &errors("not_logged_in", "You need to be logged in to do that."),
    );
    let refused = nobody("PUT", "/u/jane.json");
    assert_eq!((refused.status, refused.text.as_str()), (403, "[\"BAD CSRF\"]"));
    assert_eq!(nobody("GET", "/session/current.json").status, 404);
    expect(&nobody("GET", "/admin/users/1.json"), 404, &not_found());
}

#[test]
fn who_does_not_ask_for_json_gets_a_page() {
    let forum = Forum::new(&crew());
    let key = forum.world.token("discourse");
    let page = forum.ask_with("GET", "/u/jane", &[("Api-Key", &key), ("Accept", "text/html")], &Value::Null);
    assert_eq!((page.status, page.text.starts_with("<!DOCTYPE html>")), (200, true));
    let json = forum.ask_with("GET", "/u/jane", &[("Api-Key", &key), ("Accept", "application/json")], &Value::Null);
    assert_eq!(json.json()["user"]["id"], 1);
}
