//! What one list was held for is not forgotten because the next one names fewer people, and a plan of somebody who is somebody
//! else by now is not carried out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};

use crate::common::World;

const SETTINGS: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
says = "state"
[systems.website]
kind = "wordpress"
url = "https://www.example.com"
username = "homeward"
token = { env = "WORDPRESS_APPLICATION_PASSWORD" }
says = "changes"
[systems.directory]
kind = "scim"
url = "https://directory.example.com/scim/v2"
token = { env = "DIRECTORY_TOKEN" }
[systems.portal]
kind = "scim"
url = "https://portal.example.com/scim/v2"
token = { env = "PORTAL_TOKEN" }
"#;

const RULES: &str = r#"
owner(["username", "email", "first_name", "last_name", "active"], "hr");
copies(["username", "email", "first_name", "last_name"], "directory");
source("hr", |row| #{ key: row.id, username: row.username, email: row.email, first_name: row.first_name, last_name: "Berg",
                      active: true });
source("website", |user| #{ key: user.id, email: user.email, username: user.username });
join("directory", ["email", "username"]);
"#;

const HELD_AT_PORTAL: &str = r#"
join("portal", ["email", "username"]);
account("portal", |person| person.active);
guard(|plan| if plan.count("portal") > 0 { hold("look first") });
"#;

const PEOPLE: &str = r#"{"people": [{"id": "d2", "userName": "cem", "name": {"givenName": "Cem", "familyName": "Berg"},
    "emails": [{"value": "office@example.com"}], "active": true}]}"#;

fn world(rules: &str, says: &str) -> World {
    let settings = SETTINGS.replacen("says = \"state\"", &format!("says = \"{says}\""), 1);
    let website = r#"{"username": "homeward", "settings": {"rights": "reader"},
        "people": [{"id": 10, "username": "cem", "email": "office@example.com", "name": "Cem Berg", "roles": ["subscriber"]}]}"#;
    let mut world = World::new()
        .file("homeward.toml", &settings)
        .file("rules/people.rhai", rules)
        .file("lab/directory.json", PEOPLE)
        .file("lab/website.json", website)
        .file("lab/portal.json", "{}")
        .file(
            "both.csv",
            "id,username,email,first_name\n1,anna,office@example.com,Anna\n3,cem,office@example.com,Cem\n",
        )
        .file("one.csv", "id,username,email,first_name\n1,anna,office@example.com,Anni\n")
        .file("cem.csv", "id,username,email,first_name\n3,cem,office@example.com,Cem\n");
    world.start_lab(&[]);
    world
}

fn decisions(plan: &Value) -> Vec<(String, String)> {
    let of = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    plan["changes"].as_array().unwrap().iter().map(|it| (of(it, "decision"), of(it, "reason"))).collect()
}

#[test]
fn two_rows_of_one_account_are_held_also_where_the_next_list_has_only_one_of_them() {
    for says in ["state", "changes"] {
        let world = world(RULES, says);
        let before = world.state("directory");
        let first = world.homeward(&["--lab", "apply", "--yes", "hr=both.csv"]);
        if says == "changes" {
            // Nothing is asked for at first sight, so that no change can tell it.
            assert!(
                first.stderr.contains("hr/1 is held: both.csv:2 and both.csv:3 both seem to speak"),
                "{}",
                first.stderr
            );
        }
        let plan = world.json(0, &["plan", "hr=one.csv"]);
        let decisions = decisions(&plan);
        let reason = "one.csv:2 and hr/3, of whom an earlier run was told, both lead to directory account d2: correct one, or \
                      say whose it is, as in `homeward link hr/1 directory:d2`";
        assert!(!decisions.is_empty() && decisions.iter().all(|it| *it == ("hold".into(), reason.into())), "{plan:#}");
        world.json(4, &["apply", "--yes", "hr=one.csv"]);
        assert_eq!(world.state("directory"), before, "{says}");
        // A word settles it, whichever way.
        world.json(0, &["link", "hr/3", "directory:d2"]);
        let plan = world.json(0, &["plan", "hr=one.csv"]);
        assert_eq!(plan["calls"], json!([]), "{plan:#}");
        let plan = world.json(0, &["plan", "hr=cem.csv"]);
        assert!(plan["changes"].as_array().unwrap().iter().all(|change| change["decision"] != "hold"), "{plan:#}");
    }
}

#[test]
fn what_waits_makes_no_account_for_somebody_who_is_somebody_else_by_now() {
    let rules = RULES.replace("], \"directory\");\nsource", "], [\"directory\", \"portal\"]);\nsource");
    let world = world(&format!("{rules}{HELD_AT_PORTAL}"), "state");
    let portal = world.state("portal");
    world.json(6, &["apply", "--yes", "hr=cem.csv"]);
    // The website is heard after that, and its record is what the account is tied to.
    world.json(0, &["apply", "--yes", "website"]);
    let approved = world.homeward(&["--lab", "approve", "1", "--yes"]);
    let told = "directory:d2 is website/10's by now, and not hr/3's";
    assert!(approved.status == 7 && approved.stdout.contains(told), "{}{}", approved.stdout, approved.stderr);
    assert_eq!(world.state("portal"), portal);
    // Nor is it hers now.
    assert!(!world.json(0, &["link", "hr/3"]).to_string().contains("d2"));
    let plan = world.json(6, &["plan", "hr=cem.csv"]);
    let people: Vec<&Value> = plan["calls"].as_array().unwrap().iter().map(|call| &call["person"]).collect();
    assert_eq!(people, [&json!("website/10")], "{plan:#}");
}

#[test]
fn a_tie_that_another_source_made_does_not_say_which_of_two_rows_is_meant() {
    let world = world(RULES, "state");
    world.json(4, &["apply", "--yes", "hr=both.csv"]);
    world.json(0, &["apply", "--yes", "website"]);
    let before = world.state("directory");
    world.json(4, &["apply", "--yes", "hr=one.csv"]);
    assert_eq!(world.state("directory"), before);
    let plan = world.json(0, &["plan", "hr=one.csv"]);
    let settles = "say whose it is, as in `homeward link website/10 hr:1`";
    assert!(
        decisions(&plan).iter().all(|(decision, reason)| decision == "hold" && reason.ends_with(settles)),
        "{plan:#}"
    );
    world.json(0, &["link", "website/10", "hr:1"]);
    let plan = world.json(0, &["plan", "hr=one.csv"]);
    assert!(decisions(&plan).iter().any(|(decision, _)| decision == "apply"), "{plan:#}");
}

#[test]
fn what_was_said_and_held_counts_until_it_is_said_otherwise() {
    let world = world(RULES, "state");
    let list = |name: &str, rows: &str| {
        world.write(name, format!("id,username,email,first_name\n{rows}").as_bytes());
    };
    list("first.csv", "1,anna,anna@example.com,Anna\n2,berta,berta@example.com,Berta\n");
    list("second.csv", "1,anna,office@example.com,Anna\n2,berta,office@example.com,Berta\n");
    list("third.csv", "2,berta,office@example.com,Berta\n");
    list("corrected.csv", "1,anna,anna@example.com,Anna\n");
    world.json(0, &["apply", "--yes", "hr=first.csv"]);
    world.json(4, &["apply", "--yes", "hr=second.csv"]);
    let before = world.state("directory");
    world.json(4, &["apply", "--yes", "hr=third.csv"]);
    assert_eq!(world.state("directory"), before);
    // HR takes back what it said of Anna.
    world.json(0, &["apply", "--yes", "hr=corrected.csv"]);
    let plan = world.json(0, &["plan", "hr=third.csv"]);
    assert!(decisions(&plan).iter().any(|(decision, _)| decision == "apply"), "{plan:#}");
}

#[test]
fn whoever_signs_in_with_an_account_of_another_key_of_the_source_is_not_found_by_it() {
    let settings = "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n\
                    [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"GIT\" }\n\
                    [systems.mattermost]\nkind = \"mattermost\"\nurl = \"https://chat.example.com\"\ntoken = { env = \"CHAT\" }\n";
    let rules = r#"owner("email", "hr"); copies("email", "gitlab"); join("gitlab", "email"); join("mattermost", "email");
                   source("hr", |row| #{ key: row.id, email: row.email });"#;
    let gitlab = r#"{"users": [{"id": 42, "username": "anna", "name": "Anna", "email": "anna@example.com"}]}"#;
    let mut world = World::new()
        .file("homeward.toml", settings)
        .file("rules/people.rhai", rules)
        .file("lab/gitlab.json", gitlab)
        .file("lab/mattermost.json", "{}")
        .file("first.csv", "id,email\n1,anna@example.com\n")
        .file("moved.csv", "id,email\n1,anna.b@example.com\n")
        .file("newcomer.csv", "id,email\n2,anna@example.com\n");
    world.start_lab(&[]);
    world.json(0, &["apply", "--yes", "hr=first.csv"]);
    let login = world.homeward(&["lab", "login", "mattermost", "anna"]);
    assert_eq!(login.status, 0, "{}", login.stderr);
    world.json(0, &["apply", "--yes", "hr=moved.csv"]);
    world.json(4, &["apply", "--yes", "hr=newcomer.csv"]);
    assert_eq!(world.user("gitlab", "username", "anna")["email"], "anna.b@example.com");
    let plan = world.json(0, &["plan", "hr=newcomer.csv"]);
    let told = "signs in with gitlab:42, which is hr/1's: say that mattermost is not hers, as in `homeward unlink hr/2";
    assert!(decisions(&plan).iter().all(|(decision, reason)| decision == "hold" && reason.contains(told)), "{plan:#}");
}
