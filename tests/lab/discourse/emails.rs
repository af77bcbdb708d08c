//! Addresses (5): asked for, confirmed, taken back.

use serde_json::{Value, json};

use super::{
    common::Answer,
    forum::{Forum, crew, errors, expect, forbidden, not_found},
};

const TAKEN: &str = "There was an error changing your email address. Perhaps the address is already in use?";

fn change(forum: &Forum, user: &str, email: &str) -> Answer {
    forum.put(&format!("/u/{user}/preferences/email.json"), &json!({ "email": email }))
}

fn confirm(forum: &Forum, user: &str) -> bool {
    forum.lab("POST", &format!("confirm/{user}"), &Value::Null)["changed"].as_bool().unwrap()
}

#[test]
fn an_address_waits_until_the_person_confirms_it() {
    let forum = Forum::new(&crew());
    let asked = change(&forum, "jane", "  New@Example.org ");
    assert_eq!((asked.status, asked.text.as_str()), (200, ""));
    assert_eq!(forum.user(1)["email"], "jane@example.com");
    assert_eq!(forum.get("/u/jane/emails.json").json()["unconfirmed_emails"], json!(["new@example.org"]));
    // The same once more: one more letter, and nothing else.
    assert_eq!(change(&forum, "jane", "new@example.org").status, 200);
    let letter = json!({ "about": "confirm_new", "to": "new@example.org" });
    assert_eq!(forum.state()["mails"], json!([letter, letter]));
    assert!(confirm(&forum, "jane"));
    assert_eq!((&forum.user(1)["email"], &forum.user(1)["pending"]), (&json!("new@example.org"), &json!([])));
}

#[test]
fn of_staff_and_where_it_is_required_the_old_address_agrees_first() {
    for (user, settings) in
        [("ada", json!({})), ("moe", json!({})), ("jane", json!({ "require_change_email_confirmation": true }))]
    {
        let forum = Forum::new(&crew());
        forum.set(&settings);
        assert_eq!(change(&forum, user, "new@example.org").status, 200);
        let old = json!({ "about": "confirm_old", "to": format!("{user}@example.com") });
        assert_eq!(forum.state()["mails"], json!([old]));
        assert!(!confirm(&forum, user));
        assert!(confirm(&forum, user));
        let new = json!({ "about": "confirm_new", "to": "new@example.org" });
        assert_eq!(forum.state()["mails"], json!([old, new]));
    }
}

#[test]
fn an_address_that_anybody_has_is_refused_or_passed_over() {
    let mut seed = crew();
    let staged = json!({ "username": "mailer", "staged": true, "active": false });
    seed["users"].as_array_mut().unwrap().push(staged);
    let forum = Forum::new(&seed);
    for email in ["MAX@example.com", "max.two@example.com", "jane@example.com"] {
        expect(&change(&forum, "jane", email), 422, &errors("", TAKEN));
        forum.lab("POST", "rest", &Value::Null);
    }
    let staged = "There was an error changing your email address. The address is already in use by a staged user.";
    expect(&change(&forum, "jane", "mailer@example.com"), 422, &errors("", staged));
    forum.set(&json!({ "hide_email_address_taken": true }));
    let hidden = change(&forum, "jane", "max@example.com");
    assert_eq!((hidden.status, hidden.text.as_str()), (200, ""));
    assert_eq!((&forum.state()["mails"], &forum.user(1)["pending"]), (&json!([]), &json!([])));
}

#[test]
fn what_is_no_address_or_of_a_blocked_domain_is_refused() {
    let mut seed = crew();
    seed["settings"]["blocked_email_domains"] = json!(["blocked.example"]);
    let forum = Forum::new(&seed);
    for email in ["nobody", "a@b", "a b@example.org"] {
        expect(&change(&forum, "ada", email), 422, &errors("", "Email is invalid."));
    }
    let blocked = "Email is not allowed from that email provider. Please use another email address.";
    expect(&change(&forum, "ada", "x@Blocked.example"), 422, &errors("", blocked));
    expect(&change(&forum, "ada", ""), 400, &errors("", "param is missing or the value is empty: email"));
    expect(&change(&forum, "nobody", "x@example.org"), 404, &not_found());
}

#[test]
fn locked_addresses_are_refused_to_staff_too() {
    for settings in [json!({ "auth_overrides_email": true }), json!({ "email_editable": false })] {
        let forum = Forum::new(&crew());
        forum.set(&settings);
        expect(&change(&forum, "jane", "x@example.org"), 403, &forbidden());
        let own = forum.ask_by("janes", "PUT", "/u/jane/preferences/email.json", &json!({ "email": "x@example.org" }));
        expect(&own, 403, &forbidden());
    }
}

#[test]
fn three_times_a_minute_is_enough_unless_it_is_staff() {
    let forum = Forum::new(&crew());
    for number in 0..3 {
        assert_eq!(change(&forum, "jane", &format!("n{number}@example.org")).status, 200);
    }
    let often = "You’ve performed this action too many times, please try again later.";
    expect(&change(&forum, "jane", "n4@example.org"), 422, &errors("", often));
    assert_eq!(change(&forum, "max", "n5@example.org").status, 200);
    for number in 6..11 {
        assert_eq!(change(&forum, "ada", &format!("n{number}@example.org")).status, 200);
    }
}

#[test]
fn further_addresses_are_added_preferred_and_dropped() {
    let forum = Forum::new(&crew());
    let preferences = |method: &str, what: &str, email: &str| {
        forum.ask(method, &format!("/u/max/preferences/{what}.json"), &json!({ "email": email }))
    };
    assert_eq!(preferences("POST", "email", "third@example.org").status, 200);
    assert!(!confirm(&forum, "max"));
    assert_eq!(forum.user(2)["secondary_emails"], json!(["max.two@example.com", "third@example.org"]));
    let ok = json!({ "success": "OK" });
    for _ in 0..2 {
        expect(&preferences("PUT", "primary-email", "third@example.org"), 200, &ok);
        assert_eq!(forum.user(2)["email"], "third@example.org");
    }
    assert_eq!(forum.user(2)["secondary_emails"], json!(["max.two@example.com", "max@example.com"]));
    let none = json!({ "failed": "FAILED", "errors": ["That email address is not associated with your account."] });
    expect(&preferences("PUT", "primary-email", "x@example.org"), 428, &none);
    expect(&preferences("DELETE", "email", "x@example.org"), 428, &none);
    expect(&preferences("DELETE", "email", "max.two@example.com"), 200, &ok);
    assert_eq!(preferences("PUT", "email", "waits@example.org").status, 200);
    expect(&preferences("DELETE", "email", "waits@example.org"), 200, &ok);
    assert_eq!(forum.user(2)["pending"], json!([]));
    forum.set(&json!({ "enable_secondary_emails": false }));
    assert_eq!(preferences("POST", "email", "fourth@example.org").status, 410);
}
