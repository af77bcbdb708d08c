//! Genuine deliveries: none is lost, however often and in whatever order they come, and whoever signs them.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    common::World,
    running::{SECRET, Site, await_that},
    sender::{Delivery, PATH, hmac, post},
};

#[test]
fn what_was_answered_with_200_survives_the_end_of_the_process_at_any_moment() {
    let site = Site::new("1h");
    let mut name = "anna".to_owned();
    for round in 0..5 {
        let watch = site.watch();
        // Until it may be read the website is down: the notice can only wait.
        site.set(&json!({ "database_down": true }));
        name = format!("anna.{round}");
        site.meddle("7", &json!({ "username": name }));
        assert_eq!(Delivery::new(&format!("evt_{round}"), 7).send(site.port), Some(200));
        watch.kill();
        assert_ne!(site.anna(), name);
        site.set(&json!({ "database_down": false }));
        let watch = site.start();
        await_that("the next start deals with it", || site.anna() == name);
        await_that("nothing waits", || site.fares()["waiting"] == json!([]));
        watch.stop();
    }
    assert_eq!(site.anna(), name);
    assert_eq!(site.world.writes("gitlab").len(), 5);
}

#[test]
fn doubled_and_late_deliveries_end_in_what_the_website_shows_now() {
    let site = Site::new("1h");
    let watch = site.watch();
    let told: Vec<Delivery> = (0..6).map(|number| Delivery::new(&format!("evt_{number}"), 7)).collect();
    for (number, name) in ["anna.a", "anna.b", "anna.c"].into_iter().enumerate() {
        site.meddle("7", &json!({ "username": name }));
        // The newest first, the oldest last, each twice.
        for delivery in told[..=number + 2].iter().rev() {
            assert_eq!((delivery.send(site.port), delivery.send(site.port)), (Some(200), Some(200)));
        }
        await_that(name, || site.anna() == name);
    }
    // What an old delivery says of her is not even read.
    let lie = json!({ "type": "user.updated", "user_id": 7, "user": { "id": 7, "username": "mallory" } });
    let old = Delivery { body: lie.to_string().into_bytes(), ..Delivery::new("evt_lie", 7) };
    assert_eq!(old.send(site.port), Some(200));
    await_that("nothing waits", || site.fares()["waiting"] == json!([]));
    assert_eq!(site.anna(), "anna.c", "{}", watch.log());
    let sent: Vec<Value> = site.world.writes("gitlab").into_iter().map(|write| write[2]["username"].clone()).collect();
    assert_eq!(sent, ["anna.a", "anna.b", "anna.c"]);
}

#[test]
fn a_user_who_cannot_be_read_does_not_stand_in_the_way_of_others() {
    let site = Site::new("1h");
    let watch = site.watch();
    site.meddle("7", &json!({ "username": "anna.b" }));
    for (id, user) in [("evt_1", 99_999), ("evt_2", 7)] {
        assert_eq!(Delivery::new(id, user).send(site.port), Some(200));
    }
    let unreadable = Delivery {
        body: b"{\"type\":\"user.updated\",\"user_id\":\"99999999999999999999\"}".to_vec(),
        ..Delivery::new("evt_0", 1)
    };
    assert_eq!(unreadable.send(site.port), Some(200));
    await_that("hers is done", || site.anna() == "anna.b");
    await_that("nothing waits", || site.fares()["waiting"] == json!([]));
    assert_eq!(site.fares()["trouble"], Value::Null, "{}", watch.log());
}

#[test]
fn a_website_that_says_no_is_asked_less_and_less_often() {
    let site = Site::new("1h");
    let watch = site.watch();
    site.set(&json!({ "rights": "list_only" }));
    let asked = || site.world.asked("website").iter().filter(|line| line.contains("/users/7?")).count();
    assert_eq!(Delivery::new("evt_no", 7).send(site.port), Some(200));
    await_that("the trouble is told", || site.fares()["trouble"].is_string());
    assert!(asked() <= 2, "{} times\n{}", asked(), watch.log());
    // The right is given: with the next it tells everything is well.
    site.set(&json!({ "rights": "reader" }));
    site.meddle("7", &json!({ "username": "anna.b" }));
    assert_eq!(Delivery::new("evt_yes", 8).send(site.port), Some(200));
    await_that("both are read", || site.anna() == "anna.b" && site.fares()["trouble"].is_null());
}

/// A body as `WooCommerce` sends it, and one of WP Webhooks, which holds more than it should.
const CUSTOMER: &[u8] = br#"{"id":7,"email":"anna@example.com","username":"anna","role":"customer"}"#;
const PLUGIN: &[u8] =
    br#"{"data":{"ID":"7","user_login":"anna","user_pass":"$wp$2y$10$hash","user_activation_key":"key"},"ID":7}"#;

#[test]
fn other_senders_sign_the_body_alone_and_an_equal_body_is_looked_at_again() {
    let secret = "a secret of the shop, as text";
    for (signature, header, body) in [
        ("base64", "X-WC-Webhook-Signature", CUSTOMER),
        ("base64", "X-WP-Webhook-Signature", PLUGIN),
        ("hex", "X-Hub-Signature-256", PLUGIN),
    ] {
        let webhook = format!(
            "path = \"{PATH}\", signature = \"{signature}\", header = \"{header}\", secret = {{ file = \"secret\" }}"
        );
        let mut site = Site::with("1h", &webhook, &[]);
        site.world = site.world.file("secret", secret);
        let watch = site.watch();
        let mac = hmac(secret.as_bytes(), body);
        let signed = if signature == "base64" {
            STANDARD.encode(mac)
        } else {
            let digits: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256={}", digits.concat())
        };
        let mut headers = vec![(header, signed.clone())];
        if body == CUSTOMER {
            headers.push(("X-WC-Webhook-Topic", "customer.updated".to_owned()));
        }
        for name in ["anna.b", "anna.c", "anna.d"] {
            site.meddle("7", &json!({ "username": name }));
            // Nothing in the body tells one change from the next.
            assert_eq!(post(site.port, PATH, &headers, body), Some(200));
            await_that(name, || site.anna() == name);
            await_that("nothing waits", || site.fares()["waiting"] == json!([]));
        }
        site.meddle("7", &json!({ "username": "anna.e" }));
        let at = signed.len() - 6;
        let other = if &signed[at..=at] == "0" { "1" } else { "0" };
        let forged = vec![(header, format!("{}{other}{}", &signed[..at], &signed[at + 1..]))];
        assert_eq!(post(site.port, PATH, &forged, body), Some(401));
        assert_eq!(post(site.port, PATH, &[], body), Some(401));
        if body == CUSTOMER {
            assert_eq!(post(site.port, PATH, &[], b"webhook_id=7"), Some(200), "whoever saves the webhook asks this");
        }
        assert_eq!(site.anna(), "anna.d");
        watch.stop();
        // Hashes and keys that a sender puts in are nowhere.
        let state = std::fs::read(site.world.path(".homeward/lab.db")).unwrap();
        assert!(!state.windows(8).any(|bytes| bytes == b"$wp$2y$1"));
    }
}

#[test]
fn a_secret_is_exchanged_while_the_service_runs() {
    let new = "whsec_bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU=";
    let mut site = Site::with("1h", &format!("path = \"{PATH}\", secret = {{ file = \"secret\" }}"), &[]);
    site.world = site.world.file("secret", SECRET).file("former", SECRET);
    let watch = site.watch();
    let old_one = |id: &str| Delivery::new(id, 8);
    let new_one = |id: &str| Delivery { secret: new.to_owned(), ..Delivery::new(id, 8) };
    assert_eq!((old_one("evt_1").send(site.port), new_one("evt_2").send(site.port)), (Some(200), Some(401)));
    let reload = |count: usize| {
        watch.signal("HUP");
        await_that("it is read again", || watch.log().matches("read again").count() == count);
    };
    site.world.write("secret", new.as_bytes());
    let config = site.world.read("homeward.toml");
    let both = config.replace(
        "secret = { file = \"secret\" }",
        "secret = { file = \"secret\" }, former_secret = { file = \"former\" }",
    );
    assert_ne!(both, config);
    site.world.write("homeward.toml", both.as_bytes());
    reload(1);
    assert_eq!((old_one("evt_3").send(site.port), new_one("evt_4").send(site.port)), (Some(200), Some(200)));
    site.world.write("homeward.toml", config.as_bytes());
    reload(2);
    assert_eq!((old_one("evt_5").send(site.port), new_one("evt_6").send(site.port)), (Some(401), Some(200)));
    // A secret that cannot be used is told, and the one that was stays.
    site.world.write("secret", b"whsec_short");
    watch.signal("HUP");
    await_that("it is told", || watch.log().contains("the old configuration and rules stay"));
    assert_eq!(new_one("evt_7").send(site.port), Some(200));
}

#[test]
fn two_webhooks_cannot_have_one_path() {
    let world = World::example("wordpress").variable("WORDPRESS_WEBHOOK_SECRET", SECRET);
    let config = world.read("homeward.toml");
    let (start, end) = (config.find("[systems.website]").unwrap(), config.find("[systems.gitlab]").unwrap());
    let second = config[start..end].replace("[systems.website]", "[systems.shop]");
    let mut world = world.file("homeward.toml", &format!("{config}\n{second}"));
    world.start_lab(&[]);
    let ran = world.homeward(&["--lab", "watch", "--once"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("the path `/hooks/wordpress` of website has another use there"), "{}", ran.stderr);
    // Nor has a path signs that would stand for other paths.
    let world = world.file("homeward.toml", &config.replace("/hooks/wordpress", "/hooks/{any}"));
    let ran = world.homeward(&["check"]);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("such as `/website`"), "{}", ran.stderr);
}
