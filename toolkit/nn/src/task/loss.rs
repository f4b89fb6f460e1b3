//! What is minimised.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;

use super::backend::Backend;
use crate::NnError;

/// A tensor with the tape that leads back to the weights.
type Taped<S, D> = Tensor<S, f32, D, OwnedTape<f32, D>>;

/// What is minimised, averaged over the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// For classes: −log softmax(logits)\[class\].
    CrossEntropy,
    /// For values: the squared difference.
    MeanSquaredError,
}

impl Loss {
    /// The loss on the device, with its tape.
    pub(super) fn on_device<D: Backend, const O: usize>(
        self,
        outputs: Taped<(usize, Const<O>), D>,
        targets: Tensor<(usize, Const<O>), f32, D>,
    ) -> Result<Taped<(), D>, D::Err> {
        let rows = outputs.shape().0 as f32;
        match self {
            Self::CrossEntropy => {
                outputs.try_log_softmax::<Axis<1>>()?.try_mul(targets)?.try_sum()?.try_div(-rows)
            }
            Self::MeanSquaredError => {
                outputs.try_sub(targets)?.try_square()?.try_sum()?.try_div(rows * O as f32)
            }
        }
    }

    /// What the device compares outputs with: a one-hot row per class, or the value itself.
    pub(super) fn targets(
        self,
        targets: &Targets,
        outputs: usize,
        into: &mut Vec<f32>,
    ) -> Result<(), NnError> {
        into.clear();
        match (self, targets) {
            (Self::CrossEntropy, Targets::Classes(classes)) => {
                into.resize(classes.len() * outputs, 0.0);
                for (row, &class) in into.chunks_exact_mut(outputs).zip(classes) {
                    let hot = row
                        .get_mut(class as usize)
                        .ok_or_else(|| mismatch(self, &format!("class {class} of {outputs}")))?;
                    *hot = 1.0;
                }
                Ok(())
            }
            (Self::MeanSquaredError, Targets::Values(values)) if outputs == 1 => {
                into.extend_from_slice(values);
                Ok(())
            }
            (Self::CrossEntropy, Targets::Values(_)) => Err(mismatch(self, "values")),
            (Self::MeanSquaredError, Targets::Classes(_)) => Err(mismatch(self, "classes")),
            (Self::MeanSquaredError, Targets::Values(_)) => {
                Err(mismatch(self, &format!("one value where the network has {outputs}")))
            }
        }
    }

    /// The same loss from outputs on the host, summed over rows in f64.
    pub fn sum_on_host(self, outputs: &[f32], width: usize, targets: &Targets) -> f64 {
        let rows = outputs.chunks_exact(width);
        match targets {
            Targets::Classes(classes) => {
                rows.zip(classes).map(|(row, &class)| cross_entropy(row, class as usize)).sum()
            }
            Targets::Values(values) => {
                let square = |row: &[f32], value: f32| {
                    row.iter().map(|y| (f64::from(*y) - f64::from(value)).powi(2)).sum::<f64>()
                };
                rows.zip(values).map(|(row, &value)| square(row, value) / width as f64).sum()
            }
        }
    }
}

fn cross_entropy(logits: &[f32], class: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - largest).exp()).sum();
    match logits.get(class) {
        // `max` passes NaN by; a NaN logit must not look like a small loss
        Some(&x) if logits.iter().all(|x| !x.is_nan()) => sum.ln() - f64::from(x - largest),
        _ => f64::NAN,
    }
}

fn mismatch(loss: Loss, found: &str) -> NnError {
    let expected = match loss {
        Loss::CrossEntropy => "classes below the network's number of outputs",
        Loss::MeanSquaredError => "one value per row and one output",
    };
    NnError::Data {
        action: "train on",
        reason: format!("the targets are {found}, and {loss:?} needs {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_device_agree() {
        let device = Cpu::default();
        let logits = vec![0.3_f32, -1.0, 2.0, 40.0, -3.0, 0.5];
        let targets = Targets::Classes(vec![2, 1]);
        let mut hot = Vec::new();
        Loss::CrossEntropy.targets(&targets, 3, &mut hot).unwrap();
        let on_device = Loss::CrossEntropy
            .on_device::<Cpu, 3>(
                device.tensor_from_vec(logits.clone(), (2, Const)).leaky_traced(),
                device.tensor_from_vec(hot, (2, Const)),
            )
            .unwrap();
        let on_host = Loss::CrossEntropy.sum_on_host(&logits, 3, &targets) / 2.0;
        // by hand: row 0: ln(e^0.3 + e^-1 + e^2) - 2, row 1: 43 + ln(1 + tiny)
        let by_hand = ((0.3_f64.exp() + (-1.0_f64).exp() + 2.0_f64.exp()).ln() - 2.0 + 43.0) / 2.0;
        assert!((on_host - by_hand).abs() < 1e-6, "{on_host} {by_hand}");
        assert!((f64::from(on_device.array()) - by_hand).abs() < 1e-5);
    }

    #[test]
    fn a_nan_logit_gives_a_nan_loss() {
        assert!(
            Loss::CrossEntropy
                .sum_on_host(&[f32::NAN, 1.0], 2, &Targets::Classes(vec![1]))
                .is_nan()
        );
    }

    #[test]
    fn targets_of_the_wrong_kind_are_refused() {
        let error =
            Loss::CrossEntropy.targets(&Targets::Classes(vec![3]), 3, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("class 3 of 3"), "{error}");
        assert!(
            Loss::CrossEntropy.targets(&Targets::Values(vec![3.0]), 3, &mut Vec::new()).is_err()
        );
        assert!(
            Loss::MeanSquaredError.targets(&Targets::Classes(vec![3]), 1, &mut Vec::new()).is_err()
        );
    }
}
