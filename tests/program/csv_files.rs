//! What files of records may hold, through the whole program (`csv-drop-folder.md`, items 31 and 33).

#![expect(clippy::unwrap_used, reason = "a plan that cannot be read fails the test")]

use crate::common::World;
use serde_json::{Value, json};

fn world(rule: &str) -> World {
    World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\n\
             token = { env = \"GITLAB_TOKEN\" }\n",
        )
        .file(
            "rules/people.rhai",
            &format!("owner([\"username\", \"display_name\", \"position\"], \"hr\");\ncopies(\"display_name\", \"gitlab\");\njoin(\"gitlab\", \"username\");\nsource(\"hr\", |row| {rule});\n"),
        )
        .file("lab/gitlab.json", r#"{ "users": [{ "id": 7, "username": "anna", "name": "Anna" }] }"#)
}

fn plan(world: &World) -> Value {
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn dates_are_read_by_their_declared_form_only_and_another_rejects_its_row_alone() {
    let rows = "1,03.04.2026\n2,03/04/2026\n3,30.02.2026\n4,45992\n5,2026-04-03\n6,31.12.9999\n7,03.04.2026 00:00\n8,00.00.0000\n9,1.2.2026\n";
    let world = world(
        "#{ key: row.id, username: \"u\" + row.id, position: if row.ends == \"31.12.9999\" { \"for good\" } else { row.ends.date(\"%d.%m.%Y\") } }",
    )
    .file("people.csv", &format!("id,ends\n{rows}"));
    let plan = plan(&world);
    let rejected: Vec<(u64, &str)> = plan["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    assert_eq!(rejected, [3, 4, 5, 6, 8, 9].map(|line| (line, "not_a_date")));
}

#[test]
fn values_are_data_whatever_they_look_like() {
    for value in [
        "=HYPERLINK(\"https://example.com\",\"x\")",
        "@SUM(A1)",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "'; DROP TABLE people; --",
        "$(touch /tmp/x)",
        "%s%n",
        "\"} }); owner(\"username\", \"gitlab\"); //",
    ] {
        let quoted = value.replace('"', "\"\"");
        let world = world("#{ key: row.id, username: row.username, display_name: row.name }")
            .file("people.csv", &format!("id,username,name\n1,anna,\"{quoted}\"\n"));
        let plan = plan(&world);
        let change = plan["changes"].as_array().unwrap().iter().find(|change| change["attribute"] == "display_name");
        assert_eq!(change.map(|change| &change["after"]), Some(&json!(value)), "{plan}");
    }
}
