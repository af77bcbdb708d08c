//! Groups (9): one test for each row.

use serde_json::{Value, json};

use super::{
    common::Answer,
    forum::{Forum, crew, errors, expect, forbidden, not_found},
};

fn add(forum: &Forum, body: &Value) -> Answer {
    forum.put("/groups/60/members.json", body)
}

fn remove(forum: &Forum, body: &Value) -> Answer {
    forum.ask("DELETE", "/groups/60/members.json", body)
}

fn members(forum: &Forum) -> Value {
    forum.state()["groups"]["crew"]["members"].clone()
}

#[test]
fn a_group_is_shown_with_its_members_page_by_page() {
    let forum = Forum::with_people(&crew(), 120);
    let group = forum.get("/groups/Crew.json").json()["group"].clone();
    assert_eq!((&group["id"], &group["automatic"], &group["user_count"]), (&json!(60), &json!(false), &json!(2)));
    expect(&forum.get("/groups/none.json"), 404, &not_found());
    let page = |query: &str| {
        let page = forum.get(&format!("/groups/{query}")).json();
        (page["members"].as_array().unwrap().len(), page["meta"].clone())
    };
    let meta = |total: u64, limit: u64, offset: u64| json!({ "total": total, "limit": limit, "offset": offset });
    assert_eq!(page("crew/members.json"), (2, meta(2, 50, 0)));
    assert_eq!(page("crew/members.json?filter=MA"), (1, meta(1, 50, 0)));
    assert_eq!(page("trust_level_0/members.json"), (50, meta(125, 50, 0)));
    assert_eq!(page("trust_level_0/members.json?limit=1000"), (125, meta(125, 1000, 0)));
    assert_eq!(page("trust_level_0/members.json?limit=100&offset=100"), (25, meta(125, 100, 100)));
    let owners = forum.get("/groups/crew/members.json").json()["owners"].clone();
    assert_eq!(owners[0]["username"], "ada");
    for query in ["offset=-1", "limit=1001"] {
        assert_eq!(forum.get(&format!("/groups/crew/members.json?{query}")).status, 400);
    }
}

#[test]
fn members_are_added_by_name_number_or_address_and_none_twice() {
    let forum = Forum::new(&crew());
    let ok = |names: &[&str]| json!({ "success": "OK", "usernames": names, "emails": [] });
    // Some are members already, some nobody knows.
    expect(&add(&forum, &json!({ "usernames": "jane,max,nobody" })), 200, &ok(&["jane"]));
    expect(&add(&forum, &json!({ "user_ids": "4" })), 200, &ok(&["moe"]));
    expect(&add(&forum, &json!({ "user_emails": "homeward@example.com" })), 200, &ok(&["homeward"]));
    assert_eq!(members(&forum), json!([1, 2, 3, 4, 5]));
    let one = errors("", "'jane' is already a member of this group.");
    expect(&add(&forum, &json!({ "usernames": "jane" })), 422, &one);
    let two = errors("", "The following users are already members of this group: jane, max");
    expect(&add(&forum, &json!({ "usernames": "jane,max" })), 422, &two);
    for body in [json!({ "usernames": "nobody" }), json!({})] {
        assert_eq!(add(&forum, &body).status, 400, "{body}");
    }
    let many = vec!["jane"; 1001].join(",");
    assert_eq!(add(&forum, &json!({ "usernames": many })).status, 422);
}

#[test]
fn addresses_of_strangers_are_invited() {
    let forum = Forum::new(&crew());
    let answer = add(&forum, &json!({ "emails": "stranger@example.org" }));
    let invited = json!({ "success": "OK", "usernames": [], "emails": ["stranger@example.org"] });
    expect(&answer, 200, &invited);
    assert_eq!(forum.state()["mails"], json!([{ "about": "invitation", "to": "stranger@example.org" }]));
}

#[test]
fn who_is_no_member_is_skipped_by_a_removal() {
    let forum = Forum::new(&crew());
    let gone = json!({ "success": "OK", "usernames": ["max"], "skipped_usernames": ["jane"] });
    expect(&remove(&forum, &json!({ "usernames": "max,jane" })), 200, &gone);
    let none = json!({ "success": "OK", "usernames": [], "skipped_usernames": ["max"] });
    expect(&remove(&forum, &json!({ "usernames": "max" })), 200, &none);
    assert_eq!(members(&forum), json!([3]));
}

#[test]
fn the_quieter_pair_says_yes_to_what_is_so() {
    let forum = Forum::new(&crew());
    for _ in 0..2 {
        let put = forum.ask("POST", "/admin/users/1/groups", &json!({ "group_id": 60 }));
        assert_eq!((put.status, put.text.as_str(), members(&forum)), (200, "", json!([1, 2, 3])));
    }
    for _ in 0..2 {
        let out = forum.ask("DELETE", "/admin/users/1/groups/60", &Value::Null);
        assert_eq!((out.status, out.text.as_str(), members(&forum)), (200, "", json!([2, 3])));
    }
    let unknown = forum.ask_with(
        "POST",
        "/admin/users/1/groups",
        &[("Api-Key", &forum.world.token("discourse")), ("Accept", "application/json")],
        &json!({ "group_id": 99 }),
    );
    expect(&unknown, 404, &not_found());
}

#[test]
fn groups_that_fill_themselves_and_groups_of_others_are_not_touched() {
    let forum = Forum::new(&crew());
    let key = forum.world.token("discourse");
    let headers = [("Api-Key", key.as_str()), ("Accept", "application/json")];
    for method in ["PUT", "DELETE"] {
        expect(&forum.ask(method, "/groups/3/members.json", &json!({ "usernames": "jane" })), 403, &forbidden());
        let own = forum.ask_by("janes", method, "/groups/60/members.json", &json!({ "usernames": "jane" }));
        expect(&own, 403, &forbidden());
    }
    let automatic = errors("", "You cannot modify an automatic group");
    expect(&forum.ask_with("POST", "/admin/users/1/groups", &headers, &json!({ "group_id": 3 })), 422, &automatic);
    expect(&forum.ask_with("DELETE", "/admin/users/1/groups/3", &headers, &Value::Null), 422, &automatic);
}
