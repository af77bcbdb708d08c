//! Two processes at one folder.

use std::collections::BTreeSet;

use crate::feed::{Feed, list, row, until};

const FILES: usize = 1_000;

#[test]
fn item_12_two_services_on_one_folder_handle_each_of_a_thousand_files_once() {
    let feed = Feed::begun("partial", "").without_a_server_between();
    for number in 1..=FILES {
        feed.drop(&format!("{number:04}.csv"), &list(&row(number, &format!("name{number}"))));
    }
    let (mut one, mut other) = (feed.watch(&[]), feed.watch(&[]));
    until("half of them are done", || feed.files("archive").len() > FILES / 2);
    // Whoever of them did most so far: the other one goes on alone.
    one.stop();
    until("all of them are done", || feed.files("archive").len() > FILES && feed.names(".work").is_empty());
    other.stop();

    let names = |line: &String| line.split(' ').next().unwrap().to_owned();
    // The one that was told to stop may have begun a run without sending its call: the other one did that file again.
    let (redone, runs): (Vec<String>, Vec<String>) = feed.runs().into_iter().partition(|run| run.ends_with(" redone"));
    assert!(redone.len() <= 1, "{redone:?}");
    assert!(runs.iter().all(|run| run.ends_with(" done")), "{runs:?}");
    let inputs: BTreeSet<String> = runs.iter().map(names).collect();
    assert_eq!((runs.len(), inputs.len()), (FILES + 1, FILES + 1));
    assert!(runs[1..].is_sorted(), "oldest first");
    // Person 0 and everybody else: made once each, and nothing but made.
    let effects = feed.effects();
    assert_eq!(effects.len(), FILES + 1);
    assert!(effects.keys().all(|effect| effect.starts_with("\"POST\" \"/api/v4/users\"")));
    feed.assert_nothing_twice("by two services");
    assert_eq!(feed.files("archive").len(), FILES + 1);
    assert_eq!(feed.names("error"), Vec::<String>::new());
    feed.assert_tidy("after a thousand files");
}
