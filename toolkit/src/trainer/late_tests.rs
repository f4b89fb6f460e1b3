//! A whole fit on dfdx's tensors, where losses come late: it is the fit that it would be if they did
//! not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trainbook_callbacks::{
    Clip, EarlyStopping, Flow, GradientMonitor, NanGuard, StopKind, WeightAverage, every,
    on_final_gradients, on_step_end,
};
use trainbook_core::random::{Seed, Stream};
use trainbook_store::RunEvent;

use super::{Trainer, TrainerBuilder};
use crate::data::{Augment, Dataset, Split, Targets};
use crate::history::{Store, StoredRun};
use crate::nn::layer::Sequential;
use crate::task::Precision;
use crate::trainer::{Epochs, Steps};

fn clouds() -> Dataset {
    let mut draws = Stream::new(Seed(0), "clouds").at(0, 0);
    let classes: Vec<u32> = (0..300).map(|row| row % 3).collect();
    let centre = |class: u32, feature: u32| if class == feature { 2.0 } else { 0.0 };
    let features = classes
        .iter()
        .flat_map(|&class| (0..4).map(move |feature| centre(class, feature)))
        .map(|centre| (centre + draws.normal()) as f32)
        .collect();
    let data = Dataset::from_rows("clouds", 4, features, Targets::Classes(classes)).unwrap();
    data.split(Split::stratified(0.7, 0.2, 0.1), Seed(1)).unwrap()
}

fn builder(data: &Dataset, store: &Store) -> TrainerBuilder {
    let net = Sequential::new().linear(16).batch_norm().relu().dropout(0.2).linear(3);
    Trainer::classifier(data, net).seed(3).batch_size(2).quiet().store(store)
}

fn on_dfdx(builder: TrainerBuilder) -> Trainer {
    let mut trainer = builder.build().unwrap();
    trainer.task = trainer.recipe.task_on_dfdx().unwrap();
    trainer
}

type Series = BTreeMap<String, Vec<(u64, f64)>>;

fn newest(store: &Store) -> StoredRun {
    store.run(&store.runs().unwrap()[0]).unwrap()
}

/// Every metric that the newest run has.
fn series(store: &Store) -> Series {
    let run = newest(store);
    run.series.iter().map(|(name, points)| (name.to_string(), points.clone())).collect()
}

#[test]
fn every_metric_stands_at_its_step() {
    let data = clouds();
    for (accumulate, precision) in
        [(1, Precision::F32), (3, Precision::F32), (1, Precision::Mixed), (3, Precision::Mixed)]
    {
        let of = |dfdx: bool| {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let builder = builder(&data, &store)
                .batch_size(8)
                .accumulate(accumulate)
                .precision(precision)
                .with(NanGuard::new())
                .with(Clip::global_norm(1.0))
                .with(every(10, GradientMonitor::new()))
                .with(WeightAverage::ema(0.9))
                .with(EarlyStopping::on("val_loss").patience(5).restore_best());
            let mut trainer = if dfdx { on_dfdx(builder) } else { builder.build().unwrap() };
            trainer.fit(Epochs(3)).unwrap();
            series(&store)
        };
        let (late, at_once) = (of(true), of(false));
        assert!(late.keys().eq(at_once.keys()), "{:?} {:?}", late.keys(), at_once.keys());
        assert_eq!(late["loss"].len(), 3 * 27_usize.div_ceil(accumulate));
        let near = if precision == Precision::F32 { 2e-3 } else { 2e-2 };
        for (name, points) in late {
            let steps = |points: &[(u64, f64)]| points.iter().map(|p| p.0).collect::<Vec<_>>();
            assert_eq!(steps(&points), steps(&at_once[&name]), "{name}");
            if name == "loss" || name == "gradient_norm" {
                // Roundings drive the two apart in time.
                for ((step, a), (_, b)) in points.iter().zip(&at_once[&name]).take(20) {
                    assert!((a - b).abs() < near * (1.0 + b.abs()), "{name} at {step}: {a}, {b}");
                }
            }
        }
    }
}

#[test]
fn nobody_waits_who_does_not_look() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let known = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&known);
    let mut trainer = on_dfdx(builder(&data, &store).with(on_step_end(move |step| {
        seen.fetch_add(usize::from(step.late_loss().get().is_some()), Ordering::Relaxed);
        Ok(Flow::Continue)
    })));
    trainer.fit(Steps(100)).unwrap();
    // Each comes later than its step.
    assert_eq!(known.load(Ordering::Relaxed), 0);
    assert_eq!(series(&store)["loss"].len(), 100);
}

#[test]
fn a_fit_that_goes_on_has_every_bit_of_one_that_was_not_stopped() {
    let data = clouds();
    for precision in [Precision::F32, Precision::Mixed] {
        let whole = tempfile::tempdir().unwrap();
        let whole = Store::open(whole.path()).unwrap();
        let of = |store: &Store| builder(&data, store).accumulate(2).precision(precision);
        let mut trainer = on_dfdx(of(&whole));
        trainer.fit(Epochs(2)).unwrap();
        let expected = trainer.task.state().unwrap().hash();
        let at_once = series(&whole);
        for stop in [1, 7, 52, 53, 54, 70] {
            let parts = tempfile::tempdir().unwrap();
            let parts = Store::open(parts.path()).unwrap();
            let mut first = on_dfdx(of(&parts).with(on_step_end(move |step| {
                let there = step.counters.updates_attempted == stop;
                Ok(if there { Flow::stop("there") } else { Flow::Continue })
            })));
            let run = first.fit(Epochs(2)).unwrap();
            assert_eq!(run.stopped_because().kind, StopKind::Requested);
            let before = series(&parts);
            assert_eq!(before["loss"].len() as u64, stop);
            let mut second = on_dfdx(of(&parts));
            second.resume_last().unwrap();
            assert_eq!(second.task.state().unwrap().hash(), expected, "{precision} from {stop}");
            let behind = series(&parts);
            for name in ["loss", "train_loss", "val_loss"] {
                let first = before.get(name).cloned().unwrap_or_default();
                let both = [first, behind[name].clone()].concat();
                assert_eq!(both, at_once[name], "{name} from {stop}");
            }
        }
    }
}

#[test]
fn of_several_batches_the_one_whose_loss_is_not_finite_is_named() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = data.series(1, 4).unwrap();
    let mark = data.batch(&[17]).unwrap().input.floats()[0];
    let poison = Augment::series().own("poison", move |row: &mut [f32], _: &[usize], _: &mut _| {
        if row[0] == mark {
            row[0] = f32::NAN;
        }
    });
    let net = Sequential::new().flatten().linear(3);
    let builder = Trainer::classifier(&data, net).batch_size(2).quiet().store(&store);
    let mut trainer = on_dfdx(builder.accumulate(5).augment(poison).with(NanGuard::new()));
    let run = trainer.fit(Epochs(1)).unwrap();
    let detail = run.stopped_because().detail.clone();
    assert!(detail.contains("the input gives 1 NaN for sample 17"), "{detail}");
}

#[test]
fn a_fit_that_fails_has_recorded_every_loss_that_was_computed() {
    let data = clouds();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut trainer = on_dfdx(builder(&data, &store).with(on_final_gradients(|view| {
        assert!(view.counters.batches_seen < 9, "enough");
        Ok(Flow::Continue)
    })));
    trainer.fit(Epochs(1)).unwrap_err();
    // What was computed before is not lost.
    assert_eq!(series(&store)["loss"].len(), 8);
    let missing = |event: &trainbook_store::TimedEvent| matches!(&event.event, RunEvent::Warning { text } if text.contains("could not be read"));
    assert!(!newest(&store).events.iter().any(missing));
}
