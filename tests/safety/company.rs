//! A small company: HR, three providers in the lab, and a server before each of them that sees what passes.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::{common::World, server::Server};

/// The lab's people and their tokens, with something to watch and to disturb before each provider.
pub(crate) struct Company {
    pub(crate) world: World,
    pub(crate) servers: BTreeMap<&'static str, Server>,
}

pub(crate) const PROVIDERS: [&str; 3] = ["gitlab", "mattermost", "zitadel"];

/// What each provider is asked to hold, and HR's word for it.
pub(crate) const RULES: &str = r#"
owner(["username", "email", "first_name", "last_name", "display_name", "active"], "hr");
copies(["username", "email"], ["gitlab", "mattermost", "zitadel"]);
copies(["first_name", "last_name"], ["mattermost", "zitadel"]);
copies("display_name", ["gitlab", "zitadel"]);
source("hr", |row| #{
    key: row.employee_id,
    username: row.username.lower(),
    email: row.email.lower(),
    first_name: row.first_name.trim(),
    last_name: row.last_name.trim(),
    display_name: row.first_name.trim() + " " + row.last_name.trim(),
    active: row.status == "Active",
});
for system in ["gitlab", "mattermost", "zitadel"] {
    join(system, ["email", "username"]);
    account(system, |person| person.active);
}
"#;

pub(crate) const HEADER: &str = "employee_id,first_name,last_name,email,username,status\n";

/// One is renamed, one is new, one leaves, one stays as she is.
pub(crate) const PEOPLE: &str = "employee_id,first_name,last_name,email,username,status
1001,Wilhelmina,Quarterstaff,wilhelmina@example.com,wquarterstaff,Active
1002,Thaddeus,Oxenbridge,thaddeus@example.com,toxenbridge,Active
1003,Ingeborg,Fjellhammer,ingeborg@example.com,ifjellhammer,Left
1004,Ulrike,Ebenso,ulrike@example.com,uebenso,Active
";

/// Words of the sample that belong in the plan and in the store and nowhere else.
pub(crate) const NAMES: [&str; 10] = [
    "Wilhelmina",
    "Quarterstaff",
    "wilhelmina@",
    "Thaddeus",
    "Oxenbridge",
    "thaddeus@",
    "toxenbridge",
    "Ingeborg",
    "Fjellhammer",
    "ingeborg@",
];

impl Company {
    /// The lab, the servers before it, and a project that goes through them with the lab's tokens.
    pub(crate) fn new() -> Self {
        Self::with(&json!({}), "")
    }

    /// The same with more in ZITADEL's seed and in the configuration.
    pub(crate) fn with(zitadel: &Value, limits: &str) -> Self {
        let person = |number: u32, first: &str, last: &str, username: &str| {
            let email = format!("{}@example.com", first.to_lowercase());
            let name = format!("{first} {last}");
            let gitlab = json!({ "id": number, "username": username, "name": name, "email": email });
            let mattermost = json!({ "username": username, "email": email, "first_name": first, "last_name": last });
            let zitadel = json!({ "organization": "org1", "username": username, "first_name": first, "last_name": last,
                "display_name": name, "email": email, "email_verified": true });
            [gitlab, mattermost, zitadel]
        };
        let people = [
            person(41, "Wilhelmina", "Oldname", "woldname"),
            person(43, "Ingeborg", "Fjellhammer", "ifjellhammer"),
            person(44, "Ulrike", "Ebenso", "uebenso"),
        ];
        let users = |at: usize| people.iter().map(|systems| systems[at].clone()).collect::<Vec<Value>>();
        let mut zitadel_seed = json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": users(2) });
        for (key, value) in zitadel.as_object().unwrap() {
            match (&mut zitadel_seed[key], value) {
                (Value::Array(held), Value::Array(more)) => held.extend(more.clone()),
                (held, value) => *held = value.clone(),
            }
        }
        let mut world = World::new()
            .file("rules/people.rhai", RULES)
            .file("people.csv", PEOPLE)
            .file("lab/gitlab.json", &json!({ "users": users(0) }).to_string())
            .file("lab/mattermost.json", &json!({ "users": users(1) }).to_string())
            .file("lab/zitadel.json", &zitadel_seed.to_string())
            .file("homeward.toml", &config(&BTreeMap::new(), limits));
        world.start_lab(&[]);
        let mut urls = BTreeMap::new();
        let mut servers = BTreeMap::new();
        for system in PROVIDERS {
            let server = Server::before(&world.url(system));
            urls.insert(system, server.url.clone());
            servers.insert(system, server);
            let token = world.token(system);
            world = world.variable(&format!("{}_TOKEN", system.to_uppercase()), &token);
        }
        let world = world.file("homeward.toml", &config(&urls, limits));
        Self { world, servers }
    }

    /// Everything the simulators hold.
    pub(crate) fn states(&self) -> Vec<Value> {
        PROVIDERS.iter().map(|system| self.world.state(system)).collect()
    }

    /// The requests that are more than a look, over all providers.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.servers.values().flat_map(Server::writes).collect()
    }

    pub(crate) fn configure(&self, limits: &str) {
        let urls = self.servers.iter().map(|(system, server)| (*system, server.url.clone())).collect();
        self.world.write("homeward.toml", config(&urls, limits).as_bytes());
    }
}

fn config(urls: &BTreeMap<&str, String>, rest: &str) -> String {
    let mut text = "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n\n".to_owned();
    for system in PROVIDERS {
        let url = urls.get(system).cloned().unwrap_or_else(|| format!("https://{system}.example.com"));
        let variable = format!("{}_TOKEN", system.to_uppercase());
        text.push_str(&format!(
            "[systems.{system}]\nkind = \"{system}\"\nurl = \"{url}\"\ntoken = {{ env = \"{variable}\" }}\n"
        ));
        if system == "zitadel" {
            text.push_str("organization = \"org1\"\n");
        }
        text.push('\n');
    }
    text + rest
}

/// Every file below a folder, with its bytes.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let inner = path.file_name().unwrap().to_string_lossy().into_owned();
            found.extend(files(&path).into_iter().map(|(name, bytes)| (format!("{inner}/{name}"), bytes)));
        } else {
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
        }
    }
    found
}
