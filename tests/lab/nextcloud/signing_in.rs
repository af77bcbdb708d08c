//! Signing in, rights, and who sees whom (1 and 2).

use serde_json::{Value, json};

use super::server::{Server, USERS, anna, basic, data, expect, told};

fn people() -> Value {
    json!([
        anna(),
        { "id": "bea", "groups": ["crew"], "password": "a password of hers", "app_password": "bea-app" },
        { "id": "chief", "groups": ["admin", "staff"] },
        { "id": "lead", "subadmin": ["staff"], "app_password": "lead-app" },
    ])
}

#[test]
fn an_app_password_signs_in_and_the_accounts_own_only_where_that_is_allowed() {
    let server = Server::new(&json!({}), &people());
    let me = |password: &str| server.ask_as("bea", password, "GET", "/ocs/v2.php/cloud/user", &Value::Null);
    for password in ["bea-app", "a password of hers"] {
        assert_eq!(data(&me(password))["id"], "bea", "{password}");
    }
    server.set(&json!({ "token_auth_enforced": true }));
    assert_eq!(data(&me("bea-app"))["id"], "bea");
    expect(&me("a password of hers"), 401, 997, "Current user is not logged in", &json!([]));
    // That counts for nothing; a wrong password does.
    assert_eq!(server.world.state("cloud")["failed_sign_ins"], 0);
    assert_eq!(me("wrong").status, 401);
    assert_eq!(server.world.state("cloud")["failed_sign_ins"], 1);
}

#[test]
fn nobody_is_told_that_she_is_nobody() {
    let server = Server::new(&json!({}), &people());
    let headers = [("OCS-APIRequest", "true"), ("Accept", "application/json")];
    let nobody = server.ask_with("GET", USERS, &headers, &Value::Null);
    expect(&nobody, 401, 997, "Current user is not logged in", &json!([]));
    assert_eq!(server.world.state("cloud")["failed_sign_ins"], 0);
    let disabled = server.ask("PUT", &format!("{USERS}/bea/disable"), &Value::Null);
    assert_eq!(told(&disabled), (200, 200));
    let away = server.ask_as("bea", "bea-app", "GET", &format!("{USERS}?format=json"), &Value::Null);
    assert_eq!(told(&away), (401, 997));
}

#[test]
fn each_failed_sign_in_delays_the_next_and_too_many_lock_everybody_out() {
    for (version, status, code) in [("27", 500, 996), ("30", 429, 429)] {
        let server = Server::new(&json!({ "version": version }), &people());
        let path = format!("{USERS}/anna?format=json");
        for _ in 0..11 {
            let wrong = server.ask_as("homeward", "wrong", "GET", &path, &Value::Null);
            assert_eq!(told(&wrong), (401, 997));
        }
        let locked = server.get(&path);
        expect(&locked, status, code, "Reached maximum delay", &json!([]));
    }
    let server = Server::new(&json!({ "delay_ms": 20 }), &people());
    let ask = |password: &str| {
        let begin = std::time::Instant::now();
        server.ask_as("homeward", password, "GET", &format!("{USERS}?format=json"), &Value::Null);
        begin.elapsed().as_millis()
    };
    for _ in 0..3 {
        ask("wrong");
    }
    // The right password waits as long as a wrong one.
    assert!(ask(&server.token()) >= 160);
}

#[test]
fn only_who_administers_somebody_asks_about_others() {
    let server = Server::new(&json!({}), &people());
    let bea = |method: &str, path: &str, body: &Value| server.ask_as("bea", "bea-app", method, path, body);
    expect(&bea("GET", USERS, &Value::Null), 403, 403, "Logged in user must be a sub admin", &json!([]));
    assert_eq!(told(&bea("GET", &format!("{USERS}/anna"), &Value::Null)), (404, 998));
    assert_eq!(told(&bea("PUT", &format!("{USERS}/anna"), &json!({ "key": "role", "value": "x" }))), (404, 998));
    assert_eq!(told(&bea("PUT", &format!("{USERS}/anna/disable"), &Value::Null)), (403, 403));
    assert_eq!(told(&bea("POST", &format!("{USERS}/anna/groups"), &json!({ "groupid": "crew" }))), (403, 403));
    let answer = bea("POST", "/ocs/v2.php/cloud/groups", &json!({ "groupid": "new" }));
    assert_eq!(told(&answer), (403, 403));
    assert!(answer.text.contains("must be an admin"), "{}", answer.text);
    assert_eq!(data(&bea("GET", &format!("{USERS}/bea"), &Value::Null))["id"], "bea");
}

#[test]
fn a_group_admin_sees_and_changes_members_of_her_groups_alone() {
    let server = Server::new(&json!({}), &people());
    let lead = |method: &str, path: &str, body: &Value| server.ask_as("lead", "lead-app", method, path, body);
    assert_eq!(data(&lead("GET", USERS, &Value::Null)), json!({ "users": ["anna"] }));
    assert_eq!(data(&lead("GET", "/ocs/v2.php/cloud/groups", &Value::Null)), json!({ "groups": ["staff"] }));
    let edit = json!({ "key": "role", "value": "Chef" });
    assert_eq!(told(&lead("PUT", &format!("{USERS}/anna"), &edit)), (200, 200));
    for hidden in ["bea", "chief"] {
        assert_eq!(told(&lead("GET", &format!("{USERS}/{hidden}"), &Value::Null)), (404, 998), "{hidden}");
        assert_eq!(told(&lead("PUT", &format!("{USERS}/{hidden}"), &edit)), (404, 998), "{hidden}");
        assert_eq!(told(&lead("PUT", &format!("{USERS}/{hidden}/disable"), &Value::Null)), (404, 998), "{hidden}");
    }
}

#[test]
fn whom_administration_was_delegated_to_reaches_everybody_but_administrators() {
    let server = Server::new(&json!({ "rights": "delegated" }), &people());
    let edit = json!({ "key": "role", "value": "Chef" });
    assert_eq!(told(&server.ask("PUT", &format!("{USERS}/anna"), &edit)), (200, 200));
    assert_eq!(told(&server.ask("PUT", &format!("{USERS}/chief"), &edit)), (404, 998));
    // There was no such thing before.
    server.set(&json!({ "version": "28" }));
    assert_eq!(told(&server.ask("PUT", &format!("{USERS}/anna"), &edit)), (404, 998));
}

#[test]
fn a_bearer_token_that_is_too_old_reads_and_does_not_write() {
    let server = Server::new(&json!({ "stale_tokens": true }), &people());
    let bearer = format!("Bearer {}", server.token());
    let headers = [("Authorization", bearer.as_str()), ("Accept", "application/json")];
    let path = format!("{USERS}/anna");
    assert_eq!(told(&server.ask_with("GET", &path, &headers, &Value::Null)), (200, 200));
    let edit = json!({ "key": "role", "value": "Chef" });
    let no = server.ask_with("PUT", &path, &headers, &edit);
    expect(&no, 403, 403, "Password confirmation is required", &json!([]));
    assert_eq!(told(&server.ask("PUT", &path, &edit)), (200, 200));
    let unknown = server.ask_with("GET", &path, &[("Authorization", "Bearer nobody's")], &Value::Null);
    assert_eq!(unknown.status, 401);
    assert_eq!(basic("a", "b"), "Basic YTpi");
}
