//! Runs that are deleted, and files that nobody refers to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use common::other::{Other, say, task};
use common::{finished, journal, new_store, start};
use trainbook_store::{
    EndState, Environment, GarbageKind, Metric, ObjectId, Retention, RunEnd, RunEvent, RunId,
    RunStart, RunWriter, Store, StoreError,
};

const AGES: Duration = Duration::from_secs(3 * 3600);

fn object_path(store: &Path, id: &ObjectId) -> PathBuf {
    let name = id.to_string();
    store.join("objects").join(&name[..2]).join(name)
}

/// As if it had been written long ago.
fn age(path: &Path) {
    let file =
        if path.is_dir() { File::open(path) } else { File::options().write(true).open(path) };
    file.unwrap().set_modified(SystemTime::now() - AGES).unwrap();
}

fn checkpoint(run: &RunWriter, object: ObjectId) {
    run.event(RunEvent::Checkpoint {
        label: "last".into(),
        step: 1,
        epoch: 1,
        object,
        metric: None,
    });
}

fn end(run: &RunWriter) {
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
}

fn ids(store: &Store) -> Vec<String> {
    store.runs().unwrap().into_iter().map(|run| run.id.to_string()).collect()
}

#[test]
fn a_deleted_run_is_gone_and_others_are_not() {
    let (folder, store) = new_store();
    let runs: Vec<String> = (0..4).map(|_| finished(&store, "mlp", 0.5)).collect();
    assert_eq!(store.query("metrics.loss.min < 1").unwrap().len(), 4, "they are in the index");
    let plan = store.plan_deletion(&[&runs[0], &runs[2], &runs[0]]).unwrap();
    assert_eq!((plan.runs.len(), plan.going().count()), (2, 2));
    let size = |id: &str| journal(folder.path(), id).metadata().unwrap().len();
    assert_eq!(plan.bytes, size(&runs[0]) + size(&runs[2]));
    assert!(
        plan.to_string().ends_with(&format!("2 of 2 runs would be deleted, {}", kib(plan.bytes))),
        "{plan}"
    );
    assert_eq!(ids(&store).len(), 4, "a plan deletes nothing");

    let deleted = plan.carry_out().unwrap();
    assert_eq!((deleted.runs.len(), deleted.left.len(), deleted.bytes), (2, 0, plan.bytes));
    let mut left = [runs[1].clone(), runs[3].clone()];
    let mut found = ids(&store);
    left.sort();
    found.sort();
    assert_eq!(found, left);
    assert_eq!(store.query("metrics.loss.min < 1").unwrap().len(), 2);
    assert_eq!(Store::open(folder.path()).unwrap().rebuild_index().unwrap(), 2);
    assert!(matches!(store.plan_deletion(&[&runs[0]]), Err(StoreError::UnknownRun { .. })));
    // Carried out again, there is nothing left to do.
    assert_eq!(plan.carry_out().unwrap().left, []);
}

/// As the plan shows it.
fn kib(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} bytes")
    } else {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    }
}

#[test]
fn a_run_that_is_being_written_is_never_deleted() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let id = run.id().to_string();
    let error = store.plan_deletion(&[&id]).unwrap_err();
    assert!(matches!(error, StoreError::RunInUse { .. }), "{error}");
    let all = Retention { older_than: Some(Duration::ZERO), ..Retention::default() };
    let plan = store.plan_cleanup(&all).unwrap();
    assert_eq!((plan.going().count(), plan.runs[0].why.as_str()), (0, "it is being written"));
    // Ended, but events may still come.
    end(&run);
    assert!(store.plan_deletion(&[&id]).is_err());
    drop(run);
    let plan = store.plan_deletion(&[&id]).unwrap();
    // Locked between plan and deed.
    let lock = File::open(journal(folder.path(), &id)).unwrap();
    lock.lock().unwrap();
    let deleted = plan.carry_out().unwrap();
    assert_eq!((deleted.runs.len(), deleted.left[0].1.as_str()), (0, "it is being written"));
    drop(lock);
    assert_eq!(plan.carry_out().unwrap().runs.len(), 1);
    assert_eq!(ids(&store).len(), 0);
}

/// The process that started it, if the run says which.
#[test]
fn who_writes_a_run_is_named() {
    let (_folder, store) = new_store();
    for (process_id, expected) in [(0, None), (7, Some(7))] {
        let environment = Environment { process_id, ..Environment::default() };
        let run = store.start_run(RunStart { environment, ..RunStart::default() }).unwrap();
        let error = store.plan_deletion(&[run.id().as_str()]).unwrap_err();
        let StoreError::RunInUse { process, .. } = error else { unreachable!("{error}") };
        assert_eq!(process, expected);
    }
}

#[test]
fn what_was_deleted_and_what_was_left_is_told() {
    let (folder, store) = new_store();
    let [gone, left] = [0.5, 0.25].map(|best| finished(&store, "mlp", best));
    let plan = store.plan_deletion(&[&gone]).unwrap();
    assert_eq!(
        plan.carry_out().unwrap().to_string(),
        format!("deleted 1 run, {}", kib(plan.bytes))
    );
    let plan = store.plan_deletion(&[&left]).unwrap();
    let lock = File::open(journal(folder.path(), &left)).unwrap();
    lock.lock().unwrap();
    assert_eq!(
        plan.carry_out().unwrap().to_string(),
        format!("deleted 0 runs, 0 bytes\nleft {left}: it is being written")
    );
}

/// A journal that somebody else deletes once it is listed: here it is a link to nowhere.
#[test]
fn a_journal_that_is_gone_when_it_is_looked_at_is_no_trouble() {
    let (folder, store) = new_store();
    let id = "20260101-000000-0a1b2c";
    symlink(folder.path().join("nowhere"), journal(folder.path(), id)).unwrap();
    let plan = store.plan_deletion(&[id]).unwrap();
    assert_eq!((plan.runs.len(), plan.bytes), (1, 0));
    assert_eq!(plan.carry_out().unwrap().left, []);
    assert_eq!(store.plan_collection().unwrap().oldest_in_use, None);
}

#[test]
fn an_unreadable_run_can_be_deleted() {
    let (folder, store) = new_store();
    let id = finished(&store, "mlp", 0.5);
    fs::write(journal(folder.path(), &id), "nonsense").unwrap();
    assert_eq!(store.plan_deletion(&[&id]).unwrap().carry_out().unwrap().runs.len(), 1);
    // So can one that never came to its first record.
    File::create(journal(folder.path(), &id)).unwrap();
    assert_eq!(store.plan_deletion(&[&id]).unwrap().carry_out().unwrap().runs.len(), 1);
    assert_eq!(fs::read_dir(folder.path().join("runs")).unwrap().count(), 0);
}

#[test]
fn rules_say_what_stays_and_why() {
    let (_folder, store) = new_store();
    let runs: Vec<String> =
        [0.5, 0.1, 0.4, 0.2, 0.3].iter().map(|best| finished(&store, "mlp", *best)).collect();
    let other = finished(&store, "cnn", 0.01);
    let going = |rules: Retention| -> Vec<usize> {
        let plan = store.plan_cleanup(&rules).unwrap();
        assert!(plan.runs.iter().all(|run| !run.why.is_empty()));
        assert!(plan.runs.is_sorted_by(|a, b| a.run.started_at >= b.run.started_at));
        let mut going: Vec<usize> = plan
            .going()
            .map(|run| runs.iter().position(|id| *id == run.run.id.as_str()).unwrap_or(9))
            .collect();
        going.sort_unstable();
        going
    };
    let mlp = || Retention { matching: Some("model = 'mlp'".into()), ..Retention::default() };
    let best = |field: &str, number| vec![(field.to_owned(), number)];
    assert_eq!(going(mlp()), [0, 1, 2, 3, 4]);
    assert_eq!(going(Retention { keep_last: Some(2), ..mlp() }), [0, 1, 2]);
    assert_eq!(going(Retention { keep_last: Some(2), ..Retention::default() }), [0, 1, 2, 3]);
    // The best of all is no candidate and takes nobody's place.
    assert_eq!(going(Retention { keep_best: best("metrics.loss.min", 2), ..mlp() }), [0, 2, 4]);
    assert_eq!(
        going(Retention { keep_best: best("metrics.loss.min desc", 1), ..mlp() }),
        [1, 2, 3, 4]
    );
    assert_eq!(
        going(Retention { keep_best: best("metrics.loss.min", 1), keep_last: Some(1), ..mlp() }),
        [0, 2, 3]
    );
    assert_eq!(
        going(Retention {
            matching: Some("order by metrics.loss.min limit 2".into()),
            ..Retention::default()
        }),
        [1, 9]
    );
    assert_eq!(going(Retention { older_than: Some(Duration::from_secs(3600)), ..mlp() }), [0; 0]);
    assert_eq!(going(Retention { older_than: Some(Duration::ZERO), ..mlp() }), [0, 1, 2, 3, 4]);
    assert_eq!(going(Retention { older_than: Some(Duration::MAX), ..mlp() }), [0; 0]);
    assert_eq!(ids(&store).len(), 6);

    let refused = |rules: Retention| store.plan_cleanup(&rules).unwrap_err().to_string();
    assert!(refused(Retention::default()).contains("no rule"));
    assert!(
        refused(Retention { matching: Some("modle = 'mlp'".into()), ..mlp() }).contains("`model`")
    );
    assert!(
        refused(Retention { keep_best: best("metrics.los.min", 1), ..mlp() }).contains("`loss`")
    );

    let plan = store
        .plan_cleanup(&Retention { keep_best: best("metrics.loss.min", 1), ..Retention::default() })
        .unwrap();
    let text = plan.to_string();
    let kept = text.lines().find(|line| line.starts_with("keep ")).unwrap();
    assert!(
        kept.contains(&other) && kept.contains("cnn") && kept.contains("among the best 1"),
        "{text}"
    );
    assert!(text.contains("5 of 6 runs would be deleted"), "{text}");
    assert_eq!(plan.carry_out().unwrap().runs.len(), 5);
    assert_eq!(ids(&store), [other]);
}

#[test]
fn garbage_goes_and_what_runs_refer_to_stays() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let needed = store.put_object(b"needed").unwrap();
    checkpoint(&run, needed);
    end(&run);
    let id = run.id().to_string();
    drop(run);
    let [garbage, young] = [b"garbage", b"younger"].map(|bytes| store.put_object(bytes).unwrap());
    age(&object_path(folder.path(), &needed));
    age(&object_path(folder.path(), &garbage));
    let damaged = folder.path().join("index.damaged-20260101-000000.000000");
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join("db"), "123").unwrap();
    let [stale, fresh] = ["a", "b"]
        .map(|name| object_path(folder.path(), &needed).with_file_name(format!(".tmp{name}")));
    fs::write(&stale, "12").unwrap();
    fs::write(&fresh, "12").unwrap();
    age(&stale);
    let own = folder.path().join("objects/notes.txt");
    fs::write(&own, "kept by a person").unwrap();
    age(&own);

    let plan = store.plan_collection().unwrap();
    let mut kinds: Vec<_> =
        plan.garbage.iter().map(|garbage| (garbage.kind, garbage.bytes)).collect();
    kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let expected =
        [(GarbageKind::Object, 7), (GarbageKind::DamagedIndex, 3), (GarbageKind::TemporaryFile, 2)];
    assert_eq!(kinds, expected);
    assert_eq!((plan.needed, plan.young, plan.bytes, &plan.oldest_in_use), (1, 1, 12, &None));
    assert!(plan.to_string().contains("delete  1 object, 7 bytes\n"), "{plan}");
    let collected = plan.carry_out().unwrap();
    assert_eq!((collected.files, collected.bytes, collected.left.len()), (3, 12, 0));
    for path in
        [&object_path(folder.path(), &needed), &object_path(folder.path(), &young), &fresh, &own]
    {
        assert!(path.exists(), "{}", path.display());
    }
    assert!(matches!(store.get_object(&garbage), Err(StoreError::UnknownObject { .. })));
    assert!(!stale.exists() && !damaged.exists());

    // With its run, an object becomes garbage.
    store.plan_deletion(&[id]).unwrap().carry_out().unwrap();
    let plan = store.plan_collection().unwrap();
    assert_eq!((plan.garbage.len(), plan.needed), (1, 0));
    plan.carry_out().unwrap();
    assert!(store.get_object(&needed).is_err() && store.get_object(&young).is_ok());
}

/// What a process left that was killed in the middle of writing, wherever that was, and nothing
/// else that is as old or is called so.
#[test]
fn old_temporary_files_go_from_every_folder() {
    let (folder, store) = new_store();
    let id = finished(&store, "mlp", 0.5);
    age(&journal(folder.path(), &id));
    let [runs, objects] = ["runs", "objects/aa"].map(|name| folder.path().join(name));
    fs::create_dir(&objects).unwrap();
    let (mut stale, mut others) = (Vec::new(), vec![journal(folder.path(), &id)]);
    for place in [folder.path(), &objects, &runs] {
        let [old, young, own] = [".tmpa", ".tmpb", "notes.txt"].map(|name| place.join(name));
        for path in [&old, &young, &own] {
            fs::write(path, "12").unwrap();
        }
        age(&old);
        age(&own);
        stale.push(old);
        others.extend([young, own]);
    }
    let own = runs.join(".tmpc");
    fs::create_dir(&own).unwrap();
    age(&own);
    others.push(own);
    let plan = store.plan_collection().unwrap();
    let found: Vec<_> =
        plan.garbage.iter().map(|garbage| (garbage.kind, garbage.bytes, &garbage.path)).collect();
    let expected: Vec<_> = stale.iter().map(|path| (GarbageKind::TemporaryFile, 2, path)).collect();
    assert_eq!(found, expected);
    assert_eq!(plan.carry_out().unwrap().files, 3);
    assert!(stale.iter().all(|path| !path.exists()) && others.iter().all(|path| path.exists()));
}

#[test]
fn what_would_go_and_what_went_is_told() {
    let (folder, store) = new_store();
    let told = || store.plan_collection().unwrap().to_string();
    assert_eq!(told(), "keep    0 objects that runs refer to\n0 bytes would be freed");
    let damaged = |last: u8| folder.path().join(format!("index.damaged-20260101-00000{last}"));
    // What stood in the index's place was a file.
    fs::write(damaged(1), "12345").unwrap();
    store.put_object(b"younger").unwrap();
    assert_eq!(
        told(),
        "\
delete  1 damaged index, 5 bytes
keep    0 objects that runs refer to
keep    1 object that no run refers to, put a moment ago
5 bytes would be freed"
    );
    fs::create_dir(damaged(2)).unwrap();
    fs::write(damaged(2).join("db"), "123").unwrap();
    let run = start(&store, "mlp");
    let garbage = [b"one", b"two"].map(|bytes| store.put_object(bytes).unwrap());
    garbage.iter().for_each(|object| age(&object_path(folder.path(), object)));
    let plan = store.plan_collection().unwrap();
    assert_eq!(
        plan.to_string(),
        format!(
            "\
delete  2 objects, 6 bytes
delete  2 damaged indexes, 8 bytes
keep    0 objects that runs refer to
keep    1 object that no run refers to, put since run {} started, which is being written
14 bytes would be freed",
            run.id()
        )
    );
    store.put_object(b"two").unwrap();
    let collected = plan.carry_out().unwrap();
    assert_eq!(
        collected.to_string(),
        "deleted 3 files, 11 bytes; kept 1 object that came into use meanwhile"
    );
}

/// The rest goes all the same, and what is gone already is no failure.
#[test]
fn what_cannot_be_deleted_is_told() {
    let (folder, store) = new_store();
    let [first, last] = [".tmpa", ".tmpb"].map(|name| folder.path().join(name));
    for path in [&first, &last] {
        fs::write(path, "12").unwrap();
        age(path);
    }
    let plan = store.plan_collection().unwrap();
    // No file any more.
    fs::remove_file(&first).unwrap();
    fs::create_dir(&first).unwrap();
    for told in ["deleted 1 file, 2 bytes", "deleted 0 files, 0 bytes"] {
        let collected = plan.carry_out().unwrap();
        assert_eq!((collected.left.len(), &collected.left[0].0), (1, &first));
        let why = &collected.left[0].1;
        assert_eq!(collected.to_string(), format!("{told}\nleft {}: {why}", first.display()));
    }
    assert!(!last.exists());
}

/// In whatever order the folder lists them.
#[test]
fn the_oldest_run_that_is_being_written_is_named() {
    let (folder, store) = new_store();
    let ids: Vec<String> = (0..8).map(|n| format!("20260101-000000-00000{n}")).collect();
    for n in [3, 0, 6, 1, 7, 4, 2, 5] {
        File::create(journal(folder.path(), &ids[n])).unwrap();
    }
    for id in &ids {
        let oldest = store.plan_collection().unwrap().oldest_in_use;
        assert_eq!(oldest.as_ref().map(RunId::as_str), Some(id.as_str()));
        fs::remove_file(journal(folder.path(), id)).unwrap();
    }
}

#[test]
fn what_a_living_run_put_stays() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    // Put, and not recorded yet. It seems old only because the whole test is faster than the minute
    // that clocks are given.
    let object = store.put_object(b"weights").unwrap();
    let plan = store.plan_collection().unwrap();
    assert_eq!((plan.garbage.len(), plan.young), (0, 1));
    assert_eq!(plan.oldest_in_use.as_ref(), Some(run.id()));
    // Old, and put again after the plan was made.
    age(&object_path(folder.path(), &object));
    let plan = store.plan_collection().unwrap();
    assert_eq!(plan.garbage.len(), 1);
    assert_eq!(store.put_object(b"weights").unwrap(), object);
    let collected = plan.carry_out().unwrap();
    assert_eq!((collected.files, collected.renewed), (0, 1));
    assert_eq!(store.get_object(&object).unwrap(), b"weights");
}

#[test]
fn a_run_that_is_just_starting_keeps_what_it_may_refer_to() {
    let (folder, store) = new_store();
    let id = "20260101-000000-0a1b2c";
    let path = journal(folder.path(), id);
    let garbage = store.put_object(b"garbage").unwrap();
    // After the start of that run, and long ago.
    age(&object_path(folder.path(), &garbage));
    // As its writer has made it, and then as it has locked it and written half of the header.
    let file = File::create(&path).unwrap();
    for bytes in ["", "trnb"] {
        fs::write(&path, bytes).unwrap();
        let plan = store.plan_collection().unwrap();
        assert_eq!(plan.oldest_in_use.as_ref().map(|run| run.as_str()), Some(id), "{bytes:?}");
        file.lock().unwrap();
    }
    // Nobody will go on with it.
    drop(file);
    let error = store.plan_collection().unwrap_err().to_string();
    assert!(error.contains(id) && error.contains("not a whole record"), "{error}");
}

/// What the processes below fight about takes microseconds; here it takes as long as the test
/// likes.
#[test]
fn nothing_is_deleted_while_somebody_puts() {
    let (folder, store) = new_store();
    let garbage = store.put_object(b"garbage").unwrap();
    let path = object_path(folder.path(), &garbage);
    age(&path);
    let plan = store.plan_collection().unwrap();
    let lock = File::open(folder.path().join("objects.lock")).unwrap();
    lock.lock_shared().unwrap();
    let error = plan.carry_out().unwrap_err();
    assert!(matches!(error, StoreError::ObjectsLocked { .. }), "{error}");
    assert!(path.exists());
    lock.unlock().unwrap();
    lock.lock().unwrap();
    assert!(matches!(store.put_object(b"garbage"), Err(StoreError::ObjectsLocked { .. })));
    assert!(matches!(store.put_object(b"new"), Err(StoreError::ObjectsLocked { .. })));
    drop(lock);
    assert_eq!(plan.carry_out().unwrap().files, 1);
}

#[test]
fn a_damaged_journal_keeps_everything() {
    let (folder, store) = new_store();
    let whole = finished(&store, "mlp", 0.5);
    let id = finished(&store, "mlp", 0.5);
    let path = journal(folder.path(), &id);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let garbage = store.put_object(b"garbage").unwrap();
    age(&object_path(folder.path(), &garbage));
    let error = store.plan_collection().unwrap_err();
    assert!(
        error.to_string().contains(&id) && error.to_string().contains("delete that run first"),
        "{error}"
    );
    store.plan_deletion(&[&id]).unwrap().carry_out().unwrap();
    assert_eq!(store.plan_collection().unwrap().carry_out().unwrap().files, 1);
    assert_eq!(ids(&store), [whole]);
}

/// What it refers to cannot be known.
#[test]
fn a_journal_that_cannot_be_read_keeps_everything() {
    let (folder, store) = new_store();
    let path = journal(folder.path(), "20260101-000000-0a1b2c");
    fs::create_dir(&path).unwrap();
    let error = store.plan_collection().unwrap_err();
    assert!(
        matches!(&error, StoreError::Io { action: "read", path: at, .. } if *at == path),
        "{error}"
    );
}

/// Held, its first record is still to come; else it never will.
#[test]
fn a_journal_without_a_record_is_being_written_or_keeps_everything() {
    const HEADER: usize = 16;
    let (folder, store) = new_store();
    let whole = finished(&store, "mlp", 0.5);
    let header = fs::read(journal(folder.path(), &whole)).unwrap()[..HEADER].to_vec();
    let id = "20260101-000000-0a1b2c";
    let path = journal(folder.path(), id);
    fs::write(&path, header).unwrap();
    let file = File::open(&path).unwrap();
    file.lock().unwrap();
    let oldest = store.plan_collection().unwrap().oldest_in_use;
    assert_eq!(oldest.as_ref().map(RunId::as_str), Some(id));
    drop(file);
    let error = store.plan_collection().unwrap_err().to_string();
    assert!(error.contains(id) && error.contains("it has no start record"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
    let (folder, store) = new_store();
    let objects = folder.path().join("objects");
    fs::remove_dir_all(&objects).unwrap();
    fs::write(&objects, "a file").unwrap();
    let error = store.plan_collection().unwrap_err();
    assert!(
        matches!(&error, StoreError::Io { action: "list", path, .. } if *path == objects),
        "{error}"
    );
}

// Processes that write and processes that collect, all at once.

/// How many objects are fought for in a round, and how many more nobody wants.
const WANTED: u64 = 48;
const UNWANTED: u64 = 8;

fn blob(round: u64, number: u64) -> Vec<u8> {
    format!("round {round}, object {number}").repeat(50).into_bytes()
}

#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    let store = Store::open(&store).unwrap();
    match task.as_str() {
        "write" => write(&store),
        "collect" => collect(&store),
        task => unreachable!("{task}"),
    }
}

/// Puts the objects of each round and records them; every third round in a new run.
fn write(store: &Store) {
    let mut run = start(store, "mlp");
    for round in 0.. {
        while fs::read_to_string(store.path().join("round")).unwrap().parse::<u64>().unwrap()
            < round
        {
            std::thread::sleep(Duration::from_micros(200));
        }
        if round % 3 == 2 {
            end(&run);
            run = start(store, "mlp");
        }
        for place in 0..WANTED {
            // Each process in another order.
            let number = (place * 7 + u64::from(std::process::id())) % WANTED;
            let object = store.put_object(&blob(round, number)).unwrap();
            checkpoint(&run, object);
        }
        run.flush().unwrap();
        say(&round.to_string());
    }
}

fn collect(store: &Store) {
    loop {
        let collected = store.plan_collection().unwrap().carry_out().unwrap();
        assert_eq!(collected.left, []);
        if collected.files > 0 {
            say(&collected.files.to_string());
        }
    }
}

/// Puts old garbage where there is nothing, as if a deleted run had left it: in one piece, as
/// whoever deletes may look at it.
fn plant(store: &Path, bytes: &[u8]) {
    let path = object_path(store, &ObjectId::of(bytes));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = store.join("planted");
    fs::write(&file, bytes).unwrap();
    age(&file);
    fs::rename(file, path).unwrap();
}

/// Writers and collectors on one store. Whether objects were fought for: taken, and come back.
fn collectors_beside_writers() -> bool {
    const ROUNDS: u64 = 24;
    let (folder, store) = new_store();
    fs::write(folder.path().join("next-round"), "").unwrap();
    let begin = |round: u64| {
        // Nobody touches the objects of a round before it has begun.
        for number in 0..WANTED + UNWANTED {
            plant(folder.path(), &blob(round, number));
        }
        let next = folder.path().join("next-round");
        fs::write(&next, round.to_string()).unwrap();
        fs::rename(next, folder.path().join("round")).unwrap();
    };
    begin(0);
    let mut writers = [(); 2].map(|()| Other::start("write", folder.path()));
    let mut collectors = [(); 2].map(|()| Other::start("collect", folder.path()));
    for round in 0..ROUNDS {
        for writer in &mut writers {
            assert_eq!(writer.hear().as_deref(), Some(round.to_string().as_str()), "a writer died");
        }
        begin(round + 1);
    }
    writers.iter_mut().for_each(Other::kill);
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_there =
        |round, number| object_path(folder.path(), &ObjectId::of(&blob(round, number))).exists();
    while (0..=ROUNDS)
        .any(|round| (WANTED..WANTED + UNWANTED).any(|number| is_there(round, number)))
    {
        assert!(Instant::now() < deadline, "garbage stays");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut collected = 0;
    for collector in &mut collectors {
        collector.kill();
        while let Some(said) = collector.hear() {
            collected += said.parse::<u64>().unwrap();
        }
    }

    let mut needed = HashSet::new();
    for run in store.runs().unwrap() {
        for event in store.run(run.id.as_str()).unwrap().events {
            if let RunEvent::Checkpoint { object, .. } = event.event {
                needed.insert(object);
            }
        }
    }
    for round in 0..ROUNDS {
        for number in 0..WANTED {
            assert!(needed.contains(&ObjectId::of(&blob(round, number))), "not recorded");
        }
    }
    for object in needed {
        store.get_object(&object).unwrap();
    }
    collected > (ROUNDS + 1) * UNWANTED
}

#[test]
fn collecting_while_others_write_takes_garbage_and_nothing_else() {
    // Where nothing was fought for, which a busy machine makes likely, this has shown nothing yet.
    assert!((0..10).any(|_| collectors_beside_writers()), "nothing was fought for");
}

#[test]
fn a_store_without_anything_is_clean() {
    let (_folder, store) = new_store();
    let plan = store.plan_collection().unwrap();
    assert_eq!(plan.garbage, []);
    assert_eq!(plan.carry_out().unwrap().files, 0);
    let empty =
        store.plan_cleanup(&Retention { keep_last: Some(1), ..Retention::default() }).unwrap();
    assert_eq!(empty.to_string(), "0 of 0 runs would be deleted, 0 bytes");
    let run = store.start_run(RunStart::default()).unwrap();
    run.log(1, &[Metric::new("loss", 1.0)]);
    assert_eq!(store.plan_collection().unwrap().oldest_in_use.as_ref(), Some(run.id()));
}

/// A folder that is not there holds no garbage.
#[test]
fn a_store_without_objects_has_no_garbage() {
    let (folder, store) = new_store();
    finished(&store, "mlp", 0.5);
    std::fs::remove_dir_all(folder.path().join("objects")).unwrap();
    assert!(store.plan_collection().unwrap().garbage.is_empty());
}
