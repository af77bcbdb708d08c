//! A simulated site that a test owns, and how it is asked.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::common::{Answer, World, send};

/// A site that is served until the value ends.
pub(crate) struct Site {
    pub(crate) world: World,
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
        let mut world = World::new().file("homeward.toml", config).file("lab/website.json", &seed.to_string());
        world.start_lab(&["--people", &people.to_string()]);
        Self { world }
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
