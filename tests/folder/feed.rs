//! A watched folder with ten people behind it, and the program that watches it.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{Ran, World};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often to look whether it happened.
const BLINK: Duration = Duration::from_millis(25);

const RULES: &str = r#"owner(["active", "display_name", "email"], "hr");
copies("display_name", "gitlab");
source("hr", |row| #{ key: row.id, email: row.email, display_name: row.name });
join("gitlab", "email");
"#;

/// Quick enough for a test, and not so quick that a busy machine makes a pause of a writer look like its end.
pub(crate) const QUICK: &str = "quiet = { looks = 2, time = \"250ms\" }\nlook_every = \"500ms\"\n";

/// A project with one folder that is watched, and a lab of ten people who are called `Old 0` to `Old 9`.
pub(crate) struct Feed {
    pub(crate) world: World,
    /// The process that watches.
    service: AtomicU32,
}

impl Feed {
    /// A feed of changes, with these settings besides its folder. One list was accepted before, so nothing is held for
    /// being the first.
    pub(crate) fn new(settings: &str) -> Self {
        Self::of("coverage = \"partial\"", settings)
    }

    /// A feed of lists of everybody.
    pub(crate) fn of_everybody(settings: &str) -> Self {
        Self::of("coverage = \"full\"", settings)
    }

    fn of(coverage: &str, settings: &str) -> Self {
        let user = |number: u32| {
            json!({ "id": 100 + number, "username": format!("p{number}"), "name": format!("Old {number}"),
                "email": format!("p{number}@example.com") })
        };
        let users: Vec<Value> = (0..10).map(user).collect();
        let world = World::new()
            .file("rules/people.rhai", RULES)
            .file("lab/gitlab.json", &json!({ "users": users }).to_string())
            .file("before/first.csv", "id,email,name\n99,nobody@example.com,Nobody\n");
        let feed = Self { world, service: AtomicU32::new(0) };
        feed.configure("before", coverage, "quiet = { looks = 1, time = \"1ms\" }\n");
        let mut feed = feed;
        feed.world.start_lab(&[]);
        let Ran { status, stderr, .. } = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
        assert_eq!(status, 0, "{stderr}");
        assert_eq!(feed.runs_of_all(), ["first.csv done"]);
        fs::create_dir(feed.world.path("drop")).unwrap();
        feed.configure("drop", coverage, settings);
        feed
    }

    fn configure(&self, folder: &str, coverage: &str, settings: &str) {
        let text = format!(
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n{coverage}\nfolder = \"{folder}\"\n{settings}\n\
             [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://gitlab.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n\n\
             [limits]\nchanges = \"20%\"\n"
        );
        self.world.write("homeward.toml", text.as_bytes());
    }

    /// Where something in the watched folder is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.world.path("drop").join(name)
    }

    /// Puts a file into the folder at once: written elsewhere, renamed into place.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let elsewhere = self.world.path("sender");
        fs::write(&elsewhere, bytes).unwrap();
        fs::rename(elsewhere, self.path(name)).unwrap();
    }

    /// Puts a file into a folder of another file system at once.
    pub(crate) fn put_by_copy(&self, name: &str, text: &str) {
        fs::write(self.path(".sender"), text).unwrap();
        fs::rename(self.path(".sender"), self.path(name)).unwrap();
    }

    /// Starts the service. It ends with the value.
    pub(crate) fn watch(&self, arguments: &[&str]) -> Watch {
        self.watch_as(self.world.command(), arguments)
    }

    /// Starts the service with this program.
    pub(crate) fn watch_as(&self, mut command: Command, arguments: &[&str]) -> Watch {
        let log = self.world.path("watch.log");
        let said = File::options().create(true).append(true).open(&log).unwrap();
        command.args(["--lab", "watch", "--apply"]).args(arguments).stdout(Stdio::null()).stderr(said);
        let child = command.spawn().unwrap();
        self.service.store(child.id(), Ordering::SeqCst);
        Watch { child, log }
    }

    /// What `homeward status` says of the feed; null before it was watched.
    pub(crate) fn status(&self) -> Value {
        let ran = self.world.homeward(&["--lab", "status", "--format", "json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
    }

    /// Waits until the service that was started last says that the feed is like this, and gives it.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.status()["feeds"]["hr"].clone();
            // What an earlier process said is not what this one sees.
            if status["pid"] == self.service.load(Ordering::SeqCst) && is_so(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} did not happen: {status:#}\n{}", self.log());
            thread::sleep(BLINK);
        }
    }

    /// Waits until the feed says that this file waits for this.
    pub(crate) fn until_waiting(&self, line: &str) {
        self.until(line, |status| lines(status, "waiting").iter().any(|waiting| waiting.starts_with(line)));
    }

    /// Waits until this warning is given.
    pub(crate) fn until_warned(&self, warning: &str) {
        self.until(warning, |status| lines(status, "warnings").iter().any(|line| line.contains(warning)));
    }

    /// Waits until something stands in the way, and it is this.
    pub(crate) fn until_trouble(&self, trouble: &str) {
        self.until(trouble, |status| status["trouble"].as_str().is_some_and(|told| told.contains(trouble)));
    }

    /// Waits until nothing stands in the way.
    pub(crate) fn until_well(&self) {
        self.until("being well again", |status| status["trouble"].is_null());
    }

    /// Waits until so many files were put away, and gives each: `name result`, with its bytes, oldest first.
    pub(crate) fn until_archived(&self, count: usize) -> Vec<(String, Vec<u8>)> {
        let begun = Instant::now();
        loop {
            let archived = archived(&self.path("archive"));
            if archived.len() >= count {
                assert_eq!(archived.len(), count, "{archived:?}");
                return archived;
            }
            assert!(begun.elapsed() < PATIENCE, "{count} files were not put away: {archived:?}\n{}", self.log());
            thread::sleep(BLINK);
        }
    }

    /// Waits until so many files were refused, and gives the names of each and why.
    pub(crate) fn until_refused(&self, count: usize) -> Vec<(String, String)> {
        let begun = Instant::now();
        loop {
            let refused = notes(&self.path("error"), ".reason.json");
            if refused.len() >= count {
                let text = |note: &Value, key: &str| note[key].as_str().unwrap().to_owned();
                return refused.iter().map(|(_, note)| (text(note, "file"), text(note, "reason"))).collect();
            }
            assert!(begun.elapsed() < PATIENCE, "{count} files were not refused\n{}", self.log());
            thread::sleep(BLINK);
        }
    }

    /// What the ten people are called at the provider, by number: those who are not called as in the beginning.
    pub(crate) fn renamed(&self) -> Vec<(u32, String)> {
        let name = |number: u32| {
            let user = self.world.user("gitlab", "username", &format!("p{number}"));
            user["name"].as_str().unwrap().to_owned()
        };
        (0..10).map(|number| (number, name(number))).filter(|(number, name)| *name != format!("Old {number}")).collect()
    }

    /// All runs but that of the list before, oldest first: `input standing`.
    pub(crate) fn runs(&self) -> Vec<String> {
        self.runs_of_all().split_off(1)
    }

    fn runs_of_all(&self) -> Vec<String> {
        let ran = self.world.homeward(&["--lab", "runs", "--format", "json"]);
        let listing: Value = serde_json::from_str(&ran.stdout).unwrap();
        let word = |run: &Value, key: &str| run[key].as_str().unwrap().to_owned();
        let runs = listing["runs"].as_array().unwrap();
        runs.iter().rev().map(|run| format!("{} {}", word(run, "input"), word(run, "standing"))).collect()
    }

    /// Expects that one file came, whole and once: these bytes under this name, used once, and everybody in it called as
    /// it says.
    pub(crate) fn was_used_once(&self, name: &str, bytes: &[u8], people: &[u32], called: &str) {
        let archived = self.until_archived(1);
        assert_eq!(archived, [(format!("{name} done"), bytes.to_vec())]);
        assert_eq!(self.runs(), [format!("{name} done")]);
        let expected: Vec<(u32, String)> =
            people.iter().map(|number| (*number, format!("{called} {number}"))).collect();
        assert_eq!(self.renamed(), expected);
        assert_eq!(self.world.writes("gitlab").len(), people.len(), "each was written to once");
    }

    /// The names in the folder, but for those of the service.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| ![".work", "archive", "error"].contains(&name.as_str()));
        names.sort();
        names
    }

    /// What the service wrote down so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.world.path("watch.log")).unwrap_or_default()
    }
}

/// The lines of a part of a status.
pub(crate) fn lines(status: &Value, part: &str) -> Vec<String> {
    status[part].as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// What lies in an archive: `name result` and the bytes, in the order it came there.
pub(crate) fn archived(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, String, Vec<u8>)> = notes(folder, ".result.json")
        .into_iter()
        .filter_map(|(path, note)| {
            // The note is there before the file.
            let bytes = fs::read(path).ok()?;
            let text = |key: &str| note[key].as_str().unwrap_or_default().to_owned();
            Some((text("archived"), format!("{} {}", text("file"), text("result")), bytes))
        })
        .collect();
    all.sort();
    all.into_iter().map(|(_, name, bytes)| (name, bytes)).collect()
}

/// The notes in a folder, each with the path of the file it stands beside.
fn notes(folder: &Path, ending: &str) -> Vec<(PathBuf, Value)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
        .iter()
        .filter_map(|name| name.strip_suffix(ending).map(|base| (name, base)))
        .filter_map(|(name, base)| {
            let note = serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok()?;
            Some((folder.join(base), note))
        })
        .collect()
}

/// A file that says what these people are called from now on.
pub(crate) fn list(people: &[u32], called: &str) -> String {
    let row = |number: &u32| format!("{number},p{number}@example.com,{called} {number}\n");
    std::iter::once("id,email,name\n".to_owned()).chain(people.iter().map(row)).collect()
}

/// A program that watches.
pub(crate) struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    /// Waits for the service to end by itself.
    pub(crate) fn ended(mut self) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", fs::read_to_string(&self.log).unwrap());
            thread::sleep(BLINK);
        }
    }

    /// Tells the service to stop and waits until it did, in good order.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            Ran::of(Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]));
            let _ = self.child.wait();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
    }
}

/// Runs a program of the system that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program} has to be installed: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Appends to a file that is open, as a writer does that has not finished.
pub(crate) fn write_on(file: &mut File, text: &str) {
    file.write_all(text.as_bytes()).unwrap();
    file.flush().unwrap();
}
