//! What is shown of users, and to whom (3).

use serde_json::{Value, json};

use super::forum::{Forum, crew, expect, forbidden, not_found};

fn names(answer: &crate::common::Answer) -> Vec<String> {
    let rows = answer.json();
    rows.as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_profile_shows_the_address_to_its_owner_alone() {
    let mut seed = crew();
    seed["users"][1]["staged"] = true.into();
    let forum = Forum::new(&seed);
    let address = |answer: crate::common::Answer| answer.json()["user"]["email"].clone();
    assert_eq!(address(forum.get("/u/jane.json")), Value::Null);
    assert_eq!(address(forum.get("/u/max.json")), json!("max@example.com"));
    assert_eq!(address(forum.ask_by("janes", "GET", "/u/jane.json", &Value::Null)), json!("jane@example.com"));
    assert_eq!(address(forum.ask_by("janes", "GET", "/u/max.json", &Value::Null)), Value::Null);
    assert_eq!(forum.get("/u/JANE.json").json()["user"]["id"], 1);
    expect(&forum.get("/u/nobody.json"), 404, &not_found());
}

#[test]
fn flags_tell_what_settings_lock() {
    let forum = Forum::new(&crew());
    let flags = |forum: &Forum| {
        let user = forum.get("/u/jane.json").json()["user"].clone();
        ["can_edit_username", "can_edit_email", "can_edit_name"].map(|flag| user[flag].as_bool().unwrap())
    };
    assert_eq!(flags(&forum), [true; 3]);
    for (setting, value, at) in [
        ("auth_overrides_username", true, 0),
        ("auth_overrides_email", true, 1),
        ("email_editable", false, 1),
        ("auth_overrides_name", true, 2),
        ("enable_names", false, 2),
    ] {
        forum.set(&json!({ setting: value }));
        let mut expected = [true; 3];
        expected[at] = false;
        assert_eq!(flags(&forum), expected, "{setting}");
        forum.set(&json!({ setting: !value }));
    }
    let other = forum.ask_by("janes", "GET", "/u/max.json", &Value::Null).json()["user"].clone();
    assert_eq!((&other["can_edit"], &other["can_edit_username"]), (&json!(false), &json!(false)));
}

#[test]
fn addresses_are_shown_with_what_waits_and_every_look_is_logged() {
    let forum = Forum::new(&crew());
    forum.put("/u/max/preferences/email.json", &json!({ "email": "new@example.com" }));
    let shown = json!({
        "email": "max@example.com", "secondary_emails": ["max.two@example.com"],
        "unconfirmed_emails": ["new@example.com"], "associated_accounts": [],
    });
    expect(&forum.get("/u/max/emails.json"), 200, &shown);
    forum.get("/u/max/emails.json");
    let look = json!({ "action": "check_email", "user": 2 });
    assert_eq!(forum.state()["staff_log"], json!([look, look]));
    let refused = forum.ask_by("janes", "GET", "/u/max/emails.json", &Value::Null);
    expect(&refused, 403, &json!({ "failed": "FAILED" }));
    assert_eq!(forum.ask_by("janes", "GET", "/u/jane/emails.json", &Value::Null).status, 200);
}

#[test]
fn users_are_found_by_the_providers_id() {
    let mut seed = crew();
    seed["users"][0]["external_id"] = "abc".into();
    let forum = Forum::new(&seed);
    assert_eq!(forum.get("/u/by-external/abc.json").json()["user"]["id"], 1);
    expect(&forum.get("/u/by-external/x.json"), 404, &not_found());
    expect(&forum.get("/u/by-external/google/abc.json"), 404, &not_found());
    expect(&forum.ask_by("janes", "GET", "/u/by-external/google/abc.json", &Value::Null), 403, &forbidden());
}

#[test]
fn staff_sees_the_state_the_groups_and_the_tie_to_the_provider() {
    let mut seed = crew();
    seed["users"][1]["external_id"] = "abc".into();
    let forum = Forum::new(&seed);
    let shown = forum.get("/admin/users/2.json").json();
    for (field, value) in [
        ("id", json!(2)),
        ("active", json!(true)),
        ("admin", json!(false)),
        ("moderator", json!(false)),
        ("can_activate", json!(false)),
        ("can_deactivate", json!(true)),
        ("external_ids", json!({ "discourse_connect": "abc" })),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(shown["single_sign_on_record"]["external_id"], "abc");
    assert!(shown.get("email").is_none() && shown.get("suspended_at").is_none());
    let groups: Vec<&str> = shown["groups"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(groups, ["trust_level_0", "trust_level_1", "crew"]);
    forum.lab("POST", "meddle/max", &json!({ "suspended": true, "active": false }));
    let shown = forum.get("/admin/users/2.json").json();
    assert_eq!((&shown["active"], &shown["suspended_till"]), (&json!(false), &json!("2099-01-01T00:00:00.000Z")));
    // Inactive users are found by staff alone.
    assert_eq!(forum.get("/u/max.json").status, 200);
    assert_eq!(forum.ask_by("janes", "GET", "/u/max.json", &Value::Null).status, 404);
    expect(&forum.get("/admin/users/99.json"), 404, &not_found());
}

#[test]
fn lists_have_a_hundred_rows_and_addresses_where_they_are_asked_for() {
    let forum = Forum::with_people(&crew(), 230);
    let list = |query: &str| forum.get(&format!("/admin/users/list/new.json?{query}"));
    // Five of the seed, two of Discourse's own.
    let pages: Vec<usize> = (1..=4).map(|page| names(&list(&format!("page={page}"))).len()).collect();
    assert_eq!(pages, [100, 100, 37, 0]);
    assert_eq!(list("page=1").json()[0].get("email"), None);
    assert_eq!(list("show_emails=true").json()[0]["email"], "person000230@example.com");
    assert_eq!(forum.state()["staff_log"].as_array().unwrap().len(), 1);
    assert_eq!(names(&list("order=created&asc=true"))[..4], ["discobot", "system", "jane", "max"]);
    assert_eq!(names(&list("email=Max@Example.com")), ["max"]);
    assert_eq!(names(&list("email=max.two@example.com")), [""; 0]);
    assert_eq!(names(&list("filter=person00001&order=username&asc=true")).len(), 10);
    assert_eq!(names(&list("filter=jane@ex")), ["jane"]);
    assert_eq!(names(&list("filter=192.0.2.1")), [""; 0]);
}

#[test]
fn each_list_holds_whom_it_is_named_after() {
    let mut seed = crew();
    let more = json!([
        { "username": "sue", "suspended": true }, { "username": "sil", "silenced": true },
        { "username": "pen", "approved": false }, { "username": "sta", "staged": true },
    ]);
    seed["users"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
    let forum = Forum::new(&seed);
    let list = |flag: &str| names(&forum.get(&format!("/admin/users/list/{flag}.json?order=username&asc=true")));
    assert_eq!(list("staff"), ["ada", "discobot", "homeward", "moe", "system"]);
    assert_eq!(list("suspended"), ["sue"]);
    assert_eq!(list("silenced"), ["sil"]);
    assert_eq!(list("pending"), ["pen"]);
    assert_eq!(list("staged"), ["sta"]);
    assert_eq!(list("active").len(), 11);
    assert_eq!(list("new").len(), 11);
    expect(&forum.get("/admin/users/list/odd.json"), 404, &not_found());
}
