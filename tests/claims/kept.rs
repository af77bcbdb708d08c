//! What becomes of files that were handled: archive, error folder, and what is told beside them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use crate::feed::{Feed, list, row, until};

#[test]
fn item_14_content_decides_what_is_new_and_not_the_name() {
    let feed = Feed::begun("partial", "");
    let text = list(&row(1, "one"));
    feed.drop("people.csv", &text);
    feed.once();
    feed.drop("again.csv", &text);
    feed.once();
    feed.drop("people.csv", &text);
    feed.once();
    feed.drop("people.csv", &list(&row(1, "uno")));
    feed.once();
    assert_eq!(
        feed.runs(),
        ["first.csv done", "people.csv done", "again.csv duplicate", "people.csv duplicate", "people.csv done"]
    );
    let told = feed.put_away("archive", "again.csv").1;
    assert_eq!(told["reason"], "its content was used before, in run 2 (`people.csv`)");
    assert_eq!(feed.effects().len(), 3);
    assert!(feed.people().contains_key("uno"));
    feed.assert_tidy("after all four");
}

#[test]
fn item_45_a_result_stands_beside_a_file_that_was_used_and_a_reason_beside_one_that_was_not() {
    let feed = Feed::begun("partial", "");
    feed.drop("a.csv", &list(&row(1, "one")));
    feed.drop("b.csv", "%PDF-1.7 not a list");
    feed.once();
    let (text, told) = feed.put_away("archive", "a.csv");
    assert_eq!(text, list(&row(1, "one")));
    let run = &feed.listing()[1];
    assert_eq!((&told["result"], &told["run"], &told["plan"]), (&json!("done"), &run["run"], &run["plan"]));
    assert_eq!((&told["calls"], &told["done"], &told["sha256"]), (&json!(1), &json!(1), &run["sha256"]));
    for time in ["taken", "started", "finished", "archived"] {
        assert!(told[time].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}: {told}");
    }
    let (text, told) = feed.put_away("error", "b.csv");
    assert_eq!(text, "%PDF-1.7 not a list");
    assert_eq!(told["result"], "refused");
    assert!(told["reason"].as_str().unwrap().contains("PDF"), "{told}");
    assert_eq!(feed.runs(), ["first.csv done", "a.csv done", "b.csv refused"]);
}

/// A file stands where the archive should be: nothing can be put there, whoever asks.
#[test]
fn item_45_what_cannot_be_archived_is_told_and_is_not_read_again_and_goes_when_that_is_mended() {
    let feed = Feed::begun("partial", "");
    let (archive, aside) = (feed.path("archive"), feed.world.path("aside"));
    fs::rename(&archive, &aside).unwrap();
    fs::write(&archive, "in the way").unwrap();
    feed.drop("a.csv", &list(&row(1, "one")));
    let mut watch = feed.watch(&[]);
    let trouble = || feed.status()["feeds"]["hr"]["trouble"].as_str().unwrap_or_default().to_owned();
    until("it is told", || trouble().contains("archive"));
    // What comes later is used meanwhile.
    feed.drop("b.csv", &list(&row(2, "two")));
    until("the next one is used", || feed.runs().len() == 3);
    let looked = || feed.status()["feeds"]["hr"]["looked"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        let before = looked();
        until("it looks again", || looked() != before);
        assert!(trouble().contains("archive"), "it is told as long as it is so");
    }
    assert_eq!(feed.status()["well"], false);
    // Neither a new start nor time has it read again.
    watch.kill();
    let mut watch = feed.watch(&[]);
    let before = looked();
    until("it looks again", || looked() != before && trouble().contains("archive"));
    assert_eq!(feed.runs(), ["first.csv done", "a.csv done", "b.csv done"]);
    feed.assert_nothing_twice("while the archive was in trouble");
    // At one stroke: the service makes a folder of its own where there is none.
    renameat_with(CWD, &aside, CWD, &archive, RenameFlags::EXCHANGE).unwrap();
    until("both are archived", || feed.files("archive").len() == 3 && feed.names(".work").is_empty());
    until("it is well again", || trouble().is_empty());
    watch.stop();
    assert_eq!(feed.runs(), ["first.csv done", "a.csv done", "b.csv done"]);
    for name in ["a.csv", "b.csv"] {
        assert_eq!(feed.put_away("archive", name).1["result"], "done");
    }
    feed.assert_nothing_twice("after the archive was mended");
    feed.assert_tidy("after the archive was mended");
}

#[test]
fn item_47_what_is_kept_is_for_the_owner_only_whatever_the_umask() {
    let feed = Feed::begun("partial", "");
    feed.drop("a.csv", &list(&format!("{}x,bad,bad@example.com,Bad\n", row(1, "one"))));
    feed.drop("b.csv", "%PDF-1.7 not a list");
    fs::set_permissions(feed.path("a.csv"), Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(feed.path("b.csv"), Permissions::from_mode(0o666)).unwrap();
    let program = env!("CARGO_BIN_EXE_homeward");
    let mut shell = feed.world.program("/bin/sh".as_ref());
    let ran = shell.args(["-c", &format!("umask 000; exec {program} watch --apply --once")]).output().unwrap();
    assert!(matches!(ran.status.code(), Some(0 | 4)));
    assert_eq!(feed.files("error").len(), 2);
    for folder in ["archive", "error"] {
        assert_eq!(fs::metadata(feed.path(folder)).unwrap().permissions().mode() & 0o777, 0o700);
        for name in feed.names(folder) {
            let mode = fs::metadata(feed.path(folder).join(&name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    // What is told while it works has no word of what was in the rows.
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(told.contains("a.csv") && !told.contains("person1@") && !told.contains("bad@"), "{told}");
}

#[test]
fn item_50_what_was_not_taken_is_as_it_was() {
    let feed = Feed::begun("partial", "");
    let secret = feed.world.path("secret.csv");
    fs::write(&secret, list(&row(7, "secret"))).unwrap();
    symlink(&secret, feed.path("link.csv")).unwrap();
    fs::hard_link(&secret, feed.path("hard.csv")).unwrap();
    fs::create_dir(feed.path("old")).unwrap();
    fs::write(feed.path("old/people.csv"), list(&row(8, "old"))).unwrap();
    for name in ["notes.docx", ".hidden.csv", "people.csv.part", "people.csv.filepart", "line\nbreak.csv"] {
        fs::write(feed.path(name), list(&row(9, "other"))).unwrap();
    }
    let others =
        ["link.csv", "hard.csv", "old/people.csv", "notes.docx", ".hidden.csv", "people.csv.part", "line\nbreak.csv"];
    let facts = || {
        others.map(|name| {
            let facts = fs::symlink_metadata(feed.path(name)).unwrap();
            (facts.ino(), facts.mode(), facts.nlink(), facts.size(), facts.mtime_nsec(), facts.ctime_nsec())
        })
    };
    let before = facts();
    feed.drop("people.csv", &list(&row(1, "one")));
    feed.once();
    assert_eq!(facts(), before);
    assert_eq!(feed.runs(), ["first.csv done", "people.csv done"]);
    assert!(!feed.people().contains_key("secret"));
}
