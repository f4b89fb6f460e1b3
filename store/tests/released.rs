//! Checkpoints that a run keeps no longer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{new_store, start};
use trainbook_store::{
    EndState, Metric, ObjectId, RunEnd, RunEvent, RunRecord, RunStart, RunWriter, Store, StoreError,
};

fn checkpoint(run: &RunWriter, label: &str, step: u64, object: ObjectId) {
    let event =
        RunEvent::Checkpoint { label: label.into(), step, epoch: step, object, metric: None };
    run.event_on_disk(event).unwrap();
}

fn end(run: RunWriter) -> String {
    run.finish(RunEnd::new(EndState::Finished, 100, 100)).unwrap();
    run.id().to_string()
}

/// As if every object had been put long ago.
fn age_all(store: &Path) {
    for folder in std::fs::read_dir(store.join("objects")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = File::options().write(true).open(file.unwrap().path()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
        }
    }
}

/// Labels and objects of the checkpoints that a record lists.
fn listed(record: &RunRecord) -> Vec<(&str, ObjectId)> {
    record
        .events
        .iter()
        .filter_map(|event| match &event.event {
            RunEvent::Checkpoint { label, object, .. } => Some((label.as_str(), *object)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_hundred_epochs_leave_one_checkpoint() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    run.event(RunEvent::Note { text: "before".into() });
    let put = |epoch: u64| store.put_object(format!("weights {epoch}").as_bytes()).unwrap();
    for epoch in 1..=100 {
        run.log(epoch, &[Metric::new("loss", 1.0 / epoch as f64)]);
        checkpoint(&run, "last", epoch, put(epoch));
        if epoch > 1 {
            run.release("last", put(epoch - 1));
        }
    }
    run.event(RunEvent::Note { text: "behind".into() });
    run.flush().unwrap();

    let newest = put(100);
    let check = |record: &RunRecord| {
        assert_eq!(listed(record), [("last", newest)]);
        let texts = |event: &RunEvent| format!("{event:?}");
        let events: Vec<String> = record.events.iter().map(|event| texts(&event.event)).collect();
        assert_eq!(events.len(), 3, "{events:?}");
        assert!(events[0].contains("before") && events[2].contains("behind"), "{events:?}");
        assert_eq!((record.summary.steps, record.summary.epochs), (100, 100));
        assert_eq!(record.damage, None);
        let json = serde_json::to_string(record).unwrap();
        assert!(!json.contains("released") && !json.contains(&put(99).to_string()));
    };
    check(&store.run(run.id().as_str()).unwrap());
    let summary = store.run(run.id().as_str()).unwrap().summary;
    assert_eq!(store.runs().unwrap()[0], summary, "memory knows it as the journal does");
    let id = end(run);
    check(&store.run(&id).unwrap());
    // From the index, and from one that was made anew.
    let again = Store::open(folder.path()).unwrap();
    assert_eq!(again.runs().unwrap()[0], store.run(&id).unwrap().summary);
    assert_eq!(again.rebuild_index().unwrap(), 1);
    assert_eq!(again.runs().unwrap()[0], store.run(&id).unwrap().summary);
    // Compared with a run that kept one from the start, nothing of it is there.
    let other = start(&store, "mlp");
    checkpoint(&other, "last", 100, newest);
    let diff = store.diff(&id, end(other)).unwrap();
    let of_the_99th = format!("{:?}", diff.results);
    assert!(!of_the_99th.contains(&put(99).to_string()), "{of_the_99th}");

    age_all(folder.path());
    let plan = store.plan_collection().unwrap();
    assert_eq!((plan.garbage.len(), plan.needed, plan.young), (99, 1, 0));
    assert_eq!(plan.carry_out().unwrap().files, 99);
    assert_eq!(store.get_object(&newest).unwrap(), b"weights 100");
    let gone = ObjectId::of(b"weights 99");
    let error = store.get_object(&gone).unwrap_err();
    assert!(matches!(error, StoreError::UnknownObject { id } if id == gone));
    let message = error.to_string();
    assert!(message.contains("no run keeps it any more and it was collected"), "{message}");
}

/// What else may refer to an object whose checkpoint was released.
#[test]
fn what_something_else_refers_to_stays() {
    type Refer = fn(&Store, &RunWriter, ObjectId);
    let release: Refer = |_, run, object| run.release("last", object);
    let table: [(&str, Refer, bool); 9] = [
        ("nothing", |_, _, _| {}, false),
        ("another label", |_, run, object| checkpoint(run, "best", 1, object), true),
        (
            "another run",
            |store, _, object| {
                let other = start(store, "mlp");
                checkpoint(&other, "last", 1, object);
                end(other);
            },
            true,
        ),
        (
            "a run that began with it",
            |store, _, object| {
                let recipe = Some(format!(r#"{{"begins":{{"checkpoint":"{object}"}}}}"#));
                end(store.start_run(RunStart { recipe, ..RunStart::default() }).unwrap());
            },
            true,
        ),
        (
            "another run's release",
            |store, _, object| {
                // It takes nothing back, and refers to nothing.
                let other = start(store, "mlp");
                other.release("last", object);
                end(other);
            },
            false,
        ),
        ("the same label again", |_, run, object| checkpoint(run, "last", 1, object), true),
        (
            "and released again",
            |_, run, object| {
                checkpoint(run, "last", 1, object);
                run.release("last", object);
            },
            false,
        ),
        (
            "and released too often",
            |_, run, object| {
                run.release("last", object);
                run.release("last", object);
            },
            false,
        ),
        (
            "a note",
            |_, run, object| {
                run.event(RunEvent::Note { text: format!("from {object}") });
            },
            true,
        ),
    ];
    for before in [true, false] {
        for (what, refer, stays) in table {
            let (folder, store) = new_store();
            let run = start(&store, "mlp");
            let object = store.put_object(b"weights").unwrap();
            checkpoint(&run, "last", 1, object);
            if before {
                refer(&store, &run, object);
                release(&store, &run, object);
            } else {
                release(&store, &run, object);
                refer(&store, &run, object);
            }
            let id = end(run);
            age_all(folder.path());
            let plan = store.plan_collection().unwrap();
            let what = format!("{what}, before the release: {before}");
            assert_eq!((plan.needed == 1, plan.garbage.len() == 1), (stays, !stays), "{what}");
            plan.carry_out().unwrap();
            assert_eq!(store.get_object(&object).is_ok(), stays, "{what}");
            for (_, object) in listed(&store.run(&id).unwrap()) {
                store.get_object(&object).unwrap();
            }
        }
    }
}

#[test]
fn a_release_of_what_is_not_there_releases_nothing() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let [one, two] = [b"one", b"two"].map(|bytes| store.put_object(bytes).unwrap());
    run.release("last", one); // a release does not reach forward
    checkpoint(&run, "last", 1, one);
    checkpoint(&run, "best", 1, two);
    run.release("last", two);
    run.release("bet", two);
    let id = end(run);
    assert_eq!(listed(&store.run(&id).unwrap()), [("last", one), ("best", two)]);
    age_all(folder.path());
    assert_eq!(store.plan_collection().unwrap().needed, 2);
}

/// A journal that ends anywhere, as a crash may leave it: there is always the newest checkpoint that
/// was recorded, and what a record lists can be read.
#[test]
fn a_crash_between_a_checkpoint_and_a_release_loses_nothing() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let path = common::journal(folder.path(), run.id().as_str());
    let mut lengths = Vec::new();
    for step in 1..=3_u64 {
        let put = |step: u64| store.put_object(&step.to_le_bytes()).unwrap();
        checkpoint(&run, "last", step, put(step));
        lengths.push(path.metadata().unwrap().len());
        if step > 1 {
            run.release("last", put(step - 1));
            run.flush().unwrap();
        }
    }
    let id = run.id().to_string();
    drop(run);
    let whole = std::fs::read(&path).unwrap();
    age_all(folder.path());
    for length in lengths[0]..=whole.len() as u64 {
        std::fs::write(&path, &whole[..length as usize]).unwrap();
        let record = Store::open(folder.path()).unwrap().run(&id).unwrap();
        let newest = lengths.iter().filter(|recorded| **recorded <= length).count() as u64;
        let kept = listed(&record);
        assert!((1..=2).contains(&kept.len()), "{length}: {kept:?}");
        assert_eq!(kept.last().unwrap().1, ObjectId::of(&newest.to_le_bytes()), "{length}");
        // What is not whole is not collected from; what is, only of what is not listed.
        match store.plan_collection() {
            Err(error) => {
                assert!(matches!(error, StoreError::UnknownReferences { .. }), "{error}");
                assert!(record.damage.is_some());
            }
            Ok(plan) => {
                assert_eq!(plan.needed, kept.len(), "{length}");
                assert_eq!((plan.garbage.len(), &record.damage), (3 - kept.len(), &None));
            }
        }
    }
}

#[test]
fn a_store_that_an_older_trainbook_made_says_so_no_longer_once_there_is_a_new_run() {
    let (folder, store) = new_store();
    let format = || std::fs::read_to_string(folder.path().join("format")).unwrap();
    let newest = format();
    std::fs::write(folder.path().join("format"), "1\n").unwrap();
    store.runs().unwrap();
    assert_eq!(format(), "1\n", "to look changes nothing");
    end(start(&store, "mlp"));
    assert_eq!(format(), newest);
}
