//! Mattermost, held against its `OpenAPI` description.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    description,
    prism::{Description, hold_against},
    prism_program,
    recorder::Exchange,
    workload::{NEWCOMERS, Row, Work},
};

/// The rules of the work in teams and channels: everybody listed is in them, and nobody else of those who are spoken of.
const PLACES: &str = r#"
owner(["mattermost.teams", "mattermost.channels", "position"], "hr");
copies(["mattermost.teams", "mattermost.channels", "position"], "mattermost");
owner("username", "mattermost");
join("mattermost", ["username"]);
range("mattermost.teams", ["crew", "ruled", "nowhere"]);
range("mattermost.channels", ["crew/room", "crew/nowhere"]);
source("hr", |row| [
    #{
        key: row.id,
        username: row.username,
        position: row.position,
        "mattermost.teams": if row.teams == "" { [] } else { row.teams.split("+") },
        "mattermost.channels": if row.channels == "" { [] } else { row.channels.split("+") },
    },
    if row.sessions == "end" { perform("mattermost", "revoke_sessions", #{}) },
]);
"#;

const COLUMNS: &[&str] = &["username", "email", "first_name", "last_name", "nickname", "position", "locale", "active"];

/// What the work must have led to; without one of these the check would have looked at less than it seems.
const CALLS: &[&str] = &[
    "DELETE /api/v4/channels/{channel_id}/members/{user_id} 200",
    "DELETE /api/v4/teams/{team_id}/members/{user_id} 200",
    "DELETE /api/v4/teams/{team_id}/members/{user_id} 400",
    "GET /api/v4/channels/{channel_id}/members/{user_id} 404",
    "GET /api/v4/config 200",
    "GET /api/v4/config 403",
    "GET /api/v4/teams/name/{name} 200",
    "GET /api/v4/teams/name/{name} 404",
    "GET /api/v4/teams/name/{team_name}/channels/name/{channel_name} 200",
    "GET /api/v4/teams/name/{team_name}/channels/name/{channel_name} 404",
    "GET /api/v4/teams/{team_id}/members/{user_id} 200",
    "GET /api/v4/teams/{team_id}/members/{user_id} 404",
    "GET /api/v4/users 200",
    "GET /api/v4/users/email/{email} 200",
    "GET /api/v4/users/email/{email} 404",
    "GET /api/v4/users/stats 200",
    "GET /api/v4/users/{user_id} 200",
    "GET /api/v4/users/{user_id} 401",
    "GET /api/v4/users/{user_id}/sessions 200",
    "GET /api/v4/users/{user_id}/teams/members 200",
    "POST /api/v4/channels/{channel_id}/members 201",
    "POST /api/v4/channels/{channel_id}/members 404",
    "POST /api/v4/channels/{channel_id}/members/ids 200",
    "POST /api/v4/teams/{team_id}/members 201",
    "POST /api/v4/teams/{team_id}/members 400",
    "POST /api/v4/teams/{team_id}/members/ids 200",
    "POST /api/v4/users 201",
    "POST /api/v4/users 400",
    "POST /api/v4/users/ids 200",
    "POST /api/v4/users/usernames 200",
    "POST /api/v4/users/{user_id}/sessions/revoke/all 200",
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
    exchanges.extend(places(&program, &description));
    let calls = description.calls(&exchanges, "");
    let unheard: Vec<_> = CALLS.iter().filter(|call| !calls.contains(**call)).collect();
    assert!(unheard.is_empty(), "never happened: {unheard:#?}\nhappened: {calls:#?}");
    hold_against(include_str!("mattermost.txt"), &description.violations(&exchanges, ""));
}

/// Joining and leaving, and the end of sessions. The description knows no messages.
fn places(program: &Path, description: &Description) -> Vec<Exchange> {
    let id = |name: &str| format!("{name:0<26}");
    let person = |name: &str| json!({ "id": id(name), "username": name, "email": format!("{name}@example.com") });
    let seed = json!({
        "users": [person("anna"), person("berta"), person("cora"), person("dora")],
        "tokens": [{ "user": "anna", "kind": "session" }],
        "teams": [
            { "id": id("crew"), "name": "crew", "members": ["anna", "berta", "dora"],
              "channels": [{ "id": id("room"), "name": "room", "members": ["berta", "dora"] }] },
            { "id": id("ruled"), "name": "ruled", "group_constrained": true, "members": ["berta"] },
        ],
    });
    let columns = &["username", "position", "teams", "channels", "sessions"];
    let work = Work::new("mattermost", &seed, 0, columns, Some((program, description, "")));
    work.world.write("rules/all.rhai", PLACES.as_bytes());
    let joins: &[Row] = &[
        (
            "1",
            &[
                ("username", "anna"),
                ("position", "Cook"),
                ("teams", "crew"),
                ("channels", "crew/room"),
                ("sessions", "end"),
            ],
        ),
        ("2", &[("username", "berta"), ("teams", "crew+ruled"), ("channels", "")]),
        ("3", &[("username", "cora"), ("teams", "crew")]),
        ("4", &[("username", "dora"), ("teams", "")]),
    ];
    work.apply(0, joins);
    // One alone is asked for her teams; a team that is not there takes nobody.
    work.apply(4, &[("3", &[("username", "cora"), ("teams", "crew+nowhere"), ("channels", "crew/nowhere")])]);
    let bad = json!({ "team_id": id("ruled"), "user_id": id("anna") });
    work.ask("POST", &format!("/api/v4/teams/{}/members", id("ruled")), &bad);
    work.ask("DELETE", &format!("/api/v4/teams/{}/members/{}", id("ruled"), id("berta")), &Value::Null);
    work.ask("GET", &format!("/api/v4/teams/{}/members/{}", id("ruled"), id("anna")), &Value::Null);
    work.ask("POST", &format!("/api/v4/channels/{}/members", id("room")), &json!({ "user_id": id("nobody") }));
    work.recorder.taken()
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
