//! The website as users meet it: recordings and simulator read through the program, from the change to its effect.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;
mod refusals;
mod running;
#[expect(dead_code, clippy::format_push_string, reason = "a stand-in that other tests use in more ways")]
#[path = "../safety/server.rs"]
mod server;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use common::{
    World,
    journey::{change, changes, outcomes},
};
use running::{Site, await_that};
use serde_json::{Value, json};
use server::{Answer, Server};

/// A recorded exchange.
fn recording(name: &str) -> Value {
    let path = format!("{}/tests/samples/wordpress/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A recorded answer as the stand-in gives it.
fn answer(name: &str) -> Answer {
    let response = &recording(name)["response"];
    let total = response["headers"].as_array().unwrap().iter().find(|pair| pair[0] == "X-WP-Total");
    let mut headers = vec![("content-type", "application/json; charset=UTF-8".to_owned())];
    headers.extend(total.map(|pair| ("x-wp-total", pair[1].as_str().unwrap().to_owned())));
    let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
    Answer::Reply(status, headers, response["body"].to_string().into_bytes())
}

/// What the recorded site answers, in one of its two states.
fn recorded(state: &'static str) -> impl Fn(&server::Request) -> Answer {
    move |request| {
        let page = ["1", "2", "3"].into_iter().find(|page| request.target.contains(&format!("&page={page}&")));
        match (request.path(), page) {
            ("/wp-json/wp/v2/users/me", _) => answer("me-edit"),
            ("/wp-json/wp/v2/users", Some(page)) => answer(&format!("{state}-page{page}")),
            // Whoever reads on behind the end is given nothing.
            ("/wp-json/wp/v2/users", None) => {
                let Answer::Reply(status, headers, _) = answer(&format!("{state}-page1")) else { return Answer::Close };
                Answer::Reply(status, headers, b"[]".to_vec())
            }
            ("/wp-json/wp/v2/users/41" | "/wp-json/wp/v2/users/60", _) => answer("user-404"),
            _ => answer("route-404"),
        }
    }
}

#[test]
fn two_recorded_states_of_a_site_differ_in_the_plan_by_exactly_what_was_changed_there() {
    let site = Server::start(recorded("users-fields"));
    let config = format!(
        "[systems.website]\nkind = \"wordpress\"\nurl = \"{}\"\nusername = \"siteadmin\"\ntoken = {{ env = \"PASSWORD\" }}\n\
         meta = [\"department\", \"start_date\"]\ncoverage = \"full\"\nsays = \"changes\"\n",
        site.url
    );
    // Every column has an attribute of its own; which one does not matter here.
    let rules = "source(\"website\", |user| #{ key: user.id, username: user.username, email: user.email, display_name: user.name, \
                 first_name: user.first_name, last_name: user.last_name, nickname: user.slug, position: user.roles, \
                 locale: user.meta_department + \"/\" + user.meta_start_date, active: true });\n";
    let world = World::new()
        .variable("PASSWORD", "abcd EFGH 1234 ijkl MNOP 5678")
        .file("homeward.toml", &config)
        .file("rules/people.rhai", rules);
    let asked = |arguments: &[&str]| -> Value {
        let mut all = vec!["--quiet", "--format", "json"];
        all.extend(arguments);
        let ran = world.homeward(&all);
        assert_eq!(ran.status, 0, "{}\n{:#?}", ran.stderr, site.requests());
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let seen = |plan: &Value| -> BTreeMap<u64, Value> {
        let all = plan["seen"].as_array().unwrap().iter();
        all.map(|seen| (seen["key"].as_str().unwrap().parse().unwrap(), seen["values"].clone())).collect()
    };
    let first = seen(&asked(&["plan", "website"]));
    let expected = recording("users-after.expected");
    assert_eq!(first.len() as u64, expected["total_before"].as_u64().unwrap());
    asked(&["apply", "--yes", "website"]);
    assert_eq!(seen(&asked(&["plan", "website"])), BTreeMap::new());

    site.behave(recorded("users-after"));
    let then = seen(&asked(&["plan", "website"]));
    let ids = |key: &str| -> BTreeSet<u64> {
        expected[key].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
    };
    let is_gone = |values: &&Value| values["active"] == json!(false);
    let gone: BTreeSet<u64> = then.iter().filter(|(_, values)| is_gone(values)).map(|(id, _)| *id).collect();
    assert_eq!(gone, ids("deleted"));
    let created: BTreeSet<u64> = then.keys().filter(|id| !first.contains_key(id)).copied().collect();
    assert_eq!(created, ids("created"));

    let mut told: BTreeMap<u64, BTreeMap<String, Value>> = BTreeMap::new();
    for (id, now) in then.iter().filter(|(id, values)| first.contains_key(id) && !is_gone(values)) {
        for (name, was) in first[id].as_object().unwrap().iter().filter(|(name, was)| now[name.as_str()] != **was) {
            told.entry(*id).or_default().insert(name.clone(), json!([was, now[name.as_str()]]));
        }
    }
    let mut wanted: BTreeMap<u64, BTreeMap<String, Value>> = BTreeMap::new();
    for one in expected["changed"].as_array().unwrap() {
        for (name, pair) in one["changed"].as_object().unwrap() {
            let told_as = |value: &Value| match value {
                Value::Array(several) => {
                    json!(several.iter().map(|role| role.as_str().unwrap()).collect::<Vec<_>>().join(" "))
                }
                value => value.clone(),
            };
            // An empty text is no value.
            let value = |value: Value| if value == json!("") { Value::Null } else { value };
            let pair = [value(told_as(&pair[0])), value(told_as(&pair[1]))];
            let (name, pair) = match name.as_str() {
                "name" => ("display_name", json!(pair)),
                "slug" => ("nickname", json!(pair)),
                "roles" => ("position", json!(pair)),
                "meta.department" | "meta.start_date" => ("locale", Value::Null),
                name => (name, json!(pair)),
            };
            wanted.entry(one["id"].as_u64().unwrap()).or_default().insert(name.to_owned(), pair);
        }
    }
    // Two meta values share an attribute here: what is told of them is looked at by itself.
    for (id, was, is) in [(70, "Operations/", "Quality/"), (71, "/2016-06-17", "/")] {
        let pair = told.get_mut(&id).unwrap().get_mut("locale").unwrap().take();
        let (before, after) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let is_so = if id == 70 {
            before.starts_with(was) && after.starts_with(is)
        } else {
            before.ends_with(was) && after.ends_with(is)
        };
        assert!(is_so, "{pair}");
    }
    assert_eq!(told, wanted);
    assert!(site.writes().is_empty());
}

#[test]
fn a_rename_told_by_webhook_is_done_at_gitlab_within_two_seconds() {
    let site = Site::new("1h");
    site.tells();
    let watch = site.watch();
    let mut worst = Duration::ZERO;
    for name in ["anna.b", "anna.c", "anna.d"] {
        site.meddle("7", &json!({ "username": name }));
        worst = worst.max(await_that(name, || site.anna() == name));
    }
    println!("from the change on the website to its effect at GitLab: {} ms at most", worst.as_millis());
    assert!(worst < Duration::from_secs(2), "{worst:?}\n{}", watch.log());
    // Each was one delivery, one run and one call.
    let deliveries = site.world.lab("website", "GET", "deliveries", &Value::Null);
    assert_eq!(deliveries["deliveries"].as_array().unwrap().len(), 3, "{deliveries:#}");
    await_that("three runs with a call", || {
        site.runs().iter().filter(|run| run["calls"] == 1 && run["standing"] == "done").count() == 3
    });
    assert_eq!(site.world.writes("gitlab").len(), 3);
    assert_eq!(site.world.writes("website"), Vec::<Value>::new());
    watch.stop();
}

#[test]
fn a_rename_that_nothing_tells_of_is_done_within_one_interval_of_the_poll() {
    let site = Site::new("1s");
    let watch = site.watch();
    site.meddle("7", &json!({ "username": "anna.b", "events": false }));
    let took = await_that("the poll finds it", || site.anna() == "anna.b");
    println!("from the change in the database to its effect at GitLab: {} ms, polled every 1000 ms", took.as_millis());
    assert!(took < Duration::from_secs(3), "{took:?}\n{}", watch.log());
}

#[test]
fn polls_that_find_nothing_new_make_no_runs() {
    let site = Site::new("100ms");
    let watch = site.watch();
    let polls =
        || site.world.asked("website").iter().filter(|line| line.contains("/users?") && line.contains("page=")).count();
    let before = polls();
    await_that("many polls", || polls() > before + 5);
    assert_eq!(site.runs().len(), 1, "{:#?}\n{}", site.runs(), watch.log());
}

#[test]
fn a_list_of_nonsense_is_held_until_the_website_answers_sense_again() {
    let site = Site::new("100ms");
    let limits = "\n[limits]\nrejected = { share = \"10%\", at_least = 0 }\n";
    site.world.write("homeward.toml", (site.world.read("homeward.toml") + limits).as_bytes());
    let watch = site.watch();
    let stood = || site.runs().iter().map(|run| run["standing"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for (user, name) in [("7", "An\u{1b}na"), ("8", "Be\u{1b}n")] {
        site.meddle(user, &json!({ "name": name, "first_name": name, "events": false }));
    }
    await_that("it is held", || stood().contains(&"held".to_owned()));
    site.meddle("7", &json!({ "name": "Anna Berg", "first_name": "Anna", "username": "anna.b", "events": false }));
    // One of two in three is still too many, and no more is done of this list.
    let asked = site.world.asked("website").len();
    await_that("more polls", || site.world.asked("website").len() > asked + 20);
    assert_eq!(site.anna(), "anna");
    site.meddle("8", &json!({ "name": "Ben Cole", "first_name": "Ben", "events": false }));
    await_that("the list that makes sense is used", || site.anna() == "anna.b");
    await_that("nothing waits any more", || !stood().contains(&"held".to_owned()));
    assert!(stood().contains(&"superseded".to_owned()), "{:?}\n{}", site.runs(), watch.log());
    // A list that makes no sense makes one run, however often it is read.
    assert!(site.runs().len() <= 5, "{:#?}\n{}", site.runs(), watch.log());
    watch.stop();
}

/// An address that GitLab has given to somebody else: her change is refused, at every look.
#[test]
fn a_change_that_stays_refused_makes_no_run_at_each_poll() {
    let site = Site::new("100ms");
    let watch = site.watch();
    site.meddle("7", &json!({ "username": "ben.c" }));
    await_that("a run that tells of it", || site.runs().len() >= 2);
    let polls = || site.world.asked("website").len();
    let (asked, runs) = (polls(), site.runs().len());
    await_that("many polls", || polls() > asked + 20);
    assert!(site.runs().len() <= runs + 1, "{:#?}\n{}", site.runs(), watch.log());
}

#[test]
fn only_a_user_who_is_missing_from_a_whole_list_and_answers_404_has_left() {
    let site = Site::new("1h");
    let config = site.world.read("homeward.toml").replace("says = ", "coverage = \"full\"\nsays = ");
    let rules = "owner(\"active\", \"website\");\ncopies(\"active\", [\"gitlab\", \"mattermost\"]);\n\
                 source(\"website\", |user| #{ key: user.id, email: user.email, active: true });\n\
                 for system in [\"gitlab\", \"mattermost\"] {\n    join(system, [\"email\"]);\n}\n";
    let limits =
        "\n[limits]\nmissing = { share = \"50%\", at_least = 5 }\nremovals = { share = \"50%\", at_least = 5 }\n";
    site.world.write("homeward.toml", format!("{config}{limits}").as_bytes());
    site.world.write("rules/people.rhai", rules.as_bytes());
    std::fs::remove_dir_all(site.world.path("rules/tests")).unwrap();
    site.world.json(0, &["apply", "website"]);
    site.world.lab("website", "DELETE", "users/8", &Value::Null);
    let plan = site.world.json(0, &["plan", "website"]);
    assert_eq!(
        changes(&plan),
        ["website/8 active gitlab apply true → false", "website/8 active mattermost apply true → false"]
    );
    let asked = site.world.asked("website");
    assert!(asked.iter().any(|line| line.starts_with("GET /wp-json/wp/v2/users/8?")), "{asked:#?}");
    site.world.json(0, &["apply", "--yes", "website"]);
    assert_eq!(site.world.state("gitlab")["users"]["43"]["state"], "blocked");
    site.tells();
    let watch = site.watch();
    site.world.lab("website", "DELETE", "users/7", &Value::Null);
    await_that("a deletion that was told of is done", || {
        site.world.state("gitlab")["users"]["42"]["state"] == "blocked"
    });
    watch.stop();
    assert_eq!(changes(&site.world.json(0, &["plan", "website"])), Vec::<String>::new());
}

#[test]
fn names_go_on_as_people_read_them_and_not_as_wordpress_keeps_them() {
    let site = Site::new("1h");
    let rules = "owner(\"display_name\", \"website\");\ncopies(\"display_name\", \"gitlab\");\n\
                 source(\"website\", |user| #{ key: user.id, email: user.email, display_name: user.name });\njoin(\"gitlab\", [\"email\"]);\n";
    site.world.write("rules/people.rhai", rules.as_bytes());
    std::fs::remove_dir_all(site.world.path("rules/tests")).unwrap();
    site.world.json(0, &["apply", "website"]);
    site.meddle("7", &json!({ "name": "Anna \"R&D\" O'Hara" }));
    let kept = site.world.state("website")["users"]["7"]["name"].as_str().unwrap().to_owned();
    assert!(kept.contains("R&amp;D"), "{kept}");
    let plan = site.world.json(0, &["plan", "website"]);
    assert_eq!(changes(&plan), ["website/7 display_name gitlab apply Anna Berg → Anna \"R&D\" O'Hara"]);
}

#[test]
fn copies_go_back_to_the_website_except_the_login_and_nothing_goes_back_and_forth() {
    let site = Site::new("200ms");
    let rules = "owner([\"display_name\", \"first_name\", \"nickname\", \"username\"], \"hr\");\n\
                 copies([\"display_name\", \"first_name\", \"nickname\", \"username\"], \"website\");\n\
                 source(\"hr\", |row| #{ key: row.id, email: row.email, display_name: row.name, first_name: row.first, \
                 nickname: row.nick, username: row.login });\n\
                 source(\"website\", |user| #{ key: user.id, email: user.email, display_name: user.name });\n\
                 join(\"website\", [\"email\"]);\n";
    let config = site.world.read("homeward.toml");
    let hr = "\n[systems.hr]\nkind = \"csv\"\nkey = \"id\"\ncoverage = \"partial\"\nsays = \"state\"\n";
    site.world.write("homeward.toml", format!("{config}{hr}").as_bytes());
    site.world.write("rules/people.rhai", rules.as_bytes());
    site.world.write("hr.csv", b"id,email,name,first,nick,login\n1,anna@example.com,Anna R&D Berg,Anne,Annie,anna.b\n");
    std::fs::remove_dir_all(site.world.path("rules/tests")).unwrap();
    site.set(&json!({ "rights": "administrator" }));
    let checked = site.world.homeward(&["check"]);
    assert_eq!(checked.status, 0, "{}", checked.stderr);
    assert!(checked.stdout.contains("Certified: no attribute can go back and forth."), "{}", checked.stdout);

    let plan = site.world.json(0, &["plan", "hr=hr.csv"]);
    assert_eq!(
        changes(&plan),
        [
            "hr/1 display_name website apply Anna Berg → Anna R&D Berg",
            "hr/1 first_name website apply Anna → Anne",
            "hr/1 nickname website apply anna → Annie",
            "hr/1 username website refuse anna → anna.b",
        ]
    );
    let login = change(&plan, "hr/1", "username", "website");
    assert_eq!(login["refusal"], "unsupported");
    let reason = login["reason"].as_str().unwrap();
    assert!(reason.contains("WordPress keeps a login for ever"), "{reason}");
    assert_eq!(outcomes(&site.world.json(4, &["apply", "--yes", "hr=hr.csv"])), ["done"]);
    let anna = || {
        let user = site.world.state("website")["users"]["7"].clone();
        ["username", "name", "first_name", "nickname"].map(|key| user[key].as_str().unwrap().to_owned())
    };
    assert_eq!(anna(), ["anna", "Anna R&amp;D Berg", "Anne", "Annie"]);
    assert_eq!(changes(&site.world.json(0, &["plan", "hr=hr.csv"])), ["hr/1 username website refuse anna → anna.b"]);

    // The website tells of its own new name, and nobody writes it again.
    let written = site.world.writes("website").len();
    let watch = site.watch();
    site.meddle("7", &json!({ "name": "Anna Berg" }));
    let asked = site.world.asked("website").len();
    await_that("some polls", || site.world.asked("website").len() > asked + 10);
    assert_eq!(site.world.writes("website").len(), written, "{}", watch.log());
}

#[test]
fn what_was_set_aside_is_let_go_where_the_website_takes_it_back() {
    let site = Site::new("1s");
    let config = site.world.read("homeward.toml");
    let limit = "[limits]\nattributes = { nickname = { share = \"0%\", at_least = 0 } }\n";
    site.world.write("homeward.toml", format!("{config}\n{limit}").as_bytes());
    let rules = r#"
owner(["username", "email", "nickname"], "mattermost");
source("website", |user| #{ key: user.id, username: user.username.lower(), email: user.email.lower(), nickname: user.first_name });
join("gitlab", ["email"]);
join("mattermost", ["email"]);
"#;
    site.world.write("rules/people.rhai", rules.as_bytes());
    let passes = || {
        let ran = site.world.homeward(&["--lab", "watch", "--once", "--apply"]);
        let count = |standing: &str| site.runs().iter().filter(|run| run["standing"] == standing).count();
        (ran.status, count("aside"), count("superseded"))
    };
    assert_eq!(passes(), (0, 0, 0));
    site.meddle("7", &json!({ "first_name": "Annie" }));
    site.meddle("8", &json!({ "first_name": "Benny" }));
    assert_eq!(passes(), (4, 1, 0));
    // What is still wanted waits anew.
    site.meddle("7", &json!({ "first_name": "Anna" }));
    assert_eq!(passes(), (4, 1, 1));
    assert_eq!(passes(), (4, 1, 1), "once is enough");
    let aside = site.runs().into_iter().find(|run| run["standing"] == "aside").unwrap()["run"].to_string();
    assert_eq!(site.world.homeward(&["--lab", "approve", "--yes", &aside]).status, 0);
    let users = site.world.state("mattermost")["users"].clone();
    let nicknames: Vec<&str> =
        users.as_object().unwrap().values().filter_map(|user| user["nickname"].as_str()).collect();
    assert!(nicknames.contains(&"Benny") && !nicknames.contains(&"Annie"), "{nicknames:?}");
}

#[test]
fn the_service_ends_where_its_store_is_gone() {
    let site = Site::new("1h");
    let mut watch = site.watch();
    for name in ["lab.db", "lab.db-wal", "lab.db-shm"] {
        std::fs::remove_file(site.world.path(&format!(".homeward/{name}"))).unwrap();
    }
    assert_eq!(watch.ended(), Some(2));
    assert!(watch.log().contains("it was removed, moved or replaced"), "{}", watch.log());
}
