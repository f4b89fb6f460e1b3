//! What a run leaves in a store.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use trainbook::prelude::*;
use trainbook::store::{RunEvent, RunRecord, RunState, Store, Value};

use crate::support::{BATCHES, builder, clouds, probe, weight_bits};

/// A store in a folder that goes away with the first of the two.
fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn record(store: &Store, run: &Run) -> RunRecord {
    store.run(run.id().unwrap()).unwrap()
}

#[test]
fn every_number_is_there() {
    let data = clouds();
    let (_folder, store) = store();
    let losses = Arc::new(Mutex::new(Vec::new()));
    let note = losses.clone();
    let mut trainer = builder(&data, 1)
        .with(LrSchedule::cosine(0.02))
        .with(every(2, GradientMonitor::new()))
        .with(on_step_end(move |step| {
            note.lock().unwrap().push((step.counters.batches_seen, f64::from(step.loss())));
            Ok(Flow::Continue)
        }))
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(4)).unwrap();
    let series = record(&store, &run).series;
    assert_eq!(series["loss"], *losses.lock().unwrap());
    assert_eq!(series["loss"].len() as u64, 4 * BATCHES);
    let rates = |step: u64| {
        0.02 * (1.0 + (std::f64::consts::PI * step as f64 / (4 * BATCHES) as f64).cos()) / 2.0
    };
    assert_eq!(series["learning_rate"].len() as u64, 4 * BATCHES);
    for (i, (step, rate)) in series["learning_rate"].iter().enumerate() {
        assert_eq!(*step, i as u64 + 1);
        assert!((rate - rates(i as u64)).abs() < 1e-12, "step {step}: {rate}");
    }
    assert_eq!(
        series["gradient_norm"].iter().map(|p| p.0).collect::<Vec<_>>(),
        [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    );
    for (i, name) in ["train_loss", "val_loss", "val_accuracy"].into_iter().enumerate() {
        let history: Vec<_> =
            run.history().iter().map(|row| (row.step, row.metrics[i].value)).collect();
        assert_eq!(series[name], history);
    }
    assert_eq!(series["epoch"], [(5, 1.0), (10, 2.0), (15, 3.0), (20, 4.0)]);
}

#[test]
fn what_was_set_is_there() {
    let data = clouds();
    let (_folder, store) = store();
    let mut trainer = builder(&data, 7)
        .optimizer(AdamW::default().weight_decay(0.1))
        .learning_rate(0.5) // which the schedule replaces
        .with(LrSchedule::one_cycle(0.03).warmup(2))
        .with(EarlyStopping::on("val_loss").patience(9))
        .name("a name")
        .tag("who", "me")
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let RunRecord { summary, plan, data: fingerprint, .. } = record(&store, &run);
    let expected: [(&str, Value); 16] = [
        ("batch_size", 16_u64.into()),
        ("betas", "[0.9,0.999]".into()),
        ("device", "cpu".into()),
        ("epochs", 2_u64.into()),
        ("eps", 1e-8.into()),
        ("init", "PyTorch".into()),
        ("label_smoothing", 0.0.into()),
        ("loss", "CrossEntropy".into()),
        ("lr", 0.03.into()),
        ("model.layers", 3_u64.into()),
        ("model.parameters", 67_u64.into()),
        ("optimizer", "adamw".into()),
        ("patience", 9_u64.into()),
        ("schedule", "one_cycle".into()),
        ("warmup", 2_u64.into()),
        ("weight_decay", 0.1.into()),
    ];
    let params: Vec<_> = summary.params.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    assert_eq!(params, expected);
    assert_eq!((summary.seed, summary.name.as_deref()), (7, Some("a name")));
    assert_eq!(summary.tags["who"], "me");
    assert_eq!(summary.model, "Linear 8 → Relu → Linear 3");
    assert_eq!((summary.steps, summary.epochs), (2 * BATCHES, 2));
    assert_eq!(summary.state, RunState::Finished);
    assert_eq!(fingerprint, data.fingerprint().unwrap());
    assert_eq!(plan, trainer.plan().callbacks());
    let names: Vec<_> = plan.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["FixSeed", "LrSchedule", "EarlyStopping", "Recorder"]);
    assert_eq!(plan[1].writes, ["learning rate"]);
    assert_eq!(plan[2].reads, ["metric val_loss"]);
}

#[test]
fn the_end_is_told_as_it_was() {
    let data = clouds();
    let (_folder, store) = store();
    let state = |callback: Box<dyn Callback>| {
        let mut trainer = builder(&data, 1).with(callback).store(&store).build().unwrap();
        let _ = trainer.fit(Epochs(2)); // whatever comes of it is what this test is about
        // not the first of the list, which is in order by the second only
        store.runs().unwrap().into_iter().max_by_key(|run| run.started_at).unwrap().state
    };
    assert_eq!(state(Box::new(on_epoch_end(|_| Ok(Flow::Continue)))), RunState::Finished);
    let stopped = RunState::Stopped { reason: "requested (on_epoch_end): enough".to_owned() };
    assert_eq!(state(Box::new(on_epoch_end(|_| Ok(Flow::stop("enough"))))), stopped);
    let failed = RunState::Failed { error: "run callback on_epoch_end: broken".to_owned() };
    assert_eq!(state(Box::new(on_epoch_end(|_| Err(CallbackError::custom("broken"))))), failed);
    let panicked = RunState::Failed {
        error: "go on: callback `on_epoch_end` panicked in epoch_end: broken".to_owned(),
    };
    assert_eq!(state(Box::new(on_epoch_end(|_| panic!("broken")))), panicked);
    assert_eq!(store.runs().unwrap().len(), 4);
}

#[test]
fn every_fit_is_a_run_of_its_own() {
    let (_folder, store) = store();
    let mut trainer = builder(&clouds(), 1).store(&store).build().unwrap();
    let (first, second) = (trainer.fit(Epochs(1)).unwrap(), trainer.fit(Epochs(2)).unwrap());
    let steps = |run| record(&store, run).series["loss"].iter().map(|p| p.0).collect::<Vec<_>>();
    assert_eq!(steps(&first), [1, 2, 3, 4, 5]);
    assert_eq!(steps(&second), (6..=15).collect::<Vec<_>>());
    assert_eq!(
        (record(&store, &first).summary.epochs, record(&store, &second).summary.epochs),
        (1, 2)
    );
}

#[test]
fn what_is_done_with_a_run_is_recorded_with_it() {
    let (folder, store) = store();
    let mut trainer =
        builder(&clouds(), 1).with(Checkpoint::best("val_loss")).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let evaluation = run.evaluate(Part::Test).unwrap();
    let report = run.export(folder.path().join("net.onnx")).unwrap();
    let RunRecord { events, summary, .. } = record(&store, &run);
    let (mut evaluated, mut exported, mut checkpoints) = (false, false, 0);
    for event in events.into_iter().map(|e| e.event) {
        match event {
            RunEvent::Evaluation { part, metrics } => {
                assert_eq!(part, "test");
                let metrics: Vec<_> = metrics.iter().map(|m| (m.name.as_str(), m.value)).collect();
                let accuracy = evaluation.accuracy().unwrap();
                assert_eq!(metrics, [("test_loss", evaluation.loss), ("test_accuracy", accuracy)]);
                evaluated = true;
            }
            RunEvent::Export {
                path,
                sha256,
                graph_sha256,
                runtime,
                max_abs_diff,
                comparisons,
                margin_used,
                ..
            } => {
                assert_eq!(path, report.path.display().to_string());
                assert_eq!(
                    (sha256, graph_sha256),
                    (report.file_sha256.clone(), report.graph_sha256.clone())
                );
                assert_eq!(runtime, format!("ONNX Runtime {}", report.checked_in.version));
                let compared = &report.comparison;
                assert_eq!(
                    (comparisons, max_abs_diff),
                    (compared.comparisons as u64, compared.max_abs_diff)
                );
                assert_eq!(margin_used, compared.margin_used);
                exported = true;
            }
            RunEvent::Checkpoint { label, epoch, step, object, metric } => {
                // The last one is there whatever the callbacks ask for, so that the run can be made
                // again.
                if label == "final" {
                    assert_eq!((epoch, step, metric), (run.epochs(), run.epochs() * BATCHES, None));
                    continue;
                }
                assert_eq!((label.as_str(), step), ("best", epoch * BATCHES));
                assert_eq!(
                    metric.unwrap().value,
                    run.history()[epoch as usize - 1].metrics[1].value
                );
                let mut trainer = builder(&clouds(), 1)
                    .with(Checkpoint::best("val_loss"))
                    .store(&store)
                    .build()
                    .unwrap();
                trainer.load_checkpoint(&store.get_object(&object).unwrap()).unwrap();
                checkpoints += 1;
            }
            RunEvent::CallbackCosts { seconds, costs } => {
                assert_eq!((seconds, &costs[..]), (run.seconds(), run.callback_costs()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(evaluated && exported && checkpoints > 0);
    assert_eq!((summary.state, summary.warnings), (RunState::Finished, 0));
}

#[test]
fn training_goes_on_when_the_store_is_gone() {
    let data = clouds();
    let expected = builder(&data, 1).build().unwrap().fit(Epochs(4)).unwrap();
    let (folder, store) = store();
    let path: PathBuf = folder.path().to_owned();
    let vandal = probe(move |moment| {
        if let trainbook::callbacks::Moment::EpochEnd(end) = moment
            && end.counters.epoch == 1
        {
            // A checkpoint may be on its way into the folder.
            while path.exists() {
                let _ = std::fs::remove_dir_all(&path);
            }
            // A file in its place, so that nobody can quietly make the folder anew.
            std::fs::write(&path, "").map_err(|e| CallbackError::custom(e.to_string()))?;
        }
        Ok(Flow::Continue)
    });
    let mut trainer =
        builder(&data, 1).with(vandal).with(Checkpoint::last()).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(4)).unwrap();
    assert_eq!(weight_bits(&run), weight_bits(&expected));
    assert_eq!(run.history(), expected.history());
    run.evaluate(Part::Validation).unwrap();
    assert!(run.view().is_err());
    assert!(
        trainer.fit(Epochs(1)).is_err(),
        "a new run cannot begin without a store, and must say so"
    );
    drop((run, trainer, store));
    std::fs::remove_file(folder.keep()).unwrap();
}

/// Every object in the store, as if it had been put long ago.
fn objects(store: &Path) -> usize {
    let folders = std::fs::read_dir(store.join("objects")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let age = |file: std::io::Result<std::fs::DirEntry>| {
        let file = File::options().write(true).open(file.unwrap().path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3 * 3600)).unwrap();
    };
    files.map(age).count()
}

#[test]
fn many_epochs_leave_the_checkpoints_that_are_kept() {
    let (folder, store) = store();
    let mut trainer = builder(&clouds(), 1)
        .with(Checkpoint::last())
        .with(Checkpoint::best("val_loss").keep(2))
        .store(&store)
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(30)).unwrap();
    let labels = |record: RunRecord| {
        let labels = record.events.into_iter().filter_map(|event| match event.event {
            RunEvent::Checkpoint { label, epoch, .. } => Some((label, epoch)),
            _ => None,
        });
        labels.collect::<Vec<_>>()
    };
    let kept = labels(record(&store, &run));
    let epochs_of = |wanted: &str| -> Vec<u64> {
        let of = kept.iter().filter(|(label, _)| label.starts_with(wanted));
        of.map(|(_, epoch)| *epoch).collect()
    };
    assert_eq!((kept.len(), epochs_of("last"), epochs_of("final")), (4, vec![30], vec![30]));
    // The two epochs with the least loss.
    let losses = run.history().iter().map(|row| row.metrics[1].value);
    let mut by_loss: Vec<(u64, f64)> = (1..).zip(losses).collect();
    by_loss.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut best = epochs_of("best");
    best.sort_unstable();
    let mut expected = [by_loss[0].0, by_loss[1].0];
    expected.sort_unstable();
    assert_eq!(best, expected);

    assert!(objects(folder.path()) > 20);
    store.plan_collection().unwrap().carry_out().unwrap();
    assert!((1..=4).contains(&objects(folder.path())), "of equal states there is one object");
    assert_eq!(labels(record(&store, &run)), kept);
    // What is left is whole.
    let stored = trainbook::history::Store::open(folder.path()).unwrap();
    let stored = stored.run(run.id().unwrap().as_str()).unwrap();
    let loaded = stored.load_on(&clouds(), &Kinds::standard()).unwrap();
    assert_eq!(weight_bits(&loaded), weight_bits(&run));

    let mut other = builder(&clouds(), 1).build().unwrap();
    other.load_checkpoint(&stored.checkpoint("last").unwrap()).unwrap();
    assert_eq!(other.counters(), trainer.counters());
    let error = stored.checkpoint("lst").unwrap_err().to_string();
    assert!(error.contains("none called `lst`; there are: best-epoch-"), "{error}");
}

#[test]
fn of_two_checkpoints_at_once_the_best_is_written_first() {
    // Each has the state of both: whoever goes on from one that says what is best finds it.
    let (_folder, store) = store();
    let (last, best) = (Checkpoint::last(), Checkpoint::best("val_loss"));
    let mut trainer = builder(&clouds(), 1).with(last).with(best).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(1)).unwrap();
    let events = record(&store, &run).events.into_iter();
    let labels: Vec<String> = events
        .filter_map(|event| match event.event {
            RunEvent::Checkpoint { label, .. } => Some(label),
            _ => None,
        })
        .collect();
    assert_eq!(labels, ["best", "last", "final"]);
}
