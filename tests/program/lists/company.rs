//! A company of any size whose HR sends lists, and a GitLab in the lab that knows everybody already.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// The day it is where a test says nothing else.
pub(crate) const TODAY: &str = "2026-11-20";

/// One row of HR's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) begins: String,
    pub(crate) ends: String,
}

impl Row {
    /// The person of this number.
    pub(crate) fn of(number: usize) -> Self {
        Self {
            id: format!("{number:06}"),
            first: format!("First{number}"),
            last: format!("Last{number}"),
            email: format!("p{number}@example.com"),
            username: format!("user{number}"),
            begins: String::new(),
            ends: String::new(),
        }
    }

    fn line(&self) -> String {
        let Self { id, first, last, email, username, begins, ends } = self;
        format!("{id},{first},{last},{email},{username},{begins},{ends}")
    }
}

pub(crate) const HEADER: &str = "employee_id,first_name,last_name,email,username,begins,ends";

/// The people of these numbers, as rows.
pub(crate) fn rows(numbers: impl IntoIterator<Item = usize>) -> Vec<Row> {
    numbers.into_iter().map(Row::of).collect()
}

/// A list as HR writes it.
pub(crate) fn list(rows: &[Row]) -> String {
    let mut text = format!("{HEADER}\n");
    for row in rows {
        writeln!(text, "{}", row.line()).unwrap();
    }
    text
}

/// What HR's word is, and who has an account at GitLab: who works here.
pub(crate) const RULES: &str = r#"
owner(["username", "email", "first_name", "last_name", "display_name", "active"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{
    key: row.employee_id,
    username: row.username,
    email: row.email,
    first_name: row.first_name,
    last_name: row.last_name,
    display_name: row.first_name + " " + row.last_name,
    active: (row.begins == "" || row.begins <= today()) && (row.ends == "" || row.ends > today()),
});
join("gitlab", "email");
account("gitlab", |person| person.active);
"#;

/// The configuration, with more keys of the source and of the limits.
pub(crate) fn config(source: &str, limits: &str) -> String {
    format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\nsays = \"state\"\n{source}\n\
         [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = {{ env = \"GITLAB_TOKEN\" }}\n\n\
         [limits]\n{limits}\n"
    )
}

/// A GitLab that knows these people as HR does.
pub(crate) fn gitlab(rows: &[Row]) -> String {
    let user = |(at, row): (usize, &Row)| json!({ "id": 100 + at, "username": row.username, "name": format!("{} {}", row.first, row.last), "email": row.email });
    json!({ "users": rows.iter().enumerate().map(user).collect::<Vec<Value>>() }).to_string()
}

/// So many people, known to GitLab, and their list, with the lab running and nothing applied.
pub(crate) fn stranger(people: usize, source: &str, limits: &str) -> World {
    let everybody = rows(1..=people);
    let mut world = World::new()
        .file("homeward.toml", &config(source, limits))
        .file("rules/people.rhai", RULES)
        .file("lab/gitlab.json", &gitlab(&everybody))
        .file("day1.csv", &list(&everybody));
    world.start_lab(&[]);
    world
}

/// The same, and the first list is accepted.
pub(crate) fn company(people: usize, limits: &str) -> World {
    let world = stranger(people, "coverage = \"full\"", limits);
    let first = world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!(first["outcomes"], json!([]), "GitLab knows everybody already");
    world
}

impl World {
    /// Runs a command with JSON output on this day, expects this exit code and gives what was printed.
    pub(crate) fn on(&self, today: &str, exit: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["--today", today];
        all.extend(arguments);
        self.json(exit, &all)
    }

    /// The dry run of a list, today.
    pub(crate) fn planned(&self, exit: i32, rows: &[Row]) -> Value {
        self.write("next.csv", list(rows).as_bytes());
        self.on(TODAY, exit, &["plan", "hr=next.csv"])
    }

    /// What the program says on standard error to a command, today.
    pub(crate) fn told(&self, exit: i32, arguments: &[&str]) -> String {
        let mut all = vec!["--lab", "--today", TODAY];
        all.extend(arguments);
        let Ran { status, stdout, stderr } = self.homeward(&all);
        assert_eq!(status, exit, "{arguments:?}\n{stdout}\n{stderr}");
        stderr
    }

    /// The usernames of those who are blocked at GitLab.
    pub(crate) fn blocked(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .users("gitlab")
            .iter()
            .filter(|user| user["state"] == "blocked")
            .map(|user| user["username"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }
}

/// Who is not listed any more, by a plan.
pub(crate) fn missing(plan: &Value) -> Vec<String> {
    let all = plan["inputs"][0]["list"]["missing"].as_array().into_iter().flatten();
    all.map(|key| key.as_str().unwrap().to_owned()).collect()
}
