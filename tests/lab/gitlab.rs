//! The simulated GitLab against its contract, asked over HTTP: status, body and what was different afterwards.
//!
//! Numbers in section comments are those of `gitlab.md`.

#![expect(clippy::unwrap_used, reason = "what is missing in an answer fails the test, in a helper too")]

use std::collections::BTreeSet;

use crate::common::{Answer, World};
use serde_json::{Map, Value, json};

const AS_ANNA: (&str, &str) = ("PRIVATE-TOKEN", "anna-token");
const NOBODY: (&str, &str) = ("Authorization", "");

/// Anna 2 and Ben 3 are ordinary, Dora 4 is an administrator who reads German; `staff` is a group.
fn seed() -> Value {
    json!({
        "users": [
            {"username": "anna", "name": "Anna Berg", "email": "anna@example.com",
             "emails": [{"email": "anna.old@example.com"}, {"email": "anna.open@example.com", "confirmed": false}],
             "identities": [{"provider": "ldapmain", "extern_uid": "uid=anna"}]},
            {"username": "Ben", "name": "Ben Cole", "email": "ben@example.com",
             "identities": [{"provider": "saml", "extern_uid": "ben-saml"}]},
            {"username": "dora", "name": "Dora Ek", "email": "dora@example.com", "admin": true, "preferred_language": "de"},
        ],
        "groups": [{"path": "staff", "name": "Staff", "members": [{"username": "anna", "access_level": 50}]}],
        "tokens": [
            {"user": "anna", "token": "anna-token"},
            {"user": "dora", "token": "dora-token", "scopes": ["api"]},
        ],
    })
}

fn lab() -> World {
    World::with_lab_of("gitlab", &seed())
}

/// The usual people with some fields of some of them changed, or with more of something.
fn lab_with(change: impl FnOnce(&mut Value)) -> World {
    let mut seed = seed();
    change(&mut seed);
    World::with_lab_of("gitlab", &seed)
}

trait Asks {
    fn get(&self, path: &str) -> Answer;
    fn get_as(&self, header: (&str, &str), path: &str) -> Answer;
    fn post(&self, path: &str, body: &Value) -> Answer;
    fn put(&self, path: &str, body: &Value) -> Answer;
    fn delete(&self, path: &str) -> Answer;
    /// Which stored fields of which users are different after `act`, with their new values; numbers gone are `null`.
    fn watching<T>(&self, act: impl FnOnce(&Self) -> T) -> (T, Value);
}

impl Asks for World {
    fn get(&self, path: &str) -> Answer {
        self.ask("gitlab", "GET", &format!("/api/v4{path}"), &[], &Value::Null)
    }

    fn get_as(&self, header: (&str, &str), path: &str) -> Answer {
        self.ask("gitlab", "GET", &format!("/api/v4{path}"), &[header], &Value::Null)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("gitlab", "POST", &format!("/api/v4{path}"), &[], body)
    }

    fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("gitlab", "PUT", &format!("/api/v4{path}"), &[], body)
    }

    fn delete(&self, path: &str) -> Answer {
        self.ask("gitlab", "DELETE", &format!("/api/v4{path}"), &[], &Value::Null)
    }

    fn watching<T>(&self, act: impl FnOnce(&Self) -> T) -> (T, Value) {
        let before = self.state("gitlab");
        let result = act(self);
        let after = self.state("gitlab");
        let (old, new) = (before["users"].as_object().unwrap(), after["users"].as_object().unwrap());
        let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut changes = Map::new();
        for id in ids {
            let (Some(was), Some(is)) = (old.get(id), new.get(id)) else {
                changes.insert(id.clone(), new.get(id).cloned().unwrap_or(Value::Null));
                continue;
            };
            let fields = is.as_object().unwrap().iter();
            let fields = fields.filter(|(name, value)| *name != "updated_at" && was[*name] != **value);
            let fields: Map<String, Value> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
            if !fields.is_empty() {
                changes.insert(id.clone(), Value::Object(fields));
            }
        }
        (result, Value::Object(changes))
    }
}

#[track_caller]
fn expect(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
}

#[track_caller]
fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn message(text: &str) -> Value {
    json!({"message": text})
}

// 1.1

#[test]
fn a_token_is_taken_in_each_of_its_forms() {
    let world = lab();
    for header in [
        ("PRIVATE-TOKEN", "glpat-lab-root-personal"),
        ("Authorization", "Bearer glpat-lab-root-personal"),
        ("Authorization", "Bearer glpat-lab-root-oauth"),
    ] {
        assert_eq!(world.get_as(header, "/user").json()["username"], "root", "{header:?}");
    }
    for query in ["private_token=glpat-lab-root-personal", "access_token=glpat-lab-root-oauth"] {
        assert_eq!(world.get_as(NOBODY, &format!("/user?{query}")).json()["username"], "root", "{query}");
    }
    expect(&world.get_as(("PRIVATE-TOKEN", "glpat-lab-root-oauth"), "/user"), 401, &message("401 Unauthorized"));
    assert_eq!(world.token("gitlab"), "glpat-lab-root-personal");
}

#[test]
fn a_bad_token_is_refused_in_the_shape_of_its_fault() {
    let world = lab_with(|seed| {
        seed["tokens"] = json!([
            {"user": "anna", "token": "late", "expired": true},
            {"user": "anna", "token": "gone", "revoked": true},
            {"user": "anna", "token": "small", "scopes": ["read_user"]},
            {"user": "anna", "token": "openid", "scopes": ["openid"]},
        ]);
    });
    let invalid = |text: &str| json!({"error": "invalid_token", "error_description": text});
    let late = "Token is expired. You can either do re-authorization or token refresh.";
    expect(&world.get_as(("PRIVATE-TOKEN", "late"), "/user"), 401, &invalid(late));
    let gone = "Token was revoked. You have to re-authorize from the user.";
    expect(&world.get_as(("PRIVATE-TOKEN", "gone"), "/user"), 401, &invalid(gone));
    expect(&world.get_as(("Authorization", "Bearer what"), "/user"), 401, &invalid("Bad Access Token."));
    expect(&world.get_as(("PRIVATE-TOKEN", "what"), "/user"), 401, &message("401 Unauthorized"));
    expect(&world.get_as(NOBODY, "/user"), 401, &message("401 Unauthorized"));
    let small = |scope: &str| {
        json!({
            "error": "insufficient_scope",
            "error_description": "The request requires higher privileges than provided by the access token.",
            "scope": scope,
        })
    };
    assert_eq!(world.get_as(("PRIVATE-TOKEN", "small"), "/users/2").status, 200);
    let write = world.ask("gitlab", "PUT", "/api/v4/users/2", &[("PRIVATE-TOKEN", "small")], &json!({"bio": "x"}));
    expect(&write, 403, &small("api"));
    expect(&world.get_as(("PRIVATE-TOKEN", "openid"), "/user"), 403, &small("api read_api read_user"));
    expect(&world.get_as(("PRIVATE-TOKEN", "small"), "/groups/staff/members"), 403, &small("api read_api"));
}

#[test]
fn user_administration_needs_an_administrator() {
    let world = lab();
    let every = [
        ("PUT", "/users/3"),
        ("DELETE", "/users/3"),
        ("POST", "/users/3/block"),
        ("POST", "/users/3/unblock"),
        ("POST", "/users/3/deactivate"),
        ("POST", "/users/3/activate"),
        ("POST", "/users/3/ban"),
        ("POST", "/users/3/unban"),
        ("POST", "/users/3/approve"),
        ("GET", "/users/3/emails"),
        ("DELETE", "/users/3/emails/1"),
        ("DELETE", "/users/3/identities/saml"),
        ("GET", "/users/3/memberships"),
        ("GET", "/users?extern_uid=ben-saml&provider=saml"),
    ];
    let ((), changed) = world.watching(|world| {
        for (method, path) in every {
            let path = format!("/api/v4{path}");
            let as_anna = world.ask("gitlab", method, &path, &[AS_ANNA], &Value::Null);
            assert_eq!((as_anna.status, as_anna.json()), (403, message("403 Forbidden")), "{method} {path}");
            let as_nobody = world.ask("gitlab", method, &path, &[NOBODY], &Value::Null);
            assert_eq!((as_nobody.status, as_nobody.json()), (401, message("401 Unauthorized")), "{method} {path}");
        }
    });
    assert_eq!(changed, json!({}));
}

#[test]
fn with_admin_mode_on_the_token_needs_its_scope() {
    let world = lab();
    world.lab("gitlab", "POST", "settings", &json!({"admin_mode": true}));
    let dora = ("PRIVATE-TOKEN", "dora-token");
    let refused = world.ask("gitlab", "PUT", "/api/v4/users/2", &[dora], &json!({"bio": "x"}));
    expect(&refused, 403, &message("403 Forbidden"));
    assert_eq!(world.put("/users/2", &json!({"bio": "x"})).status, 200);
}

#[test]
fn sudo_acts_for_another_or_says_why_not() {
    let world = lab_with(|seed| {
        seed["tokens"]
            .as_array_mut()
            .unwrap()
            .push(json!({"user": "root", "token": "job", "kind": "job", "scopes": ["api", "sudo"]}));
    });
    let root = ("PRIVATE-TOKEN", "glpat-lab-root-personal");
    let sudo = |who: &str, header: (&str, &str)| {
        world.ask("gitlab", "GET", "/api/v4/user", &[header, ("Sudo", who)], &Value::Null)
    };
    assert_eq!(sudo("anna", root).json()["username"], "anna");
    assert_eq!(sudo("3", root).json()["username"], "Ben");
    assert_eq!(world.get("/user?sudo=anna").json()["username"], "anna");
    expect(&sudo("ben", AS_ANNA), 403, &message("403 Forbidden - Must be admin to use sudo"));
    let kind = "403 Forbidden - Must be authenticated using an OAuth or personal access token to use sudo";
    expect(&sudo("anna", ("PRIVATE-TOKEN", "job")), 403, &message(kind));
    expect(&sudo("nobody", root), 404, &message("404 User with ID or username 'nobody' Not Found"));
    let small = sudo("anna", ("PRIVATE-TOKEN", "dora-token"));
    assert_eq!((small.status, small.json()["scope"].clone()), (403, json!("sudo")));
}

#[test]
fn texts_come_in_the_language_of_the_tokens_owner() {
    let world = lab();
    let dora = [("PRIVATE-TOKEN", "dora-token")];
    let english = world.put("/users/2", &json!({"username": "-a"}));
    let german = world.ask("gitlab", "PUT", "/api/v4/users/2", &dora, &json!({"username": "-a"}));
    assert_eq!((english.status, german.status), (400, 400));
    assert_eq!(keys(&english.json()["message"]), keys(&german.json()["message"]));
    assert_ne!(english.json(), german.json());
    assert!(german.text.contains("Buchstaben"), "{}", german.text);
}

// 1.2

#[test]
fn each_error_shape_occurs() {
    let world = lab();
    expect(&world.get("/users/99"), 404, &message("404 User Not Found"));
    expect(&world.get("/nothing"), 404, &json!({"error": "404 Not Found"}));
    expect(&world.get("/users/anna"), 404, &json!({"error": "404 Not Found"}));
    expect(&world.delete("/users"), 405, &message("405 Method Not Allowed"));
    expect(&world.put("/users/2", &json!({"admin": "perhaps"})), 400, &json!({"error": "admin is invalid"}));
    expect(&world.post("/users/2/emails", &json!({})), 400, &json!({"error": "email is missing"}));
    let several = world.put("/users/2", &json!({"username": "a b", "name": "", "public_email": "who@example.com"}));
    let format =
        "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.', '.git' or '.atom'.";
    expect(
        &several,
        400,
        &json!({"message": {
            "username": [format],
            "name": ["can't be blank"],
            "public_email": ["must be an email you have verified"],
        }}),
    );
}

// 1.3

fn crowd(count: u64) -> World {
    let users: Vec<Value> = (0..count).map(|n| json!({"username": format!("u{n:03}")})).collect();
    World::with_lab_of("gitlab", &json!({"users": users}))
}

#[test]
fn offset_paging_tells_where_it_is() {
    let world = crowd(4);
    let base = format!("{}/api/v4/users", world.url("gitlab"));
    let link = |page: u64, rel: &str| format!("<{base}?page={page}&per_page=2>; rel=\"{rel}\"");
    for (page, rows, next, previous, links) in [
        (1, vec!["u003", "u002"], "2", "", vec![link(2, "next"), link(1, "first"), link(3, "last")]),
        (2, vec!["u001", "u000"], "3", "1", vec![link(1, "prev"), link(3, "next"), link(1, "first"), link(3, "last")]),
        (3, vec!["root"], "", "2", vec![link(2, "prev"), link(1, "first"), link(3, "last")]),
        (4, vec![], "", "", vec![link(1, "first"), link(3, "last")]),
    ] {
        let answer = world.get(&format!("/users?per_page=2&page={page}"));
        assert_eq!(names(&answer), rows);
        let header = |name: &str| answer.headers[name].clone();
        assert_eq!(header("x-page"), page.to_string());
        assert_eq!(header("x-per-page"), "2");
        assert_eq!(header("x-next-page"), next);
        assert_eq!(header("x-prev-page"), previous);
        assert_eq!(header("x-total"), "5");
        assert_eq!(header("x-total-pages"), "3");
        assert_eq!(header("link"), links.join(", "));
    }
}

#[test]
fn a_page_holds_20_and_never_more_than_100() {
    let world = crowd(120);
    assert_eq!(names(&world.get("/users")).len(), 20);
    let most = world.get("/users?per_page=500");
    assert_eq!((names(&most).len(), most.headers["x-per-page"].as_str()), (100, "100"));
    expect(&world.get("/users?page=x"), 400, &json!({"error": "page is invalid"}));
}

#[test]
fn totals_are_left_out_above_10000_and_deep_offsets_are_refused() {
    let mut world = World::new().file(
        "homeward.toml",
        "[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://g.example.com\"\ntoken = { env = \"T\" }\n",
    );
    world.start_lab(&["--people", "10001"]);
    let answer = world.get("/users?per_page=100");
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("x-total") && !answer.headers.contains_key("x-total-pages"));
    assert_eq!(answer.headers["x-next-page"], "2");
    assert!(!answer.headers["link"].contains("last"));
    let deep = world.get("/users?per_page=100&page=501");
    assert_eq!(deep.status, 405);
    assert_eq!(world.get("/users/2").json()["username"], "person000001");
}

#[test]
fn links_are_made_with_the_configured_host() {
    let world = crowd(1);
    world.lab("gitlab", "POST", "settings", &json!({"external_url": "https://git.example.com/"}));
    let answer = world.get("/users?per_page=1");
    assert!(answer.headers["link"].starts_with("<https://git.example.com/api/v4/users?page=2"), "{:?}", answer.headers);
    assert_eq!(answer.json()[0]["web_url"], "https://git.example.com/u000");
}

#[test]
fn a_keyset_scan_follows_its_links_to_the_end() {
    let world = crowd(6);
    for (query, expected) in [
        ("order_by=id&sort=asc", ["root", "u000", "u001", "u002", "u003", "u004", "u005"]),
        ("order_by=id&sort=desc", ["u005", "u004", "u003", "u002", "u001", "u000", "root"]),
        ("order_by=username&sort=asc", ["root", "u000", "u001", "u002", "u003", "u004", "u005"]),
    ] {
        let mut path = format!("/users?pagination=keyset&{query}&per_page=3");
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let answer = world.get(&path);
            seen.extend(names(&answer));
            pages += 1;
            assert!(!answer.headers.contains_key("x-total"));
            let Some(link) = answer.headers.get("link") else { break };
            let url = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
            path = url.strip_prefix(&format!("{}/api/v4", world.url("gitlab"))).unwrap().to_owned();
        }
        assert_eq!((seen, pages), (expected.map(str::to_owned).to_vec(), 3), "{query}");
    }
}

#[test]
fn order_is_for_administrators_and_a_search_puts_exact_matches_first() {
    let world = lab_with(|seed| {
        let users = seed["users"].as_array_mut().unwrap();
        users.push(json!({"username": "annabel", "name": "A"}));
        users.push(json!({"username": "joanna", "name": "Jo"}));
    });
    assert_eq!(names(&world.get("/users?order_by=username&sort=asc"))[0], "Ben");
    assert_eq!(names(&world.get("/users?order_by=created_at&sort=asc"))[0], "root");
    assert_eq!(names(&world.get_as(AS_ANNA, "/users?order_by=id&sort=asc"))[0], "joanna");
    assert_eq!(names(&world.get("/users?search=anna")), ["anna", "annabel", "joanna"]);
    assert_eq!(names(&world.get("/users?search=anna&order_by=id&sort=desc")), ["joanna", "annabel", "anna"]);
}

// 1.4

#[test]
fn the_throttle_is_off_until_set_and_then_answers_in_plain_text() {
    let world = lab();
    let day = 86_400;
    world.lab("gitlab", "POST", "settings", &json!({"rate_limit": {"requests": 2, "period_seconds": day}}));
    assert_eq!(world.get("/user").status, 200);
    assert_eq!(world.get("/user").status, 200);
    let (refused, changed) = world.watching(|world| world.put("/users/2", &json!({"bio": "x"})));
    assert_eq!((refused.status, refused.text.as_str(), &changed), (429, "Retry later", &json!({})));
    let header = |name: &str| refused.headers[name].clone();
    assert_eq!(header("content-type"), "text/plain");
    assert_eq!(header("ratelimit-name"), "throttle_authenticated_api");
    assert_eq!(header("ratelimit-limit"), "1");
    assert_eq!(header("ratelimit-observed"), "3");
    assert_eq!(header("ratelimit-remaining"), "0");
    let reset: i64 = header("ratelimit-reset").parse().unwrap();
    assert_eq!(reset % day, 0);
    assert!(header("ratelimit-resettime").ends_with("00:00:00 GMT"), "{}", header("ratelimit-resettime"));
    let wait: i64 = header("retry-after").parse().unwrap();
    assert!((1..=day).contains(&wait));
    assert_eq!(world.get_as(AS_ANNA, "/user").status, 200, "each user has a window of her own");
    world.lab("gitlab", "POST", "settings", &json!({"rate_limit": null}));
    assert_eq!(world.get("/user").status, 200);
}

#[test]
fn reading_single_users_is_limited_for_others_than_administrators() {
    let world = lab();
    world.lab("gitlab", "POST", "settings", &json!({"users_get_by_id_limit": 1}));
    let answers: Vec<Answer> = (0..3).map(|_| world.get_as(AS_ANNA, "/users/3")).collect();
    // Three at most, because the window may turn over between two of them.
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    let text = "This endpoint has been requested too many times. Try again later.";
    assert_eq!(refused.json(), json!({"message": {"error": text}}));
    assert!((0..3).all(|_| world.get("/users/3").status == 200));
}

// 1.5, 1.6

#[test]
fn a_delete_knows_a_precondition_and_a_change_does_not() {
    let world = lab();
    world.put("/users/3", &json!({"bio": "new"}));
    let since = ("If-Unmodified-Since", "Fri, 20 Nov 2026 08:00:00 GMT");
    let refused = world.ask("gitlab", "DELETE", "/api/v4/users/3", &[since], &Value::Null);
    expect(&refused, 412, &message("412 Precondition Failed"));
    let written = world.ask("gitlab", "PUT", "/api/v4/users/3", &[since], &json!({"bio": "newer"}));
    assert_eq!(written.status, 200);
    assert!(written.json().get("updated_at").is_none());
    let later = ("If-Unmodified-Since", "Fri, 20 Nov 2026 09:00:00 GMT");
    assert_eq!(world.ask("gitlab", "DELETE", "/api/v4/users/3", &[later], &Value::Null).status, 204);
}

#[test]
fn the_version_is_told_to_those_with_a_token() {
    let world = lab();
    for path in ["/version", "/metadata"] {
        let answer = world.get(path);
        assert_eq!((answer.status, &answer.json()["version"]), (200, &json!("17.11.1")));
        assert_eq!(world.get_as(NOBODY, path).status, 401);
    }
}

// 2.1

#[test]
fn users_are_found_by_every_filter() {
    let world = lab_with(|seed| {
        seed["users"].as_array_mut().unwrap().extend([
            json!({"username": "out", "external": true, "public_email": "out@example.com"}),
            json!({"username": "shut", "state": "blocked"}),
            json!({"username": "banned", "state": "banned"}),
            json!({"username": "robot", "bot": true}),
            json!({"username": "ghost", "internal": true}),
            json!({"username": "safe", "two_factor_enabled": true, "created_at": "2026-12-01T00:00:00.000Z"}),
        ]);
    });
    for (query, expected) in [
        ("username=ANNA", vec!["anna"]),
        ("username=nobody", vec![]),
        ("username=staff", vec![]),
        ("search=Cole", vec!["Ben"]),
        ("search=ben@example.com", vec!["Ben"]),
        ("search=anna.old@example.com", vec!["anna"]),
        ("search=example.com", vec![]),
        ("search=an", vec![]),
        ("extern_uid=ben-saml&provider=saml", vec!["Ben"]),
        ("extern_uid=ben-saml&provider=ldapmain", vec![]),
        ("external=true", vec!["out"]),
        ("blocked=true", vec!["shut"]),
        ("admins=true", vec!["dora", "root"]),
        ("two_factor=enabled", vec!["safe"]),
        ("created_after=2026-11-30", vec!["safe"]),
        (
            "humans=true&created_before=2026-11-30&active=true&exclude_external=true",
            vec!["dora", "Ben", "anna", "root"],
        ),
        ("exclude_internal=true&without_project_bots=true&exclude_active=true", vec!["banned", "shut"]),
        ("exclude_humans=true", vec!["ghost", "robot"]),
    ] {
        assert_eq!(names(&world.get(&format!("/users?{query}"))), expected, "{query}");
    }
    let half = world.get("/users?provider=saml");
    expect(&half, 400, &json!({"error": "extern_uid, provider provide all or none of parameters"}));
}

#[test]
fn others_see_no_blocked_users_and_find_no_private_addresses() {
    let world = lab_with(|seed| {
        let users = seed["users"].as_array_mut().unwrap();
        users.push(json!({"username": "shut", "state": "blocked"}));
        users.push(
            json!({"username": "out", "emails": [{"email": "shown@example.com"}], "public_email": "shown@example.com"}),
        );
    });
    for (query, expected) in [
        ("username=shut", vec![]),
        ("blocked=true", vec![]),
        ("search=ben@example.com", vec![]),
        ("search=shown@example.com", vec!["out"]),
        ("two_factor=enabled", vec!["out", "dora", "Ben", "anna", "root"]),
    ] {
        assert_eq!(names(&world.get_as(AS_ANNA, &format!("/users?{query}"))), expected, "{query}");
    }
    assert_eq!(names(&world.get_as(NOBODY, "/users?username=ben")), ["Ben"]);
    let list = "403 Forbidden - Not authorized to access /api/v4/users";
    expect(&world.get_as(NOBODY, "/users"), 403, &message(list));
    expect(&world.get_as(NOBODY, "/users/2"), 403, &message("403 Forbidden - Not authorized!"));
}

#[test]
fn memberships_and_status_are_read_beside_the_user() {
    let world = lab();
    let staff = json!([{"source_id": 1, "source_name": "Staff", "source_type": "Namespace", "access_level": 50}]);
    expect(&world.get("/users/2/memberships"), 200, &staff);
    expect(&world.get("/users/2/memberships?type=Namespace"), 200, &staff);
    expect(&world.get("/users/2/memberships?type=Project"), 200, &json!([]));
    expect(&world.get("/users/2/memberships?type=x"), 400, &json!({"error": "type does not have a valid value"}));
    for who in ["2", "anna"] {
        assert_eq!(world.get(&format!("/users/{who}/status")).status, 200);
    }
    expect(&world.get("/users/none/status"), 404, &message("404 User Not Found"));
}

// 2.2

#[test]
fn each_reader_sees_the_entity_meant_for_her() {
    let basic = ["id", "username", "name", "state", "avatar_url", "web_url", "locked", "public_email"];
    let user = [
        "created_at",
        "bio",
        "location",
        "linkedin",
        "twitter",
        "discord",
        "skype",
        "website_url",
        "organization",
        "job_title",
        "pronouns",
        "bot",
        "work_information",
        "followers",
        "following",
        "local_time",
    ];
    let public = [
        "last_sign_in_at",
        "confirmed_at",
        "last_activity_on",
        "email",
        "theme_id",
        "color_scheme_id",
        "projects_limit",
        "current_sign_in_at",
        "identities",
        "can_create_group",
        "can_create_project",
        "two_factor_enabled",
        "external",
        "private_profile",
        "commit_email",
        "preferred_language",
    ];
    let admin = ["is_admin", "note", "namespace_id", "created_by", "email_reset_offered_at"];
    let details = ["highest_role", "current_sign_in_ip", "last_sign_in_ip", "sign_in_count"];
    let sum = |parts: &[&[&'static str]]| parts.concat().into_iter().collect::<BTreeSet<_>>();
    let with_admin = sum(&[&basic, &user, &public, &admin]);
    let world = lab();
    assert_eq!(keys(&world.get("/users").json()[0]), with_admin);
    assert_eq!(keys(&world.get_as(AS_ANNA, "/users").json()[0]), sum(&[&basic]));
    assert_eq!(keys(&world.get("/users/2").json()), sum(&[&basic, &user, &public, &admin, &details]));
    assert_eq!(keys(&world.get_as(AS_ANNA, "/users/3").json()), sum(&[&basic, &user]));
    assert_eq!(keys(&world.get("/user").json()), with_admin);
    assert_eq!(keys(&world.get_as(AS_ANNA, "/user").json()), sum(&[&basic, &user, &public]));
    assert_eq!(keys(&world.put("/users/2", &json!({})).json()), with_admin);
    world.lab("gitlab", "POST", "settings", &json!({"version": "18.2.0"}));
    let newer = world.get("/users/2").json();
    assert!(newer.get("skype").is_none() && newer.get("github").is_some());
}

#[test]
fn a_pending_address_is_shown_nowhere() {
    let world = lab();
    world.put("/users/2", &json!({"email": "pending@example.com"}));
    for path in ["/users/2", "/users?username=anna", "/users/2/emails", "/users?search=pending@example.com"] {
        assert!(!world.get(path).text.contains("pending"), "{path}");
    }
    assert_eq!(world.state("gitlab")["users"]["2"]["unconfirmed_email"], "pending@example.com");
}

// 3.1

#[test]
fn a_change_writes_what_is_declared_and_drops_the_rest_without_a_word() {
    let world = lab();
    let wanted = json!({
        "name": "Anna B", "organization": "Org", "location": "Bonn", "bio": "Bio", "pronouns": "she", "note": "seen",
        "website_url": "https://a.example.com", "linkedin": "l", "twitter": "t", "discord": "1", "skype": "s",
        "private_profile": true, "can_create_group": false, "projects_limit": 5, "theme_id": 2, "color_scheme_id": 4,
        "view_diffs_file_by_file": true, "admin": true,
        "job_title": "Boss", "preferred_language": "fr", "timezone": "UTC", "state": "blocked", "first_name": "A",
        "last_name": "B", "unheard_of": 1, "id": 77, "github": "dropped before 18",
    });
    let (answer, changed) = world.watching(|world| world.put("/users/2", &wanted));
    assert_eq!(answer.status, 200);
    let dropped = [
        "job_title",
        "preferred_language",
        "timezone",
        "state",
        "first_name",
        "last_name",
        "unheard_of",
        "id",
        "github",
    ];
    let mut written = wanted.as_object().unwrap().clone();
    written.retain(|name, _| !dropped.contains(&name.as_str()));
    assert_eq!(changed, json!({"2": written}));
    let ((), changed) = world.watching(|world| {
        let answer =
            world.put("/users/2", &json!({"job_title": "Boss", "state": "blocked", "preferred_language": "fr"}));
        assert_eq!((answer.status, answer.json()["job_title"].clone()), (200, json!("")));
    });
    assert_eq!(changed, json!({}));
    let (_, changed) = world
        .watching(|world| world.put("/users/2", &json!({"bio": null, "location": "", "note": null, "pronouns": ""})));
    assert_eq!(changed, json!({"2": {"bio": "", "location": "", "note": null, "pronouns": null}}));
}

#[test]
fn a_change_may_come_as_a_form() {
    let world = lab();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let body = json!("name=Anna+C&admin=true&projects_limit=7");
    let (answer, changed) = world.watching(|world| world.ask("gitlab", "PUT", "/api/v4/users/2", &[form], &body));
    assert_eq!(answer.status, 200);
    assert_eq!(changed, json!({"2": {"name": "Anna C", "admin": true, "projects_limit": 7}}));
    let parts = ("Content-Type", "multipart/form-data; boundary=xx");
    let body = json!("--xx\r\nContent-Disposition: form-data; name=\"bio\"\r\n\r\nlong\r\n--xx--\r\n");
    let (_, changed) = world.watching(|world| world.ask("gitlab", "PUT", "/api/v4/users/2", &[parts], &body));
    assert_eq!(changed, json!({"2": {"bio": "long"}}));
    let broken = world.ask("gitlab", "PUT", "/api/v4/users/2", &[("Content-Type", "application/json")], &json!("{"));
    assert_eq!(broken.status, 400);
    let xml = world.ask("gitlab", "PUT", "/api/v4/users/2", &[("Content-Type", "text/xml")], &json!("<a/>"));
    assert_eq!(xml.status, 415);
}

#[test]
fn an_identity_is_linked_moved_left_alone_or_removed() {
    let world = lab();
    let link = |world: &World, provider: &str, uid: &str| {
        world.put("/users/2", &json!({"provider": provider, "extern_uid": uid}))
    };
    let ldap = |uid: &str| json!({"provider": "ldapmain", "extern_uid": uid});
    let saml = json!({"provider": "saml", "extern_uid": "anna-saml"});
    let (answer, changed) = world.watching(|world| link(world, "saml", "anna-saml"));
    assert_eq!((answer.status, changed), (200, json!({"2": {"identities": [ldap("uid=anna"), saml]}})));
    let (_, changed) = world.watching(|world| link(world, "ldapmain", "uid=berg"));
    assert_eq!(changed, json!({"2": {"identities": [ldap("uid=berg"), saml]}}));
    let (answer, changed) = world.watching(|world| link(world, "saml", "ben-saml"));
    assert_eq!((answer.status, changed), (200, json!({})), "somebody else's uid: success without a link");
    let half = world.put("/users/2", &json!({"provider": "saml"}));
    expect(&half, 400, &json!({"error": "extern_uid, provider provide all or none of parameters"}));
    let (answer, changed) = world.watching(|world| world.delete("/users/2/identities/saml"));
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(changed, json!({"2": {"identities": [ldap("uid=berg")]}}));
    expect(&world.delete("/users/2/identities/saml"), 404, &message("404 Identity Not Found"));
    expect(&world.delete("/users/99/identities/saml"), 404, &message("404 User Not Found"));
}

// 3.2

#[test]
fn conflicts_are_told_before_anything_else_is_looked_at() {
    let world = lab();
    let ((), changed) = world.watching(|world| {
        let username = message("Username has already been taken");
        expect(&world.put("/users/2", &json!({"username": "BEN", "name": ""})), 409, &username);
        let email = message("Email has already been taken");
        expect(&world.put("/users/2", &json!({"email": "BEN@example.com", "username": "ben"})), 409, &email);
        expect(&world.put("/users/3", &json!({"email": "anna.old@example.com"})), 409, &email);
        expect(&world.put("/users/3", &json!({"email": "anna.open@example.com"})), 409, &email);
        expect(&world.put("/users/99", &json!({"username": "ben"})), 404, &message("404 User Not Found"));
    });
    assert_eq!(changed, json!({}));
}

#[test]
fn each_rule_of_validation_has_its_answer() {
    let format =
        "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or end in '.', '.git' or '.atom'.";
    let file = "ending with a reserved file extension is not allowed.";
    let long = "x".repeat(256);
    let world = lab();
    world.lab(
        "gitlab",
        "POST",
        "settings",
        &json!({"domain_denylist": ["*.evil.example"], "pages_domains": ["my-site"]}),
    );
    let ((), changed) = world.watching(|world| {
        for (wanted, faults) in [
            (
                json!({"username": "staff"}),
                json!({"base": ["A user, alias, or group already exists with that username."]}),
            ),
            (
                json!({"username": "STAFF"}),
                json!({"base": ["A user, alias, or group already exists with that username."]}),
            ),
            (json!({"username": "-anna"}), json!({"username": [format]})),
            (json!({"username": "anna."}), json!({"username": [format]})),
            (json!({"username": "anna.git"}), json!({"username": [format]})),
            (json!({"username": "anna.atom"}), json!({"username": [format, file]})),
            (json!({"username": "änna"}), json!({"username": [format]})),
            (json!({"username": long}), json!({"username": ["is too long (maximum is 255 characters)"]})),
            (json!({"username": ""}), json!({"username": ["can't be blank"]})),
            (json!({"username": "admin"}), json!({"username": ["admin is a reserved name"]})),
            (json!({"username": "robots.txt"}), json!({"username": ["robots.txt is a reserved name", file]})),
            (json!({"username": "anna.png"}), json!({"username": [file]})),
            (json!({"username": "anna.json"}), json!({"username": [file]})),
            (json!({"username": "My-Site"}), json!({"username": ["has already been taken"]})),
            (json!({"name": ""}), json!({"name": ["can't be blank"]})),
            (json!({"name": long}), json!({"name": ["is too long (maximum is 255 characters)"]})),
            (json!({"email": "no address"}), json!({"email": ["is invalid"]})),
            (json!({"email": ""}), json!({"email": ["can't be blank"]})),
            (json!({"email": "a@mail.evil.example"}), json!({"email": ["is not from an allowed domain."]})),
            (
                json!({"public_email": "ben@example.com"}),
                json!({"public_email": ["must be an email you have verified"]}),
            ),
            (
                json!({"public_email": "anna.open@example.com"}),
                json!({"public_email": ["must be an email you have verified"]}),
            ),
            (
                json!({"commit_email": "new@example.com"}),
                json!({"commit_email": ["must be an email you have verified"]}),
            ),
            (json!({"password": "short1!"}), json!({"password": ["is too short (minimum is 8 characters)"]})),
            (
                json!({"password": "password1234"}),
                json!({"password": ["must not contain commonly used combinations of words and letters"]}),
            ),
            (json!({"projects_limit": null}), json!({"projects_limit": ["is not a number"]})),
        ] {
            let answer = world.put("/users/2", &wanted);
            assert_eq!((answer.status, answer.json()), (400, json!({"message": faults})), "{wanted}");
        }
    });
    assert_eq!(changed, json!({}));
    world.lab("gitlab", "POST", "settings", &json!({"domain_allowlist": ["example.com"]}));
    let outside = world.put("/users/2", &json!({"email": "anna@example.org", "skip_reconfirmation": true}));
    expect(&outside, 400, &json!({"message": {"email": ["domain is not authorized for sign-up."]}}));
}

#[test]
fn what_validation_allows_is_stored() {
    let world = lab();
    for (wanted, stored) in [
        (json!({"username": "Anna.B_c-1"}), json!({"username": "Anna.B_c-1"})),
        (json!({"username": "anna.b_c-1"}), json!({"username": "anna.b_c-1"})),
        (json!({"name": "A <b>x</b> < y"}), json!({"name": "A -x- - y"})),
        (json!({"public_email": "anna.old@example.com"}), json!({"public_email": "anna.old@example.com"})),
        (json!({"public_email": ""}), json!({"public_email": null})),
        (json!({"commit_email": "_private"}), json!({"commit_email": "_private"})),
        (json!({"password": "Tr0ub4dor&3-x"}), json!({"password_expired": true})),
        (json!({"external": true}), json!({"external": true, "can_create_group": false, "projects_limit": 0})),
        (json!({"external": false}), json!({"external": false, "can_create_group": true, "projects_limit": 100_000})),
        (
            json!({"external": true, "can_create_group": true}),
            json!({"external": true, "can_create_group": false, "projects_limit": 0}),
        ),
        (
            json!({"external": false, "projects_limit": 3}),
            json!({"external": false, "can_create_group": true, "projects_limit": 3}),
        ),
    ] {
        let (answer, changed) = world.watching(|world| world.put("/users/2", &wanted));
        assert_eq!((answer.status, changed), (200, json!({"2": stored})), "{wanted}");
    }
}

#[test]
fn container_images_forbid_a_rename_and_nothing_else() {
    let world = lab_with(|seed| seed["users"][0]["container_registry_tags"] = json!(true));
    let text = "cannot be changed if a personal project has container registry tags.";
    expect(&world.put("/users/2", &json!({"username": "anna2"})), 400, &json!({"message": {"username": [text]}}));
    assert_eq!(world.put("/users/2", &json!({"username": "anna", "bio": "x"})).status, 200);
}

#[test]
fn a_name_left_behind_redirects_until_somebody_takes_it_unless_the_lab_is_strict() {
    let world = lab();
    assert_eq!(world.put("/users/2", &json!({"username": "anna2"})).status, 200);
    world.lab("gitlab", "POST", "settings", &json!({"redirects_block": true}));
    let base = "A user, alias, or group already exists with that username.";
    expect(&world.put("/users/3", &json!({"username": "anna"})), 400, &json!({"message": {"base": [base]}}));
    world.lab("gitlab", "POST", "settings", &json!({"redirects_block": false}));
    assert_eq!(world.put("/users/3", &json!({"username": "anna"})).status, 200);
    assert_eq!(names(&world.get("/users?username=anna")), ["anna"]);
    assert_eq!(names(&world.get("/users?username=ben")), Vec::<String>::new());
}

// 3.3

#[test]
fn each_way_of_changing_the_address_does_what_it_says() {
    let world = lab();
    let (answer, changed) = world.watching(|world| world.put("/users/2", &json!({"email": "Plain@example.com"})));
    assert_eq!((answer.status, answer.json()["email"].clone()), (200, json!("anna@example.com")));
    assert_eq!(changed, json!({"2": {"unconfirmed_email": "plain@example.com"}}));

    let (answer, changed) = world.watching(|world| world.put("/users/2", &json!({"email": "ANNA@example.com"})));
    assert_eq!((answer.status, changed), (200, json!({})), "the same value");

    let (_, changed) = world.watching(|world| world.put("/users/2", &json!({"email": "other@example.com"})));
    assert_eq!(changed, json!({"2": {"unconfirmed_email": "other@example.com"}}), "a change forgets the older one");

    let (answer, changed) = world.watching(|world| world.put("/users/2", &json!({"skip_reconfirmation": true})));
    assert_eq!((answer.status, changed), (200, json!({})), "nothing without an address");

    let (answer, _) = world
        .watching(|world| world.put("/users/2", &json!({"email": "new@example.com", "skip_reconfirmation": true})));
    assert_eq!((answer.status, answer.json()["email"].clone()), (200, json!("new@example.com")));
    let anna = &world.state("gitlab")["users"]["2"];
    assert_eq!((&anna["email"], &anna["unconfirmed_email"]), (&json!("new@example.com"), &Value::Null));
    assert_eq!(held(&world), ["anna.old@example.com", "anna.open@example.com", "anna@example.com"]);
    let taken = message("Email has already been taken");
    expect(&world.put("/users/3", &json!({"email": "anna@example.com"})), 409, &taken);

    let answer = world.put("/users/2", &json!({"email": "anna.old@example.com"}));
    assert_eq!(answer.json()["email"], "anna.old@example.com", "a confirmed secondary address needs no mail");
    assert_eq!(held(&world), ["anna.open@example.com", "anna@example.com", "new@example.com"]);

    let answer = world.put("/users/2", &json!({"email": "anna.open@example.com"}));
    assert_eq!(answer.json()["email"], "anna.old@example.com", "an unconfirmed one does");
}

/// Anna's addresses beside the primary one, sorted.
fn held(world: &World) -> Vec<String> {
    let state = world.state("gitlab");
    let emails = state["users"]["2"]["emails"].as_array().unwrap().iter();
    let mut emails: Vec<String> = emails.map(|held| held["email"].as_str().unwrap().to_owned()).collect();
    emails.sort();
    emails
}

#[test]
fn an_address_left_behind_is_taken_until_it_is_deleted() {
    let world = lab();
    world.put("/users/2", &json!({"email": "new@example.com", "skip_reconfirmation": true}));
    let all = world.get("/users/2/emails").json();
    let old = all.as_array().unwrap().iter().find(|held| held["email"] == "anna@example.com").unwrap();
    assert_eq!(world.delete(&format!("/users/2/emails/{}", old["id"])).status, 204);
    let answer = world.put("/users/3", &json!({"email": "anna@example.com", "skip_reconfirmation": true}));
    assert_eq!((answer.status, answer.json()["email"].clone()), (200, json!("anna@example.com")));
}

#[test]
fn a_refused_change_has_already_linked_the_identity_and_forgotten_the_pending_address() {
    let world = lab();
    world.put("/users/2", &json!({"email": "pending@example.com"}));
    let body = json!({"email": "x@example.com", "username": "-", "provider": "saml", "extern_uid": "a"});
    let (answer, changed) = world.watching(|world| world.put("/users/2", &body));
    assert_eq!(answer.status, 400);
    let identities =
        json!([{"provider": "ldapmain", "extern_uid": "uid=anna"}, {"provider": "saml", "extern_uid": "a"}]);
    assert_eq!(changed, json!({"2": {"unconfirmed_email": null, "identities": identities}}));
}

// 3.4

#[test]
fn what_a_provider_syncs_is_dropped_without_a_word() {
    let world = lab();
    let synced = json!({"synced_attributes": {"provider": "ldapmain", "attributes": ["name", "email", "location"]}});
    world.lab("gitlab", "POST", "settings", &synced);
    let wanted = json!({
        "name": "New", "location": "Rome", "email": "n@example.com", "skip_reconfirmation": true, "username": "anna2",
    });
    let (answer, changed) = world.watching(|world| world.put("/users/2", &wanted));
    assert_eq!((answer.status, changed), (200, json!({"2": {"username": "anna2"}})));
    let (_, changed) = world.watching(|world| world.put("/users/3", &json!({"name": "New"})));
    assert_eq!(changed, json!({"3": {"name": "New"}}), "no identity there, no sync");
}

// 4

#[test]
fn every_state_answers_every_call_as_it_should() {
    let forbidden = |text: &str| (403, message(text));
    let yes = || (201, json!(true));
    let no_ldap = |verb: &str| forbidden(&format!("403 Forbidden - LDAP blocked users cannot be {verb} by the API"));
    let blocked = || forbidden("Error occurred. A blocked user cannot be deactivated");
    let unblock_first = || forbidden("Error occurred. A blocked user must be unblocked to be activated");
    let cannot = |what: &str| forbidden(&format!("You cannot {what} users."));
    let table = [
        ("block", "active", yes(), "blocked"),
        ("block", "deactivated", yes(), "blocked"),
        ("block", "blocked", (201, Value::Null), "blocked"),
        ("block", "banned", (201, Value::Null), "banned"),
        ("block", "blocked_pending_approval", (201, Value::Null), "blocked_pending_approval"),
        ("block", "ldap_blocked", no_ldap("modified"), "ldap_blocked"),
        ("unblock", "active", (201, json!(false)), "active"),
        ("unblock", "blocked", yes(), "active"),
        ("unblock", "banned", yes(), "active"),
        ("unblock", "blocked_pending_approval", yes(), "active"),
        ("unblock", "ldap_blocked", no_ldap("unblocked"), "ldap_blocked"),
        (
            "unblock",
            "deactivated",
            forbidden("403 Forbidden - Deactivated users cannot be unblocked by the API"),
            "deactivated",
        ),
        ("deactivate", "active", yes(), "deactivated"),
        ("deactivate", "deactivated", (201, Value::Null), "deactivated"),
        ("deactivate", "blocked", blocked(), "blocked"),
        ("deactivate", "banned", blocked(), "banned"),
        ("deactivate", "ldap_blocked", blocked(), "ldap_blocked"),
        ("activate", "active", yes(), "active"),
        ("activate", "deactivated", yes(), "active"),
        ("activate", "blocked", unblock_first(), "blocked"),
        ("activate", "banned", unblock_first(), "banned"),
        ("ban", "active", yes(), "banned"),
        ("ban", "blocked", cannot("ban blocked"), "blocked"),
        ("ban", "banned", cannot("ban banned"), "banned"),
        ("ban", "deactivated", cannot("ban deactivated"), "deactivated"),
        ("unban", "banned", yes(), "active"),
        ("unban", "active", cannot("unban active"), "active"),
        ("unban", "blocked", cannot("unban blocked"), "blocked"),
    ];
    let world = lab();
    for (call, before, (status, body), after) in table {
        world.lab("gitlab", "POST", "meddle/ben", &json!({"state": before}));
        let answer = world.post(&format!("/users/3/{call}"), &Value::Null);
        assert_eq!((answer.status, answer.json()), (status, body), "{call} when {before}");
        assert_eq!(world.state("gitlab")["users"]["3"]["state"], after, "{call} when {before}");
    }
    for call in ["block", "unblock", "deactivate", "activate", "ban", "unban", "approve", "reject"] {
        expect(&world.post(&format!("/users/99/{call}"), &Value::Null), 404, &message("404 User Not Found"));
    }
}

#[test]
fn oneself_and_internal_users_are_not_blocked_and_the_recently_active_not_deactivated() {
    let world = lab_with(|seed| {
        seed["users"].as_array_mut().unwrap().extend([
            json!({"username": "ghost", "internal": true}),
            json!({"username": "recent", "last_activity_on": "2026-08-23"}),
            json!({"username": "dormant", "last_activity_on": "2026-08-22"}),
        ]);
    });
    let ((), changed) = world.watching(|world| {
        for (path, text) in [
            ("/users/1/block", "403 Forbidden - The API initiating user cannot be blocked by the API"),
            ("/users/5/block", "An internal user cannot be blocked"),
            ("/users/5/deactivate", "Internal users cannot be deactivated"),
            (
                "/users/6/deactivate",
                "The user you are trying to deactivate has been active in the past 90 days and cannot be deactivated",
            ),
        ] {
            expect(&world.post(path, &Value::Null), 403, &message(text));
        }
    });
    assert_eq!(changed, json!({}));
    expect(&world.post("/users/7/deactivate", &Value::Null), 201, &json!(true));
}

#[test]
fn who_waits_for_approval_is_approved_or_rejected() {
    let world = lab_with(|seed| {
        let users = seed["users"].as_array_mut().unwrap();
        users.push(json!({"username": "waits", "state": "blocked_pending_approval"}));
        users.push(json!({"username": "unwanted", "state": "blocked_pending_approval"}));
    });
    let (answer, changed) = world.watching(|world| world.post("/users/5/approve", &Value::Null));
    assert_eq!((answer.status, answer.json()["status"].clone()), (201, json!("success")));
    assert_eq!(changed, json!({"5": {"state": "active"}}));
    assert_eq!(world.post("/users/5/approve", &Value::Null).status, 409);
    let (answer, changed) = world.watching(|world| world.post("/users/6/reject", &Value::Null));
    assert_eq!((answer.status, changed), (201, json!({"6": null})));
    assert_eq!(world.post("/users/5/reject", &Value::Null).status, 409);
}

#[test]
fn a_user_is_deleted_unless_a_group_would_lose_its_only_owner() {
    let world = lab();
    let sole = "User cannot be removed while is the sole-owner of a group";
    expect(&world.delete("/users/2"), 409, &message(sole));
    let (answer, changed) = world.watching(|world| world.delete("/users/3"));
    assert_eq!((answer.status, answer.text.as_str(), changed), (204, "", json!({"3": null})));
    expect(&world.get("/users/3"), 404, &message("404 User Not Found"));
    assert_eq!(world.delete("/users/2?hard_delete=true").status, 204);
    assert_eq!(world.state("gitlab")["groups"], json!({}));
}

#[test]
fn an_interactive_sign_in_wakes_the_deactivated_and_refuses_the_blocked() {
    let world = lab();
    world.post("/users/3/deactivate", &Value::Null);
    let (_, changed) = world.watching(|world| world.lab("gitlab", "POST", "login/ben", &Value::Null));
    assert_eq!(changed["3"]["state"], "active");
    assert_eq!((&changed["3"]["sign_in_count"], &changed["3"]["last_activity_on"]), (&json!(1), &json!("2026-11-20")));
    world.post("/users/3/block", &Value::Null);
    let refused = world.ask("gitlab", "POST", "/_lab/login/3", &[], &Value::Null);
    expect(&refused, 400, &json!({"error": "gitlab refuses the sign-in of `Ben`: blocked"}));
}

// 5

#[test]
fn a_user_is_created_with_what_was_declared() {
    let world = lab();
    let wanted = json!({
        "email": "New@example.com", "username": "newcomer", "name": "New <Comer>", "force_random_password": true,
        "skip_confirmation": true, "bio": "hello", "job_title": "dropped",
    });
    let (answer, changed) = world.watching(|world| world.post("/users", &wanted));
    assert_eq!(answer.status, 201);
    let told = answer.json();
    assert_eq!(
        (&told["id"], &told["created_by"]["username"], &told["state"]),
        (&json!(5), &json!("root"), &json!("active"))
    );
    let made = &changed["5"];
    assert_eq!(
        (&made["email"], &made["name"], &made["bio"]),
        (&json!("new@example.com"), &json!("New -"), &json!("hello"))
    );
    assert_eq!((&made["job_title"], made["confirmed_at"].is_string()), (&json!(""), true));
    let unproven = json!({"email": "u@example.com", "username": "unproven", "name": "U", "password": "Tr0ub4dor&3-x"});
    assert_eq!(world.post("/users", &unproven).json()["confirmed_at"], Value::Null);
}

#[test]
fn a_user_that_cannot_be_created_is_refused_in_order() {
    let world = lab();
    let missing = "email is missing, name is missing, username is missing, \
                   password, reset_password, force_random_password are missing, at least one parameter must be provided";
    let base = |username: &str, email: &str| json!({"username": username, "email": email, "name": "X", "reset_password": true});
    let ((), changed) = world.watching(|world| {
        expect(&world.post("/users", &json!({})), 400, &json!({"error": missing}));
        let email = message("Email has already been taken");
        expect(&world.post("/users", &base("ben", "anna.old@example.com")), 409, &email);
        let username = message("Username has already been taken");
        expect(&world.post("/users", &base("BEN", "x@example.com")), 409, &username);
        let group = json!({"message": {"base": ["A user, alias, or group already exists with that username."]}});
        expect(&world.post("/users", &base("staff", "x@example.com")), 400, &group);
        expect(&world.post("/users", &base("x", "nonsense")), 400, &json!({"message": {"email": ["is invalid"]}}));
    });
    assert_eq!(changed, json!({}));
}

// 6

#[test]
fn addresses_are_listed_added_and_deleted() {
    let world = lab();
    let answer = world.post("/users/3/emails", &json!({"email": "B2@example.com", "skip_confirmation": true}));
    let id = answer.json()["id"].clone();
    let at = "2026-11-20T08:00:01.000Z";
    let added = json!({"id": id, "email": "b2@example.com", "confirmed_at": at});
    expect(&answer, 201, &added);
    let open = world.post("/users/3/emails", &json!({"email": "b3@example.com"}));
    assert_eq!((open.status, open.json()["confirmed_at"].clone()), (201, Value::Null));
    expect(&world.get("/users/3/emails"), 200, &json!([added, open.json()]));
    let taken = json!({"message": {"email": ["has already been taken"]}});
    expect(&world.post("/users/3/emails", &json!({"email": "anna@example.com"})), 400, &taken);
    expect(&world.post("/users/3/emails", &json!({"email": "b2@example.com"})), 400, &taken);
    let path = format!("/users/3/emails/{id}");
    let since = ("If-Unmodified-Since", "Fri, 20 Nov 2026 08:00:00 GMT");
    let refused = world.ask("gitlab", "DELETE", &format!("/api/v4{path}"), &[since], &Value::Null);
    expect(&refused, 412, &message("412 Precondition Failed"));
    let gone = world.delete(&path);
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    expect(&world.delete(&path), 404, &message("404 Email Not Found"));
    expect(&world.get("/users/99/emails"), 404, &message("404 User Not Found"));
    world.lab("gitlab", "POST", "settings", &json!({"list_primary_email": true}));
    let newer = world.get("/users/3/emails").json();
    assert!(newer.as_array().unwrap().iter().any(|held| held["email"] == "ben@example.com"));
}

// 7

#[test]
fn members_are_read_added_changed_and_removed() {
    let world = lab_with(|seed| {
        let groups = seed["groups"].as_array_mut().unwrap();
        groups.push(json!({"path": "staff/berlin", "members": [{"username": "dora", "access_level": 10}]}));
    });
    let list = |path: &str| names(&world.get(path));
    assert_eq!(list("/groups/staff/members"), ["anna"]);
    assert_eq!(list("/groups/1/members"), ["anna"]);
    assert_eq!(list("/groups/staff%2Fberlin/members"), ["dora"]);
    assert_eq!(list("/groups/staff%2Fberlin/members/all"), ["anna", "dora"]);
    expect(&world.get("/groups/none/members"), 404, &message("404 Group Not Found"));
    expect(&world.get("/groups/2/members/2"), 404, &message("404 Not found"));
    assert_eq!(world.get("/groups/2/members/all/2").json()["access_level"], 50);

    let add = |body: Value| world.post("/groups/2/members", &body);
    let added = add(json!({"user_id": 3, "access_level": 30, "expires_at": "2027-01-31"}));
    assert_eq!((added.status, added.json()["access_level"].clone()), (201, json!(30)));
    assert_eq!((&added.json()["expires_at"], &added.json()["username"]), (&json!("2027-01-31"), &json!("Ben")));
    expect(&add(json!({"username": "ben", "access_level": 30})), 409, &message("Member already exists"));
    expect(&add(json!({"user_id": 99, "access_level": 30})), 404, &message("404 User Not Found"));
    let level = |text: &str| json!({"message": {"access_level": [text]}});
    expect(&add(json!({"user_id": 1, "access_level": 7})), 400, &level("is not included in the list"));
    let below = "should be greater than or equal to Owner inherited membership from group staff";
    expect(&add(json!({"user_id": 2, "access_level": 30})), 400, &level(below));
    expect(&add(json!({"user_id": 2})), 400, &json!({"error": "access_level is missing"}));

    let several = add(json!({"user_id": "1,3", "access_level": 20}));
    expect(&several, 201, &json!({"status": "error", "message": {"Ben": "Member already exists"}}));
    assert_eq!(list("/groups/2/members"), ["root", "Ben", "dora"]);
    let fine = world.post("/groups/1/members", &json!({"username": "ben,dora", "access_level": 20}));
    expect(&fine, 201, &json!({"status": "success"}));

    let changed = world.put("/groups/2/members/3", &json!({"access_level": 40, "expires_at": null}));
    assert_eq!((changed.status, changed.json()["access_level"].clone()), (200, json!(40)));
    assert_eq!(changed.json()["expires_at"], Value::Null);
    expect(&world.put("/groups/2/members/3", &json!({"access_level": 7})), 400, &level("is not included in the list"));
    expect(&world.put("/groups/2/members/99", &json!({"access_level": 10})), 404, &message("404 Not found"));

    expect(&world.delete("/groups/1/members/2"), 403, &message("403 Forbidden"));
    expect(&world.delete("/groups/1/members/99"), 404, &message("404 Not found"));
    assert_eq!(world.delete("/groups/1/members/4?skip_subresources=true").status, 204);
    assert_eq!(list("/groups/2/members"), ["root", "Ben", "dora"]);
    assert_eq!(world.delete("/groups/1/members/3").status, 204);
    assert_eq!(list("/groups/2/members"), ["root", "dora"]);
    assert_eq!(list("/groups/1/members"), ["anna"]);
}

#[test]
fn members_are_not_for_outsiders_and_their_removal_is_limited() {
    let world = lab_with(|seed| {
        let tokens = seed["tokens"].as_array_mut().unwrap();
        tokens.push(json!({"user": "ben", "token": "ben-token"}));
        let members = seed["groups"][0]["members"].as_array_mut().unwrap();
        members.push(json!({"username": "dora", "access_level": 10}));
    });
    let ben = ("PRIVATE-TOKEN", "ben-token");
    expect(&world.get_as(ben, "/groups/staff/members"), 404, &message("404 Group Not Found"));
    assert_eq!(names(&world.get_as(AS_ANNA, "/groups/staff/members")), ["anna", "dora"]);
    world.post("/groups/1/members", &json!({"user_id": 3, "access_level": 10}));
    let body = json!({"user_id": 1, "access_level": 10});
    let refused = world.ask("gitlab", "POST", "/api/v4/groups/1/members", &[ben], &body);
    expect(&refused, 403, &message("403 Forbidden"));
    world.lab("gitlab", "POST", "settings", &json!({"members_delete_limit": 0}));
    assert_eq!(world.delete("/groups/1/members/3").status, 429);
}

#[test]
fn a_group_is_found_by_number_and_by_full_path_in_any_case() {
    let world = lab_with(|seed| {
        let groups = seed["groups"].as_array_mut().unwrap();
        groups.push(json!({"path": "staff/berlin", "name": "Berlin"}));
    });
    let base = world.url("gitlab");
    let staff = json!({
        "id": 1, "name": "Staff", "path": "staff", "full_path": "staff", "full_name": "Staff", "visibility": "private",
        "parent_id": null, "web_url": format!("{base}/groups/staff"),
    });
    let berlin = json!({
        "id": 2, "name": "Berlin", "path": "berlin", "full_path": "staff/berlin", "full_name": "Staff / Berlin",
        "visibility": "private", "parent_id": 1, "web_url": format!("{base}/groups/staff/berlin"),
    });
    for (which, group) in [("1", &staff), ("staff", &staff), ("Staff", &staff), ("staff%2Fberlin", &berlin)] {
        expect(&world.get(&format!("/groups/{which}?with_projects=false")), 200, group);
    }
    expect(&world.get_as(AS_ANNA, "/groups/2"), 200, &berlin);
    for which in ["9", "none", "staff%2Fnone", "anna"] {
        expect(&world.get(&format!("/groups/{which}")), 404, &message("404 Group Not Found"));
    }
    let ben = ("PRIVATE-TOKEN", "ben-token");
    let world = lab_with(|seed| seed["tokens"] = json!([{"user": "ben", "token": "ben-token"}]));
    expect(&world.get_as(ben, "/groups/staff"), 404, &message("404 Group Not Found"));
    expect(&world.get_as(NOBODY, "/groups/staff"), 401, &message("401 Unauthorized"));
}

#[test]
fn a_list_of_members_can_be_about_some_people_only() {
    let world = lab_with(|seed| {
        let members = seed["groups"][0]["members"].as_array_mut().unwrap();
        members.extend([
            json!({"username": "ben", "access_level": 30, "expires_at": "2027-01-31"}),
            json!({"username": "dora", "access_level": 10}),
        ]);
    });
    for (query, expected) in [
        ("", vec!["anna", "Ben", "dora"]),
        ("user_ids[]=3&user_ids[]=4", vec!["Ben", "dora"]),
        ("user_ids%5B%5D=3", vec!["Ben"]),
        ("user_ids=2,4", vec!["anna", "dora"]),
        ("user_ids=2&user_ids=4", vec!["dora"]),
        ("user_ids=99", vec![]),
    ] {
        assert_eq!(names(&world.get(&format!("/groups/1/members?{query}"))), expected, "{query}");
    }
    let ben = world.get("/groups/1/members/3").json();
    assert_eq!((&ben["access_level"], &ben["expires_at"]), (&json!(30), &json!("2027-01-31")));
}

#[test]
fn each_level_is_taken_from_the_version_on_that_knows_it() {
    for (version, level, taken) in [
        ("16.11.0", 10, true),
        ("16.11.0", 15, false),
        ("17.6.5", 15, false),
        ("17.7.0", 15, true),
        ("18.0.0", 15, true),
        ("18.0.0", 20, true),
        ("18.0.0", 25, false),
        ("19.0.0", 25, true),
        ("18.0.0", 30, true),
        ("18.0.0", 40, true),
        ("18.0.0", 50, true),
        ("18.0.0", 0, false),
        ("18.0.0", 5, false),
        ("18.0.0", 60, false),
    ] {
        let world = lab_with(|seed| seed["settings"] = json!({"version": version}));
        let answer = world.post("/groups/1/members", &json!({"user_id": 3, "access_level": level}));
        if taken {
            assert_eq!(
                (answer.status, answer.json()["access_level"].clone()),
                (201, json!(level)),
                "{version} {level}"
            );
        } else {
            expect(&answer, 400, &json!({"message": {"access_level": ["is not included in the list"]}}));
        }
    }
}

#[test]
fn a_level_below_the_inherited_one_is_refused_and_the_same_is_not() {
    let world = lab_with(|seed| {
        seed["groups"] = json!([
            {"path": "top", "members": [{"username": "ben", "access_level": 30}, {"username": "dora", "access_level": 10}]},
            {"path": "top/mid", "members": [{"username": "ben", "access_level": 40}]},
            {"path": "top/mid/low", "members": [{"username": "ben", "access_level": 50}]},
        ]);
    });
    let level = |text: &str| json!({"message": {"access_level": [text]}});
    let set =
        |group: u64, level: u64| world.put(&format!("/groups/{group}/members/3"), &json!({"access_level": level}));
    let below = "should be greater than or equal to Maintainer inherited membership from group top/mid";
    // She is the only owner of the innermost group as long as there is no other.
    expect(&set(3, 30), 403, &message("403 Forbidden"));
    assert_eq!(world.post("/groups/3/members", &json!({"user_id": 1, "access_level": 50})).status, 201);
    expect(&set(3, 30), 400, &level(below));
    assert_eq!(set(3, 40).status, 200);
    let below = "should be greater than or equal to Developer inherited membership from group top";
    expect(&set(2, 20), 400, &level(below));
    assert_eq!(set(2, 30).status, 200);
    assert_eq!(set(1, 10).status, 200, "what is inherited is a matter for the groups around");
    assert_eq!(set(3, 30).status, 200);
    let none = world.post("/groups/3/members", &json!({"user_id": 4, "access_level": 10}));
    assert_eq!(none.status, 201, "the same as is inherited");
}

#[test]
fn a_group_keeps_an_owner_who_can_sign_in() {
    let world = lab_with(|seed| {
        seed["users"].as_array_mut().unwrap().extend([
            json!({"username": "asleep", "state": "blocked"}),
            json!({"username": "project_bot", "bot": true}),
        ]);
        seed["groups"] = json!([
            {"path": "top", "members": [
                {"username": "anna", "access_level": 50}, {"username": "asleep", "access_level": 50},
                {"username": "project_bot", "access_level": 50}, {"username": "ben", "access_level": 40},
            ]},
            {"path": "top/low", "members": [{"username": "ben", "access_level": 50}, {"username": "anna", "access_level": 50}]},
        ]);
    });
    let before = world.state("gitlab");
    let forbidden = message("403 Forbidden");
    expect(&world.delete("/groups/1/members/2"), 403, &forbidden);
    expect(&world.put("/groups/1/members/2", &json!({"access_level": 40})), 403, &forbidden);
    expect(&world.put("/groups/1/members/2", &json!({"access_level": 50})), 403, &forbidden);
    assert_eq!(world.state("gitlab"), before);
    // Somebody else in the group around it owns this one too.
    assert_eq!(world.delete("/groups/2/members/3").status, 204);
    // Her own ownership of the group around it does not count beside herself.
    expect(&world.delete("/groups/2/members/2"), 403, &forbidden);
    // The blocked owner and the bot can go: an owner remains.
    assert_eq!(world.delete("/groups/1/members/5").status, 204);
    assert_eq!(world.delete("/groups/1/members/6").status, 204);
    world.put("/groups/1/members/3", &json!({"access_level": 50}));
    assert_eq!(world.delete("/groups/1/members/2").status, 204);
    assert_eq!(names(&world.get("/groups/1/members")), ["Ben"]);
    assert_eq!(names(&world.get("/groups/2/members")), Vec::<String>::new());
}

#[test]
fn the_blocked_can_be_members_and_a_locked_group_takes_nobody() {
    let world = lab_with(|seed| {
        seed["users"][1]["state"] = json!("blocked");
        seed["groups"].as_array_mut().unwrap().push(json!({
            "path": "closed", "locked": true, "members": [{"username": "dora", "access_level": 10}],
        }));
    });
    let added = world.post("/groups/1/members", &json!({"user_id": 3, "access_level": 30}));
    let member = json!({
        "id": 3, "username": "Ben", "public_email": null, "name": "Ben Cole", "state": "blocked", "locked": false,
        "avatar_url": null, "web_url": format!("{}/Ben", world.url("gitlab")), "access_level": 30,
        "created_at": "2026-11-20T08:00:01.000Z", "created_by": added.json()["created_by"], "expires_at": null,
        "membership_state": "active",
    });
    assert_eq!(added.json()["created_by"]["username"], "root");
    expect(&added, 201, &member);
    expect(&world.get("/groups/1/members/3"), 200, &member);
    let add = |user: u64| world.post("/groups/2/members", &json!({"user_id": user, "access_level": 30}));
    expect(&add(3), 405, &message("405 Method Not Allowed"));
    expect(&add(4), 409, &message("Member already exists"));
    expect(&add(99), 404, &message("404 User Not Found"));
    assert_eq!(world.put("/groups/2/members/4", &json!({"access_level": 30})).status, 200);
    assert_eq!(world.delete("/groups/2/members/4").status, 204);
}

/// What is asked to be left alone may stand in the body as well as in the query.
#[test]
fn a_removal_reaches_the_groups_inside_unless_the_query_or_the_body_says_no() {
    for (query, body, stays) in [
        ("", Value::Null, false),
        ("", json!({"skip_subresources": false}), false),
        ("", json!({"skip_subresources": true}), true),
        ("?skip_subresources=true", Value::Null, true),
    ] {
        let world = lab_with(|seed| {
            seed["groups"] = json!([
                {"path": "top", "members": [{"username": "ben", "access_level": 30}]},
                {"path": "top/mid"},
                {"path": "top/mid/low", "members": [{"username": "ben", "access_level": 30}]},
                {"path": "topper", "members": [{"username": "ben", "access_level": 30}]},
            ]);
        });
        let path = format!("/api/v4/groups/1/members/3{query}");
        let answer = world.ask("gitlab", "DELETE", &path, &[], &body);
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        let state = world.state("gitlab");
        let is_in = |group: &str| state["groups"][group]["members"].get("3").is_some();
        assert_eq!((is_in("1"), is_in("3"), is_in("4")), (false, stays, true), "{query} {body}");
    }
    let world = lab();
    let odd = world.delete("/groups/1/members/2?skip_subresources=perhaps");
    expect(&odd, 400, &json!({"error": "skip_subresources is invalid"}));
}

// Keys and tokens, which are in none of the contract's sections

#[test]
fn keys_are_listed_shown_and_deleted() {
    let world = lab_with(|seed| {
        seed["users"][1]["keys"] = json!([
            {"title": "laptop"},
            {"id": 7, "title": "old", "key": "ssh-rsa AAAA", "expires_at": "2027-01-31T00:00:00Z"},
        ]);
        seed["users"][0]["keys"] = json!([{"title": "anna's"}]);
    });
    let key = |id: u64, title: &str, key: &str, expires: Value| {
        json!({
            "id": id, "title": title, "created_at": "2026-11-20T08:00:00.000Z", "expires_at": expires, "key": key,
            "usage_type": "auth_and_signing",
        })
    };
    let example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExample00";
    let old = key(7, "old", "ssh-rsa AAAA", json!("2027-01-31T00:00:00.000Z"));
    let laptop = key(2, "laptop", example, Value::Null);
    expect(&world.get("/users/3/keys"), 200, &json!([laptop, old]));
    expect(&world.get("/users/ben/keys"), 200, &json!([laptop, old]));
    expect(&world.get_as(AS_ANNA, "/users/3/keys/7"), 200, &old);
    expect(&world.get("/users/3/keys/1"), 404, &message("404 Key Not Found"));
    expect(&world.get("/users/99/keys"), 404, &message("404 User Not Found"));
    expect(&world.get("/users/3/keys/x"), 400, &json!({"error": "key_id is invalid"}));
    expect(&world.get_as(NOBODY, "/users/3/keys"), 401, &message("401 Unauthorized"));

    let ((), changed) = world.watching(|world| {
        let as_anna = world.ask("gitlab", "DELETE", "/api/v4/users/3/keys/7", &[AS_ANNA], &Value::Null);
        expect(&as_anna, 403, &message("403 Forbidden"));
        expect(&world.delete("/users/3/keys/1"), 404, &message("404 Key Not Found"));
        expect(&world.delete("/users/99/keys/1"), 404, &message("404 User Not Found"));
    });
    assert_eq!(changed, json!({}));
    let since = ("If-Unmodified-Since", "Fri, 20 Nov 2026 07:00:00 GMT");
    let later = world.ask("gitlab", "DELETE", "/api/v4/users/3/keys/7", &[since], &Value::Null);
    expect(&later, 412, &message("412 Precondition Failed"));
    let gone = world.delete("/users/3/keys/7");
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    expect(&world.delete("/users/3/keys/7"), 404, &message("404 Key Not Found"));
    expect(&world.get("/users/3/keys"), 200, &json!([laptop]));
}

#[test]
fn tokens_are_listed_shown_and_revoked_and_never_told() {
    let world = lab_with(|seed| {
        seed["tokens"] = json!([
            {"user": "anna", "token": "anna-token"},
            {"user": "ben", "token": "ben-token", "id": 40, "name": "deploys", "scopes": ["read_api"]},
            {"user": "ben", "kind": "oauth"},
            {"user": "ben", "expired": true, "name": "late"},
        ]);
    });
    let token = |id: u64, user: u64, name: &str, scopes: &[&str]| {
        json!({
            "id": id, "name": name, "revoked": false, "created_at": "2026-11-20T08:00:00.000Z", "scopes": scopes,
            "user_id": user, "last_used_at": null, "active": true, "expires_at": "2027-11-20",
        })
    };
    let deploys = token(40, 3, "deploys", &["read_api"]);
    let mut late = token(43, 3, "late", &["api"]);
    (late["active"], late["expires_at"]) = (json!(false), json!("2026-11-19"));
    let annas = token(41, 2, "personal 41", &["api"]);
    let roots = token(1, 1, "root's personal", &["api", "sudo", "admin_mode"]);
    let of = |query: &str| world.get(&format!("/personal_access_tokens?{query}"));
    expect(&of(""), 200, &json!([roots, deploys, annas, late]));
    expect(&of("user_id=3"), 200, &json!([deploys, late]));
    expect(&of("user_id=3&state=active"), 200, &json!([deploys]));
    expect(&of("user_id=3&revoked=true"), 200, &json!([]));
    expect(&world.get("/personal_access_tokens/self"), 200, &roots);
    expect(&world.get("/personal_access_tokens/40"), 200, &deploys);
    expect(&world.get("/personal_access_tokens/99"), 404, &message("404 Not found"));
    let bens = ("PRIVATE-TOKEN", "ben-token");
    expect(&world.get_as(bens, "/personal_access_tokens"), 200, &json!([deploys, late]));
    expect(&world.get_as(bens, "/personal_access_tokens/self"), 200, &deploys);
    for path in ["/personal_access_tokens/41", "/personal_access_tokens/99", "/personal_access_tokens?user_id=2"] {
        expect(&world.get_as(bens, path), 401, &message("401 Unauthorized"));
    }
    let oauth = world.get_as(("Authorization", "Bearer glpat-lab-root-oauth"), "/personal_access_tokens/self");
    let kind = "400 Bad request - This endpoint requires token type to be a personal access token";
    expect(&oauth, 400, &message(kind));

    let as_anna = world.ask("gitlab", "DELETE", "/api/v4/personal_access_tokens/40", &[AS_ANNA], &Value::Null);
    expect(&as_anna, 401, &message("401 Unauthorized"));
    expect(&world.delete("/personal_access_tokens/99"), 404, &message("404 Not found"));
    for _ in 0..2 {
        let gone = world.delete("/personal_access_tokens/40");
        assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    }
    let mut revoked = deploys.clone();
    (revoked["revoked"], revoked["active"]) = (json!(true), json!(false));
    expect(&world.get("/personal_access_tokens/40"), 200, &revoked);
    assert_eq!(world.get_as(bens, "/user").status, 401);
    let state = world.state("gitlab");
    let told = json!({
        "name": "deploys", "user": 3, "kind": "personal", "scopes": ["read_api"], "expired": false, "revoked": true,
    });
    assert_eq!(state["tokens"]["40"], told);
    assert!(!state.to_string().contains("ben-token"));
}

// The lab itself

#[test]
fn what_is_meddled_with_is_found_by_its_new_name_and_never_collides() {
    let world = lab();
    let (_, changed) = world.watching(|world| {
        world.lab("gitlab", "POST", "meddle/anna", &json!({"username": "anja", "email": "Anja@example.com"}))
    });
    assert_eq!(changed, json!({"2": {"username": "anja", "email": "anja@example.com"}}));
    assert_eq!(names(&world.get("/users?username=anja")), ["anja"]);
    assert_eq!(names(&world.get("/users?search=anja@example.com")), ["anja"]);
    for (fields, cause) in [
        (json!({"username": "ben"}), "gitlab user `2`: the name `ben` is taken"),
        (json!({"id": 9}), "gitlab user `2`: an id never changes"),
    ] {
        let answer = world.ask("gitlab", "POST", "/_lab/meddle/2", &[], &fields);
        expect(&answer, 400, &json!({"error": cause}));
    }
    let misspelt = world.ask("gitlab", "POST", "/_lab/meddle/2", &[], &json!({"usrname": "x"}));
    assert_eq!(misspelt.status, 400);
    assert!(misspelt.text.contains("unknown field `usrname`"), "{}", misspelt.text);
}

#[test]
fn the_same_calls_give_the_same_state() {
    let story = || {
        let world = lab();
        world.put("/users/2", &json!({"email": "n@example.com", "skip_reconfirmation": true}));
        world.post("/users", &json!({"email": "x@example.com", "username": "x", "name": "X", "reset_password": true}));
        world.post("/users/3/block", &Value::Null);
        world.state("gitlab")
    };
    let state = story();
    assert_eq!(state, story());
    let text = state.to_string();
    assert!(!text.contains("anna-token") && !text.contains("glpat"), "no token is shown");
}
