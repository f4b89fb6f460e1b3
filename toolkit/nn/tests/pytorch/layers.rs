//! Layers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use trainbook_core::random::Seed;
use trainbook_nn::layer::{AnyLayer, Kinds};
use trainbook_nn::trial::{Outcome, Trial};
use trainbook_nn::{Context, Sample};
use trainbook_onnx::{Array as OnnxArray, Numbers};

#[derive(Clone, Debug, Deserialize)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    pub name: String,
    pub layer: serde_json::Value,
    training: bool,
    input: Option<Array>,
    indices: Option<Array>,
    #[serde(default)]
    parameters: BTreeMap<String, Array>,
    pub output: Array,
    pub upstream: Array,
    pub grad_input: Option<Array>,
    #[serde(default)]
    pub grads: BTreeMap<String, Array>,
    #[serde(default)]
    buffers_after: BTreeMap<String, Array>,
}

/// Whether two numbers are as close as `tolerance`, relative to their size or to 1.
pub fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + b.abs()) || (a.is_nan() && b.is_nan())
}

pub fn compare(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of elements");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(close(*a, *b, tolerance), "{what}, element {i}: {a}, and it should be {b}");
    }
}

impl Case {
    fn trial(&self) -> (Trial, Vec<f64>, usize) {
        let layer = Kinds::standard().layer(self.layer.clone()).unwrap();
        let (array, sample) = match (&self.input, &self.indices) {
            (Some(array), None) => (array, Sample::numbers(&array.shape[1..])),
            (None, Some(array)) => (array, Sample::indices(&array.shape[1..])),
            _ => panic!("a case has an input or indices"),
        };
        let mut trial = Trial::new(&layer, &sample).unwrap();
        for slot in trial.planned.layout.slots().to_vec() {
            let given = self.parameters.get(&slot.name);
            let given = given.unwrap_or_else(|| panic!("{}: no {}", self.name, slot.name));
            assert_eq!(given.shape, slot.shape, "{}: shape of {}", self.name, slot.name);
            trial.values[slot.range()].copy_from_slice(&given.data);
        }
        assert_eq!(self.parameters.len(), trial.planned.layout.slots().len(), "{}", self.name);
        (trial, array.data.clone(), array.shape[0])
    }

    pub fn context(&self) -> Context<'static> {
        Context { training: self.training, seed: Seed(0), update: 0, samples: &[] }
    }

    fn check(&self, form: &str, trial: &Trial, outcome: &Outcome, tolerance: f64) {
        let at = |what: &str| format!("{} {}, {form}: {what}", self.kind(), self.name);
        assert_eq!(outcome.shape, self.output.shape, "{}", at("shape"));
        let planned = &trial.planned.root.output.shape;
        assert_eq!(planned.as_slice(), &self.output.shape[1..], "{}", at("planned shape"));
        compare(&at("output"), &outcome.output, &self.output.data, tolerance);
        if let Some(expected) = &self.grad_input {
            compare(
                &at("gradient in the input"),
                &outcome.input_gradient,
                &expected.data,
                tolerance,
            );
        }
        for slot in trial.planned.layout.trained() {
            let expected = &self.grads[&slot.name].data;
            let found = &outcome.gradients[slot.range()];
            compare(&at(&format!("gradient in {}", slot.name)), found, expected, tolerance);
        }
        let mut after = BTreeMap::new();
        for (slot, values) in &outcome.buffers {
            after.insert(trial.planned.layout.slots()[*slot].name.clone(), values.clone());
        }
        for (name, expected) in &self.buffers_after {
            let found =
                after.get(name).unwrap_or_else(|| panic!("{}", at(&format!("no new {name}"))));
            compare(&at(&format!("new {name}")), found, &expected.data, tolerance);
        }
    }

    pub fn kind(&self) -> &str {
        self.layer["layer"].as_str().unwrap()
    }
}

fn cases(kind: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/layers")
        .join(format!("{kind}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Kinds that have a fixture; the test below fails where a kind of the library has none.
fn kinds_with_fixtures() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/layers");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        names.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Kinds that compute nothing that PyTorch could confirm, or that only put others together; each is
/// tested on its own.
const OTHERS: &[&str] = &[
    "ChannelDropout",
    "Dropout",
    "Flatten",
    "GlobalMaxPool",
    "GlobalMinPool",
    "Identity",
    "Parallel",
    "Repeat",
    "Reshape",
    "Residual",
];

#[test]
fn every_layer_has_its_numbers() {
    let fixtures = kinds_with_fixtures();
    for kind in Kinds::standard().names() {
        assert!(
            fixtures.iter().any(|f| f == kind) || OTHERS.contains(&kind),
            "{kind} has no fixture: see tests/python/make_layer_fixtures.py"
        );
    }
}

pub fn each_case(check: impl Fn(&Case, &Trial, &[f64], usize)) {
    let standard = Kinds::standard();
    for kind in kinds_with_fixtures() {
        if !standard.names().any(|name| name == kind) {
            continue;
        }
        for case in cases(&kind) {
            let (trial, input, rows) = case.trial();
            check(&case, &trial, &input, rows);
        }
    }
}

#[test]
fn in_dfdx_operations_and_f64() {
    each_case(|case, trial, input, rows| {
        let outcome = trial.on_dfdx::<f64>(input, rows, case.context(), &case.upstream.data);
        case.check("dfdx f64", trial, &outcome.unwrap(), 1e-9);
    });
}

#[test]
fn in_dfdx_operations_and_f32() {
    each_case(|case, trial, input, rows| {
        let outcome = trial.on_dfdx::<f32>(input, rows, case.context(), &case.upstream.data);
        case.check("dfdx f32", trial, &outcome.unwrap(), 1e-5);
    });
}

#[cfg(feature = "cuda")]
#[test]
fn on_a_cuda_device() {
    each_case(|case, trial, input, rows| {
        let outcome = trial.on_cuda(input, rows, case.context(), &case.upstream.data);
        case.check("CUDA", trial, &outcome.unwrap(), 1e-4);
    });
}

#[test]
fn in_the_memory_of_the_processor() {
    each_case(|case, trial, input, rows| {
        let outcome = trial.on_host(input, rows, case.context(), &case.upstream.data);
        case.check("host", trial, &outcome.unwrap(), 1e-5);
    });
}

/// The loss whose gradients are compared with differences: the output times `upstream`.
fn product(trial: &Trial, case: &Case, input: &[f64], rows: usize) -> f64 {
    let outcome = trial.on_dfdx::<f64>(input, rows, case.context(), &case.upstream.data).unwrap();
    outcome.output.iter().zip(&case.upstream.data).map(|(a, b)| a * b).sum()
}

#[test]
fn gradients_are_those_of_differences() {
    const STEP: f64 = 1e-5;
    each_case(|case, trial, input, rows| {
        let outcome =
            trial.on_dfdx::<f64>(input, rows, case.context(), &case.upstream.data).unwrap();
        let check = |what: &str, i: usize, gradient: f64, up: f64, down: f64, step: f64| {
            let slope = (up - down) / (2.0 * step);
            let off = (gradient - slope).abs();
            assert!(
                off <= 1e-5 * (1.0 + slope.abs()),
                "{} {}: {what} {i}: gradient {gradient}, difference quotient {slope}",
                case.kind(),
                case.name
            );
        };
        if case.input.is_some() {
            // Where all numbers are small a function may bend within a step for numbers around 1.
            let step =
                STEP * input.iter().fold(0.0_f64, |max, x| max.max(x.abs())).clamp(1e-3, 1.0);
            // A few of each are enough: the others were compared with PyTorch's.
            for i in (0..input.len()).step_by(1 + input.len() / 12) {
                let mut moved = input.to_vec();
                moved[i] += step;
                let up = product(trial, case, &moved, rows);
                moved[i] -= 2.0 * step;
                let down = product(trial, case, &moved, rows);
                check("input", i, outcome.input_gradient[i], up, down, step);
            }
        }
        for slot in trial.planned.layout.trained() {
            let expected = &case.grads[&slot.name].data;
            // The row of padding is not trained, whatever it would do to the output.
            let padded = case.layer.to_string().contains("padding_index");
            for i in slot.range().step_by(1 + slot.len() / 6) {
                if padded && expected[i - slot.offset] == 0.0 {
                    continue;
                }
                let mut moved = trial.clone();
                moved.values[i] += STEP;
                let up = product(&moved, case, input, rows);
                moved.values[i] -= 2.0 * STEP;
                let down = product(&moved, case, input, rows);
                check(&slot.name, i, outcome.gradients[i], up, down, STEP);
            }
        }
    });
}

#[test]
fn in_onnx_and_f64() {
    each_case(|case, trial, input, rows| {
        // Layers that have no exact ONNX form of opset 17 say so; see `Layer::onnx` of each.
        if case.training {
            return;
        }
        let graph = trial.graph().unwrap_or_else(|e| panic!("{} {}: {e}", case.kind(), case.name));
        let shape = std::iter::once(rows).chain(trial.planned.root.input.shape.iter().copied());
        let numbers = match case.input {
            Some(_) => Numbers::F32(input.iter().map(|v| *v as f32).collect()),
            None => Numbers::I64(input.iter().map(|v| *v as i64).collect()),
        };
        let array = OnnxArray { shape: shape.collect(), numbers };
        let found = graph.evaluate_f64_on(&[array]).unwrap().remove(0);
        let what = format!("{} {}, ONNX in f64", case.kind(), case.name);
        compare(&what, &found, &case.output.data, 1e-7);
    });
}

#[test]
fn every_layer_is_written_and_read_alike() {
    each_case(|case, _, _, _| {
        let layer = Kinds::standard().layer(case.layer.clone()).unwrap();
        let text = serde_json::to_string(&layer).unwrap();
        let again: AnyLayer = serde_json::from_str(&text).unwrap();
        assert_eq!(layer, again);
    });
}
