//! Profiles (6): what is changed, and what is passed over with a 200.

use serde_json::{Value, json};

use super::{
    common::Answer,
    forum::{Forum, crew, errors, expect, forbidden},
};

fn update(forum: &Forum, body: &Value) -> Answer {
    forum.put("/u/jane.json", body)
}

fn fields() -> Value {
    let mut seed = crew();
    seed["user_fields"] = json!([
        { "id": 1, "name": "One" }, { "id": 2, "name": "Two", "required": true },
        { "id": 3, "name": "Three", "editable": false },
    ]);
    seed["users"][0]["user_fields"] = json!({ "2": "two" });
    seed
}

#[test]
fn everything_that_staff_may_change_is_changed_and_shown() {
    let forum = Forum::new(&fields());
    let body = json!({
        "name": "Jane Doe", "title": "Chief", "locale": "nonsense", "bio_raw": "cooks", "location": "Bern",
        "website": "https://example.org", "user_fields": { "1": "first", "3": "third" }, "custom_fields": { "a": "b" },
        "external_ids": { "discourse_connect": "x" },
    });
    for _ in 0..2 {
        let answer = update(&forum, &body);
        let shown = answer.json();
        assert_eq!((answer.status, &shown["success"]), (200, &json!("OK")));
        for field in ["name", "title", "locale", "bio_raw", "location", "website", "custom_fields"] {
            assert_eq!(shown["user"][field], body[field], "{field}");
        }
        assert_eq!(shown["user"]["user_fields"], json!({ "1": "first", "2": "two", "3": "third" }));
    }
    assert_eq!(forum.user(1)["external_id"], "x");
}

#[test]
fn what_this_route_does_not_handle_is_passed_over() {
    let forum = Forum::new(&crew());
    let before = forum.user(1);
    let body = json!({
        "username": "other", "email": "x@example.org", "password": "x", "active": false,
        "user_fields": { "9": "x" }, "primary_group_id": 60,
    });
    assert_eq!(update(&forum, &body).status, 200);
    assert_eq!(forum.user(1), before);
    // In her own groups she may choose where that is on.
    forum.set(&json!({ "user_selected_primary_groups": true }));
    forum.put("/u/max.json", &json!({ "primary_group_id": 60 }));
    assert_eq!(forum.user(2)["primary_group"], 60);
}

#[test]
fn locked_names_and_profiles_of_the_provider_are_passed_over() {
    for settings in [json!({ "auth_overrides_name": true }), json!({ "enable_names": false })] {
        let forum = Forum::new(&crew());
        forum.set(&settings);
        let answer = update(&forum, &json!({ "name": "Other", "title": "Chief" }));
        assert_eq!((answer.status, &answer.json()["user"]["name"]), (200, &json!("Jane")));
        assert_eq!(forum.user(1)["title"], "Chief");
    }
    for (field, stored) in [("bio_raw", "bio"), ("location", "location"), ("website", "website")] {
        let forum = Forum::new(&crew());
        let overrides = format!("discourse_connect_overrides_{stored}");
        // Only both settings together.
        forum.set(&json!({ overrides: true }));
        update(&forum, &json!({ field: "first" }));
        forum.set(&json!({ "enable_discourse_connect": true }));
        assert_eq!(update(&forum, &json!({ field: "second" })).status, 200);
        assert_eq!(forum.user(1)[stored], "first", "{field}");
    }
}

#[test]
fn people_give_themselves_no_titles_and_fill_no_fields_of_staff() {
    let forum = Forum::new(&fields());
    let body = json!({ "title": "Chief", "name": "J", "user_fields": { "1": "mine", "3": "mine" } });
    let answer = forum.ask_by("janes", "PUT", "/u/jane.json", &body);
    assert_eq!(answer.status, 200);
    let jane = forum.user(1);
    assert_eq!((&jane["title"], &jane["name"]), (&json!(""), &json!("J")));
    assert_eq!(jane["user_fields"], json!({ "1": "mine", "2": "two" }));
    expect(&forum.ask_by("janes", "PUT", "/u/max.json", &body), 403, &forbidden());
}

#[test]
fn names_have_a_length_and_required_fields_a_value() {
    let forum = Forum::new(&fields());
    assert_eq!(update(&forum, &json!({ "name": "ü".repeat(255) })).status, 200);
    let long = errors("", "Name is too long (maximum is 255 characters)");
    expect(&update(&forum, &json!({ "name": "ü".repeat(256) })), 422, &long);
    let blank = errors("", "You have not completed all the user fields.");
    expect(&update(&forum, &json!({ "user_fields": { "2": "" } })), 422, &blank);
    update(&forum, &json!({ "user_fields": { "1": "x".repeat(3000) } }));
    assert_eq!(forum.user(1)["user_fields"]["1"].as_str().unwrap().len(), 2048);
    update(&forum, &json!({ "user_fields": { "1": false } }));
    assert_eq!(forum.user(1)["user_fields"], json!({ "2": "two" }));
}
