//! Steps of training in both engines: gathered gradients, groups of tensors, mixed rows, losses of
//! one's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use dfdx::tensor_ops::MeanTo;
use trainbook_callbacks::{Snapshot, UpdateSettings};
use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Mixed, Targets};
use trainbook_core::random::{Seed, Stream};
use trainbook_nn::layer::{LayerNorm, Sequential};
use trainbook_nn::loss::{BinaryCrossEntropy, CrossEntropy, Loss, TargetKind};
use trainbook_nn::optim::{
    Adagrad, Adam, AdamW, Lion, NAdam, Optimizer, ParameterGroup, RAdam, RMSprop, Sgd, Step,
};
use trainbook_nn::task::{Recipe, Task, TaskState, Trace};
use trainbook_nn::trial::forms;
use trainbook_nn::{Network, Sample};

const FEATURES: usize = 4;
const CLASSES: usize = 3;

fn net() -> Sequential {
    Sequential::new().linear(6).with(LayerNorm::new()).tanh().dropout(0.3).linear(CLASSES)
}

fn recipe(loss: Loss, optimizer: impl Into<Optimizer>, groups: Vec<ParameterGroup>) -> Recipe {
    Recipe {
        optimizer: optimizer.into(),
        groups,
        seed: Seed(1),
        ..Recipe::new(Network::from(net()), Sample::numbers([FEATURES]), loss)
    }
}

/// The task in both engines.
fn both(recipe: &Recipe) -> Vec<Box<dyn Task>> {
    forms(recipe).unwrap()
}

/// Rows of the batch with these numbers; their classes and values follow from the number.
fn rows(samples: std::ops::Range<usize>, values: bool) -> Batch {
    let number = |sample: usize, at: usize| {
        Stream::new(Seed(3), "rows").at(sample as u64, at as u64).normal() as f32
    };
    let input = samples.clone().flat_map(|s| (0..FEATURES).map(move |at| number(s, at))).collect();
    let targets = if values {
        let labels = samples.clone().flat_map(|s| (0..CLASSES).map(move |at| number(s, 10 + at)));
        Targets::Values(labels.map(|x| f32::from(u8::from(x > 0.0))).collect())
    } else {
        Targets::Classes(samples.clone().map(|s| (s % CLASSES) as u32).collect())
    };
    Batch {
        input: Array::f32([samples.len(), FEATURES], input),
        targets,
        samples: samples.collect(),
        weights: None,
        mixed: None,
    }
}

fn gradients(task: &mut dyn Task) -> Vec<Vec<f32>> {
    let mut all = Vec::new();
    task.edit(&mut |_, values| all.push(values.to_vec())).unwrap();
    all
}

#[track_caller]
fn near(a: &[Vec<f32>], b: &[Vec<f32>]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        // A device multiplies in an order of its own.
        let near = if cfg!(feature = "cuda") { 1e-4 } else { 2e-6 };
        assert!((a - b).abs() < near * (1.0 + b.abs()), "{a} for {b}");
    }
}

#[test]
fn small_batches_of_any_size_give_the_gradients_of_one() {
    let weighted = CrossEntropy { weight: Some(vec![0.2, 1.0, 3.0]), ..CrossEntropy::default() };
    // Batch 4..6 has classes 1 and 2 alone, so nothing in 6..7 counts.
    let ignoring = CrossEntropy { ignore_index: Some(0), label_smoothing: 0.1, weight: None };
    let losses: [(Loss, bool); 4] = [
        (Loss::cross_entropy(), false),
        (weighted.into(), false),
        (ignoring.into(), false),
        (BinaryCrossEntropy::default().into(), true),
    ];
    for (loss, values) in losses {
        for mut task in both(&recipe(loss.clone(), AdamW::default(), Vec::new())) {
            let whole = task.forward_backward(&rows(0..9, values)).unwrap();
            let expected = gradients(&mut *task);
            assert!(expected.iter().flatten().any(|g| g.abs() > 1e-3));
            task.clear_gradients().unwrap();
            let (mut sum, mut weight) = (0.0, 0.0);
            for part in [0..4, 4..6, 6..7, 7..9] {
                let loss = task.forward_backward(&rows(part, values)).unwrap();
                let (mean, by) = (loss.now(&*task).unwrap(), loss.weight);
                if by > 0.0 {
                    sum += f64::from(mean) * by;
                    weight += by;
                }
            }
            near(&gradients(&mut *task), &expected);
            let mean = f64::from(whole.now(&*task).unwrap());
            assert!((sum / weight - mean).abs() < 1e-6, "{loss}");
            assert!((weight - whole.weight).abs() < 1e-6, "{loss}");
        }
    }
}

#[test]
fn losses_stay_on_a_device_until_somebody_looks_or_there_are_many() {
    let recipe = recipe(Loss::cross_entropy(), AdamW::default(), Vec::new());
    for (form, mut task) in both(&recipe).into_iter().enumerate() {
        let mut step = || task.forward_backward(&rows(0..3, false)).unwrap().mean;
        let readings: Vec<_> = (0..65).map(|_| step()).collect();
        let known = readings.iter().filter(|reading| reading.get().is_some()).count();
        assert_eq!(known, if form == 0 { 65 } else { 64 });
        task.wait().unwrap();
        assert!(readings.iter().all(|reading| reading.get() == readings[0].get()));
    }
}

#[test]
fn a_batch_in_which_nothing_counts_changes_no_gradient() {
    let loss = CrossEntropy { ignore_index: Some(0), ..CrossEntropy::default() };
    for mut task in both(&recipe(loss.into(), AdamW::default(), Vec::new())) {
        task.forward_backward(&rows(0..5, false)).unwrap();
        let before = gradients(&mut *task);
        let nothing = task.forward_backward(&rows(6..7, false)).unwrap();
        let mean = nothing.now(&*task).unwrap();
        assert!(mean.is_nan() && nothing.weight == 0.0, "{nothing:?}");
        assert_eq!(gradients(&mut *task), before);
    }
}

#[test]
fn a_mixed_batch_has_the_loss_of_both_targets() {
    for mut task in both(&recipe(Loss::cross_entropy(), AdamW::default(), Vec::new())) {
        let own = rows(0..5, false);
        let other = Batch { targets: rows(1..6, false).targets, ..own.clone() };
        let share = 0.3;
        let mixed = Some(Mixed { targets: other.targets.clone(), share });
        let mixed = Batch { mixed, ..own.clone() };
        let mut of = |batch: &Batch| {
            let loss = task.loss_of(batch).unwrap();
            let gradients = gradients(&mut *task);
            task.clear_gradients().unwrap();
            (loss, gradients)
        };
        let ((a, of_a), (b, of_b), (found, gradient)) = (of(&own), of(&other), of(&mixed));
        assert!((a - b).abs() > 0.01, "{a} and {b}");
        assert!((found - (share * a + (1.0 - share) * b)).abs() < 1e-6);
        let expected: Vec<Vec<f32>> = (of_a.iter().zip(&of_b))
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| share * a + (1.0 - share) * b).collect())
            .collect();
        near(&gradient, &expected);
    }
}

#[test]
fn a_weight_is_how_often_a_row_is_there() {
    let ignoring = CrossEntropy {
        ignore_index: Some(0),
        label_smoothing: 0.1,
        weight: Some(vec![0.2, 1.0, 3.0]),
    };
    let own = Loss::from_fn("Squares", TargetKind::Values, |x, y| (x - y).square().mean());
    let losses: [(Loss, bool); 8] = [
        (Loss::cross_entropy(), false),
        (ignoring.into(), false),
        (Loss::binary_cross_entropy(), true),
        (Loss::mean_squared_error(), true),
        (Loss::mean_absolute_error(), true),
        (Loss::huber(), true),
        (Loss::poisson_nll(), true),
        (own, true),
    ];
    for (loss, values) in losses {
        let each: Vec<Batch> = (0..5).map(|row| rows(row..row + 1, values)).collect();
        let batch_of = |list: &[usize], weights: Option<Vec<f32>>| {
            let mut batch = Batch { weights, ..rows(0..0, values) };
            let mut input = Vec::new();
            for &row in list {
                input.extend_from_slice(each[row].input.floats());
                batch.samples.push(row);
                batch.targets.extend(&each[row].targets);
            }
            batch.input = Array::f32([list.len(), FEATURES], input);
            batch
        };
        let repeated = batch_of(&[0, 0, 0, 1, 3, 3, 4], None);
        let weighted = batch_of(&[0, 1, 2, 3, 4], Some(vec![1.5, 0.5, 0.0, 1.0, 0.5]));
        for mut task in both(&recipe(loss.clone(), AdamW::default(), Vec::new())) {
            let mut of = |batch: &Batch| {
                let loss = task.forward_backward(batch).unwrap();
                let gradients = gradients(&mut *task);
                task.clear_gradients().unwrap();
                ((loss.now(&*task).unwrap(), loss.weight), gradients)
            };
            let ((expected, gradients), (found, weighed)) = (of(&repeated), of(&weighted));
            near(&weighed, &gradients);
            assert!((found.0 - expected.0).abs() < 2e-6 * (1.0 + expected.0), "{loss}");
            assert!((2.0 * found.1 - expected.1).abs() < 1e-6, "{loss}");
            // Where nothing counts nothing is learned, and nothing breaks.
            let (nothing, gradients) = of(&batch_of(&[0, 1], Some(vec![0.0, 0.0])));
            assert!(nothing.0.is_nan() && nothing.1 == 0.0, "{loss}");
            assert!(gradients.iter().flatten().all(|g| *g == 0.0), "{loss}");
            let few = Batch { weights: Some(vec![1.0]), ..repeated.clone() };
            let error = task.forward_backward(&few).unwrap_err().to_string();
            assert!(error.contains("1 weights for 7 rows"), "{error}");
        }
    }
}

/// By how much one update moves each tensor.
fn moved(task: &mut dyn Task) -> Vec<Vec<f32>> {
    let before = task.model().weights();
    task.forward_backward(&rows(0..6, false)).unwrap();
    task.update(&0.01.into()).unwrap();
    let Snapshot(after) = task.model().weights();
    let pairs = after.iter().zip(&before.0);
    pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
}

/// The tensors of [`net`], in order.
const NAMES: [&str; 6] = ["0.weight", "0.bias", "1.weight", "1.bias", "4.weight", "4.bias"];

#[test]
fn groups_are_trained_as_they_say() {
    let sgd = Sgd { weight_decay: 0.1, ..Sgd::default() };
    let groups = vec![
        ParameterGroup::new("0.weight").rate(10.0),
        ParameterGroup::new("0.*").weight_decay(0.5),
        ParameterGroup::new("1").frozen(),
    ];
    let plain = recipe(Loss::cross_entropy(), sgd, Vec::new());
    let grouped = recipe(Loss::cross_entropy(), sgd, groups);
    for (mut plain, mut grouped) in both(&plain).into_iter().zip(both(&grouped)) {
        let names: Vec<String> = plain.model().tensors().iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, NAMES);
        let bias = grouped.model().weights().0[1].clone();
        let (expected, found) = (moved(&mut *plain), moved(&mut *grouped));
        let scaled = |tensor: &[f32], by: f32| tensor.iter().map(|d| d * by).collect::<Vec<f32>>();
        near(&found[0..1], &[scaled(&expected[0], 10.0)]);
        // The bias does not decay by itself; asked for, it does: lr · λ · w more.
        let decayed = expected[1].iter().zip(&bias).map(|(d, w)| d - 0.01 * 0.5 * w).collect();
        near(&found[1..2], &[decayed]);
        assert!(found[2].iter().chain(&found[3]).all(|d| *d == 0.0), "{found:?}");
        near(&found[4..6], &expected[4..6]);

        // What is frozen counts in no norm, and nobody is shown its gradient.
        grouped.forward_backward(&rows(0..6, false)).unwrap();
        let shown = gradients(&mut *grouped);
        assert_eq!(shown.len(), 4);
        let tensors = trainbook_callbacks::Gradients::tensors(&*grouped).to_vec();
        assert!(tensors.iter().all(|tensor| !tensor.name.starts_with("1.")), "{tensors:?}");
        assert_eq!(grouped.stats().unwrap().len(), 4);
        let norm = shown.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!((grouped.global_norm().unwrap() - norm).abs() < 1e-6 * norm);
    }
}

#[test]
fn a_task_with_groups_goes_on_from_its_state() {
    let groups =
        || vec![ParameterGroup::new("0").frozen(), ParameterGroup::new("*.bias").rate(2.0)];
    for at in 0..2 {
        let recipe = recipe(Loss::cross_entropy(), Adam::default(), groups());
        let [mut first, mut second] = [0, 1].map(|_| both(&recipe).into_iter().nth(at).unwrap());
        moved(&mut *first);
        second.load_state(&first.state().unwrap()).unwrap();
        assert_eq!(moved(&mut *first), moved(&mut *second));
        assert_eq!(first.state().unwrap(), second.state().unwrap());
    }
}

/// What an optimiser by itself, from its first update on, does to a tensor with these gradients.
fn alone(
    optimizer: &Optimizer,
    weights: &[f32],
    gradients: &[Vec<f32>],
    step: impl Fn(u64) -> Step,
) -> Vec<f32> {
    let (rule, mut weights) = (optimizer.rule(), weights.to_vec());
    let mut moments: Vec<Vec<f32>> =
        (0..rule.moments()).map(|number| vec![rule.begin(number); weights.len()]).collect();
    for (update, gradient) in (1..).zip(gradients) {
        let mut lent: Vec<&mut [f32]> = moments.iter_mut().map(Vec::as_mut_slice).collect();
        rule.step(step(update)).apply(&mut weights, gradient, &mut lent);
    }
    weights
}

#[test]
fn a_group_that_thaws_is_trained_from_there_on_as_from_the_beginning() {
    const THAWS: u64 = 3;
    let optimizers: [Optimizer; 4] = [
        Adam::default().into(),
        AdamW { weight_decay: 0.0, ..AdamW::default() }.into(),
        NAdam::default().into(),
        Sgd { dampening: 0.5, ..Sgd::default() }.into(),
    ];
    for optimizer in optimizers {
        let groups = || vec![ParameterGroup::new("1").frozen_until(THAWS)];
        let recipe = recipe(Loss::cross_entropy(), optimizer, groups());
        for (number, mut task) in both(&recipe).into_iter().enumerate() {
            let begin = task.model().weights();
            let mut of_weight = Vec::new();
            for update in 0..7 {
                if update == 5 {
                    // Another that takes the state over has thawed too.
                    let mut next = both(&recipe).into_iter().nth(number).unwrap();
                    next.load_state(&task.state().unwrap()).unwrap();
                    task = next;
                }
                let tensors = trainbook_callbacks::Gradients::tensors(&*task);
                let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
                let frozen = update < THAWS;
                assert_eq!(names.contains(&"1.weight"), !frozen, "{names:?} at {update}");
                let now = task.model().weights();
                assert_eq!(now.0[2] == begin.0[2], update <= THAWS, "{update}");
                task.forward_backward(&rows(0..6, false)).unwrap();
                let shown = gradients(&mut *task);
                assert_eq!(shown.len(), if frozen { 4 } else { 6 });
                if !frozen {
                    of_weight.push(shown[2].clone());
                }
                task.update(&0.01.into()).unwrap();
            }
            let step = |update| Step { rate: 0.01, update, momentum: None, decay: 0.0 };
            let expected = alone(&optimizer, &begin.0[2], &of_weight, step);
            near(&[task.model().weights().0[2].clone()], &[expected]);
        }
    }
}

#[test]
fn a_step_has_the_momentum_and_the_rates_that_it_is_given() {
    let optimizers: [Optimizer; 6] = [
        Adam::default().into(),
        AdamW { weight_decay: 0.0, ..AdamW::default() }.into(),
        RAdam::default().into(),
        Lion::default().into(),
        RMSprop { momentum: 0.5, ..RMSprop::default() }.into(),
        Sgd { nesterov: true, ..Sgd::default() }.into(),
    ];
    let momentum = |update: u64| 0.5 + 0.05 * update as f64;
    for optimizer in optimizers {
        assert!(optimizer.momentum().is_some());
        let groups = vec![ParameterGroup::new("1").rate(2.0), ParameterGroup::new("4")];
        for mut task in both(&recipe(Loss::cross_entropy(), optimizer, groups)) {
            let begin = task.model().weights();
            let mut seen: [Vec<Vec<f32>>; 6] = Default::default();
            for update in 1..=5 {
                task.forward_backward(&rows(0..6, false)).unwrap();
                let gradients = gradients(&mut *task);
                seen.iter_mut().zip(gradients).for_each(|(seen, new)| seen.push(new));
                let settings = UpdateSettings {
                    learning_rate: 0.01,
                    momentum: Some(momentum(update)),
                    group_rates: vec![("1".into(), 0.003), ("no such group".into(), 1.0)],
                };
                task.update(&settings).unwrap();
            }
            let rates = [0.01, 0.01, 0.006, 0.006, 0.01, 0.01];
            for (at, rate) in rates.into_iter().enumerate() {
                let step =
                    |update| Step { rate, update, momentum: Some(momentum(update)), decay: 0.0 };
                let expected = alone(&optimizer, &begin.0[at], &seen[at], step);
                near(&[task.model().weights().0[at].clone()], &[expected]);
                let own = |update| Step { rate, update, momentum: None, decay: 0.0 };
                let other = alone(&optimizer, &begin.0[at], &seen[at], own);
                // Where gradients are alike, Lion's sign may be the same with any momentum.
                if !matches!(optimizer, Optimizer::Lion(_)) {
                    assert_ne!(task.model().weights().0[at], other, "{optimizer:?}");
                }
            }
        }
    }
    let gradients = [vec![1.0], vec![-0.5]];
    let lion = |momentum| {
        let step = |update| Step { rate: 0.1, update, momentum, decay: 0.0 };
        alone(&Lion::default().into(), &[1.0], &gradients, step)
    };
    near(&[lion(None), lion(Some(0.99))], &[vec![1.0], vec![0.8]]);
    for without in [NAdam::default().into(), Adagrad::default().into(), RMSprop::default().into()] {
        assert_eq!(Optimizer::momentum(&without), None);
    }
}

#[test]
fn activations_are_seen_where_they_are_flat() {
    let net = Sequential::new().linear(3).relu().linear(2).tanh().linear(2).sigmoid().linear(2);
    let recipe = Recipe::new(
        Network::from(net.leaky_relu()),
        Sample::numbers([FEATURES]),
        Loss::cross_entropy(),
    );
    let mut state = recipe.task().unwrap().state().unwrap();
    // What is behind a weight of 0 is what the bias says, for every row.
    let put = |state: &mut TaskState, tensor: usize, values: &[f32]| {
        state.weights.0[tensor].fill(0.0);
        state.weights.0[tensor + 1].copy_from_slice(values);
    };
    put(&mut state, 0, &[-1.0, 0.0, 2.0]);
    put(&mut state, 2, &[3.0, 1.0]);
    put(&mut state, 4, &[-5.0, 0.0]);
    let batch = rows(0..5, false);
    let trace = Trace::of(&recipe, &state.weights, state.updates, &batch, true).unwrap();
    let seen = trace.activities();
    let kinds: Vec<(&str, &str)> =
        seen.iter().map(|layer| (layer.layer.as_str(), layer.kind.as_str())).collect();
    assert_eq!(kinds, [("1", "Relu"), ("3", "Tanh"), ("5", "Sigmoid")]);
    assert_eq!(seen[0].silent, [true, true, false]);
    assert!((seen[0].flat - 2.0 / 3.0).abs() < 1e-12 && (seen[0].mean - 2.0 / 3.0).abs() < 1e-7);
    assert!((seen[0].std - 8.0_f64.sqrt() / 3.0).abs() < 1e-7, "{}", seen[0].std);
    assert_eq!((&*seen[1].silent, seen[1].flat), (&[true, false][..], 0.5));
    assert_eq!((&*seen[2].silent, seen[2].flat), (&[true, false][..], 0.5));

    // A unit lives if it does for one row; of an image, if its channel does for one pixel.
    let net = Sequential::new().conv2d(2, 1).relu().flatten().linear(2);
    let recipe = Recipe::new(Network::from(net), Sample::numbers([1, 2, 2]), Loss::cross_entropy());
    let mut state = recipe.task().unwrap().state().unwrap();
    state.weights.0[0].copy_from_slice(&[1.0, 1.0]);
    state.weights.0[1].copy_from_slice(&[0.0, -2.0]);
    let mut pixels = vec![-1.0; 8];
    pixels[6] = 1.5;
    let batch = Batch { input: Array::f32([2, 1, 2, 2], pixels), ..rows(0..2, false) };
    let [seen] =
        &Trace::of(&recipe, &state.weights, state.updates, &batch, true).unwrap().activities()[..]
    else {
        panic!("one activation")
    };
    assert_eq!(seen.silent, [false, true]);
    assert!((seen.flat - 15.0 / 16.0).abs() < 1e-12);
}

#[test]
fn groups_that_make_no_sense_are_refused() {
    let refused = |groups: Vec<ParameterGroup>| {
        let recipe = recipe(Loss::cross_entropy(), AdamW::default(), groups);
        let (host, dfdx) = (recipe.task().err().unwrap(), recipe.task_on_dfdx().err().unwrap());
        assert_eq!(host.to_string(), dfdx.to_string());
        host.to_string()
    };
    let unknown = refused(vec![ParameterGroup::new("0.wieght")]);
    assert!(unknown.contains("\"0.wieght\"") && unknown.contains("\"0.weight\""), "{unknown}");
    assert!(refused(vec![ParameterGroup::new("3")]).contains("nearest"), "dropout has no tensors");
    assert!(refused(vec![ParameterGroup::new("*").frozen()]).contains("left to be trained"));
    assert!(refused(vec![ParameterGroup::new("0").rate(f64::NAN)]).contains("at least 0"));
    assert!(refused(vec![ParameterGroup::new("0").weight_decay(-1.0)]).contains("at least 0"));
    let both = ParameterGroup::new("0").frozen().frozen_until(3);
    assert!(refused(vec![both]).contains("one of both"));
    let all = ParameterGroup::new("*").frozen_until(3);
    assert!(refused(vec![all]).contains("from the first update on"));
    let group = ParameterGroup::new("*.bias").rate(0.5).weight_decay(0.1).frozen_until(4);
    let json = serde_json::to_string(&group).unwrap();
    assert_eq!(serde_json::from_str::<ParameterGroup>(&json).unwrap(), group);
    let short: ParameterGroup = serde_json::from_str(r#"{"tensors": "0"}"#).unwrap();
    assert_eq!(short, ParameterGroup::new("0"));
}

#[test]
fn a_closure_is_a_loss() {
    use dfdx::prelude::*;
    let squared = Loss::from_fn("Squared", TargetKind::Values, |x, y| (x - y).square().mean());
    let likely = Loss::from_fn("Likely", TargetKind::Classes, |x, y| {
        // Of each row the logarithm of its class's probability, averaged over the rows.
        let width = x.shape().1 as f32;
        -(x.log_softmax::<Axis<1>>() * y).mean() * width
    });
    let pairs =
        [(squared, Loss::mean_squared_error(), true), (likely, Loss::cross_entropy(), false)];
    for (ours, theirs, values) in pairs {
        let tasks = both(&recipe(ours.clone(), AdamW::default(), Vec::new()));
        let others = both(&recipe(theirs, AdamW::default(), Vec::new()));
        for (mut task, mut other) in tasks.into_iter().zip(others) {
            let batch = rows(0..7, values);
            let (a, b) = (task.forward_backward(&batch), other.forward_backward(&batch));
            let (a, b) = (a.unwrap(), b.unwrap());
            let off = a.now(&*task).unwrap() - b.now(&*other).unwrap();
            assert!(off.abs() < 1e-6 && a.weight == b.weight, "{a:?} {b:?}");
            near(&gradients(&mut *task), &gradients(&mut *other));
            let refused = task.forward_backward(&rows(0..7, !values)).unwrap_err().to_string();
            assert!(refused.contains(ours.name()), "{refused}");
        }
    }
}
