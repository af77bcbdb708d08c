//! When a file is complete: items 7 to 11.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    feed::{Feed, QUICK, list, run, write_on},
    trouble::unprivileged,
};

#[test]
fn item_07_a_file_with_a_trigger_waits_for_it_and_takes_it_along() {
    let feed = Feed::new(&format!("{QUICK}trigger = \".done\"\n"));
    let _service = feed.watch(&[]);
    feed.put("one.csv", list(&[1], "One"));
    feed.until_waiting("one.csv: its trigger `one.csv.done` is not there");
    assert_eq!(feed.renamed(), []);
    feed.put("one.csv.done", "");
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    assert_eq!(feed.left(), Vec::<String>::new());
}

#[test]
fn item_07_a_trigger_without_its_file_is_reported_after_a_while_and_stays() {
    let feed = Feed::new(&format!("{QUICK}trigger = {{ name = \"READY\" }}\nstuck_after = \"1s\"\n"));
    let _service = feed.watch(&[]);
    feed.put("READY", "");
    feed.until_waiting("READY: it is a trigger, and there is no file for it");
    feed.until_warned("READY is not taken: it is a trigger, and there is no file for it");
    assert!(feed.log().contains("READY is not taken"), "{}", feed.log());
    assert_eq!(feed.left(), ["READY"]);
}

#[test]
fn item_08_a_writer_that_pauses_and_a_copy_of_an_old_file_are_waited_for() {
    let feed = Feed::new("quiet = { looks = 3, time = \"1500ms\" }\nlook_every = \"500ms\"\n");
    let whole = list(&[1, 2, 3, 4], "New");
    let _service = feed.watch(&[]);
    for part in whole.as_bytes().chunks(40) {
        let mut file = File::options().create(true).append(true).open(feed.path("one.csv")).unwrap();
        write_on(&mut file, std::str::from_utf8(part).unwrap());
        drop(file);
        // The file says of itself that nobody wrote to it for days.
        run("touch", &["-d", "3 days ago", "one.csv"], &feed.path(""));
        thread::sleep(Duration::from_millis(700));
    }
    let written = Instant::now();
    feed.was_used_once("one.csv", whole.as_bytes(), &[1, 2, 3, 4], "New");
    assert!(written.elapsed() >= Duration::from_millis(700), "{:?}", written.elapsed());
}

#[test]
fn item_09_an_upload_that_broke_off_is_refused_wherever_it_broke_off() {
    let feed = Feed::new(&format!("{QUICK}order = \"arrival\"\n"));
    let whole = list(&[1, 2], "New");
    let _service = feed.watch(&[]);
    // Within the header and within a row.
    let points = [9, whole.len() - 10];
    for (done, point) in points.into_iter().enumerate() {
        let mut file = File::create(feed.path(&format!("cut-{point}.csv"))).unwrap();
        write_on(&mut file, &whole[..point]);
        drop(file);
        feed.until_refused(done + 1);
    }
    // Within the last value: three fields, and one of them half. Only its line end is missed, so a person has to look.
    fs::write(feed.path("cut.csv"), &whole[..whole.len() - 3]).unwrap();
    feed.until_waiting("cut.csv: in hand");
    let held = feed.status()["waiting"][0].clone();
    assert_eq!(
        held["told"],
        "the last line of cut.csv has no line end, and every earlier list of hr had one: it may be cut off"
    );
    assert_eq!(feed.world.homeward(&["--lab", "reject", &held["run"].to_string(), "--yes"]).status, 0);
    feed.until_refused(3);
    assert_eq!(feed.renamed(), []);
    // It is sent again, whole, under a name that was refused.
    feed.put(&format!("cut-{}.csv", points[1]), &whole);
    assert_eq!(feed.until_archived(1)[0].1, whole.as_bytes());
    assert_eq!(feed.renamed(), [(1, "New 1".to_owned()), (2, "New 2".to_owned())]);
}

#[test]
fn item_09_with_checksums_a_file_waits_until_its_bytes_are_those_that_were_announced() {
    let feed = Feed::new(&format!("{QUICK}checksum = true\n"));
    let whole = list(&[1], "One");
    fs::write(feed.world.path("one.csv"), &whole).unwrap();
    let sum = String::from_utf8(
        std::process::Command::new("sha256sum").arg(feed.world.path("one.csv")).output().unwrap().stdout,
    )
    .unwrap();
    let _service = feed.watch(&[]);
    feed.put("one.csv", &whole[..20]);
    feed.until_waiting("one.csv: its checksum `one.csv.sha256` is not there");
    feed.put("one.csv.sha256", &sum);
    feed.until_waiting("one.csv: its checksum in `one.csv.sha256` is another one, or there is none in it");
    feed.put("one.csv", &whole);
    feed.was_used_once("one.csv", whole.as_bytes(), &[1], "One");
    assert_eq!(feed.left(), Vec::<String>::new());
}

#[test]
fn item_10_what_was_read_while_somebody_wrote_on_is_thrown_away_and_the_file_waits_again() {
    let feed = Feed::new(QUICK);
    let mut file = File::create(feed.path("one.csv")).unwrap();
    write_on(&mut file, &list(&[1], "One"));
    // Between reading and writing stands a question to a slow provider.
    feed.world.lab("gitlab", "POST", "settings", &json!({ "latency_ms": 2_000 }));
    let _service = feed.watch(&[]);
    let begun = Instant::now();
    while feed.path("one.csv").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not taken\n{}", feed.log());
        thread::sleep(Duration::from_millis(5));
    }
    // It is read by now: the provider has been asked.
    while feed.world.asked("gitlab").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody was asked\n{}", feed.log());
        thread::sleep(Duration::from_millis(5));
    }
    write_on(&mut file, "2,p2@example.com,One 2\n");
    drop(file);
    let begun = Instant::now();
    while !feed.log().contains("it changed while it was read, and waits again") {
        assert!(begun.elapsed() < Duration::from_secs(20), "it was not noticed\n{}", feed.log());
        thread::sleep(Duration::from_millis(5));
    }
    feed.world.lab("gitlab", "POST", "settings", &json!({ "latency_ms": 0 }));
    feed.was_used_once("one.csv", list(&[1, 2], "One").as_bytes(), &[1, 2], "One");
}

#[test]
fn item_11_a_file_that_never_becomes_quiet_is_reported_and_stops_no_other() {
    let feed = Feed::new(&format!("{QUICK}stuck_after = \"1s\"\n"));
    let stop = AtomicBool::new(false);
    let _service = feed.watch(&[]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::create(feed.path("endless.csv")).unwrap();
            write_on(&mut file, "id,email,name\n");
            while !stop.load(Ordering::SeqCst) {
                write_on(&mut file, "7,p7@example.com,Seven 7\n");
                thread::sleep(Duration::from_millis(40));
            }
        });
        feed.until_warned("endless.csv is not taken: it changed lately");
        feed.put("one.csv", list(&[1], "One"));
        let used = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
        }));
        stop.store(true, Ordering::SeqCst);
        used.unwrap();
    });
    assert!(feed.log().contains("endless.csv is not taken"), "{}", feed.log());
}

#[test]
fn item_11_a_file_that_we_may_not_read_is_reported_and_stops_no_other() {
    let feed = Feed::new(&format!("{QUICK}stuck_after = \"1s\"\n"));
    feed.put("locked.csv", list(&[7], "Seven"));
    fs::set_permissions(feed.path("locked.csv"), fs::Permissions::from_mode(0o000)).unwrap();
    let _service = feed.watch_as(unprivileged(&feed), &[]);
    feed.until_waiting("locked.csv: it cannot be read: Permission denied");
    feed.until_warned("locked.csv is not taken: it cannot be read: Permission denied");
    feed.put("one.csv", list(&[1], "One"));
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    assert_eq!(feed.left(), ["locked.csv"]);
}
