//! What is done at one system and not at the next is not forgotten: who comes back and leaves again, what is taken back, a key
//! that was damaged meanwhile; and accounts that come or go while nobody looks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    common::World,
    server::{Answer, Server, forward},
};

const SETTINGS: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
says = "state"
coverage = "full"
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
let both = ["directory", "portal"];
owner(["username", "email", "first_name", "last_name", "active"], "hr");
copies(["username", "email", "first_name", "last_name"], both);
source("hr", |row| #{ key: row.id, username: row.username, email: row.email, first_name: row.name, last_name: "Berg",
                      active: true });
for system in both {
    join(system, ["email", "username"]);
    account(system, |person| person.active);
}
"#;

/// A rule that holds an attribute at the portal.
fn held(attribute: &str) -> String {
    let line = "route(|change| if change.system == \"portal\" && change.attribute == \"";
    format!("{line}{attribute}\" {{ hold(\"look first\") }});\n{RULES}")
}

const ANNA: &str = "0017,anna,anna@example.com,Anna";
const BOB: &str = "0018,bob,bob@example.com,Bob";

struct Nights(World);

impl Nights {
    fn new(says: &str) -> Self {
        let mut world = World::new()
            .file("homeward.toml", &SETTINGS.replacen("says = \"state\"", &format!("says = \"{says}\""), 1))
            .file("rules/people.rhai", RULES)
            .file("lab/directory.json", "{}")
            .file("lab/portal.json", "{}");
        world.start_lab(&[]);
        Self(world)
    }

    fn rules(&self, rules: &str) {
        self.0.write("rules/people.rhai", rules.as_bytes());
    }

    fn list(&self, rows: &[&str]) {
        self.0.write("hr.csv", format!("id,username,email,name\n{}\n", rows.join("\n")).as_bytes());
    }

    /// Applies a list of these rows.
    fn night(&self, exit: i32, rows: &[&str]) -> Value {
        self.list(rows);
        self.0.json(exit, &["apply", "--yes", "hr=hr.csv"])
    }

    /// `username active` of everybody at a system.
    fn at(&self, system: &str) -> Vec<String> {
        let users = self.ask(system, "GET", "/Users", &Value::Null);
        let users = users["Resources"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<String> =
            users.iter().map(|it| format!("{} {}", it["userName"].as_str().unwrap(), it["active"])).collect();
        all.sort();
        all
    }

    /// The addresses of everybody at a system.
    fn addresses(&self, system: &str) -> Vec<String> {
        let users = self.ask(system, "GET", "/Users", &Value::Null);
        let users = users["Resources"].as_array().cloned().unwrap_or_default();
        let address = |it: &Value| it["emails"][0]["value"].as_str().unwrap().to_owned();
        let mut all: Vec<String> = users.iter().map(address).collect();
        all.sort();
        all
    }

    /// The number of the run that was set aside.
    fn aside(&self) -> String {
        let runs = self.0.json(0, &["runs"]);
        let aside = runs["runs"].as_array().unwrap().iter().find(|run| run["standing"] == "aside");
        aside.unwrap()["run"].to_string()
    }

    /// The settings, and these limits.
    fn limits(&self, says: &str, limits: &str) {
        let settings = SETTINGS.replacen("says = \"state\"", &format!("says = \"{says}\""), 1);
        let settings = settings.replacen("kind = \"scim\"", "kind = \"scim\"\nconcurrency = 1", 1);
        self.0.write("homeward.toml", format!("{settings}{limits}").as_bytes());
    }

    fn ask(&self, system: &str, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.0.ask(system, method, &format!("/scim/v2{path}"), &[], body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text);
        if answer.text.is_empty() { Value::Null } else { answer.json() }
    }
}

#[test]
fn who_was_let_in_again_at_one_system_only_is_switched_off_when_she_leaves_again() {
    let nights = Nights::new("state");
    nights.night(0, &[ANNA, BOB]);
    nights.night(0, &[BOB]);
    assert_eq!(nights.at("directory"), ["anna false", "bob true"]);
    nights.rules(&held("active"));
    nights.night(4, &[ANNA, BOB]);
    assert_eq!(
        (nights.at("directory"), nights.at("portal")),
        (vec!["anna true".to_owned(), "bob true".to_owned()], vec!["anna false".to_owned(), "bob true".to_owned()],)
    );
    nights.rules(RULES);
    nights.night(0, &[BOB]);
    for system in ["directory", "portal"] {
        assert_eq!(nights.at(system), ["anna false", "bob true"], "{system}");
    }
}

/// Rules by which every plan waits.
fn waiting() -> String {
    format!("guard(|plan| hold(\"look first\"));\n{RULES}")
}

#[test]
fn a_leaving_that_waited_or_was_rejected_is_not_forgotten() {
    for is_rejected in [false, true] {
        let nights = Nights::new("state");
        nights.night(0, &[ANNA, BOB]);
        nights.night(0, &[BOB]);
        nights.rules(&held("active"));
        nights.night(4, &[ANNA, BOB]);
        nights.rules(&waiting());
        nights.night(6, &[BOB]);
        if is_rejected {
            nights.0.json(0, &["reject", "4"]);
        }
        nights.rules(RULES);
        nights.night(0, &[BOB]);
        assert_eq!(nights.at("directory"), ["anna false", "bob true"], "{is_rejected}");
    }
}

#[test]
fn a_list_that_only_waited_takes_nothing_back() {
    for is_rejected in [false, true] {
        let nights = Nights::new("changes");
        nights.night(0, &[ANNA, BOB]);
        nights.night(0, &[ANNA, BOB]);
        nights.rules(&waiting());
        nights.night(6, &["0017,wrong,anna@example.com,Anna", BOB]);
        if is_rejected {
            nights.0.json(0, &["reject", "3"]);
        }
        nights.rules(RULES);
        // Somebody else changes her meanwhile, of which HR says nothing.
        let people = nights.ask("directory", "GET", "/Users", &Value::Null);
        let hers = people["Resources"].as_array().unwrap().iter().find(|it| it["userName"] == "anna").unwrap();
        let renamed = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "userName", "value": "annika" }] });
        nights.ask("directory", "PATCH", &format!("/Users/{}", hers["id"].as_str().unwrap()), &renamed);
        nights.night(0, &[ANNA, BOB]);
        assert_eq!(nights.at("directory"), ["annika true", "bob true"], "{is_rejected}");
    }
}

#[test]
fn who_leaves_in_a_list_that_waits_leaves_with_the_next_one_that_is_carried_out() {
    let nights = Nights::new("state");
    nights.night(0, &[ANNA, BOB]);
    nights.rules(&waiting());
    nights.night(6, &[BOB]);
    nights.rules(RULES);
    nights.night(0, &[BOB]);
    for system in ["directory", "portal"] {
        assert_eq!(nights.at(system), ["anna false", "bob true"], "{system}");
    }
}

#[test]
fn what_a_source_takes_back_is_taken_back_where_it_was_done() {
    let nights = Nights::new("changes");
    nights.night(0, &[ANNA, BOB]);
    nights.night(0, &[ANNA, BOB]);
    nights.rules(&held("username"));
    nights.night(4, &["0017,anne,anna@example.com,Anna", BOB]);
    assert_eq!(nights.at("directory"), ["anne true", "bob true"]);
    nights.rules(RULES);
    nights.night(0, &[ANNA, BOB]);
    for system in ["directory", "portal"] {
        assert_eq!(nights.at(system), ["anna true", "bob true"], "{system}");
    }
}

#[test]
fn a_key_that_was_damaged_while_something_was_open_is_no_other_person() {
    let nights = Nights::new("state");
    nights.night(0, &[ANNA, BOB]);
    nights.rules(&held("username"));
    nights.night(4, &["0017,anne,anne@example.com,Anna", BOB]);
    nights.rules(RULES);
    let before = (nights.at("directory"), nights.at("portal"));
    nights.night(4, &["17,anne,anne@example.com,Anna", BOB]);
    let plan = nights.0.json(0, &["plan", "hr=hr.csv"]);
    assert_eq!(plan["rejected"][0]["code"], "key_changed", "{plan:#}");
    assert_eq!((nights.at("directory"), nights.at("portal")), before);
}

#[test]
fn an_account_that_came_meanwhile_may_be_hers_whose_address_was_handed_on() {
    let nights = Nights::new("state");
    let rules = RULES.replace("account(system, |person| person.active);", "");
    nights.rules(&rules);
    nights.night(0, &[ANNA, BOB]);
    let hers = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "anna", "active": true,
        "name": { "givenName": "Anna", "familyName": "Berg" }, "emails": [{ "value": "anna@example.com", "primary": true }] });
    let made = nights.ask("portal", "POST", "/Users", &hers);
    let (anne, alf) = ("0017,anne,anne@example.com,Anna", "0019,anna,anna@example.com,Alf");
    let done = nights.night(4, &[anne, alf, BOB]);
    assert_eq!(done["outcomes"], json!([]));
    let account = nights.ask("portal", "GET", &format!("/Users/{}", made["id"].as_str().unwrap()), &Value::Null);
    assert_eq!((&account["userName"], &account["name"]["givenName"]), (&json!("anna"), &json!("Anna")));
    // A word settles it.
    nights.0.json(0, &["link", "hr/0017", &format!("portal:{}", made["id"].as_str().unwrap())]);
    nights.night(0, &[anne, alf, BOB]);
    assert_eq!(nights.at("portal"), ["anne true"]);
}

#[test]
fn a_system_that_shows_none_of_the_accounts_it_had_is_not_filled_anew_without_a_question() {
    let nights = Nights::new("state");
    let people: Vec<String> = (1..=8).map(|at| format!("{at},user{at},user{at}@example.com,U")).collect();
    let rows: Vec<&str> = people.iter().map(String::as_str).collect();
    nights.night(0, &rows);
    let portal = nights.ask("portal", "GET", "/Users", &Value::Null);
    let ids: Vec<&str> = portal["Resources"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    // One account may go: it is told, and made anew.
    nights.ask("portal", "DELETE", &format!("/Users/{}", ids[0]), &Value::Null);
    nights.list(&rows);
    let told = nights.0.homeward(&["--lab", "plan", "--recheck", "hr=hr.csv"]);
    assert!(
        told.stderr
            .contains("portal: 1 of 8 people who had an account there have none any more and are given a new one: hr/"),
        "{told:?}"
    );
    for id in &ids[1..] {
        nights.ask("portal", "DELETE", &format!("/Users/{id}"), &Value::Null);
    }
    let held = nights.0.homeward(&["--lab", "apply", "--yes", "--recheck", "hr=hr.csv"]);
    assert_eq!(held.status, 6, "{held:?}");
    assert!(held.stderr.contains("8 of 8 people who had an account at portal have none any more"), "{held:?}");
    assert_eq!(nights.at("portal"), Vec::<String>::new());
}

#[test]
fn approving_a_part_does_not_settle_what_the_same_list_left_open_of_her_elsewhere() {
    for is_pruned in [false, true] {
        approved_in_part(is_pruned);
    }
}

fn approved_in_part(is_pruned: bool) {
    let nights = Nights::new("state");
    let settings = std::fs::read_to_string(nights.0.path("homeward.toml")).unwrap();
    nights.rules(&only_there(RULES));
    nights.night(0, &[ANNA, BOB]);
    // Anna leaves, which a rule holds at the portal, and one name too many sets aside at the directory.
    let limits = "[limits]\nattributes = { first_name = { share = \"0%\", at_least = 0 } }\n";
    nights.0.write("homeward.toml", format!("{settings}{limits}").as_bytes());
    nights.rules(&only_there(&held("active")));
    let robert = "0018,bob,robert@example.com,Robert";
    nights.night(6, &[robert]);
    assert_eq!(
        (nights.at("directory"), nights.at("portal")),
        (vec!["anna true".into(), "bob true".into()], vec!["anna true".into(), "bob true".into()])
    );
    let aside = nights.aside();
    if is_pruned {
        // What is left open of somebody is not finished.
        nights.0.json(0, &["runs", "--prune", "1ms", "--yes"]);
    }
    nights.0.json(0, &["approve", &aside, "--yes"]);
    assert_eq!(nights.at("directory"), ["anna false", "bob true"]);
    // It is told until it is done.
    nights.night(4, &[robert]);
    nights.rules(&only_there(RULES));
    nights.night(0, &[robert]);
    assert_eq!(nights.at("portal"), ["anna false", "bob true"]);
}

#[test]
fn a_run_that_goes_on_later_takes_no_account_of_somebody_who_has_its_names_by_now() {
    for is_found_before in [true, false] {
        goes_on_later(is_found_before);
    }
}

fn goes_on_later(is_found_before: bool) {
    let Nights(world) = Nights::new("state");
    let (directory, upstream) = (world.url("directory"), world.url("portal"));
    let server = Server::before(&upstream);
    let settings = SETTINGS
        .replace("https://directory.example.com", &directory)
        .replace("https://portal.example.com", &server.url)
        + "concurrency = 1\n";
    world.write("homeward.toml", settings.as_bytes());
    let (hers, its) = (world.token("directory"), world.token("portal"));
    let nights = Nights(world.variable("DIRECTORY_TOKEN", &hers).variable("PORTAL_TOKEN", &its));
    nights.rules(&format!("temporary(\"username\", [\"directory\", \"portal\"]);\n{RULES}"));
    let applied = |exit: i32, rows: &[&str]| {
        nights.list(rows);
        let ran = nights.0.homeward(&["apply", "--yes", "hr=hr.csv"]);
        assert_eq!(ran.status, exit, "{ran:?}");
    };
    applied(0, &[BOB]);
    // Anna's account is made, and the run is killed before it has looked, or has made Cid's.
    let (tell, is_made) = mpsc::channel();
    let (tell, was_asked, behind) = (Mutex::new(tell), AtomicBool::new(false), upstream.clone());
    server.behave(move |request| {
        if was_asked.load(Ordering::SeqCst) {
            let _ = tell.lock().unwrap().send(());
            return Answer::Silence;
        }
        was_asked.store(!request.is_read(), Ordering::SeqCst);
        forward(&behind, request)
    });
    nights.list(&[ANNA, BOB, "0019,cid,cid@example.com,Cid"]);
    let mut apply = nights.0.command();
    apply.args(["apply", "--yes", "hr=hr.csv"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut apply = apply.spawn().unwrap();
    is_made.recv_timeout(Duration::from_secs(30)).unwrap();
    apply.kill().unwrap();
    apply.wait().unwrap();
    server.behave(move |request| forward(&upstream, request));
    let robert = "0018,bob,bob@example.com,Robert";
    if is_found_before {
        // The next list finds it; the one after that gives each the name of the other.
        applied(0, &[ANNA, robert]);
        applied(0, &["0017,bob,bob@example.com,Anna", "0018,anna,anna@example.com,Robert"]);
    } else {
        // She is listed no more, her account goes, and somebody else is given her name.
        let hers = nights.ask("portal", "GET", "/Users", &Value::Null);
        let hers = hers["Resources"].as_array().unwrap().iter().find(|it| it["userName"] == "anna").cloned().unwrap();
        nights.ask("portal", "DELETE", &format!("/Users/{}", hers["id"].as_str().unwrap()), &Value::Null);
        applied(4, &["0018,anna,anna@example.com,Robert"]);
    }
    let of = |person: &str| nights.0.homeward(&["link", person]).stdout;
    let before = (of("hr/0017"), of("hr/0018"));
    let resumed = nights.0.homeward(&["resume"]);
    assert!(resumed.stdout.contains(if is_found_before { "by now" } else { "in doubt" }), "{resumed:?}");
    assert_eq!(of("hr/0018"), before.1);
    if is_found_before {
        assert_eq!(of("hr/0017"), before.0);
    } else {
        assert!(!of("hr/0017").contains("portal"), "{}", of("hr/0017"));
    }
}

/// Rules by which only the directory is told of first names.
fn only_there(rules: &str) -> String {
    rules.replace(
        "copies([\"username\", \"email\", \"first_name\", \"last_name\"], both);",
        "copies([\"username\", \"email\", \"last_name\"], both);\ncopies(\"first_name\", \"directory\");",
    )
}

/// Rules by which nobody is to have an account at the portal.
fn only_at_the_directory(rules: &str) -> String {
    let line = "account(system, |person| person.active);";
    rules.replace(line, &format!("if system == \"directory\" {{ {line} }}"))
}

const NO_NAME: &str = "[limits]\nwindow = \"0\"\nattributes = { first_name = { share = \"0%\", at_least = 0 } }\n";
const NO_LEAVING: &str = "[limits]\nwindow = \"0\"\nattributes = { active = { share = \"0%\", at_least = 0 } }\n";

#[test]
fn a_part_that_is_finished_late_takes_back_nothing_that_was_said_since() {
    let nights = Nights::new("state");
    // Only the directory has a word for who is there, so the limit sets that part aside.
    let rules = only_at_the_directory(RULES);
    nights.rules(&rules);
    let cid = |name: &str| format!("0019,cid,cid@example.com,{name}");
    nights.night(0, &[ANNA, BOB, &cid("Cid")]);
    let hers = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "cid", "active": true,
        "name": { "givenName": "Cid", "familyName": "Berg" }, "emails": [{ "value": "cid@example.com", "primary": true }] });
    nights.ask("portal", "POST", "/Users", &hers);
    nights.limits("state", NO_LEAVING);
    nights.night(6, &[&cid("Cyd")]);
    // One of the two is switched off, and nobody knows of the other.
    let faults = json!([{ "kind": "closed", "when": "before", "of": "writes", "at": 2, "times": 50 }]);
    nights.0.lab("directory", "POST", "chaos", &json!({ "faults": faults }));
    nights.0.homeward(&["--lab", "approve", &nights.aside(), "--yes"]);
    nights.0.lab("directory", "DELETE", "chaos", &Value::Null);
    nights.limits("state", "");
    let gone = |name: &str| nights.at("directory").contains(&format!("{name} false"));
    assert!(gone("anna") || gone("bob"), "{:?}", nights.at("directory"));
    nights.night(0, &[ANNA, BOB, &cid("Cyd")]);
    assert_eq!(nights.at("directory"), ["anna true", "bob true", "cid true"]);
    nights.0.homeward(&["--lab", "resume"]);
    nights.night(0, &[&cid("Cyd")]);
    assert_eq!(nights.at("directory"), ["anna false", "bob false", "cid true"]);
}

#[test]
fn whoever_is_not_listed_any_more_is_asked_for_nothing_but_to_leave() {
    let nights = Nights::new("changes");
    nights.night(0, &[ANNA, BOB]);
    nights.night(0, &[ANNA, BOB]);
    nights.rules(&held("email"));
    nights.night(4, &["0017,anna,anne@example.com,Anna", BOB]);
    nights.rules(RULES);
    nights.night(0, &[BOB]);
    assert_eq!(
        (nights.at("directory"), nights.at("portal")),
        (vec!["anna false".to_owned(), "bob true".to_owned()], vec!["anna false".to_owned(), "bob true".to_owned()])
    );
    assert_eq!(nights.addresses("directory"), ["anne@example.com", "bob@example.com"]);
    assert_eq!(nights.addresses("portal"), ["anna@example.com", "bob@example.com"]);
}

#[test]
fn what_is_done_at_one_system_only_is_known_when_whoever_left_comes_back() {
    let nights = Nights::new("changes");
    nights.night(0, &[ANNA, BOB]);
    nights.night(0, &[ANNA, BOB]);
    nights.rules(&held("email"));
    nights.night(4, &["0017,anna,anne@example.com,Anna", BOB]);
    nights.rules(RULES);
    nights.night(0, &[BOB]);
    nights.night(0, &[BOB]);
    assert_eq!(nights.addresses("directory"), ["anne@example.com", "bob@example.com"]);
    // She is as she was before, and the directory holds what was said in between.
    nights.night(0, &[ANNA, BOB]);
    for system in ["directory", "portal"] {
        assert_eq!(nights.at(system), ["anna true", "bob true"]);
        assert_eq!(nights.addresses(system), ["anna@example.com", "bob@example.com"]);
    }
    let idle = nights.night(0, &[ANNA, BOB]);
    assert_eq!(idle["outcomes"], json!([]), "{idle}");
}

#[test]
fn another_source_switches_nobody_on_or_off_while_her_own_has_said_otherwise_since() {
    let nights = Nights::new("state");
    let website = "[systems.website]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\n";
    nights.0.write("homeward.toml", format!("{SETTINGS}{website}").as_bytes());
    let more = "owner(\"nickname\", \"website\");\ncopies(\"nickname\", both);\n\
                source(\"website\", |row| #{ key: row.id, email: row.email, nickname: row.nick });\n";
    let rules = RULES.replace("source(\"hr\"", &format!("{more}source(\"hr\""));
    let polled = |nick: &str| {
        nights.0.write("web.csv", format!("id,email,nick\n7,anna@example.com,{nick}\n").as_bytes());
        nights.0.json(0, &["apply", "--yes", "website=web.csv"]);
    };
    let both = || (nights.at("directory")[0].clone(), nights.at("portal")[0].clone());
    let of = |directory: &str, portal: &str| (format!("anna {directory}"), format!("anna {portal}"));
    nights.rules(&rules);
    nights.night(0, &[ANNA, BOB]);
    polled("Annie");
    // She leaves, and the portal has to wait.
    nights.rules(&held("active").replace(RULES, &rules));
    nights.night(4, &[BOB]);
    nights.rules(&rules);
    polled("Ann");
    assert_eq!(both(), of("false", "true"));
    nights.night(0, &[BOB]);
    assert_eq!(both(), of("false", "false"));
    // She comes back, and the portal has to wait.
    nights.rules(&held("active").replace(RULES, &rules));
    nights.night(4, &[ANNA, BOB]);
    nights.rules(&rules);
    polled("Anni");
    assert_eq!(both(), of("true", "false"));
    nights.night(0, &[ANNA, BOB]);
    assert_eq!(both(), of("true", "true"));
}

#[test]
fn no_account_is_made_for_another_source_under_names_that_are_not_settled() {
    let nights = Nights::new("state");
    let website = "[systems.website]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\n";
    nights.0.write("homeward.toml", format!("{SETTINGS}{website}").as_bytes());
    let more = "owner(\"nickname\", \"website\");\ncopies(\"nickname\", both);\n\
                source(\"website\", |row| #{ key: row.id, email: row.email, nickname: row.nick });\n";
    let rules = RULES.replace("source(\"hr\"", &format!("{more}source(\"hr\""));
    let polled = |exit: i32, nick: &str| {
        nights.0.write("web.csv", format!("id,email,nick\n7,anna@example.com,{nick}\n").as_bytes());
        nights.0.json(exit, &["apply", "--yes", "website=web.csv"]);
    };
    // At first nobody has an account at the portal.
    nights.rules(&only_at_the_directory(&rules));
    nights.night(0, &[ANNA, BOB]);
    polled(0, "Annie");
    nights.rules(&held("email").replace(RULES, &rules));
    nights.night(4, &["0017,anne,anne@example.com,Anna", BOB]);
    assert_eq!(nights.addresses("directory"), ["anne@example.com", "bob@example.com"]);
    assert_eq!(nights.addresses("portal"), Vec::<String>::new());
    // What waits for the other source may go, and what she is called here nobody has settled.
    nights.rules(&rules);
    polled(4, "Ann");
    assert_eq!(nights.at("portal"), Vec::<String>::new());
    let anne = "0017,anne,anne@example.com,Anna";
    nights.night(0, &[anne, BOB]);
    assert_eq!(nights.addresses("portal"), ["anne@example.com", "bob@example.com"]);
    polled(0, "Anni");
}

#[test]
fn what_a_run_of_long_ago_left_open_of_others_keeps_nothing_of_hers_open() {
    let nights = Nights::new("changes");
    nights.rules(&only_there(RULES));
    let anna = |name: &str, address: &str| format!("0017,anna,{address}@example.com,{name}");
    nights.night(0, &[ANNA, BOB]);
    nights.night(0, &[ANNA, BOB]);
    // Her address is held at one system, and a call for Bob fails: the run is never finished, and both are done later.
    nights.rules(&only_there(&held("email")));
    let faults = json!([{ "kind": "overloaded", "when": "before", "of": "writes", "at": 1, "times": 50 }]);
    nights.0.lab("directory", "POST", "chaos", &json!({ "faults": faults }));
    let robert = "0018,bob,bob@example.com,Robert";
    nights.list(&[&anna("Anna", "anna1"), robert]);
    nights.0.homeward(&["--lab", "apply", "--yes", "hr=hr.csv"]);
    nights.0.lab("directory", "DELETE", "chaos", &Value::Null);
    nights.rules(&only_there(RULES));
    nights.night(0, &[&anna("Anna", "anna1"), robert]);
    nights.night(0, &[&anna("Anna", "anna1"), robert]);
    // Much later a part of a list is approved, and the directory is given another address by hand.
    nights.limits("changes", NO_NAME);
    let again = [&*anna("Anne", "anna2"), robert];
    nights.night(6, &again);
    nights.0.json(0, &["approve", &nights.aside(), "--yes"]);
    assert_eq!(nights.addresses("directory"), ["anna2@example.com", "bob@example.com"]);
    let users = nights.ask("directory", "GET", "/Users", &Value::Null);
    let hers = users["Resources"].as_array().unwrap().iter().find(|it| it["userName"] == "anna").unwrap();
    let change = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "own@example.com" }] });
    nights.ask("directory", "PATCH", &format!("/Users/{}", hers["id"].as_str().unwrap()), &change);
    // The same list says nothing new.
    nights.limits("changes", "");
    nights.night(0, &again);
    assert_eq!(nights.addresses("directory"), ["bob@example.com", "own@example.com"]);
}
