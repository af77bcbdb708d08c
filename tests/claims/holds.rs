//! Plans that wait for somebody: what is held stays held, whatever becomes of the process, and is carried out once.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::{
    feed::{Feed, list, row, until},
    server::{Answer, forward},
};

/// A plan for the first list of a feed waits for somebody.
fn held() -> Feed {
    let feed = Feed::new("partial", "");
    feed.drop("1.csv", &list(&(0..5).map(|number| row(number, &format!("name{number}"))).collect::<String>()));
    feed
}

fn is_held(feed: &Feed) -> bool {
    feed.listing().iter().any(|run| run["standing"] == "waiting")
}

/// The file is used, and so is the next one, and everything of both was done once.
fn assert_done(feed: &Feed, files: usize) {
    until("the files are put away", || feed.files("archive").len() == files && feed.names(".work").is_empty());
    let wanted: Vec<String> = (1..=files).map(|number| format!("{number}.csv done")).collect();
    assert_eq!(feed.runs(), wanted);
    let (text, told) = feed.put_away("archive", "1.csv");
    assert_eq!(text.lines().count(), 6);
    assert_eq!(
        (&told["result"], &told["run"], &told["calls"], &told["done"]),
        (&"done".into(), &1.into(), &5.into(), &5.into())
    );
    feed.assert_nothing_twice("after it was approved");
    feed.assert_tidy("after it was approved");
}

#[test]
fn item_39_what_is_held_is_still_held_after_its_process_was_killed_and_nothing_slips_past() {
    let feed = held();
    let mut watch = feed.watch(&[]);
    until("it is held", || is_held(&feed));
    watch.kill();
    feed.drop("2.csv", &list(&row(9, "later")));
    for _ in 0..3 {
        feed.once();
        assert_eq!(feed.runs(), ["1.csv waiting"]);
        assert!(feed.path("2.csv").exists() && feed.server.writes().is_empty());
    }
    let waits = feed.status()["waiting"].clone();
    assert_eq!((waits[0]["run"].clone(), waits[0]["standing"].clone()), (json!(1), json!("waiting")));
    let mut watch = feed.watch(&[]);
    let waiting = json!(["1.csv: in hand", "2.csv: complete, behind what is not settled"]);
    until("the service holds it again", || feed.status()["feeds"]["hr"]["waiting"] == waiting);
    feed.settle("approve", 1);
    assert_done(&feed, 2);
    watch.stop();
}

#[test]
fn item_39_approved_while_no_service_runs_it_is_carried_out_at_once_and_put_away_by_the_next() {
    let feed = held();
    let mut watch = feed.watch(&[]);
    until("it is held", || is_held(&feed));
    watch.kill();
    feed.settle("approve", 1);
    assert_eq!(feed.runs(), ["1.csv done"]);
    assert_eq!(feed.effects().len(), 5);
    feed.once();
    assert_done(&feed, 1);
}

#[test]
fn item_39_approved_by_two_at_once_while_services_run_it_is_carried_out_once() {
    let feed = held();
    let (mut one, mut other) = (feed.watch(&[]), feed.watch(&[]));
    until("it is held", || is_held(&feed));
    feed.drop("2.csv", &list(&row(9, "later")));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let ran = feed.try_to_settle("approve", 1);
                // Whoever comes when all is done is told so.
                assert!(ran.status == 0 || ran.stderr.contains("waits for nobody: it is done"), "{}", ran.stderr);
            });
        }
    });
    assert_done(&feed, 2);
    one.stop();
    other.stop();
}

#[test]
fn item_39_approved_by_hand_while_a_service_starts_it_is_carried_out_once() {
    for _ in 0..3 {
        let feed = held();
        feed.once();
        assert_eq!(feed.runs(), ["1.csv waiting"]);
        std::thread::scope(|scope| {
            scope.spawn(|| feed.try_to_settle("approve", 1));
            scope.spawn(|| feed.once());
        });
        feed.once();
        assert_done(&feed, 1);
    }
}

#[test]
fn item_46_killed_while_an_approved_plan_is_carried_out_the_next_start_does_what_is_left() {
    for writes in 1..=5 {
        let feed = held();
        feed.once();
        let mut approving = feed.watch(&[]);
        let lab = feed.world.url("gitlab");
        let (upstream, count) = (lab.clone(), AtomicUsize::new(0));
        // So many writes come through, and the last of them is not answered; no later one comes through.
        feed.server.behave(move |request| {
            let number = if request.is_read() { 0 } else { count.fetch_add(1, Ordering::SeqCst) + 1 };
            let answer = if number <= writes { forward(&upstream, request) } else { Answer::Silence };
            if number < writes { answer } else { Answer::Silence }
        });
        // Before, whoever approves would carry it out herself.
        until("the service is there", || feed.status()["watching"] == json!(true));
        feed.settle("approve", 1);
        until("as many writes are done as may be", || feed.effects().len() == writes);
        approving.kill();
        feed.server.behave(move |request| forward(&lab, request));
        assert_eq!(feed.runs(), ["1.csv approved"]);
        feed.once();
        feed.once();
        assert_done(&feed, 1);
    }
}

#[test]
fn item_39_what_is_rejected_goes_to_the_error_folder_with_the_reason_and_the_next_file_has_its_turn() {
    let feed = Feed::begun("partial", "");
    // An unusable share of rows is what holds this one.
    let bad: String = (0..20).map(|_| "x,bad,bad@example.com,Bad\n").collect();
    feed.drop("2.csv", &list(&format!("{}{bad}", row(1, "one"))));
    feed.once();
    feed.drop("3.csv", &list(&row(2, "two")));
    assert_eq!(feed.runs(), ["first.csv done", "2.csv held"]);
    let mut watch = feed.watch(&[]);
    until("the service holds it again", || feed.status()["feeds"]["hr"]["waiting"][0] == json!("2.csv: in hand"));
    assert!(feed.path("3.csv").exists());
    feed.settle("reject", 2);
    until("the next is used", || feed.files("archive").len() == 2 && feed.names(".work").is_empty());
    watch.stop();
    assert_eq!(feed.runs(), ["first.csv done", "2.csv rejected", "3.csv done"]);
    let told = feed.put_away("error", "2.csv").1;
    assert!(told["reason"].as_str().unwrap().starts_with("rejected by Ada at "), "{told}");
    assert_eq!((&told["result"], &told["run"]), (&json!("rejected"), &json!(2)));
    assert_eq!(feed.people().keys().filter(|name| ["one", "two"].contains(&name.as_str())).count(), 1);
    feed.assert_tidy("after it was rejected");
    let again = feed.try_to_settle("approve", 2);
    assert_eq!(again.status, 2);
    assert!(again.stderr.contains("run 2 waits for nobody: it is rejected"), "{}", again.stderr);

    // The sender insists: the same file is a new question, even where the process that takes it is killed.
    feed.drop("2.csv", &list(&format!("{}{bad}", row(1, "one"))));
    feed.once();
    assert_eq!(feed.runs()[3..], ["2.csv held"]);
    // What somebody has decided is no trouble.
    feed.settle("reject", 4);
    feed.once();
    assert_eq!((feed.runs()[3].as_str(), &feed.status()["well"]), ("2.csv rejected", &json!(true)));
}
