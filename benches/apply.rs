//! Apply: what it costs to carry out a plan beside sending the same requests with nothing around them.
//!
//! Run it with `cargo bench --bench apply`; `CALLS=2000` makes fewer calls. A simulator of Mattermost answers each request
//! after 20 ms and knows no limit; both sides have 32 requests under way. One side is `homeward apply` of a saved plan, with
//! its journal on the disk that holds the build. The other is a loop of reqwest alone that sends the same: the looks at all
//! accounts before and after, and between them one write each. They take turns, so that both have the same machine. Both go
//! through the same door, which passes bytes on and notes when the first write came and when the last one was answered: that
//! is the time that is compared. How long the whole process takes, plan read and run settled, is told beside it. Nothing
//! about time is asserted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "whoever runs a bench says how many calls there are")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

/// How many calls a plan has, unless `CALLS` says otherwise.
const CALLS: usize = 20_000;

/// How often each side has its turn.
const ROUNDS: usize = 3;

/// How long an answer takes.
const LATENCY: Duration = Duration::from_millis(20);

/// Requests under way at once.
const SIDE_BY_SIDE: usize = 32;

/// How many accounts the looks before and after ask for at once.
const BULK: usize = 1000;

/// What a child process is told to be, as its first argument.
const ROLE: &str = "--as";

/// What the program brings along, for both that are measured.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == ROLE) {
        let report = PathBuf::from(arguments.next().unwrap());
        let code = homeward::run(std::iter::once("homeward".into()).chain(arguments));
        fs::write(report, spent()).unwrap();
        return code;
    }
    // `cargo bench` says so to every bench; whoever only builds or tests all targets is not kept waiting.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench apply`");
        return ExitCode::SUCCESS;
    }
    let calls = std::env::var("CALLS").map_or(CALLS, |calls| calls.replace('_', "").parse().unwrap());
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(measure(calls));
    ExitCode::SUCCESS
}

/// What this process has used up: ticks of the processor, bytes handed to the system and bytes meant for the disk.
fn spent() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let of = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    format!("{ticks} {} {}", of("wchar:"), of("write_bytes:"))
}

/// What stands before the simulator: it passes on what comes, and notes when writes were under way.
#[derive(Default)]
struct Door {
    first: Mutex<Option<Instant>>,
    last: Mutex<Option<Instant>>,
}

impl Door {
    /// Opens one before this address; gives its own.
    fn before(address: &str) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let address = address.trim_start_matches("http://").to_owned();
        let door = Arc::new(Self::default());
        let shared = Arc::clone(&door);
        thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(&address).unwrap());
                near.set_nodelay(true).unwrap();
                far.set_nodelay(true).unwrap();
                let is_write = Arc::new(AtomicBool::new(false));
                let (door, noted) = (Arc::clone(&shared), Arc::clone(&is_write));
                let ends = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || {
                    pass(ends.0, ends.1, |bytes| {
                        noted.store(bytes.starts_with(b"PUT "), Ordering::Relaxed);
                        if bytes.starts_with(b"PUT ") {
                            door.first.lock().unwrap().get_or_insert_with(Instant::now);
                        }
                    });
                });
                let door = Arc::clone(&shared);
                thread::spawn(move || {
                    pass(far, near, |_| {
                        if is_write.load(Ordering::Relaxed) {
                            *door.last.lock().unwrap() = Some(Instant::now());
                        }
                    });
                });
            }
        });
        (door, own)
    }

    /// From the first write until the last was answered; forgets both.
    fn time(&self) -> Duration {
        let (first, last) = (self.first.lock().unwrap().take(), self.last.lock().unwrap().take());
        last.unwrap() - first.unwrap()
    }
}

/// Passes on what comes, until one of the two ends.
fn pass(mut from: TcpStream, mut to: TcpStream, note: impl Fn(&[u8])) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        note(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// A project whose list gives everybody another nickname, and its simulator.
struct Bench {
    folder: tempfile::TempDir,
    lab: Child,
    calls: usize,
    /// Ours at the simulator.
    token: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.lab.kill();
        let _ = self.lab.wait();
    }
}

impl Bench {
    fn new(calls: usize) -> Self {
        // Where builds are, not where a system keeps its temporary files: those may be in memory.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("homeward.toml", &settings("http://127.0.0.1:1"));
        write(
            "rules/people.rhai",
            "owner([\"username\", \"nickname\"], \"hr\");\ncopies([\"username\", \"nickname\"], \"chat\");\n\
             join(\"chat\", \"username\");\n\
             source(\"hr\", |row| #{ key: row.id, username: row.username, nickname: row.nickname });\n",
        );
        write("lab/chat.json", "{}");
        let lab = program(folder.path(), &folder.path().join("report"), "none")
            .args(["lab", "--people", &calls.to_string()])
            .stdout(Stdio::piped())
            .spawn();
        let mut lab = lab.unwrap();
        let mut first = String::new();
        BufReader::new(lab.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let mut bench = Self { folder, lab, calls, token: String::new() };
        bench.token = bench.lab().1;
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the simulator is, and our token there.
    fn lab(&self) -> (String, String) {
        let notice: Value =
            serde_json::from_str(&fs::read_to_string(self.path(".homeward/lab.json")).unwrap()).unwrap();
        let chat = &notice["systems"]["chat"];
        (chat["url"].as_str().unwrap().to_owned(), chat["token"].as_str().unwrap().to_owned())
    }

    fn homeward(&self, arguments: &[&str]) -> Took {
        let report = self.path("report");
        let mut command = program(self.folder.path(), &report, &self.token);
        command.arg("--quiet").args(arguments).stdout(Stdio::null());
        let begun = Instant::now();
        let status = command.status().unwrap();
        let time = begun.elapsed();
        assert!(status.success(), "{arguments:?} ended with {status}");
        let report = fs::read_to_string(report).unwrap();
        let [ticks, handed, written] = *report.split(' ').map(|one| one.parse().unwrap()).collect::<Vec<u64>>() else {
            panic!("the child reports something else: {report}");
        };
        Took { time, ticks, handed, written }
    }

    /// A plan of a call for everybody.
    fn plan(&self, round: usize) {
        use std::fmt::Write;
        let mut list = "id,username,nickname\n".to_owned();
        for number in 1..=self.calls {
            writeln!(list, "{number},person{number:06},Round {round} of {number}").unwrap();
        }
        fs::write(self.path("people.csv"), list).unwrap();
        self.homeward(&["plan", "--out", "plan.json", "hr=people.csv"]);
    }
}

/// The configuration with the simulator at this address.
fn settings(url: &str) -> String {
    format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"partial\"\n\n\
         [systems.chat]\nkind = \"mattermost\"\nurl = \"{url}\"\ninsecure_http = true\n\
         token = {{ env = \"TOKEN\" }}\nconcurrency = {SIDE_BY_SIDE}\n\n[limits]\nchanges = \"100%\"\n"
    )
}

/// What a process took.
#[derive(Clone, Copy)]
struct Took {
    time: Duration,
    /// Hundredths of a second of the processor.
    ticks: u64,
    /// Bytes, network included.
    handed: u64,
    /// Bytes for the disk.
    written: u64,
}

/// The program, as a child of this one.
fn program(folder: &Path, report: &Path, token: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ROLE.as_ref(), report.as_os_str()]).current_dir(folder).env("TOKEN", token).stdin(Stdio::null());
    command
}

async fn measure(calls: usize) {
    let bench = Bench::new(calls);
    let (door, url) = Door::before(&bench.lab().0);
    fs::write(bench.path("homeward.toml"), settings(&url)).unwrap();
    let bare = Bare { client: reqwest::Client::new(), url, token: bench.token.clone() };
    let ids = bare.everybody(calls).await;
    let slow = json!({ "latency_ms": u64::try_from(LATENCY.as_millis()).unwrap() });
    println!("{calls} calls, {SIDE_BY_SIDE} at a time, each answered after {} ms", LATENCY.as_millis());
    println!(
        "{:<8} {:>14} {:>14} {:>8} {:>16}",
        "round", "bare, calls/s", "ours, calls/s", "ratio", "whole process, s"
    );
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        bare.lab("POST", "settings", &json!({ "latency_ms": 0 })).await;
        bench.plan(round);
        bare.lab("DELETE", "requests", &Value::Null).await;
        bare.lab("POST", "settings", &slow).await;
        bare.loops(&ids, round).await;
        let alone = door.time();
        bare.lab("DELETE", "requests", &Value::Null).await;
        let ours = bench.homeward(&["apply", "--yes", "plan.json"]);
        let time = door.time();
        println!(
            "{round:<8} {:>14.0} {:>14.0} {:>7.0}% {:>16.1}",
            per(calls, alone),
            per(calls, time),
            alone.as_secs_f64() / time.as_secs_f64() * 100.0,
            ours.time.as_secs_f64()
        );
        rounds.push(ours);
    }
    let all = calls * ROUNDS;
    let sum = |of: fn(&Took) -> u64| rounds.iter().map(of).sum::<u64>();
    println!("processor per call: {:.0} µs", float(sum(|took| took.ticks)) * 10_000.0 / float(all as u64));
    println!(
        "bytes per call, all that is handed to the system: {:.0}",
        float(sum(|took| took.handed)) / float(all as u64)
    );
    println!("bytes per call, written to the disk: {:.0}", float(sum(|took| took.written)) / float(all as u64));
}

#[expect(clippy::cast_precision_loss, reason = "a figure is rounded to be read")]
fn float(count: u64) -> f64 {
    count as f64
}

fn per(calls: usize, time: Duration) -> f64 {
    float(calls as u64) / time.as_secs_f64()
}

/// Requests with nothing around them.
struct Bare {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Bare {
    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn lab(&self, method: &str, path: &str, body: &Value) {
        self.ask(method, &format!("/_lab/{path}"), body).await;
    }

    /// The ids of all invented people.
    async fn everybody(&self, count: usize) -> Vec<String> {
        let names: Vec<String> = (1..=count).map(|number| format!("person{number:06}")).collect();
        let mut ids = Vec::new();
        for names in names.chunks(BULK) {
            let users = self.ask("POST", "/api/v4/users/usernames", &json!(names)).await;
            ids.extend(users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        }
        ids
    }

    async fn looks(&self, ids: &[String]) {
        let looks = ids.chunks(BULK).map(|ids| async move {
            self.ask("POST", "/api/v4/users/ids", &json!(ids)).await;
        });
        stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
    }

    /// What a run sends: who we are, all accounts as they are, a write for each, and all accounts as they are then.
    async fn loops(&self, ids: &[String], round: usize) {
        self.ask("GET", "/api/v4/users/me", &Value::Null).await;
        self.ask("GET", "/api/v4/config", &Value::Null).await;
        self.looks(ids).await;
        let writes = ids.iter().map(|id| async move {
            // Another attribute than the plan's, for which nobody may be in between.
            self.ask("PUT", &format!("/api/v4/users/{id}/patch"), &json!({ "position": format!("Round {round}") }))
                .await;
        });
        stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
        self.looks(ids).await;
    }
}
