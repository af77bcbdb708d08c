//! A simulated forum that a test owns, and how it is asked.

use serde_json::{Value, json};

use crate::common::{Answer, World};

/// A forum that is served until the value ends.
pub(crate) struct Forum {
    pub(crate) world: World,
}

impl Forum {
    /// A forum with this seed. The limit of sixty requests a minute is off unless the seed says otherwise.
    pub(crate) fn new(seed: &Value) -> Self {
        Self::with_people(seed, 0)
    }

    pub(crate) fn with_people(seed: &Value, people: u64) -> Self {
        let mut seed = seed.clone();
        if seed["settings"].get("max_admin_api_reqs_per_minute").is_none() {
            seed["settings"]["max_admin_api_reqs_per_minute"] = 0.into();
        }
        let config = "[systems.discourse]\nkind = \"discourse\"\nurl = \"https://forum.example.com\"\n\
                      token = { env = \"TOKEN\" }\n";
        let mut world = World::new().file("homeward.toml", config).file("lab/discourse.json", &seed.to_string());
        world.start_lab(&["--people", &people.to_string()]);
        Self { world }
    }

    pub(crate) fn url(&self) -> String {
        self.world.url("discourse")
    }

    /// Sends a request as our account, an administrator.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.ask_with(method, target, &[("Api-Key", &self.world.token("discourse"))], body)
    }

    /// Sends a request with these headers alone.
    pub(crate) fn ask_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        send(method, &format!("{}{target}", self.url()), headers, body)
    }

    /// Sends a request with another key.
    pub(crate) fn ask_by(&self, key: &str, method: &str, target: &str, body: &Value) -> Answer {
        self.ask_with(method, target, &[("Api-Key", key)], body)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &Value::Null)
    }

    pub(crate) fn put(&self, target: &str, body: &Value) -> Answer {
        self.ask("PUT", target, body)
    }

    pub(crate) fn lab(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask_with(method, &format!("/_lab/{path}"), &[], body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    pub(crate) fn set(&self, settings: &Value) {
        self.lab("POST", "settings", settings);
    }

    pub(crate) fn state(&self) -> Value {
        self.lab("GET", "state", &Value::Null)
    }

    /// A stored user.
    pub(crate) fn user(&self, id: u64) -> Value {
        self.state()["users"][id.to_string()].clone()
    }
}

/// Jane 1 and Max 2; Ada 3 is an administrator, Moe 4 a moderator; our account is 5.
pub(crate) fn crew() -> Value {
    json!({
        "users": [
            { "id": 1, "username": "jane", "name": "Jane" },
            { "id": 2, "username": "max", "secondary_emails": ["max.two@example.com"] },
            { "id": 3, "username": "ada", "admin": true },
            { "id": 4, "username": "moe", "moderator": true },
        ],
        "groups": [{ "id": 60, "name": "crew", "members": ["max"], "owners": ["ada"] }],
        "keys": [
            { "key": "janes", "user": "jane" },
            { "key": "anybodys" },
            { "key": "revoked", "user": "ada", "revoked": true },
            { "key": "elsewhere", "user": "ada", "ips": ["192.0.2.1"] },
            { "key": "narrow", "user": "ada", "scopes": ["show"] },
            { "key": "app", "user": "jane", "of_app": true },
        ],
    })
}

/// The usual body of an error.
pub(crate) fn errors(kind: &str, text: &str) -> Value {
    if kind.is_empty() { json!({ "errors": [text] }) } else { json!({ "errors": [text], "error_type": kind }) }
}

pub(crate) fn not_found() -> Value {
    errors("not_found", "The requested URL or resource could not be found.")
}

pub(crate) fn forbidden() -> Value {
    errors("invalid_access", "You are not permitted to view the requested resource.")
}

#[track_caller]
pub(crate) fn expect(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
}

thread_local! {
    /// Making a client takes longer than what is asked with it.
    static CLIENT: (tokio::runtime::Runtime, reqwest::Client) = (
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
    );
}

/// Sends one request. A body that is `null` is none; one that is a text is sent as it is.
fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    CLIENT.with(|(runtime, client)| {
        let mut request = client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = match body {
            Value::Null => request,
            Value::String(text) => request.body(text.clone()),
            body => request.json(body),
        };
        runtime.block_on(async {
            let response = request.send().await.unwrap();
            let headers = response.headers().iter();
            let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
            Answer { status: response.status().as_u16(), headers, text: response.text().await.unwrap() }
        })
    })
}
