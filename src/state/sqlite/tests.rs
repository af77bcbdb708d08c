//! The store, tried with files of its own.

use super::*;
use crate::model::{
    links::{Link, Links},
    plan::{Believed, Home, Input, List, SignIn},
    tally::removing,
    values::Values,
};
use crate::state::expectation::FollowUps;

#[test]
fn what_is_settled_is_remembered_by_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/state.db");
    let (person, system) = (PersonId::parse("hr/1").unwrap(), "gitlab".into());
    let links: Links = [Link { person: &person, system: &system, account: "42" }].into_iter().collect();
    let seen = Seen {
        system: "web".into(),
        key: "7".into(),
        person: None,
        values: [("username".into(), "ann".into())].into(),
    };
    let plan = Plan::empty();
    {
        let store = Sqlite::open(&path).unwrap();
        let run = store.begin(&plan, &Occasion::default(), "2026-11-20T00:00:00Z").unwrap();
        let entry = Entry::Calling { call: "c1".into(), attempt: 1, method: "PUT".into(), path: "/x".into() };
        store.append(run, &entry).unwrap();
        let settlement = Settlement {
            plan: &plan,
            links: &links,
            seen: std::slice::from_ref(&seen),
            open_words: Some(&[]),
            marks: &[],
            standing: Standing::Done,
            follow_ups: &FollowUps::default(),
        };
        store.settle(run, &settlement, "2026-11-20T00:00:01Z").unwrap();
    }
    let store = Sqlite::open(&path).unwrap();
    let memory = store.memory().unwrap();
    assert_eq!((memory.links, memory.seen), (links, vec![seen]));
    assert_eq!(store.runs().unwrap()[0].finished.as_deref(), Some("2026-11-20T00:00:01Z"));
    let (document, entries) = store.run(1).unwrap().unwrap();
    assert_eq!((document, entries.len()), (plan, 3));
}

#[test]
fn whom_a_run_touches_counts_from_its_beginning_for_as_long_as_the_window_is() {
    let store = Sqlite::in_memory().unwrap();
    store.begin(&removing(0..2), &Occasion::default(), "2026-11-20T10:00:00Z").unwrap();
    store.begin(&removing(1..3), &Occasion::default(), "2026-11-20T11:00:00.5Z").unwrap();
    let removed = |since: &str| {
        let counted = store.counted(Some(since)).unwrap();
        let all = counted.tallies.into_iter().filter(|tally| tally.touch == Touch::Removed);
        let mut whom: Vec<String> = all.map(|tally| tally.whom).collect();
        whom.sort();
        whom.join(" ")
    };
    assert_eq!(removed("2026-11-20T10:00:00.9Z"), "0 1 2");
    assert_eq!(removed("2026-11-20T10:00:01Z"), "1 2");
    assert_eq!(removed("2026-11-20T11:00:01Z"), "");
    // A clock that was set back by a month lets nobody out of the window.
    assert_eq!(removed("2026-10-20T10:00:00Z"), "0 1 2");
    assert_eq!(store.counted(None).unwrap().tallies, Vec::new());
}

#[test]
fn a_plan_that_was_judged_before_another_run_began_is_judged_anew() {
    let store = Sqlite::in_memory().unwrap();
    let (plan, about) = (removing(0..2), Occasion::default());
    let judged = store.counted(None).unwrap().last;
    let beginning = Beginning { plan: &plan, about: &about, counted: judged, aside: None };
    let first = store.begin_judged(&beginning, "2026-11-20T10:00:00Z").unwrap();
    assert!(first.is_some());
    assert_eq!(store.begin_judged(&beginning, "2026-11-20T10:00:00Z").unwrap(), None);
    assert_eq!(store.runs().unwrap().len(), 1, "nothing of it is written");
    let now = Beginning { counted: store.counted(None).unwrap().last, ..beginning };
    assert!(store.begin_judged(&now, "2026-11-20T10:00:00Z").unwrap() > first);
}

#[test]
fn what_somebody_said_of_a_tie_is_not_taken_back_by_a_run_that_was_begun_before() {
    let store = Sqlite::in_memory().unwrap();
    let now = "2026-11-20T10:00:00Z";
    let (anna, ben) = (PersonId::parse("hr/1").unwrap(), PersonId::parse("hr/2").unwrap());
    let gitlab = SystemName::from("gitlab");
    let link = |person, account| Link { person, system: &gitlab, account };
    let tied = |store: &Sqlite| -> Vec<String> {
        let links = store.ties().unwrap().links;
        links.iter().map(|link| format!("{} {}", link.account, link.person)).collect()
    };
    let old = store.begin(&Plan::empty(), &Occasion::default(), now).unwrap();
    let say = |person, account, is_hers| {
        store.correct(&Correction { link: link(person, account), is_hers, by: "Ada" }, "", now).unwrap()
    };
    say(&anna, "9", true);
    say(&ben, "8", false);
    let of = |links: &[Link<'_>]| Note::Ties(links.iter().copied().collect());
    // Another account for her, hers for somebody else, and one that is not his.
    let wrong = of(&[link(&anna, "7"), link(&ben, "9"), link(&ben, "8"), link(&ben, "6")]);
    let mut connection = store.connection();
    let transaction = connection.transaction().unwrap();
    write_note(&transaction, old, &wrong).unwrap();
    transaction.commit().unwrap();
    drop(connection);
    assert_eq!(tied(&store), ["6 hr/2", "9 hr/1"]);
    // What a later run finds is news.
    let new = store.begin(&Plan::empty(), &Occasion::default(), now).unwrap();
    let mut connection = store.connection();
    let transaction = connection.transaction().unwrap();
    write_note(&transaction, new, &of(&[link(&anna, "10")])).unwrap();
    transaction.commit().unwrap();
    drop(connection);
    assert_eq!(tied(&store), ["10 hr/1", "6 hr/2", "9 hr/1"]);
    // The last word on both sides of a tie counts: hers goes, and his.
    say(&ben, "9", true);
    say(&anna, "6", true);
    assert_eq!(tied(&store), ["6 hr/1", "9 hr/2"]);
    let corrections = store.ties().unwrap().corrections;
    let said = |links: &Links| -> Vec<String> {
        links.iter().map(|link| format!("{} {}", link.account, link.person)).collect()
    };
    assert_eq!(
        (said(&corrections.hers), said(&corrections.not_hers)),
        (vec!["6 hr/1".into(), "9 hr/2".into()], vec!["8 hr/2".into(), "9 hr/1".into()])
    );
}

#[test]
fn what_a_limit_held_and_somebody_approved_does_not_count_and_what_only_waited_does() {
    let store = Sqlite::in_memory().unwrap();
    for (standing, counts) in [(Standing::Held, 0), (Standing::Aside, 0), (Standing::Waiting, 3)] {
        let plan = removing(0..1);
        let run = store.keep(Some(&plan), &Occasion::default(), standing, "", "2026-11-20T10:00:00Z").unwrap();
        let at = "2026-11-20T10:00:01Z".to_owned();
        let said = Said { run, plan: plan.id, who: "Ada".to_owned(), at, word: Word::Approved };
        assert_eq!(store.say(&said, 1).unwrap(), Heard::Settled);
        let counted = store.counted(Some("2026-11-20T00:00:00Z")).unwrap();
        assert_eq!(counted.tallies.len(), counts, "{standing:?}");
    }
}

#[test]
fn whoever_opens_a_store_does_not_wait_for_somebody_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(Sqlite::open(&path).unwrap());
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("begin immediate; insert into feeds values ('hr', '')").unwrap();
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.runs().unwrap(), Vec::new());
    writer.execute_batch("drop index runs_about; commit").unwrap();
    assert!(!has_all_tables(&store.connection()).unwrap());
    drop(store);
    assert!(has_all_tables(&Sqlite::open(&path).unwrap().connection()).unwrap());
}

#[test]
fn nobody_but_its_owner_reads_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let _store = Sqlite::open(&path).unwrap();
    for file in ["state.db", "state.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StateError::Newer { found: 99, known: FORMAT })));
}

#[test]
fn who_has_to_sign_in_is_known_of_runs_of_before_plans_had_heads_as_of_others() {
    let store = Sqlite::in_memory().unwrap();
    let home = Home { kind: "mattermost".to_owned(), url: "https://chat.example.com".to_owned(), per_person: true };
    let people = [PersonId::parse("hr/1").unwrap()].into();
    let sign_in = SignIn { system: "chat".into(), at: home.url.clone(), people };
    let input = Input {
        system: "hr".into(),
        file: "people.csv".to_owned(),
        sha256: String::new(),
        records: 0,
        rejected: 0,
        list: None,
        same_as: None,
    };
    let plan = Plan {
        inputs: vec![input],
        systems: [("chat".into(), home)].into(),
        sign_in: vec![sign_in.clone()],
        ..Plan::empty()
    };
    store.begin(&plan, &Occasion::default(), "2026-11-20T10:00:00Z").unwrap();
    let said = store.newest_sign_ins().unwrap();
    assert_eq!((&said[0].sources, &said[0].sign_in, said[0].per_person), (&["hr".into()].into(), &vec![sign_in], true));
    store.connection().execute("delete from heads", []).unwrap();
    assert_eq!(store.newest_sign_ins().unwrap(), said);
}

/// A run that takes a list over, made when the journal ended here, is begun, and others do something meanwhile; then it is
/// done. Whether the list is believed after that, and after what others do then.
fn is_believed(meanwhile: impl Fn(&Sqlite, i64), then: impl Fn(&Sqlite, i64)) -> (bool, bool) {
    let store = Sqlite::in_memory().unwrap();
    let other = store.begin(&Plan::empty(), &Occasion::default(), "2026-11-20T10:00:00Z").unwrap();
    let believed = Believed { after: store.memory().unwrap().place, ..Believed::default() };
    let list = List { believed: Some(believed), ..List::default() };
    let input = Input {
        system: "hr".into(),
        file: "people.csv".to_owned(),
        sha256: String::new(),
        records: 0,
        rejected: 0,
        list: Some(list),
        same_as: None,
    };
    let plan = Plan { inputs: vec![input], ..Plan::empty() };
    meanwhile(&store, other);
    let run = store.begin(&plan, &Occasion::default(), "2026-11-20T11:00:00Z").unwrap();
    store.append(run, &calling()).unwrap();
    store.settle(run, &Settlement { plan: &plan, ..nothing_new() }, "2026-11-20T11:00:01Z").unwrap();
    let is_so = || store.memory().unwrap().accepted[&"hr".into()].believed.is_some();
    let before = is_so();
    then(&store, other);
    let at_rest = store.at_rest(&"hr".into()).unwrap();
    assert_eq!(at_rest.is_some_and(|it| it.believed.is_some()), is_so());
    (before, is_so())
}

fn calling() -> Entry {
    Entry::Calling { call: "c1".into(), attempt: 1, method: "PUT".into(), path: "/x".into() }
}

fn nothing_new() -> Settlement<'static> {
    static NOTHING: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(Plan::empty);
    static TIES: std::sync::LazyLock<Links> = std::sync::LazyLock::new(Links::default);
    static LATER: std::sync::LazyLock<FollowUps> = std::sync::LazyLock::new(FollowUps::default);
    Settlement {
        plan: &NOTHING,
        links: &TIES,
        seen: &[],
        open_words: Some(&[]),
        marks: &[],
        standing: Standing::Done,
        follow_ups: &LATER,
    }
}

#[test]
fn a_list_is_believed_until_another_run_sends_or_learns_something_whichever_began_first() {
    let idle = |_: &Sqlite, _: i64| {};
    let sends = |store: &Sqlite, run: i64| store.append(run, &calling()).unwrap();
    let ends = |store: &Sqlite, run: i64| store.settle(run, &nothing_new(), "2026-11-20T12:00:00Z").unwrap();
    let learns = |store: &Sqlite, run: i64| {
        let seen = [Seen { system: "desk".into(), key: "7".into(), person: None, values: Values::default() }];
        store.settle(run, &Settlement { seen: &seen, ..nothing_new() }, "2026-11-20T12:00:00Z").unwrap();
    };
    assert_eq!(is_believed(idle, idle), (true, true));
    assert_eq!(is_believed(ends, idle), (true, true));
    assert_eq!(is_believed(idle, ends), (true, true));
    assert_eq!(is_believed(sends, idle), (false, false), "the first list of its source");
    assert_eq!(is_believed(learns, idle), (false, false));
    assert_eq!(is_believed(idle, sends), (true, false));
    assert_eq!(is_believed(idle, learns), (true, false));
    let damages = |store: &Sqlite, _: i64| {
        store
            .connection()
            .execute("update journal set entry = '{' where place = (select max(place) from journal)", [])
            .unwrap();
    };
    assert_eq!(
        is_believed(idle, |store: &Sqlite, run: i64| {
            ends(store, run);
            damages(store, run);
        }),
        (true, false)
    );
}

#[test]
fn what_a_run_was_about_is_asked_of_any_run() {
    let store = Sqlite::in_memory().unwrap();
    let input = |system: &str| Input {
        system: system.into(),
        file: "people.csv".to_owned(),
        sha256: String::new(),
        records: 0,
        rejected: 0,
        list: None,
        same_as: None,
    };
    let plan = Plan { inputs: vec![input("hr"), input("website")], ..Plan::empty() };
    let both: Vec<SystemName> = vec!["hr".into(), "website".into()];
    let keep = |standing| store.keep(Some(&plan), &Occasion::default(), standing, "", "2026-11-20T00:00:00Z").unwrap();
    let (whole, part) = (keep(Standing::Done), keep(Standing::Aside));
    assert_eq!((store.sources(whole).unwrap(), store.sources(part).unwrap()), (both.clone(), both.clone()));
    assert!(store.stand(part, &[Standing::Aside], Standing::Rejected, "", "2026-11-20T00:00:01Z").unwrap());
    store.prune("2026-11-21T00:00:00Z", &[]).unwrap();
    // Of a part nothing is noted beside its plan.
    assert_eq!((store.sources(whole).unwrap(), store.sources(part).unwrap()), (both, Vec::new()));
    assert_eq!(store.sources(99).unwrap(), Vec::new());
}
