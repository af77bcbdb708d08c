//! Groups and memberships (5).

use serde_json::{Value, json};

use super::server::{Server, USERS, anna, data, expect, told};

fn people() -> Value {
    json!([
        anna(),
        { "id": "both", "groups": ["staff", "crew"] },
        { "id": "lead", "groups": ["crew"], "subadmin": ["crew"], "app_password": "lead-app" },
    ])
}

fn joins(server: &Server, user: &str, group: &str) -> (u16, u64) {
    told(&server.ask("POST", &format!("{USERS}/{user}/groups"), &json!({ "groupid": group })))
}

fn leaves(server: &Server, user: &str, group: &str) -> (u16, u64) {
    told(&server.ask("DELETE", &format!("{USERS}/{user}/groups"), &json!({ "groupid": group })))
}

#[test]
fn joining_and_leaving_are_taken_on_repeat() {
    let server = Server::new(&json!({}), &people());
    for _ in 0..2 {
        assert_eq!(joins(&server, "anna", "crew"), (200, 200));
        assert_eq!(server.user("anna")["groups"], json!(["crew", "staff"]));
    }
    let listed = server.get(&format!("{USERS}/anna/groups"));
    expect(&listed, 200, 200, "OK", &json!({ "groups": ["crew", "staff"] }));
    for _ in 0..2 {
        assert_eq!(leaves(&server, "anna", "crew"), (200, 200));
        assert_eq!(server.user("anna")["groups"], json!(["staff"]));
    }
    let by_query = server.ask("DELETE", &format!("{USERS}/anna/groups?groupid=staff"), &Value::Null);
    assert_eq!((told(&by_query), server.user("anna")["groups"].clone()), ((200, 200), json!([])));
}

#[test]
fn each_no_has_a_code_of_its_own() {
    let server = Server::new(&json!({}), &people());
    for ask in [joins, leaves] {
        assert_eq!(ask(&server, "anna", ""), (400, 101));
        assert_eq!(ask(&server, "anna", "nowhere"), (400, 102));
        // By its name a group is not found.
        assert_eq!(ask(&server, "anna", "The crew"), (400, 102));
        assert_eq!(ask(&server, "nobody", "crew"), (400, 103));
    }
    assert_eq!(leaves(&server, "homeward", "admin"), (400, 105));
    let lead = |method: &str, user: &str, group: &str| {
        let body = json!({ "groupid": group });
        told(&server.ask_as("lead", "lead-app", method, &format!("{USERS}/{user}/groups"), &body))
    };
    assert_eq!(lead("POST", "both", "staff"), (400, 104));
    assert_eq!(lead("DELETE", "both", "staff"), (400, 104));
    // The last group by which she is reached, and one's own.
    assert_eq!(lead("DELETE", "both", "crew"), (400, 105));
    assert_eq!(lead("DELETE", "lead", "crew"), (400, 105));
    assert_eq!(lead("POST", "anna", "crew"), (200, 200));
}

#[test]
fn groups_are_listed_by_id_and_found_by_name_too() {
    let server = Server::new(&json!({}), &people());
    let found = |query: &str| data(&server.get(&format!("/ocs/v2.php/cloud/groups?{query}")))["groups"].clone();
    assert_eq!(found(""), json!(["admin", "crew", "staff"]));
    assert_eq!(found("search=all%20of"), json!(["staff"]));
    assert_eq!(found("limit=1&offset=1"), json!(["crew"]));
    let members = server.get("/ocs/v2.php/cloud/groups/crew/users");
    expect(&members, 200, 200, "OK", &json!({ "users": ["both", "lead"] }));
    let details = data(&server.get("/ocs/v2.php/cloud/groups/staff/users/details?limit=1"));
    assert_eq!(details["users"]["anna"], server.shown("anna"));
    assert_eq!(told(&server.get("/ocs/v2.php/cloud/groups/nowhere/users")), (404, 404));
}

#[test]
fn groups_are_made_renamed_and_deleted() {
    let server = Server::new(&json!({}), &people());
    let make = |id: &str| told(&server.ask("POST", "/ocs/v2.php/cloud/groups", &json!({ "groupid": id })));
    assert_eq!((make("new"), make("new"), make("")), ((200, 200), (400, 102), (400, 101)));
    let rename = json!({ "key": "displayname", "value": "New ones" });
    assert_eq!(told(&server.ask("PUT", "/ocs/v2.php/cloud/groups/new", &rename)), (200, 200));
    assert_eq!(server.world.state("cloud")["groups"]["new"], "New ones");
    let delete = |id: &str| told(&server.ask("DELETE", &format!("/ocs/v2.php/cloud/groups/{id}"), &Value::Null));
    assert_eq!((delete("staff"), delete("staff"), delete("admin")), ((200, 200), (400, 101), (400, 102)));
    assert_eq!(server.user("anna")["groups"], json!([]));
}

#[test]
fn administrators_of_groups_are_shown_made_and_unmade() {
    let server = Server::new(&json!({}), &people());
    let ask = |method: &str, group: &str| {
        server.ask(method, &format!("{USERS}/anna/subadmins"), &json!({ "groupid": group }))
    };
    assert_eq!(told(&ask("POST", "crew")), (200, 200));
    expect(&server.get(&format!("{USERS}/anna/subadmins")), 200, 200, "OK", &json!(["crew"]));
    assert_eq!(told(&ask("POST", "nowhere")), (400, 102));
    assert_eq!(told(&ask("POST", "admin")), (400, 103));
    assert_eq!(told(&ask("DELETE", "crew")), (200, 200));
    assert_eq!(told(&ask("DELETE", "crew")), (400, 102));
}
