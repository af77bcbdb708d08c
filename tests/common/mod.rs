//! The world the tests drive the program in: a temporary project, the real program, a real lab.
//!
//! Environment, folder, width and date are fixed, so that what the program prints can be compared whole.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses its part of the world, and a world that cannot be made fails the test"
)]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

pub mod journey;
pub mod readme;

/// A project in a folder of its own, and the lab that serves it, if one was started. Both end with the value.
pub struct World {
    folder: tempfile::TempDir,
    lab: Option<Child>,
    environment: Vec<(String, String)>,
}

/// Everything a run of the program gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a program to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A message without the lines it was broken into where the terminal ends.
pub fn in_one_line(message: &str) -> String {
    message.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty project.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), lab: None, environment: Vec::new() }
    }

    /// A copy of an example's folder.
    pub fn example(name: &str) -> Self {
        let world = Self::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), world.folder.path());
        world
    }

    /// A project with one system of this kind and this seed, its lab running.
    pub fn with_lab_of(kind: &str, seed: &Value) -> Self {
        let mut world = Self::new()
            .file("homeward.toml", &format!("[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n"))
            .file(&format!("lab/{kind}.json"), &seed.to_string());
        world.start_lab(&[]);
        world
    }

    /// Writes a file of the project.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.write(name, text.as_bytes());
        self
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Sets a variable of the environment for what runs from now on.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Where a file of the project is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, ready to be given arguments.
    pub fn command(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_homeward").as_ref())
    }

    /// Another program in this world, ready to be given arguments.
    pub fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("COLUMNS", "120")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn homeward(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command().args(arguments))
    }

    /// Starts the lab of this project and waits until it says where it is.
    pub fn start_lab(&mut self, arguments: &[&str]) {
        let mut child =
            self.command().arg("lab").args(arguments).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        self.lab = Some(child);
        assert!(self.path(".homeward/lab.json").exists(), "the lab did not start: {first}");
    }

    /// Where a simulator is, without a slash at the end.
    pub fn url(&self, system: &str) -> String {
        self.address(system)["url"].as_str().unwrap().to_owned()
    }

    /// The token the lab gives us for a system.
    pub fn token(&self, system: &str) -> String {
        self.address(system)["token"].as_str().unwrap().to_owned()
    }

    fn address(&self, system: &str) -> Value {
        let lab: Value = serde_json::from_str(&self.read(".homeward/lab.json")).unwrap();
        lab["systems"][system].clone()
    }

    /// Asks a lab route of a simulator and expects success.
    pub fn lab(&self, system: &str, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(system, method, &format!("/_lab/{path}"), &[], body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// The state of a simulator.
    pub fn state(&self, system: &str) -> Value {
        self.lab(system, "GET", "state", &Value::Null)
    }

    /// What a simulator was asked: `["GET /api/v4/user", …]`.
    pub fn asked(&self, system: &str) -> Vec<String> {
        let all = self.lab(system, "GET", "requests", &Value::Null);
        let line = |one: &Value| format!("{} {}", one["method"].as_str().unwrap(), one["path"].as_str().unwrap());
        all.as_array().unwrap().iter().map(line).collect()
    }

    /// Sends a request to a simulator, with our token where `headers` say nothing of one.
    pub fn ask(&self, system: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let url = format!("{}{path}", self.url(system));
        let bearer = format!("Bearer {}", self.token(system));
        let mut all: Vec<(&str, &str)> = headers.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
        let speaks_of_token =
            |name: &str| ["authorization", "private-token", "cookie"].contains(&name.to_lowercase().as_str());
        if !headers.iter().any(|(name, _)| speaks_of_token(name)) {
            all.push(("Authorization", &bearer));
        }
        send(method, &url, &all, body)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(mut lab) = self.lab.take() {
            let _ = lab.kill();
            let _ = lab.wait();
        }
    }
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// By lower-case name.
    pub headers: std::collections::BTreeMap<String, String>,
    pub text: String,
}

impl Answer {
    /// The body as JSON; fails the test where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

/// Sends one request. A body that is `null` is none; one that is a text is sent as it is.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = match body {
            Value::Null => request,
            Value::String(text) => request.body(text.clone()),
            body => request.json(body),
        };
        // A fault may have shut the door of a simulator for a moment: whoever pulls its strings waits until it opens.
        let mut left = if url.contains("/_lab/") { 100 } else { 0 };
        let response = loop {
            match request.try_clone().unwrap().send().await {
                Err(error) if error.is_connect() && left > 0 => left -= 1,
                sent => break sent.unwrap(),
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        Answer { status: response.status().as_u16(), headers: headers.collect(), text: response.text().await.unwrap() }
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == ".homeward" {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(source, target).unwrap();
        }
    }
}
