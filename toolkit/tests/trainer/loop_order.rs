//! The moments of a fit: which, in what order, with which counters, whatever happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use trainbook::callbacks::{Moment, StopKind};
use trainbook::prelude::*;

use crate::support::{
    BATCHES, batches, builder, clouds, counts, name, probe, task, task_state, weight_bits,
};

/// What a listener saw: each moment with its counters (epoch, batches seen, updates attempted,
/// updates applied).
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(&'static str, [u64; 4])>>>);

impl Seen {
    fn listener(&self) -> impl Callback + use<> {
        let seen = self.clone();
        probe(move |moment| {
            seen.0.lock().unwrap().push((name(moment), moment.counters().map(counts).unwrap()));
            Ok(Flow::Continue)
        })
    }

    /// Everything since the last call.
    fn take(&self) -> Vec<(&'static str, [u64; 4])> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn names(&self) -> Vec<&'static str> {
        self.take().into_iter().map(|(name, _)| name).collect()
    }
}

const STEP: [&str; 6] =
    ["BatchStart", "RawGradients", "ChangeGradients", "FinalGradients", "AfterUpdate", "StepEnd"];

/// `STEP` this many times.
fn steps(n: usize) -> Vec<&'static str> {
    STEP.repeat(n)
}

/// Does `what` whenever the moment called `at` comes and `on` is set.
fn at(at: &'static str, on: &Arc<AtomicBool>, what: fn() -> Reply) -> impl Callback + use<> {
    let on = on.clone();
    probe(
        move |moment| {
            if name(moment) == at && on.load(Ordering::SeqCst) {
                what()
            } else {
                Ok(Flow::Continue)
            }
        },
    )
}

#[test]
fn two_epochs_in_full() {
    // 5 rows in batches of 4: two batches in an epoch, the second of one row
    let features = (0..20).map(|i| i as f32).collect();
    let data = Dataset::from_rows("a few rows", 4, features, Targets::Classes(vec![0, 1, 2, 0, 1]))
        .unwrap();
    let seen = Seen::default();
    let mut trainer = builder(&data, 1).batch_size(4).with(seen.listener()).build().unwrap();
    trainer.fit(Epochs(2)).unwrap();
    let expected = [
        ("FitStart", [0, 0, 0, 0]),
        ("EpochStart", [0, 0, 0, 0]),
        ("BatchStart", [0, 0, 0, 0]),
        ("RawGradients", [0, 1, 0, 0]),
        ("ChangeGradients", [0, 1, 0, 0]),
        ("FinalGradients", [0, 1, 0, 0]),
        ("AfterUpdate", [0, 1, 1, 1]),
        ("StepEnd", [0, 1, 1, 1]),
        ("BatchStart", [0, 1, 1, 1]),
        ("RawGradients", [0, 2, 1, 1]),
        ("ChangeGradients", [0, 2, 1, 1]),
        ("FinalGradients", [0, 2, 1, 1]),
        ("AfterUpdate", [0, 2, 2, 2]),
        ("StepEnd", [0, 2, 2, 2]),
        ("ValidationStart", [0, 2, 2, 2]),
        ("EpochEnd", [0, 2, 2, 2]),
        ("ValidationEnd", [0, 2, 2, 2]),
        ("EpochStart", [1, 2, 2, 2]),
        ("BatchStart", [1, 2, 2, 2]),
        ("RawGradients", [1, 3, 2, 2]),
        ("ChangeGradients", [1, 3, 2, 2]),
        ("FinalGradients", [1, 3, 2, 2]),
        ("AfterUpdate", [1, 3, 3, 3]),
        ("StepEnd", [1, 3, 3, 3]),
        ("BatchStart", [1, 3, 3, 3]),
        ("RawGradients", [1, 4, 3, 3]),
        ("ChangeGradients", [1, 4, 3, 3]),
        ("FinalGradients", [1, 4, 3, 3]),
        ("AfterUpdate", [1, 4, 4, 4]),
        ("StepEnd", [1, 4, 4, 4]),
        ("ValidationStart", [1, 4, 4, 4]),
        ("EpochEnd", [1, 4, 4, 4]),
        ("ValidationEnd", [1, 4, 4, 4]),
        ("FitEnd", [2, 4, 4, 4]),
    ];
    assert_eq!(seen.take(), expected);
    assert_eq!(counts(trainer.counters()), [2, 4, 4, 4]);
}

const BEFORE_THE_END: [&str; 11] = [
    "FitStart",
    "EpochStart",
    "BatchStart",
    "RawGradients",
    "ChangeGradients",
    "FinalGradients",
    "AfterUpdate",
    "StepEnd",
    "ValidationStart",
    "EpochEnd",
    "ValidationEnd",
];

/// The end of an epoch, which nothing interrupts.
const JUDGED: [&str; 3] = ["ValidationStart", "EpochEnd", "ValidationEnd"];

/// What a callback implements for a moment.
fn method(moment: &str) -> &'static str {
    match moment {
        "FitStart" => "fit_start",
        "EpochStart" => "epoch_start",
        "BatchStart" => "batch_start",
        "RawGradients" => "raw_gradients",
        "ChangeGradients" => "change_gradients",
        "FinalGradients" => "final_gradients",
        "AfterUpdate" => "after_update",
        "StepEnd" => "step_end",
        "ValidationStart" => "validation_start",
        "EpochEnd" => "epoch_end",
        _ => "validation_end",
    }
}

/// Breaks a fit at every moment in turn, and asserts that it ends in order and that the next fit is
/// as if nothing had been left behind.
fn breaks(what: fn() -> Reply, message: &str) {
    let data = clouds();
    for moment in BEFORE_THE_END {
        let message = &message.replace("{moment}", method(moment));
        let seen = Seen::default();
        let on = Arc::new(AtomicBool::new(true));
        let norms = Arc::new(Mutex::new(Vec::new()));
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (note_norm, note_end) = (norms.clone(), ends.clone());
        let observer = probe(move |moment| {
            match moment {
                Moment::RawGradients(view) => {
                    note_norm.lock().unwrap().push(view.gradients.global_norm()?)
                }
                Moment::FitEnd(end) => note_end
                    .lock()
                    .unwrap()
                    .push((end.reason.cloned(), end.error.map(str::to_owned))),
                _ => {}
            }
            Ok(Flow::Continue)
        });
        let mut trainer = builder(&data, 1)
            .with(seen.listener())
            .with(observer)
            .with(at(moment, &on, what))
            .build()
            .unwrap();
        let error = trainer.fit(Epochs(2)).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), *message, "at {moment}");
        let panicked = matches!(error, Error::Callback(CallbackError::Panicked { .. }));
        assert_eq!(panicked, message.contains("panic"));
        let names = seen.names();
        // What validation has replaced is put back whatever happens.
        let restored = matches!(moment, "ValidationStart" | "EpochEnd").then_some("ValidationEnd");
        let tail: Vec<_> = [moment].into_iter().chain(restored).chain(["FitEnd"]).collect();
        assert_eq!(names[names.len() - tail.len()..], tail);
        assert_eq!(*ends.lock().unwrap(), [(None, Some(message.to_owned()))], "at {moment}");

        on.store(false, Ordering::SeqCst);
        norms.lock().unwrap().clear();
        let mut twin = task(1, AdamW::default());
        twin.load_state(&task_state(&trainer)).unwrap();
        let epoch = trainer.counters().epoch;
        let run = trainer.fit(Epochs(1)).unwrap();
        assert_eq!(run.stopped_because().kind, StopKind::Completed);
        twin.forward_backward(&batches(&data, 1, epoch)[0]).unwrap();
        assert_eq!(
            norms.lock().unwrap()[0],
            twin.global_norm().unwrap(),
            "gradients were left behind at {moment}"
        );
    }
}

#[test]
fn an_error_ends_the_fit_in_order() {
    breaks(|| Err(CallbackError::custom("broken")), "run callback Probe: broken");
}

#[test]
fn a_panic_ends_the_fit_in_order() {
    breaks(|| panic!("broken"), "go on: callback `Probe` panicked in {moment}: broken");
    breaks(|| panic!("broken {}", 7), "go on: callback `Probe` panicked in {moment}: broken 7");
}

#[test]
fn an_error_or_a_panic_at_the_very_end_is_an_error_of_the_fit() {
    let data = clouds();
    let cases: [(fn() -> Reply, &str); 2] = [
        (|| Err(CallbackError::custom("broken")), "run callback Probe: broken"),
        (|| panic!("broken"), "go on: callback `Probe` panicked in fit_end: broken"),
    ];
    for (what, message) in cases {
        let on = Arc::new(AtomicBool::new(true));
        let seen = Seen::default();
        let mut trainer =
            builder(&data, 1).with(at("FitEnd", &on, what)).with(seen.listener()).build().unwrap();
        assert_eq!(trainer.fit(Epochs(1)).map(|_| ()).unwrap_err().to_string(), message);
        assert_eq!(seen.names().last(), Some(&"FitEnd"), "those behind it still get their turn");
        on.store(false, Ordering::SeqCst);
        trainer.fit(Epochs(1)).unwrap();
        assert_eq!(counts(trainer.counters()), [2, 2 * BATCHES, 2 * BATCHES, 2 * BATCHES]);
    }
}

#[test]
fn a_stop_goes_straight_to_the_end() {
    let data = clouds();
    let on = Arc::new(AtomicBool::new(true));
    let stop = || Ok(Flow::stop("enough"));
    for (moment, expected) in [
        ("FitStart", vec!["FitStart"]),
        ("EpochStart", vec!["FitStart", "EpochStart"]),
        // no update: only looking is left of the step
        ("BatchStart", vec!["FitStart", "EpochStart", "BatchStart", "RawGradients", "StepEnd"]),
        ("RawGradients", vec!["FitStart", "EpochStart", "BatchStart", "RawGradients", "StepEnd"]),
        (
            "FinalGradients",
            [vec!["FitStart", "EpochStart"], STEP[..4].to_vec(), vec!["StepEnd"]].concat(),
        ),
        ("StepEnd", [vec!["FitStart", "EpochStart"], steps(1)].concat()),
        (
            "EpochEnd",
            [vec!["FitStart", "EpochStart"], steps(BATCHES as usize), JUDGED.to_vec()].concat(),
        ),
    ] {
        let seen = Seen::default();
        let mut trainer =
            builder(&data, 1).with(at(moment, &on, stop)).with(seen.listener()).build().unwrap();
        let run = trainer.fit(Epochs(3)).unwrap();
        assert_eq!(seen.names(), [expected, vec!["FitEnd"]].concat(), "at {moment}");
        assert_eq!(run.stopped_because().to_string(), "requested (Probe): enough");
        let finished = u64::from(moment == "EpochEnd");
        assert_eq!((run.epochs(), run.history().len() as u64), (finished, finished));
        let applied = trainer.counters().updates_applied;
        assert_eq!(
            applied,
            [0, 1, BATCHES][usize::from(moment.ends_with("End")) + finished as usize],
            "at {moment}"
        );
    }
}

#[test]
fn a_stop_in_the_middle_of_an_epoch_leaves_it_unfinished() {
    let seen = Seen::default();
    let stop = on_step_end(|step| {
        Ok(if step.counters.batches_seen == 7 { Flow::stop("enough") } else { Flow::Continue })
    });
    let mut trainer = builder(&clouds(), 1).with(stop).with(seen.listener()).build().unwrap();
    let run = trainer.fit(Epochs(3)).unwrap();
    let first =
        [vec!["FitStart", "EpochStart"], steps(5), JUDGED.to_vec(), vec!["EpochStart"]].concat();
    assert_eq!(seen.names(), [first, steps(2), vec!["FitEnd"]].concat());
    assert_eq!((run.epochs(), run.history().len()), (1, 1));
    assert_eq!(counts(trainer.counters()), [1, 7, 7, 7]);
}

#[test]
fn an_epoch_that_is_ended_is_still_validated() {
    let data = clouds();
    let seen = Seen::default();
    let losses = Arc::new(Mutex::new(Vec::new()));
    let note = losses.clone();
    let end = on_step_end(move |step| {
        note.lock().unwrap().push(f64::from(step.loss()));
        Ok(if step.counters.batches_seen % 2 == 0 { Flow::EndEpoch } else { Flow::Continue })
    });
    let mut trainer = builder(&data, 1).with(end).with(seen.listener()).build().unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let epoch = [vec!["EpochStart"], steps(2), JUDGED.to_vec()].concat();
    assert_eq!(seen.names(), [vec!["FitStart"], epoch.repeat(2), vec!["FitEnd"]].concat());
    let losses = losses.lock().unwrap();
    for (epoch, row) in run.history().iter().enumerate() {
        let names: Vec<&str> = row.metrics.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["train_loss", "val_loss", "val_accuracy"]);
        // the mean over the two batches that were seen
        assert_eq!(row.metrics[0].value, (losses[2 * epoch] + losses[2 * epoch + 1]) / 2.0);
    }
    assert_eq!(run.history()[1].metrics[1].value, run.evaluate(Part::Validation).unwrap().loss);
}

#[test]
fn a_wish_to_skip_is_not_overruled_by_one_to_end_the_epoch() {
    let wish = |flow: Flow| {
        probe(move |moment| {
            Ok(if matches!(moment, Moment::RawGradients(_)) {
                flow.clone()
            } else {
                Flow::Continue
            })
        })
    };
    let mut trainer = builder(&clouds(), 1)
        .with(wish(Flow::SkipUpdate))
        .with(wish(Flow::EndEpoch))
        .build()
        .unwrap();
    let before = task_state(&trainer);
    trainer.fit(Epochs(1)).unwrap();
    assert_eq!(counts(trainer.counters()), [1, 1, 1, 0]);
    assert_eq!(task_state(&trainer), before);
}

#[test]
fn a_skipped_update_changes_neither_weights_nor_moments() {
    let data = clouds();
    for moment in ["BatchStart", "RawGradients", "ChangeGradients", "FinalGradients"] {
        let on = Arc::new(AtomicBool::new(false));
        let applied = Arc::new(Mutex::new(Vec::new()));
        let note = applied.clone();
        let listener = on_step_end(move |step| {
            note.lock().unwrap().push(step.applied);
            Ok(Flow::Continue)
        });
        let skip = at(moment, &on, || Ok(Flow::SkipUpdate));
        let mut trainer = builder(&data, 1).with(skip).with(listener).build().unwrap();
        trainer.fit(Epochs(1)).unwrap();
        let before = task_state(&trainer);
        on.store(true, Ordering::SeqCst);
        trainer.fit(Epochs(1)).unwrap();
        assert_eq!(task_state(&trainer).hash(), before.hash(), "at {moment}");
        assert_eq!(counts(trainer.counters()), [2, 2 * BATCHES, 2 * BATCHES, BATCHES]);
        assert_eq!(
            *applied.lock().unwrap(),
            [[true; BATCHES as usize], [false; BATCHES as usize]].concat()
        );

        // and nothing of the skipped gradients is left: the next epoch is that of a twin which
        // never saw them
        on.store(false, Ordering::SeqCst);
        trainer.fit(Epochs(1)).unwrap();
        let mut twin = task(1, AdamW::default());
        twin.load_state(&before).unwrap();
        for batch in batches(&data, 1, 2) {
            twin.forward_backward(&batch).unwrap();
            twin.update(&1e-3.into()).unwrap();
        }
        assert_eq!(task_state(&trainer).hash(), twin.state().unwrap().hash(), "at {moment}");
    }
}

#[test]
fn after_a_skip_nobody_changes_gradients() {
    let seen = Seen::default();
    let on = Arc::new(AtomicBool::new(true));
    let skip = at("RawGradients", &on, || Ok(Flow::SkipUpdate));
    let mut trainer = builder(&clouds(), 1).with(skip).with(seen.listener()).build().unwrap();
    trainer.fit(Epochs(1)).unwrap();
    let step = ["BatchStart", "RawGradients", "StepEnd"].repeat(BATCHES as usize);
    assert_eq!(
        seen.names(),
        [vec!["FitStart", "EpochStart"], step, JUDGED.to_vec(), vec!["FitEnd"]].concat()
    );
}

#[test]
fn a_rate_set_before_a_batch_is_the_rate_of_its_update() {
    let data = clouds();
    let rate = |step: u64| 0.01 * (1 + step) as f64;
    let used = Arc::new(Mutex::new(Vec::new()));
    let note = used.clone();
    let set = probe(move |moment| {
        match moment {
            Moment::BatchStart(batch) => batch.set_learning_rate(rate(batch.counters.batches_seen)),
            Moment::StepEnd(step) => note.lock().unwrap().push(step.learning_rate),
            _ => {}
        }
        Ok(Flow::Continue)
    });
    let mut trainer = builder(&data, 1).optimizer(Sgd::default()).with(set).build().unwrap();
    let run = trainer.fit(Epochs(2)).unwrap();
    let expected: Vec<f64> = (0..2 * BATCHES).map(rate).collect();
    assert_eq!(*used.lock().unwrap(), expected);

    let mut twin = task(1, Sgd::default());
    let seen = (0..2).flat_map(|epoch| batches(&data, 1, epoch));
    for (batch, rate) in seen.zip(expected) {
        twin.forward_backward(&batch).unwrap();
        twin.update(&rate.into()).unwrap();
    }
    let by_hand: Vec<u32> =
        twin.model().weights().0.iter().flatten().map(|w| w.to_bits()).collect();
    assert_eq!(weight_bits(&run), by_hand);
}
