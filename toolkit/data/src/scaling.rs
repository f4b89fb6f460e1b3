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
    /// Each target becomes y′ = (ln(1 + y) − mean) / deviation, of ln(1 + y) over the training part
    /// (numpy's [`log1p`](https://numpy.org/doc/stable/reference/generated/numpy.log1p.html), then as
    /// [`Standard`](Self::Standard)): for prices, counts and whatever spans orders of magnitude and
    /// is never negative. A squared loss is then of relative errors; predictions and metrics are in
    /// the targets' own unit, y = exp(y′ · deviation + mean) − 1, in which they are near the median
    /// and not the mean. Targets of −1 and below have no logarithm and are refused with their row. The
    /// exponent ends at 88, so that no prediction is infinite.
    Log1p,
}

/// The scaling in force: y′ = (y − offset) · scale, in f32, target by target; under a logarithm
/// y′ = (ln(1 + y) − offset) · scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedScaling {
    /// What is subtracted, one number for each target of a row.
    pub offset: Vec<f32>,
    /// What the difference is multiplied by, one number for each target of a row; never 0.
    pub scale: Vec<f32>,
    /// Whether targets are under a logarithm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log1p: bool,
}

/// Scaled targets become at most exp of this, which f32 still holds.
pub const LARGEST_EXPONENT: f32 = 88.0;

impl FittedScaling {
    /// Scales targets, row after row: y′ = (y − offset) · scale, or that of ln(1 + y).
    pub fn apply(&self, targets: &mut [f32]) {
        if self.log1p {
            targets.iter_mut().for_each(|y| *y = y.ln_1p());
        }
        for row in targets.chunks_mut(self.offset.len().max(1)) {
            for ((y, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
                *y = (*y - offset) * scale;
            }
        }
    }

    /// Brings scaled targets, or predictions of them, back to their unit: y = y′ / scale + offset, and
    /// under a logarithm exp(min(y, 88)) − 1 of that.
    pub fn invert(&self, targets: &mut [f32]) {
        for row in targets.chunks_mut(self.offset.len().max(1)) {
            for ((y, offset), scale) in row.iter_mut().zip(&self.offset).zip(&self.scale) {
                *y = *y / scale + offset;
            }
        }
        if self.log1p {
            // NaN is not less, and stays.
            let exponent = |y: f32| if y > LARGEST_EXPONENT { LARGEST_EXPONENT } else { y };
            targets.iter_mut().for_each(|y| *y = exponent(*y).exp() - 1.0);
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
        let log1p = self == Self::Log1p;
        if let Some(at) = values.iter().position(|y| log1p && *y <= -1.0) {
            let row = at / width;
            let place = data.place(row).map(|place| format!(" ({place})")).unwrap_or_default();
            let which = if width > 1 { format!("target {} ", at % width) } else { "that ".into() };
            return Err(DataError::Refused {
                action: "scale the targets of",
                reason: format!(
                    "{which}of row {row}{place} is {}, and ln(1 + y) needs more than -1; use \
                     TargetScaling::Standard, or leave the row out",
                    values[at]
                ),
            });
        }
        let fitted = (0..width).map(|target| {
            let value = |&row: &usize| f64::from(values[row * width + target]);
            match log1p {
                true => self.of(|| train.iter().map(value).map(f64::ln_1p), train.len()),
                false => self.of(|| train.iter().map(value), train.len()),
            }
        });
        let (offset, scale): (Vec<f32>, Vec<f32>) = fitted.unzip();
        let fitted = FittedScaling { offset, scale, log1p };
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
            Self::Standard | Self::Log1p => {
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
