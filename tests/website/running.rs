//! A watched website: the example of WordPress with its lab, and the service beside it.

#![allow(dead_code, clippy::allow_attributes, reason = "two test binaries use their parts of it")]

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::World;

/// The secret both sides have, where a test says nothing else.
pub(crate) const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The webhook's part of the example's configuration, which tests replace.
const WEBHOOK: &str = r#"webhook = { listen = "127.0.0.1:8088", path = "/hooks/wordpress", secret = { env = "WORDPRESS_WEBHOOK_SECRET" } }"#;

/// The example in a folder of its own, with its lab.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) port: u16,
}

impl Site {
    /// Read this often, with the webhook as the example has it, at a port of its own.
    pub(crate) fn new(poll: &str) -> Self {
        Self::with(poll, "path = \"/hooks/wordpress\", secret = { env = \"WORDPRESS_WEBHOOK_SECRET\" }", &[])
    }

    /// The same with these keys of the webhook beside its address, and these arguments for the lab.
    pub(crate) fn with(poll: &str, webhook: &str, lab: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let world = World::example("wordpress").variable("WORDPRESS_WEBHOOK_SECRET", SECRET);
        let config = world.read("homeward.toml");
        assert!(config.contains(WEBHOOK));
        let webhook = format!("webhook = {{ listen = \"127.0.0.1:{port}\", {webhook} }}");
        let config = config.replace(WEBHOOK, &webhook).replace("\"5m\"", &format!("\"{poll}\""));
        let mut world = world.file("homeward.toml", &config);
        world.start_lab(lab);
        Self { world, port }
    }

    /// Has the website tell the service of every change.
    pub(crate) fn tells(&self) {
        let url = format!("http://127.0.0.1:{}/hooks/wordpress", self.port);
        self.set(&json!({ "webhook": { "url": url, "secret": SECRET } }));
    }

    /// Changes settings of the simulated website.
    pub(crate) fn set(&self, settings: &Value) {
        let ran = self.world.homeward(&["lab", "set", "website", &settings.to_string()]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }

    /// Changes a user on the website.
    pub(crate) fn meddle(&self, user: &str, fields: &Value) {
        self.world.lab("website", "POST", &format!("meddle/{user}"), fields);
    }

    /// What Anna is called at GitLab.
    pub(crate) fn anna(&self) -> String {
        self.world.state("gitlab")["users"]["42"]["username"].as_str().unwrap().to_owned()
    }

    /// All runs, the newest wherever the program puts it.
    pub(crate) fn runs(&self) -> Vec<Value> {
        let ran = self.world.homeward(&["--lab", "--format", "json", "runs"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["runs"].as_array().unwrap().clone()
    }

    /// How the feed of the website fares.
    pub(crate) fn fares(&self) -> Value {
        let ran = self.world.homeward(&["--lab", "--format", "json", "status"]);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()["feeds"]["website"].clone()
    }

    /// The service, once it has read everybody for the first time.
    pub(crate) fn watch(&self) -> Watch<'_> {
        let watch = self.start();
        await_that("the first list", || self.fares()["looked"].is_string());
        watch
    }

    /// The service, as soon as it listens.
    pub(crate) fn start(&self) -> Watch<'_> {
        let log = format!("watch-{}.log", fs::read_dir(self.world.path(".")).unwrap().count());
        let file = fs::File::create(self.world.path(&log)).unwrap();
        let mut command = self.world.command();
        let child = command.args(["--lab", "watch", "--apply"]).stdout(Stdio::null()).stderr(file).spawn().unwrap();
        let watch = Watch { site: self, child, log };
        await_that("the service listens", || watch.log().contains("watching"));
        watch
    }
}

/// The service. It ends with the value.
pub(crate) struct Watch<'s> {
    site: &'s Site,
    child: Child,
    log: String,
}

impl Watch<'_> {
    /// What it has told so far.
    pub(crate) fn log(&self) -> String {
        self.site.world.read(&self.log)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it at once, whatever it is doing.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself: with which code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        await_that("the service ends", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }

    /// Ends it as a service manager does.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
    }

    /// A figure of `/proc/PID/status` in kB, such as `VmRSS`.
    pub(crate) fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many files and connections it has open.
    pub(crate) fn open(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so, and gives how long that took. Fails where it does not come to be.
pub(crate) fn await_that(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it did not come to be: {what}");
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}
