//! The Mattermost simulator, asked directly: one test per table of `mattermost.md`, status, id, message and what changed
//! afterwards compared.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use serde_json::{Value, json};

use crate::common::{Answer, World};

const PERMISSIONS: Refused = (403, "api.context.permissions.app_error", "You do not have the appropriate permissions.");
const EXPIRED: Refused =
    (401, "api.context.session_expired.app_error", "Invalid or expired session, please login again.");
const MISSING: Refused = (404, "app.user.missing_account.const", "Unable to find the user.");
const NAME_TAKEN: Refused =
    (400, "app.user.save.username_exists.app_error", "An account with that username already exists.");
const ADDRESS_TAKEN: Refused =
    (400, "app.user.save.email_exists.app_error", "An account with that email already exists.");
const BODY: &str = "api.context.invalid_body_param.app_error";
const URL: &str = "api.context.invalid_url_param.app_error";

/// Status, id and message of a refusal.
type Refused = (u16, &'static str, &'static str);

/// A server with one account of every sort, and a token for each kind of caller.
struct Chat(World);

/// Somebody's id: the name, filled up with zeros.
fn id(name: &str) -> String {
    format!("{name:0<26}")
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

impl Chat {
    fn new() -> Self {
        Self::with(&json!({}))
    }

    fn with(settings: &Value) -> Self {
        let person = |name: &str, more: Value| {
            let mut user = json!({ "id": id(name), "username": name, "email": format!("{name}@example.com"),
                "first_name": "First", "last_name": "Last", "password": "right-password" });
            for (key, value) in more.as_object().unwrap() {
                user[key] = value.clone();
            }
            user
        };
        let by = |service: &str, number: &str| json!({ "auth_service": service, "auth_data": number, "password": "" });
        let seed = json!({
            "settings": settings,
            "users": [
                person("anna", json!({ "nickname": "annie" })),
                person("berta", json!({})),
                person("chef", json!({ "roles": "system_user system_admin" })),
                person("mona", json!({ "roles": "system_user system_user_manager" })),
                person("gast", json!({ "roles": "system_guest" })),
                person("dora", json!({ "delete_at": 1_700_000_000_000_i64 })),
                person("gina", by("gitlab", "42")),
                person("lars", by("ldap", "l1")),
                person("sami", by("saml", "s1")),
                person("magda", by("magic_link", "m1")),
                { "id": id("robot"), "username": "robot", "email": "robot@localhost", "is_bot": true, "bot_owner": "anna" },
            ],
            "tokens": [
                { "user": "chef", "kind": "personal", "token": "chef" },
                { "user": "chef", "kind": "oauth", "token": "chef-oauth" },
                { "user": "chef", "kind": "session", "token": "chef-session" },
                { "user": "anna", "kind": "personal", "token": "anna" },
                { "user": "anna", "kind": "session", "token": "anna-session" },
                { "user": "anna", "kind": "oauth", "token": "anna-oauth" },
                { "user": "mona", "kind": "personal", "token": "mona" },
                { "user": "dora", "kind": "personal", "token": "dora" },
                { "user": "gina", "kind": "personal", "token": "gina" },
                { "user": "robot", "kind": "bot", "token": "robot" },
            ],
            "groups": ["developers"],
            "teams": [
                { "id": id("team"), "name": "crew", "members": ["anna"], "allowed_domains": "example.com",
                  "channels": [{ "id": id("room"), "name": "room", "members": ["anna"] },
                               { "id": id("direct"), "name": "direct", "type": "D" }] },
                { "id": id("synced"), "name": "synced", "group_constrained": true, "members": ["berta"] },
            ],
        });
        Self(World::with_lab_of("mattermost", &seed))
    }

    fn ask(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.0.ask("mattermost", method, &format!("/api/v4/{path}"), &[("Authorization", &bearer(token))], body)
    }

    fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, "GET", path, &Value::Null)
    }

    fn patch(&self, token: &str, user: &str, body: &Value) -> Answer {
        self.ask(token, "PUT", &format!("users/{}/patch", id(user)), body)
    }

    /// A user as stored.
    fn stored(&self, user: &str) -> Value {
        self.0.state("mattermost")["users"][id(user)].clone()
    }

    fn settings(&self, settings: &Value) {
        self.0.lab("mattermost", "POST", "settings", settings);
    }

    fn headers(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.0.ask("mattermost", method, &format!("/api/v4/{path}"), headers, body)
    }
}

/// Every refusal has the same shape (1.3): an empty detail, the request's id as in the header, the status again.
#[track_caller]
fn refused(answer: &Answer, expected: Refused) {
    let (status, id, message) = expected;
    let body = json!({ "id": id, "message": message, "detailed_error": "", "request_id": answer.headers["x-request-id"],
        "status_code": status });
    assert_eq!((answer.status, answer.json()), (status, body));
}

#[track_caller]
fn bad_body(answer: &Answer, name: &str) {
    refused(answer, (400, BODY, &format!("Invalid or missing {name} in request body.").leak()[..]));
}

#[track_caller]
fn bad_url(answer: &Answer, name: &str) {
    refused(answer, (400, URL, &format!("Invalid or missing {name} parameter in request URL.").leak()[..]));
}

#[track_caller]
fn done(answer: &Answer) {
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "OK" })));
}

/// The usernames of a list, in its order.
#[track_caller]
fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

/// `before` with some fields replaced, and `update_at` as it is in `after`.
fn but(before: &Value, fields: &Value, after: &Value) -> Value {
    let mut expected = before.clone();
    for (key, value) in fields.as_object().unwrap() {
        expected[key] = value.clone();
    }
    expected["update_at"] = after["update_at"].clone();
    expected
}

// 1.1 Authentication

#[test]
fn a_token_is_taken_from_the_cookie_the_header_or_for_oauth_the_address() {
    let chat = Chat::new();
    for (path, header) in [
        ("users/me", ("Authorization", "BEARER anna")),
        ("users/me", ("Authorization", "bearer anna-session")),
        ("users/me", ("Authorization", "tOkEn anna-oauth")),
        ("users/me", ("Cookie", "a=b; MMAUTHTOKEN=anna-session")),
        ("users/me?access_token=anna-oauth", ("Authorization", "")),
    ] {
        let answer = chat.headers("GET", path, &[header], &Value::Null);
        assert_eq!((answer.status, answer.json()["username"].as_str()), (200, Some("anna")), "{path} {header:?}");
    }
    assert_eq!(chat.get("robot", "users/me").json()["username"], "robot");
}

#[test]
fn every_failed_authentication_looks_the_same() {
    let chat = Chat::new();
    for header in [
        ("Authorization", ""),
        ("Authorization", "Bearer nobody"),
        ("Authorization", "Basic anna"),
        ("Authorization", "Bearer dora"),
        ("Cookie", "MMAUTHTOKEN=nobody"),
    ] {
        refused(&chat.headers("GET", "users/me", &[header], &Value::Null), EXPIRED);
    }
    chat.settings(&json!({ "enable_user_access_tokens": false }));
    refused(&chat.get("anna", "users/me"), EXPIRED);
    assert_eq!(chat.get("robot", "users/me").status, 200);
    assert_eq!(chat.get("anna-session", "users/me").status, 200);
}

#[test]
fn a_token_in_the_address_is_refused_unless_it_is_an_oauth_one() {
    let chat = Chat::new();
    for token in ["anna", "anna-session", "robot"] {
        let path = format!("users/me?access_token={token}");
        let expected = (
            401,
            "api.context.token_provided.app_error",
            "Session is not OAuth but token was provided in the query string.",
        );
        refused(&chat.headers("GET", &path, &[("Authorization", "")], &Value::Null), expected);
    }
}

#[test]
fn a_cookie_needs_a_proof_to_write() {
    let chat = Chat::new();
    let path = format!("users/{}/patch", id("anna"));
    let cookie = ("Cookie", "MMAUTHTOKEN=anna-session");
    refused(&chat.headers("PUT", &path, &[cookie], &json!({})), EXPIRED);
    refused(&chat.headers("PUT", &path, &[cookie, ("X-CSRF-Token", "guessed")], &json!({})), EXPIRED);
    let answer = chat.headers("PUT", &path, &[cookie, ("X-Requested-With", "XMLHttpRequest")], &json!({}));
    assert_eq!(answer.status, 200);
}

// 1.2 and 1.3 Headers and errors

#[test]
fn answers_carry_the_server_s_headers_and_an_equal_etag_is_not_modified() {
    let chat = Chat::new();
    let answer = chat.get("chef", &format!("users/{}", id("anna")));
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["expires"], "0");
    assert_eq!(answer.headers["x-request-id"].len(), 26);
    assert!(answer.headers["x-version-id"].starts_with("11.3.0.11.3.0."), "{:?}", answer.headers);
    assert_eq!(answer.headers["x-version-id"].rsplit('.').next(), Some("false"));

    let etag = answer.headers["etag"].clone();
    let again = |etag: &str| {
        let headers = [("Authorization", "Bearer chef"), ("If-None-Match", etag)];
        chat.headers("GET", &format!("users/{}", id("anna")), &headers, &Value::Null)
    };
    let same = again(&etag);
    assert_eq!((same.status, same.text.as_str(), same.headers["etag"].as_str()), (304, "", etag.as_str()));
    assert_eq!(chat.patch("chef", "anna", &json!({})).status, 200);
    let moved = again(&etag);
    assert_eq!(moved.status, 200);
    assert_ne!(moved.headers["etag"], etag);
}

#[test]
fn an_unknown_route_is_told_with_a_detail_and_without_a_request_id() {
    let chat = Chat::new();
    for (method, path) in
        [("GET", "nothing"), ("POST", "users/me"), ("GET", "users/an-na"), ("PUT", "users/ids/patch/x")]
    {
        let answer = chat.headers(method, path, &[("Authorization", "")], &Value::Null);
        let body = answer.json();
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "message", "detailed_error", "status_code"]);
        assert_eq!((answer.status, body["id"].as_str()), (404, Some("api.context.404.app_error")), "{method} {path}");
        assert_eq!(body["message"], "Sorry, we could not find the page.");
        assert_ne!(body["detailed_error"], "");
        assert_eq!(answer.headers.get("x-version-id"), None);
    }
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let chat = Chat::new();
    let answer = chat.patch("chef", "anna", &json!({ "nickname": "x".repeat(300_001) }));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["id"], "api.context.request_body_too_large.app_error");
}

// 1.4 Paging

#[test]
fn pages_are_sixty_long_unless_asked_and_never_more_than_two_hundred() {
    let users: Vec<Value> = (0..250).map(|number| json!({ "username": format!("user{number:03}") })).collect();
    let chat = Chat(World::with_lab_of("mattermost", &json!({ "users": users, "tokens": [{ "token": "chef" }] })));
    // The administrator and the bot are always there.
    for (query, length) in [
        ("", 60),
        ("?per_page=1000", 200),
        ("?per_page=200&page=1", 52),
        ("?per_page=126&page=1", 126),
        ("?per_page=126&page=2", 0),
        ("?per_page=-1&page=x", 60),
    ] {
        assert_eq!(names(&chat.get("chef", &format!("users{query}"))).len(), length, "{query}");
    }
}

// 1.5 Rate limiting

#[test]
fn the_rate_limiter_is_off_until_it_is_switched_on_and_then_speaks_on_every_answer() {
    let chat = Chat::new();
    assert_eq!(chat.get("chef", "users/me").headers.get("x-ratelimit-limit"), None);
    chat.settings(&json!({ "rate_limit": { "per_sec": 1, "max_burst": 2 } }));
    let asks = [("chef", "users/me", 200), ("nobody", "users/me", 401), ("chef", "nothing", 404)];
    // How many pass depends on how fast this machine is; what they carry does not.
    let refusal = asks.iter().cycle().take(60).find_map(|(token, path, status)| {
        let answer = chat.get(token, path);
        assert_eq!(answer.headers["x-ratelimit-limit"], "3");
        assert!(
            answer.headers.contains_key("x-ratelimit-remaining") && answer.headers.contains_key("x-ratelimit-reset")
        );
        (answer.status != *status).then_some(answer)
    });
    let answer = refusal.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (429, "limit exceeded\n"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!((answer.headers["retry-after"].as_str(), answer.headers["x-ratelimit-remaining"].as_str()), ("1", "0"));
    assert_eq!(answer.headers.get("x-version-id"), None);
}

// 1.6 Version and configuration

#[test]
fn ping_and_the_client_s_configuration_need_no_session_and_the_rest_needs_an_administrator() {
    let chat = Chat::with(&json!({ "require_email_verification": true, "version": "10.11.0" }));
    let nobody = [("Authorization", "")];
    let ping = chat.headers("GET", "system/ping?get_server_status=true", &nobody, &Value::Null);
    assert_eq!((ping.status, ping.json()["status"].as_str()), (200, Some("OK")));
    assert_eq!(ping.json()["database_status"], "OK");
    let client = chat.headers("GET", "config/client?format=old", &nobody, &Value::Null);
    assert_eq!((client.status, client.json()["Version"].as_str()), (200, Some("10.11.0")));
    assert_eq!(client.json()["BuildNumber"], "10.11.0");

    refused(&chat.get("anna", "config"), PERMISSIONS);
    let config = chat.get("chef", "config").json();
    assert_eq!(config["EmailSettings"], json!({ "RequireEmailVerification": true }));
    assert_eq!(config["RateLimitSettings"]["Enable"], false);
}

// 2 Visibility

#[test]
fn each_reader_sees_her_part_of_a_user() {
    let chat = Chat::new();
    let gina = format!("users/{}", id("gina"));
    let shown = |answer: &Answer, names: &[&str]| -> Vec<Value> {
        let body = answer.json();
        names.iter().map(|name| body.get(*name).cloned().unwrap_or(json!("absent"))).collect()
    };
    let fields = ["email", "first_name", "auth_service", "auth_data", "email_verified"];
    let administrator = chat.get("chef", &gina);
    assert_eq!(shown(&administrator, &fields), ["gina@example.com", "First", "gitlab", "42", "absent"]);
    assert!(administrator.json()["notify_props"].is_object());

    let other = chat.get("anna", &gina);
    assert_eq!(shown(&other, &fields), ["gina@example.com", "First", "", "", "absent"]);
    assert_eq!(shown(&other, &["notify_props"]), ["absent"]);
    chat.settings(&json!({ "show_email_address": false, "show_full_name": false }));
    assert_eq!(shown(&chat.get("anna", &gina), &fields), ["", "", "", "", "absent"]);
    assert_eq!(shown(&chat.get("chef", &gina), &fields)[0], "gina@example.com");

    let own = chat.get("anna", "users/me").json();
    assert_eq!(own["email_verified"], true);
    assert_eq!(own.get("auth_data"), None);
    assert_eq!(own.get("password"), None);
    let written = chat.patch("chef", "gina", &json!({})).json();
    assert_eq!((&written["email_verified"], &written["auth_service"]), (&json!(true), &json!("gitlab")));
}

// 3 Reading

#[test]
fn one_user_is_found_by_id_name_and_address_whether_active_or_not() {
    let chat = Chat::new();
    for path in ["users/username/dora", "users/email/dora@example.com", "users/email/Dora@Example.com"] {
        assert_eq!(chat.get("chef", path).json()["id"], id("dora").as_str(), "{path}");
    }
    refused(&chat.get("chef", &format!("users/{}", id("nobody"))), MISSING);
    bad_url(&chat.get("chef", "users/short"), "user_id");
    let unknown = chat.get("chef", "users/username/nobody");
    assert_eq!((unknown.status, unknown.json()["id"].as_str()), (404, Some("app.user.get_by_username.app_error")));
    for name in ["Anna", "system", "x".repeat(65).as_str()] {
        bad_body(&chat.get("chef", &format!("users/username/{name}")), "username");
    }
    refused(&chat.get("chef", "users/email/nobody@example.com"), MISSING);
    bad_url(&chat.get("chef", "users/email/nobody"), "email");
    chat.settings(&json!({ "show_email_address": false }));
    let answer = chat.get("anna", "users/email/dora@example.com");
    assert_eq!(
        (answer.status, answer.json()["id"].as_str()),
        (403, Some("api.user.get_user_by_email.permissions.app_error"))
    );
}

#[test]
fn bulk_lookups_drop_what_they_do_not_find() {
    let chat = Chat::new();
    let post = |path: &str, body: &Value| chat.ask("chef", "POST", path, body);
    let ids = json!([id("gina"), id("nobody"), id("dora"), id("gina")]);
    assert_eq!(names(&post("users/ids", &ids)), ["dora", "gina"]);
    chat.patch("chef", "gina", &json!({}));
    let since = chat.stored("gina")["update_at"].as_i64().unwrap() - 1;
    assert_eq!(names(&post(&format!("users/ids?since={since}"), &ids)), ["gina"]);
    assert_eq!(names(&post("users/usernames", &json!(["gina", "Anna", "nobody", "anna"]))), ["anna", "gina"]);
    bad_body(&post("users/ids", &json!([])), "user_ids");
    bad_body(&post("users/usernames", &json!([])), "usernames");
    let parse = (400, "api.payload.parse.error", "An error occurred while parsing the payload.");
    refused(&post("users/ids", &json!({ "ids": [] })), parse);
    refused(&post("users/ids", &json!("not json")), parse);
}

#[test]
fn lists_hold_the_deactivated_and_bots_and_can_be_filtered() {
    let chat = Chat::new();
    let all = names(&chat.get("chef", "users"));
    for name in ["dora", "robot", "sysadmin"] {
        assert!(all.contains(&name.to_owned()), "{all:?}");
    }
    assert_eq!(names(&chat.get("chef", "users?inactive=true")), ["dora"]);
    assert_eq!(names(&chat.get("chef", &format!("users?in_team={}", id("team")))), ["anna"]);
    assert_eq!(names(&chat.get("chef", "users?role=system_guest")), ["gast"]);
    bad_url(&chat.get("chef", "users?active=true&inactive=true"), "inactive");
    assert_eq!(names(&chat.ask("chef", "POST", "users/search", &json!({ "term": "AN" }))), ["anna"]);
    bad_body(&chat.ask("chef", "POST", "users/search", &json!({ "term": "" })), "term");
}

// 4.1 The patch route

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let chat = Chat::new();
    let before = chat.stored("anna");
    let body = json!({ "NickName": "", "first_name": "Änne", "position": null, "roles": "system_admin", "delete_at": 1,
        "auth_service": "gitlab", "email_verified": false, "props": { "a": "b" }, "unknown": 1 });
    let answer = chat.patch("chef", "anna", &body);
    assert_eq!(answer.status, 200);
    let after = chat.stored("anna");
    assert_eq!(after, but(&before, &json!({ "nickname": "", "first_name": "Änne", "props": { "a": "b" } }), &after));
    assert!(after["update_at"].as_i64() > before["update_at"].as_i64());
    assert_eq!(answer.json()["first_name"], "Änne");
    chat.patch("chef", "anna", &json!({ "props": { "c": "d" } }));
    assert_eq!(chat.stored("anna")["props"], json!({ "c": "d" }));
}

#[test]
fn an_empty_patch_writes_all_the_same() {
    let chat = Chat::new();
    let before = chat.stored("anna");
    assert_eq!(chat.patch("chef", "anna", &json!({})).status, 200);
    let after = chat.stored("anna");
    assert_eq!(after, but(&before, &json!({}), &after));
    assert!(after["update_at"].as_i64() > before["update_at"].as_i64());
}

#[test]
fn a_patch_is_checked_in_the_server_s_order() {
    let chat = Chat::new();
    let before = chat.0.state("mattermost");
    let name = json!({ "username": "other" });
    // 1 before 2: what cannot be decoded is told even to those who may not.
    bad_body(&chat.patch("anna", "berta", &json!("not json")), "user");
    bad_body(&chat.patch("anna", "berta", &json!({ "username": 1 })), "user");
    // 2: may edit.
    refused(&chat.patch("anna", "berta", &name), PERMISSIONS);
    refused(&chat.patch("mona", "chef", &name), PERMISSIONS);
    refused(&chat.patch("anna", "nobody", &name), PERMISSIONS);
    // 3: an unknown target is a bad request here.
    bad_body(&chat.patch("chef", "nobody", &name), "user_id");
    // 5 before 6: the OAuth rule comes before the login provider's.
    refused(&chat.patch("chef-oauth", "gina", &json!({ "email": "n@example.com", "username": "n" })), PERMISSIONS);
    // 6 before 7: the login provider before the password.
    let conflict = (
        409,
        "api.user.patch_user.login_provider_attribute_set.app_error",
        "Field 'username' must be set through user's login provider.",
    );
    refused(&chat.patch("gina", "gina", &json!({ "email": "n@example.com", "username": "n" })), conflict);
    // 7: the own address needs the password, whatever the token.
    for token in ["anna", "anna-session"] {
        bad_body(&chat.patch(token, "anna", &json!({ "email": "new@example.com" })), "password");
    }
    assert_eq!(chat.0.state("mattermost"), before);
    let wrong = (401, "api.user.check_user_password.invalid.app_error", "Login failed because of invalid password.");
    refused(&chat.patch("anna", "anna", &json!({ "email": "new@example.com", "password": "wrong" })), wrong);
    // 8: the application layer comes last.
    let invalid = json!({ "email": "new@example.com", "password": "right-password", "username": "system" });
    assert_eq!(chat.patch("anna", "anna", &invalid).json()["id"], "model.user.is_valid.username.app_error");
    let answer = chat.patch("anna", "anna", &json!({ "email": "new@example.com", "password": "right-password" }));
    assert_eq!((answer.status, answer.json()["email"].as_str()), (200, Some("new@example.com")));
}

#[test]
fn a_bot_that_is_an_administrator_is_edited_by_administrators_only() {
    let chat = Chat::new();
    chat.0.lab("mattermost", "POST", "meddle/robot", &json!({ "roles": "system_user system_admin" }));
    refused(&chat.patch("anna", "robot", &json!({ "nickname": "n" })), PERMISSIONS);
    assert_eq!(chat.patch("chef", "robot", &json!({ "nickname": "n" })).status, 200);
}

#[test]
fn owners_managers_and_administrators_may_edit() {
    let chat = Chat::new();
    for (token, user) in
        [("anna", "anna"), ("anna", "robot"), ("mona", "anna"), ("chef", "sysadmin"), ("chef", "robot")]
    {
        let target = if user == "sysadmin" {
            chat.get("chef", "users/username/sysadmin").json()["id"].clone()
        } else {
            id(user).into()
        };
        let path = format!("users/{}/patch", target.as_str().unwrap());
        assert_eq!(chat.ask(token, "PUT", &path, &json!({ "nickname": "n" })).status, 200, "{token} {user}");
    }
}

#[test]
fn ten_wrong_passwords_lock_an_account() {
    let chat = Chat::new();
    let guess =
        |password: &str| chat.patch("anna", "anna", &json!({ "email": "new@example.com", "password": password }));
    for _ in 0..10 {
        assert_eq!(guess("wrong").json()["id"], "api.user.check_user_password.invalid.app_error");
    }
    let locked = guess("right-password");
    assert_eq!(
        (locked.status, locked.json()["id"].as_str()),
        (401, Some("api.user.check_user_login_attempts.too_many.app_error"))
    );
}

#[test]
fn a_full_update_clears_what_it_leaves_out() {
    let chat = Chat::new();
    let put = |token: &str, user: &str, body: &Value| chat.ask(token, "PUT", &format!("users/{}", id(user)), body);
    bad_body(&put("chef", "anna", &json!({ "id": id("berta") })), "user_id");
    bad_body(&put("chef", "anna", &json!({})), "user_id");
    refused(&put("chef", "nobody", &json!({ "id": id("nobody") })), MISSING);
    refused(&put("anna", "berta", &json!({ "id": id("berta") })), PERMISSIONS);
    // The address is compared always, so leaving it out is a change.
    refused(&put("chef-oauth", "anna", &json!({ "id": id("anna"), "username": "anna" })), PERMISSIONS);
    let own = json!({ "id": id("anna"), "username": "anna", "email": "new@example.com", "password": "wrong" });
    bad_body(&put("anna", "anna", &own), "password");
    let conflict = (
        409,
        "api.user.update_user.login_provider_attribute_set.app_error",
        "Field 'username' must be set through user's login provider.",
    );
    refused(&put("chef", "gina", &json!({ "id": id("gina"), "email": "gina@example.com" })), conflict);

    let before = chat.stored("berta");
    let body = json!({ "id": id("berta"), "username": "berta", "email": "berta@example.com" });
    assert_eq!(put("chef", "berta", &body).status, 200);
    let after = chat.stored("berta");
    assert_eq!(after, but(&before, &json!({ "first_name": "", "last_name": "", "locale": "" }), &after));
}

// 4.2 The layer below

#[test]
fn values_are_validated_with_the_server_s_ids_and_words() {
    let chat = Chat::new();
    let username = "Username must begin with a letter, and contain between 3 to 22 lowercase characters made up of \
                    numbers, letters, and the symbols \".\", \"-\", and \"_\".";
    let long = |length: usize| "x".repeat(length);
    let rows = [
        ("username", String::new(), username),
        ("username", "an na".to_owned(), username),
        ("username", "matterbot".to_owned(), username),
        ("username", long(65), username),
        ("email", String::new(), "Invalid email."),
        ("email", "Anna <a@example.com>".to_owned(), "Invalid email."),
        ("email", format!("{}@example.com", long(117)), "Invalid email."),
        ("nickname", long(65), "Invalid nickname."),
        ("first_name", long(65), "Invalid first name."),
        ("last_name", long(65), "Invalid last name."),
        ("position", long(129), "Invalid position: must not be longer than 128 characters."),
        ("locale", "german".to_owned(), "Invalid locale."),
    ];
    let before = chat.stored("anna");
    for (field, value, message) in rows {
        let answer = chat.patch("chef", "anna", &json!({ field: value }));
        refused(&answer, (400, &format!("model.user.is_valid.{field}.app_error").leak()[..], message));
    }
    assert_eq!(chat.stored("anna"), before);
    for (field, value) in [
        ("username", long(64)),
        ("nickname", "ü".repeat(64)),
        ("position", "ü".repeat(128)),
        ("locale", "pt-BR".to_owned()),
    ] {
        let answer = chat.patch("chef", "anna", &json!({ field: value }));
        assert_eq!((answer.status, &answer.json()[field]), (200, &json!(value)));
    }
}

#[test]
fn names_and_addresses_are_lowered_and_nothing_is_trimmed() {
    let chat = Chat::new();
    let body = json!({ "username": "An\u{202e}Na.B", "email": "New@Example.COM", "first_name": " Änne " });
    let answer = chat.patch("chef", "anna", &body).json();
    assert_eq!(
        (&answer["username"], &answer["email"], &answer["first_name"]),
        (&json!("anna.b"), &json!("new@example.com"), &json!(" Änne "))
    );
    assert_eq!(chat.stored("anna")["email_verified"], false);
}

#[test]
fn taken_values_are_bad_requests_even_when_a_group_or_somebody_deactivated_holds_them() {
    let chat = Chat::new();
    let before = chat.stored("anna");
    for name in ["berta", "BERTA", "dora", "developers"] {
        refused(&chat.patch("chef", "anna", &json!({ "username": name })), NAME_TAKEN);
    }
    for address in ["berta@example.com", "Dora@Example.com"] {
        refused(&chat.patch("chef", "anna", &json!({ "email": address })), ADDRESS_TAKEN);
    }
    assert_eq!(chat.stored("anna"), before);
}

#[test]
fn a_new_address_must_be_in_an_accepted_domain() {
    let chat = Chat::with(
        &json!({ "restrict_creation_to_domains": "example.com", "guest_restrict_creation_to_domains": "example.net" }),
    );
    let readdress = |user: &str, email: &str| chat.patch("chef", user, &json!({ "email": email }));
    let id = |answer: &Answer| (answer.status, answer.json()["id"].as_str().unwrap_or_default().to_owned());
    let refusal = |kind: &str| (400, format!("api.user.update_user.accepted_{kind}.app_error"));
    assert_eq!(id(&readdress("anna", "a@example.org")), refusal("domain"));
    assert_eq!(id(&readdress("gast", "g@example.com")), refusal("guest_domain"));
    assert_eq!(readdress("anna", "a@example.com").status, 200);
    assert_eq!(readdress("gast", "g@example.net").status, 200);
    assert_eq!(readdress("sami", "s@example.org").status, 200);
}

#[test]
fn with_verification_the_old_address_stays_until_the_mailed_token_comes_back() {
    let chat = Chat::with(&json!({ "require_email_verification": true }));
    let before = chat.stored("anna");
    let answer = chat.patch("chef", "anna", &json!({ "email": "New@example.com", "nickname": "n" }));
    assert_eq!((answer.status, answer.json()["email"].as_str()), (200, Some("anna@example.com")));
    let after = chat.stored("anna");
    assert_eq!(after, but(&before, &json!({ "nickname": "n" }), &after));

    let mails = chat.0.state("mattermost")["mails"].clone();
    let token = mails[0]["token"].as_str().unwrap().to_owned();
    assert_eq!(mails, json!([{ "to": "New@example.com", "about": "verify email", "token": token }]));
    let verify =
        |token: &str| chat.headers("POST", "users/email/verify", &[("Authorization", "")], &json!({ "token": token }));
    bad_body(&verify("short"), "token");
    let unknown = verify(&"x".repeat(64));
    assert_eq!(
        (unknown.status, unknown.json()["id"].as_str()),
        (400, Some("api.user.verify_email.bad_link.app_error"))
    );
    done(&verify(&token));
    assert_eq!(
        (&chat.stored("anna")["email"], &chat.stored("anna")["email_verified"]),
        (&json!("new@example.com"), &json!(true))
    );
    assert_eq!(verify(&token).status, 400);
}

#[test]
fn with_verification_an_address_that_exists_is_refused_even_the_own_in_another_case() {
    let chat = Chat::with(&json!({ "require_email_verification": true }));
    refused(&chat.patch("chef", "anna", &json!({ "email": "Anna@example.com" })), ADDRESS_TAKEN);
    refused(&chat.patch("chef", "anna", &json!({ "email": "berta@example.com" })), ADDRESS_TAKEN);
    assert_eq!(chat.patch("chef", "anna", &json!({ "email": "anna@example.com" })).status, 200);
}

#[test]
fn a_rename_redraws_a_default_picture_and_mails_are_sent() {
    let chat = Chat::new();
    let answer = chat.patch("chef", "anna", &json!({ "username": "anna.b", "email": "b@example.com" })).json();
    assert_eq!(answer["last_picture_update"].as_i64(), answer["update_at"].as_i64().map(|at| -at));
    let mails = chat.0.state("mattermost")["mails"].clone();
    assert_eq!(
        mails,
        json!([
            { "to": "b@example.com", "about": "username changed" },
            { "to": "anna@example.com", "about": "email changed" },
        ])
    );
}

// 4.3 OAuth sessions

#[test]
fn an_oauth_session_never_changes_an_address() {
    let chat = Chat::new();
    let readdress = |token: &str, user: &str, email: &str| chat.patch(token, user, &json!({ "email": email }));
    refused(&readdress("chef-oauth", "anna", "new@example.com"), PERMISSIONS);
    refused(&readdress("chef-oauth", "anna", "Anna@example.com"), PERMISSIONS);
    refused(&readdress("anna-oauth", "anna", "new@example.com"), PERMISSIONS);
    assert_eq!(readdress("chef-oauth", "anna", "anna@example.com").status, 200);
    assert_eq!(chat.patch("chef-oauth", "anna", &json!({ "username": "anna.b" })).status, 200);
    for token in ["chef", "chef-session"] {
        let address = format!("{token}-says@example.com");
        assert_eq!(readdress(token, "anna", &address).json()["email"], address.as_str());
    }
}

// 4.4 The login provider's attributes

#[test]
fn the_login_provider_s_attributes_conflict_and_the_others_are_free() {
    let chat = Chat::new();
    let conflict = |field: &str| Some(format!("Field '{field}' must be set through user's login provider."));
    let rows = [
        ("gina", json!({ "username": "other" }), conflict("username")),
        ("gina", json!({ "username": "Gina" }), conflict("username")),
        ("gina", json!({ "username": "other", "first_name": "Other" }), conflict("username")),
        ("gina", json!({ "first_name": "Other" }), conflict("full name")),
        ("gina", json!({ "last_name": "Other" }), conflict("full name")),
        ("gina", json!({ "username": "gina", "first_name": "First", "last_name": "Last" }), None),
        ("gina", json!({ "nickname": "n", "position": "p", "locale": "de" }), None),
        ("sami", json!({ "username": "other" }), conflict("username")),
        ("sami", json!({ "first_name": "Other", "email": "other@example.com" }), None),
        ("lars", json!({ "username": "other" }), conflict("username")),
        ("lars", json!({ "first_name": "Other" }), None),
        ("magda", json!({ "username": "other" }), conflict("username")),
        ("magda", json!({ "first_name": "Other", "email": "magda2@example.com" }), None),
        ("anna", json!({ "username": "other", "first_name": "Other" }), None),
    ];
    for (user, body, expected) in rows {
        let before = chat.stored(user);
        let answer = chat.patch("chef", user, &body);
        let Some(message) = expected else {
            assert_eq!(answer.status, 200, "{user} {body}");
            for (field, value) in body.as_object().unwrap() {
                assert_eq!(chat.stored(user)[field], *value, "{user} {field}");
            }
            continue;
        };
        refused(&answer, (409, "api.user.patch_user.login_provider_attribute_set.app_error", &message.leak()[..]));
        assert_eq!(chat.stored(user), before);
    }
}

#[test]
fn an_oauth_account_keeps_its_address_without_a_word() {
    let chat = Chat::new();
    let before = chat.stored("gina");
    let answer = chat.patch("chef", "gina", &json!({ "email": "new@example.com", "nickname": "n" }));
    assert_eq!((answer.status, answer.json()["email"].as_str()), (200, Some("gina@example.com")));
    let after = chat.stored("gina");
    assert_eq!(after, but(&before, &json!({ "nickname": "n" }), &after));
}

#[test]
fn an_ldap_account_s_address_cannot_be_stored_without_the_module() {
    let chat = Chat::new();
    let expected = (400, "app.user.update.find.app_error", "Unable to find the existing account to update.");
    refused(&chat.patch("chef", "lars", &json!({ "email": "new@example.com" })), expected);
    chat.settings(&json!({ "ldap": true }));
    assert_eq!(chat.patch("chef", "lars", &json!({ "email": "new@example.com" })).status, 409);
}

// 5 Other account calls

#[test]
fn activation_follows_its_own_table() {
    let chat = Chat::new();
    let set =
        |token: &str, user: &str, body: &Value| chat.ask(token, "PUT", &format!("users/{}/active", id(user)), body);
    let off = json!({ "active": false });
    bad_body(&set("chef", "anna", &json!({ "active": "false" })), "active");
    bad_body(&set("chef", "anna", &json!({})), "active");
    refused(
        &set("anna", "berta", &off),
        (403, "api.user.update_active.permissions.app_error", "You do not have the appropriate permissions."),
    );
    refused(&set("chef", "nobody", &off), MISSING);
    refused(&set("mona", "chef", &off), PERMISSIONS);
    let ldap = set("chef", "lars", &off);
    assert_eq!(
        (ldap.status, ldap.json()["id"].as_str()),
        (403, Some("api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error"))
    );

    done(&set("mona", "anna", &off));
    let gone = chat.stored("anna");
    assert_eq!(gone["delete_at"], gone["update_at"]);
    for token in ["anna", "anna-session", "anna-oauth"] {
        refused(&chat.get(token, "users/me"), EXPIRED);
    }
    done(&set("mona", "anna", &off));
    assert!(chat.stored("anna")["update_at"].as_i64() > gone["update_at"].as_i64());
    done(&set("mona", "anna", &json!({ "active": true })));
    assert_eq!(chat.stored("anna")["delete_at"], 0);
    // Sessions were revoked for good; the personal token works again.
    assert_eq!(chat.get("anna", "users/me").status, 200);
    refused(&chat.get("anna-session", "users/me"), EXPIRED);

    chat.settings(&json!({ "enable_user_deactivation": false }));
    let own = set("anna", "anna", &off);
    assert_eq!((own.status, own.json()["id"].as_str()), (401, Some("api.user.update_active.not_enable.app_error")));
    chat.settings(&json!({ "user_limit": 3 }));
    let full = set("chef", "dora", &json!({ "active": true }));
    assert_eq!((full.status, full.json()["id"].as_str()), (400, Some("app.user.update_active.user_limit.exceeded")));
}

#[test]
fn deleting_deactivates_unless_permanent_deletion_is_on() {
    let chat = Chat::new();
    let delete = |token: &str, user: &str, query: &str| {
        chat.ask(token, "DELETE", &format!("users/{}{query}", id(user)), &Value::Null)
    };
    refused(&delete("anna", "berta", ""), PERMISSIONS);
    refused(&delete("chef", "nobody", ""), MISSING);
    done(&delete("chef", "berta", ""));
    assert_ne!(chat.stored("berta")["delete_at"], 0);
    let off = delete("chef", "berta", "?permanent=true");
    assert_eq!((off.status, off.json()["id"].as_str()), (401, Some("api.user.delete_user.not_enabled.app_error")));
    chat.settings(&json!({ "enable_api_user_deletion": true }));
    done(&delete("chef", "berta", "?permanent=true"));
    assert_eq!(chat.stored("berta"), Value::Null);
}

#[test]
fn roles_follow_their_own_table() {
    let chat = Chat::new();
    let set = |token: &str, user: &str, roles: &str| {
        chat.ask(token, "PUT", &format!("users/{}/roles", id(user)), &json!({ "roles": roles }))
    };
    bad_body(&set("chef", "anna", "system_admin"), "roles");
    bad_body(&set("chef", "anna", "system user!"), "roles");
    refused(&set("anna", "anna", "system_user system_admin"), PERMISSIONS);
    refused(&set("chef", "nobody", "system_user"), (400, MISSING.1, MISSING.2));
    let unknown = set("chef", "anna", "system_user emperor");
    assert_eq!(
        (unknown.status, unknown.json()["id"].as_str()),
        (400, Some("app.role.check_roles_exist.role_not_found"))
    );
    done(&set("chef", "anna", "system_user system_user_manager"));
    assert_eq!(chat.stored("anna")["roles"], "system_user system_user_manager");
    let sysadmin = chat.get("chef", "users/username/sysadmin").json()["id"].as_str().unwrap().to_owned();
    done(&chat.ask("chef", "PUT", &format!("users/{sysadmin}/roles"), &json!({ "roles": "system_user" })));
    let last = set("chef", "chef", "system_user");
    assert_eq!((last.status, last.json()["id"].as_str()), (400, Some("app.user.update.lastAdmin.app_error")));
}

#[test]
fn the_login_provider_is_set_and_a_password_severs_it() {
    let chat = Chat::new();
    let set = |token: &str, user: &str, body: &Value| chat.ask(token, "PUT", &format!("users/{}/auth", id(user)), body);
    let gitlab = json!({ "auth_data": "77", "auth_service": "gitlab" });
    refused(&set("mona", "anna", &gitlab), PERMISSIONS);
    for body in [json!({ "auth_data": "", "auth_service": "gitlab" }), json!({ "auth_data": "1" })] {
        let answer = set("chef", "anna", &body);
        assert_eq!(
            (answer.status, answer.json()["id"].as_str()),
            (400, Some("api.user.update_user_auth.invalid_request"))
        );
    }
    let taken = set("chef", "anna", &json!({ "auth_data": "42", "auth_service": "gitlab" }));
    assert_eq!(
        (taken.status, taken.json()["id"].as_str()),
        (400, Some("app.user.update_auth_data.email_exists.app_error"))
    );
    let nobody = set("chef", "nobody", &gitlab);
    assert_eq!((nobody.status, nobody.json()), (200, gitlab.clone()));
    let answer = set("chef", "anna", &gitlab);
    assert_eq!((answer.status, answer.json()), (200, gitlab));
    assert_eq!(
        (&chat.stored("anna")["auth_service"], &chat.stored("anna")["auth_data"]),
        (&json!("gitlab"), &json!("77"))
    );
    assert_eq!(chat.get("anna-session", "users/me").status, 200);

    let password = |token: &str, user: &str, new: &str| {
        chat.ask(token, "PUT", &format!("users/{}/password", id(user)), &json!({ "new_password": new }))
    };
    assert_eq!(password("chef", "anna", "short").json()["id"], "model.user.is_valid.pwd_min_length.app_error");
    assert_eq!(password("mona", "chef", "long-enough").status, 403);
    done(&password("mona", "anna", "long-enough"));
    assert_eq!((&chat.stored("anna")["auth_service"], &chat.stored("anna")["auth_data"]), (&json!(""), &Value::Null));
    assert_eq!(chat.patch("chef", "anna", &json!({ "username": "free" })).json()["username"], "free");
    let login = chat.headers(
        "POST",
        "users/login",
        &[("Authorization", "")],
        &json!({ "login_id": "free", "password": "long-enough" }),
    );
    assert_eq!(chat.get(&login.headers["token"], "users/me").json()["username"], "free");
}

#[test]
fn creating_follows_its_own_table() {
    let chat = Chat::new();
    let create = |token: &str, body: &Value| chat.ask(token, "POST", "users", body);
    let person = |name: &str, more: Value| {
        let mut body = json!({ "username": name, "email": format!("{name}@example.com"), "password": "long-enough" });
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    refused(&create("chef", &person("new", json!({ "email": "ANNA@example.com" }))), ADDRESS_TAKEN);
    refused(&create("chef", &person("new", json!({ "username": "anna" }))), NAME_TAKEN);
    assert_eq!(
        create("chef", &person("new", json!({ "email": "" }))).json()["id"],
        "model.user.is_valid.email.app_error"
    );
    assert_eq!(
        create("chef", &person("new", json!({ "password": "" }))).json()["id"],
        "model.user.is_valid.pwd_min_length.app_error"
    );

    let sso = json!({ "username": "Sso", "email": "sso@example.com", "auth_service": "gitlab", "auth_data": "9",
        "email_verified": true, "roles": "system_admin", "locale": "nonsense" });
    let made = create("chef", &sso);
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let fields =
        ["username", "auth_service", "auth_data", "email_verified", "roles", "locale"].map(|name| made[name].clone());
    assert_eq!(fields, [json!("sso"), json!("gitlab"), json!("9"), json!(true), json!("system_user"), json!("en")]);

    let made = create(
        "anna",
        &person("plain", json!({ "auth_service": "gitlab", "auth_data": "10", "email_verified": true })),
    )
    .json();
    assert_eq!((&made["auth_service"], made.get("auth_data"), made.get("email_verified")), (&json!(""), None, None));
    let nameless = create("chef", &person("", json!({ "email": "nameless@example.com" }))).json();
    assert_eq!(nameless["username"].as_str().unwrap().len(), 27);

    chat.settings(&json!({ "restrict_creation_to_domains": "example.org", "enable_open_server": false }));
    let domain = create("chef", &person("late", json!({})));
    assert_eq!(
        (domain.status, domain.json()["id"].as_str()),
        (400, Some("api.user.create_user.accepted_domain.app_error"))
    );
    let closed = create("anna", &person("late", json!({})));
    assert_eq!((closed.status, closed.json()["id"].as_str()), (403, Some("api.user.create_user.no_open_server")));
    chat.settings(&json!({ "restrict_creation_to_domains": "", "user_limit": 1 }));
    let full = create("chef", &person("late", json!({})));
    assert_eq!((full.status, full.json()["id"].as_str()), (400, Some("api.user.create_user.user_limits.exceeded")));
}

// 6 Signing in

#[test]
fn an_e_mail_account_logs_in_and_only_the_time_moves() {
    let chat = Chat::new();
    let before = chat.stored("anna");
    chat.0.lab("mattermost", "POST", "login/anna", &Value::Null);
    let after = chat.stored("anna");
    assert_eq!(after, but(&before, &json!({ "last_login": after["update_at"] }), &after));
    assert!(after["update_at"].as_i64() > before["update_at"].as_i64());
    let gone = chat.0.ask("mattermost", "POST", "/_lab/login/dora", &[], &Value::Null);
    assert_eq!((gone.status, gone.json()), (400, json!({ "error": "`dora` is deactivated" })));
}

#[test]
fn what_gitlab_renames_arrives_at_the_next_sign_in_and_a_blocked_user_does_not_come_in() {
    let system = |kind: &str| {
        format!(
            "[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n"
        )
    };
    let gina = json!({ "id": 42, "username": "gina", "email": "gina@example.com", "name": "Gina Gold" });
    let here = json!({ "id": id("gina"), "username": "gina", "email": "gina@example.com", "first_name": "Gina",
        "last_name": "Gold", "auth_service": "gitlab", "auth_data": "42" });
    let mut world = World::new()
        .file("homeward.toml", &format!("{}{}", system("gitlab"), system("mattermost")))
        .file("lab/gitlab.json", &json!({ "users": [gina] }).to_string())
        .file("lab/mattermost.json", &json!({ "users": [here] }).to_string());
    world.start_lab(&[]);
    let name = || world.state("mattermost")["users"][id("gina")]["username"].clone();

    world.lab("gitlab", "POST", "meddle/gina", &json!({ "username": "Gina.B" }));
    assert_eq!(name(), "gina");
    let answer = world.lab("mattermost", "POST", "login/gina", &Value::Null);
    assert_eq!((&answer["changed"], name()), (&json!(["username"]), json!("gina.b")));

    world.lab("gitlab", "POST", "meddle/42", &json!({ "state": "blocked" }));
    let away = world.ask("mattermost", "POST", "/_lab/login/gina.b", &[], &Value::Null);
    assert_eq!((away.status, away.json()), (400, json!({ "error": "gitlab does not let `Gina.B` sign in" })));
}

// 8 Teams and channels

#[test]
fn team_members_follow_their_table() {
    let chat = Chat::new();
    let members = format!("teams/{}/members", id("team"));
    let add = |team: &str, user: &str| {
        chat.ask(
            "chef",
            "POST",
            &format!("teams/{}/members", id(team)),
            &json!({ "team_id": id(team), "user_id": id(user) }),
        )
    };
    let code = |answer: &Answer| (answer.status, answer.json()["id"].as_str().unwrap_or_default().to_owned());
    let before = chat.stored("berta")["update_at"].as_i64();
    let expected = json!({ "team_id": id("team"), "user_id": id("berta"), "roles": "team_user", "delete_at": 0,
        "scheme_guest": false, "scheme_user": true, "scheme_admin": false, "explicit_roles": "" });
    let joined = add("team", "berta");
    assert_eq!((joined.status, joined.json()), (201, expected.clone()));
    let joined_at = chat.stored("berta")["update_at"].as_i64();
    assert!(joined_at > before);
    // Already there: the same again, and nothing moves.
    assert_eq!((add("team", "berta").status, chat.stored("berta")["update_at"].as_i64()), (201, joined_at));
    assert_eq!(chat.get("chef", &format!("{members}/{}", id("berta"))).json(), expected);

    bad_body(
        &chat.ask("chef", "POST", &members, &json!({ "team_id": id("synced"), "user_id": id("gina") })),
        "team_id",
    );
    chat.0.lab(
        "mattermost",
        "POST",
        "meddle/gast",
        &json!({ "roles": "system_user", "email": "gast@elsewhere.example" }),
    );
    assert_eq!(code(&add("team", "gast")), (400, "api.team.join_user_to_team.allowed_domains.app_error".to_owned()));
    assert_eq!(code(&add("synced", "gina")), (400, "api.team.add_members.user_denied".to_owned()));
    chat.settings(&json!({ "max_users_per_team": 2 }));
    assert_eq!(code(&add("team", "gina")), (400, "app.team.join_user_to_team.max_accounts.app_error".to_owned()));
    let batch =
        json!([{ "team_id": id("team"), "user_id": id("anna") }, { "team_id": id("team"), "user_id": id("gina") }]);
    assert_eq!(chat.ask("chef", "POST", &format!("{members}/batch"), &batch).status, 400);
    let rows = chat.ask("chef", "POST", &format!("{members}/batch?graceful=true"), &batch).json();
    assert_eq!((&rows[0]["error"], &rows[1]["member"]), (&Value::Null, &Value::Null));
    assert_eq!(rows[1]["error"]["id"], "app.team.join_user_to_team.max_accounts.app_error");

    let leave = |team: &str, user: &str| {
        chat.ask("chef", "DELETE", &format!("teams/{}/members/{}", id(team), id(user)), &Value::Null)
    };
    done(&leave("team", "berta"));
    assert_eq!(code(&leave("team", "berta")), (400, "api.team.remove_user_from_team.missing.app_error".to_owned()));
    assert_eq!(code(&leave("synced", "berta")), (400, "api.team.remove_member.group_constrained.app_error".to_owned()));
    assert!(chat.get("chef", &format!("{members}/{}", id("berta"))).json()["delete_at"].as_i64() > Some(0));
    assert_eq!(
        code(&chat.get("chef", &format!("{members}/{}", id("gina")))),
        (404, "app.team.get_member.missing.app_error".to_owned())
    );
    refused(&chat.get("anna", &format!("teams/{}/members", id("synced"))), PERMISSIONS);
}

#[test]
fn channel_members_follow_their_table() {
    let chat = Chat::new();
    let add =
        |channel: &str, body: &Value| chat.ask("chef", "POST", &format!("channels/{}/members", id(channel)), body);
    let code = |answer: &Answer| (answer.status, answer.json()["id"].as_str().unwrap_or_default().to_owned());
    let one = |user: &str| json!({ "user_id": id(user) });
    assert_eq!(code(&add("direct", &one("anna"))), (400, "api.channel.add_user_to_channel.type.app_error".to_owned()));
    assert_eq!(code(&add("room", &one("berta"))), (404, "app.team.get_member.missing.app_error".to_owned()));
    assert_eq!(code(&add("room", &one("dora"))), (403, "app.channel.add_member.deleted_user.app_error".to_owned()));
    let again = add("room", &one("anna"));
    assert_eq!((again.status, again.json()["user_id"].as_str()), (201, Some(id("anna").as_str())));
    let several = add("room", &json!({ "user_ids": [id("anna"), id("berta")] }));
    assert_eq!((several.status, several.json().as_array().map(Vec::len)), (201, Some(1)));

    let member = |method: &str, channel: &str| {
        chat.ask("chef", method, &format!("channels/{channel}/members/{}", id("anna")), &Value::Null)
    };
    assert_eq!(member("GET", &id("room")).status, 200);
    done(&member("DELETE", &id("room")));
    assert_eq!(code(&member("GET", &id("room"))), (404, "app.channel.get_member.missing.app_error".to_owned()));
    let square = chat.get("chef", &format!("teams/{}/channels/name/town-square", id("team"))).json();
    assert_eq!(
        code(&member("DELETE", square["id"].as_str().unwrap())),
        (400, "api.channel.remove.default.app_error".to_owned())
    );
}

// The lab itself

#[test]
fn meddling_changes_stored_fields_and_moves_the_time() {
    let chat = Chat::new();
    let before = chat.stored("gina");
    chat.0.lab("mattermost", "POST", "meddle/gina", &json!({ "username": "gina.b", "email": "b@example.com" }));
    let after = chat.stored("gina");
    assert_eq!(after, but(&before, &json!({ "username": "gina.b", "email": "b@example.com" }), &after));
    assert!(after["update_at"].as_i64() > before["update_at"].as_i64());
    let meddle = |fields: &Value| chat.0.ask("mattermost", "POST", "/_lab/meddle/gina.b", &[], fields);
    let taken = meddle(&json!({ "username": "anna" }));
    assert_eq!((taken.status, taken.json()), (400, json!({ "error": "user.username: somebody else has it" })));
    let unknown = meddle(&json!({ "usrname": "x" })).json()["error"].as_str().unwrap().to_owned();
    assert!(unknown.starts_with("user.usrname: unknown field `usrname`"), "{unknown}");
}
