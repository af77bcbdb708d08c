//! Finding files: items 1 to 6.

use std::{fs, os::unix::fs::MetadataExt, time::Instant};

use crate::feed::{Feed, QUICK, lines, list, run};

#[test]
fn item_01_files_that_came_before_the_start_or_between_two_starts_are_found() {
    let feed = Feed::new(QUICK);
    feed.put("one.csv", list(&[1], "One"));
    feed.watch(&["--once"]).ended();
    assert_eq!(feed.until_archived(1)[0].0, "one.csv done");
    feed.put("two.csv", list(&[2], "Two"));
    let service = feed.watch(&[]);
    feed.until_archived(2);
    service.stop();
    assert_eq!(feed.runs(), ["one.csv done", "two.csv done"]);
    assert_eq!(feed.renamed(), [(1, "One 1".to_owned()), (2, "Two 2".to_owned())]);
}

#[test]
fn item_02_with_events_switched_off_the_results_are_the_same() {
    let results = |arguments: &[&str]| {
        let feed = Feed::new(QUICK);
        let service = feed.watch(arguments);
        let status = feed.until("the first look", |_| true);
        feed.put("one.csv", list(&[1, 2], "New"));
        feed.until_archived(1);
        feed.put("broken.csv", "id,email,name\n3,p3@example.com,\"New");
        feed.until_refused(1);
        feed.put("again.csv", list(&[1, 2], "New"));
        let archived = feed.until_archived(2);
        service.stop();
        (status["mode"].clone(), (archived, feed.until_refused(1), feed.renamed(), feed.runs()))
    };
    let (with, results_with) = results(&[]);
    let (without, results_without) = results(&["--no-events"]);
    assert_eq!((with, without), ("events and listing".into(), "listing".into()));
    assert_eq!(results_with, results_without);
    assert_eq!(results_with.3, ["one.csv done", "broken.csv refused", "again.csv duplicate"]);
}

#[test]
fn item_14_a_list_of_everybody_that_comes_back_after_another_one_waits_for_somebody() {
    let feed = Feed::of_everybody(QUICK);
    let once = |name: &str, said: &str| {
        feed.put(name, list(&[1, 2], said));
        feed.world.homeward(&["--lab", "watch", "--once", "--apply"])
    };
    for (name, said) in [("one.csv", "One"), ("two.csv", "Two")] {
        let ran = once(name, said);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
    let ran = once("three.csv", "One");
    let told = "`three.csv` says what `one.csv` said in run 2, before `two.csv` in run 3";
    assert!(ran.status == 4 && ran.stderr.contains(told), "{}", ran.stderr);
    // Whoever rejects it has not agreed to it for the next time.
    feed.world.homeward(&["--lab", "reject", "4"]);
    let told = told.replace("three.csv", "four.csv");
    let ran = once("four.csv", "One");
    assert!(ran.status == 4 && ran.stderr.contains(&told), "{}", ran.stderr);
    let ran = feed.world.homeward(&["--lab", "approve", "5", "--by", "Olga", "--yes"]);
    assert!(ran.stdout.contains("Done: 2 of 2 calls (run 5)."), "{}{}", ran.stdout, ran.stderr);
    let ran = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(feed.runs(), ["one.csv done", "two.csv done", "three.csv rejected", "four.csv done"]);
}

#[test]
fn item_03_a_folder_that_is_not_there_yet_is_unhealthy_and_watched_once_it_is() {
    let feed = Feed::new(QUICK);
    fs::remove_dir(feed.path("")).unwrap();
    let _service = feed.watch(&[]);
    feed.until_trouble("is not there");
    let ran = feed.world.homeward(&["--lab", "status"]);
    assert_eq!(ran.status, 4, "{ran:?}");
    assert!(ran.stdout.contains("drop is not there; make it, mount it, or correct `folder`"), "{}", ran.stdout);
    fs::create_dir(feed.path("")).unwrap();
    feed.until_well();
    feed.put("one.csv", list(&[1], "One"));
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
}

#[test]
fn item_03_a_folder_that_is_deleted_or_renamed_away_and_made_again_is_watched_again() {
    for arguments in [&[][..], &["--no-events"]] {
        let feed = Feed::new(QUICK);
        let _service = feed.watch(arguments);
        feed.until("the first look", |_| true);
        fs::remove_dir_all(feed.path("")).unwrap();
        feed.until_trouble("is not there");
        fs::create_dir(feed.path("")).unwrap();
        feed.put("one.csv", list(&[1], "One"));
        assert_eq!(feed.until_archived(1)[0].0, "one.csv done");
        fs::rename(feed.path(""), feed.world.path("away")).unwrap();
        fs::create_dir(feed.path("")).unwrap();
        // What comes to the old folder is none of ours any more.
        fs::write(feed.world.path("away/old.csv"), list(&[9], "Nine")).unwrap();
        feed.put("two.csv", list(&[2], "Two"));
        assert_eq!(feed.until_archived(1)[0].0, "two.csv done");
        feed.until_well();
        assert_eq!(feed.renamed(), [(1, "One 1".to_owned()), (2, "Two 2".to_owned())]);
        assert_eq!(feed.runs(), ["one.csv done", "two.csv done"]);
    }
}

#[test]
fn item_04_an_older_file_of_the_same_name_and_size_that_replaces_one_is_waited_for_anew() {
    let feed = Feed::new("quiet = { looks = 2, time = \"2s\" }\nlook_every = \"500ms\"\n");
    let sender = feed.world.path("sender");
    fs::create_dir(&sender).unwrap();
    fs::write(sender.join("one.csv"), list(&[1], "Bbb")).unwrap();
    run("touch", &["-d", "3 days ago", "one.csv"], &sender);
    let _service = feed.watch(&[]);
    fs::write(feed.path("one.csv"), list(&[1], "Aaa")).unwrap();
    feed.until_waiting("one.csv: it changed lately: the same at 2 of 2 looks");
    let replaced = Instant::now();
    run("rsync", &["-a", "one.csv", feed.path("one.csv").to_str().unwrap()], &sender);
    feed.was_used_once("one.csv", list(&[1], "Bbb").as_bytes(), &[1], "Bbb");
    assert!(replaced.elapsed().as_millis() >= 2_000, "it was taken {:?} after it was replaced", replaced.elapsed());
}

#[test]
fn item_05_names_count_by_pattern_folders_are_left_alone_and_the_rest_is_listed_after_a_day() {
    let feed = Feed::new("quiet = { looks = 2, time = \"1h\" }\nlook_every = \"3h\"\nstuck_after = \"90d\"\n");
    feed.put("HR.CSV", list(&[1], "One"));
    feed.put("notes.docx", "no list");
    fs::create_dir(feed.path("old")).unwrap();
    fs::write(feed.path("old/hr.csv"), list(&[2], "Two")).unwrap();
    let before = fs::metadata(feed.path("old/hr.csv")).unwrap().ctime_nsec();
    // An hour and a half in a second at first: nothing is listed as ignored that has only just come.
    let service = feed.watch(&["--pace", "5400"]);
    feed.was_used_once("HR.CSV", list(&[1], "One").as_bytes(), &[1], "One");
    let status = feed.until("a look", |_| true);
    assert_eq!(lines(&status, "ignored"), Vec::<String>::new());
    service.stop();
    // Half a day in a second.
    let _service = feed.watch(&["--pace", "43200"]);
    let status = feed.until("a day", |status| !lines(status, "ignored").is_empty());
    assert_eq!(
        lines(&status, "ignored"),
        ["notes.docx: its name does not match `*.csv`", "old: a folder: folders within are not read"]
    );
    assert_eq!(feed.left(), ["notes.docx", "old"]);
    assert_eq!(fs::metadata(feed.path("old/hr.csv")).unwrap().ctime_nsec(), before);
    assert_eq!(feed.renamed(), [(1, "One 1".to_owned())]);
}

#[test]
fn item_06_a_name_of_a_file_under_way_is_not_read_until_it_has_its_real_one() {
    let under_way = [
        ".p0.csv",
        "p1.csv.part",
        "p2.csv.partial",
        "p3.csv.filepart",
        "p4.csv.tmp",
        "p5.csv.TEMP",
        "p6.csv.writing",
        "p7.csv.crdownload",
        "p8.csv.swp",
        "p9.csv~",
        ".p0.csv.hY7dTa",
        ".in.p1.csv",
        "p2-upload.csv",
    ];
    let feed = Feed::new(&format!("{QUICK}order = \"arrival\"\nunfinished = [\"*-upload.csv\"]\n"));
    let _service = feed.watch(&[]);
    for (number, name) in (0..10).cycle().zip(under_way) {
        feed.put(name, list(&[number], "New"));
    }
    fs::create_dir(feed.path(".~tmp~")).unwrap();
    fs::write(feed.path(".~tmp~/p3.csv"), list(&[3], "New")).unwrap();
    feed.put("last.csv", list(&[9], "Last"));
    // What came after them is used while they are under way.
    assert_eq!(feed.until_archived(1)[0].0, "last.csv done");
    assert_eq!(feed.renamed(), [(9, "Last 9".to_owned())]);
    assert_eq!(feed.left().len(), under_way.len() + 1);
    for (number, name) in under_way.iter().enumerate().take(3) {
        fs::rename(feed.path(name), feed.path(&format!("real-{number}.csv"))).unwrap();
        feed.until_archived(2 + number);
    }
    let expected = [(0, "New 0"), (1, "New 1"), (2, "New 2"), (9, "Last 9")];
    assert_eq!(feed.renamed(), expected.map(|(number, name)| (number, name.to_owned())));
    assert_eq!(feed.runs(), ["last.csv done", "real-0.csv done", "real-1.csv done", "real-2.csv done"]);
}
