//! How the service fares, for those who ask: `/healthz`, `homeward status`, the log.

use std::fs;

use serde_json::{Value, json};

use crate::{
    common::{World, send},
    running::{Service, drop_file, people, project, stands, status, until},
};

/// Times and digests differ from run to run.
fn steady(text: &str) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[0-9:.]+Z").unwrap();
    let digest = regex::Regex::new(r"[0-9a-f]{64}").unwrap();
    digest.replace_all(&time.replace_all(text, "TIME"), "DIGEST").into_owned()
}

/// A table without what fills its cells.
fn narrow(text: &str) -> String {
    let space = regex::Regex::new(r" {2,}").unwrap();
    text.lines().map(|line| space.replace_all(line.trim_end(), "  ").into_owned() + "\n").collect()
}

#[test]
fn health_is_503_while_a_feed_is_in_trouble_and_names_no_file_and_nobody() {
    let world = project(1);
    let service = Service::start(&world, &["--apply"]);
    let url = service.health();
    drop_file(&world, "hr", "Quarterstaff.csv", &people(1, "later"));
    stands(&world, "Quarterstaff.csv", "done");
    let well = until("both feeds are well", || {
        let answer = send("GET", &url, &[], &Value::Null);
        (answer.status == 200 && answer.json()["feeds"].as_object().unwrap().len() == 2).then_some(answer)
    });
    fs::rename(world.path("drop/hr"), world.path("drop/away")).unwrap();
    let unwell = until("one feed is not", || {
        let answer = send("GET", &url, &[], &Value::Null);
        (answer.status == 503).then_some(answer)
    });
    let told = unwell.json();
    assert_eq!(
        (&told["well"], &told["feeds"]["hr"]["well"], &told["feeds"]["offices"]["well"]),
        (&json!(false), &json!(false), &json!(true))
    );
    for answer in [&well, &unwell] {
        for word in ["Quarterstaff", "person0", "later1", "drop/"] {
            assert!(!answer.text.contains(word), "{word}: {}", answer.text);
        }
    }
    let (exit, shown) = status(&world);
    assert_eq!((exit, &shown["well"]), (4, &json!(false)));
    fs::rename(world.path("drop/away"), world.path("drop/hr")).unwrap();
    until("both are well again", || (send("GET", &url, &[], &Value::Null).status == 200).then_some(()));
    service.says("well again");
    assert_eq!(send("GET", &url.replace("healthz", "elsewhere"), &[], &Value::Null).status, 404);
}

#[test]
fn status_shows_how_each_feed_stands_and_what_waits_for_whom() {
    let world = World::example("start");
    let nothing = world.homeward(&["status"]);
    assert_eq!((nothing.status, nothing.stdout.as_str()), (0, "Nothing was watched yet.\n"));

    let world = project(1);
    let mut service = Service::start(&world, &[]);
    drop_file(&world, "hr", "people.csv", &people(1, "later"));
    let run = stands(&world, "people.csv", "waiting")["run"].clone();
    world.write("drop/hr/notes.docx", b"");
    until("the feeds have told", || {
        let (_, shown) = status(&world);
        (shown["feeds"]["hr"]["waiting"] == json!(["people.csv: in hand"])).then_some(())
    });
    service.stop();
    let ran = world.homeward(&["--lab", "status"]);
    assert_eq!(ran.status, 4);
    insta::assert_snapshot!(narrow(&steady(&ran.stdout)));

    let (exit, mut shown) = status(&world);
    assert_eq!(exit, 4);
    for feed in ["hr", "offices"] {
        shown["feeds"][feed]["pid"] = json!("PID");
        // Which of the two had its first list accepted first.
        shown["accepted"][feed]["run"] = json!("RUN");
    }
    insta::assert_snapshot!(steady(&serde_json::to_string_pretty(&shown).unwrap()));

    // What nobody has to settle any more is no reason to worry.
    assert_eq!(world.homeward(&["--lab", "reject", &run.to_string(), "--by", "Olga"]).status, 0);
    assert_eq!(world.homeward(&["--lab", "status"]).status, 0);
}

#[test]
fn no_log_line_holds_a_value_of_anybody() {
    let world = project(3);
    let mut service = Service::start(&world, &["--apply"]);
    drop_file(&world, "hr", "good.csv", &people(3, "later"));
    stands(&world, "good.csv", "done");
    // Rows that cannot be used, a file that cannot, a call that is refused, a plan that is held.
    let broken = people(2, "broken").replace("\n2,", "\n\"2,");
    drop_file(&world, "hr", "cut.csv", &broken);
    stands(&world, "cut.csv", "refused");
    let taken = people(3, "other").replace("other3", "admin@nowhere").replace("other2", "other1");
    drop_file(&world, "hr", "taken.csv", &taken);
    until("the file is dealt with", || {
        let dealt = ["done", "partly", "held", "waiting"];
        crate::running::runs(&world)
            .into_iter()
            .find(|run| run["input"] == "taken.csv" && dealt.contains(&run["standing"].as_str().unwrap()))
    });
    service.stop();
    let log = service.log();
    for file in ["good.csv", "cut.csv"] {
        assert!(log.contains(file), "{file} is not told of:\n{log}");
    }
    for word in ["Quarterstaff", "person0", "@example.com", "later1", "broken1", "other1", "nowhere"] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
}
