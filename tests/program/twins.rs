//! Two lists that may speak of one person make no two accounts for her.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::json;

use crate::common::World;

const SETTINGS: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
says = "state"
[systems.ext]
kind = "csv"
key = "id"
says = "state"
[systems.cloud]
kind = "nextcloud"
url = "https://cloud.example.com"
username = "homeward"
token = { env = "CLOUD_TOKEN" }
"#;

const RULES: &str = r#"
owner(["username", "email", "display_name", "active"], "hr", |person| person.hr != ());
owner(["username", "email", "display_name", "active"], "ext");
copies(["username", "email", "display_name"], "cloud");
for source in ["hr", "ext"] {
    source(source, |row| #{ key: row.id, username: row.username, email: row.email, display_name: row.username, active: true });
}
join("cloud", "email");
account("cloud", |person| person.active);
"#;

fn world() -> World {
    let mut world = World::new()
        .file("homeward.toml", SETTINGS)
        .file("rules/people.rhai", RULES)
        .file("lab/cloud.json", "{}")
        .file(
            "hr.csv",
            "id,username,email\n1,anna,anna@example.com\n2,ben,office@example.com\n3,cleo,office@example.com\n",
        )
        .file("ext.csv", "id,username,email\nX9,anna.b,Anna@Example.com\nX8,dora,dora@example.com\n");
    world.start_lab(&[]);
    world
}

fn names(world: &World) -> Vec<String> {
    let state = world.state("cloud");
    state["users"].as_object().unwrap().keys().filter(|id| *id != "homeward").cloned().collect()
}

#[test]
fn somebody_on_two_lists_is_given_one_account() {
    let world = world();
    let both = ["hr=hr.csv", "ext=ext.csv"];
    let plan = world.json(0, &[&["plan"], &both[..]].concat());
    let changes = plan["changes"].as_array().unwrap();
    let hold = changes.iter().find(|it| it["person"] == "ext/X9" && it["attribute"] == "email").unwrap();
    let reason = "hr/1, for whom an account is made at cloud, says the same `email`: with the next list this is found to be \
                  hers; where they are two people, say so: `homeward unlink hr/1 ext:X9`";
    assert_eq!((&hold["decision"], &hold["reason"]), (&json!("hold"), &json!(reason)));
    world.json(4, &[&["apply", "--yes"], &both[..]].concat());
    // Two keys of one source are two people, whatever address they share.
    assert_eq!(names(&world), ["anna", "ben", "cleo", "dora"]);
    world.homeward(&[&["--lab", "apply", "--yes"], &both[..]].concat());
    assert_eq!(names(&world).len(), 4);
    let tied = world.json(0, &["link", "ext/X9"]);
    assert!(tied.to_string().contains("hr/1"), "{tied}");
}

#[test]
fn two_people_who_are_said_to_be_two_are_given_an_account_each() {
    let world = world();
    let both = ["apply", "--yes", "hr=hr.csv", "ext=ext.csv"];
    world.json(4, &both);
    world.json(0, &["unlink", "hr/1", "ext:X9"]);
    world.json(0, &both);
    assert_eq!(names(&world), ["anna", "anna.b", "ben", "cleo", "dora"]);
}

#[test]
fn plans_that_were_made_side_by_side_make_no_two_accounts_for_one_person() {
    let world = world();
    world.json(0, &["plan", "hr=hr.csv", "--out", "hr.json"]);
    world.json(0, &["plan", "ext=ext.csv", "--out", "ext.json"]);
    world.json(0, &["apply", "--yes", "hr.json"]);
    world.homeward(&["--lab", "apply", "--yes", "ext.json"]);
    assert_eq!(names(&world), ["anna", "ben", "cleo", "dora"]);
}

#[test]
fn somebody_whose_twin_is_given_no_account_is_given_one() {
    let world = world();
    // Nextcloud has an `anna` already, who is nobody on these lists.
    let ran = world.homeward(&["--lab", "lab", "show", "cloud"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let body = json!({ "userid": "anna", "password": "Xk29-qLw7-Zp41", "email": "other@example.com" });
    let made = world.ask("cloud", "POST", "/ocs/v2.php/cloud/users", &[("OCS-APIRequest", "true")], &body);
    assert_eq!(made.status, 200, "{}", made.text);
    let plan = world.json(0, &["plan", "hr=hr.csv", "ext=ext.csv"]);
    let decided = |person: &str| {
        let changes = plan["changes"].as_array().unwrap();
        changes.iter().find(|it| it["person"] == person && it["attribute"] == "email").unwrap()["decision"].clone()
    };
    assert_eq!((decided("hr/1"), decided("ext/X9")), (json!("refuse"), json!("apply")), "{plan:#}");
}

#[test]
fn where_no_two_may_hold_an_address_one_of_two_records_is_given_the_account() {
    let mut world = World::new()
        .file("homeward.toml", &SETTINGS.replace("nextcloud", "mattermost").replace("username = \"homeward\"\n", ""))
        .file(
            "rules/people.rhai",
            &RULES
                .replace("\"display_name\", ", "")
                .replace(", \"display_name\"", "")
                .replace(" display_name: row.username,", ""),
        )
        .file("lab/cloud.json", "{}")
        .file("hr.csv", "id,username,email\n1,anna,anna@example.com\n")
        .file("ext.csv", "id,username,email\nX9,anna.b,anna@example.com\n");
    world.start_lab(&[]);
    let plan = world.json(0, &["plan", "hr=hr.csv", "ext=ext.csv"]);
    let made: Vec<&str> =
        plan["calls"].as_array().unwrap().iter().map(|call| call["person"].as_str().unwrap()).collect();
    assert_eq!(made, ["hr/1"], "{plan:#}");
}

#[test]
fn of_two_records_of_one_person_only_one_is_given_anything_anywhere() {
    let gitlab = "[systems.git]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"GIT\" }\n";
    let rules =
        RULES.replace("account(\"cloud\", |person| person.active);", "account(\"cloud\", |person| person.ext != ());");
    let rules = rules.replace(
        "copies([\"username\", \"email\", \"display_name\"], \"cloud\");",
        "copies([\"username\", \"email\", \"display_name\"], [\"cloud\", \"git\"]);",
    );
    let mut world = World::new()
        .file("homeward.toml", &format!("{SETTINGS}{gitlab}"))
        .file(
            "rules/people.rhai",
            &format!("{rules}join(\"git\", \"email\");\naccount(\"git\", |person| person.active);\n"),
        )
        .file("lab/cloud.json", "{}")
        .file("lab/git.json", "{}")
        .file("hr.csv", "id,username,email\n1,anna,anna@example.com\n")
        .file("ext.csv", "id,username,email\nX9,anna.b,anna@example.com\n");
    world.start_lab(&[]);
    let both = ["--lab", "apply", "--yes", "hr=hr.csv", "ext=ext.csv"];
    world.homeward(&both);
    let plan = world.json(0, &["plan", "hr=hr.csv", "ext=ext.csv"]);
    // Now it is one person, who is given what is hers by either record.
    assert_eq!(plan["summary"]["held"], 0, "{plan:#}");
    world.homeward(&both);
    assert_eq!(names(&world).len(), 1);
}
