//! The README stays true because it is run: its commands, its rules, its configuration, its tables.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use crate::common::{
    Ran, World,
    readme::{blocks, shell},
};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The first fenced block of a language behind a heading.
fn block(page: &str, heading: &str, language: &str) -> String {
    let rest = page.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let rest = rest.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_first_block_holds_the_main_job_and_all_tests() {
    // The gate runs these two as they stand here.
    let first: Vec<String> = blocks(&page())[0].commands().map(ToOwned::to_owned).collect();
    let expected = ["cargo run -- -C examples/start --lab apply --yes hr=people.csv", "cargo test --quiet"];
    assert_eq!(first, expected);
}

#[test]
fn a_newcomer_gets_from_init_to_an_explained_plan_with_the_commands_of_the_page() {
    let world = World::new();
    let Ran { status, stdout, stderr } = shell(&world, &blocks(&page())[1].text);
    assert_eq!(status, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("saved; apply exactly this with: homeward --lab apply plan.json"), "{stderr}");
    let plan = fs::read_to_string(world.path("people/plan.json")).unwrap();
    assert!(plan.contains("\"format\": \"homeward.plan/1\""));
    for line in [
        "mmuster → mmeyer",
        "takes it from gitlab at the next sign-in",
        "Plan: 9 changes in 5 calls",
        "Done: 5 of 5 calls (run 1)",
        "Plan: 0 changes in 0 calls",
    ] {
        assert!(stdout.contains(line), "{line}\n{stdout}");
    }

    // The next step of the page: its rule above the first line makes `check` warn, and the advice silences it.
    let rule = block(&page(), "A project of your own", "rhai");
    let rules = format!("{rule}{}", world.read("people/rules/people.rhai"));
    world.write("people/rules/people.rhai", rules.as_bytes());
    let warned = world.homeward(&["-C", "people", "check"]);
    assert_eq!(warned.status, 0, "{}", warned.stderr);
    assert!(warned.stderr.contains("would_revert"), "{}", warned.stderr);
    let config = world.read("people/homeward.toml").replace("says = \"state\" ", "says = \"changes\" ");
    world.write("people/homeward.toml", config.as_bytes());
    let quiet = world.homeward(&["-C", "people", "check"]);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
}

/// The second example of rules: sets and operations, with a `source` line in the place of the first one's.
fn sets_and_operations(page: &str) -> String {
    let rules = page.split("```rhai\n").find(|block| block.starts_with("range(")).unwrap();
    rules.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_rules_and_the_configuration_of_the_page_are_good_together_with_either_source() {
    let page = page();
    let rules = block(&page, "Rules", "rhai");
    let (before, source) = rules.split_once("source(\"hr\"").unwrap();
    let other = format!("{before}{}{}", sets_and_operations(&page), source.split_once("\n});\n").unwrap().1);
    for rules in [rules.clone(), other] {
        let world = World::new()
            .file("homeward.toml", &block(&page, "Configuration", "toml"))
            .file("rules/people.rhai", &rules)
            .file(
                "hr.csv",
                "employee_id,username,email,first_name,last_name,status,hire_date,department\n\
                 7,mia,mia@example.com,Mia,Meyer,Active,01.02.2024,Platform\n",
            );
        let Ran { status, stdout, stderr } = world.homeward(&["check", "--deny-warnings"]);
        assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}\n{rules}");
        assert!(stdout.starts_with("Good: 3 systems"), "{stdout}");
        // What the remark beside `says` tells.
        let config = world.read("homeward.toml").replace("says = \"changes\"", "says = \"state\"");
        world.write("homeward.toml", config.as_bytes());
        let warned = world.homeward(&["check"]);
        assert!(warned.stderr.contains("would_revert"), "{}", warned.stderr);
    }
}

#[test]
fn a_fault_is_set_as_the_page_says() {
    let page = page();
    let command = page.split_once("`curl -H '").unwrap().1.split_once("' ADDRESS/_lab/chaos`").unwrap().0;
    let (header, body) = command.split_once("' -d '").unwrap();
    let world = World::with_lab_of("gitlab", &serde_json::json!({ "users": [] }));
    let set = |headers: &[(&str, &str)]| {
        let body = serde_json::Value::String(body.to_owned());
        world.ask("gitlab", "POST", "/_lab/chaos", headers, &body).status
    };
    let header = header.split_once(": ").unwrap();
    assert_eq!((set(&[header]), set(&[])), (200, 415));
}

#[test]
fn the_sets_and_operations_of_the_page_load_beside_a_source() {
    let rules = sets_and_operations(&page());
    let systems = ["gitlab", "mattermost"].map(|kind| {
        format!("[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n\n")
    });
    let config = format!("{}[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\n", systems.concat());
    let join = "join(\"gitlab\", \"email\");\n";
    let world = World::new()
        .file("homeward.toml", &config)
        .file("rules/people.rhai", &format!("{rules}{join}"))
        .file("hr.csv", "employee_id,username,email,department,status,first_name,last_name\n1,anna,a@example.com,Platform,New,Anna,Berg\n");
    let Ran { status, stdout, stderr } = world.homeward(&["--lab", "plan", "hr=hr.csv"]);
    assert_eq!(status, 0, "{stdout}\n{stderr}");
    assert!(stdout.contains("post_message"), "{stdout}");
}

#[test]
fn a_file_in_a_folder_goes_its_way_with_the_commands_of_the_page() {
    let script = block(&page(), "The service", "sh");
    let world = World::new();
    let Ran { status, stdout, stderr } = shell(&world, &script);
    assert_eq!(status, 0, "{stdout}\n{stderr}");
    assert!(stderr.contains("waiting: the first list of hr") && stderr.contains("look at it once"), "{stderr}");
    for line in ["Done: 5 of 5 calls (run 1)", "people.csv (2"] {
        assert!(stdout.contains(line), "{line}\n{stdout}\n{stderr}");
    }
    let archived = fs::read_dir(world.path("nightly/drop/hr/archive")).unwrap();
    assert_eq!(archived.count(), 2, "the file and what became of it");
    assert!(!world.path("nightly/drop/hr/people.csv").exists());
}

#[test]
fn the_folder_and_the_website_of_the_page_are_watched_as_they_stand_there() {
    let page = page();
    let section = page.split_once("\n## The service\n").unwrap().1.split("\n## ").next().unwrap();
    let blocks: Vec<&str> =
        section.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    let world = World::new()
        .file("homeward.toml", &format!("{}\n{}\n[watch]\nhealth = \"127.0.0.1:9180\"\n", blocks[0], blocks[1]))
        .file("rules/rules.rhai", "source(\"hr\", |row| #{ key: row.employee_id });\n");
    let Ran { status, stdout, stderr } = world.homeward(&["check"]);
    assert_eq!(status, 0, "{stdout}\n{stderr}");
    // Whoever adds a key tells of it, or of where it is told.
    let schema: serde_json::Value = serde_json::from_str(&world.homeward(&["schema"]).stdout).unwrap();
    let keys = schema["$defs"]["systems.csv"]["properties"].as_object().unwrap().keys();
    let untold: Vec<&String> = keys.filter(|key| !page.contains(&format!("\n{key} = "))).collect();
    let elsewhere = [
        "limits",
        "count_line",
        "minimum_rows",
        "columns",
        "delimiter",
        "encoding",
        "header_rows",
        "skip",
        "placeholders",
        "id_pattern",
    ];
    let untold: Vec<&&String> = untold.iter().filter(|key| !elsewhere.contains(&key.as_str())).collect();
    assert_eq!(untold, Vec::<&&String>::new());
}

#[test]
fn the_table_of_limits_holds_every_limit() {
    let page = page();
    let table = page.split_once("\n### Limits\n").unwrap().1.split("\n#").next().unwrap();
    let told = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_whitespace().next());
    let told: std::collections::BTreeSet<&str> = told.collect();
    let schema: serde_json::Value = serde_json::from_str(&World::new().homeward(&["schema"]).stdout).unwrap();
    let keys = schema["$defs"]["LimitsKeys"]["properties"].as_object().unwrap();
    assert_eq!(told, keys.keys().map(String::as_str).collect());
}

/// One step of the tutorial.
enum Step {
    Run(String),
    Write { file: String, first: bool, text: String },
}

/// The fenced blocks of a section, in order. A rule's first line says where it goes.
fn steps(section: &str) -> Vec<Step> {
    let blocks = section.split("\n```").skip(1).step_by(2);
    let step = |block: &str| {
        let (language, text) = block.split_once('\n').unwrap();
        let text = format!("{text}\n");
        match language {
            "sh" => Step::Run(text),
            "rhai" => {
                let (place, text) = text.split_once('\n').unwrap();
                let (file, side) = place.strip_prefix("// ").unwrap().split_once(", ").unwrap();
                assert!(["first", "last"].contains(&side), "{place}");
                Step::Write { file: file.to_owned(), first: side == "first", text: text.to_owned() }
            }
            other => panic!("a block of `{other}`"),
        }
    };
    blocks.map(step).collect()
}

#[test]
fn the_tutorial_holds_from_its_first_line_to_its_last() {
    let page = page();
    let section = page.split_once("\n## Ten minutes with the rules\n").unwrap().1.split("\n## ").next().unwrap();
    let world = World::new();
    let mut said = Vec::new();
    for step in steps(section) {
        match step {
            Step::Run(script) => {
                let enter = if said.is_empty() { "" } else { "cd tutorial\n" };
                let ran = shell(&world, &format!("{enter}{script}"));
                assert_eq!(ran.status, 0, "{script}\n{}\n{}", ran.stdout, ran.stderr);
                said.push(format!("{}{}", ran.stdout, ran.stderr));
            }
            Step::Write { file, first, text } => {
                let name = format!("tutorial/{file}");
                let old = world.read(&name);
                let new = if first { format!("{text}{old}") } else { format!("{old}\n{text}") };
                world.write(&name, new.as_bytes());
            }
        }
    }
    assert_eq!(said.len(), 3);
    for (at, line) in [
        (0, "Passed: 9 tests."),
        (1, "Passed: 3 tests."),
        (1, "would_revert"),
        (2, "Passed: 12 tests."),
        (2, "mmuster → mmeyer"),
        (2, "would be applied if `mattermost.auth_service` were empty"),
    ] {
        assert!(said[at].contains(line), "{line}\n{}", said[at]);
    }

    // Both ways out that the page names end the warning.
    let rules = world.read("tutorial/rules/people.rhai");
    let allowed = rules
        .replace("\nsource(", "\n// homeward: allow(would_revert) administrators are few, and HR is right\nsource(");
    world.write("tutorial/rules/people.rhai", allowed.as_bytes());
    let quiet = world.homeward(&["-C", "tutorial", "check", "--deny-warnings"]);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
    world.write("tutorial/rules/people.rhai", rules.as_bytes());
    let config = world.read("tutorial/homeward.toml").replace("says = \"state\" ", "says = \"changes\" ");
    world.write("tutorial/homeward.toml", config.as_bytes());
    let quiet = world.homeward(&["-C", "tutorial", "check", "--deny-warnings"]);
    assert_eq!((quiet.status, quiet.stderr.as_str()), (0, ""));
}

#[test]
fn every_command_of_the_page_exists() {
    let help = World::new().homeward(&["--help"]).stdout;
    let commands = block_of_table(&page(), "Commands");
    assert!(commands.len() >= 8, "{commands:?}");
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "`{command}` is in the README and not in --help");
    }
}

/// The second word of each first cell of a section's first table: `homeward plan …` gives `plan`.
fn block_of_table(page: &str, heading: &str) -> Vec<String> {
    let rest = page.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let rows = rest.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with('|'));
    let word = |row: &str| row.split_whitespace().nth(2).unwrap().trim_matches(['`', ',']).to_owned();
    rows.map(word).collect()
}
