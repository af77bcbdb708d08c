//! Lists that lag behind what was written: neither a change of somebody else nor our own is missed for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::common::{
    World,
    journey::{changes, outcomes},
};
use serde_json::{Value, json};

const RULES: &str = "owner(\"username\", \"hr\");
copies(\"username\", \"zitadel\");
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username });
join(\"zitadel\", \"email\");
";

/// The interface is named, for finding it looks at a user, and any such look brings this lab's lists up to date.
const SETTINGS: &str = "[systems.hr]
kind = \"csv\"
key = \"id\"
says = \"state\"
coverage = \"partial\"
[systems.zitadel]
kind = \"zitadel\"
url = \"https://zitadel.example.com\"
token = { env = \"TOKEN\" }
api = \"v2\"
";

/// Three people with ids, whose lists show a write only after fifty more requests, and a saved plan that renames each.
fn planned() -> World {
    let user = |id: &str| {
        json!({ "id": id, "username": id, "first_name": "Ann", "last_name": "Other",
            "email": format!("{id}@example.com") })
    };
    let users = ["p0", "p1", "p2"].map(user);
    let seed = json!({ "settings": { "projection_lag": 50 }, "users": users });
    let mut world = World::new()
        .file("homeward.toml", SETTINGS)
        .file("rules/rules.rhai", RULES)
        .file("lab/zitadel.json", &seed.to_string())
        .file("people.csv", "id,email,username\n0,p0@example.com,n0\n1,p1@example.com,n1\n2,p2@example.com,n2\n");
    world.start_lab(&[]);
    let plan = world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
    let expected = ["p0", "p1", "p2"].map(|id| format!("hr/{0} username zitadel apply {id} → n{0}", &id[1..]));
    assert_eq!(changes(&plan), expected);
    world
}

/// Somebody else's write.
fn rename(world: &World, id: &str, username: &str) {
    let answer =
        world.ask("zitadel", "PATCH", &format!("/v2/users/{id}"), &[], &json!({ "username": username, "human": {} }));
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// The usernames that the list shows, in order of id.
fn listed(world: &World) -> Vec<Value> {
    let body = json!({ "queries": [{ "inUserIdsQuery": { "userIds": ["p0", "p1", "p2"] } }] });
    let shown = world.ask("zitadel", "POST", "/v2/users", &[], &body).json();
    let mut users = shown["result"].as_array().unwrap().clone();
    users.sort_by_key(|user| user["userId"].as_str().unwrap().to_owned());
    users.into_iter().map(|user| user["username"].clone()).collect()
}

fn held(world: &World) -> [Value; 3] {
    ["p0", "p1", "p2"].map(|id| world.user("zitadel", "id", id)["username"].clone())
}

#[test]
fn what_others_changed_is_seen_before_anything_is_sent_though_the_list_does_not_show_it() {
    let world = planned();
    rename(&world, "p0", "theirs");
    rename(&world, "p2", "n2");
    assert_eq!(listed(&world), ["p0", "p1", "p2"], "the list lags");
    assert_eq!(held(&world), ["theirs", "p1", "n2"]);
    world.forget(&["zitadel"]);

    let report = world.json(7, &["apply", "--yes", "plan.json"]);
    // The third was done by somebody else already, and is not sent once more.
    assert_eq!(outcomes(&report), [json!({ "moved": ["username"] }), json!("done"), json!("done")]);
    let writes = world.writes("zitadel");
    let sent: Vec<[&Value; 3]> = writes.iter().map(|write| [&write[0], &write[1], &write[3]]).collect();
    assert_eq!(sent, [[&json!("PATCH"), &json!("/v2/users/p1"), &json!(200)]]);
    assert_eq!(held(&world), ["theirs", "n1", "n2"]);
}

#[test]
fn what_took_is_done_though_the_list_would_still_show_what_was() {
    let world = planned();
    world.forget(&["zitadel"]);
    let report = world.json(0, &["apply", "--yes", "plan.json"]);
    assert_eq!(outcomes(&report), ["done", "done", "done"]);
    assert_eq!(held(&world), ["n0", "n1", "n2"]);
    let asked = world.asked("zitadel");
    // What it judged by were looks at single users, of which each write has one behind it.
    for id in ["p0", "p1", "p2"] {
        let of_this = |line: &&String| line.ends_with(&format!("/v2/users/{id}"));
        let lines: Vec<&str> = asked.iter().filter(of_this).map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(lines, ["GET", "PATCH", "GET"], "{id}");
    }
    assert_eq!(asked.iter().filter(|line| *line == "POST /v2/users").count(), 0, "{asked:?}");

    // The same write, and no look at the user behind it: it is the list that would have misled.
    rename(&world, "p0", "p0");
    assert_eq!(listed(&world), ["n0", "n1", "n2"]);
}
