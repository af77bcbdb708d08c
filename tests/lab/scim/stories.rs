//! The program at work on a SCIM server: a feed that makes, changes and switches off, and groups that follow.

use serde_json::{Value, json};

use crate::common::World;

const CONFIG: &str = r#"
[systems.hr]
kind = "csv"
key = "id"

[systems.app]
kind = "scim"
url = "https://app.example.com/scim/v2"
token = { env = "TOKEN" }
"#;

const RULES: &str = r#"
owner(["username", "email", "first_name", "last_name", "department", "active", "app.external_id", "app.groups"], "hr");
copies(["username", "email", "first_name", "last_name", "department", "active", "app.external_id", "app.groups"], ["app"]);
range("app.groups", ["Guides"]);
join("app", ["app.external_id", "email"]);
account("app", |person| person.active);
source("hr", |row| #{
    key: row.id, username: row.login, email: row.mail, first_name: row.first, last_name: row.last,
    department: row.unit, active: row.status == "in", "app.external_id": row.id,
    "app.groups": if row.unit == "Tours" { ["Guides"] } else { [] },
});
"#;

const PEOPLE: &str = "id,login,mail,first,last,unit,status\n\
    1,anna,anna@example.com,Anna,Meyer-Ott,Tours,in\n\
    2,bea,bea@example.com,Bea,Roe,Park,in\n\
    3,carl,carl@example.com,Carl,Lee,Park,out\n\
    4,dora,dora@example.com,Dora,New,Park,in\n";

fn company(settings: &Value) -> World {
    let user = |id: &str, login: &str, last: &str| {
        json!({ "id": format!("u{id}"), "externalId": id, "userName": login, "name": { "familyName": last, "givenName": login },
            "emails": [{ "value": format!("{login}@example.com"), "type": "work", "primary": true }], "active": true,
            "photos": [{ "value": "https://example.com/x.jpg" }] })
    };
    let people = [user("1", "anna", "Meyer"), user("2", "beatrice", "Roe"), user("3", "carl", "Lee")];
    let groups = json!([{ "id": "g", "displayName": "Guides", "members": ["beatrice"] }]);
    let seed = json!({ "people": people, "groups": groups, "settings": settings });
    let mut world = World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/people.rhai", RULES)
        .file("people.csv", PEOPLE)
        .file("lab/app.json", &seed.to_string());
    world.start_lab(&[]);
    world
}

#[test]
fn a_feed_makes_changes_and_switches_off_whatever_the_server_offers() {
    for (settings, method) in [
        (json!({}), "PATCH"),
        (json!({ "etag": false, "patch_answer": 204, "filter": false, "page": 2 }), "PATCH"),
        (json!({ "odd_case": true, "text_booleans": true, "cursor": true, "index": false, "filter": false }), "PATCH"),
    ] {
        let world = company(&settings);
        let applied = world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]);
        assert_eq!(applied.status, 0, "{settings}\n{}{}", applied.stdout, applied.stderr);
        let state = world.state("app");
        let of = |id: &str, pointer: &str| state["users"][id].pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(of("u1", "/name/familyName"), "Meyer-Ott");
        assert_eq!((of("u2", "/userName"), of("u2", "/name/givenName")), (json!("bea"), json!("Bea")));
        assert_eq!(of("u3", "/active"), false);
        assert_eq!(of("u1", "/photos/0/value"), "https://example.com/x.jpg");
        let dora = state["users"].as_object().unwrap().values().find(|user| user["userName"] == "dora").unwrap();
        assert_eq!((&dora["externalId"], &dora["active"]), (&json!("4"), &json!(true)));
        assert_eq!(state["groups"]["g"]["members"], json!([{ "value": "u1", "type": "User" }]));
        let writes: Vec<String> = world.asked("app").into_iter().filter(|line| !line.starts_with("GET ")).collect();
        assert_eq!(
            writes.iter().filter(|line| line.starts_with(&format!("{method} /Users/"))).count(),
            3,
            "{writes:?}"
        );
        assert_eq!(writes.iter().filter(|line| line.starts_with("PATCH /Groups/g")).count(), 2, "{writes:?}");
        // A second time there is nothing to do.
        let again = world.homeward(&["--lab", "plan", "--detailed-exitcode", "hr=people.csv"]);
        assert_eq!(again.status, 0, "{}{}", again.stdout, again.stderr);
    }
}
