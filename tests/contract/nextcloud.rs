//! Nextcloud, held against the `OpenAPI` description of its provisioning interface.

use serde_json::{Value, json};

use crate::{
    common::send,
    description,
    prism::{Description, hold_against},
    prism_program,
    workload::{NEWCOMERS, Row, Work},
};

const COLUMNS: &[&str] = &[
    "username",
    "email",
    "display_name",
    "phone",
    "locale",
    "nextcloud__role",
    "nextcloud__website",
    "nextcloud__language",
    "nextcloud__quota",
    "nextcloud__manager",
    "active",
];

/// What the work must have led to; without one of these the check would have looked at less than it seems.
const CALLS: &[&str] = &[
    "DELETE /ocs/v2.php/cloud/users/{userId}/groups 200",
    "DELETE /ocs/v2.php/cloud/users/{userId}/groups 400",
    "GET /ocs/v2.php/cloud/groups 200",
    "GET /ocs/v2.php/cloud/user 200",
    "GET /ocs/v2.php/cloud/user 401",
    "GET /ocs/v2.php/cloud/user/fields/{userId} 200",
    "GET /ocs/v2.php/cloud/users 200",
    "GET /ocs/v2.php/cloud/users 403",
    "GET /ocs/v2.php/cloud/users/details 200",
    "GET /ocs/v2.php/cloud/users/{userId} 200",
    "GET /ocs/v2.php/cloud/users/{userId} 404",
    "POST /ocs/v2.php/cloud/users 200",
    "POST /ocs/v2.php/cloud/users 400",
    "POST /ocs/v2.php/cloud/users/{userId}/groups 200",
    "POST /ocs/v2.php/cloud/users/{userId}/groups 400",
    "PUT /ocs/v2.php/cloud/users/{userId} 200",
    "PUT /ocs/v2.php/cloud/users/{userId} 400",
    "PUT /ocs/v2.php/cloud/users/{userId} 404",
    "PUT /ocs/v2.php/cloud/users/{userId}/disable 200",
    "PUT /ocs/v2.php/cloud/users/{userId}/enable 200",
];

/// Asks something past the program, as it would.
fn ask(work: &Work, method: &str, path: &str, body: &Value) {
    let bearer = format!("Bearer {}", work.world.token("nextcloud"));
    let headers = [("Authorization", bearer.as_str()), ("OCS-APIRequest", "true"), ("Accept", "application/json")];
    send(method, &format!("{}/ocs/v2.php/cloud/{path}", work.recorder.url), &headers, body);
}

#[test]
fn what_passes_between_us_and_nextcloud_fits_its_description() {
    let (Some(program), Some(file)) = (prism_program(), description("nextcloud-provisioning-openapi.json")) else {
        return;
    };
    let description = Description::read(file);
    let seed = json!({
        "settings": { "edit_limit": null, "delay_ms": 0 },
        "groups": ["staff"],
        "users": [
            { "id": "mmuster", "displayname": "Mia Muster", "email": "mia@example.com", "groups": ["staff"] },
            { "id": "tdvorak", "displayname": "Tomas Dvorak", "last_login": 0, "quota": "1 GB" },
            { "id": "lars", "email": "lars@example.com", "enabled": false },
            { "id": "odd", "broken": true },
            { "id": "plain", "app_password": "a-token-of-nobody-much" },
        ],
    });
    let work = Work::new("nextcloud", &seed, 0, COLUMNS, Some((&program, &description, "")));

    // Many people: the list is read. One is switched on again, one off.
    let changed: &[Row] = &[
        ("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]),
        ("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]),
    ];
    work.apply(0, &[NEWCOMERS, NEWCOMERS_TOO, changed].concat());
    // A few people: each is looked up. One changes in every attribute, and is emptied where that can be.
    let whole: Row = (
        "1",
        &[
            ("username", "mmuster"),
            ("email", "mia.meyer@example.com"),
            ("display_name", "Mía Meyer"),
            ("phone", "+41791234567"),
            ("locale", "de_CH"),
            ("nextcloud__role", "Chef"),
            ("nextcloud__website", "https://example.com"),
            ("nextcloud__language", "de"),
            ("nextcloud__quota", "5 GB"),
            ("nextcloud__manager", "lars"),
            ("active", "yes"),
        ],
    );
    work.apply(0, &[whole]);
    let emptied: Row = (
        "1",
        &[("email", "-"), ("phone", "-"), ("nextcloud__role", "-"), ("nextcloud__manager", "-"), ("active", "yes")],
    );
    work.apply(0, &[emptied]);
    // What only Nextcloud could know.
    work.apply(7, &[("1", &[("locale", "xx_XX"), ("active", "yes")])]);
    for (method, path, body) in [
        ("GET", "groups?search=staff&limit=500&offset=0&format=json", Value::Null),
        ("GET", "user/fields/mmuster?format=json", Value::Null),
        ("GET", "users/details?search=mia&limit=100&offset=0&format=json", Value::Null),
        ("PUT", "users/nobody?format=json", json!({ "key": "role", "value": "x" })),
        ("POST", "users?format=json", json!({ "userid": "mmuster", "password": "a long enough one" })),
        ("POST", "users/mmuster/groups?format=json", json!({ "groupid": "staff" })),
        ("POST", "users/mmuster/groups?format=json", json!({ "groupid": "nowhere" })),
        ("DELETE", "users/mmuster/groups?format=json", json!({ "groupid": "staff" })),
        ("DELETE", "users/mmuster/groups?format=json", json!({ "groupid": "nowhere" })),
    ] {
        ask(&work, method, path, &body);
    }
    work.look_around(None);
    work.look_around(Some("a-token-of-nobody-much"));
    work.look_around(Some("a-token-that-nobody-knows"));
    let exchanges = work.recorder.taken();
    let calls = description.calls(&exchanges, "");
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("nextcloud.txt"), &description.violations(&exchanges, ""));
}

/// So many more that the list is read and not each looked up.
const NEWCOMERS_TOO: &[Row] = &[
    ("81", &[("username", "m1"), ("email", "m1@example.com"), ("active", "yes")]),
    ("82", &[("username", "m2"), ("email", "m2@example.com"), ("active", "yes")]),
    ("83", &[("username", "m3"), ("email", "m3@example.com"), ("active", "yes")]),
    ("84", &[("username", "m4"), ("email", "m4@example.com"), ("active", "yes")]),
];
