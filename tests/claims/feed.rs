//! A project with one watched folder and one GitLab, and what can be asked of both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    common::{Ran, World},
    server::Server,
};

const RULES: &str = r#"
owner(["username", "email", "display_name"], "hr");
copies(["username", "email", "display_name"], "gitlab");
source("hr", |row| #{ key: row.employee_id, username: row.username, email: row.email, display_name: row.name });
join("gitlab", ["email"]);
account("gitlab", |person| true);
"#;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// The project, its lab, and a server before the lab that sees and may hold up every request.
pub(crate) struct Feed {
    pub(crate) world: World,
    pub(crate) server: Server,
}

/// One person as a row of a file and as an account.
pub(crate) fn row(number: usize, username: &str) -> String {
    format!("{number},{username},person{number}@example.com,Person {number}\n")
}

/// A file with these rows.
pub(crate) fn list(rows: &str) -> String {
    format!("employee_id,username,email,name\n{rows}")
}

impl Feed {
    /// A feed whose lists hold some (`partial`) or everybody (`full`), with further lines for its system.
    pub(crate) fn new(coverage: &str, more: &str) -> Self {
        let config = |url: &str| {
            format!(
                "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\nid_pattern = \"[0-9]+\"\ncoverage = \
                 \"{coverage}\"\nfolder = \"drop\"\nquiet = {{ looks = 1, time = \"1ms\" }}\nlook_every = \
                 \"200ms\"\n{more}\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"{url}\"\ntoken = {{ env = \
                 \"GITLAB_TOKEN\" }}\n"
            )
        };
        let mut world =
            World::new().file("rules/people.rhai", RULES).file("homeward.toml", &config("https://git.example.com"));
        fs::create_dir(world.path("drop")).unwrap();
        world.start_lab(&[]);
        let server = Server::before(&world.url("gitlab"));
        let token = world.token("gitlab");
        let world = world.file("homeward.toml", &config(&server.url)).variable("GITLAB_TOKEN", &token);
        Self { world, server }
    }

    /// The same, with its first list used: it held person 0.
    pub(crate) fn begun(coverage: &str, more: &str) -> Self {
        let feed = Self::new(coverage, more);
        feed.drop("first.csv", &list(&row(0, "zero")));
        feed.once();
        feed.settle("approve", 1);
        feed.once();
        assert_eq!(feed.runs(), ["first.csv done"]);
        assert_eq!(feed.files("archive").len(), 1);
        feed
    }

    /// Has the service ask the lab itself, with nobody between who sees what it asks.
    pub(crate) fn without_a_server_between(self) -> Self {
        let text = self.world.read("homeward.toml").replace(&self.server.url, &self.world.url("gitlab"));
        Self { world: self.world.file("homeward.toml", &text), server: self.server }
    }

    /// Puts a file into the folder as careful senders do: whole, by a rename.
    pub(crate) fn drop(&self, name: &str, text: &str) {
        self.world.write(&format!("drop/.{name}.part"), text.as_bytes());
        fs::rename(self.path(&format!(".{name}.part")), self.path(name)).unwrap();
    }

    /// Where a file of the folder is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.world.path("drop").join(name)
    }

    /// Starts the service.
    pub(crate) fn watch(&self, more: &[&str]) -> Watch {
        let mut command = self.world.command();
        command.args(["-q", "watch", "--apply"]).args(more).stdout(Stdio::null()).stderr(Stdio::null());
        Watch(command.spawn().unwrap())
    }

    /// Does what there is to do.
    pub(crate) fn once(&self) {
        let ran = self.world.homeward(&["watch", "--apply", "--once"]);
        // 4: something was refused or held, as some tests want it.
        assert!([0, 4].contains(&ran.status), "{}{}", ran.stdout, ran.stderr);
    }

    /// `approve` or `reject`.
    pub(crate) fn settle(&self, verb: &str, run: u64) {
        let Ran { status, stdout, stderr } = self.try_to_settle(verb, run);
        assert_eq!(status, 0, "{stdout}{stderr}");
    }

    pub(crate) fn try_to_settle(&self, verb: &str, run: u64) -> Ran {
        let run = run.to_string();
        let mut arguments = vec![verb, run.as_str(), "--by", "Ada"];
        if verb == "approve" {
            arguments.push("--yes");
        }
        self.world.homeward(&arguments)
    }

    /// Everything `homeward runs` tells, oldest first.
    pub(crate) fn listing(&self) -> Vec<Value> {
        let ran = self.world.homeward(&["runs", "--all", "--format", "json"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let listing: Value = serde_json::from_str(&ran.stdout).unwrap();
        listing["runs"].as_array().unwrap().iter().rev().cloned().collect()
    }

    /// `people.csv done`, oldest first.
    pub(crate) fn runs(&self) -> Vec<String> {
        let line = |run: &Value| format!("{} {}", run["input"].as_str().unwrap(), run["standing"].as_str().unwrap());
        self.listing().iter().map(line).collect()
    }

    /// `homeward status`.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.world.homeward(&["status", "--format", "json"]).stdout).unwrap()
    }

    /// The names in a folder, without the result and reason files.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let beside = |name: &String| name.ends_with(".result.json") || name.ends_with(".reason.json");
        self.names(folder).into_iter().filter(|name| !beside(name)).collect()
    }

    /// The names in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let names: BTreeSet<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.into_iter().collect()
    }

    /// The one file with this name of the sender's in a folder of ours: its text, and what is told of it beside it.
    pub(crate) fn put_away(&self, folder: &str, name: &str) -> (String, Value) {
        let ending = if folder == "archive" { "result" } else { "reason" };
        let all = self.files(folder);
        let found: Vec<&String> = all.iter().filter(|it| it.ends_with(&format!("--{name}"))).collect();
        assert_eq!(found.len(), 1, "{name} in {folder}: {all:?}");
        let text = fs::read_to_string(self.path(folder).join(found[0])).unwrap();
        let told = fs::read_to_string(self.path(folder).join(format!("{}.{ending}.json", found[0]))).unwrap();
        (text, serde_json::from_str(&told).unwrap())
    }

    /// Fails where anything lies in the folder but what is in the archive and the error folder, or a file there has
    /// nothing beside it.
    pub(crate) fn assert_tidy(&self, when: &str) {
        let in_folder: Vec<String> = self
            .names(".")
            .into_iter()
            .filter(|name| !["archive", "error", ".work"].contains(&name.as_str()))
            .collect();
        assert_eq!(in_folder, Vec::<String>::new(), "left in the folder {when}");
        assert_eq!(self.names(".work"), Vec::<String>::new(), "left in the work folder {when}");
        for (folder, ending) in [("archive", ".result.json"), ("error", ".reason.json")] {
            let names = self.names(folder);
            for name in names.iter().filter(|name| !name.ends_with(".rejected.csv")) {
                let is_whole = match name.strip_suffix(ending) {
                    Some(file) => names.contains(&file.to_owned()),
                    None => names.contains(&format!("{name}{ending}")),
                };
                assert!(is_whole && !name.starts_with('.'), "{name} alone in {folder} {when}: {names:?}");
            }
        }
    }

    /// Everybody at the lab by username: ids and times depend on the order of things.
    pub(crate) fn people(&self) -> BTreeMap<String, Value> {
        let users = self.world.users("gitlab");
        let users = users.iter().map(|user| {
            (user["username"].as_str().unwrap().to_owned(), json!([user["email"], user["name"], user["state"]]))
        });
        users.collect()
    }

    /// How often each write was taken by the lab: `POST /api/v4/users {…}` by its method, path and body.
    pub(crate) fn effects(&self) -> BTreeMap<String, usize> {
        let mut effects = BTreeMap::new();
        for one in self.world.lab("gitlab", "GET", "requests", &Value::Null).as_array().unwrap() {
            if one["method"] != "GET" && one["status"].as_u64().is_some_and(|status| status < 300) {
                let line = format!("{} {} {}", one["method"], one["path"], without_password(&one["body"]));
                *effects.entry(line).or_insert(0) += 1;
            }
        }
        effects
    }

    /// Fails where the lab was told anything twice.
    pub(crate) fn assert_nothing_twice(&self, when: &str) {
        let doubled: Vec<_> = self.effects().into_iter().filter(|(_, count)| *count > 1).collect();
        assert!(doubled.is_empty(), "twice {when}: {doubled:?}");
    }
}

/// A password is made anew each time.
fn without_password(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("password");
    }
    body
}

/// A service that runs; it is killed with this value.
pub(crate) struct Watch(Child);

impl Watch {
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let told = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status().unwrap();
        assert!(told.success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "never so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
