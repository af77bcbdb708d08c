//! Whose turn it is: items 15 to 17.

use crate::feed::{Feed, QUICK, lines, list};

/// A list of everybody, in which one is called otherwise.
fn everybody(number: u32, called: &str) -> String {
    let all: Vec<u32> = (0..10).filter(|other| *other != number).collect();
    format!("{}{number},p{number}@example.com,{called}\n", list(&all, "Old"))
}

#[test]
fn item_15_five_files_at_once_are_used_one_after_another_oldest_first() {
    let feed = Feed::new(QUICK);
    // They come in another order than they are to be used in, and each undoes what the one before did.
    for day in [14, 11, 15, 13, 12] {
        feed.put(&format!("hr-2026-11-{day}.csv"), list(&[1], &format!("Day{day}")));
    }
    let _service = feed.watch(&[]);
    feed.until_archived(5);
    let expected: Vec<String> = (11..=15).map(|day| format!("hr-2026-11-{day}.csv done")).collect();
    assert_eq!(feed.runs(), expected);
    let names: Vec<String> = feed.until_archived(5).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected);
    let sent: Vec<String> =
        feed.world.writes("gitlab").iter().map(|write| write[2]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(sent, ["Day11 1", "Day12 1", "Day13 1", "Day14 1", "Day15 1"]);
}

#[test]
fn item_16_a_list_that_is_older_than_the_last_accepted_one_is_put_away_with_a_warning() {
    let feed = Feed::of_everybody(QUICK);
    let _service = feed.watch(&[]);
    feed.put("hr-2026-11-20.csv", everybody(1, "Friday"));
    feed.until_archived(1);
    feed.put("hr-2026-11-16.csv", everybody(1, "Monday"));
    let names: Vec<String> = feed.until_archived(2).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["hr-2026-11-20.csv done", "hr-2026-11-16.csv superseded"]);
    assert_eq!(feed.renamed(), [(1, "Friday".to_owned())]);
    assert_eq!(feed.runs(), names);
    let log = feed.log();
    assert!(log.contains("WARN") && log.contains("it is older than `hr-2026-11-20.csv`"), "{log}");
}

#[test]
fn item_16_of_several_lists_of_everybody_only_the_newest_is_used() {
    let feed = Feed::of_everybody(QUICK);
    for day in [18, 20, 19, 17] {
        feed.put(&format!("hr-2026-11-{day}.csv"), everybody(1, &format!("Day {day}")));
    }
    let _service = feed.watch(&[]);
    let mut names: Vec<String> = feed.until_archived(4).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "hr-2026-11-17.csv superseded",
            "hr-2026-11-18.csv superseded",
            "hr-2026-11-19.csv superseded",
            "hr-2026-11-20.csv done",
        ]
    );
    assert_eq!(feed.world.writes("gitlab").len(), 1);
    assert_eq!(feed.renamed(), [(1, "Day 20".to_owned())]);
}

#[test]
fn item_16_statements_of_changes_are_never_skipped_and_a_gap_in_their_numbers_is_held() {
    let feed = Feed::new(&format!("{QUICK}order = \"number\"\n"));
    for number in [7, 5, 6] {
        feed.put(&format!("delta-{number}.csv"), list(&[number], "New"));
    }
    let _service = feed.watch(&[]);
    feed.until_archived(3);
    assert_eq!(feed.runs(), ["delta-5.csv done", "delta-6.csv done", "delta-7.csv done"]);
    feed.put("delta-9.csv", list(&[9], "New"));
    feed.until_waiting("delta-9.csv: in hand");
    feed.put("delta-10.csv", list(&[0], "New"));
    feed.until_waiting("delta-10.csv: complete, behind what is not settled");
    let held = feed.status()["waiting"][0].clone();
    assert_eq!((held["standing"].as_str(), held["input"].as_str()), (Some("held"), Some("delta-9.csv")));
    assert_eq!(held["told"], "number 8 is missing between `delta-7.csv` and `delta-9.csv`");
    assert_eq!(feed.renamed().len(), 3);
    let run = held["run"].to_string();
    let approved = feed.world.homeward(&["--lab", "approve", &run, "--yes"]);
    assert_eq!(approved.status, 0, "{approved:?}");
    feed.until_archived(5);
    assert_eq!(feed.runs().split_off(3), ["delta-9.csv done", "delta-10.csv done"]);
}

#[test]
fn item_17_an_expected_file_that_does_not_come_raises_a_warning_and_nothing_else() {
    let feed = Feed::new("quiet = { looks = 2, time = \"1h\" }\nlook_every = \"1h\"\nexpect_every = \"1d\"\n");
    feed.put("one.csv", list(&[1], "One"));
    // Six hours in a second.
    let _service = feed.watch(&["--pace", "21600"]);
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    // A day may also have begun before the file was used: what is said of that ends with it.
    let alone = ["no file came for more than 1 day"];
    let status = feed.until("a day without a file", |status| lines(status, "warnings") == alone);
    assert!(status["trouble"].is_null(), "{status:#}");
    assert!(feed.log().contains("no file came for more than 1 day"), "{}", feed.log());
    assert_eq!(feed.renamed(), [(1, "One 1".to_owned())]);
    feed.put("two.csv", list(&[2], "Two"));
    feed.until("a file", |status| status["last"] == "two.csv" && lines(status, "warnings").is_empty());
}
