//! What journeys ask of a world: plans and reports as JSON, and what was really sent.

use serde_json::{Value, json};

use super::{Ran, World};

/// Requests that look, though they are sent with POST.
const QUESTIONS: &[&str] = &[
    "/v2/users",
    "/management/v1/users/_search",
    "/api/v4/users/ids",
    "/api/v4/users/usernames",
    "/zitadel.user.v2.UserService/GetUserByID",
    "/zitadel.user.v2.UserService/ListUsers",
];

impl World {
    /// Runs a command with `--format json` and expects this exit code. Gives what it printed.
    pub fn json(&self, exit: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["--lab", "--quiet", "--format", "json"];
        all.extend(arguments);
        let Ran { status, stdout, stderr } = self.homeward(&all);
        assert_eq!(status, exit, "{arguments:?}\n{stdout}\n{stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{arguments:?} printed no JSON: {stdout}\n{stderr}"))
    }

    /// Everything that was sent to a simulator and was more than a question: `[method, path, body, status]`.
    pub fn writes(&self, system: &str) -> Vec<Value> {
        let all = self.lab(system, "GET", "requests", &Value::Null);
        let is_question = |one: &&Value| {
            let path = one["path"].as_str().unwrap().split('?').next().unwrap();
            one["method"] == "GET" || (one["method"] == "POST" && QUESTIONS.contains(&path))
        };
        let line = |one: &Value| json!([one["method"], one["path"], one["body"], one["status"]]);
        all.as_array().unwrap().iter().filter(|one| !is_question(one)).map(line).collect()
    }

    /// Forgets what the simulators were asked so far.
    pub fn forget(&self, systems: &[&str]) {
        for system in systems {
            self.lab(system, "DELETE", "requests", &Value::Null);
        }
    }

    /// The stored user with this value in this field.
    pub fn user(&self, system: &str, field: &str, value: &str) -> Value {
        let found: Vec<Value> = self.users(system).into_iter().filter(|user| user[field] == value).collect();
        assert_eq!(found.len(), 1, "{system} users with {field} {value}: {found:?}");
        found.into_iter().next().unwrap()
    }

    /// All stored users, each with its id.
    pub fn users(&self, system: &str) -> Vec<Value> {
        let state = self.state(system);
        let with_id = |(id, user): (&String, &Value)| {
            let mut user = user.clone();
            user["id"] = id.as_str().into();
            user
        };
        state["users"].as_object().unwrap().iter().map(with_id).collect()
    }
}

/// The changes of a plan in short: `person attribute system decision before → after`.
pub fn changes(plan: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let all = plan["changes"].as_array().unwrap().iter();
    all.map(|one| {
        let words = ["person", "attribute", "system", "decision"].map(|key| text(&one[key]));
        format!("{} {} → {}", words.join(" "), text(&one["before"]), text(&one["after"]))
    })
    .collect()
}

/// The one change of a plan with this person, attribute and system.
pub fn change<'a>(plan: &'a Value, person: &str, attribute: &str, system: &str) -> &'a Value {
    let mut all = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["person"] == person && one["attribute"] == attribute && one["system"] == system);
    let found = all.next().unwrap_or_else(|| panic!("no {attribute} of {person} at {system} in {plan:#}"));
    assert!(all.next().is_none(), "two of {attribute} of {person} at {system}");
    found
}

/// The calls of a plan in short: `id system operation method path body`.
pub fn calls(plan: &Value) -> Vec<String> {
    let all = plan["calls"].as_array().unwrap().iter();
    all.map(|one| {
        let words = ["id", "system", "operation", "method", "path"].map(|key| one[key].as_str().unwrap());
        format!("{} {}", words.join(" "), one["body"])
    })
    .collect()
}

/// The outcomes of a report, in plan order.
pub fn outcomes(report: &Value) -> Vec<Value> {
    report["outcomes"].as_array().unwrap().iter().map(|one| one["outcome"].clone()).collect()
}
