//! Losses.

use std::sync::Arc;

use dfdx::prelude::{Backward, Cpu, Tensor, TensorFromVec, Trace};
use serde::Deserialize;
use trainbook_core::batch::Targets;
use trainbook_nn::loss::{
    BinaryCrossEntropy, CrossEntropy, Focal, Huber, Loss, MeanSquaredError, Objective, TargetKind,
};
use trainbook_nn::on_dfdx::{Backend, Flow, Real};
use trainbook_nn::{HostTensor, NnError};

use crate::layers::{Array, close, compare};

#[derive(Deserialize)]
struct Case {
    name: String,
    loss: Loss,
    output: Array,
    targets: Given,
    value: f64,
    gradient: Array,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Given {
    Classes(Vec<i64>),
    Values(Array),
}

impl Case {
    fn name(&self) -> String {
        format!("{} {}", self.loss.name(), self.name)
    }

    fn targets(&self) -> Targets {
        match &self.targets {
            Given::Classes(classes) => {
                // As `CrossEntropy::ignore_index` says of a negative one.
                let of = |class: &i64| u32::try_from(*class).unwrap_or(CrossEntropy::IGNORED);
                Targets::Classes(classes.iter().map(of).collect())
            }
            Given::Values(array) => Targets::Values(narrow(&array.data)),
        }
    }

    fn outputs(&self) -> HostTensor {
        HostTensor::new(self.output.shape.clone(), narrow(&self.output.data))
    }

    fn check(&self, form: &str, value: f64, gradient: &[f64], tolerance: f64) {
        let what = format!("{}, {form}", self.name());
        assert!(close(value, self.value, tolerance), "{what}: {value} and {}", self.value);
        compare(&what, gradient, &self.gradient.data, tolerance);
    }
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/losses.json")).unwrap()
}

/// Value and gradient in dfdx's operations.
fn on_dfdx<E: Real>(
    loss: &Loss,
    shape: &[usize],
    outputs: &[f64],
    targets: &Targets,
) -> Result<(f64, Vec<f64>), NnError>
where
    Cpu: Backend<E>,
{
    let device = Cpu::default();
    let outputs = outputs.iter().map(|v| E::of(*v)).collect::<Vec<E>>();
    let len = outputs.len();
    let leaf: Tensor<(usize,), E, Cpu> = device.tensor_from_vec(outputs, (len,));
    let flow = Flow::shaped(leaf.leaky_trace(), shape.to_vec()).unwrap();
    let value = loss.on_dfdx(flow, targets)?;
    let number = value.as_vec()[0].wide();
    let gradient = value.backward().get(&leaf).as_vec().into_iter().map(E::wide).collect();
    Ok((number, gradient))
}

#[test]
fn in_the_memory_of_the_processor() {
    let cases = cases();
    assert_eq!(cases.len(), 66);
    for case in &cases {
        let (outputs, targets) = (case.outputs(), case.targets());
        let mut gradient = vec![f32::NAN; outputs.numbers().len()];
        let objective = case.loss.objective();
        objective.check(&case.output.shape[1..]).unwrap_or_else(|e| {
            // Only a fixture without a dimension for samples has another width.
            assert_eq!(case.output.shape.len(), 1, "{}: {e}", case.name());
        });
        let value = objective.with_gradient(&outputs, &targets, &mut gradient).unwrap();
        case.check("host", value, &wide(&gradient), 1e-6);
        let (sum, weight) = objective.sum(&outputs, &targets).unwrap();
        assert!(close(sum / weight, case.value, 1e-6), "{}: {sum} / {weight}", case.name());
    }
}

#[test]
fn in_dfdx_operations() {
    for case in &cases() {
        let (shape, outputs, targets) = (&case.output.shape, &case.output.data, case.targets());
        let (value, gradient) = on_dfdx::<f32>(&case.loss, shape, outputs, &targets).unwrap();
        case.check("dfdx f32", value, &gradient, 1e-6);
        // Targets and weights are f32, so f64 shows no more than that the formula is right.
        let (value, gradient) = on_dfdx::<f64>(&case.loss, shape, outputs, &targets).unwrap();
        case.check("dfdx f64", value, &gradient, 1e-7);
    }
}

#[test]
fn sums_of_unequal_batches_are_that_of_all() {
    for case in cases().iter().filter(|case| case.output.shape.len() > 1) {
        let (outputs, targets) = (case.outputs(), case.targets());
        let per_output = outputs.numbers().len() / outputs.batch();
        let objective = case.loss.objective();
        let per_sample = objective.takes().per_sample(&case.output.shape[1..]);
        assert_eq!(per_sample * outputs.batch(), targets.len(), "{}", case.name());
        let (mut sum, mut weight) = (0.0, 0.0);
        // The first sample alone, then the others.
        for (from, to) in [(0, 1), (1, outputs.batch())] {
            let entries: Vec<usize> = (from * per_sample..to * per_sample).collect();
            let mut shape = outputs.shape.clone();
            shape[0] = to - from;
            let numbers = outputs.numbers()[from * per_output..to * per_output].to_vec();
            let (s, w) =
                objective.sum(&HostTensor::new(shape, numbers), &targets.of(&entries)).unwrap();
            sum += s;
            weight += w;
        }
        assert!(close(sum / weight, case.value, 1e-6), "{}: {sum} / {weight}", case.name());
    }
}

#[test]
fn written_and_read_alike() {
    for case in cases() {
        let text = serde_json::to_string(&case.loss).unwrap();
        assert_eq!(serde_json::from_str::<Loss>(&text).unwrap(), case.loss, "{text}");
    }
    let text = |loss: Loss| serde_json::to_string(&loss).unwrap();
    assert_eq!(text(Loss::mean_squared_error()), r#"{"loss":"MeanSquaredError"}"#);
    let read = |text: &str| serde_json::from_str::<Loss>(text);
    assert_eq!(read(r#"{"loss": "CrossEntropy"}"#).unwrap(), Loss::cross_entropy());
    assert_eq!(read(r#"{"loss": "Huber"}"#).unwrap(), Loss::huber());
    let wrong = |text: &str| read(text).unwrap_err().to_string();
    assert!(wrong(r#"{"loss": "Hinge"}"#).contains("Hinge"), "{}", wrong(r#"{"loss": "Hinge"}"#));
    assert!(wrong(r#"{"loss": "Huber", "beta": 1}"#).contains("beta"));
    assert!(!wrong(r#"{"loss": "MeanSquaredError", "delta": 1}"#).is_empty());
}

#[test]
fn shown_with_what_is_not_at_its_default() {
    assert_eq!(Loss::cross_entropy().to_string(), "CrossEntropy");
    assert_eq!(Loss::from(Huber { delta: 0.5 }).to_string(), "Huber(delta=0.5)");
    let loss = CrossEntropy { label_smoothing: 0.1, ignore_index: Some(-100), weight: None };
    assert_eq!(
        Loss::from(loss).to_string(),
        "CrossEntropy(ignore_index=-100, label_smoothing=0.1)"
    );
    assert_eq!(Loss::custom(Arc::new(Hinge)).to_string(), "Hinge");
}

/// What a loss says of outputs and targets, the same in all its forms.
fn refusal(loss: impl Into<Loss>, shape: &[usize], targets: &Targets) -> String {
    let loss = loss.into();
    let len = shape.iter().product();
    let outputs = HostTensor::new(shape.to_vec(), vec![0.5; len]);
    let objective = loss.objective();
    let host = objective.with_gradient(&outputs, targets, &mut vec![0.0; len]).unwrap_err();
    let sum = objective.sum(&outputs, targets).unwrap_err();
    let device = on_dfdx::<f32>(&loss, shape, &vec![0.5; len], targets).unwrap_err();
    assert_eq!(host.to_string(), sum.to_string());
    assert_eq!(host.to_string(), device.to_string());
    host.to_string()
}

#[test]
fn targets_that_do_not_fit_are_refused() {
    let classes = |classes: &[u32]| Targets::Classes(classes.to_vec());
    let values = |count: usize| Targets::Values(vec![1.0; count]);
    let plain = CrossEntropy::default();
    assert_eq!(
        refusal(plain.clone(), &[2, 3], &classes(&[1, 3])),
        "compute the loss on the data: the targets have class 3, and the network has 3 outputs"
    );
    assert_eq!(
        refusal(plain.clone(), &[2, 3], &values(2)),
        "compute the loss on the data: CrossEntropy takes classes, and the targets are values"
    );
    assert_eq!(
        refusal(plain.clone(), &[2, 4, 3], &classes(&[0, 1])),
        "compute the loss on the data: there are 2 classes for 8 positions of the network's output"
    );
    assert_eq!(
        refusal(Focal::default(), &[2, 3], &classes(&[1, 3])),
        "compute the loss on the data: the targets have class 3, and the network has 3 outputs"
    );
    // Only where it is said to be is a class ignored.
    let ignored = classes(&[CrossEntropy::IGNORED, 1]);
    assert!(refusal(plain, &[2, 3], &ignored).contains("4294967295"));
    let five = CrossEntropy { ignore_index: Some(5), ..CrossEntropy::default() };
    assert!(refusal(five, &[2, 3], &ignored).contains("4294967295"));
    for loss in [
        Loss::mean_squared_error(),
        Loss::mean_absolute_error(),
        Loss::huber(),
        Loss::poisson_nll(),
        Loss::binary_cross_entropy(),
    ] {
        assert_eq!(
            refusal(loss.clone(), &[2, 3], &classes(&[0, 1])),
            format!(
                "compute the loss on the data: {loss} takes values, and the targets are classes"
            )
        );
        assert_eq!(
            refusal(loss, &[2, 3], &values(2)),
            "compute the loss on the data: there are 2 values for 6 outputs of the network"
        );
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let classes = Targets::Classes(vec![0, 1]);
    let values = Targets::Values(vec![1.0; 6]);
    let smoothed = CrossEntropy { label_smoothing: 1.5, ..CrossEntropy::default() };
    assert_eq!(
        refusal(smoothed, &[2, 3], &classes),
        "set label_smoothing to 1.5: it must be from 0 to 1"
    );
    let weighted =
        |weights: &[f32]| CrossEntropy { weight: Some(weights.to_vec()), ..Default::default() };
    assert_eq!(
        refusal(weighted(&[1.0, 2.0]), &[2, 3], &classes),
        "set weight to 2 numbers: it must be 3 numbers, one for each class"
    );
    assert_eq!(
        refusal(weighted(&[1.0, -2.0, 1.0]), &[2, 3], &classes),
        "set weight to -2: it must be at least 0"
    );
    let focal = Focal { gamma: -1.0, ..Focal::default() };
    assert_eq!(
        refusal(focal, &[2, 3], &classes),
        "set gamma to -1: it must be a finite number, at least 0"
    );
    let weight = Some(vec![1.0, 2.0]);
    assert_eq!(
        refusal(Focal { weight, ..Focal::default() }, &[2, 3], &classes),
        "set weight to 2 numbers: it must be 3 numbers, one for each class"
    );
    let ignoring = CrossEntropy { ignore_index: Some(1 << 40), ..Default::default() };
    assert!(refusal(ignoring, &[2, 3], &classes).contains("ignore_index"));
    let labels = BinaryCrossEntropy { pos_weight: Some(vec![1.0]) };
    assert_eq!(
        refusal(labels, &[2, 3], &values),
        "set pos_weight to 1 numbers: it must be 3 numbers, one for each label"
    );
    assert_eq!(
        refusal(Huber { delta: 0.0 }, &[2, 3], &values),
        "set delta to 0: it must be a positive number"
    );
}

#[test]
fn where_every_position_is_ignored_the_mean_is_nan_and_the_gradient_is_zero() {
    for ignore_index in [-1, 1] {
        let loss = CrossEntropy { ignore_index: Some(ignore_index), ..Default::default() };
        let class = u32::try_from(ignore_index).unwrap_or(CrossEntropy::IGNORED);
        let targets = Targets::Classes(vec![class; 2]);
        let outputs = HostTensor::new(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let mut gradient = [f32::NAN; 4];
        assert!(loss.with_gradient(&outputs, &targets, &mut gradient).unwrap().is_nan());
        assert_eq!(gradient, [0.0; 4]);
        let (value, gradient) =
            on_dfdx::<f32>(&loss.into(), &[2, 2], &[1.0, 2.0, 3.0, 4.0], &targets).unwrap();
        assert!(value.is_nan());
        assert_eq!(gradient, [0.0; 4]);
    }
}

#[test]
fn nan_outputs_give_a_nan_loss() {
    let losses = [
        Loss::cross_entropy(),
        Loss::from(CrossEntropy { label_smoothing: 0.1, ..Default::default() }),
        Loss::from(Focal::default()),
        Loss::binary_cross_entropy(),
        Loss::from(BinaryCrossEntropy { pos_weight: Some(vec![2.0, 2.0]) }),
        Loss::mean_squared_error(),
        Loss::mean_absolute_error(),
        Loss::huber(),
        Loss::poisson_nll(),
    ];
    for loss in losses {
        let targets = match loss.objective().takes() {
            TargetKind::Classes => Targets::Classes(vec![1]),
            TargetKind::Values => Targets::Values(vec![1.0, 0.0]),
        };
        let outputs = HostTensor::new(vec![1, 2], vec![f32::NAN, 1.0]);
        let objective = loss.objective();
        assert!(objective.with_gradient(&outputs, &targets, &mut [0.0; 2]).unwrap().is_nan());
        assert!(objective.sum(&outputs, &targets).unwrap().0.is_nan());
        let (value, _) = on_dfdx::<f32>(&loss, &[1, 2], &[f64::NAN, 1.0], &targets).unwrap();
        assert!(value.is_nan(), "{loss}");
    }
}

#[test]
fn what_is_certain_adds_nothing_to_the_focal_loss() {
    // In f32 the probability is 1, and a power below 1 has no slope at 0.
    for gamma in [0.0, 0.5, 1.0, 2.0] {
        let loss = Loss::from(Focal { gamma, weight: None });
        let targets = Targets::Classes(vec![0]);
        let outputs = HostTensor::new(vec![1, 2], vec![300.0, -300.0]);
        let mut gradient = [f32::NAN; 2];
        let value = loss.objective().with_gradient(&outputs, &targets, &mut gradient).unwrap();
        let (other, on_device) =
            on_dfdx::<f32>(&loss, &[1, 2], &[300.0, -300.0], &targets).unwrap();
        assert_eq!((value, other, gradient), (0.0, 0.0, [0.0; 2]), "{gamma}");
        assert!(on_device.iter().all(|g| g.abs() < 1e-9), "{gamma}: {on_device:?}");
    }
}

#[test]
fn slopes_at_the_kinks() {
    // A network whose last layer begins with zeros gives outputs of exactly 0.
    let half = |loss: Loss, target: f32, expected: f64| {
        let targets = Targets::Values(vec![target]);
        let outputs = HostTensor::new(vec![1, 1], vec![0.0]);
        let mut gradient = [f32::NAN];
        loss.objective().with_gradient(&outputs, &targets, &mut gradient).unwrap();
        let (_, on_device) = on_dfdx::<f32>(&loss, &[1, 1], &[0.0], &targets).unwrap();
        assert_eq!((f64::from(gradient[0]), on_device[0]), (expected, expected), "{loss}");
    };
    half(Loss::binary_cross_entropy(), 1.0, -0.5);
    half(BinaryCrossEntropy { pos_weight: Some(vec![3.0]) }.into(), 1.0, -1.5);
    half(Loss::mean_absolute_error(), 0.0, 0.0);
    half(Loss::huber(), 0.0, 0.0);
    half(Loss::huber(), 1.0, -1.0);
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let (rows, width) = (5000, 7);
    let numbers: Vec<f32> = (0..rows * width).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    let outputs = HostTensor::new(vec![rows, width], numbers);
    let targets = Targets::Classes((0..rows).map(|row| (row % width) as u32).collect());
    let loss = CrossEntropy { label_smoothing: 0.1, ..Default::default() };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut gradient = vec![0.0; rows * width];
        let value = pool.install(|| loss.with_gradient(&outputs, &targets, &mut gradient));
        (value.unwrap().to_bits(), gradient)
    };
    let one = on(1);
    assert_eq!(one, on(3));
    let (sum, weight) = loss.sum(&outputs, &targets).unwrap();
    assert!(close(f64::from_bits(one.0), sum / weight, 1e-6));
}

/// `max(0, 1 − y·x)`, averaged.
#[derive(Debug)]
struct Hinge;

impl Objective for Hinge {
    fn name(&self) -> &str {
        "Hinge"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Values
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        let (sum, weight) = self.sum(outputs, targets)?;
        let Targets::Values(values) = targets else { unreachable!() };
        for ((x, y), g) in outputs.numbers().iter().zip(values).zip(gradient) {
            *g = if y * x < 1.0 { -y / weight as f32 } else { 0.0 };
        }
        Ok(sum / weight)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        let Targets::Values(values) = targets else {
            let reason = "Hinge takes values".to_owned();
            return Err(NnError::Data { action: "compute the loss on", reason });
        };
        let pairs = outputs.numbers().iter().zip(values);
        let sum = pairs.map(|(x, y)| f64::from((1.0 - y * x).max(0.0))).sum();
        Ok((sum, values.len() as f64))
    }
}

#[test]
fn one_of_your_own() {
    let loss = Loss::custom(Arc::new(Hinge));
    let written = r#"{"loss":"Custom","name":"Hinge","takes":"values"}"#;
    assert_eq!(serde_json::to_string(&loss).unwrap(), written);
    let elsewhere: Loss = serde_json::from_str(written).unwrap();
    assert_eq!((elsewhere.name(), elsewhere.objective().takes()), ("Hinge", TargetKind::Values));
    let refused = refusal(elsewhere, &[4, 1], &Targets::Values(vec![1.0; 4]));
    assert!(refused.contains("does not have the loss Hinge"), "{refused}");
    assert_eq!(loss, loss.clone());
    assert_ne!(loss, Loss::custom(Arc::new(Huber::default())));
    let targets = Targets::Values(vec![1.0, -1.0, 1.0, -1.0]);
    let numbers = vec![0.5, 0.5, 2.0, -3.0];
    let outputs = HostTensor::new(vec![4, 1], numbers.clone());
    let mut gradient = [f32::NAN; 4];
    let value = loss.objective().with_gradient(&outputs, &targets, &mut gradient).unwrap();
    assert_eq!((value, gradient), (0.5, [-0.25, 0.25, 0.0, 0.0]));
    let found = on_dfdx::<f32>(&loss, &[4, 1], &wide(&numbers), &targets).unwrap();
    assert_eq!(found, (value, wide(&gradient)));
    let wrong = Targets::Classes(vec![0; 4]);
    assert!(refusal(loss, &[4, 1], &wrong).contains("Hinge takes values"));
}

#[test]
fn each_is_made_from_its_options() {
    assert_eq!(Loss::from(MeanSquaredError), Loss::mean_squared_error());
    assert_ne!(Loss::from(Huber { delta: 2.0 }), Loss::huber());
}
