//! What a metric is. **Open this file first to add one**, or to write one of your own.

use std::fmt::Debug;

use trainbook_callbacks::Direction;
use trainbook_core::batch::Targets;

use crate::NnError;
use crate::loss::TargetKind;

/// How good outputs are, as one number over all rows of a part, however they are cut into batches.
pub trait Measure: Debug + Send + Sync {
    /// The name under which it is logged, for example `macro_f1`.
    fn name(&self) -> String;

    /// When it is better.
    fn direction(&self) -> Direction;

    /// What it compares outputs with.
    fn takes(&self) -> TargetKind;

    /// Whether its options make sense for a network that makes this of one sample.
    ///
    /// # Errors
    /// An option has a value that makes no sense, or one that does not fit the network.
    fn check(&self, output: &[usize]) -> Result<(), NnError> {
        let _ = output;
        Ok(())
    }

    /// Begins to count, for outputs whose last dimension is `width`.
    fn begin(&self, width: usize) -> Box<dyn Tally>;
}

/// What a metric has counted so far.
pub trait Tally {
    /// Adds the outputs of some rows, in their order, row-major. With classes there is one target
    /// for each `width` outputs, and those that do not count for the loss have been left out; with
    /// values one for each output.
    fn add(&mut self, outputs: &[f32], targets: &Targets);

    /// The metric over everything that was added; NaN where that says nothing.
    fn value(&self) -> f64;
}

/// Where the largest number is: the first of equal ones, never NaN; `None` where there is none.
pub fn largest(row: &[f32]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (i, value) in row.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|b| *value > row[b]) {
            best = Some(i);
        }
    }
    best
}

/// A share, counted.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub right: u64,
    pub all: u64,
}

impl Share {
    pub fn add(&mut self, right: bool) {
        self.right += u64::from(right);
        self.all += 1;
    }

    pub fn value(&self) -> f64 {
        self.right as f64 / self.all as f64
    }
}

/// Classes, beside the logits of each.
pub(super) fn with_classes<'a>(
    outputs: &'a [f32],
    width: usize,
    targets: &'a Targets,
) -> impl Iterator<Item = (&'a [f32], usize)> {
    let classes: &[u32] = match targets {
        Targets::Classes(classes) => classes,
        Targets::Values(_) => &[],
    };
    outputs.chunks_exact(width.max(1)).zip(classes.iter().map(|&class| class as usize))
}

/// Values, beside the output of each.
pub(super) fn with_values<'a>(
    outputs: &'a [f32],
    targets: &'a Targets,
) -> impl Iterator<Item = (f64, f64)> {
    let values: &[f32] = match targets {
        Targets::Values(values) => values,
        Targets::Classes(_) => &[],
    };
    outputs.iter().zip(values).map(|(x, y)| (f64::from(*x), f64::from(*y)))
}
