//! Lists that are not whole, and sites that cannot be read: refused with the reason, and nobody is gone.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::{
    common::{World, in_one_line, journey::changes},
    running::{Site, await_that},
    server::{Answer, Server, forward},
};

/// A site of which everybody was seen once, and where whoever is gone is switched off at GitLab.
fn seen_once(lab: &[&str]) -> Site {
    let site = Site::with("1h", "path = \"/hooks/wordpress\", secret = { env = \"WORDPRESS_WEBHOOK_SECRET\" }", lab);
    let config = site.world.read("homeward.toml").replace("says = ", "coverage = \"full\"\nsays = ");
    let rules = "owner(\"active\", \"website\");\ncopies(\"active\", \"gitlab\");\n\
                 source(\"website\", |user| #{ key: user.id, email: user.email, active: true });\n\
                 join(\"gitlab\", [\"email\"]);\n";
    site.world.write("homeward.toml", config.as_bytes());
    site.world.write("rules/people.rhai", rules.as_bytes());
    std::fs::remove_dir_all(site.world.path("rules/tests")).unwrap();
    site.world.json(0, &["apply", "website"]);
    site
}

/// Plan and apply both refuse with this, and leave everything as it was.
fn refused(site: &Site, why: &str) {
    let runs = site.runs().len();
    for command in [&["--lab", "plan", "website"][..], &["--lab", "apply", "--yes", "website"]] {
        let ran = site.world.homeward(command);
        assert_ne!(ran.status, 0, "{why}: {}", ran.stdout);
        let told = in_one_line(&ran.stderr);
        assert!(told.contains(why), "{why}\n{told}");
        assert_eq!(ran.stdout, "", "{why}");
    }
    assert_eq!(site.runs().iter().filter(|run| run["standing"] != "refused").count(), runs, "{why}");
    assert_eq!(site.world.writes("gitlab"), Vec::<Value>::new());
}

#[test]
fn each_silent_failure_is_refused_as_a_list_that_is_not_whole_and_nobody_is_gone() {
    let site = seen_once(&[]);
    // Nobody looks at credentials over plain HTTP in production: the caller is anonymous, and the list is short.
    site.set(&json!({ "application_passwords": false }));
    refused(&site, "website: list not whole: nobody is signed in");
    site.set(&json!({ "application_passwords": true, "rights": "list_only" }));
    refused(&site, "website: list not whole: the server counts 4 users and shows 1");
    for rights in ["editor", "subscriber"] {
        site.set(&json!({ "rights": rights }));
        refused(&site, "website: list not whole: the account may not read users");
    }
    site.set(&json!({ "rights": "reader" }));
    assert_eq!(changes(&site.world.json(0, &["plan", "website"])), Vec::<String>::new());
}

#[test]
fn a_site_that_is_down_is_told_as_that_and_nobody_is_gone() {
    let site = seen_once(&[]);
    site.set(&json!({ "maintenance": true }));
    refused(&site, "the site is down for maintenance (503)");
    site.set(&json!({ "maintenance": false, "database_down": true }));
    refused(&site, "the site is not available (500");
    site.set(&json!({ "database_down": false }));
    // Addresses without words are another form of the same API.
    site.set(&json!({ "permalinks": "plain" }));
    assert_eq!(changes(&site.world.json(0, &["plan", "website"])), Vec::<String>::new());
}

/// A project whose website is served by a stand-in, and that site's lab.
fn behind(site: &Site, server: &Server, coverage: &str) -> World {
    let config = format!(
        "[systems.website]\nkind = \"wordpress\"\nurl = \"{}\"\nusername = \"homeward\"\ntoken = {{ env = \"PASSWORD\" }}\n\
         coverage = \"{coverage}\"\nsays = \"changes\"\n",
        server.url
    );
    let rules = "owner(\"active\", \"website\");\nsource(\"website\", |user| #{ key: user.id, email: user.email, active: true });\n";
    let token = site.world.token("website");
    World::new().variable("PASSWORD", &token).file("homeward.toml", &config).file("rules/people.rhai", rules)
}

fn told(world: &World, command: &[&str]) -> (i32, String) {
    let ran = world.homeward(command);
    (ran.status, in_one_line(&ran.stderr))
}

#[test]
fn a_list_that_shifts_each_time_it_is_read_is_refused_and_one_that_shifts_once_is_read_again() {
    let site = Site::with("1h", "secret = { env = \"WORDPRESS_WEBHOOK_SECRET\" }", &["--people", "150"]);
    let (upstream, next) = (site.world.url("website"), AtomicU64::new(20));
    let lab = upstream.clone();
    let server = Server::start(move |request| {
        if request.target.contains("&page=2&") {
            // Somebody of the first page leaves while the second is asked for.
            let id = next.fetch_add(1, Ordering::SeqCst);
            let gone = crate::common::send("DELETE", &format!("{lab}/_lab/users/{id}"), &[], &Value::Null);
            assert_eq!(gone.status, 200);
        }
        forward(&lab, request)
    });
    let world = behind(&site, &server, "full");
    let (status, why) = told(&world, &["plan", "website"]);
    assert_ne!(status, 0);
    assert!(why.contains("website: list not whole: it shifted while it was read, 3 times in a row"), "{why}");

    server.behave(move |request| forward(&upstream, request));
    let seconds = || server.requests().iter().filter(|request| request.target.contains("&page=2&")).count();
    let shifted = seconds();
    assert_eq!(told(&world, &["plan", "website"]).0, 0);
    let usual = seconds() - shifted;
    site.set(&json!({ "shift": { "after_page": 1, "delete": 60 } }));
    assert_eq!(told(&world, &["plan", "website"]).0, 0);
    assert_eq!(seconds() - shifted - usual, usual + 1, "the list that shifted is read once more");
}

#[test]
fn a_user_whom_the_list_hides_and_who_is_there_when_asked_for_has_not_left() {
    let site = Site::new("1h");
    let upstream = site.world.url("website");
    let server = Server::before(&upstream);
    let world = behind(&site, &server, "full");
    assert_eq!(told(&world, &["apply", "--yes", "website"]).0, 0);

    // A plugin that hides her and counts her, and one that does not even count her.
    for total in [4, 3] {
        let upstream = upstream.clone();
        server.behave(move |request| {
            let is_list = request.path() == "/wp-json/wp/v2/users";
            let Answer::Bytes(bytes) = forward(&upstream, request) else { return Answer::Close };
            if !is_list {
                return Answer::Bytes(bytes);
            }
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
            let mut users: Value = serde_json::from_slice(&bytes[end + 4..]).unwrap();
            users.as_array_mut().unwrap().retain(|user| user["id"] != 8);
            let headers = vec![("content-type", "application/json".to_owned()), ("x-wp-total", total.to_string())];
            Answer::Reply(200, headers, users.to_string().into_bytes())
        });
        let (status, why) = told(&world, &["plan", "website"]);
        assert_ne!(status, 0, "{total}");
        assert!(why.contains("website: list not whole:"), "{total}: {why}");
        assert!(!server.writes().iter().any(|_| true));
    }
    let asked = server.requests();
    assert!(asked.iter().any(|request| request.path() == "/wp-json/wp/v2/users/8"));
}

#[test]
fn a_password_of_another_account_than_the_configured_one_is_refused() {
    let site = Site::new("1h");
    let upstream = site.world.url("website");
    let server = Server::start(move |request| {
        let answer = forward(&upstream, request);
        let Answer::Bytes(bytes) = &answer else { return answer };
        let is_me = request.path().ends_with("/users/me");
        if !is_me {
            return answer;
        }
        Answer::Bytes(String::from_utf8_lossy(bytes).replace("\"homeward\"", "\"somebody\"").into_bytes())
    });
    let world = behind(&site, &server, "partial");
    let (status, why) = told(&world, &["plan", "website"]);
    assert_ne!(status, 0);
    assert!(why.contains("signed in as another account than `username` names"), "{why}");
}

#[test]
fn an_address_without_tls_needs_a_word_for_it() {
    let site = Site::new("1h");
    let config = site.world.read("homeward.toml").replace("https://www.example.com", "http://www.example.com");
    site.world.write("homeward.toml", config.as_bytes());
    let ran = site.world.homeward(&["check"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("insecure_http = true"), "{}", ran.stderr);
    site.world.write("homeward.toml", config.replace("username = ", "insecure_http = true\nusername = ").as_bytes());
    assert_eq!(site.world.homeward(&["check"]).status, 0);
}

#[test]
fn a_site_that_was_down_is_told_in_the_status_and_goes_on_with_the_first_it_tells() {
    let site = Site::new("1h");
    site.tells();
    let watch = site.watch();
    site.set(&json!({ "maintenance": true }));
    site.meddle("7", &json!({ "username": "anna.b" }));
    await_that("the trouble is told", || {
        site.fares()["trouble"].as_str().is_some_and(|why| why.contains("maintenance"))
    });
    assert_eq!(site.fares()["waiting"], json!(["1 notices"]));
    site.set(&json!({ "maintenance": false }));
    site.meddle("8", &json!({ "name": "Benjamin" }));
    await_that("both are read", || site.anna() == "anna.b" && site.fares()["trouble"].is_null());
    await_that("nothing waits", || site.fares()["waiting"] == json!([]));
    // Said once, not at every try.
    assert_eq!(watch.log().matches("maintenance").count(), 1, "{}", watch.log());
}
