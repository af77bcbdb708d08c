//! Rows that could not be used come back to their sender, and in again when they are repaired.

use std::fs;

use crate::feed::{Feed, list, row};

#[test]
fn item_32_rejected_rows_that_are_repaired_and_dropped_again_change_these_people_and_nobody_is_missing() {
    let feed = Feed::begun("full", "");
    let everybody: Vec<String> = (0..40).map(|number| row(number, &format!("name{number}"))).collect();
    feed.drop("day1.csv", &list(&everybody.concat()));
    feed.once();
    let people = feed.people();
    // Two rows are broken and would be changes: one has no usable id, one a line that falls apart.
    let mut day2 = everybody.clone();
    day2[7] = "O7,seven,person7@example.com,Person 7\n".to_owned();
    day2[9] = "9,nine,person9@example.com\n".to_owned();
    day2[11] = row(11, "eleven");
    feed.drop("day2.csv", &list(&day2.concat()));
    feed.once();
    assert_eq!(feed.runs()[2..], ["day2.csv done"]);
    let after = feed.people();
    assert!(after.contains_key("eleven") && after.contains_key("name7") && after.contains_key("name9"));
    assert_eq!(after.len(), people.len());

    let names: Vec<String> = feed.names("error");
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(names[0].ends_with("--day2.csv.rejected.csv"), "{names:?}");
    let text = fs::read_to_string(feed.path("error").join(&names[0])).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(text.contains("O7,seven") && text.contains("9,nine"), "{text}");

    // HR repairs what is wrong, leaves the rest as it is, and gives it a name of its own.
    let mended = text
        .replace("O7,seven", "7,seven")
        .replace("9,nine,person9@example.com", "9,nine,person9@example.com,Person 9");
    feed.drop("repaired.csv", &mended);
    feed.once();
    assert_eq!(feed.runs()[3..], ["repaired.csv done"], "{text}\n{mended}");
    let mut wanted = people.clone();
    for (old, new) in [("name7", "seven"), ("name9", "nine"), ("name11", "eleven")] {
        let user = wanted.remove(old).unwrap();
        wanted.insert(new.to_owned(), user);
    }
    assert_eq!(feed.people(), wanted);
    feed.assert_nothing_twice("after it was repaired");
    feed.assert_tidy("after it was repaired");

    // The list of everybody that comes next says the same, and nobody is missing from it either.
    let mut day3 = everybody;
    day3[7] = row(7, "seven");
    day3[9] = row(9, "nine");
    day3[11] = row(11, "eleven");
    feed.drop("day3.csv", &list(&day3.concat()));
    let effects = feed.effects();
    feed.once();
    assert_eq!(feed.runs()[4..], ["day3.csv done"]);
    assert_eq!((feed.people(), feed.effects()), (wanted, effects));
}
