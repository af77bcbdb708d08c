//! A simulated server that a test owns, and how it is asked.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::common::{Answer, World, send};

/// Where users are.
pub(crate) const USERS: &str = "/ocs/v2.php/cloud/users";

/// The versions that were read.
pub(crate) const VERSIONS: [&str; 4] = ["27", "28", "30", "M"];

/// A server that is served until the value ends.
pub(crate) struct Server {
    pub(crate) world: World,
}

impl Server {
    /// A server with these settings, groups and users.
    pub(crate) fn new(settings: &Value, users: &Value) -> Self {
        let mut all = json!({ "delay_ms": 0 });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let groups = json!({ "staff": "All of us", "crew": "The crew" });
        Self::of_seed(&json!({ "settings": all, "groups": groups, "users": users }), 0)
    }

    /// A server with this seed and so many invented people.
    pub(crate) fn of_seed(seed: &Value, people: u64) -> Self {
        let config = "[systems.cloud]\nkind = \"nextcloud\"\nurl = \"https://cloud.example.com\"\n\
                      username = \"homeward\"\ntoken = { env = \"TOKEN\" }\n";
        let mut world = World::new().file("homeward.toml", config).file("lab/cloud.json", &seed.to_string());
        world.start_lab(&["--people", &people.to_string()]);
        Self { world }
    }

    pub(crate) fn url(&self) -> String {
        self.world.url("cloud")
    }

    pub(crate) fn token(&self) -> String {
        self.world.token("cloud")
    }

    /// Sends a request as our account, with all that every client says.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as("homeward", &self.token(), method, path, body)
    }

    /// The same as somebody else.
    pub(crate) fn ask_as(&self, login: &str, password: &str, method: &str, path: &str, body: &Value) -> Answer {
        let basic = basic(login, password);
        let headers = [("Authorization", basic.as_str()), ("OCS-APIRequest", "true"), ("Accept", "application/json")];
        self.ask_with(method, path, &headers, body)
    }

    /// Sends a request with these headers and no others.
    pub(crate) fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        send(method, &format!("{}{path}", self.url()), headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null)
    }

    /// An edit of one attribute, and what is answered: the status and the code.
    pub(crate) fn edit(&self, user: &str, key: &str, value: &str) -> (u16, u64) {
        told(&self.ask("PUT", &format!("{USERS}/{user}"), &json!({ "key": key, "value": value })))
    }

    pub(crate) fn lab(&self, method: &str, path: &str, body: &Value) -> Value {
        self.world.lab("cloud", method, path, body)
    }

    pub(crate) fn set(&self, settings: &Value) {
        self.lab("POST", "settings", settings);
    }

    /// A stored user.
    pub(crate) fn user(&self, id: &str) -> Value {
        self.world.state("cloud")["users"][id].clone()
    }

    /// A user as she is shown.
    pub(crate) fn shown(&self, id: &str) -> Value {
        let answer = self.get(&format!("{USERS}/{id}"));
        assert_eq!(told(&answer), (200, 200), "{}", answer.text);
        data(&answer)
    }
}

/// The header of HTTP Basic.
pub(crate) fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}

/// The status and the envelope's own code.
#[track_caller]
pub(crate) fn told(answer: &Answer) -> (u16, u64) {
    (answer.status, answer.json()["ocs"]["meta"]["statuscode"].as_u64().unwrap())
}

/// The data in an envelope.
pub(crate) fn data(answer: &Answer) -> Value {
    answer.json()["ocs"]["data"].clone()
}

/// A whole answer.
#[track_caller]
pub(crate) fn expect(answer: &Answer, status: u16, code: u16, message: &str, data: &Value) {
    let word = if matches!(code, 100 | 200) { "ok" } else { "failure" };
    let meta = json!({ "status": word, "statuscode": code, "message": message });
    assert_eq!((answer.status, answer.json()), (status, json!({ "ocs": { "meta": meta, "data": data } })));
}

/// Somebody with everything.
pub(crate) fn anna() -> Value {
    json!({
        "id": "anna", "displayname": "Anna Berg", "email": "anna@example.com", "phone": "+41791234567",
        "address": "Street 1", "website": "https://example.com", "organisation": "Acme", "role": "Cook",
        "headline": "Chef", "biography": "Born", "language": "de", "locale": "de_CH", "quota": "5 GB",
        "manager": "bea", "groups": ["staff"],
    })
}
