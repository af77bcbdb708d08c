//! Three daily lists of five hundred people: every difference is told, and nothing that means nothing
//! (`samples/hr/days.expected.json`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::common::World;

/// Which attribute carries which column: every column there is, so that every difference is seen.
const CARRIES: [(&str, &str); 10] = [
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("email", "email"),
    ("username", "username"),
    ("department", "department"),
    ("position", "job_title"),
    ("nickname", "location"),
    ("locale", "manager_id"),
    ("timezone", "hire_date"),
    ("phone", "phone"),
];

/// Two more columns in one attribute.
const STATUS: &str = "display_name";

fn world() -> World {
    let carried = CARRIES.map(|(attribute, column)| format!("    {attribute}: row.{column},\n")).concat();
    let owned = CARRIES.map(|(attribute, _)| format!("\"{attribute}\"")).join(", ");
    let world = World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"full\"\nsays = \"state\"\n\n\
             [limits]\ndiffering = { share = \"20%\", at_least = 20 }\n",
        )
        .file(
            "rules/people.rhai",
            &format!("owner([{owned}, \"{STATUS}\", \"active\"], \"hr\");\nsource(\"hr\", |row| #{{\n    key: row.employee_id,\n{carried}    {STATUS}: row.status + \"|\" + row.termination_date,\n}});\n"),
        );
    for day in ["day1.csv", "day2.csv", "day3.csv"] {
        world.write(day, &std::fs::read(format!("tests/samples/hr/{day}")).unwrap());
    }
    world
}

fn expected(days: &str) -> Value {
    let all: Value = serde_json::from_slice(&std::fs::read("tests/samples/hr/days.expected.json").unwrap()).unwrap();
    all["net"][days].clone()
}

/// What each key showed, after what the plan remembers anew.
type Shown = BTreeMap<String, BTreeMap<String, String>>;

fn seen(plan: &Value) -> Shown {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let values = |one: &Value| {
        one["values"].as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
    };
    plan["seen"].as_array().unwrap().iter().map(|one| (text(&one["key"]), values(one))).collect()
}

/// The differences of one person, column by column, as the expectation writes them.
fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeMap<String, [String; 2]> {
    let of = |values: &BTreeMap<String, String>, name: &str| values.get(name).cloned().unwrap_or_default();
    let mut found = BTreeMap::new();
    for (attribute, column) in CARRIES {
        found.insert(column.to_owned(), [of(before, attribute), of(after, attribute)]);
    }
    let halves = |values: &BTreeMap<String, String>| {
        let (status, date) = of(values, STATUS).split_once('|').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        [status, date]
    };
    let ([status, date], [new_status, new_date]) = (halves(before), halves(after));
    found.insert("status".to_owned(), [status, new_status]);
    found.insert("termination_date".to_owned(), [date, new_date]);
    found.retain(|_, [before, after]| before != after);
    found
}

#[test]
fn item_35_three_days_differ_in_exactly_what_a_plain_comparison_finds() {
    let world = world();
    let run = |today: &str, exit: i32, arguments: &[&str]| -> Value {
        let ran = world.homeward(&[&["--today", today, "--quiet", "--format", "json"], arguments].concat());
        assert_eq!(ran.status, exit, "{arguments:?} {}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let mut shown = seen(&run("2026-11-19", 0, &["plan", "hr=day1.csv"]));
    assert_eq!(shown.len(), 500);
    run("2026-11-19", 0, &["apply", "--yes", "hr=day1.csv"]);
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for (today, file, days) in [("2026-11-20", "day2.csv", "day1->day2"), ("2026-11-23", "day3.csv", "day2->day3")] {
        let net = expected(days);
        let keys = |name: &str| -> BTreeSet<String> {
            net[name].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
        };
        let plan = run(today, 0, &["plan", &format!("hr={file}")]);
        assert_eq!(plan["inputs"][0]["records"], net["rows_after"]);
        let list = &plan["inputs"][0]["list"];
        let missing: BTreeSet<String> =
            list["missing"].as_array().into_iter().flatten().map(|key| key.as_str().unwrap().to_owned()).collect();
        assert_eq!(missing, keys("removed"));

        let now = seen(&plan);
        let new: BTreeSet<String> =
            now.keys().filter(|key| !shown.contains_key(*key) || gone.contains(*key)).cloned().collect();
        assert_eq!(new, keys("added"), "{days}");
        let changed: BTreeMap<&String, BTreeMap<String, [String; 2]>> = now
            .iter()
            .filter(|(key, _)| !missing.contains(*key) && !new.contains(*key))
            .map(|(key, values)| (key, differences(&shown[key], values)))
            .collect();
        assert_eq!(json!(changed), net["changed"], "{days}");

        run(today, 0, &["apply", "--yes", &format!("hr={file}")]);
        let again = run(today, 0, &["plan", &format!("hr={file}")]);
        assert_eq!((&again["seen"], &again["changes"], &again["calls"]), (&json!([]), &json!([]), &json!([])));
        shown.extend(now);
        gone = gone.difference(&new).cloned().chain(missing).collect();
    }
}

/// GitLab holds copies of three attributes; everybody on the first list has an account there.
const WITH_GITLAB: &str = r#"
owner(["username", "email", "display_name", "active"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{
    key: row.employee_id,
    username: row.username,
    email: row.email,
    display_name: row.first_name + " " + row.last_name,
    active: row.status != "Terminated" && row.hire_date <= today(),
});
join("gitlab", ["email", "username"]);
account("gitlab", |person| person.active);
"#;

fn with_gitlab() -> World {
    let mut reader = csv::Reader::from_path("tests/samples/hr/day1.csv").unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let user = |(at, row): (usize, &BTreeMap<String, String>)| {
        json!({
            "id": 1_000 + at, "username": row["username"], "email": row["email"],
            "name": format!("{} {}", row["first_name"], row["last_name"]),
        })
    };
    let users: Vec<Value> = rows.iter().enumerate().map(user).collect();
    let mut world = world()
        .file("homeward.toml", &super::company::config("coverage = \"full\"", ""))
        .file("rules/people.rhai", WITH_GITLAB)
        .file("lab/gitlab.json", &json!({ "users": users }).to_string());
    world.start_lab(&[]);
    world
}

/// People of these kinds of events between two days.
fn people(days: &str, kinds: &[&str]) -> BTreeSet<String> {
    let all: Value = serde_json::from_slice(&std::fs::read("tests/samples/hr/days.expected.json").unwrap()).unwrap();
    let events = all["events"][days].as_array().unwrap().iter();
    let of_kind = events.filter(|event| kinds.contains(&event["kind"].as_str().unwrap()));
    of_kind.map(|event| format!("hr/{}", event["employee_id"].as_str().unwrap())).collect()
}

/// People for whom a plan does this.
fn doing(plan: &Value, operation: &str) -> BTreeSet<String> {
    let calls = plan["calls"].as_array().unwrap().iter().filter(|call| call["operation"] == operation);
    calls.map(|call| call["person"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn item_35_every_kind_of_event_of_three_days_comes_to_what_it_means() {
    let world = with_gitlab();
    let first = world.on("2026-11-19", 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!(first["outcomes"], json!([]));
    let second = world.on("2026-11-20", 0, &["plan", "hr=day2.csv"]);
    let days = "day1->day2";
    assert_eq!(doing(&second, "disable"), people(days, &["leave", "gone"]));
    assert_eq!(doing(&second, "update"), people(days, &["rename", "email_change", "username_change"]));
    assert_eq!(doing(&second, "create"), BTreeSet::new(), "newcomers begin on Monday");
    world.on("2026-11-20", 0, &["apply", "--yes", "hr=day2.csv"]);

    let days = "day2->day3";
    let third = world.on("2026-11-23", 0, &["plan", "hr=day3.csv"]);
    assert_eq!(doing(&third, "disable"), people(days, &["leave"]));
    assert_eq!(doing(&third, "enable"), people(days, &["rehire_same_id"]));
    let begin: BTreeSet<String> = people("day1->day2", &["hire"]).union(&people(days, &["hire"])).cloned().collect();
    assert_eq!(doing(&third, "create"), begin);
    let refused: BTreeSet<String> = third["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["decision"] == "refuse")
        .map(|change| change["person"].as_str().unwrap().to_owned())
        .collect();
    // Two swap addresses, which GitLab keeps with whoever gives one up; the names of a leaver are still hers.
    assert_eq!(refused, people(days, &["email_swap", "rehire_new_id", "hire_reusing_email"]));
}
