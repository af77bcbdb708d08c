//! The store may be locked, full or broken: it is told, nothing is lost, and the service goes on when it can.

use std::fs;

use serde_json::Value;

use crate::{
    common::send,
    running::{Service, drop_file, people, project, stands, until, user},
};

#[test]
fn a_store_that_somebody_locks_is_trouble_and_no_end() {
    let world = project(1);
    let mut service = Service::start(&world, &["--apply"]);
    let url = service.health();
    let lock = rusqlite::Connection::open(world.path(".homeward/lab.db")).unwrap();
    lock.execute_batch("begin exclusive").unwrap();
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    let told = service.says("the store cannot be");
    assert!(told.contains("locked"), "{told}");
    until("it is told", || (send("GET", &url, &[], &Value::Null).status == 503).then_some(()));
    lock.execute_batch("rollback").unwrap();
    stands(&world, "people.csv", "done");
    assert_eq!(user(&world, 1)["username"], "later1");
    until("all is well", || (send("GET", &url, &[], &Value::Null).status == 200).then_some(()));
    assert_eq!(world.writes("gitlab").len(), 1);
    service.stop();
}

#[test]
fn a_store_that_is_none_is_told_before_anything_is_taken() {
    let world = project(1);
    for file in ["lab.db-wal", "lab.db-shm"] {
        let _ = fs::remove_file(world.path(&format!(".homeward/{file}")));
    }
    fs::write(world.path(".homeward/lab.db"), "this is no store at all".repeat(100)).unwrap();
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    let ran = world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be opened"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not a database"), "{}", ran.stderr);
    assert!(world.path("drop/hr/people.csv").exists());
    assert_eq!(world.writes("gitlab").len(), 0);
}

#[test]
fn a_store_that_is_full_stops_before_the_first_call_and_goes_on_when_there_is_room() {
    let world = project(3);
    let mut service = Service::start(&world, &["--apply"]);
    until("it has looked", || (send("GET", &service.health(), &[], &Value::Null).status == 200).then_some(()));
    // What a full disk says, said by a rule of the database itself.
    let store = rusqlite::Connection::open(world.path(".homeward/lab.db")).unwrap();
    store
        .execute_batch("create trigger full before insert on journal begin select raise(abort, 'disk is full'); end")
        .unwrap();
    drop_file(&world, "hr", "people.csv", &people(3, "later"));
    let told = service.says("disk is full");
    assert!(!told.contains("later"), "{told}");
    assert_eq!(world.writes("gitlab").len(), 0, "something was sent that was not written down");
    store.execute_batch("drop trigger full").unwrap();
    stands(&world, "people.csv", "done");
    assert_eq!(world.writes("gitlab").len(), 3);
    assert_eq!(user(&world, 3)["username"], "later3");
    service.stop();
}
