//! The service as a process of its own, in a project with two feeds and a simulated GitLab.

use std::{
    fmt::Write,
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::World;

/// Long enough for a busy machine; nothing waits for it to pass.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) const RULES: &str = r#"
owner(["username", "display_name"], "hr");
owner("gitlab.organization", "offices");
copies(["username", "display_name"], "gitlab");
source("hr", |row| #{ key: row.employee_id, username: row.username, email: row.email, display_name: row.name });
source("offices", |row| #{ key: row.id, email: row.email, "gitlab.organization": row.office });
join("gitlab", ["email"]);
"#;

/// One feed, as it is configured.
pub(crate) fn feed(name: &str, key: &str, more: &str) -> String {
    format!(
        "[systems.{name}]\nkind = \"csv\"\nkey = \"{key}\"\nsays = \"state\"\ncoverage = \"partial\"\nfolder = \
         \"drop/{name}\"\nquiet = {{ looks = 2, time = \"100ms\" }}\nlook_every = \"500ms\"\n{more}\n"
    )
}

/// Both feeds, GitLab, and limits that let everybody be changed at once.
pub(crate) fn config() -> String {
    format!(
        "[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = {{ env = \"TOKEN\" \
         }}\nconcurrency = 4\n\n{}\n{}\n[limits]\ndiffering = {{ share = \"100%\" }}\n\n[watch]\nhealth = \
         \"127.0.0.1:0\"\n",
        feed("hr", "employee_id", ""),
        feed("offices", "id", "")
    )
}

/// HR's list of so many people, each called as `called` says.
pub(crate) fn people(count: usize, called: &str) -> String {
    let mut text = "employee_id,username,email,name\n".to_owned();
    for number in 1..=count {
        let name = format!("{called} Quarterstaff {number}");
        writeln!(text, "{number},{called}{number},person{number:06}@example.com,{name}").unwrap();
    }
    text
}

/// A project whose first lists were accepted and whose lab runs.
pub(crate) fn project(count: usize) -> World {
    let mut world = World::new()
        .file("homeward.toml", &config())
        .file("rules/people.rhai", RULES)
        .file("drop/hr/first.csv", &people(count, "first"))
        .file("drop/offices/first.csv", "id,email,office\nA,person000001@example.com,Lisboa\n");
    world.start_lab(&["--people", &count.to_string()]);
    // The first list of a feed is for somebody to look at.
    for (exit, arguments) in [
        (4, &["--lab", "watch", "--once"][..]),
        (0, &["--lab", "approve", "1", "--yes", "--by", "Olga"]),
        (0, &["--lab", "approve", "2", "--yes", "--by", "Olga"]),
        (0, &["--lab", "watch", "--once", "--apply"]),
    ] {
        let ran = world.homeward(arguments);
        assert_eq!(ran.status, exit, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(fs::read_dir(world.path("drop/hr/archive")).unwrap().count(), 2);
    world.lab("gitlab", "DELETE", "requests", &Value::Null);
    world
}

/// Puts a file into a feed's folder as a careful sender does.
pub(crate) fn drop_file(world: &World, feed: &str, name: &str, text: &str) {
    world.write(&format!("upload/{name}"), text.as_bytes());
    fs::rename(world.path(&format!("upload/{name}")), world.path(&format!("drop/{feed}/{name}"))).unwrap();
}

/// Makes the simulated GitLab slow, or quick again.
pub(crate) fn slow(world: &World, milliseconds: u64) {
    world.lab("gitlab", "POST", "settings", &json!({ "latency_ms": milliseconds }));
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something is so.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The runs of the project, newest first.
pub(crate) fn runs(world: &World) -> Vec<Value> {
    world.json(0, &["runs", "--all"])["runs"].as_array().unwrap().clone()
}

/// The last run about an input, once it stands so.
pub(crate) fn stands(world: &World, input: &str, standing: &str) -> Value {
    until(&format!("{input} stands as {standing}"), || {
        runs(world).into_iter().find(|run| run["input"] == input && run["standing"] == standing)
    })
}

/// What `homeward status` says, and how it ends.
pub(crate) fn status(world: &World) -> (i32, Value) {
    let ran = world.homeward(&["--lab", "--format", "json", "status"]);
    (ran.status, serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr)))
}

/// What a simulator holds of a person.
pub(crate) fn user(world: &World, number: usize) -> Value {
    let state = world.state("gitlab");
    let email = format!("person{number:06}@example.com");
    let users = state["users"].as_object().unwrap().values().cloned();
    users.into_iter().find(|user| user["email"] == email.as_str()).unwrap()
}

/// `homeward watch`, until it is told to stop or the value goes.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it and waits until it watches.
    pub(crate) fn start(world: &World, arguments: &[&str]) -> Self {
        let service = Self::begin(world, arguments, &[]);
        service.says(" watching ");
        service
    }

    /// Starts it with more in its environment.
    pub(crate) fn begin(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let log = world.path(&format!("watch-{number}.log"));
        let mut command = world.command();
        command.args(["--lab", "watch"]).args(arguments).envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        Self { child, log }
    }

    /// Everything it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it says this; gives the line.
    pub(crate) fn says(&self, words: &str) -> String {
        until(&format!("`{words}` in\n{}", self.log()), || {
            self.log().lines().find(|line| line.contains(words)).map(ToOwned::to_owned)
        })
    }

    /// Where it answers how it fares.
    pub(crate) fn health(&self) -> String {
        let line = self.says("listening address=");
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        format!("http://{address}/healthz")
    }

    pub(crate) fn signal(&self, name: &str) {
        let done = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for its end: its exit code, and how long that took.
    pub(crate) fn ends(&mut self) -> (i32, Duration) {
        let begun = Instant::now();
        let code = until("it ends", || self.child.try_wait().unwrap()).code();
        (code.unwrap_or(-1), begun.elapsed())
    }

    /// Tells it to stop and waits for that.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        assert_eq!(self.ends().0, 0, "{}", self.log());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
