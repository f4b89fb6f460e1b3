//! How a pass is run changes nothing that it computes, or a rounding: activations that are computed
//! again, the same bits in less memory; and mixed precision, alike in both forms.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so")]

use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::{Seed, Stream};
use trainbook_nn::layer::{
    AnyLayer, Conv2d, LayerNorm, LearnedPositions, Residual, Sequential, Softplus,
    TransformerEncoderLayer,
};
use trainbook_nn::loss::Loss;
use trainbook_nn::optim::ParameterGroup;
use trainbook_nn::task::{LossScale, Precision, Recipe, Task};
use trainbook_nn::trial::forms;
use trainbook_nn::{Network, Sample};

const ROWS: usize = 6;

/// How many there are of [`forms`].
const FORMS: usize = if cfg!(feature = "cuda") { 3 } else { 2 };

fn numbers(shape: &[usize]) -> Array {
    let shape: Vec<usize> = std::iter::once(ROWS).chain(shape.to_vec()).collect();
    let mut draws = Stream::new(Seed(1), "rows").at(0, 0);
    let values = (0..shape.iter().product()).map(|_| draws.normal() as f32).collect();
    Array::f32(shape, values)
}

fn batch(input: Array, targets: usize) -> Batch {
    Batch {
        input,
        targets: Targets::Classes((0..targets as u32).map(|i| i % 3).collect()),
        samples: (0..ROWS).collect(),
        weights: None,
        mixed: None,
    }
}

/// With dropout, batch normalisation, branches, chains in chains, tokens and padding.
fn networks() -> Vec<(&'static str, Network, Sample, Batch)> {
    let deep = (0..9).fold(Sequential::new().linear(16), |net, _| {
        net.tanh().linear(16).batch_norm().dropout(0.2)
    });
    let inner = || Sequential::new().linear(16).relu().dropout(0.1).linear(16);
    let nested = (0..3).fold(Sequential::new().linear(16), |net, _| {
        net.with(Sequential::new().with(Residual::new(inner())).with(LayerNorm::new()).gelu())
    });
    let conv = |filters| Conv2d::new(filters, 3).padding(1);
    let images = (0..4).fold(Sequential::new(), |net, _| net.with(conv(4)).batch_norm().relu());
    let block = TransformerEncoderLayer::new(2, 16).dropout(0.1);
    let text = Sequential::new()
        .with(AnyLayer::new(trainbook_nn::layer::Embedding::new(7, 8).padding_index(0)))
        .with(LearnedPositions::new(5))
        .repeat(4, block)
        .with(LayerNorm::new())
        .linear(3);
    let tokens = (0..ROWS as i64 * 5).map(|i| if i % 5 < 4 { i % 6 + 1 } else { 0 }).collect();
    vec![
        ("deep", deep.linear(3).into(), Sample::numbers([8]), batch(numbers(&[8]), ROWS)),
        ("nested", nested.linear(3).into(), Sample::numbers([8]), batch(numbers(&[8]), ROWS)),
        (
            "images",
            images.flatten().linear(3).into(),
            Sample::numbers([1, 6, 6]),
            batch(numbers(&[1, 6, 6]), ROWS),
        ),
        ("text", text.into(), Sample::indices([5]), batch(Array::i64([ROWS, 5], tokens), ROWS * 5)),
    ]
}

fn bits(task: &dyn Task) -> Vec<u32> {
    task.model().weights().0.iter().flatten().map(|weight| weight.to_bits()).collect()
}

#[test]
fn no_bit_depends_on_them() {
    for (name, network, input, batch) in networks() {
        for (precision, frozen) in [(0, false), (1, false), (0, true)] {
            let precision = [Precision::F32, Precision::Mixed][precision];
            let groups = if frozen { vec![ParameterGroup::new("0").frozen()] } else { Vec::new() };
            let task = |checkpoint_activations| {
                let recipe = Recipe::new(network.clone(), input.clone(), Loss::cross_entropy());
                Recipe { precision, checkpoint_activations, groups: groups.clone(), ..recipe }
                    .task()
                    .unwrap()
            };
            let (mut plain, mut saving) = (task(false), task(true));
            for step in 0..4 {
                let losses = [&mut plain, &mut saving].map(|task| {
                    let loss = task.loss_of(&batch).unwrap();
                    task.end_scaling();
                    task.update(&0.05.into()).unwrap();
                    loss.to_bits()
                });
                assert_eq!(losses[0], losses[1], "{name}, step {step}");
                assert_eq!(bits(&*plain), bits(&*saving), "{name}, step {step}");
            }
        }
    }
}

/// ‖a − b‖ / ‖b‖
fn off(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let pairs = || a.iter().flatten().zip(b.iter().flatten());
    let gap: f64 = pairs().map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (gap / pairs().map(|(_, b)| f64::from(*b).powi(2)).sum::<f64>()).sqrt()
}

#[test]
fn mixed_precision_is_alike_in_both_forms() {
    let softmax = Sequential::new().linear(8).softmax().linear(8).with(Softplus).log_softmax();
    let heads =
        ("heads", softmax.linear(3).into(), Sample::numbers([8]), batch(numbers(&[8]), ROWS));
    for (name, network, input, batch) in networks().into_iter().chain([heads]) {
        let gradients = |precision, form: usize| {
            let recipe = Recipe::new(network.clone(), input.clone(), Loss::cross_entropy());
            // Nine normalisations of six rows make large gradients.
            let init_scale = if name == "deep" { 256.0 } else { 65536.0 };
            let loss_scale = LossScale::default().init_scale(init_scale);
            let recipe = Recipe { precision, loss_scale, ..recipe };
            let mut task = forms(&recipe).unwrap().swap_remove(form);
            let loss = task.loss_of(&batch).unwrap();
            let mut all = Vec::new();
            task.edit(&mut |_, values| all.push(values.to_vec())).unwrap();
            assert!(task.end_scaling().is_none_or(|scale| !scale.overflowed), "{name}");
            let carried = task.model().weights().0;
            task.update(&1e-3.into()).unwrap();
            (loss, all, carried, task.loss_of(&batch).unwrap())
        };
        let (full, host) = (gradients(Precision::F32, 0), gradients(Precision::Mixed, 0));
        for form in 1..FORMS {
            let other = gradients(Precision::Mixed, form);
            let (of_other, of_f32) = (off(&other.1, &host.1), off(&full.1, &host.1));
            println!("{name}, form {form}: off by {of_other:.1e}, f32 by {of_f32:.1e}");
            let gap = (other.0 - host.0).abs();
            assert!(gap < 2e-3 * host.0.abs(), "{name}: {} {}", other.0, host.0);
            // No farther than what rounding itself does, twice over; one rectifier that it turns over
            // changes a hundredth of all that is in front of it.
            let bound = 2.0 * of_f32.max(1e-2);
            assert!(of_other > 0.0 && of_other < bound && of_f32 < 0.1, "{name}");
            // The next step computes with the weights that this one has made.
            let (moved, gap) = ((host.0 - host.3).abs(), (other.3 - host.3).abs());
            println!("{name}: moved by {moved}, {gap} apart");
            assert!(gap < 0.05 * moved, "{name}: moved by {moved}, {gap} apart");
            // What is carried along, too.
            assert!(off(&other.2, &host.2) < 1e-3, "{name}");
        }
    }
}

#[test]
fn of_a_step_that_overflows_nothing_stays() {
    let (_, network, input, batch) = networks().swap_remove(2);
    let recipe = Recipe::new(network, input, Loss::cross_entropy());
    let loss_scale = LossScale::default().init_scale(1e30);
    for mut task in forms(&Recipe { precision: Precision::Mixed, loss_scale, ..recipe }).unwrap() {
        let before = bits(&*task);
        for _ in 0..2 {
            task.forward_backward(&batch).unwrap();
        }
        // Batch normalisation has seen two batches.
        assert_ne!(bits(&*task), before);
        assert!(task.end_scaling().unwrap().overflowed);
        task.clear_gradients().unwrap();
        assert_eq!(bits(&*task), before);
    }
}

#[test]
fn they_hold_less_and_not_more_with_time() {
    for (name, network, input, batch) in networks() {
        let held = |checkpoint_activations| {
            let recipe = Recipe::new(network.clone(), input.clone(), Loss::cross_entropy());
            let mut task = Recipe { checkpoint_activations, ..recipe }.task().unwrap();
            let mut held = Vec::new();
            for _ in 0..6 {
                task.forward_backward(&batch).unwrap();
                task.update(&0.05.into()).unwrap();
                held.push(task.memory().unwrap().activations);
            }
            let what = format!("{name}, {checkpoint_activations}: {held:?}");
            assert!(held[2..].iter().all(|later| *later == held[2]), "{what}");
            held[0]
        };
        let (plain, saving) = (held(false), held(true));
        println!("{name}: {plain} bytes, with checkpoints {saving}");
        assert!(saving < plain, "{name}: {plain} bytes, with checkpoints {saving}");
    }
}
