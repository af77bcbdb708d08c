//! `DiscourseConnect` (8): what `sync_sso` takes, what it changes, and what a sign-in does.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    common::Answer,
    forum::{Forum, crew, expect, not_found},
};

/// A forum that listens to a provider, and to which Jane is tied.
fn forum(settings: &Value) -> Forum {
    let mut seed = crew();
    seed["users"][0]["external_id"] = "x1".into();
    seed["users"][0]["title"] = "Cook".into();
    seed["settings"] =
        json!({ "enable_discourse_connect": true, "discourse_connect_secret": "d836444a9e4084d5b224a60c208dce14" });
    seed["settings"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    seed["groups"] = json!([{ "id": 60, "name": "crew", "members": ["jane"] }, { "id": 61, "name": "team" }]);
    Forum::new(&seed)
}

fn all() -> Value {
    json!({ "auth_overrides_email": true, "auth_overrides_username": true, "auth_overrides_name": true })
}

fn signature(sso: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"d836444a9e4084d5b224a60c208dce14").unwrap();
    mac.update(sso.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| hex + format!("{byte:02x}").as_str())
}

fn payload(pairs: &[(&str, &str)]) -> String {
    STANDARD.encode(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}

fn sync(forum: &Forum, pairs: &[(&str, &str)]) -> Answer {
    let sso = payload(pairs);
    tell(forum, &forum.world.token("discourse"), &sso, &signature(&sso))
}

/// Tells something with this signature, as the form that it is.
fn tell(forum: &Forum, key: &str, sso: &str, sig: &str) -> Answer {
    let fields = [("sso", sso), ("sig", sig)];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("Api-Key", key), ("Content-Type", "application/x-www-form-urlencoded")];
    forum.ask_with("POST", "/admin/users/sync_sso.json", &headers, &Value::String(body))
}

#[test]
fn what_the_provider_overrides_changes_at_once_and_without_a_letter() {
    let forum = forum(&all());
    let pairs = [("external_id", "x1"), ("email", "New@Example.org"), ("username", "jane.d"), ("name", "Jane Doe")];
    let answer = sync(&forum, &pairs);
    assert_eq!((answer.status, &answer.json()["username"]), (200, &json!("jane.d")));
    let jane = forum.user(1);
    assert_eq!(
        [&jane["email"], &jane["username"], &jane["name"]],
        [&json!("new@example.org"), &json!("jane.d"), &json!("Jane Doe")]
    );
    assert_eq!(forum.state()["mails"], json!([]));
}

#[test]
fn what_is_not_overridden_stays() {
    let forum = forum(&json!({}));
    let pairs = [("external_id", "x1"), ("email", "new@example.org"), ("username", "jane.d"), ("name", "Jane Doe")];
    assert_eq!(sync(&forum, &pairs).status, 200);
    let jane = forum.user(1);
    assert_eq!(
        [&jane["email"], &jane["username"], &jane["name"]],
        [&json!("jane@example.com"), &json!("jane"), &json!("Jane")]
    );
}

#[test]
fn what_is_switched_off_badly_signed_or_nameless_is_refused() {
    let forum = forum(&all());
    let failed = |message: &str| json!({ "failed": "FAILED", "message": message });
    let sso = payload(&[("external_id", "x1")]);
    for (sso, sig) in [(sso.as_str(), "0000"), ("no base64!", signature("no base64!").as_str())] {
        expect(&tell(&forum, &forum.world.token("discourse"), sso, sig), 422, &failed("Login Error"));
    }
    // The same in another form than a form.
    let json = json!({ "sso": sso, "sig": signature(&sso) });
    expect(&forum.ask("POST", "/admin/users/sync_sso.json", &json), 422, &failed("Login Error"));
    let blank = failed("The `external_id` is required but was blank");
    expect(&sync(&forum, &[("external_id", " "), ("name", "x")]), 422, &blank);
    for word in ["none", "nil", "blank", "null"] {
        assert_eq!(sync(&forum, &[("external_id", word)]).status, 500, "{word}");
    }
    let nobody = failed("Validation failed: Primary email can't be blank");
    expect(&sync(&forum, &[("external_id", "new")]), 403, &nobody);
    expect(&tell(&forum, "janes", &sso, &signature(&sso)), 404, &not_found());
    forum.set(&json!({ "enable_discourse_connect": false }));
    let off = sync(&forum, &[("external_id", "x1")]);
    assert_eq!((off.status, off.text.as_str()), (404, ""));
}

#[test]
fn a_plus_in_the_text_arrives_as_a_blank() {
    let forum = forum(&all());
    // `~` as the third of three bytes makes a `+`.
    let sso = STANDARD.encode("external_id=x1&name=~");
    assert!(sso.contains('+'), "{sso}");
    let answer = tell(&forum, &forum.world.token("discourse"), &sso, &signature(&sso));
    assert_eq!(answer.status, 422);
}

#[test]
fn whoever_is_renamed_by_the_provider_keeps_her_key() {
    let forum = forum(&all());
    assert_eq!(sync(&forum, &[("external_id", "x1"), ("username", "jane.d")]).status, 200);
    let session = forum.ask_by("janes", "GET", "/session/current.json", &Value::Null);
    assert_eq!((session.status, &session.json()["current_user"]["username"]), (200, &json!("jane.d")));
}

#[test]
fn people_are_found_by_id_then_by_address_and_else_made() {
    let forum = forum(&all());
    // Max is found by the address, and tied from then on; not so where he has to be activated.
    let pairs = [("external_id", "x2"), ("email", "max@example.com"), ("require_activation", "true")];
    assert_eq!(sync(&forum, &pairs).status, 403);
    assert_eq!(sync(&forum, &pairs[..2]).json()["id"], 2);
    assert_eq!(forum.user(2)["external_id"], "x2");
    let made = sync(&forum, &[("external_id", "x9"), ("email", "nine@example.org"), ("username", "jane")]).json();
    assert_eq!((&made["id"], &made["username"], &made["active"]), (&json!(6), &json!("jane1"), &json!(true)));
}

#[test]
fn a_name_that_somebody_has_becomes_a_variant_and_no_error() {
    let forum = forum(&all());
    let answer = sync(&forum, &[("external_id", "x1"), ("username", "Max")]);
    assert_eq!((answer.status, &answer.json()["username"]), (200, &json!("Max1")));
}

#[test]
fn locale_title_rights_and_bio_have_rules_of_their_own() {
    let forum = forum(&json!({}));
    let base = ("external_id", "x1");
    sync(&forum, &[base, ("locale", "de"), ("bio", "first"), ("website", "w"), ("location", "l")]);
    let jane = forum.user(1);
    assert_eq!([&jane["locale"], &jane["bio"], &jane["website"]], [&json!(""), &json!("first"), &json!("w")]);
    assert_eq!((&jane["title"], &jane["location"]), (&json!("Cook"), &json!("l")));
    forum.set(&json!({ "allow_user_locale": true }));
    sync(&forum, &[base, ("locale", "de"), ("locale_force_update", "true"), ("bio", "second"), ("title", "Chief")]);
    let jane = forum.user(1);
    assert_eq!([&jane["locale"], &jane["bio"], &jane["title"]], [&json!("de"), &json!("first"), &json!("Chief")]);
    forum.set(&json!({ "discourse_connect_overrides_bio": true }));
    sync(&forum, &[base, ("bio", "third"), ("moderator", "true"), ("admin", "yes")]);
    let jane = forum.user(1);
    assert_eq!([&jane["bio"], &jane["moderator"], &jane["admin"]], [&json!("third"), &json!(true), &json!(false)]);
}

#[test]
fn groups_are_added_and_taken_or_replaced_as_a_whole() {
    let forum = forum(&json!({}));
    let members = |group: &str| forum.state()["groups"][group]["members"].clone();
    let base = ("external_id", "x1");
    sync(&forum, &[base, ("groups", "team"), ("add_groups", "team"), ("remove_groups", "crew")]);
    assert_eq!([members("crew"), members("team")], [json!([]), json!([1])]);
    forum.set(&json!({ "discourse_connect_overrides_groups": true }));
    sync(&forum, &[base, ("groups", "crew,staff")]);
    assert_eq!([members("crew"), members("team")], [json!([1]), json!([])]);
    // What is left out is taken away.
    sync(&forum, &[base]);
    assert_eq!([members("crew"), members("team")], [json!([]), json!([])]);
}

#[test]
fn an_inactive_user_becomes_active_unless_that_is_not_wanted() {
    let forum = forum(&all());
    forum.lab("POST", "meddle/jane", &json!({ "active": false }));
    let base = ("external_id", "x1");
    sync(&forum, &[base, ("require_activation", "true")]);
    assert_eq!(forum.user(1)["active"], false);
    sync(&forum, &[base]);
    assert_eq!(forum.user(1)["active"], true);
    let moves = [base, ("email", "new@example.org"), ("require_activation", "true")];
    // An address that is not the provider's to say changes nothing of that.
    forum.set(&json!({ "auth_overrides_email": false }));
    sync(&forum, &moves);
    assert_eq!((&forum.user(1)["active"], &forum.user(1)["email"]), (&json!(true), &json!("jane@example.com")));
    forum.set(&json!({ "auth_overrides_email": true }));
    sync(&forum, &moves);
    assert_eq!((&forum.user(1)["active"], &forum.user(1)["email"]), (&json!(false), &json!("new@example.org")));
}

#[test]
fn a_sign_in_takes_over_what_the_provider_says() {
    let config = "[systems.discourse]\nkind = \"discourse\"\nurl = \"https://forum.example.com\"\n\
                  token = { env = \"TOKEN\" }\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\n\
                  token = { env = \"TOKEN\" }\n";
    let forum = json!({
        "settings": { "login_provider": "gitlab", "auth_overrides_name": true, "auth_overrides_email": true },
        "users": [{ "id": 1, "username": "jane", "name": "Edited here", "external_id": "42" }],
    });
    let git = json!({ "users": [{ "id": 42, "username": "jdoe", "name": "Jane Doe", "email": "jdoe@example.org" }] });
    let mut world = crate::common::World::new()
        .file("homeward.toml", config)
        .file("lab/discourse.json", &forum.to_string())
        .file("lab/gitlab.json", &git.to_string());
    world.start_lab(&[]);
    let told = world.lab("discourse", "POST", "login/jane", &Value::Null);
    let expected = json!({
        "id": 1, "username": "jane", "email": "jdoe@example.org", "name": "Jane Doe", "changed": ["name", "email"],
    });
    assert_eq!(told, expected);
}
