//! Discourse, held against its `OpenAPI` description.
//!
//! The description has shapes of answers that say yes, and no errors. It knows neither `unsuspend` nor `sync_sso` nor the
//! pair of calls for one membership, nor the session; those exchanges are left out here, and `discourse.md` alone is what
//! the simulator keeps them to.

use serde_json::{Value, json};

use crate::{
    description,
    prism::{Description, hold_against},
    prism_program,
    recorder::Exchange,
    workload::{NEWCOMERS, Row, Work},
};

const COLUMNS: &[&str] = &["username", "email", "display_name", "discourse__title", "active"];

/// What the work must have led to; without one of these the check would have looked at less than it seems.
const CALLS: &[&str] = &[
    // Both calls have one address, which is named after what reads from it.
    "DELETE /groups/{name}/members.json 200",
    "GET /admin/users/list/{flag}.json 200",
    "GET /admin/users/{id}.json 200",
    "GET /groups/{name}.json 200",
    "GET /groups/{name}/members.json 200",
    "GET /u/by-external/{external_id}.json 200",
    "GET /u/{username}.json 200",
    "GET /u/{username}/emails.json 200",
    "PUT /admin/users/{id}/activate.json 200",
    "PUT /admin/users/{id}/deactivate.json 200",
    "PUT /admin/users/{id}/suspend.json 200",
    "PUT /groups/{name}/members.json 200",
    "PUT /u/{username}.json 200",
    "PUT /u/{username}/preferences/email.json 200",
    "PUT /u/{username}/preferences/username.json 200",
];

/// Ends of addresses that the description does not have at all: whose key it is, the end of a suspension, and what the
/// identity provider tells.
const NOT_DESCRIBED: &[&str] = &["/session/current.json", "/unsuspend.json", "/admin/users/sync_sso"];

/// True for an exchange that the description speaks of: a route it has, and a yes.
fn is_described(exchange: &Exchange) -> bool {
    let path = exchange.path.split('?').next().unwrap_or_default();
    // The pair for one membership is not there either.
    let is_pair = path.starts_with("/admin/users/") && path.contains("/groups");
    exchange.status < 300 && !is_pair && !NOT_DESCRIBED.iter().any(|end| path.ends_with(end))
}

#[test]
fn what_passes_between_us_and_discourse_fits_its_description() {
    let (Some(program), Some(file)) = (prism_program(), description("discourse-openapi.json")) else { return };
    let description = Description::read(file);
    let seed = json!({
        "settings": { "max_admin_api_reqs_per_minute": 0 },
        "groups": [{ "id": 60, "name": "crew", "members": ["tdvorak"] }],
        "user_fields": [{ "id": 1, "name": "One" }, { "id": 2, "name": "Two" }],
        "users": [
            { "id": 42, "username": "mmuster", "name": "Mia Muster", "email": "mia@example.com" },
            { "id": 43, "username": "tdvorak", "name": "Tomas", "email": "tomas@example.com", "external_id": "x43" },
            { "id": 44, "username": "lars", "name": "Lars", "email": "lars@example.com", "suspended": true },
            { "id": 45, "username": "ines", "name": "Ines", "email": "ines@example.com", "active": false },
        ],
    });
    let work = Work::new("discourse", &seed, 0, COLUMNS, Some((&program, &description, "")));
    // Nobody is made there.
    let rules = work.world.read("rules/all.rhai").replace("account(\"discourse\"", "// account(\"discourse\"");
    work.world.write("rules/all.rhai", rules.as_bytes());
    let says = |rows: &[Row]| {
        work.hr(rows);
        work.world.homeward(&["apply", "--yes", "hr=people.csv"])
    };
    let changed: &[Row] = &[
        ("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]),
        ("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]),
        ("5", &[("username", "ines"), ("email", "ines@example.com"), ("active", "yes")]),
    ];
    says(&[NEWCOMERS, changed].concat());
    says(&[(
        "1",
        &[("username", "mia"), ("email", "mia@example.com"), ("display_name", "Mia M"), ("discourse__title", "Cook")],
    )]);
    says(&[("1", &[("username", "mia.m"), ("email", "mia.m@example.com"), ("display_name", "Mia")])]);
    work.look_around(None);
    for (method, path, body) in [
        ("GET", "/u/by-external/x43.json", Value::Null),
        ("GET", "/groups/crew.json", Value::Null),
        // Somebody who is suspended, and a page behind the last: what we do not ask for ourselves.
        ("GET", "/admin/users/43.json", Value::Null),
        ("GET", "/admin/users/list/active.json?page=9", Value::Null),
        ("GET", "/groups/crew/members.json", Value::Null),
        ("PUT", "/groups/60/members.json", json!({ "usernames": "lars" })),
        ("DELETE", "/groups/60/members.json", json!({ "usernames": "lars" })),
        ("PUT", "/admin/users/45/deactivate.json", Value::Null),
    ] {
        work.ask(method, path, &body);
    }
    let exchanges: Vec<Exchange> = work.recorder.taken().into_iter().filter(is_described).collect();
    let calls = description.calls(&exchanges, "");
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("discourse.txt"), &description.violations(&exchanges, ""));
}
