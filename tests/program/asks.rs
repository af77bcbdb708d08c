//! How often each provider is asked, beside the least that its interface allows: the table in `benches/requests.md`.
//!
//! A list of so many people, of whom one in a hundred differs from what all providers hold, is planned, and the saved plan
//! is applied; what the simulators were asked in each is counted. The least is computed here, from what the contracts say
//! of pages, batches and proof. The rows of 10 and of 1,000 people are counted with every run of the tests;
//! `HOMEWARD_REQUESTS=100000` counts those of 100,000 too, which takes three minutes with an optimised build.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use serde_json::{Value, json};

use crate::common::World;

const TABLE: &str = "benches/requests.md";

const SIZES: [usize; 3] = [10, 1_000, 100_000];

/// Each kind, the settings it needs, and what its lab is seeded with: no limit, for it is not time that is measured.
fn kinds() -> [(&'static str, &'static str, Value); 7] {
    [
        ("mattermost", "", json!({})),
        ("gitlab", "", json!({})),
        ("zitadel", "", json!({})),
        ("discourse", "username = \"homeward\"\n", json!({ "settings": { "max_admin_api_reqs_per_minute": 0 } })),
        ("nextcloud", "username = \"homeward\"\nedits = 0\n", json!({ "settings": { "edit_limit": null } })),
        ("scim", "", json!({})),
        ("wordpress", "username = \"homeward\"\n", json!({})),
    ]
}

/// What the list says of one in a hundred goes to whatever each provider has for it.
const RULES: &str = r#"
let all = ["username", "email", "nickname", "first_name", "display_name", "phone", "gitlab.note"];
owner(all, "hr");
let systems = ["mattermost", "gitlab", "zitadel", "discourse", "nextcloud", "scim", "wordpress"];
copies(["username", "email"], systems);
for system in systems { join(system, ["email", "username"]); }
copies("nickname", ["mattermost", "zitadel", "scim"]);
copies("first_name", "wordpress");
copies("display_name", "discourse");
copies("phone", "nextcloud");
copies("gitlab.note", "gitlab");
source("hr", |row| {
    let said = #{ key: row.id, username: row.username, email: row.email };
    if row.differs != "" {
        said.nickname = row.differs;
        said.first_name = row.differs;
        said.display_name = row.differs;
        said["gitlab.note"] = row.differs;
        said.phone = row.phone;
    }
    said
});
"#;

/// So many of `people` differ.
fn changed(people: usize) -> usize {
    people.div_ceil(100)
}

/// The least number of requests: of a plan, and of applying it.
///
/// `people` are wanted by address and username, and the provider has one account more, which is ours; `changed` of them are
/// known by id.
fn least(kind: &str, people: usize) -> [usize; 2] {
    let (accounts, changed) = (people + 1, changed(people));
    let pages = |size: usize| accounts.div_ceil(size);
    match kind {
        // Who we are and what the settings are (2, 4.2); by username and by id in bulk (3), of which no more are asked for
        // at once than an answer that we read holds; a yes is no proof (4.2), and all are looked at again together.
        "mattermost" => [2 + people.div_ceil(1_000), 2 + 2 * changed.div_ceil(1_000) + changed],
        // Who we are and which version it is (1.6, 2.2); a hundred on a page (1.3); there is no look-up of many (2.1).
        "gitlab" => [2 + pages(100), 2 + 2 * changed.min(pages(100)) + changed],
        // Which interface it has (1, 5); a thousand on a page (6); what was just written only one by one (10).
        "zitadel" => [1 + pages(1_000), 1 + 3 * changed],
        // Who we are, and what may be changed (3); a hundred on a page, up to the first that is not full (3).
        "discourse" => [1 + accounts / 100 + 1, 1 + 2 * changed.min(accounts / 100 + 1) + changed],
        // Who we are (3); pages of a hundred, up to the first that is empty (3); a 200 shows nothing (4).
        "nextcloud" => [1 + pages(100) + 1, 1 + 3 * changed],
        // What the server tells of itself in three places (RFC 7644 4); one filter, or pages of a hundred (3.4.2).
        "scim" => [3 + people.div_ceil(20).min(people.div_ceil(100)), 3 + 3 * changed],
        // Who we are (2); a hundred on a page, or a hundred ids (4); the answer is compared, and looked at again together.
        "wordpress" => [1 + pages(100), 1 + 2 * changed.div_ceil(100) + changed],
        other => unreachable!("{other} is not in the table"),
    }
}

/// A lab of all kinds with so many people, with these keys of their list.
fn lab(people: usize, source: &str) -> World {
    let mut config = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n{source}\n\n[limits]\nchanges = \"100%\"\n"
    );
    let mut world = World::new().file("rules/people.rhai", RULES);
    for (kind, settings, seed) in kinds() {
        write!(
            config,
            "\n[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n{settings}"
        )
        .unwrap();
        world = world.file(&format!("lab/{kind}.json"), &seed.to_string());
    }
    let mut world = world.file("homeward.toml", &config);
    world.start_lab(&["--people", &people.to_string()]);
    world
}

/// The list of so many people, of whom one in so many differs; without, nobody does.
fn list(people: usize, one_in: Option<usize>) -> String {
    let mut list = "id,username,email,differs,phone\n".to_owned();
    for number in 1..=people {
        // She stands anywhere, and not at the edge of every page.
        let (differs, phone) = match one_in {
            Some(many) if number % many == 7 => (format!("Other {number}"), format!("+4930{:07}", 1_000_000 + number)),
            _ => (String::new(), String::new()),
        };
        writeln!(list, "{number},person{number:06},person{number:06}@example.com,{differs},{phone}").unwrap();
    }
    list
}

/// What each kind was asked for a plan, and for its applying.
fn counted(people: usize) -> BTreeMap<&'static str, [usize; 2]> {
    let world = lab(people, "coverage = \"partial\"");
    world.write("people.csv", list(people, Some(100)).as_bytes());
    let mut asked: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for (step, arguments) in
        [&["plan", "--out", "plan.json", "hr=people.csv"][..], &["apply", "--yes", "plan.json"]].into_iter().enumerate()
    {
        let all: Vec<&str> = kinds().map(|(kind, ..)| kind).into();
        world.forget(&all);
        let ran = world.homeward(&[&["--lab", "--quiet"], arguments].concat());
        assert_eq!(ran.status, 0, "{people}: {}{}", ran.stdout, ran.stderr);
        for kind in all {
            asked.entry(kind).or_default()[step] = world.asked(kind).len();
        }
    }
    for (kind, ..) in kinds() {
        let writes = world.writes(kind).len();
        assert_eq!(writes, changed(people), "{kind}: everything was done");
    }
    asked
}

/// A row of the table.
fn row(kind: &str, people: usize, [plan, apply]: [usize; 2]) -> String {
    let [least_plan, least_apply] = least(kind, people);
    format!("| {kind} | {people} | {least_plan} | {plan} | {least_apply} | {apply} |")
}

/// The rows of the table, by kind and number of people.
fn rows() -> BTreeMap<(String, usize), String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE)).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let (kind, Ok(people)) = (cells[0], cells[1].parse()) {
            rows.insert((kind.to_owned(), people), line.to_owned());
        }
    }
    rows
}

fn is_near(least: usize, asked: usize) -> bool {
    asked * 100 <= least * 105
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn no_provider_is_asked_more_often_than_the_table_says() {
    let most = std::env::var("HOMEWARD_REQUESTS").map_or(1_000, |most| most.parse().unwrap());
    let (table, mut found, mut wrong) = (rows(), String::new(), Vec::new());
    for people in SIZES.into_iter().filter(|people| *people <= most) {
        for (kind, asked) in counted(people) {
            let row = row(kind, people, asked);
            if table.get(&(kind.to_owned(), people)) != Some(&row) {
                wrong.push(format!("{kind} of {people}"));
            }
            for (least, asked) in least(kind, people).into_iter().zip(asked) {
                assert!(is_near(least, asked), "{row}");
            }
            writeln!(found, "{row}").unwrap();
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "{TABLE} should hold\n{found}");
}

#[test]
fn every_row_of_the_table_has_the_least_and_is_near_it() {
    let table = rows();
    let names = kinds().map(|(kind, ..)| kind);
    let all: Vec<(String, usize)> =
        names.iter().flat_map(|kind| SIZES.map(|people| ((*kind).to_owned(), people))).collect();
    assert_eq!(table.len(), all.len());
    for (kind, people) in all {
        let line = &table[&(kind.clone(), people)];
        let cells: Vec<usize> =
            line.trim_matches('|').split('|').skip(2).map(|cell| cell.trim().parse().unwrap()).collect();
        let [least_plan, plan, least_apply, apply] = cells[..] else { panic!("{line}") };
        assert_eq!([least_plan, least_apply], least(&kind, people), "{line}");
        assert!(is_near(least_plan, plan) && is_near(least_apply, apply), "{line}");
    }
}

#[test]
fn of_a_list_that_is_believed_few_changes_take_few_requests() {
    let world = lab(1_000, "coverage = \"full\"\nrecheck = \"7d\"");
    let all: Vec<&str> = kinds().map(|(kind, ..)| kind).into();
    let run = |arguments: &[&str]| {
        world.forget(&all);
        let ran = world.homeward(&[&["--lab", "--quiet"], arguments].concat());
        assert_eq!(ran.status, 0, "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        all.iter().map(|kind| world.asked(kind).len()).collect::<Vec<_>>()
    };
    world.write("people.csv", list(1_000, None).as_bytes());
    run(&["apply", "--yes", "hr=people.csv"]);
    world.write("people.csv", list(1_000, Some(500)).as_bytes());
    let (some, everybody) = (run(&["plan", "hr=people.csv"]), run(&["plan", "hr=people.csv", "--recheck"]));
    let told = all.iter().zip(some.iter().zip(&everybody)).map(|(kind, (some, all))| format!("{kind} {some} ({all})"));
    let told = told.collect::<Vec<_>>().join(", ");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE)).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&told), "{TABLE} should hold: {told}");
}
