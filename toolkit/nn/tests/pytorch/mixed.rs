//! Mixed precision: the scale of the loss beside PyTorch's `GradScaler`, small networks beside its
//! `autocast`, and every layer beside its numbers in f64.
//!
//! The fixture is written by `tests/python/make_mixed_fixtures.py`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use half::f16;
use serde::Deserialize;
use trainbook_callbacks::{Snapshot, StepScale};
use trainbook_core::array::Array;
use trainbook_core::batch::{Batch, Targets};
use trainbook_nn::layer::{Conv2d, LayerNorm, Linear, Sequential};
use trainbook_nn::loss::Loss;
use trainbook_nn::task::{LossScale, Precision, Recipe, Task};
use trainbook_nn::trial::forms;
use trainbook_nn::{Network, Sample};

use crate::layers::each_case;

#[derive(Deserialize)]
struct Fixture {
    scales: Vec<Scales>,
    networks: Vec<Case>,
}

#[derive(Deserialize)]
struct Scales {
    options: LossScale,
    overflows: Vec<u8>,
    scales: Vec<f64>,
}

#[derive(Deserialize)]
struct Listed {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scale: f64,
    input: Listed,
    targets: Vec<u32>,
    weights: BTreeMap<String, Listed>,
    loss: f64,
    gradients: BTreeMap<String, Listed>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/mixed.json")).unwrap()
}

/// A batch for one weight whose gradient is 0, so that it is finite under every scale, or none.
fn scripted(overflow: bool) -> Batch {
    Batch {
        input: Array::f32([1, 1], vec![if overflow { f32::INFINITY } else { 0.0 }]),
        targets: Targets::Values(vec![0.0]),
        samples: vec![0],
        weights: None,
        mixed: None,
    }
}

/// The numbers of all forms.
const FORMS: std::ops::Range<usize> = 0..if cfg!(feature = "cuda") { 3 } else { 2 };

fn in_form(recipe: &Recipe, form: usize) -> Box<dyn Task> {
    forms(recipe).unwrap().swap_remove(form)
}

fn one_weight(loss_scale: LossScale, form: usize) -> Box<dyn Task> {
    let net = Sequential::new().with(Linear::new(1).no_bias());
    let recipe = Recipe::new(net, Sample::numbers([1]), Loss::mean_squared_error());
    in_form(&Recipe { precision: Precision::Mixed, loss_scale, ..recipe }, form)
}

#[test]
fn the_scale_goes_the_way_of_pytorch() {
    let scripts = fixture().scales;
    for (Scales { options, overflows, scales }, form) in
        scripts.iter().flat_map(|script| FORMS.map(move |form| (script, form)))
    {
        let mut task = one_weight(*options, form);
        for (step, (overflow, expected)) in overflows.iter().zip(scales).enumerate() {
            task.forward_backward(&scripted(*overflow == 1)).unwrap();
            let found = task.end_scaling().unwrap();
            let expected = StepScale { scale: *expected as f32, overflowed: *overflow == 1 };
            assert_eq!(found, expected, "step {step} of {options:?}");
            task.clear_gradients().unwrap();
        }
        assert_eq!(overflows.len(), scales.len());
    }
}

#[test]
fn a_scale_goes_on_from_a_state() {
    let options = LossScale::default().growth_interval(3);
    let script = [false, false, true, false, false, false, true, false, false];
    let scales = |task: &mut dyn Task, script: &[bool]| -> Vec<f32> {
        let step = |overflow: &bool| {
            task.forward_backward(&scripted(*overflow)).unwrap();
            let scale = task.end_scaling().unwrap().scale;
            task.clear_gradients().unwrap();
            scale
        };
        script.iter().map(step).collect()
    };
    let whole = scales(&mut *one_weight(options, 0), &script);
    for (at, form) in (0..script.len()).flat_map(|at| FORMS.map(move |form| (at, form))) {
        let mut first = one_weight(options, form);
        let mut found = scales(&mut *first, &script[..at]);
        let state = first.state().unwrap();
        let mut second = one_weight(options, form);
        let fresh = second.state().unwrap();
        second.load_state(&state).unwrap();
        assert_eq!(second.state().unwrap().hash(), state.hash());
        let same = state.loss_scale == fresh.loss_scale;
        assert_eq!(state.hash() == fresh.hash(), same, "the hash does not see the scale");
        found.extend(scales(&mut *second, &script[at..]));
        assert_eq!(found, whole, "behind step {at}");
    }
}

fn network(name: &str) -> Network {
    let net = Sequential::new();
    match name {
        "mlp" | "mlp, large scale" => net.linear(16).relu().linear(4),
        "norms" => {
            let net = net.linear(16).with(LayerNorm::new()).gelu().linear(16);
            net.with(LayerNorm::new()).tanh().linear(4)
        }
        "cnn" => {
            let net = net.with(Conv2d::new(4, 3)).relu().max_pool2d(2);
            net.with(Conv2d::new(6, 2)).sigmoid().flatten().linear(3)
        }
        "log-softmax" => net.linear(16).silu().linear(4).log_softmax(),
        other => panic!("there is no network {other}"),
    }
    .into()
}

impl Case {
    /// The loss, and the gradients in the order of the tensors' names.
    fn trained(&self, precision: Precision, form: usize) -> (f64, Vec<f32>) {
        let input = Sample::numbers(&self.input.shape[1..]);
        let recipe = Recipe::new(network(&self.name), input, Loss::cross_entropy());
        let loss_scale = LossScale::default().init_scale(self.scale);
        let mut task = in_form(&Recipe { precision, loss_scale, ..recipe }, form);
        let tensors = task.model().tensors().to_vec();
        let values = tensors.iter().map(|tensor| {
            let given = &self.weights[&tensor.name];
            assert_eq!(given.shape, tensor.shape, "{}", tensor.name);
            given.values.clone()
        });
        task.restore(&Snapshot(values.collect())).unwrap();
        let batch = Batch {
            input: Array::f32(self.input.shape.clone(), self.input.values.clone()),
            targets: Targets::Classes(self.targets.clone()),
            samples: (0..self.targets.len()).collect(),
            weights: None,
            mixed: None,
        };
        let loss = task.loss_of(&batch).unwrap();
        assert!(task.end_scaling().is_none_or(|scale| !scale.overflowed));
        let mut gradients = BTreeMap::new();
        task.edit(&mut |tensor, values| {
            drop(gradients.insert(tensor.name.clone(), values.to_vec()))
        })
        .unwrap();
        (f64::from(loss), gradients.into_values().flatten().collect())
    }
}

/// ‖a − b‖ / ‖b‖
fn off<'a>(a: impl IntoIterator<Item = &'a f32>, b: impl IntoIterator<Item = &'a f32>) -> f64 {
    let (mut square, mut size) = (0.0, 0.0);
    for (a, b) in a.into_iter().zip(b) {
        square += (f64::from(*a) - f64::from(*b)).powi(2);
        size += f64::from(*b).powi(2);
    }
    (square / size).sqrt()
}

#[test]
fn networks_compute_what_they_do_under_autocast() {
    for case in fixture().networks {
        let expected: Vec<&f32> = case.gradients.values().flat_map(|g| &g.values).collect();
        let (full_loss, full) = case.trained(Precision::F32, 0);
        let of_full = off(&full, expected.iter().copied());
        for form in FORMS {
            let (loss, mixed) = case.trained(Precision::Mixed, form);
            let of_mixed = off(&mixed, expected.iter().copied());
            println!(
                "{}: loss {loss} for {} ({full_loss} in f32), gradients off by {of_mixed:.1e} ({of_full:.1e} in f32)",
                case.name, case.loss
            );
            assert!((loss - case.loss).abs() < 2e-4 * case.loss, "{}", case.name);
            // Networks of matrices alone have the same bits, but for a rounding here and there; dfdx
            // rounds once more, between a product and its bias.
            let limit = if case.name.starts_with("mlp") && form == 0 { 1e-4 } else { 1e-3 };
            let of_full = if form == 0 { of_full } else { 1.5 * of_full };
            assert!(of_mixed < limit && of_mixed < of_full, "{}: {of_mixed} {of_full}", case.name);
        }
    }
}

/// Kinds whose output is f32 under mixed precision, or what they were given. All others' is f16.
const NOT_HALF: [&str; 7] = ["Exp", "Ln", "LogSoftmax", "Slice", "Softmax", "Softplus", "Square"];

#[test]
fn every_layer_stays_near_and_most_give_f16() {
    let is_half = |v: &f64| f64::from(f16::from_f64(*v)) == *v || v.is_nan();
    let not_half = RefCell::new(BTreeSet::new());
    each_case(|case, trial, input, rows| {
        let mut trial = trial.clone();
        trial.mixed = true;
        let found = trial.on_host(input, rows, case.context(), &case.upstream.data).unwrap();
        let near = |part: &str, a: &[f64], b: &[f64]| {
            let size: f64 = b.iter().map(|b| b * b).sum::<f64>().sqrt();
            let gap = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            let what = format!("{} {}: {part}", case.kind(), case.name);
            assert!(gap <= 1e-2 * size + 4e-3, "{what} is off by {gap} of {size}");
        };
        near("output", &found.output, &case.output.data);
        let on_dfdx =
            trial.mixed_on_dfdx(input, rows, case.context(), &case.upstream.data).unwrap();
        assert_eq!(on_dfdx.shape, found.shape);
        near("output on dfdx", &on_dfdx.output, &case.output.data);
        if let Some(expected) = &case.grad_input {
            near("gradient in the input", &found.input_gradient, &expected.data);
            // What is given f32 has f32 gradients, if it does not round.
            let half = NOT_HALF.contains(&case.kind()) || found.input_gradient.iter().all(is_half);
            assert!(half, "{} {}", case.kind(), case.name);
        }
        for slot in trial.planned.layout.trained() {
            let expected = &case.grads[&slot.name].data;
            near(&slot.name, &found.gradients[slot.range()], expected);
            near(&slot.name, &on_dfdx.gradients[slot.range()], expected);
        }
        if !found.output.iter().all(is_half) {
            not_half.borrow_mut().insert(case.kind().to_owned());
        }
    });
    assert!(not_half.borrow().iter().eq(NOT_HALF.iter()), "{not_half:?}");
}
