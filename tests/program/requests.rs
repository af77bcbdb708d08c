//! What a source that says only changes asked for is asked again until it is done: a refusal in passing loses nothing.

use crate::common::World;
use serde_json::json;

#[test]
fn a_request_that_could_not_be_done_is_asked_again_the_next_time() {
    let mut world = World::example("rename-through-gitlab");
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "apply", "website=before.csv"]).status, 0);

    // Between the plan and the call somebody else takes the name: GitLab will say no.
    assert_eq!(world.homeward(&["--lab", "plan", "--out", "plan.json", "website=after.csv"]).status, 0);
    world.lab("gitlab", "POST", "meddle/43", &json!({ "username": "anna.b" }));
    let refused = world.homeward(&["--lab", "apply", "--yes", "plan.json"]);
    assert_eq!(refused.status, 7, "{}", refused.stdout);
    assert_eq!(world.state("gitlab")["users"]["42"]["username"], "anna");

    // The same file again, and the name is free again: the rename was not forgotten.
    world.lab("gitlab", "POST", "meddle/43", &json!({ "username": "ben.c" }));
    let done = world.homeward(&["--lab", "apply", "--yes", "website=after.csv"]);
    assert_eq!(done.status, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(world.state("gitlab")["users"]["42"]["username"], "anna.b");

    // Done is done: what GitLab changes afterwards is not undone by yesterday's list.
    world.lab("gitlab", "POST", "meddle/42", &json!({ "username": "anna.c" }));
    let nothing = world.homeward(&["--lab", "plan", "website=after.csv"]);
    assert_eq!(nothing.stdout, "Plan: 0 changes in 0 calls, 2 of 2 people unchanged.\n");
}

#[test]
fn a_plan_that_a_limit_stops_is_one_document_and_its_limits_are_told_beside_it() {
    let world = World::example("start").file("people.csv", &{
        let rows = (1..=9).map(|n| format!("{n},Ann,Lee,p{n}@example.com,new{n},Left\n"));
        rows.fold("employee_id,first_name,last_name,email,username,status\n".to_owned(), |text, row| {
            text + row.as_str()
        })
    });
    let users: Vec<_> = (1..=9)
        .map(|n| json!({ "username": format!("p{n}"), "name": "Ann Lee", "email": format!("p{n}@example.com") }))
        .collect();
    let world = world.file("lab/gitlab.json", &json!({ "users": users }).to_string());
    let ran = world.homeward(&["--lab", "--format", "json", "plan", "hr=people.csv"]);
    assert_eq!(ran.status, 6, "{}", ran.stderr);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan["format"], "homeward.plan/1");
    assert!(ran.stderr.contains("9 of 9 people would lose gitlab; `limits.removals` allows 5"), "{}", ran.stderr);
}
