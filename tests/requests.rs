//! What a source that says only changes asked for is asked again until it is done: a refusal in passing loses nothing.

mod common;

use common::World;
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
