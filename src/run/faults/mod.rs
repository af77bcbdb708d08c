//! Every fault at every call, and pairs of them: what a run leaves behind, and what finishing it comes to.
//!
//! A plan of some fifty calls at three providers is carried out at simulators that fail where a test says. What the
//! report tells is held against what the simulators know: nothing is called done that was not, and nothing is called
//! undone that was. Then the faults end, the run is finished as `resume` does, and everything must be as if nothing had
//! ever gone wrong, with nothing done twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
    time::Duration,
};

use jiff::civil::date;
use serde_json::{Value as Json, json};

use super::{
    execute::{Report, Watcher, execute},
    fleet::Fleet,
    gather::{Given, named},
    holds::{Judged, Past, judge},
    kinds::PROVIDERS,
    prepare::{Desk, prepare},
    project::{Project, benches, fleet, open},
    resume,
};
use crate::{
    lab::{
        Bench, Lab,
        chaos::{Kind, When},
    },
    model::{
        capability::Replay,
        id::CallId,
        plan::{Call, Plan},
    },
    plan::guard::{GuardedPlan, approved},
    state::{Memory, Occasion, Outcome, Store, sqlite::Sqlite},
};

mod doubles;
mod singles;

const SYSTEMS: [&str; 3] = ["gitlab", "mattermost", "zitadel"];
const NOW: &str = "2026-11-20T00:00:00Z";

/// How long somebody waits for an answer while faults are about.
const HURRIED: Duration = Duration::from_millis(300);
/// How long when they are over: nothing but the machine can be slow then.
const PATIENT: Duration = Duration::from_mins(1);

const RULES: &str = r#"
owner(["username", "first_name", "last_name", "display_name", "email", "active", "mattermost.teams"], "hr");
copies(["username", "email"], ["gitlab", "mattermost", "zitadel"]);
copies(["first_name", "last_name"], ["mattermost", "zitadel"]);
copies("display_name", ["gitlab", "zitadel"]);
copies("mattermost.teams", "mattermost");
range("mattermost.teams", ["staff"]);
for system in ["gitlab", "mattermost", "zitadel"] {
    join(system, ["email", "username"]);
    account(system, |person| person.active);
}
source("hr", |row| [
    #{
        key: row.id,
        username: row.username,
        first_name: row.first,
        last_name: row.last,
        display_name: row.first + " " + row.last,
        email: row.email,
        active: row.status == "Active",
        "mattermost.teams": if row.team == "" { [] } else { [row.team] },
    },
    if row.greet == "yes" {
        perform("mattermost", "post_message", #{ channel: "staff/town-square", text: "Welcome, " + row.first })
    },
]);
"#;

const CONFIG: &str = r#"
[systems.hr]
kind = "csv"
key = "id"
coverage = "partial"

[systems.gitlab]
kind = "gitlab"
url = "https://gitlab.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://mattermost.example.com"
token = { env = "MATTERMOST_TOKEN" }

[systems.zitadel]
kind = "zitadel"
url = "https://zitadel.example.com"
token = { env = "ZITADEL_TOKEN" }
organization = "org1"

[limits]
changes = "100%"
"#;

/// Those who are there, and what they were called.
const PEOPLE: [(u32, &str); 11] = [
    (41, "Anna"),
    (42, "Berta"),
    (43, "Cora"),
    (44, "Dora"),
    (45, "Elsa"),
    (46, "Frida"),
    (47, "Gerda"),
    (48, "Hilda"),
    (49, "Irma"),
    (50, "Jana"),
    (51, "Klara"),
];

/// The company a plan is made for; one for each thread, because rules stay where they were compiled.
struct Company {
    _folder: tempfile::TempDir,
    project: Project,
    benches: Vec<Bench>,
    plan: Plan,
    /// What everything is like after an undisturbed run.
    calm: BTreeMap<&'static str, Json>,
}

/// Goes on, whatever happens.
struct Going;

impl Watcher for Going {
    fn settled(&mut self, _: &Call, _: &Outcome) {}
}

/// One fault at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    system: &'static str,
    kind: Kind,
    when: When,
    /// The number of the write at its system.
    at: u64,
}

/// What a disturbed run came to.
#[derive(Clone, Copy, Debug, Default)]
struct Came {
    /// All was done in spite of it.
    all_done: bool,
    /// Calls that were left in doubt.
    in_doubt: usize,
    /// Requests that met a fault.
    met: usize,
}

impl Company {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path: PathBuf = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        file("homeward.toml", CONFIG);
        file("rules/people.rhai", RULES);
        file("people.csv", &people());
        let seeds = seeds();
        for (system, seed) in SYSTEMS.iter().zip(&seeds) {
            file(&format!("lab/{system}.json"), &seed.to_string());
        }
        let mut project = open(&folder.path().join("homeward.toml"), PROVIDERS, date(2026, 11, 20)).unwrap();
        let benches = benches(&project.config, PROVIDERS).unwrap();
        let (plan, calm) = tokio().block_on(async {
            let lab = crate::lab::start(&benches, 0, &[]).await.unwrap();
            let mut fleet = reach(&mut project, &lab, PATIENT);
            let memory = Memory::default();
            let desk = Desk {
                rules: &project.rules,
                sources: &project.sources,
                limits: &project.limits,
                memory: &memory,
                today: "2026-11-20".to_owned(),
                belief: None,
            };
            let given = named(folder.path(), "hr=people.csv").unwrap();
            let plan = prepare(&desk, &[Given::File(given)], &mut fleet).await.unwrap().plan;
            let store = Sqlite::in_memory().unwrap();
            let run = store.begin(&plan, &Occasion::default(), NOW).unwrap();
            let judged = judge(&plan, &project.rules, &project.limits, &Past::default()).unwrap();
            let Judged::Free(whole) = judged else { panic!("{judged:?}") };
            let report = carry_out(&whole, &fleet, &store, run).await;
            assert_eq!(undone(&report), Vec::<String>::new());
            let calm = SYSTEMS.map(|system| (system, plain(&lab.state(system))));
            (plan, calm.into())
        });
        Self { _folder: folder, project, benches, plan, calm }
    }

    /// How many calls of the plan go to a system.
    fn calls_of(&self, system: &str) -> u64 {
        self.plan.calls.iter().filter(|call| call.system.as_str() == system).count() as u64
    }

    /// Every fault at every call.
    fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for system in SYSTEMS {
            for at in 1..=self.calls_of(system) {
                for kind in Kind::ALL {
                    points.extend(kind.moments().iter().map(|when| Point { system, kind, when: *when, at }));
                }
            }
        }
        points
    }

    fn approved(&self) -> GuardedPlan {
        approved(self.plan.clone(), &self.project.limits)
    }

    /// Carries the plan out with these faults, then finishes it without. The error tells what is wrong.
    fn disturbed(&mut self, points: &[Point]) -> Result<Came, String> {
        tokio().block_on(async {
            let lab = crate::lab::start(&self.benches, 0, &[]).await.unwrap();
            for system in SYSTEMS {
                let faults: Vec<Json> =
                    points.iter().filter(|point| point.system == system).map(Point::fault).collect();
                lab.disturb(system, &json!({ "faults": faults }));
            }
            let store = Sqlite::in_memory().unwrap();
            let run = store.begin(&self.plan, &Occasion::default(), NOW).unwrap();
            let hurried = reach(&mut self.project, &lab, HURRIED);
            let whole = self.approved();
            let report = carry_out(&whole, &hurried, &store, run).await;
            let mut met = 0;
            for system in SYSTEMS {
                met += lab.calm(system).as_array().map_or(0, Vec::len);
            }
            let mut faults = told_truly(&self.plan, &report, &lab);
            let in_doubt = report.outcomes.iter().filter(|(_, it)| matches!(it, Outcome::InDoubt(_))).count();
            let all_done = undone(&report).is_empty();
            if all_done && let Some(fault) = self.unlike(&lab) {
                faults.push(format!("all is said to be done, and {fault}"));
            }

            // The faults are over: `resume`, then a person who looked, then `resume` again.
            let patient = reach(&mut self.project, &lab, PATIENT);
            let mut last = carry_out(&self.approved(), &patient, &store, run).await;
            faults.extend(told_truly(&self.plan, &last, &lab).into_iter().map(|fault| format!("resumed: {fault}")));
            if !undone(&last).is_empty() {
                let (done, again): (Vec<CallId>, Vec<CallId>) = last
                    .outcomes
                    .iter()
                    .filter(|(_, outcome)| matches!(outcome, Outcome::InDoubt(_)))
                    .map(|(call, _)| call.clone())
                    .partition(|id| had_effect(self.plan.calls.iter().find(|call| call.id == *id).unwrap(), &lab) > 0);
                let asks_nobody = |id: &&CallId| {
                    let call = self.plan.calls.iter().find(|call| call.id == **id).unwrap();
                    call.replay != Replay::AskOperator
                };
                for id in done.iter().chain(&again).filter(asks_nobody) {
                    faults.push(format!("{id} needs a person, and could have been looked for"));
                }
                let said = resume::Said { done, again };
                resume::tell(&store, run, &self.plan, &said, "the test").unwrap();
                last = carry_out(&self.approved(), &patient, &store, run).await;
            }
            for left in undone(&last) {
                faults.push(format!("never finished: {left}"));
            }
            faults.extend(self.unlike(&lab).map(|fault| format!("in the end {fault}")));
            for call in self.plan.calls.iter().filter(|call| call.replay != Replay::Repeat) {
                let times = had_effect(call, &lab);
                if times > 1 {
                    faults.push(format!("{} {} {} was done {times} times", call.id, call.method, call.path));
                }
            }
            if faults.is_empty() { Ok(Came { all_done, in_doubt, met }) } else { Err(faults.join("\n    ")) }
        })
    }

    /// What is not as after an undisturbed run.
    fn unlike(&self, lab: &Lab) -> Option<String> {
        let mut told = String::new();
        for (system, calm) in &self.calm {
            let now = plain(&lab.state(system));
            if now != *calm {
                let _ = write!(told, "{system} is unlike: {} ", difference(calm, &now));
            }
        }
        (!told.is_empty()).then_some(told)
    }
}

impl Point {
    fn fault(&self) -> Json {
        // Whoever asks again at once is served again.
        json!({ "kind": self.kind, "when": self.when, "at": self.at, "retry_after": 0, "lasts_ms": 400 })
    }
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn reach(project: &mut Project, lab: &Lab, timeout: Duration) -> Fleet {
    for provider in project.config.systems.values_mut().filter_map(|system| system.provider.as_mut()) {
        provider.timeout = timeout;
    }
    fleet(&project.config, PROVIDERS, Some(&lab.systems)).unwrap()
}

async fn carry_out(plan: &GuardedPlan, fleet: &Fleet, store: &dyn Store, run: i64) -> Report {
    execute(plan, fleet, store, run, None, &|| NOW.to_owned(), &mut Going).await.unwrap()
}

fn undone(report: &Report) -> Vec<String> {
    let left = report.outcomes.iter().filter(|(_, outcome)| *outcome != Outcome::Done);
    left.map(|(call, outcome)| format!("{call} {outcome:?}")).collect()
}

/// How often a request of this call had its effect, as its simulator knows.
fn had_effect(call: &Call, lab: &Lab) -> usize {
    let bare = |body: &Json| {
        let mut body = body.clone();
        for field in &call.generated {
            if let Some(body) = body.as_object_mut() {
                body.remove(field);
            }
        }
        body
    };
    let is_it = |asked: &&Json| {
        asked["method"] == *call.method && asked["path"] == *call.path && bare(&asked["body"]) == bare(&call.body)
    };
    let worked = |asked: &&Json| {
        let status = asked["status"].as_u64().unwrap_or_default();
        asked["effect"].as_bool().unwrap_or((200..300).contains(&status))
    };
    lab.asked(call.system.as_str()).iter().filter(is_it).filter(worked).count()
}

/// Where the report says something else of a call than its simulator knows.
fn told_truly(plan: &Plan, report: &Report, lab: &Lab) -> Vec<String> {
    let mut faults = Vec::new();
    for (call, (id, outcome)) in plan.calls.iter().zip(&report.outcomes) {
        let truth = had_effect(call, lab) > 0;
        let is_true = match outcome {
            Outcome::Done => truth,
            Outcome::Refused(_) | Outcome::Moved(_) | Outcome::Skipped(_) => !truth,
            Outcome::InDoubt(_) => true,
        };
        if !is_true {
            let knows = if truth { "it was done" } else { "it was not" };
            faults.push(format!("{id} {} {} {}: {outcome:?}, and {knows}", call.system, call.method, call.path));
        }
    }
    faults
}

/// A state without what depends on the order in which things were done: times, and the ids of what was made.
fn plain(state: &Json) -> Json {
    const PASSING: &[&str] = &[
        "id",
        "created_at",
        "create_at",
        "update_at",
        "updated_at",
        "last_password_update",
        "sequence",
        "changeDate",
        "creationDate",
        "change_date",
        "creation_date",
        "settings",
        "tokens",
        "confirmed_at",
        "details",
        "email_id",
        "last_picture_update",
        "changed",
    ];
    fn walk(key: &str, value: &Json, names: &BTreeMap<String, String>) -> Json {
        match value {
            Json::Object(fields) => {
                let kept = fields.iter().filter(|(key, _)| !PASSING.contains(&key.as_str()));
                let plain: BTreeMap<String, Json> =
                    kept.map(|(key, value)| (names.get(key).unwrap_or(key).clone(), walk(key, value, names))).collect();
                json!(plain)
            }
            // Zero is never; any other time is some time.
            Json::Number(number) if key == "delete_at" => json!(number.as_i64() != Some(0)),
            Json::Array(items) => {
                let mut items: Vec<Json> = items.iter().map(|item| walk(key, item, names)).collect();
                items.sort_by_key(ToString::to_string);
                items.into()
            }
            Json::String(text) => names.get(text).unwrap_or(text).as_str().into(),
            other => other.clone(),
        }
    }
    let users = state["users"].as_object().unwrap();
    let name = |user: &Json| {
        let text = user["username"].as_str().or_else(|| user["userName"].as_str());
        text.unwrap_or_else(|| panic!("no username in {user}")).to_owned()
    };
    let names = users.iter().map(|(id, user)| (id.clone(), name(user))).collect();
    walk("", state, &names)
}

/// Where two states differ.
fn difference(calm: &Json, now: &Json) -> String {
    match (calm, now) {
        (Json::Object(calm), Json::Object(now)) => {
            let keys: BTreeSet<&String> = calm.keys().chain(now.keys()).collect();
            let differing = keys.into_iter().filter(|key| calm.get(*key) != now.get(*key));
            let told = differing.map(|key| {
                let none = Json::Null;
                let inner = difference(calm.get(key).unwrap_or(&none), now.get(key).unwrap_or(&none));
                format!("{key}: {inner}")
            });
            told.collect::<Vec<_>>().join("; ")
        }
        _ => format!("{calm} became {now}"),
    }
}

fn seeds() -> [Json; 3] {
    let users = PEOPLE.map(|(number, first)| {
        let (username, email) = (first.to_lowercase(), format!("{}@example.com", first.to_lowercase()));
        let name = format!("{first} Old");
        [
            json!({ "id": number, "username": username, "name": name, "email": email }),
            json!({ "username": username, "email": email, "first_name": first, "last_name": "Old" }),
            json!({ "organization": "org1", "username": username, "first_name": first, "last_name": "Old",
                "display_name": name, "email": email, "email_verified": true }),
        ]
    });
    let of = |at: usize| users.iter().map(|one| one[at].clone()).collect::<Vec<Json>>();
    let teams = json!([{ "name": "staff", "members": ["sysadmin", "dora"] }]);
    [
        json!({ "users": of(0) }),
        json!({ "users": of(1), "teams": teams }),
        json!({ "organizations": [{ "id": "org1", "name": "Example" }], "users": of(2) }),
    ]
}

/// Most are renamed, some come, some leave, some join or leave a team, two are greeted.
fn people() -> String {
    let mut text = "id,username,first,last,email,status,team,greet\n".to_owned();
    for (number, first) in PEOPLE {
        let lower = first.to_lowercase();
        let row = match number {
            41..=48 => {
                let team = if number < 44 { "staff" } else { "" };
                format!("{number},{lower}.new,{first},New,{lower}@example.com,Active,{team},")
            }
            _ => format!("{number},{lower},{first},Old,{lower}@example.com,Left,,"),
        };
        text.push_str(&row);
        text.push('\n');
    }
    for (number, first) in [(61, "Lotte"), (62, "Marta"), (63, "Nora"), (64, "Olga")] {
        let (lower, greet) = (first.to_lowercase(), if number < 63 { "yes" } else { "" });
        let _ = writeln!(text, "{number},{lower},{first},New,{lower}@example.com,Active,,{greet}");
    }
    text
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn wanted(otherwise: usize) -> usize {
    std::env::var("HOMEWARD_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Tries all of them, on several threads, and tells what is wrong, with the figures.
fn sweep(cases: &[Vec<Point>]) {
    /// More than there are processors: most of the time somebody waits for somebody.
    const AT_ONCE: usize = 8;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let started = std::time::Instant::now();
    let (faults, came) = (std::sync::Mutex::new(Vec::new()), std::sync::Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(cases.len()) {
            scope.spawn(|| {
                let mut company = Company::new();
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(chosen) = cases.get(at) else { break };
                    match company.disturbed(chosen) {
                        Ok(one) => came.lock().unwrap().push(one),
                        Err(told) => {
                            // Told at once: whoever tries them all waits for long.
                            eprintln!("{chosen:?}\n    {told}");
                            faults.lock().unwrap().push(format!("{chosen:?}\n    {told}"));
                        }
                    }
                }
            });
        }
    });
    let came = came.into_inner().unwrap();
    let count = |is: fn(&Came) -> bool| came.iter().filter(|one| is(one)).count();
    println!(
        "{} cases in {:.0?}: {} done at once, {} left open, {} of them with calls in doubt, {} where no fault was met",
        cases.len(),
        started.elapsed(),
        count(|one| one.all_done),
        count(|one| !one.all_done),
        count(|one| one.in_doubt > 0),
        count(|one| one.met == 0)
    );
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} of {} cases\n{}", faults.len(), cases.len(), faults.join("\n"));
}
