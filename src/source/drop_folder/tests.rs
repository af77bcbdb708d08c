//! Each test is one behaviour of `csv-drop-folder.md`, tried in a real folder with times that are handed in.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    io::{Read, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{MetadataExt, PermissionsExt},
    },
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{settings::SettingsError, *};

mod claimed;

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "json")
}

/// A folder with a clock of its own.
struct World {
    root: TempDir,
    options: Value,
    start: Instant,
    seconds: u64,
    folder: Folder,
}

impl World {
    fn new(options: Value) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("drop")).unwrap();
        Self::at(root, options)
    }

    fn at(root: TempDir, mut options: Value) -> Self {
        options["folder"] = json!("drop");
        let folder = open(root.path(), &options).unwrap();
        Self { root, options, start: Instant::now(), seconds: 0, folder }
    }

    fn drop(&self) -> PathBuf {
        self.root.path().join("drop")
    }

    fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.drop().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Looks once, so many seconds after the last look.
    fn look_after(&mut self, seconds: u64) -> Look {
        self.seconds += seconds;
        self.folder.look(self.start + Duration::from_secs(self.seconds))
    }

    /// Looks until everything that nobody touches is quiet.
    fn settled(&mut self) -> Look {
        self.look_after(0);
        self.look_after(5);
        self.look_after(5)
    }

    fn claim(&mut self, name: &str) -> Claim {
        let look = self.settled();
        let ready = look.ready.iter().find(|ready| ready.name.as_os_str() == name).unwrap();
        self.folder.claim(ready, &Holder::here(), now()).unwrap().unwrap()
    }

    /// The same folder, watched by a process that has just begun.
    fn restarted(&self) -> Folder {
        open(self.root.path(), &self.options).unwrap()
    }

    /// Every file below the folder with its content, but for the random part of names in the work folder.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.drop()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let shown = path.strip_prefix(self.drop()).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(shown, fs::read_to_string(&path).unwrap());
                }
            }
        }
        found
    }
}

fn open(root: &Path, options: &Value) -> Result<Folder, SettingsError> {
    Settings::new(root, options).map(|settings| Folder::new(settings.unwrap()))
}

fn now() -> Timestamp {
    "2026-11-20T08:15:30Z".parse().unwrap()
}

fn names(look: &Look) -> Vec<String> {
    look.ready.iter().map(|ready| ready.name.to_string()).collect()
}

fn waiting(look: &Look) -> Vec<String> {
    look.waiting.iter().map(|waiting| format!("{}: {}", waiting.name, waiting.why)).collect()
}

fn ignored(look: &Look) -> Vec<String> {
    look.ignored.iter().map(|ignored| format!("{}: {}", ignored.name, ignored.why)).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn tree_of(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
    lines.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

const HASH: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn item_1_files_that_were_there_before_the_first_look_are_found() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "id\n1\n");
    assert_eq!(names(&world.settled()), ["people.csv"]);
}

#[test]
fn item_3_a_folder_that_comes_and_goes_is_reported_and_survived() {
    let root = TempDir::new().unwrap();
    let mut world = World::at(root, json!({}));
    let path = world.drop();
    let missing = Some(Trouble::Missing { path: path.clone() });
    assert_eq!(world.look_after(0).trouble, missing);
    assert!(!path.exists(), "the folder was made by looking at it");

    fs::create_dir(&path).unwrap();
    world.put("a.csv", "1");
    let look = world.settled();
    assert_eq!((names(&look), look.trouble), (vec!["a.csv".to_owned()], None));

    fs::remove_dir_all(&path).unwrap();
    assert_eq!(world.look_after(1).trouble, missing);
    fs::create_dir(&path).unwrap();
    world.put("b.csv", "1");
    let look = world.settled();
    assert_eq!((names(&look), look.trouble), (vec!["b.csv".to_owned()], None));

    // Renamed away, and another one in its place between two looks.
    fs::rename(&path, world.root.path().join("away")).unwrap();
    fs::create_dir(&path).unwrap();
    world.put("b.csv", "1");
    let look = world.look_after(1);
    assert_eq!(names(&look), Vec::<String>::new(), "a new file was taken for the one of the old folder");
    assert_eq!(look.warnings, [format!("the folder {} was replaced by another one", path.display())]);
    assert_eq!(names(&world.settled()), ["b.csv"]);

    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "").unwrap();
    assert_eq!(world.look_after(1).trouble, Some(Trouble::NotAFolder { path }));
}

#[test]
fn item_3_an_empty_folder_on_another_file_system_is_called_unmounted() {
    let mut world = World::new(json!({}));
    world.put("a.csv", "1");
    assert_eq!(names(&world.settled()), ["a.csv"]);
    let other = TempDir::new_in("/dev/shm").unwrap();
    let (here, there) = (fs::metadata(world.drop()).unwrap().dev(), fs::metadata(other.path()).unwrap().dev());
    assert_ne!(here, there, "this test needs two file systems");
    fs::rename(world.drop(), world.root.path().join("away")).unwrap();
    std::os::unix::fs::symlink(other.path(), world.drop()).unwrap();
    assert_eq!(world.look_after(1).trouble, Some(Trouble::Unmounted { path: world.drop() }));
    assert_eq!(world.look_after(1).trouble, Some(Trouble::Unmounted { path: world.drop() }));
    fs::remove_file(world.drop()).unwrap();
    fs::rename(world.root.path().join("away"), world.drop()).unwrap();
    let look = world.settled();
    assert_eq!((names(&look), look.trouble), (vec!["a.csv".to_owned()], None));
}

#[test]
fn item_4_a_replacement_of_the_same_size_with_an_older_time_is_noticed() {
    let mut world = World::new(json!({}));
    let path = world.put("people.csv", "old");
    assert_eq!(names(&world.settled()), ["people.csv"]);
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let other = world.root.path().join("other");
    fs::write(&other, "new").unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
    fs::rename(&other, &path).unwrap();
    let look = world.look_after(60);
    assert_eq!(waiting(&look), ["people.csv: it changed lately: the same at 1 of 3 looks"]);

    // The very same file, with the time set back after a write in place.
    assert_eq!(names(&world.settled()), ["people.csv"]);
    fs::write(&path, "NEW").unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(names(&world.look_after(60)), Vec::<String>::new());
}

#[test]
fn item_5_names_are_taken_by_pattern_and_everything_else_is_listed() {
    let mut world = World::new(json!({}));
    world.put("HR.CSV", "1");
    world.put("notes.docx", "1");
    fs::create_dir_all(world.drop().join("old")).unwrap();
    world.put("old/hr.csv", "1");
    for own in ["archive", "error", ".work"] {
        fs::create_dir(world.drop().join(own)).unwrap();
        world.put(&format!("{own}/hr.csv"), "1");
    }
    world.look_after(0);
    world.look_after(5);
    let look = world.look_after(100_000);
    assert_eq!(names(&look), ["HR.CSV"]);
    assert_eq!(
        ignored(&look),
        ["notes.docx: its name does not match `*.csv`", "old: a folder: folders within are not read"]
    );
    assert!(look.ignored.iter().all(|ignored| ignored.since == Duration::from_secs(100_005)));
}

#[test]
fn item_6_names_under_way_are_ignored_until_they_are_renamed() {
    let mut world = World::new(json!({ "pattern": "*", "unfinished": ["*.upload"] }));
    let under_way = [
        ".people.csv",
        ".in.people.csv",
        ".people.csv.Xa81bQ",
        "a.part",
        "a.partial",
        "a.csv.filepart",
        "a.TMP",
        "a.temp",
        "a.writing",
        "a.crdownload",
        "a.swp",
        "a.csv~",
        "a.csv.UPLOAD",
    ];
    for name in under_way {
        world.put(name, "1");
    }
    fs::create_dir(world.drop().join(".~tmp~")).unwrap();
    let look = world.settled();
    assert_eq!((names(&look), waiting(&look), look.ignored.len()), (vec![], vec![], under_way.len() + 1));
    fs::rename(world.drop().join("a.csv.filepart"), world.drop().join("a.csv")).unwrap();
    assert_eq!(names(&world.settled()), ["a.csv"]);
}

#[test]
fn item_7_with_a_trigger_data_waits_for_it_and_goes_at_once() {
    let mut world = World::new(json!({ "trigger": ".done" }));
    world.put("people.csv", "1");
    assert_eq!(waiting(&world.settled()), ["people.csv: its trigger `people.csv.done` is not there"]);
    world.put("people.csv.done", "");
    let look = world.look_after(0);
    assert_eq!((names(&look), look.ignored.len()), (vec!["people.csv".to_owned()], 0));
    let claim = world.folder.claim(&look.ready[0], &Holder::here(), now()).unwrap().unwrap();
    assert!(!world.drop().join("people.csv.done").exists(), "the trigger stayed without its file");
    claim.archive(now(), HASH, &json!({}), None).unwrap();
    assert_eq!(
        world.tree(),
        tree_of(&[
            ("archive/20261120T081530Z--0123456789ab--people.csv", "1"),
            ("archive/20261120T081530Z--0123456789ab--people.csv.result.json", "{}\n"),
        ])
    );
}

#[test]
fn item_7_a_trigger_without_data_is_reported_after_a_while() {
    let mut world = World::new(json!({ "trigger": ".done" }));
    world.put("people.csv.done", "");
    let look = world.settled();
    assert_eq!(waiting(&look), ["people.csv.done: it is a trigger, and there is no file for it"]);
    assert_eq!(look.stuck, []);
    let look = world.look_after(900);
    let name = FileName::new("people.csv.done");
    assert_eq!(look.stuck, [Stuck { name, why: WaitsFor::Data, since: Duration::from_secs(910) }]);
    assert!(world.drop().join("people.csv.done").exists());
}

#[test]
fn item_7_a_trigger_left_from_an_earlier_file_does_not_hasten_the_next_one() {
    let mut world = World::new(json!({ "trigger": ".done" }));
    world.put("people.csv.done", "");
    let path = world.put("people.csv", "half");
    // The file system's clock may be coarser than these two writes.
    let trigger = fs::metadata(world.drop().join("people.csv.done")).unwrap();
    while (fs::metadata(&path).unwrap().ctime(), fs::metadata(&path).unwrap().ctime_nsec())
        <= (trigger.ctime(), trigger.ctime_nsec())
    {
        fs::write(&path, "half").unwrap();
    }
    assert_eq!(waiting(&world.look_after(0)), ["people.csv: it changed lately: the same at 1 of 3 looks"]);
    assert_eq!(names(&world.settled()), ["people.csv"]);
}

#[test]
fn item_7_one_trigger_for_all_goes_with_the_last_file() {
    let mut world = World::new(json!({ "trigger": { "name": "READY" } }));
    world.put("a.csv", "1");
    world.put("b.csv", "2");
    assert_eq!(waiting(&world.settled()).len(), 2);
    world.put("READY", "");
    let look = world.look_after(0);
    assert_eq!(look.ready.len(), 2);
    let claims: Vec<Claim> = look
        .ready
        .iter()
        .map(|ready| {
            assert!(world.drop().join("READY").exists(), "the trigger went before the last file");
            world.folder.claim(ready, &Holder::here(), now()).unwrap().unwrap()
        })
        .collect();
    assert!(!world.drop().join("READY").exists());
    for claim in claims {
        claim.archive(now(), HASH, &json!({}), None).unwrap();
    }
    assert_eq!(world.tree().len(), 4);
}

#[test]
fn item_8_quiet_is_looks_and_time_by_our_own_clock() {
    let mut world = World::new(json!({}));
    let path = world.put("people.csv", "id\n");
    let days_ago = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(days_ago).unwrap();
    assert_eq!(waiting(&world.look_after(0)), ["people.csv: it changed lately: the same at 1 of 3 looks"]);
    let look = world.look_after(1);
    assert_eq!((names(&look), look.look_again), (vec![], Some(Duration::from_secs(9))));
    assert_eq!(names(&world.look_after(1)), Vec::<String>::new(), "three looks within two seconds were enough");
    assert_eq!(names(&world.look_after(8)), ["people.csv"]);

    let mut world = World::new(json!({}));
    world.put("people.csv", "id\n");
    world.look_after(0);
    assert_eq!(names(&world.look_after(60)), Vec::<String>::new(), "two looks within a minute were enough");

    // A writer that pauses for just less than it takes.
    let path = world.drop().join("people.csv");
    for _ in 0..5 {
        File::options().append(true).open(&path).unwrap().write_all(b"1\n").unwrap();
        world.look_after(1);
        world.look_after(4);
        assert_eq!(names(&world.look_after(4)), Vec::<String>::new());
    }
    assert_eq!(names(&world.look_after(1)), Vec::<String>::new());
    assert_eq!(names(&world.look_after(1)), ["people.csv"]);
}

#[test]
fn item_9_a_checksum_is_waited_for_and_compared() {
    let mut world = World::new(json!({ "checksum": true, "minimum_size": 3 }));
    world.put("people.csv", "ab");
    assert_eq!(waiting(&world.settled()), ["people.csv: it has 2 bytes; `minimum_size` is 3"]);
    world.put("people.csv", "abc");
    assert_eq!(waiting(&world.settled()), ["people.csv: its checksum `people.csv.sha256` is not there"]);
    world.put("people.csv.sha256", "00  people.csv\n");
    let wrong = "people.csv: its checksum in `people.csv.sha256` is another one, or there is none in it";
    assert_eq!(waiting(&world.look_after(1)), [wrong]);
    let right = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD  people.csv\n";
    world.put("people.csv.sha256", right);
    let look = world.look_after(1);
    assert_eq!(names(&look), ["people.csv"]);
    let claim = world.folder.claim(&look.ready[0], &Holder::here(), now()).unwrap().unwrap();
    claim.release().unwrap();
    assert_eq!(world.tree(), tree_of(&[("people.csv", "abc"), ("people.csv.sha256", right)]));
}

#[test]
fn item_10_a_file_that_was_written_on_while_it_was_read_waits_again() {
    let mut world = World::new(json!({}));
    let path = world.put("people.csv", "id\n1\n");
    let mut writer = File::options().append(true).open(&path).unwrap();
    let claim = world.claim("people.csv");
    let mut file = claim.open().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert!(claim.same_after(&file));
    writer.write_all(b"2\n").unwrap();
    assert!(!claim.same_after(&file));
    claim.release().unwrap();
    assert_eq!(world.tree(), tree_of(&[("people.csv", "id\n1\n2\n")]));
    assert_eq!(names(&world.look_after(1)), Vec::<String>::new());
    assert_eq!(names(&world.settled()), ["people.csv"]);
}

#[test]
fn item_11_a_file_that_never_becomes_quiet_is_reported_and_stops_nobody() {
    let mut world = World::new(json!({}));
    world.put("2026-11-19.csv", "1");
    world.put("2026-11-20.csv", "1");
    for _ in 0..15 {
        File::options().append(true).open(world.drop().join("2026-11-19.csv")).unwrap().write_all(b"1").unwrap();
        let look = world.look_after(60);
        assert_eq!((names(&look), look.stuck), (vec![], vec![]));
    }
    File::options().append(true).open(world.drop().join("2026-11-19.csv")).unwrap().write_all(b"1").unwrap();
    let look = world.look_after(61);
    assert_eq!(names(&look), ["2026-11-20.csv"]);
    assert_eq!(look.stuck.iter().map(|stuck| stuck.name.to_string()).collect::<Vec<_>>(), ["2026-11-19.csv"]);
}

#[test]
fn item_12_each_of_a_thousand_files_is_taken_by_one_of_four() {
    let world = World::new(json!({ "quiet": { "looks": 1, "time": "1ms" } }));
    for number in 0..1_000 {
        world.put(&format!("{number:04}.csv"), &number.to_string());
    }
    let handled = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut folder = world.restarted();
                folder.look(world.start);
                let look = folder.look(world.start + Duration::from_secs(1));
                let holder = Holder::here();
                for ready in &look.ready {
                    if let Some(claim) = folder.claim(ready, &holder, now()).unwrap() {
                        handled.fetch_add(1, Ordering::SeqCst);
                        claim.archive(now(), HASH, &json!({}), None).unwrap();
                    }
                    // Somebody looks for the dead all the time, and must not find the living.
                    let over = folder.take_over(&holder, now());
                    assert!(over.claims.is_empty() && over.finished.is_empty(), "{over:?}");
                }
            });
        }
    });
    let mut folder = world.restarted();
    let over = folder.take_over(&Holder::here(), now());
    assert_eq!((over.claims.len(), over.faults.len()), (0, 0));
    assert_eq!(names(&folder.look(world.start)), Vec::<String>::new());
    let tree = world.tree();
    let archived = tree.iter().filter(|(name, _)| !is_json(name)).map(|(_, content)| content.parse().unwrap());
    let mut archived: Vec<usize> = archived.collect();
    archived.sort_unstable();
    assert_eq!(archived, (0..1_000).collect::<Vec<_>>());
    assert_eq!((handled.into_inner(), tree.len()), (1_000, 2_000));
}

/// What is done with a file once it is taken.
type Ending = fn(Claim) -> Result<(), FolderError>;

#[test]
fn item_15_files_come_oldest_first_by_what_was_declared() {
    let in_order = |options: Value, files: &[&str]| {
        let mut world = World::new(options);
        for name in files {
            world.put(name, "1");
        }
        names(&world.settled())
    };
    let dated = ["b-2026-11-20.csv", "a-2026-11-21.csv", "c-2026-11-19.csv"];
    assert_eq!(in_order(json!({}), &dated), ["c-2026-11-19.csv", "b-2026-11-20.csv", "a-2026-11-21.csv"]);
    let numbered = ["p-10.csv", "p-9.csv", "p-100.csv"];
    assert_eq!(in_order(json!({ "order": "number" }), &numbered), ["p-9.csv", "p-10.csv", "p-100.csv"]);

    let mut world = World::new(json!({ "order": "date" }));
    world.put("2026-11-20.csv", "1");
    world.put("people.csv", "1");
    let look = world.settled();
    assert_eq!(
        (names(&look), waiting(&look)),
        (
            vec!["2026-11-20.csv".to_owned()],
            vec!["people.csv: there is no date in its name, and `order` is \"date\"".to_owned()],
        )
    );
}

#[test]
fn item_15_without_dates_in_all_names_the_arrival_decides() {
    let mut world = World::new(json!({}));
    let ctime = |path: &Path| fs::metadata(path).map(|facts| (facts.ctime(), facts.ctime_nsec())).unwrap();
    let first = world.put("z-2026-11-20.csv", "1");
    let mut second = world.put("a.csv", "1");
    while ctime(&second) <= ctime(&first) {
        fs::remove_file(&second).unwrap();
        second = world.put("a.csv", "1");
    }
    let look = world.settled();
    assert_eq!(names(&look), ["z-2026-11-20.csv", "a.csv"]);
    // A name that has a date is known by it all the same.
    assert_eq!(look.ready[0].order.to_string(), "date:2026-11-20");
    assert!(matches!(look.ready[1].order, OrderKey::Arrival(_)));
}

#[test]
fn item_15_a_younger_file_waits_for_an_older_one_that_is_still_arriving() {
    let mut world = World::new(json!({}));
    world.put("2026-11-20.csv", "1");
    world.look_after(0);
    world.look_after(5);
    world.put("2026-11-19.csv", "1");
    let look = world.look_after(5);
    assert_eq!(
        waiting(&look),
        [
            "2026-11-19.csv: it changed lately: the same at 1 of 3 looks",
            "2026-11-20.csv: `2026-11-19.csv` is older and comes first",
        ]
    );
    assert_eq!(names(&world.settled()), ["2026-11-19.csv", "2026-11-20.csv"]);
}

#[test]
fn item_17_a_file_that_does_not_come_is_told_and_nothing_else_happens() {
    let mut world = World::new(json!({ "expect_every": "1d" }));
    world.put("people.csv", "1");
    assert_eq!(world.settled().overdue, None);
    assert_eq!(world.look_after(86_400).overdue, None);
    assert_eq!(world.look_after(1).overdue, Some(Duration::from_secs(86_401)));
    world.put("more.csv", "1");
    assert_eq!(world.settled().overdue, None);
    let mut silent = World::new(json!({}));
    silent.look_after(0);
    assert_eq!(silent.look_after(10_000_000).overdue, None);
}

#[test]
fn item_47_what_we_write_is_for_the_owner_only() {
    let mut world = World::new(json!({}));
    let path = world.put("people.csv", "1");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let archived = world.claim("people.csv").archive(now(), HASH, &json!({}), Some(b"rows")).unwrap();
    for folder in ["archive", "error", ".work"] {
        assert_eq!(mode(&world.drop().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&archived), 0o600);
    for name in world.tree().into_keys() {
        assert_eq!(mode(&world.drop().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn item_48_only_plain_files_with_one_name_are_taken() {
    let mut world = World::new(json!({}));
    let secret = world.root.path().join("secret.csv");
    fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, world.drop().join("link.csv")).unwrap();
    fs::hard_link(&secret, world.drop().join("hard.csv")).unwrap();
    let pipe = world.drop().join("pipe.csv");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.drop().join("socket.csv")).unwrap();
    fs::create_dir(world.drop().join("folder.csv")).unwrap();
    world.put("line\nbreak.csv", "1");
    let odd = OsString::from_vec(b"bytes-\xff.csv".to_vec());
    fs::write(world.drop().join(&odd), "1").unwrap();
    let look = world.settled();
    assert_eq!(
        ignored(&look),
        [
            "folder.csv: a folder: folders within are not read",
            "hard.csv: a file with 2 names: somebody else can change it behind our back",
            "line\\nbreak.csv: a control character in its name",
            "link.csv: a symlink: the file itself has to be there",
            "pipe.csv: no regular file: a pipe",
            "socket.csv: no regular file: a socket",
        ]
    );
    assert_eq!(names(&look), ["bytes-\\xff.csv"]);
    let claim = world.folder.claim(&look.ready[0], &Holder::here(), now()).unwrap().unwrap();
    let archived = claim.archive(now(), HASH, &json!({}), None).unwrap();
    assert!(archived.file_name().unwrap().as_bytes().ends_with(b"--bytes-\xff.csv"));
}

#[test]
fn item_48_what_is_exchanged_between_look_and_claim_is_not_taken() {
    let secret = TempDir::new().unwrap();
    fs::write(secret.path().join("secret.csv"), "1").unwrap();
    let mut world = World::new(json!({}));
    let path = world.put("people.csv", "1");
    let look = world.settled();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(secret.path().join("secret.csv"), &path).unwrap();
    assert!(world.folder.claim(&look.ready[0], &Holder::here(), now()).unwrap().is_none());
    assert!(path.is_symlink());

    // And between claim and opening.
    fs::remove_file(&path).unwrap();
    world.put("people.csv", "1");
    let claim = world.claim("people.csv");
    let taken = claim.path();
    fs::remove_file(&taken).unwrap();
    std::os::unix::fs::symlink(secret.path().join("secret.csv"), &taken).unwrap();
    assert!(claim.open().is_err());
}

#[test]
fn item_49_a_folder_that_anybody_can_write_into_and_work_elsewhere_are_warned_of() {
    let other = TempDir::new_in("/dev/shm").unwrap();
    let mut world = World::new(json!({ "work": other.path().join("work") }));
    fs::set_permissions(world.drop(), fs::Permissions::from_mode(0o777)).unwrap();
    world.put("people.csv", "1");
    let look = world.settled();
    assert_eq!(
        look.warnings,
        [
            format!("anybody can write into the folder {}: chmod o-w", world.drop().display()),
            format!(
                "`work`, {}, is on another file system than the folder: files cannot be taken",
                other.path().join("work").display()
            ),
        ]
    );
    let fault = world.folder.claim(&look.ready[0], &Holder::here(), now()).unwrap_err();
    assert!(matches!(fault, FolderError::OtherFileSystem { .. }), "{fault}");
    assert_eq!(world.tree(), tree_of(&[("people.csv", "1")]));
    assert_eq!(fs::read_dir(other.path().join("work")).unwrap().count(), 0);
}

#[test]
fn item_50_nothing_that_was_not_taken_is_changed() {
    let mut world = World::new(json!({ "trigger": ".done", "checksum": true }));
    let others = ["a.txt", "b.csv", "c.csv.done", "d.csv.sha256", ".e.csv", "people.csv.ok", "f.csv.part"];
    for name in others {
        world.put(name, name);
    }
    let facts = |world: &World| {
        others.map(|name| {
            let facts = fs::symlink_metadata(world.drop().join(name)).unwrap();
            (facts.ino(), facts.mode(), facts.ctime(), facts.ctime_nsec(), facts.mtime_nsec())
        })
    };
    let before = facts(&world);
    world.put("people.csv", "abc");
    world.put("people.csv.sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    world.put("people.csv.done", "");
    world.claim("people.csv").archive(now(), HASH, &json!({}), None).unwrap();
    world.folder.take_over(&Holder::here(), now());
    world.folder.prune(now(), &BTreeSet::new()).unwrap();
    assert_eq!(facts(&world), before);
}

#[test]
fn item_53_ten_thousand_files_are_one_look() {
    let mut world = World::new(json!({ "quiet": { "looks": 1, "time": "1ms" } }));
    for number in 0..10_000 {
        world.put(&format!("{number:05}.csv"), "");
    }
    world.look_after(0);
    let look = world.look_after(1);
    assert_eq!((look.ready.len(), look.waiting.len(), look.ignored.len()), (10_000, 0, 0));
}

#[test]
fn a_released_file_never_replaces_a_newer_one_of_its_name() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "old");
    let claim = world.claim("people.csv");
    world.put("people.csv", "new");
    let fault = claim.release().unwrap_err();
    assert_eq!(fault.to_string(), "`people.csv` cannot be put back: another file has its name by now");
    let over = world.folder.take_over(&Holder::here(), now());
    assert_eq!(fs::read_to_string(over.claims[0].path()).unwrap(), "old");
    assert_eq!(fs::read_to_string(world.drop().join("people.csv")).unwrap(), "new");
}

#[test]
fn a_file_read_in_place_stays_and_is_not_ready_again_until_it_changes() {
    let place = TempDir::new().unwrap();
    let mut world = World::new(json!({ "archive": place.path().join("archive") }));
    let path = world.put("people.csv", "1");
    let look = world.settled();
    let claim = world.folder.in_place(&look.ready[0], now()).unwrap().unwrap();
    assert_eq!(claim.path(), path);
    let file = claim.open().unwrap();
    assert!(claim.same_after(&file));
    let archived = claim.archive(now(), HASH, &json!({}), None).unwrap();
    assert_eq!(archived, place.path().join("archive/20261120T081530Z--0123456789ab--people.csv"));
    assert_eq!(fs::read_to_string(&archived).unwrap(), "1");
    world.folder.leave(&look.ready[0]);
    let look = world.settled();
    assert_eq!((names(&look), waiting(&look)), (vec![], vec![]));
    assert_eq!(world.tree(), tree_of(&[("people.csv", "1")]));
    world.put("people.csv", "2");
    assert_eq!(names(&world.settled()), ["people.csv"]);
}

#[test]
fn a_long_name_keeps_its_ending_in_the_archive() {
    let mut world = World::new(json!({}));
    let name = format!("{}.csv", "ü".repeat(120));
    world.put(&name, "1");
    let archived = world.claim(&name).archive(now(), HASH, &json!({}), Some(b"1")).unwrap();
    let kept = archived.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(kept, format!("20261120T081530Z--0123456789ab--{}.csv", "ü".repeat(73)));
}
