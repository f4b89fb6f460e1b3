//! Targets on a common scale.

use serde::{Deserialize, Serialize};

use super::normalize::inverse;
use super::{DataError, Dataset, Targets};

/// How targets that are real numbers are brought to a common scale, for a loss that is neither
/// tiny nor huge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetScaling {
    /// Each target gets mean 0 and standard deviation 1 (of the population, divisor n) over the
    /// training part. A constant one is centred.
    Standard,
    /// Each target goes from 0 to 1 over the training part. A constant one becomes 0.
    MinMax,
}

/// The scaling in force: y′ = (y − offset) · scale, in f32, target by target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedScaling {
    /// What is subtracted, one number for each target of a row.
    pub offset: Vec<f32>,
    /// What the difference is multiplied by, one number for each target of a row; never 0.
    pub scale: Vec<f32>,
}

impl FittedScaling {
    /// Scales targets, row after row: y′ = (y − offset) · scale.
    pub fn apply(&self, targets: &mut [f32]) {
        for row in targets.chunks_mut(self.offset.len().max(1)) {
            for ((y, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
                *y = (*y - offset) * scale;
            }
        }
    }

    /// Brings scaled targets, or predictions of them, back to their unit: y = y′ / scale + offset.
    pub fn invert(&self, targets: &mut [f32]) {
        for row in targets.chunks_mut(self.offset.len().max(1)) {
            for ((y, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
                *y = *y / scale + offset;
            }
        }
    }
}

impl TargetScaling {
    /// What follows for the rows of a data set that are trained on.
    pub(super) fn fit(self, data: &Dataset, train: &[usize]) -> Result<FittedScaling, DataError> {
        let values = match data.targets() {
            Some(Targets::Values(values)) => values,
            _ => {
                return Err(DataError::Refused {
                    action: "scale the targets of",
                    reason: "they are classes; only real numbers have a scale".to_owned(),
                });
            }
        };
        let width = data.targets_per_row();
        let fitted = (0..width).map(|target| {
            let values = || train.iter().map(|&row| f64::from(values[row * width + target]));
            self.of(values, train.len())
        });
        let (offset, scale): (Vec<f32>, Vec<f32>) = fitted.unzip();
        let fitted = FittedScaling { offset, scale };
        let mut scaled = values.clone();
        fitted.apply(&mut scaled);
        match scaled.iter().position(|y| !y.is_finite()) {
            None => Ok(fitted),
            Some(at) => Err(DataError::Refused {
                action: "scale the targets of",
                reason: format!(
                    "that of row {}, {}, leaves the range of f32; scale it down first",
                    at / width,
                    values[at]
                ),
            }),
        }
    }

    fn of<V: Iterator<Item = f64>>(self, values: impl Fn() -> V, count: usize) -> (f32, f32) {
        let count = count.max(1) as f64;
        let (offset, spread) = match self {
            Self::Standard => {
                let mean = values().sum::<f64>() / count;
                let squares = values().map(|y| (y - mean).powi(2)).sum::<f64>();
                (mean, (squares / count).sqrt())
            }
            Self::MinMax => {
                let least = values().fold(f64::INFINITY, f64::min);
                (least, values().fold(f64::NEG_INFINITY, f64::max) - least)
            }
        };
        (offset as f32, inverse(spread, offset).unwrap_or(1.0))
    }
}
