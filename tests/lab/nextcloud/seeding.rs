//! What a lab file says, what is invented, and what is shown of it all.

use serde_json::{Value, json};

use super::{
    common::World,
    server::{Server, anna, data},
};

#[test]
fn invented_people_are_the_same_as_everywhere_and_leave_the_seeded_alone() {
    let seed = json!({ "users": [{ "id": "person000001", "displayname": "Seeded" }] });
    let server = Server::of_seed(&seed, 120);
    assert_eq!(server.user("person000001")["displayname"], "Seeded");
    assert_eq!(server.user("person000002")["email"], "person000002@example.com");
    assert_eq!(server.world.state("cloud")["users"].as_object().unwrap().len(), 121);
}

#[test]
fn no_password_is_in_the_state() {
    let server =
        Server::new(&json!({}), &json!([{ "id": "bea", "password": "a-secret-1", "app_password": "a-secret-2" }]));
    let state = server.world.state("cloud").to_string();
    assert!(!state.contains("a-secret") && !state.contains(&server.token()), "{state}");
}

#[test]
fn a_colleague_changes_anything_but_an_id() {
    let server = Server::new(&json!({}), &json!([anna()]));
    server.lab("POST", "meddle/anna", &json!({ "displayname": "Anne", "groups": [], "enabled": false }));
    let user = server.user("anna");
    assert_eq!((&user["displayname"], &user["groups"], &user["enabled"]), (&json!("Anne"), &json!([]), &json!(false)));
    let no = |user: &str, fields: &Value| {
        let answer = server.world.ask("cloud", "POST", &format!("/_lab/meddle/{user}"), &[], fields);
        (answer.status, answer.json()["error"].clone())
    };
    assert_eq!(no("anna", &json!({ "id": "anne" })), (400, json!("user.id: it never changes")));
    assert_eq!(no("nobody", &json!({})), (400, json!("nobody is called `nobody`")));
    let error = json!("user.directory: this account comes from no directory");
    assert_eq!(no("anna", &json!({ "directory": true })), (400, error));
}

#[test]
fn a_login_that_is_configured_is_an_administrator_there() {
    let config = "[systems.cloud]\nkind = \"nextcloud\"\nurl = \"https://cloud.example.com\"\nusername = \"keeper\"\n\
                  token = { env = \"TOKEN\" }\n";
    let mut world = World::new().file("homeward.toml", config);
    world.start_lab(&[]);
    let server = Server { world };
    let me = server.ask_as("keeper", &server.token(), "GET", "/ocs/v2.php/cloud/user", &Value::Null);
    assert_eq!((&data(&me)["id"], &data(&me)["groups"]), (&json!("keeper"), &json!(["admin"])));
}
