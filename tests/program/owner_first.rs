//! What an owner does not take, nobody else is given as the owner's: neither accounts that are there, nor new ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};

use crate::common::{World, journey::calls};

const SETTINGS: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
says = "state"
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }
[systems.zitadel]
kind = "zitadel"
url = "https://id.example.com"
token = { env = "ZITADEL_TOKEN" }
"#;

const RULES: &str = r#"
owner("username", "gitlab", |person| person.gitlab != ());
owner(["username", "email", "first_name", "last_name", "display_name", "active"], "hr");
copies(["username", "email", "display_name"], ["gitlab", "zitadel"]);
copies(["first_name", "last_name"], "zitadel");
source("hr", |row| #{
    key: row.id, username: row.username, email: row.email, first_name: row.first, last_name: row.last,
    display_name: row.first + " " + row.last, active: true,
});
join("gitlab", "email");
join("zitadel", "email");
"#;

/// Anna is at GitLab as `anna`, and somebody else as `taken`. Where ZITADEL has her too, it is under the same name.
fn world(settings: &str, rules: &str, is_at_zitadel: bool) -> World {
    let people = "id,username,email,first,last\n1,anna,anna@example.com,Anna,Berg\n";
    let users = json!({ "users": [
        { "id": 2, "username": "anna", "name": "Anna Berg", "email": "anna@example.com" },
        { "id": 3, "username": "taken", "name": "T", "email": "taken@example.com" },
    ] });
    let zitadel: Vec<Value> = is_at_zitadel.then(anna_at_zitadel).into_iter().collect();
    let mut world = World::new()
        .file("homeward.toml", &format!("{SETTINGS}{settings}"))
        .file("rules/people.rhai", &format!("{RULES}{rules}"))
        .file("lab/gitlab.json", &users.to_string())
        .file(
            "lab/zitadel.json",
            &json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": zitadel }).to_string(),
        )
        .file("day1.csv", people);
    world.start_lab(&[]);
    world.json(0, &["apply", "--yes", "hr=day1.csv"]);
    world
}

fn anna_at_zitadel() -> Value {
    json!({
        "organization": "org1", "username": "anna", "email": "anna@example.com", "first_name": "Anna",
        "last_name": "Berg", "display_name": "Anna Berg",
    })
}

/// HR calls Anna so: what becomes of her username where, with the reason.
fn called(world: &World, exit: i32, anna: &str) -> Vec<Value> {
    let list = format!("id,username,email,first,last\n1,{anna},anna@example.com,Anna,Berg\n");
    world.write("next.csv", list.as_bytes());
    let plan = world.json(exit, &["plan", "hr=next.csv"]);
    let username = |change: &&Value| change["attribute"] == "username";
    let told = |change: &Value| json!([change["system"], change["decision"], change["after"], change["reason"]]);
    plan["changes"].as_array().unwrap().iter().filter(username).map(told).collect()
}

#[test]
fn a_copy_of_what_the_owner_cannot_take_is_refused_with_it() {
    let world = world("", "", true);
    let told = called(&world, 0, "taken");
    let no = told[0][3].as_str().unwrap();
    let copy = format!("it would come from gitlab, where it is refused: {no}");
    assert_eq!(told, [json!(["gitlab", "refuse", "taken", no]), json!(["zitadel", "refuse", "taken", copy])]);
    // Who carries it out by hand finds beside the run what of it was not done.
    let report = world.json(4, &["apply", "--yes", "hr=next.csv"]);
    let run =
        world.json(0, &["runs"])["runs"].as_array().unwrap().iter().find(|run| run["run"] == report["run"]).cloned();
    assert_eq!(run.unwrap()["told"], "2 changes are refused");
    // What she may be called goes to both.
    let told: Vec<Value> = called(&world, 0, "anne").into_iter().map(|one| one[1].clone()).collect();
    assert_eq!(told, ["apply", "apply"]);
}

#[test]
fn a_copy_of_what_a_protected_owner_is_not_told_is_held_with_it() {
    let world = world("[limits]\nprotected = [\"gitlab:anna\"]\n", "", true);
    let no = "the account is protected by `limits.protected`";
    let copy = format!("it would come from gitlab, where it is held: {no}");
    assert_eq!(
        called(&world, 0, "anne"),
        [json!(["gitlab", "hold", "anne", no]), json!(["zitadel", "hold", "anne", copy])]
    );
}

#[test]
fn a_new_account_is_given_what_its_owner_holds_and_not_what_was_asked_of_it_in_vain() {
    let account = "account(\"zitadel\", |person| person.active);\n";
    for rule in ["hold(\"names stay\")", "drop(\"names stay\")"] {
        let rules = "route(|change| if change.system == \"gitlab\" && change.attribute == \"username\" { RULE });\n";
        let world = world("", &rules.replace("RULE", rule), false);
        world.write("rules/people.rhai", format!("{RULES}{account}{}", rules.replace("RULE", rule)).as_bytes());
        let told: Vec<Value> =
            called(&world, 0, "anne").into_iter().map(|one| json!([one[0], one[1], one[2]])).collect();
        let decision = rule.split('(').next().unwrap();
        assert_eq!(told, [json!(["gitlab", decision, "anne"]), json!(["zitadel", "apply", "anna"])], "{rule}");
        world.homeward(&["--lab", "apply", "--yes", "hr=next.csv"]);
        assert_eq!(world.user("zitadel", "email", "anna@example.com")["username"], "anna", "{rule}");
        // And the next night there is nothing to bring back to GitLab.
        assert_eq!(calls(&world.json(0, &["plan", "hr=next.csv"])), Vec::<String>::new(), "{rule}");
    }
    // Where GitLab is protected, nobody can say yet what she is to be called.
    let world = world("[limits]\nprotected = [\"gitlab:anna\"]\n", "", false);
    world.write("rules/people.rhai", format!("{RULES}{account}").as_bytes());
    let told: Vec<Value> = called(&world, 0, "anne").into_iter().map(|one| one[1].clone()).collect();
    assert_eq!(told, ["hold", "hold"]);
    let plan = world.json(0, &["plan", "hr=next.csv"]);
    assert_eq!(calls(&plan), Vec::<String>::new());
}

#[test]
fn what_a_limit_holds_at_the_owner_is_not_sent_to_others_as_the_owners() {
    let everybody = |suffix: &str| {
        let row = |n: u32| format!("{n},user{n}{suffix},user{n}@example.com,First,Last{n}\n");
        format!("id,username,email,first,last\n{}", (1..=6).map(row).collect::<String>())
    };
    let users: Vec<Value> = (1..=6)
        .map(|n| json!({ "id": n + 1, "username": format!("user{n}"), "name": format!("First Last{n}"), "email": format!("user{n}@example.com") }))
        .collect();
    let first = json!({
        "organization": "org1", "username": "user1", "email": "user1@example.com", "first_name": "First",
        "last_name": "Last1", "display_name": "First Last1",
    });
    let zitadel = json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": [first] });
    let mut world = World::new()
        .file("homeward.toml", &format!("{SETTINGS}[limits]\nchanges = \"5%\"\n"))
        .file("rules/people.rhai", RULES)
        .file("lab/gitlab.json", &json!({ "users": users }).to_string())
        .file("lab/zitadel.json", &zitadel.to_string())
        .file("day1.csv", &everybody(""))
        .file("day2.csv", &everybody("b"));
    world.start_lab(&[]);
    world.json(0, &["apply", "--yes", "hr=day1.csv"]);
    // Six at GitLab are one too many, and nobody is too many at ZITADEL.
    world.homeward(&["--lab", "apply", "--yes", "hr=day2.csv"]);
    let name = |system: &str| world.user(system, "email", "user1@example.com")["username"].clone();
    assert_eq!((name("gitlab"), name("zitadel")), (json!("user1"), json!("user1")));
    let runs = world.json(0, &["runs"]);
    let waits = |run: &&Value| ["held", "aside"].contains(&run["standing"].as_str().unwrap());
    let held = runs["runs"].as_array().unwrap().iter().find(waits).unwrap()["run"].to_string();
    // The same list again is nothing new: what waits can still be approved, and brings it to both.
    world.homeward(&["--lab", "apply", "--yes", "hr=day2.csv"]);
    let runs = world.json(0, &["runs"]);
    let held = runs["runs"].as_array().unwrap().iter().find(waits).map_or(held, |run| run["run"].to_string());
    world.json(0, &["approve", "--yes", &held]);
    assert_eq!((name("gitlab"), name("zitadel")), (json!("user1b"), json!("user1b")));
}

#[test]
fn a_copy_is_not_sent_where_its_owner_said_no() {
    let world = world("", "", true);
    let list = "id,username,email,first,last\n1,anne,anna@example.com,Anna,Berg\n";
    world.write("next.csv", list.as_bytes());
    let faults =
        json!({ "faults": [{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }] });
    world.lab("gitlab", "POST", "chaos", &faults);
    world.homeward(&["--lab", "apply", "--yes", "hr=next.csv"]);
    world.lab("gitlab", "DELETE", "chaos", &Value::Null);
    let name = |system: &str| world.user(system, "email", "anna@example.com")["username"].clone();
    assert_eq!((name("gitlab"), name("zitadel")), (json!("anna"), json!("anna")));
    world.json(0, &["resume"]);
    assert_eq!((name("gitlab"), name("zitadel")), (json!("anne"), json!("anne")));
}

#[test]
fn what_was_set_aside_copies_only_what_its_owner_has_taken() {
    // Of Anna's new display name none goes through unseen at ZITADEL, and her username is in the same call.
    let limit = "[limits]\nattributes = { display_name = { share = \"0%\", at_least = 0 } }\n";
    let rules = RULES.replace(
        "[\"username\", \"email\", \"display_name\"], [\"gitlab\", \"zitadel\"]",
        "[\"username\", \"email\"], [\"gitlab\", \"zitadel\"]",
    );
    for (meanwhile, name) in [("anna", "anna"), ("anne", "anne")] {
        let world = world(limit, "", true);
        world.write("rules/people.rhai", format!("{rules}copies(\"display_name\", \"zitadel\");\n").as_bytes());
        world.json(0, &["apply", "--yes", "hr=day1.csv"]);
        world.write("next.csv", b"id,username,email,first,last\n1,anne,anna@example.com,Anne,Berg\n");
        // GitLab has too much to do for Anna's new name, and the rest of the list is over with that.
        let faults =
            json!({ "faults": [{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }] });
        world.lab("gitlab", "POST", "chaos", &faults);
        world.homeward(&["--lab", "apply", "--yes", "hr=next.csv"]);
        world.lab("gitlab", "DELETE", "chaos", &Value::Null);
        if meanwhile == "anne" {
            world.homeward(&["--lab", "resume"]);
        }
        let runs = world.json(0, &["runs"]);
        let aside = runs["runs"].as_array().unwrap().iter().find(|run| run["standing"] == "aside").unwrap();
        let ran = world.homeward(&["--lab", "approve", "--yes", &aside["run"].to_string()]);
        let called = |system: &str| world.user(system, "email", "anna@example.com")["username"].clone();
        assert_eq!((called("gitlab"), called("zitadel")), (json!(name), json!(name)), "{}{}", ran.stdout, ran.stderr);
        if meanwhile == "anna" {
            let why = "gitlab, whose `username` this copies, does not hold it";
            assert!(ran.status == 7 && ran.stdout.contains(why), "{}{}", ran.stdout, ran.stderr);
        }
    }
}

#[test]
fn what_was_set_aside_is_not_approved_once_the_rest_of_it_is_taken_back() {
    let limit = "[limits]\nattributes = { display_name = { share = \"0%\", at_least = 0 } }\n";
    let rules = RULES.replace(
        "[\"username\", \"email\", \"display_name\"], [\"gitlab\", \"zitadel\"]",
        "[\"username\", \"email\"], [\"gitlab\", \"zitadel\"]",
    );
    let world = world(limit, "", true);
    world.write("rules/people.rhai", format!("{rules}copies(\"display_name\", \"zitadel\");\n").as_bytes());
    world.json(0, &["apply", "--yes", "hr=day1.csv"]);
    world.write("next.csv", b"id,username,email,first,last\n1,anne,anna@example.com,Anne,Berg\n");
    world.json(6, &["apply", "--yes", "hr=next.csv"]);
    let called = |system: &str| world.user(system, "email", "anna@example.com")["username"].clone();
    let runs = world.json(0, &["runs"]);
    let run = |standing: &str| {
        let run = runs["runs"].as_array().unwrap().iter().find(|run| run["standing"] == standing).unwrap();
        run["run"].to_string()
    };
    assert_eq!((called("gitlab"), called("zitadel")), (json!("anne"), json!("anna")));
    world.json(0, &["undo", "--yes", &run("done")]);
    let ran = world.homeward(&["--lab", "approve", "--yes", &run("aside")]);
    assert_eq!((ran.status, called("gitlab"), called("zitadel")), (2, json!("anna"), json!("anna")), "{}", ran.stderr);
    assert!(ran.stderr.contains("what it takes back is about the same"), "{}", ran.stderr);
}
