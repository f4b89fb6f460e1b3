//! How unlikely classes are, of which one holds.

use dfdx::prelude::*;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use trainbook_core::batch::Targets;
use trainbook_core::simd::wide;

use super::{Objective, TargetKind, misfit};
use crate::NnError;
use crate::host::exp::exp;
use crate::host::{HostTensor, rows};
use crate::on_dfdx::{Backend, Flow, Real, Taped};

/// `−ln softmax(x)[class]` of logits, averaged over all positions: PyTorch's `CrossEntropyLoss`.
/// Outputs are [N, C], a class for each row, or [N, T, C] (or of higher rank), a class for each of
/// the N·T positions.
///
/// With class weights w and label smoothing ε, position i of class y contributes
/// `(1−ε)·w_y·(−ln p_y) + ε/C·Σⱼ wⱼ·(−ln pⱼ)`, and the mean divides the sum by `Σᵢ w_y`. A position
/// that is ignored counts in neither; where all are, the mean is 0/0: NaN, with a gradient of 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// ε, from 0 to 1 (Szegedy et al. 2016, arXiv:1512.00567). Default 0.
    pub label_smoothing: f64,
    /// w, one for each class. Default: all 1.
    pub weight: Option<Vec<f32>>,
    /// The class of positions that do not count, for example padding. Classes in
    /// [`Targets`] are not negative, so where this is, as PyTorch's −100, such a position has the
    /// class [`CrossEntropy::IGNORED`]. Default: every position counts.
    pub ignore_index: Option<i64>,
}

/// Numbers in a share of the work, and from how many on it is shared.
const SHARE: usize = 1 << 14;

impl CrossEntropy {
    /// The class of a position that does not count, where `ignore_index` is negative.
    pub const IGNORED: u32 = u32::MAX;

    /// The class in [`Targets`] that does not count.
    fn ignored(&self) -> Option<u32> {
        self.ignore_index.map(|index| u32::try_from(index).unwrap_or(Self::IGNORED))
    }

    fn check_options(&self, classes: usize) -> Result<(), NnError> {
        let wrong = |setting, value, expected: &str| {
            Err(NnError::Setting { setting, value, expected: expected.to_owned() })
        };
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return wrong("label_smoothing", self.label_smoothing.to_string(), "from 0 to 1");
        }
        if let Some(index) = self.ignore_index.filter(|index| *index > i64::from(u32::MAX)) {
            return wrong("ignore_index", index.to_string(), "a class number or negative");
        }
        match &self.weight {
            Some(weights) => misfit::weights("weight", weights, classes, "class"),
            None => Ok(()),
        }
    }

    /// The weight of a class.
    fn of(&self, class: usize) -> f64 {
        self.weight.as_ref().and_then(|w| w.get(class)).map_or(1.0, |w| f64::from(*w))
    }

    /// The classes, if each exists or does not count.
    fn classes<'a>(
        &self,
        targets: &'a Targets,
        positions: usize,
        width: usize,
    ) -> Result<&'a [u32], NnError> {
        self.check_options(width)?;
        misfit::classes(self.name(), targets, positions, width, self.ignored())
    }

    /// By what the mean divides.
    fn total(&self, classes: &[u32]) -> f64 {
        let ignored = self.ignored();
        let counted = classes.iter().filter(|class| Some(**class) != ignored);
        counted.map(|class| self.of(*class as usize)).sum()
    }

    /// What is the same for all positions of a batch.
    fn scale(&self, width: usize, total: f64) -> Scale<'_> {
        let spread = self.label_smoothing / width as f64;
        let all: f64 = match &self.weight {
            Some(weights) => weights.iter().map(|w| f64::from(*w)).sum(),
            None => width as f64,
        };
        Scale { loss: self, ignored: self.ignored(), spread, smooth: spread * all, total }
    }

    pub(super) fn on_dfdx<E: Real, D: Backend<E>>(
        &self,
        outputs: Flow<E, D>,
        targets: &Targets,
    ) -> Result<Taped<(), E, D>, NnError> {
        let width = outputs.shape().last().copied().unwrap_or(0).max(1);
        let positions = outputs.shape().iter().product::<usize>() / width;
        let classes = self.classes(targets, positions, width)?;
        let total = self.total(classes);
        let scale = self.scale(width, total);
        let mut shares = vec![E::of(0.0); positions * width];
        if total > 0.0 {
            for (share, &class) in shares.chunks_exact_mut(width).zip(classes) {
                scale.shares(class, share);
            }
        }
        let device = outputs.device();
        let logits = outputs.rows().map_err(NnError::from_fault)?;
        let run = || {
            let shares = device.try_tensor_from_vec(shares, (positions, width))?;
            let loss = logits.try_log_softmax::<Axis<1>>()?.try_mul(shares)?.try_sum()?;
            // The mean over no position is NaN, and its gradient 0.
            if total > 0.0 { Ok(loss) } else { loss.try_add(E::of(f64::NAN)) }
        };
        run().map_err(|e: D::Err| NnError::device("compute the loss", &e))
    }
}

/// What is the same for all positions of a batch.
struct Scale<'a> {
    loss: &'a CrossEntropy,
    ignored: Option<u32>,
    /// ε/C
    spread: f64,
    /// ε/C·Σⱼ wⱼ
    smooth: f64,
    /// By what the mean divides.
    total: f64,
}

impl Scale<'_> {
    /// (1−ε)·w_y
    fn sharp(&self, class: u32) -> f64 {
        (1.0 - self.loss.label_smoothing) * self.loss.of(class as usize)
    }

    /// With which factor each ln p counts in the mean.
    fn shares<E: Real>(&self, class: u32, into: &mut [E]) {
        if Some(class) == self.ignored {
            return;
        }
        for (j, share) in into.iter_mut().enumerate() {
            let hot = if j == class as usize { self.sharp(class) } else { 0.0 };
            *share = E::of(-(hot + self.spread * self.loss.of(j)) / self.total);
        }
    }

    /// What a position contributes, from its logits less the largest of them and from ln Σ eˣ of
    /// those.
    fn contribution(&self, row: &[f32], largest: f32, log_sum: f64, class: u32) -> f64 {
        let sharp = self.sharp(class);
        let at = |x: f32| f64::from(x - largest);
        let mut sum = (sharp + self.smooth) * log_sum - sharp * at(row[class as usize]);
        if self.spread > 0.0 {
            let each = row.iter().enumerate().map(|(j, x)| self.loss.of(j) * at(*x));
            sum -= self.spread * each.sum::<f64>();
        }
        sum
    }

    /// What one position contributes to the sum.
    fn value(&self, row: &[f32], class: u32) -> f64 {
        if Some(class) == self.ignored {
            return 0.0;
        }
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| f64::from(x - largest).exp()).sum();
        self.contribution(row, largest, sum.ln(), class)
    }

    /// The same, with its gradient in the mean.
    #[inline(always)]
    fn with_gradient(&self, row: &[f32], class: u32, gradient: &mut [f32]) -> f64 {
        if Some(class) == self.ignored {
            gradient.fill(0.0);
            return 0.0;
        }
        let largest = rows::max(row);
        // `max` passes NaN by, and `exp` does not: a NaN logit gives a NaN loss.
        let mut sum = 0.0;
        for (g, x) in gradient.iter_mut().zip(row) {
            *g = exp(x - largest);
            sum += f64::from(*g);
        }
        if self.total > 0.0 {
            let sharp = self.sharp(class);
            let scale = ((sharp + self.smooth) / (self.total * sum)) as f32;
            gradient.iter_mut().for_each(|g| *g *= scale);
            gradient[class as usize] -= (sharp / self.total) as f32;
            if self.spread > 0.0 {
                for (j, g) in gradient.iter_mut().enumerate() {
                    *g -= (self.spread * self.loss.of(j) / self.total) as f32;
                }
            }
        } else {
            gradient.fill(0.0);
        }
        self.contribution(row, largest, sum.ln(), class)
    }
}

impl Objective for CrossEntropy {
    fn name(&self) -> &str {
        "CrossEntropy"
    }

    fn takes(&self) -> TargetKind {
        TargetKind::Classes
    }

    fn check(&self, output: &[usize]) -> Result<(), NnError> {
        self.check_options(output.last().copied().unwrap_or(1))
    }

    fn with_gradient(
        &self,
        outputs: &HostTensor,
        targets: &Targets,
        gradient: &mut [f32],
    ) -> Result<f64, NnError> {
        let width = outputs.last().max(1);
        let classes = self.classes(targets, outputs.numbers().len() / width, width)?;
        let scale = self.scale(width, self.total(classes));
        let some = |rows: &[f32], classes: &[u32], gradient: &mut [f32]| -> f64 {
            let rows = rows.chunks_exact(width).zip(classes);
            let each = rows.zip(gradient.chunks_exact_mut(width));
            let one = |((row, &class), gradient): ((&[f32], &u32), &mut [f32])| {
                wide(
                    #[inline(always)]
                    || scale.with_gradient(row, class, gradient),
                )
            };
            each.map(one).sum()
        };
        let rows = (SHARE / width).max(1);
        let sum = if classes.len() <= rows {
            some(outputs.numbers(), classes, gradient)
        } else {
            // Cut by size alone and added in order: the same bits on any number of threads.
            let sums: Vec<f64> = outputs
                .numbers()
                .par_chunks(rows * width)
                .zip(classes.par_chunks(rows))
                .zip(gradient.par_chunks_mut(rows * width))
                .map(|((outputs, classes), gradient)| some(outputs, classes, gradient))
                .collect();
            sums.into_iter().sum()
        };
        Ok(sum / scale.total)
    }

    fn sum(&self, outputs: &HostTensor, targets: &Targets) -> Result<(f64, f64), NnError> {
        let width = outputs.last().max(1);
        let classes = self.classes(targets, outputs.numbers().len() / width, width)?;
        let scale = self.scale(width, self.total(classes));
        let rows = outputs.numbers().chunks_exact(width).zip(classes);
        Ok((rows.map(|(row, &class)| scale.value(row, class)).sum(), scale.total))
    }

    fn counts(&self, class: u32) -> bool {
        Some(class) != self.ignored()
    }

    fn weight(&self, targets: &Targets) -> f64 {
        match targets {
            Targets::Classes(classes) => self.total(classes),
            Targets::Values(_) => 0.0,
        }
    }
}
