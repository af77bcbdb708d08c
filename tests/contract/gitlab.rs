//! GitLab, held against its `OpenAPI` description.

use serde_json::json;

use crate::{
    description,
    prism::{Description, hold_against},
    prism_program,
    workload::Work,
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
    "GET /personal_access_tokens/self 200",
    "GET /user 200",
    "GET /user 401",
    "GET /users 200",
    "GET /users/{id} 200",
    "GET /users/{id} 404",
    "GET /version 200",
    "POST /users 201",
    "POST /users 400",
    "POST /users 409",
    "POST /users/{id}/activate 201",
    "POST /users/{id}/block 201",
    "POST /users/{id}/unblock 201",
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
        "groups": [{ "path": "staff" }],
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
    let many: Vec<(String, String)> = (10..16).map(|id| (id.to_string(), format!("new{id}"))).collect();
    let addresses: Vec<String> = many.iter().map(|(_, name)| format!("{name}@example.com")).collect();
    let cells: Vec<[(&str, &str); 4]> = many
        .iter()
        .zip(&addresses)
        .map(|((_, name), email)| {
            [("username", name.as_str()), ("display_name", name), ("email", email.as_str()), ("active", "yes")]
        })
        .collect();
    let mut rows: Vec<(&str, &[(&str, &str)])> =
        many.iter().zip(&cells).map(|((id, _), cells)| (id.as_str(), cells.as_slice())).collect();
    rows.push(("3", &[("username", "lars"), ("email", "lars@example.com"), ("active", "yes")]));
    rows.push(("4", &[("username", "tdvorak"), ("email", "tomas@example.com"), ("active", "no")]));
    rows.push(("5", &[("username", "ines"), ("email", "ines@example.com"), ("active", "yes")]));
    work.apply(0, &rows);
    // A few people: each is looked up. One is new, one changes in every attribute.
    let mia = [("email", "mia.meyer@example.com"), ("active", "yes")];
    work.apply(
        0,
        &[
            ("1", &[
                ("username", "mia"), ("email", "mia@example.com"), ("display_name", "Mía Meyer"),
                ("gitlab__commit_email", "_private"), ("gitlab__organization", "Kitchen"), ("gitlab__location", "Bern"),
                ("gitlab__note", "moved"), ("gitlab__bio", "cooks"), ("active", "yes"),
            ]),
            ("2", &[
                ("username", "new"), ("email", "new@example.com"), ("display_name", "Nele Neu"),
                ("gitlab__organization", "Kitchen"), ("gitlab__location", "Bern"), ("gitlab__note", "new"),
                ("gitlab__bio", "cooks"), ("active", "yes"),
            ]),
        ],
    );
    // Known people are asked for by their ids: emptied, moved.
    work.apply(
        0,
        &[
            ("1", &[
                ("email", "mia.meyer@example.com"), ("gitlab__public_email", "mia@example.com"),
                ("gitlab__organization", "-"), ("gitlab__location", "-"), ("gitlab__note", "-"), ("gitlab__bio", "-"),
                ("active", "yes"),
            ]),
            ("6", &[("username", "goes"), ("email", "goes@example.com"), ("active", "yes")]),
        ],
    );
    refusals(&work, &mia);
    work.look_around(None);
    work.look_around(Some(plain));
    work.look_around(Some("a-token-that-nobody-knows"));

    let exchanges = work.recorder.taken();
    let calls = description.calls(&exchanges, BASE);
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("gitlab.txt"), &description.violations(&exchanges, BASE));
}

/// What GitLab says no to, and only it could know.
fn refusals(work: &Work, mia: &[(&str, &str)]) {
    let with = |cell: (&'static str, &'static str)| [mia, &[cell]].concat();
    // A group of the same name, and an address that nobody has confirmed.
    work.apply(7, &[("1", &with(("username", "staff")))]);
    work.apply(7, &[("1", &with(("gitlab__public_email", "else@example.com")))]);
    // Taken between plan and act, by a change and by a creation.
    work.overtaken(7, &[("1", &with(("username", "wanted")))], |work| {
        work.meddle("plain", &json!({ "username": "wanted" }));
    });
    let fresh = [("username", "fresh"), ("email", "fresh@example.com"), ("display_name", "F"), ("active", "yes")];
    work.overtaken(7, &[("7", &fresh)], |work| work.meddle("wanted", &json!({ "username": "fresh" })));
    let fresh = [("username", "staff"), ("email", "fresh@example.com"), ("display_name", "F"), ("active", "yes")];
    work.apply(7, &[("7", &fresh)]);
    // Removed behind our back.
    work.ask("DELETE", "/api/v4/users/47", &json!(null));
    work.hr(&[("6", &[("gitlab__note", "gone"), ("active", "yes")])]);
    work.look_around(None);
}
