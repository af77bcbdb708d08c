//! A simulated site that a test owns, and how it is asked.

use std::{path::Path, thread::JoinHandle};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use homeward::{
    connector::{Connector, Kind},
    model::capability::{Capabilities, Replay, Scheme},
};
use serde_json::{Value, json};

use crate::common::{Answer, World, send};

/// A site that is served until the value ends.
pub(crate) struct Site {
    pub(crate) world: World,
    lab: Option<JoinHandle<()>>,
}

/// A kind of this name, so that the lab serves its simulator; no connector is ever opened.
const KIND: Kind = Kind {
    name: "wordpress",
    capabilities: &TABLE,
    open: none,
    schema: || json!({ "type": "object", "properties": { "username": { "type": "string" } } }),
};

const TABLE: Capabilities = Capabilities {
    kind: "wordpress",
    create: homeward::model::capability::Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[],
    operations: &[],
    lookups: &[],
    facts: &[],
    concurrency: 1,
    scheme: Scheme::Bearer,
    key_scope: None,
};

fn none(_: Value) -> Result<Box<dyn Connector>, serde_json::Error> {
    serde_json::from_str::<Value>("").map(|_| unreachable!("nothing is no JSON"))
}

impl Site {
    /// A site with this seed.
    pub(crate) fn new(seed: &Value) -> Self {
        Self::with_people(seed, 0)
    }

    /// A site with this seed and so many invented people.
    pub(crate) fn with_people(seed: &Value, people: u64) -> Self {
        let config = "[systems.website]\nkind = \"wordpress\"\nurl = \"https://www.example.com\"\n\
                      username = \"homeward\"\ntoken = { env = \"TOKEN\" }\n";
        let world = World::new().file("homeward.toml", config).file("lab/website.json", &seed.to_string());
        let folder = world.path("");
        let count = people.to_string();
        let lab = std::thread::spawn(move || {
            let arguments = ["homeward", "-C", folder.to_str().unwrap(), "lab", "--people", &count];
            let _ = homeward::run_with(arguments.map(Into::into), &[KIND]);
        });
        while !world.path(".homeward/lab.json").exists() {
            assert!(!lab.is_finished(), "the lab did not start");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Self { world, lab: Some(lab) }
    }

    pub(crate) fn url(&self) -> String {
        self.world.url("website")
    }

    /// The header of HTTP Basic for a login and our application password.
    pub(crate) fn basic(&self, login: &str) -> String {
        basic(login, &self.world.token("website"))
    }

    /// Sends a request as our account.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.ask_with(method, target, &[("Authorization", &self.basic("homeward"))], body)
    }

    /// Sends a request with these headers, and with what every client of the API says.
    pub(crate) fn ask_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = headers.to_vec();
        if !headers.iter().any(|(name, _)| *name == "Accept") {
            all.push(("Accept", "application/json"));
        }
        if body.is_string() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
            all.push(("Content-Type", "application/json"));
        }
        send(method, &format!("{}{target}", self.url()), &all, body)
    }

    /// A read of the users' API as our account.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", &format!("/wp-json/wp/v2{target}"), &Value::Null)
    }

    /// A read of the users' API as nobody.
    pub(crate) fn get_as_nobody(&self, target: &str) -> Answer {
        self.ask_with("GET", &format!("/wp-json/wp/v2{target}"), &[], &Value::Null)
    }

    pub(crate) fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask("POST", &format!("/wp-json/wp/v2{target}"), body)
    }

    pub(crate) fn delete(&self, target: &str) -> Answer {
        self.ask("DELETE", &format!("/wp-json/wp/v2{target}"), &Value::Null)
    }

    pub(crate) fn lab(&self, method: &str, path: &str, body: &Value) -> Value {
        self.world.lab("website", method, path, body)
    }

    pub(crate) fn set(&self, settings: &Value) {
        self.lab("POST", "settings", settings);
    }

    pub(crate) fn state(&self) -> Value {
        self.world.state("website")
    }

    /// A stored user.
    pub(crate) fn user(&self, id: u64) -> Value {
        self.state()["users"][id.to_string()].clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(lab) = self.lab.take() {
            send("POST", &format!("{}/_lab/stop", self.url()), &[], &Value::Null);
            let ended = lab.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the lab panicked");
        }
    }
}

/// The header of HTTP Basic.
pub(crate) fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}

/// A recording by its name.
pub(crate) fn recorded(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/wordpress").join(format!("{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The error body of the API.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message, "data": { "status": status } })
}

#[track_caller]
pub(crate) fn expect(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
}

/// The values of one field in a list, in order.
#[track_caller]
pub(crate) fn column(answer: &Answer, field: &str) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json().as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}
