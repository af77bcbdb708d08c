//! SIGHUP reads configuration and rules again. What is wrong changes nothing.

use std::{fs, net::TcpListener};

use serde_json::{Value, json};

use crate::{
    common::{World, send},
    running::{RULES, Service, config, drop_file, feed, free_port, people, project, stands, status, until, user},
};

fn health(url: &str) -> u16 {
    send("GET", url, &[], &Value::Null).status
}

#[test]
fn good_rules_take_effect_for_the_next_file() {
    let world = project(1);
    let service = Service::start(&world, &["--apply"]);
    let shouted = RULES.replace("display_name: row.name }", "display_name: row.name.upper() }");
    world.write("rules/people.rhai", shouted.as_bytes());
    service.signal("HUP");
    service.says("configuration and rules are read again");
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    stands(&world, "people.csv", "done");
    assert_eq!(user(&world, 1)["name"], "LATER QUARTERSTAFF 1");
}

#[test]
fn broken_rules_and_broken_configuration_leave_the_old_ones_in_force() {
    let world = project(1);
    let service = Service::start(&world, &["--apply"]);
    let url = service.health();
    let good = world.read("homeward.toml");
    world.write("rules/people.rhai", format!("{RULES}\nowner(\"usrname\", \"hr\");\n").as_bytes());
    service.signal("HUP");
    let told = service.says("the old configuration and rules stay");
    assert!(told.contains("usrname") && told.contains("see `homeward check`"), "{told}");
    assert_eq!(health(&url), 200);

    world.write("rules/people.rhai", RULES.as_bytes());
    world.write("homeward.toml", good.replace("concurrency = 4", "concurency = 4").as_bytes());
    service.signal("HUP");
    service.says("concurency");

    // An address that is taken is found before anything is let go.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    world.write("homeward.toml", good.replace("127.0.0.1:0", &address.to_string()).as_bytes());
    service.signal("HUP");
    service.says(&format!("{address} cannot be listened at"));
    let second = world.homeward(&["--lab", "watch", "--once"]);
    assert_eq!(second.status, 2);
    assert!(second.stderr.contains("a service of this project is running already"), "{}", second.stderr);

    // Nothing to watch is a mistake, too.
    let nothing = good.replace("folder = \"drop/hr\"\n", "").replace("folder = \"drop/offices\"\n", "");
    let lines: Vec<&str> =
        nothing.lines().filter(|line| !line.starts_with("quiet") && !line.starts_with("look_every")).collect();
    world.write("homeward.toml", lines.join("\n").as_bytes());
    service.signal("HUP");
    service.says("no source is configured that could be watched");
    assert_eq!(health(&url), 200);

    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    stands(&world, "people.csv", "done");
    assert_eq!(user(&world, 1)["name"], "later Quarterstaff 1");
}

#[test]
fn feeds_come_and_go_with_the_configuration() {
    let world = project(1);
    let service = Service::start(&world, &["--apply"]);
    let feeds =
        |world: &World| -> Vec<String> { status(world).1["feeds"].as_object().unwrap().keys().cloned().collect() };
    until("both feeds have looked", || (feeds(&world) == ["hr", "offices"]).then_some(()));
    let rules = RULES.replace("\"offices\"", "\"branches\"");
    world.write("rules/people.rhai", rules.as_bytes());
    let other = config().replace(&feed("offices", "id", ""), &feed("branches", "id", ""));
    world.write("homeward.toml", other.as_bytes());
    fs::create_dir_all(world.path("drop/branches")).unwrap();
    service.signal("HUP");
    service.says("configuration and rules are read again: watching branches, hr");
    until("the one feed is there and the other gone", || (feeds(&world) == ["branches", "hr"]).then_some(()));

    // What is dropped for the one is taken, what is dropped for the other stays.
    drop_file(&world, "offices", "late.csv", "id,email,office\nA,person000001@example.com,Porto\n");
    drop_file(&world, "branches", "new.csv", "id,email,office\nA,person000001@example.com,Brno\n");
    stands(&world, "new.csv", "waiting");
    assert!(world.path("drop/offices/late.csv").exists());
    let known: Vec<String> = send("GET", &service.health(), &[], &Value::Null).json()["feeds"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(known, ["branches", "hr"]);
}

#[test]
fn the_webhook_moves_to_its_new_address() {
    let (old, new) = (free_port(), free_port());
    let website = |port: u16| {
        format!(
            "{}\n[systems.website]\nkind = \"wordpress\"\nurl = \"https://www.example.com\"\nusername = \
             \"homeward\"\ntoken = {{ env = \"TOKEN\" }}\nwebhook = {{ listen = \"127.0.0.1:{port}\", secret = {{ env = \
             \"HOOK\" }} }}\n",
            config()
        )
    };
    let rules = format!("{RULES}\nsource(\"website\", |user| #{{ key: user.id, email: user.email }});\n");
    let mut world = World::new()
        .file("homeward.toml", &website(old))
        .file("rules/people.rhai", &rules)
        .variable("HOOK", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    for feed in ["hr", "offices"] {
        fs::create_dir_all(world.path(&format!("drop/{feed}"))).unwrap();
    }
    world.start_lab(&[]);
    let service = Service::start(&world, &[]);
    let knock = |port: u16| send("POST", &format!("http://127.0.0.1:{port}/"), &[], &json!({ "user": 1 })).status;
    assert_eq!(knock(old), 401, "unsigned");
    world.write("homeward.toml", website(new).as_bytes());
    service.signal("HUP");
    service.says("configuration and rules are read again");
    assert_eq!(knock(new), 401, "unsigned");
    // Nobody listens at the old one any more.
    until("the old address is free", || TcpListener::bind(("127.0.0.1", old)).ok());
}
