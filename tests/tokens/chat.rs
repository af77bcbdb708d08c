//! A chat server in the lab, and a project that speaks to it as to a real one: with people's own tokens.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::common::{Ran, World};

pub(crate) const RULES: &str = r#"
owner(["username", "email", "nickname", "position"], "web");
copies(["username", "email", "nickname", "position"], "chat");
source("web", |form| #{ key: form.id, username: form.username, email: form.email, nickname: form.nickname });
join("chat", ["username", "email"]);
"#;

/// So many people have an account: `ann` to `fred`.
pub(crate) const PEOPLE: [&str; 6] = ["ann", "ben", "cyd", "dan", "eve", "fred"];

/// The token of somebody, as it was granted the first time.
pub(crate) fn token(name: &str) -> String {
    format!("c4nary-{name}-first")
}

/// The one that follows it.
pub(crate) fn second(name: &str) -> String {
    format!("c4nary-{name}-second")
}

/// Every text that nobody must see.
pub(crate) const CANARY: &str = "c4nary";

pub(crate) struct Chat {
    pub(crate) world: World,
}

impl Chat {
    /// A server where the first tokens of `ended` are not accepted any more, and everybody's second is. `token` is what
    /// stands after `token =`.
    pub(crate) fn new(token_setting: &str, ended: &[&str]) -> Self {
        let user = |name: &str| json!({ "username": name, "email": format!("{name}@example.com") });
        let granted = |name: &str| {
            [
                json!({ "user": name, "kind": "oauth", "token": token(name), "expired": ended.contains(&name) }),
                json!({ "user": name, "kind": "oauth", "token": second(name) }),
            ]
        };
        let seed = json!({
            "users": PEOPLE.map(user), "tokens": PEOPLE.iter().flat_map(|name| granted(name)).collect::<Vec<_>>(),
        });
        let mut world = World::with_lab_settings(&seed);
        world.start_lab(&["-c", "lab.toml"]);
        let chat = Self { world };
        chat.configure(token_setting, "");
        chat.world.write("rules/people.rhai", RULES.as_bytes());
        chat.keep(&PEOPLE.map(|name| (key(name), json!(token(name)))));
        chat
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, token_setting: &str, more: &str) {
        let url = self.world.url("chat");
        let text = format!(
            "[systems.web]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n\n[systems.chat]\nkind = \"mattermost\"\n\
             url = \"{url}\"\ntoken = {token_setting}\n{more}"
        );
        self.world.write("homeward.toml", text.as_bytes());
    }

    /// Writes `tokens.json`, which only its owner may read.
    pub(crate) fn keep(&self, tokens: &[(String, Value)]) {
        let all: serde_json::Map<String, Value> = tokens.iter().cloned().collect();
        self.world.write("tokens.json", Value::Object(all).to_string().as_bytes());
        let rights = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.world.path("tokens.json"), rights).unwrap();
    }

    /// Writes a form of these people, each with this nickname.
    pub(crate) fn form(&self, people: &[(&str, &str)]) {
        let mut text = "id,username,email,nickname\n".to_owned();
        for (name, nickname) in people {
            let id = key(name);
            let id = id.split_once('/').unwrap().1;
            text.push_str(&[id, name, &format!("{name}@example.com"), nickname].join(","));
            text.push('\n');
        }
        self.world.write("form.csv", text.as_bytes());
    }

    /// Runs a command without the lab, prints JSON, and expects this exit code. No token is in what it says.
    pub(crate) fn json(&self, exit: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["--format", "json", "-vv"];
        all.extend(arguments);
        let ran = self.run(&all);
        assert_eq!(ran.status, exit, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}\n{}", ran.stdout, ran.stderr))
    }

    /// Runs a command without the lab. No token is in what it says.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let ran = self.world.homeward(arguments);
        assert!(!ran.stdout.contains(CANARY) && !ran.stderr.contains(CANARY), "{arguments:?} shows a token");
        ran
    }

    /// The nickname somebody has.
    pub(crate) fn nickname(&self, name: &str) -> Value {
        self.world.user("chat", "username", name)["nickname"].clone()
    }

    /// Makes everybody's tokens of the server good for nothing, as a sign-out everywhere would.
    pub(crate) fn sign_out(&self, name: &str) {
        let id = self.world.user("chat", "username", name)["id"].as_str().unwrap().to_owned();
        let answer =
            self.world.ask("chat", "POST", &format!("/api/v4/users/{id}/sessions/revoke/all"), &[], &Value::Null);
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

/// How a plan names somebody.
pub(crate) fn key(name: &str) -> String {
    format!("web/{}", 1 + PEOPLE.iter().position(|other| *other == name).unwrap())
}

impl World {
    /// A project whose lab has one chat server with this seed.
    fn with_lab_settings(seed: &Value) -> Self {
        Self::new()
            .file(
                "lab.toml",
                "[systems.chat]\nkind = \"mattermost\"\nurl = \"https://chat.example.com\"\ntoken = { env = \"TOKEN\" }\n",
            )
            .file("lab/chat.json", &seed.to_string())
    }
}

/// The changes of a plan in short: `person attribute decision`.
pub(crate) fn decisions(plan: &Value) -> Vec<String> {
    let word = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    let all = plan["changes"].as_array().unwrap().iter();
    all.map(|one| ["person", "attribute", "decision"].map(|key| word(one, key)).join(" ")).collect()
}

/// The reasons of everything that is held, each once.
pub(crate) fn held(plan: &Value) -> Vec<String> {
    let all = plan["changes"].as_array().unwrap().iter().filter(|one| one["decision"] == "hold");
    let mut reasons: Vec<String> = all.map(|one| one["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}
