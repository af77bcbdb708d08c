//! The simulator answers what the real site answered: the recorded requests, asked again of a site with the same people.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    common::Answer,
    site::{Site, basic, recorded},
};

/// Where the recorded site was.
const THERE: &str = "http://127.0.0.1:8171";

/// Headers of the recording's server, of the connection, or of the moment.
const OF_THE_SERVER: [&str; 6] = ["host", "date", "connection", "x-powered-by", "content-length", "transfer-encoding"];

/// The people of three pages, as a seed has them; what the narrow pages leave out is taken from the full ones.
fn people(pages: &str) -> Vec<Value> {
    let rows = |name: String| recorded(&name)["response"]["body"].as_array().unwrap().clone();
    let full: BTreeMap<u64, Value> = (1..=2)
        .flat_map(|page| rows(format!("users-full-page{page}")))
        .map(|row| (row["id"].as_u64().unwrap(), row))
        .collect();
    let narrow = (1..=3).flat_map(|page| rows(format!("users-{pages}-page{page}")));
    narrow
        .map(|row| {
            let mut person = row.as_object().unwrap().clone();
            let whole = full.get(&row["id"].as_u64().unwrap());
            for key in ["url", "description", "nickname"] {
                if let Some(whole) = whole {
                    person.insert(key.to_owned(), whole[key].clone());
                }
            }
            let meta = person["meta"].as_object_mut().unwrap();
            meta.shift_remove("persisted_preferences");
            meta.retain(|_, value| *value != "");
            person.into()
        })
        .collect()
}

fn seed(pages: &str) -> Value {
    json!({
        "username": "siteadmin",
        "meta_keys": ["employee_id", "department", "job_title", "office", "manager_employee_id", "start_date"],
        "people": people(pages),
    })
}

fn site() -> Site {
    Site::new(&seed("fields"))
}

/// Asks what was asked, as who asked it.
fn again(site: &Site, name: &str) -> Answer {
    let request = &recorded(name)["request"];
    let password = if name.starts_with("wrong-password") { "xxxx".to_owned() } else { site.world.token("website") };
    let ours = basic("siteadmin", &password);
    let headers = request["headers"].as_array().unwrap().iter();
    let headers = headers.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
    let headers = headers.filter(|(name, _)| !["Host", "Connection", "User-Agent", "Content-Type"].contains(name));
    let headers: Vec<_> =
        headers.map(|(name, value)| (name, if name == "Authorization" { ours.as_str() } else { value })).collect();
    site.ask_with(request["method"].as_str().unwrap(), request["target"].as_str().unwrap(), &headers, &request["body"])
}

/// The headers that are the site's, by lower-case name.
fn headers_of(pairs: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let all = pairs.map(|(name, value)| (name.to_lowercase(), value));
    all.filter(|(name, _)| !OF_THE_SERVER.contains(&name.as_str())).collect()
}

/// Asks again and expects the very same status, headers and body, where the site of the recording stands for ours.
#[track_caller]
fn replay(site: &Site, name: &str) {
    replay_but(site, name, &|_| {});
}

/// The same where `blur` has been at both bodies.
#[track_caller]
fn replay_but(site: &Site, name: &str, blur: &dyn Fn(&mut Value)) {
    let answer = again(site, name);
    let response = &recorded(name)["response"];
    let there = if name.starts_with("wp61") { "http://127.0.0.1:8161" } else { THERE };
    let here = |text: &str| text.replace(&site.url(), there);

    assert_eq!(json!(answer.status), response["status"], "{name}: {}", answer.text);
    let ours = headers_of(answer.headers.iter().map(|(name, value)| (name.clone(), here(value))));
    let pairs = response["headers"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    assert_eq!(ours, headers_of(pairs), "{name}");
    let mut body =
        if answer.text.is_empty() { Value::Null } else { serde_json::from_str(&here(&answer.text)).unwrap() };
    let mut expected = response["body"].clone();
    blur(&mut body);
    blur(&mut expected);
    // As texts, because the order of fields is part of an answer.
    assert_eq!(body.to_string(), expected.to_string(), "{name}");
}

#[test]
fn every_recorded_read_is_answered_as_it_was() {
    let site = site();
    for name in [
        "if-none-match-ignored",
        "me-anonymous-401",
        "me-edit",
        "me-view",
        "method-404",
        "route-404",
        "user-404",
        "user-entities",
        "user-no-email",
        "user-no-role",
        "user-one",
        "users-fields-page1",
        "users-fields-page2",
        "users-fields-page3",
        "users-full-page1",
        "users-full-page2",
        "users-head-count",
        "users-include",
        "users-modified-after-ignored",
        "users-orderby-bogus-400",
        "users-page-out-of-range-200-empty",
        "users-page0-400",
        "users-perpage101-400",
        "users-roles-filter",
        "users-search-email-column",
        "users-search-rossi",
        "users-slug-filter",
        "wrong-password-list-200",
        "wrong-password-list-edit-401",
        "wrong-password-me-401",
        "plain-permalinks-route",
    ] {
        replay(&site, name);
    }
}

#[test]
fn the_index_is_answered_as_it_was_but_for_the_name_of_the_site() {
    let site = site();
    replay_but(&site, "index", &|body| body["name"] = Value::Null);
}

#[test]
fn the_site_as_it_was_later_is_answered_as_it_was() {
    let site = Site::new(&seed("after"));
    for page in 1..=3 {
        replay(&site, &format!("users-after-page{page}"));
    }
}

#[test]
fn every_recorded_write_is_answered_as_it_was() {
    let site = site();
    for name in [
        "invalid-json-400",
        "username-change-400",
        "username-case-400",
        "username-same-200",
        "slug-change-200",
        "email-duplicate-400",
        "email-duplicate-case-400",
        "email-empty-400",
        "email-invalid-400",
        "email-change-200",
        "name-change-200",
        "meta-change-200",
        "meta-unregistered-200-ignored",
        "role-unknown-400",
        "role-change-200",
        "role-empty-200-strips-roles",
        "create-bad-username-400",
    ] {
        replay(&site, name);
    }
    // When somebody registered is up to the clock of the site.
    let at_any_time = |body: &mut Value| {
        for place in ["/registered_date", "/previous/registered_date"] {
            if let Some(date) = body.pointer_mut(place) {
                assert_eq!(date.as_str().unwrap().len(), "2026-11-20T21:40:53+00:00".len());
                *date = Value::Null;
            }
        }
    };
    replay_but(&site, "create-201", &at_any_time);
    for name in [
        "create-duplicate-email-500",
        "create-duplicate-login-500",
        "create-missing-400",
        "delete-no-force-501",
        "delete-no-reassign-400",
    ] {
        replay(&site, name);
    }
    replay_but(&site, "delete-200", &at_any_time);
    replay(&site, "delete-again-404");
}

#[test]
fn callers_with_fewer_rights_are_answered_as_they_were() {
    let site = site();
    site.set(&json!({ "rights": "editor" }));
    replay(&site, "list-editor-403");
    site.set(&json!({ "rights": "list_only" }));
    replay(&site, "list-listusers-only-200-empty");
    replay(&site, "get-one-listusers-only-403");
}

#[test]
fn a_site_on_plain_http_is_answered_as_it_was() {
    let mut seed = seed("fields");
    seed["people"][0]["email"] = json!("siteadmin-new@example.org");
    seed["settings"] = json!({ "application_passwords": false });
    let site = Site::new(&seed);
    replay_but(&site, "plain-http-production-index", &|body| body["name"] = Value::Null);
    replay(&site, "plain-http-production-me-401");
    replay(&site, "plain-http-production-list-200");
}

#[test]
fn a_site_with_plain_permalinks_is_answered_as_it_was() {
    let mut seed = seed("fields");
    seed["settings"] = json!({ "permalinks": "plain" });
    let site = Site::new(&seed);
    for name in ["plain-permalinks-root-link", "plain-permalinks-list", "plain-permalinks-pretty-route-301"] {
        replay(&site, name);
    }
}

#[test]
fn a_site_in_bad_weather_is_answered_as_it_was() {
    let site = site();
    site.set(&json!({ "maintenance": true }));
    replay(&site, "maintenance-503");
    let page = again(&site, "maintenance-503-plain-accept");
    page_like(&page, "maintenance-503-plain-accept", "<title>Maintenance</title>");
    site.set(&json!({ "maintenance": false, "database_down": true }));
    replay(&site, "database-down-500");
    let page = again(&site, "database-down-500-plain-accept");
    page_like(&page, "database-down-500-plain-accept", "<title>Database Error</title>");
}

/// A page need not look the same: status, headers and title must be.
#[track_caller]
fn page_like(page: &Answer, name: &str, title: &str) {
    let response = &recorded(name)["response"];
    assert_eq!(json!(page.status), response["status"]);
    let pairs = response["headers"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    let ours = page.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    assert_eq!(headers_of(ours), headers_of(pairs));
    assert!(response["body_text"].as_str().unwrap().contains(title));
    assert!(page.text.contains(title), "{}", page.text);
}

#[test]
fn the_older_version_is_answered_as_it_was_but_for_pictures() {
    let mut seed = seed("fields");
    seed["settings"] = json!({ "version": "6.1.9" });
    seed["people"][0]["url"] = json!("http://127.0.0.1:8161");
    let site = Site::new(&seed);
    let without_pictures = |body: &mut Value| {
        for row in body.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().shift_remove("avatar_urls");
        }
    };
    replay_but(&site, "wp61-users-page1", &without_pictures);
    replay(&site, "wp61-username-change-400");
}

/// The people of the first snapshot become those of the second by what can be done to them here.
#[test]
fn one_snapshot_becomes_the_other_by_meddling() {
    let site = site();
    let before: BTreeMap<u64, Value> = by_id(people("fields"));
    let after: BTreeMap<u64, Value> = by_id(people("after"));
    for (id, person) in &before {
        let Some(wanted) = after.get(id) else {
            site.lab("DELETE", &format!("users/{id}"), &Value::Null);
            continue;
        };
        let different = wanted.as_object().unwrap().iter().filter(|(key, value)| person[*key] != **value);
        let different: Map<String, Value> = different.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !different.is_empty() {
            site.lab("POST", &format!("meddle/{id}"), &different.into());
        }
    }
    let page = site.ask_with(
        "GET",
        "/wp-json/wp/v2/users?context=edit&per_page=100&orderby=id&page=1&_fields=id,username,name,email,slug,roles",
        &[("Authorization", &site.basic("siteadmin"))],
        &Value::Null,
    );
    let expected: Vec<Value> = after
        .values()
        .take(100)
        .map(|person| {
            let kept = ["id", "username", "name", "email", "slug", "roles"];
            let kept = kept.map(|key| (key.to_owned(), person[key].clone()));
            Value::Object(kept.into_iter().collect())
        })
        .collect();
    assert_eq!(page.json(), json!(expected));
}

fn by_id(people: Vec<Value>) -> BTreeMap<u64, Value> {
    people.into_iter().map(|person| (person["id"].as_u64().unwrap(), person)).collect()
}
