//! What becomes of a file that was taken, wherever its holder is killed.

use super::*;

/// Kills a file's way after every single step, lets another process go on, and hands over what is left then.
fn killed_everywhere(options: &Value, ending: Ending, check: impl Fn(&World, usize)) -> usize {
    for steps in 0.. {
        let mut world = World::new(options.clone());
        world.put("people.csv", "abc");
        world.put("people.csv.sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        world.put("people.csv.done", "");
        let look = world.settled();
        world.folder.ground.steps_left.store(steps, Ordering::SeqCst);
        let done = world.folder.claim(&look.ready[0], &Holder::here(), now()).map(|claim| ending(claim.unwrap()));
        let survived = world.folder.ground.steps_left.load(Ordering::SeqCst) > 0;
        assert_eq!(world.tree().values().filter(|content| *content == "abc").count(), 1, "after {steps} steps");

        // The next one is killed at the same step of its own.
        let next = world.restarted();
        next.ground.steps_left.store(steps % 7, Ordering::SeqCst);
        next.take_over(&Holder::here(), now());
        drop(next);

        let mut last = world.restarted();
        for claim in last.take_over(&Holder::here(), now()).claims {
            assert_eq!(claim.name().to_string(), "people.csv");
            let mut text = String::new();
            claim.open().unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "abc");
            ending(claim).unwrap();
        }
        for seconds in [0, 5, 10] {
            for ready in last.look(world.start + Duration::from_secs(1_000 + seconds)).ready {
                ending(last.claim(&ready, &Holder::here(), now()).unwrap().unwrap()).unwrap();
            }
        }
        check(&world, steps);
        if survived {
            assert!(matches!(done, Ok(Ok(()))));
            return steps;
        }
    }
    unreachable!("the loop ends with a way that is not cut")
}

#[test]
fn item_13_killed_at_any_step_an_archived_file_is_there_once_and_the_folder_tidy() {
    let ending: Ending = |claim| claim.archive(now(), HASH, &json!({ "rows": 1 }), Some(b"line,1\n")).map(drop);
    let steps = killed_everywhere(&json!({ "trigger": ".done", "checksum": true }), ending, |world, steps| {
        let base = "20261120T081530Z--0123456789ab--people.csv";
        let expected = tree_of(&[
            (&format!("archive/{base}"), "abc"),
            (&format!("archive/{base}.result.json"), "{\n  \"rows\": 1\n}\n"),
            (&format!("error/{base}.rejected.csv"), "line,1\n"),
        ]);
        assert_eq!(world.tree(), expected, "after {steps} steps");
        assert_eq!(fs::read_dir(world.drop().join(".work")).unwrap().count(), 0, "after {steps} steps");
    });
    assert!(steps > 30, "{steps}");
}

#[test]
fn item_13_killed_at_any_step_a_refused_file_is_there_once_and_the_folder_tidy() {
    let ending: Ending = |claim| claim.refuse(now(), None, &json!("it is empty")).map(drop);
    killed_everywhere(&json!({ "trigger": ".done", "checksum": true }), ending, |world, steps| {
        let base = "error/20261120T081530Z--unread--people.csv";
        let expected = tree_of(&[(base, "abc"), (&format!("{base}.reason.json"), "\"it is empty\"\n")]);
        assert_eq!(world.tree(), expected, "after {steps} steps");
    });
}

#[test]
fn item_13_killed_at_any_step_a_released_file_is_where_it_was() {
    killed_everywhere(&json!({ "trigger": ".done", "checksum": true }), Claim::release, |world, steps| {
        let names: Vec<String> = world.tree().into_keys().collect();
        assert_eq!(names, ["people.csv", "people.csv.done", "people.csv.sha256"], "after {steps} steps");
    });
}

#[test]
fn item_13_a_holder_on_another_machine_is_believed_until_its_lease_is_over() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "1");
    let claim = world.claim("people.csv");
    let lease = claim.path().parent().unwrap().parent().unwrap().join("lease.json");
    let folder = world.restarted();
    let after = |seconds| now() + jiff::SignedDuration::from_secs(seconds);
    assert_eq!(folder.take_over(&Holder::here(), after(3_600)).claims.len(), 0, "it lives, however slow it is");

    claim.renew(after(100)).unwrap();
    drop(claim);
    let mut written: Value = serde_json::from_slice(&fs::read(&lease).unwrap()).unwrap();
    written["holder"]["boot"] = json!("another machine");
    fs::write(&lease, written.to_string()).unwrap();
    assert_eq!(folder.take_over(&Holder::here(), after(160)).claims.len(), 0);
    let over = folder.take_over(&Holder::here(), after(161));
    assert_eq!(over.claims.iter().map(|claim| claim.name().to_string()).collect::<Vec<_>>(), ["people.csv"]);
    assert_eq!(over.claims[0].taken(), now());
}

#[test]
fn item_13_a_holder_whose_claim_was_taken_over_can_do_nothing_more() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "1");
    let slow = world.claim("people.csv");
    // As if on another machine, where our lock says nothing.
    let lock = slow.path().parent().unwrap().parent().unwrap().join("lock");
    fs::remove_file(&lock).unwrap();
    let over = world.restarted().take_over(&Holder::here(), now());
    assert_eq!(over.claims.len(), 1);
    assert_eq!(slow.renew(now()).unwrap_err().to_string(), "another process took over `people.csv`");
    assert_eq!(slow.open().unwrap_err().to_string(), "another process took over `people.csv`");
    assert!(matches!(slow.archive(now(), HASH, &json!({}), None), Err(FolderError::Lost { .. })));
    assert_eq!(fs::read_to_string(over.claims[0].path()).unwrap(), "1");
}

#[test]
fn item_13_of_many_that_take_over_one_wins() {
    let mut world = World::new(json!({}));
    for number in 0..50 {
        world.put(&format!("{number}.csv"), "1");
    }
    for ready in world.settled().ready {
        drop(world.folder.claim(&ready, &Holder::here(), now()).unwrap().unwrap());
    }
    let mut all: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> =
            (0..4).map(|_| scope.spawn(|| world.restarted().take_over(&Holder::here(), now()).claims)).collect();
        let claims: Vec<Claim> = running.into_iter().flat_map(|running| running.join().unwrap()).collect();
        claims.iter().map(|claim| claim.name().to_string()).collect()
    });
    all.sort();
    let mut expected: Vec<String> = (0..50).map(|number| format!("{number}.csv")).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn item_45_nothing_in_the_archive_is_ever_overwritten() {
    let mut world = World::new(json!({}));
    for content in ["first", "second", "third"] {
        world.put("people.csv", content);
        world.claim("people.csv").archive(now(), HASH, &json!({ "it": content }), None).unwrap();
    }
    let contents: Vec<(String, String)> = world.tree().into_iter().filter(|(name, _)| !is_json(name)).collect();
    let expected = [("", "first"), ("-2", "second"), ("-3", "third")].map(|(again, content)| {
        (format!("archive/20261120T081530Z--0123456789ab{again}--people.csv"), content.to_owned())
    });
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(contents, expected);
}

#[test]
fn item_45_a_move_that_fails_leaves_the_claim_and_is_finished_later() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "1");
    fs::write(world.drop().join("archive"), "in the way").unwrap();
    let claim = world.claim("people.csv");
    let path = claim.path();
    claim.archive(now(), HASH, &json!({ "rows": 1 }), None).unwrap_err();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1");
    let over = world.folder.take_over(&Holder::here(), now());
    assert_eq!((over.claims.len(), over.finished.len(), over.faults.len()), (0, 0, 1), "the file was to be read again");
    assert_eq!(names(&world.settled()), Vec::<String>::new());

    fs::remove_file(world.drop().join("archive")).unwrap();
    let over = world.folder.take_over(&Holder::here(), now());
    let archived = world.drop().join("archive/20261120T081530Z--0123456789ab--people.csv");
    assert_eq!((over.claims.len(), over.finished, over.faults.len()), (0, vec![archived.clone()], 0));
    assert_eq!(fs::read_to_string(archived).unwrap(), "1");
}

#[test]
fn item_45_an_archive_on_another_file_system_gets_a_whole_copy() {
    let other = TempDir::new_in("/dev/shm").unwrap();
    let place = other.path().join("archive");
    let options = json!({ "archive": place, "trigger": ".done", "checksum": true });
    let ending: Ending = |claim| claim.archive(now(), HASH, &json!({}), None).map(drop);
    killed_everywhere_with_archive(&options, &place, ending);
    let mut world = World::new(options);
    let look = world.look_after(0);
    assert_eq!(
        look.warnings,
        [format!(
            "`archive`, {}, is on another file system than the folder: files are copied there, which is slower",
            place.display()
        )]
    );
}

/// As [`killed_everywhere`], with an archive that all worlds share and that is emptied between them.
fn killed_everywhere_with_archive(options: &Value, place: &Path, ending: Ending) {
    for steps in 0.. {
        let mut world = World::new(options.clone());
        world.put("people.csv", "abc");
        world.put("people.csv.sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        world.put("people.csv.done", "");
        let look = world.settled();
        world.folder.ground.steps_left.store(steps, Ordering::SeqCst);
        let _ = world.folder.claim(&look.ready[0], &Holder::here(), now()).map(|claim| ending(claim.unwrap()));
        let survived = world.folder.ground.steps_left.load(Ordering::SeqCst) > 0;
        let mut last = world.restarted();
        for claim in last.take_over(&Holder::here(), now()).claims {
            ending(claim).unwrap();
        }
        for seconds in [0, 5, 10] {
            for ready in last.look(world.start + Duration::from_secs(1_000 + seconds)).ready {
                ending(last.claim(&ready, &Holder::here(), now()).unwrap().unwrap()).unwrap();
            }
        }
        let mut there: Vec<String> =
            fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.sort();
        let base = "20261120T081530Z--0123456789ab--people.csv";
        assert_eq!(there, [base.to_owned(), format!("{base}.result.json")], "after {steps} steps");
        assert_eq!(fs::read_to_string(place.join(base)).unwrap(), "abc");
        assert_eq!(world.tree(), BTreeMap::new(), "after {steps} steps");
        fs::remove_dir_all(place).unwrap();
        if survived {
            return;
        }
    }
}

#[test]
fn item_45_what_is_too_old_is_removed_and_nothing_else() {
    let mut world = World::new(json!({ "keep": "90d" }));
    let day = |text: &str| text.parse::<Timestamp>().unwrap();
    let mut archived = Vec::new();
    for (name, at) in
        [("old.csv", "2026-08-01T00:00:00Z"), ("kept.csv", "2026-08-01T00:00:00Z"), ("new.csv", "2026-11-01T00:00:00Z")]
    {
        world.put(name, name);
        archived.push(world.claim(name).archive(day(at), HASH, &json!({}), Some(b"1")).unwrap());
    }
    world.put("archive/2026-notes.txt", "of the administrator");
    world.put("archive/.20260801T000000Z-0123456789abcdef.part", "half");
    let removed = world.folder.prune(now(), &BTreeSet::from([archived[1].clone()])).unwrap();
    let old = "20260801T000000Z--0123456789ab--old.csv";
    assert_eq!(
        removed,
        [
            world.drop().join("archive/.20260801T000000Z-0123456789abcdef.part"),
            world.drop().join(format!("archive/{old}")),
            world.drop().join(format!("archive/{old}.result.json")),
            world.drop().join(format!("error/{old}.rejected.csv")),
        ]
    );
    assert!(archived[1].exists() && archived[2].exists() && world.drop().join("archive/2026-notes.txt").exists());
    assert_eq!(world.tree().len(), 7);
}

#[test]
fn item_45_a_list_of_rejected_rows_that_is_put_back_is_not_read_under_its_own_name() {
    let mut world = World::new(json!({}));
    world.put("people.csv", "1");
    world.claim("people.csv").archive(now(), HASH, &json!({}), Some(b"rows")).unwrap();
    let rejected = "20261120T081530Z--0123456789ab--people.csv.rejected.csv";
    fs::rename(world.drop().join("error").join(rejected), world.drop().join(rejected)).unwrap();
    let look = world.settled();
    assert_eq!(
        (names(&look), ignored(&look)),
        (vec![], vec![format!("{rejected}: a list of rejected rows: repair it and give it a name of its own")])
    );
    fs::rename(world.drop().join(rejected), world.drop().join("repaired.csv")).unwrap();
    assert_eq!(names(&world.settled()), ["repaired.csv"]);
}
