//! Request form and envelope (1 and 2).

use serde_json::{Value, json};

use super::server::{Server, USERS, VERSIONS, anna, basic, data, expect, told};

#[test]
fn a_yes_and_its_empty_data_stand_in_an_envelope() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let edit = server.ask("PUT", &format!("{USERS}/anna"), &json!({ "key": "role", "value": "Chef" }));
    expect(&edit, 200, 200, "OK", &json!([]));
    assert_eq!(edit.headers["content-type"], "application/json; charset=utf-8");
    // An object where there is something, a list where there is nothing.
    assert!(data(&server.get(&format!("{USERS}/details")))["users"].is_object());
    expect(&server.get(&format!("{USERS}/details?search=nobody")), 200, 200, "OK", &json!({ "users": [] }));
}

#[test]
fn xml_is_told_to_whoever_does_not_ask_for_json() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let basic = basic("homeward", &server.token());
    let path = format!("{USERS}?search=ann");
    let plain = [("Authorization", basic.as_str()), ("OCS-APIRequest", "true")];
    let xml = "<?xml version=\"1.0\"?>\n<ocs>\n <meta>\n  <status>ok</status>\n  <statuscode>200</statuscode>\n  \
               <message>OK</message>\n </meta>\n <data>\n  <users>\n   <element>anna</element>\n  </users>\n </data>\n</ocs>\n";
    let answer = server.ask_with("GET", &path, &plain, &Value::Null);
    assert_eq!((answer.status, answer.text.as_str()), (200, xml));
    assert_eq!(answer.headers["content-type"], "application/xml; charset=UTF-8");
    let json = server.ask_with("GET", &format!("{path}&format=json"), &plain, &Value::Null);
    expect(&json, 200, 200, "OK", &json!({ "users": ["anna"] }));
    let accepting = [plain[0], plain[1], ("Accept", "application/json")];
    expect(&server.ask_with("GET", &path, &accepting, &Value::Null), 200, 200, "OK", &json!({ "users": ["anna"] }));
}

#[test]
fn faults_before_the_route_look_only_at_the_query() {
    let server = Server::new(&json!({}), &json!([]));
    let wrong = basic("homeward", "wrong");
    let headers = [("Authorization", wrong.as_str()), ("OCS-APIRequest", "true"), ("Accept", "application/json")];
    let ask = |path: &str| server.ask_with("GET", path, &headers, &Value::Null);
    assert!(ask(USERS).text.starts_with("<?xml"));
    let json = ask(&format!("{USERS}?format=json"));
    expect(&json, 401, 997, "Unauthorised", &json!([]));
    assert_eq!(json.headers["www-authenticate"], "Basic realm=\"Authorisation Required\"");
    let unknown = |path: &str| server.get(&format!("/ocs/v2.php/cloud/{path}"));
    assert!(unknown("nothing").text.starts_with("<?xml"));
    assert_eq!(told(&unknown("nothing?format=json")), (404, 998));
    server.set(&json!({ "version": "27" }));
    assert_eq!(told(&unknown("nothing?format=json")), (404, 404));
    server.set(&json!({ "maintenance": true }));
    assert!(server.get(USERS).text.starts_with("<?xml"));
    let away = server.get(&format!("{USERS}?format=json"));
    expect(&away, 503, 503, "Service unavailable", &json!([]));
    assert_eq!(away.headers["x-nextcloud-maintenance-mode"], "1");
}

#[test]
fn without_the_header_a_request_with_a_login_is_refused_bare() {
    let server = Server::new(&json!({}), &json!([]));
    let login = basic("homeward", &server.token());
    let bare = server.ask_with("GET", &format!("{USERS}?format=json"), &[("Authorization", &login)], &Value::Null);
    assert_eq!((bare.status, bare.text.as_str()), (412, r#"{"message":"CSRF check failed"}"#));
    let bearer = format!("Bearer {}", server.token());
    let token = server.ask_with("GET", &format!("{USERS}?format=json"), &[("Authorization", &bearer)], &Value::Null);
    assert_eq!(told(&token), (200, 200));
}

#[test]
fn a_form_will_do_as_well_as_json() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let login = basic("homeward", &server.token());
    let headers = [
        ("Authorization", login.as_str()),
        ("OCS-APIRequest", "true"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let body = json!("key=role&value=K%C3%B6chin+%26+Co");
    let answer = server.ask_with("PUT", &format!("{USERS}/anna?format=json"), &headers, &body);
    assert_eq!((told(&answer), server.user("anna")["profile"]["role"].clone()), ((200, 200), json!("Köchin & Co")));
}

#[test]
fn the_first_interface_hides_nearly_every_no() {
    let server = Server::new(&json!({}), &json!([anna()]));
    let first = |method: &str, path: &str, body: &Value| {
        let answer = server.ask(method, &format!("/ocs/v1.php/cloud{path}"), body);
        let meta = answer.json()["ocs"]["meta"].clone();
        assert_eq!((&meta["totalitems"], &meta["itemsperpage"]), (&json!(""), &json!("")));
        (answer.status, meta["statuscode"].as_u64().unwrap())
    };
    let edit = |key: &str, value: &str| json!({ "key": key, "value": value });
    assert_eq!(first("GET", "/users?format=json", &Value::Null), (200, 100));
    assert_eq!(first("PUT", "/users/anna", &edit("phone", "x")), (200, 101));
    assert_eq!(first("PUT", "/users/anna", &edit("nickname", "x")), (200, 113));
    assert_eq!(first("PUT", "/users/nobody", &edit("role", "x")), (200, 998));
    assert_eq!(first("GET", "/users/nobody", &Value::Null), (200, 404));
    server.set(&json!({ "fault": 996 }));
    assert_eq!(first("GET", "/users", &Value::Null), (200, 996));
    server.set(&json!({ "fault": 0, "rights": "person" }));
    assert_eq!(first("GET", "/users", &Value::Null), (200, 403));
    let wrong = server.ask_as("homeward", "wrong", "GET", "/ocs/v1.php/cloud/users?format=json", &Value::Null);
    assert_eq!(told(&wrong), (401, 997));
}

#[test]
fn the_second_interface_tells_each_no_by_its_status() {
    for version in VERSIONS {
        let server = Server::new(&json!({ "version": version }), &json!([anna()]));
        for fault in [996_u16, 999] {
            server.set(&json!({ "fault": fault }));
            assert_eq!(told(&server.get(&format!("{USERS}/anna"))), (500, u64::from(fault)));
        }
        server.set(&json!({ "fault": 0 }));
        let wrong = server.ask("PATCH", &format!("{USERS}/anna"), &Value::Null);
        assert_eq!((wrong.status, wrong.text.as_str()), (405, ""));
    }
}
