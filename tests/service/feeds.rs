//! Feeds side by side, plans that wait, and a service that ends by itself.

use std::{fs, time::Instant};

use serde_json::json;

use crate::{
    common::World,
    running::{Service, drop_file, people, project, runs, stands, status, until, user},
};

#[test]
fn without_apply_a_plan_waits_and_the_service_carries_it_out_once_it_is_approved() {
    let world = project(2);
    let mut service = Service::start(&world, &[]);
    drop_file(&world, "hr", "people.csv", &people(2, "later"));
    let run = stands(&world, "people.csv", "waiting")["run"].to_string();
    assert_eq!(user(&world, 1)["username"], "first1");
    assert_eq!(world.writes("gitlab"), Vec::<serde_json::Value>::new());
    let ran = world.homeward(&["--lab", "approve", &run, "--yes", "--by", "Olga"]);
    let begun = Instant::now();
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("the service that is running carries it out"), "{}", ran.stderr);
    let done = stands(&world, "people.csv", "done");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
    assert!(done["told"].as_str().unwrap().starts_with("approved by Olga at "), "{done}");
    assert_eq!(user(&world, 2)["username"], "later2");
    assert_eq!(world.writes("gitlab").len(), 2);
    until("the file is put away", || fs::read_dir(world.path("drop/hr/archive")).is_ok().then_some(()));

    // What is rejected is never carried out, and the next file has its turn.
    drop_file(&world, "hr", "wrong.csv", &people(2, "wrong"));
    let run = stands(&world, "wrong.csv", "waiting")["run"].to_string();
    drop_file(&world, "hr", "right.csv", &people(2, "right"));
    assert_eq!(world.homeward(&["--lab", "reject", &run]).status, 0);
    stands(&world, "right.csv", "waiting");
    until("the rejected file is put aside", || {
        let names = fs::read_dir(world.path("drop/hr/error")).ok()?;
        names.filter_map(Result::ok).any(|name| name.file_name().to_string_lossy().contains("wrong")).then_some(())
    });
    assert_eq!(user(&world, 2)["username"], "later2");
    service.stop();
}

#[test]
fn a_feed_in_trouble_does_not_stop_the_other() {
    let world = project(1);
    let service = Service::start(&world, &["--apply"]);
    fs::remove_dir_all(world.path("drop/hr")).unwrap();
    until("the trouble is told", || (status(&world).1["feeds"]["hr"]["trouble"] != json!(null)).then_some(()));
    drop_file(&world, "offices", "offices.csv", "id,email,office\nA,person000001@example.com,Porto\n");
    stands(&world, "offices.csv", "done");
    assert_eq!(user(&world, 1)["organization"], "Porto");
    fs::create_dir(world.path("drop/hr")).unwrap();
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    stands(&world, "people.csv", "done");
    drop(service);
}

#[test]
fn a_feed_whose_plan_waits_does_not_stop_the_other() {
    let world = project(1);
    let limits = world.read("homeward.toml").replace("[limits]\n", "[limits]\nchanges = \"1%\"\n");
    let limits = limits.replace("differing = { share = \"100%\" }", "attributes = { username = { share = \"1%\" } }");
    world.write("homeward.toml", limits.as_bytes());
    let service = Service::start(&world, &["--apply"]);
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    stands(&world, "people.csv", "held");
    drop_file(&world, "offices", "offices.csv", "id,email,office\nA,person000001@example.com,Porto\n");
    stands(&world, "offices.csv", "done");
    drop(service);
}

#[test]
fn once_deals_with_what_is_there_and_ends() {
    let world = project(1);
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    drop_file(&world, "offices", "offices.csv", "id,email,office\nA,person000001@example.com,Porto\n");
    let ran = world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!((&user(&world, 1)["username"], &user(&world, 1)["organization"]), (&json!("later1"), &json!("Porto")));
    // Again, with nothing there: the same end, and nothing new.
    let before = runs(&world);
    assert_eq!(world.homeward(&["--lab", "watch", "--once", "--apply"]).status, 0);
    assert_eq!(runs(&world), before);
    // A plan that waits is no work for us, and the exit code says that it is somebody's.
    drop_file(&world, "hr", "more.csv", &people(1, "more"));
    assert_eq!(world.homeward(&["--lab", "watch", "--once"]).status, 4);
    stands(&world, "more.csv", "waiting");
    // It is so as long as it waits.
    for arguments in [&["--lab", "watch", "--once"][..], &["--lab", "watch", "--once", "--apply"]] {
        assert_eq!(world.homeward(arguments).status, 4, "{arguments:?}");
    }
    stands(&world, "more.csv", "waiting");
}

#[test]
fn once_says_as_apply_does_that_something_of_a_list_was_not_done() {
    let world = project(2);
    let list = people(2, "later") + ",nobody,person000003@example.com,Nobody\n";
    drop_file(&world, "hr", "people.csv", &list);
    let ran = world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(user(&world, 2)["username"], "later2");
    let run = stands(&world, "people.csv", "done");
    assert_eq!(run["told"], "1 row could not be used", "{run}");
    assert_eq!(ran.status, 4, "{}", ran.stderr);
}

#[test]
fn nothing_to_watch_is_a_mistake() {
    let mut world = World::example("start");
    let ran = world.homeward(&["--lab", "watch"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("no lab of this project runs"), "{}", ran.stderr);
    world.start_lab(&[]);
    let ran = world.homeward(&["--lab", "watch"]);
    assert_eq!(ran.status, 2);
    assert!(ran.stderr.contains("there is nothing to watch"), "{}", ran.stderr);
}

#[test]
fn many_runs_are_listed_from_the_newest_on() {
    let world = project(1);
    for number in 0..55 {
        drop_file(&world, "hr", &format!("{number:02}.csv"), &people(1, &format!("name{number}x")));
    }
    let ran = world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let ran = world.homeward(&["--lab", "--format", "json", "runs"]);
    let newest: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let newest = newest["runs"].as_array().unwrap();
    assert_eq!(ran.stderr, "the newest 50; all of them: homeward --lab runs --all\n");
    let all = runs(&world);
    assert_eq!((newest.len(), all.len()), (50, 57));
    assert_eq!(*newest, all[..50]);
    assert_eq!(user(&world, 1)["username"], "name54x1");
}
