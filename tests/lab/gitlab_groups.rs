//! Memberships in GitLab's groups, keys and tokens, from a file to the simulator: planned, applied, planned again.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use crate::common::World;
use serde_json::{Value, json};

const CONFIG: &str = "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n\
                      [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://gitlab.example.com\"\ntoken = { env = \"T\" }\n";

const RULES: &str = r#"
owner(["username", "gitlab.groups"], "hr");
copies(["username", "gitlab.groups"], "gitlab");
range("gitlab.groups", ["crew", "crew/in", "ops"]);
join("gitlab", ["email"]);
fn level(cell) { if cell == "" { () } else { cell } }
source("hr", |row| [
    #{
        key: row.id, email: row.email, username: row.username,
        "gitlab.groups": #{ "crew": level(row.crew), "crew/in": level(row.inside), "ops": level(row.ops) },
    },
    if row.key == "" { () } else { perform("gitlab", "delete_key", #{ key: row.key }) },
    if row.token == "" { () } else { perform("gitlab", "revoke_token", #{ token: row.token }) },
    if row.add == "" { () } else { perform("gitlab", "add_member", #{ group: row.add, access: "guest" }) },
]);
"#;

fn seed() -> Value {
    json!({
        "users": [
            {"id": 7, "username": "anna", "keys": [{"id": 1, "title": "laptop"}]},
            {"id": 8, "username": "ben"},
        ],
        "groups": [
            {"path": "crew", "members": [{"username": "anna", "access_level": 30}]},
            {"path": "crew/in", "members": [{"username": "anna", "access_level": 40}, {"username": "ben", "access_level": 10}]},
            {"path": "ops", "members": [{"username": "ben", "access_level": 50}]},
            {"path": "private", "members": [{"username": "anna", "access_level": 50}, {"username": "ben", "access_level": 50}]},
            {"path": "guests"},
        ],
        "tokens": [{"user": "anna", "id": 40}, {"user": "ben", "id": 41}],
    })
}

const COLUMNS: &str = "id,email,username,crew,inside,ops,key,token,add\n";

fn world(rows: &str) -> World {
    let mut world = World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/all.rhai", RULES)
        .file("lab/gitlab.json", &seed().to_string())
        .file("hr.csv", &format!("{COLUMNS}{rows}"));
    world.start_lab(&[]);
    world
}

/// Who is in which group with which level.
fn levels(world: &World) -> Value {
    let state = world.state("gitlab");
    let groups = state["groups"].as_object().unwrap().values().map(|group| {
        let members = group["members"].as_object().unwrap().iter();
        let members: Vec<Value> = members.map(|(id, member)| json!([id, member["access_level"]])).collect();
        (group["path"].as_str().unwrap().to_owned(), Value::from(members))
    });
    Value::Object(groups.collect())
}

/// The memberships a plan speaks of, without what is so already: `[account, attribute, before, after, decision]`.
fn changes(plan: &Value) -> Vec<Value> {
    let all = plan["changes"].as_array().unwrap().iter().filter(|change| change["decision"] != "unchanged");
    all.map(|one| json!([one["account"], one["attribute"], one["before"], one["after"], one["decision"]])).collect()
}

#[test]
fn memberships_of_the_range_become_what_is_said_and_no_others() {
    let world = world("1,anna@example.com,anne,maintainer,,reporter,,,\n2,ben@example.com,ben,,developer,owner,,,\n");
    let plan = world.json(0, &["plan", "hr=hr.csv"]);
    let expected = [
        json!(["7", "gitlab.groups[crew/in]", "maintainer", null, "apply"]),
        json!(["7", "gitlab.groups[crew]", "developer", "maintainer", "apply"]),
        json!(["7", "gitlab.groups[ops]", null, "reporter", "apply"]),
        json!(["7", "username", "anna", "anne", "apply"]),
        json!(["8", "gitlab.groups[crew/in]", "guest", "developer", "apply"]),
    ];
    assert_eq!(changes(&plan), expected);
    world.forget(&["gitlab"]);
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    let mut writes = world.writes("gitlab");
    writes.sort_by_key(ToString::to_string);
    let expected = [
        json!(["DELETE", "/api/v4/groups/2/members/7", {"skip_subresources": true}, 204]),
        json!(["POST", "/api/v4/groups/3/members", {"user_id": 7, "access_level": 20}, 201]),
        json!(["PUT", "/api/v4/groups/1/members/7", {"access_level": 40}, 200]),
        json!(["PUT", "/api/v4/groups/2/members/8", {"access_level": 30}, 200]),
        json!(["PUT", "/api/v4/users/7", {"username": "anne"}, 200]),
    ];
    assert_eq!(writes, expected);
    let held = json!({
        "crew": [["7", 40]], "crew/in": [["8", 30]], "ops": [["7", 20], ["8", 50]],
        "private": [["7", 50], ["8", 50]], "guests": [],
    });
    assert_eq!(levels(&world), held);
    assert!(!world.asked("gitlab").iter().any(|asked| asked.contains("private") || asked.contains("groups/4")));
    let again = world.json(0, &["plan", "hr=hr.csv"]);
    assert_eq!((changes(&again), &again["calls"]), (Vec::new(), &json!([])));
}

#[test]
fn what_gitlab_would_refuse_is_refused_before_and_says_why() {
    // Anna is developer in the crew, which is the least she can be inside; Ben is the last owner of ops.
    let world = world("1,anna@example.com,anna,developer,guest,,,,\n2,ben@example.com,ben,,guest,developer,,,\n");
    let plan = world.json(0, &["plan", "hr=hr.csv"]);
    let refused: Vec<Value> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["decision"] == "refuse")
        .map(|change| json!([change["account"], change["attribute"], change["refusal"], change["reason"]]))
        .collect();
    let least = "in `crew/in` the person is developer already, through `crew`, and GitLab gives nobody less than that: \
                 change it there";
    let owner = "she is the last owner of `ops` who can sign in: make somebody else an owner first";
    let expected = [
        json!(["7", "gitlab.groups[crew/in]", "invalid", least]),
        json!(["8", "gitlab.groups[ops]", "forbidden", owner]),
    ];
    assert_eq!(refused, expected);
    assert_eq!(plan["calls"], json!([]));
}

/// While it rises outside, what is inside must already be what it shall be.
#[test]
fn a_level_that_rises_around_a_group_does_not_hinder_what_is_wanted_inside() {
    let world = world("1,anna@example.com,anna,maintainer,developer,,,,\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    let levels = levels(&world);
    assert_eq!((&levels["crew"], &levels["crew/in"]), (&json!([["7", 40]]), &json!([["7", 30], ["8", 10]])));
}

#[test]
fn a_saved_plan_is_not_applied_where_a_membership_has_moved() {
    let world = world("1,anna@example.com,anna,maintainer,maintainer,guest,,,\n");
    world.json(0, &["plan", "hr=hr.csv", "--out", "plan.json"]);
    let moved = world.ask("gitlab", "PUT", "/api/v4/groups/1/members/7", &[], &json!({"access_level": 20}));
    assert_eq!(moved.status, 200);
    world.forget(&["gitlab"]);
    let report = world.json(7, &["apply", "--yes", "plan.json"]);
    assert!(report.to_string().contains("gitlab.groups[crew]"), "{report}");
    let writes = world.writes("gitlab");
    assert_eq!(writes, [json!(["POST", "/api/v4/groups/3/members", {"user_id": 7, "access_level": 10}, 201])]);
}

#[test]
fn keys_tokens_and_named_groups_are_asked_for_once() {
    let world = world("1,anna@example.com,anna,developer,maintainer,,1,40,guests\n");
    let plan = world.json(0, &["plan", "hr=hr.csv"]);
    let asked: Vec<Value> = plan["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| json!([one["operation"], one["account"], one["arguments"], one["decision"]]))
        .collect();
    let expected = [
        json!(["add_member", "7", {"access": "guest", "group": "guests"}, "apply"]),
        json!(["delete_key", "7", {"key": "1"}, "apply"]),
        json!(["revoke_token", "7", {"token": "40"}, "apply"]),
    ];
    assert_eq!(asked, expected);
    world.forget(&["gitlab"]);
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    let mut writes = world.writes("gitlab");
    writes.sort_by_key(ToString::to_string);
    let expected = [
        json!(["DELETE", "/api/v4/personal_access_tokens/40", null, 204]),
        json!(["DELETE", "/api/v4/users/7/keys/1", null, 204]),
        json!(["POST", "/api/v4/groups/5/members", {"user_id": 7, "access_level": 10}, 201]),
    ];
    assert_eq!(writes, expected);
    let state = world.state("gitlab");
    assert_eq!((&state["users"]["7"]["keys"], &state["tokens"]["40"]["revoked"]), (&json!([]), &json!(true)));
    assert_eq!(levels(&world)["guests"], json!([["7", 10]]));
    world.forget(&["gitlab"]);
    let again = world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    assert_eq!(world.writes("gitlab"), Vec::<Value>::new(), "{again}");
}

#[test]
fn somebody_elses_token_is_not_revoked_and_an_unknown_group_not_asked_for() {
    let world = world("1,anna@example.com,anna,developer,maintainer,,,41,none\n");
    let plan = world.json(0, &["plan", "hr=hr.csv"]);
    let reasons: Vec<Value> =
        plan["operations"].as_array().unwrap().iter().map(|one| json!([one["decision"], one["refusal"]])).collect();
    assert_eq!(reasons, [json!(["refuse", "not_found"]), json!(["apply", null])]);
    world.forget(&["gitlab"]);
    let report = world.json(7, &["apply", "--yes", "hr=hr.csv"]);
    assert!(report.to_string().contains("somebody else's"), "{report}");
    assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
    assert_eq!(world.state("gitlab")["tokens"]["41"]["revoked"], false);
}
