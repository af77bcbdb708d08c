//! What comes back, to the byte, and what is told to stay.

use serde_json::{Value, json};

use crate::company::{company, differences, hears, rows, states};

#[test]
fn a_run_of_every_kind_of_change_is_taken_back_but_for_what_is_told_to_stay() {
    let world = company(9, &[8]);
    let before = states(&world);
    let mut said = rows(9);
    let mut set = |at: usize, column: &'static str, value: &str| said[at].insert(column, value.to_owned());
    // A ring of names, a chain, and a new address.
    set(0, "username", "p1");
    set(1, "username", "p0");
    set(2, "username", "p2.new");
    set(3, "username", "p2");
    set(4, "email", "p4.new@example.com");
    // A profile, with something that was empty and something that becomes empty.
    set(3, "first", "Fresh");
    set(3, "nick", "Fresh3");
    set(3, "note", "A new note");
    set(4, "note", "");
    set(4, "position", "");
    // Off and on.
    set(5, "active", "no");
    set(6, "active", "yes");
    // Memberships: gained, lost, another level.
    set(1, "crew", "maintainer");
    set(2, "crew", "guest");
    set(1, "ops", "");
    set(7, "teams", "ops+sales");
    set(0, "teams", "sales");
    // One who is new at Mattermost, and a message.
    set(7, "welcome", "Welcome");
    let report = hears(&world, 0, &said);
    let done = report["outcomes"].as_array().unwrap();
    assert!(done.iter().all(|one| one["outcome"] == "done"), "{report:#}");
    let between = states(&world);

    let ran = world.homeward(&["--lab", "undo", "2", "--out", "u.json"]);
    println!("STDERR {}", ran.stderr);
    let ran = world.homeward(&["--lab", "undo", "2", "--yes"]);
    println!("{}", ran.stderr);
    for line in differences(&before, &between) { println!("B {line}"); }
    for line in differences(&before, &states(&world)) { println!("D {line}"); }
    assert_eq!(ran.status, 99);
    let _: Value = json!(1);
}
