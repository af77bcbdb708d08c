//! On and off (7): one test for each row.

use serde_json::{Value, json};

use super::{
    common::Answer,
    forum::{Forum, crew, expect, forbidden, not_found},
};

fn set(forum: &Forum, id: u64, verb: &str, body: &Value) -> Answer {
    forum.put(&format!("/admin/users/{id}/{verb}.json"), body)
}

fn why() -> Value {
    json!({ "suspend_until": "2099-01-01", "reason": "left" })
}

#[test]
fn a_suspension_is_shown_signs_out_and_is_not_repeated() {
    let forum = Forum::new(&crew());
    let shown = set(&forum, 1, "suspend", &why()).json()["suspension"].clone();
    for (field, value) in
        [("suspend_reason", "left"), ("full_suspend_reason", "left"), ("suspended_till", "2099-01-01T00:00:00.000Z")]
    {
        assert_eq!(shown[field], value);
    }
    assert_eq!(shown["suspended_by"]["username"], "homeward");
    assert!(shown["suspended_at"].is_string());
    assert_eq!((&forum.user(1)["sign_outs"], &forum.state()["mails"]), (&json!(1), &json!([])));
    let again = json!({ "failed": "FAILED", "message": "User was already suspended by homeward 1 minute ago." });
    expect(&set(&forum, 1, "suspend", &why()), 409, &again);
}

#[test]
fn a_suspension_needs_a_day_and_a_reason_and_no_staff() {
    let forum = Forum::new(&crew());
    for (body, errors) in [
        (json!({}), json!(["Suspend until can't be blank", "Reason can't be blank"])),
        (json!({ "reason": "left" }), json!(["Suspend until can't be blank"])),
        (json!({ "suspend_until": "2099-01-01" }), json!(["Reason can't be blank"])),
        (
            json!({ "suspend_until": "2099-01-01", "reason": "x".repeat(301) }),
            json!(["Reason is too long (maximum is 300 characters)"]),
        ),
    ] {
        expect(&set(&forum, 1, "suspend", &body), 400, &json!({ "failed": "FAILED", "errors": errors }));
    }
    for id in [3, 4] {
        expect(&set(&forum, id, "suspend", &why()), 403, &forbidden());
    }
    expect(&set(&forum, 99, "suspend", &why()), 404, &not_found());
    let mut told = why();
    told["message"] = "you are out".into();
    set(&forum, 1, "suspend", &told);
    assert_eq!(forum.state()["mails"], json!([{ "about": "suspended", "to": "jane@example.com" }]));
}

#[test]
fn whoever_is_inactive_is_suspended_as_others_are_and_stays_inactive_afterwards() {
    let forum = Forum::new(&crew());
    set(&forum, 1, "deactivate", &Value::Null);
    assert_eq!(set(&forum, 1, "suspend", &why()).status, 200);
    set(&forum, 1, "unsuspend", &Value::Null);
    assert_eq!((&forum.user(1)["active"], &forum.user(1)["suspended_till"]), (&json!(false), &Value::Null));
}

#[test]
fn the_end_of_a_suspension_may_be_repeated() {
    let forum = Forum::new(&crew());
    set(&forum, 1, "suspend", &why());
    let ended = json!({ "suspension": { "suspended_till": null, "suspended_at": null } });
    for _ in 0..2 {
        expect(&set(&forum, 1, "unsuspend", &Value::Null), 200, &ended);
        assert_eq!(forum.user(1)["suspended_till"], Value::Null);
    }
}

#[test]
fn deactivated_users_are_activated_once() {
    let forum = Forum::new(&crew());
    let ok = json!({ "success": "OK" });
    for _ in 0..2 {
        expect(&set(&forum, 1, "deactivate", &Value::Null), 200, &ok);
        assert_eq!(forum.user(1)["active"], false);
    }
    expect(&set(&forum, 1, "activate", &Value::Null), 200, &ok);
    expect(&set(&forum, 1, "activate", &Value::Null), 403, &forbidden());
    expect(&set(&forum, 3, "deactivate", &Value::Null), 403, &forbidden());
    // Who waits for approval is deleted by it, and in no group any more.
    assert_eq!(forum.state()["groups"]["crew"]["members"], json!([2, 3]));
    forum.lab("POST", "meddle/max", &json!({ "approved": false }));
    expect(&set(&forum, 2, "deactivate", &Value::Null), 200, &ok);
    assert_eq!((forum.user(2), &forum.state()["groups"]["crew"]["members"]), (Value::Null, &json!([3])));
}

#[test]
fn anonymous_signed_out_and_deleted() {
    let forum = Forum::new(&crew());
    let anonymous = set(&forum, 1, "anonymize", &Value::Null);
    expect(&anonymous, 200, &json!({ "success": "OK", "username": "anon00000001" }));
    expect(&set(&forum, 1, "anonymize", &Value::Null), 403, &forbidden());
    expect(&set(&forum, 3, "anonymize", &Value::Null), 403, &forbidden());
    let out = forum.ask("POST", "/admin/users/2/log_out.json", &Value::Null);
    expect(&out, 200, &json!({ "success": "OK" }));
    assert_eq!(forum.user(2)["sign_outs"], 1);
    let delete = || forum.ask("DELETE", "/admin/users/2.json", &Value::Null);
    forum.lab("POST", "meddle/max", &json!({ "has_posts": true }));
    expect(&delete(), 403, &forbidden());
    forum.lab("POST", "meddle/max", &json!({ "has_posts": false }));
    expect(&delete(), 200, &json!({ "deleted": true }));
    assert_eq!(forum.user(2), Value::Null);
}
