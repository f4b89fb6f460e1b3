//! What is recorded comes back, by every way of asking.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::path::Path;

use common::{finished, journal, new_store, start};
use trainbook_store::{
    EndState, Environment, Metric, ObjectId, RunEnd, RunEvent, RunRecord, RunStart, RunState,
    Store, StoreError, Value,
};

#[test]
fn a_run_comes_back_as_it_was() {
    let (folder, store) = new_store();
    let begin = RunStart {
        name: Some("first".into()),
        params: [("lr".into(), Value::from(1e-3)), ("n".into(), Value::from(3))].into(),
        tags: [("kind".into(), "mlp".to_owned())].into(),
        seed: u64::MAX,
        model: "mlp".into(),
        environment: Environment::capture(),
        ..RunStart::default()
    };
    let run = store.start_run(begin.clone()).unwrap();
    assert_eq!(store.run(run.id().as_str()).unwrap().summary.state, RunState::Running);
    let values = [0.5, f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE / 2.0];
    for (step, value) in values.iter().enumerate() {
        run.log(step as u64, &[Metric::new("loss", *value)]);
    }
    run.log(4, &[Metric::new("loss", 9.0)]);
    let object = store.put_object(b"weights").unwrap();
    let events = [
        RunEvent::Checkpoint {
            label: "best".into(),
            step: 4,
            epoch: 1,
            object,
            metric: Some(Metric::new("loss", 0.5)),
        },
        RunEvent::Warning { text: "hot".into() },
        RunEvent::Evaluation { part: "test".into(), metrics: vec![Metric::new("accuracy", 0.9)] },
    ];
    run.event(events[0].clone());
    run.event(events[1].clone());
    run.finish(RunEnd::new(EndState::Stopped { reason: "patience".into() }, 5, 1)).unwrap();
    run.event(events[2].clone());
    run.flush().unwrap();
    assert_eq!(run.problem(), None);

    let check = |record: &RunRecord| {
        let summary = &record.summary;
        assert_eq!(
            (&summary.name, &summary.model, summary.seed),
            (&begin.name, &begin.model, begin.seed)
        );
        assert_eq!(
            (&summary.params, &summary.tags, &record.environment),
            (&begin.params, &begin.tags, &begin.environment)
        );
        assert_eq!(summary.state, RunState::Stopped { reason: "patience".into() });
        assert_eq!((summary.steps, summary.epochs, summary.warnings), (5, 1, 1));
        assert!(summary.seconds.is_some());
        let series: Vec<(u64, u64)> =
            record.series["loss"].iter().map(|(step, value)| (*step, value.to_bits())).collect();
        let expected =
            values.iter().enumerate().map(|(step, value)| (step as u64, value.to_bits()));
        assert_eq!(series, expected.chain([(4, 9.0_f64.to_bits())]).collect::<Vec<_>>());
        assert_eq!(
            record.events.iter().map(|event| event.event.clone()).collect::<Vec<_>>(),
            events
        );
        assert_eq!(record.damage, None);
    };
    check(&store.run(run.id().as_str()).unwrap());
    let id = run.id().to_string();
    drop(run);
    // The end record holds, though there were events behind it and the lock is free now.
    check(&Store::open_existing(folder.path()).unwrap().run(&id).unwrap());
    assert_eq!(store.get_object(&object).unwrap(), b"weights");
    let json = serde_json::to_value(store.runs().unwrap()).unwrap();
    assert_eq!(json[0]["state"]["kind"], "stopped");
    assert_eq!(json[0]["params"]["lr"], 1e-3);
    // An evaluation after the end can be asked for like any metric; its step is the last.
    assert_eq!(store.query("metrics.accuracy >= 0.9").unwrap()[0].metrics["accuracy"].argmax, 4);
}

#[test]
fn runs_come_newest_first_from_index_and_journals_alike() {
    let (folder, store) = new_store();
    let ids: Vec<String> = (0..5).map(|n| finished(&store, "mlp", f64::from(n))).collect();
    let running = start(&store, "cnn");
    let from_index = store.runs().unwrap();
    // All within a second or two, so the ids alone would not tell.
    let mut sorted: Vec<&str> =
        ids.iter().map(String::as_str).chain([running.id().as_str()]).collect();
    sorted.reverse();
    assert_eq!(from_index.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), sorted);
    for summary in &from_index {
        assert_eq!(&store.run(summary.id.as_str()).unwrap().summary, summary);
    }
    // The running run is read anew each time, and so is one that ends.
    running.log(1, &[Metric::new("loss", 0.25)]);
    running.flush().unwrap();
    assert_eq!(store.query("metrics.loss = 0.25").unwrap()[0].state, RunState::Running);
    let id = running.id().to_string();
    assert_eq!(store.summary(&id).unwrap().state, RunState::Running);
    running.finish(RunEnd::new(EndState::Finished, 1, 1)).unwrap();
    drop(running);
    // One that asks for it alone, one that has a list, and one that remembers nothing.
    for store in [&store, &Store::open_existing(folder.path()).unwrap()] {
        assert_eq!(store.summary(&id[..id.len() - 1]).unwrap().state, RunState::Finished);
        assert_eq!(store.query("metrics.loss = 0.25").unwrap(), [store.summary(&id).unwrap()]);
    }
    // A run that somebody deleted is gone.
    std::fs::remove_file(journal(folder.path(), &ids[0])).unwrap();
    assert_eq!(store.runs().unwrap().len(), 5);
    assert!(matches!(store.query("state = 'don'"), Err(StoreError::Query(_))));
}

#[test]
fn a_long_history_is_the_same_sealed_and_not() {
    let (folder, store) = new_store();
    let run = start(&store, "mlp");
    let id = run.id().to_string();
    let value = |step: u64| if step % 1000 == 7 { f64::NAN } else { (step as f64).sin() };
    let bits = |points: &[(u64, f64)]| {
        points.iter().map(|(step, value)| (*step, value.to_bits())).collect::<Vec<_>>()
    };
    let mut logged = 0;
    // Less than what is sealed, more than one block, a little more, and much more.
    for upto in [1000, 150_000, 150_100, 300_000] {
        for step in logged + 1..=upto {
            run.log(step, &[Metric::new("sine", value(step)), Metric::new("step", step as f64)]);
        }
        logged = upto;
        run.flush().unwrap();
        let expected: Vec<(u64, f64)> = (1..=upto).map(|step| (step, value(step))).collect();
        for store in [&store, &Store::open_existing(folder.path()).unwrap()] {
            let history = store.history(&id, "sine", usize::MAX).unwrap();
            assert_eq!((history.total, bits(&history.points)), (upto, bits(&expected)), "{upto}");
            let few = store.history(&id, "sine", 500).unwrap();
            assert!(few.points.len() <= 500 && few.total == upto);
            assert_eq!(store.runs().unwrap()[0].metrics["sine"].nan_count, (upto + 993) / 1000);
        }
        assert_eq!(store.index_problem(), None);
    }
    run.event(RunEvent::Evaluation {
        part: "test".into(),
        metrics: vec![Metric::new("sine", 5.0)],
    });
    drop(run);
    let fresh = Store::open_existing(folder.path()).unwrap();
    let history = fresh.history(&id, "sine", usize::MAX).unwrap();
    assert_eq!(history.points.last(), Some(&(300_000, 5.0)));
    assert_eq!(
        bits(&history.points),
        bits(&store.history(&id, "sine", usize::MAX).unwrap().points)
    );
    assert_eq!(fresh.run(&id).unwrap().summary, fresh.runs().unwrap()[0]);
    let error = fresh.history(&id, "sin", 10).unwrap_err().to_string();
    assert!(error.contains("nearest is sine"), "{error}");
}

#[test]
fn a_run_is_found_by_a_part_of_its_id() {
    let (_folder, store) = new_store();
    let empty = store.run("2026").unwrap_err().to_string();
    assert!(empty.contains("no runs yet"), "{empty}");
    let id = finished(&store, "mlp", 0.1);
    assert_eq!(store.run(&id[..id.len() - 2]).unwrap().summary.id.as_str(), id);
    let mut wrong = id.clone();
    wrong.replace_range(3..4, "x");
    let error = store.run(&wrong).unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownRun { nearest: Some(near), .. } if near.as_str() == id),
        "{error}"
    );
    let other = finished(&store, "mlp", 0.1);
    let error = store.run("20").unwrap_err().to_string();
    assert!(error.contains(&id) && error.contains(&other), "{error}");
    assert!(store.run("../format").is_err());
}

#[test]
fn a_place_that_cannot_be_a_store_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let newer = folder.path().join("newer");
    Store::open(&newer).unwrap();
    std::fs::write(newer.join("format"), "4\n").unwrap();
    let odd = folder.path().join("odd");
    Store::open(&odd).unwrap();
    std::fs::write(odd.join("format"), "zwei").unwrap();
    let cases: [(Result<Store, StoreError>, &Path, &str); 6] = [
        (Store::open_existing(&missing), &missing, "there is no store there"),
        (Store::open(&file), &file, "choose another path"),
        (Store::open_existing(&file), &file, "choose another path"),
        (Store::open(file.join("below")), &file, "choose a folder that you may write to"),
        (Store::open(&newer), &newer, "use a newer trainbook"),
        (Store::open(&odd), &odd, "instead of a number"),
    ];
    for (answer, path, cure) in cases {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(cure), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(!missing.exists(), "looking made something");
    // No user may write to this file system, root included.
    if cfg!(target_os = "linux") {
        let error = Store::open("/proc/trainbook").unwrap_err().to_string();
        assert!(error.contains("/proc/trainbook") && error.contains("choose a folder"), "{error}");
    }
}

#[test]
fn an_object_that_was_changed_is_an_error() {
    let (folder, store) = new_store();
    let id = store.put_object(b"weights").unwrap();
    let text = id.to_string();
    std::fs::write(folder.path().join("objects").join(&text[..2]).join(&text), b"others").unwrap();
    assert!(matches!(store.get_object(&id), Err(StoreError::DamagedObject { .. })));
    assert!(matches!(
        store.get_object(&ObjectId::of(b"never")),
        Err(StoreError::UnknownObject { .. })
    ));
}

#[test]
fn a_store_of_format_1_still_reads() {
    reads_the_fixture("v1", 5);
}

#[test]
fn a_store_of_format_2_still_reads() {
    // Of two checkpoints `last`, the first is released.
    let record = reads_the_fixture("v2", 6);
    let RunEvent::Checkpoint { label, step, .. } = &record.events[1].event else {
        unreachable!("{:?}", record.events[1])
    };
    assert_eq!((label.as_str(), *step), ("last", 20));
}

#[test]
fn a_store_of_format_3_still_reads() {
    let record = reads_the_fixture("v3", 7);
    let RunEvent::CallbackCosts { seconds, costs } = &record.events[4].event else {
        unreachable!("{:?}", record.events[4])
    };
    let told: Vec<_> = costs.iter().map(|c| (&c.moment[..], c.calls, c.seconds)).collect();
    assert_eq!(*seconds, 10.0);
    assert_eq!(told, [("change_gradients", 20, 0.25), ("epoch_end", 2, 0.125)]);
}

fn reads_the_fixture(version: &str, events: usize) -> RunRecord {
    // In a copy, because reading writes an index.
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(version);
    copy(&fixture, folder.path());
    let store = Store::open_existing(folder.path()).unwrap();
    let runs =
        store.query("params.lr = 1e-3 and metrics.loss.min = 0.05 and tags.kind = 'mlp'").unwrap();
    let record = store.run(runs[0].id.as_str()).unwrap();
    assert_eq!(record.summary, store.run(runs[0].id.as_str()).unwrap().summary);
    assert_eq!(record.summary.state, RunState::Stopped { reason: "patience is over".into() });
    assert_eq!(
        (record.summary.seed, record.summary.steps, record.summary.epochs),
        (u64::MAX, 20, 2)
    );
    assert_eq!(record.summary.params["one"], Value::Float(1.0));
    assert_eq!((record.data.rows, record.plan[0].writes[0].as_str()), (1797, "gradients"));
    assert_eq!(record.series["loss"].len(), 20);
    assert!(record.series["loss"][6].1.is_nan() && record.series["grad_norm"][0].1.is_infinite());
    assert_eq!(record.events.len(), events);
    let RunEvent::Checkpoint { object, .. } = &record.events[0].event else {
        unreachable!("{:?}", record.events[0])
    };
    assert_eq!(store.get_object(object).unwrap(), b"the weights");
    assert_eq!(record.damage, None);
    record
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
