//! Events (7): one signed delivery per user and request, in order, kept until they are taken.

use serde_json::{Value, json};

use super::{
    receiver::{Receiver, Sent},
    site::{Site, recorded},
};

const KEYS: [&str; 6] = ["employee_id", "department", "job_title", "office", "manager_employee_id", "start_date"];

/// The site of the recordings: an administrator, and these people.
fn site(receiver: &Receiver, people: &[Value]) -> Site {
    let administrator = json!({ "id": 1, "username": "siteadmin", "roles": ["administrator"] });
    let people: Vec<Value> = std::iter::once(administrator).chain(people.iter().cloned()).collect();
    let seed = json!({ "username": "siteadmin", "meta_keys": KEYS, "people": people, "settings": receiver.settings() });
    Site::new(&seed)
}

fn as_siteadmin(site: &Site, method: &str, path: &str, body: &Value) -> u16 {
    let target = format!("/wp-json/wp/v2/users{path}");
    site.ask_with(method, &target, &[("Authorization", &site.basic("siteadmin"))], body).status
}

/// Whoever a recording is about, as she was before: the state it tells, with what `previous` tells, and with `other`.
fn before(recording: &str, other: &Value) -> Value {
    let event = recorded(recording)["request"]["body"].clone();
    let user = &event["user"];
    let mut person = json!({});
    for key in ["id", "username", "email", "slug", "name", "url", "roles", "registered_date"] {
        person[key] = user[key].clone();
    }
    for (key, value) in user["meta"].as_object().unwrap() {
        match key.as_str() {
            "first_name" | "last_name" | "nickname" => person[key] = value.clone(),
            _ if value == "" => {}
            _ => person["meta"][key] = value.clone(),
        }
    }
    for overlay in [&event["previous"], other] {
        for (key, value) in overlay.as_object().unwrap() {
            person[key] = value.clone();
        }
    }
    person
}

/// Expects the recorded event; ids, moments and the site are those of this lab.
#[track_caller]
fn is_like(sent: &Sent, recording: &str, site: &Site) {
    sent.is_signed();
    let mut expected = recorded(recording)["request"]["body"].clone();
    let mut event = sent.json();
    assert_eq!(event["site"], format!("{}/", site.url()));
    let id = event["id"].as_str().unwrap();
    assert!(id.len() == 36 && id.starts_with("evt_"), "{id}");
    assert!(event["occurred_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    for both in [&mut event, &mut expected] {
        for key in ["id", "occurred_at", "site"] {
            both[key] = Value::Null;
        }
        both["user"]["registered_date"] = Value::Null;
    }
    // As texts, because the order of keys is part of what was recorded.
    assert_eq!(event.to_string(), expected.to_string(), "{recording}");
}

#[test]
fn writes_over_rest_are_told_as_they_were() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "id": 257, "username": "last" })]);
    let hanna = json!({
        "username": "hneu", "email": "hanna.neu@example.com", "password": "x", "first_name": "Hanna", "last_name": "Neu",
        "name": "Hanna Neu", "roles": ["author"], "meta": { "employee_id": "002001", "department": "Finance" },
    });
    let writes = [
        ("POST", "", hanna, "webhook-user-created"),
        ("POST", "/258", json!({ "email": "hanna.neu-berg@example.com" }), "webhook-email-changed"),
        ("POST", "/258", json!({ "email": "hanna.neu-berg@example.com" }), "webhook-noop-update"),
        ("POST", "/258", json!({ "roles": ["editor", "author"] }), "webhook-roles-changed"),
        ("POST", "/258", json!({ "meta": { "department": "Legal" } }), "webhook-meta-changed"),
        ("DELETE", "/258?force=true&reassign=1", Value::Null, "webhook-user-deleted"),
    ];
    for (count, (method, path, body, recording)) in (1..).zip(writes) {
        assert!(as_siteadmin(&site, method, path, &body) < 300, "{recording}");
        is_like(receiver.wait(count).last().unwrap(), recording, &site);
    }
}

#[test]
fn a_rename_behind_the_back_of_core_is_told_by_its_sql() {
    for (recording, fields) in [
        (
            "webhook-rename-username-changer",
            json!({ "username": "vlarsen-nguyen", "slug": "vlarsen-nguyen", "nickname": "vlarsen-nguyen" }),
        ),
        ("webhook-rename-easy-username-updater", json!({ "username": "ckeller-lang", "name": "ckeller-lang" })),
        ("webhook-rename-change-username", json!({ "username": "tgarcia.lopez", "slug": "tgarcia.lopez" })),
    ] {
        let receiver = Receiver::new(&[]);
        let nickname = json!({ "nickname": recorded(recording)["request"]["body"]["previous"]["username"] });
        let old = before(recording, &nickname);
        let site = site(&receiver, std::slice::from_ref(&old));
        site.lab("POST", &format!("meddle/{}", old["username"].as_str().unwrap()), &fields);
        is_like(&receiver.wait(1)[0], recording, &site);
    }
}

#[test]
fn changes_on_the_screens_of_administrators_are_told_as_they_were() {
    for (recording, other, fields) in [
        (
            "webhook-admin-screen-edit",
            json!({ "last_name": "Becker", "roles": ["contributor"] }),
            json!({ "email": "sven.becker-urban@example.org", "name": "Sven Becker-Urban", "last_name": "Becker-Urban",
                    "roles": ["editor"] }),
        ),
        ("webhook-bulk-role-change", json!({ "roles": ["subscriber", "editor"] }), json!({ "roles": ["contributor"] })),
        ("webhook-refused-500", json!({ "nickname": "hmuller" }), json!({ "nickname": "first-b" })),
    ] {
        let receiver = Receiver::new(&[]);
        let old = before(recording, &other);
        let site = site(&receiver, std::slice::from_ref(&old));
        site.lab("POST", &format!("meddle/{}", old["id"]), &fields);
        is_like(&receiver.wait(1)[0], recording, &site);
    }
}

#[test]
fn the_headers_are_those_of_the_recordings() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[]);
    site.lab("POST", "meddle/siteadmin", &json!({ "name": "Boss" }));
    let sent = receiver.wait(1).remove(0);
    assert_eq!(sent.path, "/hooks/wordpress");
    let recorded = recorded("webhook-noop-update");
    let names = |pairs: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = pairs.map(|name| name.to_lowercase()).collect();
        names.sort();
        names
    };
    let pairs = recorded["request"]["headers"].as_array().unwrap();
    let expected = names(&mut pairs.iter().map(|pair| pair[0].as_str().unwrap().to_owned()));
    assert_eq!(names(&mut sent.headers.keys().map(ToString::to_string)), expected);
    for name in ["accept", "accept-encoding", "content-type", "connection"] {
        let pair = pairs.iter().find(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name)).unwrap();
        assert_eq!(sent.header(name), pair[1], "{name}");
    }
    assert_eq!(sent.header("user-agent"), format!("WordPress/7.1; {}", site.url()));
    assert_eq!(sent.header("content-length"), sent.body.len().to_string());
}

#[test]
fn meta_values_set_by_code_are_told_by_their_hook_alone() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "username": "anna", "meta": { "office": "Malmö" } })]);
    site.lab("POST", "meddle/anna", &json!({ "meta": { "office": "Lisbon", "department": "Legal" } }));
    let event = receiver.wait(1)[0].json();
    assert_eq!(event["sources"], json!(["added_user_meta:department", "updated_user_meta:office"]));
    assert_eq!(event["previous"], json!({}));
    assert_eq!(event["user"]["meta"]["office"], "Lisbon");
}

#[test]
fn a_refused_event_blocks_those_behind_it_and_is_sent_again() {
    let receiver = Receiver::new(&[500, 404]);
    let site = site(&receiver, &[json!({ "username": "anna" }), json!({ "username": "ben" })]);
    site.lab("POST", "meddle/anna", &json!({ "username": "anna.b" }));
    site.lab("POST", "meddle/ben", &json!({ "username": "ben.c" }));
    let sent = receiver.wait(4);
    sent.iter().for_each(Sent::is_signed);
    let told = |sent: &Sent| sent.json()["user"]["username"].as_str().unwrap().to_owned();
    assert_eq!(sent.iter().map(told).collect::<Vec<_>>(), ["anna.b", "anna.b", "anna.b", "ben.c"]);
    assert_eq!(sent[0].body, sent[2].body);
    let deliveries = settled(&site, 4);
    assert_eq!(deliveries.iter().map(|one| one["status"].clone()).collect::<Value>(), json!([500, 404, 204, 204]));
}

/// What the site noted about its deliveries, as soon as nothing waits.
#[track_caller]
fn settled(site: &Site, count: usize) -> Vec<Value> {
    let mut outbox = Value::Null;
    for _ in 0..1000 {
        outbox = site.lab("GET", "deliveries", &Value::Null);
        if outbox["waiting"] == json!([]) {
            break;
        }
    }
    assert_eq!(outbox["waiting"], json!([]));
    let deliveries = outbox["deliveries"].as_array().unwrap().clone();
    assert_eq!(deliveries.len(), count);
    deliveries
}

#[test]
fn nobody_listening_is_noted_and_delivered_later() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "username": "anna" })]);
    let closed = json!({ "webhook": { "url": "http://127.0.0.1:1/", "secret": super::receiver::SECRET } });
    site.set(&closed);
    site.lab("POST", "meddle/anna", &json!({ "username": "anna.b" }));
    while site.lab("GET", "deliveries", &Value::Null)["deliveries"].as_array().unwrap().is_empty() {}
    assert_eq!(site.lab("GET", "deliveries", &Value::Null)["deliveries"][0]["status"], Value::Null);
    site.set(&receiver.settings());
    assert_eq!(receiver.wait(1)[0].json()["user"]["username"], "anna.b");
}

#[test]
fn an_event_is_delivered_again_on_request_with_its_id_and_a_new_signature() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "username": "anna" }), json!({ "username": "ben" })]);
    site.lab("POST", "meddle/anna", &json!({ "username": "anna.b" }));
    site.lab("POST", "meddle/ben", &json!({ "username": "ben.c" }));
    let first = receiver.wait(2).remove(0);
    let id = first.header("webhook-id").to_owned();
    assert_eq!(site.lab("POST", "redeliver/1", &Value::Null), json!({ "ok": true, "id": id }));
    assert_eq!(site.lab("POST", &format!("redeliver/{id}"), &Value::Null), json!({ "ok": true, "id": id }));
    for again in &receiver.wait(4)[2..] {
        again.is_signed();
        assert_eq!((again.header("webhook-id"), &again.body), (id.as_str(), &first.body));
    }
    let unknown = site.ask("POST", "/_lab/redeliver/3", &Value::Null);
    assert_eq!((unknown.status, unknown.json()), (400, json!({ "error": "no event is called `3`" })));
}

#[test]
fn people_made_and_deleted_in_the_lab_are_told() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[]);
    let made = site.lab("POST", "users", &json!({ "username": "carla", "first_name": "Carla", "last_name": "Abel" }));
    assert_eq!(made, json!({ "ok": true, "id": 2 }));
    let event = receiver.wait(1)[0].json();
    assert_eq!(
        (&event["type"], &event["user_id"], &event["previous"]),
        (&json!("user.created"), &json!(2), &json!({}))
    );
    assert_eq!(event["user"]["name"], "Carla Abel");
    site.lab("DELETE", "users/carla", &Value::Null);
    let event = receiver.wait(2)[1].json();
    assert_eq!((&event["type"], &event["user"]["username"]), (&json!("user.deleted"), &json!("carla")));
    assert_eq!(site.state()["users"].as_object().unwrap().len(), 1);
}

#[test]
fn without_a_webhook_and_from_outside_nothing_is_told() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "username": "anna" })]);
    site.set(&json!({ "webhook": null }));
    site.lab("POST", "meddle/anna", &json!({ "username": "anna.b" }));
    site.set(&receiver.settings());
    site.lab("POST", "meddle/anna.b", &json!({ "username": "anna.c", "events": false }));
    assert_eq!(site.lab("GET", "deliveries", &Value::Null), json!({ "waiting": [], "deliveries": [] }));
    site.lab("POST", "meddle/anna.c", &json!({ "username": "anna.d" }));
    let event = receiver.wait(1)[0].json();
    assert_eq!(event["previous"]["username"], "anna.c");
}

#[test]
fn the_actor_is_who_wrote() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[json!({ "username": "anna" })]);
    site.set(&json!({ "rights": "sync" }));
    assert_eq!(as_siteadmin(&site, "POST", "/2", &json!({ "first_name": "Anna" })), 200);
    assert_eq!(receiver.wait(1)[0].json()["actor"], json!({ "id": 1, "username": "siteadmin" }));
    // With nobody left who administers, nobody is signed in on the screens.
    site.lab("POST", "meddle/anna", &json!({ "first_name": "Anni" }));
    assert_eq!(receiver.wait(2)[1].json()["actor"], Value::Null);
}

#[test]
fn events_go_nowhere_but_to_this_machine() {
    let receiver = Receiver::new(&[]);
    let site = site(&receiver, &[]);
    let away = json!({ "webhook": { "url": "http://www.example.com/", "secret": super::receiver::SECRET } });
    let refused = site.ask("POST", "/_lab/settings", &away);
    let cause = "settings.webhook.url: it must be http:// and on loopback, such as http://127.0.0.1:8088/hooks/website";
    assert_eq!((refused.status, refused.json()), (400, json!({ "error": cause })));
}
