//! How far a loss can fall if outputs may be anything: it tells a loss that is broken from a network
//! that is. Outputs are changed in place of weights, by Adam (Kingma and Ba 2015).

use std::collections::HashMap;

use serde::Serialize;

use crate::Error;
use crate::data::{Batch, Targets};
use crate::nn::HostTensor;
use crate::task::Loss;

/// Updates of the outputs. The step falls to 0 along a parabola.
const STEPS: usize = 800;
/// It ends early where so many updates bring less than such a share of the fall so far.
const LOOK: usize = 100;
const DONE: f64 = 1e-5;
/// How many of the outputs' gradients are compared with finite differences.
const COMPARED: usize = 24;
/// Differences below such a share of the loss say nothing: f32 has a spacing of 1.2e-7.
const FELT: f64 = 1e-5;
/// Gradients may be off by so much of the larger of both: they are computed in f32.
const OFF: f64 = 0.1;

/// How far a loss can fall.
pub(super) struct Reach {
    /// The least that was found.
    pub least: f64,
    /// What is wrong with the loss's gradient in its outputs, if something is.
    pub fault: Option<GradientFault>,
}

/// What is wrong with a loss's gradient in its outputs, beside finite differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GradientFault {
    /// It is 0 where the loss changes: the loss is computed apart from its outputs.
    Zero,
    /// It points where the loss falls, so that updates make it rise.
    Reversed,
    /// It is another.
    Wrong,
}

/// What outputs may be.
pub(super) trait Allowed {
    /// Brings outputs to the nearest that are allowed; `rows` is how many samples they are of.
    fn bring(&self, outputs: &mut [f32], rows: usize);
}

/// Anything.
pub(super) struct All;

impl Allowed for All {
    fn bring(&self, _: &mut [f32], _: usize) {}
}

/// From one number to another.
pub(super) struct Between(pub f32, pub f32);

impl Allowed for Between {
    fn bring(&self, outputs: &mut [f32], _: usize) {
        outputs.iter_mut().for_each(|output| *output = output.clamp(self.0, self.1));
    }
}

/// Equal for rows of the same group.
pub(super) struct Shared(pub Vec<usize>);

impl Allowed for Shared {
    fn bring(&self, outputs: &mut [f32], rows: usize) {
        let width = outputs.len() / rows.max(1);
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for (row, &group) in self.0.iter().enumerate() {
            members.entry(group).or_default().push(row);
        }
        for rows in members.values().filter(|rows| rows.len() > 1) {
            for at in 0..width {
                let sum: f32 = rows.iter().map(|row| outputs[row * width + at]).sum();
                rows.iter().for_each(|row| outputs[row * width + at] = sum / rows.len() as f32);
            }
        }
    }
}

/// The least loss of outputs of this shape that are allowed.
///
/// # Errors
/// Those of the loss.
pub(super) fn least(
    loss: &Loss,
    shape: &[usize],
    batch: &Batch,
    allowed: impl Allowed,
) -> Result<Reach, Error> {
    let len = shape.iter().product();
    let (begin, scale) = match &batch.targets {
        Targets::Values(values) if !matches!(loss, Loss::PoissonNll(_)) => {
            let n = values.len().max(1) as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
            let square: f64 = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
            let std = (square / n).sqrt();
            (mean, if std > 0.0 { std } else { 1.0 })
        }
        _ => (0.0, 1.0),
    };
    let mean = |outputs: &[f32]| -> Result<f64, Error> {
        let outputs = HostTensor::new(shape.to_vec(), outputs.to_vec());
        let (sum, by) = loss.sum(&outputs, batch)?;
        Ok(sum / by)
    };
    let gradient = |outputs: &[f32]| -> Result<Vec<f32>, Error> {
        let outputs = HostTensor::new(shape.to_vec(), outputs.to_vec());
        let mut gradient = vec![0.0; len];
        loss.with_gradient(&outputs, batch, &mut gradient)?;
        Ok(gradient)
    };
    // Not all the same, and away from kinks.
    let spread = |at: usize| (begin + scale * (0.37 * (at as f64 * 2.399).sin())) as f32;
    let mut outputs: Vec<f32> = (0..len).map(spread).collect();
    let fault = fault(&outputs, scale, mean, gradient)?;

    let (mut first, mut second) = (vec![0.0_f64; len], vec![0.0_f64; len]);
    allowed.bring(&mut outputs, shape[0]);
    let first_loss = mean(&outputs)?;
    let (mut least, mut before) = (first_loss, first_loss);
    for step in 0..STEPS {
        let rate = 0.3 * scale * (1.0 - step as f64 / STEPS as f64).powi(2);
        let corrected = |beta: f64| 1.0 - beta.powi(step as i32 + 1);
        for (at, g) in gradient(&outputs)?.into_iter().enumerate() {
            let g = f64::from(g);
            first[at] = 0.9 * first[at] + 0.1 * g;
            second[at] = 0.999 * second[at] + 0.001 * g * g;
            let size = (second[at] / corrected(0.999)).sqrt();
            if size > 0.0 {
                outputs[at] -= (rate * first[at] / corrected(0.9) / size) as f32;
            }
        }
        allowed.bring(&mut outputs, shape[0]);
        let loss = mean(&outputs)?;
        if loss < least {
            least = loss;
        }
        if step % LOOK == LOOK - 1 {
            if before - least <= DONE * (first_loss - least).abs() {
                break;
            }
            before = least;
        }
    }
    Ok(Reach { least, fault })
}

/// Compares the loss's gradient with central differences.
fn fault(
    outputs: &[f32],
    scale: f64,
    mean: impl Fn(&[f32]) -> Result<f64, Error>,
    gradient: impl Fn(&[f32]) -> Result<Vec<f32>, Error>,
) -> Result<Option<GradientFault>, Error> {
    let computed = gradient(outputs)?;
    let step = 1e-2 * scale;
    let stride = outputs.len().div_ceil(COMPARED).max(1);
    let mut pairs = Vec::new();
    let mut changed = outputs.to_vec();
    for at in (0..outputs.len()).step_by(stride) {
        let mut beside = |sign: f64| {
            changed[at] = (f64::from(outputs[at]) + sign * step) as f32;
            let width = f64::from(changed[at]) - f64::from(outputs[at]);
            let loss = mean(&changed);
            changed[at] = outputs[at];
            loss.map(|loss| (loss, width))
        };
        let ((above, up), (below, down)) = (beside(1.0)?, beside(-1.0)?);
        // A loss of one's own may be computed in f32, which tells no smaller differences.
        if (above - below).abs() < FELT * above.abs().max(below.abs()) && above != below {
            continue;
        }
        pairs.push((f64::from(computed[at]), (above - below) / (up - down)));
    }
    if !pairs.iter().all(|(a, b)| a.is_finite() && b.is_finite()) {
        return Ok(None);
    }
    let largest = pairs.iter().fold(0.0_f64, |max, (_, expected)| max.max(expected.abs()));
    let wrong = |(computed, expected): &&(f64, f64)| {
        let off = (computed - expected).abs();
        off > OFF * computed.abs().max(expected.abs()) + 1e-3 * largest
    };
    if largest == 0.0 || 4 * pairs.iter().filter(wrong).count() <= pairs.len() {
        return Ok(None);
    }
    let along: f64 = pairs.iter().map(|(computed, expected)| computed * expected).sum();
    Ok(Some(if computed.iter().all(|g| *g == 0.0) {
        GradientFault::Zero
    } else if along < 0.0 {
        GradientFault::Reversed
    } else {
        GradientFault::Wrong
    }))
}
