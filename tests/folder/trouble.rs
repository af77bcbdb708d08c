//! What happens to folders: each is reported, survived, and gone on from.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::feed::{Feed, QUICK, archived, lines, list};

/// Nobody: an account that owns nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The program as rights bind it: as itself, or, where the tests run as root, as an account that everything of this
/// project was given to.
pub(crate) fn unprivileged(feed: &Feed) -> Command {
    static PROGRAM: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    if !is_root() {
        return feed.world.command();
    }
    give(&feed.world.path(""));
    // That account may not be able to enter the folder the program was built in.
    let (_, program) = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("homeward");
        // By a process of its own: what is open for writing in this one may be open in another test's child for a moment, and
        // then it cannot be started.
        let copied = Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_homeward")), &program]).status().unwrap();
        assert!(copied.success());
        (folder, program)
    });
    let mut command = feed.world.program(program);
    command.uid(NOBODY).gid(NOBODY);
    command
}

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

/// A small file system in memory, mounted for as long as this lives.
struct Small(PathBuf);

impl Small {
    /// `None` where nothing may be mounted; says so.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output();
        if mounted.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self(at.to_owned()));
        }
        eprintln!("not tried: nothing may be mounted here ({mounted:?})");
        None
    }

    /// Writes until there is no room.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join(".filler");
        let wrote = fs::write(&filler, vec![b'x'; 8 << 20]);
        assert_eq!(wrote.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn without_events_files_are_found_later_by_listing_alone() {
    let feed = Feed::new("quiet = { looks = 1, time = \"1ms\" }\nlook_every = \"2s\"\n");
    let _service = feed.watch(&["--no-events"]);
    let first = feed.until("the first look", |_| true)["looked"].clone();
    let put = Instant::now();
    feed.put("one.csv", list(&[1], "One"));
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    assert!(put.elapsed() >= Duration::from_secs(1), "{:?}, after a look at {first}", put.elapsed());
}

#[test]
fn a_folder_that_is_replaced_while_it_is_watched_is_watched_on_and_the_replacement_told() {
    let feed = Feed::new("quiet = { looks = 2, time = \"250ms\" }\nlook_every = \"10m\"\n");
    let _service = feed.watch(&[]);
    feed.until("the first look", |_| true);
    let new = feed.world.path("new");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("one.csv"), list(&[1], "One")).unwrap();
    fs::rename(feed.path(""), feed.world.path("old")).unwrap();
    fs::rename(&new, feed.path("")).unwrap();
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    assert!(feed.log().contains("was replaced by another one"), "{}", feed.log());
    // Listing every ten minutes would not show this one: events are heard in the new folder.
    feed.put("two.csv", list(&[2], "Two"));
    assert_eq!(feed.until_archived(2)[1].0, "two.csv done");
}

/// A share that is not mounted shows the empty folder below it. Here a link is turned, which looks the same from above.
#[test]
fn an_unmounted_share_is_reported_and_nobody_is_gone_for_it() {
    let share = tempfile::TempDir::new_in("/dev/shm").unwrap();
    let feed = Feed::of_everybody(&format!("{QUICK}order = \"arrival\"\n"));
    let below = feed.world.path("below");
    fs::rename(feed.path(""), &below).unwrap();
    let turn = |to: &Path| {
        let new = feed.world.path("turned");
        symlink(to, &new).unwrap();
        fs::rename(&new, feed.world.path("drop")).unwrap();
    };
    turn(share.path());
    let everybody: Vec<u32> = (0..10).collect();
    let _service = feed.watch(&[]);
    feed.put_by_copy("one.csv", &list(&everybody, "Old"));
    feed.until_archived(1);
    turn(&below);
    feed.until_trouble("is empty and lies on another file system than before; mount the share again");
    assert_eq!(fs::read_dir(&below).unwrap().count(), 0, "nothing is made where a share should be");
    assert_eq!(feed.world.homeward(&["--lab", "status"]).status, 4);
    turn(share.path());
    feed.until_well();
    let mut changed = list(&everybody, "Old");
    changed = changed.replace("Old 1\n", "One 1\n");
    feed.put_by_copy("two.csv", &changed);
    feed.until_archived(2);
    assert_eq!(feed.runs(), ["one.csv done", "two.csv done"]);
    assert_eq!(feed.renamed(), [(1, "One 1".to_owned())]);
}

#[test]
fn an_unmounted_file_system_is_reported_and_read_again_when_it_is_back() {
    let feed = Feed::new(QUICK);
    let Some(small) = Small::mount(&feed.path(""), "1m") else { return };
    let service = feed.watch(&[]);
    feed.put_by_copy("one.csv", &list(&[1], "One"));
    feed.until_archived(1);
    drop(small);
    feed.until_trouble("is empty and lies on another file system than before");
    let Some(_small) = Small::mount(&feed.path(""), "1m") else { return };
    feed.put_by_copy("two.csv", &list(&[2], "Two"));
    assert_eq!(feed.until_archived(1)[0].0, "two.csv done");
    feed.until_well();
    service.stop();
}

#[test]
fn a_folder_that_is_read_only_for_us_is_warned_of_and_each_file_in_it_is_used_once() {
    let feed = Feed::new(&format!("{QUICK}archive = \"kept/archive\"\nerror = \"kept/error\"\n"));
    let before = [("one.csv", list(&[1], "One")), ("broken.csv", "id,email,name\n7,p7".to_owned())];
    for (name, text) in &before {
        feed.put(name, text);
    }
    fs::create_dir(feed.world.path("kept")).unwrap();
    let archive = feed.world.path("kept/archive");
    let readers = |feed: &Feed, mode: u32| {
        let command = unprivileged(feed);
        fs::set_permissions(feed.path(""), fs::Permissions::from_mode(mode)).unwrap();
        command
    };
    for round in 0..2 {
        let service = feed.watch_as(readers(&feed, 0o555), &[]);
        feed.until_warned("is read-only for us: files stay there");
        feed.until("both files", |status| {
            lines(status, "waiting").is_empty() && (round == 1 || status["last"] == "one.csv" || feed.runs().len() == 2)
        });
        service.stop();
    }
    assert_eq!(archived(&archive), [("one.csv done".to_owned(), before[0].1.clone().into_bytes())]);
    let mut runs = feed.runs();
    runs.sort();
    assert_eq!(runs, ["broken.csv refused", "one.csv done"], "a restart is no reason to use anything again");
    assert_eq!(feed.left(), ["broken.csv", "one.csv"]);
    for (name, text) in &before {
        assert_eq!(&fs::read_to_string(feed.path(name)).unwrap(), text);
    }
    // Its sender puts another one there, and the service may write again.
    let _service = feed.watch_as(readers(&feed, 0o755), &[]);
    feed.put("two.csv", list(&[2], "Two"));
    feed.until("the new one", |status| status["last"] == "two.csv" && lines(status, "waiting").is_empty());
    assert_eq!(feed.renamed(), [(1, "One 1".to_owned()), (2, "Two 2".to_owned())]);
}

#[test]
fn a_full_folder_is_reported_and_its_files_are_used_once_there_is_room() {
    let feed = Feed::new(QUICK);
    let Some(small) = Small::mount(&feed.path(""), "256k") else { return };
    fs::write(feed.path("one.csv"), list(&[1], "One")).unwrap();
    let filler = small.fill();
    let _service = feed.watch(&[]);
    feed.until_trouble("the disk is full");
    assert_eq!(feed.left(), [".filler", "one.csv"]);
    fs::remove_file(filler).unwrap();
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
    feed.until_well();
}

#[test]
fn a_full_archive_is_reported_for_as_long_as_it_is_and_nothing_is_used_twice() {
    let feed = Feed::new(&format!("{QUICK}archive = \"kept/archive\"\n"));
    let Some(small) = Small::mount(&feed.world.path("kept"), "64k") else { return };
    fs::create_dir(feed.world.path("kept/archive")).unwrap();
    let filler = small.fill();
    let _service = feed.watch(&[]);
    feed.put("one.csv", list(&[1], "One"));
    feed.until_trouble("the disk is full: No space left on device (os error 28); make room");
    let looked = feed.until("a look", |_| true)["looked"].clone();
    let later = feed.until("two more looks", |status| status["looked"].as_str() > looked.as_str());
    assert!(later["trouble"].as_str().is_some_and(|told| told.contains("the disk is full")), "{later:#}");
    assert_eq!(feed.runs(), ["one.csv done"]);
    fs::remove_file(filler).unwrap();
    feed.until_well();
    let archive = feed.world.path("kept/archive");
    assert_eq!(archived(&archive), [("one.csv done".to_owned(), list(&[1], "One").into_bytes())]);
    assert_eq!(feed.runs(), ["one.csv done"]);
    assert_eq!(feed.world.writes("gitlab").len(), 1);
}

#[test]
fn one_passage_ends_with_files_that_wait_for_what_may_never_come() {
    let once = |feed: &Feed| {
        let ran = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
        assert_eq!(feed.left().len(), 1, "{}", ran.stderr);
        (ran.status, ran.stderr.contains(" is not taken: "))
    };
    // Nobody sends a name with a date in it afterwards.
    let feed = Feed::new(&format!("{QUICK}order = \"date\"\n"));
    feed.put("people-new.csv", list(&[1], "One"));
    assert_eq!(once(&feed), (4, true));
    // What is not what its sender says it is may be mended, or not.
    let feed = Feed::new(&format!("{QUICK}checksum = true\n"));
    feed.put("one.csv", list(&[1], "One"));
    feed.put("one.csv.sha256", "0".repeat(64));
    let ran = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!((ran.status, feed.left().len()), (4, 2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("one.csv is not taken: its checksum in `one.csv.sha256` is another one"),
        "{}",
        ran.stderr
    );
    // What waits for somebody is told of each time, and what is behind it.
    let feed = Feed::new(QUICK);
    feed.put("one.csv", list(&[1], "One"));
    let first = feed.world.homeward(&["--lab", "watch", "--once"]);
    feed.put("two.csv", list(&[1], "Two"));
    for ran in [first, feed.world.homeward(&["--lab", "watch", "--once"])] {
        assert!(
            ran.status == 4 && ran.stderr.contains("one.csv is waiting: `homeward --lab runs 2` shows it"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains(" is not taken: "), "{}", ran.stderr);
    }
    let ran = feed.world.homeward(&["--lab", "watch", "--once"]);
    assert!(ran.stderr.contains("drop it with `homeward --lab reject 2`; 1 file stays behind it"), "{}", ran.stderr);
    // What is still being sent is there the next time, and nobody has to wonder why it was not taken.
    let feed = Feed::new(&format!("{QUICK}trigger = \".done\"\n"));
    feed.put("one.csv", list(&[1], "One"));
    assert_eq!(once(&feed), (0, true));
    feed.put("PEOPLE.XLS", "1;2");
    let ran = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert!(ran.stderr.contains("PEOPLE.XLS is not read: its name does not match"), "{}", ran.stderr);
    fs::remove_file(feed.path("PEOPLE.XLS")).unwrap();
    feed.put("one.csv.done", "");
    let ran = feed.world.homeward(&["--lab", "watch", "--once", "--apply"]);
    assert_eq!((ran.status, feed.left().len()), (0, 0), "{}", ran.stderr);
    feed.was_used_once("one.csv", list(&[1], "One").as_bytes(), &[1], "One");
}
