//! A company of eight people at three systems, and what HR says of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::common::World;

pub(crate) const SYSTEMS: [&str; 3] = ["gitlab", "mattermost", "zitadel"];

const RULES: &str = r#"
owner(["username", "email", "display_name", "first_name", "last_name", "nickname", "position", "active"], "hr");
owner(["gitlab.note", "gitlab.groups", "mattermost.teams"], "hr");
copies(["username", "email"], ["gitlab", "mattermost", "zitadel"]);
copies("display_name", ["gitlab", "zitadel"]);
copies(["first_name", "last_name", "nickname"], ["mattermost", "zitadel"]);
copies("position", "mattermost");
copies("active", ["gitlab", "zitadel"]);
copies(["gitlab.note", "gitlab.groups"], "gitlab");
copies("mattermost.teams", "mattermost");
range("gitlab.groups", ["crew", "ops"]);
range("mattermost.teams", ["sales", "ops"]);
account("mattermost", |person| person.active);
for system in ["gitlab", "mattermost", "zitadel"] {
    join(system, ["email", "username"]);
    temporary("username", system);
}

fn level(cell) { if cell == "" { () } else { cell } }

source("hr", |row| [
    #{
        key: row.id,
        username: row.username,
        email: row.email,
        display_name: row.first + " " + row.last,
        first_name: row.first,
        last_name: row.last,
        nickname: row.nick,
        position: row.position,
        "gitlab.note": if row.note == "" { clear() } else { row.note },
        active: row.active == "yes",
        "gitlab.groups": #{ "crew": level(row.crew), "ops": level(row.ops) },
        "mattermost.teams": if row.teams == "" { [] } else { row.teams.split("+") },
    },
    if row.welcome == "" { () } else { perform("mattermost", "post_message", #{ channel: "ops/town-square", text: row.welcome }) },
]);
"#;

const COLUMNS: [&str; 13] = [
    "id", "username", "email", "first", "last", "nick", "position", "note", "active", "crew", "ops", "teams", "welcome",
];

/// What HR says of one person, by column.
pub(crate) type Row = BTreeMap<&'static str, String>;

/// What HR says of somebody whom nobody has changed yet.
pub(crate) fn row(at: usize) -> Row {
    let active = if at == 6 { "no" } else { "yes" };
    let values = [
        at.to_string(),
        format!("p{at}"),
        format!("p{at}@example.com"),
        format!("First{at}"),
        format!("Last{at}"),
        format!("Nick{at}"),
        format!("Position{at}"),
        if at == 3 { String::new() } else { format!("Note {at}") },
        active.to_owned(),
        if at.is_multiple_of(2) { "developer".to_owned() } else { String::new() },
        if at == 1 { "guest".to_owned() } else { String::new() },
        if at == 0 { "ops+sales".to_owned() } else { "sales".to_owned() },
        String::new(),
    ];
    COLUMNS.into_iter().zip(values).collect()
}

/// So many people as HR lists them.
pub(crate) fn rows(people: usize) -> Vec<Row> {
    (0..people).map(row).collect()
}

/// The file of these rows.
pub(crate) fn csv(rows: &[Row]) -> String {
    let line = |row: &Row| COLUMNS.map(|column| row[column].clone()).join(",");
    let lines: Vec<String> = std::iter::once(COLUMNS.join(",")).chain(rows.iter().map(line)).collect();
    lines.join("\n") + "\n"
}

fn seed(system: &str, people: usize, chatless: &[usize]) -> Value {
    let user = |at: usize| {
        let row = row(at);
        let text = |column: &str| row[column].clone();
        let is_active = row["active"] == "yes";
        let name = format!("{} {}", row["first"], row["last"]);
        match system {
            "gitlab" => json!({
                "id": 100 + at, "username": text("username"), "email": text("email"), "name": name,
                "note": Some(text("note")).filter(|note| !note.is_empty()),
                "state": if is_active { "active" } else { "blocked" },
            }),
            "mattermost" => json!({
                "id": format!("{:0<26}", format!("chat{at:02}")), "username": text("username"), "email": text("email"),
                "first_name": text("first"), "last_name": text("last"), "nickname": text("nick"),
                "position": text("position"), "delete_at": i64::from(!is_active),
            }),
            _ => json!({
                "id": (2000 + at).to_string(), "username": text("username"), "email": text("email"),
                "first_name": text("first"), "last_name": text("last"), "nickname": text("nick"),
                "display_name": name, "state": if is_active { "active" } else { "inactive" },
            }),
        }
    };
    let here: Vec<usize> = (0..people).filter(|at| system != "mattermost" || !chatless.contains(at)).collect();
    let users: Vec<Value> = here.iter().map(|at| user(*at)).collect();
    let in_group = |column: &'static str, level: u64| -> Vec<Value> {
        let members = (0..people).filter(|at| !row(*at)[column].is_empty());
        members.map(|at| json!({ "username": row(at)["username"], "access_level": level })).collect()
    };
    let in_team = |team: &str| -> Vec<String> {
        here.iter().filter(|at| row(**at)["teams"].contains(team)).map(|at| row(*at)["username"].clone()).collect()
    };
    match system {
        "gitlab" => json!({ "users": users, "groups": [
            { "path": "crew", "members": in_group("crew", 30) },
            { "path": "ops", "members": in_group("ops", 10) },
        ] }),
        "mattermost" => json!({ "users": users, "teams": [
            { "name": "sales", "members": in_team("sales") },
            { "name": "ops", "members": in_team("ops") },
        ] }),
        _ => json!({ "users": users }),
    }
}

/// The company, with what HR says of everybody carried out once: nothing is to be done any more. Those without chat have
/// no Mattermost account, and HR does not list them yet.
pub(crate) fn company(people: usize, chatless: &[usize]) -> World {
    let mut settings =
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"partial\"\n".to_owned();
    let mut world = World::new().file("rules/rules.rhai", RULES);
    for system in SYSTEMS {
        settings += &format!("[systems.{system}]\nkind = \"{system}\"\nurl = \"https://{system}.example.com\"\n");
        settings += "token = { env = \"TOKEN\" }\n";
        world = world.file(&format!("lab/{system}.json"), &seed(system, people, chatless).to_string());
    }
    world.write("homeward.toml", settings.as_bytes());
    world.start_lab(&[]);
    let listed: Vec<Row> = (0..people).filter(|at| !chatless.contains(at)).map(row).collect();
    let report = hears(&world, 0, &listed);
    assert_eq!(report["outcomes"], json!([]), "the seeds are not what HR says: {report:#}");
    world
}

/// Carries out what HR says now; gives the report.
pub(crate) fn hears(world: &World, exit: i32, rows: &[Row]) -> Value {
    world.write("people.csv", csv(rows).as_bytes());
    world.json(exit, &["apply", "--yes", "hr=people.csv"])
}

/// The whole state of all simulators, without what servers count by themselves.
pub(crate) fn states(world: &World) -> Value {
    let all = SYSTEMS.iter().map(|system| ((*system).to_owned(), without_counters(world.state(system))));
    all.collect::<serde_json::Map<_, _>>().into()
}

/// Times and versions of the last write, of the drawing of a picture and of the confirmation of an address.
const COUNTERS: [&str; 6] = ["updated_at", "update_at", "sequence", "changed", "last_picture_update", "confirmed_at"];

fn without_counters(state: Value) -> Value {
    match state {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| !COUNTERS.contains(&name.as_str()));
            let kept = kept.map(|(name, value)| match name.as_str() {
                // Since when, where somebody is switched off.
                "delete_at" => (name, json!(value != 0)),
                _ => (name, without_counters(value)),
            });
            kept.collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(without_counters).collect(),
        value => value,
    }
}

/// Every place where two states differ, with both values: `gitlab/users/100/name`, `"a" → "b"`.
pub(crate) fn differences(before: &Value, after: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    differ("", before, after, &mut found);
    found
}

fn differ(place: &str, before: &Value, after: &Value, found: &mut BTreeMap<String, String>) {
    if let (Value::Object(one), Value::Object(other)) = (before, after) {
        let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        for name in names {
            let at = |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
            differ(&format!("{place}/{name}"), &at(one), &at(other), found);
        }
    } else if before != after {
        found.insert(place.trim_start_matches('/').to_owned(), format!("{before} → {after}"));
    }
}
