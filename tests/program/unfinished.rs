//! Creations whose end nobody knows: nobody gets a second account by them, and nobody is given what was made for another one.
//!
//! HR tells of Anna under one name, and of the same Anna under another one before anybody knows whether the first was made.

#![allow(clippy::allow_attributes, clippy::unwrap_used, reason = "a test that cannot set up its world fails")]

use crate::{
    common::{Ran, World, journey::outcomes},
    server::{Answer, Server, forward},
};
use serde_json::{Value, json};
use std::{
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

const RULES: &str = "owner([\"username\", \"email\", \"display_name\", \"active\"], \"hr\");
copies([\"username\", \"email\", \"display_name\"], \"gitlab\");
source(\"hr\", |row| #{ key: row.id, email: row.name + \"@example.com\", username: row.name,
    display_name: \"Person \" + row.id, active: row.active != \"no\" });
join(\"gitlab\", [\"email\", \"username\"]);
account(\"gitlab\", |person| person.active);
";

const FIRST: &str = "1,anna,yes\n";
const LATER: &str = "1,anna2,yes\n";

struct Scene {
    world: World,
    server: Server,
    upstream: String,
}

impl Scene {
    fn new(coverage: &str) -> Self {
        let mut world = World::new()
            .file("homeward.toml", &settings("https://gitlab.example.com", coverage))
            .file("rules/rules.rhai", RULES)
            .file("lab/gitlab.json", &json!({ "users": [] }).to_string());
        world.start_lab(&[]);
        let upstream = world.url("gitlab");
        let server = Server::before(&upstream);
        world.write("homeward.toml", settings(&server.url, coverage).as_bytes());
        let token = world.token("gitlab");
        let world = world.variable("TOKEN", &token);
        Self { world, server, upstream }
    }

    fn list(&self, rows: &str) -> &'static str {
        self.world.write("people.csv", format!("id,name,active\n{rows}").as_bytes());
        "hr=people.csv"
    }

    fn apply(&self, rows: &str) -> Ran {
        let list = self.list(rows);
        self.world.homeward(&["apply", "--yes", list])
    }

    fn applied(&self, exit: i32, arguments: &[&str]) -> Value {
        let ran = self.world.homeward(&[&["--format", "json"], arguments].concat());
        assert_eq!(ran.status, exit, "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// The server makes what it is told to, and from then on answers nobody until it is honest again.
    fn is_lost(&self) {
        let (upstream, is_gone) = (self.upstream.clone(), AtomicBool::new(false));
        self.server.behave(move |request| {
            if is_gone.load(Ordering::SeqCst) {
                return Answer::text(502, "text/plain", "away");
            }
            let answer = forward(&upstream, request);
            is_gone.store(!request.is_read(), Ordering::SeqCst);
            if request.is_read() { answer } else { Answer::text(502, "text/plain", "away") }
        });
    }

    fn is_honest(&self) {
        let upstream = self.upstream.clone();
        self.server.behave(move |request| forward(&upstream, request));
    }

    /// The first list, of which nobody knows what became.
    fn doubt(&self) {
        self.is_lost();
        let ran = self.apply(FIRST);
        assert_eq!(ran.status, 8, "{ran:?}");
        self.is_honest();
    }

    /// The same of a run that is killed once the account is made.
    fn is_killed(&self, arguments: &[&str]) {
        let upstream = self.upstream.clone();
        let (tell, made) = mpsc::channel();
        let tell = Mutex::new(tell);
        self.server.behave(move |request| {
            let answer = forward(&upstream, request);
            if request.is_read() {
                return answer;
            }
            tell.lock().unwrap().send(()).unwrap();
            Answer::Silence
        });
        let mut apply = self.world.command();
        apply.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        let mut apply = apply.spawn().unwrap();
        made.recv_timeout(Duration::from_secs(30)).unwrap();
        apply.kill().unwrap();
        apply.wait().unwrap();
        self.is_honest();
    }

    /// The accounts there: their names, and whether somebody may sign in.
    fn accounts(&self) -> Vec<String> {
        let told = |user: &Value| format!("{} {}", user["username"].as_str().unwrap(), user["state"].as_str().unwrap());
        let users = self.world.users("gitlab");
        let mut all: Vec<String> = users.iter().filter(|user| user["username"] != "root").map(told).collect();
        all.sort();
        all
    }

    fn linked(&self, person: &str) -> Vec<String> {
        let links = self.applied(0, &["link", person])["links"].take();
        links.as_array().unwrap().iter().map(|link| link["account"].as_str().unwrap().to_owned()).collect()
    }
}

fn settings(url: &str, coverage: &str) -> String {
    format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\ncoverage = \"{coverage}\"\n[systems.gitlab]\nkind = \"gitlab\"\n\
         url = \"{url}\"\ntoken = {{ env = \"TOKEN\" }}\n"
    )
}

#[test]
fn who_was_given_an_account_since_a_plan_was_made_gets_no_second_one() {
    let scene = Scene::new("partial");
    let list = scene.list(LATER);
    scene.applied(0, &["plan", "--out", "plan.json", list]);
    assert_eq!(scene.apply(FIRST).status, 0);
    let [account] = <[String; 1]>::try_from(scene.linked("hr/1")).unwrap();
    let report = scene.applied(7, &["apply", "--yes", "plan.json"]);
    assert_eq!(outcomes(&report), [json!({ "moved": [format!("she has gitlab:{account} by now")] })]);
    assert_eq!(scene.accounts(), ["anna active"]);
}

#[test]
fn whose_account_may_have_been_made_is_held_under_another_name_until_somebody_has_looked() {
    for coverage in ["partial", "full"] {
        let scene = Scene::new(coverage);
        let saved = scene.list(LATER);
        scene.applied(0, &["plan", "--out", "plan.json", saved]);
        scene.doubt();
        let list = scene.list(LATER);
        let plan = scene.applied(0, &["plan", list]);
        let reason = "run 1 may have made her account at gitlab, perhaps under other names: `homeward resume 1` looks for it; \
                      where it was not made, say `homeward resume 1 --again c1`";
        assert_eq!(plan["calls"], json!([]));
        for change in plan["changes"].as_array().unwrap() {
            assert_eq!((&change["decision"], &change["reason"]), (&json!("hold"), &json!(reason)), "{change}");
        }
        // Nor by a plan that was made before.
        if coverage == "partial" {
            let report = scene.applied(7, &["apply", "--yes", "plan.json"]);
            let moved = "run 1 may have made her account at gitlab: `homeward resume 1`";
            assert_eq!(outcomes(&report), [json!({ "moved": [moved] })]);
        }
        assert_eq!(scene.apply(LATER).status, 4);
        assert_eq!(scene.accounts(), ["anna active"]);
        // What a later list has overtaken is only looked for.
        let ran = scene.world.homeward(&["resume"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(ran.stderr.contains("nothing more of run 1 is sent"), "{ran:?}");
        let account = scene.linked("hr/1");
        let ran = scene.apply(LATER);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_eq!((scene.accounts(), scene.linked("hr/1")), (vec!["anna2 active".to_owned()], account));
    }
}

#[test]
fn what_was_not_made_is_made_by_the_list_that_holds_now_once_somebody_says_so() {
    let scene = Scene::new("full");
    // Nothing arrives.
    scene.server.behave({
        let (upstream, is_gone) = (scene.upstream.clone(), AtomicBool::new(false));
        move |request| {
            is_gone.fetch_or(!request.is_read(), Ordering::SeqCst);
            let away = Answer::text(502, "text/plain", "away");
            if is_gone.load(Ordering::SeqCst) { away } else { forward(&upstream, request) }
        }
    });
    assert_eq!(scene.apply(FIRST).status, 8);
    scene.is_honest();
    assert_eq!(scene.apply(LATER).status, 4);
    let ran = scene.world.homeward(&["resume", "1"]);
    assert_eq!((ran.status, scene.accounts()), (8, Vec::new()), "{ran:?}");
    // A later list of everybody says what holds: nothing of the first is sent any more.
    let ran = scene.world.homeward(&["resume", "1", "--again", "c1"]);
    assert_eq!((ran.status, scene.accounts()), (7, Vec::new()), "{ran:?}");
    assert_eq!(scene.world.homeward(&["resume"]).stdout, "Nothing to resume.\n");
    assert_eq!(scene.apply(LATER).status, 0);
    assert_eq!(scene.accounts(), ["anna2 active"]);
}

#[test]
fn what_somebody_says_of_a_creation_ties_its_account() {
    for word in ["--done", "--again"] {
        let scene = Scene::new("partial");
        scene.doubt();
        let ran = scene.world.homeward(&["resume", "1", word, "c1"]);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_eq!(scene.linked("hr/1").len(), 1, "{word}");
        assert_eq!(scene.apply(LATER).status, 0);
        assert_eq!(scene.accounts(), ["anna2 active"]);
    }
}

#[test]
fn what_may_have_been_made_for_somebody_is_given_to_nobody_else() {
    let scene = Scene::new("partial");
    scene.doubt();
    for rows in ["2,anna,yes\n", "1,anna2,yes\n2,anna,yes\n"] {
        let ran = scene.apply(rows);
        assert_eq!(ran.status, 4, "{ran:?}");
        assert!(ran.stdout.contains("may be what run 1 made for hr/1"), "{ran:?}");
        assert_eq!((scene.accounts(), scene.linked("hr/2")), (vec!["anna active".to_owned()], Vec::new()));
    }
    assert_eq!(scene.world.homeward(&["resume"]).status, 0);
    assert_eq!(scene.linked("hr/1").len(), 1);
    assert_eq!(scene.apply("1,anna2,yes\n2,bert,yes\n").status, 0);
    assert_eq!(scene.accounts(), ["anna2 active", "bert active"]);
}

#[test]
fn whoever_has_left_before_her_account_was_found_is_switched_off_once_it_is() {
    for is_killed in [false, true] {
        let scene = Scene::new("full");
        if is_killed {
            let list = scene.list(FIRST);
            scene.is_killed(&["apply", "--yes", list]);
        } else {
            scene.doubt();
        }
        let list = scene.list("3,carl,yes\n");
        let plan = scene.applied(0, &["plan", list]);
        // Of a run that was killed nobody remembers whom it spoke of; of others it is known by what names she is found.
        let told =
            "run 1 may have made accounts of a person of whom nothing is said here: `homeward resume 1` looks for them";
        assert_eq!(plan["warnings"], if is_killed { json!([told]) } else { json!([]) });
        assert_eq!(scene.apply("3,carl,yes\n").status, 0);
        assert_eq!(scene.world.homeward(&["resume"]).status, 0);
        assert_eq!(scene.apply("3,carl,yes\n").status, 0);
        assert_eq!(scene.accounts(), ["anna blocked", "carl active"]);
    }
}

#[test]
fn what_was_sent_twice_on_the_way_is_hers_whatever_the_second_was_told() {
    let scene = Scene::new("partial");
    let upstream = scene.upstream.clone();
    scene.server.behave(move |request| {
        if !request.is_read() {
            forward(&upstream, request);
        }
        forward(&upstream, request)
    });
    let ran = scene.apply(FIRST);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(scene.linked("hr/1").len(), 1);
    assert_eq!(scene.accounts(), ["anna active"]);
}

#[test]
fn a_run_is_not_taken_back_at_an_account_that_another_one_made() {
    let scene = Scene::new("partial");
    assert_eq!(scene.apply(FIRST).status, 0);
    let [first] = <[String; 1]>::try_from(scene.linked("hr/1")).unwrap();
    assert_eq!(scene.world.homeward(&["unlink", "hr/1", &format!("gitlab:{first}")]).status, 0);
    assert_eq!(scene.apply(LATER).status, 0);
    let ran = scene.world.homeward(&["undo", "--yes", "1"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    assert_eq!(scene.accounts(), ["anna active", "anna2 active"]);
}

#[test]
fn what_nobody_knows_the_end_of_is_not_said_to_be_taken_back() {
    let scene = Scene::new("partial");
    scene.doubt();
    let ran = scene.world.homeward(&["undo", "--yes", "1"]);
    assert_eq!(ran.status, 8, "{ran:?}");
    assert!(ran.stderr.contains("nothing to undo of run 1: nobody knows what became of what it sent"), "{ran:?}");
    assert_eq!(scene.accounts(), ["anna active"]);
}

#[test]
fn what_a_second_try_has_made_before_it_was_killed_is_not_forgotten() {
    for is_approved in [false, true] {
        let scene = Scene::new("partial");
        if is_approved {
            scene.world.write("rules/guard.rhai", b"guard(|plan| hold(\"look first\"));\n");
            assert_eq!(scene.apply(FIRST).status, 6);
            scene.is_killed(&["approve", "1", "--yes"]);
            scene.world.write("rules/guard.rhai", b"");
        } else {
            let upstream = scene.upstream.clone();
            scene.server.behave(move |request| {
                if request.is_read() { forward(&upstream, request) } else { Answer::text(429, "text/plain", "enough") }
            });
            // Whoever has enough for good is not waited for.
            let settings = settings(&scene.server.url, "partial");
            scene.world.write("homeward.toml", format!("{settings}[apply]\nretries = 0\n").as_bytes());
            assert_eq!(scene.apply(FIRST).status, 7);
            scene.is_killed(&["resume", "1"]);
        }
        let ran = scene.apply(LATER);
        assert_eq!((ran.status, scene.accounts()), (4, vec!["anna active".to_owned()]), "{is_approved}: {ran:?}");
        assert_eq!(scene.world.homeward(&["resume"]).status, 0);
        assert_eq!(scene.apply(LATER).status, 0);
        assert_eq!(scene.accounts(), ["anna2 active"]);
    }
}
