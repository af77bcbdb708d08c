//! Bulk requests (3.7): each example there.

use serde_json::{Value, json};

use super::server::{GROUP, Server, USER, bad, told};

fn send(server: &Server, operations: &Value, patience: Option<u64>) -> Value {
    let mut body =
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations });
    if let Some(patience) = patience {
        body["failOnErrors"] = patience.into();
    }
    let answer = server.ask("POST", "/Bulk", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
    answer["Operations"].clone()
}

fn statuses(told: &Value) -> Vec<&str> {
    told.as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

#[test]
fn users_are_made_changed_and_deleted_in_one_request() {
    let server =
        Server::new(&json!({ "people": [{ "id": "b7", "userName": "bob" }, { "id": "5d", "userName": "dora" },
        { "id": "e9", "userName": "eve" }] }));
    let told = send(
        &server,
        &json!([
            { "method": "POST", "path": "/Users", "bulkId": "qwerty", "data": { "schemas": [USER], "userName": "Alice" } },
            { "method": "PUT", "path": "/Users/b7", "version": "W/\"1\"", "data": { "schemas": [USER], "userName": "Bobby" } },
            { "method": "PATCH", "path": "/Users/5d", "version": "W/\"1\"", "data": {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{ "op": "remove", "path": "nickName" }, { "op": "add", "path": "userName", "value": "Dave" }] } },
            { "method": "DELETE", "path": "/Users/e9", "version": "W/\"1\"" },
        ]),
        Some(1),
    );
    assert_eq!(statuses(&told), ["201", "200", "200", "204"]);
    let url = server.url();
    assert_eq!(
        told[1],
        json!({ "location": format!("{url}/Users/b7"), "method": "PUT", "version": "W/\"2\"", "status": "200" })
    );
    assert_eq!(told[3], json!({ "location": format!("{url}/Users/e9"), "method": "DELETE", "status": "204" }));
    let alice = told[0]["location"].as_str().unwrap().strip_prefix(&url).unwrap();
    assert_eq!((&told[0]["bulkId"], &server.get(alice)["userName"]), (&json!("qwerty"), &json!("Alice")));
}

#[test]
fn a_group_can_speak_of_a_user_of_the_same_request_in_any_order() {
    let server = Server::new(&json!({}));
    let user = json!({ "method": "POST", "path": "/Users", "bulkId": "qwerty", "data": { "schemas": [USER], "userName": "Alice" } });
    let group = |name: &str, member: &str| {
        json!({ "method": "POST", "path": "/Groups", "bulkId": name,
            "data": { "schemas": [GROUP], "displayName": name, "members": [{ "type": "User", "value": format!("bulkId:{member}") }] } })
    };
    let told = send(
        &server,
        &json!([group("ytrewq", "qwerty"), user, group("outer", "ytrewq"), group("lost", "nothing")]),
        None,
    );
    assert_eq!(statuses(&told), ["201", "201", "201", "400"]);
    let groups = server.get("/Groups");
    let alice = server.get("/Users")["Resources"][0]["id"].take();
    assert_eq!(groups["Resources"][0]["members"][0]["value"], alice);
    assert_eq!(groups["Resources"][1]["members"][0]["type"], "Group");
}

#[test]
fn after_so_many_errors_it_ends() {
    let server = Server::new(&json!({ "people": [{ "id": "7", "userName": "alice" }] }));
    let user = |id: &str, name: &str| json!({ "method": "POST", "path": "/Users", "bulkId": id, "data": { "schemas": [USER], "userName": name } });
    let operations = json!([user("a", "alice"), { "method": "DELETE", "path": "/Users/nobody" }, user("b", "bea")]);
    assert_eq!(statuses(&send(&server, &operations, Some(2))), ["409", "404"]);
    let told = send(&server, &operations, None);
    assert_eq!(statuses(&told), ["409", "404", "201"]);
    assert_eq!((&told[0]["response"]["scimType"], told[0].get("location")), (&json!("uniqueness"), None));
    assert_eq!(told[1]["location"], json!(format!("{}/Users/nobody", server.url())));
}

#[test]
fn what_is_too_much_or_no_bulk_request_is_refused() {
    let server = Server::new(&json!({ "settings": { "bulk_operations": 2 } }));
    let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]);
    let operation = json!({ "method": "DELETE", "path": "/Users/x" });
    let three = json!({ "schemas": schemas, "Operations": [operation, operation, operation] });
    assert_eq!(told(&server.ask("POST", "/Bulk", &three)), (413, None));
    let large = json!({ "schemas": schemas, "Operations": [{ "method": "DELETE", "path": "x".repeat(1_048_576) }] });
    assert_eq!(told(&server.ask("POST", "/Bulk", &large)), (413, None));
    assert_eq!(told(&server.ask("POST", "/Bulk", &json!({ "Operations": [] }))), bad("invalidSyntax"));
    let told_of = send(
        &server,
        &json!([{ "method": "GET", "path": "/Users" }, { "method": "POST", "path": "/Users", "data": {} }]),
        None,
    );
    assert_eq!(statuses(&told_of), ["400", "400"]);
    server.settings(&json!({ "bulk": false }));
    assert_eq!(told(&server.ask("POST", "/Bulk", &three)), (501, None));
}
