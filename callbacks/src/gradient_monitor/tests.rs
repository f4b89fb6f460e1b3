//! Sizes, ratios and verdicts, over gradients and weights whose numbers are known.

use std::sync::{Arc, Mutex};

use super::GradientMonitor;
use crate::fake::{Fake, FakeGradients, FakeReplay, tensors};
use crate::{
    AfterUpdate, Callback, CallbackError, CallbackRecipe, Clip, Counters, GradientView, MetricLog,
    Snapshot, Stack, TensorInfo, Weights, every, on_batch_start, on_final_gradients,
};
use crate::{Flow, Resource};

fn pairs(log: &[trainbook_store::Metric]) -> Vec<(&str, f64)> {
    log.iter().map(|m| (m.name.as_str(), m.value)).collect()
}

#[test]
fn sizes_are_those_of_the_raw_gradients() {
    let mut stack = Stack::new();
    stack.push(Clip::global_norm(1.0));
    stack.push(GradientMonitor::new());
    let mut fake = Fake::new(stack).batches(1);
    fake.gradients = Box::new(|_| vec![vec![3.0], vec![0.0, -4.0]]);
    fake.fit(1);
    assert_eq!(
        pairs(&fake.seen.step_logs[0]),
        [
            ("gradient_norm", 5.0),
            ("gradient_norm/0.weight", 3.0),
            ("gradient_max/0.weight", 3.0),
            ("gradient_zero_share/0.weight", 0.0),
            ("gradient_norm/0.bias", 4.0),
            ("gradient_max/0.bias", 4.0),
            ("gradient_zero_share/0.bias", 0.5),
            ("clipped", 1.0),
        ]
    );
    assert_eq!((fake.seen.stats_calls, fake.seen.warnings), (1, vec![]));
}

#[test]
fn after_clipping_the_sizes_are_those_the_optimiser_sees() {
    let mut stack = Stack::new();
    stack.push(GradientMonitor::new().after_clipping());
    stack.push(Clip::value(2.0));
    // The third step's update is skipped, and so nothing is final.
    stack.push(crate::on_raw_gradients(|step| {
        let third = step.counters.batches_seen == 3;
        Ok(if third { Flow::SkipUpdate } else { Flow::Continue })
    }));
    let mut fake = Fake::new(stack).batches(3);
    fake.gradients =
        Box::new(|step| vec![vec![if step == 2 { 1.5 } else { 6.0 }], vec![0.0, -2.5]]);
    fake.fit(1);
    assert_eq!(fake.seen.step_metric("gradient_norm"), [6.5, 8.5_f64.sqrt(), 6.5]);
    assert_eq!(fake.seen.step_metric("final_gradient_norm"), [8.0_f64.sqrt(), 2.5]);
    assert_eq!(fake.seen.step_metric("final_gradient_norm/0.weight"), [2.0, 1.5]);
    assert_eq!(fake.seen.step_metric("final_gradient_max/0.bias"), [2.0, 2.0]);
    assert_eq!(fake.seen.step_metric("final_gradient_zero_share/0.bias"), [0.5, 0.5]);
    assert_eq!(fake.seen.stats_calls, 5);
}

#[test]
fn what_is_not_finite_is_counted_where_there_is_any() {
    let mut fake = Fake::with(GradientMonitor::new().after_clipping()).batches(3);
    fake.gradients = Box::new(|step| match step {
        1 => vec![vec![1.0], vec![f32::NAN, f32::NAN]],
        2 => vec![vec![f32::NEG_INFINITY], vec![1.0, f32::NAN]],
        _ => vec![vec![1.0], vec![1.0, 1.0]],
    });
    fake.fit(1);
    for prefix in ["", "final_"] {
        let counts = |what: &str| fake.seen.step_metric(&format!("{prefix}gradient_{what}"));
        assert_eq!(counts("nans/0.bias"), [2.0, 1.0]);
        assert_eq!(counts("nans/0.weight"), [0.0; 0]);
        assert_eq!(counts("infs/0.weight"), [1.0]);
        assert_eq!(counts("infs/0.bias"), [0.0; 0]);
        let norms = counts("norm");
        assert!(norms[0].is_nan() && norms[1].is_nan(), "{norms:?}");
        assert!((norms[2] - 3.0_f64.sqrt()).abs() < 1e-12, "{norms:?}");
    }
}

#[test]
fn every_few_steps_costs_nothing_in_between() {
    let mut fake = Fake::with(every(3, GradientMonitor::new().ratios())).batches(7);
    fake.fit(1);
    let logged: Vec<_> = fake.seen.step_logs.iter().map(|log| !log.is_empty()).collect();
    assert_eq!(logged, [true, false, false, true, false, false, true]);
    assert_eq!(fake.seen.stats_calls, 3);
    // One update each, whose weights were 0, 3 and 6 before it, and not what happened since.
    assert_eq!(fake.seen.step_metric("update_ratio/0.weight"), [1.0 / 3.0, 1.0 / 6.0]);
}

/// Weights among which there are running statistics.
struct Many(Vec<TensorInfo>, Vec<Vec<f32>>);

impl Weights for Many {
    fn tensor_infos(&self) -> &[TensorInfo] {
        &self.0
    }

    fn snapshot(&self) -> Result<Snapshot, CallbackError> {
        Ok(Snapshot(self.1.clone()))
    }

    fn restore(&mut self, _: &Snapshot) -> Result<(), CallbackError> {
        Err(CallbackError::custom("lent to look at"))
    }
}

#[test]
fn ratios_are_of_the_trained_tensors_whatever_stands_between_them() {
    let trained = tensors([("0.weight", &[1, 2]), ("1.bias", &[2]), ("2.weight", &[2, 1])]);
    let all = || {
        tensors([
            ("0.weight", &[1, 2]),
            ("1.running_mean", &[2]),
            ("1.bias", &[2]),
            ("1.running_var", &[2]),
            ("2.weight", &[2, 1]),
        ])
    };
    let stats = vec![9.0, 9.0];
    let before =
        Many(all(), vec![vec![3.0, 4.0], stats.clone(), vec![0.0, 0.0], stats, vec![0.0, -2.0]]);
    let stats = vec![-7.0, 8.0];
    let after =
        Many(all(), vec![vec![3.0, 4.5], stats.clone(), vec![1.0, 1.0], stats, vec![0.25, -2.0]]);
    let gradients = FakeGradients::of(&trained, vec![vec![1.0, 1.0]; 3]);
    let (log, horizon) = (MetricLog::default(), Fake::new(Stack::new()).horizon);
    let counters = Counters::default();
    let mut monitor = GradientMonitor::new().ratios();
    let view = GradientView {
        counters,
        loss: 1.0.into(),
        samples: &[],
        gradients: &gradients,
        weights: &before,
        replay: &FakeReplay { step: 0, replay: &|_| Ok(None), activity: &|_| Vec::new() },
        log: &log,
    };
    let update = AfterUpdate { counters, horizon, weights: &after, log: &log };
    // Without the weights of before there is nothing to divide by.
    monitor.after_update(&update).unwrap();
    assert_eq!(log.read(<[_]>::len), 0);
    monitor.final_gradients(&view).unwrap();
    monitor.after_update(&update).unwrap();
    let logged = log.read(<[_]>::to_vec);
    // The bias was all 0.
    assert_eq!(pairs(&logged), [("update_ratio/0.weight", 0.1), ("update_ratio/2.weight", 0.125)]);
    // Each update needs its own.
    monitor.after_update(&update).unwrap();
    assert_eq!(log.read(<[_]>::len), 2);
}

/// What a fit of so many epochs, of four steps each, warns of, where tensors have gradients of these
/// sizes (each tensor has one element).
fn warnings(
    monitor: impl Callback + 'static,
    named: Vec<TensorInfo>,
    epochs: u64,
    sizes: impl Fn(u64) -> Vec<f32> + 'static,
) -> Vec<String> {
    let mut fake = Fake::with(monitor).batches(4);
    fake.tensors = named;
    fake.gradients = Box::new(move |step| sizes(step).into_iter().map(|v| vec![v]).collect());
    fake.fit(epochs);
    assert_eq!(fake.seen.error, None);
    fake.seen.warnings
}

fn deep() -> Vec<TensorInfo> {
    let one: &[usize] = &[1, 1];
    tensors([
        ("0.weight", one),
        ("0.bias", &[1]),
        ("2.weight", one),
        ("4.weight", one),
        ("4.bias", &[1]),
    ])
}

#[test]
fn vanishing_and_exploding_are_said_once_with_the_figures() {
    let run = |epochs, first: f32, last: f32| {
        let sizes = move |_| vec![first, 1e-9, 1.0, last, 1e9];
        warnings(GradientMonitor::new(), deep(), epochs, sizes)
    };
    assert_eq!(
        run(3, 0.0001, 0.5),
        [
            "gradients vanish on their way back: the norm of that of 0.weight is 2.00e-4 times that of \
          4.weight (1.00e-4 to 0.5000; medians of the 4 steps that were looked at in epoch 1): \
          normalisation, residual connections or another initialisation keep them up"
        ]
    );
    assert_eq!(
        run(3, 2000.0, 0.5),
        [
            "gradients explode on their way back: the norm of that of 0.weight is 4000.0000 times that \
          of 4.weight (2000.0000 to 0.5000; medians of the 4 steps that were looked at in epoch 1): \
          normalisation or smaller initial weights keep them down, and clipping limits them"
        ]
    );
    // The limits themselves are usual.
    assert_eq!(run(3, 1.0, 1024.0).len(), 1);
    for usual in [(1.0, 1000.0), (1.0, 512.0), (1000.0, 1.0), (1.0, 1.0)] {
        assert_eq!(run(3, usual.0, usual.1), [""; 0], "{usual:?}");
    }
    assert_eq!(run(3, 1024.0, 1.0).len(), 1);
}

#[test]
fn it_is_the_median_of_an_epoch_that_counts() {
    // Steps of an epoch with these sizes of the first tensor's gradient; the last one's is 1.
    let run = |first: [f32; 4]| {
        let sizes = move |step: u64| vec![first[(step as usize - 1) % 4], 1.0, 1.0, 1.0, 1.0];
        warnings(GradientMonitor::new(), deep(), 1, sizes).len()
    };
    assert_eq!(run([1e-6, 1e-6, 1.0, 1e-6]), 1);
    assert_eq!(run([1e-6, 1.0, 1.0, 1e-6]), 0);
    // What is not a number, or 0, does not count.
    assert_eq!(run([1e-6, f32::NAN, f32::INFINITY, 0.0]), 1);
    assert_eq!(run([1.0, f32::NAN, 0.0, 0.0]), 0);
    // The next epoch is judged by itself.
    let sizes = |step| vec![if step > 4 { 1e-6 } else { 1.0 }, 1.0, 1.0, 1.0, 1.0];
    let second = warnings(GradientMonitor::new(), deep(), 2, sizes);
    assert!(second.len() == 1 && second[0].contains("in epoch 2"), "{second:?}");
}

#[test]
fn one_matrix_is_compared_with_nothing() {
    let named = tensors([("0.weight", &[1, 1]), ("0.bias", &[1])]);
    assert_eq!(warnings(GradientMonitor::new(), named, 2, |_| vec![1e-9, 1.0]), [""; 0]);
    let named = tensors([("0.weight", &[1]), ("1.weight", &[1])]);
    assert_eq!(warnings(GradientMonitor::new(), named, 2, |_| vec![1e-9, 1.0]), [""; 0]);
}

#[test]
fn gradients_that_are_zero_throughout_are_named_once() {
    let run = |epochs, sizes: fn(u64) -> Vec<f32>| {
        warnings(GradientMonitor::new(), deep(), epochs, sizes)
    };
    assert_eq!(
        run(3, |_| vec![0.0, -0.0, 1.0, 1.0, 1.0]),
        [
            "the gradient of 0.weight, 0.bias was zero in the 4 steps that were looked at in epoch 1: \
          dead units, or cut off from the loss"
        ]
    );
    // One step in which it was not, or was no number, and one epoch later another one.
    let course = |step: u64| {
        let second = if step == 3 { f32::NAN } else { 0.0 };
        vec![if step == 2 { 1.0 } else { 0.0 }, second, 1.0, 1.0, 1.0]
    };
    assert_eq!(run(1, course), [""; 0]);
    let later = run(3, course);
    assert!(later.len() == 1 && later[0].contains("0.weight, 0.bias was zero"), "{later:?}");
    let one =
        warnings(every(4, GradientMonitor::new()), deep(), 1, |_| vec![0.0, 1.0, 1.0, 1.0, 1.0]);
    assert!(one[0].contains("in the one step that was looked at in epoch 1"), "{one:?}");
}

#[test]
fn of_many_tensors_some_are_named() {
    let names: Vec<String> = (0..12).map(|i| format!("{i}.bias")).collect();
    let named = names.iter().map(|name| TensorInfo { name: name.clone(), shape: vec![1] });
    let all = warnings(GradientMonitor::new(), named.collect(), 1, |_| vec![0.0; 12]);
    assert_eq!(all.len(), 1);
    assert!(all[0].contains("6.bias, 7.bias, … (12 in all) was zero"), "{}", all[0]);
}

/// What is warned of where each update changes the one weight by 1 and it was so large before; the
/// learning rate is given by the epoch.
fn of_updates(weight: f32, epochs: u64, rate: fn(u64) -> f64) -> Vec<String> {
    of_steps(weight, 4, epochs, rate)
}

/// The same with so many steps an epoch.
fn of_steps(weight: f32, steps: u64, epochs: u64, rate: fn(u64) -> f64) -> Vec<String> {
    let mut stack = Stack::new();
    stack.push(GradientMonitor::new().ratios());
    let schedule = move |batch: &mut crate::BatchStart<'_>| {
        batch.set_learning_rate(rate(batch.counters.epoch));
        Ok(Flow::Continue)
    };
    stack.push(on_batch_start(schedule).writes(Resource::LearningRate));
    let mut fake = Fake::new(stack).batches(steps);
    fake.weights.0 = weight;
    fake.fit(epochs);
    assert_eq!(fake.seen.error, None);
    fake.seen.warnings
}

#[test]
fn updates_that_are_small_or_large_beside_the_weights_are_named_with_the_ratio() {
    // Four steps from w on: 1/w, 1/(w+1), 1/(w+2), 1/(w+3).
    let small = of_updates(1_048_576.0, 3, |_| 0.1);
    assert_eq!(
        small,
        [
            "updates are small beside the weights, below 1e-5 of their norm where about 1e-3 is usual: \
          0.weight 9.54e-7 (medians of the 4 steps that were looked at in epoch 1): the learning rate \
          is low for them"
        ]
    );
    let large = of_updates(4.0, 1, |_| 0.1);
    assert_eq!(
        large,
        [
            "updates are large beside the weights, above 0.1 of their norm where about 1e-3 is usual: \
          0.weight 0.1833 (medians of the 4 steps that were looked at in epoch 1): the learning rate \
          is high for them"
        ]
    );
    for usual in [12.0, 1000.0, 99_000.0] {
        assert_eq!(of_updates(usual, 3, |_| 0.1), [""; 0], "{usual}");
    }
    // One step has a rate too.
    let one = of_steps(1_048_576.0, 1, 1, |_| 0.1);
    assert!(one.len() == 1 && one[0].contains("of the one step that was looked at"), "{one:?}");
    // Without the option it does not look.
    let mut fake = Fake::with(GradientMonitor::new());
    fake.weights.0 = 4.0;
    fake.fit(1);
    assert_eq!(fake.seen.warnings, [""; 0]);
}

#[test]
fn updates_are_small_at_the_end_of_a_schedule() {
    // What is small only because the rate has come down is as it should be: the ratio is above 1e-5
    // in the first three epochs, and below it in the others.
    let warned = |last: f64| {
        let mut stack = Stack::new();
        stack.push(GradientMonitor::new().ratios());
        let schedule = move |batch: &mut crate::BatchStart<'_>| {
            batch.set_learning_rate(if batch.counters.epoch < 3 { 0.1 } else { last });
            Ok(Flow::Continue)
        };
        stack.push(on_batch_start(schedule).writes(Resource::LearningRate));
        let mut fake = Fake::new(stack).batches(1000);
        fake.weights.0 = 97_000.0;
        fake.fit(5);
        fake.seen.warnings
    };
    assert_eq!(warned(0.049), [""; 0]);
    // At half of the rate it counts.
    let once = warned(0.05);
    assert!(
        once.len() == 1 && once[0].contains("in epoch 4): the learning rate is low"),
        "{once:?}"
    );
}

#[test]
fn a_second_fit_says_it_again() {
    let mut fake = Fake::with(GradientMonitor::new()).batches(2);
    fake.gradients = Box::new(|_| vec![vec![0.0], vec![1.0, 1.0]]);
    fake.fit(2);
    assert_eq!(fake.seen.warnings.len(), 1);
    fake.fit(2);
    assert_eq!(fake.seen.warnings.len(), 2);
}

#[test]
fn an_epoch_without_steps_says_nothing() {
    let first = Arc::new(Mutex::new(0));
    let times = first.clone();
    let mut stack = Stack::new();
    stack.push(crate::when(|at| at.epoch == 1, GradientMonitor::new()));
    stack.push(on_final_gradients(move |_| {
        *times.lock().unwrap() += 1;
        Ok(Flow::Continue)
    }));
    let mut fake = Fake::new(stack);
    fake.gradients = Box::new(|_| vec![vec![0.0], vec![1.0, 1.0]]);
    fake.fit(3);
    assert_eq!(*first.lock().unwrap(), 9);
    assert_eq!(fake.seen.warnings.len(), 1);
    assert!(fake.seen.warnings[0].contains("3 steps that were looked at in epoch 2"));
}

#[test]
fn records_and_checkpoints_of_before_are_read() {
    let read = |json: &str| serde_json::from_str::<CallbackRecipe>(json).unwrap();
    let old = r#"{"callback":"GradientMonitor"}"#;
    assert_eq!(serde_json::to_string(&read(old)).unwrap(), old);
    assert_eq!(serde_json::to_string(&GradientMonitor::new().recipe()).unwrap(), old);
    let all = GradientMonitor::new().after_clipping().ratios().recipe();
    let new = r#"{"callback":"GradientMonitor","after_clipping":true,"ratios":true}"#;
    assert_eq!(serde_json::to_string(&all).unwrap(), new);
    assert_eq!(serde_json::to_string(&read(new).make().recipe()).unwrap(), new);

    let mut monitor = vec![GradientMonitor::new()];
    let saved = monitor.save().unwrap();
    monitor[0].load(&crate::CallbackState::empty()).unwrap();
    assert_eq!(monitor.save().unwrap(), saved);
    assert!(monitor[0].load(&crate::CallbackState::of("x", &3).unwrap()).is_err());
}

#[test]
fn eight_tensors_are_all_named() {
    let names: Vec<String> = (0..8).map(|i| format!("{i}.bias")).collect();
    let named = names.iter().map(|name| TensorInfo { name: name.clone(), shape: vec![1] });
    let all = warnings(GradientMonitor::new(), named.collect(), 1, |_| vec![0.0; 8]);
    assert!(all[0].contains("6.bias, 7.bias was zero"), "{}", all[0]);
}

#[test]
fn tensors_that_thaw_are_seen_from_then_on() {
    let infos = tensors([("0.weight", &[1]), ("1.weight", &[1])]);
    let many = |a: f32, b: f32| Many(infos.clone(), vec![vec![a], vec![b]]);
    let mut before = super::Before::default();
    before.take(&many(1.0, 4.0), &infos[1..]).unwrap();
    before.take(&many(2.0, 8.0), &infos).unwrap();
    let ratios = before.ratios(&many(3.0, 10.0)).unwrap();
    assert_eq!(ratios, Some(vec![0.5, 0.25]));
}

#[test]
fn behind_a_fit_no_weights_are_kept() {
    let mut monitor = GradientMonitor::new().ratios();
    let infos = tensors([("0.weight", &[1])]);
    monitor.before.take(&Many(infos.clone(), vec![vec![1.0]]), &infos).unwrap();
    let mut weights = Many(infos, vec![vec![1.0]]);
    let mut end = crate::FitEnd::new(Counters::default(), None, None, &mut weights);
    monitor.fit_end(&mut end).unwrap();
    assert_eq!(monitor.before.ratios(&weights).unwrap(), None);
}
