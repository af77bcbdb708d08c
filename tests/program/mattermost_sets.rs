//! Teams, channels, messages and sessions of Mattermost, from the rules to the server: planned, applied, and settled.

use serde_json::{Value, json};

use crate::common::{Ran, World};

const CONFIG: &str = r#"
[systems.hr]
kind = "csv"
key = "id"

[systems.events]
kind = "csv"
key = "id"

[systems.chat]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "TOKEN" }
"#;

const RULES: &str = r#"
owner(["email", "position", "chat.teams", "chat.channels"], "hr");
copies(["email", "position", "chat.teams", "chat.channels"], "chat");
owner("username", "chat");
join("chat", ["email", "username"]);
range("chat.teams", ["sales", "ops"]);
range("chat.channels", ["sales/deals"]);

source("hr", |row| #{
    key: row.id,
    email: row.email,
    position: row.position,
    "chat.teams": if row.teams == "" { [] } else { row.teams.split("+") },
    "chat.channels": if row.deals == "yes" { ["sales/deals"] } else { [] },
});
source("events", |row| [
    #{ key: row.id, username: row.username },
    perform("chat", "post_message", #{ channel: row.channel, text: "Welcome, " + row.username }),
    perform("chat", "revoke_sessions", #{}),
]);
"#;

fn id(name: &str) -> String {
    format!("{name:0<26}")
}

fn world() -> World {
    let person = |name: &str| json!({ "id": id(name), "username": name, "email": format!("{name}@example.com") });
    let seed = json!({
        "users": [person("anna"), person("berta"), person("cora")],
        "tokens": [{ "user": "berta", "kind": "session", "token": "bertas" }],
        "teams": [
            { "name": "sales", "members": ["anna"], "channels": [{ "name": "deals", "type": "P", "members": ["anna"] }] },
            { "name": "ops", "members": ["anna", "berta", "cora"] },
            { "name": "private", "members": ["anna"] },
        ],
    });
    let mut world = World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/all.rhai", RULES)
        .file("lab/chat.json", &seed.to_string());
    world.start_lab(&[]);
    world
}

/// Who is where: the teams, and the one channel.
fn seats(world: &World) -> Value {
    let teams = world.state("chat")["teams"].clone();
    json!({ "sales": teams["sales"]["members"], "ops": teams["ops"]["members"], "private": teams["private"]["members"],
        "deals": teams["sales"]["channels"]["deals"] })
}

fn ids(names: &[&str]) -> Value {
    names.iter().map(|name| id(name)).collect()
}

#[track_caller]
fn ended(ran: &Ran, status: i32) {
    assert_eq!(ran.status, status, "\n{}\n{}", ran.stdout, ran.stderr);
}

/// What was sent that is no question.
fn sent(world: &World) -> Vec<String> {
    let asked = world.asked("chat").into_iter();
    asked
        .filter(|asked| !asked.starts_with("GET ") && !asked.contains("/ids") && !asked.contains("/usernames"))
        .collect()
}

#[test]
fn memberships_follow_hr_inside_the_range_and_nothing_else_is_touched() {
    let world = world();
    let rows = "id,email,position,teams,deals\n\
                1,anna@example.com,Seller,ops,no\n\
                2,berta@example.com,,sales+ops,yes\n\
                3,cora@example.com,Cook,,no\n";
    world.write("people.csv", rows.as_bytes());
    let planned = world.homeward(&["--lab", "plan", "--format", "json", "hr=people.csv"]);
    ended(&planned, 0);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let mut changes: Vec<String> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {}>{} {}",
                text("person"),
                text("attribute"),
                text("before"),
                text("after"),
                text("decision")
            )
        })
        .collect();
    changes.sort();
    assert_eq!(
        changes,
        [
            "hr/1 chat.channels[sales/deals] member>- apply",
            "hr/1 chat.teams[sales] member>- apply",
            "hr/1 position ->Seller apply",
            // She is in the team only after this plan.
            "hr/2 chat.channels[sales/deals] ->member refuse",
            "hr/2 chat.teams[sales] ->member apply",
            "hr/3 chat.teams[ops] member>- apply",
            "hr/3 position ->Cook apply",
        ]
    );

    ended(&world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]), 4);
    let after =
        json!({ "sales": ids(&["berta"]), "ops": ids(&["anna", "berta"]), "private": ids(&["anna"]), "deals": [] });
    assert_eq!(seats(&world), after);
    let before = sent(&world).len();
    assert_eq!(before, 6, "{:#?}", sent(&world));

    // The second run finds her in the team, and the third nothing to do.
    ended(&world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]), 0);
    let deals = seats(&world)["deals"].clone();
    assert_eq!(deals, ids(&["berta"]));
    assert_eq!(sent(&world).len(), before + 1);
    ended(&world.homeward(&["--lab", "plan", "--detailed-exitcode", "hr=people.csv"]), 0);
    assert_eq!(sent(&world).len(), before + 1);
}

#[test]
fn who_is_let_out_meanwhile_moved_and_everything_else_is_done() {
    let world = world();
    let rows = "id,email,position,teams,deals\n1,anna@example.com,Seller,ops,no\n3,cora@example.com,Cook,ops,no\n";
    world.write("people.csv", rows.as_bytes());
    ended(&world.homeward(&["--lab", "plan", "--out", "plan.json", "hr=people.csv"]), 0);
    let team = world.state("chat")["teams"]["sales"]["id"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {}", world.token("chat"));
    let path = format!("/api/v4/teams/{team}/members/{}", id("anna"));
    world.ask("chat", "DELETE", &path, &[("Authorization", &bearer)], &Value::Null);
    let before = sent(&world).len();
    ended(&world.homeward(&["--lab", "apply", "--yes", "plan.json"]), 0);
    // Out she is already: only the two positions are sent.
    assert_eq!(sent(&world).len(), before + 2, "{:#?}", sent(&world));
    assert_eq!(seats(&world)["sales"], json!([]));
}

#[test]
fn what_a_record_asks_for_is_done_once() {
    let world = world();
    world.write("events.csv", b"id,username,channel\n7,berta,ops/town-square\n");
    let asked = |path: &str| {
        let headers = [("Authorization", "Bearer bertas")];
        world.ask("chat", "GET", path, &headers, &Value::Null).status
    };
    assert_eq!(asked("/api/v4/users/me"), 200);
    for _ in 0..2 {
        ended(&world.homeward(&["--lab", "apply", "--yes", "events=events.csv"]), 0);
        let posts = world.state("chat")["posts"].clone();
        let expected = json!([{ "id": posts[0]["id"], "channel": "ops/town-square", "user": "sysadmin",
            "message": "Welcome, berta" }]);
        assert_eq!((posts, asked("/api/v4/users/me")), (expected, 401));
    }
    // A channel that is not there is told before anything is sent.
    let before = sent(&world).len();
    world.write("events.csv", b"id,username,channel\n8,cora,ops/town-sqare\n");
    let planned = world.homeward(&["--lab", "plan", "--format", "json", "events=events.csv"]);
    ended(&planned, 0);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let told: Vec<[&Value; 4]> = plan["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| [&one["operation"], &one["decision"], &one["refusal"], &one["reason"]])
        .collect();
    assert_eq!(
        told[0],
        ["post_message", "refuse", "not_found", "there is no channel `ops/town-sqare`, or it is archived"]
    );
    assert_eq!((told[1][0], told[1][1], told.len()), (&json!("revoke_sessions"), &json!("apply"), 2));
    assert_eq!(sent(&world).len(), before);
}

#[test]
fn a_saved_plan_that_is_applied_twice_sends_its_message_once() {
    let world = world();
    world.write("events.csv", b"id,username,channel\n7,berta,ops/town-square\n");
    ended(&world.homeward(&["--lab", "plan", "--out", "plan.json", "events=events.csv"]), 0);
    for _ in 0..2 {
        ended(&world.homeward(&["--lab", "apply", "--yes", "plan.json"]), 0);
        assert_eq!(world.state("chat")["posts"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_an_earlier_run_may_have_sent_waits_for_a_person_unless_doing_it_again_does_no_harm() {
    let world = world();
    world.write("events.csv", b"id,username,channel\n7,berta,ops/town-square\n");
    ended(&world.homeward(&["--lab", "plan", "--out", "plan.json", "events=events.csv"]), 0);
    ended(&world.homeward(&["--lab", "apply", "--yes", "events=events.csv"]), 0);
    // As a process leaves it that was killed behind its request.
    let store = rusqlite::Connection::open(world.path(".homeward/lab.db")).unwrap();
    assert_eq!(store.execute("update deeds set in_doubt = 1", []).unwrap(), 2);
    drop(store);
    let planned = world.homeward(&["--lab", "plan", "--format", "json", "events=events.csv"]);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let told = operations(&plan);
    assert_eq!(told, [["post_message", "hold"], ["revoke_sessions", "apply"]]);
    // Nor does a plan that was saved before send it again.
    let applied = world.homeward(&["--lab", "apply", "--yes", "plan.json"]);
    ended(&applied, 8);
    assert!(applied.stdout.contains("never learnt what became of it"), "{}", applied.stdout);
    assert_eq!(world.state("chat")["posts"].as_array().unwrap().len(), 1);
}

/// The operations of a plan, each with its decision.
fn operations(plan: &Value) -> Vec<[&str; 2]> {
    let all = plan["operations"].as_array().into_iter().flatten();
    all.map(|one| [&one["operation"], &one["decision"]].map(|text| text.as_str().unwrap_or_default())).collect()
}

#[test]
fn the_first_sight_of_a_source_of_changes_asks_for_no_operation_then_or_later() {
    let world = world();
    let config = CONFIG.replace("[systems.events]\n", "[systems.events]\nsays = \"changes\"\n");
    let world = world.file("homeward.toml", &config);
    world.write("events.csv", b"id,username,channel\n7,berta,ops/town-square\n");
    let posts = || world.state("chat")["posts"].as_array().map_or(0, Vec::len);
    for _ in 0..2 {
        ended(&world.homeward(&["--lab", "apply", "--yes", "events=events.csv"]), 0);
        assert_eq!(posts(), 0);
    }
    // Somebody new is a first sight too; what is said differently of somebody known is asked for.
    world.write("events.csv", b"id,username,channel\n7,berta,sales/deals\n8,cora,ops/town-square\n");
    ended(&world.homeward(&["--lab", "apply", "--yes", "events=events.csv"]), 0);
    assert_eq!(posts(), 1);
}

#[test]
fn a_message_waits_for_what_changes_of_the_person_there() {
    let rules = RULES.replace(
        "owner(\"username\", \"chat\");",
        "owner(\"username\", \"events\");\ncopies(\"username\", \"chat\");\njoin(\"events\", \"email\");",
    );
    let rules = rules.replace("join(\"events\", \"email\");", "").replace(
        "#{ key: row.id, username: row.username },",
        "#{ key: row.id, username: row.username, email: row.email },",
    );
    let world = world().file("rules/all.rhai", &rules);
    world.write("events.csv", b"id,username,email,channel\n7,berta.b,berta@example.com,ops/town-square\n");
    let planned = world.homeward(&["--lab", "plan", "--format", "json", "events=events.csv"]);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    assert_eq!(operations(&plan), [["post_message", "apply"], ["revoke_sessions", "apply"]], "{}", planned.stderr);
    let calls: Vec<Value> =
        plan["calls"].as_array().unwrap().iter().map(|call| json!([call["operation"], call["after"]])).collect();
    assert_eq!(calls, [json!(["update", []]), json!(["perform", ["c1"]]), json!(["perform", ["c1"]])]);
}

#[test]
fn operations_on_accounts_count_for_the_limits() {
    let config = format!("{CONFIG}\n[limits]\nchanges = \"20%\"\n");
    let rules = "source(\"events\", |row| [#{ key: row.id, email: row.email }, perform(\"chat\", \"revoke_sessions\")]);\n\
                 join(\"chat\", \"email\");\n";
    let people: Vec<Value> = (0..8)
        .map(|at| json!({ "id": id(&format!("p{at}")), "username": format!("p{at}"), "email": format!("p{at}@example.com") }))
        .collect();
    let mut world = World::new()
        .file("homeward.toml", &config)
        .file("rules/people.rhai", rules)
        .file("lab/chat.json", &json!({ "users": people }).to_string());
    world.start_lab(&[]);
    let rows: Vec<String> = (0..8).map(|at| format!("{at},p{at}@example.com")).collect();
    world.write("events.csv", format!("id,email\n{}\n", rows.join("\n")).as_bytes());
    let ran = world.homeward(&["--lab", "apply", "--yes", "events=events.csv"]);
    ended(&ran, 6);
    assert!(ran.stderr.contains("8 of 8 people would change at chat"), "{}", ran.stderr);
}
