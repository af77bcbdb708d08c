//! Every mistake of the first ten minutes: what the program says to it, whole, and with which exit code.
//!
//! A message is read by somebody who does not know the program yet. It says where, what, and what to do next; it holds no
//! secret, and no text that only a library's author understands.

mod common;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
};

use common::World;

const CONFIG: &str = r#"[systems.hr]
kind = "csv"
key = "id"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }
"#;

const RULES: &str = r#"owner("username", "gitlab");
owner("email", "hr");
copies("email", "gitlab");
source("hr", |row| #{ key: row.id, email: row.email });
join("gitlab", "email");
"#;

/// A small project in which nothing is wrong.
fn project() -> World {
    World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/people.rhai", RULES)
        .file("people.csv", "id,email\n7,mia@example.com\n8,lars@example.com\n")
}

/// The same with other rules.
fn rules(text: &str) -> World {
    project().file("rules/people.rhai", text)
}

/// The same with another configuration.
fn config(text: &str) -> World {
    project().file("homeward.toml", text)
}

/// The same with GitLab alone, at this address.
fn gitlab_at(url: &str) -> World {
    let config = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"{url}\"\ntoken = {{ env = \"GITLAB_TOKEN\" }}\n"
    );
    project().file("homeward.toml", &config).variable("GITLAB_TOKEN", "glpat-wrong")
}

/// Everything a run gave, as one text; what differs from run to run has a placeholder.
fn told(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    let text = format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status);
    let folder = world.path("");
    let text = text.replace(folder.to_str().unwrap().trim_end_matches('/'), "[FOLDER]");
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    port.replace_all(&text, "127.0.0.1:[PORT]").into_owned()
}

/// Answers every request with this, until the test ends.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// The project of a lab that runs, as if the lab's GitLab were a real one.
fn world_at(lab: &World) -> World {
    gitlab_at(&lab.url("gitlab"))
}

// Tokens and addresses.
#[test]
fn every_missing_token_is_told_at_once() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
}

#[test]
fn an_empty_token_is_none() {
    let world = project().variable("GITLAB_TOKEN", " ").variable("MATTERMOST_TOKEN", "x");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
}

#[test]
fn a_token_file_that_is_not_there() {
    let world = config(
        "[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { file = \"secret\" }\n",
    )
    .file("rules/people.rhai", "");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @"");
}

#[test]
fn nobody_listens_at_the_address() {
    let world = gitlab_at("http://127.0.0.1:9");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @"");
}

#[test]
fn there_is_no_host_of_this_name() {
    let world = gitlab_at("https://no-such-host.invalid");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
}

#[test]
fn a_web_page_is_no_interface() {
    let world = gitlab_at(&server(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 21\r\nconnection: close\r\n\r\n<html>Sign in</html>\n",
    ));
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @"");
}

#[test]
fn https_to_an_http_port() {
    let world = gitlab_at(
        &server("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .replace("http:", "https:"),
    );
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
}

#[test]
fn http_to_another_machine_would_show_the_token() {
    let world = gitlab_at("http://git.example.com");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_wrong_token_is_refused() {
    let lab = {
        let mut lab = project();
        lab.start_lab(&[]);
        lab
    };
    let world = world_at(&lab);
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @"");
}

#[test]
fn a_token_without_administrator_rights() {
    let lab = {
        let mut lab = project().file("lab/gitlab.json", r#"{"users": [{"id": 42, "username": "mia", "email": "mia@example.com"}], "tokens": [{"token": "glpat-wrong", "user": "mia"}]}"#);
        lab.start_lab(&[]);
        lab
    };
    let world = world_at(&lab);
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @"");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @"");
}

// homeward.toml.
#[test]
fn no_configuration() {
    let world = World::new();
    insta::assert_snapshot!(told(&world, &["check"]), @"");
    insta::assert_snapshot!(told(&world, &["-c", "other.toml", "check"]), @"");
    insta::assert_snapshot!(told(&world, &["-C", "nowhere", "check"]), @"");
}

#[test]
fn text_without_quotes() {
    let world = config("[systems.gitlab]\nkind = gitlab\nurl = \"https://git.example.com\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_quote_that_is_not_closed() {
    let world = config("[systems.gitlab]\nkind = \"gitlab\nurl = \"https://git.example.com\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_table_that_is_not_closed() {
    let world = config("[systems.gitlab\nkind = \"gitlab\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn everything_that_is_wrong_with_the_configuration_is_told_at_once() {
    let world = config(
        r#"[systems.gitlab]
kind = "gitlab"
urll = "https://git.example.com"
token = "glpat-do-not-show-outside-of-the-excerpt"
timeout = "5 lightyears"
concurrency = "many"

[systems.chat]
kind = "mattermos"

[systems.site]
kind = "wordpress"

[limits]
changes = 20
removals = { share = "200%" }
protected = ["root", "gitlb:root"]
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn an_unknown_key_far_from_any_other() {
    let world = config(&CONFIG.replace("kind = \"gitlab\"", "kind = \"gitlab\"\nbogus = 1"));
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn no_system_at_all() {
    let world = config("");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn an_encoding_nobody_knows() {
    let world = config(&CONFIG.replace("key = \"id\"", "key = \"id\"\nencoding = \"latin-9000\""));
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

// Rules.
#[test]
fn names_with_a_slip_of_the_finger_are_all_told_at_once() {
    let world = rules(
        r#"owner("usrname", "gitlab");
owner("email", "gitlb");
copies(["emial"], ["gitlab"]);
join("gitlab", "emal");
owner("last_name", "gitlab");
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_mark_is_right_behind_tabs_umlauts_and_emoji() {
    let world = rules("// grüße 🙂\n\towner(\"ü🙂\", \"hr\"); /* 🙂 é */ ownr(\"email\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_comma_is_missing() {
    let world = rules("owner(\"email\" \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_bracket_is_not_closed() {
    let world = rules("owner(\"email\", \"hr\"\n\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_quote_of_a_rule_is_not_closed() {
    let world = rules("owner(\"email, \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn functions_with_wrong_parameters() {
    let world = rules(
        r#"owner("email", "hr", || true);
owner("username", "gitlab", |a, b| true);
source("hr", |row, more| #{});
owner("last_name", "hr", true);
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn an_attribute_has_one_owner() {
    let world = rules("owner(\"email\", \"hr\");\nowner(\"email\", \"gitlab\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_second_owner_in_another_file_shows_both_files() {
    let world =
        rules("// first\nowner(\"email\", \"hr\");\n").file("rules/zeta.rhai", "owner(\"email\", \"gitlab\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn words_of_a_later_version_are_not_called_misspelt() {
    let world = rules(
        r#"route(|change| hold("look first"));
refused("mattermost", |change, refusal| to("gitlab"));
guard(|plan| ());
test("a test", || {});
perform("mattermost", "post_message", #{});
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_loop_without_an_end() {
    let world = rules("loop {}\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_rule_that_fails_while_it_is_loaded() {
    let world = rules("let x = 1 / 0;\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_folder_of_rules_that_is_not_there() {
    let world = config(&format!("rules = \"regeln\"\n{CONFIG}"));
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn a_folder_with_a_library_alone_holds_no_rules() {
    let world = config(&format!("rules = \"regeln\"\n{CONFIG}")).file("regeln/lib/text.rhai", "fn f(x) { x }\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_shown_in_its_place() {
    let world = rules("owner(\"email\", \"hr\");\nowner(\"email\", \"gitlab\", |person| true);\n");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
    insta::assert_snapshot!(told(&world, &["--format", "json", "check"]), @"");
}

// Records as rules see them.
#[test]
fn a_column_that_is_not_there() {
    let world = rules(&RULES.replace("row.id", "row.ident"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn an_attribute_with_a_slip_of_the_finger() {
    let world = rules(&RULES.replace(", email: row", ", emial: row"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_function_with_a_slip_of_the_finger() {
    let world = rules(&RULES.replace("row.email }", "row.email.trm() }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_function_nobody_knows() {
    let world = rules(&RULES.replace("row.email }", "row.email.sanitize() }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_record_without_a_key() {
    let world = rules(&RULES.replace("key: row.id, ", ""));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_source_that_returns_no_map() {
    let world = rules(&RULES.replace("#{ key: row.id, email: row.email }", "row.email"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_loop_for_every_record() {
    let world = rules(&RULES.replace("#{ key: row.id, email: row.email }", "{ loop {} }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_rule_that_divides_text() {
    let world = rules(&RULES.replace("row.email }", "row.email / 2 }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_rule_that_says_no_itself() {
    let world = rules(&RULES.replace("row.email }", "throw \"no way\" }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_person_has_no_such_thing() {
    let world =
        rules(&RULES.replace("\"gitlab\");\nowner", "\"gitlab\", |person| person.gitlb?.username == \"x\");\nowner"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_condition_that_is_no_condition() {
    let world = rules(&RULES.replace("\"gitlab\");\nowner", "\"gitlab\", |person| \"yes\");\nowner"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_source_without_a_line() {
    let world = rules("owner(\"email\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["check"]), @"");
}

// Files.
#[test]
fn a_file_that_is_not_there() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=nobody.csv"]), @"");
}

#[test]
fn an_empty_file() {
    let world = project().file("empty.csv", "");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=empty.csv"]), @"");
}

#[test]
fn a_header_alone() {
    let world = project().file("header.csv", "id,email\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=header.csv"]), @"");
}

#[test]
fn a_workbook_is_not_csv() {
    let world = project().file("people.xlsx", "PK\u{3}\u{4}\u{14}\u{0}");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.xlsx"]), @"");
}

#[test]
fn a_folder_is_no_file() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=rules"]), @"");
}

#[test]
fn the_key_column_has_another_name() {
    let world = project().file("people.csv", "ident,email\n7,mia@example.com\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn an_encoding_that_is_not_configured() {
    let world = {
        let world = project();
        world.write("people.csv", b"id,email\n7,m\xfcller@example.com\n");
        world
    };
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

// The command line.
#[test]
fn an_input_without_its_system() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "people.csv"]), @"");
}

#[test]
fn a_system_with_a_slip_of_the_finger() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hrr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "payroll=people.csv"]), @"");
}

#[test]
fn a_provider_reads_no_file() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "gitlab=people.csv"]), @"");
}

#[test]
fn a_command_with_a_slip_of_the_finger() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["pln"]), @"");
    insta::assert_snapshot!(told(&world, &["plan"]), @"");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv", "--al"]), @"");
}

#[test]
fn apply_asks_and_nobody_is_there() {
    let world = project().file("lab/gitlab.json", r#"{"users": [{"id": 42, "username": "mia", "email": "mia@example.com"}, {"id": 43, "username": "lars", "email": "old@example.com"}]}"#).file("rules/people.rhai", &RULES.replace("email: row", "active: false, email: row").replace("\"email\", \"hr\"", "[\"email\", \"active\"], \"hr\"").replace("\"email\", \"gitlab\"", "[\"email\", \"active\"], \"gitlab\""));
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "hr=people.csv"]), @"");
}

#[test]
fn a_saved_plan_that_is_none() {
    let world = project()
        .file("text.json", "no JSON")
        .file("other.json", "{}")
        .file("newer.json", r#"{"format": "homeward.plan/9"}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "nowhere.json"]), @"");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "text.json"]), @"");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "other.json"]), @"");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "newer.json"]), @"");
}

#[test]
fn a_saved_plan_that_was_edited() {
    let world = project();
    world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "plan.json"]);
    world.write("plan.json", world.read("plan.json").replace("people.csv", "others.csv").as_bytes());
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "--yes", "plan.json"]), @"");
}

#[test]
fn a_plan_that_cannot_be_saved() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv", "--out", "nowhere/plan.json"]), @"");
}

#[test]
fn init_overwrites_nothing() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["init"]), @"");
    insta::assert_snapshot!(told(&world, &["init", "."]), @"");
    insta::assert_snapshot!(told(&world, &["init", "people.csv"]), @"");
}

#[test]
fn a_run_that_never_was() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["runs", "9"]), @"");
}

#[test]
fn errors_are_data_where_that_is_asked_for() {
    let world = rules("owner(\"usrname\", \"gitlab\");\n  ownr(1);\n");
    insta::assert_snapshot!(told(&world, &["--format", "json", "check"]), @"");
    insta::assert_snapshot!(told(&world, &["--format", "json", "-C", "nowhere", "check"]), @"");
}

#[test]
fn quiet_still_tells_what_is_wrong() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["-q", "plan", "people.csv"]), @"");
}

// The lab.
#[test]
fn nothing_can_be_asked_of_a_lab_that_does_not_run() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlab", "mia"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "stop"]), @"");
}

#[test]
fn a_lab_runs_once() {
    let world = {
        let mut world = project();
        world.start_lab(&[]);
        world
    };
    insta::assert_snapshot!(told(&world, &["lab"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "--detach"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlb", "mia"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlab", "nobody"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "set", "gitlab", "version"]), @"");
    insta::assert_snapshot!(told(&world, &["lab", "set", "gitlab", r#"{"vrsion": 1}"#]), @"");
}

#[test]
fn a_seed_with_an_unknown_key() {
    let world = project().file("lab/gitlab.json", r#"{"usrs": []}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
    insta::assert_snapshot!(told(&world, &["lab"]), @"");
}

#[test]
fn a_seed_with_an_unknown_key_of_a_user() {
    let world = project().file("lab/gitlab.json", r#"{"users": [{"usrname": "mia"}]}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}

#[test]
fn a_seed_that_is_no_json() {
    let world = project().file("lab/gitlab.json", "{");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @"");
}
