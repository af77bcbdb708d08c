//! Renames (4): one test for each row of the table, and for each rule.

use serde_json::{Value, json};

use super::{
    common::Answer,
    forum::{Forum, crew, errors, expect, not_found},
};

fn rename(forum: &Forum, user: &str, name: &str) -> Answer {
    forum.put(&format!("/u/{user}/preferences/username.json"), &json!({ "new_username": name }))
}

#[test]
fn a_rename_is_shown_at_once_and_the_old_address_is_gone() {
    let forum = Forum::new(&crew());
    expect(&rename(&forum, "jane", "jane.doe"), 200, &json!({ "id": 1, "username": "jane.doe" }));
    assert_eq!(forum.get("/u/jane.doe.json").json()["user"]["id"], 1);
    expect(&forum.get("/u/jane.json"), 404, &not_found());
    // Only the letters' case.
    expect(&rename(&forum, "jane.doe", "Jane.Doe"), 200, &json!({ "id": 1, "username": "Jane.Doe" }));
}

#[test]
fn the_same_name_is_refused_without_a_word() {
    let forum = Forum::new(&crew());
    expect(&rename(&forum, "jane", "jane"), 422, &errors("", ""));
}

#[test]
fn what_is_missing_reserved_or_unknown_has_its_status() {
    let mut seed = crew();
    seed["settings"]["reserved_usernames"] = json!(["boss*"]);
    let forum = Forum::new(&seed);
    expect(
        &forum.put("/u/jane/preferences/username.json", &json!({ "new_username": "" })),
        400,
        &errors("", "param is missing or the value is empty: new_username"),
    );
    let reserved = errors("", "That username is not allowed.");
    for name in ["Bosses", "here", "by-external"] {
        expect(&rename(&forum, "jane", name), 422, &reserved);
        // That is tested before anybody is looked up.
        expect(&rename(&forum, "nobody", name), 422, &reserved);
    }
    expect(&rename(&forum, "nobody", "someone"), 404, &not_found());
}

#[test]
fn a_name_is_unique_among_users_and_groups_whatever_the_letters() {
    let forum = Forum::new(&crew());
    for name in ["MAX", "Crew", "staff"] {
        expect(&rename(&forum, "jane", name), 422, &errors("", "Username must be unique"));
    }
    assert_eq!(forum.user(1)["username"], "jane");
}

#[test]
fn several_reasons_stand_in_one_text() {
    let forum = Forum::new(&crew());
    let both =
        "Username must begin with a letter, a number or an underscore,Username must end with a letter or a number";
    expect(&rename(&forum, "jane", ".jane-"), 422, &errors("", both));
    for (name, rule) in [
        ("ab", "must be at least 3 characters"),
        ("a23456789012345678901", "must be no more than 20 characters"),
        ("jane doe", "must only include numbers, letters, dashes, dots, and underscores"),
        ("-jane", "must begin with a letter, a number or an underscore"),
        ("jane.", "must end with a letter or a number"),
        ("jane-_doe", "must not contain a sequence of 2 or more special chars (.-_)"),
        ("jane.woff", "must not end with a confusing suffix like .json or .png etc."),
    ] {
        expect(&rename(&forum, "jane", name), 422, &errors("", &format!("Username {rule}")));
    }
    forum.set(&json!({ "unicode_usernames": true, "max_username_length": 60 }));
    assert_eq!(rename(&forum, "jane", "jäne").status, 200);
    forum.set(&json!({ "max_username_length": 90 }));
    let long = "x".repeat(61);
    expect(&rename(&forum, "max", &long), 422, &errors("", "Username is too long"));
}

#[test]
fn what_the_provider_owns_is_told_to_staff_and_to_others_just_refused() {
    let mut seed = crew();
    seed["settings"]["auth_overrides_username"] = true.into();
    let forum = Forum::new(&seed);
    let told = "Username needs to be updated on authentication provider side, since `auth_overrides_username` setting is \
                enabled.";
    expect(&rename(&forum, "jane", "jane.doe"), 422, &errors("", told));
    let own = |user: &str| {
        let path = format!("/u/{user}/preferences/username.json");
        forum.ask_by("janes", "PUT", &path, &json!({ "new_username": "other" }))
    };
    expect(&own("jane"), 403, &json!({ "failed": "FAILED" }));
    forum.set(&json!({ "auth_overrides_username": false }));
    expect(&own("max"), 403, &json!({ "failed": "FAILED" }));
    assert_eq!(own("jane").status, 200);
    let nobody = forum.ask_with("PUT", "/u/max/preferences/username.json", &[], &Value::Null);
    assert_eq!(nobody.status, 403);
}
