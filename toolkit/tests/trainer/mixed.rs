//! Mixed precision in a fit: what is skipped, what is seen, what is recorded, and how it goes on.

use std::sync::{Arc, Mutex};

use trainbook::callbacks::{LossScaleMonitor, Moment, StepScale};
use trainbook::history::Store;
use trainbook::prelude::*;
use trainbook::store::RunEvent;
use trainbook::trainer::TrainerBuilder;

use crate::support::{
    BATCHES, all_points, builder, clouds, counts, name, probe, task_state, weight_bits,
};

const EPOCHS: u64 = 6;

fn mixed(data: &Dataset) -> TrainerBuilder {
    builder(data, 3).precision(Precision::Mixed)
}

/// The scale of every step, and the moments at which gradients were shown.
type Seen = Arc<Mutex<(Vec<StepScale>, Vec<(u64, &'static str)>)>>;

fn watch() -> (Seen, impl Callback + 'static) {
    let seen = Seen::default();
    let told = seen.clone();
    let callback = probe(move |moment| {
        let mut told = told.lock().unwrap();
        match &*moment {
            Moment::StepEnd(step) => {
                assert_eq!(step.applied, step.scale.is_none_or(|scale| !scale.overflowed));
                told.0.extend(step.scale);
            }
            Moment::RawGradients(view) | Moment::FinalGradients(view) => {
                assert!(view.gradients.global_norm()?.is_finite());
                told.1.push((view.counters.batches_seen, name(moment)));
            }
            Moment::ChangeGradients(edit) => {
                told.1.push((edit.counters.batches_seen, name(moment)))
            }
            _ => {}
        }
        Ok(Flow::Continue)
    });
    (seen, callback)
}

#[test]
fn an_overflow_is_skipped_and_nobody_is_shown_it() {
    // So large that the first gradients are infinite in f16, and then no more.
    let scale = LossScale::default().init_scale(2_f64.powi(22)).growth_interval(5);
    let (seen, callback) = watch();
    let data = clouds();
    let mut trainer = mixed(&data)
        .loss_scale(scale)
        .with(callback)
        .with(Clip::global_norm(1.0))
        .with(LrSchedule::linear(0.1))
        .build()
        .unwrap();
    let run = trainer.fit(Epochs(EPOCHS)).unwrap();
    let (scales, shown) = &*seen.lock().unwrap();
    let overflowed: Vec<u64> =
        (1..).zip(scales).filter(|(_, s)| s.overflowed).map(|(at, _)| at).collect();
    assert!(overflowed.len() > 2 && overflowed[0] == 1, "{overflowed:?}");
    let steps = EPOCHS * BATCHES;
    let applied = steps - overflowed.len() as u64;
    assert_eq!(counts(trainer.counters()), [EPOCHS, steps, steps, applied]);
    // Half after each overflow, twice as much after five good steps, else the same.
    let mut expected = 2_f32.powi(22);
    let mut good = 0;
    for step in scales {
        assert_eq!(step.scale, expected);
        if step.overflowed {
            (expected, good) = (expected / 2.0, 0);
        } else {
            good += 1;
            if good == 5 {
                (expected, good) = (expected * 2.0, 0);
            }
        }
    }
    let good_steps = (1..=steps).filter(|step| !overflowed.contains(step));
    let moments = ["RawGradients", "ChangeGradients", "FinalGradients"];
    let all: Vec<_> = good_steps.flat_map(|step| moments.map(|moment| (step, moment))).collect();
    assert_eq!(*shown, all);
    let history = run.history();
    assert!(history[EPOCHS as usize - 1].metrics[0].value < history[0].metrics[0].value);
}

#[test]
fn the_scale_and_its_cost_are_recorded_and_the_run_can_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let scale = LossScale::default().init_scale(2_f64.powi(20)).growth_interval(40);
    let (seen, callback) = watch();
    let mut trainer =
        mixed(&clouds()).loss_scale(scale).with(callback).store(&store).build().unwrap();
    let run = trainer.fit(Epochs(EPOCHS)).unwrap();
    let points = all_points(&store, run.id().unwrap());
    let scales = &seen.lock().unwrap().0;
    let bits = |scale: &StepScale| f64::from(scale.scale).to_bits();
    let expected: Vec<_> = (1..).zip(scales.iter().map(bits)).collect();
    assert_eq!(points["loss_scale"], expected);
    let mut lost = 0.0_f64;
    let lost_at = |epoch: &[StepScale]| {
        lost += epoch.iter().filter(|scale| scale.overflowed).count() as f64;
        lost.to_bits()
    };
    let by_epoch: Vec<u64> = scales.chunks(BATCHES as usize).map(lost_at).collect();
    assert!(lost > 0.0);
    let found: Vec<u64> = points["overflowed_steps"].iter().map(|(_, bits)| *bits).collect();
    assert_eq!(found, by_epoch);

    let id = run.id().unwrap();
    let found = store.query("params.precision = 'mixed'").unwrap();
    assert_eq!(found.iter().map(|run| &run.id).collect::<Vec<_>>(), [id]);
    // It is made again in the same precision, from the same scale.
    let again = store.run(id.as_str()).unwrap().recipe().unwrap();
    assert_eq!((again.precision, again.loss_scale), (Precision::Mixed, scale));
    let mut again = again.trainer(&clouds()).quiet().build().unwrap();
    assert_eq!(weight_bits(&again.fit(Epochs(EPOCHS)).unwrap()), weight_bits(&run));
}

#[test]
fn it_is_another_precision_and_weights_are_f32() {
    let data = clouds();
    let fit = |precision| {
        let mut trainer = builder(&data, 3).precision(precision).build().unwrap();
        trainer.fit(Epochs(20)).unwrap()
    };
    let (full, half) = (fit(Precision::F32), fit(Precision::Mixed));
    assert_ne!(weight_bits(&full), weight_bits(&half));
    assert_eq!(weight_bits(&half), weight_bits(&fit(Precision::Mixed)));
    let accuracy = |run: &Run| run.evaluate(Part::Validation).unwrap().accuracy().unwrap();
    assert!((accuracy(&full) - accuracy(&half)).abs() <= 0.05);
    // Of f16 weights the last 13 bits of each would be 0.
    let fine = weight_bits(&half).iter().filter(|bits| *bits & 0x1fff != 0).count();
    assert!(fine > 50, "{fine}");
}

/// One row in whose place infinity stands.
fn with_an_infinite_row() -> Dataset {
    let mut features: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin()).collect();
    features[22] = f32::MAX; // finite, so that the data are taken, and infinite in f16
    let classes = Targets::Classes((0..20).map(|i| i % 2).collect());
    Dataset::from_rows("odd", 2, features, classes).unwrap()
}

#[test]
fn an_infinite_loss_costs_its_step_and_is_the_guards_business() {
    let data = with_an_infinite_row();
    let trainer = || {
        let net = Sequential::new().linear(8).batch_norm().tanh().linear(2);
        Trainer::classifier(&data, net).seed(1).batch_size(5).quiet().precision(Precision::Mixed)
    };
    let average = WeightAverage::ema(0.5);
    let mut skipping =
        trainer().with(average.clone()).with(LrSchedule::exponential(0.1, 0.9)).build().unwrap();
    let run = skipping.fit(Epochs(3)).unwrap();
    let [_, batches, attempted, applied] = counts(skipping.counters());
    assert_eq!((batches, attempted, applied), (12, 12, 9));
    // Neither weights nor running statistics have caught it.
    assert!(run.model().weights().0.iter().flatten().all(|weight| weight.is_finite()));

    let mut guarded = trainer().with(NanGuard::new()).build().unwrap();
    let reason = guarded.fit(Epochs(3)).unwrap().stopped_because().to_string();
    assert!(reason.starts_with("non_finite (NanGuard): loss is"), "{reason}");
}

#[test]
fn what_mixed_precision_suffers_from_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let warnings = |scale: LossScale, epochs| {
        let mut trainer = mixed(&clouds()).loss_scale(scale).store(&store).build().unwrap();
        let run = trainer.fit(Epochs(epochs)).unwrap();
        let events = store.run(run.id().unwrap().as_str()).unwrap().events.clone();
        let texts = events.into_iter().filter_map(|event| match event.event {
            RunEvent::Warning { text } => Some(text),
            _ => None,
        });
        texts.collect::<Vec<String>>()
    };
    assert_eq!(warnings(LossScale::default(), 60), [""; 0]);
    // It doubles at every step until it overflows: half of all steps are lost.
    let often = warnings(LossScale::default().growth_interval(1), 60);
    assert_eq!(often.len(), 1, "{often:?}");
    assert!(often[0].contains("%) were left out"), "{often:?}");
    let small = warnings(LossScale::default().init_scale(0.5), 1);
    assert!(small.len() == 1 && small[0].contains("is 0.5 at step 1"), "{small:?}");
}

#[test]
fn the_finder_leaves_no_trace_and_a_fit_goes_on_from_any_step() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let data = clouds();
    let everything = || {
        let net = Sequential::new().linear(12).batch_norm().relu().dropout(0.3).linear(3);
        let scale = LossScale::default().init_scale(2_f64.powi(20)).growth_interval(3);
        Trainer::classifier(&data, net)
            .seed(3)
            .batch_size(16)
            .accumulate(2)
            .quiet()
            .precision(Precision::Mixed)
            .loss_scale(scale)
            .with(LrSchedule::one_cycle(0.02))
            .with(Clip::global_norm(0.5))
            .with(WeightAverage::ema(0.9))
            .store(&store)
    };
    let mut whole = everything().build().unwrap();
    whole.find_lr().unwrap();
    let expected = whole.fit(Epochs(EPOCHS)).unwrap();
    let end = |trainer: &Trainer, run: &Run| {
        let points = all_points(&store, run.id().unwrap());
        (weight_bits(run), points, trainer.state_hash().unwrap())
    };
    let expected = end(&whole, &expected);
    assert!(expected.1["overflowed_steps"].iter().any(|(_, bits)| f64::from_bits(*bits) > 1.0));
    for k in 1..3 * EPOCHS {
        let stop = on_step_end(move |step| {
            let here = step.counters.updates_attempted == k;
            Ok(if here { Flow::stop("enough") } else { Flow::Continue })
        });
        let run = everything().with(stop).build().unwrap().fit(Epochs(EPOCHS)).unwrap();
        let mut trainer = everything().build().unwrap();
        let resumed = trainer.resume(&store.run(run.id().unwrap().as_str()).unwrap()).unwrap();
        assert!(end(&trainer, &resumed) == expected, "stopped behind step {k}");
    }
}

#[test]
fn what_it_cannot_do_is_refused() {
    let says = |builder: TrainerBuilder, parts: &[&str]| {
        let error = builder.build().err().unwrap().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let data = clouds();
    says(mixed(&data).loss_scale(LossScale::default().init_scale(0.0)), &["init_scale", "above 0"]);
    let scale = LossScale::default().growth_interval(5);
    says(builder(&data, 3).loss_scale(scale), &["loss_scale", "Precision::Mixed"]);
    says(mixed(&data).with(LossScaleMonitor::new()), &["LossScaleMonitor", "loss_scale"]);
    says(mixed(&data).device(Device::Cuda(0)), &["device"]);
}

#[test]
fn a_state_goes_from_one_precision_to_the_other() {
    let data = clouds();
    let fitted = |precision| {
        let mut trainer = builder(&data, 3).precision(precision).build().unwrap();
        trainer.fit(Epochs(2)).unwrap();
        trainer
    };
    let [full, half] = [Precision::F32, Precision::Mixed].map(fitted);
    for (from, mut to) in [(&full, mixed(&data)), (&half, builder(&data, 3))]
        .map(|(from, to)| (from, to.build().unwrap()))
    {
        to.load_checkpoint(&from.checkpoint().unwrap()).unwrap();
        assert_eq!(to.counters(), from.counters());
        assert_eq!(task_state(&to).weights, task_state(from).weights);
        to.fit(Epochs(1)).unwrap();
    }
}

#[test]
fn statistics_of_a_step_that_is_left_out_are_left_out_too() {
    // Of the two batches of the first step the second overflows.
    let mut features: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin()).collect();
    features[38] = f32::MAX;
    let classes = Targets::Classes((0..20).map(|i| i % 2).collect());
    let data = Dataset::from_rows("odd", 2, features, classes).unwrap();
    let statistics = |run: &Run| -> Vec<Vec<f32>> {
        let (tensors, weights) = (run.model().tensors().to_vec(), run.model().weights().0);
        let all = tensors.iter().zip(weights);
        all.filter(|(tensor, _)| tensor.name.contains("running")).map(|(_, v)| v).collect()
    };
    let net = || Sequential::new().linear(8).batch_norm().tanh().linear(2);
    let trainer = |epochs: u64| {
        let mut trainer = Trainer::classifier(&data, net())
            .seed(1)
            .batch_size(10)
            .accumulate(2)
            .quiet()
            .precision(Precision::Mixed)
            .build()
            .unwrap();
        let run = trainer.fit(Epochs(epochs)).unwrap();
        (counts(trainer.counters()), statistics(&run))
    };
    let (counted, found) = trainer(3);
    assert_eq!(counted, [3, 6, 3, 0]);
    assert_eq!(found, [vec![0.0; 8], vec![1.0; 8]]);
}
