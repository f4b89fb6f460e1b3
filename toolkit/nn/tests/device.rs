//! What only a CUDA device can show. Built with the feature `cuda`, for `cargo xtask cuda`.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_core::random::{Seed, Stream};
use trainbook_nn::layer::Sequential;
use trainbook_nn::loss::Loss;
use trainbook_nn::task::{Device, Precision, Recipe, Task};
use trainbook_nn::{Init, Sample};

const FEATURES: usize = 64;

fn recipe(device: Device) -> Recipe {
    let net = Sequential::new().linear(128).relu().dropout(0.1).linear(64).relu().linear(10);
    let recipe = Recipe::new(net, Sample::numbers([FEATURES]), Loss::cross_entropy());
    Recipe { device, init: Init::kaiming_uniform(), seed: Seed(3), ..recipe }
}

fn batch(rows: usize, number: u64) -> Batch {
    let mut draws = Stream::new(Seed(1), "rows").at(number, 0);
    let values = (0..rows * FEATURES).map(|_| draws.normal() as f32).collect();
    let classes = (0..rows).map(|_| draws.below(10) as u32).collect();
    Batch {
        input: Array::f32([rows, FEATURES], values),
        targets: Targets::Classes(classes),
        samples: (0..rows).collect(),
        weights: None,
        mixed: None,
    }
}

fn weights(task: &dyn Task) -> Vec<u32> {
    task.model().weights().0.iter().flatten().map(|weight| weight.to_bits()).collect()
}

#[test]
fn weights_begin_with_the_bits_that_they_have_on_the_processor() {
    let [host, device] = [Device::Cpu, Device::cuda(0)].map(|on| recipe(on).task().unwrap());
    assert_eq!(weights(&*device), weights(&*host));
}

#[test]
fn a_state_goes_from_device_to_processor_and_back() {
    let mut device = recipe(Device::cuda(0)).task().unwrap();
    for number in 0..5 {
        device.forward_backward(&batch(32, number)).unwrap();
        device.update(&1e-3.into()).unwrap();
    }
    let state = device.state().unwrap();
    let mut host = recipe(Device::Cpu).task().unwrap();
    host.load_state(&state).unwrap();
    assert_eq!(host.state().unwrap().hash(), state.hash());
    let mut again = recipe(Device::cuda(0)).task().unwrap();
    again.load_state(&host.state().unwrap()).unwrap();
    assert_eq!(again.state().unwrap().hash(), state.hash());
    let x = batch(7, 9).input;
    let (a, b) = (again.model().predict(&x).unwrap(), host.model().predict(&x).unwrap());
    for (a, b) in a.floats().iter().zip(b.floats()) {
        assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{a} and {b}");
    }
}

/// Three times the same steps: every loss and the weights.
fn three_runs(recipe: &Recipe, batch: impl Fn(u64) -> Batch, steps: u64) -> [bool; 2] {
    let run = |_| {
        let mut task = recipe.clone().task().unwrap();
        let begin = weights(&*task);
        let mut losses = Vec::new();
        for number in 0..steps {
            losses.push(task.forward_backward(&batch(number)).unwrap().mean);
            match task.end_scaling() {
                Some(scale) if scale.overflowed => task.clear_gradients().unwrap(),
                _ => task.update(&1e-3.into()).unwrap(),
            }
        }
        task.wait().unwrap();
        let losses: Vec<f64> = losses.iter().map(|loss| loss.get().unwrap()).collect();
        // Steps that do nothing would be alike, too.
        assert!(losses.iter().all(|loss| loss.is_finite()) && weights(&*task) != begin);
        (losses, weights(&*task))
    };
    let runs: Vec<_> = (0..3).map(run).collect();
    [runs.iter().all(|run| run.0 == runs[0].0), runs.iter().all(|run| run.1 == runs[0].1)]
}

#[test]
fn equal_seeds_give_equal_bits() {
    for rows in [32, 128, 512] {
        for precision in [Precision::F32, Precision::Mixed] {
            let recipe = Recipe { precision, ..recipe(Device::cuda(0)) };
            let equal = three_runs(&recipe, |number| batch(rows, number), 60);
            assert_eq!(equal, [true; 2], "losses and weights, {rows} rows, {precision}");
        }
    }
}

#[test]
fn equal_seeds_give_equal_bits_for_images_series_and_text() {
    let image = Sequential::new()
        .conv2d(8, 3)
        .batch_norm()
        .relu()
        .max_pool2d(2)
        .upsample(2)
        .conv2d(6, 3)
        .group_norm(2)
        .gelu()
        .global_avg_pool()
        .linear(10);
    let series = Sequential::new().lstm(24).gru(16).flatten().layer_norm().linear(10);
    let text = Sequential::new()
        .embedding(11, 32)
        .learned_positions(20)
        .transformer_encoder_layer(4, 64)
        .flatten()
        .linear(10);
    let values = |shape: &[usize], number: u64| {
        let mut draws = Stream::new(Seed(2), "values").at(number, 0);
        let count = shape.iter().product::<usize>();
        Array::f32(shape.to_vec(), (0..count).map(|_| draws.normal() as f32).collect())
    };
    let indices = |shape: &[usize], number: u64| {
        let mut draws = Stream::new(Seed(2), "indices").at(number, 0);
        let count = shape.iter().product::<usize>();
        Array::i64(shape.to_vec(), (0..count).map(|_| draws.below(11) as i64).collect())
    };
    let networks = [
        (image, Sample::numbers([3, 12, 12])),
        (series, Sample::numbers([9, 7])),
        (text, Sample::indices([20])),
    ];
    for (net, sample) in networks {
        for precision in [Precision::F32, Precision::Mixed] {
            let recipe = Recipe::new(net.clone(), sample.clone(), Loss::cross_entropy());
            let recipe = Recipe { device: Device::cuda(0), precision, ..recipe };
            let of_step = |number| {
                let shape: Vec<usize> =
                    std::iter::once(96).chain(sample.shape.iter().copied()).collect();
                let input = match sample.shape.len() {
                    1 => indices(&shape, number),
                    _ => values(&shape, number),
                };
                Batch { input, ..batch(96, number) }
            };
            let equal = three_runs(&recipe, of_step, 30);
            assert_eq!(equal, [true; 2], "losses and weights, {sample:?}, {precision}");
        }
    }
}

#[test]
fn a_batch_that_is_too_large_is_an_error_and_the_network_stays() {
    // Its activations take 275 GB.
    let net = Sequential::new().linear(65_536).relu().linear(10);
    let recipe = Recipe::new(net, Sample::numbers([FEATURES]), Loss::cross_entropy());
    let mut task = Recipe { device: Device::cuda(0), ..recipe }.task().unwrap();
    let before = weights(&*task);
    let error = task.forward_backward(&batch(1 << 20, 0)).unwrap_err().to_string();
    assert!(error.contains("OUT_OF_MEMORY"), "{error}");
    task.clear_gradients().unwrap();
    assert_eq!(weights(&*task), before);
    assert!(task.loss_of(&batch(32, 1)).unwrap().is_finite());
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let error = recipe(Device::cuda(99)).task().err().unwrap().to_string();
    assert!(error.contains("cuda:99") && error.contains("cuda:0"), "{error}");
}
