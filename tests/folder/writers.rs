//! Writers as there are: from each, the right file, once, whole.

use std::{
    fs::{self, File},
    path::Path,
    thread,
    time::Duration,
};

use crate::feed::{Feed, QUICK, list, run, write_on};

/// Long enough that writing takes a while.
const PEOPLE: [u32; 5] = [1, 2, 3, 4, 5];

/// Has a writer bring the file `one.csv` from its own folder into the watched one, and expects it used once.
fn brings(write: impl FnOnce(&Feed, &Path, &str)) {
    let feed = Feed::new(QUICK);
    let sender = feed.world.path("sender");
    fs::create_dir(&sender).unwrap();
    let whole = list(&PEOPLE, "New");
    fs::write(sender.join("one.csv"), &whole).unwrap();
    let _service = feed.watch(&[]);
    feed.until("the first look", |_| true);
    write(&feed, &sender, feed.path("").to_str().unwrap());
    feed.was_used_once("one.csv", whole.as_bytes(), &PEOPLE, "New");
    assert_eq!(feed.left(), Vec::<String>::new());
}

#[test]
fn cp_brings_a_file() {
    brings(|_, sender, folder| run("cp", &["one.csv", folder], sender));
}

#[test]
fn cp_that_keeps_times_brings_an_old_file() {
    brings(|_, sender, folder| {
        run("touch", &["-d", "400 days ago", "one.csv"], sender);
        run("cp", &["-p", "one.csv", folder], sender);
    });
}

#[test]
fn touch_sets_the_time_of_a_file_back_that_is_not_whole_yet() {
    brings(|feed, _, folder| {
        let whole = list(&PEOPLE, "New");
        let (start, end) = whole.split_at(60);
        fs::write(feed.path("one.csv"), start).unwrap();
        run("touch", &["-d", "3 days ago", "one.csv"], Path::new(folder));
        thread::sleep(Duration::from_millis(60));
        write_on(&mut File::options().append(true).open(feed.path("one.csv")).unwrap(), end);
        run("touch", &["-d", "3 days ago", "one.csv"], Path::new(folder));
    });
}

#[test]
fn a_writer_that_opens_and_closes_the_file_for_each_line_brings_all_of_them() {
    brings(|feed, _, _| {
        for line in list(&PEOPLE, "New").split_inclusive('\n') {
            write_on(&mut File::options().create(true).append(true).open(feed.path("one.csv")).unwrap(), line);
            thread::sleep(Duration::from_millis(60));
        }
    });
}

#[test]
fn an_upload_to_a_name_of_its_own_that_is_renamed_at_the_end_is_not_seen_before() {
    brings(|feed, _, _| {
        let mut file = File::create(feed.path("one.csv.part")).unwrap();
        for line in list(&PEOPLE, "New").split_inclusive('\n') {
            write_on(&mut file, line);
            // Longer than the time of quiet: what is there is whole lines, and not the file.
            thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(feed.renamed(), []);
        drop(file);
        fs::rename(feed.path("one.csv.part"), feed.path("one.csv")).unwrap();
    });
}

#[test]
fn an_upload_that_broke_off_and_is_sent_again_under_the_same_name_counts_once() {
    let feed = Feed::new(QUICK);
    let whole = list(&PEOPLE, "New");
    let _service = feed.watch(&[]);
    // Half of it, closed, under its final name.
    fs::write(feed.path("one.csv"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(feed.until_refused(1)[0].0, "one.csv");
    assert_eq!(feed.renamed(), []);
    fs::write(feed.path("one.csv"), &whole).unwrap();
    assert_eq!(feed.until_archived(1), [("one.csv done".to_owned(), whole.into_bytes())]);
    assert_eq!(feed.runs(), ["one.csv refused", "one.csv done"]);
    assert_eq!(feed.renamed().len(), PEOPLE.len());
}

#[test]
fn rsync_brings_a_file_in_each_of_its_ways() {
    for ways in [&["-a"][..], &["-a", "--inplace"], &["-a", "--delay-updates"], &["-rt", "--inplace", "--bwlimit=1"]] {
        brings(|_, sender, folder| {
            run("touch", &["-d", "3 days ago", "one.csv"], sender);
            run("rsync", &[ways, &["one.csv", folder]].concat(), sender);
        });
    }
}

#[test]
fn what_a_killed_rsync_leaves_behind_is_not_read() {
    let feed = Feed::new(QUICK);
    let whole = list(&PEOPLE, "New");
    let _service = feed.watch(&[]);
    fs::write(feed.path(".one.csv.x7Kq2Z"), &whole[..60]).unwrap();
    feed.put("one.csv", &whole);
    feed.was_used_once("one.csv", whole.as_bytes(), &PEOPLE, "New");
    assert_eq!(feed.left(), [".one.csv.x7Kq2Z"]);
}

#[test]
fn mv_from_another_file_system_brings_a_file() {
    brings(|_, sender, folder| {
        let other = tempfile::TempDir::new_in("/dev/shm").unwrap();
        run("cp", &["-p", "one.csv", other.path().to_str().unwrap()], sender);
        run("mv", &["one.csv", folder], other.path());
    });
}

#[test]
fn mv_within_the_file_system_brings_a_file() {
    brings(|_, sender, folder| run("mv", &["one.csv", folder], sender));
}
