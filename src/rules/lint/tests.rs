use serde_json::{Value, json};

use super::{
    super::reference::{OF_CALL, OF_OPERATION, OF_PLANNED},
    view::SUMMARY,
};
use crate::model::plan::{Call, PlannedChange, PlannedOperation, Summary};

fn keys<T: serde::Serialize>(of: &T) -> Vec<String> {
    let Value::Object(fields) = serde_json::to_value(of).unwrap() else { panic!("no object") };
    let mut names: Vec<String> = fields.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

#[test]
fn what_parts_of_a_plan_are_said_to_have_is_what_they_have() {
    let side_effects = [("hr".into(), [("a mail".to_owned(), 1)].into())].into();
    assert_eq!(keys(&Summary { side_effects, ..Summary::default() }), sorted(SUMMARY));
    let asked_by = json!({ "system": "hr", "origin": "hr.csv:2" });
    // Every optional field is there, and a field that the lists do not know cannot be left out.
    let change: PlannedChange = serde_json::from_value(json!({
        "person": "hr/1", "attribute": "email", "system": "gitlab", "account": "1", "before": "a", "after": "b",
        "decision": "refuse", "call": "c1", "asked_by": asked_by, "owner": "hr", "because": [], "reason": "r",
        "refusal": "taken", "belongs_to": "hr", "when": "w", "side_effect": "s",
    }))
    .unwrap();
    assert_eq!(keys(&change), sorted(OF_PLANNED));
    let operation: PlannedOperation = serde_json::from_value(json!({
        "person": "hr/1", "system": "gitlab", "account": "1", "operation": "o", "arguments": {}, "decision": "apply",
        "call": "c1", "asked_by": asked_by, "because": [], "reason": "r", "refusal": "taken", "side_effect": "s",
        "removes": true, "mark": "m",
    }))
    .unwrap();
    assert_eq!(keys(&operation), sorted(OF_OPERATION));
    let call: Call = serde_json::from_value(json!({
        "id": "c1", "system": "gitlab", "person": "hr/1", "account": "1", "operation": "perform", "performs": "o",
        "method": "PUT", "path": "/", "headers": { "A": "b" }, "body": null, "generated": ["password"], "expects": {},
        "intends": {}, "replay": "repeat", "after": [],
    }))
    .unwrap();
    assert_eq!(keys(&call), sorted(OF_CALL));
}
