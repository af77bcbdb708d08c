//! A million people: what reading, mapping and planning them costs, each against something else in the same run.
//!
//! Run it with `cargo bench --bench people`; `PEOPLE=100000` takes fewer. Everything measured is a process of its own that
//! this one starts, so that times and peaks of memory are those of one thing. Each line of the table is a ratio of two
//! processes of the same run. Providers are stood in for by lists in memory (`listing.rs`): what it takes to make those up
//! is told apart and not counted. Nothing about time is asserted: a program that fails ends the bench, a slow one does
//! not. Where there is a `python3`, it does the same work as a peer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "whoever runs a bench says how many people there are")]

mod bare;
mod listing;
mod people;
mod table;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use self::{
    people::{Held, Order, Project},
    table::Table,
};

/// What the program brings along, for what is measured of it and for what it is measured against.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many people there are, unless `PEOPLE` says otherwise.
const PEOPLE: u64 = 1_000_000;

/// What a child process is told to be, as its first argument.
const ROLE: &str = "--as";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if first.as_ref().is_some_and(|first| first == ROLE) {
        let role = arguments.next().unwrap_or_default();
        return role_of(role.to_str().unwrap_or_default(), arguments.collect());
    }
    // `cargo bench` says so to every bench; whoever only builds or tests all targets is not kept waiting.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench people`");
        return ExitCode::SUCCESS;
    }
    let asked = std::env::var("PEOPLE").ok().map(|asked| asked.replace('_', "").parse().unwrap());
    measure(asked.unwrap_or(PEOPLE));
    ExitCode::SUCCESS
}

/// What a child does. It tells what it found on standard output, or where `PEOPLE_REPORT` says.
fn role_of(role: &str, arguments: Vec<std::ffi::OsString>) -> ExitCode {
    let path = || PathBuf::from(arguments.first().unwrap());
    match role {
        "csv" => println!("{}", bare::csv(&path())),
        "rhai" => println!("{}", bare::rhai(&path(), &people::rule(), 1)),
        "rhai-all" => println!("{}", bare::rhai(&path(), &people::rule(), cores())),
        "file" => println!("{}", bare::file(&path())),
        "read" => println!("{}", homeward::measure::read(&path(), &listing::KINDS, "hr", "people.csv").unwrap()),
        "map" => {
            let mut sum = 0_u64;
            let names = bare::NAMES.map(homeward::model::attribute::AttributeName::new);
            homeward::measure::map(&path(), &listing::KINDS, "hr", "people.csv", &mut |key, write| {
                sum = sum.wrapping_add(bare::row_sum(key, |at, line| write(&names[at], line)));
            })
            .unwrap();
            println!("{sum}");
        }
        "rule" | "rule-engine" => {
            let mut reader = csv::Reader::from_path(path().join("people.csv")).unwrap();
            let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
            let rows = reader.into_records().map(|row| row.unwrap().iter().map(str::to_owned).collect());
            let (mut rows, with_engine) = (rows, role == "rule-engine");
            let taken =
                homeward::measure::rule(&path(), &listing::KINDS, "hr", &columns, &mut rows, with_engine).unwrap();
            println!("{}", taken.as_nanos());
        }
        "homeward" => {
            let program = std::iter::once("homeward".into()).chain(arguments);
            let code = homeward::run_with(program, &listing::KINDS, &[]);
            let report = std::env::var_os("PEOPLE_REPORT").unwrap();
            let (asked, spent) = listing::spent();
            std::fs::write(report, format!("{} {asked} {}", peak(), spent.as_micros())).unwrap();
            return code;
        }
        other => panic!("there is no role `{other}`"),
    }
    ExitCode::SUCCESS
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The most memory this process has had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What a child took, and what it said.
#[derive(Clone)]
pub(crate) struct Took {
    pub(crate) time: Duration,
    pub(crate) said: String,
}

fn ran(command: &mut Command) -> Took {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    let time = begun.elapsed();
    assert!(output.status.success(), "{command:?} ended with {}", output.status);
    Took { time, said: String::from_utf8(output.stdout).unwrap().trim().to_owned() }
}

fn child(role: &str, argument: &Path) -> Took {
    ran(Command::new(std::env::current_exe().unwrap()).args([ROLE, role]).arg(argument))
}

/// What a child says it took, where only a part of what it does is meant.
fn child_says(role: &str, argument: &Path) -> Took {
    let took = child(role, argument);
    Took { time: Duration::from_nanos(took.said.parse().unwrap()), said: took.said }
}

/// A run of the whole program over a project.
struct Ran {
    /// Without what it takes to make up the providers' lists.
    time: Duration,
    /// KiB.
    peak: u64,
    /// How often a provider was asked.
    asked: u64,
}

fn homeward(project: &Project, arguments: &[&str]) -> Ran {
    let report = project.path("report");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([ROLE, "homeward", "-C"]).arg(&project.folder).args(["-q", "--today", people::TODAY]);
    command.args(arguments).env("TOKEN", people::TOKEN).env("PEOPLE_REPORT", &report);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let time = begun.elapsed();
    assert!(status.success(), "{arguments:?} ended with {status}");
    let report = std::fs::read_to_string(report).unwrap();
    let [peak, asked, spent] = *report.split(' ').map(|one| one.parse::<u64>().unwrap()).collect::<Vec<_>>() else {
        panic!("the child reports something else: {report}");
    };
    Ran { time: time.saturating_sub(Duration::from_micros(spent)), peak, asked }
}

/// Lets the system forget what a file holds, so that it is read from the disk again. How much that is.
fn out_of_memory(path: &Path) -> u64 {
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    file.metadata().unwrap().len()
}

fn python() -> Option<PathBuf> {
    let found = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success()).then(|| "python3".into())
}

fn measure(people: u64) {
    let project = Project::new(people, Held::Differing);
    let file = project.path("people.csv");
    let table = Table::new(people, cores());

    let csv = child("csv", &file);
    let parse = child("read", &project.folder);
    let bare = child("rhai", &file);
    let bare_all = child("rhai-all", &file);
    let map = child("map", &project.folder);
    for other in [&bare, &bare_all] {
        assert_eq!(other.said, map.said, "the same rule on the same rows gives the same");
    }
    table.rate("csv crate alone", &csv);
    table.rate("reading alone", &parse);
    table.rate("bare sandboxed Rhai, one thread", &bare);
    table.rate("bare sandboxed Rhai, all cores", &bare_all);
    table.rate("map stage", &map);
    let (with_engine, lowered) = (child_says("rule-engine", &project.folder), child_says("rule", &project.folder));
    table.rate("the rule alone with the engine, one thread", &with_engine);
    table.rate("the rule alone lowered, one thread", &lowered);
    table.ratio("the rule lowered : with the engine, rows/s", with_engine.time, lowered.time, "");
    table.ratio("map stage : csv crate alone, rows/s", csv.time, map.time, "");
    table.ratio("map stage : bare Rhai on all cores, rows/s", bare_all.time, map.time, "at least 0.8");
    match python() {
        Some(python) => {
            let script = project.write("peer.py", people::PEER);
            let peer = ran(Command::new(python).arg(script).arg(&file));
            assert_eq!(peer.said, map.said, "Python makes the same of the same rows");
            table.rate("Python csv with the same function", &peer);
            table.ratio("map stage : Python, rows/s", peer.time, map.time, "at least 1.9");
        }
        None => println!("no python3 here: its lines are left out"),
    }

    let first = homeward(&project, &["plan", "hr=people.csv", "--out", "plan.json"]);
    table.run("first plan, 1 % differs in each of three systems", &first);
    table.ratio("first plan : map stage, time", first.time, map.time, "at most 3");
    let tenth = Project::new(people / 10, Held::Differing);
    let small = homeward(&tenth, &["plan", "hr=people.csv", "--out", "plan.json"]);
    table.ratio("first plan : that of a tenth of the people, time", first.time, small.time, "at most 11");

    drop((project, tenth));
    let project = Project::new(people, Held::Through);
    let through = homeward(&project, &["plan", "hr=people.csv", "--out", "plan.json"]);
    table.run("the same, with people who sign in through another system", &through);
    table.ratio("with sign-in through another : without, time", through.time, first.time, "");

    // Yesterday: everything is taken over, and is so everywhere.
    drop(project);
    let project = Project::new(people, Held::Same);
    let applied = homeward(&project, &["apply", "hr=people.csv", "--yes"]);
    table.run("apply: all of them tied and remembered", &applied);
    // What comes once a night is on the disk; what was just written is in memory.
    let list = project.path("people.csv");
    for place in ["from disk", "in memory"] {
        let ready = || if place == "from disk" { out_of_memory(&list) } else { bare::file(&list) };
        ready();
        let read = child("file", &list);
        ready();
        let again = homeward(&project, &["plan", "hr=people.csv"]);
        table.run(&format!("yesterday's list again, {place}"), &again);
        let what = format!("yesterday's list again : reading the file, {place}");
        table.ratio(&what, again.time, read.time, "at most 1.3");
    }
    let parse = child("read", &project.folder);
    table.rate("reading alone, with a digest of its rows", &parse);
    project.list("shuffled.csv", Order::Backwards, 0);
    let other = homeward(&project, &["plan", "hr=shuffled.csv"]);
    table.run("the same people in other order", &other);
    table.ratio("the same people in other order : reading alone, time", other.time, parse.time, "at most 2");
    project.list("tonight.csv", Order::Forwards, 1);
    let tonight = homeward(&project, &["plan", "hr=tonight.csv", "--out", "plan.json"]);
    table.run("tonight's list, 1 % changed", &tonight);
    table.ratio("tonight's plan : map stage, time", tonight.time, map.time, "");
    let whole = homeward(&project, &["plan", "hr=tonight.csv", "--recheck", "--out", "plan.json"]);
    table.run("the same, everybody looked at", &whole);
    table.ratio("tonight's plan : the same, everybody looked at, time", tonight.time, whole.time, "");
}
