//! GitLab, held against its `OpenAPI` description.

use serde_json::json;

use crate::{
    description,
    prism::{Description, hold_against},
    prism_program,
    workload::{NEWCOMERS, Row, Work},
};

/// GitLab's description leaves this part of every address out.
const BASE: &str = "/api/v4";

const COLUMNS: &[&str] = &[
    "username",
    "email",
    "display_name",
    "gitlab__public_email",
    "gitlab__commit_email",
    "gitlab__organization",
    "gitlab__location",
    "gitlab__note",
    "gitlab__bio",
    "active",
];

/// What the work must have led to; without one of these the check would have looked at less than it seems.
const CALLS: &[&str] = &[
    "DELETE /groups/{id}/members/{user_id} 204",
    "DELETE /groups/{id}/members/{user_id} 403",
    "DELETE /groups/{id}/members/{user_id} 404",
    "GET /groups/{id} 200",
    "GET /groups/{id} 404",
    "GET /groups/{id}/members 200",
    "GET /groups/{id}/members/{user_id} 200",
    "GET /groups/{id}/members/{user_id} 404",
    "GET /personal_access_tokens/self 200",
    "GET /user 200",
    "GET /user 401",
    "GET /users 200",
    "GET /users/{id} 200",
    "GET /users/{id} 404",
    "GET /version 200",
    "POST /groups/{id}/members 201",
    "POST /groups/{id}/members 400",
    "POST /groups/{id}/members 404",
    "POST /groups/{id}/members 409",
    "POST /users 201",
    "POST /users 400",
    "POST /users 409",
    "POST /users/{id}/block 201",
    "POST /users/{id}/unblock 201",
    "PUT /groups/{id}/members/{user_id} 200",
    "PUT /groups/{id}/members/{user_id} 400",
    "PUT /groups/{id}/members/{user_id} 403",
    "PUT /groups/{id}/members/{user_id} 404",
    "PUT /users/{id} 200",
    "PUT /users/{id} 400",
    "PUT /users/{id} 409",
];

#[test]
fn what_passes_between_us_and_gitlab_fits_its_description() {
    let (Some(program), Some(file)) = (prism_program(), description("gitlab-openapi.yaml")) else { return };
    let description = Description::read(file);
    let plain = "a-token-of-nobody-much";
    let seed = json!({
        "tokens": [{ "user": "plain", "token": plain }],
        "groups": [{ "path": "staff" }, { "path": "staff/in" }],
        "users": [
            { "id": 42, "username": "mmuster", "name": "Mia Muster", "email": "mia@example.com",
              "identities": [{ "provider": "saml", "extern_uid": "mia" }] },
            { "id": 43, "username": "tdvorak", "name": "Tomas Dvorak", "email": "tomas@example.com", "note": "left handed" },
            { "id": 44, "username": "lars", "name": "Lars", "email": "lars@example.com", "state": "blocked" },
            { "id": 45, "username": "ines", "name": "Ines", "email": "ines@example.com", "state": "deactivated" },
            { "id": 46, "username": "plain", "name": "Plain", "email": "plain@example.com" },
            { "id": 47, "username": "goes", "name": "Goes", "email": "goes@example.com" },
        ],
    });
    let work = Work::new("gitlab", &seed, 0, COLUMNS, Some((&program, &description, BASE)));

    // Many people: everybody is read. Two are switched on again, one off.
    let changed: &[Row] = &[
        ("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]),
        ("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]),
        ("5", &[("username", "ines"), ("email", "ines@example.com"), ("active", "yes")]),
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
                    ("display_name", "Mía Meyer"),
                    ("gitlab__commit_email", "_private"),
                    ("gitlab__organization", "Kitchen"),
                    ("gitlab__location", "Bern"),
                    ("gitlab__note", "moved"),
                    ("gitlab__bio", "cooks"),
                    ("active", "yes"),
                ],
            ),
            (
                "2",
                &[
                    ("username", "new"),
                    ("email", "new@example.com"),
                    ("display_name", "Nele Neu"),
                    ("gitlab__organization", "Kitchen"),
                    ("gitlab__location", "Bern"),
                    ("gitlab__note", "new"),
                    ("gitlab__bio", "cooks"),
                    ("active", "yes"),
                ],
            ),
        ],
    );
    // Known people are asked for by their ids: emptied, moved.
    work.apply(
        0,
        &[
            (
                "1",
                &[
                    ("email", "mia.meyer@example.com"),
                    ("gitlab__public_email", "mia@example.com"),
                    ("gitlab__organization", "-"),
                    ("gitlab__location", "-"),
                    ("gitlab__note", "-"),
                    ("gitlab__bio", "-"),
                    ("active", "yes"),
                ],
            ),
            ("6", &[("username", "goes"), ("email", "goes@example.com"), ("active", "yes")]),
        ],
    );
    memberships(&work);
    refusals(&work);
    work.look_around(None);
    work.look_around(Some(plain));
    work.look_around(Some("a-token-that-nobody-knows"));

    let mut exchanges = work.recorder.taken();
    // So many people that there is more than one page of them.
    let work = Work::new("gitlab", &seed, 110, COLUMNS, Some((&program, &description, BASE)));
    work.hr(NEWCOMERS);
    work.look_around(None);
    let many = work.recorder.taken();
    let paths = many.iter().map(|exchange| &exchange.path);
    assert!(
        paths.clone().any(|path| path.contains("pagination=keyset"))
            && paths.clone().any(|path| path.contains("sort=desc")),
        "{:#?}",
        paths.collect::<Vec<_>>()
    );
    exchanges.extend(many);
    let calls = description.calls(&exchanges, BASE);
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("gitlab.txt"), &description.violations(&exchanges, BASE));
}

#[test]
fn what_does_not_fit_is_found() {
    let (Some(program), Some(file)) = (prism_program(), description("gitlab-openapi.yaml")) else { return };
    let description = Description::read(file);
    let seed = json!({ "users": [{ "id": 42, "username": "a", "name": "A", "email": "a@example.com" }] });
    let work = Work::new("gitlab", &seed, 0, COLUMNS, Some((&program, &description, BASE)));
    work.ask("PUT", "/api/v4/users/42", &json!({ "name": ["A"] }));
    let found = description.violations(&work.recorder.taken(), BASE);
    let ours: Vec<_> = found.iter().filter(|line| line.contains(" request")).collect();
    assert_eq!(ours, ["PUT /users/{id} 400 request.body.name: Request body property name must be string"]);
}

/// Every request about groups that the connector makes, and each no it may meet.
fn memberships(work: &Work) {
    let none = json!(null);
    let ask = |method: &str, path: &str, body: &serde_json::Value| {
        work.ask(method, &format!("/api/v4/groups/{path}"), body);
    };
    let member = |user: u64, level: u64| json!({ "user_id": user, "access_level": level });
    let level = |level: u64| json!({ "access_level": level });
    let here_only = json!({ "skip_subresources": true });
    for path in ["staff?with_projects=false", "staff%2Fin?with_projects=false", "none?with_projects=false"] {
        ask("GET", path, &none);
    }
    ask("POST", "1/members", &member(42, 50));
    ask("POST", "1/members", &member(43, 30));
    ask("POST", "1/members", &member(43, 30));
    ask("POST", "2/members", &member(43, 10));
    ask("POST", "2/members", &member(43, 40));
    ask("POST", "1/members", &member(99, 30));
    for path in ["1/members?per_page=100&page=1", "staff%2Fin/members?per_page=100&page=1&user_ids%5B%5D=43"] {
        ask("GET", path, &none);
    }
    ask("GET", "1/members/43", &none);
    ask("PUT", "1/members/43", &level(20));
    ask("PUT", "2/members/43", &level(10));
    ask("PUT", "1/members/42", &level(20));
    ask("PUT", "1/members/99", &level(20));
    ask("DELETE", "1/members/42", &here_only);
    ask("DELETE", "1/members/43", &here_only);
    ask("DELETE", "1/members/43", &here_only);
    ask("GET", "1/members/43", &none);
}

/// What GitLab says no to, and only it could know.
fn refusals(work: &Work) {
    // A group of the same name, and an address that nobody has confirmed.
    work.apply(7, &[("1", &[("username", "staff"), ("active", "yes")])]);
    work.apply(7, &[("1", &[("gitlab__public_email", "else@example.com"), ("active", "yes")])]);
    // Taken between plan and act. A creation is not even sent then; somebody else's is.
    work.overtaken(7, &[("1", &[("username", "wanted"), ("active", "yes")])], |work| {
        work.meddle("plain", &json!({ "username": "wanted" }));
    });
    let fresh: Row =
        ("7", &[("username", "fresh"), ("email", "fresh@example.com"), ("display_name", "F"), ("active", "yes")]);
    work.overtaken(7, &[fresh], |work| work.meddle("wanted", &json!({ "username": "fresh" })));
    let taken = json!({ "username": "fresh", "email": "x@example.com", "name": "X", "force_random_password": true });
    work.ask("POST", "/api/v4/users", &taken);
    let fresh: Row =
        ("7", &[("username", "staff"), ("email", "fresh@example.com"), ("display_name", "F"), ("active", "yes")]);
    work.apply(7, &[fresh]);
    // Removed behind our back.
    work.ask("DELETE", "/api/v4/users/47", &json!(null));
    work.hr(&[("6", &[("gitlab__note", "gone"), ("active", "yes")])]);
    work.look_around(None);
}
