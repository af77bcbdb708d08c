//! Mattermost, held against its `OpenAPI` description.

use serde_json::json;

use crate::{
    description,
    prism::{Description, hold_against},
    prism_program,
    workload::{NEWCOMERS, Row, Work},
};

const COLUMNS: &[&str] = &["username", "email", "first_name", "last_name", "nickname", "position", "locale", "active"];

/// What the work must have led to; without one of these the check would have looked at less than it seems.
const CALLS: &[&str] = &[
    "GET /api/v4/config 200",
    "GET /api/v4/config 403",
    "GET /api/v4/users 200",
    "GET /api/v4/users/email/{email} 200",
    "GET /api/v4/users/email/{email} 404",
    "GET /api/v4/users/stats 200",
    "GET /api/v4/users/{user_id} 200",
    "GET /api/v4/users/{user_id} 401",
    "POST /api/v4/users 201",
    "POST /api/v4/users 400",
    "POST /api/v4/users/ids 200",
    "POST /api/v4/users/usernames 200",
    "PUT /api/v4/users/{user_id}/active 200",
    "PUT /api/v4/users/{user_id}/active 403",
    "PUT /api/v4/users/{user_id}/patch 200",
    "PUT /api/v4/users/{user_id}/patch 400",
    "PUT /api/v4/users/{user_id}/patch 409",
];

#[test]
fn what_passes_between_us_and_mattermost_fits_its_description() {
    let (Some(program), Some(file)) = (prism_program(), description("mattermost-openapi.yaml")) else { return };
    let description = Description::read(file);
    let plain = "a-token-of-nobody-much";
    let seed = json!({
        "groups": ["crew"],
        "tokens": [{ "user": "plain", "token": plain }],
        "users": [
            { "username": "mmuster", "email": "mia@example.com", "first_name": "Mia", "last_name": "Muster" },
            { "username": "tdvorak", "email": "tomas@example.com", "nickname": "Tom", "position": "Cook" },
            { "username": "lars", "email": "lars@example.com", "delete_at": 1_700_000_000_000_i64 },
            { "username": "gitta", "email": "gitta@example.com", "auth_service": "gitlab", "auth_data": "42" },
            { "username": "plain", "email": "plain@example.com" },
        ],
    });
    let work = Work::new("mattermost", &seed, 0, COLUMNS, Some((&program, &description, "")));

    // Many people: everybody is read. One is switched on again, one off.
    let changed: &[Row] = &[
        ("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]),
        ("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]),
    ];
    work.apply(0, &[NEWCOMERS, changed].concat());
    // A few people: each is looked up. One is new, one changes in every attribute.
    work.apply(
        0,
        &[
            (
                "1",
                &[
                    ("username", "mia"),
                    ("email", "mia@example.com"),
                    ("first_name", "Mía"),
                    ("last_name", "Meyer"),
                    ("nickname", "Mi"),
                    ("position", "Chef"),
                    ("locale", "de"),
                    ("active", "yes"),
                ],
            ),
            (
                "2",
                &[
                    ("username", "new"),
                    ("email", "new@example.com"),
                    ("first_name", "Nele"),
                    ("last_name", "Neu"),
                    ("nickname", "N"),
                    ("position", "Cook"),
                    ("locale", "en"),
                    ("active", "yes"),
                ],
            ),
        ],
    );
    // Known people are asked for by their ids: emptied, moved, switched off.
    work.apply(
        0,
        &[
            ("1", &[("email", "mia.meyer@example.com"), ("nickname", "-"), ("position", "-"), ("active", "yes")]),
            ("2", &[("first_name", "-"), ("last_name", "-"), ("active", "")]),
        ],
    );
    refusals(&work);
    work.look_around(None);
    work.look_around(Some(plain));
    work.look_around(Some("a-token-that-nobody-knows"));

    let mut exchanges = work.recorder.taken();
    // So many people that there is more than one page of them.
    let work = Work::new("mattermost", &seed, 230, COLUMNS, Some((&program, &description, "")));
    work.hr(NEWCOMERS);
    work.look_around(None);
    let many = work.recorder.taken();
    let paths = many.iter().map(|exchange| &exchange.path);
    assert!(paths.clone().any(|path| path.contains("page=1&")), "{:#?}", paths.collect::<Vec<_>>());
    exchanges.extend(many);
    let calls = description.calls(&exchanges, "");
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("mattermost.txt"), &description.violations(&exchanges, ""));
}

/// What Mattermost says no to, and only it could know.
fn refusals(work: &Work) {
    // A group of the same name.
    work.apply(7, &[("1", &[("username", "crew"), ("active", "yes")])]);
    // Taken between plan and act.
    work.overtaken(7, &[("1", &[("username", "wanted"), ("active", "yes")])], |work| {
        work.meddle("plain", &json!({ "username": "wanted" }));
    });
    // A creation is not even sent then; somebody else's is.
    let fresh: Row = ("7", &[("username", "fresh"), ("email", "fresh@example.com"), ("active", "yes")]);
    work.overtaken(7, &[fresh], |work| work.meddle("wanted", &json!({ "username": "fresh" })));
    let taken = json!({ "username": "fresh", "email": "other@example.com", "password": "a long pass phrase 1" });
    work.ask("POST", "/api/v4/users", &taken);
    // Moved to a login provider between plan and act.
    work.overtaken(7, &[("1", &[("username", "locked"), ("active", "yes")])], |work| {
        work.meddle("mia", &json!({ "auth_service": "gitlab", "auth_data": "77" }));
    });
    work.overtaken(7, &[("2", &[("active", "no")])], |work| {
        work.meddle("new", &json!({ "auth_service": "ldap", "auth_data": "new" }));
    });
}
