//! How much may be asked, and what a forum that takes no writes says (2).

use serde_json::{Value, json};

use super::forum::{Forum, crew, errors, expect};

fn limited(settings: &Value) -> Forum {
    let mut seed = crew();
    seed["settings"] = settings.clone();
    Forum::new(&seed)
}

#[test]
fn one_bucket_serves_all_keys_and_a_refusal_does_not_count() {
    let forum = limited(&json!({ "max_admin_api_reqs_per_minute": 3 }));
    for key in ["janes", "narrow", "janes"] {
        assert_eq!(forum.ask_by(key, "GET", "/u/jane.json", &Value::Null).status, 200);
    }
    for _ in 0..3 {
        let answer = forum.get("/u/jane.json");
        assert_eq!(answer.status, 429);
        let wait: u64 = answer.headers["retry-after"].parse().unwrap();
        assert!((50..=60).contains(&wait), "{wait}");
        assert_eq!(answer.headers["discourse-rate-limit-error-code"], "admin_api_key_rate_limit");
        let left = if wait == 60 { "1 minute".to_owned() } else { format!("{wait} seconds") };
        let text = format!("You’ve performed this action too many times. Please wait {left} before trying again.");
        let extras = json!({ "wait_seconds": wait, "time_left": left });
        expect(&answer, 429, &json!({ "errors": [text], "error_type": "rate_limit", "extras": extras }));
    }
    // A bad key is refused before it is counted, and a minute later all is well.
    assert_eq!(forum.ask_by("nobodys", "GET", "/u/jane.json", &Value::Null).status, 403);
    forum.lab("POST", "rest", &Value::Null);
    assert_eq!(forum.get("/u/jane.json").status, 200);
}

#[test]
fn sixty_a_minute_are_usual() {
    let world = crate::common::World::with_lab_of("discourse", &json!({}));
    assert_eq!(world.state("discourse")["settings"]["max_admin_api_reqs_per_minute"], 60);
}

#[test]
fn an_address_that_asks_too_much_is_told_in_plain_text() {
    for (settings, code, most) in [
        (json!({ "max_reqs_per_ip_per_10_seconds": 2 }), "ip_10_secs_limit", 10),
        (json!({ "max_reqs_per_ip_per_minute": 2 }), "ip_60_secs_limit", 60),
    ] {
        let forum = limited(&settings);
        let nobody = || forum.ask_with("GET", "/u/jane.json", &[], &Value::Null);
        // Requests from this machine are exempt, unless it is to be treated as others are.
        assert_eq!((0..5).map(|_| nobody().status).collect::<Vec<_>>(), [200; 5]);
        forum.set(&json!({ "limit_this_machine": true }));
        // Calls that an administrator's key vouches for are given back.
        assert_eq!((0..5).map(|_| forum.get("/u/jane.json").status).collect::<Vec<_>>(), [200; 5]);
        // The key that a person gave an app vouches for nothing.
        let app = forum.ask_with("GET", "/session/current.json", &[("User-Api-Key", "app")], &Value::Null);
        assert_eq!([app.status, nobody().status], [200, 200]);
        let refused = nobody();
        let wait: u64 = refused.headers["retry-after"].parse().unwrap();
        assert!((1..=most).contains(&wait), "{wait}");
        let text = format!(
            "Slow down, too many requests from this IP address.\nPlease retry again in {wait} seconds.\nError code: {code}."
        );
        assert_eq!((refused.status, refused.text.as_str()), (429, text.as_str()));
        assert_eq!(refused.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(refused.headers["discourse-rate-limit-error-code"], code);
    }
}

#[test]
fn the_key_of_an_app_has_limits_of_its_own() {
    let forum = limited(&json!({ "max_user_api_reqs_per_minute": 2, "max_user_api_reqs_per_day": 4 }));
    let app = || forum.ask_with("GET", "/session/current.json", &[("User-Api-Key", "app")], &Value::Null);
    assert_eq!([app().status, app().status, app().status], [200, 200, 429]);
    assert_eq!(app().headers["discourse-rate-limit-error-code"], "user_api_key_limiter_60_secs");
    forum.set(&json!({ "max_user_api_reqs_per_minute": 0 }));
    assert_eq!([app().status, app().status], [200, 200]);
    assert_eq!(app().headers["discourse-rate-limit-error-code"], "user_api_key_limiter_1_day");
    assert_eq!(forum.ask_by("janes", "GET", "/session/current.json", &Value::Null).status, 200);
}

#[test]
fn a_forum_that_is_read_only_says_so_to_writes() {
    let forum = limited(&json!({ "read_only": true }));
    assert_eq!(forum.get("/u/jane.json").status, 200);
    let said = errors("read_only", "The site is in read only mode. Interactions are disabled.");
    expect(&forum.put("/u/jane.json", &json!({ "name": "x" })), 503, &said);
    assert_eq!(forum.user(1)["name"], "Jane");
}

#[test]
fn nothing_there_and_nothing_given_have_their_statuses() {
    let forum = Forum::new(&crew());
    expect(&forum.get("/nowhere.json"), 404, &super::forum::not_found());
    let missing = errors("", "param is missing or the value is empty: new_username");
    expect(&forum.put("/u/jane/preferences/username.json", &json!({})), 400, &missing);
    let bad = errors("invalid_parameters", "You supplied invalid parameters to the request: offset must be positive");
    expect(&forum.get("/groups/crew/members.json?offset=-1"), 400, &bad);
}
