//! What the sizes of an epoch say.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::number::short;
use crate::{TensorInfo, TensorStats};

use super::median::Rows;

/// Where the gradient of the first weights is so much smaller than that of the last, it vanishes on
/// the way, and where it is so much larger, it explodes.
const VANISHING: f64 = 1e-3;
const EXPLODING: f64 = 1e3;

/// Between these an update has a usual size beside the weights. Karpathy's rule of thumb, in "Building
/// makemore, part 3", is about 1e-3.
const SMALL_UPDATE: f64 = 1e-5;
const LARGE_UPDATE: f64 = 1e-1;

/// How many tensors a warning names.
const NAMED: usize = 8;

/// What has been said, which is said once in a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Zero,
    Vanishing,
    Exploding,
    SmallUpdate,
    LargeUpdate,
}

/// What was seen in a fit, as far as it is needed to judge its epochs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Track {
    pub epoch: Epoch,
    /// The largest learning rate of the fit.
    rate: f64,
    /// Of which tensors, by their names. Older checkpoints had numbers, under another name.
    #[serde(default, rename = "said_of")]
    said: BTreeSet<(Verdict, String)>,
}

/// The steps that were looked at in an epoch.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Epoch {
    steps: u64,
    tensors: Vec<TensorInfo>,
    /// Of each tensor, whether an element of its gradient has been something else than zero.
    moved: Vec<bool>,
    /// The norms of the first and of the last weights.
    ends: Rows,
    /// Of each tensor, by what share of its size it was changed.
    ratios: Rows,
    /// The largest learning rate.
    rate: f64,
}

/// Whether it is a matrix or a kernel. Biases, and what scales or moves a normalised value, have one
/// dimension: they begin at a constant, so that their sizes say little.
fn is_weight(tensor: &TensorInfo) -> bool {
    tensor.shape.len() > 1
}

impl Epoch {
    /// The raw gradients of one step.
    pub fn gradients(&mut self, tensors: &[TensorInfo], stats: &[TensorStats]) {
        // At first, and where tensors thaw, which then stand among the others.
        if self.tensors.len() != tensors.len() {
            let (tensors, moved) = (tensors.to_vec(), vec![false; tensors.len()]);
            *self = Self { tensors, moved, rate: self.rate, ..Self::default() };
        }
        self.steps += 1;
        for (moved, stats) in self.moved.iter_mut().zip(stats) {
            *moved |= stats.zeros < stats.len;
        }
        if let Some((first, last)) = self.ends() {
            self.ends.push([stats[first].norm, stats[last].norm]);
        }
    }

    /// The ratios of one step, NaN where there is none.
    pub fn ratios(&mut self, ratios: &[f64]) {
        self.ratios.push(ratios.iter().copied());
    }

    /// The places of the first and the last weights, where these are not the same.
    fn ends(&self) -> Option<(usize, usize)> {
        let first = self.tensors.iter().position(is_weight)?;
        let last = self.tensors.iter().rposition(is_weight)?;
        (first < last).then_some((first, last))
    }

    fn name(&self, tensor: usize) -> &str {
        &self.tensors[tensor].name
    }

    /// Where the numbers are from.
    fn steps(&self, epoch: u64) -> String {
        match self.steps {
            1 => format!("the one step that was looked at in epoch {epoch}"),
            steps => format!("the {steps} steps that were looked at in epoch {epoch}"),
        }
    }
}

impl Track {
    /// A step had this learning rate.
    pub fn rate(&mut self, rate: f64) {
        self.rate = self.rate.max(rate);
        self.epoch.rate = self.epoch.rate.max(rate);
    }

    /// What is to be said at the end of this epoch, counted from 1; the next one begins.
    pub fn judge(&mut self, epoch: u64) -> Vec<String> {
        let seen = std::mem::take(&mut self.epoch);
        let mut warnings = Vec::new();
        let zero = (0..seen.tensors.len()).filter(|at| !seen.moved[*at]);
        let zero = self.unsaid(&seen, Verdict::Zero, zero);
        if !zero.is_empty() {
            warnings.push(format!(
                "the gradient of {} was zero in {}: dead units, or cut off from the loss",
                listed(&zero, |at| seen.name(at).to_owned()),
                seen.steps(epoch)
            ));
        }
        warnings.extend(self.judge_ends(&seen, epoch));
        warnings.extend(self.judge_ratios(&seen, epoch));
        warnings
    }

    fn judge_ends(&mut self, seen: &Epoch, epoch: u64) -> Option<String> {
        let (first, last) = seen.ends()?;
        // A gradient of zero is another matter, and said where it is one.
        let quotient = |row: &[f64]| if row[0] > 0.0 { row[0] / row[1] } else { f64::NAN };
        let quotient = seen.ends.median(quotient)?;
        let (verdict, what, cure) = if quotient < VANISHING {
            (
                Verdict::Vanishing,
                "vanish",
                "normalisation, residual connections or another initialisation keep them up",
            )
        } else if quotient > EXPLODING {
            (
                Verdict::Exploding,
                "explode",
                "normalisation or smaller initial weights keep them down, and clipping limits them",
            )
        } else {
            return None;
        };
        if self.unsaid(seen, verdict, std::iter::once(first)).is_empty() {
            return None;
        }
        let norm = |at: usize| short(seen.ends.median(|row| row[at]).unwrap_or(f64::NAN));
        Some(format!(
            "gradients {what} on their way back: the norm of that of {} is {} times that of {} ({} to \
             {}; medians of {}): {cure}",
            seen.name(first),
            short(quotient),
            seen.name(last),
            norm(0),
            norm(1),
            seen.steps(epoch)
        ))
    }

    fn judge_ratios(&mut self, seen: &Epoch, epoch: u64) -> Vec<String> {
        let median = |at: usize| seen.ratios.median(|row| row[at]);
        let weights = (0..seen.tensors.len()).filter(|at| is_weight(&seen.tensors[*at]));
        let medians: Vec<(usize, f64)> = weights.filter_map(|at| Some((at, median(at)?))).collect();
        let those = |wanted: &dyn Fn(f64) -> bool| -> Vec<usize> {
            medians.iter().filter(|(_, ratio)| wanted(*ratio)).map(|(at, _)| *at).collect()
        };
        // At the end of a schedule updates are meant to be small.
        let at_full_rate = seen.rate >= self.rate / 2.0;
        let small = those(&|ratio| at_full_rate && ratio < SMALL_UPDATE);
        let large = those(&|ratio| ratio > LARGE_UPDATE);
        let kinds = [
            (Verdict::SmallUpdate, small, "small", format!("below {SMALL_UPDATE:e}"), "low"),
            (Verdict::LargeUpdate, large, "large", format!("above {LARGE_UPDATE}"), "high"),
        ];
        let mut warnings = Vec::new();
        for (verdict, tensors, size, limit, rate) in kinds {
            let new = self.unsaid(seen, verdict, tensors.into_iter());
            if !new.is_empty() {
                let named = |at: usize| {
                    let ratio = medians.iter().find(|(of, _)| *of == at).map(|(_, ratio)| *ratio);
                    format!("{} {}", seen.name(at), short(ratio.unwrap_or(f64::NAN)))
                };
                warnings.push(format!(
                    "updates are {size} beside the weights, {limit} of their norm where about 1e-3 is \
                     usual: {} (medians of {}): the learning rate is {rate} for them",
                    listed(&new, named),
                    seen.steps(epoch)
                ));
            }
        }
        warnings
    }

    /// Those of which it has not been said, which it now is.
    fn unsaid(
        &mut self,
        seen: &Epoch,
        verdict: Verdict,
        tensors: impl Iterator<Item = usize>,
    ) -> Vec<usize> {
        let unsaid = |at: &usize| self.said.insert((verdict, seen.name(*at).to_owned()));
        tensors.filter(unsaid).collect()
    }
}

fn listed(tensors: &[usize], named: impl Fn(usize) -> String) -> String {
    let mut names: Vec<String> = tensors.iter().take(NAMED).map(|at| named(*at)).collect();
    if tensors.len() > NAMED {
        names.push(format!("… ({} in all)", tensors.len()));
    }
    names.join(", ")
}
