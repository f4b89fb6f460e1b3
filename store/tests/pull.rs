//! Taking the runs of another store.
//!
//! The number of kills is 60; `TRAINBOOK_KILLS=10000` asks for more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::other::{Other, say, task};
use common::{finished, journal, new_store, start};
use rand_core::Rng;
use rand_pcg::Pcg64;
use trainbook_store::{
    EndState, Environment, Metric, ObjectId, Parent, Pulled, RunEnd, RunEvent, RunId, RunStart,
    RunState, RunWriter, Store, StoreError, Wanted,
};

/// What the other process does: see the tests that start it.
#[test]
fn child() {
    let Some((task, store)) = task() else { return };
    match task.as_str() {
        "write" => write_for_ever(&store),
        "pull" => pull_and_stay(&store),
        task => unreachable!("{task}"),
    }
}

fn kills() -> u64 {
    std::env::var("TRAINBOOK_KILLS").map_or(60, |number| number.parse().unwrap())
}

/// The bytes of a checkpoint, so many that writing them takes a while.
fn weights(run: &RunId, step: u64) -> Vec<u8> {
    format!("weights of {run} at step {step}\n").repeat(4000).into_bytes()
}

fn checkpoint(run: &RunWriter, step: u64) -> ObjectId {
    let object = run.store().put_object(&weights(run.id(), step)).unwrap();
    let (label, epoch, metric) = ("last".to_owned(), step, None);
    run.event(RunEvent::Checkpoint { label, step, epoch, object, metric });
    object
}

fn end(run: RunWriter, steps: u64) -> String {
    run.finish(RunEnd::new(EndState::Finished, steps, 1)).unwrap();
    run.id().to_string()
}

/// A finished run with changes to the code and two checkpoints, one of which it has released.
fn with_objects(store: &Store, seed: u64) -> String {
    let diff = store.put_object(format!("- {seed}").as_bytes()).unwrap();
    let environment = Environment { git_diff: Some(diff), ..Environment::default() };
    let params = [("lr".into(), (seed as f64).into())].into();
    // Looks like the name of an object and is none.
    let tags = [("data".into(), "0123456789abcdef".repeat(4))].into();
    let begin = RunStart { environment, seed, params, tags, ..RunStart::default() };
    let run = store.start_run(begin).unwrap();
    run.log(1, &[Metric::new("loss", seed as f64), Metric::new("nan", f64::NAN)]);
    let former = checkpoint(&run, 1);
    checkpoint(&run, 2);
    run.release("last", former);
    end(run, 2)
}

/// Every file of a folder with its content and the time of its last change. The index is left out:
/// sled may be closing it yet.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("index") {
            continue;
        }
        if path.is_dir() {
            let modified = path.metadata().unwrap().modified().unwrap();
            files.extend(snapshot(&path));
            files.insert(path, (Vec::new(), modified));
        } else {
            let modified = path.metadata().unwrap().modified().unwrap();
            files.insert(path.clone(), (fs::read(&path).unwrap(), modified));
        }
    }
    files
}

fn object_path(store: &Path, object: &ObjectId) -> PathBuf {
    let name = object.to_string();
    store.join("objects").join(&name[..2]).join(name)
}

fn objects(store: &Path) -> usize {
    let folders = fs::read_dir(store.join("objects")).unwrap();
    folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

fn reference(store: &Store, id: &str) -> ObjectId {
    let record = store.run(id).unwrap();
    let found = record.events.iter().find_map(|event| match &event.event {
        RunEvent::Checkpoint { object, .. } => Some(*object),
        _ => None,
    });
    found.unwrap()
}

/// Why these runs were left out.
fn left(pulled: &Pulled) -> BTreeMap<&str, &str> {
    pulled.left_out.iter().map(|left| (left.run.as_str(), left.why.as_str())).collect()
}

fn ids(pulled: &Pulled) -> Vec<&str> {
    pulled.runs.iter().map(RunId::as_str).collect()
}

#[test]
fn runs_come_with_what_they_refer_to_and_once() {
    let ((there, from), (here, store)) = (new_store(), new_store());
    let own = finished(&store, "mlp", 0.5);
    let mut runs: Vec<String> = (1..=3).map(|seed| with_objects(&from, seed)).collect();
    let third = runs[2].clone();
    runs.sort();
    // Were they opened, they would be made.
    fs::remove_dir_all(there.path().join("index")).unwrap();
    fs::remove_file(there.path().join("index.lock")).unwrap();
    fs::remove_file(there.path().join("objects.lock")).unwrap();
    let before = snapshot(there.path());
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!(ids(&pulled), runs);
    // A checkpoint and the changes to the code of each, and not what was released.
    assert_eq!((pulled.objects, objects(here.path()), objects(there.path())), (6, 6, 9));
    let length = |id: &String| journal(there.path(), id).metadata().unwrap().len();
    let weights: u64 =
        runs.iter().map(|id| length(id) + weights(&id.parse().unwrap(), 2).len() as u64 + 3).sum();
    assert_eq!(pulled.bytes, weights);
    assert!((&pulled.left_out, &pulled.left_objects) == (&vec![], &vec![]), "{pulled}");
    assert!(pulled.to_string().starts_with("pulled 3 runs and 6 objects, "), "{pulled}");
    let store = Store::open_existing(here.path()).unwrap();
    for id in &runs {
        assert_eq!(
            fs::read(journal(here.path(), id)).unwrap(),
            before[&journal(there.path(), id)].0
        );
        let object = reference(&store, id);
        assert_eq!(store.get_object(&object).unwrap(), from.get_object(&object).unwrap());
        let diff = store.run(id).unwrap().environment.git_diff.unwrap();
        assert!(store.get_object(&diff).unwrap().starts_with(b"- "));
    }
    assert_eq!(store.runs().unwrap().len(), 4);
    assert_eq!(store.query("metrics.loss.min > 2").unwrap()[0].id.as_str(), third);
    assert!(store.plan_collection().unwrap().garbage.is_empty());
    // The second time there is nothing to do, and nothing is done.
    let after = snapshot(here.path());
    let again = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((again.known, &again), (3, &Pulled { known: 3, ..Pulled::default() }));
    assert_eq!(again.to_string(), "nothing new; 3 were here already");
    assert!(snapshot(here.path()) == after, "the second pull wrote something");
    let _ = store.pull(&from, &Wanted::Query("seed > 0".into())).unwrap();
    assert!(snapshot(there.path()) == before, "the other store was written to");
    assert!(!there.path().join("index").exists(), "the other store's index was opened");
    assert_eq!(store.run(&own).unwrap().summary.state, RunState::Finished);
}

/// What came is in the index: the journals may say what they like.
#[cfg(unix)]
#[test]
fn pulled_runs_are_answered_without_their_journals() {
    use std::os::unix::fs::FileExt;
    let ((_there, from), (here, store)) = (new_store(), new_store());
    let runs: Vec<String> = (1..=3).map(|seed| with_objects(&from, seed)).collect();
    store.pull(&from, &Wanted::All).unwrap();
    for id in &runs {
        let path = journal(here.path(), id);
        let length = path.metadata().unwrap().len() as usize;
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&vec![0x5a; length], 0).unwrap();
    }
    let fresh = Store::open_existing(here.path()).unwrap();
    let known = fresh.runs().unwrap();
    assert!(known.len() == 3 && known.iter().all(|run| run.damage.is_none()), "{known:?}");
}

#[test]
fn what_is_wanted_comes_and_nothing_else() {
    let ((_there, from), (_here, store)) = (new_store(), new_store());
    let runs: Vec<String> = (1..=4).map(|seed| with_objects(&from, seed)).collect();
    let query = |text: &str| store.pull(&from, &Wanted::Query(text.into()));
    assert_eq!(ids(&query("params.lr = 2").unwrap()), [&runs[1]]);
    // Points that no summary tells come from the journal.
    assert_eq!(ids(&query("metrics.loss.at(1) = 3").unwrap()), [&runs[2]]);
    let named = |names: &[&str]| {
        store.pull(&from, &Wanted::Runs(names.iter().map(|name| (*name).to_owned()).collect()))
    };
    let beginning = &runs[3][..21];
    assert_eq!(ids(&named(&[beginning, &runs[1], &runs[3]]).unwrap()), [&runs[3]]);
    assert_eq!(store.runs().unwrap().len(), 3);
    assert!(matches!(named(&["nope"]), Err(StoreError::UnknownRun { .. })));
    assert!(matches!(named(&["20"]), Err(StoreError::AmbiguousRun { .. })));
    assert!(matches!(query("params.lrr = 2"), Err(StoreError::Query(_))));
    let itself = store.pull(&store, &Wanted::All).unwrap_err();
    assert!(itself.to_string().contains("this very store"), "{itself}");
    let dotted = Store::open_existing(store.path().join(".")).unwrap();
    assert!(matches!(store.pull(&dotted, &Wanted::All), Err(StoreError::PullFromItself { .. })));
}

#[test]
fn what_has_not_ended_is_left_out_and_comes_later() {
    let ((there, from), (_here, store)) = (new_store(), new_store());
    let growing = start(&from, "mlp");
    growing.log(1, &[Metric::new("loss", 1.0)]);
    growing.flush().unwrap();
    let crashed = start(&from, "mlp");
    let crashed_id = crashed.id().to_string();
    drop(crashed);
    let ended = start(&from, "mlp");
    ended.finish(RunEnd::new(EndState::Failed { error: "NaN".into() }, 1, 1)).unwrap();
    let starting = "20260101-000000-000000";
    fs::write(journal(there.path(), starting), "").unwrap();
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    let why = left(&pulled);
    assert_eq!(why[growing.id().as_str()], "it is being written");
    // Its writer may have exports to record yet.
    assert_eq!(why[ended.id().as_str()], "it is being written");
    assert_eq!(why[starting], "it is just starting");
    assert!(why[crashed_id.as_str()].starts_with("it has no end record"), "{why:?}");
    assert_eq!((pulled.runs.len(), why.len()), (0, 4));
    for (id, why) in why {
        assert!(pulled.to_string().contains(&format!("\nleft out {id}: {why}")), "{pulled}");
    }
    ended.event(RunEvent::Note { text: "exported".into() });
    let ended_id = ended.id().to_string();
    drop(ended);
    assert_eq!(ids(&store.pull(&from, &Wanted::All).unwrap()), [&ended_id]);
    assert_eq!(store.run(&ended_id).unwrap().events.len(), 1);
    let id = end(growing, 1);
    assert_eq!(ids(&store.pull(&from, &Wanted::All).unwrap()), [&id]);
}

#[test]
fn damage_is_left_out_and_the_others_come() {
    let ((there, from), (here, store)) = (new_store(), new_store());
    let runs: Vec<String> = (1..=5).map(|seed| with_objects(&from, seed)).collect();
    // One frame, the end, an object, an object that is gone.
    let path = journal(there.path(), &runs[0]);
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[200] ^= 1;
    fs::write(&path, damaged).unwrap();
    let torn = journal(there.path(), &runs[1]);
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() - 1]).unwrap();
    let [changed, gone] = [2, 3].map(|run: usize| reference(&from, &runs[run]));
    let changed_path = object_path(there.path(), &changed);
    let good = fs::read(&changed_path).unwrap();
    fs::write(&changed_path, b"other weights").unwrap();
    fs::remove_file(object_path(there.path(), &gone)).unwrap();
    // A newer trainbook's.
    let newer = "20260101-000000-000000";
    let mut header = b"trnbook\n\x09\0\0\0".to_vec();
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    fs::write(journal(there.path(), newer), header).unwrap();

    let pulled = store.pull(&from, &Wanted::All).unwrap();
    let mut expected = runs[2..].to_vec();
    expected.sort();
    assert_eq!(ids(&pulled), expected);
    let why = left(&pulled);
    assert!(why[runs[0].as_str()].starts_with("its journal is damaged: the record at byte "));
    // Of half a record nothing is known: here it was the end.
    assert!(why[runs[1].as_str()].contains("it has no end record"), "{why:?}");
    assert!(why[newer].contains("use a newer trainbook"), "{why:?}");
    let objects: BTreeMap<&str, &trainbook_store::LeftObject> =
        pulled.left_objects.iter().map(|left| (left.run.as_str(), left)).collect();
    let first = objects[runs[2].as_str()];
    assert_eq!((first.object, first.what.as_str()), (changed, "the checkpoint last of step 2"));
    assert!(first.why.starts_with("it was changed after it was written (its hash is now "));
    assert_eq!(objects[runs[3].as_str()].why, "it is not there");
    assert_eq!(objects.len(), 2);
    assert!(store.get_object(&changed).is_err() && store.get_object(&gone).is_err());
    let no_trace = |path: &Path| {
        let names = snapshot(path).into_keys();
        let names = names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".tmp")).collect::<Vec<_>>()
    };
    assert_eq!(no_trace(here.path()), [""; 0]);

    // What was mended comes with the next pull, the object too.
    fs::write(&path, whole).unwrap();
    fs::write(&changed_path, &good).unwrap();
    let again = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((ids(&again), again.objects, again.known), (vec![runs[0].as_str()], 3, 3));
    assert_eq!(store.get_object(&changed).unwrap(), good);
    assert_eq!(again.left_objects.len(), 1);

    // An object that was damaged here is copied again with the next run that refers to it.
    let other = start(&from, "mlp");
    other.event(RunEvent::Checkpoint {
        label: "same".into(),
        step: 1,
        epoch: 1,
        object: changed,
        metric: None,
    });
    end(other, 1);
    fs::write(object_path(here.path(), &changed), b"rot").unwrap();
    assert_eq!(store.pull(&from, &Wanted::All).unwrap().objects, 1);
    assert_eq!(store.get_object(&changed).unwrap(), good);
}

#[test]
fn another_run_of_the_same_id_is_an_error_and_nothing_is_copied() {
    let ((there, from), (here, store)) = (new_store(), new_store());
    let first = with_objects(&from, 1);
    let id = with_objects(&from, 2);
    store.pull(&from, &Wanted::Runs(vec![id.clone()])).unwrap();
    // The same id with another value, every frame of which is right.
    let ((elsewhere, other), renamed) = (new_store(), finished(&from, "mlp", 0.5));
    fs::copy(journal(there.path(), &renamed), journal(elsewhere.path(), &id)).unwrap();
    let pulled = store.pull(&other, &Wanted::All).unwrap();
    assert!(left(&pulled)[id.as_str()].contains(&format!("it is the journal of run {renamed}")));
    let path = journal(here.path(), &id);
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let before = snapshot(here.path());
    let error = store.pull(&from, &Wanted::All).unwrap_err();
    assert!(matches!(&error, StoreError::OtherRun { id: found } if found.as_str() == id));
    assert!(error.to_string().contains(&id), "{error}");
    assert!(snapshot(here.path()) == before, "something was copied");
    assert!(store.run(&first).is_err());
    // And one that is being written here is not touched.
    fs::remove_file(&path).unwrap();
    let held = File::create(&path).unwrap();
    held.lock().unwrap();
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!(left(&pulled)[id.as_str()], "a run of that id is being written here");
    assert!(ids(&pulled).contains(&first.as_str()));
    assert_eq!(path.metadata().unwrap().len(), 0);
}

/// Exports come after the end, and where locks are not seen a run is pulled before them.
#[test]
fn a_run_that_grew_behind_its_end_grows_here() {
    let ((there, from), (here, store)) = (new_store(), new_store());
    let run = start(&from, "mlp");
    checkpoint(&run, 1);
    run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    let id = run.id().to_string();
    // A copy of the store does not show the lock.
    let copied = here.path().join("copied");
    let copy = |path: &Path| {
        fs::create_dir_all(copied.join("runs")).unwrap();
        fs::copy(there.path().join("format"), copied.join("format")).unwrap();
        fs::copy(path, journal(&copied, &id)).unwrap();
    };
    copy(&journal(there.path(), &id));
    let seen = Store::open_existing(&copied).unwrap();
    let first = store.pull(&seen, &Wanted::All).unwrap();
    assert_eq!((ids(&first), first.left_objects.len()), (vec![id.as_str()], 1));
    assert_eq!(store.runs().unwrap()[0].warnings, 0);
    run.event(RunEvent::Warning { text: "exported with a warning".into() });
    drop(run);
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((&pulled.runs[..], pulled.grown[0].as_str(), pulled.objects), (&[][..], &*id, 1));
    assert!(pulled.to_string().ends_with("; 1 had grown"), "{pulled}");
    // This process remembers it no longer as it was, and the index neither.
    assert_eq!(store.runs().unwrap()[0].warnings, 1);
    assert_eq!(Store::open_existing(here.path()).unwrap().runs().unwrap()[0].warnings, 1);
    // What is older tells nothing.
    let older = store.pull(&seen, &Wanted::All).unwrap();
    assert_eq!((older.known, older.runs.len() + older.grown.len()), (1, 0));
    assert_eq!(store.run(&id).unwrap().summary.warnings, 1);
}

#[test]
fn parents_come_too_also_crashed_ones() {
    let ((there, from), (_here, store)) = (new_store(), new_store());
    let went_on = |parent: Option<&str>, ends: bool| {
        let parent = parent.map(|run| Parent { run: run.parse().unwrap(), step: 1, resumed: true });
        let run = from.start_run(RunStart { parent, ..RunStart::default() }).unwrap();
        checkpoint(&run, 1);
        let id = run.id().to_string();
        if ends {
            run.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
        }
        id
    };
    let first = went_on(None, false);
    let second = went_on(Some(&first), false);
    let third = went_on(Some(&second), true);
    let unrelated = went_on(None, false);
    let gone = went_on(None, true);
    let orphan = went_on(Some(&gone), true);
    fs::remove_file(journal(there.path(), &gone)).unwrap();
    let pulled = store.pull(&from, &Wanted::Runs(vec![third.clone()])).unwrap();
    let mut all = vec![first.as_str(), &second, &third];
    all.sort_unstable();
    assert_eq!((ids(&pulled), pulled.objects), (all, 3));
    let record = store.run(&third).unwrap();
    assert_eq!(store.past(&record).parents.len(), 2);
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((ids(&pulled), pulled.known), (vec![orphan.as_str()], 3));
    assert_eq!(left(&pulled).into_keys().collect::<Vec<_>>(), [unrelated]);
    let missing = &pulled.missing_parents[0];
    assert_eq!((missing.run.as_str(), missing.parent.as_str()), (&*orphan, &*gone));
    let told = format!("\n{orphan} went on with {gone}, which is in neither store or was left out");
    assert!(pulled.to_string().ends_with(&told), "{pulled}");
}

/// The collection of garbage runs while a pull is under way: what was put long ago and is needed now
/// is young again.
#[test]
fn objects_are_young_when_their_journal_comes() {
    let ((there, from), (here, store)) = (new_store(), new_store());
    let id = with_objects(&from, 1);
    let object = reference(&from, &id);
    store.put_object(&from.get_object(&object).unwrap()).unwrap();
    let path = object_path(here.path(), &object);
    let old = SystemTime::now() - Duration::from_secs(3 * 3600);
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let garbage = store.plan_collection().unwrap();
    assert_eq!(garbage.garbage.len(), 1);
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((pulled.objects, objects(there.path())), (1, 3), "it was here already");
    assert_eq!(garbage.carry_out().unwrap().renewed, 1);
    assert!(store.get_object(&object).is_ok());
    // What a killed pull leaves of a journal goes after an hour.
    let left = here.path().join("runs/.tmpabc");
    fs::write(&left, "half a journal").unwrap();
    assert!(store.plan_collection().unwrap().garbage.is_empty());
    File::options().write(true).open(&left).unwrap().set_modified(old).unwrap();
    // A folder is somebody else's.
    let folder = here.path().join("runs/.tmpfolder");
    fs::create_dir(&folder).unwrap();
    File::open(&folder).unwrap().set_modified(old).unwrap();
    let plan = store.plan_collection().unwrap();
    assert_eq!(plan.garbage.len(), 1);
    plan.carry_out().unwrap();
    assert!(!left.exists() && folder.exists());
}

/// Files that are not what a store holds, and folders with names of all kinds.
#[cfg(unix)]
#[test]
fn hostile_paths_stop_nothing_and_give_nothing_away() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    let names = ["-rf \n\u{1b}[31m ü'\"$(x)", "../down/ \u{202e}there"];
    fs::create_dir_all(root.path().join("down")).unwrap();
    let [from, store] = names.map(|name| {
        let path = root.path().join("down").join(name);
        Store::open(path).unwrap()
    });
    let there = from.path().to_owned();
    let good = with_objects(&from, 1);
    let others: Vec<String> = (2..=4).map(|seed| with_objects(&from, seed)).collect();
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    // An object that never ends, one that never begins, and one that is somebody's secret.
    let secret = root.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let targets = others.iter().map(|id| object_path(&there, &reference(&from, id)));
    let targets: Vec<PathBuf> = targets.collect();
    fs::remove_file(&targets[0]).unwrap();
    symlink("/dev/zero", &targets[0]).unwrap();
    pipe(&targets[1]);
    fs::remove_file(&targets[2]).unwrap();
    symlink(&secret, &targets[2]).unwrap();
    // Journals of the same kinds, and names that are none.
    let odd = ["20260101-000000-000001", "20260101-000000-000002", "20260101-000000-000003"];
    symlink(&secret, journal(&there, odd[0])).unwrap();
    fs::write(journal(&there, odd[1]), "").unwrap();
    pipe(&journal(&there, odd[1]));
    fs::create_dir(journal(&there, odd[2])).unwrap();
    for name in ["..", "..log", "../../x", "20260101-000000-000004"] {
        let _ = fs::write(there.join("runs").join(format!("{name}.txt")), "x");
    }
    let pulled = store.pull(&from, &Wanted::All).unwrap();
    assert_eq!((pulled.runs.len(), pulled.left_objects.len()), (4, 3), "{pulled}");
    let why = left(&pulled);
    assert!(why[odd[0]].contains("it has no start record"), "{why:?}");
    assert!(odd[1..].iter().all(|id| why[id].contains("it is no file")), "{why:?}");
    assert!(!pulled.to_string().chars().any(|c| c.is_control() && c != '\n'), "{pulled}");
    assert!(!format!("{pulled:?}").contains("secret"), "{pulled:?}");
    let held = snapshot(store.path());
    assert!(held.values().all(|(bytes, _)| bytes != b"secret"));
    assert!(store.get_object(&reference(&store, &good)).is_ok());
}

/// Writes runs with checkpoints for ever, and says each when its writer is gone.
fn write_for_ever(store: &str) {
    let store = Store::open(store).unwrap();
    for round in 1.. {
        let run = start(&store, "mlp");
        for step in 1..=20 {
            run.log(step, &[Metric::new("loss", step as f64)]);
        }
        checkpoint(&run, round);
        say(&end(run, 20));
    }
}

#[test]
fn a_store_that_is_being_written_is_pulled_whole_runs_at_a_time() {
    let ((there, from), (_here, store)) = (new_store(), new_store());
    let mut writers: Vec<Other> = (0..2).map(|_| Other::start("write", there.path())).collect();
    let mut said = Vec::new();
    for _ in 0..12 {
        said.extend(writers.iter_mut().map(|writer| writer.hear().unwrap()));
        let pulled = store.pull(&from, &Wanted::All).unwrap();
        assert!(pulled.left_objects.is_empty() && pulled.grown.is_empty(), "{pulled}");
        for left in &pulled.left_out {
            let why = left.why.as_str();
            assert!(matches!(why, "it is being written" | "it is just starting"), "{pulled}");
        }
        for id in &said {
            // Somebody may have looked whether it is held at that very moment.
            if left(&pulled).contains_key(id.as_str()) {
                continue;
            }
            let record = store.run(id).unwrap();
            assert_eq!((&record.summary.state, record.damage), (&RunState::Finished, None));
        }
    }
    writers.iter_mut().for_each(Other::kill);
    store.pull(&from, &Wanted::All).unwrap();
    for run in store.runs().unwrap() {
        let id = run.id.as_str();
        assert_eq!((run.state, run.metrics["loss"].count), (RunState::Finished, 20));
        let object = reference(&store, id);
        assert_eq!(store.get_object(&object).unwrap(), from.get_object(&object).unwrap());
    }
    assert!(said.iter().all(|id| store.run(id).is_ok()));
}

/// Pulls from `there` into `here` beside it, and stays.
fn pull_and_stay(folder: &str) {
    let folder = Path::new(folder);
    let from = Store::open_existing(folder.join("there")).unwrap();
    let store = Store::open(folder.join("here")).unwrap();
    say("pulling");
    store.pull(&from, &Wanted::All).unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_kill_at_any_moment_leaves_whole_runs_and_the_pull_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let from = Store::open(folder.path().join("there")).unwrap();
    for seed in 1..=6 {
        with_objects(&from, seed);
    }
    let expected = from.runs().unwrap();
    let before = snapshot(from.path());
    let mut draw = Pcg64::new(9, 11);
    let (mut cut, mut spread) = (0, 20_000_u32);
    for round in 0..kills() {
        let mut other = Other::start("pull", folder.path());
        assert_eq!(other.hear().as_deref(), Some("pulling"));
        std::thread::sleep(Duration::from_micros(u64::from(draw.next_u32() % spread)));
        other.kill();
        let path = folder.path().join("here");
        let store = Store::open(&path).unwrap();
        let runs = store.runs().unwrap();
        for run in &runs {
            assert_eq!(run.damage, None, "round {round}: {}", run.id);
            let object = reference(&store, run.id.as_str());
            assert!(store.get_object(&object).is_ok(), "round {round}: {}", run.id);
        }
        // However slow the machine is, most kills are to come in the middle.
        spread = match runs.len() {
            0 => (spread * 3 / 2).min(5_000_000),
            all if all == expected.len() => (spread * 2 / 3).max(1_000),
            _ => spread,
        };
        cut += u64::from(!runs.is_empty() && runs.len() < expected.len());
        let pulled = store.pull(&from, &Wanted::All).unwrap();
        assert!(pulled.left_out.is_empty() && pulled.left_objects.is_empty(), "{pulled}");
        let fresh = Store::open_existing(&path).unwrap();
        // As text: NaN is not equal to itself.
        assert_eq!(
            format!("{:?}", fresh.runs().unwrap()),
            format!("{expected:?}"),
            "round {round}"
        );
        for run in &expected {
            let id = run.id.as_str();
            let [here, there] = [&fresh, &from].map(|store| store.run(id).unwrap());
            assert_eq!(format!("{here:?}"), format!("{there:?}"), "round {round}");
            assert!(fresh.get_object(&reference(&fresh, id)).is_ok(), "round {round}: {id}");
        }
        assert_eq!(store.pull(&from, &Wanted::All).unwrap().known, expected.len());
        fs::remove_dir_all(&path).unwrap();
    }
    assert!(snapshot(from.path()) == before, "the source was written to");
    assert!(cut > 0, "no kill hit a pull between two runs");
}

/// The file with these bytes at its end, or without so many.
fn torn(path: &Path, by: i64) {
    let mut bytes = fs::read(path).unwrap();
    match usize::try_from(by) {
        Ok(more) => bytes.extend(vec![7; more]),
        Err(_) => bytes.truncate(bytes.len() - usize::try_from(-by).unwrap()),
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn half_a_record_at_the_end_of_a_journal_is_none() {
    let (_there, from) = new_store();
    // Its writer died in the middle of a record, which only begins: two bytes of its length.
    let parent = start(&from, "mlp");
    parent.log(1, &[Metric::new("loss", 0.5)]);
    parent.flush().unwrap();
    let crashed = parent.id().clone();
    drop(parent);
    torn(&journal(from.path(), crashed.as_str()), 2);
    let begin = RunStart {
        parent: Some(Parent { run: crashed.clone(), step: 1, resumed: true }),
        ..RunStart::default()
    };
    let child = end(from.start_run(begin).unwrap(), 2);
    let (_here, to) = new_store();
    let pulled = to.pull(&from, &Wanted::All).unwrap();
    assert_eq!(pulled.runs.len(), 2, "{pulled}");
    assert!(pulled.missing_parents.is_empty(), "{pulled}");
    let record = to.run(crashed.as_str()).unwrap();
    assert_eq!((record.summary.state, record.damage), (RunState::Crashed, None));
    assert_eq!(to.pull(&from, &Wanted::All).unwrap().known, 2);

    // A copy that was made while the run was written ends in the middle of a record.
    for by in [-3, -1] {
        let copy = journal(to.path(), &child);
        torn(&copy, by);
        assert_eq!(to.pull(&from, &Wanted::All).unwrap().grown.len(), 1, "{by}");
        assert_eq!(fs::read(&copy).unwrap(), fs::read(journal(from.path(), &child)).unwrap());
    }
    // What differs in the middle is another run.
    let mut bytes = fs::read(journal(to.path(), &child)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(journal(to.path(), &child), bytes).unwrap();
    assert!(matches!(to.pull(&from, &Wanted::All), Err(StoreError::OtherRun { .. })));
}
