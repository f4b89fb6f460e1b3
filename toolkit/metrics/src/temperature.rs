//! Probabilities that mean what they say, by one number.

use std::fmt;

use serde::{Deserialize, Serialize};
use trainbook_core::batch::{TargetKind, Targets};

use crate::MetricError;
use crate::check::check_data;
use crate::probability::log_probability;
use crate::reliability_bins::ReliabilityBins;
use crate::rows::Rows;

/// Between these a temperature is looked for.
const RANGE: [f64; 2] = [1e-3, 1e3];

/// Temperature scaling: logits are divided by one number, that with which the mean of the negative
/// log-likelihood is least (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
/// section 4.2). Which class is the likeliest does not change, how likely it is does: above 1 the
/// network was too sure of itself. To be found on rows that were not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// By what logits are divided.
    pub value: f64,
    /// The mean negative log-likelihood before and with it, in nats.
    pub log_loss: [f64; 2],
    /// The expected calibration error in 15 bins before and with it, from 0 to 1; of classes alone.
    pub calibration_error: Option<[f64; 2]>,
}

/// What is known of a row: its logits and its class, or one logit and its label.
enum Row<'a> {
    Class(&'a [f32], usize),
    Label(f64, f64),
}

impl Row<'_> {
    /// By how much the loss grows with 1 / T, at this one: what the logits are expected to be less what
    /// that of the target is.
    fn slope(&self, inverse: f64) -> f64 {
        match *self {
            Row::Class(logits, class) => {
                let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let (mut sum, mut expected) = (0.0, 0.0);
                // Relative to the largest, which changes nothing of a difference.
                for logit in logits {
                    let below = f64::from(*logit) - f64::from(top);
                    let power = (inverse * below).exp();
                    sum += power;
                    // A logit of −∞ is never expected.
                    expected += if power > 0.0 { power * below } else { 0.0 };
                }
                expected / sum - (f64::from(logits[class]) - f64::from(top))
            }
            Row::Label(logit, label) => logit * (1.0 / (1.0 + (-inverse * logit).exp()) - label),
        }
    }

    fn loss(&self, inverse: f64) -> f64 {
        match *self {
            Row::Class(logits, class) => {
                let scaled: Vec<f32> = divided(logits, 1.0 / inverse).collect();
                -log_probability(&scaled, class)
            }
            Row::Label(logit, label) => {
                let x = inverse * logit;
                x.max(0.0) - x * label + (-x.abs()).exp().ln_1p()
            }
        }
    }
}

fn divided(logits: &[f32], temperature: f64) -> impl Iterator<Item = f32> {
    let by = temperature as f32;
    logits.iter().map(move |logit| logit / by)
}

impl Temperature {
    /// Of logits [N, …, `width`], row-major, with a class for each row or position; or with values,
    /// which are 0 or 1 then, and logits of labels.
    ///
    /// # Errors
    /// Outputs, targets and weights do not fit each other; a logit is no number; or no temperature
    /// between 0.001 and 1,000 is the best, because every row is classified right, or because the
    /// logits say nothing about the targets.
    pub fn of(
        outputs: &[f32],
        width: usize,
        targets: &Targets,
        weights: Option<&[f32]>,
    ) -> Result<Self, MetricError> {
        const NAME: &str = "the temperature";
        let wrong = |reason: &str| {
            Err(MetricError::Data { metric: NAME.to_owned(), reason: reason.to_owned() })
        };
        let of_classes = matches!(targets, Targets::Classes(_));
        let takes = if of_classes { TargetKind::Classes } else { TargetKind::Values };
        check_data(NAME, takes, outputs, width, targets, weights)?;
        let all = Rows { outputs, targets, weights };
        let rows: Vec<(Row<'_>, f64)> = if of_classes {
            all.classes(width).map(|(row, class, by)| (Row::Class(row, class), by)).collect()
        } else {
            all.values().map(|(logit, label, by)| (Row::Label(logit, label), by)).collect()
        };
        if rows.is_empty() {
            return wrong("there are no rows that count; it takes one at least");
        }
        if outputs.iter().any(|logit| logit.is_nan() || *logit == f32::INFINITY) {
            return wrong("a logit is no finite number; train the network anew before");
        }
        let total: f64 = rows.iter().map(|(_, by)| by).sum();
        let mean = |of: &dyn Fn(&Row<'_>) -> f64| {
            rows.iter().map(|(row, by)| by * of(row)).sum::<f64>() / total
        };
        let slope = |inverse: f64| mean(&|row| row.slope(inverse));
        let (mut low, mut high) = (1.0 / RANGE[1], 1.0 / RANGE[0]);
        // The loss is convex in 1 / T.
        let first = slope(low);
        if first.is_nan() || first >= 0.0 {
            return wrong(
                "the logits say nothing about the targets, or the contrary, so that no temperature \
                 is the best; look at the metrics of these rows first",
            );
        }
        if slope(high) <= 0.0 {
            return wrong(
                "every row is classified right, so that the best temperature is 0; give rows that \
                 the network was not trained on, and more of them",
            );
        }
        // Halves the distance of the logarithms until there is no number between them.
        loop {
            let middle = (low * high).sqrt();
            if middle <= low || middle >= high {
                break;
            }
            if slope(middle) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        let value = 1.0 / high;
        let loss = |inverse: f64| mean(&|row| row.loss(inverse));
        let error = |outputs: &[f32]| {
            Ok(ReliabilityBins::of(outputs, width, targets, weights)?.expected_error())
        };
        Ok(Self {
            value,
            log_loss: [loss(1.0), loss(high)],
            calibration_error: match of_classes {
                true => {
                    let divided: Vec<f32> = divided(outputs, value).collect();
                    Some([error(outputs)?, error(&divided)?])
                }
                false => None,
            },
        })
    }

    /// The logits with this temperature.
    pub fn apply(&self, logits: &[f32]) -> Vec<f32> {
        divided(logits, self.value).collect()
    }
}

impl fmt::Display for Temperature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, with] = self.log_loss;
        write!(f, "temperature {:.4}: log loss {before:.4} → {with:.4}", self.value)?;
        if let Some([before, with]) = self.calibration_error {
            write!(f, ", calibration error {before:.4} → {with:.4}")?;
        }
        Ok(())
    }
}
