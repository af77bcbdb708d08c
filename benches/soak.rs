//! A day of `homeward watch` in five minutes: does it stay as it is, and is every input accounted for?
//!
//! Run it with `cargo bench --bench soak`. The service goes by a clock that is three hundred times too fast, against its
//! own simulators. Every half hour HR drops a file and somebody renames herself on the website, which tells of it by
//! webhook. In between files are broken, cut off or sent twice, the website is in maintenance, the folder goes away, the
//! configuration is read again, and the service is stopped or killed. What is printed is memory and descriptors hour by
//! hour, then what became of every input; what is not accounted for, or grows, ends it with 1.
//!
//! `HOMEWARD_SOAK=2h` lasts two hours of real time, which are twenty-five days: after the first day the service lives on
//! without a break, and two in a hundred requests meet one of the faults that simulators know (`HOMEWARD_SOAK_FAULTS=5%`
//! for another share, `0%` for none). Then a passage may end partly done; a later one has to make it good, and when the
//! faults are over everything is as it should be.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    net::TcpListener,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::World;
use serde_json::{Value, json};

/// Seconds that pass in one.
const PACE: u32 = 300;

/// Half hours of a day.
const DAY: usize = 48;

const HALF_HOUR: Duration = Duration::from_millis(1_800_000 / PACE as u64);

const PEOPLE: usize = 40;

const SYSTEMS: [&str; 2] = ["gitlab", "website"];

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// What simulators do wrong by chance: everything they know but a limit. Whatever limit a server names is kept to for the
/// ten minutes of its window, and those are fifty hours here.
const FAULTS: [&str; 25] = [
    "closed",
    "reset",
    "down",
    "silent",
    "slow_start",
    "drip",
    "internal_error",
    "bad_gateway",
    "overloaded",
    "gateway_timeout",
    "error_page",
    "page",
    "truncated",
    "endless_body",
    "endless_headers",
    "redirect",
    "redirect_kept",
    "wrong_type",
    "expired",
    "lying_old",
    "lying_new",
    "lying_empty",
    "lying_other",
    "control_characters",
    "skewed_clock",
];

const RULES: &str = r#"
owner("username", "hr");
owner("display_name", "gitlab");
copies("username", "gitlab");
source("hr", |row| #{ key: row.employee_id, email: row.email, username: row.username });
source("website", |user| #{ key: user.id, email: user.email, display_name: user.name });
join("gitlab", ["email"]);
"#;

/// How much memory of its own may grow within one life of the process, and how many descriptors. The pages of the program
/// file that are in memory are not its own, and grow with whatever of it was used once.
const GROWTH: f64 = 6.0;
const DESCRIPTORS: usize = 8;

/// What is done in one half hour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum File {
    /// One person has another username.
    Good,
    /// The bytes of the last good one.
    Again,
    /// It ends in the middle of a row.
    Broken,
    /// Half of the people are missing; somebody rejects it.
    Cut,
}

impl File {
    fn of(half_hour: usize) -> Self {
        match half_hour % 8 {
            3 => Self::Again,
            5 => Self::Broken,
            6 => Self::Cut,
            _ => Self::Good,
        }
    }

    /// What has to become of it.
    fn standing(self) -> &'static str {
        match self {
            Self::Good => "done",
            Self::Again => "duplicate",
            Self::Broken => "refused",
            Self::Cut => "rejected",
        }
    }

    /// True where this may have become of it. Where simulators fail, a passage may leave something for the next one, and
    /// then the same bytes are no duplicate.
    fn may_be(self, standing: &str, faults: bool) -> bool {
        let leaves = standing == "partly" && matches!(self, Self::Good | Self::Again);
        // While something is repeated, a newer list may come and say it all.
        let is_late = standing == "superseded";
        standing == self.standing() || (faults && (leaves || is_late || (self == Self::Again && standing == "done")))
    }
}

/// How long it lasts, and how many requests meet a fault.
struct Length {
    half_hours: usize,
    /// `2%`; `None` for none.
    faults: Option<String>,
}

impl Length {
    #[expect(clippy::disallowed_methods, reason = "whoever runs a bench says how long it may take")]
    fn told() -> Self {
        let time = std::env::var("HOMEWARD_SOAK").ok();
        let faults = std::env::var("HOMEWARD_SOAK_FAULTS").ok().or_else(|| time.as_ref().map(|_| "2%".to_owned()));
        let half_hours = time.map_or(DAY, |time| {
            let (number, unit) = time.split_at(time.len() - 1);
            let number: u64 = number.parse().unwrap();
            let time = match unit {
                "h" => Duration::from_hours(number),
                "m" => Duration::from_mins(number),
                _ => unreachable!("HOMEWARD_SOAK is a time such as 2h or 30m"),
            };
            usize::try_from(time.as_millis() / HALF_HOUR.as_millis()).unwrap()
        });
        Self { half_hours, faults: faults.filter(|share| share.trim_start_matches(['0', '.']) != "%") }
    }
}

/// What goes wrong in this half hour beside the file.
fn fault(half_hour: usize) -> &'static str {
    match half_hour % DAY {
        // From the second day on it lives as long as this lasts.
        16 | 32 if half_hour >= DAY => "",
        9 | 25 | 41 => "maintenance",
        12 | 36 => "no folder",
        16 => "killed",
        20 | 44 => "reload",
        32 => "stopped",
        _ => "",
    }
}

/// The company: what each person is called where.
struct Company {
    world: World,
    usernames: Vec<String>,
    names: Vec<String>,
    last_good: String,
}

impl Company {
    fn new(faults: Option<&str>) -> Self {
        // A simulator that falls silent is not waited for as long as a real server.
        let timeout = if faults.is_some() { "timeout = \"2s\"" } else { "" };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            r#"
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = {{ env = "TOKEN" }}
{timeout}

[systems.website]
kind = "wordpress"
url = "https://www.example.com"
username = "homeward"
token = {{ env = "TOKEN" }}
says = "changes"
poll = "15m"
{timeout}
webhook = {{ listen = "127.0.0.1:{port}", secret = {{ env = "HOOK" }} }}

[systems.hr]
kind = "csv"
key = "employee_id"
says = "state"
coverage = "full"
folder = "drop"
order = "number"
quiet = {{ looks = 2, time = "1m" }}
look_every = "3m"
"#
        );
        let person = |number: usize| {
            json!({ "id": 1000 + number, "username": format!("w{number}"), "name": format!("Person {number}"),
                "email": format!("person{number:06}@example.com"), "roles": ["subscriber"] })
        };
        let webhook = json!({ "url": format!("http://127.0.0.1:{port}/"), "secret": SECRET });
        let seed = json!({ "settings": { "webhook": webhook, "webhook_retry": 300 },
            "people": (1..=PEOPLE).map(person).collect::<Vec<_>>() });
        let mut world = World::new()
            .file("homeward.toml", &config)
            .file("rules/rules.rhai", RULES)
            .file("lab/website.json", &seed.to_string())
            .variable("HOOK", SECRET);
        world.start_lab(&["--people", &PEOPLE.to_string()]);
        let usernames = (0..=PEOPLE).map(|number| format!("u{number}")).collect();
        let names = vec![String::new(); PEOPLE + 1];
        let mut company = Self { world, usernames, names, last_good: String::new() };
        // The first list of a feed is for somebody to look at.
        company.last_good = company.list();
        company.drop_file(0, &company.last_good);
        let run = |exit: i32, arguments: &[&str]| {
            let ran = company.world.homeward(arguments);
            assert_eq!(ran.status, exit, "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        };
        run(4, &["--lab", "watch", "--once", "--apply", "--pace", &PACE.to_string()]);
        let waits = company.about("people-0000.csv").unwrap()["id"].to_string();
        run(0, &["--lab", "approve", &waits, "--yes", "--by", "Olga"]);
        for system in SYSTEMS {
            if let Some(share) = faults {
                let program = json!({ "seed": 1, "share": share, "of": "requests", "kinds": FAULTS });
                company.world.lab(system, "POST", "chaos", &program);
            }
        }
        company
    }

    /// From now on no simulator fails any more. How many requests met a fault so far, by kind.
    fn calm(&self) -> BTreeMap<String, usize> {
        let mut met: BTreeMap<String, usize> = BTreeMap::new();
        for system in SYSTEMS {
            self.world.lab(system, "DELETE", "chaos", &Value::Null);
            let told = self.world.lab(system, "GET", "chaos", &Value::Null);
            for fault in told["injected"].as_array().unwrap() {
                *met.entry(fault["kind"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        met
    }

    /// HR's list as it is now.
    fn list(&self) -> String {
        let mut text = "employee_id,username,email\n".to_owned();
        for number in 1..=PEOPLE {
            writeln!(text, "{number},{},person{number:06}@example.com", self.usernames[number]).unwrap();
        }
        text
    }

    fn drop_file(&self, number: usize, text: &str) -> String {
        let name = format!("people-{number:04}.csv");
        self.world.write(&name, text.as_bytes());
        fs::create_dir_all(self.world.path("drop")).unwrap();
        fs::rename(self.world.path(&name), self.world.path(&format!("drop/{name}"))).unwrap();
        name
    }

    /// HR's file of this half hour; gives its name.
    fn file(&mut self, half_hour: usize) -> String {
        let text = match File::of(half_hour) {
            File::Good => {
                self.usernames[half_hour % PEOPLE + 1] = format!("renamed{half_hour}");
                self.last_good = self.list();
                self.last_good.clone()
            }
            File::Again => self.last_good.clone(),
            File::Broken => self.last_good.rsplit_once(',').unwrap().0.to_owned(),
            File::Cut => self.last_good.split_inclusive('\n').take(PEOPLE / 2).collect(),
        };
        self.drop_file(half_hour + 1, &text)
    }

    fn rename_on_the_website(&mut self, half_hour: usize) {
        let number = (half_hour * 7) % PEOPLE + 1;
        self.names[number] = format!("Renamed {half_hour}");
        let path = format!("meddle/{}", 1000 + number);
        self.world.lab("website", "POST", &path, &json!({ "name": self.names[number] }));
    }

    fn runs(&self) -> Vec<Value> {
        self.world.json(0, &["runs", "--all"]).as_array().unwrap().clone()
    }

    /// The newest run about an input.
    fn about(&self, input: &str) -> Option<Value> {
        let newest = self.world.json(0, &["runs"]);
        newest.as_array().unwrap().iter().find(|run| run["input"] == input).cloned()
    }

    /// HR's lists that wait for a word: what each is called, and its run.
    fn held(&self) -> Vec<(String, String)> {
        let newest = self.world.json(0, &["runs"]);
        let held = newest.as_array().unwrap().iter().filter(|run| run["standing"] == "held" && run["feed"] == "hr");
        held.map(|run| (run["input"].as_str().unwrap().to_owned(), run["id"].to_string())).collect()
    }

    /// What is wrong at GitLab, where anything is.
    fn wrong(&self) -> Vec<String> {
        let state = self.world.state("gitlab");
        let users = state["users"].as_object().unwrap();
        let mut wrong = Vec::new();
        for number in 1..=PEOPLE {
            let email = format!("person{number:06}@example.com");
            let user = users.values().find(|user| user["email"] == email.as_str()).unwrap();
            if user["username"] != self.usernames[number].as_str() {
                wrong.push(format!("{number}: username {} and not {}", user["username"], self.usernames[number]));
            }
            if !self.names[number].is_empty() && user["name"] != self.names[number].as_str() {
                wrong.push(format!("{number}: name {} and not {}", user["name"], self.names[number]));
            }
        }
        wrong
    }
}

/// The service, with what it was seen to take.
struct Service {
    child: Child,
    /// Mebibytes and descriptors, sample by sample.
    seen: Vec<(f64, usize)>,
}

impl Service {
    fn start(world: &World) -> Self {
        let log = fs::File::options().create(true).append(true).open(world.path("watch.log")).unwrap();
        let mut command = world.command();
        command.args(["--lab", "watch", "--apply", "--pace", &PACE.to_string()]);
        Self { child: command.stdout(Stdio::null()).stderr(log).spawn().unwrap(), seen: Vec::new() }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn sample(&mut self) -> (f64, usize) {
        let process = format!("/proc/{}", self.child.id());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kibibytes: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let descriptors = fs::read_dir(format!("{process}/fd")).unwrap().count();
        self.seen.push((kibibytes / 1_024.0, descriptors));
        (kibibytes / 1_024.0, descriptors)
    }

    /// What grew in this life: its last day against the day before its middle; of shorter ones the second half against the
    /// first. What the first days bring stays: the largest list, and answers of many MiB that faults send once in a while.
    fn grew(&self) -> Option<String> {
        let most = |samples: &[(f64, usize)]| {
            let memory = samples.iter().map(|sample| sample.0).fold(0.0, f64::max);
            (memory, samples.iter().map(|sample| sample.1).max().unwrap_or_default())
        };
        let long = (self.seen.len() / 2).min(DAY / 2);
        let middle = self.seen.len() / 2;
        let (before, after) = (most(&self.seen[middle - long..middle]), most(&self.seen[self.seen.len() - long..]));
        let grows = long > 0 && (after.0 > before.0 + GROWTH || after.1 > before.1 + DESCRIPTORS);
        grows.then(|| format!("from {:.1} MiB, {} descriptors to {:.1} MiB, {}", before.0, before.1, after.0, after.1))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() -> ExitCode {
    // `cargo bench` says so to every bench; whoever only builds or tests all targets is not kept waiting.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench soak`");
        return ExitCode::SUCCESS;
    }
    let Length { half_hours, faults: share } = Length::told();
    let is_disturbed = share.is_some();
    let mut company = Company::new(share.as_deref());
    let mut service = Service::start(&company.world);
    let mut faults = Vec::new();
    let mut given: Vec<(String, File)> = Vec::new();
    println!("{:>4} {:>9} {:>12} {:>7} {:>6}   beside the files", "hour", "MiB", "descriptors", "inputs", "runs");
    let begun = Instant::now();
    for half_hour in 0..half_hours {
        let until = begun + HALF_HOUR * u32::try_from(half_hour + 1).unwrap();
        let fault = fault(half_hour);
        match fault {
            "maintenance" => drop(company.world.lab("website", "POST", "settings", &json!({ "maintenance": true }))),
            "no folder" => fs::rename(company.world.path("drop"), company.world.path("away")).unwrap(),
            "reload" => service.signal("HUP"),
            _ => {}
        }
        company.rename_on_the_website(half_hour);
        if fault == "no folder" {
            thread::sleep(HALF_HOUR / 3);
            fs::rename(company.world.path("away"), company.world.path("drop")).unwrap();
        }
        let name = company.file(half_hour);
        match fault {
            "killed" | "stopped" => {
                let taken = company.world.path(&format!("drop/{name}"));
                wait(until, || !taken.exists());
                faults.extend(service.grew());
                if fault == "killed" {
                    service.child.kill().unwrap();
                } else {
                    service.signal("TERM");
                }
                service.child.wait().unwrap();
                service = Service::start(&company.world);
            }
            "maintenance" => {
                thread::sleep(HALF_HOUR / 3);
                company.world.lab("website", "POST", "settings", &json!({ "maintenance": false }));
            }
            _ => {}
        }
        let file = File::of(half_hour);
        if file == File::Cut {
            // What is held and not rejected would hold up all that come after it.
            let patience = if is_disturbed { until + HALF_HOUR * 10 } else { until };
            wait(patience, || company.about(&name).is_some_and(|run| run["standing"] == "held"));
            if let Some(run) = company.about(&name) {
                company.world.homeward(&["--lab", "reject", &run["id"].to_string(), "--by", "Olga"]);
            }
        }
        // What came while nothing went is looked at now: a list that was cut off is rejected, and where so much differs from
        // the last one that somebody has to look at it, it is as it should be.
        for (input, run) in company.held().into_iter().filter(|(input, _)| *input != name) {
            let is_cut = given.iter().any(|(other, file)| *other == input && *file == File::Cut);
            let word: &[&str] = if is_cut { &["reject"] } else { &["approve", "--yes"] };
            company.world.homeward(&[&["--lab"], word, &[&run, "--by", "Olga"]].concat());
        }
        let is_over = |run: Value| file.may_be(run["standing"].as_str().unwrap(), is_disturbed);
        wait(until, || company.about(&name).is_some_and(is_over));
        given.push((name, file));
        thread::sleep(until.saturating_duration_since(Instant::now()));
        if half_hour % 2 == 1 {
            let (memory, descriptors) = service.sample();
            let told = [crate::fault(half_hour - 1), fault].join(" ");
            let hour = half_hour.div_ceil(2);
            if half_hour < DAY || hour.is_multiple_of(6) {
                let runs = company.runs().len();
                println!(
                    "{hour:>4} {memory:>9.1} {descriptors:>12} {:>7} {runs:>6}   {}",
                    given.len() * 2,
                    told.trim()
                );
            }
            company.world.forget(&SYSTEMS);
        } else if let Ok(Some(status)) = service.child.try_wait() {
            faults.push(format!("the service ended by itself: {status}"));
            break;
        }
    }
    faults.extend(service.grew());
    if is_disturbed {
        let met = company.calm();
        println!("\n{} requests met a fault: {met:?}", met.values().sum::<usize>());
        // What the last of them left is made good by the next list.
        company.file(half_hours.next_multiple_of(8));
    }
    let patience = Instant::now() + HALF_HOUR * if is_disturbed { 10 } else { 2 };
    wait(patience, || company.wrong().is_empty());
    service.signal("TERM");
    let stopping = Instant::now();
    let ended = service.child.wait().unwrap();
    if !ended.success() || stopping.elapsed() > Duration::from_secs(10) {
        faults.push(format!("it stopped with {ended} after {:?}", stopping.elapsed()));
    }
    faults.extend(accounts(&company, &given, is_disturbed));
    for fault in &faults {
        println!("NOT RIGHT: {fault}");
    }
    if faults.is_empty() {
        println!("every input is accounted for; nothing grew; {:.0} s", begun.elapsed().as_secs_f64());
        return ExitCode::SUCCESS;
    }
    println!("{}", fs::read_to_string(company.world.path("watch.log")).unwrap());
    ExitCode::FAILURE
}

/// Waits until something is so, or the time is up: what is not so then is told in the end.
fn wait(until: Instant, look: impl Fn() -> bool) {
    while !look() && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
}

/// Sets what was given against what the store says, prints it, and tells what is missing.
fn accounts(company: &Company, given: &[(String, File)], is_disturbed: bool) -> Vec<String> {
    let runs = company.runs();
    let mut faults = company.wrong();
    let mut table: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (name, file) in given {
        let counted = table.entry(file.standing()).or_default();
        counted.0 += 1;
        let stood: Vec<&str> = runs
            .iter()
            .filter(|run| run["input"] == name.as_str())
            .map(|run| run["standing"].as_str().unwrap())
            .collect();
        // What broke off was done again; nothing else has two accounts.
        match stood.split_first() {
            Some((first, rest))
                if file.may_be(first, is_disturbed)
                    && rest.iter().all(|other| *other == "redone" || (is_disturbed && *other == "partly")) =>
            {
                counted.1 += 1;
            }
            _ => faults.push(format!("{name} should be {}, and is {stood:?}", file.standing())),
        }
        if company.world.path(&format!("drop/{name}")).exists() {
            faults.push(format!("{name} is still in the folder"));
        }
    }
    println!("\n{:<10} {:>6} {:>6}", "files", "given", "so");
    for (standing, (given, so)) in table {
        println!("{standing:<10} {given:>6} {so:>6}");
    }
    let told = runs.iter().filter(|run| run["feed"] == "website" && run["standing"] == "done");
    println!("{:<10} {:>6} {:>6} runs", "renames", given.len(), told.count());
    let open: Vec<&Value> = runs.iter().filter(|run| run["standing"] == "open").collect();
    if !open.is_empty() {
        faults.push(format!("runs that nobody finished: {open:?}"));
    }
    faults
}
