//! The process is killed anywhere on a file's way, again and again.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    feed::{Feed, list, row},
    server::{Answer, forward},
};

/// How many points are tried with every run of the tests. `HOMEWARD_KILLS=240` tries more.
const POINTS: usize = 24;

/// Where a process is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// After so many microseconds.
    After(u64),
    /// When it has sent so many requests: before the last of them is handed on, or with its answer on the way.
    Request(usize, Moment),
    /// When so many different states of the folder were seen.
    Change(usize),
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Asked,
    Answered,
}

/// Numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What an undisturbed way takes.
struct Measure {
    time: Duration,
    requests: usize,
    changes: usize,
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long they may take")]
fn points() -> usize {
    std::env::var("HOMEWARD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(POINTS)
}

/// The files, in their order: people who come, people who are renamed, a row that cannot be used, a file that cannot be
/// used, and one that came before under another name.
fn file(number: usize) -> (String, String) {
    let name = format!("{number:04}.csv");
    let comes = row(number, &format!("name{number}"));
    let text = match number % 8 {
        3 => list(&format!("{comes}x,bad,bad@example.com,Bad\n")),
        5 => "<html><body>not today</body></html>".to_owned(),
        7 => file(number - 1).1,
        _ if number > 2 => {
            let earlier = number - 2 - (number - 2) % 8 + 1;
            list(&format!("{comes}{}", row(earlier, &format!("renamed{number}"))))
        }
        _ => list(&comes),
    };
    (name, text)
}

/// Everything that is in the folder now, by name.
fn state(folder: &Path) -> BTreeSet<String> {
    let mut state = BTreeSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            state.insert(path.to_string_lossy().into_owned());
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && !["archive", "error"].iter().any(|it| path.ends_with(it))
            {
                left.push(path);
            }
        }
    }
    // Of what is put away only how much it is: there are many.
    for kept in ["archive", "error"] {
        let count = fs::read_dir(folder.join(kept)).map_or(0, Iterator::count);
        state.insert(format!("{kept} {count}"));
    }
    state
}

impl Feed {
    /// Runs the service once, and kills it where it is told to. True where it was killed before its end.
    fn run_until(&self, point: Option<Point>) -> (bool, Measure) {
        let requests = Arc::new(AtomicUsize::new(0));
        let (strike, struck) = channel::<()>();
        let upstream = self.world.url("gitlab");
        let (counted, at) = (Arc::clone(&requests), point);
        let strike: std::sync::Mutex<Sender<()>> = std::sync::Mutex::new(strike);
        self.server.behave(move |request| {
            let now = counted.fetch_add(1, Ordering::SeqCst) + 1;
            let strike = || {
                // The blow falls while it waits for an answer that never comes.
                let _ = strike.lock().unwrap().send(());
                Answer::Silence
            };
            match at {
                Some(Point::Request(number, Moment::Asked)) if number == now => strike(),
                Some(Point::Request(number, Moment::Answered)) if number == now => {
                    let _ = forward(&upstream, request);
                    strike()
                }
                _ => forward(&upstream, request),
            }
        });
        let folder = self.world.path("drop");
        let begun = Instant::now();
        let mut watch = self.watch(&["--once"]);
        let (mut changes, mut last) = (0, BTreeSet::new());
        loop {
            if watch.has_ended() {
                let measure = Measure { time: begun.elapsed(), requests: requests.load(Ordering::SeqCst), changes };
                return (false, measure);
            }
            let now = state(&folder);
            if now != last {
                last = now;
                changes += 1;
            }
            let is_there = match point {
                None => false,
                Some(Point::After(time)) => begun.elapsed().as_micros() >= u128::from(time),
                Some(Point::Request(..)) => struck.try_recv().is_ok(),
                Some(Point::Change(number)) => changes > number,
            };
            if is_there {
                watch.kill();
                let measure = Measure { time: begun.elapsed(), requests: requests.load(Ordering::SeqCst), changes };
                return (true, measure);
            }
            if point.is_none() || matches!(point, Some(Point::Request(..))) {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

#[test]
fn item_13_killed_at_every_step_of_its_way_a_file_arrives_once_and_the_folder_is_tidy() {
    let calm = Feed::begun("partial", "");
    let feed = Feed::begun("partial", "");
    let points = points();
    let mut dice = Dice(20_261_120);
    let mut usual = Measure { time: Duration::ZERO, requests: 0, changes: 0 };
    let (mut kills, mut number) = (0, 0);
    while kills < points {
        number += 1;
        let (name, text) = file(number);
        calm.drop(&name, &text);
        feed.drop(&name, &text);
        if number % 16 == 1 {
            // How long it takes depends on what else the machine has to do.
            usual = feed.run_until(None).1;
        } else {
            let mut told = Vec::new();
            // Once, or again while it recovers.
            for _ in 0..=dice.below(2) {
                let point = match dice.below(3) {
                    0 => Point::After(dice.below(usual.time.as_micros().try_into().unwrap())),
                    1 => {
                        let moment = if dice.below(2) == 0 { Moment::Asked } else { Moment::Answered };
                        Point::Request(1 + usize::try_from(dice.below(usual.requests as u64)).unwrap(), moment)
                    }
                    _ => Point::Change(1 + usize::try_from(dice.below(usual.changes as u64)).unwrap()),
                };
                if feed.run_until(Some(point)).0 {
                    kills += 1;
                    told.push(point);
                }
            }
            feed.run_until(None);
            let when = format!("after {name} was struck at {told:?}");
            feed.assert_tidy(&when);
            feed.assert_nothing_twice(&when);
            assert_eq!(feed.files("archive").len() + feed.files("error").len(), put_away(number), "{when}");
        }
    }
    assert!(kills >= points, "{kills} of {points}");

    // Everything is where it would be, had nobody been killed.
    calm.once();
    assert_eq!(feed.people(), calm.people());
    let settled = |feed: &Feed| {
        let mut runs = feed.runs();
        runs.retain(|run| !run.ends_with(" redone"));
        runs
    };
    assert_eq!(settled(&feed), settled(&calm), "one run for each file, and none that is left open");
    for folder in ["archive", "error"] {
        // Without time and hash in front.
        let names = |feed: &Feed| -> Vec<String> {
            let mut names: Vec<String> =
                feed.names(folder).iter().map(|name| name.splitn(3, "--").nth(2).unwrap().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&feed), names(&calm), "in {folder}");
    }
    for number in 1..=number {
        let (name, text) = file(number);
        let (folder, result) = match number % 8 {
            5 => ("error", "refused"),
            7 => ("archive", "duplicate"),
            _ => ("archive", "done"),
        };
        let (kept, told) = feed.put_away(folder, &name);
        assert_eq!((kept, &told["result"], &told["file"]), (text, &result.into(), &name.into()));
    }
}

#[test]
fn killed_at_any_of_its_requests_a_creation_is_made_once_and_its_run_is_done_again_by_the_next() {
    let feed = Feed::begun("partial", "");
    feed.drop("0001.csv", &list(&row(1, "one")));
    let usual = feed.run_until(None).1;
    let there = feed.people().len();
    let mut number = 1;
    for request in 1..=usual.requests {
        for moment in [Moment::Asked, Moment::Answered] {
            number += 1;
            let name = format!("{number:04}.csv");
            feed.drop(&name, &list(&row(number, &format!("name{number}"))));
            let when = format!("killed at request {request}, {moment:?}");
            assert!(feed.run_until(Some(Point::Request(request, moment))).0, "{when}");
            feed.run_until(None);
            feed.assert_tidy(&when);
            feed.assert_nothing_twice(&when);
            let told: Vec<String> = feed.runs().into_iter().filter(|run| run.starts_with(&name)).collect();
            let told: Vec<&str> = told.iter().filter_map(|run| run.split(' ').nth(1)).collect();
            assert!(matches!(told[..], ["done"] | ["redone", "done"]), "{when}: {told:?}");
        }
    }
    assert_eq!(feed.people().len(), there + number - 1);
}

/// How many files there are in archive and error folder after so many: the first of all, each one, and those of rejected
/// rows.
fn put_away(number: usize) -> usize {
    1 + number + (number + 5) / 8
}
