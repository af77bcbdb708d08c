//! A simulated server for one test.

use serde_json::{Value, json};

use crate::common::{Answer, World};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A server with a seed.
pub(crate) struct Server(World);

impl Server {
    pub(crate) fn new(seed: &Value) -> Self {
        Self(World::with_lab_of("scim", seed))
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.with(method, path, &[], body)
    }

    pub(crate) fn with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![];
        if !body.is_null() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
            all.push(("Content-Type", "application/scim+json"));
        }
        all.extend(headers);
        self.0.ask("scim", method, path, &all, &if body.is_null() { Value::Null } else { body.to_string().into() })
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/scim+json");
        answer.json()
    }

    /// What a PATCH with these operations makes of a resource.
    pub(crate) fn patch(&self, path: &str, operations: &Value) -> Answer {
        self.ask("PATCH", path, &json!({ "schemas": [PATCH], "Operations": operations }))
    }

    pub(crate) fn settings(&self, settings: &Value) {
        self.0.lab("scim", "POST", "settings", settings);
    }

    pub(crate) fn lab(&self, method: &str, path: &str, body: &Value) -> Value {
        self.0.lab("scim", method, path, body)
    }

    pub(crate) fn url(&self) -> String {
        self.0.url("scim")
    }
}

/// An error, whole, but for its text.
pub(crate) fn told(answer: &Answer) -> (u16, Option<String>) {
    let body = answer.json();
    assert_eq!(body["schemas"], json!([ERROR]), "{body}");
    assert_eq!(body["status"], json!(answer.status.to_string()));
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    assert_eq!(answer.headers["content-type"], "application/scim+json");
    (answer.status, body["scimType"].as_str().map(str::to_owned))
}

pub(crate) fn bad(word: &str) -> (u16, Option<String>) {
    (400, Some(word.to_owned()))
}

/// The ids of a list.
pub(crate) fn ids(list: &Value) -> Vec<String> {
    let resources = list["Resources"].as_array().unwrap();
    resources.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}
