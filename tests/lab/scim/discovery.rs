//! What the server tells of itself (section 4), and the addresses that are nobody's.

use serde_json::{Value, json};

use super::server::{ENTERPRISE, GROUP, Server, USER, ids, told};

#[test]
fn the_server_tells_what_it_has() {
    let server = Server::new(&json!({}));
    let config = server.get("/ServiceProviderConfig");
    let is =
        |settings: &Value| ["patch", "bulk", "filter", "sort", "etag"].map(|name| settings[name]["supported"] == true);
    assert_eq!((is(&config), config.get("pagination")), ([true; 5], None));
    server.settings(&json!({ "patch": false, "bulk": false, "filter": false, "sort": false, "etag": false }));
    assert_eq!(is(&server.get("/ServiceProviderConfig")), [false; 5]);
    assert_eq!(ids(&server.get("/ResourceTypes")), ["User", "Group"]);
    assert_eq!(
        server.get("/ResourceTypes/User")["schemaExtensions"],
        json!([{ "schema": ENTERPRISE, "required": false }])
    );
    assert_eq!(ids(&server.get("/Schemas")), [USER, ENTERPRISE, GROUP]);
    for place in ["ServiceProviderConfig", "ResourceTypes", "Schemas"] {
        assert_eq!(told(&server.ask("GET", &format!("/{place}?filter=id%20pr"), &Value::Null)), (403, None));
        assert_eq!(told(&server.ask("DELETE", &format!("/{place}"), &Value::Null)), (405, None));
    }
    server.settings(&json!({ "groups": false }));
    assert_eq!(ids(&server.get("/ResourceTypes")), ["User"]);
    assert_eq!(told(&server.ask("GET", "/Groups", &Value::Null)), (404, None));
    server.settings(&json!({ "discovery": false }));
    for path in ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/Schemas/x", "/Elsewhere", "/"] {
        assert_eq!(told(&server.ask("GET", path, &Value::Null)), (404, None), "{path}");
    }
}

#[test]
fn a_schema_says_what_may_be_done_with_each_attribute() {
    let server = Server::new(
        &json!({ "settings": { "read_only": ["title"], "absent": ["ims"], "required": ["name.familyName"] } }),
    );
    let schema = server.get(&format!("/Schemas/{USER}"));
    let attribute =
        |name: &str| schema["attributes"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
    let login = attribute("userName").unwrap();
    let rules = ["type", "multiValued", "required", "caseExact", "mutability", "returned", "uniqueness"]
        .map(|key| login[key].clone());
    assert_eq!(
        rules,
        [
            json!("string"),
            json!(false),
            json!(true),
            json!(false),
            json!("readWrite"),
            json!("default"),
            json!("server")
        ]
    );
    assert_eq!(attribute("title").unwrap()["mutability"], "readOnly");
    assert_eq!(attribute("password").unwrap()["returned"], "never");
    assert_eq!(attribute("groups").unwrap()["mutability"], "readOnly");
    assert_eq!(attribute("ims"), None);
    let name = attribute("name").unwrap();
    let family = name["subAttributes"].as_array().unwrap().iter().find(|one| one["name"] == "familyName").unwrap();
    assert_eq!(family["required"], true);
}

#[test]
fn whoever_asks_may_be_somebody() {
    let server = Server::new(&json!({ "people": [{ "id": "7", "userName": "anna" }] }));
    assert_eq!(told(&server.ask("GET", "/Me", &Value::Null)), (501, None));
    server.settings(&json!({ "me": "anna" }));
    let me = server.ask("GET", "/Me", &Value::Null);
    assert_eq!((me.status, me.headers["content-location"].clone()), (200, format!("{}/Users/7", server.url())));
    assert_eq!(server.patch("/Me", &json!([{ "op": "add", "path": "title", "value": "x" }])).json()["title"], "x");
}
