//! PATCH (3.5.2): each example there, and the rules between them.

use serde_json::{Value, json};

use super::server::{ENTERPRISE, Server, bad, told};

fn server() -> Server {
    Server::new(&json!({
        "people": [
            { "id": "2819c223-7f76-453a-919d-413861904646", "userName": "babs", "displayName": "Babs Jensen", "nickName": "Babs",
              "emails": [{ "value": "babs@jensen.org", "type": "home", "primary": true }],
              "addresses": [{ "type": "work", "streetAddress": "1 Old St", "locality": "Hollywood", "primary": true },
                            { "type": "home", "streetAddress": "2 Home St", "locality": "Burbank" }],
              "name": { "givenName": "Barbara", "familyName": "Jensen" } },
            { "id": "902c246b-6245-4190-8e05-00816be7344a", "userName": "mandy" },
            { "id": "3", "userName": "james", "displayName": "James Smith" },
        ],
        "groups": [{ "id": "acbf3ae7-8463-9692-b4fd-9b4da3f908ce", "displayName": "Group A", "members": ["mandy"] }],
    }))
}

const BABS: &str = "/Users/2819c223-7f76-453a-919d-413861904646";
const GROUP_A: &str = "/Groups/acbf3ae7-8463-9692-b4fd-9b4da3f908ce";

fn patched(server: &Server, path: &str, operations: &Value) -> Value {
    let answer = server.patch(path, operations);
    assert_eq!(answer.status, 200, "{operations}: {}", answer.text);
    let shown = answer.json();
    assert_eq!(server.get(path), shown);
    shown
}

fn members(group: &Value) -> Vec<&str> {
    group["members"].as_array().into_iter().flatten().map(|member| member["value"].as_str().unwrap()).collect()
}

#[test]
fn a_member_is_added_once() {
    let server = server();
    let add = json!([{ "op": "add", "path": "members",
        "value": [{ "display": "Babs Jensen", "$ref": "https://example.com/v2/Users/2819c223-7f76-453a-919d-413861904646",
            "value": "2819c223-7f76-453a-919d-413861904646" }] }]);
    let group = patched(&server, GROUP_A, &add);
    assert_eq!(members(&group), ["902c246b-6245-4190-8e05-00816be7344a", "2819c223-7f76-453a-919d-413861904646"]);
    assert_eq!(group["meta"]["version"], "W/\"2\"");
    // Whoever is there already is not added, and nothing is another version for it.
    let again = patched(
        &server,
        GROUP_A,
        &json!([{ "op": "add", "path": "members",
        "value": { "value": "2819c223-7f76-453a-919d-413861904646" } }]),
    );
    assert_eq!(again, group);
}

#[test]
fn attributes_are_added_without_a_path() {
    let user = patched(
        &server(),
        BABS,
        &json!([{ "op": "add", "value": {
            "emails": [{ "value": "babs@work.example", "type": "work", "primary": true }], "nickname": "Babette",
            "name": { "middleName": "J" }, ENTERPRISE: { "department": "Tours" } } }]),
    );
    assert_eq!(user["nickName"], "Babette");
    assert_eq!(user["name"], json!({ "givenName": "Barbara", "familyName": "Jensen", "middleName": "J" }));
    // There is one first address only.
    let expected = json!([{ "value": "babs@jensen.org", "type": "home", "primary": false },
        { "value": "babs@work.example", "type": "work", "primary": true }]);
    assert_eq!(user["emails"], expected);
    assert_eq!(user[ENTERPRISE], json!({ "department": "Tours" }));
    assert_eq!(user["schemas"][1], ENTERPRISE);
}

#[test]
fn members_are_removed_one_or_some_or_all() {
    let server = server();
    let add = |ids: &[&str]| {
        let value: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        json!([{ "op": "add", "path": "members", "value": value }])
    };
    let (babs, mandy) = ("2819c223-7f76-453a-919d-413861904646", "902c246b-6245-4190-8e05-00816be7344a");
    patched(&server, GROUP_A, &add(&[babs, "3"]));
    let one = json!([{ "op": "remove", "path": format!("members[value eq \"{babs}\"]") }]);
    assert_eq!(members(&patched(&server, GROUP_A, &one)), [mandy, "3"]);
    assert_eq!(members(&patched(&server, GROUP_A, &one)), [mandy, "3"], "nobody is removed twice");
    let all = json!([{ "op": "remove", "path": "members" }]);
    assert_eq!(patched(&server, GROUP_A, &all).get("members"), None);
    patched(&server, GROUP_A, &add(&[babs, mandy]));
    let swap = json!([
        { "op": "remove", "path": format!("members[value eq \"{babs}\"]") },
        { "op": "add", "path": "members", "value": [{ "display": "James Smith", "value": "3" }] },
    ]);
    assert_eq!(members(&patched(&server, GROUP_A, &swap)), [mandy, "3"]);
    let others = json!([{ "op": "remove", "path": "members" }, { "op": "add", "path": "members", "value": [{ "value": babs }] }]);
    assert_eq!(members(&patched(&server, GROUP_A, &others)), [babs]);
    let replaced = json!([{ "op": "replace", "path": "members", "value": [{ "value": "3" }, { "value": mandy }] }]);
    assert_eq!(members(&patched(&server, GROUP_A, &replaced)), ["3", mandy]);
}

#[test]
fn addresses_are_removed_and_replaced_by_what_they_are() {
    let server = server();
    let street =
        json!([{ "op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway Ave" }]);
    let user = patched(&server, BABS, &street);
    let home = json!({ "type": "home", "streetAddress": "2 Home St", "locality": "Burbank" });
    let work =
        json!({ "type": "work", "streetAddress": "1010 Broadway Ave", "locality": "Hollywood", "primary": true });
    assert_eq!(user["addresses"], json!([work, home]));
    let new = json!({ "type": "work", "streetAddress": "911 Universal City Plaza", "locality": "Hollywood", "region": "CA",
        "postalCode": "91608", "country": "US", "formatted": "911 Universal City Plaza\nHollywood, CA 91608 US", "primary": true });
    let whole = json!([{ "op": "replace", "path": "addresses[type eq \"work\"]", "value": new }]);
    assert_eq!(patched(&server, BABS, &whole)["addresses"], json!([new, home]));
    let part = json!([{ "op": "remove", "path": "addresses[type eq \"work\" and primary eq true].formatted" }]);
    assert_eq!(patched(&server, BABS, &part)["addresses"][0].get("formatted"), None);
    let gone = json!([{ "op": "remove", "path": "addresses[type eq \"home\"]" }]);
    assert_eq!(patched(&server, BABS, &gone)["addresses"].as_array().unwrap().len(), 1);
}

#[test]
fn attributes_are_replaced_without_a_path() {
    let user = patched(
        &server(),
        BABS,
        &json!([{ "op": "Replace", "value": {
            "emails": [{ "value": "bjensen@example.com", "type": "work", "primary": true },
                       { "value": "babs@jensen.org", "type": "home" }],
            "nickname": "Babs J", "displayName": null } }]),
    );
    assert_eq!(user["emails"].as_array().unwrap().len(), 2);
    assert_eq!((&user["nickName"], user.get("displayName")), (&json!("Babs J"), None));
}

#[test]
fn single_values_and_extensions_are_reached_by_their_paths() {
    let server = server();
    for (op, path, value, pointer, expected) in [
        ("replace", "title", json!("Guide"), "/title", Some(json!("Guide"))),
        ("add", "URN:ietf:params:scim:schemas:core:2.0:user:Title", json!("Chief"), "/title", Some(json!("Chief"))),
        ("remove", "title", Value::Null, "/title", None),
        ("replace", "name.familyName", json!("O'Hara"), "/name/familyName", Some(json!("O'Hara"))),
        ("remove", "name.givenName", Value::Null, "/name/givenName", None),
        (
            "replace",
            "name",
            json!({ "givenName": "B" }),
            "/name",
            Some(json!({ "familyName": "O'Hara", "givenName": "B" })),
        ),
        ("remove", "name", Value::Null, "/name", None),
        ("replace", "active", json!(false), "/active", Some(json!(false))),
        ("replace", "active", json!("True"), "/active", Some(json!(true))),
        ("replace", "emails.type", json!("work"), "/emails/0/type", Some(json!("work"))),
        ("add", "externalId", json!("x"), "/externalId", Some(json!("x"))),
    ] {
        let operation = json!([{ "op": op, "path": path, "value": value }]);
        assert_eq!(patched(&server, BABS, &operation).pointer(pointer), expected.as_ref(), "{operation}");
    }
    let department = format!("{ENTERPRISE}:department");
    let add = json!([{ "op": "add", "path": department, "value": "Tours" },
        { "op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": { "value": "3", "displayName": "not hers" } }]);
    let user = patched(&server, BABS, &add);
    let manager = json!({ "value": "3", "$ref": format!("{}/Users/3", server.url()) });
    assert_eq!(user[ENTERPRISE], json!({ "department": "Tours", "manager": manager }));
    let user = patched(&server, BABS, &json!([{ "op": "remove", "path": ENTERPRISE }]));
    assert_eq!((user.get(ENTERPRISE), user["schemas"].as_array().unwrap().len()), (None, 1));
}

#[test]
fn what_cannot_be_done_is_told_and_nothing_of_the_rest_is_done() {
    let server = server();
    server.settings(&json!({ "immutable": ["nickName"], "required": ["name.familyName"], "read_only": ["title"] }));
    let before = server.get(BABS);
    for (operation, word) in [
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "replace", "path": "addresses[type eq \"boat\"].locality", "value": "x" }), "noTarget"),
        (json!({ "op": "replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "1" }), "noTarget"),
        (json!({ "op": "add", "path": "emails[type eq \"work\"].value", "value": "a@x.example" }), "noTarget"),
        (json!({ "op": "replace", "path": "shoeSize", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "name.mood", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "urn:example:User:x", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": "emails[mood eq \"x\"]", "value": {} }), "invalidPath"),
        (json!({ "op": "replace", "path": "emails[type eq work]", "value": {} }), "invalidPath"),
        (json!({ "op": "replace", "path": "title[type eq \"x\"]", "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "path": 7, "value": "x" }), "invalidPath"),
        (json!({ "op": "replace", "value": { "shoeSize": 42 } }), "invalidPath"),
        (json!({ "op": "replace", "value": "x" }), "invalidValue"),
        (json!({ "op": "replace", "path": "displayName" }), "invalidValue"),
        (json!({ "op": "replace", "path": "displayName", "value": 7 }), "invalidValue"),
        (json!({ "op": "replace", "path": "emails[type eq \"home\"].value", "value": "nowhere" }), "invalidValue"),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "title", "value": "x" }), "mutability"),
        (json!({ "op": "add", "path": "groups", "value": [{ "value": "x" }] }), "mutability"),
        (json!({ "op": "replace", "path": "meta.version", "value": "x" }), "mutability"),
        (json!({ "op": "replace", "path": "nickName", "value": "x" }), "mutability"),
        (json!({ "op": "remove", "path": "nickName" }), "mutability"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "remove", "path": "name.familyName" }), "mutability"),
        (json!({ "op": "remove", "path": "name" }), "mutability"),
        (json!({ "op": "move", "path": "nickName", "value": "x" }), "invalidSyntax"),
        (json!("remove"), "invalidSyntax"),
    ] {
        let good = json!({ "op": "replace", "path": "displayName", "value": "Somebody else" });
        assert_eq!(told(&server.patch(BABS, &json!([good, operation]))), bad(word), "{operation}");
        assert_eq!(server.get(BABS), before);
    }
    assert_eq!(told(&server.patch(BABS, &json!([]))), bad("invalidSyntax"));
    assert_eq!(
        told(&server.ask("PATCH", BABS, &json!({ "Operations": [{ "op": "remove", "path": "title" }] }))),
        bad("invalidSyntax")
    );
    // What is immutable may be set once.
    let set = json!([{ "op": "add", "path": "nickName", "value": "James" }]);
    assert_eq!(patched(&server, "/Users/3", &set)["nickName"], "James");
}

#[test]
fn a_quiet_server_shows_nothing_unless_something_is_asked_for() {
    let server = server();
    server.settings(&json!({ "patch_answer": 204 }));
    let operation = json!([{ "op": "replace", "path": "title", "value": "Guide" }]);
    let quiet = server.patch(BABS, &operation);
    assert_eq!((quiet.status, quiet.text.as_str(), quiet.headers["etag"].as_str()), (204, "", "W/\"2\""));
    let told = server.patch(&format!("{BABS}?attributes=title"), &operation);
    assert_eq!((told.status, &told.json()["title"]), (200, &json!("Guide")));
    server.settings(&json!({ "patch": false }));
    assert_eq!(server.patch(BABS, &operation).status, 501);
}
